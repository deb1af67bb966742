"""The real command, run again and again: what arrives between two runs is read by the next, and a signal ends it cleanly."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from contextlib import suppress
from typing import Any

import pytest

from stages.sterling.simulator import open_mailbox

TA1 = (
    b"ISA*00*          *00*          *ZZ*ZZZ            *ZZ*HARBORVALE     *250131*1305*U*00401*000000801*0*P*>~"
    b"TA1*000000001*250131*1305*A*000~IEA*0*000000801~"
)
ZZ = "partner: ZZ\nname: Z\nvendors: [V-ZZ]\nidentity: { isa: { qualifier: ZZ, id: ZZZ }, gs: ZZZ }\nmailbox: /ZZ/Inbound\n"


async def until_answers(rig: Any, count: int) -> None:
    """Returns when the ledger, which the command has yet to make, holds that many answers."""
    async with asyncio.timeout(20):
        while True:
            with suppress(sqlite3.OperationalError):
                if rig.rows("select count(*) from acknowledgements") == [(count,)]:
                    return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_what_arrives_between_runs_is_read_by_the_next_until_a_signal(rigs: Any, number: int, code: int) -> None:
    async with rigs(0) as rig:
        (rig.flows / "partners" / "zz.yaml").write_text(ZZ)
        open_mailbox(rig.sterling.hub, "/ZZ/Outbound")
        rig.edit(("about:", "schedule: { every: 50ms }\nabout:"), name="acknowledgements.yaml")
        child = await rig.start("run", str(rig.flows / "acknowledgements.yaml"), "--json", "--repeat")
        for n in range(1, 4):
            rig.sterling.deposit("/ZZ/Outbound", f"{n}.edi", TA1)
            await until_answers(rig, n)
        child.process.send_signal(number)
        told = await child.ends()
        reports = [json.loads(line) for line in told.out.splitlines()]
        assert told.code == code, told.err
        assert sum(report["read"] for report in reports) == 3
        assert len({report["run"] for report in reports}) == len(reports) >= 3
        assert all(report["balanced"] for report in reports)
        assert [row[0] for row in rig.rows("select status from runs where status not in ('clean', 'stopped')")] == []


async def test_a_refused_sign_in_is_not_tried_again_and_again(rigs: Any) -> None:
    async with rigs(0) as rig:
        (rig.flows / "partners" / "zz.yaml").write_text(ZZ)
        flow = str(rig.flows / "acknowledgements.yaml")
        told = await rig.command("run", flow, "--every", "10ms", STERLING_PASSWORD="wrong")
        assert told.code == 4
        assert len(rig.rows("select id from runs")) == 1


async def test_runs_of_one_process_sign_in_to_the_books_once(rigs: Any) -> None:
    async with rigs(20) as rig:
        child = await rig.start("run", str(rig.flow), "--every", "20ms")
        async with asyncio.timeout(30):
            while True:
                with suppress(sqlite3.OperationalError):
                    if rig.rows("select count(*) >= 3 from runs where status <> 'running'") == [(1,)]:
                        break
                await asyncio.sleep(0.05)
        child.process.send_signal(signal.SIGTERM)
        told = await child.ends()
        assert (told.code, rig.intacct.counts.logins) == (143, 1), told.err
