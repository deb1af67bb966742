"""The audit trail: append only, one chain link per commit, and every alteration is found."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.store.transaction import chain_digest


async def filled(store: Any) -> None:
    """Three commits with several rows each."""
    async with store.open() as ledger:
        await store.stored(ledger, "1", "2", "3")
        assert await ledger.reports.verify_audit() is None


def without_triggers(raw: sqlite3.Connection, statement: str) -> None:
    for (name,) in raw.execute("select name from sqlite_schema where type = 'trigger'").fetchall():
        raw.execute(f"drop trigger {name}")
    raw.execute(statement)


@pytest.mark.parametrize("table", ["audit", "audit_chain"])
@pytest.mark.parametrize("statement", ["delete from {} where id = 1", "update {} set id = id + 100 where id = 1"])
async def test_the_trail_can_only_be_appended_to(store: Any, table: str, statement: str) -> None:
    await filled(store)
    with store.raw() as raw, pytest.raises(sqlite3.IntegrityError, match="append only"):
        raw.execute(statement.format(table))


ALTERATIONS = [
    "update audit set detail = 'nothing happened' where id = 2",
    "update audit set at = '2020-01-01T00:00:00.000000Z' where id = 2",
    "update audit set subject = 'APBILL 9' where id = 3",
    "update audit set run = 9 where id = 3",
    "delete from audit where id = 1",
    "delete from audit where id = 3",
    "delete from audit where id = (select max(id) from audit)",
    "insert into audit select max(id) + 1, '', 1, 'x', 'y', 'z' from audit",
    "delete from audit_chain where id = 1",
    "update audit_chain set digest = replace(digest, 'a', 'b')",
    "update audit_chain set last = last - 1 where id = 2",
    "delete from audit_chain where id = (select max(id) from audit_chain)",
]


@pytest.mark.parametrize("statement", ALTERATIONS)
async def test_every_alteration_is_found(inline_store: Any, statement: str) -> None:
    await filled(inline_store)
    with inline_store.raw() as raw:
        without_triggers(raw, statement)
    async with inline_store.open() as ledger:
        assert await ledger.reports.verify_audit() is not None


async def test_two_rows_that_change_places_are_found(inline_store: Any) -> None:
    await filled(inline_store)
    with inline_store.raw() as raw:
        without_triggers(raw, "update audit set id = case id when 2 then -3 when 3 then -2 end where id in (2, 3)")
        raw.execute("update audit set id = -id where id < 0")
    async with inline_store.open() as ledger:
        assert await ledger.reports.verify_audit() is not None


async def test_an_untouched_trail_holds_after_reopening(store: Any) -> None:
    await filled(store)
    async with store.open() as ledger:
        assert await ledger.reports.verify_audit() is None


async def test_an_empty_trail_holds(inline_store: Any) -> None:
    async with inline_store.open() as ledger:
        assert await ledger.reports.verify_audit() is None


async def test_one_commit_of_very_many_rows_is_one_link_and_holds(inline_store: Any) -> None:
    """More rows than one read of the verifier takes."""
    async with inline_store.open() as ledger:
        run = await inline_store.run(ledger)
        await inline_store.page(ledger, run, *(inline_store.fate(str(n), rank=0, reason="r") for n in range(10_500)))
        assert await ledger.reports.verify_audit() is None
    with inline_store.raw() as raw:
        assert raw.execute("select count(*) from audit_chain").fetchone() == (2,)


async def test_every_change_of_a_delivery_has_its_row(store: Any, sealing: Any) -> None:
    from pipeline.record import Evidence

    async with store.open() as ledger:
        run, queue = await store.stored(ledger, "1")
        deliveries = ledger.deliveries
        await deliveries.seal(sealing(run, queue))
        head = await deliveries.head("bills", "sink", "P")
        delivery = await deliveries.begin_attempt(head.delivery, run)
        await deliveries.mark(delivery, "document id", "d-7")
        await deliveries.pass_commit_point(delivery)
        await deliveries.delivered(delivery, Evidence("m-1", detail={"via": "test"}), "response")
        told = [row["detail"] for row in await ledger.reports.timeline(["delivery 1"])]
        bill = [row["kind"] for row in await ledger.reports.timeline(["APBILL 1 of C", "document 1"])]
    assert [detail.split(",")[0].split(" document ")[0] for detail in told] == [
        "sealed 1", "attempt 1 started", "document id: d-7", "attempt 1 passed its commit point", "delivered",
    ]  # fmt: skip
    assert sorted(bill) == ["document", "document", "record"]


@given(st.lists(st.tuples(st.integers(), st.text(), st.none() | st.integers(), st.text()), max_size=5), st.data())
def test_the_digest_depends_on_every_part_of_every_row(rows: list[tuple[Any, ...]], data: st.DataObject) -> None:
    digest = chain_digest("before", rows)
    assert digest == chain_digest("before", [tuple(row) for row in rows])
    assert digest != chain_digest("other", rows)
    assert digest != chain_digest("before", [*rows, (1, "", None, "")])
    if rows:
        at = data.draw(st.integers(0, len(rows) - 1))
        changed = [*rows]
        changed[at] = (changed[at][0], changed[at][1] + "x", *changed[at][2:])
        assert digest != chain_digest("before", changed)
    assert msgspec.json.decode(msgspec.json.encode(rows)) == [list(row) for row in rows]
