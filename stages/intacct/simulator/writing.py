"""The functions that write: create, update, delete, and the legacy forms of them. Each tells how to undo itself.

A generic function takes several records and does them one by one: what was done before one fails stays done, and the reply says
both. The legacy functions are put into the generic form (`legacy`) and done as that.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

import msgspec
from lxml import etree

from stages.intacct.simulator import legacy
from stages.intacct.simulator.answer import Answer
from stages.intacct.simulator.books import Books
from stages.intacct.simulator.elements import children, elements, text
from stages.intacct.simulator.envelope import add
from stages.intacct.simulator.errors import FunctionRefused, schema_violation
from stages.intacct.simulator.legacy import Given, Shape
from stages.intacct.simulator.records import Records, Saved
from stages.intacct.simulator.rows import BillRow, PaymentRow, PurchaseRow
from stages.intacct.simulator.saving.kind import typed
from stages.intacct.simulator.sessions import Session

_MOST_RECORDS = 100
_LINES = frozenset({"APBILLITEMS", "PODOCUMENTENTRIES", "APPYMTDETAILS"})


class Legacy(msgspec.Struct, frozen=True, kw_only=True):
    """A legacy function that writes one record, which its attribute ``key`` names by ``name``."""

    object: str
    shape: Shape = Shape(fields=())
    key: str = "key"
    name: str = "RECORDNO"


LEGACY: dict[str, Legacy] = {
    "create_bill": Legacy(object="APBILL", shape=legacy.BILL),
    "update_bill": Legacy(object="APBILL", shape=legacy.BILL_UPDATE),
    "delete_bill": Legacy(object="APBILL"),
    "reverse_bill": Legacy(object="APBILL", shape=legacy.REVERSAL),
    "delete_vendor": Legacy(object="VENDOR", key="vendorid", name="VENDORID"),
    "delete_glaccount": Legacy(object="GLACCOUNT", key="glaccountno", name="ACCOUNTNO"),
    "delete_department": Legacy(object="DEPARTMENT", key="departmentid", name="DEPARTMENTID"),
    "delete_location": Legacy(object="LOCATION", key="locationid", name="LOCATIONID"),
    "delete_class": Legacy(object="CLASS", name="CLASSID"),
    "delete_project": Legacy(object="PROJECT", name="PROJECTID"),
    "delete_item": Legacy(object="ITEM", key="itemid", name="ITEMID"),
    "delete_customer": Legacy(object="CUSTOMER", key="customerid", name="CUSTOMERID"),
    "delete_employee": Legacy(object="EMPLOYEE", key="employeeid", name="EMPLOYEEID"),
    "create_contact": Legacy(object="CONTACT", shape=legacy.CONTACT),
    "update_contact": Legacy(object="CONTACT", shape=legacy.CONTACT, key="contactname", name="CONTACTNAME"),
    "delete_contact": Legacy(object="CONTACT", key="contactname", name="CONTACTNAME"),
    "create_potransaction": Legacy(object="PODOCUMENT", shape=legacy.PURCHASE),
    "update_potransaction": Legacy(object="PODOCUMENT", shape=legacy.PURCHASE_UPDATE, name="DOCID"),
    "delete_potransaction": Legacy(object="PODOCUMENT", name="DOCID"),
    "reverse_appayment": Legacy(object="APPYMT", shape=legacy.REVERSAL),
}
STEPS = {f"{step}_appaymentrequest": step for step in ("approve", "decline", "send", "confirm", "void")}
DECISIONS = {"approve": "Approved", "decline": "Declined"}


class Writing:
    """Writes on the books, as a user of the API would."""

    def __init__(self, books: Books) -> None:
        self._records = Records(books)

    def functions(self) -> dict[str, Callable[[etree._Element, Session, datetime], Answer]]:
        verbs = {
            "create": self._legacy_create,
            "update": self._legacy_update,
            "delete": self._legacy_delete,
            "reverse": self._legacy_reverse,
        }
        return {
            "create": self._created,
            "update": self._updated,
            "delete": self._deleted,
            **{name: partial(verbs[name.partition("_")[0]], each) for name, each in LEGACY.items()},
            **{name: partial(self._step, step) for name, step in STEPS.items()},
            **{name: partial(self._decide, state) for name, state in DECISIONS.items()},
        }

    # The generic functions

    def _created(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        return self._each(
            element, lambda record: self._records.create(str(record.tag).upper(), *_given(record), session)
        )

    def _updated(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        return self._each(
            element, lambda record: self._records.update(str(record.tag).upper(), *_given(record), session)
        )

    def _each(self, element: etree._Element, write: Callable[[etree._Element], Saved]) -> Answer:
        records = _some(element)
        done: list[Saved] = []
        try:
            for record in records:
                done.append(write(record))  # noqa: PERF401 - what was done before a failure counts
        except FunctionRefused as refused:
            refused.data, refused.writes = _written(done), len(done)
            refused.undo = _undone(done)
            raise
        facts = {"object": done[0].object, "record": done[0].record, "fields": sorted(_given(records[0])[0])}
        return Answer(data=_written(done), facts=facts, undo=_undone(done), writes=len(done))

    def _deleted(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        parts = _named(element)
        keys = [key.strip() for key in text(parts["keys"]).split(",")]
        return self._delete(text(parts["object"]).upper(), keys, session)

    def _delete(self, object: str, keys: list[str], session: Session, name: str = "RECORDNO") -> Answer:
        done: list[Saved] = []
        try:
            for key in keys:
                done.append(self._records.drop(object, self._records.row(object, name, key, session)))  # noqa: PERF401
        except FunctionRefused as refused:
            refused.undo, refused.writes = _undone(done), len(done)
            raise
        facts = {"object": object, "records": [saved.record for saved in done]}
        return Answer(facts=facts, undo=_undone(done), writes=len(done))

    # The legacy functions

    def _legacy_create(self, each: Legacy, element: etree._Element, session: Session, now: datetime) -> Answer:
        return _one(self._records.create(each.object, *legacy.read(element, each.shape), session))

    def _legacy_update(self, each: Legacy, element: etree._Element, session: Session, now: datetime) -> Answer:
        given, lines = legacy.read(element, each.shape)
        named = {each.name: element.get(each.key, "")}
        return _one(self._records.update(each.object, given | named, lines, session))

    def _legacy_delete(self, each: Legacy, element: etree._Element, session: Session, now: datetime) -> Answer:
        key = element.get(each.key, "")
        answer = self._delete(each.object, [key], session, each.name)
        answer.key = key
        return answer

    def _legacy_reverse(self, each: Legacy, element: etree._Element, session: Session, now: datetime) -> Answer:
        row = self._records.row(each.object, each.name, element.get(each.key, ""), session)
        given, _ = legacy.read(element, each.shape)
        if isinstance(row, PaymentRow):
            return _one(self._records.act(each.object, self._records.payments.step(row, "void")))
        assert isinstance(row, BillRow)
        values = typed(self._records.bills.type, given)
        return _one(self._records.act(each.object, self._records.bills.reverse(row, values)))

    def _step(self, step: str, element: etree._Element, session: Session, now: datetime) -> Answer:
        """Payments go a step on, one by one."""
        done: list[Saved] = []
        try:
            for key in _payment_keys(element):
                row = self._records.row("APPYMT", "RECORDNO", key, session)
                assert isinstance(row, PaymentRow)
                done.append(self._records.act("APPYMT", self._records.payments.step(row, step)))
        except FunctionRefused as refused:
            refused.undo, refused.writes = _undone(done), len(done)
            raise
        facts = {"object": "APPYMT", "records": [saved.record for saved in done]}
        return Answer(facts=facts, undo=_undone(done), writes=len(done))

    def _decide(self, state: str, element: etree._Element, session: Session, now: datetime) -> Answer:
        parts = children(_document(element), ("DOCID", "COMMENT"))
        row = self._records.row("PODOCUMENT", "DOCID", text(parts["DOCID"]) if "DOCID" in parts else "", session)
        assert isinstance(row, PurchaseRow)
        saved = self._records.act("PODOCUMENT", self._records.purchases.decide(row, state))
        return Answer(data=_written([saved]), facts={"object": "PODOCUMENT", "record": saved.record}, undo=saved.undo)


def _one(saved: Saved) -> Answer:
    """A legacy function answers with the key alone."""
    return Answer(key=saved.key, facts={"object": saved.object, "record": saved.record}, undo=saved.undo)


def _given(record: etree._Element) -> tuple[Given, list[Given]]:
    """A record's fields by dotted name, and the records of its owned collection."""
    given: Given = {}
    lines: list[Given] = []

    def walk(element: etree._Element, prefix: str) -> None:
        for child in elements(element):
            name = prefix + str(child.tag).upper()
            if name in _LINES:
                lines.extend(_given(item)[0] for item in elements(child))
            elif len(child):
                walk(child, f"{name}.")
            else:
                given[name] = text(child)

    walk(record, "")
    return given, lines


def _payment_keys(element: etree._Element) -> list[str]:
    """The payments of a step."""
    parts = children(element, ("appaymentkeys",))
    keys = [text(key) for key in elements(parts["appaymentkeys"])] if "appaymentkeys" in parts else []
    if not keys or any(key.tag != "appaymentkey" for key in elements(parts["appaymentkeys"])):
        raise schema_violation(f"Element '{element.tag}': appaymentkeys with an appaymentkey is needed")
    return keys


def _document(element: etree._Element) -> etree._Element:
    """The purchasing document that is approved or declined."""
    parts = children(element, ("PODOCUMENT",))
    if not parts:
        raise schema_violation(f"Element '{element.tag}': a PODOCUMENT is needed")
    return parts["PODOCUMENT"]


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
    **{name: partial(legacy.read, shape=each.shape) for name, each in LEGACY.items()},
    **dict.fromkeys(STEPS, _payment_keys),
    **{name: lambda element: children(_document(element), ("DOCID", "COMMENT")) for name in DECISIONS},
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
