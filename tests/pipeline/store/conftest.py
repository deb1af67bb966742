"""A ledger file per test over both drivers, a raw connection to look behind its back, and one line to commit a page."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest

from pipeline.record import Document, Record
from pipeline.store import Ledger, open_ledger
from pipeline.store.rows import Fate, NewDocument, PageCommit, Waiting
from pipeline.testing import ManualClock

Driver = Literal["threaded", "inline"]


class Store:
    """One ledger file; ``open`` it as often as needed."""

    def __init__(self, folder: Path, driver: Driver) -> None:
        self.path = folder / "deep" / "ledger.db"
        self.driver: Driver = driver
        self.clock = ManualClock(autojump=True)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Ledger]:
        async with open_ledger(f"sqlite:///{self.path}", self.clock, driver=self.driver) as ledger:
            yield ledger

    @contextmanager
    def raw(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            yield connection

    async def run(self, ledger: Ledger, flow: str = "bills") -> int:
        return await ledger.begin_run(flow, "flow.yaml", "digest", "1.0", "run", "{}")

    async def page(self, ledger: Ledger, run: int, *fates: Fate, **changes: Any) -> dict[str, set[str]]:
        """Commits one page that read exactly these records."""
        reads: dict[str, list[int]] = {}
        for fate in fates:
            entry = reads.setdefault(fate.record.currency, [0, 0])
            entry[0] += 1
            entry[1] += int((fate.record.amount or 0) * 1_000_000)
        settings: dict[str, Any] = {
            "run": run, "flow": "bills", "flow_digest": "digest", "code_version": "1.0", "source": "source", "number": 1,
            "reads": [(currency, *entry) for currency, entry in reads.items()], "fates": list(fates),
        }  # fmt: skip
        return await ledger.commit_page(PageCommit(**{**settings, **changes}))

    async def stored(self, ledger: Ledger, *keys: str, partner: str = "P", **changes: Any) -> tuple[int, list[Waiting]]:
        """A run with one stored document per key; returns the run and the lane's queue."""
        run = await self.run(ledger)
        await self.page(ledger, run, *(self.fate(key, self.document(key, partner, **changes)) for key in keys))
        return run, await ledger.deliveries.waiting("bills", "sink", partner, 1000)

    def record(self, key: str, amount: str | None = "10.00", currency: str = "USD") -> Record:
        money = None if amount is None else Decimal(amount)
        return Record(
            key=key, kind="bill", body=None, company="C", object="APBILL", digest="d", amount=money, currency=currency,
            label=f"INV-{key}",
        )  # fmt: skip

    def fate(self, key: str, *documents: NewDocument, amount: str | None = "10.00", **outcome: Any) -> Fate:
        record = self.record(key, amount)
        return Fate(record, documents=list(documents), links=outcome.pop("links", []), **outcome)

    def document(self, key: str, partner: str = "P", **changes: Any) -> NewDocument:
        settings: dict[str, Any] = {"version": 1, "replaces": None, "held": None, "fields_digest": f"digest of {key}"}
        settings |= {name: changes.pop(name) for name in list(changes) if name in settings}
        given = {"fields": ("text",), "plan": "plan-1", "origins": "BIG02: bill"}
        body = Document("810", partner, f"body {key}".encode(), **{**given, **changes})
        return NewDocument(body, "sink", "encode", partner, f"/{partner}", **settings)


@pytest.fixture(params=["threaded", "inline"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """The same test over both drivers."""
    return Store(tmp_path, request.param)


@pytest.fixture
def inline_store(tmp_path: Path) -> Store:
    """For what does not depend on the driver."""
    return Store(tmp_path, "inline")


@pytest.fixture
def make_store() -> Callable[[Path, Driver], Store]:
    return Store


@pytest.fixture
def sealing() -> Callable[..., Any]:
    """What it takes to seal a queue: one interchange number, and bytes that name it."""
    from pipeline.record import Counter, Destination
    from pipeline.store.deliveries import Seal

    def seal(run: int, queue: Sequence[Waiting], *, lane: str = "P", counters: Any = None, pack: Any = None) -> Seal:
        wanted = [Counter(f"US:{lane}:P", "ISA13")] if counters is None else counters
        bodies = b"|".join(waiting.stored.body for waiting in queue)
        return Seal(
            "bills", "sink", run, Destination(lane, f"/{lane}"), queue, wanted,
            pack or (lambda numbers, now: b"%d:%s" % (numbers.get("ISA13", 0), bodies)),
            lambda numbers, digest, delivery: f"{lane}_{numbers.get('ISA13', delivery)}_{digest[:12]}",
        )  # fmt: skip

    return seal
