"""Whether the ledger holds what the books hold, for a period: counted and added up on both sides, then compared record by record.

Nothing of reading is trusted: the far side counts and adds up by itself, and lists its records by another question than reading asks.
When asked to, it holds what is gone, as a source does that tells of deletions.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from pipeline.engine.build import code_version, connect, context_for
from pipeline.engine.meter import Meters
from pipeline.engine.receipt import LeftOut, Receipt
from pipeline.engine.services import Services, Stopping
from pipeline.engine.settle import identity_of
from pipeline.engine.sources import DELETED, PageCommitter
from pipeline.errors import DataError
from pipeline.flow.model import Flow, Stage
from pipeline.record import Deleted, Page, Record, Tally, Window
from pipeline.registry import Registry
from pipeline.stage import Counts, Scoped
from pipeline.store.ledger import Ledger
from pipeline.store.rows import MILLIONTHS, millionths

Kind = Literal["never read", "other amount", "amount not kept", "gone"]
LOOKS = 2
"""How often the far side is asked when its count and its list differ: people work in the books meanwhile."""
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One record on which books and ledger differ. ``books`` and ``ledger`` are its amounts there, with their currencies. ``exception`` is
    what is open of it (0: nothing).

    ``never read``: the ledger does not have it; ``amount not kept``: it was read, and its amount is larger or finer than the ledger keeps;
    ``gone``: the books do not have it, though something was sent of it.
    """

    kind: Kind
    key: str
    alias: str = ""
    label: str = ""
    books: tuple[str, Decimal | None] | None = None
    ledger: tuple[str, Decimal | None] | None = None
    exception: int = 0


class Reconciled(msgspec.Struct, kw_only=True):
    """One source. ``counted`` is what the far side counts (None: it cannot), ``listed`` what it lists, ``ledger`` what of that the flow has read.

    ``held`` are those that were gone and are held now.
    """

    stage: str
    component: str
    counted: list[Tally] | None = None
    listed: list[Tally] = []
    ledger: list[Tally] = []
    differences: list[Difference] = []
    held: list[Difference] = []

    @property
    def complete(self) -> bool:
        """Whether the far side's list has all that it counts."""
        return self.counted is None or self.counted == self.listed

    @property
    def matches(self) -> bool:
        return self.complete and not self.differences and self.listed == self.ledger


class Reconciliation(msgspec.Struct):
    """The sources that could be asked, and the names of the others."""

    sources: list[Reconciled]
    others: list[str]

    @property
    def matches(self) -> bool:
        return all(source.matches for source in self.sources)


async def reconcile_flow(
    flow: Flow, registry: Registry, ledger: Ledger, services: Services, window: Window, *, hold: bool = False
) -> Reconciliation:
    """Signs in and asks each source. Raises `ConnectorError` as a run would; nothing is read into the ledger, and nothing sent.

    With ``hold``, what is gone is put into the ledger as deleted: each record of which something was sent is held for a person. That takes
    the flow's lease: raises `LockHeld` while a run has it.
    """
    meters = Meters(0, ledger)
    found = Reconciliation([], [])
    try:
        async with AsyncExitStack() as stack:
            clients = await connect(flow, registry, services, Stopping(), stack, meters)
            for stage in flow.stages:
                if stage.verb != "source" or stage.spec is None:
                    continue
                context = context_for(flow, stage.name, services, clients.get(stage.via or ""))
                built = stage.spec.build(stage.settings, context)
                source = await built if inspect.isawaitable(built) else built
                if isinstance(source, Counts):
                    one = await _reconciled(flow, stage, source, ledger, window)
                    if hold:
                        await _hold_gone(one, flow, source, ledger, services)
                    found.sources.append(one)
                else:
                    found.others.append(stage.name)
    finally:
        await meters.save()
    return found


async def _reconciled(flow: Flow, stage: Stage, source: Counts, ledger: Ledger, window: Window) -> Reconciled:
    for _ in range(LOOKS):
        found = Reconciled(stage=stage.name, component=stage.component)
        counted = await source.tally(window)
        listed = await _compare(found, flow, source, ledger, window)
        found.counted = None if counted is None else _sorted(counted)
        if found.complete:
            break
    found.differences += await _gone(flow, source, ledger, window, listed)
    scope = source.scope if isinstance(source, Scoped) else ""
    names = [(scope, source.object, each.key) for each in found.differences]
    open_ = await ledger.open_exceptions(flow.name, names) if names else {}
    found.differences = [
        msgspec.structs.replace(each, exception=open_.get(name, 0))
        for each, name in zip(found.differences, names, strict=True)
    ]
    return found


async def _hold_gone(found: Reconciled, flow: Flow, source: Counts, ledger: Ledger, services: Services) -> None:
    """A run of its own, of what is gone and nothing else."""
    gone = [each for each in found.differences if each.kind == "gone"]
    if not gone:
        return
    scope = source.scope if isinstance(source, Scoped) else ""
    async with ledger.lease(f"flow {flow.name}", services.ids.new()):
        run = await ledger.begin_run(
            flow.name,
            str(flow.file.resolve()),
            flow.digest,
            code_version(),
            "reconcile",
            ",".join(each.key for each in gone),
        )
        receipt = Receipt(1, Page([_deleted(each, scope, source.object) for each in gone]), lambda _: None)
        for row in range(len(gone)):
            receipt.exclude(row, DELETED, LeftOut(found.stage))
        committer = PageCommitter(
            flow.name, flow.digest, code_version(), run, ledger, [], _nothing_made, _nothing_made, Meters(run, ledger)
        )
        await committer.commit(found.stage, scope, receipt, Window(since=_FIRST))
        await ledger.finish_run(run, "exceptions", None)
    names = [(scope, source.object, each.key) for each in gone]
    open_ = await ledger.open_exceptions(flow.name, names)
    found.held = [
        msgspec.structs.replace(each, exception=open_.get(name, 0)) for each, name in zip(gone, names, strict=True)
    ]
    found.differences = [each for each in found.differences if each.kind != "gone"]


def _deleted(gone: Difference, scope: str, object: str) -> Record:
    return Record(
        key=gone.key, kind="record", body=Deleted("not in the books any more, as reconcile found"), company=scope, object=object,
        label=gone.label, alias=gone.alias,
    )  # fmt: skip


def _nothing_made(*_: Any) -> Any:
    raise AssertionError("what is deleted makes no document")


async def _compare(found: Reconciled, flow: Flow, source: Counts, ledger: Ledger, window: Window) -> set[str]:
    """Goes through the books' list beside the ledger. Returns the keys that are listed."""
    books, read, keys = _Sums(), _Sums(), set[str]()
    async for page in source.listing(window):
        known = await ledger.last_reads(flow.name, [identity_of(record) for record in page])
        for record in page:
            keys.add(record.key)
            here = (record.currency, _millionths(record))
            there = known.get(identity_of(record))
            books.add(record.currency, record.amount)
            if there is not None:
                read.add(there[0], _decimal(there[1]))
            if there != here or (here[1] is None and record.amount is not None):
                found.differences.append(_difference(record, here, there))
    found.listed, found.ledger = books.tallies(), read.tallies()
    return keys


async def _gone(flow: Flow, source: Counts, ledger: Ledger, window: Window, listed: set[str]) -> list[Difference]:
    """What was sent in that time and is neither listed nor anywhere else in the books."""
    scope = source.scope if isinstance(source, Scoped) else ""
    since, until = window.since or _FIRST, window.until or _LAST
    sent = [
        key for key in await ledger.sent_between(flow.name, scope, source.object, since, until) if key not in listed
    ]
    present = await source.present(sent) if sent else set()
    missing = [key for key in sent if key not in present]
    reads = await ledger.last_reads(flow.name, [(scope, source.object, key) for key in missing])
    known = (
        {each.key: each for each in await ledger.recall(flow.name, scope, source.object, missing)} if missing else {}
    )
    return [
        Difference(
            kind="gone", key=key, alias=known[key].alias if key in known else "", label=known[key].label if key in known else "",
            ledger=_amount(reads.get((scope, source.object, key))),
        )
        for key in missing
    ]  # fmt: skip


def _difference(record: Record, here: tuple[str, int | None], there: tuple[str, int | None] | None) -> Difference:
    kind: Kind = "never read" if there is None else "other amount" if there != here else "amount not kept"
    return Difference(
        kind=kind,
        key=record.key,
        alias=record.alias,
        label=record.label,
        books=(record.currency, record.amount),
        ledger=_amount(there),
    )


def _millionths(record: Record) -> int | None:
    try:
        return millionths(record.amount)
    except DataError:
        return None  # the ledger keeps it without an amount too


def _amount(found: tuple[str, int | None] | None) -> tuple[str, Decimal | None] | None:
    if found is None:
        return None
    currency, amount = found
    return currency, _decimal(amount)


def _decimal(amount: int | None) -> Decimal | None:
    return None if amount is None else Decimal(amount) / MILLIONTHS


class _Sums:
    """Counts and sums by currency. Records without an amount count, and add nothing.

    The books' own amounts are added as they are: the far side adds up those, also finer ones than the ledger keeps.
    """

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, Decimal]] = {}

    def add(self, currency: str, amount: Decimal | None) -> None:
        records, total = self._found.get(currency, (0, Decimal(0)))
        self._found[currency] = (records + 1, total + (amount or 0))

    def tallies(self) -> list[Tally]:
        return _sorted(Tally(currency, records, amount) for currency, (records, amount) in self._found.items())


def _sorted(tallies: Iterable[Tally] | Sequence[Tally]) -> list[Tally]:
    """By currency; equal numbers compare equal however they are written."""
    return sorted(tallies, key=lambda tally: tally.currency)
