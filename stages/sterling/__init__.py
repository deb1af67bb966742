"""The adapter of IBM Sterling B2B Integrator: trading partners and mailboxes through its B2B REST APIs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from msgspec import structs

from pipeline import (
    Adapter,
    ConfigError,
    ConnectionSpec,
    Context,
    Destination,
    Finding,
    Simulation,
    SimulatorOptions,
    SimulatorSpec,
    StageSpec,
    Tell,
)
from stages.ap.partners import Isa, Partner, load_partners, partners_folder, required_partners
from stages.sterling import mailbox_view
from stages.sterling.apis import SterlingClient, connect
from stages.sterling.commands import QUERIES
from stages.sterling.config import MailboxSettings, PartnerSettings, ResourceSettings, SterlingConfig, checked_partners
from stages.sterling.doctor import (
    diagnose_connection,
    diagnose_mailbox_sink,
    diagnose_mailbox_source,
    diagnose_partners,
)
from stages.sterling.mailbox_sink import MailboxSink
from stages.sterling.mailbox_source import MailboxSource
from stages.sterling.partner_sink import PartnerSink
from stages.sterling.protocol import addresses
from stages.sterling.protocol.own import Sender
from stages.sterling.provision import no_rules
from stages.sterling.resource_source import ResourceSource
from stages.sterling.route import (
    ListRouteSettings,
    build_list_route,
    diagnose_list_route,
    lint_list_route,
    list_route_destinations,
)
from stages.sterling.taking import Box


async def _partners(settings: PartnerSettings | None, context: Context) -> PartnerSink:
    """Raises `ConfigError` for a rule that this Sterling cannot have, before anything is read: else each partner would fail by itself."""
    client: SterlingClient = context.connection
    settings = checked_partners(settings or PartnerSettings(), client.config.self_account)
    if settings.rule.action and await client.lacks("routingrules"):
        raise no_rules()
    return PartnerSink(client, settings, context.ids, context.note)


def _mailbox(settings: None, context: Context) -> MailboxSink:
    return MailboxSink(context.connection)


def _mailbox_source(settings: MailboxSettings | None, context: Context) -> MailboxSource:
    settings = settings or MailboxSettings()
    boxes, senders = _boxes(settings, context), _senders(settings, context)
    return MailboxSource(context.connection, settings, boxes, context.recall, senders)


async def _diagnose_mailbox_source(
    settings: MailboxSettings | None, context: Context, destinations: Sequence[Destination], tell: Tell
) -> None:
    await diagnose_mailbox_source(_boxes(settings or MailboxSettings(), context), context, tell)


def _boxes(settings: MailboxSettings, context: Context) -> list[Box]:
    boxes = [Box(addresses.mailbox_path(path, "of the flow")) for path in settings.mailboxes]
    if settings.partners:
        boxes += _answer_boxes(settings.partners, context)
    if not boxes:
        raise ConfigError(
            "There is no mailbox to read",
            where=f"stage {context.stage}",
            why="It names neither mailboxes nor a folder of partner files.",
            mend="Set `mailboxes` or `partners` under `with`.",
            owner="EDI desk",
            code="MLC-STL-0334",
        )
    return boxes


def _senders(settings: MailboxSettings, context: Context) -> set[Sender]:
    """Who we are in interchanges, by the partner files; not an identity that a partner has as well, as where a company sends to itself."""
    if not settings.partners:
        return set()
    partners = required_partners(settings.partners, context.folder, context.environment).all
    return {_sender(one.us.isa) for one in partners} - {_sender(one.identity.isa) for one in partners}


def _sender(isa: Isa) -> Sender:
    return isa.qualifier.strip().upper(), isa.id.strip().upper()


def _resource_source(settings: ResourceSettings, context: Context) -> ResourceSource:
    return ResourceSource(context.connection, settings)


def _answer_boxes(setting: str, context: Context) -> list[Box]:
    """Where the partners answer, one mailbox or more of them in one. One that only the default names may be missing."""
    partners = required_partners(setting, context.folder, context.environment)
    boxes: dict[str, Box] = {}
    one_party = _one_party(partners.all)
    for partner in partners.all:
        path = addresses.mailbox_path(partner.answers_mailbox, partner.code)
        shared = boxes.get(path.casefold())
        must = bool(partner.acknowledgement.mailbox) or (shared is not None and shared.must)
        sharing = shared.partners if shared is not None else ()
        also = (*(shared.also if shared is not None else ()), *one_party[_sender(partner.identity.isa)])
        boxes[path.casefold()] = Box(path, (*sharing, partner.code), must, also)
    return [structs.replace(box, also=_others(box)) for box in boxes.values()]


def _one_party(partners: Iterable[Partner]) -> dict[Sender, list[str]]:
    """All codes, of now and before, by the ISA identity in their files: whoever has it may speak for each of them."""
    codes: dict[Sender, list[str]] = {}
    for partner in partners:
        codes.setdefault(_sender(partner.identity.isa), []).extend((partner.code, *partner.trading_partner.formerly))
    return codes


def _others(box: Box) -> tuple[str, ...]:
    return tuple(code for code in dict.fromkeys(box.also) if code not in box.partners)


def _lint_mailbox(settings: MailboxSettings | None, folder: Path, environment: Mapping[str, str]) -> list[Finding]:
    if settings is None or not settings.partners:
        return []
    return load_partners(partners_folder(settings.partners, folder, environment))[1]


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
            compares=True,
            build=_partners,
            config=PartnerSettings,
            connection="sterling",
            diagnose=diagnose_partners,
            doc="Makes trading partners in Sterling equal to their wanted state, matched by code.",
        ),
        StageSpec(
            name="sterling.mailbox",
            verb="sink",
            exactly_once=True,
            build=_mailbox,
            connection="sterling",
            diagnose=diagnose_mailbox_sink,
            doc="Puts documents into partners' mailboxes, each exactly once.",
        ),
        StageSpec(
            name="sterling.mailbox",
            verb="source",
            build=_mailbox_source,
            config=MailboxSettings,
            connection="sterling",
            lint=_lint_mailbox,
            diagnose=_diagnose_mailbox_source,
            doc="Reads the messages that partners left in mailboxes, each with its content.",
        ),
        StageSpec(
            name="sterling.resource",
            verb="source",
            build=_resource_source,
            config=ResourceSettings,
            connection="sterling",
            doc="Reads any collection of Sterling: workflows, schedules, routing rules, documents and all others.",
        ),
        StageSpec(
            name="sterling.route",
            verb="map",
            build=build_list_route,
            config=ListRouteSettings,
            connection="sterling",
            lint=lint_list_route,
            destinations=list_route_destinations,
            diagnose=diagnose_list_route,
            doc="As ap.route, by rules that stand in a code list of Sterling.",
        ),
    ),
    connections=(
        ConnectionSpec(
            name="sterling",
            config=SterlingConfig,
            open=connect,
            check=_check,
            diagnose=diagnose_connection,
            title=lambda config: f"Sterling ({config.server.partition('/')[0]})",
            doc="IBM Sterling B2B Integrator through its B2B REST APIs (/B2BAPIs/svc).",
        ),
    ),
    queries=QUERIES,
    simulator=SimulatorSpec(name="sterling", profiles=("plain", "awkward", "tokens", "gateway"), start=_simulator),
)
