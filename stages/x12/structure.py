"""Walking through a set: where a segment stands in the loops, what is out of order, missing or too often. No input/output."""

from __future__ import annotations

from typing import Literal

import msgspec

from stages.x12.definitions import Node, SetDefinition

Problem = Literal["unknown", "order", "missing", "too_many"]


class Misplaced(msgspec.Struct, frozen=True):
    """Something is wrong with the structure: ``segment`` is what is misplaced or missing, ``loop`` the path of its loop."""

    problem: Problem
    segment: str
    loop: str
    limit: int = 0


class _Level:
    """One open loop (or the set itself): its nodes, how far we are, and how often the node we are at has occurred."""

    def __init__(self, nodes: tuple[Node, ...], path: str) -> None:
        self.nodes = nodes
        self.path = path
        self.at = 0
        self.count = 0

    def find(self, segment: str) -> int | None:
        """The place of the segment here or ahead. A place that is used up is passed over when another one comes."""
        places = [i for i in range(self.at, len(self.nodes)) if self.nodes[i].segment == segment]
        if len(places) > 1 and places[0] == self.at and self.full:
            return places[1]
        return places[0] if places else None

    @property
    def full(self) -> bool:
        limit = self.nodes[self.at].max if self.at < len(self.nodes) else None
        return limit is not None and self.count >= limit

    def skipped(self, until: int) -> list[Node]:
        """Mandatory nodes between here and there that never occurred."""
        start = self.at if self.count == 0 else self.at + 1
        return [node for node in self.nodes[start:until] if node.mandatory]

    def move(self, place: int) -> None:
        if place == self.at:
            self.count += 1
        else:
            self.at, self.count = place, 1


class Walker:
    """Feed it the segments of one set in order, ST to SE. A segment that is out of place leaves it where it was.

    The rule: look for a segment in the innermost open loop, from where we are; if it is not there close the loop and look further
    out, where the segment that starts a loop opens it again.
    """

    def __init__(self, definition: SetDefinition) -> None:
        self._definition = definition
        self._known = definition.segments()
        self._levels = [_Level(definition.nodes, "")]
        self.node: Node | None = None

    @property
    def loop(self) -> str:
        """The path of the loop we are in, ``IT1/PID``; "" outside of loops."""
        return self._levels[-1].path

    def step(self, segment: str) -> list[Misplaced]:
        """Take the next segment; what is wrong with it and what should have come before it."""
        for depth in range(len(self._levels) - 1, -1, -1):
            place = self._levels[depth].find(segment)
            if place is not None:
                return self._enter(depth, place)
        return [Misplaced("order" if segment in self._known else "unknown", segment, self.loop)]

    def finish(self) -> list[Misplaced]:
        """What is missing when nothing more comes."""
        return self._close(0) + self._missing(self._levels[0], len(self._levels[0].nodes))

    def _enter(self, depth: int, place: int) -> list[Misplaced]:
        found = self._close(depth)
        level = self._levels[depth]
        found += self._missing(level, place)
        level.move(place)
        node = level.nodes[place]
        if node.max is not None and level.count > node.max:
            found.append(Misplaced("too_many", node.segment, level.path, node.max))
        if node.loop:
            inner = f"{level.path}/{node.segment}".lstrip("/")
            self._levels.append(_Level(node.children, inner))
        self.node = node
        return found

    def _close(self, depth: int) -> list[Misplaced]:
        found: list[Misplaced] = []
        while len(self._levels) > depth + 1:
            level = self._levels.pop()
            found += self._missing(level, len(level.nodes))
        return found

    @staticmethod
    def _missing(level: _Level, until: int) -> list[Misplaced]:
        return [Misplaced("missing", node.segment, level.path) for node in level.skipped(until)]
