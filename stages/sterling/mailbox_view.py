"""What can be seen of mailboxes: every message that could be ours, and whether this account sees a mailbox at all.

A listing of messages silently leaves out mailboxes the account may not read, so that nothing listed is not yet absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline import PermissionDenied, StageError, TransientError
from stages.sterling.client import SterlingClient
from stages.sterling.protocol import addresses
from stages.sterling.protocol.errors import ForeignError
from stages.sterling.protocol.representations import Message, message, text_of

Row = Mapping[str, Any]


async def messages(client: SterlingClient, mailbox: str) -> list[Message]:
    """The messages of a mailbox, and by the default listing those of all others too.

    Raises `StageError`, or `ValueError` when the answer does not tell. The list is not narrowed by ``searchFor``: what that
    searches is documented nowhere, and a search that misses would read as absent and be sent twice.
    """
    if client.config.list_by == "mailboxcontents":
        return _named(await _contents(client, mailbox))
    path = addresses.collection(client.config.mailboxmessages)
    seen = _named([message(row) for row in await client.rows(path, "list mailbox messages")])
    if not any(one.mailbox == mailbox for one in seen) and await forbidden(client, mailbox):
        raise ValueError(f"the account may not read {mailbox}")
    return seen


def _named(seen: list[Message]) -> list[Message]:
    """A message without a name is not ours; a listing without any names tells nothing."""
    if seen and not any(one.name for one in seen):
        raise ValueError("the listing names no message")
    return seen


async def forbidden(client: SterlingClient, mailbox: str) -> bool:
    """Whether Sterling lists the mailbox but refuses its contents. False when that cannot be found out by permission or path."""
    try:
        key = await _mailbox_id(client, mailbox)
    except PermissionDenied:
        return False
    if key is None:
        return False
    query = {"parentMailboxId": key, "_range": "0-0"}
    try:
        await client.read(addresses.collection("mailboxcontents"), f"read mailbox {mailbox}", query)
    except PermissionDenied:
        return True
    return False


async def lacks_batches(client: SterlingClient) -> bool:
    """Whether ``messagebatches`` is missing while the server's other APIs answer. False in every unclear case."""
    try:
        await client.read(
            addresses.collection(client.config.mailboxmessages), "list mailbox messages", {"_range": "0-0"}
        )
    except StageError:
        return False
    try:
        await client.read(addresses.item("messagebatches", "0"), "look for messagebatches")
    except ForeignError as error:
        return error.status in (404, 405)
    except TransientError:
        return False
    return False


async def _contents(client: SterlingClient, mailbox: str) -> list[Message]:
    key = await _mailbox_id(client, mailbox)
    if key is None:
        raise ValueError("no single mailbox of that path is listed")
    path, query = addresses.collection("mailboxcontents"), {"parentMailboxId": key, "detail": "true"}
    rows = await client.rows(path, f"list mailbox {mailbox}", query)
    # These rows do not name their mailbox; sub-mailboxes are among them.
    return [message({**row, "mailboxPath": mailbox}) for row in rows if text_of(row.get("type")) != "mailbox"]


async def _mailbox_id(client: SterlingClient, mailbox: str) -> str | None:
    """The filter matches prefixes, and may be ignored: only equality counts."""
    rows = await client.rows(addresses.collection("mailboxes"), "look up a mailbox", {"path": mailbox})
    keys = {text_of(row.get("_id")) or text_of(row.get("id")) for row in rows if text_of(row.get("path")) == mailbox}
    return keys.pop() if len(keys) == 1 else None
