"""The command: its verbs, its global options, and how errors become exit codes. Each group of verbs has its module.

Exit codes: 0 clean, 1 internal, 2 usage or flow file, 3 check failed, 4 authentication or connection, 5 finished with exceptions,
6 lock held, 7 verification failed, 130 and 143 stopped and resumable.
"""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import typer

from pipeline.cli.output import error_json, print_error, print_json, say
from pipeline.errors import ConnectorError

app = typer.Typer(
    name="ml-connector",
    help="Moves vendors and AP bills from Sage Intacct into IBM Sterling B2B Integrator, exactly once, with books that tie.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Command = Callable[..., Awaitable[int] | int]


def verb(function: Command, name: str) -> None:
    """Registers a verb. It returns its exit code, may be async, and its `ConnectorError` is shown in four parts.

    typer runs an ``async def`` as nothing and exits 0, so every verb goes through here.
    """

    @functools.wraps(function)
    def run(*args: Any, **options: Any) -> None:
        raise typer.Exit(_guarded(functools.partial(function, *args, **options), as_json=bool(options.get("json"))))

    # `simulate` has one port option per installed simulator, so it reads its own.
    settings = {"allow_extra_args": True, "ignore_unknown_options": True} if name == "simulate" else {}
    app.command(name, context_settings=settings)(run)


def _guarded(call: Callable[[], Awaitable[int] | int], *, as_json: bool) -> int:
    try:
        return _run(call)
    except ConnectorError as error:
        print_error(error)
        if as_json:
            print_json(error_json(error))
        return error.exit_code
    except (KeyboardInterrupt, BrokenPipeError):
        return 130
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001  the last resort of the command
        _print_internal(error)
        return 1


def _run(call: Callable[[], Awaitable[int] | int]) -> int:
    async def awaited() -> int:
        result = call()
        return result if isinstance(result, int) else await result

    return anyio.run(awaited)


def _print_internal(error: Exception) -> None:
    """A fault of ours: where it happened, but no values, which could hold secrets."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    say(f"internal error  {type(error).__name__}", "bold red")
    for frame in reversed(frames):
        say(f"  at {frame.filename}:{frame.lineno} in {frame.name}")
    say("  mend   please report this; nothing that was committed is lost")


def main() -> None:
    """Entry point of ``ml-connector`` and ``mlc``."""
    from pipeline.cli import acks, checks, demo, lists, runs, show  # here, so that --help stays fast

    for group in (demo, checks, runs, lists, acks, show):
        for name, function in group.VERBS.items():
            verb(function, name)
    sys.exit(app())
