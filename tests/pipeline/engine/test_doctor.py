"""Each connection is checked once, what rests on it after it, and a check that breaks is a line like any other."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from pipeline.engine.doctor import Section, diagnose_flows
from pipeline.engine.services import Services, inline
from pipeline.errors import ConfigError, ConnectorError
from pipeline.flow.model import Connection, Flow, Input, Stage
from pipeline.record import Destination
from pipeline.registry import Registry
from pipeline.secrets import Secret
from pipeline.stage import Adapter, ConnectionSpec, Context, Diagnosis, StageSpec, Tell
from pipeline.testing import ManualClock, SequenceIds


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    password: Secret = Secret("")


class Door:
    """A connection that remembers who came. ``fault`` is raised when it is checked."""

    def __init__(self, fault: Exception | None = None, works: bool = True) -> None:
        self.fault, self.works = fault, works
        self.checked: list[str] = []
        self.opened = self.closed = 0

    @asynccontextmanager
    async def open(self, settings: Settings, context: Context) -> AsyncIterator[str]:
        self.opened += 1
        try:
            yield f"client of {settings.url}"
        finally:
            self.closed += 1

    async def check(self, client: str) -> None:
        self.checked.append(client)
        if self.fault is not None:
            raise self.fault

    async def diagnose(self, settings: Settings, context: Context, tell: Tell) -> bool:
        self.checked.append(settings.url)
        tell(Diagnosis.ok("reach"))
        if self.fault is not None:
            raise self.fault
        return self.works


def connection_spec(door: Door, *, stepwise: bool = True) -> ConnectionSpec:
    return ConnectionSpec(
        name="books", config=Settings, open=door.open, check=door.check, diagnose=door.diagnose if stepwise else None
    )


async def looks(settings: Any, context: Context, destinations: Sequence[Destination], tell: Tell) -> None:
    tell(Diagnosis.ok("rights", f"{context.connection} for {context.stage}"))


def stage(name: str, verb: Any, *after: str, via: str | None = "books", **spec: Any) -> Stage:
    component = StageSpec(name=f"test.{name}", verb=verb, build=lambda *_: None, **spec)
    inputs = tuple(Input(each) for each in after)
    return Stage(name=name, verb=verb, component=component.name, spec=component, via=via, inputs=inputs)


def flow(*stages: Stage, name: str = "bills", url: str = "http://here", folder: Path = Path()) -> Flow:
    books = Connection(name="books", type="books", settings={"url": url, "password": "${env:PASSWORD}"}, line=1)
    return Flow(
        name=name, version=1, about="", file=folder / f"{name}.yaml", digest="", connections=(books,), stages=stages
    )


async def lines(spec: ConnectionSpec, *flows: Flow, password: str = "s3cret") -> list[tuple[Section, Diagnosis]]:
    environment = {"PASSWORD": password} if password else {}
    services = Services(ManualClock(), SequenceIds(), random.Random(1), inline, environment)
    told: list[tuple[Section, Diagnosis]] = []
    registry = Registry([Adapter(name="test", connections=(spec,))])
    await diagnose_flows(flows, registry, services, lambda section, diagnosis: told.append((section, diagnosis)))
    return told


def states(told: list[tuple[Section, Diagnosis]]) -> list[tuple[str, str, str]]:
    return [(section.kind, diagnosis.name, diagnosis.state) for section, diagnosis in told]


async def test_a_connection_is_checked_and_then_over_it_what_its_stages_need() -> None:
    door = Door()
    told = await lines(connection_spec(door), flow(stage("read", "source", diagnose=looks)))
    assert states(told) == [("connection", "reach", "ok"), ("stage", "rights", "ok")]
    assert told[1][1].found == "client of http://here for read"
    assert (door.opened, door.closed) == (1, 1)


async def test_flows_that_share_a_connection_share_its_checks() -> None:
    door = Door()
    reads = stage("read", "source", diagnose=looks)
    told = await lines(connection_spec(door), flow(reads), flow(reads, name="vendors"))
    assert door.checked == ["http://here"]
    assert [section.flows for section, _ in told] == [("bills", "vendors"), ("bills", "vendors")]


async def test_connections_of_other_settings_are_checked_each() -> None:
    door = Door()
    reads = stage("read", "source")
    await lines(connection_spec(door), flow(reads), flow(reads, name="vendors", url="http://there"))
    assert door.checked == ["http://here", "http://there"]


async def test_a_connection_that_no_stage_uses_is_left_alone() -> None:
    door = Door()
    assert await lines(connection_spec(door), flow(stage("read", "source", via=None))) == []
    assert door.checked == []


async def test_stages_over_a_connection_that_does_not_work_are_skipped() -> None:
    door = Door(works=False)
    told = await lines(connection_spec(door), flow(stage("read", "source", diagnose=looks)))
    assert states(told) == [("connection", "reach", "ok"), ("stage", "checks", "skipped")]
    assert door.opened == 0


async def test_what_a_check_raises_in_four_parts_is_a_failed_line() -> None:
    fault = ConfigError("wrong", where="here", why="so", mend="thus", code="TST-0001")
    told = await lines(connection_spec(Door(fault)), flow(stage("read", "source", diagnose=looks)))
    assert states(told) == [
        ("connection", "reach", "ok"), ("connection", "connection", "failed"), ("stage", "checks", "skipped"),
    ]  # fmt: skip
    assert told[1][1].problem is fault


async def test_a_check_that_breaks_is_a_failed_line_without_the_value_that_broke_it() -> None:
    told = await lines(connection_spec(Door(ValueError("s3cret"))), flow(stage("read", "source")))
    problem = told[1][1].problem
    assert isinstance(problem, ConnectorError)
    assert (problem.code, problem.why, problem.owner) == ("MLC-CHK-0001", "ValueError", "developer")
    assert "s3cret" not in str(problem)


async def test_a_stage_that_breaks_does_not_keep_the_next_from_being_checked() -> None:
    async def breaks(*_: Any) -> None:
        raise ExceptionGroup("both", [ValueError(), TypeError()])

    stages = [stage("first", "source", diagnose=breaks), stage("second", "source", diagnose=looks)]
    told = await lines(connection_spec(Door()), flow(*stages))
    assert states(told)[1:] == [("stage", "checks", "failed"), ("stage", "rights", "ok")]


async def test_a_connection_without_a_diagnosis_is_opened_and_checked() -> None:
    door = Door()
    told = await lines(connection_spec(door, stepwise=False), flow(stage("read", "source")))
    assert states(told) == [("connection", "sign-in", "ok")]
    assert door.checked == ["client of http://here"]


async def test_a_connection_whose_variables_are_not_set_is_skipped() -> None:
    door = Door()
    told = await lines(connection_spec(door), flow(stage("read", "source", diagnose=looks)), password="")
    assert states(told) == [("connection", "settings", "skipped")]
    assert door.checked == []


async def test_a_sink_hears_of_the_destinations_of_all_stages_above_it_each_once() -> None:
    heard: list[Destination] = []

    async def listens(settings: Any, context: Context, destinations: Sequence[Destination], tell: Tell) -> None:
        heard.extend(destinations)

    def offers(*names: str) -> Callable[..., list[Destination]]:
        return lambda *_: [Destination(name, f"/{name}") for name in names]

    stages = [
        stage("read", "source"),
        stage("bills", "map", "read", via=None, destinations=offers("A", "B")),
        stage("orders", "map", "read", via=None, destinations=offers("B", "C")),
        stage("beside", "map", "read", via=None, destinations=offers("X")),
        stage("encode", "encode", "bills", "orders", via=None),
        stage("deliver", "sink", "encode", diagnose=listens),
    ]
    await lines(connection_spec(Door()), flow(*stages))
    assert sorted(each.lane for each in heard) == ["A", "B", "C"]


async def test_destinations_that_cannot_be_told_are_a_failed_line_of_the_sink() -> None:
    def breaks(*_: Any) -> list[Destination]:
        raise OSError("gone")

    stages = [
        stage("read", "source"),
        stage("route", "map", "read", via=None, destinations=breaks),
        stage("deliver", "sink", "route", diagnose=looks),
    ]
    told = await lines(connection_spec(Door()), flow(*stages))
    assert states(told)[-1] == ("stage", "checks", "failed")


async def test_a_stage_without_a_connection_is_checked_too() -> None:
    told = await lines(connection_spec(Door()), flow(stage("read", "source", via=None, diagnose=looks)))
    assert [(diagnosis.state, diagnosis.found) for _, diagnosis in told] == [("ok", "None for read")]
