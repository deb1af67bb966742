"""Every kind of fault: what the caller sees, and whether the effect happened."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from stages.sterling.simulator import Fault

BATCH = {"Content-Type": "multipart/form-data; boundary=b"}
MINE = "POST messagebatches"


def _arrived(call):
    return [message.name for message in call.simulator.messages("/RIVERBEND/Inbound")]


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault(kind="unavailable"), 503),
        (Fault(kind="server_error"), 500),
        (Fault(kind="server_error", status=504), 504),
        (Fault(kind="null_pointer"), 400),
        (Fault(kind="refused"), 400),
        (Fault(kind="unauthorized"), 401),
        (Fault(kind="throttled", seconds=7), 429),
        (Fault(kind="html"), 200),
        (Fault(kind="html", status=404), 404),
        (Fault(kind="html", status=502), 502),
    ],
)
@pytest.mark.parametrize("after", [False, True])
async def test_a_refusal_comes_before_or_after_the_effect(serve, batch, fault, status, after):
    async with serve() as call:
        call.simulator.faults.add(
            Fault(kind=fault.kind, status=fault.status, seconds=fault.seconds, match=MINE, after=after)
        )
        got = await call("POST", "/messagebatches/", batch(), headers=BATCH)
        assert got.status == status
        assert _arrived(call) == (["810_0001.edi"] if after else [])


async def test_a_throttle_says_how_long(serve):
    async with serve() as call:
        call.simulator.faults.add(Fault(kind="throttled", seconds=7))
        assert (await call("GET", "/mailboxes/")).headers["Retry-After"] == "7"


async def test_a_null_pointer_is_a_400_with_an_error_object(serve):
    async with serve() as call:
        call.simulator.faults.add(Fault(kind="null_pointer"))
        assert (await call("GET", "/mailboxes/")).body == {
            "errorCode": 400,
            "errorDescription": "java.lang.NullPointerException",
        }


@pytest.mark.parametrize("kind", ["unavailable", "server_error", "html", "unauthorized"])
async def test_the_pages_of_the_container_are_html(serve, kind):
    async with serve() as call:
        call.simulator.faults.add(Fault(kind=kind))
        got = await call("GET", "/mailboxes/")
        assert (got.headers["Content-Type"][:9], got.raw[:6]) == ("text/html", b"<html>")


@pytest.mark.parametrize(("after", "arrived"), [(False, []), (True, ["810_0001.edi"])])
async def test_a_reset_tears_the_connection_before_or_after_the_effect(serve, batch, after, arrived):
    async with serve() as call:
        call.simulator.faults.add(Fault(kind="reset", match=MINE, after=after))
        with pytest.raises(aiohttp.ClientConnectionError):
            await call("POST", "/messagebatches/", batch(), headers=BATCH)
        assert _arrived(call) == arrived
        assert call.simulator.requests[-1] == (MINE, 0)


async def test_the_server_goes_on_after_a_reset(serve):
    async with serve() as call:
        call.simulator.faults.add(Fault(kind="reset"))
        with pytest.raises(aiohttp.ClientConnectionError):
            await call("POST", "/mailboxes/", {})  # a POST: the HTTP library repeats others by itself
        assert (await call("GET", "/mailboxes/")).status == 200


async def test_a_held_answer_waits_between_effect_and_answer(serve, batch):
    async with serve() as call:
        told = []
        fault = call.simulator.faults.add(Fault(kind="hold", match=MINE, on_effect=lambda: told.append(_arrived(call))))
        sending = asyncio.create_task(call("POST", "/messagebatches/", batch(), headers=BATCH))
        await fault.reached.wait()
        assert not sending.done()
        assert _arrived(call) == ["810_0001.edi"]
        fault.release.set()
        assert (await sending).status == 201
        assert told == [["810_0001.edi"]]


async def test_a_client_may_die_while_its_answer_is_held(serve, batch):
    async with serve() as call:
        fault = call.simulator.faults.add(Fault(kind="hold", match=MINE))
        sending = asyncio.create_task(call("POST", "/messagebatches/", batch(), headers=BATCH))
        await fault.reached.wait()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        fault.release.set()
        assert len((await call("GET", "/mailboxmessages/")).body) == 1


async def test_the_callback_may_be_awaited(serve, batch):
    async with serve() as call:
        told = asyncio.Event()

        async def tell() -> None:
            told.set()

        call.simulator.faults.add(Fault(kind="effect", match=MINE, on_effect=tell))
        assert (await call("POST", "/messagebatches/", batch(), headers=BATCH)).status == 201
        assert told.is_set()


async def test_a_server_that_closes_lets_held_answers_go(serve, batch):
    async with serve() as call:
        fault = call.simulator.faults.add(Fault(kind="hold", match=MINE))
        sending = asyncio.create_task(call("POST", "/messagebatches/", batch(), headers=BATCH))
        await fault.reached.wait()
        call.simulator.faults.clear()
        assert (await sending).status == 201


@pytest.mark.parametrize("after", [False, True])
async def test_latency_passes_on_the_clock(serve, clock, after):
    async with serve() as call:
        call.simulator.faults.add(Fault(kind="latency", seconds=30, after=after))
        asking = asyncio.create_task(call("GET", "/mailboxes/"))
        while not clock.sleepers:
            await asyncio.sleep(0)
        assert not asking.done()
        await clock.advance(30)
        assert (await asking).status == 200


async def test_a_truncated_list_is_no_json(serve):
    async with serve() as call:
        call.simulator.faults.add(Fault(kind="truncated"))
        got = await call("GET", "/mailboxes/")
        with pytest.raises(json.JSONDecodeError):
            got.body  # noqa: B018


async def test_a_cut_answer_ends_in_the_middle(serve):
    async with serve() as call:
        call.simulator.faults.add(Fault(kind="cut"))
        with pytest.raises(aiohttp.ClientError):
            await call("GET", "/mailboxes/")


@pytest.mark.parametrize("path", ["/mailboxmessages/", "/mailboxcontents/?mailboxPath=/RIVERBEND/Inbound"])
async def test_young_messages_are_hidden_from_lists_for_a_while(serve, clock, path):
    async with serve() as call:
        call.simulator.faults.add(Fault(kind="hidden", match="GET mailbox*", times=None, seconds=5))
        number = call.simulator.deposit("/RIVERBEND/Inbound", "a", b"1")
        assert (await call("GET", path)).body == []
        assert (await call("GET", f"/mailboxmessages/{number}")).status == 200
        await clock.advance(5)
        assert len((await call("GET", path)).body) == 1


@pytest.mark.parametrize(("rows", "names"), [(1, ["b", "c"]), (-1, ["d"]), (5, ["a", "b"])])
async def test_a_shifted_page_repeats_or_misses_rows(serve, rows, names):
    async with serve() as call:
        for name in "abcd":
            call.simulator.deposit("/RIVERBEND/Inbound", name, b"1")
        call.simulator.faults.add(Fault(kind="shifted", match="GET mailboxmessages", rows=rows))
        assert [row["name"] for row in (await call("GET", "/mailboxmessages/?_range=2-3")).body] == names


async def test_a_repeated_row_appears_twice(serve):
    async with serve() as call:
        for name in "ab":
            call.simulator.deposit("/RIVERBEND/Inbound", name, b"1")
        call.simulator.faults.add(Fault(kind="repeated"))
        assert [row["name"] for row in (await call("GET", "/mailboxmessages/")).body] == ["a", "a", "b"]


async def test_a_fault_hits_as_often_as_planned_after_those_it_skips(serve):
    async with serve() as call:
        call.simulator.faults.add(Fault(kind="unauthorized", match="GET mailboxes*", skip=1, times=2))
        assert [(await call("GET", "/mailboxes/")).status for _ in range(5)] == [200, 401, 401, 200, 200]


@pytest.mark.parametrize(
    ("match", "status"),
    [
        ("GET mailboxes", 503),
        ("GET *", 503),
        ("POST *", 200),
        ("GET mailbox", 200),
        (lambda line: line.endswith("boxes"), 503),
    ],
)
async def test_a_fault_hits_what_it_matches(serve, match, status):
    async with serve() as call:
        call.simulator.faults.add(Fault(kind="unavailable", match=match))
        assert (await call("GET", "//MAILBOXES/?_range=0-9")).status == status


async def test_faults_act_together(serve, batch):
    async with serve() as call:
        held = call.simulator.faults.add(Fault(kind="hold", match=MINE))
        call.simulator.faults.add(Fault(kind="reset", match=MINE, after=True))
        sending = asyncio.create_task(call("POST", "/messagebatches/", batch(), headers=BATCH))
        await held.reached.wait()
        held.release.set()
        with pytest.raises(aiohttp.ClientConnectionError):
            await sending
        assert _arrived(call) == ["810_0001.edi"]


async def test_an_upload_that_breaks_off_has_no_effect(serve, batch):
    async with serve() as call:
        body = batch()
        _, writer = await asyncio.open_connection("127.0.0.1", int(call.simulator.origin.rsplit(":", 1)[1]))
        head = f"POST /B2BAPIs/svc/messagebatches/ HTTP/1.1\r\nHost: x\r\nAuthorization: {call.basic()}\r\n"
        head += f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body[:-10])
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await call("GET", "/mailboxmessages/")).body == []
        assert call.simulator.effects() == ()


async def test_the_log_of_requests_tells_each_line_and_status(serve):
    async with serve() as call:
        await call("GET", "/Mailboxes//101/?_include=path")
        await call("GET", "/nothing/")
        assert list(call.simulator.requests) == [("GET mailboxes/101", 200), ("GET nothing", 404)]


async def test_a_maintenance_refuses_everything_until_its_time_is_over(serve, clock):
    async with serve() as call:
        call.simulator.faults.add(Fault(kind="maintenance", seconds=600))
        for _ in range(2):
            got = await call("GET", "/mailboxes/")
            assert (got.status, got.headers["Content-Type"].startswith("text/html")) == (503, True)
        await clock.advance(599)
        assert (await call("GET", "/mailboxes/")).status == 503
        await clock.advance(1)
        assert (await call("GET", "/mailboxes/")).status == 200


async def test_a_late_call_is_carried_out_after_its_router_gave_up(serve, batch, clock):
    async with serve() as call:
        call.simulator.faults.add(Fault(kind="late", match="POST messagebatches", seconds=30))
        got = await call("POST", "/messagebatches/", batch(), headers=BATCH)
        assert (got.status, call.simulator.messages("/RIVERBEND/Inbound")) == (504, [])
        await clock.advance(30)
        assert [message.name for message in call.simulator.messages("/RIVERBEND/Inbound")] == ["810_0001.edi"]


async def test_what_is_late_when_the_server_ends_never_happens(serve, batch, clock):
    async with serve() as call:
        call.simulator.faults.add(Fault(kind="late", match="POST messagebatches", seconds=30))
        await call("POST", "/messagebatches/", batch(), headers=BATCH)
        simulator = call.simulator
    await clock.advance(60)
    assert simulator.messages("/RIVERBEND/Inbound") == []
