"""An interchange as text for people: each document as it would look on paper, then segment by segment with names and meanings. Pure.

What is shown was written by others: whatever a terminal could obey, or would hide, is written out. Lines come as the bytes are read;
of a set that is very long the beginning and the end are kept, never all of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Literal

import msgspec

from pipeline import legible
from stages.x12.definitions import Release, release, releases
from stages.x12.guide import Delimiters
from stages.x12.reading.reader import ReadHeader, ReadSegment, events
from stages.x12.reading.scanner import Damage
from stages.x12.showing.paper import date, meaningful, on_paper

Role = Literal["title", "segment", "element", "meaning", "damage"]
Paint = Callable[[str, Role], str]
"""Gives a piece of text the look of its role on the caller's terminal."""

MOST_LINES = 50_000
"""Lines of a payload that `readable` gives."""
MOST_SEGMENTS, MOST_CHARACTERS = 20_000, 4_000_000
"""Of one set, what is shown from its beginning."""
LAST_SEGMENTS = 50
"""And from its end, where the totals are."""


def readable(payload: bytes) -> list[str] | None:
    """The payload as lines of text without colour; None when it is not X12. Damaged X12 is shown as far as it goes.

    Cut after `MOST_LINES`, with a line that says so.
    """
    lines = list(islice(show_lines(payload), MOST_LINES + 1))
    if not lines or lines[0].startswith(_DAMAGE):
        return None
    return (
        lines if len(lines) <= MOST_LINES else [*lines[:MOST_LINES], "... and more; the bytes as sent have all of it"]
    )


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


def holds_interchange(data: bytes) -> bool:
    """Whether there is an interchange in the bytes, whole or damaged."""
    return any(isinstance(event, ReadHeader) for event in events([data]))


def show_lines(data: bytes, paint: Paint | None = None) -> Iterator[str]:
    """Everything in the bytes as lines for people: interchanges, documents, segments, and damage where it is. Never raises."""
    return _Showing(paint or _plain).lines(data)


def _plain(text: str, role: Role) -> str:
    return text


_DAMAGE = "!! "


class _Body:
    """The segments of one set: from its beginning as many as there is room for, and its last ones."""

    def __init__(self) -> None:
        self.first: list[ReadSegment] = []
        self.last: deque[ReadSegment] = deque(maxlen=LAST_SEGMENTS)
        self.passed = 0  # segments between these
        self._room = MOST_CHARACTERS

    def add(self, segment: ReadSegment) -> None:
        if not self.last and len(self.first) < MOST_SEGMENTS and self._room > 0:
            self.first.append(segment)
            self._room -= sum(map(len, segment.fields))
        else:
            self.passed += len(self.last) == LAST_SEGMENTS
            self.last.append(segment)


class _Showing:
    """What is open while the bytes are read: the group's tables, the delimiters, the set."""

    def __init__(self, paint: Paint) -> None:
        self._paint = paint
        self._tables: Release = release(releases()[0])
        self._marks = Delimiters()
        self._body = _Body()

    def lines(self, data: bytes) -> Iterator[str]:
        for event in events([data]):
            if isinstance(event, Damage | ReadHeader) or event.id in ("ST", "GE", "IEA"):
                yield from self._document()
            if isinstance(event, Damage):
                yield self._paint(legible(f"{_DAMAGE}{event.why} (byte {event.offset})"), "damage")
            else:
                yield from self._event(event)
        yield from self._document()

    def _event(self, event: ReadSegment) -> Iterator[str]:
        segment = _safe(event)
        if isinstance(event, ReadHeader):
            self._marks = msgspec.structs.replace(event.delimiters, component=legible(event.delimiters.component))
            yield self._paint(_interchange(segment), "title")
        elif event.id == "GS":
            self._tables = release(event[8]) if event[8][:6] in releases() else release(releases()[0])
            meaning = self._tables.meaning("479", segment[1]) or segment[1]
            says = f"  Group {segment[6]}: {meaning}, {segment[2]} to {segment[3]}, release {segment[8]}"
            yield self._paint(says, "title")
        elif event.id == "ST" or self._body.first:
            self._body.add(segment)
            if event.id == "SE":
                yield from self._document()
        elif event.id not in ("GE", "IEA"):
            yield from self._segment(segment)

    def _document(self) -> Iterator[str]:
        body, self._body = self._body, _Body()
        if not body.first:
            return
        st = body.first[0]
        definition = self._tables.sets.get(st[1])
        name = definition.name if definition else self._tables.meaning("143", st[1])
        yield ""
        yield self._paint(f"  Set {st[1]} {name}".rstrip() + f", number {st[2]}", "title")
        if body.passed:
            yield self._paint(f"    !! without the {body.passed:,} segments in its middle: it is too long", "damage")
        yield from on_paper([*body.first, *body.last], self._tables, self._marks)
        yield ""
        for segment in body.first:
            yield from self._segment(segment)
        if body.passed:
            yield self._paint(f"    ... and {body.passed:,} more segments", "damage")
        for segment in body.last:
            yield from self._segment(segment)

    def _segment(self, segment: ReadSegment) -> Iterator[str]:
        known = self._tables.segments.get(segment.id)
        yield f"    {self._paint(f'{segment.id:<4}', 'segment')}{known.name if known else '(unknown segment)'}"
        for position, text in enumerate(segment.elements, start=1):
            if not text:
                continue
            use = known.elements[position - 1] if known and position <= len(known.elements) else None
            name, place = use.element.name if use else "?", f"{segment.id}{position:02d}"
            yield self._element(place, f"{name[:44]:<44}", meaningful(segment, position, self._tables))
            if use is not None and use.parts and self._marks.component and self._marks.component in text:
                for number, part in enumerate(text.split(self._marks.component), 1):
                    name = use.parts[number - 1].element.name if number <= len(use.parts) else "?"
                    yield self._element(f"{place}-{number}", f"{name[:42]:<42}", part)

    def _element(self, place: str, name: str, shown: str) -> str:
        return f"      {self._paint(place, 'element')}  {name} {self._paint(shown, 'meaning')}"


def _safe(segment: ReadSegment) -> ReadSegment:
    """The segment with texts that can be shown."""
    if all(map(str.isprintable, segment.fields)):
        return segment
    fields = [legible(text) for text in segment.fields]
    return ReadSegment(fields[0], fields, segment.number, segment.position, segment.offset)


def _interchange(isa: ReadSegment) -> str:
    usage = {"P": "production", "T": "test", "I": "information"}.get(isa[15], isa[15])
    sender, receiver = f"{isa[5]} {isa[6].strip()}", f"{isa[7]} {isa[8].strip()}"
    century = "19" if isa[9][:2] >= "80" else "20"  # the standard's releases begin in the eighties
    return (
        f"Interchange {isa[13]}: {sender} to {receiver}, {century}{date(isa[9])} {isa[10][:2]}:{isa[10][2:]}, {usage}"
    )
