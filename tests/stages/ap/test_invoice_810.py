from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import ConfigError, DataError, Stored
from stages.ap.invoice_810 import invoice_plan
from stages.ap.model import Address, Bill, BillLine, Contact, PurchaseOrder
from stages.ap.order_850 import order_plan
from stages.ap.seed import SeedBill, World, build_world
from stages.x12.checking.validator import validate
from stages.x12.guide import Guide, Terms
from stages.x12.writing.draft import build_envelope
from stages.x12.writing.envelope import pack

GOLDEN = Path(__file__).parents[2] / "golden" / "x12"
UNITS = {"Case": "CA", "Each": "EA", "LB": "LB"}
GUIDE = Guide(
    units=UNITS,
    newline=True,
    terms={"2/10 Net 30": Terms(type="08", percent=Decimal("2.0"), discount_days=10, net_days=30)},
)

ENTERED = Bill(
    record="48211",
    number="INV-1001",
    vendor="V-1014",
    vendor_name="Riverbend Produce",
    date=date(2026, 1, 31),
    due=date(2026, 3, 2),
    discount_date=date(2026, 2, 10),
    terms="2/10 Net 30",
    reference="PO-77",
    total=Decimal("140.00"),
    currency="USD",
    lines=(
        BillLine(number=1, amount=Decimal("125.00"), description="Limes, crème de la crème"),
        BillLine(number=2, amount=Decimal("15.00"), description="Freight"),
    ),
)
PURCHASED = msgspec.structs.replace(
    ENTERED,
    purchase=PurchaseOrder(id="Vendor Invoice-VI-1", number="VI-1", date=date(2026, 1, 15), order="PO-88"),
    remit_to=Contact(
        name="Riverbend (V-1014)",
        company="Riverbend Factoring",
        address=Address(
            line1="100 Main St", line2="Suite 4", city="Springfield", state="IL", postal_code="62701", country="US"
        ),
    ),
    lines=(
        BillLine(
            number=1,
            amount=Decimal("125.00"),
            description="Limes",
            quantity=Decimal("10"),
            unit="Case",
            price=Decimal("12.50"),
            item="B-9",
            vendor_item="ABC-1",
        ),
        BillLine(
            number=2,
            amount=Decimal("15.00"),
            description="Catch weight",
            quantity=Decimal("4.511"),
            unit="LB",
            price=Decimal("3.325"),
        ),
    ),
)
CREDIT = msgspec.structs.replace(
    ENTERED,
    number="CM-5",
    terms="",
    reference="",
    total=Decimal("-30.00"),
    lines=(
        BillLine(
            number=1,
            amount=Decimal("-40.00"),
            description="Returned",
            quantity=Decimal("-4"),
            unit="Case",
            price=Decimal(10),
        ),
        BillLine(number=2, amount=Decimal("10.00"), description="Restocking"),
    ),
)


def subject(bill: Bill) -> dict[str, Any]:
    us = {"name": "Harbor & Vale Foodservice", "id": "HARBORVALE"}
    return {"bill": bill, "us": us, "partner": {"code": "RIVERBEND", "name": "Riverbend Produce"}}


def invoice(bill: Bill, role: str = "self_bill", **guide: Any) -> str:
    made = msgspec.structs.replace(GUIDE, **guide)
    return invoice_plan(made, role).render(subject(bill)).decode()


def interchange(set: str, body: bytes, guide: Guide = GUIDE) -> bytes:
    envelope = build_envelope(
        us_isa=("ZZ", "HARBORVALE"),
        us_gs="HARBORVALE",
        them_isa=("01", "0812345678"),
        them_gs="0812345678",
        usage="P",
        guide=guide,
    )
    return pack(
        [Stored(1, set, "RIVERBEND", body, envelope, 1)],
        {"ISA13": 17, "GS06": 4},
        datetime(2026, 2, 1, 12, 0, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("name", "bill", "role"),
    [
        ("810_entered_in_ap", ENTERED, "self_bill"),
        ("810_purchased", PURCHASED, "self_bill"),
        ("810_copy", PURCHASED, "bill_copy"),
        ("810_debit_memo", ENTERED, "debit_memo"),
        ("810_credit", CREDIT, "self_bill"),
    ],
)
def test_a_bill_is_written_as_its_golden_file(name: str, bill: Bill, role: str) -> None:
    payload = interchange("810", invoice_plan(GUIDE, role).render(subject(bill)))
    assert payload.decode() == (GOLDEN / f"{name}.edi").read_bytes().decode()
    assert validate(payload) == []


@pytest.mark.parametrize(
    ("role", "bill", "kind"),
    [
        ("self_bill", ENTERED, "DI"),
        ("bill_copy", ENTERED, "DI*07"),
        ("debit_memo", ENTERED, "DR"),
        ("self_bill", CREDIT, "DI"),  # the amounts are negative: the type must not turn them again
        ("debit_memo", CREDIT, "DR"),
    ],
)
def test_the_type_follows_role_and_sign(role: str, bill: Bill, kind: str) -> None:
    assert invoice(bill, role).splitlines()[1].endswith(f"*{kind}~")


def test_a_credit_told_by_its_type_has_positive_figures() -> None:
    body = invoice(CREDIT, credit_sign="type")
    assert body.splitlines()[1].endswith("*CR~")
    assert "IT1*1*4*CA*10~" in body
    assert "IT1*2*1*EA*-10~" in body
    assert "TDS*3000~" in body
    assert validate(interchange("810", body.encode())) == []


def test_a_credit_told_by_its_sign_has_negative_figures() -> None:
    body = invoice(CREDIT)
    assert "IT1*1*-4*CA*10~" in body
    assert "TDS*-3000~" in body


def test_terms_the_guide_does_not_know_are_not_sent() -> None:
    assert "ITD" not in invoice(ENTERED, terms={})


def test_item_ids_come_in_the_guides_order() -> None:
    assert "**VP*ABC-1*BP*B-9~" in invoice(PURCHASED, item_ids=("VP", "BP"))


def test_a_province_without_a_code_of_two_letters_is_sent_by_name() -> None:
    abroad = Contact(company="Ferme", address=Address(line1="1 rue", city="Laval", state="Quebec", country="CA"))
    bill = msgspec.structs.replace(ENTERED, remit_to=abroad)
    assert "N4*Laval***CA*SP*Quebec~" in invoice(bill)


def test_a_second_address_line_alone_becomes_the_first() -> None:
    bill = msgspec.structs.replace(ENTERED, remit_to=Contact(company="Factor", address=Address(line2="Suite 4")))
    assert "N1*RE*Factor~\nN3*Suite 4~" in invoice(bill)


def test_a_new_record_number_alone_makes_no_new_version() -> None:
    plan = invoice_plan(GUIDE, "self_bill")
    edited = msgspec.structs.replace(PURCHASED, record="99999")
    assert plan.fingerprint(subject(edited), plan.fields) == plan.fingerprint(subject(PURCHASED), plan.fields)
    paid = msgspec.structs.replace(PURCHASED, state="Paid")
    assert plan.fingerprint(subject(paid), plan.fields) == plan.fingerprint(subject(PURCHASED), plan.fields)


def test_another_quantity_makes_a_new_version() -> None:
    plan = invoice_plan(GUIDE, "self_bill")
    line = msgspec.structs.replace(PURCHASED.lines[0], quantity=Decimal(5), price=Decimal(25))
    edited = msgspec.structs.replace(PURCHASED, lines=(line, PURCHASED.lines[1]))
    assert plan.fingerprint(subject(edited), plan.fields) != plan.fingerprint(subject(PURCHASED), plan.fields)


def test_what_the_vendor_calls_an_item_goes_by_the_item() -> None:
    """A cross reference that changes amends nothing; another item does, also for a partner that is told the vendor's number alone."""
    plan = invoice_plan(msgspec.structs.replace(GUIDE, item_ids=("VN",)), "self_bill")

    def print_of(**changes: str) -> str:
        line = msgspec.structs.replace(PURCHASED.lines[0], **changes)
        return plan.fingerprint(
            subject(msgspec.structs.replace(PURCHASED, lines=(line, *PURCHASED.lines[1:]))), plan.fields
        )

    assert print_of(vendor_item="OTHER") == print_of()
    assert print_of(item="B-10") != print_of()


def _lines(*lines: dict[str, Any]) -> tuple[BillLine, ...]:
    return tuple(BillLine(number=i, **line) for i, line in enumerate(lines, start=1))


REFUSALS: list[tuple[str, dict[str, Any], tuple[str, str, str, str]]] = [
    (
        "no lines",
        {"lines": ()},
        ("MLC-X12-0301", "The bill has no lines", "bill INV-1001", "a document needs at least one"),
    ),
    (
        "lines that do not add up",
        {"total": Decimal("140.01")},
        (
            "MLC-X12-0302",
            "The lines do not add up to the bill's total",
            "bill INV-1001",
            "the lines add up to 140.00, the bill says 140.01 USD",
        ),
    ),
    (
        "a line that is not its quantity times its price",
        {
            "total": Decimal("10.00"),
            "lines": _lines(
                {"amount": Decimal("10.00"), "quantity": Decimal(3), "price": Decimal("3.33"), "unit": "Each"}
            ),
        },
        (
            "MLC-X12-0303",
            "Quantity times price is not the line's amount",
            "bill INV-1001, line 1",
            "3 x 3.33 is 9.99, the line says 10.00",
        ),
    ),
    (
        "a purchased line without unit",
        {
            "purchase": PurchaseOrder(id="VI-1"),
            "total": Decimal("10.00"),
            "lines": _lines({"amount": Decimal("10.00"), "quantity": Decimal(2), "price": Decimal(5)}),
        },
        (
            "MLC-X12-0304",
            "A purchased line has no unit",
            "bill INV-1001, line 1",
            "it was bought as 2 of something; the purchasing document does not say of what",
        ),
    ),
    (
        "a unit the guide does not know",
        {"total": Decimal(1), "lines": _lines({"amount": Decimal(1), "unit": "Crate"})},
        (
            "MLC-X12-0110",
            "Unit or Basis for Measurement Code has no X12 code in the partner's guide",
            "bill INV-1001, 810 to RIVERBEND, element IT103 (Unit or Basis for Measurement Code), "
            "from unit[bill.lines.unit], line 1",
            'unit "Crate" is not in `guide.units`',
        ),
    ),
    (
        "a number that is too long",
        {"number": "INV-2026-000000000000001"},
        (
            "MLC-X12-0102",
            "Invoice Number is longer than X12 allows",
            "bill INV-2026-000000000000001, 810 to RIVERBEND, element BIG02 (Invoice Number), from bill.number",
            '"INV-2026-000000000000001" has 24 characters; the maximum is 22',
        ),
    ),
]


@pytest.mark.parametrize(("changes", "parts"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_a_bill_that_cannot_be_sent_is_refused_in_exact_words(
    changes: dict[str, Any], parts: tuple[str, str, str, str]
) -> None:
    with pytest.raises(DataError) as caught:
        invoice(msgspec.structs.replace(ENTERED, **changes))
    error = caught.value
    assert (error.code, error.what, error.where, error.why) == parts


def test_rounding_half_up_is_the_rule_for_lines() -> None:
    line = {"amount": Decimal("0.03"), "quantity": Decimal("0.5"), "price": Decimal("0.05"), "unit": "Each"}
    assert "TDS*3~" in invoice(msgspec.structs.replace(ENTERED, total=Decimal("0.03"), lines=_lines(line)))


def test_an_810_cannot_play_another_role() -> None:
    with pytest.raises(ConfigError, match="An 810 cannot play the role 'remittance'"):
        invoice_plan(GUIDE, "remittance")


CENTS = st.integers(-(10**8), 10**8).map(lambda cents: Decimal(cents).scaleb(-2))


@given(
    amounts=st.lists(CENTS, min_size=1, max_size=12),
    version=st.sampled_from(["004010", "005010"]),
    sign=st.sampled_from(["minus", "type"]),
)
def test_any_bill_whose_lines_add_up_is_written_right(amounts: list[Decimal], version: str, sign: Any) -> None:
    guide = msgspec.structs.replace(GUIDE, version=version, credit_sign=sign)
    lines = tuple(
        BillLine(number=i, amount=amount, description=f"Line {i}") for i, amount in enumerate(amounts, start=1)
    )
    bill = msgspec.structs.replace(ENTERED, total=sum(amounts, Decimal(0)), lines=lines)
    body = invoice_plan(guide, "self_bill").render(subject(bill))
    assert validate(interchange("810", body, guide)) == []


def test_every_seeded_bill_is_written_right_or_refused_by_name(as_bill: Callable[[World, SeedBill], Bill]) -> None:
    world = build_world(bills=120, seed=3)
    units = {line.unit: "EA" for purchase in world.purchases for line in purchase.lines}
    guide = Guide(units=units, long_text="cut", on_delimiter="replace")
    plans = {"810": invoice_plan(guide, "self_bill"), "850": order_plan(guide)}
    written, refused = 0, set()
    for seed in world.bills:
        bill = as_bill(world, seed)
        for set_, plan in plans.items():
            try:
                body = plan.render(subject(bill))
            except DataError as error:
                refused.add(error.code)
                continue
            written += 1
            assert validate(interchange(set_, body, guide)) == []
    assert written > len(world.bills) / 2
    assert all(code.startswith("MLC-X12-0") for code in refused)


def test_a_line_of_the_bill_alone_goes_out_as_one_of_itself() -> None:
    """Freight added to a purchased bill has no unit in the books, and needs none."""
    freight = BillLine(number=3, amount=Decimal("12.00"), description="Freight")
    bill = msgspec.structs.replace(PURCHASED, lines=(*PURCHASED.lines, freight), total=PURCHASED.total + 12)
    assert "IT1*3*1*EA*12" in invoice(bill)


def test_a_purchased_bill_whose_lines_are_not_its_documents_is_refused() -> None:
    line = BillLine(number=1, amount=PURCHASED.total, description="Goods")
    bill = msgspec.structs.replace(PURCHASED, lines=(line,), source={"POLINES": "none"})
    with pytest.raises(DataError) as caught:
        invoice(bill)
    assert caught.value.code == "MLC-X12-0306"


@pytest.mark.parametrize("change", ["address", "name"])
def test_a_vendor_who_moves_or_is_renamed_amends_no_bill(change: str) -> None:
    plan = invoice_plan(GUIDE, "self_bill")
    assert PURCHASED.remit_to is not None
    moved = msgspec.structs.replace(PURCHASED.remit_to, address=Address(line1="9 New Street", city="Salem"))
    changed = {"address": {"remit_to": moved}, "name": {"vendor_name": "Renamed Foods"}}[change]
    after = msgspec.structs.replace(PURCHASED, **changed)
    assert plan.fingerprint(subject(after), plan.fields) == plan.fingerprint(subject(PURCHASED), plan.fields)
    assert plan.render(subject(after)) != plan.render(subject(PURCHASED))
