"""`generic.json`: an encoder that writes records down as JSON, one line each. What a flow uses when no partner
standard applies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from pipeline import Context, Counter, DataError, Document, Record, StageSpec, Stored

ENCODER = msgspec.json.Encoder(decimal_format="number")

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class JsonConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``partner`` is who the documents are for: their lane, and part of the delivery's name. ``address`` is the place
    at the sink (`generic.folder`: a folder below its own). ``batch`` is how many documents share one delivery at
    most.
    """

    partner: Name = "files"
    address: str = ""
    batch: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1


class Json:
    """The encoder. A delivery is JSON lines in source order; its number counts per partner."""

    def __init__(self, config: JsonConfig, context: Context) -> None:
        self._config = config

    def render(self, record: Record) -> list[Document]:
        """One document: the body as a JSON object, amounts with the digits they have. All its fields are source
        fields.
        """
        fields = _fields(record)
        names = tuple(sorted(fields))
        return [
            Document(
                set="json",
                partner=self._config.partner,
                body=ENCODER.encode(fields),
                fields=names,
                plan=_plan(names),  # the ledger keeps the names once per plan: another shape is another plan
                fingerprint=lambda names: _digest(fields, names),
                address=self._config.address,
                group="json",
                batch=self._config.batch,
                label=record.label,
            )
        ]

    def amend(self, document: Document, version: int) -> Document:
        """A changed record is written again whole; who reads the files takes the last."""
        return document

    def counters(self, documents: Sequence[Stored]) -> Sequence[Counter]:
        return [Counter(scope=f"generic.json/{self._config.partner}", name="file")]

    def pack(self, documents: Sequence[Stored], numbers: Mapping[str, int], now: datetime) -> bytes:
        return b"".join(document.body + b"\n" for document in documents)


def _fields(record: Record) -> dict[str, msgspec.Raw]:
    """The body's fields as JSON has them; a body that is no object stands under its kind."""
    try:
        text = ENCODER.encode(record.body)
        if not text.startswith(b"{"):
            return {record.kind: msgspec.Raw(text)}
        return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(
            "the record cannot be written as JSON",
            where=f"{record.kind} {record.label or record.key}",
            why=str(error),
            mend="make it plain (texts, amounts, dates, lists, objects) in a map before",
            owner="developer",
            code="MLC-GEN-0020",
        ) from None


def _plan(names: tuple[str, ...]) -> str:
    return hashlib.sha256(ENCODER.encode(["json", names])).hexdigest()


def _digest(fields: Mapping[str, msgspec.Raw], names: tuple[str, ...]) -> str:
    return hashlib.sha256(ENCODER.encode([[name, fields.get(name)] for name in names])).hexdigest()


STAGE = StageSpec(
    name="generic.json",
    verb="encode",
    config=JsonConfig,
    build=Json,
    doc="Writes each record down as one line of JSON.",
)
