"""A body of several documents: where they end, and which of them is the reply."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from stages.intacct.protocol.responses import Unreadable, read_reply
from stages.intacct.protocol.roots import DEEPEST, MOST, documents

NAMES = some.from_regex(r"[a-z]{1,5}", fullmatch=True)
TEXTS = some.text(some.characters(categories=["L", "N", "Zs"]), max_size=5)
DOCUMENTS = some.builds("<{0}>{1}<!-- {1} --><x/><![CDATA[<{0}/></{0}>]]></{0}>".format, NAMES, TEXTS)


@given(some.lists(DOCUMENTS, min_size=1, max_size=MOST), some.sampled_from(["", "\n", "  \r\n"]))
def test_a_row_of_documents_is_taken_apart_where_they_were_joined(texts: list[str], between: str) -> None:
    assert [part.strip() for part in documents(between.join(texts).encode())] == [text.encode() for text in texts]


@given(some.binary(max_size=60))
def test_whatever_comes_the_parts_are_the_whole_in_order_or_nothing(body: bytes) -> None:
    parts = documents(body)
    assert not parts or b"".join(b"".join(parts).split()) == b"".join(body.split())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"text",
        b"<a/>text",
        b"<a/><b",
        b"<a><b></a></b>",
        b"<a/>" * (MOST + 1),
        b"<a/><!DOCTYPE b><b/>",
        b"<!DOCTYPE a><a/><b/>",
        b"<a>" * (DEEPEST + 1) + b"</a>" * (DEEPEST + 1) + b"<b/>",
        b"<a/>" + b"<b>" * (DEEPEST + 1),
    ],
)
def test_what_is_no_row_of_whole_documents_is_none(body: bytes) -> None:
    assert documents(body) == []


def reply(record: str = "1", *, at: str = "09:00", status: str = "success", declared: bool = False) -> bytes:
    declaration = "<?xml version='1.0' encoding='UTF-8'?>" if declared else ""
    return (
        f"{declaration}<response><control><status>success</status></control><operation><authentication><status>success</status>"
        f"<sessiontimestamp>2026-03-01T{at}:00+00:00</sessiontimestamp></authentication><result><status>{status}</status>"
        f"<function>query</function><data count='1'><A><B>{record}</B></A></data></result></operation></response>"
    ).encode()


@pytest.mark.parametrize(
    "body",
    [
        reply() + reply(),
        reply(declared=True) + b"\n" + reply(declared=True),
        reply(at="09:00") + reply(at="09:01"),
        reply() + b"<trailer/>",
        b"<banner>no reply</banner>" + reply(),
        b"<banner/>" + reply() + b"<trailer/>",
        b"<banner/>" + reply() + reply(),
    ],
)
def test_the_only_reply_is_taken_and_of_copies_any(body: bytes) -> None:
    read = read_reply(body)
    assert [outcome.data.rows for outcome in read.outcomes] == [[{"B": "1"}]]


@pytest.mark.parametrize(
    "body",
    [
        reply("1") + reply("2"),
        reply() + reply(status="failure"),
        reply() + reply(status="aborted"),
        reply() + b"<response/>",
        reply() + b"<response><control><status>success</status></control></response>",
        reply() + b"<response><control><status>failure</status></control></response>",
        reply() + reply()[:-20],
        reply() + b"<trailer>",
        reply() + b"trailing text",
        b"<banner/><trailer/>",
        reply() * (MOST + 1),
    ],
)
def test_replies_that_differ_and_what_is_broken_are_refused(body: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        read_reply(body)
    assert caught.value.kind == "malformed"


def test_a_second_document_with_a_doctype_is_refused_as_that() -> None:
    with pytest.raises(Unreadable) as caught:
        read_reply(reply() + b"<!DOCTYPE response [<!ENTITY x 'y'>]>" + reply())
    assert caught.value.kind == "doctype"
