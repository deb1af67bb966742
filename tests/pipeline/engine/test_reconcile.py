"""Books and ledger compared: what was never read, what has another amount, what is gone, and a list that is not complete."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from pipeline.engine.reconcile import Reconciliation, reconcile_flow
from pipeline.record import Deleted, Record, Tally, Window
from pipeline.registry import Registry
from pipeline.testing import CollectingSink, ListSource

WINDOW = Window(since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime(2100, 1, 1, tzinfo=UTC), by="document_date")
AFRESH = Window(since=datetime(2020, 1, 1, tzinfo=UTC))


class Books(ListSource):
    """A source whose far side holds ``books``, whatever was read of it; its list leaves out ``hides``, ``times`` times."""

    object, scope = "APBILL", "C"

    def __init__(self, records: Sequence[Record]) -> None:
        super().__init__(records)
        self.books = list(records)
        self.hides: set[str] = set()
        self.times = 0
        self.counts = True

    async def tally(self, window: Window) -> list[Tally] | None:
        if not self.counts:
            return None
        currencies = sorted({record.currency for record in self.books})
        return [
            Tally(currency, len(found), sum((record.amount or Decimal(0) for record in found), Decimal(0)))
            for currency in currencies
            for found in [[record for record in self.books if record.currency == currency]]
        ]

    async def listing(self, window: Window) -> AsyncIterator[list[Record]]:
        hidden = self.hides if self.times else set()
        self.times = max(0, self.times - 1)
        for record in self.books:
            if record.key not in hidden:
                yield [record.replace(body=None, alias=f"no {record.key}")]

    async def present(self, keys: Sequence[str]) -> set[str]:
        return {record.key for record in self.books} & set(keys)


class Bench:
    """A flow of bills over such books."""

    def __init__(self, rig: Any, encoder: Any, records: list[Record]) -> None:
        self.rig, self.source, self.encoder, self.sink = rig, Books(records), encoder, CollectingSink()

    @property
    def flow(self) -> Any:
        return self.rig.chain(self.source, encoder=self.encoder, sink=self.sink)

    async def run(self, ledger: Any) -> Any:
        return await self.rig.run(ledger, self.flow, window=AFRESH)

    async def reconcile(self, ledger: Any, window: Window = WINDOW, *, hold: bool = False) -> Reconciliation:
        return await reconcile_flow(self.flow, Registry([]), ledger, self.rig.services, window, hold=hold)


def differences(found: Reconciliation) -> list[tuple[str, str]]:
    return [(each.kind, each.key) for source in found.sources for each in source.differences]


async def test_books_and_ledger_that_hold_the_same_match(rig: Any, make_bills: Any, line_encoder: Any) -> None:
    bench = Bench(rig, line_encoder(), make_bills([1, 2, 3]))
    async with rig.ledger() as ledger:
        await bench.run(ledger)
        found = await bench.reconcile(ledger)
    (source,) = found.sources
    assert found.matches
    assert source.counted == source.listed == source.ledger == [Tally("USD", 3, Decimal(30))]


async def test_a_record_that_was_never_read_is_named(inline_rig: Any, make_bill: Any, line_encoder: Any) -> None:
    bench = Bench(inline_rig, line_encoder(), [make_bill("1")])
    async with inline_rig.ledger() as ledger:
        await bench.run(ledger)
        bench.source.books.append(make_bill("2", amount="7.50"))
        found = await bench.reconcile(ledger)
    (difference,) = found.sources[0].differences
    assert (difference.kind, difference.key, difference.alias, difference.label) == ("never read", "2", "no 2", "INV-2")
    assert (difference.books, difference.ledger) == (("USD", Decimal("7.5")), None)
    assert not found.matches


async def test_a_record_with_another_amount_or_currency_is_named_until_it_is_read_again(
    inline_rig: Any, make_bill: Any, make_bills: Any, line_encoder: Any
) -> None:
    bench = Bench(inline_rig, line_encoder(), make_bills([1, 2, 3]))
    async with inline_rig.ledger() as ledger:
        await bench.run(ledger)
        changed = [make_bill("1", amount="11"), make_bill("2").replace(currency="EUR"), make_bill("3")]
        bench.source.books, bench.source.records = changed, changed
        assert differences(await bench.reconcile(ledger)) == [("other amount", "1"), ("other amount", "2")]
        await bench.run(ledger)
        assert (await bench.reconcile(ledger)).matches


async def test_what_was_sent_and_is_gone_is_named_until_its_deletion_is_known(
    inline_rig: Any, make_bill: Any, make_bills: Any, line_encoder: Any
) -> None:
    bench = Bench(inline_rig, line_encoder(), make_bills([1, 2]))
    async with inline_rig.ledger() as ledger:
        await bench.run(ledger)
        del bench.source.books[0]
        assert differences(await bench.reconcile(ledger)) == [("gone", "1")]
        earlier = Window(since=WINDOW.since, until=datetime(2020, 1, 2, tzinfo=UTC), by="document_date")
        assert differences(await bench.reconcile(ledger, earlier)) == []  # it was sent later
        bench.source.records = [make_bill("1").replace(body=Deleted(), amount=None, currency="")]
        assert (await bench.run(ledger)).totals.counts["held"] == 1
        assert (await bench.reconcile(ledger)).matches


async def test_a_record_of_another_date_that_was_sent_in_the_period_is_not_gone(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    bench = Bench(inline_rig, line_encoder(), make_bills([1, 2]))
    bench.source.counts, bench.source.hides, bench.source.times = False, {"1"}, 99  # outside of the window
    async with inline_rig.ledger() as ledger:
        await bench.run(ledger)
        found = await bench.reconcile(ledger)
    assert found.matches
    assert found.sources[0].counted is None


async def test_a_list_that_has_not_all_that_is_counted_is_asked_for_again_and_then_told(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    bench = Bench(inline_rig, line_encoder(), make_bills([1, 2]))
    async with inline_rig.ledger() as ledger:
        await bench.run(ledger)
        for times, complete in ((1, True), (2, False)):
            bench.source.hides, bench.source.times = {"2"}, times
            found = await bench.reconcile(ledger)
            assert (found.sources[0].complete, found.matches) == (complete, complete)


async def test_a_source_that_cannot_be_asked_is_named(inline_rig: Any, make_bills: Any) -> None:
    flow = inline_rig.chain(ListSource(make_bills([1])))
    async with inline_rig.ledger() as ledger:
        found = await reconcile_flow(flow, Registry([]), ledger, inline_rig.services, WINDOW)
    assert (found.sources, found.others) == ([], ["source"])


@pytest.mark.parametrize("amount", ["7.1234567", "1000000000000"])
async def test_an_amount_that_the_ledger_does_not_keep_is_told_with_its_exception_and_is_no_missing_record(
    inline_rig: Any, make_bill: Any, line_encoder: Any, amount: str
) -> None:
    bench = Bench(inline_rig, line_encoder(), [make_bill("1"), make_bill("2", amount=amount)])
    async with inline_rig.ledger() as ledger:
        await bench.run(ledger)
        found = await bench.reconcile(ledger)
    (source,) = found.sources
    (difference,) = source.differences
    assert (difference.kind, difference.key, difference.exception) == ("amount not kept", "2", 1)
    assert (difference.books, difference.ledger) == (("USD", Decimal(amount)), ("USD", None))
    assert source.counted == source.listed == [Tally("USD", 2, Decimal(10) + Decimal(amount))]
    assert (source.complete, found.matches) == (True, False)


async def test_what_is_gone_is_held_when_asked_for_and_agrees_from_then_on(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    bench = Bench(inline_rig, line_encoder(), make_bills([1, 2]))
    async with inline_rig.ledger() as ledger:
        await bench.run(ledger)
        assert (await bench.reconcile(ledger, hold=True)).sources[0].held == []
        del bench.source.books[0]
        found = await bench.reconcile(ledger, hold=True)
        (letter,) = await ledger.reports.dead_letters()
        assert (letter["code"], letter["key"]) == ("MLC-DOC-0004", "1")
        assert [(each.key, each.exception) for each in found.sources[0].held] == [("1", letter["id"])]
        assert found.matches
        (run,) = await ledger.reports.latest_runs()
        assert (run["kind"], run["status"]) == ("reconcile", "exceptions")
        assert (await ledger.reports.totals(run["id"])).balanced()
        again = await bench.reconcile(ledger, hold=True)
        assert (again.matches, again.sources[0].held) == (True, [])
