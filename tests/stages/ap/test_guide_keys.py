"""Each key of a guide, by what it changes in a document; and every document still passes the validator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import ConfigError, Context, DataError, Stored
from stages.ap.invoice_810 import invoice_plan
from stages.ap.model import Bill, BillLine, BillTax, Contact, PurchaseOrder
from stages.ap.order_850 import order_plan
from stages.ap.partners import load_partners
from stages.ap.route import RouteSettings, build_route
from stages.x12.checking.validator import validate
from stages.x12.guide import Charge, Guide, Party, Terms
from stages.x12.guide import Contact as Person
from stages.x12.writing.draft import build_envelope
from stages.x12.writing.envelope import pack
from stages.x12.writing.plan import explain

GOLDEN = Path(__file__).parents[2] / "golden" / "x12"
GUIDE = Guide(
    units={"Case": "CA", "Each": "EA", "LB": "LB"},
    newline=True,
    terms={"2/10": Terms(type="08", percent=Decimal("2.0"), discount_days=10, net_days=30)},
)
BILL = Bill(
    record="48211",
    number="INV-1001",
    vendor="V-1014",
    vendor_name="Riverbend Produce",
    date=date(2026, 1, 31),
    due=date(2026, 3, 2),
    discount_date=date(2026, 2, 10),
    terms="2/10",
    description="Week 5",
    reference="PO-77",
    entity="E100",
    total=Decimal("140.00"),
    currency="USD",
    purchase=PurchaseOrder(id="VI-1", number="VI-1", date=date(2026, 1, 15), order="PO-88"),
    remit_to=Contact(company="Riverbend Factoring"),
    lines=(
        BillLine(
            number=1, amount=Decimal("135.00"), description="Limes", quantity=Decimal(10), unit="Case", price=Decimal("13.50"),
            item="B-9", vendor_item="ABC-1", account="5000", department="D7", location="L1",
        ),
        BillLine(number=2, amount=Decimal("15.00"), description="Freight", unit="Each", account="6100"),
        BillLine(number=3, amount=Decimal("-10.00"), description="Promotion", unit="Each", account="5000"),
    ),
)  # fmt: skip
CREDIT = msgspec.structs.replace(
    BILL,
    number="CM-1",
    total=-BILL.total,
    lines=tuple(
        msgspec.structs.replace(
            line, amount=-line.amount, quantity=line.quantity if line.price is None else -line.quantity
        )
        for line in BILL.lines
    ),
)
PLANS: dict[str, Callable[[Guide], Any]] = {"810": lambda guide: invoice_plan(guide, "self_bill"), "850": order_plan}


def written(set: str, bill: Bill, guide: Guide) -> list[str]:
    """The segments of the set, after the validator has passed the interchange."""
    subject = {"bill": bill, "us": {"name": "Harbor & Vale", "id": "HV01"}, "partner": {"code": "RIVERBEND"}}
    body = PLANS[set](guide).render(subject)
    ids: dict[str, Any] = {
        "us_isa": ("ZZ", "US"),
        "us_gs": "US",
        "them_isa": ("01", "THEM"),
        "them_gs": "THEM",
        "usage": "P",
    }
    stored = Stored(1, set, "RIVERBEND", body, build_envelope(**ids, guide=guide), 1)
    payload = pack([stored], {"ISA13": 1, "GS06": 1}, datetime(2026, 2, 1, 12, tzinfo=UTC))
    assert not [found for found in validate(payload) if found.severity == "error"]
    return body.decode().replace("~\n", "~").split("~")[:-1]


def document(set: str = "810", bill: Bill = BILL, **keys: Any) -> list[str]:
    return written(set, bill, msgspec.structs.replace(GUIDE, **keys))


FREIGHT = {"6100": Charge(code="D240")}
KEYS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("810", {"refs": {"VN": "vendor", "DP": "=0042", "PO": "order"}}, ["REF*VN*V-1014", "REF*DP*0042", "REF*PO*PO-88"]),
    ("850", {"refs": {"ZZ": "document", "AP": "entity"}, "override": ("refs",)}, ["REF*ZZ*VI-1", "REF*AP*E100"]),
    ("810", {"line_refs": {"12": "account", "DP": "department"}}, ["REF*12*5000", "REF*DP*D7"]),
    ("810", {"dates": {"011": "date", "003": "order_date"}}, ["DTM*011*20260131", "DTM*003*20260115"]),
    ("850", {"dates": {"002": "due"}}, ["DTM*002*20260302"]),
    (
        "810",
        {"parties": (Party(role="ST", who="entity", qualifier="UL"), Party(role="RI", who="vendor", id="=0012345678905"))},
        ["N1*ST*Harbor & Vale*UL*E100", "N1*RI*Riverbend Produce*92*0012345678905"],
    ),
    ("850", {"parties": (Party(role="BT", who="us", id="none", name="Accounts"),)}, ["N1*BT*Accounts"]),
    ("810", {"item_ids": ("UP", "IN"), "item_fields": {"UP": "vendor_item"}}, ["IT1*1*10*CA*13.5**UP*ABC-1*IN*B-9"]),
    ("810", {"descriptions": ("description", "item")}, ["PID*F****Limes", "PID*F****B-9"]),
    ("810", {"send_description": True}, ["NTE*GEN*Week 5"]),
    ("850", {"send_description": True}, ["N9*ZZ*NOTE", "MSG*Week 5"]),
    ("850", {"send_description": True, "version": "005010"}, ["N9*ZZ*NOTE", "MTX**Week 5"]),
    ("810", {"contact": Person(function="AP", name="Ann", email="ap@hv.example")}, ["PER*AP*Ann*EM*ap@hv.example"]),
    ("850", {"contact": Person(phone="5551234567", email="a@b.example")}, ["PER*IC**TE*5551234567*EM*a@b.example"]),
    ("810", {"fob": "PP"}, ["FOB*PP"]),
    ("850", {"fob": "CC"}, ["FOB*CC"]),
    ("810", {"currency_entity": "SE"}, ["CUR*SE*USD"]),
    ("810", {"home_currency": "CAD"}, ["CUR*BY*USD"]),
    ("810", {"charges": FREIGHT}, ["SAC*C*D240***1500*******06***Freight", "CTT*2"]),
    ("850", {"charges": FREIGHT}, ["SAC*C*D240***1500*******06***Freight", "CTT*2", "AMT*TT*140"]),
    ("810", {"charges": {"6100": Charge(tax="ST")}}, ["TXI*ST*15", "TDS*14000"]),
    ("810", {"allowance_code": "C310"}, ["SAC*A*C310***1000*******02***Promotion", "CTT*2"]),
    ("810", {"charges": FREIGHT, "allowance_code": "C310", "hash_total": True}, ["CTT*1*10"]),
    ("810", {"price_basis": {"Case": "HP"}}, ["IT1*1*10*CA*1350*HP*IN*B-9*VN*ABC-1"]),
    ("810", {"price_basis": {"Case": "PP"}}, ["IT1*1*10*CA*13.5*PP*IN*B-9*VN*ABC-1"]),
    (
        "810",
        {"discount_amounts": True, "charges": FREIGHT},
        ["ITD*08*3*2*20260210*10*20260302*30*250****2/10", "TDS*14000*12500*13750*250"],
    ),
    ("810", {"hash_total": True}, ["CTT*3*12"]),
    ("810", {"defaults": {"BIG08": "00", "TDS02": "150"}}, ["BIG*20260131*INV-1001**PO-88***DI*00"]),
    ("810", {"codes": {"IT103": ("CA", "EA"), "BIG07": ("DI",)}}, ["IT1*2*1*EA*15"]),
    ("810", {"limits": {"BIG02": 30}, "override": ("BIG02",)}, ["BIG*20260131*INV-1001**PO-88***DI"]),
    ("810", {"version": "005010", "implementation": "HV810V1"}, ["ST*810*0000*HV810V1"]),
    ("850", {"fixed": {"BEG02": "NE", "BIG07": "DI"}}, ["BEG*00*NE*PO-88**20260115"]),
]  # fmt: skip


@pytest.mark.parametrize(("set", "keys", "segments"), KEYS, ids=[f"{k[0]}-{'-'.join(k[1])}" for k in KEYS])
def test_a_key_of_the_guide_shows_in_the_document(set: str, keys: dict[str, Any], segments: list[str]) -> None:
    out = document(set, **keys)
    assert [segment for segment in segments if segment not in out] == []


@pytest.mark.parametrize(
    ("keys", "segment"),
    [
        ({"home_currency": "USD"}, "CUR"),
        ({"parties": (Party(role="BY", who="us", sets=("850",)),)}, "N1"),
        ({"charges": FREIGHT}, "IT1*2"),
        ({"refs": {}}, "REF"),
        ({"descriptions": ()}, "PID"),
    ],
)
def test_a_key_of_the_guide_leaves_out(keys: dict[str, Any], segment: str) -> None:
    assert not [line for line in document(**keys) if line.startswith(segment)]


def test_a_charge_in_a_credit_told_by_its_type_keeps_its_kind() -> None:
    out = document(bill=CREDIT, charges=FREIGHT, allowance_code="C310", credit_sign="type", discount_amounts=True)
    assert "SAC*C*D240***1500*******06***Freight" in out
    assert "SAC*A*C310***1000*******02***Promotion" in out
    assert "TDS*14000*13500*13730*270" in out


def test_a_charge_in_a_credit_told_by_its_sign_is_an_allowance() -> None:
    assert "SAC*A*D240***1500*******06***Freight" in document(bill=CREDIT, charges=FREIGHT)


def test_an_order_of_charges_alone_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        document("850", charges={"6100": Charge(code="D240"), "5000": Charge(code="D500")})
    assert caught.value.code == "MLC-X12-0305"


@pytest.mark.parametrize(
    ("guide", "segments"),
    [
        ({}, ["TXI*TX*1", "TXI*TX*2"]),
        ({"tax_type": "GS"}, ["TXI*GS*1", "TXI*GS*2"]),
        ({"charges": {"2210": Charge(tax="SP")}}, ["TXI*TX*1", "TXI*SP*2"]),
    ],
    ids=["plain", "of the guide's type", "by account"],
)
@pytest.mark.parametrize("set", ["810", "850"])
def test_taxes_that_the_books_added_are_sent_beside_the_lines(
    set: str, guide: dict[str, Any], segments: list[str]
) -> None:
    taxes = (BillTax(amount=Decimal(1), account="2200"), BillTax(amount=Decimal(2), account="2210"))
    bill = msgspec.structs.replace(BILL, taxes=taxes, total=BILL.total + 3)
    sent = document(set, bill=bill, **guide)
    assert [segment for segment in sent if segment.startswith("TXI")] == segments


def test_more_taxes_than_an_810_has_room_for_are_refused() -> None:
    taxes = tuple(BillLine(number=n, amount=Decimal("1.00"), account="2300") for n in range(1, 12))
    bill = msgspec.structs.replace(BILL, lines=taxes, total=Decimal("11.00"), purchase=None)
    with pytest.raises(DataError) as caught:
        document(bill=bill, charges={"2300": Charge(tax="ST")})
    assert (caught.value.code, caught.value.why) == ("MLC-X12-0114", "11 of at most 10")


def test_a_value_outside_of_a_closed_list_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        document(codes={"IT103": ("LB",)})
    assert (caught.value.code, caught.value.why.split("; ")[0]) == (
        "MLC-X12-0115",
        '"CA" is not one of LB (`guide.codes`)',
    )


def test_a_default_alone_makes_no_segment() -> None:
    bill = msgspec.structs.replace(BILL, remit_to=Contact(company="Factor"))
    assert "N4" not in {line.split("*")[0] for line in document(bill=bill, defaults={"N404": "US"})}


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"implementation": "HV"}, "implementation: 'HV' must be"),
        ({"refs": {"IA": "vendr"}}, "refs.IA: 'vendr' is not one of"),
        ({"refs": {"9Q9": "vendor"}}, "refs: '9Q9' is not a known Reference Identification Qualifier"),
        ({"line_refs": {"12": "="}}, "line_refs.12: '=' is not one of"),
        ({"dates": {"011": "shipped"}}, "dates.011: 'shipped' is not one of"),
        ({"descriptions": ("name",)}, "descriptions: 'name' is not one of"),
        ({"parties": (Party(role="ST", who="us", id="plant"),)}, "parties: 'plant' is not one of"),
        ({"charges": {"6100": Charge()}}, "charges.6100: give either `code` or `tax`"),
        ({"charges": {"6100": Charge(code="9999")}}, "charges.code: '9999' is not a known"),
        ({"fob": "??"}, "fob: '??' is not a known"),
        ({"price_basis": {"Case": "XX"}}, "price_basis: 'XX' is not a known"),
        ({"codes": {"BIG07": ("QX",)}}, "codes: 'QX' is not a Transaction Type Code (BIG07)"),
        ({"codes": {"BIG01": ("1",)}}, "codes: BIG01 is no code but a DT"),
        ({"defaults": {"PID08": "Y"}}, "fixed, defaults: by what is mapped PID08 needs PID04 cannot hold in PID*F"),
        ({"defaults": {"BIG01": "Monday"}}, 'BIG01 (Date): "Monday" is not what X12 wants here'),
        ({"defaults": {"BIG07": "DI"}, "fixed": {"BIG07": "DI"}}, "defaults: BIG07 is also fixed"),
        ({"override": ("ZZZ",)}, "override: 'ZZZ' is no segment or element of set 810"),
        ({"forbid": ("IT103",)}, "forbid: without IT103 IT102, IT103 and IT104 go together"),
        ({"forbid": ("TDS",)}, "TDS is missing in set 810"),
        ({"limits": {"BIG02": 30}}, "limits: BIG02 must be 1 to 22"),
        ({"fixed": {"BIG07": "QX"}}, "fixed: 'QX' is not a Transaction Type Code (BIG07)"),
        ({"item_ids": ("UP",), "item_fields": {"UP": "upc"}}, "item_fields.UP: 'upc' is not one of"),
        ({"contact": Person(function="??", name="A")}, "contact.function: '??' is not a known"),
        ({"payment_methods": {"Cheque": "???"}}, "payment_methods: '???' is not a known"),
    ],
)
def test_a_guide_that_asks_for_what_cannot_be_is_refused(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        invoice_plan(msgspec.structs.replace(GUIDE, **keys), "self_bill")
    assert [why for why in caught.value.why.split("; ") if why.startswith(problem)]


@pytest.mark.parametrize(
    ("keys", "segment"),
    [
        ({"forbid": ("IT103",), "override": ("IT1",)}, "IT1*2*1**15"),
        ({"fixed": {"BIG07": "QX"}, "override": ("BIG07",)}, "BIG*20260131*INV-1001**PO-88***QX"),
        ({"refs": {"9Q9": "vendor"}, "override": ("refs",)}, "REF*9Q9*V-1014"),
        ({"forbid": ("TDS",), "override": ("TDS",)}, "CTT*3"),
        ({"forbid": ("BIG01",), "override": ("BIG01",)}, "BIG**INV-1001**PO-88***DI"),
    ],
)
def test_override_lets_a_guide_know_better_than_the_standard(keys: dict[str, Any], segment: str) -> None:
    plan = invoice_plan(msgspec.structs.replace(GUIDE, **keys), "self_bill")
    subject = {"bill": BILL, "us": {"name": "HV", "id": "HV01"}, "partner": {"code": "RIVERBEND"}}
    assert segment in plan.render(subject).decode().split("~\n")


def test_a_guide_may_name_places_of_the_other_sets_of_its_partner() -> None:
    document("810", limits={"BEG03": 10}, require=("PO1",), forbid=("BEG08",))


# -- all at once ------------------------------------------------------------------------------------------------------

ALL: dict[str, Any] = {
    "version": "004010VICS",
    "refs": {"IA": "vendor", "DP": "=0042", "VV": "record"},
    "line_refs": {"12": "account"},
    "dates": {"011": "date"},
    "parties": (
        Party(role="BT", who="us"),
        Party(role="ST", who="entity", qualifier="UL"),
        Party(role="SU", who="vendor", qualifier="91"),
        Party(role="RI", who="remit_to"),
    ),
    "item_ids": ("UP", "IN"),
    "item_fields": {"UP": "vendor_item"},
    "send_description": True,
    "contact": Person(function="AP", name="Ann Payable", phone="5551234567", email="ap@hv.example"),
    "fob": "PP",
    "charges": {"6100": Charge(code="D240")},
    "allowance_code": "C310",
    "price_basis": {"Case": "HP"},
    "discount_amounts": True,
    "hash_total": True,
    "require": ("ITD", "DTM*011", "PID05"),
    "forbid": ("ITD12", "CUR"),
    "home_currency": "USD",
    "limits": {"BIG02": 15},
    "codes": {"IT103": ("CA", "EA", "LB")},
    "uppercase": True,
}


@pytest.mark.parametrize("set", PLANS)
def test_a_document_by_a_long_guide_is_its_golden_file(set: str) -> None:
    out = "~\n".join(document(set, **ALL)) + "~\n"
    assert out == (GOLDEN / f"{set}_by_a_long_guide.edi").read_text()


SOME = st.fixed_dictionaries(
    {"home_currency": st.sampled_from(["USD", "CAD"])},
    optional={
        key: st.just(value)
        for key, value in ALL.items()
        if key not in ("require", "version", "item_ids", "item_fields", "home_currency")
    }
    | {
        "version": st.sampled_from(["004010", "005010", "004010UCS"]),
        "credit_sign": st.sampled_from(["minus", "type"]),
        "on_delimiter": st.just("replace"),
        "long_text": st.just("cut"),
        "defaults": st.just({"BIG08": "00", "N404": "US", "PID09": "EN"}),
        "charges": st.just({"6100": Charge(tax="ST"), "5000": Charge(code="D240", handling="02")}),
    },
)
TEXTS = st.one_of(st.just(""), st.text(max_size=90), st.sampled_from(["Limes", "crème", "2*4", "a~b"]))
LINES = st.lists(
    st.fixed_dictionaries(
        {
            "amount": st.integers(-(10**6), 10**6).map(lambda cents: Decimal(cents).scaleb(-2)),
            "description": TEXTS,
            "unit": st.sampled_from(["", "Case", "Each"]),
            "item": st.sampled_from(["", "B-9"]),
            "account": st.sampled_from(["", "5000", "6100", "7000"]),
        }
    ),
    min_size=1,
    max_size=6,
)


@given(set=st.sampled_from(sorted(PLANS)), keys=SOME, lines=LINES, description=TEXTS)
@settings(deadline=None, max_examples=100)
def test_whatever_the_guide_a_bill_is_written_right_or_refused(
    set: str, keys: dict[str, Any], lines: list[dict[str, Any]], description: str
) -> None:
    booked = tuple(BillLine(number=number, **line) for number, line in enumerate(lines, start=1))
    total = sum((line.amount for line in booked), Decimal(0))
    bill = msgspec.structs.replace(BILL, lines=booked, total=total, purchase=None, description=description)
    guide = msgspec.structs.replace(GUIDE, item_ids=("UP", "IN"), item_fields={"UP": "vendor_item"}, **keys)
    plan = PLANS[set](guide)
    scope = {
        "bill": bill,
        "us": {"name": "HV", "id": "HV01"},
        "partner": {"code": "R"},
        "document": {"purpose": "original"},
    }
    quick_notes: dict[str, str] = {}
    careful_notes: dict[str, str] = {}
    quick = plan._plainly(scope, quick_notes)
    try:
        written(set, bill, guide)
        careful = plan._carefully(scope, careful_notes, [])
    except DataError:
        return
    assert quick is None or (quick, quick_notes) == (careful, careful_notes)


# -- as written in a partner file ------------------------------------------------------------------------------------

WRITTEN = """\
guide:
  version: "005010"
  implementation: HV810V1
  refs: { IA: vendor, DP: "=0042" }
  line_refs: { "12": account }
  payment_refs: { CK: number }
  dates: { "011": date }
  parties:
    - { role: BT, who: us }
    - { role: ST, who: entity, qualifier: UL, sets: ["810"] }
    - { role: SE, who: vendor, id: "=0012345678905", name: The Seller }
  item_ids: [UP, IN]
  item_fields: { UP: vendor_item }
  descriptions: [description, item]
  send_description: true
  contact: { function: AP, name: Ann, phone: "5551234567", email: ap@hv.example }
  fob: PP
  currency_entity: SE
  home_currency: USD
  charges: { "6100": { code: D240, handling: "06" }, "2300": { tax: ST } }
  allowance_code: C310
  price_basis: { Case: HP }
  discount_amounts: true
  hash_total: true
  payment_methods: { Printed Check: CHK }
  payment_format: CCP
  credits: adjustments
  defaults: { N404: US }
  codes: { IT103: [CA, EA] }
  limits: { BIG02: 30 }
  override: [BIG02]
"""


def test_every_key_can_be_written_in_a_partner_file(
    write: Callable[..., Path], partner_file: Callable[..., str], context: Callable[..., Context]
) -> None:
    folder = write({"alpha": partner_file("ALPHA", more=WRITTEN)})
    partners, findings = load_partners(folder)
    assert (partners is not None, findings) == (True, [])
    build_route(RouteSettings(), context(folder.parent))


def test_a_key_that_asks_for_too_much_is_found_at_its_line(
    write: Callable[..., Path], partner_file: Callable[..., str]
) -> None:
    folder = write({"alpha": partner_file("ALPHA", more=WRITTEN.replace("  override: [BIG02]\n", ""))})
    (finding,) = load_partners(folder)[1]
    assert (finding.path, finding.line) == (
        "$.guide.limits",
        5 + WRITTEN.splitlines().index("  limits: { BIG02: 30 }") + 1,
    )


# -- provenance -------------------------------------------------------------------------------------------------------


def test_the_origin_of_an_element_names_field_key_and_place() -> None:
    guide = msgspec.structs.replace(GUIDE, refs={"DP": "=0042"}, fixed={"BIG07": "DI"}, defaults={"N404": "US"})
    places = {
        "guide.units": "riverbend.yaml:9",
        "guide.refs.DP": "riverbend.yaml:12",
        "guide.fixed.BIG07": "_default.yaml:3",
    }
    origins = invoice_plan(guide, "self_bill", lambda key: places.get(key, "")).origins
    assert explain(origins, "BIG02") == ["BIG02 <- bill.number"]
    assert explain(origins, "BIG07") == ['BIG07 <- "DI", by guide.fixed.BIG07 (_default.yaml:3)']
    assert explain(origins, "IT103") == ["IT103 <- unit[bill.lines.unit], by guide.units (riverbend.yaml:9)"]
    assert explain(origins, "REF*DP") == [
        'REF01 of REF*DP <- "DP", by guide.refs.DP (riverbend.yaml:12)',
        'REF02 of REF*DP <- "0042", by guide.refs.DP (riverbend.yaml:12)',
    ]
    assert explain(origins, "N404") == ['N404 <- bill.remit_to.address.country, else "US", by guide.defaults.N404']
    assert len(explain(origins, "N102")) == 3
    assert explain(origins, "ZZZ01") == []


def test_a_document_of_many_lines_is_written_whole() -> None:
    lines = tuple(
        BillLine(number=n, amount=Decimal("1.00"), description=f"Line {n}", unit="Each") for n in range(1, 100_001)
    )
    bill = msgspec.structs.replace(BILL, total=Decimal("100000.00"), lines=lines)
    subject = {"bill": bill, "us": {"name": "HV", "id": "HV01"}, "partner": {"code": "RIVERBEND"}}
    body = invoice_plan(GUIDE, "self_bill").render(subject)
    assert body.count(b"IT1*") == 100_000
    assert b"CTT*100000~" in body
