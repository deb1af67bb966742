"""A strict and awkward Sage Intacct XML gateway on a loopback socket, with seeded data and faults on request.

`start_simulator` is the adapter's door; `IntacctSimulator` is the one for tests. It shares no code with the client, so that a
misreading of the protocol cannot pass unseen.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from pipeline import Simulation, SimulatorOptions
from stages.ap.seed import build_world
from stages.intacct.simulator.faults import Call, Fault, FaultKind, FaultPlan
from stages.intacct.simulator.gateway import Behaviour, Counts
from stages.intacct.simulator.server import IntacctSimulator

__all__ = ["Behaviour", "Call", "Counts", "Fault", "FaultKind", "FaultPlan", "IntacctSimulator", "start_simulator"]


@asynccontextmanager
async def start_simulator(options: SimulatorOptions) -> AsyncIterator[Simulation]:
    """A running simulator over the seeded world, listening on 127.0.0.1 until the context is left."""
    with _uncollected():
        world = build_world(seed=options.seed, bills=options.bills, months=options.months)
        behaviour = Behaviour(second_endpoint=options.profile != "one-endpoint")
        simulator = IntacctSimulator(world, options.clock, behaviour=behaviour, seed=options.seed, port=options.port)
    async with simulator:
        yield simulator


@contextmanager
def _uncollected() -> Iterator[None]:
    """Books of 100,000 bills are some millions of objects, none of them garbage: looking for some would take longer than making them."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
