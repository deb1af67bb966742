"""`status`, `runs`, `docs`, `dead`: what the ledger holds, as lists. A list that is cut says so, and so does a filter that matches nothing."""

from __future__ import annotations

import difflib
from datetime import timedelta
from typing import Annotated

import typer

from pipeline.cli.execute import store_url
from pipeline.cli.forms import (
    decoded,
    document_json,
    document_table,
    letter_json,
    run_json,
    split_id,
    waiting_json,
)
from pipeline.cli.outages import outage_json, print_outages
from pipeline.cli.output import counted, joined, print_json, program, say, suggest, sums, table, tell, when
from pipeline.cli.usage import gauge_json, print_gauges
from pipeline.clock import SystemClock
from pipeline.engine.meter import Gauge, gauges
from pipeline.errors import UsageError
from pipeline.flow.duration import Duration
from pipeline.store import Ledger, open_ledger
from pipeline.store.reports import Group, Item
from pipeline.store.rows import stamp

Json = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object on stdout.")]
Partner = Annotated[str, typer.Option("--partner", help="Only this partner.")]
Flow = Annotated[str, typer.Option("--flow", help="Only this flow.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="At most this many, newest first.")]

STATUSES = ("stored", "sealed", "delivered", "dead", "held")
WAITING_SHOWN = 100
SHOWN_OF_EACH_CODE = 20


async def status(json: Json = False) -> int:
    """One screen: which system is down, the last run of each flow, what waits, what needs a person, what calls were used."""
    async with open_ledger(store_url(), SystemClock()) as ledger:
        counts = await ledger.reports.counts(stamp(SystemClock().now()))
        latest = await ledger.reports.latest_runs()
        waiting = await ledger.reports.open_deliveries(WAITING_SHOWN)
        meters = await gauges(ledger, SystemClock().now())
        outages = await ledger.reports.outages()
    if json:
        flows = [run_json(run) for run in latest]
        total = counts["in_doubt"] + counts["in_flight"]
        shown = [waiting_json(item) for item in waiting]
        used = [gauge_json(gauge) for gauge in meters]
        print_json(
            {
                "schema": "mlc.status/1", "outages": [outage_json(item) for item in outages], "counts": counts, "flows": flows, "waiting": shown,
                "waiting_total": total, "meters": used,
            }
        )  # fmt: skip
        return 0
    if not latest:
        tell("Nothing has run with this ledger yet.")
        suggest("demo", f"or     {_first_run()}")
        return 0
    print_outages(outages, SystemClock().now())
    _print_status(counts, latest, waiting, meters)
    return 0


def _print_status(counts: Item, latest: list[Item], waiting: list[Item], meters: list[Gauge]) -> None:
    rows = [
        [run["flow"], f"r-{run['id']}", when(run["started_at"]), run["status"], _why(run["problem"])] for run in latest
    ]
    table(["FLOW", "LAST RUN", "STARTED", "STATUS", "WHY"], rows, wrap=["WHY"], drop=["STARTED"])
    if waiting:
        tell("")
        _print_waiting(waiting, counts["in_doubt"] + counts["in_flight"])
    if meters:
        tell("")
        print_gauges(meters)
    tell("")
    facts = [
        f"{counted(counts['delivered'], 'document')} delivered",
        f"{counted(counts['stored'], 'document')} not sealed yet" if counts["stored"] else "",
        f"{counted(counts['in_flight'], 'delivery')} on the way",
        f"{counted(counts['in_doubt'], 'delivery')} in doubt",
        f"{counted(counts['dead_letters'], 'exception')} open",
        f"{counted(counts['acknowledgements_waiting'], 'acknowledgement')} waited for",
        f"{counts['acknowledgements_overdue']} of them overdue" if counts["acknowledgements_overdue"] else "",
    ]
    tell(joined(facts))
    if counts["acknowledgements_overdue"]:
        suggest("acks --overdue", "shows which partners have not answered in time")
    for run in latest:
        if run["status"] == "failed":
            suggest(f"show r-{run['id']}", f"says why {run['flow']} failed")
    if counts["dead_letters"]:
        suggest("dead")


def _print_waiting(waiting: list[Item], total: int) -> None:
    rows = [
        [f"v-{w['id']}", w["lane"], w["state"], w["attempts"], when(w["next_at"]), _why(w["problem"])] for w in waiting
    ]
    headings = ["DELIVERY", "LANE", "STATE", "ATTEMPTS", "NOT BEFORE", "WHY"]
    table(headings, rows, right=["ATTEMPTS"], wrap=["WHY"], drop=["NOT BEFORE", "ATTEMPTS"])
    _say_cut(len(waiting), total, "delivery", "the oldest")


async def runs(flow: Flow = "", limit: Limit = 20, json: Json = False) -> int:
    """The runs, newest first."""
    async with open_ledger(store_url(), SystemClock()) as ledger:
        items = await ledger.reports.runs(flow=flow, limit=limit)
        total = await ledger.reports.count_runs(flow=flow)
        nothing = "" if items else await _no_runs(ledger, flow)
    if json:
        print_json({"schema": "mlc.runs/1", "items": [run_json(item) for item in items], "total": total})
        _say_nothing(nothing)
        return 0
    if not items:
        tell(nothing)
        say(f"next:  {_first_run()}")
        return 0
    rows = [
        [f"r-{i['id']}", i["flow"], i["kind"], when(i["started_at"]), when(i["finished_at"]), i["status"]]
        for i in items
    ]
    table(["RUN", "FLOW", "KIND", "STARTED", "FINISHED", "STATUS"], rows, drop=["FINISHED", "KIND"])
    _say_cut(len(items), total, "run")
    suggest(f"show r-{items[0]['id']}")
    return 0


async def docs(
    partner: Partner = "",
    status: Annotated[str, typer.Option("--status", help="stored, sealed, delivered, dead or held.")] = "",
    flow: Flow = "",
    run: Annotated[str, typer.Option("--run", help="Only documents made by this run (r-3).")] = "",
    since: Annotated[str, typer.Option("--since", help="Made within this time, e.g. 2d.")] = "",
    find: Annotated[str, typer.Option("--find", help="A bill number or a business key.")] = "",
    limit: Limit = 50,
    json: Json = False,
) -> int:
    """The documents with their three statuses: mapped, delivery, acknowledgement."""
    _known_status(status)
    since_stamp, made_by = _since(since), _run_number(run)
    async with open_ledger(store_url(), SystemClock()) as ledger:
        reports = ledger.reports
        total = await reports.count_documents(
            partner=partner, status=status, flow=flow, run=made_by, label=find, since=since_stamp
        )
        items = await reports.documents(
            partner=partner, status=status, flow=flow, run=made_by, label=find, since=since_stamp, limit=limit
        )
        nothing = "" if items else await _no_documents(ledger, flow)
    if json:
        print_json({"schema": "mlc.docs/1", "items": [document_json(item) for item in items], "total": total})
        _say_nothing(nothing)
        return 0
    if not items:
        tell(nothing)
        return 0
    document_table(items)
    _say_cut(len(items), total, "document")
    suggest(f"show d-{items[0]['id']}")
    return 0


async def dead(
    error: Annotated[str, typer.Option("--error", help="Only this code.")] = "",
    partner: Partner = "",
    flow: Flow = "",
    all: Annotated[bool, typer.Option("--all", metavar="", help="Also those replayed or resolved.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1_000_000, help="At most this many with --json, oldest first.")
    ] = 10_000,
    json: Json = False,
) -> int:
    """What needs a person, grouped by cause: what failed, why, how to mend it, who owns it."""
    state = "" if all else "open"
    async with open_ledger(store_url(), SystemClock()) as ledger:
        reports = ledger.reports
        groups = await reports.dead_letter_groups(state=state, code=error, flow=flow, partner=partner)
        nothing = "" if groups else await _no_exceptions(ledger, state, flow, error)
        if json:
            items = await reports.dead_letters(state=state, code=error, flow=flow, partner=partner, limit=limit)
        else:
            items = await reports.first_dead_letters(
                state=state, code=error, flow=flow, partner=partner, of_each=SHOWN_OF_EACH_CODE
            )
    total = sum(group.letters for group in groups.values())
    if json:
        print_json({"schema": "mlc.dead/1", "items": [letter_json(item) for item in items], "total": total})
        _say_nothing(nothing)
        _say_cut(len(items), total, "exception", "the oldest")
        return 0
    if groups:
        _print_groups(groups, items, total)
    else:
        tell(nothing)
    return 0


def _print_groups(groups: dict[str, Group], items: list[Item], total: int) -> None:
    for code, group in groups.items():
        _print_group(code, group, [item for item in items if item["code"] == code])
    say(f"{counted(total, 'exception')}.")
    suggest(f"show x-{items[0]['id']}")
    open_ = next((item for item in items if item["state"] == "open"), None)
    if open_:
        suggest(f"replay --error {open_['code']}", lead="once mended:")


def _print_group(code: str, group: Group, items: list[Item]) -> None:
    """One block per code: the cause once, each exception on its line."""
    first = items[0]
    tell(f"{code}  {first['what']}", "bold")
    tell(f"  {counted(group.letters, 'exception')}, {sums(group.amounts) or 'no money'}, {first['failure']}, owner: {first['owner']}")  # fmt: skip
    for item in items:
        tell(f"  x-{item['id']}  {item['where'] or joined([item['object'], item['label'] or item['key']], ' ')}")
        if item["why"]:
            tell(f"       why   {item['why']}")
    if group.letters > len(items):
        tell(f"  ... and {group.letters - len(items):,} more; --json lists them")
    if first["mend"]:
        tell(f"  mend  {first['mend']}")
    tell("")


# --- lists that are cut, filters that match nothing ------------------------------------------------------------------------


def _say_cut(shown: int, total: int, noun: str, which: str = "the newest") -> None:
    """A reader must not take a part for the whole."""
    if shown < total:
        say(f"these are {which} {shown:,} of {counted(total, noun)}", "yellow")


def _say_nothing(text: str) -> None:
    if text:
        say(text)


async def _no_runs(ledger: Ledger, flow: str) -> str:
    return await _no_flow(ledger, flow) or "No run yet."


async def _no_documents(ledger: Ledger, flow: str) -> str:
    total = await ledger.reports.count_documents()
    there = f"No document matches; this ledger has {total:,}." if total else "No document yet."
    return joined([await _no_flow(ledger, flow), there], " ")


async def _no_exceptions(ledger: Ledger, state: str, flow: str, code: str) -> str:
    """That nothing needs a person is only said when it is so."""
    groups = await ledger.reports.dead_letter_groups(state=state)
    total = sum(group.letters for group in groups.values())
    if not total:
        return "No exceptions: nothing needs a person." if state else "No exceptions, and never were."
    codes = f", with {', '.join(groups)}" if code and code not in groups else ""
    there = f"No exception matches; {total:,} {'is' if total == 1 else 'are'} {state or 'there'}{codes}."
    return joined([await _no_flow(ledger, flow), there], " ")


async def _no_flow(ledger: Ledger, flow: str) -> str:
    """Why a flow's name matches nothing: because no such flow has run here. Empty when it has."""
    known = await ledger.reports.flows()
    if not flow or flow in known or not known:
        return ""
    close = difflib.get_close_matches(flow, known, 1)
    meant = f"; did you mean {close[0]}?" if close else "."
    return f"No flow called {flow} has run here, only {', '.join(known)}{meant}"


# --- what options say ------------------------------------------------------------------------------------------------------


def _known_status(text: str) -> None:
    if text and text not in STATUSES:
        close = difflib.get_close_matches(text, STATUSES, 1)
        raise UsageError(
            f"--status {text} is not a status of a document",
            why=f"they are {', '.join(STATUSES)}",
            mend=f"did you mean {close[0]}?" if close else "choose one of them",
            code="MLC-CLI-0001",
        )


def _since(text: str) -> str:
    if not text:
        return ""
    try:
        seconds = float(Duration.parse(text))
        return stamp(SystemClock().now() - timedelta(seconds=seconds))
    except (ValueError, OverflowError):
        raise UsageError(
            "--since is not a duration", why=f"{text!r} is not like 12h or 2d", mend="write it so", code="MLC-CLI-0001"
        ) from None


def _run_number(text: str) -> int:
    """The run that ``r-3`` or ``3`` means; 0 for none."""
    if not text:
        return 0
    parsed = split_id(text if text.startswith("r-") else f"r-{text}")
    if parsed is None:
        raise UsageError(
            f"{text!r} is not the id of a run", why="such ids look like r-3", mend="ml-connector runs  lists them",
            code="MLC-CLI-0007",
        )  # fmt: skip
    return parsed[1]


def _first_run() -> str:
    return f"{program()} run flows/bills.yaml"


def _why(text: str | None) -> str:
    problem = decoded(text)
    return joined([problem["what"], problem.get("why")], ": ") if problem else ""


VERBS = {"status": status, "runs": runs, "docs": docs, "dead": dead}
