"""The nouns: what a copy keeps, and which window is live."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from pipeline.record import Counter, Delivery, Destination, Document, Evidence, Page, Record, Stored, Window

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_changed_copy_settles_on_the_same_receipt_and_leaves_the_original() -> None:
    receipt = object()
    one = Record(key="1", kind="bill", body={"a": 1}, amount=Decimal("1.50"), receipt=receipt, row=3)
    other = one.replace(body="new", key="2")
    assert (other.receipt is receipt, other.row, other.amount) == (True, 3, Decimal("1.50"))
    assert (one.body, one.key) == ({"a": 1}, "1")


def test_a_copy_cannot_have_a_field_that_records_have_not() -> None:
    with pytest.raises(TypeError):
        Record(key="1", kind="bill", body=None).replace(colour="red")


WINDOWS = [
    (Window(), True),
    (Window(by="document_date"), True),
    (Window(since=NOW), False),
    (Window(until=NOW), False),
    (Window(keys=("1",)), False),
    (Window(since=NOW, until=NOW, keys=("1",)), False),
]


@pytest.mark.parametrize(("window", "live"), WINDOWS)
def test_a_window_is_live_only_when_nothing_was_asked_for(window: Window, live: bool) -> None:
    assert window.live is live


FROZEN = [
    Window(),
    Stored(1, "810", "P", b"", {}, 1),
    Counter("scope", "ISA13"),
    Destination("lane"),
    Evidence("id"),
]


@pytest.mark.parametrize("one", FROZEN, ids=lambda one: type(one).__name__)
def test_what_the_ledger_said_cannot_be_changed(one: msgspec.Struct) -> None:
    with pytest.raises(AttributeError):
        setattr(one, one.__struct_fields__[0], "other")


def test_no_two_documents_or_deliveries_share_a_default() -> None:
    first, second = (Document("810", "P", b"") for _ in range(2))
    first.envelope["a"] = "b"
    assert second.envelope == {}
    one, other = (Delivery(1, "P", "", "n", b"", "", {}) for _ in range(2))
    one.marks["a"] = "b"
    assert other.marks == {}


def test_a_page_says_by_default_that_no_more_is_there() -> None:
    assert (Page([]).more, Page([]).cursor) == (False, None)


def test_a_counter_has_the_nine_digits_of_an_interchange_by_default() -> None:
    assert Counter("scope", "ISA13").limit == 999_999_999
