"""The B2B APIs as calls: what is read, listed, created, changed and removed there, as parsed JSON.

How a call travels is the business of `stages.sterling.client`, what a 404 means of `stages.sterling.absence`.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
from yarl import URL

from pipeline import ConfigError, Context, RefusedError, Secret
from stages.sterling.absence import Absence
from stages.sterling.client import JSON, Wire, wire
from stages.sterling.config import SterlingConfig
from stages.sterling.protocol import addresses
from stages.sterling.protocol.account import administrator, administrator_rights
from stages.sterling.protocol.answer import Answer, Unreadable, created_id, is_page, parse_json
from stages.sterling.protocol.errors import (
    Call,
    ForeignError,
    NotFoundError,
    lacks_collection,
    no_content,
    says_not_there,
    unreadable,
)
from stages.sterling.protocol.paging import Incomplete, Listing, smaller_window
from stages.sterling.protocol.representations import row_key

log = logging.getLogger(__name__)


class Reached(set[str]):
    """The servers that have answered as Sterling in this process: what says "no such page" at their address now is out of order."""


class SterlingClient:
    """Calls the B2B APIs. Build it with `connect`, which closes it. Safe for concurrent tasks.

    Every method raises `StageError`s only. Reads may be repeated freely; of writes the caller marks the commit point first.
    """

    def __init__(self, config: SterlingConfig, wire: Wire, reached: Reached) -> None:
        self.config = config
        self._reached = reached
        self._wire = wire
        self._absence = Absence(config, self.ask)
        self._ready_lock = anyio.Lock()
        self._ready = False
        self.window = config.window  # rows; shrinks when the server refuses it and takes a smaller one

    async def ready(self) -> None:
        """Check once, before the first delivery, that the account is no administrator. Cheap afterwards."""
        async with self._ready_lock:
            if not self._ready:
                await self._refuse_administrator()
                self._ready = True

    async def ask(self, path: str, doing: str, query: Mapping[str, str] | None = None) -> Any:
        """GET as parsed JSON; None when Sterling itself answers 404. A 404 that is some page's, or empty, and a 204 to a list is a `ForeignError`."""
        call = self._wire.call("GET", path, doing, writes=False)
        try:
            answer = await self._wire.exchange(call, "GET", path, query=query)
        except NotFoundError:
            return None
        if answer.status == 204 and path == addresses.collection_of(path):
            raise no_content(call)
        parsed = self._parsed(answer, call)
        self._absence.answered(path, parsed)
        return parsed

    async def read(self, path: str, doing: str, query: Mapping[str, str] | None = None, *, proven: bool = False) -> Any:
        """GET as parsed JSON; None when it is not there, or the list is empty: see `Absence.read`."""
        return await self._absence.read(path, doing, query, proven=proven)

    async def rows(
        self,
        path: str,
        doing: str,
        query: Mapping[str, str] | None = None,
        *,
        proven: bool = False,
        fenced: bool = False,
    ) -> list[Mapping[str, Any]]:
        """All rows of a list, read to its proven end, each once. Raises `TransientError` when the end cannot be proved.

        A server that refuses the window is asked for smaller ones, and gets those from then on. ``proven`` as with `read`, ``fenced`` as with `Listing`.
        """
        listing = Listing(row_key, size=self.window, pages=self.config.page_cap, fenced=fenced)
        while not listing.done:
            try:
                page = await self.read(path, doing, {**(query or {}), "_range": listing.window}, proven=proven)
            except RefusedError as refused:
                listing.size = smaller_window(listing.size, refused, path)
                continue
            self.window = min(self.window, listing.size)  # what the server takes, others need not find out again
            try:
                listing.take(page_rows(page))
            except (Incomplete, ValueError) as reason:
                problem = str(reason)
                break
        else:
            return listing.rows
        raise unreadable(self._wire.call("GET", path, doing, writes=False), problem)

    async def update(self, path: str, body: Any, doing: str, secrets: tuple[Secret, ...] = ()) -> Any:
        """PUT of a JSON body; the answer as parsed JSON, None for an empty 204. Any other success is a `TransientError`.

        ``secrets`` as with `create`.
        """
        call = self._wire.call("PUT", path, doing, writes=True, secrets=secrets)
        answer = await self._wire.exchange(call, "PUT", path, body=msgspec.json.encode(body))
        return None if answer.status == 204 else self._parsed(answer, call)

    async def create(
        self, path: str, body: bytes, doing: str, content_type: str = JSON, secrets: tuple[Secret, ...] = ()
    ) -> str:
        """POST that creates something; its id. A success that names no id is a `TransientError`: what happened is unknown.

        ``secrets`` are those the body holds, so that no echo of them gets into an error or the id.
        """
        call = self._wire.call("POST", path, doing, writes=True, secrets=secrets)
        answer = await self._wire.exchange(call, "POST", path, body=body, content_type=content_type)
        made = created_id(answer)
        if made is None:
            raise unreadable(call, "The answer names no id of what was created.")
        return call.scrub(made)

    async def act(self, path: str, doing: str, query: Mapping[str, str] | None = None, largest: int = 0) -> Any:
        """POST of an action that changes nothing; its answer as parsed JSON, None when Sterling itself answers 404.

        ``largest`` bounds the answer where `client.LARGEST_ANSWER` is too little for it; beyond it is a `TooLargeError`.
        """
        call = msgspec.structs.replace(self._wire.call("POST", path, doing, writes=False), largest=largest)
        try:
            answer = await self._wire.exchange(call, "POST", path, query=query, body=b"")
        except NotFoundError:
            return None
        except ForeignError as error:
            if not lacks_collection(error):
                raise
            doubt = error
        else:
            return self._parsed(answer, call)
        failure = await self._absence.of_action(path, doing, doubt)
        if failure is not None:
            raise failure
        return None

    async def lacks(self, name: str) -> bool:
        """Whether this level of Sterling has no collection of that name: see `Absence.lacks`."""
        return await self._absence.lacks(addresses.collection(name))

    async def prove(self) -> None:
        """Raises `ConfigError` when what answers at the connection's url is no Sterling, as far as this process knows."""
        if self.config.server not in self._reached:
            await self._absence.prove()

    async def carry_out(self, path: str, doing: str) -> None:
        """POST of an action that takes effect. Whatever a success answers, it is done, and no more of it is read than needs be; what Sterling itself
        says is not there has gone. A sign-on page is a `TransientError`, whatever its status: the outcome is unknown.
        """
        call = msgspec.structs.replace(self._wire.call("POST", path, doing, writes=True), unread=True)
        try:
            answer = await self._wire.exchange(call, "POST", path, body=b"")
        except NotFoundError:
            return
        if is_page(answer.body):
            raise unreadable(call, "the answer was a page")

    async def remove(self, path: str, doing: str) -> None:
        """DELETE; what is gone already is as good. May be repeated freely."""
        call = self._wire.call("DELETE", path, doing, writes=False)
        try:
            await self._wire.exchange(call, "DELETE", path)
        except NotFoundError:
            return
        except ForeignError as error:
            if not says_not_there(error) or await self.read(path, f"see whether it is gone: {doing}") is not None:
                raise

    async def check(self) -> None:
        """Sign in and look at one row of the list that `find` will read, for `check --live` and the start of a run.

        A wrong url shows here: something other than Sterling answers. In a process in which the server has answered before, that may pass.
        """
        try:
            await self._look()
        except ForeignError as error:
            if lacks_collection(error):
                await self.prove()
            raise
        self._reached.add(self.config.server)

    async def _look(self) -> None:
        await self.ready()
        name = "mailboxes" if self.config.list_by == "mailboxcontents" else self.config.mailboxmessages
        try:
            await self.read(addresses.collection(name), f"list {name}", {"_range": "0-0"})
        except RefusedError as error:  # there is no record yet that could be refused
            refusal = ConfigError(
                error.what, where=error.where, why=error.why, mend=error.mend, owner=error.owner, code=error.code
            )
        else:
            return
        raise refusal

    async def account(self) -> Mapping[str, Any] | None:
        """What Sterling tells of the connection's own account. None when it is not named, or may not read itself: a least-privilege
        account, which is what we want.
        """
        if not self.config.self_account:
            return None
        path = addresses.item("useraccounts", self.config.self_account)
        call = self._wire.call("GET", path, "read its own account", writes=False)
        try:
            answer = await self._wire.exchange(call, "GET", path, accept=(403, 404))
        except NotFoundError:
            return None
        account = self._parsed(answer, call) if answer.ok else None
        return account if isinstance(account, Mapping) else None

    async def _refuse_administrator(self) -> None:
        """Administrators bypass mailbox permissions: tests pass, production fails, and a leak gives everything away."""
        if not self.config.self_account or self.config.allow_administrator:
            log.info("sterling: the account's rights are not checked")
            return
        found = administrator_rights(await self.account(), self.config.administrator_groups)
        if found:
            raise administrator(
                self.config.self_account, found, f"GET useraccounts at {URL(self.config.url).authority}"
            )

    @staticmethod
    def _parsed(answer: Answer, call: Call) -> Any:
        try:
            return parse_json(answer.body)
        except Unreadable as reason:
            problem = str(reason)
        raise unreadable(call, problem)


def page_rows(page: Any) -> list[Mapping[str, Any]]:
    """The rows of one window; None (a 404 of Sterling's own) is an empty one. Raises `ValueError` for anything but a list."""
    if page is None:
        return []
    if not isinstance(page, list) or not all(isinstance(row, Mapping) for row in page):
        raise ValueError("the answer is not a list")
    return page


@asynccontextmanager
async def connect(config: SterlingConfig, context: Context) -> AsyncIterator[SterlingClient]:
    """A client for these settings, closed on leaving. Raises `ConfigError` for settings that are unsafe; sends nothing yet."""
    async with wire(config, context) as opened:
        yield SterlingClient(config, opened, context.shared.of(Reached, Reached))
