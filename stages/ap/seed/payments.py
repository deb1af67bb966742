"""Draws the payments behind the bills that are paid, partly paid or selected for payment. It changes no bill.

It draws from a generator of its own, so that bills and vendors are what they would be without payments.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from stages.ap.seed.world import SeedBill, SeedPayment, SeedPaymentDetail, SeedVendor

FIRST_PAYMENT = 700_001
FIRST_DETAIL = 750_001
VOIDED_SHARE = 0.08  # a payment that was voided before the one that counts
METHODS = ("ACH", "Printed Check")
_CENT = Decimal("0.01")
_PAID_STATES = ("Paid", "Partially Paid")
State = Literal["Complete", "Submitted", "Voided"]


def draw_payments(seed: int, bills: Iterable[SeedBill], vendors: Iterable[SeedVendor]) -> tuple[SeedPayment, ...]:
    """The payments, by record: one for what a vendor's bills of one week, entity and currency were paid with.

    Complete payments add up to what their bills say was paid, less the discounts taken; bills selected for payment are in a
    submitted one; a voided payment repeats the one that follows it.
    """
    rng = random.Random(f"payments of {seed}")
    methods = {vendor.id: METHODS[vendor.record % len(METHODS)] for vendor in vendors}
    payments: list[SeedPayment] = []
    details = 0
    for group in _groups(bills):
        for state in _states(rng, group):
            payment = _payment(rng, group, state, methods[group[0].vendor], FIRST_PAYMENT + len(payments), details)
            payments.append(payment)
            details += len(payment.details)
    return tuple(payments)


def _groups(bills: Iterable[SeedBill]) -> list[list[SeedBill]]:
    groups: dict[tuple[str, ...], list[SeedBill]] = {}
    for bill in bills:
        if bill.state not in (*_PAID_STATES, "Selected"):
            continue
        week = "" if bill.modified is None else f"{bill.modified:%G-%V}"
        kind = "open" if bill.state == "Selected" else "paid"
        groups.setdefault((bill.vendor, bill.entity, bill.currency, week, kind), []).append(bill)
    return list(groups.values())


def _states(rng: random.Random, group: Sequence[SeedBill]) -> tuple[State, ...]:
    if group[0].state == "Selected":
        return ("Submitted",)
    return ("Voided", "Complete") if rng.random() < VOIDED_SHARE else ("Complete",)


def _payment(
    rng: random.Random, group: Sequence[SeedBill], state: State, method: str, record: int, details: int
) -> SeedPayment:
    at = max(bill.modified or bill.created for bill in group)
    paid = tuple(
        _detail(bill, at.date(), FIRST_DETAIL + details + number) for number, bill in enumerate(group)
    )  # fmt: skip
    number = f"{rng.randrange(10**6, 10**7)}" if method == "ACH" else f"{10_000 + record - FIRST_PAYMENT}"
    return SeedPayment(
        record=record,
        number="" if state == "Submitted" else number,  # a check has its number when it is printed
        vendor=group[0].vendor,
        method=method,
        state=state,
        date=at.date(),
        memo=f"{len(group)} bills" if len(group) > 1 else group[0].description,
        total=sum((detail.amount for detail in paid), Decimal("0.00")),
        currency=group[0].currency,
        entity=group[0].entity,
        details=paid,
        created=at - timedelta(minutes=rng.randrange(5, 120)),
        modified=at,
    )


def _detail(bill: SeedBill, paid_on: date, record: int) -> SeedPaymentDetail:
    settled = (bill.total / 2).quantize(_CENT) if bill.state == "Partially Paid" else bill.total
    discount = _discount(bill, paid_on)
    return SeedPaymentDetail(record=record, bill=bill.record, amount=settled - discount, discount=discount)


def _discount(bill: SeedBill, paid_on: date) -> Decimal:
    """The terms' percentage (``2/10 Net 30``: two), for a bill settled in full by its discount date."""
    if bill.state == "Partially Paid" or bill.discount_date is None or paid_on > bill.discount_date:
        return Decimal(0)
    percent = Decimal(bill.terms.partition("/")[0])
    return (bill.total * percent / 100).quantize(_CENT, ROUND_HALF_UP)
