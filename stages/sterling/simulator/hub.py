"""The server's state: accounts, partners, the mailbox tree, documents, messages; and the log of effects, the oracle of tests.

Everything here is synchronous and whole: an effect has happened or it has not. What may be asked for is the collections' concern.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

from pipeline import Clock
from stages.sterling.simulator.conventions import timestamp
from stages.sterling.simulator.entities import (
    Account,
    CodeList,
    Instance,
    Mailbox,
    Message,
    Rule,
    Schedule,
    Step,
    StoredDocument,
    Workflow,
)
from stages.sterling.simulator.wire import ApiError

API_USER = frozenset({"APIUser", "API User"})
QUERY_ALL = "Mailbox Global Query"
ADMINISTRATORS = "Administrators"
EVALUATION = "MailboxEvaluateAllAutomaticRules"
"""The schedule and the process of the service that evaluates all automatic routing rules."""


class Hub:
    """All state. ``effects`` lists what took effect, in order; ``watchers`` are called with each message that arrives.

    ``extractions`` is how often a new message may be extracted, 0 without a limit; what cannot be extracted any more is purged
    ``purge_after`` seconds later, None never. Its document stays.
    """

    def __init__(self, clock: Clock, *, extractions: int = 0, purge_after: float | None = None) -> None:
        self.clock = clock
        self._extraction: dict[str, Any] = {"count": extractions} if extractions else {"always": True}
        self._purge_after = purge_after
        self.accounts: dict[str, Account] = {}
        self.groups: dict[str, set[str]] = {}  # group: its permissions
        self.group_details: dict[str, dict[str, Any]] = {}
        self.permissions: dict[str, int] = {}  # permission: its type
        self.communities: dict[str, dict[str, Any]] = {}
        self.partners: dict[str, dict[str, Any]] = {}
        self.channels: dict[str, dict[str, Any]] = {}
        self.code_lists: dict[str, CodeList] = {}
        self.workflows: dict[str, Workflow] = {}
        self.schedules: dict[str, Schedule] = {}
        self._evaluated = clock.now()  # when the scheduled service evaluated the rules last
        self.rules: dict[str, Rule] = {}
        self.considered: set[int] = set()  # messages that automatic evaluation has looked at: it never does so twice
        self.groups_of_partners: dict[str, list[str]] = {}
        self.records: dict[str, dict[str, dict[str, Any]]] = {}  # what is only kept, by collection and key
        self.instances: dict[int, Instance] = {}
        self.mailboxes: dict[int, Mailbox] = {}
        self.paths: dict[str, Mailbox] = {}
        self.documents: dict[str, StoredDocument] = {}
        self.messages: dict[int, Message] = {}
        self.effects: list[dict[str, Any]] = []
        self.watchers: list[Callable[[Message], None]] = []
        self._last_mailbox = 100
        self._last_message = 0
        self._last_document = 0
        self._last_step = 0
        self.add_mailbox("/", "root")

    def log(self, effect: str, **details: Any) -> None:
        """Writes an effect down: its order from 1, the instant, what and its details."""
        entry = {"order": len(self.effects) + 1, "at": timestamp(self.clock.now()), "effect": effect}
        self.effects.append({**entry, **details})

    # --- accounts ---------------------------------------------------------------------------------------------------

    def add_account(self, account: Account) -> None:
        self.accounts[account.user] = account
        self.log("user.created", user=account.user)

    def remove_account(self, user: str) -> None:
        if self.accounts.pop(user, None) is None:
            return
        for mailbox in self.mailboxes.values():
            if user in mailbox.users:
                mailbox.users.remove(user)
        self.log("user.deleted", user=user)

    def set_password(self, account: Account, password: str) -> None:
        """A new password ends a lock and begins a new life."""
        account.password = password
        account.failures, account.locked_until, account.password_ends = 0, None, None

    def rights(self, account: Account) -> set[str]:
        """The permissions of the user, of its groups and of the groups in those."""
        found: dict[str, None] = {}
        waiting = list(account.groups)
        while waiting:
            group = waiting.pop()
            if group not in found:
                found[group] = None
                waiting += self.group_details.get(group, {}).get("subgroups") or []
        return set(account.permissions).union(*(self.groups.get(group, set()) for group in found))

    def is_administrator(self, account: Account) -> bool:
        return ADMINISTRATORS in account.groups

    def may_call(self, account: Account) -> bool:
        return self.is_administrator(account) or bool(API_USER & self.rights(account))

    def open_mailboxes(self, account: Account, *, query: bool = False) -> Callable[[Mailbox], bool]:
        """A test whether this account may use a mailbox; ``query`` for reading only."""
        rights = self.rights(account)
        if self.is_administrator(account) or (query and QUERY_ALL in rights):
            return lambda mailbox: True
        return lambda mailbox: mailbox.permission in rights

    # --- mailboxes --------------------------------------------------------------------------------------------------

    def add_mailbox(
        self, path: str, description: str, *, users: Sequence[str] = (), groups: Sequence[str] = ()
    ) -> Mailbox:
        """Makes a mailbox and its permission, and gives that to the users and groups. Its parent must be there."""
        self._last_mailbox += 1
        mailbox = Mailbox(self._last_mailbox, path, description, users=list(users), groups=list(groups))
        self.mailboxes[mailbox.id] = mailbox
        self.paths[path] = mailbox
        if path != "/":
            self.paths[parent_of(path)].children[mailbox.id] = None
        self.permissions[mailbox.permission] = 1
        self.grant(mailbox, users, groups)
        self.log("mailbox.created", path=path, mailbox=mailbox.id)
        return mailbox

    def add_parents(self, path: str) -> None:
        """Makes the missing mailboxes above a path, without permissions for anybody."""
        parent = parent_of(path)
        if parent not in self.paths:
            self.add_parents(parent)
            self.add_mailbox(parent, parent.rpartition("/")[2])

    def grant(self, mailbox: Mailbox, users: Sequence[str], groups: Sequence[str]) -> None:
        for user in users:
            if mailbox.permission not in self.accounts[user].permissions:
                self.accounts[user].permissions.append(mailbox.permission)
        for group in groups:
            self.groups[group].add(mailbox.permission)

    def remove_mailbox(self, mailbox: Mailbox) -> None:
        if mailbox.messages or mailbox.children:
            raise ApiError(400, f"The mailbox {mailbox.path} is not empty")
        del self.mailboxes[mailbox.id], self.paths[mailbox.path]
        self.paths[parent_of(mailbox.path)].children.pop(mailbox.id, None)
        self.permissions.pop(mailbox.permission, None)
        self.log("mailbox.deleted", path=mailbox.path, mailbox=mailbox.id)

    # --- routing rules ----------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Does what the schedules have asked for since the last time."""
        self._purge()
        schedule = self.schedules.get(EVALUATION)
        if schedule is None or self.clock.now() < self._evaluated + timedelta(minutes=schedule.minutes):
            return
        self._evaluated = self.clock.now()
        if schedule.enabled:
            self.evaluate_automatic()

    def _purge(self) -> None:
        if self._purge_after is None:
            return
        limit = self.clock.now() - timedelta(seconds=self._purge_after)
        for message in list(self.messages.values()):
            ended = message.spent or message.until
            if ended is not None and ended <= limit:
                self.remove_message(message, "message.purged")

    def evaluate_automatic(self) -> int:
        """What the scheduled service does: each message that it has not considered yet is offered to every automatic rule, once."""
        new = [message for message in self.messages.values() if message.id not in self.considered]
        self.considered.update(message.id for message in new)
        return sum(self.evaluate(rule, new) for rule in list(self.rules.values()) if rule.automatic)

    def evaluate(self, rule: Rule, messages: Sequence[Message]) -> int:
        """Starts the rule's process for each of the messages that it targets and has not taken yet; how many those were."""
        targets = [
            message
            for message in messages
            if message.mailbox.id in rule.mailboxes and message.id not in rule.taken and message.id in self.messages
            if fnmatchcase(message.name, rule.pattern or "*")
        ]
        for message in targets:
            self._start(rule, message)
        return len(targets)

    def _start(self, rule: Rule, message: Message) -> None:
        """A process extracts the message it was started for: a counted one is used up by that. One that cannot run extracts nothing."""
        rule.taken.add(message.id)
        self.log(
            "process.started", rule=rule.name, action=rule.action, message=message.id, mailbox=message.mailbox.path
        )
        runs = self._run(Instance(len(self.instances) + 4711, rule.action, rule.name, message.id), message.document.id)
        if message.count and (runs or rule.kind == "contract"):
            self._use_up(message)
            self._log_message("message.extracted", message)

    def _run(self, instance: Instance, document: str) -> bool:
        """The steps of a process: all of them, or an error at the first when there is no such process or it is disabled."""
        self.instances[instance.id] = instance
        known = [each for each in self.workflows.values() if each.name == instance.workflow and each.default]
        if not known or not known[0].enabled:
            why = f"{instance.workflow} is {'disabled' if known else 'not defined'}"
            self.add_step(instance, instance.workflow, state="Error", basic_status=1, report=why, document=document)
            return False
        for service in ("MailboxExtractBeginService", instance.workflow, "MailboxExtractCommitService"):
            self.add_step(instance, service, document=document)
        return True

    def add_step(self, instance: Instance, service: str, **members: Any) -> Step:
        self._last_step += 1
        now = self.clock.now()
        step = Step(self._last_step, len(instance.steps), service, now, now, **members)
        instance.steps.append(step)
        return step

    def terminate(self, instance: Instance) -> Instance:
        self.add_step(instance, instance.workflow, state="terminated", basic_status=1)
        self.log("process.terminated", process=instance.id, action=instance.workflow)
        return instance

    def restart(self, instance: Instance) -> Instance:
        """The same process once more, from its beginning."""
        again = Instance(len(self.instances) + 4711, instance.workflow, instance.rule, instance.message)
        self._run(again, instance.steps[0].document)
        self.log("process.restarted", process=again.id, of=instance.id, action=again.workflow)
        return again

    def _use_up(self, message: Message) -> None:
        assert message.count
        message.count -= 1
        message.spent = None if message.count else self.clock.now()

    # --- documents and messages -------------------------------------------------------------------------------------

    def add_document(self, name: str, payload: bytes) -> StoredDocument:
        self._last_document += 1
        now = self.clock.now()
        document_id = f"b2b1:node1:{int(now.timestamp() * 1000):x}:{self._last_document}"
        document = self.documents[document_id] = StoredDocument(document_id, name, payload, now)
        self.log("document.created", document=document_id, name=name, size=len(payload), sha256=digest(payload))
        return document

    def add_message(self, mailbox: Mailbox, name: str, document: StoredDocument, **extraction: Any) -> Message:
        """Makes a message; extractable as the server's messages are unless ``extraction`` (always, count, until) says otherwise."""
        self._last_message += 2 if self._last_message % 5 == 4 else 1  # ids ascend, with gaps
        message = Message(
            self._last_message, mailbox, name, document, self.clock.now(), **(extraction or self._extraction)
        )
        self.messages[message.id] = message
        mailbox.messages[message.id] = None
        document.messages.add(message.id)
        self._log_message("message.created", message)
        for watcher in list(self.watchers):
            watcher(message)
        return message

    def remove_message(self, message: Message, effect: str = "message.deleted") -> None:
        """Drops the reference; the document stays in the system."""
        del self.messages[message.id], message.mailbox.messages[message.id]
        message.document.messages.discard(message.id)
        self._log_message(effect, message)

    def move_message(self, message: Message, mailbox: Mailbox) -> None:
        del message.mailbox.messages[message.id]
        message.mailbox = mailbox
        mailbox.messages[message.id] = None
        self._log_message("message.moved", message)

    def extract(self, message: Message) -> bytes:
        """The payload, counted as one extraction. ApiError 400 when the message is not extractable any more."""
        spent = message.count == 0 or (message.until is not None and message.until <= self.clock.now())
        if spent or message.always is False:
            raise ApiError(400, f"The message {message.id} is not extractable")
        if message.count is not None:
            self._use_up(message)
        self._log_message("message.extracted", message)
        return message.document.payload

    def _log_message(self, effect: str, message: Message) -> None:
        payload = message.document.payload
        self.log(
            effect,
            message=message.id,
            mailbox=message.mailbox.path,
            name=message.name,
            document=message.document.id,
            size=len(payload),
            sha256=digest(payload),
        )


def parent_of(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()
