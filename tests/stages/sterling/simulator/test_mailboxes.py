"""Mailboxes, what they hold, and user accounts with their permissions."""

from __future__ import annotations

import pytest

NEW = {"path": "/V1/Inbox", "description": "AP outbound", "createParentMailbox": True}


async def _box(call, path):
    rows = (await call("GET", f"/mailboxes/?path={path}")).body
    return next(row for row in rows if row["path"] == path)


async def test_the_worlds_mailboxes_are_there_with_their_parents(serve):
    async with serve() as call:
        paths = {row["path"] for row in (await call("GET", "/mailboxes/")).body}
        assert {"/RIVERBEND", "/RIVERBEND/Inbound", "/OCEANIC", "/OCEANIC/Inbound"} <= paths


async def test_a_path_finds_by_prefix_so_a_caller_must_compare(serve):
    async with serve() as call:
        rows = (await call("GET", "/mailboxes/?path=/RIVERBEND&_range=0-999")).body
        assert [row["path"] for row in rows] == ["/RIVERBEND", "/RIVERBEND/Inbound"]


async def test_a_mailbox_is_made_with_its_missing_parents(serve):
    async with serve() as call:
        got = await call("POST", "/mailboxes/", NEW | {"groups": "AP_CONNECTOR"})
        box = (await call("GET", f"/mailboxes/{got.id}")).body
        assert got.status == 201
        assert box["path"] == "/V1/Inbox"
        assert box["permission"] == "/V1/Inbox Mailbox"
        assert box["mailboxType"] == {"code": "R", "display": "Regular"}
        assert (box["groups"], box["users"]) == ("AP_CONNECTOR", "")
        assert (await _box(call, "/V1"))["groups"] == ""


async def test_an_existing_path_is_refused(serve):
    async with serve() as call:
        await call("POST", "/mailboxes/", NEW)
        got = await call("POST", "/mailboxes/", NEW)
        assert (got.status, "already exists" in got.error) == (400, True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"createParentMailbox": False}, "parent"),
        ({"path": None}, "path"),
        ({"path": "V1"}, "path"),
        ({"path": "/V1/"}, "path"),
        ({"path": "/V1//Inbox"}, "path"),
        ({"description": ""}, "description"),
        ({"description": None}, "description"),
        ({"groups": ["AP_CONNECTOR"]}, "groups"),
        ({"groups": "NO_SUCH"}, "NO_SUCH"),
        ({"users": "nobody"}, "nobody"),
        ({"mailboxType": "X"}, "mailboxType"),
        ({"mailboxType": "L"}, "linkedToMailbox"),
        ({"mailboxType": "L", "linkedToMailbox": 9999}, "9999"),
        ({"linkedToMailbox": 101}, "linkedToMailbox"),
        ({"permission": "x"}, "permission"),
    ],
)
async def test_a_mailbox_that_breaks_a_rule_is_refused(serve, changes, told):
    async with serve() as call:
        got = await call("POST", "/mailboxes/", {**NEW, **changes})
        assert (got.status, told in got.error) == (400, True)
        assert call.simulator.effects() == ()


async def test_the_permission_comes_with_the_group(serve, batch):
    async with serve() as call:
        sent = {"Content-Type": "multipart/form-data; boundary=b"}
        await call("POST", "/mailboxes/", NEW)
        assert (await call("POST", "/messagebatches/", batch(path="/V1/Inbox"), headers=sent)).status == 403
        box = await _box(call, "/V1/Inbox")
        assert (await call("PUT", f"/mailboxes/{box['_id']}", {"groups": "AP_CONNECTOR"})).status == 200
        assert (await call("POST", "/messagebatches/", batch(path="/V1/Inbox"), headers=sent)).status == 201
        await call("PUT", f"/mailboxes/{box['_id']}", {"groups": "", "description": "closed"})
        assert (await call("POST", "/messagebatches/", batch(path="/V1/Inbox"), headers=sent)).status == 403


async def test_a_mailbox_cannot_be_moved_by_an_update(serve):
    async with serve() as call:
        box = await _box(call, "/RIVERBEND")
        assert (await call("PUT", f"/mailboxes/{box['_id']}", {"path": "/OTHER"})).status == 400


async def test_only_an_empty_mailbox_can_be_deleted(serve):
    async with serve() as call:
        parent, box = await _box(call, "/RIVERBEND"), await _box(call, "/RIVERBEND/Inbound")
        assert (await call("DELETE", f"/mailboxes/{parent['_id']}")).status == 400
        assert (await call("DELETE", f"/mailboxes/{box['_id']}")).status == 200
        assert (await call("DELETE", f"/mailboxes/{parent['_id']}")).status == 200


@pytest.mark.parametrize("key", ["9999", "abc", "-1", "1.5", "9" * 5000])
async def test_an_unknown_mailbox_is_404(serve, key):
    async with serve() as call:
        assert (await call("GET", f"/mailboxes/{key}")).status == 404


async def test_contents_are_sub_mailboxes_and_messages_not_recursive(serve):
    async with serve() as call:
        call.simulator.deposit("/RIVERBEND", "one.edi", b"abc")
        call.simulator.deposit("/RIVERBEND/Inbound", "two.edi", b"abc")
        rows = (await call("GET", "/mailboxcontents/?mailboxPath=/RIVERBEND")).body
        assert [(row["type"], row["name"]) for row in rows] == [("mailbox", "Inbound"), ("message", "one.edi")]
        assert "documentId" not in rows[1]


async def test_detail_tells_what_a_message_holds_in_plain_values(serve):
    async with serve() as call:
        number = call.simulator.deposit("/RIVERBEND/Inbound", "two.edi", b"abc")
        box = await _box(call, "/RIVERBEND/Inbound")
        (row,) = (await call("GET", f"/mailboxcontents/?parentMailboxId={box['_id']}&detail=true")).body
        assert row["id"] == number
        assert row["size"] == 3
        assert row["extractableAlways"] is True
        assert row["creationDate"] == "2024-01-31T09:15:02.000+0000"
        assert row["documentId"] in call.simulator.hub.documents


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("parentMailboxId=x", 400),
        ("parentMailboxId=9999", 404),
        ("mailboxPath=/NOWHERE", 404),
        ("mailboxPath=/riverbend", 404),
    ],
)
async def test_contents_need_an_existing_mailbox(serve, query, status):
    async with serve() as call:
        assert (await call("GET", f"/mailboxcontents/?{query}")).status == status


async def test_contents_without_the_permission_are_refused(serve):
    async with serve() as call:
        await call("POST", "/mailboxes/", NEW)
        assert (await call("GET", "/mailboxcontents/?mailboxPath=/V1/Inbox")).status == 403


async def test_global_query_reads_every_mailbox_but_writes_none(serve, batch):
    async with serve() as call:
        await call("POST", "/mailboxes/", NEW)
        call.simulator.hub.accounts["apconnector"].permissions.append("Mailbox Global Query")
        sent = {"Content-Type": "multipart/form-data; boundary=b"}
        assert (await call("GET", "/mailboxcontents/?mailboxPath=/V1/Inbox")).status == 200
        assert (await call("POST", "/messagebatches/", batch(path="/V1/Inbox"), headers=sent)).status == 403


async def test_an_administrator_passes_every_mailbox_check(serve):
    async with serve() as call:
        await call("POST", "/mailboxes/", NEW)
        assert (await call("GET", "/mailboxcontents/?mailboxPath=/V1/Inbox", user="admin")).status == 200


async def test_the_connectors_account_is_no_administrator(serve):
    async with serve() as call:
        row = (await call("GET", "/useraccounts/apconnector")).body
        assert row["groups"] == [{"name": "AP_CONNECTOR"}]
        assert row["permissions"] == [{"name": "APIUser"}]
        assert "password" not in row


async def test_an_unknown_account_is_told_with_its_code(serve):
    async with serve() as call:
        got = await call("GET", "/useraccounts/nobody")
        assert (got.status, got.error.startswith("API000464")) == (404, True)


USER = {"userId": "u1", "password": "Passw0rd", "givenName": "U", "surname": "One"}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_an_account_update_replaces_its_lists(serve, method):
    async with serve() as call:
        made = await call(
            "POST",
            "/useraccounts/",
            USER | {"groups": [{"name": "AP_CONNECTOR"}], "permissions": [{"name": "APIUser"}]},
        )
        assert made.status == 201
        assert (await call(method, "/useraccounts/u1", {"permissions": [], "email": "u@example.com"})).body == {
            "rowsAffected": 1
        }
        row = (await call("GET", "/useraccounts/u1")).body
        assert (row["permissions"], row["groups"], row["email"]) == ([], [{"name": "AP_CONNECTOR"}], "u@example.com")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"userId": "a@b"}, "API000452"),
        ({"userId": "admin"}, "already exists"),
        ({"password": None}, "password"),
        ({"password": "x"}, "password"),
        ({"groups": [{"name": "NO_SUCH"}]}, "NO_SUCH"),
        ({"groups": "AP_CONNECTOR"}, "groups"),
        ({"permissions": [{"name": "NO_SUCH"}]}, "NO_SUCH"),
        ({"authorizedUserKeys": [{"name": "k"}]}, "API000451"),
        ({"shoe": "9"}, "shoe"),
    ],
)
async def test_an_account_that_breaks_a_rule_is_refused(serve, changes, told):
    async with serve() as call:
        got = await call("POST", "/useraccounts/", {**USER, **changes})
        assert (got.status, told in got.error) == (400, True)


@pytest.mark.parametrize(
    ("body", "told"),
    [({"password": "Passw0rd"}, "API000393"), ({"userId": "u2"}, "userId"), ({"password": "x"}, "shorter")],
)
async def test_an_account_update_that_breaks_a_rule_is_refused(serve, body, told):
    async with serve() as call:
        await call("POST", "/useraccounts/", USER)
        got = await call("PUT", "/useraccounts/u1", body)
        assert (got.status, told in got.error) == (400, True)


async def test_a_deleted_account_leaves_its_mailboxes(serve):
    async with serve() as call:
        await call("POST", "/useraccounts/", USER)
        await call("POST", "/mailboxes/", NEW | {"users": "u1"})
        assert (await call("DELETE", "/useraccounts/u1")).status == 200
        assert (await _box(call, "/V1/Inbox"))["users"] == ""


async def test_groups_and_permissions_can_be_read(serve):
    async with serve() as call:
        group = (await call("GET", "/usergroups/AP_CONNECTOR")).body
        assert {"name": "/RIVERBEND/Inbound Mailbox"} in group["permissions"]
        permission = (await call("GET", "/permissions/?searchFor=APIUser")).body
        assert [row["permissionType"]["code"] for row in permission] == [6]
