"""Which endpoint a sign-in may send us to. The rule lives here and nowhere else; it is what stands between the session and a forged host.

URLs are parsed by yarl, the parser that later connects: two parsers that disagree about a host are a way round any check.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from yarl import URL

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:]+")
_TRUSTED_SUFFIX = ".intacct.com"
_LONGEST = 2048


def parse_url(text: str) -> URL | None:
    """The URL, or None when it is none (or carries characters no URL has)."""
    if len(text) > _LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        return None
    try:
        return URL(text)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """True for this machine's own addresses and for ``localhost``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def accept_endpoint(text: str, configured: URL, allowed_hosts: Sequence[str] = ()) -> URL | None:
    """The endpoint as a URL when it may be used, else None.

    It must be https under ``.intacct.com`` on the usual port; or on the configured host with the configured scheme and port (any
    port when that host is loopback); or https on one of ``allowed_hosts`` (``host`` means its usual port).
    """
    url = parse_url(text.strip())
    if url is None or url.user is not None or url.password is not None or url.fragment or url.query_string:
        return None
    host = _host(url)
    if host is None:
        return None
    if _as_configured(url, host, configured):
        return url
    if url.scheme != "https":
        return None
    if host.endswith(_TRUSTED_SUFFIX) and url.port == 443:
        return url
    names = {host, f"{host}:{url.port}"} if url.port == 443 else {f"{host}:{url.port}"}
    return url if names & {name.lower() for name in allowed_hosts} else None


def _host(url: URL) -> str | None:
    host = (url.raw_host or "").lower().removesuffix(".")
    return host if _HOST.fullmatch(host) else None


def _as_configured(url: URL, host: str, configured: URL) -> bool:
    ours = _host(configured)
    if url.scheme != configured.scheme or ours is None:
        return False
    if is_loopback(ours):
        return is_loopback(host)
    return host == ours and url.port == configured.port
