"""`run_flow` as a whole: fan-out and fan-in, the report, exit codes, stops, leases, connections, overlap."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import anyio
import msgspec
import pytest

from pipeline.engine.build import check_connections
from pipeline.engine.report import TERMS
from pipeline.engine.request import RunRequest
from pipeline.engine.runner import run_flow
from pipeline.engine.services import Stopping
from pipeline.errors import (
    ConfigError,
    ConnectError,
    DataError,
    Excluded,
    Held,
    LockHeld,
    StoreError,
    TransientError,
    Undetermined,
)
from pipeline.flow.expression import Expression
from pipeline.flow.model import Connection
from pipeline.record import Delivery, Evidence, Page, Record, Window
from pipeline.registry import Registry
from pipeline.stage import Adapter, ConnectionSpec, Mark
from pipeline.store.rows import RANK
from pipeline.testing import CollectingSink, FailingSink, Fault, ListSource

EVERYTHING = Window(since=datetime(2020, 1, 1, tzinfo=UTC))
LOST_FOR_NOW = Fault(TransientError("reset"), "after")


class OutcomeMap:
    """Gives each bill the outcome that its text names."""

    def __call__(self, one: Record) -> Record:
        match one.body["text"]:
            case "excluded":
                raise Excluded("by a rule")
            case "held":
                raise Held("wait", code="T-1")
            case "dead":
                raise DataError("wrong", code="T-2")
        return one


class Mixed(FailingSink):
    """Delivers, except what must stay in doubt or wait."""

    def __init__(self) -> None:
        super().__init__([])

    async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
        if b"in_doubt" in delivery.payload:
            await mark("commit point")
            raise TransientError("reset")
        if b"in_flight" in delivery.payload:
            raise TransientError("away")
        return await super().send(delivery, mark)

    async def find(self, delivery: Delivery) -> list[Evidence]:
        raise Undetermined("cannot tell")


async def test_the_report_has_the_shape_that_scripts_rest_on(rig: Any, make_bill: Any, line_encoder: Any) -> None:
    """One record of every outcome; each in a lane of its own."""
    wanted = [term for term in TERMS if term != "unchanged"]
    bills = [make_bill(str(n), partner=f"P{n}", text=term, amount=f"{n + 1}.01") for n, term in enumerate(wanted)]
    repeat = make_bill("again", partner="Q", text="delivered", amount="100")
    async with rig.ledger() as ledger:
        await rig.run(
            ledger, rig.chain(ListSource([repeat]), encoder=line_encoder(), sink=CollectingSink()), window=EVERYTHING
        )
        flow = rig.chain(
            ListSource([*bills, repeat.replace()]),
            rig.stage("judge", "map", OutcomeMap()),
            encoder=line_encoder(),
            sink=Mixed(),
        )
        report = await rig.run(ledger, flow, window=EVERYTHING)
        (run, _) = await ledger.reports.runs()
    told = report.as_json()
    assert list(told) == [
        "schema", "run", "flow", "status", "read", *TERMS, "documents", "interchanges", "amounts", "balanced", "seconds",
    ]  # fmt: skip
    assert (told["schema"], told["flow"], told["run"], told["status"]) == ("mlc.run/1", "bills", 2, "exceptions")
    assert {term: told[term] for term in TERMS} == dict.fromkeys(TERMS, 1)
    assert told["read"] == len(TERMS)
    assert (told["documents"], told["interchanges"], told["balanced"]) == (3, 3, True)
    money = told["amounts"]["USD"]
    assert list(money) == ["read", *TERMS]
    assert money["unchanged"] == "100.00"
    assert Decimal(money["read"]) == sum(Decimal(money[term]) for term in TERMS)
    assert msgspec.json.decode(msgspec.json.encode(told)) == told
    assert (run["status"], run["finished_at"] is not None) == ("exceptions", True)


ENDINGS = [
    pytest.param("delivered", "clean", 0, id="clean"),
    pytest.param("excluded", "clean", 0, id="excluded is clean"),
    pytest.param("held", "exceptions", 5, id="held"),
    pytest.param("dead", "exceptions", 5, id="dead"),
    pytest.param("in_doubt", "exceptions", 5, id="in doubt"),
    pytest.param("in_flight", "exceptions", 5, id="in flight"),
]


@pytest.mark.parametrize(("text", "status", "code"), ENDINGS)
async def test_one_outcome_decides_status_and_exit_code(
    inline_rig: Any, make_bill: Any, line_encoder: Any, text: str, status: str, code: int
) -> None:
    judge = inline_rig.stage("judge", "map", OutcomeMap())
    flow = inline_rig.chain(ListSource([make_bill("1", text=text)]), judge, encoder=line_encoder(), sink=Mixed())
    async with inline_rig.ledger() as ledger:
        report = await inline_rig.run(ledger, flow)
    assert (report.status, report.exit_code, report.totals.counts[text]) == (status, code, 1)


# --- graphs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "outcome"), [("delivered", "delivered"), ("in_doubt", "in_doubt"), ("dead", "dead")]
)
async def test_a_record_that_goes_to_two_sinks_counts_as_the_worst_of_both(
    rig: Any, make_bill: Any, line_encoder: Any, second: str, outcome: str
) -> None:
    judge = rig.stage("judge", "map", OutcomeMap(), "other")
    nodes = [
        rig.stage("source", "source", ListSource([make_bill("1", text="one")])),
        rig.stage("one", "encode", line_encoder(), "source"),
        rig.stage("first", "sink", one := CollectingSink(), "one"),
        rig.stage("other", "map", lambda bill: bill.replace(body={"partner": "Q", "text": second}), "source"),
        judge,
        rig.stage("two", "encode", line_encoder(), "judge"),
        rig.stage("second", "sink", Mixed(), "two"),
    ]
    async with rig.ledger() as ledger:
        report = await rig.run(ledger, rig.flow(*nodes))
    assert len(one.effects) == 1
    assert (report.totals.read, report.totals.counts[outcome], report.balanced) == (1, 1, True)


async def test_one_document_sent_to_two_sinks_reaches_both(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    """The mailbox and a folder beside it: the same partner and set, two deliveries."""
    mailbox, folder = CollectingSink(), CollectingSink()
    flow = inline_rig.flow(
        inline_rig.stage("source", "source", ListSource(make_bills(range(3)))),
        inline_rig.stage("encode", "encode", line_encoder(), "source"),
        inline_rig.stage("mailbox", "sink", mailbox, "encode"),
        inline_rig.stage("folder", "sink", folder, "encode"),
    )
    async with inline_rig.ledger() as ledger:
        report = await inline_rig.run(ledger, flow)
    assert (len(mailbox.effects), len(folder.effects)) == (3, 3)
    assert (report.totals.counts["delivered"], report.totals.documents) == (3, 6)


async def test_branches_come_together_again(rig: Any, make_bill: Any, line_encoder: Any) -> None:
    sink = CollectingSink()
    bills = [make_bill(str(n), amount=str(n)) for n in range(6)]
    flow = rig.flow(
        rig.stage("source", "source", ListSource(bills)),
        rig.stage(
            "size", "branch", None, "source", cases=(("big", Expression("bill.text == 'bill 5'")),), otherwise="small"
        ),
        rig.stage("checked", "map", lambda one: one, "size:big"),
        rig.stage("encode", "encode", line_encoder(), "checked", "size:small"),
        rig.stage("sink", "sink", sink, "encode"),
    )
    async with rig.ledger() as ledger:
        report = await rig.run(ledger, flow)
    assert (report.totals.counts["delivered"], len(sink.effects)) == (6, 6)


async def test_two_sources_have_two_cursors_and_one_balance(rig: Any, make_bill: Any, line_encoder: Any) -> None:
    flow = rig.flow(
        rig.stage("east", "source", ListSource([make_bill("1"), make_bill("2")])),
        rig.stage("west", "source", ListSource([make_bill("3")])),
        rig.stage("encode", "encode", line_encoder(), "east", "west"),
        rig.stage("sink", "sink", CollectingSink(), "encode"),
    )
    async with rig.ledger() as ledger:
        report = await rig.run(ledger, flow)
        cursors = [await ledger.cursor("bills", source, "") for source in ("east", "west")]
    assert (report.totals.read, report.status, cursors) == (3, "clean", [{"position": "2"}, {"position": "1"}])


async def test_a_small_queue_and_large_chunks_do_not_lock_a_diamond(inline_rig: Any, make_bills: Any) -> None:
    flow = inline_rig.flow(
        inline_rig.stage("source", "source", ListSource(make_bills(range(300)), page_size=50)),
        inline_rig.stage("left", "map", lambda one: one, "source", queue=1),
        inline_rig.stage("right", "map", lambda one: one, "source", queue=2),
        inline_rig.stage("join", "map", lambda one: None, "left", "right", queue=1),
    )
    async with inline_rig.ledger() as ledger:
        with anyio.fail_after(20):
            report = await inline_rig.run(ledger, flow)
    assert (report.totals.counts["excluded"], report.balanced) == (300, True)


# --- overlap, versions, duplicates through the ledger ----------------------------------------------------------------------


async def twice(rig: Any, first: list[Record], second: list[Record], encoder: Any, **options: Any) -> Any:
    sink = CollectingSink()
    async with rig.ledger() as ledger:
        await rig.run(ledger, rig.chain(ListSource(first), encoder=encoder, sink=sink), window=EVERYTHING)
        report = await rig.run(ledger, rig.chain(ListSource(second), encoder=encoder, sink=sink), window=EVERYTHING)
        return report, sink, await ledger.reports.dead_letters(), await ledger.reports.documents()


async def test_an_overlap_sends_nothing_again(rig: Any, make_bills: Any, line_encoder: Any) -> None:
    report, sink, _, _ = await twice(rig, make_bills(range(3)), make_bills(range(5)), line_encoder())
    assert (report.totals.counts["unchanged"], report.totals.counts["delivered"], len(sink.effects)) == (3, 2, 5)


async def test_a_changed_bill_is_sent_as_the_next_version(rig: Any, make_bill: Any, line_encoder: Any) -> None:
    _, sink, _, documents = await twice(rig, [make_bill("1", text="a")], [make_bill("1", text="b")], line_encoder())
    assert [effect.payload.split(b"\n")[1] for effect in sink.effects] == [b"a", b"b v2"]
    assert [(item["version"], item["id"]) for item in documents] == [(2, 2), (1, 1)]


async def test_a_field_no_document_used_makes_no_version(inline_rig: Any, make_bill: Any, line_encoder: Any) -> None:
    report, sink, _, _ = await twice(
        inline_rig, [make_bill("1", text="a", STATE="Posted")], [make_bill("1", text="a", STATE="Paid")], line_encoder()
    )
    assert (report.totals.counts["unchanged"], len(sink.effects)) == (1, 1)


async def test_an_edited_guide_makes_no_version_until_the_bill_changes(
    inline_rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    sink, encoder = CollectingSink(), line_encoder()
    bill = make_bill("1", text="a", terms="NET30")
    async with inline_rig.ledger() as ledger:
        flow = inline_rig.chain(ListSource([bill]), encoder=encoder, sink=sink)
        await inline_rig.run(ledger, flow, window=EVERYTHING)
        encoder.used, encoder.plan = ("text", "terms"), "plan-2"
        report = await inline_rig.run(ledger, flow, window=EVERYTHING)
    assert (report.totals.counts["unchanged"], len(sink.effects)) == (1, 1)


async def test_a_held_amendment_waits_with_a_letter(inline_rig: Any, make_bill: Any, line_encoder: Any) -> None:
    report, sink, letters, _ = await twice(
        inline_rig, [make_bill("1", text="a")], [make_bill("1", text="b", amendments="hold")], line_encoder()
    )
    assert (report.totals.counts["held"], len(sink.effects)) == (1, 1)
    assert [(letter["code"], letter["document"]) for letter in letters] == [("MLC-DOC-0002", 2)]


async def test_the_same_bill_under_another_key_is_held(rig: Any, make_bill: Any, line_encoder: Any) -> None:
    report, sink, letters, _ = await twice(
        rig, [make_bill("1", guard="V1 INV-7 10.00")], [make_bill("2", guard="V1 INV-7 10.00")], line_encoder()
    )
    assert (report.totals.counts["held"], len(sink.effects)) == (1, 1)
    assert [letter["code"] for letter in letters] == ["MLC-DOC-0001"]


async def test_reading_a_held_document_again_does_not_resolve_its_letter(
    rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    """Overlap reads it every time; it stays an open exception until a person acts."""
    sink = CollectingSink()
    flow = rig.chain(
        ListSource([make_bill("1", guard="g"), make_bill("2", guard="g")]), encoder=line_encoder(), sink=sink
    )
    async with rig.ledger() as ledger:
        for _ in range(3):
            report = await rig.run(ledger, flow, window=EVERYTHING)
        letters = await ledger.reports.dead_letters()
    assert (report.totals.counts["held"], len(sink.effects)) == (1, 1)
    assert [(letter["document"], letter["key"]) for letter in letters] == [(2, "2")]


async def test_reading_a_document_that_died_in_packing_again_does_not_resolve_its_letter(
    inline_rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    flow = inline_rig.chain(
        ListSource([make_bill("1", text="unpackable")]), encoder=line_encoder(), sink=CollectingSink()
    )
    async with inline_rig.ledger() as ledger:
        for _ in range(2):
            report = await inline_rig.run(ledger, flow, window=EVERYTHING)
        letters = await ledger.reports.dead_letters()
    assert (report.totals.counts["dead"], [letter["document"] for letter in letters]) == (1, [1])


async def test_a_corrected_bill_resolves_the_letter_of_its_dead_document(
    inline_rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    report, sink, letters, _ = await twice(
        inline_rig, [make_bill("1", text="unpackable")], [make_bill("1", text="mended")], line_encoder()
    )
    assert (report.status, len(sink.effects), letters) == ("clean", 1, [])


async def test_a_dead_record_opens_one_letter_counts_repeats_and_is_resolved_by_success(
    rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    source, sink = ListSource([make_bill("1", text="dead")]), CollectingSink()
    flow = rig.chain(source, rig.stage("judge", "map", OutcomeMap()), encoder=line_encoder(), sink=sink)
    async with rig.ledger() as ledger:
        for times in (1, 2, 3):
            await rig.run(ledger, flow, window=EVERYTHING)
            (letter,) = await ledger.reports.dead_letters()
            assert (letter["times"], letter["run"], letter["stage"], letter["code"]) == (times, times, "judge", "T-2")
        source.records = [make_bill("1", text="mended")]
        await rig.run(ledger, flow, window=EVERYTHING)
        assert await ledger.reports.dead_letters() == []
        (closed,) = await ledger.reports.dead_letters(state="resolved")
    assert (closed["id"], len(sink.effects)) == (letter["id"], 1)


# --- how a run ends ----------------------------------------------------------------------------------------------------


async def test_a_second_run_of_the_flow_is_refused_while_the_first_goes_on(rig: Any, make_bills: Any) -> None:
    entered = anyio.Event()

    async def waits(one: Record) -> Record:
        entered.set()
        await anyio.sleep_forever()
        return one

    flow = rig.flow(
        rig.stage("source", "source", ListSource(make_bills([1]))), rig.stage("wait", "map", waits, "source")
    )
    async with rig.ledger() as ledger, anyio.create_task_group() as tasks:
        tasks.start_soon(rig.run, ledger, flow)
        with anyio.fail_after(10):
            await entered.wait()
        with pytest.raises(LockHeld) as refused:
            await rig.run(ledger, flow)
        assert refused.value.exit_code == 6
        tasks.cancel_scope.cancel()


async def test_an_error_comes_out_of_an_open_ledger_as_itself(rig: Any) -> None:
    """Not inside an exception group: the command decides by its type."""
    with pytest.raises(LockHeld):
        async with rig.ledger():
            raise LockHeld("x")


async def test_a_stop_reads_no_further_page_and_finishes_what_is_in_flight(
    rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    stopping = Stopping()

    def stops(one: Record) -> Record:
        stopping.request(2)
        return one

    source = ListSource(make_bills(range(40)), page_size=2)
    flow = rig.chain(source, rig.stage("stop", "map", stops), encoder=line_encoder(), sink=CollectingSink())
    async with rig.ledger() as ledger:
        report = await rig.run(ledger, flow, stopping=stopping)
        assert 0 < report.totals.read < 40
        assert (report.exit_code, report.balanced, report.totals.unsettled) == (130, True, 0)
        assert (report.status, report.unread) == ("stopped", ["source"])
        rest = await rig.run(ledger, flow)
    assert report.totals.read + rest.totals.read == 40
    assert rest.status == "clean"


async def test_a_stop_ends_the_wait_of_a_source_for_its_turn_and_no_system_is_told_as_down(rig: Any, make_bills: Any, line_encoder: Any) -> None:  # fmt: skip
    stopping, services = Stopping(), rig.services
    turns = services.shared.turns("books", 1)

    class Waiting(ListSource):
        async def read(self, window: Window, cursor: dict[str, str] | None) -> Page | None:
            if cursor is not None:
                stopping.request(15)  # the first page is read; somebody else has the turn that this one needs
                async with turns.turn():
                    pass
            return await super().read(window, cursor)

    flow = rig.chain(Waiting(make_bills(range(4)), page_size=2), encoder=line_encoder(), sink=CollectingSink())
    async with rig.ledger() as ledger, turns.turn():
        with anyio.fail_after(10):
            report = await run_flow(flow, Registry([]), ledger, services, RunRequest(), stopping)
        assert (report.status, report.unread, report.problem, report.exit_code) == ("stopped", ["source"], None, 143)
        assert (report.totals.read, report.balanced) == (2, True)
        assert await ledger.reports.outages() == []


async def test_a_stage_that_is_called_off_kills_no_record(rig: Any, make_bills: Any, line_encoder: Any) -> None:
    stopping, services = Stopping(), rig.services
    turns = services.shared.turns("books", 1)

    async def asks(one: Record) -> Record:
        stopping.request(15)
        async with turns.turn():
            return one

    flow = rig.chain(
        ListSource(make_bills(range(4))), rig.stage("ask", "map", asks), encoder=line_encoder(), sink=CollectingSink()
    )
    async with rig.ledger() as ledger:
        async with turns.turn():
            report = await run_flow(flow, Registry([]), ledger, services, RunRequest(), stopping)
        assert (report.status, report.problem, report.totals.read, report.balanced) == ("stopped", None, 0, True)
        again = await rig.run(
            ledger, rig.chain(ListSource(make_bills(range(4))), encoder=line_encoder(), sink=CollectingSink())
        )
    assert (again.status, again.totals.read) == ("clean", 4)


async def test_a_run_that_only_delivers_reads_nothing(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    source, sink = ListSource(make_bills(range(3))), FailingSink([Fault(TransientError("away"))] * 8)
    flow = inline_rig.chain(source, encoder=line_encoder(), sink=sink)
    async with inline_rig.ledger() as ledger:
        await inline_rig.run(ledger, flow, wait_seconds=0.0)
        asked = len(source.asked)
        report = await inline_rig.run(ledger, flow, deliver_only=True, wait_seconds=1e6)
    assert (len(source.asked), report.totals.read, report.status, len(sink.effects)) == (asked, 0, "clean", 3)


async def test_a_fault_of_a_source_is_told_as_the_sources_and_frees_the_lease(
    rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    class Broken(ListSource):
        async def read(self, window: Window, cursor: dict[str, str] | None) -> Any:
            raise ZeroDivisionError("a bug")

    async with rig.ledger() as ledger:
        failed = await rig.run(ledger, rig.chain(Broken([]), encoder=line_encoder(), sink=CollectingSink()))
        report = await rig.run(
            ledger, rig.chain(ListSource(make_bills([1])), encoder=line_encoder(), sink=CollectingSink())
        )
    assert (failed.status, failed.problem.code, failed.exit_code) == ("failed", "MLC-STG-0003", 1)
    assert report.status == "clean"


async def test_a_record_without_an_outcome_ends_the_run_instead_of_waiting_for_ever(
    rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    def lose(record: Record) -> Record:
        record.receipt.split(record.row, 1)  # claims a second branch that never comes
        return record

    async with rig.ledger() as ledger:
        chain = rig.chain(
            ListSource(make_bills([1])), rig.stage("lose", "map", lose), encoder=line_encoder(), sink=CollectingSink()
        )
        report = await rig.run(ledger, chain)
    assert (report.status, report.problem.code) == ("failed", "MLC-RUN-0009")
    assert report.balanced


async def test_a_ledger_that_lost_a_row_is_out_of_balance(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    """Someone deletes a record row behind the engine's back while it runs."""

    class Thief(CollectingSink):
        async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
            with closing(sqlite3.connect(inline_rig.file, isolation_level=None)) as raw:
                raw.execute("delete from record_documents where record = 1")
                raw.execute("delete from records where id = 1")
            return await super().send(delivery, mark)

    async with inline_rig.ledger() as ledger:
        report = await inline_rig.run(
            ledger, inline_rig.chain(ListSource(make_bills([1, 2])), encoder=line_encoder(), sink=Thief())
        )
    assert (report.balanced, report.status, report.exit_code) == (False, "out_of_balance", 7)


async def test_a_ledger_that_fails_in_a_run_makes_it_failed_not_out_of_balance(
    rig: Any, make_bills: Any, line_encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages read and not committed are read again by the next run."""
    sink = CollectingSink()
    flow = rig.chain(ListSource(make_bills(range(6)), page_size=2), encoder=line_encoder(), sink=sink)
    async with rig.ledger() as ledger:
        commit = ledger.commit_page

        async def full_disk(page: Any) -> Any:
            if page.number == 2:
                raise StoreError("the disk is full")
            return await commit(page)

        with monkeypatch.context() as broken:
            broken.setattr(ledger, "commit_page", full_disk)
            report = await rig.run(ledger, flow)
        assert (report.status, report.exit_code, report.totals.read) == ("failed", 1, 2)
        await rig.run(ledger, flow)
    assert len(sink.effects) == 6


# --- connections -------------------------------------------------------------------------------------------------------


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    url: str = "http://localhost"


def connected(rig: Any, checks: list[Exception | None], opened: list[str]) -> tuple[Any, Registry]:
    """A flow whose sink goes through a connection; each sign-in takes the next step of the plan."""

    @asynccontextmanager
    async def open_(settings: Settings, context: Any) -> AsyncIterator[str]:
        opened.append("open")
        try:
            yield settings.url
        finally:
            opened.append("closed")

    async def check(client: str) -> None:
        if error := checks.pop(0) if checks else None:
            raise error

    adapter = Adapter(name="test", connections=(ConnectionSpec(name="test", config=Settings, open=open_, check=check),))
    source = rig.stage("source", "source", ListSource([]))
    sink = rig.stage("sink", "sink", CollectingSink(), "source", via="far")
    flow = msgspec.structs.replace(
        rig.flow(source, sink), connections=(Connection(name="far", type="test", settings={}, line=1),)
    )
    return flow, Registry([adapter])


AWAY = TransientError("no answer", code="T-1")
SIGN_IN = [
    pytest.param([None], None, id="signs in"),
    pytest.param([AWAY, AWAY, None], None, id="a blip is tried again"),
    pytest.param([AWAY] * 9, ConnectError, id="it stays away"),
    pytest.param([ConfigError("wrong password")], ConfigError, id="the password is wrong"),
]


@pytest.mark.parametrize(("checks", "problem"), SIGN_IN)
async def test_signing_in_comes_before_anything_is_read(
    inline_rig: Any, checks: list[Exception | None], problem: type[Exception] | None
) -> None:
    opened: list[str] = []
    flow, registry = connected(inline_rig, list(checks), opened)
    async with inline_rig.ledger() as ledger:
        report = await run_flow(flow, registry, ledger, inline_rig.services, RunRequest(), Stopping())
    assert opened == ["open", "closed"]
    if problem is None:
        assert (report.status, report.exit_code) == ("clean", 0)
    else:
        assert isinstance(report.problem, problem)
        assert (report.status, report.exit_code, report.totals.read) == ("failed", 4, 0)


async def test_connections_can_be_checked_without_a_run(inline_rig: Any) -> None:
    opened: list[str] = []
    flow, registry = connected(inline_rig, [ConfigError("wrong password")], opened)
    with pytest.raises(ConfigError):
        await check_connections(flow, registry, inline_rig.services)
    assert opened == ["open", "closed"]


async def test_the_observer_hears_of_reading_settling_and_delivering(
    inline_rig: Any, make_bills: Any, line_encoder: Any
) -> None:
    flow = inline_rig.chain(
        ListSource(make_bills(range(3)), page_size=2), encoder=line_encoder(), sink=CollectingSink()
    )
    async with inline_rig.ledger() as ledger:
        await inline_rig.run(ledger, flow)
    heard = [(what, detail) for what, detail in inline_rig.events if what != "delivered"]
    assert sorted(heard) == [("read", 1), ("read", 2), ("settled", 1), ("settled", 2)]
    assert sum(what == "delivered" for what, _ in inline_rig.events) == 3


def test_every_outcome_of_the_ledger_is_a_term_of_the_balance() -> None:
    assert set(RANK) == set(TERMS)


# --- renaming stages -----------------------------------------------------------------------------------------------------


def named(rig: Any, source: Any, encoder: Any, sink: Any, encode_name: str, sink_name: str) -> Any:
    return rig.flow(
        rig.stage("source", "source", source),
        rig.stage(encode_name, "encode", encoder, "source"),
        rig.stage(sink_name, "sink", sink, encode_name),
    )


async def test_renaming_stages_sends_nothing_again(inline_rig: Any, make_bills: Any, line_encoder: Any) -> None:
    source, sink = ListSource(make_bills(range(3))), CollectingSink()
    async with inline_rig.ledger() as ledger:
        await inline_rig.run(
            ledger, named(inline_rig, source, line_encoder(), sink, "encode", "sink"), window=EVERYTHING
        )
        report = await inline_rig.run(
            ledger, named(inline_rig, source, line_encoder(), sink, "render", "mailbox"), window=EVERYTHING
        )
    assert (report.totals.counts["unchanged"], len(sink.effects)) == (3, 3)


@pytest.mark.parametrize("names", [("render", "sink"), ("encode", "mailbox")], ids=["encoder", "sink"])
async def test_a_stage_that_documents_on_their_way_need_may_not_vanish(
    inline_rig: Any, make_bills: Any, line_encoder: Any, names: tuple[str, str]
) -> None:
    source, sink = ListSource(make_bills(range(3))), FailingSink([Fault(TransientError("away"))])
    async with inline_rig.ledger() as ledger:
        await inline_rig.run(
            ledger, named(inline_rig, source, line_encoder(), sink, "encode", "sink"), wait_seconds=0.0
        )
        report = await inline_rig.run(ledger, named(inline_rig, source, line_encoder(), sink, *names))
        assert (report.status, report.exit_code, sink.effects) == ("failed", 2, [])
        assert report.problem.code == "MLC-RUN-0008"
        await inline_rig.run(ledger, named(inline_rig, source, line_encoder(), sink, "encode", "sink"))
    assert len(sink.effects) == 3


class HalfSource(ListSource):
    """Reads one of its two places."""

    left = (TransientError("A place could not be read", where="place B", code="T-9"),)


async def test_what_a_source_had_to_leave_is_told_and_the_run_is_not_clean(
    rig: Any, make_bill: Any, line_encoder: Any
) -> None:
    sink = CollectingSink()
    flow = rig.chain(HalfSource([make_bill("1")]), encoder=line_encoder(), sink=sink)
    async with rig.ledger() as ledger:
        report = await rig.run(ledger, flow)
    assert (report.status, report.exit_code, report.problem, len(sink.effects)) == ("exceptions", 5, None, 1)
    assert [error.where for error in report.stopped] == ["place B"]
