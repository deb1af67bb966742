"""Group commit: whatever waits goes into one durable transaction, in order; a bad command fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import chain
from typing import Any

import anyio
import pytest

from pipeline.errors import StoreError
from pipeline.store.transaction import Change, Command, Outcome
from pipeline.store.writer import MOST_COMMANDS_PER_COMMIT, Writer
from pipeline.testing import ManualClock


class FakeDriver:
    """Records each transaction; ``poison`` makes any transaction with that command fail, as a broken statement does."""

    def __init__(self) -> None:
        self.transactions: list[list[Any]] = []
        self.poison: Any = None
        self.gate: anyio.Event | None = None

    async def commit(self, commands: Sequence[Command], now: str) -> list[Outcome]:
        if self.gate is not None:
            await self.gate.wait()
        names = [command.build([], None).result for command in commands]  # type: ignore[arg-type]
        if self.poison in names:
            raise StoreError(f"{self.poison} is broken")
        self.transactions.append(names)
        return [(name, None) for name in names]

    async def fetch(self, name: str, values: Any = ()) -> list[Any]:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


def command(name: Any) -> Command:
    return Command([], lambda rows, heads: Change(result=name))


async def submit_all(writer: Writer, names: Sequence[Any], results: dict[Any, Any]) -> None:
    async def one(name: Any) -> None:
        try:
            results[name] = await writer.submit(command(name))
        except StoreError as error:
            results[name] = error

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(one, name)


async def run(driver: FakeDriver, names: Sequence[Any]) -> dict[Any, Any]:
    writer, results = Writer(driver, ManualClock()), dict[Any, Any]()
    work = asyncio.create_task(writer.work())
    with anyio.fail_after(5):
        await submit_all(writer, names, results)
        writer.close()
        await work
    return results


async def test_what_waits_together_is_committed_together() -> None:
    driver = FakeDriver()
    results = await run(driver, range(50))
    assert driver.transactions == [list(range(50))]
    assert results == {n: n for n in range(50)}


async def test_a_transaction_has_a_bounded_number_of_commands_and_keeps_the_order() -> None:
    driver = FakeDriver()
    await run(driver, range(MOST_COMMANDS_PER_COMMIT + 10))
    assert [len(names) for names in driver.transactions] == [MOST_COMMANDS_PER_COMMIT, 10]
    assert list(chain.from_iterable(driver.transactions)) == list(range(MOST_COMMANDS_PER_COMMIT + 10))


async def test_a_broken_command_fails_alone_and_its_neighbours_are_committed() -> None:
    driver = FakeDriver()
    driver.poison = 3
    results = await run(driver, range(6))
    assert isinstance(results.pop(3), StoreError)
    assert results == {n: n for n in range(6) if n != 3}
    assert sorted(chain.from_iterable(driver.transactions)) == [0, 1, 2, 4, 5]


async def test_a_caller_that_is_cancelled_does_not_undo_its_command() -> None:
    driver = FakeDriver()
    driver.gate = anyio.Event()
    writer = Writer(driver, ManualClock())
    work = asyncio.create_task(writer.work())
    with anyio.move_on_after(0.01):
        await writer.submit(command("mine"))
    driver.gate.set()
    with anyio.fail_after(5):
        assert await writer.submit(command("next")) == "next"
        writer.close()
        await work
    assert driver.transactions == [["mine"], ["next"]]


async def test_closing_waits_for_what_was_submitted() -> None:
    driver = FakeDriver()
    driver.gate = anyio.Event()
    writer, results = Writer(driver, ManualClock()), dict[Any, Any]()
    work = asyncio.create_task(writer.work())
    submitting = asyncio.create_task(submit_all(writer, range(3), results))
    await anyio.wait_all_tasks_blocked()
    writer.close()
    driver.gate.set()
    with anyio.fail_after(5):
        await work
        await submitting
    assert results == {0: 0, 1: 1, 2: 2}


async def test_many_runs_begun_at_once_get_consecutive_ids_in_few_transactions(store: Any) -> None:
    ids: list[int] = []

    async def begin(ledger: Any) -> None:
        ids.append(await store.run(ledger))

    async with store.open() as ledger:
        async with anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(begin, ledger)
        assert await ledger.reports.verify_audit() is None
    assert sorted(ids) == list(range(1, 41))
    with store.raw() as raw:
        (links,) = raw.execute("select count(*) from audit_chain").fetchone()
    assert links < 5


async def test_a_cancelled_user_of_a_ledger_leaves_it_whole(store: Any) -> None:
    async with store.open() as ledger:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                for _ in range(10):
                    tasks.start_soon(store.run, ledger)
                await anyio.lowlevel.checkpoint()
                scope.cancel()
        assert await ledger.reports.verify_audit() is None
        run = await store.run(ledger)
    with store.raw() as raw:
        assert raw.execute("select max(id), count(*) from runs").fetchone() == (run, run)


async def test_an_open_ledger_cancelled_from_outside_still_closes(store: Any) -> None:
    async def use() -> None:
        async with store.open() as ledger:
            await store.run(ledger)
            await anyio.sleep_forever()

    with anyio.move_on_after(0.05) as scope:
        await use()
    assert scope.cancelled_caught
    async with store.open() as ledger:
        assert len(await ledger.reports.runs()) <= 1


@pytest.mark.parametrize("error", [ValueError("a fault"), StoreError("full")])
async def test_what_is_raised_inside_comes_out_as_itself(store: Any, error: Exception) -> None:
    with pytest.raises(type(error)):
        async with store.open():
            raise error
