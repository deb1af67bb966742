"""`Registry`: the stages and connection types of the installed adapters, by name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar, get_args

from pipeline.errors import ConnectorError
from pipeline.stage import Adapter, ConnectionSpec, StageSpec, Verb

S = TypeVar("S", StageSpec, ConnectionSpec)

GROUP = "ml_connector.adapters"
"""The entry-point group in which a distribution names its `Adapter`."""


class Registry:
    """What flow files can name. Raises `ConnectorError` when two adapters offer the same name."""

    def __init__(self, adapters: Sequence[Adapter]) -> None:
        self.adapters = tuple(adapters)
        self._stages: dict[str, dict[Verb, StageSpec]] = {}
        for verb in get_args(Verb):
            offered = [(adapter, spec) for adapter in adapters for spec in adapter.stages if spec.verb == verb]
            for name, spec in _by_name("stage", offered).items():
                self._stages.setdefault(name, {})[verb] = spec
        self._connections = _by_name(
            "connection", [(adapter, spec) for adapter in adapters for spec in adapter.connections]
        )

    @property
    def stages(self) -> tuple[StageSpec, ...]:
        """All stages, by name."""
        return tuple(spec for name in sorted(self._stages) for spec in self._stages[name].values())

    @property
    def connections(self) -> tuple[ConnectionSpec, ...]:
        """All connection types, by name."""
        return tuple(self._connections[name] for name in sorted(self._connections))

    def stage(self, name: str, verb: Verb | None = None) -> StageSpec | None:
        """The stage of this name: the one for this verb where there is one, since a source and a sink may share a name."""
        found = self._stages.get(name, {})
        return found.get(verb) if verb in found else next(iter(found.values()), None)

    def connection(self, type_: str) -> ConnectionSpec | None:
        return self._connections.get(type_)

    def nearest_stage(self, name: str) -> str | None:
        """The name of a stage that ``name`` was probably meant to be: nearly the same, or the same in another adapter."""
        last = name.rpartition(".")[2]
        same = [known for known in sorted(self._stages) if known.rpartition(".")[2] == last]
        close = difflib.get_close_matches(name, self._stages, 1)
        return next(iter([*close, *same]), None)


def load_registry() -> Registry:
    """The registry of all installed adapters. Raises `ConnectorError` naming the distribution that cannot be loaded."""
    return Registry([_load(point) for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)])


def _load(point: EntryPoint) -> Adapter:
    owner = point.dist.name if point.dist is not None else "an unknown distribution"
    try:
        adapter = point.load()
    except Exception as error:  # the code of another author may raise anything while it is imported
        raise _broken(point, owner, f"{type(error).__name__}: {error}") from error
    if not isinstance(adapter, Adapter):
        raise _broken(point, owner, f"{point.value} is {type(adapter).__name__}, not an Adapter")
    return adapter


def _broken(point: EntryPoint, owner: str, why: str) -> ConnectorError:
    return ConnectorError(
        f"the adapter `{point.name}` of {owner} cannot be loaded",
        where=f"entry point {point.value} in the group {GROUP}",
        why=why,
        mend=f"install a working version of {owner}, or remove it",
        owner="developer",
        code="MLC-REG-0001",
    )


def _by_name(kind: str, offered: list[tuple[Adapter, S]]) -> dict[str, S]:
    found: dict[str, tuple[Adapter, S]] = {}
    for adapter, spec in offered:
        if spec.name in found:
            raise _twice(kind, spec.name, found[spec.name][0], adapter)
        found[spec.name] = (adapter, spec)
    return {name: spec for name, (_, spec) in found.items()}


def _twice(kind: str, name: str, first: Adapter, second: Adapter) -> ConnectorError:
    return ConnectorError(
        f"two adapters offer the {kind} `{name}`",
        where=f"adapters `{first.name}` and `{second.name}`",
        why=f"a flow file that names `{name}` could mean either",
        mend="remove one of the two adapters",
        owner="developer",
        code="MLC-REG-0002",
    )
