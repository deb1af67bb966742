"""Accounts, dimensions and the legal entities."""

from __future__ import annotations

from stages.intacct.simulator.model import Field, ObjectType
from stages.intacct.simulator.objects.columns import RECORD, STATUS, constant, field, fields, none

LOCATIONENTITY = ObjectType(
    name="LOCATIONENTITY",
    name_field="LOCATIONID",
    fields=fields(
        [
            RECORD,
            field("LOCATIONID", "TEXT", lambda r: r.seed.id, required=True),
            field("NAME", "TEXT", lambda r: r.seed.name, required=True),
            field("CURRENCY", "TEXT", lambda r: r.seed.currency),
            field("STATUS", "ENUM", constant("active"), STATUS),
        ]
    ),
)


def _master(name: str, id: str, label: str, *more: Field) -> ObjectType:
    """An account or a dimension: an id, a name, and what all of them have."""
    return ObjectType(
        name=name,
        name_field=id,
        fields=fields(
            [
                RECORD,
                field(id, "TEXT", lambda r: r.seed.id, required=True),
                field(label, "TEXT", lambda r: r.seed.name, required=True),
                *more,
                field("STATUS", "ENUM", lambda r: r.seed.status, STATUS),
                field("WHENCREATED", "TIMESTAMP", lambda r: r.books.created_stamp(r.seed.modified)),
                field("WHENMODIFIED", "TIMESTAMP", lambda r: r.books.stamp(r.seed.modified)),
            ]
        ),
    )


_PARENT = field("PARENTID", "TEXT", lambda r: r.seed.parent or None)
_NORMAL_BALANCE = {"1": "debit", "5": "debit"}

MASTERS = (
    _master(
        "GLACCOUNT",
        "ACCOUNTNO",
        "TITLE",
        field("ACCOUNTTYPE", "ENUM", lambda r: r.seed.kind, (("balancesheet", "N"), ("incomestatement", "I"))),
        field("NORMALBALANCE", "TEXT", lambda r: _NORMAL_BALANCE.get(r.seed.id[0], "credit")),
        field("CLOSINGTYPE", "TEXT", constant("non-closing account")),
        field("CATEGORY", "TEXT", none),
        field("TAXABLE", "BOOLEAN", constant(False)),
        field("REQUIREDEPT", "BOOLEAN", constant(False)),
        field("REQUIRELOC", "BOOLEAN", constant(True)),
    ),
    _master("DEPARTMENT", "DEPARTMENTID", "TITLE", _PARENT, field("SUPERVISORID", "TEXT", none)),
    _master("LOCATION", "LOCATIONID", "NAME", _PARENT, field("CURRENCY", "TEXT", none)),
    _master("CLASS", "CLASSID", "NAME", _PARENT, field("DESCRIPTION", "TEXT", none)),
    _master("PROJECT", "PROJECTID", "NAME", _PARENT, field("PROJECTCATEGORY", "TEXT", constant("Internal"))),
    _master(
        "ITEM",
        "ITEMID",
        "NAME",
        field("ITEMTYPE", "TEXT", lambda r: r.seed.kind or None),
        field("EXTENDED_DESCRIPTION", "TEXT", none),
    ),
)
