"""What a settled page means: new, unchanged, a version, held as an amendment, held as a suspected duplicate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from pipeline.engine.receipt import LeftOut, Receipt
from pipeline.engine.settle import Settlement, identity_of
from pipeline.errors import DataError, Held
from pipeline.record import Destination, Document, Page, Record
from pipeline.store.rows import RANK, Fate, Previous, Problem
from pipeline.testing import record


def document(values: dict[str, str], *, partner: str = "P", **changes: Any) -> Document:
    """A document made from the field ``text``; ``values`` are all the record's fields."""

    def fingerprint(fields: Sequence[str]) -> str:
        return digest_of(*(values.get(field, "") for field in fields))

    plain = Document("810", partner, values.get("text", "").encode(), ("text",), fingerprint, plan="plan-1")
    return msgspec.structs.replace(plain, **changes)


def digest_of(*values: str) -> str:
    return hashlib.sha256("\n".join(values).encode()).hexdigest()


def before(
    text: str, *, status: str = "delivered", version: int = 1, fields: tuple[str, ...] = ("text",), id: int = 7
) -> Previous:
    return Previous(id, version, status, "plan-0", fields, digest_of(text), status not in ("held", "dead"))


def amend(encoder: str, document: Document, version: int) -> Document:
    return msgspec.structs.replace(document, body=b"%s as version %d" % (document.body, version))


def destine(sink: str, document: Document) -> Destination:
    return Destination(document.partner, f"/{document.partner}")


def by_sink(previous: dict[Any, Previous], sink: str = "sink") -> dict[Any, dict[str, Previous]]:
    return {key: {sink: one} for key, one in previous.items()}


def settled(
    *pairs: tuple[Record, Document],
    previous: dict[Any, Previous] | None = None,
    guarded: dict[Any, Any] | None = None,
    amend: Callable[..., Document] = amend,
    destine: Callable[..., Destination] = destine,
) -> list[Fate]:
    """The fates of one page in which each record got one document."""
    receipt = Receipt(1, Page([one for one, _ in pairs]), lambda receipt: None)
    for row, (_, made) in enumerate(pairs):
        receipt.deliver(row, "sink", "encode", made)
    return Settlement(by_sink(previous or {}), guarded or {}, amend, destine, {"sink"}, {}).fates(receipt)


def key_of(one: Record, partner: str = "P") -> Any:
    return (identity_of(one), partner, "810")


RULES = [
    # what was there before, what is there now -> new documents, links, rank
    pytest.param(None, "a", [(1, None)], [], None, id="a new record makes version 1"),
    pytest.param(before("a"), "a", [], [], "unchanged", id="the same values after delivery are unchanged"),
    pytest.param(
        before("a", status="sealed"), "a", [], [7], None, id="the same values before delivery follow the document"
    ),
    pytest.param(before("a", status="stored"), "a", [], [7], None, id="... also while it is only stored"),
    pytest.param(before("a", status="dead"), "a", [], [7], None, id="... also when it is dead"),
    pytest.param(before("a", status="held"), "a", [], [7], None, id="... also when it is held"),
    pytest.param(before("a"), "b", [(2, 7)], [], None, id="another value of a used field makes the next version"),
    pytest.param(before("a", version=4), "b", [(5, 7)], [], None, id="versions count on"),
]


@pytest.mark.parametrize(("earlier", "text", "made", "links", "rank"), RULES)
def test_the_rule_of_versions(
    earlier: Previous | None, text: str, made: list[tuple[int, int | None]], links: list[int], rank: str | None
) -> None:
    bill = record("bill", key="1")
    previous = {key_of(bill): earlier} if earlier else {}
    (fate,) = settled((bill, document({"text": text})), previous=previous)
    assert [(new.version, new.replaces) for new in fate.documents] == made
    assert fate.links == links
    assert fate.rank == (None if rank is None else RANK[rank])


def test_a_later_version_is_amended_by_its_encoder() -> None:
    bill = record("bill", key="1")
    (fate,) = settled((bill, document({"text": "b"})), previous={key_of(bill): before("a", version=2)})
    assert fate.documents[0].document.body == b"b as version 3"


@pytest.mark.parametrize(
    ("status", "made", "links"),
    [("delivered", [(2, 7)], []), ("stored", [], [7]), ("sealed", [], [7]), ("dead", [], [7]), ("held", [], [7])],
)
def test_a_rewrite_sends_again_what_was_delivered_and_nothing_that_is_on_its_way_or_needs_a_person(
    status: str, made: list[tuple[int, int]], links: list[int]
) -> None:
    bill = record("bill", key="1")
    receipt = Receipt(1, Page([bill]), lambda receipt: None)
    receipt.deliver(0, "sink", "encode", document({"text": "a"}))
    previous = by_sink({key_of(bill): before("a", status=status)})
    (fate,) = Settlement(previous, {}, amend, destine, {"sink"}, {}, {"sink"}, rewrite=True).fates(receipt)
    assert [(new.version, new.replaces) for new in fate.documents] == made
    assert fate.links == links


@pytest.mark.parametrize("status", ["held", "dead"])
def test_a_version_of_what_never_left_is_an_original(status: str) -> None:
    bill = record("bill", key="1")
    (fate,) = settled((bill, document({"text": "b"})), previous={key_of(bill): before("a", status=status)})
    assert (fate.documents[0].version, fate.documents[0].document.body) == (2, b"b")


def test_a_suspected_duplicate_stays_held_when_it_is_edited() -> None:
    other, bill = record("bill", key="1"), record("bill", key="2")
    guarded = {("V1|INV-7|10.00", "P", "810"): [(identity_of(other), 41)]}
    edited = document({"text": "b"}, guard="V1|INV-7|10.00")
    (fate,) = settled((bill, edited), previous={key_of(bill): before("a", status="held")}, guarded=guarded)
    assert fate.documents[0].held is not None
    assert fate.documents[0].held.code == "MLC-DOC-0001"


@pytest.mark.parametrize(("company", "held"), [("", True), ("A/WEST", True), ("A|child", False), ("B", False)])
@pytest.mark.parametrize("in_page", [True, False])
def test_only_books_of_the_same_company_are_looked_through_for_duplicates(
    company: str, held: bool, in_page: bool
) -> None:
    """Entities share the vendors of their company; another company's vendor of that id is another vendor."""
    other, bill = (
        record("bill", key="1").replace(company=company or "A"),
        record("bill", key="2").replace(company="A"),
    )
    sent = document({"text": "a"}, guard="V1|INV-7|10.00")
    twin = document({"text": "b"}, guard="V1|INV-7|10.00")
    if in_page:
        fate = settled((other, sent), (bill, twin))[1]
    else:
        (fate,) = settled((bill, twin), guarded={("V1|INV-7|10.00", "P", "810"): [(identity_of(other), 41)]})
    assert (fate.documents[0].held is not None) is held


def test_an_edit_of_what_was_sent_is_not_held_as_a_duplicate() -> None:
    other, bill = record("bill", key="1"), record("bill", key="2")
    guarded = {("V1|INV-7|10.00", "P", "810"): [(identity_of(other), 41)]}
    edited = document({"text": "b"}, guard="V1|INV-7|10.00")
    (fate,) = settled((bill, edited), previous={key_of(bill): before("a")}, guarded=guarded)
    assert fate.documents[0].held is None


def test_the_later_state_of_a_record_read_twice_in_a_page_is_the_one_that_counts() -> None:
    bill = record("bill", key="1")
    first, second = settled((bill, document({"text": "a"})), (bill.replace(), document({"text": "b"})))
    assert (first.documents, first.rank) == ([], RANK["unchanged"])
    assert [new.document.body for new in second.documents] == [b"b"]


@pytest.mark.parametrize("filtered", [True, False])
def test_a_record_that_a_filter_leaves_out_after_it_was_sent_is_held(filtered: bool) -> None:
    bill = record("bill", key="1")
    receipt = Receipt(1, Page([bill]), lambda receipt: None)
    receipt.exclude(0, "not posted", LeftOut("payable") if filtered else None)
    (fate,) = Settlement({}, {}, amend, destine, {"sink"}, {identity_of(bill): "810 to P, document 7"}).fates(receipt)
    assert fate.rank == RANK["held" if filtered else "excluded"]
    assert (fate.problem.code if fate.problem else "") == ("MLC-DOC-0003" if filtered else "")


def test_editing_a_guide_makes_no_version() -> None:
    """The new plan uses another field; the fields of the last document are as they were."""
    bill = record("bill", key="1")
    made = document({"text": "a", "terms": "NET30"}, fields=("text", "terms"), plan="plan-2", body=b"rendered anew")
    (fate,) = settled((bill, made), previous={key_of(bill): before("a")})
    assert fate.documents == []
    assert fate.rank == RANK["unchanged"]


def test_a_field_the_last_document_did_not_use_makes_no_version() -> None:
    bill = record("bill", key="1")
    (fate,) = settled((bill, document({"text": "a", "STATE": "Paid"})), previous={key_of(bill): before("a")})
    assert fate.documents == []


def test_without_a_fingerprint_the_records_digest_tells() -> None:
    bill = record("bill", key="1").replace(digest="d2")
    made = document({}, fingerprint=None)
    (fate,) = settled((bill, made), previous={key_of(bill): Previous(7, 1, "delivered", "p", ("*",), "d1", True)})
    assert [new.version for new in fate.documents] == [2]
    (same,) = settled((bill, made), previous={key_of(bill): Previous(7, 1, "delivered", "p", ("*",), "d2", True)})
    assert same.rank == RANK["unchanged"]


@pytest.mark.parametrize(("policy", "held"), [("hold", True), ("replace", False)])
def test_amendments_are_held_where_the_partner_says_so(policy: str, held: bool) -> None:
    bill = record("bill", key="1")
    (fate,) = settled((bill, document({"text": "b"}, amendments=policy)), previous={key_of(bill): before("a")})
    assert (fate.documents[0].held is not None) is held


def test_a_first_version_is_never_held_as_an_amendment() -> None:
    (fate,) = settled((record("bill"), document({"text": "b"}, amendments="hold")))
    assert fate.documents[0].held is None


def test_a_suspected_duplicate_of_a_stored_document_is_held_and_names_it() -> None:
    other = record("bill", key="1")
    bill = record("bill", key="2")
    guarded = {("V1|INV-7|10.00", "P", "810"): [(identity_of(other), 41)]}
    (fate,) = settled((bill, document({"text": "a"}, guard="V1|INV-7|10.00")), guarded=guarded)
    held = fate.documents[0].held
    assert held is not None
    assert held.failure == "held"
    assert "document 41" in held.why


def test_a_suspected_duplicate_inside_one_page_holds_the_second() -> None:
    first, second = settled(
        (record("bill", key="1"), document({"text": "a"}, guard="same")),
        (record("bill", key="2"), document({"text": "a"}, guard="same")),
    )
    assert first.documents[0].held is None
    assert second.documents[0].held is not None


@pytest.mark.parametrize(
    ("guard", "partner"),
    [("other", "P"), ("", "P"), ("same", "Q")],
    ids=["another guard", "no guard", "another partner"],
)
def test_what_shares_no_guard_is_no_duplicate(guard: str, partner: str) -> None:
    fates = settled(
        (record("bill", key="1"), document({"text": "a"}, guard="same" if guard else "")),
        (record("bill", key="2"), document({"text": "a"}, guard=guard, partner=partner)),
    )
    assert [fate.documents[0].held for fate in fates] == [None, None]


def test_a_new_version_of_a_guarded_bill_is_not_its_own_duplicate() -> None:
    bill = record("bill", key="1")
    (fate,) = settled(
        (bill, document({"text": "b"}, guard="same")),
        previous={key_of(bill): before("a")},
        guarded={("same", "P", "810"): [(identity_of(bill), 7)]},
    )
    assert fate.documents[0].held is None


def test_the_same_record_twice_in_one_page_makes_one_document() -> None:
    first, second = settled(
        (record("bill", key="1"), document({"text": "a"})), (record("bill", key="1"), document({"text": "a"}))
    )
    assert len(first.documents) == 1
    assert (second.documents, second.rank) == ([], RANK["unchanged"])


@pytest.mark.parametrize(
    "other",
    [
        record("bill", key="1").replace(company="another"),
        record("bill", key="1").replace(object="another"),
        record("bill", key="another"),
    ],
    ids=["company", "object", "key"],
)
def test_records_that_differ_in_any_part_of_their_identity_are_two(other: Record) -> None:
    fates = settled((record("bill", key="1"), document({"text": "a"})), (other, document({"text": "a"})))
    assert [len(fate.documents) for fate in fates] == [1, 1]


FAILURES = [
    pytest.param(DataError("no", code="T-1"), "dead", id="a data error makes it dead"),
    pytest.param(ValueError("a bug of the stage"), "dead", id="a bug makes it dead"),
]


@pytest.mark.parametrize(("error", "rank"), FAILURES)
@pytest.mark.parametrize("where", ["amend", "destine", "fingerprint"])
def test_what_fails_while_settling_ends_that_record_alone(where: str, error: Exception, rank: str) -> None:
    def fails(*arguments: Any) -> Any:
        raise error

    bill, other = record("bill", key="1"), record("bill", key="2")
    broken = document({"text": "b"}, fingerprint=fails) if where == "fingerprint" else document({"text": "b"})
    (fate, fine) = settled(
        (bill, broken),
        (other, document({"text": "c"}, partner="Q")),
        previous={key_of(bill): before("a")},
        amend=fails if where == "amend" else amend,
        destine=(lambda sink, doc: fails() if doc.partner == "P" else destine(sink, doc))
        if where == "destine"
        else destine,
    )
    assert (fate.rank, fate.documents) == (RANK[rank], [])
    assert fate.problem is not None
    assert [new.version for new in fine.documents] == [1]


def test_a_direct_outcome_stays_beside_the_documents() -> None:
    """One branch was excluded, another made a document."""
    bill = record("bill", key="1")
    receipt = Receipt(1, Page([bill]), lambda receipt: None)
    receipt.split(0, 1)
    receipt.exclude(0, "not wanted there")
    receipt.deliver(0, "sink", "encode", document({"text": "a"}))
    (fate,) = Settlement({}, {}, amend, destine, {"sink"}, {}).fates(receipt)
    assert (fate.rank, fate.reason, len(fate.documents)) == (RANK["excluded"], "not wanted there", 1)


def test_unchanged_does_not_hide_a_worse_outcome_of_another_branch() -> None:
    bill = record("bill", key="1")
    receipt = Receipt(1, Page([bill]), lambda receipt: None)
    receipt.split(0, 1)
    receipt.fail(0, Problem.of(Held("wait", code="T-2")), "stage")
    receipt.deliver(0, "sink", "encode", document({"text": "a"}))
    (fate,) = Settlement(by_sink({key_of(bill): before("a")}), {}, amend, destine, {"sink"}, {}).fates(receipt)
    assert (fate.rank, fate.problem is not None) == (RANK["held"], True)


@pytest.mark.parametrize(
    ("earlier", "sinks", "made"),
    [
        ({"sink": before("a")}, {"sink"}, []),
        ({"other": before("a")}, {"sink", "other"}, [1]),
        ({"renamed": before("a")}, {"sink"}, []),
        ({"renamed": before("old", version=2)}, {"sink"}, [3]),
        ({"renamed": before("old", version=2), "sink": before("a")}, {"sink"}, []),
    ],
    ids=[
        "the same sink",
        "a sink added to the flow",
        "a renamed sink",
        "a renamed sink, changed",
        "its own comes first",
    ],
)
def test_a_document_stands_once_for_each_sink_and_renaming_one_sends_nothing_again(
    earlier: dict[str, Previous], sinks: set[str], made: list[int]
) -> None:
    bill = record("bill", key="1")
    receipt = Receipt(1, Page([bill]), lambda receipt: None)
    receipt.deliver(0, "sink", "encode", document({"text": "a"}))
    (fate,) = Settlement({key_of(bill): earlier}, {}, amend, destine, sinks, {}).fates(receipt)
    assert [new.version for new in fate.documents] == made


MOVED = [
    # what was sent to the former partner, what the record says now -> new documents, their exception, rank
    pytest.param(before("a"), "a", 0, None, "unchanged", id="what one partner has is not sent to another"),
    pytest.param(before("a", status="sealed"), "a", 0, None, None, id="... nor what is on its way"),
    pytest.param(before("a"), "b", 1, "MLC-DOC-0005", None, id="a change is held"),
    pytest.param(before("a", status="dead"), "a", 1, None, None, id="what never left is nobody's"),
]


@pytest.mark.parametrize(("earlier", "text", "made", "held", "rank"), MOVED)
def test_a_record_that_goes_to_another_partner_than_before(
    earlier: Previous, text: str, made: int, held: str | None, rank: str | None
) -> None:
    bill = record("bill", key="1")
    (fate,) = settled((bill, document({"text": text}, partner="NEW")), previous={key_of(bill, "OLD"): earlier})
    assert [new.held and new.held.code for new in fate.documents] == [held] * made
    assert fate.rank == (None if rank is None else RANK[rank])


def test_a_change_that_was_let_go_to_another_partner_is_amended_there_from_then_on() -> None:
    bill = record("bill", key="1")
    there = {key_of(bill, "OLD"): before("a"), key_of(bill, "NEW"): before("b", id=8)}
    (fate,) = settled((bill, document({"text": "c"}, partner="NEW")), previous=there)
    assert [(new.version, new.held) for new in fate.documents] == [(2, None)]


def test_a_change_of_what_came_back_from_another_partner_is_held() -> None:
    bill = record("bill", key="1")
    there = {key_of(bill, "HERE"): before("a"), key_of(bill, "THERE"): before("b", id=8)}
    (fate,) = settled((bill, document({"text": "c"}, partner="HERE")), previous=there)
    assert [(new.version, new.held and new.held.code) for new in fate.documents] == [(2, "MLC-DOC-0005")]


def test_a_change_that_is_held_for_another_partner_stays_held_when_it_changes_again() -> None:
    bill = record("bill", key="1")
    there = {key_of(bill, "OLD"): before("a"), key_of(bill, "NEW"): before("b", status="held")}
    (fate,) = settled((bill, document({"text": "c"}, partner="NEW")), previous=there)
    assert [new.held and new.held.code for new in fate.documents] == ["MLC-DOC-0005"]


def test_a_partner_who_is_to_get_it_too_gets_an_original() -> None:
    bill = record("bill", key="1")
    receipt = Receipt(1, Page([bill]), lambda receipt: None)
    receipt.split(0, 1)
    receipt.deliver(0, "sink", "encode", document({"text": "a"}, partner="OLD"))
    receipt.deliver(0, "sink", "encode", document({"text": "a"}, partner="NEW"))
    (fate,) = Settlement(by_sink({key_of(bill, "OLD"): before("a")}), {}, amend, destine, {"sink"}, {}).fates(receipt)
    assert [(new.document.partner, new.held) for new in fate.documents] == [("NEW", None)]


def test_an_object_may_move_from_one_partner_to_another() -> None:
    """A sink that keeps objects is told what is there now; what it had before is its own to keep or to end."""
    bill = record("bill", key="1")
    receipt = Receipt(1, Page([bill]), lambda receipt: None)
    receipt.deliver(0, "sink", "encode", document({"text": "b"}, partner="NEW"))
    previous = by_sink({key_of(bill, "OLD"): before("a")})
    (fate,) = Settlement(previous, {}, amend, destine, {"sink"}, {}, {"sink"}).fates(receipt)
    assert [new.held for new in fate.documents] == [None]


@pytest.mark.parametrize(("now", "rank"), [("a", "excluded"), ("b", "held")])
def test_a_record_that_a_map_leaves_out_is_held_when_it_has_changed_since_it_was_sent(now: str, rank: str) -> None:
    bill = record("bill", key="1")
    receipt = Receipt(1, Page([bill]), lambda receipt: None)
    receipt.exclude(0, "not on EDI", LeftOut("route", document({"text": now}).fingerprint))
    sent = {identity_of(bill): "810 to P, document 7"}
    (fate,) = Settlement(by_sink({key_of(bill): before("a")}), {}, amend, destine, {"sink"}, sent).fates(receipt)
    assert fate.rank == RANK[rank]
