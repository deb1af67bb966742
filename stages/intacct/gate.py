"""How many requests may be under way at once: fewer when the gateway says there is no slot, more again as requests succeed.

The company shares its slots with all its integrations, so how many are ours is found out, not configured: additive increase,
multiplicative decrease, between one and the connection's ``concurrency``. No I/O, and no clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pipeline import Shared, Turns

PATIENCE = 10
"""How many requests must succeed, one after another, before one more is tried at once."""


class Gate:
    """The company's turns, and what its gateway's answers say about how many there are."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._cuts = 0
        self._successes = 0

    @property
    def limit(self) -> int:
        """How many may be under way in this process now."""
        return self._turns.limit

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[int]:
        """One request's turn; what is yielded belongs into `throttled`."""
        async with self._turns.turn():
            yield self._cuts

    def throttled(self, turn: int) -> None:
        """The request of that turn found no slot: half as many from now on.

        Requests that were under way together are told the same thing together: it counts once.
        """
        self._successes = 0
        if turn == self._cuts:
            self._cuts += 1
            self._turns.limit //= 2

    def succeeded(self) -> None:
        """A request was answered; after `PATIENCE` of them one more may be under way."""
        self._successes += 1
        if self._successes >= PATIENCE and self._turns.limit < self._turns.most:
            self._successes = 0
            self._turns.limit += 1


class Gates:
    """The gates of one process, so that clients of one company share its slots, and what is learnt about them."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._gates: dict[str, Gate] = {}

    def of(self, whose: str, most: int) -> Gate:
        """The gate of that company. Clients that allow different numbers agree on the smallest."""
        turns = self._shared.turns(whose, most)
        return self._gates.setdefault(whose, Gate(turns))
