"""`run --every` and `run --repeat`: a flow run again and again, each run complete by itself, until a signal or what only a person can mend."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pipeline.cli.execute import watching
from pipeline.cli.output import err, print_error, say
from pipeline.clock import Clock, SystemClock, system_random
from pipeline.engine.cadence import repeat
from pipeline.engine.report import EXIT_CODES, RunReport
from pipeline.engine.services import Stopping
from pipeline.errors import ConfigError, EngineFault, FlowError, LockHeld, StoreError, UsageError
from pipeline.flow.duration import Duration
from pipeline.flow.model import Flow

LONGEST_SECONDS = 31 * 86_400.0

Once = Callable[[Stopping], Awaitable[RunReport]]
"""One run with its own report, told; it ends early when asked to stop."""


def cadence(flow: Flow, every: str | None) -> float:
    """Seconds between two beginnings: as the option says, else as the flow's ``schedule`` does. Raises `UsageError`."""
    if every is None:
        if flow.every is None:
            raise UsageError(
                f"The flow {flow.name} has no cadence",
                where=str(flow.file),
                why="--repeat takes it from the flow's `schedule: { every: 2m }`",
                mend="add it to the flow, or write --every 2m",
                code="MLC-CLI-0023",
            )
        return flow.every
    try:
        seconds = float(Duration.parse(every))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_SECONDS:
        raise UsageError(
            "--every is not a length of time", why=f"{every!r} is not like 30s, 2m or 1h", mend="write it so", code="MLC-CLI-0023"
        )  # fmt: skip
    return seconds


async def run_repeatedly(once: Once, every: float, clock: Clock | None = None) -> int:
    """The exit code: 143 or 130 after a signal; otherwise that of the run after which no other made sense."""
    clock, stopping, ended = clock or SystemClock(), Stopping(), 0

    async def again() -> bool:
        nonlocal ended
        try:
            report = await once(stopping)
        except LockHeld as error:
            print_error(error)
            return True
        except FlowError as error:  # somebody is editing the file, or a partner's
            print_error(error)
            ended = error.exit_code
            return True
        ended = report.exit_code
        return _goes_on(report)

    async with watching(stopping, _give_the_terminal_back):
        await repeat(again, every, clock, system_random(), stopping)
    if not stopping.signal or ended == EXIT_CODES["out_of_balance"]:
        return ended
    say("stopped; run the same command to go on")
    return 128 + stopping.signal


def _goes_on(report: RunReport) -> bool:
    """Whether another run makes sense. Not when the books do not tie or the program is at fault; nor when the flow could not begin for a
    reason that only a person mends: a refused password that is tried every minute gets its user locked.
    """
    if not report.balanced:
        return False
    match report.problem:
        case EngineFault() | StoreError():
            return False
        case ConfigError():
            return report.began
    return True


def _give_the_terminal_back() -> None:
    """A run's progress hides the cursor."""
    err().show_cursor()
