"""The shared fixture works with the aiohttp that is installed."""

from __future__ import annotations

import aiohttp
from aioresponses import aioresponses


async def test_a_canned_answer_comes_back_with_its_status_and_body(responses: aioresponses) -> None:
    responses.get("http://gateway.test/vendors", status=503, body="closed")
    async with aiohttp.ClientSession() as session, session.get("http://gateway.test/vendors") as answer:
        assert (answer.status, await answer.text()) == (503, "closed")
