"""Checking one set while it is read: each segment's place and content, sums at its end, and what a guide asks of the whole. No input/output.

It holds the walk and running sums, never the segments.
"""

from __future__ import annotations

from collections.abc import Iterator

from stages.x12.checking.envelope_check import check_envelope
from stages.x12.checking.found import Found, field, short
from stages.x12.checking.tables import COUNTED, Tables
from stages.x12.checking.totals import NOWHERE
from stages.x12.checking.violation import Severity
from stages.x12.definitions import SetDefinition
from stages.x12.guide import Delimiters, Guide, overridden
from stages.x12.reading.places import Places
from stages.x12.structure import Misplaced, Walker


class OpenSet:
    """The set that is open. ``tables`` are None where there are none for the release: then only its trailer is compared."""

    def __init__(
        self, st: list[str], offset: int, found: Found, marks: Delimiters, tables: Tables | None, guide: Guide | None
    ) -> None:
        self.fields, self.offset = st, offset
        self._found, self._marks, self._tables, self._guide = found, marks, tables, guide
        automaton = tables.automaton if tables is not None else None
        self._walker = found.walker = Walker(automaton) if automaton is not None else None
        made = tables.sums if tables is not None and automaton is not None else None
        self._sums = made() if made is not None else None
        self._watch: GuideWatch | None = None
        if guide is not None and automaton is not None:
            self._watch = GuideWatch(guide, getattr(self._sums, "line", ""), automaton.definition)

    @property
    def walks(self) -> bool:
        """Whether its structure is known, so that `known` can be asked."""
        return self._walker is not None

    @property
    def definition(self) -> SetDefinition | None:
        return self._tables.definition if self._tables is not None else None

    def begin(self, version: str, group: list[str]) -> None:
        """ST itself, in the group that has these fields (none when there is no group)."""
        if self._tables is None:
            return
        check_envelope(self._found, self.fields, self.offset, version, self._marks)
        definition = self._tables.definition
        if definition is None:
            message = f"no tables for set {field(self.fields, 1)!r}: its structure is not checked"
            self._found.add(self.fields, self.offset, "set_unknown", message, 1, severity="warning")
            return
        self._implementation()
        self._place(self.fields, self.offset)
        if group and field(group, 1) != definition.group:
            # Under an implementation convention of its own (004010X348) an industry may group as it likes.
            severity: Severity = "warning" if field(group, 8)[6:7] == "X" else "error"
            message = f"set {definition.id} belongs in a group {definition.group}, not {field(group, 1)}"
            self._found.add(self.fields, self.offset, "set_in_wrong_group", message, 1, severity=severity)

    def _implementation(self) -> None:
        wanted, told = self._guide.implementation if self._guide is not None else "", field(self.fields, 3)
        if wanted not in ("", told):
            message = f"the implementation is {told!r}; the guide wants {wanted!r}"
            self._found.add(self.fields, self.offset, "guide_version", message, 3, standard="718/19")

    # -- segments ---------------------------------------------------------------------------------------------------------

    def known(self, texts: list[str], start: int, places: Places) -> int:
        """Settle what needs no looking, from ``start`` on; the index of the first segment that does. Same as `take`, quicker."""
        assert self._walker is not None
        assert self._tables is not None
        walker, watched_by, mark = self._walker, self._watched, self._marks.element
        count = self._sums.take if self._sums is not None else None
        state, counts, position = walker.state, walker.counts, self._found.position
        steps = self._tables.quick(state)
        at = start
        for at in range(start, len(texts)):
            text = texts[at]
            step = steps.get(text.partition(mark)[0])
            if step is None:
                break
            after, steps_after, depth, limit, repeat, patterns, watched = step
            if repeat and limit and counts[depth] >= limit:
                break
            for fits in patterns.get(text.count(mark), ()):
                if fits(text):
                    break
            else:
                break
            if limit:
                counts[depth] = counts[depth] + 1 if repeat else 1
            position += 1
            state, steps = after, steps_after
            if watched == COUNTED and count is not None:
                count(text.split(mark), NOWHERE)
            elif watched:
                walker.state = after  # a finding names the loop it is in
                watched_by(text.split(mark), position, places.offset(at))
        else:
            at = len(texts)
        walker.state, self._found.position = state, position
        return at

    def take(self, text: str, fields: list[str], offset: int) -> None:
        """The next segment, no part of an envelope: its place, and itself."""
        self._found.position += 1
        if self._tables is None:
            return
        self._place(fields, offset)
        check = self._tables.check(fields[0])
        if check is not None:
            good = True
            for problem in check.problems(fields):
                good = False
                self._found.add(
                    fields, offset, problem.kind, problem.message, problem.element, problem.value, problem.severity,
                    ref=problem.ref, component=problem.component, repeat=problem.repeat,
                )  # fmt: skip
            if good:
                check.learn(text, fields)
        if fields[0] in self._tables.watched:
            self._watched(fields, self._found.position, offset)

    def _watched(self, fields: list[str], position: int, offset: int) -> None:
        if self._sums is not None and fields[0] in self._sums.watched:
            self._sums.take(fields, (position, offset))
        if self._watch is not None:
            for element, kind, message, value in self._watch.take(fields):
                self._found.add(fields, offset, kind, message, element, value, position=position)

    def _place(self, fields: list[str], offset: int) -> None:
        if self._walker is None or self._tables is None:
            return
        before = self._walker.state
        problems = self._walker.step(fields[0])
        if not problems:
            self._tables.learn(before, fields[0])
        self._misplaced(fields, offset, problems)

    def _misplaced(self, fields: list[str], offset: int, problems: list[Misplaced]) -> None:
        assert self._tables is not None
        for problem in problems:
            id, where = problem.segment, f" in loop {problem.loop}" if problem.loop else ""
            match problem.problem:
                case "missing" if self._guide is not None and overridden(self._guide, id):
                    continue
                case "missing":
                    kind, message = "segment_missing", f"mandatory segment {id} is missing{where}"
                case "too_many":
                    kind = "loop_too_often" if problem.starts_loop else "segment_too_often"
                    message = f"more than {problem.limit} of {id}{where}"
                case "order":
                    kind, message = "segment_order", f"segment {id} is out of order"
                case _:
                    kind = "segment_foreign" if id in self._tables.release.segments else "segment_unrecognized"
                    message = f"segment {short(id)} does not belong in this set"
            self._found.add(fields, offset, kind, message, segment=id, loop=problem.loop)

    # -- the end ----------------------------------------------------------------------------------------------------------

    def close(self, se: list[str], offset: int, version: str) -> None:
        """SE, and what only the whole set shows."""
        self._found.position += 1
        count = self._found.position
        if self._tables is not None:
            self._place(se, offset)
            check_envelope(self._found, se, offset, version, self._marks)
            if self._walker is not None:
                self._misplaced(se, offset, self._walker.finish())
        self._found.compare(se, offset, 1, str(count), "segments from ST to SE", "set_count", count=True)
        self._found.compare(se, offset, 2, field(self.fields, 2), "the control number of ST", "set_number")
        self._close_sums()
        for message in self._watch.missing() if self._watch is not None else ():
            self._found.add(
                se, offset, "guide_segment_missing", message, segment=message.partition(" ")[0].partition("*")[0]
            )

    def _close_sums(self) -> None:
        for wrong in self._sums.wrong() if self._sums is not None else ():
            position, offset = wrong.place
            severity: Severity = "warning" if wrong.slight else "error"
            self._found.add(
                [wrong.segment], offset, wrong.kind, wrong.message, wrong.element, severity=severity, position=position
            )


class GuideWatch:
    """Which segments a guide names occurred in one set, at all and line by line."""

    def __init__(self, guide: Guide, line: str, definition: SetDefinition) -> None:
        self._guide = guide
        self._possible = definition.segments()
        self._line = line
        self._seen: set[str] = set()
        self._in_line: set[str] = set()
        self._lines = 0
        self._lines_with: dict[str, int] = {}

    def take(self, fields: list[str]) -> Iterator[tuple[int, str, str, str]]:
        """Element, kind, message and value of what the guide forbids in this segment."""
        id = fields[0]
        key = f"{id}*{fields[1]}" if len(fields) > 1 else id
        if id == self._line:
            self._close_line()
            self._lines += 1
        for name in (id, key):
            if name in self._guide.forbid:
                yield 0, "guide_segment_forbidden", f"{name} is forbidden by the guide", ""
        self._seen |= {id, key}
        if self._lines:
            self._in_line |= {id, key}
        if id == "TDS" and self._guide.credit_sign == "type" and len(fields) > 1 and fields[1].startswith("-"):
            yield 1, "guide_sign", "the total is negative; the guide tells credits by BIG07 alone", fields[1]

    def missing(self) -> Iterator[str]:
        """What the guide requires and the set does not have, as sentences."""
        self._close_line()
        for name in self._guide.require:
            lines = self._lines_with.get(name, 0)
            if name[-2:].isdigit() and name[:2].isalpha() and len(name) > 3 and "*" not in name:
                continue  # an element: looked at in its segment
            if name.partition("*")[0] not in self._possible:
                continue  # the guide speaks of another set there
            if name not in self._seen:
                yield f"{name} is missing; `guide.require` names it"
            elif 0 < lines < self._lines:
                yield f"{name} is missing in {self._lines - lines} of {self._lines} lines; `guide.require` names it"

    def _close_line(self) -> None:
        for key in self._in_line & {*self._guide.require}:
            self._lines_with[key] = self._lines_with.get(key, 0) + 1
        self._in_line = set()
