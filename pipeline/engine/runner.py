"""One run of a flow: open the connections, build the stages, join them by edges, run to the end or to a stop, and report.

Order of a run: lease, connections checked, sources read into receipts, settled pages committed, lanes delivered, totals taken.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import anyio
import msgspec

from pipeline.engine.build import Graph, build_stages, code_version, join
from pipeline.engine.faults import broken_off
from pipeline.engine.meter import Meters
from pipeline.engine.report import RunReport
from pipeline.engine.request import RunRequest
from pipeline.engine.services import Services, Stopping
from pipeline.engine.systems import Systems
from pipeline.errors import CalledOff, ConnectorError, FlowError
from pipeline.flow.model import Flow
from pipeline.record import Answer
from pipeline.registry import Registry
from pipeline.store.ledger import Ledger
from pipeline.store.reports import Totals


async def run_flow(
    flow: Flow,
    registry: Registry,
    ledger: Ledger,
    services: Services,
    request: RunRequest,
    stopping: Stopping,
    *,
    first: Callable[[], Awaitable[None]] | None = None,
) -> RunReport:
    """Runs the flow once; ``first`` is done before anything else, under the flow's lease (a replay's releases).

    Raises `LockHeld` when another process runs it; whatever goes wrong later is the report's ``problem``. Nothing is lost by any
    failure: what was committed stays, what was not is read again.
    """
    began = services.clock.monotonic()
    async with ledger.lease(f"flow {flow.name}", services.ids.new()):
        if first is not None:
            await first()
        span = msgspec.json.encode(request.window).decode()
        run = await ledger.begin_run(
            flow.name, str(flow.file.resolve()), flow.digest, code_version(), request.kind, span
        )
        graph, meters = Graph([], [], [], []), Meters(run, ledger)
        systems = await Systems.of(flow.name, ledger)
        problem: ConnectorError | None = None
        stopping.tell(services.shared.call_off)
        try:
            await _refuse_stranding(flow, ledger)
            async with AsyncExitStack() as stack:
                stages = await build_stages(flow, registry, ledger, services, stopping, stack, meters, systems)
                graph = join(flow, stages, run, ledger, services, request, stopping, meters, systems)
                await _run_graph(graph)
                await _catch_up(registry, ledger, run)
        except CalledOff:
            for reader in graph.readers:
                reader.forget_uncommitted()
        except Exception as error:
            if services.debug and not isinstance(error, ConnectorError):
                raise
            problem = broken_off(error)
            for reader in graph.readers:
                reader.forget_uncommitted()
        await meters.save()
        await systems.settle(met_all=bool(graph.nodes))
        report = RunReport(
            run=run,
            flow=flow.name,
            totals=await ledger.reports.totals(run),
            read_here=_read_here(graph),
            seconds=services.clock.monotonic() - began,
            began=bool(graph.nodes),
            problem=problem or _broke_off(graph),
            unread=_unread(flow, graph, stopping),
            stopped=[*_left(graph), *(error for lanes in graph.lanes for error in lanes.stopped)],
            exceptions=sum(lanes.exceptions for lanes in graph.lanes),
            earlier=sorted(id_ for lanes in graph.lanes for id_ in lanes.earlier),
            signal=stopping.signal,
            calls=meters.used,
            edges={edge.name: edge.statistics() for edge in graph.edges},
        )
        await ledger.finish_run(run, report.status, report.problem)
        return report


async def _catch_up(registry: Registry, ledger: Ledger, run: int) -> None:
    """What is in the ledger since this run may be what an earlier answer is about; and an answer may prove what was in doubt."""

    def reread(component: str, said: bytes) -> Answer | None:
        spec = registry.stage(component, "sink")
        return spec.reread(said) if spec is not None and spec.reread is not None else None

    await ledger.answers.match_again(run, reread)
    await ledger.deliveries.settle_answered()


async def _refuse_stranding(flow: Flow, ledger: Ledger) -> None:
    """A stage that documents on their way still need may not vanish from the flow, or they would wait for ever unseen."""
    missing = await ledger.deliveries.stages(flow.name) - {stage.name for stage in flow.stages}
    if missing:
        raise FlowError(
            f"The flow no longer has the stage {' and '.join(sorted(missing))}, which documents on their way still need",
            where=str(flow.file),
            why="documents are kept for the stage that encoded them and the sink they go to, by name",
            mend="give the stage its old name back and run; once nothing is on its way it may be renamed or removed",
            code="MLC-RUN-0008",
        )


def _broke_off(graph: Graph) -> ConnectorError | None:
    """Why reading ended early, or delivering did."""
    causes = [*(reader.problem for reader in graph.readers), *(lanes.refused for lanes in graph.lanes)]
    return next((cause for cause in causes if cause is not None), None)


def _left(graph: Graph) -> list[ConnectorError]:
    """What sources could not read, while the rest was."""
    return [error for reader in graph.readers for error in reader.left]


def _unread(flow: Flow, graph: Graph, stopping: Stopping) -> list[str]:
    """Sources that were not read to their end for no reason of their own; all of them where a stop came before any was begun."""
    if stopping.requested and not graph.nodes:
        return [stage.name for stage in flow.stages if stage.verb == "source"]
    return [reader.stage.name for reader in graph.readers if not reader.ended and reader.problem is None]


def _read_here(graph: Graph) -> Totals:
    """What the sources counted as they read, added up."""
    total = Totals()
    for reader in graph.readers:
        total.read += reader.read_here.read
        for currency, amount in reader.read_here.read_amounts.items():
            total.read_amounts[currency] = total.read_amounts.get(currency, 0) + amount
    return total


async def _run_graph(graph: Graph) -> None:
    """Runs everything to its end. When reading breaks off, what was committed is still delivered, then the cause is raised."""
    cause: BaseException | None = None
    try:
        async with anyio.create_task_group() as tasks:
            for lanes in graph.lanes:
                tasks.start_soon(lanes.run)
            try:
                if graph.readers:
                    await read_all(graph)
            except Exception as error:  # noqa: BLE001  raised below, itself and not in a group
                cause = error
            for lanes in graph.lanes:
                lanes.finish()
    except BaseExceptionGroup as group:
        raise first_cause(group) from None
    if cause is not None:
        raise first_cause(cause) from None


async def read_all(graph: Graph) -> None:
    """Reads every source to its end through the graph. Raises `EngineFault` for a record that no stage settled."""
    async with anyio.create_task_group() as reading:
        for reader in graph.readers:
            reading.start_soon(reader.run)
        async with anyio.create_task_group() as working:
            for node in graph.nodes:
                working.start_soon(node.run)
        for reader in graph.readers:
            reader.require_settled()


def first_cause(error: BaseException) -> BaseException:
    """The first real cause inside nested groups."""
    return first_cause(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
