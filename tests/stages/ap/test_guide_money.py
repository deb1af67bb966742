"""What a guide may not do to the money of a document, nor to what it means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from pipeline import ConfigError, DataError
from stages.ap.invoice_810 import invoice_plan
from stages.ap.model import Address, Bill, BillLine, Contact, Payment, PaymentDetail
from stages.ap.order_850 import order_plan
from stages.ap.remittance_820 import remittance_plan
from stages.x12.guide import Charge, Guide
from stages.x12.guide_lint import lint_guide
from stages.x12.writing.plan import Plan, explain

GUIDE = Guide(units={"Each": "EA", "Case": "CA"}, payment_methods={"ACH": "ACH"})
FREIGHT = {"6100": Charge(code="D240")}
TAX = {"6100": Charge(tax="ST")}
BILL = Bill(
    record="101", number="INV-1", vendor="V-1", vendor_name="Riverbend", date=date(2026, 1, 31), reference="PO-88",
    total=Decimal("12.00"), currency="USD",
    lines=(
        BillLine(number=1, amount=Decimal("10.00"), description="Limes", account="5000", quantity=Decimal(2), price=Decimal("5.00"), unit="Each"),
        BillLine(number=2, amount=Decimal("2.00"), description="Freight", account="6100"),
    ),
)  # fmt: skip
PAYMENT = Payment(
    record="9", number="CHK-9", vendor="V-1", method="ACH", date=date(2026, 2, 1), total=Decimal("5.00"), currency="USD",
    details=(PaymentDetail(number="INV-1", paid=Decimal("10.00")), PaymentDetail(number="CM-1", paid=Decimal("-5.00"))),
)  # fmt: skip
PLANS: dict[str, Callable[[Guide], Plan]] = {
    "810": lambda guide: invoice_plan(guide, "self_bill"),
    "810 copy": lambda guide: invoice_plan(guide, "bill_copy"),
    "850": order_plan,
    "820": remittance_plan,
}


def guided(**keys: Any) -> Guide:
    return msgspec.structs.replace(GUIDE, **keys)


def written(kind: str, bill: Bill = BILL, purpose: str = "original", **keys: Any) -> list[str]:
    subject = {"bill": bill, "payment": PAYMENT, "us": {"name": "HV", "id": "HV"}, "partner": {"code": "RIVERBEND"}}
    return PLANS[kind](guided(**keys)).render(subject, purpose).decode().split("~")


CANNOT_BE_ASKED: list[tuple[str, dict[str, Any], str]] = [
    ("810", {"credit_sign": "type", "fixed": {"BIG07": "DI"}}, "fixed: BIG07"),
    ("810", {"credit_sign": "type", "forbid": ("BIG07",)}, "forbid: BIG07"),
    ("810 copy", {"forbid": ("BIG08",)}, "forbid: BIG08"),
    ("810", {"fixed": {"BIG02": "SAME"}}, "fixed: BIG02"),
    ("850", {"fixed": {"BEG03": "SAME"}}, "fixed: BEG03"),
    ("820", {"fixed": {"RMR02": "SAME"}}, "fixed: RMR02"),
    ("810", {"charges": FREIGHT, "forbid": ("SAC05",)}, "forbid: SAC05"),
    ("810", {"charges": {"6100": Charge(code="D240", handling="15")}}, "charges.6100.handling: '15' is not in the total"),
    ("810", {"forbid": ("IT102", "IT103", "IT104")}, "forbid: IT102"),
    ("850", {"forbid": ("PO102", "PO103")}, "forbid: PO102"),
    ("810", {"fixed": {"IT104": "1"}}, "fixed: IT104"),
    ("810", {"fixed": {"TDS01": "100"}}, "fixed: TDS01"),
    ("810", {"fixed": {"CTT01": "7"}}, "fixed: CTT01"),
    ("820", {"fixed": {"BPR02": "1"}}, "fixed: BPR02"),
    ("820", {"forbid": ("RMR04",)}, "forbid: RMR04"),
    ("810", {"forbid": ("CUR",)}, "forbid: without CUR"),
    ("810", {"fixed": {"CUR02": "CAD"}}, "fixed: CUR02"),
    ("810", {"price_basis": {"Each": "HP"}, "forbid": ("IT105",)}, "forbid: IT105"),
    ("810", {"forbid": ("IT106",)}, "forbid: what stands at IT106 depends on the bill"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "keys", "problem"), CANNOT_BE_ASKED, ids=[f"{c[0]} {c[2]}" for c in CANNOT_BE_ASKED])
def test_a_guide_that_would_change_what_a_document_says_is_refused(
    kind: str, keys: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        PLANS[kind](guided(**keys))
    assert problem in caught.value.why


WOULD_BE_MISSING: list[tuple[str, dict[str, Any], str]] = [
    ("810", {"charges": FREIGHT, "forbid": ("SAC",)}, "SAC"),
    ("810", {"charges": TAX, "forbid": ("TXI",)}, "TXI"),
    ("850", {"charges": TAX, "forbid": ("TXI",)}, "TXI"),
    ("810", {"forbid": ("IT1",)}, "IT1"),
    ("820", {"forbid": ("RMR",)}, "RMR"),
    ("820", {"forbid": ("ADX",), "credits": "adjustments"}, "ADX"),
    ("810", {"forbid": ("CUR",), "home_currency": "CAD"}, "CUR*BY"),
    ("820", {"forbid": ("CUR",), "home_currency": "CAD"}, "CUR*PR"),
]


@pytest.mark.parametrize(
    ("kind", "keys", "segment"), WOULD_BE_MISSING, ids=[f"{c[0]} {c[2]}" for c in WOULD_BE_MISSING]
)
def test_a_document_that_cannot_do_without_a_forbidden_segment_is_dead(
    kind: str, keys: dict[str, Any], segment: str
) -> None:
    with pytest.raises(DataError) as caught:
        written(kind, **keys)
    assert caught.value.code == "MLC-X12-0116"
    assert f"segment {segment}" in caught.value.where


@pytest.mark.parametrize("keys", [{"forbid": ("SAC", "TXI")}, {"forbid": ("CUR",), "home_currency": "USD"}])
def test_a_document_that_has_nothing_for_a_forbidden_segment_is_sent(keys: dict[str, Any]) -> None:
    assert "TDS*1200" in written("810", **keys)


CREDIT = msgspec.structs.replace(
    BILL, total=Decimal("-10.00"),
    lines=(BillLine(number=1, amount=Decimal("-10.00"), description="Limes", account="5000", unit="Each"),),
)  # fmt: skip


def test_a_credit_keeps_its_sign_where_no_type_tells_it() -> None:
    assert "TDS*1000" in written("810", CREDIT, credit_sign="type")
    order = written("850", CREDIT, credit_sign="type")
    assert "AMT*TT*-10" in order
    assert "PO1*1*1*EA*-10" in order


@pytest.mark.parametrize(("kind", "keys"), [("810", {"forbid": ("BIG08",)}), ("820", {})])
def test_what_cannot_say_that_it_replaces_another_is_no_amendment(kind: str, keys: dict[str, Any]) -> None:
    assert not PLANS[kind](guided(**keys)).amendable
    assert PLANS["810"](GUIDE).amendable


ITEMS = {"item": "I-1", "vendor_item": "V-1"}


def with_items(**items: str) -> Bill:
    line = msgspec.structs.replace(BILL.lines[0], **items)
    return msgspec.structs.replace(BILL, lines=(line, BILL.lines[1]))


@pytest.mark.parametrize(
    ("keys", "items", "code"),
    [
        ({"limits": {"IT107": 3}}, {"vendor_item": "LONG"}, "MLC-X12-0103"),
        ({"limits": {"IT107": 3}}, {"item": "LONG", "vendor_item": "V"}, "MLC-X12-0103"),
        ({"codes": {"IT106": ("IN",)}}, {"vendor_item": "V"}, "MLC-X12-0115"),
        ({"require": ("IT106",)}, {}, "MLC-X12-0112"),
        ({"require": ("IT109",)}, {"item": "I"}, "MLC-X12-0112"),
    ],
)
def test_the_guide_holds_for_the_place_where_an_item_id_comes_to_stand(
    keys: dict[str, Any], items: dict[str, str], code: str
) -> None:
    with pytest.raises(DataError) as caught:
        written("810", with_items(**items), charges=FREIGHT, **keys)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "keys", [{"limits": {"IT107": 3}}, {"codes": {"IT106": ("IN",), "IT108": ("VN",)}}, {"require": ("IT106", "IT109")}]
)
def test_item_ids_that_keep_the_guide_are_sent(keys: dict[str, Any]) -> None:
    out = written("810", with_items(**ITEMS), charges=FREIGHT, **keys)
    assert "IT1*1*2*EA*5**IN*I-1*VN*V-1" in out


def test_an_element_that_another_may_stand_for_is_explained_by_both() -> None:
    found = explain(PLANS["810"](GUIDE).origins, "IT107")
    assert [line.partition(" <- ")[0] for line in found] == ["IT107 of IT1, IN", "IT107 or IT109 of IT1, VN"]


REMIT_TO = Contact(
    name="Joe", address=Address(line1="1 Main St", city="Portland", state="or", postal_code="97201", country="us")
)


@pytest.mark.parametrize(
    ("bill", "keys"),
    [
        (BILL, {"require": ("N3",)}),
        (msgspec.structs.replace(BILL, remit_to=Contact(name="Joe")), {"require": ("N104",)}),
        (BILL, {"require": ("PID",), "charges": {"5000": Charge(code="D240"), "6100": Charge(code="D240")}}),
        (BILL, {"require": ("TXI",)}),
    ],
    ids=["of a party that is not named", "of one that has none", "no line is goods", "there is no tax"],
)
def test_what_the_guide_requires_is_sent_or_the_document_is_dead(bill: Bill, keys: dict[str, Any]) -> None:
    with pytest.raises(DataError) as caught:
        written("810", bill, **keys)
    assert caught.value.code == "MLC-X12-0112"


def test_one_segment_of_a_kind_is_enough_for_the_header() -> None:
    out = written(
        "810", msgspec.structs.replace(BILL, remit_to=REMIT_TO), require=("REF", "N3", "PID"), charges=FREIGHT
    )
    assert "N3*1 Main St" in out


def test_a_fixed_amount_is_written_as_the_guide_writes_it() -> None:
    assert "TDS*1200*100" in written("810", fixed={"TDS02": "100"})
    assert lint_guide(guided(fixed={"TDS02": "100"}), "810") == []


def test_codes_are_in_capitals_whatever_the_books_say() -> None:
    out = written("810", msgspec.structs.replace(BILL, currency="usd", remit_to=REMIT_TO))
    assert "CUR*BY*USD" in out
    assert "N4*Portland*OR*97201*US" in out
