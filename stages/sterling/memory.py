"""What the ledger remembers of messages, and so which of those that are listed are new: all that it does not have.

Nothing else is kept of what was read. A message that becomes visible late, is moved here or comes back under a low id is new as long as
the ledger has no record of it. A server that was restored may give an id again: such a message is told by its name and time, and where
these differ from what the ledger has, by its content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec

from pipeline import Known, Recall
from stages.sterling.protocol.representations import Message

NAMES_A_QUESTION = 5000
"""How many messages the ledger is asked about at once: what it answers is held in memory."""

Standing = Literal["new", "told", "taken", "doubtful"]
"""``told``: in the ledger without its content, since it has none that can be taken. ``doubtful``: perhaps another one of the same id."""


class Found(msgspec.Struct, frozen=True):
    """A listed message and what the ledger has of it. ``path`` is whatever the caller knows its mailbox by, ``before`` what was read under its id."""

    path: str
    seen: Message
    key: str
    standing: Standing = "new"
    before: str = ""  # the digest of that content

    @property
    def other_key(self) -> str:
        """The key of another message of the same id."""
        return f"{self.seen.id}@{mark(self.seen) or self.seen.name}"


def mark(seen: Message) -> str:
    """When it was created, as text; empty where the listing does not say."""
    return seen.created.isoformat() if seen.created else ""


def without_content(key: str) -> str:
    """The digest of a record that says that a message has no content that can be taken, now or later."""
    return hashlib.sha256(f"message {key} without content".encode()).hexdigest()


async def recognise(recall: Recall, server: str, listed: Sequence[tuple[str, Message]]) -> list[Found]:
    """What the ledger has of these messages, by mailbox and message, in their order."""
    new = [Found(path, seen, seen.id) for path, seen in listed]
    names = list(dict.fromkeys(name for each in new for name in (each.key, each.other_key)))
    known: dict[str, Known] = {}
    for start in range(0, len(names), NAMES_A_QUESTION):
        found = await recall(server, "message", names[start : start + NAMES_A_QUESTION])
        known |= {each.key: each for each in found}
    return [_recognised(each, known.get(each.other_key), known.get(each.key)) for each in new]


def _recognised(found: Found, other: Known | None, same: Known | None) -> Found:
    if other is not None:
        return _standing(msgspec.structs.replace(found, key=found.other_key), other)
    if same is None or not same.digest:
        return found
    if _contradicts(found.seen, same):
        return msgspec.structs.replace(found, standing="doubtful", before=same.digest)
    return _standing(found, same)


def _standing(found: Found, known: Known) -> Found:
    """A record without digest is of a message that was not there any more, or not yet: it is new."""
    if not known.digest:
        return found
    told = known.digest == without_content(found.key)
    return msgspec.structs.replace(found, standing="told" if told else "taken", before=known.digest)


def _contradicts(seen: Message, known: Known) -> bool:
    """Whether the ledger's message of this id had another name or time. What one of them does not say contradicts nothing."""
    renamed = bool(seen.name) and known.label not in ("", seen.id) and seen.name.casefold() != known.label.casefold()
    return renamed or (bool(known.alias and mark(seen)) and known.alias != mark(seen))


def order(id_: str) -> tuple[int, int, str]:
    """Ids ascend with arrival; one that is no number comes last."""
    return (0, int(id_), "") if id_.isdecimal() else (1, 0, id_)
