"""Getting in: paths, methods, media types, Basic, bearer tokens, permissions."""

from __future__ import annotations

import asyncio

import pytest

from pipeline import SimulatorOptions
from stages.sterling.simulator import PROFILES, Fault, OAuth, start_simulator

TOKENS = OAuth(client_id="cid", client_secret="s3cret", expires_in=300)
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "path",
    ["/mailboxes", "/mailboxes/", "//mailboxes//", "/MailBoxes/", "/mailboxes/?_range=0-9"],
)
async def test_a_collection_is_found_whatever_its_slashes_and_case(serve, path):
    async with serve() as call:
        assert (await call("GET", path)).status == 200


@pytest.mark.parametrize(
    "path", ["/MailBoxes/", "/mailboxMessages/", "/documents/x/ACTIONS/getpayload", "/documents/x/actions/getPayload"]
)
async def test_a_strict_server_knows_lower_case_only(serve, path):
    async with serve(lower_case_only=True) as call:
        assert (await call("GET", path)).status == 404


@pytest.mark.parametrize(
    "path", ["/envelopes/", "/contracts/", "/nothing/", "/", "/mailboxes/101/actions/burn", "/mailboxes/101/parts"]
)
async def test_what_is_not_there_gets_the_containers_404_page(serve, path):
    async with serve() as call:
        got = await call("GET", path)
        assert (got.status, got.headers["Content-Type"].startswith("text/html")) == (404, True)


async def test_the_prefix_is_matched_in_exactly_its_case(serve):
    async with serve() as call:
        assert (await call("GET", "/b2bapis/svc/mailboxes/", url=call.simulator.origin)).status == 404


async def test_a_gateway_may_rewrite_the_whole_prefix(serve):
    async with serve(prefix="/sbi/product/rest") as call:
        assert call.simulator.url.endswith("/sbi/product/rest")
        assert (await call("GET", "/mailboxes/")).status == 200


async def test_locations_name_an_internal_host_behind_a_gateway(serve, partner):
    async with serve(location_base="http://b2b-internal:5074") as call:
        got = await call("POST", "/tradingpartners/", partner())
        assert got.body == {"Location": "http://b2b-internal:5074/B2BAPIs/svc/tradingpartners/V00123"}


@pytest.mark.parametrize(("switch", "header"), [(True, True), (False, False)])
async def test_the_location_header_is_a_switch(serve, partner, switch, header):
    async with serve(location_header=switch) as call:
        assert ("Location" in (await call("POST", "/tradingpartners/", partner())).headers) is header


async def test_head_answers_without_a_body(serve):
    async with serve() as call:
        got = await call("HEAD", "/mailboxes/")
        assert (got.status, got.raw) == (200, b"")


async def test_the_query_may_override_the_method(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        assert (await call("GET", "/tradingpartners/?_method=HEAD")).raw == b""
        assert (await call("POST", "/tradingpartners/V00123?_method=DELETE")).body == {"rowsAffected": 1}


async def test_reads_and_writes_spell_their_media_type_differently(serve, partner):
    async with serve() as call:
        assert (await call("POST", "/tradingpartners/", partner())).headers[
            "Content-Type"
        ] == "application/json;charset=utf-8"
        assert (await call("GET", "/tradingpartners/V00123")).headers[
            "Content-Type"
        ] == "application/json; charset=UTF-8"


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        ("application/json", 200, "application/json"),
        ("*/*", 200, "application/json"),
        ("", 200, "application/json"),
        ("application/xml", 200, "application/xml"),
        ("text/csv, application/json;q=0.5", 200, "application/json"),
        ("text/csv", 406, "text/html"),
        ("application/vnd.ibm.tenx.workflowmonitor.restartworkflowmonitor", 406, "text/html"),
    ],
)
async def test_the_accept_header_chooses_the_form(serve, accept, status, kind):
    async with serve() as call:
        got = await call("GET", "/mailboxes/", headers={"Accept": accept})
        assert (got.status, got.headers["Content-Type"].split(";")[0]) == (status, kind)


async def test_two_accept_lines_are_read_together(serve, raw_request):
    async with serve() as call:
        lines = ["Accept: text/csv", "Accept: application/json", f"Authorization: {call.basic()}"]
        head, _ = await raw_request(call.simulator, "GET", "/mailboxes/", lines)
        assert head.startswith(b"HTTP/1.1 200")


async def test_the_query_overrides_the_accept_header(serve):
    async with serve() as call:
        got = await call("GET", "/mailboxes/?_accept=application/json", headers={"Accept": "text/csv"})
        assert got.status == 200


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_of_another_media_type_is_refused(serve, content_type):
    async with serve() as call:
        got = await call(
            "POST", "/mailboxes/", b'{"path":"/X","description":"x"}', headers={"Content-Type": content_type}
        )
        assert got.status == 415


async def test_the_query_overrides_the_content_type(serve):
    async with serve() as call:
        body = b'{"path":"/X","description":"x"}'
        assert (await call("POST", "/mailboxes/?_contentType=application/json", body)).status == 201


@pytest.mark.parametrize("body", [b"{", b"[]", b"7", b'{"path": "\xe9"}', b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_refused(serve, body):
    async with serve() as call:
        assert (await call("POST", "/mailboxes/", body, headers={"Content-Type": "application/json"})).status == 400


async def test_xml_with_attributes_is_as_good_as_json(serve):
    async with serve() as call:
        body = b'<create path="/XML" description="made by XML" createParentMailbox="false"/>'
        got = await call("POST", "/mailboxes/", body, headers={"Content-Type": "application/xml"})
        assert got.status == 201
        assert "/XML" in call.simulator.hub.paths


@pytest.mark.parametrize(
    "body", [b"<mailbox path='/X' description='x'/>", b"<create path=", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"]
)
async def test_xml_of_another_shape_is_refused(serve, body):
    async with serve() as call:
        assert (await call("POST", "/mailboxes/", body, headers={"Content-Type": "application/xml"})).status == 400


async def test_a_body_beyond_the_limit_is_refused(serve):
    async with serve(max_body=1000) as call:
        got = await call("POST", "/mailboxes/", b"x" * 1001, headers={"Content-Type": "application/json"})
        assert got.status == 413


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/mailboxes/"),
        ("DELETE", "/mailboxcontents/1"),
        ("PUT", "/documents/"),
        ("POST", "/mailboxcontents/"),
        ("PATCH", "/tradingpartners/"),
    ],
)
async def test_a_verb_a_collection_lacks_is_refused(serve, method, path):
    async with serve() as call:
        assert (await call(method, path)).status == 405


async def test_credentials_are_checked_before_the_path(serve):
    async with serve() as call:
        assert (await call("GET", "/nothing/", headers={"Authorization": ""})).status == 401


async def test_too_many_parameters_are_refused(serve):
    async with serve() as call:
        assert (await call("GET", "/mailboxes/?" + "a=1&" * 201)).status == 400


async def test_lists_and_objects_come_as_elements_in_xml(serve, partner):
    async with serve() as call:
        xml = {"Content-Type": "application/xml"}
        user = b'<create userId="u1" password="Passw0rd" givenName="U" surname="1"><groups><group name="AP_CONNECTOR"/></groups></create>'
        assert (await call("POST", "/useraccounts/", user, headers=xml)).status == 201
        assert (await call("GET", "/useraccounts/u1")).body["groups"] == [{"name": "AP_CONNECTOR"}]
        await call("POST", "/tradingpartners/", partner())
        update = b'<update><consumerSshConfiguration remoteProfile="P"/></update>'
        assert (await call("PUT", "/tradingpartners/V00123", update, headers=xml)).status == 200
        assert (await call("GET", "/tradingpartners/V00123")).body["consumerSshConfiguration"] == {"remoteProfile": "P"}


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !!!", "Basic bm9ib2R5", "Basic YXBjb25uZWN0b3I6d3Jvbmc=", "Bearer abc", "Digest x"]
)
async def test_bad_credentials_get_an_html_401(serve, header):
    async with serve() as call:
        got = await call("GET", "/mailboxes/", headers={"Authorization": header})
        assert (got.status, got.headers["WWW-Authenticate"][:5], got.raw[:6]) == (401, "Basic", b"<html>")


async def test_an_account_without_api_user_is_refused(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        assert (await call("GET", "/mailboxes/", user="v00123")).status == 403


@pytest.mark.parametrize("permission", ["APIUser", "API User"])
async def test_either_spelling_of_the_api_permission_lets_an_account_in(serve, partner, permission):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        call.simulator.hub.accounts["v00123"].permissions.append(permission)
        assert (await call("GET", "/mailboxes/", user="v00123")).status == 200


async def _token(call, body="grant_type=client_credentials&client_id=cid&client_secret=s3cret", **headers):
    sent = {"Content-Type": FORM, "Authorization": "", **headers}
    return await call("POST", "", body.encode(), headers=sent, url=call.simulator.environment["STERLING_TOKEN_URL"])


async def test_a_token_opens_the_apis_until_it_expires(serve, clock):
    async with serve(oauth=TOKENS) as call:
        token = (await _token(call)).body
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        assert token["expires_in"] == 300
        assert (await call("GET", "/mailboxes/", headers=bearer)).status == 200
        await clock.advance(300)
        assert (await call("GET", "/mailboxes/", headers=bearer)).status == 401


async def test_revoked_tokens_end_at_once(serve):
    async with serve(oauth=TOKENS) as call:
        bearer = {"Authorization": f"Bearer {(await _token(call)).body['access_token']}"}
        call.simulator.sign_in.revoke()
        assert (await call("GET", "/mailboxes/", headers=bearer)).status == 401


async def test_the_client_may_name_itself_by_basic(serve):
    async with serve(oauth=TOKENS) as call:
        got = await _token(call, "grant_type=client_credentials", Authorization="Basic Y2lkOnMzY3JldA==")
        assert got.status == 200


@pytest.mark.parametrize(
    ("style", "body", "header", "status"),
    [
        ("header", "grant_type=client_credentials&client_id=cid&client_secret=s3cret", "", 401),
        ("body", "grant_type=client_credentials", "Basic Y2lkOnMzY3JldA==", 401),
        ("either", "grant_type=client_credentials&client_id=cid&client_secret=no", "", 401),
        ("either", "grant_type=client_credentials", "", 401),
        ("either", "grant_type=password&client_id=cid&client_secret=s3cret", "", 400),
    ],
)
async def test_a_wrong_token_request_is_refused(serve, style, body, header, status):
    async with serve(oauth=OAuth(client_id="cid", client_secret="s3cret", style=style)) as call:
        assert (await _token(call, body, Authorization=header)).status == status


async def test_a_token_request_must_be_a_form_and_name_the_scope(serve):
    async with serve(oauth=OAuth(client_id="cid", client_secret="s3cret", scope="alias")) as call:
        assert (await _token(call, **{"Content-Type": "application/json"})).status == 400
        assert (await _token(call)).status == 400
        assert (
            await _token(call, "grant_type=client_credentials&client_id=cid&client_secret=s3cret&scope=alias")
        ).status == 200


async def test_basic_can_be_off_where_tokens_are_on(serve):
    async with serve(oauth=OAuth(client_id="cid", client_secret="s3cret", basic_too=False)) as call:
        assert (await call("GET", "/mailboxes/")).status == 401


async def test_gzip_is_used_where_switched_on_and_accepted(serve):
    async with serve(compress=True) as call:
        got = await call("GET", "/mailboxes/", headers={"Accept-Encoding": "gzip"})
        assert (got.headers.get("Content-Encoding"), got.status) == ("gzip", 200)
        assert isinstance(got.body, list)


async def test_the_environment_points_a_client_at_the_server(serve):
    async with serve() as call:
        environment = call.simulator.environment
        assert environment["STERLING_URL"] == call.simulator.url
        assert environment["STERLING_USER"] == "apconnector"
        assert environment["STERLING_SETTLE"] == "200ms"


async def test_the_shipped_door_serves_the_seeded_world(clock):
    async with start_simulator(SimulatorOptions(bills=20, seed=1, clock=clock)) as simulation:
        port = int(simulation.environment["STERLING_URL"].split(":")[2].split("/")[0])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
        assert simulation.effects() == ()
        assert simulation.environment["STERLING_URL"] in simulation.summary


async def test_the_token_endpoint_can_fail_by_plan(serve):
    async with serve(oauth=TOKENS) as call:
        call.simulator.faults.add(Fault(kind="unavailable", match="POST token"))
        assert [(await _token(call)).status for _ in range(2)] == [503, 200]


@pytest.mark.parametrize("profile", PROFILES)
async def test_each_profile_is_served_with_the_variables_that_point_at_it(clock, profile):
    async with start_simulator(SimulatorOptions(bills=0, seed=1, profile=profile, clock=clock)) as simulation:
        told = simulation.environment
        assert told["STERLING_URL"].endswith("/sbi/product/rest" if profile == "gateway" else "/B2BAPIs/svc")
        assert bool(told["STERLING_USER"]) is (profile in ("plain", "awkward"))
        assert ("STERLING_TOKEN_URL" in told, "STERLING_KEY_HEADER" in told) == (
            profile == "tokens",
            profile == "gateway",
        )
        assert told["STERLING_SETTLE"] == ("500ms" if profile == "awkward" else "200ms")


async def test_what_is_new_shows_in_lists_after_a_lag(serve, clock):
    async with serve(lag=0.3) as call:
        key = call.simulator.deposit("/RIVERBEND/Inbound", "a.edi", b"x")
        box = call.simulator.hub.paths["/RIVERBEND/Inbound"].id
        lists = ("/mailboxmessages/", f"/mailboxcontents/?parentMailboxId={box}")
        assert [(await call("GET", path)).body for path in lists] == [[], []]
        assert (await call("GET", f"/mailboxmessages/{key}")).status == 200
        await clock.advance(0.3)
        assert [len((await call("GET", path)).body) for path in lists] == [1, 1]


@pytest.mark.parametrize(("after", "gone"), [(None, False), (60.0, True)])
async def test_what_is_used_up_is_purged_and_leaves_its_document(serve, clock, after, gone):
    async with serve(extractions=2, purge_after=after) as call:
        key = call.simulator.deposit("/RIVERBEND/Inbound", "a.edi", b"x")
        path = f"/mailboxmessages/{key}/actions/extract"
        assert [(await call("POST", path)).status for _ in range(3)] == [200, 200, 400]
        await clock.advance(59)
        assert (await call("GET", f"/mailboxmessages/{key}")).body["extractableCount"] == 0
        await clock.advance(1)
        assert (await call("GET", f"/mailboxmessages/{key}")).status == (404 if gone else 200)
        assert [row["documentName"] for row in (await call("GET", "/documents/?searchFor=a.edi")).body] == ["a.edi"]
        assert any(effect["effect"] == "message.purged" for effect in call.simulator.effects()) is gone
