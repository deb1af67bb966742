"""Compiling a mapping for one partner: the guide applied, constants folded, the order proved against the set; once per (guide, set).

`Plan.render` then only fetches, encodes and joins. What a row does at run time is in `stages.x12.encode`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pipeline import ConfigError
from stages.x12.definitions import Node, Segment, SetDefinition, release
from stages.x12.encode import CompiledEach, CompiledRow, Part, Rendering, failure
from stages.x12.guide import Guide, element_key, lint_guide, segment_key
from stages.x12.mapping import Computed, Each, Lookup, Path, Row, SetMapping, Source
from stages.x12.paths import fingerprint, resolve
from stages.x12.structure import Walker
from stages.x12.values import Alphabet, Broken, Encoder

CONTROL_PLACEHOLDER = "0000"
"""Stands for ST02 and SE02 in a rendered body; `stages.x12.envelope.pack` puts the number in."""


class Plan:
    """A mapping made ready for one partner. Immutable; share it between documents.

    ``fields`` are the source fields it uses, as paths (``bill.lines.quantity`` for each line's). ``origins`` says where each
    element comes from, one line each; ``digest`` is its SHA-256.
    """

    def __init__(
        self,
        definition: SetDefinition,
        mapping: SetMapping,
        rows: tuple[CompiledRow | CompiledEach, ...],
        fields: tuple[str, ...],
        origins: str,
        lookups: tuple[tuple[str, Lookup], ...],
        guide: Guide,
    ) -> None:
        self.set = definition.id
        self.fields = fields
        self.origins = origins
        self.digest = hashlib.sha256(origins.encode()).hexdigest()
        self._definition = definition
        self._mapping = mapping
        self._rows = rows
        self._lookups = lookups
        marks = guide.delimiters
        self._end = marks.segment + ("\n" if guide.newline else "")
        self._head = f"ST{marks.element}{definition.id}{marks.element}{CONTROL_PLACEHOLDER}"
        self._tail = f"SE{marks.element}%d{marks.element}{CONTROL_PLACEHOLDER}{self._end}"

    def render(
        self, subject: Mapping[str, Any], purpose: str = "original", notes: dict[str, str] | None = None
    ) -> bytes:
        """The set from ST to SE, with `CONTROL_PLACEHOLDER` for ST02 and SE02, in ASCII.

        ``purpose`` is original, replace or cancel. ``notes``, when given, is filled with every look-up used and every
        substitution made. Raises `DataError` for all that forbids sending: the first failure leads, ``why`` lists the others.
        """
        failures = [error for check in self._mapping.checks for error in check(subject)]
        run = Rendering(notes)
        out = [self._head]
        scope = {**subject, "document": {"purpose": purpose}}
        for row in self._rows:
            row.write(scope, out, run)
        if run.faults or failures:
            raise failure(self._definition, self._mapping, subject, run.faults, failures)
        if notes is not None:
            self._note_lookups(subject, notes)
        out.append(self._tail % (len(out) + 1))
        return self._end.join(out).encode("ascii")

    def _note_lookups(self, subject: Mapping[str, Any], notes: dict[str, str]) -> None:
        for path, source in self._lookups:
            found = resolve(subject, path)
            for word in {*found} if isinstance(found, list) else {found}:
                if word in source.table:
                    notes[f"{source.name} {word}"] = source.table[word]

    def fingerprint(self, subject: Mapping[str, Any], fields: tuple[str, ...]) -> str:
        """Digest of the values at ``fields`` in this subject; the fields may be those of an older plan."""
        return fingerprint(subject, fields)

    def label(self, subject: Mapping[str, Any]) -> str:
        """What people call the document's subject: the bill's number."""
        return str(resolve(subject, self._mapping.label) or "")


def compile_plan(set: str, mapping: SetMapping, guide: Guide) -> Plan:
    """Make the mapping ready for one guide. Raises `ConfigError` that lists all the guide and the mapping cannot agree on."""
    problems = lint_guide(guide, set)
    if problems:
        raise _misfit(set, problems)
    compiler = _Compiler(release(guide.version).sets[set], mapping, guide)
    plan = compiler.compile()
    if compiler.problems:
        raise _misfit(set, compiler.problems)
    return plan


def _misfit(set: str, problems: list[str]) -> ConfigError:
    return ConfigError(
        f"The partner's guide cannot be met for set {set}",
        where="guide",
        why="; ".join(dict.fromkeys(problems)),
        mend="Correct these keys of `guide` in the partner's file",
        owner="EDI desk",
        code="MLC-X12-0201",
    )


class _Compiler:
    """One compilation; what cannot be done is collected in ``problems``."""

    def __init__(self, definition: SetDefinition, mapping: SetMapping, guide: Guide) -> None:
        self.problems: list[str] = []
        self._definition = definition
        self._mapping = mapping
        self._guide = guide
        self._tables = release(guide.version)
        self._alphabet = Alphabet(guide)
        self._walker = Walker(definition)
        self._fields: dict[str, None] = {}
        self._origins = [f"set {definition.id}, release {guide.version}"]
        self._produced: set[str] = set()
        self._lookups: list[tuple[str, Lookup]] = []
        self._prefix: dict[str, str] = {}  # the variable of a loop -> the path of its sequence

    def compile(self) -> Plan:
        self._walker.step("ST")
        rows = tuple(row for row in map(self._item, self._mapping.rows) if row is not None)
        self._walk("SE")
        self.problems += [
            f"{missing.segment} is mandatory in set {self._definition.id} but is forbidden or not mapped"
            for missing in self._walker.finish()
        ]
        self.problems += [
            f"require: {key} cannot be made from a {self._mapping.subject}"
            for key in self._guide.require
            if key not in self._produced
        ]
        self.problems += [
            f"fixed: {key} is in no segment that is sent" for key in self._guide.fixed if key not in self._produced
        ]
        origins = "\n".join(self._origins)
        return Plan(
            self._definition, self._mapping, rows, tuple(self._fields), origins, tuple(self._lookups), self._guide
        )

    def _item(self, item: Row | Each) -> CompiledRow | CompiledEach | None:
        if isinstance(item, Row):
            return self._row(item)
        self._prefix[item.var] = item.over
        row = self._row(item.row)
        if row is None:
            return None
        limits = [node.max for node in self._definition.nodes if node.loop and node.segment == row.segment.id]
        return CompiledEach(item.var, item.over, row, limits[0] if limits else None)

    def _walk(self, segment: str) -> Node | None:
        self.problems += [
            f"{at.segment} is {'missing' if at.problem == 'missing' else 'out of place'} in set {self._definition.id}"
            for at in self._walker.step(segment)
        ]
        return self._walker.node

    def _row(self, row: Row) -> CompiledRow | None:
        key = segment_key(row.segment, row.elements.get(1))
        if row.segment in self._guide.forbid or key in self._guide.forbid:
            return None
        node = self._walk(row.segment)
        segment = self._tables.segments[row.segment]
        parts = self._parts(row, segment, key)
        pairs = self._pairs(row, segment, key)
        self._produced |= {row.segment, key}
        required = next((name for name in (key, row.segment) if name in self._guide.require), "")
        needed = bool(node and node.mandatory and not node.loop and not self._walker.loop)
        return CompiledRow(
            segment=segment,
            key=key,
            parts=parts,
            pairs_from=row.pairs_from,
            pairs=pairs,
            when=self._part(row.when, None, "") if row.when is not None else None,
            needed=needed,
            required=required,
            alphabet=self._alphabet,
            element_mark=self._guide.delimiters.element,
            children=tuple(child for child in map(self._row, row.children) if child is not None),
        )

    def _parts(self, row: Row, segment: Segment, key: str) -> tuple[Part, ...]:
        parts = []
        for position, use in enumerate(segment.elements, start=1):
            name = element_key(segment.id, position)
            source = self._source(name, row.elements.get(position))
            if row.pairs and position >= row.pairs_from:
                if name in self._guide.fixed:
                    self.problems.append(f"fixed: {name} is written together with its neighbour and cannot be fixed")
                continue
            if name in self._guide.forbid or source is None:
                if use.mandatory:
                    self.problems.append(f"{name} is mandatory in {key} but is forbidden or not mapped")
                continue
            parts.append(self._element(position, source, segment, key))
            self._produced.add(name)
        return tuple(parts)

    def _source(self, name: str, source: Source | None) -> Source | None:
        """The source after the guide's ``fixed``: a fixed purpose stands for the original's, anything else for all."""
        fixed = self._guide.fixed.get(name)
        if fixed is None:
            return source
        if isinstance(source, Lookup) and source.path == "document.purpose":
            return Lookup(source.name, source.path, {**source.table, "original": fixed})
        return fixed

    def _pairs(self, row: Row, segment: Segment, key: str) -> tuple[tuple[str, Part], ...]:
        pairs = []
        for i, (qualifier, source) in enumerate(row.pairs):
            position = row.pairs_from + 2 * i + 1
            if position > len(segment.elements):
                self.problems.append(f"{segment.id} has no room for {len(row.pairs)} pairs from {row.pairs_from} on")
                break
            names = (element_key(segment.id, position - 1), element_key(segment.id, position))
            if any(name in self._guide.forbid for name in names):
                continue
            self._produced.update(names)
            self._element(position - 1, qualifier, segment, key)
            pairs.append((qualifier, self._element(position, source, segment, f"{key}, {qualifier}")))
        return tuple(pairs)

    def _element(self, position: int, source: Source, segment: Segment, key: str) -> Part:
        name = element_key(segment.id, position)
        use = segment.elements[position - 1]
        required = name in self._guide.require
        encoder = Encoder(
            use.element, use.mandatory, required, self._guide, self._alphabet, self._guide.limits.get(name)
        )
        if isinstance(source, str):
            source = self._constant(source, encoder, name)
        part = self._part(source, encoder, name)
        of = f" of {key}" if key != segment.id else ""
        self._origins.append(f"{name}{of} <- {part.origin}")
        return part

    def _constant(self, text: str, encoder: Encoder, name: str) -> str:
        try:
            return encoder.encode(text)[0]
        except Broken as broken:
            self.problems.append(f"{name} ({encoder.element.name}): {broken.why}")
            return text

    def _part(self, source: Source | None, encoder: Encoder | None, name: str) -> Part:
        paths: tuple[str, ...] = ()
        match source:
            case Path(path=path) | Lookup(path=path):
                paths = (path,)
            case Computed(paths=paths):
                pass
        full = tuple(self._full(path) for path in paths)
        if not (isinstance(source, Path) and source.volatile):
            self._fields.update(dict.fromkeys(path for path in full if path.split(".")[0] == self._mapping.subject))
        match source:
            case Path():
                origin = full[0]
            case Lookup():
                origin = f"{source.name}[{full[0]}]"
                if source.table_name:
                    self._lookups.append((full[0], source))
            case Computed():
                origin = f"{source.name}({', '.join(full)})"
            case _:
                origin = f'"{source}"'
        return Part(name, source, paths, origin, encoder)

    def _full(self, path: str) -> str:
        root, _, rest = path.partition(".")
        return f"{self._prefix[root]}.{rest}" if root in self._prefix else path
