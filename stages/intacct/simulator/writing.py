"""The functions that write: create, update, delete, and the legacy forms of them. Each tells how to undo itself.

A generic function takes several records and does them one by one: what was done before one fails stays done, and the reply says
both. The legacy functions are put into the generic form (`legacy`) and done as that.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from lxml import etree

from stages.intacct.simulator.answer import Answer
from stages.intacct.simulator.books import Books
from stages.intacct.simulator.elements import children, elements, text
from stages.intacct.simulator.envelope import add
from stages.intacct.simulator.errors import FunctionRefused, schema_violation
from stages.intacct.simulator.legacy import Given, legacy_bill
from stages.intacct.simulator.records import Records, Saved
from stages.intacct.simulator.sessions import Session

_MOST_RECORDS = 100


class Writing:
    """Writes on the books, as a user of the API would."""

    def __init__(self, books: Books) -> None:
        self._records = Records(books)

    def functions(self) -> dict[str, Callable[[etree._Element, Session, datetime], Answer]]:
        return {
            "create": self._created,
            "update": self._updated,
            "delete": self._deleted,
            "create_bill": self._legacy_bill,
            "update_bill": self._legacy_update,
            "delete_bill": self._legacy_delete("APBILL", "key", "RECORDNO"),
            "delete_vendor": self._legacy_delete("VENDOR", "vendorid", "VENDORID"),
        }

    # The generic functions

    def _created(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        return self._each(element, lambda record: self._records.create(str(record.tag).upper(), *_given(record)))

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

    def _legacy_bill(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        saved = self._records.create("APBILL", *legacy_bill(element))
        return Answer(key=str(saved.record), facts={"object": "APBILL", "record": saved.record}, undo=saved.undo)

    def _legacy_update(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        given, lines = legacy_bill(element)
        saved = self._records.update("APBILL", given | {"RECORDNO": element.get("key", "")}, lines, session)
        return Answer(key=str(saved.record), facts={"object": "APBILL", "record": saved.record}, undo=saved.undo)

    def _legacy_delete(
        self, object: str, attribute: str, name: str
    ) -> Callable[[etree._Element, Session, datetime], Answer]:
        def delete(element: etree._Element, session: Session, now: datetime) -> Answer:
            answer = self._delete(object, [element.get(attribute, "")], session, name)
            answer.key = element.get(attribute, "")
            return answer

        return delete


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
