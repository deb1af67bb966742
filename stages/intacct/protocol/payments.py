"""Payments of the gateway as `stages.ap.model.Payment`: what a payment's details say of the bills and credits it settles. Pure.

A detail applies money, a discount or a credit to a bill (RECORDKEY) or to an adjustment that increases what is owed (POSADJKEY).
A credit applied (ADJUSTMENTKEY, ADVANCEKEY) settles part of the bill without money: it becomes an item of its own, with a minus.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from pipeline import DataError
from stages.ap.model import Payment, PaymentDetail
from stages.intacct.protocol.objects import bill_currency, bill_total, must
from stages.intacct.protocol.responses import Source

ADJUSTMENT_KEYS = ("POSADJKEY", "ADJUSTMENTKEY")
"""Where a detail names an AP adjustment."""
_CREDITS = (("ADJUSTMENTKEY", "TRX_ADJUSTMENTAMOUNT"), ("POSTEDADVANCEKEY", "TRX_POSTEDADVANCEAMOUNT"))
_NOTHING = Decimal(0)


class _Item(msgspec.Struct):
    """One thing settled, summed over the details that name it: a bill may have one for each of its lines."""

    kind: str  # bill | adjustment | advance
    record: str
    paid: Decimal = _NOTHING
    discount: Decimal = _NOTHING
    sources: list[Source] = []


def payment(
    header: Source,
    details: Sequence[Source],
    *,
    bills: Mapping[str, Source],
    adjustments: Mapping[str, Source],
    currency: str,
) -> Payment:
    """The payment. ``bills`` and ``adjustments`` are by RECORDNO; what is not among them has no number here, and cannot be advised.

    Raises `DataError` when it has no vendor, date, total or currency, or a detail settles nothing that it names.
    """
    record = must(header, "RECORDNO")
    own_currency = bill_currency(header, currency) or must(header, "CURRENCY")
    documents = {"bill": bills, "adjustment": adjustments}
    return Payment(
        record=record,
        number=header["DOCNUMBER"] or header["RECORDID"] or record,  # without a check number our own number traces it
        vendor=must(header, "VENDORID"),
        vendor_name=header["VENDORNAME"] or "",
        method=header["PAYMENTMETHOD"] or "",
        state=header["STATE"] or "",
        date=header["WHENPAID"] or header["PAYMENTDATE"] or must(header, "WHENCREATED"),
        memo=header["DESCRIPTION"] or "",
        total=bill_total(header),
        currency=own_currency,
        entity=header["MEGAENTITYID"] or "",
        details=tuple(
            _detail(item, documents.get(item.kind, {}).get(item.record), own_currency) for item in _items(details)
        ),
        source=header,
    )


def settled(payment: Payment) -> Decimal:
    """What its details add up to: header and details come from several calls, and agree when nobody saved in between."""
    return sum((detail.paid for detail in payment.details), _NOTHING)


def _items(details: Iterable[Source]) -> list[_Item]:
    """Bills and adjustments in the order they are first named, each before the credits applied to it."""
    items: dict[tuple[str, str], _Item] = {}
    for detail in details:
        kind = "adjustment" if detail["POSADJKEY"] else "bill"
        target = _item(items, kind, detail["POSADJKEY"] or detail["RECORDKEY"] or _settles_nothing(detail), detail)
        target.paid += detail["TRX_PAYMENTAMOUNT"] or _NOTHING
        target.discount += detail["TRX_DISCOUNTAMOUNT"] or _NOTHING
        for key, amount in _CREDITS:
            if detail[key] and detail[amount]:
                target.paid += detail[amount]
                kind = "adjustment" if key == "ADJUSTMENTKEY" else "advance"
                _item(items, kind, detail[key], detail).paid -= detail[amount]
    return list(items.values())


def _item(items: dict[tuple[str, str], _Item], kind: str, record: str, detail: Source) -> _Item:
    found = items.setdefault((kind, record), _Item(kind, record))
    found.sources.append(detail)
    return found


def _settles_nothing(detail: Source) -> str:
    raise DataError(
        "a payment's detail names nothing that it settles", where=f"record {detail['RECORDNO']} of Intacct",
        why="neither RECORDKEY nor POSADJKEY is filled in", mend="look the payment up in Intacct, then replay it", owner="AP",
        code="MLC-INTACCT-0404",
    )  # fmt: skip


def _detail(item: _Item, document: Source | None, currency: str) -> PaymentDetail:
    """``gross`` only where this payment settles the whole document: nothing else is known of what was left open before."""
    gross = _gross(document, currency)
    if item.paid < 0 and gross is not None:
        gross = -abs(gross)  # a credit, whichever sign the books give it
    return PaymentDetail(
        number="" if document is None else document["RECORDID"] or "",
        paid=item.paid,
        gross=gross if gross is not None and gross - item.discount == item.paid else None,
        discount=item.discount,
        record=item.record,
        date=None if document is None else document["WHENCREATED"],
        order="" if document is None else document["DOCNUMBER"] or "",
        source={"DETAILS": item.sources},
    )


def _gross(document: Source | None, currency: str) -> Decimal | None:
    """The document's total, when it is known and in the payment's currency."""
    if document is None or bill_currency(document, currency) != currency:
        return None
    try:
        return bill_total(document)
    except DataError:
        return None
