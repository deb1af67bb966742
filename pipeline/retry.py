"""When to try again: a pure decision. Full jitter, the far side's own Retry-After, a bounded number of times."""

from __future__ import annotations

import random
from typing import Literal

import msgspec

from pipeline.errors import StageError, ThrottledError, TransientError

LONGEST_ASKED_WAIT_SECONDS = 900.0
"""A Retry-After beyond this is not believed: a far side asking for a year would otherwise stop the lane for good."""


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``times`` is how many attempts in all; waits double from ``first`` up to ``max``, in seconds."""

    times: int = 8
    first: float = 1.0
    max: float = 300.0


class Wait(msgspec.Struct, frozen=True):
    """Try again after this many seconds."""

    seconds: float


Decision = Wait | Literal["stop"]


def decide(error: StageError, attempt: int, policy: RetryPolicy, rng: random.Random) -> Decision:
    """What to do after ``attempt`` (from 1) failed with ``error``.

    >>> decide(TransientError("x"), 8, RetryPolicy(times=8), random.Random(1))
    'stop'
    """
    if not isinstance(error, TransientError) or attempt >= policy.times:
        return "stop"
    if error.retry_after is not None:
        return Wait(min(error.retry_after, LONGEST_ASKED_WAIT_SECONDS))
    ceiling = min(policy.max, policy.first * 2 ** (attempt - 1))
    floor = ceiling / 2 if isinstance(error, ThrottledError) else 0.0
    return Wait(rng.uniform(floor, ceiling))
