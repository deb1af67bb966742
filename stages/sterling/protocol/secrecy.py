"""Which texts are secrets, by their names: what is struck out of the echoes of settings, and out of rows before they are shown or kept.

Names mark their values wherever the two come together: as members, as pairs in a text (``host:x,password:y``, ``user=a&pwd=b``, JSON), as
elements and attributes of XML, BPML's ``<assign to="password">`` among them, and before the ``@`` of an address. Rather too much is struck out than too
little: where a value ends is not always told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline import Secret

STRUCK = "***"

_NAME = re.compile(r"pass(?!ive)|pwd|secret|token|credential|private|(?:^|[_-])pin$|PIN$|api_?key", re.IGNORECASE)

Span = tuple[int, int]

# Every repetition is bounded or begins at a place of its own: a text may be as large as an answer.
_PAIR = re.compile(r"""(?<![\w.$-])([\w.$-]{1,100})\\?["']?[ \t]{0,20}[:=]>?[ \t]{0,20}""")
_NEXT_PAIR = re.compile(r"""[,;&|\s]\s{0,20}\\?["']?[\w.$-]{1,100}\\?["']?\s{0,5}[:=]|[\r\n]|\Z""")
_QUOTED = re.compile(r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'""", re.DOTALL)
_ADDRESS = re.compile(r"://[^/\s:@]{0,200}:([^/\s@]{1,500})@")
_TAG = re.compile(r"""<([\w.:-]{1,100})((?:[^<>"']|"[^"]{0,4000}"|'[^']{0,4000}'){0,4000})>""")
_ATTRIBUTE = re.compile(r"""=\s{0,20}(?:"([^"]*)"|'([^']*)')""")
_LONGEST_ELEMENT = 100_000

_FRAMES = frozenset(
    [
        "process",
        "sequence",
        "operation",
        "participant",
        "output",
        "input",
        "all",
        "choice",
        "select",
        "case",
        "rule",
        "onfault",
        "repeat",
    ]
)
"""Elements of BPML that are named, and hold steps rather than a value."""


def is_secret(name: str) -> bool:
    """Whether what bears this name is a secret.

    >>> is_secret("sshPassphrase"), is_secret("publicKeyID")
    (True, False)
    """
    return _NAME.search(name) is not None


def without_secrets(value: Any) -> Any:
    """The value without the members that are secrets, at any depth, and with those in its texts struck out."""
    if isinstance(value, Mapping):
        named = any(isinstance(each, str) and is_secret(each) for name, each in value.items() if _names_others(name))
        return {
            name: without_secrets(member)
            for name, member in value.items()
            if not (is_secret(name) or (named and "value" in name.lower()))
        }
    if isinstance(value, list):
        return [without_secrets(member) for member in value]
    return struck(value) if isinstance(value, str) else value


def _names_others(name: str) -> bool:
    """Whether a member says what the ``value`` beside it is of: ``{"name": "password", "value": …}``."""
    return name.lower().endswith(("name", "key", "id", "parameter"))


def struck(text: str) -> str:
    """The text with the secrets in it struck out.

    >>> struck("host:x,password:hunter2,port:22")
    'host:x,password:***,port:22'
    """
    told, end = [], 0
    for first, last in sorted(_spans(text)):
        if last > end:
            told += [text[end : max(first, end)], STRUCK if first >= end else ""]
            end = last
    return "".join(told) + text[end:]


def secrets_of(settings: Any) -> tuple[Secret, ...]:
    """The secrets in settings, at any depth and in their texts, each once."""
    return tuple(Secret(text) for text in dict.fromkeys(_secret_texts("", settings)) if text)


def _secret_texts(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield from _secret_texts(f"{name} {key}" if is_secret(name) else str(key), member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _secret_texts(name, member)
    elif is_secret(name):
        yield "" if value is None or isinstance(value, bool) else str(value)
    elif isinstance(value, str):
        yield from (value[first:last].strip() for first, last in _spans(value))


def _spans(text: str) -> Iterator[Span]:
    """Where secrets are in a text; they may overlap."""
    yield from _in_pairs(text)
    yield from _in_markup(text)
    yield from (match.span(1) for match in _ADDRESS.finditer(text))


def _in_pairs(text: str) -> Iterator[Span]:
    for pair in _PAIR.finditer(text):
        if not is_secret(pair[1]):
            continue
        quoted = _QUOTED.match(text, pair.end())
        if quoted:
            yield quoted.span(1 if quoted[1] is not None else 2)
        elif (end := _NEXT_PAIR.search(text, pair.end())) and end.start() > pair.end():
            yield pair.end(), end.start()


def _in_markup(text: str) -> Iterator[Span]:
    for tag in _TAG.finditer(text):
        values = [match.span(1 if match[1] is not None else 2) for match in _ATTRIBUTE.finditer(text, *tag.span(2))]
        named = [is_secret(text[slice(*span)]) for span in values]
        if not (any(named) or is_secret(tag[1])):
            continue
        yield from (span for span, names in zip(values, named, strict=True) if not names and span[0] < span[1])
        if not tag[2].endswith("/"):
            yield from _within(text, tag[1], tag.end())


def _within(text: str, name: str, begin: int) -> Iterator[Span]:
    """What an element holds: all of it, or for a frame the text up to the next element."""
    end = -1 if name.lower().rpartition(":")[2] in _FRAMES else text.find(f"</{name}", begin, begin + _LONGEST_ELEMENT)
    if end < 0:
        end = text.find("<", begin)
    end = len(text) if end < 0 else end
    if text[begin:end].strip():
        yield begin, end
