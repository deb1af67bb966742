"""The partner's companion guide as configuration: what one partner asks for beyond the standard. Pure data.

Where a key takes a *field*, it takes the name of one (`BILL_FIELDS`, `LINE_FIELDS`, ...) or a text of the guide's own behind
an equals sign: ``=0042``. A guide cannot ask for what the standard forbids, unless ``override`` names the place: that, and all else
that can be wrong with one, is found in `stages.x12.guide_lint`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec

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

PLACE = re.compile(r"([A-Z][A-Z0-9]{1,2})(\d\d)")
"""An element as guides name it, ``BIG07``: its segment and its position."""


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

    tax_type: str = "TX"
    """TXI01 of taxes that the books added to a bill and ``charges`` does not know: TX all taxes, ST state sales tax, GS goods and services tax ..."""

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
    match = PLACE.fullmatch(place)
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


def merged(under: Any, over: Any) -> Any:
    """What a partner's file says on top of the defaults, before it is a `Guide`: mappings key by key, anything else as a whole."""
    if not (isinstance(under, Mapping) and isinstance(over, Mapping)):
        return over
    return {**under, **{key: merged(under[key], value) if key in under else value for key, value in over.items()}}
