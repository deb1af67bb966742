"""References: found, resolved after parsing, never shown."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import FlowError
from pipeline.flow.findings import Finding
from pipeline.flow.model import Connection
from pipeline.flow.references import UnresolvedError, connect_settings, find_references, resolve
from pipeline.flow.tree import parse_tree
from pipeline.secrets import Secret
from pipeline.stage import ConnectionSpec


class Auth(msgspec.Struct, frozen=True, kw_only=True):
    user: str
    password: Secret


class Config(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    auth: Auth | None = None
    port: int = 0

    def __post_init__(self) -> None:
        if not self.url.startswith("http"):
            raise ValueError(f"bad url {self.url}")


def _open(settings: Any, context: Any) -> AbstractAsyncContextManager[Any]:
    raise NotImplementedError


SPEC = ConnectionSpec(name="books", config=Config, open=_open)


def connection(text: str) -> Connection:
    tree = parse_tree(f"connections:\n  books:\n    {text}\n", "f.yaml")
    return Connection(name="books", type="books", settings=tree.data["connections"]["books"], line=2, tree=tree)


def refused(text: str, environment: dict[str, str], folder: Path) -> tuple[FlowError, list[str]]:
    with pytest.raises(FlowError) as caught:
        connect_settings(connection(text), SPEC, environment, folder)
    return caught.value, [str(finding) for finding in caught.value.findings]


def test_references_are_found_with_their_paths() -> None:
    data = {"a": "${env:X}", "b": ["plain", "x-${env:Y:-z}-${file:/run/s}"], "c": 5}
    found = find_references(data)
    assert [(path, ref.scheme, ref.name, ref.default, ref.text) for path, ref in found] == [
        ("$.a", "env", "X", None, "${env:X}"),
        ("$.b[1]", "env", "Y", "z", "${env:Y:-z}"),
        ("$.b[1]", "file", "/run/s", None, "${file:/run/s}"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${env:SET}", "value"),
        ("a${env:SET}b${env:SET}", "avaluebvalue"),
        ("${env:SET:-other}", "value"),
        ("${env:UNSET:-https://x/y:8080}", "https://x/y:8080"),
        ("${env:UNSET:-}", ""),
        ("${env:EMPTY:-other}", "other"),
        ("${env:TRICKY}", "a: [${env:SET}]"),
        ("no reference $SET {x}", "no reference $SET {x}"),
    ],
)
def test_reference_resolves(text: str, expected: str, tmp_path: Path) -> None:
    environment = {"SET": "value", "EMPTY": "", "TRICKY": "a: [${env:SET}]"}
    assert resolve({"a": [text]}, environment, tmp_path) == {"a": [expected]}


def test_value_stays_a_text_whatever_it_looks_like(tmp_path: Path) -> None:
    assert resolve({"a": "${env:X}", "b": 5, "c": None}, {"X": "7"}, tmp_path) == {"a": "7", "b": 5, "c": None}


def test_file_gives_its_text_without_the_last_line_break(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"hush\r\n")
    assert resolve("${file:secret}", {}, tmp_path) == "hush"
    assert resolve("${file:" + str(tmp_path / "secret") + "}", {}, Path("/nowhere")) == "hush"


def test_all_references_without_a_value_are_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"\xff")
    (tmp_path / "big").write_bytes(b"x" * 70_000)
    data = [
        "${env:A}${env:B}",
        "${file:nix}",
        "${file:bad}",
        "${file:big}",
        "${file:.}",
        "${vault:x}",
        "${env:A-b}",
        "${env:A",
    ]
    with pytest.raises(UnresolvedError) as caught:
        resolve(data, {"A": ""}, tmp_path)
    form = "write ${env:NAME}, ${env:NAME:-default} or ${file:/path}"
    assert [(path, why) for path, _, why in caught.value.problems] == [
        ("$[0]", "the environment variable A is not set"),
        ("$[0]", "the environment variable B is not set"),
        ("$[1]", "the file nix cannot be read: No such file or directory"),
        ("$[2]", "the file bad is not UTF-8 text"),
        ("$[3]", "the file big is larger than 65536 bytes"),
        ("$[4]", ". is not a file"),
        ("$[5]", f"`${{vault:x}}` is no reference; {form}"),
        ("$[6]", f"`${{env:A-b}}` is no reference; {form}"),
        ("$[7]", f"`${{env:A` is no reference; {form}"),
    ]


def test_settings_are_converted_and_secrets_wrapped(tmp_path: Path) -> None:
    text = 'url: "${env:URL}"\n    auth: { user: u, password: "${env:PW}" }\n    port: "${env:PORT:-8080}"'
    settings = connect_settings(connection(text), SPEC, {"URL": "http://x", "PW": "hush"}, tmp_path)
    assert settings == Config(url="http://x", auth=Auth(user="u", password=Secret("hush")), port=8080)
    assert "hush" not in repr(settings)


def test_unset_variables_are_findings_at_their_places(tmp_path: Path) -> None:
    error, findings = refused('url: "${env:URL}"\n    auth: { user: u, password: "${env:PW}" }', {}, tmp_path)
    assert error.exit_code == 2
    assert findings == [
        "f.yaml:3:10: MLC-FLOW-0035 $.connections.books.url: the environment variable URL is not set",
        "f.yaml:4:32: MLC-FLOW-0035 $.connections.books.auth.password: the environment variable PW is not set",
    ]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ('url: "http://x"\n    port: "${env:PW}"', "f.yaml:4:11: MLC-FLOW-0012 $.connections.books.port: expected a whole number, but ${env:PW} gives something else"),
        ('url: "${env:PW}"', "f.yaml:3:5: MLC-FLOW-0012 $.connections.books: what ${env:PW} gives breaks a rule of `url`"),
        ("url: ftp", "f.yaml:3:5: MLC-FLOW-0012 $.connections.books: bad url ftp"),
    ],
)  # fmt: skip
def test_value_of_a_variable_is_in_no_finding(text: str, finding: str, tmp_path: Path) -> None:
    error, findings = refused(text, {"PW": "hunter2"}, tmp_path)
    assert findings == [finding]
    assert "hunter2" not in str(error) + repr(error.args) + repr(error.findings)


def rule_of(rule: str, settings: str, values: dict[str, str], folder: Path) -> str:
    """What is said when a struct with the text settings ``url`` and ``key`` breaks a rule that says ``rule``."""

    class Strict(msgspec.Struct, frozen=True, kw_only=True):
        url: str
        key: Secret = Secret("")

        def __post_init__(self) -> None:
            raise ValueError(rule.format(url=self.url, key=self.key.reveal(), host=self.url.split("/")[2:3]))

    spec = ConnectionSpec(name="books", config=Strict, open=_open)
    with pytest.raises(FlowError) as caught:
        connect_settings(connection(settings), spec, values, folder)
    assert caught.value.findings[0].message in caught.value.why  # type: ignore[attr-defined]
    return caught.value.why


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("url must be https", "url must be https (`url` is ${env:URL:-https://x})"),
        ("these do not go together", "these do not go together"),
        ("url {url} is bad", "what ${env:URL:-https://x} gives breaks a rule of `url`"),
        ("the key {key} is bad", "what Bearer ${env:KEY} gives breaks a rule of `key`"),
        ("the host {host} is bad", "what ${env:URL:-https://x} and Bearer ${env:KEY} gives breaks a rule of these settings"),
        ("not HTTP://MAIL.EXAMPLE.COM/X", "what ${env:URL:-https://x} and Bearer ${env:KEY} gives breaks a rule of these settings"),
        ("do not use hunter2 here", "what ${env:URL:-https://x} and Bearer ${env:KEY} gives breaks a rule of these settings"),
    ],
)  # fmt: skip
def test_a_rule_says_its_own_text_unless_that_shows_a_value(rule: str, why: str, tmp_path: Path) -> None:
    settings = 'url: "${env:URL:-https://x}"\n    key: "Bearer ${env:KEY}"'
    values = {"URL": "http://mail.example.com/x", "KEY": "hunter2"}
    assert rule_of(rule, settings, values, tmp_path) == why


@pytest.mark.parametrize(("value", "shown"), [("ab", True), ("me", False), ("in", True), ("a b", False), ("", True)])
def test_a_short_value_counts_as_a_word_only(value: str, shown: bool, tmp_path: Path) -> None:
    said = rule_of("name me a b; abc, line", 'url: "${env:A:-}"', {"A": value}, tmp_path)
    assert ("name me a b" in said) is shown


def test_connection_without_its_file_still_names_line_and_path(tmp_path: Path) -> None:
    bare = Connection(name="books", type="books", settings={"url": "${env:URL}"}, line=7)
    with pytest.raises(FlowError) as caught:
        connect_settings(bare, SPEC, {}, tmp_path)
    (finding,) = caught.value.findings
    assert isinstance(finding, Finding)
    assert (finding.line, finding.path) == (7, "$.connections.books.url")


@given(st.text(), st.dictionaries(st.sampled_from(["A", "B"]), st.text()))
def test_text_without_references_is_unchanged(text: str, environment: dict[str, str]) -> None:
    if "${" not in text:
        assert resolve(text, environment, Path()) == text


@given(st.text())
def test_value_is_taken_as_it_is(value: str) -> None:
    expected = value or "none"
    assert resolve("${env:A:-none}", {"A": value}, Path()) == expected
