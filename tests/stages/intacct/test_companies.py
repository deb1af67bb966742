"""Several companies, entities and users in one process: each isolated, one session each, one set of slots per company."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import msgspec
import pytest

from pipeline import ConfigError, Context, Duration, Secret, ThrottledError, Window
from pipeline.testing.clock import ManualClock
from stages.ap.seed import World, build_world
from stages.intacct.company import IntacctClient, open_intacct, slots_of
from stages.intacct.config import IntacctConfig
from stages.intacct.gate import Gates
from stages.intacct.protocol.query import Query
from stages.intacct.simulator import Behaviour, Fault, IntacctSimulator
from stages.intacct.sources import BillsSettings, BillsSource

VENDORS = Query(object="VENDOR", fields=("RECORDNO", "VENDORID"), page_size=2000, private=True)
Opens = Callable[..., Any]


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=7, bills=60)


@pytest.fixture
def clock(world: World) -> ManualClock:
    return ManualClock(world.now, autojump=True)


@pytest.fixture
def opens(context: Context) -> Opens:
    """Opens clients of simulators in one process: they have the context's `Shared` in common."""

    @asynccontextmanager
    async def opened(*wanted: tuple[IntacctSimulator, World, dict[str, Any]]) -> AsyncIterator[list[IntacctClient]]:
        async with AsyncExitStack() as stack:
            clients = []
            for simulator, world, settings in wanted:
                usual: dict[str, Any] = {
                    "url": simulator.url,
                    "sender_id": world.sender,
                    "sender_password": Secret(world.sender_password),
                    "company_id": world.company,
                    "user_id": world.user,
                    "user_password": Secret(world.user_password),
                    "patience": Duration(0),
                }
                config = IntacctConfig(**(usual | settings))
                clients.append(await stack.enter_async_context(open_intacct(config, context)))
            yield clients

    return opened


async def bills_of(client: IntacctClient) -> dict[str, str]:
    """The RECORDNOs read through a client, each with the company its record names."""
    found: dict[str, str] = {}
    source, cursor, more = BillsSource(client, BillsSettings()), None, True
    while more:
        page = await source.read(Window(), cursor)
        found |= {getattr(record.body, "record", record.key): record.company for record in page.records}
        cursor, more = page.cursor, page.more
    return found


async def test_the_top_level_and_two_entities_read_side_by_side(world: World, clock: ManualClock, opens: Opens) -> None:
    entities = [entity.id for entity in world.entities[:2]]
    found: dict[str, dict[str, str]] = {}

    async def read(name: str, client: IntacctClient) -> None:
        found[name] = await bills_of(client)

    async with IntacctSimulator(world, clock) as simulator:
        settings = [{"location_id": name} for name in ("", *entities)]
        async with (
            opens(*((simulator, world, each) for each in settings)) as clients,
            anyio.create_task_group() as tasks,
        ):
            for name, client in zip(("", *entities), clients, strict=True):
                tasks.start_soon(read, name, client)
        logins = [entry["location"] for entry in simulator.effects() if entry["kind"] == "login"]
    assert sorted(logins) == sorted(["", *entities])
    assert set(found[""]) == {str(bill.record) for bill in world.bills}
    assert set(found[""].values()) == {world.company}
    for entity in entities:
        assert set(found[entity]) == {str(bill.record) for bill in world.bills if bill.entity == entity}
        assert set(found[entity].values()) == {f"{world.company}/{entity}"}


async def test_two_companies_never_meet(world: World, clock: ManualClock, opens: Opens) -> None:
    other = msgspec.structs.replace(build_world(seed=8, bills=40), company="OTHERCO")
    async with IntacctSimulator(world, clock) as one, IntacctSimulator(other, clock) as two:
        async with opens((one, world, {}), (two, other, {})) as (first, second):
            found: list[dict[str, str]] = [{}, {}]

            async def read(index: int, client: IntacctClient) -> None:
                found[index] = await bills_of(client)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read, 0, first)
                tasks.start_soon(read, 1, second)
        assert (one.counts.logins, two.counts.logins) == (1, 1)
    assert [len(each) for each in found] == [len(world.bills), len(other.bills)]
    assert [set(each.values()) for each in found] == [{world.company}, {"OTHERCO"}]


async def test_a_refused_sign_in_of_one_user_stops_no_other_and_a_corrected_password_is_tried(
    world: World, clock: ManualClock, opens: Opens
) -> None:
    async with IntacctSimulator(world, clock) as simulator:
        wrong = {"user_password": Secret("mistyped")}
        async with opens((simulator, world, wrong), (simulator, world, {}), (simulator, world, wrong)) as clients:
            for client in (clients[0], clients[2]):
                with pytest.raises(ConfigError, match="refuses the sign-in"):
                    await client.sign_in()
            await clients[1].query(VENDORS)
        assert (simulator.counts.login_failures, simulator.counts.logins) == (1, 1)


async def test_flows_of_one_user_share_one_session_and_sign_in_again_once(
    world: World, clock: ManualClock, opens: Opens
) -> None:
    async with IntacctSimulator(world, clock) as simulator, opens(*[(simulator, world, {})] * 3) as clients:
        for client in clients:
            await client.query(VENDORS)
        assert simulator.counts.logins == 1
        simulator.end_sessions()
        async with anyio.create_task_group() as tasks:
            for client in clients:
                tasks.start_soon(client.query, VENDORS)
        assert simulator.counts.logins == 2


async def test_entities_and_flows_of_one_company_share_its_slots(world: World, opens: Opens) -> None:
    clock, busy = ManualClock(world.now), list[int]()
    entity = world.entities[0].id
    async with IntacctSimulator(world, clock, behaviour=Behaviour(latency_seconds=1)) as simulator:
        wanted = [(simulator, world, {"location_id": each, "concurrency": 2}) for each in ("", entity, "")]
        async with opens(*wanted) as clients, anyio.create_task_group() as tasks:
            left = len(clients) * 3

            async def ask(client: IntacctClient) -> None:
                nonlocal left
                await client.query(VENDORS)
                left -= 1

            for client in clients * 3:
                tasks.start_soon(ask, client)
            with anyio.fail_after(20):
                while left:
                    await anyio.sleep(0.005)
                    busy.append(clock.sleepers)
                    await clock.advance(1)
    assert max(busy) == 2


async def test_what_throttles_one_flow_slows_the_others_of_its_company_and_no_other_company(
    world: World, clock: ManualClock, context: Context, opens: Opens
) -> None:
    other = msgspec.structs.replace(world, company="OTHERCO")
    async with IntacctSimulator(world, clock) as one, IntacctSimulator(other, clock) as two:
        settings = {"concurrency": 8}
        async with opens((one, world, settings), (one, world, settings), (two, other, settings)) as clients:
            await clients[0].sign_in()
            one.faults.add(Fault(kind="throttled", function="query"))
            with pytest.raises(ThrottledError):
                await clients[0].query(VENDORS)
            gates = context.shared.of(Gates, lambda: Gates(context.shared))
            limits = [gates.of(slots_of(client.config), 8).limit for client in clients]
    assert limits == [4, 4, 8]


async def test_the_servers_clock_is_measured_from_its_replies(
    world: World, clock: ManualClock, context: Context, opens: Opens
) -> None:
    context.clock = ManualClock(world.now.replace(year=2001))
    async with IntacctSimulator(world, clock) as simulator, opens((simulator, world, {})) as (client,):
        assert await client.server_now() == clock.now()


@pytest.mark.parametrize("other", ["ACME", " acme "])
def test_one_company_has_one_account_and_one_gate_however_it_is_spelt(config_for: Any, other: str) -> None:
    first, second = (
        config_for("https://api.intacct.com/ia/xml/xmlgw.phtml", company_id=name) for name in ("acme", other)
    )
    assert slots_of(first) == slots_of(second)
    assert first.account == second.account
