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

from pipeline import ConfigError, Context, DataError, Excluded, Record, Stored
from stages.ap.model import Payment, PaymentDetail
from stages.ap.remittance_820 import remittance_plan
from stages.ap.route import RouteSettings, build_route
from stages.x12.checking.validator import validate
from stages.x12.guide import Guide
from stages.x12.writing.draft import build_envelope
from stages.x12.writing.envelope import pack

GOLDEN = Path(__file__).parents[2] / "golden" / "x12"
GUIDE = Guide(newline=True, payment_methods={"ACH": "ACH", "Printed Check": "CHK"}, payment_format="CCP")
FULL = PaymentDetail(
    number="INV-1001", paid=Decimal("137.50"), gross=Decimal("140.00"), discount=Decimal("2.50"), date=date(2026, 1, 31), order="PO-77"
)  # fmt: skip
SHORT = PaymentDetail(
    number="INV-1002", paid=Decimal("45.00"), gross=Decimal("50.00"), adjustment=Decimal("-5.00"), adjustment_code="06"
)
PARTLY = PaymentDetail(number="INV-1003", paid=Decimal("20.00"))
CREDIT = PaymentDetail(number="CM-9", paid=Decimal("-12.50"), gross=Decimal("-12.50"))
PAYMENT = Payment(
    record="5512",
    number="PMT-5512",
    vendor="V-1014",
    vendor_name="Riverbend Produce",
    method="ACH",
    date=date(2026, 3, 6),
    total=Decimal("190.00"),
    currency="USD",
    entity="E100",
    details=(FULL, SHORT, PARTLY, CREDIT),
)


def subject(payment: Payment) -> dict[str, Any]:
    us = {"name": "Harbor & Vale Foodservice", "id": "HARBORVALE"}
    return {"payment": payment, "us": us, "partner": {"code": "RIVERBEND", "name": "Riverbend Produce"}}


def advice(payment: Payment = PAYMENT, **guide: Any) -> str:
    return remittance_plan(msgspec.structs.replace(GUIDE, **guide)).render(subject(payment)).decode()


def interchange(body: str, guide: Guide = GUIDE) -> bytes:
    ids: dict[str, Any] = {"us_isa": ("ZZ", "HARBORVALE"), "us_gs": "HARBORVALE"}
    ids |= {"them_isa": ("01", "0812345678"), "them_gs": "0812345678", "usage": "P"}
    stored = Stored(1, "820", "RIVERBEND", body.encode(), build_envelope(**ids, guide=guide), 1)
    return pack([stored], {"ISA13": 17, "GS06": 4}, datetime(2026, 3, 6, 12, tzinfo=UTC))


@pytest.mark.parametrize(("name", "guide"), [("820_remittance", {}), ("820_adjustments", {"credits": "adjustments"})])
def test_a_payment_is_written_as_its_golden_file(name: str, guide: dict[str, Any]) -> None:
    payload = interchange(advice(**guide))
    assert payload.decode() == (GOLDEN / f"{name}.edi").read_bytes().decode()
    assert [found for found in validate(payload) if found.severity == "error"] == []


def test_only_a_payment_by_ach_has_a_format() -> None:
    assert "BPR*I*190*C*CHK************20260306~" in advice(msgspec.structs.replace(PAYMENT, method="Printed Check"))


def test_references_are_the_guides() -> None:
    assert "REF*CK*PMT-5512~" in advice(payment_refs={"CK": "number"})


REFUSALS: list[tuple[str, dict[str, Any], tuple[str, str]]] = [
    ("no details", {"details": ()}, ("MLC-X12-0311", "an advice needs at least one bill")),
    (
        "details that do not add up",
        {"total": Decimal("190.01")},
        ("MLC-X12-0312", "its bills add up to 190.00, the payment says 190.01 USD"),
    ),
    (
        "a detail that is not gross less discount plus adjustment",
        {"details": (msgspec.structs.replace(FULL, gross=Decimal("141.00")),), "total": Decimal("137.50")},
        ("MLC-X12-0313", "137.50 was paid; 141.00 - 2.50 + 0 is another amount"),
    ),
    ("a negative payment", {"details": (CREDIT,), "total": Decimal("-12.50")}, ("MLC-X12-0314", "it says -12.50 USD")),
    (
        "an adjustment without reason",
        {"details": (msgspec.structs.replace(SHORT, adjustment_code=""),), "total": Decimal("45.00")},
        ("MLC-X12-0111", "RMR07 and RMR08 go together: all of them or none (syntax note P0708)"),
    ),
    ("a method that is not listed", {"method": "Barter"}, ("MLC-X12-0110", 'payment method "Barter" is not in `guide.payment_methods`')),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "parts"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_a_payment_that_cannot_be_sent_is_refused_in_exact_words(
    changes: dict[str, Any], parts: tuple[str, str]
) -> None:
    with pytest.raises(DataError) as caught:
        advice(msgspec.structs.replace(PAYMENT, **changes))
    assert (caught.value.code, caught.value.why) == parts


CENTS = st.integers(0, 10**8).map(lambda cents: Decimal(cents).scaleb(-2))


@given(
    bills=st.lists(st.tuples(CENTS, CENTS, CENTS), min_size=1, max_size=9),
    credits=st.sampled_from(["lines", "adjustments"]),
    version=st.sampled_from(["004010", "005010"]),
)
def test_any_payment_that_adds_up_is_written_right(
    bills: list[tuple[Decimal, Decimal, Decimal]], credits: Any, version: str
) -> None:
    details = tuple(
        PaymentDetail(
            number=f"INV-{n}", paid=gross - discount + adjustment, gross=gross, discount=discount, adjustment=adjustment,
            adjustment_code="CS" if adjustment else "",
        )
        for n, (gross, discount, adjustment) in enumerate(bills)
    )  # fmt: skip
    total = sum((detail.paid for detail in details), Decimal(0))
    if total < 0:
        return
    guide = msgspec.structs.replace(GUIDE, credits=credits, version=version)
    body = advice(msgspec.structs.replace(PAYMENT, details=details, total=total), credits=credits, version=version)
    assert [found for found in validate(interchange(body, guide)) if found.severity == "error"] == []
    said = [segment.split("*") for segment in body.split("~\n")]
    adjustments = sum((Decimal(s[1]) for s in said if s[0] == "ADX"), Decimal(0))
    assert sum((Decimal(s[4]) for s in said if s[0] == "RMR"), adjustments) == total


def test_an_820_cannot_play_another_role() -> None:
    with pytest.raises(ConfigError, match="An 820 cannot play the role 'order'"):
        remittance_plan(GUIDE, "order")


# -- routing ----------------------------------------------------------------------------------------------------------

ADVISED = """\
partner: ALPHA
name: Alpha Farms
vendors: [V-1014]
us: { name: Harbor & Vale, isa: { qualifier: ZZ, id: HARBORVALE }, gs: HARBORVALE }
identity: { isa: { qualifier: ZZ, id: ALPHA }, gs: ALPHA }
mailbox: /ALPHA/Inbound
documents:
  - { set: "810", role: self_bill }
  - { set: "820", role: remittance, when: "payment.total > 100" }
guide:
  payment_methods: { ACH: ACH }
"""


@pytest.fixture
def route(tmp_path: Path, context: Callable[..., Context]) -> Callable[[str], Callable[[Record], list[Record]]]:
    def build(text: str) -> Callable[[Record], list[Record]]:
        (tmp_path / "alpha.yaml").write_text(text)
        return build_route(RouteSettings(partners="."), context())

    return build


def record(payment: Payment) -> Record:
    return Record(key=payment.record, kind="payment", body=payment, label=payment.number)


def test_a_payment_becomes_an_820_and_nothing_else(route: Callable[..., Any]) -> None:
    (made,) = route(ADVISED)(record(PAYMENT))
    assert (made.body.set, made.body.amendments) == ("820", "hold")
    assert made.body.guard == "payment|V-1014|PMT-5512|190|USD"
    assert b"RMR*IV*INV-1001" in made.body.plan.render(made.body.subject)


def test_a_payment_for_which_no_rule_holds_is_excluded(route: Callable[..., Any]) -> None:
    small = msgspec.structs.replace(PAYMENT, details=(PARTLY,), total=Decimal("20.00"))
    with pytest.raises(Excluded, match="nothing asked for"):
        route(ADVISED)(record(small))


def test_the_origin_of_an_element_names_the_line_of_the_partner_file(route: Callable[..., Any]) -> None:
    (made,) = route(ADVISED)(record(PAYMENT))
    origins = made.body.plan.origins
    assert "BPR04 of BPR*I <- payment method[payment.method], by guide.payment_methods (alpha.yaml:11)" in origins
