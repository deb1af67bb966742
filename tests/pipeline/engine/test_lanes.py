"""Delivery: order and batches per lane, the commit point's meaning, doubts, recovery, frozen bytes, control numbers."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import anyio
import msgspec
import pytest

from pipeline.engine.request import RunRequest
from pipeline.engine.runner import run_flow
from pipeline.engine.services import Stopping
from pipeline.errors import (
    ConfigError,
    ConnectError,
    DataError,
    PermissionDenied,
    RefusedError,
    SessionError,
    SignInRefused,
    ThrottledError,
    TransientError,
    Undetermined,
)
from pipeline.record import Delivery, Evidence, Window
from pipeline.registry import Registry
from pipeline.retry import RetryPolicy
from pipeline.stage import COMMIT_POINT, Mark
from pipeline.testing import CollectingSink, FailingSink, Fault, ListSource, ManualClock

QUICK = RetryPolicy(times=4, first=1.0, max=2.0)
TRANSIENT = TransientError("reset", code="T-1")
EVERYTHING = Window(since=datetime(2020, 1, 1, tzinfo=UTC))


class BlindSink(FailingSink):
    """Cannot find: at least once."""

    find = None  # type: ignore[assignment]


async def deliver(
    rig: Any, records: list[Any], sink: Any, encoder: Any, *, wait: float = 120.0, **settings: Any
) -> Any:
    """One run over these records; returns the report and what the ledger says of each delivery."""
    settings.setdefault("retry", QUICK)
    async with rig.ledger() as ledger:
        flow = rig.chain(ListSource(records), encoder=encoder, sink=sink, **settings)
        with anyio.fail_after(20):
            report = await rig.run(ledger, flow, wait_seconds=wait)
        return report, await states(ledger), await ledger.reports.dead_letters()


async def states(ledger: Any) -> list[dict[str, Any]]:
    """Every delivery, with its attempts."""
    found = []
    number = 1
    while (item := await ledger.reports.delivery(number)) is not None:
        found.append({**item, "attempts": await ledger.reports.attempts(number)})
        number += 1
    return found


def payloads(sink: CollectingSink) -> list[list[str]]:
    """The documents of each effect, without the header line."""
    return [effect.payload.decode().split("\n")[1:] for effect in sink.effects]


# --- order and batches -------------------------------------------------------------------------------------------------


async def test_each_lane_keeps_the_order_of_the_source(rig: Any, make_bill: Any, line_encoder: Any) -> None:
    bills = [make_bill(str(n), partner="PQR"[n % 3]) for n in range(15)]
    sink = CollectingSink()
    await deliver(rig, bills, sink, line_encoder(), workers=3)
    for number, partner in enumerate("PQR"):
        mine = [
            payload[0] for payload, effect in zip(payloads(sink), sink.effects, strict=True) if effect.lane == partner
        ]
        assert mine == [f"bill {n}" for n in range(number, 15, 3)]


BATCHES = [
    (7, 3, [3, 3, 1]),
    (6, 3, [3, 3]),
    (2, 3, [2]),
    (3, 1, [1, 1, 1]),
    (1, 50, [1]),
]


async def test_an_encoder_may_name_its_deliveries(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    encoder = line_encoder()
    encoder.title = lambda documents: f"bill-{documents[0].id}.txt"
    sink = CollectingSink()
    _, deliveries, _ = await deliver(inline_rig, make_bills(range(3)), sink, encoder)
    assert [one["name"] for one in deliveries] == [effect.name for effect in sink.effects]
    assert [one["name"] for one in deliveries] == ["bill-1.txt", "bill-2.txt", "bill-3.txt"]


@pytest.mark.parametrize(("records", "batch", "sizes"), BATCHES)
async def test_full_batches_go_out_and_a_partial_one_when_no_more_comes(
    rig: Any, make_bills: Any, line_encoder: Any, records: int, batch: int, sizes: list[int]
) -> None:
    sink = CollectingSink()
    report, _, _ = await deliver(rig, make_bills(range(records)), sink, line_encoder(batch=batch))
    assert [len(payload) for payload in payloads(sink)] == sizes
    assert (report.totals.documents, report.totals.deliveries) == (records, len(sizes))


async def test_a_partial_batch_waits_while_more_may_come(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    """Five pages of two records, three to a batch: only the last batch may be partly filled."""
    sink = CollectingSink()
    async with inline_rig.ledger() as ledger:
        flow = inline_rig.chain(
            ListSource(make_bills(range(10)), page_size=2), encoder=line_encoder(batch=3), sink=sink
        )
        await inline_rig.run(ledger, flow)
    assert [len(payload) for payload in payloads(sink)] == [3, 3, 3, 1]


async def test_documents_of_different_groups_never_share_a_delivery(
    inline_rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    groups = "aabba"
    bills = [make_bill(str(n), group=group) for n, group in enumerate(groups)]
    sink = CollectingSink()
    await deliver(inline_rig, bills, sink, line_encoder(batch=10))
    assert payloads(sink) == [["bill 0", "bill 1"], ["bill 2", "bill 3"], ["bill 4"]]


async def test_the_flow_may_say_what_the_lane_is(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    sink = CollectingSink()
    _, found, _ = await deliver(inline_rig, make_bills([1]), sink, line_encoder(), lane="address")
    assert (found[0]["lane"], found[0]["address"]) == ("/P", "/P")


async def test_a_refused_account_stops_every_lane_and_is_told_once(rig: Any, make_bill: Any, line_encoder: Any) -> None:
    sink = FailingSink([None, *[Fault(LOCKED_OUT)] * 50])
    bills = [make_bill(str(n), f"P{n}") for n in range(9)]
    report, _, letters = await deliver(rig, bills, sink, line_encoder())
    assert (sink.sends, len(sink.effects)) == (2, 1)  # the lane that heard it was the last to try
    assert (report.problem, report.stopped, letters) == (LOCKED_OUT, [], [])
    assert (report.status, report.exit_code, report.balanced) == ("failed", 4, True)
    assert (report.totals.counts["delivered"], report.totals.counts["in_flight"]) == (1, 8)


async def test_what_a_refused_account_left_is_delivered_by_the_next_run(
    rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    sink = FailingSink([Fault(LOCKED_OUT)])
    bills = [make_bill(str(n), f"P{n}") for n in range(5)]
    await deliver(rig, bills, sink, line_encoder(), workers=2)
    report, found, _ = await deliver(rig, [], sink, line_encoder(), workers=2)
    assert (report.status, [one["state"] for one in found], len(sink.effects)) == ("clean", ["delivered"] * 5, 5)


async def test_a_lane_that_rests_does_not_hold_up_the_end_when_the_account_is_refused(
    inline_rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    inline_rig.clock = clock = ManualClock()  # nobody moves it: a rest would never end

    class Two(CollectingSink):
        async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
            if delivery.lane == "RESTS":
                raise ThrottledError("slow", retry_after=100.0)
            while not clock.sleepers:
                await anyio.lowlevel.checkpoint()
            raise LOCKED_OUT

    bills = [make_bill("1", "RESTS"), make_bill("2", "TRIES")]
    report, found, _ = await deliver(inline_rig, bills, Two(), line_encoder(), workers=2)
    assert (report.problem, [one["state"] for one in found]) == (LOCKED_OUT, ["retry", "retry"])


async def test_an_account_refused_at_a_look_leaves_the_doubt_and_stops_every_lane(
    inline_rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    sink = FailingSink([Fault(TRANSIENT, "lost")] * 3, unfindable=LOCKED_OUT)
    bills = [make_bill(str(n), f"P{n}") for n in range(3)]
    report, found, _ = await deliver(inline_rig, bills, sink, line_encoder())
    assert (report.problem, report.exit_code) == (LOCKED_OUT, 4)
    assert "in_doubt" in {one["state"] for one in found}


@pytest.mark.parametrize(
    ("of_flow", "of_sink", "most"), [(3, None, 3), (3, 6, 3), (None, 6, 6), (None, None, 1)], ids=str
)
async def test_so_many_sends_run_at_once_as_the_flow_or_else_the_sink_says(
    inline_rig: Any, make_bill: Any, line_encoder: Any, of_flow: int | None, of_sink: int | None, most: int
) -> None:
    class Counting(CollectingSink):
        now = most = 0

        async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
            self.now += 1
            self.most = max(self.most, self.now)
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
            self.now -= 1
            return await super().send(delivery, mark)

    sink = Counting()
    if of_sink is not None:
        sink.workers = of_sink  # type: ignore[attr-defined]
    bills = [make_bill(str(n), partner=f"P{n}") for n in range(8)]
    await deliver(inline_rig, bills, sink, line_encoder(), workers=of_flow)
    assert sink.most == most


async def test_an_attempt_that_waits_for_its_turn_when_the_run_is_stopped_sends_nothing_and_is_repeated(
    rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    stopping = Stopping()

    class Stops(CollectingSink):
        async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
            while not rig.file.exists() or len(attempts()) < 2:  # the other lane's attempt has begun meanwhile
                await anyio.sleep(0.001)
            stopping.request(15)
            return await super().send(delivery, mark)

    def attempts() -> list[Any]:
        with closing(sqlite3.connect(rig.file)) as raw:
            return raw.execute("select delivery, outcome from attempts").fetchall()

    sink, bills = Stops(), [make_bill(str(n), partner=f"P{n}") for n in range(2)]
    async with rig.ledger() as ledger:
        flow = rig.chain(ListSource(bills), encoder=line_encoder(), sink=sink, workers=1)
        report = await rig.run(ledger, flow, stopping=stopping)
        assert (len(sink.effects), report.totals.counts["in_flight"], report.balanced) == (1, 1, True)
        assert sorted(str(outcome)[:26] for _, outcome in attempts()) == [
            "delivered by response",
            "retry: The run was stopped",
        ]
        again = CollectingSink()
        await rig.run(ledger, rig.chain(ListSource([]), encoder=line_encoder(), sink=again, workers=1))
        assert {effect.lane for effect in (*sink.effects, *again.effects)} == {"P0", "P1"}
        assert len(again.effects) == 1


@pytest.mark.parametrize(("passed", "left"), [(False, "in_flight"), (True, "in_doubt")])
async def test_a_delivery_that_waits_for_its_turn_when_the_run_is_stopped_is_left_to_the_next(rig: Any, make_bill: Any, line_encoder: Any, passed: bool, left: str) -> None:  # fmt: skip
    stopping, services = Stopping(), rig.services
    turns = services.shared.turns("books", 1)

    class Asks(CollectingSink):
        async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
            if passed:
                await mark(COMMIT_POINT)
            stopping.request(15)
            async with turns.turn():
                return await super().send(delivery, mark)

    flow = rig.chain(ListSource([make_bill("1")]), encoder=line_encoder(), sink=Asks())
    async with rig.ledger() as ledger, turns.turn():
        report = await run_flow(flow, Registry([]), ledger, services, RunRequest(), stopping)
    assert ({term for term, count in report.totals.counts.items() if count}, report.problem) == ({left}, None)


# --- the commit point --------------------------------------------------------------------------------------------------

LEFT_OPEN = "retry"
SEMANTICS = [
    # what is raised -> state before the commit point, state after it (the far side cannot tell, so a doubt stays one)
    pytest.param(TRANSIENT, LEFT_OPEN, "in_doubt", id="transient"),
    pytest.param(ThrottledError("slow", code="T-2"), LEFT_OPEN, LEFT_OPEN, id="throttled"),
    pytest.param(SessionError("signed out", code="T-3"), LEFT_OPEN, LEFT_OPEN, id="session"),
    pytest.param(ConfigError("wrong setting", code="T-4"), LEFT_OPEN, LEFT_OPEN, id="config"),
    pytest.param(PermissionDenied("not allowed", code="T-5"), LEFT_OPEN, LEFT_OPEN, id="permission"),
    pytest.param(ConnectError("no host", code="T-6"), LEFT_OPEN, "in_doubt", id="connect"),
    pytest.param(RefusedError("no", code="T-7"), "dead", "dead", id="refused"),
    pytest.param(DataError("wrong", code="T-8"), "dead", "dead", id="data"),
    pytest.param(KeyError("bug"), "dead", "in_doubt", id="a bug of the sink"),
]
LOCKED_OUT = SignInRefused("the account is refused", code="T-9")
STOPS = (SessionError, ConfigError, ConnectError)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("error", "before", "after"), SEMANTICS)
async def test_what_a_failure_means_depends_on_the_commit_point(
    inline_rig: Any, make_bills: Any, line_encoder: Any, error: Exception, before: str, after: str, when: Any
) -> None:
    sink = FailingSink([Fault(error, when)] * 50, unfindable=Undetermined("the list is cut off"))
    report, found, letters = await deliver(inline_rig, make_bills([1]), sink, line_encoder())
    state = before if when == "before" else after
    assert found[0]["state"] == state
    assert [attempt["committed_at"] is not None for attempt in found[0]["attempts"]] == [when == "after"] * sink.sends
    assert (sink.effects, report.balanced) == ([], True)
    outcome = {"retry": "in_flight", "in_doubt": "in_doubt", "dead": "dead"}[state]
    assert report.totals.counts[outcome] == 1
    assert len(letters) == (1 if state == "dead" else 0)
    if isinstance(error, STOPS) and state == "retry":
        assert [stop.what for stop in report.stopped] == [error.what]  # type: ignore[attr-defined]
        assert sink.sends == 1
    else:
        assert report.stopped == []
    assert (report.status, report.exit_code) == ("exceptions", 5)


RECOVERS = [
    pytest.param(TRANSIENT, "before", 2, id="transient before: sent again"),
    pytest.param(TRANSIENT, "after", 2, id="transient after, without effect: proved absent, sent again"),
    pytest.param(TRANSIENT, "lost", 1, id="transient after, with effect: found"),
    pytest.param(ThrottledError("slow", retry_after=7.0), "before", 2, id="throttled before: sent again"),
    pytest.param(ThrottledError("slow", retry_after=7.0), "after", 2, id="throttled after: sent again"),
    pytest.param(OSError("a bug"), "lost", 1, id="unexplained after, with effect: found"),
    pytest.param(OSError("a bug"), "after", 2, id="unexplained after, without effect: sent again"),
]


@pytest.mark.parametrize(("error", "when", "sends"), RECOVERS)
async def test_one_fault_ends_in_exactly_one_effect(
    rig: Any, make_bills: Any, line_encoder: Any, error: Exception, when: Any, sends: int
) -> None:
    sink = FailingSink([Fault(error, when)])
    report, found, _ = await deliver(rig, make_bills([1]), sink, line_encoder())
    assert (report.status, len(sink.effects), sink.sends) == ("clean", 1, sends)
    assert found[0]["state"] == "delivered"


async def test_the_wait_that_the_far_side_asks_for_is_kept(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    sink = FailingSink([Fault(ThrottledError("slow", retry_after=33.0))])
    await deliver(inline_rig, make_bills([1]), sink, line_encoder())
    assert inline_rig.clock.monotonic() == pytest.approx(33.0, abs=0.01)


async def test_the_retry_budget_belongs_to_a_run(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    """A transient fault alone never makes a delivery dead: its turns are used up, and the next run has new ones."""
    sink = FailingSink([Fault(TRANSIENT)] * 6)
    flow = inline_rig.chain(ListSource(make_bills([1])), encoder=line_encoder(), sink=sink, retry=QUICK)
    async with inline_rig.ledger() as ledger:
        first = await inline_rig.run(ledger, flow)
        assert (sink.sends, first.totals.counts["in_flight"]) == (QUICK.times, 1)
        await inline_rig.run(ledger, flow)
        (found,) = await states(ledger)
    assert (sink.sends, found["state"], len(sink.effects)) == (7, "delivered", 1)


@pytest.mark.parametrize("sink_type", [FailingSink, BlindSink], ids=["with find", "without find"])
async def test_what_always_fails_after_the_commit_point_is_sent_no_more_often_than_the_policy_says(
    inline_rig: Any, make_bills: Any, line_encoder: Any, sink_type: type[FailingSink]
) -> None:
    sink = sink_type([Fault(TRANSIENT, "after")] * 10_000)
    report, found, _ = await deliver(inline_rig, make_bills([1]), sink, line_encoder())
    assert sink.sends == QUICK.times
    assert (found[0]["state"], report.totals.counts["in_flight"]) == ("retry", 1)


async def test_a_stopped_lane_is_one_lane(inline_rig: Any, make_bill: Any, line_encoder: Any) -> None:
    class Picky(CollectingSink):
        async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
            if delivery.lane == "CLOSED":
                raise PermissionDenied("not allowed there", code="T-1")
            return await super().send(delivery, mark)

    sink = Picky()
    bills = [make_bill("1", "CLOSED"), make_bill("2", "CLOSED"), make_bill("3", "OPEN")]
    report, found, _ = await deliver(inline_rig, bills, sink, line_encoder())
    assert [effect.lane for effect in sink.effects] == ["OPEN"]
    assert sorted((one["lane"], one["state"]) for one in found) == [("CLOSED", "retry"), ("OPEN", "delivered")]
    assert [error.code for error in report.stopped] == ["T-1"]


@pytest.mark.parametrize(
    ("error", "when", "blocks"),
    [
        (TRANSIENT, "before", True),
        (TRANSIENT, "after", True),
        (RefusedError("no"), "after", False),
        (DataError("x"), "before", False),
    ],
    ids=["retry", "in doubt", "refused", "data"],
)
async def test_a_retry_or_a_doubt_blocks_its_lane_and_a_dead_head_does_not(
    inline_rig: Any, make_bill: Any, line_encoder: Any, error: Exception, when: Any, blocks: bool
) -> None:
    class FirstFails(CollectingSink):
        async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
            if b"first" not in delivery.payload:
                return await super().send(delivery, mark)
            if when == "after":
                await mark(COMMIT_POINT)
            raise error

        async def find(self, delivery: Delivery) -> list[Evidence]:
            raise Undetermined("cannot tell")

    sink = FirstFails()
    bills = [
        make_bill("1", text="first"),
        make_bill("2", text="second"),
        make_bill("3", partner="Q", text="other lane"),
    ]
    await deliver(inline_rig, bills, sink, line_encoder())
    assert sorted(payloads(sink)) == ([["other lane"]] if blocks else [["other lane"], ["second"]])


@pytest.mark.parametrize("wait", [0.0, 5.0, 60.0])
async def test_a_delivery_waits_for_the_far_side_no_longer_than_the_budget(
    inline_rig: Any, make_bills: Any, line_encoder: Any, wait: float
) -> None:
    sink = FailingSink([Fault(TRANSIENT, "after")], unfindable=Undetermined("cannot tell"))
    report, _, _ = await deliver(inline_rig, make_bills([1]), sink, line_encoder(), wait=wait)
    assert inline_rig.clock.monotonic() <= wait
    assert (report.totals.counts["in_doubt"], report.exit_code) == (1, 5)


async def test_a_retry_after_beyond_the_budget_is_left_to_the_next_run(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    sink = FailingSink([Fault(ThrottledError("slow", retry_after=600.0))])
    flow = inline_rig.chain(ListSource(make_bills([1])), encoder=line_encoder(), sink=sink)
    async with inline_rig.ledger() as ledger:
        first = await inline_rig.run(ledger, flow, wait_seconds=10.0)
        assert (sink.sends, inline_rig.clock.monotonic(), first.exit_code) == (1, 0.0, 5)
        await inline_rig.clock.sleep(600)
        await inline_rig.run(ledger, flow, wait_seconds=10.0)
    assert len(sink.effects) == 1


# --- doubts ------------------------------------------------------------------------------------------------------------


class Oracle(FailingSink):
    """Answers ``find`` by a plan of evidence lists, or errors; counts the calls and when they were."""

    def __init__(self, rig: Any, answers: list[Any], *, settle: float = 60.0, when: Any = "after") -> None:
        super().__init__([Fault(TRANSIENT, when)])
        self.rig, self.answers, self.settle_seconds = rig, answers, settle
        self.asked: list[float] = []

    async def find(self, delivery: Delivery) -> list[Evidence]:
        self.asked.append(self.rig.clock.monotonic())
        answer = self.answers.pop(0) if self.answers else [ours]
        if isinstance(answer, Exception):
            raise answer
        return [evidence_of(delivery) for evidence_of in answer]


def ours(delivery: Delivery) -> Evidence:
    return Evidence("m-1", delivery.name, len(delivery.payload), delivery.digest)


def silent(delivery: Delivery) -> Evidence:
    return Evidence("m-2", delivery.name)


def other_size(delivery: Delivery) -> Evidence:
    return Evidence("m-3", delivery.name, len(delivery.payload) + 1)


def other_digest(delivery: Delivery) -> Evidence:
    return Evidence("m-4", delivery.name, len(delivery.payload), "0" * 64)


DOUBTS = [
    pytest.param([[ours]], "delivered", 1, "", id="found once"),
    pytest.param([[silent]], "delivered", 1, "", id="found once, where the far side tells neither size nor digest"),
    pytest.param([[ours, ours]], "held", 1, "MLC-DLV-0011", id="found twice"),
    pytest.param([[other_size]], "held", 1, "MLC-DLV-0010", id="another size"),
    pytest.param([[other_digest]], "held", 1, "MLC-DLV-0010", id="another digest"),
    pytest.param([[ours, other_size]], "held", 1, "MLC-DLV-0010", id="ours and a foreign one"),
    pytest.param([[], []], "delivered", 2, "", id="absent twice: sent again"),
    pytest.param([[], [ours]], "delivered", 1, "", id="absent once, then found"),
    pytest.param([Undetermined("cut off"), [ours]], "delivered", 1, "", id="could not tell, then found"),
    pytest.param([TransientError("away"), [], []], "delivered", 2, "", id="could not ask, then absent twice"),
    pytest.param([[], Undetermined("cut off"), []], "delivered", 2, "", id="absent, could not tell, absent"),
    pytest.param([ValueError("a bug of find"), [ours]], "delivered", 1, "", id="a bug of find proves nothing"),
]


@pytest.mark.parametrize(("answers", "state", "sends", "code"), DOUBTS)
async def test_a_doubt_is_resolved_by_what_is_found(
    inline_rig: Any, make_bills: Any, line_encoder: Any, answers: list[Any], state: str, sends: int, code: str
) -> None:
    sink = Oracle(inline_rig, list(answers), settle=12.0)
    report, found, letters = await deliver(inline_rig, make_bills([1]), sink, line_encoder(), wait=300.0)
    assert (found[0]["state"], sink.sends) == (state, sends)
    assert [letter["code"] for letter in letters] == ([code] if code else [])
    assert report.balanced


async def test_a_doubt_is_not_asked_before_the_settle_delay(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    sink = Oracle(inline_rig, [[], [ours]], settle=60.0)
    await deliver(inline_rig, make_bills([1]), sink, line_encoder())
    assert sink.asked[0] >= 60.0
    assert sink.asked[1] > sink.asked[0]


async def test_a_settle_delay_beyond_the_budget_leaves_the_doubt_to_the_next_run(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    sink = Oracle(inline_rig, [[ours]], settle=600.0)
    flow = inline_rig.chain(ListSource(make_bills([1])), encoder=line_encoder(), sink=sink)
    async with inline_rig.ledger() as ledger:
        first = await inline_rig.run(ledger, flow)
        assert (sink.asked, first.totals.counts["in_doubt"]) == ([], 1)
        await inline_rig.clock.sleep(600)
        await inline_rig.run(ledger, flow)
        (found,) = await states(ledger)
    assert (sink.sends, found["state"]) == (1, "delivered")


async def test_a_find_that_is_not_allowed_stops_the_lane_in_doubt(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    sink = Oracle(inline_rig, [PermissionDenied("may not list", code="T-1")], settle=0.0)
    report, found, _ = await deliver(inline_rig, make_bills([1]), sink, line_encoder())
    assert (found[0]["state"], [error.code for error in report.stopped]) == ("in_doubt", ["T-1"])


async def test_a_sink_that_cannot_find_sends_again_at_least_once(rig: Any, make_bills: Any, line_encoder: Any) -> None:
    sink = BlindSink([Fault(TRANSIENT, "lost")])
    report, found, _ = await deliver(rig, make_bills([1]), sink, line_encoder())
    assert (report.status, found[0]["state"]) == ("clean", "delivered")
    assert len(sink.effects) == 2
    assert sink.effects[0].payload == sink.effects[1].payload


async def test_a_late_first_copy_is_noticed_after_sending_again(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    """Proved absent twice, sent again, and then the first one shows up as well."""
    sink = Oracle(inline_rig, [[], [], [ours, ours]], settle=1.0)
    report, found, letters = await deliver(inline_rig, make_bills([1]), sink, line_encoder())
    assert (sink.sends, found[0]["state"]) == (2, "held")
    assert [letter["code"] for letter in letters] == ["MLC-DLV-0011"]
    assert report.totals.counts["held"] == 1


async def test_a_first_copy_that_comes_after_the_run_is_noticed_by_the_next(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    sink = Oracle(inline_rig, [[], [], [ours]], settle=1.0)
    flow = inline_rig.chain(ListSource(make_bills([1])), encoder=line_encoder(), sink=sink)
    async with inline_rig.ledger() as ledger:
        await inline_rig.run(ledger, flow)
        assert (await ledger.reports.delivery(1))["state"] == "delivered"
        await inline_rig.clock.advance(2.0)
        sink.answers = [[ours, ours]]
        await inline_rig.run(ledger, flow)
        assert [letter["code"] for letter in await ledger.reports.dead_letters()] == ["MLC-DLV-0011"]


async def test_a_second_look_is_taken_once(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    sink = Oracle(inline_rig, [[], [], [ours]], settle=1.0)
    flow = inline_rig.chain(ListSource(make_bills([1])), encoder=line_encoder(), sink=sink)
    async with inline_rig.ledger() as ledger:
        await inline_rig.run(ledger, flow)
        await inline_rig.clock.advance(2.0)
        sink.answers = [[ours]]
        await inline_rig.run(ledger, flow)
        assert await ledger.deliveries.to_look_at(flow.name, "sink") == []
        sink.answers = [AssertionError("nothing is looked for any more")]
        assert (await inline_rig.run(ledger, flow)).status == "clean"


async def test_what_may_have_been_taken_away_waits_a_day_for_an_answer_and_is_then_for_a_person(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    sink = Oracle(inline_rig, [Undetermined("taken away", gone=True)] * 50, settle=1.0)
    flow = inline_rig.chain(ListSource(make_bills([1])), encoder=line_encoder(), sink=sink)
    async with inline_rig.ledger() as ledger:
        await inline_rig.run(ledger, flow)
        assert len(sink.answers) == 49, "no second look in a run: none can tell more"
        await inline_rig.clock.advance(23 * 3600.0)
        await inline_rig.run(ledger, flow)
        assert (await ledger.reports.delivery(1))["state"] == "in_doubt"
        await inline_rig.clock.advance(3600.0)
        sink.answers = [Undetermined("cut off")] * 50
        await inline_rig.run(ledger, flow)
        assert (await ledger.reports.delivery(1))["state"] == "in_doubt"
        sink.answers = [Undetermined("taken away", gone=True)]
        await inline_rig.run(ledger, flow)
        assert (await ledger.reports.delivery(1))["state"] == "dead"
        (letter,) = await ledger.reports.dead_letters()
        assert (letter["code"], letter["owner"], sink.sends) == ("MLC-DLV-0012", "EDI desk", 1)


async def test_a_second_look_at_what_has_been_taken_away_is_not_repeated(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    sink = Oracle(inline_rig, [[], [], [ours]], settle=1.0)
    flow = inline_rig.chain(ListSource(make_bills([1])), encoder=line_encoder(), sink=sink)
    async with inline_rig.ledger() as ledger:
        await inline_rig.run(ledger, flow)
        await inline_rig.clock.advance(2.0)
        sink.answers = [Undetermined("cut off")]
        await inline_rig.run(ledger, flow)
        assert len(await ledger.deliveries.to_look_at(flow.name, "sink")) == 1
        sink.answers = [Undetermined("taken away", gone=True)]
        await inline_rig.run(ledger, flow)
        assert await ledger.deliveries.to_look_at(flow.name, "sink") == []


async def test_a_second_look_that_fails_changes_nothing(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    sink = Oracle(inline_rig, [[], [], Undetermined("cut off")], settle=1.0)
    report, found, _ = await deliver(inline_rig, make_bills([1]), sink, line_encoder())
    assert (report.status, found[0]["state"]) == ("clean", "delivered")


# --- sealing -----------------------------------------------------------------------------------------------------------


def numbers_of(found: list[dict[str, Any]]) -> list[int]:
    return [msgspec.json.decode(one["numbers"])["ISA13"] for one in found]


@pytest.mark.parametrize("culprit", [0, 1, 2])
async def test_a_document_that_cannot_be_packed_is_dead_alone_and_takes_no_number(
    rig: Any, make_bill: Any, line_encoder: Any, culprit: int
) -> None:
    bills = [make_bill(str(n), text="unpackable" if n == culprit else f"bill {n}") for n in range(5)]
    sink = CollectingSink()
    report, found, letters = await deliver(rig, bills, sink, line_encoder(batch=3))
    assert [text for payload in payloads(sink) for text in payload] == [f"bill {n}" for n in range(5) if n != culprit]
    assert numbers_of(found) == list(range(1, len(found) + 1))
    assert [(letter["code"], letter["key"], letter["document"] is not None) for letter in letters] == [
        ("TST-0002", str(culprit), True)
    ]
    assert (report.totals.counts["dead"], report.totals.counts["delivered"], report.balanced) == (1, 4, True)


@pytest.mark.parametrize("method", ["pack", "counters"])
@pytest.mark.parametrize("error", [DataError("no", code="T-1"), KeyError("a bug of the encoder")], ids=["data", "bug"])
async def test_whatever_an_encoder_raises_while_packing_kills_only_its_document(
    inline_rig: Any, make_bill: Any, line_encoder: Any, method: str, error: Exception
) -> None:
    class Fragile(line_encoder):  # type: ignore[misc]
        def counters(self, documents: Any) -> Any:
            if method == "counters" and any(b"bad" in document.body for document in documents):
                raise error
            return super().counters(documents)

        def pack(self, documents: Any, numbers: Any, now: Any) -> bytes:
            if method == "pack" and any(b"bad" in document.body for document in documents):
                raise error
            packed: bytes = super().pack(documents, numbers, now)
            return packed

    sink = CollectingSink()
    bills = [make_bill("1", text="good"), make_bill("2", text="bad"), make_bill("3", text="fine")]
    report, _, letters = await deliver(inline_rig, bills, sink, Fragile(batch=10))
    assert payloads(sink) == [["good", "fine"]]
    assert (report.totals.counts["dead"], len(letters), report.problem) == (1, 1, None)


async def test_when_none_fails_alone_the_first_of_the_batch_dies_and_the_rest_go(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    class Cramped(line_encoder):  # type: ignore[misc]
        def pack(self, documents: Any, numbers: Any, now: Any) -> bytes:
            if len(documents) > 2:
                raise DataError("too long together", code="T-1")
            packed: bytes = super().pack(documents, numbers, now)
            return packed

    sink = CollectingSink()
    await deliver(inline_rig, make_bills(range(3)), sink, Cramped(batch=3))
    assert payloads(sink) == [["bill 1", "bill 2"]]


async def test_an_encoder_that_packs_no_bytes_is_told_as_its_fault(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    class Texts(line_encoder):  # type: ignore[misc]
        def pack(self, documents: Any, numbers: Any, now: Any) -> Any:
            return "a text"

    report, _, letters = await deliver(inline_rig, make_bills([1]), CollectingSink(), Texts())
    assert (report.totals.counts["dead"], letters[0]["owner"]) == (1, "developer")


async def test_control_numbers_are_contiguous_per_scope_over_runs(rig: Any, make_bill: Any, line_encoder: Any) -> None:
    bills = [make_bill(str(n), partner="PQ"[n % 2]) for n in range(10)]
    source, sink = ListSource(bills[:6]), CollectingSink()
    flow = rig.chain(source, encoder=line_encoder(), sink=sink)
    async with rig.ledger() as ledger:
        await rig.run(ledger, flow)
        source.records = bills
        await rig.run(ledger, flow)
        found = await states(ledger)
    for partner in "PQ":
        assert numbers_of([one for one in found if one["lane"] == partner]) == [1, 2, 3, 4, 5]


async def test_control_numbers_start_again_at_one_past_their_limit(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    _, found, _ = await deliver(inline_rig, make_bills(range(7)), CollectingSink(), line_encoder(limit=3))
    assert numbers_of(found) == [1, 2, 3, 1, 2, 3, 1]


async def test_a_count_of_numbers_is_reserved_in_one_piece(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    _, found, _ = await deliver(inline_rig, make_bills(range(6)), CollectingSink(), line_encoder(batch=2))
    assert [msgspec.json.decode(one["numbers"])["ST02"] for one in found] == [1, 3, 5]


async def test_a_retry_sends_the_same_bytes_name_and_numbers(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    """The clock has moved and the header names the time, so bytes packed anew would differ."""
    seen: list[tuple[bytes, str, dict[str, int]]] = []

    class Watching(FailingSink):
        async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
            seen.append((delivery.payload, delivery.name, delivery.numbers))
            return await super().send(delivery, mark)

    sink = Watching([Fault(TRANSIENT), Fault(TRANSIENT, "after"), Fault(TRANSIENT)])
    await deliver(inline_rig, make_bills([1]), sink, line_encoder())
    assert inline_rig.clock.monotonic() > 0
    assert len(seen) == 4
    assert seen == [seen[0]] * 4


async def test_a_message_name_tells_prefix_lane_number_and_digest(
    inline_rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    class Named(CollectingSink):
        name_prefix = "hv"

    sink = Named()
    await deliver(inline_rig, [make_bill("1", partner="A/B")], sink, line_encoder())
    (effect,) = sink.effects
    assert re.fullmatch(r"hv_A-B_000000001_[0-9a-f]{12}\.edi", effect.name)
    assert effect.digest.startswith(effect.name[-16:-4])


# --- recovery ----------------------------------------------------------------------------------------------------------


class Hanging(CollectingSink):
    """Hangs in its first send at this place, as a process that is killed there."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where, self.hung = where, anyio.Event()
        self.sends = 0

    async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
        self.sends += 1
        if self.sends > 1:
            return await super().send(delivery, mark)
        if self.where != "before":
            await mark("document id", "d-1")
            await mark(COMMIT_POINT)
        if self.where == "lost":
            self._take_effect(delivery)
        self.hung.set()
        await anyio.sleep_forever()
        raise AssertionError


@pytest.fixture
def die_in_send(make_bills: Any, line_encoder: Any) -> Callable[..., Any]:
    """A run that is cancelled while it sends."""

    async def die(rig: Any, sink: Hanging, flow: Any) -> None:
        async with rig.ledger() as ledger, anyio.create_task_group() as tasks:
            tasks.start_soon(rig.run, ledger, flow)
            with anyio.fail_after(10):
                await sink.hung.wait()
            tasks.cancel_scope.cancel()

    return die


@pytest.mark.parametrize(
    ("where", "sends"),
    [("before", 2), ("after", 2), ("lost", 1)],
    ids=["before it", "after it, no effect", "after it, with effect"],
)
async def test_a_process_that_died_in_an_attempt_leaves_exactly_one_effect(
    rig: Any, make_bills: Any, line_encoder: Any, die_in_send: Any, where: str, sends: int
) -> None:
    sink = Hanging(where)
    flow = rig.chain(ListSource(make_bills([1])), encoder=line_encoder(), sink=sink)
    await die_in_send(rig, sink, flow)
    async with rig.ledger() as ledger:
        (left,) = await states(ledger)
        assert left["state"] == "sending"
        await rig.run(ledger, flow)
        (found,) = await states(ledger)
    assert (found["state"], sink.sends, len(sink.effects)) == ("delivered", sends, 1)


async def test_marks_of_a_dead_process_reach_the_next_attempt(
    rig: Any, make_bills: Any, line_encoder: Any, die_in_send: Any
) -> None:
    sink = Hanging("after")
    flow = rig.chain(ListSource(make_bills([1])), encoder=line_encoder(), sink=sink)
    await die_in_send(rig, sink, flow)
    async with rig.ledger() as ledger:
        await rig.run(ledger, flow)
    assert sink.effects[0].marks == {"document id": "d-1"}


async def test_a_stop_leaves_what_waits_to_the_next_run(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    stopping = Stopping()

    class StopsAfterOne(CollectingSink):
        async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
            evidence = await super().send(delivery, mark)
            stopping.request(15)
            return evidence

    sink = StopsAfterOne()
    flow = inline_rig.chain(ListSource(make_bills(range(5))), encoder=line_encoder(), sink=sink)
    async with inline_rig.ledger() as ledger:
        first = await inline_rig.run(ledger, flow, stopping=stopping)
        assert (len(sink.effects), first.exit_code, first.balanced) == (1, 143, True)
        await inline_rig.run(ledger, flow)
    assert payloads(sink) == [[f"bill {n}"] for n in range(5)]


# --- upserts -----------------------------------------------------------------------------------------------------------


class Upserts(CollectingSink):
    upsert = True


async def test_an_upsert_delivers_the_state_and_remembers_it(rig: Any, make_bill: Any) -> None:
    sink = Upserts()
    async with rig.ledger() as ledger:
        for text in ("a name", "another name"):
            flow = rig.chain(ListSource([make_bill("V-1", text=text)]), sink=sink)
            await rig.run(ledger, flow, window=EVERYTHING)
    assert [msgspec.json.decode(effect.payload)["text"] for effect in sink.effects] == ["a name", "another name"]
    with closing(sqlite3.connect(rig.file)) as raw:
        saved = raw.execute("select sink, code, state, digest from partners").fetchall()
    assert saved == [("sink", "V-1", sink.effects[-1].payload, sink.effects[-1].digest)]


async def test_an_upsert_of_the_same_state_is_unchanged(inline_rig: Any, make_bill: Any) -> None:
    sink = Upserts()
    flow = inline_rig.chain(ListSource([make_bill("V-1")]), sink=sink)
    async with inline_rig.ledger() as ledger:
        await inline_rig.run(ledger, flow)
        again = await inline_rig.run(ledger, flow, window=EVERYTHING)
    assert (again.totals.counts["unchanged"], len(sink.effects)) == (1, 1)


async def test_an_upsert_back_to_an_earlier_state_is_sent(inline_rig: Any, make_bill: Any) -> None:
    sink = Upserts()
    async with inline_rig.ledger() as ledger:
        for text in ("a", "b", "a"):
            flow = inline_rig.chain(ListSource([make_bill("V-1", text=text)]), sink=sink)
            await inline_rig.run(ledger, flow, window=EVERYTHING)
    assert [msgspec.json.decode(effect.payload)["text"] for effect in sink.effects] == ["a", "b", "a"]


async def test_what_an_earlier_run_left_goes_out_before_the_source_is_read_to_its_end(
    rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    sink = FailingSink([Fault(TRANSIENT)])
    source = ListSource(make_bills([1]))
    flow = rig.chain(source, encoder=line_encoder(), sink=sink)

    class Slow(ListSource):
        async def read(self, window: Window, cursor: dict[str, str] | None) -> Any:
            while not sink.effects:
                await anyio.sleep(0.001)

    async with rig.ledger() as ledger:
        await rig.run(ledger, flow, wait_seconds=0.0)
        assert sink.effects == []
        with anyio.fail_after(10):
            await rig.run(ledger, rig.chain(Slow([]), encoder=line_encoder(), sink=sink), wait_seconds=1e6)
    assert payloads(sink) == [["bill 1"]]
