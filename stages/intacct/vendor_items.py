"""What vendors call our items: the number that a line carries for its vendor."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import ceil
from typing import TypeVar

import msgspec

from pipeline import PermissionDenied
from stages.ap.model import BillLine, OrderLine
from stages.intacct import estimating
from stages.intacct.company import IntacctClient
from stages.intacct.config import LARGEST_PAGE
from stages.intacct.pages import by
from stages.intacct.protocol import fields
from stages.intacct.protocol.faults import UnknownObject
from stages.intacct.protocol.responses import Row
from stages.intacct.reader import Reader

_LARGEST_CACHE = 200_000

Line = TypeVar("Line", BillLine, OrderLine)
Names = dict[str, list[tuple[str, str]]]
"""By item what one vendor calls it, each with its unit ("" for all)."""


class VendorItems:
    """The vendors' numbers of the books' item cross references.

    All of a vendor are read with the first record of that vendor in a run and kept, `_LARGEST_CACHE` of all vendors at most. A user who
    may not read them, and a company without them, has none.
    """

    def __init__(self, client: IntacctClient) -> None:
        self._reader = Reader(client, fields.REFERENCE, page_size=LARGEST_PAGE)
        self._vendors: dict[str, Names] = {}
        self._kept = 0
        self._readable = True

    def forget(self) -> None:
        """A new run: numbers may have changed, and rights been granted."""
        self._vendors.clear()
        self._kept = 0
        self._readable = True

    async def estimate(self, found: estimating.Counted) -> int:
        """The calls for so many records: each page may meet new vendors."""
        if not found.records:
            return 0
        return found.pages + ceil(await estimating.known(self._reader) / LARGEST_PAGE)

    async def learn(self, vendors: Iterable[str]) -> None:
        """Reads what these vendors call our items, where that is not known yet. Raises as `Reader.matching`."""
        if self._kept > _LARGEST_CACHE:
            self._vendors.clear()
            self._kept = 0
        wanted = sorted(set(vendors) - self._vendors.keys() - {""})
        if not wanted or not self._readable:
            return
        try:
            rows = by("VENDORID", await self._reader.matching("VENDORID", wanted))
        except (PermissionDenied, UnknownObject):
            self._readable = False  # a right this product can do without
            return
        for vendor in wanted:
            self._vendors[vendor] = _names(rows.get(vendor, []))
            self._kept += len(rows.get(vendor, []))

    def named(self, vendor: str, lines: Collection[Line]) -> tuple[Line, ...]:
        """The lines with their vendor's numbers: the one typed in the purchasing document, else that of the cross reference."""
        names = self._vendors.get(vendor, {})
        numbers = [line.source.get("ITEMALIASID") or _choose(names.get(line.item, []), line.unit) for line in lines]
        return tuple(
            msgspec.structs.replace(line, vendor_item=number) if number else line
            for line, number in zip(lines, numbers, strict=True)
        )


def _names(rows: Iterable[Row]) -> Names:
    names: Names = {}
    for row in rows:
        if row.get("ITEMALIASID"):
            names.setdefault(row.get("ITEMID") or "", []).append((row["ITEMALIASID"] or "", row.get("UNIT") or ""))
    return names


def _choose(names: Collection[tuple[str, str]], unit: str) -> str:
    """The number for the line's unit, else the one for any unit; none rather than one of several, since it would be a guess."""
    for wanted in (unit, ""):
        found = {number for number, of in names if of == wanted}
        if found:
            return found.pop() if len(found) == 1 else ""
    return ""
