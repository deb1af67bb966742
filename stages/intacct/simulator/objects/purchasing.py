"""Purchasing documents and their lines."""

from __future__ import annotations

from stages.intacct.simulator.model import ObjectType, Owned, Relation
from stages.intacct.simulator.objects.columns import (
    ENTITY,
    FLAGS,
    RECORD,
    STATUS,
    ZERO,
    Pairs,
    constant,
    field,
    fields,
    line_dimensions,
    none,
    stamps,
)
from stages.intacct.simulator.rows import PurchaseRow

PURCHASE_STATES: Pairs = (
    ("Submitted", "S"),
    ("Approved", "A"),
    ("Partially Approved", "X"),
    ("Declined", "R"),
    ("Draft", "I"),
    ("Pending", "O"),
    ("Closed", "D"),
    ("In Progress", "G"),
    ("Converted", "C"),
    ("Partially Converted", "P"),
)

# The document follows its bill through approval; nobody has converted it further.
_PURCHASE_STATE = {
    "Draft": "Draft",
    "Submitted": "Submitted",
    "Partially Approved": "Partially Approved",
    "Declined": "Declined",
}


def _purchase_state(row: PurchaseRow) -> str:
    if row.seed.state:
        return row.seed.state
    if row.seed.definition == "Purchase Order":
        return "Converted"  # into the vendor invoice its bill was made from
    return _PURCHASE_STATE.get(row.bill.seed.state, "Pending") if row.bill else "Pending"


PODOCUMENT = ObjectType(
    name="PODOCUMENT",
    name_field="DOCID",
    fields=fields(
        [
            RECORD,
            field("DOCNO", "TEXT", lambda r: r.seed.number),
            field("DOCID", "TEXT", lambda r: r.seed.id),
            field("DOCPARID", "TEXT", lambda r: r.seed.definition),
            field("DOCPARKEY", "INTEGER", lambda r: r.books.definition(r.seed.definition).record),
            field("DOCPARCLASS", "TEXT", lambda r: r.books.definition(r.seed.definition).kind),
            field("STATE", "ENUM", _purchase_state, PURCHASE_STATES),
            field("STATUS", "ENUM", constant("active"), STATUS),
            field("CLOSED", "ENUM", constant("F"), FLAGS),
            field("CREATEDFROM", "TEXT", lambda r: r.seed.order or None),
            field("PONUMBER", "TEXT", lambda r: r.seed.order_number or None),
            field("VENDORDOCNO", "TEXT", lambda r: r.bill.seed.number or None if r.bill else None),
            field("CUSTVENDID", "TEXT", lambda r: r.seed.vendor),
            field("CUSTVENDNAME", "TEXT", lambda r: r.vendor.seed.name if r.vendor else None),
            field("WHENCREATED", "DATE", lambda r: r.seed.date),
            field("WHENDUE", "DATE", lambda r: r.bill.seed.due if r.bill else None),
            field("PRRECORDKEY", "INTEGER", lambda r: r.bill.record if r.bill else None),
            field("SUPDOCID", "TEXT", none),
            field("MESSAGE", "TEXT", none),
            field("NOTE", "TEXT", none),
            field("TERM.NAME", "TEXT", lambda r: r.bill.seed.terms or None if r.bill else None),
            field("SHIPVIA", "TEXT", none),
            field("PROJECT", "TEXT", none),
            field("CURRENCY", "TEXT", lambda r: r.seed.currency),
            field("BASECURR", "TEXT", lambda r: r.bill.base_currency if r.bill else "USD"),
            field("SUBTOTAL", "CURRENCY", lambda r: r.subtotal),
            field("TOTAL", "CURRENCY", lambda r: r.total),
            field("TRX_SUBTOTAL", "CURRENCY", lambda r: r.subtotal),
            field("TRX_TOTAL", "CURRENCY", lambda r: r.total),
            field("UPDATES_INV", "ENUM", constant("F"), FLAGS),
            *stamps(lambda r: r.seed.created, lambda r: r.seed.modified),
            *ENTITY,
        ]
    ),
    relations=(Relation(path="VENDOR", object="VENDOR", by="CUSTVENDID", follow=lambda r: r.vendor),),
    owned=(
        Owned(name="PODOCUMENTENTRIES", element="podocumententry", object="PODOCUMENTENTRY", rows=lambda r: r.lines),
    ),
)

PODOCUMENTPARAMS = ObjectType(
    name="PODOCUMENTPARAMS",
    name_field="DOCID",
    fields=fields(
        [
            RECORD,
            field("DOCID", "TEXT", lambda r: r.name, required=True),
            field("DOCCLASS", "TEXT", lambda r: r.kind),
            field("DESCRIPTION", "TEXT", lambda r: r.name),
            field("STATUS", "ENUM", constant("active"), STATUS),
        ]
    ),
)

PODOCUMENTENTRY = ObjectType(
    name="PODOCUMENTENTRY",
    name_field="RECORDNO",
    fields=fields(
        [
            RECORD,
            field("DOCHDRNO", "INTEGER", lambda r: r.purchase.record),
            field("DOCHDRID", "TEXT", lambda r: r.purchase.seed.id),
            field("LINE_NO", "INTEGER", lambda r: r.line.number - 1),  # counts from zero, unlike bill lines
            field("ITEMALIASID", "TEXT", lambda r: r.line.alias or None),
            field("ITEMDESC", "TEXT", lambda r: r.line.description or None),
            field("EXTENDED_DESCRIPTION", "TEXT", none),
            field("MEMO", "TEXT", none),
            field("QUANTITY", "DECIMAL", lambda r: r.line.quantity),
            field("UNIT", "TEXT", lambda r: r.line.unit or None),
            field("UIQTY", "DECIMAL", lambda r: r.line.quantity),
            field("UIPRICE", "DECIMAL", lambda r: r.price),
            field("UIVALUE", "CURRENCY", lambda r: r.line.amount),
            field("PRICE", "DECIMAL", lambda r: r.price),
            field("TRX_PRICE", "DECIMAL", lambda r: r.price),
            field("TRX_VALUE", "CURRENCY", lambda r: r.line.amount),
            field("TRX_LINETOTAL", "CURRENCY", lambda r: r.line.amount),
            field("TOTAL", "CURRENCY", lambda r: r.line.amount),
            field("LINETOTAL", "CURRENCY", lambda r: r.line.amount),
            field("QTY_CONVERTED", "DECIMAL", constant(ZERO)),
            field("DISCOUNTPERCENT", "DECIMAL", none),
            field("CURRENCY", "TEXT", lambda r: r.purchase.seed.currency),
            *line_dimensions(),
            field("SOURCE_DOCID", "TEXT", lambda r: r.purchase.seed.order or None),
            field("STATE", "ENUM", lambda r: _purchase_state(r.purchase), PURCHASE_STATES),
            *stamps(lambda r: r.purchase.seed.created, lambda r: r.purchase.seed.modified),
        ]
    ),
    relations=(Relation(path="PODOCUMENT", object="PODOCUMENT", by="DOCHDRNO", follow=lambda r: r.purchase),),
)
