"""How the command speaks: data on stdout, messages and progress on stderr, tables for people, one JSON object for machines.

Colour only on a terminal and only doubling a word; never with NO_COLOR or TERM=dumb. Vendor data is never read as markup.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.errors import ConnectorError, FlowError
from pipeline.flow.findings import Finding

STYLES = {"delivered": "green", "clean": "green", "ok": "green", "dead": "red", "failed": "red", "out_of_balance": "red",
          "held": "yellow", "in_doubt": "yellow", "in_flight": "yellow", "exceptions": "yellow", "waiting": "yellow"}  # fmt: skip


def _console(stream: Any) -> Console:
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    # rich wraps at 80 columns where there is no terminal; piped tables must stay whole.
    width = None if stream.isatty() else 220
    return Console(file=stream, no_color=plain, highlight=False, markup=False, width=width, soft_wrap=False)


def out() -> Console:
    """The console for data."""
    return _console(sys.stdout)


def err() -> Console:
    """The console for messages and progress."""
    return _console(sys.stderr)


def on_terminal() -> bool:
    """Whether a person sees stderr as it happens."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def print_json(value: Any) -> None:
    """One JSON object on one line of stdout."""
    sys.stdout.write(msgspec.json.encode(value, enc_hook=str).decode() + "\n")


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """A table whose cells are texts, not markup; states are coloured by their word."""
    grid = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for heading in headings:
        grid.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(str(cell), style=STYLES.get(str(cell), "")) for cell in row))
    out().print(grid)


def money(amount: int | None, currency: str) -> str:
    """Millionths of a currency as people read them: ``1,234.50 USD``."""
    if amount is None:
        return ""
    value = Decimal(amount) / 1_000_000
    shown = f"{value:,.2f}" if value == value.quantize(Decimal("0.01")) else f"{value:,}"
    return f"{shown} {currency}".rstrip()


def when(stamp: str | None) -> str:
    """A ledger time to the second, UTC."""
    return f"{stamp[:10]} {stamp[11:19]}Z" if stamp else ""


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


def say(text: str, style: str = "") -> None:
    """A message for people, on stderr."""
    err().print(Text(text, style=style), soft_wrap=True)


def tell(text: str, style: str = "") -> None:
    """A line of data for people, on stdout."""
    out().print(Text(text, style=style), soft_wrap=True)
