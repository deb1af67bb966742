"""An interchange as text for people: each document as it would look on paper, then segment by segment with names and meanings. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Literal

import msgspec

from stages.x12.answer_reader import functional
from stages.x12.answers import GroupAnswer
from stages.x12.definitions import Release, release, releases
from stages.x12.guide import Delimiters
from stages.x12.reader import ReadHeader, ReadSegment, events
from stages.x12.scanner import Damage
from stages.x12.segment_check import visible
from stages.x12.totals import number

Role = Literal["title", "segment", "element", "meaning", "damage"]
Paint = Callable[[str, Role], str]
"""Gives a piece of text the look of its role on the caller's terminal."""


TERMINATOR_AT = 105  # ISA has a fixed length; the character behind it ends every segment


class Layout(msgspec.Struct, frozen=True):
    """Where a set keeps what a person looks for. Places are (segment, position) of its first occurrence."""

    title: str
    head: tuple[tuple[str, str, int], ...]
    line: str
    total: tuple[str, int, int] | None = None  # segment, position, implied decimals


LAYOUTS = {
    "810": Layout(
        "INVOICE",
        (("Number", "BIG", 2), ("Date", "BIG", 1), ("Order", "BIG", 4), ("Type", "BIG", 7), ("Purpose", "BIG", 8)),
        "IT1",
        ("TDS", 1, 2),
    ),
    "850": Layout(
        "PURCHASE ORDER",
        (("Number", "BEG", 3), ("Date", "BEG", 5), ("Type", "BEG", 2), ("Purpose", "BEG", 1)),
        "PO1",
        ("AMT", 2, 0),
    ),
    "855": Layout(
        "PURCHASE ORDER ACKNOWLEDGMENT",
        (("Order", "BAK", 3), ("Date", "BAK", 4), ("Answer", "BAK", 2), ("Purpose", "BAK", 1)),
        "PO1",
    ),
    "820": Layout(
        "REMITTANCE ADVICE",
        (("Amount", "BPR", 2), ("Method", "BPR", 4), ("Date", "BPR", 16), ("Trace", "TRN", 2)),
        "RMR",
    ),
    "824": Layout(
        "APPLICATION ADVICE",
        (("Number", "BGN", 2), ("Date", "BGN", 3), ("Purpose", "BGN", 1)),
        "OTI",
    ),
}


def readable(payload: bytes) -> list[str] | None:
    """The payload as lines of text without colour; None when it is not X12. Damaged X12 is shown as far as it goes."""
    lines = show_bytes(payload)
    return None if not lines or lines[0].startswith(_DAMAGE) else lines


def segment_lines(payload: bytes) -> list[str] | None:
    """The bytes as text, one segment a line; None when they are no interchange."""
    if not payload.startswith(b"ISA") or len(payload) < 106:
        return None
    terminator = payload[105:106].decode("latin-1")
    text = payload.decode("utf-8", "replace")
    return [
        segment.strip("\r\n") + ("" if terminator in "\r\n" else terminator)
        for segment in text.split(terminator)
        if segment.strip()
    ]


def show_bytes(data: bytes, paint: Paint | None = None) -> list[str]:
    """Everything in the bytes as lines for people: interchanges, documents, segments, and damage where it is. Never raises."""
    return list(_lines(data, paint or _plain))


def _plain(text: str, role: Role) -> str:
    return text


_DAMAGE = "!! "


def _lines(data: bytes, paint: Paint) -> Iterator[str]:
    tables, marks = release(releases()[0]), Delimiters()
    body: list[ReadSegment] = []
    for event in events([data]):
        if isinstance(event, Damage | ReadHeader) or event.id in ("ST", "GE", "IEA"):
            yield from _document(body, tables, marks, paint)
            body = []
        if isinstance(event, Damage):
            yield paint(f"{_DAMAGE}{event.why} (byte {event.offset})", "damage")
        elif isinstance(event, ReadHeader):
            marks = event.delimiters
            yield paint(_interchange(event), "title")
        elif event.id == "GS":
            tables = release(event[8]) if event[8][:6] in releases() else release(releases()[0])
            meaning = tables.meaning("479", event[1]) or event[1]
            yield paint(f"  Group {event[6]}: {meaning}, {event[2]} to {event[3]}, release {event[8]}", "title")
        elif event.id == "ST" or body:
            body.append(event)
            if event.id == "SE":
                yield from _document(body, tables, marks, paint)
                body = []
        elif event.id not in ("GE", "IEA"):
            yield from _segment(event, tables, marks, paint)
    yield from _document(body, tables, marks, paint)


def _interchange(isa: ReadHeader) -> str:
    usage = {"P": "production", "T": "test", "I": "information"}.get(isa[15], isa[15])
    sender, receiver = f"{isa[5]} {isa[6].strip()}", f"{isa[7]} {isa[8].strip()}"
    century = "19" if isa[9][:2] >= "80" else "20"  # the standard's releases begin in the eighties
    return (
        f"Interchange {isa[13]}: {sender} to {receiver}, {century}{_date(isa[9])} {isa[10][:2]}:{isa[10][2:]}, {usage}"
    )


def _document(body: Sequence[ReadSegment], tables: Release, marks: Delimiters, paint: Paint) -> Iterator[str]:
    if not body:
        return
    st = body[0]
    definition = tables.sets.get(st[1])
    name = definition.name if definition else tables.meaning("143", st[1])
    yield ""
    yield paint(f"  Set {st[1]} {name}".rstrip() + f", number {st[2]}", "title")
    layout = LAYOUTS.get(st[1])
    if layout is not None:
        yield from _paper(layout, body, tables)
    elif st[1] in ("997", "999"):
        yield from _acknowledgement(body, tables, marks)
    yield ""
    for segment in body:
        yield from _segment(segment, tables, marks, paint)


# -- the document as it would look on paper ---------------------------------------------------------------------------


def _paper(layout: Layout, body: Sequence[ReadSegment], tables: Release) -> Iterator[str]:
    yield ""
    yield f"    {layout.title}"
    for title, id, position in layout.head:
        first = next((segment for segment in body if segment.id == id), None)
        if first is not None and first[position]:
            yield f"    {title + ':':<10} {_meaningful(first, position, tables)}"
    yield from _parties(layout, body, tables)
    yield ""
    match layout.line:
        case "RMR":
            yield from _items(body, tables)
        case "OTI":
            yield from _advices(body, tables)
        case _:
            yield from _line_table(layout, body, tables)
    yield from _total(layout, body)


def _parties(layout: Layout, body: Sequence[ReadSegment], tables: Release) -> Iterator[str]:
    at_party = False
    for segment in body:
        if segment.id == layout.line:
            return
        if segment.id == "N1":
            at_party = True
            role = tables.meaning("98", segment[1]) or segment[1]
            id = f" ({segment[4].strip()})" if segment[4] else ""
            yield f"    {role + ':':<10} {segment[2]}{id}"
        elif at_party and segment.id in ("N2", "N3"):
            yield from (f"    {'':<10} {text}" for text in segment.elements if text)
        elif at_party and segment.id == "N4":
            place = ", ".join(filter(None, (segment[1], segment[2] or segment[6])))
            yield f"    {'':<10} {' '.join(filter(None, (place, segment[3], segment[4])))}"


_LONGEST_LINE_LOOP = 500
"""Segments of one line that are looked at for its description: without a bound, showing a long bill would copy it for every line."""


def _line_table(layout: Layout, body: Sequence[ReadSegment], tables: Release) -> Iterator[str]:
    yield f"    {'Line':<6}{'Quantity':>12} {'Unit':<10}{'Price':>14}{'Amount':>16}  Description"
    for i, segment in enumerate(body):
        if segment.id != layout.line:
            continue
        unit = tables.meaning("355", segment[3]) or segment[3]
        following = body[i + 1 : i + 1 + _LONGEST_LINE_LOOP]
        says = _description(layout, following) or " ".join(filter(None, segment.elements[6::2]))
        yield f"    {segment[1]:<6}{segment[2]:>12} {unit[:9]:<10}{segment[4]:>14}{_amount(segment):>16}  {says}".rstrip()
        yield from _line_answers(layout, following, tables)


def _description(layout: Layout, following: Sequence[ReadSegment]) -> str:
    for segment in following:
        if segment.id in (layout.line, *(layout.total or ())[:1], "CTT", "SE"):
            return ""
        if segment.id == "PID" and segment[5]:
            return segment[5]
    return ""


def _amount(line: ReadSegment) -> str:
    try:
        return f"{number(line[2]) * number(line[4]):,.2f}"
    except InvalidOperation:
        return ""


def _total(layout: Layout, body: Sequence[ReadSegment]) -> Iterator[str]:
    if layout.total is None:
        return
    id, position, decimals = layout.total
    stated = [segment for segment in body if segment.id == id]
    if not stated:
        return
    currency = next((segment[2] for segment in body if segment.id == "CUR"), "")
    try:
        total = f"{number(stated[-1][position]).scaleb(-decimals):,.2f}"
    except InvalidOperation:
        total = stated[-1][position]
    yield f"    {'Total':<43}{total:>16}  {currency}".rstrip()


def _line_answers(layout: Layout, following: Sequence[ReadSegment], tables: Release) -> Iterator[str]:
    """What an 855 says of the line before: one row per ACK."""
    for segment in following:
        if segment.id in (layout.line, "CTT", "SE"):
            return
        if segment.id == "ACK":
            quantity = f" {segment[2]} {tables.meaning('355', segment[3]) or segment[3]}" if segment[2] else ""
            date = f" {tables.meaning('374', segment[4]) or segment[4]} {_date(segment[5])}" if segment[5] else ""
            yield f"    {'':<6}{'':>12} -> {tables.meaning('668', segment[1]) or segment[1]}{quantity}{date}"


def _items(body: Sequence[ReadSegment], tables: Release) -> Iterator[str]:
    """What an 820 pays, bill by bill."""
    yield f"    {'Item':<46}{'Gross':>16}{'Discount':>14}{'Adjusted':>14}{'Paid':>16}"
    for segment in body:
        if segment.id == "RMR":
            item = f"{segment[2]} ({tables.meaning('128', segment[1]) or segment[1]})"
            yield f"    {item[:45]:<46}{segment[5]:>16}{segment[6]:>14}{segment[8]:>14}{segment[4]:>16}".rstrip()
        elif segment.id == "ADX":
            item = f"Adjustment: {tables.meaning('426', segment[2]) or segment[2]} {segment[4]}".rstrip()
            yield f"    {item[:89]:<90}{segment[1]:>16}"
    paid = next((segment for segment in body if segment.id == "BPR"), None)
    currency = next((segment[2] for segment in body if segment.id == "CUR"), "")
    if paid is not None:
        yield f"    {'Total':<90}{paid[2]:>16}  {currency}".rstrip()


def _advices(body: Sequence[ReadSegment], tables: Release) -> Iterator[str]:
    """What an 824 says, document by document."""
    for segment in body:
        if segment.id == "OTI":
            reference = f"{tables.meaning('128', segment[2]) or segment[2]} {segment[3]}"
            of = f" (set {segment[10]} {segment[9]}, group {segment[8]})" if segment[8] else ""
            yield f"    {tables.meaning('110', segment[1]) or segment[1]}: {reference}{of}"
        elif segment.id == "TED":
            value = f": {segment[7]}" if segment[7] else ""
            yield f"      {tables.meaning('647', segment[1]) or segment[1]} {segment[2]}".rstrip() + value
        elif segment.id in ("NTE", "RED"):
            yield f"      {segment[2] if segment.id == 'NTE' else segment[1]}"


def _acknowledgement(body: Sequence[ReadSegment], tables: Release, marks: Delimiters) -> Iterator[str]:
    """What a 997 or 999 says of a group and its sets."""
    for answer in functional(body, marks):
        yield ""
        yield "    ACKNOWLEDGMENT"
        yield f"    Group {answer.number} ({tables.meaning('479', answer.group) or answer.group}): {_status(answer, tables)}"
        segment_code, element_code, set_code = ("720", "723", "718") if answer.form == "997" else ("620", "621", "618")
        for one in answer.sets:
            yield f"      Set {one.set} {one.control}: {tables.meaning('717', one.status) or one.status}"
            for code in one.codes:
                yield f"        {tables.meaning(set_code, code) or f'error {code}'}"
            for note in one.segments:
                yield f"        Segment {note.position}, {note.segment}: {tables.meaning(segment_code, note.code) or f'error {note.code}'}"
                for fault in note.elements:
                    value = f": {fault.value}" if fault.value else ""
                    meaning = tables.meaning(element_code, fault.code) or f"error {fault.code}"
                    yield f"          {note.segment}{fault.element:02d}: {meaning}{value}"


def _status(answer: GroupAnswer, tables: Release) -> str:
    codes = "; ".join(tables.meaning("716", code) or f"error {code}" for code in answer.codes)
    status = tables.meaning("715", answer.status) or answer.status
    return f"{status}, {answer.accepted} of {answer.received} sets accepted" + (f" ({codes})" if codes else "")


# -- segment by segment -----------------------------------------------------------------------------------------------


def _segment(segment: ReadSegment, tables: Release, marks: Delimiters, paint: Paint) -> Iterator[str]:
    known = tables.segments.get(segment.id)
    yield f"    {paint(f'{segment.id:<4}', 'segment')}{known.name if known else '(unknown segment)'}"
    for position, text in enumerate(segment.elements, start=1):
        if not text:
            continue
        use = known.elements[position - 1] if known and position <= len(known.elements) else None
        name, place = use.element.name if use else "?", f"{segment.id}{position:02d}"
        shown = paint(_meaningful(segment, position, tables), "meaning")
        yield f"      {paint(place, 'element')}  {name[:44]:<44} {shown}"
        if use is not None and use.parts and marks.component and marks.component in text:
            for number, part in enumerate(text.split(marks.component), 1):
                name = use.parts[number - 1].element.name if number <= len(use.parts) else "?"
                yield f"      {paint(f'{place}-{number}', 'element')}  {name[:42]:<42} {paint(part, 'meaning')}"


def _meaningful(segment: ReadSegment, position: int, tables: Release) -> str:
    """An element with what its code means, or as a date, or with its implied decimals."""
    text = segment[position]
    known = tables.segments.get(segment.id)
    if known is None or position > len(known.elements):
        return text
    element = known.elements[position - 1].element
    if element.type == "DT" and text.isdigit() and len(text) == 8:
        return _date(text)
    if element.type == "N2" and len(text) <= 20 and text.isascii() and text.removeprefix("-").isdigit():
        return f"{text} ({Decimal(text).scaleb(-2):,.2f})"
    if visible(text, element.ref) != text:
        return visible(text, element.ref)
    meaning = tables.meaning(element.ref, text) if element.type == "ID" else ""
    return f"{text} ({meaning})" if meaning else text


def _date(text: str) -> str:
    return f"{text[:-4]}-{text[-4:-2]}-{text[-2:]}"
