"""Reading values by path from structs and dicts: ``bill.remit_to.address.city``, ``bill.lines.quantity``. No input/output."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec

Scope = Mapping[str, Any]


def resolver(path: str) -> Callable[[Any], Any]:
    """`resolve` for one path, ready to be used many times."""
    names = path.split(".")
    return lambda scope: _walk(scope, names)


def resolve(scope: Any, path: str) -> Any:
    """The value at the path; None when a part of the way is None or absent. On the way through a sequence: a list, item by item."""
    return _walk(scope, path.split("."))


def _walk(value: Any, names: list[str]) -> Any:
    for i, name in enumerate(names):
        if value is None:
            return None
        if isinstance(value, list | tuple):
            return _each(value, names[i:])
        value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
    return value


def _each(items: Sequence[Any], names: list[str]) -> list[Any]:
    try:
        return list(map(_getter(".".join(names)), items))
    except AttributeError:
        return [_walk(item, names) for item in items]


@cache
def _getter(path: str) -> Callable[[Any], Any]:
    return attrgetter(path)


def fingerprint(scope: Scope, paths: tuple[str, ...]) -> str:
    """SHA-256 over the values at these paths, hexadecimal. Amounts count by value (1.50 is 1.5); the order of paths does not."""
    values = {path: _canonical(resolve(scope, path)) for path in sorted(paths)}
    return hashlib.sha256(msgspec.json.encode(values, order="deterministic")).hexdigest()


def _canonical(value: Any) -> Any:
    match value:
        case Decimal():
            return format(value.normalize() if value else Decimal(0), "f")
        case list() | tuple():
            return [_canonical(item) for item in value]
        case None | bool() | str():
            return value
        case int():
            return str(value)
        case date():
            return value.isoformat()
        case _:
            return (
                _canonical(msgspec.to_builtins(value, builtin_types=(Decimal, date)))
                if _is_struct(value)
                else str(value)
            )


def _is_struct(value: Any) -> bool:
    return isinstance(value, msgspec.Struct)
