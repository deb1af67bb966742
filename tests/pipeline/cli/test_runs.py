"""`run` and `replay`: what they say of a run, and which exceptions they take."""

from __future__ import annotations

import gc
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import execute
from pipeline.cli.runs import DEFAULT_WAIT, parse_time, parse_wait
from pipeline.cli.summary import Summary
from pipeline.engine.report import RunReport
from pipeline.engine.request import DEFAULT_WAIT_SECONDS
from pipeline.store.reports import Totals

MANY = 11_500


def test_the_wait_is_the_engines_unless_one_is_named() -> None:
    assert parse_wait(DEFAULT_WAIT) == DEFAULT_WAIT_SECONDS


def test_a_run_says_what_was_made_and_what_was_sealed(desk: Any) -> None:
    told = desk.run().out
    (documents,) = desk.sql("select count(*) from documents")[0]
    assert f"{documents} documents made, {documents} deliveries sealed" in told
    assert "below the EDI minimum" in told


def test_what_went_out_for_earlier_runs_is_told(ran: Any) -> None:
    ran.sql("update deliveries set state = 'retry' where id in (1, 2)")
    ran.sql("update documents set status = 'sealed' where delivery in (1, 2)")
    told = ran.run()
    assert "0 documents made, 0 deliveries sealed" in told.out
    assert "deliveries of earlier runs: 2 went out" in told.out


def test_what_of_earlier_runs_still_waits_is_told() -> None:
    report = RunReport(run=2, flow="bills", totals=Totals(), read_here=Totals(), seconds=0.0)
    summary = Summary(report, Path("bills.yaml"), [], {"delivered": 3, "in_doubt": 1})
    assert summary.earlier_text() == "deliveries of earlier runs: 3 went out, 1 waits"


@pytest.mark.usefixtures("watched")
def test_a_stopped_run_is_resumed_with_its_own_file(capsys: pytest.CaptureFixture[str]) -> None:
    """The shipped flow of the same name is another one."""
    report = RunReport(run=2, flow="bills", totals=Totals(), read_here=Totals(), seconds=0.0, signal=signal.SIGTERM)
    Summary(report, Path("my flows/bills.yaml"), [], {}).suggest()
    assert "ml-connector run 'my flows/bills.yaml'" in capsys.readouterr().err


def test_terms_without_records_have_no_colour(monkeypatch: pytest.MonkeyPatch, ran: Any) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    ran.sql("delete from records where rank in (5, 6)")
    told = ran.call("show", "r-1").out
    assert "\x1b[32mdelivered" in told
    assert "\x1b[31mdead" not in told
    assert "\x1b[33mheld" not in told


def test_run_and_show_call_the_terms_alike_and_print_the_same_money(desk: Any) -> None:
    def totals(told: str) -> list[str]:
        lines = told.splitlines()
        start = next(n for n, line in enumerate(lines) if line.startswith("small_bills, run"))
        return lines[start : start + 10]

    assert totals(desk.run().out) == totals(desk.call("show", "r-1").out)


def test_an_end_before_the_beginning_is_refused(desk: Any) -> None:
    told = desk.run("--since", "2026-10-02", "--until", "2026-10-01")
    assert told.code == 2
    assert "--since is not before --until" in told.err
    assert desk.run("--since", "2026-10-02", "--until", "2026-10-02").code == 0, "a date is the whole day"


def test_a_date_past_the_calendar_is_refused() -> None:
    with pytest.raises(Exception, match="not a date"):
        parse_time("9999-12-31", "--until", whole_day=True)
    assert parse_time("2026-10-31", "--until", whole_day=True) == datetime(2026, 11, 1, tzinfo=UTC)


# --- replay --------------------------------------------------------------------------------------------------------------


def test_replay_finds_an_exception_by_its_id_however_many_there_are(ran: Any) -> None:
    ran.letters(MANY)
    told = ran.call("replay", f"x-{MANY}", "--dry-run", "--json")
    assert told.json == {"schema": "mlc.replay/1", "dry_run": True, "exceptions": [f"x-{MANY}"], "runs": []}


def test_replay_of_a_code_takes_all_of_them(ran: Any) -> None:
    ran.letters(MANY)
    told = ran.call("replay", "--error", "MLC-TEST-0001", "--dry-run", "--json")
    assert len(told.json["exceptions"]) == MANY
    assert f"{MANY:,} exceptions to replay" in told.err


def test_replay_prints_one_object(ran: Any) -> None:
    told = ran.call("replay", "x-1", "--json").json
    assert (told["schema"], told["exceptions"]) == ("mlc.replay/1", ["x-1"])
    assert [run["schema"] for run in told["runs"]] == ["mlc.run/1"]


def test_replay_works_from_another_folder(desk: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert desk.call("run", "small_bills.yaml").code == 5
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert desk.call("replay", "x-1", "--json").json["runs"][0]["read"] == 1


def test_a_flow_file_that_has_gone_is_asked_for(ran: Any) -> None:
    ran.flow.rename(ran.folder / "renamed.yaml")
    told = ran.call("replay", "x-1")
    assert told.code == 2
    assert "name the file with --flow" in told.err
    assert ran.call("replay", "x-1", "--flow", "renamed.yaml", "--json").json["runs"][0]["read"] == 1


@pytest.mark.parametrize(
    ("id_", "words"),
    [
        ("d-3", "d-3 is the id of a document"),
        ("r-1", "r-1 is the id of a run"),
        ("bill 7", "'bill 7' is not an id"),
        ("x-99", "x-99 is unknown"),
        ("x-99999999999999999999", "is not an id"),
    ],
)
def test_what_is_no_open_exception_is_refused(ran: Any, id_: str, words: str) -> None:
    told = ran.call("replay", id_)
    assert told.code == 2
    assert words in told.err
    assert "ml-connector dead" in told.err


def test_an_exception_that_was_replayed_is_told_so(ran: Any) -> None:
    ran.sql("update dead_letters set state = 'replayed' where id = 1")
    assert "x-1 is replayed" in ran.call("replay", "1").err


def test_verbose_says_how_full_each_queue_was(desk: Any) -> None:
    done = desk.run("--verbose", "--json")
    assert done.json["schema"] == "mlc.run/1"
    assert "queue before worthwhile: 8 records in, 8 out" in done.err


def test_what_a_run_starts_with_is_out_of_the_collectors_sight(monkeypatch: pytest.MonkeyPatch, desk: Any) -> None:
    frozen: list[int] = []
    run_flow = execute.run_flow

    async def watched(*arguments: Any, **options: Any) -> RunReport:
        frozen.append(gc.get_freeze_count())
        return await run_flow(*arguments, **options)

    monkeypatch.setattr(execute, "run_flow", watched)
    desk.run()
    assert frozen[0] > 10_000
