"""The functions a request may call, by name, and those that read records: query, readByQuery, readMore, read, readByName.

No envelope, no sessions' rules.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from lxml import etree

from stages.intacct.simulator.answer import Answer
from stages.intacct.simulator.attachments import SHAPES as ATTACHING_SHAPES
from stages.intacct.simulator.attachments import Attaching
from stages.intacct.simulator.books import Books
from stages.intacct.simulator.describing import SHAPES as DESCRIBING_SHAPES
from stages.intacct.simulator.describing import Describing
from stages.intacct.simulator.elements import children, number, text
from stages.intacct.simulator.envelope import add, records
from stages.intacct.simulator.errors import DATA, NO_OBJECT, SCHEMA, FunctionRefused, RequestRefused, schema_violation
from stages.intacct.simulator.filters import compiled, spans
from stages.intacct.simulator.listing import SHAPES as LISTING_SHAPES
from stages.intacct.simulator.listing import Listing
from stages.intacct.simulator.model import Field, ObjectType, show
from stages.intacct.simulator.query import (
    DEFAULT_PAGE,
    arranged,
    check_definition,
    check_readable,
    read_query,
    run,
    visible,
)
from stages.intacct.simulator.rows import Row
from stages.intacct.simulator.sessions import Session
from stages.intacct.simulator.statement import failed, read_statement
from stages.intacct.simulator.writing import SHAPES as WRITING_SHAPES
from stages.intacct.simulator.writing import Writing

_LARGEST_LEGACY_PAGE = 1000
_MOST_KEYS = 100
_LEGACY = frozenset({"getAPISession", "get"})  # besides those with an underscore in their name


class ResultSet(msgspec.Struct, kw_only=True):
    """What is left of a `readByQuery`, for `readMore`: bound to its session, gone after a while."""

    session: str
    type: ObjectType
    fields: tuple[Field, ...]
    rows: list[Row]
    at: int
    size: int
    opened: datetime


class Functions:
    """Runs functions on the books. ``denied`` are the objects the user has no rights to; ``missing`` says what `read` does about a key it cannot see: omit it, or fail."""

    def __init__(
        self, books: Books, rng: random.Random, *, keep: timedelta, missing: str, denied: frozenset[str]
    ) -> None:
        self._books = books
        self._rng = rng
        self._keep = keep
        self._missing = missing
        self._sets: dict[str, ResultSet] = {}
        self._by_name: dict[str, Callable[[etree._Element, Session, datetime], Answer]] = {
            "query": self._query,
            "readByQuery": self._read_by_query,
            "readMore": self._read_more,
            "read": self._read,
            "readByName": self._read_by_name,
            **Describing(books, denied=denied).functions(),
            **Listing(books, rng).functions(),
            **Writing(books).functions(),
            **Attaching(books.attachments).functions(),
        }
        self._shapes: dict[str, Callable[[etree._Element], object]] = {
            "query": lambda element: read_query(element, books),
            "readByQuery": _by_query_parts,
            "readMore": _set_parts,
            "read": _keys_parts,
            "readByName": _keys_parts,
            **DESCRIBING_SHAPES,
            **LISTING_SHAPES,
            **WRITING_SHAPES,
            **ATTACHING_SHAPES,
        }

    def check(self, name: str, element: etree._Element, *, legacy: bool = False) -> None:
        """Raises `RequestRefused` for what the schema would not let through: then the whole request is refused, before a sign-in.

        ``legacy`` is the older version, which has no generic functions.
        """
        shape = self._shapes.get(name)
        if shape is None or (legacy and name not in _LEGACY and "_" not in name):
            raise RequestRefused(SCHEMA, f"Element 'function': '{name}' is not a function of this gateway")
        try:
            shape(element)
        except FunctionRefused as refused:
            if refused.error.errorno == SCHEMA:
                raise RequestRefused(SCHEMA, refused.error.description2) from None

    def call(self, name: str, element: etree._Element, session: Session, now: datetime) -> Answer:
        """The answer of a function that was checked. Raises `FunctionRefused`."""
        return self._by_name[name](element, session, now)

    # query

    def _query(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        query = read_query(element, self._books)
        page = run(query, self._books, session.location, self._rng)
        data = records(query.type.name, page.names, page.cells)
        for name, value in (
            ("listtype", query.type.name),
            ("totalcount", page.total),
            ("offset", page.offset),
            ("count", len(page.cells)),
            ("numremaining", page.remaining),
        ):
            data.set(name, str(value))
        return Answer(data=data, facts=_facts(query.type, len(page.cells), page.total, offset=page.offset))

    # readByQuery and readMore

    def _read_by_query(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        parts, size = _by_query_parts(element)
        type = self._legacy_type(text(parts["object"]))
        _check_definition(parts, type, self._books)
        node = read_statement(parts["query"].text or "", type)
        rows = list(self._books.tables[type.name].narrowed(spans(node) if node else {}))
        holds, sees = (compiled(node) if node else None), visible(session.location, False)
        found = ResultSet(
            session=session.id,
            type=type,
            fields=_chosen(parts.get("fields"), type),
            rows=arranged([row for row in rows if sees(row) and (holds is None or holds(row))], (), self._rng),
            at=0,
            size=size,
            opened=now,
        )
        key = f"{self._rng.getrandbits(96):024x}"
        self._sets = {each: kept for each, kept in self._sets.items() if now < kept.opened + self._keep}
        self._sets[key] = found
        return self._legacy_page(key, found)

    def _legacy_type(self, name: str) -> ObjectType:
        type = self._books.types.get(name.upper())
        if type is None:
            raise failed(f"There is no object {name}")
        return type

    def _read_more(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        parts = _set_parts(element)
        key = text(parts["resultId"]) if "resultId" in parts else self._latest(text(parts["object"]), session)
        found = self._sets.get(key)
        if found is None or found.session != session.id or now >= found.opened + self._keep:
            raise failed(f"There is no result set {key} in this session")
        return self._legacy_page(key, found)

    def _latest(self, object: str, session: Session) -> str:
        keys = [
            key
            for key, found in self._sets.items()
            if found.session == session.id and found.type.name == object.upper()
        ]
        return keys[-1] if keys else ""

    def _legacy_page(self, key: str, found: ResultSet) -> Answer:
        rows = found.rows[found.at : found.at + found.size]
        check_readable(rows, found.type, self._books)
        found.at += len(rows)
        remaining = len(found.rows) - found.at
        if not remaining:
            del self._sets[key]
        cells = [[show(field.take(row)) for field in found.fields] for row in rows]
        data = records(found.type.name.lower(), [field.id for field in found.fields], cells)
        for name, value in (
            ("listtype", found.type.name.lower()),
            ("count", len(rows)),
            ("totalcount", len(found.rows)),
            ("numremaining", remaining),
            ("resultId", key if remaining else ""),
        ):
            data.set(name, str(value))
        return Answer(data=data, facts=_facts(found.type, len(rows), len(found.rows)))

    # read

    def _read(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        return self._read_keys(element, session, "RECORDNO")

    def _read_by_name(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        return self._read_keys(element, session, "")

    def _read_keys(self, element: etree._Element, session: Session, field: str) -> Answer:
        parts, keys = _keys_parts(element)
        type = self._legacy_type(text(parts["object"]))
        check_definition(parts, type, self._books)
        fields = _chosen(parts.get("fields"), type)
        rows = self._rows(type, keys, field or type.name_field, session)
        data = etree.Element("data", listtype=type.name, count=str(len(rows)))
        wanted = text(parts["fields"]) if "fields" in parts else "*"
        for row in rows:
            self._add_record(data, row, type, fields, {name.strip().upper() for name in wanted.split(",")})
        return Answer(data=data, facts=_facts(type, len(rows), len(rows)))

    def _rows(self, type: ObjectType, keys: list[str], name: str, session: Session) -> list[Row]:
        """The rows of the keys, in the keys' order."""
        # A key names its record; showprivate is an option of lists only, so the same rows are visible as without it.
        sees, field = visible(session.location, False), type.fields.get(name)
        if field is None:
            raise FunctionRefused(NO_OBJECT, f"{type.name} has no {name}")
        rows = {show(field.take(row)): row for row in self._candidates(type, field, keys) if sees(row)}
        missing = [key for key in keys if key not in rows]
        if missing and self._missing == "fail":
            raise FunctionRefused(DATA, f"Object {type.name} with key {missing[0]} not found")
        return [rows[key] for key in dict.fromkeys(keys) if key in rows]

    def _candidates(self, type: ObjectType, field: Field, keys: list[str]) -> list[Row]:
        table = self._books.tables[type.name]
        if field.kind == "INTEGER":
            numbers = [int(key) for key in keys if key.isdecimal() and len(key) < 19]
            return [table.rows[key] for key in numbers if key in table.rows]
        return table.narrowed({field.id: [(key, key) for key in dict.fromkeys(keys)]})

    def _add_record(
        self, data: etree._Element, row: Row, type: ObjectType, fields: tuple[Field, ...], wanted: set[str]
    ) -> None:
        record = etree.SubElement(data, type.name)
        for field in fields:
            _add_nested(record, field.id.split("."), show(field.take(row)))
        for owned in type.owned:
            if "*" in wanted or owned.name in wanted:
                collection = etree.SubElement(record, owned.name)
                for line in owned.rows(row):
                    inner = etree.SubElement(collection, owned.element)
                    for field in self._books.types[owned.object].fields.values():
                        add(inner, field.id, show(field.take(line)))


def _by_query_parts(element: etree._Element) -> tuple[dict[str, etree._Element], int]:
    """The parts of a `readByQuery`, and the size of its pages."""
    parts = children(element, ("object", "fields", "query", "pagesize", "returnFormat", "docparid"))
    if "object" not in parts or "query" not in parts:
        raise schema_violation("Element 'readByQuery': object and query are needed")
    _check_format(parts)
    return parts, number(parts.get("pagesize"), DEFAULT_PAGE, 1, _LARGEST_LEGACY_PAGE)


def _check_definition(parts: dict[str, etree._Element], type: ObjectType, books: Books) -> None:
    """A `readByQuery` fails with a number of its own."""
    try:
        check_definition(parts, type, books)
    except FunctionRefused as refused:
        raise failed(refused.error.description2) from None


def _set_parts(element: etree._Element) -> dict[str, etree._Element]:
    parts = children(element, ("resultId", "object"))
    if len(parts) != 1:
        raise schema_violation("Element 'readMore': resultId or object is needed")
    return parts


def _keys_parts(element: etree._Element) -> tuple[dict[str, etree._Element], list[str]]:
    """The parts of a `read` or `readByName`, and the keys."""
    parts = children(element, ("object", "keys", "fields", "returnFormat", "docparid"))
    if "object" not in parts or "keys" not in parts:
        raise schema_violation(f"Element '{element.tag}': object and keys are needed")
    _check_format(parts)
    keys = [key.strip() for key in text(parts["keys"]).split(",") if key.strip()]
    if not 1 <= len(keys) <= _MOST_KEYS:
        raise schema_violation(f"Element 'keys': 1 to {_MOST_KEYS} keys, found {len(keys)}")
    return parts, keys


def _check_format(parts: dict[str, etree._Element]) -> None:
    if "returnFormat" in parts and text(parts["returnFormat"]).lower() not in {"", "xml"}:
        raise schema_violation("this gateway answers in returnFormat xml only")


def _facts(type: ObjectType, count: int, total: int, **more: Any) -> dict[str, Any]:
    return {"object": type.name, "count": count, "total": total, **more}


def _chosen(fields: etree._Element | None, type: ObjectType) -> tuple[Field, ...]:
    """The fields a comma-separated list names; all of them for ``*``, for an empty list and for none."""
    names = [name.strip().upper() for name in (text(fields) if fields is not None else "").split(",") if name.strip()]
    if not names or names == ["*"]:
        return tuple(type.fields.values())
    collections = {owned.name for owned in type.owned}
    unknown = [name for name in names if name not in type.fields and name not in collections]
    if unknown:
        raise FunctionRefused(f"Invalid fields list {', '.join(unknown)}", f"{type.name} has no {', '.join(unknown)}")
    return tuple(type.fields[name] for name in names if name in type.fields)


def _add_nested(record: etree._Element, path: list[str], value: str) -> None:
    """`read` nests what `query` shows as dotted names."""
    for name in path[:-1]:
        last = record[-1] if len(record) else None
        record = last if last is not None and last.tag == name else etree.SubElement(record, name)
    add(record, path[-1], value)
