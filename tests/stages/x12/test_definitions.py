from __future__ import annotations

import csv
import re
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from stages.x12 import definitions
from stages.x12.definitions import Node, release, releases
from stages.x12.structure import Automaton

RELEASES = releases()


def test_the_sets_there_are() -> None:
    assert {version: list(release(version).sets) for version in RELEASES} == {
        "004010": ["810", "820", "824", "850", "855", "997"],
        "005010": ["810", "820", "824", "850", "855", "997", "999"],
    }


@pytest.mark.parametrize("version", RELEASES)
def test_every_segment_of_every_set_has_its_tables(version: str) -> None:
    tables = release(version)
    for definition in tables.sets.values():
        assert definition.segments() <= set(tables.segments)
    assert {"ISA", "TA1", "GS", "ST", "SE", "GE", "IEA"} <= set(tables.segments)


@pytest.mark.parametrize("version", RELEASES)
def test_every_element_has_a_type_and_a_length(version: str) -> None:
    for element in release(version).elements.values():
        assert re.fullmatch(r"AN|ID|R|DT|TM|N\d|B", element.type)
        assert 1 <= element.min <= element.max


@pytest.mark.parametrize("version", RELEASES)
def test_syntax_notes_speak_of_positions_that_are_there(version: str) -> None:
    for segment in release(version).segments.values():
        for note in segment.notes:
            assert note.kind in "PRECL"
            assert len(note.positions) >= 2
            assert max(note.positions) <= len(segment.elements)


@pytest.mark.parametrize("version", RELEASES)
def test_codes_fit_their_elements(version: str) -> None:
    tables = release(version)
    for ref, codes in tables.codes.items():
        element = tables.elements[ref]
        assert [code for code in codes if not element.min <= len(code) <= element.max] == []


@pytest.mark.parametrize("version", RELEASES)
def test_every_place_of_every_set_can_be_reached(version: str) -> None:
    """Walking each node once, in order, finds nothing out of place."""

    def ids(nodes: tuple[Node, ...]) -> list[str]:
        return [id for node in nodes for id in (node.segment, *ids(node.children))]

    for definition in release(version).sets.values():
        automaton = Automaton(definition)
        state = automaton.start
        for id in ids(definition.nodes):
            move = automaton.move(state, id)
            assert move is not None, (definition.id, id)
            state = move.state


def test_tables_that_are_not_confirmed_say_so() -> None:
    assert {segment.id for segment in release("005010").segments.values() if segment.open} == {"EFI", "RPA", "VEH"}
    assert not [segment for segment in release("004010").segments.values() if segment.open]


def test_a_release_costs_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(str(files(definitions)), tmp_path / "made", ignore=shutil.ignore_patterns("*.py*", "__pycache__"))
    shutil.copytree(tmp_path / "made" / "004010", tmp_path / "made" / "004060")
    outline = (tmp_path / "made" / "004060" / "997.txt").read_text()
    (tmp_path / "made" / "004060" / "998.txt").write_text(outline.replace("997 FA", "998 FB"))
    monkeypatch.setattr(definitions, "files", lambda name: tmp_path / "made")
    releases.cache_clear()
    release.cache_clear()
    try:
        assert releases() == ("004010", "004060", "005010")
        assert release("004060UCS").sets["998"].group == "FB"
    finally:
        monkeypatch.undo()
        releases.cache_clear()
        release.cache_clear()


@pytest.mark.parametrize("version", RELEASES)
def test_tables_have_no_row_twice(version: str) -> None:
    for name, key in (("elements", 1), ("segments", 1), ("composites", 1), ("codes", 2)):
        rows = list(csv.reader((files(definitions) / version / f"{name}.csv").read_text().splitlines()))
        keys = [tuple(row[:key]) for row in rows]
        assert sorted(keys) == sorted(set(keys)), name
