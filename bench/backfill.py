"""Bills end to end through the shipped flow, against both simulators in their own processes.

The floor sends the very same requests and posts the very same interchanges: it fetches, parses the XML and posts, and does nothing
else. So the ratio is what mapping, routing, encoding, the ledger and delivery cost on top.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
import anyio
from lxml import etree

from bench.measure import Ratio, best_of
from pipeline import SystemClock
from pipeline.cli.shipped import shipped_flows
from pipeline.engine.request import RunRequest
from pipeline.engine.runner import run_flow
from pipeline.engine.services import Services, Stopping
from pipeline.flow.load import load_flow
from pipeline.registry import load_registry
from pipeline.store import open_ledger

BILLS = 3000
POSTS_AT_ONCE = 4

Fetch = tuple[str, bytes]
"""(address, body) of one request to the gateway."""

Posted = tuple[str, str, bytes]
"""(mailbox, message name, payload) of one interchange."""


@contextmanager
def simulators() -> Iterator[dict[str, str]]:
    """Both simulators in a process of their own; yields the variables that point the shipped flows at them."""
    command = [sys.executable, "-m", "pipeline", "simulate", "--bills", str(BILLS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert process.stdout is not None
            while "Ctrl-C" not in (process.stderr.readline() or "Ctrl-C"):
                pass
            os.set_blocking(process.stdout.fileno(), False)
            lines = process.stdout.read().splitlines()
            yield {
                name: value.strip("'") for name, value in (line.removeprefix("export ").split("=", 1) for line in lines)
            }
        finally:
            process.terminate()


async def ours(environment: dict[str, str], folder: str) -> tuple[float, list[Posted]]:
    """One run of the shipped flow with a new ledger: its seconds, and what it posted."""
    for file in Path(folder).glob("ledger.db*"):
        file.unlink()
    registry = load_registry()
    flow, findings = load_flow(shipped_flows() / "bills.yaml", registry, environment, live=True)
    assert flow is not None, findings
    async with open_ledger(f"sqlite:///{folder}/ledger.db", SystemClock()) as ledger:
        began = time.perf_counter()
        report = await run_flow(flow, registry, ledger, Services.system(environment), RunRequest(), Stopping())
        elapsed = time.perf_counter() - began
        assert report.balanced, report.as_json()
        assert report.totals.read == BILLS, report.as_json()
        posted = [await ledger.reports.delivery(id_ + 1) for id_ in range(report.totals.deliveries)]
    return elapsed, [(item["address"], item["name"], item["payload"]) for item in posted if item]


def recording(requests: list[Fetch], url: str) -> Any:
    """Patches aiohttp so that every request to the gateway is kept."""
    original = aiohttp.ClientSession._request

    async def request(self: aiohttp.ClientSession, method: str, target: Any, **options: Any) -> Any:
        if str(target).startswith(url):
            requests.append((str(target), options["data"]))
        return await original(self, method, target, **options)

    return mock.patch.object(aiohttp.ClientSession, "_request", request)


async def floor(environment: dict[str, str], fetches: list[Fetch], posted: list[Posted]) -> float:
    """The same requests and the same posts, with nothing in between but parsing."""
    b2bi = environment["STERLING_URL"]
    headers = {
        "Authorization": aiohttp.encode_basic_auth(environment["STERLING_USER"], environment["STERLING_PASSWORD"])
    }
    began = time.perf_counter()
    async with aiohttp.ClientSession() as http:
        for url, body in fetches:
            async with http.post(url, data=body, headers={"Content-Type": "application/xml"}) as response:
                reply = etree.fromstring(await response.read())
                assert {status.text for status in reply.iter("status")} == {"success"}, (
                    "the floor must fetch what ours fetches"
                )
        limiter = anyio.CapacityLimiter(POSTS_AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for entry in posted:
                tasks.start_soon(_post, http, b2bi, headers, entry, limiter)
    return time.perf_counter() - began


async def _post(
    http: aiohttp.ClientSession, url: str, headers: dict[str, str], entry: Posted, limiter: anyio.CapacityLimiter
) -> None:
    mailbox, name, payload = entry
    form = aiohttp.FormData()
    form.add_field("upstream", payload, filename=name, content_type="application/edi-x12")
    form.add_field("mailboxName", mailbox)
    async with limiter, http.post(f"{url}/messagebatches/", data=form, headers=headers) as response:
        assert response.status == 201, await response.text()


def run() -> list[Ratio]:
    with simulators() as variables, tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, **variables, "MLC_PARTNERS": ""}
        fetches: list[Fetch] = []
        host = environment["INTACCT_URL"].split("/ia/")[0]
        with recording(fetches, host):
            _, posted = anyio.run(ours, environment, folder)
        best_ours, best_floor = best_of(
            3, lambda: anyio.run(ours, environment, folder)[0], lambda: anyio.run(floor, environment, fetches, posted)
        )
    return [
        Ratio(
            bench="backfill", what=f"{BILLS} bills from the gateway to the mailboxes, ledger and all",
            floor=f"only the same {len(fetches)} fetches, parsed, and the same {len(posted)} posts",
            ours_seconds=best_ours, floor_seconds=best_floor, units=BILLS,
        )
    ]  # fmt: skip
