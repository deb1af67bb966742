"""What the tests of `stages.ap` share: partner files on disk, seeded bills and vendors as a source would give them."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline import Context, RandomIds, Record, SystemClock
from stages.ap.model import Address, Bill, BillLine, Contact, PurchaseOrder, Vendor
from stages.ap.seed import SeedBill, SeedContact, SeedPurchase, SeedVendor, World

DEFAULT = """\
us: { name: Harbor & Vale, isa: { qualifier: ZZ, id: HARBORVALE }, gs: HARBORVALE }
documents:
  - { set: "810", role: self_bill }
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes partner files (name -> text) beside a small ``_default.yaml`` and returns their folder."""

    def write(files: dict[str, str], default: str | None = DEFAULT) -> Path:
        folder = tmp_path / "partners"
        folder.mkdir(exist_ok=True)
        if default is not None:
            (folder / "_default.yaml").write_text(default, encoding="utf-8")
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        return folder

    return write


@pytest.fixture
def partner_file() -> Callable[..., str]:
    """The text of a partner file that is right; further lines come after it."""

    def partner_file(code: str, *vendors: str, more: str = "") -> str:
        return (
            f"partner: {code}\n"
            f"name: {code.title()} Foods\n"
            f"vendors: [{', '.join(vendors or ('V-1',))}]\n"
            f"identity: {{ isa: {{ qualifier: ZZ, id: {code} }}, gs: {code} }}\n"
            f"mailbox: /{code}/Inbound\n{more}"
        )

    return partner_file


@pytest.fixture
def context(tmp_path: Path) -> Callable[..., Context]:
    async def offload(function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    def context(folder: Path = tmp_path, **environment: str) -> Context:
        return Context(
            stage="routed",
            folder=folder,
            clock=SystemClock(),
            ids=RandomIds(),
            rng=random.Random(1),
            offload=offload,
            environment=environment,
        )

    return context


@pytest.fixture
def bill_record() -> Callable[..., Record]:
    """A record of the kind the bills source gives, for one line of 10.00 USD."""

    def bill_record(vendor: str = "V-1", module: str = "3.AP", **changes: Any) -> Record:
        fields: dict[str, Any] = {
            "record": "101",
            "number": "INV-1",
            "vendor": vendor,
            "vendor_name": "Foods Inc",
            "date": date(2026, 10, 5),
            "total": Decimal("10.00"),
            "currency": "USD",
            "lines": (BillLine(number=1, amount=Decimal("10.00"), description="Limes"),),
            "source": {"MODULEKEY": module},
        } | changes
        return Record(
            key="101", kind="bill", body=Bill(**fields), company="ACME", object="APBILL", label=fields["number"]
        )

    return bill_record


@pytest.fixture
def as_vendor() -> Callable[[SeedVendor], Vendor]:
    return lambda seed: Vendor(
        id=seed.id,
        name=seed.name,
        status=seed.status,
        terms=seed.terms,
        currency=seed.currency,
        contact=_contact(seed.contact),
        pay_to=_contact(seed.pay_to),
    )


@pytest.fixture
def as_bill() -> Callable[[World, SeedBill], Bill]:
    return _as_bill


def _as_bill(world: World, seed: SeedBill) -> Bill:
    vendor = next(vendor for vendor in world.vendors if vendor.id == seed.vendor)
    purchase = next((purchase for purchase in world.purchases if purchase.id == seed.purchase), None)
    return Bill(
        record=str(seed.record),
        number=seed.number,
        vendor=seed.vendor,
        vendor_name=vendor.name,
        state=seed.state,
        date=seed.date,
        due=seed.due,
        discount_date=seed.discount_date,
        terms=seed.terms,
        reference=seed.reference,
        total=seed.total,
        currency=seed.currency,
        entity=seed.entity,
        purchase=purchase
        and PurchaseOrder(id=purchase.id, number=purchase.number, date=purchase.date, order=purchase.order),
        lines=tuple(_line(seed, index, purchase) for index, line in enumerate(seed.lines) if not line.generated),
        remit_to=_contact(vendor.pay_to or vendor.contact),
        source={"MODULEKEY": "9.PO" if purchase or seed.purchase_missing else "3.AP"},
    )


def _line(seed: SeedBill, index: int, purchase: SeedPurchase | None) -> BillLine:
    booked = seed.lines[index]
    if purchase is None:
        return BillLine(number=booked.number, amount=booked.amount, description=booked.description)
    bought = purchase.lines[index]
    return BillLine(
        number=bought.number,
        amount=bought.amount,
        description=bought.description,
        quantity=bought.quantity,
        unit=bought.unit,
        price=bought.price,
        item=bought.item,
    )


def _contact(seed: SeedContact | None) -> Contact:
    if seed is None:
        return Contact()
    return Contact(
        name=seed.name,
        company=seed.company,
        first_name=seed.first_name,
        last_name=seed.last_name,
        phone=seed.phone,
        email=seed.email,
        address=Address(
            line1=seed.line1,
            line2=seed.line2,
            city=seed.city,
            state=seed.state,
            postal_code=seed.postal_code,
            country=seed.country_code,
        ),
    )
