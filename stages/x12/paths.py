"""Reading values by path from structs and dicts: ``bill.remit_to.address.city``, ``bill.lines.quantity``. No input/output."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import Any

import msgspec

Scope = Mapping[str, Any]


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
        return list(map(attrgetter(".".join(names)), items))
    except AttributeError:
        return [_walk(item, names) for item in items]


def fetcher(paths: tuple[str, ...]) -> Callable[[Scope], tuple[Any, ...]]:
    """A function that fetches all of these paths at once: in one step when they share a root that is a struct."""
    split = [path.split(".") for path in paths]

    def slow(scope: Scope) -> tuple[Any, ...]:
        return tuple(_walk(scope, names) for names in split)

    roots = {names[0] for names in split}
    if len(roots) != 1 or any(len(names) == 1 for names in split):
        return slow
    (root,) = roots
    attributes = attrgetter(*(".".join(names[1:]) for names in split))
    single = len(paths) == 1

    def quick(scope: Scope) -> tuple[Any, ...]:
        try:
            values = attributes(scope[root])
        except (AttributeError, KeyError):  # a None on the way, or a dict instead of a struct
            return slow(scope)
        return (values,) if single else values

    return quick


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
