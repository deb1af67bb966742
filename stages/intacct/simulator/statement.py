"""The query text of `readByQuery`: a small SQL-like language over stored codes, parsed to the conditions of `filters`.

Texts stand in single quotes, an inner quote behind a backslash. Only the object's own fields; no joins.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from stages.intacct.simulator.errors import FunctionRefused
from stages.intacct.simulator.filters import Comparison, Group, Node, Operator, opposite
from stages.intacct.simulator.model import Field, Getter, Kind, ObjectType, parse, show

FAILED = "Query Failed"
_DEEPEST = 50
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:\\.|[^'\\])*')|(?P<sign><=|>=|[<>=(),])|(?P<word>[A-Za-z_][\w.]*)|(?P<number>-?[0-9][0-9.]*))"
)
_SIGNS: dict[str, Operator] = {
    "=": "equalto",
    "<": "lessthan",
    ">": "greaterthan",
    "<=": "lessthanorequalto",
    ">=": "greaterthanorequalto",
}


def failed(text: str) -> FunctionRefused:
    return FunctionRefused(FAILED, text)


def read_statement(statement: str, type: ObjectType) -> Node | None:
    """The condition a query text states; None for the empty text. Raises `FunctionRefused` with errno ``Query Failed``."""
    if not statement.strip():
        return None
    reader = _Reader(_tokens(statement), type)
    node = reader.either(0)
    if reader.token:
        raise failed(f"unexpected {reader.token}")
    return node


def coded(field: Field) -> tuple[Kind, Getter]:
    """How this language sees a field: enumerations and booleans by their stored codes."""
    if field.kind == "BOOLEAN":
        return "TEXT", _translated(field.take, {True: "T", False: "F"}.get)
    if field.kind == "ENUM":
        return "TEXT", _translated(field.take, dict(field.codes).get)
    return field.kind, field.take


def _translated(take: Getter, code: Callable[[Any], Any]) -> Getter:
    return lambda row: None if (value := take(row)) is None else code(value)


def _tokens(statement: str) -> list[str]:
    tokens, position, text = [], 0, statement.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise failed(f"cannot be read at: {text[position : position + 20]}")
        tokens.append(match[0].strip())
        position = match.end()
    return tokens


class _Reader:
    """Recursive descent: either := both (or both)*, both := one (and one)*, one := not one | ( either ) | comparison."""

    def __init__(self, tokens: list[str], type: ObjectType) -> None:
        self._tokens = tokens
        self._at = 0
        self._type = type

    @property
    def token(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1] if self._at <= len(self._tokens) else ""

    def _word(self, word: str) -> bool:
        found = self.token.lower() == word
        self._at += found
        return found

    def _expect(self, word: str) -> None:
        if not self._word(word):
            raise failed(f"{word} expected, found {self.token or 'the end'}")

    def either(self, depth: int) -> Node:
        members = [self._both(depth)]
        while self._word("or"):
            members.append(self._both(depth))
        return members[0] if len(members) == 1 else Group("or", tuple(members))

    def _both(self, depth: int) -> Node:
        members = [self._one(depth)]
        while self._word("and"):
            members.append(self._one(depth))
        return members[0] if len(members) == 1 else Group("and", tuple(members))

    def _one(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise failed("nested too deeply")
        if self._word("not"):
            return opposite(self._one(depth + 1))
        if self._word("("):
            node = self.either(depth + 1)
            self._expect(")")
            return node
        return self._comparison()

    def _comparison(self) -> Node:
        name = self._take()
        field = self._type.fields.get(name.upper())
        if field is None or "." in name:
            raise failed(f"{name or 'nothing'} is not a field of {self._type.name}")
        if self._word("is"):
            negated = self._word("not")
            self._expect("null")
            return self._test(field, "isnotnull" if negated else "isnull", [])
        negated = self._word("not")
        if self._word("like"):
            return self._test(field, "notlike" if negated else "like", [self._literal()])
        if self._word("in"):
            return self._test(field, "notin" if negated else "in", self._list())
        sign = self._take()
        if negated or sign not in _SIGNS:
            raise failed(f"an operator is expected after {name}, found {sign or 'the end'}")
        return self._test(field, _SIGNS[sign], [self._literal()])

    def _list(self) -> list[str]:
        self._expect("(")
        values = [self._literal()]
        while self._word(","):
            values.append(self._literal())
        self._expect(")")
        return values

    def _literal(self) -> str:
        token = self._take()
        if token.startswith("'"):
            return re.sub(r"\\(.)", r"\1", token[1:-1])
        if not re.fullmatch(r"-?[0-9][0-9.]*", token):
            raise failed(f"a value is expected, found {token or 'the end'}")
        return token

    def _test(self, field: Field, operator: Operator, literals: list[str]) -> Node:
        kind, get = coded(field)
        if operator in {"like", "notlike"}:
            kind, get = "TEXT", _translated(get, show)
        try:
            values = tuple(parse(kind, literal) for literal in literals)
        except ValueError as error:
            raise failed(str(error)) from None
        own = field.id if get is field.take else ""
        return Comparison(own, kind, get, operator, values)
