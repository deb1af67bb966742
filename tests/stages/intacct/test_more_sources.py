"""Orders, accounts, dimensions and queries: over the seeded books of the simulator, and a gateway with scripted tables."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from pipeline import ConfigError, Context, DataError, Record, Secret, Window
from pipeline.testing.clock import ManualClock
from stages.ap.model import Account, Dimension, Order
from stages.ap.seed import SeedMaster, World, build_world
from stages.intacct.company import IntacctClient, open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.masters import AccountsSettings, DimensionsSettings, accounts_source, dimensions_source
from stages.intacct.orders import OrdersSettings, OrdersSource
from stages.intacct.query_source import QuerySettings, QuerySource
from stages.intacct.simulator import IntacctSimulator

Open = Callable[..., AbstractAsyncContextManager[IntacctClient]]
Cursor = dict[str, str] | None
LIVE = Window()


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=7, bills=120)


@pytest.fixture
def running(world: World, context: Context) -> Callable[..., Any]:
    @asynccontextmanager
    async def run(**settings: Any) -> AsyncIterator[tuple[IntacctSimulator, Context]]:
        clock = ManualClock(datetime(2026, 11, 2, 12, tzinfo=UTC), autojump=True)
        async with IntacctSimulator(world, clock) as simulator:
            config = IntacctConfig(
                url=simulator.url,
                sender_id=world.sender,
                sender_password=Secret(world.sender_password),
                company_id=world.company,
                user_id=world.user,
                user_password=Secret(world.user_password),
                **({"page_size": 5} | settings),
            )
            async with open_intacct(config, context) as client:
                context.connection = client
                yield simulator, context

    return run


async def read(source: Any, window: Window = LIVE, cursor: Cursor = None) -> tuple[list[Record], Cursor]:
    records: list[Record] = []
    for _ in range(500):
        page = await source.read(window, cursor)
        records += page.records
        cursor = page.cursor
        if not page.more:
            return records, cursor
    raise AssertionError("never ended")


def of(world: World, *names: str) -> list[tuple[str, str, str]]:
    return [
        (master.object, master.id, master.name) for name in names for master in world.masters if master.object == name
    ]


async def test_every_dimension_is_read_object_by_object(world: World, running: Any) -> None:
    async with running() as (_, context):
        records, _ = await read(dimensions_source(None, context))
    assert [(record.object, record.key, record.label) for record in records] == of(
        world, "DEPARTMENT", "LOCATION", "CLASS", "PROJECT", "ITEM"
    )
    parents = {body.id: body.parent for record in records for body in [record.body] if isinstance(body, Dimension)}
    assert (parents["110"], parents["P-101"], parents["REG"]) == ("100", "P-100", "")


async def test_only_the_objects_named_are_read_in_their_order(world: World, running: Any) -> None:
    async with running() as (_, context):
        records, _ = await read(dimensions_source(DimensionsSettings(objects=("CLASS", "LOCATION")), context))
    assert [record.object for record in records] == [name for name, _, _ in of(world, "CLASS", "LOCATION")]


async def test_the_next_read_of_dimensions_finds_what_changed_in_each_object(running: Any) -> None:
    new = {
        name: SeedMaster(
            object=name, record=900, id=f"new {name}", name="New", modified=datetime(2026, 11, 2, tzinfo=UTC)
        )
        for name in ("CLASS", "ITEM")
    }
    async with running() as (simulator, context):
        _, cursor = await read(dimensions_source(None, context))
        for master in new.values():
            simulator.put_master(master)
        records, cursor = await read(dimensions_source(None, context), cursor=cursor)
        again, _ = await read(dimensions_source(None, context), cursor=cursor)
    assert {master.id for master in new.values()} <= {record.key for record in records}
    assert len(records) <= len(new) + 5  # and the last of each object, by the overlap
    assert len(again) <= 5


async def test_an_object_added_to_the_settings_is_read_from_its_beginning(world: World, running: Any) -> None:
    async with running() as (_, context):
        _, cursor = await read(dimensions_source(DimensionsSettings(objects=("CLASS",)), context))
        records, _ = await read(
            dimensions_source(DimensionsSettings(objects=("CLASS", "PROJECT")), context), cursor=cursor
        )
    assert {record.key for record in records if record.object == "PROJECT"} == {id for _, id, _ in of(world, "PROJECT")}


async def test_a_replay_of_a_dimension_asks_each_object(running: Any) -> None:
    async with running() as (_, context):
        records, _ = await read(dimensions_source(None, context), Window(keys=("REG", "100", "nothing")))
    assert [(record.object, record.key) for record in records[:2]] == [("DEPARTMENT", "100"), ("CLASS", "REG")]
    assert isinstance(records[2].body, DataError)


@pytest.mark.parametrize("objects", [("DEPARTEMENT",), ("CLASS", "CLASS")])
def test_objects_that_are_none_or_stand_twice_are_refused(objects: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="objects"):
        DimensionsSettings(objects=objects)


def tables(*names: str) -> dict[str, list[dict[str, str]]]:
    """One record each, of its own name."""
    return {
        name: [{"RECORDNO": "1", f"{name}ID": name.lower(), "NAME": name, "WHENMODIFIED": "01/02/2026 00:00:00"}]
        for name in names
    }


async def test_a_dimension_that_the_company_lacks_is_noted_and_the_others_are_read(
    gateway: Any, open_client: Open, context: Context
) -> None:
    gateway.tables, notes = tables("DEPARTMENT", "LOCATION", "PROJECT", "ITEM"), list[str]()
    context.note = notes.append
    async with open_client():
        source = dimensions_source(None, context)
        first, cursor = await read(source)
        gateway.tables["DEPARTMENT"].append(
            tables("DEPARTMENT")["DEPARTMENT"][0]
            | {"RECORDNO": "2", "DEPARTMENTID": "new", "WHENMODIFIED": "01/05/2026 05:00:00"}
        )
        second, _ = await read(dimensions_source(None, context), cursor=cursor)
    assert [record.key for record in first] == ["department", "location", "project", "item"]
    assert "new" in [record.key for record in second]
    assert source.left == []
    assert {note.partition(":")[0] for note in notes} == {"CLASS is not read"}
    assert "; IT: " in notes[0]


async def test_a_dimension_asked_for_by_name_that_is_not_there_is_left_and_holds_up_no_other(
    gateway: Any, open_client: Open, context: Context
) -> None:
    gateway.tables = tables("CLASS", "ITEM")
    settings = DimensionsSettings(objects=("CLASS", "PROJECT", "ITEM"))
    async with open_client():
        source = dimensions_source(settings, context)
        records, cursor = await read(source)
        gateway.tables = tables("CLASS", "PROJECT", "ITEM")
        again, _ = await read(dimensions_source(settings, context), cursor=cursor)
    assert [record.key for record in records] == ["class", "item"]
    assert [(error.code, "PROJECT" in error.where) for error in source.left] == [("MLC-INTACCT-0131", True)]
    assert "project" in [record.key for record in again]


async def test_a_read_of_which_no_object_is_there_raises(gateway: Any, open_client: Open, context: Context) -> None:
    gateway.tables = tables("VENDOR")
    async with open_client():
        for settings in (None, DimensionsSettings(objects=("CLASS", "PROJECT"))):
            with pytest.raises(ConfigError, match="no such object"):
                await read(dimensions_source(settings, context))
        with pytest.raises(ConfigError, match="no such object"):
            await read(accounts_source(None, context))


async def test_a_run_that_goes_on_in_one_object_comes_to_those_before_it_too(
    gateway: Any, open_client: Open, context: Context
) -> None:
    gateway.tables = tables("CLASS", "PROJECT", "ITEM")
    settings = DimensionsSettings(objects=("CLASS", "PROJECT", "ITEM"))
    async with open_client():
        records, cursor = await read(dimensions_source(settings, context), cursor={"next": "PROJECT"})
    assert [record.key for record in records] == ["project", "item", "class"]
    assert "next" not in (cursor or {})


async def test_a_replay_passes_over_the_objects_that_are_not_there(
    gateway: Any, open_client: Open, context: Context
) -> None:
    gateway.tables = tables("ITEM")
    async with open_client():
        records, _ = await read(dimensions_source(None, context), Window(keys=("item",)))
    assert [(record.object, record.key) for record in records] == [("ITEM", "item")]


async def test_an_estimate_says_which_objects_it_leaves_out(gateway: Any, open_client: Open, context: Context) -> None:
    gateway.tables = tables("DEPARTMENT", "LOCATION", "PROJECT", "ITEM")
    async with open_client():
        found = await dimensions_source(None, context).estimate(LIVE, None)
    assert (found.records, found.note) == (4, "without CLASS")


async def test_every_account_is_read_with_its_type(world: World, running: Any) -> None:
    async with running() as (_, context):
        records, _ = await read(accounts_source(AccountsSettings(fields=["CATEGORY"]), context))
    accounts = [record.body for record in records]
    assert all(isinstance(account, Account) for account in accounts)
    assert [(a.number, a.title, a.type) for a in accounts] == [
        (master.id, master.name, master.kind) for master in world.masters if master.object == "GLACCOUNT"
    ]
    assert accounts[0].source["REQUIRELOC"] is True


async def test_every_order_is_read_with_its_lines_and_no_invoice(world: World, running: Any) -> None:
    async with running() as (_, context):
        records, _ = await read(OrdersSource(context.connection, OrdersSettings()))
    orders: dict[str, Order] = {record.key: record.body for record in records}
    assert len(world.orders) > 10
    assert set(orders) == {order.id for order in world.orders}
    for seed in world.orders:
        order = orders[seed.id]
        lines = [line for line in seed.lines if not line.generated]
        assert (order.number, order.vendor, order.date, order.currency) == (
            seed.number,
            seed.vendor,
            seed.date,
            seed.currency,
        )
        assert order.total == sum(line.amount for line in seed.lines)
        assert [(line.number, line.quantity, line.unit, line.amount) for line in order.lines] == [
            (number, line.quantity, line.unit, line.amount) for number, line in enumerate(lines, start=1)
        ]


async def test_definitions_choose_the_documents(world: World, running: Any) -> None:
    async with running() as (_, context):
        records, _ = await read(OrdersSource(context.connection, OrdersSettings(definitions=["Vendor Invoice"])))
    assert {record.key for record in records} == {purchase.id for purchase in world.purchases}


async def test_a_replayed_order_that_is_gone_says_so(world: World, running: Any) -> None:
    keys = (world.orders[0].id, "Purchase Order-none")
    async with running() as (_, context):
        found, missing = (await read(OrdersSource(context.connection, OrdersSettings()), Window(keys=keys)))[0]
    assert (found.key, isinstance(missing.body, DataError)) == (keys[0], True)


def _settings(**changes: Any) -> QuerySettings:
    form = {"object": "apbill", "fields": ["RECORDID", "TRX_TOTALENTERED", "WHENCREATED", "VENDOR.NAME"], **changes}
    return msgspec.convert(form, QuerySettings)


async def test_a_query_reads_typed_fields_of_what_its_filter_holds_for(world: World, running: Any) -> None:
    async with running() as (_, context):
        settings = _settings(filter={"in": ["STATE", "Paid", "Selected"]}, label="RECORDID", kind="bill")
        records, _ = await read(QuerySource(context.connection, settings))
    names = {vendor.id: vendor.name for vendor in world.vendors}
    wanted = {str(bill.record): bill for bill in world.bills if bill.state in ("Paid", "Selected")}
    assert wanted
    assert {record.key for record in records} == set(wanted)
    for record in records:
        bill = wanted[record.key]
        assert record.body == {
            "RECORDNO": record.key,
            "RECORDID": bill.number,
            "TRX_TOTALENTERED": bill.total,
            "WHENCREATED": bill.date,
            "VENDOR.NAME": names[bill.vendor],
        }
        assert (record.object, record.kind, record.label) == ("APBILL", "bill", bill.number)
        assert isinstance(record.body["TRX_TOTALENTERED"], Decimal)
        assert isinstance(record.body["WHENCREATED"], date)


async def test_a_query_names_the_field_that_the_object_lacks(running: Any) -> None:
    async with running() as (_, context):
        with pytest.raises(ConfigError, match="NOSUCHFIELD"):
            await read(QuerySource(context.connection, _settings(fields=["NOSUCHFIELD"])))


async def test_a_record_without_its_key_is_dead_and_no_other(gateway: Any, open_client: Open) -> None:
    stamp = "01/01/2026 12:00:00"
    gateway.tables = {
        "CUSTOMER": [
            {"RECORDNO": "1", "CUSTOMERID": "", "NAME": "Nobody", "WHENMODIFIED": stamp},
            {"RECORDNO": "2", "CUSTOMERID": "C-2", "NAME": "Somebody", "WHENMODIFIED": stamp},
        ]
    }
    async with open_client() as client:
        records, _ = await read(
            QuerySource(client, QuerySettings(object="CUSTOMER", fields=["NAME"], key="CUSTOMERID"))
        )
    assert isinstance(records[0].body, DataError)
    assert records[1].body == {"CUSTOMERID": "C-2", "NAME": "Somebody"}


def test_a_filter_that_does_not_read_is_refused_with_the_settings() -> None:
    with pytest.raises(msgspec.ValidationError, match="no operator"):
        _settings(filter={"equals": ["STATE", "Paid"]})
