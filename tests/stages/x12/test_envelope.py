from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import ConfigError, Counter, DataError, Record, Stored
from stages.x12.guide import Delimiters, Guide
from stages.x12.reading.reader import ReadHeader, read
from stages.x12.writing.draft import Draft, build_envelope
from stages.x12.writing.envelope import counters, envelope_origins, isa, pack
from stages.x12.writing.plan import Plan
from stages.x12.writing.stage import Encode, Rendered

NUMBERS = {"ISA13": 17, "GS06": 4}
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
IDS: dict[str, Any] = {
    "us_isa": ("ZZ", "US"),
    "us_gs": "US",
    "them_isa": ("01", "THEM"),
    "them_gs": "THEM",
    "usage": "P",
}


@given(
    us=st.text("ABC 019", min_size=1, max_size=15),
    number=st.integers(1, 999_999_999),
    release=st.sampled_from(["004010", "005010"]),
)
def test_isa_is_always_106_bytes(us: str, number: int, release: str) -> None:
    us = us.strip() or "A"
    made = build_envelope(**{**IDS, "us_isa": ("ZZ", us), "guide": Guide(version=release)})
    header = isa(made, f"{number:09d}", datetime(2025, 1, 31, 23, 59, tzinfo=UTC))
    assert len(header.encode()) == 106
    assert (header[3], header[82], header[104], header[105]) == ("*", "U" if release == "004010" else "^", ">", "~")


def test_the_interchange_is_complete_to_the_last_byte(interchange: bytes) -> None:
    assert interchange.decode() == (
        "ISA*00*          *00*          *ZZ*HARBORVALE     *01*0812345678     *250131*1200*U*00401*000000017*0*P*>~"
        "GS*IN*HARBORVALE*0812345678*20250131*1200*4*X*004010~"
        "ST*810*0001~BIG*20250131*INV-1001*****DI~REF*IA*V-1014~N1*BY*Harborvale Foods*92*HV01~"
        "IT1*1*10*CA*12.5**IN*B-9*VN*V-9~PID*F****Blue widget~IT1*2*1*EA*15~TDS*14000~CTT*2~SE*10*0001~"
        "GE*1*4~IEA*1*000000017~"
    )


@given(sets=st.lists(st.sampled_from(["810", "850"]), min_size=1, max_size=9), first=st.integers(1, 999_999_999))
@relaxed
def test_counts_and_numbers_are_right_when_counted_again(
    stored: Callable[..., Stored], noon: datetime, sets: list[str], first: int
) -> None:
    documents = [stored(f"ST*{set}*0000~X*{i}~SE*3*0000~".encode(), id=i, set=set) for i, set in enumerate(sets)]
    segments = [
        segment.split("*") for segment in pack(documents, {"ISA13": 9, "GS06": first}, noon).decode().split("~")[:-1]
    ]
    ids = [segment[0] for segment in segments]
    assert segments[-1] == ["IEA", str(ids.count("GS")), "000000009"]
    groups = [i for i, id in enumerate(ids) if id == "GS"]
    for n, start in enumerate(groups):
        end = ids.index("GE", start)
        control = str((first - 1 + n) % 999_999_999 + 1)
        assert segments[start][6] == segments[end][2] == control
        inside = ids[start:end]
        assert segments[end][1] == str(inside.count("ST"))
        starts = [segment for segment in segments[start:end] if segment[0] == "ST"]
        assert [segment[2] for segment in starts] == [f"{k:04d}" for k in range(1, len(starts) + 1)]
        assert {segment[1] for segment in starts} == {{"IN": "810", "PO": "850"}[segments[start][1]]}
        assert [s[2] for s in segments[start:end] if s[0] == "SE"] == [s[2] for s in starts]


def test_groups_stand_in_order_of_first_appearance(stored: Callable[..., Stored], noon: datetime) -> None:
    documents = [stored(f"ST*{set}*0000~SE*2*0000~".encode(), set=set) for set in ("850", "810", "850")]
    text = pack(documents, NUMBERS, noon).decode()
    assert text.index("GS*PO") < text.index("GS*IN")
    assert "GE*2*4~" in text
    assert "GE*1*5~" in text


def test_the_industry_suffix_is_in_gs08_alone(
    plan: Callable[..., Plan], subject: Callable[..., Any], stored: Callable[..., Stored], noon: datetime
) -> None:
    guide = Guide(version="004010VICS")
    text = pack([stored(plan(version="004010VICS").render(subject()), guide=guide)], NUMBERS, noon).decode()
    assert "*X*004010VICS~" in text
    assert "*00401*" in text


def test_packing_is_deterministic(
    plan: Callable[..., Plan], subject: Callable[..., Any], stored: Callable[..., Stored], noon: datetime
) -> None:
    document = stored(plan().render(subject()))
    assert pack([document], NUMBERS, noon) == pack([document], NUMBERS, noon)


def test_counters_belong_to_the_pair_of_ids_and_usage(stored: Callable[..., Stored]) -> None:
    documents = [stored(b"", set="810"), stored(b"", set="850"), stored(b"", set="810")]
    scope = "ZZ:HARBORVALE|01:0812345678|P"
    assert counters(documents) == [Counter(scope, "ISA13", 1), Counter(scope, "GS06", 2)]


def test_documents_of_different_partners_are_not_packed_together(stored: Callable[..., Stored], noon: datetime) -> None:
    body = b"ST*810*0000~SE*2*0000~"
    with pytest.raises(DataError, match="documents of different partners or delimiters share a group"):
        pack([stored(body), stored(body, them_isa=("ZZ", "OTHER"))], NUMBERS, noon)


def test_a_body_that_was_written_with_other_delimiters_is_not_packed(
    stored: Callable[..., Stored], noon: datetime
) -> None:
    with pytest.raises(DataError, match="does not start as its set demands"):
        pack([stored(b"ST|810|0000^SE|2|0000^")], NUMBERS, noon)


def test_a_body_without_its_end_is_not_packed(stored: Callable[..., Stored], noon: datetime) -> None:
    with pytest.raises(DataError, match="does not end as its set demands"):
        pack([stored(b"ST*810*0000~BIG*20250131*1~SE*3*0001~")], NUMBERS, noon)


def test_what_follows_the_control_number_in_st_is_kept(stored: Callable[..., Stored], noon: datetime) -> None:
    guide = Guide(version="005010", implementation="HV810")
    text = pack([stored(b"ST*810*0000*HV810~SE*2*0000~", guide=guide)], NUMBERS, noon).decode()
    assert "ST*810*0001*HV810~SE*2*0001~" in text


def test_a_thousand_documents_are_one_interchange(stored: Callable[..., Stored], noon: datetime) -> None:
    documents = [stored(b"ST*810*0000~SE*2*0000~", id=n) for n in range(1000)]
    payload = pack(documents, NUMBERS, noon)
    assert payload.endswith(b"ST*810*1000~SE*2*1000~GE*1000*4~IEA*1*000000017~")


def test_newlines_are_no_part_of_isa(
    plan: Callable[..., Plan], subject: Callable[..., Any], stored: Callable[..., Stored], noon: datetime
) -> None:
    payload = pack([stored(plan(newline=True).render(subject()), guide=Guide(newline=True))], NUMBERS, noon)
    assert payload[105:107] == b"~\n"
    assert payload.endswith(b"~\n")
    assert [segment.id for segment in read([payload])][-2:] == ["GE", "IEA"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"us_isa": ("ZZ", "X" * 16)}, "must have 1 to 15 characters"),
        ({"us_isa": ("Z", "X")}, "us isa qualifier 'Z' is none of 01, 02"),
        ({"them_isa": ("Q9", "X")}, "them isa qualifier 'Q9' is none of"),
        ({"them_gs": "AB^CD", "guide": Guide(version="005010")}, "'AB^CD' holds a delimiter"),
        ({"them_isa": ("01", "A*B")}, "'A*B' holds a delimiter"),
        ({"them_gs": "G"}, "must have 2 to 15 characters"),
        ({"usage": "X"}, "usage 'X' must be P (production) or T (test)"),
    ],
)
def test_identities_that_cannot_be_written_are_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_envelope(**{**IDS, "guide": Guide(), **change})
    assert problem in caught.value.why


PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60)


@given(name=PRINTABLE, words=st.text(max_size=60), marks=st.permutations("*~>^|:!"))
@relaxed
def test_what_was_written_is_read_back_and_data_never_holds_a_delimiter(
    plan: Callable[..., Plan],
    subject: Callable[..., Any],
    stored: Callable[..., Stored],
    noon: datetime,
    name: str,
    words: str,
    marks: list[str],
) -> None:
    delimiters = Delimiters(element=marks[0], segment=marks[1], component=marks[2], repetition=marks[3])
    guide: dict[str, Any] = {"delimiters": delimiters, "on_delimiter": "replace"}
    try:
        body = plan(**guide).render(subject(us={"name": name, "id": "HV01"}, line={"text": words}))
    except DataError:
        return
    segments = list(read([pack([stored(body, guide=Guide(**guide))], NUMBERS, noon)]))
    header = segments[0]
    assert isinstance(header, ReadHeader)
    assert header.delimiters.element == marks[0]
    assert [s.elements[1] for s in segments if s.id == "IT1"] == ["10", "1"]
    buyer = next(s for s in segments if s.id == "N1")
    written = name
    for mark in marks[:3]:
        written = written.replace(mark, " ")
    assert buyer[2] == written.strip()
    assert not any(mark in element for segment in segments[1:] for element in segment.elements for mark in marks[:3])


def _draft(plan: Plan, subject: dict[str, Any]) -> Draft:
    made = build_envelope(**{**IDS, "guide": Guide()})
    return Draft(
        set="810", partner="RIVERBEND", plan=plan, subject=subject, envelope=made, group="g", batch=5, guard="dup"
    )


def test_the_stage_makes_a_document_of_a_draft(plan: Callable[..., Plan], subject: Callable[..., Any]) -> None:
    made = plan()
    (document,) = Encode().render(Record(key="7", kind="bill", body=_draft(made, subject()), label="INV-1001"))
    assert document.body == made.render(subject())
    assert (document.plan, document.fields, document.group, document.batch) == (made.digest, made.fields, "g", 5)
    assert (document.label, document.guard, document.lookups) == (
        "INV-1001",
        "dup",
        {"unit Case": "CA", "unit Each": "EA"},
    )
    assert document.fingerprint is not None
    assert document.fingerprint(made.fields) == made.fingerprint(subject(), made.fields)


def test_the_stage_makes_several_documents_of_several_drafts(
    plan: Callable[..., Plan], subject: Callable[..., Any]
) -> None:
    draft = _draft(plan(), subject())
    assert len(Encode().render(Record(key="7", kind="bill", body=[draft, draft]))) == 2


def test_an_amendment_says_that_it_replaces(plan: Callable[..., Plan], subject: Callable[..., Any]) -> None:
    stage = Encode()
    (document,) = stage.render(Record(key="7", kind="bill", body=_draft(plan(), subject())))
    amended = stage.amend(document, 2)
    assert b"*DI*05~" in amended.body
    assert isinstance(amended, Rendered)
    assert stage.amend(amended, 3).body == amended.body


def test_the_stage_refuses_what_is_no_draft() -> None:
    with pytest.raises(DataError, match="This record is no X12 draft"):
        Encode().render(Record(key="7", kind="bill", body={"number": "1"}))


def test_every_element_of_an_envelope_has_an_origin(interchange: bytes) -> None:
    written = {
        f"{segment.id}{place:02d}"
        for segment in read([interchange])
        if segment.id in ("ISA", "GS", "ST", "SE", "GE", "IEA")
        for place, _ in enumerate(segment.elements, 1)
    }
    told = {line.partition(" <- ")[0] for id in ("ISA", "GS", "ST", "SE", "GE", "IEA") for line in envelope_origins(id)}
    assert told == written | {"ST03"}
    assert envelope_origins("BIG02") == []
