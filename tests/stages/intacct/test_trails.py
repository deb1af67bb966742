"""Behind a live read: vendors whose contacts changed, and what was deleted; against the simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from pipeline import Context, DataError, Deleted, Duration, Known, Page, Record, Secret, Shared, TransientError, Window
from pipeline.testing.clock import ManualClock
from stages.ap.model import Vendor
from stages.ap.seed import SeedVendor, World, build_world
from stages.intacct.company import open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.contacts import ContactChanges
from stages.intacct.payments import payments_source
from stages.intacct.protocol import objects
from stages.intacct.protocol.responses import Source
from stages.intacct.simulator import Behaviour, Fault, IntacctSimulator
from stages.intacct.sources import BillsSettings, VendorsSettings, bills_source, vendors_source
from stages.intacct.trails import Trails

LIVE = Window()


class Book:
    """A flow over one simulator: it keeps the cursor, and remembers what it read as the ledger would."""

    def __init__(
        self, simulator: IntacctSimulator, context: Context, build: Callable[[], Any], clock: ManualClock
    ) -> None:
        self.simulator, self.build, self.clock = simulator, build, clock
        self.cursor: dict[str, str] | None = None
        self.notes: list[str] = []
        self.memory: dict[str, Record] = {}
        self.digests: dict[str, str] = {}
        context.note, context.recall = self.notes.append, self._recall

    async def _recall(self, company: str, object: str, names: Sequence[str]) -> list[Known]:
        return [
            Known(name, record.key, record.alias, record.label)
            for name in names
            for record in self.memory.values()
            if name in (record.key, record.alias)
        ]

    async def run(self, window: Window = LIVE) -> list[Record]:
        """One run: the records it read that are not as they were read last; and an hour later."""
        source, records, cursor = self.build(), list[Record](), self.cursor if window.live else None
        more = True
        while more:
            page: Page = await source.read(window, cursor)
            records += page.records
            cursor, more = page.cursor, page.more
        if window.live:
            self.cursor = cursor
        fresh = [record for record in records if self.digests.get(record.key) != record.digest]
        self.digests |= {record.key: record.digest for record in records}
        self.memory |= {record.key: record for record in records if not isinstance(record.body, DataError)}
        await self.clock.advance(3600)
        return fresh


Books = Callable[..., Any]


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=7, bills=120)


@pytest.fixture
def books(world: World, context: Context) -> Books:
    @asynccontextmanager
    async def opened(build: Callable[[Context], Any], behaviour: Behaviour | None = None) -> AsyncIterator[Book]:
        clock = ManualClock(world.now)
        context.clock, context.shared = clock, Shared()
        async with IntacctSimulator(world, clock, behaviour=behaviour) as simulator:
            config = IntacctConfig(
                url=simulator.url,
                sender_id=world.sender,
                sender_password=Secret(world.sender_password),
                company_id=world.company,
                user_id=world.user,
                user_password=Secret(world.user_password),
                patience=Duration(0),
                timezone="UTC",
                page_size=50,
            )
            async with open_intacct(config, context) as context.connection:
                yield Book(simulator, context, lambda: build(context), clock)

    return opened


def vendors(context: Context) -> Any:
    return vendors_source(None, context)


def bills(context: Context) -> Any:
    return bills_source(None, context)


def deleted(records: Sequence[Record]) -> dict[str, str]:
    return {record.key: record.body.told for record in records if isinstance(record.body, Deleted)}


def with_pay_to(world: World) -> SeedVendor:
    return next(vendor for vendor in world.vendors if vendor.pay_to and vendor.pay_to != vendor.contact)


# Contacts


@pytest.mark.parametrize("which", ["contact", "pay_to"])
async def test_a_vendor_is_read_again_when_an_address_of_it_is_edited(world: World, books: Books, which: str) -> None:
    vendor = with_pay_to(world)
    async with books(vendors) as book:
        await book.run()
        assert await book.run() == []
        book.simulator.edit_contact(getattr(vendor, which).name, city="Newtown")
        (record,) = await book.run()
    assert isinstance(record.body, Vendor)
    read = record.body.contact if which == "contact" else record.body.pay_to
    assert (record.key, read.address.city) == (vendor.id, "Newtown")


async def test_an_address_edited_while_the_first_run_reads_is_met_by_the_next(world: World, books: Books) -> None:
    vendor = world.vendors[0]
    assert vendor.contact is not None
    async with books(vendors) as book:
        source, cursor, read, more = book.build(), None, list[str](), True
        while more:
            page = await source.read(LIVE, cursor)
            read += [record.key for record in page.records]
            if vendor.id in read:
                book.simulator.edit_contact(vendor.contact.name, city="Newtown")
            cursor, more = page.cursor, page.more
        book.cursor = cursor
        cities = [record.body.contact.address.city for record in await book.run() if record.key == vendor.id]
    assert len(read) == len(world.vendors)
    assert cities == ["Newtown"]


async def test_an_address_saved_late_is_found(world: World, books: Books) -> None:
    vendor = with_pay_to(world)
    async with books(vendors) as book:
        await book.run()
        at = book.clock.now()
        book.simulator.edit_contact(vendor.pay_to.name, visible=at.replace(minute=at.minute + 5), city="Newtown")
        other = next(each for each in world.vendors if each.contact and each.id != vendor.id)
        book.simulator.edit_contact(other.contact.name, city="Elsewhere")
        assert {record.key for record in await book.run()} == {other.id}
        assert vendor.id in {record.key for record in await book.run()}


async def test_a_vendor_that_is_wrong_is_told_once_in_a_run_that_meets_it_by_its_contact_too(
    world: World, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor, build = with_pay_to(world), objects.vendor

    def wrong(source: Source) -> Vendor:
        if source["VENDORID"] == vendor.id:
            raise DataError("it is wrong", code="MLC-INTACCT-0402")
        return build(source)

    monkeypatch.setattr(objects, "vendor", wrong)
    async with books(vendors) as book:
        await book.run()
        await book.run()
        for contact in (vendor.contact, vendor.pay_to):
            book.simulator.edit_contact(contact.name, city="Newtown")
        book.simulator.put_vendor(msgspec.structs.replace(vendor, modified=book.clock.now()))
        book.digests.clear()
        assert [record.key for record in await book.run()].count(vendor.id) == 1


async def test_without_the_right_to_contacts_it_is_told_and_vendors_are_read(world: World, books: Books) -> None:
    async with books(vendors, Behaviour(hidden=frozenset({"CONTACT.WHENMODIFIED"}))) as book:
        assert len(await book.run()) == len(world.vendors)
        book.simulator.put_vendor(world.vendors[0])
        await book.run()
    assert {note.partition(":")[0] for note in book.notes} == {
        "an address that is changed without its vendor is not noticed"
    }


async def test_a_replay_of_what_was_held_as_gone_finds_it_deleted_without_the_audit_history(
    world: World, books: Books, context: Context
) -> None:
    bill = next(each for each in world.bills if not each.purchase)
    async with books(bills, Behaviour(denied=frozenset({"AUDITHISTORY"}))) as book:
        await book.run()
        book.simulator.delete_bill(bill.record)
        key = str(bill.record)
        (record,) = await book.run(Window(keys=(key,)))
        assert isinstance(record.body, DataError)

        async def held(company: str, object: str, names: Sequence[str]) -> list[Known]:
            return [Known(name, name, label=bill.number, left_out="MLC-DOC-0004") for name in names]

        context.recall = held
        (record,) = await book.run(Window(keys=(key,)))
    assert (record.key, record.label, isinstance(record.body, Deleted)) == (key, bill.number, True)


async def test_contacts_and_deletions_can_be_left_alone(books: Books) -> None:
    settings = VendorsSettings(contacts=False, deletions=False)
    async with books(lambda context: vendors_source(settings, context)) as book:
        await book.run()
        await book.run()
        objects = {entry.get("object") for entry in book.simulator.effects() if entry["kind"] == "query"}
    assert objects == {"VENDOR"}


# Deletions


async def test_a_vendor_that_was_deleted_is_told_once_by_its_id(world: World, books: Books) -> None:
    vendor = world.vendors[3]
    async with books(vendors) as book:
        await book.run()
        book.simulator.delete_vendor(vendor.id)
        told = await book.run()
        assert list(deleted(told)) == [vendor.id]
        assert [record.label for record in told] == [vendor.name]
        assert f"by {world.user} on" in deleted(told)[vendor.id]
        book.simulator.delete_vendor(world.vendors[4].id)  # the trail goes on
        assert list(deleted(await book.run())) == [world.vendors[4].id]


async def test_a_bill_that_was_deleted_is_told_by_its_key_and_number(world: World, books: Books) -> None:
    bill = next(each for each in world.bills if each.purchase is None and not each.purchase_missing and each.number)
    async with books(bills) as book:
        await book.run()
        book.simulator.delete_bill(bill.record)
        (record,) = await book.run()
    assert (record.key, record.kind, record.object, record.label) == (str(bill.record), "bill", "APBILL", bill.number)
    assert isinstance(record.body, Deleted)


async def test_a_payment_that_was_deleted_is_told_once_and_its_key_too(world: World, books: Books) -> None:
    gone, kept = world.payments[:2]
    async with books(lambda context: payments_source(None, context)) as book:
        await book.run()
        book.simulator.delete_payment(gone.record)
        (record,) = await book.run()
        assert (record.key, record.kind, record.object) == (str(gone.record), "payment", "APPYMT")
        assert isinstance(record.body, Deleted)
        assert await book.run() == []
        book.digests.clear()
        again = await book.run(Window(keys=(str(gone.record), str(kept.record))))
    assert list(deleted(again)) == [str(gone.record)]


async def test_a_history_that_names_vendors_by_recordno_is_understood(world: World, books: Books) -> None:
    """What OBJECTKEY holds of a vendor is not published; and a VENDORID may look like the RECORDNO of another."""
    gone = world.vendors[3]
    namesake = msgspec.structs.replace(world.vendors[4], id=str(gone.record), record=9001, modified=world.now)
    async with books(vendors) as book:
        book.simulator.put_vendor(namesake)
        await book.run()
        book.simulator.delete_vendor(gone.id)
        row = {"OBJECTKEY": str(gone.record), "USERID": "kim", "ACCESSTIME": "11/02/2026 08:00:00"}
        assert list(deleted(await book.build()._deletions._records([row]))) == [gone.id]


async def test_what_was_never_read_is_not_told(world: World, books: Books) -> None:
    bill = next(each for each in world.bills if each.purchase is None)
    async with books(bills) as book:
        await book.run()
        book.memory.clear()
        book.simulator.delete_bill(bill.record)
        assert await book.run() == []


@pytest.mark.parametrize("read_between", [True, False])
async def test_a_bill_made_anew_by_an_edit_of_its_document_is_not_told_as_deleted(
    world: World, books: Books, read_between: bool
) -> None:
    docid = next(bill.purchase for bill in world.bills if bill.purchase)
    async with books(bills) as book:
        await book.run()
        for _ in range(2):
            number = book.simulator.edit_purchase(docid)
            records = await book.run() if read_between else []
        records = records or await book.run()
    assert deleted(records) == {}
    assert [(record.key, record.alias) for record in records] == [(docid, str(number))]


async def test_a_document_that_was_deleted_with_its_bill_is_told_by_its_id(world: World, books: Books) -> None:
    docid = next(bill.purchase for bill in world.bills if bill.purchase)
    async with books(bills) as book:
        await book.run()
        book.simulator.edit_purchase(docid)
        book.simulator.delete_purchase(docid)
        assert list(deleted(await book.run())) == [docid]


async def test_a_bill_of_purchasing_that_was_deleted_alone_is_told_by_its_documents_id(
    world: World, books: Books
) -> None:
    bill = next(bill for bill in world.bills if bill.purchase)
    async with books(bills) as book:
        await book.run()
        book.simulator.delete_bill(bill.record)
        assert list(deleted(await book.run())) == [bill.purchase]


async def test_a_replay_of_what_was_deleted_says_so_and_of_what_was_never_there_does_not(
    world: World, books: Books
) -> None:
    bill = next(each for each in world.bills if each.purchase is None and not each.purchase_missing)
    docid = next(each.purchase for each in world.bills if each.purchase)
    async with books(bills) as book:
        await book.run()
        book.simulator.delete_bill(bill.record)
        book.simulator.delete_purchase(docid)
        records = await book.run(Window(keys=(str(bill.record), docid, "999999")))
    assert list(deleted(records)) == [str(bill.record), docid]
    assert [record.key for record in records if isinstance(record.body, DataError)] == ["999999"]


async def test_a_damaged_row_of_the_history_is_stepped_over_and_told(world: World, books: Books) -> None:
    numbers = [bill.record for bill in world.bills if bill.purchase is None and not bill.purchase_missing][:6]
    async with books(bills) as book:
        await book.run()
        for number in numbers:
            book.simulator.delete_bill(number)
        book.simulator.spoil("AUDITHISTORY", 2)
        book.simulator.spoil("AUDITHISTORY", 3)
        records = await book.run()
    assert list(deleted(records)) == [str(number) for number in (numbers[0], *numbers[3:])]
    assert len({note for note in book.notes if "stepped over" in note}) == 1


async def test_without_the_right_to_the_history_it_is_told_and_bills_are_read(world: World, books: Books) -> None:
    async with books(bills, Behaviour(hidden=frozenset({"AUDITHISTORY.OBJECTKEY"}))) as book:
        assert len(await book.run()) == len(world.bills)
        book.simulator.delete_bill(world.bills[0].record)
        assert await book.run() == []
    assert {note.partition(":")[0] for note in book.notes} == {"a bill that is deleted in Intacct is not noticed"}


@pytest.mark.parametrize("runs_before", [0, 1])
async def test_a_gateway_that_fails_at_the_history_alone_is_told_and_bills_are_read(
    world: World, books: Books, runs_before: int
) -> None:
    """What passes is tried again by the engine, which calls once more; what does not must not keep the bills from being read."""
    async with books(bills) as book:
        for _ in range(runs_before):
            await book.run()
        book.simulator.faults.add(Fault(kind="server error", object="AUDITHISTORY", times=None))
        source, cursor, read, failures, more = book.build(), book.cursor, list[Record](), 0, True
        while more:
            try:
                page = await source.read(LIVE, cursor)
            except TransientError:
                failures += 1
                continue
            read += page.records
            cursor, more = page.cursor, page.more
    assert failures == 3
    assert len(read) >= (1 if runs_before else len(world.bills))
    assert len(book.notes) == runs_before


async def test_an_explicit_window_has_no_trails(world: World, books: Books) -> None:
    async with books(bills) as book:
        await book.run(Window(since=world.now.replace(year=2020)))
        objects = {entry.get("object") for entry in book.simulator.effects() if entry["kind"] == "query"}
    assert "AUDITHISTORY" not in objects


async def test_deletions_can_be_left_alone(books: Books) -> None:
    async with books(lambda context: bills_source(BillsSettings(deletions=False), context)) as book:
        await book.run()
        objects = {entry.get("object") for entry in book.simulator.effects() if entry["kind"] == "query"}
    assert "AUDITHISTORY" not in objects


# How the two kinds of pages follow each other


class FakeTrail:
    name = "trail"

    def __init__(self, pages: list[Page]) -> None:
        self.pages = pages

    async def beginning(self) -> dict[str, str]:
        return {"at": "0"}

    async def page(self, cursor: dict[str, str]) -> Page:
        return self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]


async def test_a_run_that_goes_on_in_a_trail_still_reads_its_own_object() -> None:
    asked: list[Any] = []

    async def own(window: Window, cursor: dict[str, str] | None) -> Page:
        asked.append(cursor)
        return Page([], {"done": "1", "turn": str(len(asked))}, False)

    def trails() -> Trails:
        return Trails(own, [FakeTrail([Page([], {"at": "1"}, True), Page([], {"at": "2"}, False)])])  # type: ignore[list-item]

    first = trails()
    page = await first.read(LIVE, {"done": "1", "trail.at": "0"})
    page = await first.read(LIVE, page.cursor)
    assert page.cursor == {"done": "1", "turn": "1", "trail.at": "1", "next": "trail"}  # and here it is broken off
    second, more = trails(), True
    while more:
        page = await second.read(LIVE, page.cursor)
        more = page.more
    assert asked == [{"done": "1"}, {"done": "1", "turn": "1"}]
    assert page.cursor == {"done": "1", "turn": "2", "trail.at": "2"}


@pytest.mark.parametrize("unfilterable", ["DISPLAYCONTACT", "PAYTO", "both"])
async def test_an_address_is_noticed_where_a_contacts_name_can_be_shown_and_not_compared(
    world: World, books: Books, unfilterable: str
) -> None:
    vendor = with_pay_to(world)
    paths = ("DISPLAYCONTACT", "PAYTO") if unfilterable == "both" else (unfilterable,)
    behaviour = Behaviour(unfilterable=frozenset(f"VENDOR.{path}.CONTACTNAME" for path in paths))
    async with books(vendors, behaviour) as book:
        await book.run()
        for contact, city in ((vendor.contact, "Newtown"), (vendor.pay_to, "Oldtown")):
            book.simulator.edit_contact(contact.name, city=city)
            (record,) = await book.run()
            assert record.key == vendor.id
    assert (record.body.contact.address.city, record.body.pay_to.address.city) == ("Newtown", "Oldtown")


async def test_where_a_contacts_name_can_only_be_shown_the_vendors_are_looked_through(
    gateway: Any, answers: Any, open_client: Any, context: Context
) -> None:
    gateway.tables["VENDOR"] = [
        {"RECORDNO": str(number), "VENDORID": f"V-{number}", "PAYTO.CONTACTNAME": f"Contact {number % 3}"}
        for number in range(1, 8)
    ]
    plain = gateway._query

    def refusing(name: str, function: Any) -> str:
        asked = [field.text or "" for field in function.iterfind("filter//field")]
        if any("CONTACTNAME" in field for field in asked):
            return answers.failure("XL03000006", f"The following fields cannot be queried: {asked[0]}")
        return plain(name, function)

    gateway._query = refusing
    found: list[str] = []

    async def read(numbers: list[str]) -> list[Record]:
        found.extend(numbers)
        return []

    async with open_client(page_size=2) as context.connection:
        await ContactChanges(context, read)._concerned([{"CONTACTNAME": "Contact 1"}])
    assert found == ["1", "4", "7"]
