"""How answers of partners become ledger rows: which documents each is about, and what it makes of them. Pure, part of a page's change.

An answer is known by the record that said it and its place in that record, so that a record read again changes nothing. The worst
answer about a document wins, in whatever order they come.
"""

from __future__ import annotations

import msgspec

from pipeline.record import Answer, SentDocument, Verdict
from pipeline.store.rows import Fate, PageCommit, moment
from pipeline.store.transaction import Audit, Row

Asked = tuple[str, str, int | str]
"""(scope, name, number), or (scope, "", reference): what deliveries are looked up by."""


class AnswerWriter:
    """Collects the rows of one page's answers: ask for `reads`, hand over what was `found`, `take` each fate, then `writes`."""

    def __init__(self, page: PageCommit, now: str) -> None:
        self._page, self._now = page, now
        self._answers = [(fate, answer) for fate in page.fates for answer in fate.answers]
        self._sent: dict[Asked, list[SentDocument]] = {}
        self._partners: dict[int, str] = {}
        self._known: dict[tuple[str, str, str, int], set[int | None]] = {}
        self._rows: list[Row] = []
        self._matched: list[Row] = []
        self._statuses: list[Row] = []

    def reads(self) -> list[tuple[str, Row]]:
        if not self._answers:
            return []
        numbers = {(a.scope, name, number) for _, a in self._answers for name, number in a.numbers}
        references = {(a.scope, reference) for _, a in self._answers for reference in a.references}
        records = {(f.record.company, f.record.object, f.record.key) for f, _ in self._answers}
        return [
            ("answered_by_number", (_json(sorted(numbers)),)),
            ("answered_by_reference", (_json(sorted(references)),)),
            ("known_answers", (_json(sorted(records)), self._page.flow)),
        ]

    def found(self, rows: list[list[Row]]) -> None:
        if not rows:
            return
        by_number, by_reference, known = rows
        for scope, name, what, id_, set_code, delivery, position, envelope, numbers, sealed, reference, partner in (
            *by_number, *by_reference,
        ):  # fmt: skip
            sent = SentDocument(
                id=id_, set=set_code, delivery=delivery, position=position, sealed=moment(sealed), reference=reference,
                envelope=msgspec.json.decode(envelope, type=dict[str, str]), numbers=msgspec.json.decode(numbers, type=dict[str, int]),
            )  # fmt: skip
            self._sent.setdefault((scope, name, what), []).append(sent)
            self._partners[id_] = partner
        for company, object_, key, place, document in known:
            self._known.setdefault((company, object_, key, place), set()).add(document)

    def take(self, fate: Fate, audit: list[Audit]) -> bool:
        """Adds the rows of one record's answers; whether any of them is new."""
        new = [self._take(fate, place, answer, audit) for place, answer in enumerate(fate.answers)]
        return any(new)

    def _take(self, fate: Fate, place: int, answer: Answer, audit: list[Audit]) -> bool:
        record = fate.record
        of = (self._page.flow, record.company, record.object, record.key, place)
        known = self._known.setdefault((record.company, record.object, record.key, place), set())
        verdicts = [verdict for verdict in answer.match(self._candidates(answer)) if verdict.document not in known]
        if not verdicts and not known:
            known.add(None)
            self._rows.append((*of, None, answer.sender, answer.kind, "", self._page.run, self._now, answer.told))
            subject = f"{record.object or record.kind} {record.key}"
            audit.append(
                Audit("acknowledgement", subject, f"{answer.kind} matches nothing: {answer.told}", self._page.run)
            )
            return True
        if verdicts and None in known:
            self._matched.append(of)
        for verdict in verdicts:
            known.add(verdict.document)
            self._verdict(of, answer, verdict, audit)
        return bool(verdicts)

    def _verdict(self, of: Row, answer: Answer, verdict: Verdict, audit: list[Audit]) -> None:
        run, detail = self._page.run, "; ".join(verdict.reasons)
        partner = self._partners[verdict.document]
        self._rows.append((*of, verdict.document, partner, answer.kind, verdict.status, run, self._now, detail))
        if verdict.settles and verdict.status != "duplicate":
            self._statuses.append((verdict.status, verdict.document))
        told = f"{answer.kind} says {verdict.status}{': ' + detail if detail else ''}"
        audit.append(Audit("acknowledgement", f"document {verdict.document}", told, run))

    def _candidates(self, answer: Answer) -> list[SentDocument]:
        """Each document once, in order of delivery and position."""
        asked: list[Asked] = [(answer.scope, name, number) for name, number in answer.numbers]
        asked += [(answer.scope, "", reference) for reference in answer.references]
        return list({sent.id: sent for key in asked for sent in self._sent.get(key, ())}.values())

    def writes(self) -> list[tuple[str, list[Row]]]:
        return [("forget_unmatched", self._matched), ("insert_answer", self._rows), ("acknowledge", self._statuses)]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
