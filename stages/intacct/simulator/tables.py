"""A table of the simulated books: rows by record number, and ordered indexes over them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

from stages.intacct.simulator.model import Field, ObjectType
from stages.intacct.simulator.rows import Row

Span = tuple[Any, Any]
"""A closed interval of values; None is open on that side."""

_LAST = 1 << 62


class Table:
    """Rows of one object by record number, with an ordered index per field, built when it is first asked for."""

    def __init__(self, type: ObjectType) -> None:
        self.type = type
        self.rows: dict[int, Row] = {}
        self._indexes: dict[str, tuple[list[tuple[Any, int]], list[Row]]] = {}

    def put(self, row: Row) -> None:
        self.rows[row.record] = row
        self._indexes.clear()

    def remove(self, record: int) -> None:
        del self.rows[record]
        self._indexes.clear()

    def changed(self) -> None:
        """A value of a row may have changed by way of another table."""
        self._indexes.clear()

    def narrowed(self, spans: dict[str, list[Span]]) -> list[Row]:
        """A superset of the rows whose fields lie in the spans, by the most selective index. Nulls lie in no span."""
        best: tuple[int, list[Row], list[tuple[int, int]]] | None = None
        for name, intervals in spans.items():
            keys, rows = self._index(self.type.fields[name])
            slices = [_slice(keys, interval) for interval in intervals]
            size = sum(end - start for start, end in slices)
            if best is None or size < best[0]:
                best = (size, rows, slices)
        if best is None:
            return list(self.rows.values())
        return [row for start, end in best[2] for row in best[1][start:end]]

    def _index(self, field: Field) -> tuple[list[tuple[Any, int]], list[Row]]:
        found = self._indexes.get(field.id)
        if found is None:
            pairs = ((field.take(row), row) for row in self.rows.values())
            entries = sorted(
                ((value, row.record, row) for value, row in pairs if value is not None), key=lambda e: e[:2]
            )
            found = self._indexes[field.id] = ([(e[0], e[1]) for e in entries], [e[2] for e in entries])
        return found


def _slice(keys: list[tuple[Any, int]], span: Span) -> tuple[int, int]:
    low, high = span
    start = 0 if low is None else bisect_left(keys, (low, -1))
    end = len(keys) if high is None else bisect_right(keys, (high, _LAST))
    return start, max(start, end)
