"""`reconcile`: the books and the ledger of a period, compared by the real command."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

PERIOD = ("--since", "2026-09-01", "--until", "2026-12-31")


async def test_books_and_ledger_agree_after_a_run_and_differ_by_name_after_edits(rigs: Any) -> None:
    async with rigs(60) as rig:
        command = ("reconcile", str(rig.flow), *PERIOD)
        await rig.run()
        outcome = await rig.command(*command, "--json")
        assert (outcome.code, outcome.json["matches"]) == (0, True), outcome.err
        (source,) = outcome.json["sources"]
        totals: dict[str, Decimal] = {}
        for bill in rig.intacct.bills():
            totals[bill.currency] = totals.get(bill.currency, Decimal(0)) + bill.total
        assert {key: Decimal(value["amount"]) for key, value in source["counted"].items()} == totals
        assert source["counted"] == source["listed"] == source["ledger"]

        sent = {key for (key,) in rig.rows("select key from documents where status = 'delivered'")}
        edited, deleted = [bill for bill in rig.intacct.bills() if str(bill.record) in sent][:2]
        added = msgspec.structs.replace(edited, record=99_999, number="NEW-1")
        rig.intacct.add_bill(added)
        rig.intacct.edit_bill(edited.record, total=edited.total + 1)
        rig.intacct.delete_bill(deleted.record)
        outcome = await rig.command(*command, "--json")
        assert outcome.code == 7
        found = {(each["kind"], each["key"]) for each in outcome.json["sources"][0]["differences"]}
        assert found == {("never read", "99999"), ("other amount", str(edited.record)), ("gone", str(deleted.record))}
        assert "MLC-RUN-0020" in outcome.err
        assert all(text in outcome.err for text in ("99999 (NEW-1)", str(edited.record), str(deleted.record)))

        await rig.run()
        told = await rig.command(*command)
        assert (told.code, "1 record never read: 99999 (NEW-1)" in told.err) == (
            7,
            True,
        )  # its time of change is long past
        await rig.run("--since", "2000-01-01")
        told = await rig.command(*command)
        assert (told.code, "books and ledger agree" in told.out) == (0, True), told.err


async def test_reconcile_refuses_what_it_cannot_compare(rigs: Any) -> None:
    async with rigs(20) as rig:
        vendors = await rig.command("reconcile", str(rig.flows / "vendors.yaml"), *PERIOD)
        assert (vendors.code, "MLC-CLI-0026" in vendors.err) == (2, True)
        assert (await rig.command("reconcile", str(rig.flow), *PERIOD, "--by", "modified")).code == 2
        assert (await rig.command("reconcile", str(rig.flow))).code == 2
