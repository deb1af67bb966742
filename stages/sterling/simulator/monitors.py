"""``workflowmonitors``: the processes that were started, step by step; to post there ends one, or starts it again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from stages.sterling.simulator.collection import Call, Collection
from stages.sterling.simulator.conventions import row_number
from stages.sterling.simulator.entities import Instance, Step
from stages.sterling.simulator.fields import Field, read_fields
from stages.sterling.simulator.wire import ApiError

RESTART = "application/vnd.ibm.tenx.workflowmonitor.restartworkflowmonitor"


_ALWAYS = {
    "archiveFlag": -1, "branchId": "", "deadline": "", "eventLevel": 0, "lifespan": 0, "nodeExecuted": "node1", "svcParmVer": 0,
}  # fmt: skip
"""Members that clients want of every step, at either detail."""


class WorkflowMonitors(Collection):
    """Steps by ``wfcId``. All steps of a process come at once: no window narrows them."""

    name: ClassVar[str] = "workflowmonitors"
    kind: ClassVar[str] = "WorkflowMonitor"
    verbs: ClassVar[frozenset[str]] = frozenset({"list", "read", "create"})
    media: ClassVar[frozenset[str]] = frozenset({RESTART, f"{RESTART}+json"})
    windowed: ClassVar[bool] = False

    def candidates(self, call: Call) -> Iterable[tuple[Instance, Step]]:
        asked = call.query.get("workFlowId")
        instances = self.hub.instances.values()
        found = [each for each in instances if not asked or each.id == row_number(asked)]
        return [(each, step) for each in found for step in each.steps]

    def find(self, key: str) -> tuple[Instance, Step] | None:
        return next((each for each in self._all() if str(each[1].id) == key), None)

    def _all(self) -> Iterable[tuple[Instance, Step]]:
        return ((each, step) for each in self.hub.instances.values() for step in each.steps)

    def key(self, item: tuple[Instance, Step]) -> str:
        return str(item[1].id)

    def search_text(self, item: tuple[Instance, Step]) -> str:
        return item[0].workflow

    def view(self, item: tuple[Instance, Step], call: Call) -> dict[str, Any]:
        instance, step = item
        detail = call.query.get("fieldList", "Brief").lower()
        if detail not in ("brief", "full"):
            raise ApiError(400, f"The fieldList '{detail}' is not known")
        version = next((x for x in self.hub.workflows.values() if x.name == instance.workflow and x.default), None)
        shown: dict[str, Any] = {
            "workFlowId": instance.id,
            "wfcId": str(step.id),
            "wfdId": version.id if version else 0,
            "wfdVersion": version.version if version else 0,
            "wfdName": instance.workflow,
            "stepId": step.number,
            "serviceName": step.service,
            "startTime": _time(step.began),
            "endTime": _time(step.ended),
            "exeState": step.state,
            "basicStatus": step.basic_status,
            "advStatus": step.report,
            **_ALWAYS,
            "activityInfoId": step.number,
        }
        return shown if detail == "brief" else {**shown, "statusRpt": step.report, "docId": step.document}

    def create(self, call: Call) -> str:
        """Ends the process, unless one of the Accept lines asks to start it again."""
        fields = read_fields({"workFlowId": Field("integer", required=True)}, call.fields(creating=True), creating=True)
        instance = self.hub.instances.get(fields["workFlowId"])
        if instance is None:
            raise ApiError(400, f"No process with the workFlowId {fields['workFlowId']} was found")
        again = any(media in self.media for media in call.accept)
        made = self.hub.restart(instance) if again else self.hub.terminate(instance)
        return str(made.steps[-1].id)


def _time(moment: datetime) -> str:
    """As workflow times are written: no zone, and a tenth of a second or more."""
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000}"
