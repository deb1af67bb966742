"""A company that allows so few calls at once: every process of ours together keeps to them, and none is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline.clock import SystemClock
from stages.intacct.simulator import Behaviour, IntacctSimulator

COMMANDS = (
    ("run", "bills.yaml"),
    ("run", "vendors.yaml"),
    ("run", "bills.yaml", "--estimate"),
    ("reconcile", "bills.yaml", "--since", "2026-09-01", "--until", "2026-09-30"),
    ("drift", "vendors.yaml"),
    ("doctor", "bills.yaml", "vendors.yaml"),
    ("check", "--live", "vendors.yaml"),
)


@pytest.mark.parametrize("slots", [1, 2])
async def test_commands_side_by_side_are_never_refused_for_want_of_a_slot(rigs: Any, slots: int) -> None:
    async with rigs(40) as rig:
        behaviour = Behaviour(concurrency=slots, queue=0, latency_seconds=0.01)
        async with IntacctSimulator(rig.world, SystemClock(), behaviour=behaviour) as gateway:
            for name in ("bills.yaml", "vendors.yaml"):
                rig.edit(("  books:\n    type:", f"  books:\n    concurrency: {slots}\n    type:"), name=name)
            address = {"INTACCT_URL": gateway.url}
            assert (await rig.command("runs", **address)).code == 0  # makes the ledger
            commands = [
                [str(rig.flows / word) if word.endswith(".yaml") else word for word in words] for words in COMMANDS
            ]
            outcomes = await asyncio.gather(*(rig.command(*words, **address) for words in commands))
            assert gateway.counts.throttled == 0
            assert gateway.counts.logins == len(COMMANDS)
            told = {words[0]: outcome.err for words, outcome in zip(commands, outcomes, strict=True)}
            assert [outcome.code in (0, 5, 7) for outcome in outcomes] == [True] * len(COMMANDS), told
        await rig.check_exactly_once()
