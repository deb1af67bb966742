from __future__ import annotations

import pytest

from stages.x12 import ADAPTER
from stages.x12.show import readable, segment_lines, show_bytes


def test_other_formats_are_left_to_others() -> None:
    assert readable(b"<partner/>") is None
    assert readable(b"") is None
    assert ADAPTER.readable is readable


def test_an_invoice_reads_like_an_invoice(interchange: bytes) -> None:
    lines = readable(interchange) or []
    assert lines[:19] == [
        "Interchange 000000017: ZZ HARBORVALE to 01 0812345678, 2025-01-31 12:00, production",
        "  Group 4: Invoice group (810), HARBORVALE to 0812345678, release 004010",
        "",
        "  Set 810 Invoice, number 0001",
        "",
        "    INVOICE",
        "    Number:    INV-1001",
        "    Date:      2025-01-31",
        "    Type:      DI (Debit invoice)",
        "    Buyer:     Harborvale Foods (HV01)",
        "",
        "    Line      Quantity Unit               Price          Amount  Description",
        "    1               10 Case                12.5          125.00  Blue widget",
        "    2                1 Each                  15           15.00",
        "    Total                                                140.00",
        "",
        "    ST  Transaction Set Header",
        "      ST01  Transaction Set Identifier Code              810 (Invoice)",
        "      ST02  Transaction Set Control Number               0001",
    ]


def test_segments_have_names_and_codes_have_meanings(interchange: bytes) -> None:
    lines = readable(interchange) or []
    assert "    TDS Total Monetary Value Summary" in lines
    assert "      TDS01  Amount                                       14000 (140.00)" in lines


def test_damaged_x12_is_shown_as_far_as_it_goes(interchange: bytes) -> None:
    lines = readable(interchange[:300]) or []
    assert "    Number:    INV-1001" in lines
    assert lines[-1].startswith("!! the input ends inside of a segment (byte ")


def test_a_cut_off_header_is_not_shown() -> None:
    assert readable(b"ISA*00*  ") is None


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("820.edi", ["    REMITTANCE ADVICE", "    INV-1001 (Seller's invoice number)                         140           2.5                         137.5"]),
        ("855.edi", ["    PURCHASE ORDER ACKNOWLEDGMENT", "                       -> Item accepted 8 Each"]),
        ("824.edi", ["    APPLICATION ADVICE", "      Duplicate transaction Sent twice: INV-1001", "      Number was used in 2024"]),
        ("997.edi", ["    ACKNOWLEDGMENT", "      Set 810 0001: Accepted, errors noted", "          N402: Invalid code value: ZZ"]),
        ("999.edi", ["    Group 17 (Invoice group (810)): Rejected, 0 of 1 sets accepted", "      AK103  Version / Release / Industry Identifier Code 005010"]),
        ("ta1.edi", ["    TA1 Interchange Acknowledgment", "      TA104  Interchange Acknowledgment Code              A (Envelope accepted)"]),
    ],
)  # fmt: skip
def test_each_kind_of_document_reads_as_what_it_is(corpus: dict[str, bytes], name: str, lines: list[str]) -> None:
    shown = show_bytes(corpus[name])
    assert [line for line in lines if line not in shown] == []


def test_components_have_their_own_names(corpus: dict[str, bytes]) -> None:
    assert "      IK401-2  Component Data Element Position in Composi 1" in show_bytes(corpus["999.edi"])


def test_what_is_around_damage_is_shown(interchange: bytes) -> None:
    lines = show_bytes(interchange + b"junk" + interchange)
    assert len([line for line in lines if line == "    INVOICE"]) == 2
    assert f"!! an interchange starts with ISA, not with b'jun' (byte {len(interchange)})" in lines


def test_the_terminals_colours_are_the_callers(interchange: bytes) -> None:
    lines = show_bytes(interchange, lambda text, role: f"<{role}>{text}</>")
    assert "    <segment>TDS </>Total Monetary Value Summary" in lines
    assert "      <element>TDS01</>  Amount                                       <meaning>14000 (140.00)</>" in lines


def test_a_bank_account_is_not_shown(corpus: dict[str, bytes]) -> None:
    payload = corpus["820.edi"].replace(b"CCP*****", b"CCP*01*021000021*DA*123456789*")
    assert [line for line in show_bytes(payload) if "BPR09" in line] == [
        "      BPR09  Account Number                               *****6789"
    ]


def test_numbers_no_one_can_read_are_shown_as_they_are(interchange: bytes) -> None:
    for text in (b"1E999999", b"NaN", b"9" * 6000):
        assert show_bytes(interchange.replace(b"TDS*14000", b"TDS*" + text).replace(b"IT1*1*10", b"IT1*1*" + text))


def test_the_text_is_cut_where_segments_end_and_nothing_else_is_changed(interchange: bytes) -> None:
    lines = segment_lines(interchange) or []
    assert "".join(lines) == interchange.decode()
    assert [line[:3] for line in lines[:3]] == ["ISA", "GS*", "ST*"]
    assert segment_lines(b"<partner/>") is None
    assert segment_lines(b"ISA*cut") is None
    assert ADAPTER.lines is segment_lines
