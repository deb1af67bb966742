"""Repeating a call that only reads: a passing failure then costs that call, and not the page that it belongs to with all its other calls."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pipeline import Clock, RetryPolicy, TransientError, decide

T = TypeVar("T")
_READS = RetryPolicy(times=6, first=0.5, max=10.0)


async def patiently(read: Callable[[], Awaitable[T]], patience: float, clock: Clock, rng: random.Random) -> T:
    """The result, asked for again after passing failures until ``patience`` seconds from now. Raises the last failure."""
    attempt, deadline = 0, clock.monotonic() + patience
    while True:
        attempt += 1
        try:
            return await read()
        except TransientError as error:
            decision = decide(error, attempt, _READS, rng)
            if decision == "stop" or clock.monotonic() + decision.seconds >= deadline:
                raise
        await clock.sleep(decision.seconds)
