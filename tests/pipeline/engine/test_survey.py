"""Comparing a flow with its far side reads and tells; it stores nothing and settles nothing."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine.services import Services, Stopping, inline
from pipeline.engine.survey import survey
from pipeline.errors import ConfigError, DataError, Excluded, Held, TransientError
from pipeline.flow.model import Flow, Input, Stage
from pipeline.record import Document, Drift, Page, Record, Window
from pipeline.registry import Registry
from pipeline.retry import RetryPolicy
from pipeline.stage import StageSpec
from pipeline.testing import ManualClock, SequenceIds, record


class Pages:
    """Gives its pages; remembers the cursors it was asked with, and whether it was told that anything was settled."""

    def __init__(self, *pages: list[Record], fails: Exception | None = None) -> None:
        self.pages, self.fails = list(pages), fails
        self.cursors: list[Any] = []
        self.told: list[Page] = []

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page | None:
        self.cursors.append(cursor)
        number = int(cursor["n"]) if cursor else 0
        if self.fails is not None and number == len(self.pages):
            raise self.fails
        more = number + 1 < len(self.pages) + (self.fails is not None)
        return Page(self.pages[number], {"n": str(number + 1)}, more)

    async def settled(self, page: Page) -> None:
        self.told.append(page)


class Comparing:
    """Says each wanted state back as a difference, with why others were left out."""

    upsert = True
    left_out: Mapping[str, str] = {}

    def destination(self, document: Document) -> Any:
        raise AssertionError("nothing goes anywhere")

    async def drift(self, wanted: Sequence[Document], left_out: Mapping[str, str]) -> list[Drift]:
        self.left_out = left_out
        return [Drift(kind="missing", key=document.partner, note=document.body.decode()) for document in wanted]


def judge(one: Record) -> Record:
    signals: dict[str, Exception] = {
        "out": Excluded("a rule"),
        "dead": DataError("no good", code="TST-0001"),
        "held": Held("wait", code="TST-0002"),
        "stop": ConfigError("set it", code="TST-0003"),
    }
    if one.body["code"] in signals:
        raise signals[one.body["code"]]
    return one


def state(key: str, text: str = "x") -> Record:
    return record("thing", key=key, code=key, text=text)


@pytest.fixture
def look(tmp_path: Path) -> Any:
    async def look(source: Pages, sink: Comparing) -> Any:
        specs = {
            "source": StageSpec(name="t.source", verb="source", build=lambda settings, context: source),
            "map": StageSpec(name="t.map", verb="map", build=lambda settings, context: judge),
            "sink": StageSpec(name="t.sink", verb="sink", build=lambda settings, context: sink, compares=True),
        }
        retry = RetryPolicy(times=1)
        stages = (
            Stage(name="read", verb="source", component="t.source", spec=specs["source"], retry=retry),
            Stage(name="judged", verb="map", component="t.map", spec=specs["map"], inputs=(Input("read"),)),
            Stage(name="written", verb="sink", component="t.sink", spec=specs["sink"], inputs=(Input("judged"),)),
        )
        flow = Flow(
            name="f", version=1, about="", file=tmp_path / "f.yaml", digest="d", connections=(), stages=stages
        )  # fmt: skip
        services = Services(ManualClock(), SequenceIds(), random.Random(1), inline, {})
        return await survey(flow, Registry(()), services, Stopping())

    return look


async def test_every_state_is_handed_over_and_every_other_record_has_its_reason(look: Any) -> None:
    source = Pages([state("A"), state("out")], [state("dead"), state("held"), state("B")])
    sink = Comparing()
    (found,) = await look(source, sink)
    assert (found.stage, found.compared) == ("written", 2)
    assert [drift.key for drift in found.drift] == ["A", "B"]
    assert {key: problem.code for key, problem in found.unknown.items()} == {"dead": "TST-0001", "held": "TST-0002"}
    assert sink.left_out == {"out": "a rule", "dead": "no good", "held": "wait"}


async def test_a_record_that_comes_again_counts_as_it_is_last(look: Any) -> None:
    (found,) = await look(Pages([state("A", "old"), state("A", "newer")], [state("A", "new")]), Comparing())
    assert [(drift.key, "new" in drift.note, "newer" in drift.note) for drift in found.drift] == [("A", True, False)]


async def test_the_source_is_read_from_the_beginning_and_told_nothing(look: Any) -> None:
    source = Pages([state("A")], [state("B")])
    await look(source, Comparing())
    assert source.cursors == [None, {"n": "1"}]
    assert source.told == []


async def test_a_source_that_breaks_off_raises_so_that_nothing_counts_as_missing(look: Any) -> None:
    with pytest.raises(TransientError):
        await look(Pages([state("A")], fails=TransientError("gone", code="TST-0004")), Comparing())


async def test_a_wrong_setting_is_raised_as_itself(look: Any) -> None:
    with pytest.raises(ConfigError):
        await look(Pages([state("stop")]), Comparing())
