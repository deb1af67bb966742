"""Reading a list to its proven end through ``_range`` windows, without totals, links or cursors, while rows come and go.

Windows overlap by one row, the anchor. When the anchor is not in the next window, rows before it went away and others may have
been skipped, so the pass starts again. The list has ended when a window holds its anchor and nothing else: a short page alone
proves nothing, since a server or gateway may cap pages below what was asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline import ConfigError, RefusedError
from stages.sterling.protocol.errors import NotOfferedError

Row = Mapping[str, Any]

MOST_PASSES = 8
"""A list that shifts under every one of this many passes cannot be read now."""

FAR = 1_000_000_000
"""A window no list reaches: a server that answers it with rows heeds no windows and gives the whole list each time."""


SMALLEST_WINDOW = 2
"""Rows: the anchor and one more."""

_LIMIT = re.compile(r"(?:than|maximum|max|limit|most|exceed\w*|up to)\D{0,30}(\d{1,6})", re.IGNORECASE)


def smaller_window(size: int, refused: RefusedError, path: str) -> int:
    """The window to ask for after this one was refused: the largest that the server names, else half.

    Servers word it differently, so that any refusal of a list is taken for one of its window, until the smallest is refused too.
    Raises `ConfigError` then, and the refusal itself where the server has no such list.
    """
    if isinstance(refused, NotOfferedError):
        raise refused
    named = [int(number) for number in _LIMIT.findall(refused.why) if SMALLEST_WINDOW <= int(number) < size]
    if size > SMALLEST_WINDOW:
        return max(named, default=max(SMALLEST_WINDOW, size // 2))
    raise ConfigError(
        "Sterling refuses to list, however few rows it is asked for",
        where=f"{path}, the connection's `window`",
        why=refused.why,
        mend="Mend what Sterling's text names; if it names a number of rows, set `window` to that.",
        code="MLC-STL-0340",
    )


class Incomplete(Exception):
    """The list could not be read to a proven end. The reason is its text."""


class Listing:
    """The state of one listing. Ask `window`, pass the rows to `take`, until `done`; then `rows` holds each row once.

    ``key`` gives a row's identity, ``size`` is the rows of a window (at least 2; it may be changed between two windows), ``pages`` bounds the requests in all. Rows of
    earlier passes stay in `rows`: a row that has been seen was there.
    """

    def __init__(self, key: Callable[[Row], str], *, size: int, pages: int) -> None:
        self._key, self.size, self._pages_left = key, size, pages
        self._rows: dict[str, Row] = {}
        self._passes = 0
        self._vanished: set[str] | None = None
        self._page: list[str] = []
        self._seen: set[str] = set()
        self._start, self._anchor, self._probing = 0, "", False
        self.done = False

    @property
    def rows(self) -> list[Row]:
        return list(self._rows.values())

    @property
    def window(self) -> str:
        """The next ``_range``, zero-based and inclusive: ``0-999``, then ``999-1998``."""
        first = FAR if self._probing else self._start
        return f"{first}-{first + self.size - 1}"

    def take(self, rows: Sequence[Row]) -> None:
        """Take the rows of the window just asked for; an empty list stands for 404 too. Raises `Incomplete`."""
        self._pages_left -= 1
        page = {self._key(row): row for row in rows}
        keys = list(page)
        self._rows.update(page)
        if self._probing:
            self._probing, self.done = False, bool(keys)
        elif self._anchor and self._anchor not in keys:
            self._lost_anchor(keys)
        elif not keys or keys == [self._anchor]:
            self.done = True
        else:
            self._advance(keys)
        if not self.done and self._pages_left <= 0:
            raise Incomplete("the list is longer than the connection's page_cap allows")

    def _advance(self, keys: list[str]) -> None:
        self._probing = keys == self._page  # the same page for another window: does the server heed windows at all?
        self._page, self._anchor = keys, keys[-1]
        self._start += len(keys) - 1
        self._seen.update(keys)

    def _lost_anchor(self, keys: list[str]) -> None:
        """Start again, unless the server only ever answers its first window.

        An empty window where ``n`` rows were just read means that one of them is gone. Rows do not come back, so reading the same
        ``n`` rows and the same emptiness again shows that the list is fine and the server's windows are not.
        """
        if not keys and len(self._seen) == self._start + 1:
            if self._vanished == self._seen:
                self.done = True
                return
            self._vanished = self._seen
        self._passes += 1
        if self._passes >= MOST_PASSES:
            raise Incomplete("rows kept moving while the list was read")
        self._start, self._anchor = 0, ""
        self._page, self._seen = [], set()
