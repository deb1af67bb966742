"""The expression language of flow and partner files: a small, exact, allow-listed part of Python's syntax.

    bill.STATE in ('Posted', 'Paid') and bill.TRX_TOTALENTERED >= 100.50
    bill.purchase is None or startswith(bill.purchase.number, 'PO-')

It has ``and or not``, comparisons (also ``in``, ``not in``, ``is None``), ``+ - * / %`` on numbers, ``a if b else c``, fields
(``bill.STATE``, ``bill['STATE']``), elements (``bill.lines[0]``), lists, texts, numbers, ``None True False`` and the functions in
`FUNCTIONS`. Numbers are whole or `Decimal`, and every result is exact, except that ``/`` keeps 34 digits; ``%`` has the sign of
its left side. Values of different kinds are never quietly unequal: comparing a text with a number is an error, so that a
condition that can never hold is seen. Only None compares (as unequal) with everything.

An expression is compiled once, to closures, and cannot reach a Python attribute, a name of its own making, or a loop.
"""

from __future__ import annotations

import ast
import difflib
import operator
import warnings
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import Any, NoReturn

import msgspec

from pipeline.errors import DataError, FlowError
from pipeline.flow import codes

MAX_LENGTH = 500
MAX_DEPTH = 60

Scope = Mapping[str, object]
Evaluate = Callable[[Scope], Any]

_EXACT = Context(prec=1000, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])
_DIVIDE = Context(prec=34, traps=[InvalidOperation, DivisionByZero, Overflow])
_SCALE = Context(prec=1000, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])


class ExpressionError(FlowError):
    """The text is no expression of this language. ``column`` counts characters from 1."""

    def __init__(self, message: str, column: int = 1) -> None:
        super().__init__("an expression does not compile", why=message, code=codes.BAD_EXPRESSION)
        self.message = message
        self.column = column


class _Failed(Exception):
    """Evaluation stopped; `Expression.evaluate` turns it into a `DataError` that names the expression."""


class _NoSuchField(_Failed):
    """A name that no record of this type has."""


class Expression:
    """A compiled expression. Raises `ExpressionError` when the text is not one.

    ``names`` holds (root, first field) for every field used, (root, "") where a root is used as a whole.
    """

    __slots__ = ("_run", "names", "text")

    def __init__(self, text: str) -> None:
        compiler = _Compiler(text)
        self.text = text
        self._run = compiler.compile()
        self.names: frozenset[tuple[str, str]] = frozenset(compiler.names)

    def evaluate(self, scope: Scope) -> object:
        """Its value, with ``scope`` giving the roots: mappings, msgspec structs or plain values. It changes nothing.

        A struct shows the keys of its mapping ``source``, if it has one, before its own fields. Raises `DataError` when this
        record cannot be judged, and `FlowError` when a field does not exist in any record of its type: a name is misspelt.
        """
        try:
            return self._run(scope)
        except _NoSuchField as failed:
            raise self._misnamed(str(failed)) from None
        except _Failed as failed:
            raise self._error(str(failed)) from None
        except (ArithmeticError, ValueError):
            raise self._error("a number in it cannot be computed exactly") from None

    def holds(self, scope: Scope) -> bool:
        """Whether its value is True; None counts as False, and any other value is a `DataError`: a comparison was forgotten."""
        value = self.evaluate(scope)
        if value is True or value is False:
            return value
        if value is None:
            return False
        raise self._error(f"it gives {_kind(value)}, not true or false")

    def _misnamed(self, why: str) -> FlowError:
        return FlowError(
            "An expression names a field that does not exist",
            where=f"expression {self.text}",
            why=why,
            mend="correct the name; nothing was lost, what was read is read again",
            code=codes.NO_SUCH_FIELD,
        )

    def _error(self, why: str) -> DataError:
        return DataError(
            "an expression cannot be evaluated for this record",
            where=f"expression {self.text}",
            why=why,
            mend="correct the expression, or the record it cannot be evaluated for",
            owner="EDI desk",
            code=codes.EXPRESSION_FAILED,
        )

    def __reduce__(self) -> tuple[type[Expression], tuple[str]]:
        return Expression, (self.text,)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


# --- values: what they are, and how their parts are read -------------------------------------------------------------

_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    Decimal: "a number",
    str: "a text",
    date: "a date",
    datetime: "a time",
    list: "a list",
    tuple: "a list",
    frozenset: "a list",
    set: "a list",
    type(None): "nothing",
}
_ORDERED = frozenset(("a number", "a text", "a date", "a time"))


def _kind(value: Any) -> str:
    known = _KINDS.get(type(value))
    if known is not None:
        return known
    for type_, words in _KINDS.items():
        if isinstance(value, type_):
            return words
    return "a record"


def _plain(value: Any) -> Any:
    """A value as the language knows it: a binary float becomes the decimal number it is written as."""
    return Decimal(repr(value)) if type(value) is float else value


def _field(value: Any, name: str, owner: str) -> Any:
    """The field ``name``, by the read-only view described in the module's docstring."""
    if isinstance(value, msgspec.Struct):
        fields = value.__struct_fields__
        source = getattr(value, "source", None) if "source" in fields else None
        if isinstance(source, Mapping) and name in source:
            return _plain(source[name])
        if name in fields:
            return _plain(getattr(value, name))
        raise _NoSuchField(_no_field(name, owner, [*(source if isinstance(source, Mapping) else ()), *fields]))
    if isinstance(value, Mapping):
        if name in value:
            return _plain(value[name])
        raise _Failed(_no_field(name, owner, [key for key in value if isinstance(key, str)]))
    if value is None:
        raise _Failed(f"{owner} is empty, so it has no field `{name}`; test `{owner} is not None` before")
    raise _Failed(f"{owner} is {_kind(value)}, which has no field `{name}`")


def _no_field(name: str, owner: str, known: list[str]) -> str:
    known = sorted(set(known))
    close = difflib.get_close_matches(name, known, 3, 0.6)
    close = close or [key for key in known if key.lower() == name.lower()]
    hint = f"; near names: {', '.join(close)}" if close else f"; it has {', '.join(known[:12]) or 'no fields'}"
    return f"{owner} has no field `{name}`{hint}"


def _element(value: Any, index: Any, owner: str) -> Any:
    if isinstance(index, str):
        return _field(value, index, owner)
    if value is None:
        raise _Failed(f"{owner} is empty, so it has no element {index}")
    if not isinstance(value, list | tuple | str) or type(index) is not int:
        raise _Failed(f"{_kind(index)} cannot select from {owner}, which is {_kind(value)}")
    try:
        return _plain(value[index])
    except IndexError:
        raise _Failed(f"{owner} has {len(value)} elements, so there is no element {index}") from None


def _number(value: Any, what: str) -> int | Decimal:
    if type(value) is int or type(value) is Decimal:
        return value
    raise _Failed(f"{what} needs numbers, and got {_kind(value)}")


def _text(value: Any, what: str) -> str:
    if isinstance(value, str):
        return value
    raise _Failed(f"{what} needs a text, and got {_kind(value)}")


# --- operators -------------------------------------------------------------------------------------------------------


def _calculate(symbol: str, left: Any, right: Any) -> int | Decimal:
    left, right = _number(left, f"`{symbol}`"), _number(right, f"`{symbol}`")
    if symbol in "/%" and right == 0:
        raise _Failed(f"`{symbol}` by zero")
    whole = type(left) is int and type(right) is int
    if symbol == "/":
        return _DIVIDE.divide(Decimal(left), Decimal(right))
    operation = {"+": _EXACT.add, "-": _EXACT.subtract, "*": _EXACT.multiply, "%": _EXACT.remainder}[symbol]
    result = operation(Decimal(left), Decimal(right))
    return int(result) if whole else result


def _same_kind(symbol: str, left: Any, right: Any) -> None:
    if _kind(left) != _kind(right):
        raise _Failed(f"`{symbol}` compares {_kind(left)} with {_kind(right)}")


def _equal(symbol: str, left: Any, right: Any) -> bool:
    if type(left) is not type(right) and left is not None and right is not None:
        _same_kind(symbol, left, right)
        if isinstance(left, list | tuple):
            return list(left) == list(right)
    return bool(left == right)


def _in(container: Any, item: Any) -> bool:
    if isinstance(container, str):
        return item is not None and _text(item, "`in` a text") in container
    if isinstance(container, Mapping):
        return isinstance(item, str) and item in container
    if not isinstance(container, list | tuple):
        raise _Failed(f"`in` needs a list or a text on its right, and got {_kind(container)}")
    return any(_equal("in", _plain(each), item) for each in container)


_ORDER: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], bool]]] = {
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}


def _comparison(op: ast.cmpop) -> Callable[[Any, Any], bool] | None:
    """How ``op`` compares two values of any kinds; None when the language has no such operator."""
    if type(op) in _ORDER:
        return _ordering(*_ORDER[type(op)])
    known: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
        ast.Eq: lambda left, right: _equal("==", left, right),
        ast.NotEq: lambda left, right: not _equal("!=", left, right),
        ast.In: lambda left, right: _in(right, left),
        ast.NotIn: lambda left, right: not _in(right, left),
        ast.Is: lambda left, right: left is right,
        ast.IsNot: lambda left, right: left is not right,
    }
    return known.get(type(op))


def _ordering(symbol: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(left: Any, right: Any) -> bool:
        if left is None or right is None:
            raise _Failed(f"`{symbol}` cannot compare with an empty value; test `is not None` before")
        kind = _kind(left)
        if type(left) is not type(right):
            _same_kind(symbol, left, right)
        if kind not in _ORDERED:
            raise _Failed(f"`{symbol}` cannot order {kind}")
        try:
            return compare(left, right)
        except TypeError:  # two times, of which one has no zone
            raise _Failed(f"`{symbol}` compares a time without a zone with one that has a zone") from None

    return ordered


# --- functions -------------------------------------------------------------------------------------------------------


def _len(value: Any) -> int:
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    raise _Failed(f"`len` needs a text or a list, and got {_kind(value)}")


def _round(value: Any, places: Any = 0) -> Decimal:
    if type(places) is not int or not 0 <= places <= 20:
        raise _Failed("`round` takes 0 to 20 places")
    return Decimal(_number(value, "`round`")).quantize(Decimal(1).scaleb(-places), context=_SCALE)


def _abs(value: Any) -> int | Decimal:
    number = _number(value, "`abs`")
    return number.copy_abs() if isinstance(number, Decimal) else abs(number)


def _date(value: Any) -> date:
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(_text(value, "`date`"))
    except ValueError:
        raise _Failed(f"{value!r} is not a date such as 2026-01-31") from None


def _coalesce(*values: Any) -> Any:
    """The first value that is not None. The compiler evaluates the arguments one by one, only as far as needed."""
    return next((value for value in values if value is not None), None)


FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "len": (_len, 1, 1),
    "lower": (lambda text: _text(text, "`lower`").lower(), 1, 1),
    "upper": (lambda text: _text(text, "`upper`").upper(), 1, 1),
    "startswith": (lambda text, start: _text(text, "`startswith`").startswith(_text(start, "`startswith`")), 2, 2),
    "endswith": (lambda text, end: _text(text, "`endswith`").endswith(_text(end, "`endswith`")), 2, 2),
    "abs": (_abs, 1, 1),
    "round": (_round, 1, 2),
    "date": (_date, 1, 1),
    "coalesce": (_coalesce, 1, 20),
}
"""Each function with the least and the most arguments it takes. ``round`` rounds half up, away from zero."""


# --- the compiler ----------------------------------------------------------------------------------------------------


class _Compiler:
    """From text to one closure. Each ``_Node`` method returns the closure of its node."""

    def __init__(self, text: str) -> None:
        self.text = "".join(" " if char in "\n\r\t" else char for char in text)
        self.names: set[tuple[str, str]] = set()
        self._depth = 0
        self._indent = 0

    def compile(self) -> Evaluate:
        if len(self.text) > MAX_LENGTH:
            raise ExpressionError(
                f"an expression has at most {MAX_LENGTH} characters; this has {len(self.text)}", MAX_LENGTH
            )
        if not self.text.strip():
            raise ExpressionError("the expression is empty")
        return self._node(self._parse().body)

    def _parse(self) -> ast.Expression:
        indent = len(self.text) - len(self.text.lstrip())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(self.text[indent:], mode="eval")
        except SyntaxError as error:
            column = min(indent + (error.offset or len(self.text) + 1), len(self.text) + 1)
            raise ExpressionError(f"this is not an expression: {error.msg}", column) from None
        except (ValueError, RecursionError, MemoryError, OverflowError) as error:
            raise ExpressionError(f"this is not an expression: {error}") from None
        self.text = self.text[indent:]
        self._indent = indent
        return tree

    def _refuse(self, node: ast.AST, message: str) -> NoReturn:
        raise ExpressionError(message, self._column(node))

    def _column(self, node: ast.AST) -> int:
        start: int = getattr(node, "col_offset", 0)  # in bytes
        return self._indent + len(self.text.encode()[:start].decode(errors="ignore")) + 1

    def _source(self, node: ast.AST) -> str:
        return ast.get_source_segment(self.text, node) or "it"

    def _node(self, node: ast.expr) -> Evaluate:
        compile_: Callable[[Any], Evaluate] | None = getattr(self, f"_{type(node).__name__}", None)
        if compile_ is None:
            self._refuse(
                node, f"{_NAMES.get(type(node).__name__, type(node).__name__)} cannot be used in an expression"
            )
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(node, f"nested deeper than {MAX_DEPTH} levels")
        evaluate = compile_(node)
        self._depth -= 1
        return evaluate

    def _Constant(self, node: ast.Constant) -> Evaluate:  # noqa: N802  named after the node
        value: Any = node.value
        if isinstance(value, float):
            value = self._decimal(node)
        if not isinstance(value, str | int | Decimal | None):
            self._refuse(node, f"the value {self._source(node)} cannot be used in an expression")
        return lambda scope: value

    def _decimal(self, node: ast.Constant) -> Decimal:
        try:
            return _EXACT.create_decimal(self._source(node))
        except ArithmeticError:
            self._refuse(node, f"the number {self._source(node)} is too large")

    def _Name(self, node: ast.Name) -> Evaluate:  # noqa: N802
        self._public(node, node.id)
        self.names.add((node.id, ""))
        return self._root(node.id)

    @staticmethod
    def _root(name: str) -> Evaluate:
        def read(scope: Scope) -> Any:
            try:
                return _plain(scope[name])
            except KeyError:
                known = ", ".join(f"`{key}`" for key in sorted(scope)) or "no names"
                raise _Failed(f"there is no `{name}` here; known here: {known}") from None

        return read

    def _public(self, node: ast.expr, name: str) -> None:
        if name.startswith("_"):
            self._refuse(node, f"the name `{name}` starts with `_`")

    def _owner(self, node: ast.expr, first: str) -> Evaluate:
        """The value whose field or element is read; notes the first field of a root."""
        if isinstance(node, ast.Name):
            self._public(node, node.id)
            self.names.add((node.id, first))
            return self._root(node.id)
        return self._node(node)

    def _Attribute(self, node: ast.Attribute) -> Evaluate:  # noqa: N802
        name, owner = node.attr, self._source(node.value)
        self._public(node, name)
        inner = self._owner(node.value, name)
        return lambda scope: _field(inner(scope), name, owner)

    def _Subscript(self, node: ast.Subscript) -> Evaluate:  # noqa: N802
        owner, index = self._source(node.value), node.slice
        constant = index.value if isinstance(index, ast.Constant) and isinstance(index.value, str) else ""
        self._public(index, constant)
        inner, select = self._owner(node.value, constant), self._node(index)
        return lambda scope: _element(inner(scope), select(scope), owner)

    def _Tuple(self, node: ast.Tuple | ast.List) -> Evaluate:  # noqa: N802
        items = tuple(self._node(item) for item in node.elts)
        if all(isinstance(item, ast.Constant) for item in node.elts):
            values = tuple(item({}) for item in items)
            return lambda scope: values
        return lambda scope: tuple([item(scope) for item in items])

    _List = _Tuple

    def _BoolOp(self, node: ast.BoolOp) -> Evaluate:  # noqa: N802
        parts = tuple(self._node(value) for value in node.values)
        stop_at = isinstance(node.op, ast.Or)

        def combine(scope: Scope) -> Any:
            value: Any = None
            for part in parts:
                value = part(scope)
                if bool(value) is stop_at:
                    break
            return value

        return combine

    def _UnaryOp(self, node: ast.UnaryOp) -> Evaluate:  # noqa: N802
        if isinstance(node.op, ast.Invert):
            self._refuse(node, "`~` cannot be used in an expression")
        inner = self._node(node.operand)
        if isinstance(node.op, ast.Not):
            return lambda scope: not inner(scope)
        if isinstance(node.op, ast.USub):
            return lambda scope: _calculate("-", 0, inner(scope))
        return lambda scope: _number(inner(scope), "`+`")

    def _BinOp(self, node: ast.BinOp) -> Evaluate:  # noqa: N802
        symbol = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}.get(type(node.op))
        if symbol is None:
            self._refuse(node, "only + - * / % can be used with numbers")
        left, right = self._node(node.left), self._node(node.right)
        return lambda scope: _calculate(symbol, left(scope), right(scope))

    def _Compare(self, node: ast.Compare) -> Evaluate:  # noqa: N802
        for op, side in zip(node.ops, node.comparators, strict=True):
            none = isinstance(side, ast.Constant) and side.value is None
            if isinstance(op, ast.Is | ast.IsNot) and not none:
                self._refuse(side, "`is` compares with None only; use `==`")
        first = self._node(node.left)
        if len(node.ops) == 1:
            return self._one_comparison(first, node.ops[0], node.comparators[0])
        rest = [(_comparison(op), self._node(side)) for op, side in zip(node.ops, node.comparators, strict=True)]
        return _chain(first, rest)

    def _one_comparison(self, left: Evaluate, op: ast.cmpop, side: ast.expr) -> Evaluate:
        compare, right = _comparison(op), self._node(side)
        assert compare is not None
        texts = _texts(side)
        if not texts or not isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn):
            return lambda scope: compare(left(scope), right(scope))
        holds = isinstance(op, ast.Eq | ast.In)
        many = isinstance(op, ast.In | ast.NotIn)
        if many and not isinstance(side, ast.Tuple | ast.List):
            return lambda scope: compare(left(scope), right(scope))

        def against_texts(scope: Scope) -> bool:
            """The commonest condition of all, a text against constant texts, without asking for kinds."""
            value = left(scope)
            if type(value) is str:
                return (value in texts) is holds
            return compare(value, right(scope))

        return against_texts

    def _IfExp(self, node: ast.IfExp) -> Evaluate:  # noqa: N802
        test, body, otherwise = self._node(node.test), self._node(node.body), self._node(node.orelse)
        return lambda scope: body(scope) if test(scope) else otherwise(scope)

    def _Call(self, node: ast.Call) -> Evaluate:  # noqa: N802
        name, arguments = self._function(node), [self._node(argument) for argument in node.args]
        function, least, most = FUNCTIONS[name]
        if not least <= len(arguments) <= most or node.keywords:
            takes = str(least) if least == most else f"{least} to {most}"
            self._refuse(node, f"`{name}` takes {takes} argument{'' if takes == '1' else 's'}, without names")
        if name == "coalesce":
            return _first_value(arguments)
        if name == "date" and isinstance(node.args[0], ast.Constant):
            return self._constant_date(node, arguments[0])
        return lambda scope: function(*[argument(scope) for argument in arguments])

    def _function(self, node: ast.Call) -> str:
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr in FUNCTIONS:
            self._refuse(called, f"write {called.attr}({self._source(called.value)}, ...) instead of a method")
        if not isinstance(called, ast.Name) or called.id not in FUNCTIONS:
            self._refuse(called, f"{self._source(called)} is no function here; there are {', '.join(FUNCTIONS)}")
        return called.id

    def _constant_date(self, node: ast.Call, argument: Evaluate) -> Evaluate:
        try:
            value = _date(argument({}))
        except _Failed as failed:
            self._refuse(node.args[0], str(failed))
        return lambda scope: value


def _chain(first: Evaluate, rest: list[tuple[Any, Evaluate]]) -> Evaluate:
    """``a < b < c``: each side is evaluated once, and no further than the first comparison that does not hold."""

    def chained(scope: Scope) -> bool:
        left = first(scope)
        for compare, side in rest:
            right = side(scope)
            if not compare(left, right):
                return False
            left = right
        return True

    return chained


def _first_value(arguments: list[Evaluate]) -> Evaluate:
    def first(scope: Scope) -> Any:
        for argument in arguments:
            value = argument(scope)
            if value is not None:
                return value
        return None

    return first


def _texts(node: ast.expr) -> frozenset[str]:
    """The constant texts of a node, when it is made of nothing else."""
    nodes = node.elts if isinstance(node, ast.Tuple | ast.List) else [node]
    values = [each.value for each in nodes if isinstance(each, ast.Constant)]
    texts = frozenset(value for value in values if isinstance(value, str))
    return texts if len(values) == len(nodes) and all(isinstance(value, str) for value in values) else frozenset()


_NAMES = {
    "Lambda": "a lambda",
    "ListComp": "a comprehension",
    "SetComp": "a comprehension",
    "DictComp": "a comprehension",
    "GeneratorExp": "a comprehension",
    "JoinedStr": "an f-string",
    "Dict": "a mapping",
    "Set": "a set",
    "NamedExpr": "`:=`",
    "Starred": "`*`",
    "Await": "`await`",
    "Yield": "`yield`",
    "YieldFrom": "`yield`",
    "Slice": "a slice",
}
