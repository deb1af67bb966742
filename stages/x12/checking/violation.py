"""What checking finds, as data: a `Violation` per fault, the kinds of faults with their stable codes, and the envelopes seen. Pure.

Each kind has our code and, where there is one, the code a 997, 999 or TA1 reports it by: ``723/5`` is value 5 of element 723.
Codes that only the 999 has (elements 618, 620, 621) stand under 718, 720 and 723 too; `stages.x12.answering.acknowledge` knows what the 997 says instead.
Source: X12 elements 716, 718, 720, 723 (997), 620, 621, 618 (999) and I18 (TA1).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from stages.x12.guide import Delimiters

Severity = Literal["error", "warning"]


class Kind(msgspec.Struct, frozen=True):
    """One kind of fault: our stable code, and the acknowledgement's (element/value, "" when none reports it)."""

    code: str
    standard: str = ""


def _kind(number: str, standard: str = "") -> Kind:
    return Kind(f"MLC-X12-{number}", standard)


KINDS = {
    # elements
    "missing": _kind("0501", "723/1"), "conditional": _kind("0502", "723/2"),
    "too_many_elements": _kind("0503", "723/3"), "too_short": _kind("0504", "723/4"),
    "too_long": _kind("0505", "723/5"), "character": _kind("0506", "723/6"), "code": _kind("0507", "723/7"),
    "date": _kind("0508", "723/8"), "time": _kind("0509", "723/9"),
    "exclusion": _kind("0510", "723/10"), "repetitions": _kind("0511", "723/12"),
    "components": _kind("0512", "723/13"), "untidy": _kind("0513"), "blank": _kind("0514", "723/6"),
    # elements, by the partner's guide
    "guide_missing": _kind("0515", "723/1"), "guide_forbidden": _kind("0516", "723/I10"),
    "guide_long": _kind("0517", "723/5"), "guide_code": _kind("0518", "723/I6"),
    # segments
    "segment_unrecognized": _kind("0521", "720/1"),
    "segment_missing": _kind("0523", "720/3"),
    "loop_too_often": _kind("0524", "720/4"), "segment_too_often": _kind("0525", "720/5"),
    "segment_foreign": _kind("0526", "720/6"),
    "segment_order": _kind("0527", "720/7"), "guide_segment_missing": _kind("0528", "720/I8"),
    "guide_segment_forbidden": _kind("0529", "720/I4"),
    # sets
    "set_unknown": _kind("0531", "718/1"), "set_not_closed": _kind("0532", "718/2"),
    "set_number": _kind("0533", "718/3"), "set_count": _kind("0534", "718/4"),
    "set_number_twice": _kind("0536", "718/23"),
    "set_in_wrong_group": _kind("0537", "718/18"),
    "set_not_open": _kind("0538", "I18/022"), "set_outside": _kind("0539", "I18/022"),
    # groups
    "group_version": _kind("0541", "716/2"), "group_not_closed": _kind("0542", "716/3"),
    "group_number": _kind("0543", "716/4"), "group_count": _kind("0544", "716/5"),
    "group_number_twice": _kind("0546", "716/19"),
    "group_not_open": _kind("0547", "I18/022"), "group_number_bad": _kind("0548", "716/6"), "group_empty": _kind("0549", "I18/024"),
    # interchanges
    "interchange_number": _kind("0551", "I18/001"), "interchange_number_bad": _kind("0552", "I18/018"),
    "interchange_count": _kind("0553", "I18/021"),
    "interchange_not_closed": _kind("0554", "I18/023"), "interchange_not_open": _kind("0555", "I18/022"),
    "outside": _kind("0556", "I18/022"), "interchange_number_twice": _kind("0557", "I18/025"),
    "interchange_empty": _kind("0558", "I18/024"), "interchange_none": _kind("0559", "I18/022"),
    "repetition_separator": _kind("0560", "I18/016"),
    # sums
    "count": _kind("0561"), "sum": _kind("0562"), "hash": _kind("0563"), "sign": _kind("0564"),
    # the guide as a whole
    "guide_version": _kind("0571", "716/2"), "guide_delimiters": _kind("0572"), "guide_sign": _kind("0573"),
}  # fmt: skip


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. ``position`` counts segments from ST = 1 (0 in the envelope), ``element`` from 1 (0: the segment itself).

    ``component`` counts within a composite, ``repeat`` repetitions of an element, both from 1 (0: not that deep). ``offset`` is
    the byte of the segment. ``code`` is ours and stable. ``standard`` is what an acknowledgement carries: ``723/5`` is value 5
    of element 723. ``ref`` is the element's reference number, ``loop`` the path of the segment's loop. ``interchange``,
    ``group`` and ``set`` count from 1 within what holds them (0: not inside of one).
    """

    severity: Severity = "error"
    segment: str
    element: int = 0
    component: int = 0
    repeat: int = 0
    position: int = 0
    offset: int = 0
    message: str
    value: str = ""
    code: str = ""
    standard: str = ""
    ref: str = ""
    loop: str = ""
    interchange: int = 0
    group: int = 0
    set: int = 0

    def __str__(self) -> str:
        place = f"{self.segment}{self.element:02d}" if self.element else self.segment
        place += f"-{self.component}" if self.component else ""
        at = f"segment {self.position}" if self.position else f"byte {self.offset}"
        return f"{self.severity}: {place} at {at}: {self.message}"


def finding_json(found: Violation) -> dict[str, Any]:
    """The finding as an object for ``--json``: only what it says something about."""
    made = {name: value for name, value in msgspec.structs.asdict(found).items() if value not in ("", 0)}
    return {**made, "offset": found.offset}


class SetSeen(msgspec.Struct):
    """One set as it was found: what an acknowledgement must say of it. ``segments`` counts from ST to SE."""

    id: str
    control: str
    implementation: str  # ST03
    segments: int = 0


class GroupSeen(msgspec.Struct):
    """One group as it was found; ``claimed`` is GE01, "" when GE is missing."""

    fields: list[str]  # of GS; fields[6] is the control number
    sets: list[SetSeen] = []
    claimed: str = ""


class InterchangeSeen(msgspec.Struct):
    """One interchange as it was found; ``closed``: its IEA was there."""

    fields: list[str]  # of ISA, padding kept
    delimiters: Delimiters
    groups: list[GroupSeen] = []
    closed: bool = False


class Examination(msgspec.Struct, frozen=True):
    """All findings of an input and the frame of envelopes they belong into."""

    interchanges: tuple[InterchangeSeen, ...]
    findings: tuple[Violation, ...]

    @property
    def faultless(self) -> bool:
        """No errors; there may be warnings."""
        return not any(found.severity == "error" for found in self.findings)
