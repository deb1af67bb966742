"""Code lists and their codes: versions, composite keys, and what is refused."""

from __future__ import annotations

import pytest

LIST = {"codeListName": "AP_ROUTES", "comments": "who wants what", "listStatus": 1}
KEY = "AP_ROUTES%7C%7C%7C1"


def code(sender="RIVERBEND", receiver="810", **texts):
    return {"senderCode": sender, "receiverCode": receiver, **texts}


@pytest.fixture
def routes(serve):
    """A server with the list AP_ROUTES and one code in it."""

    async def fill(call, *codes):
        got = await call("POST", "/codelists/", {**LIST, "codes": list(codes or (code(text1="self_bill"),))})
        assert got.status == 201
        return got

    return fill


async def test_a_list_is_named_by_its_four_parts_with_bars(serve, routes):
    async with serve() as call:
        made = await routes(call)
        assert made.body["Location"].endswith("/codelists/AP_ROUTES%7C%7C%7C1")
        row = (await call("GET", f"/codelists/{KEY}")).body
        assert (row["_id"], row["versionNumber"], row["listStatus"]) == ("AP_ROUTES|||1", 1, 1)
        assert [(each["senderCode"], each["receiverCode"], each["text1"]) for each in row["codes"]] == [
            ("RIVERBEND", "810", "self_bill")
        ]


async def test_the_same_name_again_is_the_next_version_and_the_default_only_when_asked(serve, routes):
    async with serve() as call:
        await routes(call)
        await call("POST", "/codelists/", LIST)
        rows = (await call("GET", "/codelists/?codeListName=AP_ROUTES&versionNumber=-1")).body
        assert [row["versionNumber"] for row in rows] == [1]
        await call("POST", "/codelists/", {**LIST, "makeDefault": True})
        rows = (await call("GET", "/codelists/?codeListName=AP_ROUTES&versionNumber=-1&_exclude=codes")).body
        assert [(row["versionNumber"], "codes" in row) for row in rows] == [(3, False)]


async def test_a_name_finds_longer_names_too(serve, routes):
    async with serve() as call:
        await routes(call)
        await call("POST", "/codelists/", {"codeListName": "AP_ROUTES_OLD"})
        assert len((await call("GET", "/codelists/?codeListName=AP_ROUTES")).body) == 2


@pytest.mark.parametrize("member", ["codeList", "CodeList"])
async def test_codes_are_added_changed_and_taken_away_one_by_one(serve, routes, member):
    async with serve() as call:
        await routes(call)
        got = await call("POST", "/codelistcodes/", {member: "AP_ROUTES|||1", "codeSet": [code(receiver="850")]})
        assert (got.status, got.id) == (201, f"{KEY}%7CRIVERBEND%7C850")
        await call("PUT", f"/codelistcodes/{got.id}", {"text1": "order"})
        rows = (await call("GET", "/codelistcodes/?listName=AP_ROUTES&listVersion=1&receiverCode=850")).body
        assert [(row["_id"], row["text1"]) for row in rows] == [("AP_ROUTES|||1|RIVERBEND|850", "order")]
        await call("DELETE", f"/codelistcodes/{got.id}")
        assert len((await call("GET", "/codelistcodes/?listName=AP_ROUTES")).body) == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"codeList": "AP_ROUTES|||1", "codeSet": [code()]}, "already exists"),
        ({"codeList": "OTHER|||1", "codeSet": [code()]}, "does not exist"),
        ({"codeList": "AP_ROUTES|||1", "codeSet": [{"senderCode": "A"}]}, "receiverCode"),
        ({"codeList": "AP_ROUTES|||1", "codeSet": []}, "codeSet"),
        ({"codeList": "AP_ROUTES|||1", "codeSet": [code("A"), code("A")]}, "twice"),
        ({"codeList": "AP_ROUTES|||1", "codeSet": "A"}, "list of objects"),
    ],
)
async def test_codes_that_break_a_rule_are_refused_as_a_whole(serve, routes, body, told):
    async with serve() as call:
        await routes(call)
        got = await call("POST", "/codelistcodes/", body)
        assert (got.status, told in got.error) == (400, True)
        assert len((await call("GET", "/codelistcodes/?listName=AP_ROUTES")).body) == 1


async def test_bulk_update_adds_and_changes(serve, routes):
    async with serve() as call:
        await routes(call)
        body = {"codes": [code(text1="bill_copy"), code("OCEANIC")], "listStatus": 0}
        assert (await call("POST", f"/codelists/{KEY}/actions/bulkupdatecodes", body)).body == {"rowsAffected": 2}
        row = (await call("GET", f"/codelists/{KEY}")).body
        assert row["listStatus"] == 0
        assert [each["text1"] for each in row["codes"]] == ["bill_copy", ""]


async def test_an_update_replaces_the_codes_it_names_and_keeps_what_it_does_not(serve, routes):
    async with serve() as call:
        await routes(call)
        await call("PUT", f"/codelists/{KEY}", {"comments": "x"})
        assert len((await call("GET", f"/codelists/{KEY}")).body["codes"]) == 1
        await call("PUT", f"/codelists/{KEY}", {"codes": []})
        assert (await call("GET", f"/codelists/{KEY}")).body["codes"] == []
        assert (await call("PUT", f"/codelists/{KEY}", {"codeListName": "B"})).status == 400


async def test_a_list_can_be_deleted(serve, routes):
    async with serve() as call:
        await routes(call)
        await call("DELETE", f"/codelists/{KEY}")
        assert (await call("GET", f"/codelists/{KEY}")).status == 404
