"""How SQLite is reached: one port, two drivers over the same statements.

`ThreadedDriver` (aiosqlite) is for production: its work happens on threads, one connection writes and checkpoints, a
read-only one reads. `InlineDriver` (sqlite3) does the same inside the event loop, because a worker thread is invisible to a virtual clock.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import aiosqlite

from pipeline.errors import StoreError
from pipeline.store.locks import beside, waiting_lock
from pipeline.store.queries import migrations, statements
from pipeline.store.transaction import Command, Operation, Outcome, Row, transaction

PRAGMAS = (
    "pragma journal_mode = wal",
    "pragma synchronous = full",  # a commit that returned survives a power loss
    "pragma busy_timeout = 10000",
    "pragma foreign_keys = on",
    "pragma trusted_schema = off",
    "pragma cache_size = -65536",
)
APPLICATION_ID = 0x4D4C4331  # "MLC1": marks the file as ours


class Driver(Protocol):
    """``commit`` runs the commands in one durable transaction; ``fetch`` reads what was committed. ``close`` ends both."""

    async def commit(self, commands: Sequence[Command], now: str) -> list[Outcome]: ...
    async def fetch(self, name: str, values: Row = ()) -> list[Row]: ...
    async def close(self) -> None: ...


def prepare_file(path: Path) -> None:
    """Makes the ledger file readable by its owner alone, before SQLite opens it: WAL and SHM inherit the mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise cannot_open(path, error) from None


def migrate(path: Path) -> None:
    """Brings the file to the newest schema; refuses a file of a newer program, or one that is not ours."""
    try:
        # Schedulers start several flows at once, and all of them may be the first to meet this file.
        with waiting_lock(beside(path, "schema")):
            _migrate(path)
    except (sqlite3.DatabaseError, OSError) as error:
        raise cannot_open(path, error) from None


def cannot_open(path: Path, error: Exception) -> StoreError:
    """What people are told of a file that cannot be opened, or of one that must be able to lie beside it."""
    too_long = isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG
    return StoreError(
        "The ledger cannot be opened",
        where=str(path),
        why=str(error),
        mend="let MLC_STORE name a file with a shorter name: other files beside it begin with that name"
        if too_long
        else "let MLC_STORE name a file that this account may write; if it is damaged, restore it from a backup",
        code="MLC-STO-0001",
    )


def _migrate(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        version = _checked_version(connection, path)
        for pragma in PRAGMAS:
            connection.execute(pragma)
        _apply_migrations(connection, version)
    finally:
        connection.close()


def _checked_version(connection: sqlite3.Connection, path: Path) -> int:
    """The schema's number, 0 in a new file. Refuses what is not ours, or not yet ours, before changing anything in it."""
    version: int = connection.execute("pragma user_version").fetchone()[0]
    tables = connection.execute("select count(*) from sqlite_schema").fetchone()[0]
    if (version or tables) and connection.execute("pragma application_id").fetchone()[0] != APPLICATION_ID:
        raise StoreError(
            "This file is a database of something else",
            where=str(path),
            mend="name another file in MLC_STORE",
            code="MLC-STO-0003",
        )
    newest = migrations()[-1][0]
    if version > newest:
        raise StoreError(
            "The ledger was written by a newer version of ml-connector",
            where=str(path),
            why=f"its schema is number {version}, this program knows up to {newest}",
            mend="upgrade ml-connector",
            code="MLC-STO-0002",
        )
    return version


def _apply_migrations(connection: sqlite3.Connection, version: int) -> None:
    for number, _, script in migrations():
        if number > version:
            mark = f"pragma application_id = {APPLICATION_ID}; pragma user_version = {number};"
            connection.executescript(f"begin exclusive;\n{script}\n{mark}\ncommit;")


def _read_only(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=ro"


def _unusable(error: sqlite3.Error) -> StoreError:
    """A full disk, a lock that never ends, a broken rule of the schema: never a fault of the stage that waits for the commit."""
    return StoreError(
        "The ledger cannot be written",
        why=f"{type(error).__name__}: {error}",
        mend="see that its disk has room and no other program holds it, then run again",
        code="MLC-STO-0005",
    )


class ThreadedDriver:
    """SQLite on worker threads. Open with `open`; the writer belongs to one task at a time (`pipeline.store.writer`)."""

    def __init__(self, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self._writer = writer
        self._reader = reader

    @classmethod
    async def open(cls, path: Path) -> ThreadedDriver:
        writer = await aiosqlite.connect(path, isolation_level=None, cached_statements=256)
        try:
            for pragma in PRAGMAS:
                await writer.execute_fetchall(pragma)
            # Read-only: it can never checkpoint, so that one connection alone writes and checkpoints.
            reader = await aiosqlite.connect(_read_only(path), uri=True, isolation_level=None)
        except BaseException:
            await writer.close()
            raise
        await reader.execute_fetchall("pragma busy_timeout = 10000")
        return cls(writer, reader)

    async def commit(self, commands: Sequence[Command], now: str) -> list[Outcome]:
        steps = transaction(commands, now)
        try:
            operation = next(steps)
            while True:
                operation = steps.send(await self._perform(operation))
        except StopIteration as done:
            outcomes: list[Outcome] = done.value
            return outcomes
        except sqlite3.Error as error:
            await self._rollback()
            raise _unusable(error) from error
        except BaseException:
            await self._rollback()
            raise

    async def _perform(self, operation: Operation) -> list[Row]:
        if operation.do == "many":
            cursor = await self._writer.executemany(operation.sql, operation.values)
            await cursor.close()
            return []
        return list(await self._writer.execute_fetchall(operation.sql, operation.values))  # type: ignore[arg-type]

    async def _rollback(self) -> None:
        if self._writer.in_transaction:
            await self._writer.rollback()

    async def fetch(self, name: str, values: Row = ()) -> list[Row]:
        return list(await self._reader.execute_fetchall(statements()[name], values))  # type: ignore[arg-type]

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.close()


class InlineDriver:
    """SQLite in the calling thread, for a virtual clock."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in PRAGMAS:
            self._connection.execute(pragma)

    async def commit(self, commands: Sequence[Command], now: str) -> list[Outcome]:
        steps = transaction(commands, now)
        try:
            operation = next(steps)
            while True:
                operation = steps.send(self._perform(operation))
        except StopIteration as done:
            outcomes: list[Outcome] = done.value
            return outcomes
        except BaseException as error:
            if self._connection.in_transaction:
                self._connection.rollback()
            if isinstance(error, sqlite3.Error):
                raise _unusable(error) from error
            raise

    def _perform(self, operation: Operation) -> list[Row]:
        if operation.do == "many":
            self._connection.executemany(operation.sql, operation.values)
            return []
        return self._connection.execute(operation.sql, operation.values).fetchall()

    async def fetch(self, name: str, values: Row = ()) -> list[Row]:
        return self._connection.execute(statements()[name], values).fetchall()

    async def close(self) -> None:
        self._connection.close()
