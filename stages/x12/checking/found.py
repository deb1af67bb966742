"""What checking has found so far, and where in the envelopes it is: every finding gets the place it belongs to. No input/output."""

from __future__ import annotations

from stages.x12.checking.tables import ENVELOPE
from stages.x12.checking.violation import KINDS, Severity, Violation
from stages.x12.reading.scanner import Damage
from stages.x12.structure import Walker


class Found:
    """Collects findings until `drain` hands them out.

    Whoever opens and closes things keeps the place: ``interchange``, ``group`` and ``set`` count from 1 within what holds them (0: none is
    open), ``position`` counts segments from ST = 1, ``walker`` stands where the open set has come to.
    """

    def __init__(self) -> None:
        self.interchange = self.group = self.set = self.position = 0
        self.walker: Walker | None = None
        self._made: list[Violation] = []

    def drain(self) -> list[Violation]:
        """What was found since the last time."""
        made, self._made = self._made, []
        return made

    def damage(self, damage: Damage, *, inside: bool) -> None:
        """Bytes that are no X12; ``inside`` of an interchange or between two."""
        self._made.append(
            Violation(
                segment="", offset=damage.offset, message=damage.why, code=damage.code, standard=f"I18/{damage.note}",
                interchange=self.interchange if inside else 0,
            )
        )  # fmt: skip

    def add(
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
        """A fault of the segment that has these fields, or of one of its elements; the value is the element's where none is given."""
        known = KINDS[kind]
        if not loop and self.walker is not None and fields[0] not in ENVELOPE:
            loop = self.walker.loop
        self._made.append(
            Violation(
                severity=severity, segment=segment or fields[0], element=element, component=component, repeat=repeat,
                position=self.position if position is None else position, offset=offset, message=message,
                value=value or (field(fields, element) if element and not component else ""), code=known.code,
                standard=standard or known.standard, ref=ref, loop=loop,
                interchange=self.interchange, group=self.group, set=self.set,
            )
        )  # fmt: skip

    def compare(
        self, fields: list[str], offset: int, element: int, expected: str, what: str, kind: str, *, count: bool = False
    ) -> None:
        """A fault when the element is not as expected; a ``count`` may have zeros before it."""
        value = field(fields, element)
        both = count and all(text.isascii() and text.isdigit() for text in (value, expected))
        if value.lstrip("0") != expected.lstrip("0") if both else value != expected:
            self.add(fields, offset, kind, f"{short(value)} is not {expected}, {what}", element, value)


def field(fields: list[str], position: int) -> str:
    """The element at a position counted from 1, "" when it is not there."""
    return fields[position] if position < len(fields) else ""


def short(text: str) -> str:
    """A value in quotes, at most 60 characters of it."""
    return repr(text) if len(text) <= 60 else repr(text[:57] + "...")
