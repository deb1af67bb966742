"""The records that can be written, one at a time: vendors, bills, accounts and dimensions. What each needs, and how to undo it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from stages.ap.seed.world import SeedBill, SeedContact, SeedLine, SeedMaster, SeedVendor
from stages.intacct.simulator.books import Books
from stages.intacct.simulator.errors import BUSINESS, DUPLICATE, REQUIRED, WRONG_STATE, FunctionRefused, GatewayError
from stages.intacct.simulator.legacy import Given
from stages.intacct.simulator.model import Field, Value, parse
from stages.intacct.simulator.objects.masters import MASTERS
from stages.intacct.simulator.query import visible
from stages.intacct.simulator.rows import BillRow, MasterRow, Row, VendorRow
from stages.intacct.simulator.sessions import Session

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


class Records:
    """Writes records as a user of the API would: the audit history notes each. Raises `FunctionRefused`, and then has done nothing."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._create: dict[str, Callable[[str, Given, list[Given]], Saved]] = {
            "VENDOR": self._create_vendor,
            "APBILL": self._create_bill,
            **dict.fromkeys((type.name for type in MASTERS), self._create_master),
        }

    def create(self, object: str, given: Given, lines: list[Given]) -> Saved:
        """Adds a record. ``lines`` are those of its owned collection."""
        if object not in self._create:
            raise FunctionRefused(BUSINESS, f"Could not create {object} record! It cannot be created here")
        return self._create[object](object, given, lines)

    def _create_vendor(self, object: str, given: Given, lines: list[Given]) -> Saved:
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

    def _create_bill(self, object: str, given: Given, lines: list[Given]) -> Saved:
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

    def _create_master(self, object: str, given: Given, lines: list[Given]) -> Saved:
        type = self._books.types[object]
        label = next(name for name in ("TITLE", "NAME") if name in type.fields)
        values = self._values(object, given, (type.name_field, label))
        id = str(values.pop(type.name_field))
        if self._books.master(object, id) is not None:
            raise _duplicate(object.lower(), id)
        record = max(self._books.tables[object].rows, default=0) + 1
        blank = SeedMaster(object=object, record=record, id=id, name="", modified=self._books.now())
        self._books.put_master(msgspec.structs.replace(blank, **self._attributes(object, values)))
        self._books.set_values(object, record, self._besides(object, values))
        self._note(object, id, "C")
        keys = (("RECORDNO", str(record)), (type.name_field, id))
        return Saved(object, record, keys, lambda: self._books.drop_master(object, id))

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

    def update(self, object: str, given: Given, lines: list[Given], session: Session) -> Saved:
        """Saves what is given of a record, which is found by its RECORDNO, else by the key people know it by."""
        if lines:
            raise FunctionRefused(BUSINESS, f"Could not update {object} record! Its lines cannot be changed here")
        row = self._named(object, given, session)
        undo, values = self._undo(object, row), self._values(object, given, ())
        changes = self._attributes(object, values)
        if isinstance(row, VendorRow):
            self._books.put_vendor(self._changed_vendor(row.seed, values))
        elif isinstance(row, BillRow):
            self._books.put_bill(msgspec.structs.replace(row.seed, modified=self._books.now(), **changes))
        elif isinstance(row, MasterRow):
            self._books.put_master(msgspec.structs.replace(row.seed, modified=self._books.now(), **changes))
        self._books.set_values(object, row.record, self._besides(object, values))
        self._note(object, self._key(object, row), "M")
        name = self._books.types[object].name_field
        keys = (("RECORDNO", str(row.record)), *(((name, self._key(object, row)),) if name != "RECORDNO" else ()))
        return Saved(object, row.record, keys, undo)

    def drop(self, object: str, row: Row) -> Saved:
        """Takes the record away."""
        undo, key = self._undo(object, row), self._key(object, row)
        if isinstance(row, BillRow):
            if row.seed.state in _PAID:
                raise FunctionRefused(WRONG_STATE, f"The bill is {row.seed.state} and cannot be deleted.")
            self._books.drop_bill(row.record)
        elif isinstance(row, VendorRow):
            if any(True for _ in self._books.bills_of(row.seed.id)):
                raise FunctionRefused(BUSINESS, f"Vendor {row.seed.id} has transactions and cannot be deleted.")
            self._books.drop_vendor(row.seed.id)
        elif isinstance(row, MasterRow):
            self._books.drop_master(object, row.seed.id)
        self._note(object, key, "D")
        return Saved(object, row.record, (), undo)

    def _drop_again(self, record: int) -> None:
        self._books.drop_bill(record)

    def _undo(self, object: str, row: Row) -> Callable[[], None]:
        values = self._books.values(object, row.record)

        def undo() -> None:
            if isinstance(row, VendorRow):
                self._books.put_vendor(row.seed)
            elif isinstance(row, BillRow):
                self._books.put_bill(row.seed)
            elif isinstance(row, MasterRow):
                self._books.put_master(row.seed)
            self._books.set_values(object, row.record, values, replace=True)

        return undo

    def _named(self, object: str, given: Given, session: Session) -> Row:
        type = self._books.types.get(object)
        name = "RECORDNO" if given.get("RECORDNO") or type is None else type.name_field
        row = self.row(object, name, given.get(name, ""), session)
        for each in ("RECORDNO", self._books.types[object].name_field):
            given.pop(each, None)
        return row

    def row(self, object: str, name: str, key: str, session: Session) -> Row:
        """The record whose field ``name`` is ``key``, as far as the session sees it."""
        if object not in self._create:
            raise FunctionRefused(BUSINESS, f"{object} records cannot be written here")
        table = self._books.tables[object]
        if name == "RECORDNO":
            row = table.rows.get(int(key)) if key.isdecimal() and len(key) < 19 else None
        else:
            row = next(iter(table.narrowed({name: [(key, key)]})), None) if key else None
        if row is None or not visible(session.location, False)(row):
            raise FunctionRefused(BUSINESS, f"Could not find {object} record {key or '(no key)'}")
        return row

    def _key(self, object: str, row: Row) -> str:
        """What people know the record by."""
        type = self._books.types[object]
        return str(type.fields[type.name_field].take(row))

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


def _missing(what: str, name: str) -> FunctionRefused:
    return FunctionRefused(REQUIRED, f"Required field {name} is missing", more=(_could_not(what),))


def _duplicate(what: str, key: str) -> FunctionRefused:
    text = f"Another {what.title()} with the given value(s) {key}  already exists"
    return FunctionRefused(DUPLICATE, text, correction="Use a unique value instead.", more=(_could_not(what),))


def _could_not(what: str) -> GatewayError:
    return GatewayError(BUSINESS, f"Could not create {what} record!")
