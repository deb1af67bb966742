from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.x12.answer_reader import read_answers
from stages.x12.answers import Received
from stages.x12.match import ORDER, Sent, joined, match, statuses

THEM = ("ZZ", "ACMEAP")


def sent(document: int, **changes: Any) -> Sent:
    made: dict[str, Any] = {
        "partner": THEM, "usage": "T", "interchange": 17, "group": "IN", "group_number": 17, "set": "810", "control": "0001",
        "reference": "INV-1001", "sent": "2501311200",
    }  # fmt: skip
    return Sent(document=document, **{**made, **changes})


@pytest.fixture
def answer(corpus: dict[str, bytes]) -> Callable[..., Received]:
    def build(name: str, *changes: tuple[str, str]) -> Received:
        payload = corpus[name]
        for old, new in changes:
            assert old.encode() in payload
            payload = payload.replace(old.encode(), new.encode())
        (received,) = read_answers([payload])
        return received

    return build


def test_a_997_is_matched_by_partner_group_and_set(answer: Callable[..., Received]) -> None:
    mine = [
        sent(1), sent(2, control="0002"), sent(3, set="850", group="PO"), sent(4, group_number=18),
        sent(5, partner=("ZZ", "OTHER")),
    ]  # fmt: skip
    (matched,) = match([answer("997.edi")], mine).matched
    assert (matched.document, matched.status, matched.by) == (1, "accepted_with_errors", "997")
    assert matched.reasons == ("segment 9, N402: error 7, 'ZZ'",)


def test_an_answer_in_test_says_nothing_of_production(answer: Callable[..., Received]) -> None:
    test, production = sent(1, usage="T"), sent(2, usage="P")
    assert [m.document for m in match([answer("997.edi")], [test, production]).matched] == [1]
    assert [m.document for m in match([answer("997.edi", ("*0*T*", "*0*P*"))], [test, production]).matched] == [2]


@pytest.mark.parametrize(
    ("status", "expected"),
    [("A", "accepted"), ("E", "accepted_with_errors"), ("R", "rejected"), ("M", "rejected"), ("P", "unclear")],
)
def test_a_997_without_sets_speaks_of_all_of_the_group(
    answer: Callable[..., Received], status: str, expected: str
) -> None:
    short = answer(
        "997.edi",
        ("AK2*810*0001~\nAK3*N4*9*N1*8~\nAK4*2*156*7*ZZ~\nAK5*E*5~\n", ""),
        ("AK9*E*1*1*1", f"AK9*{status}*2*2*2"),
    )
    outcome = match([short], [sent(1), sent(2, control="0002")])
    assert [(m.document, m.status) for m in outcome.matched] == [(1, expected), (2, expected)]


def test_sets_a_partial_acceptance_does_not_name_are_accepted(answer: Callable[..., Received]) -> None:
    part = answer("997.edi", ("AK5*E", "AK5*R"), ("AK9*E*1*1*1", "AK9*P*2*2*1"))
    assert statuses(match([part], [sent(1), sent(2, control="0002")]).matched) == {1: "rejected", 2: "accepted"}


def test_a_ta1_speaks_of_the_whole_interchange(answer: Callable[..., Received]) -> None:
    mine = [sent(1), sent(2, control="0002"), sent(3, interchange=18)]
    assert statuses(match([answer("ta1.edi")], mine).matched) == {1: "received", 2: "received"}
    refused = answer("ta1.edi", ("*A*000", "*R*022"))
    assert statuses(match([refused], mine).matched) == {1: "rejected", 2: "rejected"}


def test_an_824_is_matched_by_its_numbers_and_else_by_the_reference(answer: Callable[..., Received]) -> None:
    mine = [sent(1), sent(2, control="0002", reference="INV-1002")]
    for advice in (answer("824.edi"), answer("824.edi", ("*17*0001*810", ""))):
        (matched,) = match([advice], mine).matched
        assert (matched.document, matched.status) == (1, "business_rejected")
        assert matched.reasons == ("DUP Sent twice INV-1001", "Number was used in 2024")


@pytest.mark.parametrize(
    ("code", "expected"),
    [("TA", "business_accepted"), ("TE", "business_accepted_with_errors"), ("TR", "business_rejected"), ("IR", "business_rejected")],
)  # fmt: skip
def test_an_824_accepts_or_refuses_the_document_itself(
    answer: Callable[..., Received], code: str, expected: str
) -> None:
    assert match([answer("824.edi", ("OTI*TR", f"OTI*{code}"))], [sent(1)]).matched[0].status == expected


def test_an_855_is_matched_to_the_order(answer: Callable[..., Received]) -> None:
    order = sent(7, set="850", group="PO", reference="PO-77")
    (matched,) = match([answer("855.edi")], [sent(1, reference="PO-77"), order]).matched
    assert (matched.document, matched.status) == (7, "business_accepted_with_errors")
    assert matched.reasons == ("line 1: IB",)


def test_an_answer_to_nothing_we_sent_is_handed_back(answer: Callable[..., Received]) -> None:
    early = answer("997.edi")
    assert match([early], []).unmatched == (early,)
    assert match(match([early], []).unmatched, [sent(1)]).unmatched == ()


def test_a_number_used_again_belongs_to_the_last_interchange_before_the_answer(answer: Callable[..., Received]) -> None:
    mine = [
        sent(1, sent="2401010000"), sent(2, sent="2501310900", interchange=18), sent(3, sent="2502010000", interchange=19),
    ]  # fmt: skip
    assert [m.document for m in match([answer("997.edi")], mine).matched] == [2]


@given(st.lists(st.sampled_from(ORDER), max_size=6), st.randoms())
def test_a_status_depends_neither_on_order_nor_on_repetition(seen: list[Any], rng: Any) -> None:
    shuffled = seen * 2
    rng.shuffle(shuffled)
    assert joined(*shuffled) == joined(*seen)


def test_answers_in_any_order_and_repeated_give_the_same(answer: Callable[..., Received]) -> None:
    received = [answer("ta1.edi"), answer("997.edi"), answer("824.edi")]
    there = statuses(match(received, [sent(1)]).matched)
    assert there == statuses(match(received[::-1] * 3, [sent(1)]).matched) == {1: "business_rejected"}


def test_a_rejected_group_is_rejected_whole_whatever_it_says_of_a_set(answer: Callable[..., Received]) -> None:
    told = answer("997.edi", ("AK3*N4*9*N1*8~\nAK4*2*156*7*ZZ~\nAK5*E*5~\n", "AK5*A~\n"), ("AK9*E", "AK9*R"))
    assert [m.status for m in match([told], [sent(1), sent(2, control="0002")]).matched] == ["rejected", "rejected"]


ALONE = ("AK2*810*0001~\nAK3*N4*9*N1*8~\nAK4*2*156*7*ZZ~\nAK5*E*5~\n", "")
COUNTS = [
    ("AK9*A*2*1*1", ["unclear", "unclear"]), ("AK9*A*2*2*1", ["unclear", "unclear"]), ("AK9*A*1*1*1", ["unclear", "unclear"]),
    ("AK2*810*0001~\nAK5*A~\nAK9*A*2*1*1", ["accepted", "unclear"]),
    ("AK2*810*0001~\nAK5*R*5~\nAK9*P*2*2*0", ["rejected", "unclear"]),
    ("AK2*810*0001~\nAK5*A~\nAK2*810*0002~\nAK5*A~\nAK9*A*2*2*1", ["unclear", "unclear"]),
    ("AK2*810*1~\nAK5*A~\nAK2*810*0002~\nAK5*R*5~\nAK9*P*2*2*1", ["accepted", "rejected"]),
    ("AK2*810*0001~\nAK5*R*5~\nAK2*810*0001~\nAK5*A~\nAK9*P*2*2*1", ["rejected", "accepted"]),
    ("AK2*810*0001~\nAK5*A~\nAK9*M*2*2*0", ["rejected", "rejected"]),
]  # fmt: skip


@pytest.mark.parametrize(("says", "expected"), COUNTS, ids=[case[0].replace("~\n", " ") for case in COUNTS])
def test_only_what_the_counts_leave_no_doubt_about_is_accepted(
    answer: Callable[..., Received], says: str, expected: list[str]
) -> None:
    told = statuses(
        match([answer("997.edi", ALONE, ("AK9*E*1*1*1", says))], [sent(1), sent(2, control="0002")]).matched
    )
    assert [told[1], told[2]] == expected
