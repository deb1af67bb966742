"""`check`: every finding about flow files and the partner files they read; with --live also whether the systems let us in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.output import finding_json, print_error, print_findings, print_json, say, tell
from pipeline.cli.shipped import find_flow, shipped_flows
from pipeline.engine.runner import check_connections
from pipeline.engine.services import Services
from pipeline.errors import ConnectorError
from pipeline.flow.findings import Finding
from pipeline.flow.load import load_flow
from pipeline.flow.model import Flow
from pipeline.registry import Registry, load_registry

CHECK_FAILED = 3
CONNECTING_FAILED = 4


async def check(
    flows: Annotated[
        list[str] | None, typer.Argument(help="Flow files; those in flows/ here when none is named.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Also require every variable, and sign in to each system.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> int:
    """Report everything that is wrong with flow files, at once, with file, line and column."""
    registry = load_registry()
    findings: list[Finding] = []
    problems: list[ConnectorError] = []
    good = []
    for path in [find_flow(text) for text in flows] if flows else _here():
        flow, found = load_flow(path, registry, os.environ, live=live)
        findings += [finding for finding in found if finding not in findings]  # flows may share partner files
        refused = await _sign_in(flow, registry) if flow is not None and live else []
        problems += refused
        if flow is not None and not refused:
            good.append(flow)
    wrong = any(finding.severity == "error" for finding in findings)
    if json:
        flows_json = [{"flow": flow.name, "file": str(flow.file), "stages": len(flow.stages)} for flow in good]
        live_json = [
            {"code": p.code, "what": p.what, "where": p.where, "why": p.why, "mend": p.mend, "owner": p.owner}
            for p in problems
        ]
        print_json(
            {
                "schema": "mlc.check/1",
                "ok": not wrong and not problems,
                "flows": flows_json,
                "findings": [finding_json(f) for f in findings],
                "live": live_json,
            }
        )
    else:
        _tell(good, findings, problems)
    return CHECK_FAILED if wrong else CONNECTING_FAILED if problems else 0


def _here() -> list[Path]:
    folder = Path("flows") if Path("flows").is_dir() else shipped_flows()
    return sorted(folder.glob("*.yaml"))


async def _sign_in(flow: Flow, registry: Registry) -> list[ConnectorError]:
    try:
        await check_connections(flow, registry, Services.system(os.environ))
    except ConnectorError as error:
        return [error]
    return []


def _tell(good: list[Flow], findings: list[Finding], problems: list[ConnectorError]) -> None:
    print_findings(findings)
    for problem in problems:
        print_error(problem)
    for flow in good:
        sinks = sum(stage.verb == "sink" for stage in flow.stages)
        tell(f"{flow.file}  ok  {len(flow.stages)} stages, {sinks} sink{'s' if sinks != 1 else ''}")
    errors = sum(finding.severity == "error" for finding in findings) + len(problems)
    notes = len(findings) + len(problems) - errors
    if errors or notes:
        say(f"{errors} error{'s' if errors != 1 else ''}, {notes} note{'s' if notes != 1 else ''}")


VERBS = {"check": check}
