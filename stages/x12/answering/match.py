"""Which sent document an answer belongs to, and what it makes of the document's status. Pure functions over plain lists.

Matching again gives the same, in whatever order answers come and however often: a status only ever rises (`joined`), and what
matches nothing is handed back, to be tried again when more has been sent. No input/output.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from stages.x12.answering.answers import (
    DocumentAdvice,
    Form,
    GroupAnswer,
    InterchangeAnswer,
    OrderAnswer,
    Received,
    SetAnswer,
)
from stages.x12.definitions import release, releases

Status = Literal[
    "", "received", "accepted", "accepted_with_errors", "unclear", "rejected",
    "business_accepted", "business_accepted_with_errors", "business_rejected",
]  # fmt: skip
"""What is known of a sent document, in rising order. A 997 speaks of syntax; only the ``business_`` ones of the invoice itself."""

ORDER: tuple[Status, ...] = (
    "", "received", "accepted", "accepted_with_errors", "unclear", "rejected",
    "business_accepted", "business_accepted_with_errors", "business_rejected",
)  # fmt: skip

_SYNTAX: dict[str, Status] = {"A": "accepted", "E": "accepted_with_errors", "P": "unclear"}
_ORDERS: dict[str, Status] = {
    "AC": "business_accepted_with_errors", "AD": "business_accepted", "AE": "business_accepted_with_errors",
    "AK": "business_accepted", "AT": "business_accepted", "RD": "business_rejected", "RF": "business_rejected",
    "RJ": "business_rejected", "RO": "business_rejected",
}  # fmt: skip
CLOCKS_APART = timedelta(days=1)
"""What partners' clocks and time zones make of "since": an ISA holds local time and says of which place."""
MOST_REASONS = 20
"""Sentences about one document; the rest is counted."""
_REFERRED_TO = {"IV": "810", "PO": "850"}
"""Element 128, by which an 824 that does not name the set says what its reference is the number of."""
_ADVICE: dict[str, Status] = {"A": "business_accepted", "R": "business_rejected"}


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One document in one interchange we sent. ``document`` is whatever the caller knows it by.

    ``partner`` is (qualifier, id) of their ISA. ``reference`` is the invoice's or order's number. ``sent`` is the ISA date and time
    as text (YYMMDDHHMM), so that a number used again after a wrap is told from the first use.
    """

    document: int | str
    partner: tuple[str, str]
    interchange: int  # ISA13
    group: str  # GS01
    group_number: int  # GS06
    set: str  # ST01
    control: str  # ST02
    usage: str = "P"  # ISA15; test and production number their interchanges apart
    reference: str = ""
    sent: str = ""


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """What one answer says of one document. ``reasons`` are sentences for people, empty when all is well."""

    document: int | str
    status: Status
    by: str  # "997", "999", "TA1", "824", "855"
    source: tuple[str, str, str]
    reasons: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True):
    """All matches, in the order of the answers, and the answers that match nothing (yet)."""

    matched: tuple[Matched, ...]
    unmatched: tuple[Received, ...]


def joined(*statuses: Status) -> Status:
    """The status after all of these, in any order: what says more wins, and a refusal wins over an acceptance of its kind."""
    return max(statuses, key=ORDER.index, default="")


def match(received: Iterable[Received], sent: Iterable[Sent]) -> Outcome:
    """Each answer against all that was sent: of the same partner and usage: TA1 by ISA13, 997 and 999 by (GS01, GS06, ST01, ST02), 824 and 855 by number or reference.

    Never against what was sent more than `CLOCKS_APART` after the answer was written: numbers come again, and so do a partner's old answers.
    """
    mine: dict[tuple[str, str, str], list[Sent]] = {}
    for one in sent:
        mine.setdefault(_whose(one.partner, one.usage), []).append(one)
    matched: list[Matched] = []
    unmatched: list[Received] = []
    for answer in received:
        known = [
            one for one in mine.get(_whose(answer.sender, answer.usage), []) if _can_know(answer, one, CLOCKS_APART)
        ]
        found = _matches(answer, known)
        matched += found
        if not found:
            unmatched.append(answer)
    return Outcome(tuple(matched), tuple(unmatched))


def statuses(matched: Iterable[Matched]) -> dict[int | str, Status]:
    """The status of each document that something was matched to."""
    made: dict[int | str, Status] = {}
    for one in matched:
        made[one.document] = joined(made.get(one.document, ""), one.status)
    return made


def _whose(isa: tuple[str, str], usage: str) -> tuple[str, str, str]:
    """Anything but P is a test: ISA15 knows P, T and I, and who answers in test may not know which."""
    return isa[0].strip(), isa[1].strip(), "P" if usage.strip() == "P" else "T"


def _matches(received: Received, sent: Sequence[Sent]) -> list[Matched]:
    match received.answer:
        case InterchangeAnswer() as answer:
            return _by_interchange(received, answer, sent)
        case GroupAnswer() as answer:
            return _by_group(received, answer, sent)
        case DocumentAdvice() as answer:
            return _by_advice(received, answer, sent)
        case OrderAnswer() as answer:
            status = _ORDERS.get(answer.status, "unclear")
            orders = [one for one in sent if one.set == "850" and answer.order and one.reference == answer.order]
            lines = _few(
                [f"line {line.line}: {_meant('668', line.status)}" for line in answer.lines if line.status != "IA"],
                answer.omitted,
            )
            return [
                Matched(document=one.document, status=status, by="855", source=received.source, reasons=lines)
                for one in _latest(_as_of(received, orders))
            ]


def _latest(sent: Sequence[Sent]) -> list[Sent]:
    """Of several interchanges, the last: a number is used again years later."""
    last = max(((one.sent, one.interchange) for one in sent), default=None)
    return [one for one in sent if (one.sent, one.interchange) == last]


def _as_of(received: Received, sent: list[Sent]) -> list[Sent]:
    """What was sent when the answer was written, by the clocks as they are; all of it when that is nothing, since they may differ.

    For a reference, which comes again with each version of a document, within hours.
    """
    return [one for one in sent if _can_know(received, one, timedelta(0))] or sent


def _can_know(received: Received, sent: Sent, apart: timedelta) -> bool:
    written, made = moment(received.sent), moment(sent.sent)
    return written is None or made is None or written >= made - apart


def moment(text: str) -> datetime | None:
    """The time that an ISA names, YYMMDDHHMM, read as UTC; None where it names none."""
    try:
        return datetime.strptime(text, "%y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        return None


def _by_interchange(received: Received, answer: InterchangeAnswer, sent: Sequence[Sent]) -> list[Matched]:
    mine = [one for one in sent if str(one.interchange) == answer.number.lstrip("0") and _dated(answer, one)]
    exactly = [one for one in mine if one.sent == answer.date + answer.time]
    status: Status = "rejected" if answer.status == "R" else "received"
    reasons = (f"interchange: {_meant('I18', answer.note)}",) if answer.note != "000" else ()
    return [
        Matched(document=one.document, status=status, by="TA1", source=received.source, reasons=reasons)
        for one in exactly or _latest(mine)
    ]


def _dated(answer: InterchangeAnswer, sent: Sent) -> bool:
    """Whether the TA1 names the day of this interchange, or the day beside it where a partner puts its own; or no day at all."""
    named, made = moment(answer.date + "0000"), moment(sent.sent[:6] + "0000")
    return named is None or made is None or abs(named - made) <= CLOCKS_APART


def _by_group(received: Received, answer: GroupAnswer, sent: Sequence[Sent]) -> list[Matched]:
    mine = [one for one in sent if (one.group, one.group_number) == (answer.group, answer.number)]
    named = _named(answer)
    known = [one for one in mine if _place(one) in named]
    if named and not known and _accepts_all(answer):
        return []  # it accepts sets that we never sent: another group of that number
    newest = {(one.sent, one.interchange) for one in _latest(known or mine)}
    group = [one for one in mine if (one.sent, one.interchange) in newest]
    strange = named.keys() - {_place(one) for one in group}
    # A short answer names the faulty sets only; a rejection means the whole group.
    whole = not named or strange or answer.included > len(named) or answer.status not in _SYNTAX
    told_of = group if whole else [one for one in group if _place(one) in named]
    ours = [one for place, one in named.items() if place not in strange]
    unnamed = _unnamed(answer, ours, len(told_of), [named[place] for place in strange])
    return [_of_set(received, answer, unnamed, named.get(_place(one)), one) for one in told_of]


def _accepts_all(answer: GroupAnswer) -> bool:
    return answer.status in ("A", "E") and all(one.status in _SYNTAX for one in answer.sets)


def _place(one: Sent | SetAnswer) -> tuple[str, str]:
    """ST01 and ST02 of a set; partners repeat 0001 as 1."""
    return one.set, one.control.lstrip("0")


def _named(answer: GroupAnswer) -> dict[tuple[str, str], SetAnswer]:
    """The sets it names. Of one that is named twice, the refusal stands."""
    named: dict[tuple[str, str], SetAnswer] = {}
    for one in answer.sets:
        if _place(one) not in named or one.status not in _SYNTAX:
            named[_place(one)] = one
    return named


def _unnamed(answer: GroupAnswer, ours: Sequence[SetAnswer], sent: int, strange: Sequence[SetAnswer]) -> Status:
    """What is said of the sets that the answer does not name: accepted only when nothing leaves room for another reading.

    ``ours`` are the sets it names, ``sent`` those it is about, ``strange`` what it names and we did not send.
    """
    if answer.status not in _SYNTAX:
        return "unclear" if strange and not ours else "rejected"
    others = max(answer.included, sent) - len(ours)
    accepted = answer.accepted - sum(one.status in _SYNTAX for one in ours)
    if accepted < others or strange or (answer.status == "P" and not ours):
        return "unclear"
    return "accepted" if ours else _SYNTAX[answer.status]


def _accepted_by_name(answer: GroupAnswer) -> int:
    return sum(one.status in _SYNTAX for one in answer.sets)


def _of_set(received: Received, answer: GroupAnswer, unnamed: Status, of: SetAnswer | None, sent: Sent) -> Matched:
    reasons = _few(_reasons(of, answer.form), of.omitted) if of is not None else ()
    if of is None:
        status = unnamed
    elif answer.status not in _SYNTAX:  # a rejected group is rejected whole, whatever is said of its sets
        status = "rejected"
    elif of.status in _SYNTAX and _accepted_by_name(answer) > answer.accepted:
        status = "unclear"
    else:
        status = _SYNTAX.get(of.status, "rejected")
    if status == "rejected" and answer.codes:
        reasons += tuple(f"group: {_meant('716', code)}" for code in answer.codes)
    if status == "unclear":
        counts = f"{answer.included} sets included, {answer.received} received, {answer.accepted} accepted"
        reasons = (f"the answer does not say which sets of the group were accepted: {counts}",)
    return Matched(document=sent.document, status=status, by=answer.form, source=received.source, reasons=reasons)


def _few(reasons: Iterable[str], omitted: int = 0) -> tuple[str, ...]:
    """The first of the reasons, and how many more there are."""
    told = list(reasons)
    more = len(told) - MOST_REASONS + omitted
    return (*told[:MOST_REASONS], f"and {more:,} more") if more > 0 else tuple(told)


def _reasons(of: SetAnswer, form: Form) -> Iterable[str]:
    sets, segments, elements = ("718", "720", "723") if form == "997" else ("618", "620", "621")
    yield from (f"set: {_meant(sets, code)}" for code in of.codes if code not in ("5", "I5") or not of.segments)
    for note in of.segments:
        where = f"segment {note.position}, {note.segment}"
        if not note.elements:
            yield f"{where}: {_meant(segments, note.code)}"
        for fault in note.elements:
            value = f": {fault.value!r}" if fault.value else ""
            yield f"{where}{fault.element:02d}: {_meant(elements, fault.code)}{value}"


def _meant(element: str, code: str) -> str:
    """A code with its meaning: ``Invalid code value (7)``."""
    meaning = release(releases()[-1]).meaning(element, code).partition(" (")[0]
    return f"{meaning} ({code})" if meaning else f"code {code}" if code else ""


def _by_advice(received: Received, answer: DocumentAdvice, sent: Sequence[Sent]) -> list[Matched]:
    set = answer.set or _REFERRED_TO.get(answer.qualifier, "")
    about = [one for one in sent if set in ("", one.set)]
    mine: list[Sent] = []
    if answer.group_number is not None and answer.control:
        number, place = answer.group_number, answer.control.lstrip("0")
        numbered = [one for one in about if (one.group_number, one.control.lstrip("0")) == (number, place)]
        mine = _latest(numbered)
    if not mine and answer.reference:
        mine = _latest(_as_of(received, [one for one in about if one.reference == answer.reference]))
    status = _ADVICE.get(answer.status[-1:], "business_accepted_with_errors")
    told = [" ".join(filter(None, (_meant("647", one.code), one.message, one.value))) for one in answer.complaints]
    reasons = _few([*told, *answer.remarks], answer.omitted)
    return [
        Matched(document=one.document, status=status, by="824", source=received.source, reasons=reasons) for one in mine
    ]
