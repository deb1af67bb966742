"""What must be hidden in texts from outside before they enter an error: whoever answers may quote what it was told. Pure."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from urllib.parse import quote

_TELLING = 8  # this many characters of a secret, one after another, are as bad as all
_SHORTEST = 3  # fewer characters stand in every text
_QUOTED_SESSION = re.compile(r"(?i)\b(invalid session(?: id)?[ :=]+)\S+")
_CODE = re.compile(r"[A-Za-z0-9+/_=-]{8,}")
_LONGEST = 10_000
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
_BLANK = r"(?:\s|\+|%20|&#(?:32|x20);)+"
MASK = "***"
Span = tuple[int, int]


class Hidden:
    """The secrets of one client: its passwords, and every session it was ever granted."""

    def __init__(self, *secrets: str) -> None:
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._coded: set[str] = set()
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Hides these as well, from now on."""
        for secret in secrets:
            if len(secret) >= _SHORTEST and secret not in self._patterns:
                self._patterns[secret] = _pattern(secret)
                self._coded.update(_coded(secret))

    def text(self, text: str, longest: int | None = None) -> str:
        """The text without anything secret, whole or in part, as it is or as XML, URLs, JSON, base64 and hexadecimal write it; then cut.

        What was cut before could keep the beginning of a secret that is too short to be known: cut here. Of a very long text the beginning
        is kept.
        """
        if len(text) > _LONGEST:
            text = text[:_LONGEST].rpartition(" ")[0] or MASK
        plain = (match.span(1) for pattern in self._patterns.values() for match in pattern.finditer(text))
        spans = sorted([*plain, *self._in_code(text)])
        return _QUOTED_SESSION.sub(rf"\1{MASK}", _masked(text, spans))[:longest]

    def _in_code(self, text: str) -> Iterator[Span]:
        """The words in base64 or hexadecimal that hold a part of a secret."""
        for word in _CODE.finditer(text):
            letters = word[0].lower()
            sizes = (_TELLING, 2 * _TELLING)
            if any(part in self._coded for size in sizes for part in _parts(letters, size)):
                yield word.span()


def _masked(text: str, spans: Sequence[Span]) -> str:
    shown, at = [], 0
    for start, end in spans:
        if start >= at:
            shown += [text[at:start], MASK]
        at = max(at, end)
    return "".join([*shown, text[at:]])


def _pattern(secret: str) -> re.Pattern[str]:
    """Finds every place where the secret or a telling part of it begins, and takes the word it is in to its end; overlapping finds tell
    where it ends. Upper and lower case alike, since names and states are folded on the way.
    """
    known = secret.strip()
    letters = (
        [_letter(part) for part in re.findall(r"\s+|\S", known)] if len(known) >= _SHORTEST else [re.escape(secret)]
    )
    forms = dict.fromkeys(["".join(letters), *_parts(letters, _TELLING)])
    return re.compile(rf"(?=((?:{'|'.join(forms)})\S*))", re.IGNORECASE)


def _coded(secret: str) -> Iterator[str]:
    """Telling parts of it in base64, which writes a text in one of three ways, by what stands before it; and in hexadecimal."""
    data = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        text = b64encode(bytes(before) + data).decode().lower()
        whole = text[(0, 2, 3)[before] :].rstrip("=")
        sure = whole if (before + len(data)) % 3 == 0 else whole[:-1]  # the last letter depends on what follows
        for form in (sure, sure.translate(str.maketrans("+/", "-_"))):
            yield from _parts(form, _TELLING)
    yield from _parts(data.hex(), 2 * _TELLING)


def _parts(whole: Sequence[str], size: int) -> Iterator[str]:
    return ("".join(whole[at : at + size]) for at in range(len(whole) - size + 1))


def _letter(letter: str) -> str:
    """One letter of a secret, or the blanks between two, in all ways to write it; letters and digits are mostly written as they are."""
    if letter.isspace():
        return rf"(?:{re.escape(letter)}|{_BLANK})"
    if letter.isascii() and letter.isalnum():
        return letter
    code = ord(letter)
    percent = quote(letter.encode("utf-8", "surrogatepass"), safe="")
    ways = [
        rf"\\?{re.escape(letter)}",
        rf"&#0*{code};",
        rf"&#x0*{code:x};",
        re.escape(percent),
        rf"\\u{code:04x}",
        rf"\\x{code:02x}",
    ]
    return f"(?:{'|'.join([*ways, *([_ENTITIES[letter]] if letter in _ENTITIES else [])])})"
