"""The fault plan: what goes wrong with which request, and how often. Nothing here touches a socket or the server's state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Literal

Kind = Literal[
    "latency",  # waits ``seconds``
    "reset",  # the connection is torn down without a response
    "hold",  # the response waits for ``release``
    "unavailable",  # 503, HTML
    "server_error",  # ``status`` (500), HTML; 504 with ``after`` is the router that gave up on a call that completes
    "null_pointer",  # 400 with a NullPointerException in the error object
    "refused",  # 400 with an error object that says what is not valid
    "unauthorized",  # 401
    "throttled",  # 429 with Retry-After of ``seconds``
    "maintenance",  # 503, HTML, for ``seconds`` from the first request on that it hits; afterwards nothing
    "late",  # 504, HTML, at once; the request is carried out ``seconds`` later all the same
    "html",  # an HTML page with ``status`` (200, 404, 502 ...)
    "truncated",  # the JSON body ends early, HTTP is well-formed
    "cut",  # the connection ends in the middle of the body
    "hidden",  # message lists omit what is younger than ``seconds``
    "shifted",  # the window starts ``rows`` earlier (rows repeat); negative: later (rows are missed)
    "repeated",  # the first ``rows`` rows of a list appear twice
    "partial",  # a new partner is made without its parts in ``lacking`` (user, mailbox, root), and the answer is 500; a routing
    # channel is deleted, and the answer is API000102
    "effect",  # nothing goes wrong; only ``on_effect`` is called
]


@dataclass(kw_only=True)
class Fault:
    """One entry of the plan.

    ``match`` is a shell pattern over ``"METHOD collection/id/..."`` (collection in lower case, for example ``POST messagebatches``,
    ``GET mailboxmessages*``, ``POST token``), or a function of that text. ``skip`` lets that many matching requests by first;
    ``times`` is how many it then hits, None for all. ``after`` moves resets, latency and refusals behind the effect: the
    request took effect, its answer tells otherwise. ``on_effect`` is called between effect and answer; ``reached`` is set
    there; a ``hold`` then waits for ``release``.
    """

    kind: Kind
    match: str | Callable[[str], bool] = "*"
    times: int | None = 1
    skip: int = 0
    after: bool = False
    seconds: float = 0.0
    status: int = 0
    rows: int = 1
    lacking: frozenset[str] = frozenset()
    on_effect: Callable[[], Awaitable[None] | None] | None = None
    release: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    hits: int = 0
    seen: int = 0
    began: datetime | None = None  # of a maintenance

    def __post_init__(self) -> None:
        if self.kind == "maintenance":
            self.times = None  # it is over when its time is

    def takes(self, request: str) -> bool:
        """Whether this request is hit; counts it."""
        if not (self.match(request) if callable(self.match) else fnmatchcase(request, self.match)):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True


class Faults:
    """The plan of one simulator. Several entries may hit one request; they act in the order they were added."""

    def __init__(self) -> None:
        self._plan: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        self._plan.append(fault)
        return fault

    def clear(self) -> None:
        """Ends every fault and releases what is held."""
        for fault in self._plan:
            fault.release.set()
        self._plan = []

    def take(self, request: str) -> list[Fault]:
        """The faults that hit this request."""
        return [fault for fault in self._plan if fault.takes(request)]
