"""What the audit history tells of records that are no more: the only trace a deleted record leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from pipeline import ConfigError, Context, Deleted, Known, Record, RefusedError
from stages.intacct.protocol import fields, objects
from stages.intacct.protocol.query import Compare, among, both
from stages.intacct.protocol.responses import Row
from stages.intacct.reader import Reader
from stages.intacct.trails import Trail, distinct

_HELD = "MLC-DOC-0004"
"""Under which the ledger holds what was sent and is gone, whoever found that it is."""
Alive = Callable[[Sequence[Known]], Awaitable[set[str]]]
"""Which of these are in the books all the same, by key: made anew under another number, say."""


class Deletions:
    """The deleted records of one object that the flow has read before: nobody misses the others.

    ``types`` are the audit history's names for what is deleted with it.
    """

    def __init__(self, context: Context, object: str, kind: str, types: Sequence[str], alive: Alive) -> None:
        self._company = context.connection.config.company
        self._object, self._kind, self._alive, self._recall = object, kind, alive, context.recall
        self._where = both(among("OBJECTTYPE", types), Compare("equalto", "ACCESSMODE", ("D",)))
        self._history = Reader(context.connection, fields.AUDIT, key="ID")
        self.trail = Trail(
            context, "deleted", fields.AUDIT, self._records, where=self._where, stamp="ACCESSTIME", key="ID",
            missing=f"a {kind} that is deleted in Intacct is not noticed",
        )  # fmt: skip

    async def among(self, keys: Sequence[str]) -> list[Record]:
        """Of these records, which are not in the books, those that were deleted, as the audit history says or a person who had them held."""
        known = await self._recall(self._company, self._object, keys)
        names = distinct(name for each in known for name in (each.key, each.alias))
        try:
            rows = await self._history.matching("OBJECTKEY", names, self._where)
        except (ConfigError, RefusedError):
            rows = []  # the trail tells that it cannot be read
        told = self._gone(known, {row["OBJECTKEY"]: row for row in rows})
        found = {each.key: self._held(each) for each in known if each.left_out == _HELD}
        return list((found | {record.key: record for record in told}).values())

    def _held(self, known: Known) -> Record:
        body = Deleted("not in the books any more, as reconcile found")
        return Record(
            key=known.key, kind=self._kind, body=body, company=self._company, object=self._object, label=known.label,
            alias=known.alias,
        )  # fmt: skip

    async def _records(self, rows: list[Row]) -> list[Record]:
        known = await self._recall(self._company, self._object, distinct(row["OBJECTKEY"] for row in rows))
        alive = await self._alive(known) if known else set()
        return self._gone([each for each in known if each.key not in alive], {row["OBJECTKEY"]: row for row in rows})

    def _gone(self, known: Sequence[Known], told: dict[str | None, Row]) -> list[Record]:
        found: dict[str, Record] = {}
        for each in known:
            row = told.get(each.name) or told.get(each.key) or told.get(each.alias)
            if row is not None:
                found.setdefault(each.key, self._record(each, row))
        return list(found.values())

    def _record(self, known: Known, row: Row) -> Record:
        who = f" by {row['USERID']}" if row.get("USERID") else ""
        body = Deleted(f"deleted in Intacct{who} on {row['ACCESSTIME']}")
        return Record(
            key=known.key, kind=self._kind, body=body, company=self._company, object=self._object, label=known.label,
            alias=known.alias, digest=objects.digest(row),
        )  # fmt: skip
