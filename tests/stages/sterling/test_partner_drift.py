"""What `drift` tells of trading partners: by the lists, in both directions, with why."""

from __future__ import annotations

import msgspec
import pytest

from pipeline import Document, RandomIds
from stages.ap.partner import TradingPartner
from stages.sterling.config import CodesSettings, PartnerSettings, RuleSettings
from stages.sterling.partner_sink import PartnerSink

PARTNERS = "/tradingpartners/"
WANTED = TradingPartner(code="V-1", name="V_1", vendors=("V-1",), display_name="One", city="Salem")


def row(name="V_1", code="V-1", **members):
    return {"_id": name, "partnerName": name, "code": code, "community": "AP", "city": "Salem", **members}


@pytest.fixture
def drift(far, wire, connected):
    """The drift of these wanted partners, with those rows on the far side."""

    async def look(*wanted, there=(), whole=(), left_out=None, **settings):
        far.on("GET", PARTNERS, wire.range(list(there)))
        for each in whole or there:
            far.on("GET", f"{PARTNERS}{each['partnerName']}", each)
        documents = [
            Document(set="vendor", partner=each.code, body=msgspec.json.encode(each, order="deterministic"))
            for each in wanted
        ]
        async with connected() as client:
            sink = PartnerSink(client, PartnerSettings(**{"community": "AP", **settings}), RandomIds())
            return await sink.drift(documents, left_out or {})

    return look


async def test_what_is_the_same_is_no_drift_and_costs_no_read_of_a_partner(far, drift):
    assert await drift(WANTED, there=[row()]) == []
    assert far.calls("GET", f"{PARTNERS}V_1") == []


async def test_a_member_that_differs_is_told_with_both_values(drift):
    (found,) = await drift(WANTED, there=[row(city={"code": "Keene", "display": "Keene, NH"})])
    assert (found.kind, found.key, found.name, found.fields) == ("differs", "V-1", "V_1", {"city": ("Salem", "Keene")})


async def test_a_list_that_leaves_members_out_is_no_difference(far, drift):
    brief = {"_id": "V_1", "partnerName": "V_1", "code": "V-1"}
    assert await drift(WANTED, there=[brief], whole=[row()]) == []
    assert len(far.calls("GET", f"{PARTNERS}V_1")) == 1


async def test_what_is_not_there_is_missing_unless_its_vendor_is_inactive(drift):
    (found,) = await drift(WANTED, msgspec.structs.replace(WANTED, code="V-2", name="V_2", active=False))
    assert (found.kind, found.key, found.name, found.note) == ("missing", "V-1", "", "of One")


async def test_a_code_of_several_partners_is_told_and_the_comparison_goes_on(drift):
    found = await drift(WANTED, msgspec.structs.replace(WANTED, code="V-2", name="V_2"), there=[row("A"), row("B")])
    assert [(drift.kind, drift.name) for drift in found] == [("differs", "A, B"), ("missing", "")]


async def test_one_that_is_to_be_taken_over_is_neither_missing_nor_extra(drift):
    wanted = msgspec.structs.replace(
        WANTED, code="RIVER", name="RIVER", vendors=("V-1", "V-9"), formerly=("V-1", "V-9")
    )
    (found,) = await drift(wanted, there=[row()])
    assert found.fields == {"code": ("RIVER", "V-1")}


EXTRA = [
    (row("V_9", "V-9"), "the vendor is merged into partner RIVER now"),
    (row("V_5", "V-5"), "the flow leaves its vendor out: not active"),
    (row("BYHAND", "X"), "no vendor has this code"),
    (row("NOCODE", ""), "it has no code"),
]


@pytest.mark.parametrize(("there", "note"), EXTRA)
async def test_what_nobody_wants_is_extra_and_says_why(drift, there, note):
    wanted = msgspec.structs.replace(
        WANTED, code="RIVER", name="RIVER", vendors=("V-1", "V-9"), formerly=("V-1", "V-9")
    )
    found = await drift(wanted, there=[row("RIVER", "RIVER"), there], left_out={"V-5": "not active"})
    assert [(drift.kind, drift.name, drift.note) for drift in found] == [("extra", there["partnerName"], note)]


async def test_partners_of_other_communities_are_nobodys_business(drift):
    assert await drift(WANTED, there=[row(), row("OTHER", "O", community="BANKS")]) == []
    wanted = msgspec.structs.replace(WANTED, community="BANKS")
    assert [drift.key for drift in await drift(wanted, there=[row(), row("OTHER", "O", community="BANKS")])] == ["O"]


RULE = {
    "messageNamePattern": "",
    "evaluationMode": {"code": "automatic", "display": "a"},
    "actionType": "bp",
    "action": "SEND",
}
BOXES = [{"_id": "1", "path": "/"}, {"_id": "7", "path": "/V_1/In"}]
LIST = {"_id": "ROUTES|||1", "codeListName": "ROUTES", "senderIdentity": "", "receiverIdentity": "", "versionNumber": 1}


def rule(name, **changes):
    return {"_id": name, "name": name, "mailboxes": ["7"], "runRuleAs": "us", **RULE, **changes}


def belongings(far, wire, rules=(), codes=()):
    far.on("GET", "/mailboxes/", wire.range(BOXES))
    far.on("GET", "/routingrules/", wire.range(list(rules)))
    far.on("GET", "/codelists/", wire.range([LIST]))
    rows = [{"_id": f"ROUTES|||1|{one}|{two}", "senderCode": one, "receiverCode": two} for one, two in codes]
    far.on("GET", "/codelistcodes/", wire.range(rows))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (rule("BY_HAND"), True),
        (rule("BY_HAND", mailboxes=["1", "7"]), True),
        (rule("BY_HAND", mailboxes=["1"]), False),
        (rule("BY_HAND", evaluationMode="manual"), False),
        (rule("BY_HAND", messageNamePattern="850_*"), False),
        (rule("BY_HAND", action="OTHER"), False),
    ],
)
async def test_a_rule_that_starts_the_same_for_the_same_messages_is_told(far, wire, drift, other, told):
    belongings(far, wire, [rule("AP_OUT_V_1"), other])
    wanted = msgspec.structs.replace(WANTED, mailboxes=("/V_1/In",))
    settings = {"rule": RuleSettings(action="SEND", run_as="us"), "mailboxes": False}
    found = await drift(wanted, there=[row()], **settings)
    assert [each.note for each in found] == (
        ["started twice for each message: BY_HAND does what its own rule does"] if told else []
    )


async def test_what_is_extra_is_told_with_its_rule_and_its_codes(far, wire, drift):
    belongings(
        far, wire, [rule("AP_OUT_OLD"), rule("AP_OUT_OFF", evaluationMode="manual")], [("V-1", "OLD"), ("V-2", "OLDER")]
    )
    settings = {"rule": RuleSettings(action="SEND", run_as="us"), "codes": CodesSettings(list="ROUTES")}
    found = await drift(WANTED, there=[row(), row("OLD", "OLD"), row("OFF", "OFF")], **settings)
    assert {each.key: each.note for each in found} == {
        "OLD": "no vendor has this code; rule AP_OUT_OLD, code ROUTES|||1|V-1|OLD are its too",
        "OFF": "no vendor has this code",
    }


@pytest.mark.parametrize(
    ("roots", "notes"),
    [(["other"], ["to be made or changed: virtual root v_1"]), (["other", "v_1"], []), ([], [])],
    ids=["deleted", "there", "none is listed"],
)
async def test_a_virtual_root_that_was_deleted_is_told(far, wire, drift, roots, notes):
    far.on("GET", "/mailboxes/", wire.range([*BOXES, {"_id": "8", "path": "/V_1"}]))
    far.on("GET", "/useraccounts/", wire.range([{"userId": "connector"}, {"userId": "v_1"}]))
    far.on("GET", "/uservirtualroots/", wire.range([{"_id": user, "userName": user} for user in roots]))
    found = await drift(WANTED, there=[row(username="v_1", authenticationType="Local")])
    assert [each.note for each in found] == notes
