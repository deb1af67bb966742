"""A flow over test doubles: an encoder that numbers lines, a ledger file per test, one call to run it all."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from pipeline.engine.report import RunReport
from pipeline.engine.request import RunRequest
from pipeline.engine.runner import run_flow
from pipeline.engine.services import Services, Stopping, inline
from pipeline.errors import DataError
from pipeline.flow.model import Flow, Input, Stage
from pipeline.record import Counter, Document, Record, Stored
from pipeline.registry import Registry
from pipeline.stage import StageSpec
from pipeline.store import Ledger, open_ledger
from pipeline.testing import ManualClock, SequenceIds

Driver = Literal["threaded", "inline"]


class LineEncoder:
    """One document per partner that a record's body names. A pack is a numbered header and one line per document.

    Only ``used`` fields make a new version. A body that holds ``unpackable`` cannot be packed; ``limit`` is the highest
    interchange number. Unlike a real encoder it is told to fail.
    """

    def __init__(self, *, batch: int = 1, limit: int = 999_999_999, used: tuple[str, ...] = ("text",)) -> None:
        self.batch, self.limit, self.used = batch, limit, used
        self.plan = "plan-1"

    def render(self, record: Record) -> list[Document]:
        return [self._document(record.body, partner) for partner in record.body["partner"].split()]

    def _document(self, body: dict[str, Any], partner: str) -> Document:
        def fingerprint(fields: Sequence[str]) -> str:
            return hashlib.sha256(json.dumps([body.get(field) for field in fields]).encode()).hexdigest()

        return Document(
            set="810",
            partner=partner,
            body=str(body.get("text", "")).encode(),
            fields=self.used,
            fingerprint=fingerprint,
            address=f"/{partner}",
            group=body.get("group", ""),
            batch=self.batch,
            guard=body.get("guard", ""),
            amendments=body.get("amendments", "replace"),
            plan=self.plan,
        )

    def amend(self, document: Document, version: int) -> Document:
        if b"unamendable" in document.body:
            raise DataError("cannot be amended", code="TST-0003")
        return msgspec.structs.replace(document, body=document.body + b" v%d" % version)

    def counters(self, documents: Sequence[Stored]) -> list[Counter]:
        scope = f"US:{documents[0].partner}:P"
        return [Counter(scope, "ISA13", 1, self.limit), Counter(scope, "ST02", len(documents))]

    def pack(self, documents: Sequence[Stored], numbers: Mapping[str, int], now: datetime) -> bytes:
        if any(b"unpackable" in document.body for document in documents):
            raise DataError("cannot be packed", code="TST-0002")
        lines = [b"ISA %d %s" % (numbers["ISA13"], now.isoformat().encode())]
        return b"\n".join(lines + [document.body for document in documents])


class Rig:
    """Builds flows of test doubles and runs them on one ledger file, with a clock that jumps."""

    def __init__(self, folder: Path, driver: Driver, seed: int = 1) -> None:
        self.folder, self.driver = folder, driver
        self.clock = ManualClock(autojump=True)
        self.ids = SequenceIds()
        self.rng = random.Random(seed)
        self.file = folder / "ledger.db"
        self.events: list[tuple[str, Any]] = []

    @asynccontextmanager
    async def ledger(self) -> AsyncIterator[Ledger]:
        async with open_ledger(f"sqlite:///{self.file}", self.clock, driver=self.driver) as ledger:
            yield ledger

    @property
    def services(self) -> Services:
        return Services(
            self.clock, self.ids, self.rng, inline, {}, observe=lambda what, detail: self.events.append((what, detail))
        )

    def stage(self, name: str, verb: Any, component: Any = None, *after: str, **settings: Any) -> Stage:
        """A node that reads the named stages; ``stage:port`` reads a port of a branch."""
        spec = None if component is None else StageSpec(name=f"test.{name}", verb=verb, build=lambda *_: component)
        inputs = tuple(Input(*one.split(":", 1)) for one in after)
        return Stage(name=name, verb=verb, component=f"test.{name}", spec=spec, inputs=inputs, **settings)

    def chain(self, source: Any, *stages: Stage, encoder: Any = None, sink: Any = None, **sink_settings: Any) -> Flow:
        """source, then these stages one after the other, then the encoder and the sink where given."""
        nodes = [self.stage("source", "source", source)]
        for stage in stages:
            nodes.append(msgspec.structs.replace(stage, inputs=(Input(nodes[-1].name),)))
        if encoder is not None:
            nodes.append(self.stage("encode", "encode", encoder, nodes[-1].name))
        if sink is not None:
            nodes.append(self.stage("sink", "sink", sink, nodes[-1].name, **sink_settings))
        return self.flow(*nodes)

    def flow(self, *stages: Stage, name: str = "bills") -> Flow:
        return Flow(
            name=name,
            version=1,
            about="",
            file=self.folder / "flow.yaml",
            digest="flow digest",
            connections=(),
            stages=stages,
        )

    async def run(self, ledger: Ledger, flow: Flow, *, stopping: Stopping | None = None, **request: Any) -> RunReport:
        return await run_flow(flow, Registry([]), ledger, self.services, RunRequest(**request), stopping or Stopping())


def bill(key: str, partner: str = "P", text: str = "", amount: str = "10.00", **body: Any) -> Record:
    """A bill for one partner, or several separated by blanks."""
    content = {"partner": partner, "text": text or f"bill {key}", **body}
    return Record(
        key=key, kind="bill", body=content, company="C", object="APBILL", digest=f"digest of {content}", amount=Decimal(amount),
        currency="USD", label=f"INV-{key}",
    )  # fmt: skip


@pytest.fixture(params=["threaded", "inline"])
def driver(request: pytest.FixtureRequest) -> Driver:
    choice: Driver = request.param
    return choice


@pytest.fixture
def rig(tmp_path: Path, driver: Driver) -> Rig:
    """The same test over both drivers."""
    return Rig(tmp_path, driver)


@pytest.fixture
def inline_rig(tmp_path: Path) -> Rig:
    """For what does not depend on the driver."""
    return Rig(tmp_path, "inline")


@pytest.fixture
def make_rig() -> Callable[..., Rig]:
    """For properties, which need a new folder for each example."""
    return Rig


@pytest.fixture
def line_encoder() -> type[LineEncoder]:
    return LineEncoder


@pytest.fixture
def make_bill() -> Callable[..., Record]:
    return bill


@pytest.fixture
def make_bills() -> Callable[[Iterable[int]], list[Record]]:
    return lambda numbers: [bill(str(number)) for number in numbers]
