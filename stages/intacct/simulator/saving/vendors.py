"""Vendors and contacts. A contact is a record of its own: saving it does not save the vendors that have it."""

from __future__ import annotations

from typing import Any

import msgspec

from stages.ap.seed.world import SeedContact, SeedVendor
from stages.intacct.simulator.errors import BUSINESS, FunctionRefused, duplicate, unknown
from stages.intacct.simulator.legacy import Given
from stages.intacct.simulator.rows import ContactRow, Row, VendorRow
from stages.intacct.simulator.saving.kind import Done, Kind, Values, words

_OWN = "DISPLAYCONTACT."


class Vendors(Kind):
    """A vendor. ``DISPLAYCONTACT`` is its own contact, saved with it; as pay-to a contact that is there is named."""

    object = "VENDOR"
    required = ("VENDORID", "NAME")

    def create(self, values: Values, lines: list[Given], location: str) -> Done:
        id = words(values, "VENDORID")
        if self.books.vendor(id) is not None:
            raise duplicate("vendor", id)
        now, record = self.books.now(), self.next_record()
        blank = SeedVendor(record=record, id=id, name="", kind="", entity=location, created=now, modified=now)
        before = self.books.contacts.all()
        self.books.put_vendor(self._changed(blank, values))

        def undo() -> None:
            self.books.drop_vendor(id)
            self.books.contacts.restore(before)

        return Done(self.books.vendors[id], undo)

    def change(self, row: Row, values: Values, lines: list[Given]) -> Done:
        assert isinstance(row, VendorRow)
        seed, before = row.seed, self.books.contacts.all()
        self.books.put_vendor(self._changed(seed, values))

        def undo() -> None:
            self.books.contacts.restore(before)
            self.books.put_vendor(seed)

        return Done(self.books.vendors[seed.id], undo)

    def drop(self, row: Row) -> Done:
        assert isinstance(row, VendorRow)
        if any(True for _ in self.books.bills_of(row.seed.id)):
            raise FunctionRefused(BUSINESS, f"Vendor {row.seed.id} has transactions and cannot be deleted.")
        self.books.drop_vendor(row.seed.id)
        return Done(row, lambda: self.books.put_vendor(row.seed))

    def _changed(self, seed: SeedVendor, values: Values) -> SeedVendor:
        behind = {name: field.writable for name, field in self.books.types["CONTACT"].fields.items() if field.writable}
        sent = {name: values.pop(name) for name in [name for name in values if name.startswith(_OWN)]}
        own = {behind[part]: str(value or "") for name, value in sent.items() if (part := name[len(_OWN) :]) in behind}
        changes: dict[str, Any] = {}
        for path in ("PAYTO", "RETURNTO", "CONTACTINFO"):
            if (name := values.get(f"{path}.CONTACTNAME")) and str(name) not in self.books.contacts:
                raise unknown("Contact", name)
        if "PAYTO.CONTACTNAME" in values:
            pay_to = words(values, "PAYTO.CONTACTNAME")
            changes["pay_to"] = self.books.contacts[pay_to].contact if pay_to else None
        changes |= self.attributes(values)
        if own:
            usual = seed.contact or SeedContact(name=str(changes.get("name", seed.name)))
            changes["contact"] = msgspec.structs.replace(usual, **own)
        return msgspec.structs.replace(seed, modified=self.books.now(), **changes)


class Contacts(Kind):
    """A contact. Its name is what vendors, bills and documents know it by, and stays."""

    object = "CONTACT"
    required = ("CONTACTNAME", "PRINTAS")

    def create(self, values: Values, lines: list[Given], location: str) -> Done:
        name = words(values, "CONTACTNAME")
        if name in self.books.contacts:
            raise duplicate("contact", name)
        contact = msgspec.structs.replace(SeedContact(name=name), **self.attributes(values))
        row = self.books.contacts.add(contact, self.books.now())
        return Done(row, lambda: self.books.contacts.drop(name))

    def change(self, row: Row, values: Values, lines: list[Given]) -> Done:
        assert isinstance(row, ContactRow)
        before, modified = row.contact, row.modified
        self.books.contacts.put(msgspec.structs.replace(before, **self.attributes(values)), self.books.now())
        return Done(self.books.contacts[before.name], lambda: self.books.contacts.put(before, modified))

    def drop(self, row: Row) -> Done:
        assert isinstance(row, ContactRow)
        if user := self.books.contacts.user(row.contact.name):
            text = f"Contact {row.contact.name} is used by vendor {user} and cannot be deleted."
            raise FunctionRefused(BUSINESS, text)
        self.books.contacts.drop(row.contact.name)

        def undo() -> None:
            self.books.contacts.keep(row)

        return Done(row, undo)
