"""What the ``x12.encode`` stage takes: a document before it is written, and the envelope it will travel in. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stages.x12.writing.envelope import build_envelope
from stages.x12.writing.plan import Plan


class Draft(msgspec.Struct, kw_only=True):
    """The body of a record on its way into ``x12.encode``; a tuple or list of drafts makes several documents of one record.

    ``plan`` comes from `stages.x12.writing.compiler.compile_plan`: compile it once per (guide, set, role) and share it. ``subject`` is what
    the plan's paths start from; for a plan about bills::

        {"bill": Bill, "us": {"name": "...", "id": "..."}, "partner": {"code": "...", "name": "..."}}

    ``us`` and ``partner`` are configuration: they are written but never count as source fields. ``envelope`` comes from
    `build_envelope`. Only drafts of equal ``group`` share an interchange: it must name the partner and whatever else keeps
    documents apart. ``batch`` is the most documents per interchange. ``acknowledge_within`` is in seconds.
    The rest is what `pipeline.record.Document` says of the fields of the same names.
    """

    set: str  # "810", "850", "820"
    partner: str  # the partner's code
    plan: Plan
    subject: Mapping[str, Any]
    envelope: dict[str, str]
    address: str = ""
    group: str = ""
    batch: int = 1
    guard: str = ""
    guide_digest: str = ""  # stages.x12.guide.guide_digest(guide)
    amendments: str = "replace"
    acknowledgement: str = ""
    acknowledge_within: float = 0.0
    label: str = ""  # "" takes the record's label


__all__ = ["Draft", "build_envelope"]
