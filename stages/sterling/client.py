"""The only file of this adapter that opens a connection: one HTTP call in, one judged answer out.

It signs in, bounds concurrency, time and size, follows no redirect, keeps no cookie, takes no proxy from the environment, and
turns every failure into an error of ours that holds no secret and no exception of the HTTP library.
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import anyio
import msgspec
from yarl import URL

from pipeline import Clock, ConfigError, Context, Secret, StageError, TransientError
from stages.sterling.auth import Standing, Token, Tokens, client_credentials, no_token, token_form, token_refused
from stages.sterling.config import SterlingConfig, Tls, checked
from stages.sterling.protocol import addresses
from stages.sterling.protocol.answer import Answer
from stages.sterling.protocol.errors import Call, NotSentError, judge, odd_refusal, sign_in_refused, token_refused_here

LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes. A window of 1,000 partners is about 3 MB."""

UNREAD_SECONDS = 10
"""That are given to an answer whose body nobody wants."""

IDLE_SECONDS = 25
"""Kept connections are closed before the 30 s after which gateways in front of Sterling drop them."""

JSON = "application/json"

log = logging.getLogger(__name__)


class Wire:
    """The way to one server under one sign-in. Build it with `wire`, which closes it. Safe for concurrent tasks.

    Every method raises `StageError`s only. Of writes the caller marks the commit point first.
    """

    def __init__(self, config: SterlingConfig, clock: Clock, session: aiohttp.ClientSession) -> None:
        self.config = config
        self._clock = clock
        self._session = session
        basic = config.auth.basic
        header = aiohttp.encode_basic_auth(basic.user, basic.password.reveal()) if config.scheme == "basic" else ""
        self._basic = Secret(header.removeprefix("Basic "))
        self._gate = anyio.Semaphore(config.concurrency)
        self._tokens = Tokens()
        self._token_lock = anyio.Lock()
        self._standing = Standing()
        self._asking = anyio.Lock()  # held while one task finds out whether the sign-in is refused: the others wait

    def call(self, method: str, path: str, doing: str, *, writes: bool, secrets: tuple[Secret, ...] = ()) -> Call:
        """What is asked, for `exchange` and for judging the answer."""
        auth = self.config.auth
        return Call(
            doing=doing,
            where=f"{method} {path} at {URL(self.config.url).authority}",
            writes=writes,
            oauth=self.config.scheme == "oauth2",
            secrets=(*secrets, self._basic, auth.basic.password, auth.oauth2.client_secret, auth.header.value),
        )

    async def exchange(
        self, call: Call, method: str, path: str, *, query: Mapping[str, str] | None = None, body: bytes | None = None,
        content_type: str = JSON, accept: tuple[int, ...] = (),
    ) -> Answer:  # fmt: skip
        """The answer if it is a success, or of a status in ``accept``.

        A refused token is replaced once and the call repeated. A write only when the refusal is proved to have come before any
        effect; otherwise its outcome is unknown, and the token is new for whoever looks. Once the sign-in itself is refused nothing more is
        asked: every call raises the same `SignInRefused`.
        """
        url = self._url(path, query)
        async with self._gate:
            async with self._asking:
                self._standing.require()
            token = await self._token()
            answer = await self._sent(call, method, url, self._headers(content_type, token), body)
            if answer.status == 401 and token is not None:
                self._tokens.refused(token)
                call = msgspec.structs.replace(call, secrets=(*call.secrets, token.text))
            if answer.status == 401 and token is not None and (answer.refused_token or not call.writes):
                token = await self._token()
                answer = await self._sent(call, method, url, self._headers(content_type, token), body)
            failure = await self._unauthorized(answer, call, token) if answer.status == 401 else None
        self._standing.accepted |= answer.ok
        if answer.status in accept:
            return answer
        if token is not None:
            call = msgspec.structs.replace(call, secrets=(*call.secrets, token.text))
        failure = failure or judge(answer, call, self._clock.now())
        if failure is not None:
            raise failure
        return answer

    async def _unauthorized(self, answer: Answer, call: Call, token: Token | None) -> StageError:
        """What a 401 means that no new token has mended. The sign-in's own is remembered; after a write it is proved by a second call, and so
        it is after it was accepted once, since directory servers hiccup.
        """
        if token is not None and call.writes and not answer.refused_token:
            return odd_refusal(call)
        async with self._asking:
            if self._standing.refusal is not None:
                return self._standing.refusal.again()
            doubtful = call.writes or self._standing.accepted
            if not doubtful or await self._still_refused(token):
                return self._standing.refuse(sign_in_refused(call))
        return odd_refusal(call) if token is None else token_refused_here(call)

    async def _still_refused(self, token: Token | None) -> bool:
        """Whether the account is refused a moment later too, at a call that every account may make."""
        path = addresses.item("useraccounts", self.config.self_account or "self")
        call = self.call("GET", path, "read its own account", writes=False)
        try:
            answer = await self._sent(call, "GET", self._url(path, None), self._headers(JSON, token), None)
        except StageError:
            return False  # that is not told
        return answer.status == 401

    def _url(self, path: str, query: Mapping[str, str] | None) -> URL:
        prefix = URL(self.config.url)
        tail = f"{path}?{addresses.query(query)}" if query else path
        url = URL(f"{str(prefix).rstrip('/')}/{tail}", encoded=True)
        # A path is built from validated parts; one that leaves the configured prefix is a defect of ours.
        assert url.authority == prefix.authority
        assert url.raw_path.startswith(prefix.raw_path.rstrip("/") + "/")
        return url

    def _headers(self, content_type: str, token: Token | None) -> dict[str, str]:
        headers = {"Accept": JSON, "Content-Type": content_type, "Accept-Encoding": "identity"}
        auth = self.config.auth
        if token is not None:
            return headers | {"Authorization": f"Bearer {token.text.reveal()}"}
        if self.config.scheme == "header":
            return headers | {auth.header.name: auth.header.value.reveal()}
        return headers | {"Authorization": f"Basic {self._basic.reveal()}"}

    async def _sent(
        self, call: Call, method: str, url: URL, headers: Mapping[str, str], body: bytes | Mapping[str, str] | None
    ) -> Answer:
        """One request and its answer. A GET on a kept connection that the server has just closed is sent once more; nothing else is."""
        try:
            return await self._once(call, method, url, headers, body)
        except DroppedError:
            if method != "GET":
                raise
        return await self._once(call, method, url, headers, body)

    async def _once(
        self, call: Call, method: str, url: URL, headers: Mapping[str, str], body: bytes | Mapping[str, str] | None
    ) -> Answer:
        """One request and its answer, read to the end. The library's exceptions hold headers: they end here."""
        try:
            with anyio.fail_after(self.config.timeouts.total):
                async with self._session.request(
                    method, url, data=body, headers=headers, allow_redirects=False
                ) as response:
                    return Answer(
                        status=response.status,
                        body=await (_beginning if call.unread and response.ok else _bounded)(response, call),
                        location=response.headers.get("Location", ""),
                        retry_after=response.headers.get("Retry-After", ""),
                        challenge=", ".join(response.headers.getall("WWW-Authenticate", ())),
                    )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _broken(error, call, self.config)
        raise failure

    # Signing in.

    async def _token(self) -> Token | None:
        """A usable token, fetched by one task while the others wait; None when tokens are not in use."""
        if self.config.scheme != "oauth2":
            return None
        async with self._token_lock:
            self._standing.require()
            return self._tokens.current(self._clock.monotonic()) or await self._fetch_token()

    async def _fetch_token(self) -> Token:
        oauth = self.config.auth.oauth2
        url = URL(oauth.token_url)
        call = Call(doing="issue a token", where=f"POST {url.path} at {url.authority}", secrets=(oauth.client_secret,))
        headers = {"Accept": JSON}
        if oauth.style == "header":
            headers["Authorization"] = aiohttp.encode_basic_auth(*client_credentials(oauth))
        try:
            answer = await self._sent(call, "POST", url, headers, token_form(oauth))
        except TransientError as error:
            raise no_token(call.where, error.why) from None
        if answer.status in (400, 401, 403):
            raise self._standing.refuse(token_refused(oauth, call.where, answer.status))
        if not answer.ok:
            raise no_token(call.where, f"HTTP {answer.status}.")
        try:
            return self._tokens.granted(answer.body, self._clock.monotonic())
        except ValueError as reason:
            problem = str(reason)
        raise no_token(call.where, problem)


async def _bounded(response: aiohttp.ClientResponse, call: Call) -> bytes:
    """The body up to so many bytes. Raises `_TooLarge` beyond."""
    body, largest = bytearray(), max(call.largest, LARGEST_ANSWER)
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > largest:
            raise _TooLarge(f"The answer is larger than {largest} bytes.")
    return bytes(body)


async def _beginning(response: aiohttp.ClientResponse, call: Call) -> bytes:
    """The first piece of a body that nobody wants. The rest is read for a while, so that the connection can be kept, and thrown away.

    What fails here changes nothing: the status says that it is done.
    """
    body, read = b"", 0
    with anyio.move_on_after(UNREAD_SECONDS), suppress(aiohttp.ClientError, OSError):
        async for chunk in response.content.iter_any():
            body, read = body or chunk, read + len(chunk)
            if read > LARGEST_ANSWER:
                break
    if not response.content.at_eof():
        response.close()
    return body


class DroppedError(TransientError):
    """The connection went away without an answer: perhaps it had been closed before the request was sent."""


class TooLargeError(TransientError):
    """The answer is larger than what is read of one; asked for again it will be no smaller."""


class _TooLarge(ValueError):
    """An answer beyond what is read. Its text is for people."""


def _broken(error: Exception, call: Call, config: SterlingConfig) -> StageError:
    """What went wrong below HTTP. Only the kind of the exception and the system's own words get into the text."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return ConfigError(
            "The server's certificate is not trusted",
            where=call.where,
            why=_certificate_reason(error),
            mend="Put the certificate of Sterling's authority into tls.ca_file, and use the host name it was issued for.",
            code="MLC-STL-0105",
        )
    why = _reason(error)
    if _CERTIFICATE_ALERT.search(_tls_reason(error)):
        return _certificate_wanted(call, why, shown=bool(config.tls.client_certificate))
    if _in_handshake(error):
        return NotSentError(
            "The TLS handshake was broken off, so nothing was sent",
            where=call.where,
            why=f"{why} A server that demands a client certificate does so when it is shown none, or one it does not accept.",
            mend="Set tls.client_certificate if the server demands one; otherwise ask which TLS versions it takes.",
            code="MLC-STL-0702",
        )
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return NotSentError(
            "No connection could be made, so nothing was sent",
            where=call.where,
            why=why,
            mend="It is tried again later. Check that the server runs and that its address and port are right.",
            code="MLC-STL-0700",
        )
    kind: type[TransientError] = TooLargeError if isinstance(error, _TooLarge) else TransientError
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError):
        kind = DroppedError
    return kind(
        f"The connection failed when Sterling was asked to {call.doing}",
        where=call.where,
        why=why,
        mend=f"It is tried again later. If it repeats, look at the network and at timeouts in between{_or_certificate(kind, config)}.",
        code="MLC-STL-0701",
    )


_CERTIFICATE_ALERT = re.compile("ALERT_.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)")
"""OpenSSL's names of the alerts by which a server says what is wrong with the client's certificate (RFC 8446 6.2)."""


def _certificate_wanted(call: Call, why: str, *, shown: bool) -> ConfigError:
    """The server says so itself: in the handshake or, with TLS 1.3, in the place of the first answer. It has read no request."""
    return ConfigError(
        "The server does not accept the client certificate, so nothing was done"
        if shown
        else "The server demands a client certificate, so nothing was done",
        where=f"{call.where}, tls.client_certificate",
        why=why,
        mend="Show one that the server's authorities have issued and that is still valid."
        if shown
        else "Set tls.client_certificate and tls.client_key to the pair that was issued for this connector.",
        code="MLC-STL-0702",
    )


def _or_certificate(kind: type[TransientError], config: SterlingConfig) -> str:
    """Some servers that demand a client certificate close the connection without a word."""
    silent = kind is DroppedError and URL(config.url).scheme == "https" and not config.tls.client_certificate
    return ", and ask whether the server demands a client certificate (tls.client_certificate)" if silent else ""


def _in_handshake(error: Exception) -> bool:
    """Whether the other side ended the connection between reaching it and the first request.

    Nothing listening, no route and no name are other errors, with words of the system's own.
    """
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return True
    if not isinstance(error, aiohttp.ClientConnectorError) or isinstance(error, aiohttp.ClientConnectorDNSError):
        return False
    return isinstance(error.os_error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError)


def _reason(error: Exception) -> str:
    if isinstance(error, _TooLarge):
        return str(error)
    if isinstance(error, TimeoutError):
        return "No answer in time."
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "The host's name was not found."
    if reason := _tls_reason(error):
        return f"TLS: {reason}."
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError) and isinstance(cause.strerror, str):
        return f"{cause.strerror}."
    if isinstance(cause, ConnectionResetError):
        return "The other side closed the connection."
    return f"{type(error).__name__}."


def _tls_reason(error: Exception) -> str:
    """OpenSSL's name of what went wrong; empty when it was nothing of TLS."""
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    for each in (inner, inner.__cause__):
        if isinstance(each, ssl.SSLError):
            return str(each.reason or "")
    return ""


def _certificate_reason(error: aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.certificate_error
    return str(cause.verify_message) if isinstance(cause, ssl.SSLCertVerificationError) else type(cause).__name__


def tls_context(tls: Tls, folder: Path) -> ssl.SSLContext:
    """The client's TLS: 1.2 or newer, host names checked, the files of the settings. Raises `ConfigError` for unusable files."""
    try:
        context = ssl.create_default_context(cafile=str(folder / tls.ca_file) if tls.ca_file else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.client_certificate:
            key = str(folder / tls.client_key) if tls.client_key else None
            # Without a password callback OpenSSL would stop and ask on the terminal.
            context.load_cert_chain(str(folder / tls.client_certificate), key, password=lambda: "")
    except (OSError, ValueError) as error:
        reason = _reason(error)
    else:
        if not tls.verify:
            log.warning(
                "sterling: TLS VERIFICATION IS OFF (tls.verify: false): anyone in between can read and change everything"
            )
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
    raise ConfigError(
        "A TLS file cannot be used",
        where="tls.ca_file, tls.client_certificate, tls.client_key",
        why=reason,
        mend="Give existing PEM files; the key must not need a passphrase.",
        code="MLC-STL-0105",
    )


@asynccontextmanager
async def wire(config: SterlingConfig, context: Context) -> AsyncIterator[Wire]:
    """The wire for these settings, closed on leaving. Raises `ConfigError` for settings that are unsafe; sends nothing yet."""
    checked(config)
    connector = aiohttp.TCPConnector(
        limit=config.concurrency + 1,  # one for a token beside the calls
        keepalive_timeout=IDLE_SECONDS,
        ssl=tls_context(config.tls, context.folder),
    )
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=float(config.timeouts.connect), sock_read=float(config.timeouts.read)
    )
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    ) as session:
        # The library would repeat a PUT by itself; whether a write is repeated is for those to say who can look first.
        session._retry_connection = False
        yield Wire(config, context.clock, session)
