"""The registry of installed adapters."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline import registry as registry_module
from pipeline.errors import ConnectorError
from pipeline.registry import GROUP, Registry, load_registry
from pipeline.stage import Adapter, ConnectionSpec, StageSpec


class Config(msgspec.Struct):
    url: str


def _build(settings: Any, context: Any) -> None:
    return None


def _open(settings: Any, context: Any) -> AbstractAsyncContextManager[Any]:
    raise NotImplementedError


def stage(name: str) -> StageSpec:
    return StageSpec(name=name, verb="map", build=_build)


BOOKS = ConnectionSpec(name="books", config=Config, open=_open)
A = Adapter(name="a", stages=(stage("a.route"), stage("a.encode")), connections=(BOOKS,))
B = Adapter(name="b", stages=(stage("b.rows"),))


def test_stages_and_connections_are_found_by_name() -> None:
    registry = Registry([A, B])
    assert registry.stage("b.rows") is B.stages[0]
    assert registry.connection("books") is BOOKS
    assert registry.stage("nix") is None
    assert registry.connection("nix") is None


def test_everything_is_listed_by_name() -> None:
    registry = Registry([B, A])
    assert [spec.name for spec in registry.stages] == ["a.encode", "a.route", "b.rows"]
    assert registry.connections == (BOOKS,)
    assert registry.adapters == (B, A)


@pytest.mark.parametrize(
    ("name", "nearest"), [("a.rout", "a.route"), ("a.encoder", "a.encode"), ("zz.rows", "b.rows"), ("qqqq", None)]
)
def test_nearest_stage(name: str, nearest: str | None) -> None:
    assert Registry([A, B]).nearest_stage(name) == nearest


@pytest.mark.parametrize(
    ("second", "what"),
    [
        (Adapter(name="c", stages=(stage("a.route"),)), "two adapters offer the stage `a.route`"),
        (Adapter(name="c", connections=(BOOKS,)), "two adapters offer the connection `books`"),
    ],
)
def test_same_name_twice_names_both_adapters(second: Adapter, what: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        Registry([A, second])
    assert caught.value.what == what
    assert caught.value.where == "adapters `a` and `c`"


def entry_points_are(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    points = [EntryPoint(name=name, value=value, group=GROUP) for name, value in values.items()]
    monkeypatch.setattr(registry_module, "entry_points", lambda group: points if group == GROUP else [])


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))


def test_adapters_are_loaded_from_their_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module(
        tmp_path, monkeypatch, "good_adapter", "from pipeline.stage import Adapter\nADAPTER = Adapter(name='good')\n"
    )
    entry_points_are(monkeypatch, good="good_adapter:ADAPTER")
    assert [adapter.name for adapter in load_registry().adapters] == ["good"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("ADAPTER = 7", "broken_adapter:ADAPTER is int, not an Adapter"),
        ("X = 7", "AttributeError: module 'broken_adapter' has no attribute 'ADAPTER'"),
    ],
)
def test_adapter_that_does_not_load_is_named_with_the_cause(
    text: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(tmp_path, monkeypatch, "broken_adapter", text)
    monkeypatch.delitem(__import__("sys").modules, "broken_adapter", raising=False)
    entry_points_are(monkeypatch, broken="broken_adapter:ADAPTER")
    with pytest.raises(ConnectorError) as caught:
        load_registry()
    assert caught.value.what == "the adapter `broken` of an unknown distribution cannot be loaded"
    assert caught.value.why == why
