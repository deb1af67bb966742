"""What a text that is no id means: the records, documents and deliveries that bear it, and how they are listed."""

from __future__ import annotations

import msgspec

from pipeline.cli.execute import store_url
from pipeline.cli.forms import document_table, numbers_text, outcome_word, record_json, split_id, timeline
from pipeline.cli.output import counted, joined, money, print_json, say, suggest, table, tell, when
from pipeline.errors import UsageError
from pipeline.store import Ledger
from pipeline.store.reports import Item
from pipeline.store.rows import subject

MOST_FOUND = 50


class Matches(msgspec.Struct):
    """What a search text means in this ledger. ``documents`` are those of the records."""

    text: str
    records: list[Item]
    documents: list[Item]
    deliveries: list[int]

    def subjects(self) -> list[str]:
        """What the audit trail calls all of it."""
        names = [subject(record["company"], record["object"], record["key"]) for record in self.records]
        names += [f"document {document['id']}" for document in self.documents]
        names += [f"delivery {document['delivery']}" for document in self.documents if document["delivery"]]
        return list(dict.fromkeys([*names, *(f"delivery {delivery}" for delivery in self.deliveries)]))


async def find(ledger: Ledger, text: str) -> Matches:
    """Bills or vendors by number or key, deliveries by name or control number. Nothing found is no error here."""
    reports = ledger.reports
    records = await reports.records_named(text, MOST_FOUND)
    ids = dict.fromkeys([d for record in records for d in await reports.documents_of_record(record["id"])])
    return Matches(text, records, await reports.documents_listed(list(ids)), await reports.deliveries_named(text))


def only(found: Matches) -> tuple[str, int]:
    """The one thing whose payload can be meant."""
    names = [f"d-{document['id']}" for document in found.documents]
    names = names or [f"v-{delivery}" for delivery in found.deliveries]
    if len(names) == 1:
        return split_id(names[0]) or ("", 0)
    raise UsageError(
        f"{found.text} has no document, and so no payload"
        if not names
        else f"{found.text} means {len(names)} {'documents' if found.documents else 'deliveries'}",
        where=store_url(),
        why=f"they are {', '.join(names[:20])}{' ...' if len(names) > 20 else ''}" if names else "",
        mend=f"name one:  ml-connector show {names[0]}" if names else f"ml-connector show {found.text}  says why",
        code="MLC-CLI-0012",
    )


def print_matches_json(found: Matches, history: list[Item]) -> None:
    told = [record_json(record) for record in found.records]
    documents = [f"d-{document['id']}" for document in found.documents]
    ids = {"documents": documents, "deliveries": [f"v-{v}" for v in found.deliveries]}
    value = {"text": found.text, "records": told, **ids, "timeline": history}
    print_json({"schema": "mlc.show/1", "kind": "search", **value})


async def print_records(ledger: Ledger, found: Matches) -> None:
    """The runs that read it, its documents, and what happened, flow by flow: two flows may read the same bill."""
    rows = [
        [f"r-{r['run']}", r["flow"], joined([r["object"], r["key"]], " "), r["label"], money(r["amount"], r["currency"]), outcome_word(r), r["reason"]]
        for r in found.records
    ]  # fmt: skip
    headings = ["RUN", "FLOW", "RECORD", "NUMBER", "AMOUNT", "OUTCOME", "REASON"]
    table(headings, rows, right=["AMOUNT"], drop=["FLOW"], wrap=["REASON"])
    if len(rows) == MOST_FOUND:
        say(f"these are the newest {MOST_FOUND} times it was read", "yellow")
    if found.documents:
        tell("")
        document_table(found.documents)
    flows = list(dict.fromkeys(record["flow"] for record in found.records))
    tell("")
    for flow in flows:
        if len(flows) > 1:
            tell(f"in the flow {flow}:", "bold")
        of_flow = [record for record in found.records if record["flow"] == flow]
        documents = [document for document in found.documents if document["flow"] == flow]
        timeline(await ledger.reports.timeline(Matches(found.text, of_flow, documents, []).subjects(), flow))
    if found.documents:
        suggest(f"show d-{found.documents[-1]['id']}")


async def print_deliveries(ledger: Ledger, ids: list[int]) -> None:
    """One line each: a control number alone is a number of every partner."""
    items = await ledger.reports.deliveries_listed(ids[-MOST_FOUND:])
    rows = [
        [f"v-{i['id']}", i["lane"], i["state"], when(i["sealed_at"]), i["documents"], numbers_text(i["numbers"]), i["name"]]
        for i in items
    ]  # fmt: skip
    headings = ["DELIVERY", "LANE", "STATE", "SEALED", "DOCUMENTS", "NUMBERS", "NAME"]
    table(headings, rows, right=["DOCUMENTS"], drop=["NAME", "SEALED", "NUMBERS"])
    if len(ids) > len(items):
        say(f"these are the newest {len(items)} of {counted(len(ids), 'delivery')}", "yellow")
    suggest(f"show v-{items[0]['id']}")
