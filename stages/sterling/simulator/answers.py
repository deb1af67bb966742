"""What a simulated partner writes: TA1, 997, 824 and 855, by a writer of its own. Pure functions over what it has read.

Sources: X12 sets 997, 824 and 855 and the TA1 segment; the codes of the elements 501 and 715 to 718, 587 (BAK02) and 668 (ACK01).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from stages.sterling.simulator.interchanges import Group, Interchange, Note, Row, Set

Verdict = Literal["A", "E", "R"]
"""Element 717 for one set: accepted, accepted with errors, rejected."""

OrderAnswer = Literal["accept", "change", "reject"]

_INVENTED = [Note("REF", 3, "8", 2, "127", "7")]
"""What a partner complains of who finds nothing wrong, and complains."""

_QUALIFIERS = {"810": "IV", "850": "PO"}


def ta1(found: Interchange, status: str, note: str) -> Row:
    return ["TA1", found.head[13], found.head[9], found.head[10], status, note]


def functional(group: Group, verdicts: Sequence[Verdict]) -> list[Row]:
    """A 997: every set that was received, named."""
    rows: list[Row] = [["AK1", group.functional, group.number]]
    for one, verdict in zip(group.sets, verdicts, strict=True):
        notes = one.notes or ([] if one.codes or verdict == "A" else _INVENTED)
        rows.append(["AK2", one.code, one.control])
        rows += [row for note in notes for row in _note(note)]
        rows.append(["AK5", verdict, *(one.codes or (["5"] if notes else []))])
    total, bad = len(group.sets), sum(verdict == "R" for verdict in verdicts)
    status = "R" if group.codes or (bad and bad == total) else "P" if bad else "E" if "E" in verdicts else "A"
    accepted = 0 if status == "R" else total - bad
    return [*rows, ["AK9", status, str(total), str(total), str(accepted), *group.codes]]


def _note(note: Note) -> list[Row]:
    rows = [["AK3", note.segment, str(note.position), "", note.error]]
    if note.fault:
        rows.append(_trimmed(["AK4", str(note.element), note.reference, note.fault, note.value[:99]]))
    return rows


def advice(group: Group, one: Set, now: datetime) -> list[Row]:
    """An 824 that refuses a document for what it says."""
    oti = [
        "OTI",
        "TR",
        _QUALIFIERS.get(one.code, "TN"),
        one.reference,
        "",
        "",
        "",
        "",
        group.number,
        one.control,
        one.code,
    ]
    return [
        ["BGN", "11", group.number, f"{now:%Y%m%d}", f"{now:%H%M}"],
        oti,
        ["TED", "011", "THIS NUMBER IS NOT KNOWN HERE", "", "", "", "", one.reference],
    ]  # fmt: skip


def order_answer(one: Set, how: OrderAnswer, now: datetime) -> list[Row]:
    """An 855 for an 850: taken as it is, taken with a smaller quantity of its first line, or refused as a whole."""
    order, ordered = next(([row[3], row[5]] for row in one.rows if row[0] == "BEG"), ["", ""])
    status = {"accept": "AD", "change": "AC", "reject": "RJ"}[how]
    rows: list[Row] = [["BAK", "00", status, order, f"{now:%Y%m%d}", "", "", "", "", ordered]]
    rows[0] = _trimmed(rows[0])
    lines = [row for row in one.rows if row[0] == "PO1"] if how != "reject" else []
    for place, line in enumerate(lines):
        changed = how == "change" and place == 0
        rows += [line, ["ACK", "IQ" if changed else "IA", _fewer(line[2]) if changed else line[2], line[3]]]
    return [*rows, ["CTT", str(len(lines))]] if lines else rows


def _fewer(quantity: str) -> str:
    """One less, where that leaves something."""
    return str(int(quantity) - 1) if quantity.isdigit() and int(quantity) > 1 else "0.5"


def _trimmed(row: Row) -> Row:
    while row and not row[-1]:
        row = row[:-1]
    return row


def interchange(
    found: Interchange, number: int, now: datetime, sets: Sequence[list[Row]], kind: tuple[str, str], first: Sequence[Row] = ()
) -> bytes:  # fmt: skip
    """An interchange back, ids swapped: ``first`` (a TA1), then one group with these sets. ``kind`` is their GS01 and ST01."""
    mark, terminator, component = found.marks
    head = found.head
    isa = [*head[:5], head[7], head[8], head[5], head[6], f"{now:%y%m%d}", f"{now:%H%M}", head[11], head[12]]
    isa += [f"{number:09d}", "0", head[15], component]
    rows: list[Row] = [isa, *first]
    if sets:
        version = found.groups[0].version[:6]
        rows.append(
            ["GS", kind[0], head[8].strip(), head[6].strip(), f"{now:%Y%m%d}", f"{now:%H%M}", str(number), "X", version]
        )
        for place, body in enumerate(sets, 1):
            rows += [["ST", kind[1], f"{place:04d}"], *body, ["SE", str(len(body) + 2), f"{place:04d}"]]
        rows.append(["GE", str(len(sets)), str(number)])
    rows.append(["IEA", "1" if sets else "0", f"{number:09d}"])
    return "".join(mark.join(row) + terminator for row in rows).encode("latin-1")
