"""The records that can be written, one at a time: found, saved, noted in the audit history, and how to undo it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from stages.intacct.simulator.books import Books
from stages.intacct.simulator.errors import BUSINESS, FunctionRefused, missing, unknown
from stages.intacct.simulator.legacy import LINE, Given
from stages.intacct.simulator.objects.masters import MASTERS
from stages.intacct.simulator.query import visible
from stages.intacct.simulator.rows import Row
from stages.intacct.simulator.saving.bills import Bills
from stages.intacct.simulator.saving.kind import Done, Kind, Values, typed
from stages.intacct.simulator.saving.masters import Masters, References
from stages.intacct.simulator.saving.payments import Payments
from stages.intacct.simulator.saving.purchases import Purchases
from stages.intacct.simulator.saving.vendors import Contacts, Vendors
from stages.intacct.simulator.sessions import Session


class Saved(msgspec.Struct, frozen=True):
    """A record that was written. ``keys`` are the elements the reply names it by, the last what people know it by."""

    object: str
    record: int
    keys: tuple[tuple[str, str], ...]
    undo: Callable[[], None]

    @property
    def key(self) -> str:
        return self.keys[-1][1]


class Records:
    """Writes records as a user of the API would: the audit history notes each. Raises `FunctionRefused`, and then has done nothing."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self.bills, self.purchases, self.payments = Bills(books), Purchases(books), Payments(books)
        kinds: tuple[Kind, ...] = (
            *(self.bills, self.purchases, self.payments, Vendors(books), Contacts(books), References(books)),
            *(Masters(books, type.name) for type in MASTERS),
        )
        self._kinds = {kind.object: kind for kind in kinds}

    def create(self, object: str, given: Given, lines: list[Given], session: Session) -> Saved:
        """Adds a record. ``lines`` are those of its owned collection."""
        if object not in self._kinds:
            raise FunctionRefused(BUSINESS, f"Could not create {object} record! It cannot be created here")
        kind = self._kinds[object]
        for name in kind.required:
            if not given.get(name):
                raise missing(object.lower(), name)
        for line in lines:
            line.pop("LINE_NO", None)
        values = self._typed(kind, given)
        return self._saved(kind, kind.create(values, lines, session.location), "C", values)

    def update(self, object: str, given: Given, lines: list[Given], session: Session) -> Saved:
        """Saves what is given of a record, which is found by its RECORDNO, else by the key people know it by."""
        row = self._named(object, given, session)
        kind = self._kinds[object]
        for line in lines:
            if (number := line.pop("LINE_NO", "")).isdecimal():
                line[LINE] = str(int(number) + (object == "PODOCUMENT"))  # whose lines are read from 0 on
        values = self._typed(kind, given)
        return self._saved(kind, kind.change(row, values, lines), "M", values)

    def drop(self, object: str, row: Row) -> Saved:
        """Takes the record away."""
        kind = self._kinds[object]
        return self._saved(kind, kind.drop(row), "D", {})

    def act(self, object: str, done: Done) -> Saved:
        """What was done to a record by a function of its own."""
        return self._saved(self._kinds[object], done, "M", {})

    def row(self, object: str, name: str, key: str, session: Session) -> Row:
        """The record whose field ``name`` is ``key``, as far as the session sees it."""
        if object not in self._kinds:
            raise FunctionRefused(BUSINESS, f"{object} records cannot be written here")
        table = self._books.tables[object]
        if name == "RECORDNO":
            row = table.rows.get(int(key)) if key.isdecimal() and len(key) < 19 else None
        else:
            row = next(iter(table.narrowed({name: [(key, key)]})), None) if key else None
        if row is None or not visible(session.location, False)(row):
            raise FunctionRefused(BUSINESS, f"Could not find {object} record {key or '(no key)'}")
        return row

    def _named(self, object: str, given: Given, session: Session) -> Row:
        type = self._books.types.get(object)
        name = "RECORDNO" if given.get("RECORDNO") or type is None else type.name_field
        row = self.row(object, name, given.get(name, ""), session)
        for each in ("RECORDNO", self._books.types[object].name_field):
            given.pop(each, None)
        return row

    def _typed(self, kind: Kind, given: Given) -> Values:
        """The values, of which the attachment must be there."""
        values = typed(kind.type, given, kind.actions)
        if (attached := values.get("SUPDOCID")) and attached not in self._books.attachments.documents:
            raise unknown("attachment", attached)
        return values

    def _saved(self, kind: Kind, done: Done, mode: str, rest: Values) -> Saved:
        """Keeps what no attribute stands behind, and notes the save."""
        object, record = kind.object, done.row.record
        before = self._books.besides.values(object, record)
        if rest:
            self._books.besides.put(object, record, rest)
        key = self._key(kind, done.row)
        self._books.note(object.lower(), key, mode, at=self._books.now(), source="api")

        def undo() -> None:
            done.undo()
            if rest:
                self._books.besides.put(object, record, before, replace=True)

        name = kind.type.name_field
        keys = (("RECORDNO", str(record)), *(((name, key),) if name != "RECORDNO" else ()))
        return Saved(object, record, keys, undo)

    def _key(self, kind: Kind, row: Row) -> str:
        """What people know the record by."""
        value: Any = kind.type.fields[kind.type.name_field].take(row)
        return str(value)
