"""A strict and awkward Sage Intacct XML gateway on a loopback socket, with seeded data and faults on request.

`start_simulator` is the adapter's door; `IntacctSimulator` is the one for tests. It shares no code with the client, so that a
misreading of the protocol cannot pass unseen.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pipeline import Simulation, SimulatorOptions
from stages.ap.seed import build_world
from stages.intacct.simulator.faults import Call, Fault, FaultKind, FaultPlan
from stages.intacct.simulator.gateway import Behaviour, Counts
from stages.intacct.simulator.server import IntacctSimulator

__all__ = ["Behaviour", "Call", "Counts", "Fault", "FaultKind", "FaultPlan", "IntacctSimulator", "start_simulator"]


@asynccontextmanager
async def start_simulator(options: SimulatorOptions) -> AsyncIterator[Simulation]:
    """A running simulator over the seeded world, listening on 127.0.0.1 until the context is left."""
    world = build_world(seed=options.seed, bills=options.bills, months=options.months)
    async with IntacctSimulator(world, options.clock, seed=options.seed, port=options.port) as simulator:
        yield simulator
