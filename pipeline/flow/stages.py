"""One entry of a flow's stage list: its name, verb, component and settings. What stages read is `pipeline.flow.graph`'s.

An entry is ``name: {verb: component, ...}`` or, long, ``{name: ..., verb: component, ...}``. Beside the verb stand the engine's
keys, which are these; the component's own settings stand under ``with``.

    from      all but sources     a stage, `stage.port` of a branch, or a list of them; without it, the stage above
    via       where needed        the connection the component uses
    with      where it has any    the component's settings
    queue     all but sources     records its input edge holds
    retry     all but branches    {times, first, max}, each as in `defaults` when left out
    workers   sinks               deliveries at once, each of another lane; without it, as many as the sink says, else one
    lane      sinks               what keeps order: partner | address; without it, as the sink says
    rule      filters             the name under which records are excluded; without it, the stage's name
    else      branches            the port of records for which no case holds; without it they are excluded

A branch has its cases in the verb: ``branch: {po: "expression", invoice: "expression"}``. The first case that holds wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec

from pipeline.errors import FlowError
from pipeline.flow import codes
from pipeline.flow.convert import convert, did_you_mean, near, show
from pipeline.flow.custom import CustomError, CustomStages, is_custom
from pipeline.flow.duration import Duration
from pipeline.flow.expression import Expression, ExpressionError
from pipeline.flow.findings import Finding
from pipeline.flow.graph import Node
from pipeline.flow.model import Connection, Stage
from pipeline.flow.report import Report
from pipeline.registry import Registry
from pipeline.retry import RetryPolicy
from pipeline.stage import StageSpec, Verb

VERBS: tuple[Verb, ...] = get_args(Verb)
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")

Queue = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Workers = Annotated[int, msgspec.Meta(ge=1, le=64)]
Lane = Literal["partner", "address"]

_READS = ("from", "queue")
_COMPONENT = ("via", "with", "retry")
_KEYS: dict[Verb, tuple[str, ...]] = {
    "source": _COMPONENT,
    "map": _READS + _COMPONENT,
    "filter": (*_READS, *_COMPONENT, "rule"),
    "branch": (*_READS, "else"),
    "encode": _READS + _COMPONENT,
    "sink": (*_READS, *_COMPONENT, "workers", "lane"),
}
_ALL_KEYS = tuple(dict.fromkeys(key for keys in _KEYS.values() for key in keys))


class RetrySettings(msgspec.Struct, frozen=True):
    """The form of ``retry`` in a file; what is left out is as in the flow's defaults."""

    times: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None
    first: Duration | None = None
    max: Duration | None = None

    def over(self, policy: RetryPolicy) -> RetryPolicy:
        return RetryPolicy(
            times=policy.times if self.times is None else self.times,
            first=policy.first if self.first is None else float(self.first),
            max=policy.max if self.max is None else float(self.max),
        )


class Defaults(msgspec.Struct, frozen=True):
    """The form of ``defaults`` in a file."""

    queue: Queue = 1024
    retry: RetrySettings = RetrySettings()


class StageReader:
    """Reads the entries of one flow. Each ends as a `Node`, sound or not, or as None when it has not even a name."""

    def __init__(
        self,
        report: Report,
        registry: Registry,
        custom: CustomStages,
        connections: Mapping[str, Connection],
        defaults: Defaults,
    ) -> None:
        self.report = report
        self.registry = registry
        self.custom = custom
        self.connections = connections
        self.defaults = defaults

    def node(self, entry: Any, path: str) -> Node | None:
        title, body, body_path, is_key = self._form(entry, path)
        if title is None or body is None:
            return None
        if not isinstance(title, str) or not NAME.fullmatch(title):
            place = body_path if is_key else f"{body_path}.name"
            hint = "letters, digits, `_` and `-`, starting with a letter"
            self.report.error(codes.STAGE_FORM, place, f"`{title}` cannot be the name of a stage", hint, key=is_key)
        place = body_path if is_key else f"{body_path}.name"
        return _Entry(self, str(title), body, body_path, place, is_key).node()

    def _form(self, entry: Any, path: str) -> tuple[Any, dict[str, Any] | None, str, bool]:
        """(name, mapping, its path, whether the name is its key). The name is None when the entry has neither form."""
        if isinstance(entry, dict) and len(entry) == 1:
            name, body = next(iter(entry.items()))
            if isinstance(body, dict):
                return name, body, f"{path}.{name}", True
            if name not in VERBS and name != "name":
                message = f"expected `{name}: {{ verb: component }}`, got {show(body)}"
                self.report.error(codes.STAGE_FORM, f"{path}.{name}", message)
                return None, None, path, True
        if isinstance(entry, dict) and "name" in entry:
            return entry["name"], {key: value for key, value in entry.items() if key != "name"}, path, False
        if isinstance(entry, dict) and any(verb in entry for verb in VERBS):
            self.report.error(codes.STAGE_FORM, path, "this stage has no name", "write `- name: { verb: component }`")
        elif isinstance(entry, dict) and len(entry) > 1:
            hint = "indent the keys below the name further, or begin the next stage with `- `"
            self.report.error(codes.STAGE_FORM, path, "a stage is one name with its keys below it", hint)
        else:
            message = f"expected a stage such as `- name: {{ verb: component }}`, got {show(entry)}"
            self.report.error(codes.STAGE_FORM, path, message)
        return None, None, path, True


class _Entry:
    """One named stage. Each method reads one part of it and reports what is wrong with that part."""

    def __init__(
        self, reader: StageReader, name: str, body: dict[str, Any], path: str, title: str, title_is_key: bool
    ) -> None:
        self.reader = reader
        self.report = reader.report
        self.name = name
        self.body = body
        self.path = path
        self.title = title
        self.title_is_key = title_is_key

    def node(self) -> Node:
        verb, sound = self._verb()
        spec, component = self._component(verb) if sound else (None, "")
        if sound:
            self._keys(verb, spec, component)
        line = self.report.tree.finding(self.title, "", code="", key=self.title_is_key).line
        settings, complete = self._settings(spec) if spec is not None else (None, False)
        stage = Stage(
            name=self.name,
            verb=verb,
            component=component,
            spec=spec,
            settings=settings,
            via=self._via(spec) if sound else None,
            line=line,
            **(self._engine_settings(verb) if sound else {}),
        )
        if spec is not None and complete:
            self._lint(spec, settings)
        return Node(
            stage=stage,
            path=self.path,
            title=self.title,
            title_is_key=self.title_is_key,
            sound=sound,
            reads=self.body.get("from"),
            has_from="from" in self.body,
        )

    # --- verb and component ---

    def _verb(self) -> tuple[Verb, bool]:
        """The verb, and whether it is known for sure; a guess keeps later findings sensible."""
        found = [verb for verb in VERBS if verb in self.body]
        if len(found) > 1:
            message = f"a stage has one verb; this has {' and '.join(found)}"
            self.report.error(codes.TWO_VERBS, f"{self.path}.{found[1]}", message, "make two stages of it", key=True)
        if found:
            return found[0], len(found) == 1
        strange = [key for key in self.body if key not in _ALL_KEYS]
        if "cases" in strange:
            self._unknown_verb("cases", "write `branch:` with the cases below it")
            return "branch", False
        guess = next((key for key in strange if near(key, VERBS)), strange[0] if len(strange) == 1 else "")
        if guess:
            self._unknown_verb(guess, did_you_mean(guess, VERBS) or f"one of {', '.join(VERBS)}")
        else:
            self._at_title(codes.NO_VERB, f"the stage `{self.name}` has no verb", f"give it one of {', '.join(VERBS)}")
        verbs: dict[str, Verb] = {verb: verb for verb in VERBS}
        return verbs.get(near(guess, VERBS), "map"), False

    def _unknown_verb(self, key: str, hint: str) -> None:
        self.report.error(codes.UNKNOWN_VERB, f"{self.path}.{key}", f"`{key}` is no verb", hint, key=True)

    def _component(self, verb: Verb) -> tuple[StageSpec | None, str]:
        value, path = self.body[verb], f"{self.path}.{verb}"
        if verb == "branch":
            return None, ""  # its value holds the cases
        if not isinstance(value, str) or not value.strip():
            wanted = "an expression" if verb == "filter" else "the name of a component"
            self.report.error(codes.WRONG_VALUE, path, f"expected {wanted}, got {show(value)}")
            return None, ""
        if is_custom(value):
            return self._custom(value, verb, path), value
        spec = self.reader.registry.stage(value, verb)
        if verb == "filter" and spec is None:
            return None, ""
        if spec is None:
            self._unknown_component(value, verb, path)
        return self._matching(spec, verb, path), value

    def _custom(self, component: str, verb: Verb, path: str) -> StageSpec | None:
        try:
            return self._matching(self.reader.custom.stage(component, verb), verb, path)
        except CustomError as error:
            self.report.error(error.code, path, str(error), error.suggestion)
            return None

    def _matching(self, spec: StageSpec | None, verb: Verb, path: str) -> StageSpec | None:
        if spec is None or spec.verb == verb:
            if spec is not None and verb == "sink" and not spec.exactly_once:
                message = f"`{spec.name}` cannot look up what it sent: a delivery may take effect more than once"
                self.report.note(codes.AT_LEAST_ONCE, path, message)
            return spec
        message = f"`{self.body[verb]}` is not for `{verb}`"
        self.report.error(codes.WRONG_VERB, path, message, f"write `{spec.verb}: {self.body[verb]}`")
        return None

    def _unknown_component(self, name: str, verb: Verb, path: str) -> None:
        registry = self.reader.registry
        nearest = registry.nearest_stage(name)
        offered = [spec.name for spec in registry.stages if spec.verb == verb]
        hint = f"did you mean `{nearest}`?" if nearest else ""
        if not hint:
            hint = f"there are {', '.join(offered)}" if offered else f"no installed adapter offers a {verb}"
        self.report.error(codes.UNKNOWN_COMPONENT, path, f"there is no component `{name}`", hint)

    # --- keys ---

    def _keys(self, verb: Verb, spec: StageSpec | None, component: str) -> None:
        allowed = _KEYS[verb] if component or verb != "filter" else (*_READS, "rule")
        for key in self.body:
            if key in VERBS or key in allowed:
                continue
            if key in _ALL_KEYS:
                if key == "from":
                    continue  # the graph says so, about sources
                owners = ", ".join(f"`{each}`" for each, keys in _KEYS.items() if key in keys)
                self._misplaced(key, f"`{key}` means nothing for `{verb}`", f"it is for {owners}")
            elif key in _fields(spec):
                self._misplaced(key, f"`{key}` is a setting of `{self.body[verb]}`", "put it under `with`")
            else:
                hint = did_you_mean(key, [each for each in allowed if each not in self.body])
                hint = hint or f"known beside `{verb}`: {', '.join(allowed)}"
                self.report.error(codes.UNKNOWN_KEY, f"{self.path}.{key}", f"unknown key `{key}`", hint, key=True)

    def _misplaced(self, key: str, message: str, hint: str) -> None:
        self.report.error(codes.MISPLACED_KEY, f"{self.path}.{key}", message, hint, key=True)

    def _engine_settings(self, verb: Verb) -> dict[str, Any]:
        retry = self._typed("retry", RetrySettings) or RetrySettings()
        found: dict[str, Any] = {
            "queue": self._typed("queue", Queue) or self.reader.defaults.queue,
            "retry": retry.over(self.reader.defaults.retry.over(RetryPolicy())),
        }
        if verb == "sink":
            found["workers"] = self._typed("workers", Workers)
            found["lane"] = self._typed("lane", Lane)
        if verb == "filter":
            found["rule"] = self._typed("rule", Annotated[str, msgspec.Meta(min_length=1, max_length=200)]) or self.name
            found["expression"] = self._filter()
        if verb == "branch":
            found["cases"], found["otherwise"] = self._cases(), self._otherwise()
            found["rule"] = f"{self.name}: no case holds"
        return found

    def _typed(self, key: str, type_: Any) -> Any:
        if key not in self.body:
            return None
        value, problems = convert(self.body[key], type_, f"{self.path}.{key}")
        self.report.problems(problems)
        return value

    # --- expressions ---

    def _filter(self) -> Expression | None:
        value = self.body["filter"]
        component = isinstance(value, str) and (is_custom(value) or self.reader.registry.stage(value) is not None)
        return None if component or not isinstance(value, str) else self._expression(value, f"{self.path}.filter")

    def _expression(self, text: Any, path: str) -> Expression | None:
        if not isinstance(text, str):
            self.report.error(codes.WRONG_VALUE, path, f"expected an expression, got {show(text)}")
            return None
        try:
            return Expression(text)
        except ExpressionError as error:
            self.report.error(codes.BAD_EXPRESSION, path, error.message, offset=error.column - 1)
            return None

    def _cases(self) -> tuple[tuple[str, Expression], ...]:
        cases, path = self.body["branch"], f"{self.path}.branch"
        if not isinstance(cases, dict) or not cases:
            message = f"expected the cases of the branch, a mapping of names to expressions, got {show(cases)}"
            self.report.error(codes.WRONG_VALUE, path, message if cases else "a branch needs at least one case")
            return ()
        found = []
        for name, text in cases.items():
            self._port_name(name, f"{path}.{name}", key=True)
            expression = self._expression(text, f"{path}.{name}")
            found.append((name, expression or Expression("False")))  # keeps the port; the flow is refused anyway
        return tuple(found)

    def _otherwise(self) -> str | None:
        if "else" not in self.body:
            return None
        name, path = self.body["else"], f"{self.path}.else"
        if not isinstance(name, str):
            self.report.error(codes.WRONG_VALUE, path, f"expected the name of a port, got {show(name)}")
            return None
        self._port_name(name, path)
        if isinstance(self.body["branch"], dict) and name in self.body["branch"]:
            self.report.error(codes.WRONG_VALUE, path, f"`{name}` is already a case of this branch")
            return None
        return name

    def _port_name(self, name: str, path: str, *, key: bool = False) -> None:
        if not NAME.fullmatch(name):
            hint = "letters, digits, `_` and `-`, starting with a letter"
            self.report.error(codes.WRONG_VALUE, path, f"`{name}` cannot be the name of a port", hint, key=key)

    # --- connection and settings ---

    def _via(self, spec: StageSpec | None) -> str | None:
        via, path = self.body.get("via"), f"{self.path}.via"
        if spec is not None and spec.connection is None and via is not None:
            message = f"`{spec.name}` uses no connection"
            self.report.error(codes.NEEDLESS_VIA, path, message, "leave `via` out", key=True)
            return None
        if via is None:
            if spec is not None and spec.connection is not None:
                self._missing_via(spec)
            return None
        if not isinstance(via, str):
            self.report.error(codes.WRONG_VALUE, path, f"expected the name of a connection, got {show(via)}")
            return None
        return self._checked_via(spec, via, path)

    def _missing_via(self, spec: StageSpec) -> None:
        fitting = [each.name for each in self.reader.connections.values() if each.type == spec.connection]
        hint = (
            f"write `via: {fitting[0]}`" if fitting else f"declare one of type `{spec.connection}` under `connections`"
        )
        message = f"`{spec.name}` needs a connection of type `{spec.connection}`"
        self.report.error(codes.MISSING_VIA, f"{self.path}.{spec.verb}", message, hint)

    def _checked_via(self, spec: StageSpec | None, via: str, path: str) -> str:
        connections = self.reader.connections
        connection = connections.get(via)
        if connection is None:
            hint = did_you_mean(via, connections)
            hint = hint or (f"there are {', '.join(connections)}" if connections else "declare it under `connections`")
            self.report.error(codes.UNKNOWN_CONNECTION, path, f"there is no connection `{via}`", hint)
        elif spec is not None and connection.type and connection.type != spec.connection:
            message = (
                f"`{spec.name}` needs a connection of type `{spec.connection}`; `{via}` is of type `{connection.type}`"
            )
            self.report.error(codes.CONNECTION_MISMATCH, path, message)
        return via

    def _settings(self, spec: StageSpec) -> tuple[Any, bool]:
        """The settings, and whether they are complete, which is when the stage itself may look at them."""
        given, path = self.body.get("with"), f"{self.path}.with"
        if spec.config is None:
            if given:
                self.report.error(
                    codes.NO_SETTINGS, path, f"`{spec.name}` takes no settings", "leave `with` out", key=True
                )
            return None, not given
        if given is None:
            given = {}
        if isinstance(given, dict):  # a setting beside `with` has been reported; it is not missing besides
            given = {
                **{key: self.body[key] for key in _fields(spec) if key in self.body and key not in _ALL_KEYS},
                **given,
            }
        return self.report.settings(given, spec.config, path)

    def _lint(self, spec: StageSpec, settings: Any) -> None:
        if spec.lint is None:
            return
        folder: Path = self.report.folder
        try:
            found: list[Finding] = spec.lint(settings, folder, self.report.environment)
        except FlowError as error:
            found = [each for each in error.findings if isinstance(each, Finding)]
        self.report.foreign(found)

    def _at_title(self, code: str, message: str, hint: str = "") -> None:
        self.report.error(code, self.title, message, hint, key=self.title_is_key)


def _fields(spec: StageSpec | None) -> tuple[str, ...]:
    config = spec.config if spec is not None else None
    return config.__struct_encode_fields__ if config is not None and issubclass(config, msgspec.Struct) else ()
