"""What the sets made from a bill share: its lines, parties, terms and order number as X12 rows, and the sums that must be right.

Pure data and small pure functions; each set's own rows are in its own module (`invoice_810`, `order_850`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pipeline import DataError
from stages.ap.model import Bill, BillLine
from stages.x12.guide import OUR_ITEM_IDS, Guide
from stages.x12.mapping import Row, Source, Unusable, computed, lookup, path, segment

_CENT = Decimal("0.01")
_EACH = "EA"  # the unit of a line entered in AP, which is one times its amount


# -- lines ------------------------------------------------------------------------------------------------------------


def line_row(id: str, guide: Guide) -> Row:
    """IT1 or PO1, which hold the same things at the same places, with the description in a PID."""
    return segment(
        id,
        {1: path("line.number"), 2: _quantity(guide), 3: _unit(guide), 4: _price(guide)},
        pairs_from=6,
        pairs=tuple(
            (kind, path("line.item" if kind in OUR_ITEM_IDS else "line.vendor_item")) for kind in guide.item_ids
        ),
        children=(segment("PID", {1: "F", 5: path("line.description")}),),
    )


def _unit(guide: Guide) -> Source:
    return lookup("unit", "line.unit", guide.units, blank=_EACH, table_name="units")


def _quantity(guide: Guide) -> Source:
    if guide.credit_sign == "minus":
        return path("line.quantity")
    return computed(
        "credit quantity", lambda quantity, total: abs(quantity) if total < 0 else quantity, *_OF_CREDIT[:2]
    )


def _price(guide: Guide) -> Source:
    if guide.credit_sign == "minus":
        return computed("price", _stated_price, "line.price", "line.amount")
    return computed("credit price", _credit_price, *_OF_CREDIT, "line.price", "line.amount")


_OF_CREDIT = ("line.quantity", "bill.total")


def _stated_price(price: Decimal | None, amount: Decimal) -> Decimal:
    return amount if price is None else price


def _credit_price(quantity: Decimal, total: Decimal, price: Decimal | None, amount: Decimal) -> Decimal:
    """In a credit told by its type the sign moves from the amounts into BIG07: a returned quantity is counted, not priced, down."""
    stated = _stated_price(price, amount)
    return -stated if total < 0 <= quantity else stated


def total(guide: Guide) -> Source:
    """The bill's total, with the sign the partner wants credits to have."""
    return path("bill.total") if guide.credit_sign == "minus" else computed("credit total", abs_of_credit, "bill.total")


def abs_of_credit(total: Decimal) -> Decimal:
    return abs(total)


def line_count() -> Source:
    return computed("count", len, "bill.lines.number")


# -- parties, terms, order number -------------------------------------------------------------------------------------


def us_row(guide: Guide) -> Row:
    """We are the buyer, whoever sends the document."""
    return segment("N1", {1: "BY", 2: path("us.name")}, pairs_from=3, pairs=((guide.party_ids, path("us.id")),))


def supplier_row(entity: str, guide: Guide) -> Row:
    """The vendor as seller (``entity`` SE) or vendor (VN)."""
    id = ((guide.party_ids, path("bill.vendor")),)
    return segment("N1", {1: entity, 2: path("bill.vendor_name")}, pairs_from=3, pairs=id)


def remit_to_row() -> Row:
    """Where payment goes, when the bill says so."""
    address = "bill.remit_to.address"
    lines = (f"{address}.line1", f"{address}.line2")
    name = computed("name", _first, "bill.remit_to.company", "bill.remit_to.name")
    where: dict[int, Source] = {
        1: path(f"{address}.city"),
        2: computed("state code", _state_code, f"{address}.state"),
        3: path(f"{address}.postal_code"),
        4: path(f"{address}.country"),
    }
    province = ("SP", computed("province", _province, f"{address}.state"))
    return segment(
        "N1",
        {1: "RE", 2: name},
        children=(
            segment("N3", {1: computed("first line", _first, *lines), 2: computed("second line", _second, *lines)}),
            segment("N4", where, pairs_from=5, pairs=(province,)),
        ),
    )


def _first(one: str | None, other: str | None) -> str | None:
    return one or other


def _second(one: str | None, other: str | None) -> str | None:
    return other if one else None


def _state_code(state: str | None) -> str:
    return state if state and len(state) == 2 else ""


def _province(state: str | None) -> str:
    """N402 holds codes of two letters only; any other state or province goes to N406 by name."""
    return state if state and len(state) != 2 else ""


def terms_row(guide: Guide) -> Row:
    """ITD, for terms that the guide knows."""

    def of(key: str) -> Callable[[str | None], Any]:
        values = {name: getattr(terms, key) for name, terms in guide.terms.items()}
        return lambda name: values.get(name or "")

    percent = of("percent")

    def discount_date(name: str | None, day: date | None) -> date | None:
        return day if percent(name) is not None else None

    elements: dict[int, Source] = {
        1: computed("terms type", of("type"), "bill.terms"),
        2: computed("terms basis", of("basis"), "bill.terms"),
        3: computed("terms percent", percent, "bill.terms"),
        4: computed("discount date", discount_date, "bill.terms", "bill.discount_date"),
        5: computed("discount days", of("discount_days"), "bill.terms"),
        6: path("bill.due"),
        7: computed("net days", of("net_days"), "bill.terms"),
        12: path("bill.terms"),
    }
    known = lookup("terms", "bill.terms", {name: name for name in guide.terms}, optional=True)
    return segment("ITD", elements, when=known)


ORDER_NUMBER_PATHS = ("bill.purchase.order", "bill.purchase.number", "bill.reference")


def order_number(order: str | None, document: str | None, reference: str | None) -> str:
    """The order a bill belongs to: what its purchasing document was made from, else that document, else the reference."""
    return order or document or reference or ""


def required_order_number(order: str | None, document: str | None, reference: str | None) -> str:
    number = order_number(order, document, reference)
    if not number:
        raise Unusable("the bill names no order, neither by a purchasing document nor in its reference number")
    return number


# -- checks -----------------------------------------------------------------------------------------------------------


def check_sums(subject: Mapping[str, Any]) -> Iterator[DataError]:
    """The lines make up the total, and each line is its quantity times its price, rounded half up to the cent."""
    bill: Bill = subject["bill"]
    if not bill.lines:
        yield _error(bill, "The bill has no lines", "", "a document needs at least one", "MLC-X12-0301")
        return
    for line in bill.lines:
        if line.price is not None or line.quantity != 1:
            yield from _check_line(bill, line)
    added = sum((line.amount for line in bill.lines), Decimal(0))
    if added != bill.total:
        why = f"the lines add up to {added}, the bill says {bill.total} {bill.currency}"
        yield _error(bill, "The lines do not add up to the bill's total", "", why, "MLC-X12-0302")


def check_units(subject: Mapping[str, Any]) -> Iterator[DataError]:
    """Lines made by Purchasing say what their quantity counts."""
    bill: Bill = subject["bill"]
    if bill.purchase is None:
        return
    for line in bill.lines:
        if not line.unit:
            why = f"it was bought as {line.quantity} of something; the purchasing document does not say of what"
            yield _error(bill, "A purchased line has no unit", f", line {line.number}", why, "MLC-X12-0304")


def _check_line(bill: Bill, line: BillLine) -> Iterator[DataError]:
    price = _stated_price(line.price, line.amount)
    extended = (line.quantity * price).quantize(_CENT, ROUND_HALF_UP)
    if extended != line.amount:
        why = f"{line.quantity} x {price} is {extended}, the line says {line.amount}"
        yield _error(
            bill, "Quantity times price is not the line's amount", f", line {line.number}", why, "MLC-X12-0303"
        )


def _error(bill: Bill, what: str, place: str, why: str, code: str) -> DataError:
    where = f"bill {bill.number or bill.record}{place}"
    return DataError(
        what, where=where, why=why, mend="Correct the bill in the books and run again", owner="AP", code=code
    )
