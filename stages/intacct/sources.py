"""The sources of the main flows: `intacct.vendors` and `intacct.bills`. They put pages together; what a page asks and what rows mean is
the business of `protocol`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from pipeline import Context, DataError, Estimate, Known, Page, Record, Tally, Window
from stages.ap.model import Vendor
from stages.intacct import estimating
from stages.intacct.company import IntacctClient
from stages.intacct.config import LARGEST_PAGE
from stages.intacct.contacts import ContactChanges
from stages.intacct.counting import Counting, money
from stages.intacct.deletions import Deletions
from stages.intacct.pages import by, check_page_size, gone, key_slice, next_page, rules, unhurried
from stages.intacct.protocol import fields, objects, paging
from stages.intacct.protocol.query import Compare
from stages.intacct.protocol.responses import Row, Source
from stages.intacct.purchasing import MADE_BY_PURCHASING, Purchasing, unbridged
from stages.intacct.reader import Reader
from stages.intacct.remit import RemitTo
from stages.intacct.trails import Trails
from stages.intacct.vendor_items import VendorItems

T = TypeVar("T")


class VendorsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``fields`` are read besides the usual ones (custom fields, by their integration name). ``page_size`` 0: the connection's.

    ``contacts`` also reads vendors whose contacts changed, ``deletions`` tells of those that were deleted.
    """

    fields: list[str] = []
    contacts: bool = True
    deletions: bool = True
    page_size: int = 0

    def __post_init__(self) -> None:
        check_page_size(self.page_size)


class BillsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``fields`` and ``line_fields`` are read besides the usual ones, of the bill and of its lines. ``deletions`` tells of deleted bills.

    ``vendor_items`` also reads what each vendor calls our items.
    """

    fields: list[str] = []
    line_fields: list[str] = []
    vendor_items: bool = False
    deletions: bool = True
    page_size: int = 0

    def __post_init__(self) -> None:
        check_page_size(self.page_size)


class VendorsSource:
    """Vendors with their contacts, of every status. Order: (WHENMODIFIED, RECORDNO). Repeats within the overlap.

    Behind them, in live reads, come those whose contacts changed, and those that were deleted; not without a ``context``.
    """

    def __init__(self, client: IntacctClient, settings: VendorsSettings, context: Context | None = None) -> None:
        self._client = client
        self.scope = client.config.company
        self._reader = Reader(
            client, fields.VENDOR, extra=settings.fields, needed=(paging.STAMP,), page_size=settings.page_size
        )
        self._rules = rules(client, "VENDOR", {"document_date": "WHENCREATED"}, "WHENCREATED")
        contacts = ContactChanges(context, self._numbered).trail if context and settings.contacts else None
        self._deletions = Deletions(context, "VENDOR", "vendor", ("vendor",), self._alive) if context else None
        deleted = self._deletions.trail if self._deletions and settings.deletions else None
        self._trails = Trails(self._own, [trail for trail in (contacts, deleted) if trail])
        self._wrong: dict[str, str] = {}  # digests of what this run has told to be wrong: an unchanged one is told once

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page:
        """One page. Raises as `IntacctClient.query`."""
        return await self._trails.read(window, cursor)

    async def _own(self, window: Window, cursor: dict[str, str] | None) -> Page:
        if window.keys:
            return await self._read_keys(window, cursor)
        rows, behind, more = await next_page(self._reader, self._rules, window, cursor)
        records = [self._record(row) async for row in unhurried(rows)]
        self._wrong |= {record.key: record.digest for record in records if isinstance(record.body, DataError)}
        return Page(records, behind.cursor(), more)

    async def estimate(self, window: Window, cursor: dict[str, str] | None) -> Estimate:
        """What reading would take. Raises as `Reader.count`."""
        return await self._trails.estimate(self._estimate, window, cursor)

    async def _estimate(self, window: Window, cursor: dict[str, str] | None) -> Estimate:
        return estimating.alone([await estimating.counted(self._reader, self._rules, window, cursor)])

    async def _read_keys(self, window: Window, cursor: dict[str, str] | None) -> Page:
        keys, behind, more = key_slice(window, cursor)
        rows = {row.get("VENDORID") or "": row for row in await self._reader.matching("VENDORID", keys)}
        missing = [key for key in dict.fromkeys(keys) if key not in rows]
        deleted = {record.key: record for record in await self._deletions.among(missing)} if self._deletions else {}
        records = [self._record(rows[key]) for key in dict.fromkeys(keys) if key in rows]
        lost = [self._wrap(key, key, gone("vendor", key), "") for key in missing if key not in deleted]
        return Page([*records, *deleted.values(), *lost], behind, more)

    async def _numbered(self, numbers: list[str]) -> list[Record]:
        records = [self._record(row) for row in await self._reader.matching("RECORDNO", numbers)]
        fresh = [record for record in records if self._wrong.get(record.key) != record.digest]
        self._wrong |= {record.key: record.digest for record in fresh if isinstance(record.body, DataError)}
        return fresh

    async def _alive(self, known: Sequence[Known]) -> set[str]:
        rows = await self._reader.matching("VENDORID", [each.key for each in known])
        return {row.get("VENDORID") or "" for row in rows}

    def _record(self, row: Row) -> Record:
        key = row.get("VENDORID") or row["RECORDNO"] or ""
        try:
            source = self._reader.source(row)
            vendor = objects.vendor(source)
        except DataError as error:
            return self._wrap(key, row.get("NAME") or key, error, objects.digest(row))
        return self._wrap(vendor.id, vendor.name, vendor, objects.digest(source), row["RECORDNO"] or "")

    def _wrap(self, key: str, label: str, body: Vendor | DataError, digest: str, alias: str = "") -> Record:
        return Record(
            key=key,
            kind="vendor",
            body=body,
            company=self._client.config.company,
            object="VENDOR",
            digest=digest,
            label=label,
            alias=alias,
        )


class _BillParts(msgspec.Struct):
    """A page of bills on its way: headers by RECORDNO, their lines, and the purchasing documents they were made from."""

    headers: dict[str, Row]
    lines: dict[str, list[Row]] = {}
    purchases: dict[str, list[Row]] = {}  # by PRRECORDKEY
    entries: dict[str, list[Row]] = {}  # by DOCHDRNO


class BillsSource:
    """AP bills of every state with their lines. Order: (WHENMODIFIED, RECORDNO). Repeats within the overlap.

    A bill's key is its RECORDNO; one made by Purchasing is keyed by its document's DOCID, because each edit of the document makes
    the bill anew under another RECORDNO. Such a bill without its document comes as `Held`, one that does not read as `DataError`.
    Behind them, in live reads, come those that were deleted; not without a ``context``.
    """

    object = "APBILL"

    def __init__(self, client: IntacctClient, settings: BillsSettings, context: Context | None = None) -> None:
        self._client = client
        self.scope = client.config.company
        self._bills = Reader(
            client, fields.BILL, extra=settings.fields, needed=(paging.STAMP, "MODULEKEY"), page_size=settings.page_size
        )
        self._lines = Reader(client, fields.LINE, extra=settings.line_fields, page_size=LARGEST_PAGE)
        self._items = VendorItems(client) if settings.vendor_items else None
        self._purchasing = Purchasing(client, fields.PURCHASE_LINE_NAMED if self._items else fields.PURCHASE_LINE)
        self._remit = RemitTo(client)
        self._rules = rules(
            client, "APBILL", {"document_date": "WHENCREATED", "posting_date": "WHENPOSTED"}, "AUWHENCREATED"
        )
        self._counting = Counting(client, fields.BILL_COUNT, self._rules)
        self._deletions = (
            Deletions(context, "APBILL", "bill", ("apbill", "podocument"), self._alive) if context else None
        )
        self._trails = Trails(self._own, [self._deletions.trail] if self._deletions and settings.deletions else [])

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page:
        """One page, complete with lines, purchases and contacts. Raises as `IntacctClient.query`."""
        return await self._trails.read(window, cursor)

    async def _own(self, window: Window, cursor: dict[str, str] | None) -> Page:
        if cursor is None or cursor.get("done"):
            self._remit.forget()
            self._purchasing.forget()
            if self._items is not None:
                self._items.forget()
        if window.keys:
            return await self._read_keys(window, cursor)
        rows, behind, more = await next_page(self._bills, self._rules, window, cursor)
        return Page(await self._records(rows), behind.cursor(), more)

    async def tally(self, window: Window) -> list[Tally] | None:
        """What the books hold in the window, counted and added up by Intacct."""
        return await self._counting.tally(window)

    async def listing(self, window: Window) -> AsyncIterator[list[Record]]:
        """The bills of a window by date, in order of RECORDNO, without bodies. Raises as `IntacctClient.query`."""
        async for rows in self._counting.pages(window):
            purchased = [row["RECORDNO"] or "" for row in rows if row.get("MODULEKEY") == MADE_BY_PURCHASING]
            bridges = await self._purchasing.made(purchased)
            yield [self._listed(row, bridges.get(row["RECORDNO"] or "", [])) for row in rows]

    def _listed(self, row: Row, documents: list[Row]) -> Record:
        number = row["RECORDNO"] or ""
        key = (documents[0].get("DOCID") if len(documents) == 1 else None) or number
        amount, currency = self._counting.money(row)
        return Record(
            key=key, kind="bill", body=None, company=self._client.config.company, object=self.object, amount=amount,
            currency=currency, label=row.get("RECORDID") or "", alias=number,
        )  # fmt: skip

    async def present(self, keys: Sequence[str]) -> set[str]:
        """Those that are in the books, whatever their date."""
        return await self._alive([Known(key, key) for key in keys])

    async def estimate(self, window: Window, cursor: dict[str, str] | None) -> Estimate:
        """What reading would take, with lines, purchases, vendors and contacts. Raises as `Reader.count`."""
        return await self._trails.estimate(self._estimate, window, cursor)

    async def _estimate(self, window: Window, cursor: dict[str, str] | None) -> Estimate:
        found = await estimating.counted(self._bills, self._rules, window, cursor)
        calls = found.pages + estimating.calls_for(found.lists(), await estimating.per_record(self._lines, self._bills))
        purchased = await self._bills.count(Compare("equalto", "MODULEKEY", (MADE_BY_PURCHASING,)))
        share = purchased / (await self._bills.count() or 1)
        calls += await self._purchasing.estimate(found.lists(share))
        calls += await self._remit.estimate(found)
        calls += await self._items.estimate(found) if self._items is not None else 0
        return Estimate(
            records=found.records,
            pages=found.pages,
            calls=calls,
            note="lines, purchases and contacts as this company has them on average",
        )

    async def _read_keys(self, window: Window, cursor: dict[str, str] | None) -> Page:
        """Keys that are numbers are RECORDNOs, all others are DOCIDs of purchasing documents."""
        keys, behind, more = key_slice(window, cursor)
        rows, _ = await self._find(keys)
        records = await self._records(rows)
        found = {record.key for record in records} | {row["RECORDNO"] for row in rows}
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        unread = [key for key in missing if self._purchasing.documents_refused and not _is_number(key)]
        absent = [key for key in missing if key not in unread]
        deleted = await self._deletions.among(absent) if self._deletions and absent else []
        lost = [key for key in absent if key not in {record.key for record in deleted}]
        records += [*deleted, *(self._wrap(key, {}, gone("bill", key)) for key in lost)]
        refused = self._purchasing.refused
        records += [self._wrap(key, {}, unbridged(f"bill of {key} of Intacct", 0, refused)) for key in unread]
        return Page(records, behind, more)

    async def _find(self, keys: Iterable[str]) -> tuple[list[Row], dict[str, str]]:
        """The bills of these keys, and for the keys that name documents, the bill of each."""
        keys = list(keys)
        numbers = [key for key in keys if _is_number(key)]
        documents = await self._purchasing.named(key for key in keys if not _is_number(key))
        bridges = {row["DOCID"] or "": row["PRRECORDKEY"] or "" for row in documents if row.get("PRRECORDKEY")}
        return await self._bills.matching("RECORDNO", [*numbers, *bridges.values()]), bridges

    async def _alive(self, known: Sequence[Known]) -> set[str]:
        """An edit of a purchasing document deletes its bill and makes it anew: under its key it is still there."""
        names = {name for each in known for name in (each.key, each.alias) if name}
        rows, bridges = await self._find(names)
        if self._purchasing.refused is not None and not all(_is_number(name) for name in names):
            raise self._purchasing.refused  # whether they are there cannot be told
        numbers = {row["RECORDNO"] for row in rows}
        return {each.key for each in known if numbers & {each.key, each.alias, bridges.get(each.key)}}

    async def _records(self, rows: list[Row]) -> list[Record]:
        parts = await self._gather(rows)
        await self._settle(parts)
        await self._remit.learn(parts.headers.values())
        if self._items is not None:
            await self._items.learn(row.get("VENDORID") or "" for row in parts.headers.values())
        return [self._record(number, row, parts) async for number, row in _bills_of(parts)]

    async def _gather(self, rows: list[Row]) -> _BillParts:
        parts = _BillParts({row["RECORDNO"] or "": row for row in rows})
        if parts.headers:
            parts.lines = by("RECORDKEY", await self._lines.matching("RECORDKEY", parts.headers))
        purchased = [number for number, row in parts.headers.items() if row.get("MODULEKEY") == MADE_BY_PURCHASING]
        parts.purchases = await self._purchasing.made(purchased)
        parts.entries = await self._purchasing.entries_of(
            document for found in parts.purchases.values() for document in found
        )
        return parts

    async def _settle(self, parts: _BillParts) -> None:
        """Header, lines and document come from several calls, and someone may have saved in between: doubtful bills are read once more.

        One that is gone by then was deleted, or made anew under another number that this or the next read meets.
        """
        doubtful = [number async for number, row in _bills_of(parts) if self._torn(number, row, parts)]
        if not doubtful:
            return
        again = await self._gather(await self._bills.matching("RECORDNO", doubtful))
        for number in doubtful:
            _replace(parts.headers, again.headers, number)
            _replace(parts.lines, again.lines, number)
            _replace(parts.purchases, again.purchases, number)
        parts.entries |= again.entries

    def _torn(self, number: str, row: Row, parts: _BillParts) -> bool:
        if row.get("MODULEKEY") == MADE_BY_PURCHASING and number not in parts.purchases:
            return not self._purchasing.documents_refused
        try:
            total = objects.bill_total(self._bills.source(row, objects.MONEY))
            lines = [
                (line, objects.line_amount(self._lines.source(line, objects.LINE_MONEY)))
                for line in parts.lines.get(number, [])
            ]
        except DataError:
            return False  # it does not read, and says so itself when it becomes a record
        user = sum((amount for line, amount in lines if objects.is_user_line(line)), Decimal())
        return total not in (user, sum((amount for _, amount in lines), Decimal()))

    def _record(self, number: str, row: Row, parts: _BillParts) -> Record:
        documents = parts.purchases.get(number, [])
        key = (documents[0].get("DOCID") if len(documents) == 1 else None) or number
        alias = number if key != number else ""
        refused = self._purchasing.refused
        if row.get("MODULEKEY") == MADE_BY_PURCHASING and (len(documents) != 1 or refused):
            return self._wrap(key, row, unbridged(f"bill {number} of Intacct", len(documents), refused), alias=alias)
        try:
            header = self._bills.source(row)
            lines, generated = self._split(parts.lines.get(number, []))
            purchase = self._purchasing.documents.source(documents[0]) if documents else None
            entries = [self._purchasing.entries.source(entry) for entry in self._entries_of(documents, parts)]
            remit_to = self._remit.of(header)
            bill = objects.bill(
                header,
                lines,
                generated=generated,
                currency=self._client.config.currency,
                purchase=purchase,
                entries=entries,
                remit_to=remit_to,
            )
        except DataError as error:
            return self._wrap(key, row, error, alias=alias)
        digest = objects.digest(header, [line.source for line in bill.lines], purchase, remit_to)
        if self._items is not None:
            bill = msgspec.structs.replace(bill, lines=self._items.named(bill.vendor, bill.lines))
        return self._wrap(key, row, bill, digest, alias)

    def _split(self, rows: list[Row]) -> tuple[list[Source], list[Source]]:
        """The lines people entered, and those the books generated."""
        entered = [self._lines.source(row) for row in rows if objects.is_user_line(row)]
        return entered, [self._lines.source(row) for row in rows if not objects.is_user_line(row)]

    def _entries_of(self, documents: list[Row], parts: _BillParts) -> list[Row]:
        return parts.entries.get(documents[0]["RECORDNO"] or "", []) if documents else []

    def _wrap(self, key: str, row: Row, body: Any, digest: str = "", alias: str = "") -> Record:
        """A record; its amount and currency as far as the header reads, so that the books tie for what is held or dead too."""
        amount, currency = money(self._bills, row)
        return Record(
            key=key, kind="bill", body=body, company=self._client.config.company, object="APBILL", amount=amount,
            currency=currency, label=row.get("RECORDID") or "", digest=digest or objects.digest(row), alias=alias,
            former=alias,  # held under its RECORDNO while its document was not known
        )  # fmt: skip


def _bills_of(parts: _BillParts) -> AsyncIterator[tuple[str, Row]]:
    """The bills of the page, each counted as the rows it is."""
    return unhurried(list(parts.headers.items()), lambda bill: len(parts.lines.get(bill[0], ())))


def _is_number(key: str) -> bool:
    """Whether it is a RECORDNO and not a DOCID."""
    return key.isascii() and key.isdigit()


def _replace(old: dict[str, T], new: dict[str, T], key: str) -> None:
    if key in new:
        old[key] = new[key]
    else:
        old.pop(key, None)


def vendors_source(settings: VendorsSettings | None, context: Context) -> VendorsSource:
    """Builds `intacct.vendors`."""
    return VendorsSource(context.connection, settings or VendorsSettings(), context)


def bills_source(settings: BillsSettings | None, context: Context) -> BillsSource:
    """Builds `intacct.bills`."""
    return BillsSource(context.connection, settings or BillsSettings(), context)
