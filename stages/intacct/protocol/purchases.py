"""The lines of a bill made by Purchasing, joined with the entries of its document: what was bought, how many, at what price. Pure.

A bill's own lines hold amounts only. The bill is what is owed, so its amounts are never touched: money is never made to fit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Literal

import msgspec

from stages.ap.model import BillLine
from stages.intacct.protocol.responses import Source

Paired = Literal["all", "document", "some", "none"]
"""How bill and document fit: ``all`` lines are paired; the ``document``'s lines stand for the bill's; ``some`` lines are paired, the
others were added on the bill; ``none`` is, and the bill's lines say nothing of what was bought."""


class Purchased(msgspec.Struct, frozen=True):
    """The lines of the bill, and how they came about."""

    paired: Paired
    lines: tuple[BillLine, ...]


class _Goods(msgspec.Struct, frozen=True):
    """What a line or an entry can be told by. ``settled`` is a line that names an item, so that nothing but its item may pair it."""

    item: str
    text: str
    amount: Decimal | None
    settled: bool = False


def place(source: Source) -> tuple[int, int]:
    """Where a line or an entry stands: its LINE_NO, then its RECORDNO."""
    return line_number(source), _whole(source["RECORDNO"])


def line_number(source: Source) -> int:
    """Its LINE_NO; 0 when it has none."""
    return _whole(source["LINE_NO"])


@lru_cache(maxsize=1024)
def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0


def purchased_lines(own: Sequence[BillLine], entries: Sequence[Source], total: Decimal) -> Purchased:
    """The lines with quantity, unit, price and item from the document's ``entries``; ``total`` is the bill's.

    Lines and entries are paired by item and amount, then by description and amount, then by amount alone where both sides have it
    equally often; each in its order. When not all pair but the document adds up to the bill, its lines stand for the bill's.
    Otherwise the lines without an entry (freight added on the bill) stay as they are: once their amount, without unit or price.
    """
    ordered = sorted(entries, key=place)
    pairs = _pairs(own, ordered)
    joined = tuple(_bought(line, ordered[pairs[at]]) if at in pairs else line for at, line in enumerate(own))
    if own and len(pairs) == len(own) == len(ordered):
        return Purchased("all", joined)
    amounts = [amount for entry in ordered if (amount := _amount(entry)) is not None]
    if ordered and len(amounts) == len(ordered) and sum(amounts) == total:
        blank = (BillLine(number=index, amount=amount) for index, amount in enumerate(amounts, start=1))
        return Purchased("document", tuple(_bought(line, entry) for line, entry in zip(blank, ordered, strict=True)))
    return Purchased("some" if pairs else "none", joined)


def _pairs(own: Sequence[BillLine], entries: Sequence[Source]) -> dict[int, int]:
    """The place of the entry that belongs to the line at each place, for the lines that have one."""
    itemised = any(entry["ITEMID"] for entry in entries)
    lines = [_Goods(line.item, line.description, line.amount, bool(line.item) and itemised) for line in own]
    bought = [_Goods(entry["ITEMID"] or "", _text(entry), _amount(entry)) for entry in entries]
    pairs: dict[int, int] = {}
    for name in (_item, _description, _alone):
        here, there = _places(lines, name, pairs), _places(bought, name, set(pairs.values()))
        for key, places in here.items():
            others = there.get(key, [])
            if name is not _alone or len(places) == len(others):
                pairs |= dict(zip(places, others, strict=False))
    return pairs


def _places(
    goods: Sequence[_Goods], name: Callable[[_Goods], str | None], done: Collection[int]
) -> dict[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for at, each in enumerate(goods):
        if at not in done and (key := name(each)) is not None:
            groups.setdefault((key, each.amount), []).append(at)
    return groups


def _item(goods: _Goods) -> str | None:
    return goods.item or None


def _description(goods: _Goods) -> str | None:
    return None if goods.settled else goods.text.strip().casefold() or None


def _alone(goods: _Goods) -> str | None:
    return None if goods.settled else ""


def _bought(line: BillLine, entry: Source) -> BillLine:
    quantity = _first(entry, "UIQTY", "QUANTITY")
    return msgspec.structs.replace(
        line,
        description=line.description or _text(entry),
        quantity=Decimal(1) if quantity is None else quantity,
        unit=entry["UNIT"] or "",
        price=_first(entry, "UIPRICE", "TRX_PRICE", "PRICE"),
        item=entry["ITEMID"] or line.item,
        department=line.department or entry["DEPARTMENTID"] or "",
        location=line.location or entry["LOCATIONID"] or "",
        source=entry | line.source,
    )


def _text(entry: Source) -> str:
    return entry["ITEMDESC"] or entry["ITEMNAME"] or entry["MEMO"] or ""


def _amount(entry: Source) -> Decimal | None:
    return _first(entry, "TRX_VALUE", "UIVALUE", "TOTAL")


def _first(source: Source, *names: str) -> Decimal | None:
    return next((source[name] for name in names if source[name] is not None), None)
