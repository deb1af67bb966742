"""Source ``sterling.mailbox``: the messages that partners left, each with its content, in order of arrival.

A mailbox is listed to its proven end. What was read before is told by the cursor (`stages.sterling.position`): the floor follows the
newest message at a distance in time, since a message can become visible after one with a higher id. The engine stores what a page
brought before `MailboxSource.settled` lets the far side know; what is still to be told it is in the cursor as well.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from pipeline import (
    ConfigError,
    Page,
    PermissionDenied,
    StageError,
    TransientError,
    Window,
)
from stages.sterling.apis import SterlingClient
from stages.sterling.config import MailboxSettings
from stages.sterling.gather import gather
from stages.sterling.handover import Handover
from stages.sterling.position import Position, order
from stages.sterling.protocol import addresses
from stages.sterling.protocol.errors import lacks_collection
from stages.sterling.protocol.representations import Message, message, text_of
from stages.sterling.taking import Box, MailboxMessage, Taken, Taker

MESSAGES_PER_PAGE = 50
BYTES_PER_PAGE = 16 * 1024 * 1024

log = logging.getLogger(__name__)


class MailboxSource:
    """Implements `pipeline.stage.Source` and `Settles`. One instance reads once through: what arrives meanwhile is the next run's."""

    def __init__(self, client: SterlingClient, settings: MailboxSettings, boxes: Sequence[Box]) -> None:
        self._client, self._settings = client, settings
        self._boxes = {box.path.casefold(): box for box in boxes}
        self._listed: dict[str, list[Message]] | None = None  # by the mailbox's folded path
        self._waiting: list[tuple[str, Message]] = []
        self._missing: list[str] = []  # paths of mailboxes that are not there and must be
        self._refused: list[str] = []  # and of those that this account may not read
        self._live = True
        self._taker = Taker(client, settings)
        self._handover = Handover(client, settings.after)

    @property
    def scope(self) -> str:
        """Ids are of one server: each has a cursor of its own, and records of its own."""
        return self._client.config.server

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page | None:
        positions = _positions(cursor)
        if self._listed is None:
            listed = await self._list()
            self._live = window.live
            self._waiting = self._wanted(listed, window, positions)
            self._take_over(positions)
            self._listed = listed
        batch = _batch(self._waiting)
        if not batch:
            return await self._ending(positions)
        taken = await gather([self._taker.take(path, self._boxes[path], seen) for path, seen in batch])
        failed = [each for each in taken if isinstance(each, TransientError)]
        if len(failed) == len(batch):
            raise failed[0]
        later = [entry for entry, each in zip(batch, taken, strict=True) if isinstance(each, TransientError)]
        self._waiting = self._waiting[len(batch) :] + later  # one that fails for now holds up no other
        done = [each for each in taken if isinstance(each, Taken)]
        more = bool(self._waiting or self._handover.left) or self._alarm() is not None
        return Page([each.record for each in done], self._moved(positions, done), more)

    async def _ending(self, positions: dict[str, Position]) -> Page:
        """When all has been read: what earlier runs left undone, then what is wrong with mailboxes."""
        before = len(self._handover.left)
        if not before:
            alarm = self._alarm()
            if alarm is not None:
                raise alarm
            return Page([], self._moved(positions, []))
        failures = await self._handover.make_up()
        if len(failures) == before:
            raise failures[0]
        return Page([], self._moved(positions, []), bool(failures) or self._alarm() is not None)

    async def settled(self, page: Page) -> dict[str, str] | None:
        """Extracts or deletes what the page brought, if the settings want it; the cursor without what was still to be. What could not be
        taken stays where it is. May be called again: what is done is not repeated.

        Reading again by key or time extracts nothing: the live reads do that, once.
        """
        kept = [record.key for record in page.records if isinstance(record.body, MailboxMessage)]
        positions = _positions(page.cursor)
        due = _due(positions)
        if self._live or self._settings.after == "delete":
            await self._handover.let_go({key: due.get(key) for key in kept})
        for position in positions.values():
            position.settle(self._handover.done)
        return _cursor(positions) if self._handover.done & due.keys() else None

    def _take_over(self, positions: Mapping[str, Position]) -> None:
        """What earlier runs kept, and perhaps did not come to extract or delete before they died."""
        if self._live:
            self._handover.take_over(_due(positions))
        if self._settings.after == "leave":
            for position in positions.values():
                position.due.clear()

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
        return sorted(chosen, key=lambda entry: order(entry[1].id))

    def _moved(self, positions: dict[str, Position], taken: Sequence[Taken]) -> dict[str, str]:
        assert self._listed is not None
        for path, messages in self._listed.items():
            position = positions.setdefault(path, Position())
            for one in (each for each in taken if each.path == path):
                self._count(position, one)
            open_ = {one.id for where, one in self._waiting if where == path}
            position.move(messages, open_, timedelta(seconds=float(self._settings.overlap)))
        for position in positions.values():
            position.settle(self._handover.done)
        return _cursor(positions)

    def _count(self, position: Position, taken: Taken) -> None:
        if not taken.read:
            position.missed.add(taken.seen.id)
            return
        position.read(taken.seen.id)
        if self._settings.after != "leave" and isinstance(taken.record.body, MailboxMessage):
            position.due[taken.seen.id] = taken.seen.extractions


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


def _positions(cursor: Mapping[str, str] | None) -> dict[str, Position]:
    return {path: Position.parse(text) for path, text in (cursor or {}).items()}


def _cursor(positions: Mapping[str, Position]) -> dict[str, str]:
    return {path: str(position) for path, position in positions.items()}


def _due(positions: Mapping[str, Position]) -> dict[str, int | None]:
    return {id_: left for position in positions.values() for id_, left in position.due.items()}


def _inside(seen: Message, window: Window) -> bool:
    if window.keys:
        return seen.id in window.keys
    early = window.since is not None and seen.created is not None and seen.created < window.since
    late = window.until is not None and seen.created is not None and seen.created >= window.until
    return not early and not late


def _id(row: Mapping[str, Any]) -> str:
    return text_of(row.get("_id")) or text_of(row.get("id"))
