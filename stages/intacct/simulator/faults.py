"""The plan of faults: what goes wrong, for which request, how often; and what the wrong answers look like."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

FaultKind = Literal[
    "throttled",  # HTTP 429, GW-0010 in XML; nothing was done
    "throttled in 200",  # the same body in HTTP 200
    "rate text in 200",  # each function fails with the text API rate limit exceeded
    "invalid",  # HTTP 400, GW-0011 in XML
    "server error",  # HTTP `status`, HTML; nothing was done
    "late server error",  # the same, but the work was done
    "maintenance",  # each function fails with the text of the maintenance window
    "overload",  # each function fails, with Please Try Again Later as its correction
    "empty",  # HTTP 200 without a byte, the work done
    "html",  # HTTP 200 with a challenge page in place of XML
    "truncated",  # half of the answer, as if it were all
    "two roots",  # the answer, and another root element after it
    "bomb",  # the answer with nested entities that grow without end
    "external entity",  # the answer with an entity that names a local file
    "not utf-8",  # the answer with bytes that its encoding does not have
    "padded",  # the answer with `size` spaces in it
    "deep",  # the answer with `size` elements, each in the one before
    "huge attribute",  # the answer with an attribute of `size` characters
    "foreign",  # a well-formed document of another kind
    "gzip bomb",  # the padded answer, compressed to next to nothing
    "gzip cut",  # the compressed answer without its end, as if it were all
    "gzip broken",  # the compressed answer with a wrong byte in it
    "expired session",  # every session ends just before this request
    "reset before",  # the connection is reset, nothing was done
    "reset after",  # the connection is reset, the work done
    "cut",  # the connection is reset in the middle of the answer
    "slow",  # half of the answer, a pause of `seconds`, the rest
]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What a fault can choose by: ``functions`` pairs each function's name with the object it names (or "")."""

    number: int  # of the request, from 1
    functions: tuple[tuple[str, str], ...] = ()
    session: bool = False


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that goes wrong. It strikes the ``nth`` matching request after it was added, and the ``times`` - 1 after that.

    ``times`` None: for ever. ``when`` narrows further. ``seconds`` is a pause by the simulator's clock, ``size`` how much
    of a thing there is too much of.
    """

    kind: FaultKind
    nth: int = 1
    times: int | None = 1
    function: str = ""
    object: str = ""
    when: Callable[[Call], bool] | None = None
    status: int = 503
    retry_after: int | None = None
    seconds: float = 1.0
    size: int = 64 * 1024 * 1024

    def matches(self, call: Call) -> bool:
        named = any(self.function in {"", name} and self.object in {"", object} for name, object in call.functions)
        return (named or not (self.function or self.object)) and (self.when is None or self.when(call))


class FaultPlan:
    """The faults still to come. Each request takes the first that strikes; the others that match count it too."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._waiting: list[tuple[Fault, int]] = [(fault, 0) for fault in faults]

    def add(self, *faults: Fault) -> None:
        self._waiting.extend((fault, 0) for fault in faults)

    def clear(self) -> None:
        self._waiting.clear()

    @property
    def pending(self) -> tuple[Fault, ...]:
        return tuple(fault for fault, _ in self._waiting)

    def take(self, call: Call) -> Fault | None:
        """The fault that strikes this request, if any."""
        struck: Fault | None = None
        kept: list[tuple[Fault, int]] = []
        for fault, seen in self._waiting:
            if struck is not None and seen + 1 >= fault.nth:
                kept.append((fault, seen))  # it would have struck this one: it strikes the next
                continue
            seen += fault.matches(call)
            if seen >= fault.nth and fault.matches(call):
                struck = fault
            if fault.times is None or seen < fault.nth + fault.times - 1:
                kept.append((fault, seen))
        self._waiting = kept
        return struck


def page(status: int, title: str) -> bytes:
    """An HTML page as a gateway or the network before it answers."""
    return (
        f"<!DOCTYPE html>\n<html><head><title>{status} {title}</title><meta charset=utf-8></head>"
        f'<body><h1>{title}</h1><hr><br>Ray ID: 8c1f2e3d4a5b6c7d &nbsp;<div class="cf-wrapper">{status}</div></body></html>\n'
    ).encode()


def bomb(answer: bytes) -> bytes:
    """The answer behind entities of which the last stands for a thousand million characters."""
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 9))
    return _with_doctype(answer, f'<!ENTITY e0 "oooooooooo">{levels}', "&e8;")


def external_entity(answer: bytes) -> bytes:
    """The answer with a local file's content as an entity."""
    return _with_doctype(answer, '<!ENTITY e0 SYSTEM "file:///etc/hostname">', "&e0;")


def not_utf8(answer: bytes) -> bytes:
    """The answer with half a character in a note."""
    return _with_note(answer, b"caf\xe9")


def padded(answer: bytes, size: int) -> bytes:
    return _with_note(answer, b" " * size)


def deep(answer: bytes, size: int) -> bytes:
    return _with_note(answer, b"<n>" * size + b"</n>" * size)


def huge_attribute(answer: bytes, size: int) -> bytes:
    return _with_note(answer, b'<n a="' + b"x" * size + b'"/>')


FOREIGN = (
    b'<?xml version="1.0"?><Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><Fault>'
    b"<faultcode>Server</faultcode></Fault></Body></Envelope>"
)


def gzip_cut(answer: bytes) -> bytes:
    """Two thirds of the compressed answer."""
    packed = gzip.compress(answer, mtime=0)
    return packed[: len(packed) * 2 // 3]


def gzip_broken(answer: bytes) -> bytes:
    """The compressed answer with the checksum of another."""
    packed = gzip.compress(answer, mtime=0)
    return packed[:-8] + bytes(byte ^ 0xFF for byte in packed[-8:-4]) + packed[-4:]


def _with_note(answer: bytes, note: bytes) -> bytes:
    return answer.replace(b"<response>", b"<response><note>" + note + b"</note>", 1)


def _with_doctype(answer: bytes, entities: str, use: str) -> bytes:
    head, separator, body = answer.partition(b"?>")
    start = body.index(b"<response>") + len(b"<response>")
    doctype = f"<!DOCTYPE response [{entities}]>".encode()
    return head + separator + doctype + body[:start] + b"<note>" + use.encode() + b"</note>" + body[start:]
