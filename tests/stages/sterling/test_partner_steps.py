"""A partner is made in steps. Whatever breaks after any of them, the next run goes on, and nothing is made twice.

A real flow over a real ledger against the simulator, whose log of effects is the judge.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipeline import SystemClock
from pipeline.engine.request import RunRequest
from pipeline.engine.runner import run_flow
from pipeline.engine.services import Services, Stopping
from pipeline.flow.load import load_flow
from pipeline.registry import load_registry
from pipeline.store import open_ledger
from stages.ap.seed.world import World
from stages.sterling.simulator import Fault, SterlingSimulator, Switches
from stages.sterling.simulator import partners as simulated

RIVERBEND = {
    "code": "RIVERBEND",
    "name": "RIVERBEND",
    "vendors": ["V-1014", "V-1187"],
    "display_name": "Riverbend Produce",
    "city": "Salem",
    "mailboxes": ["/RIVERBEND/Inbound", "/RIVERBEND/Outbound"],
    "formerly": ["V-1014", "V-1187"],
}
OTHER = {"code": "OCEANIC", "name": "OCEANIC", "vendors": ["V-2"], "display_name": "Oceanic"}
SETTINGS = """
    community: NEW_ONES
    create_community: true
    groups: [AP_CONNECTOR]
    rule: { action: AP_SendX12, pattern: "810_*" }
    codes: { list: AP_ROUTES, texts: { text1: "{mailbox}" } }
"""
STEPS = [
    "POST communities",
    "POST tradingpartners",
    "POST mailboxes",
    "POST routingrules",
    "POST codelistcodes",
]
MADE = {
    "community.created": 1,
    "partner.created": 1,
    "user.created": 1,
    "mailbox.created": 3,
    "rule.created": 1,
    "code.created": 2,
}


class Rig:
    def __init__(self, folder, simulator):
        self.folder, self.simulator = folder, simulator
        self.flow = folder / "flow.yaml"
        self.notes = []
        self.settings(SETTINGS)

    def observe(self, what, value):
        if what == "note":
            self.notes.append(value)

    def settings(self, text):
        self.flow.write_text(
            f"""
flow: vendors
version: 1
connections:
  b2bi:
    type: sterling
    url: "{self.simulator.url}"
    auth: {{ basic: {{ user: "${{env:STERLING_USER}}", password: "${{env:STERLING_PASSWORD}}" }} }}
    settle: 30ms
defaults: {{ retry: {{ times: 8, first: 10ms, max: 20ms }} }}
stages:
  - wanted: {{ source: generic.lines, with: {{ path: wanted.jsonl, key: code, kind: partner }} }}
  - written:
      sink: sterling.partners
      via: b2bi
      with:{text.replace(chr(10), chr(10) + "    ")}
"""
        )

    def want(self, *partners):
        """The source sees these from now on, after what it has seen."""
        with self.folder.joinpath("wanted.jsonl").open("a") as file:
            file.writelines(json.dumps(each) + "\n" for each in partners)

    async def run(self, wait=5.0):
        environment = dict(self.simulator.environment)
        registry = load_registry()
        flow, findings = load_flow(self.flow, registry, environment, live=True)
        assert flow, findings
        services = Services.system(environment, self.observe)
        async with open_ledger(f"sqlite:///{self.folder}/ledger.db", SystemClock()) as ledger:
            return await run_flow(flow, registry, ledger, services, RunRequest(wait_seconds=wait), Stopping())

    def made(self):
        kinds = Counter(entry["effect"] for entry in self.simulator.effects())
        return {kind: count for kind, count in kinds.items() if kind.endswith(".created")}

    def details(self):
        return [(entry["effect"], entry) for entry in self.simulator.effects()]

    def whole(self):
        """What a partner must have in the end."""
        hub = self.simulator.hub
        user = hub.accounts["riverbend"]
        assert user.root == "/RIVERBEND"
        for path in ("/RIVERBEND", "/RIVERBEND/Inbound", "/RIVERBEND/Outbound"):
            assert f"{path} Mailbox" in user.permissions, path
        assert "/RIVERBEND/Inbound Mailbox" in hub.groups["AP_CONNECTOR"]
        rule = hub.rules["AP_OUT_RIVERBEND"]
        assert (rule.mailboxes, rule.action, rule.run_as) == (
            [hub.paths["/RIVERBEND/Inbound"].id],
            "AP_SendX12",
            "apconnector",
        )
        assert {pair: code["text1"] for pair, code in hub.code_lists["AP_ROUTES|||1"].codes.items()} == {
            ("V-1014", "RIVERBEND"): "/RIVERBEND/Inbound",
            ("V-1187", "RIVERBEND"): "/RIVERBEND/Inbound",
        }


@pytest.fixture
def rigs(tmp_path):
    @asynccontextmanager
    async def make(*wanted):
        world = World(
            company="H", company_name="H", sender="s", sender_password="s", user="u", user_password="u", entities=(), vendors=(),
            bills=(), purchases=(), partners=(), sterling_user="apconnector", sterling_password="Canary-pass-1",
            now=datetime(2024, 1, 31, tzinfo=UTC),
        )  # fmt: skip
        simulator = SterlingSimulator(world, SystemClock(), switches=Switches(refuse_links=True, put_replaces=True))
        async with simulator.listen():
            await routes(simulator)
            simulator.hub.effects.clear()
            rig = Rig(tmp_path, simulator)
            rig.want(*wanted)
            yield rig

    return make


async def routes(simulator):
    """The code list that must be there beforehand."""
    from stages.sterling.simulator.hub import CodeList

    made = CodeList("AP_ROUTES", "", "", 1, "", True, True, "admin", simulator.hub.clock.now())
    simulator.hub.code_lists[made.key] = made


async def test_everything_a_partner_needs_is_made_in_order_and_once(rigs):
    async with rigs(RIVERBEND) as rig:
        report = await rig.run()
        assert report.as_json()["delivered"] == 1
        assert rig.made() == MADE
        rig.whole()
        order = [entry["effect"] for entry in rig.simulator.effects()]
        assert order.index("community.created") < order.index("partner.created") < order.index("rule.created")
        rig.want(RIVERBEND)
        again = await rig.run()
        assert (again.as_json()["unchanged"], rig.made()) == (1, MADE)


LOST = [
    {"kind": "reset", "after": True},
    {"kind": "server_error", "status": 504, "after": True},
    {"kind": "truncated"},
    {"kind": "reset"},
    {"kind": "unavailable"},
]


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: f"{fault['kind']}-{'after' if fault.get('after') else 'x'}")
@pytest.mark.parametrize("step", STEPS)
async def test_a_lost_answer_or_call_at_any_step_is_made_good_in_the_same_run(rigs, step, fault):
    async with rigs(RIVERBEND) as rig:
        planned = rig.simulator.faults.add(Fault(match=step, **fault))
        report = await rig.run()
        assert planned.hits == 1
        assert report.as_json()["delivered"] == 1
        assert rig.made() == MADE
        rig.whole()


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("step", STEPS)
async def test_a_step_that_fails_for_a_whole_run_is_gone_on_with_by_the_next(rigs, step, after):
    async with rigs(RIVERBEND) as rig:
        broken = []

        def from_here(line):  # from this step on nothing answers any more, reads included
            if line == step or broken:
                broken.append(line)
            return bool(broken)

        rig.simulator.faults.add(Fault(kind="reset", match=from_here, after=after, times=None))
        first = await rig.run(wait=0.2)
        assert (first.as_json()["delivered"], len(broken) > 1) == (0, True)
        rig.simulator.faults.clear()
        second = await rig.run()
        assert second.problem is None
        assert rig.made() == MADE
        rig.whole()


@pytest.mark.parametrize("lacking", [["user"], ["mailbox"], ["root"], ["user", "mailbox", "root"]], ids="+".join)
async def test_a_partner_left_without_its_parts_by_a_failing_server_is_completed(rigs, lacking):
    async with rigs(RIVERBEND) as rig:
        rig.simulator.faults.add(Fault(kind="partial", match="POST tradingpartners", lacking=frozenset(lacking)))
        report = await rig.run()
        assert report.as_json()["delivered"] == 1
        assert {k: v for k, v in rig.made().items() if k != "root.created"} == MADE
        rig.whole()


async def test_a_refusal_in_the_middle_is_gone_on_with_once_it_is_mended(rigs):
    async with rigs(RIVERBEND) as rig:
        del rig.simulator.hub.code_lists["AP_ROUTES|||1"]
        first = await rig.run()
        assert first.stopped[0].code == "MLC-STL-0342"
        assert "code.created" not in rig.made()
        await routes(rig.simulator)
        await rig.run()
        assert rig.made() == MADE
        rig.whole()


async def test_what_people_set_up_by_hand_is_completed_and_otherwise_left_alone(rigs):
    async with rigs(RIVERBEND) as rig:
        await rig.run()
        hub = rig.simulator.hub
        hub.rules["AP_OUT_RIVERBEND"].mailboxes.append(hub.paths["/"].id)
        hub.code_lists["AP_ROUTES|||1"].codes["V-1014", "RIVERBEND"]["text9"] = "theirs"
        before = len(rig.simulator.effects())
        rig.want({**RIVERBEND, "city": "Keene"})
        await rig.run()
        assert [entry["effect"] for entry in rig.simulator.effects()[before:]] == ["partner.updated"]
        rig.settings(SETTINGS.replace("AP_SendX12", "AP_SendMore").replace("{mailbox}", "{answers}"))
        rig.want({**RIVERBEND, "city": "Dover"})
        await rig.run()
        rule, code = hub.rules["AP_OUT_RIVERBEND"], hub.code_lists["AP_ROUTES|||1"].codes["V-1014", "RIVERBEND"]
        assert (rule.action, hub.paths["/"].id in rule.mailboxes) == ("AP_SendMore", True)
        assert (code["text1"], code["text9"]) == ("/RIVERBEND/Outbound", "theirs")


RENAMED = {**RIVERBEND, "code": "RIVER-2", "name": "RIVER_2", "formerly": ["RIVERBEND"]}


def watched(simulator):
    """The automatic rules by what they start for which mailboxes."""
    paths = {box.id: path for path, box in simulator.hub.paths.items()}
    return {
        rule.name: sorted(paths[number] for number in rule.mailboxes)
        for rule in simulator.hub.rules.values()
        if rule.automatic
    }


def pairs(simulator):
    return {pair: code.get("text9", "") for pair, code in simulator.hub.code_lists["AP_ROUTES|||1"].codes.items()}


async def test_a_renamed_partner_keeps_its_rule_and_its_codes_get_the_new_code(rigs):
    async with rigs(RIVERBEND) as rig:
        await rig.run()
        rig.simulator.hub.code_lists["AP_ROUTES|||1"].codes["V-1187", "RIVERBEND"]["text9"] = "theirs"
        rig.want(RENAMED)
        await rig.run()
        assert watched(rig.simulator) == {"AP_OUT_RIVERBEND": ["/RIVERBEND/Inbound"]}
        assert pairs(rig.simulator) == {("V-1014", "RIVER-2"): "", ("V-1187", "RIVER-2"): "theirs"}
        rig.settings(SETTINGS.replace("AP_SendX12", "AP_SendMore"))
        rig.want({**RENAMED, "city": "Keene"})
        await rig.run()
        assert watched(rig.simulator) == {"AP_OUT_RIVERBEND": ["/RIVERBEND/Inbound"]}
        assert rig.simulator.hub.rules["AP_OUT_RIVERBEND"].action == "AP_SendMore"


@pytest.mark.parametrize("also", [False, True])
async def test_a_rule_under_a_former_code_beside_the_own_one_no_longer_starts_for_the_mailbox(rigs, also):
    async with rigs({**RENAMED, "formerly": []}) as rig:
        await rig.run()
        hub = rig.simulator.hub
        own = hub.rules["AP_OUT_RIVER_2"]
        boxes = own.mailboxes + ([hub.paths["/"].id] if also else [])
        hub.rules["AP_OUT_RIVERBEND"] = replace(own, name="AP_OUT_RIVERBEND", mailboxes=boxes)
        rig.want(RENAMED)
        await rig.run()
        expected = {"AP_OUT_RIVER_2": ["/RIVERBEND/Inbound"]} | ({"AP_OUT_RIVERBEND": ["/"]} if also else {})
        assert watched(rig.simulator) == expected
        assert "AP_OUT_RIVERBEND" in hub.rules


async def test_a_rule_that_does_the_same_is_no_reason_to_make_a_second(rigs):
    async with rigs(RIVERBEND) as rig:
        await rig.run()
        rules = rig.simulator.hub.rules
        rules["BY_HAND"] = replace(rules.pop("AP_OUT_RIVERBEND"), name="BY_HAND")
        rig.want({**RIVERBEND, "city": "Keene"})
        await rig.run()
        assert watched(rig.simulator) == {"BY_HAND": ["/RIVERBEND/Inbound"]}
        rules["BY_HAND"].action = "ANOTHER"
        rig.want({**RIVERBEND, "city": "Dover"})
        await rig.run()
        assert len(watched(rig.simulator)) == 2


async def test_partners_that_share_a_mailbox_share_its_rule(rigs):
    other = {**OTHER, "mailboxes": RIVERBEND["mailboxes"]}
    async with rigs(RIVERBEND) as rig:
        await rig.run()
        rig.want(other)
        await rig.run()
        assert watched(rig.simulator) == {"AP_OUT_RIVERBEND": ["/RIVERBEND/Inbound"]}


@pytest.mark.parametrize("fault", ["reset", "reset_after", "unavailable"])
async def test_a_code_that_could_not_be_removed_is_removed_by_whoever_looks_next(rigs, fault):
    async with rigs(RIVERBEND) as rig:
        await rig.run()
        rig.simulator.faults.add(Fault(kind=fault, match="DELETE codelistcodes*", times=None))
        rig.want(RENAMED)
        await rig.run(wait=0.5)
        rig.simulator.faults.clear()
        await rig.run()
        assert set(pairs(rig.simulator)) == {("V-1014", "RIVER-2"), ("V-1187", "RIVER-2")}


async def test_what_bears_a_former_code_that_another_partner_has_now_is_left_alone(rigs):
    async with rigs(RIVERBEND, OTHER) as rig:
        await rig.run()
        codes = rig.simulator.hub.code_lists["AP_ROUTES|||1"].codes
        codes["V-1014", "OCEANIC"] = {}
        rig.want({**RIVERBEND, "city": "Keene", "formerly": ["OCEANIC"]})
        await rig.run()
        assert ("V-1014", "OCEANIC") in codes


async def test_a_vendor_that_has_a_code_of_another_partner_already_is_told(rigs):
    async with rigs(OTHER) as rig:
        rig.simulator.hub.code_lists["AP_ROUTES|||1"].codes["V-1187", "OCEANIC"] = {}
        rig.want(RIVERBEND)
        await rig.run()
        (note,) = rig.notes
        assert note.startswith("code list AP_ROUTES|||1 has V-1187 for OCEANIC as well as for RIVERBEND")


async def test_a_vendor_that_gets_a_partner_file_keeps_its_trading_partner(rigs):
    async with rigs({"code": "V-1014", "name": "V_1014", "vendors": ["V-1014"], "display_name": "Riverbend"}) as rig:
        await rig.run()
        rig.want(RIVERBEND)
        await rig.run()
        partners = rig.simulator.hub.partners
        assert {name: row["code"] for name, row in partners.items()} == {"V_1014": "RIVERBEND"}


async def test_without_settings_for_them_there_are_no_rules_and_no_codes(rigs):
    async with rigs(RIVERBEND) as rig:
        rig.settings("\n    community: AP_VENDORS\n    mailboxes: false\n")
        await rig.run()
        assert rig.made() == {"partner.created": 1, "user.created": 1, "mailbox.created": 1}


async def test_an_account_that_may_list_neither_users_nor_mailboxes_still_writes_partners(rigs):
    async with rigs(RIVERBEND) as rig:
        rig.settings("\n    community: AP_VENDORS\n")
        for name in ("mailboxes", "useraccounts"):
            rig.simulator.faults.add(Fault(kind="html", status=403, match=f"GET {name}", times=None))
        report = await rig.run()
        assert report.as_json()["delivered"] == 1
        assert rig.made() == {"partner.created": 1, "user.created": 1, "mailbox.created": 1}


async def test_the_generated_passwords_are_in_no_ledger(rigs):
    async with rigs(RIVERBEND) as rig:
        rig.simulator.faults.add(Fault(kind="partial", match="POST tradingpartners", lacking=frozenset({"user"})))
        await rig.run()
        password = rig.simulator.hub.accounts["riverbend"].password.encode()
        assert password.startswith(b"Mlc-1")
        assert not [path for path in rig.folder.iterdir() if path.is_file() and password in path.read_bytes()]


BLOCKING = "\n    community: AP_VENDORS\n    inactive: block\n"


async def test_the_login_of_an_inactive_vendor_is_blocked_and_given_back_and_the_partner_stays(rigs):
    async with rigs(RIVERBEND) as rig:
        rig.settings(BLOCKING)
        await rig.run()
        hub = rig.simulator.hub
        before = sorted(hub.accounts["riverbend"].permissions)
        rig.want({**RIVERBEND, "active": False})
        assert (await rig.run()).as_json()["delivered"] == 1
        assert (hub.accounts["riverbend"].permissions, "RIVERBEND" in hub.partners) == ([], True)
        assert hub.accounts["riverbend"].fields["surname"] == "Riverbend Produce"
        rig.want(RIVERBEND)
        await rig.run()
        assert sorted(hub.accounts["riverbend"].permissions) == before
        assert rig.made() == {"partner.created": 1, "user.created": 1, "mailbox.created": 3}


@pytest.mark.parametrize(
    "fault", LOST[:2] + LOST[3:], ids=lambda fault: f"{fault['kind']}-{'after' if fault.get('after') else 'x'}"
)
async def test_a_block_whose_answer_is_lost_is_made_once(rigs, fault):
    async with rigs(RIVERBEND) as rig:
        rig.settings(BLOCKING)
        await rig.run()
        rig.simulator.faults.add(Fault(match="PUT useraccounts/*", **fault))
        rig.want({**RIVERBEND, "active": False})
        assert (await rig.run()).as_json()["delivered"] == 1
        assert [entry["effect"] for entry in rig.simulator.effects()].count("user.updated") == 1


async def test_what_a_blocked_login_had_beside_its_mailboxes_is_told_when_it_is_taken_and_when_it_does_not_come_back(
    rigs,
):
    async with rigs(RIVERBEND) as rig:
        rig.settings(BLOCKING)
        await rig.run()
        user = rig.simulator.hub.accounts["riverbend"]
        user.permissions.append("APIUser")
        rig.want({**RIVERBEND, "active": False})
        await rig.run()
        assert [note for note in rig.notes if "loses the permissions APIUser" in note]
        rig.want(RIVERBEND)
        await rig.run()
        assert "APIUser" not in user.permissions
        assert [note for note in rig.notes if "give it by hand" in note]


async def test_a_virtual_root_that_was_deleted_is_made_again(rigs):
    other = {**RIVERBEND, "code": "OTHER", "name": "OTHER", "vendors": ["V-9"], "mailboxes": []}
    async with rigs(RIVERBEND, other) as rig:
        await rig.run()
        user = rig.simulator.hub.accounts["riverbend"]
        user.root = ""
        rig.want({**RIVERBEND, "city": "Elsewhere"})
        await rig.run()
        assert user.root == "/RIVERBEND"
        assert rig.made().get("root.created") == 1


async def test_an_inactive_vendor_that_never_was_a_partner_is_not_made_one(rigs):
    async with rigs({**RIVERBEND, "active": False}) as rig:
        report = await rig.run()
        assert (report.as_json()["delivered"], rig.made()) == (1, {})


async def test_unless_asked_for_nothing_is_taken_away_from_the_partner_of_an_inactive_vendor(rigs):
    async with rigs(RIVERBEND) as rig:
        await rig.run()
        before = len(rig.simulator.effects())
        rig.want({**RIVERBEND, "active": False})
        await rig.run()
        assert rig.simulator.effects()[before:] == ()


async def test_rights_that_people_changed_by_hand_are_not_given_back(rigs):
    async with rigs(RIVERBEND) as rig:
        rig.settings(BLOCKING)
        await rig.run()
        permissions = rig.simulator.hub.accounts["riverbend"].permissions
        permissions[:] = ["/RIVERBEND Mailbox"]
        rig.want({**RIVERBEND, "city": "Dover"})
        await rig.run()
        assert permissions == ["/RIVERBEND Mailbox"]


@pytest.mark.parametrize("part", ["user", "mailbox"])
async def test_a_partner_that_lacks_a_part_is_completed_by_a_ledger_that_knows_nothing_of_it(rigs, part):
    async with rigs(RIVERBEND, OTHER) as rig:
        await rig.run()
        hub = rig.simulator.hub
        if part == "user":
            hub.remove_account("riverbend")
        else:
            for path in ("/RIVERBEND/Inbound", "/RIVERBEND/Outbound", "/RIVERBEND"):
                hub.remove_mailbox(hub.paths[path])
        rig.folder.joinpath("ledger.db").unlink()
        report = await rig.run()
        assert report.as_json()["delivered"] == 2
        rig.whole()
        assert rig.made()["partner.created"] == 2


@pytest.mark.parametrize("collections", [("POST useraccounts", "POST mailboxes"), ("POST mailboxes",)])
async def test_a_level_that_cannot_make_what_belongs_to_partners_has_them_without(rigs, collections):
    async with rigs(RIVERBEND, OTHER) as rig:
        rig.settings("\n    community: AP_VENDORS\n")
        for line in collections:
            rig.simulator.faults.add(Fault(kind="html", status=405, match=line, times=None))
        assert (await rig.run()).as_json()["delivered"] == 2
        rig.simulator.hub.remove_account("riverbend")
        rig.want({**RIVERBEND, "city": "Dover"})
        assert (await rig.run()).as_json()["delivered"] == 1
        assert rig.simulator.hub.partners["RIVERBEND"]["city"] == "Dover"


async def test_lists_that_show_nothing_of_any_partner_are_no_reason_to_make_anything(rigs):
    """A server that keeps its partners' users and mailboxes out of these lists, as a gateway or another product may."""
    async with rigs(RIVERBEND, OTHER) as rig:
        rig.settings("\n    community: AP_VENDORS\n    mailboxes: false\n")
        await rig.run()
        hub = rig.simulator.hub
        for user, path in (("riverbend", "/RIVERBEND"), ("oceanic", "/OCEANIC")):
            hub.remove_account(user)
            hub.remove_mailbox(hub.paths[path])
        before = len(hub.effects)
        rig.want({**RIVERBEND, "city": "Dover"})
        await rig.run()
        assert [effect["effect"] for effect in hub.effects[before:]] == ["partner.updated"]


async def test_a_rule_whose_mailbox_may_not_be_looked_up_stops_with_what_to_ask_for(rigs):
    async with rigs(RIVERBEND) as rig:
        rig.simulator.faults.add(Fault(kind="html", status=403, match="GET mailboxes", times=None))
        report = await rig.run(wait=0.2)
        assert [error.code for error in report.stopped] == ["MLC-STL-0345"]


@pytest.mark.parametrize("lacking", [[], ["user"], ["user", "mailbox", "root"]], ids=["nothing", "user", "everything"])
async def test_a_level_whose_reads_leave_the_login_user_out_is_completed_all_the_same(rigs, monkeypatch, lacking):
    monkeypatch.setattr(simulated, "NEVER_READ", simulated.NEVER_READ | {"username"})
    async with rigs(RIVERBEND) as rig:
        fault = Fault(kind="partial", match="POST tradingpartners", lacking=frozenset(lacking))
        rig.simulator.faults.add(fault if lacking else Fault(kind="reset", match="POST tradingpartners", after=True))
        report = await rig.run()
        assert report.as_json()["delivered"] == 1
        rig.whole()
