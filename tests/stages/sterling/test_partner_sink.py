from __future__ import annotations

import json

import msgspec
import pytest

from pipeline import (
    COMMIT_POINT,
    ConfigError,
    DataError,
    Document,
    RandomIds,
    RefusedError,
    Secret,
    StageError,
    TransientError,
    Undetermined,
)
from stages.ap.partner import TradingPartner
from stages.sterling import ADAPTER
from stages.sterling.config import Auth, CodesSettings, Header, PartnerSettings, RuleSettings
from stages.sterling.partner_sink import PartnerSink

PARTNERS = "/tradingpartners/"


def coded(value, display=""):
    return {"code": value, "display": display or str(value)}


def present(name="V_1014", code="V-1014", **members):
    """A partner as a server reads it back."""
    return {
        "_id": name,
        "_title": f"TradingPartner({name})",
        "href": f"http://inner:5074/B2BAPIs/svc/tradingpartners/{name}",
        "$ref": "x",
        "actions": {"href": "x"},
        "partnerName": name,
        "code": code,
        "community": "AP",
        "emailAddress": "edi@riverbend.example",
        "phone": "555",
        "addressLine1": "1 River Road",
        "addressLine2": "",
        "city": "Salem",
        "stateOrProvince": "OR",
        "publicKeyID": "",
        "authenticationType": coded("Local"),
        "countryOrRegion": coded("US", "United States"),
        "isListeningConsumer": coded(False, "No"),
        "consumerFtpConfiguration": {},
        "consumerSshConfiguration": {"remoteProfile": "P", "password": "x"},
        "username": "v_1014",
        **members,
    }


WANTED = TradingPartner(
    code="V-1014",
    name="V_1014",
    vendors=("V-1014",),
    display_name="Riverbend Produce",
    email="edi@riverbend.example",
    phone="555",
    address_line1="1 River Road",
    city="Salem",
    state="OR",
    country="US",
)


@pytest.fixture
def upsert(delivery):
    def make(wanted=WANTED):
        delivery.payload = msgspec.json.encode(wanted, order="deterministic")
        return delivery

    return make


@pytest.fixture
def hold(far, wire):
    """Put partners into the server."""

    def make(*rows):
        far.on("GET", PARTNERS, wire.range(list(rows)))
        for row in rows:
            far.on("GET", f"{PARTNERS}{row['partnerName']}", row)

    return make


def sink(client, **settings):
    return PartnerSink(client, PartnerSettings(**{"community": "AP", **settings}), RandomIds())


async def test_lane_is_the_partner_or_else_the_code(connected):
    body = msgspec.json.encode(WANTED, order="deterministic")
    async with connected() as client:
        assert sink(client).upsert is True
        assert sink(client).destination(Document(set="", partner="RIVER", body=body)).lane == "RIVER"
        assert sink(client).destination(Document(set="", partner="", body=body)).lane == "V-1014"


async def test_absent_partner_is_created_with_a_generated_password(far, wire, connected, upsert, hold, marks):
    hold(present("OTHER", "V-1"))
    far.on("POST", PARTNERS, lambda _: wire.created("tradingpartners", "V_1014"))
    async with connected() as client:
        evidence = await sink(client).send(upsert(), marks)
    assert (evidence.id, evidence.detail["action"]) == ("V_1014", "created")
    assert marks.made == [("creating", "V_1014"), (COMMIT_POINT, ""), ("made trading partner V_1014", "V_1014")]
    body = json.loads(far.calls("POST", PARTNERS)[0]["body"])
    assert len(body.pop("password")) > 30
    assert body == {
        "partnerName": "V_1014",
        "code": "V-1014",
        "community": "AP",
        "username": "v_1014",
        "authenticationType": "Local",
        "isInitiatingConsumer": True,
        "isInitiatingProducer": True,
        "isListeningConsumer": False,
        "isListeningProducer": False,
        "doesUseSSH": False,
        "givenName": "EDI",
        "surname": "Riverbend Produce",
        "emailAddress": "edi@riverbend.example",
        "phone": "555",
        "postalCode": "00000",
        "addressLine1": "1 River Road",
        "city": "Salem",
        "stateOrProvince": "OR",
        "countryOrRegion": "US",
    }


async def test_no_two_partners_get_the_same_password(far, wire, connected, upsert, hold, marks):
    hold()
    far.on("POST", PARTNERS, lambda _: wire.created("tradingpartners", "N"))
    async with connected() as client:
        for code in ("A", "B"):
            await sink(client).send(upsert(msgspec.structs.replace(WANTED, code=code, name=code)), marks)
    assert len({json.loads(call["body"])["password"] for call in far.calls("POST", PARTNERS)}) == 2


async def test_partner_files_community_and_create_members_win(far, wire, connected, upsert, hold, marks):
    hold()
    far.on("POST", PARTNERS, lambda _: wire.created("tradingpartners", "V_1014"))
    async with connected() as client:
        wanted = msgspec.structs.replace(WANTED, community="SEA")
        await sink(client, create={"username": "river", "isListeningConsumer": True}).send(upsert(wanted), marks)
    body = json.loads(far.calls("POST", PARTNERS)[0]["body"])
    assert (body["community"], body["username"], body["isListeningConsumer"]) == ("SEA", "river", True)


async def test_equal_partner_is_not_written(far, connected, upsert, hold, marks):
    hold(present())
    async with connected() as client:
        evidence = await sink(client).send(upsert(), marks)
    assert evidence.detail == {"action": "untouched"}
    assert {call["method"] for call in far.seen} == {"GET"}
    assert marks.made == []


async def test_changed_partner_is_merged_into_its_unwrapped_state(far, connected, upsert, hold, marks):
    hold(present(city="Portland", countryOrRegion=coded("CA")))
    far.on("PUT", f"{PARTNERS}V_1014", {"rowsAffected": 1})
    async with connected() as client:
        evidence = await sink(client).send(upsert(), marks)
    assert evidence.detail == {"action": "updated", "fields": "city, countryOrRegion"}
    assert marks.keys == [COMMIT_POINT]
    body = json.loads(far.calls("PUT", f"{PARTNERS}V_1014")[0]["body"])
    assert body == {
        "partnerName": "V_1014",
        "code": "V-1014",
        "community": "AP",
        "emailAddress": "edi@riverbend.example",
        "phone": "555",
        "addressLine1": "1 River Road",
        "addressLine2": "",
        "city": "Salem",
        "stateOrProvince": "OR",
        "publicKeyID": "",
        "authenticationType": "Local",
        "countryOrRegion": "US",
        "isListeningConsumer": False,
        "consumerSshConfiguration": {"remoteProfile": "P"},
        "username": "v_1014",
    }


async def test_unknown_wanted_fields_leave_what_is_there(far, connected, upsert, hold, marks):
    hold(present())
    async with connected() as client:
        evidence = await sink(client).send(upsert(msgspec.structs.replace(WANTED, phone="", city="")), marks)
    assert evidence.detail["action"] == "untouched"


async def test_partner_is_matched_by_code_under_another_name(far, connected, upsert, hold, marks):
    hold(present("Riverbend Produce", phone="1"), present("V_1014", "V-9999"))
    far.on("GET", f"{PARTNERS}Riverbend%20Produce", present("Riverbend Produce", phone="1"))
    far.on("PUT", f"{PARTNERS}Riverbend%20Produce", {"rowsAffected": 1})
    async with connected() as client:
        evidence = await sink(client).send(upsert(), marks)
    assert (evidence.id, evidence.detail["action"]) == ("Riverbend Produce", "updated")
    assert far.calls("POST", PARTNERS) == []


async def test_name_of_another_partner_is_not_taken_over(far, connected, upsert, hold, marks):
    hold(present("V_1014", "V-9999"))
    async with connected() as client:
        with pytest.raises(RefusedError) as caught:
            await sink(client).send(upsert(), marks)
    assert "V_1014" in caught.value.what
    assert caught.value.mend
    assert {call["method"] for call in far.seen} == {"GET"}


async def test_code_of_two_partners_is_refused(far, connected, upsert, hold, marks):
    hold(present("A"), present("B"))
    async with connected() as client:
        with pytest.raises(RefusedError, match="Several"):
            await sink(client).send(upsert(), marks)


async def test_partners_are_listed_once_for_many_deliveries(far, connected, upsert, hold, marks):
    hold(*(present(f"N{key}", f"C{key}") for key in range(3)))
    async with connected() as client:
        one = sink(client)
        for key in range(3):
            await one.send(upsert(msgspec.structs.replace(WANTED, code=f"C{key}")), marks)
    assert len(far.calls("GET", PARTNERS)) == 2  # the rows, and the proof that nothing follows
    assert not [call for call in far.seen if call["path"].startswith("/tradingpartners/N")]


async def test_list_is_renewed_when_the_partner_is_no_longer_under_its_name(far, wire, connected, upsert, hold, marks):
    hold(present("OLD"))
    async with connected() as client:
        await sink(client).send(upsert(), marks)
        hold(present("NEW"))
        far.on("GET", f"{PARTNERS}OLD", lambda _: wire.error(404, "API000300: No such partner."))
        evidence = await sink(client).send(upsert(), marks)
    assert evidence.id == "NEW"


async def test_exists_after_a_lost_answer_is_recognised_as_ours(far, wire, connected, upsert, hold, marks):
    hold()

    def refuse(_):
        hold(present())
        return wire.error(400, "API000001: Partner V_1014 already exists.")

    far.on("POST", PARTNERS, refuse)
    async with connected() as client:
        evidence = await sink(client).send(upsert(), marks)
    assert (evidence.id, evidence.detail["action"]) == ("V_1014", "untouched")


async def test_taken_login_user_is_refused_with_a_way_out(far, wire, connected, upsert, hold, marks):
    hold()
    far.on("POST", PARTNERS, lambda _: wire.error(400, "API000175: Could not save user account: user already exists."))
    async with connected() as client:
        with pytest.raises(RefusedError, match="username"):
            await sink(client).send(upsert(), marks)


@pytest.mark.parametrize("text", ["API000201: Community AP does not exist.", "Invalid community."])
async def test_missing_community_stops_and_is_named(far, wire, connected, upsert, hold, marks, text):
    hold()
    far.on("POST", PARTNERS, lambda _: wire.error(400, text))
    async with connected() as client:
        with pytest.raises(ConfigError, match="AP"):
            await sink(client).send(upsert(), marks)


async def test_no_community_at_all_stops_before_anything_is_written(far, connected, upsert, hold, marks):
    hold()
    async with connected() as client:
        with pytest.raises(ConfigError):
            await sink(client, community="").send(upsert(), marks)
    assert marks.made == []


async def test_generated_password_echoed_by_the_server_is_not_repeated(far, wire, connected, upsert, hold, marks):
    hold()
    passwords = []

    async def echo(request):
        passwords.append(json.loads(await request.text())["password"])
        return wire.error(400, f"API000393: Password {passwords[0]} is too weak.")

    far.on("POST", PARTNERS, echo)
    async with connected() as client:
        with pytest.raises(RefusedError) as caught:
            await sink(client).send(upsert(), marks)
    assert "API000393" in str(caught.value)
    assert passwords[0] not in str(caught.value) + repr(caught.value)


async def test_lost_response_to_a_creation_is_found(far, wire, connected, upsert, hold, marks):
    hold()

    def take(request):
        hold(present())
        return wire.drop(request)

    far.on("POST", PARTNERS, take)
    async with connected() as client:
        with pytest.raises(TransientError):
            await sink(client).send(upsert(), marks)
        found = await sink(client).find(upsert())
    assert [seen.id for seen in found] == ["V_1014"]
    assert marks.keys == ["creating", COMMIT_POINT]


async def test_partner_that_differs_from_the_wanted_state_is_not_found(connected, upsert, hold):
    hold(present(city="Portland"))
    async with connected() as client:
        assert await sink(client).find(upsert()) == []


async def test_find_looks_afresh(connected, upsert, hold, marks):
    hold(present())
    async with connected() as client:
        await sink(client).send(upsert(), marks)
        hold()
        assert await sink(client).find(upsert()) == []


async def test_find_that_cannot_list_is_undetermined(far, wire, connected, upsert):
    far.on("GET", PARTNERS, lambda _: wire.page(200))
    async with connected() as client:
        with pytest.raises(Undetermined):
            await sink(client).find(upsert())


async def test_update_that_touched_no_row_is_tried_again(far, connected, upsert, hold, marks):
    hold(present(city="Portland"))
    far.on("PUT", f"{PARTNERS}V_1014", {"rowsAffected": 0})
    async with connected() as client:
        with pytest.raises(TransientError):
            await sink(client).send(upsert(), marks)


async def test_page_in_place_of_the_answer_to_an_update_leaves_a_doubt(far, wire, connected, upsert, hold, marks):
    hold(present(city="Portland"))
    far.on("PUT", f"{PARTNERS}V_1014", lambda _: wire.page(200))
    async with connected() as client:
        with pytest.raises(TransientError):
            await sink(client).send(upsert(), marks)
    assert marks.keys == [COMMIT_POINT]


@pytest.mark.parametrize("member", ["partnerName", "code", "password"])
async def test_create_settings_may_not_replace_identity_or_password(context, connected, member):
    async with connected() as client:
        settings = PartnerSettings(create={member: "canary"})
        with pytest.raises(ConfigError, match=member):
            await ADAPTER.stages[0].build(settings, msgspec.structs.replace(context, connection=client))


async def test_payload_that_is_no_partner_is_a_data_error(connected, delivery, marks):
    delivery.payload = b'{"code": 5}'
    async with connected() as client:
        with pytest.raises(DataError):
            await sink(client).send(delivery, marks)


SETTINGS = {
    "consumerFtpConfiguration": {"hostname": "ftp.example", "username": "u", "password": "canary p&ss/1"},
    "customProtocolExtensions": "host:h,password:canary-ext",
}


@pytest.mark.parametrize(
    "echo",
    [
        "canary p&ss/1",
        "canary-ext",
        "https://h/?p=canary%20p%26ss%2F1",
        "p=canary+p%26ss%2F1",
        "<b>canary p&amp;ss/1</b>",
        "x" * 478 + "canary p&ss/1",
    ],
    ids=["plain", "extension", "url", "form", "page", "cut"],
)
@pytest.mark.parametrize("status", [400, 403, 404, 409, 429, 500])
async def test_secret_of_the_create_settings_echoed_by_the_server_is_struck_out(
    far, wire, connected, upsert, hold, marks, echo, status
):
    hold()
    far.on("POST", PARTNERS, lambda _: wire.error(status, f"API000001: Bad {echo}"))
    async with connected() as client:
        with pytest.raises(StageError) as caught:
            await sink(client, create=SETTINGS).send(upsert(), marks)
    assert "canary" not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


async def test_secret_echoed_to_an_update_is_struck_out(far, wire, connected, upsert, hold, marks):
    hold(present(city="Portland"))
    far.on("PUT", f"{PARTNERS}V_1014", lambda _: wire.error(400, "API000001: Bad canary-ext"))
    async with connected() as client:
        with pytest.raises(RefusedError) as caught:
            await sink(client, create=SETTINGS).send(upsert(), marks)
    assert "canary" not in str(caught.value)
    assert "API000001" in str(caught.value)


async def test_password_in_the_id_of_what_was_created_gets_into_no_evidence(far, wire, connected, upsert, hold, marks):
    hold()
    sent = []

    async def echo(request):
        body = json.loads(await request.text())
        sent.append(body["password"])
        return wire.created("tradingpartners", f"V_1014-{sent[0]}-canary-ext")

    far.on("POST", PARTNERS, echo)
    async with connected() as client:
        evidence = await sink(client, create=SETTINGS).send(upsert(), marks)
    assert sent[0] not in f"{evidence} {marks.made}"
    assert "canary" not in f"{evidence} {marks.made}"


async def test_members_a_level_adds_to_its_reads_are_not_written_back(far, connected, upsert, hold, marks):
    hold(present(city="Portland", newThing={"x": 1}, lastLogin="2024", archived=coded(False)))
    far.on("PUT", f"{PARTNERS}V_1014", {"rowsAffected": 1})
    async with connected() as client:
        await sink(client).send(upsert(), marks)
    body = json.loads(far.calls("PUT", f"{PARTNERS}V_1014")[0]["body"])
    assert {"newThing", "lastLogin", "archived"} & body.keys() == set()
    assert body["isListeningConsumer"] is False


async def test_listing_that_leaves_members_out_is_completed_by_a_read_before_anything_is_written(
    far, wire, connected, upsert, hold, marks
):
    hold(present())
    far.on("GET", PARTNERS, wire.range([{"_id": "V_1014", "code": "V-1014"}]))
    async with connected() as client:
        evidence = await sink(client).send(upsert(), marks)
    assert evidence.detail == {"action": "untouched"}
    assert len(far.calls("GET", f"{PARTNERS}V_1014")) == 1


@pytest.mark.parametrize(
    ("formerly", "code"), [(("V-1014",), "V-1014"), (("OLD", "V-1014"), "OLD"), (("V-2", "V-1014"), "V-1014")]
)
async def test_partner_under_a_former_code_is_taken_over_not_made_again(
    far, connected, upsert, hold, marks, formerly, code
):
    hold(present("SOMETHING", code))
    far.on("PUT", f"{PARTNERS}SOMETHING", {"rowsAffected": 1})
    wanted = msgspec.structs.replace(WANTED, code="RIVERBEND", name="RIVERBEND", formerly=formerly)
    async with connected() as client:
        evidence = await sink(client).send(upsert(wanted), marks)
    assert (evidence.id, evidence.detail["action"]) == ("SOMETHING", "taken over")
    assert json.loads(far.calls("PUT", f"{PARTNERS}SOMETHING")[0]["body"])["code"] == "RIVERBEND"
    assert far.calls("POST", PARTNERS) == []


async def test_former_code_is_left_alone_where_the_new_one_is_there(far, connected, upsert, hold, marks):
    hold(present("OLD", "V-1"), present())
    async with connected() as client:
        evidence = await sink(client).send(upsert(msgspec.structs.replace(WANTED, formerly=("V-1",))), marks)
    assert (evidence.id, evidence.detail) == ("V_1014", {"action": "untouched"})


async def test_company_that_is_renamed_is_renamed_where_its_name_stands_in_for_a_contacts(
    far, connected, upsert, hold, marks
):
    hold(present(givenName="EDI", surname="Riverbend Produce"))
    far.on("PUT", f"{PARTNERS}V_1014", {"rowsAffected": 1})
    async with connected() as client:
        wanted = msgspec.structs.replace(WANTED, display_name="Riverbend Foods")
        evidence = await sink(client).send(upsert(wanted), marks)
    assert evidence.detail == {"action": "updated", "fields": "surname"}


async def test_contact_that_people_entered_is_not_overwritten_by_the_companys_name(far, connected, upsert, hold, marks):
    hold(present(givenName="Mary", surname="Holt"))
    async with connected() as client:
        evidence = await sink(client).send(upsert(), marks)
    assert evidence.detail == {"action": "untouched"}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"rule": RuleSettings(action="BP", run_as="u", name="AP_{vendor}")}, "rule.name"),
        ({"codes": CodesSettings(list="L", sender_code="{vendr}")}, "codes.sender_code"),
        ({"codes": CodesSettings(list="L", texts={"text10": "x"})}, "codes.texts.text10"),
    ],
)
async def test_template_that_names_nothing_is_refused_at_the_start(context, connected, wrong, named):
    async with connected() as client:
        with pytest.raises(ConfigError) as caught:
            await ADAPTER.stages[0].build(PartnerSettings(**wrong), msgspec.structs.replace(context, connection=client))
    assert (caught.value.code, caught.value.where) == ("MLC-STL-0108", named)


async def test_rule_with_nobody_to_run_as_is_refused_at_the_start(context, connected, settings):
    header = Auth(header=Header(name="X-Key", value=Secret("k")))
    async with connected(settings(auth=header)) as client:
        made_by, wanted = ADAPTER.stages[0].build, PartnerSettings(rule=RuleSettings(action="BP"))
        with pytest.raises(ConfigError, match="run as"):
            await made_by(wanted, msgspec.structs.replace(context, connection=client))
