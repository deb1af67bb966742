"""What Sterling has, listed once for all lanes of a sink: partners by code, mailboxes, login users, routing rules, codes.

Ten thousand partners are looked at with list calls only. A list is None where this account or level cannot list it, or where it
shows that it leaves things out: what is not in it is then not known to be missing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import anyio

from pipeline import ConfigError, PermissionDenied, SignInRefused, StageError
from stages.sterling.apis import SterlingClient
from stages.sterling.config import CodeListName
from stages.sterling.protocol import addresses, belongings, partner
from stages.sterling.protocol.errors import lacks_collection
from stages.sterling.protocol.representations import text_of

T = TypeVar("T")
Row = Mapping[str, Any]
Codes = dict[belongings.Pair, Row]


class Rules:
    """Routing rules, by name and by the mailboxes that they watch."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.named: dict[str, Row] = {}
        self._watching: dict[str, list[Row]] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        name = text_of(row.get("name")) or text_of(row.get("_id"))
        self.named[name] = {**row, "name": name}
        for number in belongings.watched(row):
            self._watching.setdefault(number, []).append(self.named[name])

    def watching(self, mailbox_id: str) -> list[Row]:
        return self._watching.get(mailbox_id, [])


class Directory:
    """Each list is kept until `renew`. What the sink makes is entered with `took_partner` and `took`."""

    def __init__(self, client: SterlingClient) -> None:
        self._client = client
        self._kept: dict[str, tuple[int, Any]] = {}
        self._listed: dict[
            str, frozenset[str]
        ] = {}  # users and mailboxes as they were listed, without what was made since
        self._shown: dict[str, tuple[frozenset[str], bool]] = {}
        self._epoch = 0
        self._lock = anyio.Lock()

    def renew(self) -> None:
        """From now on every answer rests on a listing that begins after this call."""
        self._epoch += 1

    async def _once(self, name: str, make: Callable[[], Awaitable[T]]) -> T:
        """What was made since `renew`; made by one task while the others wait."""
        wanted = self._epoch
        if not self._fresh(name, wanted):
            async with self._lock:
                if not self._fresh(name, wanted):
                    began = self._epoch
                    self._kept[name] = began, await make()
        value: T = self._kept[name][1]
        return value

    def _fresh(self, name: str, wanted: int) -> bool:
        return name in self._kept and self._kept[name][0] >= wanted

    async def partners(self) -> dict[str, list[dict[str, str]]]:
        """What is remembered of each partner, by code; those without a code under the empty one. Raises `StageError`."""
        return await self._once("partners", self._list_partners)

    async def _list_partners(self) -> dict[str, list[dict[str, str]]]:
        index: dict[str, list[dict[str, str]]] = {}
        for row in await self._client.rows(addresses.collection(partner.COLLECTION), "list trading partners"):
            index.setdefault(text_of(row.get("code")), []).append(partner.remembered(row))
        return index

    async def took_partner(self, row: Row) -> None:
        """A partner was made, and with it its login user and its mailbox."""
        (await self.partners()).setdefault(text_of(row.get("code")), []).append(partner.remembered(row))
        await self.took("user", text_of(row.get("username")))
        await self.took("mailbox", f"/{partner.name_of(row)}")
        await self.took("virtual root", text_of(row.get("username")))

    async def took(self, part: str, name: str, key: str = "") -> None:
        """A user, a mailbox or a user's virtual root was made; ``key`` is its id where that is known."""
        if part == "user" and (users := await self.users()) is not None:
            users[name] = False
        elif part == "mailbox" and (mailboxes := await self.mailboxes()) is not None:
            mailboxes[_folded(name)] = key
        elif part == "virtual root" and (roots := await self.roots()) is not None:
            roots.add(name)

    async def mailboxes(self) -> dict[str, str] | None:
        """Ids of mailboxes by path, without regard to case."""
        return await self._once("mailboxes", self._list_mailboxes)

    async def _list_mailboxes(self) -> dict[str, str] | None:
        rows = await self._rows("mailboxes", "list mailboxes")
        # Every Sterling has a root mailbox: an account to which none is shown sees no others either.
        ids = _ids(rows or [])
        self._listed["mailboxes"] = frozenset(ids)
        return ids or None

    async def mailbox_id(self, path: str) -> str | None:
        """The mailbox's id; None when it is not there. One that was made by the way is looked up when it is asked for."""
        known = await self.mailboxes()
        if known is None or _folded(path) not in known:
            return None
        if not known[_folded(path)]:
            rows = await self._rows("mailboxes", f"look up mailbox {path}", {"path": path})
            found = _ids(rows or []).get(_folded(path))
            if found is None:
                del known[_folded(path)]
                return None
            known[_folded(path)] = found
        return known[_folded(path)]

    async def users(self) -> dict[str, bool] | None:
        """Login users, each with whether it is listed without any group or permission. A list that leaves out the account that asks does
        not show all.
        """
        return await self._once("users", self._list_users)

    async def _list_users(self) -> dict[str, bool] | None:
        rows = await self._rows("useraccounts", "list user accounts")
        users = {text_of(row.get("userId")) or text_of(row.get("_id")): belongings.is_bare(row) for row in rows or ()}
        self._listed["users"] = frozenset(users)
        return users if users and (self._client.config.self_account or next(iter(users))) in users else None

    async def shows_users(self) -> bool:
        """Whether the list of users shows those of partners at all: one that shows none tells nothing of one that is not in it."""
        partners = await self.partners()
        names = ((row.get("username") or partner.usual_user(partner.name_of(row))) for row in _each(partners))
        return await self.users() is not None and self._shows("users", names)

    async def shows_mailboxes(self) -> bool:
        """The same of the mailboxes that Sterling makes with partners."""
        partners = await self.partners()
        paths = (_folded(f"/{partner.name_of(row)}") for row in _each(partners))
        return await self.mailboxes() is not None and self._shows("mailboxes", paths)

    def _shows(self, kind: str, names: Iterable[str]) -> bool:
        listed = self._listed[kind]
        if kind not in self._shown or self._shown[kind][0] is not listed:
            self._shown[kind] = listed, any(name in listed for name in names)
        return self._shown[kind][1]

    async def roots(self) -> set[str] | None:
        """The login users that have a virtual root."""
        return await self._once("roots", self._list_roots)

    async def _list_roots(self) -> set[str] | None:
        try:
            rows = await self._rows("uservirtualroots", "list virtual roots")
        except ConfigError as error:  # some levels make and read them, and list none
            if isinstance(error, SignInRefused):
                raise
            return None
        return None if rows is None else {text_of(row.get("userName")) or text_of(row.get("_id")) for row in rows}

    async def lacks_root(self, user: str) -> bool:
        """Whether the virtual roots are listed, and none of this user among them. A list that shows none tells nothing."""
        roots = await self.roots()
        return bool(roots) and user not in (roots or ())

    async def took_rule(self, row: Row) -> None:
        """A routing rule was made."""
        if (rules := await self.rules()) is not None:
            rules.add(row)

    async def rules(self) -> Rules | None:
        """Routing rules."""
        return await self._once("rules", self._list_rules)

    async def _list_rules(self) -> Rules | None:
        rows = await self._rows("routingrules", "list routing rules")
        return None if rows is None else Rules(rows)

    async def codes(self, wanted: CodeListName) -> tuple[str, Codes]:
        """The code list's id and its codes. Raises `ConfigError` when there is no such list, or none may be read."""
        return await self._once(f"codes {wanted}", lambda: read_codes(self._client, wanted))

    async def _rows(self, name: str, doing: str, query: Mapping[str, str] | None = None) -> list[Row] | None:
        try:
            return await self._client.rows(addresses.collection(name), doing, query)
        except StageError as error:
            if isinstance(error, PermissionDenied) or lacks_collection(error):
                return None
            raise


def _each(partners: Mapping[str, list[dict[str, str]]]) -> Iterator[dict[str, str]]:
    return (row for rows in partners.values() for row in rows)


def _ids(rows: list[Row]) -> dict[str, str]:
    return {_folded(text_of(row.get("path"))): text_of(row.get("_id")) or text_of(row.get("id")) for row in rows}


def _folded(path: str) -> str:
    return path.rstrip("/").casefold() or "/"


async def read_codes(client: SterlingClient, wanted: CodeListName) -> tuple[str, Codes]:
    """The id of a code list and its codes. Raises `ConfigError` when there is no such list, `PermissionDenied` as it comes."""
    found = await _list(client, wanted)
    if found is None:
        version = f" version {wanted.version}" if wanted.version else " that is active"
        raise ConfigError(
            f"Sterling has no code list {wanted.list}{version}",
            where=f"code list {wanted.list!r}, sender {wanted.sender!r}, receiver {wanted.receiver!r}",
            why="The list is looked up by its exact name and identities.",
            mend="Create it in Sterling (Trading Partner > Code Lists), or correct its name here.",
            owner="EDI desk",
            code="MLC-STL-0342",
        )
    key = belongings.list_key(found)
    return key, {belongings.code_of(row): row for row in await _codes(client, key, wanted, found)}


async def _list(client: SterlingClient, wanted: CodeListName) -> Row | None:
    """One row without its codes. Newer levels tell the default version when asked for number -1; elsewhere the rows must tell."""
    path, query = addresses.collection("codelists"), {"codeListName": wanted.list, "_exclude": "codes"}
    doing = f"look up code list {wanted.list}"
    rows = await client.rows(path, doing, query)
    if wanted.version == 0 and len(rows) > 1 and not any("makeDefault" in row for row in rows):
        default = await client.rows(path, doing, {**query, "versionNumber": "-1"})
        rows = default if len(default) < len(rows) and belongings.chosen_list(default, wanted) else rows
    return belongings.chosen_list(rows, wanted)


async def _codes(client: SterlingClient, key: str, wanted: CodeListName, found: Row) -> list[Row]:
    """From ``codelistcodes``, whose filters match prefixes; a level without it gives them with the list."""
    query = {"listName": wanted.list, "listVersion": text_of(found.get("versionNumber"))}
    try:
        rows = await client.rows(
            addresses.collection("codelistcodes"), f"list the codes of {wanted.list}", query, proven=True
        )
    except StageError as error:
        if not lacks_collection(error):
            raise
        whole = await client.read(addresses.item("codelists", key), f"read code list {wanted.list}")
        listed = whole.get("codes") if isinstance(whole, Mapping) else None
        return [row for row in listed if isinstance(row, Mapping)] if isinstance(listed, list) else []
    return [row for row in rows if _belongs(row, key)]


def _belongs(row: Row, key: str) -> bool:
    """Whether a code is of this list, by what tells: its own list, else the beginning of its id."""
    told = text_of(row.get("codeList"))
    return told == key if told else text_of(row.get("_id")).startswith(f"{key}|")
