"""Who is let in: locked accounts, ended passwords, gateways' keys, scopes of tokens, and permissions that single collections want."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from stages.sterling.simulator import HeaderKey, OAuth

ADMIN = "admin"
KEY = HeaderKey(name="X-Gateway-Key", value="k-1")


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


WRONG = basic("apconnector", "guess")


async def status(call, path="/mailboxes/?_range=0-0", method="GET", body=None, **headers):
    return (
        await call(method, path, body, headers={name.replace("_", "-"): value for name, value in headers.items()})
    ).status


async def test_wrong_passwords_in_a_row_lock_an_account_for_a_time(serve, clock):
    async with serve(lock_after=3, lock_seconds=900) as call:
        for _ in range(2):
            assert await status(call, **WRONG) == 401
        assert await status(call) == 200  # which begins the count anew
        for _ in range(3):
            assert await status(call, **WRONG) == 401
        assert await status(call) == 401
        assert [e["user"] for e in call.simulator.effects() if e["effect"] == "user.locked"] == ["apconnector"]
        await clock.advance(899)
        assert await status(call) == 401
        await clock.advance(1)
        assert await status(call) == 200


async def test_an_administrator_unlocks_with_a_new_password(serve):
    async with serve(lock_after=1) as call:
        await status(call, **WRONG)
        assert await status(call) == 401
        got = await call("PUT", "/useraccounts/apconnector", {"password": "An0ther-pass"}, user=ADMIN)
        assert got.status == 200
        assert await status(call) == 200


async def test_a_password_that_has_ended_is_refused_until_it_is_changed(serve, clock):
    async with serve() as call:
        account = call.simulator.hub.accounts["apconnector"]
        account.password_ends = clock.now() + timedelta(days=1)
        assert await status(call) == 200
        await clock.advance(86_400)
        got = await call("GET", "/mailboxes/")
        assert (got.status, got.raw[:6]) == (401, b"<html>")
        await call("PUT", "/useraccounts/apconnector", {"password": "An0ther-pass"}, user=ADMIN)
        assert await status(call) == 200


@pytest.mark.parametrize(
    ("headers", "expected"),
    [({"X-Gateway-Key": "k-1"}, 200), ({"x-gateway-key": "k-1"}, 200), ({"X-Gateway-Key": "k-2"}, 401), ({"X-Gateway-Key": ""}, 401), ({}, 401)],
)  # fmt: skip
async def test_a_gateway_lets_in_who_sends_its_key(serve, headers, expected):
    async with serve(header_key=KEY, prefix="/sbi/product/rest") as call:
        assert call.simulator.url.endswith("/sbi/product/rest")
        assert await status(call, Authorization="", **headers) == expected


@pytest.mark.parametrize(("too", "expected"), [(True, 200), (False, 401)])
async def test_basic_beside_a_key_is_a_setting(serve, too, expected):
    async with serve(header_key=HeaderKey(name="K", value="v", basic_too=too)) as call:
        assert await status(call) == expected


async def test_a_collection_may_want_a_permission_of_its_own(serve):
    async with serve(guarded={"useraccounts": "Accounts", "POST messagebatches": "Upload"}) as call:
        account = call.simulator.hub.accounts["apconnector"]
        assert await status(call, "/useraccounts/apconnector") == 403
        assert await status(call, "//UserAccounts//apconnector") == 403
        assert await status(call, "/messagebatches/", "POST", b"") == 403
        assert await status(call, "/messagebatches/9") == 404
        account.permissions += ["Accounts", "Upload"]
        assert await status(call, "/useraccounts/apconnector") == 200
        assert await status(call, "/messagebatches/", "POST", b"") == 415
        assert (await call("GET", "/useraccounts/", user=ADMIN)).status == 200


async def token(call, **form):
    body = "&".join(f"{name}={value}" for name, value in {"grant_type": "client_credentials", **form}.items())
    headers = {"Content-Type": "application/x-www-form-urlencoded", **basic("cid", "s3cret")}
    return await call("POST", "", body.encode(), headers=headers, url=call.simulator.environment["STERLING_TOKEN_URL"])


@pytest.mark.parametrize(("scope", "reads", "writes"), [("read", 200, 403), ("read+write", 200, 201)])
async def test_a_token_does_what_its_scope_covers(serve, scope, reads, writes):
    gateway = OAuth(client_id="cid", client_secret="s3cret", scope="read", write_scope="write")
    async with serve(oauth=gateway) as call:
        told = (await token(call, scope=scope)).body
        assert told["scope"] == scope.replace("+", " ")
        bearer = {"Authorization": f"Bearer {told['access_token']}"}
        assert await status(call, **bearer) == reads
        got = await call("POST", "/mailboxes/", {"path": "/X", "description": "x"}, headers=bearer)
        assert got.status == writes
        assert ("insufficient_scope" in got.headers.get("WWW-Authenticate", "")) is (writes == 403)
        assert (call.simulator.effects() != ()) is (writes == 201)


@pytest.mark.parametrize("scope", ["", "write", "read+admin"])
async def test_a_scope_that_is_not_offered_or_missing_is_refused(serve, scope):
    gateway = OAuth(client_id="cid", client_secret="s3cret", scope="read", write_scope="write")
    async with serve(oauth=gateway) as call:
        got = await token(call, **({"scope": scope} if scope else {}))
        assert (got.status, got.body) == (400, {"error": "invalid_scope"})


@pytest.mark.parametrize(("replaces", "left"), [(False, ["APIUser"]), (True, [])])
async def test_an_update_of_a_user_may_empty_the_lists_that_it_does_not_name(serve, replaces, left):
    async with serve(put_replaces=replaces) as call:
        user = {
            "userId": "u1",
            "password": "Passw0rd",
            "givenName": "U",
            "surname": "1",
            "permissions": [{"name": "APIUser"}],
        }
        await call("POST", "/useraccounts/", user, user=ADMIN)
        for method, wanted in (("PATCH", ["APIUser"]), ("PUT", left)):
            assert (await call(method, "/useraccounts/u1", {"email": "u@example.com"}, user=ADMIN)).status == 200
            assert call.simulator.hub.accounts["u1"].permissions == wanted
