"""One ledger transaction as a sequence of plain operations; pure, so that both drivers run the same one.

A `Command` says what it must read and, given that, what it changes. Many commands share one transaction (`BEGIN IMMEDIATE`,
the heads, each command's reads and writes, the audit rows, one link of the audit chain, `COMMIT`). A command that raises while it
decides has written nothing and fails alone; a failing statement fails the transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from pipeline.store.queries import statements

Row = tuple[Any, ...]
HEADS = ("runs", "pages", "records", "documents", "deliveries", "dead_letters", "audit", "audit_chain")


class Operation(NamedTuple):
    """What a driver must do: run a statement, fetch its rows, or run it for many rows."""

    do: Literal["run", "fetch", "many"]
    sql: str
    values: Any = ()


class Audit(NamedTuple):
    """One audit row: what kind of thing happened to whom. ``detail`` is short text for people, or JSON."""

    kind: str
    subject: str
    detail: str
    run: int | None = None


class Change(msgspec.Struct):
    """What a command does: named statements with their rows, in order, audit rows, and what its caller gets back."""

    writes: list[tuple[str, list[Row]]] = []
    audit: list[Audit] = []
    result: Any = None


class Heads:
    """The highest id of each table inside this transaction; `take` reserves the next ones."""

    def __init__(self, row: Row) -> None:
        self._last = dict(zip(HEADS, row, strict=False))
        self.chain = str(row[len(HEADS)])

    def take(self, table: str, count: int = 1) -> int:
        """The first of ``count`` new consecutive ids."""
        first = int(self._last[table]) + 1
        self._last[table] = first + count - 1
        return first


class Command(msgspec.Struct):
    """``reads`` are named statements with parameters; ``build`` gets their rows, in order, and the heads."""

    reads: list[tuple[str, Row]]
    build: Callable[[list[list[Row]], Heads], Change]


Outcome = tuple[Any, Exception | None]


def transaction(commands: Sequence[Command], now: str) -> Generator[Operation, list[Row], list[Outcome]]:
    """Yields operations, takes the rows of each fetch, returns each command's result or the exception of its ``build``."""
    sql = statements()
    yield Operation("run", "begin immediate")
    heads = Heads((yield Operation("fetch", sql["heads"]))[0])
    outcomes: list[Outcome] = []
    audit: list[Audit] = []
    for command in commands:
        rows = []
        for name, values in command.reads:
            rows.append((yield Operation("fetch", sql[name], values)))
        try:
            change = command.build(rows, heads)
        except Exception as error:  # noqa: BLE001  handed to the command's caller
            outcomes.append((None, error))
            continue
        for name, values_list in change.writes:
            if values_list:
                yield Operation("many", sql[name], values_list)
        audit.extend(change.audit)
        outcomes.append((change.result, None))
    if audit:
        yield from _append_audit(audit, heads, now)
    yield Operation("run", "commit")
    return outcomes


def _append_audit(audit: list[Audit], heads: Heads, now: str) -> Generator[Operation, list[Row], None]:
    sql = statements()
    first = heads.take("audit", len(audit))
    rows: list[Row] = [(first + n, now, row.run, row.kind, row.subject, row.detail) for n, row in enumerate(audit)]
    yield Operation("many", sql["insert_audit"], rows)
    digest = chain_digest(heads.chain, rows)
    yield Operation("many", sql["insert_chain"], [(heads.take("audit_chain"), rows[-1][0], digest)])


def chain_digest(before: str, rows: Sequence[Row]) -> str:
    """The chain's next digest: SHA-256 over the digest before, a newline, and the rows as one JSON list."""
    return hashlib.sha256(before.encode() + b"\n" + msgspec.json.encode(rows)).hexdigest()
