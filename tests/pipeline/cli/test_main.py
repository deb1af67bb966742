"""How the command ends, whatever is done to it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import execute
from pipeline.cli.progress import RunProgress
from pipeline.clock import SystemClock
from pipeline.engine.build import code_version
from pipeline.engine.services import Stopping

ROOT = Path(__file__).parents[3]


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLC_STORE": f"sqlite:///{folder}/ledger.db"}
    return subprocess.run(
        ["/bin/bash", "-c", line.replace("MLC", f"{sys.executable} -m pipeline")],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("call_", ["show r-1", "show d-1 --raw", "runs", "dead --json"])
def test_a_reader_that_has_seen_enough_is_no_fault(ran: Any, call_: str) -> None:
    done = shell(f"MLC {call_} | true; echo ${{PIPESTATUS[0]}}", ran.folder)
    assert done.stdout.strip() in ("0", "141")
    assert "rror" not in done.stderr


def test_a_run_whose_messages_nobody_reads_is_not_broken_off(desk: Any) -> None:
    shell("MLC run small_bills.yaml 2>&1 | true", desk.folder)
    assert desk.sql("select status from runs") == [("exceptions",)]


def test_the_version_is_told(call: Callable[..., Any]) -> None:
    told = call("--version")
    assert (told.code, told.out) == (0, f"ml-connector {code_version()}\n")


@pytest.mark.parametrize("arguments", [["runs", "--nope"], ["runs", "--limit", "many"], ["nope"], ["show"]])
def test_a_line_that_cannot_be_understood_is_told_to_scripts_too(
    call: Callable[..., Any], arguments: list[str]
) -> None:
    told = call(*arguments, "--json")
    assert (told.code, told.json["schema"], told.json["exit"]) == (2, "mlc.error/1", 2)
    assert "mend" in told.err


@pytest.mark.parametrize("verb", ["demo", "check", "replay", "docs", "dead", "show"])
def test_help_shows_no_type_at_flags(call: Callable[..., Any], verb: str) -> None:
    lines = [line for line in call(verb, "--help").out.splitlines() if "--json" in line or "--once" in line]
    assert lines
    assert not [line for line in lines if "bool" in line.lower()]


@pytest.mark.parametrize(
    ("store", "words"), [("sqlite:///.", "is a folder"), ("sqlite:///:memory:", "lost"), ("sqlite:////", "is a folder")]
)
def test_a_ledger_that_is_no_file_is_refused(
    call: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLC_STORE", store)
    told = call("status")
    assert told.code == 2
    assert "MLC-STO-0004" in told.err
    assert words in told.err
    assert list(tmp_path.iterdir()) == []


async def test_the_second_signal_gives_the_terminal_back_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    progress = RunProgress("bills", SystemClock(), quiet=True)
    ended = asyncio.Event()

    def end(code: int) -> None:
        happened.append(f"exit {code}")
        ended.set()

    monkeypatch.setattr(progress, "stop", lambda: happened.append("progress stopped"))
    monkeypatch.setattr(execute.os, "_exit", end)
    stopping = Stopping()
    async with execute.watching(stopping, progress.stop):
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGTERM)
        await stopping.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await ended.wait()
    assert happened == ["progress stopped", "exit 143"]
