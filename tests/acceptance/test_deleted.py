"""What happens in Intacct without a trace on the record itself: deletions, and addresses edited on their own."""

from __future__ import annotations

from typing import Any

BILLS = 60


async def test_a_deleted_bill_is_held_once_it_was_sent_and_a_replay_closes_it(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await rig.run()
        sent = {key for (key,) in rig.rows("select key from documents where status = 'delivered'")}
        bills = rig.intacct.bills()
        delivered = next(bill for bill in bills if str(bill.record) in sent and bill.number)
        unsent = next(bill for bill in bills if bill.purchase is None and str(bill.record) not in sent)
        docid = next(bill.purchase for bill in bills if bill.purchase in sent)
        before = len(rig.far.arrivals())
        rig.intacct.delete_bill(delivered.record)
        rig.intacct.delete_bill(unsent.record)
        rig.intacct.edit_purchase(docid)
        outcome = await rig.run()
        report = outcome.json
        assert (outcome.code, report["held"], report["balanced"]) == (5, 1, True), outcome.err
        assert report["excluded"] >= 1
        (letter,) = (await rig.command("dead", "--error", "MLC-DOC-0004", "--json")).json["items"]
        assert delivered.number in letter["where"]
        assert "deleted in Intacct by mlc on" in letter["why"]
        assert letter["owner"] == "AP"
        again = await rig.run()
        assert (again.code, again.json["held"]) == (5, 1)  # read once more in the overlap: the same exception
        replayed = await rig.command("replay", letter["id"], "--json")
        assert replayed.code == 0, replayed.err
        last = await rig.run()
        assert (last.code, last.json["held"]) == (0, 0), last.err
        assert len(rig.far.arrivals()) == before
        await rig.check_exactly_once()


async def test_a_deleted_vendor_is_held_while_its_trading_partner_stands_and_a_replay_closes_it(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        flow = ("run", str(rig.flows / "vendors.yaml"), "--json")
        assert (await rig.command(*flow)).code == 0
        vendor = next(each for each in rig.world.vendors if each.status == "active")
        rig.intacct.delete_vendor(vendor.id)
        outcome = await rig.command(*flow)
        assert (outcome.code, outcome.json["held"], outcome.json["balanced"]) == (5, 1, True), outcome.err
        (letter,) = (await rig.command("dead", "--json")).json["items"]
        assert (letter["code"], letter["key"], vendor.name in letter["where"]) == ("MLC-DOC-0004", vendor.id, True)
        replayed = await rig.command("replay", letter["id"], "--json")
        assert replayed.code == 0, replayed.err
        assert (await rig.command("dead", "--json")).json["total"] == 0
        assert not [each for each in rig.sterling.effects() if each["effect"] == "partner.deleted"]


async def test_an_address_edited_on_its_own_reaches_the_trading_partner(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        flow = ("run", str(rig.flows / "vendors.yaml"), "--json")
        assert (await rig.command(*flow)).code == 0
        vendor = next(
            each for each in rig.world.vendors if each.status == "active" and each.contact and not each.pay_to
        )
        rig.intacct.edit_contact(vendor.contact.name, city="Newtown")
        before = len(rig.sterling.effects())
        outcome = await rig.command(*flow)
        assert (outcome.code, outcome.json["delivered"]) == (0, 1), outcome.err
        (effect,) = [each for each in rig.sterling.effects()[before:] if each["effect"].startswith("partner")]
        assert effect["effect"] == "partner.updated"
