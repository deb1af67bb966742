"""Answers that are broken or hostile: each is refused and classified, nothing of it is read, and the next one is."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from pipeline import ConfigError, Context, Duration, Secret, StageError, TransientError, Window
from pipeline.testing.clock import ManualClock
from stages.ap.seed import World, build_world
from stages.intacct.client import ReplyTooLarge
from stages.intacct.company import IntacctClient, open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.protocol.query import Query
from stages.intacct.simulator import Behaviour, Fault, IntacctSimulator
from stages.intacct.sources import BillsSettings, BillsSource

LIMIT = 4 * 1024 * 1024
QUESTION = Query(object="APBILL", fields=("RECORDNO",), order=("RECORDNO",), page_size=500, private=True)
Running = Callable[..., Any]


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=5, bills=40)


@pytest.fixture
def running(world: World, context: Context) -> Running:
    """``async with running(faults..., **behaviour) as (simulator, client)``."""

    @asynccontextmanager
    async def run(*faults: Fault, **behaviour: Any) -> AsyncIterator[tuple[IntacctSimulator, IntacctClient]]:
        clock = ManualClock(world.now, autojump=True)
        async with IntacctSimulator(world, clock, faults=faults, behaviour=Behaviour(**behaviour)) as simulator:
            config = IntacctConfig(
                url=simulator.url,
                sender_id=world.sender,
                sender_password=Secret(world.sender_password),
                company_id=world.company,
                user_id=world.user,
                user_password=Secret(world.user_password),
                patience=Duration(0),
                max_bytes=LIMIT,
                page_size=500,
            )
            async with open_intacct(config, context) as client:
                yield simulator, client

    return run


MEGABYTE = 1024 * 1024
# What the answer is, the class of its error, the code, and what the error says of it.
HOSTILE = {
    "an entity bomb": (Fault(kind="bomb"), ConfigError, "MLC-INTACCT-0112", "DOCTYPE"),
    "an external entity": (Fault(kind="external entity"), ConfigError, "MLC-INTACCT-0112", "DOCTYPE"),
    "bytes that are no UTF-8": (Fault(kind="not utf-8"), TransientError, "MLC-INTACCT-0205", "invalid encoding"),
    "half of a compressed body": (Fault(kind="gzip cut"), TransientError, "MLC-INTACCT-0205", "broke off"),
    "a compressed body with a wrong checksum": (
        Fault(kind="gzip broken"),
        TransientError,
        "MLC-INTACCT-0208",
        "broke off",
    ),
    "a body over the limit": (Fault(kind="padded", size=LIMIT), ReplyTooLarge, "MLC-INTACCT-0207", "too large"),
    "a compressed body over the limit": (
        Fault(kind="gzip bomb", size=200 * MEGABYTE),
        ReplyTooLarge,
        "MLC-INTACCT-0207",
        "too large",
    ),
    "a web page": (Fault(kind="html"), TransientError, "MLC-INTACCT-0205", "HTML page"),
    "elements too deep": (Fault(kind="deep", size=10_000), TransientError, "MLC-INTACCT-0205", "resource limit"),
    "half of the body": (Fault(kind="truncated"), TransientError, "MLC-INTACCT-0205", "broke off"),
    "a second reply that says something else": (
        Fault(kind="two roots"),
        TransientError,
        "MLC-INTACCT-0205",
        "document end",
    ),
    "nothing": (Fault(kind="empty"), TransientError, "MLC-INTACCT-0205", "with nothing"),
    "another service's document": (Fault(kind="foreign"), TransientError, "MLC-INTACCT-0205", "not the gateway's"),
}


@pytest.mark.parametrize(("fault", "kind", "code", "text"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_it_is_refused_and_the_next_answer_is_read(
    running: Running, world: World, fault: Fault, kind: type[StageError], code: str, text: str
) -> None:
    async with running() as (simulator, client):
        await client.sign_in()
        simulator.faults.add(fault)
        with pytest.raises(StageError, match=text) as caught:
            await client.query(QUESTION)
        rows = (await client.query(QUESTION)).rows

    assert (type(caught.value), caught.value.code) == (kind, code), caught.value
    assert simulator.counts.faults == 1
    assert len(rows) == len(world.bills)


@pytest.mark.parametrize("fault", [fault for fault, *_ in HOSTILE.values()], ids=HOSTILE.keys())
async def test_no_error_of_it_quotes_a_secret_or_more_than_a_line(running: Running, world: World, fault: Fault) -> None:
    async with running() as (simulator, client):
        await client.sign_in()
        simulator.faults.add(fault)
        with pytest.raises(StageError) as caught:
            await client.query(QUESTION)

    shown = repr(caught.value) + str(caught.value.__cause__) + str(caught.value.__context__)
    assert len(shown) < 1000
    assert world.sender_password not in shown
    assert world.user_password not in shown


async def test_a_great_attribute_within_the_limit_is_carried_past(running: Running, world: World) -> None:
    async with running(Fault(kind="huge attribute", size=MEGABYTE, function="query")) as (_, client):
        rows = (await client.query(QUESTION)).rows

    assert len(rows) == len(world.bills)


@pytest.mark.parametrize("megabytes", [64, 512])
async def test_a_compressed_bomb_is_given_up_before_it_fills_memory(
    gateway: Any, open_client: Running, megabytes: int
) -> None:
    packer = zlib.compressobj(wbits=31)
    packed = b"".join(packer.compress(b" " * MEGABYTE) for _ in range(megabytes)) + packer.flush()
    async with open_client(max_bytes=LIMIT) as client:
        await client.sign_in()
        gateway.script.append(web.Response(body=packed, content_type="text/xml", headers={"Content-Encoding": "gzip"}))
        tracemalloc.start()
        try:
            with pytest.raises(ReplyTooLarge):
                await client.query(QUESTION)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak < 4 * LIMIT


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://api.intacct.com.evil.example/ia/xml/xmlgw.phtml",
        "file:///etc/passwd",
        "https://user:pass@intacct.evil.example/",
        "//evil.example/x",
    ],
)
async def test_an_endpoint_outside_the_rules_gets_neither_session_nor_request(running: Running, endpoint: str) -> None:
    async with running(endpoint=endpoint) as (simulator, client):
        with pytest.raises(ConfigError) as caught:
            await client.query(QUESTION)

    assert caught.value.code == "MLC-INTACCT-0114"
    assert simulator.counts.requests == 1


@pytest.mark.parametrize("kind", ["not utf-8", "gzip cut", "gzip broken", "deep", "foreign"])
async def test_a_source_loses_nothing_to_it(running: Running, world: World, kind: Any) -> None:
    async with running() as (simulator, client):
        source = BillsSource(client, BillsSettings(page_size=15))
        found, cursor, more, failures = set(), None, True, 0
        simulator.faults.add(*(Fault(kind=kind, function="query", nth=nth, size=1000) for nth in (2, 4, 7)))
        while more:
            try:
                page = await source.read(Window(), cursor)
            except TransientError:
                failures += 1
                continue
            found |= {record.key for record in page.records}
            cursor, more = page.cursor, page.more

    assert failures == 3
    assert len(found) == len(world.bills)
