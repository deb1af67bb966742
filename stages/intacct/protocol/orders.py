"""Purchasing documents of order definitions as `stages.ap.model.Order`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from stages.ap.model import Order, OrderLine
from stages.intacct.protocol.objects import bill_currency, must
from stages.intacct.protocol.purchases import place
from stages.intacct.protocol.responses import Source


def order(header: Source, entries: Sequence[Source], *, currency: str) -> Order:
    """The order. ``currency`` is assumed when the books name none. Raises `DataError` without id, vendor, date, total or currency."""
    lines = tuple(_line(entry, number) for number, entry in enumerate(sorted(entries, key=place), start=1))
    return Order(
        id=must(header, "DOCID"),
        number=header["DOCNO"] or "",
        definition=must(header, "DOCPARID"),
        vendor=must(header, "CUSTVENDID"),
        state=header["STATE"] or "",
        date=must(header, "WHENCREATED"),
        due=header["WHENDUE"],
        total=order_total(header),
        currency=bill_currency(header, currency) or must(header, "CURRENCY"),
        lines=lines,
        source=header,
    )


def order_total(header: Source) -> Decimal:
    """The total in the transaction currency; ``TOTAL`` where the company has no other."""
    total = _first(header, "TRX_TOTAL", "TOTAL")
    return Decimal(must(header, "TOTAL") if total is None else total)


def _line(entry: Source, number: int) -> OrderLine:
    """Quantity and price as typed, in the unit of the transaction. Lines count from 0 in the books, from 1 here."""
    quantity = _first(entry, "UIQTY", "QUANTITY")
    return OrderLine(
        number=number,
        item=entry["ITEMID"] or "",
        description=entry["ITEMDESC"] or entry["ITEMNAME"] or entry["MEMO"] or "",
        quantity=must(entry, "QUANTITY") if quantity is None else quantity,
        unit=entry["UNIT"] or "",
        price=_first(entry, "UIPRICE", "TRX_PRICE", "PRICE"),
        amount=_first(entry, "UIVALUE", "TRX_VALUE", "TOTAL"),
        converted=entry["QTY_CONVERTED"] or Decimal(0),
        source=entry,
    )


def _first(source: Source, *names: str) -> Any:
    return next((source[name] for name in names if source[name] is not None), None)
