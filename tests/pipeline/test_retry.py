"""`decide`: bounded times, full jitter, the far side's own wait, and nothing but what may pass is tried again."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import (
    ConfigError,
    DataError,
    PermissionDenied,
    RefusedError,
    SessionError,
    StageError,
    ThrottledError,
    TransientError,
)
from pipeline.retry import LONGEST_ASKED_WAIT_SECONDS, RetryPolicy, Wait, decide

POLICIES = st.builds(RetryPolicy, times=st.integers(1, 20), first=st.floats(0.01, 60), max=st.floats(0.01, 3600))


@pytest.mark.parametrize("error", [DataError, RefusedError, SessionError, ConfigError, PermissionDenied, StageError])
def test_what_does_not_pass_by_itself_is_never_tried_again(error: type[StageError]) -> None:
    assert decide(error("x"), 1, RetryPolicy(), random.Random(1)) == "stop"


@given(policy=POLICIES, attempt=st.integers(1, 30), seed=st.integers(0, 100), throttled=st.booleans())
def test_a_wait_lies_within_its_doubling_ceiling(policy: RetryPolicy, attempt: int, seed: int, throttled: bool) -> None:
    error = ThrottledError("x") if throttled else TransientError("x")
    decision = decide(error, attempt, policy, random.Random(seed))
    if attempt >= policy.times:
        assert decision == "stop"
        return
    assert isinstance(decision, Wait)
    ceiling = min(policy.max, policy.first * 2 ** (attempt - 1))
    assert (ceiling / 2 if throttled else 0.0) <= decision.seconds <= ceiling


@given(policy=POLICIES)
def test_attempts_are_bounded_by_the_policy(policy: RetryPolicy) -> None:
    rng, attempt = random.Random(1), 1
    while decide(TransientError("x"), attempt, policy, rng) != "stop":
        attempt += 1
        assert attempt <= policy.times
    assert attempt == policy.times


def test_the_jitter_is_full() -> None:
    waits = [decide(TransientError("x"), 1, RetryPolicy(first=8.0), random.Random(seed)) for seed in range(200)]
    seconds = [wait.seconds for wait in waits if isinstance(wait, Wait)]
    assert min(seconds) < 1
    assert max(seconds) > 7


@pytest.mark.parametrize(
    ("asked", "waited"), [(0.0, 0.0), (7.5, 7.5), (900.0, 900.0), (31_536_000.0, LONGEST_ASKED_WAIT_SECONDS)]
)
@pytest.mark.parametrize("error", [TransientError, ThrottledError])
def test_the_far_sides_own_wait_counts_up_to_a_limit(error: type[TransientError], asked: float, waited: float) -> None:
    assert decide(error("x", retry_after=asked), 1, RetryPolicy(), random.Random(1)) == Wait(waited)


def test_the_far_sides_wait_does_not_buy_more_attempts() -> None:
    assert decide(ThrottledError("x", retry_after=1.0), 3, RetryPolicy(times=3), random.Random(1)) == "stop"


def test_the_same_seed_waits_the_same() -> None:
    first, second = (decide(TransientError("x"), 2, RetryPolicy(), random.Random(5)) for _ in range(2))
    assert first == second
