"""Reads rows of one object: learns its fields once, drops those the gateway refuses, shrinks pages that are too large. No records here.

A page is what the gateway sends, never what was asked for: a gateway may send fewer rows, and only what it counts, or an empty page, tells
that nothing is left.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import tzinfo
from typing import TypeVar

import anyio
import msgspec

from pipeline import CalledOff, ConfigError, RefusedError, StageError, TransientError
from stages.intacct.client import ReplyTooLarge
from stages.intacct.company import IntacctClient
from stages.intacct.protocol.faults import PageSizeRefused, UnknownField, named_page_size
from stages.intacct.protocol.fields import Selection, Wish, refused_fields, select
from stages.intacct.protocol.objects import Columns, typed
from stages.intacct.protocol.query import Filter, Query, after, all_of, among, compared, slices
from stages.intacct.protocol.responses import Row, Source

T = TypeVar("T")


class Rows(msgspec.Struct, frozen=True):
    """One page of rows, and whether the same question has more behind them."""

    rows: list[Row]
    more: bool


class Reader:
    """One object of one company. Its fields are learnt at the first question and kept for its life."""

    def __init__(
        self,
        client: IntacctClient,
        wish: Wish,
        *,
        extra: Sequence[str] = (),
        needed: Sequence[str] = (),
        page_size: int = 0,
        key: str = "RECORDNO",
    ) -> None:
        self.client = client
        self._key = key
        self._wish = wish
        self._extra = tuple(name.upper() for name in extra)
        self._needed = tuple(needed)
        self._names = tuple(dict.fromkeys((*wish.required, *wish.optional, *wish.alternatives, *needed, *self._extra)))
        self._page_size = page_size or client.config.page_size
        self._selection: Selection | None = None
        self._columns: dict[tuple[str, ...], Columns] = {}
        self._learning = anyio.Lock()
        self.zone: tzinfo | None = None  # of the times of its rows, once that was asked

    async def page(
        self,
        filter: Filter | None,
        order: tuple[str, ...],
        *,
        newest_first: bool = False,
        most: int = 0,
        offset: int = 0,
    ) -> Rows:
        """One page, of ``most`` rows when that is less, each record once. Raises as `IntacctClient.query`; an unknown field or a refused page size only
        when nothing helps.
        """
        selection = await self._fields()
        while True:
            size = min(self._page_size, most or self._page_size)
            question = Query(
                object=self._wish.object,
                fields=selection.fields,
                filter=filter,
                order=order,
                newest_first=newest_first,
                page_size=size,
                offset=offset,
                private=not self.client.config.location_id,
            )
            try:
                data = await self.client.query(question)
            except UnknownField as error:
                selection = self._drop(selection, error, compared(filter))
            except PageSizeRefused as error:
                largest = named_page_size(error.why, size)
                if largest is None:
                    raise
                self._page_size = min(self._page_size, largest)
            except ReplyTooLarge:
                if size == 1:
                    raise
                self._page_size = min(self._page_size, size // 2)
            else:
                more = data.more and bool(data.rows or not offset)
                if more and not data.rows:
                    raise _empty_page(self._wish.object)
                return Rows(self._distinct(data.rows), more)

    def _distinct(self, rows: list[Row]) -> list[Row]:
        """A page may hold a record twice. What has no key is not told apart."""
        return list({row.get(self._key) or str(place): row for place, row in enumerate(rows, -len(rows))}.values())

    async def fields(self) -> tuple[str, ...]:
        """What is asked for of each row in this company. Raises as `IntacctClient.query`."""
        return (await self._fields()).fields

    @property
    def page_size(self) -> int:
        """How many records a page is asked for."""
        return self._page_size

    async def count(self, *filters: Filter | None) -> int:
        """How many records there are, for the price of a page. Raises as `page`, and `ConfigError` when the gateway does not say."""
        question = Query(
            object=self._wish.object, fields=(self._key,), filter=all_of(filters), order=(self._key,), page_size=1, private=not self.client.config.location_id
        )  # fmt: skip
        data = await self.client.query(question)
        if data.total is not None or data.remaining is not None:
            return data.total if data.total is not None else (data.remaining or 0) + len(data.rows)
        raise ConfigError(
            f"Intacct does not say how many {self._wish.object} records there are", where=f"query of {self._wish.object}",
            why="its reply has neither totalcount nor numremaining", mend="nothing: what a run takes cannot be told beforehand here",
            code="MLC-INTACCT-0153",
        )  # fmt: skip

    async def matching(self, field: str, values: Iterable[str], *filters: Filter) -> list[Row]:
        """Every row whose ``field`` is one of ``values``, once, by the object's key; each slice of values is paged to its end."""
        parts = await concurrently([lambda part=part: self._slice(field, part, filters) for part in slices(values)])  # type: ignore[misc]
        return [row for part in parts for row in part]

    def source(self, row: Row, names: tuple[str, ...] | None = None) -> Source:
        """The row with its types: every field that was wished for (or those named), None where the company has none.

        Raises `DataError`.
        """
        assert self._selection is not None, "a row comes from a page, and a page from a selection"
        wanted = self._names if names is None else names
        columns = self._columns.get(wanted)
        if columns is None:
            columns = self._columns[wanted] = Columns.of(self._wish.object, wanted, self._selection.types)
        return typed(row, columns)

    async def _slice(self, field: str, values: tuple[str, ...], filters: tuple[Filter, ...]) -> list[Row]:
        rows: list[Row] = []
        last: int | None = None
        while True:
            behind = None if last is None else after(self._key, str(last))
            page = await self.page(all_of([among(field, values), *filters, behind]), (self._key,))
            rows += page.rows
            if not page.more:
                return rows
            last = _moved(self._wish.object, last, page.rows[-1].get(self._key) or "")

    async def _fields(self) -> Selection:
        async with self._learning:
            if self._selection is None:
                self._selection = await self._learn()
            return self._selection

    async def _learn(self) -> Selection:
        """Not every user may call `lookup`. Without it the whole wish is asked for; what is really wrong shows there again."""
        try:
            definition = await self.client.lookup(self._wish.object)
        except (ConfigError, RefusedError):
            definition = None
        return select(self._wish, definition, self._extra, self._needed)

    def _drop(self, selection: Selection, error: UnknownField, compared: Collection[str]) -> Selection:
        """Asks for less. What the filter names cannot be told from what is asked for: a field that cannot be compared may still be shown."""
        refused = refused_fields(selection, error.why)
        if not refused or selection.required.intersection(refused) or not set(compared).isdisjoint(refused):
            raise error
        self._selection = selection.without(refused)
        return self._selection


def _moved(object_name: str, last: int | None, text: str) -> int:
    """Where the slice goes on; a gateway that does not move would be asked for ever."""
    if text.isascii() and text.isdigit() and (last is None or int(text) > last):
        return int(text)
    raise ConfigError(
        f"Intacct's {object_name} records did not come in the order asked for", where=f"query of {object_name} by RECORDNO",
        why=f"record {text[:30]!r} came behind record {last}; going on would lose records, or never end", mend="report this",
        code="MLC-INTACCT-0501",
    )  # fmt: skip


def _empty_page(object_name: str) -> TransientError:
    return TransientError(
        f"Intacct sent an empty page of {object_name} and says there is more", where=f"query of {object_name}",
        why="the reply contradicts itself", mend="nothing to do: it is tried again", code="MLC-INTACCT-0205",
    )  # fmt: skip


async def concurrently(calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """The results in order. The first error ends the others and is raised as it is, not in a group."""
    results: dict[int, T] = {}
    failures: list[Exception] = []

    async def run(index: int, call: Callable[[], Awaitable[T]]) -> None:
        try:
            results[index] = await call()
        except (StageError, CalledOff) as error:
            failures.append(error)
            group.cancel_scope.cancel()

    if len(calls) == 1:
        return [await calls[0]()]
    async with anyio.create_task_group() as group:
        for index, call in enumerate(calls):
            group.start_soon(run, index, call)
    if failures:
        raise failures[0]
    return [results[index] for index in range(len(calls))]
