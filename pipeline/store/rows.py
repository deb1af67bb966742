"""What goes into and comes out of the ledger: structs, and how times and amounts are written there."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from pipeline.errors import ConnectorError, DataError, Held
from pipeline.record import Answer, Delivery, Document, Record, Stored

OUTCOMES = ("excluded", "unchanged", "delivered", "in_flight", "in_doubt", "held", "dead")
"""The outcomes of a source record, from best to worst; its place is its rank. With several documents the worst counts."""

RANK = {name: rank for rank, name in enumerate(OUTCOMES)}
LEFT_OUT, DELETED = "MLC-DOC-0003", "MLC-DOC-0004"
HELD_FOR_LEAVING = (LEFT_OUT, DELETED)
"""Under these codes records are held that are left out now, or deleted, after a document of them was sent."""

MILLIONTHS = Decimal(1_000_000)
LARGEST_AMOUNT = Decimal(10) ** 12


UNTRACEABLE = "MLC-DLV-0012"
"""The code of a delivery of which nothing but its partner can tell whether it arrived: a replay is a person's word that it did not."""


def stamp(moment: datetime) -> str:
    """An aware time as the ledger writes it: UTC, microseconds, sortable as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """The reverse of `stamp`."""
    return datetime.fromisoformat(text)


def subject(company: str, object: str, key: str) -> str:
    """``APBILL 101 of ACME``: companies number their records alike."""
    return f"{object} {key}{f' of {company}' if company else ''}"


def millionths(amount: Decimal | None) -> int | None:
    """An amount as the ledger writes it. More than six decimals or a trillion is refused rather than rounded."""
    if amount is None:
        return None
    if not _exact(amount):
        raise DataError(
            "The amount cannot be kept exactly",
            why=f"{amount} has more than six decimals, or a trillion or more",
            mend="correct the amount at the source",
            owner="AP",
            code="MLC-STO-0010",
        )
    return int(amount * MILLIONTHS)


def _exact(amount: Decimal) -> bool:
    """Decided on the digits: arithmetic would round a very long amount first, and trap on a very large one."""
    if not amount.is_finite() or amount.copy_abs() >= LARGEST_AMOUNT:
        return False
    _, digits, exponent = amount.as_tuple()
    beyond = -6 - int(exponent)
    return beyond <= 0 or not any(digits[-beyond:])


def amount_text(value: int) -> str:
    """Millionths as a plain decimal text with at least two decimals: ``1234.50``."""
    amount = (Decimal(value) / MILLIONTHS).normalize()
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)
    return str(amount.quantize(Decimal("0.01")) if exponent > -2 else amount)


class Problem(msgspec.Struct, frozen=True):
    """Why something needs a person: failure class or ``held``, code, owner and the four parts."""

    failure: str
    code: str
    owner: str
    what: str
    where: str = ""
    why: str = ""
    mend: str = ""

    @classmethod
    def of(cls, error: ConnectorError | Held) -> Problem:
        failure = "held" if isinstance(error, Held) else str(getattr(error, "failure", "internal"))
        return cls(failure, error.code, error.owner, error.what, error.where, error.why, error.mend)

    def text(self) -> str:
        return msgspec.json.encode(self).decode()


class Lease(msgspec.Struct, frozen=True):
    """Who runs a flow. ``epoch`` grows with each taker, so a paused former holder finds out."""

    name: str
    owner: str
    epoch: int


class Previous(msgspec.Struct, frozen=True):
    """The newest document of one identity, as far as a new rendering must be compared with it."""

    id: int
    version: int
    status: str
    plan: str
    fields: tuple[str, ...]
    fields_digest: str
    sent: bool  # this version or one before it went out, or is on its way: there is something to amend


class NewDocument(msgspec.Struct):
    """A document to store: what was rendered, where it goes and which version it is. ``held`` says why it must wait."""

    document: Document
    sink: str
    encoder: str
    lane: str
    address: str
    fields_digest: str
    version: int = 1
    replaces: int | None = None
    held: Problem | None = None


class Fate(msgspec.Struct):
    """What became of one source record of a page.

    ``rank`` is its worst direct outcome (None when only documents tell), ``reason`` the rule or code behind it, ``problem``
    the worst exception with its stage. ``documents`` are new, ``links`` are earlier documents that still stand for it, ``answers`` what a partner
    says in it of documents that were sent.
    """

    record: Record
    rank: int | None = None
    reason: str = ""
    problem: Problem | None = None
    stage: str = ""
    partner: str = ""
    documents: list[NewDocument] = []
    links: list[int] = []
    answers: list[Answer] = []


class PageCommit(msgspec.Struct):
    """Everything one settled source page changes, in one transaction. ``reads`` are (currency, records, millionths)."""

    run: int
    flow: str
    flow_digest: str
    code_version: str
    source: str
    number: int
    reads: list[tuple[str, int, int]]
    fates: list[Fate]
    cursor: tuple[str, str] | None = None  # (scope, value)


class OpenDelivery(msgspec.Struct):
    """The delivery at the head of a lane, with what recovery must know about its last attempt."""

    delivery: Delivery
    state: str
    passed: bool
    absences: int
    next_at: datetime | None
    committed: bool  # the last attempt passed its commit point
    last_end: datetime | None
    run: int  # which sealed it
    problem: Problem | None = None  # why it is still open

    @property
    def cause(self) -> str:
        """What first went wrong, however often it was looked for since."""
        if self.problem is None:
            return ""
        looked = self.problem.code.startswith("MLC-DLV-")
        return self.problem.why if looked else f"{self.problem.code} {self.problem.what}: {self.problem.why}"[:500]


class Waiting(msgspec.Struct):
    """A stored document waiting to be sealed."""

    stored: Stored
    encoder: str
    group: str
    limit: int
    address: str
    key: str
    label: str
