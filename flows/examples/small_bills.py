"""A custom stage: bills too small for an EDI document are left out, unless they are for produce, which cannot wait.

Produce must be paid within ten days of acceptance when nothing else was agreed beforehand (PACA, 7 CFR 46.2(aa)(5)).
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from pipeline import DataError, Excluded, Held, Record

MINIMUM = {"USD": Decimal("25.00"), "CAD": Decimal("35.00")}
PACA_DAYS = timedelta(days=10)


def skip_small(bill: Record) -> Record:
    """The bill, produce with the day it must be paid by; small bills are excluded."""
    where = f"bill {bill.label}"
    if bill.body.get("category") == "produce":
        return bill.replace(body={**bill.body, "pay_by": (accepted(bill, where) + PACA_DAYS).isoformat()})
    if bill.amount is None or bill.currency not in MINIMUM:
        why, mend = f"no minimum is agreed for {bill.currency or 'no currency'}", "Add one to MINIMUM, then replay"
        raise Held("The bill may be too small to send", where=where, why=why, mend=mend, code="EXAMPLE-0001")
    if bill.amount < MINIMUM[bill.currency]:
        raise Excluded("below the EDI minimum")
    return bill


def accepted(bill: Record, where: str) -> date:
    try:
        return date.fromisoformat(bill.body["accepted"])
    except (KeyError, TypeError, ValueError):
        what, why, mend = "Produce has no day of acceptance", "its payment is due from then", "Enter it, then replay"
        raise DataError(what, where=where, why=why, mend=mend, owner="AP", code="EXAMPLE-0002") from None
