"""A system that is down is told by `status`: since when, what it said last; and no longer once it answers."""

from __future__ import annotations

from typing import Any

import pytest

from stages.intacct.simulator import Fault as IntacctFault
from stages.sterling.simulator import Fault as SterlingFault

NOWHERE = {
    "INTACCT_URL": "http://127.0.0.1:1/ia/xml/xmlgw.phtml",
    "STERLING_URL": "http://127.0.0.1:1/B2BAPIs/svc",
}


async def outages(rig: Any) -> dict[str, Any]:
    """By the kind of system, the first word of its name."""
    told = (await rig.command("status", "--json")).json["outages"]
    return {outage["system"].split()[0]: outage for outage in told}


def impatient(rig: Any) -> None:
    rig.edit(("times: 8, first: 1s, max: 5m", "times: 2, first: 10ms, max: 20ms"))
    rig.set_connection("books", "patience: 0s")


@pytest.mark.parametrize(("variable", "system"), [("INTACCT_URL", "Intacct"), ("STERLING_URL", "Sterling")])
async def test_a_system_that_is_not_there_is_told_as_the_first_thing(rigs: Any, variable: str, system: str) -> None:
    async with rigs(20) as rig:
        assert (await rig.run(**{variable: NOWHERE[variable]})).code == 4
        (first,) = (await outages(rig)).values()
        assert first["system"].startswith(f"{system} (")
        assert first["problem"]["owner"] == "IT"
        screen = (await rig.command("status", COLUMNS="120")).out.splitlines()
        assert screen[0].startswith(f"{system} (")
        assert "not available since" in screen[0]
        assert first["problem"]["what"] in screen[1]


async def test_a_gateway_that_lets_us_in_and_gives_no_page_is_still_down_until_a_page_comes(rigs: Any) -> None:
    async with rigs(20) as rig:
        impatient(rig)
        bills = lambda call: ("query", "APBILL") in call.functions  # noqa: E731
        rig.intacct.faults.add(IntacctFault(kind="server error", status=503, times=None, when=bills))
        await rig.run()
        down = await outages(rig)
        assert list(down) == ["Intacct"]
        await rig.run()
        assert (await outages(rig))["Intacct"]["since"] == down["Intacct"]["since"]
        rig.intacct.faults.clear()
        await rig.run()
        assert await outages(rig) == {}


async def test_a_far_side_that_takes_no_delivery_is_down_until_it_takes_one(rigs: Any) -> None:
    async with rigs(20) as rig:
        impatient(rig)
        rig.sterling.faults.add(SterlingFault(kind="unavailable", match="POST messagebatches*", times=None))
        await rig.run("--wait", "1s")
        down = await outages(rig)
        assert list(down) == ["Sterling"]
        rig.sterling.faults.clear()
        await rig.run()
        assert await outages(rig) == {}
        await rig.check_exactly_once()


async def test_a_company_that_a_flow_no_longer_reads_is_forgotten(rigs: Any) -> None:
    async with rigs(20) as rig:
        assert (await rig.run(INTACCT_URL=NOWHERE["INTACCT_URL"], INTACCT_COMPANY_ID="ELSEWHERE")).code == 4
        assert list(await outages(rig)) == ["Intacct"]
        await rig.run()
        assert await outages(rig) == {}


async def test_a_refused_password_is_no_outage(rigs: Any) -> None:
    async with rigs(20) as rig:
        assert (await rig.run(INTACCT_USER_PASSWORD="wrong")).code == 4
        assert await outages(rig) == {}
