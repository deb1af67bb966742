"""What needed a person goes out once after they did their part."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from pipeline.clock import SystemClock
from pipeline.store import open_ledger
from stages.sterling.simulator import Fault

BILLS = 120  # enough for the planted failures
BATCH = "POST messagebatches"


def _record(rig: Any, reason: str) -> int:
    """The bill planted for this reason."""
    return int(next(record for record, why in rig.world.planted.items() if why == reason))


def _letter(rig: Any, record: int) -> str:
    """The open exception about a bill, under its record number or its purchasing document's id."""
    bill = next(bill for bill in rig.intacct.bills() if bill.record == record)
    ((letter,),) = rig.rows(
        "select id from dead_letters where state = 'open' and key in (?, ?)", str(record), bill.purchase or ""
    )
    return f"x-{letter}"


async def _replay(rig: Any, *arguments: str, **environment: str) -> list[Mapping[str, Any]]:
    """What arrived by it, for a replay that must end well and deliver one record."""
    before = len(rig.far.arrivals())
    outcome = await rig.command("replay", *arguments, "--json", **environment)
    assert outcome.code == 0, outcome.err
    assert [run["balanced"] for run in outcome.json["runs"]] == [True]
    arrived = list(rig.far.arrivals()[before:])
    state = rig.rows("select state from dead_letters where id = ?", int(arguments[0].removeprefix("x-")))
    assert state[0][0] in ("replayed", "resolved")
    await rig.check_exactly_once()
    return arrived


async def test_a_bill_corrected_in_the_books_is_delivered_once(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        assert (await rig.run()).code == 5
        record = _record(rig, "bill number too long")
        letter = _letter(rig, record)
        rig.intacct.edit_bill(record, number="SHORT-1")
        (arrived,) = await _replay(rig, letter)
        assert b"SHORT-1" in rig.sterling.payload(arrived["message"])
        again = await rig.command("replay", letter)
        assert again.code == 2, "an exception is replayed once"
        assert (await rig.run()).code == 0
        assert rig.far.arrivals()[-1] == arrived


async def test_a_replay_of_what_was_not_corrected_stays_an_exception(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await rig.run()
        letter = _letter(rig, _record(rig, "bill number too long"))
        before = len(rig.far.arrivals())
        outcome = await rig.command("replay", letter, "--json")
        assert (outcome.code, [run["dead"] for run in outcome.json["runs"]]) == (5, [1])
        assert len(rig.far.arrivals()) == before
        assert rig.rows("select state, times from dead_letters where id = ?", int(letter[2:])) == [("open", 2)]


async def test_a_unit_added_to_a_copied_partner_file_lets_the_bill_go(rigs: Any, tmp_path: Any) -> None:
    async with rigs(BILLS) as rig:
        partners = shutil.copytree(rig.flows / "partners", tmp_path / "ours")
        await rig.run(MLC_PARTNERS=str(partners))
        letter = _letter(rig, _record(rig, "unmapped unit"))
        file = partners / "copperkettle.yaml"
        text = file.read_text("utf-8")
        assert "guide:\n" in text
        file.write_text(text.replace("guide:\n", "guide:\n  units: { Tote: CH }\n"), "utf-8")
        (arrived,) = await _replay(rig, letter, MLC_PARTNERS=str(partners))
        assert arrived["mailbox"] == "/COPPERKETTLE/Inbound"
        assert b"*CH*" in rig.sterling.payload(arrived["message"])


async def test_a_suspected_duplicate_is_sent_once_when_it_is_released(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await rig.run()
        record = _record(rig, "suspected duplicate")
        letter = _letter(rig, record)
        assert rig.rows("select code from dead_letters where id = ?", int(letter[2:])) == [("MLC-DOC-0001",)]
        (arrived,) = await _replay(rig, letter)
        assert arrived["mailbox"] == "/GRANITESTATE/Inbound"
        assert rig.rows("select status from documents where key = ?", str(record)) == [("delivered",)]
        assert (await rig.run()).code == 0
        assert rig.far.arrivals()[-1] == arrived


async def test_a_refused_delivery_is_dead_and_its_replay_sends_the_same_bytes_and_name(rigs: Any) -> None:
    async with rigs(60) as rig:
        rig.sterling.faults.add(Fault(kind="refused", match=BATCH, skip=1))
        outcome = await rig.run()
        assert (outcome.code, outcome.json["balanced"]) == (5, True)
        assert outcome.json["dead"] >= 1
        ((delivery, name, digest),) = rig.rows("select id, name, digest from deliveries where state = 'dead'")
        ((letter, code),) = rig.rows("select id, code from dead_letters where delivery = ?", delivery)
        assert code == "MLC-STL-0400"
        (arrived,) = await _replay(rig, f"x-{letter}")
        assert (arrived["name"], arrived["sha256"]) == (name, digest)


async def test_replay_by_code_takes_all_of_them(rigs: Any) -> None:
    async with rigs(60) as rig:
        for skip in (1, 4):
            rig.sterling.faults.add(Fault(kind="refused", match=BATCH, skip=skip))
        assert (await rig.run()).code == 5
        before = len(rig.far.arrivals())
        outcome = await rig.command("replay", "--error", "MLC-STL-0400", "--json")
        assert outcome.code == 0, outcome.err
        assert len(rig.far.arrivals()) == before + 2
        assert not rig.rows("select id from dead_letters where state = 'open'")
        await rig.check_exactly_once()


async def test_a_second_replay_at_the_same_time_sends_nothing_again(rigs: Any) -> None:
    """It read the list of exceptions while they were open, and acts when the first replay has sent them."""
    async with rigs(BILLS) as rig:
        rig.sterling.faults.add(Fault(kind="refused", match=BATCH, skip=1))
        await rig.run()
        letters = rig.rows("select id, delivery, document from dead_letters where delivery > 0 or document > 0")
        assert len(letters) == 2
        await rig.command("replay", *(f"x-{letter}" for letter, _, _ in letters))
        await rig.check_exactly_once()
        before = len(rig.far.arrivals())
        async with open_ledger(rig.other_store("ledger"), SystemClock()) as ledger:
            for letter, delivery, document in letters:
                if delivery:
                    await ledger.deliveries.requeue(delivery, "late")
                else:
                    await ledger.deliveries.release(document, letter, "late")
        await rig.run()
        assert len(rig.far.arrivals()) == before
        await rig.check_exactly_once()
