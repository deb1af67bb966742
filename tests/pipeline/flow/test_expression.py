"""The expression language: what it means, what it refuses, and that it is exact."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.errors import DataError, FlowError
from pipeline.flow.expression import Expression, ExpressionError


class Purchase(msgspec.Struct, frozen=True):
    number: str


class Line(msgspec.Struct, frozen=True):
    amount: Decimal


class Bill(msgspec.Struct, frozen=True):
    number: str
    total: Decimal
    due: date | None
    purchase: Purchase | None
    lines: tuple[Line, ...]
    source: dict[str, Any]

    def method(self) -> str:
        return "reached"

    @property
    def computed(self) -> str:
        return "reached"


SCOPE: dict[str, object] = {
    "bill": Bill(
        number="PO-17",
        total=Decimal("100.10"),
        due=date(2026, 1, 31),
        purchase=None,
        lines=(Line(Decimal("60.05")), Line(Decimal("40.05"))),
        source={"STATE": "Posted", "TERM": None, "TOTAL": Decimal("100.10"), "ONHOLD": False, "number": "from source"},
    ),
    "row": {"a": 1, "b": "x", "c": [1, 2, 3], "d": {"e": "f"}, "f": 0.1, "t": datetime(2026, 1, 31, tzinfo=UTC)},
    "order": Purchase("PO-9"),
}


def value(text: str) -> object:
    return Expression(text).evaluate(SCOPE)


def failure(text: str) -> str:
    with pytest.raises((DataError, FlowError)) as caught:
        value(text)
    assert caught.value.where == f"expression {text}"
    return caught.value.why


def refusal(text: str) -> tuple[str, int]:
    with pytest.raises(ExpressionError) as caught:
        Expression(text)
    return caught.value.message, caught.value.column


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bill.STATE == 'Posted'", True),
        ("bill.STATE in ('Posted', 'Paid')", True),
        ("bill.STATE not in ['Posted']", False),
        ("bill.TERM in ('Posted', 'Paid')", False),
        ("bill.TERM == 'x'", False),
        ("bill.TERM != 'x'", True),
        ("bill.TERM is None", True),
        ("bill.due is not None and bill.due < date('2026-02-01')", True),
        ("bill.TOTAL >= 100.10", True),
        ("bill.TOTAL > 100", True),
        ("bill.total == 100.1", True),
        ("bill.total == bill.TOTAL", True),
        ("100 < bill.total <= 100.10", True),
        ("100 < bill.total < 100.10", False),
        ("not bill.ONHOLD", True),
        ("bill.number == 'from source'", True),
        ("startswith(order.number, 'PO-')", True),
        ("endswith(order.number, '9')", True),
        ("'PO' in order.number", True),
        ("row.a == 1 or row.nix == 2", True),
        ("row.a == 2 and row.nix == 2", False),
        ("row.a in (1, 2)", True),
        ("row.a in row.c", True),
        ("'e' in row.d", True),
        ("row.d.e == 'f'", True),
        ("row['d']['e'] == 'f'", True),
        ("row.f == 0.1", True),
        ("(1, 2) == [1, 2]", True),
        ("row.t > row.t", False),
        ("bill.purchase is None or bill.purchase.number == 'x'", True),
        ("bill.TERM", False),
    ],
)
def test_condition_holds_or_not(text: str, expected: bool) -> None:
    assert Expression(text).holds(SCOPE) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1 + 0.2", Decimal("0.3")),
        ("1.10 * 3", Decimal("3.30")),
        ("0.1000000000000000055511151231257827", Decimal("0.1000000000000000055511151231257827")),
        ("7 / 2", Decimal("3.5")),
        ("-7 % 3", -1),
        ("7.5 % 2", Decimal("1.5")),
        ("2 + 3 * 4", 14),
        ("-(2 - 5)", 3),
        ("+1", 1),
        ("abs(-3.50)", Decimal("3.50")),
        ("abs(-3)", 3),
        ("round(2.675, 2)", Decimal("2.68")),
        ("round(-2.5)", Decimal(-3)),
        ("round(0.5)", Decimal(1)),
        ("len(bill.lines)", 2),
        ("len('abc')", 3),
        ("lower('ABC')", "abc"),
        ("upper('abc')", "ABC"),
        ("bill.lines[0].amount + bill.lines[-1].amount", Decimal("100.10")),
        ("coalesce(bill.TERM, 'N30')", "N30"),
        ("coalesce(bill.STATE, bill.nix)", "Posted"),
        ("coalesce(bill.TERM)", None),
        ("'a' if row.a == 1 else 'b'", "a"),
        ("date('2026-01-31')", date(2026, 1, 31)),
        ("date(bill.due)", date(2026, 1, 31)),
        ("row.b and row.a", 1),
        ("[row.a, 'x']", (1, "x")),
        ("'one' 'two'", "onetwo"),
        (" \n 1 +\n 1 ", 2),
        ("row.c[row.a]", 2),
    ],
)
def test_value_is_exact(text: str, expected: object) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)
    assert str(found) == str(expected)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("bill.STAT == 'x'", "bill has no field `STAT`; near names: STATE"),
        ("bill.state == 'x'", "bill has no field `state`; near names: STATE"),
        ("bill.zzz", "bill has no field `zzz`; it has ONHOLD, STATE, TERM, TOTAL, due, lines, number, purchase, source, total"),
        ("bill.method", "bill has no field `method`; it has ONHOLD, STATE, TERM, TOTAL, due, lines, number, purchase, source, total"),
        ("order.numbr", "order has no field `numbr`; near names: number"),
        ("row.x", "row has no field `x`; it has a, b, c, d, f, t"),
        ("invoice.x", "there is no `invoice` here; known here: `bill`, `order`, `row`"),
        ("bill.purchase.number", "bill.purchase is empty, so it has no field `number`; test `bill.purchase is not None` before"),
        ("bill.STATE.x", "bill.STATE is a text, which has no field `x`"),
        ("bill.lines[5]", "bill.lines has 2 elements, so there is no element 5"),
        ("bill.lines['x']", "bill.lines is a list, which has no field `x`"),
        ("bill.TERM[0]", "bill.TERM is empty, so it has no element 0"),
        ("row.c[1.5]", "a number cannot select from row.c, which is a list"),
        ("bill.TERM < 'x'", "`<` cannot compare with an empty value; test `is not None` before"),
        ("bill.TOTAL == '100.10'", "`==` compares a number with a text"),
        ("bill.STATE != 1", "`!=` compares a text with a number"),
        ("bill.TOTAL in ('100.10', 'x')", "`in` compares a text with a number"),
        ("row.a == True", "`==` compares a number with true or false"),
        ("bill.due == '2026-01-31'", "`==` compares a date with a text"),
        ("bill.due < row.t", "`<` compares a date with a time"),
        ("row.c < row.c", "`<` cannot order a list"),
        ("'x' * 3", "`*` needs numbers, and got a text"),
        ("'%s' % 1", "`%` needs numbers, and got a text"),
        ("'a' + 'b'", "`+` needs numbers, and got a text"),
        ("True + 1", "`+` needs numbers, and got true or false"),
        ("1 / 0", "`/` by zero"),
        ("1.5 % 0", "`%` by zero"),
        ("-'x'", "`-` needs numbers, and got a text"),
        ("len(1)", "`len` needs a text or a list, and got a number"),
        ("lower(bill.TERM)", "`lower` needs a text, and got nothing"),
        ("round(1.5, 99)", "`round` takes 0 to 20 places"),
        ("date(bill.STATE)", "'Posted' is not a date such as 2026-01-31"),
        ("1 in 2", "`in` needs a list or a text on its right, and got a number"),
        ("1 in 'x'", "`in` a text needs a text, and got a number"),
        ("1e900 * 1e900 + 1", "a number in it cannot be computed exactly"),
    ],
)  # fmt: skip
def test_failure_says_why_and_names_the_expression(text: str, why: str) -> None:
    assert failure(text) == why


def test_a_name_that_no_record_of_the_type_has_is_the_flows_mistake() -> None:
    """Not the record's: or a misspelt name would make every record dead."""
    with pytest.raises(FlowError, match="STATEE"):
        Expression("bill.STATEE == 'Posted'").holds(SCOPE)


def test_a_key_that_one_mapping_lacks_is_that_records_mistake() -> None:
    with pytest.raises(DataError, match="zzz"):
        Expression("row.zzz == 1").holds(SCOPE)


def test_condition_that_is_no_condition_fails() -> None:
    with pytest.raises(DataError) as caught:
        Expression("bill.STATE").holds(SCOPE)
    assert caught.value.why == "it gives a text, not true or false"


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("", "the expression is empty", 1),
        ("a ==", "this is not an expression: invalid syntax", 5),
        ("a = 1", "this is not an expression: invalid syntax", 3),
        ("a; b", "this is not an expression: invalid syntax", 2),
        ("__x", "the name `__x` starts with `_`", 1),
        ("bill._a", "the name `_a` starts with `_`", 1),
        ("bill['__class__']", "the name `__class__` starts with `_`", 6),
        ("é == ~b", "`~` cannot be used in an expression", 6),
        ("f'x'", "an f-string cannot be used in an expression", 1),
        ("[x for x in y]", "a comprehension cannot be used in an expression", 1),
        ("1 + (lambda: 0)", "a lambda cannot be used in an expression", 6),
        ("{'a': 1}", "a mapping cannot be used in an expression", 1),
        ("{1, 2}", "a set cannot be used in an expression", 1),
        ("a[1:2]", "a slice cannot be used in an expression", 3),
        ("(a := 1)", "`:=` cannot be used in an expression", 2),
        ("2 ** 3", "only + - * / % can be used with numbers", 1),
        ("2 // 3", "only + - * / % can be used with numbers", 1),
        ("a @ b", "only + - * / % can be used with numbers", 1),
        ("a is 3", "`is` compares with None only; use `==`", 6),
        ("a == 1 and a.startswith('x')", "write startswith(a, ...) instead of a method", 12),
        ("open('x')", "open is no function here; there are len, lower, upper, startswith, endswith, abs, round, date, coalesce", 1),
        ("len(*a)", "`*` cannot be used in an expression", 5),
        ("len()", "`len` takes 1 argument, without names", 1),
        ("round(1, n=2)", "`round` takes 1 to 2 arguments, without names", 1),
        ("date('2026-02-30')", "'2026-02-30' is not a date such as 2026-01-31", 6),
        ("b'x'", "the value b'x' cannot be used in an expression", 1),
        ("3j", "the value 3j cannot be used in an expression", 1),
        ("...", "the value ... cannot be used in an expression", 1),
        ("1e400000000000000000000", "the number 1e400000000000000000000 is too large", 1),
        ("-" * 400 + "1", "nested deeper than 60 levels", 61),
        ("a" * 501, "an expression has at most 500 characters; this has 501", 500),
    ],
)  # fmt: skip
def test_refusal_says_why_and_where(text: str, message: str, column: int) -> None:
    assert refusal(text) == (message, column)


def test_python_attributes_are_out_of_reach() -> None:
    for name in ("method", "computed", "replace", "items", "denominator"):
        with pytest.raises(FlowError):
            value(f"bill.{name}")
        with pytest.raises(DataError):
            value(f"row.{name}")


def test_names_are_the_roots_with_their_first_fields() -> None:
    expression = Expression(
        "bill.STATE == 'x' and bill['TERM'] is None and len(rows) > 0 and bill.purchase.number == 'a'"
    )
    assert expression.names == {("bill", "STATE"), ("bill", "TERM"), ("rows", ""), ("bill", "purchase")}


def test_equal_texts_are_equal_expressions() -> None:
    assert Expression("a == 1") == Expression("a == 1")
    assert len({Expression("a == 1"), Expression("a == 1"), Expression("a == 2")}) == 2
    assert repr(Expression("a == 1")) == "Expression('a == 1')"


def test_expression_travels_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(Expression("1 + 1"))).evaluate({}) == 2


def test_evaluation_changes_nothing() -> None:
    row = {"c": [1, 2]}
    Expression("row.c[0] + 1 in row.c").evaluate({"row": row})
    assert row == {"c": [1, 2]}


cents = st.integers(-(10**12), 10**12).map(lambda n: Decimal(n).scaleb(-2))


@given(cents, cents)
def test_arithmetic_is_that_of_whole_cents(left: Decimal, right: Decimal) -> None:
    scope = {"a": left, "b": right}
    assert Expression("a + b").evaluate(scope) == Decimal(int(left * 100) + int(right * 100)) / 100
    assert Expression("a - b").evaluate(scope) == Decimal(int(left * 100) - int(right * 100)) / 100
    assert Expression("a * b").evaluate(scope) == Decimal(int(left * 100) * int(right * 100)).scaleb(-4)
    assert Expression("a < b").holds(scope) is (int(left * 100) < int(right * 100))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9))
def test_number_written_in_an_expression_is_that_number(number: Decimal) -> None:
    assert Expression(f"({number:f})").evaluate({}) == number


@given(cents)
def test_rounding_is_half_away_from_zero(number: Decimal) -> None:
    rounded = Expression("round(a, 1)").evaluate({"a": number})
    assert isinstance(rounded, Decimal)
    assert abs(rounded) >= abs(number) or abs(number) - abs(rounded) < Decimal("0.05")
    assert abs(rounded - number) <= Decimal("0.05")


def _run(text: str) -> None:
    try:
        expression = Expression(text)
    except ExpressionError as refused:
        column = refused.column
    else:
        for act in (expression.evaluate, expression.holds):
            try:
                act(SCOPE)
            except (DataError, FlowError):
                continue
        return
    assert 1 <= column <= max(len(text), 0) + 1


@given(st.text(max_size=80))
@example("(" * 300)
@example("\x00")
@example("\ud800")
@example("a\\\nb")
@example("\x0c1")
@example("not " * 120 + "1")
@example("0x")
@example("'\\N{x}'")
@example("1if 1else 2")
def test_random_text_raises_nothing_else(text: str) -> None:
    _run(text)


@given(st.lists(st.sampled_from(
    ["bill", "row", ".", "STATE", "a", "c", "==", "<", "in", "is", "None", "not", "and", "or", "(", ")", "[", "]", ",", "1", "0.1",
     "'x'", "+", "-", "*", "/", "%", "len", "round", "date", "coalesce", "if", "else", "True", "abs", "startswith", "total", "1e999"]
), max_size=14).map(" ".join))  # fmt: skip
def test_random_words_raise_nothing_else(text: str) -> None:
    _run(text)


@given(st.decimals(), st.decimals(), st.sampled_from(["+", "-", "*", "/", "%", "<", "=="]))
def test_strange_numbers_raise_nothing_else(left: Decimal, right: Decimal, symbol: str) -> None:
    try:
        Expression(f"a {symbol} b").evaluate({"a": left, "b": right})
    except (DataError, FlowError) as error:
        assert error.why  # noqa: PT017  either outcome is right; nothing else may come out
