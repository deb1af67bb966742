"""Which of the systems of a run answer, for people who wait for them: an outage is in the ledger from its first failure to the first answer after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from pipeline.errors import TransientError
from pipeline.store.ledger import Ledger
from pipeline.store.rows import Problem

T = TypeVar("T")


class System:
    """One system in one run. Only what passes by itself is an outage, being asked to pause included: who is refused has been answered.

    Without a ledger it notices nothing.
    """

    def __init__(self, name: str = "", flow: str = "", ledger: Ledger | None = None, *, down: bool = False) -> None:
        self.name = name
        self._flow = flow
        self._ledger = ledger
        self._down = down  # as the ledger has it
        self._said: Problem | None = None  # by the last failure since it answered in this run

    async def works(self) -> None:
        """It has done what we need it for."""
        self._said = None
        await self.settle()

    async def watch(self, call: Callable[[], Awaitable[T]]) -> T:
        """The call's result. A failure counts; an answer ends no outage by itself, since who lets us in may do no more than that."""
        try:
            return await call()
        except TransientError as error:
            await self._failed(Problem.of(error))
            raise

    async def settle(self) -> None:
        """An outage is over unless something has failed since."""
        if self._ledger is not None and self._down and self._said is None:
            self._down = False
            await self._ledger.end_outage(self.name)

    async def _failed(self, problem: Problem) -> None:
        """Durable when it is the first failure, or says something else than the one before."""
        if self._ledger is not None and problem != self._said:
            self._down, self._said = True, problem
            await self._ledger.save_outage(self.name, self._flow, problem)


class Systems:
    """The systems of one run of a flow. Without a ledger nothing is noticed."""

    def __init__(self, flow: str = "", ledger: Ledger | None = None, down: Iterable[str] = ()) -> None:
        self._flow = flow
        self._ledger = ledger
        self._down = frozenset(down)
        self._met: dict[str, System] = {}  # by connection

    @classmethod
    async def of(cls, flow: str, ledger: Ledger) -> Systems:
        """Knows what is down as the run begins."""
        return cls(flow, ledger, [outage["system"] for outage in await ledger.reports.outages()])

    def meet(self, connection: str, name: str) -> System:
        """The system behind a connection, by the name that people have for it."""
        return self._met.setdefault(connection, System(name, self._flow, self._ledger, down=name in self._down))

    def behind(self, connection: str | None) -> System:
        """The system that a stage works with; one that is never noticed when it works with none."""
        return self._met.get(connection or "") or System()

    async def settle(self, *, met_all: bool) -> None:
        """The run has come to its end: what let us in and has not failed is no longer down. When the run met all systems of its flow, what the flow
        no longer uses is forgotten.
        """
        for system in self._met.values():
            await system.settle()
        if self._ledger is not None and met_all:
            await self._ledger.forget_outages(self._flow, [system.name for system in self._met.values()])
