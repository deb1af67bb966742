"""``mailboxes`` and ``mailboxcontents``: the tree, its permissions, and what one mailbox holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from stages.sterling.simulator.collection import Call, Collection, absent
from stages.sterling.simulator.conventions import coded, like, row_number, timestamp
from stages.sterling.simulator.entities import Mailbox, Message
from stages.sterling.simulator.fields import Field, comma_list, read_fields
from stages.sterling.simulator.hub import parent_of
from stages.sterling.simulator.wire import ApiError, ContainerError

MAILBOX = {
    "path": Field(required=True, limit=255),
    "description": Field(required=True, limit=255),
    "mailboxType": Field("enum", codes=frozenset("RSL")),
    "linkedToMailbox": Field("integer"),
    "createParentMailbox": Field("boolean"),
    "groups": Field(),
    "users": Field(),
}
_TYPES = {"R": "Regular", "S": "Shared", "L": "Linked"}


class Mailboxes(Collection):
    """Mailboxes by number; `path` finds them by prefix, so a caller compares. Seen by every API user: only contents are guarded."""

    name: ClassVar[str] = "mailboxes"
    kind: ClassVar[str] = "Mailbox"

    def candidates(self, call: Call) -> Iterable[Mailbox]:
        pattern = call.query.get("path")
        if not pattern:
            return self.hub.mailboxes.values()
        matches = like(pattern, ignore_case=self.switches.search_ignores_case)
        return [mailbox for mailbox in self.hub.mailboxes.values() if matches(mailbox.path)]

    def find(self, key: str) -> Mailbox | None:
        return self.hub.mailboxes.get(row_number(key))

    def key(self, item: Mailbox) -> str:
        return str(item.id)

    def search_text(self, item: Mailbox) -> str:
        return item.path

    def view(self, item: Mailbox, call: Call) -> dict[str, Any]:
        row = {
            "id": item.id,
            "path": item.path,
            "description": item.description,
            "mailboxType": coded(item.kind, _TYPES[item.kind]),
            "groups": ",".join(item.groups),
            "users": ",".join(item.users),
            "permission": item.permission,
        }
        return row if item.linked_to is None else {**row, "linkedToMailbox": item.linked_to}

    def create(self, call: Call) -> str:
        fields = read_fields(MAILBOX, call.fields(creating=True), creating=True)
        path = str(fields["path"])
        self._check_path(path)
        if path in self.hub.paths:
            raise ApiError(400, f"A mailbox with the path {path} already exists")
        if not fields.get("createParentMailbox") and parent_of(path) not in self.hub.paths:
            raise ApiError(400, f"The parent mailbox {parent_of(path)} does not exist")
        kind, linked = self._link(fields.get("mailboxType") or "R", fields.get("linkedToMailbox"))
        users, groups = self._members(fields)
        self.hub.add_parents(path)
        mailbox = self.hub.add_mailbox(path, str(fields["description"]), users=users, groups=groups)
        mailbox.kind, mailbox.linked_to = kind, linked
        return str(mailbox.id)

    def update(self, call: Call, item: Mailbox) -> None:
        fields = read_fields(MAILBOX, call.fields(), creating=False)
        if fields.get("path", item.path) != item.path:
            raise ApiError(400, "The field 'path' cannot be changed")
        kind, linked = self._link(fields.get("mailboxType") or item.kind, fields.get("linkedToMailbox", item.linked_to))
        users, groups = self._members(fields)
        self._revoke(item, fields)
        item.kind, item.linked_to = kind, linked
        item.description = fields.get("description", item.description)
        item.users = users if "users" in fields else item.users
        item.groups = groups if "groups" in fields else item.groups
        self.hub.grant(item, item.users, item.groups)
        self.hub.log("mailbox.updated", path=item.path, mailbox=item.id)

    def remove(self, call: Call, item: Mailbox) -> None:
        self.hub.remove_mailbox(item)

    def _check_path(self, path: str) -> None:
        parts = path.split("/")
        if parts[0] or not all(part.strip() == part and part for part in parts[1:]):
            raise ApiError(400, f"The mailbox path '{path}' is not valid")

    def _link(self, kind: str, linked: int | None) -> tuple[str, int | None]:
        if (kind == "L") != (linked is not None):
            raise ApiError(400, "The field 'linkedToMailbox' is for mailboxes of type L, and those need it")
        if linked is not None and linked not in self.hub.mailboxes:
            raise ApiError(400, f"The mailbox {linked} does not exist")
        return kind, linked

    def _members(self, fields: dict[str, Any]) -> tuple[list[str], list[str]]:
        users, groups = comma_list(fields.get("users")), comma_list(fields.get("groups"))
        for user in users:
            if user not in self.hub.accounts:
                raise ApiError(400, f"The user {user} does not exist")
        for group in groups:
            if group not in self.hub.groups:
                raise ApiError(400, f"The group {group} does not exist")
        return users, groups

    def _revoke(self, item: Mailbox, fields: dict[str, Any]) -> None:
        """The lists are replaced: who is not named any more loses the permission."""
        for user in item.users if "users" in fields else ():
            account = self.hub.accounts.get(user)
            if account and item.permission in account.permissions:
                account.permissions.remove(item.permission)
        for group in item.groups if "groups" in fields else ():
            self.hub.groups[group].discard(item.permission)


class MailboxContents(Collection):
    """The sub-mailboxes and messages of one mailbox, not recursive. Their numbers are of two kinds and may coincide."""

    name: ClassVar[str] = "mailboxcontents"
    kind: ClassVar[str] = "MailboxContent"
    verbs: ClassVar[frozenset[str]] = frozenset({"list"})

    def candidates(self, call: Call) -> Iterable[Mailbox | Message]:
        mailbox = self._mailbox(call)
        if not self.hub.open_mailboxes(call.account, query=True)(mailbox):
            raise ContainerError(403, f"the permission {mailbox.permission} is missing")
        messages = [
            self.hub.messages[message] for message in sorted(mailbox.messages, reverse=self.switches.newest_first)
        ]
        if call.created_by is not None:
            messages = [message for message in messages if message.created <= call.created_by]
        return [*(self.hub.mailboxes[child] for child in mailbox.children), *messages]

    def find(self, key: str) -> None:
        return None

    def key(self, item: Mailbox | Message) -> str:
        return str(item.id)

    def search_text(self, item: Mailbox | Message) -> str:
        return item.name if isinstance(item, Message) else item.path.rpartition("/")[2]

    def view(self, item: Mailbox | Message, call: Call) -> dict[str, Any]:
        row: dict[str, Any] = {"id": item.id, "name": self.search_text(item)}
        if isinstance(item, Mailbox):
            return {**row, "type": "mailbox", "description": item.description}
        row |= {"type": "message", "description": ""}
        if call.query.get("detail", "").lower() == "true":
            row |= {"documentId": item.document.id, "size": len(item.document.payload)}
            row |= {"creationDate": timestamp(item.created, self.switches.clock_skew)}
            row |= {"extractableAlways": bool(item.always), "extractableCount": item.count}
            row |= {"extractableUntil": item.until and timestamp(item.until, self.switches.clock_skew)}
        return {name: value for name, value in row.items() if value is not None}

    def _mailbox(self, call: Call) -> Mailbox:
        number, path = call.query.get("parentMailboxId"), call.query.get("mailboxPath")
        if not number and not path:
            raise ApiError(400, "Either parentMailboxId or mailboxPath is required")
        if number and row_number(number) < 0:
            raise ApiError(400, f"The parentMailboxId '{number}' is not a number")
        mailbox = self.hub.mailboxes.get(row_number(number)) if number else self.hub.paths.get(path or "")
        if mailbox is None:
            raise absent(self.switches.unknown, ApiError(404, f"The mailbox {number or path} does not exist"))
        return mailbox
