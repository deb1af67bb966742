"""How a settled source page becomes ledger rows: pure, one `Change` for the whole page."""

from __future__ import annotations

import hashlib

import msgspec

from pipeline.record import Document, Record
from pipeline.store.answers import AnswerWriter, Told
from pipeline.store.rows import OUTCOMES, RANK, Fate, NewDocument, PageCommit, Problem, millionths, subject
from pipeline.store.transaction import Audit, Change, Command, Heads, Row


def page_command(page: PageCommit, now: str) -> Command:
    """The command that makes this page durable: its records, documents, dead letters, cursor and audit rows."""
    names = [(fate.record, name) for fate in page.fates for name in (fate.record.key, fate.record.former) if name]
    keys = list(dict.fromkeys((record.company, record.object, name) for record, name in names))
    reads: list[tuple[str, Row]] = (
        [("open_dead_letters", (msgspec.json.encode(keys).decode(), page.flow))] if keys else []
    )
    answers = AnswerWriter([one for fate in page.fates for one in _told_by(fate, page.flow, now)], page.run)
    own = len(reads)

    def build(rows: list[list[Row]], heads: Heads) -> Change:
        answers.found(rows[own:])
        return _PageWriter(page, now, heads, rows[0] if own else [], answers).change()

    return Command([*reads, *answers.reads()], build)


class _PageWriter:
    """Collects the rows of one page."""

    def __init__(
        self, page: PageCommit, now: str, heads: Heads, open_letters: list[Row], answers: AnswerWriter
    ) -> None:
        self.page, self.now, self.heads, self.answers = page, now, heads, answers
        self.letters = {
            (company, object_, key, stage, code): id_ for id_, company, object_, key, stage, code, _ in open_letters
        }
        self.letters_of: dict[tuple[str, str, str], list[tuple[int, int | None]]] = {}  # (dead letter, its document)
        for id_, company, object_, key, _, _, document in open_letters:
            self.letters_of.setdefault((company, object_, key), []).append((id_, document))
        self.records: list[Row] = []
        self.links: list[Row] = []
        self.documents: list[Row] = []
        self.plans: dict[tuple[str, tuple[str, ...]], Row] = {}
        self.new_letters: list[Row] = []
        self.repeated: list[Row] = []
        self.closed: list[Row] = []
        self.audit: list[Audit] = []
        self.received: list[Row] = []
        self.lanes: dict[str, set[str]] = {}

    def change(self) -> Change:
        page = self.page
        first = self.heads.take("records", len(page.fates)) if page.fates else 0
        for id_, fate in enumerate(page.fates, first):
            self._record(id_, fate)
        writes: list[tuple[str, list[Row]]] = [
            ("insert_page", self._pages()),
            ("insert_record", self.records),
            ("insert_plan", list(self.plans.values())),
            ("insert_document", self.documents),
            ("link_document", self.links),
            ("insert_dead_letter", self.new_letters),
            ("repeat_dead_letter", self.repeated),
            ("close_dead_letter", self.closed),
            ("insert_received", self.received),
            *self.answers.writes(),
            ("save_cursor", [(page.flow, page.source, *page.cursor, self.now)] if page.cursor else []),
        ]
        return Change(writes, self.audit, self.lanes)

    def _pages(self) -> list[Row]:
        page = self.page
        first = self.heads.take("pages", len(page.reads)) if page.reads else 0
        return [
            (id_, page.run, page.source, page.number, currency, records, amount)
            for id_, (currency, records, amount) in enumerate(page.reads, first)
        ]

    def _record(self, id_: int, fate: Fate) -> None:
        record, page = fate.record, self.page
        amount = millionths(record.amount)
        if fate.answers and not self._answers(fate) and fate.rank == RANK["delivered"]:
            fate.rank = RANK["unchanged"]
        if record.raw:
            self.received.append(
                (
                    page.flow,
                    record.company,
                    record.object,
                    record.key,
                    record.digest,
                    record.label,
                    self.now,
                    record.raw,
                )
            )
        self.records.append(
            (id_, page.run, page.flow, record.company, record.object, record.key, record.label, record.digest,
             record.currency, amount, fate.rank, fate.reason, record.alias)
        )  # fmt: skip
        for new in fate.documents:
            document = self._document(new, record, amount)
            self.links.append((id_, document))
        self.links.extend((id_, existing) for existing in fate.links)
        self._letters(fate, amount)
        self.audit.append(Audit("record", subject_of(record), _told(fate), page.run))

    def _answers(self, fate: Fate) -> bool:
        """Adds the rows of this record's answers; whether any of them is new."""
        new = [self.answers.take(told, self.audit) for told in _told_by(fate, self.page.flow, self.now)]
        return any(new)

    def _letters(self, fate: Fate, amount: int | None) -> None:
        """Opens a dead letter, counts a repeated one, or closes those that the record has outgrown."""
        record = fate.record
        identity = (record.company, record.object, record.key)
        # A document that still stands for the record keeps its letter: reading it again mends nothing.
        standing = [id_ for id_, document in self.letters_of.pop(identity, []) if document not in fate.links]
        if record.former:  # under that key it made no document
            before = self.letters_of.pop((record.company, record.object, record.former), [])
            standing += [id_ for id_, document in before if document is None]
        if fate.problem is not None:
            same = self.letters.get((*identity, fate.stage, fate.problem.code))
            if same is None:
                self._letter(fate.problem, record, amount, fate.stage, fate.partner, None)
            else:
                p = fate.problem
                self.repeated.append((self.now, self.page.run, p.what, p.where, p.why, p.mend, same))
                standing = [id_ for id_ in standing if id_ != same]
        self.closed.extend(("resolved", self.now, id_) for id_ in standing)

    def _letter(
        self, p: Problem, record: Record, amount: int | None, stage: str, partner: str, document: int | None
    ) -> None:
        self.new_letters.append(
            (self.heads.take("dead_letters"), p.failure, p.code, p.owner, p.what, p.where, p.why, p.mend, self.page.flow,
             self.page.run, stage, partner, record.company, record.object, record.key, record.label, record.currency, amount,
             document, None, self.now, self.now)
        )  # fmt: skip

    def _plan(self, doc: Document) -> str:
        """The digest under which this document's plan is kept."""
        known = (doc.plan, doc.fields)
        if known not in self.plans:
            self.plans[known] = _plan_row(doc)
        return str(self.plans[known][0])

    def _document(self, new: NewDocument, record: Record, amount: int | None) -> int:
        doc, page = new.document, self.page
        id_ = self.heads.take("documents")
        status = "held" if new.held else "stored"
        waits = "waiting" if doc.acknowledgement else ""
        plan = self._plan(doc)
        self.documents.append(
            (id_, page.flow, new.sink, new.encoder, doc.partner, doc.set, record.company, record.object, record.key, new.version,
             doc.label or record.label, record.currency, amount, new.lane, new.address, status, self.now, waits,
             doc.acknowledge_within, doc.body, msgspec.json.encode(doc.envelope).decode(), doc.group, doc.batch, doc.guard,
             page.run, self.now, page.flow_digest, page.code_version, doc.guide, record.digest, new.fields_digest, plan,
             msgspec.json.encode(doc.lookups).decode(), new.replaces, doc.reference or doc.label or record.label)
        )  # fmt: skip
        self.audit.append(
            Audit(
                "document",
                f"document {id_}",
                f"{doc.set} version {new.version} for {doc.partner} from {subject_of(record)}: {status}",
                page.run,
            )
        )
        if new.held:
            self._letter(new.held, record, amount, new.sink, doc.partner, id_)
        else:
            self.lanes.setdefault(new.sink, set()).add(new.lane)
        return id_


def _plan_row(doc: Document) -> Row:
    """A plan under the digest of all that is kept of it, whatever its maker calls it: a document must never find the fields of another plan."""
    fields = msgspec.json.encode(doc.fields).decode()
    digest = hashlib.sha256("\0".join((doc.plan, fields, doc.origins)).encode()).hexdigest()
    return (digest, fields, doc.origins)


def _told_by(fate: Fate, flow: str, now: str) -> list[Told]:
    """What partners say in one record."""
    record = fate.record
    return [
        Told((flow, record.company, record.object, record.key, place), answer, now)
        for place, answer in enumerate(fate.answers)
    ]


def subject_of(record: Record) -> str:
    """How the audit trail names a source record."""
    return subject(record.company, record.object or record.kind, record.key)


def _told(fate: Fate) -> str:
    if fate.rank is None:
        return (
            f"{len(fate.documents)} document{'s' if len(fate.documents) != 1 else ''} made"
            if fate.documents
            else "documents made before stand"
        )
    return f"{OUTCOMES[fate.rank]}: {fate.reason}" if fate.reason else OUTCOMES[fate.rank]
