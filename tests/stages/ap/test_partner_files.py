"""The shipped partner files: they load without a finding, and they and the seeded world tell the same story."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from stages.ap.partners import Partners, load_partners
from stages.ap.seed import PLANTED, build_world

FOLDER = Path(__file__).parents[3] / "flows" / "partners"


@pytest.fixture(scope="module")
def shipped() -> Partners:
    partners, findings = load_partners(FOLDER)
    assert findings == []
    assert partners is not None
    return partners


def test_the_world_and_the_files_name_the_same_partners(shipped: Partners) -> None:
    files = {(p.code, p.name, p.vendors, p.mailbox) for p in shipped.all}
    assert files == {(p.code, p.name, p.vendors, p.mailbox) for p in build_world(bills=0).partners}
    assert len(files) == 41


def test_every_partner_vendor_is_an_active_vendor_of_the_world(shipped: Partners) -> None:
    active = {vendor.id for vendor in build_world(bills=0).vendors if vendor.status == "active" and not vendor.one_time}
    assert {vendor for partner in shipped.all for vendor in partner.vendors} <= active


def test_partners_of_planted_bills_want_an_invoice_of_every_bill(shipped: Partners) -> None:
    for row in PLANTED:
        partner = shipped.for_vendor(row.vendor)
        assert partner is not None
        assert [(rule.set, rule.when) for rule in partner.documents] == [("810", None)]


def test_every_unit_of_the_goods_is_mapped(shipped: Partners) -> None:
    world = build_world(bills=300)
    for purchase in world.purchases:
        partner = shipped.for_vendor(purchase.vendor)
        if partner:
            assert {line.unit for line in purchase.lines} - {"Tote"} <= set(partner.guide.units)


def test_every_terms_name_is_translated(shipped: Partners) -> None:
    names = {vendor.terms for vendor in build_world(bills=0).vendors}
    for partner in shipped.all:
        assert names <= set(partner.guide.terms)


def test_the_files_are_as_different_as_partners_are(shipped: Partners) -> None:
    every = shipped.all
    assert Counter(p.identity.isa.qualifier for p in every) == {"ZZ": 19, "01": 9, "12": 8, "08": 5}
    assert Counter(p.guide.version for p in every) == {"004010": 31, "005010": 8, "004010UCS": 2}
    assert Counter(p.guide.delimiters.segment for p in every) == {"~": 36, "\n": 3, "'": 1, "!": 1}
    assert Counter(p.guide.delimiters.component for p in every) == {">": 33, ":": 8}
    assert Counter(p.identity.usage for p in every) == {"P": 38, "T": 3}
    assert Counter(p.batch.documents for p in every) == {50: 37, 1: 4}
    assert sum(p.acknowledgement.ta1 for p in every) == 6
    assert sum(len({rule.set for rule in p.documents}) == 2 for p in every) == 4
