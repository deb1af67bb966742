"""Reading sources into receipts, and committing settled pages in order. The cursor moves only here, with the page it belongs to."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

import anyio
import msgspec

from pipeline.engine.faults import explained_source
from pipeline.engine.lanes import Lanes
from pipeline.engine.meter import Meters
from pipeline.engine.nodes import Outputs, close_all, emit, settle
from pipeline.engine.receipt import LeftOut, Receipt
from pipeline.engine.services import Pause, Services, Stopping
from pipeline.engine.settle import Amend, Destine, Settlement, identity_of
from pipeline.engine.systems import System
from pipeline.errors import (
    CalledOff,
    ConnectorError,
    DataError,
    EngineFault,
    Excluded,
    Held,
    StageError,
    TransientError,
)
from pipeline.flow.model import Stage
from pipeline.record import Deleted, Page, Record, Window
from pipeline.retry import RetryPolicy, decide
from pipeline.stage import Partial, Scoped, Settles
from pipeline.store.ledger import Ledger
from pipeline.store.pages import subject_of
from pipeline.store.reports import Totals
from pipeline.store.rows import PageCommit, millionths

T = TypeVar("T")

DELETED = "deleted"
"""The rule that leaves out what is gone from its source."""
PAGES_IN_FLIGHT = 4
"""How many pages of one source may be read and not yet settled: this bounds memory, whatever the size of a backfill."""


class Commits(Protocol):
    """Takes the settled pages of a flow's sources, in order."""

    flow: str

    async def commit(self, source: str, scope: str, receipt: Receipt, window: Window) -> None: ...


class SourceReader:
    """Reads one source to its end, page by page, and commits each page when it is settled and all before it are.

    `read_here` counts what was read, independently of the ledger. ``problem`` is why reading ended early, if it did; ``ended`` is whether
    the source was read to its end, which a stop prevents without a problem. Without a ledger
    it only looks: it reads from the beginning, and the source is not told that anything was settled.
    """

    def __init__(
        self, stage: Stage, source: Any, outputs: Outputs, window: Window, ledger: Ledger | None, services: Services,
        stopping: Stopping, committer: Commits, *, afresh: bool = False, system: System | None = None,
    ) -> None:  # fmt: skip
        self.stage = stage
        self.read_here = Totals()
        self.problem: ConnectorError | None = None
        self.ended = False
        self._source, self._outputs, self._window = source, outputs, window
        self._ledger, self._services, self._stopping = ledger, services, stopping
        self._committer = committer
        self._afresh = afresh
        self._system = system or System()
        self._scope = source.scope if isinstance(source, Scoped) else ""
        self._open: deque[Receipt] = deque()
        self._changed = anyio.Event()
        self._reading = True

    @property
    def left(self) -> Sequence[ConnectorError]:
        """What the source could not read, while the rest was."""
        return self._source.left if isinstance(self._source, Partial) else ()

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._commit_pages)
            try:
                await self._read_pages()
            except Exception as error:  # noqa: BLE001  a source that breaks ends its reading, not the run
                self.problem = explained_source(error, self.stage.name)
            finally:
                self._reading = False
                self._notify()
                close_all(self._outputs)

    async def _read_pages(self) -> None:
        cursor: dict[str, str] | None = None
        if self._window.live and self._ledger is not None and not self._afresh:
            cursor = await self._ledger.cursor(self._committer.flow, self.stage.name, self._scope)
        number = 0
        while not self._stopping.requested:
            page = await tried(partial(self._read, cursor), self.stage.retry, self._services, self._stopping)
            if page is None:
                self.ended = not self._stopping.requested
                return
            number += 1
            cursor = page.cursor or cursor
            await self._enter(number, page)
            if not page.more:
                self.ended = True
                return

    async def _read(self, cursor: dict[str, str] | None) -> Page | None:
        page: Page | None = await self._system.watch(partial(self._source.read, self._window, cursor))
        await self._system.works()
        return page

    async def _enter(self, number: int, page: Page) -> None:
        if self._window.keys:
            asked = set(self._window.keys)
            page.records = [record for record in page.records if record.key in asked or record.former in asked]
        for record in page.records:
            self._count(record)
        self._services.observe("read", len(page.records))
        receipt = Receipt(number, page, self._completed, debug=self._services.debug)
        self._open.append(receipt)
        receipt.begin()
        going = [record for record in page.records if not self._settled_at_source(record)]
        await emit(self._outputs, going)
        while len(self._open) >= PAGES_IN_FLIGHT:
            await self._changed.wait()

    def _count(self, record: Record) -> None:
        """Adds the record to what was read. An amount that the ledger cannot hold exactly makes the record dead, without amount."""
        try:
            amount = millionths(record.amount)
        except DataError as error:
            record.body, record.amount, amount = error, None, None
        totals = self.read_here
        totals.read += 1
        totals.read_amounts[record.currency] = totals.read_amounts.get(record.currency, 0) + (amount or 0)

    def require_settled(self) -> None:
        """Once every edge has ended: a record that is not settled now never will be, and its page would wait for ever."""
        if any(receipt.open for receipt in self._open):
            names = [
                f"{subject_of(record)} (last in {stage})"
                for receipt in self._open
                for record, stage in receipt.open_rows()
            ]
            raise EngineFault(
                "A record left the flow without an outcome",
                where=", ".join(names[:5]) or f"records read by {self.stage.name}",
                why="every stage must settle what it drops; nothing was lost, the pages are read again",
                mend="run again with MLC_DEBUG=1 to see which record and stage",
                owner="developer",
                code="MLC-RUN-0009",
            )

    def forget_uncommitted(self) -> None:
        """After a run that broke off: pages that were not committed are read again by the next one, so they do not count here."""
        for receipt in self._open:
            for currency, records, amount in _reads(receipt.page.records):
                self.read_here.read -= records
                self.read_here.read_amounts[currency] -= amount
        self.ended = self.ended and not self._open
        self._open.clear()

    def _settled_at_source(self, record: Record) -> bool:
        if isinstance(record.body, Held | StageError | Excluded):
            settle(record, record.body, self.stage.name)
            return True
        if isinstance(record.body, Deleted):
            record.receipt.exclude(record.row, DELETED, LeftOut(self.stage.name))
            return True
        return False

    def _completed(self, receipt: Receipt) -> None:
        self._notify()

    def _notify(self) -> None:
        """Wakes all who wait for a change; a new event takes the place of the one that fired."""
        fired, self._changed = self._changed, anyio.Event()
        fired.set()

    async def _commit_pages(self) -> None:
        """Commits complete pages from the front; a page behind an open one waits."""
        while self._reading or self._open:
            if not self._open or self._open[0].open:
                await self._changed.wait()
                continue
            receipt = self._open[0]
            with anyio.CancelScope(shield=True):  # a page is committed and counted as committed, or neither
                await self._committer.commit(self.stage.name, self._scope, receipt, self._window)
                self._open.popleft()
            self._notify()
            if isinstance(self._source, Settles) and self._ledger is not None:
                await self._tell_settled(self._source, receipt.page)
            self._services.observe("settled", len(receipt.page.records))

    async def _tell_settled(self, source: Settles, page: Page) -> None:
        """What fails here is the run's problem; the outcomes are durable, and the pages behind go on."""
        try:
            told = partial(self._system.watch, partial(source.settled, page))
            cursor = await tried(told, self.stage.retry, self._services, self._stopping)
        except ConnectorError as error:
            self.problem = self.problem or error
            return
        if cursor is not None and self._window.live and self._ledger is not None:
            await self._ledger.save_cursor(self._committer.flow, self.stage.name, self._scope, cursor)


class PageCommitter:
    """Turns settled receipts into ledger commits and wakes the lanes that got documents. Shared by a run's sources."""

    def __init__(
        self, flow: str, flow_digest: str, code_version: str, run: int, ledger: Ledger, lanes: Sequence[Lanes], amend: Amend,
        destine: Destine, meters: Meters, rewrite: bool = False,
    ) -> None:  # fmt: skip
        self.flow = flow
        self._meters = meters
        self._flow_digest, self._code_version, self._run = flow_digest, code_version, run
        self._ledger = ledger
        self._lanes = {lane.stage.name: lane for lane in lanes}
        self._amend, self._destine = amend, destine
        self._rewrite = rewrite
        self._one_at_a_time = anyio.Lock()  # what was stored before must be visible to the next page

    async def commit(self, source: str, scope: str, receipt: Receipt, window: Window) -> None:
        async with self._one_at_a_time:
            commit = await self._page(source, scope, receipt, window)
            await self._meters.save()  # before the page, not behind it: no page is in the ledger whose calls are not
            woken = await self._ledger.commit_page(commit)
        for sink, lanes in woken.items():
            self._lanes[sink].wake(lanes)

    async def _page(self, source: str, scope: str, receipt: Receipt, window: Window) -> PageCommit:
        records = receipt.page.records
        with_documents = [identity_of(records[row]) for row in receipt.documents]
        guards = [doc.guard for documents in receipt.documents.values() for _, _, doc in documents if doc.guard]
        left_out = [identity_of(records[row]) for row in receipt.left_out]
        asked = list(dict.fromkeys([*with_documents, *left_out]))
        previous = await self._ledger.previous(self.flow, asked) if asked else {}
        guarded = await self._ledger.guarded(self.flow, guards) if guards else {}
        # A replay is the operator's word: what a filter leaves out then, stays out.
        sent = await self._ledger.sent(self.flow, left_out) if left_out and not window.keys else {}
        upserts = [name for name, lane in self._lanes.items() if lane.upserts]
        fates = Settlement(
            previous, guarded, self._amend, self._destine, self._lanes, sent, upserts, rewrite=self._rewrite
        ).fates(receipt)
        cursor = receipt.page.cursor if window.live else None
        return PageCommit(
            self._run, self.flow, self._flow_digest, self._code_version, source, receipt.number, _reads(records), fates,
            (scope, msgspec.json.encode(cursor).decode()) if cursor is not None else None,
        )  # fmt: skip


def _reads(records: Sequence[Record]) -> list[tuple[str, int, int]]:
    """(currency, records, millionths) of a page."""
    found: dict[str, list[int]] = {}
    for record in records:
        entry = found.setdefault(record.currency, [0, 0])
        entry[0] += 1
        entry[1] += millionths(record.amount) or 0
    return [(currency, count, amount) for currency, (count, amount) in found.items()]


async def tried(
    call: Callable[[], Awaitable[T]], policy: RetryPolicy, services: Services, stopping: Stopping
) -> T | None:
    """The call's result, tried again as the policy allows. None when a stop was requested while waiting, for a turn too."""
    attempt = 0
    while True:
        attempt += 1
        try:
            return await call()
        except CalledOff:
            return None
        except TransientError as error:
            decision = decide(error, attempt, policy, services.rng)
            if decision == "stop":
                raise
            until = services.clock.now() + timedelta(seconds=decision.seconds)
            services.observe("waiting", Pause(until, f"{error.what} ({error.where or error.why})"))
            if not await stopping.sleep(services.clock, decision.seconds):
                return None
