"""The payments source: against a gateway with scripted tables, and over the seeded books of the simulator."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from pipeline import Context, DataError, Record, Secret, Window
from pipeline.testing.clock import ManualClock
from stages.ap.model import Payment, PaymentDetail
from stages.ap.seed import SeedAdjustment, World, build_world
from stages.intacct.company import IntacctClient, open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.payments import PaymentsSettings, PaymentsSource
from stages.intacct.simulator import IntacctSimulator

Open = Callable[..., AbstractAsyncContextManager[IntacctClient]]
Row = dict[str, str]
LIVE = Window()


def payment(record: int = 1, total: str = "100", **row: str) -> Row:
    return {
        "RECORDNO": str(record), "VENDORID": "V-1", "VENDORNAME": "Riverbend", "STATE": "Complete", "WHENCREATED": "01/05/2026",
        "WHENPAID": "01/06/2026", "DOCNUMBER": f"CHK{record}", "PAYMENTMETHOD": "ACH", "TRX_TOTALENTERED": total,
        "CURRENCY": "USD", "WHENMODIFIED": "01/06/2026 10:00:00",
    } | row  # fmt: skip


def detail(record: int, bill: str, paid: str = "", of: int = 1, **row: str) -> Row:
    return {"RECORDNO": str(record), "PAYMENTKEY": str(of), "RECORDKEY": bill, "TRX_PAYMENTAMOUNT": paid} | row


def bill(record: int, total: str, **row: str) -> Row:
    return {
        "RECORDNO": str(record), "RECORDID": f"INV-{record}", "DOCNUMBER": f"PO-{record}", "WHENCREATED": "12/20/2025",
        "TRX_TOTALENTERED": total, "CURRENCY": "USD",
    } | row  # fmt: skip


@pytest.fixture
def gateway(gateway: Any) -> Any:
    gateway.tables |= {"APPYMT": [payment()], "APPYMTDETAIL": [detail(11, "7", "100")], "APBILL": [bill(7, "100")]}
    return gateway


async def read(client: IntacctClient, window: Window = LIVE) -> list[Record]:
    records, _ = await run(PaymentsSource(client, PaymentsSettings()), window)
    return records


async def run(
    source: PaymentsSource, window: Window = LIVE, cursor: dict[str, str] | None = None
) -> tuple[list[Record], dict[str, str] | None]:
    records: list[Record] = []
    for _ in range(100):
        page = await source.read(window, cursor)
        records += page.records
        cursor = page.cursor
        if not page.more:
            return records, cursor
    raise AssertionError("never ended")


async def paid(open_client: Open) -> Payment:
    async with open_client() as client:
        (record,) = await read(client)
    assert isinstance(record.body, Payment), record.body
    return record.body


async def test_a_payment_comes_with_the_bills_it_settles(gateway: Any, open_client: Open) -> None:
    async with open_client() as client:
        (record,) = await read(client)
    assert (record.key, record.kind, record.object, record.label) == ("1", "payment", "APPYMT", "CHK1")
    assert (record.amount, record.currency) == (Decimal(100), "USD")
    body = record.body
    assert (body.number, body.method, body.state, body.date) == ("CHK1", "ACH", "Complete", date(2026, 1, 6))
    (item,) = body.details
    assert (item.number, item.paid, item.gross, item.date, item.order) == (
        "INV-7",
        Decimal(100),
        Decimal(100),
        date(2025, 12, 20),
        "PO-7",
    )


def amounts(details: tuple[PaymentDetail, ...]) -> list[tuple[str, Any, Any, Any]]:
    return [(item.number, item.paid, item.gross, item.discount) for item in details]


ADJUSTED = {"ADJUSTMENTKEY": "9", "TRX_ADJUSTMENTAMOUNT": "20"}
MAPPED: dict[str, tuple[list[Row], list[tuple[str, int, int | None, int]]]] = {
    "a bill settled line by line is one item": (
        [detail(11, "7", "60", ENTRYKEY="1"), detail(12, "7", "40", ENTRYKEY="2")],
        [("INV-7", 100, 100, 0)],
    ),
    "a discount and the money are the gross amount": (
        [detail(11, "7", "98", TRX_DISCOUNTAMOUNT="2")],
        [("INV-7", 98, 100, 2)],
    ),
    "a part of a bill has no gross amount": ([detail(11, "7", "30")], [("INV-7", 30, None, 0)]),
    "a credit is an item of its own": (
        [detail(11, "7", "80", **ADJUSTED)],
        [("INV-7", 100, 100, 0), ("CM-9", -20, -20, 0)],
    ),
    "a credit in a detail without money": (
        [detail(11, "7", "80"), detail(12, "7", "", **ADJUSTED)],
        [("INV-7", 100, 100, 0), ("CM-9", -20, -20, 0)],
    ),
    "an adjustment that is owed is paid like a bill": (
        [detail(11, "", "20", POSADJKEY="9")],
        [("CM-9", 20, 20, 0)],
    ),
    "a bill that is not in the books has no number": ([detail(11, "8", "30")], [("", 30, None, 0)]),
    "an advance has no number": (
        [detail(11, "7", "80", POSTEDADVANCEKEY="3", TRX_POSTEDADVANCEAMOUNT="20")],
        [("INV-7", 100, 100, 0), ("", -20, None, 0)],
    ),
}


@pytest.mark.parametrize("case", MAPPED)
async def test_what_details_say_of_the_bills(case: str, gateway: Any, open_client: Open) -> None:
    rows, wanted = MAPPED[case]
    gateway.tables["APPYMTDETAIL"] = rows
    gateway.tables["APADJUSTMENT"] = [bill(9, "20", RECORDID="CM-9")]
    assert amounts((await paid(open_client)).details) == wanted


async def test_a_user_who_may_not_read_credits_gets_the_rest(gateway: Any, open_client: Open) -> None:
    gateway.tables["APPYMTDETAIL"] = [detail(11, "7", "80", **ADJUSTED)]
    assert amounts((await paid(open_client)).details) == [("INV-7", 100, 100, 0), ("", -20, None, 0)]


async def test_a_right_to_credits_granted_meanwhile_is_used_by_the_next_run(gateway: Any, open_client: Open) -> None:
    gateway.tables["APPYMTDETAIL"] = [detail(11, "7", "80", **ADJUSTED)]
    async with open_client() as client:
        source = PaymentsSource(client, PaymentsSettings())
        _, cursor = await run(source)
        gateway.tables["APADJUSTMENT"] = [bill(9, "20", RECORDID="CM-9")]
        (record,), _ = await run(source, cursor=cursor)
    assert amounts(record.body.details) == [("INV-7", 100, 100, 0), ("CM-9", -20, -20, 0)]


async def test_a_bill_in_another_currency_says_nothing_of_the_gross_amount(gateway: Any, open_client: Open) -> None:
    gateway.tables["APBILL"] = [bill(7, "100", CURRENCY="CAD")]
    assert amounts((await paid(open_client)).details) == [("INV-7", 100, None, 0)]


async def test_without_a_check_number_the_record_number_traces_it(gateway: Any, open_client: Open) -> None:
    gateway.tables["APPYMT"] = [payment(DOCNUMBER="")]
    assert (await paid(open_client)).number == "1"


async def test_a_detail_that_settles_nothing_makes_its_payment_dead_and_no_other(
    gateway: Any, open_client: Open
) -> None:
    gateway.tables["APPYMT"] = [payment(1), payment(2)]
    gateway.tables["APPYMTDETAIL"] = [detail(11, "", "100"), detail(12, "7", "100", of=2)]
    async with open_client() as client:
        first, second = await read(client)
    assert isinstance(first.body, DataError)
    assert first.body.code == "MLC-INTACCT-0404"
    assert isinstance(second.body, Payment)


async def test_a_payment_saved_between_two_calls_is_read_once_more(gateway: Any, open_client: Open) -> None:
    def save(name: str) -> None:
        if name == "APPYMTDETAIL":
            gateway.before_query = None
            gateway.tables["APPYMT"] = [payment(total="60")]
            gateway.tables["APPYMTDETAIL"] = [detail(11, "7", "60")]

    gateway.before_query = save
    body = await paid(open_client)
    assert (body.total, [item.paid for item in body.details]) == (Decimal(60), [Decimal(60)])


async def test_a_replay_reads_the_payments_it_names(gateway: Any, open_client: Open) -> None:
    gateway.tables["APPYMT"] = [payment(1), payment(2)]
    gateway.tables["APPYMTDETAIL"] = [detail(11, "7", "100"), detail(12, "7", "100", of=2)]
    async with open_client() as client:
        records = await read(client, Window(keys=("2", "3")))
    assert [record.key for record in records] == ["2", "3"]
    assert isinstance(records[1].body, DataError)


async def test_a_payment_cleared_by_the_bank_is_no_other_payment(gateway: Any, open_client: Open) -> None:
    async with open_client() as client:
        (before,) = await read(client)
        gateway.tables["APPYMT"] = [payment(CLEARED="T", CLRDATE="01/09/2026", WHENMODIFIED="01/09/2026 10:00:00")]
        (after,) = await read(client)
    assert after.digest == before.digest


async def _read_books(world: World, context: Context) -> list[Record]:
    clock = ManualClock(datetime(2026, 11, 2, tzinfo=UTC), autojump=True)
    async with IntacctSimulator(world, clock) as simulator:
        config = IntacctConfig(
            url=simulator.url,
            sender_id=world.sender,
            sender_password=Secret(world.sender_password),
            company_id=world.company,
            user_id=world.user,
            user_password=Secret(world.user_password),
            page_size=7,
        )
        async with open_intacct(config, context) as client:
            return await read(client)


async def test_a_credit_that_a_payment_uses_is_an_item_of_its_own(context: Context) -> None:
    world = build_world(seed=7, bills=100)
    payment = next(each for each in world.payments if each.state == "Complete" and not each.details[0].discount)
    detail, *others = payment.details
    credit = SeedAdjustment(
        record=900_001, number="CM-1", vendor=payment.vendor, date=payment.date, total=Decimal("-5.00"), currency=payment.currency,
        entity=payment.entity, created=payment.created, modified=payment.modified,
    )  # fmt: skip
    settled = msgspec.structs.replace(
        detail, amount=detail.amount - 5, adjustment=credit.record, credited=Decimal("5.00")
    )
    changed = msgspec.structs.replace(payment, details=(settled, *others), total=payment.total - 5)
    payments = tuple(changed if each is payment else each for each in world.payments)
    records = await _read_books(msgspec.structs.replace(world, payments=payments, adjustments=(credit,)), context)

    body = next(record.body for record in records if record.key == str(payment.record))
    assert [(item.number, item.paid) for item in body.details][:2] == [
        (next(bill.number for bill in world.bills if bill.record == detail.bill), detail.amount),
        ("CM-1", Decimal("-5.00")),
    ]
    assert sum(item.paid for item in body.details) == body.total == changed.total


async def test_the_seeded_payments_are_read_as_the_books_have_them(context: Context) -> None:
    world = build_world(seed=7, bills=300)
    records = await _read_books(world, context)
    numbers = {bill.record: bill.number for bill in world.bills}
    read_back = {
        int(record.body.record): (
            record.body.state,
            record.body.total,
            record.body.currency,
            [(item.number, item.paid, item.discount) for item in record.body.details],
        )
        for record in records
    }
    assert len(read_back) == len(records) == len(world.payments) > 20
    assert read_back == {
        each.record: (
            each.state,
            each.total,
            each.currency,
            [(numbers[item.bill], item.amount, item.discount) for item in each.details],
        )
        for each in world.payments
    }
