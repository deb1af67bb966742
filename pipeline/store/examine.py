"""A look at a ledger file that changes nothing: neither creates, upgrades nor locks it. For `doctor`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from pipeline.store.driver import APPLICATION_ID
from pipeline.store.queries import migrations, statements


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


def _examined(connection: sqlite3.Connection, newest: int) -> Examination:
    schema = int(connection.execute("pragma user_version").fetchone()[0])
    if not schema:  # made and not used yet; what else has no number is not ours
        tables = connection.execute("select count(*) from sqlite_schema").fetchone()[0]
        return Examination(ours=not tables, newest_schema=newest)
    if connection.execute("pragma application_id").fetchone()[0] != APPLICATION_ID:
        return Examination(ours=False, schema=schema, newest_schema=newest)
    said = [row[0] for row in connection.execute("pragma integrity_check(5)")]
    last = connection.execute(statements()["last_entry"]).fetchone()[0]
    return Examination(
        schema=schema, newest_schema=newest, damage="" if said == ["ok"] else "; ".join(said), last_entry=last or ""
    )
