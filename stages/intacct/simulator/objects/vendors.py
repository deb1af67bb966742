"""Vendors, their contacts and their terms."""

from __future__ import annotations

from stages.ap.seed.world import SeedContact
from stages.intacct.simulator.model import ObjectType, Relation
from stages.intacct.simulator.objects.columns import (
    ENTITY,
    PRIORITIES,
    RECORD,
    STATUS,
    blanks,
    constant,
    contact_group,
    field,
    fields,
    none,
    users,
)
from stages.intacct.simulator.rows import VendorRow


def _vendor_pay_to(row: VendorRow) -> SeedContact | None:
    return row.seed.pay_to


def _vendor_contact(row: VendorRow) -> SeedContact | None:
    return row.seed.contact


VENDOR = ObjectType(
    name="VENDOR",
    name_field="VENDORID",
    fields=fields(
        [
            RECORD,
            field("VENDORID", "TEXT", lambda r: r.seed.id, required=True),
            field("NAME", "TEXT", lambda r: r.seed.name, required=True, writable="name"),
            field("NAME1099", "TEXT", lambda r: r.seed.name if r.seed.tax_id else None),
            field("TAXID", "TEXT", lambda r: r.seed.tax_id or None, writable="tax_id"),
            field("VENDORACCOUNTNO", "TEXT", lambda r: r.seed.account or None, writable="account"),
            field("VENDTYPE", "TEXT", lambda r: r.seed.kind or None, writable="kind"),
            field("STATUS", "ENUM", lambda r: r.seed.status, STATUS, writable="status"),
            field("STATE", "ENUM", constant("Approved"), (("Approved", "A"), ("Submitted", "S"), ("Rejected", "R"))),
            field("TERMNAME", "TEXT", lambda r: r.seed.terms or None, writable="terms"),
            field("CURRENCY", "TEXT", lambda r: r.seed.currency or None, writable="currency"),
            field("CREDITLIMIT", "CURRENCY", none),
            field("TOTALDUE", "CURRENCY", lambda r: r.due),
            field("ONETIME", "BOOLEAN", lambda r: r.seed.one_time, writable="one_time"),
            field("ONHOLD", "BOOLEAN", constant(False)),
            field("DONOTCUTCHECK", "BOOLEAN", constant(False)),
            field("ISINDIVIDUAL", "BOOLEAN", constant(False)),
            field("PAYMENTPRIORITY", "ENUM", constant("normal"), PRIORITIES),
            *blanks(
                "TEXT", "APACCOUNT APACCOUNTTITLE ACCOUNTLABEL OFFSETGLACCOUNTNO GLGROUP PARENTID PARENTNAME COMMENTS"
            ),
            *blanks("INTEGER", "PARENTKEY"),
            *blanks(
                "TEXT",
                "FORM1099TYPE FORM1099BOX SUPDOCID OFFSETGLACCOUNT PAYMETHODKEY BILLINGTYPE ACHBANKROUTINGNUMBER ACHACCOUNTNUMBER "
                "ACHACCOUNTTYPE ACHREMITTANCETYPE RESTRICTEDLOCATIONS RESTRICTEDDEPARTMENTS",
            ),
            *(
                field(name, "BOOLEAN", constant(False))
                for name in (
                    *("HIDEDISPLAYCONTACT", "MERGEPAYMENTREQ", "PAYMENTNOTIFY", "DISPLAYTERMDISCOUNT"),
                    *("ACHENABLED", "DISPLAYACCTNOCHECK"),
                )
            ),
            field(
                "OBJECTRESTRICTION",
                "ENUM",
                constant("Unrestricted"),
                (("Unrestricted", "U"), ("RootOnly", "R"), ("Restricted", "E")),
            ),
            # Saving a contact moves the contact's own WHENMODIFIED, not that of the vendors it belongs to.
            field(
                "DISPLAYCONTACTKEY", "INTEGER", lambda r: getattr(r.books.contacts.of(r.seed.contact), "record", None)
            ),
            field("PAYTOKEY", "INTEGER", lambda r: getattr(r.books.contacts.of(r.seed.pay_to), "record", None)),
            *contact_group("DISPLAYCONTACT.", _vendor_contact),
            *contact_group("CONTACTINFO.", none),
            *contact_group("PAYTO.", _vendor_pay_to),
            *contact_group("RETURNTO.", none),
            field("WHENCREATED", "TIMESTAMP", lambda r: r.books.created_stamp(r.seed.created)),
            field("WHENMODIFIED", "TIMESTAMP", lambda r: r.books.stamp(r.seed.modified)),
            *users(lambda r: r.seed.modified),
            *ENTITY,
        ]
    ),
    relations=(
        Relation(
            path="PAYTOCONTACT", object="CONTACT", by="PAYTOKEY", follow=lambda r: r.books.contacts.of(r.seed.pay_to)
        ),
        Relation(
            path="PRIMARYCONTACT",
            object="CONTACT",
            by="DISPLAYCONTACTKEY",
            follow=lambda r: r.books.contacts.of(r.seed.contact),
        ),
        Relation(path="APTERM", object="APTERM", by="TERMNAME", follow=lambda r: r.books.term(r.seed.terms)),
    ),
)

CONTACT = ObjectType(
    name="CONTACT",
    name_field="CONTACTNAME",
    fields=fields(
        [
            RECORD,
            *contact_group("", lambda r: r.contact),
            field("WHENCREATED", "TIMESTAMP", lambda r: r.books.created_stamp(r.created)),
            field("WHENMODIFIED", "TIMESTAMP", lambda r: r.books.stamp(r.modified)),
            *ENTITY,
        ]
    ),
)


APTERM = ObjectType(
    name="APTERM",
    name_field="NAME",
    fields=fields(
        [
            RECORD,
            field("NAME", "TEXT", lambda r: r.name, required=True),
            field("DESCRIPTION", "TEXT", lambda r: r.name),
            field("DUEDATE", "INTEGER", lambda r: r.days),
            *blanks("ENUM", "DUEFROM DISCFROM DISCPERCAMN PEN_TYPES PENPERCAMN DISCCALCON"),
            *blanks("INTEGER", "DISCDATE DISCAMOUNT DISCFUDGEDAYS PENAMOUNT PENFUDGEDAYS"),
            *blanks("TIMESTAMP", "WHENCREATED WHENMODIFIED"),
            *users(none),
            *blanks("TEXT", "RECORD_URL"),
            field("STATUS", "ENUM", constant("active"), STATUS),
        ]
    ),
)
