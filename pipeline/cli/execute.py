"""Running a flow from the command: load it, open the ledger, watch for signals, run, report."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from pipeline.cli.output import counted, print_findings, say
from pipeline.cli.progress import Notes, RunProgress
from pipeline.cli.shipped import placed
from pipeline.clock import SystemClock, system_random
from pipeline.engine.report import RunReport
from pipeline.engine.request import RunRequest
from pipeline.engine.runner import run_flow
from pipeline.engine.services import Services, Stopping
from pipeline.errors import FlowError, UsageError
from pipeline.flow.load import load_flow
from pipeline.flow.model import Flow
from pipeline.registry import Registry
from pipeline.shared import Shared
from pipeline.store import DEFAULT_STORE, Ledger
from pipeline.store.ledger import store_path
from pipeline.store.locks import HostSlots


def store_url(environment: Mapping[str, str] = os.environ) -> str:
    return environment.get("MLC_STORE") or DEFAULT_STORE


def shared_beside(ledger: Path) -> Shared:
    """What the flows of this process share; and with all processes that use this ledger, the slots of what allows only so many calls."""
    return Shared(HostSlots(ledger, SystemClock(), system_random(), lambda text: say(f"note  {text}")))


def services_here(environment: Mapping[str, str] = os.environ) -> Services:
    """The real world for a command that only looks, which may never open the ledger it takes its slots beside."""
    try:
        shared = shared_beside(store_path(store_url(environment)))
    except UsageError:  # told where the ledger is opened
        shared = Shared()
    return Services.system(environment, shared=shared)


def load_checked(path: Path, registry: Registry, environment: Mapping[str, str], *, notes: bool = True) -> Flow:
    """The flow, ready to run. Raises `FlowError` with every finding; ``notes`` are what is worth knowing about a good one."""
    flow, findings = load_flow(path, registry, environment, live=True)
    if flow is None:
        errors = tuple(finding for finding in findings if finding.severity == "error")
        raise FlowError(
            f"The flow cannot run: {counted(len(errors), 'finding')}", errors, where=str(path),
            mend=f"mend them, then:  ml-connector check {path}", code="MLC-FLOW-0000",
        )  # fmt: skip
    print_findings([finding for finding in findings if notes and finding.severity == "note"])
    return placed(flow)


async def execute(
    flow: Flow,
    registry: Registry,
    ledger: Ledger,
    environment: Mapping[str, str],
    request: RunRequest,
    *,
    quiet: bool = False,
    first: Callable[[], Awaitable[None]] | None = None,
    shared: Shared | None = None,
    stopping: Stopping | None = None,
) -> RunReport:
    """Runs the flow under signals: the first SIGTERM or SIGINT drains, the second one ends at once; nothing is lost by either.

    Flows that run in one process are given the same ``shared``. With ``stopping`` somebody else watches the signals.
    """
    shared = shared or shared_beside(ledger.path)
    settle_memory()
    with RunProgress(flow.name, SystemClock(), quiet=quiet, notes=shared.of(Notes, Notes)) as progress:
        services = Services.system(environment, progress, shared)
        if stopping is not None:
            return await run_flow(flow, registry, ledger, services, request, stopping, first=first)
        stopping = Stopping()
        async with watching(stopping, progress.stop):
            return await run_flow(flow, registry, ledger, services, request, stopping, first=first)


def settle_memory() -> None:
    """Takes what the process holds so far (modules, flow, plans) out of the sight of Python's collector of cycles, until it is called again.

    It stays for the whole run. Looking through it again and again would stop the event loop for tens of milliseconds each time.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def watching(stopping: Stopping, leave: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
    """Turns SIGTERM and SIGINT into a request to stop for as long as the block lasts; a second one ends the process, after ``leave``."""
    # A plain task: a task group would wrap what the block raises (the lock is held) into a group.
    task = asyncio.create_task(_watch_signals(stopping, leave))
    try:
        yield
    finally:
        task.cancel()


async def _watch_signals(stopping: Stopping, leave: Callable[[], None]) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            if stopping.requested:
                leave()  # an exit like this runs nothing else that would give the terminal its cursor back
                say("stopped at once; everything committed is kept, run the same command to go on")
                os._exit(128 + number)
            stopping.request(number)
            say("stopping: no more is read, what is in flight is finished; once more ends at once")
