"""The command: its verbs, its global options, and how errors become exit codes. Each group of verbs has its module.

Exit codes: 0 clean, 1 internal, 2 usage or flow file, 3 check failed, 4 authentication or connection, 5 finished with exceptions,
6 lock held, 7 verification failed, 130 and 143 stopped and resumable.
"""

from __future__ import annotations

import functools
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import anyio
import typer
from typer.exceptions import TyperException

from pipeline.cli.output import error_json, print_error, print_json, say, silence, tell
from pipeline.engine.build import code_version
from pipeline.errors import ConnectorError, UsageError

app = typer.Typer(
    name="ml-connector",
    help="Moves vendors and AP bills from Sage Intacct into IBM Sterling B2B Integrator, exactly once, with books that tie.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        tell(f"ml-connector {code_version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None: ...


Command = Callable[..., Awaitable[int] | int]


def verb(function: Command, name: str, *, own_options: bool = False, group: typer.Typer = app) -> None:
    """Registers a verb. It returns its exit code, may be async, and its `ConnectorError` is shown in four parts.

    With ``own_options`` it is handed what it does not declare, in its context's ``args``.

    typer runs an ``async def`` as nothing and exits 0, so every verb goes through here.
    """

    @functools.wraps(function)
    def run(*args: Any, **options: Any) -> None:
        raise typer.Exit(_guarded(functools.partial(function, *args, **options), as_json=bool(options.get("json"))))

    settings = {"allow_extra_args": True, "ignore_unknown_options": True} if own_options else {}
    group.command(name, context_settings=settings)(run)


def _guarded(call: Callable[[], Awaitable[int] | int], *, as_json: bool) -> int:
    try:
        return _run(call)
    except ConnectorError as error:
        print_error(error)
        if as_json:
            print_json(error_json(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return _unheard()
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


def _unheard() -> int:
    """Whoever read our output has seen enough (`| head`): the end by SIGPIPE that a shell expects, without a word."""
    silence(sys.stdout)
    return 128 + signal.SIGPIPE


def _print_internal(error: Exception) -> None:
    """A fault of ours: where it happened, but no values, which could hold secrets."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    say(f"internal error  {type(error).__name__}", "bold red")
    for frame in reversed(frames):
        say(f"  at {frame.filename}:{frame.lineno} in {frame.name}")
    say("  mend   please report this; nothing that was committed is lost")


def main() -> None:
    """Entry point of ``ml-connector`` and ``mlc``."""
    # Here, so that importing this stays fast.
    from pipeline.cli import acks, checks, demo, doctor, drift, explain, lists, reconcile, runs, show

    for group in (demo, checks, doctor, runs, lists, acks, drift, reconcile, show, explain):
        for name, function in group.VERBS.items():
            verb(function, name, own_options=name in getattr(group, "OWN_OPTIONS", ()))
    if sys.argv[1:2] not in [[command.name] for command in app.registered_commands]:
        add_adapter_verbs()
    sys.exit(_call())


def add_adapter_verbs() -> None:
    """The verbs of the installed adapters, a group each. Left out when a verb of our own is called: adapters take time to load."""
    from pipeline.cli import adapters, asking
    from pipeline.registry import load_registry

    registry = load_registry()
    offered, asked = adapters.groups(registry.adapters), asking.groups(registry)
    for name in sorted({*offered, *asked}):
        group = typer.Typer(help=f"Verbs of the adapter {name}.", no_args_is_help=True)
        for verb_name, function in {**offered.get(name, {}), **asked.get(name, {})}.items():
            verb(function, verb_name, group=group)
        app.add_typer(group, name=name)


def _call() -> int:
    """Runs the verb that was called. A line that cannot be understood is told as any other error, to scripts too."""
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except typer.Abort:
        return 130
    except BrokenPipeError:
        return _unheard()
    except TyperException as error:
        _print_misuse(error)
        return UsageError.exit_code
    return code if isinstance(code, int) else 0


def _print_misuse(error: TyperException) -> None:
    if type(error).__name__ == "NoArgsIsHelpError":  # it has printed the help
        return
    context = getattr(error, "ctx", None)
    called = context.command_path if context else "ml-connector"
    problem = UsageError(
        error.format_message(), where=called, mend=f"{called} --help  explains it", code="MLC-CLI-0011"
    )
    print_error(problem)
    if "--json" in sys.argv:
        print_json(error_json(problem))
