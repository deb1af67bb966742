"""Filters as people write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from stages.intacct.protocol.filters import read_filter
from stages.intacct.protocol.query import Compare, Group

READ: list[tuple[Any, Any]] = [
    ({"equalto": ["STATUS", "active"]}, Compare("equalto", "STATUS", ("active",))),
    ({"in": ["state", "Posted", "Paid"]}, Compare("in", "STATE", ("Posted", "Paid"))),
    ({"isnull": "PARENTID"}, Compare("isnull", "PARENTID")),
    ({"isnotnull": ["PARENTID"]}, Compare("isnotnull", "PARENTID")),
    ({"between": ["TOTALDUE", 1, Decimal("2.50")]}, Compare("between", "TOTALDUE", ("1", "2.50"))),
    ({"equalto": ["ONHOLD", True]}, Compare("equalto", "ONHOLD", ("true",))),
    (
        {"or": [{"isnull": "A"}, {"and": [{"isnull": "B"}, {"isnull": "C"}]}]},
        Group("or", (Compare("isnull", "A"), Group("and", (Compare("isnull", "B"), Compare("isnull", "C"))))),
    ),
]


@pytest.mark.parametrize(("form", "filter"), READ, ids=lambda value: str(value)[:40])
def test_a_filter_is_one_operator_with_what_it_takes(form: Any, filter: Any) -> None:
    assert read_filter(form) == filter


def _nested(depth: int) -> Any:
    form: Any = {"isnull": "A"}
    for _ in range(depth):
        form = {"and": [form, {"isnull": "B"}]}
    return form


REFUSED: list[tuple[Any, str]] = [
    ({}, "one operator"),
    ({"isnull": "A", "isnotnull": "B"}, "one operator"),
    ("STATUS = 'T'", "one operator"),
    ({"equals": ["A", "b"]}, "no operator"),
    ({"equalto": ["A"]}, "one value behind the field, not 0"),
    ({"equalto": ["A", "b", "c"]}, "not 2"),
    ({"between": ["A", "b"]}, "2 values"),
    ({"isnull": ["A", "b"]}, "no value"),
    ({"in": ["A", *("b" * 101)]}, "1 to 100 values"),
    ({"equalto": [7, "b"]}, "name of a field"),
    ({"equalto": ["A", ""]}, "isnull"),
    ({"equalto": ["A", ["b"]]}, "texts, numbers"),
    ({"and": [{"isnull": "A"}]}, "two or more"),
    ({"and": {"isnull": "A"}}, "two or more"),
    (_nested(30), "deep"),
]


@pytest.mark.parametrize(("form", "words"), REFUSED, ids=lambda value: str(value)[:40])
def test_any_other_form_is_refused_in_words(form: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_filter(form)
