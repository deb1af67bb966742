"""Building a run: connections opened and signed in to, stages built on them, joined by edges into a graph ready to run."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from pipeline.engine.edge import Edge
from pipeline.engine.lanes import Lanes
from pipeline.engine.meter import Meters
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
from pipeline.engine.request import RunRequest
from pipeline.engine.services import Services, Stopping
from pipeline.engine.sources import PageCommitter, SourceReader, tried
from pipeline.engine.systems import Systems
from pipeline.errors import ConnectError, EngineFault, FlowError, TransientError, UsageError
from pipeline.flow.model import Flow, Stage
from pipeline.flow.references import connect_settings
from pipeline.record import Destination, Document
from pipeline.registry import Registry
from pipeline.retry import RetryPolicy
from pipeline.stage import Acknowledges, Context, Finds
from pipeline.store.ledger import Ledger

CHECK_RETRY = RetryPolicy(times=5, first=0.5, max=5.0)
"""Signing in before a run is tried this often: long enough for a blip or a burst of throttling, short enough to tell a person."""


class Graph(msgspec.Struct):
    """A flow's stages built and joined, ready to run."""

    nodes: list[Node]
    readers: list[SourceReader]
    lanes: list[Lanes]
    edges: list[Edge]


async def check_connections(flow: Flow, registry: Registry, services: Services, meters: Meters | None = None) -> None:
    """Opens each connection the flow uses and signs in. Raises `ConnectorError` for the first that fails."""
    async with AsyncExitStack() as stack:
        await connect(flow, registry, services, Stopping(), stack, meters)


async def connect(
    flow: Flow,
    registry: Registry,
    services: Services,
    stopping: Stopping,
    stack: AsyncExitStack,
    meters: Meters | None = None,
    systems: Systems | None = None,
) -> dict[str, Any]:
    """The clients of the connections that stages go over, signed in to, by name; they are closed with the stack. ``meters`` watch them,
    ``systems`` whether they answer.
    """
    clients: dict[str, Any] = {}
    for connection in flow.connections:
        if any(stage.via == connection.name for stage in flow.stages):
            spec = registry.connection(connection.type)
            assert spec is not None, "a checked flow names known connections"
            settings = connect_settings(connection, spec, services.environment, flow.file.parent)
            context = context_for(flow, connection.name, services)
            if meters is not None:
                context.spent = meters.spent
            client = await stack.enter_async_context(spec.open(settings, context))
            if meters is not None:
                meters.watch(client)
            if spec.check is not None:
                system = (systems or Systems()).meet(connection.name, spec.title(settings) or connection.name)
                await _sign_in(partial(system.watch, partial(spec.check, client)), services, stopping)
            clients[connection.name] = client
    return clients


async def build_stages(
    flow: Flow,
    registry: Registry,
    ledger: Ledger | None,
    services: Services,
    stopping: Stopping,
    stack: AsyncExitStack,
    meters: Meters | None = None,
    systems: Systems | None = None,
) -> dict[str, Any]:
    """Every component of the flow, built on its connection. ``meters`` and ``systems`` watch the connections; without a ledger nothing is recalled."""
    clients = await connect(flow, registry, services, stopping, stack, meters, systems)
    built = {}
    for stage in flow.stages:
        if stage.spec is not None:
            context = context_for(flow, stage.name, services, clients.get(stage.via or ""))
            if ledger is not None:
                context.recall = partial(ledger.recall, flow.name)
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


async def _sign_in(check: Callable[[], Awaitable[None]], services: Services, stopping: Stopping) -> None:
    """Signs in before anything is read, so that a wrong password or host ends the run at once and clearly."""
    try:
        await tried(check, CHECK_RETRY, services, stopping)
    except TransientError as error:
        parts = {"where": error.where, "why": error.why, "mend": error.mend, "code": error.code}
        raise ConnectError(error.what, owner=error.owner, **parts) from None


def context_for(flow: Flow, name: str, services: Services, client: Any = None) -> Context:
    """What a stage or connection of that name is built with."""
    return Context(
        stage=name,
        folder=flow.file.parent,
        clock=services.clock,
        ids=services.ids,
        rng=services.rng,
        offload=services.offload,
        connection=client,
        environment=services.environment,
        shared=services.shared,
        note=partial(services.observe, "note"),
        output=flow.output,
    )


def join(
    flow: Flow,
    built: Mapping[str, Any],
    run: int,
    ledger: Ledger,
    services: Services,
    request: RunRequest,
    stopping: Stopping,
    meters: Meters,
    systems: Systems,
) -> Graph:
    """The graph of a run: an edge into each stage, a reader per source, lanes per sink, and the committer between them."""
    encoders = {stage.name: built[stage.name] for stage in flow.stages if stage.verb == "encode"}
    lanes = [
        Lanes(
            flow.name,
            run,
            stage,
            built[stage.name],
            encoders,
            ledger,
            services,
            stopping,
            request.wait_seconds,
            systems.behind(stage.via),
        )
        for stage in flow.stages
        if stage.verb == "sink" and not isinstance(built[stage.name], Acknowledges)
    ]
    if request.rewrite and not any(lane.upserts for lane in lanes):
        raise _nothing_to_rewrite(flow)
    committer = _committer(flow, run, ledger, lanes, encoders, request, meters)

    def reader(stage: Stage, outputs: Outputs) -> SourceReader:
        return SourceReader(
            stage,
            built[stage.name],
            outputs,
            request.window,
            ledger,
            services,
            stopping,
            committer,
            afresh=request.rewrite,
            system=systems.behind(stage.via),
        )

    graph = wire(flow, built, services, None if request.deliver_only else reader)
    graph.lanes = lanes
    return graph


def _nothing_to_rewrite(flow: Flow) -> UsageError:
    return UsageError(
        "Nothing of this flow can be written again",
        where=str(flow.file),
        why="only a sink of wanted states, such as sterling.partners, takes what it was sent before; a message would arrive twice",
        mend="leave out --rewrite; `ml-connector replay` sends what failed",
        code="MLC-RUN-0012",
    )


def wire(
    flow: Flow,
    built: Mapping[str, Any],
    services: Services,
    reader: Callable[[Stage, Outputs], SourceReader] | None,
) -> Graph:
    """The nodes of a flow joined by edges, and its sources read by ``reader``, if they are."""
    edges = {
        stage.name: Edge(stage.name, stage.queue, len(stage.inputs), services.clock)
        for stage in flow.stages
        if stage.verb != "source"
    }
    graph = Graph([], [], [], list(edges.values()))
    for stage in flow.stages:
        outputs: Outputs = {port: [edges[each.name] for each in flow.readers(stage.name, port)] for port in stage.ports}
        if stage.verb != "source":
            graph.nodes.append(_node(stage, built.get(stage.name), edges[stage.name], outputs))
        elif reader is not None:
            graph.readers.append(reader(stage, outputs))
    return graph


def _committer(
    flow: Flow,
    run: int,
    ledger: Ledger,
    lanes: list[Lanes],
    encoders: Mapping[str, Any],
    request: RunRequest,
    meters: Meters,
) -> PageCommitter:
    by_name = {lane.stage.name: lane for lane in lanes}

    def amend(encoder: str, document: Document, number: int) -> Document:
        amended: Document = encoders[encoder].amend(document, number) if encoder else document
        return amended

    def destine(sink: str, document: Document) -> Destination:
        return by_name[sink].destine(document)

    return PageCommitter(
        flow.name, flow.digest, code_version(), run, ledger, lanes, amend, destine, meters, rewrite=request.rewrite
    )


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


def code_version() -> str:
    """The installed version of this program; ``0`` when it runs without being installed."""
    try:
        return version("ml-connector")
    except PackageNotFoundError:
        return "0"
