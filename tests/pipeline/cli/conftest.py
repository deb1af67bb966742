"""The command, called in this process over a small ledger that the example flow fills."""

from __future__ import annotations

import gc
import json
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import main

EXAMPLES = Path(__file__).parents[3] / "flows" / "examples"


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one line on stdout."""
        assert self.out.count("\n") == 1, self.out + self.err
        return json.loads(self.out)


class Desk:
    """A folder with the example flow, and its ledger."""

    def __init__(self, folder: Path, call: Callable[..., Outcome]) -> None:
        self.folder = folder
        self.flow = folder / "small_bills.yaml"
        self.bills = folder / "bills.jsonl"
        self.ledger = folder / "ledger.db"
        self.call = call

    def run(self, *options: str) -> Outcome:
        return self.call("run", str(self.flow), *options)

    def sql(self, statement: str, rows: list[tuple[Any, ...]] | None = None) -> list[tuple[Any, ...]]:
        """Makes the ledger what a test needs, or asks it."""
        with closing(sqlite3.connect(self.ledger)) as connection, connection:
            if rows is None:
                return connection.execute(statement).fetchall()
            connection.executemany(statement, rows)
            return []

    def letters(self, count: int, code: str = "MLC-TEST-0001", partner: str = "ACME") -> None:
        """That many more open exceptions."""
        (first,) = self.sql("select coalesce(max(id), 0) + 1 from dead_letters")[0]
        self.sql(
            "insert into dead_letters values (?, 'open', 'data', ?, 'AP', 'Something is wrong', '', '', '', 'small_bills', 1,"
            " 'written', ?, '', 'bill', ?, '', 'USD', 1000000, null, null, '2026-10-01', '2026-10-01', 1)",
            [(id_, code, partner, f"K{id_}") for id_ in range(first, first + count)],
        )

    def runs(self, flow: str, count: int) -> None:
        """That many more finished runs of a flow."""
        (first,) = self.sql("select coalesce(max(id), 0) + 1 from runs")[0]
        self.sql(
            "insert into runs values (?, ?, 'f.yaml', 'd', '0', 'run', '{}', '2026-10-01', '2026-10-01', 'clean', null)",
            [(id_, flow) for id_ in range(first, first + count)],
        )


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def called(*arguments: str) -> Outcome:
        main.app.registered_commands.clear()  # a process calls `main` once
        main.app.registered_groups.clear()
        monkeypatch.setattr(sys, "argv", ["ml-connector", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.main()
        gc.unfreeze()  # a run freezes what its process holds, which here is the tests
        told = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Outcome(ended.value.code, told.out, told.err)

    return called


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sits before the terminal: hints are for people."""
    monkeypatch.setattr("pipeline.cli.output.watched", lambda: True)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Outcome]) -> Desk:
    """Nothing has run yet."""
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".ml-connector"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLC_STORE", f"sqlite:///{tmp_path}/ledger.db")
    return Desk(tmp_path, call)


@pytest.fixture
def ran(desk: Desk) -> Desk:
    """After one run of the example flow."""
    assert desk.run("--json").code == 5
    return desk
