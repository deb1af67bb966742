"""What publicly known scripts do, call by call: cleaning up partners, importing code lists, provisioning a partner with its rule."""

from __future__ import annotations

from urllib.parse import quote


async def test_a_clean_up_script_deletes_the_channels_of_a_partner_and_then_the_partner(serve, partner):
    async with serve() as call:
        await call("POST", "/tradingpartners/", partner())
        await call("POST", "/tradingpartners/", partner(partnerName="SYSTEMX", code="X", username="systemx"))
        for producer, consumer in (("V00123", "SYSTEMX"), ("SYSTEMX", "V00123")):
            body = {"templateName": "SendFile", "producer": producer, "consumer": consumer, "provisioningFacts": []}
            assert (await call("POST", "/routingchannels/", body)).status == 201
        for side in ("searchByProducer", "searchByConsumer"):
            found = await call("GET", f"/routingchannels/?_range=0-999&{side}=V00123")
            for row in found.body if found.status == 200 else []:
                assert (await call("DELETE", f"/routingchannels/{row['_id']}")).status == 200
        assert (await call("GET", "/routingchannels/?searchByProducer=V00123")).status == 404
        assert (await call("DELETE", "/tradingpartners//V00123")).status == 200
        assert [
            row["_id"] for row in (await call("GET", "/tradingpartners/?_range=0-999&_include=partnerName")).body
        ] == ["SYSTEMX"]


async def test_a_code_list_tool_probes_makes_fills_and_replaces_a_version(serve):
    async with serve() as call:
        assert (await call("HEAD", "/codelists/?_range=0-0")).status == 200
        rows = [
            {"senderCode": str(9000 + n), "receiverCode": f"F0_{n:02}", "description": f"Partner {n}", "text1": "xyz"}
            for n in range(3)
        ]
        made = await call("POST", "/codelists/", {"codeListName": "Mobile Suppliers", "listStatus": 1, "codes": rows})
        assert made.status == 201
        listed = (await call("GET", "/codelists/?codeListName=Mobile+Suppliers&versionNumber=-1&_exclude=codes")).body
        key = quote(listed[0]["_id"], safe="")
        more = {"codes": [{**rows[0], "text1": "changed"}, {**rows[1], "senderCode": "9100"}], "listStatus": 1}
        assert (await call("POST", f"/codelists/{key}/actions/bulkUpdateCodes", more)).status == 200
        codes = (await call("GET", "/codelistcodes/?listName=Mobile%20Suppliers&listVersion=1")).body
        assert {(each["senderCode"], each["text1"]) for each in codes} == {
            ("9000", "changed"), ("9001", "xyz"), ("9002", "xyz"), ("9100", "xyz"),
        }  # fmt: skip
        assert (await call("DELETE", f"/codelists/{key}")).body == {"rowsAffected": 1}


async def test_a_provisioning_script_makes_community_partner_inbox_and_rule_and_runs_it(serve, partner):
    async with serve() as call:
        await call("POST", "/communities/", {"name": "SUPPLIERS", "partnersInitiateConnections": "true"})
        await call("POST", "/tradingpartners/", partner(community="SUPPLIERS"))
        box = {
            "path": "/V00123/Inbox",
            "description": "in",
            "mailboxType": "R",
            "createParentMailbox": True,
            "users": "v00123,apconnector",
        }
        number = (await call("POST", "/mailboxes/", box)).id
        assert "already exists" in (await call("POST", "/mailboxes/", box)).error
        rule = {
            "name": "AP_V00123",
            "mailboxes": [number],
            "messageNamePattern": "*.edi",
            "evaluationMode": "automatic",
        }
        rule |= {"actionType": "bp", "action": "Process", "runRuleAs": "apconnector"}
        assert (await call("POST", "/routingrules/", rule)).status == 201
        duplicate = await call("POST", "/routingrules/", rule)
        assert (duplicate.status, "Duplicate RoutingRule" in duplicate.error) == (400, True)
        call.simulator.deposit("/V00123/Inbox", "850.edi", b"ISA")
        assert (await call("POST", "/routingrules/AP_V00123/actions/evaluate")).status == 200
        assert [e["action"] for e in call.simulator.effects() if e["effect"] == "process.started"] == ["Process"]
