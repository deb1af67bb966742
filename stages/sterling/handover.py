"""What becomes of a message whose bytes are in the ledger: it stays, is extracted once, or is deleted."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Literal

from pipeline import ConnectorError, PermissionDenied, RefusedError, StageError
from stages.sterling.apis import SterlingClient
from stages.sterling.gather import gather
from stages.sterling.protocol import addresses
from stages.sterling.protocol.errors import ForeignError, lacks_collection, not_passed
from stages.sterling.protocol.representations import message

log = logging.getLogger(__name__)


class Handover:
    """Lets go of messages for one run. ``left`` is what earlier runs kept and did not come to; ``done`` what this run has done, ``denied`` what the
    account may not do, and why: it holds up no other, and is left to later runs.

    Messages are told by id, with the extractions they had left when they were read (None: not counted).
    """

    def __init__(self, client: SterlingClient, after: Literal["leave", "extract", "delete"]) -> None:
        self._client, self.after = client, after
        self.left: dict[str, int | None] = {}
        self.done: set[str] = set()
        self.denied: dict[str, StageError] = {}
        self._tried: set[str] = set()  # what may have been extracted: nobody has heard

    def take_over(self, due: Mapping[str, int | None]) -> None:
        self.left = dict(due) if self.after != "leave" else {}
        self._tried |= self.left.keys()

    async def let_go(self, due: Mapping[str, int | None]) -> None:
        """Raises the first `StageError` once all have been tried. Called again, it repeats nothing that is done."""
        await gather([self._let_go(id_, left) for id_, left in due.items()])

    async def make_up(self) -> list[StageError]:
        """Lets go of what earlier runs left, and says what failed. That is left still."""
        failures = [error for error in await gather([self._made_up(id_) for id_ in self.left]) if error is not None]
        self.left = {id_: left for id_, left in self.left.items() if id_ not in self.done | self.denied.keys()}
        return failures

    async def _made_up(self, id_: str) -> StageError | None:
        try:
            await self._let_go(id_, self.left[id_])
        except StageError as error:
            return error
        return None

    async def _let_go(self, id_: str, left: int | None) -> None:
        if self.after == "leave" or id_ in self.done:
            return
        again = id_ in self._tried
        self._tried.add(id_)
        try:
            if self.after == "delete":
                await self._delete(id_)
            elif not again or not await self._extracted(id_, left):
                await self._extract(id_, again)
        except (PermissionDenied, ForeignError) as error:
            if isinstance(error, ForeignError) and not (again and error.status == 403):
                raise
            self.denied[id_] = error
        else:
            self.done.add(id_)
            self.denied.pop(id_, None)

    async def _extracted(self, id_: str, left: int | None) -> bool:
        """Whether an extraction that nobody heard of has happened: one less is left, or the message is gone.

        Where extractions are not counted nothing tells, and one more uses nothing up.
        """
        row = await self._client.read(self._path(id_), f"read message {id_}")
        if not isinstance(row, Mapping):
            return True
        now = message({**row, "id": id_}).extractions
        return left is not None and now is not None and now < left

    async def _extract(self, id_: str, again: bool) -> None:
        """A foreign 404 may hide an effect. When it comes again, after Sterling has shown the message as it was, nothing passes the call on."""
        path, doing = f"{self._path(id_)}/actions/extract", f"extract message {id_}"
        try:
            await self._client.carry_out(path, doing)
        except RefusedError as error:
            log.info("sterling: message %s was not extracted: %s", id_, error.why)
        except ForeignError as error:
            if not (again and lacks_collection(error)):
                raise
            raise not_passed(path, doing, error) from None

    async def _delete(self, id_: str) -> None:
        try:
            await self._client.remove(self._path(id_), f"delete message {id_}")
        except RefusedError as error:
            log.info("sterling: message %s was not deleted: %s", id_, error.why)

    def _path(self, id_: str) -> str:
        return addresses.item(self._client.config.mailboxmessages, id_)


def not_let_go(where: str, errors: Sequence[StageError], after: str, later: bool) -> ConnectorError:
    """That the account may not ``after`` messages of this mailbox, one error for each message. ``later``: whether the next run tries again."""
    again = "The next run tries it again" if later else "They stay there"
    return PermissionDenied(
        f"The account may not {after} messages of a mailbox",
        where=where,
        why=f"Messages refused: {len(errors)}. {errors[0].what}: {errors[0].why}",
        mend=f"Ask Sterling's administrator to allow it, or set `after: leave`. {again}; what was read is in the ledger.",
        code="MLC-STL-0337",
    )
