"""Delivery: stored documents become sealed bytes, lane by lane, in source order, each taking effect exactly once.

Theory. A delivery's bytes are frozen when it is sealed. An attempt is durable before a socket is touched; its commit point is durable
before the call that can take effect. So after any crash or failure there are two cases: the attempt had not passed its commit
point, then it had no effect and is simply repeated; or it had, then the outcome is unknown, the delivery is *in doubt*, and the
sink's ``find`` decides: found is delivered, absent twice is sent again, anything else waits for an operator.
A retry or a doubt at the head blocks its lane; dead and held release it. Other lanes go on. An account that is refused is no lane's: then all stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup

from pipeline.engine.faults import explained
from pipeline.engine.sealing import Sealer
from pipeline.engine.services import Pause, Services, Stopping
from pipeline.engine.systems import System
from pipeline.errors import (
    CalledOff,
    ConfigError,
    ConnectorError,
    DataError,
    SignInRefused,
    StageError,
    TransientError,
    Undetermined,
)
from pipeline.flow.model import Stage
from pipeline.record import Delivery, Destination, Evidence
from pipeline.retry import Wait, decide
from pipeline.stage import COMMIT_POINT, Encode, Finds, Paced, Upserts
from pipeline.store.ledger import Ledger
from pipeline.store.rows import UNTRACEABLE, OpenDelivery, Problem

ABSENT_TWICE = 2
ANSWERED_WITHIN = timedelta(days=1)
"""How long a delivery that may have been taken away waits for its partner's answer before a person is asked."""
"""How often the far side must be proved not to have a delivery before it is sent again."""

LONGEST_FIND_WAIT_SECONDS = 60.0


class Lanes:
    """All lanes of one sink stage in one run.

    `wake` says that lanes have new documents. After `finish` no more will come: partly filled batches go out, and `run` ends when
    every lane is empty or has waited ``wait_seconds`` for the far side.
    """

    def __init__(
        self, flow: str, run: int, stage: Stage, sink: Any, encoders: Mapping[str, Encode], ledger: Ledger, services: Services,
        stopping: Stopping, wait_seconds: float, system: System,
    ) -> None:  # fmt: skip
        self.stage = stage
        self.stopped: list[ConnectorError] = []  # why lanes were stopped for good in this run
        self.refused: SignInRefused | None = None  # why all were: the far side no longer lets the account in
        self.earlier: set[int] = set()  # deliveries that earlier runs sealed and this one goes on with
        self._flow, self._run = flow, run
        self._sink, self._deliveries = sink, ledger.deliveries
        self._services, self._stopping = services, stopping
        self._wait_seconds = wait_seconds
        self._system = system
        workers = stage.workers or (sink.workers if isinstance(sink, Paced) else 1)
        self._limiter = anyio.CapacityLimiter(workers)
        self._begun = anyio.CapacityLimiter(2 * workers)  # while one is sent, the next one's attempt becomes durable
        self._sealer = Sealer(flow, run, stage.name, sink, encoders, ledger.deliveries, services.clock)
        self._exceptions = 0
        self._awake: set[str] = set()
        self._active: set[str] = set()
        self._given_up: set[str] = set()
        self._finishing = False
        self._changed = anyio.Event()
        self._pauses: set[anyio.CancelScope] = set()
        self._waited: dict[int, float] = {}  # seconds each delivery has waited for the far side in this run
        self._tried: dict[int, int] = {}  # attempts of each delivery in this run: the retry budget is a run's

    @property
    def exceptions(self) -> int:
        """Lanes given up, and deliveries and documents that came to need a person, whichever run made them."""
        return self._exceptions + self._sealer.buried

    @property
    def upserts(self) -> bool:
        """Whether what is delivered here is a wanted state, so that sending it again does no harm."""
        return isinstance(self._sink, Upserts)

    def destine(self, document: Any) -> Destination:
        """Where the document goes, by the flow's `lane` setting or as the sink says."""
        destination: Destination = self._sink.destination(document)
        if self.stage.lane is None:
            return destination
        return Destination(str(getattr(document, self.stage.lane)), destination.address)

    def wake(self, lanes: set[str]) -> None:
        self._awake |= lanes
        self._notify()

    def finish(self) -> None:
        self._finishing = True
        self._notify()

    def _notify(self) -> None:
        self._changed.set()

    async def run(self) -> None:
        """Works until finished; see the class."""
        recovered = await self._deliveries.lanes(self._flow, self.stage.name)
        self._awake |= set(recovered)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._look_again)
            swept = False
            while True:
                self._start_lanes(tasks)
                if self._finishing and not swept:
                    swept = True  # partly filled batches go out now, also of lanes that were not woken since
                    self._awake |= set(await self._deliveries.lanes(self._flow, self.stage.name))
                    continue
                if self._finishing and not self._active and not self._startable():
                    return
                await self._changed.wait()
                self._changed = anyio.Event()

    @property
    def _ending(self) -> bool:
        """Whether nothing more may be sent in this run."""
        return self._stopping.requested or self.refused is not None

    def _startable(self) -> set[str]:
        return set() if self._ending else self._awake - self._active - self._given_up

    def _start_lanes(self, tasks: TaskGroup) -> None:
        for lane in sorted(self._startable()):
            self._awake.discard(lane)
            self._active.add(lane)
            tasks.start_soon(self._work, lane)

    async def _work(self, lane: str) -> None:
        """Empties one lane, or gives it up for this run."""
        try:
            while not self._ending:
                head = await self._deliveries.head(self._flow, self.stage.name, lane)
                if head is not None and head.run != self._run:
                    self.earlier.add(head.delivery.id)
                if head is None and not await self._sealer.seal_next(lane, finishing=self._finishing):
                    return
                if head is not None and not await self._drive(head):
                    self._given_up.add(lane)
                    self._exceptions += 1
                    return
        finally:
            self._active.discard(lane)
            self._notify()

    # --- sending -----------------------------------------------------------------------------------------------------

    async def _drive(self, head: OpenDelivery) -> bool:
        """Brings the head of a lane to its end. False when the lane must be given up for this run."""
        if head.state == "sending":  # a process died in this attempt
            await self._recover(head)
            return True
        if head.next_at is not None:
            seconds = (head.next_at - self._services.clock.now()).total_seconds()
            if seconds > 0 and not await self._pause(head, seconds):
                return False
        if head.state == "in_doubt":
            return await self._resolve(head)
        return await self._attempt(head)

    async def _recover(self, head: OpenDelivery) -> None:
        """A process died in the last attempt. Before its commit point nothing can have happened; after it, it is in doubt."""
        if head.committed:
            problem = Problem("transient", "MLC-DLV-0001", "IT", "The process ended between sending and the answer")
            await self._deliveries.waits(head.delivery, "in_doubt", problem, next_at=None)
        else:
            problem = Problem("transient", "MLC-DLV-0002", "IT", "The process ended before anything could take effect")
            await self._deliveries.waits(head.delivery, "retry", problem, next_at=None)

    async def _attempt(self, head: OpenDelivery) -> bool:
        async with self._begun:
            if self._ending:
                return True
            delivery = await self._deliveries.begin_attempt(head.delivery, self._run)
            return delivery is None or await self._send(head, delivery)

    async def _send(self, head: OpenDelivery, delivery: Delivery) -> bool:
        async with self._limiter:
            if self._ending:
                await self._deliveries.waits(delivery, "retry", self._unsent(), next_at=None)
                return True
            self._tried[delivery.id] = self._tried.get(delivery.id, 0) + 1
            passed = False

            async def mark(key: str, value: str = "") -> None:
                nonlocal passed
                if key == COMMIT_POINT:
                    await self._deliveries.pass_commit_point(delivery)
                    passed = True
                else:
                    await self._deliveries.mark(delivery, key, value)

            try:
                evidence: Evidence = await self._system.watch(partial(self._sink.send, delivery, mark))
            except CalledOff:  # with the run; whatever came before in this attempt is as it was
                await self._deliveries.waits(delivery, "in_doubt" if passed else "retry", self._unsent(), next_at=None)
                return True
            except Exception as error:  # noqa: BLE001  classified below
                return await self._failed(head, delivery, passed, _as_stage_error(error, self.stage.name, passed))
        await self._delivered(delivery, evidence, "response")
        self._waited.pop(delivery.id, None)
        if head.passed:
            await self._post_verify(delivery)
        return True

    def _unsent(self) -> Problem:
        if self.refused is not None:
            return Problem.of(self.refused)
        return Problem("transient", "MLC-DLV-0007", "IT", "The run was stopped before anything was sent")

    def _stop(self, error: ConnectorError) -> None:
        """The lane stops; with a refused account all others as well, and that is told once."""
        if isinstance(error, SignInRefused):
            self.refused = self.refused or error
            for pause in self._pauses:
                pause.cancel()
            self._notify()
        else:
            self.stopped.append(error)

    async def _delivered(self, delivery: Delivery, evidence: Evidence, how: str) -> None:
        upsert = self.stage.name if self.upserts else ""
        await self._deliveries.delivered(delivery, evidence, how, upsert=upsert)
        await self._system.works()
        self._services.observe("delivered", delivery)

    async def _failed(self, head: OpenDelivery, delivery: Delivery, passed: bool, error: StageError) -> bool:
        problem = Problem.of(error)
        if error.failure == "transient" and passed:
            settle = getattr(self._sink, "settle_seconds", 0.0)
            until = self._services.clock.now() + timedelta(seconds=settle)
            await self._deliveries.waits(delivery, "in_doubt", problem, next_at=until)
            return True
        if isinstance(error, ConfigError) or error.failure == "session":
            await self._deliveries.waits(delivery, "retry", problem, next_at=None)
            self._stop(error)
            return False
        if error.failure in ("data", "refused"):
            self._exceptions += 1
            await self._deliveries.ends(delivery, "dead", problem, self._flow, self.stage.name, self._run)
            return True
        decision = decide(error, self._tried[delivery.id], self.stage.retry, self._services.rng)
        if decision == "stop":  # its turns are used up for this run; it stays open for the next
            await self._deliveries.waits(delivery, "retry", problem, next_at=None)
            return False
        until = self._services.clock.now() + timedelta(seconds=decision.seconds)
        await self._deliveries.waits(delivery, "retry", problem, next_at=until)
        return True

    # --- in doubt ----------------------------------------------------------------------------------------------------

    async def _resolve(self, head: OpenDelivery) -> bool:
        """Asks the far side. True when the state moved on, False when the lane must be given up for this run."""
        delivery = head.delivery
        if await self._deliveries.settle_answered(delivery.id):
            return True
        if not isinstance(self._sink, Finds):
            problem = Problem(
                "transient", "MLC-DLV-0003", "IT", "Sent again: this sink cannot say whether the first one arrived"
            )
            return await self._send_again(delivery, problem)
        settle = float(self._sink.settle_seconds)
        if head.last_end is not None:
            early = settle - (self._services.clock.now() - head.last_end).total_seconds()
            if head.absences == 0 and early > 0 and not await self._pause(head, early):
                return False
        try:
            async with self._limiter:
                matches = await self._system.watch(partial(self._sink.find, delivery))
        except (Undetermined, TransientError) as error:
            if isinstance(error, Undetermined) and error.gone:
                return await self._gone(head, str(error))
            return await self._cannot_tell(head, str(error))
        except ConnectorError as error:
            self._stop(error)
            return False
        except Exception as error:  # noqa: BLE001  a fault of the sink proves nothing
            return await self._cannot_tell(head, f"{type(error).__name__}: {error}"[:300])
        return await self._decide(head, matches, settle)

    async def _decide(self, head: OpenDelivery, matches: list[Evidence], settle: float) -> bool:
        delivery = head.delivery
        foreign = [match for match in matches if not _ours(match, delivery)]
        if foreign:
            await self._hold(delivery, "MLC-DLV-0010", "Something else of the same name is on the far side", foreign)
        elif len(matches) > 1:
            await self._hold(delivery, "MLC-DLV-0011", "The far side has this delivery more than once", matches)
        elif matches:
            await self._delivered(delivery, matches[0], "find")
            self._waited.pop(delivery.id, None)
        elif head.absences + 1 >= ABSENT_TWICE:
            what = "Proved absent twice: sent again, with the same bytes and name"
            if await self._deliveries.dissolve(delivery.id, "proved absent twice"):
                return True
            return await self._send_again(delivery, Problem("transient", "MLC-DLV-0004", "IT", what, why=head.cause))
        else:
            until = self._services.clock.now() + timedelta(seconds=settle / 6)
            what = "Not on the far side at the first look"
            problem = Problem("transient", "MLC-DLV-0005", "IT", what, why=head.cause)
            await self._deliveries.waits(
                delivery, "in_doubt", problem, next_at=until, absences=head.absences + 1, ended=False
            )
        return True

    async def _send_again(self, delivery: Delivery, problem: Problem) -> bool:
        """It had no effect: sent again, within the retry budget of this run. False when that is used up."""
        tried = self._tried.get(delivery.id, 0)
        again = (
            decide(TransientError(problem.what), tried, self.stage.retry, self._services.rng) if tried else Wait(0.0)
        )
        until = None if again == "stop" else self._services.clock.now() + timedelta(seconds=again.seconds)
        await self._deliveries.waits(delivery, "retry", problem, next_at=until, ended=False)
        return again != "stop"

    async def _cannot_tell(self, head: OpenDelivery, why: str) -> bool:
        problem = Problem(
            "transient", "MLC-DLV-0006", "IT", "The far side could not say whether it has this delivery", why=why
        )
        seconds = min(LONGEST_FIND_WAIT_SECONDS, 1.0 + self._waited.get(head.delivery.id, 0.0))
        until = self._services.clock.now() + timedelta(seconds=seconds)
        await self._deliveries.waits(
            head.delivery, "in_doubt", problem, next_at=until, absences=head.absences, ended=False
        )
        return True

    async def _gone(self, head: OpenDelivery, why: str) -> bool:
        """Only an answer can tell, which no look brings: after a day a person is asked, and until then the next run looks whether one has come."""
        if head.last_end is not None and self._services.clock.now() >= head.last_end + ANSWERED_WITHIN:
            return await self._taken_away(head, why)
        await self._cannot_tell(head, why)
        return False

    async def _taken_away(self, head: OpenDelivery, why: str) -> bool:
        """It may have arrived, and no answer has said so: a person asks. An answer that comes later still settles it."""
        delivery = head.delivery
        problem = Problem(
            "refused", UNTRACEABLE, "EDI desk", "It may have arrived, and nothing tells any more whether it did",
            f"{delivery.name} in {delivery.address or delivery.lane}", why,
            "ask the partner whether it has these numbers; if it has not, replay sends it again with the same ones",
        )  # fmt: skip
        self._exceptions += 1
        await self._deliveries.ends(delivery, "dead", problem, self._flow, self.stage.name, self._run)
        return True

    async def _post_verify(self, delivery: Delivery) -> None:
        """After sending again what was once in doubt: it must be there once. A first copy may come late, so the next run looks too."""
        if not isinstance(self._sink, Finds):
            return
        settle = timedelta(seconds=float(self._sink.settle_seconds))
        await self._deliveries.look_again(delivery, self._services.clock.now() + settle)
        await self._there_once(delivery)

    async def _look_again(self) -> None:
        """The second looks that are due: those at what earlier runs sent again."""
        if not isinstance(self._sink, Finds):
            return
        for delivery in await self._deliveries.to_look_at(self._flow, self.stage.name):
            if not self._stopping.requested and await self._there_once(delivery):
                await self._deliveries.look_again(delivery, None)

    async def _there_once(self, delivery: Delivery) -> bool:
        """False when that cannot be told now. One that is there twice is held."""
        assert isinstance(self._sink, Finds)
        try:
            async with self._limiter:
                matches = await self._sink.find(delivery)
        except Undetermined as error:
            return error.gone  # what has been taken away is there no more than once
        except Exception:  # noqa: BLE001
            return False  # it is delivered; only this look is missing
        if len(matches) > 1:
            await self._hold(delivery, "MLC-DLV-0011", "The far side has this delivery more than once", matches)
        return True

    async def _hold(self, delivery: Delivery, code: str, what: str, matches: list[Evidence]) -> None:
        problem = Problem(
            "held", code, "EDI desk", what, f"{delivery.name} in {delivery.address or delivery.lane}",
            "found: " + ", ".join(f"{match.id} ({match.size} bytes)" for match in matches[:5]),
            "ask the partner which one counts; remove the other on the far side",
        )  # fmt: skip
        self._exceptions += 1
        await self._deliveries.ends(delivery, "held", problem, self._flow, self.stage.name, self._run)

    # --- waiting -----------------------------------------------------------------------------------------------------

    async def _pause(self, head: OpenDelivery, seconds: float) -> bool:
        """Waits for the far side. False when this delivery has waited long enough in this run, or the run is stopping."""
        waited = self._waited.get(head.delivery.id, 0.0)
        if waited + seconds > self._wait_seconds:
            return False
        self._waited[head.delivery.id] = waited + seconds
        until = self._services.clock.now() + timedelta(seconds=seconds)
        why = f"delivering to {self.stage.name}: {head.problem.what if head.problem else head.state}"
        self._services.observe("waiting", Pause(until, why))
        with anyio.CancelScope() as pause:
            self._pauses.add(pause)
            try:
                return await self._stopping.sleep(self._services.clock, seconds)
            finally:
                self._pauses.discard(pause)
        return False


def _as_stage_error(error: Exception, stage: str, passed: bool) -> StageError:
    """What a sink raised, as one of our classes.

    Only a `StageError` says what it means for the far side. Anything else leaves the outcome unknown once the commit point was passed.
    """
    if isinstance(error, StageError):
        return error
    told = explained(error, stage, "a delivery")
    kind: type[StageError] = (
        TransientError if passed else ConfigError if isinstance(error, ConnectorError) else DataError
    )
    return kind(told.what, where=told.where, why=told.why, mend=told.mend, owner=told.owner, code=told.code)


def _ours(match: Evidence, delivery: Delivery) -> bool:
    """Whether what was found can be this delivery: the far side's size and digest, where it tells them, must agree."""
    same_size = match.size is None or match.size == len(delivery.payload)
    return same_size and (match.digest is None or match.digest == delivery.digest)
