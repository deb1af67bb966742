"""The wire to the XML gateway: one POST in, one whole body out. The only file of this adapter that opens connections.

No exception of the HTTP library leaves this file, nor any text of it: its errors quote requests, which hold passwords.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import anyio
import msgspec
from yarl import URL

from pipeline import ConfigError, StageError, TransientError
from stages.intacct.config import IntacctConfig
from stages.intacct.protocol.faults import Place

_HEADERS = ("Retry-After", "Date")


class ReplyTooLarge(ConfigError):
    """A reply went past ``max_bytes``; a smaller page may fit."""


class NotReached(TransientError):
    """No connection could be made: nothing was sent."""


class Received(msgspec.Struct, frozen=True):
    """What came back: the status, those headers that are read (first of each name), and the whole body."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Wire:
    """The way to one gateway. Build it with `wire`, which closes it. Safe for concurrent tasks."""

    def __init__(self, config: IntacctConfig, http: aiohttp.ClientSession) -> None:
        self._config = config
        self._http = http

    async def post(self, url: URL, body: bytes, place: Place) -> Received:
        """Asks once, within the deadline and the size limit. Raises `NotReached`, `ReplyTooLarge`, `TransientError`, `ConfigError`."""
        failure: StageError
        try:
            with anyio.fail_after(self._config.total_timeout):
                async with self._http.post(url, data=body, allow_redirects=False) as response:
                    content = await self._receive(response, place)
                    headers = {name: response.headers[name] for name in _HEADERS if name in response.headers}
                    return Received(response.status, headers, content)
        except (aiohttp.ClientError, OSError) as error:
            failure = _connection_error(error, place)
        # Raised out here, so that nothing of the HTTP library hangs on it: its errors quote requests.
        raise failure

    async def _receive(self, response: aiohttp.ClientResponse, place: Place) -> bytes:
        content = bytearray()
        async for chunk in response.content.iter_chunked(64 * 1024):
            content += chunk
            if len(content) > self._config.max_bytes:
                response.close()
                raise ReplyTooLarge(
                    "a reply of Intacct is too large", where=f"{place.function} at {place.host}",
                    why=f"it is over {self._config.max_bytes} bytes",
                    mend="lower the connection's `page_size`, or raise its `max_bytes`", code="MLC-INTACCT-0207",
                )  # fmt: skip
        return bytes(content)


@asynccontextmanager
async def wire(config: IntacctConfig) -> AsyncIterator[Wire]:
    """A wire whose connections are closed on leaving; none is open before something is asked."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=config.connect_timeout, sock_read=config.read_timeout)
    headers = {"Content-Type": "application/xml", "Accept-Encoding": "gzip", "User-Agent": "ml-connector"}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=config.concurrency),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        timeout=timeout,
        trust_env=False,
    ) as http:
        yield Wire(config, http)


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
