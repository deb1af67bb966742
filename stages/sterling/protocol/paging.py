"""Reading a list to its proven end through ``_range`` windows, without totals, links or cursors, while rows come and go.

Windows overlap by one row, the anchor. When the anchor is not where the next window begins to look, rows before it went
away and others may have been skipped, so the pass starts again. The list has ended when a window brings nothing beyond
its anchor: a short page alone proves nothing, since a server or gateway may cap pages below what was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]

MOST_PASSES = 8
"""A list that shifts under every one of this many passes cannot be read now."""


class Incomplete(Exception):
    """The list could not be read to a proven end. The reason is its text."""


class Listing:
    """The state of one listing. Ask `window`, pass the rows to `take`, until `done`; then `rows` holds each row once.

    ``key`` gives a row's identity. ``pages`` bounds the requests in all. Rows of earlier passes stay in `rows`: a row that has
    been seen was there.
    """

    def __init__(self, key: Callable[[Row], str], *, size: int, pages: int) -> None:
        self._key, self._size, self._pages_left = key, size, pages
        self._start, self._anchor = 0, ""
        self._passes = 1
        self._rows: dict[str, Row] = {}
        self._pass_keys: set[str] = set()
        self.done = False

    @property
    def rows(self) -> list[Row]:
        return list(self._rows.values())

    @property
    def window(self) -> str:
        """The next ``_range``, zero-based and inclusive: ``0-999``, then ``999-1998``."""
        return f"{self._start}-{self._start + self._size - 1}"

    def take(self, rows: Sequence[Row]) -> None:
        """Take the rows of the window just asked for; an empty list stands for 404 too. Raises `Incomplete`."""
        self._pages_left -= 1
        keys = [self._key(row) for row in rows]
        if self._anchor and self._anchor not in keys:
            self._again()
        else:
            self._advance(rows, keys)
        if not self.done and self._pages_left <= 0:
            raise Incomplete("the list is longer than the connection's page_cap allows")

    def _advance(self, rows: Sequence[Row], keys: list[str]) -> None:
        fresh = [key for key in keys if key not in self._pass_keys]
        self._rows.update(zip(keys, rows, strict=True))
        self._pass_keys.update(keys)
        if not fresh:
            self.done = True
            return
        # A server that ignores _range gives all rows at once: the next window then ends the listing, as it brings nothing new.
        self._start += len(rows) - 1
        self._anchor = keys[-1]

    def _again(self) -> None:
        self._passes += 1
        if self._passes > MOST_PASSES:
            raise Incomplete("rows kept moving while the list was read")
        self._start, self._anchor = 0, ""
        self._pass_keys.clear()
