"""The settings of a Sterling connection and of its sinks, and what is refused about them before anything is sent."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

import msgspec
from yarl import URL

from pipeline import ConfigError, Duration, Secret

Scheme = Literal["basic", "oauth2", "header"]


class _Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings refuse names they do not know."""


class Basic(_Settings, frozen=True, kw_only=True):
    """A login user of Sterling that holds the permission APIUser and the permissions of its mailboxes; no administrator."""

    user: str = ""
    password: Secret = Secret("")


class OAuth2(_Settings, frozen=True, kw_only=True):
    """Client credentials at a token server outside the product, for a gateway in front. Used when ``token_url`` is not empty.

    ``style`` is how client id and secret are sent: in a Basic ``header`` or in the ``body`` of the form.
    """

    token_url: str = ""
    client_id: str = ""
    client_secret: Secret = Secret("")
    scope: str = ""
    audience: str = ""
    style: Literal["header", "body"] = "header"


class Header(_Settings, frozen=True, kw_only=True):
    """A gateway's key in a header of its own."""

    name: str = ""
    value: Secret = Secret("")


class Auth(_Settings, frozen=True, kw_only=True):
    """How to sign in. OAuth2 is used when its ``token_url`` is set, so one flow file can offer it beside ``basic``."""

    basic: Basic = Basic()
    oauth2: OAuth2 = OAuth2()
    header: Header = Header()


class Tls(_Settings, frozen=True, kw_only=True):
    """Files are relative to the flow file. ``ca_file`` replaces the system's authorities. ``verify: false`` is logged loudly."""

    ca_file: str = ""
    client_certificate: str = ""
    client_key: str = ""
    verify: bool = True


class Timeouts(_Settings, frozen=True, kw_only=True):
    """``connect`` for a connection, ``read`` between two pieces of an answer, ``total`` for one call with its answer."""

    connect: Duration = Duration(10.0)
    read: Duration = Duration(120.0)
    total: Duration = Duration(150.0)


class Documents(_Settings, frozen=True, kw_only=True):
    """Member names of the ``documents`` create call. They are public nowhere: read them in the server's own Web Service Browser.

    ``message`` holds further members for the message that follows, such as one of the three kinds of extractability.
    """

    payload: str = "payload"
    name: str = "documentName"
    message: dict[str, Any] = {}


class SterlingConfig(_Settings, frozen=True, kw_only=True):
    """``url`` is the whole prefix up to ``/B2BAPIs/svc``. ``settle`` is how long after an attempt its message may still appear;
    let it exceed ``timeouts.total``. ``window`` and ``page_cap`` bound the reading of lists (rows a page, pages a list).

    ``account`` is the user id to check for administrator rights; left out, it is the Basic user. ``administrator_groups`` is a
    regular expression searched for in its group and permission names.
    """

    url: str
    auth: Auth = Auth()
    account: str = ""
    tls: Tls = Tls()
    timeouts: Timeouts = Timeouts()
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4
    settle: Duration = Duration(180.0)
    upload: Literal["messagebatches", "documents"] = "messagebatches"
    largest: Annotated[int, msgspec.Meta(ge=1)] = 104_857_600  # bytes of a message that is delivered
    documents: Documents = Documents()
    mailboxmessages: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]{1,50}$")] = "mailboxmessages"
    list_by: Literal["mailboxmessages", "mailboxcontents"] = "mailboxmessages"
    window: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 1000
    page_cap: Annotated[int, msgspec.Meta(ge=2)] = 2000
    message_prefix: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,20}$")] = "mlc"
    allow_administrator: bool = False
    administrator_groups: str = "(?i)admin"

    @property
    def scheme(self) -> Scheme:
        """The sign-in in use; `checked` makes sure that it is complete and the only one."""
        if self.auth.oauth2.token_url:
            return "oauth2"
        return "header" if self.auth.header.name else "basic"

    @property
    def server(self) -> str:
        """The server's stable name: what tells its messages from those of another, without any secret."""
        url = URL(self.url)
        port = "" if url.is_default_port() else f":{url.port}"
        return f"{url.host}{port}{url.raw_path.rstrip('/')}"

    @property
    def self_account(self) -> str:
        """The user id whose rights are checked; empty when it is not known (a gateway signs in for us)."""
        return self.account or (self.auth.basic.user if self.scheme == "basic" else "")


class RuleSettings(_Settings, frozen=True, kw_only=True):
    """A routing rule for the mailbox of each partner that has a file; none when ``action`` is empty. ``name`` and ``pattern`` are templates.

    ``run_as`` empty: the connection's own account.
    """

    name: str = "AP_OUT_{name}"
    action: str = ""
    action_type: Literal["bp", "contract"] = "bp"
    pattern: str = ""
    run_as: str = ""
    evaluation: Literal["automatic", "manual"] = "automatic"


class CodeListName(_Settings, frozen=True, kw_only=True):
    """Names a code list; none when ``list`` is empty. ``version`` 0 is the default one."""

    list: str = ""
    sender: str = ""
    receiver: str = ""
    version: Annotated[int, msgspec.Meta(ge=0)] = 0


class CodesSettings(CodeListName, frozen=True, kw_only=True):
    """Entries in a code list for each partner that has a file. All texts are templates; one that holds ``{vendor}`` makes an entry a vendor.

    ``texts`` are text1 to text9, by name.
    """

    sender_code: str = "{vendor}"
    receiver_code: str = "{code}"
    description: str = "{display_name}"
    texts: dict[str, str] = {}


class PartnerSettings(_Settings, frozen=True, kw_only=True):
    """``with`` of ``sterling.partners``. ``community`` must exist in Sterling, unless ``create_community`` makes it; a partner file's own wins.

    ``email``, ``phone`` and ``postal_code`` stand in where the books hold none and a new partner must have one; an existing
    partner never gets them. ``create`` holds further members for new partners, such as an SFTP profile; they win over ours.
    ``mailboxes`` makes the mailboxes that partner files name and Sterling lacks, for the partner's login user, our own account and ``groups``.
    ``inactive`` is what becomes of the partner of a vendor that is no longer active: its login user may lose its permissions.
    """

    community: str = ""
    create_community: bool = False
    email: str = "unknown@partner.invalid"
    phone: str = "0000000000"
    postal_code: str = "00000"
    create: dict[str, Any] = {}
    mailboxes: bool = True
    inactive: Literal["leave", "block"] = "leave"
    groups: tuple[str, ...] = ()
    rule: RuleSettings = RuleSettings()
    codes: CodesSettings = CodesSettings()


class MailboxSettings(_Settings, frozen=True, kw_only=True):
    """``with`` of the source ``sterling.mailbox``: ``mailboxes`` by path, or those in which the partners of a folder answer, or both.

    ``after`` is what becomes of a message whose outcome is in the ledger. ``content`` is how the server is asked for it.
    """

    mailboxes: tuple[str, ...] = ()
    partners: str = ""
    after: Literal["leave", "extract", "delete"] = "leave"
    content: Literal["base64", "text"] = "base64"
    largest: Annotated[int, msgspec.Meta(ge=1, le=536_870_912)] = 16_777_216  # bytes of a message


class ResourceSettings(_Settings, frozen=True, kw_only=True):
    """``with`` of the source ``sterling.resource``: the collection as the B2B APIs call it, and how the server narrows it.

    ``content`` is for ``documents``: each comes with its bytes as ``payload``.
    """

    resource: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{1,50}$")]
    filter: dict[str, str] = {}
    content: bool = False


def checked(config: SterlingConfig) -> SterlingConfig:
    """The same settings, if a connection can be made with them safely. Raises `ConfigError`. Touches no file and no network."""
    _check_address(config.url, "url")
    _check_sign_in(config)
    if config.scheme == "oauth2":
        _check_address(config.auth.oauth2.token_url, "auth.oauth2.token_url", query=True)
    if bool(config.tls.client_certificate) < bool(config.tls.client_key):
        raise _wrong(
            "A client key without its certificate", "tls.client_key", "Set tls.client_certificate too.", "0105"
        )
    try:
        re.compile(config.administrator_groups)
    except re.error:
        raise _wrong(
            "A pattern is no regular expression", "administrator_groups", "Write a pattern such as (?i)admin.", "0106"
        ) from None
    return config


def checked_partners(settings: PartnerSettings, account: str) -> PartnerSettings:
    """The same settings, unless they cannot be meant: ``create`` holds what decides identity or must not be in a file, a template names
    nothing, a rule has nobody to run as (``account`` is our own, empty when it is not known). Raises `ConfigError`.
    """
    wrong = sorted({"partnerName", "code", "password"} & settings.create.keys())
    if wrong:
        raise _wrong(
            "A new partner's member cannot be set", f"create.{wrong[0]}", "Remove it; it is made here.", "0107"
        )
    rule, codes = settings.rule, settings.codes
    if rule.action and not (rule.run_as or account):
        raise _wrong("A routing rule has nobody to run as", "rule.run_as", "Name a user of Sterling.", "0109")
    templates = {"rule.name": rule.name, "rule.pattern": rule.pattern, "codes.sender_code": codes.sender_code}
    templates |= {"codes.receiver_code": codes.receiver_code, "codes.description": codes.description}
    templates |= {f"codes.texts.{name}": text for name, text in codes.texts.items()}
    for setting, text in templates.items():
        _check_template(setting, text, per_vendor=setting.startswith("codes."))
    unknown = sorted(name for name in codes.texts if not re.fullmatch("text[1-9]", name))
    if unknown:
        raise _wrong("A code has no such text", f"codes.texts.{unknown[0]}", "Use text1 to text9.", "0108")
    return settings


PLACEHOLDERS = ("code", "name", "display_name", "mailbox", "answers", "user", "isa_qualifier", "isa_id", "gs", "vendor")
"""What templates may hold in braces; ``vendor`` in those of codes only."""


def _check_template(setting: str, text: str, *, per_vendor: bool) -> None:
    known = PLACEHOLDERS if per_vendor else PLACEHOLDERS[:-1]
    unknown = [name for name in re.findall(r"\{([^}]*)\}", text) if name not in known]
    if unknown:
        raise _wrong(
            f"A template names {unknown[0]!r}, which nothing stands for",
            setting,
            f"Use {', '.join('{' + name + '}' for name in known)}.",
            "0108",
        )


def is_loopback(host: str) -> bool:
    """Whether the host is this machine by its literal name; names are not looked up, since look-ups can change."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_address(text: str, setting: str, *, query: bool = False) -> None:
    try:
        url = URL(text)
        host, _ = url.host, url.port
    except ValueError:
        url, host = URL(), None
    if url.scheme not in ("http", "https") or not host:
        raise _wrong("An address is not usable", setting, "Write https://host:port/B2BAPIs/svc.", "0101")
    if url.user or url.password or url.fragment or (url.query_string and not query):
        raise _wrong(
            "An address holds more than an address", setting, "Remove user, password, query and fragment.", "0101"
        )
    if url.scheme == "http" and not is_loopback(host):
        raise ConfigError(
            "Credentials would cross the network unencrypted",
            where=f"{setting}, host {host}",
            why="The address is plain http and its host is not this machine.",
            mend="Use https; a private authority goes into tls.ca_file.",
            code="MLC-STL-0104",
        )


def _check_sign_in(config: SterlingConfig) -> None:
    auth = config.auth
    if auth.header.name and (auth.oauth2.token_url or auth.basic.user):
        raise _wrong("Two ways to sign in", "auth", "Keep exactly one of basic, oauth2 and header.", "0103")
    needed: dict[Scheme, list[tuple[str, str | Secret]]] = {
        "basic": [("user", auth.basic.user), ("password", auth.basic.password)],
        "oauth2": [("client_id", auth.oauth2.client_id), ("client_secret", auth.oauth2.client_secret)],
        "header": [("value", auth.header.value)],
    }
    empty = [name for name, value in needed[config.scheme] if not value]
    if empty:
        places = ", ".join(f"auth.{config.scheme}.{name}" for name in empty)
        raise _wrong(
            "The sign-in is incomplete", places, "Set these, or the environment variables they refer to.", "0102"
        )
    _check_sendable(config)


def _check_sendable(config: SterlingConfig) -> None:
    """What would break or split a header. The texts themselves are never quoted."""
    auth = config.auth
    if ":" in auth.basic.user or not auth.basic.user.isprintable():
        raise _wrong(
            "A user id cannot be sent", "auth.basic.user", "Use a user id without ':' and control characters.", "0102"
        )
    value = auth.header.value.reveal()
    if auth.header.name and not (
        re.fullmatch(r"[A-Za-z0-9-]+", auth.header.name) and value.isascii() and value.isprintable()
    ):
        raise _wrong("A header cannot be sent", "auth.header", "Use printable ASCII only.", "0102")


def _wrong(what: str, setting: str, mend: str, number: str) -> ConfigError:
    return ConfigError(
        what,
        where=setting,
        why="The connection's settings do not allow a connection.",
        mend=mend,
        code=f"MLC-STL-{number}",
    )
