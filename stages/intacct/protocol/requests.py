"""Requests as XML, always built as a tree. The element order of each part is the gateway's schema order.

``uniqueid`` is false for all that reads: absent it would be true, and the repeat of a read be refused. What changes something is sent with
true and a control id of its own: then the gateway refuses to do it twice.
"""

from __future__ import annotations

import re

import msgspec
from lxml import etree

from pipeline import ConfigError, Secret
from stages.intacct.protocol.query import Compare, Filter, Query

_LONGEST_CONTROL_ID = 256
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Who signs in, and where: ``location`` is an entity, empty for the top level."""

    user: str
    company: str
    password: Secret
    client: str = ""
    location: str = ""


class Sender(msgspec.Struct, frozen=True):
    """The web services sender every request names. ``error_ids`` asks that each error of a reply also has its stable id."""

    id: str
    password: Secret
    error_ids: bool = False


def envelope(
    sender: Sender,
    control_id: str,
    authentication: Login | Secret,
    function: etree._Element,
    *,
    once: str | None = None,
) -> bytes:
    """A whole request with one function. ``control_id`` is fresh per attempt; a `Secret` as authentication is a session id.

    ``once`` is the control id of a function that must not be done twice, the same in every attempt; None for what reads.
    """
    if not all(1 <= len(id_) <= _LONGEST_CONTROL_ID for id_ in (control_id, control_id if once is None else once)):
        raise ValueError("a control id has 1 to 256 characters")
    request = etree.Element("request")
    control = etree.SubElement(request, "control")
    _text(control, "senderid", sender.id)
    _text(control, "password", sender.password.reveal())
    _text(control, "controlid", control_id)
    _text(control, "uniqueid", "false" if once is None else "true")
    _text(control, "dtdversion", "3.0")
    _text(control, "includewhitespace", "false")
    if sender.error_ids:
        _text(control, "showadditionalerrorinfo", "true")
    operation = etree.SubElement(request, "operation", transaction="false")
    _authenticate(etree.SubElement(operation, "authentication"), authentication)
    content = etree.SubElement(operation, "content")
    etree.SubElement(content, "function", controlid=control_id if once is None else once).append(function)
    return etree.tostring(request, xml_declaration=True, encoding="UTF-8")


def _authenticate(parent: etree._Element, authentication: Login | Secret) -> None:
    if isinstance(authentication, Secret):
        _text(parent, "sessionid", authentication.reveal())
        return
    login = etree.SubElement(parent, "login")
    _text(login, "userid", authentication.user)
    _text(login, "companyid", authentication.company)
    _text(login, "password", authentication.password.reveal())
    if authentication.client:
        _text(login, "clientid", authentication.client)
    if authentication.location:
        _text(login, "locationid", authentication.location)


def get_session() -> etree._Element:
    """Asks for a session of the login it travels with. Must be alone in its request."""
    return etree.Element("getAPISession")


def lookup(object_name: str) -> etree._Element:
    """Asks which fields an object has in this company."""
    function = etree.Element("lookup")
    _text(function, "object", object_name)
    return function


def query(question: Query) -> etree._Element:
    """One page of a query."""
    function = etree.Element("query")
    _text(function, "object", question.object)
    select = etree.SubElement(function, "select")
    for field in question.fields:
        _text(select, "field", field)
    for name, aggregated in (("count", question.counts), ("sum", question.sums)):
        for field in aggregated:
            _text(select, name, field)
    if question.filter is not None:
        etree.SubElement(function, "filter").append(_filter(question.filter))
    if question.order:
        orderby = etree.SubElement(function, "orderby")
        for field in question.order:
            order = etree.SubElement(orderby, "order")
            _text(order, "field", field)
            etree.SubElement(order, "descending" if question.newest_first else "ascending")
    if question.private:
        _text(etree.SubElement(function, "options"), "showprivate", "true")
    _text(function, "pagesize", str(question.page_size))
    _text(function, "offset", str(question.offset))
    return function


def transactions(function: etree._Element) -> int:
    """What Sage counts for a function: each page of a list is one, so is each record that is made, changed or deleted; the rest is free.

    Lines count with their header. A function that is older than these (``create_bill``) makes one record.
    """
    name = str(function.tag)
    if name in ("create", "update"):
        return max(1, len(function))
    if name == "delete":
        return len((function.findtext("keys") or "").split(","))
    return int(name in ("query", "readByQuery", "readMore") or name.startswith(("create_", "update_", "delete_")))


def _filter(node: Filter) -> etree._Element:
    element = etree.Element(node.operator)
    if isinstance(node, Compare):
        _text(element, "field", node.field)
        for value in node.values:
            _text(element, "value", value)
    else:
        element.extend([_filter(part) for part in node.parts])
    return element


def _text(parent: etree._Element, tag: str, text: str) -> None:
    """Refuses what XML cannot carry rather than dropping it: a changed user name or key would mean someone else."""
    if _ILLEGAL.search(text):
        raise ConfigError(
            f"a value for <{tag}> holds a character that XML cannot carry",
            where="the request to the Intacct gateway",
            why="control characters and lone surrogates are not text in XML",
            mend="retype that setting or key; it was probably pasted with an invisible character",
            code="MLC-INTACCT-0108",
        )
    etree.SubElement(parent, tag).text = text
