from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import ConfigError, RefusedError
from stages.sterling.protocol.errors import NotOfferedError
from stages.sterling.protocol.paging import Incomplete, Listing, smaller_window


def read(
    listing: Listing, rows: list[dict[str, str]], meanwhile: Callable[[int], None] = lambda _: None, cap: int = 10**6
) -> list[str]:
    """Read ``rows`` as a server would show them, with ``meanwhile`` changing them between the requests."""
    asked = 0
    while not listing.done:
        meanwhile(asked)
        first, last = map(int, listing.window.split("-"))
        listing.take(rows[first : last + 1][:cap])
        asked += 1
    return [row["_id"] for row in listing.rows]


def listing(size: int, pages: int = 1000) -> Listing:
    return Listing(lambda row: row["_id"], size=size, pages=pages)


@given(count=st.integers(0, 60), size=st.integers(2, 12), cap=st.integers(2, 12))
def test_still_list_is_read_whole_and_once_whatever_the_windows(count, size, cap):
    rows = [{"_id": str(key)} for key in range(count)]
    assert read(listing(size), rows, cap=cap) == [row["_id"] for row in rows]


@given(
    count=st.integers(1, 40),
    size=st.integers(2, 8),
    deaths=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 39)), max_size=6),
    births=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 39)), max_size=6),
)
def test_row_that_stays_is_never_missed_while_others_come_and_go(count, size, deaths, births):
    """The law `find` rests on. A row that lives through the whole reading is in the result, or the reading fails aloud."""
    rows = [{"_id": f"old{key}"} for key in range(count)]
    survivors = {row["_id"] for row in rows} - {f"old{key}" for _, key in deaths}

    def change(asked: int) -> None:
        for when, key in deaths:
            if when == asked:
                rows[:] = [row for row in rows if row["_id"] != f"old{key}"]
        for number, (when, place) in enumerate(births):
            if when == asked:
                rows.insert(min(place, len(rows)), {"_id": f"new{number}"})

    try:
        found = read(listing(size), rows, change)
    except Incomplete:
        return
    assert survivors <= set(found)
    assert len(found) == len(set(found))


def test_short_page_alone_does_not_end_the_list():
    rows = [{"_id": str(key)} for key in range(9)]
    assert len(read(listing(6), rows, cap=3)) == 9


@pytest.mark.parametrize(("gone", "requests"), [(1, 40), (5, 40), (40, 60), (99, 80)])
def test_list_that_other_readers_drain_all_the_while_is_read_whole_with_few_requests(gone, requests):
    """Each request finds so many rows fewer at the front. The 3,000 rows are 30 windows."""
    rows = [{"_id": str(key)} for key in range(3000)]
    lasting = {str(key) for key in range(2500, 3000)}
    asked = 0

    def change(number: int) -> None:
        nonlocal asked
        asked = number
        rows[: min(gone, max(0, len(rows) - 500))] = []

    found = read(listing(100), rows, change)
    assert lasting <= set(found)
    assert len(found) == len(set(found))
    assert asked <= requests


def test_rows_taken_from_anywhere_at_every_request_hide_no_other():
    draw = random.Random(5)
    rows = [{"_id": str(key)} for key in range(2000)]
    taken: set[str] = set()

    def change(_: int) -> None:
        for _ in range(draw.randint(0, 30)):
            if len(rows) > 1200:
                taken.add(rows.pop(draw.randrange(len(rows)))["_id"])
        if draw.random() < 0.5:
            rows.append({"_id": f"new{draw.random()}"})

    found = read(listing(50, pages=5000), rows, change)
    assert {str(key) for key in range(2000)} - taken <= set(found)


def test_list_that_grows_faster_than_it_is_read_is_incomplete():
    rows = [{"_id": str(key)} for key in range(100)]

    def change(asked: int) -> None:
        rows.extend({"_id": f"{asked}-{n}"} for n in range(20))

    with pytest.raises(Incomplete, match="moving"):
        read(listing(10, pages=50), rows, change)


def test_more_pages_than_allowed_are_incomplete():
    with pytest.raises(Incomplete, match="page_cap"):
        read(listing(10, pages=3), [{"_id": str(key)} for key in range(100)])


@given(count=st.integers(0, 30), size=st.integers(2, 12))
def test_server_that_heeds_no_window_is_read_whole(count, size):
    rows = [{"_id": str(key)} for key in range(count)]
    reading = listing(size, pages=10)
    while not reading.done:
        reading.take(rows)
    assert len(reading.rows) == count


@given(count=st.integers(0, 12))
def test_server_that_answers_its_first_window_only_is_read_whole(count):
    rows = [{"_id": str(key)} for key in range(count)]
    reading = listing(12, pages=10)
    while not reading.done:
        reading.take(rows if reading.window.startswith("0-") else [])
    assert len(reading.rows) == count


def refusal(why):
    return RefusedError("no", why=why)


@pytest.mark.parametrize(
    ("why", "size", "smaller"),
    [
        ("HTTP 400: The _range '0-999' asks for more than 200 rows", 1000, 200),
        ("HTTP 400: maximum page size is 500", 1000, 500),
        ("HTTP 400: java.lang.NullPointerException", 1000, 500),
        ("HTTP 400: no more than 5000 rows", 1000, 500),
        ("HTTP 400: no", 3, 2),
    ],
)
def test_refused_window_becomes_what_the_server_names_or_half(why, size, smaller):
    assert smaller_window(size, refusal(why), "things/") == smaller


def test_refused_smallest_window_is_a_setting():
    with pytest.raises(ConfigError, match="window"):
        smaller_window(2, refusal("HTTP 400: no"), "things/")


def test_list_that_is_not_offered_is_no_matter_of_its_window():
    with pytest.raises(NotOfferedError):
        smaller_window(1000, NotOfferedError("no"), "things/")


@given(seed=st.integers(0, 10**6), count=st.integers(40, 300), size=st.integers(16, 60))
def test_a_list_in_another_order_for_each_request_is_not_taken_for_whole(seed: int, count: int, size: int) -> None:
    rows = [{"_id": str(key)} for key in range(count)]
    rng = random.Random(seed)
    try:
        found = read(listing(size), rows, lambda _: rng.shuffle(rows))
    except Incomplete:
        return
    assert set(found) == {row["_id"] for row in rows}


def test_two_rows_that_change_places_between_windows_are_noticed() -> None:
    rows = [{"_id": str(key)} for key in range(60)]

    def change(asked: int) -> None:
        if asked == 1:
            rows[14], rows[17] = rows[17], rows[14]

    with pytest.raises(Incomplete, match="changed their places"):
        read(listing(20), rows, change)


@pytest.mark.parametrize("births", [1, 5, 25])
@pytest.mark.parametrize(
    ("count", "size", "cap"),
    [(0, 100, 100), (3, 100, 100), (50, 100, 100), (250, 100, 100), (250, 100, 30), (60, 10, 10)],
)
def test_a_fenced_list_that_grows_at_every_request_ends_with_all_that_was_there(
    births: int, count: int, size: int, cap: int
) -> None:
    rows = [{"_id": str(key)} for key in range(count)]
    there = {row["_id"] for row in rows}
    asked = 0

    def change(number: int) -> None:
        nonlocal asked
        asked = number + 1
        rows.extend({"_id": f"new {number} {n}"} for n in range(births))

    fenced = Listing(lambda row: row["_id"], size=size, pages=1000, fenced=True)
    assert there <= set(read(fenced, rows, change, cap))
    assert asked <= 150


def test_a_list_that_grows_at_every_request_is_read_whole_where_no_window_is_heeded() -> None:
    rows = [{"_id": str(key)} for key in range(12)]
    reading = Listing(lambda row: row["_id"], size=5, pages=20)
    while not reading.done:
        rows.append({"_id": f"new {len(rows)}"})
        reading.take(rows)
    assert {str(key) for key in range(12)} <= {row["_id"] for row in reading.rows}


@given(count=st.integers(0, 60), size=st.integers(2, 12), cap=st.integers(2, 12))
def test_a_still_fenced_list_is_read_whole_and_once_whatever_the_windows(count: int, size: int, cap: int) -> None:
    rows = [{"_id": str(key)} for key in range(count)]
    fenced = Listing(lambda row: row["_id"], size=size, pages=1000, fenced=True)
    assert set(read(fenced, rows, cap=cap)) == {row["_id"] for row in rows}


@given(
    count=st.integers(1, 60), size=st.integers(2, 12),
    deaths=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 59)), max_size=12),
    births=st.lists(st.integers(0, 20), max_size=40),
)  # fmt: skip
def test_a_fenced_list_misses_no_row_that_stays_while_others_go_and_come_behind_it(
    count: int, size: int, deaths: list[tuple[int, int]], births: list[int]
) -> None:
    rows = [{"_id": f"old{key}"} for key in range(count)]
    survivors = {row["_id"] for row in rows} - {f"old{key}" for _, key in deaths}

    def change(asked: int) -> None:
        gone = {f"old{key}" for when, key in deaths if when == asked}
        rows[:] = [row for row in rows if row["_id"] not in gone]
        rows.extend({"_id": f"new{number}"} for number, when in enumerate(births) if when == asked)

    fenced = Listing(lambda row: row["_id"], size=size, pages=1000, fenced=True)
    assert survivors <= set(read(fenced, rows, change))


def shuffled(rows: list[dict[str, str]], draw: random.Random) -> None:
    draw.shuffle(rows)


def rotated(rows: list[dict[str, str]], draw: random.Random) -> None:
    place = draw.randrange(len(rows))
    rows[:] = rows[place:] + rows[:place]


def turned_round(rows: list[dict[str, str]], draw: random.Random) -> None:
    if draw.random() < 0.3:
        rows.reverse()


def tied(rows: list[dict[str, str]], draw: random.Random) -> None:
    """Those of the same minute come in any order."""
    groups = [rows[start : start + 5] for start in range(0, len(rows), 5)]
    rows[:] = [row for group in groups for row in draw.sample(group, len(group))]


@given(
    count=st.integers(1, 60),
    size=st.integers(2, 20),
    cap=st.sampled_from([2, 5, 1000]),
    fenced=st.booleans(),
    disorder=st.sampled_from([shuffled, rotated, turned_round, tied]),
    seed=st.integers(0, 10**6),
)
def test_in_whatever_order_each_window_comes_no_row_of_a_list_that_stays_is_missed_unsaid(
    count: int, size: int, cap: int, fenced: bool, disorder: Callable[..., None], seed: int
) -> None:
    rows, draw = [{"_id": str(key)} for key in range(count)], random.Random(seed)
    asked = Listing(lambda row: row["_id"], size=size, pages=1000, fenced=fenced)
    try:
        found = read(asked, rows, lambda _: disorder(rows, draw), cap=cap)
    except Incomplete:
        return
    assert len(found) == count


def test_rows_that_are_put_in_front_meanwhile_cost_one_window_more() -> None:
    rows = [{"_id": str(key)} for key in range(300)]
    requests: list[int] = []

    def arrive(asked: int) -> None:
        requests.append(asked)
        if asked < 4:
            rows.insert(0, {"_id": f"new{asked}"})

    assert set(read(listing(100), rows, arrive)) == {row["_id"] for row in rows}
    still: list[int] = []
    read(listing(100), [{"_id": str(key)} for key in range(300)], still.append)
    assert len(requests) == len(still) + 1
