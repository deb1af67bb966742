"""The `query` function: reads its element strictly and answers a page.

The children of ``query`` come in any order (real clients do it both ways), each at most once. Values are display values.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from lxml import etree

from stages.intacct.simulator.books import Books
from stages.intacct.simulator.elements import children, elements, flag, number, text
from stages.intacct.simulator.errors import (
    BUSINESS,
    DATA,
    IDENTITY,
    NO_FIELD,
    NO_OBJECT,
    FunctionRefused,
    schema_violation,
)
from stages.intacct.simulator.filters import OPERATORS, Comparison, Group, Node, Operator, Predicate, compiled, spans
from stages.intacct.simulator.model import Getter, Kind, ObjectType, parse, show
from stages.intacct.simulator.rows import Row

DEFAULT_PAGE = 100
LARGEST_PAGE = 2000
_PARTS = ("object", "select", "filter", "orderby", "options", "pagesize", "offset", "docparid")
_OPTIONS = ("caseinsensitive", "showprivate", "returnformat")
_AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "count": len,
    "sum": lambda values: sum(values, Decimal(0)),
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "avg": lambda values: Decimal(sum(values)) / len(values) if values else None,
}


class Column(msgspec.Struct, frozen=True):
    """What one selected or compared name means: where its value comes from."""

    name: str  # the canonical dotted name, which is the reply's element
    kind: Kind
    get: Getter
    own: bool
    aggregate: str = ""

    @property
    def element(self) -> str:
        # Documented replies show COUNT.RECORDNO for a count, and the bare name for a sum.
        return self.name if self.aggregate in {"", "sum"} else f"{self.aggregate.upper()}.{self.name}"


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A `query` that makes sense for these books."""

    type: ObjectType
    columns: tuple[Column, ...]
    node: Node | None
    order: tuple[tuple[Column, bool], ...]  # with True for descending
    size: int
    offset: int
    private: bool
    fold: bool


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: ``cells`` are wire texts in the order of ``names``."""

    names: list[str]
    cells: list[list[str]]
    total: int
    offset: int

    @property
    def remaining(self) -> int:
        return max(0, self.total - self.offset - len(self.cells))


# Reading the request


def read_query(element: etree._Element, books: Books) -> Query:
    """The query an element asks for. Raises `FunctionRefused`."""
    parts = children(element, _PARTS)
    for name in ("object", "select"):
        if name not in parts:
            raise schema_violation(f"Element 'query': missing child element '{name}'")
    type = books.types.get(text(parts["object"]).upper())
    if type is None:
        raise FunctionRefused(NO_OBJECT, f"Object definition {text(parts['object'])} not found")
    check_definition(parts, type, books)
    options = children(parts["options"], _OPTIONS) if "options" in parts else {}
    if "returnformat" in options and text(options["returnformat"]).lower() != "xml":
        raise schema_violation("this gateway answers in returnformat xml only")
    return Query(
        type=type,
        columns=_selected(parts["select"], type, books),
        node=_filter(parts["filter"], type, books) if "filter" in parts else None,
        order=_order(parts["orderby"], type, books) if "orderby" in parts else (),
        size=number(parts.get("pagesize"), DEFAULT_PAGE, 1, LARGEST_PAGE),
        offset=number(parts.get("offset"), 0, 0, 1 << 31),
        private=flag(options.get("showprivate")),
        fold=flag(options.get("caseinsensitive")),
    )


def check_definition(parts: dict[str, etree._Element], type: ObjectType, books: Books) -> None:
    """Raises `FunctionRefused` when ``docparid`` names no kind of purchasing document; of other objects it says nothing.

    How the gateway words that is not published.
    """
    name = text(parts["docparid"]) if "docparid" in parts else ""
    if name and type.name == "PODOCUMENT" and not books.is_defined(name):
        raise FunctionRefused(DATA, f"There is no transaction definition {name} in Purchasing")


def column(name: str, type: ObjectType, books: Books) -> Column:
    """What a name, plain or dotted, means on an object. Raises `FunctionRefused` when it means nothing."""
    wanted = name.upper()
    own = type.fields.get(wanted)
    if own is not None and f"{type.name}.{wanted}" in books.unqueryable:
        raise FunctionRefused(IDENTITY, f"The following fields cannot be queried: {wanted}")
    if own is not None:
        return Column(own.id, own.kind, own.take, True)
    if any(owned.name == wanted for owned in type.owned):
        raise FunctionRefused(IDENTITY, f"The following fields cannot be queried: {wanted}")
    path, _, rest = wanted.partition(".")
    relation = type.relation(path)
    if relation is None or not rest:
        raise FunctionRefused(NO_FIELD, f"Field {name} does not exist in object {type.name}")
    if relation.object == type.name and rest.startswith(f"{path}."):
        raise FunctionRefused(
            NO_FIELD, f"Field {name} does not exist in object {type.name}"
        )  # a hierarchy is crossed once
    end = column(rest, books.types[relation.object], books)
    return Column(f"{path}.{end.name}", end.kind, _through(relation.follow, end.get), False)


def _through(follow: Getter, get: Getter) -> Getter:
    def take(row: Row) -> Any:
        end = follow(row)
        return None if end is None else get(end)

    return take


def _selected(select: etree._Element, type: ObjectType, books: Books) -> tuple[Column, ...]:
    found = []
    for child in elements(select):
        if child.tag != "field" and child.tag not in _AGGREGATES:
            raise schema_violation(f"Element 'select': child element '{child.tag}' is not expected")
        plain = column(text(child), type, books)
        if child.tag in {"sum", "avg"} and plain.kind not in {"INTEGER", "DECIMAL", "CURRENCY"}:
            raise FunctionRefused(IDENTITY, f"{child.tag} needs a number, {plain.name} is {plain.kind}")
        found.append(plain if child.tag == "field" else msgspec.structs.replace(plain, aggregate=str(child.tag)))
    if not found:
        raise schema_violation("Element 'select': at least one field is needed")
    return tuple(found)


def _filter(element: etree._Element, type: ObjectType, books: Books) -> Node:
    operators = elements(element)
    if len(operators) != 1:
        raise schema_violation(f"Element 'filter': exactly one operator is needed, found {len(operators)}")
    return _condition(operators[0], type, books)


def _condition(element: etree._Element, type: ObjectType, books: Books) -> Node:
    if element.tag in {"and", "or"}:
        members = elements(element)
        if len(members) < 2:
            raise schema_violation(f"Element '{element.tag}': at least two conditions are needed")
        return Group("and" if element.tag == "and" else "or", tuple(_condition(each, type, books) for each in members))
    if element.tag not in OPERATORS:
        raise schema_violation(f"Element 'filter': operator '{element.tag}' is not known")
    return _test(element, element.tag, type, books)


def _test(element: etree._Element, operator: Operator, type: ObjectType, books: Books) -> Comparison:
    fields = [child for child in elements(element) if child.tag == "field"]
    values = [child for child in elements(element) if child.tag == "value"]
    if len(fields) != 1 or len(fields) + len(values) != len(elements(element)):
        raise schema_violation(f"Element '{operator}': one field and its values are needed, nothing else")
    _check_count(operator, len(values))
    target = column(text(fields[0]), type, books)
    if f"{type.name}.{target.name}" in books.unfilterable:
        raise FunctionRefused(IDENTITY, f"The following fields cannot be queried: {target.name}")
    kind: Kind = "TEXT" if operator in {"like", "notlike"} else target.kind
    try:
        wanted = tuple(parse(kind, value.text or "") for value in values)
    except ValueError as error:
        raise FunctionRefused(IDENTITY, f"Invalid value for {target.name}: {error}") from None
    get = _shown(target.get) if kind != target.kind else target.get
    return Comparison(target.name if target.own else "", kind, get, operator, wanted)


def _shown(get: Getter) -> Getter:
    """`like` compares what a reply would show."""
    return lambda row: None if (value := get(row)) is None else show(value)


def _check_count(operator: Operator, count: int) -> None:
    least, most = {"isnull": (0, 0), "isnotnull": (0, 0), "between": (2, 2), "in": (1, None), "notin": (1, None)}.get(
        operator, (1, 1)
    )
    if count < least or (most is not None and count > most):
        raise schema_violation(f"Element '{operator}': {count} values given")


def _order(element: etree._Element, type: ObjectType, books: Books) -> tuple[tuple[Column, bool], ...]:
    found = []
    for order in elements(element):
        if order.tag != "order":
            raise schema_violation(f"Element 'orderby': child element '{order.tag}' is not expected")
        parts = children(order, ("field", "ascending", "descending"))
        if "field" not in parts or len(parts) > 2:
            raise schema_violation("Element 'order': one field and at most one direction are needed")
        found.append((column(text(parts["field"]), type, books), "descending" in parts))
    if not found:
        raise schema_violation("Element 'orderby': at least one order is needed")
    return tuple(found)


# Answering it


def visible(location: str, private: bool) -> Predicate:
    """Who sees what: everyone the company's own records, an entity also its own, the top level all of them if it asks."""
    if location:
        return lambda row: row.entity in {"", location}
    return (lambda _: True) if private else (lambda row: not row.entity)


def run(query: Query, books: Books, location: str, rng: random.Random) -> Page:
    """A page of what the books hold now. Without an order that is unique, ties come in an order drawn from ``rng``."""
    rows = _matching(query, books, location)
    if any(each.aggregate for each in query.columns):
        return _grouped(query, rows, rng)
    rows = arranged(rows, query.order, rng)
    page = rows[query.offset : query.offset + query.size]
    check_readable(page, query.type, books)
    gets = [each.get for each in query.columns]
    # Most values are texts already; not calling `show` for them is a third of a page's time.
    cells = [[value if type(value := get(row)) is str else show(value) for get in gets] for row in page]
    return Page(names=[each.element for each in query.columns], cells=cells, total=len(rows), offset=query.offset)


def check_readable(rows: list[Row], type: ObjectType, books: Books) -> None:
    """Raises `FunctionRefused` when one of the rows is spoilt: the gateway gives up the whole page."""
    if books.unreadable and any((type.name, row.record) in books.unreadable for row in rows):
        raise FunctionRefused(BUSINESS, "There was an error processing the request.")


def _matching(query: Query, books: Books, location: str) -> list[Row]:
    sees = visible(location, query.private)
    table = books.tables[query.type.name]
    if query.node is None:
        return [row for row in table.rows.values() if sees(row)]
    holds = compiled(query.node, fold=query.fold)
    return [row for row in table.narrowed(spans(query.node, fold=query.fold)) if holds(row) and sees(row)]


def arranged(rows: list[Row], order: tuple[tuple[Column, bool], ...], rng: random.Random) -> list[Row]:
    """The rows in order. Nulls come last going up and first going down."""
    if not any(each.own and each.name in {"RECORDNO", "ID"} for each, _ in order):
        rows = rows[:]
        rng.shuffle(rows)
    for each, descending in reversed(order):
        rows = sorted(rows, key=_nulls_last(each.get), reverse=descending)
    return rows


def _nulls_last(get: Getter) -> Callable[[Row], tuple[bool, Any]]:
    def key(row: Row) -> tuple[bool, Any]:
        value = get(row)
        return (True, 0) if value is None else (False, value)

    return key


def _grouped(query: Query, rows: list[Row], rng: random.Random) -> Page:
    """One record per group, in the order asked for by what the groups go by, else in any."""
    plain = [each for each in query.columns if not each.aggregate]
    groups: dict[tuple[Any, ...], list[Row]] = {} if plain else {(): rows}
    if plain:
        for row in rows:
            groups.setdefault(tuple(each.get(row) for each in plain), []).append(row)
    by_first = {id(members[0]): members for members in groups.values() if members}
    first = arranged([members[0] for members in groups.values() if members], query.order, rng)
    ordered = [by_first[id(row)] for row in first] if plain else [rows]
    cells = [_group_cells(query.columns, members) for members in ordered]
    page = cells[query.offset : query.offset + query.size]
    return Page(names=[each.element for each in query.columns], cells=page, total=len(cells), offset=query.offset)


def _group_cells(columns: tuple[Column, ...], members: list[Row]) -> list[str]:
    return [show(_aggregate(each, members) if each.aggregate else each.get(members[0])) for each in columns]


def _aggregate(column: Column, members: list[Row]) -> Any:
    values = [value for row in members if (value := column.get(row)) is not None]
    return _AGGREGATES[column.aggregate](values)
