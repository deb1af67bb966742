"""Conditions on rows: the tree both query languages build, compiled to a predicate and to spans for the indexes. Pure.

Null behaves as in SQL: it satisfies no comparison, not even ``notequalto``; only ``isnull`` finds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from stages.intacct.simulator.model import Getter, Kind
from stages.intacct.simulator.rows import Row
from stages.intacct.simulator.tables import Span

Predicate = Callable[[Row], bool]
Operator = Literal[
    "equalto",
    "notequalto",
    "lessthan",
    "lessthanorequalto",
    "greaterthan",
    "greaterthanorequalto",
    "between",
    "in",
    "notin",
    "like",
    "notlike",
    "isnull",
    "isnotnull",
]

OPPOSITE: dict[Operator, Operator] = {
    "equalto": "notequalto",
    "lessthan": "greaterthanorequalto",
    "greaterthan": "lessthanorequalto",
    "in": "notin",
    "like": "notlike",
    "isnull": "isnotnull",
}
OPPOSITE |= {opposite: operator for operator, opposite in OPPOSITE.items()}


class Comparison(msgspec.Struct, frozen=True):
    """One comparison. ``column`` is the field's id when it is the object's own (so that an index may serve), else ""."""

    column: str
    kind: Kind
    get: Getter
    operator: Operator
    values: tuple[Any, ...] = ()


class Group(msgspec.Struct, frozen=True):
    join: Literal["and", "or"]
    members: tuple[Node, ...]


Node = Comparison | Group


def opposite(node: Node) -> Node:
    """The condition that holds where this one fails, nulls apart: they satisfy neither."""
    if isinstance(node, Group):
        return Group("or" if node.join == "and" else "and", tuple(opposite(member) for member in node.members))
    if node.operator == "between":
        low, high = node.values
        below = msgspec.structs.replace(node, operator="lessthan", values=(low,))
        above = msgspec.structs.replace(node, operator="greaterthan", values=(high,))
        return Group("or", (below, above))
    return msgspec.structs.replace(node, operator=OPPOSITE[node.operator])


def compiled(node: Node, *, fold: bool = False) -> Predicate:
    """The condition as a function of a row. ``fold`` ignores the case of texts."""
    if isinstance(node, Group):
        members = [compiled(member, fold=fold) for member in node.members]
        return _all(members) if node.join == "and" else _any(members)
    get, values = node.get, node.values
    if fold and node.kind in {"TEXT", "ENUM"}:
        get, values = _folded(get), tuple(value.casefold() if value else value for value in values)
    return OPERATORS[node.operator](get, values)


def _all(members: list[Predicate]) -> Predicate:
    def test(row: Row) -> bool:
        for member in members:  # noqa: SIM110 - a generator costs twice as much here
            if not member(row):
                return False
        return True

    return test


def _any(members: list[Predicate]) -> Predicate:
    def test(row: Row) -> bool:
        for member in members:  # noqa: SIM110
            if member(row):
                return True
        return False

    return test


def _folded(get: Getter) -> Getter:
    def folded(row: Row) -> str | None:
        text: str | None = get(row)
        return text.casefold() if text is not None else None

    return folded


def _ordered(holds: Callable[[Any, Any], bool]) -> Callable[[Getter, tuple[Any, ...]], Predicate]:
    def build(get: Getter, values: tuple[Any, ...]) -> Predicate:
        (want,) = values

        def test(row: Row) -> bool:
            value = get(row)
            return value is not None and want is not None and holds(value, want)

        return test

    return build


def _between(get: Getter, values: tuple[Any, ...]) -> Predicate:
    low, high = values

    def test(row: Row) -> bool:
        value = get(row)
        return value is not None and low is not None and high is not None and bool(low <= value <= high)

    return test


def _member(get: Getter, values: tuple[Any, ...]) -> Predicate:
    wanted = frozenset(values) - {None}
    return lambda row: get(row) in wanted


def _no_member(get: Getter, values: tuple[Any, ...]) -> Predicate:
    unwanted = frozenset(values)
    return lambda row: (value := get(row)) is not None and value not in unwanted


def pattern(like: str) -> re.Pattern[str]:
    """The regular expression of a ``like`` pattern: ``%`` any text, ``_`` any one character."""
    return re.compile("".join({"%": ".*", "_": "."}.get(char) or re.escape(char) for char in like), re.DOTALL)


def _like(get: Getter, values: tuple[Any, ...]) -> Predicate:
    match = pattern(values[0] or "").fullmatch
    return lambda row: (value := get(row)) is not None and match(str(value)) is not None


def _not_like(get: Getter, values: tuple[Any, ...]) -> Predicate:
    match = pattern(values[0] or "").fullmatch
    return lambda row: (value := get(row)) is not None and match(str(value)) is None


OPERATORS: dict[Operator, Callable[[Getter, tuple[Any, ...]], Predicate]] = {
    "equalto": _ordered(lambda value, want: bool(value == want)),
    "notequalto": _ordered(lambda value, want: bool(value != want)),
    "lessthan": _ordered(lambda value, want: bool(value < want)),
    "lessthanorequalto": _ordered(lambda value, want: bool(value <= want)),
    "greaterthan": _ordered(lambda value, want: bool(value > want)),
    "greaterthanorequalto": _ordered(lambda value, want: bool(value >= want)),
    "between": _between,
    "in": _member,
    "notin": _no_member,
    "like": _like,
    "notlike": _not_like,
    "isnull": lambda get, _: lambda row: get(row) is None,
    "isnotnull": lambda get, _: lambda row: get(row) is not None,
}


def spans(node: Node, *, fold: bool = False) -> dict[str, list[Span]]:
    """Per own field the closed intervals outside which no row can satisfy the condition; fields without any are absent.

    Too wide is allowed (the predicate decides), too narrow is not. What `compiled` would compare otherwise (folded texts) is left out.
    """
    if isinstance(node, Comparison):
        return _test_spans(node, fold)
    members = [spans(member, fold=fold) for member in node.members]
    if node.join == "or":
        shared = set.intersection(*(set(member) for member in members))
        return {name: _merged([span for member in members for span in member[name]]) for name in shared}
    found: dict[str, list[Span]] = {}
    for member in members:
        for name, intervals in member.items():
            found[name] = _intersection(found[name], intervals) if name in found else intervals
    return found


def _test_spans(test: Comparison, fold: bool) -> dict[str, list[Span]]:
    if not test.column or (fold and test.kind in {"TEXT", "ENUM"}):
        return {}
    values = [value for value in test.values if value is not None]
    if len(values) < len(test.values):  # compared with null, nothing holds; an `in` may have other values
        return {test.column: _merged([(value, value) for value in values])} if test.operator == "in" else {}
    match test.operator, values:
        case "equalto" | "in", _:
            return {test.column: _merged([(value, value) for value in values])}
        case (("lessthan" | "lessthanorequalto"), [high]):
            return {test.column: [(None, high)]}
        case (("greaterthan" | "greaterthanorequalto"), [low]):
            return {test.column: [(low, None)]}
        case "between", [low, high]:
            return {test.column: [(low, high)]}
    return {}


def _merged(intervals: list[Span]) -> list[Span]:
    """The same values in intervals that do not overlap, ascending."""
    bottom = [span for span in intervals if span[0] is None]
    merged: list[Span] = []
    for low, high in bottom + sorted((span for span in intervals if span[0] is not None), key=lambda span: span[0]):
        if merged and _reaches(merged[-1][1], low):
            last_low, last_high = merged[-1]
            merged[-1] = (last_low, None if last_high is None or high is None else max(last_high, high))
        else:
            merged.append((low, high))
    return merged


def _reaches(high: Any, low: Any) -> bool:
    return high is None or low is None or bool(low <= high)


def _intersection(left: list[Span], right: list[Span]) -> list[Span]:
    if len(left) > 1 and len(right) > 1:
        return min(left, right, key=len)  # either is a superset; the product is not worth its cost
    crossed = ((_greater(a[0], b[0]), _smaller(a[1], b[1])) for a in left for b in right)
    return [(low, high) for low, high in crossed if low is None or high is None or low <= high]


def _greater(one: Any, other: Any) -> Any:
    return other if one is None else one if other is None else max(one, other)


def _smaller(one: Any, other: Any) -> Any:
    return other if one is None else one if other is None else min(one, other)
