"""What the books hold in a window by date, asked apart from reading: counted and added up by Intacct, and listed by RECORDNO."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

from pipeline import ConfigError, DataError, RefusedError, Tally, Window
from stages.intacct.company import IntacctClient
from stages.intacct.protocol import objects, paging
from stages.intacct.protocol.fields import Wish
from stages.intacct.protocol.query import Compare, Filter, Query, after, all_of
from stages.intacct.protocol.responses import Row
from stages.intacct.reader import Reader

_GROUPS = ("CURRENCY", "BASECURR")
_TRANSACTION, _BASE = "TRX_TOTALENTERED", "TOTALENTERED"
_MOST_GROUPS = 1000


class Counting:
    """The records of one object by date. ``wish`` names what the list needs; its totals and currencies are those of bills."""

    def __init__(self, client: IntacctClient, wish: Wish, rules: paging.Rules) -> None:
        self._client = client
        self._object = wish.object
        self._rules = rules
        self._reader = Reader(client, wish)

    async def tally(self, window: Window) -> list[Tally] | None:
        """By currency. None when the gateway cannot say. Records whose total or currency is not known count without an amount."""
        sums: dict[str, tuple[int, Decimal]] = {}
        try:
            for row, field in await self._groups(window):
                currency, amount = self._currency(row, field), _sum(row, field)
                records, total = sums.get(currency, (0, Decimal(0)))
                sums[currency] = (records + _count(row), total + (amount if currency else 0))
        except (ConfigError, RefusedError, ValueError):
            return None
        return [Tally(currency, records, amount) for currency, (records, amount) in sums.items() if records]

    async def _groups(self, window: Window) -> list[tuple[Row, str]]:
        """Rows of counts with the field that was added up: the transaction's total, and where that is empty the base one."""
        known = await self._reader.fields()
        bounds = paging.window_filter(window, self._rules)
        if _TRANSACTION not in known:
            return [(row, _BASE) for row in await self._aggregate(known, _BASE, bounds)]
        filled, empty = Compare("isnotnull", _TRANSACTION), Compare("isnull", _TRANSACTION)
        found = [(row, _TRANSACTION) for row in await self._aggregate(known, _TRANSACTION, bounds, filled)]
        if _BASE in known:
            found += [(row, _BASE) for row in await self._aggregate(known, _BASE, bounds, empty)]
        return found

    async def _aggregate(self, known: Sequence[str], field: str, *filters: Filter | None) -> list[Row]:
        question = Query(
            object=self._object, fields=tuple(group for group in _GROUPS if group in known), counts=(self._rules.key,), sums=(field,),
            filter=all_of(filters), order=(), page_size=_MOST_GROUPS, private=not self._client.config.location_id,
        )  # fmt: skip
        data = await self._client.query(question)
        if data.more:
            raise ValueError("more groups than a page holds")
        return data.rows

    def _currency(self, row: Row, field: str) -> str:
        """As `money` has it: a base total stands in only for a transaction in that currency."""
        currency, base = row.get("CURRENCY"), row.get("BASECURR")
        if field == _BASE and currency not in (None, base):
            return ""
        return currency or base or self._client.config.currency

    async def pages(self, window: Window) -> AsyncIterator[list[Row]]:
        """The rows of the window, each once. Raises as `IntacctClient.query`."""
        bounds, last, more = paging.window_filter(window, self._rules), None, True
        while more:
            behind = None if last is None else after(self._rules.key, last)
            page = await self._reader.page(all_of([bounds, behind]), (self._rules.key,))
            yield page.rows
            more = page.more
            last = page.rows[-1].get(self._rules.key) if page.rows else last

    def money(self, row: Row) -> tuple[Decimal | None, str]:
        """Of a row of `pages`: see the function of that name."""
        return money(self._reader, row)


def money(reader: Reader, row: Row) -> tuple[Decimal | None, str]:
    """The total and the currency of a row of this reader; neither when one of them is not known."""
    if not row:
        return None, ""
    try:
        header = reader.source(row, objects.MONEY)
        total = objects.bill_total(header)
    except DataError:
        return None, ""
    currency = objects.bill_currency(header, reader.client.config.currency)
    return (total, currency) if currency else (None, "")


def _count(row: Row) -> int:
    text = next((text for name, text in row.items() if name.startswith("COUNT")), None)
    if text is None or not text.isascii() or not text.isdigit():
        raise ValueError("the reply holds no count")
    return int(text)


def _sum(row: Row, field: str) -> Decimal:
    """Replies name a sum by its field, or by that behind ``SUM.``. A sum over nothing is empty."""
    text = row.get(f"SUM.{field}") or row.get(field)
    return Decimal(0) if text is None else objects.amount(text)
