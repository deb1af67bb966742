"""Sums a set must keep, added up segment by segment: which segment is a line, which a charge, where totals and counts stand.

One class per kind of document, registered by set in `SUMS`; only the segments in its ``watched`` are shown to it. Silent where
a number it needs cannot be read: that is found elsewhere. Amounts are exact decimals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import ClassVar, Literal, Protocol

import msgspec

from stages.x12.guide import PRICE_SCALES

_CENT = Decimal("0.01")
_BASIS = {basis: Decimal(scale) for basis, scale in PRICE_SCALES.items()}
_IN_TOTAL = frozenset({"", "02", "06"})  # SAC12: off invoice, customer pays; others only inform
_CREDITS = frozenset({"CR", "CN"})  # BIG07


Place = tuple[int, int]
"""Where a segment stands: its position in the set and the byte it begins at."""

NOWHERE: Place = (0, 0)


class WrongSum(msgspec.Struct, frozen=True):
    """``place`` is where the sum or count stands; ``slight``: rounding, or a habit of senders, would explain it."""

    place: Place
    segment: str
    element: int
    message: str
    kind: Literal["sum", "count", "hash", "sign"] = "sum"
    slight: bool = False


class Sums(Protocol):
    """What one set must add up to."""

    watched: ClassVar[frozenset[str]]
    stating: ClassVar[frozenset[str]]
    """Those of the watched that may be at fault: only their place matters."""

    def take(self, fields: Sequence[str], place: Place) -> None:
        """The next watched segment, ``fields[0]`` its id."""

    def wrong(self) -> Iterator[WrongSum]:
        """What does not add up, when the set is over."""


_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_WHOLE = re.compile(r"-?[0-9]+")
_LONGEST_NUMBER = 40
_MOST_ODD = 100  # findings of one kind in one set


def number(text: str) -> Decimal:
    """An amount or quantity as X12 writes it. Raises `decimal.InvalidOperation` for anything else, an exponent too."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        raise InvalidOperation(text[:_LONGEST_NUMBER])
    return Decimal(text)


def _at(fields: Sequence[str], position: int) -> str:
    return fields[position] if position < len(fields) else ""


class LineSums:
    """Lines with quantity and price, charges and taxes, a total, and a count of lines in CTT."""

    line: ClassVar[str]
    watched: ClassVar[frozenset[str]]
    stating: ClassVar[frozenset[str]] = frozenset({"TDS", "AMT", "CTT", "SAC"})

    def __init__(self) -> None:
        self._lines = 0
        self._quantity = self._goods = Decimal(0)
        self._charges = {True: Decimal(0), False: Decimal(0)}  # by whether they stand in a line
        self._in_line = False
        self._unread = False
        self._unread_quantity = False
        self._stated: tuple[str, Place] | None = None
        self._count: tuple[list[str], Place] | None = None
        self._credit = False
        self._signed: list[WrongSum] = []

    def take(self, fields: Sequence[str], place: Place) -> None:
        id = fields[0]
        if id == self.line:
            self._line(fields)
        elif id == "CTT":
            self._count = (list(fields), place)
        elif id in ("SAC", "TXI"):
            self._sign(fields, place)
            try:
                self._charges[self._in_line] += charge(fields)
            except InvalidOperation:
                self._unread = True
        else:
            self._other(fields, place)

    def _sign(self, fields: Sequence[str], place: Place) -> None:
        """SAC01 tells allowances from charges; a sign besides would be read both ways."""
        if fields[0] == "SAC" and _at(fields, 5).startswith("-") and len(self._signed) < _MOST_ODD:
            message = (
                f"SAC05 says {_at(fields, 5)[:20]}; the amount has no sign, SAC01 tells an allowance from a charge"
            )
            self._signed.append(WrongSum(place, "SAC", 5, message, "sign", slight=True))

    def _line(self, fields: Sequence[str]) -> None:
        self._lines += 1
        self._in_line = True
        try:
            quantity = number(_at(fields, 2))
            self._quantity += quantity
        except InvalidOperation:
            self._unread = self._unread_quantity = True
            return
        try:
            self._goods += line_amount(fields)
        except InvalidOperation:
            self._unread = True

    def _other(self, fields: Sequence[str], place: Place) -> None:
        raise NotImplementedError

    def _total(self, id: str, position: int, decimals: int) -> Iterator[WrongSum]:
        if self._stated is None or not self._lines or self._unread or (decimals and "." in self._stated[0]):
            return
        try:
            says = number(self._stated[0]).scaleb(-decimals)
        except InvalidOperation:
            return
        makes = self._goods + sum(self._charges.values())
        if says != makes and not (self._credit and says == -makes):
            # Some senders state the charges of the lines once more for the whole document.
            twice = {self._goods + charges for charges in self._charges.values()}
            slight = abs(says - makes) <= _CENT * self._lines or says in twice
            message = f"{id}{position:02d} says {says:f}; lines and charges make {makes:f}"
            yield WrongSum(self._stated[1], id, position, message, slight=slight)

    def _counts(self) -> Iterator[WrongSum]:
        yield from self._signed
        if self._count is None:
            return
        fields, place = self._count
        count = _at(fields, 1)
        if _WHOLE.fullmatch(count) and count.lstrip("0") != str(self._lines or ""):
            yield WrongSum(
                place, "CTT", 1, f"CTT01 counts {count.lstrip('0')[:20] or 0} lines; there are {self._lines}", "count"
            )
        try:
            total = number(_at(fields, 2))
        except InvalidOperation:
            return
        if total != self._quantity and not self._unread_quantity:
            # Few senders agree on what is hashed: quantities, truncated or not, or something of their own.
            message = f"CTT02 says {total:f}; the quantities make {self._quantity:f}"
            yield WrongSum(place, "CTT", 2, message, "hash", slight=True)


class InvoiceSums(LineSums):
    """810: TDS01 is lines and charges and taxes less allowances."""

    line = "IT1"
    watched = frozenset({"BIG", "IT1", "SAC", "TXI", "TDS", "CTT"})

    def _other(self, fields: Sequence[str], place: Place) -> None:
        if fields[0] == "TDS":
            self._in_line = False
            self._stated = (_at(fields, 1), place)
        else:
            self._credit = _at(fields, 7) in _CREDITS

    def wrong(self) -> Iterator[WrongSum]:
        yield from self._counts()
        yield from self._total("TDS", 1, 2)


class OrderSums(LineSums):
    """850: the last AMT*TT is the order's total."""

    line = "PO1"
    watched = frozenset({"PO1", "SAC", "TXI", "AMT", "CTT"})

    def _other(self, fields: Sequence[str], place: Place) -> None:
        # An amount with the same qualifier may also stand in a line or the header: the last one is the set's.
        if _at(fields, 1) == "TT":
            self._stated = (_at(fields, 2), place)

    def wrong(self) -> Iterator[WrongSum]:
        yield from self._counts()
        yield from self._total("AMT", 2, 0)


class AnswerSums(OrderSums):
    """855: CTT01 counts the lines that are repeated; there is no total to keep."""

    watched = frozenset({"PO1", "CTT"})

    def wrong(self) -> Iterator[WrongSum]:
        yield from self._counts()


class PaymentSums:
    """820: BPR02 is what is paid on all items (RMR04) and the adjustments outside of them (ADX01); an item is gross less discount."""

    watched: ClassVar[frozenset[str]] = frozenset({"BPR", "ENT", "RMR", "ADX"})
    stating: ClassVar[frozenset[str]] = frozenset({"BPR", "RMR"})

    def __init__(self) -> None:
        self._stated: tuple[str, Place] | None = None
        self._paid = Decimal(0)
        self._items = 0
        self._inside = False  # of an item
        self._unread = False
        self._odd: list[WrongSum] = []

    def take(self, fields: Sequence[str], place: Place) -> None:
        match fields[0]:
            case "BPR":
                self._stated = (_at(fields, 2), place)
            case "ENT":
                self._inside = False
            case "RMR":
                self._inside = True
                self._items += 1
                self._add(_at(fields, 4))
                self._item(fields, place)
            case "ADX" if not self._inside:
                self._add(_at(fields, 1))

    def _add(self, text: str) -> None:
        try:
            self._paid += number(text)
        except InvalidOperation:
            self._unread = True

    def _item(self, fields: Sequence[str], place: Place) -> None:
        """Paid = gross - discount + adjustment, unless the item says it is a part payment."""
        paid, gross, discount, adjusted = (_at(fields, position) for position in (4, 5, 6, 8))
        if not paid or not gross or _at(fields, 3) in ("PP", "PI") or len(self._odd) >= _MOST_ODD:
            return
        try:
            makes = number(gross) - number(discount or "0") + number(adjusted or "0")
            if number(paid) != makes:
                message = f"RMR04 says {paid}; gross less discount and adjustment make {makes:f}"
                self._odd.append(WrongSum(place, "RMR", 4, message, slight=True))
        except InvalidOperation:
            return

    def wrong(self) -> Iterator[WrongSum]:
        yield from self._odd
        if self._stated is None or not self._items or self._unread:
            return
        try:
            says = number(self._stated[0])
        except InvalidOperation:
            return
        if says != self._paid:
            message = f"BPR02 says {says:f}; items and adjustments make {self._paid:f}"
            yield WrongSum(self._stated[1], "BPR", 2, message)


SUMS: dict[str, type[Sums]] = {"810": InvoiceSums, "820": PaymentSums, "850": OrderSums, "855": AnswerSums}


def line_amount(fields: Sequence[str]) -> Decimal:
    """Quantity by price of a line, to the cent. Raises `decimal.InvalidOperation` where one is no number."""
    amount = number(_at(fields, 2)) * number(_at(fields, 4))
    return (amount / _BASIS.get(_at(fields, 5), 1)).quantize(_CENT, ROUND_HALF_UP)


def charge(fields: Sequence[str]) -> Decimal:
    """What a SAC or TXI adds to the total; 0 when it only informs. Raises `decimal.InvalidOperation` where the amount is no number."""
    match fields[0], _at(fields, 1):
        case "SAC", "C" if _at(fields, 12) in _IN_TOTAL and _at(fields, 5):
            return number(fields[5]).scaleb(-2)
        case "SAC", "A" if _at(fields, 12) in _IN_TOTAL and _at(fields, 5):
            return -number(fields[5]).scaleb(-2)
        case "TXI", _ if _at(fields, 2) and _at(fields, 7) != "O":  # TXI07 O: for information
            return number(fields[2])
    return Decimal(0)
