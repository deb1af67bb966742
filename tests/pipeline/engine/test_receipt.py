"""`Receipt`: completes exactly once, when every branch of every record is settled; the worst outcome counts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.receipt import Receipt
from pipeline.record import Document, Page
from pipeline.store.rows import RANK, Problem
from pipeline.testing import record

DEAD = Problem("data", "T-1", "AP", "dead")
HELD = Problem("held", "T-2", "AP", "held")
DOCUMENT = Document("810", "P", b"")


def receipt(size: int, *, debug: bool = True) -> tuple[Receipt, list[Receipt]]:
    done: list[Receipt] = []
    made = Receipt(1, Page([record(key=str(n)) for n in range(size)]), done.append, debug=debug)
    made.begin()
    return made, done


def end(one: Receipt, row: int, how: str) -> None:
    match how:
        case "exclude":
            one.exclude(row, "rule")
        case "dead":
            one.fail(row, DEAD, "stage")
        case "held":
            one.fail(row, HELD, "stage")
        case _:
            one.deliver(row, "sink", "encoder", DOCUMENT)


ENDS = st.sampled_from(["exclude", "dead", "held", "deliver"])


@given(data=st.data(), size=st.integers(1, 6))
def test_it_completes_exactly_once_whatever_the_order_of_splits_and_ends(data: st.DataObject, size: int) -> None:
    one, done = receipt(size)
    branches = dict.fromkeys(range(size), 1)
    ended: dict[int, list[str]] = {row: [] for row in range(size)}
    while branches:
        assert done == []
        row = data.draw(st.sampled_from(sorted(branches)))
        extra = data.draw(st.integers(0, 2)) if sum(map(len, ended.values())) < 30 else 0
        if extra:
            one.split(row, extra)
            branches[row] += extra
        how = data.draw(ENDS)
        end(one, row, how)
        ended[row].append(how)
        branches[row] -= 1
        if not branches[row]:
            del branches[row]
    assert done == [one]
    for row, ways in ended.items():
        ranks = [RANK["excluded" if how == "exclude" else how] for how in ways if how != "deliver"]
        assert one.ranks.get(row) == (max(ranks) if ranks else None)
        assert len(one.documents.get(row, [])) == ways.count("deliver")


def test_an_empty_page_completes_at_once() -> None:
    one, done = receipt(0)
    assert done == [one]


@pytest.mark.parametrize("first", ["exclude", "dead", "held", "deliver"])
@pytest.mark.parametrize("second", ["exclude", "dead", "held", "deliver"])
def test_the_worst_of_two_branches_counts_in_either_order(first: str, second: str) -> None:
    one, _ = receipt(1)
    one.split(0, 1)
    end(one, 0, first)
    end(one, 0, second)
    worst: dict[str, Any] = {"exclude": RANK["excluded"], "dead": RANK["dead"], "held": RANK["held"]}
    expected = max(worst.get(how, -1) for how in (first, second))
    assert one.ranks.get(0, -1) == expected


def test_the_problem_kept_is_the_one_of_the_worst_branch() -> None:
    one, _ = receipt(1)
    one.split(0, 2)
    one.fail(0, HELD, "first")
    one.fail(0, DEAD, "second", "P")
    one.fail(0, HELD, "third")
    assert one.problems[0] == (DEAD, "second", "P")
    assert one.reasons[0] == "T-1"


@pytest.mark.parametrize("how", ["exclude", "dead", "held", "deliver"])
def test_settling_twice_is_an_assertion_that_names_the_page(how: str) -> None:
    one, _ = receipt(1, debug=False)
    end(one, 0, "deliver")
    with pytest.raises(AssertionError, match="page 1 was settled twice"):
        end(one, 0, how)


def test_in_debug_mode_settling_one_row_twice_is_seen_while_others_are_open() -> None:
    one, _ = receipt(2)
    one.exclude(0, "rule")
    with pytest.raises(AssertionError, match="row 0 of page 1"):
        one.exclude(0, "rule")


def test_a_debug_receipt_names_the_rows_that_nobody_settled() -> None:
    one, done = receipt(3)
    one.exclude(0, "rule")
    one.split(1, 1)
    one.exclude(1, "rule")
    assert [open_.key for open_, _ in one.open_rows()] == ["1", "2"]
    assert done == []


def test_every_record_of_the_page_knows_its_receipt_and_row() -> None:
    one, _ = receipt(2)
    assert [(each.receipt is one, each.row) for each in one.page.records] == [(True, 0), (True, 1)]
