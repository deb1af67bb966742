"""Replaying exceptions: records are read again, held documents go, deliveries repeat their bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.engine.replay import ReplayPlan, plan_replay, release, request_for
from pipeline.errors import DataError, Held, RefusedError
from pipeline.record import Record, Window
from pipeline.testing import CollectingSink, FailingSink, Fault, ListSource

EVERYTHING = Window(since=datetime(2020, 1, 1, tzinfo=UTC))


def letter(
    id_: int, key: str = "", *, flow: str = "bills", document: int | None = None, delivery: int | None = None
) -> Any:
    return {"id": id_, "flow": flow, "key": key, "document": document, "delivery": delivery}


def test_a_plan_sorts_letters_by_flow_and_by_what_replaying_means() -> None:
    letters = [
        letter(1, "a"), letter(2, "b", document=7), letter(3, "c", delivery=9), letter(4, "v", flow="vendors"), letter(5, "a"),
        letter(6, "d", delivery=9),
    ]  # fmt: skip
    assert plan_replay(letters) == [
        ReplayPlan("bills", ("a",), ((7, 2),), (9,)), ReplayPlan("vendors", ("v",), (), ()),
    ]  # fmt: skip


def test_nothing_to_replay_is_no_plan() -> None:
    assert plan_replay([]) == []


@pytest.mark.parametrize("keys", [(), ("1",)])
def test_a_plan_without_keys_reads_no_source(keys: tuple[str, ...]) -> None:
    request = request_for(ReplayPlan("bills", keys, (), ()), 5.0)
    assert (request.window.keys, request.deliver_only, request.kind) == (keys, not keys, "replay")
    assert not request.window.live or request.deliver_only


async def replay(rig: Any, ledger: Any, flow: Any) -> Any:
    """Replays every open exception."""
    (plan,) = plan_replay(await ledger.reports.dead_letters())
    await release(plan, ledger, "the tester")
    return await rig.run(ledger, flow, window=request_for(plan, 5.0).window, deliver_only=not plan.keys)


@pytest.mark.parametrize("signal", [DataError("wrong", code="T-1"), Held("wait", code="T-2")], ids=["dead", "held"])
async def test_a_corrected_record_is_read_again_by_its_key_alone(
    rig: Any, make_bills: Any, line_encoder: Any, signal: Exception
) -> None:
    def judge(one: Record) -> Record:
        if one.key == "2" and not mended:
            raise signal
        return one

    mended: list[str] = []
    source, sink = ListSource(make_bills([1, 2, 3])), CollectingSink()
    flow = rig.chain(source, rig.stage("judge", "map", judge), encoder=line_encoder(), sink=sink)
    async with rig.ledger() as ledger:
        await rig.run(ledger, flow)
        mended.append("yes")
        report = await replay(rig, ledger, flow)
        assert await ledger.reports.dead_letters() == []
        assert await ledger.cursor("bills", "source", "") == {"position": "3"}
    assert (report.totals.read, report.status, len(sink.effects)) == (1, "clean", 3)


@pytest.mark.parametrize("how", ["a replay", "an ordinary run"])
async def test_a_record_that_got_its_own_key_settles_what_is_open_under_the_former_one(
    rig: Any, make_bill: Any, line_encoder: Any, how: str
) -> None:
    """A bill is held under its number until the document that is its key can be seen."""
    source, sink = ListSource([make_bill("1").replace(body=Held("wait", code="T-2")), make_bill("2")]), CollectingSink()
    flow = rig.chain(source, encoder=line_encoder(), sink=sink)
    async with rig.ledger() as ledger:
        await rig.run(ledger, flow)
        assert [letter["key"] for letter in await ledger.reports.dead_letters()] == ["1"]
        source.records[0] = make_bill("Invoice-7").replace(former="1")
        report = (
            await replay(rig, ledger, flow) if how == "a replay" else await rig.run(ledger, flow, window=EVERYTHING)
        )
        assert await ledger.reports.dead_letters() == []
        (told,) = await ledger.reports.dead_letters(state="resolved")
    assert (told["key"], report.status, len(sink.effects)) == ("1", "clean", 2)
    assert report.totals.read == (1 if how == "a replay" else 2)


async def test_what_is_wrong_with_a_record_under_its_own_key_takes_the_place_of_what_was_open_before(
    rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    source = ListSource([make_bill("1").replace(body=Held("wait", code="T-2"))])
    flow = rig.chain(source, encoder=line_encoder(), sink=CollectingSink())
    async with rig.ledger() as ledger:
        await rig.run(ledger, flow)
        source.records[0] = make_bill("Invoice-7").replace(former="1", body=DataError("wrong", code="T-1"))
        await rig.run(ledger, flow, window=EVERYTHING)
        letters = await ledger.reports.dead_letters()
    assert [(letter["key"], letter["code"]) for letter in letters] == [("Invoice-7", "T-1")]


async def test_a_suspected_duplicate_is_sent_when_an_operator_says_so(
    rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    sink = CollectingSink()
    flow = rig.chain(
        ListSource([make_bill("1", guard="g"), make_bill("2", guard="g")]), encoder=line_encoder(), sink=sink
    )
    async with rig.ledger() as ledger:
        first = await rig.run(ledger, flow)
        await replay(rig, ledger, flow)
        again = await ledger.reports.totals(first.run)
        assert await ledger.reports.dead_letters() == []
    assert (first.totals.counts["held"], again.counts["delivered"], len(sink.effects)) == (1, 2, 2)


async def test_a_refused_delivery_is_sent_again_with_the_same_bytes(
    rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    sink = FailingSink([Fault(RefusedError("no", code="T-1"), "after")])
    flow = rig.chain(ListSource(make_bills([1])), encoder=line_encoder(), sink=sink)
    async with rig.ledger() as ledger:
        await rig.run(ledger, flow)
        sealed = await ledger.reports.delivery(1)
        await replay(rig, ledger, flow)
        assert await ledger.reports.delivery(2) is None
        (closed,) = await ledger.reports.dead_letters(state="")
        assert await ledger.reports.verify_audit() is None
        told = [row["detail"] for row in await ledger.reports.timeline(["delivery 1"]) if row["kind"] == "replay"]
    assert [effect.payload for effect in sink.effects] == [sealed["payload"]]
    assert closed["state"] in ("replayed", "resolved")
    assert told == ["sent again by the tester: same bytes, numbers and name"]


async def test_of_a_refused_delivery_only_what_no_newer_version_has_overtaken_is_sent(
    rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    """The partner has the new version of the first bill: the old one must not come behind it."""
    sink, encoder = FailingSink([Fault(RefusedError("no", code="T-1"), "after")]), line_encoder(batch=2)
    together = [make_bill("1", text="old", group="g"), make_bill("2", text="other", group="g")]
    async with rig.ledger() as ledger:
        await rig.run(ledger, rig.chain(ListSource(together), encoder=encoder, sink=sink))
        edited = rig.chain(ListSource([make_bill("1", text="new", group="g")]), encoder=encoder, sink=sink)
        await rig.run(ledger, edited, window=EVERYTHING)
        await replay(rig, ledger, edited)
        told = [row["detail"] for row in await ledger.reports.timeline(["document 1"]) if row["kind"] == "replay"]
        assert await ledger.reports.dead_letters() == []
        assert await ledger.reports.verify_audit() is None
    assert [effect.payload.splitlines()[1:] for effect in sink.effects] == [[b"new"], [b"other"]]
    assert len({effect.name for effect in sink.effects}) == 2
    assert told == ["not sent again: a newer version was made"]


async def test_what_fails_again_is_an_open_exception_again(inline_rig: Any, make_bill: Any, line_encoder: Any) -> None:
    flow = inline_rig.chain(
        ListSource([make_bill("1", text="unpackable")]), encoder=line_encoder(), sink=CollectingSink()
    )
    async with inline_rig.ledger() as ledger:
        await inline_rig.run(ledger, flow)
        await replay(inline_rig, ledger, flow)
        open_ = await ledger.reports.dead_letters()
        everything = await ledger.reports.dead_letters(state="")
    assert [one["state"] for one in everything] == ["replayed", "open"]
    assert (open_[0]["document"], open_[0]["code"]) == (1, "TST-0002")
