"""Looking at a flow without running it: what its sinks are wanted to hold now, compared with what their far sides have. Reads only.

Sources are read from the beginning and go through the same stages as in a run, but nothing is stored, no cursor moves, and no source
is told that anything was settled.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

import msgspec

from pipeline.engine.build import build_stages, wire
from pipeline.engine.meter import Meters
from pipeline.engine.nodes import Outputs
from pipeline.engine.receipt import Receipt
from pipeline.engine.runner import first_cause, read_all
from pipeline.engine.services import Services, Stopping
from pipeline.engine.settle import identity_of
from pipeline.engine.sources import SourceReader
from pipeline.flow.model import Flow, Stage
from pipeline.record import Document, Drift, Window
from pipeline.registry import Registry
from pipeline.stage import Compares
from pipeline.store.ledger import Identity
from pipeline.store.rows import Problem


class Survey(msgspec.Struct):
    """What was found at one sink. ``compared`` counts wanted states; ``unknown`` are records that could not be made into one, by key."""

    stage: str
    compared: int
    drift: list[Drift]
    unknown: dict[str, Problem]

    @property
    def clean(self) -> bool:
        return not self.drift and not self.unknown


def comparing(flow: Flow) -> list[Stage]:
    """The sinks of a flow that can be compared with their far side."""
    return [stage for stage in flow.stages if stage.spec is not None and stage.spec.compares]


async def survey(
    flow: Flow, registry: Registry, services: Services, stopping: Stopping, meters: Meters | None = None
) -> list[Survey]:
    """Compares each comparing sink of the flow. Raises `ConnectorError` when a source cannot be read to its end."""
    async with AsyncExitStack() as stack:
        built = await build_stages(flow, registry, None, services, stopping, stack, meters)
        seen = _Seen(flow.name)

        def reader(stage: Stage, outputs: Outputs) -> SourceReader:
            return SourceReader(stage, built[stage.name], outputs, Window(), None, services, stopping, seen)

        graph = wire(flow, built, services, reader)
        try:
            await read_all(graph)
        except BaseExceptionGroup as group:
            raise first_cause(group) from None
        for each in graph.readers:
            if each.problem is not None:
                raise each.problem
        return [await seen.compare(stage.name, built[stage.name]) for stage in comparing(flow)]


class _Made(msgspec.Struct):
    """What the flow makes of one record."""

    key: str
    documents: list[tuple[str, Document]]  # with their sink
    problem: Problem | None
    reason: str


class _Seen:
    """Takes the settled pages of a survey. A record that comes again, changed or not, takes the place of what it was before."""

    def __init__(self, flow: str) -> None:
        self.flow = flow
        self._records: dict[Identity, _Made] = {}

    async def commit(self, source: str, scope: str, receipt: Receipt, window: Window) -> None:
        for row, record in enumerate(receipt.page.records):
            documents = [(sink, document) for sink, _, document in receipt.documents.get(row, ())]
            problem = receipt.problems[row][0] if row in receipt.problems else None
            made = _Made(record.key, documents, problem, receipt.reasons.get(row, ""))
            self._records[identity_of(record)] = made

    async def compare(self, stage: str, sink: Compares) -> Survey:
        records = self._records.values()
        wanted = [document for made in records for name, document in made.documents if name == stage]
        unknown = {made.key: made.problem for made in records if made.problem is not None}
        left_out = {made.key: made.reason for made in records if not made.documents and made.problem is None}
        left_out |= {key: problem.what for key, problem in unknown.items()}
        return Survey(stage, len(wanted), await sink.drift(wanted, left_out), unknown)
