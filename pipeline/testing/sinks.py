"""Sinks that keep what they were given, and that fail exactly where a test says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from pipeline.record import Delivery, Destination, Document, Evidence
from pipeline.stage import COMMIT_POINT, Mark


class CollectingSink:
    """A `pipeline.Sink` with ``find``: every delivery takes effect and is kept in ``effects``, in order, repeats
    included.

    A test for exactly-once asserts on ``effects``: what is there twice took effect twice.
    """

    settle_seconds = 0.0

    def __init__(self) -> None:
        self.effects: list[Delivery] = []

    def destination(self, document: Document) -> Destination:
        return Destination(lane=document.partner, address=document.address)

    async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
        await mark(COMMIT_POINT)
        return self._take_effect(delivery)

    async def find(self, delivery: Delivery) -> list[Evidence]:
        return [
            self._evidence(number, effect)
            for number, effect in enumerate(self.effects, start=1)
            if effect.name == delivery.name and effect.address == delivery.address
        ]

    def _take_effect(self, delivery: Delivery) -> Evidence:
        self.effects.append(msgspec.structs.replace(delivery, marks=dict(delivery.marks)))
        return self._evidence(len(self.effects), delivery)

    def _evidence(self, number: int, delivery: Delivery) -> Evidence:
        return Evidence(f"effect-{number}", delivery.name, len(delivery.payload), delivery.digest)


class Fault(msgspec.Struct, frozen=True):
    """One planned failure. ``when``: ``before`` the commit point, ``after`` it without effect, or ``lost``: it took
    effect and only the answer was lost.
    """

    error: Exception
    when: Literal["before", "after", "lost"] = "before"


class FailingSink(CollectingSink):
    """A `CollectingSink` whose sends follow a plan: each takes the next step, a `Fault`, or None for success.

    After the plan's end every send succeeds. ``sends`` counts all of them. ``unfindable`` makes ``find`` raise this
    error.

    >>> sink = FailingSink([Fault(TransientError("reset"), "lost"), None])
    """

    def __init__(self, plan: Iterable[Fault | None], *, unfindable: Exception | None = None) -> None:
        super().__init__()
        self.sends = 0
        self.unfindable = unfindable
        self._plan = iter(plan)

    async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
        self.sends += 1
        fault = next(self._plan, None)
        if fault is None:
            return await super().send(delivery, mark)
        if fault.when != "before":
            await mark(COMMIT_POINT)
        if fault.when == "lost":
            self._take_effect(delivery)
        raise fault.error

    async def find(self, delivery: Delivery) -> list[Evidence]:
        if self.unfindable is not None:
            raise self.unfindable
        return await super().find(delivery)
