"""Which zone the records tell, and which they contradict."""

# ruff: noqa: DTZ001 - wall times have no zone by definition

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import ConfigError
from stages.intacct.protocol.zones import Pair, contradicted, measured, pairs, spoken, window_zone

NEW_YORK = ZoneInfo("America/New_York")
WINTER, SUMMER = datetime(2026, 1, 5, 12), datetime(2026, 7, 6, 12)
hours = lambda number: timedelta(hours=number)  # noqa: E731

offsets = st.integers(-12 * 4, 14 * 4).map(lambda quarters: timedelta(minutes=15 * quarters))
at_once = st.timedeltas(timedelta(seconds=-2), timedelta(seconds=30))
later = st.timedeltas(timedelta(minutes=20), timedelta(days=400))


def saved(made: datetime, offset: timedelta, *ages: timedelta) -> list[Pair]:
    """Records made at that time, UTC, and changed that long afterwards, as a profile with this offset shows it."""
    return [(made, made + offset + age) for age in ages]


@given(offsets, st.lists(at_once, min_size=3, max_size=20), st.lists(later, max_size=20))
def test_records_that_were_never_edited_tell_the_offset(
    offset: timedelta, unedited: list[timedelta], edited: list[timedelta]
) -> None:
    edited = [age for age in edited if not timedelta(minutes=59) < age < timedelta(minutes=62)]
    assert measured(saved(WINTER, offset, *unedited, *edited)) == offset


@pytest.mark.parametrize(
    "found",
    [
        [],
        saved(WINTER, hours(0), hours(0), hours(0)),  # two prove nothing
        saved(WINTER, hours(0), *(timedelta(minutes=7, seconds=71 * number) for number in range(20))),  # all edited
        saved(WINTER, hours(-15), *[hours(0)] * 5),  # no zone is that far west
        [*saved(WINTER, hours(-5), *[hours(0)] * 5), *saved(SUMMER, hours(-4), *[hours(0)] * 5)],  # summer time
    ],
)
def test_what_the_records_do_not_tell_is_not_known(found: list[Pair]) -> None:
    assert measured(found) is None
    with pytest.raises(ConfigError, match="not known in which zone") as caught:
        window_zone(None, found, "APBILL of acme")
    assert (caught.value.code, "timezone" in caught.value.mend) == ("MLC-INTACCT-0504", True)


def test_a_measured_offset_is_the_zone() -> None:
    assert window_zone(None, saved(WINTER, hours(-7), *[hours(0)] * 3), "x") == timezone(hours(-7))


@given(st.datetimes(datetime(2020, 1, 1), datetime(2027, 1, 1)), at_once, st.lists(at_once | later, max_size=20))
def test_records_of_which_one_was_not_edited_never_contradict_the_zone_they_are_of(
    made: datetime, unedited: timedelta, edited: list[timedelta]
) -> None:
    ages = [unedited, *edited]
    local = [
        (
            made + hours(number),
            (made + hours(number) + age).replace(tzinfo=UTC).astimezone(NEW_YORK).replace(tzinfo=None),
        )
        for number, age in enumerate(ages)
        # a save that is shown in the hour repeated in autumn may seem to be an hour earlier
        if (made + hours(number)).month not in (10, 11)
    ]
    assert contradicted(NEW_YORK, local) is None
    assert window_zone(NEW_YORK, local, "x") is NEW_YORK


@pytest.mark.parametrize(
    ("zone", "ages"),
    [(ZoneInfo("America/Los_Angeles"), [hours(0)] * 3), (ZoneInfo("Pacific/Honolulu"), [*[hours(0)] * 4, hours(5)])],
)
def test_a_zone_in_which_no_record_was_changed_sooner_than_some_hours_after_it_was_made_is_refused(
    zone: ZoneInfo, ages: list[timedelta]
) -> None:
    found = saved(WINTER, hours(-7), *ages)
    apart = hours(-7) - (WINTER.replace(tzinfo=UTC).astimezone(zone).utcoffset() or hours(0))
    assert contradicted(zone, found) == apart > hours(0)
    with pytest.raises(ConfigError, match="are not those of") as caught:
        window_zone(zone, found, "APBILL of acme")
    assert spoken(apart) in caught.value.why


@pytest.mark.parametrize(
    ("zone", "early"), [(UTC, hours(-7)), (NEW_YORK, hours(-2)), (ZoneInfo("Asia/Tokyo"), hours(-16))]
)
def test_a_zone_in_which_records_were_changed_before_they_were_made_is_refused(
    zone: ZoneInfo, early: timedelta
) -> None:
    found = saved(WINTER, hours(-7), hours(0), hours(0), hours(0), hours(90))
    assert contradicted(zone, found) == early
    with pytest.raises(ConfigError, match="are not those of") as caught:
        window_zone(zone, found, "APBILL of acme")
    assert caught.value.code == "MLC-INTACCT-0505"
    assert spoken(early) in caught.value.why


@pytest.mark.parametrize(
    ("zone", "ages"),
    [
        (UTC, [hours(0), hours(0)]),  # two prove nothing
        (UTC, [hours(9.1), hours(9.2), hours(11)]),  # edited since
        (ZoneInfo("America/Los_Angeles"), [hours(8.1), hours(8.2), hours(8.3)]),  # may have been edited since
        (ZoneInfo("America/Los_Angeles"), [hours(1)] * 2),  # two prove nothing
        (
            ZoneInfo("America/Denver"),
            [hours(0), *[hours(1)] * 5],
        ),  # someone was at work an hour later, but one was not edited
    ],
)
def test_a_zone_that_can_be_right_is_taken_as_it_was_configured(zone: ZoneInfo, ages: list[timedelta]) -> None:
    assert window_zone(zone, saved(WINTER, hours(-7), *ages), "x") is zone


def test_rows_with_dates_only_or_without_a_time_tell_nothing() -> None:
    rows = [
        {"RECORDNO": "1", "AUWHENCREATED": "01/05/2026 12:00:00", "WHENMODIFIED": "01/05/2026 05:00:01"},
        {"RECORDNO": "2", "AUWHENCREATED": "01/05/2026", "WHENMODIFIED": "01/05/2026 05:00:00"},
        {"RECORDNO": "3", "AUWHENCREATED": None, "WHENMODIFIED": "01/05/2026 05:00:00"},
        {"RECORDNO": "4", "AUWHENCREATED": "01/05/2026 12:00:00", "WHENMODIFIED": "soon: 1"},
        {"RECORDNO": "5", "AUWHENCREATED": "01/05/2026 12:00:00"},
    ]
    assert pairs(rows, "AUWHENCREATED", "WHENMODIFIED") == [(WINTER, datetime(2026, 1, 5, 5, 0, 1))]


@pytest.mark.parametrize(
    ("length", "words"),
    [(hours(-7), "7 h"), (timedelta(hours=5, minutes=30), "5 h 30 min"), (timedelta(minutes=6), "6 min")],
)
def test_a_length_is_spoken(length: timedelta, words: str) -> None:
    assert spoken(length) == words
