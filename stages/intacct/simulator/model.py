"""What an object, a field and a value are in the simulated books, and how values look on the wire.

Values are typed inside (text, int, Decimal, bool, date, naive datetime, None) and texts on the wire: dates ``MM/DD/YYYY``,
timestamps ``MM/DD/YYYY HH:MM:SS`` without a zone, amounts without trailing zeros, empty for null.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import msgspec

Value = str | int | Decimal | bool | date | datetime | None
Kind = Literal["TEXT", "INTEGER", "DECIMAL", "PERCENT", "CURRENCY", "BOOLEAN", "DATE", "TIMESTAMP", "ENUM"]
Getter = Callable[[Any], Any]

_DATE = "%m/%d/%Y"
_TIMESTAMP = "%m/%d/%Y %H:%M:%S"
_DATE_SHAPE = re.compile(r"\d{1,2}/\d{1,2}/\d{4}\Z")
_TIMESTAMP_SHAPE = re.compile(r"\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}:\d{2}\Z")


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A field. ``take`` gets its value from a row of its object; ``codes`` pairs each label with its stored code."""

    id: str
    kind: Kind
    take: Getter
    codes: tuple[tuple[str, str], ...] = ()
    required: bool = False
    writable: str = ""  # the seed's attribute behind it
    read_only: bool = False
    custom: bool = False

    @property
    def datatype(self) -> str:
        """What `lookup` calls its kind: most enumerations are a text with valid values."""
        return "TEXT" if self.kind == "ENUM" and self.codes else self.kind

    @property
    def labels(self) -> tuple[str, ...]:
        """The values it can have, when they are listed."""
        return ("true", "false") if self.kind == "BOOLEAN" else tuple(label for label, _ in self.codes)

    @property
    def label(self) -> str:
        return self.id.replace(".", " ").replace("_", " ").title()


class Relation(msgspec.Struct, frozen=True, kw_only=True):
    """A many-to-one path: ``follow`` gives the row at its end, or None."""

    path: str
    object: str
    by: str
    follow: Getter


class Owned(msgspec.Struct, frozen=True, kw_only=True):
    """A collection only `read` shows, nested as ``name/element``."""

    name: str
    element: str
    object: str
    rows: Callable[[Any], list[Any]]


class ObjectType(msgspec.Struct, frozen=True, kw_only=True):
    """An object: ``fields`` by id, in the order replies show them; ``name_field`` is what `readByName` goes by."""

    name: str
    fields: dict[str, Field]
    name_field: str
    relations: tuple[Relation, ...] = ()
    owned: tuple[Owned, ...] = ()

    def relation(self, path: str) -> Relation | None:
        return next((relation for relation in self.relations if relation.path == path), None)


def show(value: Value) -> str:
    """The wire text of a value."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return show_amount(value)
    if isinstance(value, datetime):
        return value.strftime(_TIMESTAMP)
    if isinstance(value, date):
        return value.strftime(_DATE)
    return str(value)


def show_amount(value: Decimal) -> str:
    """Plain digits, trailing zeros dropped: ``5900``, ``5.5``."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text


def parse(kind: Kind, text: str) -> Value:
    """The typed value of a wire text; None for the empty text. Raises ValueError when the text is not of that kind."""
    return _PARSERS[kind](text) if text else None


def _boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError(f"{text} is not true or false")
    return text == "true"


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{text} is not a number")
    return number


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ValueError(f"{text} is not a whole number")
    return int(text)


def _timestamp(text: str) -> datetime:
    if _TIMESTAMP_SHAPE.match(text):
        return datetime.strptime(text, _TIMESTAMP)  # noqa: DTZ007 - the books name no zone
    if _DATE_SHAPE.match(text):
        return datetime.strptime(text, _DATE)  # noqa: DTZ007
    raise ValueError(f"{text} is not a date like 12/31/2025 or a timestamp like 12/31/2025 23:59:59")


def _date(text: str) -> date:
    return _timestamp(text).date()


_PARSERS: dict[Kind, Callable[[str], Value]] = {
    "TEXT": str,
    "ENUM": str,
    "INTEGER": _integer,
    "DECIMAL": _decimal,
    "PERCENT": _decimal,
    "CURRENCY": _decimal,
    "BOOLEAN": _boolean,
    "DATE": _date,
    "TIMESTAMP": _timestamp,
}
