"""The company's slots: so many requests are in work, the rest wait in line, and who waits too long or finds the line full is refused."""

from __future__ import annotations

import asyncio
from collections import deque

from pipeline import Clock
from stages.intacct.simulator.gateway import Behaviour


class Gate:
    """First come, first served. Waiting is by the simulator's clock."""

    def __init__(self, clock: Clock, behaviour: Behaviour) -> None:
        self._clock = clock
        self._free = behaviour.concurrency
        self._queue = behaviour.queue
        self._hold = behaviour.hold_seconds
        self._line: deque[asyncio.Future[bool]] = deque()

    async def enter(self) -> bool:
        """Whether a slot was had; then `leave` must follow."""
        if self._free:
            self._free -= 1
            return True
        if len(self._line) >= self._queue:
            return False
        place = asyncio.get_running_loop().create_future()
        self._line.append(place)
        patience = asyncio.create_task(self._lose_patience(place))
        try:
            entered: bool = await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.result():
                self.leave()  # the slot was just handed over to a client that has gone
            raise
        finally:
            patience.cancel()
            if place in self._line:
                self._line.remove(place)
        return entered

    def leave(self) -> None:
        """Hands the slot to the first in line."""
        while self._line:
            place = self._line.popleft()
            if not place.done():
                place.set_result(True)
                return
        self._free += 1

    async def _lose_patience(self, place: asyncio.Future[bool]) -> None:
        await self._clock.sleep(self._hold)
        if not place.done():
            place.set_result(False)
