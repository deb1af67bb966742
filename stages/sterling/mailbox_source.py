"""Source ``sterling.mailbox``: the messages that partners left, each with its content, in order of arrival.

A mailbox is listed to its proven end. What was read before is told by the cursor: below a floor everything has been read, above it
the ids that have been. The floor follows the newest message at a distance in time, since a message can become visible after one
with a higher id. The engine stores what a page brought before `MailboxSource.settled` lets the far side know.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from pipeline import (
    ConfigError,
    DataError,
    Page,
    PermissionDenied,
    Record,
    RefusedError,
    StageError,
    TransientError,
    Window,
)
from stages.sterling.client import SterlingClient
from stages.sterling.config import MailboxSettings
from stages.sterling.contents import Unusable, payload, too_large
from stages.sterling.gather import gather
from stages.sterling.protocol import addresses
from stages.sterling.protocol.content import Format, format_of
from stages.sterling.protocol.errors import lacks_collection
from stages.sterling.protocol.representations import Message, message, text_of

MESSAGES_PER_PAGE = 50
BYTES_PER_PAGE = 16 * 1024 * 1024

log = logging.getLogger(__name__)


class MailboxMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What a flow sees of a message. ``partners`` are the codes of those whose files say that they answer in this mailbox; ``partner``
    is the code of the only one, or empty.

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

    @property
    def partner(self) -> str:
        """The only one who answers there; empty where several do, or nobody known."""
        return self.partners[0] if len(self.partners) == 1 else ""


class Position(msgspec.Struct):
    """How far one mailbox has been read. As text ``floor;id,id``."""

    floor: int = 0
    seen: set[str] = msgspec.field(default_factory=set)

    @classmethod
    def parse(cls, text: str) -> Position:
        floor, _, seen = text.partition(";")
        return cls(int(floor or 0), set(filter(None, seen.split(","))))

    def __str__(self) -> str:
        return f"{self.floor};{','.join(sorted(self.seen, key=_order))}"

    def knows(self, id_: str) -> bool:
        return id_ in self.seen or (id_.isdecimal() and int(id_) <= self.floor)

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


class MailboxSource:
    """Implements `pipeline.stage.Source` and `Settles`. One instance reads once through: what arrives meanwhile is the next run's."""

    def __init__(self, client: SterlingClient, settings: MailboxSettings, boxes: Sequence[Box]) -> None:
        self._client, self._settings = client, settings
        self._boxes = {box.path.casefold(): box for box in boxes}
        self._listed: dict[str, list[Message]] | None = None  # by the mailbox's folded path
        self._waiting: list[tuple[str, Message]] = []
        self._missing: list[str] = []  # paths of mailboxes that are not there and must be
        self._refused: list[str] = []  # and of those that this account may not read

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page | None:
        positions = {path: Position.parse(text) for path, text in (cursor or {}).items()}
        if self._listed is None:
            listed = await self._list()
            self._waiting = self._wanted(listed, window, positions)
            await self._finish(listed, window, positions)
            self._listed = listed
        batch = _batch(self._waiting)
        alarm = self._alarm()
        if not batch and alarm is not None:
            raise alarm
        taken = await gather([self._taken(path, seen) for path, seen in batch])
        failed = [each for each in taken if isinstance(each, TransientError)]
        if failed and len(failed) == len(batch):
            raise failed[0]
        later = [entry for entry, each in zip(batch, taken, strict=True) if isinstance(each, TransientError)]
        self._waiting = self._waiting[len(batch) :] + later  # one that fails for now holds up no other
        done = [entry for entry in batch if entry not in later]
        more = bool(self._waiting) or alarm is not None
        return Page([each for each in taken if isinstance(each, Record)], self._moved(positions, done), more)

    async def settled(self, page: Page) -> None:
        """Extracts or deletes what the page brought, if the settings want it. What could not be taken stays where it is."""
        kept = [record.key for record in page.records if isinstance(record.body, MailboxMessage)]
        if self._settings.after == "extract":
            await gather([self._extract(key) for key in kept])
        elif self._settings.after == "delete":
            await gather([self._delete(key) for key in kept])

    async def _finish(
        self, listed: Mapping[str, Sequence[Message]], window: Window, positions: Mapping[str, Position]
    ) -> None:
        """Deletes what an earlier run kept and did not come to delete: it is known one by one, never by the floor alone.

        An extraction is not made up for: nothing tells whether it has happened, and it may be the last one.
        """
        if self._settings.after != "delete" or not window.live:
            return
        left = [
            one.id
            for path, messages in listed.items()
            for one in messages
            if one.id in positions.get(path, Position()).seen
        ]
        await gather([self._delete(key) for key in left])

    # --- listing ---

    async def _list(self) -> dict[str, list[Message]]:
        """The messages of each mailbox. What cannot be read is kept for when all else has been."""
        await self._client.ready()
        ids = await self._mailbox_ids()
        readable = [box for path, box in self._boxes.items() if ids is None or path in ids]
        missing = [box.path for path, box in self._boxes.items() if ids is not None and path not in ids]
        self._missing = [path for path in missing if self._boxes[path.casefold()].must]
        if len(missing) > 0:
            log.info("sterling: mailboxes that are not there are not read: %s", ", ".join(missing))
        if self._client.config.list_by == "mailboxcontents":
            found = await gather([self._contents(box, ids or {}) for box in readable])
            return {box.path.casefold(): rows for box, rows in zip(readable, found, strict=True)}
        return await self._messages(readable, ids or {})

    async def _mailbox_ids(self) -> dict[str, str] | None:
        """The id of each mailbox by its folded path; None when this account or level cannot list mailboxes."""
        try:
            rows = await self._client.rows(addresses.collection("mailboxes"), "list mailboxes")
        except StageError as error:
            if isinstance(error, PermissionDenied) or lacks_collection(error):
                return None
            raise
        return {text_of(row.get("path")).rstrip("/").casefold(): _id(row) for row in rows}

    async def _messages(self, boxes: Sequence[Box], ids: Mapping[str, str]) -> dict[str, list[Message]]:
        """One listing for all mailboxes. It leaves out in silence what the account may not read, so an empty mailbox is asked for."""
        path_of = {key: path for path, key in ids.items()}
        found: dict[str, list[Message]] = {box.path.casefold(): [] for box in boxes}
        rows = await self._client.rows(
            addresses.collection(self._client.config.mailboxmessages), "list mailbox messages"
        )
        for seen in map(message, rows):
            path = seen.mailbox.casefold() if seen.mailbox else path_of.get(seen.mailbox_id, "")
            if path in found:
                found[path].append(seen)
        await gather([self._probe(box, ids) for box in boxes if not found[box.path.casefold()]])
        return found

    async def _contents(self, box: Box, ids: Mapping[str, str]) -> list[Message]:
        query = {"parentMailboxId": ids.get(box.path.casefold(), ""), "detail": "true"}
        if not query["parentMailboxId"]:
            query = {"mailboxPath": box.path, "detail": "true"}
        try:
            rows = await self._client.rows(addresses.collection("mailboxcontents"), f"list mailbox {box.path}", query)
        except PermissionDenied:
            self._refused.append(box.path)
            return []
        return [message({**row, "mailboxPath": box.path}) for row in rows if text_of(row.get("type")) != "mailbox"]

    async def _probe(self, box: Box, ids: Mapping[str, str]) -> None:
        key = ids.get(box.path.casefold())
        if key is None:
            return
        query = {"parentMailboxId": key, "_range": "0-0"}
        try:
            await self._client.read(addresses.collection("mailboxcontents"), f"read mailbox {box.path}", query)
        except PermissionDenied:
            self._refused.append(box.path)
        except StageError as error:
            if not lacks_collection(error):
                raise

    def _alarm(self) -> StageError | None:
        """What is wrong with mailboxes, all of it at once; told when all others have been read."""
        missing = ", ".join(f"mailbox {path}" for path in sorted(self._missing))
        refused = ", ".join(f"mailbox {path}" for path in sorted(self._refused))
        if refused:
            also = f" Not there at all: {missing}." if missing else ""
            rights = ", ".join(f"'{path} Mailbox'" for path in sorted(self._refused))
            return PermissionDenied(
                "The account may not read a mailbox",
                where=refused,
                why=f"Sterling lists it and refuses its contents (HTTP 403); all other mailboxes were read.{also}",
                mend=f"Ask Sterling's administrator to give the account the permission {rights}.",
                code="MLC-STL-0331",
            )
        if not missing:
            return None
        return ConfigError(
            "A mailbox to read is not there",
            where=missing,
            why="Sterling does not list it; all other mailboxes were read.",
            mend="Create it with its permission for this account, or correct the flow's or the partner's file.",
            owner="EDI desk",
            code="MLC-STL-0330",
        )

    # --- choosing ---

    def _wanted(
        self, listed: Mapping[str, Sequence[Message]], window: Window, positions: Mapping[str, Position]
    ) -> list[tuple[str, Message]]:
        """What this run reads, the oldest first. Never what we put there ourselves, in a mailbox used both ways."""
        chosen = []
        ours = f"{self._client.config.message_prefix}_"
        for path, messages in listed.items():
            position = positions.get(path, Position()) if window.live else Position()
            chosen += [
                (path, one)
                for one in messages
                if not position.knows(one.id) and _inside(one, window) and not one.name.startswith(ours)
            ]
        return sorted(chosen, key=lambda entry: _order(entry[1].id))

    def _moved(self, positions: dict[str, Position], batch: Sequence[tuple[str, Message]]) -> dict[str, str]:
        assert self._listed is not None
        for path, messages in self._listed.items():
            position = positions.setdefault(path, Position())
            position.seen |= {one.id for where, one in batch if where == path}
            open_ = {one.id for where, one in self._waiting if where == path}
            position.move(messages, open_, timedelta(seconds=float(self._settings.overlap)))
        return {path: str(position) for path, position in positions.items()}

    # --- one message ---

    async def _taken(self, path: str, seen: Message) -> Record | TransientError | None:
        try:
            return await self._record_of(path, seen)
        except TransientError as error:
            return error

    async def _record_of(self, path: str, seen: Message) -> Record | None:
        """The message with its content, what is wrong with it, or None when it has gone."""
        box = self._boxes[path]
        record = Record(key=seen.id, kind="message", object="message", label=seen.name or seen.id, body=None)
        if seen.size is not None and seen.size > self._settings.largest:
            return record.replace(body=_unusable(seen, box, too_large(self._settings.largest, seen.size)))
        try:
            content = await self._payload(seen)
        except Unusable as reason:
            return record.replace(body=_unusable(seen, box, str(reason)))
        except RefusedError as error:  # the document is broken or gone in a way of its own
            return record.replace(body=error)
        if content is None:
            return None
        body = MailboxMessage(
            id=seen.id,
            mailbox=box.path,
            name=seen.name,
            partner=box.partner,
            partners=box.partners,
            received=seen.created,
            format=format_of(content),
            payload=content,
        )
        return record.replace(body=body, raw=content, digest=hashlib.sha256(content).hexdigest())

    async def _payload(self, seen: Message) -> bytes | None:
        document = seen.document or await self._document(seen.id)
        if not document:
            return None
        of, form, largest = f"message {seen.id}", self._settings.content, self._settings.largest
        return await payload(self._client, document, form, of, largest)

    async def _document(self, id_: str) -> str:
        """The document of a message whose row does not name it; empty when the message has gone."""
        path = addresses.item(self._client.config.mailboxmessages, id_)
        row = await self._client.read(path, f"read message {id_}")
        return text_of(row.get("documentId")) if isinstance(row, Mapping) else ""

    async def _delete(self, id_: str) -> None:
        path = addresses.item(self._client.config.mailboxmessages, id_)
        try:
            await self._client.remove(path, f"delete message {id_}")
        except RefusedError as error:
            log.info("sterling: message %s was not deleted: %s", id_, error.why)

    async def _extract(self, id_: str) -> None:
        path = f"{addresses.item(self._client.config.mailboxmessages, id_)}/actions/extract"
        try:
            await self._client.act(path, f"extract message {id_}")
        except RefusedError as error:
            log.info("sterling: message %s was not extracted: %s", id_, error.why)


def _batch(waiting: Sequence[tuple[str, Message]]) -> list[tuple[str, Message]]:
    """The next messages: so many, and no more bytes than a page may hold, but always one."""
    batch: list[tuple[str, Message]] = []
    size = 0
    for path, seen in waiting[:MESSAGES_PER_PAGE]:
        size += seen.size if seen.size is not None else BYTES_PER_PAGE // 8
        if batch and size > BYTES_PER_PAGE:
            break
        batch.append((path, seen))
    return batch


def _inside(seen: Message, window: Window) -> bool:
    if window.keys:
        return seen.id in window.keys
    early = window.since is not None and seen.created is not None and seen.created < window.since
    late = window.until is not None and seen.created is not None and seen.created >= window.until
    return not early and not late


def _order(id_: str) -> tuple[int, int, str]:
    """Ids ascend with arrival; one that is no number comes last."""
    return (0, int(id_), "") if id_.isdecimal() else (1, 0, id_)


def _id(row: Mapping[str, Any]) -> str:
    return text_of(row.get("_id")) or text_of(row.get("id"))


def _unusable(seen: Message, box: Box, why: str) -> DataError:
    return DataError(
        "A message cannot be taken from its mailbox",
        where=f"message {seen.id} ({seen.name}) in {box.path}",
        why=why,
        mend="Look at it in Sterling; it stays where it is",
        owner="EDI desk",
        code="MLC-STL-0333",
    )
