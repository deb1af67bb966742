"""`demo` and `simulate`: the simulators of the installed adapters on loopback, alone or with the shipped flows over them."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Annotated

import anyio
import typer

from pipeline.cli.execute import execute, load_checked
from pipeline.cli.output import on_terminal, print_error, print_json, say, tell
from pipeline.cli.shipped import shipped_flows
from pipeline.cli.summary import print_report
from pipeline.clock import SystemClock
from pipeline.engine.report import RunReport
from pipeline.engine.runner import RunRequest
from pipeline.errors import UsageError
from pipeline.registry import Registry, load_registry
from pipeline.stage import Simulation, SimulatorOptions
from pipeline.store import open_ledger

DEMO_FLOWS = ("vendors", "bills", "acknowledgements")
FOLDER = Path(".ml-connector")
Bills = Annotated[int, typer.Option("--bills", min=0, max=1_000_000, help="How many bills the books hold.")]
Seed = Annotated[int, typer.Option("--seed", help="Which books: the same seed gives the same data.")]


async def demo(
    bills: Bills = 200,
    seed: Seed = 1,
    once: Annotated[bool, typer.Option("--once", help="End after the flows; implied when not on a terminal.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout; implies --once.")] = False,
) -> int:
    """Try it: both systems simulated here, a food distributor's vendors and bills moved between them."""
    registry = load_registry()
    store = _fresh_store()
    async with AsyncExitStack() as stack:
        simulations = [await stack.enter_async_context(s) for s in _simulators(registry, bills, seed, {})]
        environment = {**os.environ, **_merged(simulations), "MLC_STORE": f"sqlite:///{store}", "MLC_PARTNERS": ""}
        for simulation in simulations:
            say(f"  ok  {simulation.summary}")
        reports = await _run_flows(registry, environment, quiet=json)
        if json:
            flows = [report.as_json() for report in reports]
            print_json({"schema": "mlc.demo/1", "flows": flows, "balanced": all(report.balanced for report in reports)})
        else:
            _tell(reports, store, environment, simulations)
            if not once and on_terminal():
                await _stay()
    return max((report.exit_code for report in reports), default=0)


async def _run_flows(registry: Registry, environment: Mapping[str, str], *, quiet: bool) -> list[RunReport]:
    reports = []
    async with open_ledger(environment["MLC_STORE"], SystemClock()) as ledger:
        for name in DEMO_FLOWS:
            flow = load_checked(shipped_flows() / f"{name}.yaml", registry, environment)
            reports.append(await execute(flow, registry, ledger, environment, RunRequest(), quiet=quiet))
            if reports[-1].signal:
                break
    return reports


def _tell(reports: list[RunReport], store: Path, environment: Mapping[str, str], simulations: list[Simulation]) -> None:
    for report in reports:
        for problem in [report.problem] if report.problem else []:
            print_error(problem)
        print_report(report, hint=False)
        tell("")
    variables = {**_merged(simulations), "MLC_STORE": environment["MLC_STORE"]}
    file = store.with_name("demo.env")
    file.write_text("".join(f"export {name}='{value}'\n" for name, value in variables.items()), "utf-8")
    failed = sum(report.totals.counts.get("dead", 0) + report.totals.counts.get("held", 0) for report in reports)
    say(f"{failed} bills were planted to fail, each for an honest reason.")
    say(f"see why:  . {file} && ml-connector dead")


async def _stay() -> None:
    say("both simulators stay up for you to try mends and replays from another terminal; Ctrl-C ends the demo")
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            return


def _fresh_store() -> Path:
    """The demo's own ledger, begun anew each time."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    for file in FOLDER.glob("demo.db*"):
        file.unlink()
    return (FOLDER / "demo.db").absolute()


async def simulate(context: typer.Context, bills: Bills = 200, seed: Seed = 1) -> int:
    """Run the simulators alone and print the variables that point flows at them. --intacct-port and --sterling-port fix ports."""
    registry = load_registry()
    async with AsyncExitStack() as stack:
        ports = _ports(context.args, registry)
        simulations = [await stack.enter_async_context(s) for s in _simulators(registry, bills, seed, ports)]
        for name, value in _merged(simulations).items():
            tell(f"export {name}='{value}'")
        for simulation in simulations:
            say(f"  ok  {simulation.summary}")
        say("Ctrl-C ends them")
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                break
    return 0


def _simulators(
    registry: Registry, bills: int, seed: int, ports: Mapping[str, int]
) -> list[AbstractAsyncContextManager[Simulation]]:
    clock = SystemClock()
    return [
        adapter.simulator.start(
            SimulatorOptions(port=ports.get(adapter.simulator.name, 0), bills=bills, seed=seed, clock=clock)
        )
        for adapter in registry.adapters
        if adapter.simulator is not None
    ]


def _merged(simulations: list[Simulation]) -> dict[str, str]:
    return {name: value for simulation in simulations for name, value in simulation.environment.items()}


def _ports(arguments: list[str], registry: Registry) -> dict[str, int]:
    """``--intacct-port 7801`` and its like: one option per adapter that has a simulator."""
    names = [adapter.simulator.name for adapter in registry.adapters if adapter.simulator is not None]
    ports: dict[str, int] = {}
    words = [part for argument in arguments for part in argument.split("=", 1)]
    for option, value in zip(words[::2], words[1::2] + [""] * (len(words) % 2), strict=False):
        name = option.removeprefix("--").removesuffix("-port")
        if name not in names or option != f"--{name}-port" or not value.isdigit() or int(value) > 65535:
            known = ", ".join(f"--{name}-port PORT" for name in names)
            raise UsageError(
                f"{option} {value}".strip() + " is not understood",
                why=f"the options are {known}, --bills and --seed",
                mend="write it so",
                code="MLC-CLI-0001",
            )
        ports[name] = int(value)
    return ports


VERBS = {"demo": demo, "simulate": simulate}
