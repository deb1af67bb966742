from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline import ConfigError, DataError, Stored
from stages.ap.model import Bill, BillLine, PurchaseOrder
from stages.ap.order_850 import order_plan
from stages.x12.checking.validator import validate
from stages.x12.guide import Guide, Terms
from stages.x12.writing.draft import build_envelope
from stages.x12.writing.envelope import pack

GOLDEN = Path(__file__).parents[2] / "golden" / "x12"
GUIDE = Guide(units={"Case": "CA"}, newline=True, terms={"Net 30": Terms(type="05", net_days=30)})
BILL = Bill(
    record="48211",
    number="INV-1001",
    vendor="V-1014",
    vendor_name="Riverbend Produce",
    date=date(2026, 1, 31),
    due=date(2026, 3, 2),
    terms="Net 30",
    total=Decimal("125.00"),
    currency="USD",
    purchase=PurchaseOrder(id="Vendor Invoice-VI-1", number="VI-1", date=date(2026, 1, 15), order="PO-88"),
    lines=(
        BillLine(
            number=1,
            amount=Decimal("125.00"),
            description="Limes",
            quantity=Decimal("10"),
            unit="Case",
            price=Decimal("12.50"),
            item="B-9",
        ),
    ),
)


def subject(bill: Bill) -> dict[str, Any]:
    return {
        "bill": bill,
        "us": {"name": "Harbor & Vale Foodservice", "id": "HARBORVALE"},
        "partner": {"code": "RIVERBEND"},
    }


def order(bill: Bill, purpose: str = "original") -> str:
    return order_plan(GUIDE).render(subject(bill), purpose).decode()


def test_a_bill_is_written_as_its_golden_file() -> None:
    envelope = build_envelope(
        us_isa=("ZZ", "HARBORVALE"),
        us_gs="HARBORVALE",
        them_isa=("01", "0812345678"),
        them_gs="0812345678",
        usage="T",
        guide=GUIDE,
    )
    document = Stored(1, "850", "RIVERBEND", order(BILL).encode(), envelope, 1)
    payload = pack([document], {"ISA13": 18, "GS06": 5}, datetime(2026, 2, 1, 12, 0, tzinfo=UTC))
    assert payload.decode() == (GOLDEN / "850_order.edi").read_bytes().decode()
    assert validate(payload) == []


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({}, "PO-88"),
        ({"purchase": PurchaseOrder(id="VI-1", number="VI-1")}, "VI-1"),
        ({"purchase": None, "reference": "PO-3"}, "PO-3"),
    ],
)
def test_the_order_number_is_the_orders_then_the_documents_then_the_reference(
    changes: dict[str, Any], number: str
) -> None:
    assert f"BEG*00*SA*{number}**" in order(msgspec.structs.replace(BILL, **changes))


def test_an_order_without_number_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        order(msgspec.structs.replace(BILL, purchase=None))
    error = caught.value
    assert error.what == "Purchase Order Number cannot be sent"
    assert error.why == "the bill names no order, neither by a purchasing document nor in its reference number"
    assert error.code == "MLC-X12-0113"


def test_an_amended_order_says_that_it_replaces() -> None:
    assert "BEG*05*SA*PO-88**20260115~" in order(BILL, "replace")


def test_the_order_date_is_the_bills_when_there_is_no_purchasing_document() -> None:
    assert "BEG*00*SA*PO-3**20260131~" in order(msgspec.structs.replace(BILL, purchase=None, reference="PO-3"))


def test_an_850_cannot_play_another_role() -> None:
    with pytest.raises(ConfigError, match="An 850 cannot play the role 'self_bill'"):
        order_plan(GUIDE, "self_bill")
