"""Sessions: which one is current, when it must be renewed, and that only one sign-in happens at a time. No I/O of its own.

The sign-in itself is passed in. A sign-in that was refused is remembered and never repeated: repeated attempts lock the user.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import anyio
import msgspec

from pipeline import Clock, ConfigError, Secret, SessionError

LONGEST = timedelta(minutes=50)
"""A session is renewed at this age at the latest, whatever the server promises."""
MOST_BARREN = 3
"""So many sessions in a row under which nothing could be asked, and no other is asked for until `BARREN_PAUSE` is over."""
BARREN_PAUSE = timedelta(minutes=15)
_LARGEST_MARGIN = timedelta(minutes=2)
_MARGIN_SHARE = 10


class SessionKey(msgspec.Struct, frozen=True):
    """What a session belongs to: one for an entity serves no other entity, nor the top level."""

    root: str
    sender: str
    company: str
    client: str
    entity: str
    user: str
    passwords: Secret  # their digest: who signs in otherwise has a session of its own


class Grant(msgspec.Struct, frozen=True):
    """What a sign-in returned. ``life`` is how long it lasts unless used, None when the server did not say."""

    id: Secret
    endpoint: str
    life: timedelta | None


class Session(msgspec.Struct, frozen=True):
    """A session in use. ``generation`` tells it from the ones before and after it."""

    id: Secret
    endpoint: str
    generation: int


class _Entry(msgspec.Struct):
    lock: anyio.Lock
    session: Session | None = None
    generation: int = 0
    oldest: datetime | None = None  # when its age alone ends it
    deadline: datetime | None = None  # when the server ends it, less the margin
    refused: ConfigError | None = None
    worked: bool = False  # whether anything could be asked under this session
    barren: int = 0  # sessions in a row under which nothing could
    barren_until: datetime | None = None
    barren_error: SessionError | None = None


class Sessions:
    """The sessions of one process part, by key. Safe for concurrent tasks of one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[SessionKey, _Entry] = {}

    async def current(self, key: SessionKey, sign_in: Callable[[], Awaitable[Grant]]) -> Session:
        """A session that is good now, signing in when there is none. However many wait, one of them signs in.

        Raises what ``sign_in`` raises; a `ConfigError` of it is raised to every later caller without trying again. Raises `SessionError`
        without signing in where each session was refused at once: that ends the run, and another one may try later.
        """
        entry = self._entries.setdefault(key, _Entry(anyio.Lock()))
        if (session := self._good(entry)) is not None:
            return session
        async with entry.lock:
            if (session := self._good(entry)) is not None:
                return session
            if entry.refused is not None:
                raise entry.refused.again()
            self._refuse_barren(entry)
            try:
                grant = await sign_in()
            except ConfigError as error:
                entry.refused = error
                raise
            return self._adopt(entry, grant)

    def extend(self, key: SessionKey, generation: int, life: timedelta | None) -> None:
        """The session was accepted, and a reply told how long it now lasts. Ignored for a session that is no longer current."""
        entry = self._entries.get(key)
        if entry is None or entry.generation != generation:
            return
        entry.worked, entry.barren = True, 0
        if life is not None:
            entry.deadline = self._less_margin(life)

    def drop(self, key: SessionKey, generation: int, error: SessionError) -> None:
        """This session was refused, so. Does nothing when another task has dropped or replaced it already."""
        entry = self._entries.get(key)
        if entry is None or entry.generation != generation or entry.session is None:
            return
        entry.session = None
        if not entry.worked:
            entry.barren += 1
            entry.barren_until, entry.barren_error = self._clock.now() + BARREN_PAUSE, error

    def _refuse_barren(self, entry: _Entry) -> None:
        error, until = entry.barren_error, entry.barren_until
        if error is None or until is None or entry.barren < MOST_BARREN or self._clock.now() >= until:
            return
        raise SessionError(
            "Intacct refuses every session as soon as it has granted it", where=error.where,
            why=f"{entry.barren} sign-ins in a row were good for nothing; {error.why}", code="MLC-INTACCT-0206",
            mend="check that nothing else ends this user's sessions, and that nothing in between changes requests; the next run tries again,"
            f" a process that goes on at {until:%H:%M} UTC",
        )  # fmt: skip

    def _good(self, entry: _Entry) -> Session | None:
        ends = [moment for moment in (entry.oldest, entry.deadline) if moment is not None]
        return entry.session if all(self._clock.now() < moment for moment in ends) else None

    def _adopt(self, entry: _Entry, grant: Grant) -> Session:
        entry.generation += 1
        entry.worked = False
        entry.oldest = self._clock.now() + LONGEST
        entry.deadline = None if grant.life is None else self._less_margin(grant.life)
        entry.session = Session(grant.id, grant.endpoint, entry.generation)
        return entry.session

    def _less_margin(self, life: timedelta) -> datetime:
        return self._clock.now() + life - min(life / _MARGIN_SHARE, _LARGEST_MARGIN)


def lifetime(timeout: str, *beginnings: datetime | None) -> timedelta | None:
    """How long until ``timeout`` (ISO 8601 with offset), counted from the latest beginning before it: the clocks of the server, of what
    stands in front of it and our own need not agree, and to renew early costs less than to be refused. None when nothing says.
    """
    deadline = moment(timeout)
    if deadline is None:
        return None
    return min((deadline - start for start in beginnings if start is not None and start < deadline), default=None)


def moment(text: str) -> datetime | None:
    """The time an ISO 8601 text with offset names, else None."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
