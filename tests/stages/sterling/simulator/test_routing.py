"""Routing rules: what one may say, and that a message is considered once."""

from __future__ import annotations

import pytest

BOX = "/RIVERBEND/Inbound"


@pytest.fixture
def rule():
    def body(call, **changes):
        number = str(call.simulator.hub.paths[BOX].id)
        plain = {"name": "AP_OUT", "mailboxes": [number], "messageNamePattern": "810_*", "evaluationMode": "automatic"}
        plain |= {"actionType": "bp", "action": "AP_SendX12", "runRuleAs": "apconnector"}
        return {name: value for name, value in {**plain, **changes}.items() if value is not ...}

    return body


def started(call):
    return [entry["message"] for entry in call.simulator.effects() if entry["effect"] == "process.started"]


async def test_a_rule_is_read_with_coded_values_and_mailboxes_as_texts(serve, rule):
    async with serve() as call:
        assert (await call("POST", "/routingrules/", rule(call))).id == "AP_OUT"
        row = (await call("GET", "/routingrules/AP_OUT")).body
        assert row["mailboxes"] == [str(call.simulator.hub.paths[BOX].id)]
        assert (row["evaluationMode"]["code"], row["actionType"]["code"]) == ("automatic", "bp")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mailboxes": ["99999"]}, "mailbox 99999 does not exist"),
        ({"mailboxes": []}, "required"),
        ({"mailboxes": "104"}, "list of texts"),
        ({"runRuleAs": "nobody"}, "nobody does not exist"),
        ({"evaluationMode": "sometimes"}, "evaluationMode"),
        ({"action": ...}, "action"),
    ],
)
async def test_a_rule_that_breaks_a_rule_is_refused(serve, rule, changes, told):
    async with serve() as call:
        got = await call("POST", "/routingrules/", rule(call, **changes))
        assert (got.status, told in got.error) == (400, True)


async def test_a_second_rule_of_the_name_is_a_duplicate(serve, rule):
    async with serve() as call:
        await call("POST", "/routingrules/", rule(call))
        got = await call("POST", "/routingrules/", rule(call))
        assert (got.status, got.error) == (400, "Duplicate RoutingRule AP_OUT")


async def test_an_update_changes_what_it_names(serve, rule):
    async with serve() as call:
        await call("POST", "/routingrules/", rule(call))
        assert (await call("PUT", "/routingrules/AP_OUT", {"action": "Other"})).body == {"rowsAffected": 1}
        row = (await call("GET", "/routingrules/AP_OUT")).body
        assert (row["action"], row["messageNamePattern"]) == ("Other", "810_*")


async def test_nothing_is_evaluated_while_the_schedule_is_off_as_it_ships(serve, rule):
    async with serve() as call:
        await call("POST", "/routingrules/", rule(call))
        call.simulator.deposit(BOX, "810_1", b"x")
        assert started(call) == []


async def test_automatic_evaluation_offers_each_message_once(serve, rule):
    async with serve() as call:
        before = call.simulator.deposit(BOX, "810_0", b"x")
        call.simulator.evaluate_rules()
        await call("POST", "/routingrules/", rule(call))
        first, _ = call.simulator.deposit(BOX, "810_1", b"x"), call.simulator.deposit(BOX, "997_1", b"x")
        call.simulator.deposit("/OCEANIC/Inbound", "810_2", b"x")
        assert call.simulator.evaluate_rules() == 1
        assert call.simulator.evaluate_rules() == 0
        assert started(call) == [first]
        assert before not in started(call)


async def test_a_message_that_came_before_its_rule_is_taken_by_hand_only_and_once(serve, rule):
    async with serve() as call:
        message = call.simulator.deposit(BOX, "810_0", b"x")
        call.simulator.evaluate_rules()
        await call("POST", "/routingrules/", rule(call))
        for _ in range(2):
            assert (await call("POST", "/routingrules/AP_OUT/actions/evaluate")).status == 200
        assert started(call) == [message]


async def test_a_rule_without_a_pattern_takes_every_name_and_a_manual_one_waits(serve, rule):
    async with serve() as call:
        await call("POST", "/routingrules/", rule(call, messageNamePattern=None, evaluationMode="manual"))
        message = call.simulator.deposit(BOX, "anything", b"x")
        assert call.simulator.evaluate_rules() == 0
        await call("POST", "/routingrules/AP_OUT/actions/evaluate")
        assert started(call) == [message]


async def test_a_started_process_uses_up_a_counted_message(serve, rule):
    async with serve() as call:
        await call("POST", "/routingrules/", rule(call))
        hub = call.simulator.hub
        message = hub.add_message(hub.paths[BOX], "810_1", hub.add_document("d", b"x"), count=1)
        call.simulator.evaluate_rules()
        assert message.count == 0
