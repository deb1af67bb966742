"""Answers to what we sent, as data: TA1, 997, 999, 824 and 855, and reading them from bytes. No input/output.

Which document an answer belongs to is found in `stages.x12.match`; our own answers are made in `stages.x12.acknowledge`, from the
same types. Source: X12 sets 997, 999, 824, 855 and the TA1 segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from stages.x12.guide import Delimiters
from stages.x12.reader import ReadHeader, ReadSegment, events
from stages.x12.scanner import Damage

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
    """AK2 to AK5 (IK5): the answer for one set. ``status`` is element 717 (A, E, R ...), ``codes`` 718 or 618."""

    set: str
    control: str
    implementation: str = ""
    status: str
    codes: tuple[str, ...] = ()
    segments: tuple[SegmentNote, ...] = ()


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
    """One OTI of an 824: what the receiver's application made of a document. ``status`` is element 110 (TA, TE, TR ...)."""

    status: str
    qualifier: str = ""  # IV, PO ...
    reference: str = ""
    group_number: int | None = None  # OTI08
    control: str = ""  # OTI09, the ST02
    set: str = ""  # OTI10
    complaints: tuple[Complaint, ...] = ()
    remarks: tuple[str, ...] = ()


class LineAnswer(msgspec.Struct, frozen=True):
    """One ACK of an 855: ``status`` is element 668 (IA, IQ, IR ...), texts as they were sent."""

    line: str
    status: str
    quantity: str = ""
    unit: str = ""
    date_qualifier: str = ""
    date: str = ""


class OrderAnswer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An 855: what the seller made of an order. ``status`` is BAK02 (AD, AC, RJ ...), ``order`` our order's number."""

    status: str
    order: str
    order_date: str = ""
    lines: tuple[LineAnswer, ...] = ()


Answer = GroupAnswer | InterchangeAnswer | DocumentAdvice | OrderAnswer


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """An answer and who sent it. ``sender`` and ``receiver`` are (qualifier, id) of the ISA, ``usage`` its ISA15.

    ``sent`` is the answer's ISA date and time, as text (YYMMDDHHMM). ``source`` (ISA13, GS06, ST02) tells repetitions apart.
    """

    answer: Answer
    sender: tuple[str, str]
    receiver: tuple[str, str]
    usage: str
    sent: str
    source: tuple[str, str, str]


def read_answers(chunks: Iterable[bytes]) -> list[Received]:
    """Every TA1, 997, 999, 824 and 855 in the bytes, in their order. Damage and other sets are passed over.

    Unreadable numbers become 0 and missing texts "": an answer is never lost for a fault in it. Whether it is right is for
    `stages.x12.validator` to say.
    """
    made: list[Received] = []
    header: ReadHeader | None = None
    group, body = "", list[ReadSegment]()
    for event in events(chunks):
        if isinstance(event, Damage):
            body = []
        elif isinstance(event, ReadHeader):
            header, group, body = event, "", []
        elif header is None:
            continue
        elif event.id == "GS":
            group = event[6]
        elif event.id == "TA1" and not body:
            made.append(_received(header, (header[13], "", ""), _ta1(event)))
        elif event.id == "ST":
            body = [event]
        elif body:
            body.append(event)
            if event.id == "SE":
                source = (header[13], group, body[0][2])
                made += [_received(header, source, answer) for answer in _answers_in(body, header.delimiters)]
                body = []
    return made


def _received(header: ReadHeader, source: tuple[str, str, str], answer: Answer) -> Received:
    return Received(
        answer=answer, sender=(header[5].strip(), header[6].strip()), receiver=(header[7].strip(), header[8].strip()),
        usage=header[15], sent=header[9] + header[10], source=source,
    )  # fmt: skip


def _answers_in(body: Sequence[ReadSegment], marks: Delimiters) -> Iterator[Answer]:
    match body[0][1]:
        case "997" | "999":
            yield from functional(body, marks)
        case "824":
            yield from _advices(body)
        case "855":
            yield from _order(body)


def _ta1(segment: ReadSegment) -> InterchangeAnswer:
    return InterchangeAnswer(number=segment[1], date=segment[2], time=segment[3], status=segment[4], note=segment[5])


def functional(body: Sequence[ReadSegment], marks: Delimiters) -> Iterator[GroupAnswer]:
    """The answer in the segments of one 997 or 999, ST to SE; nothing when AK1 or AK9 is missing."""
    head = next((segment for segment in body if segment.id == "AK1"), None)
    tail = next((segment for segment in body if segment.id == "AK9"), None)
    if head is None or tail is None:
        return
    form: Form = "999" if body[0][1] == "999" else "997"
    yield GroupAnswer(
        form=form, group=head[1], number=as_number(head[2]), version=head[3], status=tail[1], included=as_number(tail[2]),
        received=as_number(tail[3]), accepted=as_number(tail[4]), codes=tuple(filter(None, tail.fields[5:])),
        sets=tuple(_set_answers(body, marks)),
    )  # fmt: skip


def _set_answers(body: Sequence[ReadSegment], marks: Delimiters) -> Iterator[SetAnswer]:
    opened: ReadSegment | None = None
    notes: list[SegmentNote] = []
    for segment in body:
        match segment.id:
            case "AK2":
                opened, notes = segment, []
            case "AK3" | "IK3":
                notes.append(
                    SegmentNote(segment=segment[1], position=as_number(segment[2]), loop=segment[3], code=segment[4])
                )
            case "AK4" | "IK4" if notes:
                elements = (*notes[-1].elements, _read_element(segment, marks))
                notes[-1] = msgspec.structs.replace(notes[-1], elements=elements)
            case "AK5" | "IK5" if opened is not None:
                yield SetAnswer(
                    set=opened[1], control=opened[2], implementation=opened[3], status=segment[1],
                    codes=tuple(filter(None, segment.fields[2:])), segments=tuple(notes),
                )  # fmt: skip
                opened = None


def _read_element(segment: ReadSegment, marks: Delimiters) -> ElementNote:
    places = [*map(as_number, segment[1].split(marks.component) if marks.component else [segment[1]]), 0, 0]
    return ElementNote(
        element=places[0], component=places[1], repeat=places[2], ref=segment[2], code=segment[3], value=segment[4]
    )


def _advices(body: Sequence[ReadSegment]) -> Iterator[DocumentAdvice]:
    advice: DocumentAdvice | None = None
    for segment in body:
        if segment.id == "OTI":
            if advice is not None:
                yield advice
            number = as_number(segment[8]) if segment[8] else None
            advice = DocumentAdvice(
                status=segment[1], qualifier=segment[2], reference=segment[3], group_number=number, control=segment[9], set=segment[10]
            )  # fmt: skip
        elif advice is not None and segment.id == "TED":
            complaint = Complaint(segment[1], segment[2], segment[3], segment[7])
            advice = msgspec.structs.replace(advice, complaints=(*advice.complaints, complaint))
        elif advice is not None and segment.id in ("NTE", "RED"):
            text = segment[2] if segment.id == "NTE" else segment[1]
            advice = msgspec.structs.replace(advice, remarks=(*advice.remarks, text))
    if advice is not None:
        yield advice


def _order(body: Sequence[ReadSegment]) -> Iterator[OrderAnswer]:
    head = next((segment for segment in body if segment.id == "BAK"), None)
    if head is None:
        return
    lines: list[LineAnswer] = []
    line = ""
    for segment in body:
        if segment.id == "PO1":
            line = segment[1]
        elif segment.id == "ACK":
            lines.append(LineAnswer(line, segment[1], segment[2], segment[3], segment[4], segment[5]))
    yield OrderAnswer(status=head[2], order=head[3], order_date=head[4], lines=tuple(lines))


def as_number(text: str) -> int:
    """A control number or count; 0 where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
