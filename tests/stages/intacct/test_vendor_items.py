"""What vendors call our items, from the simulator's cross references to the typed lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from pipeline import Context, Record, Secret, Window
from pipeline.testing import ManualClock
from stages.ap.model import Bill, Order
from stages.ap.seed import SeedReference, World, build_world
from stages.intacct import vendor_items
from stages.intacct.company import open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.orders import OrdersSettings, OrdersSource
from stages.intacct.simulator import Behaviour, IntacctSimulator
from stages.intacct.sources import BillsSettings, BillsSource
from stages.intacct.vendor_items import _choose

Running = Callable[..., Any]


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=7, bills=60)


@pytest.fixture
def running(world: World, context: Context) -> Running:
    """``async with running() as (simulator, bills, orders)``: both sources, with `vendor_items` unless said otherwise."""

    @asynccontextmanager
    async def run(
        *, of: World = world, wanted: bool = True, **behaviour: Any
    ) -> AsyncIterator[tuple[IntacctSimulator, BillsSource, OrdersSource]]:
        clock = ManualClock(of.now, autojump=True)
        async with IntacctSimulator(of, clock, behaviour=Behaviour(**behaviour)) as simulator:
            config = IntacctConfig(
                url=simulator.url,
                sender_id=of.sender,
                sender_password=Secret(of.sender_password),
                company_id=of.company,
                user_id=of.user,
                user_password=Secret(of.user_password),
                page_size=20,
            )
            async with open_intacct(config, context) as client:
                bills = BillsSource(client, BillsSettings(vendor_items=wanted))
                yield simulator, bills, OrdersSource(client, OrdersSettings(vendor_items=wanted))

    return run


async def read(source: Any, window: Window = Window()) -> list[Record]:  # noqa: B008
    records, cursor = [], None
    for _ in range(100):
        page = await source.read(window, cursor)
        records += page.records
        cursor = page.cursor
        if not page.more:
            return records
    raise AssertionError("never ended")


def called(body: Any) -> set[tuple[str, str, str]]:
    return {(body.vendor, line.item, line.vendor_item) for line in body.lines if line.vendor_item}


def bodies(records: list[Record], kind: type) -> list[Any]:
    return [record.body for record in records if isinstance(record.body, kind)]


def asked(simulator: IntacctSimulator) -> int:
    return sum(effect.get("object") == "ITEMCROSSREF" and effect["kind"] == "query" for effect in simulator.effects())


def numbers(world: World) -> dict[tuple[str, str], str]:
    return {(reference.vendor, reference.item): reference.number for reference in world.references}


async def test_every_line_carries_its_vendors_number_where_the_books_know_one(world: World, running: Running) -> None:
    async with running() as (_, bills, orders):
        read_bills, read_orders = bodies(await read(bills), Bill), bodies(await read(orders), Order)
    known = numbers(world)
    for body in (*read_bills, *read_orders):
        expected = {
            (body.vendor, line.item, known[body.vendor, line.item])
            for line in body.lines
            if (body.vendor, line.item) in known
        }
        assert called(body) == expected
    lines = [line for body in read_bills for line in body.lines if line.item]
    assert len(lines) > 50
    assert 0 < sum(not line.vendor_item for line in lines) < len(lines) / 2


async def test_the_cross_references_of_a_vendor_are_read_once_a_run(running: Running) -> None:
    async with running() as (simulator, bills, _):
        await read(bills)
        once = asked(simulator)
        await read(bills)
    assert 1 <= once <= 3  # pages of bills
    assert asked(simulator) == 2 * once


async def test_without_the_setting_nothing_is_asked(running: Running) -> None:
    async with running(wanted=False) as (simulator, bills, orders):
        found = bodies(await read(bills), Bill) + bodies(await read(orders), Order)
    assert asked(simulator) == 0
    assert all(not called(body) for body in found)


@pytest.mark.parametrize("behaviour", [{"denied": {"ITEMCROSSREF"}}, {"absent": {"ITEMCROSSREF"}}])
async def test_where_the_right_is_missing_bills_come_without_numbers(running: Running, behaviour: Any) -> None:
    async with running(**{name: frozenset(value) for name, value in behaviour.items()}) as (simulator, bills, _):
        found = bodies(await read(bills), Bill)
        refused = [effect for effect in simulator.effects() if effect["kind"] == "function refused"]
    assert len(found) > 40
    assert all(not called(body) for body in found)
    assert sum("ITEMCROSSREF" in effect["text"].upper() for effect in refused) <= 2  # lookup and query, in one run


async def test_a_number_that_changed_is_there_in_the_next_run(world: World, running: Running) -> None:
    async with running() as (simulator, bills, _):
        before = bodies(await read(bills), Bill)
        vendor, item, number = next(iter(set().union(*map(called, before))))
        reference = next(each for each in world.references if each.number == number and each.item == item)
        simulator.put_reference(msgspec.structs.replace(reference, number="NEW-1"))
        after = bodies(await read(bills), Bill)
    assert (vendor, item, "NEW-1") in set().union(*map(called, after))


async def test_the_number_typed_in_the_document_wins(world: World, running: Running) -> None:
    order = world.orders[0]
    lines = tuple(msgspec.structs.replace(line, alias=f"TYPED-{line.number}") for line in order.lines)
    changed = msgspec.structs.replace(world, orders=(msgspec.structs.replace(order, lines=lines), *world.orders[1:]))
    async with running(of=changed) as (_, _, orders):
        found = next(record.body for record in await read(orders) if record.key == order.id)
    async with running(of=changed, hidden=frozenset({"PODOCUMENTENTRY.ITEMALIASID"})) as (_, _, orders):
        without = next(record.body for record in await read(orders) if record.key == order.id)
    assert {line.vendor_item for line in found.lines} == {line.alias for line in lines}
    assert not {line.vendor_item for line in without.lines} & {line.alias for line in lines}


async def test_what_a_vendor_calls_an_item_is_no_part_of_what_the_bill_is(world: World, running: Running) -> None:
    async with running() as (_, bills, _):
        named = {record.key: record.digest for record in await read(bills)}
    async with running(wanted=False) as (_, bills, _):
        assert {record.key: record.digest for record in await read(bills)} == named


async def test_an_estimate_counts_the_calls_for_numbers(running: Running) -> None:
    found = []
    for wanted in (True, False):
        async with running(wanted=wanted) as (_, bills, _):
            found.append(await bills.estimate(Window(), None))
    named, plain = found
    assert named.calls == plain.calls + plain.pages + 1  # each page may meet new vendors; one page of cross references


async def test_what_does_not_fit_into_memory_is_read_again(
    world: World, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running() as (simulator, bills, _):
        expected = [called(body) for body in bodies(await read(bills), Bill)]
        once = asked(simulator)
    monkeypatch.setattr(vendor_items, "_LARGEST_CACHE", 0)
    async with running() as (simulator, bills, _):
        assert [called(body) for body in bodies(await read(bills), Bill)] == expected
        assert asked(simulator) >= once


@pytest.mark.parametrize(
    ("names", "unit", "number"),
    [
        ([], "Case", ""),
        ([("A", "")], "Case", "A"),
        ([("A", "")], "", "A"),
        ([("A", ""), ("B", "Case")], "Case", "B"),
        ([("A", ""), ("B", "Case")], "Each", "A"),
        ([("B", "Case")], "Each", ""),
        ([("B", "Case")], "", ""),
        ([("A", ""), ("B", "")], "Case", ""),
        ([("A", ""), ("A", "")], "Case", "A"),
        ([("A", "Case"), ("B", "Case"), ("C", "")], "Case", ""),
    ],
)
def test_which_number_is_taken(names: list[tuple[str, str]], unit: str, number: str) -> None:
    assert _choose(names, unit) == number


def test_no_two_items_of_a_vendor_are_called_the_same() -> None:
    references: tuple[SeedReference, ...] = build_world(seed=1, bills=400).references
    assert len({(each.vendor, each.number) for each in references}) == len(references) > 100
    assert all(each.modified - each.created < timedelta(days=1) for each in references)
