"""What a trading partner lacks beside itself, and the calls that make it: login user, mailboxes, virtual root, routing rule, codes.

Forward only. Each step is found by looking, so that a sequence broken off anywhere is gone on with by whoever looks next. What people set
up by hand is completed, not changed. Only what a partner's former code left behind is taken away: its rule no longer starts, its codes are removed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import msgspec

from pipeline import ConfigError, Ids, PermissionDenied, Secret, StageError
from stages.ap.partner import TradingPartner
from stages.sterling.apis import SterlingClient
from stages.sterling.config import PartnerSettings
from stages.sterling.leftovers import Leftovers
from stages.sterling.partner_view import Directory, Rules
from stages.sterling.protocol import addresses, belongings, partner
from stages.sterling.protocol.errors import lacks_collection
from stages.sterling.protocol.representations import names, text_of

Row = Mapping[str, Any]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is missing, differs or is too many, and the call that mends it. ``key`` empty: it is created, in ``collection``;
    ``body`` None: it is removed.
    """

    part: str
    name: str
    collection: str
    body: dict[str, Any] | None
    key: str = ""
    secrets: tuple[Secret, ...] = ()
    note: str = ""  # what people must know or do besides

    @property
    def optional(self) -> bool:
        """Whether a level of Sterling that cannot make it has partners without it."""
        return self.part in ("user", "mailbox", "virtual root", "former code")

    def __str__(self) -> str:
        return f"{self.part} {self.name}"


class Provision:
    """Finds the steps of a partner, in order. ``half_made`` says that our own creation of the partner may have been broken off."""

    def __init__(
        self, client: SterlingClient, settings: PartnerSettings, directory: Directory, leftovers: Leftovers, ids: Ids
    ) -> None:
        self._client = client
        self._settings = settings
        self._directory = directory
        self._leftovers = leftovers
        self._ids = ids
        self._communities: set[str] = set()

    def password(self) -> Secret:
        """Upper, lower, digit and sign first: what password policies usually ask for; the strength is in the ids."""
        return Secret(f"Mlc-1{self._ids.new()}{self._ids.new()}")

    async def steps(self, wanted: TradingPartner, row: Row, *, half_made: bool) -> AsyncGenerator[Step]:
        """What is missing now. A step must be carried out, and entered in the directory, before the next one is asked for."""
        user = await self._login(wanted, row, half_made=half_made)
        if not wanted.active:
            async for step in self._block(user):
                yield step
            return
        async for step in self._unblock(wanted, row, user):
            yield step
        async for step in self._own(wanted, row, user, half_made=half_made):
            yield step
        for path in wanted.mailboxes if self._settings.mailboxes else ():
            async for step in self._mailbox(addresses.mailbox_path(path, wanted.code), wanted.display_name, user):
                yield step
        if wanted.mailboxes and self._settings.rule.action:
            async for step in self._rule(wanted, row, user):
                yield step
        if wanted.mailboxes and self._settings.codes.list:
            async for step in self._codes(wanted, row, user):
                yield step

    async def _login(self, wanted: TradingPartner, row: Row, *, half_made: bool) -> str:
        """The partner's login user, where Sterling keeps it itself; empty when someone else signs it in, or nothing tells.

        A level whose reads leave the user out is believed to have the one that we would name: if it is there, or was ours to make.
        """
        if text_of(row.get("authenticationType")) not in ("Local", ""):
            return ""
        if "username" in row:
            return text_of(row["username"])
        usual = str(self._settings.create.get("username") or partner.usual_user(partner.name_of(row)))
        return usual if half_made or usual in (await self._directory.users() or ()) else ""

    # What Sterling itself makes with a partner.

    async def _own(self, wanted: TradingPartner, row: Row, user: str, *, half_made: bool) -> AsyncGenerator[Step]:
        users = await self._directory.users() if user else None
        no_user = users is not None and user not in users and (half_made or await self._directory.shows_users())
        path = f"/{partner.name_of(row)}"
        if no_user:
            password = self.password()
            there = [box for box in (path, *wanted.mailboxes) if await self._directory.mailbox_id(box) is not None]
            body = belongings.user_creation(user, row, password.reveal(), there)
            yield Step(part="user", name=user, collection="useraccounts", body=body, secrets=(password,))
        broken = no_user or half_made or await self._no_mailbox(wanted, row, path)
        if broken:
            async for step in self._mailbox(path, partner.name_of(row), user, ours=False):
                yield step
        elif not (user and _bears_our_name(wanted, row) and await self._directory.lacks_root(user)):
            return
        if user and await self._both_there(user, path) and await self._no_root(user):
            root: dict[str, Any] = {"userName": user, "mailboxPath": path}
            yield Step(part="virtual root", name=user, collection="uservirtualroots", body=root)

    async def _both_there(self, user: str, path: str) -> bool:
        """Whether user and mailbox are there, as far as is known: some levels cannot make them by themselves."""
        users, mailboxes = await self._directory.users(), await self._directory.mailboxes()
        has_mailbox = mailboxes is None or await self._directory.mailbox_id(path) is not None
        return has_mailbox and (users is None or user in users)

    async def _no_mailbox(self, wanted: TradingPartner, row: Row, path: str) -> bool:
        """Whether a partner that bears the name we give lacks the mailbox of that name, which Sterling makes with it."""
        if not _bears_our_name(wanted, row):
            return False
        return await self._directory.mailbox_id(path) is None and await self._directory.shows_mailboxes()

    async def _no_root(self, user: str) -> bool:
        """Whether the user sees no mailbox as its root; not known where this may not be read."""
        try:
            path = addresses.item("uservirtualroots", user)
            return await self._client.read(path, f"read the virtual root of {user}", proven=True) is None
        except StageError as error:
            if isinstance(error, PermissionDenied) or lacks_collection(error):
                return False
            raise

    async def _mailbox(self, path: str, description: str, user: str, *, ours: bool = True) -> AsyncGenerator[Step]:
        known = await self._directory.mailboxes()
        if known is None or await self._directory.mailbox_id(path) is not None:
            return
        people = [name for name in (user, self._client.config.self_account if ours else "") if name]
        body = belongings.mailbox_creation(path, description, people, self._settings.groups if ours else ())
        yield Step(part="mailbox", name=path, collection="mailboxes", body=body)

    # Vendors that are no longer active, and those that are again.

    async def _block(self, user: str) -> AsyncGenerator[Step]:
        """Takes the login user's groups and permissions away, so that it sees no mailbox any more; whatever else it is stays."""
        if self._settings.inactive != "block" or not user:
            return
        account = await self._client.read(addresses.item("useraccounts", user), f"read user account {user}")
        if isinstance(account, Mapping) and not belongings.is_bare(account):
            yield self._permissions("blocked user", user, account, [], _taken_away(user, account))

    async def _unblock(self, wanted: TradingPartner, row: Row, user: str) -> AsyncGenerator[Step]:
        """Gives the permissions of its own mailboxes back to a user who has none of any kind: that is how `_block` leaves one."""
        users = await self._directory.users() if self._settings.inactive == "block" and user else None
        if not users or not users.get(user):
            return
        account = await self._client.read(addresses.item("useraccounts", user), f"read user account {user}")
        if isinstance(account, Mapping) and belongings.is_bare(account):
            paths = [f"/{partner.name_of(row)}", *wanted.mailboxes]
            there = [path for path in paths if await self._directory.mailbox_id(path) is not None]
            own = [f"{path} Mailbox" for path in dict.fromkeys(there or paths)]
            note = f"login user {user} gets the permissions of its own mailboxes back, and no groups or others: give it by hand what it had beside them"
            yield self._permissions("user", user, account, own, note)

    @staticmethod
    def _permissions(part: str, user: str, account: Row, permissions: list[str], note: str) -> Step:
        body = belongings.user_update(account, permissions)
        return Step(part=part, name=user, collection="useraccounts", key=user, body=body, note=note)

    # What the flow asks for.

    async def _rule(self, wanted: TradingPartner, row: Row, user: str) -> AsyncGenerator[Step]:
        """One rule: its own, that of a former code, or another that does the same; never a second one for the same messages."""
        rules = await self._directory.rules()
        if rules is None:
            return
        body, former = await self._kept_rule(rules, wanted, row, user)
        name, there = body["name"], rules.named.get(body["name"])
        if there is None and not await self._leftovers.twins(body):
            yield Step(part="rule", name=name, collection="routingrules", body=body)
        elif there is not None and belongings.rule_differs(body, there):
            mailboxes = await self._directory.mailboxes() or {}
            merged = belongings.rule_merged(body, there, mailboxes.values())
            yield Step(part="rule", name=name, collection="routingrules", key=name, body=merged)
        for old in former:
            if old != name and belongings.is_automatic(rules.named[old]):
                off = belongings.rule_off(rules.named[old], body["mailboxes"][0])
                yield Step(part="former rule", name=old, collection="routingrules", key=old, body=off)

    async def twins(self, wanted: TradingPartner, row: Row) -> list[str]:
        """Rules besides the partner's that start the same for the same messages, and that no step takes away."""
        rules = await self._directory.rules() if self._settings.rule.action and wanted.mailboxes else None
        if rules is None or not wanted.active:
            return []
        body, former = await self._kept_rule(rules, wanted, row, await self._login(wanted, row, half_made=False))
        others = [name for name in await self._leftovers.twins(body) if name not in former]
        return others if body["name"] in rules.named else others[1:]  # the first is as good as its own

    async def _kept_rule(
        self, rules: Rules, wanted: TradingPartner, row: Row, user: str
    ) -> tuple[dict[str, Any], list[str]]:
        """The rule as it is wanted, under its own name or that of the rule which it had before; and all that it had before."""
        body = await self._wanted_rule(wanted, user)
        watching = {each["name"] for each in rules.watching(body["mailboxes"][0])}
        before = [belongings.values(each, user) for each in await self._leftovers.before(wanted, row)]
        names = [belongings.fill(self._settings.rule.name, known) for known in before]
        former = [name for name in dict.fromkeys(names) if name in watching and name != body["name"]]
        kept = next((name for name in (body["name"], *former) if name in rules.named), body["name"])
        return {**body, "name": kept}, former

    async def _wanted_rule(self, wanted: TradingPartner, user: str) -> dict[str, Any]:
        """The partner's routing rule as it is wanted, under its own name."""
        if await self._directory.mailboxes() is None:
            raise _no_ids(wanted.mailboxes[0])
        settings, known = self._settings.rule, belongings.values(wanted, user)
        number = await self._directory.mailbox_id(wanted.mailboxes[0]) or ""
        return belongings.rule_body(settings, known, number, self._client.config.self_account)

    async def _codes(self, wanted: TradingPartner, row: Row, user: str) -> AsyncGenerator[Step]:
        """The partner's codes, then none of those under its former codes, whose other texts go over to the new ones."""
        settings = self._settings.codes
        code_list, there = await self._directory.codes(settings)
        own = belongings.entries(settings, wanted, user)
        before = [list(belongings.entries(settings, each, user)) for each in await self._leftovers.before(wanted, row)]
        for place, (pair, texts) in enumerate(own.items()):
            name, code = f"{code_list}|{'|'.join(pair)}", there.get(pair)
            if code is None:
                old = next((there[each[place]] for each in before if place < len(each) and each[place] in there), {})
                body = {"codeList": code_list, "codeSet": [belongings.code(pair, belongings.code_merged(texts, old))]}
                yield Step(part="code", name=name, collection="codelistcodes", body=body)
            elif belongings.code_differs(texts, code):
                body = belongings.code(pair, belongings.code_merged(texts, code))
                yield Step(part="code", name=name, collection="codelistcodes", key=name, body=body)
        for pair in dict.fromkeys(pair for each in before for pair in each if pair in there and pair not in own):
            if "|" in "".join(pair):
                continue  # its id would be ambiguous
            name = f"{code_list}|{'|'.join(pair)}"
            yield Step(part="former code", name=name, collection="codelistcodes", key=name, body=None)

    # Before a partner is made.

    async def community(self, name: str) -> Step | None:
        """The step that makes the community, where the flow asks for that and it is not there."""
        if not self._settings.create_community or name in self._communities:
            return None
        row = await self._client.read(addresses.item("communities", name), f"look up community {name}")
        if row is None:
            body = belongings.community_creation(name)
            return Step(part="community", name=name, collection="communities", body=body)
        self._communities.add(name)
        return None


def _taken_away(user: str, account: Row) -> str:
    """What a blocked user had that does not come back by itself."""
    permissions = [name for name in names(account.get("permissions")) if not name.endswith(" Mailbox")]
    had = {"groups": names(account.get("groups")), "permissions": permissions}
    told = " and ".join(f"the {kind} {', '.join(each)}" for kind, each in had.items() if each)
    return f"login user {user} is blocked and loses {told}: these do not come back by themselves" if told else ""


def _bears_our_name(wanted: TradingPartner, row: Row) -> bool:
    """Whether Sterling has made the mailbox of that name with the partner, and its user's root."""
    return partner.name_of(row) == wanted.name and text_of(row.get("useGlobalMailbox")) != "true"


def no_community(problem: str, why: str) -> ConfigError:
    return ConfigError(
        f"No trading partner can be created: {problem}",
        where="sterling.partners, `community`",
        why=why,
        mend="Create the community in Sterling, name an existing one under `with: { community: … }`, or set `create_community: true`.",
        owner="EDI desk",
        code="MLC-STL-0325",
    )


def no_rules() -> ConfigError:
    return ConfigError(
        "Routing rules are asked for, and this level of Sterling has none",
        where="sterling.partners, `rule`",
        why="Its APIs lack the collection routingrules, while the others answer.",
        mend="Leave out `rule` and make the rules in Sterling's dashboard (Deployment > Mailboxes > Routing Rules), or ask for a level that has them.",
        owner="EDI desk",
        code="MLC-STL-0346",
    )


def _no_ids(path: str) -> PermissionDenied:
    return PermissionDenied(
        "A routing rule cannot be made: it names its mailbox by a number that is not known here",
        where=f"mailbox {path}",
        why="The account is shown no mailboxes.",
        mend="Ask Sterling's administrator to let the account list mailboxes, or leave out `rule`.",
        code="MLC-STL-0345",
    )
