"""Reading the elements of a request strictly: what a schema would refuse, these refuse."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from stages.intacct.simulator.errors import schema_violation


def children(element: etree._Element, allowed: Iterable[str]) -> dict[str, etree._Element]:
    """The element's children by name. Raises `FunctionRefused` for a name not allowed, or repeated."""
    found: dict[str, etree._Element] = {}
    for child in elements(element):
        if child.tag not in allowed:
            raise schema_violation(f"Element '{element.tag}': child element '{child.tag}' is not expected")
        if child.tag in found:
            raise schema_violation(f"Element '{element.tag}': child element '{child.tag}' is repeated")
        found[child.tag] = child
    return found


def elements(element: etree._Element) -> list[etree._Element]:
    """Children without comments and processing instructions."""
    return [child for child in element if isinstance(child.tag, str)]


def text(element: etree._Element) -> str:
    return (element.text or "").strip()


def number(element: etree._Element | None, default: int, low: int, high: int) -> int:
    if element is None:
        return default
    try:
        value = int(text(element))
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise schema_violation(f"Element '{element.tag}': the value must be between {low} and {high}")
    return value


def flag(element: etree._Element | None) -> bool:
    if element is None:
        return False
    if text(element) not in {"true", "false"}:
        raise schema_violation(f"Element '{element.tag}': the value must be true or false")
    return text(element) == "true"
