"""Checking interchanges against the standard, and a partner's guide on top: all findings, in the order of the bytes.

Streams: it holds what is open (interchange, group, set, running sums), never the segments. It shares tables and the walk with the
encoder, and nothing else: it reads bytes and judges texts. No input/output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from stages.x12.definitions import release, releases
from stages.x12.guide import Delimiters, Guide, overridden
from stages.x12.reader import Block, Damage, Scanner, clean
from stages.x12.set_check import COUNTED, ENVELOPE, GuideWatch, Tables, standard_tables
from stages.x12.structure import Misplaced, Walker
from stages.x12.totals import NOWHERE, Sums
from stages.x12.violation import KINDS, Examination, GroupSeen, InterchangeSeen, SetSeen, Severity, Violation

_NOTES = {
    1: "010", 2: "011", 3: "012", 4: "013", 5: "005", 6: "006", 7: "007", 8: "008", 9: "014", 10: "015", 11: "016",
    12: "017", 13: "018", 14: "019", 15: "020", 16: "027",
}  # fmt: skip
"""Element of ISA -> the TA1 note code (I18) that reports a fault in it."""


def validate(payload: bytes, guide: Guide | None = None) -> list[Violation]:
    """Everything that is wrong with the interchanges in these bytes, in their order. Empty when nothing is."""
    return list(findings([payload], guide))


def findings(chunks: Iterable[bytes], guide: Guide | None = None) -> Iterator[Violation]:
    """What `validate` finds, as the chunks come. Memory does not grow with the input."""
    checker = Checker(guide)
    yield from _run(checker, chunks)


def examine(chunks: Iterable[bytes], guide: Guide | None = None) -> Examination:
    """All findings and the envelopes they are in: what `stages.x12.acknowledge` answers from."""
    checker = Checker(guide, remember=True)
    found = tuple(_run(checker, chunks))
    return Examination(tuple(checker.interchanges), found)


def _run(checker: Checker, chunks: Iterable[bytes]) -> Iterator[Violation]:
    scanner = Scanner()
    for chunk in chunks:
        for block in scanner.feed(chunk):
            checker.take(block)
            yield from checker.drain()
    for block in scanner.close():
        checker.take(block)
    checker.finish()
    yield from checker.drain()


_REPORTED_AS = {
    "GS01": "716/1", "GS06": "716/6", "GS08": "716/2", "GE01": "716/5", "GE02": "716/4",
    "ST01": "718/6", "ST02": "718/7", "ST03": "718/19", "SE01": "718/4", "SE02": "718/3", "IEA01": "I18/021", "IEA02": "I18/001",
}  # fmt: skip
"""Envelope element -> the code that reports a fault in it, whatever the fault."""


class _Opened(msgspec.Struct):
    """The header of something that is open: its fields and where it stands."""

    fields: list[str]
    offset: int
    position: int = 0


class Checker:
    """Takes blocks in order; holds what is open and compares when it is closed. `drain` hands out what was found since."""

    def __init__(self, guide: Guide | None = None, *, remember: bool = False) -> None:
        self.interchanges: list[InterchangeSeen] = []  # filled when ``remember``
        self._guide = guide
        self._remember = remember
        self._found: list[Violation] = []
        self._isa: _Opened | None = None
        self._gs: _Opened | None = None
        self._st: _Opened | None = None
        self._marks = Delimiters()
        self._at = [0, 0, 0]  # number of the interchange, of the group in it, of the set in that
        self._groups = self._sets = self._position = 0
        self._interchange_numbers: set[tuple[str, ...]] = set()
        self._group_numbers: set[str] = set()
        self._set_numbers: set[str] = set()
        self._ta1s = 0
        self._damaged = False
        self._version = ""  # of the group, "" when there are no tables for it
        self._tables: Tables | None = None
        self._own_tables: dict[tuple[str, str, Delimiters], Tables] = {}
        self._walker: Walker | None = None
        self._sums: Sums | None = None
        self._watch: GuideWatch | None = None

    def drain(self) -> list[Violation]:
        """What was found since the last time."""
        found, self._found = self._found, []
        return found

    def take(self, block: Block | Damage) -> None:
        if isinstance(block, Damage):
            self._damaged = True
            violation = Violation(
                segment="", offset=block.offset, message=block.why, code=block.code, standard=f"I18/{block.note}",
                interchange=self._at[0] if self._isa is not None else 0,
            )  # fmt: skip
            self._found.append(violation)
        elif block.header:
            self._open_interchange(block)
        else:
            self._segments(block)

    def finish(self) -> None:
        """The input is over."""
        if not self._at[0] and not self._damaged:
            self._add(_NOTHING, 0, "interchange_none", "there is no interchange in the input")
        self._abandon("the input ends before this {} is closed", self._st, self._gs, self._isa)
        self._isa = self._gs = self._st = self._walker = None

    # -- segments ---------------------------------------------------------------------------------------------------------

    def _segments(self, block: Block) -> None:
        mark = block.delimiters.element
        places = _Places(block)
        texts = places.texts
        at = 0
        while at < len(texts):
            if self._walker is not None:
                at = self._known(texts, at, mark, places)
                if at == len(texts):
                    return
            text = texts[at]
            self._segment(text, text.split(mark), places.offset(at))
            at += 1

    def _known(self, texts: list[str], start: int, mark: str, places: _Places) -> int:
        """Settle what needs no looking, from ``start`` on; the index of the first segment that does. Same as `_segment`, quicker."""
        assert self._walker is not None
        assert self._tables is not None
        walker, watched_by = self._walker, self._watched
        count = self._sums.take if self._sums is not None else None
        state, counts, position = walker.state, walker.counts, self._position
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
                watched_by(text.split(mark), position, places.offset(at))
        else:
            at = len(texts)
        walker.state, self._position = state, position
        return at

    def _segment(self, text: str, fields: list[str], offset: int) -> None:
        id = fields[0]
        match id:
            case "ST":
                self._open_set(fields, offset)
            case "SE":
                self._close_set(fields, offset)
            case "GS":
                self._open_group(fields, offset)
            case "GE":
                self._close_group(fields, offset)
            case "IEA":
                self._close_interchange(fields, offset)
            case _ if self._st is not None:
                self._position += 1
                self._inside(text, fields, offset)
            case "TA1" if self._gs is None and not self._groups:
                self._ta1s += 1
                self._envelope(fields, offset)
            case "ISB" | "ISE" | "TA3" if self._gs is None:
                return  # interchange services: grade of service, deferred delivery, delivery notice; nobody checks them
            case _:
                if text:
                    self._add(fields, offset, "outside", f"segment {_short(id)} outside of a set")

    def _inside(self, text: str, fields: list[str], offset: int) -> None:
        """A segment of an open set: its place, and itself."""
        if self._tables is None:
            return
        self._place(fields, offset)
        check = self._tables.check(fields[0])
        if check is not None:
            good = True
            for problem in check.problems(fields):
                good = False
                self._add(
                    fields, offset, problem.kind, problem.message, problem.element, problem.value, problem.severity,
                    ref=problem.ref, component=problem.component, repeat=problem.repeat,
                )  # fmt: skip
            if good:
                check.learn(text, fields)
        if fields[0] in self._tables.watched:
            self._watched(fields, self._position, offset)

    def _watched(self, fields: list[str], position: int, offset: int) -> None:
        if self._sums is not None and fields[0] in self._sums.watched:
            self._sums.take(fields, (position, offset))
        if self._watch is not None:
            for element, kind, message, value in self._watch.take(fields):
                self._add(fields, offset, kind, message, element, value, position=position)

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
                    message = f"segment {_short(id)} does not belong in this set"
            self._add(fields, offset, kind, message, segment=id, loop=problem.loop)

    # -- envelopes --------------------------------------------------------------------------------------------------------

    def _open_interchange(self, block: Block) -> None:
        self._abandon("another interchange begins before this {} is closed", self._st, self._gs, self._isa)
        isa = block.texts[0].split(block.delimiters.element)
        self._marks = block.delimiters
        self._isa, self._gs, self._st, self._walker = _Opened(isa, block.offset), None, None, None
        self._at = [self._at[0] + 1, 0, 0]
        self._groups, self._ta1s, self._group_numbers, self._version = 0, 0, set(), ""
        if self._remember:
            self.interchanges.append(InterchangeSeen(isa, self._marks))
        self._envelope(isa, block.offset)
        for element, kind, message in self._header_faults(isa):
            standard = f"I18/{_NOTES[element]}" if kind == "blank" else ""
            self._add(isa, block.offset, kind, message, element, isa[element], standard=standard)
        if self._guide is not None:
            self._compare_delimiters(self._guide.delimiters, isa, block.offset)

    def _header_faults(self, isa: list[str]) -> Iterator[tuple[int, str, str]]:
        """Element, kind and message of what the tables do not know about an ISA."""
        for element, who in ((6, "sender"), (8, "receiver")):
            if isa[element] and not isa[element].strip():
                yield element, "blank", f"the interchange {who} is blank"
        if isa[12] >= "00402" and isa[11] in (self._marks.element, self._marks.component, self._marks.segment):
            yield (
                11,
                "repetition_separator",
                f"{isa[11]!r} is another delimiter already; nothing can be repeated with it",
            )
        if not (isa[13].isascii() and isa[13].isdigit() and isa[13].strip("0")):
            yield 13, "interchange_number_bad", "the interchange control number must be 000000001 or more"
            return
        whose = (*(field.strip() for field in isa[5:9]), isa[15], isa[13])
        if whose in self._interchange_numbers:
            yield 13, "interchange_number_twice", "this sender used the control number before in the same input"
        self._interchange_numbers.add(whose)

    def _compare_delimiters(self, wanted: Delimiters, isa: list[str], offset: int) -> None:
        names = ["element", "segment", "component", *(["repetition"] if isa[12] >= "00402" else [])]
        for name in names:
            has, wants = getattr(self._marks, name), getattr(wanted, name)
            if has != wants:
                self._add(
                    isa, offset, "guide_delimiters", f"the {name} delimiter is {has!r}; the guide wants {wants!r}"
                )

    def _open_group(self, gs: list[str], offset: int) -> None:
        if self._gs is not None:
            self._abandon("another group begins before this {} is closed", self._st, self._gs, None)
        self._gs, self._st, self._walker = _Opened(gs, offset), None, None
        self._at[1:] = [self._at[1] + 1, 0]
        self._sets, self._set_numbers = 0, set()
        self._groups += 1
        version = _field(gs, 8)
        self._version = version[:6] if version[:6] in releases() else ""
        if self._remember:
            self.interchanges[-1].groups.append(GroupSeen(gs))
        if not self._version:
            message = f"no tables for release {version!r}: only the envelope is checked"
            self._add(gs, offset, "group_version", message, 8, version, "warning")
        if self._guide is not None and version != self._guide.version:
            self._add(
                gs,
                offset,
                "guide_version",
                f"the release is {version!r}; the guide wants {self._guide.version!r}",
                8,
                version,
            )
        self._envelope(gs, offset)
        number = _field(gs, 6).lstrip("0")
        if number in self._group_numbers:
            self._add(
                gs, offset, "group_number_twice", "this control number was used before in the interchange", 6, number
            )
        if _field(gs, 6) and (not number or number.startswith("-")):
            self._add(gs, offset, "group_number_bad", "the group control number must be 1 or more", 6)
        self._group_numbers.add(number)

    def _open_set(self, st: list[str], offset: int) -> None:
        if self._gs is None:
            self._add(st, offset, "set_outside", "ST outside of a group")
        if self._st is not None:
            self._abandon("another set begins before this {} is closed", self._st, None, None)
        self._position = 1
        self._at[2] += 1
        self._sets += 1
        self._st, self._walker, self._sums, self._tables, self._watch = _Opened(st, offset, 1), None, None, None, None
        id, number = _field(st, 1), _field(st, 2)
        if self._remember and self._gs is not None:
            self.interchanges[-1].groups[-1].sets.append(SetSeen(id, number, _field(st, 3)))
        if number in self._set_numbers:
            self._add(st, offset, "set_number_twice", "this control number was used before in the group", 2, number)
        self._set_numbers.add(number)
        if not self._version:
            return
        self._tables = self._tables_of(id)
        self._envelope(st, offset)
        definition = self._tables.definition
        if definition is None or self._tables.automaton is None:
            self._add(
                st, offset, "set_unknown", f"no tables for set {id!r}: its structure is not checked", 1, id, "warning"
            )
            return
        if self._guide is not None and self._guide.implementation not in ("", _field(st, 3)):
            message = f"the implementation is {_field(st, 3)!r}; the guide wants {self._guide.implementation!r}"
            self._add(st, offset, "guide_version", message, 3, standard="718/19")
        self._walker = Walker(self._tables.automaton)
        self._sums = self._tables.sums() if self._tables.sums is not None else None
        if self._guide is not None:
            self._watch = GuideWatch(self._guide, getattr(self._sums, "line", ""), definition)
        self._place(st, offset)
        if self._gs is not None and _field(self._gs.fields, 1) != definition.group:
            # Under an implementation convention of its own (004010X348) an industry may group as it likes.
            severity: Severity = "warning" if _field(self._gs.fields, 8)[6:7] == "X" else "error"
            message = f"set {id} belongs in a group {definition.group}, not {_field(self._gs.fields, 1)}"
            self._add(st, offset, "set_in_wrong_group", message, 1, id, severity)

    def _tables_of(self, set: str) -> Tables:
        set = set if set in release(self._version).sets else ""
        if self._guide is None:
            return standard_tables(self._version, set, self._marks)
        key = (self._version, set, self._marks)
        if key not in self._own_tables:
            self._own_tables[key] = Tables(*key, self._guide)
        return self._own_tables[key]

    def _close_set(self, se: list[str], offset: int) -> None:
        self._position += 1
        if self._st is None:
            self._position = 0
            self._add(se, offset, "set_not_open", "SE without ST")
            return
        st = self._st
        if self._tables is not None:
            self._place(se, offset)
            self._envelope(se, offset)
            if self._walker is not None:
                self._misplaced(se, offset, self._walker.finish())
        self._compare(se, offset, 1, str(self._position), "segments from ST to SE", "set_count", count=True)
        self._compare(se, offset, 2, _field(st.fields, 2), "the control number of ST", "set_number")
        if self._remember and self._gs is not None:
            self.interchanges[-1].groups[-1].sets[-1].segments = self._position
        self._close_sums()
        for message in self._watch.missing() if self._watch is not None else ():
            self._add(se, offset, "guide_segment_missing", message, segment=message.partition(" ")[0].partition("*")[0])
        self._st = self._walker = self._tables = self._sums = self._watch = None
        self._position = 0

    def _close_sums(self) -> None:
        for wrong in self._sums.wrong() if self._sums is not None else ():
            position, offset = wrong.place
            severity: Severity = "warning" if wrong.slight else "error"
            self._add(
                [wrong.segment], offset, wrong.kind, wrong.message, wrong.element, severity=severity, position=position
            )

    def _close_group(self, ge: list[str], offset: int) -> None:
        if self._st is not None:
            self._unclosed(self._st, "SE is missing before GE")
        self._st, self._walker, self._position = None, None, 0
        self._at[2] = 0
        if self._gs is None:
            self._add(ge, offset, "group_not_open", "GE without GS")
            return
        if self._remember:
            self.interchanges[-1].groups[-1].claimed = _field(ge, 1)
        self._envelope(ge, offset)
        self._compare(ge, offset, 1, str(self._sets), "sets in the group", "group_count", count=True)
        self._compare(ge, offset, 2, _field(self._gs.fields, 6), "the control number of GS", "group_number", count=True)
        if not self._sets:
            self._add(ge, offset, "group_empty", "there is no set in this group")
        self._gs = None

    def _close_interchange(self, iea: list[str], offset: int) -> None:
        if self._st is not None:
            self._unclosed(self._st, "SE is missing before IEA")
        if self._gs is not None:
            self._unclosed(self._gs, "GE is missing before IEA")
        self._gs, self._st, self._walker, self._position = None, None, None, 0
        self._at[1:] = [0, 0]
        if self._isa is None:
            self._add(iea, offset, "interchange_not_open", "IEA without ISA")
            return
        if self._remember:
            self.interchanges[-1].closed = True
        self._envelope(iea, offset)
        self._compare(iea, offset, 1, str(self._groups), "groups in the interchange", "interchange_count", count=True)
        self._compare(iea, offset, 2, self._isa.fields[13], "the control number of ISA", "interchange_number")
        if not self._groups and not self._ta1s:
            self._add(iea, offset, "interchange_empty", "there is neither a group nor a TA1 in this interchange")
        self._isa = None

    def _abandon(self, how: str, *opened: _Opened | None) -> None:
        """Something ends although these are open, innermost first."""
        for header in opened:
            if header is not None:
                id = header.fields[0]
                self._unclosed(header, f"{_CLOSED_BY[id]} is missing: {how.format(id)}")

    def _unclosed(self, header: _Opened, message: str) -> None:
        kind = {"ST": "set_not_closed", "GS": "group_not_closed"}.get(header.fields[0], "interchange_not_closed")
        self._add(header.fields, header.offset, kind, message, position=header.position)

    def _envelope(self, fields: list[str], offset: int) -> None:
        """The elements of an envelope's segment, by the release of the group or else of the interchange."""
        version = self._version or (f"{self._isa.fields[12]}0" if self._isa is not None else "")
        if fields[0] == "ISA":
            version = f"{fields[12]}0"
        tables = standard_tables(version if version in releases() else releases()[0], "", self._marks)
        check = tables.check(fields[0])
        assert check is not None
        text = self._marks.element.join(fields)
        if check.known_good(text, fields):
            return
        problems = list(check.problems(fields))
        if not problems and fields[0] != "ISA":
            check.learn(text, fields)
        for problem in problems:
            if fields[0] == "GS" and problem.element == 4 and _field(fields, 8) < "004010" and len(problem.value) == 6:
                continue  # dates had no century then
            standard = _REPORTED_AS.get(f"{fields[0]}{problem.element:02d}", "")
            if fields[0] == "ISA":
                standard = f"I18/{_NOTES.get(problem.element, '022')}"
            self._add(
                fields, offset, problem.kind, problem.message, problem.element, problem.value, problem.severity,
                ref=problem.ref, standard=standard or "I18/024",
            )  # fmt: skip

    def _compare(
        self, fields: list[str], offset: int, element: int, expected: str, what: str, kind: str, *, count: bool = False
    ) -> None:
        value = _field(fields, element)
        both = count and all(text.isascii() and text.isdigit() for text in (value, expected))
        if value.lstrip("0") != expected.lstrip("0") if both else value != expected:
            self._add(fields, offset, kind, f"{_short(value)} is not {expected}, {what}", element, value)

    # -- reporting --------------------------------------------------------------------------------------------------------

    def _add(
        self,
        fields: list[str],
        offset: int,
        kind: str,
        message: str,
        element: int = 0,
        value: str = "",
        severity: Severity = "error",
        *,
        ref: str = "",
        component: int = 0,
        repeat: int = 0,
        standard: str = "",
        segment: str = "",
        loop: str = "",
        position: int | None = None,
    ) -> None:
        known = KINDS[kind]
        if not loop and self._walker is not None and fields[0] not in ENVELOPE:
            loop = self._walker.loop
        self._found.append(
            Violation(
                severity=severity, segment=segment or fields[0], element=element, component=component, repeat=repeat,
                position=self._position if position is None else position, offset=offset, message=message,
                value=value or (_field(fields, element) if element and not component else ""), code=known.code,
                standard=standard or known.standard, ref=ref, loop=loop,
                interchange=self._at[0], group=self._at[1], set=self._at[2] if self._st is not None else 0,
            )
        )  # fmt: skip


class _Places:
    """The texts of a block, cleaned, and the byte each begins at."""

    def __init__(self, block: Block) -> None:
        self._width = block.mark
        self._last = (0, block.offset)
        self._offsets: list[int] = []
        self.texts = block.texts
        if not block.tidy:
            self._clean(block)

    def _clean(self, block: Block) -> None:
        newline = block.delimiters.segment in "\r\n"
        self.texts, at = [], block.offset
        for raw in block.texts:
            text, before = clean(raw, newline)
            if text or not newline:
                self.texts.append(text)
                self._offsets.append(at + before)
            at += len(raw) + block.mark

    def offset(self, index: int) -> int:
        """Ask in ascending order."""
        if self._offsets:
            return self._offsets[index]
        last, offset = self._last
        offset += sum(map(len, self.texts[last:index])) + self._width * (index - last)
        self._last = (index, offset)
        return offset


_NOTHING = [""]
_CLOSED_BY = {"ST": "SE", "GS": "GE", "ISA": "IEA"}


def _field(fields: list[str], position: int) -> str:
    return fields[position] if position < len(fields) else ""


def _short(text: str) -> str:
    return repr(text) if len(text) <= 60 else repr(text[:57] + "...")
