"""The accounts-payable vocabulary the adapters share: what a bill, a vendor and their parts are here. Pure data.

Money is `Decimal` in the transaction currency of the bill. Dates are the books' own calendar dates, without a zone.
``source`` keeps the record as the accounting system names it (``STATE``, ``TRX_TOTALENTERED``), typed: amounts `Decimal`, dates
`date`, booleans `bool`, everything else text, absent or empty as None. Expressions in flow files see both (``bill.STATE``,
``bill.number``); provenance names fields by the paths used here.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import msgspec


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A postal address; empty texts where the books hold nothing. ``country`` is the two-letter code when known."""

    name: str = ""
    line1: str = ""
    line2: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Who to reach, and where payment goes."""

    name: str = ""
    company: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    email: str = ""
    address: Address = Address()


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """A vendor as the books know it. ``id`` is the business key (VENDORID)."""

    id: str
    name: str
    status: str = "active"  # active | inactive | active non-posting
    terms: str = ""
    currency: str = ""
    account: str = ""  # our account number at the vendor
    contact: Contact = Contact()
    pay_to: Contact = Contact()
    source: dict[str, Any] = {}


class BillLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line. Bills entered in AP carry no quantity: they are 1 × amount. Bills made by Purchasing carry what was bought.

    ``amount`` is the extended line amount, as booked.
    """

    number: int  # from 1
    amount: Decimal
    description: str = ""
    quantity: Decimal = Decimal(1)
    unit: str = ""  # as the company writes it ("Case", "LB"); "" where the books have none
    price: Decimal | None = None  # None: the amount is the price
    item: str = ""  # our item id
    vendor_item: str = ""
    account: str = ""
    department: str = ""
    location: str = ""
    source: dict[str, Any] = {}


class BillTax(msgspec.Struct, frozen=True, kw_only=True):
    """Tax that the books added to a bill, all of one account together; no line anybody entered. In the bill's currency, with its sign."""

    amount: Decimal
    account: str = ""
    description: str = ""


class PurchaseOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The purchasing document a bill was made from. ``id`` (DOCID) survives edits, which change the bill's RECORDNO."""

    id: str
    number: str = ""
    date: dt.date | None = None
    order: str = ""  # the order this document was converted from, when it names one
    source: dict[str, Any] = {}


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """An AP bill with its lines. ``record`` is RECORDNO; the business key is decided by the source (design: identity)."""

    record: str
    number: str  # RECORDID, the vendor's invoice number
    vendor: str  # VENDORID
    vendor_name: str = ""
    state: str = ""  # Posted, Paid, Draft ...
    date: dt.date
    due: dt.date | None = None
    discount_date: dt.date | None = None
    terms: str = ""
    description: str = ""
    reference: str = ""  # DOCNUMBER; many companies keep the PO number here
    total: Decimal
    currency: str
    entity: str = ""
    purchase: PurchaseOrder | None = None
    lines: tuple[BillLine, ...] = ()
    taxes: tuple[BillTax, ...] = ()  # with the lines they make up the total
    remit_to: Contact | None = None
    source: dict[str, Any] = {}


class OrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a purchase order. ``converted`` is how much of ``quantity`` was received or billed."""

    number: int  # from 1
    item: str = ""  # our item id
    vendor_item: str = ""
    description: str = ""
    quantity: Decimal
    unit: str = ""
    price: Decimal | None = None
    amount: Decimal | None = None
    converted: Decimal = Decimal(0)
    source: dict[str, Any] = {}


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A purchasing document of an order definition. ``id`` is DOCID."""

    id: str
    number: str
    definition: str  # DOCPARID, as the company spells it
    vendor: str  # CUSTVENDID
    state: str = ""  # Pending, Converted ...
    date: dt.date
    due: dt.date | None = None
    total: Decimal
    currency: str
    lines: tuple[OrderLine, ...] = ()
    source: dict[str, Any] = {}


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account of the general ledger."""

    number: str
    title: str
    type: str = ""  # balancesheet | incomestatement
    normal_balance: str = ""  # debit | credit
    status: str = "active"
    source: dict[str, Any] = {}


class Dimension(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a dimension: a department, location, class, project or item. ``object`` says which."""

    object: str
    id: str
    name: str
    parent: str = ""
    status: str = "active"
    source: dict[str, Any] = {}


class PaymentDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One bill or credit that a payment settles. ``paid`` = ``gross`` - ``discount`` + ``adjustment``; credits are negative.

    ``gross`` is None where the bill stays partly open: then what was paid says nothing about the rest of it.
    ``adjustment_code`` says why (element 426 of X12: 01 price, 06 quantity ...); an adjustment has one.
    """

    number: str  # RECORDID of the bill: the vendor's invoice number
    paid: Decimal
    gross: Decimal | None = None
    discount: Decimal = Decimal(0)
    adjustment: Decimal = Decimal(0)
    adjustment_code: str = ""
    record: str = ""  # RECORDNO of the bill
    date: dt.date | None = None  # of the bill
    order: str = ""
    source: dict[str, Any] = {}


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """An AP payment to one vendor with what it settles. ``record`` is RECORDNO; ``number`` the check or trace number.

    ``total`` is the sum of what its details say was paid.
    """

    record: str
    number: str
    vendor: str  # VENDORID
    vendor_name: str = ""
    method: str = ""  # as the company writes it: "Printed Check", "ACH"
    state: str = ""
    date: dt.date
    memo: str = ""
    total: Decimal
    currency: str
    entity: str = ""
    details: tuple[PaymentDetail, ...] = ()
    source: dict[str, Any] = {}
