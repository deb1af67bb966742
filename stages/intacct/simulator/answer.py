"""What a function that succeeded leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from lxml import etree


class Answer(msgspec.Struct, kw_only=True):
    """A function's success: its ``data``, or the ``key`` alone that legacy functions answer with. ``facts`` go to the effects log."""

    data: etree._Element | None = None
    key: str = ""
    listtype: str = ""
    facts: dict[str, Any] = {}
    undo: Callable[[], None] | None = None
    writes: int = 1  # records made, changed or deleted
