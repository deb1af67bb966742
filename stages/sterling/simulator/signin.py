"""Who calls: Basic against the accounts, bearer tokens of a gateway in front, and the token endpoint that hands them out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from stages.sterling.simulator.hub import Account, Hub
from stages.sterling.simulator.switches import OAuth, Switches
from stages.sterling.simulator.wire import ContainerError, Raw, Reply, media_type, read_pairs, render


def unauthorized(text: str, challenge: str = 'Basic realm="SIServer"') -> ContainerError:
    return ContainerError(401, text, headers={"WWW-Authenticate": challenge})


@dataclass
class SignIn:
    """Checks credentials. Tokens belong to ``token_user`` and end on the clock or with `revoke`."""

    hub: Hub
    switches: Switches
    token_user: str
    _tokens: dict[str, float] = field(default_factory=dict)
    _issued: int = 0

    def account(self, header: str | None) -> Account:
        """The account an Authorization header stands for. ContainerError 401, and 403 for one without the API permission."""
        scheme, _, value = (header or "").partition(" ")
        oauth = self.switches.oauth
        if scheme.lower() == "bearer" and oauth:
            account = self._by_token(value.strip())
            if account is None:  # the gateway's own word, RFC 6750 3: the call went no further
                raise unauthorized("the token is not accepted", 'Bearer realm="gateway", error="invalid_token"')
        elif scheme.lower() == "basic" and (oauth is None or oauth.basic_too):
            account = self._by_password(value.strip())
        else:
            account = None
        if account is None:
            raise unauthorized("authentication failed")
        if not self.hub.may_call(account):
            raise ContainerError(403, "the permission APIUser is missing")
        return account

    def revoke(self) -> None:
        """Ends every token at once, before its time."""
        self._tokens.clear()

    def _by_password(self, value: str) -> Account | None:
        pair = _basic(value)
        account = self.hub.accounts.get(pair[0]) if pair else None
        return (
            account if pair and account and hmac.compare_digest(account.password.encode(), pair[1].encode()) else None
        )

    def _by_token(self, token: str) -> Account | None:
        ends = self._tokens.get(token)
        if ends is None or self.hub.clock.monotonic() >= ends:
            return None
        return self.hub.accounts.get(self.token_user)

    def token(self, method: str, header: str | None, content_type: str, body: bytes) -> Raw:
        """The token endpoint: client credentials, the client named by Basic or in the form."""
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
        if (oauth.scope and form.get("scope") != oauth.scope) or (
            oauth.audience and form.get("audience") != oauth.audience
        ):
            return _refusal(400, "invalid_scope")
        return self._issue(oauth)

    def _issue(self, oauth: OAuth) -> Raw:
        self._issued += 1
        seed = f"{oauth.client_id} {self._issued}".encode()
        token = hmac.new(oauth.client_secret.encode(), seed, hashlib.sha256).hexdigest()
        self._tokens[token] = self.hub.clock.monotonic() + oauth.expires_in
        return render(Reply({"access_token": token, "token_type": "Bearer", "expires_in": oauth.expires_in}), xml=False)


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
