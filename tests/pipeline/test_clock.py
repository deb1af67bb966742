"""The real clock, ids and randomness; everything else in the product gets them passed in."""

from __future__ import annotations

from datetime import timedelta

from pipeline.clock import RandomIds, SystemClock, system_random


async def test_the_system_clock_is_aware_utc_and_moves_forward() -> None:
    clock = SystemClock()
    before, started = clock.now(), clock.monotonic()
    await clock.sleep(0.001)
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.now() >= before
    assert clock.monotonic() > started


def test_ids_are_sixteen_hexadecimal_digits_and_differ() -> None:
    made = {RandomIds().new() for _ in range(100)}
    assert len(made) == 100
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in made)


def test_two_generators_are_independent() -> None:
    assert [system_random().random() for _ in range(2)] != [system_random().random() for _ in range(2)]
