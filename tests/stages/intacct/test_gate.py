"""The gate: turns, fewer after a throttling answer and more after successes; alone, and in front of the simulator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from aiohttp import web

from pipeline import CalledOff, Context, Duration, Secret, Shared, StageError, ThrottledError
from pipeline.testing.clock import ManualClock
from stages.ap.seed import build_world
from stages.intacct.company import IntacctClient, open_intacct, slots_of
from stages.intacct.config import IntacctConfig
from stages.intacct.gate import PATIENCE, Gate, Gates
from stages.intacct.protocol.query import Query
from stages.intacct.reader import concurrently
from stages.intacct.simulator import Behaviour, Fault, FaultKind, IntacctSimulator


def made(most: int) -> Gate:
    return Gate(Shared().turns("Intacct ACME", most))


async def test_a_throttled_turn_halves_the_limit_and_never_below_one() -> None:
    gate, limits = made(9), []
    for _ in range(5):
        async with gate.turn() as turn:
            gate.throttled(turn)
        limits.append(gate.limit)
    assert limits == [4, 2, 1, 1, 1]


async def test_requests_throttled_together_count_once() -> None:
    gate = made(8)
    async with gate.turn() as first, gate.turn() as second:
        gate.throttled(first)
        gate.throttled(second)
    assert gate.limit == 4


async def test_successes_in_a_row_raise_the_limit_up_to_the_most() -> None:
    gate = made(3)
    async with gate.turn() as turn:
        gate.throttled(turn)
    limits = []
    for _ in range(4 * PATIENCE):
        gate.succeeded()
        limits.append(gate.limit)
    assert limits == [1] * (PATIENCE - 1) + [2] * PATIENCE + [3] * (2 * PATIENCE + 1)


def test_clients_of_one_company_share_a_gate_and_the_smallest_number() -> None:
    gates = Gates(Shared())
    assert gates.of("ACME", 5) is gates.of("ACME", 3)
    assert gates.of("ACME", 4).limit == 3
    assert gates.of("OTHER", 5) is not gates.of("ACME", 5)


class Waves:
    """Queries of one client, answered in waves: each advance of the clock lets those under way at the simulator go on."""

    def __init__(self, clock: ManualClock, simulator: IntacctSimulator, client: IntacctClient, gate: Gate) -> None:
        self.clock, self.simulator, self.client, self.gate = clock, simulator, client, gate
        self.throttled = self.refused = 0
        self._left = 0

    async def run(self, count: int) -> list[int]:
        """How many were under way in each wave."""
        sizes = []
        self._left = count
        async with anyio.create_task_group() as tasks:
            for _ in range(count):
                tasks.start_soon(self._ask)
            while self._left:
                sizes.append(await self._settled())
                await self.clock.advance(1)
        return sizes

    async def _ask(self) -> None:
        try:
            await self.client.query(Query(object="VENDOR", fields=("RECORDNO",), page_size=1))
        except ThrottledError:
            self.throttled += 1
        except StageError:
            self.refused += 1
        self._left -= 1

    async def _settled(self) -> int:
        """The number of requests that wait at the simulator, once all that may be under way are there, or more than may."""
        calm = 0
        with anyio.fail_after(20):
            while calm < 5 and self._left:
                await anyio.sleep(0.002)
                calm = calm + 1 if self.clock.sleepers >= min(self.gate.limit, self._left) else 0
        return self.clock.sleepers


@pytest.fixture
def waves(context: Context) -> Callable[..., Any]:
    async def run(work: Callable[[Waves], Any], **settings: Any) -> None:
        world = build_world(bills=0)
        clock = ManualClock(datetime(2026, 11, 2, 12, tzinfo=UTC))
        async with IntacctSimulator(world, clock, behaviour=Behaviour(latency_seconds=1)) as simulator:
            config = IntacctConfig(
                url=simulator.url,
                sender_id=world.sender,
                sender_password=Secret(world.sender_password),
                company_id=world.company,
                user_id=world.user,
                user_password=Secret(world.user_password),
                patience=Duration(0),
                **settings,
            )
            async with open_intacct(config, context) as client:
                gate = context.shared.of(Gates, lambda: Gates(context.shared)).of(slots_of(config), config.concurrency)
                waves = Waves(clock, simulator, client, gate)
                await waves.run(1)  # the sign-in
                await work(waves)

    return run


@pytest.mark.parametrize("kind", ["throttled", "throttled in 200", "rate text in 200"])
async def test_a_throttling_answer_halves_what_is_under_way_and_successes_raise_it(waves: Any, kind: FaultKind) -> None:
    async def work(wave: Waves) -> None:
        assert await wave.run(9) == [4, 4, 1]
        wave.simulator.faults.add(Fault(kind=kind, function="query"))
        sizes = await wave.run(5 + 3 * PATIENCE)
        assert wave.throttled == 1
        assert sizes[0] == 4
        assert sizes[1] <= 3  # who was answered first may have been followed before the other was throttled
        assert sizes[2] == 2
        assert max(sizes[3:]) == 4
        assert sizes[3:].index(3) < sizes[3:].index(4)

    await waves(work, concurrency=4)


async def test_a_failure_that_is_no_throttling_changes_nothing(waves: Any) -> None:
    async def work(wave: Waves) -> None:
        wave.simulator.faults.add(Fault(kind="invalid", function="query"))
        await wave.run(4)
        assert wave.refused == 1
        assert await wave.run(8) == [4, 4]

    await waves(work, concurrency=4)


async def test_waiting_for_a_turn_uses_up_no_patience(
    open_client: Any, gateway: Any, context: Context, clock: ManualClock
) -> None:
    """A call that waited a minute is still repeated after a passing failure, though our patience is five seconds."""
    gateway.tables["VENDOR"] = []
    async with open_client(patience=Duration(5), concurrency=1) as client:
        await client.sign_in()
        gateway.script = [web.Response(status=503)]
        turns, done = context.shared.turns(slots_of(client.config), 1), anyio.Event()

        async def ask() -> None:
            await client.query(Query(object="VENDOR", fields=("RECORDNO",), page_size=1))
            done.set()

        async with anyio.create_task_group() as tasks:
            async with turns.turn():
                tasks.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                await clock.advance(60)
            with anyio.fail_after(20):
                while not done.is_set():
                    await anyio.sleep(0.002)
                    await clock.advance(1 if clock.sleepers else 0)
    assert len(gateway.functions("query")) == 2


async def test_what_is_asked_together_is_called_off_together_and_as_itself() -> None:
    shared = Shared()
    gate = Gate(shared.turns("Intacct ACME", 1))

    async def ask() -> None:
        async with gate.turn():
            pass

    async with gate.turn(), anyio.create_task_group() as tasks:

        async def asks() -> None:
            with pytest.raises(CalledOff):
                await concurrently([ask, ask])

        tasks.start_soon(asks)
        await anyio.wait_all_tasks_blocked()
        shared.call_off()
