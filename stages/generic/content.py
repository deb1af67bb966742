"""`generic.content`: an encoder that passes bytes on as they are. What a flow uses for files that are already what
the far side wants.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from pipeline import Context, Counter, DataError, Document, Record, StageSpec, Stored
from stages.generic.json import Name

LONGEST_NAME = 90
"""Characters, with room for a version: mailboxes take 100."""

PLAN = "content"


class ContentConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``partner`` is who the documents are for where the record's body names nobody: their lane. ``address`` is the
    place at the sink (`generic.folder`: a folder below its own); empty: the partner.
    """

    partner: Name = "files"
    address: str = ""


class Content:
    """The encoder. A delivery is one record's bytes, called after the record's key and label, so that nothing of
    another name or another record is ever taken for it.
    """

    def __init__(self, config: ContentConfig) -> None:
        self._config = config

    def render(self, record: Record) -> list[Document]:
        """One document: the ``payload`` of the body, or the body itself. Raises `DataError` when these are no bytes."""
        body = record.body
        payload = body if isinstance(body, bytes) else _member(body, "payload", None)
        if not isinstance(payload, bytes):
            raise DataError(
                "the record has no bytes to pass on",
                where=f"{record.kind} {record.label or record.key}",
                why=f"its body is {type(record.body).__name__}, neither bytes nor anything with a `payload` of bytes",
                mend="put a stage before that makes bytes of it, or use generic.json",
                owner="developer",
                code="MLC-GEN-0021",
            )
        partner = str(_member(body, "partner", "")) or self._config.partner
        place = int(_member(body, "place", 0))  # of several documents of one record
        digest = hashlib.sha256(payload).hexdigest()
        return [
            Document(
                set=f"{record.kind}-{place}" if place else record.kind,
                partner=partner,
                body=payload,
                fields=("*",),
                fingerprint=lambda fields: digest,
                address=self._config.address or partner,
                envelope={"name": _name(record, place)},
                plan=PLAN,
                label=record.label,
            )
        ]

    def amend(self, document: Document, version: int) -> Document:
        return document

    def counters(self, documents: Sequence[Stored]) -> Sequence[Counter]:
        return []

    def pack(self, documents: Sequence[Stored], numbers: Mapping[str, int], now: datetime) -> bytes:
        return documents[0].body

    def title(self, documents: Sequence[Stored]) -> str:
        """The record's key, the version where there are several, and the name it had: ``78_v2_prices.csv``."""
        key, _, label = documents[0].envelope["name"].partition("/")
        return f"{key}_v{documents[0].version}_{label}" if documents[0].version > 1 else f"{key}_{label}"


def _member(body: Any, name: str, default: Any) -> Any:
    return body.get(name, default) if isinstance(body, Mapping) else getattr(body, name, default)


def _name(record: Record, place: int) -> str:
    """``key/label``, of characters that every file system takes; a long label keeps its end, which tells what it is.

    Keys are of one company, or of one server: the key tells by a digest of which.
    """
    company = f"-{hashlib.sha256(record.company.encode()).hexdigest()[:6]}" if record.company else ""
    key = _safe(record.key) + company + (f"-{place}" if place else "")
    return f"{key}/{_safe(record.label)[-(LONGEST_NAME - len(key)) :] or 'content'}"


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip(".")


def _build(config: ContentConfig | None, context: Context) -> Content:
    return Content(config or ContentConfig())


STAGE = StageSpec(
    name="generic.content",
    verb="encode",
    config=ContentConfig,
    build=_build,
    doc="Passes the bytes of each record on as they are, one delivery each.",
)
