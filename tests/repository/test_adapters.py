"""Every adapter that pyproject.toml names can be loaded, and its stages declare what the engine and the docs need."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import msgspec
import pytest

from pipeline import Adapter

ROOT = Path(__file__).parents[2]
ENTRY_POINTS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][
    "ml_connector.adapters"
]


def load(name: str) -> Adapter:
    module, _, attribute = ENTRY_POINTS[name].partition(":")
    adapter = getattr(importlib.import_module(module), attribute)
    assert isinstance(adapter, Adapter)
    return adapter


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_an_adapter_and_its_stages_carry_its_name(name: str) -> None:
    adapter = load(name)
    assert adapter.name == name
    assert [spec.name for spec in adapter.stages if not spec.name.startswith(f"{name}.")] == []


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_every_stage_and_connection_is_described(name: str) -> None:
    adapter = load(name)
    described = {spec.name: spec.doc for spec in adapter.stages} | {spec.name: spec.doc for spec in adapter.connections}
    assert [each for each, doc in described.items() if not doc.strip()] == []


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_settings_refuse_what_they_do_not_know(name: str) -> None:
    """A misspelt setting must be a finding, never ignored."""
    adapter = load(name)
    configs = [spec.config for spec in adapter.stages if spec.config is not None]
    configs += [spec.config for spec in adapter.connections]
    lax = [
        config.__name__
        for config in configs
        if not (issubclass(config, msgspec.Struct) and config.__struct_config__.forbid_unknown_fields)
    ]
    assert lax == []


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_every_stage_lives_in_its_adapters_folder(name: str) -> None:
    adapter = load(name)
    builders = {spec.name: getattr(spec.build, "__module__", "") for spec in adapter.stages}
    assert [stage for stage, module in builders.items() if not module.startswith(f"stages.{name}")] == []


def test_every_folder_below_stages_is_an_adapter() -> None:
    folders = {path.parent.name for path in (ROOT / "stages").glob("*/__init__.py")}
    assert folders == set(ENTRY_POINTS)
