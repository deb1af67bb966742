"""The ledger's items as the command shows them: their ids, their JSON forms, and the words and tables that several verbs share."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from pipeline.cli.output import money, table, tell
from pipeline.store.reports import Item, Reason
from pipeline.store.rows import OUTCOMES, amount_text

LARGEST_ID = 2**63 - 1
KINDS = {"r": "run", "d": "document", "v": "delivery", "x": "exception"}
"""What the letter of an id says it is the id of."""

_PREFIXES = {kind: letter for letter, kind in KINDS.items()}


def split_id(text: str) -> tuple[str, int] | None:
    """``d-17`` as ("d", 17); None when the text is no id."""
    found = re.fullmatch(r"([rdvx])-([0-9]{1,19})", text)
    return (found[1], int(found[2])) if found and int(found[2]) <= LARGEST_ID else None


def decoded(text: str | None) -> Any:
    """A JSON column."""
    return msgspec.json.decode(text) if text else None


def numbers_text(text: str | None) -> str:
    """Control numbers in words: ``ISA13 1 GS06 1``."""
    return " ".join(f"{name} {value}" for name, value in (decoded(text) or {}).items())


def delivery_word(item: Item) -> str:
    """The delivery status of a document: its own, or its delivery's while that is open."""
    state = item.get("delivery_state")
    if item["status"] == "sealed" and state:
        return {"sealed": "in_flight", "sending": "in_flight", "retry": "in_flight"}.get(state, str(state))
    return {"stored": "in_flight"}.get(item["status"], str(item["status"]))


def acknowledgement_word(item: Item) -> str:
    return item["acknowledgement"] or "none expected"


def outcome_word(item: Item) -> str:
    """What became of a source record, its documents counted in."""
    return OUTCOMES[item["rank"]] if item["rank"] >= 0 else "no outcome"


# --- tables --------------------------------------------------------------------------------------------------------------


def document_table(items: list[Item]) -> None:
    rows = [
        [f"d-{i['id']}", i["set"], i["partner"], i["label"], money(i["amount"], i["currency"]), delivery_word(i), acknowledgement_word(i),
         numbers_text(i["numbers"]), i["address"]]
        for i in items
    ]  # fmt: skip
    headings = ["DOC", "SET", "PARTNER", "BILL", "AMOUNT", "DELIVERY", "ACK", "NUMBERS", "MAILBOX"]
    table(headings, rows, right=["AMOUNT"], drop=["MAILBOX", "NUMBERS"])


def timeline(items: list[Item]) -> None:
    """Audit rows, oldest first; things are called by their ids."""
    for item in items:
        detail = re.sub(r"^sealed in delivery (\d+),", r"sealed in v-\1,", item["detail"])
        tell(f"  {item['at'][:10]} {item['at'][11:23]}Z  {_subject(item['subject']):<16}  {detail}")


def _subject(text: str) -> str:
    kind, _, number = text.partition(" ")
    return f"{_PREFIXES[kind]}-{number}" if kind in _PREFIXES and number.isdigit() else text


# --- JSON ----------------------------------------------------------------------------------------------------------------


def run_json(item: Item) -> dict[str, Any]:
    return {**item, "id": f"r-{item['id']}", "window": decoded(item["window"]), "problem": decoded(item["problem"])}


def document_json(item: Item) -> dict[str, Any]:
    value = {**item, "id": f"d-{item['id']}", "run": f"r-{item['run']}", "amount": _amount(item["amount"]), "mapped": "ok"}  # fmt: skip
    value["delivery_status"] = delivery_word(item)
    value["delivery"] = f"v-{item['delivery']}" if item["delivery"] else None
    value["numbers"] = decoded(item.get("numbers"))
    if "lookups" in item:
        value["lookups"] = decoded(item["lookups"])
    return value


def letter_json(item: Item) -> dict[str, Any]:
    return {
        **item, "id": f"x-{item['id']}", "run": f"r-{item['run']}", "amount": _amount(item["amount"]),
        "document": f"d-{item['document']}" if item["document"] else None, "delivery": f"v-{item['delivery']}" if item["delivery"] else None,
    }  # fmt: skip


def record_json(item: Item) -> dict[str, Any]:
    """A source record of one run; ``outcome`` counts its documents in and is None only for a fault."""
    value = {key: item[key] for key in ("flow", "company", "object", "key", "label", "digest", "currency", "reason")}
    outcome = OUTCOMES[item["rank"]] if item["rank"] >= 0 else None
    return {**value, "run": f"r-{item['run']}", "amount": _amount(item["amount"]), "outcome": outcome}


def reason_json(reason: Reason) -> dict[str, Any]:
    amounts = {currency: amount_text(amount) for currency, amount in sorted(reason.amounts.items())}
    return {"outcome": reason.outcome, "reason": reason.reason, "records": reason.records, "amounts": amounts}


def waiting_json(item: Item) -> dict[str, Any]:
    return {**item, "id": f"v-{item['id']}", "problem": decoded(item["problem"])}


def _amount(value: int | None) -> str | None:
    return None if value is None else amount_text(value)
