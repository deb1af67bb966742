"""`explain`: where each element of a document comes from, as it was recorded when the document was encoded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Call = Callable[..., Any]

ORIGINS = "set 810, release 004010\nBIG01 <- bill.date\nBIG02 <- bill.number\nIT103 <- unit[bill.lines.unit], by guide.units (acme.yaml:9)"


def plan(ran: Any) -> None:
    """The example flow's documents are plain states: gives them a plan as an X12 document has."""
    ran.sql("update plans set origins = ?", [(ORIGINS,)])


def test_an_element_names_its_source_field(ran: Any, call: Call) -> None:
    plan(ran)
    done = call("explain", "d-1", "BIG02")
    assert done.code == 0
    assert "BIG02 <- bill.number" in done.out
    assert "BIG01" not in done.out


@pytest.mark.parametrize("name", ["big02", "Big02", "BIG"])
def test_an_element_may_be_written_in_small_letters(ran: Any, call: Call, name: str) -> None:
    plan(ran)
    assert "BIG02 <- bill.number" in call("explain", "d-1", name).out


@pytest.mark.parametrize(
    ("name", "says"),
    [("ST01", "ST01 <- the kind of set"), ("se", "SE02 <- as ST02"), ("ISA06", "ISA06 <- us.isa.id"), ("GS", "GS08 <- guide.version")],
)  # fmt: skip
def test_the_envelope_is_told_where_it_comes_from_too(ran: Any, call: Call, name: str, says: str) -> None:
    plan(ran)
    done = call("explain", "d-1", name)
    assert (done.code, says in done.out) == (0, True)


def test_an_element_made_by_the_guide_names_the_line_of_its_file(ran: Any, call: Call) -> None:
    plan(ran)
    assert "by guide.units (acme.yaml:9)" in call("explain", "d-1", "IT103").out


def test_without_an_element_every_one_is_listed_with_the_provenance(ran: Any, call: Call) -> None:
    plan(ran)
    told = call("explain", "d-1", "--json").json
    assert [origin["element"] for origin in told["origins"]] == ["BIG01", "BIG02", "IT103"]
    assert told["provenance"]["run"] == "r-1"
    assert len(told["provenance"]["source digest"]) == 64


def test_an_element_that_is_never_written_is_a_usage_error(ran: Any, call: Call) -> None:
    plan(ran)
    assert call("explain", "d-1", "ZZZ01").code == 2


def test_what_is_no_document_is_a_usage_error(ran: Any, call: Call) -> None:
    assert [call("explain", name).code for name in ("x-1", "d-999", "nonsense")] == [2, 2, 2]


def test_the_field_of_the_books_is_named_where_the_adapter_tells_it(ran: Any, call: Call) -> None:
    plan(ran)
    ran.sql("update documents set object = 'APBILL'")
    assert "BIG02 <- bill.number  (APBILL.RECORDID)" in call("explain", "d-1", "BIG02").out
    (origin,) = call("explain", "d-1", "IT103", "--json").json["origins"]
    assert origin["read_from"] == ["PODOCUMENTENTRY.UNIT"]
