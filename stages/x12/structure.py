"""Walking through a set: where a segment stands in the loops, what is out of order, missing or too often. No input/output.

The rule: look for a segment in the innermost open loop, from where we are; if it is not there close the loop and look further
out, where the segment that starts a loop opens it again. Where one stands is a state; what each segment leads to from there is
found out once and remembered. How often a place was used is counted beside the state.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from stages.x12.definitions import Node, SetDefinition

Problem = Literal["unknown", "order", "missing", "too_many"]


class Misplaced(msgspec.Struct, frozen=True):
    """Something is wrong with the structure: ``segment`` is what is misplaced or missing, ``loop`` the path of its loop.

    ``starts_loop``: the segment is the first one of a loop, so it is the loop that is missing or occurs too often.
    """

    problem: Problem
    segment: str
    loop: str
    limit: int = 0
    starts_loop: bool = False


class Move(NamedTuple):
    """What a segment leads to. ``repeat``: to the same place again, of which there may be ``limit`` (0: any number)."""

    state: State
    depth: int  # of the loop the place is in; 0 is the set itself
    limit: int
    repeat: bool
    node: Node
    missing: tuple[Misplaced, ...]  # what should have come before
    beyond: Move | None  # where to go when the limit is reached and a later place takes the segment too


class State:
    """The open loops, outermost first, each with its nodes, the place we are at (-1: before the first) and its path."""

    __slots__ = ("levels", "moves")

    def __init__(self, levels: tuple[tuple[tuple[Node, ...], int, str], ...]) -> None:
        self.levels = levels
        self.moves: dict[str, Move | None] = {}

    @property
    def loop(self) -> str:
        """The path of the loop we are in, ``IT1/PID``; "" outside of loops."""
        return self.levels[-1][2]

    def closing(self, depth: int) -> tuple[Misplaced, ...]:
        """What is missing in the loops deeper than ``depth`` when they are closed, innermost first."""
        return tuple(missing for level in self.levels[:depth:-1] for missing in _skipped(level, None))


def _skipped(level: tuple[tuple[Node, ...], int, str], until: int | None) -> list[Misplaced]:
    """Mandatory nodes of a level between where we are and ``until`` (None: its end)."""
    nodes, at, path = level
    return [Misplaced("missing", node.segment, path, 0, node.loop) for node in nodes[at + 1 : until] if node.mandatory]


def _depth(nodes: tuple[Node, ...]) -> int:
    return 1 + max((_depth(node.children) for node in nodes if node.loop), default=0)


class Automaton:
    """The states of one set. Share it: it learns, but what it learns follows from the definition alone."""

    def __init__(self, definition: SetDefinition) -> None:
        self.definition = definition
        self.known = definition.segments()
        self.depth = _depth(definition.nodes)
        self._states: dict[tuple[int, ...], State] = {}
        self.start = self._state(((definition.nodes, -1, ""),))

    def move(self, state: State, segment: str) -> Move | None:
        """What the segment leads to from here; None when it can not come here."""
        if segment not in self.known:
            return None
        if segment not in state.moves:
            state.moves[segment] = self._find(state, segment)
        return state.moves[segment]

    def _find(self, state: State, segment: str) -> Move | None:
        for depth in range(len(state.levels) - 1, -1, -1):
            nodes, at, _ = state.levels[depth]
            places = [place for place in range(max(at, 0), len(nodes)) if nodes[place].segment == segment]
            if places:
                beyond = self._to(state, depth, places[1], None) if len(places) > 1 else None
                return self._to(state, depth, places[0], beyond if places[0] == at else None)
        return None

    def _to(self, state: State, depth: int, place: int, beyond: Move | None) -> Move:
        nodes, at, path = state.levels[depth]
        node = nodes[place]
        levels = (*state.levels[:depth], (nodes, place, path))
        if node.loop:
            levels += ((node.children, -1, f"{path}/{node.segment}".lstrip("/")),)
        missing = (*state.closing(depth), *_skipped((nodes, at, path), place))
        return Move(self._state(levels), depth, node.max or 0, place == at, node, missing, beyond)

    def _state(self, levels: tuple[tuple[tuple[Node, ...], int, str], ...]) -> State:
        return self._states.setdefault(tuple(at for _, at, _ in levels), State(levels))


class Walker:
    """Feed it the segments of one set in order, ST to SE. A segment that is out of place leaves it where it was."""

    def __init__(self, definition: SetDefinition | Automaton) -> None:
        self._automaton = definition if isinstance(definition, Automaton) else Automaton(definition)
        self.state = self._automaton.start
        self.counts = [0] * self._automaton.depth  # how often the place at each depth was used
        self.node: Node | None = None

    @property
    def loop(self) -> str:
        """The path of the loop we are in, ``IT1/PID``; "" outside of loops."""
        return self.state.loop

    def step(self, segment: str) -> list[Misplaced]:
        """Take the next segment; what is wrong with it and what should have come before it."""
        move = self._automaton.move(self.state, segment)
        if move is None:
            return [Misplaced("order" if segment in self._automaton.known else "unknown", segment, self.loop)]
        count = self.counts[move.depth] + 1 if move.repeat else 1
        if move.limit and count > move.limit and move.beyond is not None:
            move, count = move.beyond, 1
        found = list(move.missing)
        if move.limit and count > move.limit:
            path = self.state.levels[move.depth][2]
            found.append(Misplaced("too_many", segment, path, move.limit, move.node.loop))
        self.counts[move.depth] = count
        self.state, self.node = move.state, move.node
        return found

    def finish(self) -> list[Misplaced]:
        """What is missing when nothing more comes."""
        return [*self.state.closing(0), *_skipped(self.state.levels[0], None)]
