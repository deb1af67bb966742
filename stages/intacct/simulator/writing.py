"""The functions that write: create, update and delete of vendors and bills, and their legacy forms. Each tells how to undo itself.

A generic function takes several records and does them one by one: what was done before one fails stays done, and the reply says
both. The legacy functions are put into the generic form (`legacy`) and done as that.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from lxml import etree

from stages.ap.seed.world import SeedBill, SeedContact, SeedLine, SeedVendor
from stages.intacct.simulator.answer import Answer
from stages.intacct.simulator.books import Books
from stages.intacct.simulator.elements import children, elements, text
from stages.intacct.simulator.envelope import add
from stages.intacct.simulator.errors import BUSINESS, FunctionRefused, GatewayError, schema_violation
from stages.intacct.simulator.legacy import Given, legacy_bill
from stages.intacct.simulator.model import Field, Value, parse
from stages.intacct.simulator.query import visible
from stages.intacct.simulator.rows import BillRow, Row, VendorRow
from stages.intacct.simulator.sessions import Session

DUPLICATE = "BL34000061"
REQUIRED = "BL03000018"
WRONG_STATE = "BL03002129"
_MOST_RECORDS = 100
_PAID = {"Selected", "Partially Paid", "Paid", "Reversed", "Reversal"}
_CONTACT = {
    "CONTACTNAME": "name",
    "PRINTAS": "company",
    "COMPANYNAME": "company",
    "FIRSTNAME": "first_name",
    "LASTNAME": "last_name",
    "PHONE1": "phone",
    "EMAIL1": "email",
    "MAILADDRESS.ADDRESS1": "line1",
    "MAILADDRESS.ADDRESS2": "line2",
    "MAILADDRESS.CITY": "city",
    "MAILADDRESS.STATE": "state",
    "MAILADDRESS.ZIP": "postal_code",
    "MAILADDRESS.COUNTRY": "country",
    "MAILADDRESS.COUNTRYCODE": "country_code",
}


class Saved(msgspec.Struct, frozen=True):
    """A record that was written. ``keys`` are the elements the reply names it by."""

    object: str
    record: int
    keys: tuple[tuple[str, str], ...]
    undo: Callable[[], None]


class Writing:
    """Writes on the books, as a user of the API would."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._create: dict[str, Callable[[Given, list[Given]], Saved]] = {
            "VENDOR": self._create_vendor,
            "APBILL": self._create_bill,
        }

    def functions(self) -> dict[str, Callable[[etree._Element, Session, datetime], Answer]]:
        return {
            "create": self._created,
            "update": self._updated,
            "delete": self._deleted,
            "create_bill": self._legacy_bill,
            "update_bill": self._legacy_update,
            "delete_bill": self._legacy_delete("APBILL", "key"),
            "delete_vendor": self._legacy_delete("VENDOR", "vendorid"),
        }

    # The generic functions

    def _created(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        def create(record: etree._Element) -> Saved:
            object = str(record.tag).upper()
            if object not in self._create:
                raise FunctionRefused(BUSINESS, f"Could not create {object} record! It cannot be created here")
            return self._create[object](*_given(record))

        return self._each(element, create)

    def _updated(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        return self._each(element, lambda record: self._update(str(record.tag).upper(), *_given(record), session))

    def _each(self, element: etree._Element, write: Callable[[etree._Element], Saved]) -> Answer:
        records = _some(element)
        done: list[Saved] = []
        try:
            for record in records:
                done.append(write(record))  # noqa: PERF401 - what was done before a failure counts
        except FunctionRefused as refused:
            refused.data = _written(done) if done else None
            refused.undo = _undone(done)
            raise
        facts = {"object": done[0].object, "record": done[0].record, "fields": sorted(_given(records[0])[0])}
        return Answer(data=_written(done), facts=facts, undo=_undone(done))

    def _deleted(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        parts = _named(element)
        keys = [key.strip() for key in text(parts["keys"]).split(",")]
        return self._delete(text(parts["object"]).upper(), keys, session)

    def _delete(self, object: str, keys: list[str], session: Session) -> Answer:
        rows = [self._row(object, key, session) for key in keys]
        undo = _undone([self._drop(row) for row in rows])
        return Answer(facts={"object": object, "records": [row.record for row in rows]}, undo=undo)

    # The legacy functions

    def _legacy_bill(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        saved = self._create_bill(*legacy_bill(element))
        return Answer(key=str(saved.record), facts={"object": "APBILL", "record": saved.record}, undo=saved.undo)

    def _legacy_update(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        given, lines = legacy_bill(element)
        saved = self._update("APBILL", given | {"RECORDNO": element.get("key", "")}, lines, session)
        return Answer(key=str(saved.record), facts={"object": "APBILL", "record": saved.record}, undo=saved.undo)

    def _legacy_delete(self, object: str, attribute: str) -> Callable[[etree._Element, Session, datetime], Answer]:
        def delete(element: etree._Element, session: Session, now: datetime) -> Answer:
            answer = self._delete(object, [element.get(attribute, "")], session)
            answer.key = element.get(attribute, "")
            return answer

        return delete

    # One record

    def _create_vendor(self, given: Given, lines: list[Given]) -> Saved:
        values = self._values("VENDOR", given, ("VENDORID", "NAME"))
        id = str(values.pop("VENDORID"))
        if self._books.vendor(id) is not None:
            raise _duplicate("vendor", id)
        now, record = self._books.now(), max(self._books.tables["VENDOR"].rows, default=0) + 1
        blank = SeedVendor(record=record, id=id, name="", kind="", created=now, modified=now)
        self._books.put_vendor(self._changed_vendor(blank, values))
        self._books.set_values("VENDOR", record, self._besides("VENDOR", values))
        self._note("VENDOR", id, "C")
        return Saved(
            "VENDOR", record, (("RECORDNO", str(record)), ("VENDORID", id)), lambda: self._books.drop_vendor(id)
        )

    def _create_bill(self, given: Given, lines: list[Given]) -> Saved:
        action = given.pop("ACTION", "Submit").title()
        values = self._values("APBILL", given, ("VENDORID", "WHENCREATED"))
        vendor = self._books.vendor(str(values.pop("VENDORID")))
        if vendor is None:
            raise FunctionRefused(BUSINESS, f"Invalid Vendor '{given['VENDORID']}' specified.")
        drawn = tuple(self._line(number, line) for number, line in enumerate(lines, start=1))
        if not drawn:
            raise _missing("bill", "APBILLITEMS")
        day, now = values.pop("WHENCREATED"), self._books.now()
        bill = SeedBill(
            record=self._books.reserve(),
            number=str(values.pop("RECORDID", None) or ""),
            vendor=vendor.seed.id,
            state="Draft" if action == "Draft" else "Posted",
            date=day,  # type: ignore[arg-type]
            due=values.pop("WHENDUE", None),  # type: ignore[arg-type]
            posted=None if action == "Draft" else values.pop("WHENPOSTED", None) or day,  # type: ignore[arg-type]
            total=sum((line.amount for line in drawn), Decimal(0)),
            currency=str(values.pop("CURRENCY", None) or "USD"),
            lines=drawn,
            created=now,
            modified=now,
        )
        self._books.put_bill(msgspec.structs.replace(bill, **self._attributes("APBILL", values)))
        self._books.set_values("APBILL", bill.record, self._besides("APBILL", values))
        self._note("APBILL", str(bill.record), "C")
        return Saved("APBILL", bill.record, (("RECORDNO", str(bill.record)),), lambda: self._drop_again(bill.record))

    def _line(self, number: int, given: Given) -> SeedLine:
        values = self._values("APBILLITEM", given, ())
        amount = values.get("TRX_AMOUNT") or values.get("AMOUNT")
        if not isinstance(amount, Decimal):
            raise _missing("bill line", "TRX_AMOUNT")
        account = values.get("ACCOUNTNO") or values.get("ACCOUNTLABEL")
        if not account:
            raise _missing("bill line", "ACCOUNTNO")
        words: dict[str, Any] = {name: str(values.get(field) or "") for name, field in (
            ("description", "ENTRYDESCRIPTION"), ("department", "DEPARTMENTID"), ("location", "LOCATIONID"), ("item", "ITEMID"),
        )}  # fmt: skip
        return SeedLine(number=number, amount=amount, account=str(account), **words)

    def _update(self, object: str, given: Given, lines: list[Given], session: Session) -> Saved:
        if object not in self._create:
            raise FunctionRefused(BUSINESS, f"Could not update {object} record! It cannot be updated here")
        if lines:
            raise FunctionRefused(BUSINESS, f"Could not update {object} record! Its lines cannot be changed here")
        type = self._books.types[object]
        key = given.pop("RECORDNO", "") or given.pop(type.name_field, "")
        row = self._row(object, key, session)
        given.pop(type.name_field, None)
        undo = self._undo(row)
        values = self._values(object, given, ())
        if isinstance(row, VendorRow):
            self._books.put_vendor(self._changed_vendor(row.seed, values))
        elif isinstance(row, BillRow):
            changes = self._attributes(object, values)
            self._books.put_bill(msgspec.structs.replace(row.seed, modified=self._books.now(), **changes))
        self._books.set_values(object, row.record, self._besides(object, values))
        self._note(object, key, "M")
        keys = (("RECORDNO", str(row.record)),) + ((("VENDORID", row.seed.id),) if isinstance(row, VendorRow) else ())
        return Saved(object, row.record, keys, undo)

    def _drop(self, row: Row) -> Saved:
        undo = self._undo(row)
        if isinstance(row, BillRow):
            if row.seed.state in _PAID:
                raise FunctionRefused(WRONG_STATE, f"The bill is {row.seed.state} and cannot be deleted.")
            self._books.drop_bill(row.record)
            self._note("APBILL", str(row.record), "D")
            return Saved("APBILL", row.record, (), undo)
        assert isinstance(row, VendorRow)
        if any(True for _ in self._books.bills_of(row.seed.id)):
            raise FunctionRefused(BUSINESS, f"Vendor {row.seed.id} has transactions and cannot be deleted.")
        self._books.drop_vendor(row.seed.id)
        self._note("VENDOR", row.seed.id, "D")
        return Saved("VENDOR", row.record, (), undo)

    def _drop_again(self, record: int) -> None:
        self._books.drop_bill(record)

    def _undo(self, row: Row) -> Callable[[], None]:
        object = "VENDOR" if isinstance(row, VendorRow) else "APBILL"
        values = self._books.values(object, row.record)

        def undo() -> None:
            if isinstance(row, VendorRow):
                self._books.put_vendor(row.seed)
            elif isinstance(row, BillRow):
                self._books.put_bill(row.seed)
            self._books.set_values(object, row.record, values, replace=True)

        return undo

    def _row(self, object: str, key: str, session: Session) -> Row:
        """The record of a RECORDNO or of the key people know it by, as far as the session sees it."""
        if object not in self._create:
            raise FunctionRefused(BUSINESS, f"{object} records cannot be written here")
        table, name = self._books.tables[object], self._books.types[object].name_field
        row = table.rows.get(int(key)) if key.isdecimal() and len(key) < 19 else None
        if row is None and name != "RECORDNO" and key:
            row = next(iter(table.narrowed({name: [(key, key)]})), None)
        if row is None or not visible(session.location, False)(row):
            raise FunctionRefused(BUSINESS, f"Could not find {object} record {key or '(no key)'}")
        return row

    # Values

    def _values(self, object: str, given: Given, required: tuple[str, ...]) -> dict[str, Value]:
        fields = self._books.types[object].fields
        for name in required:
            if not given.get(name):
                raise _missing(object.lower(), name)
        return {name: _value(object, fields.get(name), name, sent) for name, sent in given.items()}

    def _attributes(self, object: str, values: dict[str, Value]) -> dict[str, Any]:
        """The changes of the seed's attributes that stand behind the fields."""
        fields = self._books.types[object].fields
        behind = {fields[name].writable: value for name, value in values.items() if fields[name].writable}
        return {name: "" if value is None else value for name, value in behind.items()}

    def _besides(self, object: str, values: dict[str, Value]) -> dict[str, Value]:
        """The fields that no attribute stands behind: the books keep what was set."""
        fields = self._books.types[object].fields
        kept = {name: value for name, value in values.items() if not fields[name].writable}
        return {name: value for name, value in kept.items() if not name.startswith("DISPLAYCONTACT.")}

    def _changed_vendor(self, seed: SeedVendor, values: dict[str, Value]) -> SeedVendor:
        changes = self._attributes("VENDOR", values)
        sent = {
            name.removeprefix("DISPLAYCONTACT."): value for name, value in values.items() if "DISPLAYCONTACT." in name
        }
        contact = {_CONTACT[name]: str(value or "") for name, value in sent.items() if name in _CONTACT}
        if contact:
            name = str(changes.get("name", seed.name))
            changes["contact"] = msgspec.structs.replace(seed.contact or SeedContact(name=name), **contact)
        return msgspec.structs.replace(seed, modified=self._books.now(), **changes)

    def _note(self, object: str, key: str, mode: str) -> None:
        self._books.note(object.lower(), key, mode, at=self._books.now(), source="api")


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


def _given(record: etree._Element) -> tuple[Given, list[Given]]:
    """A record's fields by dotted name, and the records of its owned collection."""
    given: Given = {}
    lines: list[Given] = []

    def walk(element: etree._Element, prefix: str) -> None:
        for child in elements(element):
            name = prefix + str(child.tag).upper()
            if name == "APBILLITEMS":
                lines.extend(_given(item)[0] for item in elements(child))
            elif len(child):
                walk(child, f"{name}.")
            elif not _is_group(name):
                given[name] = text(child)

    walk(record, "")
    return given, lines


def _is_group(name: str) -> bool:
    """An empty contact group sets nothing."""
    return name in {"DISPLAYCONTACT", "CONTACTINFO", "PAYTO", "RETURNTO", "DISPLAYCONTACT.MAILADDRESS"}


def _some(element: etree._Element) -> list[etree._Element]:
    """The records of a `create` or `update`."""
    records = elements(element)
    if not 1 <= len(records) <= _MOST_RECORDS:
        raise schema_violation(f"Element '{element.tag}': 1 to {_MOST_RECORDS} records, found {len(records)}")
    return records


def _named(element: etree._Element) -> dict[str, etree._Element]:
    """The parts of a `delete`."""
    parts = children(element, ("object", "keys"))
    if len(parts) != 2:
        raise schema_violation("Element 'delete': object and keys are needed")
    return parts


SHAPES: dict[str, Callable[[etree._Element], object]] = {
    "create": _some,
    "update": _some,
    "delete": _named,
    "create_bill": legacy_bill,
    "update_bill": legacy_bill,
    "delete_bill": lambda element: children(element, ()),
    "delete_vendor": lambda element: children(element, ()),
}
"""What the schema lets through, by function."""


def _written(done: list[Saved]) -> etree._Element:
    data = etree.Element("data", listtype="objects", count=str(len(done)))
    for saved in done:
        record = etree.SubElement(data, saved.object.lower())
        for name, value in saved.keys:
            add(record, name, value)
    return data


def _undone(done: list[Saved]) -> Callable[[], None]:
    def undo() -> None:
        for saved in reversed(done):
            saved.undo()

    return undo


def _missing(what: str, name: str) -> FunctionRefused:
    return FunctionRefused(REQUIRED, f"Required field {name} is missing", more=(_could_not(what),))


def _duplicate(what: str, key: str) -> FunctionRefused:
    text = f"Another {what.title()} with the given value(s) {key}  already exists"
    return FunctionRefused(DUPLICATE, text, correction="Use a unique value instead.", more=(_could_not(what),))


def _could_not(what: str) -> GatewayError:
    return GatewayError(BUSINESS, f"Could not create {what} record!")
