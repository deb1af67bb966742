"""`run --every`: which cadence counts, after which runs another one makes sense, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.cli.repeating import run_repeatedly
from pipeline.engine.report import RunReport
from pipeline.engine.services import Stopping
from pipeline.errors import (
    ConfigError,
    ConnectError,
    ConnectorError,
    EngineFault,
    FlowError,
    LockHeld,
    PermissionDenied,
    StoreError,
    TransientError,
)
from pipeline.store.reports import Totals
from pipeline.testing import ManualClock


def report(problem: ConnectorError | None = None, *, began: bool = True, read: int = 0, **changes: Any) -> RunReport:
    totals = Totals()
    totals.read = read
    return RunReport(
        run=1, flow="f", totals=totals, read_here=Totals(), seconds=0, problem=problem, began=began, **changes
    )


async def runs_and_code(first: RunReport | ConnectorError) -> tuple[int, int]:
    """How often it ran when its first run came to this, and the exit code. The third run is stopped by a signal."""
    runs = 0

    async def once(stopping: Stopping) -> RunReport:
        nonlocal runs
        runs += 1
        if runs == 3:
            stopping.request(15)
        if runs > 1:
            return report(signal=stopping.signal)
        if isinstance(first, ConnectorError):
            raise first
        return first

    code = await run_repeatedly(once, 60, ManualClock(autojump=True))
    return runs, code


GOES_ON = [
    report(),
    report(TransientError("gone")),
    report(ConnectError("unreachable"), began=False),
    report(PermissionDenied("one mailbox")),  # the others are read
    report(FlowError("a stage is missing"), began=False),
    LockHeld("another run"),
    FlowError("the file is being edited"),
]


@pytest.mark.parametrize("first", GOES_ON, ids=lambda first: type(getattr(first, "problem", first)).__name__)
async def test_what_may_be_better_next_time_is_run_again_until_a_signal(first: RunReport | ConnectorError) -> None:
    assert await runs_and_code(first) == (3, 143)


ENDS = [
    (report(read=1), 7),
    (report(EngineFault("a fault")), 1),
    (report(StoreError("no ledger")), 1),
    (report(ConfigError("wrong password"), began=False), 4),
]


@pytest.mark.parametrize(("first", "code"), ENDS, ids=["out of balance", "fault", "ledger", "sign-in"])
async def test_what_only_a_person_can_mend_ends_it_with_the_runs_code(first: RunReport, code: int) -> None:
    assert await runs_and_code(first) == (1, code)


async def test_a_run_that_a_signal_breaks_off_out_of_balance_says_that_first() -> None:
    assert await runs_and_code(report(read=1, signal=15)) == (1, 7)


@pytest.mark.parametrize("every", ["soon", "0s", "5", "-1m", "400d"])
def test_what_is_no_length_of_time_is_refused(desk: Any, every: str) -> None:
    told = desk.run("--every", every)
    assert (told.code, "MLC-CLI-0023" in told.err) == (2, True)


def test_a_flow_without_a_schedule_cannot_be_repeated_by_it(desk: Any) -> None:
    told = desk.run("--repeat")
    assert told.code == 2
    assert "has no cadence" in told.err


def test_a_window_is_not_read_again_and_again(desk: Any) -> None:
    told = desk.run("--every", "1m", "--since", "2026-10-01")
    assert told.code == 2
    assert "cannot be read again and again" in told.err
