"""What flows have in common: those of one process whatever they keep here, all processes of a host the slots of what allows only so much."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, Protocol, TypeVar

import anyio

from pipeline.errors import CalledOff

T = TypeVar("T")


class Waits:
    """Waits that a request to stop ends, all of them at once. Who comes later waits for nothing."""

    def __init__(self) -> None:
        self._ended = anyio.Event()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def end(self) -> None:
        self._ended.set()

    async def until_ended(self) -> None:
        await self._ended.wait()

    async def on(self, wait: Callable[[], Awaitable[None]]) -> bool:
        """Waits; False when this was ended before the wait was over."""
        if self.ended:
            return False
        done = False
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                await self._ended.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            await wait()
            done = True
            tasks.cancel_scope.cancel()
        return done


class Host(Protocol):
    """Slots that the processes of a host share: inside of ``slot`` one of the ``most`` that ``whose`` has is ours. It may wait, for as long as
    ``waits`` last; then it raises `CalledOff`.
    """

    def slot(self, whose: str, most: int, waits: Waits) -> AbstractAsyncContextManager[None]: ...


class Alone:
    """The host of a process that shares with no other."""

    def slot(self, whose: str, most: int, waits: Waits) -> AbstractAsyncContextManager[None]:
        return nullcontext()


class Turns:
    """The turns of what allows only so many calls at once. For the tasks of one event loop, which go in the order they came.

    At most ``most`` have their turn in all processes of the host, and ``limit`` of them here: who learns how many there are to be had
    lowers and raises it, between one and ``most``.
    """

    def __init__(self, whose: str, most: int, host: Host, waits: Waits) -> None:
        self.most = most
        self._whose = whose
        self._host = host
        self._waits = waits
        self._limit = most
        self._busy = 0
        self._waiting: deque[anyio.Event] = deque()

    @property
    def limit(self) -> int:
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = max(1, min(limit, self.most))
        self._admit()

    def agree(self, most: int) -> None:
        """Somebody else allows only so many: the smallest number counts."""
        self.most = min(self.most, most)
        self.limit = self._limit

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One turn. Waits for it without a deadline: what is bounded in time begins inside.

        Raises `CalledOff` instead of waiting once the process was asked to stop: what is free can still be had.
        """
        await self._enter()
        try:
            async with self._host.slot(self._whose, self.most, self._waits):
                yield
        finally:
            self._busy -= 1
            self._admit()

    async def _enter(self) -> None:
        if self._busy < self._limit and not self._waiting:
            self._busy += 1
            return
        called = anyio.Event()
        self._waiting.append(called)
        try:
            if not await self._waits.on(called.wait):
                raise CalledOff(self._whose)
        except BaseException:
            self._give_up(called)
            raise

    def _give_up(self, called: anyio.Event) -> None:
        """A waiter was cancelled; a turn it has been given meanwhile goes to the next."""
        if called.is_set():
            self._busy -= 1
            self._admit()
        else:
            self._waiting.remove(called)

    def _admit(self) -> None:
        while self._waiting and self._busy < self._limit:
            self._busy += 1
            self._waiting.popleft().set()


class Shared:
    """What all flows of one process have in common, by type (a company's session) or by name (its turns). One process makes one and passes it on.

    For the tasks of one event loop. Nothing in it is closed: what must be closed belongs to a connection.
    """

    def __init__(self, host: Host | None = None) -> None:
        self._host = host or Alone()
        self._made: dict[type, Any] = {}
        self._turns: dict[str, Turns] = {}
        self._waits = Waits()

    def call_off(self) -> None:
        """The process was asked to stop: from now on nobody waits for a turn."""
        self._waits.end()

    def of(self, kind: type[T], make: Callable[[], T]) -> T:
        """The process's only ``kind``, made when it is first asked for."""
        if kind not in self._made:
            self._made[kind] = make()
        made: T = self._made[kind]
        return made

    def turns(self, whose: str, most: int) -> Turns:
        """The turns of what people call ``whose``, which names no secret: ``most`` at once in all processes that keep their ledger in one file.

        Those of this process who allow different numbers agree on the smallest.
        """
        turns = self._turns.setdefault(whose, Turns(whose, most, self._host, self._waits))
        turns.agree(most)
        return turns
