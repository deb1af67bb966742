"""Sterling: 10,000 trading partners that are as they should be, looked at because nothing is known of them (a new ledger, or --rewrite).

That must cost list calls only. The floors: the bare lists, counted in calls; and a GET for each partner, in seconds. A run whose ledger knows
the partners makes no call about them at all.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import anyio
import msgspec

from bench.measure import Ratio
from pipeline import Context, Delivery, RandomIds, Secret, SystemClock
from stages.ap.partner import TradingPartner
from stages.ap.seed.world import World
from stages.sterling.apis import SterlingClient, connect
from stages.sterling.config import Auth, Basic, PartnerSettings, SterlingConfig
from stages.sterling.partner_sink import PartnerSink
from stages.sterling.simulator import SterlingSimulator
from stages.sterling.simulator.entities import Account

PARTNERS = 10_000
CONNECTIONS = 8
ROUNDS = 2
CALLS_BAR = 1.1
SECONDS_BAR = 0.8
LISTS = ("tradingpartners/", "mailboxes/", "useraccounts/", "uservirtualroots/")


def run() -> list[Ratio]:
    return asyncio.run(_measured())


async def _measured() -> list[Ratio]:
    async with _far() as (simulator, client):
        calls, bare = await _calls(simulator, _synchronise(client)), await _calls(simulator, _list(client))
        assert set(calls) == {"list", "account"}, calls
        ours = floor = float("inf")
        for _ in range(ROUNDS):
            floor = min(floor, await _seconds(_read_each(client)))
            ours = min(ours, await _seconds(_synchronise(client)))
    what = f"{PARTNERS:,} partners as they should be, "
    return [
        Ratio(
            bench="sterling_partners", what=what + "in calls", floor="the bare lists of partners, mailboxes, users and virtual roots",
            ours_seconds=float(sum(calls.values())), floor_seconds=float(sum(bare.values())), units=PARTNERS, bar=CALLS_BAR,
        ),
        Ratio(
            bench="sterling_partners", what=what + "in seconds", floor=f"a GET for each, {CONNECTIONS} at once",
            ours_seconds=ours, floor_seconds=floor, units=PARTNERS, bar=SECONDS_BAR,
        ),
    ]  # fmt: skip


async def _calls(simulator: SterlingSimulator, work: Callable[[], Awaitable[None]]) -> Counter[str]:
    """The calls that the work makes, by what they are."""
    simulator.requests.clear()
    await work()
    kinds = {f"GET {name.rstrip('/')}": "list" for name in LISTS}
    return Counter(
        kinds.get(line, "account" if line.startswith("GET useraccounts/") else line) for line, _ in simulator.requests
    )


async def _seconds(work: Callable[[], Awaitable[None]]) -> float:
    began = perf_counter()
    await work()
    return perf_counter() - began


def _synchronise(client: SterlingClient) -> Callable[[], Awaitable[None]]:
    """A sink of its own each time, as each run has."""

    async def work() -> None:
        sink = PartnerSink(client, PartnerSettings(community="AP_VENDORS"), RandomIds())
        await _each(lambda number: _send(sink, number))

    return work


async def _send(sink: PartnerSink, number: int) -> None:
    payload = msgspec.json.encode(_wanted(number), order="deterministic")
    delivery = Delivery(
        id=number, lane=f"V-{number}", address="", name=f"V-{number}", payload=payload, digest="", numbers={}
    )  # fmt: skip

    async def mark(key: str, value: str = "") -> None:
        raise AssertionError("nothing is to be written")

    evidence = await sink.send(delivery, mark)
    assert evidence.detail == {"action": "untouched"}


def _read_each(client: SterlingClient) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        await _each(lambda number: client.read(f"tradingpartners/V_{number}", "read a partner"))

    return work


def _list(client: SterlingClient) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        for path in LISTS:
            await client.rows(path, "list")

    return work


async def _each(call: Callable[[int], Awaitable[Any]]) -> None:
    """All partners, by as many workers as there are connections."""
    numbers = iter(range(PARTNERS))

    async def worker() -> None:
        for number in numbers:
            await call(number)

    async with anyio.create_task_group() as tasks:
        for _ in range(CONNECTIONS):
            tasks.start_soon(worker)


def _wanted(number: int) -> TradingPartner:
    return TradingPartner(
        code=f"V-{number}", name=f"V_{number}", vendors=(f"V-{number}",), display_name=f"Vendor {number}", city="Salem", state="MA",
        postal_code="01970", country="US", email=f"ap{number}@vendor.example", phone="555-0100", given_name="A", surname="B", mailboxes=(f"/V_{number}",),
    )  # fmt: skip


@asynccontextmanager
async def _far() -> AsyncIterator[tuple[SterlingSimulator, SterlingClient]]:
    world = World(
        company="H", company_name="H", sender="s", sender_password="s", user="u", user_password="u", entities=(), vendors=(), bills=(),
        purchases=(), partners=(), sterling_user="apconnector", sterling_password="Bench-pass-1", now=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    simulator = SterlingSimulator(world, SystemClock())
    for number in range(PARTNERS):
        _have(simulator, number)
    config = SterlingConfig(
        url="", auth=Auth(basic=Basic(user="apconnector", password=Secret("Bench-pass-1"))), concurrency=CONNECTIONS
    )
    async with simulator.listen():
        context = Context("bench", Path(), SystemClock(), RandomIds(), random.Random(1), _inline)
        async with connect(msgspec.structs.replace(config, url=simulator.url), context) as client:
            yield simulator, client


def _have(simulator: SterlingSimulator, number: int) -> None:
    """Puts the partner there as it should be, with its user and mailbox."""
    name, hub = f"V_{number}", simulator.hub
    row = {
        "partnerName": name,
        "code": f"V-{number}",
        "community": "AP_VENDORS",
        "username": name.lower(),
        "city": "Salem",
    }
    row |= {
        "stateOrProvince": "MA",
        "postalCode": "01970",
        "countryOrRegion": "US",
        "phone": "555-0100",
        "givenName": "A",
    }
    row |= {"surname": "B", "emailAddress": f"ap{number}@vendor.example", "authenticationType": "Local"}
    hub.partners[name] = {**row, "isInitiatingConsumer": True, "isInitiatingProducer": True}
    hub.accounts[name.lower()] = Account(name.lower(), "Bench-pass-1", {}, root=f"/{name}")
    hub.add_mailbox(f"/{name}", name)


async def _inline(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)
