"""`RunReport`: which status and exit code a run has, and money as text."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.engine.report import TERMS, RunReport, amounts_by_currency
from pipeline.errors import ConfigError, ConnectError, ConnectorError, StoreError
from pipeline.store.reports import Totals


def report(counts: dict[str, int] | None = None, **changes: Any) -> RunReport:
    """A balanced report unless told otherwise."""
    counts = counts if counts is not None else {"delivered": 2}
    read = sum(counts.values())
    settings: dict[str, Any] = {
        "run": 1, "flow": "bills", "totals": Totals(read=read, counts=counts), "read_here": Totals(read=read), "seconds": 1.23456,
    }  # fmt: skip
    return RunReport(**{**settings, **changes})


STATUSES = [
    pytest.param(report(), "clean", 0, id="all delivered"),
    pytest.param(report({"excluded": 1, "unchanged": 2}), "clean", 0, id="nothing to do"),
    pytest.param(report({}), "clean", 0, id="nothing read"),
    pytest.param(report({"dead": 1}), "exceptions", 5, id="dead"),
    pytest.param(report({"held": 1}), "exceptions", 5, id="held"),
    pytest.param(report({"in_doubt": 1}), "exceptions", 5, id="in doubt"),
    pytest.param(report({"in_flight": 1}), "exceptions", 5, id="in flight"),
    pytest.param(report(stopped=[ConfigError("x")]), "exceptions", 5, id="a lane stopped"),
    pytest.param(report(problem=ConnectError("x")), "failed", 4, id="could not connect"),
    pytest.param(report(problem=StoreError("x")), "failed", 1, id="the ledger failed"),
    pytest.param(report(signal=15), "clean", 143, id="SIGTERM"),
    pytest.param(report({}, unread=["bills"], signal=15), "stopped", 143, id="SIGTERM before the end"),
    pytest.param(report({"dead": 1}, unread=["bills"]), "stopped", 5, id="stopped otherwise"),
    pytest.param(report(problem=ConnectError("x"), unread=["bills"]), "failed", 4, id="stopped as it failed"),
    pytest.param(report({"dead": 1}, signal=2), "exceptions", 130, id="SIGINT"),
    pytest.param(report(read_here=Totals(read=3)), "out_of_balance", 7, id="a record was lost"),
    pytest.param(report(read_here=Totals(read=3), signal=15), "out_of_balance", 7, id="... even when stopped"),
    pytest.param(
        report(read_here=Totals(read=3), problem=ConnectError("x")), "out_of_balance", 7, id="... even when failed"
    ),
    pytest.param(
        report(totals=Totals(read=2, counts={"delivered": 1})), "out_of_balance", 7, id="an outcome is missing"
    ),
    pytest.param(
        report(totals=Totals(read=2, counts={"delivered": 2}, unsettled=1)), "out_of_balance", 7, id="unsettled"
    ),
    pytest.param(report(read_here=Totals(read=2, read_amounts={"USD": 1})), "out_of_balance", 7, id="a cent was lost"),
    pytest.param(report(read_here=Totals(read=2, read_amounts={"USD": 0, "": 0})), "clean", 0, id="zero is nothing"),
]


@pytest.mark.parametrize(("told", "status", "code"), STATUSES)
def test_status_and_exit_code(told: RunReport, status: str, code: int) -> None:
    assert (told.status, told.exit_code) == (status, code)


def test_amounts_are_texts_in_each_currency_with_every_term() -> None:
    totals = Totals(
        read_amounts={"USD": 12_345_678, "EUR": -1_000_000, "": 0}, amounts={"delivered": {"USD": 12_345_678}, "dead": {"EUR": -1_000_000}}
    )  # fmt: skip
    told = amounts_by_currency(totals)
    assert list(told) == ["EUR", "USD"]
    assert list(told["USD"]) == ["read", *TERMS]
    assert (told["USD"]["read"], told["USD"]["delivered"], told["USD"]["dead"]) == ("12.345678", "12.345678", "0.00")
    assert told["EUR"]["dead"] == "-1.00"


def test_json_leaves_out_nothing_that_is_zero() -> None:
    told = report({}).as_json()
    assert all(told[term] == 0 for term in TERMS)
    assert (told["amounts"], told["seconds"], told["balanced"]) == ({}, 1.235, True)


def test_a_problem_that_is_no_stages_has_exit_code_one() -> None:
    assert report(problem=ConnectorError("x")).exit_code == 1
