"""How a simulated partner reads what it was sent: strictly, and by nothing but its own tables.

Sources: X12.5 interchange control structures; the mandatory segments and element types of the sets 810, 820 and 850; the codes of the
elements I18 (interchange notes), 716 (group errors), 718 (set errors), 720 (segment errors) and 723 (element errors).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

Row = list[str]
"""A segment: its id, then its elements."""


class Unsound(Exception):
    """An envelope that cannot be taken: ``note`` is element I18. Its text is for the simulator's log."""

    def __init__(self, note: str, why: str) -> None:
        super().__init__(why)
        self.note = note


@dataclass(frozen=True)
class Note:
    """What is wrong with a segment (``error``, element 720), and with which of its elements (``fault``, element 723)."""

    segment: str
    position: int  # in its set, ST is 1
    error: str
    element: int = 0
    reference: str = ""  # the data element's own number
    fault: str = ""
    value: str = ""


@dataclass
class Set:
    """One transaction set. ``codes`` (element 718) say what is wrong with it, ``notes`` where."""

    code: str
    control: str
    codes: list[str] = field(default_factory=list)
    reference: str = ""  # the number it carries
    notes: list[Note] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)  # what stands between ST and SE


@dataclass
class Group:
    functional: str
    number: str
    version: str
    sets: list[Set] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)  # element 716


@dataclass
class Interchange:
    """``head`` are the elements of ISA, from 1; ``marks`` element separator, terminator and component separator."""

    head: list[str]
    marks: tuple[str, str, str]
    groups: list[Group] = field(default_factory=list)


def read_head(payload: bytes) -> Interchange:
    """The fixed header. `Unsound` with no note when it is no header at all: then there is nobody to answer."""
    text = payload[:106].decode("latin-1")
    if len(text) < 106 or not text.startswith("ISA"):
        raise Unsound("", "no ISA of 106 characters")
    mark, component, terminator = text[3], text[104], text[105]
    head = text[:105].split(mark)
    widths = [len(part) for part in head]
    if widths != [3, 2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1]:
        raise Unsound("", f"the elements of ISA have the widths {widths}")
    return Interchange(head, (mark, terminator, component))


_HEAD: tuple[tuple[int, str, Callable[[str], object]], ...] = (
    (9, "014", lambda text: _is_date(f"20{text}")),
    (10, "015", lambda text: re.fullmatch(r"([01]\d|2[0-3])[0-5]\d", text)),
    (12, "017", lambda text: re.fullmatch(r"00[2-8]0\d", text)),
    (13, "018", lambda text: re.fullmatch(r"\d{9}", text) and int(text)),
    (14, "019", lambda text: text in ("0", "1")),
    (15, "020", lambda text: text in ("P", "T", "I")),
)
"""Elements of ISA, the note for one that is not valid, and what makes it valid."""


def read(payload: bytes) -> Interchange:
    """A whole interchange, nothing before and nothing after. `Unsound` when its envelope does not hold."""
    found = read_head(payload)
    for place, note, valid in _HEAD:
        if not valid(found.head[place]):
            raise Unsound(note, f"ISA{place:02d} is {found.head[place]!r}")
    mark, terminator, _ = found.marks
    lines = [line.strip("\r\n") for line in payload.decode("latin-1").split(terminator)]
    if lines[-1]:
        raise Unsound("022", "the last segment has no terminator")
    rows = [line.split(mark) for line in lines[1:-1]]
    if not rows or rows[-1][0] != "IEA" or any(row[0] == "IEA" for row in rows[:-1]):
        raise Unsound("023", "it does not end with its only IEA")
    tail = rows.pop()
    if tail[2:] != [found.head[13]]:
        raise Unsound("001", "IEA02 is not ISA13")
    while rows:
        rows = _read_group(found, rows)
    if tail[1] != str(len(found.groups)):
        raise Unsound("021", "IEA01 is not the number of groups")
    return found


def _read_group(found: Interchange, rows: list[Row]) -> list[Row]:
    """Takes one group from the front of the rows."""
    head = rows[0]
    end = next((n for n, row in enumerate(rows) if row[0] == "GE"), None)
    if head[0] != "GS" or len(head) != 9 or end is None:
        raise Unsound("024", "a group does not begin with GS or does not end with GE")
    group = Group(head[1], head[6], head[8])
    inner, tail = rows[1:end], rows[end]
    while inner:
        inner = _read_set(group, inner)
    group.codes += ["4"] if tail[2:] != [group.number] else []
    group.codes += ["5"] if tail[1] != str(len(group.sets)) else []
    found.groups.append(group)
    return rows[end + 1 :]


def _read_set(group: Group, rows: list[Row]) -> list[Row]:
    head = rows[0]
    if head[0] != "ST" or len(head) < 3:
        raise Unsound("024", f"a segment {head[0]} stands outside of a set")
    found = Set(head[1], head[2])
    group.sets.append(found)
    end = next((n for n, row in enumerate(rows) if row[0] == "SE"), None)
    if end is None:
        found.codes.append("2")
        return []
    found.rows = rows[1:end]
    tail = rows[end]
    found.codes += ["3"] if tail[2:] != [found.control] else []
    found.codes += ["4"] if tail[1] != str(end + 1) else []
    _read_inside(group, found)
    return rows[end + 1 :]


# --- what stands inside of a set ----------------------------------------------------------------------------------------------

Type = Literal["text", "date", "number", "integer"]


@dataclass(frozen=True)
class Form:
    """A set as partners know it. ``number`` is where the number of what it is about stands, ``line`` what CTT01 counts."""

    group: str
    first: str
    required: frozenset[str]
    known: frozenset[str]
    number: tuple[str, int]
    line: str = ""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EVERYWHERE = _words("NTE CUR REF PER N1 N2 N3 N4 DTM AMT SAC TXI N9 MSG MTX QTY CTP PID MEA SLN LM LQ INC PAM PKG PWK")
FORMS = {
    "810": Form(
        "IN", "BIG", _words("BIG TDS"),
        _EVERYWHERE | _words("BIG YNQ ITD DIS FOB L7 BAL DMG V1 R4 FA1 FA2 IT1 CRC IT3 SDQ CAD PO4 TDS ISS CTT"), ("BIG", 2), "IT1",
    ),
    "850": Form(
        "PO", "BEG", _words("BEG PO1"),
        _EVERYWHERE | _words("BEG TAX FOB CSH ITD DIS LDT LIN SI TD1 TD3 TD4 TD5 MAN PCT CTB SPI NX2 IT8 PO1 PO3 PO4 ADV SCH SDQ IT3 CTT"),
        ("BEG", 3), "PO1",
    ),
    "820": Form(
        "RA", "BPR", _words("BPR"), _EVERYWHERE | _words("BPR TRN ENT NM1 ADX RMR IT1 RPA SLN RYL LOC PEN PCT BAL TED"), ("TRN", 2),
    ),
}  # fmt: skip

ELEMENTS: Mapping[str, tuple[tuple[int, str, Type, bool], ...]] = {
    "BIG": ((1, "373", "date", True), (2, "76", "text", True), (3, "373", "date", False)),
    "BEG": ((1, "353", "text", True), (2, "92", "text", True), (3, "324", "text", True), (5, "373", "date", True)),
    "BPR": ((1, "305", "text", True), (2, "782", "number", True), (3, "478", "text", True), (16, "373", "date", False)),
    "TRN": ((1, "481", "text", True), (2, "127", "text", True)),
    "IT1": ((2, "358", "number", False), (4, "212", "number", False)),
    "PO1": ((2, "330", "number", False), (4, "212", "number", False)),
    "RMR": ((4, "782", "number", False), (5, "782", "number", False), (6, "782", "number", False)),
    "TDS": ((1, "610", "integer", True),),
    "CTT": ((1, "354", "integer", True),),
    "AMT": ((1, "522", "text", True), (2, "782", "number", True)),
    "N1": ((1, "98", "text", True),),
    "REF": ((1, "128", "text", True),),
    "DTM": ((1, "374", "text", True), (2, "373", "date", False)),
    "CUR": ((1, "98", "text", True), (2, "100", "text", True)),
}
"""Position, data element, type and whether it must be there, of the elements that partners' programs look at."""


def _read_inside(group: Group, found: Set) -> None:
    form = FORMS.get(found.code)
    if form is None or form.group != group.functional:
        found.codes.append("1")  # a set that this group does not hold
        return
    segment, place = form.number
    found.reference = next((row[place] for row in found.rows if row[0] == segment and len(row) > place), "")
    found.notes += _notes(form, found.rows)
    found.codes += ["5"] if found.notes else []


def _notes(form: Form, rows: list[Row]) -> Iterable[Note]:
    there = {row[0] for row in rows}
    if not rows or rows[0][0] != form.first:
        yield Note(form.first, 2, "3")
    for missing in sorted(form.required - there - {form.first}):
        yield Note(missing, len(rows) + 2, "3")
    lines = sum(row[0] == form.line for row in rows)
    for position, row in enumerate(rows, 2):
        if row[0] not in form.known:
            yield Note(row[0], position, "1")
        else:
            yield from _element_notes(row, position, lines)


def _element_notes(row: Row, position: int, lines: int) -> Iterable[Note]:
    if len(row) == 1 or not row[-1]:
        yield Note(row[0], position, "8", max(1, len(row) - 1), "", "1")  # nothing may trail, and nothing may be empty
    for place, reference, kind, must in ELEMENTS.get(row[0], ()):
        value = row[place] if len(row) > place else ""
        fault = _fault(value, kind, must)
        if row[0] == "CTT" and place == 1 and not fault and int(value) != lines:
            fault = "7"
        if fault:
            yield Note(row[0], position, "8", place, reference, fault, value)


def _fault(value: str, kind: Type, must: bool) -> str:
    """Element 723; empty when nothing is wrong."""
    if not value.strip():
        return "1" if must else ""
    if kind == "date":
        return "" if _is_date(value) else "8"
    pattern = {"number": r"-?\d*\.?\d+", "integer": r"-?\d+"}.get(kind, r"[\x20-\xff]+")
    return "" if re.fullmatch(pattern, value) else "6"


def _is_date(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{8}", text):
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True
