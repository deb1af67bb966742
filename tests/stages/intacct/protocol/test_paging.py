"""Paging by key: nothing is lost, whatever shares a second or has no stamp."""

# ruff: noqa: DTZ001, DTZ007 - wall times have no zone by definition

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import ConfigError, Window
from stages.intacct.protocol.paging import Position, Rules, advance, page_filter, position
from stages.intacct.protocol.query import Compare, Filter

RULES = Rules(object="APBILL", dates={"document_date": "WHENCREATED"}, created="AUWHENCREATED")
LIVE = Window()
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def value(field: str, text: str) -> Any:
    if field == "RECORDNO":
        return int(text)
    form = "%m/%d/%Y %H:%M:%S" if " " in text else "%m/%d/%Y"
    return datetime.strptime(text, form)


def holds(filter: Filter, row: dict[str, str]) -> bool:
    if not isinstance(filter, Compare):
        return (all if filter.operator == "and" else any)(holds(part, row) for part in filter.parts)
    text = row.get(filter.field) or ""
    if filter.operator in ("isnull", "isnotnull"):
        return (text == "") is (filter.operator == "isnull")
    if not text:
        return False
    mine, given_value = value(filter.field, text), value(filter.field, filter.values[0])
    return {
        "equalto": mine == given_value,
        "greaterthan": mine > given_value,
        "greaterthanorequalto": mine >= given_value,
        "lessthan": mine < given_value,
    }[filter.operator]


def row(record: int, second: int | None) -> dict[str, str]:
    stamp = "" if second is None else (datetime(2026, 1, 1) + timedelta(seconds=second)).strftime("%m/%d/%Y %H:%M:%S")
    return {"RECORDNO": str(record), "WHENMODIFIED": stamp, "WHENCREATED": "01/01/2026"}


def read_all(
    books: list[dict[str, str]], window: Window, cursor: dict[str, str] | None, size: int
) -> tuple[list[int], dict[str, str]]:
    seen: list[int] = []
    for _ in range(10_000):
        place = position(cursor, window, RULES, NOW)
        filter, order = page_filter(place, window, RULES)
        rows = [item for item in books if filter is None or holds(filter, item)]
        rows.sort(key=lambda item: [value(field, item[field]) for field in order])
        behind, more = advance(place, rows[:size], len(rows) > size, RULES)
        seen += [int(item["RECORDNO"]) for item in rows[:size]]
        cursor = behind.cursor()
        if not more:
            return seen, cursor
    raise AssertionError("never ended")


books = st.lists(st.none() | st.integers(0, 3), max_size=30).map(
    lambda seconds: [row(index + 1, second) for index, second in enumerate(seconds)]
)


@given(books, st.integers(1, 7))
def test_a_live_read_meets_every_record_once(rows: list[dict[str, str]], size: int) -> None:
    seen, _ = read_all(rows, LIVE, None, size)
    assert sorted(seen) == [int(item["RECORDNO"]) for item in rows]


@given(books, books, st.integers(1, 7))
def test_the_next_live_read_meets_everything_that_is_new(
    old: list[dict[str, str]], new: list[dict[str, str]], size: int
) -> None:
    _, cursor = read_all(old, LIVE, None, size)
    fresh = [item | {"RECORDNO": str(1000 + index)} for index, item in enumerate(new)]
    seen, _ = read_all([*old, *fresh], LIVE, cursor, size)
    assert {int(item["RECORDNO"]) for item in fresh} <= set(seen)


@given(books, st.integers(1, 7))
def test_a_read_by_date_meets_every_record_once(rows: list[dict[str, str]], size: int) -> None:
    seen, _ = read_all(rows, Window(by="document_date"), None, size)
    assert sorted(seen) == [int(item["RECORDNO"]) for item in rows]


@pytest.mark.parametrize("rows", [[row(n, None) for n in range(1, 6)], [row(n, 5) for n in range(1, 6)]])
def test_a_read_goes_on_in_the_middle_without_overlap(rows: list[dict[str, str]]) -> None:
    place = position(None, LIVE, RULES, NOW)
    if rows[0]["WHENMODIFIED"] == "":
        place = Position(phase="unstamped")
    behind, _ = advance(place, rows[:2], True, RULES)
    filter, _ = page_filter(position(behind.cursor(), LIVE, RULES, NOW), LIVE, RULES)
    assert filter is not None
    assert [item["RECORDNO"] for item in rows if holds(filter, item)] == ["3", "4", "5"]


def finished(modified: datetime, begun: datetime | None = NOW, swept: datetime | None = NOW) -> dict[str, str]:
    return Position(phase="unstamped", modified=modified, record=7, done=True, begun=begun, swept=swept).cursor()


NOON = datetime(2026, 1, 1, 12)
LATER = NOW + timedelta(hours=5)


@pytest.mark.parametrize(
    ("cursor", "now", "begins", "swept"),
    [
        (finished(NOON), LATER, datetime(2026, 1, 1, 11, 49), NOW),  # lag and overlap before the newest stamp
        (
            finished(NOON),
            NOW + timedelta(hours=12),
            datetime(2025, 12, 31, 11, 59),
            NOW + timedelta(hours=12),
        ),  # a sweep
        (finished(NOON, swept=None), LATER, datetime(2025, 12, 31, 11, 59), LATER),  # of a version that did not sweep
        (finished(NOON, swept=LATER), NOW, datetime(2025, 12, 31, 11, 59), NOW),  # the clock was put back
        (
            finished(datetime(2099, 1, 1)),
            LATER,
            datetime(2026, 1, 1, 23, 49),
            NOW,
        ),  # no further than the server's clock
        (finished(datetime(1, 1, 1)), LATER, datetime(1, 1, 1), NOW),
    ],
)
def test_a_finished_cursor_begins_again_further_back(
    cursor: dict[str, str], now: datetime, begins: datetime, swept: datetime
) -> None:
    assert position(cursor, LIVE, RULES, now) == Position(phase="modified", modified=begins, begun=now, swept=swept)


@pytest.mark.parametrize(
    ("zone", "begins"),
    [
        (ZoneInfo("America/New_York"), datetime(2026, 1, 1, 18, 49)),
        (ZoneInfo("Asia/Tokyo"), datetime(2026, 1, 2, 8, 49)),
        (None, datetime(2026, 1, 1, 11, 49)),  # nobody's clock is further behind
    ],
)
def test_the_servers_clock_bounds_stamps_on_the_users_clock(zone: ZoneInfo | None, begins: datetime) -> None:
    rules = msgspec.structs.replace(RULES, zone=zone)
    assert position(finished(datetime(2099, 1, 1)), LIVE, rules, NOW).modified == begins


def test_a_read_that_was_broken_off_keeps_the_time_it_began() -> None:
    first = position(None, LIVE, RULES, NOW)
    behind, _ = advance(first, [row(1, 5)], True, RULES)
    later = position(behind.cursor(), LIVE, RULES, LATER)
    assert (later.begun, later.swept, later.record) == (NOW, NOW, 1)


def test_an_object_may_be_ordered_by_another_pair_and_have_no_unstamped_rows() -> None:
    rules = Rules(object="AUDITHISTORY", stamp="ACCESSTIME", key="ID", unstamped=False)
    place = position(None, LIVE, rules, NOW)
    behind, more = advance(place, [{"ID": "4", "ACCESSTIME": "01/01/2026 12:00:00"}], False, rules)
    assert page_filter(place, LIVE, rules) == (Compare("isnotnull", "ACCESSTIME"), ("ACCESSTIME", "ID"))
    assert (behind.modified, behind.record, behind.done, more) == (NOON, 4, True, False)


def test_an_empty_company_ends_in_a_cursor_that_begins_at_the_beginning() -> None:
    _, cursor = read_all([], LIVE, None, 5)
    assert position(cursor, LIVE, RULES, NOW) == Position(phase="modified", begun=NOW, swept=NOW)


@pytest.mark.parametrize(
    ("since", "until", "inside"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), True),
        (datetime(2026, 1, 2, tzinfo=UTC), None, False),
        (None, datetime(2026, 1, 1, tzinfo=UTC), False),
        (datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC), None, False),
        (None, datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC), True),
    ],
)
def test_a_date_counts_as_its_midnight(since: datetime | None, until: datetime | None, inside: bool) -> None:
    window = Window(since=since, until=until, by="document_date")
    assert (read_all([row(1, 1)], window, None, 5)[0] == [1]) is inside


def test_an_explicit_window_by_modification_keeps_its_bounds() -> None:
    window = Window(since=datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC), until=datetime(2026, 1, 1, 0, 0, 3, tzinfo=UTC))
    assert read_all([row(n, n) for n in range(1, 6)], window, None, 1)[0] == [1, 2]


def test_an_unstamped_record_counts_by_its_creation_in_an_explicit_window() -> None:
    rows = [
        row(1, None) | {"AUWHENCREATED": "01/01/2026 00:00:05"},
        row(2, None) | {"AUWHENCREATED": "01/02/2026 00:00:05"},
    ]
    window = Window(since=datetime(2026, 1, 2, tzinfo=UTC))
    assert read_all(rows, window, None, 5)[0] == [2]


def test_an_unknown_date_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="posting_date"):
        page_filter(Position(phase="dated"), Window(by="posting_date"), RULES)


@pytest.mark.parametrize(
    "rows",
    [
        [row(2, 5), row(1, 5)],
        [row(1, 5), row(2, 4)],
        [{"RECORDNO": "x1", "WHENMODIFIED": "01/01/2026 00:00:00"}],
        [{"RECORDNO": "1", "WHENMODIFIED": "28.02.2026"}],
        [{"RECORDNO": "1", "WHENMODIFIED": ""}],
    ],
)
def test_rows_out_of_order_stop_the_read(rows: list[dict[str, str]]) -> None:
    with pytest.raises(ConfigError, match="order asked for"):
        advance(Position(phase="modified"), rows, True, RULES)


def test_a_page_that_does_not_move_on_stops_the_read() -> None:
    place = Position(phase="modified", modified=datetime(2026, 1, 1, 0, 0, 5), record=1)
    with pytest.raises(ConfigError, match="order asked for"):
        advance(place, [row(1, 5)], True, RULES)


@pytest.mark.parametrize("cursor", [{"phase": "other"}, {"record": "1"}, {"phase": "modified", "modified": "soon"}])
def test_a_cursor_of_another_shape_is_a_config_error(cursor: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="cursor"):
        position(cursor, LIVE, RULES, NOW)
