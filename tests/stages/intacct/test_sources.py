"""The sources against a gateway with tables that a query really filters, orders and pages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pipeline import ConfigError, DataError, Held, PermissionDenied, Record, TransientError, Window
from stages.ap.model import Bill, Vendor
from stages.intacct.company import IntacctClient
from stages.intacct.sources import BillsSettings, BillsSource, VendorsSettings, VendorsSource

Open = Callable[..., AbstractAsyncContextManager[IntacctClient]]
LIVE = Window()


def stamp(second: int) -> str:
    return (datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(seconds=second)).strftime("%m/%d/%Y %H:%M:%S")


def bill(record: int, second: int | None = 0, **row: str) -> dict[str, str]:
    usual = {
        "RECORDNO": str(record), "RECORDID": f"INV-{record}", "VENDORID": "V-1", "STATE": "Posted", "MODULEKEY": "3.AP",
        "WHENCREATED": "01/02/2026", "WHENPOSTED": "01/03/2026", "TRX_TOTALENTERED": "10", "CURRENCY": "USD",
        "WHENMODIFIED": "" if second is None else stamp(second),
    }  # fmt: skip
    return usual | row


def line(record: int, bill_record: int, amount: str = "10", number: int = 1, **row: str) -> dict[str, str]:
    return {
        "RECORDNO": str(record),
        "RECORDKEY": str(bill_record),
        "LINE_NO": str(number),
        "TRX_AMOUNT": amount,
        "LINEITEM": "T",
    } | row


@pytest.fixture
def gateway(gateway: Any) -> Any:
    gateway.tables |= {
        "APBILL": [bill(1)],
        "APBILLITEM": [line(11, 1)],
        "VENDOR": [
            {"RECORDNO": "5", "VENDORID": "V-1", "NAME": "Riverbend", "STATUS": "active", "WHENMODIFIED": stamp(0)}
        ],
        "CONTACT": [],
        "PODOCUMENT": [],
        "PODOCUMENTENTRY": [],
    }
    return gateway


def with_bills(gateway: Any, *rows: dict[str, str]) -> None:
    gateway.tables["APBILL"] = list(rows)
    gateway.tables["APBILLITEM"] = [line(1000 + int(row["RECORDNO"]), int(row["RECORDNO"])) for row in rows]


async def read_all(
    source: BillsSource | VendorsSource, window: Window = LIVE, cursor: dict[str, str] | None = None
) -> tuple[list[Record], dict[str, str] | None]:
    records: list[Record] = []
    for _ in range(1000):
        page = await source.read(window, cursor)
        records += page.records
        cursor = page.cursor
        if not page.more:
            return records, cursor
    raise AssertionError("never ended")


def keys(records: list[Record]) -> list[str]:
    return [record.key for record in records]


async def test_a_bill_comes_with_its_lines_amount_and_label(gateway: Any, open_client: Open) -> None:
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    (record,) = records
    assert (record.key, record.kind, record.company, record.object, record.label) == (
        "1",
        "bill",
        "acme",
        "APBILL",
        "INV-1",
    )
    assert (record.amount, record.currency, len(record.digest)) == (Decimal(10), "USD", 64)
    assert isinstance(record.body, Bill)
    assert [item.amount for item in record.body.lines] == [Decimal(10)]


async def test_bills_that_share_one_second_over_many_pages_are_all_read_once(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, *(bill(number, 0) for number in range(1, 24)))
    async with open_client(page_size=5) as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert keys(records) == [str(number) for number in range(1, 24)]


async def test_bills_without_a_time_of_change_are_read_too(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, bill(1, None), bill(2, 5), bill(3, None), bill(4, 5), bill(5, None))
    async with open_client(page_size=2) as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert keys(records) == ["2", "4", "1", "3", "5"]


async def test_a_bill_changed_under_the_read_loses_no_other(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, *(bill(number, 0) for number in range(1, 10)))
    moved: list[bool] = []

    def edit(name: str) -> None:
        if name == "APBILLITEM" and not moved:
            moved.append(True)
            gateway.tables["APBILL"][0]["WHENMODIFIED"] = stamp(99)

    gateway.before_query = edit
    async with open_client(page_size=3) as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert set(keys(records)) == {str(number) for number in range(1, 10)}


async def test_the_next_run_reads_the_overlap_and_what_is_new(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, bill(1, 0), bill(2, 3600))
    async with open_client() as client:
        _, cursor = await read_all(BillsSource(client, BillsSettings()))
        gateway.tables["APBILL"] += [bill(3, 3600), bill(4, 3500), bill(5, None)]
        records, _ = await read_all(BillsSource(client, BillsSettings()), cursor=cursor)
    assert sorted(keys(records)) == ["2", "3", "4", "5"]


async def test_a_run_goes_on_at_the_cursor_where_it_stopped(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, *(bill(number, 0) for number in range(1, 8)))
    async with open_client(page_size=3) as client:
        first = await BillsSource(client, BillsSettings()).read(LIVE, None)
        records, _ = await read_all(BillsSource(client, BillsSettings()), cursor=first.cursor)
    assert keys(records) == ["4", "5", "6", "7"]


async def test_bills_of_every_state_are_read(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, bill(1, STATE="Draft"), bill(2, STATE="Reversed"), bill(3, STATE="Posted"))
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert [record.body.state for record in records] == ["Draft", "Reversed", "Posted"]


@pytest.mark.parametrize(
    ("by", "expected"), [("document_date", ["1", "3"]), ("posting_date", ["2", "3"]), ("modified", ["1", "2"])]
)
async def test_a_window_counts_by_the_date_asked_for(
    gateway: Any, open_client: Open, by: str, expected: list[str]
) -> None:
    with_bills(
        gateway,
        bill(1, WHENCREATED="02/01/2026", WHENPOSTED="03/01/2026", WHENMODIFIED="02/28/2026 23:59:59"),
        bill(2, WHENCREATED="01/31/2026", WHENPOSTED="02/01/2026", WHENMODIFIED="02/01/2026 00:00:00"),
        bill(3, WHENCREATED="02/28/2026", WHENPOSTED="02/28/2026", WHENMODIFIED="03/01/2026 00:00:00"),
    )
    window = Window(since=datetime(2026, 2, 1, tzinfo=UTC), until=datetime(2026, 3, 1, tzinfo=UTC), by=by)
    async with open_client(page_size=1) as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()), window)
    assert sorted(keys(records)) == expected


async def test_a_window_by_modification_is_in_the_users_zone(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, bill(1, WHENMODIFIED="01/31/2026 19:00:00"), bill(2, WHENMODIFIED="01/31/2026 18:59:59"))
    async with open_client(timezone="America/New_York") as client:
        records, _ = await read_all(
            BillsSource(client, BillsSettings()), Window(since=datetime(2026, 2, 1, tzinfo=UTC))
        )
    assert keys(records) == ["1"]


async def test_lines_of_one_bill_over_many_pages_are_all_read_in_order(
    gateway: Any, open_client: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.tables["APBILL"] = [bill(1, TRX_TOTALENTERED="25")]
    gateway.tables["APBILLITEM"] = [line(100 - number, 1, "1", number) for number in range(1, 26)]
    monkeypatch.setattr("stages.intacct.sources.LARGEST_PAGE", 4)
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert [item.number for item in records[0].body.lines] == list(range(1, 26))


async def test_more_bills_than_one_list_carries_get_their_lines(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, *(bill(number) for number in range(1, 251)))
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert [len(record.body.lines) for record in records] == [1] * 250


async def test_lines_the_system_added_are_left_out(gateway: Any, open_client: Open) -> None:
    gateway.tables["APBILLITEM"] += [line(12, 1, "-10", 2, LINEITEM="F"), line(13, 1, "10", 3, LINEITEM="false")]
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert [item.number for item in records[0].body.lines] == [1]


async def test_a_bill_saved_between_the_two_calls_is_read_once_more(gateway: Any, open_client: Open) -> None:
    def save(name: str) -> None:
        if name == "APBILLITEM":
            gateway.tables["APBILL"][0]["TRX_TOTALENTERED"] = "12"
            gateway.tables["APBILLITEM"] = [line(11, 1, "12")]

    gateway.before_query = save
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert (records[0].amount, records[0].body.lines[0].amount) == (Decimal(12), Decimal(12))


async def test_a_bill_whose_lines_never_add_up_is_handed_on_as_it_is(gateway: Any, open_client: Open) -> None:
    gateway.tables["APBILLITEM"] = [line(11, 1, "9.99")]
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert (records[0].body.total, records[0].body.lines[0].amount) == (Decimal(10), Decimal("9.99"))
    assert len(gateway.functions("query", "APBILLITEM")) == 2


async def test_a_bill_deleted_between_the_two_calls_is_no_record(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, bill(1), bill(2))

    def delete(name: str) -> None:
        if name == "APBILLITEM":
            gateway.tables["APBILL"] = [row for row in gateway.tables["APBILL"] if row["RECORDNO"] != "2"]
            gateway.tables["APBILLITEM"] = [row for row in gateway.tables["APBILLITEM"] if row["RECORDKEY"] != "2"]

    gateway.before_query = delete
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert keys(records) == ["1"]


def purchased(gateway: Any, record: int = 1) -> None:
    gateway.tables["APBILL"] = [bill(record, MODULEKEY="9.PO")]
    gateway.tables["APBILLITEM"] = [line(11, record, "10")]
    gateway.tables["PODOCUMENT"] = [
        {
            "RECORDNO": "70",
            "DOCID": "Vendor Invoice-VI-1",
            "DOCNO": "VI-1",
            "PRRECORDKEY": str(record),
            "PONUMBER": "PO-9",
        }
    ]
    gateway.tables["PODOCUMENTENTRY"] = [
        {"RECORDNO": "71", "DOCHDRNO": "70", "LINE_NO": "0", "UIQTY": "4", "UIPRICE": "2.5", "UNIT": "Case", "TRX_VALUE": "10", "ITEMID": "I-1"}
    ]  # fmt: skip


async def test_a_purchased_bill_is_keyed_by_its_document_and_carries_quantities(
    gateway: Any, open_client: Open
) -> None:
    purchased(gateway)
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    (record,) = records
    assert record.key == "Vendor Invoice-VI-1"
    assert record.body.record == "1"
    assert record.body.purchase.order == "PO-9"
    assert [(item.quantity, item.unit, item.price, item.item) for item in record.body.lines] == [
        (Decimal(4), "Case", Decimal("2.5"), "I-1")
    ]


@pytest.mark.parametrize("documents", [0, 2])
async def test_a_purchased_bill_without_its_one_document_is_held(
    gateway: Any, open_client: Open, documents: int
) -> None:
    purchased(gateway)
    gateway.tables["PODOCUMENT"] = [
        {"RECORDNO": str(70 + index), "DOCID": f"VI-{index}", "PRRECORDKEY": "1"} for index in range(documents)
    ]
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    (record,) = records
    assert isinstance(record.body, Held)
    assert (record.key, record.amount, record.currency, record.label) == ("1", Decimal(10), "USD", "INV-1")


async def test_a_purchased_bill_made_anew_under_the_read_is_left_to_its_new_number(
    gateway: Any, open_client: Open
) -> None:
    purchased(gateway)

    def edit(name: str) -> None:
        if name == "PODOCUMENT" and gateway.tables["APBILL"][0]["RECORDNO"] == "1":
            purchased(gateway, 2)

    gateway.before_query = edit
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
        again, _ = await read_all(BillsSource(client, BillsSettings()))
    assert (records, keys(again)) == ([], ["Vendor Invoice-VI-1"])


def denying(gateway: Any, answers: Any, object: str, answer: str = "") -> None:
    """The gateway refuses the object from now on, in the words of a missing right or of a missing module."""
    original = gateway._query
    refusal = answer or f"You do not have permission for API operation on objects of type {object.lower()}"
    gateway._query = lambda name, function: (
        str(answers.failure("X", refusal)) if name == object else original(name, function)
    )


@pytest.mark.parametrize("answer", ["", "object definition not found"])
@pytest.mark.parametrize(("object", "key"), [("PODOCUMENT", "1"), ("PODOCUMENTENTRY", "Vendor Invoice-VI-1")])
async def test_without_a_right_to_purchasing_its_bills_are_held_and_all_others_go_on(
    gateway: Any, answers: Any, open_client: Open, object: str, key: str, answer: str
) -> None:
    purchased(gateway)
    gateway.tables["APBILL"].append(bill(2))
    gateway.tables["APBILLITEM"].append(line(12, 2))
    denying(gateway, answers, object, answer)
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    held, sent = records
    assert isinstance(held.body, Held)
    assert (held.key, held.body.code, held.body.owner) == (key, "MLC-INTACCT-0301", "IT")
    assert object in held.body.why
    assert (held.amount, held.currency) == (Decimal(10), "USD")
    assert (sent.key, type(sent.body)) == ("2", Bill)


async def test_a_bill_held_under_its_number_is_read_under_it_once_its_document_is_there(
    gateway: Any, open_client: Open
) -> None:
    purchased(gateway)
    documents, gateway.tables["PODOCUMENT"] = gateway.tables["PODOCUMENT"], []
    async with open_client() as client:
        (held,), _ = await read_all(BillsSource(client, BillsSettings()))
        gateway.tables["PODOCUMENT"] = documents
        (record,), _ = await read_all(BillsSource(client, BillsSettings()), Window(keys=(held.key,)))
    assert (held.key, held.body.code, held.former) == ("1", "MLC-INTACCT-0301", "")
    assert (record.key, record.former, type(record.body)) == ("Vendor Invoice-VI-1", held.key, Bill)


async def test_a_right_to_purchasing_that_is_missing_costs_one_call_a_run(
    gateway: Any, answers: Any, open_client: Open
) -> None:
    with_bills(gateway, *(bill(number, 0, MODULEKEY="9.PO") for number in range(1, 7)))
    denying(gateway, answers, "PODOCUMENT")
    async with open_client(page_size=2) as client:
        source = BillsSource(client, BillsSettings())
        await read_all(source)
        assert len(gateway.functions("query", "PODOCUMENT")) == 1
        await read_all(source)
    assert len(gateway.functions("query", "PODOCUMENT")) == 2


async def test_without_a_right_to_purchasing_a_replay_holds_what_it_cannot_find_and_reads_the_rest(
    gateway: Any, answers: Any, open_client: Open
) -> None:
    purchased(gateway)
    gateway.tables["APBILL"].append(bill(2))
    gateway.tables["APBILLITEM"].append(line(12, 2))
    denying(gateway, answers, "PODOCUMENT")
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()), Window(keys=("2", "Vendor Invoice-77")))
        with pytest.raises(PermissionDenied):
            await BillsSource(client, BillsSettings()).present(["Vendor Invoice-77"])
    assert [(record.key, type(record.body)) for record in records] == [("2", Bill), ("Vendor Invoice-77", Held)]


async def test_without_a_right_to_purchasing_the_listing_has_its_bills_by_their_number(
    gateway: Any, answers: Any, open_client: Open
) -> None:
    purchased(gateway)
    denying(gateway, answers, "PODOCUMENT")
    window = Window(since=datetime(2026, 1, 1, tzinfo=UTC), until=datetime(2026, 2, 1, tzinfo=UTC), by="document_date")
    async with open_client() as client:
        listed = [record async for page in BillsSource(client, BillsSettings()).listing(window) for record in page]
    assert keys(listed) == ["1"]


async def test_a_bill_that_does_not_read_is_a_data_error_and_the_others_go_on(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, bill(1), bill(2, WHENDUE="31/12/2026"), bill(3, TRX_TOTALENTERED="ten"), bill(4, CURRENCY=""))
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert [type(record.body) for record in records] == [Bill, DataError, DataError, DataError]
    assert keys(records) == ["1", "2", "3", "4"]
    assert [record.amount for record in records] == [Decimal(10), Decimal(10), None, None]


async def test_a_bill_with_a_line_that_does_not_read_still_counts_its_amount(gateway: Any, open_client: Open) -> None:
    gateway.tables["APBILLITEM"] = [line(11, 1, "ten")]
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert isinstance(records[0].body, DataError)
    assert (records[0].amount, records[0].currency) == (Decimal(10), "USD")


async def test_a_company_with_one_currency_takes_it_from_the_connection(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, bill(1, CURRENCY=""))
    async with open_client(currency="USD") as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert (records[0].body.currency, records[0].currency) == ("USD", "USD")


async def test_without_any_currency_the_bill_names_the_setting(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, bill(1, CURRENCY=""))
    async with open_client(currency="") as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert isinstance(records[0].body, DataError)
    assert "INTACCT_CURRENCY" in records[0].body.mend


async def test_freight_added_on_a_purchased_bill_stays_a_line_of_its_own(gateway: Any, open_client: Open) -> None:
    purchased(gateway)
    gateway.tables["APBILL"][0]["TRX_TOTALENTERED"] = "14"
    gateway.tables["APBILLITEM"].append(line(12, 1, "4", 2, ENTRYDESCRIPTION="Freight"))
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    bill_read = records[0].body
    assert [(item.amount, item.quantity, item.unit, item.price) for item in bill_read.lines] == [
        (Decimal(10), Decimal(4), "Case", Decimal("2.5")),
        (Decimal(4), Decimal(1), "", None),
    ]
    assert sum(item.amount for item in bill_read.lines) == bill_read.total


async def test_only_fields_the_company_has_are_asked_for(gateway: Any, open_client: Open) -> None:
    gateway.known["APBILL"] = {*bill(1), "WHENDUE"}
    async with open_client() as client:
        await read_all(BillsSource(client, BillsSettings()))
    asked = {field.text for field in gateway.functions("query", "APBILL")[0].findall("select/field")}
    assert asked == {*bill(1), "WHENDUE"}


async def test_without_a_lookup_refused_fields_are_dropped(gateway: Any, open_client: Open) -> None:
    gateway.unknown = {"TERMNAME", "PRBATCH"}
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert keys(records) == ["1"]
    assert records[0].body.source["TERMNAME"] is None


async def test_a_refused_field_that_the_reading_rests_on_stops_the_read(gateway: Any, open_client: Open) -> None:
    gateway.unknown = {"WHENMODIFIED"}
    async with open_client() as client:
        with pytest.raises(ConfigError, match="field"):
            await read_all(BillsSource(client, BillsSettings()))


async def test_a_fields_lookup_is_asked_once_per_object(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, *(bill(number) for number in range(1, 8)))
    async with open_client(page_size=2) as client:
        await read_all(BillsSource(client, BillsSettings()))
    asked = [function.findtext("object") for function in gateway.functions("lookup")]
    assert sorted(asked) == ["APBILL", "APBILLITEM", "VENDOR"]


async def test_custom_fields_are_read_on_request(gateway: Any, open_client: Open) -> None:
    gateway.tables["APBILL"] = [bill(1, ROUTE="North")]
    gateway.tables["APBILLITEM"] = [line(11, 1, LOT="L7")]
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings(fields=["route"], line_fields=["LOT"])))
    assert (records[0].body.source["ROUTE"], records[0].body.lines[0].source["LOT"]) == ("North", "L7")


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, *(bill(number, RECORDID="x" * 300) for number in range(1, 41)))
    async with open_client(page_size=40, max_bytes=20_000) as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert len(records) == 40


@pytest.mark.parametrize(("location", "asked"), [("", "true"), ("WEST", None)])
async def test_private_records_are_asked_for_at_the_top_level_only(
    gateway: Any, open_client: Open, location: str, asked: str | None
) -> None:
    async with open_client(location_id=location) as client:
        await read_all(BillsSource(client, BillsSettings()))
    assert {query.findtext("options/showprivate") for query in gateway.functions()} == {asked}


async def test_a_gateway_that_says_more_and_sends_nothing_is_not_believed(
    gateway: Any, answers: Any, open_client: Open
) -> None:
    empty = answers.reply('<data listtype="APBILL" numremaining="5"/>')
    gateway.script += [None, empty]
    async with open_client() as client:
        with pytest.raises(TransientError, match="empty page"):
            await BillsSource(client, BillsSettings()).read(LIVE, None)


@pytest.mark.parametrize("counters", [{"totalcount", "numremaining"}, {"numremaining"}, {"totalcount"}, set()])
@pytest.mark.parametrize(("asked", "sent"), [(2, 2000), (1000, 2), (5, 2000), (1000, 5)])
async def test_a_read_ends_only_where_the_records_do(
    gateway: Any, open_client: Open, counters: set[str], asked: int, sent: int
) -> None:
    with_bills(gateway, *(bill(number, number % 3) for number in range(1, 6)), bill(6, None), bill(7, None))
    gateway.counters, gateway.cap = counters, sent
    async with open_client(page_size=asked) as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert sorted(keys(records)) == ["1", "2", "3", "4", "5", "6", "7"]


@pytest.mark.parametrize("counters", [{"totalcount"}, set()])
async def test_short_pages_lose_no_line_entry_vendor_or_contact(
    gateway: Any, open_client: Open, counters: set[str]
) -> None:
    many = range(1, 6)
    gateway.counters, gateway.cap = counters, 1
    gateway.tables |= {
        "APBILL": [
            bill(number, MODULEKEY="9.PO", VENDORID=f"V-{number}", BILLTOPAYTOCONTACTNAME=f"Bank {number}")
            for number in many
        ],
        "APBILLITEM": [line(10 * number + part, number, "5", part) for number in many for part in (1, 2)],
        "PODOCUMENT": [{"RECORDNO": str(70 + n), "DOCID": f"VI-{n}", "PRRECORDKEY": str(n)} for n in many],
        "PODOCUMENTENTRY": [
            {"RECORDNO": str(10 * n + part), "DOCHDRNO": str(70 + n), "LINE_NO": str(part), "UNIT": "Case", "TRX_VALUE": "5"}
            for n in many
            for part in (1, 2)
        ],
        "VENDOR": [{"RECORDNO": str(n), "VENDORID": f"V-{n}", "WHENMODIFIED": stamp(n)} for n in many],
        "CONTACT": [{"RECORDNO": str(n), "CONTACTNAME": f"Bank {n}", "MAILADDRESS.CITY": "Leeds"} for n in many],
    }  # fmt: skip
    async with open_client() as client:
        bills, _ = await read_all(BillsSource(client, BillsSettings()))
        vendors, _ = await read_all(VendorsSource(client, VendorsSettings()))
        by_key, _ = await read_all(BillsSource(client, BillsSettings()), Window(keys=("VI-1", "VI-5", "VI-3")))
    assert [[item.unit for item in record.body.lines] for record in bills] == [["Case", "Case"]] * 5
    assert [record.body.remit_to.address.city for record in bills] == ["Leeds"] * 5
    assert keys(vendors) == [f"V-{number}" for number in many]
    assert sorted(keys(by_key)) == ["VI-1", "VI-3", "VI-5"]


async def test_the_next_run_gets_past_an_overlap_longer_than_a_page(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, *(bill(number, number) for number in range(1, 8)))
    gateway.counters, gateway.cap = set(), 2
    async with open_client() as client:
        source = BillsSource(client, BillsSettings())
        _, cursor = await read_all(source)
        gateway.tables["APBILL"].append(bill(8, 9))
        records, behind = await read_all(source, cursor=cursor)
    assert "8" in keys(records)
    assert behind is not None
    assert datetime.fromisoformat(behind["modified"]).second == 9


async def test_a_refused_page_size_is_lowered_to_the_one_the_gateway_names(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, *(bill(number) for number in range(1, 8)))
    gateway.largest = 3
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    asked = [function.findtext("pagesize") for function in gateway.functions("query", "APBILL")]
    assert sorted(keys(records)) == ["1", "2", "3", "4", "5", "6", "7"]
    assert asked[:2] == ["1000", "3"]
    assert set(asked[1:]) == {"3"}


async def test_a_refused_page_size_without_a_number_names_the_setting(gateway: Any, open_client: Open) -> None:
    gateway.largest, gateway.refusal = 3, "The page size is too large"
    async with open_client() as client:
        with pytest.raises(ConfigError) as caught:
            await read_all(BillsSource(client, BillsSettings()))
    assert caught.value.code == "MLC-INTACCT-0132"
    assert "page_size" in caught.value.mend
    assert "The page size is too large" in caught.value.why


async def test_exactly_the_keys_asked_for_are_read(gateway: Any, open_client: Open) -> None:
    purchased(gateway, 9)
    gateway.tables["APBILL"] += [bill(1), bill(2), bill(3)]
    gateway.tables["APBILLITEM"] += [line(21, 1), line(22, 2), line(23, 3)]
    async with open_client() as client:
        records, _ = await read_all(
            BillsSource(client, BillsSettings()), Window(keys=("3", "Vendor Invoice-VI-1", "1"))
        )
    assert sorted(keys(records)) == ["1", "3", "Vendor Invoice-VI-1"]


async def test_more_keys_than_one_list_carries_are_all_read(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, *(bill(number) for number in range(1, 251)))
    wanted = tuple(str(number) for number in range(1, 251))
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()), Window(keys=wanted))
    assert sorted(keys(records)) == sorted(wanted)


@pytest.mark.parametrize("key", ["404", "Vendor Invoice-VI-404"])
async def test_a_key_that_is_gone_is_a_data_error(gateway: Any, open_client: Open, key: str) -> None:
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()), Window(keys=(key,)))
    assert [(record.key, type(record.body)) for record in records] == [(key, DataError)]


PAY_TO = {
    "PAYTO.CONTACTNAME": "Remit",
    "PAYTO.MAILADDRESS.CITY": "Bath",
    "DISPLAYCONTACT.CONTACTNAME": "Main",
    "DISPLAYCONTACT.MAILADDRESS.CITY": "Bristol",
}


@pytest.mark.parametrize(
    ("vendor", "named", "city"),
    [
        (PAY_TO, "", "Bath"),
        ({"DISPLAYCONTACT.CONTACTNAME": "Main", "DISPLAYCONTACT.MAILADDRESS.CITY": "Bristol"}, "", "Bristol"),
        (PAY_TO, "Main", "Bristol"),
        (PAY_TO, "Remit", "Bath"),
        (PAY_TO, "Factoring bank", "Leeds"),
        (PAY_TO, "Nobody", ""),
    ],
)
async def test_the_remit_to_is_the_named_contact_else_the_vendors(
    gateway: Any, open_client: Open, vendor: dict[str, str], named: str, city: str
) -> None:
    gateway.tables["VENDOR"][0] |= vendor
    gateway.tables["CONTACT"] = [{"RECORDNO": "8", "CONTACTNAME": "Factoring bank", "MAILADDRESS.CITY": "Leeds"}]
    gateway.tables["APBILL"] = [bill(1, BILLTOPAYTOCONTACTNAME=named)]
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert records[0].body.remit_to.address.city == city


async def test_without_a_right_to_contacts_only_the_name_is_known(gateway: Any, open_client: Open) -> None:
    del gateway.tables["CONTACT"]
    gateway.tables["APBILL"] = [bill(1, BILLTOPAYTOCONTACTNAME="Factoring bank")]
    async with open_client() as client:
        records, _ = await read_all(BillsSource(client, BillsSettings()))
    assert (records[0].body.remit_to.name, records[0].body.remit_to.address.city) == ("Factoring bank", "")


async def test_a_right_to_contacts_granted_meanwhile_is_used_by_the_next_run(gateway: Any, open_client: Open) -> None:
    del gateway.tables["CONTACT"]
    gateway.tables["APBILL"] = [bill(1, BILLTOPAYTOCONTACTNAME="Factoring bank")]
    async with open_client() as client:
        source = BillsSource(client, BillsSettings())
        _, cursor = await read_all(source)
        gateway.tables["CONTACT"] = [{"RECORDNO": "8", "CONTACTNAME": "Factoring bank", "MAILADDRESS.CITY": "Leeds"}]
        records, _ = await read_all(source, cursor=cursor)
    assert records[0].body.remit_to.address.city == "Leeds"


async def test_a_vendor_is_read_once_for_all_its_bills(gateway: Any, open_client: Open) -> None:
    with_bills(gateway, *(bill(number) for number in range(1, 10)))
    async with open_client(page_size=2) as client:
        await read_all(BillsSource(client, BillsSettings()))
    assert len(gateway.functions("query", "VENDOR")) == 1


async def test_a_bills_digest_moves_with_its_content_and_not_with_its_stamp(gateway: Any, open_client: Open) -> None:
    async with open_client() as client:
        (first,), _ = await read_all(BillsSource(client, BillsSettings()))
        gateway.tables["APBILL"][0]["WHENMODIFIED"] = stamp(50)
        (stamped,), _ = await read_all(BillsSource(client, BillsSettings()))
        gateway.tables["APBILLITEM"][0]["ENTRYDESCRIPTION"] = "Apples"
        (edited,), _ = await read_all(BillsSource(client, BillsSettings()))
    assert first.digest == stamped.digest != edited.digest


async def test_vendors_are_read_with_their_contacts(gateway: Any, open_client: Open) -> None:
    gateway.tables["VENDOR"][0] |= PAY_TO
    async with open_client() as client:
        records, _ = await read_all(VendorsSource(client, VendorsSettings()))
    (record,) = records
    assert (record.key, record.kind, record.object, record.label) == ("V-1", "vendor", "VENDOR", "Riverbend")
    assert isinstance(record.body, Vendor)
    assert (record.body.pay_to.name, record.body.contact.name) == ("Remit", "Main")


async def test_vendors_are_read_by_key(gateway: Any, open_client: Open) -> None:
    async with open_client() as client:
        records, _ = await read_all(VendorsSource(client, VendorsSettings()), Window(keys=("V-1", "V-404")))
    assert [(record.key, type(record.body)) for record in records] == [("V-1", Vendor), ("V-404", DataError)]


async def test_vendors_have_no_posting_date(open_client: Open) -> None:
    async with open_client() as client:
        with pytest.raises(ConfigError, match="posting_date"):
            await VendorsSource(client, VendorsSettings()).read(Window(by="posting_date"), None)


@pytest.mark.parametrize("size", [-1, 2001])
def test_a_page_size_out_of_bounds_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="page_size"):
        BillsSettings(page_size=size)


async def test_the_next_run_sees_a_changed_address(gateway: Any, open_client: Open) -> None:
    gateway.tables["VENDOR"][0] |= PAY_TO
    async with open_client() as client:
        source = BillsSource(client, BillsSettings())
        _, cursor = await read_all(source)
        gateway.tables["VENDOR"][0]["PAYTO.MAILADDRESS.CITY"] = "York"
        records, _ = await read_all(source, cursor=cursor)
    assert records[0].body.remit_to.address.city == "York"
