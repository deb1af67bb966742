"""Compiling a mapping for one partner: the guide applied, constants folded, the order proved against the set; once per (guide, set)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pipeline import ConfigError
from stages.x12.definitions import ElementUse, Node, Segment, SetDefinition, SyntaxNote, release
from stages.x12.guide import PLACE, Guide, element_key, overridden, segment_key, segment_of
from stages.x12.guide_lint import lint_guide
from stages.x12.structure import Walker
from stages.x12.writing.encode import CompiledEach, CompiledRow, Part, Slot
from stages.x12.writing.mapping import Computed, Each, Lookup, Path, Row, SetMapping, Source
from stages.x12.writing.paths import resolver
from stages.x12.writing.plan import Plan
from stages.x12.writing.values import Alphabet, Broken, Encoder

Place = Callable[[str], str]


def compile_plan(set: str, mapping: SetMapping, guide: Guide, place: Place | None = None) -> Plan:
    """Make the mapping ready for one guide. Raises `ConfigError` that lists all the guide and the mapping cannot agree on.

    ``place`` tells where a key of the guide stands (``guide.units`` -> ``partners/riverbend.yaml:14``, "" when it does not):
    the plan's ``origins`` then name it.
    """
    check_guide(guide, set)
    compiler = _Compiler(release(guide.version).sets[set], mapping, guide, place or _nowhere)
    plan = compiler.compile()
    if compiler.problems:
        raise _misfit(set, compiler.problems)
    return plan


def check_guide(guide: Guide, set: str) -> None:
    """Raises `ConfigError` with all that is wrong with a guide for this set, before a mapping is made with it."""
    problems = lint_guide(guide, set)
    if problems:
        raise _misfit(set, problems)


def _nowhere(key: str) -> str:
    return ""


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

    def __init__(self, definition: SetDefinition, mapping: SetMapping, guide: Guide, place: Place) -> None:
        self._place = place
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
        self._lookups: list[tuple[Callable[[Any], Any], Lookup]] = []
        self._prefix: dict[str, str] = {}  # the variable of a loop -> the path of its sequence
        self._repeated = False  # inside of a loop
        self._amendable = False

    def compile(self) -> Plan:
        self._walker.step("ST")
        rows = tuple(row for row in map(self._item, self._mapping.rows) if row is not None)
        self._walk("SE")
        self.problems += [
            f"{missing.segment} is mandatory in set {self._definition.id} but is forbidden or not mapped"
            for missing in self._walker.finish()
            if not overridden(self._guide, missing.segment)
        ]
        self.problems += [
            f"require: {key} cannot be made from a {self._mapping.subject}" for key in self._unmade(self._guide.require)
        ]
        self.problems += [f"fixed: {key} is in no segment that is sent" for key in self._unmade(self._guide.fixed)]
        origins = "\n".join(self._origins)
        known = self._definition.segments()
        required = tuple(
            name for name in self._guide.require if not PLACE.fullmatch(name) and segment_of(name) in known
        )
        return Plan(
            self._definition, self._mapping, rows, tuple(self._fields), origins, tuple(self._lookups), self._guide, required,
            amendable=self._amendable,
        )  # fmt: skip

    def _unmade(self, places: Iterable[str]) -> list[str]:
        """Those of these places that are in this set, but not in what is sent."""
        known = self._definition.segments()
        return [place for place in places if segment_of(place) in known and place not in self._produced]

    def _item(self, item: Row | Each) -> CompiledRow | CompiledEach | None:
        if isinstance(item, Row):
            return self._row(item)
        self._prefix[item.var] = item.over
        self._repeated = True
        row = self._row(item.row)
        self._repeated = False
        if row is None:
            return None
        limits = [node.max for node in self._definition.nodes if node.segment == row.segment.id]
        return CompiledEach(item.var, item.over, row, limits[0] if limits else None)

    def _walk(self, segment: str) -> Node | None:
        self.problems += [
            f"{at.segment} is {'missing' if at.problem == 'missing' else 'out of place'} in set {self._definition.id}"
            for at in self._walker.step(segment)
            if not overridden(self._guide, at.segment)
        ]
        return self._walker.node

    def _row(self, row: Row) -> CompiledRow | None:
        key = segment_key(row.segment, row.elements.get(1))
        if row.segment in self._guide.forbid or key in self._guide.forbid:
            return self._guard(row, key) if row.guards else None
        node = self._walk(row.segment)
        segment = self._tables.segments[row.segment]
        parts = self._parts(row, segment, key)
        pairs = self._pairs(row, segment, key)
        self._produced |= {row.segment, key}
        # Of several alike in the header one is enough, which the whole document shows; in a line each is looked at where it stands.
        names = (key, row.segment) if self._repeated else (key,)
        required = next((name for name in names if name in self._guide.require), "")
        notes = self._notes(segment, key, parts, range(row.pairs_from, row.pairs_from + 2 * len(pairs)))
        needed = bool(node and node.mandatory and not node.loop and not self._walker.loop)
        return CompiledRow(
            segment=segment,
            key=key,
            parts=parts,
            notes=notes,
            pairs_from=row.pairs_from,
            pairs=pairs,
            when=self._part(row.when, None, "", "") if row.when is not None else None,
            needed=needed,
            required=required,
            element_mark=self._guide.delimiters.element,
            children=tuple(child for child in map(self._row, row.children) if child is not None),
            lacking=self._lacking(row, parts, pairs),
            slots=self._slots(row, segment, len(pairs)),
        )

    def _guard(self, row: Row, key: str) -> CompiledRow:
        """A row that the guide forbids and that is not simply left out: it notices what a document would not say."""
        kept = (list(self.problems), list(self._origins), set(self._produced), self._amendable)
        segment = self._tables.segments[row.segment]
        parts = tuple(self._element(at, source, segment, key, "") for at, source in row.elements.items())
        self.problems, self._origins, self._produced, self._amendable = kept
        return CompiledRow(
            segment=segment, key=key, parts=parts, notes=(), pairs_from=0, pairs=(), needed=False, required="", children=(),
            when=self._part(row.when, None, "", "") if row.when is not None else None,
            element_mark=self._guide.delimiters.element, refused=f"`guide.forbid` names it, and {row.guards}",
        )  # fmt: skip

    def _lacking(self, row: Row, parts: tuple[Part, ...], pairs: tuple[tuple[str, Part], ...]) -> tuple[str, ...]:
        """Elements that the guide requires of this segment, and that this row has no source for."""
        has = {part.position for part in parts}
        has |= set(range(row.pairs_from, row.pairs_from + 2 * len(pairs)))
        asked = [(name, place) for name in self._guide.require if (place := PLACE.fullmatch(name))]
        return tuple(name for name, place in asked if place[1] == row.segment and int(place[2]) not in has)

    def _slots(self, row: Row, segment: Segment, pairs: int) -> tuple[Slot, ...]:
        """Positions of several pairs that the guide asks something of: which pair stands there is known at run time only."""
        if pairs < 2:
            return ()
        positions = range(row.pairs_from, row.pairs_from + 2 * pairs)
        named = [(position, element_key(segment.id, position)) for position in positions]
        return tuple(
            Slot(position, name, self._encoder(name, segment.elements[position - 1]))
            for position, name in named
            if name in self._guide.limits or name in self._guide.codes or name in self._guide.require
        )

    def _parts(self, row: Row, segment: Segment, key: str) -> tuple[Part, ...]:
        parts = []
        for position, use in enumerate(segment.elements, start=1):
            name = element_key(segment.id, position)
            source, by = self._source(name, row.elements.get(position)), row.by
            if source is None and name in self._guide.defaults and name not in self._guide.forbid:
                source, by = self._guide.defaults[name], f"guide.defaults.{name}"
            if position in row.exact and (name in self._guide.forbid or name in self._guide.fixed):
                asked = "forbid" if name in self._guide.forbid else "fixed"
                self.problems.append(f"{asked}: {name} is the {self._mapping.subject}'s alone: {row.exact[position]}")
                self._produced.add(name)  # told once is enough
                continue
            if name in self._guide.fixed:
                by = f"guide.fixed.{name}"
            if row.pairs and position >= row.pairs_from:
                if name in self._guide.fixed:
                    self.problems.append(f"fixed: {name} is written together with its neighbour and cannot be fixed")
                continue
            if name in self._guide.forbid or source is None:
                if use.mandatory and not overridden(self._guide, name):
                    self.problems.append(f"{name} is mandatory in {key} but is forbidden or not mapped")
                continue
            parts.append(self._element(position, source, segment, key, by))
            self._produced.add(name)
            self._amendable = self._amendable or (isinstance(source, Lookup) and source.path == "document.purpose")
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
            if forbidden := [name for name in names if name in self._guide.forbid]:
                if len(row.pairs) > 1:
                    told = f"forbid: what stands at {forbidden[0]} depends on the bill; choose what is sent by {row.pairs_by or row.by}"
                    self.problems.append(told)
                continue
            self._produced.update(names)
            by = row.pairs_by or row.by
            self._element(position - 1, qualifier, segment, key, by, earlier=i)
            pairs.append(
                (
                    qualifier,
                    self._element(
                        position, source, segment, f"{key}, {qualifier}", by, earlier=i, several=len(row.pairs) > 1
                    ),
                )
            )
        return tuple(pairs)

    def _notes(self, segment: Segment, key: str, parts: tuple[Part, ...], paired: range) -> tuple[SyntaxNote, ...]:
        """The syntax notes that are to hold. One that the guide's ``forbid`` breaks for good is a problem, unless overridden."""
        guide, mapped = self._guide, frozenset({*(part.position for part in parts), *paired})
        kept = []
        for note in segment.notes:
            names = [element_key(segment.id, position) for position in note.positions]
            if overridden(guide, *names):
                continue
            kept.append(note)
            if note.kind == "E" or note.holds(mapped):
                continue
            left_out = ", ".join(name for name in names if name in guide.forbid)
            cause = f"forbid: without {left_out}" if left_out else "fixed, defaults: by what is mapped"
            self.problems.append(f"{cause} {note.explain(segment.id)} cannot hold in {key}")
        return tuple(kept)

    def _element(
        self,
        position: int,
        source: Source,
        segment: Segment,
        key: str,
        by: str,
        *,
        earlier: int = 0,
        several: bool = False,
    ) -> Part:
        """``earlier`` is how many pairs may be missing before this one; of ``several`` pairs the guide's wishes hold by place (`_slots`)."""
        name = element_key(segment.id, position)
        use = segment.elements[position - 1]
        default = self._guide.defaults.get(name, "")
        encoder = (
            Encoder(use.element, False, False, self._guide, self._alphabet) if several else self._encoder(name, use)
        )
        if isinstance(source, str):
            source = self._constant(source, encoder, name)
        default = self._constant(default, encoder, name) if default else ""
        part = self._part(source, encoder, name, default)
        of = f" of {key}" if key != segment.id else ""
        notes = [
            self._key(by or (f"guide.{source.table_name}" if isinstance(source, Lookup) and source.table_name else ""))
        ]
        if default:
            notes.append(f'else "{default}", {self._key(f"guide.defaults.{name}")}')
        places = " or ".join(element_key(segment.id, position - 2 * back) for back in range(earlier, -1, -1))
        self._origins.append(", ".join(filter(None, (f"{places}{of} <- {part.origin}", *notes))))
        return part

    def _encoder(self, name: str, use: ElementUse) -> Encoder:
        """What standard and guide ask of this element."""
        guide, default = self._guide, self._guide.defaults.get(name, "")
        required = name in guide.require and not default
        mandatory = use.mandatory and not default and not (overridden(guide, name) and name in guide.forbid)
        limit, codes = guide.limits.get(name), guide.codes.get(name)
        return Encoder(use.element, mandatory, required, guide, self._alphabet, limit, codes=codes)

    def _key(self, key: str) -> str:
        """A key of the guide for people, with its place when that is known."""
        place = self._place(key) if key else ""
        return f"by {key} ({place})" if place else f"by {key}" if key else ""

    def _constant(self, text: str, encoder: Encoder, name: str) -> str:
        try:
            return encoder.encode(encoder.literal(text))[0]
        except Broken as broken:
            self.problems.append(f"{name} ({encoder.element.name}): {broken.why}")
            return text

    def _part(self, source: Source | None, encoder: Encoder | None, name: str, default: str) -> Part:
        paths: tuple[str, ...] = ()
        match source:
            case Path(path=path) | Lookup(path=path):
                paths = (path,)
            case Computed(paths=paths):
                pass
        full = tuple(self._full(path) for path in paths)
        if not (isinstance(source, Path | Computed) and source.volatile):
            known = (self._full(source.known_by),) if isinstance(source, Path) and source.known_by else full
            self._fields.update(dict.fromkeys(path for path in known if path.split(".")[0] == self._mapping.subject))
        match source:
            case Path():
                origin = full[0]
            case Lookup():
                origin = f"{source.name}[{full[0]}]"
                if source.table_name:
                    self._lookups.append((resolver(full[0]), source))
            case Computed():
                origin = f"{source.name}({', '.join(full)})"
            case _:
                origin = f'"{source}"'
        return Part(name, source, paths, origin, encoder, default)

    def _full(self, path: str) -> str:
        root, _, rest = path.partition(".")
        return f"{self._prefix[root]}.{rest}" if root in self._prefix else path
