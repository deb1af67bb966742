"""Durable state: the ledger, on SQLite, behind one narrow port. SQL lives here and nowhere else."""

from pipeline.store.examine import Examination, examine, is_current
from pipeline.store.ledger import DEFAULT_STORE, Ledger, open_ledger

__all__ = ["DEFAULT_STORE", "Examination", "Ledger", "examine", "is_current", "open_ledger"]
