from __future__ import annotations

import pytest

from stages.sterling.protocol.answer import Answer, Unreadable, api_codes, created_id, own_error, parse_json


@pytest.mark.parametrize(
    "body", [b"", b"  ", b"<html>", b"OK", b"{", b'[{"a": 1', b'{"a": "\xff"}', b"\xef\xbb\xbf"], ids=repr
)
def test_anything_but_json_is_unreadable_and_not_quoted(body):
    with pytest.raises(Unreadable) as caught:
        parse_json(body)
    assert "html" not in str(caught.value)


@pytest.mark.parametrize("body", [b'{"a":1}', b'\r\n {"a":1}', b'\xef\xbb\xbf{"a":1}'], ids=repr)
def test_json_is_read_with_leading_space_or_mark(body):
    assert parse_json(body) == {"a": 1}


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        (b'{"Location": "http://b2b:5074/B2BAPIs/svc/messagebatches/78"}', "", "78"),
        (b'{"Location": "http://b2b:5074/B2BAPIs/svc/messagebatches/78/"}', "http://other/79", "78"),
        (b'{"Location": "http://b2b/svc/documents/b2b1:node1:18d5f0a1b2c:17"}', "", "b2b1:node1:18d5f0a1b2c:17"),
        (b'{"Location": "http://b2b/svc/documents/b2b1%3Anode1%3A17?x=1#y"}', "", "b2b1:node1:17"),
        (b'{"location": "/svc/x/5"}', "", "5"),
        (b"", "https://gw.example/rest/messagebatches/80", "80"),
        (b"{}", "/messagebatches/81/", "81"),
        (b"<html>", "/messagebatches/81/", None),
        (b'{"Location": 5}', "", None),
        (b'{"Location": ""}', "", None),
        (b"[]", "", None),
        (b"", "", None),
    ],
)
def test_id_of_what_was_created_is_the_last_segment_of_its_location(body, header, expected):
    assert created_id(Answer(status=201, body=body, location=header)) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"errorCode": 400, "errorDescription": "API1"}', "API1"),
        (b'{"errorCode": 404}', ""),
        (b'{"errorDescription": null}', ""),
        (b'{"message": "x"}', None),
        (b"[]", None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_only_the_servers_own_error_object_counts(body, expected):
    assert own_error(body) == expected


def test_product_codes_are_taken_in_order():
    assert api_codes("API000001: a: XAPI000002 API0000033: API000004: b") == ["API000001", "API000004"]
