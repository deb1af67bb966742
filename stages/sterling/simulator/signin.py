"""Who calls: Basic against the accounts, a gateway's key or bearer token, and the token endpoint that hands those out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import unquote_plus

from stages.sterling.simulator.entities import Account
from stages.sterling.simulator.hub import Hub
from stages.sterling.simulator.switches import OAuth, Switches
from stages.sterling.simulator.wire import ContainerError, Raw, Reply, media_type, read_pairs, render

_READING = ("GET", "HEAD")


def unauthorized(text: str, challenge: str = 'Basic realm="SIServer"') -> ContainerError:
    return ContainerError(401, text, headers={"WWW-Authenticate": challenge})


@dataclass(frozen=True)
class _Token:
    ends: float
    scopes: frozenset[str]


@dataclass
class SignIn:
    """Checks credentials. Tokens and keys stand for ``gateway_user``; tokens end on the clock or with `revoke`."""

    hub: Hub
    switches: Switches
    gateway_user: str
    _tokens: dict[str, _Token] = field(default_factory=dict)
    _issued: int = 0

    def account(self, headers: Mapping[str, str], method: str) -> Account:
        """The account that a request's headers stand for. ContainerError 401, and 403 for one without the API permission."""
        scheme, _, value = headers.get("Authorization", "").partition(" ")
        account = self._by_key(headers)
        if account is None and scheme.lower() == "bearer" and self.switches.oauth:
            account = self._by_token(value.strip(), method, self.switches.oauth)
        elif account is None and scheme.lower() == "basic" and self.takes_basic:
            account = self._by_password(value.strip())
        if account is None:
            raise unauthorized("authentication failed")
        if not self.hub.may_call(account):
            raise ContainerError(403, "the permission APIUser is missing")
        return account

    def permit(self, account: Account, method: str, collection: str) -> None:
        """ContainerError 403 when the collection wants a permission that the account lacks."""
        if self.hub.is_administrator(account):
            return
        for what in (collection, f"{method} {collection}"):
            permission = self.switches.guarded.get(what)
            if permission is not None and permission not in self.hub.rights(account):
                raise ContainerError(403, f"the permission {permission} is missing")

    def revoke(self) -> None:
        """Ends every token at once, before its time."""
        self._tokens.clear()

    @property
    def takes_basic(self) -> bool:
        return all(gateway is None or gateway.basic_too for gateway in (self.switches.oauth, self.switches.header_key))

    def _by_key(self, headers: Mapping[str, str]) -> Account | None:
        key = self.switches.header_key
        given = headers.get(key.name, "") if key else ""
        if key is None or not hmac.compare_digest(given.encode(), key.value.encode()):
            return None
        return self.hub.accounts.get(self.gateway_user)

    def _by_password(self, value: str) -> Account | None:
        """A locked account and an ended password are refused like a wrong one: who guesses learns nothing."""
        pair = _basic(value)
        account = self.hub.accounts.get(pair[0]) if pair else None
        if pair is None or account is None:
            return None
        now = self.hub.clock.now()
        if account.locked_until is not None and now < account.locked_until:
            return None
        if not hmac.compare_digest(account.password.encode(), pair[1].encode()):
            self._count_failure(account)
            return None
        account.failures, account.locked_until = 0, None
        return None if account.password_ends is not None and account.password_ends <= now else account

    def _count_failure(self, account: Account) -> None:
        account.failures += 1
        if self.switches.lock_after and account.failures >= self.switches.lock_after:
            account.failures = 0
            account.locked_until = self.hub.clock.now() + timedelta(seconds=self.switches.lock_seconds)
            self.hub.log("user.locked", user=account.user)

    def _by_token(self, value: str, method: str, oauth: OAuth) -> Account | None:
        """The refusals are the gateway's own words (RFC 6750, 3): the call went no further."""
        token = self._tokens.get(value)
        if token is None or self.hub.clock.monotonic() >= token.ends:
            raise unauthorized("the token is not accepted", 'Bearer realm="gateway", error="invalid_token"')
        if oauth.write_scope and method not in _READING and oauth.write_scope not in token.scopes:
            challenge = f'Bearer realm="gateway", error="insufficient_scope", scope="{oauth.write_scope}"'
            raise ContainerError(403, "the token's scope does not cover this", headers={"WWW-Authenticate": challenge})
        return self.hub.accounts.get(self.gateway_user)

    # --- the token endpoint ---------------------------------------------------------------------------------------------

    def token(self, method: str, header: str | None, content_type: str, body: bytes) -> Raw:
        """Client credentials (RFC 6749, 4.4), the client named by Basic or in the form."""
        oauth = self.switches.oauth
        if oauth is None or method != "POST":
            raise ContainerError(404 if oauth is None else 405, "no token endpoint here")
        if media_type(content_type) != "application/x-www-form-urlencoded":
            return _refusal(400, "invalid_request")
        form = dict(read_pairs(body.decode("utf-8", "replace")))
        if form.get("grant_type") != "client_credentials":
            return _refusal(400, "unsupported_grant_type")
        if _client(oauth, header, form) != (oauth.client_id, oauth.client_secret):
            return _refusal(401, "invalid_client")
        scopes = frozenset(form.get("scope", "").split())
        if (oauth.scope and oauth.scope not in scopes) or (oauth.audience and form.get("audience") != oauth.audience):
            return _refusal(400, "invalid_scope")
        if (oauth.scope or oauth.write_scope) and scopes - {oauth.scope, oauth.write_scope}:
            return _refusal(400, "invalid_scope")
        return self._issue(oauth, scopes)

    def _issue(self, oauth: OAuth, scopes: frozenset[str]) -> Raw:
        self._issued += 1
        seed = f"{oauth.client_id} {self._issued}".encode()
        token = hmac.new(oauth.client_secret.encode(), seed, hashlib.sha256).hexdigest()
        self._tokens[token] = _Token(self.hub.clock.monotonic() + oauth.expires_in, scopes)
        told = {"access_token": token, "token_type": "Bearer", "expires_in": oauth.expires_in}
        if scopes:
            told["scope"] = " ".join(sorted(scopes))
        return render(Reply(told), xml=False)


def _refusal(status: int, error: str) -> Raw:
    return render(Reply({"error": error}, status), xml=False)


def _client(oauth: OAuth, header: str | None, form: dict[str, str]) -> tuple[str, str] | None:
    """The client's id and secret as presented, in the way this gateway wants them."""
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() == "basic" and oauth.style != "body":
        pair = _basic(value.strip())
        return (unquote_plus(pair[0]), unquote_plus(pair[1])) if pair else None
    if not header and oauth.style != "header" and "client_secret" in form:
        return form.get("client_id", ""), form["client_secret"]
    return None


def _basic(value: str) -> tuple[str, str] | None:
    try:
        user, colon, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None
