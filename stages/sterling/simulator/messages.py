"""``documents``, ``mailboxmessages`` and ``messagebatches``: content, its names in mailboxes, and both at once."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from stages.sterling.simulator.collection import Action, Call, Collection
from stages.sterling.simulator.conventions import coded, read_timestamp, row_number, timestamp
from stages.sterling.simulator.entities import Mailbox, Message, StoredDocument
from stages.sterling.simulator.fields import Field, read_fields
from stages.sterling.simulator.multipart import Part, read_parts
from stages.sterling.simulator.wire import ApiError, ContainerError, Reply

_EXTRACTION = {
    "extractableAlways": Field("boolean"),
    "extractableCount": Field("integer"),
    "extractableUntil": Field(),
}
_PLACE = {"mailboxPath": Field(), "mailboxId": Field("integer")}


def content(payload: bytes, query: Mapping[str, str]) -> Reply:
    """A payload as an action answers it: Base64, or text when asked, which goes through a character set."""
    if query.get("isPlainText", "").lower() == "true":
        return Reply({"response": payload.decode("utf-8", "replace")}, written=True)
    return Reply({"response": base64.b64encode(payload).decode()}, written=True)


class Documents(Collection):
    """Contents. A message refers to one; deleting a message leaves its document."""

    name: ClassVar[str] = "documents"
    kind: ClassVar[str] = "Document"
    verbs: ClassVar[frozenset[str]] = frozenset({"list", "read", "create", "delete"})

    def actions(self) -> Mapping[str, Action]:
        return {"getpayload": lambda call, item: content(item.payload, call.query)}

    def candidates(self, call: Call) -> Iterable[StoredDocument]:
        asked = call.query.get("documentId")
        if asked:
            return [self.hub.documents[asked]] if asked in self.hub.documents else []
        return self.hub.documents.values()

    def find(self, key: str) -> StoredDocument | None:
        return self.hub.documents.get(key)

    def key(self, item: StoredDocument) -> str:
        return item.id

    def search_text(self, item: StoredDocument) -> str:
        return item.name

    def view(self, item: StoredDocument, call: Call) -> dict[str, Any]:
        created = timestamp(item.created, self.switches.clock_skew)
        row = {
            "documentId": item.id,
            "documentName": item.name,
            "documentSize": len(item.payload),
            "createDate": created,
        }
        return {**row, "storageType": coded("DB", "Database"), "workflowId": -1}

    def create(self, call: Call) -> str:
        name, payload = self.switches.document_name, self.switches.document_payload
        spec = {name: Field(required=True, limit=255), payload: Field(required=True, limit=self.switches.max_body)}
        fields = read_fields(spec, call.fields(creating=True), creating=True)
        try:
            data = base64.b64decode(fields[payload], validate=True)
        except (binascii.Error, ValueError) as error:
            raise ApiError(400, f"The field '{payload}' is not Base64") from error
        return self.hub.add_document(fields[name], data).id

    def remove(self, call: Call, item: StoredDocument) -> None:
        if item.messages:
            raise ApiError(400, f"The document {item.id} is used by a mailbox message")
        del self.hub.documents[item.id]
        self.hub.log("document.deleted", document=item.id)


class Messages(Collection):
    """What documents, messages and batches have in common: finding a mailbox one may write to, and naming a message in it."""

    def writable(self, mailbox: Mailbox | None, asked: object, call: Call) -> Mailbox:
        """ApiError 400 when it is not there, ContainerError 403 when this account may not use it."""
        if mailbox is None:
            raise ApiError(400, f"The mailbox {asked} does not exist")
        if not self.hub.open_mailboxes(call.account)(mailbox):
            raise ContainerError(403, f"the permission {mailbox.permission} is missing")
        return mailbox

    def check_name(self, name: str) -> str:
        if not name.strip():
            raise ApiError(400, "The message name is required")
        if len(name) > self.switches.name_limit:
            raise ApiError(400, f"The message name is longer than {self.switches.name_limit} characters")
        return name

    def put(self, mailbox: Mailbox, name: str, document: StoredDocument, **extraction: Any) -> Message:
        """Adds a message; where duplicates are replaced, the older one of that name goes first."""
        if self.switches.duplicate_names == "replace":
            for number in [x for x in mailbox.messages if self.hub.messages[x].name.casefold() == name.casefold()]:
                self.hub.remove_message(self.hub.messages[number], "message.replaced")
        return self.hub.add_message(mailbox, name, document, **extraction)


class MailboxMessages(Messages):
    """Messages by number, ascending with arrival but with gaps. A list shows what the account may query."""

    name: ClassVar[str] = "mailboxmessages"
    kind: ClassVar[str] = "MailboxMessage"

    def actions(self) -> Mapping[str, Action]:
        return {"extract": self._extract, "move": self._move}

    def candidates(self, call: Call) -> Iterable[Message]:
        may = self.hub.open_mailboxes(call.account, query=True)
        open_boxes = {number for number, mailbox in self.hub.mailboxes.items() if may(mailbox)}
        rows = [x for x in self.hub.messages.values() if x.mailbox.id in open_boxes]
        if call.created_by is not None:
            rows = [x for x in rows if x.created <= call.created_by]
        return reversed(rows) if self.switches.newest_first else rows

    def find(self, key: str) -> Message | None:
        return self.hub.messages.get(row_number(key))

    def allow(self, call: Call, item: Message) -> None:
        reading = call.method in ("GET", "HEAD")
        if not self.hub.open_mailboxes(call.account, query=reading)(item.mailbox):
            raise ContainerError(403, f"the permission {item.mailbox.permission} is missing")

    def key(self, item: Message) -> str:
        return str(item.id)

    def search_text(self, item: Message) -> str:
        return item.name

    def view(self, item: Message, call: Call) -> dict[str, Any]:
        skew = self.switches.clock_skew
        row: dict[str, Any] = {"id": item.id, "mailboxPath": item.mailbox.path, "mailboxId": item.mailbox.id}
        row |= {"name": item.name, "documentId": item.document.id, "size": len(item.document.payload)}
        row["creationDate"] = timestamp(item.created, skew)
        if item.always is not None:
            row["extractableAlways"] = coded(item.always)
        if item.count is not None:
            row["extractableCount"] = item.count
        if item.until is not None:
            row["extractableUntil"] = timestamp(item.until, skew)
        return row

    def create(self, call: Call) -> str:
        spec = {**_PLACE, "name": Field(required=True), "documentId": Field(required=True), **_EXTRACTION}
        fields = read_fields(spec, call.fields(creating=True), creating=True)
        name = self.check_name(fields["name"])
        document = self.hub.documents.get(fields["documentId"])
        if document is None:
            raise ApiError(400, f"The document {fields['documentId']} does not exist")
        extraction = _extraction(fields)
        return str(self.put(self._place(fields, call), name, document, **extraction).id)

    def update(self, call: Call, item: Message) -> None:
        extraction = _extraction(read_fields(_EXTRACTION, call.fields(), creating=False))
        if not extraction:
            raise ApiError(400, "Nothing to update: an extractability is required")
        item.always = item.count = item.until = item.spent = None
        for name, value in extraction.items():
            setattr(item, name, value)
        self.hub.log("message.updated", message=item.id, mailbox=item.mailbox.path, name=item.name)

    def remove(self, call: Call, item: Message) -> None:
        self.hub.remove_message(item)

    def _extract(self, call: Call, item: Message) -> Reply:
        payload = self.hub.extract(item)
        match self.switches.extracted:
            case "json":
                return content(payload, call.query)
            case "raw":
                return Reply(None, raw=payload)
            case "empty":
                return Reply(None, raw=b"")
        return Reply(None, 204, raw=b"")

    def _move(self, call: Call, item: Message) -> Reply:
        fields = read_fields(_PLACE, call.fields(), creating=False)
        self.hub.move_message(item, self._place(fields, call))
        return Reply({"rowsAffected": 1}, written=True)

    def _place(self, fields: Mapping[str, Any], call: Call) -> Mailbox:
        path, number = fields.get("mailboxPath"), fields.get("mailboxId")
        if path is None and number is None:
            raise ApiError(400, "The field 'mailboxPath' is required")
        mailbox = self.hub.paths.get(path) if path is not None else self.hub.mailboxes.get(number or 0)
        if mailbox and number is not None and mailbox.id != number:
            raise ApiError(400, "The fields 'mailboxPath' and 'mailboxId' name different mailboxes")
        return self.writable(mailbox, path or number, call)


def _extraction(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The one extractability given, if any, by the names a message keeps them under."""
    given = {name: fields[name] for name in _EXTRACTION if fields.get(name) is not None}
    if len(given) > 1:
        raise ApiError(400, f"Multiple extractable types specified: {', '.join(given)}")
    if "extractableUntil" in given:
        until = read_timestamp(given["extractableUntil"])
        if until is None:
            raise ApiError(400, "The field 'extractableUntil' is not a timestamp")
        return {"until": until}
    return {name.removeprefix("extractable").lower(): value for name, value in given.items()}


class MessageBatches(Messages):
    """A file and its mailbox in one multipart call, or several such pairs. Its id is that of the (last) message made."""

    name: ClassVar[str] = "messagebatches"
    kind: ClassVar[str] = "MessageBatch"
    verbs: ClassVar[frozenset[str]] = frozenset({"create", "read"})

    def answer(self, call: Call) -> Reply:
        if self.switches.batches_status:
            raise ContainerError(self.switches.batches_status, "this collection is not available")
        return super().answer(call)

    def find(self, key: str) -> Message | None:
        return self.hub.messages.get(row_number(key))

    def allow(self, call: Call, item: Message) -> None:
        self.writable(item.mailbox, item.mailbox.path, call)

    def key(self, item: Message) -> str:
        return str(item.id)

    def view(self, item: Message, call: Call) -> dict[str, Any]:
        return {"mailboxPath": item.mailbox.path, "name": item.name}

    def create(self, call: Call) -> str:
        parts = _pairs(read_parts(call.raw, call.content_type), strict=self.switches.ordered_parts)
        pairs = [self._pair(*pair, call) for pair in parts]
        made = [self.put(mailbox, name, self.hub.add_document(name, data)) for name, data, mailbox in pairs]
        return str(made[-1].id)

    def _pair(self, upload: Part, target: Part, call: Call) -> tuple[str, bytes, Mailbox]:
        if not upload.filename:
            raise ApiError(400, "The part 'upstream' needs a filename: it becomes the message name")
        path = target.content.decode("utf-8", "replace")
        mailbox = self.writable(self.hub.paths.get(path), path, call)
        return self.check_name(upload.filename), upload.content, mailbox


def _pairs(parts: list[Part], *, strict: bool) -> list[tuple[Part, Part]]:
    """File, mailbox, file, mailbox: in this order and nothing else. One pair may stand the other way round, unless ``strict``."""
    if not strict and [part.name for part in parts] == ["mailboxName", "upstream"]:
        parts = parts[::-1]
    names = [part.name for part in parts]
    if not parts or len(parts) % 2 or names != ["upstream", "mailboxName"] * (len(parts) // 2):
        raise ApiError(400, "The parts must be pairs of 'upstream' and 'mailboxName', in this order")
    return [(parts[i], parts[i + 1]) for i in range(0, len(parts), 2)]
