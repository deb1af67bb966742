"""`check --live` says who let us in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import checks, demo
from pipeline.registry import load_registry

FLOWS = Path(__file__).parents[3] / "flows"


async def test_each_connection_that_signed_in_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = load_registry()
    async with AsyncExitStack() as stack:
        simulations = [await stack.enter_async_context(s) for s in demo._simulators(registry, 0, 1, {})]
        for name, value in demo._merged(simulations).items():
            monkeypatch.setenv(name, value)
        assert await checks.check([str(FLOWS / "bills.yaml")], live=True) == 0
        told = capsys.readouterr().out
        assert "signed in to books (intacct)" in told
        assert "signed in to b2bi (sterling)" in told
        monkeypatch.setenv("INTACCT_USER_PASSWORD", "wrong")
        assert await checks.check([str(FLOWS / "bills.yaml")], live=True) == 4
        assert "signed in" not in capsys.readouterr().out


def test_a_check_without_live_signs_in_nowhere(desk: Any, call: Callable[..., Any]) -> None:
    told = call("check", str(desk.flow), "--json").json
    assert [flow["signed_in"] for flow in told["flows"]] == [[]]
