"""One HTTP answer as bytes, and what is read out of any of them: JSON, the server's own error text, the id of what was made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote

import msgspec

LONGEST_TEXT = 500
"""Characters of the far side's text that go into an error; more helps nobody and could fill the ledger."""


class Answer(msgspec.Struct, frozen=True):
    """An answer read to its end. The texts are those of its headers, empty when absent; ``challenge`` is WWW-Authenticate."""

    status: int
    body: bytes = b""
    location: str = ""
    retry_after: str = ""
    challenge: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def refused_token(self) -> bool:
        """A 401 with the Bearer challenge of whoever checks tokens (RFC 6750 3): it went no further than that check.

        Sterling itself knows Basic only, so any other 401 may have come from behind the gateway, after an effect.
        """
        return (
            self.status == 401 and re.search(r"(?:^|,)\s*Bearer(?:\s|,|$)", self.challenge, re.IGNORECASE) is not None
        )

    @property
    def lacking_scope(self) -> str | None:
        """The scope that a token lacks by the challenge of a 403 (RFC 6750 3.1), "" when it names none, None when it says no such thing.

        It went no further than the gateway that checks tokens.
        """
        told = self.challenge if self.status == 403 else ""
        if not re.search(r"(?:^|,)\s*Bearer\s.*error=\"?insufficient_scope", told, re.IGNORECASE):
            return None
        scope = re.search(r'scope="([^"]*)"', told, re.IGNORECASE)
        return scope[1] if scope else ""


class Unreadable(ValueError):
    """The body is not the JSON it should be: a proxy's page, a cut-off answer, or nothing at all."""


def parse_json(body: bytes) -> Any:
    """The body as JSON. Raises `Unreadable`, whose text says what was there instead without quoting it."""
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if not start:
        raise Unreadable("the answer was empty")
    if start not in b"{[":
        raise Unreadable("the answer was a page, not JSON" if start == b"<" else "the answer was not JSON")
    try:
        return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unreadable("the answer was broken off or is not valid JSON") from None


def is_page(body: bytes) -> bool:
    """Whether it begins as an HTML page does: a sign-on page's 200 says nothing of what was asked."""
    return re.match(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)\b", body, re.IGNORECASE) is not None


def own_error(body: bytes) -> str | None:
    """The server's own error text as it came, or None when the body is not the server's own error object.

    Only ``{"errorCode": …, "errorDescription": …}`` counts: whatever else comes with a 4xx may be a proxy's opinion.
    """
    try:
        parsed = parse_json(body)
    except Unreadable:
        return None
    if not isinstance(parsed, dict) or not ("errorCode" in parsed or "errorDescription" in parsed):
        return None
    return str(parsed.get("errorDescription") or "")


def plain_text(value: object) -> str:
    """Far-side text made fit for one line of an error: no control characters, bounded."""
    return re.sub(r"[\x00-\x20\x7f-\x9f]+", " ", str(value)).strip()[:LONGEST_TEXT]


def api_codes(text: str) -> list[str]:
    """The product's codes in order: the first names the outer operation, the last the root cause.

    >>> api_codes("API000175: Could not save user account: API000452: User ID not valid.")
    ['API000175', 'API000452']
    """
    return re.findall(r"\bAPI\d{6}\b", text)


def created_id(answer: Answer) -> str | None:
    """The id of what a POST made: from the body's ``Location``, else from the header; None when the body is some page.

    Behind a gateway the host is an internal one, so only the last path segment is used.
    """
    if not answer.body.strip():
        return _last_segment(answer.location) or None
    try:
        parsed = parse_json(answer.body)
    except Unreadable:
        return None
    location = (parsed.get("Location") or parsed.get("location")) if isinstance(parsed, Mapping) else None
    return _last_segment(location if isinstance(location, str) else answer.location) or None


def _last_segment(location: str) -> str:
    path = re.split(r"[?#]", location, maxsplit=1)[0].rstrip("/")
    return unquote(path.rsplit("/", 1)[-1]) if "/" in path else ""


def retry_after_seconds(text: str, now: datetime) -> float | None:
    """Seconds from a ``Retry-After`` header: a number or an HTTP date (RFC 9110 10.2.3); None when it is neither."""
    if re.fullmatch(r"\d{1,9}", text.strip()):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
