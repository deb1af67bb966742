"""The partner's companion guide as configuration: what one partner asks for beyond the standard. Pure data and its checks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

import msgspec

from stages.x12.definitions import Element, Release, SetDefinition, release, releases

CUTTABLE = frozenset({"352", "93", "166"})
"""Descriptions, names and address lines: the only elements ``long_text: cut`` may shorten. Identifiers never are."""

OUR_ITEM_IDS = frozenset({"IN", "BP", "SK"})
"""Product id qualifiers (element 235) under which our own item id may be sent."""

VENDOR_ITEM_IDS = frozenset({"VN", "VP", "VC"})
"""Product id qualifiers under which the vendor's item id may be sent."""

CLOSED_CODES = frozenset({"248", "455", "640"})
"""Elements whose code list is known in full, as far as partners use it: another value there is an error, not a warning."""

_ELEMENT = re.compile(r"([A-Z][A-Z0-9]{1,2})(\d\d)")
_SEGMENT = re.compile(r"([A-Z][A-Z0-9]{1,2})(?:\*([A-Z0-9]{1,3}))?")


class Delimiters(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """The four separators: one character each, all different, none a letter, digit, space, ``.`` or ``-``.

    ``repetition`` is written (in ISA11) from release 00402 on only.
    """

    element: str = "*"
    segment: str = "~"
    component: str = ">"
    repetition: str = "^"


class Terms(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """What one of the company's payment terms is in an ITD segment.

    ``type`` is ITD01 (05 no discount, 08 basic discount offered), ``basis`` ITD02 (3 invoice date, 15 receipt of goods),
    ``percent`` ITD03, ``discount_days`` ITD05, ``net_days`` ITD07. The dates ITD04 and ITD06 come from the bill.
    """

    type: str = "01"
    basis: str = "3"
    percent: Decimal | None = None
    discount_days: int | None = None
    net_days: int | None = None


class Guide(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """One partner's guide. Every key has a default, so ``guide: {}`` is a plain 004010 guide.

    Segments are written ``PID`` or, with the value of their first element, ``REF*IA``; elements ``BIG07``.
    """

    version: str = "004010"
    """GS08: the release (six digits), with the industry's suffix where the partner asks for one: ``004010VICS``."""

    units: dict[str, str] = {}
    """The company's unit words to X12 unit codes (element 355): ``{Case: CA, LB: LB}``. A missing word refuses the document."""

    delimiters: Delimiters = Delimiters()

    newline: bool = False
    """A line feed after each segment terminator, for people; never counted, never data."""

    on_delimiter: Literal["refuse", "replace"] = "refuse"
    """Data that holds one of the delimiters: refuse the document, or put ``replacement`` in its place (and note it)."""

    replacement: str = " "

    charset: Literal["basic", "extended"] = "extended"
    """``basic``: upper-case letters, digits, space and ``!"&'()*+,-./:;?=``. ``extended``: all printable ASCII."""

    transliterate: bool = True
    """Write accented letters and typographic marks in ASCII (é as e, – as -). What still does not fit is refused."""

    uppercase: bool = False
    """Write all text in upper case."""

    long_text: Literal["refuse", "cut"] = "refuse"
    """Descriptions, names and address lines that are too long: refuse, or cut after the last word that fits (and note it)."""

    party_ids: str = "92"
    """N103, the kind of identifier in N104: 92 assigned by the buyer, 91 by the seller, UL a GLN ..."""

    require: tuple[str, ...] = ()
    """Segments and elements that must be sent although the standard leaves them open; in lines, with each line."""

    forbid: tuple[str, ...] = ()
    """Segments and elements that must not be sent although we have data for them."""

    limits: dict[str, int] = {}
    """Maximum lengths below the standard's: ``{BIG02: 15}``."""

    item_ids: tuple[str, ...] = ("IN", "VN")
    """Product id qualifiers in the order to send them; IN, BP, SK are our item ids, VN, VP, VC the vendor's."""

    terms: dict[str, Terms] = {}
    """The company's payment terms by name. Terms not listed here are not sent."""

    fixed: dict[str, str] = {}
    """Elements that always have this value: ``{BIG07: DI}``. A fixed purpose (BIG08, BEG01) holds for originals only."""

    credit_sign: Literal["minus", "type"] = "minus"
    """Credits: ``minus`` writes negative amounts, ``type`` positive ones, the sign told by BIG07 = CR alone."""

    @property
    def release(self) -> str:
        """The six digits of the release, without the industry's suffix."""
        return self.version[:6]


def guide_digest(guide: Guide) -> str:
    """SHA-256 of the guide's canonical JSON, hexadecimal. Equal guides have equal digests, whatever the order of their keys."""
    return hashlib.sha256(msgspec.json.encode(guide, order="deterministic")).hexdigest()


def element_key(segment: str, position: int) -> str:
    """How a guide names an element: ``BIG07``."""
    return f"{segment}{position:02d}"


def segment_key(segment: str, first: object) -> str:
    """How a guide names one kind of a segment: ``REF*IA`` when its first element is a constant, else ``REF``."""
    return f"{segment}*{first}" if isinstance(first, str) and first else segment


def lint_guide(guide: Guide, set: str) -> list[str]:
    """What is wrong with a guide for this set, in sentences that start with the key; empty when nothing is.

    Whether a mapping can keep ``require``, ``forbid`` and ``fixed`` is found by `stages.x12.plan.compile_plan`.
    """
    if not re.fullmatch(r"\d{6}[A-Z0-9]{0,6}", guide.version) or guide.release not in releases():
        return [f"version: {guide.version!r} is not one of {', '.join(releases())} (an industry suffix may follow)"]
    tables = release(guide.version)
    if set not in tables.sets:
        return [f"version: release {guide.release} has no set {set!r} here; there are {', '.join(tables.sets)}"]
    return [
        *_lint_delimiters(guide),
        *_lint_text(guide),
        *_lint_codes(guide, tables),
        *_lint_places(guide, tables, tables.sets[set]),
    ]


def _lint_delimiters(guide: Guide) -> Iterator[str]:
    marks = msgspec.structs.asdict(guide.delimiters)
    for name, mark in marks.items():
        if len(mark) != 1 or not mark.isascii() or mark.isalnum() or mark in " .-":
            yield f"delimiters.{name}: {mark!r} must be one ASCII character, no letter, digit, space, '.' or '-'"
    if len({*marks.values()}) < len(marks):
        yield "delimiters: all must be different"
    if guide.newline and "\n" in marks.values():
        yield "newline: the segment terminator is a line feed already"


def _lint_text(guide: Guide) -> Iterator[str]:
    marks = msgspec.structs.asdict(guide.delimiters).values()
    if (
        len(guide.replacement) > 1
        or any(mark in guide.replacement for mark in marks)
        or not guide.replacement.isprintable()
    ):
        yield f"replacement: {guide.replacement!r} must be one printable character that is no delimiter, or nothing"
    if guide.charset == "basic" and not guide.uppercase:
        yield "charset: basic has no lower-case letters; set `uppercase: true` too"


def _lint_codes(guide: Guide, tables: Release) -> Iterator[str]:
    for word, code in guide.units.items():
        if not _is_code(code, 2, 2):
            yield f"units.{word}: {code!r} is not an X12 unit code of two characters"
    if not _is_code(guide.party_ids, 1, 2):
        yield f"party_ids: {guide.party_ids!r} is not a qualifier of one or two characters"
    for code in guide.item_ids:
        if code not in OUR_ITEM_IDS | VENDOR_ITEM_IDS:
            known = ", ".join(sorted(OUR_ITEM_IDS | VENDOR_ITEM_IDS))
            yield f"item_ids: a bill has no item id of kind {code!r}; it has {known}"
    for name, terms in guide.terms.items():
        yield from (f"terms.{name}: {problem}" for problem in _lint_terms(terms))


def _lint_terms(terms: Terms) -> Iterator[str]:
    if not _is_code(terms.type, 2, 2):
        yield f"type {terms.type!r} is not two characters"
    if not _is_code(terms.basis, 1, 2):
        yield f"basis {terms.basis!r} is not one or two characters"
    if terms.percent is not None and not 0 < terms.percent < 100:
        yield f"percent {terms.percent} is not between 0 and 100"
    for days in (terms.discount_days, terms.net_days):
        if days is not None and not 0 <= days <= 999:
            yield f"{days} days are not between 0 and 999"
    if terms.percent is not None and terms.discount_days is None:
        yield "a percent needs discount_days"


def _lint_places(guide: Guide, tables: Release, definition: SetDefinition) -> Iterator[str]:
    for key, places in (("require", guide.require), ("forbid", guide.forbid)):
        yield from (f"{key}: {problem}" for place in places if (problem := _place_problem(place, tables, definition)))
    for place in sorted({*guide.require} & {*guide.forbid}):
        yield f"forbid: {place} is also required"
    for place, limit in guide.limits.items():
        element = _element(place, tables, definition)
        if element is None:
            yield f"limits: {_unknown_element(place, definition)}"
        elif not element.min <= limit <= element.max:
            yield f"limits: {place} must be {element.min} to {element.max}, as the standard has it, not {limit}"
    for place, value in guide.fixed.items():
        element = _element(place, tables, definition)
        if element is None:
            yield f"fixed: {_unknown_element(place, definition)}"
        elif element.ref in CLOSED_CODES and not tables.meaning(element.ref, value):
            yield f"fixed: {value!r} is not a {element.name} ({place})"


def _place_problem(place: str, tables: Release, definition: SetDefinition) -> str:
    if _element(place, tables, definition) is not None:
        return ""
    match = _SEGMENT.fullmatch(place)
    if match is not None and match[1] in definition.segments():
        return ""
    return f"{place!r} is no segment or element of set {definition.id}; write PID, REF*IA or BIG07"


def _element(place: str, tables: Release, definition: SetDefinition) -> Element | None:
    match = _ELEMENT.fullmatch(place)
    if match is None or match[1] not in definition.segments() or match[1] not in tables.segments:
        return None
    elements = tables.segments[match[1]].elements
    position = int(match[2])
    return elements[position - 1].element if 1 <= position <= len(elements) else None


def _unknown_element(place: str, definition: SetDefinition) -> str:
    return f"{place!r} is no element of set {definition.id}; write it as BIG07"


def _is_code(text: str, low: int, high: int) -> bool:
    return low <= len(text) <= high and text.isascii() and text.isalnum() and text == text.upper()
