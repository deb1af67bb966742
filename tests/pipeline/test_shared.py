"""Turns: so many at once, in the order they came, whoever gives up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from pipeline.errors import CalledOff
from pipeline.shared import Shared, Waits


async def test_no_more_than_the_limit_have_their_turn_and_the_longest_waiting_goes_first() -> None:
    turns, order, most = Shared().turns("books", 2), list[int](), 0
    busy = 0

    async def work(number: int) -> None:
        nonlocal busy, most
        async with turns.turn():
            busy += 1
            most = max(most, busy)
            order.append(number)
            await anyio.lowlevel.checkpoint()
            busy -= 1

    async with anyio.create_task_group() as tasks:
        for number in range(7):
            tasks.start_soon(work, number)
    assert (most, order) == (2, list(range(7)))


async def test_who_stops_waiting_leaves_its_turn_to_the_next() -> None:
    turns, done = Shared().turns("books", 1), list[str]()

    async def work(name: str, scope: anyio.CancelScope) -> None:
        with scope:
            async with turns.turn():
                done.append(name)

    scopes = [anyio.CancelScope() for _ in range(3)]
    async with anyio.create_task_group() as tasks:
        async with turns.turn():
            for name, scope in zip("abc", scopes, strict=True):
                tasks.start_soon(work, name, scope)
            await anyio.wait_all_tasks_blocked()
            scopes[0].cancel()
            await anyio.wait_all_tasks_blocked()
        scopes[1].cancel()  # after it was given the turn
    assert done in (["c"], ["b", "c"])
    async with turns.turn():
        pass


def test_a_raised_limit_stays_between_one_and_the_most() -> None:
    turns = Shared().turns("books", 3)
    for wanted, had in ((5, 3), (0, 1), (2, 2)):
        turns.limit = wanted
        assert turns.limit == had


async def test_a_raised_limit_lets_who_waits_through() -> None:
    turns, done = Shared().turns("books", 2), anyio.Event()
    turns.limit = 1

    async def work() -> None:
        async with turns.turn():
            done.set()

    async with anyio.create_task_group() as tasks, turns.turn():
        tasks.start_soon(work)
        await anyio.wait_all_tasks_blocked()
        assert not done.is_set()
        turns.limit = 2
        await done.wait()


def test_who_asks_for_one_name_meets_in_its_turns_and_the_smallest_number_counts() -> None:
    shared = Shared()
    turns = shared.turns("books", 5)
    assert shared.turns("books", 3) is turns
    assert (shared.turns("books", 4).most, turns.limit) == (3, 3)
    assert shared.turns("other", 5) is not turns


async def test_a_turn_has_a_slot_of_the_host_for_as_long_as_it_lasts() -> None:
    held: list[tuple[str, int]] = []

    class Watched:
        @asynccontextmanager
        async def slot(self, whose: str, most: int, waits: Waits) -> AsyncIterator[None]:
            held.append((whose, most))
            yield
            held.clear()

    async with Shared(Watched()).turns("books", 4).turn():
        assert held == [("books", 4)]
    assert held == []


async def test_who_waits_for_a_turn_when_the_process_is_asked_to_stop_is_called_off_and_leaves_no_gap() -> None:
    shared, ended = Shared(), list[str]()
    turns = shared.turns("books", 1)

    async def wait() -> None:
        with pytest.raises(CalledOff):
            async with turns.turn():
                ended.append("had a turn")
        ended.append("called off")

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks, turns.turn():
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            shared.call_off()
            tasks.start_soon(wait)  # who comes later does not wait either
            await anyio.wait_all_tasks_blocked()
            assert ended == ["called off", "called off"]
        async with turns.turn():  # what is in flight may go on where nobody is before it
            pass
