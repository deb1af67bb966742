"""Stages a flow brings along in a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.flow.findings import Finding
from pipeline.flow.model import Flow
from pipeline.stage import StageSpec

Load = Callable[..., tuple[Flow | None, list[Finding]]]

FLOW = """\
flow: bills
stages:
  - rows: {{ source: lists.rows }}
  - flagged: {{ {verb}: {component} }}
  - gone: {{ sink: lists.gone }}
"""

CODE = '''\
"""Flags bills."""
from __future__ import annotations
import dataclasses
from pipeline import StageSpec

@dataclasses.dataclass
class Flag:
    colour: str = "red"

def flag(record):
    """Sets a flag."""
    return record.replace(label=Flag().colour)

def _private(record):
    return record

wanted = StageSpec(name="wanted", verb="filter", build=lambda settings, context: flag)
number = 7
'''


def flow(component: str, verb: str = "map") -> str:
    return FLOW.format(verb=verb, component=component)


@pytest.fixture
def code(folder: Path) -> Path:
    (folder / "examples").mkdir()
    (folder / "examples" / "flag.py").write_text(CODE)
    return folder / "examples" / "flag.py"


def spec(loaded: Flow | None) -> StageSpec:
    assert loaded is not None
    found = loaded.stage("flagged").spec
    assert found is not None
    return found


@pytest.mark.parametrize("component", ["examples/flag.py:flag", "./examples/flag.py:flag"])
def test_function_is_a_map(load: Load, code: Path, component: str) -> None:
    loaded, findings = load(flow(component))
    assert findings == []
    built: Any = spec(loaded).build(None, None)  # type: ignore[arg-type]
    assert built.__name__ == "flag"
    assert spec(loaded).doc == "Sets a flag."


def test_stage_spec_serves_any_verb(load: Load, code: Path) -> None:
    loaded, findings = load(flow("examples/flag.py:wanted", "filter"))
    assert findings == []
    assert spec(loaded).name == "wanted"


def test_code_enters_the_digest(load: Load, code: Path) -> None:
    first, _ = load(flow("examples/flag.py:flag"))
    again, _ = load(flow("examples/flag.py:flag"))
    code.write_text(CODE.replace("red", "tan"))  # same length, so that only the bytes tell
    changed, _ = load(flow("examples/flag.py:flag"))
    assert first is not None
    assert again is not None
    assert changed is not None
    assert first.digest == again.digest != changed.digest


def test_changed_code_is_the_code_that_runs(load: Load, code: Path) -> None:
    from pipeline import Record

    load(flow("examples/flag.py:flag"))
    code.write_text(CODE.replace("red", "tan"))
    loaded, _ = load(flow("examples/flag.py:flag"))
    built: Any = spec(loaded).build(None, None)  # type: ignore[arg-type]
    assert built(Record(key="1", kind="bill", body=None)).label == "tan"


def test_no_bytecode_is_left_beside_the_code(load: Load, code: Path) -> None:
    load(flow("examples/flag.py:flag"))
    assert [path.name for path in code.parent.iterdir()] == ["flag.py"]


@pytest.mark.parametrize(
    ("component", "verb", "finding"),
    [
        ("examples/nix.py:flag", "map", "MLC-FLOW-0060 $.stages[1].flagged.map: there is no file examples/nix.py beside the flow file"),
        ("../flag.py:flag", "map", "MLC-FLOW-0060 $.stages[1].flagged.map: ../flag.py lies outside the flow's folder; move it beside the flow file"),
        ("/etc/flag.py:flag", "map", "MLC-FLOW-0060 $.stages[1].flagged.map: /etc/flag.py lies outside the flow's folder; move it beside the flow file"),
        ("examples/flag.py:falg", "map", "MLC-FLOW-0062 $.stages[1].flagged.map: examples/flag.py has no `falg`; did you mean `flag`?"),
        ("examples/flag.py:number", "map", "MLC-FLOW-0062 $.stages[1].flagged.map: `number` in examples/flag.py is neither a function nor a StageSpec"),
        ("examples/flag.py:flag", "encode", "MLC-FLOW-0062 $.stages[1].flagged.encode: `flag` in examples/flag.py is a function, which can only be a map; name a StageSpec"),
        ("examples/flag.py:wanted", "map", "MLC-FLOW-0026 $.stages[1].flagged.map: `examples/flag.py:wanted` is not for `map`; write `filter: examples/flag.py:wanted`"),
    ],
)  # fmt: skip
def test_component_that_cannot_be_had_is_a_finding(
    load: Load, code: Path, component: str, verb: str, finding: str
) -> None:
    loaded, findings = load(flow(component, verb))
    assert loaded is None
    column = len(f"  - flagged: {{ {verb}: ") + 1
    assert [str(each) for each in findings] == [f"flow.yaml:4:{column}: {finding}"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import nix_nix\n", "examples/flag.py:1 fails: ModuleNotFoundError: No module named 'nix_nix'"),
        ("a = 1\n1 / 0\n", "examples/flag.py:2 fails: ZeroDivisionError: division by zero"),
        ("def f(:\n", "examples/flag.py:1 fails: SyntaxError: invalid syntax"),
        ("raise SystemExit(3)\n", "examples/flag.py:1 fails: SystemExit: 3"),
        ("raise ValueError\n", "examples/flag.py:1 fails: ValueError: without a message"),
    ],
)
def test_code_that_fails_is_a_finding_with_its_line(load: Load, code: Path, text: str, why: str) -> None:
    code.write_text(text)
    _, (finding,) = load(flow("examples/flag.py:flag"))
    assert (finding.code, finding.message) == ("MLC-FLOW-0061", why)


def test_link_out_of_the_folder_is_refused(load: Load, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "flag.py"
    outside.write_text(CODE)
    (folder / "flag.py").symlink_to(outside)
    _, (finding,) = load(flow("flag.py:flag"))
    assert finding.code == "MLC-FLOW-0060"


def test_settings_for_a_function_are_refused(load: Load, code: Path) -> None:
    _, (finding,) = load(flow("examples/flag.py:flag, with: { a: 1 }"))
    assert finding.message == "`examples/flag.py:flag` takes no settings"


def test_file_named_twice_is_imported_once(load: Load, folder: Path) -> None:
    (folder / "log.py").write_text(
        "with open('log', 'a') as f:\n    f.write('x')\ndef a(r): return r\ndef b(r): return r\n"
    )
    text = flow("log.py:a").replace("  - gone", "  - other: { map: log.py:b }\n  - gone")
    loaded, _ = load(text)
    assert loaded is not None
    assert (folder / "log").read_text() == "x"
