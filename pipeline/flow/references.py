"""References in texts: ``${env:NAME}``, ``${env:NAME:-default}`` and ``${file:/path}``, and giving a connection its settings.

They are resolved after a file is parsed and only inside texts, so that a value can never change the structure of a flow. A
variable set to nothing counts as unset, so that its default applies. No value that came out of a reference is ever shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from pipeline.errors import FlowError
from pipeline.flow import codes
from pipeline.flow.convert import Problem, convert, secret_paths, texts
from pipeline.flow.findings import Finding
from pipeline.flow.model import Connection
from pipeline.stage import ConnectionSpec

MAX_FILE_BYTES = 65_536

_REFERENCE = re.compile(r"\$\{([^}]*)\}?")
_ENV = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """One reference. ``name`` is the variable or the file; ``text`` is the reference as written; "bad" is one of neither form."""

    scheme: Literal["env", "file", "bad"]
    name: str
    default: str | None = None
    text: str


class UnresolvedError(FlowError):
    """References without a value. ``problems`` holds (path, reference, why) for all of them."""

    def __init__(self, problems: list[tuple[str, Reference, str]]) -> None:
        why = "; ".join(f"{path}: {reason}" for path, _, reason in problems)
        super().__init__("some references have no value", why=why, mend="set the variables", code=codes.UNSET_VARIABLE)
        self.problems = tuple(problems)


def find_references(data: Any, path: str = "$") -> list[tuple[str, Reference]]:
    """Every reference in the texts of ``data`` with the path of its text, in order."""
    return [(place, reference) for place, text in texts(data, path) for reference in _references(text)]


def resolve(data: Any, environment: Mapping[str, str], base: Path, path: str = "$") -> Any:
    """``data`` with plain texts in place of references; relative files are below ``base``.

    Raises `UnresolvedError` that names all references without a value.
    """
    resolved, problems = partly_resolved(data, environment, base, path)
    if problems:
        raise UnresolvedError(problems)
    return resolved


def partly_resolved(
    data: Any, environment: Mapping[str, str], base: Path, path: str = "$"
) -> tuple[Any, list[tuple[str, Reference, str]]]:
    """``data`` as far as it resolves now, and (path, reference, why) for each reference that has no value and stays."""
    resolver = _Resolver(environment, base)
    return resolver.data(data, path), resolver.problems


def hidden(data: Any, path: str = "$") -> dict[str, str]:
    """The paths of all texts that hold references, each with that text: what `convert` must not show once it is resolved."""
    return {place: text for place, text in texts(data, path) if _references(text)}


def literal_secrets(data: Any, type_: Any, path: str = "$") -> list[Problem]:
    """The secrets that are written in the file: a text of a `Secret` setting without a reference, or with a default in it."""
    written = dict(texts(data, path))
    problems = []
    for place in secret_paths(data, type_, path):
        references = _references(written[place])
        default = next((each for each in references if each.default), None)
        if default is not None:
            message, name = "a secret is written here as the default of a reference", default.name
        elif written[place] and not references:
            message, name = "a secret is written here", "NAME"
        else:
            continue
        advice = f"write a reference such as ${{env:{name}}} or ${{file:/run/secrets/name}}"
        problems.append(Problem(path=place, message=message, suggestion=advice))
    return problems


def connect_settings(connection: Connection, spec: ConnectionSpec, environment: Mapping[str, str], folder: Path) -> Any:
    """The settings of a connection as ``spec.config``, references resolved and secrets wrapped.

    ``folder`` is where relative ``${file:...}`` paths start. Raises `FlowError` with every finding; none shows a value that
    came out of a reference.
    """
    path = f"$.connections.{connection.name}"
    data = connection.settings
    resolved, problems = partly_resolved(data, environment, folder, path)
    if problems:
        found = [
            _finding(connection, Problem(path=place, message=why), codes.UNSET_VARIABLE) for place, _, why in problems
        ]
        raise _flow_error(connection, found)
    settings, wrong = convert(resolved, spec.config, path, hidden=hidden(data, path))
    if wrong:
        raise _flow_error(connection, [_finding(connection, problem, codes.WRONG_VALUE) for problem in wrong])
    return settings


def _finding(connection: Connection, problem: Problem, code: str) -> Finding:
    if connection.tree is not None:
        return connection.tree.report(problem, code)
    return Finding(
        code=code,
        file="",
        line=connection.line,
        path=problem.path,
        message=problem.message,
        suggestion=problem.suggestion,
    )


def _flow_error(connection: Connection, findings: list[Finding]) -> FlowError:
    return FlowError(
        f"the connection `{connection.name}` cannot be opened",
        tuple(findings),
        where=f"$.connections.{connection.name}",
        why="; ".join(finding.message for finding in findings),
        mend="correct the settings of the connection, or set the variables it refers to",
        code=findings[0].code,
    )


def _references(text: str) -> list[Reference]:
    return [_reference(match) for match in _REFERENCE.finditer(text)]


def _reference(match: re.Match[str]) -> Reference:
    inside, text = match[1], match[0]
    env = _ENV.fullmatch(inside)
    if not text.endswith("}"):
        return Reference(scheme="bad", name=inside, text=text)
    if env:
        return Reference(scheme="env", name=env[1], default=env[2], text=text)
    if inside.startswith("file:") and inside != "file:":
        return Reference(scheme="file", name=inside.removeprefix("file:"), text=text)
    return Reference(scheme="bad", name=inside, text=text)


class _Resolver:
    """One resolution: what has no value stays as it is and is noted in ``problems``."""

    def __init__(self, environment: Mapping[str, str], base: Path) -> None:
        self.environment = environment
        self.base = base
        self.problems: list[tuple[str, Reference, str]] = []

    def data(self, data: Any, path: str) -> Any:
        if isinstance(data, str):
            return _REFERENCE.sub(lambda match: self._value(_reference(match), path), data)
        if isinstance(data, Mapping):
            return {key: self.data(value, f"{path}.{key}") for key, value in data.items()}
        if isinstance(data, list):
            return [self.data(value, f"{path}[{index}]") for index, value in enumerate(data)]
        return data

    def _value(self, reference: Reference, path: str) -> str:
        try:
            return self._look_up(reference)
        except (OSError, ValueError) as error:
            self.problems.append((path, reference, _reason(reference, error)))
            return reference.text

    def _look_up(self, reference: Reference) -> str:
        if reference.scheme == "env":
            return self._variable(reference)
        if reference.scheme == "file":
            return self._file(reference)
        raise ValueError(
            f"`{reference.text}` is no reference; write ${{env:NAME}}, ${{env:NAME:-default}} or ${{file:/path}}"
        )

    def _variable(self, reference: Reference) -> str:
        value = self.environment.get(reference.name) or reference.default
        if value is None:
            raise ValueError(f"the environment variable {reference.name} is not set")
        return value

    def _file(self, reference: Reference) -> str:
        """The text of the file, without the line break that editors put at its end."""
        path = self.base / reference.name
        if path.exists() and not path.is_file():
            raise ValueError(f"{reference.name} is not a file")
        with path.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise ValueError(f"the file {reference.name} is larger than {MAX_FILE_BYTES} bytes")
        return raw.decode().removesuffix("\n").removesuffix("\r")


def _reason(reference: Reference, error: OSError | ValueError) -> str:
    """Why there is no value, without any of a file's content."""
    if isinstance(error, UnicodeDecodeError):
        return f"the file {reference.name} is not UTF-8 text"
    if isinstance(error, OSError):
        return f"the file {reference.name} cannot be read: {error.strerror or type(error).__name__}"
    return str(error)
