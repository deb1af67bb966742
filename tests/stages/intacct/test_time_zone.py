"""A window by modification is read in the zone of the API user's profile: configured, or measured, or refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from pipeline import ConfigError, Context, Secret, Shared, Window
from pipeline.testing.clock import ManualClock
from stages.ap.seed import World, build_world
from stages.intacct.company import open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.simulator import Behaviour, IntacctSimulator
from stages.intacct.sources import BillsSettings, BillsSource, VendorsSettings, VendorsSource

SEED = build_world(seed=3, bills=40)
TEMPLATE = next(bill for bill in SEED.bills if bill.purchase is None and not bill.purchase_missing)
AUTUMN = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)


def books(*, edited: timedelta = timedelta(), untouched: int = 0) -> World:
    """A bill every half hour from midnight in New York on the night when its clocks are put back, each saved once, or edited so long
    afterwards but for the first few.
    """
    bills = tuple(
        msgspec.structs.replace(
            TEMPLATE, record=1000 + number, number=f"N-{number}", created=AUTUMN + timedelta(minutes=30 * number),
            modified=AUTUMN + timedelta(minutes=30 * number) + (edited if number >= untouched else timedelta()),
        )
        for number in range(12)
    )  # fmt: skip
    return msgspec.structs.replace(
        SEED, bills=bills, purchases=(), payments=(), orders=(), now=AUTUMN + timedelta(days=9)
    )


Reads = Callable[..., Any]


@pytest.fixture
def reads(context: Context) -> Reads:
    async def read(
        window: Window, *, zone: str, world: World | None = None, source: Any = None, **settings: Any
    ) -> list[int]:
        world = world or books()
        context.clock, context.shared = ManualClock(world.now), Shared()
        async with IntacctSimulator(world, context.clock, behaviour=Behaviour(zone=zone)) as simulator:
            config = IntacctConfig(
                url=simulator.url,
                sender_id=world.sender,
                sender_password=Secret(world.sender_password),
                company_id=world.company,
                user_id=world.user,
                user_password=Secret(world.user_password),
                **settings,
            )
            async with open_intacct(config, context) as client:
                source = (source or BillsSource)(client, (VendorsSettings if source else BillsSettings)(page_size=3))
                found, cursor, more = list[int](), None, True
                while more:
                    page = await source.read(window, cursor)
                    found += [int(record.key) - 1000 for record in page.records]
                    cursor, more = page.cursor, page.more
                return sorted(found)

    return read


def half_hours(first: int, behind: int) -> Window:
    return Window(since=AUTUMN + timedelta(minutes=30 * first), until=AUTUMN + timedelta(minutes=30 * behind))


@pytest.mark.parametrize("timezone", ["Asia/Kolkata", ""])
async def test_a_window_has_exactly_what_was_saved_in_it(reads: Reads, timezone: str) -> None:
    """Configured, and measured from records that nobody has edited."""
    assert await reads(half_hours(3, 7), zone="Asia/Kolkata", timezone=timezone) == [3, 4, 5, 6]


@pytest.mark.parametrize("first", range(8))
@pytest.mark.parametrize("length", [1, 2, 4])
async def test_a_window_around_the_hour_repeated_in_autumn_leaves_nothing_out(
    reads: Reads, first: int, length: int
) -> None:
    """01:00 to 02:00 comes twice in New York: such times cannot be told apart, so both hours are read, and at most an hour beside them."""
    found = await reads(half_hours(first, first + length), zone="America/New_York", timezone="America/New_York")
    wanted = set(range(first, first + length))
    assert wanted <= set(found)
    assert set(found) - wanted <= set(range(8))


async def test_an_unknown_zone_is_refused(reads: Reads) -> None:
    world = books(edited=timedelta(minutes=37))
    with pytest.raises(ConfigError, match="not known in which zone") as caught:
        await reads(half_hours(0, 12), zone="America/New_York", world=world)
    assert "APBILL of HARBORVALE" in caught.value.where


async def test_a_zone_that_the_records_contradict_is_refused(reads: Reads) -> None:
    with pytest.raises(ConfigError, match="are not those of UTC"):
        await reads(half_hours(0, 12), zone="America/Los_Angeles", timezone="UTC")


@pytest.mark.parametrize(("untouched", "refused"), [(1, False), (0, True)])
async def test_newest_records_that_were_all_edited_as_long_after_they_were_made_refuse_no_zone_that_the_oldest_confirm(
    reads: Reads, monkeypatch: pytest.MonkeyPatch, untouched: int, refused: bool
) -> None:
    """A job went over them an hour after each was entered, as if the profile's zone lay an hour further east."""
    monkeypatch.setattr("stages.intacct.zoning.zones.ASKED", 5)
    window = reads(
        half_hours(0, 20), zone="UTC", timezone="UTC", world=books(edited=timedelta(hours=1), untouched=untouched)
    )
    if refused:
        with pytest.raises(ConfigError, match="are not those of UTC"):
            await window
    else:
        assert await window == list(range(12))


async def test_a_zone_too_far_west_is_refused_before_it_leaves_records_out(reads: Reads) -> None:
    with pytest.raises(ConfigError, match="are not those of Asia/Dubai") as caught:
        await reads(half_hours(3, 7), zone="Asia/Kolkata", timezone="Asia/Dubai")
    assert caught.value.code == "MLC-INTACCT-0505"


@pytest.mark.parametrize("window", [Window(), Window(since=AUTUMN - timedelta(days=900), by="document_date")])
async def test_live_reads_and_windows_by_date_need_no_zone(reads: Reads, window: Window) -> None:
    world = books(edited=timedelta(minutes=37))
    assert await reads(window, zone="America/New_York", world=world) == list(range(12))


async def test_the_records_are_asked_once_for_all_pages(reads: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr("stages.intacct.zoning.zones.pairs", lambda *_: asked.append(True) or [])
    await reads(half_hours(0, 12), zone="UTC", timezone="UTC")
    assert len(asked) == 2, "bills, and vendors since the bills do not tell"


async def test_where_vendors_do_not_tell_the_zone_bills_do(reads: Reads) -> None:
    """It is the user's: the seeded vendors have been edited since they were made, the bills have not."""
    assert await reads(half_hours(0, 1), zone="Asia/Kolkata", source=VendorsSource) == []
    with pytest.raises(ConfigError, match="not known in which zone"):
        await reads(
            half_hours(0, 1), zone="Asia/Kolkata", source=VendorsSource, world=books(edited=timedelta(hours=9.1))
        )
