"""`ManualClock` and `SequenceIds`: virtual time is exact, ordered and free of waiting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.testing import ManualClock, SequenceIds


async def sleeper(clock: ManualClock, seconds: float, name: str, log: list[tuple[str, float]]) -> None:
    await clock.sleep(seconds)
    log.append((name, clock.monotonic()))


async def test_time_stands_still_until_it_is_advanced() -> None:
    clock = ManualClock()
    before = clock.now()
    await anyio.lowlevel.checkpoint()
    assert clock.now() == before
    await clock.advance(90)
    assert clock.now() - before == timedelta(seconds=90)
    assert clock.monotonic() == 90


async def test_sleepers_wake_in_order_of_time_each_at_its_own_time() -> None:
    clock, log = ManualClock(), list[tuple[str, float]]()
    async with anyio.create_task_group() as tasks:
        for name, seconds in (("late", 3.0), ("early", 1.0), ("middle", 2.0)):
            tasks.start_soon(sleeper, clock, seconds, name, log)
        await clock.advance(10)
    assert log == [("early", 1.0), ("middle", 2.0), ("late", 3.0)]


async def test_equal_times_wake_in_the_order_they_fell_asleep() -> None:
    clock, log = ManualClock(), list[tuple[str, float]]()
    async with anyio.create_task_group() as tasks:
        for name in "abc":
            tasks.start_soon(sleeper, clock, 1.0, name, log)
        await clock.advance(1)
    assert [name for name, _ in log] == ["a", "b", "c"]


async def test_a_sleeper_that_is_not_due_sleeps_on() -> None:
    clock, log = ManualClock(), list[tuple[str, float]]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sleeper, clock, 5.0, "x", log)
        await clock.advance(4.9)
        assert (log, clock.sleepers) == ([], 1)
        await clock.advance(0.1)
    assert log == [("x", 5.0)]


async def test_a_loop_that_sleeps_again_is_woken_each_time() -> None:
    clock, ticks = ManualClock(), list[float]()

    async def every_two_seconds() -> None:
        for _ in range(3):
            await clock.sleep(2)
            ticks.append(clock.monotonic())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(every_two_seconds)
        await clock.advance(7)
    assert ticks == [2, 4, 6]


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = ManualClock()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.sleep, 5)
        await clock.advance(1)
        assert clock.sleepers == 1
        tasks.cancel_scope.cancel()
    assert clock.sleepers == 0


async def test_autojump_sleeps_at_once_and_counts_the_time() -> None:
    clock = ManualClock(autojump=True)
    await clock.sleep(300)
    await clock.sleep(0.5)
    assert clock.monotonic() == 300.5


@given(st.lists(st.floats(min_value=0.001, max_value=1e6), max_size=8))
async def test_whoever_slept_within_the_advance_woke_at_exactly_the_time_asked(naps: list[float]) -> None:
    clock, log = ManualClock(), list[tuple[str, float]]()
    async with anyio.create_task_group() as tasks:
        for seconds in naps:
            tasks.start_soon(sleeper, clock, seconds, "x", log)
        await clock.advance(1e6)
    assert [at for _, at in log] == sorted(naps)


def test_now_is_utc_whatever_zone_the_start_was_given_in() -> None:
    clock = ManualClock(datetime(2026, 3, 1, 1, 0, tzinfo=timezone(timedelta(hours=-5))))
    assert clock.now() == datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
    assert clock.now().utcoffset() == timedelta(0)


def test_a_start_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2026, 3, 1))  # noqa: DTZ001 - the mistake under test


def test_sequence_ids_count_from_one() -> None:
    ids = SequenceIds("owner-")
    assert [ids.new(), ids.new()] == ["owner-1", "owner-2"]
