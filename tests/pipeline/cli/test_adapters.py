"""The verbs that adapters bring along: `x12 show` and `x12 validate` over files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import adapters
from pipeline.stage import Adapter, CommandResult, CommandSpec

GOLDEN = Path(__file__).parents[2] / "golden" / "x12"
INVOICE = GOLDEN / "810_purchased.edi"

Call = Callable[..., Any]


def test_a_good_file_has_no_errors(call: Call) -> None:
    done = call("x12", "validate", str(INVOICE))
    assert (done.code, done.out) == (0, f"{INVOICE}: 0 errors, 0 warnings\n")


def test_a_wrong_file_exits_with_3_and_names_each_finding(call: Call, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.edi"
    wrong.write_bytes(INVOICE.read_bytes().replace(b"\nTDS*", b"\nTDX*"))
    done = call("x12", "validate", str(wrong), "--json")
    assert (done.code, done.json["schema"], done.json["ok"]) == (3, "mlc.x12.validate/1", False)
    assert {finding["segment"] for finding in done.json["findings"]} >= {"TDX", "TDS"}


def test_the_guide_is_held_against_the_file(call: Call, tmp_path: Path) -> None:
    guide = tmp_path / "partner.yaml"
    guide.write_text("partner: X\nguide: { forbid: [CUR], home_currency: USD }\n")
    done = call("x12", "validate", str(INVOICE), "--guide", str(guide))
    assert done.code == 3
    assert "CUR" in done.out


def test_a_partner_file_rests_on_the_defaults_beside_it(call: Call, tmp_path: Path) -> None:
    (tmp_path / "_default.yaml").write_text("guide: { forbid: [CUR], home_currency: USD, limits: { BIG02: 30 } }\n")
    guide = tmp_path / "partner.yaml"
    guide.write_text("partner: X\nguide: { limits: { BIG02: 1 } }\n")
    done = call("x12", "validate", str(INVOICE), "--guide", str(guide))
    assert "CUR is forbidden by the guide" in done.out
    assert "the maximum of the guide is 1" in done.out
    alone = tmp_path / "alone.yaml"
    alone.write_text("uppercase: false\n")
    assert call("x12", "validate", str(INVOICE), "--guide", str(alone)).code == 0


def test_a_wrong_guide_is_told_with_its_findings(call: Call, tmp_path: Path) -> None:
    guide = tmp_path / "guide.yaml"
    guide.write_text("unitz: { CS: CA }\n")
    done = call("x12", "validate", str(INVOICE), "--guide", str(guide))
    assert done.code == 2
    assert "`units`" in done.err


def test_a_guide_that_asks_for_what_the_standard_forbids_is_refused(call: Call, tmp_path: Path) -> None:
    guide = tmp_path / "guide.yaml"
    guide.write_text("forbid: [BIG]\nlimits: { BIG02: 0 }\n")
    done = call("x12", "validate", str(INVOICE), "--guide", str(guide))
    assert (done.code, "BIG" in done.err) == (2, True)


def test_show_names_segments_and_meanings_without_colour_when_piped(call: Call) -> None:
    done = call("x12", "show", str(INVOICE))
    assert done.code == 0
    assert "Beginning Segment for Invoice" in done.out
    assert "\x1b" not in done.out


def test_a_file_that_is_not_there_is_told_in_four_parts(call: Call) -> None:
    done = call("x12", "show", "nowhere.edi")
    assert (done.code, "nowhere.edi cannot be read" in done.err) == (2, True)


@pytest.mark.parametrize(("failed", "code"), [(False, 0), (True, 3)])
def test_any_adapter_may_bring_verbs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], failed: bool, code: int
) -> None:
    """The bytes, the name, further files as texts: a third party's verb gets what ours get."""
    seen: list[Any] = []

    def run(data: bytes, name: str, extra: Any, paint: Any) -> CommandResult:
        seen.append((data, name, dict(extra)))
        return CommandResult(lines=[paint("fine", "title")], json={}, failed=failed)

    spec = CommandSpec(name="look", help="Look.", run=run, options={"guide": "A file."})
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").write_text("text")
    verb = adapters.groups((Adapter(name="mine", commands=(spec,)),))["mine"]["look"]
    assert verb(str(tmp_path / "a"), guide=str(tmp_path / "b")) == code
    assert seen == [(b"abc", str(tmp_path / "a"), {"guide": "text"})]
    assert capsys.readouterr().out == "fine\n"
