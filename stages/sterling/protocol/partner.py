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


_FTP = """hostname listenPort username connectionType directory numberOfRetries retryInterval siteCommand baseDirectory
    controlPortRange localPortRange uploadFileUnderTemporaryNameFirst"""
_FTPS = _FTP + " encryptionStrength useCcc useImplicitSsl caCertificates assignedCertificates"
_CONNECT_DIRECT = "localNodeName remoteNodeName remoteUserId remoteFileName remoteDisposition"
_WRITABLE: Fields = {
    **dict.fromkeys(
        """
        partnerName community username passwordPolicy authenticationType authenticationHost givenName surname emailAddress phone
        code addressLine1 addressLine2 city stateOrProvince postalCode countryOrRegion timeZone
        isInitiatingConsumer isInitiatingProducer isListeningConsumer isListeningProducer
        doesUseSSH keyEnabled authorizedUserKeyName appendSuffixToUsername useGlobalMailbox
        doesRequireCompressedData doesRequireEncryptedData doesRequireSignedData asciiArmor textMode publicKeyID
        mailbox pollingInterval remoteFilePattern sessionTimeout targetFileEncoding customProtocolName customProtocolExtensions
        """.split()
    ),
    **{
        f"{side}{kind}Configuration": dict.fromkeys(members.split())
        for kind, members in {"Ftp": _FTP, "Ftps": _FTPS, "Ssh": "remoteProfile", "Cd": _CONNECT_DIRECT}.items()
        for side in ("consumer", "producer")
    },
}
"""The documented members of a partner, without passwords: what a level of Sterling adds to its reads is not written back."""


def wanted(partner: TradingPartner) -> dict[str, str]:
    """The members we keep. An empty text means unknown, so what is there stays."""
    values = ((member, getattr(partner, field)) for field, member in _MEMBERS.items())
    return {member: value for member, value in values if value}


def differences(partner: TradingPartner, row: Mapping[str, Any]) -> dict[str, str]:
    """The members whose value on the far side is another one, with the wanted value."""
    return {member: value for member, value in wanted(partner).items() if text_of(row.get(member)) != value}


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
        "username": partner.name.lower(),
        "password": password,
        "authenticationType": "Local",
        "isInitiatingConsumer": True,
        "isInitiatingProducer": True,
        "isListeningConsumer": False,
        "isListeningProducer": False,
        "doesUseSSH": False,
        "givenName": "EDI",
        "surname": partner.display_name or partner.name,
        **fillers,
    }
    return {**body, **wanted(partner), **extra}
