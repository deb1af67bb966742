"""Running again: what is known is not sent again, what changed is sent as a new version."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from stages.ap.seed import SeedBill

BILLS = 60
DELIVERED = "select key, address, partner, set_code from documents where status = 'delivered' and version = 1"
HOLDERS = ("PRAIRIEGATE", "LAITERIENORD")  # their files say  amendments: hold


@pytest.mark.parametrize("window", [(), ("--since", "2020-01-01"), ("--since", "2020-01-01", "--until", "2030-12-31")])
async def test_running_again_delivers_nothing(rigs: Any, window: tuple[str, ...]) -> None:
    async with rigs(BILLS) as rig:
        first = (await rig.run()).json
        before = len(rig.sterling.effects())
        again = await rig.run(*window)
        report = again.json
        assert again.code == 0, again.err
        assert len(rig.sterling.effects()) == before
        assert (report["delivered"], report["documents"], report["interchanges"]) == (0, 0, 0)
        assert report["balanced"]
        if window:  # everything was read again, and each of the delivered is unchanged
            assert report["read"] == first["read"]
            assert report["unchanged"] == first["delivered"]
            assert report["excluded"] == first["excluded"]


async def test_an_explicit_window_does_not_move_the_cursor(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        assert (await rig.run("--since", "2020-01-01")).code == 0
        assert rig.rows("select count(*) from cursors") == [(0,)]


async def test_an_edited_bill_becomes_version_two_with_a_new_number(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await rig.run()
        bill, mailbox = _entered_in_ap(rig)
        before = len(rig.far.arrivals())
        line = bill.lines[0]
        rig.intacct.edit_bill(
            bill.record,
            total=bill.total + Decimal("1.00"),
            lines=(msgspec.structs.replace(line, amount=line.amount + Decimal("1.00")), *bill.lines[1:]),
        )
        outcome = await rig.run()
        report = outcome.json
        assert (outcome.code, report["delivered"], report["documents"]) == (0, 1, 1), outcome.err
        (effect,) = rig.far.arrivals()[before:]
        assert effect["mailbox"] == mailbox
        big = _segment(rig, effect, "BIG")
        assert (big[2], big[8]) == (bill.number, "05")
        assert rig.rows("select version, replaces is not null from documents where key = ? order by version", str(bill.record)) == [
            (1, 0),
            (2, 1),
        ]
        await rig.check_exactly_once()


async def test_a_bill_that_was_paid_is_not_sent_again(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await rig.run()
        bill, _ = _entered_in_ap(rig, state="Posted")
        before = len(rig.far.arrivals())
        rig.intacct.edit_bill(bill.record, state="Paid")
        outcome = await rig.run()
        assert (outcome.code, outcome.json["delivered"]) == (0, 0), outcome.err
        assert outcome.json["unchanged"] >= 1
        assert len(rig.far.arrivals()) == before


async def test_a_purchasing_edit_that_only_renumbers_the_bill_sends_nothing(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await rig.run()
        docid, bill, _ = _purchased(rig)
        before = len(rig.far.arrivals())
        record = rig.intacct.edit_purchase(docid)
        assert record != bill.record
        outcome = await rig.run()
        assert (outcome.code, outcome.json["delivered"]) == (0, 0), outcome.err
        assert outcome.json["unchanged"] >= 1
        assert len(rig.far.arrivals()) == before


async def test_a_purchasing_edit_of_a_quantity_sends_a_replacement(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await rig.run()
        docid, bill, documents = _purchased(rig)
        before = len(rig.far.arrivals())
        line = bill.lines[0]
        price = line.amount / line.quantity
        more = msgspec.structs.replace(line, quantity=line.quantity * 2, amount=line.amount * 2, price=line.price and price)
        rig.intacct.edit_purchase(docid, lines=(more, *bill.lines[1:]))
        outcome = await rig.run()
        assert (outcome.code, outcome.json["delivered"], outcome.json["documents"]) == (0, 1, documents), outcome.err
        sent = [read for effect in rig.far.arrivals()[before:] for read in [_segment(rig, effect, "BIG", "BEG")]]
        assert len(sent) == documents
        assert all((segment[8] if segment[0] == "BIG" else segment[1]) == "05" for segment in sent)
        await rig.check_exactly_once()


async def test_an_edit_is_held_for_a_partner_who_books_what_comes_first(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await rig.run()
        bill, mailbox = _entered_in_ap(rig)
        file = next(file for file in rig.flows.glob("partners/*.yaml") if f"mailbox: {mailbox}\n" in file.read_text("utf-8"))
        file.write_text(file.read_text("utf-8") + "amendments: hold\n", "utf-8")
        rig.intacct.edit_bill(bill.record, number=f"{bill.number}A")
        before = len(rig.far.arrivals())
        outcome = await rig.run()
        assert (outcome.code, outcome.json["held"], outcome.json["balanced"]) == (5, 1, True), outcome.err
        assert len(rig.far.arrivals()) == before
        assert rig.rows("select code from dead_letters where state = 'open'") == [("MLC-DOC-0002",)]


def _entered_in_ap(rig: Any, state: str = "") -> tuple[SeedBill, str]:
    """A delivered bill that people typed in, and its partner's mailbox."""
    mailboxes = {key: address for key, address, partner, _ in rig.rows(DELIVERED) if partner not in HOLDERS}
    bill = next(
        bill for bill in rig.intacct.bills()
        if str(bill.record) in mailboxes and bill.purchase is None and state in ("", bill.state)
    )  # fmt: skip
    return bill, mailboxes[str(bill.record)]


def _purchased(rig: Any) -> tuple[str, SeedBill, int]:
    """A delivered bill made by Purchasing: its document's id, the bill, and how many documents it became."""
    keys = [key for key, _, partner, _ in rig.rows(DELIVERED) if partner not in HOLDERS]
    bill = next(bill for bill in rig.intacct.bills() if bill.purchase in keys)
    assert bill.purchase is not None
    return bill.purchase, bill, keys.count(bill.purchase)


def _segment(rig: Any, effect: Mapping[str, Any], *names: str) -> list[str]:
    """The first segment of one of these names in a message, its elements padded with empty ones."""
    text = rig.sterling.payload(effect["message"]).decode()
    segments = [part.strip("\r\n").split(text[3]) for part in text.split(text[105])]
    return next(segment for segment in segments if segment[0] in names) + [""] * 12
