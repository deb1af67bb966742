"""Writing answers: 997, 999 and TA1 as bytes, and the interchange that carries them back. No input/output.

What is written and what `stages.x12.answering.answer_reader` reads are the same types, so that reading what we write gives back what we meant.
Source: X12 sets 997 and 999 and the TA1 segment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from stages.x12.answering.answers import ElementNote, Form, GroupAnswer, InterchangeAnswer, as_number
from stages.x12.checking.violation import InterchangeSeen
from stages.x12.definitions import release, releases
from stages.x12.guide import Delimiters, Guide
from stages.x12.writing.envelope import HIGHEST_NUMBER, build_envelope, isa

_CONVENTION_OF_999 = "005010X231A1"
"""The convention a 999 follows, as ST03 and GS08 name it, when what it answers follows a convention itself (ASC X12N TR3 005010X231)."""


def write_set(answer: GroupAnswer, marks: Delimiters | None = None, control: str = "0001") -> bytes:
    """The 997 or 999 from ST to SE. In what it repeats, delimiters and whatever is not printable ASCII become ``?``."""
    marks = marks or Delimiters()
    three, four, five = ("AK3", "AK4", "AK5") if answer.form == "997" else ("IK3", "IK4", "IK5")
    rows: list[list[str]] = [["ST", answer.form, control, _convention(answer)]]
    rows.append(["AK1", answer.group, str(answer.number), answer.version if answer.form == "999" else ""])
    for one in answer.sets:
        rows.append(["AK2", one.set, one.control, one.implementation])
        for note in one.segments:
            rows.append([three, note.segment, str(note.position), note.loop, note.code])
            rows += [
                [four, _position(fault, marks, answer.form), fault.ref, fault.code, _legible(fault.value, marks)]
                for fault in note.elements
            ]
        rows.append([five, one.status, *one.codes])
    rows.append(["AK9", answer.status, str(answer.included), str(answer.received), str(answer.accepted), *answer.codes])
    rows.append(["SE", str(len(rows) + 1), control])
    for row in rows:
        if row[0] in ("AK1", "AK2"):
            row[1:] = (_legible(text, marks) for text in row[1:])
    return "".join(_segment(row, marks) for row in rows).encode("ascii")


def _segment(row: Sequence[str], marks: Delimiters) -> str:
    return marks.element.join(row).rstrip(marks.element) + marks.segment


def _legible(text: str, marks: Delimiters) -> str:
    used = {marks.element, marks.segment, marks.component, marks.repetition}
    stand_in = next(mark for mark in "?-.X" if mark not in used)
    return "".join(one if one.isascii() and one.isprintable() and one not in used else stand_in for one in text)


def _convention(answer: GroupAnswer) -> str:
    follows = answer.form == "999" and any(one.implementation for one in answer.sets)
    return _CONVENTION_OF_999 if follows else ""


def _position(fault: ElementNote, marks: Delimiters, form: Form) -> str:
    parts = [str(fault.element), str(fault.component or ""), str(fault.repeat or "") if form == "999" else ""]
    return marks.component.join(parts).rstrip(marks.component)


def write_ta1(answer: InterchangeAnswer, marks: Delimiters | None = None) -> bytes:
    """The TA1 segment with its terminator."""
    row = ["TA1", answer.number, answer.date, answer.time, answer.status, answer.note]
    return _segment(row, marks or Delimiters()).encode("ascii")


# -- the interchange that carries them ----------------------------------------------------------------------------------------


class _Frame(msgspec.Struct, frozen=True):
    """What answers must share to be in one group: both ids of the GS, and its release."""

    ours: str
    theirs: str
    version: str


def reply(
    interchange: InterchangeSeen,
    answered: Sequence[GroupAnswer],
    ta1: InterchangeAnswer | None,
    numbers: dict[str, int],
    now: datetime,
) -> bytes:
    """A whole interchange back to who sent this one: ids swapped, same usage and delimiters, one set per answered group.

    ``numbers`` has our next ISA13 and GS06; further groups count on from it, and `groups_of_reply` says how many there will be. ``now``
    (aware UTC) dates it. A TA1 that rejects goes alone, in an interchange without groups (see `stages.x12.answering.acknowledge.group_answers`),
    as does any when ``answered`` is empty; else it goes before the groups. Qualifiers that do not exist are answered as ZZ, and
    ids of a GS that could not be written again as the ISA's. Raises `ConfigError` when the ISA's cannot be written back.
    """
    version, marks, frames = _layout(interchange, answered, ta1)
    envelope = _envelope(interchange, version, marks)
    number = f"{numbers['ISA13']:09d}"
    out = [isa(envelope, number, now).encode("ascii"), write_ta1(ta1, marks) if ta1 is not None else b""]
    for place, (frame, members) in enumerate(frames.items()):
        control = str((numbers["GS06"] - 1 + place) % HIGHEST_NUMBER + 1)
        head = ["GS", "FA", frame.ours, frame.theirs, f"{now:%Y%m%d}", f"{now:%H%M}", control, "X", frame.version]
        out.append(_segment(head, marks).encode("ascii"))
        out += [write_set(answer, marks, f"{n:04d}") for n, answer in enumerate(members, 1)]
        out.append(_segment(["GE", str(len(members)), control], marks).encode("ascii"))
    out.append(_segment(["IEA", str(len(frames)), number], marks).encode("ascii"))
    return b"".join(out)


def groups_of_reply(
    interchange: InterchangeSeen, answered: Sequence[GroupAnswer], ta1: InterchangeAnswer | None = None
) -> int:
    """How many GS06 `reply` takes."""
    return len(_layout(interchange, answered, ta1)[2])


def _layout(
    interchange: InterchangeSeen, answered: Sequence[GroupAnswer], ta1: InterchangeAnswer | None
) -> tuple[str, Delimiters, dict[_Frame, list[GroupAnswer]]]:
    """The release of the whole, its delimiters, and the answers by the group they go back in."""
    placed = list(_placed(interchange, answered)) if ta1 is None or ta1.status != "R" else []
    version = max((one[1] for one in placed), default=_release_of(_field(interchange, 0, 8)))
    marks = _writable(interchange.delimiters, version)
    frames: dict[_Frame, list[GroupAnswer]] = {}
    for answer, written_in, group in placed:
        frames.setdefault(_frame(interchange, group, written_in, marks), []).append(answer)
    return version, marks, frames


def _placed(interchange: InterchangeSeen, answered: Sequence[GroupAnswer]) -> Iterator[tuple[GroupAnswer, str, int]]:
    """Each answer with the release it is written in and the place of the group it is about."""
    groups = reversed(range(len(interchange.groups)))  # of two with the same number the first counts
    seen = {(_field(interchange, n, 1), as_number(_field(interchange, n, 6))): n for n in groups}
    for answer in answered:
        place = seen.get((answer.group, answer.number), 0)
        yield answer, _written_in(answer, _field(interchange, place, 8)), place


def _written_in(answer: GroupAnswer, version: str) -> str:
    """A 999 exists in the last release only, and follows a convention where what it answers does."""
    return _convention(answer) or (releases()[-1] if answer.form == "999" else _release_of(version))


def _frame(interchange: InterchangeSeen, group: int, version: str, marks: Delimiters) -> _Frame:
    ours = _gs_id(_field(interchange, group, 3), interchange.fields[8], marks)
    return _Frame(ours, _gs_id(_field(interchange, group, 2), interchange.fields[6], marks), version)


def _release_of(version: str) -> str:
    return version[:6] if version[:6] in releases() else releases()[0]


def _gs_id(own: str, of_isa: str, marks: Delimiters) -> str:
    """The id for our GS: as it came where it can be written again, else the interchange's."""
    good = 2 <= len(own) <= 15 and own == own.strip() and own == _legible(own, marks)
    return own if good else of_isa.strip().rjust(2, "0")


def _envelope(interchange: InterchangeSeen, version: str, marks: Delimiters) -> dict[str, str]:
    fields = interchange.fields
    us, them = (_qualifier(fields[7]), fields[8].strip()), (_qualifier(fields[5]), fields[6].strip())
    return build_envelope(
        us_isa=us, us_gs=us[1].rjust(2, "0"), them_isa=them, them_gs=them[1].rjust(2, "0"),
        usage="P" if fields[15] == "P" else "T", guide=Guide(version=version, delimiters=marks),
    )  # fmt: skip


def _qualifier(text: str) -> str:
    return text if release(releases()[-1]).meaning("I05", text) else "ZZ"


def _writable(marks: Delimiters, version: str) -> Delimiters:
    """The sender's own delimiters where they can be told apart and written in ASCII, else the usual ones. Before 00402 nothing repeats."""
    used = (marks.element, marks.segment, marks.component, marks.repetition or _unused(marks))
    good = len(set(used)) == len(used) and all(
        len(mark) == 1 and mark.isascii() and not mark.isalnum() for mark in used
    )
    element, segment, component, repetition = used if good else msgspec.structs.astuple(Delimiters())
    late = version >= "004020"
    return Delimiters(element=element, segment=segment, component=component, repetition=repetition if late else "")


def _unused(marks: Delimiters) -> str:
    used = (marks.element, marks.segment, marks.component)
    return next(mark for mark in "^!|&" if mark not in used)


def _field(interchange: InterchangeSeen, group: int, position: int) -> str:
    """An element of the GS of a group, "" when it is not there."""
    fields = interchange.groups[group].fields if group < len(interchange.groups) else []
    return fields[position] if position < len(fields) else ""
