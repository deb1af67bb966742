from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from stages.x12.answering.answer_reader import read_answers
from stages.x12.answering.answers import (
    DocumentAdvice,
    GroupAnswer,
    InterchangeAnswer,
    OrderAnswer,
    Received,
    SetAnswer,
)
from stages.x12.answering.match import ORDER, Sent, joined, match, statuses

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
    assert matched.reasons == ("segment 9, N402: Invalid code value (7): 'ZZ'",)


def test_a_code_that_has_no_meaning_is_told_as_it_is(answer: Callable[..., Received]) -> None:
    odd = answer("997.edi", ("*7*ZZ", "*QQ*ZZ"))
    assert match([odd], [sent(1)]).matched[0].reasons == ("segment 9, N402: code QQ: 'ZZ'",)


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
        assert matched.reasons == ("Duplicate transaction (DUP) Sent twice INV-1001", "Number was used in 2024")


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
    assert matched.reasons == ("line 1: Item back-ordered (IB)",)


def test_an_acceptance_of_sets_we_never_sent_is_an_answer_to_another_group(answer: Callable[..., Received]) -> None:
    strange = answer("997.edi", ("AK2*810*0001", "AK2*810*170001"))
    assert match([strange], [sent(1), sent(2, control="0002")]).unmatched == (strange,)


def test_an_answer_to_nothing_we_sent_is_handed_back(answer: Callable[..., Received]) -> None:
    early = answer("997.edi")
    assert match([early], []).unmatched == (early,)
    assert match(match([early], []).unmatched, [sent(1)]).unmatched == ()


def test_a_number_used_again_belongs_to_the_last_interchange_before_the_answer(answer: Callable[..., Received]) -> None:
    mine = [
        sent(1, sent="2401010000"), sent(2, sent="2501310900", interchange=18), sent(3, sent="2502020000", interchange=19),
    ]  # fmt: skip
    assert [m.document for m in match([answer("997.edi")], mine).matched] == [2]


def test_a_clock_that_is_behind_does_not_make_an_answer_one_to_an_earlier_use_of_the_number(
    answer: Callable[..., Received],
) -> None:
    mine = [sent(1, sent="2401010000"), sent(2, sent="2501312359", interchange=18)]
    assert [m.document for m in match([answer("997.edi")], mine).matched] == [2]


LATER = {"sent": "2503021400"}  # a month after the answers of the corpus were written


@pytest.mark.parametrize("name", ["997.edi", "ta1.edi", "824.edi", "855.edi"])
def test_an_answer_is_about_nothing_that_was_sent_more_than_a_day_after_it(
    answer: Callable[..., Received], name: str
) -> None:
    old = answer(name)
    mine = [sent(1, **LATER), sent(7, set="850", group="PO", reference="PO-77", **LATER)]
    assert match([old], mine).unmatched == (old,)


def test_an_old_answer_is_about_the_old_use_of_the_number_also_when_the_new_one_fits_better(
    answer: Callable[..., Received],
) -> None:
    mine = [sent(1, control="0002"), sent(2, interchange=18, **LATER)]  # only the new one has a set of that number
    assert {*statuses(match([answer("997.edi", ("AK5*E", "AK5*R"), ("AK9*E", "AK9*R"))], mine).matched)} == {1}


@pytest.mark.parametrize(
    ("date", "found"), [("250131", [1]), ("250201", [1]), ("250130", [1]), ("250129", []), ("240131", [])]
)
def test_a_ta1_names_the_day_of_our_interchange_give_or_take_a_day(
    answer: Callable[..., Received], date: str, found: list[int]
) -> None:
    told = answer("ta1.edi", ("*250131*1200*", f"*{date}*1200*"))
    assert [m.document for m in match([told], [sent(1)]).matched] == found


def test_a_reference_belongs_to_the_version_that_was_sent_before_the_answer(answer: Callable[..., Received]) -> None:
    first, second = sent(1, sent="2501310900"), sent(2, sent="2501312359", group_number=18)
    advice = answer("824.edi", ("*17*0001*810", ""))
    assert [m.document for m in match([advice], [first, second]).matched] == [1]
    order = answer("855.edi")
    orders = [sent(n, set="850", group="PO", reference="PO-77", group_number=n, sent=f"25013{n}0900") for n in (0, 1)]
    assert [m.document for m in match([order], orders).matched] == [1]


def test_an_824_that_names_no_set_means_the_one_its_reference_is_the_number_of(
    answer: Callable[..., Received],
) -> None:
    mine = [sent(1), sent(2, set="850", group="PO")]
    for qualifier, document in (("IV", 1), ("PO", 2)):
        advice = answer("824.edi", ("*17*0001*810", ""), ("*IV*", f"*{qualifier}*"))
        assert [m.document for m in match([advice], mine).matched] == [document]


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
    ("AK2*810*0001~\nAK5*A~\nAK2*810*9~\nAK5*R*5~\nAK9*P*2*2*1", ["accepted", "unclear"]),
    ("AK2*810*0001~\nAK5*A~\nAK2*810*9~\nAK5*R*5~\nAK9*A*2*2*2", ["accepted", "unclear"]),
    ("AK2*810*0001~\nAK5*A~\nAK2*810*9~\nAK5*A~\nAK9*A*2*2*2", ["accepted", "unclear"]),
    ("AK2*810*8~\nAK5*R*5~\nAK9*P*2*2*1", ["unclear", "unclear"]),
    ("AK2*810*8~\nAK5*R*5~\nAK9*R*2*2*0", ["unclear", "unclear"]),
]  # fmt: skip


@pytest.mark.parametrize(("says", "expected"), COUNTS, ids=[case[0].replace("~\n", " ") for case in COUNTS])
def test_only_what_the_counts_leave_no_doubt_about_is_accepted(
    answer: Callable[..., Received], says: str, expected: list[str]
) -> None:
    told = statuses(
        match([answer("997.edi", ALONE, ("AK9*E*1*1*1", says))], [sent(1), sent(2, control="0002")]).matched
    )
    assert [told[1], told[2]] == expected


# -- laws -----------------------------------------------------------------------------------------------------------------------

THEIRS: dict[str, str] = {"A": "accepted", "E": "accepted_with_errors", "R": "rejected"}


def as_told(verdicts: str, style: str) -> GroupAnswer:
    """What a partner that means these verdicts of our sets says, in one of the styles partners have."""
    sets = tuple(
        SetAnswer(set="810", control=f"{n:04d}", status=verdict, codes=() if verdict == "A" else ("5",))
        for n, verdict in enumerate(verdicts, 1)
    )
    accepted = sum(verdict != "R" for verdict in verdicts)
    whole = "R" if not accepted else "P" if "R" in verdicts else "E" if "E" in verdicts else "A"
    if style == "faults":
        sets = tuple(one for one in sets if one.status != "A")
    elif style == "none":
        sets = ()
    elif style == "unpadded":
        sets = tuple(structs.replace(one, control=one.control.lstrip("0")) for one in sets)
    return GroupAnswer(
        group="IN",
        number=17,
        status=whole,
        included=len(verdicts),
        received=len(verdicts),
        accepted=accepted,
        sets=sets,
    )


def received(said: Any, n: int = 0) -> Received:
    return Received(
        answer=said, sender=THEM, receiver=("ZZ", "US"), usage="T", sent="2501311305", source=("000000801", "55", f"{n:04d}")
    )  # fmt: skip


VERDICTS = st.text("AER", min_size=1, max_size=8)
STYLES = st.sampled_from(["all", "faults", "none", "unpadded"])


@given(VERDICTS, STYLES)
def test_what_a_partner_means_is_understood_whatever_its_style(verdicts: str, style: str) -> None:
    mine = [sent(n, control=f"{n:04d}") for n in range(1, len(verdicts) + 1)]
    told = statuses(match([received(as_told(verdicts, style))], mine).matched)
    meant = [THEIRS[verdict] for verdict in verdicts]
    if style == "none" and len(set(verdicts)) > 1:  # it says no more than the group's status
        assert set(told.values()) <= {"unclear", "accepted_with_errors"}
        assert "R" not in verdicts or set(told.values()) == {"unclear"}
    else:
        assert [told[n] for n in range(1, len(verdicts) + 1)] == meant


@given(VERDICTS, STYLES, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.sampled_from("AEPRMWX"))
def test_counts_that_contradict_never_make_a_refusal_an_acceptance(
    verdicts: str, style: str, included: int, got: int, accepted: int, status: str
) -> None:
    mine = [sent(n, control=f"{n:04d}") for n in range(1, len(verdicts) + 1)]
    said = structs.replace(as_told(verdicts, style), included=included, received=got, accepted=accepted, status=status)
    for document, told in statuses(match([received(said)], mine).matched).items():
        named = style in ("all", "unpadded") or (style == "faults" and verdicts[int(document) - 1] != "A")
        if status in "RMWX" or (named and verdicts[int(document) - 1] == "R"):
            assert told == "rejected"
        elif told in ("accepted", "accepted_with_errors") and not named:
            assert accepted >= max(included, len(mine)) - len(said.sets) + sum(one.status != "R" for one in said.sets)


ANSWERS = st.one_of(
    st.builds(as_told, VERDICTS, STYLES),
    st.builds(
        InterchangeAnswer, number=st.sampled_from(["000000017", "000000018"]), date=st.just("250131"), time=st.just("1200"),
        status=st.sampled_from("AER"), note=st.sampled_from(["000", "021", "025"]),
    ),
    st.builds(
        DocumentAdvice, status=st.sampled_from(["TA", "TE", "TR"]), qualifier=st.sampled_from(["IV", "PO"]), reference=st.sampled_from(["1", "2", ""]),
        group_number=st.sampled_from([None, 17]), control=st.sampled_from(["", "0001", "2"]), set=st.sampled_from(["", "810"]),
    ),
    st.builds(OrderAnswer, status=st.sampled_from(["AD", "AC", "RJ", "??"]), order=st.sampled_from(["1", "2"])),
)  # fmt: skip
DOCUMENTS = st.lists(
    st.builds(
        lambda n, order, version, group: sent(
            n, set="850" if order else "810", group="PO" if order else "IN", control=f"{n:04d}", reference=str(n % 3), group_number=group,
            interchange=group, sent=f"2501{version}0900",
        ), st.integers(1, 8), st.booleans(), st.sampled_from(["30", "31"]), st.sampled_from([17, 18]),
    ), max_size=8, unique_by=lambda one: one.document,
)  # fmt: skip


@given(st.lists(ANSWERS, max_size=5), DOCUMENTS, st.randoms())
def test_matching_depends_neither_on_the_order_of_answers_and_documents_nor_on_repetition(
    said: list[Any], mine: list[Any], rng: Any
) -> None:
    answers = [received(one, n) for n, one in enumerate(said)]
    first = match(answers, mine)
    again, shuffled = answers * 2, list(mine)
    rng.shuffle(again)
    rng.shuffle(shuffled)
    second = match(again, shuffled)
    assert statuses(second.matched) == statuses(first.matched)
    assert {*second.unmatched} == {*first.unmatched}
    assert {one.document for one in first.matched} <= {one.document for one in mine}
    # One by one, as they come from mailboxes, they say the same.
    alone = [matched for answer in answers for matched in match([answer], mine).matched]
    assert alone == [*first.matched]
    assert match(first.unmatched, mine).matched == ()
