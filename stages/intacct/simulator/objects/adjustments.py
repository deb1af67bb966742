"""AP adjustments: credits and debits of a vendor's that are no bills. Their lines are not here."""

from __future__ import annotations

from stages.intacct.simulator.model import ObjectType, Relation
from stages.intacct.simulator.objects.columns import ENTITY, RECORD, Pairs, constant, field, fields, none, stamps
from stages.intacct.simulator.rows import AdjustmentRow

STATES: Pairs = (("Posted", "A"), ("Partially Applied", "PA"), ("Applied", "AP"))


def _state(row: AdjustmentRow) -> str:
    if not row.applied:
        return "Posted"
    return "Applied" if row.applied == row.seed.total else "Partially Applied"


APADJUSTMENT = ObjectType(
    name="APADJUSTMENT",
    name_field="RECORDNO",
    fields=fields(
        [
            RECORD,
            field("RECORDTYPE", "TEXT", constant("pa")),
            field("RECORDID", "TEXT", lambda r: r.seed.number or None),
            field("DOCNUMBER", "TEXT", lambda r: r.seed.bill_number or None),
            field("VENDORID", "TEXT", lambda r: r.seed.vendor, required=True),
            field("VENDORNAME", "TEXT", lambda r: r.vendor.seed.name if r.vendor else None),
            field("STATE", "ENUM", _state, STATES),
            field("RAWSTATE", "TEXT", lambda r: dict(STATES)[_state(r)]),
            field("WHENCREATED", "DATE", lambda r: r.seed.date, required=True),
            field("WHENPOSTED", "DATE", lambda r: r.seed.date),
            field("DESCRIPTION", "TEXT", lambda r: r.seed.description or None),
            field("DESCRIPTION2", "TEXT", none),
            field("CURRENCY", "TEXT", lambda r: r.seed.currency),
            field("BASECURR", "TEXT", lambda r: r.base_currency),
            field("EXCHANGE_RATE", "DECIMAL", lambda r: r.rate),
            field("TOTALENTERED", "CURRENCY", lambda r: r.base(r.seed.total)),
            field("TOTALPAID", "CURRENCY", lambda r: r.base(r.applied)),
            field("TOTALDUE", "CURRENCY", lambda r: r.base(r.seed.total - r.applied)),
            field("TRX_TOTALENTERED", "CURRENCY", lambda r: r.seed.total),
            field("TRX_TOTALPAID", "CURRENCY", lambda r: r.applied),
            field("TRX_TOTALDUE", "CURRENCY", lambda r: r.seed.total - r.applied),
            *stamps(lambda r: r.seed.created, lambda r: r.seed.modified),
            *ENTITY,
        ]
    ),
    relations=(Relation(path="VENDOR", object="VENDOR", by="VENDORID", follow=lambda r: r.vendor),),
)
