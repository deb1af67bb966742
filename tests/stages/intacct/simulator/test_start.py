"""The adapter's door: a seeded world on a free port, with the variables that point flows at it."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest
from lxml import etree

from pipeline import SimulatorOptions
from pipeline.testing import ManualClock
from stages.ap.seed import build_world
from stages.intacct.simulator import IntacctSimulator, start_simulator

BODY = (
    "<request><control><senderid>{INTACCT_SENDER_ID}</senderid><password>{INTACCT_SENDER_PASSWORD}</password>"
    "<controlid>c</controlid><uniqueid>false</uniqueid><dtdversion>3.0</dtdversion></control><operation><authentication>"
    "{who}</authentication><content>"
    '<function controlid="f">{function}</function></content></operation></request>'
)


LOGIN = (
    "<login><userid>{INTACCT_USER_ID}</userid><companyid>{INTACCT_COMPANY_ID}</companyid>"
    "<password>{INTACCT_USER_PASSWORD}</password></login>"
)


async def _ask(environment, function, session=""):
    async with aiohttp.ClientSession() as http:
        who = f"<sessionid>{session}</sessionid>" if session else LOGIN.format(**environment)
        body = BODY.format(**environment, function=function, who=who)
        headers = {"Content-Type": "application/xml"}
        async with http.post(environment["INTACCT_URL"], data=body, headers=headers) as response:
            return etree.fromstring(await response.read())


def _every(object, select="<field>RECORDNO</field>"):
    return (
        f"<query><object>{object}</object><select>{select}</select>"
        "<options><showprivate>true</showprivate></options><pagesize>2000</pagesize></query>"
    )


async def test_the_variables_lead_to_the_seeded_books(clock):
    world = build_world(seed=3, bills=60)
    async with start_simulator(SimulatorOptions(bills=60, seed=3, clock=clock)) as simulation:
        reply = await _ask(simulation.environment, _every("APBILL"))
        summary = simulation.summary

    records = {int(record.findtext("RECORDNO")) for record in reply.find("operation/result/data")}
    assert records == {bill.record for bill in world.bills}
    assert f"{len(world.bills)} bills of {len(world.vendors)} vendors" in summary


@pytest.mark.parametrize(
    "object",
    [
        "VENDOR",
        "CONTACT",
        "APBILL",
        "APBILLITEM",
        "APPYMT",
        "APPYMTDETAIL",
        "PODOCUMENT",
        "PODOCUMENTENTRY",
        "GLACCOUNT",
        "DEPARTMENT",
        "LOCATION",
        "CLASS",
        "PROJECT",
        "ITEM",
    ],
)
async def test_every_field_of_every_seeded_record_can_be_shown(clock, object):
    async with start_simulator(SimulatorOptions(bills=120, seed=2, clock=clock)) as simulation:
        described = await _ask(simulation.environment, f"<lookup><object>{object}</object></lookup>")
        names = [field.findtext("ID") for field in described.find("operation/result/data/Type/Fields")]
        reply = await _ask(simulation.environment, _every(object, "".join(f"<field>{name}</field>" for name in names)))

    data = reply.find("operation/result/data")
    assert int(data.get("count")) == int(data.get("totalcount")) > 0
    assert all([child.tag for child in record] == names for record in data)


async def test_each_vendor_invoice_of_purchasing_names_a_bill_that_names_purchasing(clock):
    async with start_simulator(SimulatorOptions(bills=200, seed=1, clock=clock)) as simulation:
        documents = await _ask(
            simulation.environment, _every("PODOCUMENT", "<field>PRRECORDKEY</field><field>DOCPARCLASS</field>")
        )
        bills = await _ask(simulation.environment, _every("APBILL", "<field>RECORDNO</field><field>MODULEKEY</field>"))

    modules = {bill.findtext("RECORDNO"): bill.findtext("MODULEKEY") for bill in bills.find("operation/result/data")}
    named = [
        document.findtext("PRRECORDKEY")
        for document in documents.find("operation/result/data")
        if document.findtext("DOCPARCLASS") == "Invoice"
    ]
    assert named
    assert {modules[record] for record in named} == {"9.PO"}


@pytest.mark.parametrize(
    ("profile", "status"), [("", "failure"), ("two-endpoints", "failure"), ("one-endpoint", "success")]
)
async def test_its_profile_says_whether_a_session_is_served_where_it_was_granted(clock, profile, status):
    async with start_simulator(SimulatorOptions(bills=5, clock=clock, profile=profile)) as simulation:
        api = (await _ask(simulation.environment, "<getAPISession/>")).find(".//api")
        reply = await _ask(simulation.environment, _every("VENDOR"), session=api.findtext("sessionid"))
    assert reply.findtext("operation/authentication/status") == status
    if status == "failure":
        error = reply.find("operation/errormessage/error")
        assert error.findtext("correction") == f"Sessions are served at {api.findtext('endpoint')}"
        assert error.findtext("description2").startswith("Invalid session ")


async def test_equal_options_give_equal_bytes(clock):
    replies = []
    for _ in range(2):
        async with start_simulator(SimulatorOptions(bills=40, seed=9, clock=clock)) as simulation:
            reply = await _ask(simulation.environment, _every("APBILL"))
            replies.append(etree.tostring(reply.find("operation/result/data")))

    assert replies[0] == replies[1]


async def test_it_listens_on_the_port_it_is_given_and_leaves_it_again(world, clock):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with IntacctSimulator(world, clock, port=port) as simulator:
        url = simulator.url
        with socket.create_connection(("127.0.0.1", port)):
            pass

    assert url == f"http://127.0.0.1:{port}/ia/xml/xmlgw.phtml"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


async def test_a_port_in_use_is_an_error_and_leaves_nothing_open(world, clock):
    async with IntacctSimulator(world, clock) as first:
        port = int(first.url.split(":")[2].split("/")[0])
        with pytest.raises(OSError):
            await IntacctSimulator(world, clock, port=port).__aenter__()


async def test_requests_beyond_the_queue_are_refused_at_once(world, wired):
    waiting = ManualClock(world.now)
    async with wired(by=waiting, latency_seconds=10, concurrency=1, queue=1) as wire:
        body = wire.envelope('<function controlid="s"><getAPISession/></function>', login())
        calls = [asyncio.create_task(wire.post(body)) for _ in range(3)]
        done, pending = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        (refused,) = done
        while pending:
            await waiting.advance(10)
            await asyncio.sleep(0.001)
            pending = {call for call in pending if not call.done()}
        statuses = sorted([(await call)[0] for call in calls])

    assert (await refused)[0] == 429
    assert statuses == [200, 200, 429]


async def test_who_waits_half_a_minute_in_line_is_refused(world, wired):
    waiting = ManualClock(world.now)
    async with wired(by=waiting, latency_seconds=40, concurrency=1) as wire:
        body = wire.envelope('<function controlid="s"><getAPISession/></function>', login())
        first = asyncio.create_task(wire.post(body))
        while waiting.sleepers < 1:
            await asyncio.sleep(0.001)
        second = asyncio.create_task(wire.post(body))
        while waiting.sleepers < 2:
            await asyncio.sleep(0.001)
        await waiting.advance(30)
        refused = (await second)[0]
        await waiting.advance(10)
        served = (await first)[0]

    assert (served, refused) == (200, 429)
    assert wire.simulator.counts.throttled == 1


async def test_a_slot_left_goes_to_the_first_in_line(world, wired):
    waiting = ManualClock(world.now)
    async with wired(by=waiting, latency_seconds=10, concurrency=1) as wire:
        calls = []
        for number in range(3):
            body = wire.envelope(f'<function controlid="s{number}"><getAPISession/></function>', login())
            calls.append(asyncio.create_task(wire.post(body)))
            while waiting.sleepers < 1 + number:
                await asyncio.sleep(0.001)
        order = []
        for call in calls:
            call.add_done_callback(lambda done: order.append(calls.index(done)))
        for _ in range(3):
            await waiting.advance(10)
            while len(order) < 1 + _:
                await asyncio.sleep(0.001)

    assert order == [0, 1, 2]


def login():
    return "<login><userid>sync</userid><companyid>acme</companyid><password>user-pass</password></login>"
