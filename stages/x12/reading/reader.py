"""Reading interchanges piece by piece: bytes in any chunks, typed events out. No input/output.

Damage is an event like any other. What the segments mean is not judged here; see `stages.x12.checking.validator`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from pipeline import DataError
from stages.x12.definitions import ISA_LENGTH
from stages.x12.guide import Delimiters
from stages.x12.reading.scanner import Block, Damage, Scanner, clean


class ReadSegment(msgspec.Struct):
    """One segment. ``fields[0]`` is its id. ``offset`` counts bytes from the start of the input.

    ``number`` counts from ISA = 1 within the interchange, ``position`` from ST = 1 within the set (0 outside of sets).
    Treat it as immutable.
    """

    id: str
    fields: list[str]
    number: int
    position: int
    offset: int

    def __getitem__(self, position: int) -> str:
        """The element at a position counted from 1, "" when it is not there."""
        return self.fields[position] if position < len(self.fields) else ""

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements without the id: ``elements[0]`` is the first."""
        return tuple(self.fields[1:])


class ReadHeader(ReadSegment):
    """An ISA, with the delimiters that hold until its IEA. Elements keep their padding; ``length`` is 106 when all is right."""

    delimiters: Delimiters = Delimiters()
    length: int = ISA_LENGTH


class NotX12(DataError):
    """The bytes are not X12, or stop being X12, at ``offset``."""

    def __init__(self, why: str, offset: int, code: str = "MLC-X12-0401") -> None:
        super().__init__(
            "This is not X12",
            where=f"byte {offset}",
            why=why,
            mend="Ask the sender for the interchange as it was written, without conversion",
            owner="EDI desk",
            code=code,
        )
        self.offset = offset


class Reader:
    """Feed it chunks, then `close` it. The events do not depend on how the input is cut."""

    def __init__(self) -> None:
        self._scanner = Scanner()
        self._number = 0
        self._position = 0

    def feed(self, data: bytes) -> Iterator[ReadSegment | Damage]:
        """The segments that are complete now, and the damage between them."""
        for block in self._scanner.feed(data):
            yield from self._events(block)

    def close(self) -> Iterator[ReadSegment | Damage]:
        """What remains when the input is over."""
        for block in self._scanner.close():
            yield from self._events(block)

    def _events(self, block: Block | Damage) -> Iterator[ReadSegment | Damage]:
        if isinstance(block, Damage):
            yield block
        elif block.header:
            self._number, self._position = 1, 0
            fields = block.texts[0].split(block.delimiters.element)
            yield ReadHeader("ISA", fields, 1, 0, block.offset, block.delimiters, block.header)
        else:
            yield from self._segments(block)

    def _segments(self, block: Block) -> Iterator[ReadSegment]:
        mark, newline, tidy = block.delimiters.element, block.delimiters.segment in "\r\n", block.tidy
        number, position, offset, width = self._number, self._position, block.offset, block.mark
        for raw in block.texts:
            text, start = raw, offset
            offset += len(raw) + width
            if not tidy:
                text, before = clean(raw, newline)
                if newline and not text:
                    continue  # CR LF or an empty line where line ends are the terminators
                start += before
            fields = text.split(mark)
            id = fields[0]
            number += 1
            if position:
                position += 1
            elif id == "ST":
                position = 1
            yield ReadSegment(id, fields, number, position, start)
            if id == "SE":
                position = 0
            elif id == "ST":
                position = 1
        self._number, self._position = number, position


def events(chunks: Iterable[bytes]) -> Iterator[ReadSegment | Damage]:
    """All segments of an input and all damage, in their order."""
    reader = Reader()
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.close()


def read(chunks: Iterable[bytes]) -> Iterator[ReadSegment]:
    """All segments of an input. Raises `NotX12` at the first damage."""
    for event in events(chunks):
        if isinstance(event, Damage):
            raise NotX12(event.why, event.offset, event.code)
        yield event
