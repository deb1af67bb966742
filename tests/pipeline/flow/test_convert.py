"""Data to typed settings: everything that does not fit, at once, in plain words."""

from __future__ import annotations

import enum
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from pipeline.flow.convert import convert
from pipeline.flow.duration import Duration
from pipeline.flow.expression import Expression
from pipeline.flow.tree import parse_tree
from pipeline.secrets import Secret


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Isa(msgspec.Struct, frozen=True):
    qualifier: str
    id: str


class Basic(msgspec.Struct, frozen=True, tag="basic", tag_field="kind"):
    user: str


class Token(msgspec.Struct, frozen=True, tag="token", tag_field="kind"):
    token: Secret


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    isa: Isa | None = None
    mode: Literal["replace", "hold"] = "replace"
    colour: Colour = Colour.RED
    count: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    ratio: float = 0.5
    amount: Decimal = Decimal(0)
    within: Duration = Duration(1)
    when: Expression | None = None
    password: Secret | None = None
    day: date | None = None
    file: Path | None = None
    flag: bool = False
    units: dict[str, str] = {}
    ports: dict[str, Isa] = {}
    ids: tuple[Isa, ...] = ()
    vendors: Annotated[list[str], msgspec.Meta(max_length=2)] = []
    auth: Basic | Token | None = None
    either: int | str = 0
    anything: Any = None
    first: Isa | str = ""

    def __post_init__(self) -> None:
        if self.name == "forbidden":
            raise ValueError("the name may not be forbidden")


def found(text: str) -> list[str]:
    value, findings = parse_tree(text, "f.yaml").convert("$", Settings, code="C")
    assert (value is None) == bool(findings)
    return [str(finding) for finding in findings]


def converted(text: str) -> Settings:
    value, findings = parse_tree(text, "f.yaml").convert("$", Settings, code="C")
    assert findings == []
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("ratio: 0.25", "ratio", 0.25),
        ("ratio: 3", "ratio", 3.0),
        ("amount: 1.10", "amount", Decimal("1.10")),
        ("amount: 7", "amount", Decimal(7)),
        ('amount: "12.50"', "amount", Decimal("12.50")),
        ("within: 24h", "within", 86400.0),
        ("when: a == 1", "when", Expression("a == 1")),
        ("password: hush", "password", Secret("hush")),
        ("day: 2026-01-31", "day", date(2026, 1, 31)),
        ("file: a/b", "file", Path("a/b")),
        ("flag: true", "flag", True),
        ("colour: blue", "colour", Colour.BLUE),
        ("units: { CS: CA }", "units", {"CS": "CA"}),
        ("ids: [{ qualifier: 01, id: 08 }]", "ids", (Isa("01", "08"),)),
        ("ports: { a: { qualifier: ZZ, id: X } }", "ports", {"a": Isa("ZZ", "X")}),
        ("auth: { kind: basic, user: u }", "auth", Basic("u")),
        ("auth: { kind: token, token: t }", "auth", Token(Secret("t"))),
        ("auth: null", "auth", None),
        ("either: 5", "either", 5),
        ("either: x", "either", "x"),
        ("anything: [1, { a: 1.5 }]", "anything", [1, {"a": Decimal("1.5")}]),
        ("first: { qualifier: ZZ, id: X }", "first", Isa("ZZ", "X")),
        ("first: x", "first", "x"),
    ],
)
def test_value_converts(text: str, field: str, value: object) -> None:
    assert getattr(converted(f"name: n\n{text}"), field) == value


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("name: 7", 'f.yaml:1:7: C $.name: expected a text, got the number 7; quote it: "7"'),
        ("name: 1.50", 'f.yaml:1:7: C $.name: expected a text, got the number 1.50; quote it: "1.50"'),
        ("name: true", 'f.yaml:1:7: C $.name: expected a text, got true; quote it: "true"'),
        ("name:", "f.yaml:1:6: C $.name: expected a text, got nothing"),
        ("name: [a]", "f.yaml:1:7: C $.name: expected a text, got a list"),
        ("mode: hold", "f.yaml:1:1: C $: the key `name` is missing"),
        ("nmae: x", "f.yaml:1:1: C $.nmae: unknown key `nmae`; did you mean `name`?"),
        ("[]", "f.yaml:1:1: C $: expected a mapping with the keys name, isa, mode, colour, count, ratio, amount, within, when, "
               "password, day, file, flag, units, ports, ids, vendors, auth, either, anything, first, got a list"),
        ("name: forbidden", "f.yaml:1:1: C $: the name may not be forbidden"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(text: str, finding: str) -> None:
    assert found(text) == [finding]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("isa: { qualifier: 01 }", "f.yaml:2:6: C $.isa: the key `id` is missing"),
        ("isa: { qualifier: 01, id: 5, mode: x }", 'f.yaml:2:30: C $.isa.mode: unknown key `mode`; it belongs 1 level up'),
        ("isa: { qualifier: 01, id: 5, zz: x }", "f.yaml:2:30: C $.isa.zz: unknown key `zz`; known here: qualifier, id"),
        ("qualifier: 01", "f.yaml:2:1: C $.qualifier: unknown key `qualifier`; it belongs under `isa`"),
        ("isa: x", "f.yaml:2:6: C $.isa: expected a mapping with the keys qualifier, id, got the text 'x'"),
        ("mode: hodl", "f.yaml:2:7: C $.mode: expected one of replace, hold, got the text 'hodl'; did you mean `hold`?"),
        ("colour: blu", "f.yaml:2:9: C $.colour: expected one of red, blue, got the text 'blu'; did you mean `blue`?"),
        ("count: 0", "f.yaml:2:8: C $.count: expected a whole number >= 1, got the number 0"),
        ("count: 1.5", "f.yaml:2:8: C $.count: expected a whole number, got the number 1.5"),
        ("count: two", "f.yaml:2:8: C $.count: expected a whole number, got the text 'two'"),
        ("amount: x", "f.yaml:2:9: C $.amount: expected a number, got the text 'x'"),
        ("within: 5", "f.yaml:2:9: C $.within: expected a duration such as 30s, 5m or 2d, got the number 5"),
        ("within: 5x", "f.yaml:2:9: C $.within: '5x' is not a duration; write a number and a unit: 500ms, 30s, 5m, 24h, 2d"),
        ("when: a ==", "f.yaml:2:11: C $.when: this is not an expression: invalid syntax"),
        ("password: 12", 'f.yaml:2:11: C $.password: expected a text, got the number 12; quote it: "12"'),
        ("day: 2026-13-31", "f.yaml:2:6: C $.day: expected a date such as 2026-01-31, got the text '2026-13-31'"),
        ("flag: yes", "f.yaml:2:7: C $.flag: expected true or false, got the text 'yes'"),
        ("units: { CS: 5 }", 'f.yaml:2:14: C $.units.CS: expected a text, got the number 5; quote it: "5"'),
        ("units: [CS]", "f.yaml:2:8: C $.units: expected a mapping, got a list"),
        ("ids: x", "f.yaml:2:6: C $.ids: expected a list, got the text 'x'; put it in [ ]"),
        ("vendors: [a, b, c]", "f.yaml:2:10: C $.vendors: expected a list of length <= 2, got a list"),
        ("auth: { user: u }", "f.yaml:2:7: C $.auth: the key `kind` is missing; it is one of basic, token"),
        ("auth: { kind: tokn }", "f.yaml:2:15: C $.auth.kind: expected one of basic, token, got the text 'tokn'; did you mean `token`?"),
        ("auth: { kind: [a] }", "f.yaml:2:15: C $.auth.kind: expected one of basic, token, got a list"),
        ("auth: { kind: basic, usr: u }", "f.yaml:2:22: C $.auth.usr: unknown key `usr`; did you mean `user`?"),
        ("either: true", 'f.yaml:2:9: C $.either: expected a whole number or a text, got true; quote it: "true"'),
    ],
)  # fmt: skip
def test_what_does_not_fit_below_is_said(text: str, finding: str) -> None:
    expected = [finding]
    assert [line for line in found(f"name: n\n{text}") if "isa.id" not in line] == expected


def test_all_problems_are_reported_in_one_go() -> None:
    text = "name: 1\nisa: { qualifier: 1, idd: 2 }\ncount: 0\nids: [{ qualifier: a }, { id: 3 }]\nwithin: x\n"
    places = [line.split(" ")[0] for line in found(text)]
    assert places == [
        "f.yaml:1:7:", "f.yaml:2:22:", "f.yaml:2:19:", "f.yaml:3:8:", "f.yaml:4:7:", "f.yaml:4:31:", "f.yaml:4:25:", "f.yaml:5:9:"
    ]  # fmt: skip


def test_data_may_stand_in_for_the_subtree() -> None:
    tree = parse_tree("a: { qualifier: 01, id: x }", "f.yaml")
    value, findings = tree.convert("$.a", Isa, code="C", data={"qualifier": "02", "id": "y"})
    assert (value, findings) == (Isa("02", "y"), [])


def test_value_out_of_a_reference_is_never_shown() -> None:
    _, problems = convert({"name": "n", "count": "hunter2"}, Settings, hidden={"$.count": "${env:COUNT}"})
    assert [problem.message for problem in problems] == [
        "expected a whole number, but ${env:COUNT} gives something else"
    ]


def test_value_out_of_a_reference_converts_to_numbers_and_booleans() -> None:
    data = {"name": "n", "count": "7", "flag": "true", "ratio": "0.5"}
    hidden = {"$.count": "${env:A}", "$.flag": "${env:B}", "$.ratio": "${env:C}"}
    value, problems = convert(data, Settings, hidden=hidden)
    assert problems == []
    assert value is not None
    assert (value.count, value.flag, value.ratio) == (7, True, 0.5)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("1s", 1), ("5m", 300), ("24h", 86400), ("2d", 172800), ("1.5s", 1.5), ("0s", 0)],
)
def test_duration_is_seconds(text: str, seconds: float) -> None:
    assert Duration.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5s", "5M", "1e3s", "5m5s", "٣s", "9" * 12 + "s", ".5s"])
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        Duration.parse(text)
