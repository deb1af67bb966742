"""What a source polls besides its own object in live reads: objects whose rows tell that records of the source changed or are gone.

A trail is a courtesy of the API user's rights: where it cannot be read, that is told once and everything else goes on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from pipeline import ConfigError, Context, Estimate, Page, Record, RefusedError, ThrottledError, TransientError, Window
from stages.intacct.company import IntacctClient
from stages.intacct.estimating import counted
from stages.intacct.pages import rules, zoned
from stages.intacct.protocol import paging
from stages.intacct.protocol.faults import UnreadableRows
from stages.intacct.protocol.fields import Wish
from stages.intacct.protocol.paging import Position
from stages.intacct.protocol.query import Compare, Filter, all_of
from stages.intacct.protocol.responses import Row
from stages.intacct.protocol.times import read_wall, to_wall
from stages.intacct.reader import Reader, Rows

Cursor = dict[str, str]
Records = Callable[[list[Row]], Awaitable[list[Record]]]

_LIVE = Window()
_CONCERNED = 2  # calls for the records that a page of a trail concerns
_TRIES = 3  # of what passes elsewhere, a run
_MOST_STEPS = 100  # rows in a row that cannot be read and are stepped over


class Trail:
    """Rows of one object in the order of ``stamp`` and ``key``, and the records that they concern.

    ``missing`` says what is not noticed when the trail cannot be read.
    """

    def __init__(
        self, context: Context, name: str, wish: Wish, concerned: Records, *, missing: str, where: Filter | None = None,
        stamp: str = paging.STAMP, key: str = paging.KEY,
    ) -> None:  # fmt: skip
        self.name = name
        self._object, self._where, self._missing, self._concerned = wish.object, where, missing, concerned
        self._client: IntacctClient = context.connection
        self._note = context.note
        self._failures = 0
        self._reader = Reader(self._client, wish)
        self._rules = msgspec.structs.replace(
            rules(self._client, wish.object, {}, ""), stamp=stamp, key=key, unstamped=False
        )

    async def beginning(self) -> Cursor:
        """The cursor of those who need nothing that was saved before now."""
        now = await self._client.server_now()
        modified = to_wall(now, paging.WESTERNMOST)
        try:
            newest = await self._reader.page(
                all_of([self._where, Compare("isnotnull", self._rules.stamp)]),
                (self._rules.stamp,),
                newest_first=True,
                most=1,
            )
            if newest.rows:
                modified = min(
                    modified,
                    read_wall(newest.rows[0].get(self._rules.stamp) or "", self._rules.zone or paging.WESTERNMOST),
                )
        except (ConfigError, RefusedError, ValueError):
            pass  # it is told when the trail is read
        except TransientError as error:
            self._passing(error)
        return Position(phase="modified", modified=modified, done=True, begun=now, swept=now).cursor()

    async def page(self, cursor: Cursor) -> Page:
        """The records that the next rows concern. Raises `TransientError` a few times; what stays, and what only a person can mend, is told
        instead, and the next run goes on there.
        """
        try:
            rows, behind, more = await self._next(cursor)
            return Page(await self._concerned(rows) if rows else [], behind.cursor(), more)
        except (ConfigError, RefusedError, TransientError) as error:
            if isinstance(error, TransientError):
                self._passing(error)
            self._note(f"{self._missing}: {error.what} ({error.where}; {error.why})")
            return Page([], cursor, False)

    def _passing(self, error: TransientError) -> None:
        """Raises it, to be tried again; but not for ever, where the gateway fails at this object alone."""
        self._failures += 1
        if self._failures <= _TRIES or isinstance(error, ThrottledError):
            raise error

    async def estimate(self, cursor: Cursor) -> tuple[int, int]:
        """The pages and calls that following it takes, the records it concerns at their usual number. Raises `TransientError`."""
        if not cursor:
            return 0, 1  # it is begun, and followed from the next run on
        try:
            found = await counted(self._reader, self._rules, _LIVE, cursor, self._where)
        except (ConfigError, RefusedError):
            return 1, 1
        return found.pages, found.pages + (_CONCERNED if found.records else 0)

    async def _next(self, cursor: Cursor) -> tuple[list[Row], Position, bool]:
        rules_now = await zoned(self._reader, self._rules, _LIVE, cursor)
        place = paging.position(cursor, _LIVE, rules_now, await self._client.server_now())
        filter, order = paging.page_filter(place, _LIVE, self._rules)
        found = await self._read(all_of([self._where, filter]), order)
        behind, more = paging.advance(place, found.rows, found.more, self._rules)
        return found.rows, behind, more

    async def _read(self, filter: Filter | None, order: tuple[str, ...]) -> Rows:
        """A page; where a damaged row fails it, a smaller one, and then what lies behind that row."""
        most, offset = self._client.config.page_size, 0
        while True:
            try:
                return await self._reader.page(filter, order, most=most, offset=offset)
            except UnreadableRows:
                if most == 1:
                    offset += 1
                most = max(1, most // 2)
                if offset > _MOST_STEPS:
                    raise
            if offset == 1:
                self._note(
                    f"Intacct cannot read a row of {self._object}: it was stepped over, what it says is not known"
                )


class Trails:
    """A source's own object and, in live reads, its trails behind it: one cursor for all of them.

    A trail is begun before the first page of all, so that nothing that changes meanwhile is missed, and followed from the next run on.
    """

    def __init__(self, own: Callable[[Window, Cursor | None], Awaitable[Page]], trails: Sequence[Trail]) -> None:
        self._own = own
        self._trails = {trail.name: trail for trail in trails}
        self._new: set[str] = set()
        self._begun = False  # whether its own object was read: a run that goes on in a trail has that still before it

    async def read(self, window: Window, cursor: Cursor | None) -> Page:
        """One page of the source or of a trail."""
        if not window.live or not self._trails:
            return await self._own(window, cursor)
        cursor = cursor or {}
        name = cursor.get("next", "")
        if name not in self._trails:
            return await self._own_page(window, cursor)
        page = await self._trails[name].page(_part(cursor, name))
        kept = _without(cursor, name) | _named(name, page.cursor or {})
        return self._following(page.records, kept, name if page.more else self._after(name))

    async def estimate(
        self, own: Callable[[Window, Cursor | None], Awaitable[Estimate]], window: Window, cursor: Cursor | None
    ) -> Estimate:
        """What a run that goes on from there takes, given what its own object takes. Records that trails concern are not counted."""
        if not window.live or not self._trails:
            return await own(window, cursor)
        cursor = cursor or {}
        found = await own(
            window, {key: text for key, text in cursor.items() if "." not in key and key != "next"} or None
        )
        costs = [await trail.estimate(_part(cursor, name)) for name, trail in self._trails.items()]
        pages, calls = (sum(each) for each in zip(*costs, strict=True))
        return msgspec.structs.replace(found, pages=found.pages + pages, calls=found.calls + calls)

    async def _own_page(self, window: Window, cursor: Cursor) -> Page:
        self._begun = True
        parts = {key: text for key, text in cursor.items() if "." in key}
        for name, trail in self._trails.items():
            if not _part(cursor, name):
                parts |= _named(name, await trail.beginning())
                self._new.add(name)
        own = {key: text for key, text in cursor.items() if "." not in key and key != "next"}
        page = await self._own(window, own or None)
        return self._following(page.records, parts | (page.cursor or {}), "" if page.more else self._after(""))

    def _following(self, records: list[Record], cursor: Cursor, following: str | None) -> Page:
        """The page, and where reading goes on: in its own object (""), in a trail, or nowhere."""
        if following is None:
            return Page(records, cursor, not self._begun)
        return Page(records, cursor | ({"next": following} if following else {}), True)

    def _after(self, name: str) -> str | None:
        names = ["", *self._trails]
        return next((each for each in names[names.index(name) + 1 :] if each not in self._new), None)


def _part(cursor: Cursor, name: str) -> Cursor:
    prefix = f"{name}."
    return {key.removeprefix(prefix): text for key, text in cursor.items() if key.startswith(prefix)}


def _without(cursor: Cursor, name: str) -> Cursor:
    return {key: text for key, text in cursor.items() if key != "next" and not key.startswith(f"{name}.")}


def _named(name: str, part: Cursor) -> Cursor:
    return {f"{name}.{key}": text for key, text in part.items()}


def distinct(values: Iterable[str | None]) -> list[str]:
    """The texts that are there, each once, in order."""
    return list(dict.fromkeys(value for value in values if value))
