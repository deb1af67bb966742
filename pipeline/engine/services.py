"""What every part of a run is handed: clock, ids, randomness, threads, an observer; and the request to stop."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import anyio.to_thread
import msgspec

from pipeline.clock import Clock, Ids, RandomIds, SystemClock, system_random
from pipeline.shared import Shared, Waits

T = TypeVar("T")
Observer = Callable[[str, Any], None]
"""Called with what happened (``read`` a page's record count, ``settled`` a page's record count, ``delivered`` a delivery, ``note`` a text,
``waiting`` a `Pause`)."""


class Pause(msgspec.Struct, frozen=True):
    """A wait for a far side until then, and what it is waited for."""

    until: datetime
    why: str


def ignore(event: str, detail: Any) -> None:
    """The observer of those who do not look."""


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Runs a function on a worker thread: for large parses, which free the interpreter lock."""
    return await anyio.to_thread.run_sync(lambda: function(*arguments))


async def inline(function: Callable[..., T], *arguments: Any) -> T:
    """Runs a function where it is called: for a virtual clock, to which threads are invisible."""
    return function(*arguments)


class Services(msgspec.Struct):
    """Everything from outside that a run may use. Nothing in the engine reaches for it by itself."""

    clock: Clock
    ids: Ids
    rng: random.Random
    offload: Callable[..., Awaitable[Any]]
    environment: Mapping[str, str]
    observe: Observer = ignore
    shared: Shared = msgspec.field(default_factory=Shared)

    @property
    def debug(self) -> bool:
        """Whether receipts keep track of every record, to name the stage that loses one."""
        return bool(self.environment.get("MLC_DEBUG"))

    @classmethod
    def system(
        cls, environment: Mapping[str, str], observe: Observer = ignore, shared: Shared | None = None
    ) -> Services:
        """The real world. A process that runs several flows gives all of them the same ``shared``."""
        return cls(SystemClock(), RandomIds(), system_random(), in_thread, environment, observe, shared or Shared())


class Stopping:
    """A request to stop: sources read no further page, what is in flight is finished, waits end at once."""

    def __init__(self) -> None:
        self._waits = Waits()
        self._told: dict[Callable[[], None], None] = {}
        self.signal = 0  # the signal number that asked, 0 when none did

    @property
    def requested(self) -> bool:
        return self._waits.ended

    def request(self, signal: int = 0) -> None:
        self.signal = self.signal or signal
        self._waits.end()
        for told in self._told:
            told()

    def tell(self, told: Callable[[], None]) -> None:
        """Calls it with the request, now when that has been made. Who is to be told again is told once."""
        self._told[told] = None
        if self.requested:
            told()

    async def wait(self) -> None:
        await self._waits.until_ended()

    async def sleep(self, clock: Clock, seconds: float) -> bool:
        """Sleeps on the given clock; False when a stop was requested before the time was up."""
        return await self._waits.on(partial(clock.sleep, seconds))
