"""The audit history: who saved or deleted what. Of a deleted record it is the only trace.

`query` shows and compares the letters of ACCESSMODE, `readByQuery` compares the words. OBJECTTYPE is in lower case. OBJECTKEY is
what `readByName` goes by: RECORDNO for bills and payments; that it is the business key elsewhere is our reading.
"""

from __future__ import annotations

from stages.intacct.simulator.model import ObjectType
from stages.intacct.simulator.objects.columns import Pairs, field, fields

MODES: Pairs = (("C", "Create"), ("M", "Modify"), ("D", "Delete"))

AUDITHISTORY = ObjectType(
    name="AUDITHISTORY",
    name_field="ID",
    fields=fields(
        [
            field("ID", "INTEGER", lambda r: r.record),
            field("OBJECTTYPE", "TEXT", lambda r: r.object),
            field("OBJECTKEY", "TEXT", lambda r: r.key),
            field("ACCESSMODE", "ENUM", lambda r: r.mode, MODES),
            field("ACCESSTIME", "TIMESTAMP", lambda r: r.books.stamp(r.at)),
            field("USERID", "TEXT", lambda r: r.user),
            field("SOURCE", "TEXT", lambda r: r.source),
        ]
    ),
)
