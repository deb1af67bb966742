"""The simulated company's records: its tables, how they hang together, and how a record is saved or taken away. No XML here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

import msgspec

from pipeline import Clock
from stages.ap.seed.world import (
    SeedAdjustment,
    SeedBill,
    SeedMaster,
    SeedPayment,
    SeedPurchase,
    SeedReference,
    SeedVendor,
    World,
)
from stages.intacct.simulator.attachments import Attachments
from stages.intacct.simulator.besides import Besides
from stages.intacct.simulator.contacts import Contacts
from stages.intacct.simulator.model import Field, ObjectType
from stages.intacct.simulator.objects import OBJECTS, ROWS
from stages.intacct.simulator.rows import (
    AdjustmentRow,
    AuditRow,
    BillLineRow,
    BillRow,
    DefinitionRow,
    EntityRow,
    MasterRow,
    PaymentRow,
    PurchaseLineRow,
    PurchaseRow,
    ReferenceRow,
    Row,
    TermRow,
    VendorRow,
)
from stages.intacct.simulator.tables import Table

_DEFINITIONS = {
    "Purchase Requisition": "Quote",
    "Purchase Order": "Order",
    "Receiver": "List",
    "Vendor Invoice": "Invoice",
}
_FIRST_LINE = 500_001  # line records of both kinds count from here, apart from the records the seed gives


class Books:
    """All tables of one company.

    ``zone`` is where WHENMODIFIED is shown, as in a company set to that zone; the time of creation stays UTC.
    ``hidden`` names fields this company does not have, ``custom`` text fields of its own, ``unqueryable`` those that
    `query` refuses though there they are, ``unfilterable`` those that it only shows; all as ``OBJECT.FIELD``.
    """

    def __init__(
        self,
        world: World,
        clock: Clock,
        *,
        zone: tzinfo = UTC,
        hidden: Collection[str] = (),
        custom: Collection[str] = (),
        unqueryable: Collection[str] = (),
        unfilterable: Collection[str] = (),
    ) -> None:
        self.world = world
        self.unqueryable, self.unfilterable = frozenset(unqueryable), frozenset(unfilterable)
        self._clock = clock
        self._zone = zone
        self.types = {name: _as_here(type, hidden, custom) for name, type in OBJECTS.items()}
        self.tables = {name: Table(type) for name, type in self.types.items()}
        self.vendors: dict[str, VendorRow] = {}
        self.contacts = Contacts(self, self.tables["CONTACT"])
        self._entities: dict[str, EntityRow] = {}
        self._terms: dict[str, TermRow] = {}
        self._definitions: dict[str, DefinitionRow] = {}
        self._purchases: dict[str, PurchaseRow] = {}
        self._masters: dict[tuple[str, str], MasterRow] = {}
        self._bill_of_purchase: dict[str, int] = {}
        self._bills_of_vendor: dict[str, dict[int, BillRow]] = {}
        self._lines = _FIRST_LINE
        self._dropped: dict[tuple[str, int], dict[int, int]] = {}  # the records that lines had, by number
        self._highest: dict[str, int] = {}
        self._last_bill = 0  # a record number is never given twice
        self.besides = Besides(self.types, self.tables)
        self._uncommitted: list[tuple[datetime, Callable[[], object]]] = []
        self.attachments = Attachments()
        self.unreadable: set[tuple[str, int]] = set()  # rows that fail whatever page they are on
        self._load()

    def _load(self) -> None:
        for number, entity in enumerate(self.world.entities, start=1):
            self._entities[entity.id] = EntityRow(self, number, entity)
            self._put(self._entities[entity.id])
        for name, kind in _DEFINITIONS.items():
            self._define(name, kind)
        for vendor in self.world.vendors:
            self.put_vendor(vendor)
        for purchase in self.world.purchases:
            self.put_purchase(purchase)
        for bill in self.world.bills:
            self.put_bill(bill)
        for payment in self.world.payments:
            self.put_payment(payment)
        for adjustment in self.world.adjustments:
            self.put_adjustment(adjustment)
        for order in self.world.orders:
            self.put_purchase(order)
        for master in self.world.masters:
            self.put_master(master)
        for reference in self.world.references:
            self.put_reference(reference)

    # What rows ask each other

    def now(self) -> datetime:
        """The books' time: the clock's, but never before the instant the world describes."""
        return max(self._clock.now(), self.world.now)

    def stamp(self, at: datetime | None) -> datetime | None:
        """A time as WHENMODIFIED shows it: whole seconds, no zone."""
        return at.astimezone(self._zone).replace(tzinfo=None, microsecond=0) if at else None

    def created_stamp(self, at: datetime | None) -> datetime | None:
        return at.astimezone(UTC).replace(tzinfo=None, microsecond=0) if at else None

    def entity(self, id: str) -> EntityRow | None:
        return self._entities.get(id)

    def vendor(self, id: str) -> VendorRow | None:
        return self.vendors.get(id)

    def term(self, name: str) -> TermRow | None:
        return self._terms.get(name)

    def definition(self, name: str) -> DefinitionRow:
        """The kind of purchasing document. KeyError when there is none of that name."""
        return self._definitions[name]

    def is_defined(self, name: str) -> bool:
        return name in self._definitions

    def master(self, object: str, id: str) -> MasterRow | None:
        return self._masters.get((object, id))

    def bill_of_purchase(self, id: str) -> BillRow | None:
        record = self._bill_of_purchase.get(id)
        return self.bill(record) if record is not None else None

    def bills_of(self, vendor: str) -> Iterable[BillRow]:
        return self._bills_of_vendor.get(vendor, {}).values()

    def bill(self, record: int) -> BillRow:
        """The bill. KeyError when there is none."""
        row = self.tables["APBILL"].rows[record]
        assert isinstance(row, BillRow)
        return row

    def bills(self) -> Iterator[SeedBill]:
        """Every bill as it stands, by record."""
        return (self.bill(record).seed for record in sorted(self.tables["APBILL"].rows))

    # Edits

    def put_vendor(self, vendor: SeedVendor) -> None:
        row = self.vendors[vendor.id] = VendorRow(self, vendor)
        self._put(row)
        self._put_term(vendor.terms)
        self.contacts.had_by(vendor)
        self._vendors_changed()

    def put_bill(self, bill: SeedBill) -> None:
        """Adds the bill, or replaces the one with its record; a line that stays in its place, or comes back, keeps its record."""
        if bill.record in self.tables["APBILL"].rows:
            self.drop_bill(bill.record)
        numbers = self._dropped.pop(("APBILL", bill.record), {})
        self._last_bill = max(self._last_bill, bill.record)
        row = BillRow(self, bill)
        row.lines = [BillLineRow(row, numbers.get(line.number) or self._next_line(), line) for line in bill.lines]
        self._put_all(row, row.lines)
        self._put_term(bill.terms)
        self._bills_of_vendor.setdefault(bill.vendor, {})[bill.record] = row
        if bill.purchase is not None:
            self._bill_of_purchase[bill.purchase] = bill.record
        self._purchases_changed()

    def put_payment(self, payment: SeedPayment) -> None:
        """Adds the payment, or replaces the one with its record."""
        known = self.tables["APPYMT"].rows.get(payment.record)
        if isinstance(known, PaymentRow):
            self._drop_all(known, known.details)
        row = PaymentRow(self, payment)
        self._put_all(row, row.details)
        self.tables["APADJUSTMENT"].changed()

    def put_adjustment(self, adjustment: SeedAdjustment) -> None:
        """Adds the adjustment, or replaces the one with its record."""
        self._put(AdjustmentRow(self, adjustment))

    def applied(self, adjustment: int) -> Decimal:
        """What payments that were not voided have used of an adjustment."""
        payments = (row for row in self.tables["APPYMT"].rows.values() if isinstance(row, PaymentRow))
        valid = (row.seed for row in payments if row.seed.state != "Voided")
        details = (detail for seed in valid for detail in seed.details if detail.adjustment == adjustment)
        return sum((detail.credited for detail in details), Decimal(0))

    def put_master(self, master: SeedMaster) -> None:
        """Adds the account or the dimension's value, or replaces the one with its record."""
        row = self._masters[master.object, master.id] = MasterRow(self, master)
        self.tables[master.object].put(row)

    def drop_master(self, object: str, id: str) -> None:
        """Takes the account or the dimension's value away. KeyError when there is none."""
        self.tables[object].remove(self._masters.pop((object, id)).record)

    def put_reference(self, reference: SeedReference) -> None:
        """Adds what a vendor calls an item, or replaces the record of its number."""
        self._put(ReferenceRow(self, reference))

    def drop_reference(self, record: int) -> None:
        """Takes it away. KeyError when there is none."""
        self.tables["ITEMCROSSREF"].remove(record)

    def drop_bill(self, record: int) -> SeedBill:
        """Takes the bill and its lines away. Returns it; KeyError when there is none."""
        row = self.bill(record)
        self._dropped["APBILL", record] = {line.line.number: line.record for line in row.lines}
        self._drop_all(row, row.lines)
        del self._bills_of_vendor[row.seed.vendor][record]
        if row.seed.purchase is not None and self._bill_of_purchase.get(row.seed.purchase) == record:
            del self._bill_of_purchase[row.seed.purchase]
        self._purchases_changed()
        return row.seed

    def drop_vendor(self, id: str) -> None:
        """Takes the vendor away; its contacts and bills stay. KeyError when there is none."""
        self._drop_all(self.vendors.pop(id), ())
        self._vendors_changed()

    def drop_payment(self, record: int) -> None:
        """Takes the payment and its details away. KeyError when there is none."""
        row = self.tables["APPYMT"].rows[record]
        assert isinstance(row, PaymentRow)
        self._drop_all(row, row.details)
        self.tables["APADJUSTMENT"].changed()

    def purchase(self, id: str) -> SeedPurchase:
        """The purchasing document. KeyError when there is none."""
        return self._purchases[id].seed

    def purchase_row(self, id: str) -> PurchaseRow | None:
        return self._purchases.get(id)

    def put_purchase(self, purchase: SeedPurchase) -> None:
        """Adds the document, or replaces the one of its id; a line that stays in its place, or comes back, keeps its record."""
        self._define(purchase.definition, "Invoice")
        if purchase.id in self._purchases:
            self.drop_purchase(purchase.id)
        numbers = self._dropped.pop(("PODOCUMENT", purchase.record), {})
        row = self._purchases[purchase.id] = PurchaseRow(self, purchase)
        lines = (line for line in purchase.lines if not line.generated)  # tax and freight are subtotals there, no lines
        row.lines = [PurchaseLineRow(row, numbers.get(line.number) or self._next_line(), line) for line in lines]
        self._put_all(row, row.lines)

    def drop_purchase(self, id: str) -> None:
        """Takes the document and its lines away; its bill stays. KeyError when there is none."""
        row = self._purchases.pop(id)
        self._dropped["PODOCUMENT", row.record] = {line.line.number: line.record for line in row.lines}
        self._drop_all(row, row.lines)

    @property
    def notes(self) -> int:
        """How many rows the audit history has."""
        return len(self.tables["AUDITHISTORY"].rows)

    def forget_notes(self, behind: int) -> None:
        """Takes back the rows behind the first so many: what is undone leaves no trace."""
        for number in range(behind + 1, self.notes + 1):
            self.tables["AUDITHISTORY"].remove(number)

    def note(self, object: str, key: str, mode: str, *, at: datetime, source: str) -> None:
        """A row of the audit history."""
        number = self.notes + 1
        user = self.world.user
        self._put(AuditRow(self, number, object=object, key=key, mode=mode, at=at, user=user, source=source))

    def next_record(self, object: str) -> int:
        """A record number that no record of the object ever had."""
        highest = max(self.tables[object].rows, default=0)
        self._highest[object] = max(self._highest.get(object, 0), highest) + 1
        return self._highest[object]

    def reserve(self) -> int:
        """A record number for a bill, which no other will get."""
        self._last_bill += 1
        return self._last_bill

    # Commits

    def commit(self, action: Callable[[], object], visible: datetime | None = None) -> None:
        """Does it now, or when the books' time has reached ``visible``: a save that others see only after its commit."""
        if visible is None or visible <= self.now():
            action()
        else:
            self._uncommitted.append((visible, action))

    def settle(self) -> None:
        """What is due by now becomes visible, in order of time."""
        now = self.now()
        due = sorted((each for each in self._uncommitted if each[0] <= now), key=lambda each: each[0])
        self._uncommitted = [each for each in self._uncommitted if each[0] > now]
        for _, action in due:
            with suppress(KeyError):  # deleted meanwhile: there is nothing left to save
                action()

    # The tables

    def _next_line(self) -> int:
        self._lines += 1
        return self._lines - 1

    def _put(self, row: Row) -> None:
        self.tables[ROWS[type(row)]].put(row)

    def _put_all(self, row: Row, lines: Iterable[Row]) -> None:
        self._put(row)
        for line in lines:
            self._put(line)

    def _drop_all(self, row: Row, lines: Iterable[Row]) -> None:
        for each in (row, *lines):
            self.tables[ROWS[type(each)]].remove(each.record)

    def _vendors_changed(self) -> None:
        """Bills, payments and documents show their vendor's name, contacts their vendor's entity."""
        for name in ("APBILL", "APBILLITEM", "APPYMT", "PODOCUMENT", "CONTACT", "ITEMCROSSREF"):
            self.tables[name].changed()

    def _purchases_changed(self) -> None:
        """A purchasing document shows its bill's record, entity and state."""
        self.tables["PODOCUMENT"].changed()
        self.tables["PODOCUMENTENTRY"].changed()

    def _put_term(self, name: str) -> None:
        if name and name not in self._terms:
            self._terms[name] = TermRow(self, len(self._terms) + 1, name)
            self._put(self._terms[name])

    def _define(self, name: str, kind: str) -> None:
        if name not in self._definitions:
            self._definitions[name] = DefinitionRow(self, len(self._definitions) + 1, name, kind)
            self._put(self._definitions[name])


def _as_here(type: ObjectType, hidden: Collection[str], custom: Collection[str]) -> ObjectType:
    """The type with the fields this company has."""
    kept = {name: field for name, field in type.fields.items() if f"{type.name}.{name}" not in hidden}
    own = [name.partition(".")[2] for name in custom if name.partition(".")[0] == type.name]
    added = {name: Field(id=name, kind="TEXT", take=lambda _: None, custom=True) for name in own}
    return msgspec.structs.replace(type, fields=kept | added)
