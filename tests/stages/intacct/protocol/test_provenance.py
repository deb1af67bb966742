"""The table that `explain` reads is true: each path holds what its first field holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from stages.ap.model import Bill, Payment
from stages.intacct.protocol import fields, objects
from stages.intacct.protocol.payments import payment
from stages.intacct.protocol.provenance import READ_FROM

FIRST = date(2026, 1, 1)
KEPT_NUMBERS = ("RECORDNO", "LINE_NO")


def filled(wish: fields.Wish, table: str) -> dict[str, Any]:
    """A row in which every field holds something of its own."""
    names = (*wish.required, *wish.optional, *wish.alternatives)
    return {name: value(wish.types.get(name, "text"), f"{table}.{name}", at) for at, name in enumerate(names, 1)}


def value(kind: str, name: str, at: int) -> Any:
    size = sum(map(ord, name)) + at
    match kind:
        case "amount":
            return Decimal(size)
        case "date":
            return FIRST + timedelta(days=size)
        case "flag":
            return True
    return str(size) if name.rpartition(".")[2] in KEPT_NUMBERS else name


ROWS = {
    "APBILL": filled(fields.BILL, "APBILL"),
    "APBILLITEM": filled(fields.LINE, "APBILLITEM"),
    "PODOCUMENT": filled(fields.PURCHASE, "PODOCUMENT"),
    "PODOCUMENTENTRY": filled(fields.PURCHASE_LINE, "PODOCUMENTENTRY"),
    "CONTACT": {name: f"CONTACT.{name}" for name in fields.CONTACT_FIELDS} | {"MAILADDRESS.COUNTRYCODE": "US"},
}


@pytest.fixture(scope="module")
def bill() -> Bill:
    line = ROWS["APBILLITEM"]
    entry = ROWS["PODOCUMENTENTRY"] | {"TRX_VALUE": line["TRX_AMOUNT"], "ITEMID": line["ITEMID"]}
    return objects.bill(
        ROWS["APBILL"], [line], currency="", purchase=ROWS["PODOCUMENT"], entries=[entry],
        remit_to=objects.plain_contact(ROWS["CONTACT"]),
    )  # fmt: skip


def first_field(told: str) -> tuple[str, str]:
    table, _, name = told.partition(",")[0].partition(" or ")[0].partition(".")
    return table, name


def at(body: Any, path: str) -> Any:
    for name in path.split(".")[1:]:
        body = body[0] if isinstance(body, tuple) else body
        body = getattr(body, name)
    return str(body) if isinstance(body, int) and not isinstance(body, bool) else body


LATER = ("bill.taxes.", "bill.lines.vendor_item")
"""What the bill's own rows do not hold."""


@pytest.mark.parametrize("path", [path for path in READ_FROM["APBILL"] if not path.startswith(LATER)])
def test_a_bill_holds_what_its_field_holds(bill: Bill, path: str) -> None:
    table, name = first_field(READ_FROM["APBILL"][path])
    expected = ROWS[table][name] if path != "bill.lines.item" else ROWS["APBILLITEM"]["ITEMID"]
    assert at(bill, path) == expected


def paths(body: type[msgspec.Struct], before: str) -> Iterator[str]:
    yield from (
        f"{before}.{name}"
        for name in body.__struct_fields__
        if name not in ("source", "lines", "purchase", "remit_to", "details", "taxes")
    )


@pytest.mark.parametrize(("kind", "body", "name"), [("APBILL", Bill, "bill"), ("APPYMT", Payment, "payment")])
def test_every_plain_field_of_the_model_is_in_the_table(kind: str, body: type[msgspec.Struct], name: str) -> None:
    assert set(paths(body, name)) <= set(READ_FROM[kind])


@pytest.mark.parametrize("path", [path for path in READ_FROM["APPYMT"] if not path.startswith("payment.details.")])
def test_a_payment_holds_what_its_field_holds(path: str) -> None:
    header = filled(fields.PAYMENT, "APPYMT")
    made = payment(header, [], bills={}, adjustments={}, currency="")
    assert at(made, path) == header[first_field(READ_FROM["APPYMT"][path])[1]]
