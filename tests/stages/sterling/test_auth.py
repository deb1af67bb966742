from __future__ import annotations

import json

import pytest

from pipeline import Secret
from stages.sterling.auth import Tokens, client_credentials, token_form
from stages.sterling.config import OAuth2


def answer(**members):
    return json.dumps({"access_token": "canary", **members}).encode()


def test_token_serves_until_a_margin_before_its_end():
    tokens = Tokens()
    token = tokens.granted(answer(expires_in=100), 1000.0)
    assert tokens.current(1069.9) is token
    assert tokens.current(1070.0) is None


@pytest.mark.parametrize(
    ("lifetime", "usable"),
    [({"expires_in": "100"}, 69.0), ({}, 269.0), ({"expires_in": "soon"}, 269.0), ({"expires_in": 10}, 4.0)],
)
def test_lifetime_is_read_leniently_and_short_ones_keep_half(lifetime, usable):
    tokens = Tokens()
    tokens.granted(answer(**lifetime), 0.0)
    assert tokens.current(usable)
    assert tokens.current(usable + 2) is None


def test_late_refusal_of_an_old_token_leaves_the_new_one():
    tokens = Tokens()
    old = tokens.granted(answer(), 0.0)
    tokens.refused(old)
    assert tokens.current(0.0) is None
    new = tokens.granted(answer(), 0.0)
    tokens.refused(old)
    assert tokens.current(0.0) is new


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        answer(access_token=""),
        answer(access_token=5),
        answer(access_token="a\nb"),
        answer(access_token="\u00e9"),
    ],
)
def test_answer_without_a_usable_token_is_refused_without_quoting_it(body):
    with pytest.raises(ValueError) as caught:
        Tokens().granted(body, 0.0)
    assert "canary" not in str(caught.value)


def test_token_and_its_holder_never_print_it():
    token = Tokens().granted(answer(), 0.0)
    assert "canary" not in repr(token)


def test_id_and_secret_are_form_encoded_for_the_basic_header():
    oauth = OAuth2(client_id="a b", client_secret=Secret("x:y"))
    assert client_credentials(oauth) == ("a+b", "x%3Ay")
    assert token_form(oauth) == {"grant_type": "client_credentials"}
