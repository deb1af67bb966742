"""Who may come in, and the sliding sessions they get. Times come from outside; nothing here reads a clock."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import msgspec

from stages.ap.seed.world import World


class Session(msgspec.Struct, kw_only=True):
    """``location`` is the entity it belongs to, "" for the top level. ``deadline`` moves with every use."""

    id: str
    user: str
    company: str
    location: str
    started: datetime
    deadline: datetime


class Sessions:
    """Open sessions of one company. A session is refused from its deadline on, and forgotten."""

    def __init__(self, world: World, *, duration: timedelta, rng: random.Random) -> None:
        self._world = world
        self._duration = duration
        self._rng = rng
        self._open: dict[str, Session] = {}
        self._entities = {entity.id for entity in world.entities}

    def knows(self, *, user: str, company: str, password: str) -> bool:
        world = self._world
        return (user, company, password) == (world.user, world.company, world.user_password)

    def has_entity(self, location: str) -> bool:
        return not location or location in self._entities

    def open(self, location: str, now: datetime, *, listed: bool = True) -> Session:
        """A new session; one that is not ``listed`` only lives for the request it came with."""
        session = Session(
            id=f"{self._rng.getrandbits(128):032x}..",
            user=self._world.user,
            company=self._world.company,
            location=location,
            started=now,
            deadline=now + self._duration,
        )
        if listed:
            self._open[session.id] = session
        return session

    def use(self, id: str, now: datetime) -> Session | None:
        """The session, its deadline pushed out; None when there is none or it has run out."""
        session = self._open.get(id)
        if session is None or now >= session.deadline:
            self._open.pop(id, None)
            return None
        session.deadline = now + self._duration
        return session

    def end_all(self) -> None:
        """As a policy change or a restart would: every session is invalid from now on."""
        self._open.clear()
