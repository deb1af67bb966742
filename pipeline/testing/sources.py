"""A source over records that a test wrote down."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.record import Page, Record, Window


class ListSource:
    """A `pipeline.Source` that gives these records in this order, ``page_size`` at a time.

    A window's ``keys`` are obeyed; its times are not, since a `Record` has none. The windows it was asked for are in
    ``asked``, the pages it was told are settled in ``settled_pages``. ``records`` may be changed between reads, as
    real systems do.
    """

    def __init__(self, records: Sequence[Record], *, page_size: int = 100) -> None:
        if page_size < 1:
            raise ValueError("page_size must be at least 1")
        self.records = list(records)
        self.asked: list[Window] = []
        self.settled_pages: list[Page] = []
        self._page_size = page_size

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page | None:
        self.asked.append(window)
        wanted = [one for one in self.records if not window.keys or one.key in window.keys or one.former in window.keys]
        start = int(cursor["position"]) if cursor else 0
        records = [one.replace() for one in wanted[start : start + self._page_size]]
        if not records:
            return None
        end = start + len(records)
        return Page(records, {"position": str(end)}, more=end < len(wanted))

    async def settled(self, page: Page) -> None:
        self.settled_pages.append(page)
