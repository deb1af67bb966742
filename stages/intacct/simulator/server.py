"""The gateway on a loopback socket: HTTP's own rules and the fault plan. The simulator's front."""

from __future__ import annotations

import gzip
import socket
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC
from email.utils import format_datetime
from types import MappingProxyType, TracebackType
from typing import Any

import msgspec
from aiohttp import web
from lxml import etree

from pipeline import Clock
from stages.ap.seed.world import World
from stages.intacct.simulator import faults as wrong
from stages.intacct.simulator.edits import Edits
from stages.intacct.simulator.errors import BUSINESS, GatewayError
from stages.intacct.simulator.faults import Call, Fault, FaultKind, FaultPlan, page
from stages.intacct.simulator.gate import Gate
from stages.intacct.simulator.gateway import PATH, SECOND_PATH, Behaviour, Counts, Gateway

_LARGEST_REQUEST = 8 * 1024 * 1024
_WORTH_ZIPPING = 1400
_XML = "text/xml"
_STRICT_TYPES = frozenset({"application/xml", "text/xml"})
_TYPES = _STRICT_TYPES | {"x-intacct-xml-request", "application/x-intacct-xml-request", "application/x-www-xml"}
_TITLES = {
    500: "Internal Server Error",
    502: "Bad gateway",
    503: "Service Unavailable",
    504: "Gateway time-out",
    524: "A timeout occurred",
}


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    body: bytes
    status: int = 200
    content_type: str = _XML
    headers: dict[str, str] = {}


class IntacctSimulator(Edits):
    """A Sage Intacct XML gateway for one world, on 127.0.0.1 while entered with ``async with``.

    It is a `pipeline.Simulation`. ``port`` 0 takes a free one. Equal worlds, seeds and requests give equal replies.
    ``environment`` and ``summary`` are filled on entering.
    """

    def __init__(
        self,
        world: World,
        clock: Clock,
        *,
        faults: Iterable[Fault] = (),
        behaviour: Behaviour | None = None,
        seed: int = 1,
        port: int = 0,
    ) -> None:
        self.faults = FaultPlan(faults)
        self._behaviour = behaviour or Behaviour()
        super().__init__(Gateway(world, clock, behaviour=self._behaviour, seed=seed))
        self._clock = clock
        self._port = port
        self._runner: web.AppRunner | None = None
        self._gate = Gate(clock, self._behaviour) if self._behaviour.concurrency else None
        self.environment: Mapping[str, str] = {}
        self.summary = ""

    async def __aenter__(self) -> IntacctSimulator:
        application = web.Application(client_max_size=_LARGEST_REQUEST)
        application.on_response_prepare.append(self._date)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._port = runner.addresses[0][1]
        self._runner = runner
        self.environment = self._variables()
        tables = self._gateway.books.tables
        self.summary = (
            f"Sage Intacct at {self.url}: {len(tables['APBILL'].rows)} bills of {len(tables['VENDOR'].rows)} vendors"
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _variables(self) -> Mapping[str, str]:
        world = self._gateway.world
        return MappingProxyType(
            {
                "INTACCT_URL": self.url,
                "INTACCT_SENDER_ID": world.sender,
                "INTACCT_SENDER_PASSWORD": world.sender_password,
                "INTACCT_COMPANY_ID": world.company,
                "INTACCT_USER_ID": world.user,
                "INTACCT_TIMEZONE": self._gateway.behaviour.zone or "UTC",
                "INTACCT_USER_PASSWORD": world.user_password,
            }
        )

    # What one can see

    @property
    def url(self) -> str:
        """Where a client starts."""
        return f"http://127.0.0.1:{self._port}{PATH}"

    @property
    def counts(self) -> Counts:
        return self._gateway.counts

    def effects(self) -> Sequence[Mapping[str, Any]]:
        """What happened so far, oldest first: ``kind``, ``at`` and the facts of that kind. No secrets."""
        return tuple(self._gateway.effects.entries)

    async def _date(self, request: web.Request, response: web.StreamResponse) -> None:
        """Replies bear the date of the simulator's clock: who compares it with the session's deadline finds them to agree."""
        response.headers["Date"] = format_datetime(self._clock.now().astimezone(UTC), usegmt=True)

    # One request

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        response = await self._admit(request)
        if not response.prepared:
            response.headers["Date"] = format_datetime(self._gateway.books.now(), usegmt=True)
        return response

    async def _admit(self, request: web.Request) -> web.StreamResponse:
        if self._gate is None:
            return await self._serve(request)
        if not await self._gate.enter():
            self._gateway.effects.add("throttled")
            self.counts.throttled += 1
            return _response(_throttled(429), request)
        try:
            return await self._serve(request)
        finally:
            self._gate.leave()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.counts.requests += 1
        number = self.counts.requests
        refusal = self._refused_by_http(request)
        body = await request.read()
        if refusal is not None:
            return _response(refusal, request)
        if self._behaviour.latency_seconds:
            await self._clock.sleep(self._behaviour.latency_seconds)
        fault = self.faults.take(_call(number, body))
        if fault is None:
            return _response(self._answer(request, body), request)
        self.counts.faults += 1
        self._gateway.effects.add("fault", fault=fault.kind, request=number)
        return await self._fail(fault, request, body)

    def _refused_by_http(self, request: web.Request) -> Reply | None:
        if request.path not in {PATH, SECOND_PATH}:
            return Reply(body=page(404, "Not Found"), status=404, content_type="text/html")
        if request.method != "POST":
            return Reply(
                body=page(405, "Method Not Allowed"), status=405, content_type="text/html", headers={"Allow": "POST"}
            )
        content_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if content_type not in (_STRICT_TYPES if self._behaviour.strict_content_type else _TYPES):
            return _gateway_error(400, "GW-0014", f"Unsupported content type {content_type[:80] or '(none)'}")
        return None

    def _answer(self, request: web.Request, body: bytes, failing: GatewayError | None = None) -> Reply:
        base = f"{request.scheme}://{request.host}"
        return Reply(body=self._gateway.answer(body, path=request.path, base=base, failing=failing))

    # Faults

    async def _fail(self, fault: Fault, request: web.Request, body: bytes) -> web.StreamResponse:
        if fault.kind in _INSTEAD:
            return _response(_INSTEAD[fault.kind](fault), request)
        if fault.kind == "reset before":
            return _reset(request)
        if fault.kind == "expired session":
            self.end_sessions()
        reply = self._answer(request, body, _FAILING.get(fault.kind))
        if fault.kind == "reset after":
            return _reset(request)
        if fault.kind in {"slow", "cut"}:
            return await self._half(fault, request, reply)
        change = _CHANGED.get(fault.kind)
        return _response(change(reply, fault) if change else reply, request)

    async def _half(self, fault: Fault, request: web.Request, reply: Reply) -> web.StreamResponse:
        """The first half of the body, and then a pause or the end of the connection."""
        response = web.StreamResponse(
            headers={"Content-Type": f"{_XML}; charset=utf-8", "Content-Length": str(len(reply.body))}
        )
        await response.prepare(request)
        middle = len(reply.body) // 2
        await response.write(reply.body[:middle])
        if fault.kind == "cut":
            if request.transport is not None:
                request.transport.close()
            return response
        await self._clock.sleep(fault.seconds)
        await response.write(reply.body[middle:])
        await response.write_eof()
        return response


def _call(number: int, body: bytes) -> Call:
    """What the fault plan sees of a request; a body that cannot be read calls nothing."""
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return Call(number=number)
    inner = [element for element in root.iterfind("operation/content/function/*") if isinstance(element.tag, str)]
    return Call(
        number=number,
        functions=tuple((str(element.tag), (element.findtext("object") or "").strip().upper()) for element in inner),
        session=root.find("operation/authentication/sessionid") is not None,
    )


def _response(reply: Reply, request: web.Request) -> web.Response:
    headers = {"Content-Type": f"{reply.content_type}; charset=utf-8", **reply.headers}
    body = reply.body
    zipped = "Content-Encoding" in headers
    if not zipped and len(body) > _WORTH_ZIPPING and "gzip" in request.headers.get("Accept-Encoding", "").lower():
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, status=reply.status, headers=headers)


def _reset(request: web.Request) -> web.Response:
    """Ends the connection with a reset instead of an answer."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:  # lingering for no time makes the close a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)


def _gateway_error(status: int, errorno: str, description: str, headers: dict[str, str] | None = None) -> Reply:
    """A refusal by the gateway in front of the application: nothing but a status and one short error."""
    response = etree.Element("response")
    etree.SubElement(etree.SubElement(response, "control"), "status").text = "failure"
    error = etree.SubElement(etree.SubElement(response, "errormessage"), "error")
    etree.SubElement(error, "errorno").text = errorno
    etree.SubElement(error, "description").text = f"{description} [Request ID: 0A1B:2C_3D.4E]"
    body = b'<?xml version="1.0" encoding="UTF-8"?>\n' + etree.tostring(
        response, encoding="UTF-8", xml_declaration=False
    )
    return Reply(body=body, status=status, headers=headers or {})


def _throttled(status: int, retry_after: int | None = None) -> Reply:
    headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
    return _gateway_error(status, "GW-0010", "API rate limit exceeded", headers)


def _html(status: int) -> Reply:
    return Reply(body=page(status, _TITLES.get(status, "Error")), status=status, content_type="text/html")


def _changed_body(change: Callable[[bytes], bytes]) -> Callable[[Reply, Fault], Reply]:
    return lambda reply, _: _with_body(reply, change(reply.body))


def _with_body(reply: Reply, body: bytes) -> Reply:
    return msgspec.structs.replace(reply, body=body)


def _packed(reply: Reply, body: bytes) -> Reply:
    return msgspec.structs.replace(reply, body=body, headers={"Content-Encoding": "gzip"})


# Nothing is done, and this is the answer.
_INSTEAD: dict[FaultKind, Callable[[Fault], Reply]] = {
    "throttled": lambda fault: _throttled(429, fault.retry_after),
    "throttled in 200": lambda fault: _throttled(200, fault.retry_after),
    "invalid": lambda _: _gateway_error(400, "GW-0011", "Invalid Request"),
    "server error": lambda fault: _html(fault.status),
    "html": lambda _: Reply(body=page(200, "Just a moment..."), content_type="text/html"),
}

# The work is done, and its answer is changed.
_CHANGED: dict[FaultKind, Callable[[Reply, Fault], Reply]] = {
    "late server error": lambda _, fault: _html(fault.status),
    "empty": _changed_body(lambda _: b""),
    "truncated": _changed_body(lambda body: body[: len(body) // 2]),
    "two roots": _changed_body(lambda body: body + b"<response><control><status>success</status></control></response>"),
    "bomb": _changed_body(wrong.bomb),
    "external entity": _changed_body(wrong.external_entity),
    "not utf-8": _changed_body(wrong.not_utf8),
    "padded": lambda reply, fault: _with_body(reply, wrong.padded(reply.body, fault.size)),
    "deep": lambda reply, fault: _with_body(reply, wrong.deep(reply.body, fault.size)),
    "huge attribute": lambda reply, fault: _with_body(reply, wrong.huge_attribute(reply.body, fault.size)),
    "foreign": _changed_body(lambda _: wrong.FOREIGN),
    "gzip bomb": lambda reply, fault: _packed(reply, gzip.compress(wrong.padded(reply.body, fault.size), mtime=0)),
    "gzip cut": lambda reply, _: _packed(reply, wrong.gzip_cut(reply.body)),
    "gzip broken": lambda reply, _: _packed(reply, wrong.gzip_broken(reply.body)),
}

# Each function fails with this; nothing is done.
_FAILING: dict[FaultKind, GatewayError] = {
    "rate text in 200": GatewayError("GW-0010", "API rate limit exceeded"),
    "maintenance": GatewayError("XL03000000", "The Service is Temporarily Off-line"),
    "overload": GatewayError(BUSINESS, "The request could not be processed", correction="Please Try Again Later"),
}
