"""Payments and what each settles."""

from __future__ import annotations

from stages.intacct.simulator.model import ObjectType, Owned, Relation
from stages.intacct.simulator.objects.columns import (
    ENTITY,
    FLAGS,
    RECORD,
    STATUS,
    ZERO,
    Pairs,
    blanks,
    constant,
    field,
    fields,
    none,
    stamps,
)

PAYMENT_STATES: Pairs = (
    ("Draft", "D"),
    ("Submitted", "S"),
    ("Approved", "A"),
    ("Complete", "C"),
    ("Voided", "V"),
)
_RAW_PAYMENT = dict(PAYMENT_STATES)

APPYMT = ObjectType(
    name="APPYMT",
    name_field="RECORDNO",
    fields=fields(
        [
            RECORD,
            field("RECORDTYPE", "TEXT", constant("pp")),
            field("RECORDID", "TEXT", none),
            field("FINANCIALENTITY", "TEXT", lambda r: f"BANK-{r.seed.currency}"),
            field("FINANCIALACCOUNTCURRENCY", "TEXT", lambda r: r.seed.currency),
            field("STATE", "ENUM", lambda r: r.seed.state, PAYMENT_STATES),
            field("RAWSTATE", "TEXT", lambda r: _RAW_PAYMENT.get(r.seed.state)),
            field("PAYMENTDATE", "DATE", lambda r: r.seed.date),
            field("PAYMENTMETHOD", "TEXT", lambda r: r.seed.method or None),
            field("PAYMENTREQUESTMETHOD", "TEXT", none),
            field("VENDORID", "TEXT", lambda r: r.seed.vendor, required=True),
            field("VENDORNAME", "TEXT", lambda r: r.vendor.seed.name if r.vendor else None),
            field("DOCNUMBER", "TEXT", lambda r: r.seed.number or None),
            field("DESCRIPTION", "TEXT", lambda r: r.seed.memo or None),
            field("DESCRIPTION2", "TEXT", none),
            field("WHENCREATED", "DATE", lambda r: r.seed.date, required=True),
            field("WHENPAID", "DATE", lambda r: r.seed.date if r.seed.state == "Complete" else None),
            field("WHENPOSTED", "DATE", lambda r: r.seed.date if r.seed.state != "Submitted" else None),
            field("BASECURR", "TEXT", lambda r: r.base_currency),
            field("CURRENCY", "TEXT", lambda r: r.seed.currency),
            field("EXCH_RATE_DATE", "DATE", lambda r: r.seed.date),
            field("EXCHANGE_RATE", "DECIMAL", lambda r: r.rate),
            field("TOTALENTERED", "CURRENCY", lambda r: r.base(r.seed.total)),
            field("TOTALPAID", "CURRENCY", lambda r: r.base(r.seed.total)),
            field("TOTALDUE", "CURRENCY", constant(ZERO)),
            field("TRX_TOTALENTERED", "CURRENCY", lambda r: r.seed.total),
            field("TRX_TOTALPAID", "CURRENCY", lambda r: r.seed.total),
            field("TRX_TOTALDUE", "CURRENCY", constant(ZERO)),
            *blanks("TEXT", "GROUPPAYMENTS PAYMENTCONTACT EXCH_RATE_TYPE_ID"),
            *blanks("CURRENCY", "AMOUNTTOPAY"),
            field("CLEARED", "ENUM", constant("F"), FLAGS),
            field("STATUS", "ENUM", constant("active"), STATUS),
            field("SYSTEMGENERATED", "ENUM", constant("F"), FLAGS),
            *stamps(lambda r: r.seed.created, lambda r: r.seed.modified),
            *ENTITY,
        ]
    ),
    relations=(Relation(path="VENDOR", object="VENDOR", by="VENDORID", follow=lambda r: r.vendor),),
    owned=(Owned(name="APPYMTDETAILS", element="appymtdetail", object="APPYMTDETAIL", rows=lambda r: r.details),),
)

_NO_CREDIT = ("POSADJENTRYKEY", "POSADJKEY", "ADVANCEKEY", "POSTEDADVANCEKEY", "INLINEKEY", "ENTRYKEY")
_NO_CREDIT_AMOUNT = (
    "DISCOUNTTOAPPLY",
    "CREDITTOAPPLY",
    "TRX_POSTEDADVANCEAMOUNT",
    "TRX_INLINEAMOUNT",
)

APPYMTDETAIL = ObjectType(
    name="APPYMTDETAIL",
    name_field="RECORDNO",
    fields=fields(
        [
            RECORD,
            field("PAYMENTKEY", "INTEGER", lambda r: r.payment.record),
            field("RECORDKEY", "INTEGER", lambda r: r.detail.bill),
            *(field(name, "INTEGER", none) for name in _NO_CREDIT),
            field("ADJUSTMENTKEY", "INTEGER", lambda r: r.detail.adjustment or None),
            field("TRX_ADJUSTMENTAMOUNT", "CURRENCY", lambda r: r.detail.credited or None),
            field("TRX_PAYMENTAMOUNT", "CURRENCY", lambda r: r.detail.amount),
            field("PAYMENTAMOUNT", "CURRENCY", lambda r: r.payment.base(r.detail.amount)),
            field("TRX_DISCOUNTAMOUNT", "CURRENCY", lambda r: r.detail.discount or None),
            field("DISCOUNTDATE", "DATE", lambda r: r.payment.seed.date if r.detail.discount else None),
            *(field(name, "CURRENCY", none) for name in _NO_CREDIT_AMOUNT),
            field("PAYMENTDATE", "DATE", lambda r: r.payment.seed.date),
            field("CURRENCY", "TEXT", lambda r: r.payment.seed.currency),
            field("STATE", "ENUM", lambda r: r.payment.seed.state, PAYMENT_STATES),
            field("WHENCREATED", "TIMESTAMP", lambda r: r.books.created_stamp(r.payment.seed.created)),
            field("WHENMODIFIED", "TIMESTAMP", lambda r: r.books.stamp(r.payment.seed.modified)),
        ]
    ),
)
