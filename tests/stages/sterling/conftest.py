"""A small scripted Sterling on a loopback socket, written from the wire's side, and what a sink needs around it."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pipeline import Context, Delivery, RandomIds, Secret, SystemClock
from stages.sterling.apis import connect
from stages.sterling.config import Auth, Basic, SterlingConfig

PASSWORD = "canary-7f3e9b"


class Far:
    """Answers what its handlers say; everything else is 404 with Sterling's own error. Keeps the requests it saw."""

    def __init__(self) -> None:
        self.handlers: dict[tuple[str, str], Callable[[web.Request], Any]] = {}
        self.seen: list[dict[str, Any]] = []
        self.url = ""

    def on(self, method: str, path: str, answer: Any) -> None:
        """``answer`` is a function of the request (sync or async), a list of answers used up in turn (the last stays), or one.

        An answer is a `web.Response`, or a value sent as JSON with 200.
        """
        if isinstance(answer, Turns):
            self.handlers[method, path] = lambda _: answer.next()
        else:
            self.handlers[method, path] = answer if callable(answer) else lambda _: answer

    def calls(self, method: str, path: str) -> list[dict[str, Any]]:
        return [call for call in self.seen if (call["method"], call["path"]) == (method, path)]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path.removeprefix("/B2BAPIs/svc")
        self.seen.append(
            {
                "method": request.method,
                "path": path,
                "query": dict(request.rel_url.query),
                "headers": dict(request.headers),
                "body": await request.read(),
            }
        )
        handler = self.handlers.get((request.method, path))
        answer = handler(request) if handler else error(404, "API000999: Resource not found.")
        if hasattr(answer, "__await__"):
            answer = await answer
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.Response(body=json.dumps(answer).encode(), content_type="application/json")


class Turns:
    """Answers in turn; made anew for each, since a response can be sent once only."""

    def __init__(self, *makers: Callable[[], Any]) -> None:
        self.makers = list(makers)

    def next(self) -> Any:
        return self.makers.pop(0)() if len(self.makers) > 1 else self.makers[0]()


def error(status: int, text: str) -> web.Response:
    body = json.dumps({"errorCode": status, "errorDescription": text}).encode()
    return web.Response(status=status, body=body, content_type="application/json")


def page(status: int, text: str = "<html><body>Sign in</body></html>", **headers: str) -> web.Response:
    return web.Response(status=status, body=text.encode(), content_type="text/html", headers=headers)


def created(collection: str, key: str) -> web.Response:
    body = json.dumps({"Location": f"http://inner.example:5074/B2BAPIs/svc/{collection}/{key}"}).encode()
    return web.Response(status=201, body=body, content_type="application/json")


class Wire:
    """The answers above, for tests: ``wire.error(400, "…")``."""

    error = staticmethod(error)
    page = staticmethod(page)
    created = staticmethod(created)
    turns = Turns
    password = PASSWORD

    @staticmethod
    def range(rows: list[dict[str, Any]]) -> Callable[[web.Request], list[dict[str, Any]]]:
        """A list that honours ``_range``."""

        def answer(request: web.Request) -> list[dict[str, Any]]:
            first, last = map(int, request.query["_range"].split("-"))
            return rows[first : last + 1]

        return answer

    @staticmethod
    def drop(request: web.Request) -> web.Response:
        """Close the connection without an answer."""
        assert request.transport is not None
        request.transport.close()
        return web.Response()


class Marks:
    """Marks made durable, in order; with them, what a restarted attempt would be given."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str]] = []

    async def __call__(self, key: str, value: str = "") -> None:
        self.made.append((key, value))

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.made]


@pytest.fixture
def wire() -> type[Wire]:
    return Wire


@pytest.fixture
def marks() -> Marks:
    return Marks()


@pytest.fixture
def context(tmp_path: Path) -> Context:
    async def offload(function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    return Context(
        stage="sink", folder=tmp_path, clock=SystemClock(), ids=RandomIds(), rng=random.Random(1), offload=offload
    )


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    """A server that lets the account in and knows nothing yet."""
    fake = Far()
    fake.on(
        "GET", "/useraccounts/connector", {"userId": "connector", "groups": [], "permissions": [{"name": "APIUser"}]}
    )
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", fake.handle)
    async with TestServer(application, host="127.0.0.1") as server:
        fake.url = str(server.make_url("/B2BAPIs/svc"))
        yield fake


@pytest.fixture
def settings(far: Far) -> Callable[..., SterlingConfig]:
    """Settings that reach the server; keywords replace members."""

    def make(**changes: Any) -> SterlingConfig:
        plain = SterlingConfig(url=far.url, auth=Auth(basic=Basic(user="connector", password=Secret(PASSWORD))))
        return msgspec.structs.replace(plain, **changes)

    return make


@pytest.fixture
def connected(settings: Callable[..., SterlingConfig], context: Context) -> Callable[..., Any]:
    """``async with connected(upload="documents") as client``."""

    @asynccontextmanager
    async def make(config: SterlingConfig | None = None, **changes: Any) -> AsyncIterator[Any]:
        async with connect(config or settings(**changes), context) as client:
            yield client

    return make


@pytest.fixture
def delivery() -> Delivery:
    return Delivery(
        id=1,
        lane="RIVERBEND",
        address="/RIVERBEND/Inbound",
        name="mlc_RIVERBEND_000000007_ab12.x12",
        payload=b"ISA*00*\x1c binary \xff tail~",
        digest="ab12",
        numbers={"isa": 7},
    )


@pytest.fixture
def basic_header() -> str:
    return "Basic " + base64.b64encode(f"connector:{PASSWORD}".encode()).decode()
