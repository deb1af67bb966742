"""Trading partners, communities, routing channels: what is demanded, what a partner brings about."""

from __future__ import annotations

import pytest

from stages.sterling.simulator import Fault

REQUIRED = [
    "partnerName", "community", "username", "password", "authenticationType", "givenName", "surname", "emailAddress", "phone",
    "isInitiatingConsumer", "isInitiatingProducer", "isListeningConsumer", "isListeningProducer", "doesUseSSH",
]  # fmt: skip


async def _refused(serve, body):
    async with serve() as call:
        got = await call("POST", "/tradingpartners/", body)
        assert (got.status, got.body["errorCode"]) == (400, 400)
        assert call.simulator.effects() == ()
        return got.error


@pytest.mark.parametrize("name", REQUIRED)
async def test_a_partner_without_a_required_field_is_refused(serve, partner, name):
    assert name in await _refused(serve, partner(**{name: None}))


@pytest.mark.parametrize("name", [name for name in REQUIRED if not name.startswith(("is", "does"))])
async def test_a_required_field_may_not_be_empty(serve, partner, name):
    await _refused(serve, partner(**{name: ""}))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"community": "NOWHERE"}, "community"),
        ({"authenticationType": "Magic"}, "authenticationType"),
        ({"authenticationType": "External", "password": None}, "authenticationHost"),
        ({"countryOrRegion": "United States"}, "countryOrRegion"),
        ({"countryOrRegion": "XX"}, "countryOrRegion"),
        ({"timeZone": "America/New_York"}, "timeZone"),
        ({"isListeningConsumer": "maybe"}, "isListeningConsumer"),
        ({"isListeningConsumer": 1}, "isListeningConsumer"),
        ({"phone": 5.5}, "phone"),
        ({"phone": ["1"]}, "phone"),
        ({"sessionTimeout": "long"}, "sessionTimeout"),
        ({"pollingInterval": -1}, "pollingInterval"),
        ({"nickname": "x"}, "nickname"),
        ({"countryOrRegion": {"code": "US", "display": "United States"}}, "countryOrRegion"),
        ({"isListeningConsumer": {"code": False, "display": "No"}}, "isListeningConsumer"),
        ({"consumerFtpConfiguration": "ftp://"}, "consumerFtpConfiguration"),
        ({"consumerFtpConfiguration": {"host": "x"}}, "host"),
        ({"partnerName": "A/B"}, "partnerName"),
        ({"partnerName": "A" * 256}, "partnerName"),
        ({"password": "short"}, "password"),
    ],
)
async def test_a_partner_that_breaks_a_rule_is_refused(serve, partner, changes, told):
    assert told in await _refused(serve, partner(**changes))


@pytest.mark.parametrize("character", "!@#%^*()+?,<>{}[]|;\\\"'")
async def test_a_user_id_with_a_forbidden_character_is_refused_with_both_codes(serve, partner, character):
    told = await _refused(serve, partner(username=f"v{character}1"))
    assert told.startswith("API000175: Could not save user account: API000452: User ID not valid")


async def test_an_old_level_refuses_a_dot_in_a_user_id(serve, partner):
    async with serve(dot_in_user_id=False) as call:
        assert (await call("POST", "/tradingpartners/", partner(username="v.1"))).status == 400


async def test_a_new_partner_is_answered_with_its_location(serve, partner):
    async with serve() as call:
        got = await call("POST", "/tradingpartners/", partner())
        assert got.status == 201
        assert got.body == {"Location": f"{call.simulator.url}/tradingpartners/V00123"}
        assert got.headers["Location"] == got.body["Location"]


async def test_a_new_partner_brings_its_user_its_mailbox_and_its_root(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        user = (await call("GET", "/useraccounts/v00123")).body
        (box,) = (await call("GET", "/mailboxes/?path=/V00123")).body
        (root,) = (await call("GET", "/uservirtualroots/?userName=v00123")).body
        assert user["permissions"] == [{"name": "/V00123 Mailbox"}]
        assert box["users"] == "v00123"
        assert root["mailboxPath"] == "/V00123"
        made = [effect["effect"] for effect in call.simulator.effects()]
        assert made == ["user.created", "mailbox.created", "partner.created"]


async def test_a_partner_whose_mailbox_is_there_keeps_it(serve, partner):
    async with serve() as call:
        assert (await call("POST", "/tradingpartners/", partner(partnerName="RIVERBEND"))).status == 201
        assert len((await call("GET", "/mailboxes/?path=/RIVERBEND")).body) == 2


async def test_reading_gives_coded_values_and_empty_texts_but_no_password(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner(customProtocolName="X"))
        row = (await call("GET", "/tradingpartners/V00123")).body
        assert row["authenticationType"] == {"code": "Local", "display": "Local"}
        assert row["countryOrRegion"]["code"] == "US"
        assert row["timeZone"]["code"] == "-05"
        assert row["isInitiatingConsumer"] == {"code": True, "display": "Yes"}
        assert row["doesUseSSH"] == {"code": False, "display": "No"}
        assert (row["addressLine1"], row["city"], row["publicKeyID"]) == ("", "", "")
        assert "authenticationHost" not in row
        assert not {"password", "customProtocolName"} & set(row)


async def test_null_and_texts_of_booleans_are_accepted(serve, partner):
    async with serve() as call:
        body = partner(doesUseSSH="false", isListeningConsumer="true") | {"city": None}
        assert (await call("POST", "/tradingpartners/", body)).status == 201
        assert (await call("GET", "/tradingpartners/V00123")).body["isListeningConsumer"]["code"] is True


async def test_a_partner_can_come_as_xml(serve, partner):
    attributes = " ".join(f'{k}="{str(v).lower() if isinstance(v, bool) else v}"' for k, v in partner().items())
    async with serve() as call:
        got = await call(
            "POST", "/tradingpartners/", f"<create {attributes}/>".encode(), headers={"Content-Type": "application/xml"}
        )
        assert got.status == 201


async def test_partners_can_be_read_as_xml(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        got = await call("GET", "/tradingpartners/", headers={"Accept": "application/xml"})
        assert b'partnerName="V00123"' in got.raw
        assert b'isInitiatingConsumer="true"' in got.raw


async def test_errors_can_be_read_as_xml(serve):
    async with serve() as call:
        got = await call("GET", "/tradingpartners/NOBODY", headers={"Accept": "application/xml"})
        assert (got.status, b'errorCode="404"' in got.raw) == (404, True)


@pytest.mark.parametrize("changes", [{}, {"partnerName": "OTHER"}])
async def test_a_second_partner_of_the_same_name_or_user_is_refused(serve, partner, changes):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        got = await call("POST", "/tradingpartners/", partner(**changes))
        assert (got.status, "already exists" in got.error) == (400, True)


async def test_a_prefix_finds_longer_names_too(serve, partner):
    async with serve() as call:
        for name in ("BP", "BP2"):
            await call("POST", "/tradingpartners/", partner(partnerName=name, username=name))
        rows = (await call("GET", "/tradingpartners/?searchFor=BP")).body
        assert [row["partnerName"] for row in rows] == ["BP", "BP2"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_unknown_partner_is_404_with_an_error_object(serve, method):
    async with serve() as call:
        got = await call(method, "/tradingpartners/NOBODY", {})
        assert (got.status, got.body["errorCode"]) == (404, 404)


async def test_names_are_case_sensitive(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        assert (await call("GET", "/tradingpartners/v00123")).status == 404


@pytest.mark.parametrize("path", ["/tradingpartners//V+1/", "/tradingpartners/V%201", "/tradingpartners/V+1"])
async def test_a_space_in_a_name_is_a_plus_or_escaped(serve, partner, path):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner(partnerName="V 1"))
        assert (await call("GET", path)).status == 200


async def test_brackets_in_a_path_must_come_raw(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner(partnerName="V[1]"))
        assert (await call("GET", "/tradingpartners/V[1]")).status == 200
        assert (await call("GET", "/tradingpartners/V%5B1%5D")).status == 404


async def test_an_update_changes_what_it_names(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        got = await call("PUT", "/tradingpartners/V00123", {"city": "Salem", "phone": "1"})
        row = (await call("GET", "/tradingpartners/V00123")).body
        assert (got.status, got.body) == (200, {"rowsAffected": 1})
        assert got.headers["Content-Type"] == "application/json;charset=utf-8"
        assert (row["city"], row["phone"], row["code"]) == ("Salem", "1", "V-00123")
        assert call.simulator.effects()[-1]["changed"] == ["city", "phone"]


async def test_an_update_as_xml_has_its_own_root(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        xml = {"Content-Type": "application/xml"}
        assert (await call("PUT", "/tradingpartners/V00123", b'<update city="Salem"/>', headers=xml)).status == 200
        assert (await call("PUT", "/tradingpartners/V00123", b'<create city="Salem"/>', headers=xml)).status == 400


@pytest.mark.parametrize(
    "body",
    [
        {"partnerName": "OTHER"},
        {"username": "other"},
        {"phone": ""},
        {"phone": None},
        {"nickname": "x"},
        {"community": "NOWHERE"},
        {"authenticationType": "External"},
        {"authenticationType": {"code": "Local", "display": "Local"}},
        {"password": "short"},
    ],
)
async def test_an_update_that_breaks_a_rule_is_refused_and_changes_nothing(serve, partner, body):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        before = (await call("GET", "/tradingpartners/V00123")).body
        assert (await call("PUT", "/tradingpartners/V00123", body)).status == 400
        assert (await call("GET", "/tradingpartners/V00123")).body == before


async def test_what_was_read_cannot_be_written_back_as_it_is(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        row = (await call("GET", "/tradingpartners/V00123")).body
        assert (await call("PUT", "/tradingpartners/V00123", row)).status == 400


async def test_patch_is_not_for_partners(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        assert (await call("PATCH", "/tradingpartners/V00123", {"city": "Salem"})).status == 405


async def test_a_deleted_partner_is_gone_with_its_user(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        assert (await call("DELETE", "/tradingpartners/V00123")).body == {"rowsAffected": 1}
        assert (await call("GET", "/tradingpartners/V00123")).status == 404
        assert (await call("GET", "/useraccounts/v00123")).status == 404


async def test_a_partner_with_channels_cannot_be_deleted(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        channel = await call(
            "POST", "/routingchannels/", {"templateName": "T", "producer": "V00123", "provisioningFacts": []}
        )
        assert (await call("DELETE", "/tradingpartners/V00123")).status == 400
        assert (await call("GET", "/routingchannels/?searchByProducer=V00123")).body[0][
            "producerMailboxPath"
        ] == "/V00123"
        await call("DELETE", f"/routingchannels/{channel.id}")
        assert (await call("DELETE", "/tradingpartners/V00123")).status == 200


@pytest.mark.parametrize(
    "body", [{"templateName": "T", "producer": "NOBODY"}, {"producer": "V00123"}, {"templateName": "T"}]
)
async def test_a_channel_that_breaks_a_rule_is_refused(serve, body):
    async with serve() as call:
        assert (await call("POST", "/routingchannels/", body)).status == 400


async def test_the_seeded_community_can_be_read_and_others_made(serve, partner):
    async with serve() as call:
        assert (await call("GET", "/communities/AP_VENDORS")).body["name"] == "AP_VENDORS"
        assert (await call("POST", "/communities/", {"name": "NEW"})).status == 201
        assert (await call("POST", "/communities/", {"name": "NEW"})).status == 400
        assert (await call("PUT", "/communities/NEW", {"sshListening": True})).status == 200
        assert (await call("POST", "/tradingpartners/", partner(community="NEW"))).status == 201
        assert (await call("DELETE", "/communities/NEW")).status == 400
        assert (await call("DELETE", "/communities/AP_VENDORS")).status == 200


async def test_no_secret_is_in_the_log_of_effects(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        await call("PUT", "/tradingpartners/V00123", {"password": "An0ther-one"})
        assert "Gen3rated" not in str(call.simulator.effects())
        assert "An0ther" not in str(call.simulator.effects())


async def test_two_thousand_partners_come_page_by_page(serve, partner):
    async with serve() as call:
        for number in range(2000):
            name = f"V{number:05d}"
            call.simulator.hub.partners[name] = partner(partnerName=name)
        pages = [(await call("GET", f"/tradingpartners/?_range={n}000-{n}999")).body for n in range(3)]
        assert [len(page) for page in pages] == [1000, 1000, 0]


@pytest.mark.parametrize("lacking", ["user", "mailbox", "root"])
async def test_a_creation_that_fails_in_the_middle_leaves_a_partner_that_lacks_something(serve, partner, lacking):
    async with serve() as call:
        call.simulator.faults.add(Fault(kind="partial", match="POST tradingpartners", lacking=frozenset({lacking})))
        assert (await call("POST", "/tradingpartners/", partner())).status == 500
        assert (await call("GET", "/tradingpartners/V00123")).status == 200
        hub = call.simulator.hub
        there = {"user": "v00123" in hub.accounts, "mailbox": "/V00123" in hub.paths}
        there["root"] = there["user"] and bool(hub.accounts["v00123"].root)
        assert [part for part, made in there.items() if not made] == (
            [lacking, "root"] if lacking == "user" else [lacking]
        )


async def test_a_virtual_root_can_be_made_for_a_user_without_one(serve):
    async with serve() as call:
        body = {"userName": "apconnector", "mailboxPath": "/RIVERBEND"}
        assert (await call("POST", "/uservirtualroots/", body)).id == "apconnector"
        assert (await call("GET", "/uservirtualroots/apconnector")).body["mailboxPath"] == "/RIVERBEND"
        assert "already exists" in (await call("POST", "/uservirtualroots/", body)).error
        await call("DELETE", "/uservirtualroots/apconnector")
        assert (await call("GET", "/uservirtualroots/apconnector")).status == 404


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"userName": "nobody", "mailboxPath": "/RIVERBEND"}, "API000464"),
        ({"userName": "apconnector", "mailboxPath": "/NOWHERE"}, "does not exist"),
        ({"userName": "apconnector"}, "mailboxPath"),
    ],
)
async def test_a_virtual_root_that_breaks_a_rule_is_refused(serve, body, told):
    async with serve() as call:
        got = await call("POST", "/uservirtualroots/", body)
        assert (got.status, told in got.error) == (400, True)


@pytest.mark.parametrize("path", ["/tradingpartners/", "/communities/AP_VENDORS", "/mailboxes/?_range=0-9"])
async def test_no_answer_carries_an_etag(serve, path):
    async with serve() as call:
        assert "ETag" not in (await call("GET", path)).headers


async def test_where_a_put_replaces_what_it_leaves_out_is_emptied(serve, partner):
    async with serve(put_replaces=True) as call:
        await call("POST", "/tradingpartners/", partner(city="Salem"))
        await call("PUT", "/tradingpartners/V00123", {"phone": "1"})
        row = (await call("GET", "/tradingpartners/V00123")).body
        assert (row["phone"], row["city"], row["code"], row["surname"]) == ("1", "", "", "V00123")


async def test_facts_of_a_channel_are_kept_as_they_are(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        facts = [{"provFactName": "SENDER", "provFactValue": "9001"}]
        body = {"templateName": "T", "producer": "V00123", "provisioningFacts": facts}
        made = await call("POST", "/routingchannels/", body)
        assert (await call("GET", f"/routingchannels/{made.id}")).body["provisioningFacts"] == facts
        assert (await call("POST", "/routingchannels/", {**body, "provisioningFacts": ["x"]})).status == 400


async def test_groups_and_permissions_can_be_made_changed_and_taken_away(serve):
    async with serve() as call:
        assert (await call("POST", "/permissions/", {"permissionName": "Tracking", "permissionType": 4})).status == 201
        body = {"groupName": "EDI", "permissions": [{"name": "Tracking"}]}
        assert (await call("POST", "/usergroups/", body)).id == "EDI"
        assert "already exists" in (await call("POST", "/usergroups/", body)).error
        assert (await call("POST", "/usergroups/", {"groupName": "X", "permissions": [{"name": "No"}]})).status == 400
        await call("PUT", "/usergroups/EDI", {"permissions": [{"name": "APIUser"}]})
        assert (await call("GET", "/usergroups/EDI")).body["permissions"] == [{"name": "APIUser"}]
        assert (await call("DELETE", "/permissions/Tracking")).body == {"rowsAffected": 1}
        assert (await call("DELETE", "/usergroups/EDI")).status == 200
        assert "still has users" in (await call("DELETE", "/usergroups/AP_CONNECTOR")).error


@pytest.mark.parametrize("name", ["_id", "_title", "href", "$ref", "actions"])
@pytest.mark.parametrize(("strict", "status"), [(False, 201), (True, 400)])
async def test_what_only_reads_have_is_passed_over_or_refused(serve, partner, name, strict, status):
    async with serve(refuse_links=strict) as call:
        assert (await call("POST", "/tradingpartners/", partner(**{name: "x"}))).status == status
