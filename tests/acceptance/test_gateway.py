"""Sterling behind a gateway: a prefix of its own, a key in a header, its own pages for what it does not pass on or cannot reach."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from stages.sterling.simulator import open_mailbox

PREFIX = "/gw/edi/B2BAPIs/svc"
KEY = "canary-key-8d2f"
HOP = {"host", "content-length", "transfer-encoding", "connection", "x-api-key", "authorization"}


class Gateway:
    """Passes on what has its prefix and its key, signed in as one user of Sterling; everything else gets a page of its own."""

    def __init__(self, behind: str, user: str, password: str) -> None:
        self.behind = behind
        self.basic = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.page: int = 0  # the status of the page that stands in for Sterling; 0: none does
        self.passes: Callable[[str], bool] = lambda request: True
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path
        asked = f"{request.method} {path.removeprefix(PREFIX).strip('/')}"
        if self.page or not path.startswith(PREFIX) or not self.passes(asked):
            text = "<html><body>Nothing here, or back soon</body></html>"
            return web.Response(status=self.page or 404, text=text, content_type="text/html")
        if request.headers.get("X-API-Key") != KEY:
            return web.Response(status=401, text="<html>no key</html>", content_type="text/html")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        target = f"{self.behind}{path.removeprefix(PREFIX)}?{request.rel_url.raw_query_string}".rstrip("?")
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            async with session.request(
                request.method, aiohttp.client.URL(target, encoded=True), data=await request.read(),
                headers=headers | {"Authorization": self.basic}, allow_redirects=False,
            ) as answer:  # fmt: skip
                passed = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
                return web.Response(status=answer.status, body=await answer.read(), headers=passed)


@pytest.fixture
def gateways(rigs: Any) -> Callable[..., Any]:
    """``async with gateways(bills) as (rig, gateway)``: the flows go over the gateway, with its key in a header."""

    @asynccontextmanager
    async def make(bills: int = 0, *, named: bool = True) -> AsyncIterator[tuple[Any, Gateway]]:
        async with rigs(bills) as rig:
            environment = rig.environment
            gateway = Gateway(
                environment["STERLING_URL"], environment["STERLING_USER"], environment["STERLING_PASSWORD"]
            )
            application = web.Application(client_max_size=64 * 1024 * 1024)
            application.router.add_route("*", "/{path:.*}", gateway.handle)
            async with TestServer(application, host="127.0.0.1") as server:
                gateway.url = str(server.make_url(PREFIX))
                user = environment["STERLING_USER"] if named else ""
                environment |= {
                    "STERLING_URL": gateway.url,
                    "STERLING_USER": "",
                    "STERLING_PASSWORD": "",
                    "STERLING_KEY_HEADER": "X-API-Key",
                    "STERLING_KEY": KEY,
                }
                for flow in ("vendors", "bills", "mailbox", "acknowledgements"):
                    rig.edit(
                        ("    type: sterling\n", f"    type: sterling\n    account: {user!r}\n"),
                        name=f"{flow}.yaml",
                    )
                if not bills:
                    (rig.flows / "partners" / "riverbend.yaml").write_text(PARTNER)
                yield rig, gateway

    return make


PARTNER = """
partner: RIVERBEND
name: Riverbend
vendors: [V-1]
identity: { isa: { qualifier: ZZ, id: RIVER }, gs: RIVER }
mailbox: /RIVERBEND/Inbound
"""
RESOURCES = """
flow: resources
version: 1
connections:
  b2bi: { type: sterling, url: "${env:STERLING_URL}", auth: { header: { name: X-API-Key, value: "${env:STERLING_KEY}" } } }
stages:
  - rows: { source: sterling.resource, via: b2bi, with: { resource: mailboxes } }
  - lines: { encode: generic.json }
  - kept: { sink: generic.folder, with: { path: boxes } }
"""


async def test_everything_goes_over_a_gateway_with_its_own_prefix_and_a_key_in_a_header(
    gateways: Any, reference: Any
) -> None:
    wanted = await reference(30)
    async with gateways(30) as (rig, _):
        (rig.flows / "resources.yaml").write_text(RESOURCES)
        vendors = str(rig.flows / "vendors.yaml")
        told = await rig.command("run", vendors, "--json")
        assert told.json["balanced"], told.err
        assert told.json["delivered"] > 0
        assert (await rig.command("drift", vendors)).code == 0
        bills = await rig.run()
        assert bills.json["balanced"], bills.err
        assert rig.far.mailboxes() == wanted
        open_mailbox(rig.sterling.hub, "/RIVERBEND/Outbound")
        rig.sterling.deposit("/RIVERBEND/Outbound", "a.csv", b"1")
        told = await rig.command("run", str(rig.flows / "mailbox.yaml"), "--json")
        assert (told.code, told.json["read"], told.json["delivered"]) == (0, 1, 1), told.err
        told = await rig.command("run", str(rig.flows / "resources.yaml"), "--json")
        assert (told.code, told.json["delivered"] > 3) == (0, True), told.err
        for flow in ("vendors", "bills", "mailbox"):
            told = await rig.command("doctor", str(rig.flows / f"{flow}.yaml"))
            assert told.code == 0, told.out + told.err
        told = await rig.command("sterling", "list", "mailboxes", "--flow", vendors)
        assert told.code == 0, told.err


@pytest.mark.parametrize("place", ["", "/B2BAPIs/svc", "/gw/edi/B2BAPI/svc"])
@pytest.mark.parametrize("named", [True, False])
async def test_a_wrong_url_is_a_setting_to_mend_whatever_the_command(gateways: Any, place: str, named: bool) -> None:
    async with gateways(named=named) as (rig, gateway):
        rig.environment["STERLING_URL"] = gateway.url.removesuffix(PREFIX) + place
        vendors = str(rig.flows / "vendors.yaml")
        commands = [
            ("run", vendors),
            ("drift", vendors),
            ("doctor", vendors),
            ("sterling", "list", "workflows", "--flow", vendors),
        ]
        for command in [*commands, ("run", str(rig.flows / "mailbox.yaml"))]:
            told = await rig.command(*command)
            said = told.out + told.err
            assert (told.code, "MLC-STL-0113" in said, "Set `url`" in said, "owner" in said) == (4, True, True, True), (
                said
            )


@pytest.mark.parametrize("status", [404, 503])
async def test_a_gateway_that_is_down_in_the_middle_of_a_poll_kills_no_message(gateways: Any, status: int) -> None:
    async with gateways() as (rig, gateway):
        rig.edit(("- messages: {", "- messages: { retry: { times: 2, first: 1ms },"), name="mailbox.yaml")
        open_mailbox(rig.sterling.hub, "/RIVERBEND/Outbound")
        for n in range(60):
            rig.sterling.deposit("/RIVERBEND/Outbound", f"{n}.csv", b"%d" % n)
        asked = 0

        def passes(request: str) -> bool:
            nonlocal asked
            asked += "getpayload" in request
            gateway.page = status if asked > 55 else 0
            return not gateway.page

        gateway.passes = passes
        told = await rig.command("run", str(rig.flows / "mailbox.yaml"), "--json")
        assert (told.code, told.json["dead"], told.json["balanced"]) == (4, 0, True), told.err
        gateway.passes, gateway.page = (lambda request: True), 0
        again = await rig.command("run", str(rig.flows / "mailbox.yaml"), "--json")
        assert (again.code, told.json["read"] + again.json["read"]) == (0, 60)


@pytest.mark.parametrize("kept_back", ["getpayload", "documents", "extract"])
async def test_a_call_that_the_gateway_does_not_pass_on_is_told_and_kills_no_message(
    gateways: Any, kept_back: str
) -> None:
    async with gateways() as (rig, gateway):
        source = "with: { partners: partners/ }"
        rig.edit((source, source.replace(" }", ", after: extract }")), name="mailbox.yaml")
        open_mailbox(rig.sterling.hub, "/RIVERBEND/Outbound")
        rig.sterling.deposit("/RIVERBEND/Outbound", "a.csv", b"1")
        gateway.passes = lambda request: kept_back not in request
        told = await rig.command("run", str(rig.flows / "mailbox.yaml"), "--json")
        assert (told.code, told.json["dead"], "MLC-STL-0114" in told.err) == (4, 0, True), told.err
        gateway.passes = lambda request: True
        again = await rig.command("run", str(rig.flows / "mailbox.yaml"), "--json")
        assert (again.code, told.json["delivered"] + again.json["delivered"]) == (0, 1)
        assert [each["effect"] for each in rig.sterling.effects()].count("message.extracted") == 1


async def test_doctor_warns_of_mailboxes_that_would_be_for_the_partner_alone(gateways: Any) -> None:
    async with gateways(named=False) as (rig, _):
        told = await rig.command("doctor", str(rig.flows / "vendors.yaml"))
        assert (told.code, "MLC-STL-0115" in told.out + told.err) == (0, True), told.out


async def test_a_gateway_that_is_down_for_a_while_does_not_end_a_flow_that_runs_again_and_again(gateways: Any) -> None:
    async with gateways() as (rig, gateway):
        open_mailbox(rig.sterling.hub, "/RIVERBEND/Outbound")
        child = await rig.start("run", str(rig.flows / "mailbox.yaml"), "--json", "--every", "50ms")
        try:
            await until_runs(rig, "clean", 1)
            gateway.page = 404
            await until_runs(rig, "failed", 1)
            gateway.page = 0
            rig.sterling.deposit("/RIVERBEND/Outbound", "a.csv", b"1")
            await until_delivered(rig)
        finally:
            child.process.terminate()
            told = await child.ends()
        assert told.code == 143, told.err
        assert "MLC-STL-0113" not in told.err


async def until_runs(rig: Any, status: str, count: int) -> None:
    await until(rig, f"select count(*) >= {count} from runs where status = '{status}'")


async def until_delivered(rig: Any) -> None:
    await until(rig, "select count(*) = 1 from documents where status = 'delivered'")


async def until(rig: Any, question: str) -> None:
    async with asyncio.timeout(40):
        while True:
            with suppress(sqlite3.OperationalError):
                if rig.rows(question) == [(1,)]:
                    return
            await asyncio.sleep(0.02)
