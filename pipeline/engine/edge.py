"""The bounded queue between two stages. Records travel in chunks; the bound is in records.

`Edge.put_many` waits while there is no room, `Edge.get_many` while there is nothing; each makes one checkpoint per chunk. An edge
ends when all its producers have closed it and it is empty.
"""

from __future__ import annotations

from collections import deque

import anyio
import msgspec
from anyio.lowlevel import checkpoint

from pipeline.clock import Clock
from pipeline.record import Record


class EdgeStatistics(msgspec.Struct, frozen=True):
    """Counts are records, times are seconds."""

    depth: int
    capacity: int
    high_water: int
    put: int
    taken: int
    blocked_seconds: float  # how long producers waited for room


class Edge:
    """A queue of at most ``capacity`` records, for one consumer and ``producers`` producers."""

    def __init__(self, name: str, capacity: int, producers: int, clock: Clock) -> None:
        self.name = name
        self._capacity = capacity
        self._producers = producers
        self._clock = clock
        self._records: deque[Record] = deque()
        self._room = anyio.Event()
        self._filled = anyio.Event()
        self._crowded = False  # a producer waits for room
        self._high_water = self._put = self._taken = 0
        self._blocked = 0.0

    async def put_many(self, records: list[Record]) -> None:
        """Appends the records in order, waiting for room as often as needed."""
        start, queue = 0, self._records
        while start < len(records):
            if len(queue) >= self._capacity:
                await self._wait_for_room()
            end = start + self._capacity - len(queue)
            queue.extend(records[start:end] if start or end < len(records) else records)
            start = end
            self._filled.set()
            self._high_water = max(self._high_water, len(queue))
        self._put += len(records)
        await checkpoint()

    async def _wait_for_room(self) -> None:
        began = self._clock.monotonic()
        while len(self._records) >= self._capacity:
            self._crowded = True
            await self._room.wait()
        self._blocked += self._clock.monotonic() - began

    async def get_many(self, limit: int) -> list[Record]:
        """Between 1 and ``limit`` records in order; an empty list means the edge has ended."""
        queue = self._records
        while not queue:
            if self._producers == 0:
                return []
            self._filled = anyio.Event()
            await self._filled.wait()
        if len(queue) <= limit:
            chunk = list(queue)
            queue.clear()
        else:
            chunk = [queue.popleft() for _ in range(limit)]
        self._taken += len(chunk)
        if self._crowded:  # wakes every waiting producer; a new event takes the place of the one that fired
            self._crowded = False
            fired, self._room = self._room, anyio.Event()
            fired.set()
        return chunk

    def close(self) -> None:
        """One producer is done."""
        self._producers -= 1
        self._filled.set()

    def statistics(self) -> EdgeStatistics:
        return EdgeStatistics(
            len(self._records), self._capacity, self._high_water, self._put, self._taken, self._blocked
        )
