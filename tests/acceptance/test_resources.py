"""What Sterling holds, by the real command: lists for people and scripts, and collections as sources of flows."""

from __future__ import annotations

import json
from typing import Any

import pytest

FLOW = """
flow: {name}
version: 1
connections:
  hub:
    type: sterling
    url: "${{env:STERLING_URL}}"
    auth: {{ basic: {{ user: "${{env:STERLING_USER}}", password: "${{env:STERLING_PASSWORD}}" }} }}
stages:
  - rows: {{ source: sterling.resource, via: hub, with: {{ resource: {resource}{more} }} }}
  - lines: {{ encode: {encode} }}
  - kept: {{ sink: generic.folder, with: {{ path: {name} }} }}
"""


async def listed(rig: Any, *arguments: str, **environment: str) -> Any:
    told = await rig.command("sterling", "list", *arguments, "--json", **environment)
    assert told.code == 0, told.err
    return told.json


@pytest.mark.parametrize("resource", ["workflows", "schedules", "routingrules", "mailboxes", "documents", "codelists"])
async def test_every_collection_can_be_listed_with_the_variables_alone(rigs: Any, resource: str) -> None:
    async with rigs(0) as rig:
        rig.sterling.deposit("/RIVERBEND/Inbound", "a.edi", b"x")
        assert {key: value for key, value in rig.environment.items() if key.startswith("INTACCT")}
        told = await listed(rig, resource, INTACCT_SENDER_ID="", INTACCT_URL="")
        assert (told["resource"], told["count"]) == (resource, len(told["rows"]))
        assert told["count"] or resource in ("routingrules", "codelists")


async def test_a_list_is_narrowed_and_printed(rigs: Any) -> None:
    async with rigs(0) as rig:
        told = await rig.command("sterling", "list", "mailboxes", "--filter", "path=/RIVERBEND")
        assert told.code == 0
        assert [line.split()[1] for line in told.out.splitlines()] == [
            "PATH",
            "/RIVERBEND",
            "/RIVERBEND/Inbound",
            "rows",
        ]


async def test_the_connection_may_be_that_of_a_flow(rigs: Any) -> None:
    async with rigs(0) as rig:
        flow = rig.flows / "own.yaml"
        flow.write_text(FLOW.format(name="own", resource="workflows", more="", encode="generic.json"))
        assert (await listed(rig, "workflows", "--flow", str(flow), "--connection", "hub"))["count"] == 2
        told = await rig.command("sterling", "list", "workflows", "--flow", str(flow), "--connection", "other")
        assert (told.code, "MLC-CLI-0025" in told.err) == (2, True)
        wrong = await rig.command("sterling", "list", "workflows", "--flow", str(flow), STERLING_PASSWORD="wrong")
        assert wrong.code == 4
        unset = await rig.command("sterling", "list", "workflows", "--flow", str(flow), STERLING_URL="")
        assert unset.code in (2, 4)


async def test_a_flow_over_a_collection_makes_what_is_new_and_nothing_of_what_is_the_same(rigs: Any) -> None:
    async with rigs(0) as rig:
        flow = rig.flows / "schedules.yaml"
        flow.write_text(FLOW.format(name="schedules", resource="schedules", more="", encode="generic.json"))
        counts = []
        for enabled in (False, False, True):
            rig.sterling.hub.schedules["MailboxEvaluateAllAutomaticRules"].enabled = enabled
            report = (await rig.command("run", str(flow), "--json")).json
            counts.append((report["read"], report["delivered"], report["unchanged"], report["balanced"]))
        assert counts == [(1, 1, 0, True), (1, 0, 1, True), (1, 1, 0, True)]
        rows = [json.loads(file.read_text()) for file in (rig.flows / "schedules").glob("*")]
        assert sorted(row["scheduleStatusEnabled"] for row in rows) == [False, True]


async def test_documents_come_as_files(rigs: Any) -> None:
    async with rigs(0) as rig:
        flow = rig.flows / "documents.yaml"
        flow.write_text(
            FLOW.format(name="documents", resource="documents", more=", content: true", encode="generic.content")
        )
        contents = {bytes(range(256)), b"ISA*\x1c", b""}
        for n, content in enumerate(sorted(contents)):
            rig.sterling.deposit("/RIVERBEND/Inbound", f"{n}.bin", content)
        report = (await rig.command("run", str(flow), "--json")).json
        assert (report["read"], report["delivered"]) == (3, 3)
        files = [file for file in (rig.flows / "documents").rglob("*") if file.is_file()]
        assert {file.read_bytes() for file in files} == contents
        assert {file.name.rpartition("_")[2] for file in files} == {"0.bin", "1.bin", "2.bin"}
