"""What `doctor` finds out about Sterling, step by step: reach, TLS, account, rights, mailboxes, community, code lists. It reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import anyio
from yarl import URL

from pipeline import (
    ConfigError,
    ConnectorError,
    Context,
    Destination,
    Diagnosis,
    PermissionDenied,
    StageError,
    Tell,
    ThrottledError,
)
from stages.sterling import mailbox_view
from stages.sterling.apis import SterlingClient, connect
from stages.sterling.config import PartnerSettings, SterlingConfig, checked, checked_partners
from stages.sterling.mailbox_sink import no_batches
from stages.sterling.partner_view import Directory, read_codes
from stages.sterling.protocol import addresses
from stages.sterling.protocol.account import administrator, administrator_rights
from stages.sterling.protocol.errors import is_without_rows, lacks_collection
from stages.sterling.protocol.representations import names
from stages.sterling.provision import no_community, no_rules
from stages.sterling.taking import Box

NAMED = 5
"""How many of many a line names."""

API_USER = ("APIUser", "API User")
TLS = "MLC-STL-0105"
HANDSHAKE = "MLC-STL-0702"


async def diagnose_connection(config: SterlingConfig, context: Context, tell: Tell) -> bool:
    """Whether Sterling answers this account, so that more can be looked at."""
    try:
        checked(config)
        async with connect(config, context) as client:
            return await _connection(client, tell)
    except ConfigError as error:
        tell(Diagnosis.failed("TLS" if error.code == TLS else "settings", error))
        return False


async def _connection(client: SterlingClient, tell: Tell) -> bool:
    try:
        account = await client.account()
        if account is None:  # nothing was asked yet, or the answer was a refusal, which may be anybody's
            await client.prove()
    except StageError as error:
        tell(Diagnosis.failed(_step(error), error))
        return False
    address = URL(client.config.url)
    tell(Diagnosis.ok("reach", f"{address.authority}{address.path}"))
    tell(_tls(client.config))
    tell(Diagnosis.ok("sign-in", _sign_in(client.config)))
    tell(_account(client.config, account))
    return await _lists(client, tell)


def _step(error: StageError) -> str:
    """The step that an error of the first call is about."""
    if error.code in (TLS, HANDSHAKE):
        return "TLS"
    if error.code in ("MLC-STL-0120", "MLC-STL-0121", "MLC-STL-0401", "MLC-STL-0403"):
        return "sign-in"
    return "reach"


def _tls(config: SterlingConfig) -> Diagnosis:
    if URL(config.url).scheme == "http":
        return Diagnosis.ok("TLS", "none: plain http to this machine")
    if not config.tls.verify:
        problem = ConfigError(
            "The server's certificate is not verified",
            where="tls.verify",
            why="With `verify: false` anyone in between can read and change everything, the password included.",
            mend="Put the certificate of Sterling's authority into tls.ca_file, and remove `verify: false`.",
            code=TLS,
        )
        return Diagnosis.warning("TLS", problem)
    by = f"by {config.tls.ca_file}" if config.tls.ca_file else "by the system's authorities"
    shown = ", with a client certificate" if config.tls.client_certificate else ""
    return Diagnosis.ok("TLS", f"the server's certificate is verified {by}{shown}")


def _sign_in(config: SterlingConfig) -> str:
    if config.scheme == "oauth2":
        return f"token of {URL(config.auth.oauth2.token_url).authority} for client {config.auth.oauth2.client_id}"
    return f"header {config.auth.header.name}" if config.scheme == "header" else f"user {config.auth.basic.user}"


def _account(config: SterlingConfig, account: Mapping[str, object] | None) -> Diagnosis:
    """Rights that groups bring are not told by the account itself, so that a missing permission is no failure when there are groups."""
    user = config.self_account
    if not user:
        return Diagnosis.skipped("account", "who signs in is not known here; name it with `account`")
    if account is None:
        return Diagnosis.ok("account", f"{user} may not read itself, as a least-privilege account should be")
    found = administrator_rights(account, config.administrator_groups)
    if found and not config.allow_administrator:
        return Diagnosis.failed("account", administrator(user, found, f"user account {user}"))
    groups, permissions = names(account.get("groups")), names(account.get("permissions"))
    told = f"{user}: groups {_some(groups) or 'none'}; permissions of its own {_some(permissions) or 'none'}"
    if found:
        return Diagnosis.ok("account", f"{told}; an administrator, which is allowed here")
    if not groups and not set(API_USER) & set(permissions):
        return Diagnosis.warning("account", _no_api_user(user), told)
    return Diagnosis.ok("account", f"{told}; no administrator")


def _no_api_user(user: str) -> PermissionDenied:
    return PermissionDenied(
        f"The account {user} does not show the permission APIUser",
        where=f"user account {user}",
        why="It is let in, so that a group or a gateway may give it; without it every call is refused.",
        mend="Ask Sterling's administrator to give it the permission APIUser.",
        code="MLC-STL-0403",
    )


async def _lists(client: SterlingClient, tell: Tell) -> bool:
    """The list that resolves doubts, as at the start of a run."""
    try:
        await client.check()
        await mailbox_view.check(client)
    except ConnectorError as error:
        tell(Diagnosis.failed("message list", error))
    else:
        tell(Diagnosis.ok("message list", f"{client.config.list_by} can be read"))
    return True


# --- mailboxes -----------------------------------------------------------------------------------------------------------


async def diagnose_mailbox_sink(
    settings: None, context: Context, destinations: Sequence[Destination], tell: Tell
) -> None:
    """The way up, without putting anything there, and the mailbox of every partner."""
    client: SterlingClient = context.connection
    await _upload(client, tell)
    partners: dict[str, list[str]] = {}
    for destination in destinations:
        partners.setdefault(destination.address, []).append(destination.lane)
    if not partners:
        tell(Diagnosis.skipped("mailboxes", "no stage above tells where documents go"))
        return
    await _mailboxes(client, {path: ", ".join(lanes) for path, lanes in partners.items()}, tell)


async def _optional(client: SterlingClient, name: str) -> bool:
    """Whether one row of a collection may be read: neither forbidden nor missing. Raises what else is wrong."""
    try:
        await client.read(addresses.collection(name), f"list {name}", {"_range": "0-0"})
    except StageError as error:
        if isinstance(error, PermissionDenied) or lacks_collection(error):
            return False
        raise
    return True


async def _upload(client: SterlingClient, tell: Tell) -> None:
    if client.config.upload == "messagebatches":
        if await mailbox_view.lacks_batches(client):
            tell(Diagnosis.failed("upload", no_batches()))
        else:
            tell(
                Diagnosis.ok(
                    "upload", "messagebatches: the server does not say that it lacks them; nothing was uploaded"
                )
            )
    elif await _optional(client, "documents"):
        members = f"{client.config.documents.payload}, {client.config.documents.name}"
        found = f"documents, then a message; whether the members are called {members} cannot be tried without an effect"
        tell(Diagnosis.ok("upload", found))
    else:
        tell(Diagnosis.skipped("upload", "documents may not be listed, so that nothing is known of them"))


async def diagnose_mailbox_source(boxes: Sequence[Box], context: Context, tell: Tell) -> None:
    """The mailboxes that are read; one that only the partner's default names may be missing."""
    client: SterlingClient = context.connection
    must = {box.path: ", ".join(box.partners) for box in boxes if box.must}
    may = {box.path: ", ".join(box.partners) for box in boxes if not box.must}
    if must:
        await _mailboxes(client, must, tell)
    if may:
        there = await Directory(client).mailboxes()
        known = [path for path in may if there is None or _is_in(path, there)]
        tell(
            Diagnosis.ok(
                "answers", f"{len(known)} of the {len(may)} mailboxes in which partners answer by default are there"
            )
        )
        await _readable(client, there or {}, {path: may[path] for path in known}, "answers", tell)


def _is_in(path: str, there: Mapping[str, str]) -> bool:
    return path.rstrip("/").casefold() in there


async def _mailboxes(client: SterlingClient, wanted: Mapping[str, str], tell: Tell) -> None:
    """Whether each of these mailboxes, by path with whom it is for, is there and open to this account."""
    there = await Directory(client).mailboxes()
    if there is None:
        tell(Diagnosis.skipped("mailboxes", "the account is shown none, so that nothing is known of them"))
        return
    missing = {path: who for path, who in wanted.items() if not _is_in(path, there)}
    if missing:
        tell(Diagnosis.failed("mailboxes", _missing(missing, len(wanted))))
    else:
        tell(Diagnosis.ok("mailboxes", f"all {len(wanted)} are there"))
    await _readable(
        client, there, {path: who for path, who in wanted.items() if path not in missing}, "mailbox rights", tell
    )


async def _readable(
    client: SterlingClient, there: Mapping[str, str], wanted: Mapping[str, str], name: str, tell: Tell
) -> None:
    """Whether the account holds the permission of each mailbox: its contents are refused to all others."""
    closed: list[str] = []
    shown: list[str] = []
    unknown: list[StageError] = []

    async def look(path: str) -> None:
        query = {"parentMailboxId": there[path.rstrip("/").casefold()], "_range": "0-0"}
        try:
            await client.ask(addresses.collection("mailboxcontents"), f"look into {path}", query)
        except PermissionDenied:
            closed.append(path)
        except StageError as error:
            unknown.append(error)
        else:
            shown.append(path)

    async with anyio.create_task_group() as tasks:
        for path in wanted if there else ():
            tasks.start_soon(look, path)
    lacking = [error for error in unknown if lacks_collection(error) or is_without_rows(error)]
    broken = [error for error in unknown if error not in lacking]
    if closed:
        tell(Diagnosis.failed(name, _closed(sorted(closed))))
    elif broken:
        tell(Diagnosis.failed(name, broken[0]))
    elif lacking and not shown:  # where some are shown, the others are empty
        tell(Diagnosis.skipped(name, "this level of Sterling has no mailboxcontents to look into, or all are empty"))
    elif wanted and there:
        tell(Diagnosis.ok(name, f"this account may use all {len(wanted)}"))


def _missing(missing: Mapping[str, str], total: int) -> ConfigError:
    places = [f"{path} of {who}" if who else path for path, who in sorted(missing.items())]
    return ConfigError(
        f"{len(missing)} of {total} mailboxes are not in Sterling",
        where=_some(places),
        why="Sterling does not list them. Their lanes would stop; all others go on.",
        mend="Create them with their permission for this account (the flow vendors does, unless it has `mailboxes: false`, or the partner's file `opt_out: true`), or correct the partner files.",
        owner="EDI desk",
        code="MLC-STL-0310",
    )


def _closed(paths: Sequence[str]) -> PermissionDenied:
    return PermissionDenied(
        f"The account may not use {len(paths)} of its mailboxes",
        where=_some(paths),
        why="Sterling lists them and refuses their contents (HTTP 403).",
        mend=f"Ask Sterling's administrator for the permissions of that name, such as '{paths[0]} Mailbox'.",
        code="MLC-STL-0331",
    )


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return ", ".join(texts[:NAMED]) + more


# --- partners ------------------------------------------------------------------------------------------------------------


async def diagnose_partners(
    settings: PartnerSettings | None, context: Context, destinations: Sequence[Destination], tell: Tell
) -> None:
    """Community, trading partners, what their belongings are looked up in, and the code list, where the flow names one."""
    client: SterlingClient = context.connection
    settings = checked_partners(settings or PartnerSettings(), client.config.self_account)
    await _community(client, settings, tell)
    if settings.mailboxes and not (settings.groups or client.config.self_account):
        tell(Diagnosis.warning("mailbox rights", _for_nobody_here()))
    for name, needed in (("tradingpartners", True), ("mailboxes", False), ("useraccounts", False)):
        await _collection(client, name, tell, needed=needed)
    if settings.rule.action:
        if await client.lacks("routingrules"):
            tell(Diagnosis.failed("routingrules", no_rules()))
        else:
            await _collection(client, "routingrules", tell, needed=True)
    if settings.codes.list:
        key, codes = await read_codes(client, settings.codes)
        tell(Diagnosis.ok("code list", f"{key}, {len(codes)} codes"))


def _for_nobody_here() -> ConfigError:
    return ConfigError(
        "Mailboxes that are made here cannot be used here",
        where="the connection's `account`, `groups` of sterling.partners",
        why="Who signs in is not known, so that new mailboxes are for the partner's login user alone; what is sent to them would be refused.",
        mend="Name the user of Sterling that the gateway signs in as with `account`, or a group that it is in with `groups`.",
        code="MLC-STL-0115",
    )


async def _community(client: SterlingClient, settings: PartnerSettings, tell: Tell) -> None:
    if not settings.community:
        tell(Diagnosis.skipped("community", "named by `ap.partner` or by the partner files, if at all"))
        return
    try:
        row = await client.read(
            addresses.item("communities", settings.community), f"look up community {settings.community}"
        )
    except StageError as error:
        if not (isinstance(error, PermissionDenied) or lacks_collection(error)):
            raise
        tell(Diagnosis.skipped("community", "the account may not read communities"))
        return
    if row is not None:
        tell(Diagnosis.ok("community", settings.community))
    elif settings.create_community:
        tell(Diagnosis.ok("community", f"{settings.community} is not there yet, and will be made"))
    else:
        problem = no_community(f"Sterling has no community {settings.community}", "It was looked up by its name.")
        tell(Diagnosis.failed("community", problem))


async def _collection(client: SterlingClient, name: str, tell: Tell, *, needed: bool) -> None:
    try:
        await client.read(addresses.collection(name), f"list {name}", {"_range": "0-0"})
    except ThrottledError:
        raise
    except StageError as error:
        if needed:
            tell(Diagnosis.failed(name, error))
        else:
            tell(Diagnosis.warning(name, error, "partners are written all the same; what they lack is not seen"))
    else:
        tell(Diagnosis.ok(name, "can be listed"))
