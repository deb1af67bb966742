"""Attachments: folders, and in them documents of files, which bills and vendors name by SUPDOCID. Only legacy functions reach them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

import msgspec
from lxml import etree

from stages.intacct.simulator.answer import Answer
from stages.intacct.simulator.elements import children, elements, text
from stages.intacct.simulator.errors import BUSINESS, FunctionRefused, duplicate, missing, schema_violation, unknown
from stages.intacct.simulator.legacy import Given, Shape, read
from stages.intacct.simulator.sessions import Session


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    record: int
    name: str
    description: str = ""
    parent: str = ""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """``data`` is base64, as it was sent."""

    name: str
    kind: str
    data: str


class Document(msgspec.Struct, frozen=True, kw_only=True):
    record: int
    id: str
    name: str
    folder: str
    description: str = ""
    created: datetime
    user: str
    files: tuple[File, ...] = ()


class Attachments:
    """Folders by name and documents by id. A company starts with the folder for bills."""

    def __init__(self) -> None:
        self.folders: dict[str, Folder] = {"Bills": Folder(record=1, name="Bills")}
        self.documents: dict[str, Document] = {}
        self._records = 1

    def record(self) -> int:
        self._records += 1
        return self._records


T = TypeVar("T", Document, Folder)

_DOCUMENT = Shape(
    fields=(
        ("supdocid", "id"),
        ("supdocname", "name"),
        ("supdocfoldername", "folder"),
        ("supdocdescription", "description"),
        ("attachments", ""),
    )
)
_FOLDER = Shape(
    fields=(
        ("supdocfoldername", "name"),
        ("supdocfolderdescription", "description"),
        ("supdocparentfoldername", "parent"),
    )
)


class Attaching:
    """The functions that write attachments."""

    def __init__(self, attachments: Attachments) -> None:
        self._kept = attachments

    def functions(self) -> dict[str, Callable[[etree._Element, Session, datetime], Answer]]:
        return {
            "create_supdoc": self._create,
            "update_supdoc": self._update,
            "delete_supdoc": partial(self._delete, self._kept.documents),
            "create_supdocfolder": self._create_folder,
            "update_supdocfolder": self._update_folder,
            "delete_supdocfolder": self._delete_folder,
        }

    def _create(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        given, _ = read(element, _DOCUMENT)
        id = given.get("id", "")
        if not id:
            raise missing("attachment", "supdocid")
        if id in self._kept.documents:
            raise duplicate("attachment", id)
        self._check_folder(given.get("folder", ""))
        document = Document(
            record=self._kept.record(),
            id=id,
            name=given.get("name") or "Unnamed",
            folder=given["folder"],
            description=given.get("description", ""),
            created=now,
            user=session.user,
            files=_files(element),
        )
        return self._put(self._kept.documents, id, document)

    def _update(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        """Files are only added: those that are there stay as they are."""
        given, _ = read(element, _DOCUMENT)
        id = given.pop("id", "")
        known = self._kept.documents.get(id)
        if known is None:
            raise unknown("attachment", id)
        if "folder" in given:
            self._check_folder(given["folder"])
        changed = msgspec.structs.replace(known, files=(*known.files, *_files(element)), **given)
        return self._put(self._kept.documents, id, changed)

    def _create_folder(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        given, _ = read(element, _FOLDER)
        name = given.get("name", "")
        if not name:
            raise missing("attachment folder", "supdocfoldername")
        if name in self._kept.folders:
            raise duplicate("attachment folder", name)
        self._check_parent(given)
        return self._put(self._kept.folders, name, Folder(record=self._kept.record(), **given))

    def _update_folder(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        given, _ = read(element, _FOLDER)
        name = given.get("name", "")
        known = self._kept.folders.get(name)
        if known is None:
            raise unknown("attachment folder", name)
        self._check_parent(given)
        return self._put(self._kept.folders, name, msgspec.structs.replace(known, **given))

    def _delete_folder(self, element: etree._Element, session: Session, now: datetime) -> Answer:
        name = element.get("key", "")
        if any(document.folder == name for document in self._kept.documents.values()):
            raise FunctionRefused(BUSINESS, f"Attachment folder {name} is not empty and cannot be deleted.")
        return self._delete(self._kept.folders, element, session, now)

    def _check_folder(self, name: str) -> None:
        if name not in self._kept.folders:
            raise unknown("attachment folder", name) if name else missing("attachment", "supdocfoldername")

    def _check_parent(self, given: Given) -> None:
        if given.get("parent"):
            self._check_folder(given["parent"])

    def _put(self, kept: dict[str, T], key: str, value: T) -> Answer:
        before = kept.get(key)
        kept[key] = value

        def undo() -> None:
            if before is None:
                del kept[key]
            else:
                kept[key] = before

        return Answer(key=key, facts={"key": key}, undo=undo)

    def _delete(self, kept: dict[str, T], element: etree._Element, session: Session, now: datetime) -> Answer:
        key = element.get("key", "")
        if key not in kept:
            raise unknown("attachment", key)
        before = kept.pop(key)
        return Answer(key=key, facts={"key": key}, undo=lambda: kept.update({key: before}))


def _files(element: etree._Element) -> tuple[File, ...]:
    """The files that are sent. Raises `FunctionRefused` for one that is no base64."""
    found = element.find("attachments")
    return () if found is None else tuple(_file(each) for each in elements(found))


def _file(element: etree._Element) -> File:
    parts = children(element, ("attachmentname", "attachmenttype", "attachmentdata"))
    if element.tag != "attachment" or len(parts) != 3:
        raise schema_violation("Element 'attachments': each attachment needs a name, a type and data")
    data = "".join(text(parts["attachmentdata"]).split())
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error:
        raise FunctionRefused(BUSINESS, f"The data of {text(parts['attachmentname'])} is not base64.") from None
    return File(name=text(parts["attachmentname"]), kind=text(parts["attachmenttype"]), data=data)


SHAPES: dict[str, Callable[[etree._Element], object]] = {
    "create_supdoc": lambda element: (read(element, _DOCUMENT), _files(element)),
    "update_supdoc": lambda element: (read(element, _DOCUMENT), _files(element)),
    "delete_supdoc": lambda element: children(element, ()),
    "create_supdocfolder": partial(read, shape=_FOLDER),
    "update_supdocfolder": partial(read, shape=_FOLDER),
    "delete_supdocfolder": lambda element: children(element, ()),
}
"""What the schema lets through, by function."""
