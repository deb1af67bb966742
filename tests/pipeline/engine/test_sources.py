"""Sources: pages commit in order and move the cursor only with themselves; reading fails, waits and is bounded as promised."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import anyio
import pytest

from pipeline.engine.services import Stopping
from pipeline.engine.sources import PAGES_IN_FLIGHT
from pipeline.errors import (
    ConfigError,
    DataError,
    Excluded,
    Held,
    PermissionDenied,
    RefusedError,
    ThrottledError,
    TransientError,
)
from pipeline.record import Page, Record, Window
from pipeline.retry import LONGEST_ASKED_WAIT_SECONDS, RetryPolicy
from pipeline.testing import CollectingSink, ListSource

TRANSIENT = TransientError("the far side is away", code="T-1")


class PlannedSource(ListSource):
    """A `ListSource` whose reads, and calls of ``settled``, fail by plan: an error for this call, or None."""

    def __init__(self, records: list[Record], plan: list[Exception | None], **options: Any) -> None:
        super().__init__(records, **options)
        self.plan, self.settled_plan = list(plan), list[Exception | None]()
        self.reads = 0

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page | None:
        self.reads += 1
        if error := self.plan.pop(0) if self.plan else None:
            raise error
        return await super().read(window, cursor)

    async def settled(self, page: Page) -> None:
        if error := self.settled_plan.pop(0) if self.settled_plan else None:
            raise error
        await super().settled(page)


class Gate:
    """A map that lets records through only when told: how a test decides which page is settled first."""

    def __init__(self) -> None:
        self.events: dict[str, anyio.Event] = {}
        self.seen: list[str] = []

    async def __call__(self, one: Record) -> Record:
        self.seen.append(one.key)
        await self.events.setdefault(one.key, anyio.Event()).wait()
        return one

    def open(self, key: str) -> None:
        self.events.setdefault(key, anyio.Event()).set()


async def test_reading_goes_on_from_the_cursor_of_the_run_before(rig: Any, make_bills: Any, line_encoder: Any) -> None:
    source, sink = ListSource(make_bills(range(5)), page_size=2), CollectingSink()
    flow = rig.chain(source, encoder=line_encoder(), sink=sink)
    async with rig.ledger() as ledger:
        first = await rig.run(ledger, flow)
        source.records += make_bills(range(5, 8))
        second = await rig.run(ledger, flow)
        cursor = await ledger.cursor("bills", "source", "")
    assert (first.totals.read, second.totals.read, cursor) == (5, 3, {"position": "8"})
    assert len(sink.effects) == 8


async def test_a_cursor_belongs_to_its_scope(rig: Any, make_bills: Any, line_encoder: Any) -> None:
    source = ListSource(make_bills(range(2)))
    source.scope = "company|entity"  # type: ignore[attr-defined]
    async with rig.ledger() as ledger:
        await rig.run(ledger, rig.chain(source, encoder=line_encoder(), sink=CollectingSink()))
        assert await ledger.cursor("bills", "source", "company|entity") == {"position": "2"}
        assert await ledger.cursor("bills", "source", "") is None


EXPLICIT = [
    pytest.param(Window(since=datetime(2026, 1, 1, tzinfo=UTC)), id="since"),
    pytest.param(Window(until=datetime(2026, 1, 1, tzinfo=UTC)), id="until"),
    pytest.param(Window(keys=("1",)), id="keys"),
]


@pytest.mark.parametrize("window", EXPLICIT)
async def test_an_explicit_window_never_moves_the_live_cursor(
    inline_rig: Any, make_bills: Any, line_encoder: Any, window: Window
) -> None:
    source = ListSource(make_bills(range(3)), page_size=1)
    flow = inline_rig.chain(source, encoder=line_encoder(), sink=CollectingSink())
    async with inline_rig.ledger() as ledger:
        await inline_rig.run(ledger, flow, window=window)
        assert await ledger.cursor("bills", "source", "") is None
        live = await inline_rig.run(ledger, flow)
    assert live.totals.read == 3


async def test_an_explicit_window_starts_at_the_beginning_whatever_the_cursor(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    source = ListSource(make_bills(range(3)))
    flow = inline_rig.chain(source, encoder=line_encoder(), sink=CollectingSink())
    async with inline_rig.ledger() as ledger:
        await inline_rig.run(ledger, flow)
        again = await inline_rig.run(ledger, flow, window=Window(since=datetime(2020, 1, 1, tzinfo=UTC)))
    assert (again.totals.read, again.totals.counts["unchanged"]) == (3, 3)


async def test_a_page_behind_an_open_one_waits_with_its_cursor(rig: Any, make_bills: Any) -> None:
    """Page 2 is settled before page 1: nothing is committed, so a crash now would read both again."""
    source, gate = ListSource(make_bills([1, 2]), page_size=1), Gate()

    async def through(one: Record) -> Record | None:
        if one.key == "1":
            await gate(one)
        return None

    # Two stages, so that page 2 is not stuck behind page 1 in one map.
    first = rig.stage("slow", "map", through, "split:one")
    second = rig.stage("fast", "map", lambda one: None, "split:two")
    from pipeline.flow.expression import Expression

    split = rig.stage(
        "split", "branch", None, "source", cases=(("one", Expression("bill.text == 'bill 1'")),), otherwise="two"
    )
    flow = rig.flow(rig.stage("source", "source", source), split, first, second)
    async with rig.ledger() as ledger, anyio.create_task_group() as tasks:
        tasks.start_soon(rig.run, ledger, flow)
        with anyio.fail_after(10):
            while len(source.asked) < 2 or not gate.seen:
                await anyio.sleep(0.001)
            await anyio.wait_all_tasks_blocked()
            assert await ledger.cursor("bills", "source", "") is None
            assert source.settled_pages == []
            gate.open("1")
            while len(source.settled_pages) < 2:
                await anyio.sleep(0.001)
        assert await ledger.cursor("bills", "source", "") == {"position": "2"}
        assert [page.records[0].key for page in source.settled_pages] == ["1", "2"]


async def test_what_a_source_says_after_a_page_is_settled_takes_the_place_of_its_cursor(
    rig: Any, make_bills: Any
) -> None:
    class Telling(ListSource):
        async def settled(self, page: Page) -> dict[str, str] | None:  # type: ignore[override]
            await super().settled(page)
            return {"position": "2", "done": "yes"} if page.records[0].key == "2" else None

    source = Telling(make_bills([1, 2]), page_size=1)
    flow = rig.flow(rig.stage("source", "source", source), rig.stage("map", "map", lambda one: None, "source"))
    async with rig.ledger() as ledger:
        await rig.run(ledger, flow)
        assert await ledger.cursor("bills", "source", "") == {"position": "2", "done": "yes"}
        await rig.run(ledger, flow, window=Window(keys=("2",)))
        source.records += make_bills([3])
        assert (await rig.run(ledger, flow)).totals.read == 1


async def test_a_record_that_its_source_leaves_out_is_counted_by_its_rule(rig: Any, make_bills: Any) -> None:
    (gone,) = make_bills([1])
    gone.body = Excluded("gone")
    flow = rig.flow(
        rig.stage("source", "source", ListSource([gone])), rig.stage("map", "map", lambda one: None, "source")
    )
    async with rig.ledger() as ledger:
        done = await rig.run(ledger, flow)
        assert (done.totals.read, done.totals.counts["excluded"]) == (1, 1)


async def test_so_many_pages_are_in_flight_and_no_more(rig: Any, make_bills: Any) -> None:
    source, gate = ListSource(make_bills(range(20)), page_size=1), Gate()
    flow = rig.flow(rig.stage("source", "source", source), rig.stage("gate", "map", gate, "source"))
    async with rig.ledger() as ledger, anyio.create_task_group() as tasks:
        tasks.start_soon(rig.run, ledger, flow)
        with anyio.fail_after(10):
            while len(source.asked) < PAGES_IN_FLIGHT:
                await anyio.sleep(0.001)
            await anyio.wait_all_tasks_blocked()
            assert len(source.asked) == PAGES_IN_FLIGHT
        tasks.cancel_scope.cancel()


async def test_settled_is_told_after_the_pages_outcomes_are_durable(
    rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    seen: list[dict[str, str] | None] = []

    class Watching(ListSource):
        async def settled(self, page: Page) -> None:
            assert page.cursor is not None
            seen.append(await ledger.cursor("bills", "source", ""))
            assert seen[-1] is not None
            assert int(seen[-1]["position"]) >= int(page.cursor["position"])

    async with rig.ledger() as ledger:
        source = Watching(make_bills(range(4)), page_size=2)
        report = await rig.run(ledger, rig.chain(source, encoder=line_encoder(), sink=CollectingSink()))
    assert report.problem is None
    assert len(seen) == 2


async def test_a_read_that_fails_for_now_is_tried_again(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    source = PlannedSource(make_bills(range(2)), [TRANSIENT, ThrottledError("slow", retry_after=30.0), None])
    flow = inline_rig.chain(source, encoder=line_encoder(), sink=CollectingSink())
    async with inline_rig.ledger() as ledger:
        report = await inline_rig.run(ledger, flow)
    assert (report.status, report.totals.counts["delivered"]) == ("clean", 2)
    assert inline_rig.clock.monotonic() >= 30


async def test_a_read_is_tried_as_often_as_the_policy_says(inline_rig: Any, make_bills: Any) -> None:
    source = PlannedSource(make_bills([1]), [TRANSIENT] * 9)
    node = inline_rig.stage("source", "source", source, retry=RetryPolicy(times=3))
    async with inline_rig.ledger() as ledger:
        report = await inline_rig.run(
            ledger, inline_rig.flow(node, inline_rig.stage("drop", "map", lambda one: None, "source"))
        )
    assert source.reads == 3
    assert (report.problem, report.status, report.exit_code) == (TRANSIENT, "failed", 4)


@pytest.mark.parametrize(
    "error",
    [ConfigError("no such object"), PermissionDenied("not allowed"), DataError("odd page"), RefusedError("no")],
    ids=repr,
)
async def test_a_source_that_fails_for_good_ends_reading_while_earlier_pages_are_delivered(
    rig: Any, make_bills: Any, line_encoder: Any, error: Exception
) -> None:
    source, sink = PlannedSource(make_bills(range(6)), [None, None, error], page_size=2), CollectingSink()
    async with rig.ledger() as ledger:
        report = await rig.run(ledger, rig.chain(source, encoder=line_encoder(), sink=sink))
        assert await ledger.cursor("bills", "source", "") == {"position": "4"}
    assert (len(sink.effects), source.reads) == (4, 3)
    assert (report.status, report.problem, report.balanced) == ("failed", error, True)


async def test_a_run_after_the_fault_reads_what_is_left(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    source, sink = PlannedSource(make_bills(range(6)), [None, ConfigError("x")], page_size=2), CollectingSink()
    flow = inline_rig.chain(source, encoder=line_encoder(), sink=sink)
    async with inline_rig.ledger() as ledger:
        await inline_rig.run(ledger, flow)
        report = await inline_rig.run(ledger, flow)
    assert (report.status, report.totals.read, len(sink.effects)) == ("clean", 4, 6)


async def test_telling_a_source_that_a_page_is_settled_is_tried_again(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    source = PlannedSource(make_bills(range(4)), [], page_size=2)
    source.settled_plan = [TRANSIENT, None, None]
    async with inline_rig.ledger() as ledger:
        report = await inline_rig.run(ledger, inline_rig.chain(source, encoder=line_encoder(), sink=CollectingSink()))
    assert (report.status, len(source.settled_pages)) == ("clean", 2)


async def test_a_source_that_cannot_be_told_makes_the_run_fail_but_stops_nothing(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    source, sink = PlannedSource(make_bills(range(4)), [], page_size=2), CollectingSink()
    source.settled_plan = [error := ConfigError("extraction is not allowed")]
    async with inline_rig.ledger() as ledger:
        report = await inline_rig.run(ledger, inline_rig.chain(source, encoder=line_encoder(), sink=sink))
    assert (report.problem, report.balanced, len(sink.effects), len(source.settled_pages)) == (error, True, 4, 1)


SETTLED_AT_SOURCE = [
    pytest.param(Held("no purchase found", code="T-2"), "held", "T-2", id="Held"),
    pytest.param(DataError("no number", code="T-3"), "dead", "T-3", id="DataError"),
]


@pytest.mark.parametrize(("body", "outcome", "code"), SETTLED_AT_SOURCE)
async def test_a_body_that_is_an_outcome_settles_at_the_source(
    rig: Any, make_bill: Any, line_encoder: Any, body: Exception, outcome: str, code: str
) -> None:
    source, sink = ListSource([make_bill("1").replace(body=body), make_bill("2")]), CollectingSink()
    async with rig.ledger() as ledger:
        report = await rig.run(ledger, rig.chain(source, encoder=line_encoder(), sink=sink))
        letters = await ledger.reports.dead_letters()
    assert (report.totals.counts[outcome], report.totals.counts["delivered"]) == (1, 1)
    assert [(letter["code"], letter["stage"], letter["key"]) for letter in letters] == [(code, "source", "1")]


@pytest.mark.parametrize(
    "amount", ["0.0000001", "1000000000000", "NaN", "sNaN", "Infinity", "9E+999999", "1." + "0" * 30 + "1"]
)
async def test_an_amount_that_cannot_be_kept_exactly_makes_the_record_dead_and_the_books_still_tie(
    inline_rig: Any, make_bill: Any, line_encoder: Any, amount: str
) -> None:
    source = ListSource([make_bill("1").replace(amount=Decimal(amount)), make_bill("2", amount="5")])
    async with inline_rig.ledger() as ledger:
        report = await inline_rig.run(ledger, inline_rig.chain(source, encoder=line_encoder(), sink=CollectingSink()))
        letters = await ledger.reports.dead_letters()
    assert (report.balanced, report.totals.counts["dead"], report.totals.counts["delivered"]) == (True, 1, 1)
    assert report.as_json()["amounts"]["USD"]["read"] == "5.00"
    assert [letter["code"] for letter in letters] == ["MLC-STO-0010"]


async def test_a_run_stopped_while_it_waits_for_its_source_says_so_and_is_not_clean(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    stopping = Stopping()

    class Away(ListSource):
        async def read(self, window: Window, cursor: dict[str, str] | None) -> Page | None:
            stopping.request(15)
            raise ThrottledError("slow down", where="the far side", retry_after=3600.0)

    flow = inline_rig.chain(Away(make_bills(range(2))), encoder=line_encoder(), sink=CollectingSink())
    async with inline_rig.ledger() as ledger:
        report = await inline_rig.run(ledger, flow, stopping=stopping)
        assert [run["status"] for run in await ledger.reports.latest_runs()] == ["stopped"]
    (wait,) = [detail for event, detail in inline_rig.events if event == "waiting"]
    assert wait.why == "slow down (the far side)"
    assert wait.until - inline_rig.clock.now() == timedelta(seconds=LONGEST_ASKED_WAIT_SECONDS)
    assert (report.status, report.unread, report.exit_code) == ("stopped", ["source"], 143)


async def test_a_window_of_keys_drops_whatever_else_a_source_gives(inline_rig: Any, make_bills: Any) -> None:
    class Careless(ListSource):
        async def read(self, window: Window, cursor: dict[str, str] | None) -> Page | None:
            return await super().read(Window(), cursor)

    drop = inline_rig.stage("drop", "map", lambda one: None, "source")
    flow = inline_rig.flow(inline_rig.stage("source", "source", Careless(make_bills(range(9)))), drop)
    async with inline_rig.ledger() as ledger:
        report = await inline_rig.run(ledger, flow, window=Window(keys=("3", "5")))
    assert (report.totals.read, report.balanced) == (2, True)


async def test_empty_pages_move_the_cursor_too(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    class Sparse(ListSource):
        async def read(self, window: Window, cursor: dict[str, str] | None) -> Page | None:
            position = int(cursor["position"]) if cursor else 0
            return Page([], {"position": str(position + 1)}, more=position < 5)

    async with inline_rig.ledger() as ledger:
        report = await inline_rig.run(
            ledger, inline_rig.chain(Sparse([]), encoder=line_encoder(), sink=CollectingSink())
        )
        assert await ledger.cursor("bills", "source", "") == {"position": "6"}
    assert (report.status, report.totals.read) == ("clean", 0)


async def test_a_page_without_a_cursor_keeps_the_one_before(inline_rig: Any, make_bill: Any) -> None:
    class Forgetful(ListSource):
        async def read(self, window: Window, cursor: dict[str, str] | None) -> Page | None:
            if cursor is None:
                return Page([make_bill("1")], {"position": "1"}, more=True)
            return Page([make_bill("2")], None, more=False)

    drop = inline_rig.stage("drop", "map", lambda one: None, "source")
    async with inline_rig.ledger() as ledger:
        await inline_rig.run(ledger, inline_rig.flow(inline_rig.stage("source", "source", Forgetful([])), drop))
        assert await ledger.cursor("bills", "source", "") == {"position": "1"}


async def test_a_stop_while_a_read_waits_to_be_tried_again_ends_reading(
    inline_rig: Any, make_bills: Any, make_stopping: Callable[[Any, int], Stopping]
) -> None:
    source = PlannedSource(make_bills(range(2)), [TRANSIENT] * 5)
    stopping = make_stopping(source, 2)
    drop = inline_rig.stage("drop", "map", lambda one: None, "source")
    async with inline_rig.ledger() as ledger:
        flow = inline_rig.flow(inline_rig.stage("source", "source", source), drop)
        report = await inline_rig.run(ledger, flow, stopping=stopping)
    assert (source.reads, report.problem, report.exit_code) == (2, None, 143)


@pytest.fixture
def make_stopping() -> Callable[[PlannedSource, int], Stopping]:
    """A request to stop that is made by the source's n-th read."""

    def make(source: PlannedSource, after: int) -> Stopping:
        stopping, read = Stopping(), source.read

        async def watched(window: Window, cursor: dict[str, str] | None) -> Page | None:
            if source.reads + 1 == after:
                stopping.request(15)
            return await read(window, cursor)

        source.read = watched  # type: ignore[method-assign]
        return stopping

    return make
