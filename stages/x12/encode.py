"""What a compiled plan does for each document: fetch, encode, check, join; and how failures become one error for people.

Each row first tries the plain way for all of its elements at once. When anything about it is in doubt it goes the careful way,
element by element, which finds every fault and makes every permitted substitution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import msgspec

from pipeline import DataError
from stages.x12.definitions import Segment, SetDefinition, SyntaxNote
from stages.x12.mapping import Computed, Lookup, Path, SetMapping, Source, Unusable
from stages.x12.paths import fetcher, resolve
from stages.x12.values import (
    MISSING,
    NOT_LISTED,
    NOTE,
    REQUIRED,
    TOO_MANY,
    UNUSABLE,
    Alphabet,
    Broken,
    Doubt,
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
        self, name: str, source: Source | None, paths: tuple[str, ...], origin: str, encoder: Encoder | None
    ) -> None:
        self.name = name
        self.source = source
        self.paths = paths
        self.origin = origin
        self.encoder = encoder

    @property
    def position(self) -> int:
        return int(self.name[-2:])

    @property
    def constant(self) -> str | None:
        return self.source if isinstance(self.source, str) else None

    def value(self, scope: Mapping[str, Any]) -> Any:
        """The value before encoding. Raises `Broken` when a look-up or a computation has none."""
        found = [resolve(scope, path) for path in self.paths]
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

    def translated(self, word: Any) -> str:
        assert isinstance(self.source, Lookup)
        if word in (None, ""):
            return self.source.blank
        code = self.source.table.get(str(word))
        if code is None and not self.source.optional:
            raise Broken(NOT_LISTED, f"{self.source.name} {shown(word)} is not in `guide.{self.source.table_name}`")
        return code or ""

    def plain(self) -> Callable[..., str]:
        """From the fetched values of ``paths`` to text; raises `Doubt`."""
        assert self.encoder is not None
        encode = self.encoder.plain
        if isinstance(self.source, Lookup):
            return self._plain_lookup(self.source)
        if isinstance(self.source, Computed):
            function = self.source.function

            def computed(*values: Any) -> str:
                try:
                    return encode(function(*values))
                except Unusable as error:
                    raise Doubt from error

            return computed
        return encode

    def _plain_lookup(self, source: Lookup) -> Callable[[Any], str]:
        assert self.encoder is not None
        encode = self.encoder.plain
        ready: dict[Any, str] = {}
        for word, code in [*source.table.items(), ("", source.blank), (None, source.blank)]:
            try:
                ready[word] = encode(code)
            except Doubt:
                continue

        def find(word: Any) -> str:
            try:
                return ready[word]
            except (KeyError, TypeError):
                raise Doubt from None

        return find


class CompiledRow(msgspec.Struct, frozen=True, kw_only=True):
    """One segment, ready to be written any number of times."""

    segment: Segment
    key: str  # REF*IA
    parts: tuple[Part, ...]
    pairs_from: int
    pairs: tuple[tuple[str, Part], ...]
    when: Part | None
    needed: bool  # the set demands it
    required: str  # the guide's ``require`` entry that demands it
    alphabet: Alphabet
    element_mark: str
    children: tuple[CompiledRow, ...]
    quick: Any = None

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "quick", _quick(self))

    def write(self, scope: Mapping[str, Any], out: list[str], run: Rendering) -> None:
        """Append this segment and its children, or nothing when there is nothing to say."""
        try:
            text = self.quick(scope)
        except Doubt:
            text = self.careful(scope, run)
        if text:
            out.append(text)
            for child in self.children:
                child.write(scope, out, run)
        elif self.required:
            place = f"segment {self.key} ({self.segment.name})"
            run.faults.append(
                Fault(REQUIRED, self.segment.name, place + run.line, f"`guide.require` names {self.required}")
            )

    def careful(self, scope: Mapping[str, Any], run: Rendering) -> str:
        """The segment element by element; every fault goes to ``run`` (and the result then does not matter)."""
        if self.when is not None and not self.when.value(scope):
            return ""
        faults: list[Fault] = []
        texts = {part.position: self._text(part, scope, faults, run) for part in self.parts}
        pairs = [(qualifier, self._text(part, scope, faults, run)) for qualifier, part in self.pairs]
        pairs = [(qualifier, text) for qualifier, text in pairs if text]
        says_something = any(texts[p.position] for p in self.parts if p.constant is None) or bool(pairs)
        missing_only = all(fault.rule is MISSING for fault in faults)
        if not says_something and missing_only and not self.needed and not self._constant:
            return ""
        for i, (qualifier, text) in enumerate(pairs):
            texts[self.pairs_from + 2 * i] = qualifier
            texts[self.pairs_from + 2 * i + 1] = text
        present = frozenset(position for position, text in texts.items() if text)
        if not faults:
            faults += self._notes(present, run)
        run.faults += faults
        last = max(present, default=0)
        return self.element_mark.join([self.segment.id, *(texts.get(i, "") for i in range(1, last + 1))])

    @property
    def _constant(self) -> bool:
        return all(part.constant is not None for part in self.parts) and not self.pairs

    def _text(self, part: Part, scope: Mapping[str, Any], faults: list[Fault], run: Rendering) -> str:
        assert part.encoder is not None
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
            for note in self.segment.notes
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
        for number, item in enumerate(items, start=1):
            inner[self.var] = item
            run.item = (self.var, number)
            self.row.write(inner, out, run)
        run.item = None
        if self.limit is not None and len(items) > self.limit:
            place = f"loop {self.row.segment.id}, from {self.over}"
            run.faults.append(Fault(TOO_MANY, self.row.segment.name, place, f"{len(items)} of at most {self.limit}"))


def _quick(row: CompiledRow) -> Callable[[Mapping[str, Any]], str]:
    """The plain way for a whole segment: raises `Doubt` unless everything about it is plainly right."""
    relations = _relations(row)
    positions = frozenset(part.position for part in row.parts)
    if not all(note.holds(positions) for note in relations):
        return _never
    variable = [part for part in row.parts if part.constant is None]
    mark = row.element_mark
    end = row.pairs_from - 1 if row.pairs else max((part.position for part in row.parts), default=0)
    template = _template(row, end)
    if not variable and not row.pairs:
        text = template % ()
        return lambda scope: text
    sources = variable + [part for _, part in row.pairs]
    if len(sources) == len(variable) == 1 and len(sources[0].paths) == 1 and row.when is None:
        return _quick_single(row, sources[0], template, bool(relations))
    fetch = fetcher(tuple(path for part in sources for path in part.paths))
    encoders = [part.plain() for part in sources]
    arguments = _arguments([len(part.paths) for part in sources])
    split = len(variable)
    qualifiers = [f"{mark}{qualifier}{mark}" for qualifier, _ in row.pairs]
    fits = row.alphabet.fits
    always, when = row.needed, row.when

    def quick(scope: Mapping[str, Any]) -> str:
        if when is not None and not when.value(scope):
            return ""
        values = fetch(scope)
        if arguments is None:
            texts = [encode(value) for encode, value in zip(encoders, values, strict=True)]
        else:
            texts = [encode(*values[at]) for encode, at in zip(encoders, arguments, strict=True)]
        if not fits("".join(texts)):
            raise Doubt
        if not all(texts):
            if not always and not any(texts):
                return ""
            if relations:
                raise Doubt
        if qualifiers:
            text = template % tuple(texts[:split])
            for qualifier, tail in zip(qualifiers, texts[split:], strict=True):
                if tail:
                    text += qualifier + tail
        else:
            text = template % tuple(texts)
        return text.rstrip(mark) if text[-1] == mark else text

    return quick


def _quick_single(row: CompiledRow, part: Part, template: str, related: bool) -> Callable[[Mapping[str, Any]], str]:
    """The plain way for the commonest segment: constants and one value."""
    (path,) = part.paths
    root, _, rest = path.partition(".")
    attribute = attrgetter(rest)
    encode, fits = part.plain(), row.alphabet.fits
    before, after = (half.replace("%%", "%") for half in template.split("%s"))
    always = row.needed

    def quick(scope: Mapping[str, Any]) -> str:
        try:
            value = attribute(scope[root])
        except (AttributeError, KeyError):
            value = resolve(scope, path)
        text = encode(value)
        if text:
            if fits(text):
                return before + text + after
            raise Doubt
        if always or related:
            raise Doubt
        return ""

    return quick


def _never(scope: Mapping[str, Any]) -> str:
    raise Doubt


def _template(row: CompiledRow, end: int) -> str:
    """The segment with ``%s`` where data goes: constants and separators are folded in."""
    by_position = {part.position: part for part in row.parts}
    slots = [row.segment.id]
    for position in range(1, end + 1):
        part = by_position.get(position)
        if part is None:
            slots.append("")
        else:
            slots.append("%s" if part.constant is None else part.constant.replace("%", "%%"))
    return row.element_mark.join(slots)


def _arguments(counts: list[int]) -> list[slice] | None:
    """Which of the fetched values each source takes; None when each takes exactly its own one."""
    if all(count == 1 for count in counts):
        return None
    starts = [sum(counts[:i]) for i in range(len(counts))]
    return [slice(start, start + count) for start, count in zip(starts, counts, strict=True)]


def _relations(row: CompiledRow) -> tuple[SyntaxNote, ...]:
    """The notes that can break when some elements are empty. Those within the pairs cannot: pairs are written whole."""
    first_pair = row.pairs_from or 99
    return tuple(note for note in row.segment.notes if min(note.positions) < first_pair and _touches(row, note))


def _touches(row: CompiledRow, note: SyntaxNote) -> bool:
    return any(part.position in note.positions for part in row.parts)


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
