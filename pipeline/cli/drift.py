"""`drift`: where what the flows want and what the far side has are not the same, in both directions. Reads only."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from pipeline.cli.execute import load_checked, services_here
from pipeline.cli.output import counted, joined, print_json, say, suggest, table, tell
from pipeline.cli.shipped import find_flow, flows_here
from pipeline.cli.usage import counting
from pipeline.engine.services import Stopping
from pipeline.engine.survey import Survey, comparing, survey
from pipeline.errors import UsageError
from pipeline.flow.load import load_flow
from pipeline.flow.model import Flow
from pipeline.record import Drift
from pipeline.registry import Registry, load_registry

DRIFTED = 5
SHOWN = 200  # differences that people are shown
HEADINGS = ["KIND", "PARTNER", "NAME THERE", "MEMBER", "WANTED", "THERE", "NOTE"]


class Compared(msgspec.Struct):
    """One sink of one flow, compared."""

    flow: str
    file: Path
    survey: Survey


async def drift(
    flow: Annotated[
        str,
        typer.Argument(
            help="A flow file, or the name of a flow; every flow here that can be compared when none is named."
        ),
    ] = "",
    json: Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object on stdout.")] = False,
) -> int:
    """Compare what a flow would write now with what the far side has: missing there, extra there, different there."""
    registry = load_registry()
    compared: list[Compared] = []
    services = services_here()
    async with counting() as meters:
        for loaded in _flows(flow, registry):
            found = await survey(loaded, registry, services, Stopping(), meters)
            compared += [Compared(loaded.name, loaded.file, each) for each in found]
    if json:
        print_json(drift_json(compared))
    else:
        for each in compared:
            _print(each)
    return 0 if all(each.survey.clean for each in compared) else DRIFTED


def _flows(name: str, registry: Registry) -> list[Flow]:
    """The flow that is named; else every flow here with something to compare."""
    if name:
        loaded = load_checked(find_flow(name), registry, os.environ)
        if not comparing(loaded):
            raise _nothing(str(loaded.file))
        return [loaded]
    files = [path for path in flows_here() if _comparable(path, registry)]
    if not files:
        raise _nothing("the flows here")
    return [load_checked(path, registry, os.environ) for path in files]


def _comparable(path: Path, registry: Registry) -> bool:
    loaded, _ = load_flow(path, registry, os.environ)
    return loaded is not None and bool(comparing(loaded))


def _nothing(where: str) -> UsageError:
    return UsageError(
        "There is nothing to compare",
        where=where,
        why="only a sink that makes states of objects, such as sterling.partners, can be compared with its far side",
        mend="name a flow with such a sink: ml-connector drift vendors",
        code="MLC-CLI-0024",
    )


def _print(compared: Compared) -> None:
    found = compared.survey
    title = f"{compared.flow}, {found.stage}: {found.compared:,} compared"
    if found.clean:
        tell(f"{title}, no drift", "green")
        return
    counts = [f"{number} {kind}" for kind, number in _counts(found.drift).items() if number]
    unknown = f"{counted(len(found.unknown), 'record')} that cannot be compared" if found.unknown else ""
    tell(f"{title}, {joined([*counts, unknown])}", "bold")
    table(HEADINGS, [row for each in found.drift[:SHOWN] for row in _rows(each)], wrap=["NOTE", "WANTED", "THERE"])
    for key, problem in list(found.unknown.items())[:SHOWN]:
        tell(f"  {key}  {problem.code}  {problem.what}")
    if max(len(found.drift), len(found.unknown)) > SHOWN:
        say(f"these are the first {SHOWN} of each; --json lists all", "yellow")
    kinds = _counts(found.drift)
    if kinds["missing"] or kinds["differs"]:
        suggest(
            f"run {shlex.quote(str(compared.file))} --rewrite",
            "writes what is missing or differs",
            lead="to mend it there:",
        )
    if kinds["extra"]:
        say("what is extra is never deleted here: delete it there, or give its vendor back to the flow")


def _rows(each: Drift) -> list[list[str]]:
    """One line a member that differs; the note on the first."""
    members = list(each.fields.items()) or [("", ("", ""))]
    return [
        [each.kind, each.key, each.name, member, wanted, there, each.note if place == 0 else ""]
        for place, (member, (wanted, there)) in enumerate(members)
    ]


def _counts(found: list[Drift]) -> dict[str, int]:
    return {kind: sum(each.kind == kind for each in found) for kind in ("missing", "extra", "differs")}


def drift_json(compared: list[Compared]) -> dict[str, Any]:
    """``mlc.drift/1``: the differences of every flow compared, and the records that could not be."""
    return {
        "schema": "mlc.drift/1",
        "clean": all(each.survey.clean for each in compared),
        "compared": sum(each.survey.compared for each in compared),
        "counts": _counts([drift for each in compared for drift in each.survey.drift]),
        "items": [_item(each, drift) for each in compared for drift in each.survey.drift],
        "unknown": [
            {"flow": each.flow, "stage": each.survey.stage, "key": key, "code": problem.code, "what": problem.what}
            for each in compared
            for key, problem in each.survey.unknown.items()
        ],
    }


def _item(compared: Compared, drift: Drift) -> dict[str, Any]:
    return {
        "flow": compared.flow,
        "stage": compared.survey.stage,
        "kind": drift.kind,
        "key": drift.key,
        "name": drift.name or None,
        "fields": [{"member": name, "wanted": w, "there": t} for name, (w, t) in drift.fields.items()],
        "note": drift.note,
    }


VERBS = {"drift": drift}
