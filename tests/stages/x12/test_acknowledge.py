from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import ConfigError
from stages.x12.acknowledge import group_answers, interchange_answer, reply, write_set
from stages.x12.answer_reader import read_answers
from stages.x12.answers import (
    Complaint,
    DocumentAdvice,
    ElementNote,
    Form,
    GroupAnswer,
    InterchangeAnswer,
    LineAnswer,
    OrderAnswer,
    SegmentNote,
    SetAnswer,
)
from stages.x12.guide import Guide
from stages.x12.validator import examine, validate

GOLDEN = Path(__file__).with_name("golden")
NOON = datetime(2025, 1, 31, 12, 0, tzinfo=UTC)
NUMBERS = {"ISA13": 801, "GS06": 55}


@pytest.fixture
def faulty(corpus: dict[str, bytes]) -> bytes:
    """An invoice with a wrong date, a code that does not exist, a part of a composite missing, and no total."""
    payload = corpus["810.edi"].replace(b"BIG*20240501", b"BIG*20240532").replace(b"***DI*00", b"***QX*00")
    payload = payload.replace(b"REF*IA*V-17094", b"REF*IA*V-17094**PO").replace(b"TDS*38022700~\n", b"")
    return payload.replace(b"SE*17*", b"SE*16*")


def in_5010(payload: bytes) -> bytes:
    return payload.replace(b"*U*00401*", b"*^*00501*").replace(b"*004010~", b"*005010~")


def replied(payload: bytes, form: Form = "997", *, ta1: bool = False) -> bytes:
    examined = examine([payload])
    note = interchange_answer(examined) if ta1 else None
    return reply(examined.interchanges[0], group_answers(examined, form)[0], note, NUMBERS, NOON)


@pytest.mark.parametrize(
    ("name", "form", "kind"),
    [
        ("997_rejected.edi", "997", "faulty"), ("999_rejected.edi", "999", "faulty"),
        ("997_accepted.edi", "997", "good"), ("999_accepted.edi", "999", "good"),
    ],
)  # fmt: skip
def test_answers_are_written_as_their_golden_files(
    corpus: dict[str, bytes], faulty: bytes, name: str, form: Form, kind: str
) -> None:
    payload = faulty if kind == "faulty" else corpus["810.edi"]
    written = replied(in_5010(payload) if form == "999" else payload, form, ta1=True)
    assert written.replace(b"~", b"~\n") == (GOLDEN / name).read_bytes()


def test_a_ta1_alone_is_written_as_its_golden_file(faulty: bytes) -> None:
    examined = examine([faulty.replace(b"IEA*1*000000017", b"IEA*1*000000018")])
    written = reply(examined.interchanges[0], [], interchange_answer(examined), NUMBERS, NOON)
    assert written.replace(b"~", b"~\n") == (GOLDEN / "ta1_rejected.edi").read_bytes()


@pytest.mark.parametrize("form", ["997", "999"])
def test_what_we_answer_is_right_itself(corpus: dict[str, bytes], faulty: bytes, form: Form) -> None:
    for payload in (corpus["810.edi"], faulty, corpus["820.edi"], in_5010(faulty)):
        assert [str(found) for found in validate(replied(payload, form, ta1=True))] == []


@pytest.mark.parametrize("form", ["997", "999"])
def test_reading_an_answer_gives_back_what_was_written(faulty: bytes, form: Form) -> None:
    (expected,) = group_answers(examine([faulty]), form)
    assert [received.answer for received in read_answers([replied(faulty, form)])] == expected


def test_who_answers_whom_is_swapped(corpus: dict[str, bytes]) -> None:
    (received,) = read_answers([replied(corpus["810.edi"])])
    assert (received.sender, received.receiver) == (("ZZ", "VEND0042"), ("ZZ", "ACMEAP"))
    assert (received.usage, received.sent, received.source) == ("T", "2501311200", ("000000801", "55", "0001"))


def test_warnings_reject_nothing(corpus: dict[str, bytes]) -> None:
    (answered,) = group_answers(examine([corpus["810.edi"].replace(b"REF*VV", b"REF*QQQ")]))
    assert (answered[0].status, answered[0].accepted) == ("A", 1)


def test_faults_in_elements_may_be_accepted_with_errors(corpus: dict[str, bytes]) -> None:
    examined = examine([corpus["810.edi"].replace(b"***DI*00", b"***QX*00")])
    assert group_answers(examined)[0][0].status == "R"
    (mild,) = group_answers(examined, accept_faults=True)[0]
    assert (mild.status, mild.sets[0].status, mild.accepted) == ("E", "E", 1)


def test_a_group_with_good_and_bad_sets_is_accepted_in_part(corpus: dict[str, bytes], faulty: bytes) -> None:
    good, bad = corpus["810.edi"], faulty
    start, end = good.index(b"ST*"), good.index(b"GE*")
    second = bad[bad.index(b"ST*") : bad.index(b"GE*")].replace(b"*0001~", b"*0002~")
    both = good[:end] + second + good[end:].replace(b"GE*1", b"GE*2")
    assert start < end
    ((answer,),) = group_answers(examine([both]))
    assert (answer.status, answer.received, answer.accepted) == ("P", 2, 1)
    assert [one.status for one in answer.sets] == ["A", "R"]


def test_a_wrong_group_is_rejected_as_a_whole(corpus: dict[str, bytes]) -> None:
    ((answer,),) = group_answers(examine([corpus["810.edi"].replace(b"GE*1*17", b"GE*1*18")]))
    assert (answer.status, answer.accepted, answer.codes) == ("R", 0, ("4",))


def test_a_set_we_have_no_tables_for_is_refused_as_not_supported(corpus: dict[str, bytes]) -> None:
    foreign = corpus["810.edi"].replace(b"ST*810*", b"ST*832*").replace(b"GS*IN*", b"GS*SC*")
    (answer,) = group_answers(examine([foreign]))[0]
    assert (answer.status, answer.accepted) == ("R", 0)
    assert [(one.set, one.status, one.codes) for one in answer.sets] == [("832", "R", ("1",))]


def test_a_release_we_have_no_tables_for_is_refused_as_not_supported(corpus: dict[str, bytes]) -> None:
    (answer,) = group_answers(examine([corpus["810.edi"].replace(b"*004010~", b"*003040~")]))[0]
    assert (answer.status, answer.codes, answer.accepted) == ("R", ("2",), 0)


@pytest.mark.parametrize(("old", "new"), [("GS*IN*", "GS**"), ("*X*004010", "*X*004010")], ids=["GS01", "GS06"])
def test_a_group_whose_header_cannot_be_repeated_is_told_of_by_the_ta1(
    corpus: dict[str, bytes], old: str, new: str
) -> None:
    payload = corpus["810.edi"].replace(old.encode(), new.encode())
    if old != "GS*IN*":
        fields = payload.split(b"GS*")[1].split(b"~")[0].split(b"*")
        payload = payload.replace(b"*" + fields[5] + b"*X*", b"*none*X*")
    examined = examine([payload])
    assert group_answers(examined) == [[]]
    answer = interchange_answer(examined)
    assert (answer.status, answer.note) == ("E", "024")


def test_a_ta1_repeats_damaged_numbers_as_digits(corpus: dict[str, bytes]) -> None:
    damaged = (
        corpus["810.edi"].replace(b"*000000017*0*T", b"*17       *0*T", 1).replace(b"*250131*1200*U", b"*2501XX*    *U")
    )
    answer = interchange_answer(examine([damaged]))
    assert (answer.number, answer.date, answer.time) == ("000000017", "002501", "0000")


def test_a_999_follows_a_convention_where_what_it_answers_does(corpus: dict[str, bytes]) -> None:
    plain = in_5010(corpus["810.edi"])
    assert b"ST*999*0001~" in replied(plain, "999")
    followed = replied(plain.replace(b"ST*810*0001~", b"ST*810*0001*004010UCS~"), "999")
    assert b"ST*999*0001*005010X231A1~" in followed
    assert b"*X*005010X231A1~" in followed
    assert [v for v in validate(followed) if v.severity == "error"] == []


def test_a_group_that_breaks_off_within_a_set_is_rejected_for_its_missing_trailer(corpus: dict[str, bytes]) -> None:
    payload = corpus["810.edi"]
    broken = payload[: payload.index(b"SE*")]
    (answer,) = group_answers(examine([broken]))[0]
    assert (answer.status, answer.codes) == ("R", ("3",))
    assert [(one.status, one.codes) for one in answer.sets] == [("R", ("2",))]


def test_an_acknowledgement_is_never_answered(corpus: dict[str, bytes]) -> None:
    assert group_answers(examine([corpus["997.edi"]])) == [[]]
    assert group_answers(examine([corpus["ta1.edi"]])) == [[]]


@pytest.mark.parametrize(
    ("old", "new", "status", "note"),
    [
        ("", "", "A", "000"),
        ("IEA*1*000000017", "IEA*1*000000018", "R", "001"),
        ("IEA*1*", "IEA*2*", "E", "021"),
        ("IEA*1*000000017~", "", "R", "023"),
        ("250131*1200*U", "259931*1200*U", "E", "014"),
        ("*ZZ*ACMEAP", "*Q1*ACMEAP", "R", "005"),
        ("*17*X*004010~", "*17*Q*004010~", "E", "024"),
    ],
)
def test_a_ta1_tells_what_is_wrong_with_the_envelope(
    corpus: dict[str, bytes], old: str, new: str, status: str, note: str
) -> None:
    answer = interchange_answer(examine([corpus["810.edi"].replace(old.encode(), new.encode(), 1)]))
    assert (answer.number, answer.status, answer.note) == ("000000017", status, note)


def test_a_receiver_may_add_what_only_it_knows(corpus: dict[str, bytes]) -> None:
    answer = interchange_answer(examine([corpus["810.edi"]]), note="025")
    assert (answer.status, answer.note) == ("R", "025")


def test_a_sender_that_cannot_be_written_back_is_a_typed_error(corpus: dict[str, bytes]) -> None:
    payload = corpus["810.edi"].replace(b"*ZZ*ACMEAP ", b"*ZZ*ACM\x07AP ")
    with pytest.raises(ConfigError):
        replied(payload)


def test_the_codes_of_implementation_guides_are_the_999s_alone() -> None:
    payload = (Path(__file__).with_name("fuzz") / "corpus" / "810.edi").read_bytes()
    examined = examine([payload], Guide(forbid=("BIG07", "CUR"), version="004010"))
    for form, codes in (("997", ["6", "2"]), ("999", ["I10", "I4"])):
        ((answer,),) = group_answers(examined, form)  # type: ignore[arg-type]
        big, cur = answer.sets[0].segments
        assert [big.elements[0].code, cur.code] == codes


# -- reading ------------------------------------------------------------------------------------------------------------------


def test_a_997_is_read_to_the_last_element(corpus: dict[str, bytes]) -> None:
    (received,) = read_answers([corpus["997.edi"]])
    note = ElementNote(element=2, ref="156", code="7", value="ZZ")
    segment = SegmentNote(segment="N4", position=9, loop="N1", code="8", elements=(note,))
    assert received.answer == GroupAnswer(
        group="IN", number=17, status="E", included=1, received=1, accepted=1,
        sets=(SetAnswer(set="810", control="0001", status="E", codes=("5",), segments=(segment,)),),
    )  # fmt: skip


def test_a_999_is_read_with_components(corpus: dict[str, bytes]) -> None:
    (received,) = read_answers([corpus["999.edi"]])
    assert isinstance(received.answer, GroupAnswer)
    (one,) = received.answer.sets
    assert (received.answer.form, one.codes, one.segments[0].elements[0].component) == ("999", ("5", "I5"), 1)


def test_a_ta1_is_read(corpus: dict[str, bytes]) -> None:
    (received,) = read_answers([corpus["ta1.edi"]])
    assert received.answer == InterchangeAnswer(number="000000017", date="250131", time="1200", status="A", note="000")


def test_an_824_is_read_document_by_document(corpus: dict[str, bytes]) -> None:
    (received,) = read_answers([corpus["824.edi"]])
    assert received.answer == DocumentAdvice(
        status="TR", qualifier="IV", reference="INV-1001", group_number=17, control="0001", set="810",
        complaints=(Complaint("DUP", "Sent twice", "BIG", "INV-1001"),), remarks=("Number was used in 2024",),
    )  # fmt: skip


def test_an_855_is_read_line_by_line(corpus: dict[str, bytes]) -> None:
    (received,) = read_answers([corpus["855.edi"]])
    assert received.answer == OrderAnswer(
        status="AC", order="PO-77", order_date="20250115",
        lines=(LineAnswer("1", "IA", "8", "EA"), LineAnswer("1", "IB", "2", "EA", "068", "20250220")),
    )  # fmt: skip


def test_answers_around_damage_are_read(corpus: dict[str, bytes]) -> None:
    payload = corpus["997.edi"] + b"junk" + corpus["810.edi"][:250] + corpus["824.edi"]
    assert [type(received.answer) for received in read_answers([payload])] == [GroupAnswer, DocumentAdvice]


text = st.from_regex(r"[A-Z0-9]{2,8}", fullmatch=True)
codes = st.lists(st.from_regex(r"[1-9]", fullmatch=True), max_size=5).map(tuple)
notes = st.builds(
    SegmentNote, segment=st.from_regex(r"[A-Z][A-Z0-9]{1,2}", fullmatch=True), position=st.integers(1, 999999), loop=text, code=st.just("8"),
    elements=st.lists(
        st.builds(
            ElementNote, element=st.integers(1, 99), component=st.integers(0, 9), ref=st.integers(1, 1999).map(str),
            code=st.from_regex(r"[1-9]", fullmatch=True), value=text,
        ), max_size=3,
    ).map(tuple),
)  # fmt: skip
sets = st.builds(
    SetAnswer, set=st.from_regex(r"[0-9]{3}", fullmatch=True), control=st.from_regex(r"[0-9]{4,9}", fullmatch=True),
    status=st.sampled_from("AER"), codes=codes, segments=st.lists(notes, max_size=3).map(tuple),
)  # fmt: skip


@given(
    st.builds(
        GroupAnswer, form=st.sampled_from(["997", "999"]), group=st.just("IN"), number=st.integers(1, 999999999), status=st.sampled_from("AEPR"),
        included=st.integers(0, 999), received=st.integers(0, 999), accepted=st.integers(0, 999), codes=codes,
        sets=st.lists(sets, max_size=3).map(tuple),
    )
)  # fmt: skip
def test_reading_what_is_written_gives_the_same_answer(answer: GroupAnswer) -> None:
    head = b"ISA*00*          *00*          *ZZ*THEM           *ZZ*US             *250131*1200*^*00501*000000001*0*P*>~"
    body = write_set(answer, control="0001")
    payload = head + b"GS*FA*THEM*US*20250131*1200*1*X*005010~" + body + b"GE*1*1~IEA*1*000000001~"
    assert [received.answer for received in read_answers([payload])] == [answer]
