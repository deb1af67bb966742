from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import ConfigError
from stages.x12.answering.acknowledge import _told, group_answers, interchange_answer
from stages.x12.answering.answer_reader import read_answers
from stages.x12.answering.answer_writer import groups_of_reply, reply, write_set
from stages.x12.answering.answers import (
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
from stages.x12.checking.validator import examine, validate
from stages.x12.checking.violation import KINDS
from stages.x12.definitions import release
from stages.x12.guide import Delimiters, Guide
from stages.x12.reading.reader import read

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


def test_a_ta1_repeats_damaged_numbers_as_digits_and_what_is_no_date_as_none(corpus: dict[str, bytes]) -> None:
    damaged = (
        corpus["810.edi"].replace(b"*000000017*0*T", b"*17       *0*T", 1).replace(b"*250131*1200*U", b"*2501XX*    *U")
    )
    answer = interchange_answer(examine([damaged]))
    assert (answer.number, answer.date, answer.time) == ("000000017", "000101", "0000")


def test_a_999_follows_a_convention_where_what_it_answers_does(corpus: dict[str, bytes]) -> None:
    plain = in_5010(corpus["810.edi"])
    assert b"ST*999*0001~" in replied(plain, "999")
    followed = replied(plain.replace(b"ST*810*0001~", b"ST*810*0001*004010UCS~"), "999")
    assert b"ST*999*0001*005010X231A1~" in followed
    assert b"*X*005010X231A1~" in followed
    assert [v for v in validate(followed) if v.severity == "error"] == []


def test_a_group_that_breaks_off_within_a_set_is_rejected_for_its_missing_trailer(corpus: dict[str, bytes]) -> None:
    payload = corpus["810.edi"]
    broken = payload[: payload.index(b"SE*")] + payload[payload.index(b"IEA*") :]
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


def noted(payload: bytes, form: Form = "997") -> tuple[str, str, list[GroupAnswer]]:
    """What the TA1 says, and the groups that are answered."""
    examined = examine([payload])
    ta1 = interchange_answer(examined)
    return ta1.status, ta1.note, group_answers(examined, form)[0]


SET = b"ST*810*0002~\nBIG*20250131*INV-2~\nTDS*0~\nSE*4*0002~\n"
STRAY = [
    ("a set behind the group", b"IEA*", SET + b"IEA*", "R", "022"),
    ("GE twice", b"GE*1*17~\n", b"GE*1*17~\nGE*1*17~\n", "R", "022"),
    ("SE without ST", b"GE*", b"SE*4*0001~\nGE*", "R", "022"),
    ("a segment between sets", b"GE*", b"REF*ZZ*1~\nGE*", "R", "022"),
    ("a control number that IEA does not repeat", b"IEA*1*000000017", b"IEA*1*000000018", "R", "001"),
    ("no IEA", b"IEA*1*000000017~\n", b"", "R", "023"),
    ("an unknown qualifier", b"*ZZ*ACMEAP", b"*Q9*ACMEAP", "R", "005"),
]


@pytest.mark.parametrize(
    ("old", "new", "status", "note"), [case[1:] for case in STRAY], ids=[case[0] for case in STRAY]
)
def test_an_interchange_that_is_rejected_has_its_ta1_and_no_other_answer(
    corpus: dict[str, bytes], old: bytes, new: bytes, status: str, note: str
) -> None:
    payload = corpus["810.edi"].replace(old, new, 1)
    assert noted(payload) == (status, note, [])
    assert [received.answer for received in read_answers([replied(payload, ta1=True)])] == [
        interchange_answer(examine([payload]))
    ]


def test_what_only_the_receiver_knows_rejects_the_groups_too(corpus: dict[str, bytes]) -> None:
    examined = examine([corpus["810.edi"]])
    twice = interchange_answer(examined, note="025")
    written = reply(examined.interchanges[0], group_answers(examined)[0], twice, NUMBERS, NOON)
    assert [received.answer for received in read_answers([written])] == [twice]


def test_a_second_use_of_a_number_is_rejected_and_its_groups_are_not_answered(corpus: dict[str, bytes]) -> None:
    examined = examine([corpus["810.edi"] * 2])
    assert [interchange_answer(examined, n).note for n in (0, 1)] == ["000", "025"]
    assert [len(answers) for answers in group_answers(examined)] == [1, 0]


def test_an_empty_group_is_told_of_at_both_levels(corpus: dict[str, bytes]) -> None:
    payload = corpus["810.edi"]
    status, note, (answer,) = noted(payload[: payload.index(b"ST*")] + b"GE*0*17~\nIEA*1*000000017~\n")
    assert (status, note, answer.status, answer.included, answer.accepted) == ("E", "024", "R", 0, 0)


NO_MATTER_OF_SYNTAX = {
    "untidy", "count", "sum", "hash", "sign", "guide_delimiters", "guide_sign",
}  # fmt: skip


def test_every_fault_of_syntax_has_a_code_that_acknowledgements_know() -> None:
    assert {name for name, kind in KINDS.items() if not kind.standard} == NO_MATTER_OF_SYNTAX


CODES = [
    ("997", "718", "718"), ("997", "720", "720"), ("997", "723", "723"),
    ("999", "718", "618"), ("999", "720", "620"), ("999", "723", "621"),
    ("997", "716", "716"), ("997", "I18", "I18"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "kind", "element"), CODES)
@pytest.mark.parametrize("version", ["004010", "005010"])
def test_every_code_that_is_written_is_one_of_its_element(form: Form, kind: str, element: str, version: str) -> None:
    told = [_told(one.standard, form, version) for one in KINDS.values() if one.standard.startswith(f"{kind}/")]
    tables = release("005010" if form == "999" else version)
    assert told
    assert [code for code in told if not tables.meaning(element, code.partition("/")[2])] == []


def test_a_set_in_the_wrong_group_has_a_code_of_its_own_in_a_999_alone(corpus: dict[str, bytes]) -> None:
    payload = corpus["810.edi"].replace(b"GS*IN", b"GS*PO")
    assert [noted(payload, form)[2][0].sets[0].codes for form in ("997", "999")] == [("6",), ("18",)]  # type: ignore[arg-type]


def test_a_999_tells_faults_by_the_guide_from_faults_by_the_standard(corpus: dict[str, bytes]) -> None:
    codes = []
    for guide in (Guide(forbid=("BIG07",)), Guide(forbid=("BIG07",), require=("REF*DP",)), Guide(forbid=())):
        examined = examine([corpus["810.edi"].replace(b"CUR*BY", b"CUR*BY" if guide.forbid else b"CUR*Q9Q9")], guide)
        codes.append(group_answers(examined, "999")[0][0].sets[0].codes)
    assert codes == [("I5",), ("I5",), ("5",)]


def test_a_rejected_group_tells_of_no_set_that_it_is_accepted(corpus: dict[str, bytes], faulty: bytes) -> None:
    for payload in (corpus["810.edi"], faulty):
        (answer,) = group_answers(examine([payload.replace(b"GE*1*17", b"GE*1*18")]), accept_faults=True)[0]
        assert (answer.status, answer.accepted) == ("R", 0)
        assert {one.status for one in answer.sets} <= {"R"}


ODD = [
    ("a short ST02", "*810*0001~", "*810*12~", "SE*17*0001", "SE*17*12"),
    ("a short ST01", "ST*810", "ST*81", "", ""),
    ("a GE01 of seven digits", "GE*1*", "GE*9999999*", "", ""),
    ("no date", "*250131*1200*U", "*259931*1200*U", "", ""),
    ("no time", "*250131*1200*U", "*250131*2500*U", "", ""),
    ("an unknown qualifier", "*ZZ*ACMEAP", "*Q9*ACMEAP", "", ""),
    ("a GS02 of one character", "GS*IN*ACMEAP", "GS*IN*A", "", ""),
    ("a GS03 of twenty", "*VEND0042*2025", "*VEND0042VEND0042VEND*2025", "", ""),
    ("ids of one character", "*ZZ*ACMEAP         ", "*ZZ*A              ", "GS*IN*ACMEAP", "GS*IN*A"),
]


@pytest.mark.parametrize(("old", "new", "other", "another"), [case[1:] for case in ODD], ids=[case[0] for case in ODD])
@pytest.mark.parametrize("form", ["997", "999"])
def test_what_is_written_about_odd_envelopes_is_right_itself(
    corpus: dict[str, bytes], form: Form, old: str, new: str, other: str, another: str
) -> None:
    payload = corpus["810.edi"].replace(old.encode(), new.encode(), 1).replace(other.encode(), another.encode(), 1)
    written = replied(payload, form, ta1=True)
    assert [str(found) for found in validate(written) if found.severity == "error"] == []


@pytest.mark.parametrize("control", ["A_01", "A:01", "A@01", "0A 1", "000000017"])
def test_a_control_number_is_repeated_as_it_came(corpus: dict[str, bytes], control: str) -> None:
    payload = (
        corpus["810.edi"]
        .replace(b"ST*810*0001", f"ST*810*{control}".encode())
        .replace(b"*0001~\nGE", f"*{control}~\nGE".encode())
    )
    assert f"AK2*810*{control}~".encode() in replied(payload)


def test_what_a_reply_cannot_carry_is_shown_as_such(corpus: dict[str, bytes]) -> None:
    answer = group_answers(examine([corpus["810.edi"].replace(b"*USD", "*U\x07S>D\u20ac".encode())]))[0][0]
    assert b"*U?S?D?" in write_set(answer)
    assert b"*U-S-D-" in write_set(answer, Delimiters(component=">", repetition="?"))


def test_each_group_is_answered_to_who_sent_it_and_in_its_release(corpus: dict[str, bytes]) -> None:
    first = corpus["810.edi"]
    group = first[first.index(b"GS*") : first.index(b"IEA*")]
    second = (
        group.replace(b"GS*IN*ACMEAP*VEND0042", b"GS*IN*OTHER*THEIRS")
        .replace(b"*17", b"*18")
        .replace(b"004010", b"005010")
    )
    examined = examine([first.replace(b"IEA*1", second + b"IEA*2")])
    answered = group_answers(examined)[0]
    assert groups_of_reply(examined.interchanges[0], answered) == 2
    written = reply(examined.interchanges[0], answered, None, NUMBERS, NOON)
    groups = [segment.fields[1:] for segment in read([written]) if segment.id == "GS"]
    assert groups == [
        ["FA", "VEND0042", "ACMEAP", "20250131", "1200", "55", "X", "004010"],
        ["FA", "THEIRS", "OTHER", "20250131", "1200", "56", "X", "005010"],
    ]
    assert validate(written) == []
    assert [received.answer for received in read_answers([written])] == answered


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
