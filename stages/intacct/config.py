"""The settings of an Intacct connection, and the checks that need nothing but the settings themselves."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from pipeline import Duration, Secret
from stages.intacct.protocol.endpoint import is_loopback, parse_url

LARGEST_PAGE = 2000
"""The gateway's own limit for ``pagesize`` of a query."""
_LONGEST_LOOK = 366 * 86_400


class Transactions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The company's contract with Sage: ``tier`` API transactions a month are paid for (0: do not compare), those of all its integrations
    together. From ``warn_at`` percent of it on, `status` warns.
    """

    tier: int = 100_000
    warn_at: int = 80

    def __post_init__(self) -> None:
        if self.tier < 0:
            raise ValueError("tier must be a number of transactions a month, or 0")
        if not 1 <= self.warn_at <= 100:
            raise ValueError("warn_at must be from 1 to 100 percent")


class IntacctConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One company (and entity) behind the XML gateway.

    ``location_id`` opens one entity; empty means the top level, which also sees what is private to entities. ``client_id`` is for
    console users. ``allowed_hosts`` (``host`` or ``host:port``) are trusted as the endpoint a sign-in returns, besides
    ``*.intacct.com`` and the host of ``url``. ``timezone`` is the zone the API user's profile shows times in (IANA name; empty: it is
    measured where it matters, see `stages.intacct.protocol.zones`): ``--since`` and ``--until`` by modification, and the hour repeated in autumn.
    What a save shows late is found by reading back (see `stages.intacct.protocol.paging`): ``overlap`` with each live read, ``look_back``
    once every ``look_back_every``, both behind a mark that stays ``lag`` behind what was read.
    ``patience`` bounds how long a call that only reads is repeated after passing failures, from its first attempt on (0: never), waiting for a turn not counted: what it costs is one call, and
    not the page that it belongs to. What lasts longer fails the page, which the flow's own retry reads again.
    ``currency`` (ISO 4217, empty: none) is assumed for bills whose books name none (companies with a single currency). ``concurrency`` is the most at once: it
    shrinks while the company's other integrations take the slots (see `stages.intacct.gate`). ``error_ids`` asks for the stable id of each error. ``max_bytes`` bounds one reply after decompression.
    """

    url: str
    sender_id: str
    sender_password: Secret
    company_id: str
    user_id: str
    user_password: Secret
    location_id: str = ""
    client_id: str = ""
    allowed_hosts: list[str] = []
    timezone: str = ""
    currency: str = ""
    page_size: int = 1000
    lag: Duration = Duration(60)
    overlap: Duration = Duration(600)
    look_back: Duration = Duration(86_400)
    look_back_every: Duration = Duration(12 * 3600)
    concurrency: int = 2
    connect_timeout: Duration = Duration(10)
    read_timeout: Duration = Duration(300)
    total_timeout: Duration = Duration(330)
    patience: Duration = Duration(30)
    error_ids: bool = False
    max_bytes: int = 64 * 1024 * 1024
    transactions: Transactions = Transactions()

    def __post_init__(self) -> None:
        _check_url(self.url)
        for name, low, high in (("page_size", 1, LARGEST_PAGE), ("concurrency", 1, 50), ("max_bytes", 1024, 2**31)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be from {low} to {high}")
        for name in ("lag", "overlap", "look_back", "look_back_every"):
            if not 0 <= getattr(self, name) <= _LONGEST_LOOK:
                raise ValueError(f"{name} must be from nothing to 366d")
        if self.look_back_every > max(self.look_back, self.overlap):
            raise ValueError("look_back_every must not be longer than look_back, or the sweeps leave gaps")
        for name in ("connect_timeout", "read_timeout", "total_timeout"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than nothing")
        if self.patience < 0:
            raise ValueError("patience must not be less than nothing")
        for name in ("sender_id", "company_id", "user_id"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} is empty")
        if re.fullmatch(r"([A-Z]{3})?", self.currency) is None:
            raise ValueError("currency must be a code of three capital letters such as USD, or empty")
        try:
            _ = self.zone
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"timezone {self.timezone!r} is not an IANA zone name such as America/New_York") from None

    @property
    def whose(self) -> str:
        """The company whose contract and slots are used, in one spelling, since Intacct does not tell `acme` from `ACME`: behind a console
        the client's, whatever the user or entity.
        """
        return (self.client_id or self.company_id).strip().upper()

    @property
    def account(self) -> str:
        """The name of that contract in the meter."""
        return f"Intacct {self.whose}"

    @property
    def zone(self) -> ZoneInfo | None:
        """The zone of the API user's times; None when it is not set."""
        return ZoneInfo(self.timezone) if self.timezone else None

    @property
    def company(self) -> str:
        """What records carry as their company: the company (behind a console its client too), and the entity when the connection opens one."""
        company = f"{self.company_id}|{self.client_id}" if self.client_id else self.company_id
        return f"{company}/{self.location_id}" if self.location_id else company


def _check_url(text: str) -> None:
    """Passwords travel in the body, so plain HTTP is for a simulator on this machine only."""
    url = parse_url(text)
    if url is None or url.host is None or url.scheme not in ("http", "https"):
        raise ValueError("url must be a whole address, scheme and host included (https://HOST/PATH)")
    if url.user is not None or url.password is not None:
        raise ValueError("url must not hold a user or password")
    if url.scheme == "http" and not is_loopback(url.host):
        raise ValueError("url must be https (http only to this machine): the requests carry passwords")
