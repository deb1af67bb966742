"""`doctor` says what is wrong before a run does, changes nothing, and its exit code says what kind of thing it is."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import demo, doctor, machine
from pipeline.registry import load_registry
from pipeline.store import Examination

FLOWS = Path(__file__).parents[3] / "flows"
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def states(told: Any, kind: str = "") -> dict[str, str]:
    return {check["name"]: check["state"] for check in told["checks"] if check["kind"] == kind or not kind}


def problem(told: Any, name: str) -> Any:
    return next(check["problem"] for check in told["checks"] if check["name"] == name and check["problem"])


def test_a_flow_that_can_run_has_no_failed_line_and_makes_no_ledger(desk: Any) -> None:
    outcome = desk.call("doctor", str(desk.flow), "--json")
    assert (outcome.code, outcome.json["ok"], outcome.json["counts"]["failed"]) == (0, True, 0)
    assert not desk.ledger.exists()


def test_after_a_run_the_ledger_is_whole_and_private(ran: Any) -> None:
    outcome = ran.call("doctor", str(ran.flow), "--json")
    assert states(outcome.json, "ledger") == {
        "file": "ok", "privacy": "ok", "last entry": "ok", "free space": "ok",
    }  # fmt: skip


def test_a_ledger_that_others_can_read_is_a_warning(ran: Any) -> None:
    ran.ledger.chmod(0o644)
    outcome = ran.call("doctor", str(ran.flow), "--json")
    assert outcome.code == 0
    assert states(outcome.json)["privacy"] == "warning"
    assert "0644" in problem(outcome.json, "privacy")["why"]


def test_a_damaged_ledger_fails(ran: Any) -> None:
    ran.ledger.write_bytes(b"no database at all " * 500)
    outcome = ran.call("doctor", str(ran.flow), "--json")
    assert outcome.code == 3
    assert problem(outcome.json, "file")["code"] == "MLC-CHK-0006"


def test_a_store_that_cannot_be_is_a_line_and_not_the_end(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLC_STORE", "postgresql://user:s3cret@host/db")
    outcome = desk.call("doctor", str(desk.flow), "--json")
    assert outcome.code == 3
    assert states(outcome.json, "flow")["file"] == "ok"
    assert "s3cret" not in outcome.out


def test_a_flow_with_findings_fails_and_says_where_to_see_them_all(desk: Any) -> None:
    desk.flow.write_text(desk.flow.read_text().replace("version: 1", "version: 7"))
    outcome = desk.call("doctor", str(desk.flow), "--json")
    assert outcome.code == 3
    assert "version 1" in problem(outcome.json, "file")["why"]


def test_code_that_a_flow_names_and_that_breaks_is_a_line(desk: Any) -> None:
    (desk.folder / "small_bills.py").write_text("raise RuntimeError('s3cret')")
    outcome = desk.call("doctor", str(desk.flow), "--json")
    assert outcome.code == 3
    assert "Traceback" not in outcome.out + outcome.err


def test_variables_that_are_not_set_are_named(desk: Any) -> None:
    outcome = desk.call("doctor", str(FLOWS / "bills.yaml"), "--json")
    assert outcome.code == 3
    assert problem(outcome.json, "variables")["why"].startswith("INTACCT_SENDER_ID, INTACCT_SENDER_PASSWORD")


def test_variables_that_several_flows_miss_are_named_once_with_the_flows(desk: Any) -> None:
    outcome = desk.call("doctor", str(FLOWS / "bills.yaml"), str(FLOWS / "acknowledgements.yaml"), "--json")
    lines = [check for check in outcome.json["checks"] if check["name"] == "variables"]
    assert [line["flows"] for line in lines] == [["bills", "acknowledgements"]]
    assert lines[0]["problem"]["why"].endswith(
        "INTACCT_USER_PASSWORD for bills; STERLING_URL for bills, acknowledgements"
    )


async def test_systems_that_let_us_in_are_ok_and_one_that_does_not_exits_with_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("MLC_STORE", f"sqlite:///{tmp_path}/ledger.db")
    async with AsyncExitStack() as stack:
        simulations = [await stack.enter_async_context(s) for s in demo._simulators(load_registry(), 5, 1, {})]
        for name, value in demo._merged(simulations).items():
            monkeypatch.setenv(name, value)
        assert await doctor.doctor([str(FLOWS / "vendors.yaml")]) == 0
        told = capsys.readouterr().out
        assert "connection books (intacct)  of vendors" in told
        assert "connection b2bi (sterling)  of vendors" in told
        monkeypatch.setenv("INTACCT_USER_PASSWORD", "wr0ng")
        assert await doctor.doctor([str(FLOWS / "vendors.yaml")]) == 4
        told = capsys.readouterr().out
        assert "owner  IT, MLC-INTACCT-" in told
        assert "wr0ng" not in told


def test_on_a_terminal_no_line_is_wider_than_80_columns(
    desk: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    outcome = desk.call("doctor", str(FLOWS / "bills.yaml"))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", outcome.out)
    assert "variables" in plain
    assert [line for line in plain.splitlines() if len(line) > 80] == []


# --- the machine and the file ------------------------------------------------------------------------------------------


def test_a_clock_before_the_installation_fails() -> None:
    assert machine.machine(datetime(2001, 1, 1, tzinfo=UTC))["clock"]().state == "failed"
    assert machine.machine(NOW)["clock"]().state == "ok"


@pytest.mark.parametrize(
    ("version", "bounds", "within"),
    [
        ("3.14.5", ">=3.14.5,<4", True),
        ("3.14.4", ">=3.14.5,<4", False),
        ("4.0", ">=3.14.5,<4", False),
        ("15.0.0", ">=15", True),
        ("15", ">=15.0.1", False),
        ("6.1.1rc1", ">=6.0.3", True),
        ("10.2", ">=9.5", True),
        ("1", "", True),
    ],
)
def test_versions_are_compared_as_numbers(version: str, bounds: str, within: bool) -> None:
    assert machine._within(version, bounds) is within


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.metadata, "requires", lambda _: ["no-such-thing>=1", "nor-this ; extra == 'test'"])
    line = machine._libraries()
    assert line.state == "failed"
    assert line.problem is not None
    assert line.problem.why == "no-such-thing is missing, needed is >=1"


def test_a_check_of_the_machine_that_breaks_leaves_the_others(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks() -> None:
        raise RuntimeError("s3cret")

    monkeypatch.setattr(machine, "_libraries", breaks)
    outcome = desk.call("doctor", str(desk.flow), "--json")
    assert (outcome.code, problem(outcome.json, "libraries")["code"]) == (3, "MLC-CHK-0001")
    assert states(outcome.json, "machine")["clock"] == "ok"
    assert "s3cret" not in outcome.out


def test_a_program_that_is_not_installed_as_a_package_skips_its_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_DISTRIBUTION", "no-such-distribution")
    assert machine._libraries().state == "skipped"


@pytest.mark.parametrize(("ahead", "state"), [(timedelta(minutes=4), "ok"), (timedelta(minutes=6), "failed")])
def test_a_ledger_ahead_of_the_clock_fails(tmp_path: Path, ahead: timedelta, state: str) -> None:
    path = tmp_path / "ledger.db"
    path.touch(0o600)
    found = Examination(schema=2, newest_schema=2, last_entry=(NOW + ahead).isoformat())
    assert machine.ledger(path, found, NOW)["last entry"]().state == state


@pytest.mark.parametrize(
    "found",
    [
        Examination(ours=False),
        Examination(damage="row 3 missing"),
        Examination(schema=9, newest_schema=2),
    ],
)
def test_a_file_that_cannot_be_the_ledger_fails(tmp_path: Path, found: Examination) -> None:
    path = tmp_path / "ledger.db"
    path.touch(0o600)
    assert machine.ledger(path, found, NOW)["file"]().state == "failed"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_fails(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    line = machine.ledger(tmp_path / "deep" / "ledger.db", Examination(exists=False), NOW)["file"]()
    assert line.state == "failed"


@pytest.mark.parametrize(
    ("free", "state"), [(machine.LITTLE_SPACE, "ok"), (machine.LITTLE_SPACE - 1, "warning"), (machine.NO_SPACE - 1, "failed")]
)  # fmt: skip
def test_little_space_is_a_warning_and_none_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str
) -> None:
    class Usage:
        def __init__(self) -> None:
            self.free = free

    usage: Callable[[Path], Usage] = lambda _: Usage()  # noqa: E731
    monkeypatch.setattr(machine.shutil, "disk_usage", usage)
    assert machine._space(tmp_path).state == state
