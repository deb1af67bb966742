"""A ledger is looked at without a change to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.store import examine, open_ledger
from pipeline.testing import ManualClock


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    async with open_ledger(f"sqlite:///{path}", ManualClock()) as ledger:
        await ledger.begin_run("bills", "bills.yaml", "", "0", "run", "{}")
    return path


async def test_a_whole_ledger_tells_its_schema_and_last_entry(file: Path) -> None:
    found = examine(file)
    assert (found.exists, found.ours, found.damage) == (True, True, "")
    assert found.schema == found.newest_schema > 0
    assert found.last_entry == ManualClock().now().isoformat(timespec="microseconds").replace("+00:00", "Z")


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert not examine(tmp_path / "ledger.db").exists
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_that_nobody_used_yet_is_ours(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    assert examine(tmp_path / "ledger.db").ours


def test_the_database_of_something_else_is_told(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("create table things (id integer)")
    assert not examine(tmp_path / "other.db").ours


@pytest.mark.parametrize("offset", [0, 4096])
async def test_damage_is_told_wherever_it_is(file: Path, offset: int) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    data = bytearray(file.read_bytes())
    data[offset : offset + 3000] = b"\xff" * 3000
    file.write_bytes(data)
    assert examine(file).damage


async def test_a_ledger_of_a_newer_program_is_told(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma user_version = 999")
    found = examine(file)
    assert found.schema > found.newest_schema


async def test_a_table_whose_key_is_in_another_order_than_its_columns_is_not_taken_for_damaged(file: Path) -> None:
    """SQLite 3.40.1 tells of a NULL in each row of such a table."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("pragma foreign_keys = off")
        connection.executemany(
            "insert into used_numbers values ('s', 'ISA13', ?, ?, ?)", [(n, n, n) for n in range(1, 50)]
        )
    assert examine(file).damage == ""


async def test_a_null_that_is_really_there_is_told(file: Path) -> None:
    def rewrite(old: str, new: str) -> None:
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("pragma writable_schema = on")
            connection.execute("update sqlite_schema set sql = replace(sql, ?, ?) where name = 'runs'", (old, new))

    rewrite("kind         text not null", "kind         text")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("update runs set kind = null")
    rewrite("kind         text,", "kind         text not null,")
    assert examine(file).damage == "NULL value in runs.kind"
