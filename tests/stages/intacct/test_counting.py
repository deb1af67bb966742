"""What the books hold in a period, asked apart from reading: it must be what reading finds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from pipeline import Context, Secret, Shared, Tally, Window
from pipeline.testing.clock import ManualClock
from stages.ap.seed import World, build_world
from stages.intacct.company import open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.payments import PaymentsSettings, PaymentsSource
from stages.intacct.simulator import Behaviour, Fault, IntacctSimulator
from stages.intacct.sources import BillsSettings, BillsSource

ALL = Window(since=datetime(2000, 1, 1, tzinfo=UTC), until=datetime(2100, 1, 1, tzinfo=UTC), by="document_date")
PART = Window(since=datetime(2026, 10, 8, tzinfo=UTC), until=datetime(2026, 10, 15, tzinfo=UTC), by="document_date")
POSTED = msgspec.structs.replace(PART, by="posting_date")
Opens = Callable[..., Any]


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=7, bills=150)


@pytest.fixture
def opens(world: World, context: Context) -> Opens:
    @asynccontextmanager
    async def opened(build: Any = BillsSource, settings: Any = None, **behaviour: Any) -> AsyncIterator[Any]:
        context.clock, context.shared = ManualClock(world.now, autojump=True), Shared()
        async with IntacctSimulator(world, context.clock, behaviour=Behaviour(**behaviour)) as simulator:
            config = IntacctConfig(
                url=simulator.url,
                sender_id=world.sender,
                sender_password=Secret(world.sender_password),
                company_id=world.company,
                user_id=world.user,
                user_password=Secret(world.user_password),
                page_size=17,
            )
            async with open_intacct(config, context) as client:
                yield build(client, settings or BillsSettings()), simulator

    return opened


async def read(source: Any, window: Window) -> list[Any]:
    records, cursor, more = list[Any](), None, True
    while more:
        page = await source.read(window, cursor)
        records += page.records
        cursor, more = page.cursor, page.more
    return records


async def listed(source: Any, window: Window) -> list[Any]:
    return [record async for page in source.listing(window) for record in page]


def sums(records: list[Any]) -> dict[str, tuple[int, Decimal]]:
    found: dict[str, tuple[int, Decimal]] = {}
    for record in records:
        count, amount = found.get(record.currency, (0, Decimal(0)))
        found[record.currency] = (count + 1, amount + (record.amount or 0))
    return found


def tallied(tallies: list[Tally] | None) -> dict[str, tuple[int, Decimal]]:
    assert tallies is not None
    return {tally.currency: (tally.records, tally.amount or Decimal(0)) for tally in tallies}


@pytest.mark.parametrize("window", [ALL, PART, POSTED])
async def test_intacct_counts_and_lists_what_reading_finds(opens: Opens, window: Window) -> None:
    async with opens() as (source, _):
        records = await read(source, window)
        of_list = await listed(source, window)
        counted = tallied(await source.tally(window))
    assert counted == sums(records) == sums(of_list)
    assert len(records) > 10

    def shape(record: Any) -> tuple[Any, ...]:
        return (record.company, record.object, record.key, record.amount, record.currency, record.label)

    assert sorted(map(shape, records)) == sorted(map(shape, of_list))


async def test_a_listed_bill_names_its_recordno_beside_the_key_of_its_document(world: World, opens: Opens) -> None:
    bill = next(each for each in world.bills if each.purchase)
    async with opens() as (source, _):
        found = {record.key: record.alias for record in await listed(source, ALL)}
    assert found[bill.purchase] == str(bill.record)


@pytest.mark.parametrize("hidden", [{"APBILL.TRX_TOTALENTERED"}, {"APBILL.CURRENCY"}, {"APBILL.BASECURR"}])
async def test_a_company_without_some_of_the_fields_is_counted_as_it_is_read(opens: Opens, hidden: set[str]) -> None:
    async with opens(hidden=frozenset(hidden)) as (source, _):
        assert tallied(await source.tally(ALL)) == sums(await listed(source, ALL)) == sums(await read(source, ALL))


async def test_an_empty_period_has_nothing(opens: Opens) -> None:
    window = Window(since=datetime(1999, 1, 1, tzinfo=UTC), until=datetime(1999, 2, 1, tzinfo=UTC), by="document_date")
    async with opens() as (source, _):
        assert (await source.tally(window), await listed(source, window)) == ([], [])


async def test_a_gateway_that_does_not_count_is_no_error(opens: Opens) -> None:
    async with opens() as (source, simulator):
        await listed(source, ALL)
        simulator.faults.add(Fault(kind="invalid", function="query"))
        assert await source.tally(ALL) is None


async def test_what_is_present_is_told_by_key_whatever_its_date(world: World, opens: Opens) -> None:
    bill, purchased = (next(each for each in world.bills if bool(each.purchase) is wanted) for wanted in (False, True))
    gone = next(each for each in world.bills if each.purchase and each.purchase != purchased.purchase)
    async with opens() as (source, simulator):
        simulator.edit_purchase(purchased.purchase)
        simulator.delete_purchase(gone.purchase)
        keys = [str(bill.record), purchased.purchase, gone.purchase, "999999"]
        assert await source.present(keys) == {str(bill.record), purchased.purchase}


async def test_payments_are_counted_and_listed_too(world: World, opens: Opens) -> None:
    async with opens(PaymentsSource, PaymentsSettings()) as (source, _):
        records, of_list = await read(source, ALL), await listed(source, ALL)
        assert tallied(await source.tally(ALL)) == sums(records) == sums(of_list)
        present = await source.present([records[0].key, "999999"])
    assert len(records) == len(world.payments) > 0
    assert present == {records[0].key}
