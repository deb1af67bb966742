"""How a Sterling says that something is not there differs: the main flows do the same under every way of it."""

from __future__ import annotations

from typing import Any

import pytest

from stages.sterling.simulator import Switches

BILLS = 20
FLOWS = ("vendors", "bills", "acknowledgements")


async def flow(rig: Any, name: str, verb: str = "run") -> Any:
    return await rig.command(verb, str(rig.flows / f"{name}.yaml"), "--json")


@pytest.mark.parametrize("form", ["json", "html", "empty", "refused"])
async def test_the_flows_run_on_an_empty_hub_however_it_says_that_nothing_is_there(rigs: Any, form: Any) -> None:
    switches = Switches(unknown=form, empty=form, empty_is_404=frozenset({"*"}))
    async with rigs(BILLS, switches) as rig:
        before = await flow(rig, "vendors", "drift")
        assert {item["kind"] for item in before.json["items"]} == {"missing"}
        outcomes = [await flow(rig, name) for name in FLOWS]
        assert [outcome.code for outcome in outcomes] == [0, 0, 0], outcomes
        vendors, bills, _ = (outcome.json for outcome in outcomes)
        assert vendors["delivered"] == len(rig.sterling.hub.partners) == len(before.json["items"])
        assert bills["delivered"] > BILLS // 5
        await rig.check_exactly_once()
        assert (await flow(rig, "vendors", "drift")).json["items"] == []
        listed = await rig.command("sterling", "list", "routingchannels", "--json")
        assert (listed.code, listed.json["count"]) == (0, 0)
