"""Which fields are asked of each object, and their types here. One table, and what narrows it to the company at hand.

A company's fields depend on its modules and dimensions; one unknown field fails a whole query. So the wish list is cut to what `lookup`
knows, and a field the gateway still refuses is dropped when nothing rests on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from stages.intacct.protocol.responses import Definition

Type = Literal["text", "amount", "date", "flag"]

CONTACT_FIELDS = (
    *("CONTACTNAME", "COMPANYNAME", "FIRSTNAME", "LASTNAME", "PRINTAS", "PHONE1", "CELLPHONE", "EMAIL1"),
    *("MAILADDRESS.ADDRESS1", "MAILADDRESS.ADDRESS2", "MAILADDRESS.CITY", "MAILADDRESS.STATE", "MAILADDRESS.ZIP"),
    *("MAILADDRESS.COUNTRY", "MAILADDRESS.COUNTRYCODE"),
)
"""The fields of a contact, below the path it hangs on."""

DISPLAY_CONTACT = ("DISPLAYCONTACT", "CONTACTINFO")
"""Where a vendor's own contact can be found; the first that names anything counts."""
PAY_TO = ("PAYTO", "PAYTOCONTACT")
"""Where a vendor's pay-to contact can be found."""


class Wish(msgspec.Struct, frozen=True):
    """What to ask of one object: ``required`` fields come always; ``types`` names every field that is not text."""

    object: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    types: dict[str, Type]
    alternatives: tuple[str, ...] = ()  # asked for only when `lookup` says they exist


def _wish(
    name: str, required: str, text: str, amount: str = "", date: str = "", flag: str = "", **more: tuple[str, ...]
) -> Wish:
    types: dict[str, Type] = dict.fromkeys(amount.split(), "amount")
    types |= dict.fromkeys(date.split(), "date")
    types |= dict.fromkeys(flag.split(), "flag")
    optional = [*text.split(), *types, *more.get("contacts", ())]
    needed = tuple(required.split())
    return Wish(
        object=name,
        required=needed,
        optional=tuple(field for field in optional if field not in needed),
        types=types,
        alternatives=more.get("alternatives", ()),
    )


def _contact(path: str) -> tuple[str, ...]:
    return tuple(f"{path}.{field}" for field in CONTACT_FIELDS)


BILL = _wish(
    "APBILL",
    "RECORDNO VENDORID STATE WHENCREATED",
    "RECORDID DOCNUMBER VENDORNAME RAWSTATE TERMNAME DESCRIPTION DESCRIPTION2 CURRENCY BASECURR MODULEKEY PAYMENTPRIORITY "
    "BILLTOPAYTOCONTACTNAME SHIPTORETURNTOCONTACTNAME PRBATCH SUPDOCID RECORDTYPE AUWHENCREATED WHENMODIFIED MEGAENTITYID MEGAENTITYNAME",
    amount="TRX_TOTALENTERED TRX_TOTALPAID TRX_TOTALDUE TOTALENTERED TOTALPAID TOTALDUE EXCHANGE_RATE",
    date="WHENCREATED WHENPOSTED WHENDUE WHENDISCOUNT WHENPAID RECPAYMENTDATE EXCH_RATE_DATE",
    flag="ONHOLD INCLUSIVETAX SYSTEMGENERATED",
)
LINE = _wish(
    "APBILLITEM",
    "RECORDNO RECORDKEY",
    "LINE_NO LINEITEM ACCOUNTNO ACCOUNTTITLE ACCOUNTLABEL ENTRYDESCRIPTION CURRENCY DEPARTMENTID DEPARTMENTNAME LOCATIONID "
    "LOCATIONNAME CLASSID PROJECTID TASKID CUSTOMERID EMPLOYEEID ITEMID ITEMNAME WAREHOUSEID CONTRACTID PARENTENTRY",
    amount="AMOUNT TRX_AMOUNT",
    flag="BILLABLE",
)
VENDOR = _wish(
    "VENDOR",
    "RECORDNO VENDORID",
    "NAME STATUS STATE TERMNAME CURRENCY VENDORACCOUNTNO VENDTYPE PARENTID TAXID WHENCREATED WHENMODIFIED MEGAENTITYID",
    amount="CREDITLIMIT",
    flag="ONHOLD ONETIME DONOTCUTCHECK",
    contacts=_contact("DISPLAYCONTACT") + _contact("PAYTO"),
    alternatives=_contact("CONTACTINFO") + _contact("PAYTOCONTACT"),
)
CONTACT = _wish("CONTACT", "RECORDNO CONTACTNAME", " ".join(CONTACT_FIELDS[1:]))
CONTACT_CHANGE = _wish("CONTACT", "RECORDNO CONTACTNAME WHENMODIFIED", "")
"""What tells that a contact was saved."""
VENDOR_CONTACTS = _wish(
    "VENDOR",
    "RECORDNO VENDORID",
    " ".join(f"{path}.CONTACTNAME" for path in (DISPLAY_CONTACT[0], PAY_TO[0], "RETURNTO")),
    alternatives=tuple(f"{path}.CONTACTNAME" for path in (DISPLAY_CONTACT[1], PAY_TO[1], "RETURNTOCONTACT")),
)
"""Which contacts a vendor has."""
AUDIT = _wish("AUDITHISTORY", "ID OBJECTTYPE OBJECTKEY ACCESSTIME", "USERID")
PURCHASE = _wish(
    "PODOCUMENT",
    "RECORDNO DOCID PRRECORDKEY",
    "DOCNO DOCPARID DOCPARCLASS CREATEDFROM PONUMBER VENDORDOCNO STATE CUSTVENDID CURRENCY MESSAGE NOTE SHIPVIA",
    amount="TOTAL",
    date="WHENCREATED WHENDUE",
)
PURCHASE_LINE = _wish(
    "PODOCUMENTENTRY",
    "RECORDNO DOCHDRNO",
    "LINE_NO ITEMID ITEMNAME ITEMDESC MEMO UNIT CURRENCY DEPARTMENTID LOCATIONID PROJECTID SOURCE_DOCID",
    amount="UIQTY QUANTITY UIPRICE TRX_PRICE PRICE UIVALUE TRX_VALUE TOTAL QTY_CONVERTED",
)
PURCHASE_LINE_NAMED = msgspec.structs.replace(PURCHASE_LINE, alternatives=("ITEMALIASID",))
"""The same with what the vendor calls the item, as it was typed in the document, in a company whose documents have that."""
REFERENCE = _wish("ITEMCROSSREF", "RECORDNO ITEMID VENDORID ITEMALIASID", "UNIT")
"""What vendors call our items."""
PAYMENT = _wish(
    "APPYMT",
    "RECORDNO VENDORID STATE WHENCREATED",
    "RECORDID DOCNUMBER VENDORNAME RAWSTATE RECORDTYPE PAYMENTMETHOD FINANCIALENTITY DESCRIPTION DESCRIPTION2 CURRENCY BASECURR "
    "STATUS AUWHENCREATED WHENMODIFIED MEGAENTITYID MEGAENTITYNAME",
    amount="TRX_TOTALENTERED TRX_TOTALPAID TOTALENTERED TOTALPAID EXCHANGE_RATE",
    date="WHENCREATED WHENPAID WHENPOSTED PAYMENTDATE",
)
PAYMENT_DETAIL = _wish(
    "APPYMTDETAIL",
    "RECORDNO PAYMENTKEY",
    "RECORDKEY POSADJKEY ADJUSTMENTKEY ADVANCEKEY POSTEDADVANCEKEY CURRENCY",
    amount="TRX_PAYMENTAMOUNT TRX_DISCOUNTAMOUNT TRX_ADJUSTMENTAMOUNT TRX_POSTEDADVANCEAMOUNT",
    date="DISCOUNTDATE",
)
BILL_COUNT = _wish("APBILL", "RECORDNO", "RECORDID CURRENCY BASECURR MODULEKEY", amount="TRX_TOTALENTERED TOTALENTERED")
"""What counting and adding up bills needs of each."""
PAYMENT_COUNT = _wish("APPYMT", "RECORDNO", "DOCNUMBER CURRENCY BASECURR", amount="TRX_TOTALENTERED TOTALENTERED")
PAID_BILL = _wish(
    "APBILL",
    "RECORDNO",
    "RECORDID DOCNUMBER CURRENCY BASECURR",
    amount="TRX_TOTALENTERED TOTALENTERED",
    date="WHENCREATED",
)
ADJUSTMENT = _wish(
    "APADJUSTMENT",
    "RECORDNO",
    "RECORDID DOCNUMBER CURRENCY BASECURR",
    amount="TRX_TOTALENTERED TOTALENTERED",
    date="WHENCREATED",
)
ORDER = _wish(
    "PODOCUMENT",
    "RECORDNO DOCID DOCPARID",
    "DOCNO DOCPARCLASS STATE CUSTVENDID CURRENCY BASECURR PONUMBER VENDORDOCNO MESSAGE NOTE SHIPVIA CREATEDFROM WHENMODIFIED",
    amount="TRX_TOTAL TOTAL",
    date="WHENCREATED WHENDUE",
)
ACCOUNT = _wish(
    "GLACCOUNT",
    "RECORDNO ACCOUNTNO",
    "TITLE ACCOUNTTYPE NORMALBALANCE CLOSINGTYPE STATUS CATEGORY ALTERNATIVEACCOUNT CLOSINGACCOUNTNO WHENMODIFIED",
    flag="TAXABLE REQUIREDEPT REQUIRELOC REQUIRECLASS REQUIRECUSTOMER REQUIREEMPLOYEE REQUIREITEM",
)
DEPARTMENT = _wish("DEPARTMENT", "RECORDNO DEPARTMENTID", "TITLE PARENTID SUPERVISORID CUSTTITLE STATUS WHENMODIFIED")
LOCATION = _wish("LOCATION", "RECORDNO LOCATIONID", "NAME PARENTID ENTITY CURRENCY STATUS WHENMODIFIED")
CLASS = _wish("CLASS", "RECORDNO CLASSID", "NAME PARENTID DESCRIPTION STATUS WHENMODIFIED")
PROJECT = _wish(
    "PROJECT",
    "RECORDNO PROJECTID",
    "NAME PROJECTCATEGORY PROJECTSTATUS PARENTID CUSTOMERID STATUS WHENMODIFIED",
    date="BEGINDATE ENDDATE",
)
ITEM = _wish(
    "ITEM",
    "RECORDNO ITEMID",
    "NAME ITEMTYPE EXTENDED_DESCRIPTION PRODUCTLINEID GLGROUP UOMGRP UPC STATUS WHENMODIFIED",
)

VOLATILE = frozenset({"WHENMODIFIED", "DUE_IN_DAYS"})
"""Fields that change while the object does not; a digest leaves them out."""

_DATATYPES: dict[str, Type] = {
    "DECIMAL": "amount",
    "CURRENCY": "amount",
    "PERCENT": "amount",
    "DATE": "date",
    "BOOLEAN": "flag",
}


class Selection(msgspec.Struct, frozen=True):
    """The fields to ask for in this company, and their types; ``required`` cannot be dropped."""

    object: str
    fields: tuple[str, ...]
    required: frozenset[str]
    types: dict[str, Type]

    def without(self, refused: Iterable[str]) -> Selection:
        """The selection without those fields."""
        gone = set(refused)
        return msgspec.structs.replace(self, fields=tuple(field for field in self.fields if field not in gone))


def select(
    wish: Wish, definition: Definition | None, extra: Iterable[str] = (), needed: Iterable[str] = ()
) -> Selection:
    """The wish cut to what the company has. Without a definition everything but the alternatives is asked for.

    ``extra`` are fields a flow asks for by name: they are kept whatever `lookup` says, and typed by it when it knows them.
    ``needed`` are fields the reading itself rests on.
    """
    extra = tuple(name.upper() for name in extra)
    required = tuple(dict.fromkeys((*wish.required, *needed, *extra)))
    optional = wish.optional if definition is None else (*wish.optional, *wish.alternatives)
    known = [field for field in optional if definition is None or _has(definition, field)]
    types = dict(wish.types)
    if definition is not None:
        for field in extra:
            if field not in types and field in definition.fields:
                types[field] = _DATATYPES.get(definition.fields[field].type, "text")
    return Selection(wish.object, tuple(dict.fromkeys((*required, *known))), frozenset(required), types)


def _has(definition: Definition, field: str) -> bool:
    return field in definition.fields or ("." in field and field.split(".", 1)[0] in definition.paths)


def refused_fields(selection: Selection, text: str) -> tuple[str, ...]:
    """Which of the selected fields an error text names, also by the path they hang on (``PAYTO`` means all its fields)."""
    named = set(re.findall(r"[A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*", text.upper()))
    exact = tuple(field for field in selection.fields if field in named and _spelt(field, text))
    if exact:
        return exact
    return tuple(field for field in selection.fields if "." in field and field.split(".", 1)[0] in named)


def _spelt(field: str, text: str) -> bool:
    """Field names are also English words (``state``): only the capital spelling, or one in quotes, names a field."""
    return re.search(rf"(?<![\w.]){re.escape(field)}(?!\w|\.\w)", text) is not None or re.search(
        rf"['\"\[]{re.escape(field)}['\"\]]", text, re.IGNORECASE
    ) is not None  # fmt: skip
