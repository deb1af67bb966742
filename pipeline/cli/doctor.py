"""`doctor`: everything that can be checked before a run, each with what was found and, when it is not well, who mends it and how."""

from __future__ import annotations

import os
import re
import textwrap
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
import msgspec
import typer
from rich.text import Text

from pipeline.cli import machine
from pipeline.cli.execute import services_here, store_url
from pipeline.cli.output import counted, error_json, joined, out, print_json, say
from pipeline.cli.shipped import find_flow, flows_here, placed
from pipeline.cli.usage import counting
from pipeline.clock import SystemClock
from pipeline.engine.doctor import Section, broken, diagnose_flows
from pipeline.errors import ConnectorError
from pipeline.flow import codes
from pipeline.flow.findings import Finding
from pipeline.flow.load import load_flow
from pipeline.flow.model import Flow
from pipeline.printable import legible
from pipeline.registry import Registry, load_registry
from pipeline.stage import CheckState, Diagnosis
from pipeline.store import examine
from pipeline.store.ledger import store_path

CHECK_FAILED = 3
CONNECTING_FAILED = 4
STYLES: dict[CheckState, str] = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}
_UNSET = re.compile(r"the environment variable (\w+) is not set")
NAMED = 3  # how many of many findings a line names


class Report(msgspec.Struct):
    """The lines so far. On paper they are printed as they come."""

    as_json: bool
    lines: list[tuple[Section, Diagnosis]] = []

    def tell(self, section: Section, diagnosis: Diagnosis) -> None:
        if not self.as_json:
            if not self.lines or self.lines[-1][0] != section:
                _print_section(section)
            _print(diagnosis)
        self.lines.append((section, diagnosis))

    @property
    def counts(self) -> dict[CheckState, int]:
        found = Counter(diagnosis.state for _, diagnosis in self.lines)
        return {state: found[state] for state in STYLES}

    @property
    def exit_code(self) -> int:
        failed = {section.kind for section, diagnosis in self.lines if diagnosis.state == "failed"}
        return CONNECTING_FAILED if "connection" in failed else CHECK_FAILED if failed else 0


async def doctor(
    flows: Annotated[
        list[str] | None, typer.Argument(help="Flow files; those in flows/ here when none is named.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object on stdout.")] = False,
) -> int:
    """Check everything that can be checked before a run: this machine, the ledger, flows, systems, rights."""
    paths = [find_flow(text) for text in flows] if flows else flows_here()
    report = Report(json)
    services = services_here()
    _each(report, Section("machine", "this machine"), machine.machine(SystemClock().now()))
    await _ledger(report)
    registry = _registry(report)
    if registry is not None:
        async with counting() as meters:
            await diagnose_flows(_flows(report, paths, registry), registry, services, report.tell, meters)
    if json:
        print_json(_as_json(report))
    else:
        say(joined(f"{number} {state}" for state, number in report.counts.items() if number))
    return report.exit_code


def _each(report: Report, section: Section, checks: machine.Checks) -> None:
    for name, check in checks.items():
        try:
            report.tell(section, check())
        except Exception as error:  # noqa: BLE001  a check that breaks is a line like any other
            report.tell(section, Diagnosis.failed(name, broken(error)))


async def _ledger(report: Report) -> None:
    section = Section("ledger", "ledger")
    try:
        path = store_path(store_url())
        found = await anyio.to_thread.run_sync(examine, path)
    except ConnectorError as error:
        report.tell(section, Diagnosis.failed("file", error))
        return
    except Exception as error:  # noqa: BLE001
        report.tell(section, Diagnosis.failed("file", broken(error)))
        return
    section = Section("ledger", f"ledger {path}")
    _each(report, section, machine.ledger(path, found, SystemClock().now()))


def _registry(report: Report) -> Registry | None:
    try:
        return load_registry()
    except ConnectorError as error:
        report.tell(Section("machine", "this machine"), Diagnosis.failed("adapters", error))
        return None


# --- flow files ----------------------------------------------------------------------------------------------------------


def _flows(report: Report, paths: list[Path], registry: Registry) -> list[Flow]:
    """The flows that can be looked into, their findings told. Variables that are not set stop a run, but not the other checks."""
    loaded: list[Flow] = []
    needed: dict[str, list[str]] = {}  # each variable that is not set, with the flows that refer to it
    for path in paths:
        flow = _flow(report, path, registry, needed)
        loaded += [flow] if flow is not None else []
    names = dict.fromkeys([*(flow.name for flow in loaded), *(name for flows in needed.values() for name in flows)])
    if names:
        report.tell(Section("flow", "variables", tuple(names)), _variables(needed))
    return loaded


def _variables(needed: dict[str, list[str]]) -> Diagnosis:
    if not needed:
        return Diagnosis.ok("variables", "all that the flows refer to are set")
    groups: dict[str, list[str]] = {}
    for variable, flows in needed.items():
        groups.setdefault(joined(dict.fromkeys(flows)), []).append(variable)
    missing = ConnectorError(
        "Variables that the flows refer to are not set", where="the environment of this command",
        why="; ".join(f"{joined(variables)} for {flows}" for flows, variables in groups.items()),
        mend="set them in the environment that starts ml-connector", code="MLC-CHK-0008",
    )  # fmt: skip
    return Diagnosis.failed("variables", missing)


def _flow(report: Report, path: Path, registry: Registry, needed: dict[str, list[str]]) -> Flow | None:
    try:
        flow, findings = load_flow(path, registry, os.environ, live=False)
    except Exception as error:  # noqa: BLE001  code that a flow names may raise anything while it is imported
        report.tell(Section("flow", f"flow {path}"), Diagnosis.failed("file", broken(error)))
        return None
    name = flow.name if flow is not None else str(path)
    section = Section("flow", f"flow {name}", (name,))
    unset = [finding for finding in findings if finding.code == codes.UNSET_VARIABLE and finding.severity == "note"]
    for finding in unset:
        needed.setdefault(_UNSET.sub(r"\1", finding.message), []).append(name)
    for diagnosis in _about_flow(path, flow, [finding for finding in findings if finding not in unset]):
        report.tell(section, diagnosis)
    if any(finding.code == codes.UNSET_VARIABLE and finding.path.startswith("$.stages") for finding in findings):
        report.tell(section, Diagnosis.skipped("stages", "variables that their settings refer to are not set"))
        return None
    return placed(flow) if flow is not None else None


def _about_flow(path: Path, flow: Flow | None, findings: list[Finding]) -> Iterable[Diagnosis]:
    errors = [finding for finding in findings if finding.severity == "error"]
    notes = [finding for finding in findings if finding.severity == "note"]
    if errors or flow is None:
        problem = ConnectorError(
            f"The flow cannot run: {counted(len(errors), 'finding')}", where=str(path), why=_first([str(each) for each in errors]),
            mend=f"mend what the findings name; all of them:  ml-connector check {path}", owner="EDI desk", code="MLC-CHK-0007",
        )  # fmt: skip
        yield Diagnosis.failed("file", problem)
    else:
        yield Diagnosis.ok("file", f"{path}, {counted(len(flow.stages), 'stage')}")
    if notes:
        note = ConnectorError(
            f"The flow has {counted(len(notes), 'note')}", where=str(path), why=_first([str(each) for each in notes]),
            mend=f"see  ml-connector check {path}", owner="EDI desk", code="MLC-CHK-0007",
        )  # fmt: skip
        yield Diagnosis.warning("notes", note)


def _first(texts: list[str]) -> str:
    more = f"; and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return "; ".join(texts[:NAMED]) + more


# --- how it is shown -----------------------------------------------------------------------------------------------------


def _print_section(section: Section) -> None:
    of = f"  of {joined(section.flows)}" if section.kind in ("connection", "stage") else ""
    lead = f"{section.kind} " if section.kind in ("connection", "stage") else ""
    out().print(Text(f"{lead}{section.name}", style="bold").append(of, style="dim"), soft_wrap=True)


def _print(diagnosis: Diagnosis) -> None:
    problem = diagnosis.problem
    said = joined([problem.what if problem else "", diagnosis.found], "; ")
    _line(f"  {diagnosis.state:<8} ", joined([diagnosis.name, said], ": "), STYLES[diagnosis.state])
    if problem is not None:
        for name, value in (("where", problem.where), ("why", problem.why), ("mend", problem.mend)):
            if value:
                _line(f"{'':11}{name:<6} ", value, "")
        _line(f"{'':11}{'owner':<6} ", f"{problem.owner}, {problem.code}", "dim")


def _line(lead: str, text: str, style: str) -> None:
    """One entry, its further lines under its text. What is piped stays whole."""
    console = out()
    width = max(console.width - len(lead), 30)
    parts = textwrap.wrap(legible(text, keep="\n\t"), width, break_long_words=False, break_on_hyphens=False) or [""]
    for number, part in enumerate(parts):
        start = (lead, style) if number == 0 else " " * len(lead)
        console.print(Text.assemble(start, part), soft_wrap=True)


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "schema": "mlc.doctor/1",
        "ok": report.exit_code == 0,
        "counts": report.counts,
        "checks": [_line_json(section, diagnosis) for section, diagnosis in report.lines],
    }


def _line_json(section: Section, diagnosis: Diagnosis) -> dict[str, Any]:
    problem = diagnosis.problem
    parts = (
        {key: value for key, value in error_json(problem).items() if key not in ("schema", "exit", "findings")}
        if problem
        else None
    )
    return {
        "kind": section.kind,
        "about": section.name,
        "flows": list(section.flows),
        "name": diagnosis.name,
        "state": diagnosis.state,
        "found": diagnosis.found,
        "problem": parts,
    }  # fmt: skip


VERBS = {"doctor": doctor}
