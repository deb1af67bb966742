"""Bills and their lines. Raw codes of the states after Posted are not published; those are ours."""

from __future__ import annotations

from stages.intacct.simulator.model import ObjectType, Owned, Relation
from stages.intacct.simulator.objects.columns import (
    ENTITY,
    FLAGS,
    PRIORITIES,
    RECORD,
    Pairs,
    blanks,
    constant,
    field,
    fields,
    line_dimensions,
    none,
    stamps,
)

BILL_STATES: Pairs = (
    ("Draft", "D"),
    ("Submitted", "S"),
    ("Partially Approved", "PA"),
    ("Declined", "U"),
    ("Posted", "A"),
    ("Selected", "L"),
    ("Partially Paid", "PP"),
    ("Paid", "P"),
    ("Reversed", "V"),
    ("Reversal", "RV"),
    ("No Value", "NV"),
    ("Analyzing", "AN"),
)
_RAW = dict(BILL_STATES)

_PAY_TO = Relation(
    path="PAYTO", object="CONTACT", by="BILLTOPAYTOKEY", follow=lambda r: r.books.contacts.of(r.remit_to)
)

APBILL = ObjectType(
    name="APBILL",
    name_field="RECORDNO",
    fields=fields(
        [
            RECORD,
            field("RECORDTYPE", "TEXT", constant("pi")),
            field("RECORDID", "TEXT", lambda r: r.seed.number or None),
            field("DOCNUMBER", "TEXT", lambda r: r.seed.reference or None, writable="reference"),
            field("VENDORID", "TEXT", lambda r: r.seed.vendor, required=True),
            field("VENDORNAME", "TEXT", lambda r: r.vendor.seed.name if r.vendor else None),
            field("STATE", "ENUM", lambda r: r.seed.state, BILL_STATES),
            field("RAWSTATE", "TEXT", lambda r: _RAW.get(r.seed.state)),
            field("WHENCREATED", "DATE", lambda r: r.seed.date, required=True),
            field("WHENPOSTED", "DATE", lambda r: r.seed.posted),
            field("WHENDUE", "DATE", lambda r: r.seed.due),
            field("WHENDISCOUNT", "DATE", lambda r: r.seed.discount_date),
            field("WHENPAID", "DATE", lambda r: r.paid_on),
            field("RECPAYMENTDATE", "DATE", none),
            field("TERMNAME", "TEXT", lambda r: r.seed.terms or None),
            field("TERMKEY", "INTEGER", lambda r: getattr(r.books.term(r.seed.terms), "record", None)),
            field("DESCRIPTION", "TEXT", lambda r: r.seed.description or None, writable="description"),
            field("DESCRIPTION2", "TEXT", none),
            field("CURRENCY", "TEXT", lambda r: r.seed.currency),
            field("BASECURR", "TEXT", lambda r: r.base_currency),
            field("EXCHANGE_RATE", "DECIMAL", lambda r: r.rate),
            field("EXCH_RATE_DATE", "DATE", lambda r: r.seed.date),
            field("EXCH_RATE_TYPE_ID", "INTEGER", none),
            field("TOTALENTERED", "DECIMAL", lambda r: r.base(r.seed.total)),
            field("TOTALSELECTED", "DECIMAL", lambda r: r.base(r.selected)),
            field("TOTALPAID", "DECIMAL", lambda r: r.base(r.paid)),
            field("TOTALDUE", "CURRENCY", lambda r: r.base(r.due)),
            field("TRX_TOTALENTERED", "DECIMAL", lambda r: r.seed.total),
            field("TRX_TOTALSELECTED", "DECIMAL", lambda r: r.selected),
            field("TRX_TOTALPAID", "DECIMAL", lambda r: r.paid),
            field("TRX_TOTALDUE", "DECIMAL", lambda r: r.due),
            field("TRX_ENTITYDUE", "DECIMAL", lambda r: r.due),
            field("INCLUSIVETAX", "BOOLEAN", constant(False)),
            field("TAXSOLUTIONID", "TEXT", none),
            field("BILLTOPAYTOCONTACTNAME", "TEXT", lambda r: r.remit_to.name if r.remit_to else None),
            field("SHIPTORETURNTOCONTACTNAME", "TEXT", none),
            field("BILLTOPAYTOKEY", "INTEGER", lambda r: getattr(r.books.contacts.of(r.remit_to), "record", None)),
            field("SHIPTORETURNTOKEY", "INTEGER", none),
            field("ONHOLD", "BOOLEAN", lambda r: r.seed.on_hold),
            field("PAYMENTPRIORITY", "ENUM", constant("normal"), PRIORITIES),
            field("PRBATCH", "TEXT", lambda r: f"Bills: {r.seed.date:%B %Y} Summary"),
            field("PRBATCHKEY", "INTEGER", lambda r: r.seed.date.year * 100 + r.seed.date.month),
            field("MODULEKEY", "TEXT", lambda r: "9.PO" if r.from_purchasing else "3.AP"),
            field("SUPDOCID", "TEXT", none),
            field("RECORD_URL", "TEXT", lambda r: f"https://www.example.com/ia/acct/ur.phtml?.r={r.record}"),
            field("DUE_IN_DAYS", "TEXT", lambda r: None if r.days_due is None else str(r.days_due)),
            field("SYSTEMGENERATED", "ENUM", constant("F"), FLAGS),
            *blanks(
                "TEXT",
                "CONTACTTAXGROUP FORM1099TYPE FORM1099BOX VENDTYPE1099TYPE TERMVALUE PAYTO.TAXGROUP.NAME PAYTO.TAXID BILLBACKTEMPLATE "
                "USERID CREATEDUSERID RECIPIENTEMAIL SENDEREMAIL EINVOICESTATUS",
            ),
            field("FINANCIALENTITY", "TEXT", none),
            field("VENDORKEY", "TEXT", lambda r: str(r.vendor.record) if r.vendor else None),
            field("DOCHDRKEY", "INTEGER", lambda r: r.purchase.record if r.purchase else None),
            *blanks("INTEGER", "SCHOPKEY PAYTO.TAXGROUP.RECORDNO"),
            *blanks("ENUM", "DOCSOURCE UPLOADSTATUS INVOICETYPE INVOICEMODE"),
            *blanks("DECIMAL", "TRX_TOTALRETAINED TRX_TOTALRELEASED TOTALRETAINED"),
            *blanks("PERCENT", "RETAINAGEPERCENTAGE"),
            field("RETAINAGERELEASED", "BOOLEAN", constant(False)),
            *stamps(lambda r: r.seed.created, lambda r: r.seed.modified),
            *ENTITY,
        ]
    ),
    relations=(
        Relation(path="VENDOR", object="VENDOR", by="VENDORID", follow=lambda r: r.vendor),
        _PAY_TO,
        Relation(path="TERM", object="APTERM", by="TERMKEY", follow=lambda r: r.books.term(r.seed.terms)),
        Relation(path="PODOCUMENT", object="PODOCUMENT", by="DOCHDRKEY", follow=lambda r: r.purchase),
    ),
    owned=(Owned(name="APBILLITEMS", element="apbillitem", object="APBILLITEM", rows=lambda r: r.lines),),
)


APBILLITEM = ObjectType(
    name="APBILLITEM",
    name_field="RECORDNO",
    fields=fields(
        [
            RECORD,
            field("RECORDKEY", "INTEGER", lambda r: r.bill.record),
            field("RECORDTYPE", "TEXT", constant("pi")),
            field("LINE_NO", "INTEGER", lambda r: r.line.number),
            field("LINEITEM", "ENUM", lambda r: "F" if r.line.generated else "T", FLAGS),
            field("PARENTENTRY", "INTEGER", lambda r: r.parent_entry),
            field("SUBTOTAL", "TEXT", lambda r: "T" if r.line.generated else None),
            field("STATE", "ENUM", lambda r: r.bill.seed.state, BILL_STATES),
            field("ACCOUNTNO", "TEXT", lambda r: r.line.account or None),
            field("ACCOUNTTITLE", "TEXT", none),
            field("ACCOUNTLABEL", "TEXT", none),
            field("OFFSETGLACCOUNTNO", "TEXT", none),
            field("ENTRYDESCRIPTION", "TEXT", lambda r: r.line.description or None),
            field("ENTRY_DATE", "DATE", lambda r: r.bill.seed.date),
            field("AMOUNT", "CURRENCY", lambda r: r.bill.base(r.line.amount)),
            field("TRX_AMOUNT", "CURRENCY", lambda r: r.line.amount),
            field("TOTALTRXAMOUNT", "CURRENCY", lambda r: r.line.amount),
            field("CURRENCY", "TEXT", lambda r: r.bill.seed.currency),
            field("BASECURR", "TEXT", lambda r: r.bill.base_currency),
            field("EXCHANGE_RATE", "DECIMAL", lambda r: r.bill.rate),
            field("VENDORID", "TEXT", lambda r: r.bill.seed.vendor),
            *line_dimensions(),
            field("BILLABLE", "BOOLEAN", constant(False)),
            field("BILLED", "BOOLEAN", constant(False)),
            field("FORM1099", "BOOLEAN", constant(False)),
            field("ALLOCATION", "TEXT", none),
            field("RELEASETOPAY", "BOOLEAN", constant(False)),
            # Of a line both are timestamps; the header's WHENCREATED is the bill's date.
            field("WHENCREATED", "TIMESTAMP", lambda r: r.books.created_stamp(r.bill.seed.created)),
            field("WHENMODIFIED", "TIMESTAMP", lambda r: r.books.stamp(r.modified)),
        ]
    ),
    relations=(
        Relation(path="APBILL", object="APBILL", by="RECORDKEY", follow=lambda r: r.bill),
        Relation(path="VENDOR", object="VENDOR", by="VENDORID", follow=lambda r: r.bill.vendor),
    ),
)
