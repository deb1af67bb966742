"""The awkward bills planted in a world: those that must fail for an honest reason, and those that must work.

One row each: for which vendor the bill is drawn, whether Purchasing makes it, and what is then done to it. The vendors
are EDI partners that ask for an 810 of every bill, so that the reason given is the only one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from stages.ap.seed.world import SeedBill, SeedLine, SeedPurchase

Outcome = Literal["dead", "held", "delivered"]
Change = Callable[[SeedBill, SeedPurchase | None], tuple[SeedBill, SeedPurchase | None]]

LEAST_BILLS = 100
"""Smaller worlds have no planted bills."""


class Planted(msgspec.Struct, frozen=True):
    """``outcome`` is what the shipped flows must make of it."""

    reason: str
    outcome: Outcome
    vendor: str
    purchasing: bool
    change: Change


def _first_line(**changes: object) -> Change:
    def change(bill: SeedBill, purchase: SeedPurchase | None) -> tuple[SeedBill, SeedPurchase | None]:
        return with_lines(bill, purchase, (msgspec.structs.replace(bill.lines[0], **changes), *bill.lines[1:]))

    return change


def _header(**changes: object) -> Change:
    return lambda bill, purchase: (msgspec.structs.replace(bill, **changes), purchase)


def _long_number(bill: SeedBill, purchase: SeedPurchase | None) -> tuple[SeedBill, SeedPurchase | None]:
    return msgspec.structs.replace(bill, number=f"INV-2026-10-{bill.record:07d}-REV2"), purchase


def _no_lines(bill: SeedBill, purchase: SeedPurchase | None) -> tuple[SeedBill, SeedPurchase | None]:
    return msgspec.structs.replace(bill, lines=(), total=Decimal("0.00")), purchase


def _cent_off(bill: SeedBill, purchase: SeedPurchase | None) -> tuple[SeedBill, SeedPurchase | None]:
    return msgspec.structs.replace(bill, total=bill.total + Decimal("0.01")), purchase


def _document_missing(bill: SeedBill, purchase: SeedPurchase | None) -> tuple[SeedBill, SeedPurchase | None]:
    return msgspec.structs.replace(bill, purchase=None, purchase_missing=True), None


def _negative_line(bill: SeedBill, purchase: SeedPurchase | None) -> tuple[SeedBill, SeedPurchase | None]:
    """A credit of a tenth of the bill, at least a cent, as its last line."""
    credit = -max(Decimal("0.01"), (bill.total / 10).quantize(Decimal("0.01")))
    line = SeedLine(
        number=len(bill.lines) + 1, amount=credit, description="Credit for damaged goods", account=bill.lines[0].account
    )
    return with_lines(bill, purchase, (*bill.lines, line))


def with_lines(
    bill: SeedBill, purchase: SeedPurchase | None, lines: tuple[SeedLine, ...]
) -> tuple[SeedBill, SeedPurchase | None]:
    """The pair with these lines in both, and their sum as the bill's total; generated lines do not count."""
    total = sum((line.amount for line in lines if not line.generated), Decimal("0.00"))
    bill = msgspec.structs.replace(bill, lines=lines, total=total)
    return bill, purchase and msgspec.structs.replace(purchase, lines=lines)


PLANTED: tuple[Planted, ...] = (
    Planted("unmapped unit", "dead", "V-1002", True, _first_line(unit="Tote")),
    Planted("bill number too long", "dead", "V-1001", False, _long_number),
    Planted("no lines", "dead", "V-1009", False, _no_lines),
    Planted("total differs from lines", "dead", "V-1007", False, _cent_off),
    Planted(
        "delimiter in text", "dead", "V-1036", True, _first_line(description="ACME * FOODS~", item_name="ACME * FOODS~")
    ),
    Planted("purchasing document missing", "held", "V-1005", True, _document_missing),
    Planted(
        "accents and lower case",
        "delivered",
        "V-1011",
        True,
        _first_line(description="crème fraîche, jalapeño, 4/5 lb"),
    ),
    Planted("never modified", "delivered", "V-1012", False, _header(modified=None)),
    Planted("Canadian dollars", "delivered", "V-1045", False, _header()),
    Planted("negative line", "delivered", "V-1101", False, _negative_line),
    Planted(
        "dated in the future",
        "delivered",
        "V-1019",
        False,
        _header(date=date(2026, 11, 16), due=date(2026, 12, 16), discount_date=None),
    ),
)

ORIGINAL = Planted("original of the duplicate", "delivered", "V-1008", False, _header())
DUPLICATE = Planted("suspected duplicate", "held", "V-1008", False, _header())
"""A later bill of the same vendor that repeats the number, the lines and the amount of the `ORIGINAL`."""


def twin(original: SeedBill, bill: SeedBill) -> SeedBill:
    """``bill``, under its own record and stamps, as a repetition of ``original``."""
    return msgspec.structs.replace(original, record=bill.record, created=bill.created, modified=bill.modified)
