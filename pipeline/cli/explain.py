"""`explain DOC [ELEMENT]`: where each element of a document comes from: the source field, and the line of the guide behind it.

Everything here was recorded when the document was encoded; nothing is worked out again from today's files.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
import typer

from pipeline.cli.execute import store_url
from pipeline.cli.output import print_json, say, tell, when
from pipeline.clock import SystemClock
from pipeline.errors import UsageError
from pipeline.registry import load_registry
from pipeline.store import open_ledger
from pipeline.store.reports import Item

_PATH = re.compile(r"[a-z_]+(?:\.[a-z_0-9]+)+")


async def explain(
    doc: Annotated[str, typer.Argument(help="A document, as `docs` names it (d-17).")],
    element: Annotated[str, typer.Argument(help="An element or segment of it: BIG02, REF*IA; all when left out.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> int:
    """Name the source field behind each element of a document, and the line of the guide that asked for it."""
    async with open_ledger(store_url(), SystemClock()) as ledger:
        item = await ledger.reports.document(_number(doc))
    if item is None:
        raise UsageError(f"There is no document {doc}", mend="ml-connector docs  lists them", code="MLC-CLI-0008")
    lines = _lines(str(item["origins"] or ""), element)
    if element and not lines:
        raise UsageError(
            f"This document's plan never writes {element}",
            where=doc,
            mend=f"ml-connector explain {doc}  lists what it writes",
            code="MLC-CLI-0020",
        )
    fields = _fields(str(item["object"]))
    if json:
        origins = [_origin(line, fields) for line in lines]
        print_json(
            {
                "schema": "mlc.explain/1",
                "document": doc,
                "element": element or None,
                "origins": origins,
                "provenance": _provenance(item),
            }
        )
        return 0
    tell(
        f"{doc}: {item['set']} to {item['partner']}, version {item['version']}, from {item['object']} {item['key']} ({item['label']})",
        "bold",
    )
    for line in lines:
        names = "; ".join(_read_from(line, fields))
        tell(f"  {line}" + (f"  ({names})" if names else ""))
    for name, value in _provenance(item).items():
        say(f"  {name:<14} {value}")
    return 0


def _lines(origins: str, element: str) -> list[str]:
    """The origins of the element, by the adapter that knows the format; all of them when none is named."""
    if not element:
        return [line for line in origins.splitlines() if " <- " in line]
    picks = [adapter.explain for adapter in load_registry().adapters if adapter.explain is not None]
    return next((found for pick in picks if (found := pick(origins, element))), [])


def _fields(object_name: str) -> dict[str, str]:
    """Which field of the source system each path is read from, as far as an adapter tells."""
    adapters = load_registry().adapters
    return {path: name for adapter in adapters for path, name in adapter.read_from.get(object_name, {}).items()}


def _read_from(line: str, fields: dict[str, str]) -> list[str]:
    paths = _PATH.findall(line.partition(" <- ")[2])
    return list(dict.fromkeys(fields[path] for path in paths if path in fields))


def _origin(line: str, fields: dict[str, str]) -> dict[str, Any]:
    element, _, source = line.partition(" <- ")
    return {"element": element, "source": source or None, "read_from": _read_from(line, fields)}


def _provenance(item: Item) -> dict[str, Any]:
    """What was recorded when the document was encoded."""
    lookups = msgspec.json.decode(item["lookups"])
    return {
        "encoded": when(item["encoded_at"]), "run": f"r-{item['run']}", "code version": item["code_version"],
        "flow digest": item["flow_digest"], "guide digest": item["guide_digest"], "source digest": item["source_digest"],
        "plan": item["plan"], "look-ups": ", ".join(f"{word} -> {code}" for word, code in lookups.items()) or "none",
    }  # fmt: skip


def _number(doc: str) -> int:
    digits = doc.removeprefix("d-")
    if not digits.isdigit():
        raise UsageError(
            f"{doc!r} is no document",
            why="ids of documents look like d-17",
            mend="ml-connector docs  lists them",
            code="MLC-CLI-0007",
        )
    return int(digits)


VERBS = {"explain": explain}
