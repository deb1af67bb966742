"""What the sources share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest

from stages.intacct.company import IntacctClient
from stages.intacct.pages import unhurried
from stages.intacct.protocol.fields import LINE
from stages.intacct.reader import Reader


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


async def test_a_row_that_comes_twice_on_a_page_is_one(
    gateway: Any, open_client: Callable[..., AbstractAsyncContextManager[IntacctClient]]
) -> None:
    rows = [{"RECORDNO": number, "RECORDKEY": "7", "TRX_AMOUNT": "5"} for number in ("1", "1", "2", "3", "3", "3")]
    gateway.tables = {"APBILLITEM": rows}
    async with open_client(page_size=3) as client:
        lines = Reader(client, LINE)
        assert [row["RECORDNO"] for row in await lines.matching("RECORDKEY", ["7"])] == ["1", "2", "3"]
        assert [row["RECORDNO"] for row in (await lines.page(None, ("RECORDNO",))).rows] == ["1", "2"]
