"""The laws of the seeded world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.ap.seed import DUPLICATE, PLANTED, SeedBill, World, build_world


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=7, bills=400)


@pytest.fixture(scope="module")
def edi(world: World) -> set[str]:
    return {vendor for partner in world.partners for vendor in partner.vendors}


def _planted(world: World, reason: str) -> SeedBill:
    (record,) = [record for record, words in {**world.planted, **world.awkward}.items() if words == reason]
    return next(bill for bill in world.bills if bill.record == record)


@pytest.mark.parametrize("bills", [0, 1, 2, 99, 100, 150])
def test_a_world_has_as_many_bills_as_asked_for(bills: int) -> None:
    assert len(build_world(bills=bills).bills) == bills


def test_equal_arguments_give_equal_bytes() -> None:
    assert msgspec.json.encode(build_world(seed=3, bills=150)) == msgspec.json.encode(build_world(seed=3, bills=150))


def test_other_seeds_give_other_bills_but_the_same_vendors_and_partners(world: World) -> None:
    other = build_world(seed=8, bills=200)
    assert (other.vendors, other.partners, other.entities) == (world.vendors, world.partners, world.entities)
    assert other.bills[:50] != world.bills[:50]


def test_totals_are_the_sum_of_the_user_lines(world: World) -> None:
    exact = [bill for bill in world.bills if world.planted.get(bill.record) != "total differs from lines"]
    for bill in exact:
        assert bill.total == sum((line.amount for line in bill.lines if not line.generated), Decimal(0)), bill.record
    assert len(exact) == len(world.bills) - 1


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), bills=st.integers(0, 130))
def test_whatever_the_seed_the_books_are_sound(seed: int, bills: int) -> None:
    world = build_world(seed=seed, bills=bills)
    vendors = {vendor.id: vendor for vendor in world.vendors}
    off = [
        world.planted.get(bill.record)
        for bill in world.bills
        if bill.total != sum((line.amount for line in bill.lines if not line.generated), Decimal(0))
    ]
    assert off == (["total differs from lines"] if bills >= 100 else [])
    assert all(bill.currency == vendors[bill.vendor].currency for bill in world.bills)
    assert [bill.record for bill in world.bills] == sorted(bill.record for bill in world.bills)


def test_amounts_are_exact_to_the_cent(world: World) -> None:
    amounts = [line.amount for bill in world.bills for line in bill.lines] + [bill.total for bill in world.bills]
    assert {amount.as_tuple().exponent for amount in amounts} == {-2}


def test_extensions_are_rounded_half_up_and_some_weights_have_three_decimals(world: World) -> None:
    lines = [line for purchase in world.purchases for line in purchase.lines if line.price is not None]
    for line in lines:
        assert line.price is not None
        assert line.amount == (line.quantity * line.price).quantize(Decimal("0.01"), ROUND_HALF_UP)
    places = {-int(line.quantity.as_tuple().exponent) for line in lines if line.unit == "LB"}
    assert {2, 3} <= places <= {0, 1, 2, 3}


def test_a_bill_made_by_purchasing_shows_the_lines_of_its_document(world: World) -> None:
    documents = {purchase.id: purchase for purchase in world.purchases}
    made = [bill for bill in world.bills if bill.purchase]
    assert len({bill.purchase for bill in made}) == len(made) == len(world.purchases)
    for bill in made:
        purchase = documents[str(bill.purchase)]
        assert (purchase.vendor, purchase.currency, purchase.lines) == (bill.vendor, bill.currency, bill.lines)


def test_lines_are_numbered_from_one(world: World) -> None:
    for bill in world.bills:
        assert [line.number for line in bill.lines] == list(range(1, len(bill.lines) + 1))


@pytest.mark.parametrize(
    "ids",
    [
        lambda w: [bill.record for bill in w.bills],
        lambda w: [purchase.record for purchase in w.purchases],
        lambda w: [purchase.id for purchase in w.purchases],
        lambda w: [vendor.id for vendor in w.vendors],
        lambda w: [vendor.name for vendor in w.vendors],
        lambda w: [partner.code for partner in w.partners],
    ],
)
def test_ids_are_unique(world: World, ids: Callable[[World], list[object]]) -> None:
    assert max(Counter(ids(world)).values()) == 1


def test_bill_numbers_are_unique_for_a_vendor_but_for_the_planted_duplicate(world: World) -> None:
    repeated = [key for key, times in Counter((b.vendor, b.number) for b in world.bills).items() if times > 1]
    twin = _planted(world, DUPLICATE.reason)
    assert repeated == [(twin.vendor, twin.number)]


def test_the_vendor_master_has_its_numbers(world: World) -> None:
    regular = [vendor for vendor in world.vendors if vendor.status == "active" and not vendor.one_time]
    assert len(regular) == 214
    assert sum(vendor.one_time for vendor in world.vendors) == 12
    assert sum(vendor.status == "inactive" for vendor in world.vendors) == 9
    assert Counter(vendor.kind for vendor in regular) == {
        "Produce": 38,
        "Meat": 24,
        "Seafood": 17,
        "Dairy": 16,
        "Dry grocery": 52,
        "Frozen": 27,
        "Paper": 14,
        "Service": 26,
    }
    assert sum(vendor.currency == "CAD" for vendor in world.vendors) == 4
    assert sum(vendor.entity != "" for vendor in world.vendors) == 18
    assert world.vendors[0].id == "V-1001"


def test_about_47_percent_of_the_bills_belong_to_edi_vendors(edi: set[str]) -> None:
    bills = build_world(bills=4_000).bills
    assert 0.44 < sum(bill.vendor in edi for bill in bills) / len(bills) < 0.50


def test_states_come_in_their_proportions() -> None:
    bills = build_world(bills=4_000).bills
    states = Counter(bill.state for bill in bills)
    payable = sum(states[state] for state in ("Posted", "Selected", "Partially Paid", "Paid"))
    assert 0.90 < payable / len(bills) < 0.95
    assert set(states) >= {"Draft", "Submitted", "Partially Approved", "Declined", "Reversed", "Paid"}
    assert any(bill.on_hold for bill in bills)


def test_bills_are_of_october_and_nothing_happens_after_now(world: World) -> None:
    assert world.now == datetime(2026, 11, 2, 12, tzinfo=UTC)
    for bill in world.bills:
        if world.awkward.get(bill.record) != "dated in the future":
            assert (bill.date.year, bill.date.month) == (2026, 10)
        assert bill.created <= (bill.modified or world.now) <= world.now
        assert (bill.modified or world.now).microsecond == 0


@pytest.mark.parametrize("bills", [2, 100, 400])
def test_two_bills_share_a_second(bills: int) -> None:
    stamps = Counter(bill.modified for bill in build_world(bills=bills).bills if bill.modified)
    assert max(stamps.values()) >= 2


@pytest.mark.parametrize("seed", range(5))
def test_every_planted_row_occurs_once_in_a_world_of_a_hundred(seed: int) -> None:
    world = build_world(seed=seed, bills=100)
    failing = Counter([row.reason for row in PLANTED if row.outcome != "delivered"] + [DUPLICATE.reason])
    assert Counter(world.planted.values()) == failing
    assert set(world.awkward.values()) >= {row.reason for row in PLANTED if row.outcome == "delivered"}


def test_planted_bills_are_payable_bills_of_edi_vendors(world: World, edi: set[str]) -> None:
    for bill in world.bills:
        if bill.record in world.planted or bill.record in world.awkward:
            assert bill.vendor in edi
            assert bill.state == "Posted"


def test_small_worlds_have_no_planted_bills() -> None:
    assert build_world(bills=99).planted == {}


PLANTED_LAWS: dict[str, Callable[[SeedBill], bool]] = {
    "unmapped unit": lambda bill: bill.lines[0].unit == "Tote" and bill.purchase is not None,
    "bill number too long": lambda bill: len(bill.number) >= 24,
    "no lines": lambda bill: bill.lines == () and bill.total == 0,
    "total differs from lines": lambda bill: bill.total - sum(line.amount for line in bill.lines) == Decimal("0.01"),
    "delimiter in text": lambda bill: bill.lines[0].description == "ACME * FOODS~",
    "purchasing document missing": lambda bill: bill.purchase is None and bill.purchase_missing,
    "accents and lower case": lambda bill: not bill.lines[0].description.isascii(),
    "never modified": lambda bill: bill.modified is None,
    "Canadian dollars": lambda bill: bill.currency == "CAD",
    "negative line": lambda bill: bill.lines[-1].amount < 0 < bill.total,
    "dated in the future": lambda bill: bill.date > datetime(2026, 11, 2, tzinfo=UTC).date(),
}


@pytest.mark.parametrize("reason", PLANTED_LAWS)
def test_a_planted_bill_is_what_its_reason_says(world: World, reason: str) -> None:
    assert PLANTED_LAWS[reason](_planted(world, reason))


def test_every_planted_row_has_its_law() -> None:
    assert set(PLANTED_LAWS) == {row.reason for row in PLANTED}


def test_the_duplicate_repeats_an_earlier_bill_under_another_record(world: World) -> None:
    twin = _planted(world, DUPLICATE.reason)
    (original,) = [b for b in world.bills if (b.vendor, b.number) == (twin.vendor, twin.number) and b != twin]
    assert (original.total, original.currency) == (twin.total, twin.currency)
    assert original.modified is not None
    assert twin.modified is not None
    assert original.record < twin.record


def test_complete_payments_and_discounts_are_what_the_bills_say_was_paid() -> None:
    world = build_world(seed=7, bills=800)
    settled: Counter[int] = Counter()
    for payment in world.payments:
        assert payment.total == sum(detail.amount for detail in payment.details)
        if payment.state == "Complete":
            for detail in payment.details:
                settled[detail.bill] += detail.amount + detail.discount  # type: ignore[assignment]
    half = {b.record: (b.total / 2).quantize(Decimal("0.01")) for b in world.bills if b.state == "Partially Paid"}
    assert dict(settled) == half | {bill.record: bill.total for bill in world.bills if bill.state == "Paid"}


def test_payments_are_as_different_as_payments_are() -> None:
    payments = build_world(seed=7, bills=800).payments
    assert {payment.state for payment in payments} == {"Complete", "Submitted", "Voided"}
    assert {payment.method for payment in payments} == {"ACH", "Printed Check"}
    assert any(len(payment.details) > 1 for payment in payments)
    assert any(detail.discount for payment in payments for detail in payment.details)
    assert all(payment.modified <= build_world(bills=0).now for payment in payments)


def test_a_year_of_bills_comes_month_by_month_and_what_is_old_is_mostly_paid() -> None:
    bills = build_world(bills=3_000, months=12).bills
    months = Counter((bill.created.year, bill.created.month) for bill in bills)
    old = [bill for bill in bills if bill.created.date() < date(2026, 10, 1)]
    assert sorted(months) == [(2025, 11), (2025, 12), *((2026, month) for month in range(1, 11))]
    assert max(months.values()) < 2 * min(months.values())
    assert sum(bill.state == "Paid" for bill in old) > 0.9 * len(old)
    assert [bill.created for bill in bills] == sorted(bill.created for bill in bills)


def test_a_world_of_one_month_is_what_it_is_without_saying_so() -> None:
    assert msgspec.json.encode(build_world(bills=120, months=1)) == msgspec.json.encode(build_world(bills=120))
