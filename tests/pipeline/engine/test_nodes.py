"""What a stage returns or raises becomes the record's outcome; nothing a stage does can stop its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anyio
import pytest

from pipeline.engine.edge import Edge
from pipeline.engine.nodes import (
    AdmitNode,
    BranchNode,
    Encoded,
    EncodeNode,
    FilterNode,
    MapNode,
    Node,
    predicate,
    state_document,
)
from pipeline.engine.receipt import Receipt
from pipeline.errors import DataError, Excluded, Held, RefusedError
from pipeline.flow.expression import Expression
from pipeline.flow.model import MAIN, Input, Stage
from pipeline.record import Document, Page, Record
from pipeline.secrets import Secret
from pipeline.store.rows import RANK
from pipeline.testing import ManualClock, record

STAGE = Stage(name="shape", verb="map", component="test")


class Bench:
    """Runs one node over some records and keeps what came out of each port and of the receipt."""

    def __init__(self, *records: Record, ports: tuple[str, ...] = (MAIN,), readers: int = 1) -> None:
        self.input = Edge("in", 100, 1, ManualClock())
        self.edges = {port: [Edge(port, 100, 1, ManualClock()) for _ in range(readers)] for port in ports}
        self.receipt = Receipt(1, Page(list(records)), lambda receipt: None, debug=True)

    async def run(self, node: Node) -> Bench:
        with anyio.fail_after(5):
            await self.input.put_many(self.receipt.page.records)
            self.input.close()
            await node.run()
        return self

    async def out(self, port: str = MAIN, reader: int = 0) -> list[Record]:
        """What came out; the port must have been closed."""
        edge, found = self.edges[port][reader], list[Record]()
        with anyio.fail_after(5):
            while chunk := await edge.get_many(100):
                found += chunk
        return found


async def mapped(function: Callable[[Record], Any], *records: Record, readers: int = 1) -> Bench:
    bench = Bench(*records, readers=readers)
    return await bench.run(MapNode(STAGE, bench.input, bench.edges, function))


async def test_a_record_goes_on() -> None:
    bench = await mapped(lambda one: one.replace(body={"n": 2}), record(n=1))
    assert [one.body for one in await bench.out()] == [{"n": 2}]
    assert bench.receipt.open == 1


async def test_a_list_goes_on_as_so_many_branches() -> None:
    bench = await mapped(lambda one: [one, one.replace(), one.replace()], record())
    assert len(await bench.out()) == 3
    assert bench.receipt.open == 3


@pytest.mark.parametrize("several", [False, True], ids=["alone", "in a list"])
async def test_a_record_made_anew_settles_on_the_receipt_of_the_one_it_came_from(several: bool) -> None:
    def anew(one: Record) -> Any:
        made = Record(key="x", kind="y", body=None)
        return [made, Record(key="z", kind="y", body=None)] if several else made

    bench = await mapped(anew, record(key="0"), record(key="1"))
    out = await bench.out()
    assert [one.receipt is bench.receipt for one in out] == [True] * len(out)
    assert sorted(one.row for one in out) == sorted([0, 1] * (2 if several else 1))


@pytest.mark.parametrize("nothing", [None, []], ids=["None", "an empty list"])
async def test_nothing_excludes_the_record_by_the_stages_name(nothing: Any) -> None:
    bench = await mapped(lambda one: nothing, record())
    assert bench.receipt.reasons == {0: "shape"}
    assert bench.receipt.ranks == {0: RANK["excluded"]}


@pytest.mark.parametrize("wrong", ["text", 7, {}, (1,), ["text"], [None], True], ids=repr)
async def test_anything_else_makes_the_record_dead_and_says_what_was_returned(wrong: Any) -> None:
    bench = await mapped(lambda one: wrong, record())
    problem, stage, _ = bench.receipt.problems[0]
    assert (bench.receipt.ranks[0], stage) == (RANK["dead"], "shape")
    assert "a map returns a Record" in problem.why


RAISED = [
    pytest.param(Excluded("too small"), "excluded", "too small", id="Excluded"),
    pytest.param(Held("wait", code="T-1"), "held", "T-1", id="Held"),
    pytest.param(DataError("wrong", code="T-2"), "dead", "T-2", id="DataError"),
    pytest.param(RefusedError("no", code="T-3"), "dead", "T-3", id="RefusedError"),
    pytest.param(ValueError("bug"), "dead", "MLC-STG-0001", id="a bug"),
    pytest.param(RecursionError("deep"), "dead", "MLC-STG-0001", id="a deep bug"),
]


@pytest.mark.parametrize(("error", "outcome", "reason"), RAISED)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_what_a_map_raises_becomes_the_outcome_of_that_record_alone(
    error: Exception, outcome: str, reason: str, is_async: bool
) -> None:
    def plain(one: Record) -> Record:
        if one.key == "bad":
            raise error
        return one

    async def later(one: Record) -> Record:
        await anyio.lowlevel.checkpoint()
        return plain(one)

    bench = await mapped(later if is_async else plain, record(key="1"), record(key="bad"), record(key="2"))
    assert [one.key for one in await bench.out()] == ["1", "2"]
    assert (bench.receipt.ranks, bench.receipt.reasons) == ({1: RANK[outcome]}, {1: reason})


async def test_a_bug_is_told_with_its_place_and_belongs_to_the_developer() -> None:
    def broken(one: Record) -> Record:
        raise KeyError("STATE")

    bench = await mapped(broken, record(key="7", kind="bill"))
    problem, _, _ = bench.receipt.problems[0]
    assert (problem.failure, problem.owner) == ("data", "developer")
    assert "test_nodes.py" in problem.where
    assert "KeyError" in problem.why


async def test_a_dead_record_is_filed_under_its_partner_where_the_body_knows_one() -> None:
    def broken(one: Record) -> Record:
        raise DataError("no")

    class Body:
        partner = "RIVERBEND"

    bench = await mapped(broken, record(body=Body()), record(body={"partner": "x"}))
    assert [bench.receipt.problems[row][2] for row in (0, 1)] == ["RIVERBEND", ""]


async def test_an_async_map_is_awaited() -> None:
    async def double(one: Record) -> list[Record]:
        await anyio.lowlevel.checkpoint()
        return [one, one]

    assert len(await (await mapped(double, record())).out()) == 2


async def test_fan_out_makes_one_branch_per_reader() -> None:
    bench = await mapped(lambda one: one, record(), record(), readers=3)
    assert [len(await bench.out(reader=reader)) for reader in range(3)] == [2, 2, 2]
    assert bench.receipt.open == 6


def posted(bench: Bench, keeps: Callable[[Record], bool] | None = None) -> FilterNode:
    stage = Stage(name="payable", verb="filter", component="", rule="not posted")
    return FilterNode(stage, bench.input, bench.edges, keeps or predicate(Expression("bill.STATE == 'Posted'")))


async def test_a_filter_keeps_what_holds_and_excludes_the_rest_by_its_rule() -> None:
    bench = Bench(record("bill", STATE="Posted"), record("bill", STATE="Draft"), record("bill", STATE=None))
    await bench.run(posted(bench))
    assert [one.row for one in await bench.out()] == [0]
    assert bench.receipt.reasons == {1: "not posted", 2: "not posted"}


async def test_a_filter_that_cannot_tell_makes_that_record_dead() -> None:
    bench = Bench(record("bill", STATE=5), record("bill", STATE="Posted"))
    await bench.run(posted(bench))
    assert [one.row for one in await bench.out()] == [1]
    assert bench.receipt.ranks == {0: RANK["dead"]}


async def test_a_filter_may_be_a_component_and_may_exclude_by_a_rule_of_its_own() -> None:
    def keeps(one: Record) -> bool:
        if one.key == "own":
            raise Excluded("too old")
        return one.key == "kept"

    bench = Bench(record(key="kept"), record(key="dropped"), record(key="own"))
    await bench.run(posted(bench, keeps))
    assert [one.key for one in await bench.out()] == ["kept"]
    assert bench.receipt.reasons == {1: "not posted", 2: "too old"}


def branch_stage(otherwise: str | None) -> Stage:
    cases = (("big", Expression("bill.n > 10")), ("even", Expression("bill.n % 2 == 0")))
    return Stage(name="route", verb="branch", component="", cases=cases, otherwise=otherwise)


@pytest.mark.parametrize(
    ("otherwise", "went", "reasons"),
    [
        ("rest", {"big": [0], "even": [1], "rest": [2]}, {}),
        (None, {"big": [0], "even": [1]}, {2: "route: no case holds"}),
    ],
    ids=["with else", "without else"],
)
async def test_a_branch_takes_the_first_case_that_holds(
    otherwise: str | None, went: dict[str, list[int]], reasons: dict[int, str]
) -> None:
    stage = branch_stage(otherwise)
    bench = Bench(record("bill", n=12), record("bill", n=4), record("bill", n=3), ports=stage.ports)
    await bench.run(BranchNode(stage, bench.input, bench.edges))
    assert {port: [one.row for one in await bench.out(port)] for port in stage.ports} == went
    assert bench.receipt.reasons == reasons


async def test_a_branch_that_cannot_tell_makes_that_record_dead() -> None:
    stage = branch_stage("rest")
    bench = Bench(record("bill", n="many"), ports=stage.ports)
    await bench.run(BranchNode(stage, bench.input, bench.edges))
    assert bench.receipt.ranks == {0: RANK["dead"]}


async def encoded(render: Callable[[Record], Any], *records: Record) -> Bench:
    bench = Bench(*records)
    stage = Stage(name="encode", verb="encode", component="test")
    return await bench.run(EncodeNode(stage, bench.input, bench.edges, render))


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_each_document_goes_on_as_a_branch_of_its_own(count: int) -> None:
    bench = await encoded(lambda one: [Document("810", f"P{n}", b"") for n in range(count)], record())
    out = await bench.out()
    assert [(one.body.encoder, one.body.document.partner) for one in out] == [("encode", f"P{n}") for n in range(count)]
    assert bench.receipt.open == count


@pytest.mark.parametrize("nothing", [[], None], ids=repr)
async def test_a_record_without_documents_is_excluded(nothing: Any) -> None:
    bench = await encoded(lambda one: nothing, record())
    assert bench.receipt.reasons == {0: "encode: nothing to send"}


async def test_a_document_that_cannot_be_rendered_is_dead_by_itself() -> None:
    def render(one: Record) -> list[Document]:
        if one.key == "bad":
            raise DataError("no vendor", code="T-9")
        return [Document("810", "P", b"")]

    bench = await encoded(render, record(key="bad"), record(key="good"))
    assert [one.row for one in await bench.out()] == [1]
    assert bench.receipt.reasons == {0: "T-9"}


@pytest.mark.parametrize(
    "wrong", [Document("810", "P", b""), "text", [b"bytes"], 7], ids=["one document", "text", "bytes", "7"]
)
async def test_an_encoder_that_returns_something_else_makes_the_record_dead(wrong: Any) -> None:
    bench = await encoded(lambda one: wrong, record())
    assert bench.receipt.ranks == {0: RANK["dead"]}
    assert bench.receipt.problems[0][0].owner == "developer"


async def admitted(*records: Record) -> Receipt:
    bench = Bench(*records)
    await bench.run(AdmitNode(Stage(name="sink", verb="sink", component="test"), bench.input))
    return bench.receipt


async def test_a_sink_admits_an_encoded_document_as_it_is() -> None:
    document = Document("810", "P", b"bytes")
    receipt = await admitted(record(body=Encoded("encode", document)))
    assert receipt.documents == {0: [("sink", "encode", document)]}


async def test_a_sink_admits_any_other_body_as_the_state_to_be() -> None:
    receipt = await admitted(record("vendor", key="V-1", body={"name": "Riverbend", "limit": Decimal("1.50")}))
    ((sink, encoder, document),) = receipt.documents[0]
    assert (sink, encoder, document.set, document.partner) == ("sink", "", "vendor", "V-1")
    assert document.body == b'{"limit":"1.50","name":"Riverbend"}'


def test_the_state_of_equal_bodies_is_equal_bytes_whatever_their_order() -> None:
    one = state_document(record("vendor", body={"a": 1, "b": 2}))
    other = state_document(record("vendor", body={"b": 2, "a": 1}))
    assert one.body == other.body
    assert one.fingerprint is not None
    assert other.fingerprint is not None
    assert one.fingerprint(()) == other.fingerprint(())


def test_a_secret_never_reaches_a_stored_state() -> None:
    assert b"hunter2" not in state_document(record("vendor", body={"password": Secret("hunter2")})).body


async def test_a_node_closes_its_outputs_also_when_it_fails() -> None:
    class Broken(Node):
        async def handle(self, chunk: list[Record]) -> None:
            raise RuntimeError("a fault of the engine")

    bench = Bench(record())
    with pytest.raises(RuntimeError):
        await bench.run(Broken(STAGE, bench.input, bench.edges))
    assert await bench.out() == []


async def test_an_async_filter_is_waited_for() -> None:
    """Its coroutine is not an answer: taken as one, it would keep everything."""
    edge, out = Edge("in", 10, 1, ManualClock()), Edge("out", 10, 1, ManualClock())

    async def keeps(one: Record) -> bool:
        return one.key == "2"

    page = Page([record(key="1"), record(key="2")])
    receipt = Receipt(1, page, lambda receipt: None, debug=True)
    stage = Stage(name="mine", verb="filter", component="mine", rule="not mine", inputs=(Input("source"),))
    node = FilterNode(stage, edge, {MAIN: [out]}, keeps)
    await edge.put_many(page.records)
    edge.close()
    await node.run()
    assert [one.key for one in await out.get_many(10)] == ["2"]
    assert receipt.reasons == {0: "not mine"}


@pytest.mark.parametrize("answer", [1, "yes", None])
async def test_a_filter_that_answers_neither_true_nor_false_makes_the_record_dead(answer: object) -> None:
    edge, out = Edge("in", 10, 1, ManualClock()), Edge("out", 10, 1, ManualClock())
    page = Page([record(key="1")])
    receipt = Receipt(1, page, lambda receipt: None)
    stage = Stage(name="mine", verb="filter", component="mine", rule="not mine", inputs=(Input("source"),))
    await edge.put_many(page.records)
    edge.close()
    await FilterNode(stage, edge, {MAIN: [out]}, lambda one: answer).run()
    assert receipt.problems[0][0].code == "MLC-STG-0001"
