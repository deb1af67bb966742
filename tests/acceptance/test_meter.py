"""What a run used of the contract is in the ledger as the gateway counted it; a kill loses the count of a few calls, and no more."""

from __future__ import annotations

from typing import Any

import pytest

BILLS = 60


def counted(rig: Any) -> int:
    return int(rig.rows("select coalesce(sum(used), 0) from calls")[0][0])


async def test_runs_count_what_the_gateway_counts(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        rig.small_pages(15)
        for _ in range(2):
            assert (await rig.run()).code in (0, 5)
            assert counted(rig) == rig.intacct.counts.billable
        meter = (await rig.command("status", "--json")).json["meters"][0]
        assert (meter["used"], meter["account"]) == (rig.intacct.counts.billable, f"Intacct {rig.world.company}")


async def test_a_killed_run_has_counted_the_pages_it_finished_and_the_next_one_counts_its_own(
    rigs: Any, every_gateway_call: Any
) -> None:
    async with rigs(BILLS) as rig:
        rig.small_pages(15)
        pages: list[Any] = []

        def third_page(call: Any) -> None:
            pages.extend(each for each in call.functions if each == ("query", "APBILL"))
            if len(pages) == 3:
                rig.kill()

        every_gateway_call(rig.intacct, third_page)
        assert (await (await rig.start_run()).ends()).code == -9
        rig.intacct.faults.clear()
        before, kept = rig.intacct.counts.billable, counted(rig)
        assert kept <= before, "what was not committed is lost, and nothing is counted twice"
        assert (await rig.run()).code in (0, 5)
        assert counted(rig) - kept == rig.intacct.counts.billable - before


@pytest.mark.parametrize("command", [("run", "bills.yaml"), ("drift", "vendors.yaml")])
async def test_a_kill_in_the_middle_of_a_long_page_loses_the_count_of_few_calls(
    rigs: Any, every_gateway_call: Any, command: tuple[str, str]
) -> None:
    async with rigs(BILLS) as rig:
        assert (await rig.command("runs")).code == 0  # makes the ledger
        rig.set_connection("books", "page_size: 2")
        rig.edit(("  books:\n    type:", "  books:\n    page_size: 2\n    type:"), name="vendors.yaml")
        asked: list[Any] = []

        def late(call: Any) -> None:
            asked.extend(each for each in call.functions if each[0] == "query")
            if len(asked) == 37:
                rig.kill()

        every_gateway_call(rig.intacct, late)
        verb, flow = command
        assert (await rig.command(verb, str(rig.flows / flow))).code == -9
        assert rig.intacct.counts.billable - 10 < counted(rig) <= 37


async def test_commands_that_only_look_are_counted_too_where_a_ledger_is_there(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        vendors = rig.flow.with_name("vendors.yaml")
        assert (await rig.command("doctor", str(rig.flow))).code == 0
        assert not rig.store.exists(), "looking makes no ledger"
        before = rig.intacct.counts.billable
        assert (await rig.run()).code in (0, 5)
        commands = [
            ("doctor", str(rig.flow), str(vendors)),
            ("check", "--live", str(rig.flow)),
            ("drift", str(vendors)),
            ("reconcile", str(rig.flow), "--since", "2026-01-01", "--until", "2026-01-31"),
        ]
        for command in commands:
            known = rig.intacct.counts.billable
            await rig.command(*command)
            assert rig.intacct.counts.billable > known, command
            assert counted(rig) == rig.intacct.counts.billable - before, command
