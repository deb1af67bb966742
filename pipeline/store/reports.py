"""Reading queries for people and scripts: totals of a run, lists, one item with its history, the audit trail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any

import msgspec

from pipeline.stage import Allowance
from pipeline.store.driver import Driver
from pipeline.store.rows import OUTCOMES
from pipeline.store.transaction import Row, chain_digest

Item = dict[str, Any]

_RUN = (
    "id",
    "flow",
    "kind",
    "started_at",
    "finished_at",
    "status",
    "window",
    "problem",
    "code_version",
    "flow_digest",
    "file",
)
_LISTED = ("id", "flow", "set", "partner", "label", "object", "key", "version", "currency", "amount", "status", "status_at",
           "acknowledgement", "delivery", "delivery_state", "name", "numbers", "position", "run", "address", "acknowledge_by")  # fmt: skip
_DOCUMENT = ("id", "flow", "sink", "set", "partner", "company", "object", "key", "version", "label", "currency", "amount", "lane",
             "address", "status", "status_at", "acknowledgement", "acknowledge_by", "body", "delivery", "position", "run", "encoded_at",
             "flow_digest", "code_version", "guide_digest", "source_digest", "fields_digest", "plan", "lookups", "replaces", "origins")  # fmt: skip
_DELIVERY = ("id", "flow", "sink", "lane", "address", "run", "name", "payload", "digest", "numbers", "documents", "state", "state_at",
             "sealed_at", "attempts", "passed", "absences", "next_at", "marks", "evidence", "problem")  # fmt: skip
_ATTEMPT = ("number", "run", "started_at", "committed_at", "ended_at", "outcome")
_LETTER = ("id", "state", "failure", "code", "owner", "what", "where", "why", "mend", "flow", "run", "stage", "partner", "company",
           "object", "key", "label", "currency", "amount", "document", "delivery", "first_at", "last_at", "times")  # fmt: skip
_RECORD = ("id", "run", "flow", "company", "object", "key", "label", "digest", "currency", "amount", "rank", "reason")
_OPEN = ("id", "flow", "sink", "lane", "state", "attempts", "next_at", "problem", "name", "sealed_at")
_SEALED = ("id", "flow", "sink", "lane", "address", "state", "sealed_at", "name", "numbers", "documents")
_COUNTS = (
    "stored",
    "dead_letters",
    "in_doubt",
    "in_flight",
    "acknowledgements_waiting",
    "acknowledgements_overdue",
    "delivered",
)
_ACKNOWLEDGEMENT = ("document", "partner", "set", "label", "kind", "status", "received_at", "acknowledge_by", "detail", "name",
                    "numbers", "position", "message")  # fmt: skip
_OUTAGE = ("system", "flow", "since", "last_at", "problem")
_AUDIT = ("at", "run", "kind", "subject", "detail")


class Totals(msgspec.Struct):
    """The terms of the balance, by SQL over ledger rows: counts, and millionths by currency, per outcome; and what was read.

    ``unsettled`` counts records without any outcome: always a fault.
    """

    read: int = 0
    read_amounts: dict[str, int] = {}
    counts: dict[str, int] = {}
    amounts: dict[str, dict[str, int]] = {}
    unsettled: int = 0
    documents: int = 0
    deliveries: int = 0

    def balanced(self) -> bool:
        """read = the sum of the outcomes, in counts and in every currency, and nothing without an outcome."""
        sums: dict[str, int] = {}
        for by_currency in self.amounts.values():
            for currency, amount in by_currency.items():
                sums[currency] = sums.get(currency, 0) + amount
        same = {key: value for key, value in sums.items() if value} == {
            key: value for key, value in self.read_amounts.items() if value
        }
        return self.unsettled == 0 and self.read == sum(self.counts.values()) and same


class Reason(msgspec.Struct):
    """A rule or code, the outcome it gave to how many records, and their money in millionths by currency."""

    outcome: str
    reason: str
    records: int = 0
    amounts: dict[str, int] = {}


class Group(msgspec.Struct):
    """The exceptions of one code: how many, and their money in millionths by currency."""

    letters: int = 0
    amounts: dict[str, int] = {}


class Reports:
    """Read-only questions to one ledger. Amounts are millionths, times are the ledger's texts, JSON columns are texts."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def totals(self, run: int) -> Totals:
        totals = Totals(counts=dict.fromkeys(OUTCOMES, 0))
        for currency, records, amount in await self._driver.fetch("read_totals", (run,)):
            totals.read += records
            totals.read_amounts[currency] = amount
        for rank, currency, records, amount in await self._driver.fetch("totals", (run,)):
            if rank < 0:
                totals.unsettled += records
                continue
            totals.counts[OUTCOMES[rank]] += records
            totals.amounts.setdefault(OUTCOMES[rank], {})[currency] = amount
        totals.documents, totals.deliveries = (await self._driver.fetch("made", (run, run)))[0]
        return totals

    async def reasons(self, run: int) -> list[Reason]:
        """Why the run's records were excluded, dead or held: by rule or code, as their outcome is now. Sums as in `totals`."""
        found: dict[tuple[str, str], Reason] = {}
        for rank, reason, currency, records, amount in await self._driver.fetch("reasons", (run,)):
            entry = found.setdefault((OUTCOMES[rank], reason), Reason(OUTCOMES[rank], reason, amounts={}))
            entry.records += records
            if currency:
                entry.amounts[currency] = amount
        return list(found.values())

    async def delivery_states(self, deliveries: Sequence[int]) -> dict[str, int]:
        """How many of these deliveries are in which state."""
        rows = await self._driver.fetch("delivery_states", (msgspec.json.encode(deliveries).decode(),))
        return {str(state): int(count) for state, count in rows}

    async def flows(self) -> list[str]:
        """The flows that have run with this ledger."""
        return [row[0] for row in await self._driver.fetch("flows")]

    async def latest_runs(self) -> list[Item]:
        """The last run of each flow."""
        return _items(_RUN, await self._driver.fetch("latest_runs"))

    async def count_runs(self, *, flow: str = "") -> int:
        return int((await self._driver.fetch("count_runs", (flow, flow)))[0][0])

    async def runs(self, *, flow: str = "", since: int | None = None, limit: int = 50) -> list[Item]:
        return _items(_RUN, await self._driver.fetch("runs", (flow, flow, since, limit)))

    async def run(self, run: int) -> Item | None:
        return _one(_RUN, await self._driver.fetch("run", (run,)))

    async def documents(
        self,
        *,
        partner: str = "",
        status: str = "",
        flow: str = "",
        run: int = 0,
        label: str = "",
        since: str = "",
        limit: int = 200,
    ) -> list[Item]:
        """Newest first. ``label`` matches the bill number or the business key exactly, ``partner`` without regard to case."""
        values = (partner, partner, status, status, flow, flow, run, run, label, label, label, since, limit)
        return _items(_LISTED, await self._driver.fetch("documents", values))

    async def count_documents(
        self, *, partner: str = "", status: str = "", flow: str = "", run: int = 0, label: str = "", since: str = ""
    ) -> int:
        """How many `documents` there are, whatever the limit."""
        values = (partner, partner, status, status, flow, flow, run, run, label, label, label, since)
        return int((await self._driver.fetch("count_documents", values))[0][0])

    async def documents_listed(self, documents: Sequence[int]) -> list[Item]:
        """These documents, as `documents` lists them, in order of id."""
        return _items(_LISTED, await self._driver.fetch("documents_listed", (msgspec.json.encode(documents).decode(),)))

    async def document(self, document: int) -> Item | None:
        return _one(_DOCUMENT, await self._driver.fetch("document", (document,)))

    async def delivery(self, delivery: int) -> Item | None:
        return _one(_DELIVERY, await self._driver.fetch("delivery", (delivery,)))

    async def attempts(self, delivery: int) -> list[Item]:
        return _items(_ATTEMPT, await self._driver.fetch("delivery_attempts", (delivery,)))

    async def documents_of_delivery(self, delivery: int) -> list[Item]:
        names = ("id", "company", "object", "key", "label", "partner", "currency", "amount", "set", "address")
        return _items(names, await self._driver.fetch("documents_of_delivery", (delivery,)))

    async def deliveries_named(self, text: str) -> list[int]:
        """Deliveries with this message name or this interchange control number."""
        return [row[0] for row in await self._driver.fetch("deliveries_named", (text, text.lstrip("0") or "0"))]

    async def deliveries_listed(self, deliveries: Sequence[int]) -> list[Item]:
        """These deliveries without their bytes, in order of id."""
        rows = await self._driver.fetch("deliveries_listed", (msgspec.json.encode(deliveries).decode(),))
        return _items(_SEALED, rows)

    async def dead_letters(
        self, *, state: str = "open", code: str = "", flow: str = "", partner: str = "", limit: int | None = None
    ) -> list[Item]:
        """In order of id; all of them without a limit. ``partner`` without regard to case."""
        values = (state, state, code, code, flow, flow, partner, partner, -1 if limit is None else limit)
        return _items(_LETTER, await self._driver.fetch("dead_letters", values))

    async def first_dead_letters(
        self, *, state: str = "open", code: str = "", flow: str = "", partner: str = "", of_each: int
    ) -> list[Item]:
        """The first so many of each code, in order of id."""
        values = (state, state, code, code, flow, flow, partner, partner, of_each)
        return _items(_LETTER, await self._driver.fetch("first_dead_letters", values))

    async def dead_letter_groups(
        self, *, state: str = "open", code: str = "", flow: str = "", partner: str = ""
    ) -> dict[str, Group]:
        """Count and money of each code, over all of them, by the first exception of the code."""
        found: dict[str, Group] = {}
        values = (state, state, code, code, flow, flow, partner, partner)
        for code_, currency, letters, with_money, amount in await self._driver.fetch("dead_letter_groups", values):
            group = found.setdefault(code_, Group(amounts={}))
            group.letters += letters
            if with_money:
                group.amounts[currency] = amount
        return found

    async def dead_letters_by_id(self, letters: Sequence[int]) -> list[Item]:
        rows = await self._driver.fetch("dead_letters_by_id", (msgspec.json.encode(letters).decode(),))
        return _items(_LETTER, rows)

    async def dead_letter(self, letter: int) -> Item | None:
        return _one(_LETTER, await self._driver.fetch("dead_letter", (letter,)))

    async def records_named(self, text: str, limit: int = 50) -> list[Item]:
        """Source records by business key or label, newest first; ``rank`` is of their outcome now, -1 when they have none."""
        return _items(_RECORD, await self._driver.fetch("records_named", (text, text, limit)))

    async def documents_of_record(self, record: int) -> list[int]:
        return [row[0] for row in await self._driver.fetch("documents_of_record", (record,))]

    async def timeline(self, subjects: Sequence[str], flow: str = "") -> list[Item]:
        """Audit rows about these subjects (``APBILL 101 of ACME``, ``document 7``, ``delivery 3``), in order; of one flow, or of all.

        Two flows may read the same record, which the trail names alike: its rows belong to the flow of their run.
        """
        return _items(_AUDIT, await self._driver.fetch("timeline", (msgspec.json.encode(subjects).decode(), flow)))

    async def open_deliveries(self, limit: int = 100) -> list[Item]:
        return _items(_OPEN, await self._driver.fetch("open_deliveries", (limit,)))

    async def waiting_reasons(self, flow: str, limit: int = 5) -> list[Item]:
        """Why deliveries of this flow are still open, by code: how many, and the newest one's ``what`` and ``why``. Most frequent first."""
        names = ("code", "deliveries", "what", "why")
        return _items(names, [row[:4] for row in await self._driver.fetch("waiting_reasons", (flow, limit))])

    async def acknowledgements(
        self, now: str, *, partner: str = "", status: str = "", set_code: str = "", kind: str = "", limit: int = 200
    ) -> list[Item]:
        """Each document that an answer is or was waited for, newest first, with the answer that decided; beside it, the answers that
        said nothing new, and at the end those that match nothing. ``now`` decides what is overdue.
        """
        values = (now, partner, status, limit, set_code, kind)
        return _items(_ACKNOWLEDGEMENT, await self._driver.fetch("acknowledgements", values))

    async def acknowledgement_counts(self, now: str, *, partner: str = "") -> dict[str, int]:
        """How many documents have which acknowledgement, and how many answers are duplicates or unmatched."""
        rows = await self._driver.fetch("acknowledgement_counts", (now, partner))
        return {str(status): int(count) for status, count in rows}

    async def accounts(self) -> list[Allowance]:
        """The accounts whose calls have been counted, by name, as they were last described."""
        return [
            Allowance(account=account, unit=unit, calls=calls, warn_percent=percent)
            for account, unit, calls, percent in await self._driver.fetch("accounts")
        ]

    async def calls_by_day(self, since: date) -> dict[str, dict[date, int]]:
        """The calls of each account on each day (of UTC) from this one on."""
        found: dict[str, dict[date, int]] = {}
        for account, day, used in await self._driver.fetch("calls_by_day", (since.isoformat(),)):
            found.setdefault(account, {})[date.fromisoformat(day)] = used
        return found

    async def calls_of_last_run(self) -> dict[str, tuple[int, int]]:
        """(run, calls) of the last run that called each account."""
        return {account: (run, used) for account, run, used in await self._driver.fetch("calls_of_last_run")}

    async def outages(self) -> list[Item]:
        """The systems that do not answer, those that have not for longest first."""
        return [dict(zip(_OUTAGE, row, strict=True)) for row in await self._driver.fetch("outages")]

    async def counts(self, now: str) -> Item:
        """What is open. ``now`` decides which of the acknowledgements that are waited for are overdue."""
        return dict(zip(_COUNTS, (await self._driver.fetch("counts", (now,)))[0], strict=True))

    async def verify_audit(self) -> str | None:
        """None when the audit chain holds; otherwise which link is broken."""
        before, last = "", 0
        async for link, end, digest in self._links():
            rows: list[Row] = []
            while last < end:
                part = await self._driver.fetch("audit_rows", (last, min(10_000, end - last)))
                part = [row for row in part if row[0] <= end]
                if not part:
                    break
                rows += part
                last = part[-1][0]
            if [row[0] for row in rows] != list(range(end - len(rows) + 1, end + 1)) or chain_digest(
                before, rows
            ) != digest:
                return f"commit {link} of the audit trail does not match its rows up to {end}"
            before = digest
        if await self._driver.fetch("audit_rows", (last, 1)):
            return f"audit rows after {last} belong to no commit"
        return None

    async def _links(self) -> AsyncIterator[Row]:
        last = 0
        while rows := await self._driver.fetch("audit_chain", (last, 10_000)):
            for row in rows:
                yield row
            last = rows[-1][0]


def _items(names: Sequence[str], rows: Sequence[Row]) -> list[Item]:
    return [dict(zip(names, row, strict=True)) for row in rows]


def _one(names: Sequence[str], rows: Sequence[Row]) -> Item | None:
    return dict(zip(names, rows[0], strict=True)) if rows else None
