"""An interchange as text for people: each document as an invoice or order, then segment by segment with names and meanings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation

import msgspec

from stages.x12.definitions import Release, release, releases
from stages.x12.reader import NotX12, ReadHeader, ReadSegment, read


class Layout(msgspec.Struct, frozen=True):
    """Where a set keeps what a person looks for. Places are (segment, position) of its first occurrence."""

    title: str
    head: tuple[tuple[str, str, int], ...]
    line: str
    total: tuple[str, int, int]  # segment, position, implied decimals


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
}


def readable(payload: bytes) -> list[str] | None:
    """The payload as lines of text without colour; None when it is not X12. Damaged X12 is shown as far as it goes."""
    if not payload.lstrip(b" \t\r\n\x00\xef\xbb\xbf").startswith(b"ISA"):
        return None
    segments: list[ReadSegment] = []
    damage = ""
    try:
        segments.extend(read([payload]))
    except NotX12 as error:
        damage = f"!! {error.why} ({error.where})"
        segments = list(_until_damage(payload))
    if not segments:
        return None
    lines = list(_lines(segments))
    return [*lines, damage] if damage else lines


def _until_damage(payload: bytes) -> Iterator[ReadSegment]:
    try:
        yield from read([payload])
    except NotX12:
        return


def _lines(segments: Sequence[ReadSegment]) -> Iterator[str]:
    tables = release(releases()[0])
    body: list[ReadSegment] = []
    for segment in segments:
        if isinstance(segment, ReadHeader):
            yield _interchange(segment)
        elif segment.id == "GS":
            tables = release(segment[8]) if segment[8][:6] in releases() else release(releases()[0])
            meaning = tables.meaning("479", segment[1])
            yield f"  Group {segment[6]}: {meaning or segment[1]}, {segment[2]} to {segment[3]}, release {segment[8]}"
        elif segment.id == "ST":
            body = [segment]
        elif segment.id == "SE" and body:
            yield from _document([*body, segment], tables)
            body = []
        elif body:
            body.append(segment)
        elif segment.id not in ("GE", "IEA"):
            yield from _segment(segment, tables)
    if body:
        yield from _document(body, tables)


def _interchange(isa: ReadHeader) -> str:
    usage = {"P": "production", "T": "test", "I": "information"}.get(isa[15], isa[15])
    sender, receiver = f"{isa[5]} {isa[6].strip()}", f"{isa[7]} {isa[8].strip()}"
    return f"Interchange {isa[13]}: {sender} to {receiver}, 20{_date(isa[9])} {isa[10][:2]}:{isa[10][2:]}, {usage}"


def _document(body: Sequence[ReadSegment], tables: Release) -> Iterator[str]:
    st = body[0]
    definition = tables.sets.get(st[1])
    name = definition.name if definition else tables.meaning("143", st[1])
    yield ""
    yield f"  Set {st[1]} {name}".rstrip() + f", number {st[2]}"
    layout = LAYOUTS.get(st[1])
    if layout is not None:
        yield from _paper(layout, body, tables)
    yield ""
    for segment in body:
        yield from _segment(segment, tables)


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


def _line_table(layout: Layout, body: Sequence[ReadSegment], tables: Release) -> Iterator[str]:
    yield f"    {'Line':<6}{'Quantity':>12} {'Unit':<10}{'Price':>14}{'Amount':>16}  Description"
    for i, segment in enumerate(body):
        if segment.id != layout.line:
            continue
        unit = tables.meaning("355", segment[3]) or segment[3]
        says = _description(layout, body[i + 1 :]) or " ".join(filter(None, segment.elements[6::2]))
        yield f"    {segment[1]:<6}{segment[2]:>12} {unit[:9]:<10}{segment[4]:>14}{_amount(segment):>16}  {says}".rstrip()


def _description(layout: Layout, following: Sequence[ReadSegment]) -> str:
    for segment in following:
        if segment.id in (layout.line, layout.total[0], "CTT", "SE"):
            return ""
        if segment.id == "PID" and segment[5]:
            return segment[5]
    return ""


def _amount(line: ReadSegment) -> str:
    try:
        return f"{Decimal(line[2]) * Decimal(line[4]):,.2f}"
    except InvalidOperation:
        return ""


def _total(layout: Layout, body: Sequence[ReadSegment]) -> Iterator[str]:
    id, position, decimals = layout.total
    stated = [segment for segment in body if segment.id == id]
    if not stated:
        return
    currency = next((segment[2] for segment in body if segment.id == "CUR"), "")
    try:
        total = f"{Decimal(stated[-1][position]).scaleb(-decimals):,.2f}"
    except InvalidOperation:
        total = stated[-1][position]
    yield f"    {'Total':<43}{total:>16}  {currency}".rstrip()


# -- segment by segment -----------------------------------------------------------------------------------------------


def _segment(segment: ReadSegment, tables: Release) -> Iterator[str]:
    known = tables.segments.get(segment.id)
    yield f"    {segment.id:<4}{known.name if known else '(unknown segment)'}"
    for position, text in enumerate(segment.elements, start=1):
        if text:
            name = known.elements[position - 1].element.name if known and position <= len(known.elements) else "?"
            yield f"      {segment.id}{position:02d}  {name[:44]:<44} {_meaningful(segment, position, tables)}"


def _meaningful(segment: ReadSegment, position: int, tables: Release) -> str:
    """An element with what its code means, or as a date, or with its implied decimals."""
    text = segment[position]
    known = tables.segments.get(segment.id)
    if known is None or position > len(known.elements):
        return text
    element = known.elements[position - 1].element
    if element.type == "DT" and text.isdigit() and len(text) == 8:
        return _date(text)
    if element.type == "N2" and text.lstrip("-").isdigit():
        return f"{text} ({Decimal(text).scaleb(-2):,.2f})"
    meaning = tables.meaning(element.ref, text) if element.type == "ID" else ""
    return f"{text} ({meaning})" if meaning else text


def _date(text: str) -> str:
    return f"{text[:-4]}-{text[-4:-2]}-{text[-2:]}"
