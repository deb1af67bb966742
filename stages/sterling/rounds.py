"""One round through the mailboxes that a flow reads: each is listed to its proven end, and one that cannot be holds up no other."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from pipeline import ConfigError, ConnectorError, PermissionDenied, SignInRefused, StageError, TransientError
from stages.sterling.apis import SterlingClient
from stages.sterling.gather import gather
from stages.sterling.protocol import addresses
from stages.sterling.protocol.errors import lacks_collection
from stages.sterling.protocol.representations import Message, message, text_of
from stages.sterling.taking import Box
from stages.sterling.turns import Turn

Listed = dict[str, list[Message]]
"""The messages of each mailbox, by its folded path."""

log = logging.getLogger(__name__)


class Round:
    """Lists the mailboxes of one run: all of them with `first`, and those that failed then once more with `again`."""

    def __init__(self, client: SterlingClient, boxes: Sequence[Box]) -> None:
        self._client, self._boxes = client, boxes
        self.turn = Turn()
        self._forget()

    def _forget(self) -> None:
        self.failing: dict[str, StageError] = {}  # by path: not listed for now, to be tried once more
        self._lost: dict[str, StageError] = {}  # by path: nor then
        self._refused: list[str] = []  # paths that this account may not read
        self._missing: list[str] = []  # and that are not there and must be
        self._ids: Mapping[str, str] = {}

    @property
    def left(self) -> list[ConnectorError]:
        """What is wrong with mailboxes, one error for each."""
        failed = [_failed(path, error) for path, error in sorted((self.failing | self._lost).items())]
        return [_missing([path]) for path in sorted(self._missing)] + [
            _refused([path], "") for path in sorted(self._refused)
        ] + failed  # fmt: skip

    async def first(self, turn: Turn) -> Listed:
        """The messages of every mailbox that could be listed; ``self.turn`` is the next one then. Raises `StageError` when none could."""
        self._forget()
        self.turn = turn
        await self._client.ready()
        ids = await self._mailbox_ids()
        readable = [box for box in self._boxes if ids is None or _folded(box) in ids]
        missing = [box for box in self._boxes if box not in readable]
        if missing:
            log.info("sterling: mailboxes that are not there are not read: %s", ", ".join(box.path for box in missing))
        self._missing = [box.path for box in missing if box.must]
        self._ids = ids or {}
        listed = await self._contents_of(readable) if self._by_contents else await self._messages(readable)
        self._raise_if_none_was_read(readable)
        return listed

    async def again(self) -> Listed:
        """What is in the mailboxes that failed, or nothing; what fails again is left."""
        boxes = [box for box in self._boxes if box.path in self.failing]
        self.failing = {}
        listed: Listed = {}
        if self._by_contents:
            listed = await self._contents_of(boxes)
        else:  # what all mailboxes hold is listed already
            await gather([self._probe(box) for box in boxes])
        self._lost, self.failing = self.failing, {}
        return listed

    @property
    def _by_contents(self) -> bool:
        return self._client.config.list_by == "mailboxcontents"

    def _raise_if_none_was_read(self, readable: Sequence[Box]) -> None:
        """Then it is not one mailbox that has something, but the system, its rights or the flow."""
        if len(self.failing) + len(self._refused) < len(readable) or not (readable or self._missing):
            return
        failing, refused, missing = self.failing, sorted(self._refused), sorted(self._missing)
        self._forget()  # the run's problem says it all
        if failing:
            raise next(iter(failing.values()))
        if refused:
            raise _refused(refused, f" Not there at all: {_named(missing)}." if missing else "")
        raise _missing(missing)

    async def _mailbox_ids(self) -> dict[str, str] | None:
        """The id of each mailbox by its folded path; None when this account or level cannot list mailboxes."""
        try:
            rows = await self._client.rows(addresses.collection("mailboxes"), "list mailboxes")
        except StageError as error:
            if isinstance(error, PermissionDenied) or lacks_collection(error):
                return None
            raise
        return {text_of(row.get("path")).rstrip("/").casefold(): _id(row) for row in rows}

    async def _messages(self, boxes: Sequence[Box]) -> Listed:
        """One listing for all mailboxes. It leaves out in silence what the account may not read, so empty mailboxes are asked for in turn."""
        path_of = {key: path for path, key in self._ids.items()}
        found: Listed = {_folded(box): [] for box in boxes}
        path = addresses.collection(self._client.config.mailboxmessages)
        for seen in map(message, await self._client.rows(path, "list mailbox messages", fenced=True)):
            place = seen.mailbox.casefold() if seen.mailbox else path_of.get(seen.mailbox_id, "")
            if place in found:
                found[place].append(seen)
        await self._ask_for({_folded(box): box for box in boxes if not found[_folded(box)]})
        return found

    async def _ask_for(self, empty: Mapping[str, Box]) -> None:
        """The empty mailboxes whose turn it is. When one is refused that was not before, rights have changed, and all others are asked for too."""
        asked = self.turn.chosen(empty)
        await gather([self._probe(empty[path]) for path in asked])
        if {path.casefold() for path in self._refused} - self.turn.refused:
            rest = [path for path in empty if path not in asked]
            await gather([self._probe(empty[path]) for path in rest])
            asked += rest
        if asked:
            self.turn = self.turn.done(empty, asked, {path.casefold() for path in self._refused})

    async def _contents_of(self, boxes: Sequence[Box]) -> Listed:
        found = await gather([self._guarded(box, self._contents(box)) for box in boxes])
        return {_folded(box): rows or [] for box, rows in zip(boxes, found, strict=True)}

    async def _contents(self, box: Box) -> list[Message]:
        query = {"parentMailboxId": self._ids.get(_folded(box), ""), "detail": "true"}
        if not query["parentMailboxId"]:
            query = {"mailboxPath": box.path, "detail": "true"}
        rows = await self._client.rows(
            addresses.collection("mailboxcontents"), f"list mailbox {box.path}", query, fenced=True
        )
        return [message({**row, "mailboxPath": box.path}) for row in rows if text_of(row.get("type")) != "mailbox"]

    async def _probe(self, box: Box) -> None:
        """Whether the account may read this mailbox."""
        if key := self._ids.get(_folded(box)):
            await self._guarded(box, self._look_into(box, key))

    async def _look_into(self, box: Box, key: str) -> None:
        query = {"parentMailboxId": key, "_range": "0-0"}
        try:
            await self._client.read(addresses.collection("mailboxcontents"), f"read mailbox {box.path}", query)
        except StageError as error:
            if isinstance(error, PermissionDenied) or not lacks_collection(error):
                raise

    async def _guarded(self, box: Box, call: Awaitable[Any]) -> Any:
        """The result; None when the mailbox cannot be read, which is kept for when all others have been."""
        try:
            return await call
        except SignInRefused:
            raise
        except PermissionDenied:
            self._refused.append(box.path)
        except StageError as error:
            self.failing[box.path] = error
        return None


def _failed(path: str, error: StageError) -> ConnectorError:
    return TransientError(
        "A mailbox could not be read for now",
        where=f"mailbox {path}",
        why=f"{error.what}: {error.why}",
        mend=f"The next run reads it; all other mailboxes were read. {error.mend}".strip(),
        owner=error.owner,
        code="MLC-STL-0336",
    )


def _refused(paths: Sequence[str], also: str) -> ConfigError:
    rights = ", ".join(f"'{path} Mailbox'" for path in paths)
    return PermissionDenied(
        "The account may not read a mailbox",
        where=_named(paths),
        why=f"Sterling lists it and refuses its contents (HTTP 403).{also}",
        mend=f"Ask Sterling's administrator to give the account the permission {rights}.",
        code="MLC-STL-0331",
    )


def _missing(paths: Sequence[str]) -> ConfigError:
    return ConfigError(
        "A mailbox to read is not there",
        where=_named(paths),
        why="Sterling does not list it.",
        mend="Create it with its permission for this account, or correct the flow's or the partner's file.",
        owner="EDI desk",
        code="MLC-STL-0330",
    )


def _named(paths: Sequence[str]) -> str:
    return ", ".join(f"mailbox {path}" for path in sorted(paths))


def _folded(box: Box) -> str:
    return box.path.casefold()


def _id(row: Mapping[str, Any]) -> str:
    return text_of(row.get("_id")) or text_of(row.get("id"))
