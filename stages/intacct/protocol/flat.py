"""The records of a page that are all alike, taken at once. Pure.

A page is hundreds of thousands of small elements, and looking at each from Python costs twice what parsing the page did. But most
pages repeat one record: the same fields in the same order, texts only. The parser's own serialisation of such a page has one form
(no comments, no CDATA, texts escaped), so one expression, made from the first record, takes a record's texts in one step. It never
sees bytes that the parser has not accepted, and it must account for the whole page: else the page is not of this kind.
"""

from __future__ import annotations

import re
from functools import lru_cache
from xml.sax.saxutils import unescape

from lxml import etree

_CARRIAGE_RETURN = {"&#13;": "\r"}
_MOST_FIELDS = 500  # an expression costs what it is long; no record asked for comes near
_LONGEST_NAME = 200


def flat_rows(data: etree._Element) -> list[dict[str, str | None]] | None:
    """A row per child of ``data``, names in upper case, empty as None. None when the children are not all alike and flat."""
    if len(data) == 0:
        return []
    first = data[0]
    if len(first) > _MOST_FIELDS:
        return None
    fields = tuple(str(field.tag) for field in first)
    if len(set(fields)) < len(fields) or max(map(len, (str(first.tag), *fields))) > _LONGEST_NAME:
        return None
    names = [field.upper() for field in fields]
    page = etree.tostring(data, encoding="unicode", with_tail=False)
    place = page.index(">") + 1  # behind the start tag, whose attributes have their > escaped
    match = _record(str(first.tag), fields).match
    rows = []
    while (found := match(page, place)) is not None:
        place = found.end()
        texts = _unescaped(found) if "&" in found[0] else found.groups()
        rows.append(dict(zip(names, [(text.strip() or None) if text else None for text in texts])))  # noqa: B905 - costs
    return rows if page[place:].strip() == f"</{data.tag}>" else None


def _unescaped(found: re.Match[str]) -> list[str | None]:
    return [text and unescape(text, _CARRIAGE_RETURN) for text in found.groups()]


@lru_cache(maxsize=64)
def _record(name: str, fields: tuple[str, ...]) -> re.Pattern[str]:
    inner = "".join(rf"\s*<{field}(?:/>|>([^<]*)</{field}>)" for field in map(re.escape, fields))
    return re.compile(rf"\s*<{re.escape(name)}>{inner}\s*</{re.escape(name)}>")
