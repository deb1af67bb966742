"""Which fields a resource takes, of what type, and what is refused. Problems come one at a time, as on the real server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from stages.sterling.simulator.wire import ApiError

Kind = Literal["text", "boolean", "integer", "enum", "object", "names", "texts", "any"]
_TRUTH = {True: True, False: False, "true": True, "false": False}


class Field(msgspec.Struct, frozen=True):
    """``codes`` are an enumeration's values. ``required`` counts at creation. ``pattern`` is a whole-match expression."""

    kind: Kind = "text"
    required: bool = False
    codes: frozenset[str] = frozenset()
    limit: int = 4000
    pattern: str = ""
    members: frozenset[str] = frozenset()  # of an object; empty: any
    any_case: bool = False  # whether an enumeration takes its codes in any spelling


def read_fields(spec: Mapping[str, Field], body: Mapping[str, Any], *, creating: bool) -> dict[str, Any]:
    """The typed fields of a body. Null and, but for required fields, "" mean *not set* and read as None."""
    for name in body:
        if name not in spec:
            raise ApiError(400, f"The field '{name}' is not a field of this resource or cannot be written")
    fields = {name: _read(name, spec[name], value) for name, value in body.items()}
    missing = [name for name, field in spec.items() if field.required and _unset(fields, name, creating)]
    if missing:
        raise ApiError(400, f"The field '{missing[0]}' is required")
    return fields


def _unset(fields: Mapping[str, Any], name: str, creating: bool) -> bool:
    """Whether a required field is missing; an update may leave it out but not empty it."""
    return fields.get(name) is None if creating or name in fields else False


def _read(name: str, field: Field, value: Any) -> Any:
    if value is None or value == "":
        return None
    if isinstance(value, Mapping) and "code" in value and field.kind != "object":
        raise ApiError(400, f"The field '{name}' is written as a plain value, not as a code with a display text")
    return _READERS[field.kind](name, field, value)


def _text(name: str, field: Field, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ApiError(400, f"The field '{name}' must be a text")
    text = str(value)
    if len(text) > field.limit:
        raise ApiError(400, f"The field '{name}' is longer than {field.limit} characters")
    if not text.strip() and field.required:
        raise ApiError(400, f"The field '{name}' is required")
    if field.pattern and not re.fullmatch(field.pattern, text):
        raise ApiError(400, f"The value '{text}' of the field '{name}' is not valid")
    return text


def _boolean(name: str, field: Field, value: Any) -> bool:
    folded = value.lower() if isinstance(value, str) else value
    if isinstance(folded, (bool, str)) and folded in _TRUTH:
        return _TRUTH[folded]
    raise ApiError(400, f"The field '{name}' must be true or false")


def _integer(name: str, field: Field, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        return int(value)
    raise ApiError(400, f"The field '{name}' must be a whole number")


def _enum(name: str, field: Field, value: Any) -> str:
    if isinstance(value, str) and value in field.codes:
        return value
    if isinstance(value, str) and field.any_case:
        for code in field.codes:
            if code.lower() == value.lower():
                return code
    raise ApiError(400, f"The value of the field '{name}' is not one of its codes")


def _object(name: str, field: Field, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ApiError(400, f"The field '{name}' must be an object")
    for member in value:
        if field.members and member not in field.members:
            raise ApiError(400, f"The field '{name}' has no member '{member}'")
    return dict(value)


def _names(name: str, field: Field, value: Any) -> list[str]:
    """A list of ``{"name": ...}``."""
    if not isinstance(value, list) or not all(isinstance(x, Mapping) and isinstance(x.get("name"), str) for x in value):
        raise ApiError(400, f"The field '{name}' must be a list of objects with a name")
    return [item["name"] for item in value]


def _texts(name: str, field: Field, value: Any) -> list[str]:
    """A list of plain texts."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ApiError(400, f"The field '{name}' must be a list of texts")
    return value


def _any(name: str, field: Field, value: Any) -> Any:
    return value


_READERS = {
    "text": _text,
    "boolean": _boolean,
    "integer": _integer,
    "enum": _enum,
    "object": _object,
    "names": _names,
    "texts": _texts,
    "any": _any,
}


def comma_list(value: str | None) -> list[str]:
    """A list written as one text with commas, as mailboxes take their users and groups."""
    return [item.strip() for item in (value or "").split(",") if item.strip()]
