"""Answers that never come, or say something else than what happened: found or sent again, never twice, in the same run."""

from __future__ import annotations

from collections.abc import Callable
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
async def test_calls_that_are_carried_out_after_their_router_gave_up_are_found_and_delivered_once(
    rigs: Any, reference: Any, upload: str, call: str
) -> None:
    """Late, but within the settle time: looked for any sooner, they would have been absent."""
    async with rigs(BILLS) as rig:
        rig.environment["STERLING_SETTLE"] = "1s"
        rig.set_connection("b2bi", f"upload: {upload}")
        faults = [rig.sterling.faults.add(Fault(kind="late", match=call, skip=4 * n, seconds=0.2)) for n in range(4)]
        outcome = await rig.run()
        assert [fault.hits for fault in faults] == [1] * 4
        assert (outcome.code, outcome.json["balanced"]) == (0, True), outcome.err
        assert rig.rows("select count(*) from attempts where outcome = 'delivered by find'") == [(4,)]
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def test_a_maintenance_window_loses_nothing_and_the_next_run_goes_on(rigs: Any, reference: Any) -> None:
    async with rigs(BILLS) as rig:
        rig.edit(("retry: { times: 8, first: 1s, max: 5m }", "retry: { times: 2, first: 10ms, max: 20ms }"))
        rig.sterling.faults.add(Fault(kind="maintenance", match="POST *", skip=5, seconds=3600))
        outcome = await rig.run("--wait", "500ms")
        assert (outcome.code, outcome.json["balanced"]) == (5, True)
        assert 0 < len(rig.far.arrivals()) < outcome.json["interchanges"]
        assert rig.rows("select count(*) from dead_letters where delivery is not null") == [(0,)]
        rig.sterling.faults.clear()
        assert (await rig.run()).json["balanced"]
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


async def test_a_doubt_that_cannot_be_looked_up_stays_an_exception_until_a_later_run_finds_it(
    rigs: Any, reference: Any
) -> None:
    """While the list is down, not found there is not absent; no run may call itself clean before it is settled."""
    async with rigs(BILLS) as rig:
        rig.sterling.faults.add(Fault(kind="reset", match=BATCH, skip=2, after=True))
        rig.sterling.faults.add(Fault(kind="unavailable", match=later_lists(), times=None))
        first = await rig.run("--wait", "300ms")
        assert (first.code, first.json["balanced"], first.json["status"]) == (5, True, "exceptions")
        assert first.json["in_doubt"] > 0
        rig.sterling.faults.clear()
        rig.sterling.faults.add(Fault(kind="unavailable", match=later_lists(), times=None))
        second = await rig.run("--wait", "300ms")
        assert (second.code, second.json["balanced"], second.json["status"]) == (5, True, "exceptions")
        rig.sterling.faults.clear()
        third = await rig.run()
        assert third.code == 0, third.err
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def test_a_delivery_of_an_earlier_run_that_is_refused_now_is_an_exception_of_this_run(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        rig.edit(("times: 8, first: 1s", "times: 1, first: 10ms"))
        rig.sterling.faults.add(Fault(kind="throttled", match=BATCH, skip=2))
        first = await rig.run()
        assert (first.code, first.json["status"]) == (5, "exceptions")
        assert first.json["in_flight"] > 0
        rig.sterling.faults.add(Fault(kind="refused", match=BATCH))
        second = await rig.run()
        assert (second.code, second.json["balanced"], second.json["status"]) == (5, True, "exceptions")


def later_lists() -> Callable[[str], bool]:
    """Matches every list of messages but the first, by which a run makes sure that it may sign in."""
    seen: list[str] = []

    def match(line: str) -> bool:
        seen.extend([line] if line == "GET mailboxmessages" else [])
        return line == "GET mailboxmessages" and len(seen) > 1

    return match


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
        # A person removes one of the two. The replay then finds the other one and sends nothing.
        ((letter, name),) = rig.rows(
            "select x.id, v.name from dead_letters x join deliveries v on v.id = x.delivery where x.code = 'MLC-DLV-0011'"
        )
        copies = [e for e in rig.far.arrivals() if e["name"] == name]
        rig.sterling.consume(copies[0]["message"])
        before = len(rig.far.arrivals())
        assert (await rig.command("replay", f"x-{letter}", "--json")).code == 0
        assert len(rig.far.arrivals()) == before
        assert rig.rows("select state from deliveries where name = ?", name) == [("delivered",)]


async def test_messages_are_named_with_the_prefix_of_the_connection(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        rig.set_connection("b2bi", "message_prefix: harborvale")
        assert (await rig.run()).code == 0
        assert len(rig.far.arrivals("harborvale_")) == len(rig.far.arrivals("")) > 0


async def test_a_run_says_why_deliveries_are_left_waiting(rigs: Any) -> None:
    """A page in place of each answer: nobody can know what became of the call, and whoever reads the cron mail must see what to look for."""
    async with rigs(BILLS) as rig:
        rig.sterling.faults.add(Fault(kind="html", status=403, match=BATCH, times=None))
        outcome = await rig.run("--wait", "100ms")
        assert (outcome.code, rig.far.arrivals()) == (5, [])
        told = [line for line in outcome.err.splitlines() if "deliveries wait" in line]
        assert "HTTP 403 without Sterling's own error text" in told[0], outcome.err
