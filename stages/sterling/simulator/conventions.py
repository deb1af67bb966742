"""What all collections share: windows, searches, projections, sorting, coded values, timestamps. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from stages.sterling.simulator.wire import ApiError

_RANGE = re.compile(r"(\d{1,12})-(\d{1,12})")
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:?\d\d)")
KEPT = ("_id", "_title", "href", "$ref", "actions")  # stay whatever `_include` names


def window(text: str | None, *, default: int, limit: int) -> tuple[int, int]:
    """``first-last`` (from zero, both included) as a half-open pair. Wider than ``limit`` rows or reversed is an error."""
    if text is None:
        return 0, default
    found = _RANGE.fullmatch(text.strip())
    if not found:
        raise ApiError(400, f"The _range '{text}' is not of the form first-last")
    first, last = int(found[1]), int(found[2])
    if first > last:
        raise ApiError(400, f"The _range '{text}' ends before it starts")
    if last - first + 1 > limit:
        raise ApiError(400, f"The _range '{text}' asks for more than {limit} rows")
    return first, last + 1


def like(pattern: str, *, ignore_case: bool) -> Callable[[str], bool]:
    """SQL LIKE with a trailing ``%`` nobody wrote: ``%`` is any text, ``_`` any one character, and a prefix is enough."""
    parts = [".*" if char == "%" else "." if char == "_" else re.escape(char) for char in pattern]
    matcher = re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))
    return lambda text: matcher.match(text) is not None


def project(row: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    """Applies `_include` and `_exclude`. An empty `_include` means everything."""
    include, exclude = _names(query.get("_include")), _names(query.get("_exclude"))
    if include:
        row = {name: value for name, value in row.items() if name in include or name in KEPT}
    return {name: value for name, value in row.items() if name not in exclude} if exclude else row


def sort(rows: list[dict[str, Any]], text: str | None) -> list[dict[str, Any]]:
    """Sorts ascending by the named fields; rows without a field come first."""
    for name in reversed(_names(text)):
        rows = sorted(rows, key=lambda row: _order(row.get(name)))
    return rows


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _order(value: Any) -> tuple[int, float, str]:
    if isinstance(value, Mapping):
        value = value.get("code")
    if value is None:
        return 0, 0, ""
    return (1, value, "") if isinstance(value, (int, float)) else (2, 0, str(value))


def coded(code: object, display: str = "") -> dict[str, Any]:
    """An enumeration or a boolean as it is read: with its text beside it."""
    if isinstance(code, bool):
        return {"code": code, "display": "Yes" if code else "No"}
    return {"code": code, "display": display or str(code)}


def represent(kind: str, key: str, href: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A resource with the members every resource has. ``key`` is text even where ids are numbers."""
    actions = f"{href}/actions"
    head = {"_id": key, "_title": f"{kind}({key})", "href": href, "$ref": href}
    return {**head, "actions": {"href": actions, "$ref": actions}, **fields}


def timestamp(moment: datetime, skew: float = 0.0) -> str:
    """Milliseconds and an offset without a colon, which not every ISO parser reads."""
    shown = moment.astimezone(UTC) + timedelta(seconds=skew)
    return f"{shown:%Y-%m-%dT%H:%M:%S}.{shown.microsecond // 1000:03d}+0000"


def read_timestamp(text: str) -> datetime | None:
    """The form `timestamp` writes, and its colon form; None when it is neither."""
    found = _TIMESTAMP.fullmatch(text)
    if not found:
        return None
    offset = "+0000" if found[3] == "Z" else found[3].replace(":", "")
    try:
        return datetime.strptime(f"{found[1]}.{found[2] or '0'}{offset}", "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError:
        return None


def row_number(key: str) -> int:
    """A numeric key; -1, which no row has, for anything else."""
    return int(key) if key.isascii() and key.isdecimal() and len(key) < 19 else -1


def take(rows: Sequence[Any], first: int, last: int, *, shift: int = 0, repeat: int = 0) -> list[Any]:
    """A window over rows. ``shift`` moves a later page back (rows of the one before come again) or,
    negative, forward (rows are missed)."""
    step = min(shift, first) if first else 0  # the first page has nothing before it
    first, last = first - step, last - step
    taken = list(rows[first:last])
    return taken[:repeat] + taken if repeat else taken
