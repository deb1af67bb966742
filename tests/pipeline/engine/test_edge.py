"""`Edge`: bounded in records, in order, ends once, never stuck."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.edge import Edge
from pipeline.record import Record
from pipeline.testing import ManualClock, record


def records(*keys: str) -> list[Record]:
    return [record(key=key) for key in keys]


def keys(chunk: list[Record]) -> list[str]:
    return [one.key for one in chunk]


async def drain(edge: Edge, limit: int, out: list[str], deepest: list[int] | None = None) -> None:
    """Takes until the edge ends; notes how deep the queue was each time."""
    while True:
        if deepest is not None:
            deepest.append(edge.statistics().depth)
        chunk = await edge.get_many(limit)
        if not chunk:
            return
        assert len(chunk) <= limit
        out.extend(keys(chunk))
        await anyio.lowlevel.checkpoint()


async def produce(edge: Edge, name: str, chunks: list[int]) -> None:
    number = 0
    for size in chunks:
        await edge.put_many(records(*(f"{name}{number + n}" for n in range(size))))
        number += size
    edge.close()


@given(
    capacity=st.integers(1, 7),
    limit=st.integers(1, 9),
    producers=st.lists(st.lists(st.integers(0, 12), max_size=5), min_size=1, max_size=4),
)
async def test_every_record_comes_out_once_in_its_producers_order_and_the_bound_holds(
    capacity: int, limit: int, producers: list[list[int]]
) -> None:
    edge = Edge("e", capacity, len(producers), ManualClock())
    out: list[str] = []
    deepest: list[int] = []
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for number, chunks in enumerate(producers):
                tasks.start_soon(produce, edge, "abcd"[number], chunks)
            tasks.start_soon(drain, edge, limit, out, deepest)
    for number, chunks in enumerate(producers):
        mine = [key for key in out if key[0] == "abcd"[number]]
        assert mine == [f"{'abcd'[number]}{n}" for n in range(sum(chunks))]
    statistics = edge.statistics()
    assert max(deepest) <= statistics.high_water <= capacity
    assert (statistics.put, statistics.taken, statistics.depth) == (len(out), len(out), 0)


async def test_a_chunk_larger_than_the_edge_goes_through_in_parts() -> None:
    edge = Edge("e", 3, 1, ManualClock())
    out: list[str] = []
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(produce, edge, "a", [10])
            tasks.start_soon(drain, edge, 100, out)
    assert out == [f"a{n}" for n in range(10)]


async def test_two_blocked_producers_are_both_woken() -> None:
    edge = Edge("e", 1, 2, ManualClock())
    await edge.put_many(records("full"))
    out: list[str] = []
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(produce, edge, "a", [2])
            tasks.start_soon(produce, edge, "b", [2])
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(drain, edge, 1, out)
    assert sorted(out) == ["a0", "a1", "b0", "b1", "full"]


async def test_a_full_edge_holds_its_producer_back() -> None:
    edge = Edge("e", 2, 1, ManualClock())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(produce, edge, "a", [5])
        await anyio.wait_all_tasks_blocked()
        assert edge.statistics().depth == 2
        tasks.cancel_scope.cancel()


async def test_an_empty_edge_holds_its_consumer_back_until_a_record_comes() -> None:
    edge = Edge("e", 2, 1, ManualClock())
    out: list[str] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drain, edge, 5, out)
        await anyio.wait_all_tasks_blocked()
        assert out == []
        await edge.put_many(records("x"))
        await anyio.wait_all_tasks_blocked()
        assert out == ["x"]
        edge.close()


async def test_it_ends_only_when_every_producer_closed_and_all_was_taken() -> None:
    edge = Edge("e", 5, 2, ManualClock())
    await edge.put_many(records("x", "y"))
    edge.close()
    edge.close()
    assert keys(await edge.get_many(1)) == ["x"]
    assert keys(await edge.get_many(1)) == ["y"]
    assert await edge.get_many(1) == []
    assert await edge.get_many(1) == []


async def test_one_producer_closing_does_not_end_it() -> None:
    edge = Edge("e", 5, 2, ManualClock())
    edge.close()
    with anyio.move_on_after(0.01) as scope:
        await edge.get_many(1)
    assert scope.cancelled_caught


async def test_statistics_tell_how_long_producers_were_blocked() -> None:
    clock = ManualClock()
    edge = Edge("e", 2, 1, clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(produce, edge, "a", [3])
        await anyio.wait_all_tasks_blocked()
        await clock.advance(7)
        await edge.get_many(2)
    statistics = edge.statistics()
    assert statistics.blocked_seconds == 7
    assert (statistics.capacity, statistics.high_water, statistics.put, statistics.taken, statistics.depth) == (
        2,
        2,
        3,
        2,
        1,
    )


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_a_consumer_never_gets_more_than_it_asked_for(limit: int) -> None:
    edge = Edge("e", 10, 1, ManualClock())
    await edge.put_many(records("a", "b", "c"))
    assert keys(await edge.get_many(limit)) == ["a", "b", "c"][:limit]
