"""Sterling: interchanges delivered to a server that takes 50 ms for each call, over 8 connections, the ledger and its commit points included.

The floor posts the same bytes to the same server over 8 connections and does nothing else. Every partner's messages must arrive in
order. The server has a process of its own, writes down what arrived, and knows only what delivery needs.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import aiohttp
import anyio

from bench.measure import Ratio, best_of
from pipeline import Counter, Document, Record, Stored, SystemClock
from pipeline.engine.request import RunRequest
from pipeline.engine.runner import run_flow
from pipeline.engine.services import Services, Stopping
from pipeline.flow.model import Connection, Flow, Input, Stage
from pipeline.registry import load_registry
from pipeline.stage import StageSpec
from pipeline.store import open_ledger
from pipeline.testing import ListSource

PARTNERS = 40
EACH = 24
CONNECTIONS = 8
ANSWERS_IN = 0.05
BAR = 1.25  # 80 % of what the connections allow
BODY = b"ISA*00*          *00*          *ZZ*HARBORVALE     *ZZ*PARTNER        *" + b"X" * 1800


def run() -> list[Ratio]:
    deliveries = PARTNERS * EACH
    with server() as url:
        ours, floor = best_of(2, lambda: anyio.run(delivered, url), lambda: anyio.run(posted, url))
    return [
        Ratio(
            bench="sterling",
            what=f"{deliveries} interchanges to {PARTNERS} partners, {CONNECTIONS} connections, answers in {ANSWERS_IN * 1000:.0f} ms",
            floor=f"the same posts over {CONNECTIONS} connections; they allow {CONNECTIONS / ANSWERS_IN:.0f} a second",
            ours_seconds=ours, floor_seconds=floor, units=deliveries, bar=BAR,
        )
    ]  # fmt: skip


# --- ours -------------------------------------------------------------------------------------------------------------


class Lines:
    """An encoder of one document each, numbered per partner."""

    def render(self, record: Record) -> list[Document]:
        partner = record.body["partner"]
        return [Document(set="810", partner=partner, body=BODY, address=f"/{partner}/Inbound", plan="bench")]

    def amend(self, document: Document, version: int) -> Document:
        return document

    def counters(self, documents: Sequence[Stored]) -> list[Counter]:
        return [Counter(documents[0].partner, "ISA13")]

    def pack(self, documents: Sequence[Stored], numbers: Mapping[str, int], now: datetime) -> bytes:
        return b"%09d" % numbers["ISA13"] + documents[0].body


async def delivered(url: str) -> float:
    """Seconds of one run with a new ledger, from reading to the last delivery; what arrived is looked at."""
    records = [
        Record(key=f"{partner}-{n}", kind="bill", object="bill", body={"partner": f"P{partner:03d}"}, digest="d")
        for n in range(EACH)
        for partner in range(PARTNERS)
    ]
    registry = load_registry()
    await _arrived(url)  # what the floor left
    with tempfile.TemporaryDirectory() as folder:
        flow = _flow(url, Path(folder), records, registry.stage("sterling.mailbox", "sink"))
        async with open_ledger(f"sqlite:///{folder}/ledger.db", SystemClock()) as ledger:
            began = time.perf_counter()
            report = await run_flow(flow, registry, ledger, Services.system({}), RunRequest(), Stopping())
            elapsed = time.perf_counter() - began
    assert report.totals.counts["delivered"] == len(records), report.as_json()
    _check_order(await _arrived(url))
    return elapsed


def _flow(url: str, folder: Path, records: list[Record], sink: StageSpec | None) -> Flow:
    settings = {
        "url": url,
        "auth": {"basic": {"user": "bench", "password": "bench"}},
        "concurrency": CONNECTIONS,
    }
    source = StageSpec(name="bench.source", verb="source", build=lambda *_: ListSource(records, page_size=200))
    encoder = StageSpec(name="bench.encoder", verb="encode", build=lambda *_: Lines())
    return Flow(
        name="bench",
        version=1,
        about="",
        file=folder / "bench.yaml",
        digest="bench",
        connections=(Connection(name="b2bi", type="sterling", settings=settings, line=1),),
        stages=(
            Stage(name="source", verb="source", component="bench.source", spec=source),
            Stage(name="encode", verb="encode", component="bench.encoder", spec=encoder, inputs=(Input("source"),)),
            Stage(
                name="sink",
                verb="sink",
                component="sterling.mailbox",
                spec=sink,
                via="b2bi",
                lane="partner",
                inputs=(Input("encode"),),
            ),
        ),
    )


async def _arrived(url: str) -> list[str]:
    """The names that arrived since the last look, in order."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/arrived") as response:
        names: list[str] = await response.json()
    return names


def _check_order(arrived: list[str]) -> None:
    """Each partner's messages arrived in the order of their numbers, each once."""
    found: dict[str, list[int]] = {}
    for name in arrived:
        _, partner, number, _ = name.split("_")
        found.setdefault(partner, []).append(int(number))
    assert set(map(tuple, found.values())) == {tuple(range(1, EACH + 1))}, found
    assert len(found) == PARTNERS


# --- the floor ----------------------------------------------------------------------------------------------------------


async def posted(url: str) -> float:
    """Seconds for the same posts and nothing else."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    began = time.perf_counter()
    async with aiohttp.ClientSession(connector=connector) as http, anyio.create_task_group() as tasks:
        for n in range(PARTNERS * EACH):
            tasks.start_soon(_post, http, url, f"mlc_P{n % PARTNERS:03d}_{n:09d}_x")
    return time.perf_counter() - began


async def _post(http: aiohttp.ClientSession, url: str, name: str) -> None:
    form = aiohttp.FormData()
    form.add_field("upstream", BODY, filename=name, content_type="application/edi-x12")
    form.add_field("mailboxName", "/P/Inbound")
    async with http.post(f"{url}/messagebatches/", data=form) as response:
        assert response.status == 201, await response.text()
        await response.read()


# --- the server -----------------------------------------------------------------------------------------------------------


@contextmanager
def server() -> Iterator[str]:
    """The server in a process of its own; yields the address of its APIs."""
    with subprocess.Popen([sys.executable, "-m", "bench.sterling"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def serve() -> None:
    """Takes uploads in `ANSWERS_IN` seconds each, as many at once as there are connections; ``GET arrived`` empties its list."""
    arrived: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            length = 0
            while (header := await reader.readline()) not in (b"\r\n", b""):
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            body = await reader.readexactly(length)
            status, told = 200, "[]"
            if line.startswith(b"POST"):
                await asyncio.sleep(ANSWERS_IN)
                arrived.append(body.split(b'filename="')[1].split(b'"')[0].decode())
                status, told = 201, json.dumps({"Location": f"http://x/messagebatches/{len(arrived)}"})
            elif b"/arrived" in line:
                told = json.dumps(arrived)
                arrived.clear()
            head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(told)}\r\n\r\n"
            writer.write((head + told).encode())
            await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0, limit=1 << 20)
    port = listening.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/B2BAPIs/svc", flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
