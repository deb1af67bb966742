"""Calls that a far side bills are in the ledger page by page, and a forecast says where their pace leads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from pipeline.engine.meter import Gauge, Meters, expected, gauges
from pipeline.engine.request import RunRequest
from pipeline.engine.runner import run_flow
from pipeline.engine.services import Stopping
from pipeline.errors import ConfigError
from pipeline.flow.model import Connection, Flow
from pipeline.record import Page, Record
from pipeline.registry import Registry
from pipeline.stage import Adapter, Allowance, ConnectionSpec, Context, StageSpec
from pipeline.store import Ledger
from pipeline.testing import CollectingSink

MINE = Allowance(account="Books ACME", unit="API transaction", calls=100)


class Client:
    def __init__(self, allowance: Allowance = MINE) -> None:
        self.used = 0
        self.allowance = allowance


class Settings(msgspec.Struct, frozen=True):
    pass


class Counting:
    """A source of three pages. Each costs a call; the page ``breaks`` raises instead."""

    def __init__(self, client: Client, bills: list[Record], breaks: int = 0) -> None:
        self.client, self.bills, self.breaks = client, bills, breaks

    async def read(self, window: Any, cursor: Any) -> Page:
        self.client.used += 1
        number = int((cursor or {}).get("page", "0"))
        if number + 1 == self.breaks:
            raise ConfigError("no more", code="TST-0009")
        return Page([self.bills[number]], {"page": str(number + 1)}, more=number < 2)


def metered(rig: Any, bills: list[Record], client: Client, *, breaks: int = 0) -> tuple[Flow, Registry]:
    """A flow that reads over a connection whose check costs a call too."""

    @asynccontextmanager
    async def opened(settings: Any, context: Context) -> AsyncIterator[Client]:
        yield client

    async def check(client: Client) -> None:
        client.used += 1

    spec = StageSpec(
        name="test.read", verb="source", build=lambda _, context: Counting(context.connection, bills, breaks)
    )
    chain = rig.chain(None, sink=CollectingSink())
    read = msgspec.structs.replace(chain.stage("source"), spec=spec, via="books")
    flow = msgspec.structs.replace(
        chain,
        stages=(read, *chain.stages[1:]),
        connections=(Connection(name="books", type="books", settings={}, line=1),),
    )
    return flow, Registry(
        [Adapter(name="t", connections=(ConnectionSpec(name="books", config=Settings, open=opened, check=check),))]
    )


async def test_what_a_run_used_is_in_its_report_and_in_the_ledger(inline_rig: Any, make_bills: Any) -> None:
    flow, registry = metered(inline_rig, make_bills(range(3)), Client())
    async with inline_rig.ledger() as ledger:
        report = await run_flow(flow, registry, ledger, inline_rig.services, RunRequest(), Stopping())
        assert report.calls == {"Books ACME": 4}
        (gauge,) = await gauges(ledger, inline_rig.clock.now())
    assert (gauge.used, gauge.run, gauge.run_used, gauge.allowance) == (4, report.run, 4, MINE)


async def test_runs_add_up_and_the_last_one_is_told_apart(inline_rig: Any, make_bills: Any) -> None:
    async with inline_rig.ledger() as ledger:
        for _ in range(2):
            flow, registry = metered(inline_rig, make_bills(range(3)), Client())
            report = await run_flow(flow, registry, ledger, inline_rig.services, RunRequest(), Stopping())
        (gauge,) = await gauges(ledger, inline_rig.clock.now())
    assert gauge.used == 4 + report.calls["Books ACME"]
    assert (gauge.run, gauge.run_used) == (2, report.calls["Books ACME"])


async def test_a_run_that_breaks_off_has_its_calls_counted(inline_rig: Any, make_bills: Any) -> None:
    flow, registry = metered(inline_rig, make_bills(range(3)), Client(), breaks=2)
    async with inline_rig.ledger() as ledger:
        report = await run_flow(flow, registry, ledger, inline_rig.services, RunRequest(), Stopping())
        assert report.problem is not None
        (gauge,) = await gauges(ledger, inline_rig.clock.now())
    assert gauge.used == 3


async def test_calls_are_durable_with_the_page_they_read(
    inline_rig: Any, make_bills: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed process leaves behind is what its pages left."""
    seen: list[int] = []
    flow, registry = metered(inline_rig, make_bills(range(3)), Client())
    save = Meters.save

    async def watched(self: Meters) -> None:
        await save(self)
        seen.append(sum(self.used.values()))

    monkeypatch.setattr(Meters, "save", watched)
    async with inline_rig.ledger() as ledger:
        await run_flow(flow, registry, ledger, inline_rig.services, RunRequest(), Stopping())
    assert len(seen) == 4
    assert seen[0] >= 2


async def test_no_page_is_in_the_ledger_whose_calls_are_not(
    inline_rig: Any, make_bills: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    flow, registry = metered(inline_rig, make_bills(range(3)), client)
    commit = Ledger.commit_page
    left: list[int] = []

    async def watched(self: Ledger, page: Any) -> Any:
        (gauge,) = await gauges(self, inline_rig.clock.now())
        left.append(client.used - gauge.used)
        return await commit(self, page)

    monkeypatch.setattr(Ledger, "commit_page", watched)
    async with inline_rig.ledger() as ledger:
        await run_flow(flow, registry, ledger, inline_rig.services, RunRequest(), Stopping())
    assert left
    assert left[0] <= 1, "the next page may have been asked for meanwhile"


async def test_a_client_that_counts_nothing_is_not_watched(inline_rig: Any) -> None:
    async with inline_rig.ledger() as ledger:
        meters = Meters(1, ledger)
        meters.watch(object())
        await meters.save()
        assert await gauges(ledger, inline_rig.clock.now()) == []


async def test_every_tenth_call_is_saved_before_it_is_made_and_one_that_was_refused_is_taken_back(
    inline_rig: Any,
) -> None:
    client, kept = Client(), list[int]()
    async with inline_rig.ledger() as ledger:
        meters = Meters(0, ledger)
        meters.watch(client)
        for _ in range(25):
            client.used += 1
            await meters.spent()
            kept.append(sum(gauge.used for gauge in await gauges(ledger, inline_rig.clock.now())))
        assert kept == [0] * 9 + [10] * 10 + [20] * 6
        client.used -= 6
        await meters.save()
        assert [gauge.used for gauge in await gauges(ledger, inline_rig.clock.now())] == [19]


async def test_clients_of_one_account_add_up_and_the_newest_contract_counts(inline_rig: Any) -> None:
    first, second = Client(), Client(Allowance(account="Books ACME", calls=500))
    async with inline_rig.ledger() as ledger:
        meters = Meters(0, ledger)
        for client, used in ((first, 3), (second, 4)):
            meters.watch(client)
            client.used = used
        await meters.save()
        await meters.save()
        (gauge,) = await gauges(ledger, inline_rig.clock.now())
    assert (gauge.used, gauge.allowance.calls, gauge.run) == (7, 500, 0)


async def test_a_new_month_begins_at_nothing_and_keeps_the_pace(inline_rig: Any) -> None:
    client = Client()
    async with inline_rig.ledger() as ledger:
        meters = Meters(0, ledger)
        meters.watch(client)
        client.used = 70
        await meters.save()
        began = inline_rig.clock.now()
        later = began.replace(month=began.month % 12 + 1, day=1)
        (gauge,) = await gauges(ledger, later)
        assert (gauge.used, gauge.month) == (0, later.date())


def day(number: int) -> date:
    return date(2026, 11, number)


def at(number: int, hour: int = 0) -> datetime:
    return datetime(2026, 11, number, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "now", "rest"),
    [
        ({}, at(10), 0),
        ({day(9): 100}, at(10), 2100),  # one whole day, 21 to go
        ({day(10): 100}, at(10, 6), 2075),  # less than a day counts as one
        ({day(n): 100 for n in range(1, 21)}, at(21), 1000),  # ten days to go
        ({day(1): 700, day(20): 0}, at(21), 0),  # the pace is that of the last seven days
        ({day(30): 50}, at(30, 12), 25),
    ],
)
def test_the_rest_of_the_month_goes_on_at_the_pace_of_the_last_days(
    days: dict[date, int], now: datetime, rest: int
) -> None:
    assert expected(days, now) == rest


def test_december_ends_with_the_year() -> None:
    assert expected({date(2026, 12, 30): 10}, datetime(2026, 12, 31, tzinfo=UTC)) == 10


@pytest.mark.parametrize(
    ("paid", "forecast", "level"),
    [(0, 10**9, "ok"), (100, 79, "ok"), (100, 80, "near"), (100, 100, "near"), (100, 101, "over")],
)
def test_a_forecast_is_near_or_over_what_is_paid_for(paid: int, forecast: int, level: str) -> None:
    account = Allowance(account="A", calls=paid)
    assert Gauge(allowance=account, month=day(1), used=1, forecast=forecast).level == level
