from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import legible
from stages.x12 import ADAPTER
from stages.x12.checking.validator import validate
from stages.x12.commands import COMMANDS
from stages.x12.showing import show
from stages.x12.showing.show import holds_interchange, readable, segment_lines, show_lines


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
    shown = list(show_lines(corpus[name]))
    assert [line for line in lines if line not in shown] == []


def test_components_have_their_own_names(corpus: dict[str, bytes]) -> None:
    assert "      IK401-2  Component Data Element Position in Composi 1" in show_lines(corpus["999.edi"])


def test_what_is_around_damage_is_shown(interchange: bytes) -> None:
    lines = list(show_lines(interchange + b"junk" + interchange))
    assert len([line for line in lines if line == "    INVOICE"]) == 2
    assert f"!! an interchange starts with ISA, not with b'jun' (byte {len(interchange)})" in lines


def test_the_terminals_colours_are_the_callers(interchange: bytes) -> None:
    lines = list(show_lines(interchange, lambda text, role: f"<{role}>{text}</>"))
    assert "    <segment>TDS </>Total Monetary Value Summary" in lines
    assert "      <element>TDS01</>  Amount                                       <meaning>14000 (140.00)</>" in lines


def test_a_bank_account_is_not_shown(corpus: dict[str, bytes]) -> None:
    payload = corpus["820.edi"].replace(b"CCP*****", b"CCP*01*021000021*DA*123456789*")
    assert [line for line in show_lines(payload) if "BPR09" in line] == [
        "      BPR09  Account Number                               *****6789"
    ]


def test_numbers_no_one_can_read_are_shown_as_they_are(interchange: bytes) -> None:
    for text in (b"1E999999", b"NaN", b"9" * 6000):
        assert list(
            show_lines(interchange.replace(b"TDS*14000", b"TDS*" + text).replace(b"IT1*1*10", b"IT1*1*" + text))
        )


def test_the_text_is_cut_where_segments_end_and_nothing_else_is_changed(interchange: bytes) -> None:
    lines = segment_lines(interchange) or []
    assert "".join(lines) == interchange.decode()
    assert [line[:3] for line in lines[:3]] == ["ISA", "GS*", "ST*"]
    assert segment_lines(b"<partner/>") is None
    assert segment_lines(b"ISA*cut") is None
    assert ADAPTER.lines is segment_lines


# -- whatever is in it --------------------------------------------------------------------------------------------------------

HOSTILE = [b"\x1b[31mred", b"\x1b]0;pwn\x07", b"a\nb", b"a\x9b2Jb", "a\u202eb".encode(), b"a\x00b"]


def plain(text: str, role: str) -> str:
    return text


@pytest.mark.parametrize("text", HOSTILE, ids=repr)
@pytest.mark.parametrize(
    "place", [b"Blue widget", b"INV-1001", b"PID*", b"HARBORVALE*0812345678", b"GS*IN", b"Harborvale Foods"]
)
def test_what_a_terminal_could_obey_is_written_out(interchange: bytes, text: bytes, place: bytes) -> None:
    hostile = interchange.replace(place, place[:3] + text + place[3:])
    shown = "\n".join(show_lines(hostile)) + "\n".join(readable(hostile) or [])
    for name, command in ((spec.name, spec.run) for spec in COMMANDS):
        shown += "\n".join(command(hostile, name, {}, plain).lines)
    assert [one for one in shown if not one.isprintable() and one != "\n"] == []


def test_what_is_written_out_can_be_read(interchange: bytes) -> None:
    shown = list(show_lines(interchange.replace(b"Blue widget", b"Blue \x1b[31mwidget")))
    assert [line for line in shown if "Blue" in line] == [
        "    1               10 Case                12.5          125.00  Blue \\x1b[31mwidget",
        "      PID05  Description                                  Blue \\x1b[31mwidget",
    ]
    assert legible("Gr\u00f6\u00dfe") == "Gr\u00f6\u00dfe"


def test_separators_that_are_control_characters_still_separate(corpus: dict[str, bytes]) -> None:
    payload = corpus["999.edi"].replace(b">", b"\x1f")
    assert "      IK401-2  Component Data Element Position in Composi 1" in show_lines(payload)


@pytest.mark.parametrize("data", [b"", b"  \n", b"vendor;amount\n", b"ISA*00*  "])
def test_a_file_without_x12_is_told_to_have_none(data: bytes) -> None:
    (command,) = (spec.run for spec in COMMANDS if spec.name == "show")
    result = command(data, "a.edi", {}, plain)
    assert (result.failed, list(result.lines)[-1]) == (True, "a.edi: there is no X12 in it")
    assert not holds_interchange(data)


def test_lines_come_while_the_bytes_are_read(interchange: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    events = show.events

    def watched(chunks: list[bytes]) -> Iterator[Any]:
        for event in events(chunks):
            read.append(event)
            yield event

    monkeypatch.setattr(show, "events", watched)
    lines = show_lines(interchange * 1000)
    assert next(lines).startswith("Interchange")
    assert len(read) == 1


def test_of_a_very_long_set_the_beginning_and_the_end_are_shown(
    interchange: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show, "MOST_SEGMENTS", 30)
    monkeypatch.setattr(show, "LAST_SEGMENTS", 5)
    line = b"IT1*3*1*EA*1~"
    long = interchange.replace(b"TDS*14000~", line * 100 + b"TDS*24000~").replace(b"SE*10*", b"SE*110*")
    shown = list(show_lines(long))
    assert "    !! without the 75 segments in its middle: it is too long" in shown
    assert "    ... and 75 more segments" in shown
    assert "    Total                                                240.00" in shown
    assert sum(line.startswith("    IT1 ") for line in shown) == 27


def test_a_payload_is_readable_up_to_a_bound(interchange: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show, "MOST_LINES", 20)
    lines = readable(interchange) or []
    assert (len(lines), lines[-1]) == (21, "... and more; the bytes as sent have all of it")


# -- what adds up -------------------------------------------------------------------------------------------------------------


def shown_with(interchange: bytes, *segments: str, line: str = "", total: str = "TDS*14000") -> list[str]:
    """The paper of the invoice between its table and its segments."""
    changed = interchange.replace(b"PID*F****Blue widget~", b"PID*F****Blue widget~" + line.encode())
    changed = changed.replace(b"TDS*14000~", "~".join([total, *segments, ""]).encode())
    lines = list(show_lines(changed))
    return lines[lines.index("    INVOICE") : lines.index("    ST  Transaction Set Header")]


def test_charges_allowances_and_taxes_stand_between_the_lines_and_the_total(interchange: bytes) -> None:
    lines = shown_with(
        interchange, "TXI*ST*2.5", "SAC*C*D240***1500**********Freight by sea", "SAC*A*C310***1000", "SAC*C*D240***300*******05",
        line="SAC*C*B950***100~", total="TDS*14850*13000**297",
    )  # fmt: skip
    assert lines[-10:-1] == [
        "    1               10 Case                12.5          125.00  Blue widget",
        "    Charge: Damaged merchandise                            1.00",
        "    2                1 Each                  15           15.00",
        "    Tax: State sales tax                                   2.50",
        "    Charge: Freight                                       15.00  Freight by sea",
        "    Allowance: Discount                                  -10.00",
        "    Charge: Freight                                              (3.00, not in the total)",
        "    Total                                                148.50",
        "    Discount if paid in time                               2.97",
    ]


def test_a_price_for_a_hundred_makes_the_amount_it_stands_for(interchange: bytes) -> None:
    lines = list(show_lines(interchange.replace(b"*12.5*", b"*1250*HP")))
    assert "    1               10 Case             1250 HP          125.00  Blue widget" in lines


def test_terms_are_said_in_words(interchange: bytes) -> None:
    terms = b"ITD*08*3*2*20250210*10*20250302*30*270~"
    assert (
        "    Terms:     2% in 10 days until 2025-02-10, discount 2.70, net in 30 days until 2025-03-02"
        in show_lines(interchange.replace(b"IT1*1*", terms + b"IT1*1*", 1))
    )


def test_the_total_of_an_order_is_the_amount_that_says_so(corpus: dict[str, bytes]) -> None:
    payload = (
        corpus["855.edi"]
        .replace(b"*PR*", b"*PO*")
        .replace(b"ST*855", b"ST*850")
        .replace(b"CTT*", b"AMT*7*5~AMT*TT*95~AMT*8*4~CTT*")
    )
    assert b"AMT" in payload
    lines = list(show_lines(payload))
    assert [line.strip() for line in lines if "Total  " in line or line.endswith((": 5", ": 4"))] == [
        "Discount amount due: 5", "Total monetary discount: 4", "Total                                                 95.00"
    ]  # fmt: skip


def test_an_adjustment_of_an_item_does_not_stand_where_payments_add_up(corpus: dict[str, bytes]) -> None:
    inside = corpus["820.edi"].replace(b"REF*PO*PO-77~", b"REF*PO*PO-77~ADX*-10*01~")
    outside = corpus["820.edi"].replace(b"ENT*1~", b"ENT*1~ADX*-10*01~")
    assert "      Adjustment: Pricing error, -10 of it" in show_lines(inside)
    assert f"    {'Adjustment: Pricing error':<90}{'-10':>16}" in show_lines(outside)


LINES = st.lists(
    st.tuples(st.integers(-99, 999), st.decimals(0, 999, places=3), st.sampled_from(["", "PE", "HP", "TP"])), min_size=1, max_size=5
)  # fmt: skip
ON_TOP = st.lists(
    st.one_of(
        st.builds(
            lambda sign, cents, how: f"SAC*{sign}*D240***{cents}*******{how}", st.sampled_from("ACN"), st.integers(1, 99999),
            st.sampled_from(["", "02", "05", "06"]),
        ),
        st.builds(lambda amount, how: f"TXI*ST*{amount}*****{how}", st.decimals(0, 99, places=2), st.sampled_from(["", "O"])),
    ), max_size=6,
)  # fmt: skip


@given(LINES, ON_TOP, ON_TOP)
def test_the_amounts_between_the_heading_and_the_total_make_the_total(
    lines: list[Any], inside: list[str], behind: list[str]
) -> None:
    head = "ISA*00*          *00*          *ZZ*US             *ZZ*THEM           *250131*1200*U*00401*000000001*0*P*>~"
    rows = [f"IT1*{n}*{quantity}*EA*{price:f}*{basis}" for n, (quantity, price, basis) in enumerate(lines, 1)]
    set = ["ST*810*0001", "BIG*20250131*1", *rows[:1], *inside, *rows[1:], "TDS*0", *behind, "SE*1*0001"]
    payload = head + "GS*IN*US*THEM*20250131*1200*1*X*004010~" + "~".join(set) + "~GE*1*1~IEA*1*000000001~"
    (wrong,) = [found.message for found in validate(payload.encode()) if found.segment == "TDS"] or ["make 0"]
    shown = list(show_lines(payload.encode()))
    table = shown[[line.startswith("    Line ") for line in shown].index(True) + 1 :]
    table = table[: [line.startswith("    Total ") for line in table].index(True)]
    amounts = [Decimal(line[47:63].replace(",", "").strip() or "0") for line in table]
    assert sum(amounts) == Decimal(wrong.rpartition("make ")[2])
