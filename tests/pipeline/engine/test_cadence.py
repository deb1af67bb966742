"""A cadence: beginnings so far apart, never two at once, and a stop that does not wait for the next."""

from __future__ import annotations

import itertools
import random
from collections.abc import Awaitable, Callable

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.cadence import JITTER, repeat
from pipeline.engine.services import Stopping
from pipeline.testing import ManualClock


class Middle(random.Random):
    """Draws no jitter."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


async def beginnings(lasting: list[float], every: float, rng: random.Random) -> list[tuple[float, float]]:
    """When each run began and ended; the last one says that no other makes sense."""
    clock, told, left = ManualClock(autojump=True), list[tuple[float, float]](), list(lasting)

    async def once() -> bool:
        began = clock.monotonic()
        await clock.sleep(left.pop(0))
        told.append((began, clock.monotonic()))
        return bool(left)

    await repeat(once, every, clock, rng, Stopping())
    return told


@pytest.mark.parametrize(
    ("lasting", "begins"),
    [
        ([0, 0, 0], [0, 60, 120]),
        ([59, 1, 1], [0, 60, 120]),
        ([60, 1, 1], [0, 60, 120]),
        ([200, 1, 1], [0, 200, 260]),  # what was missed is not made up for
    ],
)
async def test_beginnings_are_so_far_apart_and_a_long_run_is_followed_at_once(
    lasting: list[float], begins: list[float]
) -> None:
    assert [began for began, _ in await beginnings(lasting, 60, Middle())] == begins


@given(st.lists(st.floats(0, 300), min_size=2, max_size=20), st.integers())
def test_no_two_overlap_and_jitter_stays_within_its_part(lasting: list[float], seed: int) -> None:
    runs = anyio.run(beginnings, lasting, 60.0, random.Random(seed))
    for (began, ended), (following, _) in itertools.pairwise(runs):
        assert following >= ended
        assert following - began <= max(60 * (1 + JITTER), ended - began) + 1e-6
        assert following - began >= 60 * (1 - JITTER) - 1e-6


async def stopped(during: Callable[[Stopping], Awaitable[bool]], clock: ManualClock) -> Stopping:
    stopping = Stopping()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(repeat, lambda: during(stopping), 3600.0, clock, random.Random(1), stopping)
            await anyio.wait_all_tasks_blocked()
            stopping.request(15)
    return stopping


async def test_a_request_while_it_waits_ends_it_at_once() -> None:
    clock, runs = ManualClock(), list[int]()

    async def once(stopping: Stopping) -> bool:
        runs.append(1)
        return True

    assert (await stopped(once, clock)).signal == 15
    assert (runs, clock.monotonic()) == ([1], 0)


async def test_a_request_while_it_runs_lets_the_run_end_and_begins_no_other() -> None:
    runs: list[str] = []

    async def once(stopping: Stopping) -> bool:
        runs.append("began")
        await stopping.wait()
        runs.append("ended")
        return True

    await stopped(once, ManualClock())
    assert runs == ["began", "ended"]
