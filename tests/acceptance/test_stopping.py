"""Signals, and two processes at once."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from stages.sterling.simulator import Fault

BILLS = 60
BATCH = "POST messagebatches"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_a_signal_while_sending_finishes_what_is_in_flight_and_the_next_run_goes_on(
    rigs: Any, reference: Any, number: signal.Signals, code: int
) -> None:
    async with rigs(BILLS) as rig:
        held = rig.sterling.faults.add(Fault(kind="hold", match=BATCH, skip=4))
        child = await rig.start_run()
        await held.reached.wait()
        child.process.send_signal(number)
        await child.says("stopping")
        held.release.set()
        stopped = await child.ends()
        assert stopped.code == code, stopped.err
        report = stopped.json
        assert report["balanced"]
        assert report["in_flight"] > 0, "it must have stopped before the end"
        name = rig.far.arrivals()[4]["name"]
        assert rig.rows("select state from deliveries where name = ?", name) == [("delivered",)]
        assert not rig.rows("select id from deliveries where state = 'sending'")
        assert (await rig.run()).code == 0
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def test_a_signal_while_reading_keeps_what_was_read_and_the_next_run_reads_the_rest(
    rigs: Any, reference: Any, every_gateway_call: Any
) -> None:
    async with rigs(BILLS) as rig:
        rig.small_pages(15)
        pages = 0

        def count(call: Any) -> None:
            nonlocal pages
            page = ("query", "APBILL") in call.functions
            pages += page
            if page and pages == 2:
                os.kill(rig.child.process.pid, signal.SIGTERM)

        every_gateway_call(rig.intacct, count)
        stopped = await (await rig.start_run()).ends()
        assert stopped.code == 143, stopped.err
        assert stopped.json["balanced"]
        assert 0 < stopped.json["read"] < BILLS
        rig.intacct.faults.clear()
        assert (await rig.run()).code == 0
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def test_a_second_signal_ends_at_once_and_loses_nothing(rigs: Any, reference: Any) -> None:
    async with rigs(BILLS) as rig:
        held = rig.sterling.faults.add(Fault(kind="hold", match=BATCH, skip=2))
        child = await rig.start_run()
        await held.reached.wait()
        child.process.send_signal(signal.SIGTERM)
        await child.says("stopping")
        child.process.send_signal(signal.SIGTERM)
        assert (await child.ends()).code == 143
        rig.sterling.faults.clear()
        assert (await rig.run()).code == 0
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def test_a_second_process_on_the_same_flow_is_refused_and_the_first_one_finishes(
    rigs: Any, reference: Any
) -> None:
    async with rigs(BILLS) as rig:
        held = rig.sterling.faults.add(Fault(kind="hold", match=BATCH, skip=1))
        first = await rig.start_run()
        await held.reached.wait()
        second = await rig.run()
        assert second.code == 6
        assert second.json["code"] == "MLC-RUN-0006"
        assert "is running already" in second.err
        assert f"process {first.process.pid}" in second.err
        held.release.set()
        assert (await first.ends()).code == 0
        assert rig.rows("select count(*) from runs") == [(1,)]
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def test_processes_that_make_the_same_new_ledger_at_once_do_not_hinder_each_other(rigs: Any) -> None:
    async with rigs(0) as rig:
        outcomes = await asyncio.gather(*(rig.command("status") for _ in range(6)))
        assert [outcome.code for outcome in outcomes] == [0] * 6, outcomes
