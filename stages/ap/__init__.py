"""Accounts payable: the vocabulary both sides share, the partner files, and the stages between books and documents."""

from pipeline import Adapter
from stages.ap.stages import STAGES

ADAPTER = Adapter(name="ap", stages=STAGES)

__all__ = ["ADAPTER"]
