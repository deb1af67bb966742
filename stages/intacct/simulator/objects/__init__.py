"""The objects of the simulated books, one table of fields, paths and owned collections each. Data, no behaviour.

What a field means is Sage's public object reference. Dimensions this company has not enabled (task, cost type, contract) are not
here, so asking for them fails as it does there.
"""

from __future__ import annotations

from stages.intacct.simulator.model import ObjectType
from stages.intacct.simulator.objects.adjustments import APADJUSTMENT
from stages.intacct.simulator.objects.audit import AUDITHISTORY
from stages.intacct.simulator.objects.bills import APBILL, APBILLITEM
from stages.intacct.simulator.objects.masters import LOCATIONENTITY, MASTERS
from stages.intacct.simulator.objects.payments import APPYMT, APPYMTDETAIL
from stages.intacct.simulator.objects.purchasing import PODOCUMENT, PODOCUMENTENTRY, PODOCUMENTPARAMS
from stages.intacct.simulator.objects.references import ITEMCROSSREF
from stages.intacct.simulator.objects.vendors import APTERM, CONTACT, VENDOR
from stages.intacct.simulator.rows import (
    AdjustmentRow,
    AuditRow,
    BillLineRow,
    BillRow,
    ContactRow,
    DefinitionRow,
    EntityRow,
    PaymentDetailRow,
    PaymentRow,
    PurchaseLineRow,
    PurchaseRow,
    ReferenceRow,
    TermRow,
    VendorRow,
)

OBJECTS: dict[str, ObjectType] = {
    type.name: type
    for type in (
        VENDOR,
        CONTACT,
        APBILL,
        APBILLITEM,
        APADJUSTMENT,
        APPYMT,
        APPYMTDETAIL,
        PODOCUMENT,
        PODOCUMENTENTRY,
        PODOCUMENTPARAMS,
        ITEMCROSSREF,
        LOCATIONENTITY,
        APTERM,
        AUDITHISTORY,
        *MASTERS,
    )
}

ROWS: dict[type, str] = {
    VendorRow: "VENDOR",
    ContactRow: "CONTACT",
    BillRow: "APBILL",
    BillLineRow: "APBILLITEM",
    AdjustmentRow: "APADJUSTMENT",
    PaymentRow: "APPYMT",
    PaymentDetailRow: "APPYMTDETAIL",
    PurchaseRow: "PODOCUMENT",
    PurchaseLineRow: "PODOCUMENTENTRY",
    DefinitionRow: "PODOCUMENTPARAMS",
    ReferenceRow: "ITEMCROSSREF",
    EntityRow: "LOCATIONENTITY",
    TermRow: "APTERM",
    AuditRow: "AUDITHISTORY",
}
