"""The contracts that the engine looks for at run time: who can find, who wants to be told."""

from __future__ import annotations

from pipeline.stage import Finds, Settles
from pipeline.testing import CollectingSink, FailingSink, ListSource


def test_a_sink_with_find_and_a_settle_delay_finds() -> None:
    assert isinstance(CollectingSink(), Finds)
    assert isinstance(FailingSink([]), Finds)


def test_a_sink_that_lacks_either_does_not() -> None:
    class NoDelay:
        async def find(self, delivery: object) -> list[object]:
            return []

    class NoFind:
        settle_seconds = 1.0

    assert not isinstance(NoDelay(), Finds)
    assert not isinstance(NoFind(), Finds)


def test_a_source_with_settled_wants_to_be_told() -> None:
    assert isinstance(ListSource([]), Settles)
    assert not isinstance(CollectingSink(), Settles)
