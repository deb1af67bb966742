"""What reading would take, told beforehand by counting, is about what it then takes."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline import Context, Estimates, Secret, Window
from pipeline.clock import RandomIds
from pipeline.testing.clock import ManualClock
from stages.ap.seed import World, build_world
from stages.intacct import ADAPTER
from stages.intacct.company import open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.simulator import Behaviour, IntacctSimulator

SPECS = {spec.name: spec for spec in ADAPTER.stages}
GIVEN: dict[str, dict[str, Any]] = {"intacct.query": {"object": "VENDOR", "fields": ["NAME"]}}


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=7, bills=400)


@pytest.fixture
def opened(world: World) -> Callable[..., Any]:
    """What builds the source of a stage anew, as each run does, and the gateway it reads."""

    @asynccontextmanager
    async def run(
        stage: str, behaviour: Behaviour | None = None, **changed: Any
    ) -> AsyncIterator[tuple[Any, IntacctSimulator]]:
        async def offload(function: Any, *arguments: Any) -> Any:
            return function(*arguments)

        clock = ManualClock(world.now)
        context = Context(stage="s", folder=Path(), clock=clock, ids=RandomIds(), rng=random.Random(1), offload=offload)
        async with IntacctSimulator(world, clock, behaviour=behaviour) as simulator:
            config = IntacctConfig(
                **{
                    "url": simulator.url, "sender_id": world.sender, "sender_password": Secret(world.sender_password),
                    "company_id": world.company, "user_id": world.user, "user_password": Secret(world.user_password), **changed,
                }
            )  # fmt: skip
            async with open_intacct(config, context) as client:
                context.connection = client
                spec = SPECS[stage]
                assert spec.config is not None
                yield lambda: spec.build(spec.config(**GIVEN.get(stage, {})), context), simulator

    return run


async def read_all(source: Any, window: Window, cursor: Any = None) -> tuple[int, int, Any]:
    records = pages = 0
    while True:
        page = await source.read(window, cursor)
        records, pages, cursor = records + len(page.records), pages + 1, page.cursor
        if not page.more:
            return records, pages, cursor


@pytest.mark.parametrize("stage", SPECS)
async def test_every_source_can_tell(opened: Callable[..., Any], stage: str) -> None:
    async with opened(stage) as (build, _):
        assert isinstance(build(), Estimates)


@pytest.mark.parametrize("size", [1000, 50])
@pytest.mark.parametrize("stage", SPECS)
async def test_an_estimate_is_near_what_reading_takes(opened: Callable[..., Any], stage: str, size: int) -> None:
    async with opened(stage, page_size=size) as (build, simulator):
        source = build()
        estimate = await source.estimate(Window(), None)
        counting = simulator.counts.billable
        records, pages, _ = await read_all(source, Window())
        took = simulator.counts.billable - counting
    assert (estimate.records, estimate.pages) == (records, pages)
    assert (
        abs(estimate.calls - took) <= 0.2 * took + 5
    )  # bills that someone mended meanwhile are read twice, contacts may be known
    assert counting <= 12


async def test_a_live_read_that_goes_on_is_estimated_from_its_cursor(opened: Callable[..., Any]) -> None:
    async with opened("intacct.vendors") as (build, simulator):
        _, _, cursor = await read_all(build(), Window())
        estimate = await build().estimate(Window(), cursor)
        before = simulator.counts.billable
        records, pages, _ = await read_all(build(), Window(), cursor)
        took = simulator.counts.billable - before
    assert estimate.pages == pages
    assert estimate.records <= records <= 20  # vendors whose contacts changed come on top
    assert abs(estimate.calls - took) <= 4


async def test_a_window_is_estimated_as_that_window(opened: Callable[..., Any], world: World) -> None:
    window = Window(since=world.now - timedelta(days=30), until=world.now, by="document_date")
    async with opened("intacct.bills") as (build, _):
        source = build()
        estimate = await source.estimate(window, None)
        records, pages, _ = await read_all(source, window)
    assert 0 < records < 400
    assert (estimate.records, estimate.pages) == (records, pages)


async def test_counting_reads_no_record_beyond_one_a_count(opened: Callable[..., Any]) -> None:
    async with opened("intacct.bills") as (build, simulator):
        await build().estimate(Window(), None)
        assert [
            effect["count"] for effect in simulator.effects() if effect["kind"] == "query" and effect["count"] > 1
        ] == []


async def test_an_object_that_may_not_be_read_costs_nothing(opened: Callable[..., Any]) -> None:
    async with opened("intacct.payments", Behaviour(denied=frozenset({"APADJUSTMENT"}))) as (build, _):
        assert (await build().estimate(Window(), None)).calls > 0
