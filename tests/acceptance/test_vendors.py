"""What happens to vendors in the books, and what it comes to in Sterling: by its log of effects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import yaml

from stages.ap.partners import load_partners

BILLS = 20


async def vendors(rig: Any, *options: str) -> Any:
    return await rig.command("run", str(rig.flows / "vendors.yaml"), "--json", *options)


def since(rig: Any, before: int) -> list[tuple[str, str]]:
    """What took effect on which partner."""
    return [(e["effect"], e.get("partner", "")) for e in rig.sterling.effects()[before:]]


def alone(rig: Any, place: int = 0) -> Any:
    """An active vendor without a partner file."""
    there = rig.sterling.hub.partners
    return [v for v in rig.world.vendors if v.status == "active" and v.contact and v.id.replace("-", "_") in there][
        place
    ]


def edit(rig: Any, vendor: Any, **changes: Any) -> None:
    """Somebody saves the vendor in the books, now."""
    rig.intacct.put_vendor(msgspec.structs.replace(vendor, modified=datetime.now(UTC), **changes))


def write_file(rig: Any, code: str, *ids: str) -> None:
    body = {"partner": code, "name": code.title(), "vendors": list(ids), "mailbox": f"/{code}/Inbound"}
    body["identity"] = {"isa": {"qualifier": "ZZ", "id": code}, "gs": code}
    (rig.flows / "partners" / f"{code.lower()}.yaml").write_text(yaml.safe_dump(body))


async def test_a_new_address_is_written_and_nothing_else_of_the_partner(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await vendors(rig)
        vendor = alone(rig)
        name, before = vendor.id.replace("-", "_"), len(rig.sterling.effects())
        row = {member: value for member, value in rig.sterling.hub.partners[name].items() if value}
        edit(rig, vendor, contact=msgspec.structs.replace(vendor.contact, city="Newtown"))
        assert (await vendors(rig)).code == 0
        assert since(rig, before) == [("partner.updated", name)]
        after = {member: value for member, value in rig.sterling.hub.partners[name].items() if value}
        assert after == {**row, "city": "Newtown"}


async def test_a_renamed_vendor_keeps_its_partner(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await vendors(rig)
        vendor, before = alone(rig), len(rig.sterling.effects())
        partners = dict(rig.sterling.hub.partners)
        edit(rig, vendor, name="Another Name Entirely")
        assert (await vendors(rig)).code == 0
        assert set(rig.sterling.hub.partners) == set(partners)
        assert {effect for effect, _ in since(rig, before)} <= {"partner.updated"}


async def test_a_partner_file_takes_the_vendors_trading_partner_over_and_gives_it_its_mailboxes(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await vendors(rig)
        vendor, before = alone(rig), len(rig.sterling.effects())
        name = vendor.id.replace("-", "_")
        write_file(rig, "NEWCO", vendor.id)
        await vendors(rig)
        assert rig.sterling.hub.partners[name]["code"] == vendor.id, "the vendor itself has not changed"
        assert (await vendors(rig, "--rewrite")).code == 0
        assert rig.sterling.hub.partners[name]["code"] == "NEWCO"
        assert "NEWCO" not in rig.sterling.hub.partners
        made = {e["path"] for e in rig.sterling.effects()[before:] if e["effect"] == "mailbox.created"}
        assert made == {"/NEWCO", "/NEWCO/Inbound", "/NEWCO/Outbound"}


async def test_two_vendors_become_one_partner_and_the_one_too_many_is_named(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await vendors(rig)
        first, second = alone(rig, 0), alone(rig, 1)
        write_file(rig, "MERGED", second.id, first.id)
        assert (await vendors(rig, "--rewrite")).json["balanced"]
        codes = {name: row["code"] for name, row in rig.sterling.hub.partners.items()}
        assert (codes[second.id.replace("-", "_")], codes[first.id.replace("-", "_")]) == ("MERGED", first.id)
        drift = (await rig.command("drift", str(rig.flows / "vendors.yaml"), "--json")).json
        assert [(item["kind"], item["key"]) for item in drift["items"]] == [("extra", first.id)]
        assert "merged into partner MERGED" in drift["items"][0]["note"]


async def test_a_vendor_that_is_no_longer_active_waits_for_a_person_and_nothing_is_taken_away(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await vendors(rig)
        vendor, before = alone(rig), len(rig.sterling.effects())
        edit(rig, vendor, status="inactive")
        outcome = await vendors(rig)
        assert (outcome.code, outcome.json["held"], since(rig, before)) == (5, 1, [])


async def test_without_the_filter_the_login_of_an_inactive_vendor_can_be_blocked_and_comes_back(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        rig.edit(("  - active: { filter: \"vendor.status == 'active'\", rule: not active }\n", ""), name="vendors.yaml")
        rig.edit(("community: AP_VENDORS,", "community: AP_VENDORS, inactive: block,"), name="vendors.yaml")
        first = (await vendors(rig)).json
        assert first["balanced"]
        inactive = {v.id.replace("-", "_") for v in rig.world.vendors if v.status == "inactive"}
        assert not inactive & set(rig.sterling.hub.partners), "one that never was active gets none"
        vendor = alone(rig)
        account = rig.sterling.hub.accounts[vendor.id.replace("-", "_").lower()]
        held = list(account.permissions)
        for status, permissions in (("inactive", []), ("active", held)):
            edit(rig, vendor, status=status)
            assert (await vendors(rig)).code == 0
            assert account.permissions == permissions


async def test_a_merged_partner_is_made_from_the_next_active_vendor_and_from_the_first_again_once_it_is_active(
    rigs: Any,
) -> None:
    async with rigs(BILLS) as rig:
        await vendors(rig)
        first, other = alone(rig, 0), alone(rig, 1)
        write_file(rig, "MERGED", first.id, other.id)
        await vendors(rig, "--rewrite")
        del rig.sterling.hub.partners[other.id.replace("-", "_")]  # as drift says
        row, before = rig.sterling.hub.partners[first.id.replace("-", "_")], len(rig.sterling.hub.partners)
        edit(rig, first, status="inactive")
        left = await vendors(rig)
        assert (left.code, left.json["held"]) == (5, 1)
        (letter,) = (await rig.command("dead", "--json")).json["items"]
        assert (letter["code"], letter["key"], row["emailAddress"]) == ("MLC-DOC-0003", first.id, first.contact.email)
        edit(rig, other, contact=msgspec.structs.replace(other.contact, email="other@vendor.example"))
        assert (await vendors(rig)).json["delivered"] >= 1
        assert (row["code"], row["emailAddress"]) == ("MERGED", "other@vendor.example")
        assert (await rig.command("drift", str(rig.flows / "vendors.yaml"), "--json")).json["items"] == []
        assert (await rig.command("replay", letter["id"], "--json")).code == 0
        assert (await rig.command("dead", "--json")).json["items"] == []
        edit(rig, first, status="active")
        await vendors(rig, "--rewrite")
        assert (row["code"], row["emailAddress"]) == ("MERGED", first.contact.email)
        assert len(rig.sterling.hub.partners) == before


async def test_a_rewrite_makes_a_merged_partner_whose_first_vendor_was_never_active(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        filed = load_partners(rig.flows / "partners")[0]
        assert filed is not None
        first, other = [
            v
            for v in rig.world.vendors
            if v.status == "active" and v.contact and v.contact.email and not filed.for_vendor(v.id)
        ][:2]
        edit(rig, first, status="inactive")
        write_file(rig, "MERGED", first.id, other.id)
        await vendors(rig)
        await vendors(rig, "--rewrite")
        assert rig.sterling.hub.partners["MERGED"]["emailAddress"] == other.contact.email
