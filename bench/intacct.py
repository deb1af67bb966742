"""Intacct: the replies to a page of 2,000 bills and to the queries for their lines, parsed and mapped into typed bills.

The floor is ``lxml.etree.fromstring`` of the same bytes. The bytes are the simulator's answers to the very queries that the source asks;
purchasing documents and contacts are left out, since other calls bring them.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from lxml import etree

from bench.measure import Ratio, best_of, cpu_seconds
from pipeline import Secret
from pipeline.testing import ManualClock
from stages.ap.model import Bill
from stages.ap.seed import World, build_world
from stages.intacct.config import LARGEST_PAGE
from stages.intacct.pages import by
from stages.intacct.protocol import fields, objects, requests
from stages.intacct.protocol.fields import Wish
from stages.intacct.protocol.objects import Columns
from stages.intacct.protocol.query import Filter, Query, among, slices
from stages.intacct.protocol.responses import Row, read_reply
from stages.intacct.simulator.gateway import Behaviour, Gateway

BILLS = 2_000
ROUNDS = 9
NEEDED = ("WHENMODIFIED", "MODULEKEY")  # what the source reads bills by, besides their wish
Replies = tuple[bytes, list[bytes]]
"""The page of bills, and the pages of their lines."""


def run() -> list[Ratio]:
    # In a process of its own: the simulator's books would leave this one's memory in pieces, which no connector's is.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        replies = other.submit(recorded, build_world(seed=11, bills=BILLS)).result()
    counts = [
        len(bill.lines) for bill in typed_bills(replies)
    ]  # not the bills: what stays alive slows every collection
    lines = sum(counts)
    size = (len(replies[0]) + sum(map(len, replies[1]))) / 1_000_000
    assert len(counts) == BILLS
    what = f"{BILLS:,} bills with {lines:,} lines, {size:.1f} MB, "
    return [
        _measured(what + "parsed and mapped into typed bills", 4.5, replies, lambda: typed_bills(replies)),
        _measured(what + "the same with a digest of each", None, replies, lambda: digests(typed_bills(replies))),
        _measured(what + "parsed into rows only", None, replies, lambda: (rows(replies[0]), all_rows(replies[1]))),
    ]


def _measured(what: str, bar: float | None, replies: Replies, work: object) -> Ratio:
    assert callable(work)
    ours, floor = best_of(ROUNDS, lambda: cpu_seconds(work), lambda: cpu_seconds(lambda: floor_work(replies)))
    return Ratio(
        bench="intacct",
        what=what,
        floor="lxml.etree.fromstring of the same bytes, both in CPU time",
        ours_seconds=ours,
        floor_seconds=floor,
        units=BILLS,
        bar=bar,
    )


def floor_work(replies: Replies) -> None:
    for body in (replies[0], *replies[1]):
        etree.fromstring(body)


def rows(body: bytes) -> list[Row]:
    return read_reply(body).outcomes[0].data.rows


def all_rows(bodies: Iterable[bytes]) -> list[Row]:
    return [row for body in bodies for row in rows(body)]


def typed_bills(replies: Replies) -> list[Bill]:
    """What the source does with the replies, from bytes to bills."""
    lines = by("RECORDKEY", all_rows(replies[1]))
    headers, columns = _columns(fields.BILL, NEEDED), _columns(fields.LINE)
    return [
        objects.bill(
            objects.typed(row, headers),
            [
                objects.typed(line, columns)
                for line in lines.get(row["RECORDNO"] or "", [])
                if objects.is_user_line(line)
            ],
            currency="",
        )
        for row in rows(replies[0])
    ]


def digests(bills: Iterable[Bill]) -> list[str]:
    return [objects.digest(bill.source, [line.source for line in bill.lines]) for bill in bills]


def _columns(wish: Wish, needed: tuple[str, ...] = ()) -> Columns:
    return Columns.of(wish.object, (*wish.required, *wish.optional, *needed), wish.types)


def recorded(world: World) -> Replies:
    """The simulator's replies to the page of all bills and to the queries for their lines, with the fields it knows."""
    gateway = Gateway(world, ManualClock(world.now), behaviour=Behaviour(second_endpoint=False), seed=1)
    sender = requests.Sender(world.sender, Secret(world.sender_password))
    login = requests.Login(
        user=world.user, company=world.company, password=Secret(world.user_password), client="", location=""
    )
    granted = read_reply(gateway.answer(requests.envelope(sender, "1", login, requests.get_session())))
    session = Secret(granted.outcomes[0].data.rows[0]["SESSIONID"] or "")

    def answer(function: etree._Element) -> bytes:
        return gateway.answer(requests.envelope(sender, "2", session, function))

    def page(wish: Wish, needed: tuple[str, ...] = (), filter: Filter | None = None) -> bytes:
        known = read_reply(answer(requests.lookup(wish.object))).outcomes[0].data.definition
        asked = fields.select(wish, known, needed=needed).fields
        question = Query(object=wish.object, fields=asked, filter=filter, page_size=LARGEST_PAGE, private=True)
        return answer(requests.query(question))

    numbers = [str(bill.record) for bill in world.bills]
    lines = [page(fields.LINE, filter=among("RECORDKEY", part)) for part in slices(numbers)]
    return page(fields.BILL, NEEDED), lines
