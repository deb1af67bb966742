"""Collections that only keep what they are given: one table of shapes, one class over them.

IBM's list of collections is public, the fields of most are not: those take any members besides their key, which is then ``name``, a guess.
Keys and certificates have the members that public clients write, and those that they cannot read them without.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from stages.sterling.simulator.collection import Call, Collection
from stages.sterling.simulator.conventions import coded
from stages.sterling.simulator.fields import Field, read_fields
from stages.sterling.simulator.wire import ApiError

Record = dict[str, Any]
_VERBS = {"C": "create", "R": "read", "U": "update", "D": "delete"}


@dataclass(frozen=True)
class Shape:
    """``fields`` None: any members. ``ops`` are letters of CRUD; what can be read can be listed. ``filters`` are queries that name a field."""

    name: str
    kind: str
    key: str = "name"
    ops: str = "CRUD"
    fields: Mapping[str, Field] | None = None
    filters: frozenset[str] = frozenset()
    secret: frozenset[str] = field(default=frozenset())  # never read
    made: Callable[[Record, Call], Record] = lambda fields, call: {}  # what the server adds


_SSH_PROFILE = {
    "profileName": Field(required=True, limit=255),
    "remoteHost": Field(required=True),
    "remotePort": Field("integer", required=True),
    "remoteUser": Field(required=True),
    "preferredAuthenticationType": Field("enum", codes=frozenset({"password", "publickey"})),
    "knownHostKeys": Field("names"),
    "compression": Field(),
    **{name: Field("integer") for name in ("connectionRetryCount", "retryDelay", "responseTimeOut")},
    **{
        name: Field()
        for name in (
            "sshPassword", "userIdentityKey", "directory", "characterEncoding", "preferredCipher", "preferredMacAlgorithm", "localPortRange",
        )
    },
}  # fmt: skip
_KEY = {
    "keyName": Field(required=True, limit=255),
    "keyData": Field(limit=100_000),
    "keyStatusEnabled": Field("boolean"),
}
_OWN_KEY = {**_KEY, "privateKeyData": Field(required=True, limit=100_000), "passPhrase": Field()}
_CERTIFICATE = {
    "certName": Field(required=True, limit=255),
    "certData": Field(required=True, limit=1_000_000),
    **{name: Field("boolean") for name in ("verifyValidity", "verifyAuthChain", "crlCache")},
    **{name: Field() for name in ("certType", "privateKeyPassword", "keyStorePassword")},
}


def _of_key(fields: Record, call: Call) -> Record:
    data = str(fields.get("keyData") or fields.get("privateKeyData") or "")
    digest = hashlib.sha256(data.encode()).hexdigest()
    public = base64.b64encode(
        f"ssh-rsa {base64.b64encode(digest.encode()).decode()} {fields['keyName']}".encode()
    ).decode()
    shown = {"publicKeyData": public} if "privateKeyData" in fields else {}
    return {**shown, "keyId": digest[:16], "keyFingerPrint": digest[16:48], "keyLength": 2048}


def _of_certificate(fields: Record, call: Call) -> Record:
    flags = {name: bool(fields.get(name)) for name in ("verifyValidity", "verifyAuthChain", "crlCache")}
    system = hashlib.sha256(str(fields["certName"]).encode()).hexdigest()[:16]
    return {**flags, "systemCertId": system, "createdOrUpdatedBy": call.account.user, "creationOrUpdateTime": call.at}


_AS2 = frozenset({"identityName", "profileName", "AS2Identifier"})

_PASSWORDS = frozenset({"privateKeyPassword", "keyStorePassword"})

SHAPES: tuple[Shape, ...] = (
    Shape("sshremoteprofiles", "SSHRemoteProfile", "profileName", fields=_SSH_PROFILE, secret=frozenset({"sshPassword"})),
    Shape("sshauthorizeduserkeys", "SSHAuthorizedUserKey", "keyName", fields=_KEY, made=_of_key),
    Shape("sshknownhostkeys", "SSHKnownHostKey", "keyName", fields=_KEY, made=_of_key),
    Shape("sshuseridentitykeys", "SSHUserIdentityKey", "keyName", fields=_OWN_KEY, secret=frozenset({"passPhrase"}), made=_of_key),
    *(
        Shape(name, kind, "certName", fields=_CERTIFICATE, secret=_PASSWORDS, made=_of_certificate)
        for name, kind in (
            ("cadigitalcertificates", "CADigitalCertificate"),
            ("systemdigitalcertificates", "SystemDigitalCertificate"),
            ("trusteddigitalcertificates", "TrustedDigitalCertificate"),
        )
    ),
    Shape("as2organizations", "AS2Organization", "identityName", filters=_AS2),
    Shape("as2tradingpartners", "AS2TradingPartner", "profileName", filters=_AS2),
    Shape("as2tradingrelationships", "AS2TradingRelationship", filters=_AS2),
    Shape("externalusers", "ExternalUser", "userId"),
    Shape("userexits", "UserExit"),
    Shape("identities", "Identity", ops="R"),
    Shape("servicedefinitions", "ServiceDefinition", ops="R"),
    Shape("httpclientadapters", "HTTPClientAdapter", ops="R"),
    Shape("customprotocols", "CustomProtocol", ops="R"),
)  # fmt: skip


class Records(Collection):
    """One collection of the table. Its rows are in ``hub.records``, by their key."""

    shape: ClassVar[Shape]

    @property
    def _rows_by_key(self) -> dict[str, Record]:
        return self.hub.records.setdefault(self.name, {})

    def candidates(self, call: Call) -> Iterable[Record]:
        asked = {name: call.query[name] for name in self.shape.filters if call.query.get(name)}
        rows = self._rows_by_key.values()
        return [row for row in rows if all(str(row.get(name)) == value for name, value in asked.items())]

    def find(self, key: str) -> Record | None:
        return self._rows_by_key.get(key)

    def key(self, item: Record) -> str:
        return str(item[self.shape.key])

    def view(self, item: Record, call: Call) -> dict[str, Any]:
        shown = {name: value for name, value in item.items() if value is not None and name not in self.shape.secret}
        return {name: self._shown(name, value) for name, value in shown.items()}

    def _shown(self, name: str, value: Any) -> Any:
        kind = self.shape.fields[name].kind if self.shape.fields and name in self.shape.fields else ""
        if kind == "names":
            return [{"name": each} for each in value]
        return coded(value) if kind == "enum" or isinstance(value, bool) else value  # also those that the server adds

    def create(self, call: Call) -> str:
        fields = self._fields(call, creating=True)
        key = str(fields[self.shape.key])
        if key in self._rows_by_key:
            raise ApiError(400, f"A {self.kind} with the {self.shape.key} {key} already exists")
        self._rows_by_key[key] = {**fields, **self.shape.made(fields, call)}
        self.hub.log("record.created", collection=self.name, key=key)
        return key

    def update(self, call: Call, item: Record) -> None:
        fields = self._fields(call, creating=False)
        if fields.get(self.shape.key, item[self.shape.key]) != item[self.shape.key]:
            raise ApiError(400, f"The field '{self.shape.key}' cannot be changed")
        item.update(fields)
        item.update(self.shape.made(item, call))
        self.hub.log("record.updated", collection=self.name, key=self.key(item))

    def remove(self, call: Call, item: Record) -> None:
        del self._rows_by_key[self.key(item)]
        self.hub.log("record.deleted", collection=self.name, key=self.key(item))

    def _fields(self, call: Call, *, creating: bool) -> Record:
        body = call.fields(creating=creating)
        if self.shape.fields is not None:
            return read_fields(self.shape.fields, body, creating=creating)
        key = {self.shape.key: Field(required=True, limit=255, pattern=r"[^/\x00-\x1f]+")}
        return {**body, **read_fields(key, {name: body[name] for name in key if name in body}, creating=creating)}


def collections() -> tuple[type[Collection], ...]:
    """A class for each shape."""
    return tuple(
        type(
            f"{shape.kind}s",
            (Records,),
            {
                "name": shape.name,
                "kind": shape.kind,
                "shape": shape,
                "verbs": frozenset(_VERBS[letter] for letter in shape.ops) | ({"list"} if "R" in shape.ops else set()),
            },
        )
        for shape in SHAPES
    )
