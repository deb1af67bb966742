"""The engine in a hostile world, on virtual time: lost answers, refusals, absence, crashes at any commit; the far side is the oracle.

A crash is a ledger that accepts nothing more: what a process does after its last durable commit is lost, except what the far side
took already. The next run is a new process on the same file. Each seed is one story; a failing one tells its number.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from pipeline.engine.report import RunReport
from pipeline.engine.services import Stopping
from pipeline.errors import (
    ConfigError,
    ConnectorError,
    DataError,
    Excluded,
    Held,
    RefusedError,
    StoreError,
    ThrottledError,
    TransientError,
    Undetermined,
)
from pipeline.record import Delivery, Destination, Document, Evidence, Page, Record, Window
from pipeline.retry import RetryPolicy
from pipeline.stage import COMMIT_POINT, Mark
from pipeline.store import Ledger
from pipeline.store.driver import InlineDriver, migrate, prepare_file
from pipeline.store.writer import Writer

SEEDS = range(40)
RUNS_PER_STORY = 6
SETTLE_SECONDS = 30.0
OVERLAP = 4
PARTNERS = ("P", "Q", "R")
KINDS = ("ok", "ok", "ok", "ok", "excluded", "held", "dead", "unpackable", "refuse")


class Dead(StoreError):
    """The process is gone."""


class Chaos:
    """Decides when something breaks. ``calm`` breaks nothing any more."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.calm = self.dead = False
        self.crash_rate = 0.0
        self.crashes = 0
        self.stopping = Stopping()

    def new_process(self) -> None:
        self.dead, self.stopping = False, Stopping()
        self.crash_rate = self.rng.choice([0.0, 0.005, 0.02, 0.05])

    def step(self) -> None:
        """A place where the process may be told to stop, or die; it does not go on once it is dead."""
        if self.happens(0.003):
            self.stopping.request(15)
        if not self.dead and not self.calm and self.rng.random() < self.crash_rate:
            self.dead = True
            self.crashes += 1
        if self.dead:
            raise Dead("the process is gone")

    def happens(self, rate: float) -> bool:
        return not self.calm and self.rng.random() < rate


class MortalDriver(InlineDriver):
    """Dies before a commit (all of it is lost) or after one (nobody hears of it)."""

    def __init__(self, path: Path, chaos: Chaos) -> None:
        super().__init__(path)
        self.chaos = chaos

    async def commit(self, commands: Any, now: str) -> Any:
        self.chaos.step()
        outcomes = await super().commit(commands, now)
        self.chaos.step()
        return outcomes


class Books:
    """Bills by the order of their last change; the source of truth for what should be delivered."""

    def __init__(self, chaos: Chaos) -> None:
        self.chaos = chaos
        self.sequence = itertools.count(1)
        self.bills: dict[str, tuple[int, str, str, str]] = {}  # key -> sequence, partner, kind, text
        self.texts: dict[str, list[str]] = {}  # key -> every text it ever had, in order

    def change(self) -> None:
        """A new bill, or an edit of an old one."""
        rng = self.chaos.rng
        edited = bool(self.bills) and rng.random() < 0.3
        key = rng.choice(sorted(self.bills)) if edited else str(len(self.bills) + 1)
        number, kind = next(self.sequence), rng.choice(KINDS)
        partner = self.bills[key][1] if edited else rng.choice(PARTNERS)
        text = f"{kind}-{key}-{number}"
        self.bills[key] = (number, partner, kind, text)
        self.texts.setdefault(key, []).append(text)

    def after(self, number: int) -> list[tuple[int, str, str, str, str]]:
        return sorted(
            (at, key, partner, kind, text) for key, (at, partner, kind, text) in self.bills.items() if at > number
        )


class BooksSource:
    """Keyset pages with an overlap, read by one process."""

    def __init__(self, books: Books, make_bill: Any, page_size: int) -> None:
        self.books, self.make_bill, self.page_size = books, make_bill, page_size
        self.at: int | None = None

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page | None:
        chaos = self.books.chaos
        chaos.step()
        if chaos.happens(0.1):
            raise TransientError("the books are away")
        if chaos.happens(0.01):
            raise ConfigError("someone locked the account")
        high = int(cursor["sequence"]) if cursor else 0
        if self.at is None:
            self.at = max(0, high - OVERLAP)
        found = self.books.after(self.at)
        chunk = found[: self.page_size]
        if not chunk:
            return None
        self.at = chunk[-1][0]
        records = [
            self.make_bill(key, partner=partner, text=text, kind=kind, amount=f"{at}.25", group=kind)
            for at, key, partner, kind, text in chunk
        ]
        return Page(records, {"sequence": str(max(high, self.at))}, more=len(found) > len(chunk))

    async def settled(self, page: Page) -> None:
        self.books.chaos.step()


def judge(one: Record) -> Record:
    match one.body["kind"]:
        case "excluded":
            raise Excluded("by a rule")
        case "held":
            raise Held("wait", code="SIM-1")
        case "dead":
            raise DataError("wrong", code="SIM-2")
    return one


class Mailboxes:
    """The far side: what arrived, when it can be seen, and everything it was ever asked to take."""

    settle_seconds = SETTLE_SECONDS

    def __init__(self, chaos: Chaos, clock: Any) -> None:
        self.chaos, self.clock = chaos, clock
        self.arrived: list[tuple[Delivery, float]] = []  # delivery, seen from
        self.asked: list[Delivery] = []
        self.ledger: Ledger | None = None

    def destination(self, document: Document) -> Destination:
        return Destination(document.partner, f"/{document.partner}")

    async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
        self.chaos.step()
        if self.chaos.happens(0.1):
            raise self.chaos.rng.choice([TransientError("no route"), ThrottledError("slow", retry_after=3.0)])
        if self.chaos.happens(0.02):
            raise ConfigError("the mailbox was renamed")
        await mark(COMMIT_POINT)
        await self._prove_intent(delivery)
        self.asked.append(delivery)
        if b"refuse" in delivery.payload:
            raise RefusedError("not this", code="SIM-3")
        if self.chaos.happens(0.15):
            raise TransientError("lost on the way there")
        self.arrived.append((delivery, self.clock.monotonic() + self.chaos.rng.uniform(0, SETTLE_SECONDS)))
        await anyio.lowlevel.checkpoint()
        self.chaos.step()
        if self.chaos.happens(0.15):
            raise self.chaos.rng.choice([TransientError("lost on the way back"), OSError("reset")])
        return self._evidence(delivery)

    async def _prove_intent(self, delivery: Delivery) -> None:
        """No request without a durable attempt that has passed its commit point."""
        assert self.ledger is not None
        attempts = await self.ledger.reports.attempts(delivery.id)
        assert attempts[-1]["number"] == delivery.attempt
        assert attempts[-1]["committed_at"] is not None

    async def find(self, delivery: Delivery) -> list[Evidence]:
        self.chaos.step()
        if self.chaos.happens(0.2):
            raise self.chaos.rng.choice(
                [Undetermined("the list is cut off"), TransientError("away"), KeyError("odd answer")]
            )
        now = self.clock.monotonic()
        return [
            self._evidence(there)
            for there, seen_from in self.arrived
            if there.name == delivery.name and seen_from <= now
        ]

    def _evidence(self, delivery: Delivery) -> Evidence:
        return Evidence(f"m-{delivery.name}", delivery.name, len(delivery.payload), delivery.digest)


class Story:
    """One seed: changes in the books, runs that may die, then calm, and what must be true."""

    def __init__(self, seed: int, rig: Any, encoder: Any, make_bill: Any) -> None:
        self.chaos = Chaos(seed)
        self.rig, self.encoder, self.make_bill = rig, encoder, make_bill
        self.books, self.far = Books(self.chaos), Mailboxes(self.chaos, rig.clock)
        self.cursor = 0
        prepare_file(rig.file)
        migrate(rig.file)

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Ledger]:
        """A new process on the same ledger file."""
        self.chaos.new_process()
        driver = MortalDriver(self.rig.file, self.chaos)
        writer = Writer(driver, self.rig.clock)
        work = asyncio.create_task(writer.work())
        self.far.ledger = Ledger(driver, writer, self.rig.clock, self.rig.file)
        try:
            yield self.far.ledger
        finally:
            writer.close()
            await work
            await driver.close()

    async def run(self) -> RunReport | None:
        """One run; None when it died."""
        rng = self.chaos.rng
        source = BooksSource(self.books, self.make_bill, rng.randint(1, 7))
        flow = self.rig.chain(
            source, self.rig.stage("judge", "map", judge), encoder=self.encoder, sink=self.far, workers=rng.randint(1, 3),
            retry=RetryPolicy(times=3, first=1.0, max=5.0),
        )  # fmt: skip
        wait = 1e5 if self.chaos.calm else rng.choice([0.0, 5.0, 1e4])
        async with self.process() as ledger:
            try:
                report: RunReport = await self.rig.run(ledger, flow, wait_seconds=wait, stopping=self.chaos.stopping)
            except ConnectorError:
                assert self.chaos.dead
                return None
        assert report.balanced or self.chaos.dead
        return None if self.chaos.dead else report

    async def tell(self) -> None:
        for _ in range(RUNS_PER_STORY):
            for _ in range(self.chaos.rng.randint(0, 8)):
                self.books.change()
            await self.run()
            await self.check_always()
        self.chaos.calm = True
        for _ in range(2):  # the second one finds nothing left to do
            report = await self.run()
            assert report is not None
            assert report.problem is None
            assert report.stopped == []
            await self.check_always()
            await self.check_quiet(report)

    # --- what must be true ---------------------------------------------------------------------------------------------

    async def check_always(self) -> None:
        """Whatever happened, at every crash."""
        self.chaos.dead = False
        driver = InlineDriver(self.rig.file)
        ledger = Ledger(driver, Writer(driver, self.rig.clock), self.rig.clock, self.rig.file)
        try:
            assert await ledger.reports.verify_audit() is None
            await self._check_cursor(ledger)
            await self._check_deliveries(ledger)
            letters = await ledger.reports.dead_letters(state="")
            known = {"SIM-1", "SIM-2", "SIM-3", "TST-0002"}
            assert {letter["code"] for letter in letters} <= known, "a fault that passes made something dead"
        finally:
            await driver.close()

    async def _check_cursor(self, ledger: Ledger) -> None:
        """It never goes back and never passes a bill that the ledger does not know."""
        cursor = await ledger.cursor("bills", "source", "")
        at = int(cursor["sequence"]) if cursor else 0
        assert at >= self.cursor
        self.cursor = at
        for number, key, _, _, text in self.books.after(0):
            if number <= at:
                seen = await ledger.reports.records_named(key)
                assert any(text in record["digest"] for record in seen)

    async def _check_deliveries(self, ledger: Ledger) -> None:
        rows: list[dict[str, Any]] = []
        while (row := await ledger.reports.delivery(len(rows) + 1)) is not None:
            rows.append(row)
        by_name = {row["name"]: row for row in rows}
        assert len(by_name) == len(rows)
        for lane in PARTNERS:
            numbers = [msgspec.json.decode(row["numbers"])["ISA13"] for row in rows if row["lane"] == lane]
            assert numbers == list(range(1, len(numbers) + 1)), "control numbers have a gap or a repeat"
            arrivals = [delivery.numbers["ISA13"] for delivery, _ in self.far.arrived if delivery.lane == lane]
            assert arrivals == sorted(set(arrivals)), "a lane was overtaken, or something arrived twice"
        assert max(Counter(delivery.name for delivery, _ in self.far.arrived).values(), default=0) <= 1
        for delivery in self.far.asked:
            row = by_name[delivery.name]
            assert (delivery.payload, delivery.digest) == (row["payload"], row["digest"]), "bytes changed after sealing"
        self._check_versions()

    def _check_versions(self) -> None:
        """The partner sees the versions of one bill in order, each at most once."""
        seen: dict[str, list[int]] = {}
        for delivery, _ in self.far.arrived:
            for line in delivery.payload.decode().split("\n")[1:]:
                _, key, number = line.split(" ")[0].split("-")
                seen.setdefault(key, []).append(int(number))
        for numbers in seen.values():
            assert numbers == sorted(set(numbers))

    async def check_quiet(self, report: RunReport) -> None:
        """After the faults end: every bill has the outcome that it should have, and nothing is left open."""
        arrived = Counter(
            line.split(" ")[0] for delivery, _ in self.far.arrived for line in delivery.payload.decode().split("\n")[1:]
        )
        driver = InlineDriver(self.rig.file)
        ledger = Ledger(driver, Writer(driver, self.rig.clock), self.rig.clock, self.rig.file)
        try:
            counts = await ledger.reports.counts("")
            assert (counts["stored"], counts["in_doubt"], counts["in_flight"]) == (0, 0, 0)
            open_keys = await _needing_a_person(ledger)
            for key, (_, _, kind, text) in self.books.bills.items():
                assert arrived[text] == (1 if kind == "ok" else 0), text
                if kind in ("held", "dead", "unpackable", "refuse"):
                    assert key in open_keys, f"{text} needs a person, and no one is told"
        finally:
            await driver.close()
        assert report.totals.counts["in_doubt"] == report.totals.counts["in_flight"] == report.totals.unsettled == 0


async def _needing_a_person(ledger: Ledger) -> set[str]:
    """The keys of all records behind open exceptions; one for a delivery stands for all its documents."""
    keys = set()
    for letter in await ledger.reports.dead_letters():
        keys.add(letter["key"])
        if letter["delivery"] is not None:
            keys |= {item["key"] for item in await ledger.reports.documents_of_delivery(letter["delivery"])}
    return keys


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_breaks_every_bill_arrives_once_or_is_an_open_exception(
    seed: int, tmp_path: Path, make_rig: Any, line_encoder: Any, make_bill: Any
) -> None:
    rig = make_rig(tmp_path, "inline", seed)
    story = Story(seed, rig, line_encoder(batch=1 + seed % 3), make_bill)
    with anyio.fail_after(30):
        await story.tell()


async def test_the_stories_do_crash_doubt_and_resend(
    tmp_path: Path, make_rig: Any, line_encoder: Any, make_bill: Any
) -> None:
    """Guards the guard: a simulation in which nothing goes wrong proves nothing."""
    crashes, doubts, resends = 0, 0, 0
    for seed in range(8):
        folder = tmp_path / str(seed)
        folder.mkdir()
        story = Story(seed, make_rig(folder, "inline", seed), line_encoder(), make_bill)
        await story.tell()
        crashes += story.chaos.crashes
        asked = Counter(delivery.name for delivery in story.far.asked)
        resends += sum(count > 1 for count in asked.values())
        with closing(sqlite3.connect(story.rig.file)) as raw:
            doubts += raw.execute("select count(*) from audit where detail like 'in_doubt%'").fetchone()[0]
    assert crashes > 5
    assert resends > 2
    assert doubts > 5
