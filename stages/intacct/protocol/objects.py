"""Rows of the gateway as the accounts-payable vocabulary of `stages.ap.model`: typed, exact, and digested. Pure.

Nothing is guessed: an amount or date that does not read is a `DataError` for that one record.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any, NoReturn

import msgspec

from pipeline import DataError
from stages.ap.model import Address, Bill, BillLine, BillTax, Contact, PurchaseOrder, Vendor
from stages.intacct.protocol import fields
from stages.intacct.protocol.fields import Type
from stages.intacct.protocol.purchases import line_number, place, purchased_lines
from stages.intacct.protocol.responses import Row, Source
from stages.intacct.protocol.times import read_date

MONEY = ("RECORDNO", "TRX_TOTALENTERED", "TOTALENTERED", "CURRENCY", "BASECURR")
"""What `bill_total` and `bill_currency` need of a header."""
LINE_MONEY = ("RECORDNO", "TRX_AMOUNT", "AMOUNT")
"""What `line_amount` needs of a line."""

_AMOUNT = re.compile(r"[+-]?(?:[0-9]{1,25}(?:\.[0-9]{0,25})?|\.[0-9]{1,25})").fullmatch
_FLAGS = {"true": True, "t": True, "yes": True, "1": True, "false": False, "f": False, "no": False, "0": False}
_REMEMBERED = 2048  # how many texts stay read: a line says its amount twice, and a page has few days
_GENERATED_LINE = {"false", "f", "no", "n", "0"}


class Columns(msgspec.Struct, frozen=True):
    """The fields of an object to take from its rows. ``readers`` are of those that are not text: all others go as they are."""

    object: str
    blank: Source  # every field, as a row that says nothing has it
    readers: tuple[tuple[str, Callable[[str], Any]], ...]

    @classmethod
    def of(cls, object_name: str, names: Iterable[str], types: Mapping[str, Type]) -> Columns:
        blank = dict.fromkeys(names)
        return cls(
            object_name,
            blank,
            tuple((name, _READERS[types[name]]) for name in blank if types.get(name, "text") != "text"),
        )


def typed(row: Row, columns: Columns) -> Source:
    """The fields of a row with their types; absent or empty is None. Raises `DataError` naming the field."""
    blank = columns.blank
    source = blank | row if len(row) <= len(blank) else {}
    if len(source) != len(blank):  # the row has more than is wanted of it
        source = {name: row.get(name) for name in blank}
    name, read = "", None
    try:
        for name, read in columns.readers:
            if (text := source[name]) is not None:
                source[name] = read(text)
    except (ValueError, KeyError):
        raise _unreadable(columns.object, name, read, row) from None
    return source


def _unreadable(object_name: str, name: str, read: object, row: Row) -> DataError:
    kind = next(kind for kind, reader in _READERS.items() if reader is read)
    return DataError(
        f"{name} holds {(row[name] or '')[:60]!r}, which is no {kind}",
        where=f"{object_name} {row.get('RECORDNO') or 'without RECORDNO'}",
        why="the value that Intacct returned does not read as that type",
        mend="correct the record in Intacct, then replay it",
        owner="AP",
        code="MLC-INTACCT-0401",
    )


@lru_cache(maxsize=_REMEMBERED)
def amount(text: str) -> Decimal:
    """An amount of the gateway's. Raises ValueError."""
    if _AMOUNT(text) is None:
        raise ValueError(text)
    return Decimal(text)


_READERS: dict[str, Any] = {
    "amount": amount,
    "date": lru_cache(maxsize=_REMEMBERED)(read_date),
    "flag": lru_cache(maxsize=64)(lambda text: _FLAGS[text.lower()]),
}


def bill(
    header: Source,
    lines: Sequence[Source],
    *,
    currency: str,
    generated: Sequence[Source] = (),
    purchase: Source | None = None,
    entries: Sequence[Source] = (),
    remit_to: Contact | None = None,
) -> Bill:
    """The bill. ``currency`` is assumed when the books name none; ``generated`` are lines nobody entered.

    Raises `DataError` when it has no vendor, date, total or currency. Its source also holds PODOCID, and POLINES: how its lines and the document's were paired (see
    `stages.intacct.protocol.purchases`). Both are None unless Purchasing made the bill.
    """
    total = bill_total(header)
    own = bill_lines(lines)
    taxes = bill_taxes(generated, own, total) if generated else ()
    untaxed = total - sum((tax.amount for tax in taxes), Decimal())
    bought = purchased_lines(own, entries, untaxed) if purchase is not None else None
    return Bill(
        record=must(header, "RECORDNO"),
        number=header["RECORDID"] or "",
        vendor=must(header, "VENDORID"),
        vendor_name=header["VENDORNAME"] or "",
        state=header["STATE"] or "",
        date=must(header, "WHENCREATED"),
        due=header["WHENDUE"],
        discount_date=header["WHENDISCOUNT"],
        terms=header["TERMNAME"] or "",
        description=header["DESCRIPTION"] or "",
        reference=header["DOCNUMBER"] or "",
        total=total,
        currency=bill_currency(header, currency) or _missing(header, "CURRENCY"),
        entity=header["MEGAENTITYID"] or "",
        purchase=None if purchase is None else _purchase(purchase),
        lines=own if bought is None else bought.lines,
        taxes=taxes,
        remit_to=remit_to,
        source=header
        | {
            "PODOCID": None if purchase is None else purchase["DOCID"],
            "POLINES": None if bought is None else bought.paired,
        },
    )


def bill_currency(header: Source, default: str = "") -> str:
    """The transaction currency, else the base currency, else ``default``."""
    return str(header["CURRENCY"] or header["BASECURR"] or default)


def bill_total(header: Source) -> Decimal:
    """The total in the transaction currency. The base total stands in only where both are the same currency."""
    if header["TRX_TOTALENTERED"] is not None:
        return Decimal(header["TRX_TOTALENTERED"])
    if header["CURRENCY"] in (None, header["BASECURR"]) and header["TOTALENTERED"] is not None:
        return Decimal(header["TOTALENTERED"])
    return Decimal(_missing(header, "TRX_TOTALENTERED"))


def is_user_line(row: Row) -> bool:
    """True for lines people entered; tax, subtotal and offset lines that the system adds say so in LINEITEM."""
    return (row.get("LINEITEM") or "true").lower() not in _GENERATED_LINE


def bill_lines(lines: Sequence[Source]) -> tuple[BillLine, ...]:
    """The lines in their order, numbered from 1. A company that numbers them from 0, or not at all, changes nothing."""
    numbers = [line_number(line) for line in lines]
    if min(numbers, default=0) >= 1 and len(set(numbers)) == len(numbers):
        numbered = sorted(zip(numbers, lines, strict=True), key=itemgetter(0))
    else:
        numbered = list(enumerate(sorted(lines, key=place), start=1))
    return tuple(_line(line, number) for number, line in numbered)


def bill_taxes(generated: Sequence[Source], lines: Sequence[BillLine], total: Decimal) -> tuple[BillTax, ...]:
    """The tax among the lines the books generated, by account: what makes up the difference between the entered lines and the total.

    Others are offsets, which say the total once more; when nothing fits, no line is taken for a tax.
    """
    own = sum((line.amount for line in lines), Decimal())
    if own == total:
        return ()
    amounts = [(line, amount) for line in generated if (amount := _amount_of(line))]
    without_offsets = [(line, amount) for line, amount in amounts if abs(amount) != abs(total)]
    fitting = next((some for some in (amounts, without_offsets) if own + sum(a for _, a in some) == total), [])
    taxes: dict[str, BillTax] = {}
    for line, amount in fitting:
        account = line["ACCOUNTNO"] or line["ACCOUNTLABEL"] or ""
        before = taxes.get(account, BillTax(amount=Decimal(), description=line["ENTRYDESCRIPTION"] or ""))
        taxes[account] = BillTax(amount=before.amount + amount, account=account, description=before.description)
    return tuple(taxes.values())


def _amount_of(line: Source) -> Decimal | None:
    amount: Decimal | None = line["TRX_AMOUNT"] if line["TRX_AMOUNT"] is not None else line["AMOUNT"]
    return amount


def _line(line: Source, number: int) -> BillLine:
    return BillLine(
        number=number,
        amount=line_amount(line),
        description=line["ENTRYDESCRIPTION"] or "",
        item=line["ITEMID"] or "",
        account=line["ACCOUNTNO"] or line["ACCOUNTLABEL"] or "",
        department=line["DEPARTMENTID"] or "",
        location=line["LOCATIONID"] or "",
        source=line,
    )


def line_amount(line: Source) -> Decimal:
    """The line's amount in the transaction currency. Raises `DataError` when it has none."""
    amount = _amount_of(line)
    return amount if amount is not None else _missing(line, "TRX_AMOUNT")


def _purchase(document: Source) -> PurchaseOrder:
    return PurchaseOrder(
        id=must(document, "DOCID"),
        number=document["DOCNO"] or "",
        date=document["WHENCREATED"],
        order=document["PONUMBER"] or _number(document["CREATEDFROM"] or ""),
        source=document,
    )


def vendor(source: Source) -> Vendor:
    """The vendor with its contacts. Raises `DataError` when it has no id."""
    return Vendor(
        id=must(source, "VENDORID"),
        name=source["NAME"] or "",
        status=source["STATUS"] or "active",
        terms=source["TERMNAME"] or "",
        currency=source["CURRENCY"] or "",
        account=source["VENDORACCOUNTNO"] or "",
        contact=contact(source, fields.DISPLAY_CONTACT),
        pay_to=contact(source, fields.PAY_TO),
        source=source,
    )


def contact(source: Source, paths: Sequence[str]) -> Contact:
    """The first of these contacts that holds anything; an empty one when none does."""
    for path in paths:
        found = _contact({name: source.get(f"{path}.{name}") or "" for name in fields.CONTACT_FIELDS})
        if found != Contact():
            return found
    return Contact()


def _number(document_id: str) -> str:
    """The number people know of a document id: ``Purchase Order-PO0042`` is the definition, a hyphen, and the number."""
    return document_id.partition("-")[2] or document_id


def plain_contact(source: Source) -> Contact:
    """A CONTACT record of its own."""
    return _contact({name: source.get(name) or "" for name in fields.CONTACT_FIELDS})


def _contact(part: dict[str, str]) -> Contact:
    country = part["MAILADDRESS.COUNTRYCODE"] or part["MAILADDRESS.COUNTRY"]
    return Contact(
        name=part["CONTACTNAME"],
        company=part["COMPANYNAME"],
        first_name=part["FIRSTNAME"],
        last_name=part["LASTNAME"],
        phone=part["PHONE1"] or part["CELLPHONE"],
        email=part["EMAIL1"],
        address=Address(
            name=part["PRINTAS"] or part["COMPANYNAME"],
            line1=part["MAILADDRESS.ADDRESS1"],
            line2=part["MAILADDRESS.ADDRESS2"],
            city=part["MAILADDRESS.CITY"],
            state=part["MAILADDRESS.STATE"],
            postal_code=part["MAILADDRESS.ZIP"],
            country=country.upper() if len(country) == 2 else "",  # a long name is no code
        ),
    )


def digest(*parts: Any) -> str:
    """SHA-256 of the canonical form: sorted keys, no empty fields, exact decimals without trailing zeros, composed Unicode."""
    return hashlib.sha256(msgspec.json.encode(_canonical(parts), order="sorted")).hexdigest()


def _canonical(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return value if value.isascii() else unicodedata.normalize("NFC", value)
    if kind is dict:
        skipped = fields.VOLATILE
        return {
            name: item if type(item) is str and item.isascii() else _canonical(item)
            for name, item in value.items()
            if item is not None and item != "" and name not in skipped
        }
    if kind is Decimal:
        return format(value.normalize() + 0, "f")  # + 0: no negative zero
    if kind is list or kind is tuple:
        return [_canonical(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return _canonical(msgspec.structs.asdict(value))
    return value.isoformat() if isinstance(value, date) else value


def must(source: Source, name: str) -> Any:
    """The field's value. Raises `DataError` when it has none."""
    value = source[name]
    return _missing(source, name) if value is None else value


def _missing(source: Source, name: str) -> NoReturn:
    raise DataError(
        f"{name} is empty",
        where=f"record {source.get('RECORDNO') or 'without RECORDNO'} of Intacct",
        why="without it the record cannot be used"
        + ("; the books name no currency and the connection sets none" if name == "CURRENCY" else ""),
        mend="set the connection's `currency` (INTACCT_CURRENCY)"
        if name == "CURRENCY"
        else "complete the record in Intacct, then replay it",
        owner="IT" if name == "CURRENCY" else "AP",
        code="MLC-INTACCT-0402",
    )
