"""A settled page becomes rows in one transaction: records, documents, links, dead letters, cursor."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import StoreError
from pipeline.store.rows import RANK, Problem

WRONG = Problem("data", "T-1", "AP", "wrong", "here", "because", "mend it")
OTHER = Problem("data", "T-2", "AP", "also wrong")
DEAD, EXCLUDED = RANK["dead"], RANK["excluded"]


async def test_a_page_returns_the_lanes_that_got_documents(store: Any) -> None:
    async with store.open() as ledger:
        run = await store.run(ledger)
        woken = await store.page(
            ledger, run, store.fate("1", store.document("1", "P")), store.fate("2", store.document("2", "Q")),
            store.fate("3", rank=EXCLUDED, reason="r"), store.fate("4", store.document("4", "R", held=WRONG)),
        )  # fmt: skip
    assert woken == {"sink": {"P", "Q"}}


async def test_documents_wait_in_the_order_of_the_source(store: Any) -> None:
    async with store.open() as ledger:
        _, queue = await store.stored(ledger, "3", "1", "2")
        few = await ledger.deliveries.waiting("bills", "sink", "P", 2)
    assert [waiting.key for waiting in queue] == ["3", "1", "2"]
    assert [waiting.key for waiting in few] == ["3", "1"]


async def test_a_document_comes_back_as_it_was_stored(store: Any) -> None:
    async with store.open() as ledger:
        _, (waiting,) = await store.stored(ledger, "1", envelope={"sender": "US"}, group="g", batch=7)
    stored = waiting.stored
    assert (stored.body, stored.set, stored.partner, stored.version, stored.envelope) == (
        b"body 1", "810", "P", 1, {"sender": "US"},
    )  # fmt: skip
    assert (waiting.encoder, waiting.group, waiting.limit, waiting.address, waiting.label) == (
        "encode",
        "g",
        7,
        "/P",
        "INV-1",
    )


async def test_a_page_that_cannot_be_written_changes_nothing(store: Any) -> None:
    """Two documents of one identity and version: neither they nor the cursor are there, and the ledger goes on."""
    twins = [store.fate("1", store.document("1")), store.fate("1", store.document("1"))]
    async with store.open() as ledger:
        run = await store.run(ledger)
        with pytest.raises(StoreError):
            await store.page(ledger, run, *twins, cursor=("", '{"at":"9"}'))
        assert await ledger.cursor("bills", "source", "") is None
        assert await ledger.reports.documents() == []
        assert (await ledger.reports.totals(run)).read == 0
        await store.page(ledger, run, twins[0])
        assert len(await ledger.reports.documents()) == 1
        assert await ledger.reports.verify_audit() is None


async def test_a_cursor_is_replaced_by_the_next_page(store: Any) -> None:
    async with store.open() as ledger:
        run = await store.run(ledger)
        for at in ("1", "2"):
            await store.page(ledger, run, cursor=("scope", f'{{"at":"{at}"}}'))
        assert await ledger.cursor("bills", "source", "scope") == {"at": "2"}
        assert await ledger.cursor("vendors", "source", "scope") is None


async def test_the_newest_document_of_each_identity_and_sink_is_looked_up(store: Any) -> None:
    async with store.open() as ledger:
        run = await store.run(ledger)
        await store.page(ledger, run, store.fate("1", store.document("1"), store.document("1", "Q")))
        await store.page(ledger, run, store.fate("1", store.document("1", version=2, replaces=1, fields_digest="new")))
        found = await ledger.previous("bills", [("C", "APBILL", "1"), ("C", "APBILL", "2")])
        foreign = await ledger.previous("another flow", [("C", "APBILL", "1")])
    identity = ("C", "APBILL", "1")
    assert set(found) == {(identity, "P", "810"), (identity, "Q", "810")}
    newest = found[(identity, "P", "810")]["sink"]
    assert (newest.version, newest.fields_digest, newest.fields, newest.status) == (2, "new", ("text",), "stored")
    assert foreign == {}


async def test_guards_are_looked_up_with_the_identities_behind_them(store: Any) -> None:
    async with store.open() as ledger:
        run = await store.run(ledger)
        await store.page(
            ledger, run, store.fate("1", store.document("1", guard="g")), store.fate("2", store.document("2"))
        )
        found = await ledger.guarded("bills", ["g", "unknown"])
        foreign = await ledger.guarded("another flow", ["g"])
    assert found == {("g", "P", "810"): [(("C", "APBILL", "1"), 1)]}
    assert foreign == {}


async def test_a_plan_is_stored_once(store: Any) -> None:
    async with store.open() as ledger:
        await store.stored(ledger, "1", "2")
        (document, _) = await ledger.reports.documents()
        whole = await ledger.reports.document(document["id"])
    assert whole["origins"] == "BIG02: bill"
    with store.raw() as raw:
        assert raw.execute("select digest, fields, origins from plans").fetchall() == [
            (whole["plan"], '["text"]', "BIG02: bill")
        ]


async def test_provenance_is_recorded_with_the_document(store: Any) -> None:
    async with store.open() as ledger:
        await store.stored(ledger, "1", guide="guide digest", lookups={"CS": "CA"})
        whole = await ledger.reports.document(1)
    wanted = {
        "flow_digest": "digest", "code_version": "1.0", "guide_digest": "guide digest", "source_digest": "d",
        "fields_digest": "digest of 1", "lookups": '{"CS":"CA"}', "run": 1, "replaces": None,
    }  # fmt: skip
    assert {name: whole[name] for name in wanted} == wanted


# --- dead letters ------------------------------------------------------------------------------------------------------


async def letters(store: Any, *pages: Any) -> tuple[list[Any], list[Any]]:
    """The open letters, and all, after these pages, each in a run of its own."""
    async with store.open() as ledger:
        for fates in pages:
            await store.page(ledger, await store.run(ledger), *fates)
        return await ledger.reports.dead_letters(), await ledger.reports.dead_letters(state="")


def dead(store: Any, key: str = "1", problem: Problem = WRONG, stage: str = "map") -> Any:
    return store.fate(key, rank=DEAD, reason=problem.code, problem=problem, stage=stage, partner="P")


async def test_a_dead_letter_says_everything_a_person_needs(store: Any) -> None:
    (letter,), _ = await letters(store, [dead(store)])
    wanted = {
        "state": "open", "failure": "data", "code": "T-1", "owner": "AP", "what": "wrong", "where": "here", "why": "because",
        "mend": "mend it", "flow": "bills", "run": 1, "stage": "map", "partner": "P", "company": "C", "object": "APBILL",
        "key": "1", "label": "INV-1", "currency": "USD", "amount": 10_000_000, "document": None, "delivery": None, "times": 1,
    }  # fmt: skip
    assert {name: letter[name] for name in wanted} == wanted


async def test_the_same_failure_again_is_counted_not_opened_again(store: Any) -> None:
    (letter,), everything = await letters(store, *[[dead(store)]] * 3)
    assert (letter["times"], letter["run"], len(everything)) == (3, 3, 1)


@pytest.mark.parametrize("second", [{"problem": OTHER}, {"stage": "encode"}], ids=["another code", "another stage"])
async def test_another_failure_opens_a_letter_and_resolves_the_one_before(store: Any, second: Any) -> None:
    (letter,), everything = await letters(store, [dead(store)], [dead(store, **second)])
    assert letter["id"] == 2
    assert [one["state"] for one in everything] == ["resolved", "open"]


async def test_a_record_that_succeeds_resolves_its_letter_and_no_other(store: Any) -> None:
    first = [dead(store, "1"), dead(store, "2")]
    open_, everything = await letters(store, first, [store.fate("1", store.document("1"))])
    assert [one["key"] for one in open_] == ["2"]
    assert sorted(one["state"] for one in everything) == ["open", "resolved"]


async def test_a_record_that_is_excluded_now_resolves_its_letter(store: Any) -> None:
    open_, _ = await letters(store, [dead(store)], [store.fate("1", rank=EXCLUDED, reason="r")])
    assert open_ == []


async def test_a_held_document_has_a_letter_that_stays_until_a_newer_version_stands(store: Any) -> None:
    held = Problem("held", "T-3", "AP", "the same bill twice?")
    first = [store.fate("1", store.document("1", held=held))]
    again = [store.fate("1", links=[1])]
    newer = [store.fate("1", store.document("1", version=2, replaces=1))]
    open_, _ = await letters(store, first, again, again)
    assert [(one["document"], one["code"], one["times"]) for one in open_] == [(1, "T-3", 1)]
    open_, _ = await letters(store, newer)
    assert open_ == []


async def test_a_document_keeps_its_own_fields_whatever_other_plans_are_called(store: Any) -> None:
    """A program's next version may use other fields to write the same elements: compared by the old ones, a document would never stand."""
    async with store.open() as ledger:
        run = await store.run(ledger)
        await store.page(ledger, run, store.fate("1", store.document("1", fields=("number", "item"))))
        await store.page(ledger, run, store.fate("2", store.document("2", fields=("number",))), number=2)
        found = await ledger.previous("bills", [("C", "APBILL", "1"), ("C", "APBILL", "2")])
    assert [one["sink"].fields for one in found.values()] == [("number", "item"), ("number",)]
