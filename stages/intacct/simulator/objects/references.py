"""Item cross references: what a vendor calls an item of ours. Those of customers, and of items that stand for each other, are not here."""

from __future__ import annotations

from stages.intacct.simulator.model import ObjectType, Relation
from stages.intacct.simulator.objects.columns import RECORD, Pairs, blanks, constant, field, fields, users

KINDS: Pairs = (
    ("Vendor", "V"),
    ("Customer", "C"),
    ("Substitute", "S"),
    ("Upgrade", "U"),
    ("Downgrade", "D"),
    ("Complement", "P"),
)

ITEMCROSSREF = ObjectType(
    name="ITEMCROSSREF",
    name_field="RECORDNO",
    fields=fields(
        [
            RECORD,
            field("REFTYPE", "ENUM", constant("Vendor"), KINDS, required=True),
            field("REFTYPECONTEXT", "ENUM", constant("External"), (("External", "E"), ("Internal", "I"))),
            field("ITEMID", "TEXT", lambda r: r.seed.item, required=True),
            field("ITEMNAME", "TEXT", lambda r: r.item.seed.name if r.item else None),
            field("VENDORID", "TEXT", lambda r: r.seed.vendor or None),
            field("VENDORNAME", "TEXT", lambda r: r.vendor.seed.name if r.vendor else None),
            *blanks("TEXT", "ALTERNATEITEMID CUSTOMERID CUSTOMERNAME"),
            field("ITEMALIASID", "TEXT", lambda r: r.seed.number, writable="number"),
            field("ITEMALIASDESC", "TEXT", lambda r: r.seed.description or None, writable="description"),
            field("UNIT", "TEXT", lambda r: r.seed.unit or None, writable="unit"),
            field("WHENCREATED", "TIMESTAMP", lambda r: r.books.created_stamp(r.seed.created)),
            field("WHENMODIFIED", "TIMESTAMP", lambda r: r.books.stamp(r.seed.modified)),
            *users(lambda r: r.seed.modified),
        ]
    ),
    relations=(
        Relation(path="ITEM", object="ITEM", by="ITEMID", follow=lambda r: r.item),
        Relation(path="VENDOR", object="VENDOR", by="VENDORID", follow=lambda r: r.vendor),
    ),
)
