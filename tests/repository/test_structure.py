"""The tree keeps the shape that CONTRIBUTING.md describes."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "misc"}


def test_no_module_is_a_dumping_ground(root: Path, product: list[Path]) -> None:
    named = {path: {path.stem, *path.relative_to(root).parts[:-1]} for path in product}
    assert [str(path) for path, names in named.items() if names & FORBIDDEN_NAMES] == []


def test_no_test_folder_is_a_package(root: Path) -> None:
    """One such file hides the real package of the same name (docs/decisions/0001-plain-package-names.md)."""
    assert [str(path) for path in (root / "tests").rglob("__init__.py")] == []


def test_every_module_says_what_may_live_there(root: Path, product: list[Path]) -> None:
    silent = [
        str(path.relative_to(root))
        for path in product
        if (tree := ast.parse(path.read_text())).body and ast.get_docstring(tree) is None
    ]
    assert silent == []


def test_the_changelog_has_a_place_for_what_comes_next(root: Path) -> None:
    text = (root / "CHANGELOG.md").read_text()
    assert re.search(r"^## \[Unreleased\]$", text, re.MULTILINE)


def test_every_relative_link_in_the_docs_leads_somewhere(root: Path, tracked: list[Path]) -> None:
    broken = [
        f"{path.relative_to(root)}: {target}"
        for path in tracked
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text())
        if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists()
    ]
    assert broken == []


def test_every_make_target_that_the_docs_name_exists(root: Path, tracked: list[Path]) -> None:
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for path in tracked
        if path.suffix == ".md"
        for target in re.findall(r"`make ([a-z]+)`", path.read_text())
    }
    assert named - targets == set()


def test_ci_runs_every_gate_and_ends_on_the_tests(root: Path) -> None:
    script = root / ".ci" / "run"
    lines = script.read_text().splitlines()
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in lines
    assert {"ruff check .", "ruff format --check .", "mypy", "lint-imports"} <= set(lines)
    assert lines[-1] == "python -m pytest -q"


def test_decisions_are_numbered_without_gaps(root: Path) -> None:
    numbers = sorted(int(path.name[:4]) for path in (root / "docs" / "decisions").glob("*.md"))
    assert numbers == list(range(len(numbers)))
