"""Stage ``sterling.mailbox``: puts sealed bytes into a partner's mailbox under their one name, and finds them there again.

Two ways up. ``messagebatches`` is one call, which takes effect. ``documents`` is two: the document reaches nobody and its id
is durable before the message that refers to it, and only that second call takes effect.
"""

from __future__ import annotations

import re
from base64 import b64encode

import msgspec

from pipeline import (
    COMMIT_POINT,
    ConfigError,
    DataError,
    Delivery,
    Destination,
    Document,
    Evidence,
    Mark,
    PermissionDenied,
    SignInRefused,
    StageError,
    Undetermined,
)
from stages.sterling import mailbox_view
from stages.sterling.apis import SterlingClient
from stages.sterling.protocol import addresses, multipart
from stages.sterling.protocol.errors import ForeignError, NotFoundError, lacks_collection
from stages.sterling.protocol.representations import Message

DOCUMENT = "document"
"""The mark that keeps the id of the uploaded document."""


class MailboxSink:
    """Delivers to mailboxes. ``name_prefix`` is what the engine lets its message names begin with.

    ``workers`` keeps the connection's calls busy while as many again wait for the ledger.
    """

    def __init__(self, client: SterlingClient) -> None:
        self._client = client
        self.settle_seconds = float(client.config.settle)
        self.name_prefix = client.config.message_prefix
        self.workers = 2 * client.config.concurrency

    def destination(self, document: Document) -> Destination:
        return Destination(lane=document.partner, address=document.address)

    async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
        name = addresses.message_name(delivery.name)
        mailbox = addresses.mailbox_path(delivery.address, delivery.lane)
        self._check_size(delivery)
        await self._client.ready()
        try:
            if self._client.config.upload == "messagebatches":
                key = await self._batch(name, mailbox, delivery, mark)
            else:
                key = await self._document_and_message(name, mailbox, delivery, mark)
        except NotFoundError as error:
            failure: StageError = _no_mailbox(delivery, mailbox, error.why)
        except ForeignError as error:
            failure = await self._explained(error, mailbox)
        else:
            # The answer names the message and tells neither its size nor a digest.
            return Evidence(id=key, name=name)
        raise failure

    def _check_size(self, delivery: Delivery) -> None:
        largest = self._client.config.largest
        if len(delivery.payload) > largest:
            raise DataError(
                "A delivery is larger than its mailbox takes",
                where=f"{delivery.name} for {delivery.lane}",
                why=f"It has {len(delivery.payload):,} bytes; the connection's `largest` is {largest:,}.",
                mend="Lower `batch` in the partner's file, or raise `largest` if Sterling takes more",
                owner="EDI desk",
                code="MLC-STL-0313",
            )

    async def find(self, delivery: Delivery) -> list[Evidence]:
        """Every message in that mailbox with exactly that name or our document's id, the oldest first."""
        try:
            await self._client.ready()
            mailbox = addresses.mailbox_path(delivery.address, delivery.lane)
            found = await mailbox_view.ours(self._client, mailbox, delivery.name, delivery.marks.get(DOCUMENT, ""))
            if not found:
                await self._refuse_taken(delivery.name)
        except SignInRefused:
            raise
        except (StageError, ValueError) as error:
            raise Undetermined(f"Mailbox {delivery.address} could not be read to its end: {error}") from None
        # Where nothing tells a message's mailbox, its name does: no other delivery has it.
        here = [one for one in found if one.mailbox in (mailbox, None)]
        if found and not here:
            places = ", ".join(sorted({str(one.mailbox) for one in found}))
            raise Undetermined(
                f"{delivery.name} is not in {mailbox}, but in {places}: a routing rule may have moved it"
            )
        return [_evidence(one) for one in sorted(here, key=lambda one: (len(one.id), one.id))]

    async def _refuse_taken(self, name: str) -> None:
        """Raises `Undetermined` when there was a message of that name: the one call that makes it leaves a document that outlives it.

        Of two calls the first leaves its document in any case, which tells nothing.
        """
        if self._client.config.upload != "messagebatches":
            return
        document = await mailbox_view.stored(self._client, name)
        if document:
            raise Undetermined(
                f"no message is called {name}, but document {document} is: a partner or a rule may have taken the message away."
                " An answer of the partner ends the doubt",
                gone=True,
            )

    async def _explained(self, error: ForeignError, mailbox: str) -> StageError:
        """A page in place of Sterling's own answer leaves the outcome unknown, unless a second look explains it for sure.

        The web server in front of the APIs refuses with pages too: mailboxes without permission, and collections it lacks.
        """
        try:
            if error.status == 403 and await mailbox_view.forbidden(self._client, mailbox):
                return _forbidden(mailbox)
            batch = self._client.config.upload == "messagebatches"
            if batch and lacks_collection(error) and await mailbox_view.lacks_batches(self._client):
                return no_batches()
        except StageError:
            return error
        return error

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


def _evidence(seen: Message) -> Evidence:
    detail = {"document": seen.document} if seen.document else {}
    if seen.created is not None:
        detail["created"] = seen.created.isoformat()
    return Evidence(id=seen.id, name=seen.name, size=seen.size, detail=detail)


def _forbidden(mailbox: str) -> PermissionDenied:
    return PermissionDenied(
        f"The account may not use mailbox {mailbox}",
        where=f"mailbox {mailbox}",
        why="Sterling lists the mailbox and refuses its contents (HTTP 403).",
        mend=f"Ask Sterling's administrator to give the account the permission '{mailbox} Mailbox'.",
        code="MLC-STL-0403",
    )


def no_batches() -> ConfigError:
    """Told by the sink when an upload was refused, and by `doctor` before."""
    return ConfigError(
        "This level of Sterling has no messagebatches",
        where="the connection's `upload`",
        why="The collection is missing, while the server's other APIs answer.",
        mend="Set `upload: documents`, and the member names under `documents` as the server's own documentation has them.",
        code="MLC-STL-0311",
    )


def _no_mailbox(delivery: Delivery, mailbox: str, said: str) -> ConfigError:
    return ConfigError(
        f"Partner {delivery.lane} has no mailbox {mailbox} in Sterling",
        where=f"mailbox {mailbox}",
        why=said,
        mend="Create the mailbox with its permission for this account, or correct `mailbox` in the partner's file.",
        owner="EDI desk",
        code="MLC-STL-0310",
    )
