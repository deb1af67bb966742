"""The doors say exactly what is behind them."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest

FACADES = ["pipeline", "pipeline.testing", "stages.generic"]


def imported_names(path: Path) -> set[str]:
    """The public names that a facade imports from the project's own modules."""
    return {
        alias.asname or alias.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(("pipeline.", "stages."))
        for alias in node.names
    }


@pytest.mark.parametrize("name", ["pipeline", "pipeline.testing"])
def test_a_facade_exports_exactly_what_it_imports(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__file__
    assert set(module.__all__) == imported_names(Path(module.__file__))


@pytest.mark.parametrize("name", FACADES)
def test_exported_names_are_there_and_listed_once(name: str) -> None:
    module = importlib.import_module(name)
    exported = list(module.__all__)
    assert len(exported) == len(set(exported))
    assert [each for each in exported if not hasattr(module, each)] == []


@pytest.mark.parametrize("name", FACADES)
def test_every_exported_class_and_function_says_what_it_is(name: str) -> None:
    module = importlib.import_module(name)
    silent = [
        each
        for each in module.__all__
        if inspect.isclass(value := getattr(module, each)) or inspect.isfunction(value)
        if not inspect.getdoc(value)
    ]
    assert silent == []
