"""How answers of partners become ledger rows: which documents each is about, and what it makes of them.

An answer is known by the record that said it and its place in that record, so that a record read again changes nothing; also by another flow, where
records have a company: that makes their keys unique. The worst
answer about a document wins, in whatever order they come. One that matches nothing yet is kept as its sink wrote it and tried again
by `Answers.match_again`: its message is not needed any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import msgspec

from pipeline.clock import Clock
from pipeline.record import Answer, AnswerStatus, SentDocument, Verdict
from pipeline.store.driver import Driver
from pipeline.store.rows import moment, stamp
from pipeline.store.transaction import Audit, Change, Command, Heads, Row
from pipeline.store.writer import Writer

Asked = tuple[str, str, int | str]
"""(scope, name, number), or (scope, "", reference): what deliveries are looked up by."""

Place = tuple[str, str, str, str, int]
"""(flow, company, object, key) of the record that said it, and its place among that record's answers."""

Reread = Callable[[str, bytes], Answer | None]
"""(component of the sink, what it wrote) -> the answer; None when nobody can read it any more."""

TRIED_AGAIN = timedelta(days=3)
"""How long an answer that matches nothing is tried again. Whatever is sent later than that cannot be what it answers."""

MOST_AT_ONCE = 500

FOREIGN: AnswerStatus = "foreign_mailbox"


def _said(place: Place) -> Place:
    """What an answer is known by: its place, whichever flow read it where the record's company tells it from all others."""
    return ("", *place[1:]) if place[1] else place


class Told(msgspec.Struct, frozen=True):
    """One answer, where it was said, and when it was received (as the ledger writes times)."""

    place: Place
    answer: Answer
    at: str


class AnswerWriter:
    """Collects the rows of some answers: ask for `reads`, hand over what was `found`, `take` each answer, then `writes`."""

    def __init__(self, told: Sequence[Told], run: int) -> None:
        self._told, self._run = told, run
        self._sent: dict[Asked, list[SentDocument]] = {}
        self._partners: dict[int, str] = {}
        self._known: dict[Place, dict[int | None, str]] = {}  # by what is said: the verdict on each document
        self._read: dict[tuple[Place, int | None], Place] = {}  # where that was read
        self._rows: list[Row] = []
        self._matched: list[Row] = []
        self._believed: list[Row] = []  # what was not, so far
        self._statuses: list[Row] = []

    def reads(self) -> list[tuple[str, Row]]:
        if not self._told:
            return []
        answers = [one.answer for one in self._told]
        numbers = {(a.scope, name, number) for a in answers for name, number in a.numbers}
        references = {(a.scope, reference) for a in answers for reference in a.references}
        records = {one.place[:4] for one in self._told}
        return [
            ("answered_by_number", (_json(sorted(numbers)),)),
            ("answered_by_reference", (_json(sorted(references)),)),
            ("known_answers", (_json(sorted(records)),)),
        ]

    def found(self, rows: list[list[Row]]) -> None:
        """What the ledger holds now. A command may be built again, in a transaction of its own: it begins afresh here."""
        for kept in (
            self._sent,
            self._partners,
            self._known,
            self._read,
            self._rows,
            self._matched,
            self._believed,
            self._statuses,
        ):
            kept.clear()
        if not rows:
            return
        by_number, by_reference, known = rows
        for scope, name, what, id_, set_code, delivery, position, envelope, numbers, sealed, reference, partner in (
            *by_number, *by_reference,
        ):  # fmt: skip
            sent = SentDocument(
                id=id_, set=set_code, delivery=delivery, position=position, sealed=moment(sealed), reference=reference, partner=partner,
                envelope=msgspec.json.decode(envelope, type=dict[str, str]), numbers=msgspec.json.decode(numbers, type=dict[str, int]),
            )  # fmt: skip
            self._sent.setdefault((scope, name, what), []).append(sent)
            self._partners[id_] = partner
        for *place, document, verdict in known:
            said = _said(tuple(place))
            self._known.setdefault(said, {})[document] = verdict
            self._read[said, document] = tuple(place)

    def take(self, told: Told, audit: list[Audit]) -> bool:
        """Adds the rows of one answer; whether it says anything that the ledger did not know."""
        said, answer = _said(told.place), told.answer
        known = self._known.setdefault(said, {})
        verdicts = [verdict for verdict in answer.match(self._candidates(answer)) if _is_news(verdict, known)]
        if not verdicts and not known:
            known[None] = ""
            self._read[said, None] = told.place
            self._unmatched(told, audit)
            return True
        if verdicts and None in known:
            self._matched.append(self._read[said, None])
        for verdict in verdicts:
            if verdict.document in known:
                self._believed.append((*self._read[said, verdict.document], verdict.document))
            known[verdict.document] = verdict.status
            self._read[said, verdict.document] = told.place
            self._verdict(told, verdict, audit)
        return bool(verdicts)

    def _unmatched(self, told: Told, audit: list[Audit]) -> None:
        _, _, object_, key, _ = told.place
        answer = told.answer
        self._rows.append(
            (*told.place, None, answer.sender, answer.kind, "", self._run, told.at, answer.told, answer.sink, answer.said, 0)
        )  # fmt: skip
        audit.append(
            Audit("acknowledgement", f"{object_} {key}", f"{answer.kind} matches nothing yet: {answer.told}", self._run)
        )

    def _verdict(self, told: Told, verdict: Verdict, audit: list[Audit]) -> None:
        answer, detail = told.answer, "; ".join(verdict.reasons)
        partner = self._partners[verdict.document]
        self._rows.append(
            (*told.place, verdict.document, partner, answer.kind, verdict.status, self._run, told.at, detail, "", b"",
             int(verdict.proves))
        )  # fmt: skip
        if verdict.settles and verdict.status != "duplicate":
            self._statuses.append((verdict.status, verdict.document))
        said = f"{answer.kind} says {verdict.status}{': ' + detail if detail else ''}"
        audit.append(Audit("acknowledgement", f"document {verdict.document}", said, self._run))

    def _candidates(self, answer: Answer) -> list[SentDocument]:
        """Each document once, in order of delivery and position."""
        asked: list[Asked] = [(answer.scope, name, number) for name, number in answer.numbers]
        asked += [(answer.scope, "", reference) for reference in answer.references]
        return list({sent.id: sent for key in asked for sent in self._sent.get(key, ())}.values())

    def writes(self) -> list[tuple[str, list[Row]]]:
        return [
            ("forget_unmatched", self._matched), ("forget_answer", self._believed), ("insert_answer", self._rows),
            ("acknowledge", self._statuses),
        ]  # fmt: skip


def _is_news(verdict: Verdict, known: Mapping[int | None, str]) -> bool:
    """Whether the ledger has nothing of this, or only that it was not believed."""
    before = known.get(verdict.document)
    return before is None or (before == FOREIGN != verdict.status)


class Answers:
    """The ledger's verb for answers that came before what they answer could be found."""

    def __init__(self, driver: Driver, writer: Writer, clock: Clock) -> None:
        self._driver, self._writer, self._clock = driver, writer, clock

    async def match_again(self, run: int, reread: Reread) -> int:
        """Tries again each answer that matched nothing and came lately; how many match now."""
        since = stamp(self._clock.now() - TRIED_AGAIN)
        told = []
        for *place, at, sink, said in await self._driver.fetch("unmatched_answers", (since,)):
            answer = reread(sink, said)
            if answer is not None:
                told.append(Told((place[0], place[1], place[2], place[3], place[4]), answer, at))
        matched = 0
        for start in range(0, len(told), MOST_AT_ONCE):
            made = await self._writer.submit(_again(told[start : start + MOST_AT_ONCE], run))
            assert isinstance(made, int)
            matched += made
        return matched


def _again(told: Sequence[Told], run: int) -> Command:
    writer = AnswerWriter(told, run)

    def build(rows: list[list[Row]], heads: Heads) -> Change:
        writer.found(rows)
        audit: list[Audit] = []
        matched = sum(writer.take(one, audit) for one in told)
        return Change(writer.writes(), audit, matched)

    return Command(writer.reads(), build)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
