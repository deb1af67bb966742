"""`build_world`: draws a month or more of bills for the fixed vendor master. Equal arguments give equal worlds, to the byte."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

import msgspec

from stages.ap.seed.draw import MONTH, NOW, Arrival, Drawn, draw_bill
from stages.ap.seed.goods import GOODS
from stages.ap.seed.masters import masters, orders, references
from stages.ap.seed.payments import draw_payments
from stages.ap.seed.planted import DUPLICATE, LEAST_BILLS, ORIGINAL, PLANTED, Planted, twin
from stages.ap.seed.roster import EDI, ENTITIES, partners, vendor_id, vendors
from stages.ap.seed.world import SeedVendor, World

EDI_SHARE = 0.47  # of bills
WEEKDAYS = (24, 19, 18, 21, 16, 2, 0)  # arrivals, Monday first
CLOSE_RUSH = 1.8  # on the last three business days of a month
CLOSE_DAYS = 3
OFFICE_HOURS_SHARE = 0.7
STATES = {
    "Posted": 762,
    "Selected": 50,
    "Partially Paid": 20,
    "Paid": 94,
    "Draft": 30,
    "Submitted": 32,
    "Partially Approved": 5,
    "Declined": 3,
    "Reversed": 4,
}
STATES_OF_OLD = {"Paid": 950, "Posted": 20, "Partially Paid": 10, "Declined": 5, "Reversed": 15}
"""Of bills of the months before the last one: most are settled."""


def build_world(*, seed: int = 1, bills: int = 200, months: int = 1) -> World:
    """The books of Harbor & Vale Foodservice as of 2 November 2026, with this many bills of the last so many months.

    Vendors and partners are the same whatever the arguments. From `LEAST_BILLS` bills on, one bill of each row in
    `planted.PLANTED` and one suspected duplicate are among them. A bill's total is the sum of those of its lines that
    the system did not generate. Bills are in the order of their record numbers, the order they were entered in.
    """
    rng = random.Random(seed)
    master = vendors()
    arrivals = _arrivals(rng, master, bills, months_before(MONTH, months - 1))
    drawn = [draw_bill(rng, arrival, index) for index, arrival in enumerate(arrivals)]
    _repeat_the_original(arrivals, drawn)
    _share_a_second(arrivals, drawn)
    books = tuple(bill for bill, _ in drawn)
    purchases = tuple(purchase for _, purchase in drawn if purchase)
    rows = [(bill.record, a.planted) for a, (bill, _) in zip(arrivals, drawn, strict=True) if a.planted]
    return World(
        company="HARBORVALE",
        company_name="Harbor & Vale Foodservice",
        sender="harborvale-ws",
        sender_password="simulated-sender-password",  # noqa: S106 - opens nothing but the simulator
        user="mlc",
        user_password="simulated-user-password",  # noqa: S106
        entities=ENTITIES,
        vendors=master,
        bills=books,
        payments=draw_payments(seed, books, master),
        orders=orders(purchases),
        masters=masters(purchases),
        references=references(purchases),
        purchases=purchases,
        partners=partners(),
        sterling_user="mlc",
        sterling_password="simulated-b2b-password",  # noqa: S106
        now=NOW,
        planted={record: row.reason for record, row in rows if row.outcome != "delivered"},
        awkward={record: row.reason for record, row in rows if row.outcome == "delivered"},
    )


def months_before(month: date, count: int) -> date:
    """The first day of the month that lies so many before."""
    years, rest = divmod(month.year * 12 + month.month - 1 - count, 12)
    return date(years, rest + 1, 1)


def _arrivals(rng: random.Random, master: Sequence[SeedVendor], count: int, since: date) -> list[Arrival]:
    """What arrives when, in order of time."""
    times = sorted(_moments(rng, count, since))
    planted = _positions(rng, count)
    choose = _VendorChoice(master)
    by_id = {vendor.id: vendor for vendor in master}
    result = []
    for index, at in enumerate(times):
        row = planted.get(index)
        vendor = by_id[row.vendor] if row else choose(rng)
        purchasing = rng.random() < GOODS[vendor.kind].ordered
        states = STATES if at.date() >= MONTH else STATES_OF_OLD
        state = rng.choices(tuple(states), tuple(states.values()))[0]
        if row:
            purchasing, state = row.purchasing, "Posted"
        result.append(Arrival(at=at, since=since, vendor=vendor, purchasing=purchasing, state=state, planted=row))
    return result


def _moments(rng: random.Random, count: int, since: date) -> list[datetime]:
    days = [since + timedelta(days=offset) for offset in range((months_before(MONTH, -1) - since).days)]
    weights = [WEEKDAYS[day.weekday()] * (CLOSE_RUSH if _is_closing(day) else 1) for day in days]
    return [
        _moment(rng, datetime(day.year, day.month, day.day, tzinfo=UTC)) for day in rng.choices(days, weights, k=count)
    ]


def _is_closing(day: date) -> bool:
    """Whether it is one of the last business days of its month."""
    rest = (months_before(day.replace(day=1), -1) - day).days
    business = sum((day + timedelta(days=offset)).weekday() < 5 for offset in range(rest))
    return day.weekday() < 5 and business <= CLOSE_DAYS


def _moment(rng: random.Random, midnight: datetime) -> datetime:
    """A second of that working day on the East coast (UTC-4 in summer), mostly from 10 to 16 o'clock."""
    start, hours = (14, 6) if rng.random() < OFFICE_HOURS_SHARE else rng.choice(((11, 3), (20, 3)))
    return midnight + timedelta(hours=start, seconds=rng.randrange(hours * 3600))


def _positions(rng: random.Random, count: int) -> dict[int, Planted]:
    """Which bills are the planted ones; the duplicate comes after its original."""
    if count < LEAST_BILLS:
        return {}
    places = rng.sample(range(count), len(PLANTED) + 2)
    first, second = sorted(places[-2:])
    return {**dict(zip(places, PLANTED, strict=False)), first: ORIGINAL, second: DUPLICATE}


class _VendorChoice:
    """Draws vendors: EDI vendors get their share of the bills, and busy trades more of them than quiet ones."""

    def __init__(self, master: Sequence[SeedVendor]) -> None:
        on_edi = {vendor_id(number) for _, _, _, numbers in EDI for number in numbers}
        usual = [vendor for vendor in master if vendor.status == "active"]
        self._edi = _weighted([vendor for vendor in usual if vendor.id in on_edi])
        self._others = _weighted([vendor for vendor in usual if vendor.id not in on_edi])

    def __call__(self, rng: random.Random) -> SeedVendor:
        group, weights = self._edi if rng.random() < EDI_SHARE else self._others
        return rng.choices(group, cum_weights=weights)[0]


def _weighted(group: list[SeedVendor]) -> tuple[list[SeedVendor], list[float]]:
    """The group with cumulative weights: Zipf's law within each trade; occasional vendors rarely."""
    seen: dict[str, int] = {}
    weights = []
    for vendor in group:
        rank = seen[vendor.kind] = seen.get(vendor.kind, 0) + 1
        weights.append(GOODS[vendor.kind].bills / rank * (0.05 if vendor.one_time else 1))
    return group, list(accumulate(weights))


def _repeat_the_original(arrivals: Sequence[Arrival], drawn: list[Drawn]) -> None:
    places = {
        arrival.planted: index for index, arrival in enumerate(arrivals) if arrival.planted in (ORIGINAL, DUPLICATE)
    }
    if places:
        original, _ = drawn[places[ORIGINAL]]
        bill, _ = drawn[places[DUPLICATE]]
        drawn[places[DUPLICATE]] = (twin(original, bill), None)


def _share_a_second(arrivals: Sequence[Arrival], drawn: list[Drawn]) -> None:
    """Give two ordinary neighbours one modification stamp, as a bulk posting does: a page may end between them."""
    for index in range(len(drawn) - 1):
        (first, purchase), (second, _) = drawn[index], drawn[index + 1]
        if not (arrivals[index].planted or arrivals[index + 1].planted):
            drawn[index] = (msgspec.structs.replace(first, modified=second.modified), purchase)
            return
