"""What the tests of X12 share: a made-up business object, a mapping of it, and packing. No accounts payable here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline import Stored
from stages.x12.guide import Guide
from stages.x12.writing.compiler import compile_plan
from stages.x12.writing.draft import build_envelope
from stages.x12.writing.envelope import pack
from stages.x12.writing.mapping import SetMapping, computed, each, lookup, path, purpose, segment
from stages.x12.writing.plan import Plan


@pytest.fixture
def mapping() -> Callable[[Guide], SetMapping]:
    def build(guide: Guide) -> SetMapping:
        line = segment(
            "IT1",
            {
                1: path("line.no"),
                2: path("line.qty"),
                3: lookup("unit", "line.unit", guide.units, table_name="units"),
                4: path("line.price"),
            },
            pairs_from=6,
            pairs=(("IN", path("line.ours")), ("VN", path("line.theirs"))),
            children=(segment("PID", {1: "F", 5: path("line.text")}),),
        )
        return SetMapping(
            set="810",
            subject="doc",
            label="doc.number",
            mappings=("us", "partner", "document", "doc", "doc.remit", "line"),
            rows=(
                segment("BIG", {1: path("doc.date"), 2: path("doc.number"), 7: "DI", 8: purpose()}),
                segment("REF", {1: "IA", 2: path("doc.vendor")}),
                segment("N1", {1: "BY", 2: path("us.name")}, pairs_from=3, pairs=((guide.party_ids, path("us.id")),)),
                segment(
                    "N1", {1: "RE", 2: path("doc.remit.name")}, children=(segment("N3", {1: path("doc.remit.street")}),)
                ),
                each("line", "doc.lines", line),
                segment("TDS", {1: path("doc.total")}),
                segment("CTT", {1: computed("count", len, "doc.lines.no")}),
            ),
        )

    return build


@pytest.fixture
def plan(mapping: Callable[[Guide], SetMapping]) -> Callable[..., Plan]:
    def build(**guide: Any) -> Plan:
        made = Guide(**{"units": {"Case": "CA", "Each": "EA"}, **guide})
        return compile_plan("810", mapping(made), made)

    return build


@pytest.fixture
def subject() -> Callable[..., dict[str, Any]]:
    def build(*, line: dict[str, Any] | None = None, us: dict[str, Any] | None = None, **doc: Any) -> dict[str, Any]:
        first = {
            "no": 1,
            "qty": Decimal("10"),
            "unit": "Case",
            "price": Decimal("12.50"),
            "ours": "B-9",
            "theirs": "V-9",
            "text": "Blue widget",
        }
        second = {
            "no": 2,
            "qty": Decimal("1"),
            "unit": "Each",
            "price": Decimal("15.00"),
            "ours": "",
            "theirs": None,
            "text": "",
        }
        body = {
            "date": date(2025, 1, 31),
            "number": "INV-1001",
            "vendor": "V-1014",
            "remit": None,
            "total": Decimal("140.00"),
            "lines": [{**first, **(line or {})}, second],
            **doc,
        }
        return {"doc": body, "us": us or {"name": "Harborvale Foods", "id": "HV01"}, "partner": {"code": "RIVERBEND"}}

    return build


@pytest.fixture
def text(plan: Callable[..., Plan], subject: Callable[..., dict[str, Any]]) -> Callable[..., str]:
    """The body as text: ``text(guide={...}, **changes of the subject)``."""

    def build(*, guide: dict[str, Any] | None = None, **changes: Any) -> str:
        return plan(**(guide or {})).render(subject(**changes)).decode()

    return build


@pytest.fixture
def stored() -> Callable[..., Stored]:
    def build(body: bytes, *, id: int = 1, set: str = "810", guide: Guide | None = None, **envelope: Any) -> Stored:
        ids: dict[str, Any] = {
            "us_isa": ("ZZ", "HARBORVALE"),
            "us_gs": "HARBORVALE",
            "them_isa": ("01", "0812345678"),
            "them_gs": "0812345678",
        }
        made = build_envelope(**{**ids, "usage": "P", "guide": guide or Guide(), **envelope})
        return Stored(id, set, "RIVERBEND", body, made, 1)

    return build


@pytest.fixture
def noon() -> datetime:
    return datetime(2025, 1, 31, 12, 0, tzinfo=UTC)


@pytest.fixture
def interchange(
    plan: Callable[..., Plan], subject: Callable[..., dict[str, Any]], stored: Callable[..., Stored], noon: datetime
) -> bytes:
    """One good 810 in its envelope, number 17, group 4."""
    return pack([stored(plan().render(subject()))], {"ISA13": 17, "GS06": 4}, noon)


@pytest.fixture(scope="session")
def corpus() -> dict[str, bytes]:
    """One small good file of each kind, by name; also where fuzzing starts."""
    folder = Path(__file__).with_name("fuzz") / "corpus"
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.fixture
def samples() -> list[Path]:
    """Real files from outside, when they lie beside the repository."""
    folder = Path(__file__).parents[3].parent / "shared" / "samples" / "x12"
    if not folder.is_dir():
        pytest.skip(f"no sample files at {folder}")
    return [file for file in sorted(folder.iterdir()) if file.suffix.lower() in (".edi", ".txt", ".x12", ".001")]
