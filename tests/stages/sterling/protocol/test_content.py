"""What kind of content a message has, by its first bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.sterling.protocol.content import HEAD, format_of, is_one_interchange, sender_of

CASES = [
    (b"ISA*00*", "x12"), (b"\xef\xbb\xbf\r\nISA*00*", "x12"), (b"ISA\x1d00\x1d\x1c", "x12"), (b"ISA*00*\xff\xff", "x12"),
    (b"Subject: 997\r\n\r\nISA*00*          *00*          *ZZ*THEM           *", "x12"), (b"an ISA*00* in a text", "text"),
    (b"ISAAC;1\n", "text"), (b"UNB+UNOA:1+", "edifact"), (b"UNA:+.? '", "edifact"), (b"UNBEKANNT", "text"),
    (b"<?xml version='1.0'?><a/>", "xml"), (b" <a b='1'/>", "xml"), ("<ä/>".encode(), "xml"), ("<a/>".encode("utf-16"), "xml"),
    (b"< 5 items", "text"), (b'{"a": 1}\n', "json"), (b"[1, 2]", "json"), (b"[section]\nkey=1", "text"), (b"{half", "text"),
    (b"a;b\n1;2\n", "text"), ("Größe;1\n".encode(), "text"), ("Größe;1\n".encode("latin-1"), "binary"), (b"a\x1a", "text"),
    (b"%PDF-1.7\n\x00", "binary"), (b"PK\x03\x04", "binary"), (b"\x00\x01", "binary"), (b"", "empty"), (b" \r\n\t", "empty"),
    (b"\xef\xbb\xbf", "empty"),
]  # fmt: skip


@pytest.mark.parametrize(("payload", "kind"), CASES, ids=[repr(payload) for payload, _ in CASES])
def test_the_format_is_told_by_the_beginning(payload: bytes, kind: str) -> None:
    assert format_of(payload) == kind


ISA = "ISA*00*          *00*          *{0}*{1:<15}*ZZ*THEM"


@pytest.mark.parametrize(
    ("payload", "sender"),
    [
        (ISA.format("01", "123456789").encode(), ("01", "123456789")),
        (b"Subject: 997\r\n\r\n" + ISA.format("zz", "us").encode(), ("ZZ", "US")),
        (ISA.format("ZZ", "US").replace("*", "\x1d").encode(), ("ZZ", "US")),
        (b"\xef\xbb\xbf" + ISA.format("ZZ", "US").encode(), ("ZZ", "US")),
        (ISA.format("ZZ", "US").encode("utf-16"), ("ZZ", "US")),
        (ISA.format("ZZ", "US")[:40].encode(), ("", "")),
        (b"vendor;ISA*00*", ("", "")),
        (b"", ("", "")),
    ],
)
def test_the_sender_of_an_interchange_stands_in_its_header(payload: bytes, sender: tuple[str, str]) -> None:
    assert sender_of(payload) == sender


OURS = ISA.format("ZZ", "US").ljust(104, "*")[:104] + ">~GS*IN*US*THEM~ST*810*0001~SE*2*0001~GE*1*1~IEA*1*000000001~"
THEIRS = OURS.replace("US ", "IT ")


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (OURS, True),
        (OURS.replace("~", "~\r\n"), True),
        (f"\ufeff\r\n{OURS}\x1a", True),
        (OURS.rstrip("~"), True),
        (f"{OURS}\r\n{THEIRS}", False),
        (f"{THEIRS}{OURS}", False),
        (f"{OURS}{OURS}", False),
        (f"Could not be read:\r\n{OURS}", False),
        (f"{OURS}\r\nunknown store 0042", False),
        (OURS[:120], False),
        (OURS[:60], False),
        ("", False),
    ],
)
def test_whether_a_message_is_one_interchange_and_nothing_else(text: str, whole: bool) -> None:
    assert is_one_interchange(text.encode()) is whole


def test_a_character_cut_in_two_where_looking_ends_makes_no_binary() -> None:
    assert format_of(b"x" * (HEAD - 1) + "ä".encode() + b"y") == "text"


@given(st.binary(max_size=200))
def test_every_content_has_a_format(payload: bytes) -> None:
    assert format_of(payload) in ("x12", "edifact", "xml", "json", "text", "binary", "empty")
