"""`show ID`: one thing with its history; for a document also its payload, raw and readable.

Ids: r-3 a run, d-17 a document, v-4 a delivery, x-9 an exception. Anything else is looked for as a bill number, a business key, a
message name or an interchange control number.
"""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import msgspec
import typer

from pipeline.cli.execute import store_url
from pipeline.cli.forms import (
    acknowledgement_word,
    decoded,
    delivery_word,
    document_json,
    letter_json,
    numbers_text,
    reason_json,
    run_json,
    split_id,
    timeline,
)
from pipeline.cli.output import counted, joined, money, print_json, suggest, tell, when
from pipeline.cli.search import find, only, print_deliveries, print_matches_json, print_records
from pipeline.cli.summary import print_balance, print_reasons, print_totals
from pipeline.clock import SystemClock
from pipeline.engine.report import TERMS, amounts_by_currency
from pipeline.errors import UsageError
from pipeline.registry import load_registry
from pipeline.store import Ledger, open_ledger
from pipeline.store.reports import Item
from pipeline.store.rows import subject

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
    raw: Annotated[bool, typer.Option("--raw", metavar="", help="Only the bytes as sent.")] = False,
    human: Annotated[bool, typer.Option("--human", metavar="", help="Only the readable form.")] = False,
    json: Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object on stdout.")] = False,
) -> int:
    """Show one run, document, delivery, exception or bill, with its timeline."""
    view = View(raw, human, json)
    async with open_ledger(store_url(), SystemClock()) as ledger:
        parsed = split_id(id)
        if parsed is not None:
            return await _BY_PREFIX[parsed[0]](ledger, parsed[1], view)
        return await _search(ledger, id, view)


# --- runs ----------------------------------------------------------------------------------------------------------------


async def _run(ledger: Ledger, id_: int, view: View) -> int:
    item = _found(await ledger.reports.run(id_), f"r-{id_}")
    _refuse_payload(view, f"r-{id_} is a run", f"ml-connector docs --run r-{id_}  lists its documents")
    totals = await ledger.reports.totals(id_)
    reasons = await ledger.reports.reasons(id_)
    balanced = totals.balanced()
    code = 0 if balanced or item["status"] == "running" else VERIFICATION_FAILED
    if view.json:
        counts = {"read": totals.read, **{term: totals.counts.get(term, 0) for term in TERMS}}
        value = {**run_json(item), **counts, "documents": totals.documents, "interchanges": totals.deliveries}
        money_ = {"amounts": amounts_by_currency(totals), "balanced": balanced}
        told = {"reasons": [reason_json(reason) for reason in reasons]}
        print_json({"schema": "mlc.show/1", "kind": "run", **value, **money_, **told})
        return code
    tell(f"run r-{id_} of {item['flow']}: {item['status']}", "bold")
    version = f"version {item['code_version']}, flow digest {item['flow_digest'][:12]}"
    tell(f"  {item['kind']} from {item['file']}, {version}")
    tell(f"  {when(item['started_at'])} to {when(item['finished_at']) or 'now'}")
    _print_problem(decoded(item["problem"]))
    if totals.read or not balanced:
        print_totals(f"{item['flow']}, run r-{id_}", totals)
        print_balance(balanced)
        print_reasons(reasons)
    else:
        tell("nothing was read")
    tell(f"{counted(totals.documents, 'document')} made, {counted(totals.deliveries, 'delivery')} sealed")
    timeline(await ledger.reports.timeline([f"run {id_}"]))
    _suggest_after_run(item)
    return code


def _print_problem(problem: dict[str, str] | None) -> None:
    """Why a run failed, in the order of every error."""
    if problem:
        tell(f"failed  {problem['code']}  {problem['what']}", "red")
        for name in ("where", "why", "mend", "owner"):
            if problem.get(name):
                tell(f"  {name:<6} {problem[name]}")


def _suggest_after_run(item: Item) -> None:
    if item["status"] == "failed":
        suggest(f"run {shlex.quote(item['file'])}", lead="once mended:")
    elif item["status"] == "exceptions":
        suggest("dead")
    else:
        suggest(f"docs --run r-{item['id']}")


# --- documents -----------------------------------------------------------------------------------------------------------


async def _document(ledger: Ledger, id_: int, view: View) -> int:
    item = _found(await ledger.reports.document(id_), f"d-{id_}")
    delivery = await ledger.reports.delivery(item["delivery"]) if item["delivery"] else None
    payload: bytes = delivery["payload"] if delivery else item["body"]
    if view.raw:
        return _raw(payload)
    subjects = [subject(item["company"], item["object"], item["key"]), f"document {id_}"]
    subjects += [f"delivery {delivery['id']}"] if delivery else []
    history = await ledger.reports.timeline(subjects, item["flow"])
    own = _excerpt(payload, item["body"]) if delivery else payload
    readable = _by_adapter("readable", own)
    item["delivery_state"] = delivery["state"] if delivery else None
    item["numbers"] = delivery["numbers"] if delivery else None
    if view.json:
        value = {key: value for key, value in document_json(item).items() if key != "body"}
        shown = {"timeline": history, "payload": payload.decode("utf-8", "replace"), "readable": readable}
        print_json({"schema": "mlc.show/1", "kind": "document", **value, **shown})
        return 0
    if not view.human:
        _document_head(item, delivery)
        timeline(history)
        tell("")
    for line in readable or ["(no readable form of this payload)"]:
        tell(line)
    if not view.human:
        tell(_heading(id_, whole=own == payload, sealed=delivery is not None), "bold")
        _tell_payload(own)
    return 0


def _heading(id_: int, *, whole: bool, sealed: bool) -> str:
    if not sealed:
        return "\nrendered, not yet sealed:"
    return (
        "\nas sent:"
        if whole
        else f"\nas sent, without the other documents of the delivery (show d-{id_} --raw has them):"
    )


def _excerpt(payload: bytes, body: bytes) -> bytes:
    """One document's part of what was delivered, where an adapter can tell it; else all of it."""
    picks = [adapter.excerpt for adapter in load_registry().adapters if adapter.excerpt is not None]
    return next((part for pick in picks if (part := pick(payload, body)) is not None), payload)


def _document_head(item: Item, delivery: Item | None) -> None:
    tell(f"document d-{item['id']}: {item['set']} to {item['partner']}, version {item['version']}", "bold")
    tell(f"  from {joined([_record_name(item), money(item['amount'], item['currency'])])}")
    tell(f"  mapped ok | delivery {delivery_word(item)} | acknowledgement {acknowledgement_word(item)}")
    if delivery:
        place = f"  delivery v-{delivery['id']}, place {item['position']}"
        tell(f"{place}: {delivery['name']} in {delivery['address'] or delivery['lane']}")
        tell(f"  {_bytes_text(delivery)}")
    tell(
        "  made "
        + joined(
            [f"{when(item['encoded_at'])} by run r-{item['run']}", f"version {item['code_version']}",
             _digest("plan", item["plan"]), _digest("guide", item["guide_digest"])]
        )
    )  # fmt: skip


def _record_name(item: Item) -> str:
    """``APBILL 101 (INV-7)``; the label only where it says something more."""
    label = f"({item['label']})" if item["label"] not in ("", item["key"]) else ""
    return joined([item["object"], item["key"], label], " ")


def _bytes_text(delivery: Item) -> str:
    size = counted(len(delivery["payload"]), "byte")
    return joined([numbers_text(delivery["numbers"]), size, _digest("sha256", delivery["digest"])])


def _digest(name: str, text: str) -> str:
    return f"{name} {text[:16]}" if text else ""


# --- deliveries ----------------------------------------------------------------------------------------------------------


async def _delivery(ledger: Ledger, id_: int, view: View) -> int:
    item = _found(await ledger.reports.delivery(id_), f"v-{id_}")
    if view.raw:
        return _raw(item["payload"])
    if view.human:
        _tell_readable(item["payload"])
        return 0
    documents = await ledger.reports.documents_of_delivery(id_)
    history = await ledger.reports.timeline([f"delivery {id_}"])
    if view.json:
        await _delivery_json(ledger, item, documents, history)
        return 0
    tell(f"delivery v-{id_}: {item['name']} to {item['address'] or item['lane']}: {item['state']}", "bold")
    tell(f"  {joined([_bytes_text(item), counted(item['attempts'], 'attempt')])}")
    names = joined(f"d-{document['id']}" for document in documents[:30])
    more = f" and {len(documents) - 30} more" if len(documents) > 30 else ""
    tell(f"  {counted(len(documents), 'document')}: {names}{more}")
    _print_problem(decoded(item["problem"]) if item["state"] in ("dead", "held") else None)
    timeline(history)
    tell("")
    _tell_readable(item["payload"])
    return 0


async def _delivery_json(ledger: Ledger, item: Item, documents: list[Item], history: list[Item]) -> None:
    value = {**item, "id": f"v-{item['id']}", "payload": item["payload"].decode("utf-8", "replace")}
    columns = {key: decoded(item[key]) for key in ("numbers", "marks", "evidence", "problem")}
    links = {
        "documents": [f"d-{document['id']}" for document in documents],
        "attempts": await ledger.reports.attempts(item["id"]),
        "timeline": history,
    }
    print_json({"schema": "mlc.show/1", "kind": "delivery", **value, **columns, **links})


def _tell_readable(payload: bytes) -> None:
    readable = _by_adapter("readable", payload)
    if readable is None:
        _tell_payload(payload)
    for line in readable or []:
        tell(line)


# --- exceptions ----------------------------------------------------------------------------------------------------------


async def _letter(ledger: Ledger, id_: int, view: View) -> int:
    item = _found(await ledger.reports.dead_letter(id_), f"x-{id_}")
    _refuse_payload(view, f"x-{id_} is an exception", f"ml-connector show x-{id_}  says what it is about")
    subjects = [subject(item["company"], item["object"], item["key"])]
    subjects += [f"document {item['document']}"] if item["document"] else []
    subjects += [f"delivery {item['delivery']}"] if item["delivery"] else []
    history = await ledger.reports.timeline(subjects, item["flow"])
    if view.json:
        print_json({"schema": "mlc.show/1", "kind": "exception", **letter_json(item), "timeline": history})
        return 0
    tell(f"exception x-{id_}  {item['code']}  {item['what']}", "bold")
    for name in ("where", "why", "mend", "owner"):
        if item[name]:
            tell(f"  {name:<6} {item[name]}")
    about = f"d-{item['document']}" if item["document"] else f"v-{item['delivery']}" if item["delivery"] else ""
    facts = [item["failure"], item["state"], _record_name(item), about, money(item["amount"], item["currency"])]
    tell(f"  {joined(facts)}")
    seen = "once" if item["times"] == 1 else f"{item['times']:,} times"
    times = f"first {when(item['first_at'])}, last {when(item['last_at'])}, seen {seen}"
    tell(f"  stage {item['stage']} of {item['flow']}, {times}")
    timeline(history)
    if item["state"] == "open":
        suggest(f"replay x-{id_}", lead="next, once mended:")
    return 0


_BY_PREFIX = {"r": _run, "d": _document, "v": _delivery, "x": _letter}


async def _search(ledger: Ledger, text: str, view: View) -> int:
    """A bill or vendor by number or key, or a delivery by its name or control number."""
    found = await find(ledger, text)
    if not found.records and not found.deliveries:
        _found(None, text)
    if view.raw or view.human:
        kind, id_ = only(found)
        return await _BY_PREFIX[kind](ledger, id_, view)
    if view.json:
        print_matches_json(found, await ledger.reports.timeline(found.subjects()))
        return 0
    if found.records:
        await print_records(ledger, found)
    if found.deliveries:
        await print_deliveries(ledger, found.deliveries)
    return 0


# --- what all of them share ------------------------------------------------------------------------------------------------


def _found(item: Item | None, name: str) -> Item:
    if item is None:
        raise UsageError(
            f"Nothing here is called {name}", where=store_url(), why="it is no id, bill number, key, message name or control number of this ledger",
            mend="ml-connector docs  and  ml-connector dead  list what there is", code="MLC-CLI-0008",
        )  # fmt: skip
    return item


def _refuse_payload(view: View, what: str, mend: str) -> None:
    if view.raw or view.human:
        raise UsageError(f"{what}: it has no payload", mend=mend, code="MLC-CLI-0012")


def _by_adapter(hook: str, payload: bytes) -> list[str] | None:
    """What the first adapter that knows the payload's format makes of it."""
    for adapter in load_registry().adapters:
        function = getattr(adapter, hook)
        lines: list[str] | None = function(payload) if function is not None else None
        if lines is not None:
            return lines
    return None


def _tell_payload(payload: bytes) -> None:
    lines = _by_adapter("lines", payload)
    for line in lines if lines is not None else [payload.decode("utf-8", "replace")]:
        tell(line)


def _raw(payload: bytes) -> int:
    sys.stdout.buffer.write(payload)
    sys.stdout.buffer.flush()
    return 0


VERBS = {"show": show}
