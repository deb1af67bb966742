"""A small gateway of the tests' own on a loopback socket: scripted answers, and tables that a query really filters and orders."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from lxml import etree

from pipeline import Context, Duration, Secret, Shared
from pipeline.testing.clock import ManualClock
from stages.intacct.company import IntacctClient, open_intacct
from stages.intacct.config import IntacctConfig

SENDER_PASSWORD = "canary-sender-4f1"
USER_PASSWORD = "canary-user-9c2"
SESSION = "canary-session-77e"

Row = dict[str, str]


def _typed(field: str, text: str) -> Any:
    if field == "RECORDNO" or text.isdigit():
        return int(text)
    for form in ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y"):
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007
        except ValueError:
            pass
    return text


_COMPARE: dict[str, Callable[[Any, list[Any]], bool]] = {
    "equalto": lambda value, given: value == given[0],
    "greaterthan": lambda value, given: value > given[0],
    "greaterthanorequalto": lambda value, given: value >= given[0],
    "lessthan": lambda value, given: value < given[0],
    "in": lambda value, given: value in given,
}


def holds(node: etree._Element, row: Row) -> bool:
    """Whether a filter holds for a row, as the gateway documents its operators."""
    if node.tag in ("and", "or"):
        assert len(node) >= 2, "and/or take two or more"
        return (all if node.tag == "and" else any)(holds(child, row) for child in node)
    field = node.findtext("field") or ""
    text = row.get(field, "")
    if node.tag == "isnull":
        return text == ""
    if node.tag == "isnotnull":
        return text != ""
    values = [_typed(field, value.text or "") for value in node.findall("value")]
    assert values, f"{node.tag} without a value"
    assert node.tag != "in" or len(values) <= 100, "too many values"
    return text != "" and _COMPARE[str(node.tag)](_typed(field, text), values)


class Gateway:
    """Answers like the XML gateway. ``script`` holds answers to be given first, one per request that is no sign-in."""

    def __init__(self) -> None:
        self.tables: dict[str, list[Row]] = {}
        self.known: dict[str, set[str]] = {}  # what `lookup` tells; an object that is not here has no lookup
        self.unknown: set[str] = set()  # fields that fail a query
        self.script: list[web.Response | str | Callable[[], Any]] = []
        self.login_script: list[web.Response | str] = []
        self.requests: list[etree._Element] = []
        self.logins = 0
        self.endpoint = ""
        self.timeout = "2026-01-05T18:00:00+00:00"
        self.live: set[str] = set()
        self.url = ""
        self.before_query: Callable[[str], None] | None = None
        self.cap = 2000  # how many rows a page holds at most, whatever is asked for
        self.counters = {"totalcount", "numremaining"}  # what `data` says about the pages
        self.largest = 2000  # a `pagesize` above this is refused ...
        self.refusal = "pagesize must be between 1 and {largest}"  # ... in these words
        self.date = "Mon, 05 Jan 2026 06:00:00 GMT"

    async def handle(self, request: web.Request) -> web.Response:
        body = etree.fromstring(await request.read())
        self.requests.append(body)
        answer = await self._answer(body)
        if isinstance(answer, str):
            answer = _echoing(answer, body)
        response = web.Response(body=answer.encode(), content_type="text/xml") if isinstance(answer, str) else answer
        response.headers["Date"] = self.date
        return response

    async def _answer(self, body: etree._Element) -> web.Response | str:
        if body.find("operation/authentication/login") is not None:
            self.logins += 1
            return self.login_script.pop(0) if self.login_script else self._grant()
        if self.script:
            answer = self.script.pop(0)
            if callable(answer) and not isinstance(answer, web.Response):
                answer = answer()
            if answer is not None:
                return await answer if asyncio.iscoroutine(answer) else answer
        if body.findtext("operation/authentication/sessionid") not in self.live:
            return refused_session()
        function = body.find("operation/content/function")
        assert function is not None
        return self._function(function[0])

    def _grant(self) -> str:
        session = f"{SESSION}-{self.logins}"
        self.live = {session}
        return reply(
            f"<data><api><sessionid>{session}</sessionid><endpoint>{self.endpoint or self.url}</endpoint></api></data>",
            "getAPISession",
            timeout=self.timeout,
        )

    def _function(self, function: etree._Element) -> str:
        name = function.findtext("object") or ""
        if function.tag == "lookup":
            if name not in self.known:
                return failure("XL03000009", f"object definition {name} not found")
            fields = "".join(
                f"<Field><ID>{field}</ID><DATATYPE>TEXT</DATATYPE></Field>" for field in sorted(self.known[name])
            )
            return reply(
                f'<data listtype="All" count="1"><Type Name="{name}"><Fields>{fields}</Fields></Type></data>', "lookup"
            )
        if self.before_query is not None:
            self.before_query(name)
        return self._query(name, function)

    def _query(self, name: str, function: etree._Element) -> str:
        wanted = [field.text or "" for field in function.findall("select/field")]
        if bad := [field for field in wanted if field in self.unknown]:
            return failure(
                "XL03000006", f"The following fields cannot be queried: {', '.join(bad)} [Support ID: ab%2Fc]"
            )
        if name not in self.tables:
            return failure("XL03000009", f"object definition {name} not found")
        filters = function.find("filter")
        rows = [row for row in self.tables[name] if filters is None or holds(filters[0], row)]
        for field in reversed([order.text or "" for order in function.findall("orderby/order/field")]):
            rows.sort(key=lambda row: _typed(field, row.get(field, "")))
        size = int(function.findtext("pagesize") or 100)
        if size > self.largest:
            return failure("XL03000006", self.refusal.format(largest=self.largest))
        page = rows[: min(size, self.cap)]
        parts = [
            f"<{name}>" + "".join(element(field, row.get(field, "")) for field in wanted) + f"</{name}>" for row in page
        ]
        counted = {"totalcount": len(rows), "numremaining": len(rows) - len(page)}
        counters = " ".join(f'{counter}="{counted[counter]}"' for counter in sorted(self.counters))
        return reply(
            f'<data listtype="{name}" {counters} offset="0" count="{len(page)}">{"".join(parts)}</data>',
            "query",
            timeout=self.timeout,
        )

    def functions(self, kind: str = "query", name: str = "") -> list[etree._Element]:
        """The functions of that kind asked so far."""
        found = [body.find(f"operation/content/function/{kind}") for body in self.requests]
        return [
            function for function in found if function is not None and (not name or function.findtext("object") == name)
        ]


def _echoing(answer: str, request: etree._Element) -> str:
    """The answer with the function and the control id that were asked, where it leaves them open."""
    function = request.find("operation/content/function")
    assert function is not None
    return answer.replace("<function>query<", f"<function>{function[0].tag}<").replace(
        "<controlid>c<", f"<controlid>{function.get('controlid')}<"
    )


def element(name: str, text: str) -> str:
    built = etree.Element(name)
    built.text = text or None
    return etree.tostring(built, encoding="unicode")


def reply(data: str, function: str = "query", *, timeout: str = "2026-01-05T18:00:00+00:00") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><response><control><status>success</status><senderid>s</senderid></control><operation>'
        f"<authentication><status>success</status><sessiontimeout>{timeout}</sessiontimeout></authentication>"
        f"<result><status>success</status><function>{function}</function><controlid>c</controlid>{data}</result>"
        "</operation></response>"
    )


def failure(number: str, text: str, status: str = "failure") -> str:
    return (
        "<response><control><status>success</status></control><operation><authentication><status>success</status></authentication>"
        f"<result><status>{status}</status><function>query</function><controlid>c</controlid><errormessage><error>"
        f"<errorno>{number}</errorno><description></description><description2>{text}</description2><correction/></error>"
        "</errormessage></result></operation></response>"
    )


def refused_session(text: str = f"Invalid session {SESSION}....") -> str:
    return (
        "<response><control><status>success</status></control><operation><authentication><status>failure</status><userid></userid>"
        f"</authentication><errormessage><error><errorno>XL03000006</errorno><description2>{text}</description2></error>"
        "</errormessage></operation></response>"
    )


class Answers:
    """The literal answers above, for tests (which cannot import this file)."""

    reply = staticmethod(reply)
    failure = staticmethod(failure)
    refused_session = staticmethod(refused_session)
    canaries = (SENDER_PASSWORD, USER_PASSWORD, SESSION)


@pytest.fixture
def answers() -> type[Answers]:
    return Answers


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class _Counting:
    def __init__(self) -> None:
        self._count = 0

    def new(self) -> str:
        self._count += 1
        return f"id-{self._count}"


@pytest.fixture
def context(clock: ManualClock) -> Context:
    async def offload(function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.to_thread(function, *arguments)

    return Context(
        stage="bills",
        folder=Path(),
        clock=clock,
        ids=_Counting(),
        rng=random.Random(1),
        offload=offload,
    )


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    double = Gateway()
    app = web.Application()
    app.router.add_post("/{path:.*}", double.handle)
    server = TestServer(app)
    await server.start_server()
    double.url = str(server.make_url("/ia/xml/xmlgw.phtml"))
    yield double
    await server.close()


@pytest.fixture
def config_for() -> Callable[..., IntacctConfig]:
    def build(url: str, **settings: Any) -> IntacctConfig:
        usual: dict[str, Any] = {
            "sender_id": "acme-ws",
            "sender_password": Secret(SENDER_PASSWORD),
            "company_id": "acme",
            "user_id": "sync",
            "user_password": Secret(USER_PASSWORD),
            "timezone": "UTC",
            "patience": Duration(0),  # tests say what is repeated
        }
        return IntacctConfig(url=url, **(usual | settings))

    return build


@pytest.fixture
def open_client(
    gateway: Gateway, context: Context, config_for: Callable[..., IntacctConfig]
) -> Callable[..., AbstractAsyncContextManager[IntacctClient]]:
    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[IntacctClient]:
        context.shared = Shared()  # each is a process of its own
        async with open_intacct(config_for(settings.pop("url", gateway.url), **settings), context) as client:
            context.connection = client
            yield client

    return opened
