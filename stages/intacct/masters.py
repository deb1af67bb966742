"""The sources `intacct.accounts` and `intacct.dimensions`: small tables, read one object after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec

from pipeline import (
    ConfigError,
    Context,
    DataError,
    Estimate,
    Page,
    PermissionDenied,
    Record,
    RefusedError,
    StageError,
    Window,
)
from stages.ap.model import Account, Dimension
from stages.intacct import estimating
from stages.intacct.company import IntacctClient
from stages.intacct.pages import check_page_size, gone, key_slice, next_page, rules, unhurried
from stages.intacct.protocol import objects, paging
from stages.intacct.protocol.faults import UnknownObject
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
    """``objects`` are read in this order; None: all that the company has and its user may read. ``page_size`` 0: the connection's."""

    objects: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] | None = None
    page_size: int = 0

    def __post_init__(self) -> None:
        check_page_size(self.page_size)
        if unknown := [name for name in self.names if name not in DIMENSIONS]:
            raise ValueError(f"objects holds {', '.join(unknown)}; there are {', '.join(DIMENSIONS)}")
        if len(set(self.names)) < len(self.names):
            raise ValueError("objects names one of them twice")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(DIMENSIONS) if self.objects is None else self.objects


class MastersSource:
    """Records of several objects, each by (WHENMODIFIED, RECORDNO). Repeats within the overlap.

    The cursor holds how far each object has been read, and which one comes next; the key is what people know a record by. Every run comes to
    every object, whichever it begins with: one that cannot be read holds up no other, and is told in ``left``. With ``note`` nobody asked
    for these objects by name: one that the company lacks, or its user may not read, is noted and nothing more.
    """

    def __init__(
        self, client: IntacctClient, masters: Sequence[Master], *, extra: Sequence[str] = (), page_size: int = 0,
        note: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        self._client = client
        self.scope = client.config.company
        self.left: list[StageError] = []
        self._note = note
        self._ended: dict[str, StageError | None] = {}  # the objects this run is through with, and why one was not read
        self._masters = {master.wish.object: master for master in masters}
        self._readers = {
            name: Reader(client, master.wish, extra=extra, needed=(paging.STAMP,), page_size=page_size)
            for name, master in self._masters.items()
        }

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page:
        """One page of one object. Raises as `IntacctClient.query`, what concerns an object alone when none could be read."""
        if window.keys:
            return await self._read_keys(window, cursor)
        cursor = dict(cursor or {})
        name = self._turn(cursor)
        kept = {key: text for key, text in cursor.items() if key != "next" and not key.startswith(f"{name}.")}
        rows, part, more = await self._page(name, window, _part(cursor, name))
        following = name if more else self._after(name)
        kept |= {f"{name}.{key}": text for key, text in part.items()}
        records = [self._record(name, row) async for row in unhurried(rows)]
        return Page(records, kept | ({"next": following} if following else {}), bool(following))

    def _turn(self, cursor: dict[str, str]) -> str:
        """Which object comes now: a run goes on where the one before it stopped."""
        names = list(self._masters)
        if len(self._ended) == len(names):
            self._ended.clear()
        return cursor["next"] if cursor.get("next") in names else names[0]

    async def _page(
        self, name: str, window: Window, part: dict[str, str]
    ) -> tuple[list[Row], dict[str, str], bool]:  # fmt: skip
        try:
            rows, behind, more = await next_page(self._readers[name], self._rules(name), window, part)
        except (ConfigError, RefusedError) as error:
            self._pass_over(name, error)
            return [], part, False
        if not more:
            self._ended[name] = None
        return rows, behind.cursor(), more

    def _after(self, name: str) -> str:
        """The object behind it that is still to be read, from the end on to the beginning; "" when all have had their turn."""
        names = list(self._masters)
        at = names.index(name) + 1
        following = next((each for each in (*names[at:], *names[:at]) if each not in self._ended), "")
        if not following:
            self._require_one()
        return following

    def _pass_over(self, name: str, error: StageError) -> None:
        self._ended[name] = error
        if self._note is not None and isinstance(error, UnknownObject | PermissionDenied):
            self._note(f"{name} is not read: {error.what} ({error.where}; {error.why}); {error.owner}: {error.mend}")
        elif not any((each.code, each.where) == (error.code, error.where) for each in self.left):
            self.left.append(error)

    def _require_one(self) -> None:
        """Raises the first error when every object has one."""
        errors = [error for error in self._ended.values() if error is not None]
        if len(errors) == len(self._masters):
            raise errors[0]

    async def estimate(self, window: Window, cursor: dict[str, str] | None) -> Estimate:
        """What reading would take, object by object. Raises as `Reader.count` when it could count none."""
        found = []
        self._ended.clear()
        for name in self._masters:
            try:
                rules, part = self._rules(name), _part(cursor or {}, name)
                found.append(await estimating.counted(self._readers[name], rules, window, part))
            except (ConfigError, RefusedError) as error:
                self._pass_over(name, error)
        self._require_one()
        without = [name for name, error in self._ended.items() if error is not None]
        return msgspec.structs.replace(estimating.alone(found), note=f"without {', '.join(without)}" if without else "")

    async def _read_keys(self, window: Window, cursor: dict[str, str] | None) -> Page:
        """A key does not say of which object it is: each is asked."""
        keys, behind, more = key_slice(window, cursor)
        records: list[Record] = []
        self._ended.clear()
        for name, master in self._masters.items():
            try:
                rows = await self._readers[name].matching(master.id, keys)
            except (ConfigError, RefusedError) as error:
                self._pass_over(name, error)
            else:
                records += [self._record(name, row) for row in rows]
        self._require_one()
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
    wanted = [DIMENSIONS[name] for name in settings.names]
    note = context.note if settings.objects is None else None
    return MastersSource(context.connection, wanted, page_size=settings.page_size, note=note)
