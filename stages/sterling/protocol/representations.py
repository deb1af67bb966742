"""How the B2B APIs write values: coded values, timestamps, rows of the two message listings, and partners read for writing back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec


def unwrap(value: Any) -> Any:
    """Coded values as they are written: ``{"code": X, "display": "text"}`` becomes ``X``, at any depth; plain values stay.

    >>> unwrap({"isListeningConsumer": {"code": True, "display": "Yes"}, "city": "Lyon"})
    {'isListeningConsumer': True, 'city': 'Lyon'}
    """
    if isinstance(value, Mapping):
        if "code" in value and value.keys() <= {"code", "display"}:
            return value["code"]
        return {key: unwrap(member) for key, member in value.items()}
    if isinstance(value, list):
        return [unwrap(member) for member in value]
    return value


Fields = Mapping[str, "Fields | None"]
"""Names that may be written, and those within a group; None for a plain value or a group whose members are not documented."""


def writable(row: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """An object as read, made fit to be written back: unwrapped, ``fields`` only, no links, passwords, nulls and empty groups.

    >>> writable({"_id": "1", "city": "Lyon", "ftp": {"hostname": "h", "href": "x"}}, {"city": None, "ftp": {"hostname": None}})
    {'city': 'Lyon', 'ftp': {'hostname': 'h'}}
    """
    state = {name: _within(unwrap(row[name]), inner) for name, inner in fields.items() if name in row}
    return {name: value for name, value in state.items() if value is not None and value != {}}


def _within(value: Any, fields: Fields | None) -> Any:
    if not isinstance(value, Mapping):
        return value
    if fields is not None:
        return writable(value, fields)
    return {key: _within(member, None) for key, member in value.items() if not _not_to_write(key)}


def _not_to_write(name: str) -> bool:
    return name[:1] in ("_", "$") or name in ("href", "actions") or "password" in name.lower()


def text_of(value: Any) -> str:
    """A value as text for comparing: unwrapped; null and absent are empty, booleans are ``true`` and ``false``."""
    plain = unwrap(value)
    if plain is None:
        return ""
    return str(plain).lower() if isinstance(plain, bool) else str(plain).strip()


def names(value: Any) -> list[str]:
    """The names in a list member, which is an array of ``{"name": …}`` or of texts, or one comma text."""
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    if not isinstance(value, list):
        return []
    found = [member.get("name") if isinstance(member, Mapping) else member for member in value]
    return [name for name in map(text_of, found) if name]


def timestamp(text: str) -> datetime | None:
    """``2024-01-31T09:15:02.000+0000`` (no colon in the offset) as aware UTC; None when it is no such time."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)", text.strip())
    if match is None:
        return None
    offset = "+0000" if match[3] == "Z" else match[3].replace(":", "")
    try:
        return datetime.strptime(f"{match[1]}{match[2] or '.0'}{offset}", "%Y-%m-%dT%H:%M:%S.%f%z").astimezone(UTC)
    except ValueError:
        return None


class Message(msgspec.Struct, frozen=True):
    """One mailbox message, as far as its listing says: ``mailbox`` (a path) and ``size`` (bytes) may be None, texts empty.

    ``extractions`` are left; None where they are not counted. ``extractable`` is whether the row speaks of extraction at all.
    """

    id: str
    name: str
    mailbox: str | None
    mailbox_id: str
    document: str
    size: int | None
    created: datetime | None
    extractions: int | None = None
    extractable: bool = False


_EXTRACTION = ("extractableAlways", "extractableCount", "extractableUntil")


def message(row: Mapping[str, Any]) -> Message:
    """A row of ``mailboxmessages`` or ``mailboxcontents``. Raises `ValueError` for a row without id."""
    key = text_of(row.get("id")) or text_of(row.get("_id"))
    if not key:
        raise ValueError("a listed message has no id")
    left = text_of(row.get("extractableCount"))
    path, size = text_of(row.get("mailboxPath")).rstrip("/"), text_of(row.get("size"))
    return Message(
        id=key,
        name=text_of(row.get("name")),
        mailbox=path or None,
        mailbox_id=text_of(row.get("mailboxId")),
        document=text_of(row.get("documentId")),
        size=int(size) if size.isdecimal() else None,
        created=timestamp(text_of(row.get("creationDate"))),
        extractions=int(left) if left.isdecimal() else None,
        extractable=any(text_of(row.get(name)) for name in _EXTRACTION),
    )


_KEYS = (
    "_id", "id", "partnerName", "documentId", "routingChannelKey", "scheduleName", "name", "groupName", "userId", "userName",
    "permissionName", "profileName", "wfcId",
)  # fmt: skip


def row_key(row: Mapping[str, Any]) -> str:
    """What tells rows of one listing apart. Messages and sub-mailboxes share numbers, so the type counts too.

    Rows without `_id` are told apart by what their collection uses as key, and by their version where they have one.
    """
    key = next((text for name in _KEYS if (text := text_of(row.get(name)))), "")
    if not key:
        raise ValueError("a listed row has no id")
    if not text_of(row.get("_id")) and (version := text_of(row.get("wfdVersion"))):
        key = f"{key}/{version}"
    return f"{text_of(row.get('type'))}:{key}"
