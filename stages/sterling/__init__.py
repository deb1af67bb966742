"""The adapter of IBM Sterling B2B Integrator: trading partners and mailboxes through its B2B REST APIs."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from pipeline import Adapter, ConnectionSpec, Context, Simulation, SimulatorOptions, SimulatorSpec, StageSpec
from stages.sterling import mailbox_view
from stages.sterling.client import SterlingClient, connect
from stages.sterling.config import PartnerSettings, SterlingConfig, checked_partners
from stages.sterling.mailbox_sink import MailboxSink
from stages.sterling.partner_sink import PartnerSink


def _partners(settings: PartnerSettings | None, context: Context) -> PartnerSink:
    return PartnerSink(context.connection, checked_partners(settings or PartnerSettings()), context.ids)


def _mailbox(settings: None, context: Context) -> MailboxSink:
    return MailboxSink(context.connection)


async def _check(client: SterlingClient) -> None:
    await client.check()
    await mailbox_view.check(client)


def _simulator(options: SimulatorOptions) -> AbstractAsyncContextManager[Simulation]:
    # The simulator is a server: loaded only by those who start it.
    from stages.sterling.simulator import start_simulator

    return start_simulator(options)


ADAPTER = Adapter(
    name="sterling",
    stages=(
        StageSpec(
            name="sterling.partners",
            verb="sink",
            exactly_once=True,
            build=_partners,
            config=PartnerSettings,
            connection="sterling",
            doc="Makes trading partners in Sterling equal to their wanted state, matched by code.",
        ),
        StageSpec(
            name="sterling.mailbox",
            verb="sink",
            exactly_once=True,
            build=_mailbox,
            connection="sterling",
            doc="Puts documents into partners' mailboxes, each exactly once.",
        ),
    ),
    connections=(
        ConnectionSpec(
            name="sterling",
            config=SterlingConfig,
            open=connect,
            check=_check,
            doc="IBM Sterling B2B Integrator through its B2B REST APIs (/B2BAPIs/svc).",
        ),
    ),
    simulator=SimulatorSpec(name="sterling", start=_simulator),
)
