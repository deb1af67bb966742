"""`status`, `runs`, `docs`, `dead`: what the ledger holds, as lists."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import msgspec
import typer

from pipeline.cli.execute import store_url
from pipeline.cli.output import money, print_json, say, table, tell, when
from pipeline.clock import SystemClock
from pipeline.errors import UsageError
from pipeline.flow.duration import Duration
from pipeline.store import open_ledger
from pipeline.store.reports import Item
from pipeline.store.rows import OUTCOMES, amount_text, stamp

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Partner = Annotated[str, typer.Option("--partner", help="Only this partner.")]
Flow = Annotated[str, typer.Option("--flow", help="Only this flow.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most this many, newest first.")]


async def status(json: Json = False) -> int:
    """One screen: the last run of each flow, what waits for the far side, what needs a person."""
    async with open_ledger(store_url(), SystemClock()) as ledger:
        counts = await ledger.reports.counts()
        runs = await ledger.reports.runs(limit=200)
        waiting = await ledger.reports.open_deliveries()
    latest = list({run["flow"]: run for run in reversed(runs)}.values())
    if json:
        print_json(
            {
                "schema": "mlc.status/1",
                "counts": counts,
                "flows": [run_json(run) for run in latest],
                "waiting": [_waiting_json(w) for w in waiting],
            }
        )
        return 0
    if not latest:
        tell("Nothing has run with this ledger yet.")
        say("next:  ml-connector demo     or     ml-connector run flows/bills.yaml")
        return 0
    table(
        ["FLOW", "LAST RUN", "STARTED", "STATUS"],
        [[run["flow"], f"r-{run['id']}", when(run["started_at"]), run["status"]] for run in latest],
    )
    if waiting:
        tell("")
        rows = [
            [f"v-{w['id']}", w["lane"], w["state"], w["attempts"], when(w["next_at"]), _why(w["problem"])]
            for w in waiting
        ]
        table(["DELIVERY", "LANE", "STATE", "ATTEMPTS", "NOT BEFORE", "WHY"], rows, right=["ATTEMPTS"])
    tell("")
    tell(
        f"{counts['delivered']} documents delivered, {counts['stored'] + counts['in_flight']} on their way, {counts['in_doubt']} in doubt, "
        f"{counts['dead_letters']} exceptions open, {counts['acknowledgements_waiting']} acknowledgements waited for"
    )
    if counts["dead_letters"]:
        say("next:  ml-connector dead")
    return 0


async def runs(flow: Flow = "", limit: Limit = 20, json: Json = False) -> int:
    """The runs, newest first."""
    async with open_ledger(store_url(), SystemClock()) as ledger:
        items = await ledger.reports.runs(flow=flow, limit=limit)
    if json:
        print_json({"schema": "mlc.runs/1", "items": [run_json(item) for item in items]})
        return 0
    rows = [
        [
            f"r-{item['id']}",
            item["flow"],
            item["kind"],
            when(item["started_at"]),
            when(item["finished_at"]),
            item["status"],
        ]
        for item in items
    ]
    table(["RUN", "FLOW", "KIND", "STARTED", "FINISHED", "STATUS"], rows)
    _empty(items, "No run yet.", "ml-connector run flows/bills.yaml")
    if items:
        say(f"next:  ml-connector show r-{items[0]['id']}")
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
    since_stamp = _since(since)
    async with open_ledger(store_url(), SystemClock()) as ledger:
        items = await ledger.reports.documents(
            partner=partner,
            status=status,
            flow=flow,
            run=_number(run, "r-") if run else 0,
            label=find,
            since=since_stamp,
            limit=limit,
        )
    if json:
        print_json({"schema": "mlc.docs/1", "items": [document_json(item) for item in items]})
        return 0
    rows = [
        [f"d-{i['id']}", i["set"], i["partner"], i["label"], money(i["amount"], i["currency"]), delivery_word(i), i["acknowledgement"] or "none expected",
         numbers_text(i["numbers"]), i["address"]]
        for i in items
    ]  # fmt: skip
    table(["DOC", "SET", "PARTNER", "BILL", "AMOUNT", "DELIVERY", "ACK", "NUMBERS", "MAILBOX"], rows, right=["AMOUNT"])
    _empty(items, "No document matches.", "ml-connector run flows/bills.yaml")
    if items:
        say(f"next:  ml-connector show d-{items[0]['id']}")
    return 0


async def dead(
    error: Annotated[str, typer.Option("--error", help="Only this code.")] = "",
    partner: Partner = "",
    flow: Flow = "",
    all: Annotated[bool, typer.Option("--all", help="Also those replayed or resolved.")] = False,
    json: Json = False,
) -> int:
    """What needs a person, grouped by cause: what failed, why, how to mend it, who owns it."""
    async with open_ledger(store_url(), SystemClock()) as ledger:
        items = await ledger.reports.dead_letters(state="" if all else "open", code=error, flow=flow, partner=partner)
    if json:
        print_json({"schema": "mlc.dead/1", "items": [letter_json(item) for item in items]})
        return 0
    _print_groups(items)
    _empty(items, "No exceptions: nothing needs a person.", "")
    if items:
        say(
            f"{len(items)} exceptions.  next:  ml-connector show x-{items[0]['id']}     then, once mended:  ml-connector replay --error {items[0]['code']}"
        )
    return 0


def _print_groups(items: list[Item]) -> None:
    """One block per code: the cause once, each exception on its line."""
    for code in dict.fromkeys(item["code"] for item in items):
        group = [item for item in items if item["code"] == code]
        total = _sum(group)
        tell(f"{code}  {group[0]['what']}", "bold")
        tell(f"  {len(group)} of them, {total or 'no money'}, {group[0]['failure']}, owner: {group[0]['owner']}")
        for item in group[:20]:
            tell(f"  x-{item['id']}  {item['where'] or item['object'] + ' ' + item['label']}")
            tell(f"       why   {item['why']}")
        if len(group) > 20:
            tell(f"  ... and {len(group) - 20} more; --json lists all")
        tell(f"  mend  {group[0]['mend']}")
        tell("")


def _sum(items: list[Item]) -> str:
    sums: dict[str, int] = {}
    for item in items:
        if item["amount"] is not None:
            sums[item["currency"]] = sums.get(item["currency"], 0) + item["amount"]
    return ", ".join(money(amount, currency) for currency, amount in sorted(sums.items()))


def _empty(items: list[Item], text: str, following: str) -> None:
    if not items:
        tell(text)
        if following:
            say(f"next:  {following}")


def _since(text: str) -> str:
    if not text:
        return ""
    try:
        seconds = float(Duration.parse(text))
    except ValueError:
        raise UsageError(
            "--since is not a duration", why=f"{text!r} is not like 12h or 2d", mend="write it so", code="MLC-CLI-0001"
        ) from None
    return stamp(SystemClock().now() - timedelta(seconds=seconds))


def _number(text: str, prefix: str) -> int:
    digits = text.removeprefix(prefix)
    if not digits.isdigit():
        raise UsageError(
            f"{text!r} is not an id", why=f"ids look like {prefix}3", mend="copy one from a list", code="MLC-CLI-0007"
        )
    return int(digits)


# --- items as JSON, shared with `show` -----------------------------------------------------------------------------------


def run_json(item: Item) -> dict[str, Any]:
    return {**item, "id": f"r-{item['id']}", "window": _decoded(item["window"]), "problem": _decoded(item["problem"])}


def document_json(item: Item) -> dict[str, Any]:
    value = {
        **item,
        "id": f"d-{item['id']}",
        "run": f"r-{item['run']}",
        "amount": _amount(item["amount"]),
        "mapped": "ok",
    }
    value["delivery_status"] = delivery_word(item)
    value["delivery"] = f"v-{item['delivery']}" if item["delivery"] else None
    value["numbers"] = _decoded(item.get("numbers"))
    if "lookups" in item:
        value["lookups"] = _decoded(item["lookups"])
    return value


def letter_json(item: Item) -> dict[str, Any]:
    return {
        **item, "id": f"x-{item['id']}", "run": f"r-{item['run']}", "amount": _amount(item["amount"]),
        "document": f"d-{item['document']}" if item["document"] else None, "delivery": f"v-{item['delivery']}" if item["delivery"] else None,
    }  # fmt: skip


def record_json(item: Item) -> dict[str, Any]:
    """A source record of one run; ``outcome`` is None where its documents tell."""
    value = {key: item[key] for key in ("flow", "company", "object", "key", "label", "digest", "currency", "reason")}
    outcome = None if item["rank"] is None else OUTCOMES[item["rank"]]
    return {**value, "run": f"r-{item['run']}", "amount": _amount(item["amount"]), "outcome": outcome}


def _waiting_json(item: Item) -> dict[str, Any]:
    return {**item, "id": f"v-{item['id']}", "problem": _decoded(item["problem"])}


def delivery_word(item: Item) -> str:
    """The delivery status of a document: its own, or its delivery's while that is open."""
    state = item.get("delivery_state")
    if item["status"] == "sealed" and state:
        return {"sealed": "in_flight", "sending": "in_flight", "retry": "in_flight"}.get(state, str(state))
    return {"stored": "in_flight"}.get(item["status"], str(item["status"]))


def numbers_text(text: str | None) -> str:
    return " ".join(f"{name} {value}" for name, value in (_decoded(text) or {}).items())


def _decoded(text: str | None) -> Any:
    return msgspec.json.decode(text) if text else None


def _amount(value: int | None) -> str | None:
    return None if value is None else amount_text(value)


def _why(text: str | None) -> str:
    problem = _decoded(text)
    return ": ".join(part for part in (problem["what"], problem.get("why")) if part) if problem else ""


VERBS = {"status": status, "runs": runs, "docs": docs, "dead": dead}
