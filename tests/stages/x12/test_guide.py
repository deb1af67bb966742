from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from stages.x12.definitions import SyntaxNote, release, releases
from stages.x12.guide import Delimiters, Guide, Terms, guide_digest
from stages.x12.guide_lint import lint_guide
from stages.x12.structure import Misplaced, Walker


def test_a_guide_needs_nothing() -> None:
    assert lint_guide(msgspec.convert({}, Guide), "810") == []


def test_a_guide_is_read_from_plain_data() -> None:
    made = msgspec.convert(
        {"terms": {"2/10": {"type": "08", "percent": 2.5, "discount_days": 10}}, "item_ids": ["VN"]}, Guide
    )
    assert made.terms["2/10"].percent == Decimal("2.5")
    assert made.item_ids == ("VN",)


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `unit`"):
        msgspec.convert({"unit": {}}, Guide)


@pytest.mark.parametrize(
    ("guide", "problem"),
    [
        ({"version": "003010"}, "version: '003010' is not one of 004010, 005010 (an industry suffix may follow)"),
        ({"version": "004010TOOLONG"}, "version: '004010TOOLONG' is not one of"),
        ({"delimiters": Delimiters(element="A")}, "delimiters.element: 'A' must be one ASCII character"),
        ({"delimiters": Delimiters(element="~")}, "delimiters: all must be different"),
        ({"delimiters": Delimiters(segment="\x00")}, "delimiters.segment: '\\x00' is no control character"),
        ({"delimiters": Delimiters(element="\x7f")}, "delimiters.element: '\\x7f' is no control character"),
        ({"delimiters": Delimiters(component="\n")}, "delimiters.component: '\\n' is no control character"),
        (
            {"delimiters": Delimiters(segment="\n"), "newline": True},
            "newline: the segment terminator is a line feed already",
        ),
        ({"replacement": "*"}, "replacement: '*' must be one printable character that is no delimiter"),
        ({"charset": "basic"}, "charset: basic has no lower-case letters; set `uppercase: true` too"),
        ({"units": {"Case": "case"}}, "units.Case: 'case' is not an X12 unit code of two characters"),
        ({"party_ids": "ABC"}, "party_ids: 'ABC' is not a qualifier of one or two characters"),
        ({"item_ids": ("UP",)}, "item_ids: a bill has no item id of kind 'UP'"),
        ({"terms": {"X": Terms(percent=Decimal(2))}}, "terms.X: a percent needs discount_days"),
        ({"terms": {"X": Terms(net_days=1000)}}, "terms.X: 1000 days are not between 0 and 999"),
        ({"require": ("ZZZ",)}, "require: 'ZZZ' is no segment or element of set 810"),
        ({"require": ("PID",), "forbid": ("PID",)}, "forbid: PID is also required"),
        ({"limits": {"BIG02": 30}}, "limits: BIG02 must be 1 to 22, as the standard has it, not 30"),
        ({"limits": {"BIG99": 3}}, "limits: 'BIG99' is no element of set 810; write it as BIG07"),
        ({"fixed": {"BIG07": "QX"}}, "fixed: 'QX' is not a Transaction Type Code (BIG07)"),
    ],
)
def test_what_is_wrong_with_a_guide_is_named(guide: dict[str, Any], problem: str) -> None:
    assert [found for found in lint_guide(Guide(**guide), "810") if found.startswith(problem)]


def test_a_set_without_tables_is_named() -> None:
    (problem,) = lint_guide(Guide(), "999")
    assert problem.startswith("version: release 004010 has no set '999' here; there are 810, ")


def test_equal_guides_have_equal_digests_whatever_the_order_of_keys() -> None:
    one, other = Guide(units={"A": "EA", "B": "CA"}), Guide(units={"B": "CA", "A": "EA"})
    assert guide_digest(one) == guide_digest(other) != guide_digest(Guide())


@pytest.mark.parametrize("version", releases())
def test_every_segment_of_every_set_that_has_elements_is_whole(version: str) -> None:
    tables = release(version)
    for segment in tables.segments.values():
        for note in segment.notes:
            assert max(note.positions) <= len(segment.elements)
    without = {id for definition in tables.sets.values() for id in definition.segments()} - set(tables.segments)
    assert without <= {"EFI", "IN2"}


@pytest.mark.parametrize(
    ("note", "present", "holds"),
    [
        ("P", {1, 2}, True),
        ("P", {1}, False),
        ("P", set(), True),
        ("R", {2}, True),
        ("R", set(), False),
        ("E", {1}, True),
        ("E", {1, 2}, False),
        ("C", {2}, True),
        ("C", {1}, False),
        ("L", {1, 2}, True),
        ("L", {1}, False),
    ],
)
def test_syntax_notes_mean_what_the_standard_says(note: str, present: set[int], holds: bool) -> None:
    assert SyntaxNote(note, (1, 2)).holds(frozenset(present)) is holds


def test_loops_open_again_and_close_when_something_outer_comes() -> None:
    walker = Walker(release("004010").sets["810"])
    loops = []
    for id in ("ST", "BIG", "N1", "N3", "N1", "REF", "IT1", "PID", "IT1", "SAC", "TXI", "TDS", "SAC", "SE"):
        assert walker.step(id) == []
        loops.append(walker.loop)
    assert loops == ["", "", "N1", "N1", "N1", "N1", "IT1", "IT1/PID", "IT1", "IT1/SAC", "IT1/SAC", "", "SAC", ""]
    assert walker.finish() == []


def test_a_segment_out_of_place_leaves_the_walk_where_it_was() -> None:
    walker = Walker(release("004010").sets["810"])
    walker.step("ST")
    walker.step("BIG")
    walker.step("TDS")
    assert walker.step("CUR") == [Misplaced("order", "CUR", "")]
    assert walker.step("SE") == []
