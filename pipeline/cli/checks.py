"""`check`: every finding about flow files and the partner files they read; with --live also whether the systems let us in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from pipeline.cli.execute import services_here
from pipeline.cli.output import counted, error_json, finding_json, print_error, print_findings, print_json, say, tell
from pipeline.cli.shipped import find_flow, flows_here
from pipeline.cli.usage import counting
from pipeline.engine.build import check_connections
from pipeline.engine.meter import Meters
from pipeline.engine.services import Services
from pipeline.errors import ConnectorError
from pipeline.flow.findings import Finding
from pipeline.flow.load import load_flow
from pipeline.flow.model import Flow
from pipeline.registry import Registry, load_registry

CHECK_FAILED = 3
CONNECTING_FAILED = 4


class Checked(msgspec.Struct):
    """What was found in all flow files together. ``good`` are those that can run; ``signed_in`` their connections, with ``--live``."""

    good: list[Flow] = []
    findings: list[Finding] = []
    problems: list[ConnectorError] = []
    signed_in: dict[Path, list[str]] = {}

    @property
    def errors(self) -> int:
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def exit_code(self) -> int:
        return CHECK_FAILED if self.errors else CONNECTING_FAILED if self.problems else 0


async def check(
    flows: Annotated[
        list[str] | None, typer.Argument(help="Flow files; those in flows/ here when none is named.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", metavar="", help="Also require every variable, and sign in to each system.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object on stdout.")] = False,
) -> int:
    """Report everything that is wrong with flow files, at once, with file, line and column."""
    registry = load_registry()
    checked, services = Checked(), services_here()
    async with counting() as meters:
        for path in [find_flow(text) for text in flows] if flows else flows_here():
            await _check(path, registry, checked, meters, services, live=live)
    if json:
        print_json(_as_json(checked))
    else:
        _tell(checked)
    return checked.exit_code


async def _check(
    path: Path, registry: Registry, checked: Checked, meters: Meters, services: Services, *, live: bool
) -> None:
    flow, found = load_flow(path, registry, os.environ, live=live)
    checked.findings += [
        finding for finding in found if finding not in checked.findings
    ]  # flows may share partner files
    if flow is None:
        return
    refused = await _sign_in(flow, registry, meters, services) if live else []
    told = {(problem.code, problem.what, problem.where) for problem in checked.problems}  # flows share connections too
    checked.problems += [problem for problem in refused if (problem.code, problem.what, problem.where) not in told]
    if not refused:
        checked.good.append(flow)
        checked.signed_in[flow.file] = _used(flow) if live else []


def _used(flow: Flow) -> list[str]:
    """The connections that the flow's stages go over, with their types."""
    used = {stage.via for stage in flow.stages}
    return [f"{connection.name} ({connection.type})" for connection in flow.connections if connection.name in used]


def _as_json(checked: Checked) -> dict[str, Any]:
    flows = [
        {
            "flow": flow.name,
            "file": str(flow.file),
            "stages": len(flow.stages),
            "signed_in": checked.signed_in[flow.file],
        }
        for flow in checked.good
    ]
    findings = [finding_json(finding) for finding in checked.findings]
    live = [
        {key: value for key, value in error_json(p).items() if key not in ("schema", "exit")} for p in checked.problems
    ]
    ok = checked.exit_code == 0
    return {"schema": "mlc.check/1", "ok": ok, "flows": flows, "findings": findings, "live": live}


async def _sign_in(flow: Flow, registry: Registry, meters: Meters, services: Services) -> list[ConnectorError]:
    try:
        await check_connections(flow, registry, services, meters)
    except ConnectorError as error:
        return [error]
    return []


def _tell(checked: Checked) -> None:
    print_findings(checked.findings)
    for problem in checked.problems:
        print_error(problem)
    for flow in checked.good:
        sinks = sum(stage.verb == "sink" for stage in flow.stages)
        tell(f"{flow.file}  ok  {counted(len(flow.stages), 'stage')}, {counted(sinks, 'sink')}")
        for connection in checked.signed_in[flow.file]:
            tell(f"  signed in to {connection}")
    errors = checked.errors + len(checked.problems)
    notes = len(checked.findings) - checked.errors
    if errors or notes:
        say(f"{counted(errors, 'error')}, {counted(notes, 'note')}")


VERBS = {"check": check}
