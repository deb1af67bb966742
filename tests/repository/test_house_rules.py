"""Rules that a linter does not know: who may print, speak SQL, read a clock or draw a random number."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REACHED_FOR = re.compile(
    r"""time\.(time|monotonic|perf_counter|process_time)(_ns)?$ | time\.(sleep|localtime|gmtime)$
      | datetime\.datetime\.(now|utcnow|today)$ | datetime\.date\.today$
      | random\.(?!Random$)\w+$ | uuid\.uuid[14]$ | os\.urandom$ | secrets\.\w+$
      | asyncio\.sleep$ | anyio\.(sleep|sleep_until|current_time)$""",
    re.VERBOSE,
)
"""What only `pipeline/clock.py` may use. `random.Random` with a seed, or as a type, is how randomness is passed in."""

STATEMENT = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(TABLE|INDEX)|PRAGMA\s+\w+)\b",
    re.DOTALL,
)

MACHINE = re.compile(r"(?<![\w.}~-])/(work|root|home|Users)/\w|\.\./shared\b|C:\\Users")
REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|registry\.npmjs|proxy\.golang|index-url", re.IGNORECASE)


def dotted(node: ast.expr, names: dict[str, str]) -> str | None:
    """The full name of ``a.b.c``, the first part resolved through the module's imports."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute) and (left := dotted(node.value, names)):
        return f"{left}.{node.attr}"
    return None


def imports(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for: ``{"m": "time.monotonic"}``."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                names |= {alias.asname: alias.name} if alias.asname else {first: first}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def reached_for(source: str) -> Iterator[str]:
    """Uses of the machine's clock, sleep, ids or randomness, as ``line: name``."""
    tree = ast.parse(source)
    names = imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and (name := dotted(node, names)) and REACHED_FOR.match(name):
            yield f"{node.lineno}: {name}"
        if isinstance(node, ast.Call) and dotted(node.func, names) == "random.Random" and not node.args:
            yield f"{node.lineno}: random.Random() without a seed"


def prints(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield f"{node.lineno}: print"


def statements(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.search(node.value):
            yield f"{node.lineno}: {node.value[:40]!r}"


RULES = [
    pytest.param(reached_for, "pipeline/clock.py", id="clock, ids and randomness are passed in"),
    pytest.param(prints, "pipeline/cli/", id="only the command prints"),
    pytest.param(statements, "pipeline/store/", id="only the ledger speaks SQL"),
]


@pytest.mark.parametrize(("rule", "allowed"), RULES)
def test_the_product_keeps_the_rule(root: Path, product: list[Path], rule: object, allowed: str) -> None:
    assert callable(rule)
    broken = [
        f"{name}:{found}"
        for path in product
        if not (name := path.relative_to(root).as_posix()).startswith(allowed)
        for found in rule(path.read_text())
    ]
    assert broken == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import time\ntime.time()", True),
        ("from time import monotonic as m\nm()", True),
        ("import datetime as d\nd.datetime.now()", True),
        ("from datetime import datetime\ndatetime.now(UTC)", True),
        ("from datetime import datetime\ndatetime(2026, 1, 1)", False),
        ("import random\nrandom.choice('ab')", True),
        ("import random\nrandom.Random()", True),
        ("import random\nrandom.Random(7).choice('ab')", False),
        ("import random\ndef f(rng: random.Random) -> None: ...", False),
        ("from uuid import uuid4\nuuid4()", True),
        ("import anyio\nasync def f(): await anyio.sleep(1)", True),
        ("import anyio.lowlevel\nasync def f(): await anyio.lowlevel.checkpoint()", False),
        ("from asyncio import sleep\nWAIT = sleep", True),
        ("def f(clock): return clock.time.time()", False),
    ],
)
def test_the_rule_about_clocks_sees_through_imports(source: str, found: bool) -> None:
    assert bool(list(reached_for(source))) is found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("q = 'SELECT id FROM runs'", True),
        ("q = f'DELETE FROM {table}'", True),
        ("q = 'insert a coin into the slot'", False),
        ("q = '<select><field>STATE</field></select>'", False),
    ],
)
def test_the_rule_about_sql_sees_statements_only(source: str, found: bool) -> None:
    assert bool(list(statements(source))) is found


def readable(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("pattern", [MACHINE, REGISTRY], ids=["a path of one machine", "a package registry"])
def test_no_file_names(tracked: list[Path], root: Path, pattern: re.Pattern[str]) -> None:
    named = [
        f"{path.relative_to(root)}: {found.group()}"
        for path in tracked
        if path != Path(__file__) and (found := pattern.search(readable(path)))
    ]
    assert named == []
