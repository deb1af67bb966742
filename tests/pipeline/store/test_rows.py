"""How times and amounts are written: exact, sortable, reversible."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError, Held, PermissionDenied, UsageError
from pipeline.store.rows import LARGEST_AMOUNT, OUTCOMES, RANK, Problem, amount_text, millionths, moment, stamp

EXACT = st.integers(-(10**18) + 1, 10**18 - 1).map(lambda n: Decimal(n).scaleb(-6))


@given(EXACT)
def test_an_amount_survives_the_ledger_to_the_last_digit(amount: Decimal) -> None:
    written = millionths(amount)
    assert written is not None
    assert Decimal(amount_text(written)) == amount


@given(st.decimals())
def test_any_amount_is_kept_exactly_or_refused(amount: Decimal) -> None:
    try:
        written = millionths(amount)
    except DataError:
        return
    assert written is not None
    assert Decimal(written).scaleb(-6) == amount
    assert abs(amount) < LARGEST_AMOUNT


@pytest.mark.parametrize("text", ["1.000000000000", "1E+3", "-0.000001", "0", "-0", "999999999999.999999", "0.10E-5"])
def test_trailing_zeros_and_exponents_change_nothing(text: str) -> None:
    assert millionths(Decimal(text)) == int(Decimal(text) * 1_000_000)


@pytest.mark.parametrize(
    "text",
    ["0.0000001", "1E+12", "-1E+12", "NaN", "sNaN", "-Infinity", "9E+999999", "1E-999999", "1." + "0" * 40 + "1"],
)
def test_what_cannot_be_kept_is_refused_rather_than_rounded(text: str) -> None:
    with pytest.raises(DataError) as refused:
        millionths(Decimal(text))
    assert refused.value.code == "MLC-STO-0010"


def test_no_amount_stays_none() -> None:
    assert millionths(None) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.00"),
        (1, "0.000001"),
        (1_500_000, "1.50"),
        (1_234_000_000, "1234.00"),
        (-10_000, "-0.01"),
        (100_000_000_000_000, "100000000.00"),
    ],
)
def test_an_amount_is_told_plainly_with_at_least_two_decimals(value: int, text: str) -> None:
    assert amount_text(value) == text


MOMENTS = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 1, 1), timezones=st.timezones())  # noqa: DTZ001


@given(MOMENTS)
def test_a_time_survives_the_ledger(when: datetime) -> None:
    assert moment(stamp(when)) == when.astimezone(UTC)


@given(MOMENTS, MOMENTS)
def test_stamps_sort_as_times_do(one: datetime, other: datetime) -> None:
    assert (stamp(one) < stamp(other)) == (one.astimezone(UTC) < other.astimezone(UTC))


def test_a_stamp_is_utc_whatever_the_zone() -> None:
    assert stamp(datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=-5)))) == "2026-03-01T06:00:00.000000Z"
    assert moment("2026-03-01T06:00:00.000000Z").tzinfo == UTC


def test_outcomes_are_ranked_from_best_to_worst() -> None:
    assert [name for name, _ in sorted(RANK.items(), key=lambda item: item[1])] == list(OUTCOMES)
    assert RANK["excluded"] < RANK["delivered"] < RANK["in_flight"] < RANK["in_doubt"] < RANK["held"] < RANK["dead"]


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (DataError("a", where="b", why="c", mend="d", owner="AP", code="T-1"), "data"),
        (PermissionDenied("a", where="b", why="c", mend="d", owner="AP", code="T-1"), "permission"),
        (Held("a", where="b", why="c", mend="d", owner="AP", code="T-1"), "held"),
        (UsageError("a", where="b", why="c", mend="d", owner="AP", code="T-1"), "internal"),
    ],
    ids=["data", "permission", "held", "no stage's"],
)
def test_a_problem_keeps_every_part_of_its_error(error: DataError | Held, failure: str) -> None:
    assert Problem.of(error) == Problem(failure, "T-1", "AP", "a", "b", "c", "d")
