"""The segments of an envelope as such: ISA, TA1, GS, ST, SE, GE and IEA, and what an acknowledgement says of a fault in them. No input/output.

Whether headers and trailers agree is for `stages.x12.checking.validator` to say.
"""

from __future__ import annotations

from collections.abc import Iterator

from stages.x12.checking.found import Found, field
from stages.x12.checking.segment_check import Problem
from stages.x12.checking.tables import standard_tables
from stages.x12.definitions import releases
from stages.x12.guide import Delimiters

_NOTES = {
    1: "010", 2: "011", 3: "012", 4: "013", 5: "005", 6: "006", 7: "007", 8: "008", 9: "014", 10: "015", 11: "016",
    12: "017", 13: "018", 14: "019", 15: "020", 16: "027",
}  # fmt: skip
"""Element of ISA -> the TA1 note code (I18) that reports a fault in it."""

_REPORTED_AS = {
    "GS01": "716/1", "GS06": "716/6", "GS08": "716/2", "GE01": "716/5", "GE02": "716/4",
    "ST01": "718/6", "ST02": "718/7", "ST03": "718/19", "SE01": "718/4", "SE02": "718/3", "IEA01": "I18/021", "IEA02": "I18/001",
}  # fmt: skip
"""Envelope element -> the code that reports a fault in it, whatever the fault."""


def check_envelope(found: Found, fields: list[str], offset: int, version: str, marks: Delimiters) -> None:
    """The elements of one such segment, by the release ``version`` (six digits) where there are tables for it."""
    for problem in _problems(fields, version, marks):
        if fields[0] == "GS" and problem.element == 4 and field(fields, 8) < "004010" and len(problem.value) == 6:
            continue  # dates had no century then
        if fields[0] == "ISA" and problem.element in (11, 16) and problem.kind == "character":
            continue  # separators may be control characters: FS, GS, RS and US are what X12.6 suggests
        found.add(
            fields, offset, problem.kind, problem.message, problem.element, problem.value, problem.severity,
            ref=problem.ref, standard=_standard(fields[0], problem.element),
        )  # fmt: skip


def _problems(fields: list[str], version: str, marks: Delimiters) -> Iterator[Problem]:
    check = standard_tables(version if version in releases() else releases()[0], "", marks).check(fields[0])
    assert check is not None
    text = marks.element.join(fields)
    if check.known_good(text, fields):
        return
    problems = list(check.problems(fields))
    if not problems and fields[0] != "ISA":
        check.learn(text, fields)
    yield from problems


def _standard(segment: str, element: int) -> str:
    if segment == "ISA":
        return f"I18/{_NOTES.get(element, '022')}"
    return _REPORTED_AS.get(f"{segment}{element:02d}", "I18/024")


def header_faults(isa: list[str], marks: Delimiters) -> Iterator[tuple[int, str, str, str]]:
    """Element, kind, message and acknowledgement's code of what the tables do not know about an ISA by itself."""
    for element, who in ((6, "sender"), (8, "receiver")):
        if isa[element] and not isa[element].strip():
            yield element, "blank", f"the interchange {who} is blank", f"I18/{_NOTES[element]}"
    if isa[12] >= "00402" and isa[11] in (marks.element, marks.component, marks.segment):
        message = f"{isa[11]!r} is another delimiter already; nothing can be repeated with it"
        yield 11, "repetition_separator", message, ""
    if not (isa[13].isascii() and isa[13].isdigit() and isa[13].strip("0")):
        yield 13, "interchange_number_bad", "the interchange control number must be 000000001 or more", ""
