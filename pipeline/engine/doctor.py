"""What `doctor` checks of flows: each connection once, however many flows use it, and what their stages need beyond it.

Nothing is changed anywhere. A check that breaks is a failed line like any other.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from pipeline.engine.build import context_for
from pipeline.engine.meter import Meters
from pipeline.engine.services import Services
from pipeline.errors import ConnectorError, FlowError
from pipeline.flow import codes
from pipeline.flow.model import Connection, Flow, Stage
from pipeline.flow.references import connect_settings
from pipeline.record import Destination
from pipeline.registry import Registry
from pipeline.stage import ConnectionSpec, Context, Diagnosis, Tell

T = TypeVar("T")
Kind = Literal["machine", "ledger", "flow", "connection", "stage"]


class Section(msgspec.Struct, frozen=True):
    """What a line is about. ``flows`` are those concerned."""

    kind: Kind
    name: str
    flows: tuple[str, ...] = ()


TellOf = Callable[[Section, Diagnosis], None]
"""Reports one line about something."""


class _Needed(msgspec.Struct):
    """A stage that wants to be checked, with the flow it stands in, and further flows that want the same.

    ``fault`` is what the stages above raised when they were asked for their destinations.
    """

    flow: Flow
    stage: Stage
    destinations: list[Destination] = []
    fault: Exception | None = None
    others: list[str] = []

    @property
    def section(self) -> Section:
        return Section("stage", f"{self.stage.name} ({self.stage.component})", (self.flow.name, *self.others))

    def same(self, other: _Needed) -> bool:
        mine, theirs = self.stage, other.stage
        return (mine.component, mine.verb, mine.settings, self.destinations) == (
            theirs.component,
            theirs.verb,
            theirs.settings,
            other.destinations,
        )


class _Use(msgspec.Struct):
    """A connection with its settings, and the stages of all flows that go over it."""

    flow: Flow
    connection: Connection
    spec: ConnectionSpec
    settings: Any
    needed: list[_Needed]
    flows: list[str]

    @property
    def section(self) -> Section:
        return Section("connection", f"{self.connection.name} ({self.connection.type})", tuple(self.flows))


async def diagnose_flows(
    flows: Sequence[Flow], registry: Registry, services: Services, tell: TellOf, meters: Meters | None = None
) -> None:
    """Tells a line for everything that can be checked before these flows run. Raises nothing. ``meters`` watch what is opened."""
    doctor = _Doctor(registry, services, tell, meters or Meters())
    for use in doctor.uses(flows):
        await doctor.connection(use)
    for needed in _distinct([each for flow in flows for each in _needed(flow, services) if not each.stage.via]):
        await doctor.stage(needed, None)


class _Doctor:
    def __init__(self, registry: Registry, services: Services, tell: TellOf, meters: Meters) -> None:
        self._meters = meters
        self._registry = registry
        self._services = services
        self._tell = tell

    def uses(self, flows: Sequence[Flow]) -> list[_Use]:
        """Connections of equal settings are one. Those whose settings cannot be had are told at once."""
        found: list[_Use] = []
        untold: dict[tuple[str, str], tuple[Section, Diagnosis]] = {}
        for flow in flows:
            for connection in flow.connections:
                stages = [each for each in _needed(flow, self._services) if each.stage.via == connection.name]
                if not any(stage.via == connection.name for stage in flow.stages):
                    continue
                try:
                    self._add(found, flow, connection, stages)
                except FlowError as error:
                    section = Section("connection", f"{connection.name} ({connection.type})", (flow.name,))
                    untold.setdefault((section.name, error.why), (section, _unusable(error)))
        for section, diagnosis in untold.values():
            self._tell(section, diagnosis)
        return found

    def _add(self, found: list[_Use], flow: Flow, connection: Connection, needed: list[_Needed]) -> None:
        spec = self._registry.connection(connection.type)
        assert spec is not None, "a checked flow names known connections"
        settings = connect_settings(connection, spec, self._services.environment, flow.file.parent)
        same = next((use for use in found if (use.spec, use.settings) == (spec, settings)), None)
        if same is None:
            found.append(_Use(flow, connection, spec, settings, needed, [flow.name]))
        else:
            same.needed = _distinct([*same.needed, *needed])
            same.flows = list(dict.fromkeys([*same.flows, flow.name]))

    async def connection(self, use: _Use) -> None:
        """The connection, then over it what its stages need."""
        section = use.section
        context = context_for(use.flow, use.connection.name, self._services)
        context.watch, context.spent = self._meters.watch, self._meters.spent

        async def whole() -> bool:
            if use.spec.diagnose is not None:
                return await use.spec.diagnose(use.settings, context, self._line(section))
            return await self._plainly(use, context)

        if not await self._guarded(section, "connection", whole):
            for needed in use.needed:
                self._tell(
                    needed.section, Diagnosis.skipped("checks", f"connection {use.connection.name} does not work")
                )
            return
        await self._guarded(section, "connection", lambda: self._over(use, context))

    async def _plainly(self, use: _Use, context: Context) -> bool:
        async with use.spec.open(use.settings, context) as client:
            self._meters.watch(client)
            if use.spec.check is not None:
                await use.spec.check(client)
        self._tell(use.section, Diagnosis.ok("sign-in" if use.spec.check else "opens"))
        return True

    async def _over(self, use: _Use, context: Context) -> None:
        if not use.needed:
            return
        async with use.spec.open(use.settings, context) as client:
            self._meters.watch(client)
            for needed in use.needed:
                await self.stage(needed, client)

    async def stage(self, needed: _Needed, client: Any) -> None:
        diagnose = needed.stage.spec.diagnose if needed.stage.spec else None
        assert diagnose is not None, "only stages that can be checked are"
        context = context_for(needed.flow, needed.stage.name, self._services, client)
        tell = self._line(needed.section)

        async def whole() -> None:
            if needed.fault is not None:
                raise needed.fault
            await diagnose(needed.stage.settings, context, needed.destinations, tell)

        await self._guarded(needed.section, "checks", whole)

    def _line(self, section: Section) -> Tell:
        return lambda diagnosis: self._tell(section, diagnosis)

    async def _guarded(self, section: Section, name: str, call: Callable[[], Awaitable[T]]) -> T | None:
        try:
            return await call()
        except ConnectorError as error:
            self._tell(section, Diagnosis.failed(name, error))
        except Exception as error:  # noqa: BLE001  whatever the check of an adapter raises, the others go on
            self._tell(section, Diagnosis.failed(name, broken(error)))
        return None


def broken(error: Exception) -> ConnectorError:
    """A check that is itself at fault: where, but no values, which could hold secrets."""
    frames = traceback.extract_tb(error.__traceback__)[-1:]
    return ConnectorError(
        "The check itself broke off",
        where="".join(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames),
        why=type(error).__name__,
        mend="report this; it says nothing about what was to be checked",
        owner="developer",
        code="MLC-CHK-0001",
    )


def _unusable(error: FlowError) -> Diagnosis:
    """Unset variables have a line of their own, in the flow's section."""
    if error.code == codes.UNSET_VARIABLE:
        return Diagnosis.skipped("settings", "variables it refers to are not set")
    return Diagnosis.failed("settings", error)


def _needed(flow: Flow, services: Services) -> list[_Needed]:
    return [
        _need(flow, stage, services)
        for stage in flow.stages
        if stage.spec is not None and stage.spec.diagnose is not None
    ]


def _need(flow: Flow, stage: Stage, services: Services) -> _Needed:
    try:
        return _Needed(flow, stage, _destinations(flow, stage, services))
    except Exception as error:  # noqa: BLE001  the code of an adapter; told in the stage's section
        return _Needed(flow, stage, fault=error)


def _destinations(flow: Flow, stage: Stage, services: Services) -> list[Destination]:
    """What the stages above it in the flow say of where documents go, each once."""
    found: list[Destination] = []
    names, seen = [each.stage for each in stage.inputs], set[str]()
    while names:
        above = flow.stage(names.pop())
        if above.name in seen:
            continue
        seen.add(above.name)
        names += [each.stage for each in above.inputs]
        if above.spec is not None and above.spec.destinations is not None:
            found += above.spec.destinations(above.settings, flow.file.parent, services.environment)
    return list(dict.fromkeys(found))


def _distinct(needed: list[_Needed]) -> list[_Needed]:
    """Each check once, though several flows want it."""
    found: list[_Needed] = []
    for each in needed:
        same = next((other for other in found if each.same(other)), None)
        if same is None:
            found.append(each)
        elif each.flow.name not in (same.flow.name, *same.others):
            same.others = [*same.others, each.flow.name, *each.others]
    return found
