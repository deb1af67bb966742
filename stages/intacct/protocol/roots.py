"""Where one document ends and the next begins, in a body that holds several: gateways have been seen to send more than one root. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.parsers import expat

MOST = 4
"""Documents in one body; more of them are no reply of anyone."""
DEEPEST = 256
"""Elements within each other, as deep as the parser of replies goes."""
_JUNK = expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]


class _Refused(Exception):
    """Deeper than documents are, or with a DOCTYPE."""


def documents(body: bytes) -> list[bytes]:
    """The documents that the body is a row of; empty when it is not, or of too many, or when one of them has a DOCTYPE."""
    found: list[bytes] = []
    while body := body.lstrip():
        length = _first(body)
        if not length or len(found) == MOST:
            return []
        found.append(body[:length])
        body = body[length:]
    return found


def _first(body: bytes) -> int:
    """How long the first document is, 0 when it is none. What follows it is not looked at."""
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = _counting_depth()
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        return parser.ErrorByteIndex if error.code == _JUNK else 0
    except _Refused:
        return 0
    return len(body)


def _counting_depth() -> tuple[Callable[..., None], Callable[..., None]]:
    depth = 0

    def start(*_: Any) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise _Refused

    def end(*_: Any) -> None:
        nonlocal depth
        depth -= 1

    return start, end


def _refuse(*_: Any) -> None:
    raise _Refused
