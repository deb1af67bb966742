"""What a run used of the contract is in the ledger as the gateway counted it; a kill loses the calls since the last page, and no more."""

from __future__ import annotations

from typing import Any

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
