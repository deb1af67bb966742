"""Totals and lists by SQL over ledger rows: the worst document counts, and read equals the sum of the outcomes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.record import Evidence
from pipeline.store.reports import Totals
from pipeline.store.rows import OUTCOMES, RANK, Problem

WRONG = Problem("data", "T-1", "AP", "wrong")


async def drive(store: Any, ledger: Any, sealing: Any, run: int, lane: str, state: str) -> None:
    """Brings the lane's stored document into this delivery state."""
    queue = await ledger.deliveries.waiting("bills", "sink", lane, 10)
    if state == "stored":
        return
    await ledger.deliveries.seal(sealing(run, queue, lane=lane))
    if state == "sealed":
        return
    head = await ledger.deliveries.head("bills", "sink", lane)
    delivery = await ledger.deliveries.begin_attempt(head.delivery, run)
    if state == "delivered":
        await ledger.deliveries.delivered(delivery, Evidence("m"), "response")
    elif state in ("dead", "held"):
        await ledger.deliveries.ends(delivery, state, WRONG, "bills", "sink", run)
    elif state != "sending":
        await ledger.deliveries.waits(delivery, state, WRONG, next_at=None)


STATES = [
    ("stored", "in_flight"), ("sealed", "in_flight"), ("sending", "in_flight"), ("retry", "in_flight"),
    ("in_doubt", "in_doubt"), ("delivered", "delivered"), ("dead", "dead"), ("held", "held"),
]  # fmt: skip


@pytest.mark.parametrize(("state", "outcome"), STATES)
async def test_the_state_of_its_document_is_the_outcome_of_a_record(
    inline_store: Any, sealing: Any, state: str, outcome: str
) -> None:
    async with inline_store.open() as ledger:
        run, _ = await inline_store.stored(ledger, "1")
        await drive(inline_store, ledger, sealing, run, "P", state)
        totals = await ledger.reports.totals(run)
    assert {name for name, count in totals.counts.items() if count} == {outcome}
    assert totals.amounts == {outcome: {"USD": 10_000_000}}
    assert totals.balanced()


@pytest.mark.parametrize("direct", [None, "excluded", "unchanged", "held", "dead"])
@pytest.mark.parametrize(
    "states", [("delivered", "in_doubt"), ("dead", "delivered"), ("delivered", "delivered"), ("stored", "held")]
)
async def test_the_worst_of_all_branches_counts(
    inline_store: Any, sealing: Any, states: tuple[str, str], direct: str | None
) -> None:
    rank = None if direct is None else RANK[direct]
    async with inline_store.open() as ledger:
        run = await inline_store.run(ledger)
        documents = [inline_store.document("1", lane) for lane in "PQ"]
        await inline_store.page(ledger, run, inline_store.fate("1", *documents, rank=rank, reason="r"))
        for lane, state in zip("PQ", states, strict=True):
            await drive(inline_store, ledger, sealing, run, lane, state)
        totals = await ledger.reports.totals(run)
    outcomes = dict(STATES)
    worst = max([RANK[outcomes[state]] for state in states] + ([] if rank is None else [rank]))
    assert {name for name, count in totals.counts.items() if count} == {OUTCOMES[worst]}


async def test_an_earlier_document_that_stands_counts_for_the_later_run_too(store: Any, sealing: Any) -> None:
    async with store.open() as ledger:
        first, _ = await store.stored(ledger, "1")
        second = await store.run(ledger)
        await store.page(ledger, second, store.fate("1", links=[1]))
        assert (await ledger.reports.totals(second)).counts["in_flight"] == 1
        await drive(store, ledger, sealing, first, "P", "delivered")
        totals = [await ledger.reports.totals(run) for run in (first, second)]
    assert [one.counts["delivered"] for one in totals] == [1, 1]
    assert [one.documents for one in totals] == [1, 0]


async def test_currencies_are_kept_apart_and_records_without_money_count(store: Any) -> None:
    async with store.open() as ledger:
        run = await store.run(ledger)
        fates = [store.fate("1", rank=0, reason="r"), store.fate("2", rank=6, reason="c", problem=WRONG, stage="s")]
        euro = store.fate("3", rank=0, reason="r")
        euro.record.currency = "EUR"
        free = store.fate("4", rank=0, reason="r", amount=None)
        free.record.currency = ""
        await store.page(ledger, run, *fates, euro, free)
        totals = await ledger.reports.totals(run)
    assert (totals.read, totals.read_amounts) == (4, {"USD": 20_000_000, "EUR": 10_000_000, "": 0})
    assert totals.amounts == {"excluded": {"USD": 10_000_000, "EUR": 10_000_000, "": 0}, "dead": {"USD": 10_000_000}}
    assert totals.balanced()


async def test_a_record_without_any_outcome_is_unsettled_and_breaks_the_balance(store: Any) -> None:
    async with store.open() as ledger:
        run = await store.run(ledger)
        await store.page(ledger, run, store.fate("1"))
        totals = await ledger.reports.totals(run)
    assert (totals.unsettled, totals.balanced()) == (1, False)


@given(
    st.dictionaries(st.sampled_from(OUTCOMES), st.dictionaries(st.sampled_from(["USD", "EUR"]), st.integers(-5, 5))),
    st.integers(0, 3),
)
def test_the_books_balance_exactly_when_every_currency_does(amounts: dict[str, dict[str, int]], off: int) -> None:
    counts = dict.fromkeys(amounts, 1)
    read: dict[str, int] = {}
    for by in amounts.values():
        for currency, amount in by.items():
            read[currency] = read.get(currency, 0) + amount
    assert Totals(len(counts), read, counts, amounts).balanced()
    assert not Totals(len(counts) + 1, read, counts, amounts).balanced()
    assert not Totals(len(counts), read, counts, amounts, unsettled=1).balanced()
    if off:
        assert not Totals(len(counts), {**read, "USD": read.get("USD", 0) + off}, counts, amounts).balanced()


async def test_documents_are_found_by_each_filter(store: Any, sealing: Any) -> None:
    async with store.open() as ledger:
        run, _ = await store.stored(ledger, "1", partner="P")
        await store.stored(ledger, "2", partner="Q")
        await drive(store, ledger, sealing, run, "P", "delivered")

        async def keys(**filters: Any) -> list[str]:
            return [item["key"] for item in await ledger.reports.documents(**filters)]

        assert await keys() == ["2", "1"]
        assert await keys(partner="P") == ["1"]
        assert await keys(status="delivered") == ["1"]
        assert await keys(status="stored") == ["2"]
        assert await keys(flow="vendors") == []
        assert await keys(run=2) == ["2"]
        assert await keys(label="INV-2") == ["2"]
        assert await keys(label="1") == ["1"]
        assert await keys(since="9999") == []
        assert await keys(limit=1) == ["2"]


async def test_a_delivery_is_found_by_its_name_and_by_its_interchange_number(store: Any, sealing: Any) -> None:
    async with store.open() as ledger:
        run, _ = await store.stored(ledger, "1")
        await drive(store, ledger, sealing, run, "P", "sealed")
        name = (await ledger.reports.delivery(1))["name"]
        assert await ledger.reports.deliveries_named(name) == [1]
        assert await ledger.reports.deliveries_named("000000001") == [1]
        assert await ledger.reports.deliveries_named("000000002") == []


async def test_a_record_leads_to_its_documents_and_their_history(store: Any) -> None:
    async with store.open() as ledger:
        await store.stored(ledger, "1")
        (record,) = await ledger.reports.records_named("INV-1")
        assert await ledger.reports.documents_of_record(record["id"]) == [1]
        assert [row["kind"] for row in await ledger.reports.timeline(["document 1"])] == ["document"]
        assert [item["key"] for item in await ledger.reports.documents_of_delivery(1)] == []


async def test_counts_tell_what_is_open_now(store: Any, sealing: Any) -> None:
    async with store.open() as ledger:
        for lane, state in (("P", "in_doubt"), ("Q", "retry"), ("R", "delivered"), ("S", "stored"), ("T", "dead")):
            run, _ = await store.stored(ledger, lane, partner=lane)
            await drive(store, ledger, sealing, run, lane, state)
        counts = await ledger.reports.counts("")
        open_ = await ledger.reports.open_deliveries()
    assert counts == {
        "stored": 1, "dead_letters": 1, "in_doubt": 1, "in_flight": 1, "acknowledgements_waiting": 0, "acknowledgements_overdue": 0, "delivered": 1,
    }  # fmt: skip
    assert sorted((item["lane"], item["state"]) for item in open_) == [("P", "in_doubt"), ("Q", "retry")]


async def test_runs_are_listed_newest_first_with_their_end(store: Any) -> None:
    from pipeline.errors import ConfigError

    async with store.open() as ledger:
        first = await store.run(ledger)
        await ledger.finish_run(first, "failed", ConfigError("wrong password", code="T-1"))
        await store.run(ledger, "vendors")
        assert [(run["id"], run["status"]) for run in await ledger.reports.runs()] == [(2, "running"), (1, "failed")]
        assert [run["id"] for run in await ledger.reports.runs(flow="bills")] == [1]
        assert [run["id"] for run in await ledger.reports.runs(since=2)] == [2]
        whole = await ledger.reports.run(first)
        assert await ledger.reports.run(99) is None
    assert '"code":"T-1"' in whole["problem"]
