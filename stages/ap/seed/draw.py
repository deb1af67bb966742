"""Draws one bill: its lines, its amounts, its dates and, where Purchasing made it, the document it came from."""

from __future__ import annotations

import math
import random
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache

import msgspec

from stages.ap.seed.goods import GOODS, Goods
from stages.ap.seed.planted import Planted, with_lines
from stages.ap.seed.roster import ENTITIES, KINDS
from stages.ap.seed.world import SeedBill, SeedLine, SeedPurchase, SeedVendor

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
MONTH = date(2026, 10, 1)
FIRST_RECORD = 50_001
FIRST_PURCHASE = 800_001

EDITED_SHARE = 0.06
HOLD_SHARE = 0.02
TRUCKLOAD_SHARE = 0.005
OFFSET_SHARE = 0.02  # of bills entered in AP: the system added an offset line to them
CENT = Decimal("0.01")
PAYMENT_DAYS = (1, 3)  # Tuesdays and Thursdays
TERMS: dict[str, tuple[int, int | None]] = {  # days until due, days of discount
    "Net 7": (7, None),
    "Net 10": (10, None),
    "Net 14": (14, None),
    "Net 15": (15, None),
    "Net 21": (21, None),
    "Net 30": (30, None),
    "Due on receipt": (0, None),
    "1/10 Net 30": (30, 10),
    "2/10 Net 30": (30, 10),
    "2/15 Net 45": (45, 15),
}

Drawn = tuple[SeedBill, SeedPurchase | None]


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """When a bill was entered, whose it is and what kind of bill it is to be."""

    at: datetime
    since: date  # the books' first day
    vendor: SeedVendor
    purchasing: bool
    state: str
    planted: Planted | None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An article of one vendor. ``catch`` goods are ordered by the case and billed by the pound."""

    id: str
    name: str
    unit: str
    cents: int
    catch: bool


def draw_bill(rng: random.Random, arrival: Arrival, index: int) -> Drawn:
    """The ``index``-th bill of the books, and the purchasing document it was made from."""
    row = arrival.planted
    lines = _lines(rng, arrival.vendor)
    purchase = _purchase(rng, arrival, index) if arrival.purchasing else None
    if purchase is None:
        lines = tuple(_as_entered(line) for line in lines)
    drawn = with_lines(_header(rng, arrival, index, purchase), purchase, lines)
    if row:
        return row.change(*drawn)
    return _with_offset(*drawn) if purchase is None and rng.random() < OFFSET_SHARE else drawn


def _header(rng: random.Random, arrival: Arrival, index: int, purchase: SeedPurchase | None) -> SeedBill:
    vendor, entered = arrival.vendor, arrival.at.date()
    dated = max(arrival.since, entered - timedelta(days=rng.randrange(6)))
    due, discount = TERMS[vendor.terms]
    payable = arrival.state in ("Posted", "Selected", "Partially Paid", "Paid", "Reversed")
    return SeedBill(
        record=FIRST_RECORD + index,
        number=_number(vendor, index, entered),
        vendor=vendor.id,
        state=arrival.state,
        date=dated,
        due=dated + timedelta(days=due),
        discount_date=None if discount is None else dated + timedelta(days=discount),
        posted=entered if payable else None,
        terms=vendor.terms,
        description=f"{vendor.kind} {dated:%B %Y}",
        reference=purchase.order_number
        if purchase
        else rng.choice(("", "", "", f"REF{rng.randrange(10_000, 99_999)}")),
        total=Decimal(0),
        currency=vendor.currency,
        entity=_entity(rng, vendor),
        on_hold=arrival.state == "Posted" and not arrival.planted and rng.random() < HOLD_SHARE,
        purchase=purchase.id if purchase else None,
        created=arrival.at,
        modified=_modified(rng, arrival),
    )


def _number(vendor: SeedVendor, index: int, entered: date) -> str:
    """The vendor's invoice number, in one of the styles vendors have; rising, and unique for the vendor."""
    serial = 10_000 + vendor.record * 37 + index
    styles = (f"{serial}", f"INV-{serial}", f"{entered:%y%m}-{serial:06d}", f"{vendor.name[0].upper()}{serial}")
    return styles[vendor.record % len(styles)]


def _entity(rng: random.Random, vendor: SeedVendor) -> str:
    usual = vendor.entity or KINDS[vendor.kind].entity
    return rng.choice(ENTITIES).id if vendor.kind == "Service" and not vendor.entity else usual


def _modified(rng: random.Random, arrival: Arrival) -> datetime:
    """The last change: posting, for some a later edit, for paid bills the payment; never after `NOW`."""
    last = arrival.at + timedelta(seconds=rng.randrange(3600))
    if arrival.planted:
        return min(last, NOW)
    if rng.random() < EDITED_SHARE:
        last += timedelta(seconds=rng.randrange(5 * 86_400))
    if arrival.state in ("Selected", "Partially Paid", "Paid"):
        last = _payment(last)
    return (
        last if last <= NOW else arrival.at + timedelta(seconds=rng.randrange(int((NOW - arrival.at).total_seconds())))
    )


def _payment(after: datetime) -> datetime:
    """The same time on the next payment day."""
    days = next(days for days in range(1, 8) if (after + timedelta(days=days)).weekday() in PAYMENT_DAYS)
    return after + timedelta(days=days)


def _purchase(rng: random.Random, arrival: Arrival, index: int) -> SeedPurchase:
    order = f"P{40_000 + index:06d}"  # the DOCID of the order, which many write into BIG04, has room for 22 characters
    return SeedPurchase(
        record=FIRST_PURCHASE + index,
        id=f"Vendor Invoice-VI-{index + 1:06d}",
        number=f"VI-{index + 1:06d}",
        definition="Vendor Invoice",
        vendor=arrival.vendor.id,
        date=max(arrival.since, arrival.at.date() - timedelta(days=rng.randrange(3))),
        order=f"Purchase Order-{order}",
        order_number=order,
        currency=arrival.vendor.currency,
        created=arrival.at,
        modified=arrival.at + timedelta(seconds=rng.randrange(60)),
    )


def _lines(rng: random.Random, vendor: SeedVendor) -> tuple[SeedLine, ...]:
    goods, items = GOODS[vendor.kind], _items(vendor.id, vendor.kind)
    scale = 8 if rng.random() < TRUCKLOAD_SHARE else 1
    entity = vendor.entity or KINDS[vendor.kind].entity
    return tuple(
        _line(rng, number, rng.choice(items), goods, scale, entity) for number in range(1, _line_count(rng, goods) + 1)
    )


def _line_count(rng: random.Random, goods: Goods) -> int:
    """Log-normal with the kind's mean and 95th percentile, from 1 to twice that percentile."""
    mu, sigma = _log_normal(goods.lines, goods.lines_p95)
    return max(1, min(2 * goods.lines_p95, round(rng.lognormvariate(mu, sigma))))


@cache
def _log_normal(mean: int, p95: int) -> tuple[float, float]:
    z = 1.645  # the normal's 95th percentile: ln p95 - ln mean = z * sigma - sigma**2 / 2
    sigma = z - math.sqrt(z * z - 2 * math.log(p95 / mean))
    return math.log(mean) - sigma * sigma / 2, sigma


def _line(rng: random.Random, number: int, item: Item, goods: Goods, scale: int, location: str) -> SeedLine:
    count = scale * max(1, round(rng.expovariate(1 / goods.quantity)))
    if item.catch:  # a case weighs about 40 lb; scales show two or three decimals
        quantity, unit = Decimal(count * rng.randrange(36_000, 44_001)).scaleb(-3), "LB"
        quantity = quantity if rng.random() < 0.5 else quantity.quantize(CENT, ROUND_HALF_UP)
    else:
        quantity, unit = Decimal(count), item.unit
    price = Decimal(max(1, item.cents + rng.randrange(-(item.cents // 20), item.cents // 20 + 1))).scaleb(-2)
    return SeedLine(
        number=number,
        amount=(quantity * price).quantize(CENT, ROUND_HALF_UP),
        description=item.name,
        quantity=quantity,
        unit=unit,
        price=price,
        item=item.id,
        item_name=item.name,
        account=goods.account,
        location=location,
    )


def _as_entered(line: SeedLine) -> SeedLine:
    """The line as someone keys it into AP: a description and an amount."""
    return SeedLine(
        number=line.number,
        amount=line.amount,
        description=line.description,
        account=line.account,
        location=line.location,
    )


def _with_offset(bill: SeedBill, purchase: SeedPurchase | None) -> Drawn:
    """The bill with an offset line the system generated: it is no user line and does not count towards the total."""
    offset = SeedLine(
        number=len(bill.lines) + 1,
        amount=-bill.total,
        description="Accounts payable offset",
        account="2000",
        generated=True,
    )
    return msgspec.structs.replace(bill, lines=(*bill.lines, offset)), purchase


@cache
def _items(vendor: str, kind: str) -> tuple[Item, ...]:
    """What this vendor sells; the same in every world."""
    rng, goods = random.Random(f"items of {vendor}"), GOODS[kind]
    return tuple(_item(rng, goods, f"{vendor[2:]}{serial:02d}", name) for serial, name in enumerate(goods.items, 1))


def _item(rng: random.Random, goods: Goods, item: str, name: str) -> Item:
    catch = rng.random() < goods.catch_weight
    low, high = goods.pound_cents if catch else goods.cents
    cents = round(math.exp(rng.uniform(math.log(low), math.log(high))))
    return Item(id=item, name=name, unit=rng.choice(goods.units), cents=cents, catch=catch)
