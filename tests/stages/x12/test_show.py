from __future__ import annotations

from stages.x12 import ADAPTER
from stages.x12.show import readable


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
