"""What the x12 adapter adds to the command: `x12 show FILE` and `x12 validate FILE [--guide G]`. Pure: bytes in, lines out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import Any

from pipeline import CommandResult, CommandSpec, FlowError, Paint, legible, parse_tree
from stages.x12.checking.validator import findings
from stages.x12.checking.violation import Violation, finding_json
from stages.x12.guide import Guide, merged
from stages.x12.guide_lint import lint_guide
from stages.x12.showing.show import Role, holds_interchange, show_lines

WRONG_GUIDE = "MLC-X12-0207"
MOST_LOOKED_AT = 1_000_000  # bytes of a file, to see which sets it holds
MOST_IN_JSON = 100_000
"""Lines, and findings, that one object holds; findings are printed up to there too."""


def show(data: bytes, name: str, extra: Mapping[str, str], paint: Paint) -> CommandResult:
    """Segments with their names and the meanings of their codes, and the documents in readable form."""

    def painted(text: str, role: Role) -> str:
        return paint(text, role)

    if not holds_interchange(data):
        says = [*show_lines(data, painted), f"{name}: there is no X12 in it"]
        return CommandResult(lines=says, json=_shown(name, says), failed=True)
    return CommandResult(lines=show_lines(data, painted), json=lambda: _shown(name, show_lines(data)))


def _shown(name: str, lines: Iterable[str]) -> dict[str, Any]:
    some = list(islice(lines, MOST_IN_JSON + 1))
    whole = len(some) <= MOST_IN_JSON
    return {"schema": "mlc.x12.show/1", "file": name, "lines": some[:MOST_IN_JSON], "whole": whole}


def check(data: bytes, name: str, extra: Mapping[str, str], paint: Paint) -> CommandResult:
    """Every finding about the file, by the standard and, where given, the partner's guide."""
    guide = read_guide(extra["guide"], extra.get("guide under", "")) if "guide" in extra else None
    if guide is not None:
        refuse_wrong(guide, sets_in(data))
    found: list[Violation] = []
    counts = Counter[str]()
    for finding in findings([data], guide):
        counts[finding.severity] += 1
        if len(found) < MOST_IN_JSON:
            found.append(finding)
    errors, warnings = counts["error"], counts["warning"]
    more = errors + warnings - len(found)
    lines = [_line(finding, paint) for finding in found]
    lines += [f"... and {more:,} more"] if more else []
    lines.append(f"{name}: {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    ours = {
        "schema": "mlc.x12.validate/1",
        "file": name,
        "ok": not errors,
        "findings": [finding_json(finding) for finding in found],
        "more": more,
    }
    return CommandResult(lines=lines, json=ours, failed=errors > 0)


def read_guide(text: str, defaults: str = "") -> Guide:
    """The guide in a YAML text: a partner file's ``guide`` on top of that of the ``defaults``, or a file that holds nothing else.

    Raises `FlowError` with findings.
    """
    tree = parse_tree(text, "the guide")
    path, data = "$", tree.data
    if isinstance(data, dict) and ("guide" in data or "partner" in data):
        path, data = "$.guide", data.get("guide", {})
        under = parse_tree(defaults, "_default.yaml").data if defaults else {}
        data = merged(under.get("guide", {}) if isinstance(under, dict) else {}, data)
    guide, findings = tree.convert(path, Guide, code=WRONG_GUIDE, data=data)
    if guide is None or findings:
        raise FlowError(
            "The guide cannot be used", tuple(findings), mend="mend it, or name a partner file", code=WRONG_GUIDE
        )
    return guide


def refuse_wrong(guide: Guide, sets: Collection[str]) -> None:
    """Raises `FlowError` when the guide asks for what the standard forbids in any of these sets."""
    problems = dict.fromkeys(problem for set in sorted(sets) for problem in lint_guide(guide, set))
    if problems:
        raise FlowError(
            "The guide cannot be used", why="; ".join(problems), mend="mend these keys of it", code=WRONG_GUIDE
        )


def sets_in(data: bytes) -> set[str]:
    """The sets in the file that a guide can be about: those we have tables for, by what stands after ``ST`` and the separator."""
    named = re.findall(rb"ST" + re.escape(data[3:4]) + rb"(\d{3})", data[:MOST_LOOKED_AT]) if data[3:4] else []
    return {name.decode() for name in named} & {"810", "820", "850"} or {"810"}


def _line(finding: Violation, paint: Paint) -> str:
    text = legible(str(finding))
    return f"{paint(finding.severity, finding.severity)}{text[len(finding.severity) :]}  {finding.code}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


COMMANDS = (
    CommandSpec(
        name="show", help="Show an X12 file: segments with names and meanings, documents in readable form.", run=show
    ),
    CommandSpec(
        name="validate",
        help="Report everything that is wrong with an X12 file; exit 3 when there are errors.",
        run=check,
        options={
            "guide": "A partner file (with the _default.yaml beside it), or a guide alone, to hold the file against."
        },
        under={"guide": "_default.yaml"},
    ),
)
