"""Real files of other projects, when they lie beside the repository: each gets its source's verdict, or decision 0011 says why not."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from stages.x12.checking.validator import validate
from stages.x12.reading.reader import events
from stages.x12.reading.scanner import Damage
from stages.x12.showing.show import show_lines

FOLDER = Path(__file__).parents[3].parent / "shared" / "samples" / "x12"
MANIFEST = FOLDER / "MANIFEST.csv"
ROWS = list(csv.DictReader(MANIFEST.read_text(encoding="utf-8").splitlines())) if MANIFEST.is_file() else []

DECIDED = {
    "stupidedi-003010-RA820-pass-1.edi": "invalid",
    "stupidedi-004010-PO850-pass-1.edi": "invalid",
    "stupidedi-004010-PS830-pass-1.edi": "invalid",
    "stupidedi-004010-X358-SC855-pass-po-ack-minor-changes.edi": "invalid",
    "staedi-nonnumeric_BIN01.edi": "valid",
}
"""Where we differ, with our verdict: docs/decisions/0011."""

if not ROWS:
    pytestmark = pytest.mark.skip(reason=f"no sample files at {FOLDER}")


def verdict(payload: bytes) -> str:
    return "invalid" if any(found.severity == "error" for found in validate(payload)) else "valid"


@pytest.mark.parametrize("row", ROWS, ids=[row["file"] for row in ROWS])
def test_each_real_file_gets_the_verdict_of_its_source_or_of_a_decision(row: dict[str, str]) -> None:
    payload = (FOLDER / row["file"]).read_bytes()
    expected = DECIDED.get(row["file"], row["expected"].partition(":")[0])
    if expected in ("valid", "invalid"):
        assert verdict(payload) == expected
    elif expected == "readable":
        assert [event for event in events([payload]) if isinstance(event, Damage)] == []
    assert list(show_lines(payload))


@pytest.mark.parametrize("name", DECIDED)
def test_decisions_are_about_files_that_are_there_and_differ(name: str) -> None:
    (row,) = [row for row in ROWS if row["file"] == name]
    assert row["expected"].partition(":")[0] != DECIDED[name]
