"""The shipped example with a stage of one's own, through the real command, without any network."""

from __future__ import annotations

import json
from typing import Any


async def test_the_example_with_a_custom_stage_runs_from_its_own_folder(rigs: Any) -> None:
    async with rigs(0) as rig:
        examples = rig.flows / "examples"
        path = ("run", str(examples / "small_bills.yaml"), "--json")
        outcome = await rig.command(*path)
        assert outcome.code == 5, outcome.err
        report = outcome.json
        assert (report["read"], report["delivered"], report["excluded"], report["dead"], report["held"]) == (
            8,
            4,
            2,
            1,
            1,
        )
        assert report["balanced"]
        written = [
            json.loads(file.read_text("utf-8")) for file in (examples / ".ml-connector" / "small_bills").iterdir()
        ]
        assert {bill["number"] for bill in written} == {"INV-10231", "INV-10232", "77-4411", "PF-2026-118"}
        assert [bill.get("pay_by") for bill in written if bill["number"] == "INV-10232"] == ["2026-10-13"]
        again = (await rig.command(*path)).json
        assert again["delivered"] == 0
        assert len(list((examples / ".ml-connector" / "small_bills").iterdir())) == 4
        assert not rig.intacct.counts.requests
        assert not rig.sterling.requests
