"""The ledger's verbs for documents waiting in lanes and for deliveries: sealing, attempts, commit points, ends.

The bytes of a delivery are written once, when it is sealed, in the transaction that allocates its control numbers; no verb
here can change them. Every verb returns only when its change is durable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from pipeline.clock import Clock
from pipeline.record import Counter, Delivery, Destination, Evidence, Stored
from pipeline.store.driver import Driver
from pipeline.store.rows import UNTRACEABLE, OpenDelivery, Problem, Waiting, moment, stamp
from pipeline.store.transaction import Audit, Change, Command, Heads, Row
from pipeline.store.writer import Writer

Pack = Callable[[Mapping[str, int], datetime], bytes]
NameOf = Callable[[Mapping[str, int], str, int], str]


class Seal(msgspec.Struct):
    """What sealing needs: the documents in order, the counters, and pure functions for the bytes and the message name.

    ``name(numbers, digest, delivery id)`` must be deterministic; so must ``pack(numbers, now)``.
    """

    flow: str
    sink: str
    run: int
    destination: Destination
    documents: Sequence[Waiting]
    counters: Sequence[Counter]
    pack: Pack
    name: NameOf


class Deliveries:
    """Verbs over documents and deliveries of one ledger."""

    def __init__(self, driver: Driver, writer: Writer, clock: Clock) -> None:
        self._driver = driver
        self._writer = writer
        self._clock = clock

    async def lanes(self, flow: str, sink: str) -> list[str]:
        """Lanes with anything to do: stored documents or open deliveries."""
        return [row[0] for row in await self._driver.fetch("waiting_lanes", (flow, sink, flow, sink))]

    async def stages(self, flow: str) -> set[str]:
        """The stages that documents and deliveries on their way still need: their sinks, and the encoders that pack them."""
        rows = await self._driver.fetch("waiting_stages", (flow,))
        return {name for row in rows for name in row if name}

    async def waiting(self, flow: str, sink: str, lane: str, limit: int) -> list[Waiting]:
        """The next stored documents of a lane, in source order."""
        rows = await self._driver.fetch("waiting_documents", (sink, lane, flow, limit))
        return [
            Waiting(
                Stored(id_, set_code, partner, body, msgspec.json.decode(envelope, type=dict[str, str]), version),
                encoder, group, pack_limit, address, key, label,
            )
            for id_, set_code, partner, body, envelope, version, encoder, group, pack_limit, address, key, label in rows
        ]  # fmt: skip

    async def head(self, flow: str, sink: str, lane: str) -> OpenDelivery | None:
        """The open delivery at the head of a lane."""
        rows = await self._driver.fetch("open_delivery", (sink, lane, flow))
        return _open_delivery(rows[0]) if rows else None

    async def seal(self, seal: Seal) -> None:
        """Allocates the numbers, packs, and stores the frozen bytes, in one transaction. Raises what ``pack`` raises."""
        now = self._clock.now()
        scopes = msgspec.json.encode([(counter.scope, counter.name) for counter in seal.counters]).decode()
        ids = msgspec.json.encode([waiting.stored.id for waiting in seal.documents]).decode()
        await self._writer.submit(
            Command(
                [("numbers", (scopes,)), ("still_stored", (ids,))], lambda rows, heads: _sealed(seal, rows, heads, now)
            )
        )

    async def begin_attempt(self, delivery: Delivery, run: int) -> Delivery | None:
        """Records that an attempt starts, before any socket is touched. Returns the delivery with its new attempt number.

        None when there is nothing left to attempt: an answer has proved meanwhile that it arrived.
        """
        now, number = stamp(self._clock.now()), delivery.attempt + 1
        writes: list[tuple[str, list[Row]]] = [
            ("insert_attempt", [(delivery.id, number, run, now)]),
            ("delivery_sending", [(now, number, delivery.id)]),
        ]
        audit = Audit("attempt", f"delivery {delivery.id}", f"attempt {number} started", run)
        begun = await self._unless_delivered(delivery.id, writes, audit)
        return msgspec.structs.replace(delivery, attempt=number) if begun else None

    async def pass_commit_point(self, delivery: Delivery) -> None:
        """From here on this attempt may have taken effect on the far side."""
        now = stamp(self._clock.now())
        writes: list[tuple[str, list[Row]]] = [
            ("attempt_committed", [(now, delivery.id, delivery.attempt)]),
            ("delivery_passed", [(delivery.id,)]),
        ]
        await self._write(
            writes, Audit("attempt", f"delivery {delivery.id}", f"attempt {delivery.attempt} passed its commit point")
        )

    async def mark(self, delivery: Delivery, key: str, value: str) -> None:
        """Keeps a value of this attempt for later ones, e.g. the document id on the far side."""
        await self._write(
            [("delivery_mark", [(key, value, delivery.id)])],
            Audit("attempt", f"delivery {delivery.id}", f"{key}: {value}"),
        )

    async def look_again(self, delivery: Delivery, at: datetime | None) -> None:
        """When its place on the far side is to be looked at once more; None when that is done."""
        what = f"is looked for once more from {stamp(at)} on" if at else "was there once at the second look"
        await self._write(
            [("look_again", [(stamp(at) if at else None, delivery.id)])],
            Audit("delivery", f"delivery {delivery.id}", what),
        )

    async def to_look_at(self, flow: str, sink: str) -> list[Delivery]:
        """Delivered ones whose second look is due, a hundred at most."""
        rows = await self._driver.fetch("to_look_at", (flow, sink, stamp(self._clock.now())))
        return [_delivery(*row) for row in rows]

    async def delivered(self, delivery: Delivery, evidence: Evidence, how: str, *, upsert: str = "") -> None:
        """It is on the far side. ``how`` is response or find; ``upsert`` names the sink whose last written state this now is."""
        now = self._clock.now()
        text = msgspec.json.encode(evidence).decode()
        writes: list[tuple[str, list[Row]]] = [
            ("end_attempt", [(stamp(now), f"delivered by {how}", delivery.id, delivery.attempt)]),
            ("delivery_state", [("delivered", stamp(now), None, 0, text, None, delivery.id)]),
            ("settle_documents", [("delivered", stamp(now), delivery.id)]),
            ("close_dead_letters_of_delivery", [("resolved", stamp(now), delivery.id)]),
        ]
        if upsert:
            writes.append(("save_partner", [(upsert, delivery.lane, delivery.payload, delivery.digest, stamp(now))]))
        note = ", ".join(f"{key} {value}" for key, value in evidence.detail.items())
        await self._write(
            writes,
            Audit(
                "delivery",
                f"delivery {delivery.id}",
                f"delivered, by {how}: {evidence.id}{f' ({note})' if note else ''}",
            ),
        )

    async def waits(
        self,
        delivery: Delivery,
        state: str,
        problem: Problem,
        *,
        next_at: datetime | None,
        absences: int = 0,
        ended: bool = True,
    ) -> None:
        """It stays open: ``state`` is retry or in_doubt. ``ended`` says that an attempt ended just now.

        Nothing for one that an answer has proved to have arrived meanwhile.
        """
        now = stamp(self._clock.now())
        until = stamp(next_at) if next_at else None
        writes: list[tuple[str, list[Row]]] = [
            ("delivery_state", [(state, now, until, absences, None, problem.text(), delivery.id)])
        ]
        if ended:
            writes.append(("end_attempt", [(now, f"{state}: {problem.what}", delivery.id, delivery.attempt)]))
        audit = Audit("delivery", f"delivery {delivery.id}", f"{state}: {problem.what}")
        await self._unless_delivered(delivery.id, writes, audit)

    async def settle_answered(self, delivery: int = 0) -> list[int]:
        """Deliveries in doubt, about to be sent again, or refused, that an answer proves to have arrived are delivered, with that as evidence.

        All of them, or this one. What is held stays so: an answer does not tell which of two it means. One that is being sent is left to its run, which asks again before it sends twice.
        """
        now = stamp(self._clock.now())

        def build(rows: list[list[Row]], heads: Heads) -> Change:
            writes: list[tuple[str, list[Row]]] = [
                ("delivery_state", []),
                ("settle_documents", []),
                ("close_dead_letters_of_delivery", []),
            ]
            audit = []
            for id_, _, kind, key, object_, _, at in rows[0]:
                evidence = Evidence(id=f"{object_} {key}", detail={"answer": kind, "received": at})
                writes[0][1].append(("delivered", now, None, 0, msgspec.json.encode(evidence).decode(), None, id_))
                writes[1][1].append(("delivered", now, id_))
                writes[2][1].append(("resolved", now, id_))
                audit.append(
                    Audit(
                        "delivery",
                        f"delivery {id_}",
                        f"delivered, by answer: the {kind} in {object_} {key} names its numbers",
                    )
                )
            return Change(writes, audit, [row[0] for row in rows[0]])

        settled = await self._writer.submit(Command([("answered_deliveries", (delivery,))], build))
        assert isinstance(settled, list)
        return settled

    async def ends(self, delivery: Delivery, state: str, problem: Problem, flow: str, sink: str, run: int) -> None:
        """It needs a person: ``state`` is dead or held. Opens one dead letter for the delivery."""
        now = stamp(self._clock.now())

        def build(rows: list[list[Row]], heads: Heads) -> Change:
            letter = _delivery_letter(rows[0], problem, flow, run, sink, delivery.id, now, heads)
            writes: list[tuple[str, list[Row]]] = [
                ("end_attempt", [(now, f"{state}: {problem.what}", delivery.id, delivery.attempt)]),
                ("delivery_state", [(state, now, None, 0, None, problem.text(), delivery.id)]),
                ("settle_documents", [(state, now, delivery.id)]),
                ("insert_dead_letter", letter),
            ]
            return Change(
                writes, [Audit("delivery", f"delivery {delivery.id}", f"{state}: {problem.code} {problem.what}", run)]
            )

        await self._writer.submit(Command([("documents_of_delivery", (delivery.id,))], build))

    async def document_dies(self, waiting: Waiting, problem: Problem, flow: str, sink: str, run: int) -> None:
        """A stored document that cannot be packed: dead by itself, without a number."""
        now = stamp(self._clock.now())

        def build(rows: list[list[Row]], heads: Heads) -> Change:
            (_, _, _, _, partner, company, object_, key, _, label, currency, amount, *_) = rows[0][0]
            letter = (
                heads.take("dead_letters"), problem.failure, problem.code, problem.owner, problem.what, problem.where, problem.why,
                problem.mend, flow, run, sink, partner, company, object_, key, label, currency, amount, waiting.stored.id, None, now, now,
            )  # fmt: skip
            writes: list[tuple[str, list[Row]]] = [
                ("set_document_status", [("dead", now, waiting.stored.id)]),
                ("insert_dead_letter", [letter]),
            ]
            return Change(writes, [Audit("document", f"document {waiting.stored.id}", f"dead: {problem.what}", run)])

        await self._writer.submit(Command([("document", (waiting.stored.id,))], build))

    async def requeue(self, delivery: int, why: str) -> None:
        """An operator sends a dead or held delivery again: the same bytes, numbers and name. Nothing in any other state.

        One whose call was made may be on the far side, whatever was answered, so that it is looked for first; unless the far side cannot
        tell any more, and the operator has asked the partner (`UNTRACEABLE`). Of one that was never
        there and whose documents newer versions have overtaken in part, the others are sealed anew (see `dissolve`).
        """
        now = stamp(self._clock.now())

        def build(rows: list[list[Row]], heads: Heads) -> Change:
            if not rows[0]:
                return Change()
            was, passed, code = rows[0][0]
            state = "in_doubt" if (was == "held" or passed) and code != UNTRACEABLE else "retry"
            if state == "retry" and any(overtaken for _, overtaken in rows[1]):
                return _dissolved(delivery, rows[1], now, why)
            writes: list[tuple[str, list[Row]]] = [
                ("delivery_state", [(state, now, None, 0, None, None, delivery)]),
                ("settle_documents", [("sealed", now, delivery)]),
                ("close_dead_letters_of_delivery", [("replayed", now, delivery)]),
            ]
            return Change(writes, [Audit("replay", f"delivery {delivery}", why)])

        asked = [("delivery_for_a_person", (delivery,)), ("overtaken_of_delivery", (delivery,))]
        await self._writer.submit(Command(asked, build))

    async def dissolve(self, delivery: int, why: str) -> bool:
        """Ends an open delivery that is proved to be nowhere, when the partner has newer versions of some of its documents.

        The others wait in their lane again, for new numbers: an old version must not follow a newer one. False, and nothing, when
        there are none.
        """
        now = stamp(self._clock.now())

        def build(rows: list[list[Row]], heads: Heads) -> Change:
            if not any(overtaken for _, overtaken in rows[0]):
                return Change()
            change = _dissolved(delivery, rows[0], now, why)
            ended: list[tuple[str, list[Row]]] = [
                ("settle_documents", [("dead", now, delivery)]),
                ("delivery_state", [("dead", now, None, 0, None, None, delivery)]),
            ]
            return Change([*ended, *change.writes], change.audit, True)

        return bool(await self._writer.submit(Command([("overtaken_of_delivery", (delivery,))], build)))

    async def release(self, document: int, letter: int, why: str) -> None:
        """An operator lets a held or dead document go. Nothing in any other state."""
        now = stamp(self._clock.now())
        writes: list[tuple[str, list[Row]]] = [
            ("set_document_status", [("stored", now, document)]),
            ("close_dead_letter", [("replayed", now, letter)]),
        ]
        change = Change(writes, [Audit("replay", f"document {document}", why)])
        # Two operators may replay the same exception at once: the second must not send again what the first one sent.
        question = ("document_for_a_person", (document,))
        await self._writer.submit(Command([question], lambda rows, heads: change if rows[0] else Change()))

    async def _unless_delivered(self, delivery: int, writes: list[tuple[str, list[Row]]], audit: Audit) -> bool:
        """Writes it, unless an answer has settled the delivery meanwhile; whether it did."""

        def build(rows: list[list[Row]], heads: Heads) -> Change:
            return Change() if rows[0][0][0] == "delivered" else Change(writes, [audit], True)

        return bool(await self._writer.submit(Command([("state_of_delivery", (delivery,))], build)))

    async def _write(self, writes: list[tuple[str, list[Row]]], audit: Audit) -> None:
        await self._writer.submit(Command([], lambda rows, heads: Change(writes, [audit])))


def _dissolved(delivery: int, documents: list[Row], now: str, why: str) -> Change:
    """A delivery that never took effect: what is still wanted of it waits in its lane again, for other numbers."""
    wanted = [document for document, overtaken in documents if not overtaken]
    old = [document for document, overtaken in documents if overtaken]
    writes: list[tuple[str, list[Row]]] = [
        ("unseal_document", [(now, document) for document in wanted]),
        ("close_dead_letters_of_delivery", [("replayed", now, delivery)]),
    ]
    told = [Audit("replay", f"document {document}", "not sent again: a newer version was made") for document in old]
    told += [
        Audit("replay", f"document {document}", "waits to be sealed again, without its neighbours")
        for document in wanted
    ]
    return Change(writes, [Audit("replay", f"delivery {delivery}", f"{why}; some of it is overtaken"), *told])


def _open_delivery(row: Row) -> OpenDelivery:
    (
        id_,
        lane,
        address,
        name,
        payload,
        digest,
        numbers,
        attempts,
        marks,
        state,
        passed,
        absences,
        next_at,
        committed,
        ended,
        started,
        run,
        problem,
    ) = row
    delivery = _delivery(id_, lane, address, name, payload, digest, numbers, attempts, marks)
    last = ended or committed or started
    return OpenDelivery(
        delivery,
        state,
        bool(passed),
        absences,
        moment(next_at) if next_at else None,
        committed is not None,
        moment(last) if last else None,
        run,
        msgspec.json.decode(problem, type=Problem) if problem else None,
    )


def _delivery(
    id_: int, lane: str, address: str, name: str, payload: bytes, digest: str, numbers: str, attempts: int, marks: str
) -> Delivery:
    return Delivery(
        id_, lane, address, name, payload, digest, msgspec.json.decode(numbers, type=dict[str, int]), attempts,
        msgspec.json.decode(marks, type=dict[str, str]),
    )  # fmt: skip


def _sealed(seal: Seal, rows: list[list[Row]], heads: Heads, now: datetime) -> Change:
    assert rows[1][0][0] == len(seal.documents), "a document was taken from this lane by someone else"
    numbers, saved = _allocate(seal.counters, {(scope, name): last for scope, name, last in rows[0]})
    payload = seal.pack(numbers, now)
    digest = hashlib.sha256(payload).hexdigest()
    id_ = heads.take("deliveries")
    name = seal.name(numbers, digest, id_)
    at = stamp(now)
    destination = seal.destination
    writes: list[tuple[str, list[Row]]] = [
        ("save_number", saved),
        ("insert_delivery", [(id_, seal.flow, seal.sink, destination.lane, destination.address, seal.run, name, payload, digest,
                              msgspec.json.encode(numbers).decode(), len(seal.documents), at, at)]),
        ("use_number", [(c.scope, c.name, numbers[c.name], numbers[c.name] + c.count - 1, id_) for c in seal.counters]),
        ("seal_document", [(at, id_, place, waiting.stored.id) for place, waiting in enumerate(seal.documents, 1)]),
    ]  # fmt: skip
    used = "; " + ", ".join(f"{key} {value}" for key, value in numbers.items()) if numbers else ""
    audit = [
        Audit(
            "delivery",
            f"delivery {id_}",
            f"sealed {len(seal.documents)} document{'s' if len(seal.documents) != 1 else ''} as {name}, sha256 {digest}{used}",
            seal.run,
        )
    ]
    audit += [
        Audit("document", f"document {w.stored.id}", f"sealed in delivery {id_}, place {n}", seal.run)
        for n, w in enumerate(seal.documents, 1)
    ]
    return Change(writes, audit)


def _allocate(counters: Sequence[Counter], last: dict[tuple[str, str], int]) -> tuple[dict[str, int], list[Row]]:
    """The first number for each counter, and the rows that remember the last one; past the limit it starts at 1 again."""
    numbers, saved = {}, []
    for counter in counters:
        first = last.get((counter.scope, counter.name), 0) + 1
        if first + counter.count - 1 > counter.limit:
            first = 1
        numbers[counter.name] = first
        saved.append((counter.scope, counter.name, first + counter.count - 1))
    return numbers, saved


def _delivery_letter(
    documents: list[Row], problem: Problem, flow: str, run: int, sink: str, delivery: int, now: str, heads: Heads
) -> list[Row]:
    """One dead letter for a delivery: it names the first document and sums the money of all."""
    first = documents[0]
    total = sum((Decimal(row[7]) for row in documents if row[7] is not None), Decimal(0))
    amount = int(total) if any(row[7] is not None for row in documents) else None
    label = first[4] if len(documents) == 1 else f"{first[4]} and {len(documents) - 1} more"
    return [
        (heads.take("dead_letters"), problem.failure, problem.code, problem.owner, problem.what, problem.where, problem.why, problem.mend,
         flow, run, sink, first[5], first[1], first[2], first[3], label, first[6], amount, None, delivery, now, now)
    ]  # fmt: skip
