"""The example of a custom stage, flows/examples/small_bills.py: the pattern to copy for a stage of your own."""

from __future__ import annotations

import asyncio
import random
import runpy
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline import Context, Record, Window
from pipeline.testing import ManualClock, SequenceIds, record, run_stage
from stages.generic.lines import Lines, LinesConfig

EXAMPLES = Path(__file__).parents[2] / "flows" / "examples"
skip_small = runpy.run_path(str(EXAMPLES / "small_bills.py"))["skip_small"]


@pytest.mark.parametrize(
    ("amount", "currency", "sent"),
    [
        ("25.00", "USD", True),
        ("24.99", "USD", False),
        ("35.00", "CAD", True),
        ("34.99", "CAD", False),
        ("-5", "USD", False),
    ],
)
async def test_a_bill_is_sent_from_the_minimum_of_its_currency_on(amount: str, currency: str, sent: bool) -> None:
    report = await run_stage(skip_small, record("bill", amount=amount, currency=currency))
    assert (len(report.records), report.excluded) == ((1, {}) if sent else (0, {"1": "below the EDI minimum"}))


async def test_produce_is_sent_however_small_and_says_when_it_must_be_paid() -> None:
    report = await run_stage(skip_small, record("bill", amount="3.10", category="produce", accepted="2026-10-25"))
    assert report.records[0].body["pay_by"] == "2026-11-04"


@pytest.mark.parametrize("accepted", [None, "", "25/10/2026", 20261025])
async def test_produce_without_a_day_of_acceptance_needs_a_person(accepted: object) -> None:
    report = await run_stage(skip_small, record("bill", amount="3.10", category="produce", accepted=accepted))
    assert report.dead["1"].owner == "AP"


@pytest.mark.parametrize(("amount", "currency"), [("9150.00", "MXN"), (None, "")])
async def test_a_bill_that_no_minimum_covers_is_held(amount: str | None, currency: str) -> None:
    report = await run_stage(skip_small, record("bill", amount=amount, currency=currency))
    assert list(report.held) == ["1"]


async def bills_of_the_example() -> list[Record]:
    """The example's bills, read by the stage and the settings that its flow file names."""

    settings = LinesConfig(path="bills.jsonl", kind="bill", key="record", amount="total", currency="currency")
    context = Context(
        stage="bills",
        folder=EXAMPLES,
        clock=ManualClock(),
        ids=SequenceIds(),
        rng=random.Random(1),
        offload=asyncio.to_thread,
    )
    page = await Lines(settings, context).read(Window(), None)
    assert page is not None
    return page.records


async def test_every_bill_of_the_example_has_exactly_one_outcome_and_each_outcome_is_shown() -> None:
    bills = await bills_of_the_example()
    report = await run_stage(skip_small, *bills)
    outcomes = [[one.key for one in report.records], list(report.excluded), list(report.held), list(report.dead)]
    assert all(outcomes)
    assert Counter(key for keys in outcomes for key in keys) == Counter(one.key for one in bills)


async def test_the_stage_changes_no_amount() -> None:
    bills = await bills_of_the_example()
    before = {one.key: one.amount for one in bills}
    report = await run_stage(skip_small, *bills)
    assert all(isinstance(one.amount, Decimal) and one.amount == before[one.key] for one in report.records)
