"""Documents, messages and batches: both ways up, extraction, moving, duplicates."""

from __future__ import annotations

import base64
import hashlib

import pytest

BATCH = {"Content-Type": "multipart/form-data; boundary=b"}
PAYLOAD = b"ISA*00*\x1c\x85\r\n--b is no boundary\r\n~"


async def _document(call, payload=PAYLOAD, name="810.edi"):
    body = {"documentName": name, "payload": base64.b64encode(payload).decode()}
    return (await call("POST", "/documents/", body)).id


async def _message(call, **fields):
    body = {"mailboxPath": "/RIVERBEND/Inbound", "name": "810.edi", "documentId": await _document(call), **fields}
    return await call("POST", "/mailboxmessages/", {name: value for name, value in body.items() if value is not None})


async def test_a_batch_makes_a_document_and_its_message(serve, batch):
    async with serve() as call:
        got = await call("POST", "/messagebatches/", batch("810_0001.edi", PAYLOAD), headers=BATCH)
        row = (await call("GET", f"/mailboxmessages/{got.id}")).body
        assert got.status == 201
        assert got.headers["Content-Type"] == "application/json;charset=utf-8"
        assert (row["name"], row["mailboxPath"], row["size"]) == ("810_0001.edi", "/RIVERBEND/Inbound", len(PAYLOAD))
        assert row["extractableAlways"] == {"code": True, "display": "Yes"}
        assert call.simulator.payload(got.id) == PAYLOAD


async def test_the_log_of_effects_tells_what_arrived(serve, batch):
    async with serve() as call:
        got = await call("POST", "/messagebatches/", batch("810_0001.edi", PAYLOAD), headers=BATCH)
        document, message = call.simulator.effects()
        assert document["effect"] == "document.created"
        assert message == {
            "order": 2,
            "at": "2024-01-31T09:15:02.000+0000",
            "effect": "message.created",
            "message": int(got.id),
            "mailbox": "/RIVERBEND/Inbound",
            "name": "810_0001.edi",
            "document": document["document"],
            "size": len(PAYLOAD),
            "sha256": hashlib.sha256(PAYLOAD).hexdigest(),
        }


async def test_a_batch_written_by_hand_in_chunks_works(serve, batch, raw_request):
    async with serve() as call:
        body = batch("810_0001.edi", PAYLOAD)
        pieces = [body[i : i + 7] for i in range(0, len(body), 7)]
        chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        lines = [
            f"Authorization: {call.basic()}",
            "Content-Type: multipart/form-data; boundary=b",
            "Transfer-Encoding: chunked",
        ]
        head, answer = await raw_request(call.simulator, "POST", "/messagebatches/", lines, chunked)
        assert head.startswith(b"HTTP/1.1 201")
        assert b'/messagebatches/1"' in answer
        assert call.simulator.payload(1) == PAYLOAD


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=b",
        'multipart/form-data; boundary="b"',
        "Multipart/Form-Data; charset=utf-8; BOUNDARY=b",
    ],
)
async def test_the_boundary_is_read_in_every_spelling(serve, batch, content_type):
    async with serve() as call:
        assert (await call("POST", "/messagebatches/", batch(), headers={"Content-Type": content_type})).status == 201


async def test_a_batch_of_pairs_makes_each_message_in_its_mailbox(serve, form):
    parts = [
        ("upstream", "a", b"1"), ("mailboxName", None, b"/RIVERBEND/Inbound"),
        ("upstream", "b", b"2"), ("mailboxName", None, b"/OCEANIC/Inbound"),
    ]  # fmt: skip
    async with serve() as call:
        got = await call("POST", "/messagebatches/", form(*parts), headers=BATCH)
        assert [message.name for message in call.simulator.messages("/RIVERBEND/Inbound")] == ["a"]
        assert [message.id for message in call.simulator.messages("/OCEANIC/Inbound")] == [int(got.id)]


UP, BOX = ("upstream", "a", b"1"), ("mailboxName", None, b"/RIVERBEND/Inbound")


@pytest.mark.parametrize(
    ("strict", "parts", "status"),
    [(False, [BOX, UP], 201), (True, [BOX, UP], 400), (True, [UP, BOX], 201), (False, [BOX, UP, BOX, UP], 400)],
)
async def test_one_pair_may_stand_the_other_way_round_as_python_scripts_send_it(serve, form, strict, parts, status):
    async with serve(ordered_parts=strict) as call:
        assert (await call("POST", "/messagebatches/", form(*parts), headers=BATCH)).status == status
        assert len(call.simulator.messages("/RIVERBEND/Inbound")) == (status == 201)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [UP],
        [BOX],
        [UP, UP, BOX, BOX],
        [UP, BOX, UP],
        [UP, ("mailbox", None, b"/RIVERBEND/Inbound")],
        [("file", "a", b"1"), BOX],
        [("upstream", None, b"1"), BOX],
        [("upstream", "", b"1"), BOX],
        [("upstream", "  ", b"1"), BOX],
        [("upstream", "n" * 256, b"1"), BOX],
        [UP, ("mailboxName", None, b"/NOWHERE")],
        [UP, ("mailboxName", None, b"/RIVERBEND/Inbound ")],
        [UP, ("mailboxName", None, b"/riverbend/inbound")],
        [UP, BOX, UP, ("mailboxName", None, b"/NOWHERE")],
    ],
)
async def test_a_batch_of_other_parts_is_refused_as_a_whole(serve, form, parts):
    async with serve() as call:
        assert (await call("POST", "/messagebatches/", form(*parts), headers=BATCH)).status == 400
        assert call.simulator.effects() == ()


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("", b"{}", 415),
        ("multipart/mixed; boundary=b", b"--b--\r\n", 415),
        ("multipart/form-data", b"--b--\r\n", 400),
        ("multipart/form-data; boundary=b", b"", 400),
        ("multipart/form-data; boundary=b", b"--other--\r\n", 400),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="upstream"; filename="a"\r\n\r\n1\r\n',
            400,
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="upstream"\r\n1\r\n--b--\r\n',
            400,
        ),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Type: text/plain\r\n\r\n1\r\n--b--\r\n", 400),
    ],
)
async def test_a_body_that_is_no_multipart_form_is_refused(serve, content_type, body, status):
    async with serve() as call:
        assert (await call("POST", "/messagebatches/", body, headers={"Content-Type": content_type})).status == status


async def test_a_filename_is_taken_as_it_is_spelled(serve, batch):
    async with serve() as call:
        await call("POST", "/messagebatches/", batch("a%20b.edi"), headers=BATCH)
        assert [message.name for message in call.simulator.messages("/RIVERBEND/Inbound")] == ["a%20b.edi"]


@pytest.mark.parametrize("status", [404, 405])
async def test_a_level_without_batches_says_so(serve, batch, status):
    async with serve(batches_status=status) as call:
        assert (await call("POST", "/messagebatches/", batch(), headers=BATCH)).status == status
        assert call.simulator.effects() == ()


async def test_batches_can_be_read_but_not_listed(serve, batch):
    async with serve() as call:
        got = await call("POST", "/messagebatches/", batch(), headers=BATCH)
        assert (await call("GET", f"/messagebatches/{got.id}")).body["name"] == "810_0001.edi"
        assert (await call("GET", "/messagebatches/")).status == 405


async def test_a_document_is_made_from_base64_and_given_back(serve):
    async with serve() as call:
        document = await _document(call)
        got = await call("POST", f"/documents/{document}/actions/getpayload")
        (row,) = (await call("GET", f"/documents/?documentId={document}")).body
        assert base64.b64decode(got.body["response"]) == PAYLOAD
        assert row["documentName"] == "810.edi"
        assert document.count(":") == 3


async def test_plain_text_goes_through_a_character_set(serve):
    async with serve() as call:
        document = await _document(call, "é~\n".encode() + b"\x85")
        got = await call("POST", f"/documents/{document}/actions/getpayload?isPlainText=true")
        assert got.body == {"response": "é~\n\ufffd"}


@pytest.mark.parametrize(
    "body",
    [
        {"documentName": "a"},
        {"payload": "YQ=="},
        {"documentName": "a", "payload": "not base64!"},
        {"documentName": "a", "payload": "YQ"},
        {"documentName": "a", "payload": ""},
        {"documentName": "a", "payload": "YQ==", "mailboxPath": "/RIVERBEND/Inbound"},
        {"documentName": "a", "documentPayload": "YQ=="},
    ],
)
async def test_a_document_that_breaks_a_rule_is_refused(serve, body):
    async with serve() as call:
        assert (await call("POST", "/documents/", body)).status == 400


async def test_the_member_names_of_a_document_are_a_switch(serve):
    async with serve(document_name="name", document_payload="documentPayload") as call:
        assert (await call("POST", "/documents/", {"name": "a", "documentPayload": "YQ=="})).status == 201
        assert (await call("POST", "/documents/", {"documentName": "a", "payload": "YQ=="})).status == 400


@pytest.mark.parametrize("path", ["/documents/b2b1:node1:0:9", "/documents/b2b1:node1:0:9/actions/getpayload"])
async def test_an_unknown_document_is_404(serve, path):
    async with serve() as call:
        assert (await call("GET", path)).status == 404
        assert (await call("GET", "/documents/?documentId=b2b1:node1:0:9")).body == []


async def test_actions_are_posted_and_matched_without_case(serve):
    async with serve() as call:
        document = await _document(call)
        assert (await call("GET", f"/documents/{document}/actions/getpayload")).status == 405
        assert (await call("POST", f"/documents/{document}/Actions/getPayload")).status == 200


async def test_a_document_in_use_cannot_be_deleted(serve):
    async with serve() as call:
        message = (await _message(call)).id
        document = (await call("GET", f"/mailboxmessages/{message}")).body["documentId"]
        assert (await call("DELETE", f"/documents/{document}")).status == 400
        await call("DELETE", f"/mailboxmessages/{message}")
        assert (await call("DELETE", f"/documents/{document}")).status == 200


async def test_a_message_names_an_existing_document(serve):
    async with serve() as call:
        got = await _message(call)
        assert got.status == 201
        assert call.simulator.payload(got.id) == PAYLOAD


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"documentId": None}, "documentId"),
        ({"documentId": "b2b1:node1:0:9"}, "does not exist"),
        ({"name": None}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "n" * 256}, "255"),
        ({"mailboxPath": None}, "mailboxPath"),
        ({"mailboxPath": "/NOWHERE"}, "/NOWHERE"),
        ({"mailboxId": 101}, "different"),
        ({"payload": "YQ=="}, "payload"),
        ({"size": 3}, "size"),
        ({"extractableAlways": True, "extractableCount": 1}, "Multiple extractable types"),
        ({"extractableCount": -1}, "extractableCount"),
        ({"extractableUntil": "tomorrow"}, "extractableUntil"),
    ],
)
async def test_a_message_that_breaks_a_rule_is_refused(serve, changes, told):
    async with serve() as call:
        got = await _message(call, **changes)
        assert (got.status, told in got.error) == (400, True)
        assert [effect["effect"] for effect in call.simulator.effects()] == ["document.created"]


async def test_the_name_limit_is_a_switch(serve):
    async with serve(name_limit=100) as call:
        assert (await _message(call, name="n" * 100)).status == 201
        assert (await _message(call, name="n" * 101)).status == 400


async def test_a_message_may_name_its_mailbox_by_number(serve):
    async with serve() as call:
        box = call.simulator.hub.paths["/OCEANIC/Inbound"].id
        got = await _message(call, mailboxPath=None, mailboxId=box)
        assert (await call("GET", f"/mailboxmessages/{got.id}")).body["mailboxId"] == box


async def test_a_message_into_a_closed_mailbox_is_refused(serve):
    async with serve() as call:
        call.simulator.hub.add_mailbox("/CLOSED", "closed")
        assert (await _message(call, mailboxPath="/CLOSED")).status == 403


async def test_messages_of_closed_mailboxes_are_neither_listed_nor_read(serve):
    async with serve() as call:
        call.simulator.hub.add_mailbox("/CLOSED", "closed")
        number = call.simulator.deposit("/CLOSED", "a", b"1")
        assert (await call("GET", "/mailboxmessages/")).body == []
        assert (await call("GET", f"/mailboxmessages/{number}")).status == 403


async def test_ids_ascend_with_gaps(serve):
    async with serve() as call:
        ids = [call.simulator.deposit("/RIVERBEND/Inbound", "a", b"1") for _ in range(10)]
        assert ids == sorted(set(ids))
        assert ids[-1] > len(ids)


async def test_equal_names_live_side_by_side(serve):
    async with serve() as call:
        await _message(call)
        await _message(call)
        assert len((await call("GET", "/mailboxmessages/?searchFor=810.edi")).body) == 2


async def test_a_site_may_drop_the_older_message_of_a_name(serve):
    async with serve(duplicate_names="replace") as call:
        first, second = await _message(call), await _message(call)
        assert (await call("GET", f"/mailboxmessages/{first.id}")).status == 404
        assert [message.id for message in call.simulator.messages("/RIVERBEND/Inbound")] == [int(second.id)]
        assert "message.replaced" in [effect["effect"] for effect in call.simulator.effects()]


async def test_an_extraction_delivers_and_counts(serve):
    async with serve() as call:
        message = (await _message(call, extractableCount=1)).id
        got = await call("POST", f"/mailboxmessages/{message}/actions/extract")
        assert base64.b64decode(got.body["response"]) == PAYLOAD
        assert (await call("GET", f"/mailboxmessages/{message}")).body["extractableCount"] == 0
        assert (await call("POST", f"/mailboxmessages/{message}/actions/extract")).status == 400


async def test_reading_a_payload_is_no_extraction(serve):
    async with serve() as call:
        message = (await _message(call, extractableCount=1)).id
        document = (await call("GET", f"/mailboxmessages/{message}")).body["documentId"]
        await call("POST", f"/documents/{document}/actions/getpayload")
        assert (await call("GET", f"/mailboxmessages/{message}")).body["extractableCount"] == 1


async def test_a_message_is_extractable_until_its_time(serve, clock):
    async with serve() as call:
        message = (await _message(call, extractableUntil="2024-01-31T09:15:12.000+0000")).id
        assert (await call("POST", f"/mailboxmessages/{message}/actions/extract")).status == 200
        await clock.advance(10)
        assert (await call("POST", f"/mailboxmessages/{message}/actions/extract")).status == 400


async def test_an_update_changes_the_extractability(serve):
    async with serve() as call:
        message = (await _message(call)).id
        assert (await call("PUT", f"/mailboxmessages/{message}", {"extractableAlways": False})).body == {
            "rowsAffected": 1
        }
        assert (await call("POST", f"/mailboxmessages/{message}/actions/extract")).status == 400
        assert (await call("PUT", f"/mailboxmessages/{message}", {"extractableCount": 2})).status == 200
        row = (await call("GET", f"/mailboxmessages/{message}")).body
        assert (row["extractableCount"], "extractableAlways" in row) == (2, False)


@pytest.mark.parametrize("body", [{}, {"name": "other"}, {"extractableAlways": True, "extractableCount": 1}])
async def test_another_update_is_refused(serve, body):
    async with serve() as call:
        message = (await _message(call)).id
        assert (await call("PUT", f"/mailboxmessages/{message}", body)).status == 400


async def test_a_message_can_be_moved(serve):
    async with serve() as call:
        message = (await _message(call)).id
        assert (
            await call("POST", f"/mailboxmessages/{message}/actions/move", {"mailboxPath": "/OCEANIC/Inbound"})
        ).status == 200
        assert call.simulator.messages("/RIVERBEND/Inbound") == []
        assert [str(x.id) for x in call.simulator.messages("/OCEANIC/Inbound")] == [message]


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"mailboxPath": "/NOWHERE"}, 400), ({"to": "/OCEANIC"}, 400), ({"mailboxPath": "/CLOSED"}, 403)],
)
async def test_a_move_to_nowhere_is_refused(serve, body, status):
    async with serve() as call:
        call.simulator.hub.add_mailbox("/CLOSED", "closed")
        message = (await _message(call)).id
        assert (await call("POST", f"/mailboxmessages/{message}/actions/move", body)).status == status


async def test_the_actions_of_a_message_are_listed(serve):
    async with serve() as call:
        message = (await _message(call)).id
        assert (await call("GET", f"/mailboxmessages/{message}/actions")).body == [
            {"name": "extract"},
            {"name": "move"},
        ]


async def test_the_servers_clock_may_be_wrong(serve):
    async with serve(clock_skew=-3600) as call:
        call.simulator.deposit("/RIVERBEND/Inbound", "a", b"1")
        assert (await call("GET", "/mailboxmessages/")).body[0]["creationDate"] == "2024-01-31T08:15:02.000+0000"


async def test_a_routing_rule_may_take_a_message_at_once(serve, batch):
    async with serve() as call:
        call.simulator.watch(lambda message: call.simulator.consume(message.id))
        got = await call("POST", "/messagebatches/", batch(), headers=BATCH)
        assert got.status == 201
        assert (await call("GET", "/mailboxmessages/")).body == []
        assert [effect["effect"] for effect in call.simulator.effects()][1:] == ["message.created", "message.consumed"]


async def test_arrivals_can_be_watched(serve, batch):
    async with serve() as call:
        seen = []
        call.simulator.watch(lambda message: seen.append(message.name))
        await call("POST", "/messagebatches/", batch("810_0001.edi"), headers=BATCH)
        assert seen == ["810_0001.edi"]


async def test_names_that_differ_in_case_only_are_one_name_where_the_older_is_dropped(serve):
    async with serve(duplicate_names="replace") as call:
        mailbox = call.simulator.hub.paths["/RIVERBEND/Inbound"]
        first = call.simulator.deposit(mailbox.path, "a.edi", b"x")
        put = call.simulator._collections["mailboxmessages"].put
        second = put(mailbox, "A.EDI", call.simulator.hub.messages[first].document).id
        assert [message.id for message in call.simulator.messages(mailbox.path)] == [second]
