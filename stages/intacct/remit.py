"""Where the payment of a bill goes."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from pipeline import DataError, PermissionDenied
from stages.ap.model import Contact, Vendor
from stages.intacct import estimating
from stages.intacct.company import IntacctClient
from stages.intacct.protocol import fields, objects
from stages.intacct.protocol.faults import UnknownObject
from stages.intacct.protocol.query import LARGEST_LIST
from stages.intacct.protocol.responses import Row, Source
from stages.intacct.reader import Reader

_LARGEST_CACHE = 20_000


class RemitTo:
    """Where the payment of a bill goes: the contact the bill names, else the vendor's pay-to, else the vendor's own contact.

    Vendors and contacts are read once per run and kept, `_LARGEST_CACHE` of each at most.
    """

    def __init__(self, client: IntacctClient) -> None:
        self._vendor_reader = Reader(client, fields.VENDOR)
        self._contact_reader = Reader(client, fields.CONTACT)
        self._vendors: dict[str, Vendor] = {}
        self._contacts: dict[str, Contact] = {}
        self._readable = True

    async def estimate(self, found: estimating.Counted) -> int:
        """The calls for so many bills: vendors are looked up once each, contacts where a bill names a stranger."""
        vendors = min(found.records, await estimating.known(self._vendor_reader))
        return ceil(vendors / LARGEST_LIST) + (found.pages if found.records else 0)

    def forget(self) -> None:
        """A new run: addresses may have changed, and the right to read contacts been granted."""
        self._empty()
        self._readable = True

    def _empty(self) -> None:
        self._vendors.clear()
        self._contacts.clear()

    async def learn(self, bills: Iterable[Row]) -> None:
        """Reads what these bills need and is not known yet."""
        rows = list(bills)
        if len(self._vendors) > _LARGEST_CACHE or len(self._contacts) > _LARGEST_CACHE:
            self._empty()
        wanted = {row.get("VENDORID") or "" for row in rows} - self._vendors.keys() - {""}
        for row in await self._vendor_reader.matching("VENDORID", sorted(wanted)):
            self._keep_vendor(row)
        strangers = {name for row in rows if (name := self._stranger(row)) and name not in self._contacts}
        if self._readable and strangers:
            await self._learn_contacts(sorted(strangers))

    def of(self, header: Source) -> Contact | None:
        """The contact. Of a name that could not be looked up only the name is known: no address is better than a wrong one."""
        vendor = self._vendors.get(header["VENDORID"] or "")
        name = header["BILLTOPAYTOCONTACTNAME"]
        own = [] if vendor is None else [contact for contact in (vendor.pay_to, vendor.contact) if contact != Contact()]
        if not name:
            return own[0] if own else None
        known = next((contact for contact in own if contact.name == name), None)
        return known or self._contacts.get(name) or Contact(name=name)

    def _keep_vendor(self, row: Row) -> None:
        try:
            vendor = objects.vendor(self._vendor_reader.source(row))
        except DataError:
            return  # the vendors flow reports a vendor that does not read; its bills then carry no address
        self._vendors[vendor.id] = vendor

    def _stranger(self, row: Row) -> str:
        """The contact a bill names that is none of its vendor's."""
        name = row.get("BILLTOPAYTOCONTACTNAME") or ""
        vendor = self._vendors.get(row.get("VENDORID") or "")
        return "" if vendor is not None and name in (vendor.pay_to.name, vendor.contact.name) else name

    async def _learn_contacts(self, names: list[str]) -> None:
        try:
            for row in await self._contact_reader.matching("CONTACTNAME", names):
                self._contacts[row["CONTACTNAME"] or ""] = objects.plain_contact(self._contact_reader.source(row))
        except (PermissionDenied, UnknownObject):
            self._readable = False  # a right this product can do without
