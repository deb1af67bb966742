"""A listed message becomes a record with its content, or with what is wrong with it. That a content is not found says nothing of its message:
the message is asked for by its id, and only what is not there then has gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

import msgspec

from pipeline import DataError, Excluded, PermissionDenied, Recall, Record, RefusedError, StageError, TransientError
from stages.sterling.apis import SterlingClient
from stages.sterling.config import MailboxSettings
from stages.sterling.contents import Unusable, payload, too_large
from stages.sterling.memory import Found, has, without_content
from stages.sterling.protocol import addresses
from stages.sterling.protocol.content import Format, format_of
from stages.sterling.protocol.errors import lacks_collection
from stages.sterling.protocol.own import DELIVERED, Own
from stages.sterling.protocol.representations import Message, message

GONE = "gone before it was read"
"""The rule that leaves out a message that was listed and is not there any more when it is asked for."""


class MailboxMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What a flow sees of a message. ``partner`` is the code of the only one whose file says that it answers in this mailbox, or empty.
    ``partners`` are the codes of all of them, with those they had before and those of other files with their ISA identity.

    ``format`` is x12, edifact, xml, json, text (CSV and anything else that can be read), binary or empty, by its first bytes.
    """

    id: str
    mailbox: str
    name: str
    partner: str
    partners: tuple[str, ...]
    received: datetime | None
    format: Format
    payload: bytes


class Box(msgspec.Struct, frozen=True):
    """A mailbox to poll. One that must be there is an error when it is not; any other is passed over."""

    path: str
    partners: tuple[str, ...] = ()  # the codes of those who answer there
    must: bool = True
    also: tuple[str, ...] = ()  # other codes of theirs

    @property
    def partner(self) -> str:
        """The only one who answers there; empty where several do, or nobody known."""
        return self.partners[0] if len(self.partners) == 1 else ""


class Taken(msgspec.Struct, frozen=True):
    """A listed message as it was asked for, and its record. One without a digest is read again as long as it is listed; ``first`` is
    whether its content gets into the ledger for the first time. One that is ``spared`` stays where it is: it is ours, or may be.
    """

    seen: Message
    record: Record
    first: bool = False
    spared: bool = False


class Taker:
    """Takes messages for one run."""

    def __init__(self, client: SterlingClient, settings: MailboxSettings, own: Own, recall: Recall) -> None:
        self._client, self._settings, self._own, self._recall = client, settings, own, recall
        self._absent: set[str] = set()  # messages that are there and whose content was not found once

    async def take(self, found: Found, box: Box) -> Taken | TransientError:
        """What came of it, or why that cannot be said now."""
        try:
            return await self._take(found, box)
        except TransientError as error:
            return error

    async def _take(self, found: Found, box: Box) -> Taken:
        """The message with its content, or what is wrong with it."""
        listed, largest = found.seen, self._settings.largest
        if listed.size is not None and listed.size > largest:
            return self._dead(found, _unusable(listed, box, too_large(largest, listed.size)))
        try:
            seen, content = await self._content(listed)
        except Unusable as reason:
            return self._dead(found, _unusable(listed, box, str(reason)))
        except RefusedError as error:  # the document is broken or gone in a way of its own
            return self._dead(found, error)
        if seen is None:
            return Taken(listed, self._record(found, found.key, Excluded(GONE)))
        if content is None:
            return Taken(seen, self._record(found, found.key, self._not_found(seen, box)))
        digest = hashlib.sha256(content).hexdigest()
        key = found.key_of(digest)
        if ours := self._own.tells(seen.name, content, digest):
            record = self._record(found, key, Excluded(DELIVERED, ours)).replace(digest=digest)
            return Taken(seen, record, spared=True)
        record = self._record(found, key, _body(seen, box, content)).replace(raw=content, digest=digest)
        return Taken(
            seen, record, first=await self._is_first(found, key, digest), spared=self._own.doubts(seen.name, content)
        )

    async def _is_first(self, found: Found, key: str, digest: str) -> bool:
        """Whether this content gets into the ledger for the first time."""
        if found.standing == "taken" or digest in found.contents:
            return False
        return key == found.seen.id or not await has(self._recall, self._client.config.server, key, digest)

    def _dead(self, found: Found, error: StageError) -> Taken:
        return Taken(found.seen, self._record(found, found.key, error).replace(digest=without_content(found.key)))

    def _record(self, found: Found, key: str, body: object) -> Record:
        listed = found.seen
        return Record(
            key=key, kind="message", company=self._client.config.server, object="message", label=listed.name or listed.id, body=body,
            alias=found.alias(key), former=found.told_as(key),
        )  # fmt: skip

    async def _content(self, listed: Message) -> tuple[Message | None, bytes | None]:
        """The message as far as it is known now, None when it has gone; and its content, None when that is not found."""
        told = listed.document and (listed.extractable or self._settings.after != "extract")
        seen = listed if told else await self._by_id(listed)
        content = await self._payload(seen)
        if content is None and seen is listed:  # a content that is not found says nothing of the message
            seen = await self._by_id(listed)
            content = await self._payload(seen)
        return seen, content

    async def _payload(self, seen: Message | None) -> bytes | None:
        if seen is None or not seen.document:
            return None
        of, form, largest = f"message {seen.id}", self._settings.content, self._settings.largest
        return await payload(self._client, seen.document, form, of, largest)

    async def _by_id(self, listed: Message) -> Message | None:
        """The message with what its own row says of it; None when the server says that it has gone. As listed where it cannot be asked for."""
        path = addresses.item(self._client.config.mailboxmessages, listed.id)
        try:
            row = await self._client.read(path, f"read message {listed.id}")
        except StageError as error:
            if isinstance(error, PermissionDenied) or lacks_collection(error):
                return listed
            raise
        if not isinstance(row, Mapping):
            return None if row is None else listed
        own = message({**row, "id": listed.id})
        return msgspec.structs.replace(
            listed, document=own.document or listed.document, extractions=own.extractions, extractable=own.extractable
        )  # fmt: skip

    def _not_found(self, seen: Message, box: Box) -> DataError:
        """Raises `TransientError` the first time: a replica may be behind."""
        what, where = "A message is there without its content", f"message {seen.id} ({seen.name}) in {box.path}"
        why = "Sterling lists the message and says that its content is not there: it was purged, or is not there yet."
        if seen.id not in self._absent:
            self._absent.add(seen.id)
            raise TransientError(
                what, where=where, why=why, mend="It is asked for again.", owner="EDI desk", code="MLC-STL-0335"
            )
        mend = "Each run asks again while it is listed. If it stays so, let the partner send it again and delete it in Sterling."
        return DataError(what, where=where, why=why, mend=mend, owner="EDI desk", code="MLC-STL-0335")


def _body(seen: Message, box: Box, content: bytes) -> MailboxMessage:
    return MailboxMessage(
        id=seen.id,
        mailbox=box.path,
        name=seen.name,
        partner=box.partner,
        partners=(*box.partners, *box.also),
        received=seen.created,
        format=format_of(content),
        payload=content,
    )


def _unusable(seen: Message, box: Box, why: str) -> DataError:
    return DataError(
        "A message cannot be taken from its mailbox",
        where=f"message {seen.id} ({seen.name}) in {box.path}",
        why=why,
        mend="Look at it in Sterling; it stays where it is",
        owner="EDI desk",
        code="MLC-STL-0333",
    )
