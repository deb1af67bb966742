"""What the server holds: accounts, mailboxes, messages, documents, rules, processes. Plain data; what happens to it is the hub's."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Account:
    """A user. ``root`` is the mailbox the user sees as ``/``. ``failures`` are wrong passwords in a row."""

    user: str
    password: str
    fields: dict[str, Any] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    permissions: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    root: str = ""
    failures: int = 0
    locked_until: datetime | None = None
    password_ends: datetime | None = None


@dataclass(slots=True)
class Mailbox:
    """``messages`` and ``children`` are sets of ids in order of arrival."""

    id: int
    path: str
    description: str
    kind: str = "R"
    linked_to: int | None = None
    groups: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    messages: dict[int, None] = field(default_factory=dict)
    children: dict[int, None] = field(default_factory=dict)

    @property
    def permission(self) -> str:
        return f"{self.path} Mailbox"


@dataclass(slots=True)
class StoredDocument:
    id: str
    name: str
    payload: bytes
    created: datetime
    messages: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Message:
    """A name for a document in a mailbox. Exactly one of ``always``, ``count``, ``until`` rules its extraction; ``spent`` is when the
    last extraction was used up.
    """

    id: int
    mailbox: Mailbox
    name: str
    document: StoredDocument
    created: datetime
    always: bool | None = None
    count: int | None = None
    until: datetime | None = None
    spent: datetime | None = None


@dataclass(slots=True)
class CodeList:
    """One version of a code list. ``codes`` are by (sender code, receiver code), each with its description and texts."""

    name: str
    sender: str
    receiver: str
    version: int
    comments: str
    active: bool
    default: bool
    user: str
    created: datetime
    codes: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.name}|{self.sender}|{self.receiver}|{self.version}"


@dataclass(slots=True)
class Rule:
    """A routing rule. ``taken`` are the messages it was started for; a rule takes a message once."""

    name: str
    mailboxes: list[int]
    pattern: str
    automatic: bool
    kind: str
    action: str
    run_as: str
    taken: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Workflow:
    """One version of a process definition."""

    name: str
    version: int
    id: int
    description: str
    process: str
    user: str
    created: datetime
    enabled: bool = True
    default: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.name}/{self.version}"


@dataclass(slots=True)
class Schedule:
    """When the system starts something by itself: every so many ``minutes``, while it is enabled."""

    name: str
    run_as: str
    minutes: int
    enabled: bool = False
    at_start: bool = False
    plan: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Step:
    """One step of a started process. ``state`` is what people see of it, ``basic_status`` 0 when all went well."""

    id: int
    number: int
    service: str
    began: datetime
    ended: datetime
    state: str = "Success"
    basic_status: int = 0
    report: str = ""
    document: str = ""


@dataclass(slots=True)
class Instance:
    """A process that was started, and why: ``rule`` may be empty."""

    id: int
    workflow: str
    rule: str
    message: int
    steps: list[Step] = field(default_factory=list)
