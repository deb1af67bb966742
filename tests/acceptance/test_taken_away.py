"""Partners take their messages away as soon as they come: nothing is taken for lost that arrived, and nothing is put there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from stages.sterling.simulator import Fault, Switches, answers, correspondence, open_mailbox, outbound
from stages.sterling.simulator.interchanges import read

BILLS = 60
LOST = 5


@asynccontextmanager
async def taking(rig: Any, behaviour: Any, how: Any = "delete") -> AsyncIterator[Any]:
    """All partners of the rig behave alike, and take what they are sent at once."""
    partners = list(rig.world.partners)
    for partner in partners:
        open_mailbox(rig.sterling.hub, outbound(partner.mailbox))
    codes = [partner.code for partner in partners]
    async with correspondence(rig.sterling, partners, dict.fromkeys(codes, behaviour), dict.fromkeys(codes, how)) as c:
        yield c


def arrivals(rig: Any) -> Counter[str]:
    return Counter(str(effect["name"]) for effect in rig.far.arrivals())


def states(rig: Any) -> dict[str, int]:
    return dict(rig.rows("select state, count(*) from deliveries group by state"))


async def read_answers(rig: Any) -> None:
    told = await rig.command("run", str(rig.flows / "acknowledgements.yaml"), "--json")
    assert (told.code, told.json["dead"]) == (0, 0), told.err


PURGED = Switches(extractions=1, purge_after=0.0)


@pytest.mark.parametrize(("how", "switches"), [("delete", None), ("extract", PURGED)], ids=["deleted", "purged"])
@pytest.mark.parametrize("list_by", ["mailboxmessages", "mailboxcontents"])
async def test_what_was_taken_before_it_could_be_looked_for_is_not_sent_twice_and_its_answer_settles_it(
    rigs: Any, how: str, switches: Any, list_by: str
) -> None:
    async with rigs(BILLS, switches) as rig, taking(rig, "accept", how):
        rig.set_connection("b2bi", f"list_by: {list_by}")
        rig.sterling.faults.add(Fault(kind="reset", match="POST messagebatches", times=LOST, after=True))
        first = await rig.run("--wait", "200ms")
        assert (first.code, first.json["balanced"], states(rig)["in_doubt"]) == (5, True, LOST)
        await read_answers(rig)
        last = await rig.run("--wait", "200ms")
        assert last.json["balanced"], last.err
        assert states(rig) == {"delivered": len(arrivals(rig))}
        assert set(arrivals(rig).values()) == {1}
        assert not [effect for effect in rig.sterling.effects() if effect["effect"] == "message.replaced"]
        assert await rig.audit() is None


async def test_what_was_taken_by_a_partner_that_never_answers_stays_in_doubt(rigs: Any) -> None:
    async with rigs(BILLS) as rig, taking(rig, "never"):
        rig.sterling.faults.add(Fault(kind="reset", match="POST messagebatches", times=LOST, after=True))
        for _ in range(2):
            told = await rig.run("--wait", "200ms")
            assert (told.code, states(rig)["in_doubt"]) == (5, LOST)
        assert set(arrivals(rig).values()) == {1}
        problems = [text for (text,) in rig.rows("select problem from deliveries where state = 'in_doubt'")]
        assert all("taken the message away" in text for text in problems), problems


async def test_after_a_day_without_an_answer_a_person_is_asked_and_a_later_answer_still_settles_it(rigs: Any) -> None:
    async with rigs(BILLS) as rig, taking(rig, "never"):
        rig.sterling.faults.add(Fault(kind="reset", match="POST messagebatches", times=1, after=True))
        await rig.run("--wait", "200ms")
        two_days_pass(rig)
        told = await rig.run("--wait", "10s")
        assert (told.code, "in_doubt" in states(rig), states(rig)["dead"]) == (5, False, 1)
        (letter,) = (await rig.command("dead", "--json")).json["items"]
        assert (letter["code"], letter["owner"]) == ("MLC-DLV-0012", "EDI desk")
        ((payload, address),) = rig.rows("select payload, address from deliveries where state = 'dead'")
        found = read(payload)
        said = [answers.functional(group, ["A"] * len(group.sets)) for group in found.groups]
        late = answers.interchange(found, 901, datetime.now(UTC), said, ("FA", "997"))
        rig.sterling.deposit(outbound(address), "late.edi", late)
        await read_answers(rig)
        assert (states(rig), set(arrivals(rig).values())) == ({"delivered": len(arrivals(rig))}, {1})
        assert (await rig.command("dead", "--json")).json["items"] == []


async def test_what_the_partner_says_it_never_got_is_sent_again_by_a_replay_under_the_same_numbers(rigs: Any) -> None:
    async with rigs(BILLS) as rig, taking(rig, "never"):
        rig.sterling.faults.add(Fault(kind="reset", match="POST messagebatches", times=1, after=True))
        await rig.run("--wait", "200ms")
        two_days_pass(rig)
        await rig.run("--wait", "10s")
        ((name, payload),) = rig.rows("select name, payload from deliveries where state = 'dead'")
        before = arrivals(rig)
        told = await rig.command("replay", "--error", "MLC-DLV-0012")
        assert (told.code, states(rig)) == (0, {"delivered": len(before)}), told.err
        assert (arrivals(rig) - before)[name] == 1
        assert rig.rows("select payload from deliveries where name = ?", name) == [(payload,)]


def two_days_pass(rig: Any) -> None:
    rig.tamper(
        "update attempts set ended_at = date(substr(ended_at, 1, 10), '-2 days') || substr(ended_at, 11),"
        " committed_at = date(substr(committed_at, 1, 10), '-2 days') || substr(committed_at, 11)"
    )


@pytest.mark.parametrize("upload", ["messagebatches", "documents"])
async def test_what_never_arrived_is_sent_again_once_though_all_else_is_taken_away(rigs: Any, upload: str) -> None:
    async with rigs(BILLS) as rig, taking(rig, "accept"):
        rig.set_connection("b2bi", f"upload: {upload}")
        call = "messagebatches" if upload == "messagebatches" else "mailboxmessages"
        rig.sterling.faults.add(Fault(kind="reset", match=f"POST {call}", times=LOST))
        assert (await rig.run()).code == 0
        assert states(rig) == {"delivered": len(arrivals(rig))}
        assert set(arrivals(rig).values()) == {1}
        rig.sterling.requests.clear()
        assert (await rig.run()).code == 0  # the second looks
        looked = len([line for line, _ in rig.sterling.requests if line == "GET documents"])
        assert looked == (LOST if upload == "messagebatches" else 0)
        rig.sterling.requests.clear()
        assert (await rig.run()).code == 0
        assert not [line for line, _ in rig.sterling.requests if line == "GET documents"]


async def test_two_calls_leave_nothing_behind_that_tells_and_the_partner_refuses_the_second_copy_by_its_number(
    rigs: Any,
) -> None:
    async with rigs(BILLS) as rig, taking(rig, "accept") as partners:
        rig.set_connection("b2bi", "upload: documents")
        rig.sterling.faults.add(Fault(kind="reset", match="POST mailboxmessages", times=LOST, after=True))
        assert (await rig.run()).code == 0
        assert sorted(arrivals(rig).values())[-LOST:] == [2] * LOST
        assert [why.partition(": ")[2] for why in partners.refused] == ["this interchange came before"] * LOST
        await read_answers(rig)
        assert rig.rows("select distinct acknowledgement from documents where status = 'delivered'") == [("accepted",)]


async def test_a_server_whose_documents_may_not_be_listed_leaves_the_look_at_messages(rigs: Any) -> None:
    async with rigs(BILLS) as rig, taking(rig, "accept"):
        rig.sterling.faults.add(Fault(kind="html", status=403, match="GET documents*", times=None))
        rig.sterling.faults.add(Fault(kind="reset", match="POST messagebatches", times=LOST))
        assert (await rig.run()).code == 0
        assert set(arrivals(rig).values()) == {1}
