"""``workflows`` and ``schedules``: process definitions in versions, and when the system starts which of them by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from stages.sterling.simulator.collection import Action, Call, Collection, absent
from stages.sterling.simulator.conventions import coded, row_number, timestamp
from stages.sterling.simulator.entities import Schedule, Workflow
from stages.sterling.simulator.fields import Field, read_fields
from stages.sterling.simulator.wire import ApiError, Reply

WORKFLOW = {
    "name": Field(required=True, limit=255, pattern=r"[A-Za-z0-9_-]+"),
    "description": Field(limit=255),
    "businessProcess": Field(required=True, limit=10_000_000),
    "enableBusinessProcess": Field("boolean"),
    "setThisVersionAsDefault": Field("boolean"),
    **{
        name: Field("integer")
        for name in (
            "persistenceLevel",
            "recoveryLevel",
            "softstopRecoveryLevel",
            "queue",
            "removalMethod",
            "eventReportingLevel",
            "documentStorage",
            "lifespanDays",
            "lifespanHours",
            "nodePreference",
            "deadlineHours",
            "deadlineMinutes",
            "firstNotificationHours",
            "firstNotificationMinutes",
            "secondNotificationHours",
            "secondNotificationMinutes",
        )
    },
    **{
        name: Field("boolean")
        for name in (
            "onfaultProcessing",
            "useBPQueuing",
            "documentTracking",
            "enableTransaction",
            "commitStepsUponError",
        )
    },
    **{name: Field() for name in ("node", "category")},
}
_OWN = frozenset({"name", "description", "businessProcess", "enableBusinessProcess", "setThisVersionAsDefault"})
CHANGEABLE = {name: spec for name, spec in WORKFLOW.items() if name != "name"}
_PLAN = (
    "dailySchedule",
    "weeklySchedule",
    "monthlySchedule",
    "bpNameValuePairs",
    "dateExclusions",
    "scheduleExclusions",
)
"""What a schedule holds besides its timer. Only the timer starts anything here."""
SCHEDULE = {
    "scheduleName": Field(required=True, limit=255),
    "runAsUser": Field(required=True),
    "runAtStartUp": Field("boolean"),
    "scheduleStatusEnabled": Field("boolean"),
    "timerSchedule": Field("object", members=frozenset({"hours", "minutes"})),
    **{name: Field("any") for name in _PLAN},
}
_SETTINGS = {
    "persistenceLevel": {0: "System Default", 1: "Full"},
    "recoveryLevel": {1: "Resume", 2: "Restart", 3: "Manual", 4: "Terminate", 5: "Resume with error"},
    "softstopRecoveryLevel": {1: "Resume", 2: "Restart", 3: "Manual", 4: "Terminate", 5: "Resume with error"},
    "removalMethod": {0: "Archive", 1: "Purge"},
    "eventReportingLevel": {0: "Full", 1: "Minimal", 2: "None"},
    "documentStorage": {0: "Database", 1: "File System", 3: "Inherited", 4: "System Default"},
    "queue": {number: f"Queue {number}" for number in range(1, 10)},
    "nodePreference": {0: "None"},
}
"""Coded members of a definition, with the texts of their codes."""


class Workflows(Collection):
    """Definitions by ``name`` or ``name/version``. By name alone the newest comes, which need not be the default; an unknown version
    gets the newest too, under the number that was asked for: only `_id` tells the truth.
    """

    name: ClassVar[str] = "workflows"
    kind: ClassVar[str] = "WorkFlow"

    def answer(self, call: Call) -> Reply:
        """A version is one more segment of the path, before any action."""
        if len(call.rest) > 1 and call.rest[1].lower() != "actions":
            call = replace(call, rest=(f"{call.rest[0]}/{call.rest[1]}", *call.rest[2:]))
        return super().answer(call)

    def candidates(self, call: Call) -> Iterable[Workflow]:
        return self.hub.workflows.values()

    def find(self, key: str) -> Workflow | None:
        exact = self.hub.workflows.get(key)
        versions = [each for each in self.hub.workflows.values() if each.name == key.partition("/")[0]]
        return exact or max(versions, key=lambda each: each.version, default=None)

    def key(self, item: Workflow) -> str:
        return item.key

    def view(self, item: Workflow, call: Call) -> dict[str, Any]:
        detail = call.query.get("fieldList", "brief").lower()
        if detail not in ("brief", "full", "names"):
            raise ApiError(400, f"The fieldList '{detail}' is not known")
        shown: dict[str, Any] = {"name": item.name, "wfdVersion": self._shown_version(item, call)}
        if detail == "names":
            return shown
        shown |= {"wfdID": item.id, "description": item.description, "defaultVersion": coded(item.default)}
        shown |= {
            "enableBusinessProcess": coded(item.enabled),
            "timestamp": timestamp(item.created, self.switches.clock_skew),
        }
        if detail == "full":
            shown |= {"businessProcess": item.process, "modifiedBy": item.user, **_settings_shown(item)}
        return shown

    def _shown_version(self, item: Workflow, call: Call) -> int:
        asked = call.rest[0].partition("/")[2] if call.rest else ""
        return row_number(asked) if row_number(asked) >= 0 else item.version

    def create(self, call: Call) -> str:
        fields = read_fields(WORKFLOW, call.fields(creating=True), creating=True)
        return self._next_version(str(fields["name"]), fields, call).key

    def _next_version(self, name: str, fields: Mapping[str, Any], call: Call) -> Workflow:
        versions = [each for each in self.hub.workflows.values() if each.name == name]
        made = Workflow(
            name,
            max((each.version for each in versions), default=0) + 1,
            id=len(self.hub.workflows) + 1,
            description=fields.get("description") or "",
            process=fields["businessProcess"],
            user=call.account.user,
            created=self.hub.clock.now(),
            enabled=fields.get("enableBusinessProcess") is not False,
            settings={each: value for each, value in fields.items() if each not in _OWN and value is not None},
        )
        self.hub.workflows[made.key] = made
        if not versions or fields.get("setThisVersionAsDefault"):
            self._make_default(made)
        self.hub.log("workflow.created", workflow=made.key)
        return made

    def update(self, call: Call, item: Workflow) -> None:
        """What belongs to a version changes in place; another process text makes the next version."""
        fields = read_fields(CHANGEABLE, call.fields(), creating=False)
        if fields.get("businessProcess", item.process) != item.process:
            item = self._next_version(item.name, {**item.settings, "description": item.description, **fields}, call)
        item.description = fields.get("description", item.description) or ""
        if fields.get("enableBusinessProcess") is not None:
            item.enabled = fields["enableBusinessProcess"]
        item.settings |= {name: value for name, value in fields.items() if name not in _OWN}
        if fields.get("setThisVersionAsDefault"):
            self._make_default(item)
        self.hub.log("workflow.updated", workflow=item.key)

    def remove(self, call: Call, item: Workflow) -> None:
        if item.key != call.rest[0]:
            raise absent(self.switches.unknown, self.missing(call.rest[0]))
        del self.hub.workflows[item.key]
        self.hub.log("workflow.deleted", workflow=item.key)

    def actions(self) -> Mapping[str, Action]:
        return {"changedefaultversion": self._change_default, "toggleenabledworkflow": self._toggle}

    def _change_default(self, call: Call, item: Workflow) -> Reply:
        self._make_default(item)
        return Reply({"rowsAffected": 1}, written=True)

    def _make_default(self, item: Workflow) -> None:
        for each in self.hub.workflows.values():
            each.default = each is item if each.name == item.name else each.default

    def _toggle(self, call: Call, item: Workflow) -> Reply:
        fields = read_fields({"enableBusinessProcess": Field("boolean", required=True)}, call.fields(), creating=True)
        item.enabled = fields["enableBusinessProcess"]
        self.hub.log("workflow.toggled", workflow=item.key, enabled=item.enabled)
        return Reply({"rowsAffected": 1}, written=True)


def _settings_shown(item: Workflow) -> dict[str, Any]:
    shown: dict[str, Any] = {"setThisVersionAsDefault": coded(item.default)}
    for name, texts in _SETTINGS.items():
        code = item.settings.get(name, 4 if name == "queue" else min(texts))
        shown[name] = coded(code, texts.get(code, ""))
    for name, value in item.settings.items():
        if name not in _SETTINGS and value is not None:
            shown[name] = coded(value) if isinstance(value, bool) else value
    return shown


class Schedules(Collection):
    """Schedules by name. That of the evaluation of automatic routing rules ships disabled."""

    name: ClassVar[str] = "schedules"
    kind: ClassVar[str] = "Schedule"

    def candidates(self, call: Call) -> Iterable[Schedule]:
        return self.hub.schedules.values()

    def find(self, key: str) -> Schedule | None:
        return self.hub.schedules.get(key)

    def key(self, item: Schedule) -> str:
        return item.name

    def view(self, item: Schedule, call: Call) -> dict[str, Any]:
        return {
            "scheduleName": item.name,
            "runAsUser": item.run_as,
            "runAtStartUp": coded(item.at_start),
            "scheduleStatusEnabled": coded(item.enabled),
            "timerSchedule": {"hours": item.minutes // 60, "minutes": item.minutes % 60},
            **{name: value for name, value in item.plan.items() if value is not None},
        }

    def create(self, call: Call) -> str:
        fields = read_fields(SCHEDULE, call.fields(creating=True), creating=True)
        if fields["scheduleName"] in self.hub.schedules:
            raise ApiError(400, f"A schedule with the name {fields['scheduleName']} already exists")
        made = Schedule(fields["scheduleName"], fields["runAsUser"], minutes=60)
        self._change(made, fields)
        self.hub.schedules[made.name] = made
        self.hub.log("schedule.created", schedule=made.name)
        return made.name

    def update(self, call: Call, item: Schedule) -> None:
        fields = read_fields(SCHEDULE, call.fields(), creating=False)
        if fields.get("scheduleName", item.name) != item.name:
            raise ApiError(400, "The field 'scheduleName' cannot be changed")
        self._change(item, fields)
        self.hub.log("schedule.updated", schedule=item.name, enabled=item.enabled)

    def remove(self, call: Call, item: Schedule) -> None:
        del self.hub.schedules[item.name]
        self.hub.log("schedule.deleted", schedule=item.name)

    def _change(self, item: Schedule, fields: Mapping[str, Any]) -> None:
        user = fields.get("runAsUser", item.run_as)
        if user not in self.hub.accounts:
            raise ApiError(400, f"The user {user} does not exist")
        item.run_as = user
        if fields.get("scheduleStatusEnabled") is not None:
            item.enabled = fields["scheduleStatusEnabled"]
        if fields.get("runAtStartUp") is not None:
            item.at_start = fields["runAtStartUp"]
        item.plan |= {name: fields[name] for name in _PLAN if name in fields}
        if fields.get("timerSchedule") is not None:
            item.minutes = _minutes(fields["timerSchedule"])


def _minutes(timer: Mapping[str, Any]) -> int:
    parts = [timer.get("hours") or 0, timer.get("minutes") or 0]
    if not all(isinstance(part, int) and not isinstance(part, bool) and part >= 0 for part in parts) or not any(parts):
        raise ApiError(400, "The field 'timerSchedule' needs hours or minutes as whole numbers")
    return int(parts[0]) * 60 + int(parts[1])
