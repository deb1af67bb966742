"""Reading YAML: what is typed, what is refused, and where each value stands."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.errors import FlowError
from pipeline.flow import codes
from pipeline.flow.findings import Finding
from pipeline.flow.tree import MAX_BYTES, Tree, parse_tree, read_tree


def refusal(text: str) -> list[str]:
    with pytest.raises(FlowError) as caught:
        parse_tree(text, "f.yaml")
    return [str(finding) for finding in caught.value.findings]


TEXTS = [
    "00123", "01", "08", "12:30", "no", "No", "NO", "on", "off", "yes", "y", "n", "2026-01-02", "1e3", "1.5e3", "+5", ".5", "5.",
    "0x1F", "0o17", "1_000", ".inf", ".nan", "True", "TRUE", "False", "Null", "NULL", "-01", "1.", "- 5", "=", "1234567890123456789",
    "12345678901234567890", "2026-01-31T06:00:00Z", "12:30:45", "0b1", "1,000.50", "$5", "00.5", "--5",
]  # fmt: skip


@pytest.mark.parametrize("scalar", [text for text in TEXTS if text != "- 5"])
def test_scalar_stays_text(scalar: str) -> None:
    assert parse_tree(f"key: {scalar}", "f.yaml").data == {"key": scalar}


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("0", 0), ("7", 7), ("-7", -7), ("123456789012345678", 123456789012345678), ("true", True), ("false", False),
        ("null", None), ("~", None), ("", None), ("1.10", Decimal("1.10")), ("-0.5", Decimal("-0.5")), ("0.1", Decimal("0.1")),
        ('"7"', "7"), ("'true'", "true"), ('""', ""), ("'null'", "null"), ("'~'", "~"),
    ],
)  # fmt: skip
def test_scalar_is_typed(scalar: str, value: object) -> None:
    found = parse_tree(f"key: {scalar}", "f.yaml").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_always_text() -> None:
    data = parse_tree("810: a\nno: b\n2026-01-02: c\ntrue: d\n01: e", "f.yaml").data
    assert list(data) == ["810", "no", "2026-01-02", "true", "01"]


def test_block_scalars_are_text() -> None:
    assert parse_tree("a: |\n  7\nb: >-\n  true\n", "f.yaml").data == {"a": "7\n", "b": "true"}


def test_json_is_a_flow_form_too() -> None:
    assert parse_tree('{"a": [1, "x", null, true]}', "f.yaml").data == {"a": [1, "x", None, True]}


def test_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    tree = read_tree(tmp_path / "f.yaml")
    assert tree.data == {"a": 1}
    assert tree.finding("$.a", "m", code="C").column == 4


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", "f.yaml:1:1: MLC-FLOW-0003 $: the file is empty"),
        ("# nothing\n", "f.yaml:1:1: MLC-FLOW-0003 $: the file is empty"),
        ("---\n", "f.yaml:1:1: MLC-FLOW-0003 $: the file is empty"),
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: MLC-FLOW-0002 $.a: `a` stands here twice; first in line 1"),
        ("x: {y: 1, y: 2}", "f.yaml:1:11: MLC-FLOW-0002 $.x.y: `y` stands here twice; first in line 1"),
        ("a: 1\n---\nb: 1\n", "f.yaml:2:1: MLC-FLOW-0006 $: a file holds one document; a second one starts here"),
        ("a: !!int 5", "f.yaml:1:4: MLC-FLOW-0006 $.a: the tag tag:yaml.org,2002:int means nothing here; leave it out; quote a value to make it a text"),
        ("a: !!python/object/apply:os.system [x]", "f.yaml:1:4: MLC-FLOW-0006 $.a: the tag tag:yaml.org,2002:python/object/apply:os.system means nothing here; leave it out; quote a value to make it a text"),
        ("b: &x {c: 1}\na: { <<: *x }", "f.yaml:2:6: MLC-FLOW-0006 $.a: `<<` does not merge here; write the keys out"),
        ("? [1, 2]\n: x", "f.yaml:1:3: MLC-FLOW-0006 $: a key must be a plain text; quote it when it holds `{` or `[`"),
        ("a: *nix", "f.yaml:1:4: MLC-FLOW-0001 $.a: `*nix` names no value above that is marked `&nix`; quote a text that starts with `*`"),
        ("a: &x [*x]", "f.yaml:1:8: MLC-FLOW-0001 $.a[0]: `*x` names no value above that is marked `&x`; quote a text that starts with `*`"),
        ("a: 1\n\tb: 2\n", "f.yaml:2:1: MLC-FLOW-0001 $: a tab may not indent a line; use spaces"),
        ("a: [1, 2\nb: 3\n", "f.yaml:1:4: MLC-FLOW-0001 $: this `[` is never closed; a comma or its `]` is missing"),
        ("a: {b: 1\n", "f.yaml:1:4: MLC-FLOW-0001 $: this `{` is never closed; a comma or its `}` is missing"),
        ("a: [\n", "f.yaml:2:1: MLC-FLOW-0001 $: a value was expected here; a bracket above may not be closed"),
        ("a: 'x\n", "f.yaml:1:4: MLC-FLOW-0001 $: this quote is never closed"),
        ('a: "x\\d"\n', "f.yaml:1:6: MLC-FLOW-0001 $: this backslash means nothing in double quotes; use single quotes, or write it twice"),
        ("a:\n  - 1\n b: 2\n", "f.yaml:3:2: MLC-FLOW-0001 $: a key was expected here; this line is indented otherwise than those above, or goes on after a closing quote; put the keys of one mapping, or the dashes of one list, exactly below each other"),
        ("- a\nb: 1\n", "f.yaml:2:1: MLC-FLOW-0001 $: a list goes on here without its `- `; put the keys of one mapping, or the dashes of one list, exactly below each other"),
        ("a: - 1\n", "f.yaml:1:4: MLC-FLOW-0001 $: a list may not start on this line; put each `- ` on a line of its own"),
        ("{a: 1}}", "f.yaml:1:7: MLC-FLOW-0001 $: the file should end here; there is a bracket too many, or a line indented wrongly"),
        ("é: a\x07", "f.yaml:1:5: MLC-FLOW-0001 $: the character U+0007 may not stand here"),
        ("a: 1\nb: \ud800", "f.yaml:2:4: MLC-FLOW-0001 $: the character U+D800 may not stand here"),
    ],
)  # fmt: skip
def test_refusal_says_where_and_why(text: str, finding: str) -> None:
    assert refusal(text) == [finding]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: b: c\n", "f.yaml:1:5: MLC-FLOW-0001", "a second `: ` on this line"),
        ("a: @x\n", "f.yaml:1:4: MLC-FLOW-0001", "no value may start with this character"),
        ("a: {b: ${env:X}}", "f.yaml:1:9: MLC-FLOW-0001", "a comma or `}` is missing before this"),
    ],
)
def test_text_that_needs_quotes_is_told_so(text: str, place: str, words: str) -> None:
    (finding,) = refusal(text)
    assert finding.startswith(place)
    assert words in finding
    assert "must be quoted" in finding


def test_every_duplicate_is_reported_at_once() -> None:
    assert [line.split(" ")[0] for line in refusal("a: 1\na: 2\nb: {c: 1, c: 2}\n")] == ["f.yaml:2:1:", "f.yaml:3:11:"]


def test_aliases_share_their_value() -> None:
    assert parse_tree("a: &x {b: 1}\nc: *x\n", "f.yaml").data == {"a": {"b": 1}, "c": {"b": 1}}


def test_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (finding,) = refusal("\n".join(lines))
    assert finding.split(" ")[1] == codes.TOO_LARGE


@pytest.mark.parametrize("text", ["[" * 62 + "]" * 62, "[" * 5000, "a: " * 3 + "{a: " * 500, "- " * 3000 + "x"])
def test_deep_nesting_is_refused(text: str) -> None:
    assert refusal(text)


def test_too_many_values_are_refused() -> None:
    (finding,) = refusal("[" + "1," * 100_001 + "]")
    assert finding.split(" ")[1] == codes.TOO_LARGE


def test_large_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(FlowError) as caught:
        read_tree(tmp_path / "f.yaml")
    (finding,) = caught.value.findings
    assert isinstance(finding, Finding)
    assert finding.code == codes.TOO_LARGE


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the file cannot be read: No such file or directory"),
        (b"a: 1\nb: \xff\n", "the file is not UTF-8 text (byte 8)"),
    ],
)
def test_unreadable_file_is_a_finding(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "f.yaml").write_bytes(content)
    with pytest.raises(FlowError) as caught:
        read_tree(tmp_path / "f.yaml")
    (finding,) = caught.value.findings
    assert isinstance(finding, Finding)
    assert (finding.code, finding.message) == (codes.UNREADABLE, message)


def test_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match="this is not a file"):
        read_tree(tmp_path)


def test_file_below_the_working_directory_is_named_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "f.yaml").write_text("a: 1")
    monkeypatch.chdir(tmp_path)
    assert read_tree(tmp_path / "flows" / "f.yaml").file == "flows/f.yaml"
    monkeypatch.chdir(tmp_path / "flows")
    assert read_tree(tmp_path / "flows" / "f.yaml").file == "f.yaml"


def test_file_elsewhere_keeps_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "f.yaml").write_text("a: 1")
    monkeypatch.chdir(tmp_path / "here")
    assert read_tree(tmp_path / "f.yaml").file == str(tmp_path / "f.yaml")


PLACES = """\
stages:
  - bills: { source: x }
  - ok:
      filter: "a == 1"
      other: a == 1
units: { A.B: 1, A: { B: 2 } }
"""


@pytest.fixture
def places() -> Tree:
    return parse_tree(PLACES, "f.yaml")


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        ("$", False, (1, 1)),
        ("$.stages", False, (2, 3)),
        ("$.stages", True, (1, 1)),
        ("$.stages[0].bills.source", False, (2, 22)),
        ("$.stages[0].bills.source", True, (2, 14)),
        ("$.stages[1].ok", True, (3, 5)),
        ("$.stages[1].ok.filter", False, (4, 15)),
        ("$.stages[1].ok.nix", False, (4, 7)),
        ("$.stages[1].ok.nix.deeper", True, (4, 7)),
        ("$.stages[9]", False, (2, 3)),
        ("$.units.A.B", False, (6, 15)),
        ("$.units.A.B", True, (6, 10)),
        ("$.nix", True, (1, 1)),
    ],
)
def test_finding_stands_at_its_path(places: Tree, path: str, key: bool, place: tuple[int, int]) -> None:
    finding = places.finding(path, "m", code="C", key=key)
    assert (finding.line, finding.column) == place
    assert finding.path == path


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ('a: "b == 1"', 7),
        ("a: b == 1", 6),
        ("a: 'b == 1'", 7),
        ("a: 'it''s'", 4),
        ('a: "\\tx"', 4),
        ("a: |\n  b == 1", 4),
    ],
)
def test_offset_counts_only_where_columns_and_characters_agree(text: str, column: int) -> None:
    assert parse_tree(text, "f.yaml").finding("$.a", "m", code="C", offset=2).column == column


@given(st.text())
@example("[" * 2000)
@example("&a [*a]")
@example("%YAML 9.9\n---\na")
@example("a: !<x> 1")
@example("? ? ? a")
@example("\x85\u2028: \u2029")
@example("{? : }")
@example("\ufeff\ufeffa: 1")
def test_random_text_is_read_or_refused(text: str) -> None:
    _read_or_refuse(text)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@`#,? \n\t0123.~<", max_size=60))
def test_random_yaml_is_read_or_refused(text: str) -> None:
    _read_or_refuse(text)


def _read_or_refuse(text: str) -> None:
    try:
        tree = parse_tree(text, "f.yaml")
    except FlowError as error:
        findings = error.findings
    else:
        assert _only_our_types(tree.data)
        return
    assert findings
    assert all(isinstance(f, Finding) and f.line >= 1 and f.column >= 1 for f in findings)


def _only_our_types(value: Any) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str and _only_our_types(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_only_our_types(item) for item in value)
    return value is None or type(value) in (str, int, bool, Decimal)
