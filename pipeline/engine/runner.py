"""One run of a flow: open the connections, build the stages, join them by edges, run to the end or to a stop, and report.

Order of a run: lease, connections checked, sources read into receipts, settled pages committed, lanes delivered, totals taken.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import anyio
import msgspec

from pipeline.engine.edge import Edge, EdgeStatistics
from pipeline.engine.faults import broken_off
from pipeline.engine.lanes import Lanes
from pipeline.engine.nodes import (
    AdmitNode,
    AnswerNode,
    BranchNode,
    EncodeNode,
    FilterNode,
    MapNode,
    Node,
    Outputs,
    predicate,
)
from pipeline.engine.report import RunReport
from pipeline.engine.services import Services, Stopping
from pipeline.engine.sources import PageCommitter, SourceReader
from pipeline.errors import ConnectError, ConnectorError, EngineFault, FlowError, TransientError
from pipeline.flow.model import Flow, Stage
from pipeline.flow.references import connect_settings
from pipeline.record import Destination, Document, Window
from pipeline.registry import Registry
from pipeline.retry import RetryPolicy, decide
from pipeline.stage import Acknowledges, Context, Finds
from pipeline.store.ledger import Ledger
from pipeline.store.reports import Totals

DEFAULT_WAIT_SECONDS = 120.0
CHECK_RETRY = RetryPolicy(times=5, first=0.5, max=5.0)
"""Signing in before a run is tried this often: long enough for a blip or a burst of throttling, short enough to tell a person."""


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: the window, how long deliveries may wait for the far side, and what kind of run the ledger shall name.

    ``deliver_only`` reads no source: what is stored and open is delivered, nothing else.
    """

    window: Window = Window()
    wait_seconds: float = DEFAULT_WAIT_SECONDS
    kind: str = "run"
    deliver_only: bool = False


class Graph(msgspec.Struct):
    """A flow's stages built and joined, ready to run."""

    nodes: list[Node]
    readers: list[SourceReader]
    lanes: list[Lanes]
    edges: list[Edge]


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
        graph = Graph([], [], [], [])
        problem: ConnectorError | None = None
        try:
            await _refuse_stranding(flow, ledger)
            async with AsyncExitStack() as stack:
                stages = await _build_stages(flow, registry, services, stack)
                graph = _join(flow, stages, run, ledger, services, request, stopping)
                await _run_graph(graph)
        except Exception as error:
            if services.debug:
                raise
            problem = broken_off(error)
            for reader in graph.readers:
                reader.forget_uncommitted()
        report = RunReport(
            run=run,
            flow=flow.name,
            totals=await ledger.reports.totals(run),
            read_here=_read_here(graph),
            seconds=services.clock.monotonic() - began,
            problem=problem or next((reader.problem for reader in graph.readers if reader.problem), None),
            stopped=[error for lanes in graph.lanes for error in lanes.stopped],
            exceptions=sum(lanes.exceptions for lanes in graph.lanes),
            earlier=sorted(id_ for lanes in graph.lanes for id_ in lanes.earlier),
            signal=stopping.signal,
        )
        await ledger.finish_run(run, report.status, report.problem)
        return report


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


def _read_here(graph: Graph) -> Totals:
    """What the sources counted as they read, added up."""
    total = Totals()
    for reader in graph.readers:
        total.read += reader.read_here.read
        for currency, amount in reader.read_here.read_amounts.items():
            total.read_amounts[currency] = total.read_amounts.get(currency, 0) + amount
    return total


def code_version() -> str:
    """The installed version of this program; ``0`` when it runs without being installed."""
    try:
        return version("ml-connector")
    except PackageNotFoundError:
        return "0"


# --- building ----------------------------------------------------------------------------------------------------------


async def check_connections(flow: Flow, registry: Registry, services: Services) -> None:
    """Opens each connection the flow uses and signs in. Raises `ConnectorError` for the first that fails."""
    async with AsyncExitStack() as stack:
        await _connect(flow, registry, services, stack)


async def _connect(flow: Flow, registry: Registry, services: Services, stack: AsyncExitStack) -> dict[str, Any]:
    """The clients by connection name; they are closed with the stack."""
    clients: dict[str, Any] = {}
    for connection in flow.connections:
        if any(stage.via == connection.name for stage in flow.stages):
            spec = registry.connection(connection.type)
            assert spec is not None, "a checked flow names known connections"
            settings = connect_settings(connection, spec, services.environment, flow.file.parent)
            client = await stack.enter_async_context(spec.open(settings, _context(flow, connection.name, services)))
            await _check(spec.check, client, services)
            clients[connection.name] = client
    return clients


async def _build_stages(flow: Flow, registry: Registry, services: Services, stack: AsyncExitStack) -> dict[str, Any]:
    """Every component of the flow, built on its connection."""
    clients = await _connect(flow, registry, services, stack)
    built = {}
    for stage in flow.stages:
        if stage.spec is not None:
            context = _context(flow, stage.name, services, clients.get(stage.via or ""))
            component = stage.spec.build(stage.settings, context)
            built[stage.name] = await component if inspect.isawaitable(component) else component
            _check_sink(stage, built[stage.name])
    return built


def _check_sink(stage: Stage, component: Any) -> None:
    """A sink may not claim exactly-once without the means for it."""
    if stage.verb != "sink" or stage.spec is None or not stage.spec.exactly_once:
        return
    if not isinstance(component, Finds | Acknowledges):
        raise EngineFault(
            f"The sink {stage.component} says it is exactly-once, but has no `find`",
            where=f"stage {stage.name}",
            why="without `find` and `settle_seconds` a delivery in doubt cannot be resolved",
            mend="give it both, or leave out `exactly_once` in its StageSpec",
            owner="developer",
            code="MLC-RUN-0011",
        )


async def _check(check: Any, client: Any, services: Services) -> None:
    """Signs in before anything is read, so that a wrong password or host ends the run at once and clearly."""
    attempt = 0
    while check is not None:
        attempt += 1
        try:
            await check(client)
            return
        except TransientError as error:
            decision = decide(error, attempt, CHECK_RETRY, services.rng)
            if decision == "stop":
                raise ConnectError(
                    error.what, where=error.where, why=error.why, mend=error.mend, owner=error.owner, code=error.code
                ) from None
            await services.clock.sleep(min(decision.seconds, CHECK_RETRY.max))


def _context(flow: Flow, name: str, services: Services, client: Any = None) -> Context:
    return Context(
        stage=name,
        folder=flow.file.parent,
        clock=services.clock,
        ids=services.ids,
        rng=services.rng,
        offload=services.offload,
        connection=client,
        environment=services.environment,
    )


def _join(
    flow: Flow,
    built: Mapping[str, Any],
    run: int,
    ledger: Ledger,
    services: Services,
    request: RunRequest,
    stopping: Stopping,
) -> Graph:
    edges = {
        stage.name: Edge(stage.name, stage.queue, len(stage.inputs), services.clock)
        for stage in flow.stages
        if stage.verb != "source"
    }
    encoders = {stage.name: built[stage.name] for stage in flow.stages if stage.verb == "encode"}
    lanes = [
        Lanes(flow.name, run, stage, built[stage.name], encoders, ledger, services, stopping, request.wait_seconds)
        for stage in flow.stages
        if stage.verb == "sink" and not isinstance(built[stage.name], Acknowledges)
    ]
    by_name = {lane.stage.name: lane for lane in lanes}

    def amend(encoder: str, document: Document, number: int) -> Document:
        amended: Document = encoders[encoder].amend(document, number) if encoder else document
        return amended

    def destine(sink: str, document: Document) -> Destination:
        return by_name[sink].destine(document)

    committer = PageCommitter(flow.name, flow.digest, code_version(), run, ledger, lanes, amend, destine)
    nodes, readers = [], []
    for stage in flow.stages:
        outputs: Outputs = {
            port: [edges[reader.name] for reader in flow.readers(stage.name, port)] for port in stage.ports
        }
        if stage.verb == "source" and request.deliver_only:
            continue
        if stage.verb == "source":
            source = built[stage.name]
            readers.append(SourceReader(stage, source, outputs, request.window, ledger, services, stopping, committer))
        else:
            nodes.append(_node(stage, built.get(stage.name), edges[stage.name], outputs))
    return Graph(nodes, readers, lanes, list(edges.values()))


def _node(stage: Stage, component: Any, source: Edge, outputs: Outputs) -> Node:
    match stage.verb:
        case "map":
            return MapNode(stage, source, outputs, component)
        case "filter":
            return FilterNode(stage, source, outputs, predicate(stage.expression) if stage.expression else component)
        case "branch":
            return BranchNode(stage, source, outputs)
        case "encode":
            return EncodeNode(stage, source, outputs, component.render)
        case "sink" if isinstance(component, Acknowledges):
            return AnswerNode(stage, source, component.answer)
        case "sink":
            return AdmitNode(stage, source)
    raise FlowError(f"the verb {stage.verb} cannot be run")


# --- running -----------------------------------------------------------------------------------------------------------


async def _run_graph(graph: Graph) -> None:
    """Runs everything to its end. When reading breaks off, what was committed is still delivered, then the cause is raised."""
    cause: BaseException | None = None
    try:
        async with anyio.create_task_group() as tasks:
            for lanes in graph.lanes:
                tasks.start_soon(lanes.run)
            try:
                if graph.readers:
                    await _read_all(graph)
            except Exception as error:  # noqa: BLE001  raised below, itself and not in a group
                cause = error
            for lanes in graph.lanes:
                lanes.finish()
    except BaseExceptionGroup as group:
        raise _first(group) from None
    if cause is not None:
        raise _first(cause) from None


async def _read_all(graph: Graph) -> None:
    async with anyio.create_task_group() as reading:
        for reader in graph.readers:
            reading.start_soon(reader.run)
        async with anyio.create_task_group() as working:
            for node in graph.nodes:
                working.start_soon(node.run)
        for reader in graph.readers:
            reader.require_settled()


def _first(error: BaseException) -> BaseException:
    """The first real cause inside nested groups."""
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def statistics(graph: Graph) -> list[tuple[str, EdgeStatistics]]:
    """Each edge's statistics by the name of the stage that reads it."""
    return [(edge.name, edge.statistics()) for edge in graph.edges]
