"""Filters as people write them in a flow file: one operator, and what it takes. Pure.

``{ equalto: [STATUS, active] }``, ``{ isnull: PARENTID }``, ``{ and: [ {...}, {...} ] }``: the operators are the gateway's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from stages.intacct.protocol.query import LARGEST_LIST, Compare, Filter, Group

_DEEPEST = 20
_ONE = (1, 1)
_VALUES: dict[str, tuple[int, int]] = {
    "equalto": _ONE, "notequalto": _ONE, "lessthan": _ONE, "lessthanorequalto": _ONE, "greaterthan": _ONE,
    "greaterthanorequalto": _ONE, "like": _ONE, "notlike": _ONE, "between": (2, 2), "in": (1, LARGEST_LIST),
    "notin": (1, LARGEST_LIST), "isnull": (0, 0), "isnotnull": (0, 0),
}  # fmt: skip
"""How many values each operator takes, at least and at most."""


def read_filter(form: Any, depth: int = 0) -> Filter:
    """The filter. Raises ValueError in words about the form."""
    if not isinstance(form, Mapping) or len(form) != 1:
        raise ValueError("a filter is one operator with what it takes, such as { equalto: [STATUS, active] }")
    ((operator, taken),) = form.items()
    if operator in ("and", "or"):
        return _group(operator, taken, depth)
    if operator not in _VALUES:
        raise ValueError(f"{operator!s:.40} is no operator; there are and, or, {', '.join(_VALUES)}")
    field, *values = taken if isinstance(taken, list) else [taken]
    if not isinstance(field, str) or not field.strip():
        raise ValueError(f"{operator} begins with the name of a field")
    least, most = _VALUES[operator]
    if not least <= len(values) <= most:
        raise ValueError(f"{operator} takes {_number(least, most)} behind the field, not {len(values)}")
    return Compare(operator, field.upper(), tuple(_text(value) for value in values))


def _group(operator: str, taken: Any, depth: int) -> Group:
    if not isinstance(taken, list) or len(taken) < 2:
        raise ValueError(f"{operator} takes a list of two or more filters")
    if depth >= _DEEPEST:
        raise ValueError(f"filters stand within each other more than {_DEEPEST} deep")
    return Group(operator, tuple(read_filter(part, depth + 1) for part in taken))


def _number(least: int, most: int) -> str:
    if least != most:
        return f"{least} to {most} values"
    return {0: "no value", 1: "one value"}.get(least, f"{least} values")


def _text(value: Any) -> str:
    """A value as the gateway displays it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (str, int)) and value != "":
        return str(value)
    raise ValueError("the values of a filter are texts, numbers, true or false; for an empty field write isnull")
