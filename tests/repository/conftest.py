"""The repository as a list of files, for tests that it keeps its own rules."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_OURS = {"__pycache__", "build", "dist", "node_modules"}


def files() -> Iterator[Path]:
    """All files of the project: no environment, no cache, nothing a run left behind."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name not in NOT_OURS and not name.endswith(".egg-info") and (not name.startswith(".") or name == ".ci")
        ]
        yield from (Path(folder, name) for name in names if name != ".git")  # in a second working tree it is a file


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def tracked() -> list[Path]:
    """Every file of the project, in a stable order."""
    found = sorted(files())
    assert ROOT / "pyproject.toml" in found
    return found


@pytest.fixture(scope="session")
def product(tracked: list[Path]) -> list[Path]:
    """The Python files that ship."""
    found = [path for path in tracked if path.suffix == ".py" and path.is_relative_to(ROOT / "pipeline")]
    found += [path for path in tracked if path.suffix == ".py" and path.is_relative_to(ROOT / "stages")]
    found += [path for path in tracked if path.suffix == ".py" and path.is_relative_to(ROOT / "flows")]
    assert len(found) > 20
    return found
