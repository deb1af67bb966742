from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stages.sterling.protocol.representations import message, names, row_key, text_of, timestamp, unwrap, writable


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ({"code": True, "display": "Yes"}, True),
        ({"code": "US", "display": "United States"}, "US"),
        ({"code": 3}, 3),
        ({"code": "V-1", "partnerName": "x"}, {"code": "V-1", "partnerName": "x"}),
        ([{"code": 1, "display": ""}, 2], [1, 2]),
        ({"a": {"b": {"code": None, "display": ""}}}, {"a": {"b": None}}),
        (False, False),
    ],
)
def test_coded_values_unwrap_at_any_depth_and_plain_ones_stay(value, plain):
    assert unwrap(value) == plain


def test_state_to_write_back_has_known_members_only_and_no_nulls():
    row = {
        "_id": "1",
        "$ref": "x",
        "href": "x",
        "actions": {},
        "password": "p",
        "a": {"code": 1, "display": ""},
        "b": None,
        "c": {},
        "d": "",
        "unknown": 1,
    }
    assert writable(row, dict.fromkeys("abcde")) == {"a": 1, "d": ""}


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), ("", ""), (" a ", "a"), (True, "true"), ({"code": False, "display": "No"}, "false"), (7, "7")],
)
def test_values_compare_as_texts(value, text):
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([{"name": "A"}, {"name": "B"}], ["A", "B"]),
        ("A, B,", ["A", "B"]),
        (["A"], ["A"]),
        (None, []),
        ({"name": "A"}, []),
        ([{}], []),
    ],
)
def test_names_are_read_in_every_form(value, expected):
    assert names(value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-31T09:15:02.000+0000", datetime(2024, 1, 31, 9, 15, 2, tzinfo=UTC)),
        ("2024-01-31T04:15:02.5-0500", datetime(2024, 1, 31, 9, 15, 2, 500000, tzinfo=UTC)),
        ("2024-01-31T09:15:02Z", datetime(2024, 1, 31, 9, 15, 2, tzinfo=UTC)),
        ("2024-01-31T10:15:02+01:00", datetime(2024, 1, 31, 9, 15, 2, tzinfo=UTC)),
        ("2024-13-31T09:15:02.000+0000", None),
        ("2024-01-31 09:15:02.0", None),
        ("", None),
    ],
)
def test_timestamps_without_a_colon_in_the_offset_are_read(text, expected):
    assert timestamp(text) == expected


def test_message_is_read_from_both_listings():
    by_message = message({"_id": "78", "id": 78, "name": "a", "mailboxPath": "/A", "size": 1796, "documentId": "d"})
    by_contents = message({"id": 78, "type": "message", "name": "a", "size": "1796"})
    assert (by_message.id, by_message.size, by_message.mailbox, by_message.document) == ("78", 1796, "/A", "d")
    assert (by_contents.id, by_contents.size, by_contents.mailbox, by_contents.document) == ("78", 1796, None, "")


@pytest.mark.parametrize("row", [{}, {"name": "a"}, {"_id": "", "name": "a"}])
def test_message_without_id_tells_nothing(row):
    with pytest.raises(ValueError, match="no id"):
        message(row)


def test_rows_of_unlike_type_with_one_number_are_two_rows():
    assert row_key({"id": 3, "type": "mailbox"}) != row_key({"id": 3, "type": "message"})
