"""What a whole reply means: readable or not, who refused what, how long the session lasts. Whatever it quotes, no secret is left in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from pipeline import Clock, TransientError
from stages.intacct.client import Received
from stages.intacct.protocol.faults import UNKNOWN_FAULT, Place, fault_error, http_error, scrub, unreadable_error
from stages.intacct.protocol.hiding import Hidden
from stages.intacct.protocol.responses import Reply, Unreadable, read_reply
from stages.intacct.session import lifetime, moment

OFFLOAD_BYTES = 256 * 1024
"""Replies larger than this are parsed off the event loop: the parser frees the interpreter while it works."""
_LONGEST_RETRY_AFTER_TEXT = 64


class Answer(msgspec.Struct, frozen=True):
    """A readable reply, the scrubbing done. ``life`` is how long the session lasts from now, None when it does not say."""

    status: int
    reply: Reply
    life: timedelta | None
    retry_after: float | None

    def raise_refusal(self, place: Place) -> None:
        """Raises what the control level or the sign-in has against the request as a whole, if anything."""
        if self.reply.failed is None:
            return
        error = fault_error(self.reply.failed, self.reply.faults, place, retry_after=self.retry_after)
        if self.status >= 500 and error.code == UNKNOWN_FAULT:
            error = http_error(self.status, place, retry_after=self.retry_after, detail=error.why)
        raise error

    def raise_incomplete(self, place: Place) -> None:
        """Raises when it does not tell what was done: a failure of the gateway itself, or no result."""
        if self.status < 500 and (self.reply.failed or self.reply.outcomes):
            return
        self.raise_refusal(place)
        raise TransientError(
            "Intacct's reply holds no result", where=f"{place.function} at {place.host}", why="the reply is incomplete",
            mend="nothing to do: it is tried again", code="MLC-INTACCT-0205",
        )  # fmt: skip


class Answers:
    """Reads what comes over one connection. ``skew`` is what the server's clock is ahead of ours, None before a reply told its time."""

    def __init__(self, clock: Clock, offload: Callable[..., Awaitable[Any]], hidden: Hidden) -> None:
        self.skew: timedelta | None = None
        self._clock = clock
        self._offload = offload
        self._hidden = hidden

    async def read(self, received: Received, place: Place) -> Answer:
        """The reply. Raises what an HTTP failure without one means, or that it cannot be read."""
        status, headers, content = received.status, received.headers, received.content
        if (served := _http_date(headers.get("Date"))) is not None:
            self.skew = served - self._clock.now()
        retry_after = _retry_after(headers.get("Retry-After"), served or self._clock.now())
        if status != 200 and not (content.strip() and b"<" in content[:_LONGEST_RETRY_AFTER_TEXT]):
            raise http_error(status, place, retry_after=retry_after)
        try:
            reply = await self._parse(content)
        except Unreadable as error:
            problem = error
        else:
            return self._answer(reply, status, headers, retry_after, place)
        raise unreadable_error(problem, status, place, self._hidden, retry_after=retry_after)

    def _answer(
        self, reply: Reply, status: int, headers: Mapping[str, str], retry_after: float | None, place: Place
    ) -> Answer:
        outcomes = tuple(
            msgspec.structs.replace(item, faults=scrub(item.faults, self._hidden)) for item in reply.outcomes
        )
        reply = msgspec.structs.replace(reply, faults=scrub(reply.faults, self._hidden), outcomes=outcomes)
        if status != 200 and reply.failed is None and all(item.ok for item in reply.outcomes):
            raise http_error(status, place, retry_after=retry_after)
        if status == 429 or (status >= 500 and not reply.faults):
            raise http_error(status, place, retry_after=retry_after)
        life = lifetime(
            reply.session_timeout, self._clock.now(), _http_date(headers.get("Date")), moment(reply.session_timestamp)
        )
        return Answer(status, reply, life, retry_after)

    async def _parse(self, content: bytes) -> Reply:
        if len(content) <= OFFLOAD_BYTES:
            return read_reply(content)
        reply: Reply = await self._offload(read_reply, content)
        return reply


def _retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds, from a number or an HTTP date. Nonsense is as good as nothing."""
    if text is None:
        return None
    text = text.strip()[:_LONGEST_RETRY_AFTER_TEXT]
    if text.isascii() and text.isdigit():
        return float(text)
    when = _http_date(text)
    return None if when is None else max(0.0, (when - now).total_seconds())


def _http_date(text: str | None) -> datetime | None:
    try:
        when = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError):
        return None
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)
