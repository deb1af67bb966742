"""``ap.route``: which drafts a bill becomes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline import Context, DataError, Excluded, FlowError, Record
from stages.ap import ADAPTER
from stages.ap.model import Bill
from stages.ap.route import RouteSettings, RouteStage, build_route, duplicate_guard, lint_route
from stages.ap.seed import PLANTED, SeedBill, World, build_world
from stages.x12.writing.stage import Encode

SHIPPED = Path(__file__).parents[3] / "flows"
PAYABLE = ("Posted", "Selected", "Partially Paid", "Paid")

SPLIT = """\
documents:
  - { set: "810", role: self_bill, when: "bill.MODULEKEY != '9.PO'" }
  - { set: "850", role: order, when: "bill.MODULEKEY == '9.PO'" }
"""
BOTH = """\
documents:
  - { set: "810", role: self_bill }
  - { set: "850", role: order, when: "bill.MODULEKEY == '9.PO'" }
"""
ORDERS = """\
documents:
  - { set: "850", role: order, when: "bill.MODULEKEY == '9.PO'" }
"""
BIG_ONLY = """\
documents:
  - { set: "810", role: debit_memo, when: "bill.total > 100" }
"""


@pytest.fixture
def stage(
    write: Callable[..., Path], partner_file: Callable[..., str], context: Callable[..., Context]
) -> Callable[..., RouteStage]:
    """The stage over one partner file with these further lines."""

    def stage(more: str = "") -> RouteStage:
        folder = write({"alpha": partner_file("ALPHA", "V-1", "V-2", more=more)})
        return build_route(RouteSettings(), context(folder.parent))

    return stage


@pytest.mark.parametrize(
    ("rules", "module", "sets"),
    [
        ("", "3.AP", ["810"]),
        ("", "9.PO", ["810"]),
        (SPLIT, "3.AP", ["810"]),
        (SPLIT, "9.PO", ["850"]),
        (BOTH, "3.AP", ["810"]),
        (BOTH, "9.PO", ["810", "850"]),
        (ORDERS, "9.PO", ["850"]),
    ],
)
def test_every_rule_that_holds_makes_a_document(
    stage: Callable[..., RouteStage], bill_record: Callable[..., Record], rules: str, module: str, sets: list[str]
) -> None:
    assert [record.body.set for record in stage(rules)(bill_record(module=module))] == sets


@pytest.mark.parametrize(
    ("rules", "vendor", "rule"),
    [
        ("", "V-3", "not on EDI"),
        (ORDERS, "V-1", "nothing asked for"),
        (BIG_ONLY, "V-1", "nothing asked for"),
        ("documents: []\n", "V-1", "nothing asked for"),
    ],
)
def test_what_nobody_asked_for_is_excluded_by_a_named_rule(
    stage: Callable[..., RouteStage], bill_record: Callable[..., Record], rules: str, vendor: str, rule: str
) -> None:
    with pytest.raises(Excluded) as excluded:
        stage(rules)(bill_record(vendor=vendor))
    assert excluded.value.rule == rule


def test_a_condition_that_names_an_unknown_field_stops_the_flow(
    stage: Callable[..., RouteStage], bill_record: Callable[..., Record]
) -> None:
    with pytest.raises(FlowError, match="MODULEKEY"):
        stage(ORDERS)(bill_record(source={}))


def test_a_draft_carries_what_the_partner_file_says(
    stage: Callable[..., RouteStage], bill_record: Callable[..., Record]
) -> None:
    more = 'batch: { documents: 3 }\namendments: hold\nacknowledgement: { expect: "999", within: 4h }\n'
    (record,) = stage(more)(bill_record(vendor="V-2"))
    draft = record.body
    assert (draft.partner, draft.address, draft.batch, draft.amendments) == ("ALPHA", "/ALPHA/Inbound", 3, "hold")
    assert (draft.acknowledgement, draft.acknowledge_within) == ("999", 4 * 3600)
    assert draft.subject["us"] == {"name": "Harbor & Vale", "id": "HARBORVALE"}
    assert draft.subject["partner"] == {"code": "ALPHA", "name": "Alpha Foods"}
    assert (record.key, record.label, record.object) == ("101", "INV-1", "APBILL")


def test_a_partner_that_never_acknowledges_is_not_waited_for(
    stage: Callable[..., RouteStage], bill_record: Callable[..., Record]
) -> None:
    (record,) = stage("acknowledgement: { expect: none }\n")(bill_record())
    assert (record.body.acknowledgement, record.body.acknowledge_within) == ("", 0)


def test_plans_are_shared_between_bills(stage: Callable[..., RouteStage], bill_record: Callable[..., Record]) -> None:
    route = stage()
    (first,), (second,) = route(bill_record()), route(bill_record(vendor="V-2"))
    assert first.body.plan is second.body.plan
    assert first.body.subject["bill"].vendor == "V-1"


@pytest.mark.parametrize(
    "more",
    [
        'guide: { delimiters: { segment: "!" } }\n',
        "mailbox: /ELSEWHERE\n",
        "identity: { isa: { qualifier: ZZ, id: OTHER }, gs: OTHER }\n",
        "identity: { isa: { qualifier: ZZ, id: ALPHA }, gs: ALPHA, usage: T }\n",
    ],
)
def test_documents_of_unequal_envelope_or_mailbox_never_share_an_interchange(
    write: Callable[..., Path],
    partner_file: Callable[..., str],
    context: Callable[..., Context],
    bill_record: Callable[..., Record],
    more: str,
) -> None:
    usual = partner_file("ALPHA")
    key = more.partition(":")[0]
    changed = "\n".join(line for line in usual.splitlines() if not line.startswith(f"{key}:")) + "\n" + more
    groups = []
    for text in (usual, changed):
        route = build_route(RouteSettings(), context(write({"alpha": text}).parent))
        groups.append(route(bill_record())[0].body.group)
    assert groups[0] != groups[1]


def test_an_invoice_and_an_order_never_share_an_interchange(
    stage: Callable[..., RouteStage], bill_record: Callable[..., Record]
) -> None:
    invoice, order = stage(BOTH)(bill_record(module="9.PO"))
    assert invoice.body.group != order.body.group


@pytest.mark.parametrize(
    ("number", "total", "guard"),
    [
        ("INV-1", "10.00", "V-1|INV-1|10|USD"),
        ("INV-1", "10", "V-1|INV-1|10|USD"),
        (" INV-1 ", "10.50", "V-1|INV-1|10.5|USD"),
        ("INV-1", "1000.00", "V-1|INV-1|1000|USD"),
        ("INV-1", "-0.10", "V-1|INV-1|-0.1|USD"),
        ("", "10.00", ""),
    ],
)
def test_the_duplicate_guard_is_vendor_number_amount_and_currency(
    bill_record: Callable[..., Record], number: str, total: str, guard: str
) -> None:
    assert duplicate_guard(bill_record(number=number, total=Decimal(total)).body) == guard


def test_the_environment_names_another_folder(
    write: Callable[..., Path],
    partner_file: Callable[..., str],
    context: Callable[..., Context],
    bill_record: Callable[..., Record],
    tmp_path: Path,
) -> None:
    elsewhere = write({"alpha": partner_file("ALPHA")}).rename(tmp_path / "elsewhere")
    route = build_route(RouteSettings(), context(tmp_path / "none", MLC_PARTNERS=str(elsewhere)))
    assert route(bill_record())[0].body.partner == "ALPHA"


def test_an_empty_variable_counts_as_unset(
    write: Callable[..., Path],
    partner_file: Callable[..., str],
    context: Callable[..., Context],
    bill_record: Callable[..., Record],
) -> None:
    folder = write({"alpha": partner_file("ALPHA")})
    route = build_route(RouteSettings(), context(folder.parent, MLC_PARTNERS=""))
    assert route(bill_record())[0].body.partner == "ALPHA"


def test_wrong_partner_files_stop_the_stage_with_every_finding(
    write: Callable[..., Path], partner_file: Callable[..., str], context: Callable[..., Context]
) -> None:
    folder = write({"a": partner_file("ALPHA", more="batch: { documents: 0 }\n"), "b": partner_file("BETA", "V-1")})
    with pytest.raises(FlowError) as error:
        build_route(RouteSettings(), context(folder.parent))
    assert len(error.value.findings) == 2


def test_a_guide_that_no_plan_can_meet_is_a_finding_at_its_place(
    write: Callable[..., Path], partner_file: Callable[..., str]
) -> None:
    folder = write({"alpha": partner_file("ALPHA", more="guide:\n  forbid: [BIG]\n")})
    (finding,) = lint_route(RouteSettings(), folder.parent, {})
    assert (finding.code, finding.line, finding.path) == ("MLC-PART-0010", 7, "$.guide")
    assert "BIG" in finding.message


def test_the_adapter_offers_both_stages_with_their_lint() -> None:
    assert {spec.name: (spec.verb, spec.lint is not None) for spec in ADAPTER.stages} == {
        "ap.route": ("map", True),
        "ap.partner": ("map", True),
    }


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=2, bills=300)


def test_every_payable_edi_bill_of_the_world_is_written_but_for_the_planted_ones(
    world: World, context: Callable[..., Context], as_bill: Callable[[World, SeedBill], Bill]
) -> None:
    route, encode = build_route(RouteSettings(), context(SHIPPED)), Encode()
    outcomes: dict[str, list[str]] = {"written": [], "excluded": [], "dead": []}
    for seed in world.bills:
        if seed.state not in PAYABLE or world.planted.get(seed.record) == "purchasing document missing":
            continue
        bill = as_bill(world, seed)
        record = Record(key=bill.record, kind="bill", body=bill, label=bill.number)
        try:
            documents = [document for routed in route(record) for document in encode.render(routed)]
            outcomes["written" if documents else "dead"].append(bill.record)
        except Excluded:
            outcomes["excluded"].append(bill.record)
        except DataError:
            outcomes["dead"].append(bill.record)
    deadly = {row.reason for row in PLANTED if row.outcome == "dead"}
    assert outcomes["dead"] == [str(record) for record in world.planted if world.planted[record] in deadly]
    assert {str(record) for record in world.awkward} <= set(outcomes["written"])
    assert len(outcomes["written"]) > 100
