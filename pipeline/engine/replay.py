"""Sending again what needed a person: records are read again by key, held documents are released, deliveries repeat their bytes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.engine.request import RunRequest
from pipeline.record import Window
from pipeline.store.ledger import Ledger
from pipeline.store.reports import Item


class ReplayPlan(msgspec.Struct, frozen=True):
    """What replaying some open dead letters of one flow means. ``keys`` are read again at the source, corrections included."""

    flow: str
    keys: tuple[str, ...]
    documents: tuple[tuple[int, int], ...]  # (document, dead letter)
    deliveries: tuple[int, ...]


def plan_replay(letters: Sequence[Item]) -> list[ReplayPlan]:
    """One plan per flow, in the order of the letters. Pure."""
    plans = []
    for flow in dict.fromkeys(letter["flow"] for letter in letters):
        mine = [letter for letter in letters if letter["flow"] == flow]
        keys = tuple(letter["key"] for letter in mine if letter["delivery"] is None and letter["document"] is None)
        documents = tuple((letter["document"], letter["id"]) for letter in mine if letter["document"] is not None)
        deliveries = tuple(letter["delivery"] for letter in mine if letter["delivery"] is not None)
        plans.append(ReplayPlan(flow, tuple(dict.fromkeys(keys)), documents, tuple(dict.fromkeys(deliveries))))
    return plans


async def release(plan: ReplayPlan, ledger: Ledger, actor: str) -> None:
    """Lets the plan's held or dead documents and deliveries go again; they keep their bytes, numbers and names."""
    for document, letter in plan.documents:
        await ledger.deliveries.release(document, letter, f"released by {actor}")
    for delivery in plan.deliveries:
        await ledger.deliveries.requeue(delivery, f"sent again by {actor}: same bytes, numbers and name")


def request_for(plan: ReplayPlan, wait_seconds: float) -> RunRequest:
    """The run that carries the plan out."""
    return RunRequest(
        window=Window(keys=plan.keys), wait_seconds=wait_seconds, kind="replay", deliver_only=not plan.keys
    )
