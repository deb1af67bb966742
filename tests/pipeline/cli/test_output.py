"""Words, money and tables, at any width."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest

from pipeline.cli.output import counted, joined, money, print_error, program, say, sums, table, tell
from pipeline.errors import DataError


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [(1, "document", "1 document"), (0, "document", "0 documents"), (1, "delivery", "1 delivery"),
     (2, "delivery", "2 deliveries"), (11_500, "exception", "11,500 exceptions")],
)  # fmt: skip
def test_nouns_follow_their_number(number: int, noun: str, text: str) -> None:
    assert counted(number, noun) == text


def test_empty_parts_leave_no_gap() -> None:
    assert joined(["", "369 bytes", ""]) == "369 bytes"


@pytest.mark.parametrize(
    ("millionths", "currency", "text"),
    [(1_234_500_000, "USD", "1,234.50 USD"), (0, "", "0.00"), (None, "USD", ""), (-40_000, "CAD", "-0.04 CAD"),
     (1_234_567_800, "", "1,234.5678"), (10**18, "", "1,000,000,000,000.00")],
)  # fmt: skip
def test_money_is_told_exactly_with_thousands_and_two_decimals_at_least(
    millionths: int | None, currency: str, text: str
) -> None:
    assert money(millionths, currency) == text


def test_sums_name_each_currency() -> None:
    assert sums({"USD": 1_000_000, "CAD": 2_000_000, "": 0}) == "2.00 CAD, 1.00 USD"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


HEADINGS = ["DOC", "PARTNER", "AMOUNT", "MAILBOX"]
ROW = ["d-123456", "GREENHOLLOW", "1,234.50 USD", "/GREENHOLLOW/Inbound"]


def shown(monkeypatch: pytest.MonkeyPatch, columns: int) -> str:
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    table(HEADINGS, [ROW], drop=["MAILBOX"])
    return re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())


@pytest.mark.parametrize("columns", range(16, 90, 3))
def test_a_table_never_folds_an_id_or_a_heading_and_never_passes_the_edge(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    told = shown(monkeypatch, columns)
    assert "d-123456" in told
    assert "GREENHOLLOW" in told
    assert "1,234.50 USD" in told
    if columns >= max(len(cell) for cell in ROW) + len("  mailbox "):
        assert max(len(line.rstrip()) for line in told.splitlines()) <= columns


def test_columns_are_dropped_before_rows_become_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "MAILBOX" in shown(monkeypatch, 80)
    assert shown(monkeypatch, 40).splitlines()[0].split() == ["DOC", "PARTNER", "AMOUNT"]
    assert shown(monkeypatch, 30).splitlines()[0] == "d-123456  partner GREENHOLLOW"


def test_a_piped_table_stays_whole(capsys: pytest.CaptureFixture[str]) -> None:
    table(["WHY"], [["long " * 100 + "end"]], wrap=["WHY"])
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    ("called", "text"),
    [("/opt/my env/bin/ml-connector", "'/opt/my env/bin/ml-connector'"), (".venv/bin/mlc", ".venv/bin/mlc"),
     ("/usr/lib/pytest", "ml-connector"), ("/x/pipeline/__main__.py", f"{sys.executable} -m pipeline")],
)  # fmt: skip
def test_what_is_printed_can_be_copied(monkeypatch: pytest.MonkeyPatch, called: str, text: str) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    monkeypatch.setenv("PATH", "/nowhere")
    assert program() == text


def test_a_command_on_the_path_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "ml-connector"
    script.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert program() == "ml-connector"


def test_what_a_terminal_could_obey_is_written_out_wherever_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    text = "a\x1b]0;pwnb\x9bc\u202ed"  # rich itself drops BEL
    tell(text, "bold")
    say(text)
    table(["name", "state"], [[text, "ok"]])
    print_error(DataError(text, where=text, why=text, mend=text, owner=text, code="MLC-X12-0601"))
    written = "".join(capsys.readouterr())
    assert written.count("a\\x1b]0;pwnb\\x9bc\\u202ed") == 8
    assert [one for one in written if not one.isprintable() and one != "\n"] == []
