"""One element: a typed value to the text that X12 wants, by type, length and character set; or the rule it breaks.

There are two ways through. `Encoder.encode` handles everything and is what defines the result. `plain_encoder` gives a function
that handles what is plainly fine, and raises `Doubt` for all else: where it answers, both agree.
Numbers go from `Decimal` to digits without ever being binary floats. Source: X12.6, application control structure.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import msgspec

from stages.x12.definitions import Element
from stages.x12.guide import CUTTABLE, Guide

_MARKS = str.maketrans(
    {
        "‘": "'", "’": "'", "‚": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‹": "'", "›": "'",
        "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-", "•": "-", "·": ".", "×": "x",
        "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D",
        "ł": "l", "Ł": "L", "þ": "th", "Þ": "Th", "ı": "i", "€": "EUR", "£": "GBP", "¥": "JPY", "©": "(C)", "®": "(R)",
        "°": " DEG", "⁄": "/", "\u200b": None, "\u200e": None, "\u200f": None, "\ufeff": None, "\u00ad": None,
    }
)  # fmt: skip
_BASIC = frozenset(string.ascii_uppercase + string.digits + " !\"&'()*+,-./:;?=")


IDENTIFIERS = frozenset({"67", "76", "127", "234", "324", "328"})
"""Elements that tell one thing from another: id codes, invoice, reference, product, order and release numbers."""


class Doubt(Exception):
    """The plain way cannot tell; the careful way must look."""


class Rule(msgspec.Struct, frozen=True):
    """What an element broke: ``what`` continues its name, ``code`` is stable, ``desk`` tells whether a guide could allow it."""

    code: str
    what: str
    mend: str
    desk: bool = False


MISSING = Rule("MLC-X12-0101", "is missing", "Enter it in the books and run again")
TOO_LONG = Rule("MLC-X12-0102", "is longer than X12 allows", "Shorten it in the books; identifiers are never cut")
OVER_LIMIT = Rule(
    "MLC-X12-0103", "is longer than the partner allows", "Shorten it in the books, or agree on `guide.limits`", True
)
TEXT_TOO_LONG = Rule(
    "MLC-X12-0104", "is longer than X12 allows", "Shorten it in the books, or set `guide.long_text: cut`", True
)
TOO_SHORT = Rule("MLC-X12-0105", "is shorter than X12 allows", "Correct it in the books")
WRONG_TYPE = Rule("MLC-X12-0106", "is not what X12 wants here", "Correct it in the books")
TOO_FINE = Rule("MLC-X12-0107", "has more decimals than X12 can carry", "Round it in the books")
CHARACTER = Rule(
    "MLC-X12-0108", "holds a character the partner cannot read", "Correct the text, or widen the guide", True
)
DELIMITER = Rule(
    "MLC-X12-0109",
    "holds a delimiter",
    "Correct the text, choose other `guide.delimiters`, or `on_delimiter: replace`",
    True,
)
NOT_LISTED = Rule("MLC-X12-0110", "has no X12 code in the partner's guide", "Add the word to the partner's guide", True)
NOTE = Rule("MLC-X12-0111", "breaks a rule between elements", "Fill in what is missing, or forbid the segment", True)
REQUIRED = Rule(
    "MLC-X12-0112", "is required by the partner's guide", "Enter it in the books, or correct `guide.require`", True
)
UNUSABLE = Rule("MLC-X12-0113", "cannot be sent", "Correct it in the books")
NOT_ALLOWED = Rule(
    "MLC-X12-0115", "is no value the partner takes", "Correct it in the books, or add it to `guide.codes`", True
)
FORBIDDEN = Rule(
    "MLC-X12-0116",
    "is forbidden by the partner's guide, and the document cannot do without it",
    "Take it out of `guide.forbid`, or exclude such documents by a rule",
    True,
)
TOO_MANY = Rule("MLC-X12-0114", "occurs more often than the set allows", "Split the bill")


class Broken(Exception):
    """The value breaks this rule; ``why`` says how, with the value and the limit."""

    def __init__(self, rule: Rule, why: str) -> None:
        super().__init__(why)
        self.rule = rule
        self.why = why


class Alphabet:
    """What may be written to one partner: the character set less the delimiters, and how text is brought into it."""

    def __init__(self, guide: Guide) -> None:
        marks = guide.delimiters
        used = [marks.element, marks.segment, marks.component]
        if guide.release >= "004020":
            used.append(marks.repetition)
        self.delimiters = "".join(used)
        self._guide = guide
        self.uppercase = guide.uppercase
        may = _BASIC if guide.charset == "basic" else frozenset(map(chr, range(32, 127)))
        self.allowed = bytes(sorted(ord(c) for c in may - {*self.delimiters}))
        """The characters that may be sent as they are."""

    def fits(self, data: str) -> bool:
        """Whether all of these characters may be sent as they are."""
        return data.isascii() and not data.encode().translate(None, self.allowed)

    def bring_in(self, text: str, *, identifier: bool = False) -> tuple[str, str]:
        """The text in this alphabet, and a note on what was substituted ("" when nothing was). Raises `Broken`.

        In an ``identifier`` no delimiter is replaced by nothing or a space: it could become another one.
        """
        written = text.upper() if self._guide.uppercase else text
        if self.fits(written):
            return written, ""
        if self._guide.transliterate:
            written = transliterate(written)
            written = written.upper() if self._guide.uppercase else written
        written = self._without_delimiters(written, text, identifier)
        if not self.fits(written):
            bad = next(c for c in written if not self.fits(c))
            raise Broken(
                CHARACTER, f"{shown(text)} holds {bad!r}, which is not in the {self._guide.charset} character set"
            )
        return written.strip(), f"{text!r} written as {written.strip()!r}"

    def bringer(self, notes: dict[str, str]) -> Callable[[Any, str, str], str]:
        """`bring_in` for any value, with the notes put under element and place. Raises `Doubt` for what is no text."""

        # Whether a delimiter may be replaced by nothing depends on the element, which is not known here.
        risky = self.delimiters if self._guide.on_delimiter == "replace" and not self._guide.replacement.strip() else ""

        def bring(value: Any, name: str, place: str) -> str:
            if value is None:
                return ""
            if type(value) is not str and type(value) is not int:
                raise Doubt
            text = str(value).strip()
            if any(mark in text for mark in risky):
                raise Doubt
            written, note = self.bring_in(text) if text else ("", "")
            if note:
                notes[name + place] = note
            return written

        return bring

    def _without_delimiters(self, written: str, text: str, identifier: bool) -> str:
        for mark in self.delimiters:
            if mark in written:
                if self._guide.on_delimiter == "refuse":
                    raise Broken(DELIMITER, f"{shown(text)} holds {mark!r}, a delimiter of this partner")
                if identifier and not self._guide.replacement.strip():
                    why = f"{shown(text)} holds {mark!r}; an identifier that loses it could be another's"
                    raise Broken(DELIMITER, f"{why}: set a visible `guide.replacement`")
                written = written.replace(mark, self._guide.replacement)
        return written


_FRACTIONS = "\u00bc-\u00be\u2150-\u215f\u2189"
_RAISED = "\u00b2\u00b3\u00b9\u2070-\u2079\u2080-\u2089"
_APART = re.compile(f"(?<=[0-9{_FRACTIONS}])(?=[{_FRACTIONS}])|(?<=[0-9])(?=[{_RAISED}])")


def transliterate(text: str) -> str:
    """The text with typographic marks and ligatures spelled out, accents dropped and line breaks made spaces.

    A fraction behind a digit or another fraction, and a raised or lowered digit behind a digit, get a space before them: one
    and a half pounds must not become eleven halves, nor ten with a footnote a hundred and two.
    """
    text = _APART.sub(" ", text.translate(_MARKS))
    decomposed = unicodedata.normalize("NFKD", text).translate(_MARKS)
    kept = "".join(c for c in decomposed if not unicodedata.combining(c))
    return re.sub(r"[\t\r\n\v\f\x85\u2028\u2029]+", " ", kept)


def shown(value: object) -> str:
    """A value for people, at most 60 characters of it."""
    text = str(value)
    return f'"{text}"' if len(text) <= 60 else f'"{text[:57]}..."'


class Encoder:
    """Everything about one position of a segment: its element, whether set or guide demand it, and the partner's limits."""

    def __init__(
        self,
        element: Element,
        mandatory: bool,
        required: bool,
        guide: Guide,
        alphabet: Alphabet,
        limit: int | None = None,
        *,
        codes: tuple[str, ...] | None = None,
    ) -> None:
        self.element = element
        self.kind = element.type
        self.mandatory = mandatory or required
        self.required = required
        self.codes = codes
        self.min = element.min if limit is None else min(limit, element.min)
        self.max = element.max if limit is None else limit  # above the standard's only by `guide.override`
        self._alphabet = alphabet
        self._cut = guide.long_text == "cut" and element.ref in CUTTABLE
        self._ends_lines = guide.delimiters.segment in "\r\n"
        self._numeric = element.type == "R" or element.type[0] == "N"

    def encode(self, value: Any) -> tuple[str, str]:
        """The text to send ("" for nothing) and a note on what was substituted or cut. Raises `Broken`."""
        text, note = self._text(value)
        if not text:
            if self.required:
                raise Broken(REQUIRED, "it is empty in the books; `guide.require` names it")
            if self.mandatory:
                raise Broken(MISSING, "it is empty in the books; the set demands it")
            return "", note  # of a text of which nothing is left
        text, note = self._measured(text, note)
        self._allow(text)
        return text, note

    def hold(self, text: str) -> None:
        """Raises `Broken` when a text that is ready to be sent breaks what the guide asks of this position."""
        if not text and self.required:
            raise Broken(REQUIRED, "there is nothing for it; `guide.require` names it")
        if text and len(text) > self.max:
            raise Broken(self._length_rule(), f"{shown(text)} has {len(text)} characters; the maximum is {self.max}")
        self._allow(text)

    def _allow(self, text: str) -> None:
        if text and self.codes is not None and text not in self.codes:
            raise Broken(NOT_ALLOWED, f"{shown(text)} is not one of {', '.join(self.codes)} (`guide.codes`)")

    def literal(self, text: str) -> Any:
        """A text of a mapping or guide, written as it is sent, as a value of this element: ``1`` is a number where X12 wants one,
        ``1000`` is 10.00 where two decimals are implied, ``20260131`` is a date.
        """
        try:
            if self.kind[0] == "N":
                return Decimal(int(text)).scaleb(-int(self.kind[1:]))
            if self._numeric:
                return Decimal(text)
            return datetime.strptime(text, "%Y%m%d").date() if self.kind == "DT" else text  # noqa: DTZ007 - a calendar date
        except (ArithmeticError, ValueError):
            raise Broken(WRONG_TYPE, f"{shown(text)} is not what X12 wants here") from None

    def _text(self, value: Any) -> tuple[str, str]:
        if value is None or value == "":
            return "", ""
        match self.element.type:
            case "AN" | "ID":
                if isinstance(value, bool) or not isinstance(value, str | int):
                    raise Broken(WRONG_TYPE, f"{shown(value)} is not text")
                text = str(value).strip()
                identifier = self.element.ref in IDENTIFIERS
                return self._alphabet.bring_in(text.upper() if self.kind == "ID" else text, identifier=identifier)
            case "DT":
                if not isinstance(value, date) or isinstance(value, datetime):
                    raise Broken(WRONG_TYPE, f"{shown(value)} is not a date")
                return value.strftime("%Y%m%d") if value.year >= 1000 else f"{value.year:04}{value:%m%d}", ""
            case "TM":
                if not isinstance(value, time):
                    raise Broken(WRONG_TYPE, f"{shown(value)} is not a time of day")
                return value.strftime("%H%M%S" if self.max >= 6 else "%H%M"), ""
            case "R":
                return real(exact(value)), ""
            case kind:
                return implied(exact(value), int(kind[1:])), ""

    def _measured(self, text: str, note: str) -> tuple[str, str]:
        length = len(text) if not self._numeric else sum(c.isdigit() for c in text)
        if length > self.max:
            if not self._cut:
                raise Broken(self._length_rule(), f"{shown(text)} has {length} characters; the maximum is {self.max}")
            cut = cut_at_word(text, self.max)
            return cut, f"{note}; cut to {cut!r}" if note else f"{text!r} cut to {cut!r}"
        if length < self.min:
            return self._filled(text, length), note
        return text, note

    def _length_rule(self) -> Rule:
        if self.max < self.element.max:
            return OVER_LIMIT
        return TEXT_TOO_LONG if self.element.ref in CUTTABLE else TOO_LONG

    def _filled(self, text: str, length: int) -> str:
        """Up to the minimum: texts with spaces on the right, numbers with zeros on the left; codes never."""
        if self.element.type == "AN" and not self._ends_lines:  # spaces before the end of a line do not last
            return text.ljust(self.min)
        if self._numeric and "." not in text:
            sign, digits = text[: len(text) - length], text[len(text) - length :]
            return sign + digits.zfill(self.min)
        raise Broken(TOO_SHORT, f"{shown(text)} has {length} characters; the minimum is {self.min}")


def exact(value: Any) -> Decimal:
    """The number as it is. Floats and bools are refused: nobody knows what they were meant to be."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        raise Broken(WRONG_TYPE, f"{shown(value)} is not a decimal number")
    return value


def real(value: Decimal) -> str:
    """Type R: no exponent, plus sign, trailing zeros, trailing point or zero before the point. 0 is ``0``, 0.5 is ``.5``."""
    if not value:
        return "0"
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def implied(value: Decimal, decimals: int) -> str:
    """Type Nn: digits with ``decimals`` implied places. 12.34 as N2 is ``1234``. Raises `Broken` when digits would be lost."""
    if not value:
        return "0"
    text = real(value)
    whole, _, fraction = text.partition(".")
    if len(fraction) > decimals:
        raise Broken(TOO_FINE, f"{text} has {len(fraction)} decimals; there is room for {decimals}")
    sign, whole = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return sign + ((whole + fraction.ljust(decimals, "0")).lstrip("0") or "0")


def cut_at_word(text: str, limit: int) -> str:
    """The text up to the last word that fits; a first word that is longer is cut where the room ends."""
    head = text[: limit + 1]
    cut = head[: head.rindex(" ")].rstrip() if " " in head.strip() else ""
    return cut or text[:limit].rstrip()


def plain_encoder(encoder: Encoder) -> Callable[[Any], str]:
    """The quick way for numbers and dates: the text of what is plainly fine, "" for nothing; raises `Doubt` or `Broken`."""
    low, high, kind = encoder.min, encoder.max, encoder.kind

    def measured(text: str) -> str:
        if low <= sum(map(str.isdigit, text)) <= high:
            return text
        raise Doubt

    def number(value: Any) -> str:
        if type(value) is Decimal and value and value.is_finite():
            digits = str(value)
            # Short and without exponent: what follows can only make it shorter.
            if len(digits) <= high and "E" not in digits:
                if "." in digits:
                    digits = digits.rstrip("0").rstrip(".")
                    if digits[0] == "0":
                        return digits[1:]
                    if digits[:2] == "-0":
                        return "-" + digits[2:]
                return digits
        return "" if value is None or value == "" else measured(real(exact(value)))

    def day(value: Any) -> str:
        if type(value) is date:
            return value.isoformat().replace("-", "")
        if value is None or value == "":
            return ""
        raise Doubt

    def whole(value: Any) -> str:
        if type(value) is int and value >= 0 and low <= len(digits := str(value)) <= high:
            return digits
        return scaled(value)

    def cents(value: Any) -> str:
        if type(value) is Decimal:
            digits = str(value)
            if digits[-3:-2] == "." and digits[0] not in "-0" and len(digits) <= high:
                return digits[:-3] + digits[-2:]
        return scaled(value)

    def scaled(value: Any) -> str:
        return "" if value is None or value == "" else measured(implied(exact(value), int(kind[1:])))

    def doubt(value: Any) -> str:
        if value is None or value == "":
            return ""
        raise Doubt

    if kind == "DT" and (low, high) == (8, 8):
        return day
    if kind == "R" and low == 1:
        return number
    if kind[0] == "N":
        return whole if kind == "N0" and low == 1 else cents if kind == "N2" and low == 1 else scaled
    return doubt
