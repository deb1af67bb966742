"""Stage ``x12.documents``: the business documents in a partner's message, one record for each set, byte for byte. Pure.

Each comes as an interchange of its own: the bytes of its ISA, GS and ST to SE as they were sent, and trailers that count one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import msgspec

from pipeline import Context, DataError, Excluded, Record, StageSpec
from stages.x12.answering.acknowledgements import NOT_X12, payload_of
from stages.x12.answering.answer_reader import ANSWERS
from stages.x12.reading.reader import ReadHeader, ReadSegment, events, read
from stages.x12.reading.scanner import Damage

NO_DOCUMENT = "no document"
"""The rule under which messages without such sets are excluded."""


class DocumentsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``sets`` are those to take; empty: all but the answers (997, 999, 824, 855), which ``x12.decode`` reads."""

    sets: tuple[str, ...] = ()


class PartnerDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One set that a partner sent. ``place`` counts the sets of the message from 1, ``sender`` and ``receiver`` are ``qualifier:id``.

    ``interchange``, ``group_number`` and ``control`` are ISA13, GS06 and ST02 as texts; ``partner`` is the message's.
    """

    set: str
    control: str
    place: int
    group: str
    group_number: str
    version: str
    interchange: str
    sender: str
    receiver: str
    usage: str
    partner: str
    payload: bytes

    @property
    def segments(self) -> list[tuple[str, ...]]:
        """From ST to SE, each as its id and elements."""
        found = [segment for segment in read([self.payload]) if segment.position]
        return [(segment.id, *segment.elements) for segment in found]


class Envelope(msgspec.Struct):
    """Where in the bytes the heads of the open interchange and group are."""

    isa: ReadHeader
    isa_bytes: bytes
    tail: bytes  # what ends its segments: the terminator, and line ends if there are any
    gs: ReadSegment | None = None
    gs_bytes: bytes = b""


class Documents:
    """The map; see the module."""

    def __init__(self, settings: DocumentsSettings) -> None:
        self._sets = frozenset(settings.sets)

    def __call__(self, record: Record) -> list[Record]:
        payload = payload_of(record, "x12.documents")
        if payload is None:
            raise Excluded(NOT_X12)
        partner = str(getattr(record.body, "partner", ""))
        found = list(documents(payload, self._wanted, partner, record.label or record.key))
        if not found:
            raise Excluded(NO_DOCUMENT)
        return [record.replace(kind="document", body=one, raw=b"") for one in found]

    def _wanted(self, code: str) -> bool:
        return code in self._sets if self._sets else code not in ANSWERS


def documents(payload: bytes, wanted: Callable[[str], bool], partner: str, where: str) -> Iterator[PartnerDocument]:
    """The wanted sets in the bytes. Raises `DataError` at the first damage: half a message is no document."""
    segments = list(_sound(payload, where))
    ends = [after.offset for _, after in pairwise(segments)] + [len(payload)]
    envelope: Envelope | None = None
    place, start = 0, -1
    opened = segments[0]
    for segment, end in zip(segments, ends, strict=True):
        own = payload[segment.offset : end]
        if isinstance(segment, ReadHeader):
            envelope = Envelope(segment, own, own[segment.length - 1 :])
        elif envelope is None:
            continue
        elif segment.id == "GS":
            envelope.gs, envelope.gs_bytes = segment, own
        elif segment.id == "ST":
            place, opened, start = place + 1, segment, segment.offset
        elif segment.id == "SE" and start >= 0:
            if wanted(opened[1]):
                yield _document(envelope, opened, payload[start:end], place, partner)
            start = -1


def _sound(payload: bytes, where: str) -> Iterator[ReadSegment]:
    for event in events([payload]):
        if isinstance(event, Damage):
            raise DataError(
                "A document of a partner cannot be read to its end",
                where=f"message {where}",
                why=f"{event.code} at byte {event.offset}: {event.why}",
                mend="Ask the partner to send it again",
                owner="EDI desk",
                code="MLC-X12-0603",
            )
        yield event


def _document(envelope: Envelope, head: ReadSegment, body: bytes, place: int, partner: str) -> PartnerDocument:
    isa, group = envelope.isa, envelope.gs.fields if envelope.gs else []
    fields = dict(enumerate(group))
    return PartnerDocument(
        set=head[1], control=head[2], place=place, group=fields.get(1, ""), group_number=fields.get(6, ""), version=fields.get(8, ""),
        interchange=isa[13], sender=f"{isa[5].strip()}:{isa[6].strip()}", receiver=f"{isa[7].strip()}:{isa[8].strip()}", usage=isa[15],
        partner=partner, payload=envelope.isa_bytes + envelope.gs_bytes + body + _trailers(envelope, fields.get(6, "")),
    )  # fmt: skip


def _trailers(envelope: Envelope, group_number: str) -> bytes:
    mark = envelope.isa.delimiters.element
    rows: list[Sequence[str]] = [("GE", "1", group_number)] if envelope.gs is not None else []
    rows.append(("IEA", "1" if envelope.gs is not None else "0", envelope.isa[13]))
    return b"".join(mark.join(row).encode("latin-1") + envelope.tail for row in rows)


def _build(settings: DocumentsSettings | None, context: Context) -> Documents:
    return Documents(settings or DocumentsSettings())


STAGE = StageSpec(
    name="x12.documents",
    verb="map",
    build=_build,
    config=DocumentsSettings,
    doc="Takes the business documents out of messages of partners: one record for each set, byte for byte.",
)
