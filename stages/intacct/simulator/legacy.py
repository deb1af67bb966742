"""The legacy functions' records, put into the form of the generic ones: lower-case names, the schema's order, dates in parts. Pure."""

from __future__ import annotations

from lxml import etree

from stages.intacct.simulator.elements import children, elements, text
from stages.intacct.simulator.errors import schema_violation

Given = dict[str, str]
"""A record as it came: dotted names in upper case, texts as sent."""


_OF_BILL = (
    *(
        "vendorid",
        "datecreated",
        "dateposted",
        "datedue",
        "termname",
        "action",
        "batchkey",
        "billno",
        "ponumber",
        "onhold",
    ),
    *("description", "externalid", "payto", "returnto", "basecurr", "currency", "billitems"),
)
_OF_LINE = ("glaccountno", "accountlabel", "amount", "memo", "locationid", "departmentid", "itemid")
_GENERIC = {
    "vendorid": "VENDORID",
    "datecreated": "WHENCREATED",
    "dateposted": "WHENPOSTED",
    "datedue": "WHENDUE",
    "termname": "TERMNAME",
    "action": "ACTION",
    "billno": "RECORDID",
    "ponumber": "DOCNUMBER",
    "description": "DESCRIPTION",
    "currency": "CURRENCY",
    "glaccountno": "ACCOUNTNO",
    "accountlabel": "ACCOUNTLABEL",
    "amount": "TRX_AMOUNT",
    "memo": "ENTRYDESCRIPTION",
    "locationid": "LOCATIONID",
    "departmentid": "DEPARTMENTID",
    "itemid": "ITEMID",
}


def legacy_bill(element: etree._Element) -> tuple[Given, list[Given]]:
    """A bill of `create_bill` or `update_bill`, and its lines. Raises `FunctionRefused` for what the schema does not allow."""
    parts = _in_order(element, _OF_BILL)
    items = elements(parts["billitems"]) if "billitems" in parts else []
    bill = _generic({name: part for name, part in parts.items() if name != "billitems"})
    return bill, [_generic(_in_order(item, _OF_LINE)) for item in items]


def _in_order(element: etree._Element, order: tuple[str, ...]) -> dict[str, etree._Element]:
    """Children of a legacy function: each at most once, in the schema's order."""
    found = children(element, order)
    places = [order.index(name) for name in found]
    if places != sorted(places):
        raise schema_violation(f"Element '{element.tag}': its children are not in the order of the schema")
    return found


def _generic(parts: dict[str, etree._Element]) -> Given:
    return {_GENERIC[name]: _day(part) if len(part) else text(part) for name, part in parts.items() if name in _GENERIC}


def _day(element: etree._Element) -> str:
    parts = _in_order(element, ("year", "month", "day"))
    if len(parts) != 3:
        raise schema_violation(f"Element '{element.tag}': year, month and day are needed")
    return "/".join(text(parts[name]) for name in ("month", "day", "year"))
