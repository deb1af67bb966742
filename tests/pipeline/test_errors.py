"""What each error makes the engine do, the exit code it ends in, and its four parts for people."""

from __future__ import annotations

import inspect

import pytest

from pipeline import errors
from pipeline.errors import (
    ConfigError,
    ConnectError,
    ConnectorError,
    DataError,
    EngineFault,
    Excluded,
    FlowError,
    Held,
    LockHeld,
    PermissionDenied,
    RefusedError,
    SessionError,
    SignInRefused,
    StageError,
    StoreError,
    ThrottledError,
    TransientError,
    Undetermined,
    UsageError,
)

TABLE = [
    # error, failure class, exit code
    (ConnectorError, None, 1),
    (FlowError, None, 2),
    (UsageError, None, 2),
    (ConnectError, None, 4),
    (LockHeld, None, 6),
    (StoreError, None, 1),
    (EngineFault, None, 1),
    (StageError, "data", 1),
    (DataError, "data", 1),
    (RefusedError, "refused", 1),
    (TransientError, "transient", 4),
    (ThrottledError, "throttled", 4),
    (SessionError, "session", 4),
    (ConfigError, "config", 4),
    (PermissionDenied, "permission", 4),
    (SignInRefused, "config", 4),
]


@pytest.mark.parametrize(("error", "failure", "code"), TABLE)
def test_class_and_exit_code(error: type[ConnectorError], failure: str | None, code: int) -> None:
    assert (getattr(error, "failure", None), error.exit_code) == (failure, code)


def test_the_table_names_every_error_of_the_module() -> None:
    defined = {one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, ConnectorError)}
    assert defined == {error for error, _, _ in TABLE}


@pytest.mark.parametrize("error", [error for error, _, _ in TABLE])
def test_every_error_has_four_parts_an_owner_and_a_code(error: type[ConnectorError]) -> None:
    made = error("what", where="where", why="why", mend="mend", code="MLC-T-0001")
    assert str(made) == "what | where | why | mend"
    assert (made.what, made.where, made.why, made.mend, made.code) == ("what", "where", "why", "mend", "MLC-T-0001")
    assert made.owner


def test_parts_that_are_empty_are_left_out() -> None:
    assert str(DataError("what", mend="mend")) == "what | mend"


def test_a_throttled_error_is_tried_again_like_a_transient_one() -> None:
    assert issubclass(ThrottledError, TransientError)
    assert ThrottledError("x", retry_after=3.0).retry_after == 3.0
    assert TransientError("x").retry_after is None


def test_a_missing_right_stops_like_a_wrong_setting() -> None:
    assert issubclass(PermissionDenied, ConfigError)


def test_a_flow_error_carries_every_finding() -> None:
    assert FlowError("wrong", ("a", "b"), where="flow.yaml").findings == ("a", "b")


@pytest.mark.parametrize("signal", [Excluded("rule"), Held("wait", code="T-1"), Undetermined("why")])
def test_signals_are_no_errors(signal: Exception) -> None:
    assert not isinstance(signal, ConnectorError)


def test_an_exclusion_names_its_rule_and_a_hold_its_owner() -> None:
    assert (Excluded("too old", "2019").rule, Excluded("too old", "2019").detail) == ("too old", "2019")
    held = Held("wait", where="here", why="because", mend="look", owner="EDI desk", code="T-1")
    assert (held.what, held.where, held.why, held.mend, held.owner, held.code) == (
        "wait", "here", "because", "look", "EDI desk", "T-1",
    )  # fmt: skip
