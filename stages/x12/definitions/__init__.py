"""What the standard says, as tables: releases, sets, segments, elements, syntax notes, codes; and the loader that reads them.

One folder per release, edited by hand; a new set costs one outline file and the rows of the segments it brings along.

- ``elements.csv``: the element dictionary: reference number, name, type, minimum and maximum length.
- ``segments.csv``, ``composites.csv``: elements in order (``!`` = mandatory, ``*10`` = up to ten repetitions; ``...`` alone = not
  known here, so not checked) and syntax notes (``P0304``, ``R0203``, ...).
- ``codes.csv``: commonly used values. A value missing here is unknown, not wrong.
- ``NNN.txt``: a set's outline: ``segment requirement maximum [loop]``, indented by loop; ``>1`` is without limit.

Source: ANSI ASC X12 releases 004010 and 005010. Reading package data is the only input/output here, done once per release.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

import msgspec

ISA_LENGTH = 106
"""Characters of an interchange header with its terminator: the only segment of fixed width."""


class Element(msgspec.Struct, frozen=True):
    """An entry of the element dictionary. ``type`` is AN, ID, DT, TM, R, B, Nn (n implied decimals) or COMP (a composite)."""

    ref: str
    name: str
    type: str
    min: int
    max: int


class ElementUse(msgspec.Struct, frozen=True):
    """One position in a segment or composite; ``parts`` are the components of a composite, otherwise empty.

    ``repeats`` is how often it may occur at this position, separated by the repetition separator (from 00402 on).
    """

    element: Element
    mandatory: bool
    parts: tuple[ElementUse, ...] = ()
    notes: tuple[SyntaxNote, ...] = ()
    repeats: int = 1


class SyntaxNote(msgspec.Struct, frozen=True):
    """A relation between positions: P paired, R at least one, E at most one, C and L conditional on the first (L: any other)."""

    kind: str
    positions: tuple[int, ...]

    def holds(self, present: frozenset[int]) -> bool:
        """Whether a segment with data at exactly the positions in ``present`` keeps this note."""
        there = [position in present for position in self.positions]
        match self.kind:
            case "P":
                return all(there) or not any(there)
            case "R":
                return any(there)
            case "E":
                return sum(there) <= 1
            case "C":
                return not there[0] or all(there[1:])
            case _:  # L
                return not there[0] or any(there[1:])

    def explain(self, segment: str) -> str:
        """The note as a sentence: ``N103 and N104 go together``."""
        names = [f"{segment}{position:02d}" for position in self.positions]
        listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
        match self.kind:
            case "P":
                return f"{listed} go together: all of them or none"
            case "R":
                return f"at least one of {listed} must be present"
            case "E":
                return f"at most one of {listed} may be present"
            case "C":
                return f"{names[0]} needs {' and '.join(names[1:])}"
            case _:
                return f"{names[0]} needs at least one of {', '.join(names[1:])}"

    def __str__(self) -> str:
        return self.kind + "".join(f"{position:02d}" for position in self.positions)


class Segment(msgspec.Struct, frozen=True):
    """A segment: its elements in order and its syntax notes. ``open``: its elements are not known here."""

    id: str
    name: str
    elements: tuple[ElementUse, ...]
    notes: tuple[SyntaxNote, ...] = ()
    open: bool = False


class Node(msgspec.Struct, frozen=True):
    """A segment's place in a set, or a loop (then ``segment`` starts it and ``children`` follow). ``max`` None: no limit."""

    segment: str
    mandatory: bool
    max: int | None
    area: str  # header | detail | summary
    loop: bool = False
    children: tuple[Node, ...] = ()


class SetDefinition(msgspec.Struct, frozen=True):
    """A transaction set: ``group`` is its functional identifier (GS01), ``nodes`` run from ST to SE."""

    id: str
    group: str
    name: str
    nodes: tuple[Node, ...]

    def segments(self) -> frozenset[str]:
        """Every segment id that occurs anywhere in the set."""

        def walk(nodes: tuple[Node, ...]) -> Iterator[str]:
            for node in nodes:
                yield node.segment
                yield from walk(node.children)

        return frozenset(walk(self.nodes))


class Release(msgspec.Struct, frozen=True):
    """Everything known of one release. ``codes`` maps an element's reference number to its known values and their meanings."""

    version: str
    elements: Mapping[str, Element]
    segments: Mapping[str, Segment]
    codes: Mapping[str, Mapping[str, str]]
    sets: Mapping[str, SetDefinition]

    def meaning(self, ref: str, code: str) -> str:
        """What a code means, "" when unknown."""
        return self.codes.get(ref, {}).get(code, "")


@cache
def releases() -> tuple[str, ...]:
    """The releases there are tables for, oldest first."""
    return tuple(sorted(entry.name for entry in files(__name__).iterdir() if entry.name.isdigit()))


@cache
def release(version: str) -> Release:
    """The tables of a release, by the first six characters of ``version``. Raises KeyError when there are none."""
    if version[:6] not in releases():
        raise KeyError(version)
    if len(version) > 6:
        return release(version[:6])
    folder = files(__name__) / version
    elements = {row["element"]: _element(row) for row in _rows(folder / "elements.csv")}
    composites = {row["composite"]: row for row in _rows(folder / "composites.csv")}
    segments = {row["segment"]: _segment(row, elements, composites) for row in _rows(folder / "segments.csv")}
    codes: dict[str, dict[str, str]] = {}
    for row in _rows(folder / "codes.csv"):
        codes.setdefault(row["element"], {})[row["code"]] = row["meaning"]
    outlines = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".txt"))
    sets = {name[:-4]: _outline((folder / name).read_text(encoding="utf-8")) for name in outlines}
    return Release(
        version, MappingProxyType(elements), MappingProxyType(segments), MappingProxyType(codes), MappingProxyType(sets)
    )


def _rows(file: Traversable) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def _element(row: Mapping[str, str]) -> Element:
    return Element(row["element"], row["name"], row["type"], int(row["min"]), int(row["max"]))


def _segment(
    row: Mapping[str, str], elements: Mapping[str, Element], composites: Mapping[str, Mapping[str, str]]
) -> Segment:
    if row["elements"] == "...":
        return Segment(row["segment"], row["name"], (), (), True)
    uses = _uses(row["elements"], elements, composites)
    return Segment(row["segment"], row["name"], uses, _notes(row["notes"]))


def _uses(
    text: str, elements: Mapping[str, Element], composites: Mapping[str, Mapping[str, str]]
) -> tuple[ElementUse, ...]:
    def use(word: str) -> ElementUse:
        word, _, times = word.partition("*")
        ref, mandatory, repeats = word.rstrip("!"), word.endswith("!"), int(times or 1)
        if (composite := composites.get(ref)) is None:
            return ElementUse(elements[ref], mandatory, repeats=repeats)
        parts = _uses(composite["elements"], elements, {})
        longest = sum(part.element.max + 1 for part in parts)
        element = Element(ref, composite["name"], "COMP", 1, longest)
        return ElementUse(element, mandatory, parts, _notes(composite["notes"]), repeats)

    return tuple(use(word) for word in text.split())


def _notes(text: str) -> tuple[SyntaxNote, ...]:
    return tuple(
        SyntaxNote(word[0], tuple(int(word[i : i + 2]) for i in range(1, len(word), 2))) for word in text.split()
    )


def _outline(text: str) -> SetDefinition:
    head, *lines = text.splitlines()
    id, group, name = head.split(" ", 2)
    rows: list[tuple[int, str, list[str]]] = []
    area = "header"
    for line in lines:
        words = line.split()
        if len(words) == 1:
            area = words[0]
        else:
            rows.append(((len(line) - len(line.lstrip())) // 2, area, words))
    return SetDefinition(id, group, name, _nodes(rows))


def _nodes(rows: list[tuple[int, str, list[str]]]) -> tuple[Node, ...]:
    nodes: list[Node] = []
    while rows:
        depth, area, (segment, requirement, maximum, *loop) = rows[0]
        inner = 1
        while inner < len(rows) and rows[inner][0] > depth:
            inner += 1
        limit = None if maximum == ">1" else int(maximum)
        nodes.append(Node(segment, requirement == "M", limit, area, bool(loop), _nodes(rows[1:inner])))
        rows = rows[inner:]
    return tuple(nodes)
