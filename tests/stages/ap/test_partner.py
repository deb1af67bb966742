"""``ap.partner``: which trading partner a vendor becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipeline import Context, DataError, Excluded, FlowError, Known, Record
from stages.ap.model import Address, Contact, Vendor
from stages.ap.partner import PartnerSettings, PartnerStage, TradingPartner, build_partner, lint_partner
from stages.ap.partners import Defaults
from stages.ap.seed import SeedVendor, build_world

SHIPPED = Path(__file__).parents[3] / "flows"
MARY = Contact(
    first_name="Mary",
    last_name="Holt",
    email="mary@foods.example",
    phone="603-555-0101",
    address=Address(line1="1 Mill Street", line2="Dock 2", city="Keene", state="NH", postal_code="03431", country="US"),
)


def _vendor(vendor: str = "V-1", **changes: object) -> Record:
    body = Vendor(id=vendor, name=" Alpha Foods Inc ", **{"contact": MARY, **changes})  # type: ignore[arg-type]
    return Record(key=vendor, kind="vendor", body=body, object="VENDOR")


@pytest.fixture
def stage(
    write: Callable[..., Path], partner_file: Callable[..., str], context: Callable[..., Context]
) -> Callable[..., PartnerStage]:
    """The stage over one partner file for V-7 and V-8 with these further lines."""

    def stage(more: str = "", settings: PartnerSettings | None = None) -> PartnerStage:
        folder = write({"alpha": partner_file("ALPHA", "V-7", "V-8", more=more)})
        return build_partner(settings or PartnerSettings(), context(folder.parent))

    return stage


async def test_a_vendor_in_no_file_stands_for_itself(stage: Callable[..., PartnerStage]) -> None:
    record = await stage()(_vendor())
    assert record.key == "V-1"
    assert record.body == TradingPartner(
        code="V-1",
        name="V_1",
        vendors=("V-1",),
        display_name="Alpha Foods Inc",
        given_name="Mary",
        surname="Holt",
        email="mary@foods.example",
        phone="603-555-0101",
        address_line1="1 Mill Street",
        address_line2="Dock 2",
        city="Keene",
        state="NH",
        postal_code="03431",
        country="US",
    )


async def test_the_first_vendor_of_a_file_carries_the_partner(stage: Callable[..., PartnerStage]) -> None:
    record = await stage()(_vendor("V-7"))
    assert record.key == "V-7"
    assert (record.body.code, record.body.name, record.body.vendors) == ("ALPHA", "ALPHA", ("V-7", "V-8"))
    assert record.body.display_name == "Alpha Foods"


async def test_the_other_vendors_of_a_file_are_merged(stage: Callable[..., PartnerStage]) -> None:
    with pytest.raises(Excluded) as excluded:
        await stage()(_vendor("V-8"))
    assert excluded.value.rule == "merged into partner ALPHA"


MERGED = "merged into partner ALPHA"


@pytest.mark.parametrize(
    ("ledger", "carrier"),
    [
        ({}, "V-7"),
        ({"V-7": ""}, "V-7"),
        ({"V-7": "not active"}, "V-8"),
        ({"V-7": "MLC-DOC-0003"}, "V-8"),
        ({"V-7": MERGED}, "V-7"),
        ({"V-7": "not active", "V-8": MERGED}, "V-8"),
        ({"V-7": "not active", "V-8": "not active"}, "V-9"),
        ({"V-8": "not active"}, "V-7"),
    ],
)
async def test_a_partner_is_made_from_the_first_vendor_of_its_file_that_was_not_left_out(
    write: Callable[..., Path],
    partner_file: Callable[..., str],
    context: Callable[..., Context],
    ledger: dict[str, str],
    carrier: str,
) -> None:
    """``ledger``: what left the vendor out when it was read last. Whoever is read now is active."""
    folder = write({"alpha": partner_file("ALPHA", "V-7", "V-8", "V-9")})
    around = context(folder.parent)

    async def recall(company: str, object: str, names: Sequence[str]) -> list[Known]:
        return [Known(name, name, left_out=ledger[name]) for name in names if name in ledger]

    around.recall = recall
    made = []
    for vendor in [each for each in ("V-9", "V-8", "V-7") if ledger.get(each, "") in ("", MERGED)]:
        try:
            made.append((await build_partner(PartnerSettings(), around)(_vendor(vendor))).key)
        except Excluded as excluded:
            assert excluded.rule == MERGED  # noqa: PT017
    assert made == [carrier]


async def test_a_vendor_that_is_active_again_in_this_run_is_believed_more_than_the_ledger(
    stage: Callable[..., PartnerStage], context: Callable[..., Context]
) -> None:
    partner = stage()

    async def recall(company: str, object: str, names: Sequence[str]) -> list[Known]:
        return [Known(name, name, left_out="not active") for name in names]

    partner._recall = recall
    assert (await partner(_vendor("V-7"))).key == "V-7"
    with pytest.raises(Excluded, match=MERGED):
        await partner(_vendor("V-8"))


async def test_an_inactive_vendor_of_several_carries_no_partner(stage: Callable[..., PartnerStage]) -> None:
    with pytest.raises(Excluded, match="inactive, of partner ALPHA"):
        await stage()(_vendor("V-7", status="inactive"))


@pytest.mark.parametrize("vendor", ["V-7", "V-8"])
async def test_a_partner_that_opts_out_is_excluded_with_all_its_vendors(
    stage: Callable[..., PartnerStage], vendor: str
) -> None:
    with pytest.raises(Excluded) as excluded:
        await stage("trading_partner: { opt_out: true }\n")(_vendor(vendor))
    assert excluded.value.rule == "opted out"


@pytest.mark.parametrize(
    ("file", "contact", "default", "email"),
    [
        ("", Contact(), "", ""),
        ("", Contact(), "default@x.example", "default@x.example"),
        ("", MARY, "default@x.example", "mary@foods.example"),
        ("", Contact(email="  "), "default@x.example", "default@x.example"),
        ("trading_partner: { email: edi@x.example }\n", MARY, "default@x.example", "edi@x.example"),
    ],
)
async def test_the_file_wins_over_the_books_and_the_books_over_the_defaults(
    stage: Callable[..., PartnerStage], file: str, contact: Contact, default: str, email: str
) -> None:
    settings = PartnerSettings(defaults=Defaults(email=default))
    assert (await stage(file, settings)(_vendor("V-7", contact=contact))).body.email == email


@pytest.mark.parametrize(
    ("file", "community"), [("", "AP_VENDORS"), ("trading_partner: { community: GROCERS }\n", "GROCERS")]
)
async def test_the_community_is_the_flows_unless_the_file_names_one(
    stage: Callable[..., PartnerStage], file: str, community: str
) -> None:
    settings = PartnerSettings(community="AP_VENDORS")
    assert (await stage(file, settings)(_vendor("V-7"))).body.community == community


@pytest.mark.parametrize(
    ("vendor", "name"),
    [("V-1", "V_1"), ("acme.co", "acme_co"), ("Peña 7", "Pe_a_7"), ("A_9", "A_9"), ("V.1/x", "V_1_x")],
)
async def test_names_hold_letters_digits_and_underscores_only(
    stage: Callable[..., PartnerStage], vendor: str, name: str
) -> None:
    assert (await stage()(_vendor(vendor))).body.name == name


@pytest.mark.parametrize(("first", "second"), [("V-1", "V_1"), ("V-1", "v.1"), ("", "alpha")])
async def test_two_vendors_never_get_one_name(stage: Callable[..., PartnerStage], first: str, second: str) -> None:
    partner = stage()
    if first:
        await partner(_vendor(first))
    with pytest.raises(DataError, match="same name") as error:
        await partner(_vendor(second))
    assert error.value.code == "MLC-AP-0003"


async def test_a_vendor_read_twice_is_no_clash(stage: Callable[..., PartnerStage]) -> None:
    partner = stage()
    assert await partner(_vendor()) == await partner(_vendor())


def test_wrong_partner_files_stop_the_stage(stage: Callable[..., PartnerStage]) -> None:
    with pytest.raises(FlowError):
        stage("trading_partner: { opt_in: true }\n")


def test_lint_reports_the_partner_files_without_building_the_stage(
    write: Callable[..., Path], partner_file: Callable[..., str]
) -> None:
    folder = write({"a": partner_file("ALPHA", more="trading_partner: { country: usa }\n")})
    (finding,) = lint_partner(PartnerSettings(), folder.parent, {})
    assert (finding.line, finding.path) == (6, "$.trading_partner.country")


async def test_the_active_vendors_of_the_world_become_one_partner_each_but_for_merged_and_opted_out_ones(
    context: Callable[..., Context], as_vendor: Callable[[SeedVendor], Vendor]
) -> None:
    stage, rules, names = build_partner(PartnerSettings(), context(SHIPPED)), [], []
    for seed in build_world(bills=0).vendors:
        if seed.status == "active" and not seed.one_time:
            try:
                body = (await stage(Record(key=seed.id, kind="vendor", body=as_vendor(seed)))).body
                names.append(body.name)
            except Excluded as excluded:
                rules.append(excluded.rule)
    assert sorted(rules) == ["merged into partner RIVERBEND", "merged into partner TIDEWATER", "opted out"]
    assert len(set(names)) == len(names) == 211


@pytest.mark.parametrize(
    ("vendor", "status", "active"),
    [
        ("V-1", "active", True),
        ("V-1", "active non-posting", True),
        ("V-1", "inactive", False),
    ],
)
async def test_a_partner_is_inactive_with_the_only_vendor_it_stands_for(
    stage: Callable[..., PartnerStage], vendor: str, status: str, active: bool
) -> None:
    assert (await stage()(_vendor(vendor, status=status))).body.active is active


async def test_what_a_partner_file_says_of_mailboxes_and_ids_is_wanted_too(stage: Callable[..., PartnerStage]) -> None:
    wanted = (await stage("trading_partner: { formerly: [OLD, ALPHA] }")(_vendor("V-7"))).body
    assert wanted.formerly == ("OLD", "V-7", "V-8")
    assert wanted.mailboxes == ("/ALPHA/Inbound", "/ALPHA/Outbound")
    assert wanted.isa_id
    assert wanted.gs


@pytest.mark.parametrize(
    ("more", "mailboxes"),
    [
        ("acknowledgement: { expect: none }", ("/ALPHA/Inbound",)),
        ("acknowledgement: { expect: none, mailbox: /ALPHA/Acks }", ("/ALPHA/Inbound", "/ALPHA/Acks")),
    ],
)
async def test_a_mailbox_for_answers_is_wanted_where_answers_are(
    stage: Callable[..., PartnerStage], more: str, mailboxes: tuple[str, ...]
) -> None:
    assert (await stage(more)(_vendor("V-7"))).body.mailboxes == mailboxes
