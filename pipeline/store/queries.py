"""The named statements of ``sql/``: nothing else in the product holds SQL."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def statements() -> dict[str, str]:
    """Every statement by its name. A name used twice is refused."""
    found: dict[str, str] = {}
    folder = resources.files("pipeline.store").joinpath("sql")
    for file in ("write.sql", "engine.sql", "reports.sql"):
        parts = _NAME.split(folder.joinpath(file).read_text("utf-8"))[1:]
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            assert name not in found, f"{file}: {name} is defined twice"
            found[name] = text.strip().rstrip(";")
    return found


@cache
def migrations() -> tuple[tuple[int, str, str], ...]:
    """(number, name, script) of each migration, in order."""
    folder = resources.files("pipeline.store").joinpath("sql").joinpath("migrations")
    scripts = sorted((file.name, file.read_text("utf-8")) for file in folder.iterdir() if file.name.endswith(".sql"))
    return tuple((int(name.split("_", 1)[0]), name.removesuffix(".sql"), text) for name, text in scripts)
