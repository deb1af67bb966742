"""What the families of records share: typed values, lines, and the refusals people know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from stages.intacct.simulator.books import Books
from stages.intacct.simulator.errors import BUSINESS, FunctionRefused
from stages.intacct.simulator.legacy import LINE, Given
from stages.intacct.simulator.model import Field, ObjectType, Value, parse
from stages.intacct.simulator.rows import Row

__all__ = ["LINE", "Done", "Kind", "Values", "typed", "words"]

Values = dict[str, Value]


class Done(msgspec.Struct, frozen=True):
    """What was written: the record as it is (or was, when it is gone), and how to undo it."""

    row: Row
    undo: Callable[[], None]


class Kind:
    """The records of one object. Each method takes what it uses out of ``values``; what it leaves, the books keep as it is.

    Raises `FunctionRefused`, and then has done nothing. ``required`` a new record must have, ``actions`` are names that are no fields.
    """

    object: str
    required: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()

    def __init__(self, books: Books) -> None:
        self.books = books

    @property
    def type(self) -> ObjectType:
        return self.books.types[self.object]

    def create(self, values: Values, lines: list[Given], location: str) -> Done:
        """``location`` is the entity of the session, "" at the top level."""
        raise NotImplementedError

    def change(self, row: Row, values: Values, lines: list[Given]) -> Done:
        raise NotImplementedError

    def drop(self, row: Row) -> Done:
        raise NotImplementedError

    def attributes(self, values: Values) -> dict[str, Any]:
        """Takes out the changes of the seed's attributes that stand behind fields."""
        fields = self.type.fields
        behind = [name for name in values if name in fields and fields[name].writable]
        return {fields[name].writable: "" if (value := values.pop(name)) is None else value for name in behind}

    def keep(self, object: str, lines: Iterable[Row], rests: Mapping[int, Values]) -> Callable[[], None]:
        """Keeps what lines say besides their seeds, by number (of the rows' ``line``); returns how to undo it."""
        besides = self.books.besides
        kept = [(line.record, rests[number]) for line in lines if (number := line.line.number) in rests]  # type: ignore[attr-defined]
        before = [(record, besides.values(object, record)) for record, _ in kept]
        for record, rest in kept:
            besides.put(object, record, rest)

        def undo() -> None:
            for record, values in before:
                besides.put(object, record, values, replace=True)

        return undo

    def next_record(self) -> int:
        return self.books.next_record(self.object)


def typed(type: ObjectType, given: Given, actions: tuple[str, ...] = ()) -> Values:
    """The values of a record as it came; ``actions`` stay texts, and an empty group (``PAYTO``) sets nothing."""
    groups = {name.rpartition(".")[0] for name in type.fields} | {name.partition(".")[0] for name in type.fields}
    return {
        name: sent if name in actions else _value(type.name, type.fields.get(name), name, sent)
        for name, sent in given.items()
        if sent or name in type.fields or name not in groups
    }


def _value(object: str, field: Field | None, name: str, sent: str) -> Value:
    if field is None:
        raise FunctionRefused(BUSINESS, f"{object} has no field {name}")
    if field.read_only:
        raise FunctionRefused(BUSINESS, f"Could not update {object} record: {name} cannot be set")
    if field.codes and sent and sent not in field.labels:
        raise FunctionRefused(BUSINESS, f"{sent} is no value of {name}: {', '.join(field.labels)}")
    try:
        return parse(field.kind, sent)
    except ValueError as error:
        raise FunctionRefused(BUSINESS, f"Invalid value for {name}: {error}") from None


def words(values: Values, *names: str) -> str:
    """Takes out these values; the first that is given, as a text."""
    found = [values.pop(name, None) for name in names]
    return str(next((value for value in found if value is not None), ""))
