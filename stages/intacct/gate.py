"""How many requests may be under way at once: fewer when the gateway says there is no slot, more again as requests succeed.

The company shares its slots with all its integrations, so how many are ours is found out, not configured: additive increase,
multiplicative decrease, between one and the connection's ``concurrency``. No I/O, and no clock: waiting is by turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import msgspec

PATIENCE = 10
"""How many requests must succeed, one after another, before one more is tried at once."""


class Gate:
    """The turns of one company. Whoever waits longest goes first. For the tasks of one event loop."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = most
        self._busy = 0
        self._waiting: deque[anyio.Event] = deque()
        self._cuts = 0
        self._successes = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[int]:
        """One request's turn; what is yielded belongs into `throttled`."""
        await self._enter()
        try:
            yield self._cuts
        finally:
            self._busy -= 1
            self._admit()

    def throttled(self, turn: int) -> None:
        """The request of that turn found no slot: half as many from now on.

        Requests that were under way together are told the same thing together: it counts once.
        """
        self._successes = 0
        if turn == self._cuts:
            self._cuts += 1
            self.limit = max(1, self.limit // 2)

    def succeeded(self) -> None:
        """A request was answered; after `PATIENCE` of them one more may be under way."""
        self._successes += 1
        if self._successes >= PATIENCE and self.limit < self.most:
            self._successes = 0
            self.limit += 1
            self._admit()

    async def _enter(self) -> None:
        if self._busy < self.limit and not self._waiting:
            self._busy += 1
            return
        called = anyio.Event()
        self._waiting.append(called)
        try:
            await called.wait()
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
        while self._waiting and self._busy < self.limit:
            self._busy += 1
            self._waiting.popleft().set()


class CompanyKey(msgspec.Struct, frozen=True):
    """Whose slots they are: those of one company at one gateway, whatever the user or entity."""

    root: str
    company: str


class Gates:
    """The gates of one process part, by company, so that clients which share this share their slots."""

    def __init__(self) -> None:
        self._gates: dict[CompanyKey, Gate] = {}

    def of(self, key: CompanyKey, most: int) -> Gate:
        """The company's gate. Clients that allow different numbers agree on the smallest."""
        gate = self._gates.setdefault(key, Gate(most))
        gate.most = min(gate.most, most)
        gate.limit = min(gate.limit, gate.most)
        return gate
