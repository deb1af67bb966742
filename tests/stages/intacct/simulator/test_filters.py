"""Laws of conditions: an index never loses a row the condition accepts, and a negation never agrees with what it negates."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.testing import ManualClock
from stages.intacct.simulator.books import Books
from stages.intacct.simulator.filters import Comparison, Group, compiled, opposite, pattern, spans

FIELDS = ("RECORDNO", "VENDORID", "STATE", "TRX_TOTALENTERED", "WHENMODIFIED", "WHENPOSTED")
FIXTURE_IS_CONSTANT = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
SINGLE = ("equalto", "notequalto", "lessthan", "lessthanorequalto", "greaterthan", "greaterthanorequalto")


def _books(world: Any, new_bill: Any) -> Books:
    """Sixty bills with many equal values and some nulls."""
    bills = [
        new_bill(
            200 + n,
            f"inv-{n % 7}",
            f"V-{n % 3 + 1}",
            ("Posted", "Paid", "Draft")[n % 3],
            str(n % 5),
            0,
            modified=None if n % 6 == 0 else world.now - timedelta(minutes=n % 8),
            posted=None if n % 4 == 0 else world.now.date() - timedelta(days=n % 3),
        )
        for n in range(60)
    ]
    return Books(msgspec.structs.replace(world, bills=tuple(bills)), ManualClock(world.now))


@pytest.fixture
def books(world, new_bill):
    return _books(world, new_bill)


@st.composite
def _comparisons(draw: Any, books: Books) -> Comparison:
    field = books.types["APBILL"].fields[draw(st.sampled_from(FIELDS))]
    known = sorted({value for row in books.tables["APBILL"].rows.values() if (value := field.take(row)) is not None})
    value = st.sampled_from(known)
    operator = draw(st.sampled_from((*SINGLE, "between", "in", "notin", "isnull", "isnotnull")))
    if operator in SINGLE:
        values = (draw(value),)
    elif operator == "between":
        values = (draw(value), draw(value))
    elif operator in {"in", "notin"}:
        values = tuple(draw(st.lists(value, min_size=1, max_size=4)))
    else:
        values = ()
    return Comparison(field.id, field.kind, field.take, operator, values)


def _conditions(books: Books) -> st.SearchStrategy[Any]:
    return st.recursive(
        _comparisons(books),
        lambda inner: st.builds(
            Group, st.sampled_from(("and", "or")), st.lists(inner, min_size=2, max_size=3).map(tuple)
        ),
        max_leaves=8,
    )


@FIXTURE_IS_CONSTANT
@given(data=st.data())
def test_an_index_never_loses_a_row_nor_gives_one_twice(books, data):
    node = data.draw(_conditions(books))
    table, holds = books.tables["APBILL"], compiled(node)

    scanned = sorted(row.record for row in table.rows.values() if holds(row))
    narrowed = sorted(row.record for row in table.narrowed(spans(node)) if holds(row))

    assert narrowed == scanned


@FIXTURE_IS_CONSTANT
@given(data=st.data())
def test_no_row_satisfies_a_condition_and_its_opposite(books, data):
    node = data.draw(_conditions(books))
    holds, fails = compiled(node), compiled(opposite(node))

    assert not [row.record for row in books.tables["APBILL"].rows.values() if holds(row) and fails(row)]


@FIXTURE_IS_CONSTANT
@given(data=st.data())
def test_a_condition_on_filled_fields_or_its_opposite_holds(books, data):
    node = data.draw(_conditions(books))
    holds, fails = compiled(node), compiled(opposite(node))
    filled = [row for row in books.tables["APBILL"].rows.values() if row.seed.modified and row.seed.posted]

    assert all(holds(row) or fails(row) for row in filled)


@given(st.text(alphabet="ab%_.*\\\n", max_size=6), st.text(alphabet="ab%_.*\\\n", max_size=6))
def test_like_agrees_with_its_definition(like, text):
    def matches(like: str, text: str) -> bool:
        if not like:
            return not text
        if like[0] == "%":
            return any(matches(like[1:], text[n:]) for n in range(len(text) + 1))
        return bool(text) and like[0] in {"_", text[0]} and matches(like[1:], text[1:])

    assert (pattern(like).fullmatch(text) is not None) == matches(like, text)


def test_a_list_of_keys_looks_at_no_other_rows(books):
    field = books.types["APBILLITEM"].fields["RECORDKEY"]
    node = Comparison("RECORDKEY", "INTEGER", field.take, "in", (210, 220, 999))

    candidates = books.tables["APBILLITEM"].narrowed(spans(node))

    assert sorted(row.bill.record for row in candidates) == [210, 220]


def test_a_keyset_looks_only_at_rows_from_its_place_on(books, world):
    fields = books.types["APBILL"].fields
    at = (world.now - timedelta(minutes=2)).replace(tzinfo=None)
    modified, record = fields["WHENMODIFIED"], fields["RECORDNO"]
    later = Comparison("WHENMODIFIED", "TIMESTAMP", modified.take, "greaterthan", (at,))
    same = Comparison("WHENMODIFIED", "TIMESTAMP", modified.take, "equalto", (at,))
    beyond = Comparison("RECORDNO", "INTEGER", record.take, "greaterthan", (230,))
    node = Group("or", (later, Group("and", (same, beyond))))

    candidates = books.tables["APBILL"].narrowed(spans(node))

    assert min(modified.take(row) for row in candidates) == at
    assert len(candidates) < len(books.tables["APBILL"].rows)


def test_folded_texts_use_no_index_of_unfolded_ones(books):
    take = books.types["APBILL"].fields["RECORDID"].take
    node = Comparison("RECORDID", "TEXT", take, "equalto", ("INV-3",))
    holds = compiled(node, fold=True)

    found = [row for row in books.tables["APBILL"].narrowed(spans(node, fold=True)) if holds(row)]

    assert {row.seed.number for row in found} == {"inv-3"}
