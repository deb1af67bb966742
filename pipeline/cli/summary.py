"""The summary of a run as people read it: every bill is somewhere, why some went nowhere, and that the sums tie."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.text import Text

from pipeline.cli.output import STYLES, counted, joined, money, program, say, suggest, sums, table, tell
from pipeline.clock import SystemClock
from pipeline.engine.report import TERMS, RunReport
from pipeline.store import Ledger
from pipeline.store.reports import Item, Reason, Totals
from pipeline.store.rows import stamp

WORDS = {"in_doubt": "in doubt", "in_flight": "in flight"}
ENDS = {"delivered": "went out", "dead": "died", "held": "are held"}
EQUATION = "read = " + " + ".join(WORDS.get(term, term) for term in TERMS)


class Summary:
    """A finished run and what only the ledger can add to its report."""

    def __init__(
        self,
        report: RunReport,
        file: Path,
        reasons: Sequence[Reason],
        earlier: Mapping[str, int],
        overdue: int = 0,
        waiting: Sequence[Item] = (),
    ) -> None:
        self.report = report
        self.file = file
        self.reasons = reasons
        self.earlier = earlier  # deliveries of earlier runs, by the state they are in now
        self.overdue = overdue  # documents in this ledger whose partners have not answered in time
        self.waiting = waiting  # why deliveries of this flow wait
        self.told = {
            error.code for error in (report.problem, *report.stopped) if error
        }  # these have lines of their own

    @classmethod
    async def of(cls, report: RunReport, file: Path, ledger: Ledger) -> Summary:
        reasons = await ledger.reports.reasons(report.run)
        counts = await ledger.reports.counts(stamp(SystemClock().now()))
        earlier = await ledger.reports.delivery_states(report.earlier)
        waiting = await ledger.reports.waiting_reasons(report.flow)
        return cls(report, file, reasons, earlier, counts["acknowledgements_overdue"], waiting)

    def print(self) -> None:
        """Counts and money by outcome, whether they tie, and why records went nowhere."""
        report, totals = self.report, self.report.totals
        title = f"{report.flow}, run r-{report.run}"
        if report.balanced and totals.read == 0:
            tell(f"{title}: nothing was read", "bold")
        else:
            print_totals(title, totals)
            print_balance(report.balanced)
            print_reasons(self.reasons)
        made = f"{counted(totals.documents, 'document')} made, {counted(totals.deliveries, 'delivery')} sealed"
        tell(f"{made}, {report.seconds:.1f} s, {report.status}")
        if report.calls:
            tell(f"calls: {joined(f'{used:,} of {account}' for account, used in sorted(report.calls.items()))}")
        if self.earlier:
            tell(self.earlier_text())

    def earlier_text(self) -> str:
        """``deliveries of earlier runs: 3 went out, 1 waits``."""
        waiting = sum(count for state, count in self.earlier.items() if state not in ENDS)
        ended = [f"{self.earlier[state]} {word}" for state, word in ENDS.items() if self.earlier.get(state)]
        waits = f"{waiting} {'waits' if waiting == 1 else 'wait'}" if waiting else ""
        return f"deliveries of earlier runs: {joined([*ended, waits])}"

    def alarm(self) -> None:
        """What must be seen whatever is printed."""
        for reason in self.waiting:
            if reason["code"] in self.told:
                continue
            wait = "delivery waits" if reason["deliveries"] == 1 else "deliveries wait"
            say(
                f"{reason['deliveries']:,} {wait}: {joined([reason['what'], reason['why']], ': ')} ({reason['code']})",
                "yellow",
            )
        if self.overdue:
            documents = counted(self.overdue, "document")
            say(f"{documents} not acknowledged in time; ask the partners: {program()} acks --overdue", "yellow")

    def suggest(self) -> None:
        """The next useful commands, most useful last."""
        counts = self.report.totals.counts
        if self.report.signal:
            if self.report.unread:
                say(f"{joined(self.report.unread)}: not read to the end", "yellow")
            suggest(f"run {shlex.quote(str(self.file))}", lead="stopped; resume:")
        if counts.get("in_doubt") or counts.get("in_flight") or self.report.exceptions:
            suggest("status", "shows what waits for the far side; the next run goes on with it")
        if counts.get("dead") or counts.get("held"):
            suggest("dead", "shows what failed, why, and who mends it")


def print_totals(title: str, totals: Totals) -> None:
    """One line per outcome: records, and money in each currency."""
    currencies = sorted(currency for currency in totals.read_amounts if currency)
    rows = [["read", totals.read, *(money(totals.read_amounts.get(c, 0)) for c in currencies)]]
    for term in TERMS:
        count, amounts = totals.counts.get(term, 0), totals.amounts.get(term, {})
        word = Text(WORDS.get(term, term), style=STYLES.get(term, "") if count else "")
        rows.append([word, count, *(money(amounts.get(c, 0)) for c in currencies)])
    table([title, "records", *currencies], rows, right=["records", *currencies])


def print_balance(balanced: bool) -> None:
    if balanced:
        tell(f"{EQUATION}: it ties", "green")
    else:
        tell(f"{EQUATION}: OUT OF BALANCE, the ledger does not account for what was read", "bold red")


def print_reasons(reasons: Sequence[Reason]) -> None:
    """Each rule that excluded and each code that stopped records: how many, and how much money."""
    if reasons:
        tell("")
        rows = [[r.outcome, r.reason or "(no reason given)", r.records, sums(r.amounts)] for r in reasons]
        table(["outcome", "rule or code", "records", "money"], rows, right=["records"], wrap=["rule or code", "money"])
        tell("")
