"""`reconcile`: whether the ledger holds what the books hold, for a period. Reads only."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.execute import load_checked, services_here, store_url
from pipeline.cli.output import counted, joined, print_error, print_json, say, suggest, table, tell
from pipeline.cli.runs import parse_window
from pipeline.cli.shipped import find_flow
from pipeline.clock import SystemClock
from pipeline.engine.reconcile import Difference, Kind, Reconciled, Reconciliation, reconcile_flow
from pipeline.errors import ConnectorError, UsageError
from pipeline.record import Tally, Window
from pipeline.registry import load_registry
from pipeline.store import open_ledger

DIFFERS = 7
NAMED = 20
BY = ("document_date", "posting_date")


async def reconcile(
    flow: Annotated[str, typer.Argument(help="A flow file, or the name of a flow.")],
    since: Annotated[str, typer.Option(help="The first date of the period.")],
    until: Annotated[str, typer.Option(help="The last date of the period.")],
    by: Annotated[
        str, typer.Option(help="Which date counts: document_date, the bill's own, or posting_date.")
    ] = "document_date",
    hold: Annotated[
        bool, typer.Option("--hold", metavar="", help="Hold what was sent and is no longer in the books, for a person.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object on stdout.")] = False,
) -> int:
    """Compare what the books hold for a period with what the ledger has of it: counts, sums, and record by record."""
    window = _window(since, until, by)
    loaded = load_checked(find_flow(flow), load_registry(), os.environ)
    async with open_ledger(store_url(), SystemClock()) as ledger:
        found = await reconcile_flow(loaded, load_registry(), ledger, services_here(), window, hold=hold)
    if not found.sources:
        raise UsageError(
            f"Nothing of the flow {loaded.name} can be reconciled", where=str(loaded.file),
            why="none of its sources can be asked to count", mend="name a flow of bills or payments", code="MLC-CLI-0026",
        )  # fmt: skip
    if json:
        print_json(reconciliation_json(loaded.name, window, found))
    else:
        _print(found)
    for source in found.sources:
        if not source.matches:
            print_error(_mismatch(loaded.file, source, window))
    if not found.matches:
        suggest("run", shlex.quote(str(loaded.file)))
    return 0 if found.matches else DIFFERS


def _window(since: str, until: str, by: str) -> Window:
    if by not in BY:
        raise UsageError(
            "--by is not a date that records have", why=f"{by!r} is neither {' nor '.join(BY)}", mend="write one of these",
            code="MLC-CLI-0001",
        )  # fmt: skip
    window = parse_window(since, until)
    return Window(since=window.since, until=window.until, by=by)


def _print(found: Reconciliation) -> None:
    for source in found.sources:
        rows = [
            [source.stage, currency or "none", *_cells(source.counted, currency), *_cells(source.listed, currency), *_cells(source.ledger, currency)]
            for currency in _currencies(source)
        ]  # fmt: skip
        headings = ["SOURCE", "CURRENCY", "COUNTED", "ADDED UP", "LISTED", "SUM", "IN LEDGER", "SUM THERE"]
        table(headings, rows, right=headings[2:], drop=["LISTED", "SUM"])
        if not rows:
            tell(f"{source.stage}: nothing in this period, in the books or in the ledger")
        elif source.matches:
            tell(f"{source.stage}: books and ledger agree{', but for what is held' if source.held else ''}")
        if source.held:
            found_gone = (
                f"{counted(len(source.held), 'record')} sent, but no longer in the books: {_named(source.held)}"
            )
            tell(f"{source.stage}: held as deleted (MLC-DOC-0004): {found_gone}")
            suggest("dead", "shows what is held, and who tells the partner")
    if found.others:
        say(f"not compared, since they cannot be asked to count: {joined(found.others)}")


def _currencies(source: Reconciled) -> list[str]:
    return sorted({tally.currency for part in (source.counted or [], source.listed, source.ledger) for tally in part})


def _cells(tallies: Sequence[Tally] | None, currency: str) -> tuple[str, str]:
    if tallies is None:
        return "?", "?"
    tally = next((each for each in tallies if each.currency == currency), Tally(currency, 0, Decimal(0)))
    return f"{tally.records:,}", _amount(tally.amount)


def _amount(amount: Decimal | None) -> str:
    return "none" if amount is None else f"{amount:,.2f}" if amount == round(amount, 2) else f"{amount:,f}"


_MEANINGS: dict[Kind, str] = {
    "never read": "never read",
    "other amount": "read with another amount",
    "amount not kept": "with an amount larger or finer than the ledger keeps",
    "gone": "sent, but no longer in the books",
}


def _mismatch(file: Path, source: Reconciled, window: Window) -> ConnectorError:
    """What differs, by the names that the books have for it."""
    parts = [
        f"{counted(len(found), 'record')} {meaning}: {_named(found)}"
        for kind, meaning in _MEANINGS.items()
        if (found := [each for each in source.differences if each.kind == kind])
    ]
    if not source.complete:
        parts.append("what the books count is not what they list, twice in a row")
    return ConnectorError(
        "The books and the ledger do not hold the same", where=f"{source.stage} of {file}, {_period(window)} by {window.by}",
        why="; ".join(parts), owner="AP", code="MLC-RUN-0020",
        mend=f"run the flow, which reads what changed since; what is left after that:  ml-connector run {shlex.quote(str(file))} --since"
        f" {_first(window)}; correct amounts that are not kept in the books; hold what is gone for good:  ml-connector reconcile"
        f" {shlex.quote(str(file))} {_dates(window)} --hold",
    )  # fmt: skip


def _first(window: Window) -> str:
    return "2000-01-01" if window.since is None else f"{window.since:%Y-%m-%d}"


def _dates(window: Window) -> str:
    """The options of this window again: its last date is the one before its end."""
    by = "" if window.by == BY[0] else f" --by {window.by}"
    until = f" --until {window.until - timedelta(days=1):%Y-%m-%d}" if window.until is not None else ""
    return f"--since {_first(window)}{until}{by}"


def _period(window: Window) -> str:
    return f"{window.since:%Y-%m-%d} to before {window.until:%Y-%m-%d}" if window.since and window.until else "all time"


def _named(found: Sequence[Difference]) -> str:
    shown = [_name(each) for each in found[:NAMED]]
    more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    return f"{', '.join(shown)}{more}"


def _name(each: Difference) -> str:
    """``RECORDNO 101 (INV-7), USD 12.00 in the books, USD 10.00 in the ledger``."""
    label = f" ({each.label})" if each.label else ""
    key = each.key if each.alias in ("", each.key) else f"{each.alias} {each.key}"
    sides = [
        f"{currency} {_amount(amount)} in the {place}".strip()
        for place, side in (("books", each.books), ("ledger", each.ledger))
        if side is not None
        for currency, amount in [side]
    ]
    notes = [*sides, *([f"x-{each.exception}"] if each.exception else [])]
    return f"{key}{label}" + (f" [{', '.join(notes)}]" if notes else "")


def reconciliation_json(flow: str, window: Window, found: Reconciliation) -> dict[str, Any]:
    """The object ``mlc.reconcile/1``. Amounts are texts; ``counted`` is null where the far side cannot count."""
    return {
        "schema": "mlc.reconcile/1",
        "flow": flow,
        "since": None if window.since is None else window.since.isoformat(),
        "until": None if window.until is None else window.until.isoformat(),
        "by": window.by,
        "matches": found.matches,
        "sources": [_source_json(source) for source in found.sources],
        "not_compared": found.others,
    }


def _source_json(source: Reconciled) -> dict[str, Any]:
    return {
        "stage": source.stage, "component": source.component, "matches": source.matches,
        "counted": None if source.counted is None else _tallies(source.counted),
        "listed": _tallies(source.listed), "ledger": _tallies(source.ledger),
        "differences": [_difference_json(each) for each in source.differences],
        "held": [_difference_json(each) for each in source.held],
    }  # fmt: skip


def _difference_json(each: Difference) -> dict[str, Any]:
    return {
        "kind": each.kind, "key": each.key, "alias": each.alias or None, "label": each.label, "books": _side(each.books),
        "ledger": _side(each.ledger), "exception": f"x-{each.exception}" if each.exception else None,
    }  # fmt: skip


def _tallies(tallies: Sequence[Tally]) -> dict[str, dict[str, Any]]:
    return {each.currency: {"records": each.records, "amount": _text(each.amount)} for each in tallies}


def _side(side: tuple[str, Decimal | None] | None) -> dict[str, Any] | None:
    return None if side is None else {"currency": side[0], "amount": _text(side[1])}


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else _amount(amount).replace(",", "")


VERBS = {"reconcile": reconcile}
