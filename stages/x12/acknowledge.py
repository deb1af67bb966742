"""Acknowledging what was received: 997, 999 and TA1 made from findings, and written. No input/output.

What is written and what `stages.x12.answers` reads are the same types, so that reading what we write gives back what we meant.
Source: X12 sets 997 and 999 and the TA1 segment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from pipeline import Stored
from stages.x12.answers import ElementNote, Form, GroupAnswer, InterchangeAnswer, SegmentNote, SetAnswer, as_number
from stages.x12.definitions import releases
from stages.x12.envelope import build_envelope, isa, pack
from stages.x12.guide import Delimiters, Guide
from stages.x12.violation import Examination, GroupSeen, InterchangeSeen, SetSeen, Violation

_NOT_ANSWERED = frozenset({"FA"})
"""Groups that are acknowledgements themselves: answering them would never end."""

_FATAL_NOTES = frozenset(
    {"001", "002", "003", "004", "005", "006", "007", "008", "009", "017", "018", "022", "023", "025", "026", "027"}
)
_NOT_SUPPORTED = frozenset({"718/1", "716/2"})
_IN_997 = {"720/I4": "2", "723/I6": "7", "723/I10": "6", "718/19": "1"}
_IN_OLD_997 = {"723/12": "3", "723/13": "3"}  # element 723 has these from 005010 on
_CONVENTION_OF_999 = "005010X231A1"
"""The convention a 999 follows, as ST03 and GS08 name it, when what it answers follows a convention itself (ASC X12N TR3 005010X231)."""

_PLAIN = "[A-Za-z0-9 .,/()+&-]"  # what no sane sender uses as a delimiter
_MOST_ELEMENTS = 99  # AK4 per AK3
_LONGEST_VALUE = 99  # element 724


def group_answers(examined: Examination, form: Form = "997", *, accept_faults: bool = False) -> list[list[GroupAnswer]]:
    """What to answer for each interchange: one answer per group, none for groups that are acknowledgements themselves.

    ``accept_faults``: sets with faults in elements only are accepted with errors (E) instead of rejected. Warnings, and sums
    that do not add up, are no matter of syntax and are not reported; sets and releases we have no tables for are refused as not
    supported. A group whose GS01 or GS06 no answer could repeat is told of by the TA1 alone (`interchange_answer`).
    """
    made = []
    for i, interchange in enumerate(examined.interchanges, 1):
        mine = [found for found in examined.findings if found.interchange == i and _refuses(found)]
        made.append(
            [
                _group_answer(group, [found for found in mine if found.group == g], form, accept_faults)
                for g, group in enumerate(interchange.groups, 1)
                if _can_be_answered(group) and group.fields[1] not in _NOT_ANSWERED
            ]
        )
    return made


def _refuses(found: Violation) -> bool:
    return found.severity == "error" or found.standard in _NOT_SUPPORTED


def _can_be_answered(group: GroupSeen) -> bool:
    """AK1 repeats GS01, two characters, and GS06, a number."""
    return bool(re.fullmatch("[A-Z0-9]{2}", _field(group.fields, 1))) and as_number(_field(group.fields, 6)) > 0


def interchange_answer(examined: Examination, index: int = 0, note: str = "") -> InterchangeAnswer:
    """The TA1 for one interchange. ``note`` tells what only its receiver knows: 025 (seen before), 009 (unknown receiver) ..."""
    interchange = examined.interchanges[index]
    notes = [note] if note else []
    for found in examined.findings:
        element, _, code = found.standard.partition("/")
        if element == "I18" and found.interchange == index + 1 and found.severity == "error":
            notes.append(code)
    if not all(map(_can_be_answered, interchange.groups)):
        notes.append("024")
    worst = next((code for code in notes if code in _FATAL_NOTES), notes[0] if notes else "000")
    status = "A" if worst == "000" else "R" if worst in _FATAL_NOTES else "E"
    number, date, time = (_digits(interchange.fields[position], size) for position, size in ((13, 9), (9, 6), (10, 4)))
    return InterchangeAnswer(number=number, date=date, time=time, status=status, note=worst)


def _digits(text: str, size: int) -> str:
    """A number, date or time as TA1 can repeat it: as it is when it is digits of that size, else its digits, filled with zeros."""
    return re.sub("[^0-9]", "", text)[:size].zfill(size)


def _group_answer(group: GroupSeen, found: list[Violation], form: Form, accept_faults: bool) -> GroupAnswer:
    version = _field(group.fields, 8)
    sets = tuple(
        _set_answer(one, [fault for fault in found if fault.set == number], form, version, accept_faults)
        for number, one in enumerate(group.sets, 1)
    )
    codes = _codes([fault.standard for fault in found if not fault.set], "716", 5)
    accepted = sum(one.status != "R" for one in sets)
    if codes or not accepted:
        status, accepted = "R", 0
    elif accepted < len(sets):
        status = "P"
    else:
        status = "E" if any(one.status == "E" for one in sets) else "A"
    claimed = as_number(group.claimed) or len(sets)
    return GroupAnswer(
        form=form, group=_plain(_field(group.fields, 1), 2), number=as_number(_field(group.fields, 6)),
        version=_plain(version, 12) if form == "999" else "",
        status=status, included=claimed, received=len(sets), accepted=accepted, codes=codes, sets=sets,
    )  # fmt: skip


def _set_answer(one: SetSeen, found: list[Violation], form: Form, version: str, accept_faults: bool) -> SetAnswer:
    notes = tuple(_segment_notes(found, form, version))
    codes = _codes([_told(fault.standard, form, version) for fault in found], "718", 5)
    if notes and "5" not in codes:
        codes = (*codes, "5")[:5]
    mild = accept_faults and set(codes) <= {"5"} and all(note.code == "8" for note in notes)
    status = "A" if not codes else "E" if mild else "R"
    return SetAnswer(
        set=_plain(one.id, 3) or "000", control=_plain(one.control, 9) or "0000", implementation=_plain(one.implementation, 35) if form == "999" else "", status=status,
        codes=codes, segments=notes,
    )  # fmt: skip


def _segment_notes(found: list[Violation], form: Form, version: str) -> Iterator[SegmentNote]:
    """One note per fault of a segment, and one for all faults of its elements, in the order of the segments."""
    elements: dict[tuple[int, str, str], list[ElementNote]] = {}
    notes: list[SegmentNote] = []
    for fault in found:
        kind, _, code = _told(fault.standard, form, version).partition("/")
        place = (fault.position, _id(fault.segment), _loop(fault.loop, version))
        if kind == "720":
            notes.append(SegmentNote(segment=place[1], position=place[0], loop=place[2], code=code))
        elif kind == "723" and fault.position:
            elements.setdefault(place, []).append(_element_note(fault, code, form))
    notes += [
        SegmentNote(segment=id, position=position, loop=loop, code="8", elements=tuple(faults[:_MOST_ELEMENTS]))
        for (position, id, loop), faults in elements.items()
    ]
    yield from sorted(notes, key=lambda note: note.position)


def _element_note(fault: Violation, code: str, form: Form) -> ElementNote:
    return ElementNote(
        element=min(fault.element, 99), component=fault.component, repeat=fault.repeat if form == "999" else 0, ref=fault.ref if fault.ref.isdigit() else "",
        code=code, value=_plain(fault.value),
    )  # fmt: skip


def _told(standard: str, form: Form, version: str) -> str:
    """The code as this form of acknowledgement has it: the codes of implementation guides are the 999's alone."""
    if form == "997":
        kind = standard.partition("/")[0]
        if standard in _IN_997:
            return f"{kind}/{_IN_997[standard]}"
        if version < "005010" and standard in _IN_OLD_997:
            return f"{kind}/{_IN_OLD_997[standard]}"
    return standard


def _codes(standards: Iterable[str], element: str, most: int) -> tuple[str, ...]:
    codes = {code for kind, _, code in (standard.partition("/") for standard in standards) if kind == element}
    return tuple(sorted(codes, key=lambda code: (not code.isdigit(), code.zfill(3))))[:most]


def _id(segment: str) -> str:
    """A segment id as element 721 can hold it."""
    kept = re.sub(r"[^A-Z0-9]", "", segment.upper())[:3]
    return kept if len(kept) >= 2 else (kept + "XX")[:2]


def _loop(path: str, version: str) -> str:
    return path.rpartition("/")[2][: 4 if version >= "005010" else 6]


def _plain(value: str, most: int = _LONGEST_VALUE) -> str:
    """A bad value as element 724 can hold it whatever the delimiters are: other characters become ``?``."""
    return re.sub(f"(?!{_PLAIN}).", "?", value, flags=re.DOTALL)[:most].strip()


# -- writing ----------------------------------------------------------------------------------------------------------------


def write_set(answer: GroupAnswer, marks: Delimiters | None = None, control: str = "0000") -> bytes:
    """The 997 or 999 from ST to SE. The default ``control`` is the placeholder that `stages.x12.envelope.pack` fills."""
    marks = marks or Delimiters()
    three, four, five = ("AK3", "AK4", "AK5") if answer.form == "997" else ("IK3", "IK4", "IK5")
    rows: list[list[str]] = [["ST", answer.form, control, _convention(answer)]]
    rows.append(["AK1", answer.group, str(answer.number), answer.version if answer.form == "999" else ""])
    for one in answer.sets:
        rows.append(["AK2", one.set, one.control, one.implementation])
        for note in one.segments:
            rows.append([three, note.segment, str(note.position), note.loop, note.code])
            rows += [
                [four, _position(fault, marks, answer.form), fault.ref, fault.code, fault.value]
                for fault in note.elements
            ]
        rows.append([five, one.status, *one.codes])
    rows.append(["AK9", answer.status, str(answer.included), str(answer.received), str(answer.accepted), *answer.codes])
    rows.append(["SE", str(len(rows) + 1), control])
    return "".join(marks.element.join(row).rstrip(marks.element) + marks.segment for row in rows).encode("ascii")


def _convention(answer: GroupAnswer) -> str:
    follows = answer.form == "999" and any(one.implementation for one in answer.sets)
    return _CONVENTION_OF_999 if follows else ""


def _position(fault: ElementNote, marks: Delimiters, form: Form) -> str:
    parts = [str(fault.element), str(fault.component or ""), str(fault.repeat or "") if form == "999" else ""]
    return marks.component.join(parts).rstrip(marks.component)


def write_ta1(answer: InterchangeAnswer, marks: Delimiters | None = None) -> bytes:
    """The TA1 segment with its terminator."""
    marks = marks or Delimiters()
    row = ["TA1", answer.number, answer.date, answer.time, answer.status, answer.note]
    return (marks.element.join(row) + marks.segment).encode("ascii")


def reply(
    interchange: InterchangeSeen,
    answered: Sequence[GroupAnswer],
    ta1: InterchangeAnswer | None,
    numbers: dict[str, int],
    now: datetime,
) -> bytes:
    """A whole interchange back to who sent this one: ids swapped, same usage and delimiters, one set per answered group.

    ``numbers`` has our next ISA13 and GS06; ``now`` (aware UTC) dates it. A TA1 goes alone, in an interchange without groups, when
    ``answered`` is empty; else before the groups. Raises `ConfigError` when the ids that were received cannot be written back.
    """
    fields, marks = interchange.fields, _writable(interchange.delimiters)
    group = interchange.groups[0].fields if interchange.groups else []
    version = _field(group, 8)[:6] if _field(group, 8)[:6] in releases() else releases()[0]
    version = releases()[-1] if any(answer.form == "999" for answer in answered) else version
    version = next(filter(None, map(_convention, answered)), version)
    envelope = build_envelope(
        us_isa=(fields[7], fields[8].strip()), us_gs=_field(group, 3) or fields[8].strip(),
        them_isa=(fields[5], fields[6].strip()), them_gs=_field(group, 2) or fields[6].strip(),
        usage="P" if fields[15] == "P" else "T", guide=Guide(version=version, delimiters=marks),
    )  # fmt: skip
    stored = [
        Stored(number, answer.form, "", write_set(answer, marks), envelope, 1)
        for number, answer in enumerate(answered, 1)
    ]
    status = write_ta1(ta1, marks) if ta1 is not None else b""
    if stored:
        whole = pack(stored, numbers, now)
        head = whole.index(marks.segment.encode("ascii"), 105) + 1
        return whole[:head] + status + whole[head:]
    number = f"{numbers['ISA13']:09d}"
    tail = marks.element.join(["IEA", "0", number]) + marks.segment
    return isa(envelope, number, now).encode("ascii") + status + tail.encode("ascii")


def _writable(marks: Delimiters) -> Delimiters:
    """The sender's own delimiters where they can be told apart and written in ASCII, else the usual ones."""
    used = (marks.element, marks.segment, marks.component, marks.repetition or "^")
    good = len(set(used)) == len(used) and all(
        len(mark) == 1 and mark.isascii() and not mark.isalnum() for mark in used
    )
    return Delimiters(element=used[0], segment=used[1], component=used[2], repetition=used[3]) if good else Delimiters()


def _field(fields: Sequence[str], position: int) -> str:
    return fields[position] if position < len(fields) else ""
