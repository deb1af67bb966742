"""Running one map on a few records, the way the engine would, without an engine."""

from __future__ import annotations

import inspect
from decimal import Decimal
from typing import Any

import msgspec

from pipeline.errors import Excluded, Held, StageError
from pipeline.record import Record
from pipeline.stage import MapFunction


class MapReport(msgspec.Struct):
    """What became of the records: those that came out, and per key of those that did not, the rule, the hold or the
    error.
    """

    records: list[Record] = []
    excluded: dict[str, str] = {}  # key -> rule
    held: dict[str, Held] = {}
    dead: dict[str, StageError] = {}


async def run_stage(map_: MapFunction, *records: Record, name: str = "stage") -> MapReport:
    """Run a map, a plain function or an object that can be called, sync or async, over these records in order.

    A record that the map drops is excluded by ``name``, as in a flow by the stage's name. Any other exception is a fault of
    the map and comes out as it is; in a flow it would make that record dead.
    """
    report = MapReport()
    for one in records:
        try:
            outcome = await _call(map_, one)
        except Excluded as signal:
            report.excluded[one.key] = signal.rule
        except Held as signal:
            report.held[one.key] = signal
        except StageError as error:
            report.dead[one.key] = error
        else:
            if not outcome:
                report.excluded[one.key] = name
            report.records += outcome
    return report


def record(
    kind: str = "record",
    *,
    key: str = "1",
    amount: str | Decimal | None = None,
    currency: str = "USD",
    body: Any = None,
    **fields: Any,
) -> Record:
    """A record for a test. ``fields`` become a dictionary body unless ``body`` is given; the currency goes with an
    amount.

    >>> record("bill", key="88121", amount="12.50", VENDORID="V-1014").body
    {'VENDORID': 'V-1014'}
    """
    money = None if amount is None else Decimal(amount)
    return Record(
        key=key,
        kind=kind,
        body=fields if body is None else body,
        object=kind,
        amount=money,
        currency="" if money is None else currency,
        label=key,
    )


async def _call(map_: MapFunction, one: Record) -> list[Record]:
    result = map_(one)
    if inspect.isawaitable(result):
        result = await result
    records = result if isinstance(result, list) else [] if result is None else [result]
    if not all(isinstance(each, Record) for each in records):
        raise TypeError(f"a map returns a Record, a list of them or None, not {result!r:.80}")
    return records
