"""The mailbox source against the adapter's own simulator: complete, each message once, nothing let go of before it is kept."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from pipeline import (
    ConfigError,
    ConnectorError,
    Context,
    DataError,
    Excluded,
    FlowError,
    Known,
    Page,
    PermissionDenied,
    RefusedError,
    Secret,
    TransientError,
    Window,
)
from pipeline.testing import ManualClock
from stages.ap.seed.world import SeedPartner, World
from stages.sterling import ADAPTER, mailbox_source, turns
from stages.sterling import client as client_module
from stages.sterling.apis import SterlingClient, connect
from stages.sterling.config import Auth, Basic, MailboxSettings, SterlingConfig
from stages.sterling.due import cursor_of, due_in
from stages.sterling.mailbox_source import MailboxSource
from stages.sterling.memory import without_content
from stages.sterling.protocol.own import DELIVERED
from stages.sterling.simulator import Fault, SterlingSimulator, Switches, open_mailbox
from stages.sterling.taking import GONE, Box

BOX, OTHER = "/RIVERBEND/Outbound", "/SUNFIELD/Outbound"
START = datetime(2024, 1, 31, tzinfo=UTC)


async def nothing(company: str, object: str, names: Sequence[str]) -> list[Known]:
    """The memory of a ledger that is new."""
    return []


LISTS = ["mailboxmessages", "mailboxcontents"]


class Rig:
    """A simulator with two mailboxes, and one client; ``clock`` stands still unless moved."""

    def __init__(self, simulator: SterlingSimulator, client: SterlingClient, clock: ManualClock) -> None:
        self.simulator, self.client, self.clock = simulator, client, clock
        self.ledger: dict[str, Known] = {}  # as the engine's remembers records that were read

    async def recall(self, company: str, object: str, names: Sequence[str]) -> list[Known]:
        assert (company, object) == (self.client.config.server, "message")
        return [
            msgspec.structs.replace(each, name=name)
            for name in names
            for each in self.ledger.values()
            if name in (each.key, each.alias)
        ]

    def keep(self, page: Page) -> None:
        """The page is settled: its records are in the ledger."""
        for each in page.records:
            self.ledger[each.key] = Known(each.key, each.key, each.alias, each.label, each.digest)

    def source(self, *boxes: str, senders: Sequence[tuple[str, str]] = (), **settings: Any) -> MailboxSource:
        paths = boxes or (BOX, OTHER)
        wanted = [Box(path) for path in paths]
        return MailboxSource(self.client, MailboxSettings(**settings), wanted, self.recall, senders)

    async def poll(
        self, cursor: dict[str, str] | None = None, *boxes: str, window: Window | None = None, **settings: Any
    ) -> tuple[list[str], dict[str, str]]:
        """Reads once through, as the engine does: the keys, and the cursor left."""
        return await self.read_through(self.source(*boxes, **settings), cursor, window)

    async def read_through(
        self, source: MailboxSource, cursor: dict[str, str] | None = None, window: Window | None = None
    ) -> tuple[list[str], dict[str, str]]:
        keys: list[str] = []
        while True:
            page = await source.read(window or Window(), cursor)
            assert page is not None
            self.keep(page)
            keys += [record.key for record in page.records]
            cursor = page.cursor
            assert cursor is not None
            if not page.more:
                return keys, cursor

    def drop(self, count: int = 1, box: str = BOX) -> list[str]:
        return [str(self.simulator.deposit(box, f"a{n}.edi", b"ISA %d \x1c\xff" % n)) for n in range(count)]

    def effects(self, kind: str) -> list[Any]:
        return [effect for effect in self.simulator.effects() if effect["effect"] == kind]


@pytest.fixture
def rigs(context: Context) -> Callable[..., Any]:
    @asynccontextmanager
    async def make(switches: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[Rig]:
        partner = SeedPartner(code="RIVERBEND", name="R", vendors=("V",), mailbox="/RIVERBEND/Inbound")
        now = datetime(2024, 1, 31, tzinfo=UTC)
        world = World(
            company="H", company_name="H", sender="s", sender_password="s", user="u", user_password="u", entities=(), vendors=(), bills=(),
            purchases=(), partners=(partner,), sterling_user="apconnector", sterling_password="Canary-pass-1", now=now,
        )  # fmt: skip
        clock = ManualClock(autojump=False)
        simulator = SterlingSimulator(world, clock, switches=Switches(**(switches or {})))
        for box in (BOX, OTHER):
            open_mailbox(simulator.hub, box)
        basic = Basic(user="apconnector", password=Secret("Canary-pass-1"))
        async with simulator.listen():
            config = SterlingConfig(url=simulator.url, auth=Auth(basic=basic), **settings)
            async with connect(config, context) as client:
                yield Rig(simulator, client, clock)

    return make


@pytest.mark.parametrize("list_by", LISTS)
async def test_every_message_is_read_once_in_order_of_arrival_with_its_bytes(
    rigs: Any, monkeypatch: Any, list_by: str
) -> None:
    monkeypatch.setattr(mailbox_source, "MESSAGES_PER_PAGE", 3)
    async with rigs(list_by=list_by, window=4) as rig:
        ids = [key for n in range(10) for key in rig.drop(1, BOX if n % 3 else OTHER)]
        keys, cursor = await rig.poll()
        assert keys == ids
        assert (await rig.poll(cursor))[0] == []
        page = await rig.source(BOX).read(Window(keys=(ids[1],)), None)
        body = page.records[0].body
        assert (body.payload, page.records[0].raw, body.mailbox) == (b"ISA 0 \x1c\xff", body.payload, BOX)


@pytest.mark.parametrize("list_by", LISTS)
async def test_what_arrives_and_is_extracted_during_the_listing_leaves_no_gap(rigs: Any, list_by: str) -> None:
    async with rigs(list_by=list_by, window=3) as rig:
        ids = rig.drop(12)
        draw = random.Random(7)

        def disturb() -> None:
            rig.drop()
            gone = [one for one in rig.simulator.messages(BOX) if str(one.id) in taken]
            if gone:
                rig.simulator.consume(draw.choice(gone).id)

        taken = set(ids[:4])  # some other reader takes these
        rig.simulator.faults.add(Fault(kind="effect", match=f"GET {list_by}*", times=4, on_effect=disturb))
        first, cursor = await rig.poll()
        second, _ = await rig.poll(cursor)
        there = {str(one.id) for one in rig.simulator.messages(BOX)}
        assert set(ids[4:]) <= set(first)
        assert there <= {*first, *second}
        assert not set(first) & set(second)


async def test_a_message_that_becomes_visible_after_a_later_one_is_still_read(rigs: Any) -> None:
    async with rigs() as rig:
        early, late = rig.drop(2)
        hidden = rig.simulator.hub.paths[BOX].messages.pop(int(early), None)
        kept = rig.simulator.hub.messages.pop(int(early))
        first, cursor = await rig.poll()
        rig.simulator.hub.messages[int(early)] = kept
        rig.simulator.hub.paths[BOX].messages[int(early)] = hidden
        assert (first, (await rig.poll(cursor))[0]) == ([late], [early])


@pytest.mark.parametrize("newer_after", [0, 7200, 90 * 86_400])
async def test_a_message_that_becomes_visible_much_later_is_read_whatever_came_first(
    rigs: Any, newer_after: int
) -> None:
    async with rigs() as rig:
        early = rig.drop(2)[0]
        hub = rig.simulator.hub
        hidden, place = hub.messages.pop(int(early)), hub.paths[BOX].messages.pop(int(early))
        _, cursor = await rig.poll(None, BOX)
        await rig.clock.advance(newer_after)
        rig.drop(3)
        _, cursor = await rig.poll(cursor, BOX)
        hub.messages[int(early)], hub.paths[BOX].messages[int(early)] = hidden, place
        assert (await rig.poll(cursor, BOX))[0] == [early]


async def test_a_message_that_is_moved_here_with_a_low_id_is_read_and_one_that_was_read_elsewhere_is_not(
    rigs: Any,
) -> None:
    async with rigs() as rig:
        (moved,) = rig.drop(1, OTHER)
        rig.drop(5, BOX)
        await rig.clock.advance(7200)
        rig.drop(1, BOX)
        _, cursor = await rig.poll(None, BOX)
        hub = rig.simulator.hub
        hub.move_message(hub.messages[int(moved)], hub.paths[BOX])
        keys, cursor = await rig.poll(cursor, BOX)
        assert keys == [moved]
        hub.move_message(hub.messages[int(moved)], hub.paths[OTHER])
        assert (await rig.poll(cursor, OTHER))[0] == []


async def test_the_cursor_does_not_grow_with_what_was_read(rigs: Any) -> None:
    async with rigs() as rig:
        rig.drop(50)
        assert (await rig.poll())[1] == {"due": "", "asked": OTHER.casefold()}  # the one that is empty


# --- a server that gives ids again -----------------------------------------------------------------------------------


@pytest.mark.parametrize("renamed", [True, False])
async def test_a_message_that_a_restored_server_gives_the_id_of_another_is_read_under_a_key_of_its_own(
    rigs: Any, renamed: bool
) -> None:
    async with rigs() as rig:
        (first,) = rig.drop()
        _, cursor = await rig.poll(None, BOX)
        hub = rig.simulator.hub
        message = hub.messages[int(first)]
        message.document.payload = b"another"
        message.name = "b.edi" if renamed else message.name
        message.created += timedelta(days=1)
        page = await rig.source(BOX).read(Window(), cursor)
        (record,) = page.records
        digest = hashlib.sha256(b"another").hexdigest()
        assert (record.key, record.body.id) == (f"{first}@{digest[:12]}", first)
        rig.keep(page)
        assert (await rig.poll(page.cursor, BOX))[0] == []
        assert (await rig.poll(None, BOX, window=Window(keys=(record.key,))))[0] == [record.key]


async def test_a_message_that_is_shown_with_another_time_is_repeated_under_its_key_and_extracted_no_second_time(
    rigs: Any,
) -> None:
    """The engine counts a repeat of equal content as unchanged, and remembers the time."""
    async with rigs() as rig:
        keys = rig.drop(2)
        _, cursor = await rig.poll(None, BOX)
        for key in keys:
            rig.simulator.hub.messages[int(key)].created += timedelta(hours=1)
        source = rig.source(BOX, after="extract")
        page = await source.read(Window(), cursor)
        rig.keep(page)
        await source.settled(page)
        assert ([record.key for record in page.records], rig.effects("message.extracted")) == (keys, [])
        assert (await rig.poll(page.cursor, BOX))[0] == []


async def shifted(rig: Rig, key: str) -> Page:
    """What is read once the server shows the message with another time, kept and settled."""
    rig.simulator.hub.messages[int(key)].created += timedelta(hours=1)
    source = rig.source(BOX, after="extract", largest=10)
    page = await source.read(Window(), None)
    assert page is not None
    rig.keep(page)
    await source.settled(page)
    return page


async def test_a_second_message_of_an_id_that_is_shown_with_other_times_is_repeated_and_extracted_once(
    rigs: Any,
) -> None:
    async with rigs() as rig:
        key = str(rig.simulator.deposit(BOX, "a.edi", b"first"))
        await rig.poll(None, BOX)
        rig.simulator.hub.messages[int(key)].document.payload = b"second"
        read = [[record.key for record in (await shifted(rig, key)).records] for _ in range(3)]
        rig.simulator.hub.messages[int(key)].document.payload = b"first"
        read.append([record.key for record in (await shifted(rig, key)).records])
        second = f"{key}@{hashlib.sha256(b'second').hexdigest()[:12]}"
        assert read == [[second], [second], [second], [key]]
        assert len(rig.effects("message.extracted")) == 1
        assert (await rig.poll(None, BOX))[0] == []


async def test_a_message_that_cannot_be_taken_is_one_exception_whatever_its_time_and_its_replay_finds_it(
    rigs: Any,
) -> None:
    async with rigs() as rig:
        key = str(rig.simulator.deposit(BOX, "large.bin", b"x" * 11))
        await rig.poll(None, BOX, largest=10)
        records = [record for _ in range(2) for record in (await shifted(rig, key)).records]
        assert [(record.key, record.body.code) for record in records] == [(key, "MLC-STL-0333")] * 2
        assert (await rig.poll(None, BOX))[0] == []  # the new time is remembered: it is told
        rig.simulator.hub.messages[int(key)].created += timedelta(hours=1)
        source = rig.source(BOX, after="extract")
        page = await source.read(Window(keys=(key,)), None)
        await source.settled(page)
        assert [(record.key, record.body.payload) for record in page.records] == [(key, b"x" * 11)]
        assert len(rig.effects("message.extracted")) == 1


async def test_a_second_message_of_an_id_that_cannot_be_taken_is_one_exception_until_its_content_is_known(
    rigs: Any,
) -> None:
    """What is open under the key that it had without content is settled with it."""
    async with rigs() as rig:
        key = str(rig.simulator.deposit(BOX, "a.edi", b"first"))
        await rig.poll(None, BOX)
        rig.simulator.hub.messages[int(key)].document.payload = b"x" * 11
        dead = [record.key for _ in range(3) for record in (await shifted(rig, key)).records]
        assert dead == [f"{key}@a.edi"] * 3
        (record,) = (await rig.source(BOX).read(Window(keys=(dead[0],)), None)).records
        assert (record.key, record.former) == (f"{key}@{hashlib.sha256(b'x' * 11).hexdigest()[:12]}", dead[0])
        rig.simulator.hub.messages[int(key)].document.payload = b"first"  # it was the first one all the time
        (record,) = (await rig.source(BOX).read(Window(keys=(dead[0],)), None)).records
        assert (record.key, record.former) == (key, dead[0])


async def test_exceptions_that_were_told_for_each_time_of_a_message_are_settled_together(rigs: Any) -> None:
    """An earlier version gave it the key ID@TIME as well."""
    async with rigs() as rig:
        key = str(rig.simulator.deposit(BOX, "large.bin", b"x" * 11))
        await rig.poll(None, BOX, largest=10)
        message = rig.simulator.hub.messages[int(key)]
        message.created += timedelta(hours=1)
        again = f"{key}@{message.created.isoformat()}"
        digest = without_content(again)
        rig.ledger[again] = Known(again, again, message.created.isoformat(), "large.bin", digest)
        assert (await rig.poll(None, BOX))[0] == []
        (record,) = (await rig.source(BOX).read(Window(keys=(again,)), None)).records
        assert (record.key, record.former) == (key, again)


async def test_a_mailbox_that_is_added_later_is_read_from_its_beginning(rigs: Any) -> None:
    async with rigs() as rig:
        (older,) = rig.drop(1, OTHER)
        await rig.clock.advance(7200)
        rig.drop(1, BOX)
        _, cursor = await rig.poll(None, BOX)
        assert (await rig.poll(cursor, BOX, OTHER))[0] == [older]


async def test_an_explicit_window_reads_again_by_key_or_time(rigs: Any) -> None:
    async with rigs() as rig:
        first, second = rig.drop(2)
        await rig.clock.advance(60)
        (third,) = rig.drop(1)
        cursor = (await rig.poll())[1]
        assert (await rig.poll(cursor, window=Window(keys=(second,))))[0] == [second]
        since = rig.simulator.hub.messages[int(third)].created
        assert (await rig.poll(cursor, window=Window(since=since)))[0] == [third]
        assert (await rig.poll(cursor, window=Window(until=since)))[0] == [first, second]


# --- mailboxes that cannot be read ---


@pytest.mark.parametrize("list_by", LISTS)
async def test_a_mailbox_that_may_not_be_read_is_told_and_all_others_are_read(rigs: Any, list_by: str) -> None:
    async with rigs(list_by=list_by) as rig:
        (key,) = rig.drop(1, OTHER)
        rig.drop(1, BOX)
        rig.simulator.hub.groups["AP_CONNECTOR"].discard(f"{BOX} Mailbox")
        source = rig.source()
        page = await source.read(Window(), None)
        assert ([record.key for record in page.records], page.more) == ([key], False)
        (error,) = source.left
        assert (type(error), error.code, error.where) == (PermissionDenied, "MLC-STL-0331", f"mailbox {BOX}")


async def test_of_many_empty_mailboxes_a_few_are_looked_into_at_each_poll_and_a_lost_right_is_told_within_a_round(
    rigs: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(turns, "A_TURN", 3)
    async with rigs() as rig:
        boxes = [f"/P{n}/Outbound" for n in range(8)]
        for box in boxes:
            open_mailbox(rig.simulator.hub, box)
        looked: list[int] = []

        async def poll(cursor: Any) -> tuple[Any, list[str]]:
            rig.simulator.requests.clear()
            source = rig.source(*boxes)
            _, cursor = await rig.read_through(source, cursor)
            looked.append(sum("mailboxcontents" in line for line, _ in rig.simulator.requests))
            return cursor, [error.where for error in source.left]

        cursor, _ = await poll(None)
        cursor, _ = await poll(cursor)
        assert looked == [8, 3]
        lost = [boxes[1], boxes[7]]
        for box in lost:
            rig.simulator.hub.groups["AP_CONNECTOR"].discard(f"{box} Mailbox")
        told: list[list[str]] = []
        for _ in range(4):
            cursor, left = await poll(cursor)
            told.append(left)
        both = [f"mailbox {box}" for box in lost]
        assert told == [[], both, both, both]  # the rest is asked for at once when one is refused
        assert looked[2:] == [3, 8, 4, 5]
        window = Window(since=datetime(2020, 1, 1, tzinfo=UTC))
        source = rig.source(*boxes)
        await rig.read_through(source, cursor, window)
        assert len(source.left) == 2


def two_mailboxes(far: Any, first: Any) -> None:
    """A hub with one message in each of two mailboxes; the first one is answered by ``first``, a function of the request."""
    far.on("GET", "/mailboxes/", [{"_id": 5, "path": BOX}, {"_id": 6, "path": OTHER}])
    other = [{"id": 8, "type": "message", "name": "o.edi", "documentId": "d:8"}]
    rows = {"5": first, "6": lambda request: [] if request.query["_range"] != "0-999" else other}
    far.on("GET", "/mailboxcontents/", lambda request: rows[request.query["parentMailboxId"]](request))
    for id_ in "78":
        far.on("POST", f"/documents/d:{id_}/actions/getpayload", {"response": base64.b64encode(b"ISA").decode()})


def readable(request: web.Request) -> Any:
    return (
        []
        if request.query["_range"] != "0-999"
        else [{"id": 7, "type": "message", "name": "a.edi", "documentId": "d:7"}]
    )


BROKEN = {
    "503": lambda request: web.Response(status=503, text="<html>down</html>", content_type="text/html"),
    "404": lambda request: web.Response(status=404, text="<html>no such page</html>", content_type="text/html"),
    "half an answer": lambda request: web.Response(body=b'[{"id": 7, "na', content_type="application/json"),
    "refused": lambda request: web.json_response({"errorCode": 400, "errorDescription": "no"}, status=400),
}


async def keys_of(source: MailboxSource) -> list[str]:
    keys: list[str] = []
    while True:
        page = await source.read(Window(), None)
        assert page is not None
        keys += [record.key for record in page.records]
        if not page.more:
            return keys


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_a_mailbox_that_cannot_be_listed_for_now_is_told_with_its_line_and_read_by_the_next_run(
    far: Any, connected: Any, answer: Any
) -> None:
    two_mailboxes(far, answer)
    boxes = [Box(BOX), Box(OTHER)]
    async with connected(list_by="mailboxcontents") as client:
        source = MailboxSource(client, MailboxSettings(), boxes, nothing)
        keys = await keys_of(source)
        (error,) = source.left
        assert (keys, error.where, error.code) == (["8"], f"mailbox {BOX}", "MLC-STL-0336")
        assert isinstance(error, ConnectorError)
        two_mailboxes(far, readable)
        assert await keys_of(MailboxSource(client, MailboxSettings(), boxes, nothing)) == ["7", "8"]


async def test_a_mailbox_that_fails_for_a_moment_only_is_read_in_the_same_run(far: Any, connected: Any) -> None:
    answers = [BROKEN["503"]]
    two_mailboxes(far, lambda request: (answers.pop() if answers else readable)(request))
    async with connected(list_by="mailboxcontents") as client:
        source = MailboxSource(client, MailboxSettings(), [Box(BOX), Box(OTHER)], nothing)
        assert (await keys_of(source), list(source.left)) == (["8", "7"], [])


async def test_a_mailbox_that_cannot_be_looked_into_is_told_and_the_listing_of_all_messages_is_read(
    far: Any, connected: Any
) -> None:
    two_mailboxes(far, BROKEN["503"])
    rows = [{"id": 8, "mailboxPath": OTHER, "name": "o.edi", "documentId": "d:8"}]
    far.on("GET", "/mailboxmessages/", lambda request: [] if request.query["_range"] != "0-999" else rows)
    async with connected() as client:
        source = MailboxSource(client, MailboxSettings(), [Box(BOX), Box(OTHER)], nothing)
        assert (await keys_of(source), [each.where for each in source.left]) == (["8"], [f"mailbox {BOX}"])


@pytest.mark.parametrize("list_by", LISTS)
async def test_when_no_mailbox_can_be_listed_it_is_the_system_that_fails(rigs: Any, list_by: str) -> None:
    async with rigs(list_by=list_by) as rig:
        rig.drop(1)
        rig.simulator.faults.add(Fault(kind="unavailable", match=f"GET {list_by}*", times=None))
        source = rig.source()
        with pytest.raises(TransientError):
            await source.read(Window(), None)
        rig.simulator.faults.clear()
        keys, _ = await rig.read_through(source)
        assert (len(keys), list(source.left)) == (1, [])


async def test_a_missing_mailbox_is_told_only_when_somebody_named_it(rigs: Any) -> None:
    async with rigs() as rig:
        boxes = [Box("/NOWHERE", must=False), Box(BOX)]
        source = MailboxSource(rig.client, MailboxSettings(), boxes, nothing)
        page = await source.read(Window(), None)
        assert (page.records, page.more, list(source.left)) == ([], False, [])
        source = rig.source("/NOWHERE", BOX)
        await source.read(Window(), {})
        (error,) = source.left
        assert (type(error), error.code, error.where) == (ConfigError, "MLC-STL-0330", "mailbox /NOWHERE")


async def test_when_every_mailbox_is_missing_the_run_fails(rigs: Any) -> None:
    async with rigs() as rig:
        with pytest.raises(ConfigError, match="not there") as caught:
            await rig.source("/NOWHERE", "/NEITHER").read(Window(), {})
        assert caught.value.where == "mailbox /NEITHER, mailbox /NOWHERE"


@pytest.mark.parametrize("list_by", LISTS)
async def test_a_poll_ends_while_a_message_arrives_at_every_request_and_nothing_is_lost(
    rigs: Any, list_by: str
) -> None:
    async with rigs(list_by=list_by, window=5, page_cap=200) as rig:
        there = rig.drop(12)
        rig.simulator.faults.add(Fault(kind="effect", match=f"GET {list_by}*", times=None, on_effect=rig.drop))
        first, cursor = await rig.poll(None, BOX)
        rig.simulator.faults.clear()
        second, _ = await rig.poll(cursor, BOX)
        assert set(there) <= set(first)
        ever = [str(effect["message"]) for effect in rig.effects("message.created")]
        assert sorted([*first, *second], key=int) == ever


@pytest.mark.parametrize(("after", "extractions"), [("leave", 0), ("extract", 3)])
async def test_a_message_is_extracted_only_once_its_page_is_settled(rigs: Any, after: str, extractions: int) -> None:
    async with rigs() as rig:
        rig.drop(3)
        source = rig.source(after=after)
        page = await source.read(Window(), None)
        assert rig.effects("message.extracted") == []
        await source.settled(page)
        assert len(rig.effects("message.extracted")) == extractions


async def test_a_message_is_deleted_only_once_its_page_is_settled_and_only_then(rigs: Any) -> None:
    async with rigs() as rig:
        rig.drop(3)
        source = rig.source(after="delete")
        page = await source.read(Window(), None)
        assert rig.effects("message.deleted") == []
        await source.settled(page)
        await source.settled(page)  # a repeated call finds them gone
        assert (len(rig.effects("message.deleted")), rig.simulator.messages(BOX)) == (3, [])


async def test_what_a_run_kept_and_could_not_delete_is_deleted_by_the_next(rigs: Any) -> None:
    async with rigs() as rig:
        kept = rig.drop(3)
        _, cursor = await rig.poll(after="delete")  # and the process dies: the pages are never settled
        (new,) = rig.drop(1)
        keys, _ = await rig.poll(cursor, after="delete")
        assert (keys, [str(effect["message"]) for effect in rig.effects("message.deleted")]) == ([new], kept)


@pytest.mark.parametrize("after", ["extract", "delete"])
async def test_what_could_not_be_taken_stays_where_it_is(rigs: Any, after: str) -> None:
    async with rigs() as rig:
        rig.simulator.deposit(BOX, "large.bin", b"x" * 11)
        small = rig.simulator.deposit(BOX, "small.bin", b"x" * 10)
        source = rig.source(after=after, largest=10)
        page = await source.read(Window(), None)
        await source.settled(page)
        done = rig.effects("message.extracted") + rig.effects("message.deleted")
        assert [effect["message"] for effect in done] == [small]


US = ("ZZ", "HARBORVALE")


def interchange(sender: str) -> bytes:
    header = [
        "ISA",
        "00",
        " " * 10,
        "00",
        " " * 10,
        "ZZ",
        f"{sender:<15}",
        "ZZ",
        f"{'ANYBODY':<15}",
        "240131",
        "0915",
        "U",
        "00401",
    ]
    return "*".join([*header, "000000001", "0", "P", ">~IEA"]).encode() + b"*0*000000001~"


def our_name(content: bytes, of: str = "RIVERBEND") -> str:
    return f"mlc_{of}_000000001_{hashlib.sha256(content).hexdigest()[:12]}.edi"


OUR_BILL, OUR_FILE = interchange("HARBORVALE"), b"vendor;amount"


@pytest.mark.parametrize("after", ["extract", "delete"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        (our_name(OUR_BILL), OUR_BILL),
        (our_name(OUR_BILL).upper(), OUR_BILL),  # a hub that gives names back in capitals
        ("renamed by the hub", OUR_BILL),
        (our_name(OUR_FILE).upper(), OUR_FILE),  # nothing but its name says who sent it
    ],
)
async def test_what_we_delivered_is_left_out_by_a_rule_and_stays_where_it_is(
    rigs: Any, name: str, content: bytes, after: str
) -> None:
    async with rigs() as rig:
        ours = rig.simulator.deposit(BOX, name, content)
        (theirs,) = rig.drop(1)
        source = rig.source(senders=[US], after=after)
        page = await source.read(Window(), None)
        cursor = await source.settled(page) or page.cursor
        rig.keep(page)
        left_out = page.records[0].body
        assert isinstance(left_out, Excluded)
        assert (left_out.rule, [record.key for record in page.records]) == (DELIVERED, [str(ours), theirs])
        assert (await rig.poll(cursor, senders=[US], after=after))[0] == []
        done = rig.effects("message.extracted") + rig.effects("message.deleted")
        assert [str(effect["message"]) for effect in done] == [theirs]


@pytest.mark.parametrize("name", [our_name(OUR_BILL), our_name(OUR_BILL) + ".997", "MLC_RIVERBEND_X", "mlc_"])
async def test_an_answer_that_is_named_after_our_file_is_read_and_let_go_of(rigs: Any, name: str) -> None:
    async with rigs() as rig:
        answer = rig.simulator.deposit(BOX, name, interchange("RIVERBEND"))
        source = rig.source(senders=[US], after="delete")
        page = await source.read(Window(), None)
        await source.settled(page)
        assert page.records[0].body.payload == interchange("RIVERBEND")
        assert [effect["message"] for effect in rig.effects("message.deleted")] == [answer]


@pytest.mark.parametrize(("senders", "content"), [([US], b"something else"), ([], interchange("RIVERBEND"))])
async def test_what_has_our_name_and_does_not_tell_whose_it_is_is_read_and_stays(
    rigs: Any, senders: list[tuple[str, str]], content: bytes
) -> None:
    async with rigs() as rig:
        rig.simulator.deposit(BOX, our_name(OUR_FILE), content)
        source = rig.source(senders=senders, after="delete")
        page = await source.read(Window(), None)
        await source.settled(page)
        assert page.records[0].body.payload == content
        assert rig.effects("message.deleted") == []


@pytest.mark.parametrize("list_by", LISTS)
async def test_all_mailboxes_that_cannot_be_read_are_named_at_once(rigs: Any, list_by: str) -> None:
    async with rigs(list_by=list_by) as rig:
        for box in (BOX, OTHER):
            rig.simulator.hub.groups["AP_CONNECTOR"].discard(f"{box} Mailbox")
        with pytest.raises(PermissionDenied) as caught:
            await rig.source(BOX, OTHER, "/NOWHERE").read(Window(), {})
        assert BOX in caught.value.where
        assert OTHER in caught.value.where
        assert "/NOWHERE" in caught.value.why


@pytest.mark.parametrize("list_by", LISTS)
@pytest.mark.parametrize("seed", range(12))
async def test_whatever_happens_between_pages_each_message_is_handed_on_once(
    rigs: Any, monkeypatch: Any, list_by: str, seed: int
) -> None:
    """Arrivals, other readers, rows that show late, and a process that dies before its page is kept: the ledger's cursor decides."""
    monkeypatch.setattr(mailbox_source, "MESSAGES_PER_PAGE", 3)
    draw = random.Random(seed)
    async with rigs(list_by=list_by, window=4) as rig:
        taken: set[str] = set()  # by other readers

        def disturb() -> None:
            for _ in range(draw.randint(0, 2)):
                rig.drop(1, draw.choice([BOX, OTHER]))
            here = [one for box in (BOX, OTHER) for one in rig.simulator.messages(box)]
            if here and draw.random() < 0.3:
                gone = draw.choice(here)
                taken.add(str(gone.id))
                rig.simulator.consume(gone.id)

        faults = rig.simulator.faults
        faults.add(Fault(kind="effect", match=f"GET {list_by}*", times=None, on_effect=disturb))
        faults.add(Fault(kind="hidden", match=f"GET {list_by}*", times=None, seconds=300))
        cursor: dict[str, str] | None = None
        handed_on: list[str] = []
        rig.drop(7, BOX)
        for _ in range(12):
            await rig.clock.advance(draw.choice([30, 120, 1200]))
            source, reading = rig.source(), cursor
            while True:
                page = await source.read(Window(), reading)
                assert page is not None
                if draw.random() < 0.2:
                    break  # dies here: neither records nor cursor were kept
                rig.keep(page)
                handed_on += [record.key for record in page.records]
                cursor = reading = page.cursor
                if not page.more:
                    break
        faults.clear()
        await rig.clock.advance(600)
        handed_on += (await rig.poll(cursor))[0]
        assert len(handed_on) == len(set(handed_on))
        there = {str(one.id) for box in (BOX, OTHER) for one in rig.simulator.messages(box)}
        assert there <= set(handed_on)
        ever = {str(effect["message"]) for effect in rig.effects("message.created")}
        assert ever - set(handed_on) <= taken
        assert len(ever) > 20


async def test_a_message_that_cannot_be_extracted_any_more_is_left_alone(rigs: Any) -> None:
    async with rigs() as rig:
        (key,) = rig.drop()
        message = rig.simulator.hub.messages[int(key)]
        message.always, message.count = None, 0
        source = rig.source(after="extract")
        page = await source.read(Window(), None)
        await source.settled(page)
        rig.simulator.consume(key)
        await source.settled(page)
        assert rig.effects("message.extracted") == []


# --- what is listed and not found ---


async def until_read(source: MailboxSource, cursor: dict[str, str] | None = None) -> Page:
    """The next page, as the engine comes to it: asked for again when it fails for now."""
    try:
        page = await source.read(Window(), cursor)
    except TransientError:
        page = await source.read(Window(), cursor)
    assert page is not None
    return page


async def test_a_content_that_is_not_found_once_is_asked_for_again(rigs: Any) -> None:
    async with rigs() as rig:
        keys = rig.drop(1)
        documents = rig.simulator.hub.documents
        ((id_, kept),) = documents.items()
        del documents[id_]
        source = rig.source(BOX)
        with pytest.raises(TransientError) as caught:
            await source.read(Window(), None)
        assert caught.value.code == "MLC-STL-0335"
        documents[id_] = kept
        page = await source.read(Window(), None)
        assert [(record.key, type(record.body).__name__) for record in page.records] == [(keys[0], "MailboxMessage")]


@pytest.mark.parametrize("list_by", LISTS)
async def test_a_message_that_is_there_without_its_content_is_told_and_read_once_it_can_be(
    rigs: Any, list_by: str
) -> None:
    async with rigs(list_by=list_by) as rig:
        (first,) = rig.drop(1)
        documents = rig.simulator.hub.documents
        ((id_, kept),) = documents.items()
        del documents[id_]
        await rig.clock.advance(7200)
        rig.drop(1)
        cursor: dict[str, str] | None = None
        for _ in range(2):
            source = rig.source(BOX)
            page = await until_read(source, cursor)
            while page.more:
                rig.keep(page)
                cursor = page.cursor
                page = await until_read(source, cursor)
            rig.keep(page)
            (record,) = page.records
            assert (record.key, record.body.code) == (first, "MLC-STL-0335")
            assert isinstance(record.body, DataError)
            cursor = page.cursor
        documents[id_] = kept
        keys, cursor = await rig.poll(cursor, BOX)
        assert keys == [first]
        assert (await rig.poll(cursor, BOX))[0] == []


async def test_a_message_that_has_gone_is_counted_and_read_again_should_it_be_back(rigs: Any) -> None:
    async with rigs() as rig:
        (first,) = rig.drop(1)
        hub = rig.simulator.hub
        message, document = hub.messages[int(first)], hub.messages[int(first)].document

        def take_away() -> None:
            del hub.messages[message.id], hub.documents[document.id]

        rig.simulator.faults.add(Fault(kind="effect", match="GET mailboxmessages*", times=1, on_effect=take_away))
        source = rig.source(BOX)
        page = await source.read(Window(), None)
        (record,) = page.records
        assert isinstance(record.body, Excluded)
        assert (record.key, record.body.rule) == (first, GONE)
        hub.messages[message.id], hub.documents[document.id] = message, document
        assert (await rig.poll(page.cursor, BOX))[0] == [first]


@pytest.mark.parametrize(
    ("row", "own", "outcome"),
    [
        ({"id": 7}, {"id": 7}, "dead"),
        ({"id": 7}, (404, {"errorCode": 404, "errorDescription": "not found"}), "gone"),
        ({"id": 7, "documentId": "d:1"}, {"id": 7}, "dead"),
        ({"id": 7, "documentId": "d:1"}, (405, {"errorCode": 405, "errorDescription": "not offered"}), "dead"),
        ({"id": 7, "documentId": "d:1"}, (403, {"errorCode": 403, "errorDescription": "no"}), "dead"),
    ],
)
async def test_only_a_message_that_the_server_does_not_know_by_its_id_has_gone(
    far: Any, connected: Any, row: Any, own: Any, outcome: str
) -> None:
    far.on("GET", "/mailboxes/", [{"id": 5, "path": BOX}])
    far.on("GET", "/mailboxmessages/", [{"mailboxPath": BOX, "name": "a.edi"} | row])
    status, body = own if isinstance(own, tuple) else (200, own)
    far.on("GET", "/mailboxmessages/7", lambda _: web.json_response(body, status=status))
    absent = {"errorCode": 400, "errorDescription": "The document d:1 does not exist"}
    far.on("POST", "/documents/d:1/actions/getpayload", lambda _: web.json_response(absent, status=400))
    async with connected() as client:
        page = await until_read(MailboxSource(client, MailboxSettings(), [Box(BOX)], nothing))
    (record,) = page.records
    assert isinstance(record.body, {"dead": DataError, "gone": Excluded}[outcome])
    assert record.digest == ""  # so that it is read again


async def test_messages_and_cursors_belong_to_their_server(rigs: Any) -> None:
    async with rigs() as one, rigs() as other:
        assert one.drop(1) == other.drop(1)
        read = []
        for rig in (one, other):
            source = rig.source(BOX)
            page = await source.read(Window(), None)
            read.append((source.scope, *(record.company for record in page.records)))
        assert read[0] != read[1]
        assert read[0] == (f"127.0.0.1:{URL(one.simulator.url).port}/B2BAPIs/svc",) * 2


# --- extracting once ---


def counted(rig: Any, keys: list[str], count: int = 3) -> list[Any]:
    messages = [rig.simulator.hub.messages[int(key)] for key in keys]
    for message in messages:
        message.always, message.count = None, count
    return messages


@pytest.mark.parametrize("list_by", LISTS)
@pytest.mark.parametrize("after_effect", [True, False])
async def test_an_extraction_whose_answer_is_lost_is_looked_for_before_it_is_repeated_and_the_others_are_not(
    rigs: Any, list_by: str, after_effect: bool
) -> None:
    async with rigs(list_by=list_by) as rig:
        messages = counted(rig, rig.drop(4))
        source = rig.source(BOX, after="extract")
        page = await source.read(Window(), None)
        rig.simulator.faults.add(
            Fault(kind="reset", match="POST mailboxmessages/*/extract", skip=1, after=after_effect)
        )
        with pytest.raises(TransientError):
            await source.settled(page)
        cursor = await source.settled(page)
        assert [message.count for message in messages] == [2] * 4
        assert len(rig.effects("message.extracted")) == 4
        assert due_in(cursor) == {}


@pytest.mark.parametrize("extracted", ["json", "raw", "empty", "none"])
async def test_an_extraction_has_happened_whatever_its_success_answers(rigs: Any, extracted: str) -> None:
    async with rigs({"extracted": extracted}) as rig:
        keys, cursor = rig.drop(3), {"due": ""}
        source = rig.source(BOX, after="extract")
        page = await source.read(Window(), None)
        assert await source.settled(page) == cursor
        assert sorted(str(effect["message"]) for effect in rig.effects("message.extracted")) == keys


@pytest.mark.parametrize("size", [2_000, 2_000_000])
async def test_an_extraction_whose_answer_is_larger_than_anything_that_is_read_has_happened(
    rigs: Any, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    async with rigs() as rig:
        rig.simulator.deposit(BOX, "large.csv", b"x" * size)
        source = rig.source(BOX, after="extract", largest=3_000_000)
        page = await source.read(Window(), None)
        monkeypatch.setattr(client_module, "LARGEST_ANSWER", 1_000)
        assert await source.settled(page) == {"due": ""}
        assert len(rig.effects("message.extracted")) == 1


async def test_an_extraction_that_is_answered_by_a_sign_on_page_has_perhaps_not_happened(rigs: Any) -> None:
    async with rigs() as rig:
        counted(rig, rig.drop(1))
        source = rig.source(BOX, after="extract")
        page = await source.read(Window(), None)
        rig.simulator.faults.add(Fault(kind="html", status=200, match="POST mailboxmessages/*/extract"))
        with pytest.raises(TransientError, match="page"):
            await source.settled(page)
        assert await source.settled(page) == {"due": ""}
        assert len(rig.effects("message.extracted")) == 1


@pytest.mark.parametrize("extracted", [0, 1, 3])
async def test_what_a_run_that_died_kept_is_extracted_by_the_next_and_what_it_had_extracted_is_not(
    rigs: Any, extracted: int
) -> None:
    async with rigs() as rig:
        keys = rig.drop(3)
        messages = counted(rig, keys, 1)
        page = await rig.source(BOX, after="extract").read(Window(), None)
        for message in messages[:extracted]:  # and nobody came to say so
            rig.simulator.hub.extract(message)
        cursor = page.cursor
        rig.keep(page)
        (new,) = rig.drop(1)
        for _ in range(2):
            source = rig.source(BOX, after="extract")
            while True:
                page = await source.read(Window(), cursor)
                rig.keep(page)
                cursor = await source.settled(page) or page.cursor
                if not page.more:
                    break
        assert [message.count for message in messages] == [0] * 3
        assert sorted(effect["message"] for effect in rig.effects("message.extracted")) == [*map(int, [*keys, new])]
        assert cursor == {"due": ""}


async def test_what_cannot_be_extracted_for_now_holds_up_no_reading_and_is_told_at_the_end(rigs: Any) -> None:
    async with rigs() as rig:
        first, second = rig.drop(2)
        counted(rig, [first, second])
        page = await rig.source(BOX, after="extract").read(Window(), None)
        rig.keep(page)
        (new,) = rig.drop(1)
        rig.simulator.faults.add(Fault(kind="unavailable", match=f"GET mailboxmessages/{first}", times=None))
        source = rig.source(BOX, after="extract")
        page = await source.read(Window(), page.cursor)
        assert ([record.key for record in page.records], page.more) == ([new], True)
        page = await source.read(Window(), page.cursor)
        assert (page.records, page.more) == ([], True)
        with pytest.raises(TransientError):
            await source.read(Window(), page.cursor)
        assert due_in(page.cursor).keys() == {first, new}


async def settled(source: MailboxSource, page: Page) -> dict[str, str] | None:
    """As the engine tells it: again when it fails for now."""
    try:
        return await source.settled(page)
    except TransientError:
        return await source.settled(page)


@pytest.mark.parametrize(("after", "call"), [("extract", "POST"), ("delete", "DELETE")])
async def test_a_mailbox_whose_messages_may_not_be_let_go_of_is_told_with_its_line_and_made_up_for(
    rigs: Any, after: str, call: str
) -> None:
    kind = "message.extracted" if after == "extract" else "message.deleted"
    async with rigs() as rig:
        kept, free = rig.drop(2, BOX), rig.drop(2, OTHER)
        for key in kept:
            rig.simulator.faults.add(Fault(kind="html", status=403, match=f"{call} mailboxmessages/{key}*", times=None))
        source = rig.source(after=after)
        page = await source.read(Window(), None)
        rig.keep(page)
        cursor = await settled(source, page)
        (error,) = source.left
        assert (type(error), error.code, error.where) == (PermissionDenied, "MLC-STL-0337", f"mailbox {BOX}")
        assert due_in(cursor).keys() == set(kept)
        source = rig.source(after=after)
        page = await source.read(Window(), cursor)  # what is left is tried again, and refused again
        assert (page.records, page.more, len(source.left), due_in(page.cursor).keys()) == ([], False, 1, set(kept))
        rig.simulator.faults.clear()
        source = rig.source(after=after)
        page = await source.read(Window(), page.cursor)
        assert (page.more, source.left, due_in(page.cursor)) == (False, [], {})
        assert {str(effect["message"]) for effect in rig.effects(kind)} == {*kept, *free}
        assert len(rig.effects(kind)) == 4


@pytest.mark.parametrize("window", [Window(keys=("1001",)), Window(since=START)])
@pytest.mark.parametrize("again", [True, False])
async def test_reading_by_key_or_time_extracts_what_is_read_for_the_first_time(
    rigs: Any, window: Window, again: bool
) -> None:
    async with rigs() as rig:
        (key,) = rig.drop()
        window = Window(keys=(key,)) if window.keys else window
        if again:
            await rig.poll(None, BOX)
        source = rig.source(BOX, after="extract")
        page = await source.read(window, None)
        assert len(page.records) == 1
        await source.settled(page)
        assert len(rig.effects("message.extracted")) == (0 if again else 1)


async def test_a_message_that_could_be_taken_at_its_replay_only_is_extracted_then_and_once(rigs: Any) -> None:
    async with rigs() as rig:
        (key,) = rig.drop()
        document = rig.simulator.hub.messages[int(key)].document
        rig.simulator.faults.add(Fault(kind="null_pointer", match=f"POST documents/{document.id}/*", times=None))
        keys, cursor = await rig.poll(None, BOX, after="extract")
        assert (keys, (await rig.poll(cursor, BOX, after="extract"))[0]) == ([key], [])
        rig.simulator.faults.clear()
        for _ in range(2):
            source = rig.source(BOX, after="extract")
            page = await source.read(Window(keys=(key,)), None)
            rig.keep(page)
            await source.settled(page)
        assert [str(effect["message"]) for effect in rig.effects("message.extracted")] == [key]


async def test_a_message_that_could_not_be_taken_is_not_deleted_by_a_later_run_either(rigs: Any) -> None:
    async with rigs() as rig:
        rig.simulator.deposit(BOX, "large.bin", b"x" * 11)
        _, cursor = await rig.poll(after="delete", largest=10)
        await rig.poll(cursor, after="delete", largest=10)
        assert len(rig.simulator.messages(BOX)) == 1


async def test_content_may_be_asked_for_as_text(rigs: Any) -> None:
    async with rigs() as rig:
        rig.simulator.deposit(BOX, "a.edi", b"ISA*00~")
        page = await rig.source(content="text").read(Window(), None)
        assert page.records[0].body.payload == b"ISA*00~"


async def scripted(far: Any, connected: Any, row: dict[str, Any], content: Any, **settings: Any) -> Page:
    """One message in one mailbox of a server that says exactly this."""
    far.on("GET", "/mailboxes/", [{"id": 5, "path": BOX}])
    far.on("GET", "/mailboxmessages/", [{"mailboxPath": BOX, "name": "a.edi"} | row])
    far.on("GET", "/mailboxmessages/7", {"id": 7, "documentId": "d:1"})
    far.on("POST", "/documents/d:1/actions/getpayload", content)
    async with connected() as client:
        page = await MailboxSource(client, MailboxSettings(**settings), [Box(BOX)], nothing).read(Window(), None)
        assert page is not None
        return page


@pytest.mark.parametrize(
    ("row", "content"),
    [({"id": 7, "documentId": "d:1"}, {"response": "ISA*00*"}), ({"id": 7, "documentId": "d:1", "size": 99_000_000}, {"response": ""})],
    ids=["no Base64", "too large"],
)  # fmt: skip
async def test_a_message_that_cannot_be_taken_is_one_dead_record(
    far: Any, connected: Any, row: Any, content: Any
) -> None:
    page = await scripted(far, connected, row, content)
    assert isinstance(page.records[0].body, DataError)
    assert (page.records[0].key, page.records[0].body.code) == ("7", "MLC-STL-0333")


async def test_a_message_whose_content_is_refused_is_one_dead_record_and_the_others_are_read(rigs: Any) -> None:
    async with rigs() as rig:
        keys = rig.drop(3)
        document = rig.simulator.hub.messages[int(keys[1])].document.id
        rig.simulator.faults.add(Fault(kind="null_pointer", match=f"POST documents/{document}/*", times=None))
        page = await rig.source(BOX, after="delete").read(Window(), None)
        assert [record.key for record in page.records] == keys
        assert [isinstance(record.body, RefusedError) for record in page.records] == [False, True, False]


async def test_a_message_that_fails_for_now_holds_up_no_other_and_is_read_once_it_can_be(
    rigs: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(mailbox_source, "MESSAGES_PER_PAGE", 2)
    async with rigs() as rig:
        keys = rig.drop(5)
        document = rig.simulator.hub.messages[int(keys[0])].document.id
        rig.simulator.faults.add(Fault(kind="unavailable", match=f"POST documents/{document}/*", times=None))
        source, cursor, read = rig.source(BOX), None, list[str]()
        while len(read) < 4:
            page = await source.read(Window(), cursor)
            rig.keep(page)
            read += [record.key for record in page.records]
            cursor = page.cursor
        with pytest.raises(TransientError):
            await source.read(Window(), cursor)
        assert read == keys[1:]
        rig.simulator.faults.clear()
        page = await source.read(Window(), cursor)
        assert (page.records[0].key, page.more) == (keys[0], False)
        assert (await rig.poll(cursor, BOX))[0] == [keys[0]]  # it was not kept


@pytest.mark.parametrize(("bytes_there", "dead"), [(100, False), (101, True), (5000, True)])
async def test_a_message_whose_size_is_not_told_is_dead_when_it_turns_out_too_large(
    far: Any, connected: Any, monkeypatch: Any, bytes_there: int, dead: bool
) -> None:
    """It must not hold up all others for ever, as an answer that cannot be read does."""
    monkeypatch.setattr("stages.sterling.client.LARGEST_ANSWER", 1000)
    content = {"response": base64.b64encode(b"x" * bytes_there).decode()}
    page = await scripted(far, connected, {"id": 7, "documentId": "d:1"}, content, largest=100)
    assert isinstance(page.records[0].body, DataError) == dead


async def test_a_row_without_document_is_completed_and_base64_may_be_wrapped(far: Any, connected: Any) -> None:
    text = base64.encodebytes(b"ISA" * 60).decode()
    page = await scripted(far, connected, {"id": 7}, {"response": text})
    assert page.records[0].body.payload == b"ISA" * 60


async def test_an_answer_without_content_is_asked_for_again_later(far: Any, connected: Any) -> None:
    with pytest.raises(TransientError) as caught:
        await scripted(far, connected, {"id": 7, "documentId": "d:1"}, {"message": "odd"})
    assert caught.value.code == "MLC-STL-0332"


# --- the cursor ------------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.integers(1, 10**9).map(str), st.none() | st.integers(0, 99), max_size=20))
def test_the_cursor_keeps_what_is_due(due: dict[str, int | None]) -> None:
    assert due_in(cursor_of(due)) == due


@pytest.mark.parametrize(
    ("text", "due"), [("0", {}), ("12;13,14", {}), ("12;13;9", {}), ("12;13;9;7=3,8=", {"7": 3, "8": None}), ("12;;;8=", {"8": None})]
)  # fmt: skip
def test_what_was_due_in_a_cursor_of_an_earlier_version_is_due(text: str, due: dict[str, int | None]) -> None:
    assert due_in({"/acme/outbound": text}) == due


# --- what is built ---------------------------------------------------------------------------------------------------

PARTNER = """
partner: {code}
name: N
vendors: [V-{code}]
us: {{ isa: {{ qualifier: ZZ, id: US }}, gs: US }}
identity: {{ isa: {{ qualifier: ZZ, id: {code} }}, gs: {code} }}
mailbox: /{code}/Inbound
{more}
"""


def build(context: Context, **settings: Any) -> MailboxSource:
    spec = next(spec for spec in ADAPTER.stages if spec.verb == "source")
    context.connection = SimpleNamespace(config=SterlingConfig(url="http://127.0.0.1/B2BAPIs/svc"))
    built: MailboxSource = spec.build(MailboxSettings(**settings), context)
    return built


def test_partners_are_read_where_they_answer(context: Context) -> None:
    folder = context.folder / "partners"
    folder.mkdir()
    (folder / "a.yaml").write_text(PARTNER.format(code="AA", more=""))
    (folder / "b.yaml").write_text(PARTNER.format(code="BB", more="acknowledgement: { mailbox: /shared/acks }"))
    (folder / "c.yaml").write_text(PARTNER.format(code="CC", more="acknowledgement: { mailbox: /Shared/acks }"))
    boxes = build(context, partners="partners", mailboxes=("/extra/",))._boxes
    assert boxes == {
        "/extra": Box("/extra"), "/aa/outbound": Box("/AA/Outbound", ("AA",), must=False),
        "/shared/acks": Box("/Shared/acks", ("BB", "CC")),
    }  # fmt: skip


def test_a_mailbox_is_also_for_former_codes_and_other_files_of_one_identity(context: Context) -> None:
    folder = context.folder / "partners"
    folder.mkdir()
    west = PARTNER.format(code="WEST", more="trading_partner: { formerly: [COAST] }").replace("id: WEST", "id: EAST")
    (folder / "east.yaml").write_text(PARTNER.format(code="EAST", more="trading_partner: { formerly: [EAST1] }"))
    (folder / "west.yaml").write_text(west)
    (folder / "far.yaml").write_text(PARTNER.format(code="FAR", more=""))
    boxes = build(context, partners="partners")._boxes.values()
    assert {(*box.partners, *box.also) for box in boxes} == {
        ("EAST", "EAST1", "WEST", "COAST"), ("WEST", "EAST", "EAST1", "COAST"), ("FAR",),
    }  # fmt: skip
    assert {box.partner for box in boxes} == {"EAST", "WEST", "FAR"}


def test_who_we_are_is_what_the_partner_files_say_unless_a_partner_is_that_too(context: Context) -> None:
    folder = context.folder / "partners"
    folder.mkdir()
    (folder / "a.yaml").write_text(PARTNER.format(code="AA", more=""))
    assert build(context, partners="partners")._own.senders == {("ZZ", "US")}
    (folder / "us.yaml").write_text(PARTNER.format(code="US", more=""))  # we send to ourselves
    assert build(context, partners="partners")._own.senders == set()
    assert build(context, mailboxes=("/extra",))._own.senders == set()


def test_a_source_without_mailboxes_or_with_bad_partner_files_is_refused(context: Context) -> None:
    with pytest.raises(ConfigError) as caught:
        build(context)
    assert caught.value.code == "MLC-STL-0334"
    with pytest.raises(FlowError):
        build(context, partners="nowhere")
