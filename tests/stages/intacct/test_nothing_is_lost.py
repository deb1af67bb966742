"""Incremental reads lose nothing: under any schedule of saves, late commits, edits and deletes between pages, what became visible
within the bounds is read by the next run in its last version.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import Context, Duration, Secret, Window
from pipeline.testing import ManualClock, SequenceIds
from stages.ap.seed import World, build_world
from stages.ap.seed.world import SeedBill
from stages.intacct.company import IntacctClient, open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.simulator import Behaviour, IntacctSimulator
from stages.intacct.sources import BillsSettings, BillsSource

WORLD = build_world(seed=3, bills=40)
TEMPLATE = next(bill for bill in WORLD.bills if bill.purchase is None and not bill.purchase_missing)
EMPTY = msgspec.structs.replace(WORLD, bills=(), purchases=(), payments=(), orders=())
LIVE = Window()
LAG, OVERLAP, LOOK_BACK, EVERY = 5, 20, 300, 60
SETTINGS = {"lag": Duration(LAG), "overlap": Duration(OVERLAP), "page_size": 2}
NO_SWEEPS = SETTINGS | {"look_back": Duration(OVERLAP), "look_back_every": Duration(OVERLAP)}
SWEEPS = SETTINGS | {"look_back": Duration(LOOK_BACK), "look_back_every": Duration(EVERY)}

Step = tuple[Any, ...]


def schedules(latest: int) -> st.SearchStrategy[list[Step]]:
    """Steps of what people save (which others see up to ``latest`` seconds later), and of what is read meanwhile."""
    late = st.sampled_from([0, 0, latest // 2, latest, latest])
    step = (
        st.tuples(st.just("add"), late)
        | st.tuples(st.just("edit"), st.integers(0, 9), late)
        | st.tuples(st.just("delete"), st.integers(0, 9))
        | st.tuples(st.just("add without a stamp"), late)
        | st.tuples(st.just("wait"), st.sampled_from([1, latest // 2, latest - 2]))
        | st.tuples(st.just("read a page"))
        | st.tuples(st.just("read to the end"))
    )
    return st.lists(step, max_size=25)


def just_in_time(latest: int) -> list[Step]:
    """A bill that appears as late as it may, behind one that was saved last and read first."""
    return [("add", latest), ("wait", latest - 1), ("add", 0), ("read to the end",)]


class Schedule:
    """Carries out the steps against a simulator, and keeps what was read last of each bill."""

    def __init__(self, simulator: IntacctSimulator, client: IntacctClient, clock: ManualClock) -> None:
        self.simulator, self.client, self.clock = simulator, client, clock
        self.read: dict[int, str] = {}
        self.cursor: dict[str, str] | None = None
        self.saved = 0
        self.last_commit = clock.now()

    async def carry_out(self, steps: Sequence[Step]) -> None:
        for what, *details in steps:
            if what == "read a page":
                await self.page()
            elif what == "read to the end":
                await self.finish()
            elif what == "wait":
                await self.clock.advance(details[0])
            else:
                self.save(what, *details)

    def save(self, what: str, *details: int) -> None:
        self.saved += 1
        text = f"save {self.saved}"
        if what.startswith("add"):
            stamp = self.clock.now() if what == "add" else None
            self.simulator.add_bill(bill(self.saved, text, stamp), visible=self.visible(details[0]))
        elif seen := self.simulator.bills():
            record = seen[details[0] % len(seen)].record
            if what == "delete":
                self.simulator.delete_bill(record)
            else:
                self.simulator.edit_bill(record, visible=self.visible(details[1]), description=text)

    def visible(self, late: int) -> Any:
        moment = self.clock.now() + timedelta(seconds=late)
        self.last_commit = max(self.last_commit, moment)
        return moment

    async def page(self) -> bool:
        page = await BillsSource(self.client, BillsSettings()).read(LIVE, self.cursor)
        self.cursor = page.cursor
        for record in page.records:
            self.read[int(record.key)] = record.body.description
        return page.more

    async def finish(self) -> None:
        """Ends the run that is under way."""
        while await self.page():
            pass

    async def all_is_visible(self) -> None:
        await self.clock.advance(max(0.0, (self.last_commit - self.clock.now()).total_seconds()) + 0.001)

    def lost(self) -> dict[int, tuple[str, str]]:
        """The bills whose last version was not read, with what was."""
        books = {each.record: each.description for each in self.simulator.bills()}
        return {key: (self.read.get(key, ""), text) for key, text in books.items() if self.read.get(key) != text}


def bill(record: int, text: str, modified: Any) -> SeedBill:
    return msgspec.structs.replace(
        TEMPLATE, record=record, number=f"N-{record}", description=text, created=WORLD.now, modified=modified
    )


class Wrong:
    """A clock of this machine that is days off; the gateway's is right."""

    def __init__(self, right: ManualClock, days: int) -> None:
        self._right, self._days = right, timedelta(days=days)

    def now(self) -> datetime:
        return self._right.now() + self._days

    def monotonic(self) -> float:
        return self._right.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._right.sleep(seconds)


def carried_out(
    work: Any, *, days_off: int = 0, books: World = EMPTY, behaviour: Behaviour | None = None, **more: Any
) -> None:
    """Runs the work with a `Schedule` over empty books."""

    async def run() -> None:
        clock = ManualClock(books.now)
        context = Context("bills", None, Wrong(clock, days_off), SequenceIds(), None, None)  # type: ignore[arg-type]
        async with IntacctSimulator(books, clock, behaviour=behaviour) as simulator:
            config = IntacctConfig(
                url=simulator.url,
                sender_id=WORLD.sender,
                sender_password=Secret(WORLD.sender_password),
                company_id=WORLD.company,
                user_id=WORLD.user,
                user_password=Secret(WORLD.user_password),
                **more,
            )
            async with open_intacct(config, context) as client:
                await work(Schedule(simulator, client, clock))

    anyio.run(run)


@settings(max_examples=60, deadline=None)
@given(schedules(LAG + OVERLAP), st.sampled_from(["", "UTC", "America/New_York"]))
@example(just_in_time(LAG + OVERLAP), "")
@example(just_in_time(LAG + OVERLAP), "UTC")
def test_what_appears_within_lag_and_overlap_is_read_by_the_next_run(steps: list[Step], zone: str) -> None:
    async def work(schedule: Schedule) -> None:
        await schedule.carry_out(steps)
        await schedule.all_is_visible()
        await schedule.finish()
        await schedule.finish()
        assert schedule.lost() == {}

    carried_out(work, **NO_SWEEPS, behaviour=Behaviour(zone=zone or "Asia/Kolkata"), timezone=zone)


@settings(max_examples=60, deadline=None)
@given(schedules(LAG + LOOK_BACK - EVERY))
@example(
    [
        ("wait", 1),
        ("read to the end",),
        ("wait", 1),
        *just_in_time(EVERY),
        ("wait", EVERY - 2),
        ("add", 0),
        ("read to the end",),
    ]
)
def test_what_appears_later_is_read_by_the_next_sweep(steps: list[Step]) -> None:
    async def work(schedule: Schedule) -> None:
        await schedule.carry_out(steps)
        await schedule.all_is_visible()
        await schedule.finish()
        await schedule.clock.advance(EVERY)
        await schedule.finish()
        assert schedule.lost() == {}

    carried_out(work, **SWEEPS)


LATER = LAG + OVERLAP + 1
"""Just too late for the overlap."""


def test_a_bill_that_appears_behind_the_overlap_waits_for_the_sweep_and_no_longer() -> None:
    async def work(schedule: Schedule) -> None:
        await schedule.carry_out([("add", LATER + 1), ("wait", LATER), ("add", 0)])
        await schedule.finish()
        await schedule.clock.advance(2)
        await schedule.finish()
        assert set(schedule.lost()) == {1}
        await schedule.clock.advance(EVERY)
        await schedule.finish()
        assert schedule.lost() == {}

    carried_out(work, **SWEEPS, timezone="UTC")


def test_a_run_between_two_sweeps_reads_the_overlap_alone() -> None:
    async def work(schedule: Schedule) -> None:
        await schedule.carry_out([("add", 0), ("wait", LATER), ("add", 0)])
        await schedule.finish()
        schedule.read.clear()
        await schedule.finish()
        assert set(schedule.read) == {2}
        await schedule.clock.advance(EVERY)
        await schedule.finish()
        assert set(schedule.read) == {1, 2}

    carried_out(work, **SWEEPS, timezone="UTC")


def test_a_bill_stamped_in_the_future_does_not_carry_the_cursor_past_others() -> None:
    async def work(schedule: Schedule) -> None:
        schedule.simulator.add_bill(bill(900, "from the future", WORLD.now + timedelta(days=400)))
        await schedule.finish()
        assert schedule.read == {900: "from the future"}
        await schedule.carry_out([("wait", 15), ("add", 0)])
        await schedule.finish()
        assert schedule.lost() == {}

    carried_out(work, **NO_SWEEPS)


PROFILES = ["Etc/GMT+12", "America/New_York", "UTC", "Pacific/Kiritimati"]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("hours", [1, 10, 25])
@pytest.mark.parametrize("telling", [0, 5])
def test_without_a_zone_a_stamp_of_hours_ahead_hides_nothing_from_the_next_run(
    profile: str, hours: int, telling: int
) -> None:
    """Whether or not the records tell the profile's zone."""

    async def work(schedule: Schedule) -> None:
        for number in range(telling):
            schedule.simulator.add_bill(bill(800 + number, "as it was made", WORLD.now))
        schedule.simulator.add_bill(bill(900, "from the future", WORLD.now + timedelta(hours=hours)))
        await schedule.finish()
        for _ in range(3):
            await schedule.carry_out([("wait", 15), ("add", 0)])
            await schedule.finish()
            assert schedule.lost() == {}

    carried_out(work, **NO_SWEEPS, behaviour=Behaviour(zone=profile))


@pytest.mark.parametrize("profile", PROFILES)
def test_where_the_records_tell_the_zone_a_run_without_one_reads_the_overlap_alone(profile: str) -> None:
    async def work(schedule: Schedule) -> None:
        for number in range(5):
            schedule.simulator.add_bill(bill(800 + number, "as it was made", WORLD.now))
        await schedule.carry_out([("wait", 100), ("add", 0)])
        await schedule.finish()
        schedule.read.clear()
        await schedule.finish()
        assert set(schedule.read) == {1}

    carried_out(work, **NO_SWEEPS, behaviour=Behaviour(zone=profile))


IN_AUTUMN = msgspec.structs.replace(EMPTY, now=datetime(2026, 11, 1, 5, 0, tzinfo=UTC))
"""01:00 in New York, for the first time; an hour later it is 01:00 again."""


@pytest.mark.parametrize("minutes", [7, 20, 45, 100])
def test_what_is_saved_in_the_hour_repeated_in_autumn_is_read_by_the_next_run(minutes: int) -> None:
    """By the profile's clock the saves of the second hour lie before what was read in the first."""

    async def work(schedule: Schedule) -> None:
        for _ in range(4 * 60 // minutes):
            await schedule.carry_out([("add", 0), ("wait", minutes * 60)])
            await schedule.finish()
            assert schedule.lost() == {}

    new_york = "America/New_York"
    carried_out(work, **NO_SWEEPS, books=IN_AUTUMN, behaviour=Behaviour(zone=new_york), timezone=new_york)


def test_without_a_zone_the_hour_repeated_in_autumn_is_read_by_the_next_sweep() -> None:
    async def work(schedule: Schedule) -> None:
        for _ in range(12):
            await schedule.carry_out([("add", 0), ("wait", 20 * 60)])
            await schedule.finish()
        await schedule.clock.advance(12 * 3600)
        await schedule.finish()
        assert schedule.lost() == {}

    carried_out(
        work,
        lag=Duration(LAG),
        overlap=Duration(OVERLAP),
        books=IN_AUTUMN,
        behaviour=Behaviour(zone="America/New_York"),
    )


@pytest.mark.parametrize("days_off", [-400, 400])
def test_a_wrong_clock_of_this_machine_changes_nothing(days_off: int) -> None:
    async def work(schedule: Schedule) -> None:
        for _ in range(4):
            await schedule.carry_out(just_in_time(LAG + OVERLAP))
            await schedule.all_is_visible()
            await schedule.finish()
            assert schedule.lost() == {}
        schedule.read.clear()
        await schedule.finish()
        # The overlap alone: by this machine's clock a stamp of now lies in the future, and would hold the mark back.
        assert len(schedule.read) <= 4

    carried_out(work, **SETTINGS, days_off=days_off)


@pytest.mark.parametrize("timezone", ["America/Los_Angeles", "Asia/Tokyo"])
def test_a_wrong_zone_costs_repeats_and_loses_nothing(timezone: str) -> None:
    async def work(schedule: Schedule) -> None:
        for _ in range(3):
            await schedule.carry_out([("add", 0), ("add", OVERLAP), ("wait", 15), ("add", 0), ("wait", OVERLAP)])
            await schedule.finish()
            await schedule.finish()
            assert schedule.lost() == {}

    carried_out(work, **NO_SWEEPS, timezone=timezone)
