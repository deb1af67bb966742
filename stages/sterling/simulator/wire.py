"""The HTTP face: targets, bodies, media types, answers and error objects. Pure functions over texts and bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from lxml import etree

READ_TYPE = "application/json; charset=UTF-8"
WRITE_TYPE = "application/json;charset=utf-8"  # the server spells its two kinds of answers differently
XML_TYPE = "application/xml"
HTML_TYPE = "text/html;charset=ISO-8859-1"
MAX_FIELDS = 200


class ApiError(Exception):
    """A request the server refuses. ``html`` answers as the servlet container does, not as the APIs do."""

    def __init__(self, status: int, text: str, *, html: bool = False, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.html = html
        self.headers = dict(headers or {})


class ContainerError(ApiError):
    """Refused by the web container before any API saw it: an HTML page."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, text, html=True, headers=headers)


@dataclass(slots=True)
class Target:
    """A request line taken apart: ``segments`` without empty ones, ``query`` with the first value of each name."""

    method: str
    segments: tuple[str, ...]
    query: dict[str, str]


@dataclass(slots=True)
class Reply:
    """An answer before it is written: ``content`` is a JSON value, ``written`` tells the spelling of its media type; ``raw`` goes out in its place."""

    content: Any
    status: int = 200
    written: bool = False
    location: str = ""
    raw: bytes | None = None


@dataclass(slots=True)
class Raw:
    """An answer as bytes on the wire."""

    status: int
    body: bytes
    content_type: str
    headers: dict[str, str] = field(default_factory=dict)


def read_target(method: str, raw: str) -> Target:
    """Takes a request target apart. A plus sign in a segment is a space, as production clients send it.

    Brackets must come raw: the server does not know their escaped form, so it stays part of the segment.
    """
    path, _, query = raw.partition("?")
    values: dict[str, str] = {}
    for name, value in read_pairs(query):
        values.setdefault(name, value)
    segments = tuple(_segment(part) for part in path.split("/") if part)
    return Target(values.get("_method", method).upper() or method, segments, values)


def read_pairs(text: str) -> list[tuple[str, str]]:
    """The pairs of a query or a form."""
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise ContainerError(400, "too many parameters") from error


def _segment(part: str) -> str:
    for escaped in ("%5B", "%5b", "%5D", "%5d"):
        part = part.replace(escaped, "%25" + escaped[1:])
    return unquote_plus(part)


def media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def media_types(lines: list[str]) -> frozenset[str]:
    """What all Accept lines together name."""
    return frozenset(media_type(item) for line in lines for item in line.split(",") if item.strip())


def wants_xml(accept: frozenset[str], further: frozenset[str] = frozenset()) -> bool:
    """JSON wins where both are welcome, and stands for ``further`` types; ContainerError 406 where none is."""
    if not accept or accept & {"application/json", "*/*", "application/*"} | further:
        return False
    if XML_TYPE in accept:
        return True
    raise ContainerError(406, "none of the accepted media types can be produced")


def read_body(raw: bytes, content_type: str, *, creating: bool) -> dict[str, Any]:
    """The fields of a JSON object or an attribute-style XML element. An empty body is no fields."""
    if not raw.strip():
        return {}
    kind = media_type(content_type)
    if kind == "application/json":
        return _read_json(raw)
    if kind == XML_TYPE:
        return _read_xml(raw, "create" if creating else "update")
    raise ContainerError(415, f"the media type {kind or '(none)'} is not supported here")


def _read_json(raw: bytes) -> dict[str, Any]:
    try:
        content = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"The request body is not readable as JSON in UTF-8: {type(error).__name__}") from error
    if not isinstance(content, dict):
        raise ApiError(400, "The request body must be a JSON object")
    return content


def _read_xml(raw: bytes, root: str) -> dict[str, Any]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        element = etree.fromstring(raw, parser)
    except etree.XMLSyntaxError as error:
        raise ApiError(400, "The request body is not well-formed XML") from error
    if element.tag != root:
        raise ApiError(400, f"The root element must be <{root}>")
    fields: dict[str, Any] = {**_attributes(element)}
    for child in element.iterchildren("*"):
        fields[str(child.tag)] = _attributes(child) or [_attributes(item) for item in child.iterchildren("*")]
    return fields


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.attrib.items()}


def render(reply: Reply, *, xml: bool) -> Raw:
    """Writes an answer with the server's exact spelling of its media type."""
    headers = {"Location": reply.location} if reply.location else {}
    if reply.raw is not None:
        return Raw(reply.status, reply.raw, "application/octet-stream", headers)
    if xml:
        return Raw(reply.status, _write_xml(reply.content), f"{XML_TYPE};charset=UTF-8", headers)
    body = json.dumps(reply.content, ensure_ascii=False, separators=(",", ":")).encode()
    return Raw(reply.status, body, WRITE_TYPE if reply.written else READ_TYPE, headers)


def render_error(error: ApiError, *, xml: bool = False) -> Raw:
    """An error object, or the container's page."""
    if error.html:
        return Raw(error.status, html_page(error.status, error.text), HTML_TYPE, error.headers)
    content = {"errorCode": error.status, "errorDescription": error.text}
    raw = render(Reply(content, error.status, written=True), xml=xml)
    raw.headers.update(error.headers)
    return raw


def html_page(status: int, text: str) -> bytes:
    """A page of the web container; without a text it has none to show."""
    if not text:
        return b""
    safe = text.replace("&", "&amp;").replace("<", "&lt;")
    return f"<html><head><title>Error {status}</title></head><body><h1>Error {status}</h1><p>{safe}</p></body></html>".encode()


def _write_xml(content: Any) -> bytes:
    if isinstance(content, list):
        root = etree.Element("list")
        root.extend([_element("row", row) for row in content])
    else:
        root = _element("response", content)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _element(tag: str, fields: Mapping[str, Any]) -> etree._Element:
    element = etree.Element(tag)
    for name, value in fields.items():
        if name.startswith("$"):  # no legal XML name
            continue
        if isinstance(value, Mapping) and "code" in value:
            value = value["code"]
        if isinstance(value, Mapping):
            element.append(_element(name, value))
        elif isinstance(value, list):
            group = etree.SubElement(element, name)
            group.extend([_element("item", item if isinstance(item, Mapping) else {"value": item}) for item in value])
        elif value is not None:
            element.set(name, _text(value))
    return element


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
