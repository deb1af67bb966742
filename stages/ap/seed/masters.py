"""The chart of accounts and the dimensions of the seeded company, and the orders its purchasing documents came from."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from stages.ap.seed.goods import GOODS
from stages.ap.seed.roster import ENTITIES
from stages.ap.seed.world import SeedMaster, SeedPurchase, SeedReference

FIRST_ORDER = 600_001
NUMBERED_SHARE = 0.85  # of items, those that have a number of their vendor's
_MADE = datetime(2019, 1, 2, 14, 0, tzinfo=UTC)
_DEPARTMENTS = (
    ("100", "Buying", ""),
    ("110", "Category management", "100"),
    ("200", "Warehouse", ""),
    ("300", "Finance", ""),
)
_CLASSES = (("REG", "Regular", ""), ("PROMO", "Promotion", ""))
_PROJECTS = (("P-100", "Cold store extension", ""), ("P-101", "Cold store extension, doors", "P-100"))
_CUSTOMERS = (
    ("C-100", "Wharfside Grill", ""),
    ("C-101", "Wharfside Catering", "C-100"),
    ("C-102", "Elm Street Schools", ""),
)
_EMPLOYEES = (("E-01", "Imarisha, Dana", "100"), ("E-02", "Okonjo, Lee", "110"), ("E-03", "Tveit, Maren", "300"))
_WAREHOUSES = (("WH-10", "Broadline dock", ""), ("WH-20", "Cooler and ripening rooms", ""), ("WH-30", "Freezer", ""))
_ACCOUNTS = (("1010", "Operating cash", "balancesheet"), ("2000", "Accounts payable", "balancesheet"), ("5000", "Purchases", "incomestatement"))  # fmt: skip


def masters(purchases: Iterable[SeedPurchase]) -> tuple[SeedMaster, ...]:
    """Accounts, departments, locations (the entities), classes and projects; and every item that was bought, by id."""
    tables = {
        "GLACCOUNT": _accounts(),
        "DEPARTMENT": _DEPARTMENTS,
        "LOCATION": tuple((entity.id, entity.name, "") for entity in ENTITIES),
        "CLASS": _CLASSES,
        "PROJECT": _PROJECTS,
        "ITEM": _items(purchases),
        "CUSTOMER": _CUSTOMERS,
        "EMPLOYEE": _EMPLOYEES,
        "WAREHOUSE": _WAREHOUSES,
    }
    return tuple(master for object, rows in tables.items() for master in _rows(object, rows))


def _rows(object: str, rows: Iterable[tuple[str, str, str]]) -> Iterator[SeedMaster]:
    for number, (id, name, more) in enumerate(rows, start=1):
        kind, parent = (more, "") if object in ("GLACCOUNT", "ITEM") else ("", more)
        yield SeedMaster(
            object=object, record=number, id=id, name=name, parent=parent, kind=kind, modified=_MADE + timedelta(hours=number)
        )  # fmt: skip


def _accounts() -> tuple[tuple[str, str, str], ...]:
    bought = {goods.account: f"{kind} purchases" for kind, goods in GOODS.items()}
    return (*_ACCOUNTS, *((id, name, "incomestatement") for id, name in sorted(bought.items())))


def _items(purchases: Iterable[SeedPurchase]) -> tuple[tuple[str, str, str], ...]:
    items = {line.item: line.description for each in purchases for line in each.lines if line.item}
    return tuple((id, items[id], "Inventory") for id in sorted(items))


def orders(purchases: Iterable[SeedPurchase]) -> tuple[SeedPurchase, ...]:
    """The order behind each vendor invoice of Purchasing, with the same lines."""
    return tuple(
        msgspec.structs.replace(
            purchase,
            record=FIRST_ORDER + number,
            id=purchase.order,
            number=purchase.order_number,
            definition="Purchase Order",
            order="",
            order_number="",
        )
        for number, purchase in enumerate(purchases)
        if purchase.order
    )


def references(purchases: Iterable[SeedPurchase]) -> tuple[SeedReference, ...]:
    """The vendors' own numbers of most items that were bought of them, by item; in each vendor's own style."""
    bought = {(line.item, each.vendor): line for each in purchases for line in each.lines if line.item}
    found = [
        (item, vendor, line.description)
        for (item, vendor), line in sorted(bought.items())
        if random.Random(f"numbered {item} {vendor}").random() < NUMBERED_SHARE
    ]
    return tuple(
        SeedReference(
            record=number, item=item, vendor=vendor, number=_vendor_number(item, vendor), description=text,
            created=_MADE, modified=_MADE + timedelta(minutes=number),
        )
        for number, (item, vendor, text) in enumerate(found, start=1)
    )  # fmt: skip


def _vendor_number(item: str, vendor: str) -> str:
    """What the vendor calls it. An item's id ends in its serial number, so that no two of a vendor are called the same."""
    rng = random.Random(f"numbers of {vendor}")
    serial = rng.randrange(1_000, 9_000) + int(item[-2:])
    return rng.choice((f"{serial}", f"0{serial}", f"{vendor[-2:]}-{serial}", f"{rng.choice('ABCDEFGH')}{serial}"))
