from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline import Stored
from stages.x12.envelope import pack
from stages.x12.guide import Guide
from stages.x12.plan import Plan
from stages.x12.validator import Violation, validate


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
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "finding"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_wrong_document_is_caught_in_exact_words(interchange: bytes, old: str, new: str, finding: str) -> None:
    assert old.encode() in interchange
    assert finding in errors(interchange.replace(old.encode(), new.encode()))


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
    found = validate(interchange + b"<html>")
    assert found == [Violation(segment="", offset=len(interchange), message=found[0].message)]
    assert "starts with ISA" in found[0].message


def test_a_broken_sample_is_broken_and_a_good_one_is_not(samples: list[Path]) -> None:
    by_name = {sample.name: sample.read_bytes() for sample in samples}
    assert errors(by_name["nodex12-850.edi"]) == []
    assert errors(by_name["ediengine-940_Failed_SE01.edi"]) == [
        "error: SE01 at segment 9: '12' is not 9, segments from ST to SE"
    ]
