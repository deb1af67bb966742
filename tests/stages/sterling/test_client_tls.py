from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pipeline import ConfigError, TransientError
from stages.sterling.apis import connect
from stages.sterling.config import Tls
from stages.sterling.doctor import _connection, diagnose_connection
from stages.sterling.protocol.errors import NotSentError

# TLS, against a real server with a private authority.


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A private authority with a server and a client certificate, made by the openssl command."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is missing, so no private authority can be made")
    folder = tmp_path_factory.mktemp("authority")

    def run(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    def issue(name, extensions):
        (folder / f"{name}.ext").write_text(extensions)
        run(
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            f"/CN={name}",
        )
        run(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "2", "-out", f"{name}.pem", "-extfile", f"{name}.ext"),
        )

    run(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2"),
        *("-subj", "/CN=Private Authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    issue("server", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    issue("client", "extendedKeyUsage=clientAuth\n")
    run(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "stranger.key", "-out", "stranger.pem"),
        *("-days", "2", "-subj", "/CN=stranger"),
    )
    return folder


@pytest.fixture
def over_tls(far, authority, context, settings):
    """``async with over_tls(server_options, **tls settings) as client``; files are named as in the authority's folder."""

    @asynccontextmanager
    async def make(*, ask_client=False, newest=ssl.TLSVersion.TLSv1_3, **tls):
        server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server_context.load_cert_chain(authority / "server.pem", authority / "server.key")
        server_context.maximum_version = newest
        if ask_client:
            server_context.load_verify_locations(authority / "ca.pem")
            server_context.verify_mode = ssl.CERT_REQUIRED
        server = TestServer(application_of(far), host="127.0.0.1")
        await server.start_server(ssl=server_context)
        try:
            config = settings(url=f"https://127.0.0.1:{server.port}/B2BAPIs/svc", tls=Tls(**tls))
            async with connect(config, msgspec.structs.replace(context, folder=authority)) as client:
                yield client
        finally:
            await server.close()

    return make


def application_of(far):
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", far.handle)
    return application


async def test_private_authority_is_trusted_when_named(far, over_tls):
    far.on("GET", "/things/1", {"fine": True})
    async with over_tls(ca_file="ca.pem") as client:
        assert await client.read("things/1", "read a thing") == {"fine": True}


async def test_unknown_authority_is_refused_with_a_mend(far, over_tls):
    async with over_tls() as client:
        with pytest.raises(ConfigError, match="ca_file"):
            await client.read("things/1", "read a thing")
    assert far.seen == []


async def test_client_certificate_is_shown_when_asked_for(far, over_tls):
    far.on("GET", "/things/1", {"fine": True})
    pair = {"client_certificate": "client.pem", "client_key": "client.key"}
    async with over_tls(ask_client=True, ca_file="ca.pem", **pair) as client:
        assert await client.read("things/1", "read a thing") == {"fine": True}


async def test_a_server_that_closes_without_a_word_may_want_a_client_certificate(over_tls):
    async with over_tls(ask_client=True, ca_file="ca.pem") as client:
        with pytest.raises(TransientError, match=r"tls\.client_certificate"):
            await client.read("things/1", "read a thing")


@asynccontextmanager
async def strict_server(authority, version):
    """OpenSSL's own server, which says by an alert what it lacks; Python's closes without one."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    arguments = [
        "s_server",
        "-accept",
        f"127.0.0.1:{port}",
        "-cert",
        "server.pem",
        "-key",
        "server.key",
        "-CAfile",
        "ca.pem",
    ]
    arguments += ["-Verify", "1", "-verify_return_error", "-www", f"-{version}"]
    process = await asyncio.create_subprocess_exec(
        "openssl", *arguments, cwd=authority, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        line = b""
        while b"ACCEPT" not in line:
            line = await process.stdout.readline()
        yield port
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
@pytest.mark.parametrize(
    ("pair", "what"),
    [
        ({}, "demands a client certificate"),
        (
            {"client_certificate": "stranger.pem", "client_key": "stranger.key"},
            "does not accept the client certificate",
        ),
    ],
)
async def test_a_server_that_says_what_is_wrong_with_the_client_certificate_is_taken_at_its_word(
    authority, context, settings, version, pair, what
):
    async with strict_server(authority, version) as port:
        config = settings(url=f"https://127.0.0.1:{port}/B2BAPIs/svc", tls=Tls(ca_file="ca.pem", **pair))
        told = []
        folder = msgspec.structs.replace(context, folder=authority)
        assert not await diagnose_connection(config, folder, told.append)
        async with connect(config, folder) as client:
            if version == "tls1_2" and not pair:  # a general alert: the handshake failed
                with pytest.raises(NotSentError, match=r"tls\.client_certificate"):
                    await client.read("things/1", "read a thing")
            else:
                with pytest.raises(ConfigError, match=what):
                    await client.read("things/1", "read a thing")
    assert [(line.name, line.state) for line in told] == [("TLS", "failed")]


async def test_handshake_that_the_server_breaks_off_is_told_as_one(over_tls):
    async with over_tls(ask_client=True, newest=ssl.TLSVersion.TLSv1_2, ca_file="ca.pem") as client:
        with pytest.raises(NotSentError, match=r"handshake") as caught:
            await client.read("things/1", "read a thing")
        lines = []
        assert not await _connection(client, lines.append)
    assert (caught.value.code, "tls.client_certificate" in caught.value.mend) == ("MLC-STL-0702", True)
    assert [(line.name, line.state) for line in lines] == [("TLS", "failed")]


async def test_unverified_tls_is_logged_loudly(far, over_tls, caplog):
    far.on("GET", "/things/1", {})
    async with over_tls(verify=False) as client:
        await client.read("things/1", "read a thing")
    assert [record.levelname for record in caplog.records if "VERIFICATION IS OFF" in record.message] == ["WARNING"]


@pytest.mark.parametrize(
    "tls", [Tls(ca_file="missing.pem"), Tls(client_certificate="junk.pem"), Tls(ca_file="junk.pem")]
)
async def test_unusable_tls_file_is_a_setting_to_mend(settings, context, tls):
    (Path(context.folder) / "junk.pem").write_text("junk")
    with pytest.raises(ConfigError, match="TLS file"):
        async with connect(settings(tls=tls), context):
            pass


@pytest.mark.parametrize(
    ("tls", "state"),
    [({}, "failed"), ({"ca_file": "ca.pem"}, "ok"), ({"verify": False}, "warning"), ({"ca_file": "no.pem"}, "failed")],
)
async def test_doctor_tells_what_tls_rests_on(far, authority, context, settings, tls, state):
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_context.load_cert_chain(authority / "server.pem", authority / "server.key")
    server = TestServer(application_of(far), host="127.0.0.1")
    await server.start_server(ssl=server_context)
    told = []
    try:
        config = settings(url=f"https://127.0.0.1:{server.port}/B2BAPIs/svc", tls=Tls(**tls))
        await diagnose_connection(config, msgspec.structs.replace(context, folder=authority), told.append)
    finally:
        await server.close()
    assert {line.name: line.state for line in told}["TLS"] == state
