"""One company behind the gateway, as the sources see it: what can be asked of it, under a session that is there when it is needed.

The sources only ask; `IntacctClient.execute` is the one door to what changes something.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, tzinfo
from typing import TypeVar

import msgspec
from lxml import etree
from yarl import URL

from pipeline import Allowance, ConfigError, Context, Secret, SessionError, StageError, TransientError
from stages.intacct.answers import Answers
from stages.intacct.calls import Calls, Function
from stages.intacct.client import Wire, wire
from stages.intacct.config import IntacctConfig
from stages.intacct.gate import Gate, Gates
from stages.intacct.patience import Patience, patiently
from stages.intacct.protocol import requests
from stages.intacct.protocol.endpoint import accept_endpoint
from stages.intacct.protocol.faults import Form, Place, contradicts, fault_error, unexpected_repeat
from stages.intacct.protocol.hiding import Hidden
from stages.intacct.protocol.query import Query
from stages.intacct.protocol.responses import Data, Definition, Outcome
from stages.intacct.session import Grant, Session, SessionKey, Sessions

T = TypeVar("T")


class Done(msgspec.Struct, frozen=True):
    """What became of a function that changes something. ``repeated``: an earlier attempt had done it, and its data are lost."""

    data: Data = Data()
    repeated: bool = False


class IntacctClient:
    """Reads one company. Made by `open_intacct`; usable from many tasks of its event loop.

    It is `Metered`: ``used`` counts what Sage counts, the transactions of this client's calls; one whose reply was lost counts, since it may
    have been done.
    """

    def __init__(self, config: IntacctConfig, context: Context, wire: Wire, sessions: Sessions, gate: Gate) -> None:
        self.config = config
        self.allowance = Allowance(
            account=config.account,
            unit="API transaction",
            calls=config.transactions.tier,
            warn_percent=config.transactions.warn_at,
        )
        self.told: tzinfo | None = None  # the zone that the records tell, once they were asked
        self._clock = context.clock
        self._rng = context.rng
        self._sessions = sessions
        self._key = session_key(config)
        self._url = URL(config.url)
        self._hidden = Hidden(config.sender_password.reveal(), config.user_password.reveal())
        self._answers = Answers(context.clock, context.offload, self._hidden)
        sender = requests.Sender(config.sender_id, config.sender_password, config.error_ids)
        login = requests.Login(
            user=config.user_id,
            company=config.company_id,
            password=config.user_password,
            client=config.client_id,
            location=config.location_id,
        )
        self._calls = Calls(wire, self._answers, gate, sender, login, context.clock, context.ids, context.spent)

    @property
    def used(self) -> int:
        return self._calls.used

    async def server_now(self) -> datetime:
        """The server's time, as its last reply told it; ours when it tells none. Signs in when nothing was asked yet, and raises as that."""
        if self._answers.skew is None:
            await self.sign_in()
        return self._clock.now() + (self._answers.skew or timedelta())

    @property
    def address(self) -> str:
        """Where the gateway is, for people: whatever stands behind a question mark is nobody's business."""
        return str(self._url.with_query(None))

    @property
    def host(self) -> str:
        """The gateway's, as configured."""
        return self._url.host or ""

    async def greet(self) -> StageError | None:
        """Whether the gateway is there and knows our sender, asked without the user: under a session that cannot be, refused one level later.

        Returns what it has against the sender. Raises `StageError` when it is not there, or is something else.
        """
        place = self._place("greeting", "login")
        answer = await self._calls.nobody(self._url, place)
        if answer.reply.failed != "control":
            return None
        error = fault_error("control", answer.reply.faults, place, retry_after=answer.retry_after)
        if isinstance(error, TransientError):
            raise error
        return error

    async def sign_in(self) -> None:
        """Makes sure there is a session. Raises `ConfigError` when the gateway refuses us, `TransientError` when it is not there."""
        await self._sessions.current(self._key, self._grant)

    async def query(self, question: Query) -> Data:
        """One page. Raises `UnknownField`, `UnknownObject`, `PermissionDenied`, `TransientError`, `ReplyTooLarge`, `ConfigError`."""
        return await self._read(lambda patience: self._query(question, patience))

    async def _query(self, question: Query, patience: Patience) -> Data:
        about = f"query of {question.object}"
        data = (await self._ask(Function(requests.query(question), about, patience=patience))).data
        # What counters of groups count is not published.
        grouped = question.counts or question.sums
        if wrong := data.absent and data.contradiction() if grouped else data.contradiction(question.offset):
            raise contradicts(wrong, self._place(about, "session"))
        return data

    async def _read(self, call: Callable[[Patience], Awaitable[T]]) -> T:
        return await patiently(call, self.config.patience, self._clock, self._rng)

    async def lookup(self, object_name: str) -> Definition:
        """What the object looks like in this company. Raises as `query` does, and `ConfigError` when the reply holds no definition."""
        element, about = requests.lookup(object_name), f"lookup of {object_name}"
        outcome = await self._read(lambda patience: self._ask(Function(element, about, patience=patience)))
        if outcome.data.definition is None or not outcome.data.definition.fields:
            raise ConfigError(
                f"the lookup of {object_name} returned no fields", where=self._place("lookup", "session").host,
                why="the gateway answered in a form this connector does not know", mend="report this", code="MLC-INTACCT-0133",
            )  # fmt: skip
        return outcome.data.definition

    async def execute(self, function: etree._Element, control_id: str, *, attempted: bool = False) -> Done:
        """Does a function that changes something, once, however often it is asked for under this control id.

        ``control_id`` is made from what is to be done, so that it is the same in every attempt and names nothing else. ``attempted`` says
        that the outcome of an earlier attempt is not known: only then does the gateway's refusal of a repeat mean that it is done.
        Raises `OutcomeUnknown` when the reply was lost, what the fault means when it was refused, `ConfigError` for a repeat of
        what we had not attempted, and as `query`. A transient error that is no `OutcomeUnknown` did nothing.
        """
        about = f"{function.tag} {control_id[:60]}"
        outcome = await self._ask(Function(function, about, once=control_id))
        if outcome.ok:
            return Done(outcome.data)
        if not attempted:
            raise unexpected_repeat(outcome, self._place(about, "session"))
        return Done(repeated=True)

    async def _ask(self, function: Function) -> Outcome:
        """One function under a session. A refused session executed nothing: sign in once, repeat once."""
        session = await self._sessions.current(self._key, self._grant)
        try:
            return await self._under(session, function)
        except SessionError as error:
            self._sessions.drop(self._key, session.generation, error)
        session = await self._sessions.current(self._key, self._grant)
        try:
            return await self._under(session, function)
        except SessionError as error:
            self._sessions.drop(self._key, session.generation, error)
            refusal = TransientError(
                "Intacct refuses a session it has just granted", where=error.where, why=error.why,
                mend="nothing to do: it is tried again; when it stays, check that nothing else ends this user's sessions",
                code="MLC-INTACCT-0206",
            )  # fmt: skip
        raise refusal

    async def _under(self, session: Session, function: Function) -> Outcome:
        self._hidden.add(session.id.reveal())  # another client may have been granted it
        place = self._place(function.about, "session", self._hidden.text(URL(session.endpoint).host or ""))

        def lives(life: timedelta | None) -> None:
            self._sessions.extend(self._key, session.generation, life)

        return await self._calls.call(URL(session.endpoint), session.id, function, place, lives)

    # Signing in

    async def _grant(self) -> Grant:
        place, life = self._place("sign-in", "login"), list[timedelta | None]()
        function = Function(requests.get_session(), place.function)
        outcome = await self._calls.call(self._url, None, function, place, life.append)
        row = outcome.data.rows[:1]
        session_id = row[0].get("SESSIONID") if row else None
        if not session_id:
            raise ConfigError(
                "the sign-in returned no session", where=f"{place.function} at {place.host}",
                why="the reply says success but holds no session id", mend="check that the connection's `url` is the gateway's",
                code="MLC-INTACCT-0113",
            )  # fmt: skip
        self._hidden.add(session_id)
        return Grant(Secret(session_id), self._endpoint(row[0].get("ENDPOINT")), life[0])

    def _endpoint(self, text: str | None) -> str:
        """The endpoint to go on with. None named means the one we have."""
        if text is None:
            return str(self._url)
        url = accept_endpoint(text, self._url, self.config.allowed_hosts)
        if url is None:
            shown = "".join(character for character in self._hidden.text(text, 100) if character.isprintable())
            raise ConfigError(
                "the sign-in sends us to a host we do not trust", where=f"endpoint {shown}",
                why="only https under .intacct.com, the configured host, and the connection's allowed_hosts are trusted with the session",
                mend="if that host is right, add it to the connection's `allowed_hosts`; if not, tell your security people",
                code="MLC-INTACCT-0114",
            )  # fmt: skip
        return str(url)

    def _place(self, about: str, form: Form, host: str | None = None) -> Place:
        return Place(host or self._url.host or "", self.config.company, about, form)


@asynccontextmanager
async def open_intacct(config: IntacctConfig, context: Context) -> AsyncIterator[IntacctClient]:
    """A client whose connections are closed on leaving. It signs in when first asked something.

    The clients of one process share its sessions: those of one user sign in once. Those of one company share its slots, in all processes of the host.
    """
    sessions = context.shared.of(Sessions, lambda: Sessions(context.clock))
    gates = context.shared.of(Gates, lambda: Gates(context.shared))
    async with wire(config) as opened:
        yield IntacctClient(config, context, opened, sessions, gates.of(slots_of(config), config.concurrency))


def slots_of(config: IntacctConfig) -> str:
    """Whose slots it uses: those of one company at one gateway, whatever the user or entity."""
    return f"{config.account} at {URL(config.url).with_query(None)}"


def session_key(config: IntacctConfig) -> SessionKey:
    """Whose session it is. A corrected password makes another, so that a refusal of the old one is forgotten.

    The company stands as it is spelt: who misspells it signs in for himself, and is refused if Intacct minds.
    """
    passwords = f"{config.sender_password.reveal()}\0{config.user_password.reveal()}"
    return SessionKey(
        root=str(URL(config.url)),
        sender=config.sender_id,
        company=config.company_id,
        client=config.client_id,
        entity=config.location_id,
        user=config.user_id,
        passwords=Secret(hashlib.sha256(passwords.encode()).hexdigest()),
    )
