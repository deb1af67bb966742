"""What people's own scripts do, with tools that are not ours: curl, Python's standard library, and a Java uploader's bytes.

The habits are those of public scripts: doubled slashes, percent signs around a search, an empty search, no Accept header, a chunked
upload whose parts carry headers of their own, a 201 compared by its exact media type.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

BOX = "/RIVERBEND/Inbound"
X12 = b"ISA*00*          *00*\x1c\x85 \xff~"

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
Curl = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def curl(tmp_path: Path) -> Curl:
    """``await curl(call, *arguments)``: status, media type and body."""

    async def run(call: Any, path: str, *arguments: str, user: str = "") -> tuple[int, str, str]:
        name = user or call.simulator.environment["STERLING_USER"]
        login = f"{name}:{call.simulator.hub.accounts[name].password}"
        tail = ["-w", "\n%{http_code} %{content_type}", call.simulator.url + path]
        process = await asyncio.create_subprocess_exec(
            "curl", "-q", "-sS", "--noproxy", "*", "-u", login, *arguments, *tail,
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        body, _, told = out.decode().rpartition("\n")
        status, _, kind = told.partition(" ")
        return int(status), kind, body

    return run


@needs_curl
async def test_a_shell_script_uploads_reads_fetches_extracts_and_deletes(
    serve: Any, curl: Curl, tmp_path: Path
) -> None:
    (tmp_path / "local.tmp").write_bytes(X12)
    async with serve() as call:
        status, kind, body = await curl(
            call, "/messagebatches/", "-F", "upstream=@local.tmp;filename=810_0001.edi;type=application/edi-x12",
            "-F", f"mailboxName={BOX}",
        )  # fmt: skip
        assert (status, kind) == (201, "application/json;charset=utf-8")
        id_ = json.loads(body)["Location"].rpartition("/")[2]
        status, kind, body = await curl(call, f"//mailboxmessages//{id_}")
        row = json.loads(body)
        assert (status, kind, row["name"], row["mailboxPath"]) == (
            200,
            "application/json; charset=UTF-8",
            "810_0001.edi",
            BOX,
        )
        document = row["documentId"]
        for post in (("-X", "POST"), ("-d", "")):
            _, _, body = await curl(call, f"/documents/{document}/actions/getpayload", *post)
            assert base64.b64decode(json.loads(body)["response"]) == X12
        status, _, body = await curl(call, f"/mailboxmessages/{id_}/actions/extract", "-X", "POST")
        assert (status, base64.b64decode(json.loads(body)["response"])) == (200, X12)
        status, _, body = await curl(call, f"/mailboxmessages/{id_}", "-X", "DELETE")
        assert (status, json.loads(body)) == (200, {"rowsAffected": 1})
        assert (await curl(call, f"/mailboxmessages/{id_}"))[0] == 404


@needs_curl
async def test_a_large_upload_asks_first_and_comes_in_chunks(serve: Any, curl: Curl, tmp_path: Path) -> None:
    """curl sends ``Expect: 100-continue`` before a large body, and chunks when it reads from a pipe."""
    payload = bytes(range(256)) * 12_000
    (tmp_path / "large.bin").write_bytes(payload)
    async with serve() as call:
        for more in ((), ("-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue")):
            form = ("-F", "upstream=@large.bin;filename=large.bin", "-F", f"mailboxName={BOX}")
            status, _, body = await curl(call, "/messagebatches/", *form, *more)
            assert status == 201, body
        assert [message.document.payload for message in call.simulator.messages(BOX)] == [payload, payload]


@needs_curl
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?_range=0-999", {"810_1.edi", "997_1.edi"}),
        (
            "?_range=0-100&searchFor=%25810%25&_include=name",
            {"810_1.edi"},
        ),  # a library that quotes its own percent signs
        ("?_range=0-100&searchFor=", {"810_1.edi", "997_1.edi"}),
        ("//?_range=0-999&searchFor=997", {"997_1.edi"}),
        ("?_range=0-999&_accept=application/json&locale=en_US", {"810_1.edi", "997_1.edi"}),
    ],
)
async def test_lists_are_asked_for_in_many_ways(serve: Any, curl: Curl, query: str, found: set[str]) -> None:
    async with serve() as call:
        for name in ("810_1.edi", "997_1.edi"):
            call.simulator.deposit(BOX, name, b"x")
        status, _, body = await curl(call, f"/mailboxmessages/{query}")
        assert (status, {row["name"] for row in json.loads(body)}) == (200, found)


@needs_curl
@pytest.mark.parametrize(("strict", "status"), [(False, 200), (True, 404)])
async def test_the_spelling_that_products_print_works_only_where_case_does_not_count(
    serve: Any, curl: Curl, strict: bool, status: int
) -> None:
    async with serve(lower_case_only=strict) as call:
        assert (await curl(call, "/mailboxMessages/?_range=0-9"))[0] == status
        assert (await curl(call, "/mailboxmessages/?_range=0-9"))[0] == 200


@needs_curl
async def test_a_mailbox_without_permission_is_a_page_of_the_container_whoever_asks(serve: Any, curl: Curl) -> None:
    async with serve() as call:
        call.simulator.hub.groups["AP_CONNECTOR"].discard(f"{BOX} Mailbox")
        form = ("-F", "upstream=x;filename=a.edi", "-F", f"mailboxName={BOX}")
        status, kind, body = await curl(call, "/messagebatches/", *form)
        assert (status, kind.partition(";")[0], body.startswith("<html>")) == (403, "text/html", True)
        assert (await curl(call, "/messagebatches/", *form, user="admin"))[0] == 201, "an administrator sees no wall"


async def test_the_java_uploader_streams_parts_with_headers_of_their_own(serve: Any, raw_request: Any) -> None:
    """Apache HttpClient: charset before boundary, transfer encodings on the parts, chunks of its buffer's size, no Accept."""
    async with serve() as call:
        body = (
            b'--Zx9\r\nContent-Disposition: form-data; name="upstream"; filename="image001.PNG"\r\nContent-Type: application/zip\r\n'
            b"Content-Transfer-Encoding: binary\r\n\r\n" + X12 + b"\r\n--Zx9\r\n"
            b'Content-Disposition: form-data; name="mailboxName"\r\nContent-Type: multipart/form-data; charset=ISO-8859-1\r\n'
            b"Content-Transfer-Encoding: 8bit\r\n\r\n/RIVERBEND/Inbound\r\n--Zx9--\r\n"
        )
        pieces = [body[start : start + 64] for start in range(0, len(body), 64)]
        chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        lines = [
            f"Authorization: {call.basic()}", "Transfer-Encoding: chunked",
            "Content-Type: multipart/form-data; charset=ISO-8859-1; boundary=Zx9", "User-Agent: Apache-HttpClient/5.0 (Java/11)",
        ]  # fmt: skip
        head, told = await raw_request(call.simulator, "POST", "/messagebatches/", lines, chunked)
        assert head.startswith(b"HTTP/1.1 201")
        (message,) = call.simulator.messages(BOX)
        assert json.loads(told)["Location"].endswith(f"/messagebatches/{message.id}")
        assert (message.name, message.document.payload) == ("image001.PNG", X12)


async def test_a_python_script_uploads_in_two_steps_and_moves_what_it_has_read(serve: Any) -> None:
    """Blocking calls of the standard library, in a thread as a script is a process of its own."""
    async with serve() as call:
        target = {"path": "/OCEANIC/Inbound"}

        def script() -> list[Any]:
            def ask(method: str, path: str, body: Any = None) -> Any:
                data = None if body is None else json.dumps(body).encode()
                headers = {"Authorization": call.basic(), "Content-Type": "application/json"}
                with urlopen(Request(call.simulator.url + path, data, headers, method=method)) as answer:
                    return json.load(answer)

            upload = {"documentName": "a.edi", "payload": base64.b64encode(X12).decode()}
            document = ask("POST", "/documents/", upload)["Location"].rpartition("/")[2]
            message = {"mailboxPath": BOX, "name": "a.edi", "documentId": document, "extractableCount": 1}
            id_ = ask("POST", "/mailboxmessages/", message)["Location"].rpartition("/")[2]
            mailbox = ask("GET", f"/mailboxes/?path={BOX}&_range=0-999")[0]["_id"]
            there = ask("GET", f"/mailboxcontents/?parentMailboxId={mailbox}&detail=true&_range=0-999")
            plain = ask("POST", f"/documents/{document}/actions/getpayload?isPlainText=true", {})
            ask("POST", f"/mailboxmessages/{id_}/actions/extract", {})
            ask("POST", f"/mailboxmessages/{id_}/actions/move", {"mailboxPath": target["path"]})
            return [
                [row["extractableCount"] for row in there],
                plain["response"][:3],
                ask("GET", f"/mailboxmessages/{id_}"),
            ]

        counts, text, row = await asyncio.to_thread(script)
        assert (counts, text) == ([1], "ISA")
        assert (row["mailboxPath"], row["extractableCount"]) == (target["path"], 0)
