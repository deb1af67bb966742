"""Progress: what is settled and what is delivered are two things."""

from __future__ import annotations

import io
import sys
from datetime import timedelta

import pytest

from pipeline.cli.progress import Notes, RunProgress
from pipeline.clock import SystemClock
from pipeline.engine.services import Pause
from pipeline.testing.clock import ManualClock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_both_settling_and_delivering_are_shown_and_the_cursor_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    with RunProgress("bills", SystemClock()) as progress:
        progress("read", 10)
        progress("settled", 10)
        progress("delivered", None)
        progress.stop()
    told = stream.getvalue()
    assert "10 of 10 settled" in told
    assert "1 delivery made" in told
    assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l")


def test_a_note_is_told_once_and_not_when_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    notes = Notes()
    for quiet in (False, True, False):  # the last is another run of the same process
        with RunProgress("bills", SystemClock(), quiet=quiet, notes=notes) as progress:
            for _ in range(2):
                progress("note", "contacts cannot be read")
    assert capsys.readouterr().err.count("contacts cannot be read") == 1


def test_a_long_wait_is_told_once_with_its_end_and_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ManualClock()
    until = clock.now() + timedelta(minutes=15)
    with RunProgress("bills", clock) as progress:
        progress("waiting", Pause(clock.now() + timedelta(seconds=2), "a moment"))
        for _ in range(100):
            progress("waiting", Pause(until, "Intacct limits our requests"))
    with RunProgress("bills", clock, quiet=True) as progress:
        progress("waiting", Pause(until, "Intacct limits our requests"))
    assert capsys.readouterr().err == f"bills: waiting until {until:%H:%M:%S} UTC; Intacct limits our requests\n"
