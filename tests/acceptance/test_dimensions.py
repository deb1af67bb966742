"""Accounts and dimensions from the simulated books to files of JSON lines."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from pipeline.cli.shipped import shipped_flows


async def test_every_account_and_dimension_is_kept_once(rigs: Any) -> None:
    async with rigs(bills=30) as rig:
        report = (await rig.command("run", str(rig.flows / "dimensions.yaml"), "--json")).json
        again = (await rig.command("run", str(rig.flows / "dimensions.yaml"), "--json")).json
        files = sorted((rig.flows / "files").rglob("*.jsonl"))
        lines = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
        kept = Counter((line.get("object", "GLACCOUNT"), line.get("id", line.get("number"))) for line in lines)
        read = ("GLACCOUNT", "DEPARTMENT", "LOCATION", "CLASS", "PROJECT", "ITEM")
        there = [master for master in rig.world.masters if master.object in read]
        assert kept == Counter((master.object, master.id) for master in there)
        assert {file.parent.name for file in files} == {"accounts", "dimensions"}
        assert (report["balanced"], report["delivered"], again["delivered"]) == (True, len(there), 0)


async def test_a_flow_that_comes_with_the_program_writes_below_the_working_folder_and_says_where(rigs: Any) -> None:
    shipped = shipped_flows()
    async with rigs(bills=3) as rig:
        (rig.flows / "dimensions.yaml").unlink()
        told = await rig.command("run", "dimensions")
        looked = await rig.command("doctor", "dimensions")
        here = rig.flows.parent / "files"
        assert {file.parent.name for file in here.rglob("*.jsonl")} == {"accounts", "dimensions"}
        assert f"files of kept are in {here}\n" in told.err
        assert str(here) in looked.out
        assert not (shipped / "files").exists()
