"""A mapping made ready for one partner: it only fetches, encodes and joins. What a row does at run time is in `stages.x12.writing.encode`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from pipeline import DataError
from stages.x12.definitions import SetDefinition
from stages.x12.guide import Guide
from stages.x12.writing.encode import CompiledEach, CompiledRow, Fault, Rendering, failure
from stages.x12.writing.envelope import CONTROL_PLACEHOLDER, envelope_origins
from stages.x12.writing.generate import Foreign, Quick, generate
from stages.x12.writing.mapping import Lookup, SetMapping, Unusable
from stages.x12.writing.paths import fingerprint, resolve
from stages.x12.writing.values import REQUIRED, Alphabet, Broken, Doubt

_DOUBTS = (Doubt, Broken, Unusable, AttributeError, LookupError, TypeError, ValueError, ArithmeticError)
"""What stops the plain way. Nothing is lost by catching much: the careful way does it all again and is not guarded."""


class Plan:
    """A mapping made ready for one partner. Immutable; share it between documents.

    ``fields`` are the source fields it uses, as paths (``bill.lines.quantity`` for each line's). ``origins`` says where each
    element comes from, one line each; ``digest`` is its SHA-256. ``source`` is the Python that writes documents without faults.
    ``amendable``: a document that replaces another one says so.
    """

    def __init__(
        self,
        definition: SetDefinition,
        mapping: SetMapping,
        rows: tuple[CompiledRow | CompiledEach, ...],
        fields: tuple[str, ...],
        origins: str,
        lookups: tuple[tuple[Callable[[Any], Any], Lookup], ...],
        guide: Guide,
        required: tuple[str, ...],
        *,
        amendable: bool,
    ) -> None:
        self.set = definition.id
        self.amendable = amendable
        self.fields = fields
        self.origins = origins
        self.digest = hashlib.sha256(origins.encode()).hexdigest()
        self._definition = definition
        self._mapping = mapping
        self._rows = rows
        self._lookups = lookups
        marks = guide.delimiters
        self._end = marks.segment + ("\n" if guide.newline else "")
        head = ["ST", definition.id, CONTROL_PLACEHOLDER, *([guide.implementation] if guide.implementation else [])]
        self._head = marks.element.join(head)
        self._tail = (f"SE{marks.element}", f"{marks.element}{CONTROL_PLACEHOLDER}")
        self._required = {name: _beginnings(name, marks.element, self._end) for name in required}
        self._alphabet = Alphabet(guide)
        self.source, self._quick = self._generate()

    def render(
        self, subject: Mapping[str, Any], purpose: str = "original", notes: dict[str, str] | None = None
    ) -> bytes:
        """The set from ST to SE, with `CONTROL_PLACEHOLDER` for ST02 and SE02, in ASCII.

        ``purpose`` is original, replace or cancel. ``notes``, when given, is filled with every look-up used and every
        substitution made. Raises `DataError` for all that forbids sending: the first failure leads, ``why`` lists the others.
        """
        scope = {**subject, "document": {"purpose": purpose}}
        failures: list[DataError] = []
        for check in self._mapping.checks:
            failures += check(subject)
        body = None if failures else self._plainly(scope, notes)
        if body is None or (self._required and self._unwritten(body)):
            body = self._carefully(scope, notes, failures)
        return body.encode("ascii")

    def _plainly(self, scope: Mapping[str, Any], notes: dict[str, str] | None) -> str | None:
        """The body, when nothing about it needs to be explained."""
        try:
            try:
                return self._quick(scope, None, notes)
            except Foreign:
                brought: dict[str, str] = {}
                body = self._bringing(scope, self._alphabet.bringer(brought), notes)
        except _DOUBTS:
            return None  # the careful way meets the same again, and explains it
        if notes is not None:
            notes.update(brought)
        return body

    def _unwritten(self, body: str) -> list[str]:
        """Segments that the guide requires and the body does not have."""
        return [name for name, beginnings in self._required.items() if not any(one in body for one in beginnings)]

    def _generate(self, *, bringing: bool = False) -> tuple[str, Quick]:
        return generate(
            self._rows,
            head=self._head,
            tail=self._tail,
            end=self._end,
            alphabet=self._alphabet,
            mappings=self._mapping.mappings,
            bringing=bringing,
        )

    @cached_property
    def _bringing(self) -> Quick:
        return self._generate(bringing=True)[1]

    def _carefully(self, scope: Mapping[str, Any], notes: dict[str, str] | None, failures: list[DataError]) -> str:
        run = Rendering(notes)
        out = [self._head]
        for row in self._rows:
            row.write(scope, out, run)
        told = {fault.rule for fault in run.faults}
        for name in self._unwritten(self._end.join([*out, ""])) if REQUIRED not in told else ():
            run.faults.append(Fault(REQUIRED, f"Segment {name}", f"segment {name}", "`guide.require` names it"))
        if run.faults or failures:
            raise failure(self._definition, self._mapping, scope, run.faults, failures)
        if notes is not None:
            self._note_lookups(scope, notes)
        before, after = self._tail
        out.append(f"{before}{len(out) + 1}{after}{self._end}")
        return self._end.join(out)

    def _note_lookups(self, subject: Mapping[str, Any], notes: dict[str, str]) -> None:
        for found, source in ((get(subject), source) for get, source in self._lookups):
            for word in {*found} if isinstance(found, list) else {found}:
                if word in source.table:
                    notes[f"{source.name} {word}"] = source.table[word]

    def fingerprint(self, subject: Mapping[str, Any], fields: tuple[str, ...]) -> str:
        """Digest of the values at ``fields`` in this subject; the fields may be those of an older plan."""
        return fingerprint(subject, fields)

    def label(self, subject: Mapping[str, Any]) -> str:
        """What people call the document's subject: the bill's number."""
        return str(resolve(subject, self._mapping.label) or "")


def _beginnings(name: str, mark: str, end: str) -> tuple[str, ...]:
    """How a segment begins in a body: ``PID``, or ``REF*IA`` with its first element."""
    start = end + name.replace("*", mark)
    return (start + mark, start + end)


def explain(origins: str, name: str) -> list[str]:
    """The lines of a plan's ``origins`` about an element (``BIG02``) or a segment (``REF``, ``REF*IA``), in the order they are sent.

    Of the envelope, which is written when documents are packed, it says the same. Empty for what is never written.
    """
    name = name.upper()
    segment, _, first = name.partition("*")
    found = []
    for line in origins.splitlines():
        elements, _, of = line.partition(" <- ")[0].partition(" of ")
        names = elements.split(" or ")  # a pair moves up where one before it is empty
        if name in names or (names[0][:-2] == segment and (not first or of.split(",")[0] == name)):
            found.append(line)
    return found or envelope_origins(name)
