"""Vendors whose contacts changed: saving an address need not move the time of change of the vendor it belongs to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pipeline import Context, Record
from stages.intacct.protocol import fields
from stages.intacct.protocol.faults import UnknownField
from stages.intacct.protocol.query import after
from stages.intacct.protocol.responses import Row
from stages.intacct.reader import Reader
from stages.intacct.trails import Trail, distinct

ReadVendors = Callable[[list[str]], Awaitable[list[Record]]]
"""RECORDNOs of vendors -> their records."""


class ContactChanges:
    """The trail of contacts that were saved, each read as the vendors that have it: as display, pay-to or return-to contact."""

    def __init__(self, context: Context, read: ReadVendors) -> None:
        self._read = read
        self._vendors = Reader(context.connection, fields.VENDOR_CONTACTS)
        self.trail = Trail(
            context, "contacts", fields.CONTACT_CHANGE, self._concerned,
            missing="an address that is changed without its vendor is not noticed",
        )  # fmt: skip

    async def _concerned(self, rows: list[Row]) -> list[Record]:
        names = distinct(row["CONTACTNAME"] for row in rows)
        paths = [field for field in await self._vendors.fields() if field.endswith(".CONTACTNAME")]
        try:
            found = [row for path in paths for row in await self._vendors.matching(path, names)]
        except UnknownField:  # it can be shown, but not asked for
            found = [row for row in await self._all() if any(row.get(path) in names for path in paths)]
        return await self._read(distinct(row["RECORDNO"] for row in found))

    async def _all(self) -> list[Row]:
        rows: list[Row] = []
        more = True
        while more:
            behind = after("RECORDNO", rows[-1]["RECORDNO"] or "") if rows else None
            page = await self._vendors.page(behind, ("RECORDNO",))
            rows += page.rows
            more = page.more
        return rows
