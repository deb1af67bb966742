"""Reading interchanges piece by piece: bytes in any chunks, typed events out. Delimiters come from each ISA.

Lenient where senders differ: line ends, blanks between segments, a header whose padding was lost, a missing last terminator.
What the segments mean is not judged here; see `stages.x12.validator`. No input/output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from pipeline import DataError
from stages.x12.envelope import ISA_LENGTH
from stages.x12.guide import Delimiters

LONGEST_SEGMENT = 1 << 20
"""Bytes without a terminator after which this is no X12 any more."""

_SEPARATORS_AT = (3, 6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103)
_LONGEST_HEADER = 256
_BLANK = b" \t\r\n\x00\x1a"


class ReadSegment(msgspec.Struct, frozen=True):
    """One segment. ``elements[0]`` is its first element. ``offset`` counts bytes from the start of the input.

    ``number`` counts from ISA = 1 within the interchange, ``position`` from ST = 1 within the set (0 outside of sets).
    """

    id: str
    elements: tuple[str, ...]
    number: int
    position: int
    offset: int

    def __getitem__(self, position: int) -> str:
        """The element at a position counted from 1, "" when it is not there."""
        return self.elements[position - 1] if position <= len(self.elements) else ""


class ReadHeader(ReadSegment, frozen=True):
    """An ISA, with the delimiters that hold until its IEA. ``elements`` keep their padding."""

    delimiters: Delimiters = Delimiters()


class NotX12(DataError):
    """The bytes are not X12, or stop being X12, at ``offset``."""

    def __init__(self, why: str, offset: int) -> None:
        super().__init__(
            "This is not X12",
            where=f"byte {offset}",
            why=why,
            mend="Ask the sender for the interchange as it was written, without conversion",
            owner="EDI desk",
            code="MLC-X12-0401",
        )
        self.offset = offset


class Reader:
    """Feed it chunks, then `close` it. The events do not depend on how the input is cut. After `NotX12` it is of no more use."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0  # of the buffer's first byte
        self._marks: Delimiters | None = None
        self._number = 0
        self._position = 0

    def feed(self, data: bytes) -> Iterator[ReadSegment]:
        """The segments that are complete now. Raises `NotX12`."""
        self._buffer += data
        while True:
            if self._marks is None:
                header = self._header()
                if header is None:
                    return
                yield header
            else:
                end = self._buffer.find(self._marks.segment.encode("latin-1"))
                if end < 0:
                    self._refuse_if_endless()
                    return
                yield from self._segment(end, end + 1)

    def close(self) -> Iterator[ReadSegment]:
        """The last segment when its terminator is missing. Raises `NotX12` when the input stops in the middle of one."""
        rest = bytes(self._buffer).strip(_BLANK)
        if self._marks is None:
            if rest:
                raise NotX12("the input ends inside of the interchange header", self._offset)
        elif rest.startswith(b"IEA"):
            yield from self._segment(len(self._buffer), len(self._buffer))
        elif rest:
            raise NotX12("the input ends inside of a segment", self._offset)

    def _header(self) -> ReadHeader | None:
        self._drop(len(self._buffer) - len(self._buffer.lstrip(_BLANK + b"\xef\xbb\xbf")))
        if not b"ISA".startswith(bytes(self._buffer[:3])):
            raise NotX12(f"an interchange starts with ISA, not with {bytes(self._buffer[:3])!r}", self._offset)
        if len(self._buffer) < ISA_LENGTH:
            return None
        text = self._buffer[:_LONGEST_HEADER].decode("latin-1")
        if text[3].isalnum():
            raise NotX12(f"{text[3]!r} cannot separate elements", self._offset)
        length = ISA_LENGTH if _has_fixed_widths(text) else self._loose_length(text)
        if length is None:
            return None
        mark, component, terminator = text[3], text[length - 2], text[length - 1]
        if terminator.isalnum() or len({mark, component, terminator}) < 3:
            raise NotX12(
                "the interchange header does not end with a component separator and a terminator", self._offset
            )
        elements = tuple(text[: length - 1].split(mark))[1:]
        self._marks = Delimiters(
            element=mark, segment=terminator, component=component, repetition=_repetition(elements)
        )
        self._number, self._position = 1, 0
        header = ReadHeader("ISA", elements, 1, 0, self._offset, self._marks)
        self._drop(length)
        return header

    def _loose_length(self, text: str) -> int | None:
        """Where a header that lost or gained padding ends: two characters after its last separator. None: not yet to be told."""
        at = -1
        for _ in _SEPARATORS_AT:
            at = text.find(text[3], at + 1)
            if at < 0:
                break
        if at >= 0 and at + 2 < len(text):
            return at + 3
        if len(text) < _LONGEST_HEADER:
            return None
        raise NotX12(f"the interchange header does not have {len(_SEPARATORS_AT)} elements", self._offset)

    def _segment(self, end: int, behind: int) -> Iterator[ReadSegment]:
        assert self._marks is not None
        raw = bytes(self._buffer[:end])
        text = raw.lstrip(_BLANK)
        offset = self._offset + len(raw) - len(text)
        self._drop(behind)
        if not text and self._marks.segment in "\r\n":
            return  # CR LF or an empty line where line ends are the terminators
        id, *elements = text.rstrip(b"\r\n").decode("latin-1").split(self._marks.element)
        self._number += 1
        self._position = 1 if id == "ST" else self._position + 1 if self._position else 0
        yield ReadSegment(id, tuple(elements), self._number, self._position, offset)
        if id == "SE":
            self._position = 0
        elif id == "IEA":
            self._marks = None

    def _refuse_if_endless(self) -> None:
        if len(self._buffer) > LONGEST_SEGMENT:
            raise NotX12(f"no segment terminator within {LONGEST_SEGMENT} bytes", self._offset)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._offset += count


def _has_fixed_widths(text: str) -> bool:
    return text[:ISA_LENGTH].count(text[3]) == len(_SEPARATORS_AT) and all(text[at] == text[3] for at in _SEPARATORS_AT)


def _repetition(isa: tuple[str, ...]) -> str:
    """ISA11, where it is a separator: from 00402 on, unless an old habit left a letter or nothing there. Else ""."""
    mark, version = isa[10], isa[11]
    return mark if version >= "00402" and not mark.isalnum() and mark != " " else ""


def read(chunks: Iterable[bytes]) -> Iterator[ReadSegment]:
    """All segments of an input. Raises `NotX12`."""
    reader = Reader()
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.close()
