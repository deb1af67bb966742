"""The client and the sources against the shipped simulator, over seeded books."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import anyio
import msgspec
import pytest

from pipeline import (
    ConfigError,
    Context,
    DataError,
    Duration,
    Held,
    Record,
    Secret,
    StageError,
    ThrottledError,
    TransientError,
    Window,
)
from pipeline.testing.clock import ManualClock
from stages.ap.seed import World, build_world
from stages.intacct import ADAPTER
from stages.intacct.company import IntacctClient, open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.protocol.query import Query
from stages.intacct.simulator import Behaviour, Fault, FaultKind, IntacctSimulator
from stages.intacct.sources import BillsSettings, BillsSource, VendorsSettings, VendorsSource

LIVE = Window()


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=7, bills=150)


@pytest.fixture
def clock(world: World) -> ManualClock:
    return ManualClock(world.now, autojump=True)


Running = Callable[..., Any]


@pytest.fixture
def running(world: World, clock: ManualClock, context: Context) -> Running:
    """Opens a simulator and a client of it: ``async with running() as (simulator, client)``."""

    @asynccontextmanager
    async def run(
        *faults: Fault, behaviour: Behaviour | None = None, changed: World | None = None, **settings: Any
    ) -> AsyncIterator[tuple[IntacctSimulator, IntacctClient]]:
        async with IntacctSimulator(changed or world, clock, faults=faults, behaviour=behaviour) as simulator:
            usual: dict[str, Any] = {
                "url": simulator.url,
                "sender_id": world.sender,
                "sender_password": Secret(world.sender_password),
                "company_id": world.company,
                "user_id": world.user,
                "user_password": Secret(world.user_password),
                "patience": Duration(0),
            }
            async with open_intacct(IntacctConfig(**(usual | settings)), context) as client:
                yield simulator, client

    return run


async def read_all(
    source: Any, window: Window = LIVE, cursor: dict[str, str] | None = None
) -> tuple[list[Record], Any]:
    records: list[Record] = []
    for _ in range(1000):
        page = await source.read(window, cursor)
        records += page.records
        cursor = page.cursor
        if not page.more:
            return records, cursor
    raise AssertionError("never ended")


async def insist(source: Any, window: Window = LIVE) -> tuple[list[Record], list[StageError]]:
    """Reads to the end as the engine does: a passing error means the same page once more."""
    records: list[Record] = []
    errors: list[StageError] = []
    cursor: dict[str, str] | None = None
    for _ in range(1000):
        try:
            page = await source.read(window, cursor)
        except TransientError as error:
            errors.append(error)
            continue
        records += page.records
        cursor = page.cursor
        if not page.more:
            return records, errors
    raise AssertionError("never ended")


async def test_every_bill_of_the_books_is_read_once(world: World, running: Running) -> None:
    async with running(page_size=17) as (_, client):
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    documents = {purchase.id for purchase in world.purchases}
    read = [record.body.record if not isinstance(record.body, Held) else record.key for record in records]
    assert sorted(read) == sorted(str(bill.record) for bill in world.bills)
    assert {record.key for record in records} & documents == {
        bill.purchase for bill in world.bills if bill.purchase and not bill.purchase_missing
    }


async def test_the_amounts_read_are_the_amounts_of_the_books(world: World, running: Running) -> None:
    async with running() as (_, client):
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    books: dict[str, Any] = {}
    for bill in world.bills:
        books[bill.currency] = books.get(bill.currency, 0) + bill.total
    read: dict[str, Any] = {}
    for record in records:
        read[record.currency] = read.get(record.currency, 0) + record.amount
    assert read == books


async def test_the_lines_read_are_the_lines_of_the_books(world: World, running: Running) -> None:
    async with running() as (_, client):
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    read = {
        record.body.record: [(line.amount, line.quantity, line.unit) for line in record.body.lines]
        for record in records
        if not isinstance(record.body, Held) and record.body.purchase is not None
    }
    wanted = {
        str(bill.record): [(line.amount, line.quantity, line.unit) for line in bill.lines if not line.generated]
        for bill in world.bills
        if bill.purchase and not bill.purchase_missing
    }
    assert wanted
    assert read == wanted


async def test_a_bill_whose_purchasing_document_is_missing_is_held(world: World, running: Running) -> None:
    missing = {str(bill.record) for bill in world.bills if bill.purchase_missing}
    async with running() as (_, client):
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert {record.key for record in records if isinstance(record.body, Held)} == missing


async def test_every_vendor_of_the_books_is_read_once(world: World, running: Running) -> None:
    async with running(page_size=20) as (_, client):
        records, _ = await read_all(VendorsSource(client, VendorsSettings()))
    assert sorted(record.key for record in records) == sorted(vendor.id for vendor in world.vendors)


async def test_bills_of_one_second_over_many_pages_are_all_read(world: World, running: Running) -> None:
    same = msgspec.structs.replace(
        world, bills=tuple(msgspec.structs.replace(bill, modified=world.now) for bill in world.bills)
    )
    async with running(changed=same, page_size=7) as (_, client):
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert len(records) == len({record.key for record in records}) == len(world.bills)


async def test_a_company_without_some_fields_is_read(world: World, running: Running) -> None:
    hidden = frozenset({"APBILL.TERMNAME", "APBILLITEM.ITEMID", "VENDOR.PAYTO.CONTACTNAME", "PODOCUMENT.PONUMBER"})
    async with running(behaviour=Behaviour(hidden=hidden)) as (_, client):
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert len(records) == len(world.bills)


async def test_an_indented_reply_reads_as_one_that_is_not(running: Running) -> None:
    read = []
    for indented in (False, True):
        async with running(behaviour=Behaviour(indented=indented)) as (_, client):
            records, _ = await read_all(BillsSource(client, BillsSettings()))
            read.append([(record.key, record.digest) for record in records])
    assert read[0] == read[1]


async def test_a_company_whose_lookup_tells_fields_that_cannot_be_queried_is_read(
    world: World, running: Running
) -> None:
    refused = frozenset({"APBILL.TERMNAME", "APBILL.ONHOLD", "APBILLITEM.ITEMNAME", "VENDOR.TAXID"})
    async with running(behaviour=Behaviour(unqueryable=refused)) as (_, client):
        records, _ = await read_all(BillsSource(client, BillsSettings()))
        vendors, _ = await read_all(VendorsSource(client, VendorsSettings()))
    assert (len(records), len(vendors)) == (len(world.bills), len(world.vendors))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("throttled", ThrottledError),
        ("throttled in 200", ThrottledError),
        ("rate text in 200", ThrottledError),
        ("server error", TransientError),
        ("late server error", TransientError),
        ("maintenance", TransientError),
        ("overload", TransientError),
        ("empty", TransientError),
        ("html", TransientError),
        ("truncated", TransientError),
        ("two roots", TransientError),
        ("reset before", TransientError),
        ("reset after", TransientError),
        ("cut", TransientError),
        ("invalid", ConfigError),
        ("bomb", ConfigError),
        ("external entity", ConfigError),
    ],
)
async def test_a_fault_is_an_error_of_its_class(running: Running, kind: FaultKind, expected: type[StageError]) -> None:
    async with running(Fault(kind=kind, function="query", object="APBILL", retry_after=3)) as (_, client):
        with pytest.raises(StageError) as caught:
            await BillsSource(client, BillsSettings()).read(LIVE, None)
    assert type(caught.value) is expected


@pytest.mark.parametrize("kind", ["throttled", "server error", "truncated", "reset after", "expired session", "html"])
async def test_passing_faults_lose_nothing(world: World, running: Running, kind: FaultKind) -> None:
    faults = [Fault(kind=kind, function="query", nth=nth) for nth in (1, 4, 9, 15)]
    async with running(*faults, page_size=20) as (simulator, client):
        records, errors = await insist(BillsSource(client, BillsSettings()))
        struck = simulator.counts.faults
    assert sorted({record.key for record in records}) == sorted(record.key for record in records)
    assert len(records) == len(world.bills)
    assert struck == 4
    assert len(errors) == (0 if kind == "expired session" else 4)


@pytest.mark.parametrize("kind", ["throttled", "throttled in 200", "server error", "reset before", "truncated"])
async def test_when_every_fifth_call_fails_a_quarter_more_calls_are_made_and_no_page_fails(
    world: World, running: Running, kind: FaultKind
) -> None:
    """Five calls do the work of four. Before, a failing call cost all others of its page as well."""
    fifth = Fault(kind=kind, retry_after=1, times=None, when=lambda call: call.session and call.number % 5 == 0)
    counts, read = [], []
    for faults in ((), (fifth,)):
        async with running(*faults, page_size=20, patience=Duration(30)) as (simulator, client):
            records, errors = await insist(BillsSource(client, BillsSettings()))
            read.append([(record.key, record.digest) for record in records])
            counts.append(simulator.counts.requests)
            assert errors == []
    assert read[0] == read[1]
    assert counts[1] <= counts[0] * 5 / 4 + 2


async def test_a_wait_longer_than_our_patience_is_left_to_the_page(running: Running, clock: ManualClock) -> None:
    fault = Fault(kind="throttled", function="query", object="APBILL", retry_after=40)
    async with running(fault, patience=Duration(30)) as (simulator, client):
        began = clock.now()
        with pytest.raises(ThrottledError) as caught:
            await BillsSource(client, BillsSettings()).read(LIVE, None)
        assert (caught.value.retry_after, clock.now()) == (40, began)
        assert simulator.counts.throttled + simulator.counts.faults == 1


async def test_what_does_not_pass_is_tried_for_as_long_as_our_patience_lasts(
    running: Running, clock: ManualClock
) -> None:
    fault = Fault(kind="throttled", function="query", object="APBILL", retry_after=7, times=None)
    async with running(fault, patience=Duration(30)) as (simulator, client):
        began = clock.now()
        with pytest.raises(ThrottledError):
            await BillsSource(client, BillsSettings()).read(LIVE, None)
        assert (clock.now() - began).total_seconds() == 28
        assert simulator.counts.faults == 5


async def test_an_expired_session_costs_one_sign_in(running: Running) -> None:
    async with running() as (simulator, client):
        await client.lookup("APBILL")
        simulator.end_sessions()
        await client.lookup("APBILL")
        assert (simulator.counts.logins, simulator.counts.session_failures) == (2, 1)


async def test_twenty_calls_at_once_cost_one_sign_in(running: Running) -> None:
    async with running(concurrency=20) as (simulator, client):
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(client.lookup, "APBILL")
        assert simulator.counts.logins == 1


async def test_a_short_session_is_renewed_before_it_ends(clock: ManualClock, running: Running) -> None:
    async with running(behaviour=Behaviour(session_seconds=600)) as (simulator, client):
        await client.lookup("APBILL")
        await clock.advance(560)
        await client.lookup("APBILL")
        assert (simulator.counts.logins, simulator.counts.session_failures) == (2, 0)


@pytest.mark.parametrize("offset", [-8, 5.5])
async def test_a_session_told_in_another_offset_is_renewed_in_time_too(
    clock: ManualClock, running: Running, offset: float
) -> None:
    async with running(behaviour=Behaviour(session_seconds=600, session_offset_hours=offset)) as (simulator, client):
        await client.lookup("APBILL")
        await clock.advance(300)
        await client.lookup("APBILL")
        await clock.advance(560)
        await client.lookup("APBILL")
        assert (simulator.counts.logins, simulator.counts.session_failures) == (2, 0)


async def test_a_session_whose_end_is_not_told_is_renewed_when_it_is_refused(
    clock: ManualClock, running: Running
) -> None:
    async with running(behaviour=Behaviour(session_seconds=600, tell_timeout=False)) as (simulator, client):
        await client.lookup("APBILL")
        await clock.advance(601)
        await client.lookup("APBILL")
        assert simulator.counts.logins == 2


@pytest.mark.parametrize("setting", ["user_password", "sender_password"])
async def test_a_wrong_password_costs_one_attempt(running: Running, setting: str) -> None:
    async with running(**{setting: Secret("canary-wrong")}) as (simulator, client):
        for _ in range(3):
            with pytest.raises(ConfigError) as caught:
                await client.sign_in()
            assert (caught.value.exit_code, "canary" in str(caught.value)) == (4, False)
        assert (simulator.counts.requests, simulator.counts.logins) == (1, 0)


async def test_a_wrong_address_on_the_right_host_is_named(running: Running, world: World) -> None:
    async with running() as (simulator, _):
        wrong = simulator.url.replace("xmlgw", "other")
        async with running(url=wrong) as (_, client):
            with pytest.raises(ConfigError, match="refuses the request") as caught:
                await client.sign_in()
    assert "INTACCT_URL" in caught.value.mend


async def test_an_entity_sees_its_own_books(world: World, running: Running) -> None:
    entity = world.entities[0].id
    async with running(location_id=entity) as (_, client):
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    mine = [bill for bill in world.bills if bill.entity == entity]
    assert mine
    assert {record.company for record in records} == {f"{world.company}/{entity}"}
    assert len(records) < len(world.bills)


async def test_a_change_after_the_run_is_read_by_the_next(clock: ManualClock, world: World, running: Running) -> None:
    async with running() as (simulator, client):
        source = BillsSource(client, BillsSettings())
        _, cursor = await read_all(source)
        await clock.advance(3600)
        record = next(bill.record for bill in world.bills if bill.state == "Posted" and not bill.purchase)
        simulator.edit_bill(record, state="Paid")
        records, _ = await read_all(source, cursor=cursor)
    assert [item.body.state for item in records if item.key == str(record)] == ["Paid"]
    assert len(records) < math.ceil(len(world.bills) / 2)


async def test_an_edited_purchase_keeps_its_key_under_a_new_record(world: World, running: Running) -> None:
    purchase = next(bill.purchase for bill in world.bills if bill.purchase and not bill.purchase_missing)
    async with running() as (simulator, client):
        record = simulator.edit_purchase(purchase)
        (read,), _ = await read_all(BillsSource(client, BillsSettings()), Window(keys=(purchase,)))
    assert (read.key, read.body.record) == (purchase, str(record))


async def test_a_deleted_bill_asked_for_by_key_is_a_data_error(world: World, running: Running) -> None:
    record = next(bill.record for bill in world.bills if not bill.purchase)
    async with running() as (simulator, client):
        simulator.delete_bill(record)
        (read,), _ = await read_all(BillsSource(client, BillsSettings()), Window(keys=(str(record),)))
    assert isinstance(read.body, DataError)


async def test_the_adapter_starts_its_simulator_and_checks_its_connection(clock: ManualClock, context: Context) -> None:
    from pipeline import SimulatorOptions

    assert ADAPTER.simulator is not None
    (connection,) = ADAPTER.connections
    assert connection.check is not None
    async with ADAPTER.simulator.start(SimulatorOptions(bills=20, clock=clock)) as simulation:
        names = ("url", "sender_id", "sender_password", "company_id", "user_id", "user_password")
        values = {name: simulation.environment[f"INTACCT_{name.upper()}"] for name in names}
        secrets = {name: Secret(values[name]) for name in names if name.endswith("password")}
        async with connection.open(IntacctConfig(**(values | secrets)), context) as client:  # type: ignore[arg-type]
            await connection.check(client)
        assert simulation.effects()


@pytest.mark.parametrize("name", ["intacct.bills", "intacct.vendors"])
async def test_a_source_is_built_from_the_adapter(running: Running, context: Context, name: str) -> None:
    spec = next(stage for stage in ADAPTER.stages if stage.name == name)
    assert spec.config is not None
    async with running() as (_, client):
        context.connection = client
        page = await spec.build(spec.config(), context).read(LIVE, None)
    assert page.records


async def test_tax_that_the_books_added_comes_beside_the_lines(
    running: Running, context: Context, world: World
) -> None:
    plain = next(
        bill for bill in world.bills if not bill.purchase and sum(line.amount for line in bill.lines) == bill.total > 0
    )
    lines = tuple(line for line in plain.lines if not line.generated)
    number = len(lines)
    gst, pst = (
        msgspec.structs.replace(
            lines[0], number=number + at, amount=amount, account=account, description=name, item="", generated=True
        )
        for at, (amount, account, name) in enumerate(
            [(Decimal("5.00"), "2200", "GST"), (Decimal("7.25"), "2210", "PST")], 1
        )
    )
    taxed = msgspec.structs.replace(plain, lines=(*lines, gst, pst), total=plain.total + Decimal("12.25"))
    changed = msgspec.structs.replace(world, bills=tuple(taxed if bill is plain else bill for bill in world.bills))
    async with running(changed=changed) as (_, client):
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    (bill,) = [record.body for record in records if record.key == str(plain.record)]
    assert [(tax.account, tax.amount, tax.description) for tax in bill.taxes] == [
        ("2200", Decimal("5.00"), "GST"), ("2210", Decimal("7.25"), "PST"),
    ]  # fmt: skip
    assert [line.amount for line in bill.lines] == [line.amount for line in lines]
    assert sum(line.amount for line in bill.lines) + sum(tax.amount for tax in bill.taxes) == bill.total


async def test_an_error_tells_its_stable_id_when_the_connection_asks_for_it(running: Running) -> None:
    """The id is the only part of an error that neither a release nor the company's language changes."""
    question = Query(object="NOTHING", fields=("RECORDNO",))
    told = []
    for error_ids in (True, False):
        async with running(error_ids=error_ids) as (_, client):
            with pytest.raises(StageError) as refused:
                await client.query(question)
            told.append("XL03000009 (XL-0009): " in refused.value.why)

    assert told == [True, False]


async def test_a_gateway_without_ids_of_errors_says_which_setting_to_remove(running: Running) -> None:
    async with running(error_ids=True, behaviour=Behaviour(error_ids=False)) as (_, client):
        with pytest.raises(ConfigError) as refused:
            await client.sign_in()
    assert refused.value.code == "MLC-INTACCT-0119"
    assert "error_ids" in refused.value.mend


async def test_a_console_user_reads_the_company_it_slides_into(running: Running, world: World) -> None:
    settings = {"company_id": "FIRM", "client_id": world.company, "location_id": world.entities[0].id}
    async with running(behaviour=Behaviour(console="FIRM"), **settings) as (_, client):
        data = await client.query(Query(object="APBILL", fields=("RECORDNO", "MEGAENTITYID")))
    assert {row["MEGAENTITYID"] for row in data.rows} == {world.entities[0].id}
