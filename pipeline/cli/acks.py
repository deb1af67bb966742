"""`acks`: what partners have answered to the documents they were sent, and what is still waited for."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from pipeline.cli.execute import store_url
from pipeline.cli.output import print_json, say, table, tell, when
from pipeline.clock import SystemClock
from pipeline.errors import UsageError
from pipeline.store import open_ledger
from pipeline.store.reports import Item
from pipeline.store.rows import stamp

STATUSES = (
    "waiting", "accepted", "accepted_with_errors", "partially_accepted", "rejected", "overdue", "duplicate", "unmatched",
    "foreign_mailbox",
)  # fmt: skip
"""Of documents: the first six, worst answer first to count. Of single answers: the others."""


async def acks(
    partner: Annotated[str, typer.Option("--partner", help="Only this partner.")] = "",
    status: Annotated[str, typer.Option("--status", help=f"Only one of {', '.join(STATUSES)}.")] = "",
    set_code: Annotated[str, typer.Option("--set", help="Only documents of this set, such as 810.")] = "",
    kind: Annotated[str, typer.Option("--by", help="Only what this answered: 997, 999, TA1, 824 or 855.")] = "",
    overdue: Annotated[bool, typer.Option("--overdue", help="Short for --status overdue.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most this many, newest first.")] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> int:
    """The acknowledgements: what partners answered, what is waited for, what is late, what matches nothing."""
    wanted = "overdue" if overdue else status
    if wanted and wanted not in STATUSES:
        raise UsageError(
            f"{wanted!r} is no status of an acknowledgement",
            why=f"they are {', '.join(STATUSES)}",
            mend="write one of them",
            code="MLC-CLI-0022",
        )
    clock = SystemClock()
    async with open_ledger(store_url(), clock) as ledger:
        now = stamp(clock.now())
        items = await ledger.reports.acknowledgements(
            now, partner=partner, status=wanted, set_code=set_code, kind=kind, limit=limit
        )
        counts = await ledger.reports.acknowledgement_counts(now, partner=partner)
    counts = {name: counts.get(name, 0) for name in STATUSES}
    if json:
        print_json({"schema": "mlc.acks/1", "counts": counts, "items": [acknowledgement_json(item) for item in items]})
    else:
        _print(items, counts)
    return 0


def _print(items: list[Item], counts: dict[str, int]) -> None:
    if not items:
        tell("No acknowledgement matches.")
        return
    rows = [
        [f"d-{i['document']}" if i["document"] else "", i["set"], i["partner"], i["label"], i["kind"], i["status"],
         when(i["received_at"]) or f"by {when(i['acknowledge_by'])}" if i["acknowledge_by"] or i["received_at"] else "", i["detail"]]
        for i in items
    ]  # fmt: skip
    table(["DOC", "SET", "PARTNER", "BILL", "BY", "STATUS", "WHEN", "SAYS"], rows)
    tell(", ".join(f"{count} {name}" for name, count in counts.items() if count))
    first = next((item["document"] for item in items if item["document"]), None)
    if first is not None:
        say(f"next:  ml-connector show d-{first}")


def acknowledgement_json(item: Item) -> dict[str, Any]:
    """``document`` is None for an answer that matches nothing; ``kind``, ``message`` and ``received_at`` are None for what is waited for."""
    return {
        "document": f"d-{item['document']}" if item["document"] else None,
        "set": item["set"] or None,
        "partner": item["partner"],
        "label": item["label"] or None,
        "status": item["status"],
        "kind": item["kind"] or None,
        "received_at": item["received_at"] or None,
        "acknowledge_by": item["acknowledge_by"],
        "detail": item["detail"],
        "message": item["message"] or None,
        "name": item["name"],
        "numbers": msgspec.json.decode(item["numbers"]) if item["numbers"] else None,
        "position": item["position"],
    }


VERBS = {"acks": acks}
