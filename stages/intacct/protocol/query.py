"""What to ask of a `query` function: fields, a filter tree, an order. Pure values; `requests` turns them into XML.

Paging is by key, never by offset: the gateway takes no snapshot, so an offset page loses rows when others move under it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

LARGEST_LIST = 100
"""How many values one ``in`` carries; longer lists are cut into several queries."""


class Compare(msgspec.Struct, frozen=True):
    """One comparison; ``operator`` is the gateway's element name. ``values`` are texts as the gateway displays them."""

    operator: str
    field: str
    values: tuple[str, ...] = ()


class Group(msgspec.Struct, frozen=True):
    """``and`` or ``or`` over two or more filters."""

    operator: str
    parts: tuple[Filter, ...]


Filter = Compare | Group


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One page. ``order`` names fields, ascending unless ``newest_first``. ``private`` also shows what belongs to entities, from the top level;
    ``offset`` is only to step over what fails a page. With ``counts`` or ``sums`` the ``fields`` are what they are grouped by.
    """

    object: str
    fields: tuple[str, ...]
    counts: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()
    filter: Filter | None = None
    order: tuple[str, ...] = ("RECORDNO",)
    newest_first: bool = False
    page_size: int = 100
    offset: int = 0
    private: bool = False


def all_of(parts: Iterable[Filter | None]) -> Filter | None:
    """All of these hold. The gateway wants two or more under ``and``, so one stands alone and none is no filter."""
    present = tuple(part for part in parts if part is not None)
    if len(present) < 2:
        return present[0] if present else None
    return Group("and", present)


def both(one: Filter, other: Filter) -> Filter:
    return Group("and", (one, other))


def among(field: str, values: Iterable[str]) -> Compare:
    """The field has one of these values; at most `LARGEST_LIST` of them."""
    return Compare("in", field, tuple(values))


def after(field: str, value: str) -> Compare:
    return Compare("greaterthan", field, (value,))


def beyond(first: str, first_value: str, second: str, second_value: str) -> Filter:
    """Strictly beyond the pair in the order (first, second): the next page of a keyset."""
    tie = Group("and", (Compare("equalto", first, (first_value,)), after(second, second_value)))
    return Group("or", (after(first, first_value), tie))


def compared(filter: Filter | None) -> frozenset[str]:
    """The fields that a filter names."""
    if filter is None:
        return frozenset()
    if isinstance(filter, Compare):
        return frozenset((filter.field,))
    return frozenset().union(*map(compared, filter.parts))


def slices(values: Iterable[str], size: int = LARGEST_LIST) -> list[tuple[str, ...]]:
    """The distinct values in their order, cut to what one ``in`` may carry."""
    distinct = list(dict.fromkeys(values))
    return [tuple(distinct[start : start + size]) for start in range(0, len(distinct), size)]
