"""What a run says of itself: counts and money by outcome, from the ledger, and whether the books tie."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from pipeline.engine.edge import EdgeStatistics
from pipeline.errors import ConnectorError
from pipeline.store.reports import Totals
from pipeline.store.rows import OUTCOMES, amount_text

Status = Literal["clean", "exceptions", "stopped", "out_of_balance", "failed"]

TERMS = ("delivered", "excluded", "unchanged", "dead", "held", "in_doubt", "in_flight")
"""The terms that must sum to ``read``, in the order people read them."""

EXIT_CODES: dict[str, int] = {"clean": 0, "exceptions": 5, "stopped": 5, "out_of_balance": 7}


class RunReport(msgspec.Struct, kw_only=True):
    """One run. ``read_here`` is what the sources counted as they read; ``totals`` is what the ledger says."""

    run: int
    flow: str
    totals: Totals
    read_here: Totals
    seconds: float
    problem: ConnectorError | None = None
    began: bool = True  # False when it ended before anything was read: a connection or stage could not be made
    unread: list[str] = []  # sources that a stop kept from being read to their end
    stopped: list[ConnectorError] = []  # why lanes were stopped, and places of a source not read
    exceptions: int = 0  # of deliveries: also those of earlier runs' documents, which no term of this run counts
    earlier: list[int] = []  # deliveries that earlier runs sealed and this one went on with
    signal: int = 0
    calls: dict[str, int] = {}  # calls that a far side bills or limits, by account
    edges: dict[str, EdgeStatistics] = {}  # the edge into each stage, by the stage's name

    @property
    def balanced(self) -> bool:
        """What was read is what the ledger accounts for, in counts and in each currency."""
        same_read = self.read_here.read == self.totals.read and _nonzero(self.read_here) == _nonzero(self.totals)
        return same_read and self.totals.balanced()

    @property
    def status(self) -> Status:
        if not self.balanced:
            return "out_of_balance"
        if self.problem is not None:
            return "failed"
        if self.unread:
            return "stopped"
        counts = self.totals.counts
        open_ = any(counts.get(term, 0) for term in ("dead", "held", "in_doubt", "in_flight"))
        return "exceptions" if open_ or self.stopped or self.exceptions else "clean"

    @property
    def exit_code(self) -> int:
        if self.signal and self.status != "out_of_balance":
            return 128 + self.signal
        if self.problem is not None and self.balanced:
            return self.problem.exit_code
        return EXIT_CODES[self.status]

    def as_json(self) -> dict[str, Any]:
        """The object ``mlc.run/1``; scripts rest on its shape."""
        amounts = amounts_by_currency(self.totals)
        return {
            "schema": "mlc.run/1",
            "run": self.run,
            "flow": self.flow,
            "status": self.status,
            "read": self.totals.read,
            **{term: self.totals.counts.get(term, 0) for term in TERMS},
            "documents": self.totals.documents,
            "interchanges": self.totals.deliveries,
            "amounts": amounts,
            "balanced": self.balanced,
            "seconds": round(self.seconds, 3),
        }


def amounts_by_currency(totals: Totals) -> dict[str, dict[str, str]]:
    """``{currency: {read, delivered, ...: decimal as text}}``; currencies without money are left out."""
    currencies = {currency for currency, amount in totals.read_amounts.items() if currency}
    currencies |= {currency for by in totals.amounts.values() for currency in by if currency}
    return {
        currency: {
            "read": amount_text(totals.read_amounts.get(currency, 0)),
            **{term: amount_text(totals.amounts.get(term, {}).get(currency, 0)) for term in TERMS},
        }
        for currency in sorted(currencies)
    }


def _nonzero(totals: Totals) -> dict[str, int]:
    return {currency: amount for currency, amount in totals.read_amounts.items() if amount}


assert set(TERMS) == set(OUTCOMES)
