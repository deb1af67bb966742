"""What all tests share: the settings of hypothesis, and canned HTTP answers for the unit tests of one adapter.

Anything else belongs into the conftest.py of the folder that uses it, or, if authors of stages need it too, into
`pipeline.testing`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import aiohttp
import aioresponses
import aioresponses.core
import pytest
from hypothesis import settings

# A slow machine is no failure: what must not hang is bounded by the timeout in pyproject.toml.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


class _Response(aiohttp.ClientResponse):
    """aiohttp from 3.14 on demands an argument that aioresponses 0.7 does not know of yet."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **{"stream_writer": Mock(output_size=0), **named})


@pytest.fixture
def responses(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses.aioresponses]:
    """Canned answers to aiohttp requests, without a socket. It bypasses sessions' time-outs and middlewares: where
    these matter, run a server on loopback instead.
    """
    if "stream_writer" in inspect.signature(aiohttp.ClientResponse.__init__).parameters:
        monkeypatch.setattr(aioresponses.core, "ClientResponse", _Response)
    with aioresponses.aioresponses() as canned:
        yield canned
