"""What a function that succeeded leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from lxml import etree


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What a legacy list says of itself: where it begins, how many records it has and how many there are."""

    name: str
    start: int
    count: int
    total: int


class Answer(msgspec.Struct, kw_only=True):
    """A function's success: its ``data``, or the ``key`` alone that legacy functions answer with. ``facts`` go to the effects log."""

    data: etree._Element | None = None
    key: str = ""
    listed: Listed | None = None
    facts: dict[str, Any] = {}
    undo: Callable[[], None] | None = None
    writes: int = 1  # records made, changed or deleted
