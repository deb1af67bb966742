"""The receipt of one source page: it counts its records through every split and drop, and completes when all are settled.

One per page, never one object per record. Pure: no clock, no I/O. A record's branches settle separately; the worst outcome
counts. Whoever drops a record without settling it leaves the receipt open for ever: in debug mode `open_rows` names the rows.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pipeline.record import Answer, Document, Fingerprint, Page, Record
from pipeline.store.rows import RANK, Problem

EXCLUDED, DELIVERED, DEAD, HELD = RANK["excluded"], RANK["delivered"], RANK["dead"], RANK["held"]


class LeftOut(msgspec.Struct, frozen=True):
    """Who left a record out that may have been sent before: a filter, whatever it was; or a map, if the record has changed by this fingerprint."""

    stage: str
    fingerprint: Fingerprint | None = None


class Receipt:
    """``number`` counts the pages of one source in a run, from 1. ``on_complete`` is called once, when nothing is open."""

    __slots__ = (
        "answers",
        "documents",
        "left_out",
        "number",
        "on_complete",
        "open",
        "page",
        "problems",
        "ranks",
        "reasons",
        "rows",
        "seen",
    )

    def __init__(self, number: int, page: Page, on_complete: Callable[[Receipt], None], *, debug: bool = False) -> None:
        self.number = number
        self.page = page
        self.on_complete = on_complete
        self.open = len(page.records)
        self.ranks: dict[int, int] = {}
        self.reasons: dict[int, str] = {}
        self.left_out: dict[int, LeftOut] = {}
        self.problems: dict[int, tuple[Problem, str, str]] = {}  # row -> problem, stage, partner
        self.documents: dict[int, list[tuple[str, str, Document]]] = {}  # row -> sink, encoder, document
        self.answers: dict[int, list[Answer]] = {}
        self.rows: dict[int, int] | None = dict.fromkeys(range(self.open), 1) if debug else None
        self.seen: dict[int, str] = {}  # row -> the stage that took it last; in debug mode only
        for row, record in enumerate(page.records):
            record.receipt, record.row = self, row

    def begin(self) -> None:
        """Completes at once when the page is empty."""
        if self.open == 0:
            self.on_complete(self)

    def split(self, row: int, extra: int) -> None:
        """The record goes on as ``extra`` more branches than before."""
        self.open += extra
        if self.rows is not None:
            self.rows[row] += extra

    def exclude(self, row: int, rule: str, by: LeftOut | None = None) -> None:
        """One branch ends: left out by this rule; ``by`` whom, where that matters to those who were sent something of it before."""
        if by is not None:
            self.left_out[row] = by
        if self.ranks.get(row, -1) < EXCLUDED:
            self.ranks[row], self.reasons[row] = EXCLUDED, rule
        self._close(row)

    def fail(self, row: int, problem: Problem, stage: str, partner: str = "") -> None:
        """One branch ends: dead, or held, for this reason."""
        rank = HELD if problem.failure == "held" else DEAD
        if self.ranks.get(row, -1) < rank:
            self.ranks[row], self.reasons[row] = rank, problem.code
            self.problems[row] = (problem, stage, partner)
        self._close(row)

    def deliver(self, row: int, sink: str, encoder: str, document: Document) -> None:
        """One branch ends: this document is to be stored for that sink."""
        self.documents.setdefault(row, []).append((sink, encoder, document))
        self._close(row)

    def answer(self, row: int, answer: Answer) -> None:
        """One branch ends: this answer of a partner is to be kept and matched."""
        self.answers.setdefault(row, []).append(answer)
        if self.ranks.get(row, -1) < DELIVERED:
            self.ranks[row], self.reasons[row] = DELIVERED, ""
        self._close(row)

    def _close(self, row: int) -> None:
        self.open -= 1
        if self.rows is not None:
            self.rows[row] -= 1
            assert self.rows[row] >= 0, f"row {row} of page {self.number} was settled twice"
        assert self.open >= 0, f"page {self.number} was settled twice"
        if self.open == 0:
            self.on_complete(self)

    def open_rows(self) -> list[tuple[Record, str]]:
        """In debug mode: the records that nobody has settled yet, each with the stage that took it last."""
        return [
            (self.page.records[row], self.seen.get(row, "no stage"))
            for row, count in (self.rows or {}).items()
            if count
        ]
