"""One document of an interchange: its set, and the envelope that holds it, without its neighbours. For showing; counts stay as sent."""

from __future__ import annotations

from stages.x12.definitions import ISA_LENGTH
from stages.x12.writing.envelope import CONTROL_PLACEHOLDER

_HOLDER = CONTROL_PLACEHOLDER.encode("ascii")


def excerpt(payload: bytes, body: bytes) -> bytes | None:
    """What ``body``, as it was rendered, became in an interchange that `stages.x12.writing.envelope.pack` made. None when it is not in there."""
    if not payload.startswith(b"ISA") or len(payload) < ISA_LENGTH or body.count(_HOLDER) < 2:
        return None
    first, last = body.index(_HOLDER), body.rindex(_HOLDER)
    head, middle, tail = body[:first], body[first + len(_HOLDER) : last], body[last + len(_HOLDER) :]
    size = len(_HOLDER)
    at = payload.find(middle)
    while at >= 0:
        start, end = at - size - len(head), at + len(middle) + size + len(tail)
        if start > 0 and payload[start:].startswith(head) and payload[:end].endswith(tail):
            return _held(payload, start, end)
        at = payload.find(middle, at + 1)
    return None


def _held(payload: bytes, start: int, end: int) -> bytes:
    """The bytes between, with the ISA, GS, GE and IEA around them."""
    mark, closing = payload[3:4], payload[ISA_LENGTH - 1 : ISA_LENGTH]
    closing += b"\n" if payload[ISA_LENGTH : ISA_LENGTH + 1] == b"\n" else b""
    size = len(closing)
    group = payload.rindex(closing + b"GS" + mark, 0, start) + size
    opened = payload.index(closing, group) + size
    trailer = payload.index(closing + b"GE" + mark, end - size) + size
    closed = payload.index(closing, trailer) + size
    ended = payload.index(closing + b"IEA" + mark, closed - size) + size
    header = payload[: ISA_LENGTH - 1 + size]
    return header + payload[group:opened] + payload[start:end] + payload[trailer:closed] + payload[ended:]
