"""What a collection is: a call in, a reply out. The verbs every collection shares are here, its own matter in its subclass."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from stages.sterling.simulator.conventions import like, project, represent, sort, take, window
from stages.sterling.simulator.entities import Account
from stages.sterling.simulator.hub import Hub
from stages.sterling.simulator.switches import Absent, Switches
from stages.sterling.simulator.wire import ApiError, ContainerError, Reply, read_body


@dataclass(slots=True)
class Call:
    """One authenticated request to a collection. ``rest`` is what follows its name; the last four are a fault plan's wishes."""

    method: str
    rest: tuple[str, ...]
    query: dict[str, str]
    account: Account
    raw: bytes = b""
    content_type: str = ""
    accept: frozenset[str] = frozenset()  # media types of all Accept lines
    at: str = ""  # the instant of the call, as the server writes it
    ignored: frozenset[str] = frozenset()  # members of a body that a reader got and sends back
    created_by: datetime | None = None  # lists omit what is younger
    shift: int = 0
    repeat: int = 0
    lacking: frozenset[str] = frozenset()  # parts of a new partner that the server fails to make

    def fields(self, *, creating: bool = False) -> dict[str, Any]:
        body = read_body(self.raw, self.content_type, creating=creating)
        return {name: value for name, value in body.items() if name not in self.ignored}


Action = Callable[[Call, Any], Reply]


def absent(form: Absent | Literal["none"], plainly: ApiError) -> ApiError:
    """The way in which this server says that something is not there."""
    if form == "html":
        return ContainerError(404, "no such resource")
    if form in ("empty", "none"):
        return ContainerError(404 if form == "empty" else 204, "")
    return ApiError(400, "API000098: No records found") if form == "refused" else plainly


@dataclass
class Collection:
    """One collection. ``base`` is the address of the APIs as Location and href spell it.

    A subclass names its ``verbs`` and offers what they need: `candidates`, `find`, `key`, `search_text`, `view`, and
    `create`, `update`, `remove`, `actions` where it has them.
    """

    name: ClassVar[str]
    kind: ClassVar[str]
    verbs: ClassVar[frozenset[str]] = frozenset({"list", "read", "create", "update", "delete"})
    media: ClassVar[frozenset[str]] = frozenset()  # what Accept may name besides JSON and XML; it is answered in JSON
    windowed: ClassVar[bool] = True  # whether lists heed `_range`

    hub: Hub
    switches: Switches
    base: str

    def candidates(self, call: Call) -> Iterable[Any]:
        raise NotImplementedError

    def find(self, key: str) -> Any | None:
        raise NotImplementedError

    def key(self, item: Any) -> str:
        raise NotImplementedError

    def search_text(self, item: Any) -> str:
        return self.key(item)

    def view(self, item: Any, call: Call) -> dict[str, Any]:
        raise NotImplementedError

    def create(self, call: Call) -> str:
        raise NotImplementedError

    def update(self, call: Call, item: Any) -> None:
        raise NotImplementedError

    def remove(self, call: Call, item: Any) -> None:
        raise NotImplementedError

    def actions(self) -> Mapping[str, Action]:
        """What can be invoked on an item, by lower-case name."""
        return {}

    def allow(self, call: Call, item: Any) -> None:
        """Raises ContainerError 403 when this account may not touch the item."""

    def missing(self, key: str) -> ApiError:
        return ApiError(404, f"No {self.kind} with the key '{key}' was found")

    # --- the verbs --------------------------------------------------------------------------------------------------

    def answer(self, call: Call) -> Reply:
        """Carries out one call. ApiError when it is refused; nothing has then taken effect."""
        return (self._on_collection, self._on_item, self._on_action)[min(len(call.rest), 2)](call)

    def _item(self, call: Call) -> Any:
        item = self.find(call.rest[0])
        if item is None:
            raise absent(self.switches.unknown, self.missing(call.rest[0]))
        self.allow(call, item)
        return item

    def _on_collection(self, call: Call) -> Reply:
        verb = {"GET": "list", "HEAD": "list", "POST": "create"}.get(call.method, "")
        self._check(verb, call)
        if verb == "list":
            return Reply(self._rows(call))
        return self.created(self.create(call))

    def _on_item(self, call: Call) -> Reply:
        verbs = {"GET": "read", "HEAD": "read", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
        verb = verbs.get(call.method, "")
        self._check(verb, call)
        item = self._item(call)
        if verb == "read":
            return Reply(project(self._represent(item, call), call.query))
        if verb == "delete":
            self.remove(call, item)
        else:
            self.update(call, item)
        return Reply({"rowsAffected": 1}, written=True)

    def _on_action(self, call: Call) -> Reply:
        item = self._item(call)
        if call.rest[1].lower() != "actions" or len(call.rest) > 3:
            raise ContainerError(404, "no such resource")
        if len(call.rest) == 2:
            return Reply([{"name": name} for name in self.actions()])
        action = self.actions().get(call.rest[2].lower())
        if action is None:
            raise ContainerError(404, "no such action")
        if call.method != "POST":
            raise ContainerError(405, "an action is invoked with POST")
        return action(call, item)

    def _check(self, verb: str, call: Call) -> None:
        if verb not in self.verbs:
            raise ContainerError(405, f"{call.method} is not supported here")

    def created(self, key: str) -> Reply:
        location = f"{self.base}/{self.name}/{quote(key, safe=':/')}"
        header = location if self.switches.location_header else ""
        return Reply({"Location": location}, 201, written=True, location=header)

    def _rows(self, call: Call) -> list[dict[str, Any]]:
        switches, query = self.switches, call.query
        first, last = window(query.get("_range"), default=switches.default_rows, limit=switches.max_rows)
        if not self.windowed:
            first, last = 0, sys.maxsize
        items = self._searched(self.candidates(call), query.get("searchFor"))
        if query.get("_sort"):
            rows = sort([self._represent(item, call) for item in items], query["_sort"])
            rows = take(rows, first, last, shift=call.shift, repeat=call.repeat)
        else:
            taken = take(items, first, last, shift=call.shift, repeat=call.repeat)
            rows = [self._represent(item, call) for item in taken]
        if not rows and switches.empty_is_404 & {self.name, "*"}:
            raise absent(switches.empty, ApiError(404, f"No {self.kind} matches the search"))
        return [project(row, query) for row in rows]

    def _searched(self, items: Iterable[Any], pattern: str | None) -> list[Any]:
        if not pattern:
            return list(items)
        matches = like(pattern, ignore_case=self.switches.search_ignores_case)
        return [item for item in items if matches(self.search_text(item))]

    def _represent(self, item: Any, call: Call) -> dict[str, Any]:
        key = self.key(item)
        return represent(self.kind, key, f"{self.base}/{self.name}/{key}", self.view(item, call))
