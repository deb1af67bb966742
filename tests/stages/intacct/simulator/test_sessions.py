"""Signing in: logins, sliding sessions, endpoints, entities, and what a refusal looks like."""

from __future__ import annotations

import pytest

from stages.intacct.simulator import Fault

LOGIN = "<login><userid>sync</userid><companyid>acme</companyid><password>user-pass</password>{more}</login>"
LOOKUP = '<function controlid="f"><lookup><object>VENDOR</object></lookup></function>'
BILLS = "<query><object>APBILL</object><select><field>RECORDNO</field></select>{options}</query>"


def _children(element):
    return [(child.tag, child.text or "") for child in element]


async def test_get_api_session_answers_with_session_endpoint_and_empty_location(wired):
    async with wired() as wire:
        reply = await wire.sign_in()
        url = wire.simulator.url

    api = reply.find("operation/result/data/api")
    assert [child.tag for child in api] == ["sessionid", "endpoint", "locationid"]
    assert api.findtext("endpoint") == url.replace("/ia/xml", "/na07/ia/xml")
    assert api.findtext("locationid") == ""
    assert reply.find("operation/result/data").attrib == {}


async def test_the_endpoint_carries_the_host_the_client_used(wired):
    async with wired() as wire:
        body = wire.envelope('<function controlid="s"><getAPISession/></function>', LOGIN.format(more=""))
        reply = await wire.send(body, url=wire.simulator.url.replace("127.0.0.1", "localhost"))

    assert reply.findtext(".//endpoint").startswith("http://localhost:")


async def test_the_endpoint_can_be_set_whole(wired):
    async with wired(endpoint="https://na1.intacct.com/ia/xml/xmlgw.phtml") as wire:
        reply = await wire.sign_in()

    assert reply.findtext(".//endpoint") == "https://na1.intacct.com/ia/xml/xmlgw.phtml"


async def test_authentication_tells_who_where_and_until_when(wired):
    async with wired(session_seconds=3600) as wire:
        reply = await wire.sign_in()

    assert _children(reply.find("operation/authentication")) == [
        ("status", "success"),
        ("userid", "sync"),
        ("companyid", "acme"),
        ("locationid", ""),
        ("sessiontimestamp", "2026-03-01T12:00:00+00:00"),
        ("sessiontimeout", "2026-03-01T13:00:00+00:00"),
    ]


async def test_a_session_may_be_told_in_another_offset_or_without_its_end(wired):
    async with wired(session_seconds=3600, session_offset_hours=-8) as wire:
        told = (await wire.sign_in()).find("operation/authentication")
    async with wired(tell_timeout=False) as wire:
        untold = (await wire.sign_in()).find("operation/authentication")

    assert [told.findtext(name) for name in ("sessiontimestamp", "sessiontimeout")] == [
        "2026-03-01T04:00:00-08:00",
        "2026-03-01T05:00:00-08:00",
    ]
    assert [child.tag for child in untold] == ["status", "userid", "companyid", "locationid", "sessiontimestamp"]


async def test_replies_are_dated_by_the_clock_of_the_simulator(wired, clock):
    async with wired() as wire:
        await clock.advance(90)
        _, headers, _ = await wire.post("")

    assert headers["Date"] == "Sun, 01 Mar 2026 12:01:30 GMT"


async def test_a_session_at_the_first_endpoint_is_refused(wired):
    async with wired() as wire:
        await wire.sign_in()
        reply = await wire.send(wire.envelope(LOOKUP), url=wire.simulator.url)

    assert reply.findtext("operation/authentication/status") == "failure"


async def test_a_session_at_the_first_endpoint_is_accepted_when_there_is_no_second(wired):
    async with wired(second_endpoint=False) as wire:
        await wire.sign_in()
        endpoint, reply = wire.endpoint, await wire.send(wire.envelope(LOOKUP), url=wire.simulator.url)

    assert endpoint == wire.simulator.url
    assert reply.findtext("operation/result/status") == "success"


async def test_a_bad_session_is_refused_beside_authentication_with_empty_names_and_no_result(wired):
    async with wired() as wire:
        await wire.sign_in()
        reply = await wire.ask(LOOKUP, authentication="<sessionid>kX3pQ0..</sessionid>")

    operation = reply.find("operation")
    assert reply.findtext("control/status") == "success"
    assert [child.tag for child in operation] == ["authentication", "errormessage"]
    assert _children(operation.find("authentication")) == [("status", "failure"), ("userid", ""), ("companyid", "")]
    assert _children(operation.find("errormessage/error")) == [
        ("errorno", "XL03000006"),
        ("description", ""),
        ("description2", "Invalid session kX3p...."),
        ("correction", ""),
    ]


async def test_each_use_pushes_the_deadline_out(wired, clock):
    async with wired(session_seconds=3600) as wire:
        await wire.sign_in()
        for _ in range(3):
            await clock.advance(50 * 60)
            reply = await wire.ask(LOOKUP)

    assert reply.findtext("operation/authentication/sessiontimeout") == "2026-03-01T15:30:00+00:00"


async def test_a_session_ends_at_its_deadline_for_good(wired, clock):
    async with wired(session_seconds=3600) as wire:
        await wire.sign_in()
        await clock.advance(3599)
        early = await wire.ask(LOOKUP)
        await clock.advance(3600)
        late, again = await wire.ask(LOOKUP), await wire.ask(LOOKUP)

    assert [reply.findtext("operation/authentication/status") for reply in (early, late, again)] == [
        "success",
        "failure",
        "failure",
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [("sync", "Sync"), ("acme", "acme2"), ("user-pass", "User-pass")],
    ids=["user", "company", "password"],
)
async def test_a_wrong_login_is_refused_with_the_names_that_were_sent(wired, old, new):
    login = LOGIN.format(more="").replace(old, new)
    async with wired() as wire:
        reply = await wire.sign_in(login)
        failures = wire.simulator.counts.login_failures

    sent = (login.split("userid>")[1].rstrip("</"), login.split("companyid>")[1].rstrip("</"))
    authentication = reply.find("operation/authentication")
    assert (authentication.findtext("userid"), authentication.findtext("companyid")) == sent
    assert reply.findtext("operation/errormessage/error/errorno") == "XL03000006"
    assert reply.findtext("operation/errormessage/error/description2") == "Sign-in information is incorrect"
    assert reply.find("operation/result") is None
    assert failures == 1


@pytest.mark.parametrize(
    "more",
    ["<locationid>SOUTH</locationid>", "<clientid>other</clientid>"],
    ids=["an entity that is not", "a client company"],
)
async def test_a_login_elsewhere_reads_like_wrong_credentials(wired, more):
    async with wired() as wire:
        reply = await wire.sign_in(LOGIN.format(more=more))

    assert reply.findtext("operation/authentication/status") == "failure"
    assert reply.findtext("operation/errormessage/error/errorno") == "XL03000006"


async def test_a_sender_the_company_has_not_authorised_fails_at_authentication(wired):
    async with wired(unauthorised={"stranger": "pw"}) as wire:
        body = wire.envelope(LOOKUP, LOGIN.format(more=""))
        body = body.replace("acme-ws", "stranger").replace("sender-pass", "pw")
        reply = await wire.send(body)

    assert reply.findtext("control/status") == "success"
    assert "not authorized" in reply.findtext("operation/errormessage/error/description2")


async def test_get_api_session_beside_another_function_is_refused_and_the_other_is_not(wired):
    both = '<function controlid="s"><getAPISession/></function>' + LOOKUP
    async with wired() as wire:
        reply = await wire.send(wire.envelope(both, LOGIN.format(more="")))

    statuses = [result.findtext("status") for result in reply.findall("operation/result")]
    assert statuses == ["failure", "success"]


async def test_an_entity_session_tells_its_location_and_sees_its_own_records(wired):
    async with wired() as wire:
        reply = await wire.sign_in(LOGIN.format(more="<locationid>NORTH</locationid>"))
        records = await wire.column(BILLS.format(options="<orderby><order><field>RECORDNO</field></order></orderby>"))

    assert reply.findtext(".//api/locationid") == "NORTH"
    assert records == ["101", "102", "103", "104", "105", "106"]


async def test_another_entity_does_not_see_them_even_with_showprivate(wired):
    async with wired() as wire:
        await wire.sign_in(LOGIN.format(more="<locationid>WEST</locationid>"))
        records = await wire.column(BILLS.format(options="<options><showprivate>true</showprivate></options>"))

    assert "105" not in records


async def test_the_top_level_sees_private_records_only_when_it_asks(wired):
    async with wired() as wire:
        plain = await wire.column(BILLS.format(options=""))
        asked = await wire.column(BILLS.format(options="<options><showprivate>true</showprivate></options>"))

    assert sorted(set(asked) - set(plain)) == ["105"]


async def test_a_session_moves_to_an_entity_and_back(wired):
    async with wired() as wire:
        await wire.sign_in()
        moves = []
        for location in ("NORTH", ""):
            function = f"<getAPISession><locationid>{location}</locationid></getAPISession>"
            reply = await wire.ask(f'<function controlid="s">{function}</function>')
            wire.session = reply.findtext(".//sessionid")
            moves.append((await wire.ask(LOOKUP)).findtext("operation/authentication/locationid"))

    assert moves == ["NORTH", ""]


async def test_a_login_may_come_with_any_function_and_opens_no_session(wired):
    async with wired() as wire:
        reply = await wire.send(wire.envelope(LOOKUP, LOGIN.format(more="<clientid/><locationid></locationid>")))

    assert reply.findtext("operation/result/status") == "success"
    assert reply.find(".//sessionid") is None


async def test_sessions_can_end_just_before_a_request(wired):
    async with wired(faults=[Fault(kind="expired session", object="APBILL", nth=2)]) as wire:
        first = await wire.ask('<function controlid="f">' + BILLS.format(options="") + "</function>")
        second = await wire.ask('<function controlid="f">' + BILLS.format(options="") + "</function>")

    statuses = [reply.findtext("operation/authentication/status") for reply in (first, second)]
    assert statuses == ["success", "failure"]


async def test_the_effects_log_tells_logins_and_pages_but_no_secret(wired):
    async with wired() as wire:
        await wire.call(BILLS.format(options=""))
        effects, session = wire.simulator.effects(), wire.session

    assert [effect["kind"] for effect in effects] == ["login", "getAPISession", "query"]
    assert effects[-1] | {"at": ""} == {
        "kind": "query",
        "at": "",
        "controlid": "f-1",
        "location": "",
        "object": "APBILL",
        "count": 5,
        "total": 5,
        "offset": 0,
    }
    assert not any(secret in str(effects) for secret in ("user-pass", "sender-pass", session))


async def test_the_counts_tell_what_was_used(wired):
    async with wired() as wire:
        await wire.call(BILLS.format(options=""))
        await wire.call("<lookup><object>APBILL</object></lookup>")
        counts = wire.simulator.counts

    assert (counts.requests, counts.logins, counts.functions, counts.billable) == (3, 1, 3, 1)


CONSOLE = "<login><userid>sync</userid><companyid>{}</companyid><password>user-pass</password>{}</login>"


@pytest.mark.parametrize(
    ("company", "more", "location"),
    [
        ("firm", "<clientid>acme</clientid>", ""),
        ("firm", "<clientid>acme</clientid><locationid>WEST</locationid>", "WEST"),
        ("firm|acme", "", ""),
        ("firm|acme|WEST", "", "WEST"),
        ("acme", "", None),
        ("firm", "", None),
        ("firm|other", "", None),
        ("firm|acme|EAST", "", None),
    ],
)
async def test_a_user_of_a_console_slides_into_its_client(wired, company, more, location):
    async with wired(console="firm") as wire:
        reply = await wire.sign_in(CONSOLE.format(company, more))

    assert reply.findtext("operation/authentication/status") == ("failure" if location is None else "success")
    assert reply.findtext("operation/result/data/api/locationid") == location


async def test_a_company_without_a_console_lets_no_client_in(wired):
    async with wired() as wire:
        reply = await wire.sign_in(CONSOLE.format("firm", "<clientid>acme</clientid>"))

    assert reply.findtext("operation/authentication/status") == "failure"
