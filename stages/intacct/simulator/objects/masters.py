"""Accounts, dimensions and the legal entities."""

from __future__ import annotations

from stages.intacct.simulator.model import Field, ObjectType, Relation
from stages.intacct.simulator.objects.columns import (
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

LOCATIONENTITY = ObjectType(
    name="LOCATIONENTITY",
    name_field="LOCATIONID",
    fields=fields(
        [
            RECORD,
            field("LOCATIONID", "TEXT", lambda r: r.seed.id, required=True),
            field("NAME", "TEXT", lambda r: r.seed.name, required=True),
            field("CURRENCY", "TEXT", lambda r: r.seed.currency),
            *blanks(
                "TEXT",
                "REPORTPRINTAS SUPERVISORID FIRSTMONTH FIRSTMONTHTAX WEEKSTART FEDERALID CUSTOMERID CUSTOMERNAME VENDORID VENDORNAME TAXID "
                "LEGALNAME LEGALADDRESS1 LEGALADDRESS2 LEGALCITY LEGALSTATE LEGALZIPCODE LEGALCOUNTRY OPCOUNTRY ADDRESSCOUNTRYDEFAULT "
                "RECORD_URL",
            ),
            *blanks("DATE", "STARTDATE ENDDATE"),
            field("HAS_IE_RELATION", "BOOLEAN", constant(False)),
            field("ENABLELEGALCONTACT", "BOOLEAN", constant(False)),
            *blanks("TIMESTAMP", "WHENCREATED WHENMODIFIED"),
            *users(none),
            field("STATUS", "ENUM", constant("active"), STATUS),
        ]
    ),
)


def _master(name: str, id: str, label: str, *more: Field) -> ObjectType:
    """An account or a dimension: an id, a name, and what all of them have."""
    parent = Relation(path="PARENT", object=name, by="PARENTKEY", follow=lambda r: r.parent)
    return ObjectType(
        name=name,
        name_field=id,
        fields=fields(
            [
                RECORD,
                field(id, "TEXT", lambda r: r.seed.id, required=True),
                field(label, "TEXT", lambda r: r.seed.name, required=True, writable="name"),
                *more,
                field("STATUS", "ENUM", lambda r: r.seed.status, STATUS, writable="status"),
                field("WHENCREATED", "TIMESTAMP", lambda r: r.books.created_stamp(r.seed.modified)),
                field("WHENMODIFIED", "TIMESTAMP", lambda r: r.books.stamp(r.seed.modified)),
                *users(lambda r: r.seed.modified),
                *blanks("TEXT", "RECORD_URL"),
            ]
        ),
        relations=(parent,) if any(field.id == "PARENTKEY" for field in more) else (),
    )


_PARENT = [
    field("PARENTID", "TEXT", lambda r: r.seed.parent or None, writable="parent"),
    field("PARENTKEY", "INTEGER", lambda r: r.parent.record if r.parent else None),
    field("PARENTNAME", "TEXT", lambda r: r.parent.seed.name if r.parent else None),
]
_NORMAL_BALANCE = {"1": "debit", "5": "debit"}

MASTERS = (
    _master(
        "GLACCOUNT",
        "ACCOUNTNO",
        "TITLE",
        field("ACCOUNTTYPE", "ENUM", lambda r: r.seed.kind, (("balancesheet", "N"), ("incomestatement", "I"))),
        field("NORMALBALANCE", "TEXT", lambda r: _NORMAL_BALANCE.get(r.seed.id[0], "credit")),
        field("CLOSINGTYPE", "TEXT", constant("non-closing account")),
        *blanks(
            "TEXT",
            "CLOSINGACCOUNTNO CLOSINGACCOUNTTITLE CATEGORY CATEGORYKEY TAXCODE MRCCODE ALTERNATIVEACCOUNT WIPSETUPACCTTYPE "
            "RECLASSIFICATIONACCOUNTNO LETTRAGESEQUENCEID QB MEGAENTITYID MEGAENTITYNAME",
        ),
        *blanks("INTEGER", "CLOSETOACCTKEY RECLASSIFICATIONACCTKEY MEGAENTITYKEY"),
        field("REQUIRELOC", "BOOLEAN", constant(True)),
        *(
            field(name, "BOOLEAN", constant(False))
            for name in (
                *(
                    "TAXABLE",
                    "SUBLEDGERCONTROLON",
                    "ENABLE_GLMATCHING",
                    "REQUIREDEPT",
                    "REQUIREPROJECT",
                    "REQUIRECUSTOMER",
                ),
                *("REQUIREVENDOR", "REQUIREEMPLOYEE", "REQUIREITEM", "REQUIRECLASS"),
            )
        ),
    ),
    _master(
        "DEPARTMENT",
        "DEPARTMENTID",
        "TITLE",
        *_PARENT,
        *blanks("TEXT", "SUPERVISORID SUPERVISORNAME CUSTTITLE"),
        *blanks("INTEGER", "SUPERVISORKEY"),
    ),
    _master(
        "LOCATION",
        "LOCATIONID",
        "NAME",
        *_PARENT,
        *contact_group("CONTACTINFO.", none),
        *contact_group("SHIPTO.", none),
        *blanks(
            "TEXT",
            "CURRENCY SUPERVISORNAME SUPERVISORID FEDERALID FIRSTMONTH WEEKSTART IEPAYABLE.ACCOUNT IEPAYABLE.NUMBER IERECEIVABLE.ACCOUNT "
            "IERECEIVABLE.NUMBER MESSAGE_TEXT MARKETING_TEXT FOOTNOTETEXT REPORTPRINTAS ISROOT RESERVEAMT VENDORNAME VENDORID CUSTOMERID "
            "CUSTOMERNAME ENTITY CUSTTITLE BUSINESSDAYS WEEKENDS FIRSTMONTHTAX VENDENTITY CUSTENTITY TAXID SIRET LEGAL_CATEGORY "
            "MAIN_ACTIVITY TYPE_OF_COMPANY VAT_REGIME ENTITYNAME",
        ),
        *blanks(
            "INTEGER",
            "CONTACTKEY SUPERVISORKEY SHIPTOKEY IEPAYABLEACCTKEY IERECEIVABLEACCTKEY REGISTERED_CAPITAL",
        ),
        *blanks("DATE", "STARTDATE ENDDATE"),
        *blanks("ENUM", "ADDRESSCOUNTRYDEFAULT LOCATIONTYPE"),
        field("HAS_IE_RELATION", "BOOLEAN", constant(False)),
    ),
    _master(
        "CLASS",
        "CLASSID",
        "NAME",
        *_PARENT,
        *blanks("TEXT", "DESCRIPTION MEGAENTITYID MEGAENTITYNAME"),
        *blanks("INTEGER", "MEGAENTITYKEY"),
    ),
    _master(
        "PROJECT",
        "PROJECTID",
        "NAME",
        *_PARENT,
        field("PROJECTCATEGORY", "TEXT", constant("Internal")),
        *blanks(
            "TEXT",
            "DESCRIPTION CURRENCY PROJECTSTATUS PROJECTTYPE CUSTOMERID CUSTOMERNAME DEPARTMENTID DEPARTMENTNAME LOCATIONID LOCATIONNAME "
            "BUDGETID MEGAENTITYID MEGAENTITYNAME",
        ),
        *blanks("INTEGER", "CUSTOMERKEY MEGAENTITYKEY"),
        *blanks("DATE", "BEGINDATE ENDDATE"),
    ),
    _master(
        "ITEM",
        "ITEMID",
        "NAME",
        field("ITEMTYPE", "TEXT", lambda r: r.seed.kind or None),
        field("MRR", "BOOLEAN", constant(False)),
        *blanks("TEXT", "EXTENDED_DESCRIPTION PRODUCTLINEID GLGROUP UOMGRP UPC"),
    ),
    _master(
        "CUSTOMER",
        "CUSTOMERID",
        "NAME",
        *_PARENT,
        *blanks("TEXT", "ENTITY CUSTREPNAME GLGROUP TERMNAME TAXID CURRENCY"),
        *blanks("INTEGER", "GLGRPKEY"),
        *blanks("CURRENCY", "TOTALDUE"),
        field("ONETIME", "BOOLEAN", constant(False)),
        field("ONHOLD", "BOOLEAN", constant(False)),
        field("OBJECTRESTRICTION", "ENUM", constant("Unrestricted"), (("Unrestricted", "U"),)),
    ),
    # Who it is stands in its contact; of an employee this company keeps no more than it must.
    _master(
        "EMPLOYEE",
        "EMPLOYEEID",
        "CONTACT.CONTACTNAME",
        field("PERSONALINFO.CONTACTNAME", "TEXT", lambda r: r.seed.name),
        *(each for each in contact_group("CONTACT.", none) if each.id != "CONTACT.CONTACTNAME"),
        field("LOCATIONID", "TEXT", none),
        field("DEPARTMENTID", "TEXT", lambda r: r.seed.parent or None, writable="parent"),
        *blanks(
            "TEXT",
            "TITLE SSN EMPLOYEETYPE EMPLOYEETYPE1099TYPE GENDER TERMINATIONTYPE CURRENCY PAYMETHODKEY MEGAENTITYID MEGAENTITYNAME",
        ),
        *blanks("DATE", "BIRTHDATE STARTDATE ENDDATE"),
        *blanks("INTEGER", "CONTACTKEY MEGAENTITYKEY"),
    ),
    _master("WAREHOUSE", "LOCATIONID", "NAME", *blanks("TEXT", "PARENTID MANAGERID")),
)
