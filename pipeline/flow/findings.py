"""Findings: what is wrong, or worth knowing, about a flow or partner file; with its exact place and a stable code."""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["error", "note"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. ``line`` and ``column`` count from 1; ``path`` is where in the document (``$.stages[2].filter``).

    ``code`` is stable (``MLC-FLOW-0012``). An error stops the flow; a note does not.
    """

    code: str
    file: str
    line: int = 1
    column: int = 1
    path: str = "$"
    message: str
    suggestion: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        hint = f"; {self.suggestion}" if self.suggestion else ""
        return f"{self.file}:{self.line}:{self.column}: {self.code} {self.path}: {self.message}{hint}"
