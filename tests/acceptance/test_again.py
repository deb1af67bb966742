"""Running again: what is known is not sent again, what changed is sent as a new version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from stages.ap.seed import SeedBill, SeedLine

BILLS = 60
DELIVERED = "select key, address, partner, set_code from documents where status = 'delivered' and version = 1"
HOLDERS = ("PRAIRIEGATE", "LAITERIENORD")  # their files say  amendments: hold


async def test_running_again_delivers_nothing(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        first = (await rig.run()).json
        effects, cursors = len(rig.sterling.effects()), rig.rows("select * from cursors")
        for window in ((), ("--since", "2020-01-01"), ("--since", "2020-01-01", "--until", "2030-12-31")):
            again = await rig.run(*window)
            report = again.json
            assert (again.code, report["balanced"]) == (0, True), again.err
            assert (report["delivered"], report["documents"], report["interchanges"]) == (0, 0, 0)
            assert len(rig.sterling.effects()) == effects
            if window:  # everything was read again, and each of the delivered is unchanged
                assert report["read"] == first["read"]
                assert report["unchanged"] == first["delivered"]
                assert report["excluded"] == first["excluded"]
                assert rig.rows("select * from cursors") == cursors, "an explicit window does not move the cursor"
            cursors = rig.rows("select * from cursors")


async def test_what_the_document_says_changed_so_a_replacement_is_sent_under_a_new_number(rigs: Any) -> None:
    """A line of a bill entered in AP, and a quantity of a purchasing document."""
    async with rigs(BILLS) as rig:
        await rig.run()
        bill, mailbox = _entered_in_ap(rig)
        docid, purchased, documents = _purchased(rig)
        before = len(rig.far.arrivals())
        rig.intacct.edit_bill(bill.record, total=bill.total * 2, lines=_doubled(bill, 1))
        rig.intacct.edit_purchase(docid, lines=_doubled(purchased, 2))
        outcome = await rig.run()
        assert (outcome.code, outcome.json["delivered"], outcome.json["documents"]) == (0, 2, 1 + documents), (
            outcome.err
        )
        purposes = [purpose for effect in rig.far.arrivals()[before:] for purpose in _purposes(rig, effect)]
        assert sorted(purposes) == sorted(
            [(mailbox, bill.number, "05"), *((place, number, "05") for place, number in _places(rig, docid, purchased))]
        )
        for key in (str(bill.record), docid):
            versions = rig.rows(
                "select version, replaces is not null from documents where key = ? order by version", key
            )
            assert {*versions} == {(1, 0), (2, 1)}
        await rig.check_exactly_once()


async def test_what_no_document_says_changed_so_nothing_is_sent(rigs: Any) -> None:
    """A payment, and a purchasing document saved anew, which makes its bill under another record number."""
    async with rigs(BILLS) as rig:
        await rig.run()
        bill, _ = _entered_in_ap(rig, state="Posted")
        docid, purchased, _ = _purchased(rig)
        before = len(rig.far.arrivals())
        rig.intacct.edit_bill(bill.record, state="Paid")
        assert rig.intacct.edit_purchase(docid) != purchased.record
        outcome = await rig.run()
        assert (outcome.code, outcome.json["delivered"], outcome.json["documents"]) == (0, 0, 0), outcome.err
        assert outcome.json["unchanged"] >= 2
        assert len(rig.far.arrivals()) == before


async def test_an_edit_is_held_for_a_partner_who_books_what_comes_first(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await rig.run()
        bill, mailbox = _entered_in_ap(rig)
        file = _partner_file(rig, mailbox)
        file.write_text(file.read_text("utf-8") + "amendments: hold\n", "utf-8")
        rig.intacct.edit_bill(bill.record, number=f"{bill.number}A")
        before = len(rig.far.arrivals())
        outcome = await rig.run()
        assert (outcome.code, outcome.json["held"], outcome.json["balanced"]) == (5, 1, True), outcome.err
        assert len(rig.far.arrivals()) == before
        assert rig.rows("select code from dead_letters where state = 'open'") == [("MLC-DOC-0002",)]


async def test_what_one_partner_has_is_not_sent_to_another_and_a_change_of_it_waits_for_a_person(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await rig.run()
        bill, mailbox = _entered_in_ap(rig)
        file, before = _partner_file(rig, mailbox), len(rig.far.arrivals())
        file.write_text(file.read_text("utf-8").replace("partner: ", "partner: NEW"), "utf-8")
        moved = await rig.run("--since", "2020-01-01")
        assert (moved.code, moved.json["documents"], len(rig.far.arrivals())) == (0, 0, before), moved.err
        rig.intacct.edit_bill(bill.record, total=bill.total * 2, lines=_doubled(bill, 1))
        assert (await rig.run()).json["held"] == 1
        ((letter, code),) = rig.rows("select id, code from dead_letters where state = 'open'")
        assert (code, len(rig.far.arrivals())) == ("MLC-DOC-0005", before)
        assert (await rig.command("replay", f"x-{letter}")).code == 0
        assert len(rig.far.arrivals()) == before + 1


async def test_a_bill_that_changed_and_goes_to_nobody_any_more_waits_for_a_person(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await rig.run()
        bill, mailbox = _entered_in_ap(rig)
        _partner_file(rig, mailbox).unlink()
        assert (await rig.run("--since", "2020-01-01")).code == 0
        rig.intacct.edit_bill(bill.record, total=bill.total * 2, lines=_doubled(bill, 1))
        assert (await rig.run()).json["held"] == 1
        assert rig.rows("select code from dead_letters where state = 'open'") == [("MLC-DOC-0003",)]


def _partner_file(rig: Any, mailbox: str) -> Path:
    files: list[Path] = list(rig.flows.glob("partners/*.yaml"))
    return next(file for file in files if f"mailbox: {mailbox}\n" in file.read_text("utf-8"))


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


def _doubled(bill: SeedBill, times: int) -> tuple[SeedLine, ...]:
    """The lines at twice the amount; with ``times`` 2 because twice as much was bought."""
    return tuple(
        msgspec.structs.replace(line, amount=line.amount * 2, quantity=line.quantity * times) for line in bill.lines
    )


def _places(rig: Any, docid: str, bill: SeedBill) -> list[tuple[str, str]]:
    """Mailbox and number of each document of a purchase: the bill's in an 810, the order's in an 850."""
    purchase = next(purchase for purchase in rig.world.purchases if purchase.id == docid)
    found = rig.rows("select distinct address, set_code from documents where key = ?", docid)
    return [(address, bill.number if set_code == "810" else purchase.order_number) for address, set_code in found]


def _purposes(rig: Any, effect: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(mailbox, document number, purpose code) of each set in a message."""
    found = []
    for body in rig.far.sets(effect):
        head = [*body[1], *[""] * 12]
        number, purpose = (head[2], head[8]) if head[0] == "BIG" else (head[3], head[1])
        found.append((effect["mailbox"], number, purpose))
    return found
