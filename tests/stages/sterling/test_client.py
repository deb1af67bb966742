from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

import anyio
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pipeline import (
    ConfigError,
    PermissionDenied,
    RefusedError,
    Secret,
    SignInRefused,
    StageError,
    ThrottledError,
    TransientError,
)
from pipeline.flow.convert import convert
from stages.sterling import ADAPTER
from stages.sterling import client as client_module
from stages.sterling.apis import connect
from stages.sterling.config import Auth, Basic, Duration, Header, OAuth2, SterlingConfig, Timeouts
from stages.sterling.protocol.errors import ForeignError, NotSentError

SELF = "/useraccounts/connector"


async def test_every_call_carries_the_sign_in_and_asks_for_json(far, wire, connected, basic_header):
    far.on("GET", "/things/", wire.range([{"_id": "1"}]))
    async with connected() as client:
        await client.rows("things/", "list things")
    headers = far.seen[0]["headers"]
    assert headers["Authorization"] == basic_header
    assert headers["Accept"] == headers["Content-Type"] == "application/json"


async def test_gateway_key_goes_into_its_header(far, wire, connected):
    far.on("GET", "/things/", wire.range([]))
    async with connected(auth=Auth(header=Header(name="X-Gateway-Key", value=Secret("k-1")))) as client:
        await client.rows("things/", "list things")
    assert far.seen[0]["headers"]["X-Gateway-Key"] == "k-1"
    assert "Authorization" not in far.seen[0]["headers"]


async def test_url_with_another_prefix_and_a_trailing_slash_works(far, wire, connected, settings):
    config = msgspec.structs.replace(settings(), url=far.url.replace("/B2BAPIs/svc", "/sbi/rest/"))
    far.on("GET", "/sbi/rest/things/", wire.range([]))
    async with connected(config) as client:
        assert await client.rows("things/", "list things") == []


NOTHING = [
    lambda wire: wire.page(404),
    lambda wire: wire.page(404, ""),
    lambda wire: wire.error(400, "API000098: No records found"),
]
"""Ways to say that nothing is there."""


@pytest.mark.parametrize("answer", NOTHING)
async def test_object_is_absent_where_its_collection_answers(far, wire, connected, answer):
    far.on("GET", "/things/", wire.range([{"_id": "1"}]))
    far.on("GET", "/things/2", lambda _: answer(wire))
    async with connected() as client:
        assert await client.read("things/2", "read a thing") is None
        assert await client.read("things/2", "read a thing", proven=True) is None


@pytest.mark.parametrize("answer", NOTHING)
async def test_list_is_empty_while_other_calls_are_answered_by_sterling(far, wire, connected, answer):
    far.on("GET", "/things/", lambda _: answer(wire))
    far.on("GET", "/mailboxes/", wire.range([{"_id": "1", "path": "/"}]))
    async with connected() as client:
        assert await client.rows("things/", "list things") == []


@pytest.mark.parametrize("path", ["things/", "things/2", "mailboxes/"])
async def test_a_page_is_no_answer_where_nothing_answers_as_sterling(far, wire, connected, path):
    for each in ("things/", "things/2", "mailboxes/", "mailboxmessages/", "tradingpartners/", "useraccounts/connector"):
        far.on("GET", f"/{each}", lambda _: wire.page(404))
    async with connected() as client:
        with pytest.raises(ForeignError):
            await client.read(path, "read")


async def test_list_of_mailboxes_is_never_empty(far, wire, connected):
    far.on("GET", "/mailboxes/", lambda _: wire.page(404))
    far.on("GET", "/mailboxmessages/", wire.range([{"_id": "1"}]))
    async with connected() as client:
        with pytest.raises(ForeignError):
            await client.rows("mailboxes/", "list mailboxes")


def ends_with_204(wire, rows):
    """A list that says by 204 that a window of it is empty."""
    return lambda request: wire.range(rows)(request) or web.Response(status=204)


async def test_list_answered_by_204_is_empty_where_the_server_says_so_behind_the_end_of_another(far, wire, connected):
    far.on("GET", "/things/", lambda _: web.Response(status=204))
    far.on("GET", "/mailboxes/", ends_with_204(wire, [{"_id": "1", "path": "/"}]))
    async with connected() as client:
        assert await client.rows("things/", "list things") == []


async def test_list_with_rows_may_end_in_a_204(far, wire, connected):
    far.on("GET", "/things/", ends_with_204(wire, [{"_id": str(key)} for key in range(10)]))
    async with connected(window=10) as client:
        assert len(await client.rows("things/", "list things", proven=True)) == 10
        assert await client.read("things/", "list things", {"_range": "50-60"}, proven=True) is None


@pytest.mark.parametrize(
    "mailboxes", [[], [{"_id": "1", "path": "/"}]], ids=["nothing answers", "others answer otherwise"]
)
@pytest.mark.parametrize("proven", [False, True])
async def test_204_that_may_be_a_proxys_says_nothing(far, wire, connected, mailboxes, proven):
    far.on("GET", "/things/", lambda _: web.Response(status=204))
    far.on("GET", "/mailboxes/", wire.range(mailboxes) if mailboxes else lambda _: web.Response(status=204))
    async with connected() as client:
        with pytest.raises(TransientError, match="204"):
            await client.rows("things/", "list things", proven=proven)


async def test_204_proves_no_absence_even_of_what_was_listed_before(far, wire, connected):
    far.on("GET", "/things/", ends_with_204(wire, [{"_id": "1"}]))
    far.on("GET", "/mailboxes/", ends_with_204(wire, [{"_id": "1", "path": "/"}]))
    async with connected() as client:
        assert len(await client.rows("things/", "list things", proven=True)) == 1
        far.on("GET", "/things/", lambda _: web.Response(status=204))
        with pytest.raises(TransientError, match="204"):
            await client.rows("things/", "list things", proven=True)
        assert await client.rows("things/", "list things") == []


@pytest.mark.parametrize(("path", "status"), [("things/1", 204), ("things/", 200)])
async def test_nothing_in_place_of_an_object_or_of_json_is_no_answer(far, wire, connected, path, status):
    far.on("GET", f"/{path}", lambda _: web.Response(status=status))
    far.on("GET", "/mailboxes/", ends_with_204(wire, [{"_id": "1", "path": "/"}]))
    async with connected() as client:
        with pytest.raises(TransientError, match="empty"):
            await client.read(path, "read")


async def test_page_that_was_there_only_for_a_moment_says_nothing(far, wire, connected):
    far.on("GET", "/things/", wire.turns(lambda: wire.page(404), lambda: wire.page(404), lambda: [{"_id": "1"}]))
    far.on("GET", "/mailboxes/", wire.range([{"_id": "1", "path": "/"}]))
    async with connected() as client:
        assert await client.read("things/", "list things") == [{"_id": "1"}]


async def test_empty_list_is_proven_only_of_a_collection_that_has_answered(far, wire, connected):
    far.on("GET", "/things/", lambda _: wire.page(404))
    far.on("GET", "/mailboxes/", wire.range([{"_id": "1", "path": "/"}]))
    async with connected() as client:
        with pytest.raises(ForeignError):
            await client.rows("things/", "list things", proven=True)
        far.on("GET", "/things/", wire.range([{"_id": "1"}]))
        assert len(await client.rows("things/", "list things", proven=True)) == 1
        far.on("GET", "/things/", lambda _: wire.page(404))
        assert await client.rows("things/", "list things", proven=True) == []


async def test_what_is_deleted_already_may_be_told_by_a_page(far, wire, connected):
    far.on("GET", "/things/", wire.range([{"_id": "1"}]))
    for method in ("DELETE", "GET"):
        far.on(method, "/things/2", lambda _: wire.page(404))
    async with connected() as client:
        await client.remove("things/2", "delete a thing")
        far.on("GET", "/things/2", {"_id": "2"})
        with pytest.raises(ForeignError):
            await client.remove("things/2", "delete a thing")


async def test_connection_whose_list_is_refused_is_a_setting_to_mend(far, wire, connected):
    far.on("GET", "/mailboxmessages/", lambda _: wire.error(400, "API000777: Not today."))
    async with connected() as client:
        with pytest.raises(ConfigError, match="list mailboxmessages"):
            await client.check()


async def test_page_in_place_of_json_is_no_answer(far, wire, connected):
    far.on("GET", "/things/1", lambda _: wire.page(200))
    async with connected() as client:
        with pytest.raises(TransientError, match="page"):
            await client.read("things/1", "read a thing")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(far, wire, connected, status):
    far.on("GET", "/things/1", lambda _: wire.page(status, Location=f"{far.url}/elsewhere"))
    far.on("GET", "/elsewhere", {"fine": True})
    async with connected() as client:
        with pytest.raises(ConfigError, match="redirect"):
            await client.read("things/1", "read a thing")
    assert far.calls("GET", "/elsewhere") == []


async def test_cookies_are_not_kept(far, wire, connected):
    far.on("GET", "/things/1", lambda _: wire.page(200, "{}", **{"Set-Cookie": "a=b; Path=/"}))
    async with connected() as client:
        await client.read("things/1", "read")
        await client.read("things/1", "read")
    assert "Cookie" not in far.seen[1]["headers"]


async def test_answer_beyond_the_limit_is_given_up(far, wire, connected, monkeypatch):
    monkeypatch.setattr(client_module, "LARGEST_ANSWER", 1000)
    far.on("GET", "/things/1", {"text": "x" * 2000})
    async with connected() as client:
        with pytest.raises(TransientError, match="larger than 1000 bytes"):
            await client.read("things/1", "read a thing")


async def test_no_more_calls_run_at_once_than_allowed(far, connected):
    running, most, go = 0, 0, asyncio.Event()

    async def slow(_):
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 2:
            go.set()
        await go.wait()
        running -= 1
        return {}

    far.on("GET", "/things/1", slow)
    async with connected(concurrency=2) as client, anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(client.read, "things/1", "read a thing")
    assert most == 2


async def test_answer_that_does_not_come_in_time_is_transient(far, connected):
    async def never(_):
        await asyncio.sleep(30)

    far.on("POST", "/things/", never)
    quick = Timeouts(connect=Duration(1.0), read=Duration(5.0), total=Duration(0.05))
    async with connected(timeouts=quick) as client:
        with pytest.raises(TransientError, match="in time") as caught:
            await client.create("things/", b"{}", "make a thing")
    assert not isinstance(caught.value, ThrottledError)


async def test_name_that_does_not_resolve_sent_nothing(connected):
    auth = Auth(basic=Basic(user="connector", password=Secret("x")))
    async with connected(SterlingConfig(url="https://no-such-host.invalid/x", auth=auth)) as client:
        with pytest.raises(NotSentError):
            await client.create("things/", b"{}", "make a thing")


# The account.


@pytest.mark.parametrize(
    "rights",
    [
        {"groups": [{"name": "Sterling Integrator Admin"}]},
        {"groups": "fg_sysadmin,other"},
        {"permissions": [{"name": "UI Administrator"}]},
    ],
)
async def test_administrator_account_is_refused(far, connected, rights):
    far.on("GET", SELF, {"userId": "connector", **rights})
    async with connected() as client:
        with pytest.raises(ConfigError, match="administrator") as caught:
            await client.ready()
    assert "allow_administrator" in caught.value.mend


@pytest.mark.parametrize(
    "rights",
    [{}, {"groups": [{"name": "AP"}], "permissions": [{"name": "APIUser"}, {"name": "/BADMINTON/In Mailbox"}]}],
)
async def test_ordinary_account_is_let_through_and_checked_once(far, connected, rights):
    far.on("GET", SELF, {"userId": "connector", **rights})
    async with connected() as client:
        await client.ready()
        await client.ready()
    assert len(far.calls("GET", SELF)) == 1


async def test_administrator_is_accepted_when_allowed(far, connected):
    far.on("GET", SELF, {"groups": [{"name": "admin"}]})
    async with connected(allow_administrator=True) as client:
        await client.ready()


async def test_what_makes_an_administrator_is_a_setting(far, connected):
    far.on("GET", SELF, {"groups": [{"name": "Root"}]})
    async with connected(administrator_groups="^Root$") as client:
        with pytest.raises(ConfigError, match="Root"):
            await client.ready()


@pytest.mark.parametrize("answer", ["own 403", "own 404", "page 403", "page 404", "own 400"])
async def test_account_that_may_not_read_itself_is_least_privilege(far, wire, connected, answer):
    kind, status = answer.split()
    text = "API000464: User account does not exist."
    far.on("GET", SELF, lambda _: wire.error(int(status), text) if kind == "own" else wire.page(int(status)))
    async with connected() as client:
        await client.ready()


async def test_failed_look_at_the_account_is_repeated_next_time(far, wire, connected):
    far.on("GET", SELF, wire.turns(lambda: wire.page(503), lambda: {"groups": []}))
    async with connected() as client:
        with pytest.raises(TransientError):
            await client.ready()
        await client.ready()


async def test_wrong_password_stops_and_says_so(far, wire, connected):
    far.on("GET", SELF, lambda _: wire.page(401))
    async with connected() as client:
        with pytest.raises(ConfigError, match="sign-in"):
            await client.ready()


async def test_password_changed_in_the_middle_is_refused_once_for_each_call_under_way_and_once_more(
    far, wire, connected
):
    """Many refusals lock a user, for the new password too."""
    waiting, go = 0, asyncio.Event()

    async def refused(_):
        nonlocal waiting
        waiting += 1
        if waiting == 3:
            go.set()
        await go.wait()
        return wire.page(401)

    far.on("GET", "/things/1", {})
    async with connected(concurrency=3) as client:
        await client.read("things/1", "read a thing")
        far.on("GET", "/things/1", refused)
        far.on("GET", SELF, lambda _: wire.page(401))
        told = []
        async with anyio.create_task_group() as tasks:

            async def lane():
                with pytest.raises(SignInRefused) as caught:
                    await client.read("things/1", "read a thing")
                told.append(str(caught.value))

            for _ in range(20):
                tasks.start_soon(lane)
        with pytest.raises(SignInRefused):
            await client.create("things/", b"{}", "make a thing")
    assert (len(far.calls("GET", "/things/1")), len(far.calls("GET", SELF)), len(far.seen)) == (1 + 3, 1, 5)
    assert (len(told), len(set(told))) == (20, 1)


async def test_sign_in_that_was_never_accepted_is_refused_once(far, wire, connected):
    for path in (SELF, "/things/1"):
        far.on("GET", path, lambda _: wire.page(401))
    async with connected() as client:
        for _ in range(3):
            with pytest.raises(SignInRefused, match="sign-in"):
                await client.read("things/1", "read a thing")
    assert len(far.seen) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_refusal_of_one_call_while_the_sign_in_is_accepted_may_pass(far, wire, connected, method):
    far.on("GET", "/things/1", {})
    far.on("GET", "/things/2", lambda _: wire.page(401))
    far.on("POST", "/things/", lambda _: wire.page(401))
    async with connected() as client:
        await client.read("things/1", "read a thing")
        call = client.read("things/2", "read") if method == "GET" else client.create("things/", b"{}", "make a thing")
        with pytest.raises(TransientError, match="refused") as caught:
            await call
        assert await client.read("things/1", "read a thing") == {}
    assert ("may have been carried out" in caught.value.what) == (method == "POST")


async def test_write_that_is_refused_while_nobody_can_say_whether_the_sign_in_is_has_an_unknown_outcome(
    far, wire, connected
):
    far.on("POST", "/things/", lambda _: wire.page(401))
    far.on("GET", SELF, lambda _: wire.page(503))
    async with connected() as client:
        with pytest.raises(TransientError, match="may have been carried out"):
            await client.create("things/", b"{}", "make a thing")


async def test_write_that_is_refused_like_the_sign_in_did_nothing(far, wire, connected):
    far.on("POST", "/things/", lambda _: wire.page(401))
    far.on("GET", SELF, lambda _: wire.page(401))
    async with connected() as client:
        for _ in range(2):
            with pytest.raises(SignInRefused):
                await client.create("things/", b"{}", "make a thing")
    assert len(far.seen) == 2


async def test_check_signs_in_and_looks_at_the_messages(far, wire, connected):
    far.on("GET", "/mailboxmessages/", lambda _: wire.error(403, "API000009: Not allowed."))
    async with connected() as client:
        with pytest.raises(PermissionDenied):
            await ADAPTER.connections[0].check(client)


# OAuth2.


class TokenServer:
    def __init__(self):
        self.asked = []
        self.answer = lambda count: {
            "access_token": f"canary-token-{count}",
            "expires_in": 3600,
            "token_type": "Bearer",
        }

    async def handle(self, request):
        self.asked.append((dict(request.headers), dict(await request.post())))
        answer = self.answer(len(self.asked))
        return answer if isinstance(answer, web.StreamResponse) else web.json_response(answer)


@pytest.fixture
async def tokens():
    fake = TokenServer()
    application = web.Application()
    application.router.add_post("/token", fake.handle)
    async with TestServer(application, host="127.0.0.1") as server:
        fake.url = str(server.make_url("/token"))
        yield fake


@pytest.fixture
def oauth(tokens):
    def make(**members):
        plain = OAuth2(token_url=tokens.url, client_id="c id", client_secret=Secret("canary-s3cr3t"), scope="AP")
        return Auth(oauth2=msgspec.structs.replace(plain, **members))

    return make


async def test_token_is_fetched_once_and_used_by_all(far, connected, tokens, oauth):
    far.on("GET", "/things/1", {})
    async with connected(auth=oauth()) as client, anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(client.read, "things/1", "read a thing")
    assert len(tokens.asked) == 1
    assert {call["headers"]["Authorization"] for call in far.seen} == {"Bearer canary-token-1"}
    headers, form = tokens.asked[0]
    assert form == {"grant_type": "client_credentials", "scope": "AP"}
    assert headers["Authorization"].startswith("Basic ")


async def test_token_style_body_sends_id_and_secret_in_the_form(far, connected, tokens, oauth):
    far.on("GET", "/things/1", {})
    async with connected(auth=oauth(style="body", scope="")) as client:
        await client.read("things/1", "read a thing")
    headers, form = tokens.asked[0]
    assert form == {"grant_type": "client_credentials", "client_id": "c id", "client_secret": "canary-s3cr3t"}
    assert "Authorization" not in headers


async def test_refused_token_is_refreshed_once_and_a_read_repeated(far, wire, connected, tokens, oauth):
    far.on(
        "GET", "/things/1", lambda request: {} if request.headers["Authorization"].endswith("-2") else wire.page(401)
    )
    async with connected(auth=oauth()) as client:
        assert await client.read("things/1", "read a thing") == {}
    assert (len(tokens.asked), len(far.calls("GET", "/things/1"))) == (2, 2)


BEARER = ['Bearer realm="gw", error="invalid_token"', "bearer", 'Basic realm="x", Bearer realm="y"']


@pytest.mark.parametrize("challenge", BEARER)
async def test_write_is_repeated_with_a_new_token_when_a_bearer_challenge_proves_the_refusal(
    far, wire, connected, tokens, oauth, challenge
):
    def answer(request):
        fresh = request.headers["Authorization"].endswith("-2")
        return wire.created("things", "7") if fresh else wire.page(401, **{"WWW-Authenticate": challenge})

    far.on("POST", "/things/", answer)
    async with connected(auth=oauth()) as client:
        assert await client.create("things/", b"{}", "make a thing") == "7"
    assert (len(tokens.asked), len(far.calls("POST", "/things/"))) == (2, 2)


@pytest.mark.parametrize("challenge", ["", 'Basic realm="SIServer"', 'Basic realm="Bearer x"', "Bearerish"])
async def test_write_refused_without_a_bearer_challenge_is_not_repeated_and_its_outcome_unknown(
    far, wire, connected, tokens, oauth, challenge
):
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    far.on("POST", "/things/", lambda _: wire.page(401, **headers))
    far.on("GET", "/things/1", {})
    async with connected(auth=oauth()) as client:
        with pytest.raises(TransientError) as caught:
            await client.create("things/", b"{}", "make a thing")
        await client.read("things/1", "read a thing")
    assert not isinstance(caught.value, ThrottledError)
    assert len(far.calls("POST", "/things/")) == 1
    assert far.calls("GET", "/things/1")[0]["headers"]["Authorization"] == "Bearer canary-token-2"


@pytest.mark.parametrize(
    ("challenge", "told"),
    [('Bearer realm="x", error="insufficient_scope", scope="write"', "'write'"), ("Bearer error=insufficient_scope", "another scope"),
     ('Basic realm="y", bearer error="insufficient_scope"', "another scope")],
)  # fmt: skip
async def test_a_token_that_lacks_a_scope_is_a_missing_right_and_nothing_is_in_doubt(
    far, wire, connected, tokens, oauth, challenge, told
):
    far.on("POST", "/things/", lambda _: wire.page(403, **{"WWW-Authenticate": challenge}))
    async with connected(auth=oauth()) as client:
        with pytest.raises(PermissionDenied) as caught:
            await client.create("things/", b"{}", "make a thing")
    assert told in caught.value.why
    assert len(far.calls("POST", "/things/")) == 1


@pytest.mark.parametrize(
    "challenge", ['Bearer realm="insufficient_scope"', 'Basic realm="error=insufficient_scope"', ""]
)
async def test_any_other_403_page_to_a_write_leaves_its_outcome_unknown(far, wire, connected, tokens, oauth, challenge):
    far.on("POST", "/things/", lambda _: wire.page(403, **({"WWW-Authenticate": challenge} if challenge else {})))
    async with connected(auth=oauth()) as client:
        with pytest.raises(ForeignError):
            await client.create("things/", b"{}", "make a thing")


async def test_write_refused_by_challenge_with_a_fresh_token_too_stops_and_did_nothing(
    far, wire, connected, tokens, oauth
):
    far.on("POST", "/things/", lambda _: wire.page(401, **{"WWW-Authenticate": "Bearer"}))
    async with connected(auth=oauth()) as client:
        with pytest.raises(ConfigError, match="scope"):
            await client.create("things/", b"{}", "make a thing")
    assert len(far.calls("POST", "/things/")) == 2


async def test_repeated_write_refused_without_a_challenge_has_an_unknown_outcome(far, wire, connected, tokens, oauth):
    turns = wire.turns(lambda: wire.page(401, **{"WWW-Authenticate": "Bearer"}), lambda: wire.page(401))
    far.on("POST", "/things/", turns)
    async with connected(auth=oauth()) as client:
        with pytest.raises(TransientError, match="may have been carried out"):
            await client.create("things/", b"{}", "make a thing")


async def test_write_refused_by_challenge_while_no_new_token_is_to_be_had_sent_nothing(
    far, wire, connected, tokens, oauth
):
    good = tokens.answer
    tokens.answer = lambda count: good(count) if count == 1 else web.Response(status=503)
    far.on("POST", "/things/", lambda _: wire.page(401, **{"WWW-Authenticate": "Bearer"}))
    async with connected(auth=oauth()) as client:
        with pytest.raises(NotSentError):
            await client.create("things/", b"{}", "make a thing")


async def test_many_refused_at_once_cause_one_refresh(far, wire, connected, tokens, oauth):
    far.on(
        "GET", "/things/1", lambda request: {} if request.headers["Authorization"].endswith("-2") else wire.page(401)
    )
    async with connected(auth=oauth(), concurrency=8) as client:
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(client.read, "things/1", "read a thing")
    assert len(tokens.asked) == 2


async def test_fresh_token_refused_too_stops(far, wire, connected, tokens, oauth):
    far.on("GET", "/things/1", lambda _: wire.page(401))
    async with connected(auth=oauth()) as client:
        with pytest.raises(ConfigError, match="scope"):
            await client.read("things/1", "read a thing")
    assert len(far.calls("GET", "/things/1")) == 2


async def test_fresh_token_refused_everywhere_stops_all_calls(far, wire, connected, tokens, oauth):
    for path in ("/things/1", "/things/2", "/useraccounts/self"):
        far.on("GET", path, lambda _: wire.page(401))
    async with connected(auth=oauth()) as client:
        for path in ("things/1", "things/2"):
            with pytest.raises(SignInRefused, match="scope"):
                await client.read(path, "read a thing")
    assert (len(tokens.asked), len(far.calls("GET", "/things/2"))) == (2, 0)


async def test_client_that_the_token_server_refuses_is_refused_once(far, connected, tokens, oauth):
    tokens.answer = lambda _: web.json_response({"error": "invalid_client"}, status=401)
    async with connected(auth=oauth()) as client, anyio.create_task_group() as tasks:

        async def lane():
            with pytest.raises(SignInRefused):
                await client.read("things/1", "read a thing")

        for _ in range(8):
            tasks.start_soon(lane)
    assert (len(tokens.asked), far.seen) == (1, [])


async def test_token_is_renewed_before_it_ends(far, settings, context, tokens, oauth):
    class Clock:
        seconds = 0.0

        def now(self):
            return datetime(2024, 1, 1, tzinfo=UTC)

        def monotonic(self):
            return self.seconds

    clock = Clock()
    far.on("GET", "/things/1", {})
    async with connect(settings(auth=oauth()), msgspec.structs.replace(context, clock=clock)) as client:
        for clock.seconds in (0.0, 3500.0, 3571.0):
            await client.read("things/1", "read a thing")
    assert [call["headers"]["Authorization"][-1] for call in far.seen] == ["1", "1", "2"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda _: web.json_response({"error": "invalid_client"}, status=401), ConfigError),
        (lambda _: web.json_response({"error": "invalid_scope"}, status=400), ConfigError),
        (lambda _: web.Response(status=503), NotSentError),
        (lambda _: web.Response(text="<html>"), NotSentError),
        (lambda _: {"token": "x"}, NotSentError),
        (lambda _: {"access_token": "a\r\nX: y"}, NotSentError),
        (lambda _: web.Response(status=302, headers={"Location": "/token"}), NotSentError),
    ],
    ids=["401", "400", "503", "page", "no token", "bad token", "302"],
)
async def test_token_server_that_gives_no_token_means_nothing_was_sent(far, connected, tokens, oauth, answer, expected):
    tokens.answer = answer
    async with connected(auth=oauth()) as client:
        with pytest.raises(expected) as caught:
            await client.create("things/", b"{}", "make a thing")
    assert far.seen == []
    assert "canary" not in str(caught.value)


# Secrets.


@pytest.mark.parametrize("failure", ["echo", "drop", "page", "401", "302", "timeout"])
async def test_no_secret_is_in_any_error_or_its_history(far, wire, connected, oauth, caplog, failure):
    caplog.set_level(logging.DEBUG)

    async def answer(request):
        secret = request.headers["Authorization"]
        if failure == "timeout":
            await asyncio.sleep(30)
        return {
            "echo": lambda: wire.error(400, f"Header {secret} was not understood"),
            "drop": lambda: wire.drop(request),
            "page": lambda: wire.page(400, f"<html>{secret}"),
            "401": lambda: wire.page(401, secret),
            "302": lambda: wire.page(302, Location=f"/x?token={secret.split()[1]}"),
        }[failure]()

    far.on("POST", "/things/", answer)
    quick = Timeouts(connect=Duration(1.0), read=Duration(5.0), total=Duration(0.3))
    async with connected(auth=oauth(), timeouts=quick) as client:
        with pytest.raises(StageError) as caught:
            await client.create("things/", b"{}", "make a thing")
    error = caught.value
    assert (
        "canary"
        not in f"{error} {error!r} {vars(error)} {error.__cause__!r} {error.__context__!r} {client!r} {caplog.text}"
    )


async def test_basic_header_echoed_by_the_server_is_struck_out(far, wire, connected, basic_header):
    far.on("POST", "/things/", lambda request: wire.error(400, f"Bad header {request.headers['Authorization']}"))
    async with connected() as client:
        with pytest.raises(RefusedError) as caught:
            await client.create("things/", b"{}", "make a thing")
    assert basic_header.split()[1] not in str(caught.value)
    assert wire.password not in str(caught.value)


async def test_unsafe_settings_open_nothing(settings, context):
    with pytest.raises(ConfigError):
        async with connect(settings(url="http://b2b.example/B2BAPIs/svc"), context):
            pass


def test_adapter_offers_its_stages_over_its_connection():
    assert [(stage.name, stage.verb, stage.connection) for stage in ADAPTER.stages] == [
        ("sterling.partners", "sink", "sterling"),
        ("sterling.mailbox", "sink", "sterling"),
        ("sterling.mailbox", "source", "sterling"),
        ("sterling.resource", "source", "sterling"),
        ("sterling.route", "map", "sterling"),
    ]


def test_settings_of_a_flow_file_convert():
    text = {
        "url": "https://b2b.example:5075/B2BAPIs/svc",
        "auth": {"basic": {"user": "u", "password": "p"}, "oauth2": {"token_url": "", "style": "body"}},
        "settle": "2s",
        "timeouts": {"read": "5m"},
        "concurrency": 2,
        "documents": {"message": {"extractableCount": 1}},
    }
    config, problems = convert(text, SterlingConfig)
    assert problems == []
    assert (config.settle, config.timeouts.read, config.scheme, config.concurrency) == (2.0, 300.0, "basic", 2)


@pytest.mark.parametrize(
    "change", [{"concurrency": 0}, {"window": 1001}, {"upload": "ftp"}, {"message_prefix": "a b"}, {"setle": "1s"}]
)
def test_settings_out_of_bounds_are_problems(change):
    config, problems = convert({"url": "https://b2b.example/x", **change}, SterlingConfig)
    assert config is None
    assert len(problems) == 1


async def test_a_write_on_a_kept_connection_that_is_dropped_is_sent_once(far, wire, connected):
    far.on("GET", "/things/1", {"fine": True})
    far.on("PUT", "/things/1", wire.drop)
    async with connected() as client:
        await client.read("things/1", "read a thing")
        with pytest.raises(TransientError):
            await client.update("things/1", {}, "change a thing")
    assert len(far.calls("PUT", "/things/1")) == 1


async def test_a_read_that_is_dropped_is_sent_once_more_and_no_more(far, wire, connected):
    turns = wire.turns(lambda: {"fine": True}, lambda: None, lambda: {"fine": True}, lambda: None)

    def answer(request):
        said = turns.next()
        return said if said else wire.drop(request)

    far.on("GET", "/things/1", answer)
    async with connected() as client:
        assert await client.read("things/1", "read a thing")
        assert await client.read("things/1", "read a thing")
        with pytest.raises(TransientError):
            await client.read("things/1", "read a thing")
    assert len(far.calls("GET", "/things/1")) == 5
