"""What the ledger remembers of messages, and so which of those that are listed are new: all that it does not have.

Nothing else is kept of what was read. A message that becomes visible late, is moved here or comes back under a low id is new as long as
the ledger has no record of it. A server that was restored may give an id again: such a message is told by its name and time, and where
these differ from what the ledger has, by its content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import msgspec

from pipeline import Known, Recall
from stages.sterling.protocol.representations import Message

NAMES_A_QUESTION = 5000
"""How many messages the ledger is asked about at once: what it answers is held in memory."""

Standing = Literal["new", "told", "taken", "doubtful"]
"""``told``: in the ledger without its content, since it has none that can be taken. ``doubtful``: perhaps another one of the same id."""


class Found(msgspec.Struct, frozen=True):
    """A listed message and what the ledger has of it. ``path`` is whatever the caller knows its mailbox by.

    ``key`` is what it goes by as long as it has no content that can be taken, ``former`` another one under which that was told.
    ``contents`` are those in the ledger that may be its own: the key of each by its digest.
    """

    path: str
    seen: Message
    key: str
    standing: Standing = "new"
    contents: Mapping[str, str] = {}
    former: str = ""

    def key_of(self, digest: str) -> str:
        """The key of this content: the one that it has, the plain id if no other content has that, else one that only this content has.

        So equal content is a repeat, whenever the message is said to have been created.
        """
        if digest in self.contents:
            return self.contents[digest]
        return self.seen.id if self.key == self.seen.id else f"{self.seen.id}@{digest[:12]}"

    def told_as(self, key: str) -> str:
        """The other key under which it may be told that it has no content, when its record has this one; empty for none."""
        told = (self.former, self.key) if self.standing != "taken" else ()
        return next((each for each in told if each not in ("", key, self.seen.id)), "")

    def alias(self, key: str) -> str:
        """What finds this record again when the message is listed with the time that it has now."""
        return mark(self.seen) if key == self.seen.id else name_by_time(self.seen)


def mark(seen: Message) -> str:
    """When it was created, as text; empty where the listing does not say."""
    return seen.created.isoformat() if seen.created else ""


def name_by_time(seen: Message) -> str:
    """How the ledger is asked for the message that had this id at this time, among all that ever had the id."""
    return f"{seen.id}@{mark(seen) or seen.name}"


def without_content(key: str) -> str:
    """The digest of a record that says that a message has no content that can be taken, now or later."""
    return hashlib.sha256(f"message {key} without content".encode()).hexdigest()


async def recognise(recall: Recall, server: str, listed: Sequence[tuple[str, Message]]) -> list[Found]:
    """What the ledger has of these messages, by mailbox and message, in their order."""
    names = list(dict.fromkeys(name for _, seen in listed for name in (seen.id, name_by_time(seen))))
    known: dict[str, list[Known]] = {}
    for start in range(0, len(names), NAMES_A_QUESTION):
        for each in await recall(server, "message", names[start : start + NAMES_A_QUESTION]):
            known.setdefault(each.name, []).append(each)
    return [
        _recognised(path, seen, known.get(name_by_time(seen), []), _plain(known.get(seen.id, [])))
        for path, seen in listed
    ]


async def has(recall: Recall, server: str, key: str, digest: str) -> bool:
    """Whether the ledger has this content under this key."""
    return any(each.digest == digest for each in await recall(server, "message", [key]))


def _plain(known: Sequence[Known]) -> Known | None:
    """The record whose key is the id itself. One without digest is of a message that was not there any more, or not yet: it says nothing."""
    return next((each for each in known if each.key == each.name and each.digest), None)


def _recognised(path: str, seen: Message, then: Sequence[Known], plain: Known | None) -> Found:
    """``then`` is what was read of this id and time under other keys than the id."""
    contents = {each.digest: each.key for each in (*then, *([plain] if plain else [])) if _has_content(each)}
    taken = next((each.key for each in then if _has_content(each)), "")
    told = next((each.key for each in then if each.digest and not _has_content(each)), "")
    if taken:
        return Found(path, seen, taken, "taken", contents)
    if plain is not None and not _contradicts(seen, plain):
        return Found(path, seen, seen.id, "taken" if contents else "told", contents, told)
    # Where no content contradicts, one of the same name is the one that could not be taken.
    if plain is None or not (contents or _renamed(seen, plain)):
        return Found(path, seen, seen.id, "told" if told else "new", contents, told)
    other = told or f"{seen.id}@{seen.name or mark(seen)}"
    return Found(path, seen, other, "told" if told else "doubtful", contents)


def _has_content(known: Known) -> bool:
    return known.digest not in ("", without_content(known.key))


def _contradicts(seen: Message, known: Known) -> bool:
    """Whether the ledger's message of this id had another name or time. What one of them does not say contradicts nothing."""
    return _renamed(seen, known) or (bool(known.alias and mark(seen)) and known.alias != mark(seen))


def _renamed(seen: Message, known: Known) -> bool:
    return bool(seen.name) and known.label not in ("", seen.id) and seen.name.casefold() != known.label.casefold()


def ids_of(keys: Collection[str]) -> set[str]:
    """The ids that messages of these keys may have. Only its content tells which key of its id a message has."""
    return {key[:end] for key in keys for end, sign in enumerate(f"{key}@") if sign == "@"}


def order(id_: str) -> tuple[int, int, str]:
    """Ids ascend with arrival; one that is no number comes last."""
    return (0, int(id_), "") if id_.isdecimal() else (1, 0, id_)
