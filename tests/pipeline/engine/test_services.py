"""`Stopping`: a request ends waits at once; a sleep that is not disturbed lasts its time."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from pipeline.engine.request import RunRequest
from pipeline.engine.runner import run_flow
from pipeline.engine.services import Services, Stopping, in_thread, inline
from pipeline.flow.model import Stage
from pipeline.registry import Registry
from pipeline.stage import Context, Shared, StageSpec
from pipeline.testing import ListSource, ManualClock


async def test_a_sleep_lasts_its_time_when_nobody_asks_to_stop() -> None:
    clock, stopping, slept = ManualClock(), Stopping(), list[bool]()

    async def sleeper() -> None:
        slept.append(await stopping.sleep(clock, 5))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sleeper)
        await clock.advance(4.9)
        assert slept == []
        await clock.advance(0.2)
    assert slept == [True]


async def test_a_request_ends_a_sleep_at_once() -> None:
    clock, stopping, slept = ManualClock(), Stopping(), list[bool]()

    async def sleeper() -> None:
        slept.append(await stopping.sleep(clock, 3600))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sleeper)
            await anyio.wait_all_tasks_blocked()
            stopping.request(15)
    assert (slept, clock.monotonic()) == ([False], 0)


async def test_nobody_falls_asleep_after_a_request() -> None:
    clock, stopping = ManualClock(autojump=True), Stopping()
    stopping.request()
    assert await stopping.sleep(clock, 10) is False
    assert clock.monotonic() == 0


@pytest.mark.parametrize(("signals", "kept"), [([0], 0), ([15, 2], 15), ([0, 2], 2)])
async def test_the_first_signal_is_kept(signals: list[int], kept: int) -> None:
    stopping = Stopping()
    for signal in signals:
        stopping.request(signal)
    with anyio.fail_after(5):
        await stopping.wait()
    assert stopping.signal == kept


@pytest.mark.parametrize("offload", [in_thread, inline])
async def test_both_ways_to_offload_give_the_result_and_the_error(offload: type) -> None:
    assert await offload(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await offload(divmod, 7, 0)


async def test_flows_that_are_given_the_same_shared_meet_in_it(inline_rig: Any) -> None:
    seen: list[Shared] = []

    def build(settings: Any, context: Context) -> ListSource:
        seen.append(context.shared)
        return ListSource([])

    spec = StageSpec(name="test.source", verb="source", build=build)
    flows = [
        inline_rig.flow(Stage(name="source", verb="source", component="test.source", spec=spec, inputs=()), name=name)
        for name in ("one", "two")
    ]
    services = inline_rig.services
    async with inline_rig.ledger() as ledger:
        for flow in flows:
            await run_flow(flow, Registry([]), ledger, services, RunRequest(), Stopping())
    assert seen == [services.shared] * 2
    assert seen[0].of(dict, dict) is seen[1].of(dict, dict)


def test_the_real_services_have_a_clock_and_ids() -> None:
    services = Services.system({"A": "b"})
    assert services.clock.now().tzinfo is not None
    assert services.ids.new() != services.ids.new()
    services.observe("read", 1)
