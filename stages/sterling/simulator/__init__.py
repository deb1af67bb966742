"""A strict and awkward server of the B2B REST APIs on a real loopback socket, with a fault plan and a log of effects.

It shares no code with the client: what both get wrong would pass. Start it with `start_simulator`, or build a
`SterlingSimulator` over a world of one's own and ``async with simulator.listen()``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pipeline import SimulatorOptions
from stages.sterling.simulator.correspondence import (
    ORDER_SHARES,
    SHARES,
    TAKING_SHARES,
    Correspondents,
    correspondence,
    drawn,
    leave_mail,
    outbound,
)
from stages.sterling.simulator.entities import Message
from stages.sterling.simulator.faults import Fault, Faults
from stages.sterling.simulator.profiles import PROFILES
from stages.sterling.simulator.seeding import open_mailbox
from stages.sterling.simulator.server import SterlingSimulator
from stages.sterling.simulator.switches import HeaderKey, OAuth, Switches


@asynccontextmanager
async def start_simulator(options: SimulatorOptions) -> AsyncIterator[SterlingSimulator]:
    """Serves the seeded world of ``options`` on 127.0.0.1 until the block ends. Its partners answer what they are sent."""
    from stages.ap.seed import build_world

    world = build_world(seed=options.seed, bills=options.bills, months=options.months)
    switches = PROFILES[options.profile or "plain"]
    simulator = SterlingSimulator(world, options.clock, switches=switches, port=options.port)
    for partner in world.partners:
        open_mailbox(simulator.hub, outbound(partner.mailbox))
    leave_mail(simulator, world.partners)
    simulator.hub.effects.clear()  # seeding is no effect
    partners, seed = world.partners, options.seed
    answering = correspondence(
        simulator,
        partners,
        drawn(partners, seed, SHARES),
        drawn(partners, seed + 1, TAKING_SHARES),
        drawn(partners, seed + 2, ORDER_SHARES),
    )
    async with simulator.listen(), answering:
        yield simulator


__all__ = [
    "PROFILES",
    "Correspondents",
    "Fault",
    "Faults",
    "HeaderKey",
    "Message",
    "OAuth",
    "SterlingSimulator",
    "Switches",
    "correspondence",
    "drawn",
    "open_mailbox",
    "outbound",
    "start_simulator",
]
