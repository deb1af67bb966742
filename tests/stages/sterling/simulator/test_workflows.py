"""Process definitions in versions, with their known oddities, and the schedules that start things."""

from __future__ import annotations

import pytest

PROCESS = {"name": "AP_Route", "description": "first", "businessProcess": "<process name='AP_Route'/>"}
EVALUATION = "MailboxEvaluateAllAutomaticRules"


async def made(call, *descriptions):
    return [(await call("POST", "/workflows/", {**PROCESS, "description": each})).id for each in descriptions]


async def test_each_creation_of_a_name_is_a_version(serve):
    async with serve() as call:
        got = await call("POST", "/workflows/", PROCESS)
        assert (got.status, got.body["Location"].endswith("/workflows/AP_Route/1")) == (201, True)
        await call("POST", "/workflows/", {**PROCESS, "description": "second"})
        rows = (await call("GET", "/workflows/?searchFor=AP_Route&_range=0-999")).body
        assert [(row["_id"], row["description"], row["defaultVersion"]["code"]) for row in rows] == [
            ("AP_Route/1", "first", True), ("AP_Route/2", "second", False),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "id_", "version"),
    [
        ("AP_Route/1", "AP_Route/1", 1),
        ("AP_Route", "AP_Route/2", 2),  # the newest, which is not the default
        ("AP_Route/9", "AP_Route/2", 9),  # another version under the number that was asked for
    ],
)
async def test_only_the_id_tells_which_version_was_read(serve, path, id_, version):
    async with serve() as call:
        await made(call, "first", "second")
        row = (await call("GET", f"/workflows/{path}")).body
        assert (row["_id"], row["wfdVersion"]) == (id_, version)


@pytest.mark.parametrize(("detail", "process"), [("", False), ("brief", False), ("Full", True), ("names", False)])
async def test_the_detail_of_a_list_is_asked_for(serve, detail, process):
    async with serve() as call:
        await made(call, "first")
        rows = (await call("GET", f"/workflows/?searchFor=AP_Route{'&fieldList=' + detail if detail else ''}")).body
        assert [("businessProcess" in row, "description" in row) for row in rows] == [(process, detail != "names")]
        assert (await call("GET", "/workflows/?fieldList=all")).status == 400


async def test_actions_change_the_default_and_enable(serve):
    async with serve() as call:
        await made(call, "first", "second")
        assert (await call("POST", "/workflows/AP_Route/2/actions/changedefaultversion")).status == 200
        got = await call(
            "POST", "/workflows/AP_Route/1/actions/toggleEnabledWorkflow", {"enableBusinessProcess": False}
        )
        assert got.status == 200
        rows = (await call("GET", "/workflows/?searchFor=AP_Route")).body
        assert [(row["defaultVersion"]["code"], row["enableBusinessProcess"]["code"]) for row in rows] == [
            (False, False), (True, True),
        ]  # fmt: skip


async def test_a_version_is_deleted_by_its_id_only(serve):
    async with serve() as call:
        await made(call, "first", "second")
        assert (await call("DELETE", "/workflows/AP_Route")).status == 404
        assert (await call("DELETE", "/workflows/AP_Route/1")).body == {"rowsAffected": 1}
        assert (await call("GET", "/workflows/AP_Route")).body["_id"] == "AP_Route/2"


@pytest.mark.parametrize("body", [{}, {"name": "a b", "businessProcess": "x"}, {"name": "A"}, {**PROCESS, "wfdID": 5}])
async def test_a_definition_that_breaks_a_rule_is_refused(serve, body):
    async with serve() as call:
        assert (await call("POST", "/workflows/", body)).status == 400


async def test_the_evaluation_of_rules_is_scheduled_but_disabled(serve):
    async with serve() as call:
        row = (await call("GET", f"/schedules/{EVALUATION}")).body
        assert (row["scheduleStatusEnabled"], row["timerSchedule"]) == (
            {"code": False, "display": "No"}, {"hours": 0, "minutes": 1},
        )  # fmt: skip


async def test_an_enabled_schedule_evaluates_the_rules_every_minute(serve, clock):
    async with serve() as call:
        number = str(call.simulator.hub.paths["/RIVERBEND/Inbound"].id)
        rule = {"name": "R", "mailboxes": [number], "evaluationMode": "automatic", "actionType": "bp", "action": "X"}
        await call("POST", "/routingrules/", {**rule, "runRuleAs": "apconnector"})
        call.simulator.deposit("/RIVERBEND/Inbound", "a.edi", b"x")

        async def started(seconds):
            await clock.advance(seconds)
            await call("GET", "/mailboxes/?_range=0-0")
            return sum(effect["effect"] == "process.started" for effect in call.simulator.effects())

        assert await started(120) == 0
        assert (await call("PUT", f"/schedules/{EVALUATION}", {"scheduleStatusEnabled": True})).status == 200
        assert await started(59) == 0
        assert await started(2) == 1
        assert await started(120) == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"runAsUser": "nobody"}, "nobody does not exist"),
        ({"timerSchedule": {"hours": 0, "minutes": 0}}, "timerSchedule"),
        ({"timerSchedule": {"hours": "1"}}, "timerSchedule"),
        ({"timerSchedule": {"days": 1}}, "days"),
        ({"scheduleName": "other"}, "cannot be changed"),
    ],
)
async def test_a_schedule_that_breaks_a_rule_is_refused(serve, body, told):
    async with serve() as call:
        got = await call("PUT", f"/schedules/{EVALUATION}", body)
        assert (got.status, told in got.error) == (400, True)


async def test_a_schedule_is_made_once_and_deleted(serve):
    async with serve() as call:
        body = {"scheduleName": "Nightly", "runAsUser": "apconnector", "timerSchedule": {"hours": 24}}
        assert [(await call("POST", "/schedules/", body)).status for _ in range(2)] == [201, 400]
        assert (await call("DELETE", "/schedules/Nightly")).status == 200
        assert (await call("GET", "/schedules/Nightly")).status == 404
