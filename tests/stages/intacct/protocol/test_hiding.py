"""What is hidden in texts from outside."""

from __future__ import annotations

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
        ("kX3p is too short to tell", "kX3p is too short to tell"),
    ],
)
def test_a_secret_is_hidden_however_it_is_written(text: str, shown: str) -> None:
    assert Hidden(SECRET).text(text) == shown


def test_a_text_is_cut_behind_what_was_hidden() -> None:
    assert Hidden(SECRET).text("x" * 116 + SECRET, 120) == "x" * 116 + "***"


def test_a_secret_of_one_letter_leaves_texts_readable() -> None:
    assert Hidden("a", "").text("a banana") == "a banana"


@given(st.text(min_size=3), st.text(), st.text())
def test_no_secret_is_left_whole(secret: str, before: str, behind: str) -> None:
    assert secret in "***" or secret not in Hidden(secret).text(before + secret + behind)
