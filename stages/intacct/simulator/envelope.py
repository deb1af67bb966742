"""The request envelope read strictly, and the reply envelope written. Pure: bytes in, bytes out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast
from xml.sax.saxutils import escape

import msgspec
from lxml import etree

from stages.intacct.simulator.answer import Listed
from stages.intacct.simulator.elements import elements, text
from stages.intacct.simulator.errors import IDENTITY, SCHEMA, GatewayError, RequestRefused, cause

_CONTROL = ("senderid", "password", "controlid", "uniqueid", "dtdversion", "policyid", "debug", "includewhitespace")
_LOOSE = "showadditionalerrorinfo"  # newer than the published schema, which leaves its place in the sequence open
_LOGIN = ("userid", "companyid", "password", "clientid", "locationid")
_LONGEST_ID = 256
_VERSIONS = ("3.0", "2.1")  # the older one has the legacy functions only
_SPECIAL = re.compile("[^\t\n !-%'-;=?-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # illegal, or one of & < > and CR
_SUPPORT = re.compile(r"\[Support ID: ([^\]]*)\]")
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """What ``control`` says. ``echo`` are the elements the reply repeats, as they were sent; ``detailed`` asks for more about errors,
    ``legacy`` is the older version, which has the legacy functions only.
    """

    sender: str
    password: str
    unique: bool
    whitespace: bool
    detailed: bool
    legacy: bool
    echo: dict[str, str]


class Login(msgspec.Struct, frozen=True, kw_only=True):
    user: str
    company: str
    password: str
    client: str
    location: str


class Function(msgspec.Struct, frozen=True, kw_only=True):
    controlid: str
    name: str
    element: etree._Element


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """``credentials`` is a login, or a session's id. ``atomic``: all functions or none."""

    credentials: Login | str
    atomic: bool
    functions: tuple[Function, ...]


class Result(msgspec.Struct, kw_only=True):
    """What became of a function. ``status`` is success, failure or aborted."""

    status: str
    function: str
    controlid: str
    key: str = ""
    listed: Listed | None = None
    data: etree._Element | None = None
    errors: tuple[GatewayError, ...] = ()


# Reading


def read_document(body: bytes) -> etree._Element:
    """The root of a well-formed request. Raises `RequestRefused`; entities are refused unread."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise RequestRefused(SCHEMA, str(error)) from None
    doctype: Any = root.getroottree().docinfo.internalDTD
    if doctype is not None and list(doctype.iterentities()):
        raise RequestRefused(SCHEMA, "entity declarations are not accepted")
    if doctype is not None and (doctype.system_url or doctype.external_id):
        raise RequestRefused(SCHEMA, "a DOCTYPE that names a file is not accepted")
    return cast(etree._Element, root)


def read_control(root: etree._Element, *, newer: bool = True) -> Control:
    """The request's ``control``. Raises `RequestRefused` when it is not the sequence the schema has.

    ``newer`` schemas have an element for more about errors.
    """
    if root.tag != "request":
        raise RequestRefused(SCHEMA, f"Element '{root.tag}': no declaration available; 'request' is expected")
    parts = elements(root)
    if not parts or parts[0].tag != "control":
        raise RequestRefused(SCHEMA, "Element 'request': missing child element 'control'")
    loose = [each for each in elements(parts[0]) if newer and each.tag == _LOOSE]
    named = _sequence([each for each in elements(parts[0]) if each not in loose], "control", _CONTROL)
    for name in ("senderid", "password", "controlid", "dtdversion"):
        if name not in named:
            raise RequestRefused(SCHEMA, f"Element 'control': missing child element '{name}'")
    if len(named["controlid"]) > _LONGEST_ID:
        raise RequestRefused(SCHEMA, "Element 'controlid': longer than 256 characters")
    if named["dtdversion"] not in _VERSIONS:
        raise RequestRefused(
            SCHEMA, f"Element 'dtdversion': '{named['dtdversion']}' is not one of {', '.join(_VERSIONS)}"
        )
    return Control(
        sender=named["senderid"],
        password=named["password"],
        unique=_boolean("uniqueid", named.get("uniqueid", "true")),
        whitespace=_boolean("includewhitespace", named.get("includewhitespace", "true")),
        legacy=named["dtdversion"] != "3.0",
        detailed=any(_boolean(_LOOSE, text(each)) for each in loose),
        echo={
            "senderid": named["senderid"],
            "controlid": named["controlid"],
            "uniqueid": named.get("uniqueid", "true"),
            "dtdversion": named["dtdversion"],
        },
    )


def asynchronous(root: etree._Element) -> bool:
    """Whether the request names a transport policy. This gateway has none."""
    return root.find("control/policyid") is not None


def read_operations(root: etree._Element) -> list[Operation]:
    """Every ``operation``, with its functions unread. Raises `RequestRefused`."""
    found = elements(root)[1:]
    if not found:
        raise RequestRefused(SCHEMA, "Element 'request': missing child element 'operation'")
    return [_operation(element) for element in found]


def _operation(element: etree._Element) -> Operation:
    if element.tag != "operation":
        raise RequestRefused(SCHEMA, f"Element 'request': child element '{element.tag}' is not expected")
    tags = [child.tag for child in elements(element)]
    if tags not in (["authentication", "content"], ["authentication", "preferences", "content"]):
        raise RequestRefused(SCHEMA, "Element 'operation': authentication and content are expected, in this order")
    authentication, content = elements(element)[0], elements(element)[-1]
    functions = tuple(_function(child) for child in elements(content))
    if not functions:
        raise RequestRefused(SCHEMA, "Element 'content': missing child element 'function'")
    atomic = _boolean("operation', attribute 'transaction", element.get("transaction", "false"))
    return Operation(credentials=_credentials(authentication), atomic=atomic, functions=functions)


def _credentials(authentication: etree._Element) -> Login | str:
    choices = elements(authentication)
    if len(choices) != 1 or choices[0].tag not in {"login", "sessionid"}:
        raise RequestRefused(SCHEMA, "Element 'authentication': either login or sessionid is expected")
    if choices[0].tag == "sessionid":
        return text(choices[0])
    named = _sequence(elements(choices[0]), "login", _LOGIN)
    for name in _LOGIN[:3]:
        if name not in named:
            raise RequestRefused(SCHEMA, f"Element 'login': missing child element '{name}'")
    return Login(
        user=named["userid"],
        company=named["companyid"],
        password=named["password"],
        client=named.get("clientid", ""),
        location=named.get("locationid", ""),
    )


def _function(element: etree._Element) -> Function:
    controlid = element.get("controlid", "")
    if element.tag != "function":
        raise RequestRefused(SCHEMA, f"Element 'content': child element '{element.tag}' is not expected")
    if not 1 <= len(controlid) <= _LONGEST_ID:
        raise RequestRefused(SCHEMA, "Element 'function': the attribute 'controlid' needs 1 to 256 characters")
    inner = elements(element)
    if len(inner) != 1:
        raise RequestRefused(SCHEMA, f"Element 'function': exactly one function is expected, found {len(inner)}")
    return Function(controlid=controlid, name=str(inner[0].tag), element=inner[0])


def _sequence(children: Iterable[etree._Element], parent: str, order: tuple[str, ...]) -> dict[str, str]:
    """The texts of children that must come in this order, each at most once."""
    named: dict[str, str] = {}
    reached = -1
    for child in children:
        place = order.index(child.tag) if child.tag in order else -1
        if place <= reached:
            raise RequestRefused(SCHEMA, f"Element '{parent}': child element '{child.tag}' is not expected here")
        named[child.tag], reached = text(child), place
    return named


def _boolean(name: str, value: str) -> bool:
    if value not in {"true", "false"}:
        raise RequestRefused(SCHEMA, f"Element '{name}': '{value}' is not true or false")
    return value == "true"


# Writing


def add(parent: etree._Element, name: str, value: str = "") -> etree._Element:
    """A child with a text; characters XML cannot carry are dropped."""
    child = etree.SubElement(parent, name)
    try:
        child.text = value
    except ValueError:
        child.text = _ILLEGAL.sub("", value)
    return child


def records(name: str, names: list[str], cells: list[list[str]]) -> etree._Element:
    """A ``data`` of equal records. Written as text and parsed, which costs a third of adding a million elements one by one."""
    template = f"<{name}>{''.join(f'<{each}>%s</{each}>' for each in names)}</{name}>"
    rows = [template % tuple(row if _SPECIAL.search("".join(row)) is None else map(_escaped, row)) for row in cells]
    parser = etree.XMLParser(resolve_entities=False, huge_tree=True)
    return cast(etree._Element, etree.fromstring(f"<data>{''.join(rows)}</data>", parser))


def _escaped(value: str) -> str:
    return escape(_ILLEGAL.sub("", value)).replace("\r", "&#13;")


def add_errors(parent: etree._Element, errors: Iterable[GatewayError], *, detailed: bool) -> None:
    message = etree.SubElement(parent, "errormessage")
    for error in errors:
        element = etree.SubElement(message, "error")
        for name in ("errorno", "description", "description2", "correction"):
            add(element, name, getattr(error, name))
        if detailed:
            _add_cause(etree.SubElement(element, "additionalinfo"), error)


def _add_cause(parent: etree._Element, error: GatewayError) -> None:
    """Elements as Sage documents them: a part without a text has a ``category`` too, and names no support id."""
    known = cause(error)
    support = _SUPPORT.search(error.description2)
    asked = support[1] if support else ""
    add(parent, "errorid", known.id)
    add(parent, "category", known.category)
    _add_target(parent, "businessinfo", asked)
    for name, said in (
        ("description", error.description),
        ("cdescription", error.description2),
        ("correction", error.correction),
    ):
        part = etree.SubElement(parent, name)
        add(part, "messageid", known.message if said else "")
        if not said:
            add(part, "category")
        _add_target(part, "businessInfo", f"[Support ID: {asked}]" if asked and name == "cdescription" else "")
        add(part, "placeholders")


def _add_target(parent: etree._Element, business: str, asked: str) -> None:
    etree.SubElement(parent, "target", {"domain": "", "requestinfo": asked, "object": "", "field": "", business: ""})


def start_reply(control: Control | None, errors: tuple[GatewayError, ...] = ()) -> etree._Element:
    """A ``response`` with its ``control``; with errors it is a refusal of the whole request, complete as it is."""
    response = etree.Element("response")
    head = etree.SubElement(response, "control")
    add(head, "status", "failure" if errors else "success")
    for name, value in (control.echo if control else {}).items():
        add(head, name, value)
    if errors:
        add_errors(response, errors, detailed=control.detailed if control else False)
    return response


def add_refusal(
    operation: etree._Element, user: str, company: str, description2: str, *, correction: str = "", detailed: bool
) -> None:
    """A failed authentication: the error stands beside ``authentication``, and there is no result."""
    authentication = etree.SubElement(operation, "authentication")
    add(authentication, "status", "failure")
    add(authentication, "userid", user)
    add(authentication, "companyid", company)
    add_errors(operation, (GatewayError(IDENTITY, description2, correction=correction),), detailed=detailed)


def add_result(operation: etree._Element, result: Result, *, detailed: bool) -> None:
    element = etree.SubElement(operation, "result")
    if result.status:
        add(element, "status", result.status)
    add(element, "function", result.function)
    add(element, "controlid", result.controlid)
    if result.key:
        add(element, "key", result.key)
    if result.listed is not None:
        start, last = result.listed.start, result.listed.start + max(0, result.listed.count - 1)
        listed = add(element, "listtype", result.listed.name)
        for name, value in (("start", start), ("end", last), ("total", result.listed.total)):
            listed.set(name, str(value))
    if result.data is not None:
        element.append(result.data)
    if result.errors:
        add_errors(element, result.errors, detailed=detailed)


def written(response: etree._Element, *, whitespace: bool) -> bytes:
    """The bytes of a reply. Apostrophes go out as numeric references, as the real gateway sends them."""
    if whitespace:
        etree.indent(response)
    body = etree.tostring(response, encoding="UTF-8", xml_declaration=False)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body.replace(b"'", b"&#039;")
