"""Edits while the simulator runs, as its company's users would make them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from stages.ap.seed import SeedLine


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
    "edit", [lambda s: s.edit_bill(5), lambda s: s.delete_bill(5), lambda s: s.edit_purchase("PO-0")]
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
