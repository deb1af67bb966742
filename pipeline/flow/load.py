"""From a flow file to a `Flow`, or to everything that is wrong with it at once.

The keys of a flow file: ``flow`` (its name), ``version`` (of the form, 1), ``about``, ``schedule``, ``connections``, ``defaults`` and ``stages``;
the form of a stage is in `pipeline.flow.stages`. Keys and verbs that are not built yet are unknown keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pipeline.errors import FlowError
from pipeline.flow import codes
from pipeline.flow.convert import convert, did_you_mean, show
from pipeline.flow.custom import CustomStages
from pipeline.flow.duration import Duration
from pipeline.flow.findings import Finding
from pipeline.flow.graph import Node, connect
from pipeline.flow.model import Connection, Flow, Stage
from pipeline.flow.report import Report
from pipeline.flow.stages import NAME, Defaults, StageReader
from pipeline.flow.tree import Tree, parse_tree, read_text, shown
from pipeline.registry import Registry

FORM_VERSION = 1
MAX_STAGES = 500

_KEYS = ("flow", "version", "about", "schedule", "connections", "defaults", "stages")


class Schedule(msgspec.Struct, frozen=True):
    """The form of ``schedule`` in a file: how long after the beginning of a run the next one begins."""

    every: Duration


def load_flow(
    path: Path, registry: Registry, environment: Mapping[str, str], *, live: bool = False
) -> tuple[Flow | None, list[Finding]]:
    """The flow in a file and all findings, sorted by position; the flow is None when one of them is an error.

    A variable that is not set is an error when ``live``, else a note. Code the flow names is imported; nothing is connected.
    """
    try:
        text = read_text(path)
        tree = parse_tree(text, shown(path), lenient=True)
    except FlowError as error:
        return None, [finding for finding in error.findings if isinstance(finding, Finding)]
    report = Report(tree, path.parent, environment, live=live)
    flow = _Loading(path, text, report, registry).flow()
    return (None if report.failed else flow), report.sorted()


def load_connections(path: Path, registry: Registry, environment: Mapping[str, str]) -> dict[str, Connection]:
    """Only the connections of a flow file, whatever else is in it. Raises `FlowError` with what is wrong with
    them; a variable that is not set is told when it is needed."""
    text = read_text(path)
    tree = parse_tree(text, shown(path), lenient=True)
    report = Report(tree, path.parent, environment, live=False)
    data = tree.data if isinstance(tree.data, dict) else {}
    found = _Loading(path, text, report, registry)._connections(data.get("connections"))
    if report.failed:
        raise FlowError(
            "The connections of the flow cannot be used", tuple(report.sorted()), where=str(path), code="MLC-FLOW-0000"
        )
    return found


class _Loading:
    """One load. Each method reads one part of the file and reports what is wrong with it."""

    def __init__(self, path: Path, text: str, report: Report, registry: Registry) -> None:
        self.path = path
        self.text = text
        self.report = report
        self.registry = registry
        self.custom = CustomStages(path.parent)

    @property
    def tree(self) -> Tree:
        return self.report.tree

    def flow(self) -> Flow | None:
        data = self.tree.data
        if not isinstance(data, dict):
            self.report.error(
                codes.WRONG_VALUE, "$", f"a flow file is a mapping that starts with `flow: name`, got {show(data)}"
            )
            return None
        self._keys(data)
        name, about = self._name(data), self._text(data, "about")
        self._version(data)
        every = self._every(data)
        connections = self._connections(data.get("connections"))
        stages = self._stages(data, connections)
        return Flow(
            name=name,
            version=FORM_VERSION,
            about=about,
            file=self.path,
            digest=self._digest(),
            connections=tuple(connections.values()),
            stages=stages,
            every=every,
        )

    def _keys(self, data: dict[str, Any]) -> None:
        for key in data:
            if key not in _KEYS:
                hint = (
                    did_you_mean(key, [each for each in _KEYS if each not in data]) or f"known here: {', '.join(_KEYS)}"
                )
                message = f"`{key}` is not a key of this version"
                self.report.error(codes.UNKNOWN_KEY, f"$.{key}", message, hint, key=True)
        for key in ("flow", "stages"):
            if key not in data:
                self.report.error(codes.MISSING_KEY, "$", f"the key `{key}` is missing")

    def _name(self, data: dict[str, Any]) -> str:
        name = self._text(data, "flow")
        if name and not NAME.fullmatch(name):
            hint = "letters, digits, `_` and `-`, starting with a letter"
            self.report.error(codes.WRONG_VALUE, "$.flow", f"`{name}` cannot be the name of a flow", hint)
        elif not name and data.get("flow") == "":
            self.report.error(codes.WRONG_VALUE, "$.flow", "the flow has an empty name")
        return name

    def _text(self, data: dict[str, Any], key: str) -> str:
        if key not in data:
            return ""
        value, problems = convert(data[key], str, f"$.{key}")
        self.report.problems(problems)
        return value or ""

    def _version(self, data: dict[str, Any]) -> None:
        version = data.get("version", FORM_VERSION)
        if version != FORM_VERSION or isinstance(version, bool):
            message = f"this program reads version {FORM_VERSION} of the form, got {show(version)}"
            self.report.error(codes.WRONG_VALUE, "$.version", message)

    def _every(self, data: dict[str, Any]) -> float | None:
        if "schedule" not in data:
            return None
        value, problems = convert(data["schedule"], Schedule, "$.schedule")
        self.report.problems(problems)
        if value is not None and value.every <= 0:
            self.report.error(codes.WRONG_VALUE, "$.schedule.every", "a flow cannot run again after no time")
        return float(value.every) if value is not None else None

    # --- connections ---

    def _connections(self, data: Any) -> dict[str, Connection]:
        if data is None:
            return {}
        if not isinstance(data, dict):
            message = f"expected a mapping of names to connections, got {show(data)}"
            self.report.error(codes.WRONG_VALUE, "$.connections", message)
            return {}
        return {name: self._connection(name, settings) for name, settings in data.items()}

    def _connection(self, name: str, data: Any) -> Connection:
        """A connection that is wrong is kept without a type, so that `via` may name it without a further finding."""
        path = f"$.connections.{name}"
        line = self.tree.finding(path, "", code="", key=True).line
        settings = {key: value for key, value in data.items() if key != "type"} if isinstance(data, dict) else {}
        type_ = self._connection_type(data, path)
        spec = self.registry.connection(type_) if type_ else None
        if spec is not None:
            self.report.settings(settings, spec.config, path)
        return Connection(
            name=name, type=type_ if spec is not None else "", settings=settings, line=line, tree=self.tree
        )

    def _connection_type(self, data: Any, path: str) -> str:
        known = [spec.name for spec in self.registry.connections]
        offered = f"one of {', '.join(known)}" if known else "no installed adapter offers one"
        if not isinstance(data, dict):
            self.report.error(codes.WRONG_VALUE, path, f"expected a mapping with `type` and settings, got {show(data)}")
            return ""
        if "type" not in data:
            self.report.error(codes.MISSING_KEY, path, "the key `type` is missing", offered)
            return ""
        type_ = data["type"]
        if not isinstance(type_, str) or self.registry.connection(type_) is None:
            message = f"there is no connection type `{type_}`"
            hint = did_you_mean(type_, known) or offered
            self.report.error(codes.UNKNOWN_CONNECTION_TYPE, f"{path}.type", message, hint)
            return ""
        return type_

    # --- stages ---

    def _defaults(self, data: dict[str, Any]) -> Defaults:
        if data.get("defaults") is None:
            return Defaults()
        value, problems = convert(data["defaults"], Defaults, "$.defaults")
        self.report.problems(problems)
        return value or Defaults()

    def _stages(self, data: dict[str, Any], connections: Mapping[str, Connection]) -> tuple[Stage, ...]:
        defaults = self._defaults(data)
        entries = data.get("stages", [])
        if not isinstance(entries, list) or ("stages" in data and not entries):
            self.report.error(codes.WRONG_VALUE, "$.stages", f"expected a list of stages, got {show(entries or None)}")
            return ()
        if len(entries) > MAX_STAGES:
            self.report.error(codes.TOO_LARGE, "$.stages", f"a flow has at most {MAX_STAGES} stages")
            return ()
        reader = StageReader(self.report, self.registry, self.custom, connections, defaults)
        read = [reader.node(entry, f"$.stages[{index}]") for index, entry in enumerate(entries)]
        nodes = [node for node in read if node is not None]
        self._duplicates(nodes)
        return connect(nodes, self.report) if nodes else ()

    def _duplicates(self, nodes: list[Node]) -> None:
        first: dict[str, Node] = {}
        for node in nodes:
            name = node.stage.name
            if name in first:
                message = f"the stage name `{name}` is taken, in line {first[name].stage.line}"
                self.report.error(codes.DUPLICATE_STAGE, node.title, message, "give it another", key=node.title_is_key)
            first.setdefault(name, node)

    def _digest(self) -> str:
        digest = hashlib.sha256(self.text.encode())
        for name, code in self.custom.code.items():
            digest.update(f"\0{name}\0{len(code)}\0".encode() + code)
        return digest.hexdigest()
