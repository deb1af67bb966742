"""The listening server: one request in, faults applied, one answer out. The only module here that knows sockets."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from aiohttp import web

from pipeline import Clock
from stages.ap.seed.world import World
from stages.sterling.simulator import records, seeding
from stages.sterling.simulator.accounts import Permissions, UserAccounts, UserGroups, UserVirtualRoots
from stages.sterling.simulator.code_lists import CodeListCodes, CodeLists
from stages.sterling.simulator.collection import Call, Collection
from stages.sterling.simulator.conventions import KEPT, timestamp
from stages.sterling.simulator.entities import Message
from stages.sterling.simulator.faults import Fault, Faults
from stages.sterling.simulator.file_gateway import (
    ArrivedFiles,
    ChannelDuplicateChecks,
    Deliveries,
    DeliveryTests,
    FileGateway,
    GeneratedPasswords,
    PartnerTests,
    Routes,
)
from stages.sterling.simulator.hub import Hub
from stages.sterling.simulator.mailboxes import MailboxContents, Mailboxes
from stages.sterling.simulator.messages import Documents, MailboxMessages, MessageBatches
from stages.sterling.simulator.monitors import WorkflowMonitors
from stages.sterling.simulator.partners import Communities, PartnerGroups, RoutingChannels, TradingPartners
from stages.sterling.simulator.routing import RoutingRules
from stages.sterling.simulator.signin import SignIn, unauthorized
from stages.sterling.simulator.switches import Switches
from stages.sterling.simulator.wire import (
    HTML_TYPE,
    ApiError,
    ContainerError,
    Raw,
    Target,
    html_page,
    media_types,
    read_target,
    render,
    render_error,
    wants_xml,
)
from stages.sterling.simulator.workflows import Schedules, Workflows

COLLECTIONS: tuple[type[Collection], ...] = (
    TradingPartners,
    Communities,
    RoutingChannels,
    RoutingRules,
    CodeLists,
    CodeListCodes,
    Workflows,
    Schedules,
    Mailboxes,
    MailboxContents,
    MailboxMessages,
    Documents,
    MessageBatches,
    UserAccounts,
    UserGroups,
    Permissions,
    UserVirtualRoots,
    PartnerGroups,
    WorkflowMonitors,
    ArrivedFiles,
    Routes,
    Deliveries,
    DeliveryTests,
    PartnerTests,
    GeneratedPasswords,
    ChannelDuplicateChecks,
    *records.collections(),
)
_LOGGED_REQUESTS = 10_000
SETTLE = 0.2  # seconds; where nothing appears late a doubt may be looked up at once


class _Dropped(Exception):
    """The connection was torn down by a fault; there is nobody to answer."""


class SterlingSimulator:
    """A server seeded from a world. ``async with simulator.listen():`` opens it on 127.0.0.1 and closes it.

    ``faults`` is its fault plan; ``effects()`` what took effect, in order; ``requests`` the latest requests as
    ``(line, status)``, status 0 for a torn connection.
    """

    def __init__(self, world: World, clock: Clock, *, switches: Switches | None = None, port: int = 0) -> None:
        self.switches = switches or Switches()
        self.faults = Faults()
        self.requests: deque[tuple[str, int]] = deque(maxlen=_LOGGED_REQUESTS)
        self.hub = Hub(clock, extractions=self.switches.extractions, purge_after=self.switches.purge_after)
        self.sign_in = SignIn(self.hub, self.switches, world.sterling_user)
        self._world = world
        self._clock = clock
        self._port = port
        self._collections: dict[str, Collection] = {}
        self._late: set[asyncio.Task[None]] = set()
        seeding.seed(self.hub, world)
        self.watch(FileGateway(self.hub).arrived)
        self._describe()

    # --- what tests and the command see -----------------------------------------------------------------------------

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """The whole prefix, as a client is configured with it."""
        return self.origin + self.switches.prefix

    def effects(self) -> Sequence[Mapping[str, Any]]:
        """What took effect since the start, in order; seeding is not among it."""
        return tuple(self.hub.effects)

    def messages(self, path: str) -> list[Message]:
        """The messages now in a mailbox, in order of arrival. KeyError when there is no such mailbox."""
        return [self.hub.messages[number] for number in self.hub.paths[path].messages]

    def payload(self, message: int | str) -> bytes:
        """The content of a message by its id. KeyError when it is gone."""
        return self.hub.messages[int(message)].document.payload

    def deposit(self, path: str, name: str, payload: bytes) -> int:
        """A partner drops a file into a mailbox (an acknowledgement, say). The message's id. KeyError without that mailbox."""
        mailbox = self.hub.paths[path]
        return self.hub.add_message(mailbox, name, self.hub.add_document(name, payload)).id

    def consume(self, message: int | str) -> None:
        """A routing rule takes a message away, as on a hub that processes what arrives. KeyError when it is gone."""
        self.hub.remove_message(self.hub.messages[int(message)], "message.consumed")

    def evaluate_rules(self) -> int:
        """The scheduled service runs once, as it does every minute where somebody has enabled its schedule; how often a process was started."""
        return self.hub.evaluate_automatic()

    def watch(self, callback: Callable[[Message], None]) -> None:
        """Calls back, synchronously, with each message that arrives from now on."""
        self.hub.watchers.append(callback)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[SterlingSimulator]:
        """Serves until the block ends; held responses are released then."""
        application = web.Application(client_max_size=self.switches.max_body)
        application.router.add_route("*", "/{tail:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", self._port)
            await site.start()
            self._port = runner.addresses[0][1]
            self._describe()
            base = (self.switches.location_base or self.origin) + self.switches.prefix
            self._collections = {kind.name: kind(self.hub, self.switches, base) for kind in COLLECTIONS}
            yield self
        finally:
            self.faults.clear()
            for task in list(self._late):
                task.cancel()
            await runner.cleanup()

    def _describe(self) -> None:
        """Sets ``environment``, the variables that point the shipped flows here, and ``summary``."""
        oauth = self.switches.oauth
        key = self.switches.header_key
        settle = f"{round((SETTLE + self.switches.lag) * 1000)}ms"
        variables = {"STERLING_URL": self.url, "STERLING_SETTLE": settle, "STERLING_USER": "", "STERLING_PASSWORD": ""}
        if self.sign_in.takes_basic and key is None:
            world = self._world
            variables |= {"STERLING_USER": world.sterling_user, "STERLING_PASSWORD": world.sterling_password}
        if key is not None:
            variables |= {"STERLING_KEY_HEADER": key.name, "STERLING_KEY": key.value}
        if oauth is not None:
            variables |= {"STERLING_TOKEN_URL": self.origin + oauth.path}
            variables |= {"STERLING_CLIENT_ID": oauth.client_id, "STERLING_CLIENT_SECRET": oauth.client_secret}
        self.environment: Mapping[str, str] = variables
        boxes = len(self.hub.mailboxes) - 1  # without the root
        self.summary = f"Sterling B2B Integrator at {self.url}: {boxes} mailboxes, account {self._world.sterling_user}"

    # --- one request ------------------------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        line = request.method
        try:
            target = read_target(request.method, request.raw_path)
            line = self._line(target)
            faults = self.faults.take(line)
            raw = await self._carry_out(request, target, faults)
            self.requests.append((line, raw.status))
            return await self._write(request, target, raw, faults)
        except ApiError as error:
            raw = render_error(error)
        except _Dropped:
            self.requests.append((line, 0))
            return web.Response()  # goes nowhere
        self.requests.append((line, raw.status))
        return _response(raw, raw.body)

    def _line(self, target: Target) -> str:
        """What fault plans match: the method and the path below the prefix, the collection in lower case."""
        below = self._below(target)
        if below is None:
            return (
                f"{target.method} token" if self._is_token(target) else f"{target.method} /{'/'.join(target.segments)}"
            )
        return f"{target.method} {'/'.join([*(part.lower() for part in below[:1]), *below[1:]])}"

    def _below(self, target: Target) -> tuple[str, ...] | None:
        prefix = tuple(part for part in self.switches.prefix.split("/") if part)
        inside = target.segments[: len(prefix)] == prefix
        return target.segments[len(prefix) :] if inside else None

    def _is_token(self, target: Target) -> bool:
        oauth = self.switches.oauth
        return oauth is not None and "/" + "/".join(target.segments) == oauth.path

    async def _carry_out(self, request: web.Request, target: Target, faults: list[Fault]) -> Raw:
        body = await self._body(request)
        for fault in faults:
            if not fault.after:
                refused = await self._before(request, fault)
                if refused is not None:
                    return refused
        late = next((fault for fault in faults if fault.kind == "late"), None)
        if late is not None:
            return self._put_off(request, target, body, faults, late.seconds)
        self.hub.tick()
        raw = self._answer(request, target, body, faults)
        for fault in faults:
            raw = await self._after(request, fault, raw)
        return raw

    def _put_off(self, request: web.Request, target: Target, body: bytes, faults: list[Fault], seconds: float) -> Raw:
        """A router gives up on a call that goes on behind it."""

        async def go_on() -> None:
            await self._clock.sleep(seconds)
            self._answer(request, target, body, faults)

        task = asyncio.get_running_loop().create_task(go_on())
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return Raw(504, html_page(504, "the server did not answer in time"), HTML_TYPE)

    async def _body(self, request: web.Request) -> bytes:
        try:
            return await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise ContainerError(413, "the request body is too large") from error

    def _answer(self, request: web.Request, target: Target, body: bytes, faults: list[Fault]) -> Raw:
        """The plain answer, refusals included. Synchronous: an effect happens as a whole or not at all."""
        xml = False
        try:
            header = request.headers.get("Authorization")
            content_type = target.query.get("_contentType") or request.headers.get("Content-Type") or ""
            if self._is_token(target):
                return self.sign_in.token(request.method, header, content_type, body)
            below = self._below(target)
            if below is None:
                raise ContainerError(404, "no such application")
            account = self.sign_in.account(request.headers, target.method)
            collection, rest = self._route(below)
            self.sign_in.permit(account, target.method, collection.name)
            asked = target.query.get("_accept")
            accept = media_types([asked] if asked else request.headers.getall("Accept", []))
            xml = wants_xml(accept, collection.media)
            at = timestamp(self._clock.now(), self.switches.clock_skew)
            ignored = frozenset() if self.switches.refuse_links else frozenset(KEPT)
            call = Call(target.method, rest, target.query, account, body, content_type, accept, at, ignored)
            self._bend(call, faults)
            return render(collection.answer(call), xml=xml)
        except ApiError as error:
            return render_error(error, xml=xml)

    def _route(self, below: tuple[str, ...]) -> tuple[Collection, tuple[str, ...]]:
        if not below:
            raise ContainerError(404, "no such resource")
        spelled = (below[0], *below[2:])  # ids keep their case, collections and actions are matched without it
        collection = self._collections.get(below[0].lower())
        if collection is None or (self.switches.lower_case_only and any(part != part.lower() for part in spelled)):
            raise ContainerError(404, "no such resource")
        return collection, below[1:]

    def _bend(self, call: Call, faults: list[Fault]) -> None:
        """What the server's lag and a fault plan wish of a list."""
        if self.switches.lag:
            call.created_by = self._clock.now() - timedelta(seconds=self.switches.lag)
        for fault in faults:
            if fault.kind == "hidden" and fault.seconds > self.switches.lag:
                call.created_by = self._clock.now() - timedelta(seconds=fault.seconds)
            elif fault.kind == "shifted":
                call.shift = fault.rows
            elif fault.kind == "repeated":
                call.repeat = fault.rows
            elif fault.kind == "partial":
                call.lacking = fault.lacking

    # --- faults -----------------------------------------------------------------------------------------------------

    async def _before(self, request: web.Request, fault: Fault) -> Raw | None:
        """Acts before the effect; an answer means that nothing will take effect."""
        if fault.kind == "latency":
            await self._clock.sleep(fault.seconds)
        elif fault.kind == "reset":
            raise _drop(request)
        elif fault.kind == "maintenance":
            return self._maintenance(fault)
        return _refusal(fault)

    def _maintenance(self, fault: Fault) -> Raw | None:
        fault.began = fault.began or self._clock.now()
        over = self._clock.now() >= fault.began + timedelta(seconds=fault.seconds)
        return None if over else Raw(503, html_page(503, "the system is down for maintenance"), HTML_TYPE)

    async def _after(self, request: web.Request, fault: Fault, raw: Raw) -> Raw:
        """Acts between the effect and its answer."""
        fault.reached.set()
        if fault.on_effect is not None:
            waiting = fault.on_effect()
            if inspect.isawaitable(waiting):
                await waiting
        if fault.kind == "hold":
            await fault.release.wait()
        elif fault.after and fault.kind == "latency":
            await self._clock.sleep(fault.seconds)
        elif fault.after and fault.kind == "reset":
            raise _drop(request)
        elif fault.kind == "truncated":
            raw.body = raw.body[: len(raw.body) // 2]
        return (_refusal(fault) or raw) if fault.after else raw

    async def _write(self, request: web.Request, target: Target, raw: Raw, faults: list[Fault]) -> web.StreamResponse:
        if any(fault.kind == "cut" for fault in faults):
            response = web.StreamResponse(status=raw.status, headers={"Content-Type": raw.content_type})
            response.content_length = len(raw.body)
            await response.prepare(request)
            await response.write(raw.body[: len(raw.body) // 2])
            raise _drop(request)
        response = _response(raw, b"" if target.method == "HEAD" and request.method != "HEAD" else raw.body)
        if self.switches.compress:
            response.enable_compression()
        return response


def _response(raw: Raw, body: bytes) -> web.Response:
    return web.Response(status=raw.status, body=body, headers={**raw.headers, "Content-Type": raw.content_type})


def _drop(request: web.Request) -> _Dropped:
    if request.transport is not None:
        request.transport.abort()
    return _Dropped()


def _refusal(fault: Fault) -> Raw | None:
    """The answer of the refusing kinds of fault; None for all others."""
    if fault.kind == "null_pointer":
        return render_error(ApiError(400, "java.lang.NullPointerException"))
    if fault.kind == "refused":
        return render_error(ApiError(400, "Validation failed: the value of messageName is not valid."))
    if fault.kind == "unauthorized":
        return render_error(unauthorized("authentication failed"))
    if fault.kind == "throttled":
        return render_error(
            ContainerError(429, "too many requests", headers={"Retry-After": str(max(1, round(fault.seconds)))})
        )
    statuses = {"unavailable": 503, "server_error": fault.status or 500, "html": fault.status or 200}
    status = statuses.get(fault.kind)
    return None if status is None else Raw(status, html_page(status, "the page you get instead"), HTML_TYPE)
