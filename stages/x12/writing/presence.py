"""Conditions of generated Python about what a segment has: which positions hold data, and when a syntax note is broken. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from stages.x12.definitions import SyntaxNote
from stages.x12.writing.encode import CompiledRow, Part


class Presence:
    """Which positions of a segment have data, as expressions: ``True``, ``False`` or a condition."""

    def __init__(self, row: CompiledRow, written: Mapping[Part, str], sure: set[str]) -> None:
        self._at: dict[int, str] = {}
        for part in row.parts:
            name = written.get(part)
            self._at[part.position] = (
                ("True" if part.constant else "False") if name is None else "True" if name in sure else name
            )
        pairs = [written[part] for _, part in row.pairs]
        # Pairs are written without gaps: the first place is filled when there is one at all, the second when there are two ...
        count = f"bool({') + bool('.join(pairs)})"
        for i in range(len(pairs)):
            there = _any(pairs) if i == 0 else f"({count} > {i})"
            self._at[row.pairs_from + 2 * i] = self._at[row.pairs_from + 2 * i + 1] = there

    def at(self, position: int) -> str:
        return self._at.get(position, "False")

    def broken(self, note: SyntaxNote) -> str:
        """A condition that holds when the note does not; "" when it always holds."""
        there = [self.at(position) for position in note.positions]
        match note.kind:
            case "P":
                broken = _both(_any(there), _not(_all(there)))
            case "R":
                broken = _not(_any(there))
            case "E":
                broken = f"bool({') + bool('.join(there)}) > 1"
            case "C":
                broken = _both(there[0], _not(_all(there[1:])))
            case _:
                broken = _both(there[0], _not(_any(there[1:])))
        return "" if broken == "False" or (len({*there}) == 1 and note.kind in "PCL") else broken


def _any(conditions: list[str]) -> str:
    unsure = list(dict.fromkeys(condition for condition in conditions if condition != "False"))
    return (
        "True"
        if "True" in unsure
        else "False"
        if not unsure
        else unsure[0]
        if len(unsure) == 1
        else f"({' or '.join(unsure)})"
    )


def _all(conditions: list[str]) -> str:
    unsure = list(dict.fromkeys(condition for condition in conditions if condition != "True"))
    return (
        "False"
        if "False" in unsure
        else "True"
        if not unsure
        else unsure[0]
        if len(unsure) == 1
        else f"({' and '.join(unsure)})"
    )


def _not(condition: str) -> str:
    return {"True": "False", "False": "True"}.get(condition) or f"not {condition}"


def _both(one: str, other: str) -> str:
    return _all([one, other])
