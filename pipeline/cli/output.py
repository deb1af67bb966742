"""How the command speaks: data on stdout, messages and progress on stderr, tables for people, one JSON object for machines.

Colour only on a terminal and only doubling a word; never with NO_COLOR or TERM=dumb. Vendor data is never read as markup.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.errors import ConnectorError, FlowError
from pipeline.flow.findings import Finding
from pipeline.printable import legible
from pipeline.stage import CommandResult

STYLES = {"delivered": "green", "clean": "green", "ok": "green", "dead": "red", "failed": "red", "out_of_balance": "red",
          "held": "yellow", "in_doubt": "yellow", "in_flight": "yellow", "exceptions": "yellow", "stopped": "yellow", "waiting": "yellow"}  # fmt: skip
UNBOUNDED = 10_000  # columns where there is no terminal: what is piped must stay whole
GAP = "  "
NARROWEST_WRAPPED = 16


class _Legible(Console):
    """Prints texts with what a terminal could obey written out: much of what is shown was written by vendors and partners."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(_legible(one) if isinstance(one, Text) else one for one in objects), **options)


def _legible(text: Text) -> Text:
    shown = legible(text.plain, keep="\n\t")
    return text if shown == text.plain else Text(shown, style=text.style)


class _Out(_Legible):
    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError  # whoever read us has seen enough; rich would exit with 1


class _Err(_Legible):
    def on_broken_pipe(self) -> None:
        silence(sys.stderr)  # nobody listens any more, which is no reason to break off a run


def silence(stream: Any) -> None:
    """From now on what is written to the stream goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _console(kind: type[Console], stream: Any) -> Console:
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    width = None if stream.isatty() else UNBOUNDED
    return kind(file=stream, no_color=plain, highlight=False, markup=False, width=width, soft_wrap=False)


def out() -> Console:
    """The console for data. Raises `BrokenPipeError` when its reader is gone."""
    return _console(_Out, sys.stdout)


def err() -> Console:
    """The console for messages and progress."""
    return _console(_Err, sys.stderr)


def watched() -> bool:
    """Whether a person sees stderr as it happens."""
    return sys.stderr.isatty()


def on_terminal() -> bool:
    """Whether stderr is a terminal that can be written over."""
    return watched() and os.environ.get("TERM") != "dumb"


def say(text: str, style: str = "") -> None:
    """A message for people, on stderr."""
    err().print(Text(text, style=style), soft_wrap=True)


def tell(text: str, style: str = "") -> None:
    """A line of data for people, on stdout."""
    out().print(Text(text, style=style), soft_wrap=True)


def print_result(result: CommandResult, *, as_json: bool) -> None:
    """What a verb of an adapter has to say, line by line as it comes. The adapter's own lines may carry colours."""
    if as_json:
        print_json(result.json() if callable(result.json) else result.json)
        return
    for line in result.lines:
        sys.stdout.write(line + "\n")


def print_json(value: Any) -> None:
    """One JSON object on one line of stdout."""
    sys.stdout.write(msgspec.json.encode(value, enc_hook=str).decode() + "\n")


# --- words ---------------------------------------------------------------------------------------------------------------


def counted(number: int, noun: str) -> str:
    """``1 document``, ``2 documents``, ``3 deliveries``."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def joined(parts: Iterable[str], between: str = ", ") -> str:
    """Those of the parts that say something."""
    return between.join(part for part in parts if part)


def money(amount: int | None, currency: str = "") -> str:
    """Millionths of a currency as people read them: ``1,234.50 USD``. Nothing for no amount."""
    if amount is None:
        return ""
    value = Decimal(amount) / 1_000_000
    shown = f"{value:,.2f}" if value == value.quantize(Decimal("0.01")) else f"{value.normalize():,f}"
    return f"{shown} {currency}".rstrip()


def sums(amounts: Mapping[str, int]) -> str:
    """Money in several currencies; empty when there is none."""
    return joined(money(amount, currency) for currency, amount in sorted(amounts.items()) if currency)


def when(stamp: str | None) -> str:
    """A ledger time to the second, UTC."""
    return f"{stamp[:10]} {stamp[11:19]}Z" if stamp else ""


def program() -> str:
    """How this command was called, so that what we print can be copied: after the README's first command it is not on the path."""
    called = Path(sys.argv[0])
    if called.parts[-2:] == ("pipeline", "__main__.py"):
        return f"{shlex.quote(sys.executable)} -m pipeline"
    if called.name not in ("ml-connector", "mlc"):
        return "ml-connector"
    found = shutil.which(called.name)
    return called.name if found and Path(found).resolve() == called.resolve() else shlex.quote(str(called))


def suggest(command: str, comment: str = "", *, lead: str = "next:") -> None:
    """The next useful command, on stderr, where somebody reads along: a log or a script has no use for it."""
    if watched():
        say(joined([f"{lead}  {program()} {command}", comment], "     "))


# --- tables --------------------------------------------------------------------------------------------------------------


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    right: Sequence[str] = (),
    drop: Sequence[str] = (),
    wrap: Sequence[str] = (),
) -> None:
    """A table whose cells are texts, not markup; states are coloured by their word.

    Where the terminal is too narrow, the columns in ``drop`` go first, in that order, then each row becomes a few lines.
    A column in ``drop`` or ``wrap`` that says nothing in any row is left out anyway.
    Only the columns in ``wrap`` break inside a cell: ids and numbers stay whole.
    """
    console = out()
    cells = [[cell if isinstance(cell, Text) else _word(str(cell)) for cell in row] for row in rows]
    shown = _fitting(headings, cells, drop, wrap, console.width)
    if shown is None:
        for row in cells:
            _lines(console, headings, row)
        return
    grid = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for place in shown:
        name = headings[place]
        side = "right" if name in right else "left"
        grid.add_column(name, justify=side, overflow="fold", no_wrap=name not in wrap)  # type: ignore[arg-type]
    for row in cells:
        grid.add_row(*(row[place] for place in shown))
    console.print(grid)


def _word(text: str) -> Text:
    return Text(legible(text, keep="\n\t"), style=STYLES.get(text, ""))


def _fitting(
    headings: Sequence[str], cells: list[list[Text]], drop: Sequence[str], wrap: Sequence[str], width: int
) -> list[int] | None:
    """The places of the columns that fit side by side; None when even the fewest do not."""
    needed = [max([len(name), *(row[place].cell_len for row in cells)]) for place, name in enumerate(headings)]
    needed = [min(n, NARROWEST_WRAPPED) if headings[place] in wrap else n for place, n in enumerate(needed)]
    silent = {name for place, name in enumerate(headings) if not any(row[place].plain for row in cells)}
    shown = [place for place, name in enumerate(headings) if name not in silent.intersection([*drop, *wrap])]
    for name in ("", *drop):
        shown = [place for place in shown if headings[place] != name]
        if sum(needed[place] for place in shown) + len(GAP) * (len(shown) - 1) <= width:
            return shown
    return None


def _lines(console: Console, headings: Sequence[str], row: list[Text]) -> None:
    """One row over several lines: its first cell, then each other one after its heading."""
    line = row[0].copy()
    line.stylize("bold")
    for name, cell in zip(headings[1:], row[1:], strict=True):
        piece = Text(f"{name.lower()} ", style="dim").append_text(cell) if name else cell
        if not cell.plain:
            continue
        if line.cell_len + len(GAP) + piece.cell_len > console.width:
            console.print(line, soft_wrap=True)
            line = Text(GAP).append_text(piece)
        else:
            line = line.append(GAP).append_text(piece)
    console.print(line, soft_wrap=True)


# --- errors --------------------------------------------------------------------------------------------------------------


def print_error(error: ConnectorError) -> None:
    """What, where, why, mend, owner: in this order, on stderr."""
    console = err()
    head = Text("error ", style="bold red").append(f"{error.code}  ", style="cyan").append(error.what)
    console.print(head, soft_wrap=True)
    for name, value in (("where", error.where), ("why", error.why), ("mend", error.mend)):
        if value:
            console.print(Text(f"  {name:<6} {value}"), soft_wrap=True)
    if isinstance(error, FlowError):
        print_findings([finding for finding in error.findings if isinstance(finding, Finding)])
    console.print(Text(f"  owner  {error.owner}", style="dim"), soft_wrap=True)


def error_json(error: ConnectorError) -> dict[str, Any]:
    """An error as ``mlc.error/1``."""
    findings = (
        [finding_json(f) for f in error.findings if isinstance(f, Finding)] if isinstance(error, FlowError) else []
    )
    return {
        "schema": "mlc.error/1", "code": error.code, "what": error.what, "where": error.where, "why": error.why, "mend": error.mend,
        "owner": error.owner, "exit": error.exit_code, **({"findings": findings} if findings else {}),
    }  # fmt: skip


def print_findings(findings: Sequence[Finding]) -> None:
    """Each finding on its line, as editors and compilers write them."""
    for finding in findings:
        style = "red" if finding.severity == "error" else "yellow"
        err().print(Text(f"{finding.severity} ", style=style).append(str(finding)), soft_wrap=True)


def finding_json(finding: Finding) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.to_builtins(finding)
    return value
