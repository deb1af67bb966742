"""What the source has deleted: excluded and counted when nothing was sent of it, held for a person when something was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipeline.record import Deleted, Window
from pipeline.testing import CollectingSink, ListSource

AFRESH = Window(since=datetime(2026, 1, 1, tzinfo=UTC))
"""From the beginning of a `ListSource`, whatever was read before."""


def chain(rig: Any, records: list[Any], encoder: Any, sink: Any) -> Any:
    return rig.chain(ListSource(records), encoder=encoder, sink=sink)


async def test_what_was_never_sent_is_excluded_by_the_rule_deleted(
    inline_rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    gone = make_bill("1").replace(body=Deleted(), amount=None, currency="")
    async with inline_rig.ledger() as ledger:
        flow = chain(inline_rig, [gone, make_bill("2")], line_encoder(), CollectingSink())
        report = await inline_rig.run(ledger, flow)
        reasons = await ledger.reports.reasons(report.run)
    assert [(reason.outcome, reason.reason, reason.records) for reason in reasons] == [("excluded", "deleted", 1)]
    assert (report.totals.counts["delivered"], report.balanced, report.status) == (1, True, "clean")


async def test_what_was_sent_is_held_for_a_person_until_it_is_replayed(
    inline_rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    gone = make_bill("1").replace(body=Deleted("deleted by kim"), amount=None, currency="")
    sink = CollectingSink()
    async with inline_rig.ledger() as ledger:
        await inline_rig.run(ledger, chain(inline_rig, [make_bill("1")], line_encoder(), sink))
        deleted = chain(inline_rig, [gone], line_encoder(), sink)
        for _ in range(2):  # the second reads it once more, in the overlap
            report = await inline_rig.run(ledger, deleted, window=AFRESH)
            assert (report.totals.counts["held"], report.balanced) == (1, True)
        (letter,) = await ledger.reports.dead_letters()
        assert (letter["code"], letter["owner"], letter["times"]) == ("MLC-DOC-0004", "AP", 2)
        assert "INV-1" in letter["where"]
        assert "deleted by kim" in letter["why"]
        replayed = await inline_rig.run(ledger, deleted, window=Window(keys=("1",)))
        assert replayed.totals.counts["excluded"] == 1
        assert await ledger.reports.dead_letters() == []
        again = await inline_rig.run(ledger, deleted, window=AFRESH)
        assert again.totals.counts["excluded"] == 1
    assert len(sink.effects) == 1


async def test_a_record_that_comes_back_closes_what_was_said_of_its_deletion(
    inline_rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    gone = make_bill("1").replace(body=Deleted(), amount=None, currency="")
    async with inline_rig.ledger() as ledger:
        for record in (make_bill("1"), gone, make_bill("1")):
            await inline_rig.run(ledger, chain(inline_rig, [record], line_encoder(), CollectingSink()), window=AFRESH)
        assert await ledger.reports.dead_letters() == []


async def test_a_flow_recalls_its_records_by_key_and_by_alias(rig: Any, make_bill: Any, line_encoder: Any) -> None:
    first = make_bill("Invoice-7").replace(alias="101")
    made_anew, other = first.replace(alias="102"), make_bill("9")
    async with rig.ledger() as ledger:
        for records in ([first, other], [made_anew]):
            await rig.run(ledger, chain(rig, records, line_encoder(), CollectingSink()), window=AFRESH)
        known = await ledger.recall("bills", "C", "APBILL", ["101", "102", "9", "Invoice-7", "unknown"])
        elsewhere = [
            await ledger.recall(*where, ["101", "9"])
            for where in (("other", "C", "APBILL"), ("bills", "D", "APBILL"), ("bills", "C", "VENDOR"))
        ]
    assert sorted((each.name, each.key, each.alias, each.label) for each in known) == [
        ("101", "Invoice-7", "102", "INV-Invoice-7"),
        ("102", "Invoice-7", "102", "INV-Invoice-7"),
        ("9", "9", "", "INV-9"),
        ("Invoice-7", "Invoice-7", "102", "INV-Invoice-7"),
    ]
    assert elsewhere == [[], [], []]
