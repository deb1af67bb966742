"""Edits while the simulator runs, as its company's users would make them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from stages.ap.seed import SeedLine, build_world
from stages.intacct.simulator import IntacctSimulator


def _query(object, field, filter=""):
    return (
        f"<query><object>{object}</object><select><field>{field}</field></select>{filter}"
        f"<orderby><order><field>{field}</field></order></orderby><options><showprivate>true</showprivate></options></query>"
    )


def _where(field, value):
    return f"<filter><equalto><field>{field}</field><value>{value}</value></equalto></filter>"


async def test_an_edited_bill_moves_to_the_time_of_the_edit(wired, clock):
    async with wired() as wire:
        before = await wire.column(_query("APBILL", "WHENMODIFIED", _where("RECORDNO", "101")), "WHENMODIFIED")
        await clock.advance(60)
        wire.simulator.edit_bill(101, state="Paid")
        after = await wire.column(_query("APBILL", "WHENMODIFIED", _where("STATE", "Paid")), "WHENMODIFIED")

    assert before == ["03/01/2026 11:10:00"]
    assert "03/01/2026 12:01:00" in after


async def test_edits_never_go_before_the_instant_of_the_world(wired, world):
    later = msgspec.structs.replace(world, now=world.now + timedelta(days=300))
    async with wired(of=later) as wire:
        bill = wire.simulator.edit_bill(101, description="x")

    assert bill.modified == later.now


async def test_a_bill_that_commits_late_appears_before_others(wired, new_bill):
    async with wired() as wire:
        wire.simulator.add_bill(new_bill(150, "LATE", "V-1", "Posted", "3", 45))
        records = await wire.column(_query("APBILL", "WHENMODIFIED"), "WHENMODIFIED")

    assert records[1] == "03/01/2026 11:15:00"


async def test_a_deleted_bill_leaves_only_its_audit_row(wired):
    async with wired() as wire:
        wire.simulator.delete_bill(101)
        bills = await wire.column(_query("APBILL", "RECORDNO"))
        lines = await wire.column(_query("APBILLITEM", "RECORDNO", _where("RECORDKEY", "101")))
        audit = await wire.column(_query("AUDITHISTORY", "OBJECTKEY", _where("ACCESSMODE", "D")), "OBJECTKEY")

    assert "101" not in bills
    assert (lines, audit) == ([], ["101"])


async def test_an_edited_purchase_gets_its_bill_under_a_new_record(wired):
    async with wired() as wire:
        old_lines = await wire.column(_query("APBILLITEM", "RECORDNO", _where("RECORDKEY", "104")))
        record = wire.simulator.edit_purchase("Vendor Invoice-VI-1")
        bills = await wire.column(_query("APBILL", "RECORDNO", _where("RECORDID", "INV-4")))
        new_lines = await wire.column(_query("APBILLITEM", "RECORDNO", _where("RECORDKEY", str(record))))
        named = await wire.column(_query("PODOCUMENT", "PRRECORDKEY"), "PRRECORDKEY")

    assert (record, bills, named) == (107, ["107"], ["107"])
    assert len(new_lines) == len(old_lines) == 2
    assert not set(new_lines) & set(old_lines)


async def test_new_lines_of_a_purchase_are_new_lines_of_its_bill(wired):
    line = SeedLine(number=1, amount=Decimal("5.00"), description="Basil", quantity=Decimal(5), price=Decimal(1))
    async with wired() as wire:
        record = wire.simulator.edit_purchase("Vendor Invoice-VI-1", lines=(line,))
        bill = wire.simulator.bills()[-1]
        quantities = await wire.column(_query("PODOCUMENTENTRY", "UIQTY"), "UIQTY")

    assert (bill.record, bill.total, bill.lines) == (record, Decimal(5), (line,))
    assert quantities == ["5"]


async def test_a_record_number_is_never_given_twice(wired):
    async with wired() as wire:
        first = wire.simulator.edit_purchase("Vendor Invoice-VI-1")
        wire.simulator.delete_bill(106)
        second = wire.simulator.edit_purchase("Vendor Invoice-VI-1")

    assert (first, second) == (107, 108)


async def test_a_renamed_vendor_shows_on_its_bills(wired, world):
    async with wired() as wire:
        before = await wire.column(_query("APBILL", "RECORDNO", _where("VENDORNAME", "Riverbend Produce")))
        wire.simulator.put_vendor(msgspec.structs.replace(world.vendors[0], name="Riverbend Farms"))
        after = await wire.column(_query("APBILL", "RECORDNO", _where("VENDORNAME", "Riverbend Farms")))

    assert before == after == ["101", "102", "104"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda s: s.edit_bill(5),
        lambda s: s.delete_bill(5),
        lambda s: s.edit_purchase("PO-0"),
        lambda s: s.delete_purchase("PO-0"),
        lambda s: s.delete_vendor("V-0"),
        lambda s: s.delete_payment(5),
        lambda s: s.edit_contact("nobody"),
    ],
)
async def test_what_is_not_there_cannot_be_edited(wired, edit):
    async with wired() as wire:
        with pytest.raises(KeyError):
            edit(wire.simulator)


async def test_edits_are_in_the_effects_log(wired):
    async with wired() as wire:
        wire.simulator.edit_bill(101, state="Paid")
        wire.simulator.edit_purchase("Vendor Invoice-VI-1")
        kinds = [effect["kind"] for effect in wire.simulator.effects()]

    assert kinds == ["bill edited", "purchase edited"]


async def test_a_save_that_commits_late_is_seen_late_with_the_time_it_was_made(wired, clock):
    async with wired() as wire:
        wire.simulator.edit_bill(101, state="Paid", visible=clock.now() + timedelta(minutes=5))
        await clock.advance(299)
        before = await wire.column(_query("APBILL", "RECORDNO", _where("STATE", "Paid")))
        await clock.advance(1)
        after = await wire.column(_query("APBILL", "RECORDNO", _where("STATE", "Paid")))
        times = await wire.column(_query("APBILL", "WHENMODIFIED", _where("RECORDNO", "101")), "WHENMODIFIED")

    assert (before, after) == (["102"], ["101", "102"])
    assert times == ["03/01/2026 12:00:00"]


async def test_what_commits_late_is_in_the_audit_history_late(wired, clock):
    async with wired() as wire:
        wire.simulator.delete_bill(102, visible=clock.now() + timedelta(minutes=5))
        before = await wire.column(_query("AUDITHISTORY", "OBJECTKEY"), "OBJECTKEY")
        await clock.advance(300)
        after = await wire.column(_query("AUDITHISTORY", "ACCESSTIME"), "ACCESSTIME")

    assert (before, after) == ([], ["03/01/2026 12:00:00"])


async def test_a_purchase_edited_late_keeps_its_new_record_for_itself(wired, clock, new_bill):
    async with wired() as wire:
        late = wire.simulator.edit_purchase("Vendor Invoice-VI-1", visible=clock.now() + timedelta(minutes=5))
        records = await wire.column(_query("APBILL", "RECORDNO", _where("RECORDID", "INV-4")))
        await clock.advance(300)
        moved = await wire.column(_query("APBILL", "RECORDNO", _where("RECORDID", "INV-4")))

    assert (records, moved) == (["104"], [str(late)])


async def test_a_contact_saved_moves_its_own_time_and_not_its_vendors(wired, clock):
    async with wired() as wire:
        vendor = await wire.column(_query("VENDOR", "WHENMODIFIED", _where("VENDORID", "V-1")), "WHENMODIFIED")
        await clock.advance(60)
        wire.simulator.edit_contact("Riverbend Remit", line1="PO Box 10")
        moved = await wire.column(
            _query("CONTACT", "CONTACTNAME", _where("WHENMODIFIED", "03/01/2026 12:01:00")), "CONTACTNAME"
        )
        same = await wire.column(_query("VENDOR", "WHENMODIFIED", _where("VENDORID", "V-1")), "WHENMODIFIED")
        address = await wire.column(
            _query("VENDOR", "PAYTO.MAILADDRESS.ADDRESS1", _where("VENDORID", "V-1")), "PAYTO.MAILADDRESS.ADDRESS1"
        )

    assert (moved, same, address) == (["Riverbend Remit"], vendor, ["PO Box 10"])


async def test_a_vendor_saved_does_not_move_contacts_it_leaves_as_they_are(wired, world, clock):
    async with wired() as wire:
        before = await wire.column(_query("CONTACT", "WHENMODIFIED"), "WHENMODIFIED")
        wire.simulator.put_vendor(msgspec.structs.replace(world.vendors[0], name="X", modified=clock.now()))
        after = await wire.column(_query("CONTACT", "WHENMODIFIED"), "WHENMODIFIED")

    assert before == after


_MODES = {
    "a bill added": (lambda s, new: s.add_bill(new(150, "N", "V-1", "Posted", "3", 4)), ("apbill", "150", "C")),
    "a bill saved": (lambda s, _: s.edit_bill(101, state="Paid"), ("apbill", "101", "M")),
    "a bill deleted": (lambda s, _: s.delete_bill(101), ("apbill", "101", "D")),
    "a vendor deleted": (lambda s, _: s.delete_vendor("V-1"), ("vendor", "V-1", "D")),
    "a contact saved": (lambda s, _: s.edit_contact("Riverbend Remit", city="X"), ("contact", "Riverbend Remit", "M")),
    "a purchase deleted": (
        lambda s, _: s.delete_purchase("Vendor Invoice-VI-1"),
        ("podocument", "Vendor Invoice-VI-1", "D"),
    ),
}


@pytest.mark.parametrize(("edit", "row"), _MODES.values(), ids=_MODES.keys())
async def test_the_audit_history_tells_what_was_done(wired, new_bill, edit, row):
    async with wired() as wire:
        edit(wire.simulator, new_bill)
        columns = [await wire.column(_query("AUDITHISTORY", f), f) for f in ("OBJECTTYPE", "OBJECTKEY", "ACCESSMODE")]

    assert row in set(zip(*columns, strict=True))


async def test_a_purchase_edited_deletes_its_bill_by_the_system(wired):
    async with wired() as wire:
        wire.simulator.edit_purchase("Vendor Invoice-VI-1")
        keys = await wire.column(_query("AUDITHISTORY", "OBJECTKEY", _where("SOURCE", "system")), "OBJECTKEY")

    assert sorted(keys) == ["104", "107"]


async def test_read_by_query_compares_access_modes_as_words(wired):
    statement = "ACCESSMODE = '{}' and OBJECTTYPE = 'apbill'"
    function = "<readByQuery><object>AUDITHISTORY</object><fields>ID</fields><query>{}</query></readByQuery>"
    async with wired() as wire:
        wire.simulator.delete_bill(101)
        word = await wire.call(function.format(statement.format("Delete")))
        letter = await wire.call(function.format(statement.format("D")))

    assert [each.find("data").get("count") for each in (word, letter)] == ["1", "0"]


async def test_a_page_with_a_spoilt_row_fails_as_a_whole(wired):
    async with wired() as wire:
        wire.simulator.delete_bill(101)
        wire.simulator.delete_bill(102)
        wire.simulator.spoil("AUDITHISTORY", 2)
        both = await wire.call(_query("AUDITHISTORY", "ID"))
        first = await wire.call(_query("AUDITHISTORY", "ID", "<pagesize>1</pagesize>"))

    assert "There was an error processing the request" in both.findtext(".//description2")
    assert first.findtext("status") == "success"


async def test_a_deleted_payment_takes_its_details_with_it(clock):
    world = build_world(seed=3, bills=60)
    async with IntacctSimulator(world, clock) as simulator:
        record = world.payments[0].record
        tables = simulator._gateway.books.tables
        simulator.delete_payment(record)

    assert record not in tables["APPYMT"].rows
    assert not any(row.payment.record == record for row in tables["APPYMTDETAIL"].rows.values())
