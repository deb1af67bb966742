"""What is hidden in texts from outside."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.intacct.protocol.hiding import Hidden

SECRET = "kX3pQ0aa&BB cc"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the session kX3pQ0aa&BB cc is over", "the session *** is over"),
        ("KX3PQ0AA&BB CC", "***"),
        ("kX3pQ0aa&amp;BB cc", "***"),
        ("https://evil.example/?s=kX3pQ0aa%26BB%20cc&x", "https://evil.example/?s=***"),
        ("shortened: kX3pQ0aa...", "shortened: ***"),
        ("ends with Q0aa&BB cc", "ends with ***"),
        ("cut at both ends: pQ0aa&BB c", "cut at both ends: ***"),
        ("kX3pQ0aa&#38;BB&#x20;cc", "***"),
        ("kX3pQ0aa\\u0026BB cc", "***"),
        ("6B583370513061612642422063 is hexadecimal", "*** is hexadecimal"),
        ("kX3p is too short to tell", "kX3p is too short to tell"),
    ],
)
def test_a_secret_is_hidden_however_it_is_written(text: str, shown: str) -> None:
    assert Hidden(SECRET).text(text) == shown


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("secret", [SECRET, "Us<er>&\"Pw'-KANARY2 %42", "???>>>~~~ü"])
def test_a_secret_in_base64_is_hidden_whatever_stands_round_it(secret: str, encode: Any, before: str) -> None:
    for behind in ("", "x", "xy"):
        shown = Hidden(secret).text(f"Basic {encode(f'{before}{secret}{behind}'.encode()).decode()} was sent")
        assert shown == "Basic *** was sent"


def test_secrets_that_overlap_are_hidden_together() -> None:
    assert Hidden("abcdefghij", "fghijklmnop").text("see abcdefghijklmnop there") == "see *** there"


def test_a_text_is_cut_behind_what_was_hidden() -> None:
    assert Hidden(SECRET).text("x" * 116 + SECRET, 120) == "x" * 116 + "***"


def test_of_a_very_long_text_the_beginning_is_kept() -> None:
    shown = Hidden(SECRET).text("word " * 100_000 + SECRET)
    assert (len(shown) < 20_000, shown.startswith("word word"), SECRET[:3] in shown) == (True, True, False)


def test_a_secret_of_one_letter_leaves_texts_readable() -> None:
    assert Hidden("a", "").text("a banana") == "a banana"


@given(st.text(min_size=3), st.text(), st.text())
def test_no_secret_is_left_whole(secret: str, before: str, behind: str) -> None:
    assert secret in "***" or secret not in Hidden(secret).text(before + secret + behind)
