"""The engine's own cost: four stages over bounded edges with receipts, against a bare loop over the same functions.

The four: a source's pages, a map that shapes a bill, a filter by an expression, and a second map; then each record settles.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import anyio

from bench.measure import Ratio, best_of, seconds
from pipeline import Expression, Page, Record, SystemClock
from pipeline.engine.edge import Edge
from pipeline.engine.nodes import FilterNode, MapNode, Node, close_all, emit, predicate
from pipeline.engine.receipt import Receipt
from pipeline.flow.model import MAIN, Input, Stage

RECORDS = 100_000
PAGE = 1000
QUEUE = 1024
BAR = 2.5


def shape(record: Record) -> Record:
    """What a small map does: a new body from the old one."""
    body = record.body
    return record.replace(
        body={"STATE": body["STATE"], "total": body["TRX_TOTALENTERED"], "partner": body["VENDORID"][:3]}
    )


def label(record: Record) -> Record:
    return record.replace(label=f"{record.body['partner']}/{record.key}")


KEEP = Expression("bill.STATE in ('Posted', 'Paid') and bill.total > 1")


def pages() -> list[Page]:
    records = [
        Record(
            key=str(n),
            kind="bill",
            body={"STATE": "Posted" if n % 10 else "Draft", "TRX_TOTALENTERED": Decimal(n), "VENDORID": f"V-{n % 200}"},
        )
        for n in range(RECORDS)
    ]
    return [Page(records[start : start + PAGE]) for start in range(0, RECORDS, PAGE)]


def bare(all_pages: list[Page]) -> int:
    """The floor: the same functions, called in a loop."""
    kept = 0
    for page in all_pages:
        for record in page.records:
            shaped = shape(record)
            if KEEP.holds({"bill": shaped.body}):
                label(shaped)
                kept += 1
    return kept


class Settle(Node):
    """The end: every record settles on its receipt, as at a sink's entrance."""

    async def handle(self, chunk: list[Record]) -> None:
        for record in chunk:
            record.receipt.exclude(record.row, "done")


async def engine(all_pages: list[Page]) -> int:
    """The same work by the engine's nodes and edges; returns the number of completed receipts."""
    clock = SystemClock()
    edges = [Edge(name, QUEUE, 1, clock) for name in ("shaped", "kept", "labelled", "settled")]
    stages = [
        Stage(name="shaped", verb="map", component="", inputs=(Input("pages"),)),
        Stage(name="kept", verb="filter", component="", expression=KEEP, rule="not posted", inputs=(Input("shaped"),)),
        Stage(name="labelled", verb="map", component="", inputs=(Input("kept"),)),
        Stage(name="settled", verb="map", component="", inputs=(Input("labelled"),)),
    ]
    nodes: list[Node] = [
        MapNode(stages[0], edges[0], {MAIN: [edges[1]]}, shape),
        FilterNode(stages[1], edges[1], {MAIN: [edges[2]]}, predicate(KEEP)),
        MapNode(stages[2], edges[2], {MAIN: [edges[3]]}, label),
        Settle(stages[3], edges[3], {}),
    ]
    completed: list[Any] = []

    async def read() -> None:
        for number, page in enumerate(all_pages, 1):
            receipt = Receipt(number, page, completed.append)
            receipt.begin()
            await emit({MAIN: [edges[0]]}, page.records)
        close_all({MAIN: [edges[0]]})

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        for node in nodes:
            tasks.start_soon(node.run)
    return len(completed)


def run() -> list[Ratio]:
    all_pages = pages()
    assert anyio.run(engine, all_pages) == len(all_pages)
    ours, floor = best_of(
        5, lambda: seconds(lambda: anyio.run(engine, all_pages)), lambda: seconds(lambda: bare(all_pages))
    )
    return [
        Ratio(
            bench="engine", what="four stages, bounded edges, receipts", floor="a bare loop over the same functions",
            ours_seconds=ours, floor_seconds=floor, units=RECORDS, bar=BAR,
        )
    ]  # fmt: skip
