"""Every kind of Sterling that can be simulated: all shipped flows end to end, by the real command, with partners that take and answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stages.sterling import ADAPTER
from stages.sterling.simulator import (
    ORDER_SHARES,
    PROFILES,
    SHARES,
    TAKING_SHARES,
    Fault,
    correspondence,
    drawn,
    open_mailbox,
    outbound,
)

BILLS = 40
FLOWS = ("vendors", "dimensions", "bills", "payments", "acknowledgements", "mailbox")


TROUBLE: tuple[dict[str, Any], ...] = (
    {"kind": "reset", "match": "POST messagebatches", "times": 3, "after": True},
    {"kind": "reset", "match": "POST messagebatches", "skip": 5, "times": 2},
    {"kind": "truncated", "match": "GET mailboxmessages*", "skip": 1, "times": 1},
    {"kind": "html", "status": 200, "match": "GET mailboxmessages*", "skip": 3, "times": 1},
    {"kind": "unavailable", "match": "POST tradingpartners", "skip": 2, "times": 2},
    {"kind": "reset", "match": "POST tradingpartners", "skip": 6, "times": 2, "after": True},
    {"kind": "throttled", "match": "POST documents/*", "times": 2, "seconds": 1},
    {"kind": "shifted", "match": "GET mailboxmessages*", "skip": 4, "times": 2},
)


async def flow(rig: Any, name: str, *options: str) -> dict[str, Any]:
    told = await rig.command("run", str(rig.flows / f"{name}.yaml"), "--json", *options)
    report: dict[str, Any] = told.json
    assert (told.code, report["balanced"]) == (0, True), f"{name}: {told.out}{told.err}"
    return report


def test_the_flows_are_all_that_are_shipped() -> None:
    assert sorted(FLOWS) == sorted(file.stem for file in (Path(__file__).parents[2] / "flows").glob("*.yaml"))
    assert ADAPTER.simulator is not None
    assert list(ADAPTER.simulator.profiles) == list(PROFILES)


@pytest.mark.parametrize("profile", PROFILES)
async def test_all_shipped_flows_run_end_to_end_on_every_kind_of_sterling(rigs: Any, profile: str) -> None:
    async with rigs(BILLS, PROFILES[profile]) as rig:
        rig.environment |= rig.sterling.environment
        partners = list(rig.world.partners)
        for partner in partners:
            open_mailbox(rig.sterling.hub, outbound(partner.mailbox))
        policies = [drawn(partners, 7 + n, shares) for n, shares in enumerate((SHARES, TAKING_SHARES, ORDER_SHARES))]
        async with correspondence(rig.sterling, partners, *policies) as found:  # type: ignore[arg-type]
            found.late_seconds = 0.0
            reports = {name: await flow(rig, name) for name in FLOWS}
            again = {name: await flow(rig, name) for name in FLOWS} if profile == "awkward" else {}
        assert reports["vendors"]["delivered"] == len(rig.sterling.hub.partners)
        assert reports["bills"]["delivered"] > BILLS // 5
        assert reports["payments"]["read"] > 0
        assert reports["acknowledgements"]["read"] == reports["mailbox"]["read"] == len(found.answered) > 0
        assert not any(report["delivered"] for report in again.values())
        names = [effect["name"] for effect in rig.far.arrivals()]
        assert len(names) == len(set(names)) > 0
        sent = rig.rows("select count(*) from deliveries where sink = 'delivered' and state = 'delivered'")
        assert sent == [(len(names),)]
        assert not rig.rows("select id from deliveries where state <> 'delivered'")
        assert not found.refused
        assert not [line for line, status in rig.sterling.requests if status >= 500]
        assert await rig.audit() is None


async def test_lost_answers_and_passing_failures_on_an_awkward_sterling_cost_no_bill_and_make_no_second(
    rigs: Any,
) -> None:
    async with rigs(BILLS, PROFILES["awkward"]) as rig:
        rig.environment |= rig.sterling.environment
        partners = list(rig.world.partners)
        for partner in partners:
            open_mailbox(rig.sterling.hub, outbound(partner.mailbox))
        taking = drawn(partners, 3, TAKING_SHARES)
        async with correspondence(rig.sterling, partners, {}, taking):
            faults = [rig.sterling.faults.add(Fault(**each)) for each in TROUBLE]
            for _ in range(3):  # what is in doubt is settled by what the partners say
                told = [
                    await rig.command("run", str(rig.flows / f"{name}.yaml"), "--json", "--wait", "2s")
                    for name in FLOWS
                ]
                assert all(each.json["balanced"] for each in told), told
            assert all(fault.hits for fault in faults), faults
            assert [each.code for each in told] == [0] * len(FLOWS), told
        names = [effect["name"] for effect in rig.far.arrivals()]
        assert len(names) == len(set(names)) > 0
        assert rig.rows("select distinct state from deliveries") == [("delivered",)]
        assert not rig.rows("select id from documents where status not in ('delivered', 'held')")
        created = [effect["partner"] for effect in rig.sterling.effects() if effect["effect"] == "partner.created"]
        assert len(created) == len(set(created)) == len(rig.sterling.hub.partners)
        assert await rig.audit() is None


async def test_partners_that_read_strictly_find_nothing_in_what_the_flows_write(rigs: Any) -> None:
    async with rigs(120) as rig:
        partners = list(rig.world.partners)
        for partner in partners:
            open_mailbox(rig.sterling.hub, outbound(partner.mailbox))
        async with correspondence(rig.sterling, partners, {}) as found:
            for name in ("bills", "payments", "acknowledgements"):
                told = await rig.command("run", str(rig.flows / f"{name}.yaml"), "--json")
                assert told.json["balanced"]
        assert not found.refused
        sql = "select set_code, acknowledgement, count(*) from documents where status = 'delivered' and acknowledgement <> '' group by 1, 2"
        assert [(code, status) for code, status, _ in rig.rows(sql)] == [(x, "accepted") for x in ("810", "820", "850")]
