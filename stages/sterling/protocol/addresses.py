"""Paths, queries and names on the wire. Everything that reaches a URL or a header is validated or encoded here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from pipeline import ConfigError, DataError

LONGEST_MESSAGE_NAME = 100
"""Characters; the limit on DB2, the narrowest of the product's databases (255 elsewhere)."""

LONGEST_ID = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def collection(name: str) -> str:
    """The path of a collection, with the trailing slash clients in production send: ``tradingpartners/``."""
    return f"{name.strip('/')}/"


def item(name: str, key: str) -> str:
    """The path of one object. Ids come from `_id` or ``Location``, never from ``href``, which may hold illegal characters.

    >>> item("documents", "b2b1:node1:18d5:17")
    'documents/b2b1:node1:18d5:17'
    """
    return collection(name) + segment(key)


def collection_of(path: str) -> str:
    """The path of the collection in which a path is.

    >>> collection_of("documents/b2b1:node1:18d5:17")
    'documents/'
    """
    return collection(path.partition("/")[0])


def segment(key: str) -> str:
    """An id as one path segment: percent-encoded, spaces as %20, colons raw. Raises `DataError` when it cannot be one."""
    if not key or key in (".", "..") or len(key) > LONGEST_ID or "/" in key or "\\" in key or _CONTROL.search(key):
        raise DataError(
            "An id cannot be part of an address",
            where=f"id of {len(key)} characters",
            why="It is empty, too long, or holds a slash or control character.",
            mend="Use ids of letters, digits, '-' and '_' in Sterling.",
            owner="EDI desk",
            code="MLC-STL-0110",
        )
    return quote(key, safe=":")


def query(parameters: Mapping[str, str]) -> str:
    """The query text. Slashes of mailbox paths stay raw: the server compares them so."""
    return urlencode(parameters, quote_via=quote, safe="/:,")


def message_name(name: str) -> str:
    """The name, when every database and file system in between can hold it. Raises `DataError`."""
    if not re.fullmatch(rf"[A-Za-z0-9._-]{{1,{LONGEST_MESSAGE_NAME}}}", name):
        raise DataError(
            "A message name cannot be used in a mailbox",
            where=f"a name of {len(name)} characters",
            why=f"Names are 1 to {LONGEST_MESSAGE_NAME} letters, digits, '.', '_' and '-'.",
            mend="Shorten the connection's message_prefix or the partner's code.",
            owner="EDI desk",
            code="MLC-STL-0111",
        )
    return name


def same_mailbox(path: str, other: str) -> bool:
    """Whether two texts are one mailbox's path: databases that ignore case give it back as it was created, not as asked."""
    return path.rstrip("/").casefold() == other.rstrip("/").casefold()


def mailbox_path(path: str, lane: str) -> str:
    """The mailbox path without a trailing slash. Raises `ConfigError`, which stops the lane, when it cannot be one."""
    trimmed = path.rstrip("/")
    if (
        not path.startswith("/")
        or not trimmed
        or len(path) > LONGEST_ID
        or _CONTROL.search(path)
        or "/../" in f"{path}/"
    ):
        raise ConfigError(
            f"Partner {lane} has no usable mailbox",
            where=f"mailbox {path!r}"[:300],
            why="A mailbox is an absolute path such as /RIVERBEND/Inbound.",
            mend="Set `mailbox` in the partner's file.",
            owner="EDI desk",
            code="MLC-STL-0112",
        )
    return trimmed
