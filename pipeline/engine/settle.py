"""What a settled page means for the ledger: which documents are new, which are versions, which are held. Pure.

Rules (identity, versions, duplicates): a document stands for (flow, partner, set, company, object, business key), once for each
sink it goes to. A new version exists when a source field used in the last document has another value now; a guide's edit makes none.
It amends only what was sent: a version of something that never left is an original. A record that a filter leaves out after a document
of it was sent, that its source has deleted, or that has changed and goes to another partner or to none, is held, never dropped in silence;
what one partner has is not sent to another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from pipeline.engine.faults import explained
from pipeline.engine.receipt import DEAD, HELD, LeftOut, Receipt
from pipeline.record import Deleted, Destination, Document, Fingerprint, Record
from pipeline.store.ledger import Identity
from pipeline.store.rows import DELETED, LEFT_OUT, RANK, Fate, NewDocument, Previous, Problem

UNCHANGED = RANK["unchanged"]

Amend = Callable[[str, Document, int], Document]
"""(encoder stage, document, version) -> the document as that version."""

Destine = Callable[[str, Document], Destination]
"""(sink stage, document) -> where it goes."""


class Settlement:
    """Decides the fates of one page's records, given what the ledger held before."""

    def __init__(
        self,
        previous: Mapping[tuple[Identity, str, str], Mapping[str, Previous]],
        guarded: Mapping[tuple[str, str, str], list[tuple[Identity, int]]],
        amend: Amend,
        destine: Destine,
        sinks: Collection[str],
        sent: Mapping[Identity, str],
        upserts: Collection[str] = (),
        *,
        rewrite: bool = False,
    ) -> None:
        self._previous = previous
        self._sent_before = _by_record(previous)
        self._guarded = guarded
        self._amend = amend
        self._destine = destine
        self._sinks = sinks
        self._sent = sent  # of the records that were left out: what was sent of them before
        self._upserts = upserts  # sinks that keep objects, not documents: theirs may move from one partner to another
        self._rewrite = (
            upserts if rewrite else ()
        )  # these are sent again what was delivered to them and has not changed
        self._made: dict[tuple[Identity, str, str, str], tuple[Fate, NewDocument]] = {}
        self._guards: dict[tuple[str, str, str, str], Identity] = {}

    def fates(self, receipt: Receipt) -> list[Fate]:
        """One fate per record of the page, in order."""
        return [self._fate(receipt, row, record) for row, record in enumerate(receipt.page.records)]

    def _fate(self, receipt: Receipt, row: int, record: Record) -> Fate:
        fate = Fate(record, receipt.ranks.get(row), receipt.reasons.get(row, ""), documents=[], links=[])
        fate.answers = receipt.answers.get(row, [])
        if row in receipt.problems:
            fate.problem, fate.stage, fate.partner = receipt.problems[row]
        made = receipt.documents.get(row, ())
        partners = {document.partner for _, _, document in made}
        for sink, encoder, document in made:
            try:
                self._document(fate, sink, encoder, document, partners)
            except Exception as error:  # noqa: BLE001  becomes this record's outcome
                problem = Problem.of(explained(error, encoder or sink, f"{record.kind} {record.label or record.key}"))
                _fails(fate, problem, sink, document.partner)
        left_out = receipt.left_out.get(row)
        if left_out is not None and identity_of(record) in self._sent and self._matters(left_out, receipt, row):
            _fails(fate, self._left_out_after(record, fate.reason), left_out.stage, "")
        return fate

    def _matters(self, left_out: LeftOut, receipt: Receipt, row: int) -> bool:
        """A filter's word always does. A map's does when a document that was sent, and has none in its place now, would be another one today."""
        if left_out.fingerprint is None:
            return True
        placed = {sink for sink, _, _ in receipt.documents.get(row, ())}
        before = self._sent_before.get(identity_of(receipt.page.records[row]), [])
        return any(
            left_out.fingerprint(one.fields) != one.fields_digest for _, sink, one in before if sink not in placed
        )

    def _document(self, fate: Fate, sink: str, encoder: str, document: Document, partners: Collection[str]) -> None:
        identity = identity_of(fate.record)
        key = (identity, document.partner, document.set)
        before = self._before(key, sink)
        fingerprint = document.fingerprint or (lambda fields: fate.record.digest)
        if self._stands_in_page((*key, sink), fate, fingerprint):
            return
        same = before is not None and fingerprint(before.fields) == before.fields_digest
        if before is not None and same and not (sink in self._rewrite and before.status == "delivered"):
            _stands(fate, before)
            return
        elsewhere = self._elsewhere(identity, sink, partners, before)
        if before is None and elsewhere and fingerprint(elsewhere[1].fields) == elsewhere[1].fields_digest:
            _stands(fate, elsewhere[1])
            return
        if before is not None and before.sent:
            document = self._amend(encoder, document, before.version + 1)
        destination = self._destine(sink, document)
        new = NewDocument(document, sink, encoder, destination.lane, destination.address, fingerprint(document.fields))
        if before is not None:
            new.version, new.replaces = before.version + 1, before.id
        new.held = self._why_held(fate.record, identity, document, before, elsewhere)
        self._made[(*key, sink)] = (fate, new)
        fate.documents.append(new)

    def _stands_in_page(self, key: tuple[Identity, str, str, str], fate: Fate, fingerprint: Fingerprint) -> bool:
        """Whether the same record, earlier in this page, made this document already; a later state of it takes its place."""
        if key not in self._made:
            return False
        earlier, made = self._made[key]
        if fingerprint(made.document.fields) == made.fields_digest:
            _unchanged(fate)
            return True
        earlier.documents.remove(made)
        _unchanged(earlier)
        return False

    def _before(self, key: tuple[Identity, str, str], sink: str) -> Previous | None:
        """The newest document for this sink. One for a sink that the flow no longer has counts too: renaming a stage sends nothing again."""
        earlier = self._previous.get(key, {})
        renamed = [previous for name, previous in earlier.items() if name not in self._sinks]
        return earlier.get(sink) or max(renamed, key=lambda previous: previous.version, default=None)

    def _elsewhere(
        self, identity: Identity, sink: str, partners: Collection[str], before: Previous | None
    ) -> tuple[str, Previous] | None:
        """The newest document that this record sent through this sink to a partner that gets none now, and who that is.

        None when something was sent to the partner who gets it now after that: so was decided then.
        """
        if sink in self._upserts:
            return None
        since = before.id if before is not None and before.sent else 0
        others = [
            (partner, one)
            for partner, name, one in self._sent_before.get(identity, [])
            if partner not in partners and (name == sink or name not in self._sinks) and one.id > since
        ]
        return max(others, key=lambda other: other[1].id, default=None)

    def _why_held(
        self,
        record: Record,
        identity: Identity,
        document: Document,
        before: Previous | None,
        elsewhere: tuple[str, Previous] | None,
    ) -> Problem | None:
        if elsewhere is not None:
            return _another_has_it(record, document, *elsewhere)
        if before is not None and before.sent and document.amendments == "hold":
            return Problem(
                "held", "MLC-DOC-0002", "EDI desk", "The record changed after its document was made",
                f"{record.kind} {record.label}, {document.set} to {document.partner}, version {before.version + 1}",
                "this partner's file says  amendments: hold,  or its documents cannot say that they replace another",
                "look at both versions, then replay this one to send it",
            )  # fmt: skip
        guard, books = (document.guard, document.partner, document.set), _books(identity)
        known = self._guarded.get(guard, [])
        others = [(each, f"document {id_}") for each, id_ in known if each != identity and _books(each) == books]
        here = (*guard, books)
        if document.guard and here in self._guards and self._guards[here] != identity:
            others.append((self._guards[here], "a document of this run"))
        if document.guard:
            self._guards.setdefault(here, identity)
        if not others or (before is not None and before.sent):
            return None  # what was sent before was let go then
        (_, object_, key), where = others[0]
        return Problem(
            "held", "MLC-DOC-0001", "AP", "This may be the same bill entered twice",
            f"{record.kind} {record.label}, {document.set} to {document.partner}",
            f"same vendor, number and amount as {object_} {key} ({where})",
            "delete or correct one of them in the books; or replay this one to send it all the same",
        )  # fmt: skip

    def _left_out_after(self, record: Record, rule: str) -> Problem:
        if isinstance(record.body, Deleted):
            return _deleted_after(record, record.body, self._sent[identity_of(record)])
        return Problem(
            "held", LEFT_OUT, "EDI desk", "The record is left out now, after a document of it was sent",
            f"{record.kind} {record.label}, {self._sent[identity_of(record)]}",
            f"the rule {rule!r} leaves it out; the partner still has the document",
            "tell the partner, or undo it on the far side; then replay this, which leaves it out for good",
        )  # fmt: skip


def _deleted_after(record: Record, body: Deleted, sent: str) -> Problem:
    return Problem(
        "held", DELETED, "AP", "The record was deleted at its source, after a document of it was sent",
        f"{record.kind} {record.label or record.key}, {sent}",
        f"{body.told or 'the source has it no more'}; the far side still has what was sent",
        "tell the partner, or undo it on the far side; then replay this, which closes it",
    )  # fmt: skip


def _another_has_it(record: Record, document: Document, partner: str, sent: Previous) -> Problem:
    return Problem(
        "held", "MLC-DOC-0005", "EDI desk", "The record goes to another partner now, after a document of it was sent",
        f"{record.kind} {record.label}, {document.set} to {document.partner}",
        f"it has changed since document {sent.id} went to {partner}, which still has that one",
        f"tell {partner}, or undo it on the far side; then replay this one, which sends it to {document.partner}",
    )  # fmt: skip


def _by_record(
    previous: Mapping[tuple[Identity, str, str], Mapping[str, Previous]],
) -> dict[Identity, list[tuple[str, str, Previous]]]:
    """What was sent of each record, as (partner, sink, newest document)."""
    found: dict[Identity, list[tuple[str, str, Previous]]] = {}
    for (identity, partner, _), sinks in previous.items():
        found.setdefault(identity, []).extend((partner, sink, one) for sink, one in sinks.items() if one.sent)
    return found


def _books(identity: Identity) -> str:
    """Whose books they are: another company's vendor of the same id is another vendor. Entities of one company share their vendors."""
    return identity[0].partition("/")[0]


def identity_of(record: Record) -> Identity:
    return (record.company, record.object, record.key)


def _unchanged(fate: Fate) -> None:
    if fate.rank is None or fate.rank < UNCHANGED:
        fate.rank, fate.reason = UNCHANGED, ""


def _stands(fate: Fate, before: Previous) -> None:
    """The document made before still says it all: unchanged once delivered, otherwise its own state tells."""
    if before.status == "delivered":
        _unchanged(fate)
    else:
        fate.links.append(before.id)


def _fails(fate: Fate, problem: Problem, stage: str, partner: str) -> None:
    rank = HELD if problem.failure == "held" else DEAD
    if fate.rank is None or fate.rank < rank:
        fate.rank, fate.reason, fate.problem, fate.stage, fate.partner = rank, problem.code, problem, stage, partner
