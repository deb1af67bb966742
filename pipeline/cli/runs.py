"""`run` and `replay`: what changes the world."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.execute import execute, load_checked, store_url
from pipeline.cli.output import print_error, print_json, say
from pipeline.cli.shipped import find_flow
from pipeline.cli.summary import print_report
from pipeline.clock import SystemClock
from pipeline.engine.replay import ReplayPlan, plan_replay, release, request_for
from pipeline.engine.report import RunReport
from pipeline.engine.runner import DEFAULT_WAIT_SECONDS, RunRequest
from pipeline.errors import FlowError, UsageError
from pipeline.flow.duration import Duration
from pipeline.record import Window
from pipeline.registry import Registry, load_registry
from pipeline.store import Ledger, open_ledger
from pipeline.store.reports import Item

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Wait = Annotated[str, typer.Option("--wait", help="How long deliveries may wait for the far side, e.g. 2m.")]


async def run(
    flow: Annotated[str, typer.Argument(help="A flow file, or the name of a flow.")],
    since: Annotated[
        str | None, typer.Option(help="Read records modified since this date or time (UTC) instead of going on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="... and before this date or time; a date means the whole day.")
    ] = None,
    wait: Wait = "2m",
    json: Json = False,
) -> int:
    """Run a flow once, from where it left off."""
    window = Window(since=parse_time(since, "--since"), until=parse_time(until, "--until", whole_day=True))
    registry = load_registry()
    loaded = load_checked(find_flow(flow), registry, os.environ)
    async with open_ledger(store_url(), SystemClock()) as ledger:
        request = RunRequest(window=window, wait_seconds=parse_wait(wait))
        report = await execute(loaded, registry, ledger, os.environ, request, quiet=False)
    return finish(report, as_json=json)


async def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Exceptions to replay, as `dead` names them (x-7).")] = None,
    error: Annotated[str, typer.Option("--error", help="Replay every open exception with this code.")] = "",
    flow: Annotated[
        str, typer.Option("--flow", help="The flow file, when the one of the last run is elsewhere now.")
    ] = "",
    wait: Wait = "2m",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be replayed.")] = False,
    json: Json = False,
) -> int:
    """Send exceptions through again: records are read again from the source, deliveries repeat the same bytes."""
    registry = load_registry()
    async with open_ledger(store_url(), SystemClock()) as ledger:
        letters = await _chosen(ledger, ids or [], error)
        plans = plan_replay(letters)
        say(
            f"{len(letters)} exception{'s' if len(letters) != 1 else ''} to replay: "
            + ", ".join(f"x-{letter['id']}" for letter in letters[:20])
        )
        if dry_run:
            return 0
        reports = [await _carry_out(plan, registry, ledger, flow, parse_wait(wait)) for plan in plans]
    codes = [finish(report, as_json=json) for report in reports]
    return max(codes)


async def _carry_out(plan: ReplayPlan, registry: Registry, ledger: Ledger, flow: str, wait_seconds: float) -> RunReport:
    file = Path(flow) if flow else await _file_of(ledger, plan.flow)
    loaded = load_checked(file, registry, os.environ)
    if loaded.name != plan.flow:
        raise UsageError(
            f"{file} is the flow {loaded.name}, not {plan.flow}",
            mend="name the right file with --flow",
            code="MLC-CLI-0006",
        )
    # Released only once the flow is ours: a lock held by another run must not leave letters half replayed.
    first = partial(release, plan, ledger, _actor())
    report = await execute(loaded, registry, ledger, os.environ, request_for(plan, wait_seconds), first=first)
    missing = len(plan.keys) - report.totals.read
    if missing > 0 and report.problem is None:
        say(f"{missing} of {len(plan.keys)} records are no longer in the source; their exceptions stay open", "yellow")
    return report


def _actor() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # containers run under user ids that have no name
        return f"user {os.getuid()}"


async def _chosen(ledger: Ledger, ids: list[str], error: str) -> list[Item]:
    if bool(ids) == bool(error):
        raise UsageError(
            "Name the exceptions to replay, or a code with --error",
            mend="ml-connector dead  lists them",
            code="MLC-CLI-0004",
        )
    letters = await ledger.reports.dead_letters(code=error)
    if error:
        chosen = letters
    else:
        wanted = {text.removeprefix("x-") for text in ids}
        chosen = [letter for letter in letters if str(letter["id"]) in wanted]
        unknown = wanted - {str(letter["id"]) for letter in chosen}
        if unknown:
            names = ", ".join(sorted(f"x-{id_}" for id_ in unknown))
            raise UsageError(
                f"No open exception is named {names}",
                mend="ml-connector dead  lists the open ones",
                code="MLC-CLI-0005",
            )
    if not chosen:
        raise UsageError(
            f"No open exception has the code {error}",
            mend="ml-connector dead  lists the open ones",
            code="MLC-CLI-0005",
        )
    return chosen


async def _file_of(ledger: Ledger, flow: str) -> Path:
    runs = await ledger.reports.runs(flow=flow, limit=1)
    return Path(runs[0]["file"])


def finish(report: RunReport, *, as_json: bool) -> int:
    """Prints the report and what went wrong; returns the exit code."""
    for problem in [report.problem] if report.problem else _distinct(report):
        print_error(problem)
    if report.exceptions:
        say(
            f"{report.exceptions} deliveries wait for the far side or need a person, some of them perhaps of earlier runs",
            "yellow",
        )
    if as_json:
        print_json(report.as_json())
    else:
        print_report(report)
    return report.exit_code


def _distinct(report: RunReport) -> list[FlowError]:
    """Why lanes stopped, each cause once."""
    return list({(error.code, error.what, error.where): error for error in report.stopped}.values())  # type: ignore[arg-type]


def parse_time(text: str | None, option: str, *, whole_day: bool = False) -> datetime | None:
    """A date or ISO time, UTC unless it says otherwise. As an end, a date means up to its last moment."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} is not a date or time",
            why=f"{text!r} is not like 2026-10-31 or 2026-10-31T06:00",
            mend="write it so",
            code="MLC-CLI-0001",
        ) from None
    if whole_day and moment.time() == time() and len(text) <= len("2026-10-31"):
        moment += timedelta(days=1)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def parse_wait(text: str) -> float:
    """``--wait`` in seconds."""
    try:
        return float(Duration.parse(text))
    except ValueError:
        raise UsageError(
            "--wait is not a duration",
            why=f"{text!r} is not like 30s, 2m or 1h",
            mend="write it so",
            code="MLC-CLI-0001",
        ) from None


assert parse_wait("2m") == DEFAULT_WAIT_SECONDS
VERBS = {"run": run, "replay": replay}
