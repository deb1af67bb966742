"""How systems that do not answer are shown: since when, what they said last, and who can mend it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pipeline.cli.forms import decoded
from pipeline.cli.output import tell
from pipeline.store.reports import Item


def print_outages(outages: Sequence[Item], now: datetime) -> None:
    """Some lines for each system; nothing when all of them answer."""
    for item in outages:
        since, last, problem = _moment(item["since"]), _moment(item["last_at"]), decoded(item["problem"])
        said = ": ".join(part for part in (problem["what"], problem["why"]) if part)
        tell(f"{item['system']}: not available since {_clock(since, now)}, for {_length(now - since)}", "red")
        tell(f"  tried last at {_clock(last, now)} by the flow {item['flow']}: {said}")
        tell("  nothing is lost: the next run goes on where the last one stopped")
        if problem["mend"]:
            tell(f"  {problem['owner']}: {problem['mend']}")
        tell("")


def outage_json(item: Item) -> dict[str, Any]:
    """A member of ``outages`` in ``mlc.status/1``."""
    return {**item, "problem": decoded(item["problem"])}


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)


def _clock(moment: datetime, now: datetime) -> str:
    """``14:02 UTC``, with the day when it is another."""
    return f"{moment:%H:%M} UTC" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M} UTC"


def _length(length: timedelta) -> str:
    """The two largest units: ``26 min``, ``2 h 5 min``, ``3 d 4 h``."""
    minutes = max(0, round(length / timedelta(minutes=1)))
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if number]
    return " ".join(parts[:2]) or "less than a minute"
