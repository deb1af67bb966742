"""kill -9 right after each step of a partner's creation took effect, before anybody knows: the next run completes it, nothing twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from stages.sterling.simulator import Fault
from stages.sterling.simulator.entities import CodeList

BILLS = 20
SETTINGS = "community: AP_VENDORS, create: { timeZone"
MORE = "community: NEW_ONES, create_community: true, rule: { action: AP_SendX12 }, codes: { list: AP_ROUTES }, create: { timeZone"
STEPS = ["POST communities", "POST tradingpartners", "POST mailboxes", "POST routingrules", "POST codelistcodes"]


def made(rig: Any) -> Counter[str]:
    """What was created, by its kind and its name."""
    effects = [effect for effect in rig.sterling.effects() if effect["effect"].endswith(".created")]
    keys = ("partner", "user", "path", "rule", "code", "community")
    return Counter(f"{e['effect']} {next(e[key] for key in keys if key in e)}" for e in effects)


@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_after_any_step_leaves_a_partner_that_the_next_run_completes(rigs: Any, step: str) -> None:
    async with rigs(BILLS) as rig:
        hub = rig.sterling.hub
        routes = CodeList("AP_ROUTES", "", "", 1, "", True, True, "admin", hub.clock.now())
        hub.code_lists[routes.key] = routes
        rig.edit((SETTINGS, MORE), name="vendors.yaml")
        inbound = [mailbox for path, mailbox in list(hub.paths.items()) if path.endswith("/Inbound")]
        for mailbox in inbound[:3]:
            hub.remove_mailbox(mailbox)
        hub.effects.clear()
        flow = str(rig.flows / "vendors.yaml")
        rig.sterling.faults.add(Fault(kind="effect", match=step, skip=0 if step == STEPS[0] else 1, on_effect=rig.kill))
        assert (await rig.command("run", flow, "--json")).code == -9
        second = await rig.command("run", flow, "--json")
        assert second.json["balanced"], second.err
        assert second.json["in_doubt"] == second.json["in_flight"] == 0
        once = made(rig)
        assert set(once.values()) == {1}
        assert sum(name.startswith("partner.created") for name in once) == len(hub.partners)
        drift = await rig.command("drift", flow, "--json")
        assert drift.json["items"] == []


async def test_rules_on_a_level_without_them_end_the_run_before_it_reads(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        rig.edit(("community: AP_VENDORS,", "community: AP_VENDORS, rule: { action: BP },"), name="vendors.yaml")
        rig.sterling.faults.add(Fault(kind="html", status=404, match="* routingrules*", times=None))
        told = await rig.command("run", str(rig.flows / "vendors.yaml"), "--json")
        assert (told.code, told.json["read"], "MLC-STL-0346" in told.err) == (4, 0, True), told.err
