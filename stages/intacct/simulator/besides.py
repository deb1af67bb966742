"""Values that no seed has a place for: what was set of a record besides, custom fields and any other."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stages.intacct.simulator.model import Getter, ObjectType, Value
from stages.intacct.simulator.rows import Row
from stages.intacct.simulator.tables import Table


class Besides:
    """Set values stand before those of the seed. ``types`` get other getters for the fields that were ever set."""

    def __init__(self, types: Mapping[str, ObjectType], tables: Mapping[str, Table]) -> None:
        self._types = types
        self._tables = tables
        self._set: dict[tuple[str, int], dict[str, Value]] = {}
        self._settable: dict[str, set[str]] = {}

    def values(self, object: str, record: int) -> dict[str, Value]:
        """What was set of the record."""
        return dict(self._set.get((object, record), {}))

    def put(self, object: str, record: int, values: dict[str, Value], *, replace: bool = False) -> None:
        """From now on these fields of the record have these values. ``replace`` forgets earlier ones."""
        known = {} if replace else self._set.get((object, record), {})
        self._set[object, record] = known | values
        fields = self._types[object].fields
        for name in values.keys() - self._settable.get(object, set()):
            self._settable.setdefault(object, set()).add(name)
            fields[name] = msgspec.structs.replace(fields[name], take=self._or_set(object, fields[name].take, name))
        self._tables[object].changed()

    def _or_set(self, object: str, take: Getter, name: str) -> Getter:
        kept = self._set

        def taken(row: Row) -> Value:
            values = kept.get((object, row.record))
            return values[name] if values is not None and name in values else take(row)

        return taken
