"""The client of the XML gateway: the only file of this adapter that opens connections.

Each call is one POST under one deadline, as many at a time as the company's gate lets through. The sources only ask; `IntacctClient.execute`
is the one door to what changes something. No exception of the HTTP library leaves this file, nor any text that holds a password or a session id.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import aiohttp
import anyio
import msgspec
from lxml import etree
from yarl import URL

from pipeline import (
    Allowance,
    Clock,
    ConfigError,
    Context,
    Ids,
    Secret,
    SessionError,
    StageError,
    ThrottledError,
    TransientError,
)
from stages.intacct.config import IntacctConfig
from stages.intacct.gate import Gate, Gates
from stages.intacct.patience import patiently
from stages.intacct.protocol import requests
from stages.intacct.protocol.echo import Asked, check
from stages.intacct.protocol.endpoint import accept_endpoint
from stages.intacct.protocol.faults import (
    UNKNOWN_FAULT,
    Form,
    HttpRefused,
    Place,
    contradicts,
    fault_error,
    http_error,
    is_repeat,
    lost_reply,
    scrub,
    unexpected_repeat,
    unreadable_error,
)
from stages.intacct.protocol.hiding import Hidden
from stages.intacct.protocol.query import Query
from stages.intacct.protocol.responses import Data, Definition, Outcome, Reply, Unreadable, read_reply
from stages.intacct.session import Grant, Session, SessionKey, Sessions, lifetime, moment

OFFLOAD_BYTES = 256 * 1024
"""Replies larger than this are parsed off the event loop: the parser frees the interpreter while it works."""
_LONGEST_RETRY_AFTER_TEXT = 64
T = TypeVar("T")


class ReplyTooLarge(ConfigError):
    """A reply went past ``max_bytes``; a smaller page may fit."""


class NotReached(TransientError):
    """No connection could be made: nothing was sent."""


class Done(msgspec.Struct, frozen=True):
    """What became of a function that changes something. ``repeated``: an earlier attempt had done it, and its data are lost."""

    data: Data = Data()
    repeated: bool = False


class Answer(msgspec.Struct, frozen=True):
    """A readable reply, the scrubbing done. ``life`` is how long the session lasts from now, None when it does not say."""

    status: int
    reply: Reply
    life: timedelta | None
    retry_after: float | None


class IntacctClient:
    """Reads one company. Made by `open_intacct`; usable from many tasks of its event loop.

    It is `Metered`: ``used`` counts what Sage counts, the transactions of this client's calls; one whose reply was lost counts, since it may
    have been done.
    """

    def __init__(
        self, config: IntacctConfig, context: Context, http: aiohttp.ClientSession, sessions: Sessions, gate: Gate
    ) -> None:
        self.config = config
        self.used = 0
        self.allowance = Allowance(
            account=config.account,
            unit="API transaction",
            calls=config.transactions.tier,
            warn_percent=config.transactions.warn_at,
        )
        self._clock: Clock = context.clock
        self._ids: Ids = context.ids
        self._rng = context.rng
        self._offload: Callable[..., Awaitable[Any]] = context.offload
        self._http = http
        self._sessions = sessions
        self._url = URL(config.url)
        self._gate = gate
        self._skew: timedelta | None = None  # what the server's clock is ahead of ours
        self._sender = requests.Sender(config.sender_id, config.sender_password, config.error_ids)
        self._hidden = Hidden(config.sender_password.reveal(), config.user_password.reveal())
        self._key = session_key(config)
        self._login = requests.Login(
            user=config.user_id,
            company=config.company_id,
            password=config.user_password,
            client=config.client_id,
            location=config.location_id,
        )

    async def server_now(self) -> datetime:
        """The server's time, as its last reply told it; ours when it tells none. Signs in when nothing was asked yet, and raises as that."""
        if self._skew is None:
            await self.sign_in()
        return self._clock.now() + (self._skew or timedelta())

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
        place, nobody = self._place("greeting", "login"), Secret(self._ids.new())
        body = requests.envelope(self._sender, self._ids.new(), nobody, requests.get_session())
        async with self._gate.turn():
            exchanged = await self._exchange(self._url, body, place)
        answer = await self._read_answer(*exchanged, place)
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
        return await self._read(lambda: self._query(question))

    async def _query(self, question: Query) -> Data:
        about = f"query of {question.object}"
        data = (await self._ask(requests.query(question), about)).data
        # What counters of groups count is not published.
        grouped = question.counts or question.sums
        if wrong := data.absent and data.contradiction() if grouped else data.contradiction(question.offset):
            raise contradicts(wrong, self._place(about, "session"))
        return data

    async def _read(self, call: Callable[[], Awaitable[T]]) -> T:
        return await patiently(call, self.config.patience, self._clock, self._rng)

    async def lookup(self, object_name: str) -> Definition:
        """What the object looks like in this company. Raises as `query` does, and `ConfigError` when the reply holds no definition."""
        outcome = await self._read(lambda: self._ask(requests.lookup(object_name), f"lookup of {object_name}"))
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
        outcome = await self._ask(function, about, once=control_id)
        if outcome.ok:
            return Done(outcome.data)
        if not attempted:
            raise unexpected_repeat(outcome, self._place(about, "session"))
        return Done(repeated=True)

    async def _ask(self, function: etree._Element, about: str, once: str | None = None) -> Outcome:
        """One function under a session. A refused session executed nothing: sign in once, repeat once.

        ``once`` is the control id of a function that must not be done twice; its outcome may be the refusal of a repeat.
        """
        session = await self._sessions.current(self._key, self._grant)
        try:
            return await self._under(session, function, about, once)
        except SessionError:
            self._sessions.drop(self._key, session.generation)
        session = await self._sessions.current(self._key, self._grant)
        try:
            return await self._under(session, function, about, once)
        except SessionError as error:
            self._sessions.drop(self._key, session.generation)
            refusal = TransientError(
                "Intacct refuses a session it has just granted", where=error.where, why=error.why,
                mend="nothing to do: it is tried again; when it stays, check that nothing else ends this user's sessions",
                code="MLC-INTACCT-0206",
            )  # fmt: skip
        raise refusal

    async def _under(self, session: Session, function: etree._Element, about: str, once: str | None) -> Outcome:
        self._hidden.add(session.id.reveal())  # another client may have been granted it
        place = self._place(about, "session", self._hidden.text(URL(session.endpoint).host or ""))
        _, outcome = await self._call(URL(session.endpoint), session, function, place, once)
        return outcome

    async def _grant(self) -> Grant:
        place = self._place("sign-in", "login")
        answer, outcome = await self._call(self._url, None, requests.get_session(), place)
        row = outcome.data.rows[:1]
        session_id = row[0].get("SESSIONID") if row else None
        if not session_id:
            raise ConfigError(
                "the sign-in returned no session", where=f"{place.function} at {place.host}",
                why="the reply says success but holds no session id", mend="check that the connection's `url` is the gateway's",
                code="MLC-INTACCT-0113",
            )  # fmt: skip
        self._hidden.add(session_id)
        endpoint = self._endpoint(row[0].get("ENDPOINT"))
        return Grant(Secret(session_id), endpoint, answer.life)

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

    async def _call(
        self, url: URL, session: Session | None, function: etree._Element, place: Place, once: str | None = None
    ) -> tuple[Answer, Outcome]:
        """One function, under the session or, without one, the login. The gate learns whether there was a slot for it."""
        authentication = self._login if session is None else session.id
        cost = requests.transactions(function)
        control_id = self._ids.new()
        body = requests.envelope(self._sender, control_id, authentication, function, once=once)
        asked = Asked(
            control_id=control_id, function=str(function.tag), function_id=once or control_id, login=self._login
        )
        turn = -1
        try:
            async with self._gate.turn() as turn:
                exchanged = await self._exchange(url, body, place)
            answer = await self._read_answer(*exchanged, place)
            if answer.status >= 500 or not (answer.reply.failed or answer.reply.outcomes):
                self._raise_incomplete(answer, place)
            check(answer.reply, asked, place)
        except ThrottledError:
            self._gate.throttled(turn)
            raise
        except (NotReached, HttpRefused):
            raise
        except StageError as error:
            self.used += cost  # it may have been done
            if once is None:
                raise
            lost = lost_reply(error)
        else:
            return answer, self._settled(answer, session, place, turn, cost, once)
        raise lost

    def _settled(
        self, answer: Answer, session: Session | None, place: Place, turn: int, cost: int, once: str | None
    ) -> Outcome:
        """The outcome that a whole reply tells: what it refuses was not done."""
        try:
            self._raise_level(answer, place)
            if session is not None:
                self._sessions.extend(self._key, session.generation, answer.life)
            outcome = answer.reply.outcomes[0]
            if not outcome.ok and not (once is not None and is_repeat(outcome, once)):
                raise fault_error("function", outcome.faults, place, retry_after=answer.retry_after)
        except ThrottledError:
            self._gate.throttled(turn)
            raise
        self._gate.succeeded()
        self.used += cost * outcome.ok
        return outcome

    async def _read_answer(self, status: int, headers: dict[str, str], content: bytes, place: Place) -> Answer:
        if (served := _http_date(headers.get("Date"))) is not None:
            self._skew = served - self._clock.now()
        retry_after = _retry_after(headers.get("Retry-After"), served or self._clock.now())
        if status != 200 and not (content.strip() and b"<" in content[:_LONGEST_RETRY_AFTER_TEXT]):
            raise http_error(status, place, retry_after=retry_after)
        try:
            reply = await self._parse(content)
        except Unreadable as error:
            problem = error
        else:
            return self._answer(reply, status, headers, retry_after, place)
        raise unreadable_error(problem, status, place, self._hidden, retry_after=retry_after)

    def _answer(
        self, reply: Reply, status: int, headers: dict[str, str], retry_after: float | None, place: Place
    ) -> Answer:
        outcomes = tuple(
            msgspec.structs.replace(item, faults=scrub(item.faults, self._hidden)) for item in reply.outcomes
        )
        reply = msgspec.structs.replace(reply, faults=scrub(reply.faults, self._hidden), outcomes=outcomes)
        if status != 200 and reply.failed is None and all(item.ok for item in reply.outcomes):
            raise http_error(status, place, retry_after=retry_after)
        if status == 429 or (status >= 500 and not reply.faults):
            raise http_error(status, place, retry_after=retry_after)
        life = lifetime(
            reply.session_timeout, self._clock.now(), _http_date(headers.get("Date")), moment(reply.session_timestamp)
        )
        return Answer(status, reply, life, retry_after)

    async def _parse(self, content: bytes) -> Reply:
        if len(content) <= OFFLOAD_BYTES:
            return read_reply(content)
        reply: Reply = await self._offload(read_reply, content)
        return reply

    async def _exchange(self, url: URL, body: bytes, place: Place) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (first of each name) and the whole body, within the deadline and the size limit."""
        failure: StageError
        try:
            with anyio.fail_after(self.config.total_timeout):
                async with self._http.post(url, data=body, allow_redirects=False) as response:
                    content = await self._receive(response, place)
                    headers = {
                        name: response.headers[name] for name in ("Retry-After", "Date") if name in response.headers
                    }
                    return response.status, headers, content
        except (aiohttp.ClientError, OSError) as error:
            failure = _connection_error(error, place)
        # Raised out here, so that nothing of the HTTP library hangs on it: its errors quote requests.
        raise failure

    async def _receive(self, response: aiohttp.ClientResponse, place: Place) -> bytes:
        content = bytearray()
        async for chunk in response.content.iter_chunked(64 * 1024):
            content += chunk
            if len(content) > self.config.max_bytes:
                response.close()
                raise ReplyTooLarge(
                    "a reply of Intacct is too large", where=f"{place.function} at {place.host}",
                    why=f"it is over {self.config.max_bytes} bytes",
                    mend="lower the connection's `page_size`, or raise its `max_bytes`", code="MLC-INTACCT-0207",
                )  # fmt: skip
        return bytes(content)

    def _raise_incomplete(self, answer: Answer, place: Place) -> None:
        """A reply that does not tell what was done: a failure of the gateway itself, or no result."""
        self._raise_level(answer, place)
        raise TransientError(
            "Intacct's reply holds no result", where=f"{place.function} at {place.host}", why="the reply is incomplete",
            mend="nothing to do: it is tried again", code="MLC-INTACCT-0205",
        )  # fmt: skip

    def _raise_level(self, answer: Answer, place: Place) -> None:
        if answer.reply.failed is None:
            return
        error = fault_error(answer.reply.failed, answer.reply.faults, place, retry_after=answer.retry_after)
        if answer.status >= 500 and error.code == UNKNOWN_FAULT:
            error = http_error(answer.status, place, retry_after=answer.retry_after, detail=error.why)
        raise error

    def _place(self, about: str, form: Form, host: str | None = None) -> Place:
        return Place(host or self._url.host or "", self.config.company, about, form)


@asynccontextmanager
async def open_intacct(config: IntacctConfig, context: Context) -> AsyncIterator[IntacctClient]:
    """A client whose connections are closed on leaving. It signs in when first asked something.

    The clients of one process share its sessions: those of one user sign in once. Those of one company share its slots, in all processes of the host.
    """
    sessions = context.shared.of(Sessions, lambda: Sessions(context.clock))
    gates = context.shared.of(Gates, lambda: Gates(context.shared))
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=config.connect_timeout, sock_read=config.read_timeout)
    headers = {"Content-Type": "application/xml", "Accept-Encoding": "gzip", "User-Agent": "ml-connector"}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=config.concurrency),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        timeout=timeout,
        trust_env=False,
    ) as http:
        gate = gates.of(slots_of(config), config.concurrency)
        yield IntacctClient(config, context, http, sessions, gate)


def slots_of(config: IntacctConfig) -> str:
    """Whose slots it uses: those of one company at one gateway, whatever the user or entity."""
    return f"{config.account} at {URL(config.url).with_query(None)}"


def session_key(config: IntacctConfig) -> SessionKey:
    """Whose session it is. A corrected password makes another, so that a refusal of the old one is forgotten."""
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


def _connection_error(error: BaseException, place: Place) -> StageError:
    """What went wrong below HTTP, by type only: the library's texts can quote the request."""
    where = f"{place.function} at {place.host}"
    certificates = (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError)
    if isinstance(error, certificates):
        return ConfigError(
            "the gateway's certificate is not trusted", where=where, code="MLC-INTACCT-0115",
            why="it is not signed for that host by an authority this machine knows",
            mend="check the connection's `url`, and whether a proxy replaces certificates on the way: its authority may stand in SSL_CERT_FILE",
        )  # fmt: skip
    kind: type[TransientError] = TransientError
    what, why = "the connection to Intacct broke off", "the network or the gateway closed it"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        kind, what, why = NotReached, "Intacct cannot be found", "its host name has no address from here"
    elif isinstance(error, aiohttp.ConnectionTimeoutError):
        kind, what, why = NotReached, "Intacct cannot be reached", "connecting took longer than connect_timeout"
    elif isinstance(error, TimeoutError):
        what, why = "Intacct did not answer in time", "the answer took longer than the connection's timeouts"
    elif isinstance(error, aiohttp.ClientConnectorError):
        kind, what, why = NotReached, "Intacct cannot be reached", "the connection was refused or has no way through"
    elif isinstance(error, aiohttp.InvalidURL):
        return ConfigError(
            "the gateway's address cannot be used", where=where, why="it is not an address a connection can be made to",
            mend="correct the connection's `url` (INTACCT_URL)", code="MLC-INTACCT-0116",
        )  # fmt: skip
    return kind(
        what, where=where, why=why, code="MLC-INTACCT-0208",
        mend="it is tried again; when it stays, check the connection's `url` (INTACCT_URL), the network and the firewall",
    )  # fmt: skip


def _retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds, from a number or an HTTP date. Nonsense is as good as nothing."""
    if text is None:
        return None
    text = text.strip()[:_LONGEST_RETRY_AFTER_TEXT]
    if text.isascii() and text.isdigit():
        return float(text)
    when = _http_date(text)
    return None if when is None else max(0.0, (when - now).total_seconds())


def _http_date(text: str | None) -> datetime | None:
    try:
        when = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError):
        return None
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)
