"""`sterling.resource`: any collection, whole, as plain rows; and the table that people get of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline import ConfigError, DataError, PermissionDenied, UsageError, Window
from stages.sterling.commands import list_resource
from stages.sterling.config import ResourceSettings
from stages.sterling.protocol.resources import cell, columns, label, plain
from stages.sterling.resource_source import LARGEST_CONTENT, ROWS_PER_PAGE, ResourceSource, listed

SCHEDULE = {
    "_id": "Nightly", "_title": "Schedule(Nightly)", "href": "http://x/schedules/Nightly", "$ref": "http://x", "actions": {"href": "x"},
    "scheduleName": "Nightly", "scheduleStatusEnabled": {"code": True, "display": "Yes"}, "timerSchedule": {"hours": 1, "minutes": 0},
    "runAsPassword": "hush",
}  # fmt: skip


async def read(client: Any, window: Window | None = None, **settings: Any) -> list[Any]:
    source = ResourceSource(client, ResourceSettings(**settings))
    records: list[Any] = []
    while True:
        page = await source.read(window or Window(), None)
        assert page is not None
        assert page.cursor is None
        records += page.records
        if not page.more:
            return records


async def test_a_row_is_a_record_of_plain_fields_without_links_and_secrets(far: Any, connected: Any) -> None:
    far.on("GET", "/schedules/", [SCHEDULE])
    async with connected() as client:
        (record,) = await read(client, resource="schedules")
    assert (record.key, record.kind, record.object, record.label) == ("Nightly", "resource", "schedules", "Nightly")
    assert record.company == far.url.partition("//")[2]
    assert record.body == {
        "_id": "Nightly", "scheduleName": "Nightly", "scheduleStatusEnabled": True, "timerSchedule": {"hours": 1, "minutes": 0},
    }  # fmt: skip


async def test_the_filter_goes_to_the_server_and_the_list_is_read_to_its_end(far: Any, connected: Any) -> None:
    far.on("GET", "/workflows/", [{"_id": f"W{n}/1"} for n in range(ROWS_PER_PAGE + 1)])
    async with connected() as client:
        records = await read(client, resource="workflows", filter={"searchFor": "W", "fieldList": "brief"})
    assert [record.key for record in records] == [f"W{n}/1" for n in range(ROWS_PER_PAGE + 1)]
    calls = far.calls("GET", "/workflows/")
    assert calls
    assert {(call["query"]["searchFor"], call["query"]["fieldList"]) for call in calls} == {("W", "brief")}


async def test_versions_without_ids_are_told_apart(far: Any, connected: Any) -> None:
    rows = [{"name": "P", "wfdVersion": 1}, {"name": "P", "wfdVersion": 2}]
    far.on("GET", "/workflows/", rows)
    async with connected() as client:
        assert [record.key for record in await read(client, resource="workflows")] == ["P/1", "P/2"]


async def test_the_same_row_has_the_same_digest_and_a_changed_one_another(far: Any, connected: Any) -> None:
    digests = []
    for enabled in (True, True, False):
        far.on("GET", "/schedules/", [{**SCHEDULE, "scheduleStatusEnabled": enabled}])
        async with connected() as client:
            digests.append((await read(client, resource="schedules"))[0].digest)
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("answer", "size", "outcome"),
    [({"response": "SVNBKg=="}, "4", b"ISA*"), ({"response": "ISA*"}, "4", DataError), ({"response": ""}, str(LARGEST_CONTENT + 1), DataError)],
    ids=["content", "no Base64", "too large"],
)  # fmt: skip
async def test_documents_come_with_their_content_where_it_is_asked_for(
    far: Any, connected: Any, answer: Any, size: str, outcome: Any
) -> None:
    far.on("GET", "/documents/", [{"_id": "n:1", "documentId": "n:1", "documentName": "a.edi", "documentSize": size}])
    far.on("POST", "/documents/n:1/actions/getpayload", answer)
    async with connected() as client:
        (record,) = await read(client, resource="documents", content=True)
    assert record.label == "a.edi"
    if isinstance(outcome, bytes):
        assert record.body["payload"] == outcome
    else:
        assert isinstance(record.body, outcome)
        assert record.body.code == "MLC-STL-0352"


async def test_a_collection_that_is_not_there_is_told_so(far: Any, wire: Any, connected: Any) -> None:
    far.on("GET", "/workflowz/", lambda _: wire.page(404))
    async with connected() as client:
        with pytest.raises(ConfigError) as caught:
            await listed(client, "workflowz", {})
    assert caught.value.code == "MLC-STL-0350"


async def test_a_known_collection_whose_list_is_answered_by_a_page_is_empty(
    far: Any, wire: Any, connected: Any
) -> None:
    far.on("GET", "/schedules/", lambda _: wire.page(404))
    async with connected() as client:
        assert await listed(client, "schedules", {}) == []


async def test_a_collection_that_may_not_be_read_is_a_missing_right(far: Any, wire: Any, connected: Any) -> None:
    far.on("GET", "/useraccounts/", lambda _: wire.page(403))
    async with connected() as client:
        with pytest.raises(PermissionDenied):
            await listed(client, "useraccounts", {})


async def test_a_list_has_no_times(connected: Any) -> None:
    from datetime import UTC, datetime

    async with connected() as client:
        with pytest.raises(ConfigError) as caught:
            await read(client, Window(since=datetime(2026, 1, 1, tzinfo=UTC)), resource="workflows")
    assert caught.value.code == "MLC-STL-0351"


# --- the command ------------------------------------------------------------------------------------------------------


async def test_people_get_a_table_and_scripts_every_field(far: Any, connected: Any) -> None:
    rule = {
        "_id": "AP",
        "name": "AP",
        "mailboxes": ["104", "105"],
        "action": "x" * 80,
        "evaluationMode": {"code": "automatic"},
    }
    far.on("GET", "/routingrules/", [rule])
    async with connected() as client:
        result = await list_resource(client, "routingRules", {"filter": "searchFor=A"})
    assert result.lines[0].split() == ["ID", "MAILBOXES", "EVALUATIONMODE", "ACTION"]
    assert result.lines[1].startswith("AP  104,105    automatic       xxx")
    assert result.lines[1].endswith("x…")
    assert result.lines[2] == "1 row"
    assert json.loads(json.dumps(result.json))["rows"][0]["action"] == "x" * 80
    assert {key: result.json[key] for key in ("schema", "resource", "count")} == {
        "schema": "mlc.sterling.list/1", "resource": "routingrules", "count": 1,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["", "../etc", "a/b", "müll", "work flows"])
async def test_what_cannot_be_a_collection_is_refused_before_anything_is_sent(connected: Any, name: str) -> None:
    async with connected() as client:
        with pytest.raises(UsageError):
            await list_resource(client, name, {})


def test_an_unknown_collection_shows_its_first_plain_fields() -> None:
    row = dict.fromkeys("abcdefgh", 1) | {"nested": {}}
    assert columns("odd", [row]) == list("abcdef")
    assert columns("odd", []) == []
    assert columns("schedules", [{"_id": "a"}]) == ["_id"]


def test_cells_and_labels() -> None:
    assert [cell(value) for value in (None, True, ["1", "2"], {"hours": 1, "minutes": 0})] == [
        "",
        "true",
        "1,2",
        "hours=1 minutes=0",
    ]
    assert [label({"path": "/a"}), label({"other": 1})] == ["/a", ""]
    assert plain({"passwordPolicy": "x", "name": "n", "$ref": "r"}) == {"name": "n"}
