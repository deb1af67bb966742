"""A small registry and a folder to write flow files in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.flow.findings import Finding
from pipeline.flow.load import load_flow
from pipeline.flow.model import Flow
from pipeline.registry import Registry
from pipeline.secrets import Secret
from pipeline.stage import Adapter, ConnectionSpec, StageSpec


class BooksAuth(msgspec.Struct, frozen=True, kw_only=True):
    user: str
    password: Secret


class BooksConfig(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    auth: BooksAuth | None = None
    page: int = 100

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url must start with http:// or https://, got {self.url!r}")


class EdiConfig(msgspec.Struct, frozen=True, kw_only=True):
    url: str = "http://localhost"


class RouteConfig(msgspec.Struct, frozen=True, kw_only=True):
    partners: str
    strict: bool = False


def _nothing(settings: Any, context: Any) -> None:
    return None


@asynccontextmanager
async def _open(settings: Any, context: Any) -> AsyncIterator[None]:
    yield None


def _lint(settings: RouteConfig, folder: Path, environment: Any) -> list[Finding]:
    file = folder / settings.partners
    return (
        []
        if file.exists()
        else [Finding(code="MLC-AP-0001", file=str(folder), message=f"there is no {settings.partners}")]
    )


@pytest.fixture
def registry() -> Registry:
    stages = (
        StageSpec(name="books.bills", verb="source", build=_nothing, connection="books"),
        StageSpec(name="lists.rows", verb="source", build=_nothing),
        StageSpec(name="ap.route", verb="map", build=_nothing, config=RouteConfig, lint=_lint),
        StageSpec(name="ap.shape", verb="map", build=_nothing),
        StageSpec(name="ap.wanted", verb="filter", build=_nothing),
        StageSpec(name="x12.encode", verb="encode", build=_nothing),
        StageSpec(name="edi.mailbox", verb="sink", build=_nothing, connection="edi", exactly_once=True),
        StageSpec(name="lists.file", verb="sink", build=_nothing, exactly_once=False),
        StageSpec(name="lists.gone", verb="sink", build=_nothing, exactly_once=True),
    )
    connections = (
        ConnectionSpec(name="books", config=BooksConfig, open=_open),
        ConnectionSpec(name="edi", config=EdiConfig, open=_open),
    )
    return Registry([Adapter(name="small", stages=stages, connections=connections)])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The flow's folder, which is also the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


Load = Callable[..., tuple[Flow | None, list[Finding]]]


@pytest.fixture
def load(folder: Path, registry: Registry) -> Load:
    """Writes a flow file and loads it."""

    def write_and_load(text: str, environment: dict[str, str] | None = None, *, live: bool = False) -> Any:
        (folder / "flow.yaml").write_text(text)
        return load_flow(folder / "flow.yaml", registry, environment or {}, live=live)

    return write_and_load
