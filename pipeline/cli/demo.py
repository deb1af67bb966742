"""`demo` and `simulate`: the simulators of the installed adapters on loopback, alone or with the shipped flows over them."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer

from pipeline.cli.execute import execute, load_checked, shared_beside
from pipeline.cli.output import counted, on_terminal, print_json, program, say, tell
from pipeline.cli.runs import print_problems
from pipeline.cli.shipped import shipped_flows
from pipeline.cli.summary import Summary
from pipeline.clock import SystemClock
from pipeline.engine.report import RunReport
from pipeline.engine.request import RunRequest
from pipeline.errors import LockHeld, StoreError, UsageError
from pipeline.registry import Registry, load_registry
from pipeline.stage import Simulation, SimulatorOptions, SimulatorSpec
from pipeline.store import open_ledger
from pipeline.store.locks import try_lock

DEMO_FLOWS = ("vendors", "bills", "acknowledgements")
FOR_PEOPLE = ("mailbox",)
"""Run besides when a person looks on: the flows of ``mlc.demo/1`` are those that scripts rest on."""
FOLDER = Path(".ml-connector")
INBOX = "demo-inbox"
Bills = Annotated[int, typer.Option("--bills", min=0, max=1_000_000, help="How many bills the books hold.")]
Months = Annotated[int, typer.Option("--months", min=1, max=120, help="Over how many months the bills are spread.")]
Seed = Annotated[int, typer.Option("--seed", help="Which books: the same seed gives the same data.")]


async def demo(
    bills: Bills = 200,
    seed: Seed = 1,
    once: Annotated[
        bool, typer.Option("--once", metavar="", help="End after the flows; implied when not on a terminal.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print one JSON object on stdout; implies --once.")
    ] = False,
) -> int:
    """Try it: both systems simulated here, a food distributor's vendors and bills moved between them."""
    registry = load_registry()
    async with AsyncExitStack() as stack:
        store = stack.enter_context(_own_store())
        simulations = [await stack.enter_async_context(s) for s in _simulators(registry, bills, seed, {})]
        variables = {
            **_merged(simulations),
            "MLC_STORE": f"sqlite:///{store}",
            "MLC_INBOX": str(store.with_name(INBOX)),
        }
        file = _write_variables(store.with_name("demo.env"), variables)
        for simulation in simulations:
            say(f"  ok  {simulation.summary}")
        summaries = await _run_flows(registry, {**os.environ, **variables, "MLC_PARTNERS": ""}, quiet=json)
        reports = [summary.report for summary in summaries]
        if json:
            flows = [report.as_json() for report in reports]
            print_json({"schema": "mlc.demo/1", "flows": flows, "balanced": all(report.balanced for report in reports)})
        else:
            _suggest(reports, file)
            if not once and on_terminal() and not any(report.signal for report in reports):
                await _stay()
    return max((report.exit_code for report in reports), default=0)


async def _run_flows(registry: Registry, environment: Mapping[str, str], *, quiet: bool) -> list[Summary]:
    """Runs the flows one after the other; problems are told as they come, summaries too unless ``quiet``."""
    summaries = []
    async with open_ledger(environment["MLC_STORE"], SystemClock()) as ledger:
        shared = shared_beside(ledger.path)
        for name in DEMO_FLOWS if quiet else DEMO_FLOWS + FOR_PEOPLE:
            flow = load_checked(shipped_flows() / f"{name}.yaml", registry, environment)
            report = await execute(flow, registry, ledger, environment, RunRequest(), quiet=quiet, shared=shared)
            summaries.append(await Summary.of(report, flow.file, ledger))
            print_problems(report)
            if not quiet:
                summaries[-1].print()
                tell("")
            if report.signal:
                break
    return summaries


def _suggest(reports: list[RunReport], file: Path) -> None:
    """What to do with the demo's outcome. Which failures were planted only the books know, so that none is called so here."""
    stopped = sum(report.totals.counts.get(term, 0) for report in reports for term in ("dead", "held"))
    variables = f". {shlex.quote(str(file))} && {program()}"
    if stopped:
        say(
            f"{counted(stopped, 'record')} need{'s' if stopped == 1 else ''} a person: the demo's books have mistakes in them on purpose"
        )
        say(f"see why:  {variables} dead")
    else:
        say(f"look around:  {variables} status")
    if (inbox := file.with_name(INBOX)).is_dir():
        say(f"what partners left besides their answers:  {inbox}")


async def _stay() -> None:
    say("both simulators stay up for you to try mends and replays from another terminal; Ctrl-C ends the demo")
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            return


# --- the demo's folder -----------------------------------------------------------------------------------------------------


@contextmanager
def _own_store() -> Iterator[Path]:
    """A new ledger of the demo's own, kept from other demos for as long as the block lasts. Raises `LockHeld`, `StoreError`."""
    with ExitStack() as stack:
        try:
            FOLDER.mkdir(mode=0o700, exist_ok=True)
            stack.enter_context(_lock(FOLDER / "demo.lock", "A demo is running in this folder already"))
            _clear_ledger()
        except OSError as error:
            raise _no_folder(error) from None
        yield (FOLDER / "demo.db").absolute()


def _clear_ledger() -> None:
    """Removes what the last demo left, unless a command still works with it. Never a lock: its holder would hold nothing any more."""
    with ExitStack() as held:
        for file in sorted(FOLDER.glob("demo.db.*.lock")):
            held.enter_context(_lock(file, "The last demo's ledger is still in use"))
        for name in ("demo.db", "demo.db-wal", "demo.db-shm"):
            (FOLDER / name).unlink(missing_ok=True)
        shutil.rmtree(FOLDER / INBOX, ignore_errors=True)


@contextmanager
def _lock(file: Path, otherwise: str) -> Iterator[None]:
    """Holds the lock file. The system lets it go when this process ends, however it ends."""
    descriptor = try_lock(file)
    if descriptor is None:
        raise _in_use(file, otherwise)
    try:
        yield
    finally:
        os.close(descriptor)


def _in_use(file: Path, what: str) -> LockHeld:
    return LockHeld(
        what,
        where=str(file.absolute()),
        why="a demo begins its ledger anew, and would take it from under the other one",
        mend="end the other one (Ctrl-C in its terminal), or start this one in another folder",
        code="MLC-CLI-0009",
    )


def _no_folder(error: OSError) -> StoreError:
    return StoreError(
        "The demo cannot keep its ledger here",
        where=str(FOLDER.absolute()),
        why=error.strerror or type(error).__name__,
        mend="start it in a folder that this account may write",
        code="MLC-CLI-0010",
    )


def _write_variables(file: Path, variables: Mapping[str, str]) -> Path:
    """The file that points other commands at the demo, readable by its owner alone: it holds passwords, if only made-up ones."""
    text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    try:
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise _no_folder(error) from None
    return file


# --- the simulators --------------------------------------------------------------------------------------------------------


class Choice(msgspec.Struct, frozen=True):
    """What the command line says of one simulator."""

    port: int = 0
    profile: str = ""


async def simulate(context: typer.Context, bills: Bills = 200, seed: Seed = 1, months: Months = 1) -> int:
    """Run the simulators alone and print the variables that point flows at them. --intacct-port and --sterling-port fix ports,
    --sterling-profile says what kind of Sterling it is: plain, awkward, tokens or gateway;
    --intacct-profile one-endpoint is for clients that stay at the address where they signed in."""
    registry = load_registry()
    async with AsyncExitStack() as stack:
        chosen = _choices(context.args, registry)
        simulations = [await stack.enter_async_context(s) for s in _simulators(registry, bills, seed, chosen, months)]
        for name, value in _merged(simulations).items():
            tell(f"export {name}={shlex.quote(value)}")
        for simulation in simulations:
            say(f"  ok  {simulation.summary}")
        say("Ctrl-C ends them")
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                break
    return 0


def _simulators(
    registry: Registry, bills: int, seed: int, chosen: Mapping[str, Choice], months: int = 1
) -> list[AbstractAsyncContextManager[Simulation]]:
    clock, found = SystemClock(), []
    for spec in _specs(registry):
        choice = chosen.get(spec.name, Choice())
        found.append(
            spec.start(
                SimulatorOptions(
                    port=choice.port, profile=choice.profile, bills=bills, seed=seed, months=months, clock=clock
                )
            )
        )
    return found


def _specs(registry: Registry) -> list[SimulatorSpec]:
    return [adapter.simulator for adapter in registry.adapters if adapter.simulator is not None]


def _merged(simulations: list[Simulation]) -> dict[str, str]:
    return {name: value for simulation in simulations for name, value in simulation.environment.items()}


def _choices(arguments: list[str], registry: Registry) -> dict[str, Choice]:
    """``--intacct-port 7801``, ``--sterling-profile awkward`` and their like: options for each adapter that has a simulator."""
    known = {f"--{spec.name}-port": (spec, "port") for spec in _specs(registry)}
    known |= {f"--{spec.name}-profile": (spec, "profile") for spec in _specs(registry) if spec.profiles}
    chosen: dict[str, Choice] = {}
    words = [part for argument in arguments for part in argument.split("=", 1)]
    for option, value in zip(words[::2], words[1::2] + [""] * (len(words) % 2), strict=False):
        spec, what = known.get(option, (None, ""))
        read: int | str | None = None
        if what == "port" and value.isdigit() and int(value) <= 65535:
            read = int(value)
        elif spec is not None and what == "profile" and value in spec.profiles:
            read = value
        if spec is None or read is None:
            raise _not_understood(option, value, known)
        chosen[spec.name] = msgspec.structs.replace(chosen.get(spec.name, Choice()), **{what: read})
    return chosen


def _not_understood(option: str, value: str, known: Mapping[str, tuple[SimulatorSpec, str]]) -> UsageError:
    forms = [
        f"{name} {'|'.join(spec.profiles) if what == 'profile' else 'PORT'}" for name, (spec, what) in known.items()
    ]
    return UsageError(
        f"{option} {value}".strip() + " is not understood",
        why=f"the options are {', '.join(forms)}, --bills, --seed and --months",
        mend="write it so",
        code="MLC-CLI-0001",
    )


VERBS = {"demo": demo, "simulate": simulate}
OWN_OPTIONS = {"simulate"}
"""Verbs that read options of their own from the rest of the line: here a port, and a profile, for each installed simulator."""
