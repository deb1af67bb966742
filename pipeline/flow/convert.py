"""Data from a file to typed settings, with every problem at once. Pure: it knows paths, not files or positions.

Structs, lists, mappings and unions are walked here, one problem per mistake; a single value is converted by msgspec, whose
own error would be the first only and in programmer's words. Types of ours that a text converts to: `Secret`, `Duration`,
`Expression`, `Path`. Unknown keys are always problems, whether or not the struct forbids them.
"""

from __future__ import annotations

import collections.abc
import difflib
import enum
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

import msgspec

from pipeline.flow.duration import Duration
from pipeline.flow.expression import Expression, ExpressionError
from pipeline.secrets import Secret

T = TypeVar("T")

_FROM_TEXT: dict[type, Any] = {Secret: Secret, Duration: Duration.parse, Expression: Expression, Path: Path}
_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Collection, collections.abc.Iterable)
_MAPPINGS = (dict, collections.abc.Mapping)
_WORDS: dict[Any, str] = {
    str: "a text",
    Secret: "a text",
    Path: "a path",
    Expression: "an expression",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    bool: "true or false",
    Duration: "a duration such as 30s, 5m or 2d",
    date: "a date such as 2026-01-31",
    datetime: "a time such as 2026-01-31T06:00:00Z",
    type(None): "nothing",
    None: "nothing",
}
_MSGSPEC_WORDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "array": "a list",
    "object": "a mapping",
}


_DELIMITERS = re.compile(r"[/:@?&=#,;\s]+")
_TELLING = 6  # a shorter part of a value is also a word that any message may hold


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that does not fit. ``key`` means the key of ``path`` is meant, ``offset`` a character inside its text."""

    kind: Literal["unknown", "missing", "value"] = "value"
    path: str
    message: str
    suggestion: str = ""
    key: bool = False
    offset: int = 0


def convert(
    data: Any, type_: type[T], path: str = "$", *, hidden: Mapping[str, str] | None = None
) -> tuple[T | None, list[Problem]]:
    """``data`` as ``type_``, or None and all problems, in the order of the data.

    ``hidden`` maps the path of each value that came out of a reference to the reference's own text. Such a value is never
    shown, and, being text whatever it means, converts to numbers and booleans too.
    """
    walk = _Walk(hidden or {})
    value = walk.value(data, type_, path, ())
    return (None if walk.problems else cast(T, value)), walk.problems


def secret_paths(data: Any, type_: Any, path: str = "$") -> list[str]:
    """The paths of all texts in ``data`` that ``type_`` takes as secrets."""
    walk = _Walk({})
    walk.value(data, type_, path, ())
    return walk.secrets


def near(word: object, known: Iterable[str]) -> str:
    """The known word that ``word`` was probably meant to be, or ""."""
    matches = difflib.get_close_matches(str(word), list(known), 1, 0.6)
    return matches[0] if matches else ""


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """``did you mean `x`?`` or ""."""
    match = near(word, known)
    return f"did you mean `{match}`?" if match else ""


def show(value: Any) -> str:
    """A value of a file in words, cut short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {_cut(value)!r}"
    return "a mapping" if isinstance(value, Mapping) else "a list"


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def describe(type_: Any) -> str:
    """A type in words."""
    origin, args = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return describe(args[0])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(describe(arg) for arg in args))
    if origin is Literal:
        return "one of " + ", ".join(str(arg) for arg in args)
    if isinstance(type_, type) and issubclass(type_, enum.Enum):
        return "one of " + ", ".join(str(member.value) for member in type_)
    if type_ in _WORDS:
        return _WORDS[type_]
    kind = origin or type_
    return "a list" if kind in _LISTS else "a mapping" if kind in _MAPPINGS or _is_struct(kind) else "a value"


def texts(data: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text in ``data`` with its path, in order."""
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from texts(value, f"{path}.{key}")
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from texts(value, f"{path}[{index}]")


def _reveals(message: str, reference: str, text: str) -> bool:
    """Whether a message holds a text that came out of a reference, or a part of it long enough to tell anything."""
    literal = re.split(r"\$\{[^}]*\}", reference)
    match = re.fullmatch("(.*)".join(map(re.escape, literal)), text, re.DOTALL)
    values = [value.strip() for value in (text, *(match.groups() if match else ()))]
    parts = [part for part in _DELIMITERS.split(text) if len(part) >= _TELLING]
    return any(_says(message, value) or (len(value) >= _TELLING and _holds(message, value)) for value in values + parts)


def _says(message: str, word: str) -> bool:
    return word != "" and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", message, re.IGNORECASE) is not None


def _holds(message: str, value: str) -> bool:
    return any(form.casefold() in message.casefold() for form in (value, repr(value)[1:-1]))


def _is_struct(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)


class _Walk:
    """One conversion: the problems so far, and where secrets stand. Each method returns the converted value or None."""

    def __init__(self, hidden: Mapping[str, str]) -> None:
        self.hidden = hidden
        self.problems: list[Problem] = []
        self.secrets: list[str] = []

    def value(self, data: Any, type_: Any, path: str, parents: tuple[Any, ...]) -> Any:
        origin, args = get_origin(type_), get_args(type_)
        if origin is Annotated:
            return self._annotated(data, type_, path, parents)
        if origin in (Union, types.UnionType):
            return self._union(data, type_, path, parents)
        kind = origin or type_
        if _is_struct(kind) and not kind.__struct_config__.array_like:
            return self._struct(data, kind, path, parents)
        if kind in _LISTS and (len(args) < 2 or args[1] is Ellipsis):
            return self._list(data, kind, args[0] if args else Any, path, parents)
        if kind in _MAPPINGS:
            return self._mapping(data, args or (str, Any), path, parents)
        return self._leaf(data, type_, path)

    def _annotated(self, data: Any, type_: Any, path: str, parents: tuple[Any, ...]) -> Any:
        inner, *notes = get_args(type_)
        kind = get_origin(inner) or inner
        if kind not in (*_LISTS, *_MAPPINGS) and not _is_struct(kind) and kind not in (Union, types.UnionType):
            return self._leaf(data, type_, path)
        before = len(self.problems)
        converted = self.value(data, inner, path, parents)
        limits = tuple(note for note in notes if isinstance(note, msgspec.Meta))
        if limits and len(self.problems) == before and isinstance(data, list | dict):
            self._leaf(data, Annotated[(type(data), *limits)], path)
        elif limits and len(self.problems) == before and data is not None:
            self._leaf(data, type_, path)
        return converted

    def _union(self, data: Any, type_: Any, path: str, parents: tuple[Any, ...]) -> Any:
        members = [arg for arg in get_args(type_) if arg is not type(None)]
        if data is None and len(members) < len(get_args(type_)):
            return None
        structs = [arg for arg in members if _is_struct(get_origin(arg) or arg)]
        if isinstance(data, Mapping) and len(structs) > 1:
            return self._tagged(data, structs, path, parents)
        if len(members) == 1:
            return self.value(data, members[0], path, parents)
        shape = structs if isinstance(data, Mapping) and structs else [m for m in members if self._shaped(data, m)]
        if len(shape) == 1:
            return self.value(data, shape[0], path, parents)
        texts = [member for member in members if member in _FROM_TEXT] if isinstance(data, str) else []
        return self.value(data, texts[0], path, parents) if texts else self._leaf(data, type_, path)

    @staticmethod
    def _shaped(data: Any, member: Any) -> bool:
        kind = get_origin(member) or member
        return (isinstance(data, list) and kind in _LISTS) or (isinstance(data, Mapping) and kind in _MAPPINGS)

    def _tagged(self, data: Mapping[str, Any], structs: list[Any], path: str, parents: tuple[Any, ...]) -> Any:
        field = structs[0].__struct_config__.tag_field or "type"
        by_tag = {str(struct.__struct_config__.tag): struct for struct in structs}
        if field not in data:
            message = f"the key `{field}` is missing; it is one of {', '.join(by_tag)}"
            return self._fail(Problem(kind="missing", path=path, message=message))
        given = data[field]
        if not isinstance(given, str) or given not in by_tag:
            message = f"expected one of {', '.join(by_tag)}, got {show(given)}"
            return self._fail(Problem(path=f"{path}.{field}", message=message, suggestion=did_you_mean(given, by_tag)))
        return self._struct(data, by_tag[given], path, parents)

    def _struct(self, data: Any, type_: Any, path: str, parents: tuple[Any, ...]) -> Any:
        if not isinstance(data, Mapping):
            keys = ", ".join(field.encode_name for field in msgspec.structs.fields(type_))
            return self._fail(Problem(path=path, message=f"expected a mapping with the keys {keys}, got {show(data)}"))
        fields = {field.encode_name: field for field in msgspec.structs.fields(type_)}
        tag = type_.__struct_config__.tag_field
        before = len(self.problems)
        meant = self._unknown_keys(data, [*fields, *([tag] if tag else [])], type_, path, parents)
        values = {}
        for key, item in data.items():
            if key in fields:
                values[fields[key].name] = self.value(item, fields[key].type, f"{path}.{key}", (*parents, type_))
        for key, field in fields.items():
            if field.required and key not in data and key not in meant:
                self._fail(Problem(kind="missing", path=path, message=f"the key `{key}` is missing"))
        return self._build(type_, values, data, path) if len(self.problems) == before else None

    def _build(self, type_: Any, values: dict[str, Any], data: Mapping[str, Any], path: str) -> Any:
        try:
            return type_(**values)
        except (ValueError, TypeError) as error:  # a rule across fields, from the struct's __post_init__
            return self._fail(Problem(path=path, message=self._rule_text(str(error), data, path)))

    def _rule_text(self, rule: str, data: Mapping[str, Any], path: str) -> str:
        """The rule's own text and the references of the settings it names; without the text when it holds any of a hidden value."""
        below = {place: (self.hidden[place], text) for place, text in texts(data, path) if place in self.hidden}
        named = {key: below[f"{path}.{key}"][0] for key in data if f"{path}.{key}" in below and _says(rule, str(key))}
        if any(_reveals(rule, reference, text) for reference, text in below.values()):
            references = sorted(set(named.values() or (reference for reference, _ in below.values())))
            of = " and ".join(f"`{key}`" for key in named) or "these settings"
            return f"what {' and '.join(references)} gives breaks a rule of {of}"
        where = ", ".join(f"`{key}` is {reference}" for key, reference in named.items())
        return f"{rule} ({where})" if where else rule

    def _unknown_keys(
        self, data: Mapping[str, Any], known: list[str], type_: Any, path: str, parents: tuple[Any, ...]
    ) -> set[str]:
        """Reports them; returns the known keys they were probably meant to be."""
        meant = set()
        for key in data:
            if key in known:
                continue
            match = near(key, [name for name in known if name not in data])
            meant.add(match)
            hint = f"did you mean `{match}`?" if match else _elsewhere(key, type_, parents)
            hint = hint or (f"known here: {', '.join(known)}" if known else "no keys are known here")
            self._fail(
                Problem(kind="unknown", path=f"{path}.{key}", key=True, message=f"unknown key `{key}`", suggestion=hint)
            )
        return meant

    def _list(self, data: Any, kind: Any, item: Any, path: str, parents: tuple[Any, ...]) -> Any:
        if not isinstance(data, list):
            hint = "put it in [ ]" if isinstance(data, str | int | Decimal) and not isinstance(data, bool) else ""
            return self._fail(Problem(path=path, message=f"expected a list, got {show(data)}", suggestion=hint))
        values = [self.value(each, item, f"{path}[{index}]", parents) for index, each in enumerate(data)]
        if kind in (set, frozenset, tuple):
            return kind(values)
        return values

    def _mapping(self, data: Any, types_: tuple[Any, ...], path: str, parents: tuple[Any, ...]) -> Any:
        if not isinstance(data, Mapping):
            return self._fail(Problem(path=path, message=f"expected a mapping, got {show(data)}"))
        values = {}
        for key, item in data.items():
            name = key if types_[0] in (str, Any) else self._leaf(key, types_[0], f"{path}.{key}", key=True)
            values[name] = self.value(item, types_[1], f"{path}.{key}", parents)
        return values

    def _leaf(self, data: Any, type_: Any, path: str, *, key: bool = False) -> Any:
        plain = get_args(type_)[0] if get_origin(type_) is Annotated else type_
        if plain in _FROM_TEXT:
            return self._from_text(data, plain, path)
        if isinstance(data, Decimal) and plain is float:
            data = float(data)
        native = (Decimal,) if isinstance(data, Decimal) else ()  # a text or a whole number still converts to one
        try:
            return msgspec.convert(data, type_, strict=not (key or path in self.hidden), builtin_types=native)
        except msgspec.ValidationError as error:
            return self._fail(self._mismatch(data, type_, plain, path, str(error), key))

    def _from_text(self, data: Any, type_: type, path: str) -> Any:
        if not isinstance(data, str):
            return self._fail(self._mismatch(data, type_, type_, path, "Expected `str`, got", False))
        if type_ is Secret:
            self.secrets.append(path)
        try:
            return _FROM_TEXT[type_](data)
        except ExpressionError as error:
            message = self._hidden_message(type_, path)
            offset = 0 if message else error.column - 1
            return self._fail(Problem(path=path, message=message or error.message, offset=offset))
        except ValueError as error:
            message = self._hidden_message(type_, path) or str(error)
            return self._fail(Problem(path=path, message=message))

    def _mismatch(self, data: Any, type_: Any, plain: Any, path: str, error: str, key: bool) -> Problem:
        message = self._hidden_message(type_, path)
        if message:
            return Problem(path=path, message=message)
        error, _, below = error.partition(" - at `$")
        constraint = re.fullmatch(r"Expected `(\w+)` ((?!\|).+)", error)
        if constraint and not error.startswith("Expected `str`, got"):
            message = f"expected {_MSGSPEC_WORDS.get(constraint[1], constraint[1])} {constraint[2]}, got {show(data)}"
        else:
            message = f"expected {describe(type_)}, got {show(data)}"
        choices = _choices(plain) if isinstance(data, str) else []
        hint = did_you_mean(data, choices) if choices else _quote_it(data, plain)
        return Problem(path=path + below.rstrip("`"), message=message, suggestion=hint, key=key)

    def _hidden_message(self, type_: Any, path: str) -> str:
        reference = self.hidden.get(path)
        return f"expected {describe(type_)}, but {reference} gives something else" if reference else ""

    def _fail(self, problem: Problem) -> None:
        self.problems.append(problem)


def _choices(type_: Any) -> list[str]:
    if get_origin(type_) is Literal:
        return [str(arg) for arg in get_args(type_)]
    if isinstance(type_, type) and issubclass(type_, enum.Enum):
        return [str(member.value) for member in type_]
    return []


def _quote_it(data: Any, type_: Any) -> str:
    """The hint for a value that YAML reads as a number or a boolean where a text is wanted."""
    members = get_args(type_) if get_origin(type_) in (Union, types.UnionType) else (type_,)
    wants_text = str in members or any(member in _FROM_TEXT for member in members) or bool(_choices(type_))
    if not wants_text or Duration in members or data is None or not isinstance(data, int | Decimal):
        return ""
    return f'quote it: "{str(data).lower()}"'


def _elsewhere(key: str, type_: Any, parents: tuple[Any, ...]) -> str:
    """Where a key that is unknown here is known: the mistake is then the indentation."""
    for levels, parent in enumerate(reversed(parents), 1):
        if key in _names(parent):
            return f"it belongs {levels} level{'s' if levels > 1 else ''} up"
    for field in msgspec.structs.fields(type_):
        for child in _structs_in(field.type):
            if key in _names(child):
                return f"it belongs under `{field.encode_name}`"
    return ""


def _names(type_: Any) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(type_)]


def _structs_in(type_: Any) -> list[Any]:
    """The structs a value of this type may be: itself, or the members of a union."""
    if _is_struct(type_):
        return [type_]
    if typing.get_origin(type_) in (Union, types.UnionType, Annotated):
        return [struct for arg in get_args(type_) for struct in _structs_in(arg)]
    return []
