"""`Secret` gives its text in one way only."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from collections.abc import Callable

import msgspec
import pytest

from pipeline.secrets import Secret

CANARY = "hunter2-canary"

SHOWN = [
    pytest.param(repr, id="repr"),
    pytest.param(str, id="str"),
    pytest.param(lambda secret: f"{secret}", id="f-string"),
    pytest.param(lambda secret: f"{secret!r:>40}", id="padded repr"),
    pytest.param(lambda secret: f"{secret:>40}", id="padded"),
    pytest.param(lambda secret: "%s %r" % (secret, secret), id="percent"),  # noqa: UP031
    pytest.param(lambda secret: str([secret, {"password": secret}]), id="inside containers"),
    pytest.param(lambda secret: str(ValueError(secret)), id="an exception's text"),
    pytest.param(lambda secret: str(dir(secret)), id="dir"),
    pytest.param(lambda secret: "".join(traceback.format_exception(ValueError(secret))), id="a traceback"),
]


@pytest.mark.parametrize("show", SHOWN)
def test_it_is_never_shown(show: Callable[[Secret], str]) -> None:
    shown = show(Secret(CANARY))
    assert CANARY not in shown


def test_only_reveal_gives_it() -> None:
    assert Secret(CANARY).reveal() == CANARY


ENCODERS = [
    pytest.param(pickle.dumps, id="pickle"),
    pytest.param(json.dumps, id="json"),
    pytest.param(msgspec.json.encode, id="msgspec"),
    pytest.param(msgspec.to_builtins, id="to_builtins"),
    pytest.param(copy.copy, id="copy"),
    pytest.param(copy.deepcopy, id="deepcopy"),
]


@pytest.mark.parametrize("encode", ENCODERS)
def test_no_encoder_accepts_it(encode: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError) as refused:
        encode(Secret(CANARY))
    assert CANARY not in str(refused.value)


def test_an_unknown_attribute_does_not_give_it_away() -> None:
    with pytest.raises(AttributeError) as refused:
        Secret(CANARY).text  # type: ignore[attr-defined]  # noqa: B018
    assert CANARY not in str(refused.value)


def test_equal_texts_are_equal_secrets_and_no_text_is() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


@pytest.mark.parametrize(("text", "truth"), [("", False), ("x", True)])
def test_an_empty_one_is_false(text: str, truth: bool) -> None:
    assert bool(Secret(text)) is truth
