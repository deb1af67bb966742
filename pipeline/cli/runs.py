"""`run` and `replay`: what changes the world."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from pipeline.cli.execute import execute, load_checked, services_here, shared_beside, store_url
from pipeline.cli.forms import KINDS, split_id
from pipeline.cli.output import counted, joined, print_error, print_json, say
from pipeline.cli.repeating import cadence, run_repeatedly
from pipeline.cli.shipped import find_flow
from pipeline.cli.summary import Summary
from pipeline.cli.usage import estimate_json, print_estimate
from pipeline.clock import SystemClock
from pipeline.engine.estimate import estimate_flow
from pipeline.engine.replay import ReplayPlan, plan_replay, release, request_for
from pipeline.engine.report import RunReport
from pipeline.engine.request import RunRequest
from pipeline.engine.services import Stopping
from pipeline.errors import ConnectorError, UsageError
from pipeline.flow.duration import Duration
from pipeline.flow.model import Flow
from pipeline.record import Window
from pipeline.registry import Registry, load_registry
from pipeline.shared import Shared
from pipeline.store import Ledger, open_ledger
from pipeline.store.ledger import store_path
from pipeline.store.reports import Item

Json = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object on stdout.")]
Wait = Annotated[str, typer.Option("--wait", help="How long deliveries may wait for the far side, e.g. 2m.")]
DEFAULT_WAIT = "2m"
NAMED = 20  # how many of a long list of ids are printed


async def run(
    flow: Annotated[str, typer.Argument(help="A flow file, or the name of a flow.")],
    since: Annotated[
        str | None, typer.Option(help="Read records modified since this date or time (UTC) instead of going on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="... and before this date or time; a date means the whole day.")
    ] = None,
    wait: Wait = DEFAULT_WAIT,
    rewrite: Annotated[
        bool,
        typer.Option(
            "--rewrite",
            metavar="",
            help="Write wanted states again, also those unchanged since: mends what `drift` shows.",
        ),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", metavar="", help="Also show how full each stage's queue was, and what waited for it."
        ),
    ] = False,
    every: Annotated[
        str | None, typer.Option(help="Run again and again, so long after each beginning, e.g. 2m; until a signal.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--repeat", metavar="", help="The same, as often as the flow's `schedule` says.")
    ] = False,
    estimate: Annotated[
        bool,
        typer.Option(
            "--estimate", metavar="", help="Only count what a run would read, and what it would cost; nothing is sent."
        ),
    ] = False,
    json: Json = False,
) -> int:
    """Run a flow once, from where it left off; or again and again."""
    window = parse_window(since, until)
    if estimate:
        return await _estimate(flow, window, other=every is not None or again or rewrite, as_json=json)
    kind = "rewrite" if rewrite else "run"
    request = RunRequest(window=window, wait_seconds=parse_wait(wait), kind=kind, rewrite=rewrite)
    registry, shared = load_registry(), shared_beside(store_path(store_url()))
    file = find_flow(flow)

    async def once(stopping: Stopping | None) -> RunReport:
        loaded = load_checked(file, registry, os.environ, notes=stopping is None)
        async with open_ledger(store_url(), SystemClock()) as ledger:
            report = await execute(loaded, registry, ledger, os.environ, request, stopping=stopping, shared=shared)
            summary = await Summary.of(report, loaded.file, ledger)
        print_problems(report)
        _tell(summary, verbose=verbose, as_json=json, quiet=stopping is not None)
        return report

    if every is None and not again:
        return (await once(None)).exit_code
    if rewrite or not request.window.live:
        raise UsageError(
            f"A {'rewrite' if rewrite else 'window'} cannot be read again and again",
            why="--since, --until and --rewrite name what is to be read; --every and --repeat go on from where the last run left off",
            mend="leave out one or the other",
            code="MLC-CLI-0001",
        )
    return await run_repeatedly(once, cadence(load_checked(file, registry, os.environ), every))


async def _estimate(flow: str, window: Window, *, other: bool, as_json: bool) -> int:
    if other:
        raise UsageError(
            "An estimate runs nothing", why="--every, --repeat and --rewrite say how to run", mend="leave out one or the other",
            code="MLC-CLI-0001",
        )  # fmt: skip
    registry = load_registry()
    loaded = load_checked(find_flow(flow), registry, os.environ)
    async with open_ledger(store_url(), SystemClock()) as ledger:
        found = await estimate_flow(loaded, registry, ledger, services_here(), window)
    if as_json:
        print_json(estimate_json(found))
    else:
        print_estimate(found)
    return 0


def _tell(summary: Summary, *, verbose: bool, as_json: bool, quiet: bool) -> None:
    """What a run came to. One of many that had nothing to do is not worth a line."""
    report = summary.report
    if verbose:
        say_edges(report)
    if as_json:
        print_json(report.as_json())
        _say_earlier(summary)
    elif not quiet or report.totals.read or report.status != "clean" or summary.earlier:
        summary.print()
        summary.suggest()
    summary.alarm()


def say_edges(report: RunReport) -> None:
    """Where a flow waits: the stage behind the fullest queue is the slow one."""
    for name, edge in report.edges.items():
        full = f"{edge.high_water} of {edge.capacity} at most"
        say(
            f"queue before {name}: {edge.put} records in, {edge.taken} out, {full}, the stage above waited {edge.blocked_seconds:.2f} s"
        )


async def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Exceptions to replay, as `dead` names them (x-7).")] = None,
    error: Annotated[str, typer.Option("--error", help="Replay every open exception with this code.")] = "",
    flow: Annotated[
        str, typer.Option("--flow", help="The flow file, when the one of the last run is elsewhere now.")
    ] = "",
    wait: Wait = DEFAULT_WAIT,
    dry_run: Annotated[bool, typer.Option("--dry-run", metavar="", help="Only say what would be replayed.")] = False,
    json: Json = False,
) -> int:
    """Send exceptions through again: records are read again from the source, deliveries repeat the same bytes."""
    wait_seconds = parse_wait(wait)
    registry = load_registry()
    async with open_ledger(store_url(), SystemClock()) as ledger:
        letters = await _chosen(ledger, ids or [], error)
        plans = plan_replay(letters)
        say(f"{counted(len(letters), 'exception')} to replay: {_named(letters)}")
        if dry_run:
            return _finish_replay([], letters, plans, dry_run=True, as_json=json)
        flows = [await _flow_of(plan, registry, ledger, flow) for plan in plans]  # all of them, before anything moves
        summaries, shared = [], shared_beside(ledger.path)
        for plan, loaded in zip(plans, flows, strict=True):
            summaries.append(await _carry_out(plan, loaded, registry, ledger, wait_seconds, shared))
            print_problems(summaries[-1].report)
            if not json:
                summaries[-1].print()
    return _finish_replay(summaries, letters, plans, dry_run=False, as_json=json)


def _finish_replay(
    summaries: list[Summary], letters: Sequence[Item], plans: Sequence[ReplayPlan], *, dry_run: bool, as_json: bool
) -> int:
    if as_json:
        runs: list[dict[str, Any]] = [summary.report.as_json() for summary in summaries]
        exceptions = [f"x-{letter['id']}" for letter in letters]
        print_json({"schema": "mlc.replay/1", "dry_run": dry_run, "exceptions": exceptions, "runs": runs})
    elif summaries:
        summaries[-1].suggest()
    else:
        for plan in plans:
            say(f"nothing was done; in the flow {plan.flow}: {_told(plan)}")
    return max((summary.report.exit_code for summary in summaries), default=0)


def _told(plan: ReplayPlan) -> str:
    """What carrying the plan out would do."""
    return joined(
        [
            f"{counted(len(plan.keys), 'record')} would be read again" if plan.keys else "",
            f"{counted(len(plan.documents), 'document')} released" if plan.documents else "",
            f"{counted(len(plan.deliveries), 'delivery')} sent again" if plan.deliveries else "",
        ]
    )


def _named(letters: Sequence[Item]) -> str:
    names = joined(f"x-{letter['id']}" for letter in letters[:NAMED])
    return f"{names} and {len(letters) - NAMED:,} more" if len(letters) > NAMED else names


async def _flow_of(plan: ReplayPlan, registry: Registry, ledger: Ledger, flow: str) -> Flow:
    file = Path(flow) if flow else await _file_of(ledger, plan.flow)
    loaded = load_checked(file, registry, os.environ)
    if loaded.name != plan.flow:
        raise UsageError(
            f"{file} is the flow {loaded.name}, not {plan.flow}",
            mend="name the right file with --flow",
            code="MLC-CLI-0006",
        )
    return loaded


async def _carry_out(
    plan: ReplayPlan, flow: Flow, registry: Registry, ledger: Ledger, wait_seconds: float, shared: Shared
) -> Summary:
    # Released only once the flow is ours: a lock held by another run must not leave letters half replayed.
    first = partial(release, plan, ledger, _actor())
    request = request_for(plan, wait_seconds)
    report = await execute(flow, registry, ledger, os.environ, request, first=first, shared=shared)
    missing = len(plan.keys) - report.totals.read
    if missing > 0 and report.problem is None:
        records = counted(len(plan.keys), "record")
        say(f"{missing} of {records} no longer in the source; what was open of them stays open", "yellow")
    return await Summary.of(report, flow.file, ledger)


def _actor() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # containers run under user ids that have no name
        return f"user {os.getuid()}"


async def _chosen(ledger: Ledger, ids: list[str], error: str) -> list[Item]:
    """The open exceptions that are meant; all of those named must be open."""
    if bool(ids) == bool(error):
        raise UsageError(
            "Name the exceptions to replay, or a code with --error",
            mend="ml-connector dead  lists them",
            code="MLC-CLI-0004",
        )
    return await (_of_code(ledger, error) if error else _of_ids(ledger, ids))


async def _of_code(ledger: Ledger, error: str) -> list[Item]:
    letters = await ledger.reports.dead_letters(code=error)
    if not letters:
        known = await ledger.reports.dead_letter_groups()
        raise UsageError(
            f"No open exception has the code {error}",
            why=f"open are those with {', '.join(known)}" if known else "none is open",
            mend="ml-connector dead  lists the open ones",
            code="MLC-CLI-0005",
        )
    return letters


async def _of_ids(ledger: Ledger, ids: list[str]) -> list[Item]:
    wanted = [_letter_number(text) for text in ids]
    found = {letter["id"]: letter for letter in await ledger.reports.dead_letters_by_id(wanted)}
    not_open = {id_: found[id_]["state"] if id_ in found else "unknown" for id_ in wanted}
    not_open = {id_: state for id_, state in not_open.items() if state != "open"}
    if not_open:
        raise UsageError(
            f"No open exception is named {joined(f'x-{id_}' for id_ in sorted(not_open))}",
            why=joined(f"x-{id_} is {state}" for id_, state in sorted(not_open.items())),
            mend="ml-connector dead  lists the open ones",
            code="MLC-CLI-0005",
        )
    return list(found.values())


def _letter_number(text: str) -> int:
    """The exception that ``x-7`` or ``7`` means."""
    parsed = split_id(f"x-{text}" if text.isdecimal() else text)
    if parsed is None or parsed[0] != "x":
        what = f"{text} is the id of a {KINDS[parsed[0]]}" if parsed else f"{text!r} is not an id"
        look = f"ml-connector show {text}  shows it; " if parsed else ""
        raise UsageError(
            what, why="exceptions are replayed, and their ids look like x-7", mend=f"{look}ml-connector dead  lists the exceptions",
            code="MLC-CLI-0007",
        )  # fmt: skip
    return parsed[1]


async def _file_of(ledger: Ledger, flow: str) -> Path:
    runs = await ledger.reports.runs(flow=flow, limit=1)
    file = Path(runs[0]["file"])
    if not await anyio.Path(file).is_file():
        raise UsageError(
            f"The file of the flow {flow} is not where it was",
            where=str(file),
            why=f"run r-{runs[0]['id']} was the last to read it there",
            mend="name the file with --flow",
            code="MLC-CLI-0006",
        )
    return file


def print_problems(report: RunReport) -> None:
    """What went wrong, each cause once: why the run failed, and why lanes stopped."""
    causes: list[ConnectorError] = [*([report.problem] if report.problem else []), *report.stopped]
    for error in {(error.code, error.what, error.where): error for error in causes}.values():
        print_error(error)


def _say_earlier(summary: Summary) -> None:
    if summary.earlier:
        say(summary.earlier_text())


def parse_window(since: str | None, until: str | None) -> Window:
    """``--since`` and ``--until``; the first must be before the second."""
    window = Window(since=parse_time(since, "--since"), until=parse_time(until, "--until", whole_day=True))
    if window.since and window.until and window.since >= window.until:
        raise UsageError(
            "--since is not before --until", why=f"nothing lies between {since} and {until}", mend="exchange them",
            code="MLC-CLI-0001",
        )  # fmt: skip
    return window


def parse_time(text: str | None, option: str, *, whole_day: bool = False) -> datetime | None:
    """A date or ISO time, UTC unless it says otherwise. As an end, a date means up to its last moment."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if whole_day and moment.time() == time() and len(text) <= len("2026-10-31"):
            moment += timedelta(days=1)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} is not a date or time",
            why=f"{text!r} is not like 2026-10-31 or 2026-10-31T06:00",
            mend="write it so",
            code="MLC-CLI-0001",
        ) from None
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


VERBS = {"run": run, "replay": replay}
