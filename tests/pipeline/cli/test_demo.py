"""The demo keeps its ledger from others, and prints only what it knows."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import demo
from pipeline.engine.report import RunReport
from pipeline.registry import load_registry
from pipeline.store.locks import waiting_lock
from pipeline.store.reports import Totals

NUMBERS = {5: "Five", 6: "Six", 7: "Seven", 8: "Eight", 9: "Nine"}


@pytest.mark.parametrize("lock", ["demo.lock", "demo.db.flow_bills.lock"])
def test_a_ledger_in_use_is_left_alone(
    call: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".ml-connector"
    folder.mkdir()
    (folder / "demo.db").write_bytes(b"what the other one works with")
    with waiting_lock(folder / lock):  # as another process would: a lock belongs to an open file
        told = call("demo", "--once", "--json")
    assert (told.code, told.json["code"]) == (6, "MLC-CLI-0009")
    assert (folder / "demo.db").read_bytes() == b"what the other one works with"
    assert (folder / lock).exists()


def test_a_demo_begins_anew_where_another_has_ended(
    call: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        report = call("demo", "--once", "--json", "--bills", "0").json
        assert [(flow["flow"], flow["run"]) for flow in report["flows"]] == [
            ("vendors", 1),
            ("bills", 2),
            ("acknowledgements", 3),
        ]
    assert (tmp_path / ".ml-connector" / "demo.env").stat().st_mode & 0o777 == 0o600


def test_a_person_is_shown_what_partners_leave_besides_their_answers_anew_each_time(
    call: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    inbox = tmp_path / ".ml-connector" / "demo-inbox"
    for _ in range(2):
        told = call("demo", "--once", "--bills", "0")
        assert re.search(r"^mailbox, run r-4 +records$", told.out, re.MULTILINE)
        assert f"what partners left besides their answers:  {inbox}" in told.err
        kinds = sorted(file.suffix for file in inbox.rglob("*") if file.is_file())
        assert kinds == [".csv"] * 2 + [".edi"] * 2 + [".xml"] * 2


def test_a_folder_that_cannot_be_written_is_told_in_four_parts(
    call: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".ml-connector").write_text("in the way")
    told = call("demo", "--once")
    assert told.code == 1
    assert "MLC-CLI-0010" in told.err
    assert "internal error" not in told.err


def test_a_shell_reads_the_variables_as_they_are(tmp_path: Path) -> None:
    value = 'it\'s $HOME `date` "x" \\'
    file = demo._write_variables(tmp_path / "demo.env", {"ODD": value})
    said = subprocess.run(
        ["/bin/sh", "-c", f'. {file} && printf %s "$ODD"'], capture_output=True, text=True, check=True
    )
    assert said.stdout == value


def report(**counts: int) -> RunReport:
    totals = Totals(read=sum(counts.values()), counts=counts)
    return RunReport(run=1, flow="bills", totals=totals, read_here=totals, seconds=0.0)


def test_a_demo_without_failures_speaks_of_none(capsys: pytest.CaptureFixture[str]) -> None:
    demo._suggest([report(delivered=3)], Path("demo.env"))
    told = capsys.readouterr().err
    assert "see why" not in told
    assert "planted" not in told


def test_failures_are_counted_and_not_all_called_planted(capsys: pytest.CaptureFixture[str]) -> None:
    demo._suggest([report(dead=2, held=1)], Path("/some where/demo.env"))
    told = capsys.readouterr().err
    assert "3 records need a person" in told
    assert "planted" not in told
    assert "see why:  . '/some where/demo.env' && ml-connector dead" in told


def test_the_readme_shows_what_the_demo_prints(
    call: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    shown = readme.partition("```text\nbills, run")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    told = call("demo", "--once")
    assert f"bills, run{shown}" in told.out
    dead, held = (re.search(rf"^{word} +(\d+)", shown, re.MULTILINE) for word in ("dead", "held"))
    assert dead is not None
    assert held is not None
    planted = NUMBERS[int(dead[1]) + int(held[1])]
    assert f"{planted} bills are planted to fail" in readme


def test_the_options_of_each_simulator_are_told_apart() -> None:
    registry = load_registry()
    arguments = [
        "--intacct-port=7801",
        "--intacct-profile",
        "one-endpoint",
        "--sterling-profile",
        "awkward",
        "--sterling-port",
        "7802",
    ]
    assert demo._choices(arguments, registry) == {
        "intacct": demo.Choice(7801, "one-endpoint"),
        "sterling": demo.Choice(7802, "awkward"),
    }


@pytest.mark.parametrize(
    "words",
    ["--sterling-profile odd", "--sterling-profile", "--intacct-profile plain", "--sterling-port x", "--port 1", "--sterling-port 65536"],
)  # fmt: skip
def test_an_option_that_no_simulator_has_is_refused_with_those_there_are(call: Callable[..., Any], words: str) -> None:
    told = call("simulate", *words.split())
    assert (told.code, "--sterling-profile plain|awkward|tokens|gateway" in told.err) == (2, True)
