"""The verbs of adapters that ask a system: over a connection of the flow file that is named, or of a shipped one."""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from pipeline.cli.execute import services_here
from pipeline.cli.output import print_result
from pipeline.cli.shipped import find_flow, flows_here, shipped_flows
from pipeline.engine.build import context_for
from pipeline.errors import UsageError
from pipeline.flow.load import load_connections
from pipeline.flow.model import Connection, Flow
from pipeline.flow.references import connect_settings
from pipeline.registry import Registry
from pipeline.stage import QuerySpec

Verb = Callable[..., Awaitable[int]]


def groups(registry: Registry) -> dict[str, dict[str, Verb]]:
    """Verbs by adapter and name."""
    return {a.name: {spec.name: _verb(spec, registry) for spec in a.queries} for a in registry.adapters if a.queries}


def _verb(spec: QuerySpec, registry: Registry) -> Verb:
    """A function typer can read: the argument, --flow, --connection, --json and one option per option of the spec."""

    async def run(flow: str = "", connection: str = "", json: bool = False, **named: str) -> int:
        result = await _ask(spec, registry, named.pop(spec.argument), flow, connection, named)
        print_result(result, as_json=json)
        return 3 if result.failed else 0

    run.__doc__ = spec.help
    return _with_signature(run, spec)


def _with_signature(run: Verb, spec: QuerySpec) -> Verb:
    types: dict[str, Any] = {
        spec.argument: Annotated[str, typer.Argument(metavar=spec.argument.upper(), help=spec.argument_help)],
        "flow": Annotated[str, typer.Option("--flow", help=f"The flow file whose {spec.connection} connection is used; else a shipped one's.")],
        "connection": Annotated[str, typer.Option("--connection", help="Its name, where the flow has several.")],
        **{name: Annotated[str, typer.Option(f"--{name}", help=help)] for name, help in spec.options.items()},
        "json": Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object on stdout.")],
    }  # fmt: skip
    kind = inspect.Parameter.KEYWORD_ONLY
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(spec.argument, positional, annotation=types[spec.argument])]
    parameters += [
        inspect.Parameter(name, kind, default=False if name == "json" else "", annotation=each)
        for name, each in types.items()
        if name != spec.argument
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = types
    return run


async def _ask(
    spec: QuerySpec, registry: Registry, argument: str, flow: str, name: str, options: dict[str, str]
) -> Any:
    host = _host(spec, registry, flow, name)
    (connection,) = host.connections
    kind = registry.connection(spec.connection)
    assert kind is not None, "an adapter asks over a connection type of its own"
    settings = connect_settings(connection, kind, os.environ, host.file.parent)
    services = services_here()
    async with kind.open(settings, context_for(host, connection.name, services)) as client:
        return await spec.ask(client, argument, options)


def _host(spec: QuerySpec, registry: Registry, flow: str, name: str) -> Flow:
    """The one connection to use, as a flow that has nothing else."""
    files = [find_flow(flow)] if flow else [*flows_here(), *sorted(shipped_flows().glob("*.yaml"))]
    for file in files:
        fitting = [
            each
            for each in load_connections(file, registry, os.environ).values()
            if each.type == spec.connection and name in ("", each.name)
        ]
        if fitting:
            return _bare(fitting[0], file)
    raise UsageError(
        f"There is no connection of type {spec.connection}" + (f" called {name}" if name else ""),
        where=str(files[0]) if flow else "the flows here",
        mend="name a flow file that has one with --flow",
        code="MLC-CLI-0025",
    )


def _bare(connection: Connection, file: Any) -> Flow:
    return Flow(name="asking", version=1, about="", file=file, digest="", connections=(connection,), stages=())
