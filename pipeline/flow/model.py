"""What a checked flow is: the graph the engine runs. Built by `pipeline.flow.load`; frozen, no I/O.

Every setting has been converted to its type, except connections: their secrets are resolved only when a run opens them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from pipeline.flow.expression import Expression
from pipeline.flow.tree import Tree
from pipeline.retry import RetryPolicy
from pipeline.stage import StageSpec, Verb

MAIN = ""
"""The port of a stage that has only one output."""


class Input(msgspec.Struct, frozen=True):
    """One edge into a stage: the stage it reads and that stage's port (`MAIN`, or a branch's case)."""

    stage: str
    port: str = MAIN


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """A connection as declared; ``settings`` still holds references such as ``${env:STERLING_URL}``.

    ``tree`` is the file it stands in, so that a finding about a setting can name its place.
    """

    name: str
    type: str
    settings: dict[str, Any]
    line: int
    tree: Tree | None = None


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One node. ``spec`` is None for the engine's own filter and branch, whose rule is an expression.

    ``queue`` bounds its input edge in records. ``workers`` and ``lane`` matter to sinks, ``cases`` and ``otherwise`` to branches.
    """

    name: str
    verb: Verb
    component: str
    spec: StageSpec | None = None
    settings: Any = None
    via: str | None = None
    inputs: tuple[Input, ...] = ()
    queue: int = 1024
    workers: int | None = None  # None: as many as the sink says, else one
    lane: str | None = None  # None: as the sink says; otherwise a document field: partner | address
    retry: RetryPolicy = RetryPolicy()
    expression: Expression | None = None
    rule: str = ""
    cases: tuple[tuple[str, Expression], ...] = ()
    otherwise: str | None = None  # the branch's `else` port
    line: int = 1

    @property
    def ports(self) -> tuple[str, ...]:
        """Its outputs: a sink has none, a branch one per case, all others `MAIN`."""
        if self.verb == "sink":
            return ()
        if self.verb == "branch":
            return tuple(name for name, _ in self.cases) + ((self.otherwise,) if self.otherwise else ())
        return (MAIN,)


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A checked flow. ``stages`` are in topological order. ``digest`` is the SHA-256 of the file and of the code it names.

    ``output`` is where relative names of files that it writes begin, None: in the file's folder.
    """

    name: str
    version: int
    about: str
    file: Path
    digest: str
    connections: tuple[Connection, ...]
    stages: tuple[Stage, ...]
    output: Path | None = None
    every: float | None = None  # seconds from one beginning to the next, where it is run again and again

    def readers(self, stage: str, port: str = MAIN) -> tuple[Stage, ...]:
        """The stages that read this output."""
        return tuple(node for node in self.stages if Input(stage, port) in node.inputs)

    def stage(self, name: str) -> Stage:
        return next(node for node in self.stages if node.name == name)
