from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import Stored
from stages.x12.checking.segment_check import SegmentCheck
from stages.x12.checking.validator import findings, validate
from stages.x12.checking.violation import Violation, finding_json
from stages.x12.definitions import release
from stages.x12.guide import Delimiters, Guide
from stages.x12.reading.reader import read
from stages.x12.writing.envelope import pack
from stages.x12.writing.plan import Plan


def errors(payload: bytes) -> list[str]:
    return [str(violation) for violation in validate(payload) if violation.severity == "error"]


def test_what_we_write_is_right(interchange: bytes) -> None:
    assert validate(interchange) == []


@pytest.mark.parametrize("version", ["004010", "005010", "004010VICS"])
def test_what_we_write_is_right_in_every_release(
    plan: Callable[..., Plan], subject: Callable[..., Any], stored: Callable[..., Stored], noon: datetime, version: str
) -> None:
    body = plan(version=version).render(subject(remit={"name": "Factor", "street": "1 Main St"}))
    assert validate(pack([stored(body, guide=Guide(version=version))], {"ISA13": 1, "GS06": 1}, noon)) == []


WRONG: list[tuple[str, str, str, str]] = [
    ("SE01", "SE*10*", "SE*11*", "error: SE01 at segment 10: '11' is not 10, segments from ST to SE"),
    ("SE02", "SE*10*0001", "SE*10*0002", "error: SE02 at segment 10: '0002' is not 0001, the control number of ST"),
    ("GE01", "GE*1*", "GE*2*", "error: GE01 at byte 339: '2' is not 1, sets in the group"),
    ("GE02", "GE*1*4", "GE*1*5", "error: GE02 at byte 339: '5' is not 4, the control number of GS"),
    ("IEA01", "IEA*1*", "IEA*3*", "error: IEA01 at byte 346: '3' is not 1, groups in the interchange"),
    ("IEA02", "IEA*1*000000017", "IEA*1*000000018", "error: IEA02 at byte 346: '000000018' is not 000000017, the control number of ISA"),
    ("unknown segment", "TDS*", "ZZZ*1~TDS*", "error: ZZZ at segment 8: segment 'ZZZ' does not belong in this set"),
    ("out of order", "~TDS*14000", "~TDS*14000~CUR*BY*USD", "error: CUR at segment 9: segment CUR is out of order"),
    ("missing TDS", "TDS*14000~", "", "error: TDS at segment 8: mandatory segment TDS is missing"),
    ("missing BIG", "BIG*20250131*INV-1001*****DI~", "", "error: BIG at segment 2: mandatory segment BIG is missing"),
    ("BIG02 missing", "*INV-1001*", "**", "error: BIG02 at segment 2: Invoice Number is mandatory and missing"),
    ("BIG02 too long", "*INV-1001*", "*INV-10010000000000000000*", "error: BIG02 at segment 2: Invoice Number has 24 characters; the maximum is 22"),
    ("bad date", "*20250131*INV", "*20250231*INV", "error: BIG01 at segment 2: Date: '20250231' is not a date"),
    ("TDS with a point", "TDS*14000", "TDS*140.00", "error: TDS01 at segment 8: Amount: '140.00' is not a whole number (its decimals are implied)"),
    ("N3 three times", "~IT1*1*", "~N3*a~N3*b~N3*c~IT1*1*", "error: N3 at segment 7: more than 2 of N3 in loop N1"),
    ("BIG07", "*DI~", "*QX~", "error: BIG07 at segment 2: Transaction Type Code: code 'QX' is unknown"),
    ("N103 alone", "*92*HV01", "*92", "error: N104 at segment 4: N103 and N104 go together: all of them or none (syntax note P0304)"),
    ("CTT", "CTT*2", "CTT*3", "error: CTT01 at segment 9: CTT01 counts 3 lines; there are 2"),
    ("TDS sum", "TDS*14000", "TDS*15000", "error: TDS01 at segment 8: TDS01 says 150.00; lines and charges make 140.00"),
    ("extra elements", "CTT*2", "CTT*2*******9", "error: CTT08 at segment 9: CTT has 7 elements, not 8"),
    ("wrong group", "GS*IN*", "GS*PO*", "error: ST01 at segment 1: set 810 belongs in a group IN, not PO"),
    ("SE gone", "SE*10*0001~", "", "error: ST at segment 1: SE is missing before GE"),
    ("GE gone", "GE*1*4~", "", "error: GS at byte 106: GE is missing before IEA"),
    ("IEA gone", "IEA*1*000000017~", "", "error: ISA at byte 0: IEA is missing: the input ends before this ISA is closed"),
    ("ISA13 zero", "000000017", "000000000", "error: ISA13 at byte 0: the interchange control number must be 000000001 or more"),
    ("segment outside", "GE*1*4~", "GE*1*4~REF*IA*1~", "error: REF at byte 346: segment 'REF' outside of a set"),
    ("TA1 late", "IEA*1", "TA1*000000016*250130*1200*A*000~IEA*1", "error: TA1 at byte 346: segment 'TA1' outside of a set"),
    ("CTT negative", "CTT*2", "CTT*-2", "error: CTT01 at segment 9: CTT01 counts -2 lines; there are 2"),
    ("BIG02 blank", "*INV-1001*", "*  *", "error: BIG02 at segment 2: Invoice Number holds nothing but spaces"),
    ("code in small letters", "~REF*IA", "~CUR*BY*usd~REF*IA", "error: CUR02 at segment 3: Currency Code: 'usd' is no code, which is of capitals and digits"),
    ("empty segment outside", "GE*1*4~", "GE*1*4~~", "error:  at byte 346: an empty segment outside of a set"),
    ("GS06 zero", "*4*X*", "*0*X*", "error: GS06 at byte 106: the group control number must be 1 or more"),
    ("GS06 negative", "*4*X*", "*-4*X*", "error: GS06 at byte 106: the group control number must be 1 or more"),
    ("sender blank", "HARBORVALE     *01", "               *01", "error: ISA06 at byte 0: the interchange sender is blank"),
    ("receiver blank", "*0812345678     *", "*               *", "error: ISA08 at byte 0: the interchange receiver is blank"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "finding"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_wrong_document_is_caught_in_exact_words(interchange: bytes, old: str, new: str, finding: str) -> None:
    assert old.encode() in interchange
    assert finding in errors(interchange.replace(old.encode(), new.encode()))


def test_what_is_outside_belongs_to_nothing_that_was_closed(interchange: bytes) -> None:
    (found,) = validate(interchange.replace(b"IEA*1", b"REF*IA*1~IEA*1"))
    assert (found.interchange, found.group, found.set, found.position) == (1, 0, 0, 0)


def test_a_set_that_a_group_interrupts_is_not_closed(interchange: bytes) -> None:
    start = interchange.index(b"GS*")
    loose = interchange[:start] + b"ST*810*0009~BIG*20250131*X~" + interchange[start:]
    assert "error: ST at segment 1: SE is missing: a group begins before this ST is closed" in errors(loose)


@pytest.mark.parametrize("marks", ["\x1d\x1c\x1f\x1e", "\x1d~\x07\x0b", "|\x1e\x1c\x1d"])
@pytest.mark.parametrize("version", ["004010", "005010"])
def test_control_characters_may_separate(
    plan: Callable[..., Plan],
    subject: Callable[..., Any],
    stored: Callable[..., Stored],
    noon: datetime,
    marks: str,
    version: str,
) -> None:
    element, segment, component, repetition = marks
    own = Delimiters(element=element, segment=segment, component=component, repetition=repetition)
    guide = Guide(version=version, delimiters=own)
    body = plan(version=version, delimiters=own).render(subject())
    assert validate(pack([stored(body, guide=guide)], {"ISA13": 1, "GS06": 1}, noon), guide) == []


def test_the_price_of_ten_is_divided_by_ten(interchange: bytes) -> None:
    tens = interchange.replace(b"IT1*1*10*CA*12.5*", b"IT1*1*10*CA*125*PN")
    assert errors(tens) == []


def test_a_finding_names_its_loop_however_often_its_shape_was_seen(interchange: bytes) -> None:
    start, end = interchange.index(b"ST*"), interchange.index(b"GE*")
    several = b"".join(interchange[start:end].replace(b"*0001~", b"*%04d~" % n) for n in range(1, 9))
    payload = interchange[:start] + several + interchange[end:].replace(b"GE*1", b"GE*8")
    guide = Guide(forbid=("PID",))
    assert {v.loop for v in validate(payload, guide)} == {"IT1/PID"}


def test_a_group_without_sets_is_caught(interchange: bytes) -> None:
    start, end = interchange.index(b"ST*"), interchange.index(b"GE*")
    empty = interchange[:start] + interchange[end:].replace(b"GE*1", b"GE*0")
    assert errors(empty) == [f"error: GE at byte {start}: there is no set in this group"]


def test_an_interchange_with_nothing_in_it_is_caught(interchange: bytes) -> None:
    empty = interchange[:106] + b"IEA*0*000000017~"
    assert errors(empty) == ["error: IEA at byte 106: there is neither a group nor a TA1 in this interchange"]


@pytest.mark.parametrize("nothing", [b"", b" \r\n\n", b"\xef\xbb\xbf"], ids=["empty", "blanks", "byte order mark"])
def test_an_input_without_an_interchange_is_caught(nothing: bytes) -> None:
    (found,) = validate(nothing)
    assert (found.severity, found.message) == ("error", "there is no interchange in the input")


def test_an_interchange_number_used_twice_by_a_sender_is_caught(interchange: bytes) -> None:
    twice = interchange + interchange
    size = len(interchange)
    assert errors(twice) == [
        f"error: ISA13 at byte {size}: this sender used the control number before in the same input"
    ]
    test = interchange.replace(b"*P*>~", b"*T*>~")
    other = interchange.replace(b"HARBORVALE     *01", b"HARBORVALE2    *01")
    assert errors(interchange + test + other) == []


@pytest.mark.parametrize("mark", ["*", ">", "~"])
def test_a_repetition_separator_that_is_another_delimiter_is_caught(interchange: bytes, mark: str) -> None:
    late = interchange.replace(b"*U*00401*", f"*{mark}*00501*".encode()).replace(b"*004010~", b"*005010~")
    told = [(v.standard, v.element) for v in validate(late) if v.code == "MLC-X12-0560"]
    assert told == [("I18/016", 11)] or mark == "*"  # then the header has an element too many, and is none


def test_a_signed_allowance_is_a_warning(interchange: bytes) -> None:
    signed = interchange.replace(b"CTT*2", b"SAC*A*I170***-100~CTT*2").replace(b"SE*10", b"SE*11")
    told = [str(v) for v in validate(signed) if v.code == "MLC-X12-0564"]
    assert told == [
        "warning: SAC05 at segment 9: SAC05 says -100; the amount has no sign, SAC01 tells an allowance from a charge"
    ]


def test_a_point_at_the_end_of_a_number_is_a_warning(interchange: bytes) -> None:
    pointed = interchange.replace(b"IT1*1*10*", b"IT1*1*10.*")
    assert [str(v) for v in validate(pointed)] == [
        "warning: IT102 at segment 5: Quantity Invoiced: the point at the end should be dropped"
    ]


def test_a_set_number_used_twice_in_a_group_is_caught(interchange: bytes) -> None:
    start, end = interchange.index(b"ST*"), interchange.index(b"GE*")
    twice = interchange[:end] + interchange[start:end] + interchange[end:].replace(b"GE*1", b"GE*2")
    assert [error for error in errors(twice) if "used before in the group" in error]
    assert len(errors(twice)) == 1


def test_an_unknown_code_of_an_open_list_is_a_warning(interchange: bytes) -> None:
    (violation,) = validate(interchange.replace(b"REF*IA*", b"REF*QQQ*"))
    assert (violation.severity, violation.segment, violation.element) == ("warning", "REF", 1)


def test_a_total_that_rounding_of_lines_explains_is_a_warning(interchange: bytes) -> None:
    (violation,) = validate(interchange.replace(b"TDS*14000", b"TDS*14001"))
    assert (violation.severity, violation.message) == ("warning", "TDS01 says 140.01; lines and charges make 140.00")


def test_charges_and_taxes_count_in_the_total(interchange: bytes) -> None:
    more = b"TDS*15250~TXI*ST*2.5~SAC*C*D240***1500********FREIGHT~SAC*A*C310***500~SAC*C*D240***99*******01~"
    charged = interchange.replace(b"TDS*14000~", more).replace(b"SE*10*", b"SE*14*")
    assert errors(charged) == []


def test_a_set_without_tables_is_checked_for_its_envelope(interchange: bytes) -> None:
    other = interchange.replace(b"ST*810*", b"ST*864*").replace(b"GS*IN*", b"GS*TX*").replace(b"SE*10*", b"SE*11*")
    assert errors(other) == ["error: SE01 at segment 10: '11' is not 10, segments from ST to SE"]


def test_damage_is_reported_after_what_was_read(interchange: bytes) -> None:
    (found,) = validate(interchange + b"<html>")
    assert (found.segment, found.offset, found.code) == ("", len(interchange), "MLC-X12-0401")
    assert "starts with ISA" in found.message


# -- what a finding carries ------------------------------------------------------------------------------------------------


def fault(payload: bytes, guide: Guide | None = None) -> Violation:
    (found,) = [violation for violation in validate(payload, guide) if violation.severity == "error"]
    return found


CODES: list[tuple[str, str, str, str, str]] = [
    ("SE01", "SE*10*", "SE*11*", "718/4", "MLC-X12-0534"),
    ("SE02", "SE*10*0001", "SE*10*0002", "718/3", "MLC-X12-0533"),
    ("GE01", "GE*1*", "GE*2*", "716/5", "MLC-X12-0544"),
    ("GE02", "GE*1*4", "GE*1*5", "716/4", "MLC-X12-0543"),
    ("IEA01", "IEA*1*", "IEA*3*", "I18/021", "MLC-X12-0553"),
    ("IEA02", "IEA*1*000000017", "IEA*1*000000018", "I18/001", "MLC-X12-0551"),
    ("unrecognized", "TDS*14000~CTT*2~SE*10", "TDS*14000~CTT*2~ZZZ*1~SE*11", "720/1", "MLC-X12-0521"),
    ("foreign", "TDS*14000~CTT*2~SE*10", "TDS*14000~CTT*2~BEG*00*SA*1**20250131~SE*11", "720/6", "MLC-X12-0526"),
    ("order", "TDS*14000~CTT*2~SE*10", "TDS*14000~CTT*2~CUR*BY*USD~SE*11", "720/7", "MLC-X12-0527"),
    ("missing", "TDS*14000~CTT*2~SE*10", "CTT*2~SE*9", "720/3", "MLC-X12-0523"),
    ("too often", "TDS*14000~CTT*2~SE*10", "TDS*14000~CTT*2~CTT*2~SE*11", "720/5", "MLC-X12-0525"),
    ("BIG02 missing", "*INV-1001*", "**", "723/1", "MLC-X12-0501"),
    ("N103 alone", "*92*HV01", "*92", "723/2", "MLC-X12-0502"),
    ("too many", "CTT*2", "CTT*2*******9", "723/3", "MLC-X12-0503"),
    ("too short", "CUR*BY*USD", "CUR*BY*US", "723/4", "MLC-X12-0504"),
    ("too long", "*INV-1001*", "*INV-10010000000000000000*", "723/5", "MLC-X12-0505"),
    ("character", "TDS*14000", "TDS*140.00", "723/6", "MLC-X12-0506"),
    ("code", "*DI~", "*QX~", "723/7", "MLC-X12-0507"),
    ("date", "*20250131*INV", "*20250231*INV", "723/8", "MLC-X12-0508"),
    ("time", "CUR*BY*USD", "CUR*BY*USD*****011*20250101*2560", "723/9", "MLC-X12-0509"),
    ("sum", "TDS*14000", "TDS*15000", "", "MLC-X12-0562"),
    ("count", "CTT*2", "CTT*3", "", "MLC-X12-0561"),
    ("ISA13", "000000017", "000000000", "I18/018", "MLC-X12-0552"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "standard", "code"), [c[1:] for c in CODES], ids=[c[0] for c in CODES])
def test_each_fault_has_its_own_code_and_the_acknowledgements(
    interchange: bytes, old: str, new: str, standard: str, code: str
) -> None:
    whole = interchange.replace(b"~REF*IA", b"~CUR*BY*USD~REF*IA").replace(b"SE*10*", b"SE*11*")
    payload = whole if old == "CUR*BY*USD" else interchange
    assert old.encode() in payload
    found = fault(payload.replace(old.encode(), new.encode()))
    assert (found.standard, found.code) == (standard, code)


def test_a_finding_says_where_it_is_in_every_way(interchange: bytes) -> None:
    found = fault(interchange.replace(b"IT1*2*1*EA*15", b"IT1*2*1*EA*x"))
    assert (found.segment, found.element, found.position, found.ref, found.loop) == ("IT1", 4, 7, "212", "IT1")
    assert (found.interchange, found.group, found.set, found.value) == (1, 1, 1, "x")
    assert interchange[found.offset :].startswith(b"IT1*2")


def test_the_json_of_a_finding_leaves_out_what_says_nothing(interchange: bytes) -> None:
    assert finding_json(fault(interchange.replace(b"GE*1*", b"GE*2*"))) == {
        "severity": "error", "segment": "GE", "element": 1, "offset": 339, "message": "'2' is not 1, sets in the group",
        "value": "2", "code": "MLC-X12-0544", "standard": "716/5", "interchange": 1, "group": 1,
    }  # fmt: skip


def test_all_findings_are_reported_not_the_first(interchange: bytes) -> None:
    many = interchange
    names = {"SE01", "GE01", "IEA01", "BIG02 missing", "BIG07", "N103 alone", "CTT"}
    for name, old, new, _ in WRONG:
        many = many.replace(old.encode(), new.encode()) if name in names else many
    assert len(errors(many)) == len(names)


def test_the_bank_account_of_a_finding_is_masked(interchange: bytes) -> None:
    body = b"ST*820*0001~BPR*I*0*C*ACH*CCP*01*999999999*DA*" + b"1234567890" * 4 + b"~ENT*1~SE*4*0001~"
    start, end = interchange.index(b"ST*"), interchange.index(b"GE*")
    found = fault(interchange[:start].replace(b"GS*IN", b"GS*RA") + body + interchange[end:])
    assert (found.element, found.value) == (9, "*" * 36 + "7890")


# -- composites and repetitions ---------------------------------------------------------------------------------------------


def ref(interchange: bytes, composite: str, version: str = "004010") -> bytes:
    """The interchange with a composite in REF04."""
    payload = interchange.replace(b"REF*IA*V-1014", b"REF*IA*V-1014**" + composite.encode())
    if version == "005010":
        payload = payload.replace(b"*U*00401*", b"*^*00501*").replace(b"*004010~", b"*005010~")
    return payload


@pytest.mark.parametrize(
    ("composite", "component", "standard"),
    [("PO", 2, "723/1"), ("PO>1>PO", 4, "723/2"), ("PO>1>PO>2>PO>3>PO", 0, "723/13"), ("P>1", 1, "723/4"), ("PO>" + "9" * 31, 2, "723/5")],
)  # fmt: skip
def test_components_are_checked_one_by_one(interchange: bytes, composite: str, component: int, standard: str) -> None:
    found = fault(ref(interchange, composite))
    assert (found.segment, found.element, found.component, found.standard) == ("REF", 4, component, standard)


def test_a_good_composite_is_good(interchange: bytes) -> None:
    assert validate(ref(interchange, "PO>1>IA>2")) == []


def test_a_component_separator_in_a_simple_element_is_found(interchange: bytes) -> None:
    assert fault(interchange.replace(b"Blue widget", b"Blue > widget")).standard == "723/13"


def test_a_repetition_where_none_is_allowed_is_found_from_005010_on(interchange: bytes) -> None:
    late = ref(interchange, "PO>1^PO>2", "005010")
    assert fault(late).standard == "723/12"
    assert [f.standard for f in validate(ref(interchange, "PO>1^2")) if f.severity == "error"] == []


# -- other sets ---------------------------------------------------------------------------------------------------------------


def test_the_corpus_is_right(corpus: dict[str, bytes]) -> None:
    assert {name: errors(payload) for name, payload in corpus.items() if errors(payload)} == {
        "810_two.edi": ["error:  at byte 580: an interchange starts with ISA, not with b'jun'"]
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("BPR*I*137.5", "BPR*I*138.5", "BPR02 says 138.5; items and adjustments make 137.5"),
        ("*140*2.5", "*140*3.5", "RMR04 says 137.5; gross less discount and adjustment make 136.5"),
        ("ENT*1~\n", "ENT*1~\nADX*-1*01~\n", "BPR02 says 137.5; items and adjustments make 136.5"),
    ],
)
def test_a_remittance_must_add_up(corpus: dict[str, bytes], old: str, new: str, message: str) -> None:
    payload = corpus["820.edi"].replace(old.encode(), new.encode())
    assert message in [violation.message for violation in validate(payload)]


def test_an_adjustment_outside_of_items_counts(corpus: dict[str, bytes]) -> None:
    payload = corpus["820.edi"].replace(b"ENT*1~\n", b"ENT*1~\nADX*-1*01~\n").replace(b"BPR*I*137.5", b"BPR*I*136.5")
    assert errors(payload.replace(b"SE*13*", b"SE*14*")) == []


def test_a_control_number_used_twice_in_an_interchange_is_caught(interchange: bytes) -> None:
    group = interchange[106 : interchange.index(b"IEA")]
    twice = interchange[:106] + group * 2 + b"IEA*2*000000017~"
    assert fault(twice).standard == "716/19"


def test_an_interchange_of_a_ta1_alone_has_no_groups(corpus: dict[str, bytes]) -> None:
    assert validate(corpus["ta1.edi"]) == []
    assert fault(corpus["ta1.edi"].replace(b"*A*000", b"*Q*000")).segment == "TA1"


def test_huge_numbers_are_no_trouble(interchange: bytes) -> None:
    for old in (b"CTT*2", b"SE*10", b"GE*1", b"IEA*1", b"TDS*14000", b"IT1*1*10"):
        assert errors(interchange.replace(old, old + b"9" * 5000))


# -- the partner's guide -------------------------------------------------------------------------------------------------------

GUIDES: list[tuple[str, dict[str, Any], str]] = [
    ("required segment", {"require": ("ITD",)}, "error: ITD at segment 10: ITD is missing; `guide.require` names it"),
    ("required kind", {"require": ("REF*DP",)}, "error: REF at segment 10: REF*DP is missing; `guide.require` names it"),
    ("required in each line", {"require": ("PID",)}, "error: PID at segment 10: PID is missing in 1 of 2 lines; `guide.require` names it"),
    ("required element", {"require": ("BIG04",)}, "error: BIG04 at segment 2: Purchase Order Number is missing; `guide.require` names it"),
    ("forbidden segment", {"forbid": ("PID",)}, "error: PID at segment 6: PID is forbidden by the guide"),
    ("forbidden kind", {"forbid": ("REF*IA",)}, "error: REF at segment 3: REF*IA is forbidden by the guide"),
    ("forbidden element", {"forbid": ("BIG07",)}, "error: BIG07 at segment 2: Transaction Type Code is forbidden by the guide"),
    ("limit", {"limits": {"BIG02": 5}}, "error: BIG02 at segment 2: Invoice Number has 8 characters; the maximum of the guide is 5"),
    ("fixed", {"fixed": {"BIG07": "CR"}}, "error: BIG07 at segment 2: Transaction Type Code: 'DI' is not 'CR', which the guide fixes"),
    ("codes", {"codes": {"IT103": ("EA",)}}, "error: IT103 at segment 5: Unit or Basis for Measurement Code: 'CA' is not one of EA, which the guide allows"),
    ("charset", {"charset": "basic"}, "error: PID05 at segment 6: Description: 'Blue widget' is not all in the basic character set of the guide"),
    ("version", {"version": "004010VICS"}, "error: GS08 at byte 106: the release is '004010'; the guide wants '004010VICS'"),
    ("delimiters", {"delimiters": Delimiters(component=":")}, "error: GS at byte 106: the component delimiter is '>'; the guide wants ':'"),
]  # fmt: skip


@pytest.mark.parametrize(("guide", "finding"), [g[1:] for g in GUIDES], ids=[g[0] for g in GUIDES])
def test_the_guide_comes_on_top_of_the_standard(interchange: bytes, guide: dict[str, Any], finding: str) -> None:
    assert finding in [str(violation) for violation in validate(interchange, Guide(**guide))]
    assert validate(interchange, Guide()) == []


@pytest.mark.parametrize("name", ["997.edi", "855.edi", "824.edi"])
def test_a_guide_is_about_its_own_sets_alone(corpus: dict[str, bytes], name: str) -> None:
    guide = Guide(
        version="004010VICS",
        delimiters=Delimiters(component=":"),
        require=("REF*DP",),
        forbid=("N1", "BGN02"),
        limits={"AK102": 1},
    )
    assert validate(corpus[name], guide) == validate(corpus[name])


def test_a_guide_is_held_against_each_group_of_its_sets(corpus: dict[str, bytes]) -> None:
    payload, answer = corpus["810.edi"], corpus["997.edi"]
    group = answer[answer.index(b"GS*") : answer.index(b"IEA*")]
    group = group.replace(b"*17*X*", b"*18*X*").replace(b"GE*1*17", b"GE*1*18")
    both = payload.replace(b"IEA*1", group + b"IEA*2")
    guide = Guide(version="004010VICS", delimiters=Delimiters(component=":"))
    assert [(v.code, v.group) for v in validate(both, guide) if v.severity == "error"] == [
        ("MLC-X12-0571", 1),
        ("MLC-X12-0572", 1),
    ]


def test_what_a_guide_overrides_is_not_held_against_a_document(interchange: bytes) -> None:
    bare = interchange.replace(b"TDS*14000~", b"").replace(b"SE*10*", b"SE*9*")
    assert errors(bare) != []
    assert validate(bare, Guide(forbid=("TDS",), override=("TDS",))) == []


def test_a_total_that_is_negative_is_refused_where_the_type_tells_credits(interchange: bytes) -> None:
    credit = interchange.replace(b"TDS*14000", b"TDS*-14000").replace(b"*DI~", b"*CR~")
    assert errors(credit) == []
    assert fault(credit, Guide(credit_sign="type")).code == "MLC-X12-0573"


# -- laws ----------------------------------------------------------------------------------------------------------------------


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_findings_do_not_depend_on_how_the_input_is_cut(corpus: dict[str, bytes], data: st.DataObject) -> None:
    payload = b"".join(data.draw(st.lists(st.sampled_from(sorted(corpus.values())), min_size=1, max_size=3)))
    at = data.draw(st.integers(0, len(payload)))
    payload = payload[:at] + data.draw(st.sampled_from([b"", b"~", b"*", b"x", b"\n"])) + payload[at + 1 :]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(payload)), max_size=5)))
    pieces = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    assert list(findings(pieces)) == validate(payload)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
def test_no_pattern_accepts_what_looking_would_refuse(corpus: dict[str, bytes], data: st.DataObject) -> None:
    lines = [
        s for s in read([corpus["810.edi"], corpus["850.edi"], corpus["820.edi"], corpus["997.edi"]]) if s.position > 1
    ]
    segment = data.draw(st.sampled_from(lines))
    tables, marks = release("004010"), Delimiters()
    check = SegmentCheck(tables.segments[segment.id], tables, marks)
    for _ in range(5):
        check.learn("*".join(segment.fields), segment.fields)
    fields = list(segment.fields)
    position = data.draw(st.integers(1, len(fields)))
    value = data.draw(
        st.one_of(st.text(max_size=30), st.from_regex(r"-?[0-9]{0,12}\.?[0-9]{0,3}", fullmatch=True), st.just(" x "))
    )
    fields[position : position + 1] = [value]
    text = "*".join(fields)
    if check.known_good(text, text.split("*")):
        assert list(check.problems(text.split("*"))) == []


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
def test_a_valid_document_that_lost_or_doubled_a_segment_is_caught(
    corpus: dict[str, bytes], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(["810.edi", "850.edi", "820.edi", "855.edi", "997.edi", "999.edi", "824.edi"]))
    segments = corpus[name].split(b"~\n")[:-1]
    at = data.draw(st.integers(1, len(segments) - 1))
    changed = segments[:at] + data.draw(st.sampled_from([[], [segments[at]] * 2])) + segments[at + 1 :]
    assert errors(b"~\n".join(changed) + b"~\n")


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
def test_a_digit_changed_in_the_envelope_is_caught(corpus: dict[str, bytes], data: st.DataObject) -> None:
    payload = corpus[data.draw(st.sampled_from(["810.edi", "850.edi", "820.edi"]))]
    spots = [m.start(1) for m in re.finditer(rb"\n(?:SE|GE|IEA)\*(\d)", payload)]
    spots += [m.start(1) for m in re.finditer(rb"\n(?:ST\*\d{3}|SE\*\d+|GE\*\d+|IEA\*\d+)\*\d*(\d)~", payload)]
    at = data.draw(st.sampled_from(spots))
    digit = data.draw(st.sampled_from(b"0123456789".replace(payload[at : at + 1], b"")))
    assert errors(payload[:at] + bytes([digit]) + payload[at + 1 :])


def test_a_long_bill_is_validated_in_bounded_memory(interchange: bytes) -> None:
    start, end = interchange.index(b"IT1*"), interchange.index(b"TDS")
    lines = interchange[start:end] * 200

    def chunks() -> Iterator[bytes]:
        yield interchange[:start]
        for _ in range(250):
            yield lines
        yield interchange[end:].replace(b"TDS*14000~CTT*2~SE*10", b"TDS*700000000~CTT*100000~SE*150007")

    assert validate(interchange) == []
    tracemalloc.start()
    try:
        found = list(findings(chunks()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == []
    assert peak < 3_000_000
