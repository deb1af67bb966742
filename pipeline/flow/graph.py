"""The edges of a flow: who reads whom, what nobody reads, circles, and the order of the stages. Pure.

By default a stage reads the one above it. A stage that could not be understood keeps its name here, so that one mistake is
one finding, and is not reported for what may follow from that mistake.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.flow import codes
from pipeline.flow.convert import did_you_mean, near, show
from pipeline.flow.model import Input, Stage
from pipeline.flow.report import Report


class Node(msgspec.Struct):
    """One stage while its edges are being found. ``path`` is its mapping's, ``title`` where its name stands.

    ``stage`` is as yet without inputs; ``sound`` says whether its verb is known for sure. ``reads`` is the value of ``from``.
    """

    stage: Stage
    path: str
    title: str
    title_is_key: bool
    sound: bool = True
    reads: Any = None
    has_from: bool = False


def connect(nodes: list[Node], report: Report) -> tuple[Stage, ...]:
    """The stages with their inputs, in topological order; what is wrong is in ``report``."""
    return _Graph(nodes, report).connect()


class _Graph:
    def __init__(self, nodes: list[Node], report: Report) -> None:
        self.nodes = nodes
        self.report = report
        self.by_name = {node.stage.name: node for node in reversed(nodes)}
        self.read: set[Input] = set()

    def connect(self) -> tuple[Stage, ...]:
        inputs = [self._inputs(index, node) for index, node in enumerate(self.nodes)]
        stages = [
            msgspec.structs.replace(node.stage, inputs=each) for node, each in zip(self.nodes, inputs, strict=True)
        ]
        for node in self.nodes:
            self._unused(node)
        self._ends()
        return self._ordered(stages)

    def _inputs(self, index: int, node: Node) -> tuple[Input, ...]:
        if node.stage.verb == "source" and node.sound:
            if node.has_from:
                message = "a source reads nothing from other stages"
                self.report.error(codes.SOURCE_READS, f"{node.path}.from", message, "leave `from` out", key=True)
            return ()
        found = self._named(node) if node.has_from else self._above(index, node)
        self.read.update(found)
        return found

    def _above(self, index: int, node: Node) -> tuple[Input, ...]:
        above = self.nodes[index - 1] if index else None
        if above is None:
            if node.sound:
                message = f"the first stage reads nothing; it must be a source, not a {node.stage.verb}"
                self._at_title(codes.NOTHING_TO_READ, node, message)
            return ()
        name = above.stage.name
        if above.sound and above.stage.verb == "sink":
            message = f"the stage above is the sink `{name}`, which puts nothing out"
            self._at_title(codes.SINK_READ, node, message, "say with `from` what this stage reads")
            return ()
        if above.sound and above.stage.verb == "branch":
            ports = ", ".join(f"{name}.{port}" for port in above.stage.ports)
            message = f"the stage above is the branch `{name}`, so this stage must say with `from` what it reads"
            self._at_title(codes.BRANCH_ABOVE, node, message, f"one of {ports}" if ports else "")
            return ()
        return (Input(name),)

    def _named(self, node: Node) -> tuple[Input, ...]:
        path, given = f"{node.path}.from", node.reads
        entries = (
            [(f"{path}[{index}]", each) for index, each in enumerate(given)]
            if isinstance(given, list)
            else [(path, given)]
        )
        if not entries:
            self.report.error(codes.WRONG_VALUE, path, "`from` is an empty list", "name a stage, or leave it out")
        found: list[Input] = []
        for place, entry in entries:
            each = self._one(place, entry)
            if each in found:
                self.report.error(codes.WRONG_VALUE, place, f"`{entry}` is listed twice")
            elif each is not None:
                found.append(each)
        return tuple(found)

    def _one(self, path: str, entry: Any) -> Input | None:
        """The input an entry names. A wrong name that is nearly right counts as read, so that it is one finding only."""
        if not isinstance(entry, str) or not entry:
            self.report.error(codes.WRONG_VALUE, path, f"expected the name of a stage, got {show(entry)}")
            return None
        name, dot, port = entry.partition(".")
        node = self.by_name.get(name)
        if node is None:
            self.report.error(
                codes.UNKNOWN_INPUT, path, f"there is no stage `{name}`", did_you_mean(name, self.by_name)
            )
            self._count_as_read(self.by_name.get(near(name, self.by_name)), port)
            return None
        if not node.sound:
            return Input(name, port)
        return self._port(path, node, port, named=bool(dot))

    def _port(self, path: str, node: Node, port: str, *, named: bool) -> Input | None:
        name, ports = node.stage.name, node.stage.ports
        if node.stage.verb == "sink":
            self.report.error(codes.SINK_READ, path, f"`{name}` is a sink, which puts nothing out")
        elif node.stage.verb != "branch" and named:
            self.report.error(
                codes.UNKNOWN_PORT, path, f"`{name}` is no branch and has no port `{port}`", f"write `{name}`"
            )
            self._count_as_read(node, "")
        elif port in ports:
            return Input(name, port)
        elif not named:
            choice = ", ".join(f"{name}.{each}" for each in ports)
            self.report.error(
                codes.UNKNOWN_PORT, path, f"`{name}` is a branch; name one of its ports", f"one of {choice}"
            )
            self._count_as_read(node, "")
        else:
            hint = did_you_mean(port, ports) or f"it has {', '.join(ports)}"
            self.report.error(codes.UNKNOWN_PORT, path, f"the branch `{name}` has no port `{port}`", hint)
            self._count_as_read(node, near(port, ports))
        return None

    def _count_as_read(self, node: Node | None, port: str) -> None:
        if node is not None:
            self.read.update(Input(node.stage.name, each) for each in ((port,) if port else node.stage.ports))

    def _unused(self, node: Node) -> None:
        if not node.sound:
            return
        name, branch = node.stage.name, node.stage.verb == "branch"
        for port in node.stage.ports:
            if Input(name, port) in self.read:
                continue
            if branch:
                path = f"{node.path}.else" if port == node.stage.otherwise else f"{node.path}.branch.{port}"
                message = f"nobody reads the port `{name}.{port}`"
                key = port != node.stage.otherwise
                self.report.error(
                    codes.UNUSED_OUTPUT, path, message, "add a stage with `from: " + f"{name}.{port}`", key=key
                )
            else:
                self._at_title(codes.UNUSED_OUTPUT, node, f"nobody reads the output of `{name}`", "end with a sink")

    def _ends(self) -> None:
        if not all(node.sound for node in self.nodes):
            return
        verbs = {node.stage.verb for node in self.nodes}
        if "source" not in verbs:
            self.report.error(codes.NO_SOURCE, "$.stages", "the flow has no source", key=True)
        if "sink" not in verbs:
            self.report.error(codes.NO_SINK, "$.stages", "the flow has no sink", key=True)

    def _ordered(self, stages: list[Stage]) -> tuple[Stage, ...]:
        """Topological order that keeps the file's order where it can; a circle is a finding."""
        left, done, order = list(stages), set[str](), list[Stage]()
        while left:
            ready = next((stage for stage in left if all(each.stage in done for each in stage.inputs)), None)
            if ready is None:
                self._circle(left)
                return tuple(stages)
            left.remove(ready)
            done.add(ready.name)
            order.append(ready)
        return tuple(order)

    def _circle(self, left: list[Stage]) -> None:
        """Walks upstream from one of the stages that are never ready until a stage comes round again."""
        by_name = {stage.name: stage for stage in left}
        way: list[str] = []
        stage = left[0]
        while stage.name not in way:
            way.append(stage.name)
            stage = next(by_name[each.stage] for each in stage.inputs if each.stage in by_name)
        circle = [*way[way.index(stage.name) :], stage.name][::-1]
        node = self.by_name[stage.name]
        path = f"{node.path}.from" if node.has_from else node.title
        message = f"the stages read each other in a circle: {' -> '.join(circle)}"
        self.report.error(codes.CYCLE, path, message, key=not node.has_from and node.title_is_key)

    def _at_title(self, code: str, node: Node, message: str, suggestion: str = "") -> None:
        self.report.error(code, node.title, message, suggestion, key=node.title_is_key)
