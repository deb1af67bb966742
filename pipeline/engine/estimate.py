"""What a run of a flow would take, found out by counting: nothing is read, and nothing is sent."""

from __future__ import annotations

import inspect
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from pipeline.engine.build import connect, context_for
from pipeline.engine.meter import Gauge, Meters, gauges
from pipeline.engine.services import Services, Stopping
from pipeline.flow.model import Flow, Stage
from pipeline.record import Window
from pipeline.registry import Registry
from pipeline.stage import Estimate, Estimates, Metered, Scoped
from pipeline.store.ledger import Ledger


class SourceEstimate(msgspec.Struct, frozen=True):
    """One source. ``account`` is whose calls they are, empty when nobody counts them. No estimate: the source cannot tell."""

    stage: str
    component: str
    account: str = ""
    estimate: Estimate | None = None


class FlowEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """``checks`` are the calls each run makes before it reads, by account; ``spent`` those that finding out took."""

    flow: str
    sources: list[SourceEstimate]
    checks: dict[str, int]
    spent: dict[str, int]
    gauges: list[Gauge]

    def calls(self, account: str) -> int:
        """What a run would use of the account, as far as its sources can tell."""
        reading = sum(each.estimate.calls for each in self.sources if each.account == account and each.estimate)
        return self.checks.get(account, 0) + reading


async def estimate_flow(
    flow: Flow, registry: Registry, ledger: Ledger, services: Services, window: Window
) -> FlowEstimate:
    """Signs in and asks each source. Raises `ConnectorError` as a run would at its start, or when counting fails."""
    meters = Meters(0, ledger)
    try:
        async with AsyncExitStack() as stack:
            clients = await connect(flow, registry, services, Stopping(), stack, meters)
            await meters.save()
            checks = {
                client.allowance.account: 0 for client in clients.values() if isinstance(client, Metered)
            } | meters.used
            sources = [
                await _source(flow, stage, clients.get(stage.via or ""), ledger, services, window)
                for stage in flow.stages
                if stage.verb == "source"
            ]
    finally:
        await meters.save()
    return FlowEstimate(
        flow=flow.name,
        sources=sources,
        checks=checks,
        spent=meters.used,
        gauges=[each for each in await gauges(ledger, services.clock.now()) if each.allowance.account in checks],
    )


async def _source(
    flow: Flow, stage: Stage, client: Any, ledger: Ledger, services: Services, window: Window
) -> SourceEstimate:
    assert stage.spec is not None, "a source is always a component"
    account = client.allowance.account if isinstance(client, Metered) else ""
    built = stage.spec.build(stage.settings, context_for(flow, stage.name, services, client))
    source = await built if inspect.isawaitable(built) else built
    if not isinstance(source, Estimates):
        return SourceEstimate(stage.name, stage.component, account)
    scope = source.scope if isinstance(source, Scoped) else ""
    cursor = await ledger.cursor(flow.name, stage.name, scope) if window.live else None
    return SourceEstimate(stage.name, stage.component, account, await source.estimate(window, cursor))
