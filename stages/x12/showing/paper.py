"""Documents as they would look on paper: who, what, the lines, what comes on top of them, and the total a reader can check. Pure.

Works on segments whose texts are safe to show (see `stages.x12.showing.show`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation

import msgspec

from stages.x12.answering.answer_reader import functional
from stages.x12.answering.answers import GroupAnswer
from stages.x12.checking.segment_check import visible
from stages.x12.checking.totals import charge, line_amount, number
from stages.x12.definitions import Release
from stages.x12.guide import Delimiters
from stages.x12.reading.reader import ReadSegment


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


def on_paper(body: Sequence[ReadSegment], tables: Release, marks: Delimiters) -> Iterator[str]:
    """The set, ST to SE, as lines of text; nothing for a set that has no such form."""
    layout = LAYOUTS.get(body[0][1])
    if layout is not None:
        yield from _document(layout, body, tables)
    elif body[0][1] in ("997", "999"):
        yield from _acknowledgement(body, tables, marks)


def meaningful(segment: ReadSegment, position: int, tables: Release) -> str:
    """An element with what its code means, or as a date, or with its implied decimals."""
    text = segment[position]
    known = tables.segments.get(segment.id)
    if known is None or position > len(known.elements):
        return text
    element = known.elements[position - 1].element
    if element.type == "DT" and text.isdigit() and len(text) == 8:
        return date(text)
    if element.type == "N2" and len(text) <= 20 and text.isascii() and text.removeprefix("-").isdigit():
        return f"{text} ({Decimal(text).scaleb(-2):,.2f})"
    if visible(text, element.ref) != text:
        return visible(text, element.ref)
    meaning = tables.meaning(element.ref, text) if element.type == "ID" else ""
    return f"{text} ({meaning})" if meaning else text


def date(text: str) -> str:
    """A date of six or eight digits with hyphens."""
    return f"{text[:-4]}-{text[-4:-2]}-{text[-2:]}"


def _document(layout: Layout, body: Sequence[ReadSegment], tables: Release) -> Iterator[str]:
    yield ""
    yield f"    {layout.title}"
    for title, id, position in layout.head:
        first = next((segment for segment in body if segment.id == id), None)
        if first is not None and first[position]:
            yield f"    {title + ':':<10} {meaningful(first, position, tables)}"
    yield from _terms(layout, body)
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


def _terms(layout: Layout, body: Sequence[ReadSegment]) -> Iterator[str]:
    """When to pay, and the discount for paying early."""
    for segment in body:
        if segment.id == layout.line:
            return
        if segment.id == "ITD":
            amount = f"discount {_cents(segment[8])}" if segment[8] else ""
            discount = _until(f"{segment[3]}%" if segment[3] else "", segment[5], segment[4])
            texts = [
                segment[12],
                discount,
                amount,
                _until("net" if segment[7] or segment[6] else "", segment[7], segment[6]),
            ]
            if any(texts):
                yield f"    {'Terms:':<10} {', '.join(filter(None, texts))}"


def _until(what: str, days: str, day: str) -> str:
    if not what:
        return ""
    return " ".join(filter(None, (what, f"in {days} days" if days else "", f"until {date(day)}" if day else "")))


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


# -- lines, charges and totals --------------------------------------------------------------------------------------------

_LONGEST_LINE_LOOP = 500
"""Segments of one line that are looked at for its description: without a bound, showing a long bill would copy it for every line."""


def _line_table(layout: Layout, body: Sequence[ReadSegment], tables: Release) -> Iterator[str]:
    yield f"    {'Line':<6}{'Quantity':>12} {'Unit':<10}{'Price':>14}{'Amount':>16}  Description"
    for i, segment in enumerate(body):
        if segment.id == layout.line:
            yield from _line(layout, segment, body[i + 1 : i + 1 + _LONGEST_LINE_LOOP], tables)
        elif segment.id in ("SAC", "TXI"):
            yield from _charge(segment, tables)
        elif segment.id == "AMT" and segment[1] != "TT":  # that one is the total of an order
            yield f"    {'':<6}{tables.meaning('522', segment[1]) or segment[1]}: {segment[2]}"


def _line(layout: Layout, line: ReadSegment, following: Sequence[ReadSegment], tables: Release) -> Iterator[str]:
    unit = tables.meaning("355", line[3]) or line[3]
    price = f"{line[4]} {line[5]}" if line[5] not in ("", "PE") else line[4]  # a price may be for a hundred
    says = _description(layout, following) or " ".join(filter(None, line.elements[6::2]))
    yield f"    {line[1]:<6}{line[2]:>12} {unit[:9]:<10}{price:>14}{_amount(line):>16}  {says}".rstrip()
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
        return f"{line_amount(line.fields):,.2f}"
    except InvalidOperation:
        return ""


_CHARGES = {"A": "Allowance", "C": "Charge", "N": "No charge"}


def _charge(segment: ReadSegment, tables: Release) -> Iterator[str]:
    """What comes on top of the lines, or off them; an amount that only informs stands behind, not in the column that adds up."""
    tax = segment.id == "TXI"
    stated = segment[2] if tax else _cents(segment[5])
    kind = "Tax" if tax else _CHARGES.get(segment[1], segment[1])
    code = tables.meaning("963", segment[1]) or segment[1] if tax else tables.meaning("1300", segment[2]) or segment[2]
    try:
        value = charge(segment.fields)
        amount = f"{value:,.2f}" if value else ""
    except InvalidOperation:
        amount = stated
    informs = f"({stated}, not in the total)" if stated and not amount and segment[5].strip("0") else ""
    says = " ".join(filter(None, ("" if tax else segment[15], informs)))
    yield f"    {f'{kind}: {code}'.rstrip(': ')[:42]:<43}{amount:>16}  {says}".rstrip()


def _cents(text: str) -> str:
    """An amount with two implied decimals."""
    try:
        return f"{number(text).scaleb(-2):,.2f}"
    except InvalidOperation:
        return text


def _total(layout: Layout, body: Sequence[ReadSegment]) -> Iterator[str]:
    if layout.total is None:
        return
    id, position, decimals = layout.total
    stated = [segment for segment in body if segment.id == id and (id != "AMT" or segment[1] == "TT")]
    if not stated:
        return
    currency = next((segment[2] for segment in body if segment.id == "CUR"), "")
    try:
        total = f"{number(stated[-1][position]).scaleb(-decimals):,.2f}"
    except InvalidOperation:
        total = stated[-1][position]
    yield f"    {'Total':<43}{total:>16}  {currency}".rstrip()
    if id == "TDS" and stated[-1][4]:
        yield f"    {'Discount if paid in time':<43}{_cents(stated[-1][4]):>16}"


def _line_answers(layout: Layout, following: Sequence[ReadSegment], tables: Release) -> Iterator[str]:
    """What an 855 says of the line before: one row per ACK."""
    for segment in following:
        if segment.id in (layout.line, "CTT", "SE"):
            return
        if segment.id == "ACK":
            quantity = f" {segment[2]} {tables.meaning('355', segment[3]) or segment[3]}" if segment[2] else ""
            day = f" {tables.meaning('374', segment[4]) or segment[4]} {date(segment[5])}" if segment[5] else ""
            yield f"    {'':<6}{'':>12} -> {tables.meaning('668', segment[1]) or segment[1]}{quantity}{day}"


def _items(body: Sequence[ReadSegment], tables: Release) -> Iterator[str]:
    """What an 820 pays, bill by bill. The last column adds up: adjustments inside of an item are in what is paid on it already."""
    yield f"    {'Item':<46}{'Gross':>16}{'Discount':>14}{'Adjusted':>14}{'Paid':>16}"
    inside = False
    for segment in body:
        if segment.id == "ENT":
            inside = False
        elif segment.id == "RMR":
            inside = True
            item = f"{segment[2]} ({tables.meaning('128', segment[1]) or segment[1]})"
            yield f"    {item[:45]:<46}{segment[5]:>16}{segment[6]:>14}{segment[8]:>14}{segment[4]:>16}".rstrip()
        elif segment.id == "ADX":
            item = f"Adjustment: {tables.meaning('426', segment[2]) or segment[2]} {segment[4]}".rstrip()
            yield f"      {item[:70]}, {segment[1]} of it" if inside else f"    {item[:89]:<90}{segment[1]:>16}"
    paid = next((segment for segment in body if segment.id == "BPR"), None)
    currency = next((segment[2] for segment in body if segment.id == "CUR"), "")
    if paid is not None:
        yield f"    {'Total':<90}{paid[2]:>16}  {currency}".rstrip()


# -- answers --------------------------------------------------------------------------------------------------------------


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
            if one.omitted:
                yield f"        ... and {one.omitted:,} more"


def _status(answer: GroupAnswer, tables: Release) -> str:
    codes = "; ".join(tables.meaning("716", code) or f"error {code}" for code in answer.codes)
    status = tables.meaning("715", answer.status) or answer.status
    return f"{status}, {answer.accepted} of {answer.received} sets accepted" + (f" ({codes})" if codes else "")
