"""Encoding X12: a partner's plan over bills, every check included, against joining elements that are ready.

The floor does what cannot be avoided: ``'*'.join`` for each segment, ``'~'.join`` for the document, one ``encode``.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from bench.measure import Ratio, best_of, seconds
from pipeline import Stored
from stages.ap.invoice_810 import invoice_plan
from stages.ap.model import Address, Bill, BillLine, Contact, PurchaseOrder
from stages.x12.guide import Guide, Terms
from stages.x12.writing.draft import build_envelope
from stages.x12.writing.envelope import pack
from stages.x12.writing.plan import Plan

INVOICES = 5000
LINES = 4
BAR = 8.0
GUIDE = Guide(
    units={"Case": "CA", "Each": "EA", "LB": "LB"},
    terms={"2/10 Net 30": Terms(type="08", percent=Decimal("2.0"), discount_days=10, net_days=30)},
)
Subject = dict[str, object]


def bill(n: int, accent: str = "e") -> Bill:
    """A bill made by Purchasing. ``accent`` is a letter of its first description: ``é`` makes it one to transliterate."""
    first = date(2025, 1, 1) + timedelta(days=n % 365)
    lines = tuple(line(n, i, accent if i == 1 else "e") for i in range(1, LINES + 1))
    return Bill(
        record=str(40_000 + n), number=f"INV-{n:06}", vendor=f"V-{n % 200:04}", vendor_name="Riverbend Produce", state="Posted",
        date=first, due=first + timedelta(days=30), discount_date=first + timedelta(days=10), terms="2/10 Net 30",
        reference=f"PO-{n}", total=sum((line.amount for line in lines), Decimal(0)), currency="USD", lines=lines,
        purchase=PurchaseOrder(id=f"Vendor Invoice-VI-{n}", number=f"VI-{n}", date=first, order=f"PO-{n}"),
        remit_to=Contact(
            company="Riverbend Factoring",
            address=Address(line1="100 Main St", city="Springfield", state="IL", postal_code="62701", country="US"),
        ),
    )  # fmt: skip


def line(n: int, i: int, accent: str) -> BillLine:
    quantity, price = Decimal(1 + (n * i) % 40), Decimal(125 + n % 900).scaleb(-2) * i
    return BillLine(
        number=i, amount=quantity * price, description=f"Limes, cr{accent}me grade {i}", quantity=quantity, unit="Case", price=price,
        item=f"B-{n % 97}", vendor_item=f"ABC-{i}",
    )  # fmt: skip


def subject(bill: Bill) -> Subject:
    us = {"name": "Harbor & Vale Foodservice", "id": "HARBORVALE"}
    return {"bill": bill, "us": us, "partner": {"code": "RIVERBEND", "name": "Riverbend Produce"}}


def encode(plan: Plan, subjects: list[Subject]) -> list[bytes]:
    """What ``x12.encode`` does for each: the body, and the look-ups it used."""
    return [plan.render(subject, notes={}) for subject in subjects]


def join(documents: list[list[list[str]]]) -> list[bytes]:
    """The floor."""
    return ["~".join(["*".join(segment) for segment in document]).encode() for document in documents]


def elements(body: bytes) -> list[list[str]]:
    return [segment.split("*") for segment in body.decode().split("~")]


def run() -> list[Ratio]:
    plan = invoice_plan(GUIDE, "self_bill")
    subjects = [subject(bill(n)) for n in range(INVOICES)]
    accented = [subject(bill(n, "è")) for n in range(INVOICES // 5)]
    bodies = encode(plan, subjects)
    documents = [elements(body) for body in bodies]
    assert join(documents) == bodies
    segments = sum(len(document) - 1 for document in documents) // INVOICES
    ours, floor = best_of(15, lambda: seconds(lambda: encode(plan, subjects)), lambda: seconds(lambda: join(documents)))
    rewritten, same = best_of(
        3, lambda: seconds(lambda: encode(plan, accented)), lambda: seconds(lambda: join(documents[: INVOICES // 5]))
    )
    return [
        Ratio(
            bench="x12_encode", what=f"invoices of {segments} segments, written and checked",
            floor="joining ready elements", ours_seconds=ours, floor_seconds=floor, units=INVOICES, bar=BAR,
        ),
        Ratio(
            bench="x12_encode", what="the same with one letter each to transliterate", floor="joining ready elements",
            ours_seconds=rewritten, floor_seconds=same, units=INVOICES // 5,
        ),
        _packing(bodies[:1000]),
    ]  # fmt: skip


def _packing(bodies: list[bytes]) -> Ratio:
    envelope = build_envelope(
        us_isa=("ZZ", "HARBORVALE"), us_gs="HARBORVALE", them_isa=("01", "0812345678"), them_gs="0812345678", usage="P", guide=GUIDE,
    )  # fmt: skip
    # As the ledger gives them back: equal envelopes, not the same one.
    stored = [Stored(n, "810", "RIVERBEND", body, dict(envelope), 1) for n, body in enumerate(bodies)]
    now = datetime(2025, 1, 31, 12, tzinfo=UTC)
    ours, floor = best_of(
        5,
        lambda: seconds(lambda: pack(stored, {"ISA13": 1, "GS06": 1}, now)),
        lambda: seconds(lambda: b"".join(bodies)),
    )
    return Ratio(
        bench="x12_encode", what="packing 1,000 documents into one interchange", floor="joining their bytes",
        ours_seconds=ours, floor_seconds=floor, units=len(bodies),
    )  # fmt: skip
