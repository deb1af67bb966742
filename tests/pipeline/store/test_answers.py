"""Answers of partners in the ledger: found by number or reference, kept once, and the worst one counts in whatever order they come."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from pipeline.record import Answer, Counter, Record, SentDocument, Verdict
from pipeline.store.rows import RANK, Fate, Problem, stamp

SCOPE = "US:P:P"


def answer(
    status: Any = "accepted",
    *,
    number: int | None = 1,
    reference: str = "",
    kind: str = "997",
    settles: bool = True,
    proves: bool = False,
) -> Answer:
    """One that says the same of every document found."""
    return Answer(
        kind=kind, scope=SCOPE, sender="ZZ:P", told="said so",
        numbers=(("ISA13", number),) if number is not None else (), references=(reference,) if reference else (),
        match=lambda sent: [Verdict(document=one.id, status=status, settles=settles, proves=proves) for one in sent],
    )  # fmt: skip


def message(key: str, *answers: Answer) -> Fate:
    record = Record(
        key=key,
        kind="message",
        object="message",
        body=None,
        label=f"{key}.edi",
        raw=b"raw " + key.encode(),
        digest=f"d{key}",
    )
    return Fate(record, rank=RANK["delivered"], answers=list(answers))


async def sent(store: Any, ledger: Any, sealing: Any, *keys: str, **changes: Any) -> None:
    """One delivered delivery of these documents, the first of which is document 1."""
    changes = {"acknowledgement": "997", "acknowledge_within": 3600.0, "batch": len(keys)} | changes
    run, queue = await store.stored(ledger, *keys, **changes)
    await ledger.deliveries.seal(sealing(run, queue))
    delivery = (await ledger.deliveries.head("bills", "sink", "P")).delivery
    delivery = await ledger.deliveries.begin_attempt(delivery, run)
    from pipeline.record import Evidence

    await ledger.deliveries.delivered(delivery, Evidence(id="m1"), "response")


async def take(store: Any, ledger: Any, *fates: Fate) -> None:
    run = await store.run(ledger, "acks")
    await store.page(ledger, run, *fates, flow="acks")


async def statuses(ledger: Any, now: str = "") -> list[tuple[int | None, str, str]]:
    items = await ledger.reports.acknowledgements(now)
    return [(item["document"], item["kind"], item["status"]) for item in items]


async def test_an_answer_settles_the_documents_of_the_delivery_that_used_its_number(store: Any, sealing: Any) -> None:
    async with store.open() as ledger:
        await sent(store, ledger, sealing, "1", "2")
        await take(store, ledger, message("m", answer()))
        assert await statuses(ledger) == [(2, "997", "accepted"), (1, "997", "accepted")]
        assert await ledger.reports.acknowledgement_counts("") == {"accepted": 2}
        assert "997 says accepted" in [row["detail"] for row in await ledger.reports.timeline(["document 1"])]


async def test_numbers_between_the_first_and_the_last_of_a_counter_are_found(inline_store: Any, sealing: Any) -> None:
    async with inline_store.open() as ledger:
        run, queue = await inline_store.stored(ledger, "1", acknowledgement="997")
        await ledger.deliveries.seal(sealing(run, queue, counters=[Counter(SCOPE, "ISA13"), Counter(SCOPE, "GS06", 3)]))
        found: dict[int, int] = {}
        for number in range(5):
            seen: list[SentDocument] = []
            asked = Answer(
                kind="997",
                scope=SCOPE,
                sender="",
                numbers=(("GS06", number),),
                match=lambda sent, to=seen: to.extend(sent) or [],
            )
            await take(inline_store, ledger, message(f"m{number}", asked))
            found[number] = len(seen)
        assert found == {0: 0, 1: 1, 2: 1, 3: 1, 4: 0}


@pytest.mark.parametrize(
    ("change", "matches"),
    [
        ({"scope": "US:OTHER:P"}, False),
        ({"numbers": (("GS06", 1),)}, False),
        ({"numbers": (("ISA13", 2),)}, False),
        ({}, True),
    ],
)
async def test_a_number_counts_only_within_its_scope_and_name(
    inline_store: Any, sealing: Any, change: Any, matches: bool
) -> None:
    async with inline_store.open() as ledger:
        await sent(inline_store, ledger, sealing, "1")
        await take(inline_store, ledger, message("m", msgspec.structs.replace(answer(), **change)))
        assert (await ledger.reports.acknowledgement_counts("")).get("accepted", 0) == matches


async def test_a_reference_finds_the_document_by_its_number_and_shows_all_of_its_delivery(
    inline_store: Any, sealing: Any
) -> None:
    async with inline_store.open() as ledger:
        await sent(inline_store, ledger, sealing, "1", "2")  # their references are their labels
        seen: list[str] = []
        asked = Answer(
            kind="824", scope=SCOPE, sender="", references=("INV-2",),
            match=lambda sent: seen.extend(one.reference for one in sent) or [Verdict(document=sent[1].id, status="rejected")],
        )  # fmt: skip
        await take(inline_store, ledger, message("m", asked))
        assert seen == ["INV-1", "INV-2"]
        assert await statuses(ledger) == [(2, "824", "rejected"), (1, "", "waiting")]


@pytest.mark.parametrize(
    "order", list(itertools.permutations(["accepted", "accepted_with_errors", "partially_accepted", "rejected"]))
)
async def test_the_worst_answer_counts_in_any_order(inline_store: Any, sealing: Any, order: tuple[str, ...]) -> None:
    async with inline_store.open() as ledger:
        await sent(inline_store, ledger, sealing, "1")
        for place, status in enumerate(order):
            await take(inline_store, ledger, message(f"m{place}", answer(status)))
        assert await statuses(ledger) == [(1, "997", "rejected")]


async def test_a_message_read_again_changes_nothing_and_counts_as_unchanged(store: Any, sealing: Any) -> None:
    async with store.open() as ledger:
        await sent(store, ledger, sealing, "1")
        first, again = message("m", answer()), message("m", answer())
        await take(store, ledger, first)
        before = await statuses(ledger)
        await take(store, ledger, again)
        assert (first.rank, again.rank) == (RANK["delivered"], RANK["unchanged"])
        assert await statuses(ledger) == before == [(1, "997", "accepted")]


async def test_an_answer_that_says_nothing_new_is_a_duplicate(inline_store: Any, sealing: Any) -> None:
    async with inline_store.open() as ledger:
        await sent(inline_store, ledger, sealing, "1")
        await take(inline_store, ledger, message("m", answer()), message("n", answer()))
        assert sorted(await statuses(ledger)) == [(1, "997", "accepted"), (1, "997", "duplicate")]
        assert await ledger.reports.acknowledgement_counts("") == {"accepted": 1, "duplicate": 1}


async def test_what_matches_nothing_is_kept_and_matched_once_it_can_be(store: Any, sealing: Any) -> None:
    async with store.open() as ledger:
        await take(store, ledger, message("m", answer()))
        assert await statuses(ledger) == [(None, "997", "unmatched")]
        item = (await ledger.reports.acknowledgements("", status="unmatched"))[0]
        assert (item["partner"], item["detail"], item["message"]) == ("ZZ:P", "said so", "m")
        await sent(store, ledger, sealing, "1")
        again = message("m", answer())
        await take(store, ledger, again)
        assert (again.rank, await statuses(ledger)) == (RANK["delivered"], [(1, "997", "accepted")])


def again(*answers: Answer) -> Any:
    """What reads `said` again: the place of the answer."""
    return lambda sink, said: answers[int(said)] if sink == "kept" else None


async def test_what_matches_nothing_is_matched_later_without_its_message(store: Any, sealing: Any) -> None:
    early = [answer("rejected", number=1), answer(number=7), answer(reference="INV-2", number=None, kind="855")]
    kept = [msgspec.structs.replace(one, said=b"%d" % n, sink="kept") for n, one in enumerate(early)]
    async with store.open() as ledger:
        await take(store, ledger, message("m", *kept))
        assert await ledger.answers.match_again(await store.run(ledger), again(*kept)) == 0
        await sent(store, ledger, sealing, "1", "2")
        await store.clock.advance(3600)
        assert await ledger.answers.match_again(await store.run(ledger), again(*kept)) == 2
        assert await ledger.answers.match_again(await store.run(ledger), again(*kept)) == 0
        found = await ledger.reports.acknowledgements("")
        assert {(i["document"], i["status"]) for i in found} == {(1, "rejected"), (2, "rejected"), (None, "unmatched")}
        assert {i["received_at"] for i in found if i["document"]} == {stamp(store.clock.now() - timedelta(hours=1))}
        assert "997 says rejected" in [row["detail"] for row in await ledger.reports.timeline(["document 1"])]


async def test_an_answer_is_not_tried_for_ever_and_one_that_nobody_can_read_is_left(inline_store: Any) -> None:
    calls: list[bytes] = []
    async with inline_store.open() as ledger:
        await take(inline_store, ledger, message("m", msgspec.structs.replace(answer(), said=b"0", sink="kept")))
        run = await inline_store.run(ledger)
        for _ in range(2):
            assert await ledger.answers.match_again(run, lambda sink, said: calls.append(said)) == 0
            await inline_store.clock.advance(4 * 86400)
    assert calls == [b"0"]


# --- answers that prove an arrival ---------------------------------------------------------------------------------------


async def attempted(store: Any, ledger: Any, sealing: Any, state: str, *, passed: bool = True) -> Any:
    """One delivery, document 1, whose attempt ended in this state."""
    run, queue = await store.stored(ledger, "1", acknowledgement="997", acknowledge_within=3600.0)
    await ledger.deliveries.seal(sealing(run, queue))
    delivery = (await ledger.deliveries.head("bills", "sink", "P")).delivery
    delivery = await ledger.deliveries.begin_attempt(delivery, run)
    if passed:
        await ledger.deliveries.pass_commit_point(delivery)
    problem = Problem("refused" if state == "dead" else "transient", "T-1", "IT", "no answer")
    if state in ("dead", "held"):
        await ledger.deliveries.ends(delivery, state, problem, "bills", "sink", run)
    elif state != "sending":
        await ledger.deliveries.waits(delivery, state, problem, next_at=None)
    return delivery


@pytest.mark.parametrize(
    ("state", "passed", "proves", "settled"),
    [
        ("in_doubt", True, True, True),
        ("retry", True, True, True),  # it was thought absent
        ("retry", False, True, False),  # nothing was ever sent, whatever the answer says
        ("sending", True, True, False),  # its run may still be at it
        ("dead", True, True, True),  # the far side said no, and had it all the same
        ("held", True, True, False),  # found twice: it does not tell which of them it means
        ("in_doubt", True, False, False),
    ],
)
async def test_an_answer_that_proves_the_arrival_ends_the_doubt(
    store: Any, sealing: Any, state: str, passed: bool, proves: bool, settled: bool
) -> None:
    async with store.open() as ledger:
        delivery = await attempted(store, ledger, sealing, state, passed=passed)
        await take(store, ledger, message("m", answer(proves=proves)))
        assert await ledger.deliveries.settle_answered() == ([delivery.id] if settled else [])
        item = await ledger.reports.delivery(delivery.id)
        assert item["state"] == ("delivered" if settled else state)
        if settled:
            document = await ledger.reports.document(1)
            assert (document["status"], document["acknowledgement"]) == ("delivered", "accepted")
            assert document["acknowledge_by"] is not None
            assert '"message m"' in item["evidence"]
            assert await ledger.reports.dead_letters() == []
            assert await ledger.deliveries.head("bills", "sink", "P") is None


async def test_what_was_settled_by_an_answer_is_neither_sent_again_nor_opened_again(store: Any, sealing: Any) -> None:
    async with store.open() as ledger:
        delivery = await attempted(store, ledger, sealing, "in_doubt")
        await take(store, ledger, message("m", answer(proves=True)))
        await ledger.deliveries.settle_answered(delivery.id)
        problem = Problem("transient", "T-2", "IT", "looked for and not found")
        await ledger.deliveries.waits(delivery, "retry", problem, next_at=None)
        assert await ledger.deliveries.begin_attempt(delivery, 1) is None
        assert (await ledger.reports.delivery(delivery.id))["state"] == "delivered"
        assert "T-2" not in str(await ledger.reports.timeline([f"delivery {delivery.id}"]))


async def test_an_answer_from_before_the_sending_proves_nothing(inline_store: Any, sealing: Any) -> None:
    """Numbers can come again, in a ledger that was begun anew: what came earlier was about something else."""
    async with inline_store.open() as ledger:
        early = msgspec.structs.replace(answer(proves=True), said=b"0", sink="kept")
        await take(inline_store, ledger, message("m", early))
        await inline_store.clock.advance(60)
        delivery = await attempted(inline_store, ledger, sealing, "in_doubt")
        assert await ledger.answers.match_again(await inline_store.run(ledger), again(early)) == 1
        assert await ledger.deliveries.settle_answered(delivery.id) == []


async def test_an_answer_that_does_not_settle_leaves_the_document_waiting(inline_store: Any, sealing: Any) -> None:
    async with inline_store.open() as ledger:
        await sent(inline_store, ledger, sealing, "1")
        await take(
            inline_store, ledger, message("m", answer(kind="TA1", settles=False), answer("duplicate", kind="TA1"))
        )
        assert (1, "", "waiting") in await statuses(ledger)


async def test_what_was_not_believed_in_a_foreign_mailbox_gives_way_to_the_same_answer_once_it_is(
    store: Any, sealing: Any
) -> None:
    async with store.open() as ledger:
        await sent(store, ledger, sealing, "1")
        foreign = message("m", answer("foreign_mailbox", settles=False))
        for _ in range(2):
            await take(store, ledger, foreign)
            assert await statuses(ledger) == [(1, "997", "foreign_mailbox"), (1, "", "waiting")]
            assert await ledger.reports.acknowledgement_counts("") == {"waiting": 1, "foreign_mailbox": 1}
        await take(store, ledger, message("m", answer("rejected")))  # the partner's file names the mailbox now
        assert await statuses(ledger) == [(1, "997", "rejected")]
        await take(store, ledger, foreign)
        assert await statuses(ledger) == [(1, "997", "rejected")]


async def test_waiting_becomes_overdue_when_the_partners_time_is_over(inline_store: Any, sealing: Any) -> None:
    async with inline_store.open() as ledger:
        await sent(inline_store, ledger, sealing, "1")
        now = inline_store.clock.now()
        assert await statuses(ledger, stamp(now + timedelta(minutes=59))) == [(1, "", "waiting")]
        late = stamp(now + timedelta(minutes=61))
        assert await statuses(ledger, late) == [(1, "", "overdue")]
        assert await ledger.reports.acknowledgement_counts(late) == {"overdue": 1}
        await take(inline_store, ledger, message("m", answer()))
        assert await statuses(ledger, late) == [(1, "997", "accepted")]


async def test_what_was_received_is_in_the_ledger_once_with_its_bytes(store: Any) -> None:
    async with store.open() as ledger:
        for _ in range(2):
            await take(store, ledger, message("m", answer()))
    with store.raw() as raw:
        assert raw.execute("select object, key, payload from received").fetchall() == [("message", "m", b"raw m")]
