"""Stage ``sterling.mailbox``: puts sealed bytes into a partner's mailbox under their one name, and finds them there again.

Two ways up. ``messagebatches`` is one call, which takes effect. ``documents`` is two: the document reaches nobody and its id
is durable before the message that refers to it, and only that second call takes effect.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pipeline import (
    COMMIT_POINT,
    ConfigError,
    Delivery,
    Destination,
    Document,
    Evidence,
    Mark,
    StageError,
    Undetermined,
)
from stages.sterling.client import SterlingClient
from stages.sterling.protocol import addresses, multipart
from stages.sterling.protocol.errors import NotFoundError
from stages.sterling.protocol.representations import Message, message, text_of

DOCUMENT = "document"
"""The mark that keeps the id of the uploaded document."""


class MailboxSink:
    """Delivers to mailboxes. ``message_prefix`` is what its message names begin with; it must be ours alone in a mailbox."""

    def __init__(self, client: SterlingClient) -> None:
        self._client = client
        self.settle_seconds = float(client.config.settle)
        self.message_prefix = client.config.message_prefix

    def destination(self, document: Document) -> Destination:
        return Destination(lane=document.partner, address=document.address)

    async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
        name = addresses.message_name(delivery.name)
        mailbox = addresses.mailbox_path(delivery.address, delivery.lane)
        await self._client.ready()
        try:
            if self._client.config.upload == "messagebatches":
                key = await self._batch(name, mailbox, delivery, mark)
            else:
                key = await self._document_and_message(name, mailbox, delivery, mark)
        except NotFoundError as error:
            said = error.why
        else:
            # The answer names the message and tells neither its size nor a digest.
            return Evidence(id=key, name=name)
        raise _no_mailbox(delivery, mailbox, said)

    async def find(self, delivery: Delivery) -> list[Evidence]:
        """Every message in that mailbox with exactly that name or our document's id, the oldest first."""
        try:
            await self._client.ready()
            mailbox = addresses.mailbox_path(delivery.address, delivery.lane)
            rows = await self._listed(mailbox)
            found = [seen for seen in map(message, rows) if _is_ours(seen, delivery)]
        except (StageError, ValueError) as error:
            raise Undetermined(f"Mailbox {delivery.address} could not be read to its end: {error}") from None
        here = [seen for seen in found if (seen.mailbox or "").rstrip("/") == mailbox]
        if found and not here:
            places = ", ".join(sorted({seen.mailbox or "an unnamed mailbox" for seen in found}))
            raise Undetermined(
                f"{delivery.name} is not in {mailbox}, but in {places}: a routing rule may have moved it"
            )
        return [_evidence(seen) for seen in sorted(here, key=lambda seen: (len(seen.id), seen.id))]

    # Up.

    async def _batch(self, name: str, mailbox: str, delivery: Delivery, mark: Mark) -> str:
        content_type, body = multipart.batch(name, mailbox, delivery.payload)
        await mark(COMMIT_POINT)
        return await self._client.create(
            addresses.collection("messagebatches"), body, f"take {name} for mailbox {mailbox}", content_type
        )

    async def _document_and_message(self, name: str, mailbox: str, delivery: Delivery, mark: Mark) -> str:
        earlier = delivery.marks.get(DOCUMENT)
        document = earlier or await self._document(name, delivery, mark)
        await mark(COMMIT_POINT)
        try:
            return await self._message(name, mailbox, document)
        except NotFoundError as error:
            # Documents that no message refers to are purged: an earlier attempt's may be gone. This refusal did nothing.
            if earlier is None or not re.search("document", error.why, re.IGNORECASE):
                raise
        return await self._message(name, mailbox, await self._document(name, delivery, mark))

    async def _document(self, name: str, delivery: Delivery, mark: Mark) -> str:
        members = self._client.config.documents
        body = msgspec.json.encode({members.name: name, members.payload: b64encode(delivery.payload).decode()})
        document = await self._client.create(addresses.collection("documents"), body, f"store document {name}")
        await mark(DOCUMENT, document)
        return document

    async def _message(self, name: str, mailbox: str, document: str) -> str:
        config = self._client.config
        body = {"mailboxPath": mailbox, "name": name, "documentId": document, **config.documents.message}
        return await self._client.create(
            addresses.collection(config.mailboxmessages),
            msgspec.json.encode(body),
            f"put {name} into mailbox {mailbox}",
        )

    # Back.

    async def _listed(self, mailbox: str) -> Iterable[Mapping[str, Any]]:
        """All messages that could be ours. Not narrowed by ``searchFor``: what it searches is documented nowhere, and a
        search that misses would read as absent and be sent twice."""
        if self._client.config.list_by == "mailboxcontents":
            return await self._contents(mailbox)
        path = addresses.collection(self._client.config.mailboxmessages)
        return await self._client.rows(path, "list mailbox messages")

    async def _contents(self, mailbox: str) -> list[Mapping[str, Any]]:
        """The messages of one mailbox, as rows that name it. Raises `ValueError` when the mailbox is not to be found."""
        boxes = await self._client.rows(addresses.collection("mailboxes"), "look up a mailbox", {"path": mailbox})
        ids = {
            text_of(row.get("_id")) or text_of(row.get("id")) for row in boxes if text_of(row.get("path")) == mailbox
        }
        if len(ids) != 1:
            raise ValueError("no single mailbox of that path is listed")
        rows = await self._client.rows(
            addresses.collection("mailboxcontents"), "list a mailbox", {"parentMailboxId": ids.pop(), "detail": "true"}
        )
        return [{**row, "mailboxPath": mailbox} for row in rows if text_of(row.get("type")) != "mailbox"]


def _is_ours(seen: Message, delivery: Delivery) -> bool:
    document = delivery.marks.get(DOCUMENT)
    return seen.name == delivery.name or (document is not None and seen.document == document)


def _evidence(seen: Message) -> Evidence:
    detail = {"document": seen.document} if seen.document else {}
    if seen.created is not None:
        detail["created"] = seen.created.isoformat()
    return Evidence(id=seen.id, name=seen.name, size=seen.size, detail=detail)


def _no_mailbox(delivery: Delivery, mailbox: str, said: str) -> ConfigError:
    return ConfigError(
        f"Partner {delivery.lane} has no mailbox {mailbox} in Sterling",
        where=f"mailbox {mailbox}",
        why=said,
        mend="Create the mailbox with its permission for this account, or correct `mailbox` in the partner's file.",
        owner="EDI desk",
        code="MLC-STL-0310",
    )
