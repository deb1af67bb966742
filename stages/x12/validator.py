"""Checking an interchange against the standard: envelope, structure, elements, relations, codes, sums. No input/output.

It shares the tables and the walk with the encoder, and nothing else: it reads bytes and judges texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Literal

import msgspec

from stages.x12.definitions import ElementUse, Release, Segment, SyntaxNote, release, releases
from stages.x12.guide import CLOSED_CODES, Delimiters
from stages.x12.reader import NotX12, ReadHeader, ReadSegment, read
from stages.x12.structure import Misplaced, Walker
from stages.x12.totals import wrong_sums

_CLOSED = CLOSED_CODES | {"I01", "I03", "I05", "I13", "I14"}
_REAL = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)")
_WHOLE = re.compile(r"-?\d+")
_TIME = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d\d{0,2})?")


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. ``position`` counts segments from ST = 1 (0 in the envelope), ``element`` from 1 (0: the segment itself).

    ``standard`` is the code an acknowledgement would carry: ``723/5`` is value 5 of element 723.
    """

    severity: Literal["error", "warning"] = "error"
    segment: str
    element: int = 0
    position: int = 0
    offset: int = 0
    message: str
    value: str = ""
    standard: str = ""

    def __str__(self) -> str:
        place = f"{self.segment}{self.element:02d}" if self.element else self.segment
        at = f"segment {self.position}" if self.position else f"byte {self.offset}"
        return f"{self.severity}: {place} at {at}: {self.message}"


def validate(payload: bytes) -> list[Violation]:
    """Everything that is wrong with the interchanges in these bytes, in their order. Empty when nothing is."""
    checker = _Checker()
    try:
        for segment in read([payload]):
            checker.take(segment)
    except NotX12 as error:
        checker.report(Violation(segment="", offset=error.offset, message=error.why))
    checker.finish()
    return checker.found


class _Checker:
    """Holds what is open: interchange, group, set; and compares when it is closed."""

    def __init__(self) -> None:
        self.found: list[Violation] = []
        self._isa: ReadHeader | None = None
        self._gs: ReadSegment | None = None
        self._st: ReadSegment | None = None
        self._groups = self._sets = 0
        self._numbers: set[str] = set()
        self._tables: Release | None = None
        self._walker: Walker | None = None
        self._body: list[ReadSegment] = []

    def report(self, violation: Violation) -> None:
        self.found.append(violation)

    def take(self, segment: ReadSegment) -> None:
        if isinstance(segment, ReadHeader):
            self._open_interchange(segment)
            return
        handlers: dict[str, Callable[[ReadSegment], None]] = {
            "GS": self._open_group,
            "ST": self._open_set,
            "SE": self._close_set,
            "GE": self._close_group,
            "IEA": self._close_interchange,
        }
        handlers.get(segment.id, self._inside)(segment)

    def finish(self) -> None:
        """The input is over."""
        for opened, id in ((self._st, "SE"), (self._gs, "GE"), (self._isa, "IEA")):
            if opened is not None:
                self._error(opened, f"{id} is missing: the input ends before this {opened.id} is closed")

    # -- envelope -----------------------------------------------------------------------------------------------------

    def _open_interchange(self, isa: ReadHeader) -> None:
        if self._isa is not None:
            self._error(isa, "ISA inside of an interchange: IEA is missing")
        self._isa, self._gs, self._st, self._groups = isa, None, None, 0
        version = f"{isa[12]}0" if f"{isa[12]}0" in releases() else releases()[0]
        self._elements(isa, release(version))
        if not isa[13].isdigit() or int(isa[13]) == 0:
            self._error(isa, "the interchange control number must be 000000001 or more", 13)

    def _open_group(self, gs: ReadSegment) -> None:
        if self._gs is not None:
            self._error(gs, "GS inside of a group: GE is missing", standard="716/3")
        self._gs, self._st, self._sets, self._numbers = gs, None, 0, set()
        self._groups += 1
        self._tables = release(gs[8]) if gs[8][:6] in releases() else None
        if self._tables is None:
            self._warn(gs, f"no tables for release {gs[8]!r}: only the envelope is checked", 8)
        self._elements(gs, self._tables or release(releases()[0]))

    def _open_set(self, st: ReadSegment) -> None:
        if self._gs is None:
            self._error(st, "ST outside of a group")
        if self._st is not None:
            self._error(st, "ST inside of a set: SE is missing", standard="718/2")
        self._st, self._body, self._walker = st, [st], None
        self._sets += 1
        if st[2] in self._numbers:
            self._error(st, "this control number was used before in the group", 2, "718/23")
        self._numbers.add(st[2])
        if self._tables is None:
            return
        self._elements(st, self._tables)
        definition = self._tables.sets.get(st[1])
        if definition is None:
            self._warn(st, f"no tables for set {st[1]!r}: its structure is not checked", 1)
            return
        self._walker = Walker(definition)
        self._structure(st, self._walker.step("ST"))
        if self._gs is not None and self._gs[1] != definition.group:
            self._error(st, f"set {st[1]} belongs in a group {definition.group}, not {self._gs[1]}", 1)

    def _close_set(self, se: ReadSegment) -> None:
        if self._st is None:
            self._error(se, "SE without ST")
            return
        self._inside(se)
        if self._walker is not None:
            self._structure(se, self._walker.finish())
        self._compare(se, 1, str(se.position), "segments from ST to SE", "718/4", count=True)
        self._compare(se, 2, self._st[2], "the control number of ST", "718/3")
        for wrong in wrong_sums(self._st[1], self._body):
            severity: Literal["error", "warning"] = "warning" if wrong.slight else "error"
            self._add(wrong.segment, wrong.message, wrong.position, severity=severity)
        self._st = self._walker = None

    def _close_group(self, ge: ReadSegment) -> None:
        if self._st is not None:
            self._error(self._st, "SE is missing before GE", standard="718/2")
        if self._gs is None:
            self._error(ge, "GE without GS")
            return
        self._elements(ge, self._tables or release(releases()[0]))
        self._compare(ge, 1, str(self._sets), "sets in the group", "716/5", count=True)
        self._compare(ge, 2, self._gs[6], "the control number of GS", "716/4", count=True)
        self._gs = self._st = None

    def _close_interchange(self, iea: ReadSegment) -> None:
        if self._gs is not None:
            self._error(self._gs, "GE is missing before IEA", standard="716/3")
        if self._isa is None:
            self._error(iea, "IEA without ISA")
            return
        self._elements(iea, release(releases()[0]))
        self._compare(iea, 1, str(self._groups), "groups in the interchange", "I18/021", count=True)
        self._compare(iea, 2, self._isa[13], "the control number of ISA", "I18/001")
        self._isa = self._gs = self._st = None

    def _compare(
        self, at: ReadSegment, element: int, expected: str, what: str, standard: str, *, count: bool = False
    ) -> None:
        value = at[element]
        same = int(value) == int(expected) if count and value.isdigit() and expected.isdigit() else value == expected
        if not same:
            self._error(at, f"{value!r} is not {expected}, {what}", element, standard)

    # -- within a set -------------------------------------------------------------------------------------------------

    def _inside(self, segment: ReadSegment) -> None:
        if self._st is None:
            if segment.id != "TA1" or self._gs is not None:
                self._error(segment, f"segment {segment.id!r} outside of a set")
            return
        self._body.append(segment)
        if self._walker is not None:
            self._structure(segment, self._walker.step(segment.id))
        if self._tables is not None:
            self._elements(segment, self._tables)

    def _structure(self, at: ReadSegment, problems: list[Misplaced]) -> None:
        for problem in problems:
            where = f" in loop {problem.loop}" if problem.loop else ""
            match problem.problem:
                case "missing":
                    self._error(
                        at,
                        f"mandatory segment {problem.segment} is missing{where}",
                        standard="720/3",
                        segment=problem.segment,
                    )
                case "too_many":
                    self._error(at, f"more than {problem.limit} of {problem.segment}{where}", standard="720/5")
                case "order":
                    self._error(at, f"segment {problem.segment} is out of order", standard="720/7")
                case "unknown":
                    self._error(at, f"segment {problem.segment!r} does not belong in this set", standard="720/2")

    def _elements(self, segment: ReadSegment, tables: Release) -> None:
        known = tables.segments.get(segment.id)
        if known is None:
            if self._walker is None and self._st is not None:
                return  # the set is unknown: so may its segments be
            return
        marks = self._isa.delimiters if self._isa is not None else Delimiters()
        for position, message, value, standard, severity in _element_problems(segment, known, tables, marks):
            self._add(segment, message, position, standard, severity=severity, value=value)

    # -- reporting ----------------------------------------------------------------------------------------------------

    def _error(self, at: ReadSegment, message: str, element: int = 0, standard: str = "", *, segment: str = "") -> None:
        self._add(at, message, element, standard, segment=segment)

    def _warn(self, at: ReadSegment, message: str, element: int = 0) -> None:
        self._add(at, message, element, severity="warning")

    def _add(
        self,
        at: ReadSegment,
        message: str,
        element: int = 0,
        standard: str = "",
        *,
        severity: Literal["error", "warning"] = "error",
        value: str = "",
        segment: str = "",
    ) -> None:
        self.report(
            Violation(
                severity=severity,
                segment=segment or at.id,
                element=element,
                position=at.position,
                offset=at.offset,
                message=message,
                value=value or (at[element] if element else ""),
                standard=standard,
            )
        )


Problem = tuple[int, str, str, str, Literal["error", "warning"]]  # position, message, value, standard, severity


def _element_problems(segment: ReadSegment, known: Segment, tables: Release, marks: Delimiters) -> Iterator[Problem]:
    if len(segment.elements) > len(known.elements):
        extra = len(known.elements) + 1
        yield (
            extra,
            f"{segment.id} has {len(known.elements)} elements, not {len(segment.elements)}",
            "",
            "723/3",
            "error",
        )
    if segment.elements and not segment.elements[-1] and segment.id != "ISA":
        yield len(segment.elements), "trailing separators should be dropped", "", "", "warning"
    for position, use in enumerate(known.elements, start=1):
        yield from ((position, *problem) for problem in _value_problems(segment[position], use, tables, marks))
    present = frozenset(i for i, text in enumerate(segment.elements, start=1) if text)
    yield from _note_problems(segment.id, known.notes, present)


def _note_problems(id: str, notes: tuple[SyntaxNote, ...], present: frozenset[int]) -> Iterator[Problem]:
    for note in notes:
        if not note.holds(present):
            empty = next((p for p in note.positions if p not in present), note.positions[-1])
            standard = "723/10" if note.kind == "E" else "723/2"
            yield empty, f"{note.explain(id)} (syntax note {note})", "", standard, "error"


def _value_problems(
    text: str, use: ElementUse, tables: Release, marks: Delimiters
) -> Iterator[tuple[str, str, str, Literal["error", "warning"]]]:
    element = use.element
    if not text:
        if use.mandatory:
            yield f"{element.name} is mandatory and missing", "", "723/1", "error"
        return
    if use.parts:
        components = text.split(marks.component)
        for part, component in zip(use.parts, components, strict=False):
            yield from _value_problems(component, part, tables, marks)
        return
    numeric = element.type == "R" or element.type[0] == "N"
    length = sum(c.isdigit() for c in text) if numeric else len(text)
    if length > element.max:
        yield f"{element.name} has {length} characters; the maximum is {element.max}", text, "723/5", "error"
    elif length < element.min:
        yield f"{element.name} has {length} characters; the minimum is {element.min}", text, "723/4", "error"
    elif wrong := _wrong_type(text, element.type):
        yield f"{element.name}: {text!r} is not {wrong[0]}", text, wrong[1], "error"
    elif element.type == "ID" and element.ref in tables.codes and text not in tables.codes[element.ref]:
        severity: Literal["error", "warning"] = "error" if element.ref in _CLOSED else "warning"
        yield f"{element.name}: code {text!r} is unknown", text, "723/7", severity


def _wrong_type(text: str, kind: str) -> tuple[str, str] | None:
    """What the text should have been, and the 723 code; None when it is right."""
    match kind:
        case "R":
            return None if _REAL.fullmatch(text) else ("a number", "723/6")
        case "DT":
            return None if _is_date(text) else ("a date", "723/8")
        case "TM":
            return None if _TIME.fullmatch(text) else ("a time of day", "723/9")
        case "AN" | "ID" | "B":
            return None if all(c.isprintable() for c in text) else ("printable text", "723/6")
        case _:
            return None if _WHOLE.fullmatch(text) else ("a whole number (its decimals are implied)", "723/6")


def _is_date(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y%m%d" if len(text) == 8 else "%y%m%d")  # noqa: DTZ007 - a calendar date has no zone
    except ValueError:
        return False
    return text.isdigit()
