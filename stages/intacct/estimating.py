"""What reading would take, worked out from counts: pages of the object itself, and the calls for what hangs on its records.

A count costs one transaction. What only reading could tell (which contacts are strangers to their vendor, which bills do not add up and are
read once more) is taken at its usual size or left out: the result is about right.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import msgspec

from pipeline import Estimate, StageError, Window
from stages.intacct.config import LARGEST_PAGE
from stages.intacct.pages import zoned
from stages.intacct.protocol import paging
from stages.intacct.protocol.query import LARGEST_LIST, Filter
from stages.intacct.reader import Reader


class Counted(msgspec.Struct, frozen=True):
    """What a window holds: the records of each part that is paged by itself, and how large a page is."""

    parts: tuple[int, ...]
    size: int

    @property
    def records(self) -> int:
        return sum(self.parts)

    @property
    def pages(self) -> int:
        """An empty part costs a page too: only asking shows that it is empty."""
        return sum(max(1, ceil(part / self.size)) for part in self.parts)

    def lists(self, share: float = 1.0) -> int:
        """How many lists of keys the records are cut to, page by page, when that share of them is looked up."""
        full, rest = divmod(self.records, self.size)
        return full * _lists(self.size * share) + _lists(rest * share)


def _lists(keys: float) -> int:
    return ceil(keys / LARGEST_LIST)


async def counted(
    reader: Reader, rules: paging.Rules, window: Window, cursor: dict[str, str] | None, where: Filter | None = None
) -> Counted:
    """The records that reading on from the cursor meets, repeats of the overlap included. Raises as `Reader.count`."""
    if window.keys:
        return Counted((len(window.keys),), LARGEST_LIST)
    rules = await zoned(reader, rules, window, cursor)
    place = paging.position(cursor, window, rules, await reader.client.server_now())
    parts = []
    while True:
        filter, _ = paging.page_filter(place, window, rules)
        parts.append(await reader.count(where, filter))
        if place.phase != "modified" or not rules.unstamped:
            return Counted(tuple(parts), reader.page_size)
        place = msgspec.structs.replace(place, phase="unstamped", record=None)


def alone(found: Sequence[Counted]) -> Estimate:
    """For objects that are read without anything else."""
    pages = sum(each.pages for each in found)
    return Estimate(records=sum(each.records for each in found), pages=pages, calls=pages)


async def per_record(details: Reader, records: Reader) -> float:
    """How many details a record has in this company, on average."""
    total = await records.count()
    return await details.count() / total if total else 0.0


def calls_for(lists: int, details: float) -> int:
    """The calls for lists of keys whose records have so many details: each list is paged to its end."""
    return lists * max(1, ceil(LARGEST_LIST * details / LARGEST_PAGE))


async def known(reader: Reader, *filters: Filter | None) -> int:
    """A count, 0 where the user may not read the object: then nothing is looked up there either."""
    try:
        return await reader.count(*filters)
    except StageError:
        return 0
