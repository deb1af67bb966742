from __future__ import annotations

from email import message_from_bytes
from email.policy import HTTP

from hypothesis import given
from hypothesis import strategies as st

from stages.sterling.protocol.multipart import batch


def boundary_of(content_type: str) -> bytes:
    return content_type.partition("boundary=")[2].encode()


@given(st.binary(max_size=300))
def test_any_bytes_arrive_unchanged(payload):
    content_type, body = batch("a.x12", "/A/In", payload)
    parts = body.split(b"--" + boundary_of(content_type))
    assert len(parts) == 4
    assert parts[1].partition(b"\r\n\r\n")[2] == payload + b"\r\n"


def test_boundary_is_never_inside_the_payload():
    first, _ = batch("a", "/A", b"x")
    payload = b"x" + boundary_of(first)
    second, _ = batch("a", "/A", payload)
    assert boundary_of(second) not in payload


def test_same_input_gives_the_same_bytes():
    assert batch("a", "/A", b"x") == batch("a", "/A", b"x")


def test_non_ascii_mailbox_is_sent_as_utf8():
    content_type, body = batch("a", "/Käse", b"x")
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body, policy=HTTP)
    assert list(message.iter_parts())[1].get_payload(decode=True).strip() == "/Käse".encode()
