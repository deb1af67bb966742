"""What is in the ledger and still to be extracted or deleted, as the cursor keeps it: ``{"due": "71=3,72="}``. Pure.

By message id, with the extractions it had left when it was read (nothing: not counted).
"""

from __future__ import annotations

from collections.abc import Mapping

from stages.sterling.memory import order
from stages.sterling.turns import ASKED, REFUSED

Due = Mapping[str, int | None]


def due_in(cursor: Mapping[str, str] | None) -> dict[str, int | None]:
    """What a cursor says is due. Cursors of earlier versions, one text for each mailbox, end with it as well."""
    texts = [text for name, text in (cursor or {}).items() if name not in (ASKED, REFUSED)]
    entries = [entry for text in texts for entry in text.rpartition(";")[2].split(",") if "=" in entry]
    return {id_: int(left) if left else None for id_, _, left in (entry.rpartition("=") for entry in entries)}


def cursor_of(due: Due) -> dict[str, str]:
    """The cursor that says that this is due."""
    entries = sorted(due.items(), key=lambda entry: order(entry[0]))
    return {"due": ",".join(f"{id_}={'' if left is None else left}" for id_, left in entries)}
