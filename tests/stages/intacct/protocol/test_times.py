"""Dates and wall times of the gateway."""

# ruff: noqa: DTZ001 - wall times have no zone by definition

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.intacct.protocol.times import first_wall, last_wall, read_date, read_wall, step_back, to_wall, write_wall

NEW_YORK = ZoneInfo("America/New_York")
Z = ZoneInfo("UTC")
TEN_MINUTES = timedelta(minutes=10)


@pytest.mark.parametrize(
    "text", ["02/03/2026", "2/3/2026", "2026-02-03", "02/03/2026 10:00:00", "2026-02-03T10:00:00Z"]
)
def test_a_date_is_month_first_or_iso(text: str) -> None:
    assert read_date(text) == date(2026, 2, 3)


@pytest.mark.parametrize("text", ["", "13/01/2026", "02/30/2026", "02/03/26", "20260203", "02/03/2026x", "yesterday"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_date(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("02/28/2026 23:50:01", datetime(2026, 2, 28, 23, 50, 1)),
        ("02/28/2026 11:50:01 PM", datetime(2026, 2, 28, 23, 50, 1)),
        ("02/28/2026 12:00:01 am", datetime(2026, 2, 28, 0, 0, 1)),
        ("2026-02-28T23:50:01", datetime(2026, 2, 28, 23, 50, 1)),
        ("2026-02-28T23:50:01Z", datetime(2026, 2, 28, 18, 50, 1)),
        ("2026-02-28T23:50:01+02:00", datetime(2026, 2, 28, 16, 50, 1)),
        ("02/28/2026", datetime(2026, 2, 28)),
    ],
)
def test_a_wall_time_is_read(text: str, expected: datetime) -> None:
    assert read_wall(text, NEW_YORK) == expected


@pytest.mark.parametrize("text", ["", "02/28/2026 25:00:00", "02/28/2026 13:00:00 PM", "02/28/2026 noon"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_wall(text, Z)


@given(
    st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1)).map(lambda d: d.replace(microsecond=0))
)
def test_a_written_time_reads_back(wall: datetime) -> None:
    assert read_wall(write_wall(wall), Z) == wall


def test_a_bound_within_a_second_is_rounded_up() -> None:
    assert to_wall(datetime(2026, 1, 1, 12, 0, 0, 1, tzinfo=UTC), NEW_YORK) == datetime(2026, 1, 1, 7, 0, 1)


@pytest.mark.parametrize(
    ("zone", "wall", "begin"),
    [
        (Z, datetime(2026, 11, 1, 1, 50), datetime(2026, 11, 1, 1, 40)),
        (NEW_YORK, datetime(2026, 7, 1, 1, 50), datetime(2026, 7, 1, 1, 40)),
        (NEW_YORK, datetime(2026, 11, 1, 0, 50), datetime(2026, 11, 1, 0, 40)),
        (NEW_YORK, datetime(2026, 11, 1, 1, 50), datetime(2026, 11, 1, 0, 40)),
        (NEW_YORK, datetime(2026, 11, 1, 2, 5), datetime(2026, 11, 1, 0, 55)),
        (NEW_YORK, datetime(2026, 11, 1, 2, 30), datetime(2026, 11, 1, 2, 20)),
        (NEW_YORK, datetime(2026, 3, 8, 2, 30), datetime(2026, 3, 8, 2, 20)),
    ],
)
def test_the_next_read_begins_earlier_and_minds_the_repeated_hour(
    zone: ZoneInfo, wall: datetime, begin: datetime
) -> None:
    assert step_back(wall, TEN_MINUTES, zone) == begin


@given(
    st.datetimes(datetime(2026, 10, 31, 22), datetime(2026, 11, 1, 12)).map(lambda d: d.replace(tzinfo=UTC)),
    st.timedeltas(timedelta(), timedelta(hours=5)),
)
def test_no_moment_of_a_window_is_shown_outside_of_its_walls(moment: datetime, length: timedelta) -> None:
    moment = moment.replace(microsecond=0)
    shown = to_wall(moment, NEW_YORK)
    assert first_wall(moment - length, NEW_YORK) <= shown < last_wall(moment + length + timedelta(seconds=1), NEW_YORK)
