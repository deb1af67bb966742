"""What the generic stages are built with in tests: a folder of their own, virtual time, work done in place."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import Context
from pipeline.testing import ManualClock, SequenceIds


async def in_place(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(
        stage="under test",
        folder=tmp_path,
        clock=ManualClock(),
        ids=SequenceIds(),
        rng=random.Random(1),
        offload=in_place,
    )
