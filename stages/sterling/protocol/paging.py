"""Reading a list to its proven end through ``_range`` windows, without totals, links or cursors, while rows come and go.

Windows overlap by a few rows, by more where rows go away. What stays in the list keeps its order, so that a window which holds any row that was seen before has
nothing unseen in front of it. One that holds none was reached over rows that went away, and others may have been skipped: the reading
steps back, further each time, until a window holds a known row or is the first. So other readers may take rows all the while, and no
window is read in vain. The list has ended when a window holds fewer rows than one before it, all of which were in that one: so many
could have come. A short page alone proves nothing, since a server or gateway may cap pages below what was asked.

Where the list ends tells how long it is. Fewer rows than that were seen when rows were put in front meanwhile, or when the server has no order that
stays: then the list is read once more, until as many were seen. So a list from which nothing goes away meanwhile is never taken for complete while a row
is missing, in whatever order each window comes. Where rows go away and the order changes unseen as well, nothing proves it.

A list to which rows are added as fast as it is read has no such end. A reader that comes again needs none: a window from a little further
on that is empty is a fence, and in front of it is all that was there by then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline import ConfigError, RefusedError
from stages.sterling.protocol.errors import NotOfferedError

Row = Mapping[str, Any]

LEAST_OVERLAP = 8
"""Rows that two windows share: enough to see that the list keeps its order."""

SMALLEST_STEP_BACK = 16
"""Rows: more than go away between two requests to most hubs, and few enough that the window is nearly all new."""

FENCE = 16
"""Rows beyond what was read at which an empty window is looked for first, and soon read; twice as far each time that there are rows."""

MANY_WINDOWS = 8
"""After so many windows a fence is looked for in any case."""

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

    ``key`` gives a row's identity, ``size`` is the rows of a window (at least 2; it may be changed between two windows), ``pages`` bounds the requests in all. A row
    that went away while the list was read stays in `rows`: it was there. ``fenced`` ends at a fence: for those who read again, since a row in
    front of which others are put meanwhile may be left to that.
    """

    def __init__(self, key: Callable[[Row], str], *, size: int, pages: int, fenced: bool = False) -> None:
        self._key, self.size, self._pages_left, self._fenced = key, size, pages, fenced
        self._rows: dict[str, Row] = {}
        self._known: set[str] = set()  # rows in front of which nothing is unseen; of a window that was given up, none
        self._page: dict[str, None] = {}  # the last one that was taken, in its order
        self._overlap = self._least_overlap
        self._start, self._back = 0, 0
        self._probe: int | None = None  # a place beyond the list, perhaps: the next window
        self._fence: int | None = None  # the list was no longer than this
        self._read_to, self._ahead = 0, FENCE  # rows in front of here are read; how far ahead a fence is looked for
        self._windows = 0
        self._front = ""  # its first row at first
        self._emptied: tuple[int, int] | None = None
        self._length: int | None = None  # of the list, where it was found to end first
        self.done = False

    @property
    def _least_overlap(self) -> int:
        return max(1, min(LEAST_OVERLAP, self.size // 2))

    @property
    def rows(self) -> list[Row]:
        return list(self._rows.values())

    @property
    def window(self) -> str:
        """The next ``_range``, zero-based and inclusive: ``0-999``, then ``999-1998``."""
        first = self._start if self._probe is None else self._probe
        return f"{first}-{first + self.size - 1}"

    def take(self, rows: Sequence[Row]) -> None:
        """Take the rows of the window just asked for; an empty list stands for 404 too. Raises `Incomplete`."""
        self._pages_left -= 1
        page = {self._key(row): row for row in rows}
        keys = list(page)
        self._same_order(keys)
        known = not self._known.isdisjoint(keys)
        self._rows.update(page)
        if self._probe is not None:
            self._probed(self._probe, keys)
        elif self._start and not known:
            self._step_back(keys)
        elif not keys or self._is_end(page):
            self._end(self._start + len(keys))
        else:
            self._advance(keys)
            if self._fence is not None and self._read_to >= self._fence:
                self._end(self._read_to)
        if self._length is not None and len(self._rows) >= self._length:
            self.done = True
        if not self.done and self._pages_left <= 0:
            raise Incomplete(
                "the list is longer than the connection's page_cap allows, or rows kept moving while it was read"
            )

    def _same_order(self, keys: list[str]) -> None:
        """Windows of a list that is in another order each time prove nothing: a row may have moved in front of where we are."""
        now = [key for key in keys if key in self._page]
        there = set(now)
        if now != [key for key in self._page if key in there]:
            raise Incomplete("rows changed their places while the list was read")

    def _is_end(self, page: Mapping[str, Row]) -> bool:
        fewer = len(page) < min(len(self._page), self.size) or len(page) == 1
        return fewer and page.keys() <= self._page.keys()

    def _end(self, length: int) -> None:
        """Done when as many rows were seen as the list was long; else it is read once more."""
        again, self._length = self._length is None, self._length if self._length is not None else length
        if len(self._rows) >= self._length:
            self.done = True
        elif again:
            self._page, self._overlap, self._emptied = {}, self._least_overlap, None
            self._start = self._back = self._windows = self._read_to = 0
            self._fence = None
        else:
            self._probe = FAR  # whoever heeds no windows seems to have more

    def _probed(self, place: int, keys: list[str]) -> None:
        """A window beyond the list, perhaps. From a server that heeds no windows it is the list."""
        self._probe = None
        if place == FAR:
            self.done = bool(keys)
            if self._length is not None and not keys:
                raise Incomplete("it has more rows than it shows: they change their places while it is read")
        elif keys:
            self._ahead *= 2
            self._probe = min(self._read_to + self._ahead, FAR)
        else:
            self._fence = place

    def _advance(self, keys: list[str]) -> None:
        # The same page for another window, or all of it once more: does the server heed windows at all?
        again = not self._back and (list(self._page) == keys or self._begins_anew(keys))
        new = sum(key not in self._known for key in keys)
        self._windows += 1
        slow = self._start > 0 and (2 * new < len(keys) or self._windows >= MANY_WINDOWS)
        self._read_to = max(self._read_to, self._start + len(keys))
        self._front = self._front or keys[0]
        self._page, self._back = dict.fromkeys(keys), 0
        self._known.update(keys)
        self._start += max(1, len(keys) - self._overlap)
        if again:
            self._probe = FAR
        elif self._fenced and self._fence is None and slow:
            self._probe = self._read_to + self._ahead

    def _begins_anew(self, keys: list[str]) -> bool:
        return self._start > 0 and keys[0] == self._front and self._page.keys() <= set(keys)

    def _step_back(self, keys: list[str]) -> None:
        """Ask again from further in front, unless the server only ever answers its first window.

        An empty window means that the list has become shorter. When the same place is empty again, and nothing new was seen in between,
        the list is fine and the server's windows are not.
        """
        if not keys and not self._back:
            place = (self._start, len(self._known))
            if self._emptied == place:
                self._end(self._read_to)
                return
            self._emptied = place
        self._back = max(2 * self._back, min(SMALLEST_STEP_BACK, self.size - 1))
        self._start = max(0, self._start - self._back)
        self._overlap = max(
            self._least_overlap, min(self._back, self.size // 2)
        )  # as many may go away before the next request
