"""Several calls at once, their results in order. How many run at once is the client's concern."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

import anyio

from pipeline import StageError


async def gather(calls: Sequence[Awaitable[Any]]) -> list[Any]:
    """The results in order, all calls at once (the client bounds them); the first failure is raised once all have ended."""
    results: list[Any] = [None] * len(calls)
    failures: list[StageError] = []

    async def keep(place: int, call: Awaitable[Any]) -> None:
        try:
            results[place] = await call
        except StageError as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        for place, call in enumerate(calls):
            tasks.start_soon(keep, place, call)
    if failures:
        raise failures[0]
    return results
