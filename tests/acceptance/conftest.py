"""The real command in a process of its own, against both simulators in this one, over a ledger of the test's own.

The judge is never the ledger alone: the Sterling simulator's log of effects says what arrived, and what a flow without any
trouble puts into the mailboxes (`reference`) says what should have.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.clock import SystemClock
from pipeline.store import open_ledger
from stages.ap.seed import World, build_world
from stages.intacct.simulator import Fault as IntacctFault
from stages.intacct.simulator import IntacctSimulator
from stages.sterling.simulator import SterlingSimulator, Switches

FLOWS = Path(__file__).parents[2] / "flows"
SETTLE = "60ms"
Body = tuple[tuple[str, ...], ...]
"""A set: its code, then its segments without the control numbers, each as its elements."""

Mailboxes = dict[str, list[Body]]


# --- the command ------------------------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What a finished command left: a signal's death is a negative code, as `subprocess` has it."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one line on stdout."""
        assert self.out.count("\n") == 1, self.out + self.err
        value: dict[str, Any] = json.loads(self.out)
        return value


class Child:
    """One command under way."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._said = b""

    async def says(self, words: str) -> None:
        """Returns when a line of stderr holds the words."""
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self._said += line
            if words.encode() in line:
                return
        raise AssertionError(f"it ended without saying {words!r}: {self._said.decode()}")

    def kill(self) -> None:
        """kill -9; harmless when it has ended."""
        if self.process.returncode is None:
            self.process.kill()

    async def dies(self) -> None:
        """kill -9, and the certainty that it is gone."""
        self.kill()
        await self.process.wait()

    async def ends(self) -> Outcome:
        async with asyncio.timeout(40):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        return Outcome(self.process.returncode, out.decode(), (self._said + err).decode())


# --- the far side, read without any of the product's own readers --------------------------------------------------------


@dataclass
class Interchange:
    """``line`` is who sends to whom, in production or test: what its control number is counted for."""

    line: tuple[str, ...]
    number: int
    sets: list[Body] = field(default_factory=list)


def read_interchange(payload: bytes) -> Interchange:
    """An X12 interchange by its fixed header; every control number inside must agree with its trailer."""
    text = payload.decode("utf-8")
    separator, terminator = text[3], text[105]
    segments = [part.strip("\r\n").split(separator) for part in text.split(terminator) if part.strip()]
    head, tail = segments[0], segments[-1]
    assert (head[0], tail[0]) == ("ISA", "IEA")
    assert head[13] == tail[2]
    found = Interchange((*head[5:9], head[15]), int(head[13]))
    body: list[tuple[str, ...]] = []
    for segment in segments[1:-1]:
        if segment[0] == "ST":
            body = [(segment[1],)]
        elif segment[0] == "SE":
            assert int(segment[1]) == len(body) + 1
            found.sets.append(tuple(body))
        elif segment[0] not in ("GS", "GE"):
            body.append(tuple(segment))
    assert found.sets
    return found


class Far:
    """The Sterling side as the judge sees it."""

    def __init__(self, simulator: SterlingSimulator) -> None:
        self.simulator = simulator

    def arrivals(self, prefix: str = "mlc_") -> list[Mapping[str, Any]]:
        """Each message of ours that took effect, in order."""
        effects = self.simulator.effects()
        return [e for e in effects if e["effect"] == "message.created" and str(e["name"]).startswith(prefix)]

    def sets(self, effect: Mapping[str, Any]) -> list[Body]:
        """What is in a message that arrived."""
        return read_interchange(self.simulator.payload(effect["message"])).sets

    def mailboxes(self) -> Mailboxes:
        """The sets in each mailbox in order of arrival, whatever the interchanges and numbers they came in."""
        found: Mailboxes = {}
        for effect in self.arrivals():
            found.setdefault(effect["mailbox"], []).extend(self.sets(effect))
        return found

    def numbers(self) -> dict[tuple[str, ...], list[int]]:
        """ISA13 of each line, in order of arrival."""
        found: dict[tuple[str, ...], list[int]] = {}
        for effect in self.arrivals():
            interchange = read_interchange(self.simulator.payload(effect["message"]))
            found.setdefault(interchange.line, []).append(interchange.number)
        return found


# --- the whole ----------------------------------------------------------------------------------------------------------


class Rig:
    """Both simulators and a place for the command to run in. ``child`` is the command started last."""

    def __init__(self, folder: Path, world: World, intacct: IntacctSimulator, sterling: SterlingSimulator) -> None:
        self.world = world
        self.intacct, self.sterling, self.far = intacct, sterling, Far(sterling)
        self.child: Child | None = None
        self.children: list[Child] = []
        self.store = folder / "ledger" / "ledger.db"
        self.flows = shutil.copytree(FLOWS, folder / "flows")
        self.flow = self.flows / "bills.yaml"
        busy = {bill.vendor for bill in world.bills}
        for partner in world.partners:  # reading all their files would be half of each command's time
            if not busy & set(partner.vendors):
                (self.flows / "partners" / f"{partner.code.lower()}.yaml").unlink()
        self._folder = folder
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "LOGNAME": "tester", "LC_ALL": "C.UTF-8",
            **intacct.environment, **sterling.environment, "STERLING_SETTLE": SETTLE, "MLC_STORE": f"sqlite:///{self.store}",
        }  # fmt: skip

    def edit(self, *changes: tuple[str, str], name: str = "bills.yaml") -> None:
        """Changes the copied flow; every text must be there."""
        path = self.flows / name
        text = path.read_text("utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text, "utf-8")

    def set_connection(self, name: str, setting: str) -> None:
        """Adds a setting to a connection of the copied flow."""
        line = f"  {name}:\n"
        self.edit((line + "    type:", f"{line}    {setting}\n    type:"))

    def small_pages(self, size: int) -> None:
        self.edit(
            ("source: intacct.bills, via: books", f"source: intacct.bills, via: books, with: {{ page_size: {size} }}")
        )

    def other_store(self, name: str) -> str:
        """The address of one more ledger."""
        return f"sqlite:///{self.store.with_name(f'{name}.db')}"

    async def start(self, *arguments: str, **environment: str) -> Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pipeline", *arguments, cwd=self._folder, env=self.environment | environment,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self.child = Child(process)
        self.children.append(self.child)
        return self.child

    async def command(self, *arguments: str, **environment: str) -> Outcome:
        return await (await self.start(*arguments, **environment)).ends()

    async def run(self, *options: str, **environment: str) -> Outcome:
        """The bills flow."""
        return await self.command("run", str(self.flow), "--json", *options, **environment)

    async def start_run(self, *options: str) -> Child:
        return await self.start("run", str(self.flow), "--json", *options)

    def kill(self) -> None:
        """kill -9 of the command started last, for fault plans to call."""
        assert self.child is not None
        self.child.kill()

    # the ledger, by plain SQL

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"{self.store.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()

    def tamper(self, *statements: str, store: str = "ledger") -> None:
        with closing(sqlite3.connect(self.store.with_name(f"{store}.db"))) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    async def audit(self, store: str = "ledger") -> str | None:
        """What is wrong with the audit trail. Makes the ledger where there is none."""
        async with open_ledger(self.other_store(store), SystemClock()) as ledger:
            return await ledger.reports.verify_audit()

    # laws

    async def check_exactly_once(self) -> None:
        """Ledger and mailboxes agree byte for byte, each name once, numbers without gap or repeat, the audit chain holds."""
        sql = "select name, address, digest, payload from deliveries where state = 'delivered' and sink = 'delivered'"
        told = {name: (address, digest) for name, address, digest, payload in self.rows(sql) if sha(payload) == digest}
        assert len(told) == len(self.rows(sql))
        arrived = [(e["name"], (e["mailbox"], e["sha256"])) for e in self.far.arrivals()]
        assert len(arrived) == len({name for name, _ in arrived})
        assert dict(arrived) == told
        for line, numbers in self.far.numbers().items():
            assert sorted(numbers) == list(range(1, len(numbers) + 1)), line
        assert await self.audit() is None

    async def check_as_if_nothing_had_happened(self, reference: Mailboxes) -> None:
        """The exact sets, in the exact order, that an undisturbed flow puts into each mailbox; and the books of every run tie."""
        await self.check_exactly_once()
        assert self.far.mailboxes() == reference
        assert all(numbers == sorted(numbers) for numbers in self.far.numbers().values())
        assert not self.rows("select id from documents where status not in ('delivered', 'held')")
        async with open_ledger(f"sqlite:///{self.store}", SystemClock()) as ledger:
            for (run,) in self.rows("select id from runs"):
                assert (await ledger.reports.totals(run)).balanced(), f"r-{run}"


def sha(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


Rigs = Callable[..., AbstractAsyncContextManager[Rig]]


@pytest.fixture
def rigs(tmp_path: Path) -> Rigs:
    """``async with rigs(bills=60) as rig``: everything up, and nothing left behind."""

    @asynccontextmanager
    async def rig(bills: int = 60, switches: Switches | None = None, **changes: Any) -> AsyncIterator[Rig]:
        world = msgspec.structs.replace(build_world(seed=1, bills=bills), **changes)
        clock = SystemClock()
        sterling = SterlingSimulator(world, clock, switches=switches)
        async with IntacctSimulator(world, clock) as intacct, sterling.listen():
            made = Rig(tmp_path, world, intacct, sterling)
            try:
                yield made
            finally:
                sterling.faults.clear()
                for child in made.children:
                    await child.dies()
                    await child.ends()

    return rig


@pytest.fixture(scope="session")
def _known() -> dict[int, Mailboxes]:
    return {}


@pytest.fixture
def reference(tmp_path: Path, _known: dict[int, Mailboxes]) -> Callable[[int], Awaitable[Mailboxes]]:
    """What an undisturbed flow over that many bills puts into each mailbox. Run once per session."""

    async def known(bills: int) -> Mailboxes:
        if bills not in _known:
            world, clock = build_world(seed=1, bills=bills), SystemClock()
            sterling = SterlingSimulator(world, clock)
            folder = tmp_path / "reference"
            folder.mkdir()
            async with IntacctSimulator(world, clock) as intacct, sterling.listen():
                rig = Rig(folder, world, intacct, sterling)
                report = (await rig.run()).json
                assert report["balanced"]
                assert report["in_doubt"] == report["in_flight"] == 0
                assert report["delivered"] > bills // 5
                _known[bills] = rig.far.mailboxes()
        return _known[bills]

    return known


@pytest.fixture
def every_gateway_call() -> Callable[[IntacctSimulator, Callable[[Any], None]], None]:
    """Calls back with each request that reaches the gateway, before it is answered. Nothing goes wrong by it."""

    def listen(intacct: IntacctSimulator, callback: Callable[[Any], None]) -> None:
        def heard(call: Any) -> bool:
            callback(call)
            return False

        intacct.faults.add(IntacctFault(kind="html", when=heard))

    return listen
