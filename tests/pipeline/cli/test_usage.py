"""`status` shows what was used of what is paid for; the count is the one the far side keeps."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import demo, lists, runs
from pipeline.registry import load_registry

FLOWS = Path(__file__).parents[3] / "flows"


def used(ran: Any, calls: int, allowance: int = 100_000, warn: int = 80) -> None:
    """That many calls of the one run so far, today."""
    ran.sql("insert into accounts values ('Books ACME', 'API transaction', ?, ?)", [(allowance, warn)])
    ran.sql("insert into calls values ('Books ACME', ?, 1, ?)", [(datetime.now(UTC).date().isoformat(), calls)])


def test_status_shows_the_month_what_is_paid_for_and_the_last_run(ran: Any) -> None:
    used(ran, 1204)
    told = ran.call("status").out
    line = next(line for line in told.splitlines() if line.startswith("Books ACME"))
    assert "1,204 API transactions" in line
    assert "100,000" in line
    assert "1,204 in r-1" in line


@pytest.mark.parametrize(("calls", "allowance", "level"), [(10, 100_000, "ok"), (1, 10**9, "ok"), (101, 100, "over")])
def test_status_warns_of_a_forecast_beyond_what_is_paid_for(ran: Any, calls: int, allowance: int, level: str) -> None:
    used(ran, calls, allowance)
    outcome = ran.call("status")
    assert ran.call("status", "--json").json["meters"][0]["level"] == level
    assert ("more than the 100 that are paid" in outcome.err) == (level == "over")


def test_what_is_paid_for_may_be_unknown(ran: Any) -> None:
    used(ran, 5, allowance=0)
    assert ran.call("status", "--json").json["meters"][0]["allowance"] is None
    assert "PAID FOR" not in ran.call("status").out


def test_a_ledger_without_such_calls_shows_no_meter(ran: Any) -> None:
    assert "THIS MONTH" not in ran.call("status").out
    assert ran.call("status", "--json").json["meters"] == []


async def test_the_count_of_a_run_is_that_of_the_gateway(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("MLC_STORE", f"sqlite:///{tmp_path}/ledger.db")
    async with AsyncExitStack() as stack:
        simulations: list[Any] = [
            await stack.enter_async_context(s) for s in demo._simulators(load_registry(), 150, 1, {})
        ]
        for name, value in demo._merged(simulations).items():
            monkeypatch.setenv(name, value)
        (gateway,) = [each for each in simulations if "Intacct" in each.summary]
        total = 0
        for flow in ("vendors", "bills"):
            await runs.run(str(FLOWS / f"{flow}.yaml"), json=True)
            capsys.readouterr()
            await lists.status(json=True)
            (meter,) = json.loads(capsys.readouterr().out)["meters"]
            assert meter["last_run"]["used"] == gateway.counts.billable - total
            total = gateway.counts.billable
            assert (meter["used"], meter["account"]) == (total, "Intacct HARBORVALE")
        await runs.run(str(FLOWS / "vendors.yaml"))
        assert f"calls: {gateway.counts.billable - total} of Intacct HARBORVALE" in capsys.readouterr().out


def test_an_estimate_runs_nothing_and_says_when_a_source_cannot_tell(desk: Any) -> None:
    told = desk.run("--estimate", "--json")
    assert (told.code, told.json["sources"][0]["records"]) == (0, None)
    assert desk.sql("select count(*) from runs") == [(0,)]
    assert "cannot tell beforehand" in desk.run("--estimate").out


@pytest.mark.parametrize("other", [("--every", "2m"), ("--repeat",), ("--rewrite",)])
def test_an_estimate_is_not_asked_for_with_how_to_run(desk: Any, other: tuple[str, ...]) -> None:
    assert desk.run("--estimate", *other).code == 2


async def test_an_estimate_says_what_a_run_then_takes_and_counts_what_it_took_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("MLC_STORE", f"sqlite:///{tmp_path}/ledger.db")
    async with AsyncExitStack() as stack:
        simulations: list[Any] = [
            await stack.enter_async_context(s) for s in demo._simulators(load_registry(), 50, 1, {})
        ]
        for name, value in demo._merged(simulations).items():
            monkeypatch.setenv(name, value)
        gateway, sterling = sorted(simulations, key=lambda each: "Intacct" not in each.summary)
        await runs.run(str(FLOWS / "vendors.yaml"), estimate=True, json=True)
        (account,) = (told := json.loads(capsys.readouterr().out))["accounts"]
        assert told["spent"] == [{"account": account["account"], "calls": gateway.counts.billable}]
        assert account["meter"]["used"] == gateway.counts.billable
        assert sterling.effects() == ()
        spent = gateway.counts.billable
        await runs.run(str(FLOWS / "vendors.yaml"), json=True)
        assert json.loads(capsys.readouterr().out)["read"] == told["sources"][0]["records"]
        assert account["calls"] == gateway.counts.billable - spent
        assert sterling.effects() != ()
        used = gateway.counts.billable
        await runs.run(str(FLOWS / "vendors.yaml"), estimate=True)
        assert f"{gateway.counts.billable:,} of 100,000 are used this month" in capsys.readouterr().out
        assert gateway.counts.billable > used
