"""The objects of the simulated books as one table: their fields, paths and owned collections. Data, no behaviour.

What a field means is Sage's public object reference. Dimensions this company has not enabled (task, cost type, contract) are not
here, so asking for them fails as it does there. Raw codes of the bill states after Posted are not published; those are ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from stages.ap.seed.world import SeedContact
from stages.intacct.simulator.model import Field, Getter, Kind, ObjectType, Owned, Relation
from stages.intacct.simulator.rows import (
    AuditRow,
    BillLineRow,
    BillRow,
    ContactRow,
    EntityRow,
    PaymentDetailRow,
    PaymentRow,
    PurchaseLineRow,
    PurchaseRow,
    TermRow,
    VendorRow,
)

Pairs = tuple[tuple[str, str], ...]

STATUS: Pairs = (("active", "T"), ("inactive", "F"), ("active non-posting", "P"))
FLAGS: Pairs = (("T", "T"), ("F", "F"))
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
)
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
PAYMENT_STATES: Pairs = (
    ("Draft", "D"),
    ("Submitted", "S"),
    ("Approved", "A"),
    ("Complete", "C"),
    ("Voided", "V"),
)
_RAW = dict(BILL_STATES)
_RAW_PAYMENT = dict(PAYMENT_STATES)
_ZERO = Decimal(0)


def _field(
    id: str, kind: Kind, take: Getter, codes: Pairs = (), *, required: bool = False, writable: str = ""
) -> Field:
    return Field(id=id, kind=kind, take=take, codes=codes, required=required, writable=writable)


def _fields(fields: Iterable[Field]) -> dict[str, Field]:
    return {field.id: field for field in fields}


def _none(_: object) -> None:
    return None


def _constant(value: object) -> Getter:
    return lambda _: value


_record = _field("RECORDNO", "INTEGER", lambda r: r.record, required=True)


def _contact(prefix: str, get: Getter) -> list[Field]:
    """The fields of a contact group. ``get`` gives the `SeedContact` of a row, or None."""

    def text(name: str, attribute: str) -> Field:
        return _field(prefix + name, "TEXT", lambda r: getattr(get(r), attribute, "") or None)

    def blank(name: str) -> Field:
        return _field(prefix + name, "TEXT", _none)

    def flag(name: str, value: bool) -> Field:
        return _field(prefix + name, "BOOLEAN", lambda r: value if get(r) else None)

    status = _field(prefix + "STATUS", "ENUM", lambda r: "active" if get(r) else None, STATUS)
    return [
        text("CONTACTNAME", "name"),
        text("COMPANYNAME", "company"),
        blank("PREFIX"),
        text("FIRSTNAME", "first_name"),
        blank("INITIAL"),
        text("LASTNAME", "last_name"),
        text("PRINTAS", "company"),
        flag("TAXABLE", True),
        blank("TAXGROUP"),
        text("PHONE1", "phone"),
        *(blank(name) for name in ("PHONE2", "CELLPHONE", "PAGER", "FAX")),
        text("EMAIL1", "email"),
        *(blank(name) for name in ("EMAIL2", "URL1", "URL2")),
        flag("VISIBLE", True),
        text("MAILADDRESS.ADDRESS1", "line1"),
        text("MAILADDRESS.ADDRESS2", "line2"),
        blank("MAILADDRESS.ADDRESS3"),
        text("MAILADDRESS.CITY", "city"),
        text("MAILADDRESS.STATE", "state"),
        text("MAILADDRESS.ZIP", "postal_code"),
        text("MAILADDRESS.COUNTRY", "country"),
        text("MAILADDRESS.COUNTRYCODE", "country_code"),
        blank("MAILADDRESS.LATITUDE"),
        blank("MAILADDRESS.LONGITUDE"),
        status,
    ]


def _stamps(created: Getter, modified: Getter) -> list[Field]:
    """The audit fields. The books show both times without a zone; see `Books.stamp`."""
    return [
        _field("AUWHENCREATED", "TIMESTAMP", lambda r: r.books.created_stamp(created(r))),
        _field("WHENMODIFIED", "TIMESTAMP", lambda r: r.books.stamp(modified(r))),
        _field("CREATEDBY", "INTEGER", _constant(1)),
        _field("MODIFIEDBY", "INTEGER", lambda r: 1 if modified(r) else None),
    ]


def _entity_name(row: VendorRow | BillRow | PurchaseRow | PaymentRow) -> str | None:
    entity = row.books.entity(row.entity)
    return entity.seed.name if entity else None


_ENTITY = [
    _field("MEGAENTITYID", "TEXT", lambda r: r.entity or None),
    _field("MEGAENTITYNAME", "TEXT", _entity_name),
]


def _vendor_pay_to(row: VendorRow) -> SeedContact | None:
    return row.seed.pay_to


def _vendor_contact(row: VendorRow) -> SeedContact | None:
    return row.seed.contact


VENDOR = ObjectType(
    name="VENDOR",
    name_field="VENDORID",
    fields=_fields(
        [
            _record,
            _field("VENDORID", "TEXT", lambda r: r.seed.id, required=True),
            _field("NAME", "TEXT", lambda r: r.seed.name, required=True),
            _field("NAME1099", "TEXT", lambda r: r.seed.name if r.seed.tax_id else None),
            _field("TAXID", "TEXT", lambda r: r.seed.tax_id or None),
            _field("VENDORACCOUNTNO", "TEXT", lambda r: r.seed.account or None),
            _field("VENDTYPE", "TEXT", lambda r: r.seed.kind or None),
            _field("STATUS", "ENUM", lambda r: r.seed.status, STATUS),
            _field("STATE", "ENUM", _constant("Approved"), (("Approved", "A"), ("Submitted", "S"), ("Rejected", "R"))),
            _field("TERMNAME", "TEXT", lambda r: r.seed.terms or None),
            _field("CURRENCY", "TEXT", lambda r: r.seed.currency or None),
            _field("CREDITLIMIT", "CURRENCY", _none),
            _field("TOTALDUE", "CURRENCY", lambda r: r.due),
            _field("ONETIME", "BOOLEAN", lambda r: r.seed.one_time),
            _field("ONHOLD", "BOOLEAN", _constant(False)),
            _field("DONOTCUTCHECK", "BOOLEAN", _constant(False)),
            _field("ISINDIVIDUAL", "BOOLEAN", _constant(False)),
            _field(
                "PAYMENTPRIORITY",
                "ENUM",
                _constant("Normal"),
                (("Urgent", "u"), ("High", "h"), ("Normal", "n"), ("Low", "l")),
            ),
            _field("APACCOUNT", "TEXT", _none),
            _field("PARENTID", "TEXT", _none),
            _field("COMMENTS", "TEXT", _none),
            *_contact("DISPLAYCONTACT.", _vendor_contact),
            *_contact("CONTACTINFO.", _none),
            *_contact("PAYTO.", _vendor_pay_to),
            *_contact("RETURNTO.", _none),
            _field("WHENCREATED", "TIMESTAMP", lambda r: r.books.created_stamp(r.seed.created)),
            _field("WHENMODIFIED", "TIMESTAMP", lambda r: r.books.stamp(r.seed.modified)),
            _field("CREATEDBY", "INTEGER", _constant(1)),
            _field("MODIFIEDBY", "INTEGER", lambda r: 1 if r.seed.modified else None),
            *_ENTITY,
        ]
    ),
    relations=(
        Relation(path="PAYTOCONTACT", object="CONTACT", by="PAYTOKEY", follow=lambda r: r.books.contact(r.seed.pay_to)),
        Relation(
            path="PRIMARYCONTACT",
            object="CONTACT",
            by="DISPLAYCONTACTKEY",
            follow=lambda r: r.books.contact(r.seed.contact),
        ),
        Relation(path="APTERM", object="APTERM", by="TERMNAME", follow=lambda r: r.books.term(r.seed.terms)),
    ),
)

CONTACT = ObjectType(
    name="CONTACT",
    name_field="CONTACTNAME",
    fields=_fields(
        [
            _record,
            *_contact("", lambda r: r.contact),
            _field("WHENMODIFIED", "TIMESTAMP", lambda r: r.books.stamp(r.books.vendors[r.vendor].seed.modified)),
        ]
    ),
)

_PAY_TO = Relation(
    path="PAYTOCONTACT", object="CONTACT", by="BILLTOPAYTOKEY", follow=lambda r: r.books.contact(r.remit_to)
)

APBILL = ObjectType(
    name="APBILL",
    name_field="RECORDNO",
    fields=_fields(
        [
            _record,
            _field("RECORDTYPE", "TEXT", _constant("pi")),
            _field("RECORDID", "TEXT", lambda r: r.seed.number or None),
            _field("DOCNUMBER", "TEXT", lambda r: r.seed.reference or None, writable="reference"),
            _field("VENDORID", "TEXT", lambda r: r.seed.vendor, required=True),
            _field("VENDORNAME", "TEXT", lambda r: r.vendor.seed.name if r.vendor else None),
            _field("STATE", "ENUM", lambda r: r.seed.state, BILL_STATES),
            _field("RAWSTATE", "TEXT", lambda r: _RAW.get(r.seed.state)),
            _field("WHENCREATED", "DATE", lambda r: r.seed.date, required=True),
            _field("WHENPOSTED", "DATE", lambda r: r.seed.posted),
            _field("WHENDUE", "DATE", lambda r: r.seed.due),
            _field("WHENDISCOUNT", "DATE", lambda r: r.seed.discount_date),
            _field("WHENPAID", "DATE", lambda r: r.paid_on),
            _field("RECPAYMENTDATE", "DATE", _none),
            _field("TERMNAME", "TEXT", lambda r: r.seed.terms or None),
            _field("TERMKEY", "INTEGER", lambda r: getattr(r.books.term(r.seed.terms), "record", None)),
            _field("DESCRIPTION", "TEXT", lambda r: r.seed.description or None, writable="description"),
            _field("DESCRIPTION2", "TEXT", _none),
            _field("CURRENCY", "TEXT", lambda r: r.seed.currency),
            _field("BASECURR", "TEXT", lambda r: r.base_currency),
            _field("EXCHANGE_RATE", "DECIMAL", lambda r: r.rate),
            _field("EXCH_RATE_DATE", "DATE", lambda r: r.seed.date),
            _field("EXCH_RATE_TYPE_ID", "TEXT", _none),
            _field("TOTALENTERED", "CURRENCY", lambda r: r.base(r.seed.total)),
            _field("TOTALSELECTED", "CURRENCY", lambda r: r.base(r.selected)),
            _field("TOTALPAID", "CURRENCY", lambda r: r.base(r.paid)),
            _field("TOTALDUE", "CURRENCY", lambda r: r.base(r.due)),
            _field("TRX_TOTALENTERED", "CURRENCY", lambda r: r.seed.total),
            _field("TRX_TOTALSELECTED", "CURRENCY", lambda r: r.selected),
            _field("TRX_TOTALPAID", "CURRENCY", lambda r: r.paid),
            _field("TRX_TOTALDUE", "CURRENCY", lambda r: r.due),
            _field("TRX_ENTITYDUE", "CURRENCY", lambda r: r.due),
            _field("INCLUSIVETAX", "BOOLEAN", _constant(False)),
            _field("TAXSOLUTIONID", "TEXT", _none),
            _field("BILLTOPAYTOCONTACTNAME", "TEXT", lambda r: r.remit_to.name if r.remit_to else None),
            _field("SHIPTORETURNTOCONTACTNAME", "TEXT", _none),
            _field("BILLTOPAYTOKEY", "INTEGER", lambda r: getattr(r.books.contact(r.remit_to), "record", None)),
            _field("SHIPTORETURNTOKEY", "INTEGER", _none),
            _field("ONHOLD", "BOOLEAN", lambda r: r.seed.on_hold),
            _field(
                "PAYMENTPRIORITY",
                "ENUM",
                _constant("Normal"),
                (("Urgent", "u"), ("High", "h"), ("Normal", "n"), ("Low", "l")),
            ),
            _field("PRBATCH", "TEXT", lambda r: f"Bills: {r.seed.date:%B %Y} Summary"),
            _field("PRBATCHKEY", "INTEGER", lambda r: r.seed.date.year * 100 + r.seed.date.month),
            _field("MODULEKEY", "TEXT", lambda r: "9.PO" if r.from_purchasing else "3.AP"),
            _field("SUPDOCID", "TEXT", _none),
            _field("RECORD_URL", "TEXT", lambda r: f"https://www.example.com/ia/acct/ur.phtml?.r={r.record}"),
            _field("DUE_IN_DAYS", "INTEGER", lambda r: r.days_due),
            _field("SYSTEMGENERATED", "ENUM", _constant("F"), FLAGS),
            *_stamps(lambda r: r.seed.created, lambda r: r.seed.modified),
            *_ENTITY,
        ]
    ),
    relations=(
        Relation(path="VENDOR", object="VENDOR", by="VENDORID", follow=lambda r: r.vendor),
        _PAY_TO,
        Relation(path="APTERM", object="APTERM", by="TERMNAME", follow=lambda r: r.books.term(r.seed.terms)),
    ),
    owned=(Owned(name="APBILLITEMS", element="apbillitem", object="APBILLITEM", rows=lambda r: r.lines),),
)


def _line_dimensions() -> list[Field]:
    """What bill lines and purchase lines both carry of the company's dimensions."""
    return [
        _field("DEPARTMENTID", "TEXT", lambda r: r.line.department or None),
        _field("LOCATIONID", "TEXT", lambda r: r.line.location or r.entity or None),
        _field("PROJECTID", "TEXT", _none),
        _field("CLASSID", "TEXT", _none),
        _field("CUSTOMERID", "TEXT", _none),
        _field("EMPLOYEEID", "TEXT", _none),
        _field("ITEMID", "TEXT", lambda r: r.line.item or None),
        _field("ITEMNAME", "TEXT", lambda r: r.line.item_name or None),
    ]


APBILLITEM = ObjectType(
    name="APBILLITEM",
    name_field="RECORDNO",
    fields=_fields(
        [
            _record,
            _field("RECORDKEY", "INTEGER", lambda r: r.bill.record),
            _field("RECORDTYPE", "TEXT", _constant("pi")),
            _field("LINE_NO", "INTEGER", lambda r: r.line.number),
            _field("LINEITEM", "ENUM", lambda r: "F" if r.line.generated else "T", FLAGS),
            _field("PARENTENTRY", "INTEGER", lambda r: r.parent_entry),
            _field("SUBTOTAL", "TEXT", lambda r: "T" if r.line.generated else None),
            _field("STATE", "ENUM", lambda r: r.bill.seed.state, BILL_STATES),
            _field("ACCOUNTNO", "TEXT", lambda r: r.line.account or None),
            _field("ACCOUNTTITLE", "TEXT", _none),
            _field("ACCOUNTLABEL", "TEXT", _none),
            _field("OFFSETGLACCOUNTNO", "TEXT", _none),
            _field("ENTRYDESCRIPTION", "TEXT", lambda r: r.line.description or None),
            _field("ENTRY_DATE", "DATE", lambda r: r.bill.seed.date),
            _field("AMOUNT", "CURRENCY", lambda r: r.bill.base(r.line.amount)),
            _field("TRX_AMOUNT", "CURRENCY", lambda r: r.line.amount),
            _field("TOTALTRXAMOUNT", "CURRENCY", lambda r: r.line.amount),
            _field("CURRENCY", "TEXT", lambda r: r.bill.seed.currency),
            _field("BASECURR", "TEXT", lambda r: r.bill.base_currency),
            _field("EXCHANGE_RATE", "DECIMAL", lambda r: r.bill.rate),
            _field("VENDORID", "TEXT", lambda r: r.bill.seed.vendor),
            *_line_dimensions(),
            _field("BILLABLE", "BOOLEAN", _constant(False)),
            _field("BILLED", "BOOLEAN", _constant(False)),
            _field("FORM1099", "BOOLEAN", _constant(False)),
            _field("ALLOCATION", "TEXT", _none),
            _field("RELEASETOPAY", "BOOLEAN", _constant(False)),
            # Of a line both are timestamps; the header's WHENCREATED is the bill's date.
            _field("WHENCREATED", "TIMESTAMP", lambda r: r.books.created_stamp(r.bill.seed.created)),
            _field("WHENMODIFIED", "TIMESTAMP", lambda r: r.books.stamp(r.modified)),
        ]
    ),
    relations=(
        Relation(path="APBILL", object="APBILL", by="RECORDKEY", follow=lambda r: r.bill),
        Relation(path="VENDOR", object="VENDOR", by="VENDORID", follow=lambda r: r.bill.vendor),
    ),
)

APPYMT = ObjectType(
    name="APPYMT",
    name_field="RECORDNO",
    fields=_fields(
        [
            _record,
            _field("RECORDTYPE", "TEXT", _constant("pp")),
            _field("RECORDID", "TEXT", _none),
            _field("FINANCIALENTITY", "TEXT", lambda r: f"BANK-{r.seed.currency}"),
            _field("FINANCIALACCOUNTCURRENCY", "TEXT", lambda r: r.seed.currency),
            _field("STATE", "ENUM", lambda r: r.seed.state, PAYMENT_STATES),
            _field("RAWSTATE", "TEXT", lambda r: _RAW_PAYMENT.get(r.seed.state)),
            _field("PAYMENTDATE", "DATE", lambda r: r.seed.date),
            _field("PAYMENTMETHOD", "TEXT", lambda r: r.seed.method or None),
            _field("PAYMENTREQUESTMETHOD", "TEXT", _none),
            _field("VENDORID", "TEXT", lambda r: r.seed.vendor, required=True),
            _field("VENDORNAME", "TEXT", lambda r: r.vendor.seed.name if r.vendor else None),
            _field("DOCNUMBER", "TEXT", lambda r: r.seed.number or None),
            _field("DESCRIPTION", "TEXT", lambda r: r.seed.memo or None),
            _field("DESCRIPTION2", "TEXT", _none),
            _field("WHENCREATED", "DATE", lambda r: r.seed.date, required=True),
            _field("WHENPAID", "DATE", lambda r: r.seed.date if r.seed.state == "Complete" else None),
            _field("WHENPOSTED", "DATE", lambda r: r.seed.date if r.seed.state != "Submitted" else None),
            _field("BASECURR", "TEXT", lambda r: r.base_currency),
            _field("CURRENCY", "TEXT", lambda r: r.seed.currency),
            _field("EXCH_RATE_DATE", "DATE", lambda r: r.seed.date),
            _field("EXCHANGE_RATE", "DECIMAL", lambda r: r.rate),
            _field("TOTALENTERED", "CURRENCY", lambda r: r.base(r.seed.total)),
            _field("TOTALPAID", "CURRENCY", lambda r: r.base(r.seed.total)),
            _field("TOTALDUE", "CURRENCY", _constant(_ZERO)),
            _field("TRX_TOTALENTERED", "CURRENCY", lambda r: r.seed.total),
            _field("TRX_TOTALPAID", "CURRENCY", lambda r: r.seed.total),
            _field("TRX_TOTALDUE", "CURRENCY", _constant(_ZERO)),
            _field("CLEARED", "ENUM", _constant("F"), FLAGS),
            _field("STATUS", "ENUM", _constant("active"), STATUS),
            _field("SYSTEMGENERATED", "ENUM", _constant("F"), FLAGS),
            *_stamps(lambda r: r.seed.created, lambda r: r.seed.modified),
            *_ENTITY,
        ]
    ),
    relations=(Relation(path="VENDOR", object="VENDOR", by="VENDORID", follow=lambda r: r.vendor),),
    owned=(Owned(name="APPYMTDETAILS", element="appymtdetail", object="APPYMTDETAIL", rows=lambda r: r.details),),
)

_NO_CREDIT = ("POSADJKEY", "ADJUSTMENTKEY", "ADVANCEKEY", "POSTEDADVANCEKEY", "INLINEKEY", "ENTRYKEY")
_NO_CREDIT_AMOUNT = ("TRX_ADJUSTMENTAMOUNT", "TRX_POSTEDADVANCEAMOUNT", "TRX_INLINEAMOUNT")

APPYMTDETAIL = ObjectType(
    name="APPYMTDETAIL",
    name_field="RECORDNO",
    fields=_fields(
        [
            _record,
            _field("PAYMENTKEY", "INTEGER", lambda r: r.payment.record),
            _field("RECORDKEY", "INTEGER", lambda r: r.detail.bill),
            *(_field(name, "INTEGER", _none) for name in _NO_CREDIT),
            _field("TRX_PAYMENTAMOUNT", "CURRENCY", lambda r: r.detail.amount),
            _field("PAYMENTAMOUNT", "CURRENCY", lambda r: r.payment.base(r.detail.amount)),
            _field("TRX_DISCOUNTAMOUNT", "CURRENCY", lambda r: r.detail.discount or None),
            _field("DISCOUNTDATE", "DATE", lambda r: r.payment.seed.date if r.detail.discount else None),
            *(_field(name, "CURRENCY", _none) for name in _NO_CREDIT_AMOUNT),
            _field("PAYMENTDATE", "DATE", lambda r: r.payment.seed.date),
            _field("CURRENCY", "TEXT", lambda r: r.payment.seed.currency),
            _field("STATE", "ENUM", lambda r: r.payment.seed.state, PAYMENT_STATES),
            _field("WHENCREATED", "TIMESTAMP", lambda r: r.books.created_stamp(r.payment.seed.created)),
            _field("WHENMODIFIED", "TIMESTAMP", lambda r: r.books.stamp(r.payment.seed.modified)),
        ]
    ),
    relations=(Relation(path="APPYMT", object="APPYMT", by="PAYMENTKEY", follow=lambda r: r.payment),),
)

# The document follows its bill through approval; nobody has converted it further.
_PURCHASE_STATE = {
    "Draft": "Draft",
    "Submitted": "Submitted",
    "Partially Approved": "Partially Approved",
    "Declined": "Declined",
}


def _purchase_state(row: PurchaseRow) -> str:
    if row.seed.definition == "Purchase Order":
        return "Converted"  # into the vendor invoice its bill was made from
    return _PURCHASE_STATE.get(row.bill.seed.state, "Pending") if row.bill else "Pending"


PODOCUMENT = ObjectType(
    name="PODOCUMENT",
    name_field="DOCID",
    fields=_fields(
        [
            _record,
            _field("DOCNO", "TEXT", lambda r: r.seed.number),
            _field("DOCID", "TEXT", lambda r: r.seed.id),
            _field("DOCPARID", "TEXT", lambda r: r.seed.definition),
            _field("DOCPARKEY", "INTEGER", _constant(1)),
            _field("DOCPARCLASS", "TEXT", lambda r: "Order" if r.seed.definition == "Purchase Order" else "Invoice"),
            _field("STATE", "ENUM", _purchase_state, PURCHASE_STATES),
            _field("STATUS", "ENUM", _constant("active"), STATUS),
            _field("CLOSED", "ENUM", _constant("F"), FLAGS),
            _field("CREATEDFROM", "TEXT", lambda r: r.seed.order or None),
            _field("PONUMBER", "TEXT", lambda r: r.seed.order_number or None),
            _field("VENDORDOCNO", "TEXT", lambda r: r.bill.seed.number or None if r.bill else None),
            _field("CUSTVENDID", "TEXT", lambda r: r.seed.vendor),
            _field("CUSTVENDNAME", "TEXT", lambda r: r.vendor.seed.name if r.vendor else None),
            _field("WHENCREATED", "DATE", lambda r: r.seed.date),
            _field("WHENDUE", "DATE", lambda r: r.bill.seed.due if r.bill else None),
            _field("PRRECORDKEY", "INTEGER", lambda r: r.bill.record if r.bill else None),
            _field("MESSAGE", "TEXT", _none),
            _field("NOTE", "TEXT", _none),
            _field("TERM.NAME", "TEXT", lambda r: r.bill.seed.terms or None if r.bill else None),
            _field("SHIPVIA", "TEXT", _none),
            _field("PROJECT", "TEXT", _none),
            _field("CURRENCY", "TEXT", lambda r: r.seed.currency),
            _field("BASECURR", "TEXT", lambda r: r.bill.base_currency if r.bill else "USD"),
            _field("SUBTOTAL", "CURRENCY", lambda r: r.subtotal),
            _field("TOTAL", "CURRENCY", lambda r: r.total),
            _field("TRX_SUBTOTAL", "CURRENCY", lambda r: r.subtotal),
            _field("TRX_TOTAL", "CURRENCY", lambda r: r.total),
            _field("UPDATES_INV", "ENUM", _constant("F"), FLAGS),
            *_stamps(lambda r: r.seed.created, lambda r: r.seed.modified),
            *_ENTITY,
        ]
    ),
    relations=(Relation(path="VENDOR", object="VENDOR", by="CUSTVENDID", follow=lambda r: r.vendor),),
    owned=(
        Owned(name="PODOCUMENTENTRIES", element="podocumententry", object="PODOCUMENTENTRY", rows=lambda r: r.lines),
    ),
)

PODOCUMENTENTRY = ObjectType(
    name="PODOCUMENTENTRY",
    name_field="RECORDNO",
    fields=_fields(
        [
            _record,
            _field("DOCHDRNO", "INTEGER", lambda r: r.purchase.record),
            _field("DOCHDRID", "TEXT", lambda r: r.purchase.seed.id),
            _field("LINE_NO", "INTEGER", lambda r: r.line.number - 1),  # counts from zero, unlike bill lines
            _field("ITEMDESC", "TEXT", lambda r: r.line.description or None),
            _field("EXTENDED_DESCRIPTION", "TEXT", _none),
            _field("MEMO", "TEXT", _none),
            _field("QUANTITY", "DECIMAL", lambda r: r.line.quantity),
            _field("UNIT", "TEXT", lambda r: r.line.unit or None),
            _field("UIQTY", "DECIMAL", lambda r: r.line.quantity),
            _field("UIPRICE", "DECIMAL", lambda r: r.price),
            _field("UIVALUE", "CURRENCY", lambda r: r.line.amount),
            _field("PRICE", "DECIMAL", lambda r: r.price),
            _field("TRX_PRICE", "DECIMAL", lambda r: r.price),
            _field("TRX_VALUE", "CURRENCY", lambda r: r.line.amount),
            _field("TRX_LINETOTAL", "CURRENCY", lambda r: r.line.amount),
            _field("TOTAL", "CURRENCY", lambda r: r.line.amount),
            _field("LINETOTAL", "CURRENCY", lambda r: r.line.amount),
            _field("QTY_CONVERTED", "DECIMAL", _constant(_ZERO)),
            _field("DISCOUNTPERCENT", "DECIMAL", _none),
            _field("CURRENCY", "TEXT", lambda r: r.purchase.seed.currency),
            *_line_dimensions(),
            _field("SOURCE_DOCID", "TEXT", lambda r: r.purchase.seed.order or None),
            _field("STATE", "ENUM", lambda r: _purchase_state(r.purchase), PURCHASE_STATES),
            *_stamps(lambda r: r.purchase.seed.created, lambda r: r.purchase.seed.modified),
        ]
    ),
    relations=(Relation(path="PODOCUMENT", object="PODOCUMENT", by="DOCHDRNO", follow=lambda r: r.purchase),),
)

LOCATIONENTITY = ObjectType(
    name="LOCATIONENTITY",
    name_field="LOCATIONID",
    fields=_fields(
        [
            _record,
            _field("LOCATIONID", "TEXT", lambda r: r.seed.id, required=True),
            _field("NAME", "TEXT", lambda r: r.seed.name, required=True),
            _field("CURRENCY", "TEXT", lambda r: r.seed.currency),
            _field("STATUS", "ENUM", _constant("active"), STATUS),
        ]
    ),
)

APTERM = ObjectType(
    name="APTERM",
    name_field="NAME",
    fields=_fields(
        [
            _record,
            _field("NAME", "TEXT", lambda r: r.name, required=True),
            _field("DESCRIPTION", "TEXT", lambda r: r.name),
            _field("STATUS", "ENUM", _constant("active"), STATUS),
        ]
    ),
)

AUDITHISTORY = ObjectType(
    name="AUDITHISTORY",
    name_field="ID",
    fields=_fields(
        [
            _field("ID", "INTEGER", lambda r: r.record),
            _field("OBJECTTYPE", "TEXT", lambda r: r.object),
            _field("OBJECTKEY", "TEXT", lambda r: str(r.key)),
            _field("ACCESSMODE", "TEXT", _constant("D")),
            _field("ACCESSTIME", "TIMESTAMP", lambda r: r.books.stamp(r.at)),
            _field("USERID", "TEXT", lambda r: r.user),
            _field("SOURCE", "TEXT", _constant("ui")),
        ]
    ),
)


def _master(name: str, id: str, label: str, *more: Field) -> ObjectType:
    """An account or a dimension: an id, a name, and what all of them have."""
    return ObjectType(
        name=name,
        name_field=id,
        fields=_fields(
            [
                _record,
                _field(id, "TEXT", lambda r: r.seed.id, required=True),
                _field(label, "TEXT", lambda r: r.seed.name, required=True),
                *more,
                _field("STATUS", "ENUM", lambda r: r.seed.status, STATUS),
                _field("WHENCREATED", "TIMESTAMP", lambda r: r.books.created_stamp(r.seed.modified)),
                _field("WHENMODIFIED", "TIMESTAMP", lambda r: r.books.stamp(r.seed.modified)),
            ]
        ),
    )


_PARENT = _field("PARENTID", "TEXT", lambda r: r.seed.parent or None)
_NORMAL_BALANCE = {"1": "debit", "5": "debit"}

MASTERS = (
    _master(
        "GLACCOUNT",
        "ACCOUNTNO",
        "TITLE",
        _field("ACCOUNTTYPE", "ENUM", lambda r: r.seed.kind, (("balancesheet", "N"), ("incomestatement", "I"))),
        _field("NORMALBALANCE", "TEXT", lambda r: _NORMAL_BALANCE.get(r.seed.id[0], "credit")),
        _field("CLOSINGTYPE", "TEXT", _constant("non-closing account")),
        _field("CATEGORY", "TEXT", _none),
        _field("TAXABLE", "BOOLEAN", _constant(False)),
        _field("REQUIREDEPT", "BOOLEAN", _constant(False)),
        _field("REQUIRELOC", "BOOLEAN", _constant(True)),
    ),
    _master("DEPARTMENT", "DEPARTMENTID", "TITLE", _PARENT, _field("SUPERVISORID", "TEXT", _none)),
    _master("LOCATION", "LOCATIONID", "NAME", _PARENT, _field("CURRENCY", "TEXT", _none)),
    _master("CLASS", "CLASSID", "NAME", _PARENT, _field("DESCRIPTION", "TEXT", _none)),
    _master("PROJECT", "PROJECTID", "NAME", _PARENT, _field("PROJECTCATEGORY", "TEXT", _constant("Internal"))),
    _master(
        "ITEM",
        "ITEMID",
        "NAME",
        _field("ITEMTYPE", "TEXT", lambda r: r.seed.kind or None),
        _field("EXTENDED_DESCRIPTION", "TEXT", _none),
    ),
)

OBJECTS: dict[str, ObjectType] = {
    type.name: type
    for type in (
        VENDOR,
        CONTACT,
        APBILL,
        APBILLITEM,
        APPYMT,
        APPYMTDETAIL,
        PODOCUMENT,
        PODOCUMENTENTRY,
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
    PaymentRow: "APPYMT",
    PaymentDetailRow: "APPYMTDETAIL",
    PurchaseRow: "PODOCUMENT",
    PurchaseLineRow: "PODOCUMENTENTRY",
    EntityRow: "LOCATIONENTITY",
    TermRow: "APTERM",
    AuditRow: "AUDITHISTORY",
}
