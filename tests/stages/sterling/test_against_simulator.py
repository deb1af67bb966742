"""The client against the adapter's own simulator, whose log of effects is the oracle. They share no code."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
import pytest

from pipeline import (
    COMMIT_POINT,
    ConfigError,
    PermissionDenied,
    RandomIds,
    RefusedError,
    Secret,
    SignInRefused,
    SystemClock,
    ThrottledError,
    TransientError,
    Undetermined,
)
from stages.ap.partner import TradingPartner
from stages.ap.seed.world import SeedPartner, World
from stages.sterling.apis import connect
from stages.sterling.config import Auth, Basic, Documents, Duration, OAuth2, PartnerSettings, SterlingConfig, Timeouts
from stages.sterling.mailbox_sink import MailboxSink
from stages.sterling.partner_sink import PartnerSink
from stages.sterling.simulator import Fault, OAuth, SterlingSimulator, Switches
from stages.sterling.simulator.partners import TradingPartners

BOX = "/RIVERBEND/Inbound"
PARTNER = TradingPartner(
    code="V-1014", name="V_1014", vendors=("V-1014",), display_name="Riverbend Produce", city="Salem", country="US"
)


@pytest.fixture
def world():
    return World(
        company="H",
        company_name="H",
        sender="s",
        sender_password="s",
        user="u",
        user_password="u",
        entities=(),
        vendors=(),
        bills=(),
        purchases=(),
        partners=(SeedPartner(code="RIVERBEND", name="Riverbend", vendors=("V",), mailbox=BOX),),
        sterling_user="apconnector",
        sterling_password="Canary-pass-1",
        now=datetime(2024, 1, 31, tzinfo=UTC),
    )


@pytest.fixture
def serve(world):
    @asynccontextmanager
    async def make(**switches):
        simulator = SterlingSimulator(world, SystemClock(), switches=Switches(**{"refuse_links": True, **switches}))
        async with simulator.listen():
            yield simulator

    return make


@pytest.fixture
def client_of(context):
    """``async with client_of(simulator, upload="documents") as client``, signed in as the simulator's environment says."""

    @asynccontextmanager
    async def make(simulator, **settings):
        env = simulator.environment
        basic = Basic(user=env["STERLING_USER"], password=Secret(env["STERLING_PASSWORD"]))
        oauth = OAuth2(
            token_url=env.get("STERLING_TOKEN_URL", ""),
            client_id=env.get("STERLING_CLIENT_ID", ""),
            client_secret=Secret(env.get("STERLING_CLIENT_SECRET", "")),
        )
        plain = SterlingConfig(url=env["STERLING_URL"], auth=Auth(basic=basic, oauth2=oauth))
        async with connect(msgspec.structs.replace(plain, **settings), context) as client:
            yield client

    return make


@pytest.fixture
def upsert(delivery):
    delivery.payload = msgspec.json.encode(PARTNER, order="deterministic")
    delivery.lane = "V-1014"
    return delivery


def partner_sink(client):
    return PartnerSink(client, PartnerSettings(community="AP_VENDORS"), RandomIds())


def effects(simulator, kind):
    return [entry for entry in simulator.effects() if entry["effect"] == kind]


UPLOADS = ["messagebatches", "documents"]
LAST_CALL = {"messagebatches": "POST messagebatches", "documents": "POST mailboxmessages"}


@pytest.mark.parametrize("upload", UPLOADS)
async def test_bytes_arrive_unchanged_and_the_evidence_names_their_message(serve, client_of, delivery, marks, upload):
    async with serve(lower_case_only=True) as simulator, client_of(simulator, upload=upload) as client:
        sink = MailboxSink(client)
        evidence = await sink.send(delivery, marks)
        found = await sink.find(delivery)
        assert simulator.payload(evidence.id) == delivery.payload
        assert [message.name for message in simulator.messages(BOX)] == [delivery.name]
    assert [(seen.id, seen.size) for seen in found] == [(evidence.id, len(delivery.payload))]


@pytest.mark.parametrize("upload", UPLOADS)
@pytest.mark.parametrize("list_by", ["mailboxmessages", "mailboxcontents"])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset"},
        {"kind": "server_error", "status": 504},
        {"kind": "unavailable"},
        {"kind": "html", "status": 200},
        {"kind": "html", "status": 404},
        {"kind": "html", "status": 403},
        {"kind": "html", "status": 302},
        {"kind": "unauthorized"},
        {"kind": "truncated"},
        {"kind": "cut"},
    ],
    ids=lambda fault: " ".join(str(value) for value in fault.values()),
)
async def test_answer_lost_after_the_effect_leaves_a_doubt_that_find_resolves(
    serve, client_of, delivery, marks, upload, list_by, fault
):
    async with (
        serve(location_header=False) as simulator,
        client_of(simulator, upload=upload, list_by=list_by) as client,
    ):
        simulator.faults.add(Fault(match=LAST_CALL[upload], after=True, **fault))
        sink = MailboxSink(client)
        with pytest.raises(TransientError) as caught:
            await sink.send(delivery, marks)
        assert not isinstance(caught.value, ThrottledError)
        assert marks.keys[-1] == COMMIT_POINT
        assert len(await sink.find(delivery)) == 1
    assert len(effects(simulator, "message.created")) == 1


@pytest.mark.parametrize("kind", ["reset", "server_error", "unavailable", "unauthorized"])
async def test_failure_before_the_effect_is_found_absent(serve, client_of, delivery, marks, kind):
    async with serve() as simulator, client_of(simulator) as client:
        simulator.faults.add(Fault(kind=kind, match="POST messagebatches"))
        sink = MailboxSink(client)
        with pytest.raises(TransientError):
            await sink.send(delivery, marks)
        assert await sink.find(delivery) == []
        await sink.send(delivery, marks)
    assert len(effects(simulator, "message.created")) == 1


async def test_slow_server_beyond_the_deadline_leaves_a_doubt(serve, client_of, delivery, marks):
    quick = Timeouts(connect=Duration(1.0), read=Duration(5.0), total=Duration(0.1))
    async with serve() as simulator, client_of(simulator, timeouts=quick) as client:
        await client.ready()
        held = simulator.faults.add(Fault(kind="hold", match="POST messagebatches"))
        with pytest.raises(TransientError):
            await MailboxSink(client).send(delivery, marks)
        held.release.set()
        assert len(await MailboxSink(client).find(delivery)) == 1


async def test_throttling_carries_the_servers_wish_and_no_doubt(serve, client_of, delivery, marks):
    async with serve() as simulator, client_of(simulator) as client:
        simulator.faults.add(Fault(kind="throttled", match="POST messagebatches", seconds=7))
        with pytest.raises(ThrottledError) as caught:
            await MailboxSink(client).send(delivery, marks)
    assert caught.value.retry_after == 7.0


async def test_a_server_defect_leaves_the_outcome_unknown(serve, client_of, delivery, marks):
    async with serve() as simulator, client_of(simulator) as client:
        simulator.faults.add(Fault(kind="null_pointer", match="POST messagebatches"))
        with pytest.raises(TransientError, match="defect of the server"):
            await MailboxSink(client).send(delivery, marks)


@pytest.mark.parametrize("upload", UPLOADS)
async def test_missing_mailbox_stops_its_lane(serve, client_of, delivery, marks, upload):
    delivery.address = "/NOWHERE/Inbound"
    async with serve() as simulator, client_of(simulator, upload=upload) as client:
        with pytest.raises(ConfigError, match="/NOWHERE/Inbound"):
            await MailboxSink(client).send(delivery, marks)


@pytest.mark.parametrize("upload", UPLOADS)
async def test_missing_permission_of_a_mailbox_is_named_though_the_refusal_is_a_page(
    serve, client_of, delivery, marks, upload
):
    async with serve() as simulator, client_of(simulator, upload=upload) as client:
        simulator.hub.groups["AP_CONNECTOR"].discard(f"{BOX} Mailbox")
        with pytest.raises(PermissionDenied, match=BOX):
            await MailboxSink(client).send(delivery, marks)


@pytest.mark.parametrize("list_by", ["mailboxmessages", "mailboxcontents"])
async def test_mailbox_the_account_may_not_read_is_undetermined(serve, client_of, delivery, list_by):
    async with serve() as simulator, client_of(simulator, list_by=list_by) as client:
        simulator.deposit(BOX, delivery.name, delivery.payload)
        simulator.hub.groups["AP_CONNECTOR"].discard(f"{BOX} Mailbox")
        with pytest.raises(Undetermined):
            await MailboxSink(client).find(delivery)


@pytest.mark.parametrize("status", [404, 405])
async def test_level_without_messagebatches_is_recognised(serve, client_of, delivery, marks, status):
    async with serve(batches_status=status) as simulator, client_of(simulator) as client:
        with pytest.raises(ConfigError, match="upload: documents"):
            await MailboxSink(client).send(delivery, marks)


async def test_member_names_of_documents_are_settings(serve, client_of, delivery, marks):
    members = Documents(payload="documentPayload", name="docName", message={"extractableCount": 1})
    async with serve(document_name="docName", document_payload="documentPayload") as simulator:
        async with client_of(simulator, upload="documents", documents=members) as client:
            evidence = await MailboxSink(client).send(delivery, marks)
        (message,) = simulator.messages(BOX)
        assert message.count == 1
    assert evidence.id == str(message.id)
    assert marks.made[0] == ("document", message.document.id)


@pytest.mark.parametrize("newest_first", [False, True])
async def test_message_is_found_among_2500_while_rows_go_away(serve, client_of, delivery, newest_first):
    async with serve(newest_first=newest_first) as simulator, client_of(simulator) as client:
        ids = [simulator.deposit(BOX, f"other-{number}.x12", b"") for number in range(1250)]
        ours = simulator.deposit(BOX, delivery.name, delivery.payload)
        ids += [simulator.deposit(BOX, f"later-{number}.x12", b"") for number in range(1250)]
        gone = ids[-400:] if newest_first else ids[:400]

        def consume():
            for key in gone:
                simulator.consume(key)

        simulator.faults.add(Fault(kind="effect", match="GET mailboxmessages", on_effect=consume))
        assert [seen.id for seen in await MailboxSink(client).find(delivery)] == [str(ours)]


@pytest.mark.parametrize("rows", [-300, -1, 1, 300])
async def test_window_that_slips_hides_nothing(serve, client_of, delivery, rows):
    async with serve() as simulator, client_of(simulator, window=500) as client:
        ids = [simulator.deposit(BOX, f"other-{number}.x12", b"") for number in range(1200)]
        simulator.hub.messages[ids[620]].name = delivery.name
        simulator.faults.add(Fault(kind="shifted", match="GET mailboxmessages", rows=rows, skip=1))
        assert [seen.id for seen in await MailboxSink(client).find(delivery)] == [str(ids[620])]


async def test_repeated_rows_are_one_message(serve, client_of, delivery):
    async with serve() as simulator, client_of(simulator) as client:
        simulator.deposit(BOX, delivery.name, delivery.payload)
        simulator.faults.add(Fault(kind="repeated", match="GET mailboxmessages", times=None))
        assert len(await MailboxSink(client).find(delivery)) == 1


async def test_truncated_list_is_undetermined(serve, client_of, delivery):
    async with serve() as simulator, client_of(simulator) as client:
        simulator.deposit(BOX, delivery.name, delivery.payload)
        simulator.faults.add(Fault(kind="truncated", match="GET mailboxmessages"))
        with pytest.raises(Undetermined):
            await MailboxSink(client).find(delivery)


async def test_administrator_is_refused_before_anything_is_sent(serve, client_of, delivery, marks):
    async with serve() as simulator:
        auth = Auth(basic=Basic(user="admin", password=Secret("simulated-admin")))
        async with client_of(simulator, auth=auth) as client:
            with pytest.raises(ConfigError, match="administrator"):
                await MailboxSink(client).send(delivery, marks)
    assert simulator.effects() == ()
    assert marks.made == []


async def test_token_revoked_on_the_way_is_refreshed_once(serve, client_of, delivery, marks):
    gateway = OAuth(client_id="mlc", client_secret="canary", basic_too=False, style="header")
    async with serve(oauth=gateway) as simulator, client_of(simulator) as client:
        await client.check()
        simulator.sign_in.revoke()
        await MailboxSink(client).send(delivery, marks)
    assert [line for line, _ in simulator.requests].count("POST token") == 2
    assert [line for line, _ in simulator.requests].count("POST messagebatches") == 2
    assert len(effects(simulator, "message.created")) == 1


@pytest.mark.parametrize("after", [False, True])
async def test_refusal_from_behind_the_gateway_leaves_a_doubt_that_find_resolves(
    serve, client_of, delivery, marks, after
):
    gateway = OAuth(client_id="mlc", client_secret="canary", basic_too=False, style="header")
    async with serve(oauth=gateway) as simulator, client_of(simulator) as client:
        simulator.faults.add(Fault(kind="unauthorized", match="POST messagebatches", after=after))
        sink = MailboxSink(client)
        with pytest.raises(TransientError) as caught:
            await sink.send(delivery, marks)
        assert not isinstance(caught.value, ThrottledError)
        assert len(await sink.find(delivery)) == len(effects(simulator, "message.created")) == int(after)


@pytest.mark.parametrize("list_by", ["mailboxmessages", "mailboxcontents"])
async def test_message_moved_to_another_mailbox_is_neither_found_nor_absent(serve, client_of, delivery, list_by):
    async with serve() as simulator, client_of(simulator, list_by=list_by) as client:
        simulator.hub.add_mailbox("/Elsewhere", "x")
        simulator.hub.groups["AP_CONNECTOR"].add("/Elsewhere Mailbox")
        simulator.deposit("/Elsewhere", delivery.name, delivery.payload)
        with pytest.raises(Undetermined, match="/Elsewhere"):
            await MailboxSink(client).find(delivery)


async def test_members_a_level_adds_to_its_reads_do_not_break_an_update(serve, client_of, upsert, marks, monkeypatch):
    async with serve() as simulator, client_of(simulator) as client:
        await partner_sink(client).send(upsert, marks)
        simulator.hub.partners["V_1014"]["city"] = "Bend"
        view = TradingPartners.view
        monkeypatch.setattr(
            TradingPartners, "view", lambda self, item, call: {**view(self, item, call), "newThing": {"x": 1}}
        )
        assert (await partner_sink(client).send(upsert, marks)).detail["action"] == "updated"


async def test_partner_is_created_then_untouched_then_updated(serve, client_of, upsert, marks):
    async with serve() as simulator, client_of(simulator) as client:
        sink = partner_sink(client)
        created = await sink.send(upsert, marks)
        assert [seen.id for seen in await sink.find(upsert)] == ["V_1014"]
        again = await sink.send(upsert, marks)
        before = dict(simulator.hub.partners["V_1014"])
        upsert.payload = msgspec.json.encode(msgspec.structs.replace(PARTNER, city="Bend"), order="deterministic")
        changed = await sink.send(upsert, marks)
        after = simulator.hub.partners["V_1014"]
    assert [step.detail["action"] for step in (created, again, changed)] == ["created", "untouched", "updated"]
    assert len(effects(simulator, "partner.created")) == 1
    assert len(effects(simulator, "partner.updated")) == 1
    # A switch that was never set reads as false and is written back as false.
    assert [name for name in after if (after[name] or None) != (before.get(name) or None)] == ["city"]


async def test_partner_renamed_by_hand_is_matched_by_code(serve, client_of, upsert, marks):
    async with serve() as simulator, client_of(simulator) as client:
        await partner_sink(client).send(upsert, marks)
        fields = simulator.hub.partners.pop("V_1014")
        simulator.hub.partners["Riverbend West"] = {**fields, "partnerName": "Riverbend West", "city": "Bend"}
        evidence = await partner_sink(client).send(upsert, marks)
    assert (evidence.id, evidence.detail["action"]) == ("Riverbend West", "updated")


async def test_name_held_by_another_code_is_refused(serve, client_of, upsert, marks):
    async with serve() as simulator, client_of(simulator) as client:
        await partner_sink(client).send(upsert, marks)
        simulator.hub.partners["V_1014"]["code"] = "V-9999"
        with pytest.raises(RefusedError, match="V-9999"):
            await partner_sink(client).send(upsert, marks)


async def test_unknown_community_stops(serve, client_of, upsert, marks):
    async with serve() as simulator, client_of(simulator) as client:
        with pytest.raises(ConfigError, match="NOWHERE"):
            await PartnerSink(client, PartnerSettings(community="NOWHERE"), RandomIds()).send(upsert, marks)


@pytest.mark.parametrize("kind", ["reset", "server_error", "html", "truncated", "cut"])
async def test_partner_whose_creation_was_not_answered_is_found(serve, client_of, upsert, marks, kind):
    async with serve(location_header=False) as simulator, client_of(simulator) as client:
        simulator.faults.add(Fault(kind=kind, match="POST tradingpartners", after=True))
        with pytest.raises(TransientError):
            await partner_sink(client).send(upsert, marks)
        assert len(await partner_sink(client).find(upsert)) == 1
        assert (await partner_sink(client).send(upsert, marks)).detail["action"] == "untouched"
    assert len(effects(simulator, "partner.created")) == 1


async def test_check_passes_for_the_connectors_account(serve, client_of):
    async with serve() as simulator, client_of(simulator) as client:
        await client.check()


@pytest.mark.parametrize("rows", [999, 300, 7, 2])
async def test_window_that_the_server_refuses_shrinks_by_itself(serve, client_of, rows):
    async with serve(max_rows=rows) as simulator, client_of(simulator) as client:
        names = [f"n{number}" for number in range(25)]
        for name in names:
            simulator.deposit(BOX, name, b"x")
        listed = [row["name"] for row in await client.rows("mailboxmessages/", "list messages")]
        refused = [line for line, status in simulator.requests if status == 400]
        await client.rows("mailboxmessages/", "list messages")
        assert listed == names
        assert [line for line, status in simulator.requests if status == 400] == refused
        assert len(refused) == 1  # the server names what it allows


async def test_server_that_refuses_every_window_is_a_setting_to_mend_and_names_it(serve, client_of):
    async with serve(max_rows=1) as simulator, client_of(simulator) as client:
        with pytest.raises(ConfigError) as caught:
            await client.rows("mailboxmessages/", "list messages")
        assert client.window == 1000  # one list that is refused makes no other one slow
    assert (caught.value.code, "`window`" in caught.value.where) == ("MLC-STL-0340", True)
    assert "more than 1 rows" in caught.value.why


async def test_audience_is_sent_to_the_token_server(serve, client_of, world):
    oauth = OAuth(client_id="c", client_secret="s-secret", audience="https://b2bi")
    async with serve(oauth=oauth) as simulator:
        env = simulator.environment
        auth = Auth(
            oauth2=OAuth2(
                token_url=env["STERLING_TOKEN_URL"],
                client_id="c",
                client_secret=Secret("s-secret"),
                audience="https://b2bi",
            )
        )
        async with client_of(simulator, auth=auth) as client:
            assert await client.read("mailboxes/", "list mailboxes", {"_range": "0-0"})


@pytest.mark.parametrize("put_replaces", [False, True])
async def test_an_update_keeps_every_member_that_is_not_ours(serve, client_of, upsert, marks, put_replaces):
    async with serve(put_replaces=put_replaces) as simulator, client_of(simulator) as client:
        await partner_sink(client).send(upsert, marks)
        row = simulator.hub.partners["V_1014"]
        theirs = {
            "textMode": True,
            "publicKeyID": "K",
            "sessionTimeout": 20,
            "consumerSshConfiguration": {"remoteProfile": "P"},
        }
        row.update({**theirs, "city": "Elsewhere"})
        before = dict(row)
        await partner_sink(client).send(upsert, marks)
        after = simulator.hub.partners["V_1014"]
        assert {name: after.get(name) for name in before} == {**before, "city": "Salem"}


@pytest.mark.parametrize("kind", ["mailbox", "partner"])
async def test_a_look_under_a_sign_in_that_is_refused_says_so(serve, client_of, delivery, upsert, kind):
    async with serve() as simulator, client_of(simulator) as client:
        simulator.faults.add(Fault(kind="unauthorized", times=None))
        sink = MailboxSink(client) if kind == "mailbox" else partner_sink(client)
        with pytest.raises(SignInRefused):
            await sink.find(delivery if kind == "mailbox" else upsert)


async def test_on_a_server_that_says_empty_by_204_a_lost_message_stays_in_doubt_until_another_is_there(
    serve, client_of, delivery, marks
):
    async with serve(empty="none", empty_is_404=frozenset({"*"})) as simulator, client_of(simulator) as client:
        simulator.faults.add(Fault(kind="reset", match="POST messagebatches"))
        sink = MailboxSink(client)
        with pytest.raises(TransientError):
            await sink.send(delivery, marks)
        with pytest.raises((TransientError, Undetermined)):
            await sink.find(delivery)
        simulator.deposit(BOX, "another.edi", b"x")
        assert await sink.find(delivery) == []


async def test_on_a_server_that_says_empty_by_204_the_first_partner_can_be_made(serve, client_of, upsert, marks):
    async with serve(empty="none", empty_is_404=frozenset({"*"})) as simulator, client_of(simulator) as client:
        await partner_sink(client).send(upsert, marks)
        assert len(effects(simulator, "partner.created")) == 1
