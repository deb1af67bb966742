"""How the meter is shown: what each account has used this month and where that leads, and what a run would use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio.to_thread

from pipeline.cli.execute import store_url
from pipeline.cli.output import counted, joined, say, table, tell
from pipeline.clock import SystemClock
from pipeline.engine.estimate import FlowEstimate
from pipeline.engine.meter import Gauge, Meters
from pipeline.errors import ConnectorError
from pipeline.store import Ledger, is_current, open_ledger
from pipeline.store.ledger import store_path


@asynccontextmanager
async def counting() -> AsyncIterator[Meters]:
    """Counts the calls of a command that only looks, into the ledger: when there is one, and as it is. What cannot be counted is said."""
    async with AsyncExitStack() as stack:
        problem: ConnectorError | None = None
        try:
            meters = Meters(0, await _ledger(stack))
        except ConnectorError as error:
            meters, problem = Meters(), error
        try:
            yield meters
        finally:
            try:
                await meters.save()
            except ConnectorError as error:
                problem = error
            if problem is not None and meters.unsaved:
                say(f"{counted(meters.unsaved, 'call')} could not be counted in the meter: {problem.what}", "yellow")


async def _ledger(stack: AsyncExitStack) -> Ledger | None:
    """The ledger, when it is there and of this version."""
    if not await anyio.to_thread.run_sync(is_current, store_path(store_url())):
        return None
    return await stack.enter_async_context(open_ledger(store_url(), SystemClock()))


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


def print_estimate(found: FlowEstimate) -> None:
    """Source by source what a run would take, and what that means for each account."""
    rows = [
        [each.stage, *(_numbers(each.estimate.records, each.estimate.pages, each.estimate.calls) if each.estimate else ("?", "?", "?")),
         each.account, each.estimate.note if each.estimate else "cannot tell beforehand"]
        for each in found.sources
    ]  # fmt: skip
    headings = ["SOURCE", "RECORDS", "PAGES", "CALLS", "ACCOUNT", "RESTS ON"]
    table(headings, rows, right=["RECORDS", "PAGES", "CALLS"], wrap=["RESTS ON"], drop=["ACCOUNT", "RESTS ON"])
    for gauge in found.gauges:
        tell(_meaning(found, gauge))
    spent = [f"{used:,} of {account}" for account, used in sorted(found.spent.items())]
    say(joined(["nothing was read or sent", f"finding out took {joined(spent)}" if spent else ""], "; "))


def _numbers(*numbers: int) -> tuple[str, ...]:
    return tuple(f"{number:,}" for number in numbers)


def _meaning(found: FlowEstimate, gauge: Gauge) -> str:
    """``Books ACME: a run would take about 58 calls, the check at its start included; 1,204 of 100,000 are used this month``."""
    paid = gauge.allowance
    take = f"{paid.account}: a run would take about {counted(found.calls(paid.account), paid.unit)}, the check at its start included"
    return f"{take}; {gauge.used:,}{f' of {paid.calls:,}' if paid.calls else ''} are used this month"


def estimate_json(found: FlowEstimate) -> dict[str, Any]:
    """The object ``mlc.estimate/1``."""
    return {
        "schema": "mlc.estimate/1",
        "flow": found.flow,
        "sources": [
            {
                "stage": each.stage, "component": each.component, "account": each.account or None,
                "records": each.estimate.records if each.estimate else None, "pages": each.estimate.pages if each.estimate else None,
                "calls": each.estimate.calls if each.estimate else None, "note": each.estimate.note if each.estimate else "",
            }
            for each in found.sources
        ],
        "accounts": [
            {"account": gauge.allowance.account, "calls": found.calls(gauge.allowance.account), "meter": gauge_json(gauge)} for gauge in found.gauges
        ],
        "spent": [{"account": account, "calls": used} for account, used in sorted(found.spent.items())],
    }  # fmt: skip
