"""Sealing, attempts and ends: numbers and bytes in one transaction, bytes never change, each end settles its documents."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.record import Counter, Evidence
from pipeline.store.deliveries import _allocate
from pipeline.store.rows import Problem

WRONG = Problem("refused", "T-1", "partner", "refused")


@given(limit=st.integers(1, 50), counts=st.lists(st.integers(1, 7), max_size=40))
def test_numbers_follow_each_other_and_start_again_past_the_limit(limit: int, counts: list[int]) -> None:
    last: dict[tuple[str, str], int] = {}
    expected = 1
    for wanted in counts:
        count = min(wanted, limit)
        numbers, ((scope, name, saved),) = _allocate([Counter("s", "ISA13", count, limit)], last)
        if expected + count - 1 > limit:
            expected = 1
        assert numbers == {"ISA13": expected}
        assert saved == expected + count - 1 <= limit
        last[(scope, name)] = saved
        expected = saved + 1


async def sealed(store: Any, ledger: Any, sealing: Any, *keys: str) -> tuple[int, Any]:
    run, queue = await store.stored(ledger, *(keys or ("1",)))
    await ledger.deliveries.seal(sealing(run, queue))
    head = await ledger.deliveries.head("bills", "sink", "P")
    return run, head


async def test_sealing_freezes_bytes_name_numbers_and_places(store: Any, sealing: Any) -> None:
    async with store.open() as ledger:
        _, head = await sealed(store, ledger, sealing, "1", "2")
        documents = await ledger.reports.documents()
        assert await ledger.deliveries.waiting("bills", "sink", "P", 10) == []
    delivery = head.delivery
    assert delivery.payload == b"1:body 1|body 2"
    assert delivery.digest == hashlib.sha256(delivery.payload).hexdigest()
    assert (delivery.name, delivery.numbers) == (f"P_1_{delivery.digest[:12]}", {"ISA13": 1})
    assert (head.state, head.passed, head.committed, head.last_end) == ("sealed", False, False, None)
    assert sorted((item["key"], item["status"], item["position"]) for item in documents) == [
        ("1", "sealed", 1), ("2", "sealed", 2),
    ]  # fmt: skip


async def test_a_pack_that_raises_takes_no_number_and_seals_nothing(store: Any, sealing: Any) -> None:
    def pack(numbers: Any, now: Any) -> bytes:
        raise DataError("no")

    async with store.open() as ledger:
        run, queue = await store.stored(ledger, "1", "2")
        with pytest.raises(DataError):
            await ledger.deliveries.seal(sealing(run, queue, pack=pack))
        assert await ledger.deliveries.head("bills", "sink", "P") is None
        await ledger.deliveries.seal(sealing(run, queue))
        head = await ledger.deliveries.head("bills", "sink", "P")
    assert (head.delivery.id, head.delivery.numbers) == (1, {"ISA13": 1})


async def test_lanes_that_seal_at_once_share_a_counter_without_a_repeat(store: Any, sealing: Any) -> None:
    shared = [Counter("US:VAN:P", "ISA13")]
    async with store.open() as ledger:
        queues = {}
        for number in range(8):
            run, queues[f"P{number}"] = await store.stored(ledger, str(number), partner=f"P{number}")
        async with anyio.create_task_group() as tasks:
            for lane, queue in queues.items():
                tasks.start_soon(ledger.deliveries.seal, sealing(run, queue, lane=lane, counters=shared))
        heads = [await ledger.deliveries.head("bills", "sink", lane) for lane in queues]
    assert sorted(head.delivery.numbers["ISA13"] for head in heads) == list(range(1, 9))


async def test_a_document_cannot_be_sealed_twice(store: Any, sealing: Any) -> None:
    async with store.open() as ledger:
        run, queue = await store.stored(ledger, "1")
        await ledger.deliveries.seal(sealing(run, queue))
        with pytest.raises(AssertionError, match="taken"):
            await ledger.deliveries.seal(sealing(run, queue))
        assert await ledger.reports.delivery(2) is None


async def test_an_attempt_is_durable_before_it_is_made_and_counts_on(store: Any, sealing: Any) -> None:
    async with store.open() as ledger:
        run, head = await sealed(store, ledger, sealing)
        first = await ledger.deliveries.begin_attempt(head.delivery, run)
        assert (await ledger.deliveries.head("bills", "sink", "P")).state == "sending"
        await ledger.deliveries.waits(first, "retry", WRONG, next_at=None)
        again = await ledger.deliveries.head("bills", "sink", "P")
        second = await ledger.deliveries.begin_attempt(again.delivery, run)
        attempts = await ledger.reports.attempts(head.delivery.id)
    assert (first.attempt, second.attempt) == (1, 2)
    assert second.payload == head.delivery.payload
    assert [(item["number"], item["ended_at"] is None, item["committed_at"]) for item in attempts] == [
        (1, False, None), (2, True, None),
    ]  # fmt: skip


async def test_the_commit_point_is_kept_for_the_attempt_and_for_good(store: Any, sealing: Any) -> None:
    async with store.open() as ledger:
        run, head = await sealed(store, ledger, sealing)
        delivery = await ledger.deliveries.begin_attempt(head.delivery, run)
        await ledger.deliveries.pass_commit_point(delivery)
        during = await ledger.deliveries.head("bills", "sink", "P")
        await ledger.deliveries.waits(delivery, "retry", WRONG, next_at=None)
        await ledger.deliveries.begin_attempt(delivery, run)
        later = await ledger.deliveries.head("bills", "sink", "P")
    assert (during.committed, during.passed) == (True, True)
    assert (later.committed, later.passed) == (False, True)


@pytest.mark.parametrize("key", ["document id", "step.2", "ü", "a b/c"])
async def test_marks_reach_the_next_attempt(store: Any, sealing: Any, key: str) -> None:
    async with store.open() as ledger:
        _, head = await sealed(store, ledger, sealing)
        await ledger.deliveries.mark(head.delivery, key, "one")
        await ledger.deliveries.mark(head.delivery, key, "two")
        await ledger.deliveries.mark(head.delivery, "other", "x")
        again = await ledger.deliveries.head("bills", "sink", "P")
    assert again.delivery.marks == {key: "two", "other": "x"}


async def test_delivered_settles_its_documents_and_starts_their_acknowledgements_clock(
    store: Any, sealing: Any
) -> None:
    async with store.open() as ledger:
        run, queue = await store.stored(ledger, "1", acknowledgement="997", acknowledge_within=86_400.0)
        await ledger.deliveries.seal(sealing(run, queue))
        head = await ledger.deliveries.head("bills", "sink", "P")
        delivery = await ledger.deliveries.begin_attempt(head.delivery, run)
        await ledger.deliveries.delivered(delivery, Evidence("m-7", detail={"via": "x"}), "response")
        (item,) = await ledger.reports.documents()
        whole = await ledger.reports.delivery(delivery.id)
        assert await ledger.deliveries.head("bills", "sink", "P") is None
    due = store.clock.now() + timedelta(days=1)
    assert (item["status"], item["acknowledgement"]) == ("delivered", "waiting")
    assert item["acknowledge_by"].startswith(due.strftime("%Y-%m-%dT%H:%M:%S"))
    assert (whole["state"], msgspec.json.decode(whole["evidence"])["id"]) == ("delivered", "m-7")


@pytest.mark.parametrize("state", ["dead", "held"])
async def test_an_end_that_needs_a_person_opens_one_letter_for_all_its_documents(
    store: Any, sealing: Any, state: str
) -> None:
    async with store.open() as ledger:
        run, head = await sealed(store, ledger, sealing, "1", "2", "3")
        delivery = await ledger.deliveries.begin_attempt(head.delivery, run)
        await ledger.deliveries.ends(delivery, state, WRONG, "bills", "sink", run)
        (letter,) = await ledger.reports.dead_letters()
        statuses = {item["status"] for item in await ledger.reports.documents()}
        assert await ledger.deliveries.lanes("bills", "sink") == []
    assert (letter["delivery"], letter["label"], letter["amount"], letter["currency"]) == (
        1,
        "INV-1 and 2 more",
        30_000_000,
        "USD",
    )
    assert statuses == {state}


async def test_a_document_that_dies_leaves_the_queue_with_a_letter(store: Any) -> None:
    async with store.open() as ledger:
        run, (first, second) = await store.stored(ledger, "1", "2")
        await ledger.deliveries.document_dies(first, WRONG, "bills", "sink", run)
        (letter,) = await ledger.reports.dead_letters()
        left = await ledger.deliveries.waiting("bills", "sink", "P", 10)
    assert (letter["document"], letter["key"], letter["amount"]) == (1, "1", 10_000_000)
    assert [waiting.stored.id for waiting in left] == [second.stored.id]


async def test_a_replayed_delivery_keeps_its_bytes_and_its_letter_closes(store: Any, sealing: Any) -> None:
    async with store.open() as ledger:
        run, head = await sealed(store, ledger, sealing)
        delivery = await ledger.deliveries.begin_attempt(head.delivery, run)
        await ledger.deliveries.ends(delivery, "dead", WRONG, "bills", "sink", run)
        await ledger.deliveries.requeue(delivery.id, "sent again by me")
        again = await ledger.deliveries.head("bills", "sink", "P")
        (letter,) = await ledger.reports.dead_letters(state="")
    assert (again.state, again.delivery.payload, again.delivery.name) == ("retry", delivery.payload, delivery.name)
    assert letter["state"] == "replayed"


async def test_a_replayed_delivery_whose_call_was_made_is_looked_for_first(store: Any, sealing: Any) -> None:
    """A refusal may follow the effect: sending again without a look could be the second one."""
    async with store.open() as ledger:
        run, head = await sealed(store, ledger, sealing)
        delivery = await ledger.deliveries.begin_attempt(head.delivery, run)
        await ledger.deliveries.pass_commit_point(delivery)
        await ledger.deliveries.ends(delivery, "dead", WRONG, "bills", "sink", run)
        await ledger.deliveries.requeue(delivery.id, "sent again by me")
        assert (await ledger.deliveries.head("bills", "sink", "P")).state == "in_doubt"


async def test_a_released_document_waits_in_its_lane_again(store: Any) -> None:
    held = Problem("held", "T-2", "AP", "twice?")
    async with store.open() as ledger:
        await store.stored(ledger, "1", held=held)
        (letter,) = await ledger.reports.dead_letters()
        await ledger.deliveries.release(1, letter["id"], "released by me")
        assert [waiting.stored.id for waiting in await ledger.deliveries.waiting("bills", "sink", "P", 10)] == [1]
        assert await ledger.reports.dead_letters() == []


async def test_what_does_not_wait_for_a_person_is_not_replayed(store: Any, sealing: Any) -> None:
    """Of two operators at once, the second must not send it a second time."""
    async with store.open() as ledger:
        run, head = await sealed(store, ledger, sealing)
        delivery = await ledger.deliveries.begin_attempt(head.delivery, run)
        await ledger.deliveries.requeue(delivery.id, "too early")
        await ledger.deliveries.release(1, 1, "too early")
        assert (await ledger.reports.delivery(1))["state"] == "sending"
        await ledger.deliveries.delivered(delivery, Evidence("m-1"), "response")
        await ledger.deliveries.requeue(delivery.id, "too late")
        await ledger.deliveries.release(1, 1, "too late")
        await ledger.deliveries.requeue(99, "no such")
        assert await ledger.deliveries.lanes("bills", "sink") == []
        assert (await ledger.reports.delivery(1))["state"] == "delivered"
        assert not [
            row for row in await ledger.reports.timeline(["delivery 1", "document 1"]) if row["kind"] == "replay"
        ]


async def test_lanes_with_work_are_those_with_documents_or_open_deliveries(store: Any, sealing: Any) -> None:
    async with store.open() as ledger:
        run, queue = await store.stored(ledger, "1", partner="P")
        await store.stored(ledger, "2", partner="Q")
        assert sorted(await ledger.deliveries.lanes("bills", "sink")) == ["P", "Q"]
        await ledger.deliveries.seal(sealing(run, queue))
        assert sorted(await ledger.deliveries.lanes("bills", "sink")) == ["P", "Q"]
        assert await ledger.deliveries.lanes("bills", "other") == []
        assert await ledger.deliveries.lanes("vendors", "sink") == []


async def test_an_upsert_remembers_the_last_written_state_only(store: Any, sealing: Any) -> None:
    async with store.open() as ledger:
        for key in ("1", "2"):
            run, queue = await store.stored(ledger, key)
            await ledger.deliveries.seal(sealing(run, queue))
            head = await ledger.deliveries.head("bills", "sink", "P")
            delivery = await ledger.deliveries.begin_attempt(head.delivery, run)
            await ledger.deliveries.delivered(delivery, Evidence("m"), "response", upsert="partners")
    with store.raw() as raw:
        rows = raw.execute("select sink, code, state, digest from partners").fetchall()
    assert rows == [("partners", "P", delivery.payload, delivery.digest)]
