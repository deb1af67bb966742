"""What sets of one kind are checked by: the walk, the checks of their segments, their sums.

Made once per (release, set, delimiters, guide) and shared: it learns what is good, and what it learns follows from the tables.
No input/output.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from stages.x12.checking.segment_check import SegmentCheck
from stages.x12.checking.totals import SUMS
from stages.x12.definitions import Release, SetDefinition, release
from stages.x12.guide import Delimiters, Guide
from stages.x12.structure import Automaton, State

ENVELOPE = frozenset({"ISA", "TA1", "GS", "ST", "SE", "GE", "IEA"})
"""The segments that hold sets, and the ends of sets: compared with each other, not only looked at."""

Step = tuple[State, dict[str, Any], int, int, bool, dict[int, list[Any]], int]
"""A good step: next state, the steps from there, depth, limit, whether it repeats, patterns by separators, how it is watched."""

UNWATCHED, COUNTED, WATCHED = 0, 1, 2
"""COUNTED: the sums want the segment; WATCHED: they, or the guide, also want its place."""


class Tables:
    """What one kind of set is checked by: made once per (release, set, delimiters, guide). It learns; share it."""

    def __init__(self, version: str, set: str, marks: Delimiters, guide: Guide | None = None) -> None:
        self.release: Release = release(version)
        definition = self.release.sets.get(set)
        self.automaton = Automaton(definition) if definition is not None else None
        self.sums = SUMS.get(set)
        self.guide = guide
        self.watched = self.sums.watched if self.sums is not None else frozenset[str]()
        if guide is not None:
            self.watched |= {key.partition("*")[0] for key in (*guide.require, *guide.forbid)} | {"TDS"}
        self._marks = marks
        self._checks: dict[str, SegmentCheck] = {}
        self._quick: dict[int, dict[str, Step]] = {}

    @property
    def definition(self) -> SetDefinition | None:
        return self.automaton.definition if self.automaton is not None else None

    def check(self, id: str) -> SegmentCheck | None:
        """The segment's check; None for a segment the release does not have."""
        if id not in self._checks:
            if id not in self.release.segments:
                return None
            self._checks[id] = SegmentCheck(self.release.segments[id], self.release, self._marks, self.guide)
        return self._checks[id]

    def quick(self, state: State) -> dict[str, Step]:
        """The steps from a state that are known to need no more than a pattern and counting."""
        return self._quick.setdefault(id(state), {})

    def learn(self, state: State, segment: str) -> None:
        """Remember a step in which nothing was missing."""
        assert self.automaton is not None
        move, check = self.automaton.move(state, segment), self.check(segment)
        if move is not None and check is not None and not move.missing and segment not in ENVELOPE:
            counted = self.guide is None and self.sums is not None and segment not in self.sums.stating
            watched = UNWATCHED if segment not in self.watched else COUNTED if counted else WATCHED
            step = (move.state, self.quick(move.state), move.depth, move.limit, move.repeat, check.learned, watched)
            self.quick(state)[segment] = step


@lru_cache(maxsize=64)
def standard_tables(version: str, set: str, marks: Delimiters) -> Tables:
    """The tables without a guide; ``set`` "" for one that is not known."""
    return Tables(version, set, marks)
