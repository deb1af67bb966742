"""What is refused at once, clearly, with nothing lost; and that no secret gets out on any of these ways."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from pipeline.clock import SystemClock
from stages.intacct.simulator import Fault as IntacctFault
from stages.intacct.simulator import IntacctSimulator
from stages.sterling.simulator import Fault

BILLS = 60
CANARIES = {
    "sender_password": "canary-sender-7f3a<&>",
    "user_password": "canary-user-91bc\"'",
    "sterling_password": "canary-sterling-55de%+",
}
CLOSED = "http://127.0.0.1:9"  # discard: nothing listens there


async def _refused(rig: Any, code: str, *words: str, **environment: str) -> None:
    """Exit 4, one JSON line that says why, the four parts for people, and not one record touched."""
    outcome = await rig.run(**environment)
    assert outcome.code == 4, outcome.err
    report = outcome.json
    assert (report["status"], report["read"], report["balanced"]) == ("failed", 0, True)
    assert code in outcome.err
    for word in ("why", "mend", "owner", *words):
        assert word in outcome.err
    assert not rig.far.arrivals()


async def test_wrong_credentials_are_told_apart_and_nothing_is_lost(rigs: Any, reference: Any) -> None:
    async with rigs(BILLS) as rig:
        await asyncio.gather(
            _refused(rig, "MLC-INTACCT-", "Intacct", INTACCT_USER_PASSWORD="wrong"),
            _refused(rig, "MLC-INTACCT-", "Intacct", INTACCT_SENDER_PASSWORD="wrong", MLC_STORE=rig.other_store("1")),
            _refused(rig, "MLC-STL-0401", "Sterling", STERLING_PASSWORD="wrong", MLC_STORE=rig.other_store("2")),
        )
        assert (await rig.run()).code == 0
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def test_a_password_changed_in_the_middle_of_a_run_is_refused_a_few_times_and_told_once(
    rigs: Any, reference: Any
) -> None:
    async with rigs(BILLS) as rig:
        changed = rig.sterling.faults.add(Fault(kind="unauthorized", match="* *", skip=20, times=None))
        outcome = await rig.run()
        assert (outcome.code, outcome.err.count("MLC-STL-0401")) == (4, 1)
        assert outcome.json["status"] == "failed"
        assert outcome.json["balanced"]
        assert outcome.json["in_flight"] > 0
        assert 1 <= changed.hits <= 4 + 1  # the calls under way, and one that makes sure
        rig.sterling.faults.clear()
        assert (await rig.run()).code == 0
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def test_a_system_that_is_not_there_ends_the_run_clearly(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await asyncio.gather(
            _refused(rig, "MLC-INTACCT-0208", "INTACCT_URL", INTACCT_URL=f"{CLOSED}/ia/xml/xmlgw.phtml"),
            _refused(rig, "MLC-STL-", STERLING_URL=f"{CLOSED}/B2BAPIs/svc", MLC_STORE=rig.other_store("1")),
        )


async def test_a_gateway_that_answers_no_xml_ends_the_run_clearly(rigs: Any) -> None:
    async with rigs(BILLS) as rig, IntacctSimulator(rig.world, SystemClock()) as other:
        rig.intacct.faults.add(IntacctFault(kind="html", times=None))
        other.faults.add(IntacctFault(kind="bomb", times=None))
        await asyncio.gather(
            _refused(rig, "MLC-INTACCT-"),
            _refused(rig, "MLC-INTACCT-0112", "DOCTYPE", **other.environment, MLC_STORE=rig.other_store("1")),
        )


async def test_spoilt_answers_while_reading_are_asked_for_again(rigs: Any, reference: Any) -> None:
    async with rigs(BILLS) as rig:
        rig.small_pages(15)
        rig.edit(("times: 8, first: 1s", "times: 8, first: 10ms"))
        kinds: list[Any] = ["html", "cut", "truncated", "empty", "expired session", "reset after"]
        for n, kind in enumerate(kinds):
            rig.intacct.faults.add(IntacctFault(kind=kind, function="query", nth=3 * n + 2))
        outcome = await rig.run()
        assert outcome.code == 0, outcome.err
        assert rig.intacct.counts.faults == len(kinds)
        assert not rig.intacct.faults.pending
        assert outcome.json["read"] == BILLS
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def test_a_gateway_that_stays_broken_while_reading_ends_in_4_and_the_next_run_reads_the_rest(
    rigs: Any, reference: Any
) -> None:
    async with rigs(BILLS) as rig:
        rig.small_pages(15)
        rig.edit(("times: 8, first: 1s", "times: 2, first: 10ms"))
        rig.intacct.faults.add(IntacctFault(kind="bomb", function="query", object="APBILL", nth=3, times=None))
        outcome = await rig.run()
        report = outcome.json
        assert (outcome.code, report["status"], report["balanced"]) == (4, "failed", True), outcome.err
        assert 0 < report["read"] < BILLS
        assert report["in_flight"] == 0, "what was read is delivered all the same"
        rig.intacct.faults.clear()
        assert (await rig.run()).code == 0
        await rig.check_as_if_nothing_had_happened(await reference(BILLS))


async def test_a_broken_flow_file_is_told_with_all_its_findings_at_once(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        rig.edit(
            ("flow: bills\n", "flow: bills\nowner: me\n"),
            ("source: intacct.bills", "source: intacct.bils"),
            ("rule: not posted", "rulle: not posted"),
            ("lane: partner }", "lane: partner, workers: many }"),
        )
        outcome = await rig.run()
        assert outcome.code == 2
        findings = outcome.json["findings"]
        assert len(findings) >= 4
        text = rig.flow.read_text("utf-8").splitlines()
        lines = {text[finding["line"] - 1] for finding in findings}
        for wrong in ("owner: me", "intacct.bils", "rulle", "many"):
            assert any(wrong in line for line in lines), (wrong, findings)
            assert wrong.split(": ")[0] in outcome.err
        assert outcome.err.count("bills.yaml:") >= 4
        assert not rig.store.exists() or not rig.rows("select id from runs")


async def test_a_variable_that_is_not_set_is_named(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        del rig.environment["INTACCT_COMPANY_ID"]
        outcome = await rig.run()
        assert outcome.code == 2
        assert "INTACCT_COMPANY_ID" in outcome.err


async def test_a_ledger_that_cannot_be_is_refused_in_four_parts_and_without_its_password(
    rigs: Any, tmp_path: Any
) -> None:
    text = tmp_path / "text.db"
    text.write_text("something else", "utf-8")
    cases = {
        "sqlite:////proc/none/ledger.db": 1,
        f"sqlite:///{tmp_path}": 1,
        f"sqlite:///{text}": 1,
        "postgresql://mlc:canary@host/db": 2,
    }
    async with rigs(0) as rig:
        outcomes = await asyncio.gather(*(rig.command("status", MLC_STORE=store) for store in cases))
        for (store, code), outcome in zip(cases.items(), outcomes, strict=True):
            assert outcome.code == code, (store, outcome.err)
            for word in ("MLC-STO-", "where", "why", "mend"):
                assert word in outcome.err
            assert "canary" not in outcome.err + outcome.out
        assert text.read_text("utf-8") == "something else"


async def test_no_secret_gets_into_any_output_or_any_byte_of_the_ledger(rigs: Any) -> None:
    async with rigs(BILLS, **CANARIES) as rig:
        user = rig.world.sterling_user
        basic = [
            base64.b64encode(f"{user}:{word}".encode()).decode()
            for word in ("canary-wrong", CANARIES["sterling_password"])
        ]
        rig.sterling.faults.add(Fault(kind="reset", match="POST messagebatches", after=True))
        rig.sterling.faults.add(Fault(kind="refused", match="POST messagebatches", skip=2))
        outcomes = [
            await rig.run(INTACCT_USER_PASSWORD="canary-wrong"),
            await rig.run(INTACCT_SENDER_PASSWORD="canary-wrong"),
            await rig.run(STERLING_PASSWORD="canary-wrong"),
            await rig.run(INTACCT_URL=f"http://someone:canary-wrong@127.0.0.1:9{'/ia/xml/xmlgw.phtml'}"),
            await rig.run(STERLING_URL=f"http://someone:canary-wrong@127.0.0.1:9{'/B2BAPIs/svc'}"),
            await rig.run(),
        ]
        assert [outcome.code for outcome in outcomes] == [4, 4, 4, 2, outcomes[4].code, 5]
        assert outcomes[4].code in (2, 4)
        said = "".join(outcome.out + outcome.err for outcome in outcomes).encode()
        kept = b"".join(file.read_bytes() for file in rig.store.parent.iterdir())
        assert b"MLC-STL-0400" in kept, "the ledger was looked into"
        for secret in (*CANARIES.values(), "canary-wrong", *basic):
            for form in (secret, json.dumps(secret)[1:-1]):
                assert form.encode() not in said
                assert form.encode() not in kept
        assert b"canary" not in said + kept
