"""Locks beside the ledger. They are the system's: it drops them when their process ends, however it ends, and no clock is involved."""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import anyio

from pipeline.clock import Clock
from pipeline.errors import CalledOff
from pipeline.shared import Waits

LOOK_SECONDS = 0.02
"""How often a process that waits looks again, on average: the lock is the system's, but nobody is called when it is dropped."""
BEHIND_SECONDS = 0.5
"""How often those behind the head of the line look at the slots. The head looks so much more often that it is the first, unless it stands still."""
PATIENT_SECONDS = 30.0
"""After so much waiting for a slot people are told what is waited for."""
_NAME_DIGITS = 16


def beside(ledger: Path, name: str) -> Path:
    """The lock file of that name."""
    return ledger.with_name(f"{ledger.name}.{name}.lock")


def try_lock(file: Path) -> int | None:
    """The descriptor that holds the lock until it is closed; None while anyone else has it, in whatever process. Raises `OSError`."""
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return descriptor


@contextmanager
def waiting_lock(file: Path) -> Iterator[None]:
    """Holds the lock, having waited for it in this thread: for what takes no time."""
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class HostSlots:
    """The slots of what allows only so many calls at once (`pipeline.shared.Host`), for all processes whose ledger is this file.

    Each slot is a lock file. Who waits for one holds another meanwhile, which makes it the head of the line: it gets the next slot, and those behind
    have the same chance to be the next head. In this process they are first come, first served. The head may be a process that was stopped (a laptop
    asleep, Ctrl-Z), which takes nothing: so those behind look at the slots as well, seldom.

    Where there is no folder for a ledger there is no other process either, and nothing is locked. Where files cannot be locked, ``tell`` is told.
    """

    def __init__(self, ledger: Path, clock: Clock, rng: random.Random, tell: Callable[[str], None]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._rng = rng
        self._tell = tell
        self._told: set[str] = set()
        self._lines: dict[str, anyio.Lock] = {}

    @asynccontextmanager
    async def slot(self, whose: str, most: int, waits: Waits | None = None) -> AsyncIterator[None]:
        """Holds one of the slots. Cancelled while it waits it holds nothing."""
        descriptor = await self._take(whose, most, waits or Waits())
        try:
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    async def _take(self, whose: str, most: int, waits: Waits) -> int | None:
        # The last slots first: who allows fewer knows only the first ones.
        slots = [self._file(whose, str(number)) for number in reversed(range(most))]
        reason = f"waiting for {whose}: other processes that use this ledger have all its slots ({most})"
        async with self._lines.setdefault(whose, anyio.Lock()):
            try:
                return await self._wait(self._file(whose, "line"), slots, waits, reason)
            except FileNotFoundError:
                return None
            except OSError as error:
                self._say(
                    f"the slots of {whose} are not shared with other processes: {error.strerror}: {error.filename}"
                )
                return None

    async def _wait(self, line: Path, slots: Sequence[Path], waits: Waits, reason: str) -> int:
        """The descriptor of a slot. Whoever waits has seen all of them taken again and again, at the head of the line or behind."""
        now = began = looked = self._clock.monotonic()
        head = None
        try:
            while True:
                head = try_lock(line) if head is None else head
                if head is not None or now - looked >= BEHIND_SECONDS:
                    looked = now
                    if (descriptor := _first(slots)) is not None:
                        return descriptor
                if now - began >= PATIENT_SECONDS:
                    self._say(reason)
                if not await waits.on(partial(self._clock.sleep, LOOK_SECONDS * self._rng.uniform(0.5, 1.5))):
                    raise CalledOff(reason)
                now = self._clock.monotonic()
        finally:
            if head is not None:
                os.close(head)

    def _say(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell(text)

    def _file(self, whose: str, part: str) -> Path:
        digest = hashlib.sha256(whose.encode()).hexdigest()[:_NAME_DIGITS]
        return beside(self._ledger, f"slot_{digest}_{part}")


def _first(files: Sequence[Path]) -> int | None:
    """The descriptor of the first of them that nobody holds."""
    return next((descriptor for file in files if (descriptor := try_lock(file)) is not None), None)
