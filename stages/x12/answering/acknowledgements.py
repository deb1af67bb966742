"""The stages for what partners send back: ``x12.decode`` reads messages into answers, ``x12.acknowledgements`` matches them. Pure.

One record per answer goes from the first to the second; how an answer is matched is said in `stages.x12.answering.match`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from pipeline import Answer, AnswerStatus, Context, DataError, Excluded, Record, SentDocument, StageSpec, Verdict
from stages.x12.answering.answer_reader import Unread, reading
from stages.x12.answering.answers import DocumentAdvice, GroupAnswer, InterchangeAnswer, OrderAnswer, Received
from stages.x12.answering.match import CLOCKS_APART, Matched, Sent, Status, match, moment
from stages.x12.definitions import release
from stages.x12.reading.reader import ReadHeader, events
from stages.x12.writing.envelope import places

NOT_X12 = "not X12"
NOTHING_ANSWERED = "no acknowledgement"
"""The rules under which messages are excluded; a flow file cannot rename them."""

DUPLICATE_INTERCHANGE = "025"
MOST_FINDINGS = 5
MOST_NAMED = 3

_STATUSES: dict[Status, AnswerStatus] = {
    "received": "accepted", "accepted": "accepted", "accepted_with_errors": "accepted_with_errors", "unclear": "partially_accepted",
    "rejected": "rejected", "business_accepted": "accepted", "business_accepted_with_errors": "accepted_with_errors",
    "business_rejected": "rejected",
}  # fmt: skip


class NoSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Neither stage has settings: the bytes say everything."""


def decode(record: Record) -> list[Record]:
    """One record per answer in the message, which is the body or its ``payload``. Raises `Excluded` or `DataError`.

    ``partners`` of the body, where it has them, are those in whose mailbox it lay: what is believed, and may prove an arrival.
    """
    payload = payload_of(record, "x12.decode")
    if payload is None:
        raise Excluded(NOT_X12)
    answers: list[Received] = []
    unread: list[Unread] = []
    for one in reading([payload]):
        if isinstance(one, Unread):
            unread.append(one)
        else:
            answers.append(one)
    if unread:
        raise _unreadable(unread, record)
    if not answers:
        raise Excluded(NOTHING_ANSWERED)
    partners = tuple(getattr(record.body, "partners", ()))
    said = [msgspec.structs.replace(answer, partners=partners) for answer in answers]
    return [record.replace(kind="answer", body=answer, raw=b"") for answer in said]


def payload_of(record: Record, stage: str) -> bytes | None:
    """The bytes of a message: its body, or that body's ``payload``; None when they are no X12. Raises `DataError` for any other body."""
    payload = record.body if isinstance(record.body, bytes) else getattr(record.body, "payload", None)
    if not isinstance(payload, bytes):
        raise _wrong_body(stage, "takes messages: bytes, or a body with a `payload` of bytes", record)
    return payload if _is_x12(payload) else None


_HEADERS = (b"ISA", "ISA".encode("cp037"))
_ANSWERING = re.compile(rb"(?<![A-Za-z0-9])(?:AK1(\W)[A-Z]{2}\1\d|AK9(\W)\w?\2\d|TA1(\W)\d{9}\3)")


def _is_x12(payload: bytes) -> bool:
    """Whether there is X12 somewhere, or what once was: an answer in another encoding, or without its header, is for a person too."""
    text = payload.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if text.startswith(_HEADERS) or _ANSWERING.search(text):
        return True
    return b"ISA" in payload and any(isinstance(event, ReadHeader) for event in events([payload]))


def _unreadable(unread: Sequence[Unread], record: Record) -> DataError:
    """An answer that cannot be read whole is for a person: what is missing may be the refusal."""
    why = "; ".join(map(str, unread[:MOST_FINDINGS]))
    more = len(unread) - MOST_FINDINGS
    return DataError(
        "A message of a partner cannot be read to its end",
        where=f"message {record.label or record.key}",
        why=why + (f"; and {more:,} more" if more > 0 else ""),
        mend="Ask the partner to send it again; what it answers is not known",
        owner="EDI desk",
        code="MLC-X12-0601",
    )


class Acknowledgements:
    """Implements `pipeline.stage.Acknowledges` for records whose body is a `Received`."""

    def answer(self, record: Record) -> Answer:
        if not isinstance(record.body, Received):
            raise _wrong_body("x12.acknowledgements", "takes what x12.decode makes", record)
        return _answer(record.body)


def _answer(received: Received) -> Answer:
    us, them = ":".join(received.receiver), ":".join(received.sender)
    said = received.answer
    return Answer(
        kind=kind(received),
        scope=f"{us}|{them}|{received.usage}",
        sender=them,
        numbers=tuple(_numbers(said)),
        references=tuple(_references(said)),
        told=_told(said),
        match=lambda sent: _verdicts(received, sent),
        said=msgspec.json.encode(received),
    )


def reread(said: bytes) -> Answer | None:
    """The answer whose ``said`` this is; None for one that another version of this program wrote in another form."""
    try:
        return _answer(msgspec.json.decode(said, type=Received))
    except msgspec.DecodeError:
        return None


def kind(received: Received) -> str:
    """The set that answered, or TA1."""
    match received.answer:
        case GroupAnswer() as answer:
            return answer.form
        case InterchangeAnswer():
            return "TA1"
        case DocumentAdvice():
            return "824"
    return "855"


def _numbers(said: object) -> list[tuple[str, int]]:
    match said:
        case InterchangeAnswer() if said.number.isascii() and said.number.isdigit() and len(said.number) <= 9:
            return [("ISA13", int(said.number))]
        case GroupAnswer():
            return [("GS06", said.number)]
        case DocumentAdvice() if said.group_number is not None:
            return [("GS06", said.group_number)]
    return []


def _references(said: object) -> list[str]:
    match said:
        case DocumentAdvice():
            return [said.reference] if said.reference else []
        case OrderAnswer():
            return [said.order] if said.order else []
    return []


def _told(said: object) -> str:
    match said:
        case InterchangeAnswer():
            return f"interchange {said.number} of {said.date}: {said.status}, note {said.note}"
        case GroupAnswer():
            return f"group {said.group} {said.number}: {said.status}"
        case DocumentAdvice():
            return f"document {said.reference or said.control}: {said.status}"
        case OrderAnswer():
            return f"order {said.order}: {said.status}"
    return ""


def _verdicts(received: Received, documents: Sequence[SentDocument]) -> list[Verdict]:
    by_id = {document.id: document for document in documents}
    found = [(one, by_id[int(one.document)]) for one in match([received], _sent(received, documents)).matched]
    return [
        _not_believed(received, one, document.partner)
        if received.partners and document.partner not in received.partners
        else _verdict(received, one, _proves(received, one, document))
        for one, document in found
    ]


def _not_believed(received: Received, matched: Matched, partner: str) -> Verdict:
    """An ISA names anybody: what lay where only others answer may be an error or a forgery, and decides nothing of a bill."""
    others = ", ".join(received.partners[:MOST_NAMED]) + (", ..." if len(received.partners) > MOST_NAMED else "")
    why = f"not believed, it says {_STATUSES[matched.status]} and lay where {others} answers, not {partner}"
    mend = f"EDI desk: ask {partner}; if it answers there, name that mailbox in its file"
    return Verdict(document=int(matched.document), status="foreign_mailbox", reasons=(why, mend), settles=False)


def _proves(received: Received, matched: Matched, document: SentDocument) -> bool:
    """Whether only who has the document's interchange can have said this: it lay where its partner answers, names its numbers and was written since.

    An ISA names anybody: from a mailbox that no partner file names it may be an error or a forgery.

    Numbers come again, after a wrap or in a ledger that was begun anew. So a TA1 must name our ISA date, and a 997 or 999 must not be
    older than a day, which is what partners' clocks and time zones make of "since". An 824 or 855 may go by a reference alone.
    """
    sealed = document.sealed
    if document.partner not in received.partners:
        return False
    if isinstance(received.answer, InterchangeAnswer):
        return received.answer.date == f"{sealed:%y%m%d}"
    written = moment(received.sent)
    return matched.by in ("997", "999") and written is not None and written >= sealed - CLOCKS_APART


def _verdict(received: Received, matched: Matched, proves: bool) -> Verdict:
    """A TA1 is about the envelope: it can refuse, but what it accepts is still to be answered. One that refuses a repetition proves receipt."""
    status = _STATUSES[matched.status]
    settles = matched.by != "TA1" or status == "rejected"
    if isinstance(received.answer, InterchangeAnswer) and received.answer.note == DUPLICATE_INTERCHANGE:
        status, settles = "duplicate", False
    elif matched.by == "TA1" and status == "accepted" and matched.reasons:
        status = "accepted_with_errors"
    return Verdict(
        document=int(matched.document), status=status, reasons=matched.reasons, settles=settles, proves=proves
    )


def _sent(received: Received, documents: Sequence[SentDocument]) -> list[Sent]:
    """All documents of these deliveries with the numbers they got in their envelopes."""
    found: list[Sent] = []
    for delivery in dict.fromkeys(document.delivery for document in documents):
        members = sorted((one for one in documents if one.delivery == delivery), key=lambda one: one.position)
        versions = [(one.set, one.envelope["version"]) for one in members]
        numbers = places(versions, members[0].numbers["GS06"])
        for one, (set_code, version), (group, control) in zip(members, versions, numbers, strict=True):
            found.append(
                Sent(
                    document=one.id, partner=received.sender, usage=one.envelope["usage"], interchange=one.numbers["ISA13"], group=release(version).sets[set_code].group,
                    group_number=group, set=set_code, control=f"{control:04d}", reference=one.reference, sent=f"{one.sealed:%y%m%d%H%M}",
                )
            )  # fmt: skip
    return found


def _wrong_body(stage: str, takes: str, record: Record) -> DataError:
    return DataError(
        f"This record is nothing that {stage} can read",
        where=record.label or record.key,
        why=f"{stage} {takes}, not {type(record.body).__name__}",
        mend="Put the right stage before it in the flow",
        owner="developer",
        code="MLC-X12-0602",
    )


def _build_decode(settings: NoSettings | None, context: Context) -> object:
    return decode


def _build_acknowledgements(settings: NoSettings | None, context: Context) -> Acknowledgements:
    return Acknowledgements()


DECODE = StageSpec(
    name="x12.decode",
    verb="map",
    build=_build_decode,
    config=NoSettings,
    doc="Reads messages of partners: one record for each TA1, 997, 999, 824 or 855 in it.",
)
ACKNOWLEDGEMENTS = StageSpec(
    name="x12.acknowledgements",
    verb="sink",
    build=_build_acknowledgements,
    config=NoSettings,
    reread=reread,
    exactly_once=True,
    doc="Matches answers with the documents that were sent and keeps both in the ledger; nothing leaves.",
)
