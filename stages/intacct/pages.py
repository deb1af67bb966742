"""What the sources of this adapter share: the next page of a window, the next keys of a replay, and rows in groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import timedelta, tzinfo
from typing import TypeVar

import anyio.lowlevel
import msgspec

from pipeline import DataError, Window
from stages.intacct.company import IntacctClient
from stages.intacct.config import LARGEST_PAGE
from stages.intacct.protocol import paging
from stages.intacct.protocol.query import LARGEST_LIST, Filter, all_of
from stages.intacct.protocol.responses import Row
from stages.intacct.reader import Reader, Rows
from stages.intacct.zoning import told_zone, zone_of

T = TypeVar("T")
_AT_ONCE = 200  # rows; some milliseconds of work


def check_page_size(size: int) -> None:
    """For the settings of a source: raises ValueError for a size the gateway would refuse. 0 is the connection's."""
    if not 0 <= size <= LARGEST_PAGE:
        raise ValueError(f"page_size must be from 1 to {LARGEST_PAGE}")


def rules(client: IntacctClient, name: str, dates: dict[str, str], created: str) -> paging.Rules:
    """How an object of that name is read in windows, over this connection."""
    config = client.config
    return paging.Rules(
        object=name,
        dates=dates,
        created=created,
        lag=timedelta(seconds=config.lag),
        overlap=timedelta(seconds=config.overlap),
        look_back=timedelta(seconds=max(config.look_back, config.overlap)),
        look_back_every=timedelta(seconds=config.look_back_every),
        zone=config.zone,
    )


async def next_page(
    reader: Reader,
    rules: paging.Rules,
    window: Window,
    cursor: dict[str, str] | None,
    where: Filter | None = None,
) -> tuple[list[Row], paging.Position, bool]:
    """The rows of the next page, each record once, the position behind them, and whether more follow. Raises as `IntacctClient.query`.

    ``where`` narrows the window.
    """
    rules = await zoned(reader, rules, window, cursor)
    place = paging.position(cursor, window, rules, await reader.client.server_now())
    filter, order = paging.page_filter(place, window, rules)
    found: Rows = await reader.page(all_of([where, filter]), order)
    behind, more = paging.advance(place, found.rows, found.more, rules)
    return found.rows, behind, more


async def zoned(
    reader: Reader, rules: paging.Rules, window: Window, cursor: dict[str, str] | None
) -> paging.Rules:  # fmt: skip
    """The rules with the zone that a window by modification needs, configured or measured; `ConfigError` when it is not known. A live read
    goes on with what the records tell, or without.
    """
    if window.keys or window.by != "modified":
        return rules
    if window.live:
        begins = rules.zone is None and cursor is not None and cursor.get("done")
        return msgspec.structs.replace(rules, told=await told_zone(reader.client)) if begins else rules
    return msgspec.structs.replace(rules, zone=await _zone(reader, rules))


async def _zone(reader: Reader, rules: paging.Rules) -> tzinfo:
    """Found out once for each reader."""
    if reader.zone is None:
        own = {rules.object: rules.created} if rules.created else {}
        reader.zone = await zone_of(reader.client, f"{rules.object} of {reader.client.config.company}", own)
    return reader.zone


def key_slice(window: Window, cursor: dict[str, str] | None) -> tuple[tuple[str, ...], dict[str, str], bool]:
    """The next keys of a replay, the cursor behind them, and whether more follow."""
    start = int((cursor or {}).get("keys", "0"))
    end = start + LARGEST_LIST
    return window.keys[start:end], {"keys": str(end)}, end < len(window.keys)


def gone(object_name: str, key: str) -> DataError:
    """What becomes of a key that a replay asks for and the books no longer have."""
    return DataError(
        f"{object_name} {key} is not in the books", where=f"{object_name} {key} of Intacct",
        why="it was deleted, made anew under another number, or the API user may not see it",
        mend="look it up in Intacct; when it is gone for good, close this item", owner="AP", code="MLC-INTACCT-0403",
    )  # fmt: skip


async def unhurried(items: Iterable[T], size: Callable[[T], int] = lambda _: 0) -> AsyncIterator[T]:
    """The items, with the event loop let on after every so many rows: a large page must not keep it from deliveries.

    ``size`` is how many rows an item is besides itself.
    """
    done = _AT_ONCE
    for item in items:
        if done >= _AT_ONCE:
            await anyio.lowlevel.checkpoint()
            done = 0
        done += 1 + size(item)
        yield item


def by(field: str, rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows in groups that have the same value in that field."""
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.get(field) or ""].append(row)
    return dict(groups)
