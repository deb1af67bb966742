"""Intacct: the source of bills against the simulator in a process of its own. How long a page keeps the loop, and what a backfill keeps in memory.

Neither is a speed: the first is held against the 50 ms that deliveries may be kept waiting, the second against the memory of a backfill of
a third of the size.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from bench.measure import Ratio
from pipeline import Context, Secret, SystemClock, Window
from pipeline.cli.execute import settle_memory
from stages.intacct.company import open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.sources import BillsSettings, BillsSource

BILLS = 2_000
SMALL, LARGE = 12_000, 36_000  # a small process still grows into what its allocator keeps: up to some 10,000 bills
ROUNDS = 3
ALLOWED = 0.050  # seconds; what the loop may stand still
_TICK = 0.001


@contextmanager
def simulator(bills: int) -> Iterator[dict[str, str]]:
    """Both simulators in a process of their own, over a year; yields the variables that point at them."""
    command = [sys.executable, "-m", "pipeline", "simulate", "--bills", str(bills), "--months", "12"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert process.stdout is not None
            while "Ctrl-C" not in (process.stderr.readline() or "Ctrl-C"):
                pass
            os.set_blocking(process.stdout.fileno(), False)
            lines = [line.removeprefix("export ").split("=", 1) for line in process.stdout.read().splitlines()]
            yield {name: value.strip("'") for name, value in lines}
        finally:
            process.terminate()


class _Ids:
    def new(self) -> str:
        return uuid.uuid4().hex


async def read(environment: dict[str, str], page_size: int) -> int:
    """Reads every bill, a page after another, and keeps none. Returns how many there were."""
    config = IntacctConfig(
        url=environment["INTACCT_URL"],
        sender_id=environment["INTACCT_SENDER_ID"],
        sender_password=Secret(environment["INTACCT_SENDER_PASSWORD"]),
        company_id=environment["INTACCT_COMPANY_ID"],
        user_id=environment["INTACCT_USER_ID"],
        user_password=Secret(environment["INTACCT_USER_PASSWORD"]),
        page_size=page_size,
    )
    context = Context(
        stage="bills", folder=Path(), clock=SystemClock(), ids=_Ids(), rng=random.Random(1), offload=anyio.to_thread.run_sync
    )  # fmt: skip
    count = 0
    async with open_intacct(config, context) as client:
        source, cursor, more = BillsSource(client, BillsSettings()), None, True
        while more:
            page = await source.read(Window(), cursor)
            cursor, more = page.cursor, page.more
            count += len(page.records)
    return count


async def longest_stall(environment: dict[str, str]) -> float:
    """The longest the loop stood still, in seconds of computing of this process: what others take meanwhile does not count."""
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            wall, busy = time.perf_counter(), time.process_time()
            await anyio.sleep(_TICK)
            late = time.perf_counter() - wall - _TICK
            longest = max(longest, min(late, time.process_time() - busy))

    async with anyio.create_task_group() as group:
        group.start_soon(beat)
        assert await read(environment, BILLS) == BILLS
        group.cancel_scope.cancel()
    return longest


def peak(bills: int) -> float:
    """The most memory, in bytes, that a process of its own had while it read so many bills."""
    with simulator(bills) as environment:
        command = [sys.executable, "-m", "bench.intacct_source"]
        done = subprocess.run(command, env={**os.environ, **environment}, check=True, capture_output=True, text=True)
    read_bills, kilobytes = done.stdout.split()
    assert int(read_bills) == bills
    return int(kilobytes) * 1024


def run() -> list[Ratio]:
    settle_memory()  # as every run does
    with simulator(BILLS) as environment:
        stall = max(anyio.run(longest_stall, environment) for _ in range(ROUNDS))
    small, large = peak(SMALL), peak(LARGE)
    return [
        Ratio(
            bench="intacct_source", what=f"the longest of {ROUNDS} rounds that the loop stands still while pages of {BILLS:,} bills become records",
            floor="the 50 ms it may", ours_seconds=stall, floor_seconds=ALLOWED, units=0, bar=1.0,
        ),
        Ratio(
            bench="intacct_source", what=f"memory of a backfill of {LARGE:,} bills at its peak, {large / 1e6:.0f} MB",
            floor=f"that of one of {SMALL:,}, {small / 1e6:.0f} MB", ours_seconds=large, floor_seconds=small, units=0, bar=1.25,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    counted = anyio.run(read, dict(os.environ), 500)
    status = Path("/proc/self/status").read_text()  # getrusage would tell the parent's peak when that was higher
    print(counted, status.partition("VmHWM:")[2].split()[0])
