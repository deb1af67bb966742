"""How the database goes about look-ups by many names: names first, by an index on them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from pipeline.clock import SystemClock
from pipeline.store import open_ledger
from pipeline.store.queries import statements


async def test_records_are_recalled_by_an_index_on_their_names(tmp_path: Path) -> None:
    """Otherwise each record with an alias is compared with each name: minutes, in a ledger of a year."""
    file = tmp_path / "ledger.db"
    async with open_ledger(f"sqlite:///{file}", SystemClock()):
        pass
    with closing(sqlite3.connect(file)) as database:
        plan = database.execute("explain query plan " + statements()["known_records"], ("[]", "o", "c", "f")).fetchall()
    steps = [step for *_, step in plan if " r " in step or " n " in step]
    assert steps
    assert all("key=?" in step or "alias=?" in step or "PRIMARY KEY" in step for step in steps)
