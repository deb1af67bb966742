from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from pipeline import Stored
from stages.x12.guide import Delimiters, Guide
from stages.x12.reading.reader import read
from stages.x12.writing.envelope import pack
from stages.x12.writing.excerpt import excerpt
from stages.x12.writing.plan import Plan

GUIDES = {
    "plain": {},
    "newline": {"newline": True},
    "line ends": {"delimiters": Delimiters(segment="\n")},
    "5010": {"version": "005010", "implementation": "X1"},
}


@pytest.mark.parametrize("settings", GUIDES.values(), ids=GUIDES)
@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_of_several_documents_one_is_left_in_its_envelope(
    plan: Callable[..., Plan], subject: Callable[..., Any], stored: Callable[..., Stored], noon: datetime,
    settings: dict[str, Any], wanted: int,
) -> None:  # fmt: skip
    """The vendor's number looks like a group's header: data is not taken for one."""
    bodies = [plan(**settings).render(subject(number=f"INV-{n}", vendor="TAGS")) for n in range(3)]
    guide = Guide(**settings)
    payload = pack([stored(body, guide=guide) for body in bodies], {"ISA13": 9, "GS06": 4}, noon)
    found = excerpt(payload, bodies[wanted])
    assert found is not None
    segments = list(read([found]))
    assert [s.id for s in segments if s.id in ("ISA", "GS", "ST", "SE", "GE", "IEA")] == [
        "ISA",
        "GS",
        "ST",
        "SE",
        "GE",
        "IEA",
    ]
    assert next(s[2] for s in segments if s.id == "BIG") == f"INV-{wanted}"
    assert next(s[2] for s in segments if s.id == "ST") == f"{wanted + 1:04d}"


def test_a_document_alone_is_the_whole_interchange(interchange: bytes, plan: Callable[..., Plan], subject: Any) -> None:
    assert excerpt(interchange, plan().render(subject())) == interchange


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b"ISA", b"ISA*" + b"x" * 200], ids=["empty", "JSON", "cut off", "no X12"]
)
def test_other_payloads_are_left_to_others(payload: bytes, plan: Callable[..., Plan], subject: Any) -> None:
    assert excerpt(payload, plan().render(subject())) is None
    assert excerpt(payload, b"") is None
