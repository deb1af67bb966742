"""The ledger's verbs for runs and source pages. Deliveries have theirs in `pipeline.store.deliveries`, reports in `.reports`.

Every verb that writes returns only when what it wrote is durable.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

import anyio
import msgspec

from pipeline.clock import Clock
from pipeline.errors import ConnectorError, LockHeld, UsageError
from pipeline.record import Known
from pipeline.stage import Allowance
from pipeline.store.answers import Answers
from pipeline.store.deliveries import Deliveries
from pipeline.store.driver import Driver, InlineDriver, ThreadedDriver, cannot_open, migrate, prepare_file
from pipeline.store.locks import beside, try_lock
from pipeline.store.pages import page_command
from pipeline.store.reports import Reports
from pipeline.store.rows import HELD_FOR_LEAVING, RANK, Lease, PageCommit, Previous, Problem, stamp
from pipeline.store.transaction import Audit, Change, Command, Heads, Row
from pipeline.store.writer import Writer

DEFAULT_STORE = "sqlite:///.ml-connector/ledger.db"
ON_ITS_WAY = ("stored", "sealed", "delivered")
"""States of a document that has reached its partner or will."""

Identity = tuple[str, str, str]
"""(company, object, business key) of a source record."""


def store_path(url: str) -> Path:
    """The file behind ``sqlite:///path`` (relative) or ``sqlite:////path`` (absolute); behind a link to it too, since locks lie beside the file."""
    if not url.startswith("sqlite:///") or len(url) == len("sqlite:///"):
        raise UsageError(
            "This kind of ledger is not known",
            where="MLC_STORE",
            why=f"it begins with {url.partition(':')[0][:20]!r}, not with sqlite:///",  # the rest may hold a password
            mend=f"use {DEFAULT_STORE}",
            code="MLC-STO-0004",
        )
    path = Path(url.removeprefix("sqlite:///"))
    if path.name in ("", "..", ":memory:"):
        raise UsageError(
            "The ledger must be a file",
            where="MLC_STORE",
            why="what is in memory only is lost with the process" if path.name == ":memory:" else f"{path} is a folder",
            mend=f"name a file, e.g. {DEFAULT_STORE}",
            code="MLC-STO-0004",
        )
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _left_out(rank: int | None, reason: str) -> str:
    """Why a record takes no part in its flow: a rule excludes it, or it is held because one does so now."""
    return reason if rank == RANK["excluded"] or reason in HELD_FOR_LEAVING else ""


@asynccontextmanager
async def open_ledger(
    url: str, clock: Clock, *, driver: Literal["threaded", "inline"] = "threaded"
) -> AsyncIterator[Ledger]:
    """Opens, creates or upgrades the ledger; closes it after everything submitted is durable."""
    path = store_path(url)
    prepare_file(path)
    migrate(path)
    opened: Driver = await ThreadedDriver.open(path) if driver == "threaded" else InlineDriver(path)
    writer = Writer(opened, clock)
    # A plain task: a task group would wrap what the caller raises into a group, and a cancelled caller would stop the writer.
    work = asyncio.create_task(writer.work())
    try:
        yield Ledger(opened, writer, clock, path)
    finally:
        writer.close()
        with anyio.CancelScope(shield=True):
            await work
            await opened.close()


class Ledger:
    """One open ledger. ``deliveries``, ``answers`` and ``reports`` are its other doors."""

    def __init__(self, driver: Driver, writer: Writer, clock: Clock, path: Path) -> None:
        self._driver = driver
        self._writer = writer
        self._clock = clock
        self.path = path
        self.deliveries = Deliveries(driver, writer, clock)
        self.answers = Answers(driver, writer, clock)
        self.reports = Reports(driver)

    def _now(self) -> str:
        return stamp(self._clock.now())

    async def begin_run(self, flow: str, file: str, flow_digest: str, code_version: str, kind: str, span: str) -> int:
        """A new run's id. The caller has the flow's lease: an earlier run still marked as running has died, and is told as failed."""
        now = self._now()
        died = Problem(
            "transient",
            "MLC-RUN-0007",
            "IT",
            "The process ended before the run did",
            mend="nothing: the next run goes on",
        )

        def build(_: list[list[Row]], heads: Heads) -> Change:
            run = heads.take("runs")
            audit = [Audit("run", f"run {run}", f"{kind} of {flow} started", run)]
            writes: list[tuple[str, list[Row]]] = [
                ("end_dead_runs", [(now, died.text(), flow)]),
                ("insert_run", [(run, flow, file, flow_digest, code_version, kind, span, now)]),
            ]
            return Change(writes, audit, run)

        run = await self._writer.submit(Command([], build))
        assert isinstance(run, int)
        return run

    async def finish_run(self, run: int, status: str, problem: ConnectorError | None = None) -> None:
        text = Problem.of(problem).text() if problem else None
        change = Change(
            [("finish_run", [(self._now(), status, text, run)])],
            [Audit("run", f"run {run}", f"finished: {status}", run)],
        )
        await self._writer.submit(Command([], lambda rows, heads: change))

    @asynccontextmanager
    async def lease(self, name: str, owner: str) -> AsyncIterator[Lease]:
        """The right to run this flow, for as long as the block lasts. Raises `LockHeld` while anyone else has it.

        The truth is a file lock beside the ledger, which the system drops when its process dies; the row says who it is.
        """
        safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
        try:
            descriptor = try_lock(beside(self.path, safe))
        except OSError as error:
            raise cannot_open(self.path, error) from None
        if descriptor is None:
            raise await self._held(name)
        try:
            yield await self._take_lease(name, owner)
        finally:
            os.close(descriptor)

    async def _held(self, name: str) -> LockHeld:
        rows = await self._driver.fetch("lease", (name,))
        return LockHeld(
            f"{name} is running already",
            where=f"process {rows[0][2]} on {rows[0][1]}" if rows else "",
            why="two runs of one flow at once could send the same document twice",
            mend="wait for it to end, or end that process",
            code="MLC-RUN-0006",
        )

    async def _take_lease(self, name: str, owner: str) -> Lease:
        def build(rows: list[list[Row]], heads: Heads) -> Change:
            lease = Lease(name, owner, rows[0][0][3] + 1 if rows[0] else 1)
            row = (name, owner, socket.gethostname(), os.getpid(), lease.epoch, self._now())
            return Change([("take_lease", [row])], [], lease)

        lease = await self._writer.submit(Command([("lease", (name,))], build))
        assert isinstance(lease, Lease)
        return lease

    async def count_calls(self, run: int, account: Allowance, used: int) -> None:
        """Adds calls to what the account has used today; ``run`` 0 is outside of runs."""
        row = (account.account, account.unit, account.calls, account.warn_percent)
        counted = (account.account, self._now()[: len("2026-11-24")], run, used)
        change = Change([("save_account", [row]), ("count_calls", [counted])])
        await self._writer.submit(Command([], lambda rows, heads: change))

    async def save_outage(self, system: str, flow: str, problem: Problem) -> None:
        """The system fails, since now unless it did before."""
        row = (system, flow, self._now(), problem.text())
        await self._writer.submit(Command([], lambda rows, heads: Change([("save_outage", [row])])))

    async def end_outage(self, system: str) -> None:
        await self._writer.submit(Command([], lambda rows, heads: Change([("end_outage", [(system,)])])))

    async def forget_outages(self, flow: str, systems: Sequence[str]) -> None:
        """Those that this flow met last, but for these systems: it does not use the others any more."""
        if not any(item["flow"] == flow and item["system"] not in systems for item in await self.reports.outages()):
            return
        row = (flow, msgspec.json.encode(systems).decode())
        await self._writer.submit(Command([], lambda rows, heads: Change([("forget_outages", [row])])))

    async def cursor(self, flow: str, source: str, scope: str) -> dict[str, str] | None:
        """How far this source has been read, as it was committed with the last settled page."""
        rows = await self._driver.fetch("cursor", (flow, source, scope))
        return msgspec.json.decode(rows[0][0], type=dict[str, str]) if rows else None

    async def save_cursor(self, flow: str, source: str, scope: str, cursor: dict[str, str]) -> None:
        """What a source wants to have known beyond its last settled page."""
        row = (flow, source, scope, msgspec.json.encode(cursor).decode(), self._now())
        await self._writer.submit(Command([], lambda rows, heads: Change([("save_cursor", [row])])))

    async def previous(
        self, flow: str, identities: Sequence[Identity]
    ) -> dict[tuple[Identity, str, str], dict[str, Previous]]:
        """The newest document for each sink, by (identity, partner, set), of these source records."""
        found: dict[tuple[Identity, str, str], dict[str, Previous]] = {}
        for company, object_, key, partner, set_code, sink, *rest in await self._driver.fetch(
            "previous_documents", (msgspec.json.encode(identities).decode(), flow)
        ):
            id_, version, status, plan, digest, fields = rest
            names = tuple(msgspec.json.decode(fields, type=list[str]))
            of_sink = found.setdefault(((company, object_, key), partner, set_code), {})
            sent = status in ON_ITS_WAY or (sink in of_sink and of_sink[sink].sent)
            of_sink[sink] = Previous(id_, version, status, plan, names, digest, sent)
        return found

    async def sent(self, flow: str, identities: Sequence[Identity]) -> dict[Identity, str]:
        """Which of these records have a document that was sent, and which one; without those an operator has already looked at."""
        rows = await self._driver.fetch("sent_documents", (msgspec.json.encode(identities).decode(), flow))
        return {
            (company, object_, key): f"{set_code} to {partner}, document {id_}"
            for company, object_, key, id_, partner, set_code in rows
        }

    async def recall(self, flow: str, company: str, object: str, names: Sequence[str]) -> list[Known]:
        """The records of this flow that were read by one of these names, as key or alias, as they were read last."""
        values = (msgspec.json.encode(names).decode(), object, company, flow)
        rows = await self._driver.fetch("known_records", values)
        return [
            Known(name, key, alias, label, digest, _left_out(rank, reason))
            for name, key, alias, label, digest, rank, reason in rows
        ]

    async def last_reads(self, flow: str, identities: Sequence[Identity]) -> dict[Identity, tuple[str, int | None]]:
        """The currency and amount (millionths) of each of these records as the flow read it last; those it never read are not there."""
        rows = await self._driver.fetch("last_reads", (msgspec.json.encode(identities).decode(), flow))
        return {(company, object_, key): (currency, amount) for company, object_, key, currency, amount in rows}

    async def open_exceptions(self, flow: str, identities: Sequence[Identity]) -> dict[Identity, int]:
        """The newest open exception of each of these records itself, of its documents included and of deliveries not."""
        rows = await self._driver.fetch("open_dead_letters", (msgspec.json.encode(identities).decode(), flow))
        return {(company, object_, key): id_ for id_, company, object_, key, *_ in sorted(rows)}

    async def sent_between(self, flow: str, company: str, object: str, since: datetime, until: datetime) -> list[str]:
        """The keys of this object's records of which documents were made in that time and sent; without those known to be deleted."""
        return [
            str(row[0])
            for row in await self._driver.fetch("sent_between", (flow, company, object, stamp(since), stamp(until)))
        ]

    async def guarded(self, flow: str, guards: Sequence[str]) -> dict[tuple[str, str, str], list[tuple[Identity, int]]]:
        """Documents that share a guard, as (identity, document id) by (guard, partner, set)."""
        found: dict[tuple[str, str, str], list[tuple[Identity, int]]] = {}
        for guard, company, object_, key, partner, set_code, id_ in await self._driver.fetch(
            "guarded_documents", (msgspec.json.encode(guards).decode(), flow)
        ):
            found.setdefault((guard, partner, set_code), []).append(((company, object_, key), id_))
        return found

    async def commit_page(self, page: PageCommit) -> dict[str, set[str]]:
        """Makes a settled page durable; returns the lanes that got documents, by sink stage."""
        lanes = await self._writer.submit(page_command(page, self._now()))
        assert isinstance(lanes, dict)
        return lanes
