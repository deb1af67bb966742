"""The rule that reads a 404. Sterling says "not there" and "nothing listed" by 404: with its own error object, or with a page or
nothing at all. A gateway that is down or misled answers with the same page. Who answered is told by what else answers right then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

from pipeline import PermissionDenied, RefusedError, StageError
from stages.sterling.config import SterlingConfig
from stages.sterling.protocol import addresses
from stages.sterling.protocol.errors import (
    ForeignError,
    NotOfferedError,
    lacks_collection,
    no_sterling,
    not_passed,
    says_not_there,
)
from stages.sterling.protocol.paging import FAR

ROOTED = "mailboxes/"
"""Of the collections that every level has, the one that is never empty: it has a root."""


class Ask(Protocol):
    """GET as parsed JSON; None when Sterling itself answers 404, `ForeignError` for any other 404."""

    def __call__(self, path: str, doing: str, query: Mapping[str, str] | None = None) -> Awaitable[Any]: ...


class Absence:
    """Reads 404s for one client, which asks with ``ask``."""

    def __init__(self, config: SterlingConfig, ask: Ask) -> None:
        self._config, self._ask = config, ask
        self._listed: set[str] = set()  # collections that have answered with a list

    async def prove(self) -> None:
        """Raises `ConfigError` when nothing that every Sterling has is answered, or refused, as Sterling does it."""
        foreign = None
        for path in self._everywhere():
            try:
                await self._ask(path, f"list {path.rstrip('/')}", {"_range": "0-0"})
            except (PermissionDenied, RefusedError):
                return
            except ForeignError as error:
                if not lacks_collection(error):
                    raise
                foreign = error
            else:
                return
        if foreign is not None:
            raise no_sterling(self._config.url, foreign)

    def _everywhere(self) -> list[str]:
        """What every Sterling has; of our own account only what is known of it."""
        own = self._config.self_account
        account = [addresses.item("useraccounts", own)] if own else []
        return [ROOTED, addresses.collection(self._config.mailboxmessages), "tradingpartners/", *account]

    async def of_action(self, path: str, doing: str, error: ForeignError) -> StageError | None:
        """What a foreign 404 to an action means: None when what it acts on has gone, else the error to raise.

        What it acts on is asked for. Where that is there, or where its whole collection is missing while others answer, something in between does
        not pass the action on. Where nothing answers, or nothing tells, it may pass.
        """
        item = path.partition("/actions/")[0]
        collection = addresses.collection_of(item)
        try:
            there = await self.read(item, f"look at {item}", proven=True)
        except ForeignError:
            missing = await self._missing(collection) and await self._answers_elsewhere(collection)
            return not_passed(path, doing, error) if missing else error
        except StageError:
            return error
        return None if there is None else not_passed(path, doing, error)

    async def lacks(self, collection: str) -> bool:
        """Whether this level of the server has no such collection (a path), while its others answer. False in every unclear case.

        Its list may be empty, which some servers say by a page as well: what counts is that an object which is not there gets a page in this collection, and
        Sterling's own word in another.
        """
        try:
            await self._ask(collection, f"look at {collection}", {"_range": "0-0"})
        except StageError as error:
            if not lacks_collection(error):
                return False
            if isinstance(error, NotOfferedError):
                return True
        else:
            return False
        messages = addresses.collection(self._config.mailboxmessages)
        return await self._says(f"{messages}0") and await self._missing(f"{collection}0")

    async def _says(self, path: str) -> bool:
        """Whether Sterling itself answers here."""
        try:
            await self._ask(path, "see what is answered for what is not there")
        except RefusedError:
            return True
        except StageError:
            return False
        return True

    async def _missing(self, collection: str) -> bool:
        try:
            await self._ask(collection, f"look at {collection}", {"_range": "0-0"})
        except StageError as error:
            return isinstance(error, ForeignError) and lacks_collection(error)
        return False

    def answered(self, path: str, parsed: Any) -> None:
        """Remembers what answers."""
        if isinstance(parsed, list):
            self._listed.add(path)

    async def read(self, path: str, doing: str, query: Mapping[str, str] | None = None, *, proven: bool = False) -> Any:
        """GET as parsed JSON; None when it is not there, or the list is empty.

        Sterling says so by a 404 of its own, or by one that is a page or empty: that one is believed while Sterling's own answers come
        right after it and it stays. ``proven``: only of a collection that is known to answer, so that it cannot be one that is missing.
        A 204 to a list is believed as well where the collection answers otherwise right after it; else it proves nothing, and is taken for an
        empty list only of a server that says so of a list that has rows, behind its end. Raises `ForeignError` for what is not believed.
        """
        try:
            return await self._ask(path, doing, query)
        except ForeignError as error:
            if not says_not_there(error):
                raise
            doubt = error
        if not await self._there(path, doubt, proven=proven):
            raise doubt
        try:
            return await self._ask(path, doing, query)
        except ForeignError as error:
            if not says_not_there(error):
                raise
        return None

    async def _there(self, path: str, doubt: ForeignError, *, proven: bool) -> bool:
        """Whether a 404 without Sterling's own text can be its word: it answers in that collection, or in others if this one may be empty."""
        own = addresses.collection_of(path)
        if await self._answers(own):
            return True
        if doubt.status == 204:
            return not proven and own != ROOTED and await self._says_empty_by_204()
        if own in self._listed:
            proven = False  # it has become empty
        if proven or own == ROOTED:
            return False
        return await self._answers_elsewhere(own)

    async def _says_empty_by_204(self) -> bool:
        """Whether the list that is never empty has rows now, and a 204 behind its end."""
        if not await self._answers(ROOTED):
            return False
        try:
            await self._ask(ROOTED, "look behind the end of a list", {"_range": f"{FAR}-{FAR}"})
        except ForeignError as error:
            return error.status == 204
        except (RefusedError, PermissionDenied):
            return False
        return False

    async def _answers_elsewhere(self, collection: str) -> bool:
        for path in self._everywhere():
            if path != collection and await self._answers(path):
                return True
        return False

    async def _answers(self, path: str) -> bool:
        """Whether this call is answered by Sterling itself. Raises what may pass: then nothing is known."""
        try:
            await self._ask(path, f"look at {path}", {"_range": "0-0"})
        except (ForeignError, PermissionDenied):
            return False
        except RefusedError:
            return True
        return True
