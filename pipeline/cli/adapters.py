"""The verbs that adapters bring along: one group per adapter that has any, each verb over one FILE."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.output import out, print_result
from pipeline.errors import UsageError
from pipeline.stage import Adapter, CommandSpec, Paint

CHECK_FAILED = 3
LARGEST_FILE_BYTES = 512 * 1024 * 1024
ANSI = {"title": "1", "segment": "36", "element": "2", "meaning": "", "damage": "31", "error": "31", "warning": "33"}


def groups(adapters: tuple[Adapter, ...]) -> dict[str, dict[str, Callable[..., Any]]]:
    """Verbs by adapter and name."""
    return {a.name: {spec.name: _verb(spec) for spec in a.commands} for a in adapters if a.commands}


def _verb(spec: CommandSpec) -> Callable[..., int]:
    """A function typer can read: FILE, one option per further file, and --json."""

    def run(file: str, json: bool = False, **named: str) -> int:
        extra = {name: _text(path) for name, path in named.items() if path}
        extra |= _under(spec, named)
        result = spec.run(_bytes(file), file, extra, _paint())
        print_result(result, as_json=json)
        return CHECK_FAILED if result.failed else 0

    run.__doc__ = spec.help
    run.__annotations__ = {
        "file": Annotated[str, typer.Argument(help="The file; - reads standard input.")],
        "json": Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")],
        "return": int,
    }
    return _with_options(run, spec.options)


def _under(spec: CommandSpec, named: Mapping[str, str]) -> dict[str, str]:
    """The files that given ones rest on, where there are any."""
    places = {name: Path(named[name]).with_name(file) for name, file in spec.under.items() if named.get(name)}
    return {
        f"{name} under": _text(str(place))
        for name, place in places.items()
        if place.is_file() and place.name != Path(named[name]).name
    }


def _with_options(run: Callable[..., int], options: Mapping[str, str]) -> Callable[..., int]:
    """Gives the function a signature with these options: typer reads signatures."""
    own = list(inspect.signature(run).parameters.values())[:2]
    keyword = inspect.Parameter.KEYWORD_ONLY
    more = [
        inspect.Parameter(name, keyword, default="", annotation=Annotated[str, typer.Option(f"--{name}", help=help)])
        for name, help in options.items()
    ]
    parameters = [p.replace(annotation=run.__annotations__[p.name]) for p in own]
    run.__signature__ = inspect.Signature([*parameters, *more])  # type: ignore[attr-defined]
    run.__annotations__ |= {p.name: p.annotation for p in more}
    return run


def _bytes(file: str) -> bytes:
    if file == "-":
        return typer.get_binary_stream("stdin").read(LARGEST_FILE_BYTES)
    try:
        with Path(file).open("rb") as stream:
            return stream.read(LARGEST_FILE_BYTES)
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read", why=error.strerror or "", mend="name a file that is there", code="MLC-CLI-0021"
        ) from None


def _text(file: str) -> str:
    try:
        return _bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is no UTF-8 text", mend="name a YAML file", code="MLC-CLI-0021") from None


def _paint() -> Paint:
    """Colours for a terminal, nothing elsewhere."""
    console = out()
    coloured = console.is_terminal and not console.no_color
    return (
        (lambda text, role: f"\x1b[{ANSI[role]}m{text}\x1b[0m" if ANSI.get(role) else text)
        if coloured
        else (lambda text, role: text)
    )
