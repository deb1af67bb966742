"""What travels: records through the graph, documents into the ledger, deliveries to the far side.

These are the nouns of the stage contracts (`pipeline.stage`). They hold no behaviour beyond building themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

Fingerprint = Callable[[tuple[str, ...]], str]


class Record(msgspec.Struct):
    """One business object on its way through a flow.

    ``key`` is the business key: it is unique within (``company``, ``object``), survives edits of the object and never
    changes for one object. ``kind`` names the body in expressions (``bill.STATE``). ``digest`` is the SHA-256 of the source
    object's canonical form. ``amount`` and ``currency`` are what the books must tie to; both None where no money is meant.
    ``company`` may name a part of it behind a slash (an entity): its vendors and customers are the company's.
    ``alias`` is what else the source knows the object by, where that is not the key: the ledger remembers it (see `Known`).
    ``former`` is the key it may have been read under before its own was known: what is still open there is settled with it, and a
    replay of that key is a replay of this record. It names no other object of (``company``, ``object``).
    ``receipt`` and ``row`` belong to the engine: copy a record with `replace` and they come along.
    """

    key: str
    kind: str
    body: Any
    company: str = ""
    object: str = ""
    digest: str = ""
    amount: Decimal | None = None
    currency: str = ""
    label: str = ""  # what people call it: the bill number, the vendor's name
    raw: bytes = b""  # what was received, where it must be in the ledger before its source lets go of it
    alias: str = ""
    former: str = ""
    receipt: Any = None
    row: int = -1

    def replace(self, **changes: Any) -> Record:
        """A copy with these fields changed; it settles on the same receipt."""
        return msgspec.structs.replace(self, **changes)


class Deleted(msgspec.Struct, frozen=True):
    """The body of a record whose object is gone from its source. ``told`` says by whom and when, as far as that is known.

    It enters no stage: it is held when a document of it was sent, otherwise excluded by the rule ``deleted``.
    """

    told: str = ""


class Known(msgspec.Struct, frozen=True):
    """An object that the flow has read before: the name it was asked for by, and what it was called, and was, when it was read last."""

    name: str
    key: str
    alias: str = ""
    label: str = ""
    digest: str = ""  # of its record
    left_out: str = ""  # the rule that left it out, or the code under which it is held for that


class Tally(msgspec.Struct, frozen=True):
    """How many records there are in one currency, and what they add up to; no currency and no amount where no money is meant."""

    currency: str
    records: int
    amount: Decimal | None = None


class Window(msgspec.Struct, frozen=True):
    """What a source is asked for. ``since`` is inclusive, ``until`` exclusive, both aware UTC.

    ``by`` says which time of the object counts: live reads go by modification, backfills by the bill's date, closes by posting
    date. ``keys``, when given, means exactly these business keys (or those that records were read under before) and nothing else (a replay).
    """

    since: datetime | None = None
    until: datetime | None = None
    by: str = "modified"  # modified | document_date | posting_date
    keys: tuple[str, ...] = ()

    @property
    def live(self) -> bool:
        """True when nothing was asked for explicitly: only then may the flow's cursor move."""
        return self.since is None and self.until is None and not self.keys


class Page(msgspec.Struct):
    """One page of a source: its records in source order, where reading goes on, and whether more is there now."""

    records: list[Record]
    cursor: dict[str, str] | None = None
    more: bool = False


class Document(msgspec.Struct):
    """One rendered document for one partner, born of one record: final but for control numbers.

    Identity: (flow, ``partner``, ``set``, company, object, business key) and a version that the ledger counts.
    ``body`` is what `Encode.pack` later puts into an envelope. ``envelope`` is all that packing needs besides (ids, delimiters,
    version), as texts. Only documents of equal ``group`` share a delivery, at most ``batch`` of them.

    ``fields`` names the source fields that made this document, ``fingerprint(fields)`` digests their values in this record: a new
    version exists when the fields *of the last document* have other values now. ``plan`` is the digest of the compiled plan
    and ``origins`` its text, stored once per plan. ``guard`` is what a suspected duplicate shares (vendor, number, amount).
    """

    set: str
    partner: str
    body: bytes
    fields: tuple[str, ...] = ()
    fingerprint: Fingerprint | None = None
    address: str = ""  # where on the far side, e.g. the mailbox path
    group: str = ""
    batch: int = 1
    envelope: dict[str, str] = {}
    guard: str = ""
    amendments: str = "replace"  # replace | hold: what a changed record does to a document already made
    plan: str = ""
    origins: str = ""
    guide: str = ""  # digest of the partner's configuration
    lookups: dict[str, str] = {}  # look-ups used, e.g. unit CS -> CA
    label: str = ""
    reference: str = ""  # the number it carries, by which a partner may name it in an answer; "" = the label
    acknowledgement: str = ""  # the set expected back, "" when none
    acknowledge_within: float = 0.0  # seconds


class Stored(msgspec.Struct, frozen=True):
    """A document as the ledger gives it back for packing, in source order."""

    id: int
    set: str
    partner: str
    body: bytes
    envelope: dict[str, str]
    version: int


class Counter(msgspec.Struct, frozen=True):
    """A request for control numbers: ``count`` numbers of ``name`` in ``scope``, 1 to ``limit``, then from 1 again."""

    scope: str
    name: str
    count: int = 1
    limit: int = 999_999_999


class Destination(msgspec.Struct, frozen=True):
    """Where a document goes: the lane keeps order, the address is the place (a mailbox path)."""

    lane: str
    address: str = ""


class Delivery(msgspec.Struct):
    """Sealed bytes on their way to one destination. ``payload``, ``name`` and ``numbers`` never change once sealed."""

    id: int
    lane: str
    address: str
    name: str
    payload: bytes
    digest: str  # SHA-256 of the payload, hexadecimal
    numbers: dict[str, int]
    attempt: int = 0
    marks: dict[str, str] = {}  # what earlier attempts made durable, e.g. the document id on the far side


class Evidence(msgspec.Struct, frozen=True):
    """What proves that a delivery took effect: the far side's id for it, and what it says of the content.

    ``size`` and ``digest`` are None when the far side does not tell; when it does and they differ, it is not ours.
    """

    id: str
    name: str = ""
    size: int | None = None
    digest: str | None = None
    detail: Mapping[str, str] = {}


class SentDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document in a sealed delivery: what an answer may be about. ``position`` counts from 1 within the delivery; ``partner`` is the code of whom it is for."""

    id: int
    set: str
    delivery: int
    position: int
    envelope: dict[str, str]
    numbers: dict[str, int]  # the delivery's control numbers; of several with one name, the first
    sealed: datetime
    reference: str
    partner: str = ""


AnswerStatus = Literal[
    "accepted", "accepted_with_errors", "partially_accepted", "rejected", "duplicate", "foreign_mailbox"
]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says of one document. ``settles`` is False where it is kept, but is not the answer that is waited for.

    One in a ``foreign_mailbox`` is not believed: it lay where others answer. Should the same answer be told anew with another status, that takes its place.
    ``proves`` is True when it could not have been said unless the document's delivery had arrived: it names numbers that only that
    delivery carries. ``reasons`` are sentences for people, empty when all is well.
    """

    document: int
    status: AnswerStatus
    reasons: tuple[str, ...] = ()
    settles: bool = True
    proves: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a partner answered, and how to find what it is about.

    The ledger looks up the deliveries that used one of ``numbers`` (name, number) in ``scope``, or hold a document with one of the
    numbers in ``references``, and gives all their documents to ``match``, which must be pure: it runs inside the transaction.
    No verdict: nothing matches; the answer is kept as unmatched, and is tried again when ``said`` holds what `StageSpec.reread` makes it
    of again. ``sender`` is for people; ``sink`` is the engine's.
    """

    kind: str
    scope: str
    sender: str
    match: Callable[[Sequence[SentDocument]], Sequence[Verdict]]
    numbers: tuple[tuple[str, int], ...] = ()
    references: tuple[str, ...] = ()
    told: str = ""  # what it says, for people, where it matches nothing
    said: bytes = b""  # the answer itself
    sink: str = ""  # the component that made it


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between the wanted states of a sink and what its far side has.

    ``missing``: not there. ``extra``: there, and nothing wants it. ``differs``: ``fields`` give, by member, what is wanted and what is
    there. ``key`` is ours, ``name`` the far side's (empty when it is not there), ``note`` a sentence for people.
    """

    kind: Literal["missing", "extra", "differs"]
    key: str
    name: str = ""
    fields: Mapping[str, tuple[str, str]] = {}
    note: str = ""
