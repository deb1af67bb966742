"""The source `intacct.orders`: purchasing documents of order definitions, with their lines."""

from __future__ import annotations

import msgspec

from pipeline import Context, DataError, Estimate, Page, Record, Window
from stages.ap.model import Order
from stages.intacct import estimating
from stages.intacct.client import IntacctClient
from stages.intacct.config import LARGEST_PAGE
from stages.intacct.pages import by, check_page_size, gone, key_slice, next_page, rules, unhurried
from stages.intacct.protocol import fields, objects, paging
from stages.intacct.protocol.orders import order
from stages.intacct.protocol.query import LARGEST_LIST, Compare, Filter, among
from stages.intacct.protocol.responses import Row
from stages.intacct.reader import Reader


class OrdersSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``definitions`` are the transaction definitions to read, as the company spells them; none: all of the class Order.

    ``fields`` and ``line_fields`` are read besides the usual ones. ``page_size`` 0: the connection's.
    """

    definitions: list[str] = []
    fields: list[str] = []
    line_fields: list[str] = []
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
        self._entries = Reader(client, fields.PURCHASE_LINE, extra=settings.line_fields, page_size=LARGEST_PAGE)
        self._rules = rules(client, "PODOCUMENT", {"document_date": "WHENCREATED"}, "AUWHENCREATED")
        self._where: Filter = Compare("equalto", "DOCPARCLASS", ("Order",))
        if settings.definitions:
            self._where = among("DOCPARID", dict.fromkeys(settings.definitions))

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page:
        """One page, complete with lines. Raises as `IntacctClient.query`."""
        if window.keys:
            return await self._read_keys(window, cursor)
        rows, behind, more = await next_page(self._orders, self._rules, window, cursor, self._where)
        return Page(await self._records(rows), behind.cursor(), more)

    async def estimate(self, window: Window, cursor: dict[str, str] | None) -> Estimate:
        """What reading would take, with lines. Raises as `Reader.count`."""
        found = await estimating.counted(self._orders, self._rules, window, cursor, self._where)
        lines = await estimating.per_record(self._entries, self._orders)
        calls = found.pages + estimating.calls_for(found.lists(), lines)
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
        orders = [(row, entries.get(row["RECORDNO"] or "", [])) for row in rows]
        return [self._record(row, lines) async for row, lines in unhurried(orders, lambda order: len(order[1]))]

    def _record(self, row: Row, entries: list[Row]) -> Record:
        try:
            header = self._orders.source(row)
            lines = [self._entries.source(entry) for entry in entries]
            return self._wrap(row, order(header, lines, currency=self._client.config.currency))
        except DataError as error:
            return self._wrap(row, error)

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
