"""The sources `intacct.accounts` and `intacct.dimensions`: small tables, read one object after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from pipeline import Context, DataError, Estimate, Page, Record, Window
from stages.ap.model import Account, Dimension
from stages.intacct import estimating
from stages.intacct.company import IntacctClient
from stages.intacct.pages import check_page_size, gone, key_slice, next_page, rules, unhurried
from stages.intacct.protocol import objects, paging
from stages.intacct.protocol.masters import ACCOUNTS, DIMENSIONS, Master
from stages.intacct.protocol.responses import Row
from stages.intacct.reader import Reader


class AccountsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``fields`` are read besides the usual ones. ``page_size`` 0: the connection's."""

    fields: list[str] = []
    page_size: int = 0

    def __post_init__(self) -> None:
        check_page_size(self.page_size)


class DimensionsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``objects`` are read in this order; leave out what the company has not enabled. ``page_size`` 0: the connection's."""

    objects: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = tuple(DIMENSIONS)
    page_size: int = 0

    def __post_init__(self) -> None:
        check_page_size(self.page_size)
        if unknown := [name for name in self.objects if name not in DIMENSIONS]:
            raise ValueError(f"objects holds {', '.join(unknown)}; there are {', '.join(DIMENSIONS)}")
        if len(set(self.objects)) < len(self.objects):
            raise ValueError("objects names one of them twice")


class MastersSource:
    """Records of several objects, each by (WHENMODIFIED, RECORDNO). Repeats within the overlap.

    The cursor holds how far each object has been read, and which one comes next; the key is what people know a record by.
    """

    def __init__(
        self, client: IntacctClient, masters: Sequence[Master], *, extra: Sequence[str] = (), page_size: int = 0
    ) -> None:
        self._client = client
        self.scope = client.config.company
        self._masters = {master.wish.object: master for master in masters}
        self._readers = {
            name: Reader(client, master.wish, extra=extra, needed=(paging.STAMP,), page_size=page_size)
            for name, master in self._masters.items()
        }

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page:
        """One page of one object. Raises as `IntacctClient.query`."""
        if window.keys:
            return await self._read_keys(window, cursor)
        cursor = dict(cursor or {})
        names = list(self._masters)
        name = cursor.get("next", "")
        name = name if name in self._masters else names[0]
        rows, behind, more = await next_page(
            self._readers[name],
            self._rules(name),
            window,
            _part(cursor, name),
        )
        kept = {key: text for key, text in cursor.items() if key != "next" and not key.startswith(f"{name}.")}
        kept |= {f"{name}.{key}": text for key, text in behind.cursor().items()}
        following = name if more else next(iter(names[names.index(name) + 1 :]), "")
        records = [self._record(name, row) async for row in unhurried(rows)]
        return Page(records, kept | ({"next": following} if following else {}), bool(following))

    async def estimate(self, window: Window, cursor: dict[str, str] | None) -> Estimate:
        """What reading would take, object by object. Raises as `Reader.count`."""
        cursor = cursor or {}
        names = list(self._masters)
        left = names[names.index(cursor["next"]) :] if cursor.get("next") in self._masters else names
        return estimating.alone(
            [
                await estimating.counted(self._readers[name], self._rules(name), window, _part(cursor, name))
                for name in left
            ]
        )

    async def _read_keys(self, window: Window, cursor: dict[str, str] | None) -> Page:
        """A key does not say of which object it is: each is asked."""
        keys, behind, more = key_slice(window, cursor)
        records: list[Record] = []
        for name, master in self._masters.items():
            rows = await self._readers[name].matching(master.id, keys)
            records += [self._record(name, row) for row in rows]
        found = {record.key for record in records}
        first = next(iter(self._masters))
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        records += [self._wrap(first, key, gone("record", key), objects.digest(key)) for key in missing]
        return Page(records, behind, more)

    def _rules(self, name: str) -> paging.Rules:
        return rules(self._client, name, {"document_date": "WHENCREATED"}, "")

    def _record(self, name: str, row: Row) -> Record:
        master, reader = self._masters[name], self._readers[name]
        key = row.get(master.id) or row["RECORDNO"] or ""
        try:
            source = reader.source(row)
            return self._wrap(name, key, master.build(source), objects.digest(source))
        except DataError as error:
            return self._wrap(name, key, error, objects.digest(row))

    def _wrap(self, name: str, key: str, body: Account | Dimension | DataError, digest: str) -> Record:
        label = body.title if isinstance(body, Account) else body.name if isinstance(body, Dimension) else key
        return Record(
            key=key,
            kind=self._masters[name].kind,
            body=body,
            company=self._client.config.company,
            object=name,
            digest=digest,
            label=label,
        )


def _part(cursor: dict[str, str], name: str) -> dict[str, str]:
    """How far that one object has been read."""
    prefix = f"{name}."
    return {key.removeprefix(prefix): text for key, text in cursor.items() if key.startswith(prefix)}


def accounts_source(settings: AccountsSettings | None, context: Context) -> MastersSource:
    """Builds `intacct.accounts`."""
    settings = settings or AccountsSettings()
    return MastersSource(context.connection, (ACCOUNTS,), extra=settings.fields, page_size=settings.page_size)


def dimensions_source(settings: DimensionsSettings | None, context: Context) -> MastersSource:
    """Builds `intacct.dimensions`."""
    settings = settings or DimensionsSettings()
    wanted = [DIMENSIONS[name] for name in settings.objects]
    return MastersSource(context.connection, wanted, page_size=settings.page_size)
