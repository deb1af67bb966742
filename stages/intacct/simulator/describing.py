"""The functions that tell what the company has: lookup, inspect, getDimensions and getUserPermissions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from lxml import etree

from stages.intacct.simulator.answer import Answer
from stages.intacct.simulator.books import Books
from stages.intacct.simulator.elements import children, text
from stages.intacct.simulator.envelope import add
from stages.intacct.simulator.errors import BUSINESS, NO_OBJECT, FunctionRefused
from stages.intacct.simulator.model import Field, ObjectType, show
from stages.intacct.simulator.query import check_definition
from stages.intacct.simulator.sessions import Session
from stages.intacct.simulator.statement import failed

# The dimensions this company has, with the words its people use for them.
_DIMENSIONS = ("DEPARTMENT", "LOCATION", "CLASS", "PROJECT", "ITEM", "VENDOR", "CUSTOMER", "EMPLOYEE")


class Describing:
    """Describes the books' types."""

    def __init__(self, books: Books, *, denied: frozenset[str]) -> None:
        self._books = books
        self._denied = denied

    def functions(self) -> dict[str, Callable[[etree._Element, Session, datetime], Answer]]:
        return {
            "lookup": self._lookup,
            "inspect": self._inspect,
            "getDimensions": self._dimensions,
            "getUserPermissions": self._permissions,
        }

    def _lookup(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        parts = children(element, ("object", "docparid"))
        type = self._books.types.get(text(parts["object"]).upper()) if "object" in parts else None
        if type is None:
            raise FunctionRefused(NO_OBJECT, "Object definition not found")
        check_definition(parts, type, self._books)
        data = etree.Element("data", listtype="All", count="1")
        kind = text(parts["docparid"]) if "docparid" in parts else ""
        described = etree.SubElement(data, "Type", Name=type.name, DocumentType=kind)
        fields = etree.SubElement(described, "Fields")
        for field in type.fields.values():
            _add_description(fields, field)
        _add_relationships(etree.SubElement(described, "Relationships"), type)
        return Answer(data=data, facts={"object": type.name})

    def _inspect(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        parts = children(element, ("object", "name"))
        name = text(next(iter(parts.values()))) if parts else ""
        if name == "*":
            data = etree.Element("data", listtype="All", count=str(len(self._books.types)))
            for each in self._books.types:
                add(data, "type", each).set("typename", each)
            return Answer(data=data, facts={"object": "*"})
        type = self._books.types.get(name.upper())
        if type is None:
            raise failed(f"There is no object {name}")
        data = etree.Element("data", listtype="All", count="1")
        fields = etree.SubElement(etree.SubElement(data, "Type", Name=type.name), "Fields")
        for field in type.fields.values():
            _add_inspected(fields, field, detailed=element.get("detail") == "1")
        return Answer(data=data, facts={"object": type.name})

    def _dimensions(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        children(element, ())
        data = etree.Element("data")
        dimensions = etree.SubElement(data, "dimensions")
        for name in _DIMENSIONS:
            each = etree.SubElement(dimensions, "dimension")
            for part, value in (
                ("objectName", name),
                ("objectLabel", name.title()),
                ("termLabel", name.title()),
                ("userDefinedDimension", "false"),
                ("enabledInGL", "true"),
            ):
                add(each, part, value)
        return Answer(data=data)

    def _permissions(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        user = text(children(element, ("userId",)).get("userId", element))
        if user != session.user:
            raise FunctionRefused(BUSINESS, f"There is no user {user}")
        data = etree.Element("data")
        permissions = etree.SubElement(etree.SubElement(data, "permissions"), "appSubscription")
        add(permissions, "applicationName", "Accounts Payable")
        policies = etree.SubElement(permissions, "policies")
        for name in self._books.types:
            policy = etree.SubElement(policies, "policy")
            add(policy, "policyName", name)
            add(policy, "rights", "" if name in self._denied else "List|View")
        return Answer(data=data)


SHAPES: dict[str, Callable[[etree._Element], object]] = {
    "getAPISession": lambda element: children(element, ("locationid",)),
    "lookup": lambda element: children(element, ("object", "docparid")),
    "inspect": lambda element: children(element, ("object", "name")),
    "getDimensions": lambda element: children(element, ()),
    "getUserPermissions": lambda element: children(element, ("userId",)),
}
"""What the schema lets through, by function."""


def _add_description(fields: etree._Element, field: Field) -> None:
    each = etree.SubElement(fields, "Field")
    for name, value in (
        ("ID", field.id),
        ("LABEL", field.label),
        ("DESCRIPTION", field.label),
        ("REQUIRED", show(field.required)),
        ("READONLY", show(field.read_only)),
        ("DATATYPE", field.datatype),
    ):
        add(each, name, value)
    if field.labels:
        values = etree.SubElement(each, "VALIDVALUES")
        for label in field.labels:
            add(values, "VALIDVALUE", label)
    add(each, "ISCUSTOM", show(field.custom))


def _add_relationships(relations: etree._Element, type: ObjectType) -> None:
    for relation in type.relations:
        each = etree.SubElement(relations, "Relationship")
        for name, value in (
            ("OBJECTPATH", relation.path),
            ("OBJECTNAME", relation.object),
            ("LABEL", relation.path.title()),
            ("RELATIONSHIPTYPE", "MANY2ONE"),
            ("RELATEDBY", relation.by),
        ):
            add(each, name, value)


def _add_inspected(fields: etree._Element, field: Field, *, detailed: bool) -> None:
    if not detailed:
        add(fields, "Field", field.id)
        return
    each = etree.SubElement(fields, "Field")
    for name, value in (
        ("Name", field.id),
        ("GroupName", ""),
        ("dataName", field.datatype),
        ("externalDataName", field.datatype.lower()),
        ("isRequired", show(field.required)),
        ("isReadOnly", show(field.read_only)),
        ("maxLength", "0"),
        ("DisplayLabel", field.label),
        ("Description", field.label),
        ("id", ""),
    ):
        add(each, name, value)
