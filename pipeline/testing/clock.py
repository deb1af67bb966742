"""A clock that moves only when told to, and ids that count: what a test passes in place of the real ones."""

from __future__ import annotations

import heapq
import itertools
from datetime import UTC, datetime, timedelta

import anyio
import anyio.lowlevel

DEFAULT_START = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
"""A Monday morning, so that schedules and payment terms have a plain starting day."""

YIELDS_AFTER_WAKING = 20
"""How often `ManualClock.advance` yields after waking a sleeper, so that it can run on and perhaps sleep again."""


class ManualClock:
    """A `pipeline.Clock` on virtual time; no test that uses it waits.

    By default a sleeper waits until `advance` reaches its time; sleepers wake in order of time, equal times in the
    order they fell asleep, and each sees exactly the time it asked for. With ``autojump`` a sleep moves the clock
    itself, at once, and yields: right for one task that sleeps; the sleeps of several tasks add up.
    """

    def __init__(self, start: datetime = DEFAULT_START, *, autojump: bool = False) -> None:
        if start.tzinfo is None:
            raise ValueError("start must be an aware time")
        self._start = start.astimezone(UTC)
        self._elapsed = 0.0
        self._autojump = autojump
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, anyio.Event]] = []

    @property
    def sleepers(self) -> int:
        """How many tasks sleep now."""
        return len(self._sleepers)

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if self._autojump or seconds <= 0:
            self._elapsed += max(seconds, 0.0)
            await anyio.lowlevel.checkpoint()
            return
        sleeper = (self._elapsed + seconds, next(self._order), anyio.Event())
        heapq.heappush(self._sleepers, sleeper)
        try:
            await sleeper[2].wait()
        finally:
            self._forget(sleeper)

    async def advance(self, seconds: float) -> None:
        """Move on by ``seconds``, waking who is due on the way. Who sleeps again within that time is woken again."""
        end = self._elapsed + seconds
        await self._let_others_run()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, wake = heapq.heappop(self._sleepers)
            self._elapsed = due
            wake.set()
            await self._let_others_run()
        self._elapsed = end

    def _forget(self, sleeper: tuple[float, int, anyio.Event]) -> None:
        """A cancelled sleeper leaves; one that was woken is gone already."""
        if sleeper in self._sleepers:
            self._sleepers.remove(sleeper)
            heapq.heapify(self._sleepers)

    async def _let_others_run(self) -> None:
        for _ in range(YIELDS_AFTER_WAKING):
            await anyio.lowlevel.checkpoint()


class SequenceIds:
    """A `pipeline.Ids` that counts: ``id-1``, ``id-2`` and so on."""

    def __init__(self, prefix: str = "id-") -> None:
        self._prefix = prefix
        self._count = itertools.count(1)

    def new(self) -> str:
        return f"{self._prefix}{next(self._count)}"
