"""The rows of the simulated books: one seed record each, with its way to the rows it belongs to. No field names here."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from stages.ap.seed.world import (
    SeedAdjustment,
    SeedBill,
    SeedContact,
    SeedEntity,
    SeedLine,
    SeedMaster,
    SeedPayment,
    SeedPaymentDetail,
    SeedPurchase,
    SeedReference,
    SeedVendor,
)

if TYPE_CHECKING:
    from stages.intacct.simulator.books import Books

# Company books are in US dollars; what a foreign bill is worth in them differs from its face amount.
RATES = {
    "USD": Decimal(1),
    "CAD": Decimal("0.73"),
    "MXN": Decimal("0.054"),
    "EUR": Decimal("1.09"),
    "GBP": Decimal("1.27"),
}
_CENT = Decimal("0.01")
_RATE = Decimal("1e-15")


class Row:
    """A record. ``record`` is its RECORDNO, ``entity`` the legal entity it is private to ("" = the whole company)."""

    __slots__ = ("books", "record")
    record: int
    books: Books

    def __init__(self, books: Books, record: int) -> None:
        self.books = books
        self.record = record

    @property
    def entity(self) -> str:
        return ""


class EntityRow(Row):
    __slots__ = ("seed",)

    def __init__(self, books: Books, record: int, seed: SeedEntity) -> None:
        super().__init__(books, record)
        self.seed = seed


class TermRow(Row):
    __slots__ = ("name",)

    def __init__(self, books: Books, record: int, name: str) -> None:
        super().__init__(books, record)
        self.name = name

    @property
    def days(self) -> int | None:
        """How long one may take to pay, as far as its name tells."""
        number = self.name.rpartition(" ")[2]
        return int(number) if number.isdecimal() else None


class DefinitionRow(Row):
    """A kind of purchasing document. ``kind`` is its class: Quote, Order, List or Invoice."""

    __slots__ = ("kind", "name")

    def __init__(self, books: Books, record: int, name: str, kind: str) -> None:
        super().__init__(books, record)
        self.name = name
        self.kind = kind


class VendorRow(Row):
    __slots__ = ("seed",)

    def __init__(self, books: Books, seed: SeedVendor) -> None:
        super().__init__(books, seed.record)
        self.seed = seed

    @property
    def entity(self) -> str:
        return self.seed.entity

    @property
    def due(self) -> Decimal:
        return sum((bill.base(bill.due) for bill in self.books.bills_of(self.seed.id)), Decimal(0))


class MasterRow(Row):
    """An account, or a value of a dimension."""

    __slots__ = ("seed",)

    def __init__(self, books: Books, seed: SeedMaster) -> None:
        super().__init__(books, seed.record)
        self.seed = seed

    @property
    def parent(self) -> MasterRow | None:
        return self.books.master(self.seed.object, self.seed.parent) if self.seed.parent else None


class ReferenceRow(Row):
    """What a vendor calls an item."""

    __slots__ = ("seed",)

    def __init__(self, books: Books, seed: SeedReference) -> None:
        super().__init__(books, seed.record)
        self.seed = seed

    @property
    def item(self) -> MasterRow | None:
        return self.books.master("ITEM", self.seed.item)

    @property
    def vendor(self) -> VendorRow | None:
        return self.books.vendor(self.seed.vendor)


class ContactRow(Row):
    """A contact, by its name. ``vendor`` is the first one it was seen on ("": none); ``modified`` is its own time of change."""

    __slots__ = ("contact", "created", "modified", "vendor")

    def __init__(
        self, books: Books, record: int, contact: SeedContact, vendor: str, created: datetime, modified: datetime | None
    ) -> None:
        super().__init__(books, record)
        self.contact = contact
        self.vendor = vendor
        self.created = created
        self.modified = modified

    @property
    def entity(self) -> str:
        vendor = self.books.vendor(self.vendor)
        return vendor.entity if vendor else ""


class VendorMoneyRow(Row):
    """What bills and payments share: a vendor, and amounts in a currency that need not be that of the books."""

    __slots__ = ()
    seed: SeedBill | SeedPayment | SeedAdjustment

    @property
    def entity(self) -> str:
        return self.seed.entity

    @property
    def vendor(self) -> VendorRow | None:
        return self.books.vendor(self.seed.vendor)

    @property
    def base_currency(self) -> str:
        entity = self.books.entity(self.seed.entity)
        return entity.seed.currency if entity else "USD"

    @property
    def rate(self) -> Decimal:
        if self.seed.currency == self.base_currency:
            return Decimal(1)
        rate = RATES.get(self.seed.currency, Decimal(1)) / RATES.get(self.base_currency, Decimal(1))
        return rate.quantize(_RATE)  # as many digits as a floating-point number has

    def base(self, amount: Decimal) -> Decimal:
        """The amount in the currency of the books."""
        rate = self.rate
        return amount if rate == 1 else (amount * rate).quantize(_CENT)


class BillRow(VendorMoneyRow):
    __slots__ = ("lines", "seed")
    seed: SeedBill

    def __init__(self, books: Books, seed: SeedBill) -> None:
        super().__init__(books, seed.record)
        self.seed = seed
        self.lines: list[BillLineRow] = []

    @property
    def paid(self) -> Decimal:
        if self.seed.state == "Paid":
            return self.seed.total
        return (self.seed.total / 2).quantize(_CENT) if self.seed.state == "Partially Paid" else Decimal(0)

    @property
    def selected(self) -> Decimal:
        return self.seed.total if self.seed.state == "Selected" else Decimal(0)

    @property
    def due(self) -> Decimal:
        return Decimal(0) if self.seed.state == "Reversed" else self.seed.total - self.paid

    @property
    def paid_on(self) -> date | None:
        return (self.seed.due or self.seed.date) if self.seed.state == "Paid" else None

    @property
    def from_purchasing(self) -> bool:
        return self.seed.purchase is not None or self.seed.purchase_missing

    @property
    def purchase(self) -> PurchaseRow | None:
        return self.books.purchase_row(self.seed.purchase) if self.seed.purchase else None

    @property
    def remit_to(self) -> SeedContact | None:
        vendor = self.vendor
        return (vendor.seed.pay_to or vendor.seed.contact) if vendor else None

    @property
    def days_due(self) -> int | None:
        return (self.seed.due - self.books.now().date()) // timedelta(days=1) if self.seed.due else None


class BillLineRow(Row):
    __slots__ = ("bill", "line")

    def __init__(self, bill: BillRow, record: int, line: SeedLine) -> None:
        super().__init__(bill.books, record)
        self.bill = bill
        self.line = line

    @property
    def entity(self) -> str:
        return self.bill.seed.entity

    @property
    def parent_entry(self) -> int | None:
        """Generated lines hang under a user line."""
        if not self.line.generated:
            return None
        return next((line.record for line in self.bill.lines if not line.line.generated), None)

    @property
    def modified(self) -> datetime | None:
        return self.bill.seed.modified


class PaymentRow(VendorMoneyRow):
    __slots__ = ("details", "seed")
    seed: SeedPayment

    def __init__(self, books: Books, seed: SeedPayment) -> None:
        super().__init__(books, seed.record)
        self.seed = seed
        self.details = [PaymentDetailRow(self, detail) for detail in seed.details]


class AdjustmentRow(VendorMoneyRow):
    __slots__ = ("seed",)
    seed: SeedAdjustment

    def __init__(self, books: Books, seed: SeedAdjustment) -> None:
        super().__init__(books, seed.record)
        self.seed = seed

    @property
    def applied(self) -> Decimal:
        """What payments have used of it, with its sign."""
        used = self.books.applied(self.record)
        return -used if self.seed.total < 0 else used


class PaymentDetailRow(Row):
    __slots__ = ("detail", "payment")

    def __init__(self, payment: PaymentRow, detail: SeedPaymentDetail) -> None:
        super().__init__(payment.books, detail.record)
        self.payment = payment
        self.detail = detail

    @property
    def entity(self) -> str:
        return self.payment.entity


class PurchaseRow(Row):
    __slots__ = ("lines", "seed")

    def __init__(self, books: Books, seed: SeedPurchase) -> None:
        super().__init__(books, seed.record)
        self.seed = seed
        self.lines: list[PurchaseLineRow] = []

    @property
    def bill(self) -> BillRow | None:
        return self.books.bill_of_purchase(self.seed.id)

    @property
    def entity(self) -> str:
        bill = self.bill
        return bill.entity if bill else ""

    @property
    def vendor(self) -> VendorRow | None:
        return self.books.vendor(self.seed.vendor)

    @property
    def subtotal(self) -> Decimal:
        return sum((line.line.amount for line in self.lines), Decimal(0))

    @property
    def total(self) -> Decimal:
        return sum((line.amount for line in self.seed.lines), Decimal(0))


class PurchaseLineRow(Row):
    __slots__ = ("line", "purchase")

    def __init__(self, purchase: PurchaseRow, record: int, line: SeedLine) -> None:
        super().__init__(purchase.books, record)
        self.purchase = purchase
        self.line = line

    @property
    def entity(self) -> str:
        return self.purchase.entity

    @property
    def price(self) -> Decimal:
        line = self.line
        if line.price is not None:
            return line.price
        return (line.amount / (line.quantity or Decimal(1))).quantize(Decimal("0.000001"))


class AuditRow(Row):
    """Something done to a record, which may be gone since. ``mode`` is C, M or D; ``source`` is ui, api, csv or system."""

    __slots__ = ("at", "key", "mode", "object", "source", "user")

    def __init__(
        self, books: Books, record: int, *, object: str, key: str, mode: str, at: datetime, user: str, source: str
    ) -> None:
        super().__init__(books, record)
        self.object, self.key, self.mode, self.at, self.user, self.source = object, key, mode, at, user, source
