"""What the company's people do in their books while the gateway runs. Every edit leaves a row in the audit history.

A save bears the time it was made. With ``visible`` others see it only from that time on, as a long transaction's commit does: a
reader may by then have gone past the WHENMODIFIED it bears. Two such saves of one record do not wait for each other; the later
commit wins.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from stages.ap.seed.world import (
    SeedAdjustment,
    SeedBill,
    SeedContact,
    SeedLine,
    SeedMaster,
    SeedPayment,
    SeedPurchase,
    SeedReference,
    SeedVendor,
)
from stages.intacct.simulator.gateway import Gateway


class Edits:
    """The edits. Not for use while a request is being answered on another thread."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._books = gateway.books

    # Bills

    def bills(self) -> list[SeedBill]:
        """The bills as others see them now, by record."""
        self._books.settle()
        return list(self._books.bills())

    def add_bill(self, bill: SeedBill, *, visible: datetime | None = None) -> None:
        """Adds a bill as it is: a ``modified`` in the past is a commit that became visible late."""
        self._save(
            "bill added", ("APBILL", bill.record, "C"), lambda: self._books.put_bill(bill), visible, record=bill.record
        )

    def edit_bill(
        self, record: int, *, modified: datetime | None = None, visible: datetime | None = None, **changes: Any
    ) -> SeedBill:
        """Saves the bill with changed attributes of `SeedBill` and a new time of change. KeyError when there is none."""
        before = self._books.bill(record).seed
        after = msgspec.structs.replace(before, modified=modified or self._books.now(), **changes)
        facts = {"record": record, "fields": sorted(changes)}
        self._save("bill edited", ("APBILL", record, "M"), lambda: self._books.put_bill(after), visible, **facts)
        return after

    def delete_bill(self, record: int, *, visible: datetime | None = None) -> SeedBill:
        """Deletes the bill; only the audit history keeps a trace. KeyError when there is none."""
        bill = self._books.bill(record).seed
        self._save(
            "bill deleted", ("APBILL", record, "D"), lambda: self._books.drop_bill(record), visible, record=record
        )
        return bill

    # Purchasing

    def edit_purchase(
        self,
        docid: str,
        *,
        lines: tuple[SeedLine, ...] | None = None,
        modified: datetime | None = None,
        visible: datetime | None = None,
        **changes: Any,
    ) -> int:
        """Saves a purchasing document: its bill is deleted and made again under a new record, which is returned.

        ``lines`` replace the lines of both; ``changes`` are attributes of the `SeedBill`. KeyError without such a document,
        or when no bill was made from it.
        """
        document, old = self._books.purchase(docid), self._books.bill_of_purchase(docid)
        if old is None:
            raise KeyError(f"no bill was made from {docid}")
        saved = modified or self._books.now()
        if lines is not None:
            total = sum((line.amount for line in lines), Decimal(0))
            document = msgspec.structs.replace(document, lines=lines)
            changes = {"lines": lines, "total": total, **changes}
        document = msgspec.structs.replace(document, modified=saved)
        bill = msgspec.structs.replace(old.seed, record=self._books.reserve(), modified=saved, **changes)
        gone = old.record

        def save() -> None:
            self._books.put_purchase(document)
            self._books.drop_bill(gone)
            self._books.put_bill(bill)
            self._books.note("apbill", str(gone), "D", at=saved, source="system")
            self._books.note("apbill", str(bill.record), "C", at=saved, source="system")

        self._save("purchase edited", ("PODOCUMENT", docid, "M"), save, visible, document=docid, record=bill.record)
        return bill.record

    def put_purchase(self, purchase: SeedPurchase, *, visible: datetime | None = None) -> None:
        """Adds a document (an order, say), or saves it as it is now without touching any bill."""
        put = self._books.put_purchase
        self._put("purchase saved", "PODOCUMENT", purchase.id, purchase.record, lambda: put(purchase), visible)

    def delete_purchase(self, docid: str) -> None:
        """Deletes the document and the bill made from it. KeyError without such a document."""
        bill = self._books.bill_of_purchase(docid)
        drop = self._books.drop_purchase
        self._save("purchase deleted", ("PODOCUMENT", docid, "D"), lambda: drop(docid), document=docid)
        if bill is not None:
            self.delete_bill(bill.record)

    # Payments, vendors and their contacts, accounts and dimensions

    def put_payment(self, payment: SeedPayment, *, visible: datetime | None = None) -> None:
        """Adds the payment, or saves it as it is now; its time of change is its own."""
        put, record = self._books.put_payment, payment.record
        self._put("payment saved", "APPYMT", str(record), record, lambda: put(payment), visible)

    def put_adjustment(self, adjustment: SeedAdjustment, *, visible: datetime | None = None) -> None:
        """Adds the adjustment, or saves it as it is now."""
        put, record = self._books.put_adjustment, adjustment.record
        self._put("adjustment saved", "APADJUSTMENT", str(record), record, lambda: put(adjustment), visible)

    def delete_payment(self, record: int) -> None:
        """Deletes the payment; its bills stay. KeyError when there is none."""
        drop = self._books.drop_payment
        self._save("payment deleted", ("APPYMT", record, "D"), lambda: drop(record), record=record)

    def put_vendor(self, vendor: SeedVendor, *, visible: datetime | None = None) -> None:
        """Adds the vendor, or saves it as it is now; contacts that differ are saved with it, at its time."""
        put = self._books.put_vendor
        self._put("vendor saved", "VENDOR", vendor.id, vendor.record, lambda: put(vendor), visible)

    def delete_vendor(self, id: str) -> None:
        """Deletes the vendor; what names it stays. KeyError when there is none."""
        drop = self._books.drop_vendor
        self._save("vendor deleted", ("VENDOR", id, "D"), lambda: drop(id), vendor=id)

    def edit_contact(
        self, name: str, *, modified: datetime | None = None, visible: datetime | None = None, **changes: Any
    ) -> SeedContact:
        """Saves a contact with changed attributes of `SeedContact`: its own WHENMODIFIED moves, its vendors' does not.

        KeyError when no vendor has a contact of that name.
        """
        contact, saved = self._books.contacts[name].contact, modified or self._books.now()
        after = msgspec.structs.replace(contact, **changes)
        put = self._books.contacts.put
        self._save("contact saved", ("CONTACT", name, "M"), lambda: put(after, saved), visible, contact=name)
        return after

    def put_master(self, master: SeedMaster, *, visible: datetime | None = None) -> None:
        """Adds the account or the dimension's value, or saves it as it is now."""
        put = self._books.put_master
        self._put("master saved", master.object, master.id, master.record, lambda: put(master), visible)

    def put_reference(self, reference: SeedReference, *, visible: datetime | None = None) -> None:
        """Adds what a vendor calls an item, or saves it as it is now."""
        put, record = self._books.put_reference, reference.record
        self._put("reference saved", "ITEMCROSSREF", str(record), record, lambda: put(reference), visible)

    # The rest

    def spoil(self, object: str, record: int) -> None:
        """From now on a page with this record on it fails as a whole, as happens to damaged rows of the audit history."""
        self._books.unreadable.add((object, record))

    def end_sessions(self) -> None:
        """Ends every session at once."""
        self._gateway.sessions.end_all()

    def _put(
        self, kind: str, object: str, key: str, record: int, action: Callable[[], object], visible: datetime | None
    ) -> None:
        mode = "M" if record in self._books.tables[object].rows else "C"
        self._save(kind, (object, key, mode), action, visible, object=object, key=key)

    def _save(
        self,
        kind: str,
        saved: tuple[str, str | int, str],
        action: Callable[[], object],
        visible: datetime | None = None,
        **facts: Any,
    ) -> None:
        """``saved`` is what the audit history says: object, key and mode."""
        name, key, mode = saved
        at = self._books.now()

        def save() -> None:
            action()
            self._books.note(name.lower(), str(key), mode, at=at, source="ui")

        self._books.commit(save, visible)
        self._gateway.effects.add(kind, **facts)
