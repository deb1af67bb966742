"""A look at a ledger file that changes nothing: neither creates, upgrades nor locks it. For `doctor`."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import msgspec

from pipeline.store.driver import APPLICATION_ID
from pipeline.store.queries import migrations, statements

MOST_FOUND = 2_000_000_000
SHOWN = 5
_NULL = re.compile(r"NULL value in (\w+)\.(\w+)")


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """What the file is. ``damage`` is empty when the file is whole; ``last_entry`` is the newest time in the audit trail."""

    exists: bool = True
    ours: bool = True
    schema: int = 0
    newest_schema: int = 0
    sqlite: str = sqlite3.sqlite_version
    damage: str = ""
    last_entry: str = ""


def examine(path: Path) -> Examination:
    """Reads the whole file once. Raises nothing about a file that cannot be read as a ledger: it says so."""
    newest = migrations()[-1][0]
    if not path.exists():
        return Examination(exists=False, newest_schema=newest)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            return _examined(connection, newest)
    except sqlite3.Error as error:
        return Examination(newest_schema=newest, damage=str(error))


def is_current(path: Path) -> bool:
    """Whether there is a ledger of exactly this version, which can be written to without making or upgrading anything. Reads one page."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            ours = connection.execute("pragma application_id").fetchone()[0] == APPLICATION_ID
            return bool(ours and connection.execute("pragma user_version").fetchone()[0] == migrations()[-1][0])
    except sqlite3.Error:
        return False


def _examined(connection: sqlite3.Connection, newest: int) -> Examination:
    schema = int(connection.execute("pragma user_version").fetchone()[0])
    if not schema:  # made and not used yet; what else has no number is not ours
        tables = connection.execute("select count(*) from sqlite_schema").fetchone()[0]
        return Examination(ours=not tables, newest_schema=newest)
    if connection.execute("pragma application_id").fetchone()[0] != APPLICATION_ID:
        return Examination(ours=False, schema=schema, newest_schema=newest)
    damage = "; ".join(islice(_damage(connection), SHOWN))
    last = connection.execute(statements()["last_entry"]).fetchone()[0]
    return Examination(schema=schema, newest_schema=newest, damage=damage, last_entry=last or "")


def _damage(connection: sqlite3.Connection) -> Iterator[str]:
    """What SQLite finds wrong. Some versions (3.40.1 is one) look at the wrong column of a table without rowid whose key is not its first
    columns in order, and tell of a NULL in each of its rows: whether there is one is asked again.
    """
    false: set[str] = set()
    for (said,) in connection.execute(f"pragma integrity_check({MOST_FOUND})"):
        null = _NULL.fullmatch(said)
        if said == "ok" or said in false:
            continue
        if null is not None and not _has_null(connection, null[1], null[2]):
            false.add(said)
            continue
        yield said


def _has_null(connection: sqlite3.Connection, table: str, column: str) -> bool:
    """Asked by its type: that a column declared ``not null`` is null, SQLite does not even look up."""
    question = f"select exists (select 1 from {table} where typeof({column}) = 'null')"  # noqa: S608  names of our own schema
    return bool(connection.execute(question).fetchone()[0])
