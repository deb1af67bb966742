from __future__ import annotations

import base64
import json
from email import message_from_bytes

import msgspec
import pytest

from pipeline import (
    COMMIT_POINT,
    ConfigError,
    DataError,
    Document,
    RefusedError,
    ThrottledError,
    TransientError,
    Undetermined,
)
from stages.sterling import ADAPTER
from stages.sterling.mailbox_sink import MailboxSink

MESSAGES = "/mailboxmessages/"


def row(key: int, name: str = "other.x12", mailbox: str = "/RIVERBEND/Inbound", **members: object) -> dict[str, object]:
    return {
        "_id": str(key),
        "id": key,
        "name": name,
        "mailboxPath": mailbox,
        "size": 10,
        "documentId": f"d:{key}",
        "creationDate": "2024-01-31T09:15:02.000+0000",
        "extractableAlways": {"code": True, "display": "Yes"},
        **members,
    }


async def test_destination_is_the_partners_lane_and_mailbox(connected):
    async with connected() as client:
        found = MailboxSink(client).destination(Document(set="810", partner="P", body=b"", address="/P/In"))
    assert (found.lane, found.address) == ("P", "/P/In")


async def test_one_call_upload_sends_the_bytes_unchanged_under_the_name(far, wire, connected, delivery, marks):
    far.on("POST", "/messagebatches/", lambda _: wire.created("messagebatches", "78"))
    async with connected() as client:
        evidence = await MailboxSink(client).send(delivery, marks)
    assert (evidence.id, evidence.name) == ("78", delivery.name)
    sent = far.calls("POST", "/messagebatches/")[0]
    head = f"Content-Type: {sent['headers']['Content-Type']}\r\n\r\n".encode()
    upstream, mailbox = message_from_bytes(head + sent["body"]).get_payload()
    assert upstream.get_param("name", header="content-disposition") == "upstream"
    assert upstream.get_filename() == delivery.name
    assert delivery.payload in sent["body"]
    assert mailbox.get_param("name", header="content-disposition") == "mailboxName"
    assert mailbox.get_payload().strip() == "/RIVERBEND/Inbound"


async def test_commit_point_is_durable_before_the_upload(far, wire, connected, delivery):
    order = []

    async def mark(key, value=""):
        order.append(key)

    far.on("POST", "/messagebatches/", lambda _: order.append("posted") or wire.created("messagebatches", "78"))
    async with connected() as client:
        await MailboxSink(client).send(delivery, mark)
    assert order == [COMMIT_POINT, "posted"]


async def test_id_comes_from_the_header_when_the_body_has_none(far, connected, delivery, marks):
    from aiohttp import web

    far.on(
        "POST",
        "/messagebatches/",
        lambda _: web.Response(status=201, headers={"Location": "http://x/messagebatches/9/"}),
    )
    async with connected() as client:
        assert (await MailboxSink(client).send(delivery, marks)).id == "9"


async def test_success_that_names_no_message_leaves_the_outcome_unknown(far, connected, delivery, marks):
    far.on("POST", "/messagebatches/", {"fine": True})
    async with connected() as client:
        with pytest.raises(TransientError):
            await MailboxSink(client).send(delivery, marks)
    assert marks.keys == [COMMIT_POINT]


async def test_two_step_upload_keeps_the_document_id_before_the_commit_point(far, wire, connected, delivery, marks):
    far.on("POST", "/documents/", lambda _: wire.created("documents", "b2b1:node1:18d5:17"))
    far.on("POST", MESSAGES, lambda _: wire.created("mailboxmessages", "79"))
    async with connected(upload="documents") as client:
        evidence = await MailboxSink(client).send(delivery, marks)
    assert evidence.id == "79"
    assert marks.made == [("document", "b2b1:node1:18d5:17"), (COMMIT_POINT, "")]
    document = json.loads(far.calls("POST", "/documents/")[0]["body"])
    assert base64.b64decode(document["payload"]) == delivery.payload
    assert json.loads(far.calls("POST", MESSAGES)[0]["body"]) == {
        "mailboxPath": "/RIVERBEND/Inbound",
        "name": delivery.name,
        "documentId": "b2b1:node1:18d5:17",
    }


async def test_document_of_an_earlier_attempt_is_used_again(far, wire, connected, delivery, marks):
    delivery.marks = {"document": "d:1"}
    far.on("POST", MESSAGES, lambda _: wire.created("mailboxmessages", "79"))
    async with connected(upload="documents") as client:
        await MailboxSink(client).send(delivery, marks)
    assert far.calls("POST", "/documents/") == []
    assert json.loads(far.calls("POST", MESSAGES)[0]["body"])["documentId"] == "d:1"


async def test_purged_document_of_an_earlier_attempt_is_stored_anew(far, wire, connected, delivery, marks):
    delivery.marks = {"document": "d:1"}
    far.on("POST", "/documents/", lambda _: wire.created("documents", "d:2"))
    gone = wire.turns(
        lambda: wire.error(400, "API000777: Document d:1 does not exist."),
        lambda: wire.created("mailboxmessages", "79"),
    )
    far.on("POST", MESSAGES, gone)
    async with connected(upload="documents") as client:
        assert (await MailboxSink(client).send(delivery, marks)).id == "79"
    assert ("document", "d:2") in marks.made


async def test_failed_document_call_passes_no_commit_point(far, wire, connected, delivery, marks):
    far.on("POST", "/documents/", lambda _: wire.error(503, "busy"))
    async with connected(upload="documents") as client:
        with pytest.raises(TransientError):
            await MailboxSink(client).send(delivery, marks)
    assert marks.made == []


@pytest.mark.parametrize(
    ("status", "text"),
    [(404, "API000353: Mailbox not found."), (400, "API000353: The mailbox /RIVERBEND/Inbound does not exist.")],
)
async def test_missing_mailbox_stops_the_lane_and_names_mailbox_and_partner(
    far, wire, connected, delivery, marks, status, text
):
    far.on("POST", "/messagebatches/", lambda _: wire.error(status, text))
    async with connected() as client:
        with pytest.raises(ConfigError) as caught:
            await MailboxSink(client).send(delivery, marks)
    assert "RIVERBEND" in caught.value.what
    assert "/RIVERBEND/Inbound" in caught.value.what


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda wire: wire.error(400, "API000001: Payload refused."), RefusedError),
        (lambda wire: wire.error(409, "There is one."), TransientError),
        (lambda wire: wire.error(400, "A message of that name already exists."), TransientError),
        (lambda wire: wire.page(404), TransientError),
        (lambda wire: wire.page(413), RefusedError),
        (lambda wire: wire.page(403), TransientError),
        (lambda wire: wire.page(200), TransientError),
        (lambda wire: wire.page(302, Location="/elsewhere"), TransientError),
        (lambda wire: wire.error(500, "API000123: Oops."), TransientError),
        (lambda wire: wire.page(504), TransientError),
        (lambda wire: wire.error(429, "Slow down."), ThrottledError),
    ],
    ids=["refused", "409", "exists", "page 404", "page 413", "page 403", "page 200", "302", "500", "504", "429"],
)
async def test_answers_to_an_upload_are_definite_only_when_they_are_sterlings_own(
    far, wire, connected, delivery, marks, answer, expected
):
    far.on("POST", "/messagebatches/", lambda _: answer(wire))
    async with connected() as client:
        with pytest.raises(expected) as caught:
            await MailboxSink(client).send(delivery, marks)
    assert isinstance(caught.value, ThrottledError) == (expected is ThrottledError)
    assert len(far.calls("POST", "/messagebatches/")) == 1
    assert far.calls("GET", "/elsewhere") == []


@pytest.mark.parametrize("name", ["", "a/b", "a b", "x" * 101, "é", 'a"b', "a\r\nb"])
async def test_unusable_message_name_is_refused_before_anything_is_sent(far, connected, delivery, marks, name):
    delivery.name = name
    async with connected() as client:
        with pytest.raises(DataError):
            await MailboxSink(client).send(delivery, marks)
    assert far.seen == []


@pytest.mark.parametrize(("largest", "refused"), [(4, True), (5, False)])
async def test_delivery_beyond_the_limit_is_refused_before_anything_is_sent(
    far, wire, connected, delivery, marks, largest, refused
):
    far.on("POST", "/messagebatches/", lambda _: wire.created("messagebatches", "78"))
    async with connected(largest=largest) as client:
        sending = MailboxSink(client).send(msgspec.structs.replace(delivery, payload=b"x" * 5), marks)
        if refused:
            with pytest.raises(DataError) as caught:
                await sending
            assert (caught.value.code, far.seen, marks.made) == ("MLC-STL-0313", [], [])
        else:
            assert (await sending).id == "78"


@pytest.mark.parametrize("address", ["", "RIVERBEND", "/", "/a\r\nb", "/a/../b"])
async def test_unusable_mailbox_stops_the_lane_before_anything_is_sent(far, connected, delivery, marks, address):
    delivery.address = address
    async with connected() as client:
        with pytest.raises(ConfigError):
            await MailboxSink(client).send(delivery, marks)
    assert marks.made == []


async def test_lost_response_after_the_effect_is_found(far, wire, connected, delivery, marks):
    stored = []

    def take(request):
        stored.append(row(101, delivery.name, size=len(delivery.payload)))
        return wire.drop(request)

    far.on("POST", "/messagebatches/", take)
    far.on("GET", MESSAGES, wire.range(stored))
    async with connected() as client:
        sink = MailboxSink(client)
        with pytest.raises(TransientError) as caught:
            await sink.send(delivery, marks)
        found = await sink.find(delivery)
    assert not isinstance(caught.value, ThrottledError)
    assert [(seen.id, seen.size) for seen in found] == [("101", len(delivery.payload))]
    assert found[0].detail == {"document": "d:101", "created": "2024-01-31T09:15:02+00:00"}


async def test_refused_connection_is_known_to_have_sent_nothing(settings, connected, delivery, marks, unused_tcp_port):
    dead = msgspec.structs.replace(settings(), url=f"http://127.0.0.1:{unused_tcp_port}/B2BAPIs/svc")
    async with connected(dead) as client:
        with pytest.raises(ThrottledError, match="nothing was sent"):
            await MailboxSink(client).send(delivery, marks)


@pytest.mark.parametrize("position", [0, 999, 1000, 1500, 2000, 2499])
async def test_message_is_found_anywhere_in_a_mailbox_of_2500(far, wire, connected, delivery, position):
    rows = [row(key) for key in range(2500)]
    rows[position] = row(position, delivery.name)
    far.on("GET", MESSAGES, wire.range(rows))
    async with connected() as client:
        found = await MailboxSink(client).find(delivery)
    assert [seen.id for seen in found] == [str(position)]


async def test_all_messages_of_the_name_are_found_oldest_first(far, wire, connected, delivery):
    far.on("GET", MESSAGES, wire.range([row(110, delivery.name), row(99, delivery.name), row(7)]))
    async with connected() as client:
        assert [seen.id for seen in await MailboxSink(client).find(delivery)] == ["99", "110"]


def document(key: int, name: str) -> dict[str, object]:
    return {"_id": f"d:{key}", "documentId": f"d:{key}", "documentName": name}


@pytest.mark.parametrize("capitals", [False, True])
async def test_a_message_that_left_its_document_is_not_absent(far, wire, connected, delivery, capitals):
    name = delivery.name.upper() if capitals else delivery.name
    far.on("GET", MESSAGES, wire.range([row(4)]))
    far.on("GET", "/documents/", wire.range([document(1, "other.x12"), document(9, name)]))
    async with connected() as client:
        with pytest.raises(Undetermined, match="document d:9 is") as caught:
            await MailboxSink(client).find(delivery)
    assert caught.value.gone
    assert far.calls("GET", "/documents/")[0]["query"]["searchFor"] == delivery.name


@pytest.mark.parametrize("rows", [[], [document(1, "mlc_RIVERBEND_000000007_ab12.x12.old"), {"_id": "2"}]])
async def test_documents_of_other_names_tell_nothing(far, wire, connected, delivery, rows):
    far.on("GET", MESSAGES, wire.range([row(4)]))
    far.on("GET", "/documents/", wire.range(rows))
    async with connected() as client:
        assert await MailboxSink(client).find(delivery) == []


async def test_documents_are_not_asked_for_when_the_message_is_there_or_of_two_calls(far, wire, connected, delivery):
    far.on("GET", MESSAGES, wire.range([row(4, delivery.name)]))
    async with connected() as client:
        assert len(await MailboxSink(client).find(delivery)) == 1
    far.on("GET", MESSAGES, wire.range([row(4)]))
    async with connected(upload="documents") as client:
        assert await MailboxSink(client).find(delivery) == []
    assert far.calls("GET", "/documents/") == []


@pytest.mark.parametrize("status", [500, 503])
async def test_documents_that_cannot_be_asked_for_now_leave_the_doubt(far, wire, connected, delivery, status):
    far.on("GET", MESSAGES, wire.range([row(4)]))
    far.on("GET", "/documents/", lambda _: wire.error(status, "busy"))
    async with connected() as client:
        with pytest.raises(Undetermined) as caught:
            await MailboxSink(client).find(delivery)
    assert not caught.value.gone


@pytest.mark.parametrize("refusal", ["forbidden", "missing"])
async def test_a_level_or_account_without_documents_takes_the_messages_at_their_word(
    far, wire, connected, delivery, refusal
):
    far.on("GET", MESSAGES, wire.range([row(4)]))
    far.on("GET", "/documents/", lambda _: wire.error(403, "no") if refusal == "forbidden" else wire.page(404))
    async with connected() as client:
        assert await MailboxSink(client).find(delivery) == []


async def test_message_is_found_by_our_document_id(far, wire, connected, delivery):
    delivery.marks = {"document": "d:5"}
    far.on("GET", MESSAGES, wire.range([row(4), row(5, "renamed.x12")]))
    async with connected() as client:
        assert [seen.id for seen in await MailboxSink(client).find(delivery)] == ["5"]


async def test_similar_names_are_no_match(far, wire, connected, delivery):
    far.on("GET", MESSAGES, wire.range([row(1, "mlc_RIVERBEND_000000007_ab12.x12.bak")]))
    async with connected() as client:
        assert await MailboxSink(client).find(delivery) == []


async def test_a_server_that_writes_names_in_capitals_hides_no_message(far, wire, connected, delivery):
    far.on("GET", MESSAGES, wire.range([row(1, delivery.name.upper())]))
    async with connected() as client:
        assert [seen.id for seen in await MailboxSink(client).find(delivery)] == ["1"]


async def test_our_name_in_another_mailbox_only_is_undetermined(far, wire, connected, delivery):
    far.on("GET", MESSAGES, wire.range([row(1, delivery.name, "/DeadLetter")]))
    async with connected() as client:
        with pytest.raises(Undetermined, match="/DeadLetter"):
            await MailboxSink(client).find(delivery)


async def test_empty_mailbox_by_sterlings_own_404_is_absent(far, wire, connected, delivery):
    far.on("GET", MESSAGES, lambda _: wire.error(404, "API000404: Nothing."))
    async with connected() as client:
        assert await MailboxSink(client).find(delivery) == []


async def test_rows_that_shift_between_pages_hide_nothing(far, wire, connected, delivery):
    """Rows before ours go away after the first page, so ours slips under the second window."""
    rows = [row(key) for key in range(1500)]
    rows[1200] = row(1200, delivery.name)
    asked = []

    def answer(request):
        asked.append(request.query["_range"])
        if len(asked) == 2:
            del rows[:400]
        return wire.range(rows)(request)

    far.on("GET", MESSAGES, answer)
    async with connected() as client:
        assert [seen.id for seen in await MailboxSink(client).find(delivery)] == ["1200"]


async def test_server_that_caps_pages_below_what_was_asked_hides_nothing(far, wire, connected, delivery):
    rows = [*(row(key) for key in range(250)), row(999, delivery.name)]
    far.on("GET", MESSAGES, lambda request: wire.range(rows)(request)[:100])
    async with connected() as client:
        assert [seen.id for seen in await MailboxSink(client).find(delivery)] == ["999"]


async def test_server_that_ignores_the_window_ends_the_listing(far, connected, delivery):
    far.on("GET", MESSAGES, [row(key) for key in range(30)])
    async with connected() as client:
        assert await MailboxSink(client).find(delivery) == []


@pytest.mark.parametrize(
    "answer",
    [
        lambda wire: wire.page(200),
        lambda wire: wire.page(404),
        lambda wire: wire.error(400, "API000001: Bad filter."),
        lambda wire: wire.error(403, "No."),
        lambda wire: wire.error(503, "Busy."),
        lambda wire: wire.page(302, Location="http://127.0.0.1:1/"),
        lambda wire: {"rows": []},
        lambda wire: [{"_id": "1"}, {"_id": "2", "name": ""}],
        lambda wire: ["text"],
        lambda wire: wire.page(200, '[{"_id": "1", "na'),
        lambda wire: wire.page(200, ""),
    ],
    ids=[
        "page",
        "page 404",
        "400",
        "403",
        "503",
        "302",
        "no list",
        "nameless rows",
        "no rows",
        "cut off",
        "empty body",
    ],
)
async def test_unclear_listing_is_undetermined_never_absent(far, wire, connected, delivery, answer):
    far.on("GET", MESSAGES, lambda _: answer(wire))
    async with connected() as client:
        with pytest.raises(Undetermined):
            await MailboxSink(client).find(delivery)


async def test_nameless_message_of_somebody_else_is_no_hindrance(far, wire, connected, delivery):
    far.on("GET", MESSAGES, wire.range([row(1, ""), row(2, delivery.name)]))
    async with connected() as client:
        assert [seen.id for seen in await MailboxSink(client).find(delivery)] == ["2"]


async def test_error_on_a_later_page_is_undetermined(far, wire, connected, delivery):
    rows = [row(key) for key in range(1500)]
    far.on("GET", MESSAGES, wire.turns(lambda: rows[:1000], lambda: wire.page(503)))
    async with connected() as client:
        with pytest.raises(Undetermined):
            await MailboxSink(client).find(delivery)


async def test_list_longer_than_the_cap_is_undetermined(far, wire, connected, delivery):
    far.on("GET", MESSAGES, wire.range([row(key) for key in range(5000)]))
    async with connected(page_cap=3) as client:
        with pytest.raises(Undetermined, match="page_cap"):
            await MailboxSink(client).find(delivery)


async def test_listing_by_contents_reads_one_mailbox(far, wire, connected, delivery):
    boxes = [{"_id": "333", "path": "/RIVERBEND/Inbound"}, {"_id": "334", "path": "/RIVERBEND/Inbound2"}]
    rows = [
        {"id": 3, "type": "mailbox", "name": delivery.name},
        *({"id": key, "type": "message", "name": "x"} for key in range(1200)),
    ]
    rows.append({"id": 4711, "type": "message", "name": delivery.name, "size": 5, "documentId": "d:9"})
    far.on("GET", "/mailboxes/", wire.range(boxes))
    far.on("GET", "/mailboxcontents/", wire.range(rows))
    async with connected(list_by="mailboxcontents") as client:
        found = await MailboxSink(client).find(delivery)
    assert [(seen.id, seen.size) for seen in found] == [("4711", 5)]
    assert {call["query"]["parentMailboxId"] for call in far.calls("GET", "/mailboxcontents/")} == {"333"}


async def test_listing_by_contents_of_an_unlisted_mailbox_is_undetermined(far, wire, connected, delivery):
    far.on("GET", "/mailboxes/", wire.range([{"_id": "334", "path": "/RIVERBEND/Inbound2"}]))
    async with connected(list_by="mailboxcontents") as client:
        with pytest.raises(Undetermined):
            await MailboxSink(client).find(delivery)


async def test_message_path_is_a_setting(far, wire, connected, delivery):
    far.on("GET", "/mailboxMessages/", wire.range([row(1, delivery.name)]))
    async with connected(mailboxmessages="mailboxMessages") as client:
        assert len(await MailboxSink(client).find(delivery)) == 1


# Where the evidence is thin.


def without(row: dict[str, object], *members: str) -> dict[str, object]:
    return {name: value for name, value in row.items() if name not in members}


INBOUND = {"_id": "333", "path": "/RIVERBEND/Inbound"}


@pytest.mark.parametrize("lacking", ["/mailboxes/", "/mailboxcontents/"])
@pytest.mark.parametrize(
    "answer",
    [
        lambda wire: wire.page(404),
        lambda wire: wire.page(405),
        lambda wire: wire.page(404, '{"status": 404, "error": "Not Found"}'),
        lambda wire: wire.error(404, "API000404: No such resource."),
        lambda wire: wire.error(405, "API000405: Not supported."),
    ],
    ids=["page 404", "page 405", "foreign json 404", "own 404", "own 405"],
)
async def test_complete_listing_proves_absence_where_the_level_has_no_second_look(
    far, wire, connected, delivery, lacking, answer
):
    far.on("GET", MESSAGES, wire.range([row(1, mailbox="/OTHER/Inbound")]))
    far.on("GET", "/mailboxes/", wire.range([INBOUND]))
    far.on("GET", lacking, lambda _: answer(wire))
    async with connected() as client:
        assert await MailboxSink(client).find(delivery) == []


@pytest.mark.parametrize("looking", ["/mailboxes/", "/mailboxcontents/"])
@pytest.mark.parametrize(
    "answer",
    [
        lambda wire: wire.page(503),
        lambda wire: wire.page(400),
        lambda wire: wire.page(200),
        lambda wire: wire.page(302, Location="/x"),
        lambda wire: wire.error(400, "java.lang.NullPointerException"),
        lambda wire: wire.error(429, "Slow down."),
    ],
    ids=["503", "page 400", "page 200", "302", "own 400", "429"],
)
async def test_second_look_that_fails_is_undetermined(far, wire, connected, delivery, looking, answer):
    far.on("GET", MESSAGES, wire.range([row(1, mailbox="/OTHER/Inbound")]))
    far.on("GET", "/mailboxes/", wire.range([INBOUND]))
    far.on("GET", looking, lambda _: answer(wire))
    async with connected() as client:
        with pytest.raises(Undetermined):
            await MailboxSink(client).find(delivery)


async def test_mailbox_whose_contents_are_refused_is_undetermined(far, wire, connected, delivery):
    far.on("GET", MESSAGES, wire.range([row(1, mailbox="/OTHER/Inbound")]))
    far.on("GET", "/mailboxes/", wire.range([INBOUND]))
    far.on("GET", "/mailboxcontents/", lambda _: wire.page(403))
    async with connected() as client:
        with pytest.raises(Undetermined, match="may not read /RIVERBEND/Inbound"):
            await MailboxSink(client).find(delivery)


@pytest.mark.parametrize("status", [404, 405])
async def test_listing_of_messages_that_is_not_offered_is_undetermined(far, wire, connected, delivery, status):
    far.on("GET", MESSAGES, lambda _: wire.error(405, "API000405: Not supported.") if status == 405 else wire.page(404))
    async with connected() as client:
        with pytest.raises(Undetermined):
            await MailboxSink(client).find(delivery)


@pytest.mark.parametrize("path", ["/Riverbend/Inbound", "/RIVERBEND/Inbound/", "/riverbend/inbound/"])
async def test_mailbox_is_recognised_in_the_spelling_it_was_created_with(far, wire, connected, delivery, path):
    far.on("GET", MESSAGES, wire.range([row(5, delivery.name, path)]))
    async with connected() as client:
        assert [seen.id for seen in await MailboxSink(client).find(delivery)] == ["5"]


async def test_mailbox_is_recognised_by_id_where_rows_name_no_path(far, wire, connected, delivery):
    rows = [without(row(5, delivery.name, mailboxId=333), "mailboxPath"), without(row(6, mailboxId=1), "mailboxPath")]
    far.on("GET", MESSAGES, wire.range(rows))
    far.on("GET", "/mailboxes/", wire.range([INBOUND, {"_id": "334", "path": "/RIVERBEND/Inbound2"}]))
    async with connected() as client:
        assert [seen.id for seen in await MailboxSink(client).find(delivery)] == ["5"]
    assert {call["query"]["path"] for call in far.calls("GET", "/mailboxes/")} == {"/RIVERBEND/Inbound"}


async def test_message_in_a_mailbox_of_another_id_is_undetermined(far, wire, connected, delivery):
    far.on("GET", MESSAGES, wire.range([without(row(5, delivery.name, mailboxId=9), "mailboxPath")]))
    far.on("GET", "/mailboxes/", wire.range([INBOUND]))
    async with connected() as client:
        with pytest.raises(Undetermined, match="id 9"):
            await MailboxSink(client).find(delivery)


@pytest.mark.parametrize("members", [("mailboxPath",), ("mailboxPath", "mailboxId")])
@pytest.mark.parametrize("answer", [lambda wire: wire.page(404), lambda wire: wire.error(403, "No.")])
async def test_unique_name_alone_finds_a_message_whose_mailbox_cannot_be_told(
    far, wire, connected, delivery, members, answer
):
    far.on("GET", MESSAGES, wire.range([without(row(5, delivery.name, mailboxId=333), *members)]))
    far.on("GET", "/mailboxes/", lambda _: answer(wire))
    async with connected() as client:
        assert [seen.id for seen in await MailboxSink(client).find(delivery)] == ["5"]


async def test_same_spelling_wins_among_mailboxes_that_differ_in_case(far, wire, connected, delivery):
    boxes = [{"_id": "7", "path": "/riverbend/inbound"}, INBOUND]
    far.on("GET", "/mailboxes/", wire.range(boxes))
    far.on("GET", "/mailboxcontents/", wire.range([{"id": 4711, "type": "message", "name": delivery.name}]))
    async with connected(list_by="mailboxcontents") as client:
        assert len(await MailboxSink(client).find(delivery)) == 1
    assert {call["query"]["parentMailboxId"] for call in far.calls("GET", "/mailboxcontents/")} == {"333"}


# Listing by contents.


@pytest.fixture
def inbound(far, wire):
    far.on("GET", "/mailboxes/", wire.range([{"_id": "333", "path": "/Riverbend/Inbound/"}]))
    far.on("GET", "/mailboxcontents/", wire.range([{"id": 3, "type": "message", "name": "other"}]))


async def test_contents_without_the_message_mean_absent(far, wire, connected, delivery, inbound):
    far.on("GET", MESSAGES, lambda _: wire.error(404, "API000004: No records found"))
    async with connected(list_by="mailboxcontents") as client:
        assert await MailboxSink(client).find(delivery) == []
    assert [call["query"]["searchFor"] for call in far.calls("GET", MESSAGES)] == [delivery.name]


async def test_message_that_a_rule_moved_out_of_the_contents_is_undetermined(far, wire, connected, delivery, inbound):
    far.on("GET", MESSAGES, wire.range([row(9, delivery.name, "/DeadLetter")]))
    async with connected(list_by="mailboxcontents") as client:
        with pytest.raises(Undetermined, match="/DeadLetter"):
            await MailboxSink(client).find(delivery)


async def test_message_that_contents_miss_and_the_search_shows_in_that_mailbox_is_found(
    far, wire, connected, delivery, inbound
):
    far.on("GET", MESSAGES, wire.range([row(9, delivery.name)]))
    async with connected(list_by="mailboxcontents") as client:
        assert [seen.id for seen in await MailboxSink(client).find(delivery)] == ["9"]


@pytest.mark.parametrize("answer", [lambda wire: wire.page(404), lambda wire: wire.error(403, "No.")])
async def test_contents_stand_alone_where_messages_cannot_be_searched(far, wire, connected, delivery, inbound, answer):
    far.on("GET", MESSAGES, lambda _: answer(wire))
    async with connected(list_by="mailboxcontents") as client:
        assert await MailboxSink(client).find(delivery) == []


async def test_search_that_fails_after_empty_contents_is_undetermined(far, wire, connected, delivery, inbound):
    far.on("GET", MESSAGES, lambda _: wire.page(503))
    async with connected(list_by="mailboxcontents") as client:
        with pytest.raises(Undetermined):
            await MailboxSink(client).find(delivery)


async def test_search_in_a_huge_hub_reads_one_window_only(far, wire, connected, delivery, inbound):
    far.on("GET", MESSAGES, wire.range([row(key) for key in range(5000)]))
    async with connected(list_by="mailboxcontents") as client:
        assert await MailboxSink(client).find(delivery) == []
    assert len(far.calls("GET", MESSAGES)) == 1


@pytest.mark.parametrize("list_by", ["mailboxmessages", "mailboxcontents"])
@pytest.mark.parametrize("status", [404, 405])
async def test_level_without_contents_is_named_before_a_run_that_needs_them(
    far, wire, connected, list_by, status, inbound
):
    far.on("GET", MESSAGES, wire.range([]))
    far.on("GET", "/mailboxcontents/", lambda _: wire.page(status))
    async with connected(list_by=list_by) as client:
        if list_by == "mailboxmessages":
            await ADAPTER.connections[0].check(client)
            return
        with pytest.raises(ConfigError, match="list_by: mailboxmessages"):
            await ADAPTER.connections[0].check(client)


@pytest.mark.parametrize("answer", [lambda wire: wire.error(403, "No."), lambda wire: []])
async def test_contents_that_are_offered_pass_the_check(far, wire, connected, answer, inbound):
    far.on("GET", "/mailboxcontents/", lambda _: answer(wire))
    async with connected(list_by="mailboxcontents") as client:
        await ADAPTER.connections[0].check(client)


async def test_check_passes_where_the_account_sees_no_mailbox_yet(far, wire, connected):
    far.on("GET", "/mailboxes/", wire.range([]))
    far.on("GET", "/mailboxcontents/", lambda _: wire.page(404))
    async with connected(list_by="mailboxcontents") as client:
        await ADAPTER.connections[0].check(client)
