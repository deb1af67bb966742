"""Rows as bills and vendors."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import DataError
from stages.ap.model import Address, Bill, Contact
from stages.intacct.protocol import fields, objects
from stages.intacct.protocol.responses import Definition, FieldType


def typed(wish: fields.Wish, row: dict[str, str | None]) -> dict[str, Any]:
    names = (*wish.required, *wish.optional, *wish.alternatives)
    return objects.typed(row, objects.Columns.of(wish.object, names, wish.types))


def header(**row: str | None) -> dict[str, Any]:
    usual: dict[str, str | None] = {
        "RECORDNO": "101", "RECORDID": "INV-1", "VENDORID": "V-1", "STATE": "Posted", "WHENCREATED": "02/03/2026",
        "TRX_TOTALENTERED": "12.5", "CURRENCY": "USD", "ONHOLD": "false",
    }  # fmt: skip
    return typed(fields.BILL, usual | row)


def line(number: str | None, amount: str, **row: str | None) -> dict[str, Any]:
    usual: dict[str, str | None] = {
        "RECORDNO": row.get("RECORDNO") or f"9{number}",
        "RECORDKEY": "101",
        "LINE_NO": number,
        "TRX_AMOUNT": amount,
    }
    return typed(fields.LINE, usual | row)


def entry(number: str, value: str, **row: str | None) -> dict[str, Any]:
    usual: dict[str, str | None] = {
        "RECORDNO": f"7{number}",
        "DOCHDRNO": "55",
        "LINE_NO": number,
        "TRX_VALUE": value,
        "UIQTY": "4",
        "UIPRICE": "2.5",
        "UNIT": "Case",
        "ITEMID": "I-1",
    }
    return typed(fields.PURCHASE_LINE, usual | row)


def document(**row: str | None) -> dict[str, Any]:
    usual: dict[str, str | None] = {
        "RECORDNO": "55",
        "DOCID": "Vendor Invoice-VI-1",
        "PRRECORDKEY": "101",
        "DOCNO": "VI-1",
    }
    return typed(fields.PURCHASE, usual | row)


def test_fields_are_typed_and_the_absent_are_none() -> None:
    source = header()
    assert source["TRX_TOTALENTERED"] == Decimal("12.5")
    assert source["WHENCREATED"] == date(2026, 2, 3)
    assert source["ONHOLD"] is False
    assert source["RECORDNO"] == "101"
    assert source["WHENDUE"] is None


def test_a_field_that_was_not_wished_for_is_left_out_and_text_goes_as_it_is() -> None:
    columns = objects.Columns.of(
        "APBILL", ("RECORDID", "TOTALDUE", "ONHOLD", "GONE"), {"TOTALDUE": "amount", "ONHOLD": "flag"}
    )
    row: dict[str, str | None] = {"RECORDID": "0012", "TOTALDUE": "5.50", "ONHOLD": None, "OTHER": "x"}
    assert objects.typed(row, columns) == {
        "RECORDID": "0012",
        "TOTALDUE": Decimal("5.50"),
        "ONHOLD": None,
        "GONE": None,
    }


@pytest.mark.parametrize("amount", ["1,234.50", "1e5", "NaN", "Infinity", "12.5 USD", "--1", "0x1F", "1" * 40])
def test_an_amount_that_does_not_read_is_named(amount: str) -> None:
    with pytest.raises(DataError, match="TRX_TOTALENTERED") as caught:
        header(TRX_TOTALENTERED=amount)
    assert "101" in caught.value.where


def test_a_rate_with_the_digits_of_a_floating_point_number_is_read() -> None:
    assert header(EXCHANGE_RATE="1.36986301369863014")["EXCHANGE_RATE"] == Decimal("1.36986301369863014")


@pytest.mark.parametrize(("field", "text"), [("WHENDUE", "31/12/2026"), ("ONHOLD", "maybe")])
def test_a_date_or_flag_that_does_not_read_is_named(field: str, text: str) -> None:
    with pytest.raises(DataError, match=field):
        header(**{field: text})


def test_a_bill_is_read_whole() -> None:
    bill = objects.bill(
        header(WHENDUE="03/03/2026", DOCNUMBER="PO9"),
        [line("1", "12.5", ENTRYDESCRIPTION="Apples", ACCOUNTNO="5000")],
        currency="",
    )
    assert (bill.record, bill.number, bill.vendor, bill.total, bill.currency) == (
        "101",
        "INV-1",
        "V-1",
        Decimal("12.5"),
        "USD",
    )
    assert (bill.date, bill.due, bill.reference) == (date(2026, 2, 3), date(2026, 3, 3), "PO9")
    assert (bill.source["PODOCID"], bill.source["POLINES"]) == (None, None)
    assert [(item.number, item.amount, item.quantity, item.description, item.account) for item in bill.lines] == [
        (1, Decimal("12.5"), Decimal(1), "Apples", "5000")
    ]


@pytest.mark.parametrize("field", ["VENDORID", "WHENCREATED", "CURRENCY", "TRX_TOTALENTERED"])
def test_a_bill_without_what_it_needs_is_refused(field: str) -> None:
    with pytest.raises(DataError, match=f"{field} is empty"):
        objects.bill(header(**{field: None}), [], currency="")


def test_the_base_currency_and_then_the_settings_stand_in() -> None:
    assert objects.bill_currency(header(CURRENCY=None, BASECURR="CAD"), "USD") == "CAD"
    assert objects.bill_currency(header(CURRENCY=None), "USD") == "USD"


def test_the_base_total_stands_in_only_in_the_same_currency() -> None:
    assert objects.bill_total(header(TRX_TOTALENTERED=None, TOTALENTERED="9", BASECURR="USD")) == 9
    with pytest.raises(DataError, match="TRX_TOTALENTERED"):
        objects.bill_total(header(TRX_TOTALENTERED=None, TOTALENTERED="9", BASECURR="CAD"))


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [(["2", "1"], [1, 2]), (["0", "1"], [1, 2]), ([None, None], [1, 2]), (["3", "3"], [1, 2]), (["2", "5"], [2, 5])],
)
def test_lines_are_numbered_from_one(numbers: list[str | None], expected: list[int]) -> None:
    lines = [line(number, "1", RECORDNO=str(index + 1)) for index, number in enumerate(numbers)]
    assert [item.number for item in objects.bill_lines(lines)] == expected


@pytest.mark.parametrize(("flag", "user"), [("T", True), ("true", True), (None, True), ("F", False), ("false", False)])
def test_only_user_lines_count_as_lines(flag: str | None, user: bool) -> None:
    assert objects.is_user_line({"LINEITEM": flag}) is user


def test_a_purchased_line_carries_what_was_bought() -> None:
    bill = objects.bill(
        header(), [line("1", "10", ACCOUNTNO="5000"), line("2", "2.5")],
        currency="", purchase=document(PONUMBER="PO-7"), entries=[entry("1", "2.50", UIQTY="1"), entry("0", "10")],
    )  # fmt: skip
    assert [(item.number, item.quantity, item.unit, item.price, item.item) for item in bill.lines] == [
        (1, Decimal(4), "Case", Decimal("2.5"), "I-1"),
        (2, Decimal(1), "Case", Decimal("2.5"), "I-1"),
    ]
    assert bill.lines[0].account == "5000"
    assert (bill.lines[0].source["UIQTY"], bill.lines[0].source["RECORDNO"]) == (Decimal(4), "91")
    assert bill.purchase is not None
    assert (bill.purchase.id, bill.purchase.number, bill.purchase.order) == ("Vendor Invoice-VI-1", "VI-1", "PO-7")
    assert bill.source["PODOCID"] == "Vendor Invoice-VI-1"


GST = ("0.63", {"ACCOUNTNO": "2200", "ENTRYDESCRIPTION": "GST"})
PST = ("0.88", {"ACCOUNTNO": "2210", "ENTRYDESCRIPTION": "PST"})
OFFSET = ("-14.01", {"ACCOUNTNO": "2000"})


def taxed(total: str, *generated: tuple[str, dict[str, str]]) -> Bill:
    lines = [line(None, amount, **row) for amount, row in generated]
    return objects.bill(header(TRX_TOTALENTERED=total), [line("1", "12.5")], currency="", generated=lines)


@pytest.mark.parametrize(
    ("total", "generated", "taxes"),
    [
        ("14.01", (GST, PST), [("2200", "0.63", "GST"), ("2210", "0.88", "PST")]),
        ("14.01", (GST, PST, OFFSET), [("2200", "0.63", "GST"), ("2210", "0.88", "PST")]),
        ("13.76", (GST, GST), [("2200", "1.26", "GST")]),
        ("12.5", (GST, PST), []),
        ("12.5", (("-12.5", {}),), []),
        ("99", (GST, PST), []),
        ("99", (), []),
    ],
    ids=[
        "two taxes",
        "beside an offset",
        "of one account",
        "included",
        "offset alone",
        "not the difference",
        "nothing generated",
    ],
)
def test_generated_lines_that_make_up_the_total_are_taxes(
    total: str, generated: tuple[tuple[str, dict[str, str]], ...], taxes: list[tuple[str, str, str]]
) -> None:
    bill = taxed(total, *generated)
    assert [(tax.account, str(tax.amount), tax.description) for tax in bill.taxes] == taxes
    assert [item.amount for item in bill.lines] == [Decimal("12.5")]


def test_what_was_bought_adds_up_to_the_bill_less_its_taxes() -> None:
    bill = objects.bill(
        header(TRX_TOTALENTERED="13.13"), [line("1", "12.5")], currency="", generated=[line(None, *GST[:1], **GST[1])],
        purchase=document(), entries=[entry("0", "10"), entry("1", "2.5")],
    )  # fmt: skip
    assert [item.amount for item in bill.lines] == [Decimal(10), Decimal("2.5")]
    assert bill.source["POLINES"] == "document"


def purchased(own: list[dict[str, Any]], entries: list[dict[str, Any]], total: str = "12.5") -> Bill:
    return objects.bill(header(TRX_TOTALENTERED=total), own, currency="", purchase=document(), entries=entries)


def test_document_lines_stand_in_when_they_add_up_to_the_bill() -> None:
    bill = purchased([line("1", "12.5")], [entry("0", "10"), entry("1", "2.5")])
    assert [(item.number, item.amount) for item in bill.lines] == [(1, Decimal(10)), (2, Decimal("2.5"))]
    assert bill.source["POLINES"] == "document"


@pytest.mark.parametrize("entries", [[("0", "99")], []])
def test_the_bill_keeps_its_own_lines_and_says_so_when_nothing_pairs(entries: list[tuple[str, str]]) -> None:
    bill = purchased([line("1", "12.5")], [entry(*each) for each in entries])
    assert [(item.amount, item.quantity, item.price) for item in bill.lines] == [(Decimal("12.5"), Decimal(1), None)]
    assert bill.source["POLINES"] == "none"


def test_a_line_added_on_the_bill_stays_beside_what_was_bought() -> None:
    own = [line("1", "4", ENTRYDESCRIPTION="Freight"), line("2", "10"), line("3", "2.5")]
    bill = purchased(own, [entry("0", "10"), entry("1", "2.5", UIQTY="1")], total="16.5")
    assert [(item.number, item.amount, item.quantity, item.unit, item.price, item.item) for item in bill.lines] == [
        (1, Decimal(4), Decimal(1), "", None, ""),
        (2, Decimal(10), Decimal(4), "Case", Decimal("2.5"), "I-1"),
        (3, Decimal("2.5"), Decimal(1), "Case", Decimal("2.5"), "I-1"),
    ]
    assert sum(item.amount for item in bill.lines) == bill.total
    assert bill.source["POLINES"] == "some"


@pytest.mark.parametrize(
    ("own", "entries", "items"),
    [
        # the item decides before the order does
        ([("10", "I-2", ""), ("10", "I-1", "")], [("10", "I-1", ""), ("10", "I-2", "")], ["I-2", "I-1"]),
        # the description decides between lines of one amount
        ([("10", "", "Freight"), ("10", "", "Apples")], [("10", "I-1", "APPLES ")], ["", "I-1"]),
        # one entry, two lines of its amount and nothing to tell them by: neither is guessed
        ([("10", "", "Freight"), ("10", "", "")], [("10", "I-1", "Apples")], ["", ""]),
        # lines of one amount without names go by their order
        ([("10", "", ""), ("10", "", ""), ("3", "", "")], [("10", "I-1", ""), ("10", "I-2", "")], ["I-1", "I-2", ""]),
        # an item of the bill is no other item of the document
        ([("10", "I-9", ""), ("3", "", "")], [("10", "I-1", "")], ["I-9", ""]),
        # an amount that differs is no pair
        ([("10", "I-1", ""), ("3", "I-3", "")], [("9", "I-1", ""), ("3", "I-3", "")], ["I-1", "I-3"]),
    ],
)
def test_lines_are_paired_by_what_tells_them(
    own: list[tuple[str, str, str]], entries: list[tuple[str, str, str]], items: list[str]
) -> None:
    lines = [
        line(str(at), amount, ITEMID=item, ENTRYDESCRIPTION=text) for at, (amount, item, text) in enumerate(own, 1)
    ]
    bought = [entry(str(at), amount, ITEMID=item, ITEMDESC=text) for at, (amount, item, text) in enumerate(entries)]
    bill = purchased(lines, bought, total="99")
    assert [item.item for item in bill.lines] == items
    assert [item.amount for item in bill.lines] == [Decimal(amount) for amount, _, _ in own]


_AMOUNTS = st.sampled_from(["1", "2", "3", "-1"])


@given(own=st.lists(_AMOUNTS, min_size=1, max_size=6), bought=st.lists(_AMOUNTS, max_size=6))
def test_pairing_never_changes_what_the_lines_add_up_to(own: list[str], bought: list[str]) -> None:
    total = sum(Decimal(amount) for amount in own)
    bill = purchased(
        [line(str(at), amount) for at, amount in enumerate(own, 1)],
        [entry(str(at), amount) for at, amount in enumerate(bought)],
        total=str(total),
    )
    assert sum(item.amount for item in bill.lines) == total
    if sorted(own) == sorted(bought):
        assert bill.source["POLINES"] == "all"


def vendor_source(**row: str | None) -> dict[str, Any]:
    usual: dict[str, str | None] = {"RECORDNO": "1", "VENDORID": "V-1", "NAME": "Riverbend"}
    return typed(fields.VENDOR, usual | row)


def test_a_vendor_is_read_with_its_contacts() -> None:
    vendor = objects.vendor(
        vendor_source(**{
            "STATUS": "inactive", "VENDORACCOUNTNO": "A9", "DISPLAYCONTACT.CONTACTNAME": "Main",
            "PAYTO.CONTACTNAME": "Remit", "PAYTO.PRINTAS": "Riverbend Ltd", "PAYTO.MAILADDRESS.CITY": "Bath", "PAYTO.MAILADDRESS.COUNTRYCODE": "gb",
        })
    )  # fmt: skip
    assert (vendor.id, vendor.name, vendor.status, vendor.account) == ("V-1", "Riverbend", "inactive", "A9")
    assert vendor.contact == Contact(name="Main")
    assert vendor.pay_to == Contact(name="Remit", address=Address(name="Riverbend Ltd", city="Bath", country="GB"))


def test_another_path_to_a_contact_stands_in() -> None:
    assert objects.vendor(vendor_source(**{"PAYTOCONTACT.CONTACTNAME": "Remit"})).pay_to.name == "Remit"


def test_a_long_country_name_is_no_code() -> None:
    assert objects.vendor(vendor_source(**{"PAYTO.MAILADDRESS.COUNTRY": "United States"})).pay_to.address.country == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"A": Decimal("5.50")}, {"A": Decimal("5.5")}),
        ({"A": Decimal("0.00")}, {"A": Decimal("-0")}),
        ({"A": Decimal("1E+2")}, {"A": Decimal(100)}),
        ({"A": "e\u0301"}, {"A": "\u00e9"}),
        ({"A": None, "B": "x"}, {"B": "x"}),
        ({"A": "1", "B": "2"}, {"B": "2", "A": "1"}),
        ({"A": "1", "WHENMODIFIED": "x"}, {"A": "1", "WHENMODIFIED": "y"}),
    ],
)
def test_a_digest_sees_no_difference_that_is_none(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert objects.digest(one) == objects.digest(other)


@pytest.mark.parametrize(
    "other", [{"A": Decimal("5.6")}, {"B": Decimal("5.5")}, {"A": Decimal("5.5"), "C": date(2026, 1, 1)}]
)
def test_a_digest_sees_every_real_difference(other: dict[str, Any]) -> None:
    assert objects.digest({"A": Decimal("5.5")}) != objects.digest(other)


def definition(*names: str, paths: tuple[str, ...] = ()) -> Definition:
    return Definition("APBILL", {name: FieldType(name, "DECIMAL") for name in names}, frozenset(paths))


def test_the_wish_is_cut_to_what_the_company_has() -> None:
    chosen = fields.select(fields.BILL, definition("RECORDNO", "CURRENCY"))
    assert set(chosen.fields) == {*fields.BILL.required, "CURRENCY"}


def test_a_path_makes_its_dotted_fields_known() -> None:
    chosen = fields.select(fields.VENDOR, definition("RECORDNO", paths=("PAYTOCONTACT",)))
    assert "PAYTOCONTACT.CONTACTNAME" in chosen.fields
    assert "PAYTO.CONTACTNAME" not in chosen.fields


def test_extra_fields_are_kept_and_typed_by_the_company() -> None:
    chosen = fields.select(fields.BILL, definition("RECORDNO", "MY_TAX"), extra=["my_tax", "OTHER"])
    assert {"MY_TAX", "OTHER"} <= chosen.required
    assert chosen.types["MY_TAX"] == "amount"


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("The following fields cannot be queried: TERMNAME, DOCNUMBER", ("DOCNUMBER", "TERMNAME")),
        ("Field 'termname' does not exist.", ("TERMNAME",)),
        ("Field TERMNAME.", ("TERMNAME",)),
        ("the state of this field is unknown", ()),
        ("nothing named", ()),
    ],
)
def test_refused_fields_are_found_in_the_text(text: str, refused: tuple[str, ...]) -> None:
    assert set(fields.refused_fields(fields.select(fields.BILL, None), text)) == set(refused)


def test_a_refused_path_refuses_all_its_fields() -> None:
    chosen = fields.select(fields.VENDOR, None)
    refused = fields.refused_fields(chosen, "PAYTO is not a valid path")
    assert refused
    assert all(field.startswith("PAYTO.") for field in refused)
