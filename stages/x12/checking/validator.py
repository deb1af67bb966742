"""Checking interchanges against the standard, and a partner's guide on top: all findings, in the order of the bytes.

Streams: it holds what is open (interchange, group, set, running sums), never the segments. It shares tables and the walk with the
encoder, and nothing else: it reads bytes and judges texts. No input/output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from stages.x12.checking.envelope_check import check_envelope, header_faults
from stages.x12.checking.found import Found, field, short
from stages.x12.checking.set_check import OpenSet
from stages.x12.checking.tables import Tables, standard_tables
from stages.x12.checking.violation import Examination, GroupSeen, InterchangeSeen, SetSeen, Violation
from stages.x12.definitions import release, releases
from stages.x12.guide import Delimiters, Guide
from stages.x12.reading.places import Places
from stages.x12.reading.scanner import Block, Damage, Scanner


def validate(payload: bytes, guide: Guide | None = None) -> list[Violation]:
    """Everything that is wrong with the interchanges in these bytes, in their order. Empty when nothing is."""
    return list(findings([payload], guide))


def findings(chunks: Iterable[bytes], guide: Guide | None = None) -> Iterator[Violation]:
    """What `validate` finds, as the chunks come. Memory does not grow with the input."""
    checker = Checker(guide)
    yield from _run(checker, chunks)


def examine(chunks: Iterable[bytes], guide: Guide | None = None) -> Examination:
    """All findings and the envelopes they are in: what `stages.x12.answering.acknowledge` answers from."""
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


class _Opened(msgspec.Struct):
    """An interchange or a group that is open: its header, where that stands, and what was met in it so far."""

    fields: list[str]
    offset: int
    numbers: set[str] = set()  # the control numbers of what it holds
    held: int = 0  # how many groups, or sets
    acknowledged: bool = False  # a TA1 was met


class Checker:
    """Takes blocks in order; holds what is open and compares when it is closed. `drain` hands out what was found since."""

    def __init__(self, guide: Guide | None = None, *, remember: bool = False) -> None:
        self.interchanges: list[InterchangeSeen] = []  # filled when ``remember``
        self._guide = guide
        self._remember = remember
        self._found = Found()
        self.drain = self._found.drain
        self._isa: _Opened | None = None
        self._gs: _Opened | None = None
        self._set: OpenSet | None = None
        self._marks = Delimiters()
        self._count = 0  # of interchanges
        self._numbers: set[tuple[str, ...]] = set()  # of interchanges, with whose they are
        self._damaged = False
        self._version = ""  # of the group, "" when there are no tables for it
        self._own_tables: dict[tuple[str, str, Delimiters], Tables] = {}

    def take(self, block: Block | Damage) -> None:
        if isinstance(block, Damage):
            self._damaged = True
            self._found.damage(block, inside=self._isa is not None)
        elif block.header:
            self._open_interchange(block)
        else:
            self._segments(block)

    def finish(self) -> None:
        """The input is over."""
        if not self._count and not self._damaged:
            self._found.add([""], 0, "interchange_none", "there is no interchange in the input")
        self._abandon("the input ends before this {} is closed", self._gs, self._isa)
        self._isa = self._gs = None

    # -- segments ---------------------------------------------------------------------------------------------------------

    def _segments(self, block: Block) -> None:
        mark = block.delimiters.element
        places = Places(block)
        texts = places.texts
        at = 0
        while at < len(texts):
            if self._set is not None and self._set.walks:
                at = self._set.known(texts, at, places)
                if at == len(texts):
                    return
            text = texts[at]
            self._segment(text, text.split(mark), places.offset(at))
            at += 1

    def _segment(self, text: str, fields: list[str], offset: int) -> None:
        match fields[0]:
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
            case _ if self._set is not None:
                self._set.take(text, fields, offset)
            case _:
                self._outside(text, fields, offset)

    def _outside(self, text: str, fields: list[str], offset: int) -> None:
        """A segment between the sets."""
        early = self._gs is None and self._isa is not None and not self._isa.held
        if fields[0] == "TA1" and early:
            assert self._isa is not None
            self._isa.acknowledged = True
            self._envelope(fields, offset)
        elif fields[0] in ("ISB", "ISE", "TA3") and self._gs is None:
            return  # interchange services: grade of service, deferred delivery, delivery notice; nobody checks them
        else:
            what = f"segment {short(fields[0])}" if text else "an empty segment"
            self._found.add(fields, offset, "outside", f"{what} outside of a set")

    def _envelope(self, fields: list[str], offset: int) -> None:
        """The elements of an envelope's segment, by the release of the group or else of the interchange."""
        version = self._version or (f"{self._isa.fields[12]}0" if self._isa is not None else "")
        check_envelope(self._found, fields, offset, version, self._marks)

    # -- interchanges -----------------------------------------------------------------------------------------------------

    def _open_interchange(self, block: Block) -> None:
        self._abandon("another interchange begins before this {} is closed", self._gs, self._isa)
        isa = block.texts[0].split(block.delimiters.element)
        self._marks = block.delimiters
        self._isa, self._gs, self._version = _Opened(isa, block.offset, set()), None, ""
        self._count += 1
        self._found.interchange, self._found.group = self._count, 0
        if self._remember:
            self.interchanges.append(InterchangeSeen(isa, self._marks))
        self._envelope(isa, block.offset)
        for element, kind, message, standard in header_faults(isa, self._marks):
            self._found.add(isa, block.offset, kind, message, element, standard=standard)
        self._repeated(isa, block.offset)

    def _repeated(self, isa: list[str], offset: int) -> None:
        whose = (*(text.strip() for text in isa[5:9]), isa[15], isa[13])
        if whose in self._numbers and isa[13].strip("0"):
            message = "this sender used the control number before in the same input"
            self._found.add(isa, offset, "interchange_number_twice", message, 13)
        self._numbers.add(whose)

    def _close_interchange(self, iea: list[str], offset: int) -> None:
        self._unclosed_set("SE is missing before IEA")
        if self._gs is not None:
            self._unclosed(self._gs, "GE is missing before IEA")
        self._gs = None
        self._found.group = 0
        if self._isa is None:
            self._found.add(iea, offset, "interchange_not_open", "IEA without ISA")
            return
        opened, self._isa = self._isa, None
        if self._remember:
            self.interchanges[-1].closed = True
        version = self._version or f"{opened.fields[12]}0"
        check_envelope(self._found, iea, offset, version, self._marks)
        groups = str(opened.held)
        self._found.compare(iea, offset, 1, groups, "groups in the interchange", "interchange_count", count=True)
        self._found.compare(iea, offset, 2, opened.fields[13], "the control number of ISA", "interchange_number")
        if not opened.held and not opened.acknowledged:
            message = "there is neither a group nor a TA1 in this interchange"
            self._found.add(iea, offset, "interchange_empty", message)

    # -- groups -----------------------------------------------------------------------------------------------------------

    def _open_group(self, gs: list[str], offset: int) -> None:
        if self._gs is not None:
            self._abandon("another group begins before this {} is closed", self._gs, None)
        self._unclosed_set("SE is missing: a group begins before this ST is closed")
        self._gs = _Opened(gs, offset, set())
        if self._isa is not None:
            self._isa.held += 1
            self._found.group = self._isa.held
        version = field(gs, 8)
        self._version = version[:6] if version[:6] in releases() else ""
        if self._remember:
            self.interchanges[-1].groups.append(GroupSeen(gs))
        self._check_version(gs, offset, version)
        self._envelope(gs, offset)
        self._check_number(gs, offset)

    def _check_version(self, gs: list[str], offset: int, version: str) -> None:
        if not self._version:
            message = f"no tables for release {version!r}: only the envelope is checked"
            self._found.add(gs, offset, "group_version", message, 8, version, "warning")
        if self._guide is not None and field(gs, 1) in _GUIDED:
            self._compare_with_guide(self._guide, gs, offset, version)

    def _compare_with_guide(self, guide: Guide, gs: list[str], offset: int, version: str) -> None:
        """What a guide says of a group as a whole; groups of other sets, such as acknowledgements, may be as they like."""
        if version != guide.version:
            message = f"the release is {version!r}; the guide wants {guide.version!r}"
            self._found.add(gs, offset, "guide_version", message, 8, version)
        late = self._isa is not None and self._isa.fields[12] >= "00402"
        for name in ["element", "segment", "component", *(["repetition"] if late else [])]:
            has, wants = getattr(self._marks, name), getattr(guide.delimiters, name)
            if has != wants:
                message = f"the {name} delimiter is {has!r}; the guide wants {wants!r}"
                self._found.add(gs, offset, "guide_delimiters", message)

    def _check_number(self, gs: list[str], offset: int) -> None:
        number = field(gs, 6).lstrip("0")
        if self._isa is not None and number in self._isa.numbers:
            message = "this control number was used before in the interchange"
            self._found.add(gs, offset, "group_number_twice", message, 6, number)
        if self._isa is not None:
            self._isa.numbers.add(number)
        if field(gs, 6) and (not number or number.startswith("-")):
            self._found.add(gs, offset, "group_number_bad", "the group control number must be 1 or more", 6)

    def _close_group(self, ge: list[str], offset: int) -> None:
        self._unclosed_set("SE is missing before GE")
        if self._gs is None:
            self._found.add(ge, offset, "group_not_open", "GE without GS")
            return
        opened, self._gs = self._gs, None
        if self._remember:
            self.interchanges[-1].groups[-1].claimed = field(ge, 1)
        self._envelope(ge, offset)
        self._found.compare(ge, offset, 1, str(opened.held), "sets in the group", "group_count", count=True)
        number = field(opened.fields, 6)
        self._found.compare(ge, offset, 2, number, "the control number of GS", "group_number", count=True)
        if not opened.held:
            self._found.add(ge, offset, "group_empty", "there is no set in this group")
        self._found.group = 0

    # -- sets -------------------------------------------------------------------------------------------------------------

    def _open_set(self, st: list[str], offset: int) -> None:
        if self._gs is None:
            self._found.add(st, offset, "set_outside", "ST outside of a group")
        self._unclosed_set("SE is missing: another set begins before this ST is closed")
        self._found.position = 1
        if self._gs is not None:
            self._gs.held += 1
        self._found.set = self._gs.held if self._gs is not None else 1
        tables = self._tables_of(field(st, 1)) if self._version else None
        guide = self._guide if field(st, 1) in _GUIDED.values() else None
        self._set = OpenSet(st, offset, self._found, self._marks, tables, guide)
        if self._gs is not None:
            self._counted(self._gs, st, offset)
        self._set.begin(self._version, self._gs.fields if self._gs is not None else [])

    def _counted(self, group: _Opened, st: list[str], offset: int) -> None:
        number = field(st, 2)
        if self._remember:
            self.interchanges[-1].groups[-1].sets.append(SetSeen(field(st, 1), number, field(st, 3)))
        if number in group.numbers:
            message = "this control number was used before in the group"
            self._found.add(st, offset, "set_number_twice", message, 2, number)
        group.numbers.add(number)

    def _tables_of(self, set: str) -> Tables:
        set = set if set in release(self._version).sets else ""
        if self._guide is None or set not in _GUIDED.values():
            return standard_tables(self._version, set, self._marks)
        key = (self._version, set, self._marks)
        if key not in self._own_tables:
            self._own_tables[key] = Tables(*key, self._guide)
        return self._own_tables[key]

    def _close_set(self, se: list[str], offset: int) -> None:
        if self._set is None:
            self._found.add(se, offset, "set_not_open", "SE without ST")
            return
        self._set.close(se, offset, self._version)
        if self._remember and self._gs is not None:
            self.interchanges[-1].groups[-1].sets[-1].segments = self._found.position
        self._leave_set()

    def _leave_set(self) -> None:
        self._set = self._found.walker = None
        self._found.set = self._found.position = 0

    # -- what is not closed -----------------------------------------------------------------------------------------------

    def _abandon(self, how: str, *opened: _Opened | None) -> None:
        """Something ends although these, and maybe a set, are open; innermost first."""
        self._unclosed_set(f"SE is missing: {how.format('ST')}")
        for header in opened:
            if header is not None:
                id = header.fields[0]
                self._unclosed(header, f"{_CLOSED_BY[id]} is missing: {how.format(id)}")

    def _unclosed(self, header: _Opened, message: str) -> None:
        kind = "group_not_closed" if header.fields[0] == "GS" else "interchange_not_closed"
        self._found.add(header.fields, header.offset, kind, message)

    def _unclosed_set(self, message: str) -> None:
        if self._set is not None:
            self._found.add(self._set.fields, self._set.offset, "set_not_closed", message, position=1)
            self._leave_set()


_CLOSED_BY = {"GS": "GE", "ISA": "IEA"}
_GUIDED = {"IN": "810", "PO": "850", "RA": "820"}
"""What guides are about: groups, and the set in each."""
