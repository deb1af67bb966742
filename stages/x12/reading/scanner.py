"""Cutting bytes into segments, in any chunks: delimiters come from each ISA, damage is reported where it stands.

Lenient where senders differ: line ends, blanks between segments, a header whose padding was lost, a missing last terminator.
After damage the cutting goes on at the next interchange. No input/output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from stages.x12.definitions import ISA_LENGTH
from stages.x12.guide import Delimiters

LONGEST_SEGMENT = 1 << 20
"""Bytes without a terminator after which this is no X12 any more."""

_SEPARATORS = 16
_LONGEST_HEADER = 512  # bytes that may be needed to tell where a header ends
_PIECE = 1 << 16  # a large chunk is worked on in pieces, so that its segments are never all in memory
_BLANK = " \t\r\n\x00\x1a"
_UTF8_MARK = "\xef\xbb\xbf"
_FIXED = re.compile(
    r"ISA([^A-Za-z0-9\s])..\1.{10}\1..\1.{10}\1..\1.{15}\1..\1.{15}\1.{6}\1.{4}\1.\1.{5}\1.{9}\1.\1.\1.", re.DOTALL
)
"""A header of exactly the standard's widths, up to its component separator."""
_FIXED_LENGTH = ISA_LENGTH - 1

JUNK, HEADER, ENDLESS, CUT_OFF = "MLC-X12-0401", "MLC-X12-0402", "MLC-X12-0403", "MLC-X12-0404"


class Damage(msgspec.Struct, frozen=True):
    """Bytes that are no X12, or stop being X12, at ``offset``. ``code`` is stable; ``note`` is the TA1 note code (element I18)."""

    code: str
    why: str
    offset: int
    note: str = "022"


class Block(msgspec.Struct):
    """Consecutive segments of one interchange as they were written, without their terminators: what `Scanner` yields.

    ``texts`` hold one character per byte. ``offset`` is the first text's; each following starts ``len(text) + mark`` later.
    When not ``tidy``, texts may have blanks or line ends around them. ``header`` is set when the block is an ISA by itself.
    """

    texts: list[str]
    offset: int
    delimiters: Delimiters
    tidy: bool
    header: int = 0  # its length
    mark: int = 1  # length of the terminator in bytes


class Scanner:
    """Cuts bytes into blocks of segments, the one place that knows delimiters and damage. Feed it chunks, then `close` it.

    How segments are grouped into blocks depends on the chunks; the segments and the damage do not.
    """

    def __init__(self) -> None:
        self._text = ""  # latin-1, so that characters are bytes
        self._offset = 0  # of its first character
        self._marks: Delimiters | None = None
        self._mark = ""  # the terminator as bytes, one character each
        self._lost = False  # after damage: looking for the next header, silent about what is passed over
        self._final = False

    def feed(self, data: bytes) -> Iterator[Block | Damage]:
        """What is complete now."""
        for start in range(0, len(data), _PIECE):
            self._text += data[start : start + _PIECE].decode("latin-1")
            yield from self._work()

    def close(self) -> Iterator[Block | Damage]:
        """What remains: the last segment when its terminator is missing, or the damage of an input that stops too early."""
        self._final = True
        yield from self._work()
        if self._marks is not None:
            yield from self._remainder(len(self._text), "the input ends inside of a segment")

    def _work(self) -> Iterator[Block | Damage]:
        busy = True
        while busy and self._text:
            before = (len(self._text), self._marks)
            yield from self._between() if self._marks is None else self._inside()
            busy = (len(self._text), self._marks) != before

    def _drop(self, count: int) -> None:
        self._text = self._text[count:]
        self._offset += count

    # -- between interchanges ---------------------------------------------------------------------------------------------

    def _between(self) -> Iterator[Block | Damage]:
        """Past blanks and junk, then the header."""
        self._drop(len(self._text) - len(self._text.lstrip(_BLANK + _UTF8_MARK)))
        start, sure = self._next_header()
        if start or (sure is None and self._text):
            if not self._lost and len(self._text) < 4 and not self._final:
                return
            yield from self._pass_over(start)
        if sure:
            yield from self._header()

    def _next_header(self) -> tuple[int, bool | None]:
        """How much is no header, and whether one follows (None: not in these bytes, False: not to be told yet)."""
        text, end = self._text, len(self._text)
        at = text.find("ISA")
        while at >= 0:
            glued = at > 0 and text[at - 1].isalnum()
            if not self._final and (at + 4 > end or (glued and at + _FIXED_LENGTH > end)):
                return max(at - 1, 0), False
            if _FIXED.match(text, at) if glued else _can_separate(text[at + 3 : at + 4]):
                return at, True
            at = text.find("ISA", at + 3)
        if self._final:
            return end, None
        if "ISA".startswith(text[-3:]):
            return 0, False
        return max(end - 3, 0), None

    def _pass_over(self, length: int) -> Iterator[Damage]:
        if not self._lost:
            yield self._first_words()
            self._lost = True
        self._drop(length)

    def _first_words(self) -> Damage:
        first, after = self._text[:3], self._text[3:4]
        if first == "ISA" and not after:
            return Damage(HEADER, _INSIDE_HEADER, self._offset, "023")
        if first == "ISA":
            return Damage(HEADER, f"{after!r} cannot separate elements", self._offset, "026")
        return Damage(JUNK, f"an interchange starts with ISA, not with {first.encode('latin-1')!r}", self._offset)

    def _header(self) -> Iterator[Block | Damage]:
        found = self._measure()
        if isinstance(found, Damage):
            if not self._lost:
                yield found
            self._lost = True
            self._drop(3)
        elif found is not None:
            length, component, self._mark = found
            text, mark = self._text[:length], self._text[3]
            ready = _legible(text[: length - len(component) - len(self._mark)]).split(mark)
            fields = [*ready[:_SEPARATORS], component]
            self._marks = Delimiters(
                element=mark, segment=_legible(self._mark), component=component, repetition=_repetition(fields)
            )
            self._lost = False
            yield Block([mark.join(fields)], self._offset, self._marks, True, length, len(self._mark))
            self._drop(length)

    def _measure(self) -> tuple[int, str, str] | Damage | None:
        """The header's length, component separator and terminator; or what is wrong with it; None: not to be told yet."""
        text = self._text[:_LONGEST_HEADER]
        if not self._final and len(text) < ISA_LENGTH:
            return None
        at = -1
        for _ in range(_SEPARATORS):
            at = text.find(text[3], at + 1)
            if at < 0:
                return self._headless(text)
        component, mark = text[at + 1 : at + 2], _terminator(text[at + 2 : at + 5])
        if at + 6 > len(text) and not self._final:
            return None
        if text.startswith((f"GS{text[3]}", f"TA1{text[3]}"), at + 2):
            return at + 2, "", component  # ISA16 is missing, and nothing stands between
        if mark and mark in "\r\n":
            # Either line ends are the terminators, or ISA16 is missing: then its terminator stands here, a line end behind it.
            line, closed, _ = text[at + 3 :].lstrip("\r\n").partition("\n")
            if not closed and not self._final and len(text) < _LONGEST_HEADER:
                return None
            if line.rstrip("\r").endswith(component):
                return at + 2, "", component
        if not _can_separate(component) or not mark or mark.isalnum() or len({text[3], component, mark}) < 3:
            why = "the interchange header does not end with a component separator and a terminator"
            return Damage(HEADER, why, self._offset, "027") if mark else self._headless(text)
        return at + 2 + len(mark), component, mark

    def _headless(self, text: str) -> Damage | None:
        if self._final and len(text) < ISA_LENGTH:
            return Damage(HEADER, _INSIDE_HEADER, self._offset, "023")
        if not self._final and len(text) < _LONGEST_HEADER:
            return None
        return Damage(HEADER, f"the interchange header does not have {_SEPARATORS} elements", self._offset, "022")

    # -- inside of an interchange -----------------------------------------------------------------------------------------

    def _inside(self) -> Iterator[Block | Damage]:
        """The segments that are complete: up to and with IEA, or to where another interchange begins."""
        text, mark = self._text, self._mark
        end = text.rfind(mark) + len(mark) if mark in text else 0
        closing = self._closing(end) if text.find("IEA", 0, end) >= 0 else 0
        if closing:
            end = closing
        other, sure = self._other(closing or len(text)) if "ISA" in text or text[-2:] in ("IS", "SI") else (None, True)
        if other is not None:
            end, closing = text.rfind(mark, 0, other) + len(mark) if mark in text[:other] else 0, 0
        yield from self._block(end)
        if closing:
            self._marks = None
        elif other is not None and sure:
            yield from self._remainder(other - end, "another interchange begins inside of this segment")
        elif len(self._text) > LONGEST_SEGMENT:
            yield Damage(ENDLESS, f"no segment terminator within {LONGEST_SEGMENT} bytes", self._offset, "004")
            self._lost, self._marks = True, None
            self._drop(LONGEST_SEGMENT)

    def _block(self, end: int) -> Iterator[Block]:
        if end:
            assert self._marks is not None
            text, mark = self._text[: end - len(self._mark)], self._mark
            offset = self._offset
            self._drop(end)
            yield Block(text.split(mark), offset, self._marks, _is_tidy(text, mark), mark=len(mark))

    def _remainder(self, length: int, why: str) -> Iterator[Block | Damage]:
        """A segment without terminator, with which the interchange breaks off. IEA is forgiven."""
        assert self._marks is not None
        text = self._text[:length]
        offset = self._offset + length - len(text.lstrip(_BLANK))
        if text.strip(_BLANK).startswith("IEA"):
            yield Block([text], self._offset, self._marks, False, mark=len(self._mark))
        elif text.strip(_BLANK):
            yield Damage(CUT_OFF, why, offset, "023")
        self._drop(length)
        self._marks = None

    def _closing(self, end: int) -> int:
        """Where the first IEA before ``end`` ends, with its terminator; 0 when there is none."""
        text = self._text
        at = text.find("IEA", 0, end)
        while at >= 0:
            if self._begins_segment(at) and not text[at + 3].isalnum():
                return text.index(self._mark, at) + len(self._mark)
            at = text.find("IEA", at + 3, end)
        return 0

    def _other(self, end: int) -> tuple[int | None, bool]:
        """Where before ``end`` another interchange begins; not ``sure`` when that takes more bytes to tell."""
        text = self._text
        at = text.find("ISA", 0, end)
        while at >= 0:
            after = text[at + 3 : at + 4]
            if (self._begins_segment(at) and _can_separate(after)) or _FIXED.match(text, at):
                return at, True
            if not self._final and len(text) - at < _FIXED_LENGTH and (not after or _can_separate(after)):
                return at, False
            at = text.find("ISA", at + 3, end)
        tail = next((n for n in (2, 1) if text.endswith("ISA"[:n])), 0) if end == len(text) and not self._final else 0
        return (len(text) - tail, False) if tail else (None, True)

    def _begins_segment(self, at: int) -> bool:
        before = self._text[max(0, at - 256) : at].rstrip(_BLANK.replace(self._mark, ""))
        return before.endswith(self._mark) or not before


_INSIDE_HEADER = "the input ends inside of the interchange header"


def _can_separate(mark: str) -> bool:
    """Control characters such as GS and US may; letters, digits, spaces and line ends may not."""
    return bool(mark) and not mark.isalnum() and mark not in " \r\n"


def _terminator(following: str) -> str:
    """The terminator that stands here: one byte, or all of a character that takes several in UTF-8."""
    for length in (2, 3):
        try:
            if len(following[:length].encode("latin-1").decode("utf-8")) == 1 < len(following[:length]):
                return following[:length]
        except UnicodeDecodeError:
            continue
    return following[:1]


def _legible(text: str) -> str:
    """The bytes as UTF-8 where they are, else as Latin-1."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return text


def _is_tidy(text: str, mark: str) -> bool:
    """Whether segments can be taken as they stand between the terminators."""
    if mark == "\n":
        around = not text or text[0] == "\n" or text[-1] in " \n" or "\n\n" in text or " \n" in text
    else:
        around = mark == "\r" or "\n" in text
    return not (
        around or "\r" in text or "\t" in text or "\x00" in text or "\x1a" in text
        or mark + " " in text or text[:1] == " " or not text.isascii()
    )  # fmt: skip


def _repetition(isa: list[str]) -> str:
    """ISA11, where it is a separator: from 00402 on, unless an old habit left a letter or nothing there. Else ""."""
    mark, version = isa[11], isa[12]
    return mark if version >= "00402" and len(mark) == 1 and _can_separate(mark) and mark not in (isa[16],) else ""


def clean(raw: str, newline: bool) -> tuple[str, int]:
    """A segment's text without what stands around it, and how many bytes of that come before. ``newline``: line ends terminate."""
    text = raw.lstrip(_BLANK)
    before = len(raw) - len(text)
    return _legible(text.rstrip(_BLANK if newline else "\r\n")), before
