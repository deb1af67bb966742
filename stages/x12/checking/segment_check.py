"""Judging one segment by itself: presence, type, length, characters, codes, repetitions, components, relations. No input/output.

There are two ways through. `SegmentCheck.problems` looks at every element and defines the result. A segment in which it found
nothing teaches its shape: which elements are there, what each may look like, as one compiled pattern. Segments of a known
shape are settled by that pattern; all others are looked at. A pattern accepts only what `problems` would find nothing in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from stages.x12.checking.violation import Severity
from stages.x12.definitions import ElementUse, Release, Segment, SyntaxNote
from stages.x12.guide import CLOSED_CODES, Delimiters, Guide, overridden

CLOSED = CLOSED_CODES | {"I01", "I03", "I05", "I13", "I14", "I17", "715", "717"}
"""Elements whose list of values is known in full: another value there is an error, not a warning."""

_REAL = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_WHOLE = re.compile(r"-?[0-9]+")
_CODE = re.compile(r"[A-Z0-9](?:[A-Z0-9 ./-]*[A-Z0-9])?")  # postal codes (116) are codes too
_SEPARATORS = ("I15", "I65")  # ISA16, and ISA11 where it is one
_TIME = r"(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9](?:[0-9]{1,2})?)?"
_TIME_OF_DAY = re.compile(_TIME)
_DAY = (
    r"(?:19|20)[0-9]{2}(?:(?:0[1-9]|1[0-2])(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])(?:29|30)|(?:0[13578]|1[02])31)"
)
_BASIC = re.compile(r"""[A-Z0-9 !"&'()*+,\-./:;?=]*""")
_SHAPES = 6  # patterns per segment and number of elements; what comes in more shapes is looked at each time
_LESSONS = 3  # how often a shape must be seen before its pattern is worth compiling
_LONGEST_LIST = 120  # codes in a pattern


class Problem(NamedTuple):
    """One fault within a segment; ``kind`` is a key of `stages.x12.checking.violation.KINDS`."""

    element: int
    kind: str
    message: str
    value: str = ""
    severity: Severity = "error"
    ref: str = ""
    component: int = 0
    repeat: int = 0


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What may stand at one position: the standard's use with the guide on top."""

    standard: ElementUse
    mandatory: bool
    max: int
    parts: tuple[Use, ...] = ()
    required: bool = False  # by the guide
    forbidden: bool = False
    fixed: str = ""
    codes: Mapping[str, str] | None = None
    closed: bool = False
    allowed: tuple[str, ...] = ()  # by the guide; empty: all the standard allows
    free: bool = False  # the guide knows better than the standard


def _use(standard: ElementUse, name: str, tables: Release, guide: Guide | None) -> Use:
    element = standard.element
    parts = tuple(_use(part, "", tables, None) for part in standard.parts)
    codes = tables.codes.get(element.ref) if element.type == "ID" else None
    closed = element.ref in CLOSED
    if guide is None:
        return Use(
            standard=standard, mandatory=standard.mandatory, max=element.max, parts=parts, codes=codes, closed=closed
        )
    required, free = name in guide.require, bool(name) and overridden(guide, name)
    limit = guide.limits.get(name, element.max)
    return Use(
        standard=standard, mandatory=required or (standard.mandatory and not free),
        max=limit if free else min(element.max, limit), parts=parts, required=required, forbidden=name in guide.forbid,
        codes=None if free else codes, closed=closed, allowed=guide.codes.get(name, ()), free=free,
        fixed="" if name in ("BIG08", "BEG01") else guide.fixed.get(name, ""),  # a fixed purpose holds for originals only
    )  # fmt: skip


class SegmentCheck:
    """One segment of one release under one set of delimiters and, if there is one, one guide. Share it: it only learns."""

    def __init__(self, segment: Segment, tables: Release, marks: Delimiters, guide: Guide | None = None) -> None:
        self.segment = segment
        self.id = segment.id
        self.learned: dict[int, list[Callable[[str], object]]] = {}
        """Patterns by number of separators in the segment."""
        self._uses = tuple(
            _use(use, f"{segment.id}{position:02d}", tables, guide) for position, use in enumerate(segment.elements, 1)
        )
        self._marks = marks
        self._guide = guide
        self._seen: dict[tuple[bool, ...], int] = {}
        self._repeats = "I65" in tables.elements and bool(marks.repetition)

    # -- looking ----------------------------------------------------------------------------------------------------------

    def problems(self, fields: Sequence[str]) -> Iterator[Problem]:
        """Everything that is wrong with a segment; ``fields[0]`` is its id."""
        if self.segment.open:
            return
        known = len(self._uses)
        if len(fields) - 1 > known:
            message = f"{self.id} has {known} elements, not {len(fields) - 1}"
            yield Problem(known + 1, "too_many_elements", message)
        if len(fields) > 1 and not fields[-1]:
            yield Problem(len(fields) - 1, "untidy", "trailing separators should be dropped", severity="warning")
        for position, use in enumerate(self._uses, 1):
            text = fields[position] if position < len(fields) else ""
            yield from self._element(position, text, use)
        present = frozenset(i for i, text in enumerate(fields) if i and text)
        notes = [note for note in self.segment.notes if not any(self._is_free(position) for position in note.positions)]
        yield from _note_problems(self.id, notes, present)

    def _is_free(self, position: int) -> bool:
        return position <= len(self._uses) and self._uses[position - 1].free

    def _element(self, position: int, text: str, use: Use) -> Iterator[Problem]:
        if not text:
            if use.mandatory:
                name = use.standard.element.name
                kind = "missing" if use.standard.mandatory else "guide_missing"
                why = "is mandatory and missing" if use.standard.mandatory else "is missing; `guide.require` names it"
                yield Problem(position, kind, f"{name} {why}", ref=_ref(use))
            return
        if use.forbidden:
            yield Problem(
                position,
                "guide_forbidden",
                f"{use.standard.element.name} is forbidden by the guide",
                text,
                ref=_ref(use),
            )
        if not self._repeats or self._marks.repetition not in text or self.id == "ISA":
            yield from self._value(position, text, use)
            return
        several = text.split(self._marks.repetition)
        if len(several) > use.standard.repeats:
            message = f"{use.standard.element.name} occurs {len(several)} times; it may occur {use.standard.repeats}"
            yield Problem(position, "repetitions", message, text, ref=_ref(use))
        for repeat, one in enumerate(several, 1):
            yield from (problem._replace(repeat=repeat) for problem in self._value(position, one, use))

    def _value(self, position: int, text: str, use: Use) -> Iterator[Problem]:
        component = self._marks.component
        if use.parts:
            yield from self._composite(position, text, use)
        elif component and component in text and self.id != "ISA":
            name = use.standard.element.name
            yield Problem(
                position, "components", f"{name}: {_shown(text)} holds the component separator", text, ref=_ref(use)
            )
        else:
            yield from (problem._replace(element=position) for problem in self._simple(text, use))

    def _composite(self, position: int, text: str, use: Use) -> Iterator[Problem]:
        parts = text.split(self._marks.component) if self._marks.component else [text]
        name = use.standard.element.name
        if len(parts) > len(use.parts):
            message = f"{name} has {len(use.parts)} components, not {len(parts)}"
            yield Problem(position, "components", message, text, ref=_ref(use))
        for number, part in enumerate(use.parts, 1):
            one = parts[number - 1] if number <= len(parts) else ""
            if not one and part.mandatory:
                message = f"{part.standard.element.name} is mandatory in {name} and missing"
                yield Problem(position, "missing", message, ref=_ref(part), component=number)
            elif one:
                yield from (problem._replace(element=position, component=number) for problem in self._simple(one, part))
        present = frozenset(i for i, one in enumerate(parts, 1) if one)
        for problem in _note_problems(f"{self.id}{position:02d}-", use.standard.notes, present):
            yield problem._replace(element=position, component=problem.element)

    def _simple(self, text: str, use: Use) -> Iterator[Problem]:
        """Faults of one value; their ``element`` is yet to be set."""
        if not text:
            return  # between two repetition separators
        yield from (problem._replace(value=visible(problem.value, problem.ref)) for problem in self._judged(text, use))

    def _judged(self, text: str, use: Use) -> Iterator[Problem]:
        element, ref = use.standard.element, _ref(use)
        numeric = element.type == "R" or element.type[0] == "N"
        length = sum(c.isdigit() for c in text) if numeric else len(text)
        if length > use.max:
            by_guide = use.free or length <= element.max
            kind, whose, highest = (
                ("guide_long", " of the guide", use.max) if by_guide else ("too_long", "", element.max)
            )
            yield Problem(
                0, kind, f"{element.name} has {length} characters; the maximum{whose} is {highest}", text, ref=ref
            )
        elif length < element.min and not (numeric and not length):
            yield Problem(
                0, "too_short", f"{element.name} has {length} characters; the minimum is {element.min}", text, ref=ref
            )
        elif ref in _SEPARATORS:
            return  # what may separate is for the scanner to say
        elif element.type == "AN" and text.isspace() and self.id != "ISA":
            yield Problem(0, "blank", f"{element.name} holds nothing but spaces", text, ref=ref)
            return
        elif wrong := _wrong_type(text, element.type):
            yield Problem(0, wrong[1], f"{element.name}: {_shown(visible(text, ref))} is not {wrong[0]}", text, ref=ref)
        elif element.type == "ID" and not use.free and not _CODE.fullmatch(text):
            yield Problem(
                0, "code", f"{element.name}: {_shown(text)} is no code, which is of capitals and digits", text, ref=ref
            )
        elif use.codes is not None and text not in use.codes and text not in use.allowed:
            severity: Severity = "error" if use.closed else "warning"
            yield Problem(0, "code", f"{element.name}: code {_shown(text)} is unknown", text, severity, ref)
        if use.allowed and text not in use.allowed:
            message = f"{element.name}: {_shown(text)} is not one of {', '.join(use.allowed)}, which the guide allows"
            yield Problem(0, "guide_code", message, text, ref=ref)
        if use.fixed and text != use.fixed:
            yield Problem(
                0,
                "guide_code",
                f"{element.name}: {_shown(visible(text, ref))} is not {use.fixed!r}, which the guide fixes",
                text,
                ref=ref,
            )
        yield from self._characters(text, use)

    def _characters(self, text: str, use: Use) -> Iterator[Problem]:
        element, ref = use.standard.element, _ref(use)
        if element.type == "R" and text[-1] == ".":
            yield Problem(0, "untidy", f"{element.name}: the point at the end should be dropped", text, "warning", ref)
        if element.type not in ("AN", "ID"):
            return
        if self._guide is not None and not (
            text.isascii() if self._guide.charset == "extended" else _BASIC.fullmatch(text)
        ):
            message = f"{element.name}: {_shown(visible(text, ref))} is not all in the {self._guide.charset} character set of the guide"
            yield Problem(0, "character", message, text, ref=ref)
        elif not text.isascii() and text.isprintable():
            message = (
                f"{element.name}: {_shown(visible(text, ref))} has characters beyond ASCII, which few partners can read"
            )
            yield Problem(0, "character", message, text, "warning", ref)
        if element.type == "AN" and text[-1] == " " and len(text) > element.min and self.id != "ISA":
            yield Problem(0, "untidy", f"{element.name}: trailing spaces should be dropped", text, "warning", ref)

    def known_good(self, text: str, fields: Sequence[str]) -> bool:
        """Whether the segment has a shape in which nothing can be wrong. Not so says nothing: look at it."""
        return any(fits(text) for fits in self.learned.get(len(fields) - 1, ()))

    # -- learning ---------------------------------------------------------------------------------------------------------

    def learn(self, text: str, fields: Sequence[str]) -> None:
        """Remember the shape of a segment in which `problems` found nothing."""
        shape = tuple(map(bool, fields))
        seen = self._seen.get(shape, 0) + 1
        if seen > _LESSONS or (seen == 1 and len(self._seen) > 64):
            return
        self._seen[shape] = seen
        patterns = self.learned.setdefault(len(fields) - 1, [])
        if seen == _LESSONS and len(patterns) < _SHAPES and not self.segment.open and text.isascii():
            pattern = self._shape(fields)
            if pattern is not None:
                patterns.append(re.compile(pattern).fullmatch)

    def _shape(self, fields: Sequence[str]) -> str | None:
        mark = re.escape(self._marks.element)
        parts = [re.escape(self.id)]
        for use, text in zip(self._uses, fields[1:], strict=False):
            pattern = self._element_pattern(use, text)
            if pattern is None:
                return None
            parts.append(pattern)
        return mark.join(parts)

    def _element_pattern(self, use: Use, text: str) -> str | None:
        if not text:
            return ""
        if self._repeats and self._marks.repetition in text:
            return None
        if not use.parts:
            return self._pattern(use, text)
        texts = text.split(self._marks.component) if self._marks.component else [text]
        patterns: list[str] = []
        for part, one in zip(use.parts, texts, strict=False):
            pattern = self._pattern(part, one) if one else ""
            if pattern is None:
                return None
            patterns.append(pattern)
        return re.escape(self._marks.component).join(patterns)

    def _pattern(self, use: Use, text: str) -> str | None:
        """What a good value looks like, a subset of what `_simple` finds nothing in."""
        element, low, high = use.standard.element, use.standard.element.min, use.max
        if use.fixed:
            return re.escape(text)
        if use.allowed or use.free:
            return None
        match element.type:
            case "ID" if use.codes is not None:
                codes = [text, *(code for code in use.codes if code != text and low <= len(code) <= high)]
                codes = [code for code in codes if re.fullmatch(self._any_of(""), code)]
                return f"(?:{'|'.join(map(re.escape, codes))})" if len(codes) <= _LONGEST_LIST else None
            case "ID":
                return f"[A-Z0-9]{{{low},{high}}}"
            case "AN":
                return f"{self._any_of('')[:-1]}{{{max(low - 1, 0)},{high - 1}}}{self._any_of(' ')[:-1]}"
            case "DT":
                return _DAY if (low, high) == (8, 8) else None
            case "TM":
                return f"(?=[0-9]{{{low},{high}}}(?![0-9])){_TIME}"
            case "R":
                return rf"-?(?:[0-9]{{{low},{high}}}|(?=[0-9.]{{{low + 1},{high + 1}}}(?![0-9.]))[0-9]*\.[0-9]+)"
            case kind if kind[0] == "N":
                return f"-?[0-9]{{{low},{high}}}"
        return None

    def _any_of(self, but: str) -> str:
        """Any number of characters that may stand in a text of this partner, without delimiters and ``but``."""
        marks = self._marks.element + self._marks.component + (self._marks.repetition if self._repeats else "") + but
        allowed = [chr(code) for code in range(0x20, 0x7F) if chr(code) not in marks]
        if self._guide is not None and self._guide.charset == "basic":
            allowed = [c for c in allowed if _BASIC.fullmatch(c)]
        return f"[{''.join(map(re.escape, allowed))}]*"


def _ref(use: Use) -> str:
    return use.standard.element.ref


def visible(text: str, ref: str) -> str:
    """The value as people may see it: of a bank account (element 508) the last four characters."""
    return f"{'*' * (len(text) - 4)}{text[-4:]}" if ref == "508" and len(text) > 4 else text


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 60 else repr(text[:57] + "...")


def _note_problems(id: str, notes: Iterable[SyntaxNote], present: frozenset[int]) -> Iterator[Problem]:
    for note in notes:
        if not note.holds(present):
            empty = next((p for p in note.positions if p not in present), note.positions[-1])
            kind = "exclusion" if note.kind == "E" else "conditional"
            yield Problem(empty, kind, f"{note.explain(id)} (syntax note {note})")


def _wrong_type(text: str, type: str) -> tuple[str, str] | None:
    """What the text should have been, and the kind of fault; None when it is right."""
    match type:
        case "R":
            return None if _REAL.fullmatch(text) else ("a number", "character")
        case "DT":
            return None if _is_date(text) else ("a date", "date")
        case "TM":
            return None if _TIME_OF_DAY.fullmatch(text) else ("a time of day", "time")
        case "AN" | "ID" | "B":
            return None if text.isprintable() else ("printable text", "character")
        case _:
            return None if _WHOLE.fullmatch(text) else ("a whole number (its decimals are implied)", "character")


def _is_date(text: str) -> bool:
    if not (text.isascii() and text.isdigit() and len(text) in (6, 8)):
        return False
    try:
        datetime.strptime(text, "%Y%m%d" if len(text) == 8 else "%y%m%d")  # noqa: DTZ007 - a calendar date has no zone
    except ValueError:
        return False
    return True
