"""What kind of content a message has, as far as its first bytes tell: enough to send it one way or another in a flow."""

from __future__ import annotations

import re
from typing import Literal

Format = Literal["x12", "edifact", "xml", "json", "text", "binary", "empty"]

HEAD = 4096
"""How many bytes are looked at."""

_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


_HEADER_BEHIND = re.compile(r"(?<![A-Za-z0-9])ISA([^A-Za-z0-9\s])..\1.{10}\1..\1.{10}\1..\1")
"""An interchange header that stands behind something else, such as the header of a mail. Source: X12.5, the widths of ISA."""

_HEADER = 106
"""Characters of an ISA, with the end of the segment. Source: X12.5."""

_AROUND = " \t\r\n\x1a\xef\xbb\xbf\xff\xfe"
"""What may stand around an interchange: blanks, an end-of-file mark, a byte order mark read as Latin-1."""

_SENDER = re.compile(r"ISA([^A-Za-z0-9])..\1.{10}\1..\1.{10}\1(..)\1(.{15})\1", re.DOTALL)


def format_of(payload: bytes) -> Format:
    """The format by its beginning; a byte order mark and blanks before it do not count. X12 may have lines of text before it.

    >>> format_of(b"  ISA*00*"), format_of(b"<?xml version='1.0'?>"), format_of(b"vendor;amount"), format_of(b"PK\\x03\\x04\\xff")
    ('x12', 'xml', 'text', 'binary')
    """
    text = _text(payload[:HEAD])
    if text is None:
        return "x12" if payload.lstrip(b" \t\r\n\x00").startswith(b"ISA") else "binary"
    head = text.lstrip(" \t\r\n\x00")
    if not head:
        return "empty"
    if head.startswith("ISA") and not head[3:4].isalnum():
        return "x12"  # its separators may be control characters
    if head[:1] not in "<{[" and _HEADER_BEHIND.search(head):
        return "x12"
    if any(ord(one) < 32 and one not in "\t\r\n\f\x1a" for one in text):
        return "binary"
    if head.startswith(("UNA", "UNB+")):
        return "edifact"
    if head[0] == "<" and (head[1:2].isalpha() or head[1:2] in ("?", "!", "_")):
        return "xml"
    return "json" if head[0] in "{[" and _closes(payload) else "text"


def _text(head: bytes) -> str | None:
    """The beginning as text, or None when it is none in UTF-8, or in UTF-16 with its mark."""
    mark, encoding = next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), (b"", "utf-8"))
    body = head[len(mark) :]
    for cut in range(4):  # the last character may be cut in two
        try:
            return body[: len(body) - cut].decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def sender_of(payload: bytes) -> tuple[str, str]:
    """The qualifier and id of who sent the first interchange of X12 content, in capitals and without padding; two empty texts of any other.

    >>> sender_of(b"ISA*00*          *00*          *zz*harborvale     *")
    ('ZZ', 'HARBORVALE')
    """
    if format_of(payload) != "x12":
        return "", ""
    head = payload[:HEAD].replace(b"\x00", b"").decode("latin-1")
    found = _SENDER.search(head)
    return (found[2].strip().upper(), found[3].strip().upper()) if found else ("", "")


def is_one_interchange(payload: bytes) -> bool:
    """Whether the content is one X12 interchange from its ISA to its IEA, with nothing in front, behind or beside it but blanks."""
    text = payload.replace(b"\x00", b"").decode("latin-1").strip(_AROUND)
    if _SENDER.match(text) is None or len(text) <= _HEADER or _SENDER.search(text, 1) is not None:
        return False
    element, segment = re.escape(text[3]), re.escape(text[_HEADER - 1])
    trailers = [found.start() for found in re.finditer(rf"{segment}\s*IEA{element}", text)]
    return (
        len(trailers) == 1 and re.fullmatch(rf"{segment}\s*IEA[^{segment}]*{segment}?", text[trailers[0] :]) is not None
    )


def _closes(payload: bytes) -> bool:
    return payload.rstrip(b" \t\r\n\x00")[-1:] in (b"}", b"]")
