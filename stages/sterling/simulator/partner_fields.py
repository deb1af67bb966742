"""The fields of trading partners, communities and routing channels: one table each, as a create or an update takes them."""

from __future__ import annotations

from stages.sterling.simulator.fields import Field


def _words(text: str) -> list[str]:
    return text.split()


# ISO 3166-1 alpha-2
COUNTRIES = frozenset(
    _words("""
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG
    CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM
    GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ
    OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC
    TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW""")
)

_FTP = frozenset(
    _words(
        "hostname listenPort username password connectionType directory numberOfRetries retryInterval siteCommand baseDirectory"
        " controlPortRange localPortRange uploadFileUnderTemporaryNameFirst"
    )
)
_FTPS = _FTP | frozenset(_words("encryptionStrength useCcc useImplicitSsl caCertificates assignedCertificates"))
_FLAGS = _words("isInitiatingConsumer isInitiatingProducer isListeningConsumer isListeningProducer doesUseSSH")
_OPTIONAL_FLAGS = _words(
    "keyEnabled appendSuffixToUsername useGlobalMailbox doesRequireCompressedData doesRequireEncryptedData doesRequireSignedData"
    " asciiArmor textMode"
)
_TEXTS = _words(
    "password passwordPolicy authenticationHost code addressLine1 addressLine2 city stateOrProvince postalCode"
    " authorizedUserKeyName publicKeyID mailbox remoteFilePattern targetFileEncoding customProtocolName"
    " customProtocolExtensions"
)
_CONFIGURATIONS = {
    "Ftp": _FTP,
    "Ftps": _FTPS,
    "Ssh": frozenset({"remoteProfile"}),
    "Cd": frozenset[str](),
    "Ws": frozenset[str](),
}

PARTNER: dict[str, Field] = {
    "partnerName": Field(required=True, limit=255, pattern=r"[^/\x00-\x1f]+"),
    "community": Field(required=True),
    "username": Field(required=True, limit=255),
    "authenticationType": Field("enum", required=True, codes=frozenset({"Local", "External", "Both"})),
    "givenName": Field(required=True, limit=255),
    "surname": Field(required=True, limit=255),
    "emailAddress": Field(required=True, limit=255),
    "phone": Field(required=True, limit=255),
    **{name: Field("boolean", required=True) for name in _FLAGS},
    **{name: Field("boolean") for name in _OPTIONAL_FLAGS},
    **{name: Field() for name in _TEXTS},
    "countryOrRegion": Field("enum", codes=COUNTRIES),
    "timeZone": Field(pattern=r"[+-]?[0-9]{2,3}"),
    "pollingInterval": Field("integer"),
    "sessionTimeout": Field("integer"),
    **{
        f"{side}{kind}Configuration": Field("object", members=members)
        for kind, members in _CONFIGURATIONS.items()
        for side in ("consumer", "producer")
        if (side, kind) != ("producer", "Ws")
    },
}

# What a reader may count on: empty texts where nothing is set.
EMPTY_TEXTS = _words("emailAddress phone addressLine1 addressLine2 city code stateOrProvince publicKeyID")
NEVER_READ = frozenset({"password", "customProtocolName"})


COMMUNITY: dict[str, Field] = {
    "name": Field(required=True, limit=255),
    **{
        name: Field("boolean")
        for name in _words(
            "partnersInitiateConnections partnersListenForConnections ftpListening cdListening sshListening wsListening"
            " partnerNotificationsEnabled"
        )
    },
    "customProtocols": Field(),
}


CHANNEL = {
    "templateName": Field(required=True),
    "producer": Field(required=True),
    "consumer": Field(),
}
