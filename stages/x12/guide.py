"""The partner's companion guide as configuration: what one partner asks for beyond the standard. Pure data and its checks.

Where a key takes a *field*, it takes the name of one (`BILL_FIELDS`, `LINE_FIELDS`, ...) or a text of the guide's own behind
an equals sign: ``=0042``. A guide cannot ask for what the standard forbids, unless ``override`` names the place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
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

BILL_FIELDS = frozenset({"record", "number", "vendor", "entity", "reference", "order", "document", "description"})
"""What a bill can fill references with. ``order`` is the order it belongs to, ``document`` the purchasing document behind it."""

LINE_FIELDS = frozenset({"item", "vendor_item", "description", "account", "department", "location"})
"""What a line can fill references, item ids and descriptions with."""

PAYMENT_FIELDS = frozenset({"record", "number", "vendor", "entity", "memo"})
"""What a payment can fill references with."""

DATE_FIELDS = frozenset({"date", "due", "discount_date", "order_date"})
"""The dates of a bill; ``order_date`` is that of its purchasing document."""

PARTY_IDS = frozenset({"us", "vendor", "entity"})
"""The identifiers a party can carry."""

PRICE_SCALES = {"HP": 100, "HU": 100, "TP": 1000, "TH": 1000, "PN": 10}
"""Price bases (element 639) that state the price of more than one."""

CLOSED_CODES = frozenset({"248", "455", "640"})
"""Elements whose code list is known in full, as far as partners use it: another value there is an error, not a warning."""

_LINE_ENDS = "\n\r"
_CONTROLS = "\x07\x0b\x0c\x1c\x1d\x1e\x1f"
"""Control characters of X12's basic set that may separate anything (X12.6). A line end may only terminate segments; a tab is lost as a blank."""

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


class Party(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """One N1 loop. ``role`` is N101 (BY, SE, ST, RI ...), ``who`` it is about, ``sets`` where it is sent (empty: everywhere).

    ``id`` is a field (us, vendor, entity) or ``=text``, ``none`` for no identifier, empty for the one that goes with ``who``.
    ``qualifier`` is N103, empty for the guide's ``party_ids``. ``name`` is N102, empty for the name that goes with ``who``.
    Only ``remit_to`` has an address: N3 and N4 follow.
    """

    role: str
    who: Literal["us", "vendor", "remit_to", "entity"]
    id: str = ""
    qualifier: str = ""
    name: str = ""
    sets: tuple[str, ...] = ()


class Charge(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """How lines booked to one account are sent instead of as goods: in a SAC, or, with ``tax``, in a TXI.

    A positive amount is a charge, a negative one an allowance. ``code`` is SAC02 (D240 freight), ``handling`` SAC12 (02 off
    invoice, 06 paid by the customer), ``tax`` TXI01 (ST state sales tax).
    """

    code: str = ""
    handling: str = "06"
    tax: str = ""


class Contact(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Whom to ask about a document: a PER in the header. ``function`` is PER01 (IC information, AP payables, BD buyer)."""

    function: str = "IC"
    name: str = ""
    phone: str = ""
    email: str = ""


class Guide(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """One partner's guide. Every key has a default, so ``guide: {}`` is a plain 004010 guide.

    Segments are written ``PID`` or, with the value of their first element, ``REF*IA``; elements ``BIG07``.
    """

    version: str = "004010"
    """GS08: the release (six digits), with the industry's suffix where the partner asks for one: ``004010VICS``."""

    implementation: str = ""
    """ST03, the implementation convention, from release 005010 on."""

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
    """Product id qualifiers in the order to send them; IN, BP, SK are our item ids, VN, VP, VC the vendor's, others by ``item_fields``."""

    terms: dict[str, Terms] = {}
    """The company's payment terms by name. Terms not listed here are not sent."""

    refs: dict[str, str] = msgspec.field(default_factory=lambda: {"IA": "vendor", "VV": "record"})
    """REF of the header, qualifier to field, in this order: ``{IA: vendor, DP: "=0042"}``. A mapping here replaces the default."""

    line_refs: dict[str, str] = {}
    """REF of each line, qualifier to field: ``{"12": account, DP: department}``."""

    payment_refs: dict[str, str] = msgspec.field(default_factory=lambda: {"EM": "record"})
    """REF of an 820's header, qualifier to field."""

    dates: dict[str, str] = {}
    """DTM of the header, qualifier to date: ``{"011": date, "003": order_date}``."""

    parties: tuple[Party, ...] = ()
    """The N1 loops in their order; when empty, those each set is known by: BY, SE, RE in an 810, BY, VN in an 850, PR, PE in an 820."""

    item_fields: dict[str, str] = {}
    """Further product id qualifiers for ``item_ids`` and the field each is: ``{UP: vendor_item, MN: "=HV"}``."""

    descriptions: tuple[str, ...] = ("description",)
    """The fields of a line to send as PID, one each."""

    send_description: bool = False
    """Send the bill's own description: NTE in an 810, N9 and MSG in an 850."""

    contact: Contact = Contact()
    """Whom to ask; sent when it has a name, a phone or an e-mail."""

    fob: str = ""
    """FOB01, who pays the freight: CC collect, PP prepaid. Not sent when empty."""

    currency_entity: str = "BY"
    """CUR01, whose currency it is: BY the buyer's, SE the seller's."""

    home_currency: str = ""
    """The currency that need not be told: CUR is sent for others only. Empty: it is always sent."""

    charges: dict[str, Charge] = {}
    """Accounts whose lines are charges, allowances or taxes, not goods: ``{"6100": {code: D240}}``."""

    allowance_code: str = ""
    """SAC02 for lines against the sign of their bill (a discount in an invoice): then they are allowances. Empty: negative prices."""

    price_basis: dict[str, str] = {}
    """Unit words to IT105 or PO105. PP and PK say that the price is by weight (catch weight); HP and TP also restate it for 100 and 1000."""

    discount_amounts: bool = False
    """Send what the terms discount amounts to: ITD08 and TDS02 to TDS04."""

    hash_total: bool = False
    """Send CTT02, the sum of the quantities."""

    payment_methods: dict[str, str] = {}
    """The company's payment methods to BPR04 (ACH, CHK, FWT ...) of an 820. A missing word refuses the document."""

    payment_format: str = ""
    """BPR05 of an 820 paid by ACH: CCP, CTX ..."""

    credits: Literal["lines", "adjustments"] = "lines"
    """Credits in an 820: negative RMR ``lines`` (CM), or ADX ``adjustments`` before the lines."""

    defaults: dict[str, str] = {}
    """What an element says when we have nothing for it, in segments that are sent anyway: ``{N404: US}``."""

    codes: dict[str, tuple[str, ...]] = {}
    """The only values an element may have: ``{IT103: [CA, EA, LB]}``."""

    override: tuple[str, ...] = ()
    """Segments and elements for which this guide knows better than the standard: what it asks there is not checked against it."""

    fixed: dict[str, str] = {}
    """Elements that always have this value: ``{BIG07: DI}``; dates as ``20260131``. A fixed purpose (BIG08, BEG01) holds for originals only."""

    credit_sign: Literal["minus", "type"] = "minus"
    """Credits: ``minus`` writes negative amounts, ``type`` positive ones, the sign told by BIG07 = CR alone."""

    @property
    def release(self) -> str:
        """The six digits of the release, without the industry's suffix."""
        return self.version[:6]


def segment_of(place: str) -> str:
    """The segment of a place: of ``BIG07``, ``REF*IA`` or ``PID``."""
    match = _ELEMENT.fullmatch(place)
    return match[1] if match else place.partition("*")[0]


def overridden(guide: Guide, *places: str) -> bool:
    """Whether ``override`` names one of these places, or the segment of an element among them."""
    return not {*places, *map(segment_of, places)}.isdisjoint(guide.override)


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
        *_lint_fields(guide),
        *_lint_places(guide, tables, tables.sets[set]),
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
    match = _ELEMENT.fullmatch(place)
    if match is None or match[1] not in _segments(tables) or match[1] not in tables.segments:
        return None
    elements = tables.segments[match[1]].elements
    position = int(match[2])
    return elements[position - 1].element if 1 <= position <= len(elements) else None


def _unknown_element(place: str, definition: SetDefinition) -> str:
    return f"{place!r} is no element of set {definition.id}; write it as BIG07"


def _is_code(text: str, low: int, high: int) -> bool:
    return low <= len(text) <= high and text.isascii() and text.isalnum() and text == text.upper()
