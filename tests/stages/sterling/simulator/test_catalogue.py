"""The collections that IBM's list names, each by its conventions; what the File Gateway, processes and partner groups do."""

from __future__ import annotations

import base64
import re

import pytest

from stages.sterling.simulator import Fault
from stages.sterling.simulator.monitors import RESTART

KEPT = {
    "sshremoteprofiles": ("profileName", {"remoteHost": "sftp.example", "remotePort": 22, "remoteUser": "u", "sshPassword": "s3cret"}),
    "sshauthorizeduserkeys": ("keyName", {"keyData": "c3NoLXJzYQ==", "keyStatusEnabled": "TRUE"}), "sshknownhostkeys": ("keyName", {"keyData": "c3No"}),
    "sshuseridentitykeys": ("keyName", {"privateKeyData": "LS0t", "passPhrase": "s3cret"}),
    "cadigitalcertificates": ("certName", {"certData": "MII"}), "trusteddigitalcertificates": ("certName", {"certData": "MII"}),
    "systemdigitalcertificates": ("certName", {"certData": "MII", "keyStorePassword": "s3cret", "certType": "pkcs12"}),
    "as2organizations": ("identityName", {"AS2Identifier": "X"}),
    "as2tradingpartners": ("profileName", {}), "as2tradingrelationships": ("name", {}), "externalusers": ("userId", {"givenName": "E"}),
    "userexits": ("name", {}), "usergroups": ("groupName", {"owner": "o"}), "permissions": ("permissionName", {"permissionType": 99}),
    "communities": ("name", {}), "partnergroups": ("groupName", {}),
}  # fmt: skip
CATALOGUE = sorted({
    *KEPT, "tradingpartners", "mailboxes", "mailboxmessages", "documents", "routingrules", "codelists", "codelistcodes", "workflows",
    "workflowmonitors", "schedules", "useraccounts", "uservirtualroots", "fgarrivedfiles", "fgroutes", "fgdeliveries", "identities",
    "generatedpasswords", "servicedefinitions", "httpclientadapters", "customprotocols", "routingchannelduplicatechecks",
})  # fmt: skip


@pytest.mark.parametrize("name", CATALOGUE)
async def test_every_collection_of_the_list_answers_a_bare_array_or_what_it_says_for_nothing(serve, name):
    async with serve() as call:
        got = await call("GET", f"/{name}/?_range=0-999")
        assert (got.status, isinstance(got.body, list)) == (200, True)
        assert got.headers["Content-Type"] == "application/json; charset=UTF-8"
        assert (await call("HEAD", f"//{name}//")).status == 200
    async with serve(empty_is_404=frozenset({"*"})) as call:
        assert (await call("GET", f"/{name}/?searchFor=nothing-of-this-name")).status == 404


@pytest.mark.parametrize("name", KEPT)
async def test_what_is_kept_is_made_read_changed_and_deleted(serve, name):
    key, more = KEPT[name]
    async with serve() as call:
        body = {key: "A B.1", **more}
        got = await call("POST", f"/{name}/", body)
        assert (got.status, got.headers["Location"]) == (201, got.body["Location"])
        assert got.headers["Content-Type"] == "application/json;charset=utf-8"
        again = await call("POST", f"/{name}/", body)
        assert (again.status, "already exists" in again.error) == (400, True)
        row = (await call("GET", f"/{name}/A+B.1")).body
        assert (row["_id"], row[key], row["href"].rsplit("/", 1)[1]) == ("A B.1", "A B.1", "A B.1")
        assert re.fullmatch(r"\w+\(A B\.1\)", row["_title"])
        assert "s3cret" not in str(row)
        change = {"addOrRemove": "add", "partners": ""} if name == "partnergroups" else {}
        assert (await call("PUT", f"/{name}/A%20B.1", change)).status == (400 if name == "partnergroups" else 200)
        assert (await call("PUT", f"/{name}/A%20B.1", {key: "other"})).status == 400
        assert (await call("DELETE", f"/{name}//A%20B.1/")).body == {"rowsAffected": 1}
        assert (await call("GET", f"/{name}/A%20B.1")).status == 404


async def test_members_that_nobody_has_documented_are_kept_as_they_come(serve):
    async with serve() as call:
        await call(
            "POST", "/as2organizations/", {"identityName": "US", "AS2Identifier": "HV", "flag": True, "list": [1]}
        )
        await call("POST", "/as2organizations/", {"identityName": "THEM", "AS2Identifier": "TH"})
        (row,) = (await call("GET", "/as2organizations/?AS2Identifier=HV")).body
        assert (row["flag"], row["list"]) == ({"code": True, "display": "Yes"}, [1])
        assert (await call("POST", "/as2organizations/", {"AS2Identifier": "X"})).status == 400


async def test_an_ssh_profile_is_read_as_its_fields_are(serve):
    async with serve() as call:
        body = {
            "profileName": "P",
            "remoteHost": "h",
            "remotePort": "22",
            "remoteUser": "u",
            "knownHostKeys": [{"name": "k"}],
            "retryDelay": None,
        }
        body["preferredAuthenticationType"] = "password"
        assert (await call("POST", "/sshremoteprofiles/", body)).status == 201
        row = (await call("GET", "/sshremoteprofiles/P")).body
        assert (row["remotePort"], row["knownHostKeys"]) == (22, [{"name": "k"}])
        assert row["preferredAuthenticationType"] == {"code": "password", "display": "password"}
        assert "retryDelay" not in row
        assert (await call("POST", "/sshremoteprofiles/", {**body, "profileName": "Q", "colour": "red"})).status == 400


@pytest.mark.parametrize("name", ["identities", "servicedefinitions", "httpclientadapters", "customprotocols"])
async def test_what_is_only_read_cannot_be_written(serve, name):
    async with serve() as call:
        assert (await call("POST", f"/{name}/", {"name": "x"})).status == 405
        assert (await call("DELETE", f"/{name}/x")).status == 405


async def test_a_user_gets_only_keys_that_are_there(serve):
    async with serve() as call:
        user = {
            "userId": "u1",
            "password": "Passw0rd",
            "givenName": "U",
            "surname": "1",
            "authorizedUserKeys": [{"name": "k"}],
        }
        assert "API000451" in (await call("POST", "/useraccounts/", user)).error
        await call(
            "POST",
            "/sshauthorizeduserkeys/",
            {"keyName": "k", "keyData": "c3NoLXJzYSBBQUE=", "keyStatusEnabled": "TRUE"},
        )
        assert (await call("POST", "/useraccounts/", user)).status == 201
        assert (await call("GET", "/useraccounts/u1")).body["authorizedUserKeys"] == [{"name": "k"}]


async def test_a_group_gives_what_the_groups_in_it_give(serve):
    async with serve() as call:
        await call("POST", "/usergroups/", {"groupName": "inner", "permissions": [{"name": "APIUser"}]})
        await call("POST", "/usergroups/", {"groupName": "outer", "subgroups": [{"name": "inner"}, {"name": "inner"}]})
        assert (
            await call("POST", "/usergroups/", {"groupName": "bad", "subgroups": [{"name": "nobody"}]})
        ).status == 400
        await call("PUT", "/usergroups/inner", {"subgroups": [{"name": "outer"}]})  # and round again
        user = {"userId": "u1", "password": "Passw0rd", "givenName": "U", "surname": "1", "groups": [{"name": "outer"}]}
        await call("POST", "/useraccounts/", user)
        assert (await call("GET", "/mailboxes/?_range=0-0", user="u1")).status == 200
        assert (await call("GET", "/usergroups/outer")).body["subgroups"] == [{"name": "inner"}, {"name": "inner"}]


async def test_generated_passwords_differ(serve):
    async with serve() as call:
        made = {(await call("GET", "/generatedpasswords/")).body[0]["password"] for _ in range(3)}
        assert len(made) == 3


# --- partner groups ---------------------------------------------------------------------------------------------------------


async def test_a_partner_group_is_changed_by_what_is_added_and_removed(serve, partner):
    async with serve() as call:
        for name in ("V1", "V2", "V3"):
            await call("POST", "/tradingpartners/", partner(partnerName=name, code=name, username=name))
        assert (await call("POST", "/partnergroups/", {"groupName": "G", "groupMembers": "V1, V2"})).status == 201

        async def members():
            return (await call("GET", "/partnergroups/G")).body["groupMembers"]

        assert await members() == "V1,V2"
        assert (await call("PUT", "/partnergroups/G", {"addOrRemove": "add", "partners": "V3,V1"})).status == 200
        assert await members() == "V1,V2,V3"
        xml = {"Content-Type": "application/xml"}
        update = b'<update addOrRemove="remove" partners="V1,V2"/>'
        assert (await call("PUT", "/partnergroups/G", update, headers=xml)).status == 200
        got = await call("GET", "/partnergroups/G", headers={"Accept": "application/xml"})
        assert b'groupMembers="V3"' in got.raw
        assert (await call("PUT", "/partnergroups/G", {"addOrRemove": "add", "partners": "nobody"})).status == 400
        assert (await call("PUT", "/partnergroups/G", {"groupMembers": "V1"})).status == 400
        assert (await call("DELETE", "/tradingpartners/V3")).status == 200
        assert await members() == ""


async def test_old_levels_refuse_a_dash_in_group_members(serve, partner):
    async with serve(dash_in_group_members=False) as call:
        await call("POST", "/tradingpartners/", partner(partnerName="V-1"))
        got = await call("POST", "/partnergroups/", {"groupName": "G", "groupMembers": "V-1"})
        assert got.error == "Group Members can only contain alphanumeric, underscore, comma and space"


async def test_communities_are_searched_by_name(serve):
    async with serve() as call:
        await call("POST", "/communities/", {"name": "OTHER"})
        assert [row["name"] for row in (await call("GET", "/communities/?commName=AP")).body] == ["AP_VENDORS"]


# --- tests of partners ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "told"),
    [("connection=Consumer&tradingPartnerName=V00123", "API000161"), ("connection=Consumer&tradingPartnerName=no", "API000160"),
     ("tradingPartnerName=V00123", "connection"), ("connection=Producer&tradingPartnerName=SFTP", "API000161")],
)  # fmt: skip
async def test_a_partner_that_cannot_be_tested_is_refused(serve, partner, query, told):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        listening = {"isListeningConsumer": True, "consumerSshConfiguration": {"remoteProfile": "P"}}
        await call("POST", "/tradingpartners/", partner(partnerName="SFTP", code="S", username="sftp", **listening))
        got = await call("GET", f"/testtradingpartners/?{query}")
        assert (got.status, told in got.error) == (400, True)
        got = await call("GET", "/testtradingpartners/?connection=Consumer&tradingPartnerName=SFTP")
        assert (got.status, got.body[0]["tradingPartnerName"]) == (200, "SFTP")


# --- processes --------------------------------------------------------------------------------------------------------------

BOX = "/RIVERBEND/Inbound"


async def started(call, action="AP_SendX12", count=None):
    """The id of a process that a rule has started for one message, and the message."""
    hub = call.simulator.hub
    rule = {
        "name": f"R_{action}",
        "mailboxes": [str(hub.paths[BOX].id)],
        "evaluationMode": "manual",
        "actionType": "bp",
    }
    await call("POST", "/routingrules/", {**rule, "action": action, "runRuleAs": "apconnector"})
    message = hub.add_message(hub.paths[BOX], "a.edi", hub.add_document("a.edi", b"x"), count=1)
    assert (await call("POST", f"/routingrules/R_{action}/actions/evaluate")).status == 200
    return max(hub.instances), message


async def test_the_steps_of_a_process_are_all_listed_whatever_the_window(serve):
    async with serve() as call:
        number, message = await started(call)
        rows = (await call("GET", f"/workflowmonitors/?workFlowId={number}&fieldList=Full&_range=0-0")).body
        assert [row["exeState"] for row in rows] == ["Success"] * 3
        assert {row["docId"] for row in rows} == {message.document.id}
        assert re.fullmatch(r"2024-01-31 09:15:02\.\d+", rows[0]["startTime"])
        one = (await call("GET", f"/workflowmonitors/{rows[1]['wfcId']}")).body
        assert (one["serviceName"], one["workFlowId"], "docId" in one) == ("AP_SendX12", number, False)
        assert message.count == 0
        assert (await call("GET", "/workflowmonitors/?workFlowId=1")).body == []
        assert (await call("GET", "/workflowmonitors/?fieldList=names")).status == 400


@pytest.mark.parametrize("disabled", [True, False])
async def test_a_process_that_cannot_run_ends_with_an_error_and_takes_no_message(serve, disabled):
    async with serve() as call:
        if disabled:
            off = {"enableBusinessProcess": False}
            await call("POST", "/workflows/AP_SendX12/1/actions/toggleenabledworkflow", off)
        number, message = await started(call, "AP_SendX12" if disabled else "Nowhere")
        (row,) = (await call("GET", f"/workflowmonitors/?workFlowId={number}&fieldList=Full")).body
        assert (row["exeState"], row["basicStatus"], message.count) == ("Error", 1, 1)


async def test_a_post_ends_a_process_and_a_second_accept_line_starts_it_again(serve, raw_request):
    async with serve() as call:
        number, _ = await started(call)
        got = await call("POST", "/workflowmonitors/", {"workFlowId": number})
        assert got.status == 201
        rows = (await call("GET", f"/workflowmonitors/?workFlowId={number}")).body
        assert rows[-1]["exeState"] == "terminated"
        body = b'{"workFlowId": %d}' % number
        lines = [
            "Accept: application/json", f"Accept: {RESTART}", f"Authorization: {call.basic()}", "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]  # fmt: skip
        head, _ = await raw_request(call.simulator, "POST", "/workflowmonitors/", lines, body)
        assert head.startswith(b"HTTP/1.1 201")
        alone = {"Accept": f"{RESTART}+json"}
        assert (await call("POST", "/workflowmonitors/", {"workFlowId": number}, headers=alone)).status == 201
        effects = [entry["effect"] for entry in call.simulator.effects() if entry["effect"].startswith("process.")]
        assert effects == ["process.started", "process.terminated", "process.restarted", "process.restarted"]
        assert (await call("POST", "/workflowmonitors/", {"workFlowId": 1})).status == 400


# --- the File Gateway -------------------------------------------------------------------------------------------------------


async def test_a_file_goes_from_its_producer_to_the_consumers_of_its_channels(serve, partner):
    async with serve() as call:
        for name in ("PROD", "CONS", "OTHER"):
            await call("POST", "/tradingpartners/", partner(partnerName=name, code=name, username=name.lower()))
        channel = {"templateName": "T", "producer": "PROD", "consumer": "CONS", "provisioningFacts": []}
        key = (await call("POST", "/routingchannels/", channel)).id
        ends = "searchByTemplate=T&searchByProducer=PROD&searchByConsumer=CONS"
        assert [row["_id"] for row in (await call("GET", f"/routingchannelduplicatechecks/?{ends}")).body] == [key]
        call.simulator.deposit("/PROD", "a.txt", b"content")
        call.simulator.deposit("/OTHER", "b.txt", b"goes nowhere")
        (message,) = call.simulator.messages("/CONS")
        assert (message.name, message.document.payload) == ("a.txt", b"content")
        (file,) = (await call("GET", "/fgarrivedfiles/?producerName=PROD&fileName=a.txt")).body
        assert file["status"] == "Routed"
        assert [row["consumerName"] for row in (await call("GET", "/fgroutes/?searchFor=a")).body] == ["CONS"]
        assert (await call("GET", "/fgarrivedfiles/?producerName=OTHER")).body == []
        for action, copies in (("redeliver", 2), ("replay", 3)):
            assert (await call("POST", f"/fgarrivedfiles/{file['_id']}/actions/{action}")).status == 200
            assert len(call.simulator.messages("/CONS")) == copies
        told = (await call("GET", "/testsfgdeliverystatus/?fileName=a.txt&producerName=PROD&defaultTimeout=5")).body
        assert [row["status"] for row in told] == ["Delivered"] * 3
        assert (await call("GET", "/testsfgdeliverystatus/")).status == 400
        assert (await call("PUT", f"/fgarrivedfiles/{file['_id']}", {"comment": "seen"})).body == {"rowsAffected": 1}
        assert (await call("DELETE", f"/fgarrivedfiles/{file['_id']}")).status == 405


async def test_a_channel_may_be_deleted_in_part_only(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        key = (await call("POST", "/routingchannels/", {"templateName": "T", "producer": "V00123"})).id
        call.simulator.faults.add(Fault(kind="partial", match="DELETE routingchannels/*", lacking=frozenset({"part"})))
        got = await call("DELETE", f"/routingchannels/{key}")
        assert (got.status, got.error.startswith("API000102: ")) == (400, True)
        assert (await call("GET", f"/routingchannels/{key}")).status == 404


# --- definitions and schedules in full ----------------------------------------------------------------------------------------


async def test_a_definition_keeps_all_its_settings(serve):
    async with serve() as call:
        settings = {
            "persistenceLevel": 1,
            "recoveryLevel": 4,
            "removalMethod": 1,
            "queue": 5,
            "lifespanDays": 3,
            "documentTracking": True,
            "node": "node1",
        }
        await call("POST", "/workflows/", {"name": "P", "businessProcess": "<process name='P'/>", **settings})
        row = (await call("GET", "/workflows/P/1?fieldList=full")).body
        assert (row["recoveryLevel"], row["removalMethod"]["display"]) == ({"code": 4, "display": "Terminate"}, "Purge")
        assert (row["persistenceLevel"]["code"], row["queue"]["code"], row["lifespanDays"]) == (1, 5, 3)
        assert (row["documentTracking"]["code"], row["node"]) == (True, "node1")
        assert row["eventReportingLevel"] == {"code": 0, "display": "Full"}


async def test_an_update_of_a_definition_changes_it_in_place_and_another_process_makes_the_next_version(serve):
    async with serve() as call:
        process = {"name": "P", "businessProcess": "<process name='P'/>", "recoveryLevel": 3}
        await call("POST", "/workflows/", process)
        same = {
            "description": "d",
            "businessProcess": process["businessProcess"],
            "removalMethod": 1,
            "setThisVersionAsDefault": True,
        }
        assert (await call("PUT", "/workflows/P/1/", same)).body == {"rowsAffected": 1}
        assert (await call("PUT", "/workflows/P/1/", {"businessProcess": "<process name='P'>2</process>"})).body == {
            "rowsAffected": 1
        }
        rows = (await call("GET", "/workflows/?searchFor=P&fieldList=full")).body
        assert [(row["_id"], row["removalMethod"]["code"], row["recoveryLevel"]["code"]) for row in rows] == [
            ("P/1", 1, 3),
            ("P/2", 1, 3),
        ]
        assert [row["setThisVersionAsDefault"]["code"] for row in rows] == [True, False]


async def test_keys_and_certificates_are_read_with_what_their_clients_want(serve):
    async with serve() as call:
        for name, (key, more) in KEPT.items():
            if key in ("keyName", "certName"):
                await call("POST", f"/{name}/", {key: "k", **more})
                row = (await call("GET", f"/{name}/k")).body
                wanted = {"keyName": {"keyId", "keyFingerPrint", "keyLength"}, "certName": {"certData", "systemCertId", "createdOrUpdatedBy", "creationOrUpdateTime"}}  # fmt: skip
                assert wanted[key] <= row.keys()
                coded = (
                    {"verifyValidity", "verifyAuthChain"} if key == "certName" else {"keyStatusEnabled"} & more.keys()
                )
                assert all(isinstance(row[each]["code"], bool) for each in coded)
        row = (await call("GET", "/sshuseridentitykeys/k")).body
        assert base64.b64decode(row["publicKeyData"]).startswith(b"ssh-rsa ")


async def test_channels_and_roots_are_searched_with_wildcards(serve, partner):
    async with serve() as call:
        for name in ("PROD", "PROD2"):
            await call("POST", "/tradingpartners/", partner(partnerName=name, code=name, username=name))
            await call("POST", "/routingchannels/", {"templateName": "T_" + name, "producer": name})
        found = (await call("GET", "/routingchannels/?searchByProducer=PROD&_range=0-999")).body
        assert len(found) == 2
        assert len((await call("GET", "/routingchannels/?searchByProducer=%25D2&_range=0-999")).body) == 1
        assert (await call("GET", "/routingchannels/?searchByTemplate=X")).status == 404
        assert [row["userName"] for row in (await call("GET", "/uservirtualroots/?userName=PROD2")).body] == ["PROD2"]
        assert len((await call("GET", "/uservirtualroots/?userName=PROD")).body) == 2


async def test_a_user_may_be_made_as_a_public_example_makes_one(serve):
    async with serve() as call:
        await call("POST", "/sshauthorizeduserkeys/", {"keyName": "k", "keyStatusEnabled": "TRUE", "keyData": "c3No"})
        user = {
            "authenticationType": "local",
            "givenName": "P",
            "surname": "s",
            "userId": "sftpuser13",
            "password": "sterling",
        }
        user["permissions"] = [
            {"name": "Mailbox Login Without Virtual Root Permission"},
            {"name": "/RIVERBEND/Inbound Mailbox"},
        ]
        user["authorizedUserKeys"] = [{"name": "k"}]
        user["preferredLanguage"], user["sessionTimeout"] = "en", None
        assert (await call("POST", "/useraccounts/", user)).status == 201
        row = (await call("GET", "/useraccounts/sftpuser13")).body
        assert (row["authenticationType"]["code"], row["preferredLanguage"]["code"]) == ("Local", "en")


async def test_what_is_read_may_be_sent_back_but_to_a_server_that_refuses_it(serve, partner):
    for strict, status in ((False, 200), (True, 400)):
        async with serve(refuse_links=strict) as call:
            rows = [{"senderCode": "1", "receiverCode": "A", "text1": "x"}]
            await call("POST", "/codelists/", {"codeListName": "L", "codes": rows})
            (row,) = (await call("GET", "/codelistcodes/?listName=L&listVersion=-1")).body
            row["text1"] = "y"
            assert (await call("PUT", f"/codelistcodes/{row['_id']}", row)).status == status
            assert (await call("GET", "/codelistcodes/?listName=L")).body[0]["text1"] == ("x" if strict else "y")


async def test_a_schedule_keeps_its_plan_and_a_permission_its_type(serve):
    async with serve() as call:
        plan = {
            "dailySchedule": {"times": ["06:00"]},
            "dateExclusions": ["2024-12-25"],
            "bpNameValuePairs": [{"name": "a", "value": "b"}],
        }
        assert (await call("PUT", "/schedules/MailboxEvaluateAllAutomaticRules", plan)).status == 200
        row = (await call("GET", "/schedules/MailboxEvaluateAllAutomaticRules")).body
        assert {name: row[name] for name in plan} == plan
        await call("POST", "/permissions/", {"permissionName": "X", "permissionType": 1})
        assert (await call("PUT", "/permissions/X", {"permissionType": 7})).status == 200
        assert (await call("GET", "/permissions/X")).body["permissionType"] == {"code": 7, "display": "Service"}
        assert (await call("PUT", "/permissions/X", {"permissionType": 8})).status == 400
