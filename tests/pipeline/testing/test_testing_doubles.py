"""The source and sinks for tests behave like real ones, and the one-line map runner like the engine."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import pytest

from pipeline import (
    COMMIT_POINT,
    DataError,
    Delivery,
    Document,
    Excluded,
    Finds,
    Held,
    Record,
    Settles,
    TransientError,
    Undetermined,
    Window,
)
from pipeline.testing import CollectingSink, FailingSink, Fault, ListSource, record, run_stage


def delivery(name: str = "a", payload: bytes = b"ISA") -> Delivery:
    return Delivery(
        id=1, lane="P", address="/P", name=name, payload=payload, digest=hashlib.sha256(payload).hexdigest(), numbers={}
    )


class Marks(list[str]):
    """Records the marks a sink makes."""

    async def __call__(self, key: str, value: str = "") -> None:
        self.append(key)


async def read_all(source: ListSource, window: Window) -> list[str]:
    keys, cursor = list[str](), None
    while page := await source.read(window, cursor):
        keys += [one.key for one in page.records]
        if not page.more:
            break
        cursor = page.cursor
    return keys


@pytest.mark.parametrize("page_size", [1, 2, 3, 100])
async def test_a_list_source_gives_every_record_once_in_order(page_size: int) -> None:
    source = ListSource([record(key=str(number)) for number in range(5)], page_size=page_size)
    assert await read_all(source, Window()) == ["0", "1", "2", "3", "4"]


async def test_a_list_source_obeys_keys() -> None:
    source = ListSource([record(key=str(number)) for number in range(5)], page_size=1)
    assert await read_all(source, Window(keys=("3", "1", "99"))) == ["1", "3"]


async def test_a_list_source_gives_copies_so_that_a_map_cannot_change_the_source() -> None:
    source = ListSource([record(key="1")])
    page = await source.read(Window(), None)
    assert page is not None
    page.records[0].key = "changed"
    assert source.records[0].key == "1"


async def test_a_list_source_with_nothing_left_gives_no_page() -> None:
    assert await ListSource([]).read(Window(), None) is None


async def test_a_list_source_remembers_what_was_settled() -> None:
    source = ListSource([record()])
    assert isinstance(source, Settles)
    page = await source.read(Window(), None)
    assert page is not None
    await source.settled(page)
    assert source.settled_pages == [page]


async def test_a_collecting_sink_finds_what_it_took() -> None:
    sink, marks = CollectingSink(), Marks()
    assert isinstance(sink, Finds)
    assert await sink.find(delivery()) == []
    evidence = await sink.send(delivery(), marks)
    assert marks == [COMMIT_POINT]
    assert await sink.find(delivery()) == [evidence]
    assert evidence.digest == delivery().digest


async def test_a_collecting_sink_finds_a_double_delivery_twice() -> None:
    sink = CollectingSink()
    await sink.send(delivery(), Marks())
    await sink.send(delivery(), Marks())
    assert len(await sink.find(delivery())) == 2


def test_a_collecting_sink_keeps_a_lane_per_partner() -> None:
    destination = CollectingSink().destination(Document(set="810", partner="RIVERBEND", body=b"", address="/RIVERBEND"))
    assert (destination.lane, destination.address) == ("RIVERBEND", "/RIVERBEND")


@pytest.mark.parametrize(
    ("when", "marks", "effects"),
    [("before", [], 0), ("after", [COMMIT_POINT], 0), ("lost", [COMMIT_POINT], 1)],
)
async def test_a_fault_happens_where_the_plan_says(when: Any, marks: list[str], effects: int) -> None:
    sink, made = FailingSink([Fault(TransientError("reset"), when)]), Marks()
    with pytest.raises(TransientError):
        await sink.send(delivery(), made)
    assert (made, len(sink.effects)) == (marks, effects)


async def test_after_its_plan_a_failing_sink_succeeds() -> None:
    sink = FailingSink([Fault(TransientError("reset"))])
    with pytest.raises(TransientError):
        await sink.send(delivery(), Marks())
    await sink.send(delivery(), Marks())
    assert (sink.sends, len(sink.effects)) == (2, 1)


async def test_a_sink_that_cannot_tell_says_so() -> None:
    with pytest.raises(Undetermined):
        await FailingSink([], unfindable=Undetermined("the far side is down")).find(delivery())


def judge(one: Record) -> Record | list[Record] | None:
    match one.key:
        case "drop":
            return None
        case "twice":
            return [one, one]
        case "rule":
            raise Excluded("too small")
        case "hold":
            raise Held("look at this", code="MLC-MAP-0001")
        case "bad":
            raise DataError("no date")
    return one


async def judge_async(one: Record) -> Record | list[Record] | None:
    return judge(one)


class Judge:
    def __call__(self, one: Record) -> Record | list[Record] | None:
        return judge(one)


@pytest.mark.parametrize("map_", [judge, judge_async, Judge()], ids=["function", "async function", "object"])
async def test_every_way_out_of_a_map_is_reported(map_: Any) -> None:
    records = [record(key=key) for key in ("ok", "drop", "twice", "rule", "hold", "bad")]
    report = await run_stage(map_, *records, name="judged")
    assert [one.key for one in report.records] == ["ok", "twice", "twice"]
    assert report.excluded == {"drop": "judged", "rule": "too small"}
    assert report.held["hold"].code == "MLC-MAP-0001"
    assert report.dead["bad"].what == "no date"


async def test_a_fault_of_the_map_itself_is_not_hidden() -> None:
    def broken(one: Record) -> Record:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_stage(broken, record())


@pytest.mark.parametrize("result", ["text", 7, [record(), None]])
async def test_a_map_that_returns_no_record_is_told_so(result: Any) -> None:
    with pytest.raises(TypeError, match="a map returns"):
        await run_stage(lambda one: result, record())


def test_a_record_has_a_currency_exactly_when_it_has_an_amount() -> None:
    assert (record().amount, record().currency) == (None, "")
    paid = record("bill", amount="12.50", VENDORID="V-1")
    assert (paid.amount, paid.currency, paid.body) == (Decimal("12.50"), "USD", {"VENDORID": "V-1"})
