"""The summary of a run as people read it: every bill is somewhere, and the sums tie."""

from __future__ import annotations

from pipeline.cli.output import say, table, tell
from pipeline.engine.report import TERMS, RunReport
from pipeline.store.rows import amount_text

WORDS = {"in_doubt": "in doubt", "in_flight": "in flight"}


def print_report(report: RunReport, *, hint: bool = True) -> None:
    """Counts and money by outcome, whether they tie, and what to do next as the last line."""
    totals = report.totals
    currencies = sorted(currency for currency in totals.read_amounts if currency)
    rows = [["read", totals.read, *(_amount(totals.read_amounts.get(c, 0)) for c in currencies)]]
    for term in TERMS:
        by_currency = totals.amounts.get(term, {})
        rows.append(
            [WORDS.get(term, term), totals.counts.get(term, 0), *(_amount(by_currency.get(c, 0)) for c in currencies)]
        )
    table([f"{report.flow}, run r-{report.run}", "records", *currencies], rows, right=["records", *currencies])
    sums = "read = delivered + excluded + unchanged + dead + held + in doubt + in flight"
    tell(f"{sums}: {'it ties' if report.balanced else 'IT DOES NOT TIE'}", "green" if report.balanced else "bold red")
    tell(f"{totals.documents} documents in {totals.deliveries} deliveries, {report.seconds:.1f} s, {report.status}")
    if hint:
        for line in next_steps(report):
            say(line)


def next_steps(report: RunReport) -> list[str]:
    """The next useful commands, most useful last."""
    counts = report.totals.counts
    lines = []
    if report.signal:
        lines.append(f"stopped; resume:  ml-connector run {report.flow}")
    waiting = counts.get("in_doubt") or counts.get("in_flight")
    if waiting or report.exceptions:  # of this run's records, or of documents made earlier
        lines.append("next:  ml-connector status     shows what waits for the far side; the next run goes on with it")
    if counts.get("dead") or counts.get("held"):
        lines.append("next:  ml-connector dead       shows what failed, why, and who mends it")
    return lines


def _amount(value: int) -> str:
    whole, _, fraction = amount_text(value).partition(".")
    return f"{int(whole):,}.{fraction}" if not whole.startswith("-0") else f"{whole}.{fraction}"
