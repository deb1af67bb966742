"""The purchasing documents that bills were made from, and their lines."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline import Held, PermissionDenied, StageError
from stages.intacct import estimating
from stages.intacct.company import IntacctClient
from stages.intacct.config import LARGEST_PAGE
from stages.intacct.pages import by
from stages.intacct.protocol import fields
from stages.intacct.protocol.faults import UnknownObject
from stages.intacct.protocol.fields import Wish
from stages.intacct.protocol.responses import Row
from stages.intacct.reader import Reader

MADE_BY_PURCHASING = "9.PO"


class Purchasing:
    """Documents and entries. A company that does not buy through Intacct need not let us read either: once one is refused, it is not
    asked for again before `forget`, and there is none of it.
    """

    def __init__(self, client: IntacctClient, entry: Wish = fields.PURCHASE_LINE) -> None:
        self.documents = Reader(client, fields.PURCHASE)
        self.entries = Reader(client, entry, page_size=LARGEST_PAGE)
        self._refused: dict[str, StageError] = {}  # by object

    def forget(self) -> None:
        """A new run: rights may have been granted."""
        self._refused.clear()

    @property
    def refused(self) -> StageError | None:
        """Why not everything could be read, if so."""
        return next(iter(self._refused.values()), None)

    @property
    def documents_refused(self) -> bool:
        return fields.PURCHASE.object in self._refused

    async def made(self, bills: Iterable[str]) -> dict[str, list[Row]]:
        """The documents of these bills, by PRRECORDKEY."""
        return by("PRRECORDKEY", await self._matching(self.documents, fields.PURCHASE.object, "PRRECORDKEY", bills))

    async def named(self, ids: Iterable[str]) -> list[Row]:
        """The documents of these DOCIDs."""
        return await self._matching(self.documents, fields.PURCHASE.object, "DOCID", ids)

    async def entries_of(self, documents: Iterable[Row]) -> dict[str, list[Row]]:
        """The lines of these documents, by DOCHDRNO."""
        numbers = [row["RECORDNO"] or "" for row in documents]
        return by("DOCHDRNO", await self._matching(self.entries, fields.PURCHASE_LINE.object, "DOCHDRNO", numbers))

    async def estimate(self, documents: int) -> int:
        """The calls for so many lists of bills made by Purchasing: their documents, and the entries of those."""
        try:
            entries = await estimating.per_record(self.entries, self.documents)
        except (PermissionDenied, UnknownObject):
            return documents
        return documents + estimating.calls_for(documents, entries)

    async def _matching(self, reader: Reader, object: str, field: str, values: Iterable[str]) -> list[Row]:
        wanted = list(values)
        if not wanted or object in self._refused:
            return []
        try:
            return await reader.matching(field, wanted)
        except (PermissionDenied, UnknownObject) as error:
            self._refused[object] = error
            return []


def unbridged(where: str, documents: int, refused: StageError | None) -> Held:
    """What becomes of a bill whose document, or whose document's lines, are not known."""
    if refused is not None:
        why = f"Purchasing made it, and its document cannot be read in full: {refused.what} ({refused.where})"
        mend = "give the API user the right to read purchasing transactions (PODOCUMENT, PODOCUMENTENTRY), then replay"
        return Held(
            "the purchasing document of this bill cannot be read",
            where=where,
            why=why,
            mend=mend,
            owner="IT",
            code="MLC-INTACCT-0301",
        )
    found = "no document names it" if documents == 0 else f"{documents} documents name it"
    return Held(
        "the purchasing document of this bill is not known", where=where,
        why=f"its module is Purchasing, but {found}; without the document's id an edited document would be sent twice",
        mend="find the document in Intacct, then replay", code="MLC-INTACCT-0301",
    )  # fmt: skip
