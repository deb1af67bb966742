"""``codelists`` and ``codelistcodes``: tables of pairs of codes, in versions, with composite keys written with bars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from stages.sterling.simulator.collection import Action, Call, Collection
from stages.sterling.simulator.conventions import coded, like, timestamp
from stages.sterling.simulator.entities import CodeList
from stages.sterling.simulator.fields import Field, read_fields
from stages.sterling.simulator.wire import ApiError, Reply

_TEXTS = tuple(f"text{number}" for number in range(1, 10))
CODE = {
    "senderCode": Field(required=True, limit=80),
    "receiverCode": Field(required=True, limit=80),
    **{name: Field(limit=255) for name in ("description", *_TEXTS)},
}
LIST = {
    "codeListName": Field(required=True, limit=80, pattern=r"[^|]+"),
    "senderIdentity": Field(limit=80, pattern=r"[^|]*"),
    "receiverIdentity": Field(limit=80, pattern=r"[^|]*"),
    "comments": Field(limit=255),
    "listStatus": Field("integer"),
    "makeDefault": Field("boolean"),
}
_DEFAULT_VERSION = "-1"


class CodeLists(Collection):
    """Versions of lists by ``name|sender|receiver|version``. Making one of a name that is there makes its next version."""

    name: ClassVar[str] = "codelists"
    kind: ClassVar[str] = "CodeList"

    def candidates(self, call: Call) -> Iterable[CodeList]:
        asked = call.query
        named = like(asked.get("codeListName", ""), ignore_case=self.switches.search_ignores_case)
        found = [each for each in self.hub.code_lists.values() if named(each.name)]
        if asked.get("versionNumber") == _DEFAULT_VERSION:
            found = [each for each in found if each.default]
        elif asked.get("versionNumber"):
            found = [each for each in found if str(each.version) == asked["versionNumber"]]
        if asked.get("listStatus"):
            found = [each for each in found if str(int(each.active)) == asked["listStatus"]]
        return found

    def find(self, key: str) -> CodeList | None:
        return self.hub.code_lists.get(key)

    def key(self, item: CodeList) -> str:
        return item.key

    def view(self, item: CodeList, call: Call) -> dict[str, Any]:
        return {
            "codeListName": item.name,
            "senderIdentity": item.sender,
            "receiverIdentity": item.receiver,
            "versionNumber": item.version,
            "listStatus": int(item.active),  # the one enumeration that public clients read as a plain number
            "makeDefault": coded(item.default),
            "comments": item.comments,
            "userName": item.user,
            "createDate": timestamp(item.created, self.switches.clock_skew),
            "codes": [code_view(pair, fields) for pair, fields in item.codes.items()],
        }

    def create(self, call: Call) -> str:
        body = call.fields(creating=True)
        codes = read_codes(body.pop("codes", None))
        fields = read_fields(LIST, body, creating=True)
        name, sender, receiver = (fields.get(x) or "" for x in ("codeListName", "senderIdentity", "receiverIdentity"))
        versions = [
            x for x in self.hub.code_lists.values() if (x.name, x.sender, x.receiver) == (name, sender, receiver)
        ]
        default = bool(fields.get("makeDefault")) or not versions
        made = CodeList(
            name,
            sender,
            receiver,
            1 + max((each.version for each in versions), default=0),
            fields.get("comments") or "",
            fields.get("listStatus", 1) == 1,
            default,
            call.account.user,
            self.hub.clock.now(),
            codes,
        )
        for each in versions if default else ():
            each.default = False
        self.hub.code_lists[made.key] = made
        self.hub.log("codelist.created", codelist=made.key, codes=len(codes))
        return made.key

    def update(self, call: Call, item: CodeList) -> None:
        body = call.fields()
        codes = read_codes(body.pop("codes")) if "codes" in body else None
        fields = read_fields(LIST, body, creating=False)
        for name, value in (
            ("codeListName", item.name),
            ("senderIdentity", item.sender),
            ("receiverIdentity", item.receiver),
        ):
            if (fields.get(name, value) or "") != value:
                raise ApiError(400, f"The field '{name}' cannot be changed")
        item.comments = fields.get("comments", item.comments) or ""
        item.active = fields.get("listStatus", int(item.active)) == 1
        item.codes = item.codes if codes is None else codes  # a list member is replaced as a whole
        if fields.get("makeDefault"):
            for each in self.hub.code_lists.values():
                same = (each.name, each.sender, each.receiver) == (item.name, item.sender, item.receiver)
                each.default = each is item if same else each.default
        self.hub.log("codelist.updated", codelist=item.key)

    def remove(self, call: Call, item: CodeList) -> None:
        del self.hub.code_lists[item.key]
        self.hub.log("codelist.deleted", codelist=item.key)

    def actions(self) -> Mapping[str, Action]:
        return {"bulkupdatecodes": self._bulk}

    def _bulk(self, call: Call, item: CodeList) -> Reply:
        """Adds codes, and changes those that are there."""
        body = call.fields()
        codes = read_codes(body.get("codes"))
        item.codes.update(codes)
        item.active = body.get("listStatus", int(item.active)) in (1, "1")
        self.hub.log("codelist.updated", codelist=item.key, codes=len(codes))
        return Reply({"rowsAffected": len(codes)}, written=True)


class CodeListCodes(Collection):
    """Single codes; the key is the list's with both codes behind it. A code that holds a bar makes it ambiguous."""

    name: ClassVar[str] = "codelistcodes"
    kind: ClassVar[str] = "CodeListCode"

    def candidates(self, call: Call) -> Iterable[tuple[CodeList, tuple[str, str]]]:
        asked = call.query
        named = like(asked.get("listName", ""), ignore_case=self.switches.search_ignores_case)
        found = [(each, pair) for each in self.hub.code_lists.values() if named(each.name) for pair in each.codes]
        if asked.get("listVersion") == _DEFAULT_VERSION:
            found = [(each, pair) for each, pair in found if each.default]
        elif asked.get("listVersion"):
            found = [(each, pair) for each, pair in found if str(each.version) == asked["listVersion"]]
        for place, name in enumerate(("senderCode", "receiverCode")):
            wanted = like(asked.get(name, ""), ignore_case=self.switches.search_ignores_case)
            found = [(each, pair) for each, pair in found if wanted(pair[place])]
        return found

    def find(self, key: str) -> tuple[CodeList, tuple[str, str]] | None:
        for each in self.hub.code_lists.values():
            for pair in each.codes:
                if key == f"{each.key}|{'|'.join(pair)}":
                    return each, pair
        return None

    def key(self, item: tuple[CodeList, tuple[str, str]]) -> str:
        return f"{item[0].key}|{'|'.join(item[1])}"

    def view(self, item: tuple[CodeList, tuple[str, str]], call: Call) -> dict[str, Any]:
        return {"codeList": item[0].key, **code_view(item[1], item[0].codes[item[1]])}

    def create(self, call: Call) -> str:
        body = call.fields(creating=True)
        key = body.get("codeList") or body.get("CodeList")
        code_list = self.hub.code_lists.get(str(key))
        if code_list is None:
            raise ApiError(400, f"The code list {key} does not exist")
        codes = read_codes(body.get("codeSet"))
        if not codes:
            raise ApiError(400, "The field 'codeSet' is required")
        for pair in codes:
            if pair in code_list.codes:
                raise ApiError(400, f"The code {'|'.join(pair)} already exists in {key}")
        code_list.codes.update(codes)
        for pair in codes:
            self.hub.log("code.created", codelist=code_list.key, code="|".join(pair))
        return self.key((code_list, next(iter(codes))))

    def update(self, call: Call, item: tuple[CodeList, tuple[str, str]]) -> None:
        code_list, pair = item
        body = call.fields()
        body.pop("id", None)  # a public console sends back what it was shown under another name
        if body.pop("codeList", code_list.key) != code_list.key:
            raise ApiError(400, "The field 'codeList' cannot be changed")
        fields = read_fields(CODE, body, creating=False)
        for place, name in enumerate(("senderCode", "receiverCode")):
            if fields.pop(name, pair[place]) != pair[place]:
                raise ApiError(400, f"The field '{name}' cannot be changed")
        code_list.codes[pair].update({name: value or "" for name, value in fields.items()})
        self.hub.log("code.updated", codelist=code_list.key, code="|".join(pair))

    def remove(self, call: Call, item: tuple[CodeList, tuple[str, str]]) -> None:
        del item[0].codes[item[1]]
        self.hub.log("code.deleted", codelist=item[0].key, code="|".join(item[1]))


def code_view(pair: tuple[str, str], fields: Mapping[str, str]) -> dict[str, Any]:
    texts = {name: fields.get(name, "") for name in ("description", *_TEXTS)}
    return {"senderCode": pair[0], "receiverCode": pair[1], **texts}


def read_codes(value: Any) -> dict[tuple[str, str], dict[str, str]]:
    """The codes of a body by their pair. ApiError for anything but a list of codes that differ."""
    if value in (None, ""):
        return {}
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ApiError(400, "The codes must be a list of objects")
    codes: dict[tuple[str, str], dict[str, str]] = {}
    for each in value:
        fields = read_fields(CODE, each, creating=True)
        pair = (str(fields.pop("senderCode")), str(fields.pop("receiverCode")))
        if pair in codes:
            raise ApiError(400, f"The code {'|'.join(pair)} is there twice")
        codes[pair] = {name: text or "" for name, text in fields.items()}
    return codes
