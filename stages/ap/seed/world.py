"""The shapes of the seeded world. Plain data; how they are drawn is the generator's business."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import msgspec


class SeedContact(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    company: str = ""
    print_as: str = ""  # where it is not the company
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    email: str = ""
    line1: str = ""
    line2: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = "United States"
    country_code: str = "US"


class SeedEntity(msgspec.Struct, frozen=True, kw_only=True):
    """A legal entity of the company; ``id`` is what a session or a record names as its location."""

    id: str
    name: str
    currency: str = "USD"


class SeedVendor(msgspec.Struct, frozen=True, kw_only=True):
    record: int
    id: str
    name: str
    kind: str  # Produce, Seafood, ...
    status: str = "active"  # active | inactive
    one_time: bool = False
    terms: str = ""
    currency: str = "USD"
    account: str = ""
    tax_id: str = ""
    contact: SeedContact | None = None
    pay_to: SeedContact | None = None
    entity: str = ""  # restricted to this entity; "" = the whole company
    created: dt.datetime
    modified: dt.datetime | None = None  # aware UTC; None occurs in real books too


class SeedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line. Of bills entered in AP the books show only description and amount; the purchase shows the rest."""

    number: int  # from 1
    amount: Decimal
    description: str
    quantity: Decimal = Decimal(1)
    unit: str = "Each"
    price: Decimal | None = None
    item: str = ""
    item_name: str = ""
    account: str = "5000"
    department: str = ""
    location: str = ""
    alias: str = ""  # what the vendor calls the item, where it was typed
    generated: bool = False  # tax or offset lines the system added; no user line


class SeedPurchase(msgspec.Struct, frozen=True, kw_only=True):
    """A purchasing document (vendor invoice) from which a bill was made. ``state`` "" follows the bill."""

    record: int
    id: str  # DOCID, e.g. "Vendor Invoice-VI-00042"
    number: str  # DOCNO
    definition: str  # DOCPARID
    vendor: str
    date: dt.date
    order: str = ""  # DOCID of the order it came from
    order_number: str = ""
    currency: str = "USD"
    lines: tuple[SeedLine, ...] = ()
    state: str = ""  # Draft | Pending | Approved | Converted ...
    created: dt.datetime
    modified: dt.datetime


class SeedBill(msgspec.Struct, frozen=True, kw_only=True):
    record: int  # RECORDNO
    number: str
    vendor: str
    state: (
        str  # Draft | Submitted | Partially Approved | Declined | Posted | Selected | Partially Paid | Paid | Reversed
    )
    date: dt.date
    due: dt.date | None = None
    discount_date: dt.date | None = None
    posted: dt.date | None = None
    terms: str = ""
    description: str = ""
    reference: str = ""
    total: Decimal
    currency: str = "USD"
    entity: str = ""
    on_hold: bool = False
    purchase: str | None = None  # SeedPurchase.id; None: entered in AP
    purchase_missing: bool = False  # MODULEKEY says Purchasing, but no document names this bill
    lines: tuple[SeedLine, ...] = ()
    created: dt.datetime
    modified: dt.datetime | None = None


class SeedPaymentDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What a payment settles of one bill: ``amount`` in money, ``discount`` by its terms and ``credited`` by an adjustment."""

    record: int
    bill: int  # SeedBill.record
    amount: Decimal
    discount: Decimal = Decimal(0)
    adjustment: int = 0  # SeedAdjustment.record; 0: none
    credited: Decimal = Decimal(0)


class SeedAdjustment(msgspec.Struct, frozen=True, kw_only=True):
    """A credit (or a debit) of a vendor's that is no bill. A credit's ``total`` is negative."""

    record: int
    number: str
    vendor: str
    date: dt.date
    total: Decimal
    currency: str = "USD"
    entity: str = ""
    bill_number: str = ""  # the bill it is about
    description: str = ""
    created: dt.datetime
    modified: dt.datetime


class SeedPayment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment to one vendor; ``total`` is the sum of its details' amounts."""

    record: int  # RECORDNO
    number: str  # of the check or the transfer
    vendor: str
    method: str  # ACH | Printed Check
    state: str  # Submitted | Complete | Voided
    date: dt.date
    memo: str = ""
    total: Decimal
    currency: str = "USD"
    entity: str = ""
    details: tuple[SeedPaymentDetail, ...] = ()
    created: dt.datetime
    modified: dt.datetime


class SeedMaster(msgspec.Struct, frozen=True, kw_only=True):
    """An account, or a value of a dimension. ``object`` is the table it is in (GLACCOUNT, DEPARTMENT, ...)."""

    object: str
    record: int
    id: str
    name: str
    parent: str = ""
    kind: str = ""  # of an account: balancesheet | incomestatement; of an item: Inventory
    status: str = "active"
    modified: dt.datetime


class SeedReference(msgspec.Struct, frozen=True, kw_only=True):
    """What a vendor calls one of our items. ``unit`` "": whatever the unit."""

    record: int
    item: str
    vendor: str
    number: str
    description: str = ""
    unit: str = ""
    created: dt.datetime
    modified: dt.datetime


class SeedPartner(msgspec.Struct, frozen=True, kw_only=True):
    """An EDI partner as the shipped partner files know it (`flows/partners/`)."""

    code: str
    name: str
    vendors: tuple[str, ...]
    mailbox: str


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Everything; equal seeds give equal worlds.

    For oracles: ``planted`` maps a bill's record to why it must fail, ``awkward`` to what is odd about one that
    must work.
    """

    company: str
    company_name: str
    sender: str
    sender_password: str
    user: str
    user_password: str
    entities: tuple[SeedEntity, ...]
    vendors: tuple[SeedVendor, ...]
    bills: tuple[SeedBill, ...]
    purchases: tuple[SeedPurchase, ...]
    partners: tuple[SeedPartner, ...]
    sterling_user: str
    sterling_password: str
    now: dt.datetime  # the instant the world is described at; aware UTC
    planted: dict[int, str] = {}
    awkward: dict[int, str] = {}
    payments: tuple[SeedPayment, ...] = ()
    orders: tuple[SeedPurchase, ...] = ()  # purchase orders; no bill is made from them
    masters: tuple[SeedMaster, ...] = ()
    references: tuple[SeedReference, ...] = ()
    adjustments: tuple[SeedAdjustment, ...] = ()  # none are drawn: a test adds its own
