"""How far one mailbox has been read, as the cursor keeps it. Pure."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import timedelta

import msgspec

from stages.sterling.protocol.representations import Message


class Position(msgspec.Struct):
    """Below ``floor`` everything has been read but what was ``missed``; above it what was ``seen``. As text ``floor;seen;missed;due``.

    ``missed`` could not be read and is still listed: it is read again. ``due`` is in the ledger, and still to be extracted or deleted; by id,
    with the extractions it had left when it was read (None: not counted).
    """

    floor: int = 0
    seen: set[str] = msgspec.field(default_factory=set)
    missed: set[str] = msgspec.field(default_factory=set)
    due: dict[str, int | None] = msgspec.field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Position:
        floor, seen, missed, due = [*text.split(";"), "", "", ""][:4]
        left = [entry.rpartition("=") for entry in _entries(due)]
        return cls(
            int(floor or 0),
            set(_entries(seen)),
            set(_entries(missed)),
            {id_: int(count) if count else None for id_, _, count in left},
        )

    def __str__(self) -> str:
        due = ",".join(f"{id_}={'' if left is None else left}" for id_, left in sorted(self.due.items(), key=_of_entry))
        seen, missed = (",".join(sorted(ids, key=order)) for ids in (self.seen, self.missed))
        return f"{self.floor};{seen};{missed};{due}".rstrip(";")

    def knows(self, id_: str) -> bool:
        return id_ in self.seen or (id_.isdecimal() and int(id_) <= self.floor and id_ not in self.missed)

    def read(self, id_: str) -> None:
        self.seen.add(id_)
        self.missed.discard(id_)

    def move(self, listed: Sequence[Message], open_: set[str], overlap: timedelta) -> None:
        """Raises the floor to what is older than ``overlap`` before the newest message, but below all that is still to be read."""
        newest = max((one.created for one in listed if one.created), default=None)
        least = min((int(id_) for id_ in open_ if id_.isdecimal()), default=None)
        old = [
            int(one.id) for one in listed
            if newest and one.created and one.created < newest - overlap and one.id.isdecimal() and (least is None or int(one.id) < least)
        ]  # fmt: skip
        self.floor = max([self.floor, *old])
        here = {one.id for one in listed}
        self.seen = {id_ for id_ in self.seen if (int(id_) > self.floor if id_.isdecimal() else id_ in here)}
        self.missed &= here

    def settle(self, done: Container[str]) -> None:
        """Forgets that these are due."""
        self.due = {id_: left for id_, left in self.due.items() if id_ not in done}


def order(id_: str) -> tuple[int, int, str]:
    """Ids ascend with arrival; one that is no number comes last."""
    return (0, int(id_), "") if id_.isdecimal() else (1, 0, id_)


def _of_entry(entry: tuple[str, object]) -> tuple[int, int, str]:
    return order(entry[0])


def _entries(text: str) -> list[str]:
    return [entry for entry in text.split(",") if entry]
