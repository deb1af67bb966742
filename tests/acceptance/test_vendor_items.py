"""What vendors call our items, from the books of the gateway to the documents in the mailboxes."""

from __future__ import annotations

from typing import Any

import msgspec

BILLS = 100


def _lines(rig: Any) -> set[tuple[str, str, str]]:
    """Mailbox, our item and the vendor's, of every line that arrived."""
    found = set()
    for mailbox, bodies in rig.far.mailboxes().items():
        for segment in (segment for body in bodies for segment in body if segment[0] in ("IT1", "PO1")):
            pairs = dict(zip(segment[6::2], segment[7::2], strict=False))
            found.add((mailbox, pairs.get("IN", ""), pairs.get("VN", "")))
    return found


def _numbered(rig: Any) -> dict[str, int]:
    """How many lines of each kind carry a number of their vendor's."""
    segments = [segment for bodies in rig.far.mailboxes().values() for body in bodies for segment in body]
    return {kind: sum(segment[0] == kind and "VN" in segment[6::2] for segment in segments) for kind in ("IT1", "PO1")}


def _expected(rig: Any) -> set[tuple[str, str, str]]:
    """What the seed says the partners' vendors call what was bought of them."""
    mailboxes = {vendor: partner.mailbox for partner in rig.world.partners for vendor in partner.vendors}
    return {
        (mailboxes[each.vendor], each.item, each.number) for each in rig.world.references if each.vendor in mailboxes
    }


async def test_the_vendors_number_stands_beside_ours_when_the_flow_asks_for_it(rigs: Any) -> None:
    async with rigs(bills=BILLS) as rig:
        rig.edit(
            ("source: intacct.bills, via: books", "source: intacct.bills, via: books, with: { vendor_items: true }")
        )
        report = (await rig.run()).json
        lines, expected = _lines(rig), _expected(rig)
        numbered = {line for line in lines if line[1] and line[2]}
        known = {(mailbox, item) for mailbox, item, _ in expected}

        assert report["balanced"]
        assert len(numbered) > 20
        assert all(count > 5 for count in _numbered(rig).values())
        assert numbered <= expected
        assert not {(mailbox, item) for mailbox, item, number in lines if item and not number} & known
        await rig.check_exactly_once()


async def test_a_number_that_changes_later_amends_nothing_that_was_sent(rigs: Any) -> None:
    async with rigs(bills=BILLS) as rig:
        rig.edit(
            ("source: intacct.bills, via: books", "source: intacct.bills, via: books, with: { vendor_items: true }")
        )
        await rig.run()
        sent = rig.far.mailboxes()
        for reference in rig.world.references:
            rig.intacct.put_reference(msgspec.structs.replace(reference, number=f"NEW-{reference.record}"))
        for bill in rig.world.bills:
            rig.intacct.edit_bill(bill.record, state="Paid" if bill.state == "Posted" else bill.state)
        again = (await rig.run()).json

        assert again["read"] >= BILLS
        assert rig.far.mailboxes() == sent
