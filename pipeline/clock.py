"""Time, ids and randomness as values that are passed in, so that a whole run can happen on a virtual clock.

Nothing else in the product reads a clock, sleeps, makes an id or draws a random number by itself.
"""

from __future__ import annotations

import os
import random
import time
from datetime import UTC, datetime
from typing import Protocol

import anyio


class Clock(Protocol):
    """``now`` is aware UTC; ``monotonic`` is seconds for measuring; ``sleep`` takes seconds."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The real clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class Ids(Protocol):
    """Makes short unique texts: lease owners, control ids of requests."""

    def new(self) -> str: ...


class RandomIds:
    """Sixteen hexadecimal digits from the operating system's generator."""

    def new(self) -> str:
        return os.urandom(8).hex()


def system_random() -> random.Random:
    """A generator for jitter, seeded by the operating system. Never for secrets."""
    return random.Random()
