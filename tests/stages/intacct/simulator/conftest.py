"""A small hand-made world, a manual clock, and a wire that sends literal XML to a simulator over a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from lxml import etree

from pipeline.testing import ManualClock
from stages.ap.seed import SeedBill, SeedContact, SeedEntity, SeedLine, SeedPurchase, SeedVendor, World
from stages.intacct.simulator import Behaviour, Fault, IntacctSimulator

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<request>
  <control>
    <senderid>acme-ws</senderid>
    <password>sender-pass</password>
    <controlid>c-1</controlid>
    <uniqueid>{unique}</uniqueid>
    <dtdversion>3.0</dtdversion>
    <includewhitespace>false</includewhitespace>
  </control>
  <operation transaction="{transaction}">
    <authentication>{authentication}</authentication>
    <content>{functions}</content>
  </operation>
</request>"""

LOGIN = "<login><userid>sync</userid><companyid>acme</companyid><password>user-pass</password></login>"


class Wire:
    """One client connection pool to one simulator. ``call`` signs in first when it has no session."""

    def __init__(self, simulator: IntacctSimulator, http: aiohttp.ClientSession) -> None:
        self.simulator = simulator
        self._http = http
        self.session = ""
        self.endpoint = simulator.url

    async def post(
        self, body: str | bytes, *, url: str = "", content_type: str = "application/xml", encoding: str = "identity"
    ) -> tuple[int, Any, bytes]:
        """Status, headers and the bytes of the body."""
        data = body.encode() if isinstance(body, str) else body
        headers = {"Content-Type": content_type, "Accept-Encoding": encoding}
        async with self._http.post(url or self.simulator.url, data=data, headers=headers) as response:
            return response.status, response.headers, await response.read()

    async def send(self, body: str | bytes, **how: Any) -> etree._Element:
        """The root of the reply."""
        _, _, reply = await self.post(body, **how)
        return etree.fromstring(reply)

    async def sign_in(self, login: str = LOGIN, function: str = "<getAPISession/>") -> etree._Element:
        reply = await self.send(self.envelope(f'<function controlid="s">{function}</function>', login))
        self.session = reply.findtext(".//api/sessionid") or ""
        self.endpoint = reply.findtext(".//api/endpoint") or self.endpoint
        return reply

    def envelope(
        self, functions: str, authentication: str = "", *, unique: str = "false", transaction: str = "false"
    ) -> str:
        return ENVELOPE.format(
            functions=functions,
            authentication=authentication or f"<sessionid>{self.session}</sessionid>",
            unique=unique,
            transaction=transaction,
        )

    async def ask(self, functions: str, **how: Any) -> etree._Element:
        """The whole reply to functions within the session."""
        if not self.session:
            await self.sign_in()
        return await self.send(self.envelope(functions, **how), url=self.endpoint)

    async def call(self, function: str, **how: Any) -> etree._Element:
        """The one ``result`` of one function, or the whole reply when all of it was refused: both hold their ``errormessage``."""
        reply = await self.ask(f'<function controlid="f-1">{function}</function>', **how)
        result = reply.find("operation/result")
        if result is None:
            assert reply.findtext("control/status") == "failure", etree.tostring(reply)
            return reply
        return result

    async def column(self, query: str, field: str = "RECORDNO") -> list[str | None]:
        """One field of each record of a successful query, in its order."""
        result = await self.call(query)
        assert result.findtext("status") == "success", etree.tostring(result)
        return [record.findtext(field) for record in result.find("data")]


Wired = Callable[..., AbstractAsyncContextManager[Wire]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON, autojump=True)


def _vendor(record: int, id: str, name: str, **more: Any) -> SeedVendor:
    created = NOON - timedelta(days=90)
    return SeedVendor(record=record, id=id, name=name, kind="Produce", created=created, **{"modified": created, **more})


def _bill(record: int, number: str, vendor: str, state: str, total: str, minutes: int, **more: Any) -> SeedBill:
    """A bill last saved so many minutes before noon."""
    amount = Decimal(total)
    line = SeedLine(number=1, amount=amount, description=f"goods of {number}")
    values: dict[str, Any] = {
        "date": date(2026, 2, 20),
        "due": date(2026, 3, 22),
        "posted": date(2026, 2, 21),
        "terms": "Net 30",
        "lines": (line,),
        "created": NOON - timedelta(days=9),
        "modified": NOON - timedelta(minutes=minutes),
        **more,
    }
    return SeedBill(record=record, number=number, vendor=vendor, state=state, total=amount, **values)


def _world() -> World:
    contact = SeedContact(
        name="O'Hara, Pat", company="Riverbend", phone="555 0100", line1="1 Dock St", city="Astoria", state="OR"
    )
    pay_to = SeedContact(name="Riverbend Remit", company="Riverbend", line1="PO Box 9", city="Salem", state="OR")
    ordered = (
        SeedLine(
            number=1,
            amount=Decimal("30.00"),
            description="Limes",
            quantity=Decimal("2.5"),
            unit="Case",
            price=Decimal(12),
            item="LIME",
        ),
        SeedLine(
            number=2,
            amount=Decimal("12.40"),
            description="Mint",
            quantity=Decimal(4),
            unit="Bunch",
            price=Decimal("3.1"),
            item="MINT",
        ),
    )
    taxed = (
        SeedLine(number=1, amount=Decimal("100.50"), description="Crates"),
        SeedLine(number=2, amount=Decimal("8.04"), description="Tax", generated=True),
    )
    return World(
        company="acme",
        company_name="Acme Foods",
        sender="acme-ws",
        sender_password="sender-pass",
        user="sync",
        user_password="user-pass",
        entities=(SeedEntity(id="WEST", name="Acme West"), SeedEntity(id="NORTH", name="Acme North", currency="CAD")),
        vendors=(
            _vendor(11, "V-1", "Riverbend Produce", contact=contact, pay_to=pay_to, tax_id="12-3", terms="Net 30"),
            _vendor(12, "V-2", "abalone & Sons", status="inactive", modified=None),
            _vendor(13, "V-3", "Northern Dairy", entity="NORTH", currency="CAD"),
        ),
        bills=(
            _bill(
                101,
                "INV-1",
                "V-1",
                "Posted",
                "100.50",
                50,
                lines=taxed,
                description="50% off_season",
                reference="PO-77",
            ),
            _bill(102, "INV-2", "V-1", "Paid", "5900.00", 40),
            _bill(103, "INV-3", "V-2", "Draft", "7", 30, posted=None),
            _bill(104, "INV-4", "V-1", "Posted", "42.40", 20, purchase="Vendor Invoice-VI-1", lines=ordered),
            _bill(105, "INV-5", "V-3", "Posted", "200.00", 10, entity="NORTH", currency="USD"),
            _bill(106, "inv-6", "V-2", "Reversed", "9.99", 10, modified=None, on_hold=True),
        ),
        purchases=(
            SeedPurchase(
                record=901,
                id="Vendor Invoice-VI-1",
                number="VI-1",
                definition="Vendor Invoice",
                vendor="V-1",
                date=date(2026, 2, 19),
                order="Purchase Order-PO-5",
                order_number="PO-5",
                lines=ordered,
                created=NOON - timedelta(days=10),
                modified=NOON - timedelta(days=9),
            ),
        ),
        partners=(),
        sterling_user="unused",
        sterling_password="unused",
        now=NOON,
    )


@pytest.fixture
def world() -> World:
    return _world()


@pytest.fixture
def new_bill() -> Callable[..., SeedBill]:
    return _bill


@pytest.fixture
def wired(world: World, clock: ManualClock) -> Wired:
    """``async with wired(faults=..., ...behaviour) as wire``: a simulator of the small world, and a wire to it."""

    @asynccontextmanager
    async def enter(
        *,
        faults: list[Fault] | None = None,
        of: World = world,
        by: ManualClock = clock,
        seed: int = 1,
        **behaviour: Any,
    ) -> AsyncIterator[Wire]:
        simulator = IntacctSimulator(of, by, faults=faults or (), behaviour=Behaviour(**behaviour), seed=seed)
        async with simulator, aiohttp.ClientSession() as http:
            yield Wire(simulator, http)

    return enter
