"""What the sources share."""

from __future__ import annotations

import anyio
import pytest

from stages.intacct.pages import unhurried


@pytest.mark.parametrize(("items", "rows", "least"), [(1000, 0, 5), (10, 199, 10), (10, 0, 1)])
async def test_the_loop_runs_on_after_every_two_hundred_rows(items: int, rows: int, least: int) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(others)
        seen = [item async for item in unhurried(range(items), lambda _: rows)]
        ran = turns
        group.cancel_scope.cancel()

    assert seen == list(range(items))
    assert least <= ran <= least + 1
