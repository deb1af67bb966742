"""How an outage reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.cli.outages import print_outages
from pipeline.store.rows import Problem, stamp

NOW = datetime(2026, 11, 24, 16, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=20), "since 16:29 UTC, for less than a minute"),
        (timedelta(minutes=26), "since 16:04 UTC, for 26 min"),
        (timedelta(hours=2, minutes=5), "since 14:25 UTC, for 2 h 5 min"),
        (timedelta(days=3, hours=4, minutes=7), "since 2026-11-21 12:23 UTC, for 3 d 4 h"),
        (timedelta(seconds=-90), "since 16:31 UTC, for less than a minute"),  # another machine's clock
    ],
)
def test_a_system_is_told_with_since_when_what_it_said_and_who_mends_it(
    capsys: pytest.CaptureFixture[str], ago: timedelta, words: str
) -> None:
    problem = Problem(
        "transient", "TST-0001", "IT", "Intacct cannot be reached", "sign-in", "no way through", "call IT"
    )
    item = {
        "system": "Intacct (ACME)",
        "flow": "bills",
        "since": stamp(NOW - ago),
        "last_at": stamp(NOW),
        "problem": problem.text(),
    }
    print_outages([item], NOW)
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"Intacct (ACME): not available {words}"
    assert told[1] == "  tried last at 16:30 UTC by the flow bills: Intacct cannot be reached: no way through"
    assert told[3] == "  IT: call IT"
