"""What all lists share: windows, searches, projections, sorting, representation."""

from __future__ import annotations

import pytest

from stages.sterling.simulator.conventions import read_timestamp, timestamp


async def _fill(call, count, path="/RIVERBEND/Inbound"):
    return [call.simulator.deposit(path, f"810_{number:04d}.edi", b"x") for number in range(count)]


@pytest.mark.parametrize(
    ("window", "names"),
    [("0-1", [0, 1]), ("1-1", [1]), ("2-9", [2, 3, 4]), ("0-999", [0, 1, 2, 3, 4])],
)
async def test_a_window_is_zero_based_and_includes_both_ends(serve, window, names):
    async with serve() as call:
        await _fill(call, 5)
        rows = (await call("GET", f"/mailboxmessages/?_range={window}")).body
        assert [row["name"] for row in rows] == [f"810_{number:04d}.edi" for number in names]


@pytest.mark.parametrize("window", ["0-1000", "5-4", "5", "a-b", "-1-4", "1-", ""])
async def test_a_window_that_cannot_be_is_refused(serve, window):
    async with serve() as call:
        got = await call("GET", f"/mailboxmessages/?_range={window}")
        assert (got.status, got.body["errorCode"]) == (400, 400)


async def test_past_the_end_is_an_empty_array(serve):
    async with serve() as call:
        await _fill(call, 3)
        got = await call("GET", "/mailboxmessages/?_range=1000-1999")
        assert (got.status, got.body) == (200, [])


async def test_an_absent_window_is_the_servers_default(serve):
    async with serve(default_rows=2) as call:
        await _fill(call, 5)
        assert len((await call("GET", "/mailboxmessages/")).body) == 2


@pytest.mark.parametrize(("collections", "status"), [(frozenset(), 200), (frozenset({"mailboxmessages"}), 404)])
async def test_an_empty_answer_may_be_a_404(serve, collections, status):
    async with serve(empty_is_404=collections) as call:
        assert (await call("GET", "/mailboxmessages/?_range=0-99")).status == status


async def test_routing_channels_answer_404_when_nothing_matches(serve):
    async with serve() as call:
        assert (await call("GET", "/routingchannels/?searchByProducer=NOBODY")).status == 404


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("810_", {"810_A.edi", "810_AB.edi", "810xC.edi"}),
        ("810_A", {"810_A.edi", "810_AB.edi"}),
        ("%25.edi", {"810_A.edi", "810_AB.edi", "810xC.edi", "997.edi"}),
        ("810_a.EDI", {"810_A.edi"}),
        ("A", set()),
        ("", {"810_A.edi", "810_AB.edi", "810xC.edi", "997.edi"}),
    ],
)
async def test_a_search_is_like_with_a_silent_trailing_wildcard(serve, pattern, found):
    async with serve() as call:
        for name in ("810_A.edi", "810_AB.edi", "810xC.edi", "997.edi"):
            call.simulator.deposit("/OCEANIC/Inbound", name, b"x")
        rows = (await call("GET", f"/mailboxmessages/?searchFor={pattern}")).body
        assert {row["name"] for row in rows} == found


async def test_the_database_may_compare_case(serve):
    async with serve(search_ignores_case=False) as call:
        call.simulator.deposit("/OCEANIC/Inbound", "810.EDI", b"x")
        assert (await call("GET", "/mailboxmessages/?searchFor=810.edi")).body == []


async def test_special_characters_of_a_search_mean_themselves(serve):
    async with serve() as call:
        call.simulator.deposit("/OCEANIC/Inbound", "810x1", b"x")
        assert (await call("GET", "/mailboxmessages/?searchFor=810.1")).body == []


async def test_a_row_carries_what_every_resource_carries(serve):
    async with serve() as call:
        (number,) = await _fill(call, 1)
        row = (await call("GET", f"/mailboxmessages/{number}")).body
        href = f"{call.simulator.url}/mailboxmessages/{number}"
        assert row["_id"] == str(number)
        assert row["_title"] == f"MailboxMessage({number})"
        assert row["href"] == row["$ref"] == href
        assert row["actions"] == {"href": f"{href}/actions", "$ref": f"{href}/actions"}


async def test_include_keeps_the_named_fields_and_the_identity(serve):
    async with serve() as call:
        await _fill(call, 1)
        (row,) = (await call("GET", "/mailboxmessages/?_include=name")).body
        assert set(row) == {"_id", "_title", "href", "$ref", "actions", "name"}


@pytest.mark.parametrize("query", ["_include=", "_exclude="])
async def test_an_empty_projection_means_everything(serve, query):
    async with serve() as call:
        await _fill(call, 1)
        (row,) = (await call("GET", f"/mailboxmessages/?{query}")).body
        assert {"name", "documentId", "size"} <= set(row)


async def test_exclude_drops_the_named_fields(serve):
    async with serve() as call:
        await _fill(call, 1)
        (row,) = (await call("GET", "/mailboxmessages/?_exclude=name,size")).body
        assert "documentId" in row
        assert not {"name", "size"} & set(row)


async def test_rows_are_sorted_by_the_named_fields(serve):
    async with serve() as call:
        for name in ("b", "c", "a"):
            call.simulator.deposit("/OCEANIC/Inbound", name, b"x")
        rows = (await call("GET", "/mailboxmessages/?_sort=name&_range=0-1")).body
        assert [row["name"] for row in rows] == ["a", "b"]


async def test_unknown_filters_are_ignored_so_everything_comes_back(serve):
    async with serve() as call:
        call.simulator.deposit("/OCEANIC/Inbound", "one", b"x")
        call.simulator.deposit("/RIVERBEND/Inbound", "two", b"x")
        assert len((await call("GET", "/mailboxmessages/?mailboxPath=/OCEANIC/Inbound&partner=x")).body) == 2


async def test_rows_shift_between_pages_when_messages_leave(serve):
    async with serve() as call:
        first, *_ = await _fill(call, 4)
        page = (await call("GET", "/mailboxmessages/?_range=0-1")).body
        await call("DELETE", f"/mailboxmessages/{first}")
        rest = (await call("GET", "/mailboxmessages/?_range=2-3")).body
        assert [row["name"] for row in page + rest] == ["810_0000.edi", "810_0001.edi", "810_0003.edi"]


async def test_rows_shift_between_pages_when_messages_arrive_newest_first(serve):
    async with serve(newest_first=True) as call:
        await _fill(call, 3)
        page = (await call("GET", "/mailboxmessages/?_range=0-1")).body
        call.simulator.deposit("/RIVERBEND/Inbound", "late.edi", b"x")
        rest = (await call("GET", "/mailboxmessages/?_range=2-3")).body
        assert [row["name"] for row in page + rest] == ["810_0002.edi", "810_0001.edi", "810_0001.edi", "810_0000.edi"]


async def test_five_thousand_messages_come_page_by_page_without_gap_or_repeat(serve):
    async with serve() as call:
        ids = await _fill(call, 5000)
        box = call.simulator.hub.paths["/RIVERBEND/Inbound"].id
        seen = []
        for first in range(0, 6000, 1000):
            query = f"parentMailboxId={box}&detail=true&_range={first}-{first + 999}"
            seen += [row["id"] for row in (await call("GET", f"/mailboxcontents/?{query}")).body]
        assert seen == ids


async def test_only_the_rows_of_the_window_are_built(serve, monkeypatch):
    async with serve() as call:
        await _fill(call, 500)
        messages = call.simulator._collections["mailboxmessages"]
        built = []
        plain = type(messages).view
        monkeypatch.setattr(
            type(messages), "view", lambda self, item, call: built.append(item) or plain(self, item, call)
        )
        await call("GET", "/mailboxmessages/?_range=100-109")
        assert len(built) == 10


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31T09:15:02.000+0000",
        "2024-01-31T09:15:02+00:00",
        "2024-01-31T10:15:02.000+0100",
        "2024-01-31T09:15:02.000Z",
    ],
)
def test_timestamps_are_read_in_their_usual_forms(text):
    assert timestamp(read_timestamp(text)) == "2024-01-31T09:15:02.000+0000"


@pytest.mark.parametrize("text", ["yesterday", "2024-01-31", "2024-13-31T09:15:02.000+0000", "2024-01-31T09:15:02"])
def test_other_texts_are_no_timestamps(text):
    assert read_timestamp(text) is None
