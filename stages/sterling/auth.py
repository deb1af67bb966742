"""The state of an OAuth2 client-credentials sign-in: when a token may still be used, and when a new one is due. No I/O."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

import msgspec

from pipeline import Secret, SignInRefused
from stages.sterling.config import OAuth2
from stages.sterling.protocol.answer import Unreadable, parse_json
from stages.sterling.protocol.errors import NotSentError

MARGIN_SECONDS = 30.0
"""A token is renewed this long before it ends, so that none ends on the wire."""

ASSUMED_LIFETIME_SECONDS = 300.0
"""For an answer without ``expires_in`` (only recommended by RFC 6749 5.1)."""


class Token(msgspec.Struct, frozen=True):
    """A bearer token and the monotonic second until which it may be used."""

    text: Secret
    until: float


class Tokens:
    """Holds at most one token. A refusal drops it only if it is still the one held: many callers may be refused at once."""

    def __init__(self) -> None:
        self._token: Token | None = None

    def current(self, monotonic: float) -> Token | None:
        return self._token if self._token is not None and monotonic < self._token.until else None

    def refused(self, token: Token) -> None:
        if self._token is token:
            self._token = None

    def granted(self, body: bytes, monotonic: float) -> Token:
        """Take the token endpoint's answer. Raises `ValueError`, whose text quotes nothing, when it holds no bearer token."""
        text, lifetime = _read(body)
        margin = min(MARGIN_SECONDS, lifetime / 2)
        self._token = Token(Secret(text), monotonic + lifetime - margin)
        return self._token


class Standing:
    """Whether the sign-in is good, as far as is known. A refusal stays: one that is tried again and again gets its user locked."""

    def __init__(self) -> None:
        self.accepted = False
        self.refusal: SignInRefused | None = None

    def require(self) -> None:
        """Raises `SignInRefused` when it is known to be refused."""
        if self.refusal is not None:
            raise self.refusal.again()

    def refuse(self, refusal: SignInRefused) -> SignInRefused:
        self.refusal = self.refusal or refusal
        return self.refusal.again()


def _read(body: bytes) -> tuple[str, float]:
    try:
        answer = parse_json(body)
    except Unreadable as reason:
        raise ValueError(str(reason)) from None
    text = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or not text.strip():
        raise ValueError("the answer holds no usable access_token")
    return text.strip(), _lifetime(answer.get("expires_in"))


def _lifetime(value: Any) -> float:
    """Seconds; some servers write the number as text."""
    try:
        return max(1.0, float(value))
    except (TypeError, ValueError):
        return ASSUMED_LIFETIME_SECONDS


def token_form(oauth: OAuth2) -> dict[str, str]:
    """The form of the token request. With style ``body`` it holds the secret."""
    form = {"grant_type": "client_credentials"}
    if oauth.scope:
        form["scope"] = oauth.scope
    if oauth.audience:
        form["audience"] = oauth.audience
    if oauth.style == "body":
        form |= {"client_id": oauth.client_id, "client_secret": oauth.client_secret.reveal()}
    return form


def client_credentials(oauth: OAuth2) -> tuple[str, str]:
    """Id and secret as they go into a Basic header: form-encoded first (RFC 6749 2.3.1)."""
    return quote_plus(oauth.client_id), quote_plus(oauth.client_secret.reveal())


def token_refused(oauth: OAuth2, where: str, status: int) -> SignInRefused:
    """The token endpoint said no: a person must mend the client's id, secret or scope."""
    return SignInRefused(
        "The token server did not accept the client",
        where=where,
        why=f"HTTP {status} for client {oauth.client_id!r}.",
        mend="Check oauth2's client_id, client_secret, scope and style with whoever runs the token server.",
        code="MLC-STL-0120",
    )


def no_token(where: str, why: str) -> NotSentError:
    """No token now, perhaps later."""
    return NotSentError(
        "The token server gave no token, so nothing was sent",
        where=where,
        why=why,
        mend="It is tried again later. If it repeats, check oauth2's token_url and ask whoever runs the token server.",
        code="MLC-STL-0121",
    )
