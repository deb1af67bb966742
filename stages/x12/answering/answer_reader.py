"""Reading answers from bytes, in one pass: each TA1, 997, 999, 824 and 855, and everything that may be one and cannot be read whole.

A refusal must never get lost: whatever is damaged, missing or contradicts itself where answers are is told as `Unread`. Time is linear
in the input and what is kept of an answer is bounded, however many faults it lists. No input/output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from stages.x12.answering.answers import (
    Answer,
    Complaint,
    DocumentAdvice,
    ElementNote,
    Form,
    GroupAnswer,
    InterchangeAnswer,
    LineAnswer,
    OrderAnswer,
    Received,
    SegmentNote,
    SetAnswer,
    as_number,
)
from stages.x12.guide import Delimiters
from stages.x12.reading.reader import ReadHeader, ReadSegment, events
from stages.x12.reading.scanner import Damage

ANSWERS = ("997", "999", "824", "855")
MOST_KEPT = 200
"""Notes kept of one set, complaints of one document, lines of one order; the rest is counted."""

LONGEST_TEXT = 1000
"""Characters kept of an element; those that answers have are shorter."""

_SETS_OF = {"FA": ("997", "999"), "AG": ("824",), "PR": ("855",)}
"""Groups (GS01) that hold nothing but answers."""
_OF_SYNTAX = frozenset({"AK1", "AK2", "AK3", "AK4", "AK5", "AK9", "IK3", "IK4", "IK5", "TA1"})
"""Segments that stand in answers alone: wherever else one is met, an answer came apart."""
_IN_FUNCTIONAL = _OF_SYNTAX - {"TA1"} | {"ST", "SE", "CTX"}
_GROUP_STATUSES, _SET_STATUSES, _INTERCHANGE_STATUSES = frozenset("AEPRMWX"), frozenset("AERMWX"), frozenset("AER")
_SEGMENT_ID = re.compile("[A-Z][A-Z0-9]{1,2}")


class Unread(msgspec.Struct, frozen=True):
    """Something at byte ``offset`` that is an answer, or may be one, and cannot be read whole."""

    why: str
    offset: int

    def __str__(self) -> str:
        return f"{self.why} (byte {self.offset})"


def read_answers(chunks: Iterable[bytes]) -> list[Received]:
    """Every answer in the bytes, in their order, as far as it can be read; see `reading` for what can not.

    Unreadable numbers become 0 and missing texts "".
    """
    return [one for one in reading(chunks) if isinstance(one, Received)]


def reading(chunks: Iterable[bytes]) -> Iterator[Received | Unread]:
    """Every answer, and whatever may have been one. An answer that came with an `Unread` of its own may say less than was sent.

    Counts that are too high tell of something lost (SE01, GE01, IEA01); counts that are too low lose nothing and are passed over.
    """
    found = _Reading()
    for event in events(chunks):
        yield from found.take(event)
    yield from found.finish()


class _Reading:
    """What is open: the interchange, the group, the set."""

    def __init__(self) -> None:
        self._header: ReadHeader | None = None
        self._group: ReadSegment | None = None
        self._body: list[ReadSegment] = []
        self._groups = self._sets = self._ta1s = 0

    def take(self, event: ReadSegment | Damage) -> Iterator[Received | Unread]:
        if isinstance(event, Damage):
            yield Unread(f"{event.code}: {event.why}", event.offset)
            self._header, self._group, self._body = None, None, []  # what is missing of them is this damage
        elif isinstance(event, ReadHeader):
            yield from self._abandon()
            self._header, self._groups, self._ta1s = event, 0, 0
        elif self._header is not None:
            yield from self._segment(self._header, _cut(event))

    def finish(self) -> Iterator[Unread]:
        """The input is over."""
        yield from self._abandon()

    def _segment(self, header: ReadHeader, segment: ReadSegment) -> Iterator[Received | Unread]:
        match segment.id:
            case "GS":
                yield from self._close_group(None)
                self._group, self._groups, self._sets = segment, self._groups + 1, 0
            case "GE":
                yield from self._close_group(segment)
            case "IEA":
                yield from self._close_interchange(segment)
            case "ST":
                yield from self._close_set()
                self._body, self._sets = [segment], self._sets + 1
            case "SE" if self._body:
                self._body.append(segment)
                yield from self._whole(header)
                self._body = []
            case _ if self._body:
                self._body.append(segment)
            case "TA1":
                self._ta1s += 1
                yield from _read_ta1(header, segment)
            case _ if segment.id and (self._kinds or segment.id.strip().upper() in _OF_SYNTAX):
                yield Unread(f"segment {_named(segment)} stands outside of a set", segment.offset)

    @property
    def _kinds(self) -> tuple[str, ...]:
        """The sets that the open group is for, when it is for answers."""
        return _SETS_OF.get(self._group[1].strip().upper(), ()) if self._group is not None else ()

    def _whole(self, header: ReadHeader) -> Iterator[Received | Unread]:
        """The set that ends here."""
        st = self._body[0]
        if st[1] in ANSWERS:
            answers = list(_answers_in(self._body, header.delimiters))
            source = (header[13], self._group[6] if self._group is not None else "", st[2])
            yield from (_received(header, source, answer) for answer in answers)
            yield from (Unread(f"set {st[1]} {st[2]}: {why}", st.offset) for why in _faults(self._body))
            if not answers:
                yield Unread(f"set {st[1]} {st[2]} says nothing that can be read", st.offset)
        else:
            yield from self._foreign(st)

    def _foreign(self, st: ReadSegment) -> Iterator[Unread]:
        """A set of another kind: is it one, or an answer whose header is damaged?"""
        if self._kinds:
            yield Unread(f"a set {st[1]!r} in a group for {' and '.join(self._kinds)}", st.offset)
        elif st[1].strip().lstrip("0") in ANSWERS or any(one.id in _OF_SYNTAX for one in self._body):
            yield Unread(f"the set {st[1]!r} looks like an answer and is none", st.offset)

    def _close_set(self) -> Iterator[Unread]:
        """Something else begins or ends although a set is open."""
        if self._body:
            st = self._body[0]
            if st[1] in ANSWERS:
                yield Unread(f"set {st[1]} {st[2]} is not closed: SE is missing", st.offset)
            else:
                yield from self._foreign(st)
        self._body = []

    def _close_group(self, ge: ReadSegment | None) -> Iterator[Unread]:
        yield from self._close_set()
        group, kinds, self._group = self._group, self._kinds, None
        if group is None or not kinds:
            return
        if ge is None:
            yield Unread(f"group {group[6]} is not closed: GE is missing", group.offset)
        elif as_number(ge[1]) > self._sets or not self._sets:
            yield Unread(f"group {group[6]} announces {ge[1]} sets and holds {self._sets}", group.offset)

    def _close_interchange(self, iea: ReadSegment) -> Iterator[Unread]:
        yield from self._close_group(None)
        claimed, alone = as_number(iea[1]), not self._groups
        if claimed > self._groups and not (alone and claimed <= self._ta1s):  # some count a TA1 that comes alone
            yield Unread(f"interchange announces {iea[1]} groups and holds {self._groups}", iea.offset)
        self._header = None

    def _abandon(self) -> Iterator[Unread]:
        """The interchange that is open is not closed."""
        yield from self._close_group(None)
        if self._header is not None:
            yield Unread(f"interchange {self._header[13]} is not closed: IEA is missing", self._header.offset)
        self._header = None


def _cut(segment: ReadSegment) -> ReadSegment:
    if all(len(text) <= LONGEST_TEXT for text in segment.fields):
        return segment
    fields = [text[:LONGEST_TEXT] for text in segment.fields]
    return ReadSegment(segment.id[:LONGEST_TEXT], fields, segment.number, segment.position, segment.offset)


def _received(header: ReadHeader, source: tuple[str, str, str], answer: Answer) -> Received:
    return Received(
        answer=answer, sender=(header[5].strip(), header[6].strip()), receiver=(header[7].strip(), header[8].strip()),
        usage=header[15], sent=header[9] + header[10], source=source,
    )  # fmt: skip


def _read_ta1(header: ReadHeader, segment: ReadSegment) -> Iterator[Received | Unread]:
    answer = InterchangeAnswer(number=segment[1], date=segment[2], time=segment[3], status=segment[4], note=segment[5])
    yield _received(header, (header[13], "", ""), answer)
    if answer.status not in _INTERCHANGE_STATUSES or not as_number(answer.number):
        yield Unread(f"the TA1 about {answer.number!r} says {answer.status!r}", segment.offset)


def _answers_in(body: Sequence[ReadSegment], marks: Delimiters) -> Iterator[Answer]:
    match body[0][1]:
        case "997" | "999":
            yield from functional(body, marks)
        case "824":
            yield from _advices(body)
        case "855":
            yield from _order(body)


# -- what keeps a set from being read whole -----------------------------------------------------------------------------------


def _faults(body: Sequence[ReadSegment]) -> Iterator[str]:
    """What is wrong with one set of answers, ST to SE, so that it may say less than was sent."""
    st, se = body[0], body[-1]
    if st[2].strip().lstrip("0") != se[2].strip().lstrip("0"):
        yield f"SE closes another set, {se[2]!r}"
    if as_number(se[1]) > len(body):
        yield f"SE announces {se[1]} segments and there are {len(body)}"
    functional = st[1] in ("997", "999")
    for segment in body:
        if segment.id and not (segment.id in _IN_FUNCTIONAL if functional else _can_be_business(segment.id)):
            yield f"{_named(segment)} is no segment of it"
    yield from _incomplete(st[1], body)


def _can_be_business(id: str) -> bool:
    return bool(_SEGMENT_ID.fullmatch(id)) and id not in _OF_SYNTAX


def _incomplete(kind: str, body: Sequence[ReadSegment]) -> Iterator[str]:
    match kind:
        case "997" | "999":
            yield from _unpaired(body)
        case "824" if any(segment.id == "OTI" and not segment[1].strip() for segment in body):
            yield "an OTI does not say what was made of the document"
        case "855":
            heads = sum(segment.id == "BAK" for segment in body)
            if heads > 1:
                yield f"there are {heads} BAK in it"


def _unpaired(body: Sequence[ReadSegment]) -> Iterator[str]:
    """AK1 and AK9 stand around pairs of AK2 and AK5, each once."""
    shape = "".join(_SHAPE.get(segment.id, "") for segment in body)
    if not re.fullmatch("1(25)*9", shape):
        yield "AK1, AK2, AK5 and AK9 do not stand as they must"
    for segment in body:
        if segment.id == "AK1" and not as_number(segment[2]):
            yield f"it answers a group {segment[2]!r}"
        elif segment.id == "AK9" and segment[1] not in _GROUP_STATUSES:
            yield f"AK9 says {segment[1]!r}"
        elif segment.id in ("AK5", "IK5") and segment[1] not in _SET_STATUSES:
            yield f"{segment.id} says {segment[1]!r}"


_SHAPE = {"AK1": "1", "AK2": "2", "AK5": "5", "IK5": "5", "AK9": "9"}


def _named(segment: ReadSegment) -> str:
    return repr(segment.id[:20])


# -- what the sets say --------------------------------------------------------------------------------------------------------


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
    notes = _Notes()
    for segment in body:
        match segment.id:
            case "AK2":
                opened, notes = segment, _Notes()
            case "AK3" | "IK3":
                notes.segment(segment)
            case "AK4" | "IK4":
                notes.element(segment, marks)
            case "AK5" | "IK5" if opened is not None:
                yield SetAnswer(
                    set=opened[1], control=opened[2], implementation=opened[3], status=segment[1],
                    codes=tuple(filter(None, segment.fields[2:])), segments=notes.made(), omitted=notes.omitted,
                )  # fmt: skip
                opened = None


class _Notes:
    """The AK3 and AK4 of one set: the first of them, and how many more there are."""

    def __init__(self) -> None:
        self._segments: list[tuple[ReadSegment, list[ElementNote]]] = []
        self._kept = self.omitted = 0

    def segment(self, segment: ReadSegment) -> None:
        if self._room():
            self._segments.append((segment, []))

    def element(self, segment: ReadSegment, marks: Delimiters) -> None:
        if self._segments and self._room():
            self._segments[-1][1].append(_read_element(segment, marks))

    def _room(self) -> bool:
        full = self._kept == MOST_KEPT
        self._kept, self.omitted = self._kept + (not full), self.omitted + full
        return not full

    def made(self) -> tuple[SegmentNote, ...]:
        return tuple(
            SegmentNote(
                segment=note[1], position=as_number(note[2]), loop=note[3], code=note[4], elements=tuple(elements)
            )
            for note, elements in self._segments
        )


def _read_element(segment: ReadSegment, marks: Delimiters) -> ElementNote:
    places = segment[1].split(marks.component, 2) if marks.component else [segment[1]]
    element, component, repeat = (*map(as_number, places), 0, 0)[:3]
    return ElementNote(
        element=element, component=component, repeat=repeat, ref=segment[2], code=segment[3], value=segment[4]
    )


def _advices(body: Sequence[ReadSegment]) -> Iterator[DocumentAdvice]:
    head: ReadSegment | None = None
    says: list[ReadSegment] = []
    for segment in body:
        if segment.id == "OTI":
            if head is not None:
                yield _advice(head, says)
            head, says = segment, []
        elif segment.id in ("TED", "NTE", "RED"):
            says.append(segment)
    if head is not None:
        yield _advice(head, says)


def _advice(oti: ReadSegment, says: Sequence[ReadSegment]) -> DocumentAdvice:
    kept = says[:MOST_KEPT]
    return DocumentAdvice(
        status=oti[1], qualifier=oti[2], reference=oti[3], group_number=as_number(oti[8]) if oti[8] else None, control=oti[9], set=oti[10],
        complaints=tuple(Complaint(ted[1], ted[2], ted[3], ted[7]) for ted in kept if ted.id == "TED"),
        remarks=tuple(said[2 if said.id == "NTE" else 1] for said in kept if said.id != "TED"), omitted=len(says) - len(kept),
    )  # fmt: skip


def _order(body: Sequence[ReadSegment]) -> Iterator[OrderAnswer]:
    head = next((segment for segment in body if segment.id == "BAK"), None)
    if head is None:
        return
    lines: list[LineAnswer] = []
    line, omitted = "", 0
    for segment in body:
        if segment.id == "PO1":
            line = segment[1]
        elif segment.id == "ACK" and len(lines) < MOST_KEPT:
            lines.append(LineAnswer(line, segment[1], segment[2], segment[3], segment[4], segment[5]))
        elif segment.id == "ACK":
            omitted += 1
    yield OrderAnswer(status=head[2], order=head[3], order_date=head[4], lines=tuple(lines), omitted=omitted)
