"""The source `intacct.payments`: AP payments with what they settle. What the rows mean is the business of `protocol.payments`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

import msgspec

from pipeline import Context, DataError, Estimate, Known, Page, PermissionDenied, Record, Tally, Window
from stages.ap.model import Payment
from stages.intacct import estimating
from stages.intacct.company import IntacctClient
from stages.intacct.config import LARGEST_PAGE
from stages.intacct.counting import Counting, money
from stages.intacct.deletions import Deletions
from stages.intacct.pages import by, check_page_size, gone, key_slice, next_page, rules, unhurried
from stages.intacct.protocol import fields, objects, paging
from stages.intacct.protocol.faults import UnknownObject
from stages.intacct.protocol.payments import ADJUSTMENT_KEYS, payment, settled
from stages.intacct.protocol.responses import Row, Source
from stages.intacct.reader import Reader
from stages.intacct.trails import Trails


class PaymentsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``fields`` are read besides the usual ones of the payment. ``deletions`` tells of deleted payments. ``page_size`` 0: the connection's."""

    fields: list[str] = []
    deletions: bool = True
    page_size: int = 0

    def __post_init__(self) -> None:
        check_page_size(self.page_size)


class _Parts(msgspec.Struct):
    """Details by the payment they belong to, and by RECORDNO the bills and adjustments they settle."""

    details: dict[str, list[Row]] = {}
    bills: dict[str, Source] = {}
    adjustments: dict[str, Source] = {}


class PaymentsSource:
    """AP payments of every state with what they settle. Order: (WHENMODIFIED, RECORDNO). Repeats within the overlap.

    The key is RECORDNO. A payment that does not read comes as `DataError`.
    """

    object = "APPYMT"

    def __init__(self, client: IntacctClient, settings: PaymentsSettings, context: Context | None = None) -> None:
        self._client = client
        self.scope = client.config.company
        self._payments = Reader(
            client, fields.PAYMENT, extra=settings.fields, needed=(paging.STAMP,), page_size=settings.page_size
        )
        self._details = Reader(client, fields.PAYMENT_DETAIL, page_size=LARGEST_PAGE)
        self._bills = Reader(client, fields.PAID_BILL, page_size=LARGEST_PAGE)
        self._adjustments = Reader(client, fields.ADJUSTMENT, page_size=LARGEST_PAGE)
        self._credits_readable = True
        self._rules = rules(
            client, "APPYMT", {"document_date": "WHENCREATED", "posting_date": "WHENPOSTED"}, "AUWHENCREATED"
        )
        self._counting = Counting(client, fields.PAYMENT_COUNT, self._rules)
        self._deletions = Deletions(context, "APPYMT", "payment", ("appymt",), self._alive) if context else None
        self._trails = Trails(self._own, [self._deletions.trail] if self._deletions and settings.deletions else [])

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page:
        """One page, complete with details. Raises as `IntacctClient.query`."""
        return await self._trails.read(window, cursor)

    async def _alive(self, known: Sequence[Known]) -> set[str]:
        return await self.present([each.key for each in known])

    async def _own(self, window: Window, cursor: dict[str, str] | None) -> Page:
        if cursor is None or cursor.get("done"):
            self._credits_readable = True  # a new run: the right may have been granted
        if window.keys:
            return await self._read_keys(window, cursor)
        rows, behind, more = await next_page(self._payments, self._rules, window, cursor)
        return Page(await self._records(rows), behind.cursor(), more)

    async def estimate(self, window: Window, cursor: dict[str, str] | None) -> Estimate:
        """What reading would take, with details and what they settle. Raises as `Reader.count`."""
        return await self._trails.estimate(self._estimate, window, cursor)

    async def _estimate(self, window: Window, cursor: dict[str, str] | None) -> Estimate:
        found = await estimating.counted(self._payments, self._rules, window, cursor)
        details = await estimating.per_record(self._details, self._payments)
        calls = found.pages + estimating.calls_for(found.lists(), details) + found.lists(details)
        if await estimating.known(self._adjustments):
            calls += found.lists()
        return Estimate(
            records=found.records, pages=found.pages, calls=calls, note="details as payments have them on average"
        )

    async def _read_keys(self, window: Window, cursor: dict[str, str] | None) -> Page:
        keys, behind, more = key_slice(window, cursor)
        numbers = [key for key in keys if key.isascii() and key.isdigit()]
        records = await self._records(await self._payments.matching("RECORDNO", numbers))
        found = {record.key for record in records}
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        deleted = await self._deletions.among(missing) if self._deletions and missing else []
        lost = [key for key in missing if key not in {record.key for record in deleted}]
        records += [*deleted, *(self._wrap({"RECORDNO": key}, gone("payment", key)) for key in lost)]
        return Page(records, behind, more)

    async def _records(self, rows: list[Row]) -> list[Record]:
        """A payment that its details do not add up to is read once more: someone may have saved it between two calls."""
        records = await self._assembled(rows)
        torn = [key for key, record in records.items() if _torn(record.body)]
        if torn:
            records |= await self._assembled(await self._payments.matching("RECORDNO", torn))
        return list(records.values())

    async def _assembled(self, rows: list[Row]) -> dict[str, Record]:
        parts = await self._gather([row["RECORDNO"] or "" for row in rows])
        return {row["RECORDNO"] or "": self._record(row, parts) async for row in unhurried(rows)}

    async def _gather(self, payments: list[str]) -> _Parts:
        if not payments:
            return _Parts()
        details = await self._details.matching("PAYMENTKEY", payments)
        return _Parts(
            details=by("PAYMENTKEY", details),
            bills=_read(self._bills, await self._bills.matching("RECORDNO", _named(details, "RECORDKEY"))),
            adjustments=await self._adjustments_of(_named(details, *ADJUSTMENT_KEYS)),
        )

    async def _adjustments_of(self, records: list[str]) -> dict[str, Source]:
        """Empty where the user may not read them: a payment that uses none needs no such right."""
        if not records or not self._credits_readable:
            return {}
        try:
            return _read(self._adjustments, await self._adjustments.matching("RECORDNO", records))
        except (PermissionDenied, UnknownObject):
            self._credits_readable = False
            return {}

    def _record(self, row: Row, parts: _Parts) -> Record:
        try:
            body = payment(
                self._payments.source(row),
                [self._details.source(detail) for detail in parts.details.get(row["RECORDNO"] or "", [])],
                bills=parts.bills,
                adjustments=parts.adjustments,
                currency=self._client.config.currency,
            )
        except DataError as error:
            return self._wrap(row, error)
        return self._wrap(row, body)

    async def tally(self, window: Window) -> list[Tally] | None:
        """What the books hold in the window, counted and added up by Intacct."""
        return await self._counting.tally(window)

    async def listing(self, window: Window) -> AsyncIterator[list[Record]]:
        """The payments of a window by date, in order of RECORDNO, without bodies. Raises as `IntacctClient.query`."""
        async for rows in self._counting.pages(window):
            yield [self._listed(row) for row in rows]

    def _listed(self, row: Row) -> Record:
        number = row["RECORDNO"] or ""
        amount, currency = self._counting.money(row)
        return Record(
            key=number, kind="payment", body=None, company=self._client.config.company, object=self.object, amount=amount,
            currency=currency, label=row.get("DOCNUMBER") or "", alias=number,
        )  # fmt: skip

    async def present(self, keys: Sequence[str]) -> set[str]:
        """Those that are in the books, whatever their date."""
        return {row["RECORDNO"] or "" for row in await self._payments.matching("RECORDNO", keys)}

    def _wrap(self, row: Row, body: Payment | DataError) -> Record:
        amount, currency = money(self._payments, row if "VENDORID" in row else {})
        record = Record(
            key=row["RECORDNO"] or "",
            kind="payment",
            body=body,
            company=self._client.config.company,
            object="APPYMT",
            label=row.get("DOCNUMBER") or "",
            digest=objects.digest(row),
            amount=amount,
            currency=currency,
        )
        if isinstance(body, DataError):
            return record
        digest = objects.digest(body.source, body.details)
        return record.replace(amount=body.total, currency=body.currency, label=body.number, digest=digest)


def _torn(body: object) -> bool:
    return isinstance(body, Payment) and settled(body) != body.total


def _named(details: Iterable[Row], *names: str) -> list[str]:
    """The records that the details name in those fields, once each, in order."""
    return list(dict.fromkeys(key for row in details for name in names if (key := row.get(name))))


def _read(reader: Reader, rows: Iterable[Row]) -> dict[str, Source]:
    """The documents with their types, by record; one that does not read is as good as one that is not there."""
    found: dict[str, Source] = {}
    for row in rows:
        try:
            found[row["RECORDNO"] or ""] = reader.source(row)
        except DataError:
            continue
    return found


def payments_source(settings: PaymentsSettings | None, context: Context) -> PaymentsSource:
    """Builds `intacct.payments`."""
    return PaymentsSource(context.connection, settings or PaymentsSettings(), context)
