"""Repeating a call that only reads: a passing failure then costs that call, and not the page that it belongs to with all its other calls."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pipeline import Clock, RetryPolicy, TransientError, decide

T = TypeVar("T")
_READS = RetryPolicy(times=6, first=0.5, max=10.0)


class Patience:
    """Until when one call is repeated. Waiting for a turn is no failing: who waited gets the time back."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds

    def extend(self, seconds: float) -> None:
        self._end += seconds

    def lasts(self, seconds: float) -> bool:
        """Whether there is time for a pause so long, and an attempt after it."""
        return self._clock.monotonic() + seconds < self._end


async def patiently(read: Callable[[Patience], Awaitable[T]], seconds: float, clock: Clock, rng: random.Random) -> T:
    """The result, asked for again after passing failures for so long from now. Raises the last failure."""
    attempt, patience = 0, Patience(seconds, clock)
    while True:
        attempt += 1
        try:
            return await read(patience)
        except TransientError as error:
            decision = decide(error, attempt, _READS, rng)
            if decision == "stop" or not patience.lasts(decision.seconds):
                raise
        await clock.sleep(decision.seconds)
