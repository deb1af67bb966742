"""Writing a document element by element: every fault found and worded, every permitted substitution made and noted.

This defines what a plan writes. `stages.x12.writing.generate` writes the same, faster, for documents that need neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline import DataError
from stages.x12.definitions import Segment, SetDefinition, SyntaxNote
from stages.x12.writing.mapping import Computed, Lookup, Path, SetMapping, Source, Unusable
from stages.x12.writing.paths import resolve, resolver
from stages.x12.writing.values import (
    FORBIDDEN,
    MISSING,
    NOT_LISTED,
    NOTE,
    REQUIRED,
    TOO_MANY,
    UNUSABLE,
    Broken,
    Encoder,
    Rule,
    shown,
)


class Fault(msgspec.Struct, frozen=True):
    """One broken rule at one place of the document."""

    rule: Rule
    name: str  # the element's or segment's name
    place: str  # "element BIG02 (Invoice Number), from bill.number"
    why: str


class Rendering:
    """What one rendering gathers on its way: faults, notes, and which line it is at."""

    def __init__(self, notes: dict[str, str] | None) -> None:
        self.faults: list[Fault] = []
        self.notes = notes
        self.item: tuple[str, int] | None = None  # ("line", 3)

    @property
    def line(self) -> str:
        """Where we are, to append to a place: ``, line 3``."""
        return f", {self.item[0]} {self.item[1]}" if self.item else ""


class Part:
    """One element's source, ready: how to get its value from the fetched ones, and how to write it."""

    def __init__(
        self,
        name: str,
        source: Source | None,
        paths: tuple[str, ...],
        origin: str,
        encoder: Encoder | None,
        default: str = "",
    ) -> None:
        self.default = default  # what stands for nothing, once the segment is sent
        self.name = name
        self.source = source
        self.paths = paths
        self.origin = origin
        self.encoder = encoder
        self.constant = source if isinstance(source, str) else None
        self.position = int(name[-2:]) if encoder is not None else 0
        self._getters = [resolver(path) for path in paths]

    def value(self, scope: Mapping[str, Any]) -> Any:
        """The value before encoding. Raises `Broken` when a look-up or a computation has none."""
        found = [get(scope) for get in self._getters]
        match self.source:
            case str():
                return self.source
            case Path():
                return found[0]
            case Lookup():
                return self.translated(found[0])
            case Computed():
                try:
                    return self.source.function(*found)
                except Unusable as error:
                    raise Broken(UNUSABLE, str(error)) from error
            case _:
                return None

    def translated(self, word: Any) -> Any:
        assert isinstance(self.source, Lookup)
        if word is None or word == "":
            return self.source.blank
        code = self.source.table.get(word) if isinstance(word, str) else None
        if code is None and not self.source.optional:
            raise Broken(NOT_LISTED, f"{self.source.name} {shown(word)} is not in `guide.{self.source.table_name}`")
        return code or ""


class Slot(msgspec.Struct, frozen=True):
    """A position of pairs for which the guide asks something, whichever pair comes to stand there."""

    position: int
    name: str
    encoder: Encoder


class CompiledRow(msgspec.Struct, frozen=True, kw_only=True):
    """One segment, ready to be written any number of times."""

    segment: Segment
    key: str  # REF*IA
    parts: tuple[Part, ...]
    notes: tuple[SyntaxNote, ...]  # those that hold here
    pairs_from: int
    pairs: tuple[tuple[str, Part], ...]
    when: Part | None
    needed: bool  # the set demands it
    required: str  # the guide's ``require`` entry that demands it
    element_mark: str
    children: tuple[CompiledRow, ...]
    lacking: tuple[str, ...] = ()  # elements that the guide requires of this segment and this row never has
    refused: str = ""  # why a document that has something to say here cannot be sent: the guide forbids the segment
    slots: tuple[Slot, ...] = ()

    def write(self, scope: Mapping[str, Any], out: list[str], run: Rendering) -> None:
        """Append this segment and its children, or nothing when there is nothing to say."""
        text = self.text(scope, run)
        if text and self.refused:
            place = f"segment {self.key} ({self.segment.name}){run.line}"
            run.faults.append(Fault(FORBIDDEN, self.segment.name, place, self.refused))
        elif text:
            out.append(text)
            for child in self.children:
                child.write(scope, out, run)
        elif self.required:
            place = f"segment {self.key} ({self.segment.name})"
            run.faults.append(
                Fault(REQUIRED, self.segment.name, place + run.line, f"`guide.require` names {self.required}")
            )

    def text(self, scope: Mapping[str, Any], run: Rendering) -> str:
        """The segment element by element; every fault goes to ``run`` (and the result then does not matter)."""
        if self.when is not None and not self.when.value(scope):
            return ""
        faults: list[Fault] = []
        texts = {part.position: self._text(part, scope, faults, run) for part in self.parts}
        pairs = [(qualifier, self._text(part, scope, faults, run)) for qualifier, part in self.pairs]
        pairs = [(qualifier, text) for qualifier, text in pairs if text]
        says_something = any(texts[p.position] for p in self.parts if p.constant is None) or bool(pairs)
        for part in self.parts:
            texts[part.position] = texts[part.position] or part.default
        missing_only = all(fault.rule is MISSING for fault in faults)
        if not says_something and missing_only and not self.needed and not self._constant:
            return ""
        for i, (qualifier, text) in enumerate(pairs):
            texts[self.pairs_from + 2 * i] = qualifier
            texts[self.pairs_from + 2 * i + 1] = text
        present = frozenset(position for position, text in texts.items() if text)
        faults += self._by_guide(texts, run)
        if not faults:
            faults += self._notes(present, run)
        run.faults += faults
        last = max(present, default=0)
        return self.element_mark.join([self.segment.id, *(texts.get(i, "") for i in range(1, last + 1))])

    def _by_guide(self, texts: Mapping[int, str], run: Rendering) -> list[Fault]:
        """What the guide asks of places that only the finished segment has."""
        of = f" of segment {self.key} ({self.segment.name}){run.line}"
        found = [
            Fault(REQUIRED, name, f"element {name}{of}", "it is never sent there; `guide.require` names it")
            for name in self.lacking
        ]
        for slot in self.slots:
            try:
                slot.encoder.hold(texts.get(slot.position, ""))
            except Broken as broken:
                name = slot.encoder.element.name
                found.append(Fault(broken.rule, name, f"element {slot.name} ({name}){of}", broken.why))
        return found

    @property
    def _constant(self) -> bool:
        return all(part.constant is not None for part in self.parts) and not self.pairs

    def _text(self, part: Part, scope: Mapping[str, Any], faults: list[Fault], run: Rendering) -> str:
        assert part.encoder is not None
        if part.constant is not None:
            return part.constant  # encoded when the plan was compiled
        try:
            text, note = part.encoder.encode(part.value(scope))
        except Broken as broken:
            name = part.encoder.element.name
            place = f"element {part.name} ({name}), from {part.origin}{run.line}"
            faults.append(Fault(broken.rule, name, place, broken.why))
            return ""
        if note and run.notes is not None:
            run.notes[f"{part.name}{run.line}"] = note
        return text

    def _notes(self, present: frozenset[int], run: Rendering) -> list[Fault]:
        place = f"segment {self.key} ({self.segment.name}){run.line}"
        return [
            Fault(NOTE, self.segment.name, place, f"{note.explain(self.segment.id)} (syntax note {note})")
            for note in self.notes
            if not note.holds(present)
        ]


class CompiledEach(msgspec.Struct, frozen=True):
    """A row repeated over a sequence, with the largest number of times the set allows."""

    var: str
    over: str
    row: CompiledRow
    limit: int | None

    def write(self, scope: Mapping[str, Any], out: list[str], run: Rendering) -> None:
        items = resolve(scope, self.over) or ()
        inner = dict(scope)
        sent = 0
        for number, item in enumerate(items, start=1):
            inner[self.var] = item
            run.item = (self.var, number)
            before = len(out)
            self.row.write(inner, out, run)
            sent += len(out) > before
        run.item = None
        if self.limit is not None and sent > self.limit:
            place = f"loop {self.row.segment.id}, from {self.over}"
            run.faults.append(Fault(TOO_MANY, self.row.segment.name, place, f"{sent} of at most {self.limit}"))


def failure(
    definition: SetDefinition,
    mapping: SetMapping,
    subject: Mapping[str, Any],
    faults: list[Fault],
    failures: list[DataError],
) -> DataError:
    """One error for all that is wrong with a document: the first leads, the others follow in ``why``."""
    label = f"{mapping.subject} {resolve(subject, mapping.label) or 'without number'}"
    partner = resolve(subject, "partner.code")
    document = f"{label}, {definition.id} to {partner}" if partner else f"{label}, {definition.id}"
    errors = failures + [_error(fault, document) for fault in faults]
    first, others = errors[0], errors[1:]
    listed = [f"{error.what} ({error.where.removeprefix(document + ', ')}): {error.why}" for error in others]
    also = "; also: " + "; ".join(listed) if listed else ""
    return DataError(
        first.what,
        where=first.where or document,
        why=first.why + also,
        mend=first.mend,
        owner=first.owner,
        code=first.code,
    )


def _error(fault: Fault, document: str) -> DataError:
    return DataError(
        f"{fault.name} {fault.rule.what}",
        where=f"{document}, {fault.place}",
        why=fault.why,
        mend=fault.rule.mend,
        owner="EDI desk" if fault.rule.desk else "AP",
        code=fault.rule.code,
    )
