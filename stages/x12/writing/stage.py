"""The ``x12.encode`` stage: drafts in, documents and interchanges out. Pure; the engine does the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from pipeline import Context, Counter, DataError, Document, Record, StageSpec, Stored
from stages.x12.writing import envelope
from stages.x12.writing.draft import Draft


class Rendered(Document):
    """A document that remembers its draft, so that it can be amended."""

    draft: Draft | None = None


class NoSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``x12.encode`` has no settings: everything it needs comes with the draft."""


class Encode:
    """Implements `pipeline.stage.Encode` for records whose body is a `Draft`, or a tuple or list of them."""

    def render(self, record: Record) -> list[Document]:
        """One document per draft, without control numbers. Raises `DataError` for the first draft that cannot be written."""
        drafts = record.body if isinstance(record.body, tuple | list) else (record.body,)
        return [self._document(record, draft) for draft in drafts]

    def amend(self, document: Document, version: int) -> Document:
        """The same document as a replacement of the one sent before (BIG08 or BEG01 = 05), for version 2 and later."""
        assert isinstance(document, Rendered)
        assert document.draft is not None
        if version < 2:
            return document
        draft = document.draft
        body = draft.plan.render(draft.subject, "replace")
        return msgspec.structs.replace(document, body=body)

    def counters(self, documents: Sequence[Stored]) -> Sequence[Counter]:
        return envelope.counters(documents)

    def pack(self, documents: Sequence[Stored], numbers: Mapping[str, int], now: datetime) -> bytes:
        return envelope.pack(documents, numbers, now)

    def _document(self, record: Record, draft: object) -> Document:
        if not isinstance(draft, Draft):
            raise DataError(
                "This record is no X12 draft",
                where=record.label or record.key,
                why=f"x12.encode takes the output of a routing stage such as ap.route, not {type(draft).__name__}",
                mend="Put a routing stage before x12.encode in the flow",
                owner="developer",
                code="MLC-X12-0205",
            )
        notes: dict[str, str] = {}
        plan, subject = draft.plan, draft.subject
        body = plan.render(subject, notes=notes)
        return Rendered(
            set=draft.set,
            partner=draft.partner,
            body=body,
            fields=plan.fields,
            fingerprint=lambda fields: plan.fingerprint(subject, fields),
            address=draft.address,
            group=draft.group,
            batch=draft.batch,
            envelope=draft.envelope,
            guard=draft.guard,
            amendments=draft.amendments,
            plan=plan.digest,
            origins=plan.origins,
            guide=draft.guide_digest,
            lookups=notes,
            label=draft.label or record.label,
            reference=_reference(body, draft),
            acknowledgement=draft.acknowledgement,
            acknowledge_within=draft.acknowledge_within,
            draft=draft,
        )


_NUMBERED = {"BIG": 2, "BEG": 3}
"""The segment after ST that holds the number of the document itself, and which element it is."""


def _reference(body: bytes, draft: Draft) -> str:
    """The invoice's or order's number as it was written, by which an 824 or 855 names it; "" where the set has none."""
    head = body.decode("ascii", "replace").split(draft.envelope["segment"], 2)
    fields = head[1].strip().split(draft.envelope["element"]) if len(head) > 1 else [""]
    place = _NUMBERED.get(fields[0], len(fields))
    return fields[place] if place < len(fields) else ""


def _build(settings: NoSettings, context: Context) -> Encode:
    return Encode()


ENCODE = StageSpec(
    name="x12.encode",
    verb="encode",
    build=_build,
    config=NoSettings,
    doc="Writes drafts as X12 sets, each by its partner's guide, and packs them into interchanges.",
)
