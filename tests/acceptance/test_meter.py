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
