"""What the sets made from a bill share: its lines, parties, terms, references and charges as X12 rows, and the sums that must be right.

Pure data and small pure functions; each set's own rows are in its own module (`invoice_810`, `order_850`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pipeline import DataError
from stages.ap.charges import discount_amount, is_goods
from stages.ap.model import Bill, BillLine
from stages.x12.guide import OUR_ITEM_IDS, PRICE_SCALES, VENDOR_ITEM_IDS, Guide, Party
from stages.x12.writing.mapping import Each, Row, Source, Unusable, computed, each, lookup, path, segment

_CENT = Decimal("0.01")
_EACH = "EA"  # the unit of a line entered in AP, which is one times its amount


# -- lines ------------------------------------------------------------------------------------------------------------


def line_rows(id: str, guide: Guide) -> Each:
    """IT1 or PO1 for each line of goods: both hold the same things at the same places; descriptions and references follow."""
    elements: dict[int, Source] = {1: path("line.number"), 2: _quantity(guide), 3: _unit(guide), 4: _price(guide)}
    exact = {2: "quantity times price is the line", 4: "quantity times price is the line"}
    if guide.price_basis:
        exact[5] = "`price_basis` states the price by it"
        elements[5] = lookup("price basis", "line.unit", guide.price_basis, optional=True, table_name="price_basis")
    fields = _line_fields("line")
    row = segment(
        id,
        elements,
        pairs_from=6,
        pairs=tuple((kind, _item(kind, guide, fields)) for kind in guide.item_ids),
        pairs_by="guide.item_ids",
        when=is_goods(guide),
        exact=exact,
        guards="the lines make up the total",
        children=(
            *(
                segment("PID", {1: "F", 5: _field(f, fields)}, by=_by(guide, "descriptions"))
                for f in guide.descriptions
            ),
            *refs(guide, "line_refs", fields),
        ),
    )
    return each("line", "bill.lines", row)


def _by(guide: Guide, key: str) -> str:
    """The key of the guide, when it is not left at its default."""
    return f"guide.{key}" if getattr(guide, key) != getattr(Guide(), key) else ""


def _line_fields(var: str) -> dict[str, Source]:
    """What a line can be told by. What its vendor calls the item is the vendor's master data: it goes by our item."""
    names = ("item", "description", "account", "department", "location")
    own: dict[str, Source] = {name: path(f"{var}.{name}") for name in names}
    return own | {"vendor_item": path(f"{var}.vendor_item", known_by=f"{var}.item")}


def _item(kind: str, guide: Guide, fields: Mapping[str, Source]) -> Source:
    field = guide.item_fields.get(kind)
    if field is None:
        assert kind in OUR_ITEM_IDS | VENDOR_ITEM_IDS
        field = "item" if kind in OUR_ITEM_IDS else "vendor_item"
    return _field(field, fields)


def _field(name: str, fields: Mapping[str, Source]) -> Source:
    """A field by its name, or the guide's own text behind ``=``."""
    return name[1:] if name.startswith("=") else fields[name]


def refs(guide: Guide, key: str, fields: Mapping[str, Source]) -> tuple[Row, ...]:
    """A REF for each entry of this key of the guide."""
    wanted: Mapping[str, str] = getattr(guide, key)
    by = _by(guide, key)
    return tuple(
        segment("REF", {1: kind, 2: _field(field, fields)}, by=by and f"{by}.{kind}") for kind, field in wanted.items()
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
        return _scaled("price", _stated_price, guide, "line.price", "line.amount")
    return _scaled("credit price", _credit_price, guide, *_OF_CREDIT, "line.price", "line.amount")


_OF_CREDIT = ("line.quantity", "bill.total")


def _scaled(name: str, price: Callable[..., Decimal], guide: Guide, *paths: str) -> Source:
    """The price, restated for a hundred or a thousand where the partner wants that for the line's unit."""
    scales = {unit: PRICE_SCALES[basis] for unit, basis in guide.price_basis.items() if basis in PRICE_SCALES}
    if not scales:
        return computed(name, price, *paths)
    return computed(f"{name} by basis", lambda unit, *values: price(*values) * scales.get(unit, 1), "line.unit", *paths)


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


# -- parties, references, dates ---------------------------------------------------------------------------------------


def party_rows(set: str, guide: Guide, usual: tuple[Party, ...], subject: str = "bill") -> tuple[Row, ...]:
    """The N1 loops: the guide's, or the usual ones of the set. ``subject`` is where vendor and entity are.

    Names and addresses are volatile: they are the vendor's master data, and a vendor who moves amends no bill sent before.
    """
    wanted = [party for party in guide.parties if not party.sets or set in party.sets] if guide.parties else usual
    return tuple(_party_row(party, guide, subject) for party in wanted)


def _party_row(party: Party, guide: Guide, subject: str) -> Row:
    ids = {"us": path("us.id"), "vendor": path(f"{subject}.vendor"), "entity": path(f"{subject}.entity")}
    names: dict[str, Source] = {
        "us": path("us.name"),
        "entity": path("us.name"),
        "vendor": path(f"{subject}.vendor_name", volatile=True),
    }
    names["remit_to"] = computed("name", _first, "bill.remit_to.company", "bill.remit_to.name", volatile=True)
    id = party.id or ("none" if party.who == "remit_to" else party.who)
    qualifier = party.qualifier or guide.party_ids
    return segment(
        "N1",
        {1: party.role, 2: party.name or names[party.who]},
        pairs_from=3,
        pairs=() if id == "none" else ((qualifier, _field(id, ids)),),
        children=_remit_to_address() if party.who == "remit_to" else (),
        by=_by(guide, "parties"),
        pairs_by="" if party.qualifier else _by(guide, "party_ids"),
    )


def _remit_to_address() -> tuple[Row, ...]:
    """Where payment goes, when the bill says so."""
    address = "bill.remit_to.address"
    lines = (f"{address}.line1", f"{address}.line2")
    where: dict[int, Source] = {
        1: path(f"{address}.city", volatile=True),
        2: computed("state code", _state_code, f"{address}.state", volatile=True),
        3: path(f"{address}.postal_code", volatile=True),
        4: path(f"{address}.country", volatile=True),
    }
    province = ("SP", computed("province", _province, f"{address}.state", volatile=True))
    first = computed("first line", _first, *lines, volatile=True)
    second = computed("second line", _second, *lines, volatile=True)
    return (segment("N3", {1: first, 2: second}), segment("N4", where, pairs_from=5, pairs=(province,)))


def _first(one: str | None, other: str | None) -> str | None:
    return one or other


def _second(one: str | None, other: str | None) -> str | None:
    return other if one else None


def _state_code(state: str | None) -> str:
    return state if state and len(state) == 2 else ""


def _province(state: str | None) -> str:
    """N402 holds codes of two letters only; any other state or province goes to N406 by name."""
    return state if state and len(state) != 2 else ""


def bill_refs(guide: Guide) -> tuple[Row, ...]:
    """The REFs of the header."""
    names = ("number", "vendor", "entity", "reference", "description")
    fields: dict[str, Source] = {name: path(f"bill.{name}") for name in names}
    # Purchasing gives a bill a new record number with every edit: that alone is no reason to send it again.
    fields["record"] = path("bill.record", volatile=True)
    fields["order"] = computed("order number", order_number, *ORDER_NUMBER_PATHS)
    fields["document"] = path("bill.purchase.number")
    return refs(guide, "refs", fields)


def date_rows(guide: Guide) -> tuple[Row, ...]:
    """A DTM for each of the guide's ``dates``."""
    dates = {
        "date": "bill.date",
        "due": "bill.due",
        "discount_date": "bill.discount_date",
        "order_date": "bill.purchase.date",
    }
    return tuple(
        segment("DTM", {1: kind, 2: path(dates[field])}, by=f"guide.dates.{kind}")
        for kind, field in guide.dates.items()
    )


def currency_row(guide: Guide, of: str = "bill.currency", entity: str = "") -> Row:
    """CUR, unless it is the currency that need not be told. ``entity`` is CUR01 where the guide has no say over it."""
    home = guide.home_currency
    by = "guide.home_currency" if home else "" if entity else _by(guide, "currency_entity")
    told: Source = path(of)
    if home:
        told = computed("foreign currency", lambda currency: "" if currency == home else currency, of)
    exact = {2: "the amounts are in it"}
    guards = "the amounts are not in the partner's own currency"
    return segment("CUR", {1: entity or guide.currency_entity, 2: told}, by=by, exact=exact, guards=guards)


def contact_rows(guide: Guide) -> tuple[Row, ...]:
    """PER, when the guide names somebody."""
    contact = guide.contact
    ways = (("TE", contact.phone), ("EM", contact.email))
    elements: dict[int, Source] = {1: contact.function, 2: contact.name}
    for position, (kind, number) in zip((3, 5), [way for way in ways if way[1]], strict=False):
        elements |= {position: kind, position + 1: number}
    said = {position: source for position, source in elements.items() if source}
    return (segment("PER", said, by="guide.contact"),) if len(said) > 1 else ()


def fob_rows(guide: Guide) -> tuple[Row, ...]:
    """FOB, when the guide says who pays the freight."""
    return (segment("FOB", {1: guide.fob}, by="guide.fob"),) if guide.fob else ()


# -- terms, order number ----------------------------------------------------------------------------------------------


def terms_row(guide: Guide) -> Row:
    """ITD, for terms that the guide knows."""

    def of(key: str, name: str) -> Source:
        table = {name: getattr(terms, key) for name, terms in guide.terms.items()}
        return lookup(name, "bill.terms", table, optional=True)

    discounted = {name for name, terms in guide.terms.items() if terms.percent is not None}

    def discount_date(name: str | None, day: date | None) -> date | None:
        return day if name in discounted else None

    elements: dict[int, Source] = {
        1: of("type", "terms type"),
        2: of("basis", "terms basis"),
        3: of("percent", "terms percent"),
        4: computed("discount date", discount_date, "bill.terms", "bill.discount_date"),
        5: of("discount_days", "discount days"),
        6: path("bill.due"),
        7: of("net_days", "net days"),
        12: path("bill.terms"),
    }
    if guide.discount_amounts:
        elements[8] = discount_amount(guide)
    known = lookup("terms", "bill.terms", {name: name for name in guide.terms}, optional=True)
    return segment("ITD", elements, when=known, by="guide.terms")


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


def check_sums(subject: Mapping[str, Any]) -> Iterable[DataError]:
    """The lines make up the total, and each line is its quantity times its price, rounded half up to the cent."""
    bill: Bill = subject["bill"]
    added = sum((tax.amount for tax in bill.taxes), Decimal(0))
    for line in bill.lines:
        amount = line.amount
        if line.price is None:
            if line.quantity != 1:
                break
        elif line.quantity * line.price != amount and not _extends(line):  # most need no rounding
            break
        added += amount
    else:
        if bill.lines and added == bill.total:
            return ()
    return _wrong_sums(bill)


def _extends(line: BillLine) -> bool:
    if line.price is None:
        return line.quantity == 1
    return (line.quantity * line.price).quantize(_CENT, ROUND_HALF_UP) == line.amount


def _wrong_sums(bill: Bill) -> Iterator[DataError]:
    if not bill.lines:
        yield _error(bill, "The bill has no lines", "", "a document needs at least one", "MLC-X12-0301")
        return
    for line in bill.lines:
        if not _extends(line):
            yield from _check_line(bill, line)
    taxes = sum((tax.amount for tax in bill.taxes), Decimal(0))
    added = sum((line.amount for line in bill.lines), taxes)
    if added != bill.total:
        with_taxes = f" with {taxes} of tax" if taxes else ""
        why = f"the lines add up to {added}{with_taxes}, the bill says {bill.total} {bill.currency}"
        yield _error(bill, "The lines do not add up to the bill's total", "", why, "MLC-X12-0302", mend=_MEND_TOTAL)


def check_units(subject: Mapping[str, Any]) -> Iterable[DataError]:
    """Lines made by Purchasing say what their quantity counts. A line of the bill alone, such as freight, is one of itself."""
    bill: Bill = subject["bill"]
    if bill.purchase is None or all(line.unit for line in bill.lines):
        return ()
    if bill.source.get("POLINES") == "none":
        why = f"none of them agrees with a line of {bill.purchase.id}"
        return (_error(bill, "The bill's lines are not those of its purchasing document", "", why, "MLC-X12-0306"),)
    return _without_unit(bill)


def _without_unit(bill: Bill) -> Iterator[DataError]:
    for line in bill.lines:
        if not line.unit and (line.price is not None or line.quantity != 1):
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


_MEND = "Correct the bill in the books and run again"
_MEND_TOTAL = (
    f"{_MEND}; if it is right there, the books keep a part of it in lines that do not come with the bill: ask IT"
)


def _error(bill: Bill, what: str, place: str, why: str, code: str, *, mend: str = _MEND) -> DataError:
    where = f"bill {bill.number or bill.record}{place}"
    return DataError(what, where=where, why=why, mend=mend, owner="AP", code=code)
