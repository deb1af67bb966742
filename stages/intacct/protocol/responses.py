"""Replies as typed outcomes. Nothing here decides what an outcome means for a flow; `faults` does.

A reply of HTTP 200 succeeds at three levels: control, authentication, and each function's result; only the word ``success`` is
success. The parser trusts nothing: bytes only, no entities, no DOCTYPE, no network, no recovery of broken documents.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Any, Literal

import msgspec
from lxml import etree

from stages.intacct.protocol.flat import flat_rows
from stages.intacct.protocol.roots import documents

Level = Literal["control", "authentication", "function"]
Kind = Literal["empty", "html", "malformed", "doctype", "foreign"]
Row = dict[str, str | None]
"""One record: upper-case names, nested elements as dotted names (``DISPLAYCONTACT.MAILADDRESS.CITY``), empty as None."""
Source = dict[str, Any]
"""A record with its types (see `objects.typed`): amounts, dates and flags read, everything else text."""

_SUPPORT = re.compile(r"\s*\[(?:Support ID|Request ID):\s*([^\]]*)\]")
_HTML = re.compile(rb"<html[\s>]|<!doctype\s+html", re.IGNORECASE)
_TITLE = re.compile(rb"<title[^>]*>([^<]*)", re.IGNORECASE)
_HEAD = 4096
_FINDINGS = {code: name for name, code in vars(etree.ErrorTypes).items() if isinstance(code, int)}
_DOCTYPES = tuple("<!DOCTYPE".encode(encoding) for encoding in ("ascii", "utf-16-le", "utf-16-be"))
_COUNTERS = {"count", "totalcount", "numremaining", "resultId", "offset", "listtype"}


class Unreadable(Exception):
    """The body is no reply of the gateway. ``detail`` is bounded text from outside, which may quote anything: hide secrets, then cut."""

    def __init__(self, kind: Kind, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind: Kind = kind
        self.detail = detail


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One error of an ``errormessage``. ``number`` is not always a code. ``support`` is the id Sage's support asks for."""

    number: str = ""
    text: str = ""
    correction: str = ""
    support: str = ""
    cause: str = ""  # the stable id of `additionalinfo`, when the gateway gives one


class FieldType(msgspec.Struct, frozen=True):
    """One field as `lookup` describes it; ``type`` is the gateway's DATATYPE."""

    name: str
    type: str


class Definition(msgspec.Struct, frozen=True):
    """An object as this company has it: its fields by upper-case name, and the paths that lead to related objects."""

    object: str
    fields: dict[str, FieldType]
    paths: frozenset[str]


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """What a function returned. ``count``, ``total`` and ``remaining`` are None when the gateway did not say; ``absent`` says that there was no data
    at all, which is not the same as none of it.
    """

    rows: list[Row] = []
    count: int | None = None
    total: int | None = None
    remaining: int | None = None
    definition: Definition | None = None
    absent: bool = False

    def contradiction(self, offset: int = 0) -> str:
        """Why this cannot be a whole page of records behind that many, as the reply itself counts them; empty when it can."""
        if self.absent:
            return "it says success and holds no data"
        if self.count is not None and self.count != len(self.rows):
            return f"it counts {self.count} records and holds {len(self.rows)}"
        if self.remaining == 0 and self.total is not None and self.total > offset + len(self.rows):
            return f"it holds {len(self.rows)} of {self.total} records and says that none remain"
        return ""

    @property
    def more(self) -> bool:
        """Whether rows are left behind these, which are the first of their query. How many there are proves nothing: gateways send
        fewer than they were asked for. When nothing was counted, only an empty page is the end.
        """
        if self.remaining is not None:
            return self.remaining > 0
        if self.total is not None:
            return self.total > len(self.rows)
        return bool(self.rows)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One function's result. A failed one can carry data too: what was done before it failed."""

    ok: bool
    status: str
    function: str = ""
    control_id: str = ""
    faults: tuple[Fault, ...] = ()
    data: Data = Data()


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed reply. ``failed`` is the level that failed as a whole; function failures are in ``outcomes``.

    ``session_timeout`` and ``session_timestamp`` are ISO texts as sent, or empty. ``control_id``, ``user``, ``company`` and ``location`` repeat what the
    request named, empty where the reply leaves them out; ``location`` is None then, and empty is the top level.
    """

    failed: Level | None = None
    faults: tuple[Fault, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    session_timestamp: str = ""
    session_timeout: str = ""
    control_id: str = ""
    user: str = ""
    company: str = ""
    location: str | None = None


def read_reply(body: bytes) -> Reply:
    """Parses one body. Raises `Unreadable` when it is not a gateway reply at all.

    Of several documents it is the one that is a reply; of several replies any, when all of them say the same.
    """
    try:
        return _read(_parse(body))
    except Unreadable as error:
        if error.kind != "malformed":
            raise
        replies = _replies(body)
        if not replies or any(_meaning(reply) != _meaning(replies[0]) for reply in replies):
            raise
    return replies[0]


def _replies(body: bytes) -> list[Reply]:
    """The replies among the documents of the body; none when one of these is broken, or is a reply only by its name."""
    try:
        roots = [_element(document) for document in documents(body)]
        return [_read(root) for root in roots if root.tag == "response"]
    except Unreadable:
        return []


def _meaning(reply: Reply) -> Reply:
    """What a reply says was done: copies may be a second apart."""
    return msgspec.structs.replace(reply, session_timestamp="", session_timeout="")


def _read(root: etree._Element) -> Reply:
    if root.tag != "response":
        raise Unreadable("foreign", f"its outermost element is <{str(root.tag)[:_HEAD]}>")
    if root.find("control") is None:
        raise Unreadable("foreign", "it has no <control>")
    if _text(root, "control/status") != "success":
        return Reply(failed="control", faults=_faults(root, root.find("control")))
    operations = root.findall("operation")
    if not operations:
        return Reply(failed="control", faults=_faults(root) or (Fault(text="the reply has no operation"),))
    return msgspec.structs.replace(
        _read_operations(operations), control_id=_text(root, "control/controlid", lower=False)
    )


def _read_operations(operations: list[etree._Element]) -> Reply:
    reply = Reply()
    outcomes: list[Outcome] = []
    for operation in operations:
        authentication = operation.find("authentication")
        if authentication is not None:
            if _text(authentication, "status") != "success":
                return Reply(failed="authentication", faults=_faults(operation, authentication))
            reply = _signed_in(authentication)
        outcomes.extend(_outcome(result) for result in operation.findall("result"))
        if (faults := _faults(operation)) and not operation.findall("result"):
            outcomes.append(Outcome(ok=False, status="failure", faults=faults))
    return msgspec.structs.replace(reply, outcomes=tuple(outcomes))


def _signed_in(authentication: etree._Element) -> Reply:
    there = authentication.find("locationid") is not None
    return Reply(
        session_timestamp=_text(authentication, "sessiontimestamp", lower=False),
        session_timeout=_text(authentication, "sessiontimeout", lower=False),
        user=_text(authentication, "userid", lower=False),
        company=_text(authentication, "companyid", lower=False),
        location=_text(authentication, "locationid", lower=False) if there else None,
    )


def _outcome(result: etree._Element) -> Outcome:
    status = _text(result, "status")
    data = result.find("data")
    return Outcome(
        ok=status == "success",
        status=status,
        function=_text(result, "function", lower=False),
        control_id=_text(result, "controlid", lower=False),
        faults=_faults(result),
        data=Data(absent=True) if data is None else _data(data),
    )


def _data(data: etree._Element) -> Data:
    counters = {str(name): str(value) for name, value in data.attrib.items()}
    definition = None
    rows = flat_rows(data)
    if rows is None:
        rows = []
        for child in data:
            if child.tag in _COUNTERS and len(child) == 0:
                counters[str(child.tag)] = child.text or ""
            elif child.tag == "Type":
                definition = read_definition(child)
            else:
                rows.append(_row(child))
    return Data(
        rows=rows,
        count=_number(counters, "count"),
        total=_number(counters, "totalcount"),
        remaining=_number(counters, "numremaining"),
        definition=definition,
    )


def read_definition(element: etree._Element) -> Definition:
    """The ``Type`` element of a `lookup`."""
    names = [
        (_text(field, "ID", lower=False).upper(), _text(field, "DATATYPE", lower=False))
        for field in element.iter("Field")
    ]
    paths = {_text(relation, "OBJECTPATH", lower=False).upper() for relation in element.iter("Relationship")}
    return Definition(
        object=str(element.get("Name", "")).upper(),
        fields={name: FieldType(name, kind.upper()) for name, kind in names if name},
        paths=frozenset(paths - {""}),
    )


def _row(element: etree._Element) -> Row:
    row: Row = {}
    for child in element:
        if len(child) == 0:
            row[str(child.tag).upper()] = (child.text or "").strip() or None
        else:
            _nest(child, f"{child.tag}.".upper(), row)
    return row


def _nest(element: etree._Element, prefix: str, row: Row) -> None:
    """Nested elements become dotted names. Owned collections repeat a name: they have no place in a row and no query returns them."""
    names = [child.tag for child in element]
    if len(set(names)) < len(names):
        return
    for child in element:
        if len(child) == 0:
            row[prefix + str(child.tag).upper()] = (child.text or "").strip() or None
        else:
            _nest(child, f"{prefix}{child.tag}.".upper(), row)


def _faults(*parents: etree._Element | None) -> tuple[Fault, ...]:
    return tuple(
        _fault(error)
        for parent in parents
        if parent is not None
        for message in parent.findall("errormessage")
        for error in message.findall("error")
    )


def _fault(error: etree._Element) -> Fault:
    texts = [_text(error, name, lower=False) for name in ("description2", "description")]
    joined = " - ".join(text for text in dict.fromkeys(texts) if text)
    correction = _text(error, "correction", lower=False)
    support = _SUPPORT.search(f"{joined} {correction}")
    return Fault(
        number=_text(error, "errorno", lower=False),
        text=_SUPPORT.sub("", joined).strip(),
        correction=_SUPPORT.sub("", correction).strip(),
        support=support[1].strip() if support else "",
        cause=_text(error, "additionalinfo/errorid", lower=False),
    )


def _parse(body: bytes) -> etree._Element:
    if body[:1].isspace():
        body = (
            body.lstrip()
        )  # what runs in front of a gateway puts blank lines before the declaration, which XML forbids
    head = body[:_HEAD]
    if not body:
        raise Unreadable("empty")
    if _HTML.search(head):
        raise Unreadable("html", _title(head))
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise Unreadable("doctype")
    return _element(body)


def _element(body: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        kind: Kind = "doctype" if any(doctype in body for doctype in _DOCTYPES) else "malformed"
        raise Unreadable(kind, _fault_of(error)) from None
    docinfo = root.getroottree().docinfo
    if docinfo.internalDTD is not None or docinfo.doctype:
        raise Unreadable("doctype")
    return root


def _fault_of(error: etree.XMLSyntaxError) -> str:
    """The parser's finding by its kind and place: its own text quotes names of the document, which may be anything."""
    line, column = error.position
    kind = _FINDINGS.get(getattr(error, "code", 0), "error").removeprefix("ERR_").replace("_", " ").lower()
    return f"{kind} at line {line}, column {column}"


def _title(head: bytes) -> str:
    match = _TITLE.search(head)
    if match is None:
        return ""
    text = " ".join(unescape(match[1].decode("utf-8", "replace")).split())
    return "".join(character for character in text if character.isprintable())


def _text(parent: etree._Element, path: str, *, lower: bool = True) -> str:
    text = (parent.findtext(path) or "").strip()
    return text.lower() if lower else text


def _number(counters: dict[str, str], name: str) -> int | None:
    text = counters.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() else None
