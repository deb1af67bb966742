"""The reference says what the product does: no setting, option, code or JSON member is missing from it, and none is invented."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
import typing
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer.main

import pipeline
from pipeline import Adapter, Allowance, Context, Duration, StageError, StageSpec
from pipeline.cli import main as command
from pipeline.cli.acks import acknowledgement_json
from pipeline.cli.drift import Compared, drift_json
from pipeline.cli.outages import outage_json
from pipeline.cli.reconcile import reconciliation_json
from pipeline.cli.usage import gauge_json
from pipeline.engine.meter import Gauge
from pipeline.engine.reconcile import Difference, Reconciled, Reconciliation
from pipeline.engine.survey import Survey
from pipeline.errors import ConnectorError
from pipeline.flow import codes
from pipeline.flow.expression import FUNCTIONS
from pipeline.flow.load import load_flow
from pipeline.flow.stages import _KEYS, VERBS, Defaults
from pipeline.record import Drift, Tally, Window
from pipeline.registry import load_registry
from pipeline.store import reports
from pipeline.store.rows import Problem
from stages.ap.partners import Partner, load_partners
from stages.intacct.protocol import fields

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


def page(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text()


def sections(text: str) -> dict[str, str]:
    """The text below each heading of the second level, by the heading."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip((title.strip("` ") for title in parts[1::2]), parts[2::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """The cells of every table row whose first cell is one code word: ``| `key` | ... |``."""
    found = [line.strip().strip("|") for line in text.splitlines() if line.lstrip().startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in found]


def fences(text: str, words: str) -> list[tuple[str, str]]:
    """(rest of the info string, content) of every fenced block whose info string starts with these words."""
    blocks = re.findall(r"^```([^\n]*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [(info[len(words) :].strip(), body) for info, body in blocks if info.startswith(words)]


# --- settings --------------------------------------------------------------------------------------------------------


def settings(struct: type[msgspec.Struct], prefix: str = "") -> dict[str, str]:
    """Every key of a settings struct by its dotted path, and its default as the reference writes it."""
    found: dict[str, str] = {}
    for field in msgspec.structs.fields(struct):
        path = f"{prefix}{field.encode_name}"
        if inner := _struct_in(field.type):
            found |= settings(inner, f"{path}{_step(field.type)}.")
        else:
            found[path] = _default(field)
    return found


def _struct_in(type_: Any) -> type[msgspec.Struct] | None:
    """The struct that a field holds, alone, in a list or in a mapping."""
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return type_
    return next((inner for each in typing.get_args(type_) if (inner := _struct_in(each))), None)


def _step(type_: Any) -> str:
    origin = typing.get_origin(type_)
    return ".NAME" if origin is dict else "[]" if origin in (list, tuple) else ""


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None:
        return "none"
    if isinstance(value, Duration):
        return f"`{_duration(value)}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(value)}]`" if value else "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    text = value.reveal() if hasattr(value, "reveal") else str(value)
    return "empty" if not text or value in ({}, []) else f"`{json.dumps(text)}`" if text.isspace() else f"`{text}`"


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if seconds >= size and seconds % size == 0 and not (unit == "d" and seconds == size):
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms"


def adapters() -> list[Adapter]:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["ml_connector.adapters"]
    loaded = [importlib.import_module(place.partition(":")[0]).ADAPTER for place in points.values()]
    return sorted(loaded, key=lambda adapter: adapter.name)


def documented(text: str) -> dict[str, str]:
    """Key to default, of the tables of a section."""
    return {cells[0].strip("`"): cells[1] for cells in rows(text)}


CONNECTIONS = {spec.name: spec for adapter in adapters() for spec in adapter.connections}
STAGES: dict[str, list[StageSpec]] = {}  # a source and a sink may share a name, and then a section
for _spec in (spec for adapter in adapters() for spec in adapter.stages):
    STAGES.setdefault(_spec.name, []).append(_spec)


@pytest.mark.parametrize("name", CONNECTIONS)
def test_every_connection_setting_is_documented_with_its_default(name: str) -> None:
    assert documented(sections(page("connections"))[name]) == settings(CONNECTIONS[name].config)


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_and_each_of_its_settings_is_documented(name: str) -> None:
    known = {key: default for spec in STAGES[name] if spec.config for key, default in settings(spec.config).items()}
    assert documented(sections(page("flow-files"))[name]) == known


def test_every_key_of_partner_files_is_documented_with_its_default() -> None:
    text = sections(page("partner-files"))
    assert documented(text["Keys"]) | documented(text["The guide"]) == settings(Partner)


def test_every_key_and_verb_of_flow_files_is_documented() -> None:
    text = sections(page("flow-files"))
    assert set(documented(text["Verbs"])) == set(VERBS)
    engine = {key for keys in _KEYS.values() for key in keys}
    assert set(documented(text["Keys of a stage"])) == engine
    for key, cell in documented(text["Keys of a stage"]).items():
        named = set(re.findall(r"`(\w+)`", cell))
        assert named == {verb for verb, keys in _KEYS.items() if key in keys}, key
    assert documented(text["Defaults"]) == settings(Defaults) | {
        "retry.times": "`8`",
        "retry.first": "`1s`",
        "retry.max": "`5m`",
    }


def test_every_function_of_expressions_is_documented() -> None:
    assert {key.partition("(")[0] for key in documented(sections(page("flow-files"))["Expressions"])} == set(FUNCTIONS)


def test_every_intacct_object_and_field_is_documented() -> None:
    wishes = [value for value in vars(fields).values() if isinstance(value, fields.Wish)]
    table = {cells[0]: ", ".join(cells[1:]) for cells in table_rows(sections(page("connections"))[GRANTS])}
    plain = {
        wish.object: {field for field in (*wish.required, *wish.optional) if field.partition(".")[0] not in CONTACTS}
        for wish in wishes
    }
    unknown = {name: plain[name] - set(re.findall(r"[\w.]+", table[name])) for name in plain}
    assert [name for name, left in unknown.items() if left] == []


GRANTS = "What the Intacct user needs"
CONTACTS = {*fields.DISPLAY_CONTACT, *fields.PAY_TO}


def table_rows(text: str) -> list[list[str]]:
    found = [line.strip().strip("|") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")] for line in found]


def test_every_variable_of_the_shipped_flows_is_documented_with_its_default() -> None:
    text = "".join(path.read_text() for path in (ROOT / "flows").glob("*.yaml"))
    named = dict(re.findall(r"\$\{env:(\w+)(?::-([^}]*))?\}", text))
    listed = {
        name: cells[1]
        for cells in rows(sections(page("connections"))["Variables"])
        for name in re.findall(r"`(\w+)`", cells[0])
    }
    assert set(listed) == set(named)
    assert {name: default for name, default in named.items() if default not in listed[name]} == {}


# --- examples --------------------------------------------------------------------------------------------------------


def _example(folder: Path, text: str) -> Path:
    """A folder with the shipped partner files and example stage, and over them the files that a page shows."""
    shutil.copytree(ROOT / "flows", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".ml-connector"))
    for name, body in fences(text, "yaml file="):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(body)
    return folder


@pytest.mark.parametrize("name", ["flow-files", "connections", "partner-files", "stage-contracts"])
def test_every_complete_flow_in_the_reference_loads(name: str, tmp_path: Path) -> None:
    folder = _example(tmp_path, page(name))
    for file, body in fences(page(name), "yaml flow="):
        (folder / file).write_text(body)
        flow, findings = load_flow(folder / file, load_registry(), {})
        assert [str(finding) for finding in findings if finding.severity == "error"] == []
        assert flow is not None


def test_the_partner_files_in_the_reference_have_no_findings(tmp_path: Path) -> None:
    for name, body in fences(page("partner-files"), "yaml file=partners/"):
        (tmp_path / name).write_text(body)
    assert len(list(tmp_path.iterdir())) >= 2
    partners, findings = load_partners(tmp_path)
    assert (partners is not None, findings) == (True, [])


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def verbs() -> dict[str, list[str]]:
    """The options and arguments of each verb, as typer has them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["ml-connector", "--help"])
        with pytest.raises(SystemExit):
            command.main()
    group = typer.main.get_command(command.app)
    assert isinstance(group, typer.core.TyperGroup)
    flat: dict[str, Any] = {}
    for name, verb in group.commands.items():
        inner = verb.commands if isinstance(verb, typer.core.TyperGroup) else None
        flat |= {f"{name} {each}": one for each, one in inner.items()} if inner else {name: verb}
    return {name: [option for parameter in verb.params for option in parameter.opts] for name, verb in flat.items()}


def test_every_verb_and_option_is_documented_and_none_is_invented(verbs: dict[str, list[str]]) -> None:
    text = sections(page("commands"))
    simulators = [adapter.simulator for adapter in adapters() if adapter.simulator]
    own = {f"--{each.name}-port" for each in simulators} | {f"--{x.name}-profile" for x in simulators if x.profiles}
    for verb, options in verbs.items():
        wanted = {each for each in options if each != "--help"} | (own if verb == "simulate" else set())
        assert {key.partition(" ")[0] for key in documented(text[verb])} == wanted, verb
    assert set(documented(text["Verbs"])) == set(verbs)


def test_every_profile_of_a_simulator_is_documented() -> None:
    text = sections(page("commands"))["simulate"]
    for adapter in adapters():
        for profile in adapter.simulator.profiles if adapter.simulator else ():
            assert f"\n| {profile} | " in text


def test_every_exit_code_is_documented() -> None:
    def classes(base: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
        yield base
        for each in base.__subclasses__():
            yield from classes(each)

    raised = {str(each.exit_code) for each in classes(ConnectorError) if each.__module__.startswith("pipeline.")}
    assert raised | {"0", "3", "5", "7", "130", "143"} == set(documented(sections(page("commands"))["Exit codes"]))


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the command really prints, by schema; `show` by its kind. The example flow needs no network."""
    folder = tmp_path_factory.mktemp("printed")
    shutil.copytree(
        ROOT / "flows" / "examples", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".ml-connector")
    )
    calls = [
        "run small_bills.yaml",
        "check small_bills.yaml",
        "doctor small_bills.yaml",
        "run small_bills.yaml --estimate",
        "docs --limit 1",
        "dead",
        "acks",
        "status",
        "runs --limit 1",
    ]
    calls += ["show r-1", "show d-1", "show v-1", "show x-1", "show 88121", "show nothing", "replay x-1"]
    found = {}
    for call in calls:
        value = json.loads(_run(folder, *call.split(), "--json"))
        found[" ".join([value["schema"], value.get("kind", "")]).strip()] = value
    # The example's documents expect no answer: what an item is made of is shown on an empty row.
    found["mlc.acks/1"]["items"] = [acknowledgement_json(dict.fromkeys(reports._ACKNOWLEDGEMENT))]
    # Comparing needs a far side: the printer is given what was found.
    differs = Drift(kind="differs", key="K", name="N", fields={"city": ("Salem", "Keene")})
    unknown = {"V-1": Problem("data", "MLC-AP-0003", "EDI desk", "what")}
    found["mlc.drift/1"] = drift_json([Compared("vendors", folder, Survey("written", 1, [differs], unknown))])
    difference = Difference(kind="never read", key="K", alias="1", label="L", books=("USD", Decimal(1)))
    tallies = [Tally("USD", 1, Decimal(1))]
    source = Reconciled(
        stage="bills", component="c", counted=tallies, listed=tallies, ledger=tallies, differences=[difference]
    )
    found["mlc.reconcile/1"] = reconciliation_json("bills", Window(), Reconciliation([source], []))
    # The example uses nobody's calls: what a meter is made of is shown on one that is made up.
    meter = gauge_json(
        Gauge(allowance=Allowance(account="A"), month=date(2026, 11, 1), used=1, forecast=1, run=1, run_used=1)
    )
    found["mlc.status/1"]["meters"] = [meter]
    failing = Problem("transient", "MLC-AP-0003", "IT", "what", "where", "why", "mend").text()
    found["mlc.status/1"]["outages"] = [outage_json(dict.fromkeys(reports._OUTAGE) | {"problem": failing})]
    found["mlc.estimate/1"] |= {
        "accounts": [{"account": "A", "calls": 1, "meter": meter}],
        "spent": [{"account": "A", "calls": 1}],
    }
    return found


def _run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=folder,
        env={"MLC_STORE": f"sqlite:///{folder}/ledger.db", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.stdout


def _samples() -> dict[str, Any]:
    return {name: json.loads(body) for name, body in fences(page("commands"), "json")}


@pytest.mark.parametrize("name", _samples() if (REFERENCE / "commands.md").exists() else [])
def test_a_sample_has_the_members_that_are_really_printed(name: str, printed: dict[str, Any]) -> None:
    sample = _samples()[name]
    real = {"schema": "mlc.demo/1", "flows": [printed["mlc.run/1"]], "balanced": True}
    assert _shape(sample) == _shape(real if name == "mlc.demo/1" else printed[name])


def test_every_schema_has_a_sample(printed: dict[str, Any]) -> None:
    assert set(_samples()) == {*printed, "mlc.demo/1"}


def _shape(value: Any) -> Any:
    """The members of an object and of the first object in each list; what depends on data (currencies, counts) is left out."""
    if isinstance(value, dict):
        return {key: _shape(member) for key, member in value.items() if key not in ("amounts", "numbers", "findings")}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_shape(value[0])]
    return None


# --- stage contracts -------------------------------------------------------------------------------------------------


def test_every_field_of_a_stages_declaration_and_context_is_documented() -> None:
    listed = documented(sections(page("stage-contracts"))["Declaring a stage"])
    assert set(listed) == {*StageSpec.__struct_fields__, *Context.__struct_fields__}


def test_every_class_of_failure_is_documented_with_its_failure() -> None:
    raised = {each.__name__: each.failure for each in vars(pipeline).values() if _is_failure(each)}
    listed = documented(sections(page("stage-contracts"))["Failures"])
    assert listed == raised


def _is_failure(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, StageError) and value is not StageError


# --- error codes -----------------------------------------------------------------------------------------------------

CODE = re.compile(r"MLC-[A-Z0-9]+-[0-9]{4}")
PREFIXED = re.compile(r'f"(MLC-[A-Z0-9]+-)\{number\}"')


def sources() -> list[Path]:
    return sorted([*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "stages").rglob("*.py")])


def used() -> set[str]:
    """Every code the product can show: literals, and the numbers given to a function that adds the prefix."""
    found: set[str] = set()
    for path in sources():
        text = path.read_text()
        found |= set(CODE.findall(text))
        for prefix in PREFIXED.findall(text):
            found |= {prefix + number for number in re.findall(r'"([0-9]{4})"', text)}
    return found


def test_every_code_is_documented_and_none_is_invented() -> None:
    table = documented(page("error-codes"))
    assert sorted(table) == sorted(used())


def test_each_code_stands_once() -> None:
    listed = [cells[0] for cells in rows(page("error-codes"))]
    assert [code for code in listed if listed.count(code) > 1] == []


def test_codes_of_flow_files_have_the_meaning_that_the_code_gives_them() -> None:
    table = {cells[0].strip("`"): cells[-1] for cells in rows(page("error-codes"))}
    assert {code: table[code] for code in codes.MEANINGS} == {
        code: meaning.replace("|", "\\|") for code, meaning in codes.MEANINGS.items()
    }


def owners() -> dict[str, set[str]]:
    """Who owns each code, where the call that raises it says so itself."""
    found: dict[str, set[str]] = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                named = {word.arg: word.value for word in node.keywords if word.arg}
                code, owner = named.get("code"), named.get("owner", _usual_owner(node))
                if (
                    isinstance(code, ast.Constant)
                    and CODE.fullmatch(str(code.value))
                    and isinstance(owner, ast.Constant)
                ):
                    found.setdefault(str(code.value), set()).add(str(owner.value))
    return found


def _usual_owner(node: ast.Call) -> ast.Constant | None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name == "Held":
        return ast.Constant("AP")
    if name == "FlowError":
        return ast.Constant("EDI desk")
    return ast.Constant("IT") if name == "Rule" or name.endswith(("Error", "Denied", "Large", "kind")) else None


def test_documented_owners_are_those_the_code_names() -> None:
    table = {code: set(cell.split(", ")) for code, cell in documented(page("error-codes")).items()}
    wrong = {code: named for code, named in owners().items() if not named <= table[code]}
    assert wrong == {}


# --- links -----------------------------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The anchors that a viewer makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_link_to_a_heading_leads_to_one() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{path.relative_to(ROOT)}: {target}#{anchor}"
        for path in pages
        for target, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)]+)\)", path.read_text())
        if anchor not in anchors(((path.parent / target) if target else path).read_text())
    ]
    assert broken == []
