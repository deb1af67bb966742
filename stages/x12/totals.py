"""Sums a set must keep, as a table by set: which segment is a line, which a charge, where totals and counts stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

import msgspec

from stages.x12.reader import ReadSegment

_CENT = Decimal("0.01")
_HUNDRED = Decimal(100)
_BASIS = {"HP": _HUNDRED, "HU": _HUNDRED, "TP": Decimal(1000), "TH": Decimal(1000)}
_IN_TOTAL = frozenset({"", "02", "06"})  # SAC12: off invoice, customer pays; others only inform


class LineTotals(msgspec.Struct, frozen=True):
    """``total`` is (segment, its first element or "", position, implied decimals)."""

    line: str
    total: tuple[str, str, int, int]


SUMS = {"810": LineTotals("IT1", ("TDS", "", 1, 2)), "850": LineTotals("PO1", ("AMT", "TT", 2, 0))}


class WrongSum(msgspec.Struct, frozen=True):
    """``segment`` holds the sum or count at ``position``; ``slight`` when rounding of single lines would explain it."""

    segment: ReadSegment
    position: int
    message: str
    slight: bool = False


def wrong_sums(set: str, segments: Sequence[ReadSegment]) -> Iterator[WrongSum]:
    """What does not add up in one set. Silent where a number needed for it cannot be read: that is found elsewhere."""
    rule = SUMS.get(set)
    if rule is None:
        return
    lines = [segment for segment in segments if segment.id == rule.line]
    for segment in segments:
        if segment.id == "CTT" and segment[1].isdigit() and int(segment[1]) != len(lines):
            yield WrongSum(segment, 1, f"CTT01 counts {int(segment[1])} lines; there are {len(lines)}")
    yield from _wrong_total(rule, segments, lines)


def _wrong_total(rule: LineTotals, segments: Sequence[ReadSegment], lines: list[ReadSegment]) -> Iterator[WrongSum]:
    id, qualifier, position, decimals = rule.total
    # An amount with the same qualifier may also stand in a line or the header: the last one is the set's.
    stated = [s for s in segments if s.id == id and (not qualifier or s[1] == qualifier)]
    if not stated or not lines:
        return
    try:
        says = Decimal(stated[-1][position]).scaleb(-decimals)
        added = sum(map(_extension, lines), Decimal(0)) + sum(map(_charge, segments), Decimal(0))
    except InvalidOperation:
        return
    if says != added:
        slight = abs(says - added) <= _CENT * len(lines)
        yield WrongSum(stated[-1], position, f"{id}{position:02d} says {says}; lines and charges make {added}", slight)


def _extension(line: ReadSegment) -> Decimal:
    quantity, price = Decimal(line[2]), Decimal(line[4])
    return (quantity * price / _BASIS.get(line[5], Decimal(1))).quantize(_CENT, ROUND_HALF_UP)


def _charge(segment: ReadSegment) -> Decimal:
    match segment.id, segment[1]:
        case "SAC", "C" if segment[12] in _IN_TOTAL and segment[5]:
            return Decimal(segment[5]).scaleb(-2)
        case "SAC", "A" if segment[12] in _IN_TOTAL and segment[5]:
            return -Decimal(segment[5]).scaleb(-2)
        case "TXI", _ if segment[2]:
            return Decimal(segment[2])
    return Decimal(0)
