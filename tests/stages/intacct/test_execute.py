"""What changes something in the books is done once, whatever becomes of the replies; and transactions are counted as Sage counts them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from pipeline import (
    ConfigError,
    Context,
    Duration,
    RefusedError,
    Secret,
    SessionError,
    StageError,
    ThrottledError,
    TransientError,
)
from pipeline.testing.clock import ManualClock
from stages.ap.seed import World, build_world
from stages.intacct.client import NotReached
from stages.intacct.company import IntacctClient, open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.protocol.faults import OutcomeUnknown
from stages.intacct.protocol.query import Query
from stages.intacct.protocol.requests import transactions
from stages.intacct.session import BARREN_PAUSE
from stages.intacct.simulator import Behaviour, Fault, IntacctSimulator

Running = Callable[..., Any]


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=7, bills=20)


@pytest.fixture
def running(world: World, context: Context) -> Running:
    @asynccontextmanager
    async def run(
        *faults: Fault, behaviour: Behaviour | None = None
    ) -> AsyncIterator[tuple[IntacctSimulator, IntacctClient]]:
        async with IntacctSimulator(world, ManualClock(world.now), faults=faults, behaviour=behaviour) as simulator:
            config = IntacctConfig(
                url=simulator.url,
                location_id=world.bills[0].entity, sender_id=world.sender, sender_password=Secret(world.sender_password),
                company_id=world.company, user_id=world.user, user_password=Secret(world.user_password), patience=Duration(0),
            )  # fmt: skip
            async with open_intacct(config, context) as client:
                await client.sign_in()
                yield simulator, client

    return run


def marking(record: int | str, text: str = "sent") -> etree._Element:
    function = etree.Element("update")
    bill = etree.SubElement(function, "APBILL")
    etree.SubElement(bill, "RECORDNO").text = str(record)
    etree.SubElement(bill, "DESCRIPTION").text = text
    return function


def updates(simulator: IntacctSimulator) -> list[Any]:
    return [effect for effect in simulator.effects() if effect["kind"] == "update"]


def on_update(kind: Any, **more: Any) -> Fault:
    return Fault(kind=kind, when=lambda call: any(name == "update" for name, _ in call.functions), **more)


@pytest.fixture
def record(world: World) -> int:
    return world.bills[0].record


async def test_a_change_is_made(running: Running, record: int) -> None:
    async with running() as (simulator, client):
        done = await client.execute(marking(record), "mark-1")
        assert [row["RECORDNO"] for row in done.data.rows] == [str(record)]
        assert not done.repeated
        assert [effect["controlid"] for effect in updates(simulator)] == ["mark-1"]


LOST_AFTER = ["reset after", "late server error", "empty", "truncated", "two roots", "cut", "bomb", "external entity"]


@pytest.mark.parametrize("kind", LOST_AFTER)
@pytest.mark.parametrize("bare", [False, True])
async def test_a_reply_lost_after_the_effect_leaves_one_effect_and_the_repeat_says_done(
    running: Running, record: int, kind: str, bare: bool
) -> None:
    fault = on_update(kind, status=524) if kind == "late server error" else on_update(kind)
    async with running(fault, behaviour=Behaviour(bare_duplicate=bare)) as (simulator, client):
        with pytest.raises(OutcomeUnknown):
            await client.execute(marking(record), "mark-1")
        assert len(updates(simulator)) == 1
        done = await client.execute(marking(record), "mark-1", attempted=True)
        assert done.repeated
        assert len(updates(simulator)) == 1


@pytest.mark.parametrize(
    ("kind", "status"), [("reset before", 500), ("server error", 503), ("server error", 524), ("html", 500)]
)
async def test_a_reply_lost_before_the_effect_is_as_unknown_and_the_repeat_does_it(
    running: Running, record: int, kind: str, status: int
) -> None:
    async with running(on_update(kind, status=status)) as (simulator, client):
        with pytest.raises(OutcomeUnknown):
            await client.execute(marking(record), "mark-1")
        assert updates(simulator) == []
        done = await client.execute(marking(record), "mark-1", attempted=True)
        assert not done.repeated
        assert len(updates(simulator)) == 1


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("throttled", ThrottledError),
        ("throttled in 200", ThrottledError),
        ("rate text in 200", ThrottledError),
        ("maintenance", TransientError),
        ("overload", TransientError),
        ("invalid", ConfigError),
    ],
)
async def test_what_the_gateway_says_it_did_not_do_is_no_unknown_outcome(
    running: Running, record: int, kind: str, error: type[StageError]
) -> None:
    async with running(on_update(kind)) as (simulator, client):
        with pytest.raises(error) as caught:
            await client.execute(marking(record), "mark-1")
        assert not isinstance(caught.value, OutcomeUnknown)
        assert updates(simulator) == []


async def test_a_session_that_ended_in_between_costs_no_second_effect(running: Running, record: int) -> None:
    async with running(on_update("expired session")) as (simulator, client):
        await client.execute(marking(record), "mark-1")
        assert len(updates(simulator)) == 1
        assert simulator.counts.session_failures == 1


async def test_a_gateway_that_is_not_there_did_nothing(running: Running, context: Context, record: int) -> None:
    async with running() as (simulator, client):
        config = client.config
    async with open_intacct(config, context) as late:
        with pytest.raises(NotReached) as caught:
            await late.execute(marking(record), "mark-1")
    assert not isinstance(caught.value, OutcomeUnknown)
    assert updates(simulator) == []


async def test_a_repeat_that_we_did_not_attempt_is_an_alarm(running: Running, record: int) -> None:
    async with running() as (simulator, client):
        await client.execute(marking(record), "mark-1")
        with pytest.raises(ConfigError, match="seen this control id before") as caught:
            await client.execute(marking(record, "another text"), "mark-1")
        assert caught.value.code == "MLC-INTACCT-0146"
        assert len(updates(simulator)) == 1


async def test_a_change_that_is_refused_for_its_own_reason_is_refused_also_when_it_is_repeated(
    running: Running, record: int
) -> None:
    async with running() as (_, client):
        for attempted in (False, True):
            with pytest.raises(RefusedError, match="could not do it"):
                await client.execute(marking(999_999_999), "mark-9", attempted=attempted)


async def test_a_refused_change_may_be_asked_for_again_under_its_id(running: Running, record: int) -> None:
    async with running(on_update("overload")) as (_, client):
        with pytest.raises(TransientError):
            await client.execute(marking(record), "mark-1")
        done = await client.execute(marking(record), "mark-1")
        assert not done.repeated


async def test_reads_are_never_unique(running: Running, record: int) -> None:
    """The gateway would refuse a read under a control id it has completed."""
    async with running() as (simulator, client):
        await client.execute(marking(record), "id-2")
        for _ in range(3):
            await client.query(Query(object="APBILL", fields=("RECORDNO",)))
        assert [effect for effect in simulator.effects() if effect["kind"] == "function refused"] == []


@pytest.mark.parametrize("length", [0, 257])
async def test_a_control_id_that_cannot_be_sent_is_refused_here(running: Running, record: int, length: int) -> None:
    async with running() as (simulator, client):
        with pytest.raises(ValueError, match="1 to 256"):
            await client.execute(marking(record), "x" * length)
        assert updates(simulator) == []


# --- what is counted ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("xml", "count"),
    [
        ("<query/>", 1),
        ("<readByQuery/>", 1),
        ("<readMore/>", 1),
        ("<lookup/>", 0),
        ("<getAPISession/>", 0),
        ("<read/>", 0),
        ("<create><VENDOR/><VENDOR/></create>", 2),
        ("<update><APBILL/></update>", 1),
        ("<delete><object>VENDOR</object><keys>1,2,3</keys></delete>", 3),
        ("<create_bill/>", 1),
    ],
)
def test_each_page_and_each_record_written_is_one_transaction(xml: str, count: int) -> None:
    assert transactions(etree.fromstring(xml)) == count


async def test_the_client_counts_as_the_gateway_does(running: Running, record: int) -> None:
    async with running() as (simulator, client):
        await client.lookup("APBILL")
        for size in (3, 20):
            await client.query(Query(object="APBILL", fields=("RECORDNO",), page_size=size))
        await client.execute(marking(record), "mark-1")
        with pytest.raises(ConfigError):
            await client.query(Query(object="APBILL", fields=("NOSUCHFIELD",)))
        with pytest.raises(ConfigError):
            await client.execute(marking(record), "mark-1")
        assert client.used == simulator.counts.billable == 3


@pytest.mark.parametrize("kind", ["throttled", "rate text in 200", "maintenance", "expired session"])
async def test_what_was_refused_is_not_counted(running: Running, kind: Any) -> None:
    fault = Fault(kind=kind, when=lambda call: any(name == "query" for name, _ in call.functions))
    async with running(fault) as (simulator, client):
        try:
            await client.query(Query(object="APBILL", fields=("RECORDNO",)))
        except TransientError:
            await client.query(Query(object="APBILL", fields=("RECORDNO",)))
        assert client.used == simulator.counts.billable == 1


@pytest.mark.parametrize(
    ("kind", "executed"), [("reset after", 2), ("truncated", 2), ("reset before", 1), ("server error", 1)]
)
async def test_what_may_have_been_done_is_counted(running: Running, kind: Any, executed: int) -> None:
    fault = Fault(kind=kind, when=lambda call: any(name == "query" for name, _ in call.functions))
    async with running(fault) as (simulator, client):
        with pytest.raises(TransientError):
            await client.query(Query(object="APBILL", fields=("RECORDNO",)))
        await client.query(Query(object="APBILL", fields=("RECORDNO",)))
        assert (client.used, simulator.counts.billable) == (2, executed)


# --- whatever happens, in whatever order -------------------------------------------------------------------------------

UNKNOWN = ("reset before", "reset after", "server error", "late server error", "truncated", "empty", "html")
REFUSED = ("throttled", "rate text in 200", "overload", "maintenance", "expired session")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(st.sampled_from([*UNKNOWN, *REFUSED]), max_size=6))
@example(kinds=["expired session"] * 3)
@example(kinds=["reset after", *["expired session"] * 4])
async def test_a_change_is_made_once_whatever_happens_on_the_way(
    running: Running, context: Context, record: int, kinds: list[Any]
) -> None:
    """A caller that only says whether an outcome is open, as the ledger's marks tell it, and asks until it is done; later, where no session is good."""
    faults = [on_update(kind, nth=place) for place, kind in enumerate(kinds, 1)]
    async with running(*faults) as (simulator, client):
        attempted = False
        for _ in range(2 * len(kinds) + 2):
            try:
                await client.execute(marking(record), "mark-1", attempted=attempted)
                break
            except OutcomeUnknown:
                attempted = True
            except SessionError:
                await context.clock.advance(BARREN_PAUSE.total_seconds())
            except TransientError:
                continue
        else:
            raise AssertionError("it was never done")
        assert len(updates(simulator)) == 1


MARK = "<data count='1'><vendor><RECORDNO>7</RECORDNO></vendor></data>"


@pytest.mark.parametrize(
    "tail",
    [
        lambda answers: answers.reply(MARK),
        lambda answers: "<trailer/>",
    ],
    ids=["the reply again", "something that is no reply"],
)
async def test_a_reply_with_a_copy_of_itself_behind_it_says_what_was_done(
    gateway: Any, open_client: Any, answers: Any, tail: Callable[[Any], str]
) -> None:
    async with open_client() as client:
        await client.sign_in()
        gateway.script = [_undeclared(answers.reply(MARK)) + _undeclared(tail(answers))]
        done = await client.execute(marking(7), "mark-1")
    assert (done.repeated, [row["RECORDNO"] for row in done.data.rows]) == (False, ["7"])


@pytest.mark.parametrize(
    "tail",
    [
        lambda answers: answers.failure("BL01001973", "it cannot be changed"),
        lambda answers: answers.reply(MARK.replace("7", "8")),
        lambda answers: answers.reply(MARK).replace("<controlid>c<", "<controlid>another<"),
        lambda answers: answers.refused_session(),
        lambda answers: "<response/>",
    ],
    ids=["a refusal", "another record", "another function", "a refused session", "an empty reply"],
)
@pytest.mark.parametrize("first", [True, False])
async def test_replies_that_contradict_each_other_do_not_say_what_was_done(
    gateway: Any, open_client: Any, answers: Any, tail: Callable[[Any], str], first: bool
) -> None:
    """Neither done nor refused: only the next attempt, under the same control id, can tell."""
    async with open_client() as client:
        await client.sign_in()
        parts = [_undeclared(answers.reply(MARK)), _undeclared(tail(answers))]
        gateway.script = ["".join(parts if first else reversed(parts))]
        with pytest.raises(OutcomeUnknown):
            await client.execute(marking(7), "mark-1")
        assert len(gateway.requests) == 2, "it was asked once, and not again by itself"


def _undeclared(text: str) -> str:
    """Without the XML declaration, so that a test says where it stands."""
    return text.partition("?>")[2] or text
