"""The client against a gateway on a real socket."""

from __future__ import annotations

import asyncio
import gzip
import socket
import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest
from aiohttp import web

from pipeline import (
    ConfigError,
    ConnectorError,
    PermissionDenied,
    RefusedError,
    SessionError,
    StageError,
    ThrottledError,
    TransientError,
)
from pipeline.testing.clock import ManualClock
from stages.intacct.client import ReplyTooLarge
from stages.intacct.company import IntacctClient
from stages.intacct.protocol.faults import HttpRefused, UnknownField
from stages.intacct.protocol.query import Query

Open = Callable[..., AbstractAsyncContextManager[IntacctClient]]
VENDORS = Query(object="VENDOR", fields=("RECORDNO",))


@pytest.fixture
def gateway(gateway: Any) -> Any:
    gateway.tables["VENDOR"] = [{"RECORDNO": "1"}, {"RECORDNO": "2"}]
    return gateway


def html(title: str, status: int = 200) -> web.Response:
    text = f"<!DOCTYPE html><html><head><title>{title}</title></head><body/></html>"
    return web.Response(text=text, status=status, content_type="text/html")


async def test_a_query_signs_in_and_returns_rows(gateway: Any, open_client: Open) -> None:
    async with open_client() as client:
        data = await client.query(VENDORS)
    assert ([row["RECORDNO"] for row in data.rows], data.remaining, gateway.logins) == (["1", "2"], 0, 1)


async def test_every_request_has_a_fresh_control_id(gateway: Any, open_client: Open) -> None:
    async with open_client() as client:
        for _ in range(3):
            await client.query(VENDORS)
    ids = [body.findtext("control/controlid") for body in gateway.requests]
    assert len(set(ids)) == len(ids) == 4


async def test_a_reply_to_another_request_is_never_read_and_the_next_is(
    gateway: Any, answers: Any, open_client: Open
) -> None:
    other = "<data><VENDOR><RECORDNO>9</RECORDNO></VENDOR></data>"
    async with open_client() as client:
        gateway.script = [answers.reply(other).replace("<controlid>c<", "<controlid>another<")]
        with pytest.raises(TransientError) as caught:
            await client.query(VENDORS)
        rows = (await client.query(VENDORS)).rows
    assert caught.value.code == "MLC-INTACCT-0209"
    assert [row["RECORDNO"] for row in rows] == ["1", "2"]


async def test_a_gateway_that_takes_no_notice_of_the_entity_is_refused(
    gateway: Any, answers: Any, open_client: Open
) -> None:
    told = (
        f"<data><api><sessionid>any</sessionid><endpoint>{gateway.url}</endpoint><locationid></locationid></api></data>"
    )
    gateway.login_script = [answers.reply(told, "getAPISession")]
    async with open_client(location_id="WEST") as client:
        with pytest.raises(ConfigError) as caught:
            await client.query(VENDORS)
    assert (caught.value.code, caught.value.owner) == ("MLC-INTACCT-0118", "IT")
    assert gateway.functions("query") == []


@pytest.mark.parametrize(
    "data",
    ["", '<data count="2">{row}</data>', '<data totalcount="9" numremaining="0" count="1">{row}</data>'],
    ids=["no data", "fewer than counted", "none remain of more"],
)
async def test_a_page_that_contradicts_itself_is_asked_for_again(
    gateway: Any, answers: Any, open_client: Open, data: str
) -> None:
    async with open_client() as client:
        gateway.script = [answers.reply(data.format(row="<VENDOR><RECORDNO>1</RECORDNO></VENDOR>"))]
        with pytest.raises(TransientError) as caught:
            await client.query(VENDORS)
        rows = (await client.query(VENDORS)).rows
    assert (caught.value.code, len(rows)) == ("MLC-INTACCT-0205", 2)
    assert "query of VENDOR" in caught.value.where


async def test_twenty_calls_at_once_sign_in_once(gateway: Any, open_client: Open) -> None:
    async with open_client() as client, anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(client.query, VENDORS)
    assert gateway.logins == 1


async def test_an_expired_session_is_refreshed_once(gateway: Any, open_client: Open) -> None:
    async with open_client() as client:
        await client.sign_in()
        gateway.live.clear()
        data = await client.query(VENDORS)
    assert (len(data.rows), gateway.logins) == (2, 2)


async def test_twenty_calls_under_an_expired_session_sign_in_once_more(gateway: Any, open_client: Open) -> None:
    async with open_client(concurrency=20) as client:
        await client.sign_in()
        gateway.live.clear()
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(client.query, VENDORS)
    assert gateway.logins == 2


async def test_a_session_refused_twice_in_a_row_is_passing(gateway: Any, answers: Any, open_client: Open) -> None:
    gateway.script += [answers.refused_session(), answers.refused_session()]
    async with open_client() as client:
        with pytest.raises(TransientError, match="just granted"):
            await client.query(VENDORS)
    assert gateway.logins == 2


async def test_sessions_refused_again_and_again_end_the_asking_after_three_sign_ins(
    gateway: Any, answers: Any, open_client: Open
) -> None:
    gateway.script += [answers.refused_session()] * 20
    async with open_client() as client:
        with pytest.raises(TransientError):
            await client.query(VENDORS)
        for _ in range(3):
            with pytest.raises(SessionError) as caught:
                await client.query(VENDORS)
    assert (caught.value.code, gateway.logins) == ("MLC-INTACCT-0206", 3)
    assert "good for nothing" in caught.value.why


async def test_a_wrong_password_ends_in_exit_4_without_a_second_sign_in(
    gateway: Any, answers: Any, open_client: Open
) -> None:
    gateway.login_script.append(answers.refused_session("Sign-in information is incorrect"))
    async with open_client() as client:
        for _ in range(3):
            with pytest.raises(ConfigError, match="refuses the sign-in") as caught:
                await client.query(VENDORS)
            assert caught.value.exit_code == 4
    assert gateway.logins == 1


async def test_the_returned_endpoint_is_followed(gateway: Any, open_client: Open) -> None:
    paths: list[str] = []
    gateway.endpoint = gateway.url.replace("/ia/xml/", "/second/")
    handle = gateway._function

    def remember(function: Any) -> Any:
        paths.append(function.tag)
        return handle(function)

    gateway._function = remember
    async with open_client() as client:
        await client.query(VENDORS)
        session = await client._sessions.current(client._key, client._grant)
    assert (paths, session.endpoint) == (["query"], gateway.endpoint)


@pytest.mark.parametrize(
    "endpoint", ["https://api.intacct.com.evil.com/x", "http://169.254.169.254/x", "not an address"]
)
async def test_an_endpoint_elsewhere_ends_the_sign_in(gateway: Any, open_client: Open, endpoint: str) -> None:
    gateway.endpoint = endpoint
    async with open_client() as client:
        with pytest.raises(ConfigError, match="do not trust") as caught:
            await client.query(VENDORS)
    assert "allowed_hosts" in caught.value.mend


@pytest.mark.parametrize(
    ("status", "headers", "expected", "wait"),
    [
        (429, {"Retry-After": "7"}, ThrottledError, 7.0),
        (429, {"Retry-After": "Mon, 05 Jan 2026 06:00:09 GMT"}, ThrottledError, 9.0),
        (429, {"Retry-After": "Mon, 05 Jan 2026 05:00:00 GMT"}, ThrottledError, 0.0),
        (429, {"Retry-After": "soon"}, ThrottledError, None),
        (429, {"Retry-After": "-5"}, ThrottledError, None),
        (429, {}, ThrottledError, None),
        (503, {"Retry-After": "3"}, TransientError, 3.0),
        (500, {}, TransientError, None),
        (524, {}, TransientError, None),
        (302, {"Location": "https://evil.com/"}, HttpRefused, None),
        (401, {}, HttpRefused, None),
        (403, {}, HttpRefused, None),
        (404, {}, HttpRefused, None),
    ],
)
async def test_a_status_is_an_error_of_ours(
    gateway: Any,
    open_client: Open,
    status: int,
    headers: dict[str, str],
    expected: type[StageError],
    wait: float | None,
) -> None:
    gateway.script.append(web.Response(status=status, headers=headers, text="no"))
    async with open_client() as client:
        with pytest.raises(expected) as caught:
            await client.query(VENDORS)
    assert type(caught.value) is expected
    assert getattr(caught.value, "retry_after", None) == wait


CONTROL = "<response><control><status>failure</status></control><errormessage><error><errorno>{}</errorno><description>{}</description></error></errormessage></response>"


@pytest.mark.parametrize(
    ("status", "number", "text", "expected"),
    [
        (400, "GW-0011", "Invalid Request [Request ID: 0A1B]", ConfigError),
        (400, "XMLGW_JPP0002", "Sign-in information is incorrect", ConfigError),
        (429, "GW-0010", "API rate limit exceeded", ThrottledError),
        (200, "GW-0010", "API rate limit exceeded", ThrottledError),
        (500, "GW-0001", "x", TransientError),
        (500, "NEW", "x", TransientError),
        (400, "NEW", "x", ConfigError),
        (200, "XL03000006", "Incorrect sender", ConfigError),
    ],
)
async def test_a_control_failure_is_read_whatever_the_status(
    gateway: Any, open_client: Open, status: int, number: str, text: str, expected: type[StageError]
) -> None:
    gateway.script.append(web.Response(status=status, text=CONTROL.format(number, text), content_type="text/xml"))
    async with open_client() as client:
        with pytest.raises(StageError) as caught:
            await client.query(VENDORS)
    assert type(caught.value) is expected
    assert number in caught.value.why or status == 429


@pytest.mark.parametrize(
    ("number", "text", "status", "expected"),
    [
        ("XL03000006", "The following fields cannot be queried: X", "failure", UnknownField),
        ("X", "You do not have permission for API operation", "failure", PermissionDenied),
        ("X", "The Service is Temporarily Off-line", "failure", TransientError),
        ("X", "API rate limit exceeded", "failure", ThrottledError),
        ("XL03000009", "", "aborted", RefusedError),
    ],
)
async def test_a_function_failure_inside_http_200_is_an_error(
    gateway: Any, answers: Any, open_client: Open, number: str, text: str, status: str, expected: type[StageError]
) -> None:
    gateway.script.append(answers.failure(number, text, status))
    async with open_client() as client:
        with pytest.raises(StageError) as caught:
            await client.query(VENDORS)
    assert type(caught.value) is expected


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><response>&b;</response>'
)
EXTERNAL = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><response><control><status>&x;</status></control></response>'


@pytest.mark.parametrize("text", [BOMB, EXTERNAL])
async def test_a_reply_with_a_doctype_is_refused(gateway: Any, open_client: Open, text: str) -> None:
    gateway.script.append(text)
    async with open_client() as client:
        with pytest.raises(ConfigError, match="DOCTYPE"):
            await client.query(VENDORS)


@pytest.mark.parametrize("text", ["", "<response><control><status>succ", "<response/><response/>"])
async def test_a_broken_reply_is_passing(gateway: Any, open_client: Open, text: str) -> None:
    gateway.script.append(web.Response(text=text, content_type="text/xml"))
    async with open_client() as client:
        with pytest.raises(TransientError):
            await client.query(VENDORS)


async def test_a_web_page_at_sign_in_is_a_wrong_address(gateway: Any, open_client: Open) -> None:
    gateway.login_script.append(html("Welcome"))
    async with open_client() as client:
        with pytest.raises(ConfigError, match="this is not the Intacct gateway: got an HTML page"):
            await client.sign_in()


async def test_a_web_page_behind_a_session_is_passing(gateway: Any, open_client: Open) -> None:
    gateway.script.append(html("Just a moment..."))
    async with open_client() as client:
        with pytest.raises(TransientError, match="HTML page"):
            await client.query(VENDORS)


async def test_a_connection_that_breaks_off_is_passing(gateway: Any, open_client: Open) -> None:
    async def cut() -> web.Response:
        response = web.Response(text="x")
        response.headers["Content-Length"] = "9999"
        return response

    gateway.script.append(cut)
    async with open_client(read_timeout=0.2) as client:
        with pytest.raises(TransientError):
            await client.query(VENDORS)


async def test_a_gateway_that_does_not_answer_is_passing(gateway: Any, open_client: Open) -> None:
    async def never() -> None:
        await asyncio.sleep(5)

    gateway.script.append(never)
    async with open_client(total_timeout=0.05) as client:
        await client.sign_in()
        with pytest.raises(TransientError, match="in time"):
            await client.query(VENDORS)


async def test_a_refused_connection_is_passing_and_says_what_to_check(open_client: Open) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    async with open_client(url=f"http://127.0.0.1:{port}/x") as client:
        with pytest.raises(TransientError, match="cannot be reached") as caught:
            await client.sign_in()
    assert "INTACCT_URL" in caught.value.mend


async def test_a_reply_past_the_limit_is_not_read(gateway: Any, open_client: Open) -> None:
    gateway.script.append(web.Response(text="<response>" + " " * 5000, content_type="text/xml"))
    async with open_client(max_bytes=4096) as client:
        with pytest.raises(ReplyTooLarge, match="too large"):
            await client.query(VENDORS)


async def test_the_limit_counts_what_was_unpacked(gateway: Any, open_client: Open) -> None:
    packed = gzip.compress(b"<response>" + b" " * 5_000_000)
    gateway.script.append(web.Response(body=packed, content_type="text/xml", headers={"Content-Encoding": "gzip"}))
    async with open_client(max_bytes=100_000) as client:
        with pytest.raises(ReplyTooLarge):
            await client.query(VENDORS)


async def test_a_large_reply_is_parsed_off_the_event_loop(gateway: Any, context: Any, open_client: Open) -> None:
    gateway.tables["VENDOR"] = [{"RECORDNO": str(n), "NOTE": "x" * 400} for n in range(1, 1001)]
    calls: list[str] = []
    original = context.offload

    async def offload(function: Callable[..., Any], *arguments: Any) -> Any:
        calls.append(function.__name__)
        return await original(function, *arguments)

    context.offload = offload
    async with open_client() as client:
        data = await client.query(Query(object="VENDOR", fields=("RECORDNO", "NOTE"), page_size=1000))
    assert (len(data.rows), calls) == (1000, ["read_reply"])


async def test_no_more_requests_are_open_than_allowed(gateway: Any, answers: Any, open_client: Open) -> None:
    open_now = highest = 0

    async def slow() -> str:
        nonlocal open_now, highest
        open_now += 1
        highest = max(highest, open_now)
        await asyncio.sleep(0.01)
        open_now -= 1
        return str(answers.reply("<data/>"))

    gateway.script += [slow] * 8
    async with open_client(concurrency=3) as client, anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(client.query, VENDORS)
    assert highest == 3


async def test_the_sliding_deadline_of_the_server_is_kept(gateway: Any, clock: ManualClock, open_client: Open) -> None:
    gateway.timeout = "2026-01-05T06:10:00+00:00"
    async with open_client() as client:
        await client.query(VENDORS)
        await clock.advance(11 * 60)
        await client.query(VENDORS)
    assert gateway.logins == 2


async def test_a_later_reply_can_bring_the_deadline_forward(
    gateway: Any, clock: ManualClock, open_client: Open
) -> None:
    async with open_client() as client:
        await client.sign_in()
        gateway.timeout = "2026-01-05T06:10:00+00:00"
        await client.query(VENDORS)
        await clock.advance(9.5 * 60)
        await client.query(VENDORS)
    assert gateway.logins == 2


async def test_a_lookup_without_fields_is_an_error(gateway: Any, answers: Any, open_client: Open) -> None:
    gateway.script.append(answers.reply("<data/>", "lookup"))
    async with open_client() as client:
        with pytest.raises(ConfigError, match="no fields"):
            await client.lookup("VENDOR")


def everything(error: BaseException) -> str:
    """All that a log, a report or a debugger's first look could show of an error."""
    parts = [str(error), repr(error), repr(vars(error)), "".join(traceback.format_exception(error))]
    chained = [chained for chained in (error.__cause__, error.__context__) if chained is not None]
    return "\n".join(parts + [everything(item) for item in chained])


def quoting(*texts: str) -> str:
    return "Invalid session " + " and ".join(texts)


async def fail_everywhere(gateway: Any, answers: Any, open_client: Open) -> list[ConnectorError]:
    """One error of each kind, from a gateway that quotes every secret it was told."""
    quoted = quoting(*answers.canaries, f"{answers.canaries[2]}-1", f"{answers.canaries[2]}-2")
    echo = answers.failure("X", quoted)
    scripts: list[list[Any]] = [
        [echo],
        [answers.failure(quoted, "")],
        [answers.refused_session(quoted), answers.refused_session(quoted)],
        [CONTROL.format("NEW", quoted)],
        [web.Response(status=400, text=CONTROL.format("GW-0011", quoted), content_type="text/xml")],
        [web.Response(status=500, text=CONTROL.format("NEW", quoted), content_type="text/xml")],
        [web.Response(status=401, text=quoted)],
        [web.Response(status=302, headers={"Location": f"/?{answers.canaries[1]}"})],
        *([html(" ".join(answers.canaries), status)] for status in (200, 403, 500)),
        *([html("x" * 110 + canary)] for canary in answers.canaries),
        *([f"<{canary}/>"] for canary in answers.canaries),
        *([f"<response><{canary}></other></response>"] for canary in answers.canaries),
    ]
    errors: list[ConnectorError] = []
    for script in scripts:
        gateway.script[:] = script
        async with open_client() as client:
            with pytest.raises(ConnectorError) as caught:
                await client.query(VENDORS)
            errors.append(caught.value)
    gateway.login_script.append(answers.refused_session(quoting(*answers.canaries[:2])))
    async with open_client() as client:
        for _ in range(2):
            with pytest.raises(ConnectorError) as caught:
                await client.query(VENDORS)
            errors.append(caught.value)
    gateway.endpoint = f"https://evil.example/{'/'.join(answers.canaries)}"
    async with open_client() as client:
        with pytest.raises(ConnectorError) as caught:
            await client.sign_in()
        errors.append(caught.value)
    return errors


async def test_no_secret_is_in_any_error(gateway: Any, answers: Any, open_client: Open) -> None:
    errors = await fail_everywhere(gateway, answers, open_client)
    shown = "\n".join(everything(error) for error in errors)
    assert len(errors) == 23
    assert [canary for canary in answers.canaries if canary[:11] in shown] == []


async def test_no_error_of_the_http_library_hangs_on_ours(open_client: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:  # a port that nobody listens on once it is closed
        port = taken.getsockname()[1]
    async with open_client(url=f"http://127.0.0.1:{port}/x") as client:
        with pytest.raises(TransientError) as caught:
            await client.sign_in()
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
