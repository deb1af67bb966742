"""Answers that never come, or say something else than what happened: found or sent again, never twice, in the same run."""

from __future__ import annotations

from typing import Any

import pytest

from stages.sterling.simulator import Fault

BILLS = 60
BATCH, DOCUMENT, MESSAGE = "POST messagebatches", "POST documents", "POST mailboxmessages"
AFTER: list[dict[str, Any]] = [
    {"kind": "reset", "after": True},
    {"kind": "server_error", "status": 504, "after": True},
    {"kind": "html", "status": 404, "after": True},  # of a proxy that knows nothing of us
    {"kind": "cut"},
    {"kind": "truncated"},
]
BEFORE: list[dict[str, Any]] = [{"kind": "reset"}, {"kind": "html"}, {"kind": "unavailable"}]
WAYS_UP = [("messagebatches", BATCH), ("documents", MESSAGE)]


@pytest.mark.parametrize(("upload", "call"), WAYS_UP)
async def test_answers_lost_after_the_effect_are_found_and_delivered_once(
    rigs: Any, reference: Any, upload: str, call: str
) -> None:
    async with rigs(BILLS) as rig:
        rig.set_connection("b2bi", f"upload: {upload}")
        faults = [rig.sterling.faults.add(Fault(match=call, skip=2 * n + 1, **fault)) for n, fault in enumerate(AFTER)]
        outcome = await rig.run()
        assert [fault.hits for fault in faults] == [1] * len(AFTER)
        assert (outcome.code, outcome.json["balanced"]) == (0, True), outcome.err
        lost = {rig.far.arrivals()[2 * n + 1]["name"] for n in range(len(AFTER))}
        found = rig.rows(
            "select v.name, a.number from deliveries v join attempts a on a.delivery = v.id where a.outcome = 'delivered by find'"
        )
        assert set(found) == {(name, 1) for name in lost}
        assert len(rig.rows("select id from audit where detail like 'in_doubt%'")) == len(AFTER)
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


@pytest.mark.parametrize(("upload", "call"), WAYS_UP)
async def test_calls_lost_before_the_effect_are_proved_absent_twice_and_sent_again_unchanged(
    rigs: Any, reference: Any, upload: str, call: str
) -> None:
    async with rigs(BILLS) as rig:
        rig.set_connection("b2bi", f"upload: {upload}")
        faults = [rig.sterling.faults.add(Fault(match=call, skip=3 * n + 1, **fault)) for n, fault in enumerate(BEFORE)]
        outcome = await rig.run()
        assert [fault.hits for fault in faults] == [1] * len(BEFORE)
        assert (outcome.code, outcome.json["balanced"]) == (0, True), outcome.err
        again = rig.rows("select id, name, digest from deliveries where attempts = 2")
        assert len(again) == len(BEFORE)
        for delivery, name, digest in again:
            history = rig.rows("select detail from audit where subject = ? order by id", f"delivery {delivery}")
            assert sum("Not on the far side at the first look" in detail for (detail,) in history) == 1
            assert sum("Proved absent twice" in detail for (detail,) in history) == 1
            assert [e["sha256"] for e in rig.far.arrivals() if e["name"] == name] == [digest]
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def test_what_cannot_have_taken_effect_is_repeated_without_doubt(rigs: Any, reference: Any) -> None:
    """A document alone reaches nobody, so that its lost id costs an orphan and no more; a pause asked for did nothing."""
    async with rigs(BILLS) as rig:
        rig.set_connection("b2bi", "upload: documents")
        rig.edit(("times: 8, first: 1s", "times: 8, first: 10ms"))
        rig.sterling.faults.add(Fault(kind="reset", match=DOCUMENT, skip=2, after=True))
        rig.sterling.faults.add(Fault(kind="throttled", match=MESSAGE, skip=3, seconds=1))
        outcome = await rig.run()
        assert outcome.code == 0, outcome.err
        assert not rig.rows("select id from audit where detail like 'in_doubt%'")
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def test_a_doubt_that_cannot_be_looked_up_stays_open_and_the_next_run_finds_it(rigs: Any, reference: Any) -> None:
    """The list shows nothing reliable while it is down: not found there is not absent."""
    async with rigs(BILLS) as rig:
        rig.sterling.faults.add(Fault(kind="reset", match=BATCH, skip=2, after=True))
        rig.sterling.faults.add(Fault(kind="unavailable", match="GET mailboxmessages*", skip=1, times=None))
        first = await rig.run("--wait", "300ms")
        report = first.json
        assert (first.code, report["balanced"], report["status"]) == (5, True, "exceptions")
        assert report["in_doubt"] > 0
        rig.sterling.faults.clear()
        second = await rig.run()
        assert second.code == 0, second.err
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def test_what_is_there_twice_or_is_not_ours_is_held_for_a_person(rigs: Any) -> None:
    async with rigs(BILLS) as rig:

        def impostor() -> None:
            effect = rig.far.arrivals()[-1]
            rig.sterling.consume(effect["message"])
            rig.sterling.deposit(effect["mailbox"], effect["name"], b"something else")

        def twin() -> None:
            effect = rig.far.arrivals()[-1]
            rig.sterling.deposit(effect["mailbox"], effect["name"], rig.sterling.payload(effect["message"]))

        for skip, trick in ((0, impostor), (3, twin)):
            rig.sterling.faults.add(Fault(kind="reset", match=BATCH, skip=skip, after=True, on_effect=trick))
        outcome = await rig.run()
        assert (outcome.code, outcome.json["balanced"]) == (5, True)
        assert outcome.json["held"] >= 2
        codes = rig.rows("select code from dead_letters where state = 'open' order by code")
        assert codes == [("MLC-DLV-0010",), ("MLC-DLV-0011",)]


async def test_messages_are_named_with_the_prefix_of_the_connection(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        rig.set_connection("b2bi", "message_prefix: harborvale")
        assert (await rig.run()).code == 0
        assert len(rig.far.arrivals("harborvale_")) == len(rig.far.arrivals("")) > 0
