"""`show ID`: one thing with its history; for a document also its X12, raw and readable.

Ids: r-3 a run, d-17 a document, v-4 a delivery, x-9 an exception. Anything else is looked for as a bill number, a business key, a
message name or an interchange control number.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import msgspec
import typer

from pipeline.cli.execute import store_url
from pipeline.cli.lists import delivery_word, document_json, letter_json, numbers_text, record_json, run_json
from pipeline.cli.output import money, print_json, say, table, tell, when
from pipeline.clock import SystemClock
from pipeline.engine.report import TERMS, amounts_by_currency
from pipeline.errors import UsageError
from pipeline.registry import load_registry
from pipeline.store import Ledger, open_ledger
from pipeline.store.reports import Item
from pipeline.store.rows import OUTCOMES

VERIFICATION_FAILED = 7


class View(msgspec.Struct):
    """How to show it."""

    raw: bool
    human: bool
    json: bool


async def show(
    id: Annotated[
        str, typer.Argument(help="r-3, d-17, v-4, x-9; or a bill number, key, message name or control number.")
    ],
    raw: Annotated[bool, typer.Option("--raw", help="Only the bytes as sent.")] = False,
    human: Annotated[bool, typer.Option("--human", help="Only the readable form.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> int:
    """Show one run, document, delivery, exception or bill, with its timeline."""
    view = View(raw, human, json)
    async with open_ledger(store_url(), SystemClock()) as ledger:
        kind, _, number = id.partition("-")
        if kind in _BY_PREFIX and number.isdigit():
            return await _BY_PREFIX[kind](ledger, int(number), view)
        return await _search(ledger, id, view)


async def _run(ledger: Ledger, id_: int, view: View) -> int:
    item = _found(await ledger.reports.run(id_), f"r-{id_}")
    totals = await ledger.reports.totals(id_)
    balanced = totals.balanced()
    if view.json:
        counts = {"read": totals.read, **{term: totals.counts.get(term, 0) for term in TERMS}}
        value = {**run_json(item), **counts, "documents": totals.documents, "interchanges": totals.deliveries}
        print_json(
            {
                "schema": "mlc.show/1",
                "kind": "run",
                **value,
                "amounts": amounts_by_currency(totals),
                "balanced": balanced,
            }
        )
    else:
        tell(f"run r-{id_} of {item['flow']}: {item['status']}", "bold")
        tell(
            f"  {item['kind']} from {item['file']}, version {item['code_version']}, flow digest {item['flow_digest'][:12]}"
        )
        tell(f"  {when(item['started_at'])} to {when(item['finished_at']) or 'now'}")
        rows: list[list[Any]] = [["read", totals.read, _sums(totals.read_amounts)]]
        rows += [[term, totals.counts.get(term, 0), _sums(totals.amounts.get(term, {}))] for term in TERMS]
        table(["", "RECORDS", "AMOUNT"], rows, right=["RECORDS", "AMOUNT"])
        tell(
            "the books tie" if balanced else "OUT OF BALANCE: the ledger does not account for what was read",
            "green" if balanced else "bold red",
        )
        _timeline(await ledger.reports.timeline([f"run {id_}"]))
    return 0 if balanced or item["status"] == "running" else VERIFICATION_FAILED


async def _document(ledger: Ledger, id_: int, view: View) -> int:
    item = _found(await ledger.reports.document(id_), f"d-{id_}")
    delivery = await ledger.reports.delivery(item["delivery"]) if item["delivery"] else None
    payload: bytes = delivery["payload"] if delivery else item["body"]
    if view.raw:
        return _raw(payload)
    subjects = [f"{item['object']} {item['key']}", f"document {id_}"] + (
        [f"delivery {item['delivery']}"] if delivery else []
    )
    timeline = await ledger.reports.timeline(subjects)
    readable = _readable(payload)
    item = {
        **item,
        "delivery_state": delivery["state"] if delivery else None,
        "numbers": delivery["numbers"] if delivery else None,
    }
    if view.json:
        value = {key: value for key, value in document_json(item).items() if key != "body"}
        text = payload.decode("utf-8", "replace")
        print_json(
            {
                "schema": "mlc.show/1",
                "kind": "document",
                **value,
                "timeline": timeline,
                "payload": text,
                "readable": readable,
            }
        )
        return 0
    if not view.human:
        _document_head(item, delivery)
        _timeline(timeline)
        tell("")
    for line in readable or ["(no readable form of this payload)"]:
        tell(line)
    if not view.human:
        tell("\nas sent:" if delivery else "\nrendered, not yet sealed:", "bold")
        tell(_lines(payload))
    return 0


def _document_head(item: Item, delivery: Item | None) -> None:
    tell(f"document d-{item['id']}: {item['set']} to {item['partner']}, version {item['version']}", "bold")
    tell(f"  from {item['object']} {item['key']} ({item['label']}), {money(item['amount'], item['currency'])}")
    tell(f"  mapped ok | delivery {delivery_word(item)} | acknowledgement {item['acknowledgement'] or 'not expected'}")
    if delivery:
        tell(
            f"  delivery v-{delivery['id']}, place {item['position']}: {delivery['name']} in {delivery['address'] or delivery['lane']}"
        )
        tell(
            f"  {numbers_text(delivery['numbers'])}, {len(delivery['payload'])} bytes, sha256 {delivery['digest'][:16]}"
        )
    tell(
        f"  made {when(item['encoded_at'])} by run r-{item['run']}, version {item['code_version']}, plan {item['plan'][:12]}, guide {item['guide_digest'][:12]}"
    )


async def _delivery(ledger: Ledger, id_: int, view: View) -> int:
    item = _found(await ledger.reports.delivery(id_), f"v-{id_}")
    if view.raw:
        return _raw(item["payload"])
    attempts = await ledger.reports.attempts(id_)
    documents = await ledger.reports.documents_of_delivery(id_)
    timeline = await ledger.reports.timeline([f"delivery {id_}"])
    readable = _readable(item["payload"])
    if view.json:
        value = {**item, "id": f"v-{id_}", "payload": item["payload"].decode("utf-8", "replace")}
        decoded = {
            key: msgspec.json.decode(item[key]) if item[key] else None
            for key in ("numbers", "marks", "evidence", "problem")
        }
        ids = [f"d-{document['id']}" for document in documents]
        print_json(
            {
                "schema": "mlc.show/1",
                "kind": "delivery",
                **value,
                **decoded,
                "documents": ids,
                "attempts": attempts,
                "timeline": timeline,
            }
        )
        return 0
    if not view.human:
        tell(f"delivery v-{id_}: {item['name']} to {item['address'] or item['lane']}: {item['state']}", "bold")
        tell(
            f"  {numbers_text(item['numbers'])}, {len(item['payload'])} bytes, sha256 {item['digest'][:16]}, {item['attempts']} attempts"
        )
        tell(
            "  documents "
            + ", ".join(f"d-{document['id']}" for document in documents[:30])
            + (" ..." if len(documents) > 30 else "")
        )
        _timeline(timeline)
        tell("")
    for line in readable or [_lines(item["payload"])]:
        tell(line)
    return 0


async def _letter(ledger: Ledger, id_: int, view: View) -> int:
    item = _found(await ledger.reports.dead_letter(id_), f"x-{id_}")
    timeline = await ledger.reports.timeline([f"{item['object']} {item['key']}"])
    if view.json:
        print_json({"schema": "mlc.show/1", "kind": "exception", **letter_json(item), "timeline": timeline})
        return 0
    tell(f"exception x-{id_}  {item['code']}  {item['what']}", "bold")
    for name in ("where", "why", "mend", "owner"):
        if item[name]:
            tell(f"  {name:<6} {item[name]}")
    tell(
        f"  {item['failure']}, {item['state']}, {item['object']} {item['key']} ({item['label']}), {money(item['amount'], item['currency'])}"
    )
    tell(
        f"  stage {item['stage']} of {item['flow']}, first {when(item['first_at'])}, last {when(item['last_at'])}, seen {item['times']} times"
    )
    _timeline(timeline)
    if item["state"] == "open":
        say(f"next, once mended:  ml-connector replay x-{id_}")
    return 0


_BY_PREFIX = {"r": _run, "d": _document, "v": _delivery, "x": _letter}


async def _search(ledger: Ledger, text: str, view: View) -> int:
    """A bill or vendor by number or key, or a delivery by its name or control number."""
    records = await ledger.reports.records_named(text)
    deliveries = await ledger.reports.deliveries_named(text)
    if not records and not deliveries:
        _found(None, text)
    documents = list(
        dict.fromkeys([d for record in records for d in await ledger.reports.documents_of_record(record["id"])])
    )
    if view.raw or view.human:
        return await (
            _document(ledger, documents[0], view) if documents else _delivery(ledger, _only(deliveries, text), view)
        )
    subjects = list(dict.fromkeys(f"{record['object']} {record['key']}" for record in records))
    subjects += [f"document {d}" for d in documents] + [f"delivery {v}" for v in deliveries]
    timeline = await ledger.reports.timeline(subjects)
    if view.json:
        told = [record_json(record) for record in records]
        ids = {"documents": [f"d-{d}" for d in documents], "deliveries": [f"v-{v}" for v in deliveries]}
        print_json(
            {"schema": "mlc.show/1", "kind": "search", "text": text, "records": told, **ids, "timeline": timeline}
        )
        return 0
    rows = [
        [
            f"r-{r['run']}",
            f"{r['object']} {r['key']}",
            r["label"],
            money(r["amount"], r["currency"]),
            _outcome(r),
            r["reason"],
        ]
        for r in records
    ]
    if rows:
        table(["RUN", "RECORD", "NUMBER", "AMOUNT", "OUTCOME", "REASON"], rows, right=["AMOUNT"])
    for what, ids_ in (("documents", [f"d-{d}" for d in documents]), ("deliveries", [f"v-{v}" for v in deliveries])):
        if ids_:
            tell(f"{what}: {', '.join(ids_)}")
    _timeline(timeline)
    if documents:
        say(f"next:  ml-connector show d-{documents[0]}")
    return 0


def _only(deliveries: list[int], text: str) -> int:
    return deliveries[0] if deliveries else int(_found(None, text)["id"])


def _outcome(record: Item) -> str:
    return "see its documents" if record["rank"] is None else OUTCOMES[record["rank"]]


def _found(item: Item | None, name: str) -> Item:
    if item is None:
        raise UsageError(
            f"Nothing here is called {name}", where=store_url(), why="it is no id, bill number, key, message name or control number of this ledger",
            mend="ml-connector docs  and  ml-connector dead  list what there is", code="MLC-CLI-0008",
        )  # fmt: skip
    return item


def _readable(payload: bytes) -> list[str] | None:
    """The payload as lines for people, by the first adapter that knows its format."""
    for adapter in load_registry().adapters:
        if adapter.readable is not None:
            lines = adapter.readable(payload)
            if lines is not None:
                return lines
    return None


def _lines(payload: bytes) -> str:
    """The payload with each X12 segment on its line, when its terminator is not a newline already."""
    text = payload.decode("utf-8", "replace")
    terminator = text[105:106] if text.startswith("ISA") and len(text) > 106 else ""
    return (
        text.replace(terminator, terminator + "\n")
        if terminator and terminator not in "\r\n" and "\n" not in text
        else text
    )


def _raw(payload: bytes) -> int:
    sys.stdout.buffer.write(payload)
    sys.stdout.buffer.flush()
    return 0


def _sums(amounts: dict[str, int]) -> str:
    return ", ".join(money(amount, currency) for currency, amount in sorted(amounts.items()) if currency)


def _timeline(items: list[Item]) -> None:
    for item in items:
        tell(f"  {item['at'][:10]} {item['at'][11:23]}Z  {item['subject']:<16}  {item['detail']}")


VERBS = {"show": show}
