"""Answers to what we sent, as data: TA1, 997, 999, 824 and 855.

They are read from bytes in `stages.x12.answering.answer_reader`, which document one belongs to is found in `stages.x12.answering.match`, and our own are made
in `stages.x12.answering.acknowledge`, from the same types. Source: X12 sets 997, 999, 824, 855 and the TA1 segment.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Form = Literal["997", "999"]


class ElementNote(msgspec.Struct, frozen=True, kw_only=True):
    """AK4 or IK4: what is wrong with one element. ``component`` and ``repeat`` are 0 when not that deep; ``code`` is 723 or 621."""

    element: int
    component: int = 0
    repeat: int = 0
    ref: str = ""
    code: str
    value: str = ""


class SegmentNote(msgspec.Struct, frozen=True, kw_only=True):
    """AK3 or IK3: what is wrong with one segment. ``position`` counts from ST = 1; ``code`` is element 720 or 620."""

    segment: str
    position: int
    loop: str = ""
    code: str = ""
    elements: tuple[ElementNote, ...] = ()


class SetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """AK2 to AK5 (IK5): the answer for one set. ``status`` is element 717 (A, E, R ...), ``codes`` 718 or 618.

    ``omitted`` counts the AK3 and AK4 that were read and not kept, because there were so many.
    """

    set: str
    control: str
    implementation: str = ""
    status: str
    codes: tuple[str, ...] = ()
    segments: tuple[SegmentNote, ...] = ()
    omitted: int = 0


class GroupAnswer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A 997 or 999: the answer for one group. ``number`` is the answered GS06; ``status`` element 715; ``codes`` 716."""

    form: Form = "997"
    group: str  # GS01 of what is answered
    number: int
    version: str = ""  # GS08 of what is answered, where told
    status: str
    included: int
    received: int
    accepted: int
    codes: tuple[str, ...] = ()
    sets: tuple[SetAnswer, ...] = ()


class InterchangeAnswer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A TA1. ``number``, ``date`` and ``time`` are ISA13, ISA09 and ISA10 of what is answered; ``status`` I17, ``note`` I18."""

    number: str
    date: str
    time: str
    status: str
    note: str


class Complaint(msgspec.Struct, frozen=True):
    """One TED of an 824: ``code`` is element 647, ``value`` the bad data."""

    code: str
    message: str = ""
    segment: str = ""
    value: str = ""


class DocumentAdvice(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One OTI of an 824: what the receiver's application made of a document. ``status`` is element 110 (TA, TE, TR ...).

    ``omitted`` counts the complaints and remarks that were read and not kept.
    """

    status: str
    qualifier: str = ""  # IV, PO ...
    reference: str = ""
    group_number: int | None = None  # OTI08
    control: str = ""  # OTI09, the ST02
    set: str = ""  # OTI10
    complaints: tuple[Complaint, ...] = ()
    remarks: tuple[str, ...] = ()
    omitted: int = 0


class LineAnswer(msgspec.Struct, frozen=True):
    """One ACK of an 855: ``status`` is element 668 (IA, IQ, IR ...), texts as they were sent."""

    line: str
    status: str
    quantity: str = ""
    unit: str = ""
    date_qualifier: str = ""
    date: str = ""


class OrderAnswer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An 855: what the seller made of an order. ``status`` is BAK02 (AD, AC, RJ ...), ``order`` our order's number.

    ``omitted`` counts the lines that were read and not kept.
    """

    status: str
    order: str
    order_date: str = ""
    lines: tuple[LineAnswer, ...] = ()
    omitted: int = 0


Answer = GroupAnswer | InterchangeAnswer | DocumentAdvice | OrderAnswer


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """An answer and who sent it. ``sender`` and ``receiver`` are (qualifier, id) of the ISA, ``usage`` its ISA15.

    ``sent`` is the answer's ISA date and time, as text (YYMMDDHHMM). ``source`` (ISA13, GS06, ST02) tells repetitions apart.
    ``partners`` are the codes of those in whose mailbox it lay, by their partner files; empty where that is not known.
    """

    answer: Answer
    sender: tuple[str, str]
    receiver: tuple[str, str]
    usage: str
    sent: str
    source: tuple[str, str, str]
    partners: tuple[str, ...] = ()


def as_number(text: str) -> int:
    """A control number or count; 0 where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
