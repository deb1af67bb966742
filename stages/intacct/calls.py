"""One request to the gateway: its turn, what it costs, and what its reply says was done. Signing in is the business of `company`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
from lxml import etree
from yarl import URL

from pipeline import Clock, Ids, Secret, StageError, ThrottledError
from stages.intacct.answers import Answer, Answers
from stages.intacct.client import NotReached, Wire
from stages.intacct.gate import Gate
from stages.intacct.patience import Patience
from stages.intacct.protocol import requests
from stages.intacct.protocol.echo import Asked, check
from stages.intacct.protocol.faults import HttpRefused, Place, fault_error, is_repeat, lost_reply
from stages.intacct.protocol.requests import Login, Sender
from stages.intacct.protocol.responses import Outcome


class Function(msgspec.Struct, frozen=True):
    """What is to be done. ``about`` names it for people; ``once`` is the control id of what must not be done twice: its outcome may be
    the refusal of a repeat. ``patience`` is not used up by waiting for a turn.
    """

    element: etree._Element
    about: str
    once: str | None = None
    patience: Patience | None = None


class Calls:
    """Asks one gateway as one sender. ``used`` counts what Sage counts, before it is done: also what may have been done, when nobody knows.

    ``spent`` is awaited between counting and asking. The gate learns from each answer whether there was a slot.
    """

    def __init__(
        self, wire: Wire, answers: Answers, gate: Gate, sender: Sender, login: Login, clock: Clock, ids: Ids,
        spent: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self.used = 0
        self._wire = wire
        self._answers = answers
        self._gate = gate
        self._sender = sender
        self._login = login
        self._clock = clock
        self._ids = ids
        self._spent = spent

    async def nobody(self, url: URL, place: Place) -> Answer:
        """The answer to a question under a session that cannot be: what is refused before the session is looked at, is refused all the same."""
        body = requests.envelope(self._sender, self._ids.new(), Secret(self._ids.new()), requests.get_session())
        async with self._gate.turn():
            received = await self._wire.post(url, body, place)
        return await self._answers.read(received, place)

    async def call(
        self,
        url: URL,
        session: Secret | None,
        function: Function,
        place: Place,
        lives: Callable[[timedelta | None], None],
    ) -> Outcome:
        """Does it under the session or, without one, the login, and tells ``lives`` how long the session lasts, failed or not.

        Raises what a failure means; `OutcomeUnknown` for a lost reply to what must not be done twice.
        """
        cost, once, turn = requests.transactions(function.element), function.once, -1
        control_id = self._ids.new()
        authentication = self._login if session is None else session
        body = requests.envelope(self._sender, control_id, authentication, function.element, once=once)
        asked = Asked(
            control_id=control_id, function=str(function.element.tag), function_id=once or control_id, login=self._login
        )
        try:
            async with self._turn(function.patience) as turn:
                self.used += cost
                await self._spent()
                received = await self._wire.post(url, body, place)
            answer = await self._answers.read(received, place)
            answer.raise_incomplete(place)
            check(answer.reply, asked, place)
        except (ThrottledError, NotReached, HttpRefused) as error:
            self.used -= cost
            if isinstance(error, ThrottledError):
                self._gate.throttled(turn)
            raise
        except StageError as error:  # it may have been done
            if once is None:
                raise
            lost = lost_reply(error)
        else:
            return self._outcome(answer, place, turn, function, lives)
        raise lost

    @asynccontextmanager
    async def _turn(self, patience: Patience | None) -> AsyncIterator[int]:
        began = self._clock.monotonic()
        async with self._gate.turn() as turn:
            if patience is not None:
                patience.extend(self._clock.monotonic() - began)
            yield turn

    def _outcome(
        self, answer: Answer, place: Place, turn: int, function: Function, lives: Callable[[timedelta | None], None]
    ) -> Outcome:
        """The outcome that a whole reply tells: what it refuses was not done."""
        cost, once = requests.transactions(function.element), function.once
        try:
            answer.raise_refusal(place)
            lives(answer.life)
            outcome = answer.reply.outcomes[0]
            if not outcome.ok and not (once is not None and is_repeat(outcome, once)):
                raise fault_error("function", outcome.faults, place, retry_after=answer.retry_after)
        except StageError as error:
            self.used -= cost
            if isinstance(error, ThrottledError):
                self._gate.throttled(turn)
            raise
        self._gate.succeeded()
        if not outcome.ok:
            self.used -= cost
        return outcome
