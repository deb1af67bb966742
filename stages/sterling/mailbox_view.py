"""What can be seen of mailboxes: the messages that are ours, and whether this account sees a mailbox at all.

A listing of messages silently leaves out mailboxes the account may not read, so that nothing listed is not yet absent. What else
"absent" rests on differs by ``list_by``; docs/reference/connections.md says it for those who choose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from pipeline import ConfigError, PermissionDenied, RefusedError, StageError
from stages.sterling.apis import SterlingClient, page_rows
from stages.sterling.protocol import addresses
from stages.sterling.protocol.errors import ForeignError, is_without_rows, lacks_collection
from stages.sterling.protocol.representations import Message, message, text_of

Row = Mapping[str, Any]

TRIED = 20
"""Mailboxes at most whose contents are asked for to see whether this Sterling shows contents at all."""


async def ours(client: SterlingClient, mailbox: str, name: str, document: str = "") -> list[Message]:
    """The messages of exactly that name or that document (when not empty), in any mailbox; none means absent.

    ``mailbox`` of a result is the one asked for when it is there, another text when it is elsewhere, None when nothing tells.
    Raises `StageError`, or `ValueError` when the answers do not tell.
    """

    def is_ours(seen: Message) -> bool:
        # Ours end in a digest: capitals that a server changes make no other name of one.
        return (seen.name or "").casefold() == name.casefold() or (bool(document) and seen.document == document)

    if client.config.list_by == "mailboxcontents":
        return await _by_contents(client, mailbox, name, is_ours)
    # Not narrowed by ``searchFor``: what that searches is documented nowhere, and a search that misses would read as absent.
    path = addresses.collection(client.config.mailboxmessages)
    seen = _named(message(row) for row in await client.rows(path, "list mailbox messages", proven=True))
    found = [one for one in seen if is_ours(one)]
    if found:
        return await _placed(client, mailbox, found)
    readable = any(addresses.same_mailbox(one.mailbox or "", mailbox) for one in seen)
    if not readable and await forbidden(client, mailbox):
        raise ValueError(f"the account may not read {mailbox}")
    return []


async def stored(client: SterlingClient, name: str) -> str:
    """The id of a document of exactly that name, or "". Presence only is proved: what the search heeds is documented nowhere.

    A document outlives its message: whoever takes a message out of its mailbox and deletes it leaves the document to the next purge.
    """
    query = {"searchFor": name, "_range": f"0-{client.window - 1}"}
    try:
        rows = await client.read(addresses.collection("documents"), "search documents", query)
    except StageError as error:
        if isinstance(error, PermissionDenied) or lacks_collection(error):
            return ""
        raise
    same = (row for row in page_rows(rows) if text_of(row.get("documentName")).casefold() == name.casefold())
    return next((text_of(row.get("_id")) or text_of(row.get("documentId")) for row in same), "")


async def forbidden(client: SterlingClient, mailbox: str) -> bool:
    """Whether Sterling lists the mailbox but refuses its contents.

    False when that cannot be asked: the account or the level has no ``mailboxes``, does not list this one, or the level has no
    ``mailboxcontents``. Then a complete listing of messages is all there is, and is taken at its word.
    """
    key = await _known_id(client, mailbox)
    if key is None:
        return False
    query = {"parentMailboxId": key, "_range": "0-0"}
    try:
        await client.read(addresses.collection("mailboxcontents"), f"read mailbox {mailbox}", query)
    except PermissionDenied:
        return True
    except StageError as error:
        if not lacks_collection(error):
            raise
    return False


async def lacks_batches(client: SterlingClient) -> bool:
    """Whether ``messagebatches`` is missing while the server's other APIs answer. False in every unclear case.

    Where a message that is not there gets a page as well, a page says nothing about the collection.
    """
    messages = client.config.mailboxmessages
    try:
        await client.ask(addresses.collection(messages), "list mailbox messages", {"_range": "0-0"})
        await client.ask(addresses.item(messages, "0"), "see what is answered for a message that is not there")
    except RefusedError:
        pass  # Sterling's own word
    except StageError:
        return False
    try:
        await client.ask(addresses.item("messagebatches", "0"), "look for messagebatches")
    except StageError as error:
        # Sterling's own 405 is about reading a batch, not about the collection.
        return isinstance(error, ForeignError) and lacks_collection(error)
    return False


async def check(client: SterlingClient) -> None:
    """Raises `ConfigError` when ``list_by: mailboxcontents`` is set on a level that lacks it: no doubt could ever be resolved."""
    if client.config.list_by != "mailboxcontents":
        return
    boxes = await client.rows(addresses.collection("mailboxes"), "list mailboxes")
    if not boxes:
        return  # nothing to try it on
    # Some Sterlings answer for an empty mailbox as for a collection they lack. The root, which is not empty, is first of all paths.
    for box in sorted(boxes, key=lambda row: text_of(row.get("path")))[:TRIED]:
        if await _has_contents(client, _key(box)):
            return
    raise ConfigError(
        "This level of Sterling has no mailboxcontents",
        where="the connection's `list_by`",
        why="The collection is missing, while the server's other APIs answer; or no mailbox that was tried shows anything in it.",
        mend="Set `list_by: mailboxmessages`.",
        code="MLC-STL-0312",
    )


async def _has_contents(client: SterlingClient, key: str) -> bool:
    """Whether the contents of this mailbox are answered, or refused, as by a Sterling that has ``mailboxcontents``."""
    query = {"parentMailboxId": key, "_range": "0-0"}
    try:
        await client.ask(addresses.collection("mailboxcontents"), "list the contents of a mailbox", query)
    except PermissionDenied:
        return True  # that mailbox is not one of ours
    except StageError as error:
        if is_without_rows(error):
            return True  # an empty one
        if not lacks_collection(error):
            raise
        return False
    return True


def _named(seen: Iterable[Message]) -> list[Message]:
    """A message without a name is not ours; a listing without any names tells nothing."""
    listed = list(seen)
    if listed and not any(one.name for one in listed):
        raise ValueError("the listing names no message")
    return listed


async def _placed(client: SterlingClient, mailbox: str, found: list[Message]) -> list[Message]:
    """The messages with their mailbox, by path, else by id, else None."""
    key = None
    if any(one.mailbox is None and one.mailbox_id for one in found):
        key = await _known_id(client, mailbox)
    return [msgspec.structs.replace(one, mailbox=_place(one, mailbox, key)) for one in found]


def _place(seen: Message, mailbox: str, key: str | None) -> str | None:
    if seen.mailbox is not None:
        return mailbox if addresses.same_mailbox(seen.mailbox, mailbox) else seen.mailbox
    if key is None or not seen.mailbox_id:
        return None
    return mailbox if seen.mailbox_id == key else f"the mailbox with id {seen.mailbox_id}"


async def _by_contents(
    client: SterlingClient, mailbox: str, name: str, is_ours: Callable[[Message], bool]
) -> list[Message]:
    key = await _mailbox_id(client, mailbox)
    if key is None:
        raise ValueError("no single mailbox of that path is listed")
    path, query = addresses.collection("mailboxcontents"), {"parentMailboxId": key, "detail": "true"}
    rows = await client.rows(path, f"list mailbox {mailbox}", query, proven=True)
    # These rows do not name their mailbox; sub-mailboxes are among them.
    seen = _named(message({**row, "mailboxPath": mailbox}) for row in rows if text_of(row.get("type")) != "mailbox")
    found = [one for one in seen if is_ours(one)]
    return found or await _placed(client, mailbox, await _searched(client, name, is_ours))


async def _searched(client: SterlingClient, name: str, is_ours: Callable[[Message], bool]) -> list[Message]:
    """What one window of messages, narrowed by name, adds to the contents of one mailbox: a rule may have moved ours elsewhere.

    It proves presence only: whether the search is heeded is documented nowhere, so finding nothing adds nothing.
    """
    path, query = addresses.collection(client.config.mailboxmessages), {"searchFor": name}
    try:
        rows = await client.read(path, "search mailbox messages", {**query, "_range": f"0-{client.window - 1}"})
    except StageError as error:
        if isinstance(error, PermissionDenied) or lacks_collection(error):
            return []
        raise
    return [one for one in map(message, page_rows(rows)) if is_ours(one)]


async def _known_id(client: SterlingClient, mailbox: str) -> str | None:
    """`_mailbox_id`, or None as well when the account or the level has no ``mailboxes``."""
    try:
        return await _mailbox_id(client, mailbox)
    except StageError as error:
        if isinstance(error, PermissionDenied) or lacks_collection(error):
            return None
        raise


async def _mailbox_id(client: SterlingClient, mailbox: str) -> str | None:
    """The filter matches prefixes, and may be ignored: only equality counts, and the same spelling first."""
    rows = await client.rows(addresses.collection("mailboxes"), "look up a mailbox", {"path": mailbox})
    same = [row for row in rows if addresses.same_mailbox(text_of(row.get("path")), mailbox)]
    keys = {_key(row) for row in same if text_of(row.get("path")) == mailbox} or {_key(row) for row in same}
    return keys.pop() or None if len(keys) == 1 else None


def _key(row: Row) -> str:
    return text_of(row.get("_id")) or text_of(row.get("id"))
