"""The source `intacct.query`: any object, with its fields and filter in the flow file."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from pipeline import Context, DataError, Estimate, Page, Record, Window
from stages.intacct import estimating
from stages.intacct.company import IntacctClient
from stages.intacct.pages import check_page_size, gone, key_slice, next_page, rules, unhurried
from stages.intacct.protocol import objects, paging
from stages.intacct.protocol.fields import Wish
from stages.intacct.protocol.filters import read_filter
from stages.intacct.protocol.query import Filter
from stages.intacct.protocol.responses import Row, Source
from stages.intacct.reader import Reader

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9_.]{0,100}$")]


class QuerySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``object`` and ``fields`` by their names in the gateway; ``key`` is the field that tells its records apart.

    ``filter`` is as `stages.intacct.protocol.filters` reads it. ``kind`` names the record in expressions. ``date`` is what
    a window by document date goes by. ``page_size`` 0: the connection's.
    """

    object: Name
    fields: Annotated[list[Name], msgspec.Meta(min_length=1)]
    key: Name = "RECORDNO"
    label: str = ""
    kind: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,40}$")] = "record"
    filter: dict[str, Any] = {}
    date: str = ""
    page_size: int = 0

    def __post_init__(self) -> None:
        check_page_size(self.page_size)
        if self.filter:
            read_filter(self.filter)


class QuerySource:
    """Records of one object, each with its fields as body. Order: (WHENMODIFIED, RECORDNO). Repeats within the overlap."""

    def __init__(self, client: IntacctClient, settings: QuerySettings) -> None:
        self._client = client
        self.scope = client.config.company
        self._object = settings.object.upper()
        self._key, self._label, self._kind = settings.key.upper(), settings.label.upper(), settings.kind
        self._names = tuple(dict.fromkeys(name.upper() for name in (settings.key, *settings.fields)))
        wished = [*self._names, *([self._label] if self._label else [])]
        self._reader = Reader(
            client,
            Wish(self._object, ("RECORDNO",), (), {}),
            extra=wished,
            needed=(paging.STAMP,),
            page_size=settings.page_size,
        )
        dates = {"document_date": settings.date.upper()} if settings.date else {}
        self._rules = rules(client, self._object, dates, "")
        self._where: Filter | None = read_filter(settings.filter) if settings.filter else None

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page:
        """One page. Raises as `IntacctClient.query`; `UnknownField` for a field the object does not have."""
        if window.keys:
            return await self._read_keys(window, cursor)
        rows, behind, more = await next_page(self._reader, self._rules, window, cursor, self._where)
        return Page([self._record(row) async for row in unhurried(rows)], behind.cursor(), more)

    async def estimate(self, window: Window, cursor: dict[str, str] | None) -> Estimate:
        """What reading would take. Raises as `Reader.count`."""
        return estimating.alone([await estimating.counted(self._reader, self._rules, window, cursor, self._where)])

    async def _read_keys(self, window: Window, cursor: dict[str, str] | None) -> Page:
        """Exactly the keys asked for, whatever the filter says of them now."""
        keys, behind, more = key_slice(window, cursor)
        records = [self._record(row) for row in await self._reader.matching(self._key, keys)]
        found = {record.key for record in records}
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        return Page([*records, *(self._wrap(key, {}, gone(self._kind, key)) for key in missing)], behind, more)

    def _record(self, row: Row) -> Record:
        key = row.get(self._key)
        if not key:
            return self._wrap(row["RECORDNO"] or "", row, self._keyless(row))
        try:
            source = self._reader.source(row)
        except DataError as error:
            return self._wrap(key, row, error)
        return self._wrap(key, row, {name: source[name] for name in self._names})

    def _wrap(self, key: str, row: Row, body: Source | DataError) -> Record:
        return Record(
            key=key,
            kind=self._kind,
            body=body,
            company=self._client.config.company,
            object=self._object,
            digest=objects.digest(row if isinstance(body, DataError) else body),
            label=row.get(self._label) or key,
        )

    def _keyless(self, row: Row) -> DataError:
        return DataError(
            f"{self._key} is empty", where=f"{self._object} {row['RECORDNO'] or 'without RECORDNO'} of Intacct",
            why="it is the stage's `key`: without it the record cannot be told from others",
            mend="complete the record in Intacct, or choose another `key`", owner="AP", code="MLC-INTACCT-0402",
        )  # fmt: skip


def query_source(settings: QuerySettings, context: Context) -> QuerySource:
    """Builds `intacct.query`."""
    return QuerySource(context.connection, settings)
