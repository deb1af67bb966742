"""kill -9 at every kind of moment: afterwards the mailboxes are as if nothing had happened."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from stages.sterling.simulator import Fault

WAYS_UP = [
    pytest.param("messagebatches", "POST messagebatches", id="one call"),
    pytest.param("documents", "POST mailboxmessages", id="document then message"),
]
BILLS = 60


@pytest.mark.parametrize(
    ("upload", "call", "others"),
    [
        pytest.param("messagebatches", "POST messagebatches", 0, id="one call"),
        pytest.param("documents", "POST mailboxmessages", 0, id="document then message"),
        pytest.param("messagebatches", "POST messagebatches", 1300, id="one call, 1,300 other messages there"),
    ],
)
async def test_killed_between_effect_and_response_is_found_and_not_sent_again(
    rigs: Any, reference: Any, upload: str, call: str, others: int
) -> None:
    async with rigs(BILLS) as rig:
        rig.set_connection("b2bi", f"upload: {upload}")
        for number in range(others):
            rig.sterling.deposit("/RIVERBEND/Inbound", f"other-{number}.txt", b"not ours")
        fault = rig.sterling.faults.add(Fault(kind="hold", match=call, skip=3, on_effect=rig.kill))
        child = await rig.start_run()
        assert (await child.ends()).code == -9
        rig.sterling.faults.clear()
        assert fault.hits == 1
        lost = rig.far.arrivals()[3]["name"]
        sql = "select v.state, a.committed_at is not null from deliveries v join attempts a on a.delivery = v.id where v.name = ?"
        assert rig.rows(sql, lost) == [("sending", 1)]

        rig.sterling.requests.clear()
        outcome = await rig.run()
        assert outcome.code == 0, outcome.err
        assert outcome.json["balanced"]
        sql = (
            "select state, attempts, a.outcome from deliveries v join attempts a on a.delivery = v.id where v.name = ?"
        )
        assert rig.rows(sql, lost) == [("delivered", 1, "delivered by find")]
        if others:  # one look on signing in, and at least two windows of a list of more than a thousand
            assert sum(line == "GET mailboxmessages" for line, _ in rig.sterling.requests) >= 3
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


@pytest.mark.parametrize(("upload", "call"), WAYS_UP)
async def test_killed_before_the_effect_is_sent_once_by_the_next_run(
    rigs: Any, reference: Any, upload: str, call: str
) -> None:
    async with rigs(BILLS) as rig:
        rig.set_connection("b2bi", f"upload: {upload}")
        seen: list[str] = []

        def third(line: str) -> bool:
            if line == call:
                seen.append(line)
                if len(seen) == 3:
                    rig.kill()
            return line == call and len(seen) >= 3

        rig.sterling.faults.add(Fault(kind="reset", match=third, times=None))
        child = await rig.start_run()
        assert (await child.ends()).code == -9
        rig.sterling.faults.clear()
        before = len(rig.far.arrivals())
        assert before <= 2
        assert (await rig.run()).code == 0
        assert rig.rows("select count(*) from deliveries where attempts = 2")[0][0] >= 1
        assert rig.rows("select status from runs") == [("failed",), ("clean",)]
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def test_killed_with_the_document_uploaded_and_no_message_yet_sends_the_message_once(
    rigs: Any, reference: Any
) -> None:
    async with rigs(BILLS) as rig:
        rig.set_connection("b2bi", "upload: documents")
        rig.sterling.faults.add(Fault(kind="hold", match="POST documents", skip=2, on_effect=rig.kill))
        child = await rig.start_run()
        assert (await child.ends()).code == -9
        rig.sterling.faults.clear()
        assert (await rig.run()).code == 0
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


@pytest.mark.parametrize("page", [1, 3])
async def test_killed_while_reading_a_page_reads_on_from_what_was_committed(
    rigs: Any, reference: Any, every_gateway_call: Any, page: int
) -> None:
    async with rigs(BILLS) as rig:
        rig.small_pages(15)
        pages = 0

        def count(call: Any) -> None:
            nonlocal pages
            pages += ("query", "APBILL") in call.functions
            if pages == page:
                rig.kill()

        every_gateway_call(rig.intacct, count)
        child = await rig.start_run()
        assert (await child.ends()).code == -9
        rig.intacct.faults.clear()
        assert (await rig.run()).code == 0
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def test_killed_after_a_page_was_committed_goes_on_behind_it(
    rigs: Any, reference: Any, every_gateway_call: Any
) -> None:
    async with rigs(BILLS) as rig:
        rig.small_pages(15)

        def after_commit(call: Any) -> None:
            if rig.store.exists() and _committed(rig):
                rig.kill()

        every_gateway_call(rig.intacct, after_commit)
        child = await rig.start_run()
        assert (await child.ends()).code == -9
        rig.intacct.faults.clear()
        assert _committed(rig)
        outcome = await rig.run()
        assert outcome.code == 0
        assert outcome.json["read"] < BILLS, "the committed page was read again as a whole"
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


def _committed(rig: Any) -> bool:
    tables = rig.rows("select count(*) from sqlite_schema where name = 'cursors'")[0][0]
    return bool(tables and rig.rows("select count(*) from cursors")[0][0])


async def test_killed_eight_times_at_random_points_still_delivers_everything_exactly_once(
    rigs: Any, reference: Any, every_gateway_call: Any
) -> None:
    rng = random.Random(20261124)
    async with rigs(BILLS) as rig:
        rig.small_pages(15)
        rig.edit(("times: 8, first: 1s", "times: 8, first: 10ms"))
        for round_ in range(8):
            if round_ % 2:
                await _kill_after(rig, rng.uniform(0, 0.25), every_gateway_call)
            else:
                await _kill_at_request(rig, rng.randint(6, 30), rng.random() < 0.5, every_gateway_call)
            rig.sterling.faults.clear()
            rig.intacct.faults.clear()
        outcome = await rig.run()
        assert outcome.code == 0, outcome.err
        assert outcome.json["balanced"]
        assert outcome.json["in_doubt"] == outcome.json["in_flight"] == 0
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def _kill_after(rig: Any, seconds: float, every_gateway_call: Callable[..., None]) -> None:
    """Some time after the first request, wherever the process then is: in a commit, in a call, done."""
    begun = asyncio.Event()
    every_gateway_call(rig.intacct, lambda call: begun.set())
    child = await rig.start_run()
    await begun.wait()
    await asyncio.sleep(seconds)
    await child.dies()
    await child.ends()


async def _kill_at_request(rig: Any, number: int, after: bool, every_gateway_call: Callable[..., None]) -> None:
    """At the n-th request to either system; at Sterling before or after it took effect."""
    seen = 0

    def heard(call: Any) -> bool:
        nonlocal seen
        seen += 1
        if seen == number and not (after and isinstance(call, str)):
            rig.kill()
        return seen == number

    kill: Callable[[], Awaitable[None] | None] | None = rig.kill if after else None
    every_gateway_call(rig.intacct, heard)
    rig.sterling.faults.add(Fault(kind="reset", match=heard, after=after, times=None, on_effect=kill))
    child = await rig.start_run()
    await child.ends()


async def test_killed_while_making_trading_partners_makes_each_of_them_once(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        flow = ("run", str(rig.flows / "vendors.yaml"), "--json")
        rig.sterling.faults.add(Fault(kind="hold", match="POST tradingpartners", skip=7, on_effect=rig.kill))
        assert (await (await rig.start(*flow)).ends()).code == -9
        rig.sterling.faults.clear()
        outcome = await rig.command(*flow)
        assert (outcome.code, outcome.json["balanced"]) == (0, True), outcome.err
        made = [effect["code"] for effect in rig.sterling.effects() if effect["effect"] == "partner.created"]
        assert len(made) == len(set(made))
        assert set(made) == {code for (code,) in rig.rows("select lane from deliveries where state = 'delivered'")}
        assert rig.rows("select count(*) from documents where status <> 'delivered'") == [(0,)]
        before = len(rig.sterling.effects())
        assert (await rig.command(*flow, "--since", "2000-01-01")).json["delivered"] == 0
        assert len(rig.sterling.effects()) == before
        assert await rig.audit() is None
