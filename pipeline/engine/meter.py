"""Counting the calls that a far side bills or limits: kept in the ledger by account and day, told with a forecast to the month's end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import msgspec

from pipeline.stage import Allowance, Metered
from pipeline.store.ledger import Ledger

PACE_DAYS = 7
"""A forecast goes on at the pace of so many days, today included."""
Level = Literal["ok", "near", "over"]


MOST_UNSAVED = 10
"""A kill loses the count of fewer calls than this; a commit for each call would cost more than the call is worth."""


class Meters:
    """Saves what the clients of one run (0: of none) have used. Calls since the last `save` are lost by a kill, never counted twice.

    Without a ledger nothing is saved.
    """

    def __init__(self, run: int = 0, ledger: Ledger | None = None) -> None:
        self._run = run
        self._ledger = ledger
        self._saved: list[tuple[Metered, int]] = []
        self.used: dict[str, int] = {}

    def watch(self, client: Any) -> None:
        """From now on the client's calls are counted, if they are such calls."""
        if isinstance(client, Metered):
            self._saved.append((client, 0))

    @property
    def unsaved(self) -> int:
        """How many calls would be lost by a kill now."""
        return sum(client.used - saved for client, saved in self._saved)

    async def spent(self) -> None:
        """A client has counted a call and is about to make it: saves when enough have come together."""
        if self.unsaved >= MOST_UNSAVED:
            await self.save()

    async def save(self) -> None:
        """Makes durable what was used since the last time, less what was taken back."""
        if self._ledger is None:
            return
        for place, (client, saved) in enumerate(self._saved):
            new, account = client.used - saved, client.allowance
            if not new:
                continue
            self._saved[place] = (client, client.used)
            self.used[account.account] = self.used.get(account.account, 0) + new
            await self._ledger.count_calls(self._run, account, new)


class Gauge(msgspec.Struct, frozen=True, kw_only=True):
    """An account this month: what it has used, what is paid for, and where the pace of the last days leads."""

    allowance: Allowance
    month: date  # its first day
    used: int
    forecast: int
    run: int = 0  # the last that called it, and its calls
    run_used: int = 0

    @property
    def level(self) -> Level:
        """``over``: the forecast is more than what is paid for; ``near``: it reaches the part at which people are told."""
        paid = self.allowance.calls
        if not paid or self.forecast * 100 < paid * self.allowance.warn_percent:
            return "ok"
        return "over" if self.forecast > paid else "near"


async def gauges(ledger: Ledger, now: datetime) -> list[Gauge]:
    """Every account whose calls have been counted, by name. Months and days are those of UTC."""
    today = now.astimezone(UTC).date()
    first = today.replace(day=1)
    days = await ledger.reports.calls_by_day(min(first, today - timedelta(days=PACE_DAYS - 1)))
    last = await ledger.reports.calls_of_last_run()
    found = []
    for account in await ledger.reports.accounts():
        of_account = days.get(account.account, {})
        run, run_used = last.get(account.account, (0, 0))
        used = sum(calls for day, calls in of_account.items() if day >= first)
        found.append(
            Gauge(
                allowance=account, month=first, used=used, run=run, run_used=run_used,
                forecast=used + expected(of_account, now),
            )
        )  # fmt: skip
    return found


def expected(days: Mapping[date, int], now: datetime) -> int:
    """How many calls the rest of the month brings at the pace of the last days; less than a day of them counts as one."""
    now = now.astimezone(UTC)
    recent = {day: calls for day, calls in days.items() if day > now.date() - timedelta(days=PACE_DAYS)}
    if not recent:
        return 0
    began = datetime.combine(min(recent), datetime.min.time(), UTC)
    pace = sum(recent.values()) / max(1.0, (now - began) / timedelta(days=1))
    next_month = (now.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return round(pace * ((next_month - now) / timedelta(days=1)))
