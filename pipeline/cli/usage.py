"""How the meter is shown: what each account has used this month, of how many calls, and where that leads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.cli.output import counted, say, table
from pipeline.engine.meter import Gauge


def print_gauges(gauges: Sequence[Gauge]) -> None:
    """A table of accounts, and in words which of them will use more than is paid for."""
    rows = [
        [
            gauge.allowance.account,
            counted(gauge.used, gauge.allowance.unit),
            f"{gauge.allowance.calls:,}" if gauge.allowance.calls else "",
            f"{gauge.run_used:,} in r-{gauge.run}" if gauge.run else "",
            f"{gauge.forecast:,}",
        ]
        for gauge in gauges
    ]
    headings = ["ACCOUNT", "THIS MONTH", "PAID FOR", "LAST RUN", "BY ITS END"]
    table(headings, rows, right=["PAID FOR", "BY ITS END"], drop=["LAST RUN", "PAID FOR"])
    for gauge in gauges:
        if gauge.level != "ok":
            say(warning(gauge), "yellow")


def warning(gauge: Gauge) -> str:
    """What an account that comes near its allowance, or goes over it, is told."""
    paid = gauge.allowance
    part = "more than" if gauge.level == "over" else f"more than {paid.warn_percent} % of"
    return (
        f"{paid.account}: at this pace about {counted(gauge.forecast, paid.unit)} this month, {part} the {paid.calls:,} that are paid"
        " for; other integrations of this account come on top"
    )


def gauge_json(gauge: Gauge) -> dict[str, Any]:
    """A member of ``meters`` in ``mlc.status/1``."""
    paid = gauge.allowance
    return {
        "account": paid.account, "unit": paid.unit, "month": gauge.month.isoformat()[: len("2026-11")], "used": gauge.used,
        "allowance": paid.calls or None, "forecast": gauge.forecast, "level": gauge.level,
        "last_run": {"run": f"r-{gauge.run}", "used": gauge.run_used} if gauge.run else None,
    }  # fmt: skip
