"""What scripts rest on: shapes, streams, exit codes; and that the balance can fail."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

BILLS = 120  # enough for the planted failures
TERMS = ("read", "delivered", "excluded", "unchanged", "dead", "held", "in_doubt", "in_flight")
RUN_KEYS = {"schema", "run", "flow", "status", *TERMS, "documents", "interchanges", "amounts", "balanced", "seconds"}


def check_run(report: dict[str, Any]) -> None:
    """The object ``mlc.run/1``: exactly these keys, counts as integers, money as decimal text, and sums that tie."""
    assert set(report) == RUN_KEYS
    assert report["schema"] == "mlc.run/1"
    assert report["status"] in ("clean", "exceptions", "stopped", "out_of_balance", "failed")
    assert all(type(report[key]) is int for key in ("run", *TERMS, "documents", "interchanges"))
    assert type(report["seconds"]) in (int, float)
    assert report["read"] == sum(report[term] for term in TERMS[1:])
    for currency, amounts in report["amounts"].items():
        assert len(currency) == 3
        assert set(amounts) == set(TERMS)
        assert all(type(amount) is str for amount in amounts.values())
        assert Decimal(amounts["read"]) == sum(Decimal(amounts[term]) for term in TERMS[1:])
    assert report["balanced"] is True


async def test_run_prints_one_json_line_of_the_agreed_shape(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        outcome = await rig.run()
        assert outcome.code == 5
        report = outcome.json
        check_run(report)
        assert (report["flow"], report["run"], report["status"]) == ("bills", 1, "exceptions")
        assert report["read"] == BILLS
        read = {"USD": Decimal(), "CAD": Decimal()}
        for bill in rig.world.bills:
            read[bill.currency] += bill.total
        assert {currency: Decimal(amounts["read"]) for currency, amounts in report["amounts"].items()} == read
        assert report["interchanges"] == len(rig.far.arrivals())
        assert report["dead"] + report["held"] == len(rig.world.planted)
        shown = await rig.command("show", "r-1", "--json")
        assert shown.code == 0
        assert {key: shown.json[key] for key in (*TERMS, "amounts", "balanced")} == {
            key: report[key] for key in (*TERMS, "amounts", "balanced")
        }


async def test_the_vendors_flow_reports_in_the_same_shape(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        outcome = await rig.command("run", str(rig.flows / "vendors.yaml"), "--json")
        assert outcome.code == 0, outcome.err
        check_run(outcome.json)
        assert outcome.json["read"] == len(rig.world.vendors)
        again = (await rig.command("run", str(rig.flows / "vendors.yaml"), "--json", "--since", "2000-01-01")).json
        assert (again["delivered"], again["documents"]) == (0, 0)


async def test_demo_balances_and_ends_in_5(rigs: Any) -> None:
    async with rigs(0) as rig:
        outcome = await rig.command("demo", "--once", "--json", "--bills", str(BILLS))
        assert outcome.code == 5, outcome.err
        report = outcome.json
        assert set(report) == {"schema", "flows", "balanced"}
        assert (report["schema"], report["balanced"]) == ("mlc.demo/1", True)
        assert [flow["flow"] for flow in report["flows"]] == ["vendors", "bills", "acknowledgements"]
        for flow in report["flows"]:
            check_run(flow)


LOSSES = {
    "a record is lost": "insert on records when new.rank = 0 begin delete from records where id = new.id; end",
    "a cent is added": "insert on records when new.amount > 0 begin update records set amount = amount + 10000 where id = new.id; end",
    "a page is counted short": "insert on pages begin update pages set records = records - 1 where id = new.id; end",
    "a record has no outcome": "insert on record_documents begin delete from record_documents where record = new.record; end",
}


async def test_a_ledger_that_loses_something_is_out_of_balance(rigs: Any) -> None:
    async with rigs(60) as rig:
        for name, trigger in LOSSES.items():
            await rig.audit(name)  # makes the file
            rig.tamper(f"create trigger loss after {trigger}", store=name)
        outcomes = await asyncio.gather(*(rig.run(MLC_STORE=rig.other_store(name)) for name in LOSSES))
        for name, outcome in zip(LOSSES, outcomes, strict=True):
            assert outcome.code == 7, (name, outcome.err)
            assert (outcome.json["status"], outcome.json["balanced"]) == ("out_of_balance", False), name


async def test_a_finished_run_that_was_tampered_with_does_not_verify(rigs: Any) -> None:
    async with rigs(60) as rig:
        assert (await rig.run()).code == 0
        assert (await rig.command("show", "r-1", "--json")).json["balanced"] is True
        for change, undo in (
            (
                "update records set amount = amount - 10000 where id = 3",
                "update records set amount = amount + 10000 where id = 3",
            ),
            ("update records set currency = 'CAD' where id = 3", "update records set currency = 'USD' where id = 3"),
            ("delete from records where id = (select id from records where rank = 0 limit 1)", ""),
        ):
            rig.tamper(change)
            shown = await rig.command("show", "r-1", "--json")
            assert (shown.code, shown.json["balanced"]) == (7, False), change
            rig.tamper(*([undo] if undo else []))
        assert "OUT OF BALANCE" in (await rig.command("show", "r-1")).out


async def test_the_audit_trail_notices_any_change(rigs: Any) -> None:
    async with rigs(60) as rig:
        await rig.run()
        assert await rig.audit() is None
        rig.tamper(
            "drop trigger audit_is_append_only_u",
            "update audit set detail = detail || ' ' where id = (select max(id) / 2 from audit)",
        )
        assert "does not match" in (await rig.audit() or "")
