"""Slots of a host: so many in all processes whose ledger is one file, whoever dies, gives up or is greedy."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from pipeline.clock import SystemClock
from pipeline.errors import CalledOff
from pipeline.shared import Waits
from pipeline.store.locks import HostSlots
from pipeline.testing import ManualClock

HOLD = """
import random, sys, anyio
from pathlib import Path
from pipeline.clock import SystemClock
from pipeline.store.locks import HostSlots

async def hold():
    async with HostSlots(Path(sys.argv[1]), SystemClock(), random.Random(1), print).slot("books", int(sys.argv[2])):
        print("held", flush=True)
        sys.stdin.read()

anyio.run(hold)
"""

Processes = Callable[..., HostSlots]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def process(ledger: Path, told: list[str]) -> Processes:
    """The slots as one more process sees them: a lock belongs to who opened the file, wherever that is."""
    seeds = iter(range(100))

    def build(clock: ManualClock | SystemClock | None = None) -> HostSlots:
        return HostSlots(ledger, clock or SystemClock(), random.Random(next(seeds)), told.append)

    return build


@pytest.fixture
def children(ledger: Path) -> Iterator[Callable[[int], subprocess.Popen[bytes]]]:
    """Starts a process that holds one of so many slots until it is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(most: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", HOLD, str(ledger), str(most)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


async def waits(slots: HostSlots, most: int, whose: str = "books") -> bool:
    """Whether there is no slot to be had now."""
    with anyio.move_on_after(0.1) as scope:
        async with slots.slot(whose, most):
            pass
    return scope.cancelled_caught


async def test_the_slots_of_a_process_that_is_killed_are_free_at_once(process: Processes, children: Callable[[int], subprocess.Popen[bytes]]) -> None:  # fmt: skip
    one, _ = children(2), children(2)
    assert await waits(process(), 2)
    one.kill()
    one.wait()
    with anyio.fail_after(10):
        async with process().slot("books", 2):
            assert await waits(process(), 2)


async def test_processes_together_never_have_more_than_there_are(process: Processes) -> None:
    busy, most, done = 0, 0, 0

    async def work(slots: HostSlots) -> None:
        nonlocal busy, most, done
        for _ in range(4):
            async with slots.slot("books", 3):
                busy += 1
                most = max(most, busy)
                await SystemClock().sleep(0.001)
                busy -= 1
                done += 1

    async with anyio.create_task_group() as tasks:
        for slots in (process(), process(), process()):
            for _ in range(3):
                tasks.start_soon(work, slots)
    assert (most, done) == (3, 36)


async def test_who_gives_a_slot_back_gets_it_again_only_after_the_one_who_waits(process: Processes) -> None:
    clock, order = ManualClock(), list[str]()
    greedy, other = process(clock), process(clock)

    async def take(name: str, slots: HostSlots) -> None:
        async with slots.slot("books", 1):
            order.append(name)

    async with anyio.create_task_group() as tasks:
        async with greedy.slot("books", 1):
            tasks.start_soon(take, "other", other)
            await anyio.wait_all_tasks_blocked()
        tasks.start_soon(take, "greedy", greedy)  # the slot is free, and nobody has told the other
        await anyio.wait_all_tasks_blocked()
        assert order == []
        await clock.advance(1)
    assert order == ["other", "greedy"]


async def test_a_process_that_stands_still_while_it_waits_keeps_nobody_from_a_free_slot(process: Processes, told: list[str]) -> None:  # fmt: skip
    stopped, clock, taken = process(ManualClock()), ManualClock(), list[str]()

    async def take(slots: HostSlots) -> None:
        async with slots.slot("books", 1):
            taken.append("a slot")

    async with anyio.create_task_group() as tasks:
        async with process().slot("books", 1):
            tasks.start_soon(take, stopped)
            await anyio.wait_all_tasks_blocked()  # it is the head of the line, and its clock never moves again
        for _ in range(3):
            tasks.start_soon(take, process(clock))
        await anyio.wait_all_tasks_blocked()
        assert taken == []  # the head has its chance
        await clock.advance(5)
        assert (len(taken), told) == (3, [])
        tasks.cancel_scope.cancel()


async def test_those_behind_leave_the_slot_to_the_head_of_the_line(process: Processes) -> None:
    clock, order = ManualClock(), list[int]()

    async def take(number: int) -> None:
        async with process(clock).slot("books", 1):
            order.append(number)
            await clock.sleep(7)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take, 0)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(take, 1)  # the head
        await anyio.wait_all_tasks_blocked()
        for number in range(2, 6):
            tasks.start_soon(take, number)
        await clock.advance(8)
        tasks.cancel_scope.cancel()
    assert order == [0, 1]


async def test_a_process_that_allows_fewer_still_gets_its_own(process: Processes) -> None:
    many, few = process(), process()
    async with many.slot("books", 3), many.slot("books", 3):
        assert not await waits(few, 1)
        async with many.slot("books", 3):
            assert await waits(few, 1)
    async with few.slot("books", 1):
        assert await waits(few, 1)
        assert not await waits(many, 3)


async def test_who_gives_up_holds_nothing_and_keeps_nobody_from_going_on(process: Processes) -> None:
    slots = process()
    async with slots.slot("books", 1):
        assert await waits(process(), 1)  # gives up at the head of the line
        assert await waits(slots, 1)
    assert not await waits(process(), 1)


async def test_who_waits_for_a_slot_when_its_process_is_asked_to_stop_is_called_off_at_once(process: Processes) -> None:
    slots, ours, ended = process(ManualClock()), Waits(), list[str]()

    async def wait() -> None:
        with pytest.raises(CalledOff):
            async with slots.slot("books", 1, ours):
                ended.append("had a slot")
        ended.append("called off")

    with anyio.fail_after(5):
        async with process().slot("books", 1), anyio.create_task_group() as tasks:
            for _ in range(2):  # at the head of the line, and behind in this process
                tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            ours.end()
        assert ended == ["called off", "called off"]
        async with slots.slot("books", 1, ours):  # a free one can still be had
            assert await waits(process(), 1)


async def test_companies_do_not_wait_for_each_other(process: Processes) -> None:
    async with process().slot("books", 1):
        assert not await waits(process(), 1, "other books")


async def test_the_files_lie_beside_the_ledger_closed_to_others_and_name_nobody(
    process: Processes, ledger: Path
) -> None:
    async with process().slot("Intacct ACME at https://gateway", 2):
        files = list(ledger.parent.iterdir())
    assert files
    for file in files:
        assert file.name.startswith("ledger.db.slot_")
        assert "ACME" not in file.name
        assert file.stat().st_mode & 0o077 == 0


async def test_who_waits_long_is_told_what_for_once(process: Processes, told: list[str]) -> None:
    clock = ManualClock()
    async with process().slot("books", 1), anyio.create_task_group() as tasks:
        waiting = process(clock)

        async def wait() -> None:
            async with waiting.slot("books", 1):
                pass

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await clock.advance(29)
        assert told == []
        await clock.advance(5)
        assert told == ["waiting for books: other processes that use this ledger have all its slots (1)"]
        tasks.cancel_scope.cancel()


async def test_where_there_is_no_folder_nothing_is_made_and_nobody_waits(tmp_path: Path, told: list[str]) -> None:
    slots = HostSlots(tmp_path / "none" / "ledger.db", SystemClock(), random.Random(1), told.append)
    async with slots.slot("books", 1), slots.slot("books", 1):
        pass
    assert (list(tmp_path.iterdir()), told) == ([], [])


async def test_where_files_cannot_be_locked_people_are_told_once_and_the_calls_go_on(
    process: Processes, ledger: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> int:
        raise PermissionError(13, "Permission denied", str(ledger))

    monkeypatch.setattr(os, "open", refuse)
    slots = process()
    for _ in range(2):
        async with slots.slot("books", 1):
            pass
    assert told == [f"the slots of books are not shared with other processes: Permission denied: {ledger}"]
