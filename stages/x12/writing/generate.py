"""A plan as Python: one function that writes a whole document in a straight line. Pure; the source is there to be read (`Plan.source`).

The function answers only for documents that are plainly right. Whatever it is not sure of, it raises `Doubt`, and the document is
written again by `stages.x12.writing.encode`, which finds and words every fault. So this module may be quick, and need not be complete.

The source is made of the mapping's paths, which must be identifiers, and of texts that pass through `repr`; all else the function
uses it gets by name. Values of documents are never part of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from keyword import iskeyword
from typing import Any

from stages.x12.writing.encode import CompiledEach, CompiledRow, Part
from stages.x12.writing.mapping import Computed, Lookup, Path
from stages.x12.writing.presence import Presence
from stages.x12.writing.values import Alphabet, Broken, Doubt, plain_encoder

Bring = Callable[[Any, str, str], str]
"""Brings a text into the partner's alphabet: the value, its element's name, and its place (``, line 3``)."""

Quick = Callable[[Mapping[str, Any], Bring | None, dict[str, str] | None], str]
"""From the scope (the subject and ``document``) to the text of the body; fills the notes, when given, with the look-ups used."""


class Foreign(Doubt):
    """The only doubt is about characters; a function that brings texts in may still write the document."""


def generate(
    rows: Iterable[CompiledRow | CompiledEach],
    *,
    head: str,
    tail: tuple[str, str],
    end: str,
    alphabet: Alphabet,
    mappings: Iterable[str],
    bringing: bool = False,
) -> tuple[str, Quick]:
    """The source, and the function made of it.

    ``tail`` is what stands before and after the count in SE; ``end`` closes each segment. ``mappings`` are the paths whose values
    are mappings; all other values are read by attribute. The function that is ``bringing`` hands every text to its second
    argument; the other takes texts as they are, and raises `Foreign` when one of them holds another character.
    """
    writer = _Writer(rows, frozenset(mappings), alphabet.uppercase, bringing)
    used = writer.used()
    names = {**writer.names, "Doubt": Doubt, "Foreign": Foreign, "allowed": alphabet.allowed}
    source = "\n".join(
        [
            "def write(scope, bring, notes):",
            f"    out = [{head!r}]",
            "    data = []  # texts as they stand in the books: their characters are looked at together",
            *writer.lines,
            "    if ''.join(data).encode().translate(None, allowed):",
            "        raise Foreign",
            *used,
            f"    out.append({tail[0]!r} + str(len(out) + 1) + {tail[1] + end!r})",
            f"    return {end!r}.join(out)",
            "",
        ]
    )
    exec(compile(source, "<plan>", "exec"), names)  # noqa: S102 - see above for what the source is made of
    return source, names["write"]


class _Writer:
    """Writes the lines; ``names`` are the functions and tables they call."""

    def __init__(
        self, rows: Iterable[CompiledRow | CompiledEach], mappings: frozenset[str], uppercase: bool, bringing: bool
    ) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {"text": _text, "note": _note}
        self._noted: list[tuple[str, Lookup]] = []  # look-ups to be noted, by path
        self._mappings = mappings
        self._upper = ".upper()" if uppercase else ""
        self._bringing = bringing
        self._place = "''"
        self._plain: dict[tuple[str, int, int], Callable[[Any], str]] = {}
        self._depth = 1
        self._fetched: dict[str, str] = {}  # path -> the variable that holds its value
        self._taken: set[str] = set()
        self._roots: set[str] = set()  # variables of loops
        rows = tuple(rows)
        loops = [row for row in rows if isinstance(row, CompiledEach)]
        self._sequences = {each.over: each.var for each in loops}
        self._over = {each.var: each.over for each in loops}
        for row in rows:
            if isinstance(row, CompiledEach):
                self._each(row)
            else:
                self._row(row)

    # -- rows ---------------------------------------------------------------------------------------------------------

    def _each(self, each: CompiledEach) -> None:
        items = self._fetch(each.over)
        if each.limit is not None:
            self._doubt(f"len({items} or ()) > {each.limit}")
        self._roots.add(each.var)
        head = f"for {each.var} in {items} or ():"
        if self._bringing:
            head = f"for number, {each.var} in enumerate({items} or (), 1):"
            self._place = _formatted(f", {each.var} {{number}}")
        with self._block(head):
            self._row(each.row)
        self._place = "''"

    def _row(self, row: CompiledRow) -> None:
        self._line(f"# {row.key!r}"[:110])
        if row.when is None:
            self._sent(row)
            return
        with self._block(f"if {self._value(row.when)}:"):
            self._sent(row)
        self._missed(row)

    def _missed(self, row: CompiledRow) -> None:
        if row.required:
            with self._block("else:"):
                self._line("raise Doubt")

    def _sent(self, row: CompiledRow) -> None:
        variable = [part for part in row.parts if part.constant is None]
        sources = variable + [part for _, part in row.pairs]
        written = {part: self._element(part, i) for i, part in enumerate(sources)}
        if row.refused:
            self._doubt(" or ".join(written.values()) or "True")
            return
        self._doubt(" or ".join(filter(None, (_wrong_length(part, name) for part, name in written.items()))))
        self._doubt(_all_missing(name for part, name in written.items() if _encoder(part).required))
        self._doubt(
            " or ".join(
                self._not_allowed(part, name) for part, name in written.items() if _encoder(part).codes is not None
            )
        )
        if row.needed or not written:
            self._segment(row, written)
            return
        with self._block(f"if {' or '.join(written.values())}:"):
            self._segment(row, written)
        self._missed(row)

    def _segment(self, row: CompiledRow, written: Mapping[Part, str]) -> None:
        if row.lacking:
            self._line("raise Doubt")
            return
        alone = len(written) == 1 and not row.needed  # then it is there, or we would not be here
        for part, name in written.items():
            if part.default:
                self._line(f"{name} = {name} or {part.default!r}")
        wanted = [name for part, name in written.items() if _encoder(part).mandatory and not _encoder(part).required]
        if not alone:
            self._doubt(_all_missing(wanted))
        sure = {name for part, name in written.items() if alone or _encoder(part).mandatory or part.default}
        pairs = [(qualifier, written[part]) for qualifier, part in row.pairs]
        self._hold_slots(row, pairs)
        present = Presence(row, written, sure)
        for note in row.notes:
            self._doubt(present.broken(note))
        raw = (
            []
            if self._bringing
            else [
                name
                for part, name in written.items()
                if _encoder(part).kind in ("AN", "ID") and not isinstance(part.source, Lookup)
            ]
        )
        if raw:
            self._line(f"data.append({raw[0]})" if len(raw) == 1 else f"data += ({', '.join(raw)})")
        self._write(row, written, pairs, present)
        for child in row.children:
            self._row(child)

    def _hold_slots(self, row: CompiledRow, pairs: list[tuple[str, str]]) -> None:
        """Where the guide asks something of a place of pairs: only when none moves up is it plain what stands there."""
        if not row.slots:
            return
        self._doubt(_all_missing(name for _, name in pairs))
        for slot in row.slots:
            index, value = divmod(slot.position - row.pairs_from, 2)
            qualifier, name = pairs[index]
            held = self._name(f"held {slot.name}", slot.encoder.hold)
            self._line(f"{held}({name if value else repr(qualifier)})")

    def _write(
        self, row: CompiledRow, written: Mapping[Part, str], pairs: list[tuple[str, str]], present: Presence
    ) -> None:
        mark = row.element_mark
        by_position = {part.position: part for part in row.parts}
        end = row.pairs_from - 1 if row.pairs else max(by_position, default=0)
        pieces = [_literal(row.segment.id)]
        for position in range(1, end + 1):
            part = by_position.get(position)
            pieces.append(
                "" if part is None else f"{{{written[part]}}}" if part in written else _literal(part.constant or "")
            )
        base = _literal(mark).join(pieces)
        last = "True" if end == 0 else present.at(end)
        if not pairs:
            self._append(base, last, mark)
            return
        self._line(f"tail = {self._tail(mark, pairs)}")
        if last == "True":
            self._line(f"out.append({_formatted(base + '{tail}')})")
        else:
            full, bare = _formatted(base + "{tail}"), f"{_formatted(base)}.rstrip({mark!r})"
            self._line(f"out.append({full} if tail{'' if last == 'False' else f' or {last}'} else {bare})")

    @staticmethod
    def _tail(mark: str, pairs: list[tuple[str, str]]) -> str:
        each = [f"({_formatted(_literal(mark + q + mark) + f'{{{name}}}')} if {name} else '')" for q, name in pairs]
        return " + ".join(each)

    def _append(self, base: str, last: str, mark: str) -> None:
        if last == "True":
            self._line(f"out.append({_formatted(base)})")
        else:
            self._line(f"out.append({_formatted(base)} if {last} else {_formatted(base)}.rstrip({mark!r}))")

    # -- elements -----------------------------------------------------------------------------------------------------

    def _element(self, part: Part, number: int) -> str:
        """Lines that put the element's text into a variable; its name."""
        encoder, name = _encoder(part), part.name
        if isinstance(part.source, Lookup):
            self._line(f"{name} = {self._looked_up(part)}")
            return name
        value = self._value(part)
        if encoder.kind not in ("AN", "ID"):
            plain = self._plain.setdefault((encoder.kind, encoder.min, encoder.max), plain_encoder(encoder))
            self._line(f"{name} = {self._name(encoder.kind.lower(), plain)}({value})")
            return name
        if self._bringing:
            upper = ".upper()" if encoder.kind == "ID" else ""
            self._line(f"{name} = bring({value}, {name!r}, {self._place}){upper}")
            return name
        if not value.isidentifier():
            self._line(f"{name} = {value}")
            value = name
        upper = ".upper()" if encoder.kind == "ID" else self._upper
        self._line(f"{name} = {value}.strip(){upper} if type({value}) is str else text({value})")
        return name

    def _value(self, part: Part) -> str:
        """An expression for the value before encoding."""
        found = [self._fetch(path) for path in part.paths]
        match part.source:
            case Path():
                return found[0]
            case Lookup(table=table, blank=blank):
                words = self._name(part.source.name, {**table, "": blank, None: blank})
                return f"{words}.get({found[0]})" if part.source.optional else f"{words}[{found[0]}]"
            case Computed():
                return f"{self._name(part.source.name, part.source.function)}({', '.join(found)})"
            case constant:
                return repr(constant)

    def _looked_up(self, part: Part) -> str:
        source = part.source
        assert isinstance(source, Lookup)
        words: dict[Any, Any] = {**source.table, "": source.blank, None: source.blank}
        ready: dict[Any, str] = {}
        for word, code in words.items():
            try:
                text, note = _encoder(part).encode(code) if code else ("", "")
            except Broken:
                continue
            if not note:
                ready[word] = text
        if source.table_name:
            self._noted.append((part.paths[0], source))
        table, word = self._name(source.name, ready), self._fetch(part.paths[0])
        if not source.optional:
            return f"{table}[{word}]"
        known = table if len(ready) == len(words) else self._name(f"known {source.name}", words)
        return f"{table}[{word}] if {word} in {known} else ''"

    def used(self) -> list[str]:
        """Lines that note the look-ups used, at the end of the document."""
        if not self._noted:
            return []
        calls = []
        for path, source in self._noted:
            root, _, rest = path.partition(".")
            over = self._over.get(root, "")
            words = (
                f"{{{self._access('item', root, rest)} for item in {self._fetch(over)} or ()}}"
                if over
                else f"{{{self._fetch(path)}}}"
            )
            table = {word: (f"{source.name} {word}", code) for word, code in source.table.items()}
            calls.append(f"        note(notes, {words}, {self._name(f'notes of {source.name}', table)})")
        return ["    if notes is not None:", *calls]

    def _fetch(self, path: str) -> str:
        """The variable that holds the value at this path, fetched now or before."""
        if path in self._fetched or path in self._roots:
            return self._fetched.get(path, path)
        parent, _, name = path.rpartition(".")
        if not name.isidentifier() or iskeyword(name):
            raise ValueError(f"{path!r} is no path")
        variable = self._variable(path.replace(".", "_"))
        if not parent:
            value = f"scope[{name!r}]"
        elif parent in self._sequences:
            value = self._access("item", self._sequences[parent], name)
            value = f"[{value} for item in {self._fetch(parent)}]"
        else:
            holder = self._fetch(parent)
            value = self._access(holder, parent, name)
            if "." in parent:
                value = f"None if {holder} is None else {value}"
        self._line(f"{variable} = {value}")
        self._fetched[path] = variable
        return variable

    def _access(self, holder: str, path: str, name: str) -> str:
        return f"{holder}.get({name!r})" if path in self._mappings else f"{holder}.{name}"

    def _not_allowed(self, part: Part, name: str) -> str:
        return f"{name} and {name} not in {self._name(f'codes of {name}', _encoder(part).codes)}"

    # -- lines --------------------------------------------------------------------------------------------------------

    def _line(self, text: str) -> None:
        self.lines.append("    " * self._depth + text)

    def _doubt(self, condition: str) -> None:
        if condition:
            self._line(f"if {condition}:")
            self._line("    raise Doubt")

    @contextmanager
    def _block(self, head: str) -> Iterator[None]:
        """What is fetched inside of it is not known after it."""
        self._line(head)
        self._depth, outside = self._depth + 1, self._fetched
        self._fetched = dict(outside)
        yield
        self._depth, self._fetched = self._depth - 1, outside

    def _variable(self, wanted: str) -> str:
        while (
            wanted in self._taken
            or wanted in ("out", "data", "scope", "tail", "text", "allowed", "item", "bring", "number", "note", "notes")
            or iskeyword(wanted)
        ):
            wanted += "_"
        self._taken.add(wanted)
        return wanted

    def _name(self, wanted: str, value: Any) -> str:
        """A name for something the lines use: that of an equal one, or a new one."""
        for name, known in self.names.items():
            if known is value:
                return name
        name = f"{re.sub(r'[^a-z0-9]+', '_', wanted.lower())}_{len(self.names)}"
        self.names[name] = value
        return name


def _all_missing(names: Iterable[str]) -> str:
    """A condition that holds when one of these is empty."""
    return " or ".join(f"not {name}" for name in names)


def _wrong_length(part: Part, name: str) -> str:
    """A condition that holds when the text is too long, or there and too short; numbers and dates look to it themselves."""
    encoder = _encoder(part)
    if encoder.kind not in ("AN", "ID") or isinstance(part.source, Lookup):
        return ""
    if encoder.min <= 1:
        return f"len({name}) > {encoder.max}"
    return f"{name} and not {encoder.min} <= len({name}) <= {encoder.max}"


def _encoder(part: Part) -> Any:
    assert part.encoder is not None
    return part.encoder


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _formatted(text: str) -> str:
    return f"f{text!r}" if "{" in text else repr(text)


def _note(notes: dict[str, str], words: Iterable[Any], table: Mapping[Any, tuple[str, str]]) -> None:
    for word in words:
        if word in table:
            name, code = table[word]
            notes[name] = code


def _text(value: Any) -> str:
    """Of what is no text: nothing is nothing, a whole number its digits."""
    if value is None:
        return ""
    if type(value) is int:
        return str(value)
    raise Doubt
