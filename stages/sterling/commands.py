"""The verb of this adapter: ``ml-connector sterling list RESOURCE``. Reading only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from pipeline import CommandResult, QuerySpec, UsageError
from stages.sterling.apis import SterlingClient
from stages.sterling.protocol.resources import cell, columns
from stages.sterling.resource_source import listed

WIDEST = 48
"""Characters of a column."""


async def list_resource(client: SterlingClient, resource: str, options: Mapping[str, str]) -> CommandResult:
    """All rows of a collection: a table for people, every field for scripts."""
    if not resource.isascii() or not resource.isalpha():
        raise UsageError(
            f"{resource!r} is no name of a collection",
            why="they are one word of letters: workflows, schedules, routingrules, documents, mailboxes, codelists",
            mend="write it so",
            code="MLC-STL-0353",
        )
    filters = dict(parse_qsl(options.get("filter", ""), keep_blank_values=True))
    rows = await listed(client, resource.lower(), filters)
    told = {"schema": "mlc.sterling.list/1", "resource": resource.lower(), "count": len(rows), "rows": rows}
    return CommandResult(lines=_table(resource.lower(), rows), json=told)


def _table(resource: str, rows: list[dict[str, Any]]) -> list[str]:
    names = columns(resource, rows)
    lines = [[name.lstrip("_").upper() for name in names]] if rows else []
    lines += [[cell(row.get(name)) for name in names] for row in rows]
    widths = [min(max(map(len, column)), WIDEST) for column in zip(*lines, strict=True)]
    told = ["  ".join(map(_fitted, line, widths)).rstrip() for line in lines]
    return [*told, "1 row" if len(rows) == 1 else f"{len(rows):,} rows"]


def _fitted(text: str, width: int) -> str:
    shown = "".join(one if one.isprintable() else " " for one in text)
    return f"{shown[: width - 1]}…" if len(shown) > width else shown.ljust(width)


LIST = QuerySpec(
    name="list",
    help="List a collection of Sterling: workflows, schedules, routingrules, documents, mailboxes, codelists or any other.",
    connection="sterling",
    argument="resource",
    argument_help="The collection, as the B2B APIs call it: workflows, schedules, routingrules, documents, ...",
    ask=list_resource,
    options={
        "filter": "What the collection is filtered by, as in an address: 'searchFor=AP' or 'path=/ACME&_sort=path'."
    },
)
QUERIES = (LIST,)
