"""`doctor` in a process of its own: what it says of systems and ledgers in every state, and that it touches neither."""

from __future__ import annotations

import asyncio
import json
from typing import Any

BILLS = 60
CANARIES = {
    "sender_password": "canary-sender-7f3a<&>",
    "user_password": "canary-user-91bc\"'",
    "sterling_password": "canary-sterling-55de%+",
}
CLOSED = "http://127.0.0.1:9"  # discard: nothing listens there


def states(outcome: Any, state: str) -> list[tuple[str, str]]:
    return [(check["about"], check["name"]) for check in outcome.json["checks"] if check["state"] == state]


async def test_before_the_first_run_everything_is_checked_and_nothing_is_made(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        outcome = await rig.command("doctor", str(rig.flow), "--json")
        assert (outcome.code, outcome.json["ok"]) == (0, True), outcome.out
        assert states(outcome, "failed") == []
        assert {check["kind"] for check in outcome.json["checks"]} == {
            "machine",
            "ledger",
            "flow",
            "connection",
            "stage",
        }
        assert not rig.store.exists()
        assert not rig.far.arrivals()
        assert rig.intacct.counts.logins == 1


async def test_what_is_wrong_is_told_apart_by_exit_code_and_by_code(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        calls = {
            "MLC-INTACCT-0106": {"INTACCT_USER_PASSWORD": "wrong"},
            "MLC-INTACCT-0101": {"INTACCT_SENDER_PASSWORD": "wrong"},
            "MLC-INTACCT-0117": {"INTACCT_LOCATION_ID": "NOWHERE"},
            "MLC-INTACCT-0208": {"INTACCT_URL": f"{CLOSED}/ia/xml/xmlgw.phtml"},
            "MLC-CHK-0008": {"INTACCT_COMPANY_ID": ""},
        }
        outcomes = await asyncio.gather(
            *(rig.command("doctor", str(rig.flow), "--json", **changed) for changed in calls.values())
        )
        for code, outcome in zip(calls, outcomes, strict=True):
            told = {check["problem"]["code"] for check in outcome.json["checks"] if check["state"] == "failed"}
            assert code in told
            assert outcome.code == (3 if code.startswith("MLC-CHK") else 4)
            assert any(about.startswith("b2bi") for about, _ in states(outcome, "ok")), (
                "the other system is checked too"
            )


async def test_no_secret_gets_into_any_line(rigs: Any) -> None:
    async with rigs(BILLS, **CANARIES) as rig:
        wrong = [
            {"INTACCT_USER_PASSWORD": "canary-wrong"},
            {"STERLING_PASSWORD": "canary-wrong"},
            {"INTACCT_URL": "http://someone:canary-wrong@127.0.0.1:9/ia/xml/xmlgw.phtml"},
            {"INTACCT_USER_PASSWORD": "canary-blank "},
        ]
        outcomes = [await rig.command("doctor", str(rig.flow), "--json", **changed) for changed in ({}, *wrong)]
        outcomes.append(await rig.command("doctor", str(rig.flow), **wrong[0]))
        assert [outcome.code for outcome in outcomes[:3]] == [0, 4, 4]
        said = "".join(outcome.out + outcome.err for outcome in outcomes)
        assert "canary" not in said
        for secret in CANARIES.values():
            assert secret not in said
            assert json.dumps(secret)[1:-1] not in said


async def test_the_ledger_that_a_killed_run_left_is_found_whole(rigs: Any, every_gateway_call: Any) -> None:
    async with rigs(BILLS) as rig:
        rig.small_pages(15)
        pages: list[Any] = []

        def third_page(call: Any) -> None:
            pages.extend(call.functions if ("query", "APBILL") in call.functions else [])
            if len(pages) == 3:
                rig.kill()

        every_gateway_call(rig.intacct, third_page)
        assert (await (await rig.start_run()).ends()).code == -9
        rig.intacct.faults.clear()
        assert rig.rows("select status from runs") == [("running",)], "nobody has noticed that it died"
        outcome = await rig.command("doctor", str(rig.flow), "--json")
        assert outcome.code == 0, outcome.out
        assert "file" in [name for about, name in states(outcome, "ok") if about.startswith("ledger")]
        assert (await rig.run()).code in (0, 5)
