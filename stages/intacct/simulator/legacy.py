"""The legacy functions' records, put into the form of the generic ones: lower-case names, the schema's order, dates in parts. Pure.

What a shape accepts without a field is read and kept nowhere: this company has no place for it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from lxml import etree

from stages.intacct.simulator.elements import children, elements, text
from stages.intacct.simulator.errors import schema_violation

Given = dict[str, str]
"""A record as it came: dotted names in upper case, texts as sent."""

LINE = "@LINE"
"""What a line names the line by that it changes: its number, from 1."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A legacy element: its children in the schema's order, each with the field it is. ``lines`` are the children that hold lines, each
    with the shapes of these by their names; ``groups`` those that hold other parts of the record.
    """

    fields: tuple[tuple[str, str], ...]
    lines: Mapping[str, Mapping[str, Shape]] = {}
    groups: Mapping[str, Shape] = {}

    @property
    def order(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.fields)


def _fields(words: str) -> tuple[tuple[str, str], ...]:
    """``name=FIELD name=FIELD name``: a name without a field is accepted."""
    return tuple((name, field) for name, _, field in (word.partition("=") for word in words.split()))


def _contact(field: str) -> Shape:
    return Shape(fields=_fields(f"contactname={field}"))


_CURRENCY = "basecurr currency=CURRENCY exchratedate exchratetype exchrate"
_DIMENSIONS = (
    "projectid=PROJECTID taskid costtypeid customerid=CUSTOMERID vendorid employeeid=EMPLOYEEID itemid=ITEMID classid=CLASSID "
    "contractid warehouseid billable=BILLABLE"
)
_BILL_LINE = Shape(
    fields=_fields(
        "accountlabel=ACCOUNTLABEL glaccountno=ACCOUNTNO offsetglaccountno=OFFSETGLACCOUNTNO amount=TRX_AMOUNT allocationid=ALLOCATION "
        "memo=ENTRYDESCRIPTION locationid=LOCATIONID departmentid=DEPARTMENTID item1099=FORM1099 key totalpaid totaldue customfields "
        + _DIMENSIONS
    )
)
_BILL_HEAD = (
    "vendorid=VENDORID datecreated=WHENCREATED dateposted=WHENPOSTED datedue=WHENDUE termname=TERMNAME action=ACTION batchkey "
    "billno=RECORDID ponumber=DOCNUMBER onhold=ONHOLD description=DESCRIPTION externalid payto returnto "
    f"{_CURRENCY} nogl supdocid=SUPDOCID customfields "
)
_BILL_CONTACTS = {"payto": _contact("BILLTOPAYTOCONTACTNAME"), "returnto": _contact("SHIPTORETURNTOCONTACTNAME")}
BILL = Shape(
    fields=_fields(_BILL_HEAD + "billitems taxsolutionid"),
    lines={"billitems": {"lineitem": _BILL_LINE}},
    groups=_BILL_CONTACTS,
)
BILL_UPDATE = Shape(
    fields=_fields(_BILL_HEAD + "updatebillitems taxsolutionid"),
    lines={"updatebillitems": {"updatelineitem": _BILL_LINE, "lineitem": _BILL_LINE}},
    groups=_BILL_CONTACTS,
)
REVERSAL = Shape(fields=_fields("datereversed=WHENCREATED description=DESCRIPTION"))

CONTACT = Shape(
    fields=_fields(
        "contactname=CONTACTNAME printas=PRINTAS companyname=COMPANYNAME taxable=TAXABLE taxgroup=TAXGROUP prefix=PREFIX "
        "firstname=FIRSTNAME lastname=LASTNAME initial=INITIAL phone1=PHONE1 phone2=PHONE2 cellphone=CELLPHONE pager=PAGER fax=FAX "
        "email1=EMAIL1 email2=EMAIL2 url1=URL1 url2=URL2 status=STATUS mailaddress taxid=TAXID taxschedule taxsolutionid"
    ),
    groups={
        "mailaddress": Shape(
            fields=_fields(
                " ".join(
                    f"{name}=MAILADDRESS.{name.upper()}"
                    for name in (
                        *("address1", "address2", "address3", "city", "state", "zip", "country", "countrycode"),
                        *("latitude", "longitude"),
                    )
                )
            )
        )
    },
)

_PURCHASE_LINE = Shape(
    fields=_fields(
        "itemid=ITEMID itemaliasid=ITEMALIASID itemdesc=ITEMDESC taxable warehouseid quantity=UIQTY unit=UNIT linelevelsimpletaxtype "
        "price=UIPRICE sourcelinekey overridetaxamount deliverto tax locationid=LOCATIONID departmentid=DEPARTMENTID memo=MEMO itemdetails "
        "form1099 form1099type form1099box customfields projectid=PROJECTID taskid costtypeid customerid=CUSTOMERID vendorid employeeid=EMPLOYEEID classid=CLASSID contractid "
        "billable needbydate donotshipbeforedate donotshipafterdate promiseddate"
    )
)
_SUBTOTAL = Shape(
    fields=_fields(
        "description=SUBTOTAL total=SUBTOTAL.TOTAL absval=SUBTOTAL.ABSVAL percentval=SUBTOTAL.PERCENTVAL locationid departmentid "
        "projectid customerid vendorid employeeid classid itemid contractid customfields"
    )
)
_PURCHASE_HEAD = (
    "vendordocno=VENDORDOCNO termname=TERM.NAME datedue=WHENDUE message=MESSAGE shippingmethod=SHIPVIA returnto payto deliverto "
    f"supdocid=SUPDOCID externalid {_CURRENCY} customfields state=ACTION projectid=PROJECT changelognumber needbydate "
    "donotshipbeforedate donotshipafterdate promiseddate contractstartdate contractenddate cancelafterdate taxsolutionid "
)
PURCHASE = Shape(
    fields=_fields(
        "transactiontype=DOCPARID datecreated=WHENCREATED dateposted createdfrom=CREATEDFROM vendorid=CUSTVENDID documentno=DOCNO "
        "referenceno=PONUMBER " + _PURCHASE_HEAD + "potransitems subtotals"
    ),
    lines={"potransitems": {"potransitem": _PURCHASE_LINE}, "subtotals": {"subtotal": _SUBTOTAL}},
)
PURCHASE_UPDATE = Shape(
    fields=_fields(
        "datecreated=WHENCREATED dateposted referenceno=PONUMBER "
        + _PURCHASE_HEAD
        + "updatepotransitems updatesubtotals"
    ),
    lines={
        "updatepotransitems": {"updatepotransitem": _PURCHASE_LINE, "potransitem": _PURCHASE_LINE},
        "updatesubtotals": {"updatesubtotal": _SUBTOTAL},
    },
)


def read(element: etree._Element, shape: Shape) -> tuple[Given, list[Given]]:
    """A record, and its lines. Raises `FunctionRefused` for what the schema does not allow."""
    parts, fields = in_order(element, shape.order), dict(shape.fields)
    given: Given = {}
    lines: list[Given] = []
    for name, part in parts.items():
        if name in shape.lines:
            lines += [_line(item, shape.lines[name]) for item in elements(part)]
        elif name in shape.groups:
            inner, _ = read(part, shape.groups[name])
            given |= {field: value for field, value in inner.items() if value}  # an empty one stands for the usual
        elif name == "customfields":
            given |= dict(map(_custom, elements(part)))
        elif fields[name]:
            given[fields[name]] = _day(part) if len(part) else text(part)
    return given, lines


def _line(item: etree._Element, shapes: Mapping[str, Shape]) -> Given:
    shape = shapes.get(str(item.tag))
    if shape is None:
        raise schema_violation(f"Element '{item.tag}' is not expected; {' or '.join(shapes)} is")
    given, _ = read(item, shape)
    number = item.get("line_num")
    if number is None:
        return given
    if not number.isdecimal() or not int(number):
        raise schema_violation(f"Element '{item.tag}': line_num is a number from 1")
    return given | {LINE: number}


def _custom(element: etree._Element) -> tuple[str, str]:
    parts = in_order(element, ("customfieldname", "customfieldvalue"))
    if len(parts) != 2:
        raise schema_violation("Element 'customfield': customfieldname and customfieldvalue are needed")
    return text(parts["customfieldname"]).upper(), text(parts["customfieldvalue"])


def in_order(element: etree._Element, order: tuple[str, ...]) -> dict[str, etree._Element]:
    """Children of a legacy function: each at most once, in the schema's order."""
    found = children(element, order)
    places = [order.index(name) for name in found]
    if places != sorted(places):
        raise schema_violation(f"Element '{element.tag}': its children are not in the order of the schema")
    return found


def _day(element: etree._Element) -> str:
    parts = in_order(element, ("year", "month", "day"))
    if len(parts) != 3:
        raise schema_violation(f"Element '{element.tag}': year, month and day are needed")
    return "/".join(text(parts[name]) for name in ("month", "day", "year"))
