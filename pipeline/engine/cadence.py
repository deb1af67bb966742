"""Doing something again and again at a cadence: never two at once, never in step with others, until asked to stop."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from pipeline.clock import Clock
from pipeline.engine.services import Stopping

JITTER = 0.1
"""By which part of the cadence a beginning may be early or late: flows that were started together do not stay together."""


async def repeat(
    once: Callable[[], Awaitable[bool]], every: float, clock: Clock, rng: random.Random, stopping: Stopping
) -> None:
    """Calls ``once`` until it returns False or a stop is requested; a request while waiting ends the wait.

    Beginnings are ``every`` seconds apart, more or less by `JITTER`. One that takes longer is followed at once by the next, and
    what was missed meanwhile is not made up for.
    """
    while not stopping.requested:
        due = clock.monotonic() + every * rng.uniform(1 - JITTER, 1 + JITTER)
        if not await once():
            return
        await stopping.sleep(clock, max(due - clock.monotonic(), 0.0))
