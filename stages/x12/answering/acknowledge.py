"""Acknowledging what was received: 997, 999 and TA1 made from findings. No input/output.

They are written by `stages.x12.answering.answer_writer`. Source: X12 sets 997 and 999 and the TA1 segment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from msgspec import structs

from stages.x12.answering.answers import (
    ElementNote,
    Form,
    GroupAnswer,
    InterchangeAnswer,
    SegmentNote,
    SetAnswer,
    as_number,
)
from stages.x12.checking.violation import Examination, GroupSeen, InterchangeSeen, SetSeen, Violation

_NOT_ANSWERED = frozenset({"FA"})
"""Groups that are acknowledgements themselves: answering them would never end."""

_FATAL_NOTES = frozenset(
    {"001", "002", "003", "004", "005", "006", "007", "008", "009", "017", "018", "022", "023", "025", "026", "027"}
)
_NOT_SUPPORTED = frozenset({"718/1", "716/2"})
_IN_997 = {"720/I4": "2", "720/I8": "3", "723/I6": "7", "723/I10": "6", "718/18": "6", "718/19": "1"}
"""What the 999 alone has (elements 618, 620, 621), as the 997 tells it."""
_IN_OLD_997 = {"723/12": "3", "723/13": "3"}  # element 723 has these from 005010 on
_MOST_ELEMENTS = 99  # AK4 per AK3
_MOST_SEGMENTS, _MOST_SETS = 999_999, 999_999  # six digits: elements 719, and 97, 123 and 2
_LONGEST_VALUE = 99  # element 724
_NO_DATE, _NO_TIME = "000101", "0000"


def group_answers(examined: Examination, form: Form = "997", *, accept_faults: bool = False) -> list[list[GroupAnswer]]:
    """What to answer for each interchange: one answer per group, none for groups that are acknowledgements themselves.

    ``accept_faults``: sets with faults in elements only are accepted with errors (E) instead of rejected. Warnings, sums that do not
    add up and what a guide says of delimiters and signs are no matter of syntax and are not reported; sets and releases we have no tables
    for are refused as not supported.

    An interchange that its TA1 rejects has no answers: what comes in a rejected envelope is not looked at, is to be sent again whole,
    and must not be told to be accepted (X12.56: 997 and TA1 speak of different levels). So a TA1 that rejects must be sent,
    whatever ISA14 says, as must one for a group whose GS01 or GS06 no answer could repeat.
    """
    found = _by_interchange(examined)
    return [
        _group_answers(interchange, found.get(number, []), form, accept_faults)
        for number, interchange in enumerate(examined.interchanges, 1)
    ]


def _by_interchange(examined: Examination) -> dict[int, list[Violation]]:
    found: dict[int, list[Violation]] = {}
    for one in examined.findings:
        found.setdefault(one.interchange, []).append(one)
    return found


def _group_answers(
    interchange: InterchangeSeen, found: Sequence[Violation], form: Form, accept_faults: bool
) -> list[GroupAnswer]:
    if _interchange_answer(interchange, found).status == "R":
        return []
    faults: _Faults = {}
    for one in found:
        if _refuses(one):
            faults.setdefault((one.group, one.set), []).append(one)
    return [
        _group_answer(group, faults, number, form, accept_faults)
        for number, group in enumerate(interchange.groups, 1)
        if _can_be_answered(group) and group.fields[1] not in _NOT_ANSWERED
    ]


_Faults = dict[tuple[int, int], list[Violation]]
"""What is wrong in an interchange, by group and set (0: the group itself)."""


def _refuses(found: Violation) -> bool:
    return found.severity == "error" or found.standard in _NOT_SUPPORTED


def _can_be_answered(group: GroupSeen) -> bool:
    """AK1 repeats GS01, two characters, and GS06, a number."""
    return bool(re.fullmatch("[A-Z0-9]{2}", _field(group.fields, 1))) and as_number(_field(group.fields, 6)) > 0


def interchange_answer(examined: Examination, index: int = 0, note: str = "") -> InterchangeAnswer:
    """The TA1 for one interchange. ``note`` tells what only its receiver knows: 025 (seen before), 009 (unknown receiver) ...

    Whether one is due the caller knows: when ISA14 asks for it or it does not say A, and never for an interchange that holds TA1s alone.
    """
    mine = [found for found in examined.findings if found.interchange == index + 1]
    return _interchange_answer(examined.interchanges[index], mine, note)


def _interchange_answer(interchange: InterchangeSeen, found: Iterable[Violation], note: str = "") -> InterchangeAnswer:
    told = [one.standard.partition("/") for one in found if one.severity == "error"]
    notes = [*filter(None, [note]), *(code for element, _, code in told if element == "I18")]
    if not all(map(_can_be_answered, interchange.groups)):
        notes.append("024")
    worst = next((code for code in notes if code in _FATAL_NOTES), notes[0] if notes else "000")
    status = "A" if worst == "000" else "R" if worst in _FATAL_NOTES else "E"
    number = re.sub("[^0-9]", "", interchange.fields[13])[:9].zfill(9)
    return InterchangeAnswer(
        number=number, date=_as_date(interchange.fields[9]), time=_as_time(interchange.fields[10]), status=status, note=worst
    )  # fmt: skip


def _as_date(text: str) -> str:
    """ISA09 as TA1 can repeat it; where it is no date, what stands for none, since a TA1 must be right itself."""
    try:
        date.fromisoformat(f"20{text[:2]}-{text[2:4]}-{text[4:]}")
    except ValueError:
        return _NO_DATE
    return text


def _as_time(text: str) -> str:
    return text if re.fullmatch("([01][0-9]|2[0-3])[0-5][0-9]", text) else _NO_TIME


def _group_answer(group: GroupSeen, faults: _Faults, place: int, form: Form, accept_faults: bool) -> GroupAnswer:
    version = _field(group.fields, 8)
    sets = [
        _set_answer(one, faults.get((place, number), []), form, version, accept_faults)
        for number, one in enumerate(group.sets, 1)
    ]
    codes = _codes([fault.standard for fault in faults.get((place, 0), [])], "716", 5)
    accepted = sum(one.status != "R" for one in sets)
    if codes or not accepted:
        status, accepted = "R", 0
        sets = [structs.replace(one, status="R") for one in sets if one.codes]  # none is told to be accepted
    elif accepted < len(sets):
        status = "P"
    else:
        status = "E" if any(one.status == "E" for one in sets) else "A"
    claimed = as_number(group.claimed) if group.claimed.strip("0") else 0 if group.claimed else len(group.sets)
    return GroupAnswer(
        form=form, group=_field(group.fields, 1), number=as_number(_field(group.fields, 6)), version=version[:12] if form == "999" else "",
        status=status, included=min(claimed, _MOST_SETS), received=min(len(group.sets), _MOST_SETS), accepted=min(accepted, _MOST_SETS),
        codes=codes, sets=tuple(sets),
    )  # fmt: skip


def _set_answer(one: SetSeen, found: list[Violation], form: Form, version: str, accept_faults: bool) -> SetAnswer:
    notes = tuple(_segment_notes(found, form, version))
    told = [_told(fault.standard, form, version) for fault in found]
    codes = _codes([*told, *_in_error(told)], "718", 5)
    mild = accept_faults and set(codes) <= {"5", "I5"} and all(note.code == "8" for note in notes)
    status = "A" if not codes else "E" if mild else "R"
    return SetAnswer(
        set=re.sub("[^A-Z0-9]", "0", one.id.strip().upper())[:3].rjust(3, "0"), control=one.control.strip()[:9].rjust(4, "0"),
        implementation=one.implementation.strip()[:35] if form == "999" else "", status=status, codes=codes, segments=notes,
    )  # fmt: skip


def _in_error(told: Iterable[str]) -> set[str]:
    """That segments are in error, by the standard (5) or by an implementation's guide alone (I5, which element 618 has and 718 has not)."""
    inside = [standard for standard in told if standard[:3] in ("720", "723")]
    return {"718/I5" if "/I" in standard else "718/5" for standard in inside}


def _segment_notes(found: list[Violation], form: Form, version: str) -> Iterator[SegmentNote]:
    """One note per fault of a segment, and one for all faults of its elements, in the order of the segments."""
    elements: dict[tuple[int, str, str], list[ElementNote]] = {}
    notes: list[SegmentNote] = []
    for fault in found:
        kind, _, code = _told(fault.standard, form, version).partition("/")
        place = (min(fault.position, _MOST_SEGMENTS), _id(fault.segment), _loop(fault.loop, version))
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
        element=min(fault.element, 99), component=min(fault.component, 99), repeat=min(fault.repeat, 9999) if form == "999" else 0, ref=fault.ref if fault.ref.isdigit() else "",
        code=code, value=fault.value[:_LONGEST_VALUE].strip(),
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


def _field(fields: Sequence[str], position: int) -> str:
    return fields[position] if position < len(fields) else ""
