"""What is wrong with a guide, in sentences: found before the first document is made. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from stages.x12.definitions import Element, Release, SetDefinition, release, releases
from stages.x12.guide import (
    BILL_FIELDS,
    CLOSED_CODES,
    DATE_FIELDS,
    LINE_FIELDS,
    OUR_ITEM_IDS,
    PARTY_IDS,
    PAYMENT_FIELDS,
    PLACE,
    VENDOR_ITEM_IDS,
    Guide,
    Terms,
    overridden,
)

_LINE_ENDS = "\n\r"
_CONTROLS = "\x07\x0b\x0c\x1c\x1d\x1e\x1f"
"""Control characters of X12's basic set that may separate anything (X12.6). A line end may only terminate segments; a tab is lost as a blank."""

_SEGMENT = re.compile(r"([A-Z][A-Z0-9]{1,2})(?:\*([A-Z0-9]{1,3}))?")


def lint_guide(guide: Guide, set: str) -> list[str]:
    """What is wrong with a guide for this set, in sentences that start with the key; empty when nothing is.

    Whether a mapping can keep ``require``, ``forbid`` and ``fixed`` is found by `stages.x12.writing.compiler.compile_plan`.
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
        *_lint_fields(guide),
        *_lint_places(guide, tables, tables.sets[set]),
        *_lint_money(guide),
    ]


def _lint_delimiters(guide: Guide) -> Iterator[str]:
    marks = msgspec.structs.asdict(guide.delimiters)
    for name, mark in marks.items():
        if len(mark) != 1 or not mark.isascii() or mark.isalnum() or mark in " .-":
            yield f"delimiters.{name}: {mark!r} must be one ASCII character, no letter, digit, space, '.' or '-'"
        elif not mark.isprintable() and mark not in (_LINE_ENDS if name == "segment" else "") + _CONTROLS:
            yield f"delimiters.{name}: {mark!r} is no control character that X12 separates with there"
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
    if guide.implementation and (guide.release < "005010" or not re.fullmatch(r"[A-Z0-9]{1,35}", guide.implementation)):
        yield f"implementation: {guide.implementation!r} must be 1 to 35 capital letters and digits, in release 005010 or later"
    if guide.charset == "basic" and not guide.uppercase:
        yield "charset: basic has no lower-case letters; set `uppercase: true` too"


def _lint_codes(guide: Guide, tables: Release) -> Iterator[str]:
    for word, code in guide.units.items():
        if not _is_code(code, 2, 2):
            yield f"units.{word}: {code!r} is not an X12 unit code of two characters"
    if not _is_code(guide.party_ids, 1, 2):
        yield f"party_ids: {guide.party_ids!r} is not a qualifier of one or two characters"
    for code in guide.item_ids:
        if code not in OUR_ITEM_IDS | VENDOR_ITEM_IDS | {*guide.item_fields}:
            known = ", ".join(sorted(OUR_ITEM_IDS | VENDOR_ITEM_IDS | {*guide.item_fields}))
            yield f"item_ids: a bill has no item id of kind {code!r}; it has {known}"
    for name, terms in guide.terms.items():
        yield from (f"terms.{name}: {problem}" for problem in _lint_terms(terms))
    for key, ref, codes in _coded(guide):
        meanings = tables.codes.get(ref, {})
        for code in codes:
            if code and code not in meanings and key.partition(".")[0] not in guide.override:
                yield f"{key}: {code!r} is not a known {tables.elements[ref].name}; `override: [{key.partition('.')[0]}]` allows it"


def _coded(guide: Guide) -> Iterator[tuple[str, str, Iterable[str]]]:
    """Keys whose values are codes: the key, the element, the values."""
    yield "fob", "146", [guide.fob]
    yield "currency_entity", "98", [guide.currency_entity]
    yield "price_basis", "639", guide.price_basis.values()
    yield "payment_methods", "591", guide.payment_methods.values()
    yield "payment_format", "812", [guide.payment_format]
    yield "contact.function", "366", [guide.contact.function]
    yield "dates", "374", guide.dates
    for key in ("refs", "line_refs", "payment_refs"):
        yield key, "128", getattr(guide, key)
    yield "item_fields", "235", guide.item_fields
    yield "allowance_code", "1300", [guide.allowance_code]
    yield "charges.code", "1300", [charge.code for charge in guide.charges.values()]
    yield "charges.handling", "331", [charge.handling for charge in guide.charges.values()]
    yield "tax_type", "963", [guide.tax_type]
    yield "charges.tax", "963", [charge.tax for charge in guide.charges.values()]
    yield "parties.role", "98", [party.role for party in guide.parties]


def _lint_fields(guide: Guide) -> Iterator[str]:
    for key, known in (
        ("refs", BILL_FIELDS),
        ("line_refs", LINE_FIELDS),
        ("payment_refs", PAYMENT_FIELDS),
        ("item_fields", LINE_FIELDS),
    ):
        for qualifier, field in getattr(guide, key).items():
            yield from _lint_field(f"{key}.{qualifier}", field, known)
    for qualifier, field in guide.dates.items():
        if field not in DATE_FIELDS:
            yield f"dates.{qualifier}: {field!r} is not one of {', '.join(sorted(DATE_FIELDS))}"
    for field in guide.descriptions:
        yield from _lint_field("descriptions", field, LINE_FIELDS)
    for party in guide.parties:
        if party.id not in ("", "none"):
            yield from _lint_field("parties", party.id, PARTY_IDS)
        if party.qualifier and not _is_code(party.qualifier, 1, 2):
            yield f"parties: qualifier {party.qualifier!r} is not one or two characters"
    for account, charge in guide.charges.items():
        if bool(charge.code) == bool(charge.tax):
            yield f"charges.{account}: give either `code` or `tax`"


_HANDLED_IN_TOTAL = ("02", "06")


def _lint_money(guide: Guide) -> Iterator[str]:
    """What would make a document say another amount than the bill."""
    for account, charge in guide.charges.items():
        if charge.code and charge.handling not in _HANDLED_IN_TOTAL:
            known = " or ".join(_HANDLED_IN_TOTAL)
            yield f"charges.{account}.handling: {charge.handling!r} is not in the total, and the line is; write {known}"
    if not guide.home_currency and any(place.partition("*")[0] == "CUR" for place in guide.forbid):
        yield "forbid: without CUR a bill in a foreign currency would be read in the partner's own; name that in `home_currency`"


def _lint_field(key: str, field: str, known: frozenset[str]) -> Iterator[str]:
    if field not in known and not (field.startswith("=") and field[1:].strip()):
        yield f"{key}: {field!r} is not one of {', '.join(sorted(known))}; write a text of your own as =TEXT"


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
    for place in guide.override:
        if place not in Guide.__struct_fields__ and (problem := _place_problem(place, tables, definition)):
            yield f"override: {problem}"
    for place in sorted({*guide.require} & {*guide.forbid}):
        yield f"forbid: {place} is also required"
    for place, limit in guide.limits.items():
        element = _element(place, tables)
        if element is None:
            yield f"limits: {_unknown_element(place, definition)}"
        elif not element.min <= limit <= element.max and not (limit > 0 and overridden(guide, place)):
            yield f"limits: {place} must be {element.min} to {element.max}, as the standard has it, not {limit}"
    for place, value in guide.fixed.items():
        element = _element(place, tables)
        if element is None:
            yield f"fixed: {_unknown_element(place, definition)}"
        elif element.ref in CLOSED_CODES and not tables.meaning(element.ref, value) and not overridden(guide, place):
            yield f"fixed: {value!r} is not a {element.name} ({place})"
    for place, values in guide.codes.items():
        element = _element(place, tables)
        if element is None:
            yield f"codes: {_unknown_element(place, definition)}"
        elif element.type not in ("ID", "AN"):
            yield f"codes: {place} is no code but a {element.type}"
        elif element.ref in CLOSED_CODES and not overridden(guide, place):
            yield from (
                f"codes: {v!r} is not a {element.name} ({place})" for v in values if not tables.meaning(element.ref, v)
            )
    for place in guide.defaults:
        if _element(place, tables) is None:
            yield f"defaults: {_unknown_element(place, definition)}"
        elif place in guide.fixed:
            yield f"defaults: {place} is also fixed"


def _place_problem(place: str, tables: Release, definition: SetDefinition) -> str:
    if _element(place, tables) is not None:
        return ""
    match = _SEGMENT.fullmatch(place)
    if match is not None and match[1] in _segments(tables):
        return ""
    return f"{place!r} is no segment or element of set {definition.id}; write PID, REF*IA or BIG07"


def _segments(tables: Release) -> set[str]:
    """Those of all sets: one guide serves all the documents a partner wants, and what names another set is not wrong in this one."""
    return {segment for definition in tables.sets.values() for segment in definition.segments()}


def _element(place: str, tables: Release) -> Element | None:
    match = PLACE.fullmatch(place)
    if match is None or match[1] not in _segments(tables) or match[1] not in tables.segments:
        return None
    elements = tables.segments[match[1]].elements
    position = int(match[2])
    return elements[position - 1].element if 1 <= position <= len(elements) else None


def _unknown_element(place: str, definition: SetDefinition) -> str:
    return f"{place!r} is no element of set {definition.id}; write it as BIG07"


def _is_code(text: str, low: int, high: int) -> bool:
    return low <= len(text) <= high and text.isascii() and text.isalnum() and text == text.upper()
