"""Source ``sterling.mailbox``: the messages that partners left, each with its content, in order of arrival.

Each run lists the mailboxes whole and reads what the ledger does not have (`stages.sterling.memory`). The engine stores what a page brought
before `MailboxSource.settled` lets the far side know; what is still to be told it, and whose turn it was to be looked into, is all that the cursor holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pipeline import ConnectorError, Page, Recall, StageError, TransientError, Window
from stages.sterling.apis import SterlingClient
from stages.sterling.config import MailboxSettings
from stages.sterling.due import cursor_of, due_in
from stages.sterling.gather import gather
from stages.sterling.handover import Handover, not_let_go
from stages.sterling.memory import Found, ids_of, order, recognise
from stages.sterling.protocol.own import Own, Sender
from stages.sterling.protocol.representations import Message
from stages.sterling.rounds import Round
from stages.sterling.taking import Box, MailboxMessage, Taken, Taker
from stages.sterling.turns import Turn, turn_in

MESSAGES_PER_PAGE = 50
BYTES_PER_PAGE = 16 * 1024 * 1024


class MailboxSource:
    """Implements `pipeline.stage.Source`, `Settles` and `Partial`. One instance reads once through: what arrives meanwhile is the next run's.

    ``recall`` is the ledger's memory (`pipeline.stage.Context`), ``senders`` are who we are in interchanges.
    """

    def __init__(
        self,
        client: SterlingClient,
        settings: MailboxSettings,
        boxes: Sequence[Box],
        recall: Recall,
        senders: Collection[Sender] = (),
    ) -> None:
        self._client, self._settings, self._recall = client, settings, recall
        self._boxes = {box.path.casefold(): box for box in boxes}
        self._round = Round(client, list(self._boxes.values()))
        self._waiting: list[Found] | None = None  # the oldest first; None before anything was listed
        self._window = Window()
        self._own = Own(client.config.message_prefix, frozenset(senders))
        self._taker = Taker(client, settings, self._own, recall)
        self._where: dict[str, str] = {}  # the mailboxes of the messages that are listed, for people
        self._spared: set[str] = set()  # ours, or perhaps: neither extracted nor deleted
        self._handover = Handover(client, settings.after)
        self._due: dict[str, int | None] = {}  # kept in this run, or before it, and to be extracted or deleted

    @property
    def scope(self) -> str:
        """Ids are of one server: each has a cursor of its own, and records of its own."""
        return self._client.config.server

    @property
    def left(self) -> Sequence[ConnectorError]:
        """The mailboxes that were not read, or whose messages this account may not let go of, and why, one by one."""
        denied: dict[str, list[StageError]] = {}
        for id_ in sorted(self._handover.denied, key=order):
            denied.setdefault(self._where.get(id_, f"message {id_}"), []).append(self._handover.denied[id_])
        after, live = self._settings.after, self._window.live
        return [*self._round.left, *(not_let_go(where, denied[where], after, live) for where in sorted(denied))]

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page | None:
        if self._waiting is None:
            self._window = window
            self._waiting = await self._wanted(await self._round.first(turn_in(cursor) if window.live else Turn()))
            self._take_over(due_in(cursor))
        batch = _batch(self._waiting)
        if not batch:
            return await self._ending()
        taken = await gather([self._taker.take(found, self._boxes[found.path]) for found in batch])
        failed = [each for each in taken if isinstance(each, TransientError)]
        if len(failed) == len(batch):
            raise failed[0]
        later = [found for found, each in zip(batch, taken, strict=True) if isinstance(each, TransientError)]
        self._waiting = self._waiting[len(batch) :] + later  # one that fails for now holds up no other
        done = [each for each in taken if isinstance(each, Taken)]
        self._count(done)
        return self._page(done)

    async def _ending(self) -> Page:
        """When all has been read: what earlier runs left undone, then the mailboxes that could not be listed before."""
        before = len(self._handover.left)
        failures = await self._handover.make_up() if before else []
        if failures and len(failures) == before:
            raise failures[0]
        if not failures:
            self._waiting = await self._wanted(await self._round.again())
        return self._page([])

    def _page(self, taken: Sequence[Taken]) -> Page:
        more = bool(self._waiting or self._handover.left or self._round.failing)
        return Page([each.record for each in taken], self._cursor(self._due), more)

    def _cursor(self, due: Mapping[str, int | None]) -> dict[str, str]:
        left = {id_: left for id_, left in due.items() if id_ not in self._handover.done}
        return cursor_of(left) | self._round.turn.cursor

    async def settled(self, page: Page) -> dict[str, str] | None:
        """Extracts or deletes what the page brought, if the settings want it; the cursor without what was still to be. What could not be
        taken stays where it is. May be called again: what is done is not repeated.

        A message is extracted when its content is in the ledger for the first time, whatever read it; reading it again extracts nothing.
        """
        due = due_in(page.cursor)
        brought = [record.body.id for record in page.records if isinstance(record.body, MailboxMessage)]
        again = self._settings.after == "delete"  # what is there still was to go
        brought = [id_ for id_ in brought if id_ not in self._spared]
        await self._handover.let_go({id_: due.get(id_) for id_ in brought if again or id_ in due})
        return self._cursor(due) if self._handover.done & due.keys() else None

    def _take_over(self, due: Mapping[str, int | None]) -> None:
        """What earlier runs kept, and perhaps did not come to extract or delete before they died."""
        if self._window.live and self._settings.after != "leave":
            self._handover.take_over(due)
            self._due |= due

    def _count(self, taken: Sequence[Taken]) -> None:
        self._spared |= {each.seen.id for each in taken if each.spared}
        for each in taken:
            if each.first and not each.spared and self._settings.after != "leave":
                self._due[each.seen.id] = each.seen.extractions

    # --- choosing ---

    async def _wanted(self, listed: Mapping[str, Sequence[Message]]) -> list[Found]:
        """What this run reads, the oldest first."""
        self._where |= {one.id: f"mailbox {self._boxes[path].path}" for path, rows in listed.items() for one in rows}
        asked = ids_of(self._window.keys)
        inside = [
            (path, one)
            for path, rows in listed.items()
            for one in rows
            if _inside(one, self._window) and (not asked or one.id in asked)
        ]
        found = await recognise(self._recall, self.scope, inside)
        return sorted(filter(self._is_wanted, found), key=lambda each: order(each.seen.id))

    def _is_wanted(self, found: Found) -> bool:
        return not self._window.live or found.standing in ("new", "doubtful")


def _batch(waiting: Sequence[Found]) -> list[Found]:
    """The next messages: so many, and no more bytes than a page may hold, but always one."""
    batch: list[Found] = []
    size = 0
    for found in waiting[:MESSAGES_PER_PAGE]:
        size += found.seen.size if found.seen.size is not None else BYTES_PER_PAGE // 8
        if batch and size > BYTES_PER_PAGE:
            break
        batch.append(found)
    return batch


def _inside(seen: Message, window: Window) -> bool:
    early = window.since is not None and seen.created is not None and seen.created < window.since
    late = window.until is not None and seen.created is not None and seen.created >= window.until
    return not early and not late
