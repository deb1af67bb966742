"""How a set is made from business objects, as data: rows of segments whose elements name their source.

    segment("BIG", {1: path("bill.date"), 2: path("bill.number"), 7: "DI"})
    each("line", "bill.lines", segment("IT1", {1: path("line.number"), ...}, children=(segment("PID", ...),)))

A plain text is a constant. A path starts at a key of the subject (``bill``) or at the variable of the surrounding `each`.
A segment is sent when one of its sources has a value (constants do not count), always when all it has are constants or
when the set demands it; its children only when it is. Nothing here runs: `stages.x12.writing.compiler.compile_plan` makes it run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from pipeline import DataError


class Path(msgspec.Struct, frozen=True):
    """A value by its path, ``bill.remit_to.address.city``. A None on the way makes it None.

    A ``volatile`` value is sent but is no source field: a change of it alone makes no new version of the document. What is ``known_by``
    another path is looked up by that one, which is then the source field in its place.
    """

    path: str
    volatile: bool = False
    known_by: str = ""


class Lookup(msgspec.Struct, frozen=True):
    """A value translated by a table. A value that is not in it refuses the document, unless ``optional`` (then it is empty).

    ``blank`` stands for an empty value. ``name`` says what the words are (``unit``); ``table_name`` is the guide's key.
    """

    name: str
    path: str
    table: Mapping[str, Any]
    blank: str = ""
    optional: bool = False
    table_name: str = ""


class Computed(msgspec.Struct, frozen=True):
    """A value made by a small pure function from the values of its paths. It may raise `Unusable`. ``volatile`` as in `Path`."""

    name: str
    function: Callable[..., Any]
    paths: tuple[str, ...]
    volatile: bool = False


Source = str | Path | Lookup | Computed


class Row(msgspec.Struct, frozen=True):
    """One segment. ``pairs`` are (qualifier, source) couples that fill the positions from ``pairs_from`` on, without gaps.

    ``by`` is the key of the guide that made the row, ``pairs_by`` the one that made the pairs; "" when none did. A guide has no say
    over the positions in ``exact`` (position -> why): it may neither leave them out nor fix them. ``guards`` says why a document that
    has something to say here cannot be sent when the guide forbids the segment; "" when it can.
    """

    segment: str
    elements: Mapping[int, Source]
    pairs_from: int = 0
    pairs: tuple[tuple[str, Source], ...] = ()
    when: Source | None = None  # sent only when this has a value
    children: tuple[Row, ...] = ()
    by: str = ""
    pairs_by: str = ""
    exact: Mapping[int, str] = {}
    guards: str = ""


class Each(msgspec.Struct, frozen=True):
    """The row and its children, once for each item of the sequence at ``over``, under the name ``var``."""

    var: str
    over: str
    row: Row


Check = Callable[[Mapping[str, Any]], Iterable[DataError]]


class SetMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A whole set. ``subject`` is the key of the business object: only its fields count as source fields.

    ``label`` is the path of what people call it. ``checks`` see the subject before anything is written and yield what
    forbids writing it. ``mappings`` are the paths whose values are mappings, where all other values have attributes: it is a
    promise that makes writing fast, and only slow when it is broken.
    """

    set: str
    rows: tuple[Row | Each, ...]
    subject: str
    label: str
    checks: tuple[Check, ...] = ()
    mappings: tuple[str, ...] = ("us", "partner", "document")


class Unusable(ValueError):
    """Raised by a computed source: this value cannot be sent, and why."""


def path(path: str, *, volatile: bool = False, known_by: str = "") -> Path:
    return Path(path, volatile, known_by)


def lookup(
    name: str, path: str, table: Mapping[str, Any], *, blank: str = "", optional: bool = False, table_name: str = ""
) -> Lookup:
    return Lookup(name, path, table, blank, optional, table_name)


def computed(name: str, function: Callable[..., Any], *paths: str, volatile: bool = False) -> Computed:
    return Computed(name, function, paths, volatile)


def purpose(original: str = "", *, replace: str = "05", cancel: str = "01") -> Lookup:
    """The purpose of the document (element 353): blank or ``original`` first, ``replace`` when it amends one sent before."""
    return Lookup("purpose", "document.purpose", {"original": original, "replace": replace, "cancel": cancel})


def segment(
    segment: str,
    elements: Mapping[int, Source],
    *,
    pairs_from: int = 0,
    pairs: tuple[tuple[str, Source], ...] = (),
    when: Source | None = None,
    children: tuple[Row, ...] = (),
    by: str = "",
    pairs_by: str = "",
    exact: Mapping[int, str] | None = None,
    guards: str = "",
) -> Row:
    return Row(segment, elements, pairs_from, pairs, when, children, by, pairs_by, exact or {}, guards)


def each(var: str, over: str, row: Row) -> Each:
    return Each(var, over, row)
