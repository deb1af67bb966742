"""`Report`: the findings about one flow file while it is being checked, and the checks every kind of settings shares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pipeline.flow import codes
from pipeline.flow.convert import Problem, convert
from pipeline.flow.findings import Finding
from pipeline.flow.references import Reference, hidden, literal_secrets, partly_resolved
from pipeline.flow.tree import Tree, shown

_CODES = {"unknown": codes.UNKNOWN_KEY, "missing": codes.MISSING_KEY, "value": codes.WRONG_VALUE}


class Report:
    """Collects findings. ``live`` makes an unset variable an error instead of a note."""

    def __init__(self, tree: Tree, folder: Path, environment: Mapping[str, str], *, live: bool) -> None:
        self.tree = tree
        self.folder = folder
        self.environment = environment
        self.live = live
        self._found: list[Finding] = list(tree.findings)

    @property
    def failed(self) -> bool:
        return any(finding.severity == "error" for finding in self._found)

    def error(
        self, code: str, path: str, message: str, suggestion: str = "", *, key: bool = False, offset: int = 0
    ) -> None:
        self._found.append(self.tree.finding(path, message, code=code, key=key, suggestion=suggestion, offset=offset))

    def note(self, code: str, path: str, message: str, suggestion: str = "") -> None:
        self._found.append(self.tree.finding(path, message, code=code, suggestion=suggestion, severity="note"))

    def problems(self, problems: list[Problem], code: str = "") -> None:
        """``code`` stands for all of them when it is given."""
        self._found.extend(self.tree.report(problem, code or _CODES[problem.kind]) for problem in problems)

    def foreign(self, findings: list[Finding]) -> None:
        """Findings of a stage about files of its own; the files are named as the user would type them."""
        self._found.extend(_renamed(finding, self.folder) for finding in findings)

    def sorted(self) -> list[Finding]:
        """All findings: the flow file's own first, by position; then those of other files. Equal ones stand once."""
        own = self.tree.file
        order = sorted(dict.fromkeys(self._found), key=lambda f: (f.file != own, f.file, f.line, f.column, f.code))
        return list(order)

    def settings(self, data: Any, type_: type, path: str) -> tuple[Any, bool]:
        """Settings that may hold references: converted, and whether that is all of them with their real values.

        What an unset variable would have given is not judged; the settings are then None.
        """
        resolved, missing = partly_resolved(data, self.environment, self.folder, path)
        for place, reference, why in missing:
            self._unresolved(place, reference, why)
        self.problems(literal_secrets(data, type_, path), code=codes.LITERAL_SECRET)
        value, problems = convert(resolved, type_, path, hidden=hidden(data, path))
        unknown = [place for place, _, _ in missing]
        self.problems([each for each in problems if not _rests_on(each, unknown)])
        return value, not missing and value is not None

    def _unresolved(self, path: str, reference: Reference, why: str) -> None:
        if reference.scheme == "bad":
            self.error(codes.BAD_REFERENCE, path, why)
        elif self.live:
            self.error(codes.UNSET_VARIABLE, path, why)
        else:
            self.note(codes.UNSET_VARIABLE, path, why)


def _rests_on(problem: Problem, unknown: list[str]) -> bool:
    """Whether a value that is not known yet may be what the problem is about."""
    return problem.kind == "value" and any(
        place == problem.path or place.startswith((problem.path + ".", problem.path + "[")) for place in unknown
    )


def _renamed(finding: Finding, folder: Path) -> Finding:
    """A relative name that leads nowhere from here is relative to the flow's folder."""
    path = Path(finding.file)
    if not path.exists() and (folder / path).exists():
        path = folder / path
    return msgspec.structs.replace(finding, file=shown(path)) if path.exists() else finding
