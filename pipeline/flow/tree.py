"""A YAML file with the exact place of every value: read in bounded memory, typed by our own rules, converted by `convert`.

The form is YAML's JSON-shaped subset. A plain scalar is typed only when it is ``true``, ``false``, ``null`` (``~``, nothing), a
whole number without leading zeros, or such a number with decimals (a `Decimal`). Everything else is text: ``01``, ``12:30``,
``no``, ``2026-01-02``, ``1e3``, and numbers of more than 18 digits, which are identifiers. Keys are always text. Tags, merge
keys (``<<``) and further documents are refused; aliases are allowed, and count with all they stand for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml

from pipeline.errors import FlowError
from pipeline.flow import codes
from pipeline.flow.convert import Problem, convert
from pipeline.flow.findings import Finding, Severity

T = TypeVar("T")

MAX_BYTES = 1_048_576
MAX_NODES = 100_000
MAX_DEPTH = 60

_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_UNSET: Any = object()

_Event = Any  # one of yaml's event classes, told apart by isinstance
_Mark = Any  # yaml's, from the C parser or not


class _Node:
    """One value and its place. ``content`` is where a text starts inside a one-line scalar: 1 after a quote, None when unknown."""

    __slots__ = ("children", "column", "content", "keys", "line", "size", "value")

    def __init__(self, value: Any, mark: _Mark, content: int | None = None) -> None:
        self.value = value
        self.line = mark.line + 1
        self.column = mark.column + 1
        self.content = content
        self.size = 1
        self.keys: dict[str, tuple[int, int]] = {}
        self.children: dict[str, _Node] = {}  # by the step of a path: ".name" or "[2]"


class Tree:
    """The data of one file, and where each value stands. Made by `read_tree` and `parse_tree`.

    ``findings`` are those that leave a tree to look further in (a key that stands twice, a tag); only a lenient reader sees them.
    """

    def __init__(self, file: str, root: _Node, findings: list[Finding]) -> None:
        self.file = file
        self.data: Any = root.value
        self.findings = findings
        self._root = root

    def finding(
        self,
        path: str,
        message: str,
        *,
        code: str,
        key: bool = False,
        suggestion: str = "",
        severity: Severity = "error",
        offset: int = 0,
    ) -> Finding:
        """A finding at ``path`` (``$.stages[2].filter``); an unknown path falls back to its nearest known parent.

        ``key`` points at the mapping's key instead of its value. ``offset`` moves right by so many characters of a text,
        when the text stands on one line as it is.
        """
        line, column = self._place(path, key, offset)
        return Finding(
            code=code,
            file=self.file,
            line=line,
            column=column,
            path=path,
            message=message,
            suggestion=suggestion,
            severity=severity,
        )

    def convert(self, path: str, type_: type[T], *, code: str, data: Any = _UNSET) -> tuple[T | None, list[Finding]]:
        """The subtree at ``path`` as ``type_``, or None and every finding about it, all under one ``code``.

        ``data`` stands in for the subtree when it has been changed since (references resolved, keys taken out).
        See `pipeline.flow.convert` for the types it knows.
        """
        given = self.at(path) if data is _UNSET else data
        value, problems = convert(given, type_, path)
        return value, [self.report(problem, code) for problem in problems]

    def report(self, problem: Problem, code: str) -> Finding:
        """A problem of `pipeline.flow.convert` as a finding at its place."""
        return self.finding(
            problem.path,
            problem.message,
            code=code,
            key=problem.key,
            suggestion=problem.suggestion,
            offset=problem.offset,
        )

    def at(self, path: str) -> Any:
        """The data at ``path``, or None when there is no such path."""
        node, step = self._walk(path)
        return None if step else node.value

    def _place(self, path: str, key: bool, offset: int) -> tuple[int, int]:
        node, rest = self._walk(path)
        if key and not rest:
            return self._key(path) or (node.line, node.column)
        moves = 0 if rest or node.content is None or offset <= 0 else node.content + offset
        return node.line, node.column + moves

    def _key(self, path: str) -> tuple[int, int] | None:
        node, rest = self._root, path[1:]
        while rest:
            step = _step(node, rest)
            if len(step) == len(rest):
                return node.keys.get(step)
            node, rest = node.children[step], rest[len(step) :]
        return None

    def _walk(self, path: str) -> tuple[_Node, str]:
        """The deepest known node on the way, and what of the path is left."""
        node, rest = self._root, path[1:]
        while rest:
            step = _step(node, rest)
            if not step:
                return node, rest
            node, rest = node.children[step], rest[len(step) :]
        return node, ""


def _step(node: _Node, rest: str) -> str:
    """The child of ``node`` that the path goes on with, "" when there is none. Keys may hold dots, so the longest match wins."""
    simple = re.match(r"\.[^.\[]*|\[\d+\]", rest)
    if simple and simple[0] in node.children and "." not in rest[len(simple[0]) :]:
        return simple[0]
    fits = [
        step for step in node.children if rest.startswith(step) and rest[len(step) : len(step) + 1] in ("", ".", "[")
    ]
    return max(fits, key=len, default="")


def read_tree(path: Path, *, lenient: bool = False) -> Tree:
    """The tree of a UTF-8 file, named as the user would type it. Raises `FlowError` with findings; see `parse_tree`."""
    return parse_tree(read_text(path), shown(path), lenient=lenient)


def read_text(path: Path) -> str:
    """The text of a file of at most `MAX_BYTES`. Raises `FlowError` with one finding."""
    file = shown(path)
    try:
        if path.exists() and not path.is_file():
            _refuse(file, codes.UNREADABLE, "this is not a file")
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        _refuse(file, codes.UNREADABLE, f"the file is not UTF-8 text (byte {error.start})", line=line)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        _refuse(file, codes.UNREADABLE, f"the file cannot be read: {reason}")


def parse_tree(text: str, file: str, *, lenient: bool = False) -> Tree:
    """The tree of a text. Raises `FlowError` whose findings say in plain words what is wrong and where.

    A lenient reader gets the tree wherever there is one, and must report ``Tree.findings`` with its own.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        _refuse(file, codes.TOO_LARGE, f"the file is larger than {MAX_BYTES} bytes")
    text = text.removeprefix("\ufeff")
    bad = _UNPRINTABLE.search(text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        column = bad.start() - (text.rfind("\n", 0, bad.start()) + 1) + 1
        _refuse(file, codes.SYNTAX, f"the character U+{ord(bad[0]):04X} may not stand here", line=line, column=column)
    try:
        builder = _Builder(file, yaml.parse(text, Loader=yaml.CSafeLoader))
        root = builder.document()
    except yaml.MarkedYAMLError as error:
        raise _flow_error(file, [*builder.findings, _syntax(file, error)]) from None
    except yaml.YAMLError as error:
        _refuse(file, codes.SYNTAX, str(error).splitlines()[0])
    if builder.findings and not lenient:
        raise _flow_error(file, builder.findings)
    return Tree(file, root, builder.findings)


def shown(path: Path) -> str:
    """A path as the user would type it: relative to the working directory when below it."""
    here = os.path.abspath(path)
    relative = os.path.relpath(here)
    return here if relative.startswith("..") else relative


def _flow_error(file: str, findings: list[Finding]) -> FlowError:
    first = findings[0]
    return FlowError(
        f"{file} cannot be used", tuple(findings), where=f"{file}:{first.line}", why=first.message, code=first.code
    )


def _refuse(file: str, code: str, message: str, *, line: int = 1, column: int = 1) -> NoReturn:
    raise _flow_error(file, [Finding(code=code, file=file, line=line, column=column, message=message)]) from None


class _Builder:
    """Turns yaml's events into nodes. It resolves scalars itself, so that no YAML 1.1 rule and no tag can reach the data."""

    def __init__(self, file: str, events: Iterator[_Event]) -> None:
        self.file = file
        self.findings: list[Finding] = []
        self._events = events
        self._anchors: dict[str, _Node] = {}
        self._nodes = 0

    def document(self) -> _Node:
        next(self._events)  # the stream's start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            _refuse(self.file, codes.EMPTY_FILE, "the file is empty")
        root = self._node(next(self._events), "$", 0)
        next(self._events)  # the document's end
        following = next(self._events)
        if not isinstance(following, yaml.StreamEndEvent):
            self._find(
                following.start_mark, "$", codes.NOT_THE_FORM, "a file holds one document; a second one starts here"
            )
        elif root.value is None:
            _refuse(self.file, codes.EMPTY_FILE, "the file is empty")
        return root

    def _node(self, event: _Event, path: str, depth: int) -> _Node:
        start: _Mark = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        self._count(1, start)
        if depth > MAX_DEPTH:
            self._stop(start, f"nested deeper than {MAX_DEPTH} levels")
        if event.tag is not None:
            message = f"the tag {event.tag} means nothing here"
            self._find(start, path, codes.NOT_THE_FORM, message, "leave it out; quote a value to make it a text")
        if isinstance(event, yaml.ScalarEvent):
            node = _Node(_typed(event), start, _content(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, path, depth)
        else:
            node = self._mapping(event, path, depth)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _sequence(self, event: _Event, path: str, depth: int) -> _Node:
        node = _Node([], event.start_mark)
        while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
            index = f"[{len(node.value)}]"
            child = self._node(item, path + index, depth + 1)
            node.children[index] = child
            node.size += child.size
            node.value.append(child.value)
        return node

    def _mapping(self, event: _Event, path: str, depth: int) -> _Node:
        node = _Node({}, event.start_mark)
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            name = self._key(key, path, depth)
            step = f".{name}"
            child = self._node(next(self._events), path + step, depth + 1)
            if name is None:
                continue
            if step in node.keys:
                line = node.keys[step][0]
                self._find(
                    key.start_mark,
                    path + step,
                    codes.DUPLICATE_KEY,
                    f"`{name}` stands here twice; first in line {line}",
                )
                continue
            node.keys[step] = (key.start_mark.line + 1, key.start_mark.column + 1)
            node.children[step] = child
            node.size += child.size
            node.value[name] = child.value
        return node

    def _key(self, event: _Event, path: str, depth: int) -> str | None:
        mark = event.start_mark
        if not isinstance(event, yaml.ScalarEvent):
            self._find(
                mark, path, codes.NOT_THE_FORM, "a key must be a plain text", "quote it when it holds `{` or `[`"
            )
            self._node(event, path, depth + 1)
            return None
        if event.value == "<<" and event.implicit[0]:
            self._find(mark, path, codes.NOT_THE_FORM, "`<<` does not merge here", "write the keys out")
            return None
        self._count(1, mark)
        return str(event.value)

    def _alias(self, event: _Event, path: str) -> _Node:
        mark = event.start_mark
        target = self._anchors.get(event.anchor)
        if target is None:
            message = f"`*{event.anchor}` names no value above that is marked `&{event.anchor}`"
            self._find(mark, path, codes.SYNTAX, message, "quote a text that starts with `*`")
            return _Node(None, mark)
        self._count(target.size, mark)
        return target

    def _count(self, nodes: int, mark: _Mark) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            self._stop(mark, f"more than {MAX_NODES} values, counting what aliases stand for")

    def _stop(self, mark: _Mark, message: str) -> NoReturn:
        self._find(mark, "$", codes.TOO_LARGE, message)
        raise _flow_error(self.file, self.findings)

    def _find(self, mark: _Mark, path: str, code: str, message: str, suggestion: str = "") -> None:
        line, column = mark.line + 1, mark.column + 1
        self.findings.append(
            Finding(
                code=code, file=self.file, line=line, column=column, path=path, message=message, suggestion=suggestion
            )
        )


def _typed(event: _Event) -> Any:
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return Decimal(text) if _DECIMAL.fullmatch(text) else text


def _content(event: _Event) -> int | None:
    """Where the text starts, when the scalar is one line without escapes: then characters and columns go together."""
    start, end = event.start_mark, event.end_mark
    quotes = 1 if event.style in ("'", '"') else 0
    as_it_is = start.line == end.line and end.column - start.column == len(event.value) + 2 * quotes
    return quotes if as_it_is else None


_QUOTE = "a text with `: `, ` #`, `{`, `[` or a comma in it, or with `@`, `%`, `&`, `*`, `!` before it, must be quoted"
_INDENT = "put the keys of one mapping, or the dashes of one list, exactly below each other"

_PLAIN_WORDS: tuple[tuple[str, str, str], ...] = (
    ("mapping values are not allowed", "a second `: ` on this line, or a line that is indented wrongly", _QUOTE),
    (
        "block sequence entries are not allowed",
        "a list may not start on this line",
        "put each `- ` on a line of its own",
    ),
    ("tab character", "a tab may not indent a line", "use spaces"),
    ("cannot start any token", "no value may start with this character", _QUOTE),
    ("expected node content", "a value was expected here", "a bracket above may not be closed"),
    ("could not find expected ':'", "this line has no `: ` after its key", _QUOTE),
    (
        "did not find expected key",
        "a key was expected here; this line is indented otherwise than those above, or goes on after a closing quote",
        _INDENT,
    ),
    ("expected '-' indicator", "a list goes on here without its `- `", _INDENT),
    (
        "unknown escape character",
        "this backslash means nothing in double quotes",
        "use single quotes, or write it twice",
    ),
    (
        "expected <document start>",
        "the file should end here; there is a bracket too many, or a line indented wrongly",
        "",
    ),
    ("maximum nesting", "nested too deep", ""),
)


def _syntax(file: str, error: yaml.MarkedYAMLError) -> Finding:
    problem = error.problem or "the file cannot be read"
    mark = error.problem_mark or error.context_mark
    message, suggestion = problem, ""
    opened = re.search(r"expected ',' or '([\]}])'", problem)
    if opened and error.context_mark is not None and mark is not None:
        opening = "{" if opened[1] == "}" else "["
        inside = mark.line == error.context_mark.line
        mark = mark if inside else error.context_mark
        message = f"a comma or `{opened[1]}` is missing before this" if inside else f"this `{opening}` is never closed"
        suggestion = _QUOTE if inside else f"a comma or its `{opened[1]}` is missing"
    elif "unexpected end of stream" in problem and error.context_mark is not None:
        mark, message = error.context_mark, "this quote is never closed"
    else:
        for known, words, advice in _PLAIN_WORDS:
            if known in problem:
                message, suggestion = words, advice
                break
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return Finding(code=codes.SYNTAX, file=file, line=line, column=column, message=message, suggestion=suggestion)
