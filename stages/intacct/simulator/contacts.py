"""The contacts of the simulated books, by name: records of their own, which vendors have as theirs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from stages.ap.seed.world import SeedContact, SeedVendor
from stages.intacct.simulator.rows import ContactRow
from stages.intacct.simulator.tables import Table

if TYPE_CHECKING:
    from stages.intacct.simulator.books import Books


class Contacts:
    """A contact's record number stays with its name while it is there, and is never given to another."""

    def __init__(self, books: Books, table: Table) -> None:
        self._books = books
        self._table = table
        self._rows: dict[str, ContactRow] = {}
        self._last = 0

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def __getitem__(self, name: str) -> ContactRow:
        return self._rows[name]

    def of(self, contact: SeedContact | None) -> ContactRow | None:
        """The record of a contact that somebody has."""
        return self._rows.get(contact.name) if contact else None

    def user(self, name: str) -> str:
        """A vendor that has the contact, "" when none has."""
        seeds = (row.seed for row in self._books.vendors.values())
        return next((seed.id for seed in seeds if name in (_name(seed.contact), _name(seed.pay_to))), "")

    def add(self, contact: SeedContact, now: datetime) -> ContactRow:
        """A contact that no vendor has."""
        return self.keep(ContactRow(self._books, self._last + 1, contact, "", now, now))

    def had_by(self, vendor: SeedVendor) -> None:
        """Saves what is new or changed in the vendor's contacts, at the vendor's time."""
        for contact in (vendor.contact, vendor.pay_to):
            known = self.of(contact)
            if contact is None or (known is not None and known.contact == contact):
                continue  # a vendor saved with the same contact does not save the contact
            number = known.record if known else self._last + 1
            self.keep(ContactRow(self._books, number, contact, vendor.id, vendor.created, vendor.modified))

    def put(self, contact: SeedContact, modified: datetime | None) -> None:
        """Saves a contact, and what vendors that have it show; their own time of change stays. KeyError when there is none."""
        known = self._rows[contact.name]
        for vendor in [each.seed for each in self._books.vendors.values()]:
            held = {name: contact for name in ("contact", "pay_to") if _name(getattr(vendor, name)) == contact.name}
            if held:
                self._books.put_vendor(msgspec.structs.replace(vendor, **held))
        self.keep(ContactRow(self._books, known.record, contact, known.vendor, known.created, modified))

    def drop(self, name: str) -> None:
        """Takes the contact away; who has it keeps it. KeyError when there is none."""
        self._table.remove(self._rows.pop(name).record)

    def keep(self, row: ContactRow) -> ContactRow:
        """The row as it is, in place of any of its name."""
        self._last = max(self._last, row.record)
        self._rows[row.contact.name] = row
        self._table.put(row)
        return row

    def all(self) -> dict[str, ContactRow]:
        """Those there are now, for `restore`."""
        return dict(self._rows)

    def restore(self, rows: dict[str, ContactRow]) -> None:
        """The contacts are these again."""
        for name, row in list(self._rows.items()):
            if rows.get(name) is not row:
                self.drop(name)
        for name, row in rows.items():
            if name not in self._rows:
                self.keep(row)


def _name(contact: SeedContact | None) -> str:
    return contact.name if contact else ""
