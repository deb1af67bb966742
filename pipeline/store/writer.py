"""The one writer: commands queue up, and whatever waits when the disk is free goes into one durable commit."""

from __future__ import annotations

import asyncio
from collections import deque

import anyio

from pipeline.clock import Clock
from pipeline.store.driver import Driver
from pipeline.store.rows import stamp
from pipeline.store.transaction import Command, Outcome

MOST_COMMANDS_PER_COMMIT = 256


class Writer:
    """`submit` returns when the command is durable. One task runs `work` for the ledger's whole life.

    Commands are applied in the order submitted. A caller that is cancelled does not undo its command.
    """

    def __init__(self, driver: Driver, clock: Clock) -> None:
        self._driver = driver
        self._clock = clock
        self._queue: deque[tuple[Command, asyncio.Future[object]]] = deque()
        self._filled = anyio.Event()
        self._closing = False

    async def submit(self, command: Command) -> object:
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._queue.append((command, future))
        self._filled.set()
        return await future

    def close(self) -> None:
        """No more commands will come; `work` ends once the queue is empty."""
        self._closing = True
        self._filled.set()

    async def work(self) -> None:
        while True:
            if not self._queue:
                if self._closing:
                    return
                self._filled = anyio.Event()
                await self._filled.wait()
                continue
            count = min(len(self._queue), MOST_COMMANDS_PER_COMMIT)
            with anyio.CancelScope(shield=True):  # a commit under way is always finished
                await self._commit([self._queue.popleft() for _ in range(count)])

    async def _commit(self, batch: list[tuple[Command, asyncio.Future[object]]]) -> None:
        try:
            outcomes = await self._driver.commit([command for command, _ in batch], stamp(self._clock.now()))
        except Exception as error:  # noqa: BLE001  handed to the callers
            if len(batch) == 1:
                _settle(batch[0][1], (None, error))
                return
            for entry in batch:  # one bad command must not fail its neighbours
                await self._commit([entry])
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            _settle(future, outcome)


def _settle(future: asyncio.Future[object], outcome: Outcome) -> None:
    result, error = outcome
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
