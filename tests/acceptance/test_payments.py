"""Payments from the books of one simulator to the mailboxes of the other, as 820 remittance advices."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from stages.x12.checking.validator import validate

WANTED = {"/RIVERBEND/Inbound", "/GREENHOLLOW/Inbound"}
BILLS = 800


def _advised(rig: Any) -> list[Any]:
    """What the books say has to be advised: the complete payments to the vendors of the partners that asked."""
    vendors = {vendor for partner in rig.world.partners if partner.mailbox in WANTED for vendor in partner.vendors}
    return [p for p in rig.world.payments if p.state == "Complete" and p.vendor in vendors]


async def test_each_complete_payment_is_advised_once_to_the_partners_that_ask(rigs: Any) -> None:
    async with rigs(bills=BILLS) as rig:
        report = (await rig.command("run", str(rig.flows / "payments.yaml"), "--json")).json
        again = (await rig.command("run", str(rig.flows / "payments.yaml"), "--json")).json
        wanted = _advised(rig)
        sets = [body for bodies in rig.far.mailboxes().values() for body in bodies]
        assert set(rig.far.mailboxes()) == WANTED
        assert {code for (code,), *_ in sets} == {"820"}
        assert len(wanted) > 3
        assert sorted(segment[2] for body in sets for segment in body if segment[0] == "TRN") == sorted(
            payment.number for payment in wanted
        )
        assert (report["balanced"], report["read"], report["delivered"]) == (True, len(rig.world.payments), len(wanted))
        assert again["delivered"] == 0
        await rig.check_exactly_once()


async def test_an_advice_names_every_bill_with_what_was_paid_of_it(rigs: Any) -> None:
    async with rigs(bills=BILLS) as rig:
        await rig.command("run", str(rig.flows / "payments.yaml"), "--json")
        numbers = {bill.record: bill.number for bill in rig.world.bills}
        said = {
            (number, segment[2], Decimal(segment[4]), Decimal(segment[6]) if len(segment) > 6 else Decimal(0))
            for bodies in rig.far.mailboxes().values()
            for body in bodies
            for number in [next(s[2] for s in body if s[0] == "TRN")]
            for segment in body
            if segment[0] == "RMR"
        }
        assert said == {
            (payment.number, numbers[detail.bill], detail.amount, detail.discount)
            for payment in _advised(rig)
            for detail in payment.details
        }


async def test_the_validator_finds_nothing_in_the_advices(rigs: Any) -> None:
    async with rigs(bills=BILLS) as rig:
        await rig.command("run", str(rig.flows / "payments.yaml"), "--json")
        payloads = [rig.sterling.payload(effect["message"]) for effect in rig.far.arrivals()]
    assert payloads
    assert [finding for payload in payloads for finding in validate(payload)] == []
