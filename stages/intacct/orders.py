"""The source `intacct.orders`: purchasing documents of order definitions, with their lines."""

from __future__ import annotations

import msgspec

from pipeline import Context, DataError, Estimate, Page, Record, Window
from stages.ap.model import Order
from stages.intacct import estimating
from stages.intacct.company import IntacctClient
from stages.intacct.config import LARGEST_PAGE
from stages.intacct.pages import by, check_page_size, gone, key_slice, next_page, rules, unhurried
from stages.intacct.protocol import fields, objects, paging
from stages.intacct.protocol.orders import order
from stages.intacct.protocol.query import LARGEST_LIST, Compare, Filter, among
from stages.intacct.protocol.responses import Row
from stages.intacct.reader import Reader
from stages.intacct.vendor_items import VendorItems


class OrdersSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``definitions`` are the transaction definitions to read, as the company spells them; none: all of the class Order.

    ``fields`` and ``line_fields`` are read besides the usual ones. ``page_size`` 0: the connection's. ``vendor_items`` also reads what
    each vendor calls our items.
    """

    definitions: list[str] = []
    fields: list[str] = []
    line_fields: list[str] = []
    vendor_items: bool = False
    page_size: int = 0

    def __post_init__(self) -> None:
        check_page_size(self.page_size)
        if len(self.definitions) > LARGEST_LIST:
            raise ValueError(f"definitions names more than {LARGEST_LIST}")


class OrdersSource:
    """Orders of every state with their lines. Order: (WHENMODIFIED, RECORDNO). Repeats within the overlap. The key is DOCID."""

    def __init__(self, client: IntacctClient, settings: OrdersSettings) -> None:
        self._client = client
        self.scope = client.config.company
        self._orders = Reader(
            client, fields.ORDER, extra=settings.fields, needed=(paging.STAMP,), page_size=settings.page_size
        )
        self._items = VendorItems(client) if settings.vendor_items else None
        entry = fields.PURCHASE_LINE_NAMED if self._items else fields.PURCHASE_LINE
        self._entries = Reader(client, entry, extra=settings.line_fields, page_size=LARGEST_PAGE)
        self._rules = rules(client, "PODOCUMENT", {"document_date": "WHENCREATED"}, "AUWHENCREATED")
        self._where: Filter = Compare("equalto", "DOCPARCLASS", ("Order",))
        if settings.definitions:
            self._where = among("DOCPARID", dict.fromkeys(settings.definitions))

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page:
        """One page, complete with lines. Raises as `IntacctClient.query`."""
        if self._items is not None and (cursor is None or cursor.get("done")):
            self._items.forget()
        if window.keys:
            return await self._read_keys(window, cursor)
        rows, behind, more = await next_page(self._orders, self._rules, window, cursor, self._where)
        return Page(await self._records(rows), behind.cursor(), more)

    async def estimate(self, window: Window, cursor: dict[str, str] | None) -> Estimate:
        """What reading would take, with lines. Raises as `Reader.count`."""
        found = await estimating.counted(self._orders, self._rules, window, cursor, self._where)
        lines = await estimating.per_record(self._entries, self._orders)
        calls = found.pages + estimating.calls_for(found.lists(), lines)
        calls += await self._items.estimate(found) if self._items is not None else 0
        return Estimate(
            records=found.records,
            pages=found.pages,
            calls=calls,
            note="lines as purchasing documents have them on average",
        )

    async def _read_keys(self, window: Window, cursor: dict[str, str] | None) -> Page:
        keys, behind, more = key_slice(window, cursor)
        records = await self._records(await self._orders.matching("DOCID", keys))
        found = {record.key for record in records}
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        return Page([*records, *(self._wrap({"DOCID": key}, gone("order", key)) for key in missing)], behind, more)

    async def _records(self, rows: list[Row]) -> list[Record]:
        numbers = [row["RECORDNO"] or "" for row in rows]
        entries = by("DOCHDRNO", await self._entries.matching("DOCHDRNO", numbers)) if numbers else {}
        if self._items is not None:
            await self._items.learn(row.get("CUSTVENDID") or "" for row in rows)
        orders = [(row, entries.get(row["RECORDNO"] or "", [])) for row in rows]
        return [self._record(row, lines) async for row, lines in unhurried(orders, lambda order: len(order[1]))]

    def _record(self, row: Row, entries: list[Row]) -> Record:
        try:
            header = self._orders.source(row)
            lines = [self._entries.source(entry) for entry in entries]
            body = order(header, lines, currency=self._client.config.currency)
        except DataError as error:
            return self._wrap(row, error)
        if self._items is not None:
            body = msgspec.structs.replace(body, lines=self._items.named(body.vendor, body.lines))
        return self._wrap(row, body)

    def _wrap(self, row: Row, body: Order | DataError) -> Record:
        record = Record(
            key=row.get("DOCID") or row.get("RECORDNO") or "",
            kind="order",
            body=body,
            company=self._client.config.company,
            object="PODOCUMENT",
            label=row.get("DOCNO") or "",
            digest=objects.digest(row),
        )
        if isinstance(body, DataError):
            return record
        digest = objects.digest(body.source, [line.source for line in body.lines])
        return record.replace(amount=body.total, currency=body.currency, digest=digest)


def orders_source(settings: OrdersSettings | None, context: Context) -> OrdersSource:
    """Builds `intacct.orders`."""
    return OrdersSource(context.connection, settings or OrdersSettings())
