"""An outage lasts from the first failure to the first thing that works, whatever answers in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from pipeline.engine.request import RunRequest
from pipeline.engine.runner import run_flow
from pipeline.engine.services import Stopping
from pipeline.engine.systems import System, Systems
from pipeline.errors import ConfigError, DataError, PermissionDenied, RefusedError, ThrottledError, TransientError
from pipeline.flow.model import Connection, Stage
from pipeline.record import Page, Record
from pipeline.registry import Registry
from pipeline.retry import RetryPolicy
from pipeline.stage import Adapter, ConnectionSpec, Context, StageSpec
from pipeline.store import Ledger
from pipeline.testing import CollectingSink


def raising(error: Exception) -> Callable[[], Awaitable[None]]:
    async def call() -> None:
        raise error

    return call


async def fails(system: System, what: str = "it is down") -> None:
    with pytest.raises(TransientError):
        await system.watch(raising(TransientError(what, code="TST-0001")))


async def answers(system: System) -> None:
    async def call() -> None:
        pass

    await system.watch(call)


async def told(ledger: Ledger) -> list[tuple[str, str]]:
    return [(item["system"], item["flow"]) for item in await ledger.reports.outages()]


async def test_an_outage_lasts_over_runs_and_answers_until_something_works(inline_rig: Any) -> None:
    clock = inline_rig.clock
    async with inline_rig.ledger() as ledger:
        began = clock.now()
        for run in range(3):
            system = (await Systems.of("bills", ledger)).meet("books", "Books (ACME)")
            await answers(system)
            await fails(system)
            (outage,) = await ledger.reports.outages()
            assert (outage["since"][:19], outage["last_at"][:19]) == (
                began.isoformat()[:19],
                (began + timedelta(hours=run)).isoformat()[:19],
            )
            await clock.sleep(3600)
        await system.works()
        assert await told(ledger) == []


async def test_a_run_in_which_it_only_let_us_in_ends_an_outage_when_nothing_failed(inline_rig: Any) -> None:
    async with inline_rig.ledger() as ledger:
        await fails((await Systems.of("bills", ledger)).meet("books", "Books (ACME)"))
        failing = await Systems.of("bills", ledger)
        await fails(failing.meet("books", "Books (ACME)"))
        await failing.settle(met_all=True)
        assert await told(ledger) == [("Books (ACME)", "bills")]
        calm = await Systems.of("bills", ledger)
        await answers(calm.meet("books", "Books (ACME)"))
        await calm.settle(met_all=True)
        assert await told(ledger) == []


async def test_what_is_said_last_is_kept_and_the_same_is_written_once_a_run(
    inline_rig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[str] = []
    save = Ledger.save_outage

    async def watched(self: Ledger, system: str, flow: str, problem: Any) -> None:
        saved.append(problem.what)
        await save(self, system, flow, problem)

    monkeypatch.setattr(Ledger, "save_outage", watched)
    async with inline_rig.ledger() as ledger:
        system = (await Systems.of("bills", ledger)).meet("books", "Books (ACME)")
        for what in ("no route", "no route", "maintenance", "maintenance"):
            await fails(system, what)
        assert saved == ["no route", "maintenance"]
        assert "maintenance" in (await ledger.reports.outages())[0]["problem"]


@pytest.mark.parametrize("error", [ConfigError, DataError, PermissionDenied, RefusedError])
async def test_who_is_refused_has_been_answered(inline_rig: Any, error: Any) -> None:
    async with inline_rig.ledger() as ledger:
        system = (await Systems.of("bills", ledger)).meet("books", "Books (ACME)")
        with pytest.raises(error):
            await system.watch(raising(error("no", code="TST-0001")))
        assert await told(ledger) == []


async def test_being_asked_to_pause_for_good_is_an_outage_too(inline_rig: Any) -> None:
    async with inline_rig.ledger() as ledger:
        system = (await Systems.of("bills", ledger)).meet("books", "Books (ACME)")
        with pytest.raises(ThrottledError):
            await system.watch(raising(ThrottledError("slowly", code="TST-0001")))
        assert await told(ledger) == [("Books (ACME)", "bills")]


async def test_another_flow_that_finds_it_working_ends_the_outage(inline_rig: Any) -> None:
    async with inline_rig.ledger() as ledger:
        await fails((await Systems.of("bills", ledger)).meet("books", "Books (ACME)"))
        await (await Systems.of("vendors", ledger)).meet("there", "Books (ACME)").works()
        assert await told(ledger) == []


async def test_what_a_flow_no_longer_uses_is_forgotten_and_what_others_met_is_not(inline_rig: Any) -> None:
    async with inline_rig.ledger() as ledger:
        await fails((await Systems.of("bills", ledger)).meet("books", "Books (OLD)"))
        await fails((await Systems.of("vendors", ledger)).meet("books", "Books (OTHER)"))
        moved = await Systems.of("bills", ledger)
        moved.meet("books", "Books (NEW)")
        await moved.settle(met_all=True)
        assert await told(ledger) == [("Books (OTHER)", "vendors")]


async def test_without_a_ledger_and_without_a_connection_nothing_is_noticed() -> None:
    systems = Systems()
    await fails(systems.meet("books", "Books (ACME)"))
    await fails(systems.behind(None))
    await systems.settle(met_all=True)


async def test_a_run_that_did_not_come_to_meet_a_system_does_not_forget_its_outage(inline_rig: Any) -> None:
    async with inline_rig.ledger() as ledger:
        await fails((await Systems.of("bills", ledger)).meet("there", "There"))
        stuck = await Systems.of("bills", ledger)
        await fails(stuck.meet("books", "Books (ACME)"))
        await stuck.settle(met_all=False)
        assert await told(ledger) == [("Books (ACME)", "bills"), ("There", "bills")]


class Books:
    """A source of one page that fails in ``what``: the sign-in, the reading, or being told that the page is settled."""

    def __init__(self, what: str, bills: list[Record]) -> None:
        self.what, self.bills = what, bills

    def _do(self, what: str) -> None:
        if what == self.what:
            raise TransientError(f"no {what}", code="TST-0001")

    async def check(self) -> None:
        self._do("sign-in")

    async def read(self, window: Any, cursor: Any) -> Page:
        self._do("page")
        return Page(self.bills, {"page": "1"}, more=False)

    async def settled(self, page: Page) -> None:
        self._do("settling")


class Shelf(CollectingSink):
    """A sink over the same books."""

    def __init__(self, books: Books) -> None:
        super().__init__()
        self.books = books

    async def send(self, delivery: Any, mark: Any) -> Any:
        self.books._do("delivery")
        return await super().send(delivery, mark)


class Settings(msgspec.Struct, frozen=True):
    name: str = "ACME"


async def run(rig: Any, ledger: Ledger, bills: list[Record], what: str) -> None:
    books = Books(what, bills)

    @asynccontextmanager
    async def opened(settings: Any, context: Context) -> AsyncIterator[Books]:
        yield books

    def through(stage: Stage, component: Any) -> Stage:
        spec = StageSpec(name=f"test.{stage.name}", verb=stage.verb, build=lambda *_: component, exactly_once=False)
        return msgspec.structs.replace(stage, spec=spec, via="books", retry=RetryPolicy(times=2, first=0.1, max=0.1))

    flow = rig.chain(None, sink=CollectingSink())
    sink = flow.stage("sink")
    stages = (through(flow.stage("source"), books), through(sink, Shelf(books)) if what == "delivery" else sink)
    connection = Connection(name="books", type="books", settings={}, line=1)
    flow = msgspec.structs.replace(flow, stages=stages, connections=(connection,))
    spec = ConnectionSpec(
        name="books", config=Settings, open=opened, check=Books.check, title=lambda settings: f"Books ({settings.name})"
    )
    await run_flow(
        flow, Registry([Adapter(name="t", connections=(spec,))]), ledger, rig.services, RunRequest(), Stopping()
    )


@pytest.mark.parametrize("what", ["sign-in", "page", "settling", "delivery"])
async def test_whatever_a_run_needs_of_a_system_tells_that_it_is_down_and_a_good_run_that_it_is_not(
    inline_rig: Any, make_bills: Any, what: str
) -> None:
    async with inline_rig.ledger() as ledger:
        await run(inline_rig, ledger, make_bills(range(2)), what)
        (outage,) = await ledger.reports.outages()
        assert (outage["system"], f'"no {what}"' in outage["problem"]) == ("Books (ACME)", True)
        await run(inline_rig, ledger, make_bills(range(2)), "nothing")
        assert await told(ledger) == []
