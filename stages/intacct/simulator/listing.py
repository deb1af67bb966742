"""The legacy `get_list` and `get`: lists of lower-case records, with a filter of expressions, and one record by the key people know.

A date comes in parts here (year, month, day), a time as everywhere.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any

import msgspec
from lxml import etree

from stages.intacct.simulator.answer import Answer, Listed
from stages.intacct.simulator.attachments import Document, Folder
from stages.intacct.simulator.books import Books
from stages.intacct.simulator.elements import children, elements, text
from stages.intacct.simulator.envelope import add
from stages.intacct.simulator.errors import BUSINESS, FunctionRefused, schema_violation
from stages.intacct.simulator.filters import Comparison, Group, Node, Operator, compiled
from stages.intacct.simulator.legacy import in_order
from stages.intacct.simulator.model import Field, Getter, Kind, parse, show
from stages.intacct.simulator.query import visible
from stages.intacct.simulator.sessions import Session

_OPERATORS: dict[str, Operator] = {
    "=": "equalto",
    "!=": "notequalto",
    "<": "lessthan",
    "<=": "lessthanorequalto",
    ">": "greaterthan",
    ">=": "greaterthanorequalto",
    "like": "like",
    "is null": "isnull",
}
_PARTS = ("filter", "sorts", "fields")
_CONTACT = (
    "contactname=CONTACTNAME printas=PRINTAS companyname=COMPANYNAME firstname=FIRSTNAME lastname=LASTNAME phone1=PHONE1 "
    "email1=EMAIL1 mailaddress/address1=MAILADDRESS.ADDRESS1 mailaddress/address2=MAILADDRESS.ADDRESS2 mailaddress/city=MAILADDRESS.CITY "
    "mailaddress/state=MAILADDRESS.STATE mailaddress/zip=MAILADDRESS.ZIP mailaddress/country=MAILADDRESS.COUNTRY"
)


class Lists(msgspec.Struct, frozen=True):
    """What a legacy object is: its table, the field it is got by, and its elements (``name/name`` is nested) with their fields."""

    object: str
    key: str
    fields: tuple[tuple[str, str], ...]
    lines: tuple[str, str, tuple[tuple[str, str], ...]] | None = None  # the collection, its elements, and theirs


def _pairs(words: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, field) for name, _, field in (word.partition("=") for word in words.split()))


def _within(path: str, prefix: str) -> str:
    """A contact's elements below a path, with its fields below a prefix."""
    return " ".join(f"{path}/{name}={prefix}{field}" for name, field in _pairs(_CONTACT))


_DIMENSION = "parentid=PARENTID whenmodified=WHENMODIFIED status=STATUS"
LISTS: dict[str, Lists] = {
    "vendor": Lists(
        "VENDOR",
        "VENDORID",
        _pairs(
            "recordno=RECORDNO vendorid=VENDORID name=NAME parentid=PARENTID termname=TERMNAME vendoraccountno=VENDORACCOUNTNO "
            "taxid=TAXID creditlimit=CREDITLIMIT totaldue=TOTALDUE vendtype=VENDTYPE currency=CURRENCY onhold=ONHOLD "
            "donotcutcheck=DONOTCUTCHECK comments=COMMENTS status=STATUS whenmodified=WHENMODIFIED "
            f"{_within('contactinfo/contact', 'DISPLAYCONTACT.')} {_within('payto/contact', 'PAYTO.')}"
        ),
    ),
    "contact": Lists(
        "CONTACT",
        "CONTACTNAME",
        _pairs(f"recordno=RECORDNO {_CONTACT} status=STATUS whenmodified=WHENMODIFIED"),
    ),
    "bill": Lists(
        "APBILL",
        "RECORDNO",
        _pairs(
            "key=RECORDNO vendorid=VENDORID datecreated=WHENCREATED dateposted=WHENPOSTED datedue=WHENDUE datepaid=WHENPAID "
            "termname=TERMNAME billno=RECORDID ponumber=DOCNUMBER onhold=ONHOLD totalamount=TOTALENTERED totalpaid=TOTALPAID "
            "totaldue=TOTALDUE description=DESCRIPTION basecurr=BASECURR currency=CURRENCY trx_totalamount=TRX_TOTALENTERED "
            "trx_totalpaid=TRX_TOTALPAID trx_totaldue=TRX_TOTALDUE state=STATE supdocid=SUPDOCID whenmodified=WHENMODIFIED"
        ),
        (
            "billitems",
            "lineitem",
            _pairs(
                "line_num=LINE_NO glaccountno=ACCOUNTNO accountlabel=ACCOUNTLABEL amount=AMOUNT trx_amount=TRX_AMOUNT memo=ENTRYDESCRIPTION "
                "locationid=LOCATIONID departmentid=DEPARTMENTID itemid=ITEMID"
            ),
        ),
    ),
    "appayment": Lists(
        "APPYMT",
        "RECORDNO",
        _pairs(
            "key=RECORDNO vendorid=VENDORID paymentmethod=PAYMENTMETHOD checkno=DOCNUMBER paymentdate=PAYMENTDATE "
            "paymentamount=TOTALENTERED trx_paymentamount=TRX_TOTALENTERED currency=CURRENCY memo=DESCRIPTION state=STATE "
            "whenmodified=WHENMODIFIED"
        ),
    ),
    "potransaction": Lists(
        "PODOCUMENT",
        "DOCID",
        _pairs(
            "key=DOCID transactiontype=DOCPARID documentno=DOCNO datecreated=WHENCREATED createdfrom=CREATEDFROM vendorid=CUSTVENDID "
            "referenceno=PONUMBER vendordocno=VENDORDOCNO termname=TERM.NAME datedue=WHENDUE message=MESSAGE currency=CURRENCY "
            "total=TRX_TOTAL state=STATE whenmodified=WHENMODIFIED"
        ),
        (
            "potransitems",
            "potransitem",
            _pairs(
                "line_num=LINE_NO itemid=ITEMID itemaliasid=ITEMALIASID itemdesc=ITEMDESC quantity=UIQTY unit=UNIT price=UIPRICE "
                "locationid=LOCATIONID departmentid=DEPARTMENTID"
            ),
        ),
    ),
    "apterm": Lists("APTERM", "NAME", _pairs("name=NAME description=DESCRIPTION status=STATUS")),
    "glaccount": Lists(
        "GLACCOUNT",
        "ACCOUNTNO",
        _pairs(
            "recordno=RECORDNO glaccountno=ACCOUNTNO title=TITLE normalbalance=NORMALBALANCE accounttype=ACCOUNTTYPE "
            "closingtype=CLOSINGTYPE closingaccountno=CLOSINGACCOUNTNO whenmodified=WHENMODIFIED status=STATUS requiredept=REQUIREDEPT "
            "requireloc=REQUIRELOC taxable=TAXABLE taxcode=TAXCODE mrccode=MRCCODE alternativeaccount=ALTERNATIVEACCOUNT"
        ),
    ),
    "department": Lists("DEPARTMENT", "DEPARTMENTID", _pairs(f"departmentid=DEPARTMENTID title=TITLE {_DIMENSION}")),
    "location": Lists("LOCATION", "LOCATIONID", _pairs(f"locationid=LOCATIONID name=NAME {_DIMENSION}")),
    "class": Lists(
        "CLASS",
        "CLASSID",
        _pairs(
            "key=CLASSID name=NAME description=DESCRIPTION parentid=PARENTID whenmodified=WHENMODIFIED status=STATUS"
        ),
    ),
    "project": Lists("PROJECT", "PROJECTID", _pairs(f"key=PROJECTID name=NAME {_DIMENSION}")),
    "item": Lists(
        "ITEM",
        "ITEMID",
        _pairs("itemid=ITEMID itemname=NAME itemtype=ITEMTYPE whenmodified=WHENMODIFIED status=STATUS"),
    ),
    "customer": Lists(
        "CUSTOMER", "CUSTOMERID", _pairs(f"recordno=RECORDNO customerid=CUSTOMERID name=NAME {_DIMENSION}")
    ),
    "employee": Lists(
        "EMPLOYEE",
        "EMPLOYEEID",
        _pairs(
            "recordno=RECORDNO employeeid=EMPLOYEEID personalinfo/contact/contactname=PERSONALINFO.CONTACTNAME "
            "departmentid=DEPARTMENTID locationid=LOCATIONID whenmodified=WHENMODIFIED status=STATUS"
        ),
    ),
    "warehouse": Lists("WAREHOUSE", "LOCATIONID", _pairs("warehouseid=LOCATIONID name=NAME status=STATUS")),
    "locationentity": Lists(
        "LOCATIONENTITY", "LOCATIONID", _pairs("locationid=LOCATIONID name=NAME currency=CURRENCY status=STATUS")
    ),
}


class _Column(msgspec.Struct, frozen=True):
    """An element of a record: ``also`` are other names a filter may use for it."""

    name: str
    kind: Kind
    get: Getter
    also: tuple[str, ...] = ()


def _text(name: str, get: Getter, *also: str) -> _Column:
    return _Column(name, "TEXT", get, also)


_DOCUMENTS = (
    _Column("recordno", "INTEGER", lambda d: d.record),
    _text("supdocid", lambda d: d.id),
    _text("supdocname", lambda d: d.name),
    _text("folder", lambda d: d.folder, "supdocfoldername"),
    _text("description", lambda d: d.description or None, "supdocdescription"),
    _text("creationdate", lambda d: d.created.strftime("%m/%d/%Y")),
    _text("createdby", lambda d: d.user),
)
_FOLDERS = (
    _Column("recordno", "INTEGER", lambda f: f.record),
    _text("name", lambda f: f.name, "supdocfoldername"),
    _text("description", lambda f: f.description or None, "supdocfolderdescription"),
    _text("parentfolder", lambda f: f.parent or None, "supdocparentfoldername"),
)


class Listing:
    """Lists what the books hold. Records come in the order that is asked for, else in any."""

    def __init__(self, books: Books, rng: random.Random) -> None:
        self._books = books
        self._rng = rng

    def functions(self) -> dict[str, Callable[[etree._Element, Session, datetime], Answer]]:
        return {"get_list": self._list, "get": self._get}

    def _list(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        name, parts = element.get("object", ""), children(element, _PARTS)
        columns = self._columns(name)
        holds = _filter(parts["filter"], columns) if "filter" in parts else None
        private = _attribute(element, "showprivate", "false") == "true"
        rows = [row for row in self._rows(name, session, private) if holds is None or holds(row)]
        rows = self._sorted(rows, elements(parts["sorts"]) if "sorts" in parts else [], columns)
        start, most = _count(element, "start", 0), _count(element, "maxitems", len(rows))
        page = rows[start : start + most]
        data = etree.Element("data")
        wanted = _wanted(parts)
        for row in page:
            self._add(data, name, row, columns, wanted)
        listed = Listed(name=name, start=start, count=len(page), total=len(rows))
        return Answer(data=data, listed=listed, facts={"object": name, "count": len(page), "total": len(rows)})

    def _get(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        name, key = element.get("object", ""), element.get("key", "")
        columns = self._columns(name)
        by = {"supdoc": "supdocid", "supdocfolder": "name"}.get(name)
        if by is None:
            by = next(legacy for legacy, field in LISTS[name].fields if field == LISTS[name].key)
        take = next(column.get for column in columns if column.name == by)
        found = [row for row in self._rows(name, session, True) if show(take(row)) == key]
        if not found:
            raise FunctionRefused(BUSINESS, f"There is no {name} {key}")
        data = etree.Element("data")
        self._add(data, name, found[0], columns, _wanted(children(element, ("fields",))))
        return Answer(data=data, facts={"object": name, "count": 1, "total": 1})

    def _columns(self, name: str) -> tuple[_Column, ...]:
        if name == "supdoc":
            return _DOCUMENTS
        if name == "supdocfolder":
            return _FOLDERS
        known = LISTS[name]
        fields = self._books.types[known.object].fields
        return tuple(_column(legacy, fields[id]) for legacy, id in known.fields if id in fields)

    def _rows(self, name: str, session: Session, private: bool) -> Iterable[Any]:
        if name == "supdoc":
            return list(self._books.attachments.documents.values())
        if name == "supdocfolder":
            return list(self._books.attachments.folders.values())
        sees = visible(session.location, private)
        return [row for row in self._books.tables[LISTS[name].object].rows.values() if sees(row)]

    def _sorted(self, rows: list[Any], sorts: list[etree._Element], columns: tuple[_Column, ...]) -> list[Any]:
        if not sorts:
            self._rng.shuffle(rows)
        for each in reversed(sorts):
            get = _named(text(each), columns).get
            rows.sort(key=lambda row: (get(row) is None, get(row) or 0), reverse=each.get("order") == "desc")
        return rows

    def _add(
        self, data: etree._Element, name: str, row: Any, columns: tuple[_Column, ...], wanted: frozenset[str]
    ) -> None:
        record = etree.SubElement(data, name)
        for column in columns:
            if not wanted or column.name.partition("/")[0] in wanted:
                _add_value(record, column.name.split("/"), column.get(row))
        if isinstance(row, Document):
            _add_files(record, row, wanted)
        elif not isinstance(row, Folder) and LISTS[name].lines:
            self._add_lines(record, name, row, wanted)

    def _add_lines(self, record: etree._Element, name: str, row: Any, wanted: frozenset[str]) -> None:
        lines = LISTS[name].lines
        assert lines is not None
        collection, element, pairs = lines
        if wanted and collection not in wanted:
            return
        inside = etree.SubElement(record, collection)
        owned = self._books.types[LISTS[name].object].owned[0]
        fields = self._books.types[owned.object].fields
        for line in owned.rows(row):
            item = etree.SubElement(inside, element)
            for legacy, id in pairs:
                if id in fields:
                    _add_value(item, [legacy], fields[id].take(line))


def _column(name: str, field: Field) -> _Column:
    return _Column(name, field.kind, field.take, (name.rpartition("/")[2], field.id.lower()))


def _named(name: str, columns: tuple[_Column, ...]) -> _Column:
    lower = name.lower()
    found = next((column for column in columns if lower == column.name or lower in column.also), None)
    if found is None:
        raise FunctionRefused(BUSINESS, f"There is no field {name} in this list")
    return found


def _filter(element: etree._Element, columns: tuple[_Column, ...]) -> Callable[[Any], bool] | None:
    conditions = elements(element)
    if len(conditions) > 1:
        raise schema_violation("Element 'filter': one expression or one logical is expected")
    return compiled(_condition(conditions[0], columns)) if conditions else None


def _condition(element: etree._Element, columns: tuple[_Column, ...]) -> Node:
    if element.tag == "logical":
        join = element.get("logical_operator", "")
        members = tuple(_condition(each, columns) for each in elements(element))
        if join not in {"and", "or"} or not members:
            raise schema_violation("Element 'logical': logical_operator (and, or) and conditions are needed")
        return Group("and" if join == "and" else "or", members)
    return _expression(element, columns)


def _expression(element: etree._Element, columns: tuple[_Column, ...]) -> Comparison:
    parts = _expression_parts(element)
    column = _named(text(parts["field"]), columns)
    operator = _OPERATORS[text(parts["operator"]).lower()]
    kind: Kind = "TEXT" if operator == "like" else column.kind
    get = column.get if kind == column.kind else _shown(column.get)
    sent = text(parts["value"]) if "value" in parts else ""
    try:
        return Comparison("", kind, get, operator, () if operator == "isnull" else (parse(kind, sent),))
    except ValueError as error:
        raise FunctionRefused(BUSINESS, f"Invalid value for {column.name}: {error}") from None


def _expression_parts(element: etree._Element) -> Mapping[str, etree._Element]:
    if element.tag != "expression":
        raise schema_violation(f"Element 'filter': child element '{element.tag}' is not expected")
    parts = in_order(element, ("field", "operator", "value"))
    if "field" not in parts or text(parts.get("operator", element)).lower() not in _OPERATORS:
        raise schema_violation(f"Element 'expression': a field and one of {', '.join(_OPERATORS)} are needed")
    return parts


def _shown(get: Getter) -> Getter:
    return lambda row: None if (value := get(row)) is None else show(value)


def _wanted(parts: Mapping[str, etree._Element]) -> frozenset[str]:
    return frozenset(text(field) for field in elements(parts["fields"])) if "fields" in parts else frozenset()


def _attribute(element: etree._Element, name: str, default: str) -> str:
    return element.get(name) or default


def _count(element: etree._Element, name: str, default: int) -> int:
    value = _attribute(element, name, str(default))
    if not value.isdecimal():
        raise schema_violation(f"Element 'get_list', attribute '{name}': '{value}' is not a number")
    return int(value)


def _add_value(record: etree._Element, path: list[str], value: Any) -> None:
    for name in path[:-1]:
        last = record[-1] if len(record) else None
        record = last if last is not None and last.tag == name else etree.SubElement(record, name)
    if type(value) is date:
        parts = etree.SubElement(record, path[-1])
        for name, form in (("year", "%Y"), ("month", "%m"), ("day", "%d")):
            add(parts, name, value.strftime(form))
    else:
        add(record, path[-1], show(value))


def _add_files(record: etree._Element, document: Document, wanted: frozenset[str]) -> None:
    if wanted and "attachments" not in wanted:
        return
    files = etree.SubElement(record, "attachments")
    for file in document.files:
        each = etree.SubElement(files, "attachment")
        add(each, "attachmentname", file.name)
        add(each, "attachmenttype", file.kind)
        add(each, "attachmentdata", file.data)


def _listed(element: etree._Element) -> None:
    name = element.get("object", "")
    if name not in LISTS and name not in {"supdoc", "supdocfolder"}:
        raise schema_violation(f"Element '{element.tag}': '{name}' is not listed here")
    parts = children(element, _PARTS)
    for each in parts["filter"].iter("expression") if "filter" in parts else ():
        _expression_parts(each)
    _count(element, "start", 0)
    _count(element, "maxitems", 0)


SHAPES: dict[str, Callable[[etree._Element], object]] = {"get_list": _listed, "get": _listed}
"""What the schema lets through, by function."""
