"""The simulated company's records: tables with ordered indexes, and the edits a test or a write makes. No XML here."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from pipeline import Clock
from stages.ap.seed.world import (
    SeedBill,
    SeedContact,
    SeedLine,
    SeedMaster,
    SeedPayment,
    SeedPurchase,
    SeedVendor,
    World,
)
from stages.intacct.simulator.model import Field, ObjectType
from stages.intacct.simulator.objects import OBJECTS, ROWS
from stages.intacct.simulator.rows import (
    AuditRow,
    BillLineRow,
    BillRow,
    ContactRow,
    EntityRow,
    MasterRow,
    PaymentRow,
    PurchaseLineRow,
    PurchaseRow,
    Row,
    TermRow,
    VendorRow,
)

Span = tuple[Any, Any]
"""A closed interval of values; None is open on that side."""

_LAST = 1 << 62
_FIRST_LINE = 500_001  # line records of both kinds count from here, apart from the records the seed gives


class Table:
    """Rows of one object by record number, with an ordered index per field, built when it is first asked for."""

    def __init__(self, type: ObjectType) -> None:
        self.type = type
        self.rows: dict[int, Row] = {}
        self._indexes: dict[str, tuple[list[tuple[Any, int]], list[Row]]] = {}

    def put(self, row: Row) -> None:
        self.rows[row.record] = row
        self._indexes.clear()

    def remove(self, record: int) -> None:
        del self.rows[record]
        self._indexes.clear()

    def changed(self) -> None:
        """A value of a row may have changed by way of another table."""
        self._indexes.clear()

    def narrowed(self, spans: dict[str, list[Span]]) -> list[Row]:
        """A superset of the rows whose fields lie in the spans, by the most selective index. Nulls lie in no span."""
        best: tuple[int, list[Row], list[tuple[int, int]]] | None = None
        for name, intervals in spans.items():
            keys, rows = self._index(self.type.fields[name])
            slices = [_slice(keys, interval) for interval in intervals]
            size = sum(end - start for start, end in slices)
            if best is None or size < best[0]:
                best = (size, rows, slices)
        if best is None:
            return list(self.rows.values())
        return [row for start, end in best[2] for row in best[1][start:end]]

    def _index(self, field: Field) -> tuple[list[tuple[Any, int]], list[Row]]:
        found = self._indexes.get(field.id)
        if found is None:
            pairs = ((field.take(row), row) for row in self.rows.values())
            entries = sorted(
                ((value, row.record, row) for value, row in pairs if value is not None), key=lambda e: e[:2]
            )
            found = self._indexes[field.id] = ([(e[0], e[1]) for e in entries], [e[2] for e in entries])
        return found


def _slice(keys: list[tuple[Any, int]], span: Span) -> tuple[int, int]:
    low, high = span
    start = 0 if low is None else bisect_left(keys, (low, -1))
    end = len(keys) if high is None else bisect_right(keys, (high, _LAST))
    return start, max(start, end)


class Books:
    """All tables of one company.

    ``zone`` shifts WHENMODIFIED against UTC as a company set to another zone shows it; the time of creation stays UTC.
    ``hidden`` names fields this company does not have, as ``OBJECT.FIELD``.
    """

    def __init__(
        self, world: World, clock: Clock, *, zone: timedelta = timedelta(0), hidden: Collection[str] = ()
    ) -> None:
        self.world = world
        self._clock = clock
        self._zone = zone
        self.types = {name: _without(type, hidden) for name, type in OBJECTS.items()}
        self.tables = {name: Table(type) for name, type in self.types.items()}
        self.vendors: dict[str, VendorRow] = {}
        self._entities: dict[str, EntityRow] = {}
        self._terms: dict[str, TermRow] = {}
        self._contacts: dict[str, ContactRow] = {}
        self._purchases: dict[str, PurchaseRow] = {}
        self._bill_of_purchase: dict[str, int] = {}
        self._bills_of_vendor: dict[str, dict[int, BillRow]] = {}
        self._lines = _FIRST_LINE
        self._last_bill = 0  # a record number is never given twice
        self._load()

    def _load(self) -> None:
        for number, entity in enumerate(self.world.entities, start=1):
            self._entities[entity.id] = EntityRow(self, number, entity)
            self._put(self._entities[entity.id])
        for vendor in self.world.vendors:
            self.put_vendor(vendor)
        for purchase in self.world.purchases:
            self._put_purchase(purchase)
        for bill in self.world.bills:
            self.put_bill(bill)
        for payment in self.world.payments:
            self.put_payment(payment)
        for order in self.world.orders:
            self._put_purchase(order)
        for master in self.world.masters:
            self.put_master(master)

    # What rows ask each other

    def now(self) -> datetime:
        """The books' time: the clock's, but never before the instant the world describes."""
        return max(self._clock.now(), self.world.now)

    def stamp(self, at: datetime | None) -> datetime | None:
        """A time as WHENMODIFIED shows it: whole seconds, no zone."""
        return (at.astimezone(UTC) + self._zone).replace(tzinfo=None, microsecond=0) if at else None

    def created_stamp(self, at: datetime | None) -> datetime | None:
        return at.astimezone(UTC).replace(tzinfo=None, microsecond=0) if at else None

    def entity(self, id: str) -> EntityRow | None:
        return self._entities.get(id)

    def vendor(self, id: str) -> VendorRow | None:
        return self.vendors.get(id)

    def term(self, name: str) -> TermRow | None:
        return self._terms.get(name)

    def contact(self, contact: SeedContact | None) -> ContactRow | None:
        return self._contacts.get(contact.name) if contact else None

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
        for contact in (vendor.contact, vendor.pay_to):
            if contact is not None:
                self._put_contact(contact, vendor.id)
        for name in ("APBILL", "APBILLITEM", "APPYMT", "PODOCUMENT"):
            self.tables[name].changed()

    def put_bill(self, bill: SeedBill) -> None:
        """Adds the bill with new line records, or replaces the one with its record."""
        if bill.record in self.tables["APBILL"].rows:
            self.drop_bill(bill.record)
        self._last_bill = max(self._last_bill, bill.record)
        row = BillRow(self, bill)
        row.lines = [BillLineRow(row, self._next_line(), line) for line in bill.lines]
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

    def put_master(self, master: SeedMaster) -> None:
        """Adds the account or the dimension's value, or replaces the one with its record."""
        self.tables[master.object].put(MasterRow(self, master))

    def drop_bill(self, record: int) -> SeedBill:
        """Takes the bill and its lines away. Returns it; KeyError when there is none."""
        row = self.bill(record)
        self._drop_all(row, row.lines)
        del self._bills_of_vendor[row.seed.vendor][record]
        if row.seed.purchase is not None and self._bill_of_purchase.get(row.seed.purchase) == record:
            del self._bill_of_purchase[row.seed.purchase]
        self._purchases_changed()
        return row.seed

    def delete_bill(self, record: int) -> SeedBill:
        """`drop_bill` by a user, which the audit history shows."""
        bill = self.drop_bill(record)
        number = len(self.tables["AUDITHISTORY"].rows) + 1
        self._put(AuditRow(self, number, object="apbill", key=record, at=self.now(), user=self.world.user))
        return bill

    def edit_purchase(self, id: str, lines: tuple[SeedLine, ...] | None, changes: dict[str, Any]) -> int:
        """Saves the purchasing document anew: its bill is deleted and made again under a new record, which is returned."""
        purchase = self._purchases[id]
        modified = changes.pop("modified", self.now())
        self._drop_all(purchase, purchase.lines)
        new_lines = purchase.seed.lines if lines is None else lines
        self._put_purchase(msgspec.structs.replace(purchase.seed, lines=new_lines, modified=modified))
        old = self.bill_of_purchase(id)
        if old is None:
            raise KeyError(f"no bill was made from {id}")
        if lines is not None:
            changes = {"lines": lines, "total": sum((line.amount for line in lines), Decimal(0)), **changes}
        record = self.next_record()
        bill = msgspec.structs.replace(self.delete_bill(old.record), record=record, modified=modified, **changes)
        self.put_bill(bill)
        return record

    def next_record(self) -> int:
        return self._last_bill + 1

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

    def _purchases_changed(self) -> None:
        """A purchasing document shows its bill's record, entity and state."""
        self.tables["PODOCUMENT"].changed()
        self.tables["PODOCUMENTENTRY"].changed()

    def _put_purchase(self, purchase: SeedPurchase) -> None:
        row = self._purchases[purchase.id] = PurchaseRow(self, purchase)
        lines = (line for line in purchase.lines if not line.generated)  # tax and freight are subtotals there, no lines
        row.lines = [PurchaseLineRow(row, self._next_line(), line) for line in lines]
        self._put_all(row, row.lines)

    def _put_term(self, name: str) -> None:
        if name and name not in self._terms:
            self._terms[name] = TermRow(self, len(self._terms) + 1, name)
            self._put(self._terms[name])

    def _put_contact(self, contact: SeedContact, vendor: str) -> None:
        known = self._contacts.get(contact.name)
        row = ContactRow(self, known.record if known else len(self._contacts) + 1, contact, vendor)
        self._contacts[contact.name] = row
        self._put(row)


def _without(type: ObjectType, hidden: Collection[str]) -> ObjectType:
    kept = {name: field for name, field in type.fields.items() if f"{type.name}.{name}" not in hidden}
    return msgspec.structs.replace(type, fields=kept)
