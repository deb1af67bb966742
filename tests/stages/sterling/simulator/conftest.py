"""A tiny world, a server over it, and a caller that writes its requests by hand."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from yarl import URL

from pipeline.testing import ManualClock
from stages.ap.seed.world import SeedPartner, World
from stages.sterling.simulator import SterlingSimulator, Switches

START = datetime(2024, 1, 31, 9, 15, 2, tzinfo=UTC)


@dataclass
class Got:
    """An answer as it came: ``body`` parsed when it is JSON, else text."""

    status: int
    headers: Any
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def error(self) -> str:
        return self.body["errorDescription"]

    @property
    def id(self) -> str:
        """The id at the end of Location."""
        return self.body["Location"].rsplit("/", 1)[1]


class Caller:
    """Sends requests below the prefix as the connector's account, or as whoever ``headers`` say."""

    def __init__(self, session: aiohttp.ClientSession, simulator: SterlingSimulator) -> None:
        self.session = session
        self.simulator = simulator

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        url: str = "",
        user: str = "",
    ) -> Got:
        sent = {"Authorization": self.basic(user), "Accept": "application/json", **(headers or {})}
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        target = URL((url or self.simulator.url) + path, encoded=True)
        sent = {name: value for name, value in sent.items() if value}
        async with self.session.request(
            method, target, data=body, headers=sent, skip_auto_headers=["Content-Type"]
        ) as reply:
            return Got(reply.status, reply.headers, await reply.read())

    def basic(self, user: str = "") -> str:
        name = user or self.simulator.sign_in.gateway_user
        pair = f"{name}:{self.simulator.hub.accounts[name].password}"
        return "Basic " + base64.b64encode(pair.encode()).decode()


Serve = Callable[..., AbstractAsyncContextManager[Caller]]


@pytest.fixture
def world() -> World:
    partners = tuple(
        SeedPartner(code=code, name=code.title(), vendors=(f"V-{code}",), mailbox=f"/{code}/Inbound")
        for code in ("RIVERBEND", "OCEANIC")
    )
    return World(
        company="HARBORVALE",
        company_name="Harborvale Foods",
        sender="sender",
        sender_password="sender-secret",
        user="user",
        user_password="user-secret",
        entities=(),
        vendors=(),
        bills=(),
        purchases=(),
        partners=partners,
        sterling_user="apconnector",
        sterling_password="Conn3ctor-pass",
        now=START,
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def serve(world: World, clock: ManualClock) -> Serve:
    """``async with serve(name_limit=100) as call:`` opens a server with these switches; ``call.simulator`` is it."""

    @asynccontextmanager
    async def open_server(**switches: Any) -> AsyncIterator[Caller]:
        simulator = SterlingSimulator(world, clock, switches=Switches(**switches))
        async with simulator.listen(), aiohttp.ClientSession() as session:
            yield Caller(session, simulator)

    return open_server


PARTNER = {
    "partnerName": "V00123",
    "code": "V-00123",
    "community": "AP_VENDORS",
    "username": "v00123",
    "password": "Gen3rated!",
    "authenticationType": "Local",
    "givenName": "AP",
    "surname": "V00123",
    "emailAddress": "edi@vendor.example",
    "phone": "0000000000",
    "postalCode": "00000",
    "countryOrRegion": "US",
    "timeZone": "-05",
    "isInitiatingConsumer": True,
    "isInitiatingProducer": True,
    "isListeningConsumer": False,
    "isListeningProducer": False,
    "doesUseSSH": False,
}


@pytest.fixture
def partner() -> Callable[..., dict[str, Any]]:
    """The body of a complete partner; ``partner(phone=None)`` changes members, None leaves them out."""

    def body(**changes: Any) -> dict[str, Any]:
        return {name: value for name, value in {**PARTNER, **changes}.items() if value is not None}

    return body


def multipart(*parts: tuple[str, str | None, bytes], boundary: str = "b") -> bytes:
    lines: list[bytes] = []
    for name, filename, content in parts:
        file = "" if filename is None else f'; filename="{filename}"'
        lines += [f"--{boundary}\r\n".encode(), f'Content-Disposition: form-data; name="{name}"{file}\r\n'.encode()]
        lines += [b"Content-Type: application/edi-x12\r\n" if filename is not None else b"", b"\r\n", content, b"\r\n"]
    return b"".join([*lines, f"--{boundary}--\r\n".encode()])


@pytest.fixture
def batch() -> Callable[..., bytes]:
    """``batch(name, payload, path)`` is a hand-made multipart body with boundary ``b``."""

    def body(name: str = "810_0001.edi", payload: bytes = b"ISA*00*", path: str = "/RIVERBEND/Inbound") -> bytes:
        return multipart(("upstream", name, payload), ("mailboxName", None, path.encode()))

    return body


@pytest.fixture
def form() -> Callable[..., bytes]:
    """``form((name, filename, content), ...)`` is a hand-made multipart body with boundary ``b``."""
    return multipart


@pytest.fixture
def raw_request() -> Callable[..., Any]:
    """``await raw_request(simulator, method, path, header_lines, body)`` writes HTTP by hand and gives (head, body)."""

    async def send(
        simulator: SterlingSimulator, method: str, path: str, lines: list[str], body: bytes = b""
    ) -> tuple[bytes, bytes]:
        address = URL(simulator.url)
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
        head = [f"{method} {address.path}{path} HTTP/1.1", "Host: localhost", "Connection: close", *lines, "", ""]
        writer.write("\r\n".join(head).encode() + body)
        await writer.drain()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        top, _, rest = answer.partition(b"\r\n\r\n")
        return top, rest

    return send
