"""A trading partner of ours as the members of ``tradingpartners``: what creates one, and what differs from the one that is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.ap.partner import TradingPartner
from stages.sterling.protocol.representations import Fields, text_of, writable

COLLECTION = "tradingpartners"

_MEMBERS = {
    "given_name": "givenName",
    "surname": "surname",
    "email": "emailAddress",
    "phone": "phone",
    "address_line1": "addressLine1",
    "address_line2": "addressLine2",
    "city": "city",
    "state": "stateOrProvince",
    "postal_code": "postalCode",
    "country": "countryOrRegion",
    "time_zone": "timeZone",
}
"""The members kept equal to the wanted state. Community, user and transport belong to Sterling's people once it exists."""


_PLAIN = """
    partnerName community username passwordPolicy authenticationType authenticationHost givenName surname emailAddress phone code
    addressLine1 addressLine2 city stateOrProvince postalCode countryOrRegion timeZone
    isInitiatingConsumer isInitiatingProducer isListeningConsumer isListeningProducer
    doesUseSSH keyEnabled authorizedUserKeyName appendSuffixToUsername useGlobalMailbox
    doesRequireCompressedData doesRequireEncryptedData doesRequireSignedData asciiArmor textMode publicKeyID
    mailbox pollingInterval remoteFilePattern sessionTimeout targetFileEncoding customProtocolName customProtocolExtensions"""
_FTP = """hostname listenPort username connectionType directory numberOfRetries retryInterval siteCommand baseDirectory
    controlPortRange localPortRange uploadFileUnderTemporaryNameFirst"""
_FTPS = _FTP + " encryptionStrength useCcc useImplicitSsl caCertificates assignedCertificates"
_WRITABLE: Fields = {
    **dict.fromkeys(_PLAIN.split()),
    **{
        f"{side}{kind}Configuration": dict.fromkeys(members.split())
        for kind, members in {"Ftp": _FTP, "Ftps": _FTPS, "Ssh": "remoteProfile"}.items()
        for side in ("consumer", "producer")
    },
    **dict.fromkeys(("consumerCdConfiguration", "producerCdConfiguration", "consumerWsConfiguration")),
}
"""The documented members of a partner, without passwords: what a level of Sterling adds to its reads is not written back."""


STAND_IN = "EDI"
"""The given name of a new partner of whose contact the books know no name; its surname is the company's."""

KEPT = (
    *("_id", "partnerName", "code", "community", "username", "authenticationType", "useGlobalMailbox"),
    *_MEMBERS.values(),
)
"""What of a listed partner is remembered: with 10,000 of them, the rest is too much to hold."""


def remembered(row: Mapping[str, Any]) -> dict[str, str]:
    """The members of a listed partner that matter, as texts; those the listing does not tell are not in it."""
    return {member: text_of(row[member]) for member in KEPT if member in row}


def name_of(row: Mapping[str, Any]) -> str:
    """The key of a partner."""
    return text_of(row.get("partnerName")) or text_of(row.get("_id"))


def usual_user(name: str) -> str:
    """The login user that a new partner of that name gets."""
    return name.lower()


def wanted(partner: TradingPartner) -> dict[str, str]:
    """The members we keep. An empty text means unknown, so what is there stays."""
    values = ((member, getattr(partner, field)) for field, member in _MEMBERS.items())
    return {member: value for member, value in values if value}


def differences(partner: TradingPartner, row: Mapping[str, Any]) -> dict[str, str]:
    """The members whose value on the far side is another one, with the wanted value.

    The code is among them where a partner is taken over, and so is the company's name where it stands for a contact's.
    """
    members = {"code": partner.code, **wanted(partner)}
    if text_of(row.get("givenName")) == STAND_IN and not partner.given_name and partner.display_name:
        members.setdefault("surname", partner.display_name)
    return {member: value for member, value in members.items() if text_of(row.get(member)) != value}


def update(changes: Mapping[str, str], row: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a PUT: the present state with the changes. A PUT replaces, so what is not ours goes back as it was.

    What a read does not tell, such as passwords, cannot go back: Sterling keeps it or not.
    """
    return {**writable(row, _WRITABLE), **changes}


def creation(
    partner: TradingPartner, *, community: str, password: str, fillers: Mapping[str, str], extra: Mapping[str, Any]
) -> dict[str, Any]:
    """The body of a POST. ``fillers`` stand in for members that are required but unknown; ``extra`` members win.

    Creating a partner also creates its login user, the mailbox ``/<partnerName>`` and the user's virtual root.
    """
    body: dict[str, Any] = {
        "partnerName": partner.name,
        "code": partner.code,
        "community": community,
        "username": usual_user(partner.name),
        "password": password,
        "authenticationType": "Local",
        "isInitiatingConsumer": True,
        "isInitiatingProducer": True,
        "isListeningConsumer": False,
        "isListeningProducer": False,
        "doesUseSSH": False,
        "givenName": STAND_IN,
        "surname": partner.display_name or partner.name,
        **fillers,
    }
    return {**body, **wanted(partner), **extra}
