"""What must be hidden in texts from outside before they enter an error: whoever answers may quote what it was told. Pure."""

from __future__ import annotations

import re
from urllib.parse import quote
from xml.sax.saxutils import escape

_TELLING = 8  # this many characters of a secret, one after another, are as bad as all
_SHORTEST = 3  # fewer characters stand in every text
_QUOTED_SESSION = re.compile(r"(?i)\b(invalid session(?: id)?[ :=]+)\S+")
MASK = "***"


class Hidden:
    """The secrets of one client: its passwords, and every session it was ever granted."""

    def __init__(self, *secrets: str) -> None:
        self._patterns: dict[str, re.Pattern[str]] = {}
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Hides these as well, from now on."""
        for secret in secrets:
            if len(secret) >= _SHORTEST and secret not in self._patterns:
                self._patterns[secret] = _pattern(secret)

    def text(self, text: str, longest: int | None = None) -> str:
        """The text without anything secret, whole or in part, as it is or as XML and URLs write it; then cut.

        What was cut before could keep the beginning of a secret that is too short to be known: cut here.
        """
        for pattern in self._patterns.values():
            text = pattern.sub(MASK, text)
        return _QUOTED_SESSION.sub(rf"\1{MASK}", text)[:longest]


def _pattern(secret: str) -> re.Pattern[str]:
    """Upper and lower case alike, since names and states are folded on the way."""
    forms = [form for form in (secret, " ".join(secret.split()), escape(secret), quote(secret, safe="")) if form]
    parts = [form[at : at + _TELLING] for form in forms for at in range(len(form) - _TELLING + 1)]
    whole = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
    some = "|".join(map(re.escape, dict.fromkeys(parts)))
    return re.compile(rf"(?:{whole}|{some})\S*" if some else whole, re.IGNORECASE)
