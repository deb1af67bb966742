"""The gateway's dates and timestamps: US order, no zone. Reading is lenient in form and strict in meaning; writing has one form.

A timestamp here is a *wall time*: a naive datetime on the clock of the API user's profile, to the second.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo

_US = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_TIME = re.compile(r"[ T]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([AaPp][Mm])?(Z|[+-]\d{2}:?\d{2})?")


def read_date(text: str) -> date:
    """The date of ``MM/DD/YYYY`` or ``YYYY-MM-DD``; a time behind it is ignored. Raises ValueError."""
    day, _ = _split(text)
    return day


def read_wall(text: str, zone: tzinfo) -> datetime:
    """The wall time of ``MM/DD/YYYY HH:MM:SS`` (also ISO, also 12-hour). A time with an offset is moved to ``zone``. Raises ValueError."""
    day, rest = _split(text)
    if not rest.strip():
        return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - wall time by definition
    match = _TIME.fullmatch(rest.rstrip())
    if match is None:
        raise ValueError(f"{text!r} is not a time")
    hour, minute, second, half, offset = match.groups()
    clock = _hour(int(hour), half)
    wall = datetime(day.year, day.month, day.day, clock, int(minute), int(second or 0))  # noqa: DTZ001
    if offset is None:
        return wall
    aware = datetime.fromisoformat(wall.isoformat() + offset.replace("Z", "+00:00"))
    return to_wall(aware, zone)


def write_wall(wall: datetime) -> str:
    """As the gateway writes it: ``02/28/2026 23:50:00``."""
    return wall.strftime("%m/%d/%Y %H:%M:%S") if wall.year >= 1000 else "01/01/1000 00:00:00"


def write_date(day: date) -> str:
    """As the gateway writes it: ``02/28/2026``."""
    return day.strftime("%m/%d/%Y")


def to_wall(moment: datetime, zone: tzinfo) -> datetime:
    """An aware time on the clock of ``zone``, rounded up to the second (bounds are inclusive below and exclusive above)."""
    local = moment.astimezone(zone).replace(tzinfo=None)
    return local.replace(microsecond=0) + timedelta(seconds=1 if local.microsecond else 0)


def first_wall(moment: datetime, zone: tzinfo) -> datetime:
    """The earliest wall time that ``moment`` or anything after it shows: in the first of two repeated hours, what comes in the second."""
    wall = to_wall(moment, zone)
    return wall - _repeat(wall, zone) if moment.astimezone(zone).fold == 0 else wall


def last_wall(moment: datetime, zone: tzinfo) -> datetime:
    """What no moment before it shows: in the second of two repeated hours, what came in the first is later."""
    wall = to_wall(moment, zone)
    return wall + _repeat(wall, zone) if moment.astimezone(zone).fold == 1 else wall


def earlier(wall: datetime, length: timedelta) -> datetime:
    """So much earlier, or the beginning of time."""
    return wall - length if wall - datetime.min > length else datetime.min  # noqa: DTZ901 - wall time by definition


def step_back(wall: datetime, overlap: timedelta, zone: tzinfo | None) -> datetime:
    """Where the next live read begins: ``overlap`` earlier, and a whole repeated hour earlier when the clock may since have been put back.

    In autumn 01:10 comes twice. A row saved in the second 01:10 sorts before a cursor of the first 01:50, so plain overlap loses it.
    Without a zone nothing is known of such hours.
    """
    begin = earlier(wall, overlap)
    return begin if zone is None else begin - max(_repeat(wall, zone), _repeat(begin, zone))


def _repeat(wall: datetime, zone: tzinfo) -> timedelta:
    first, second = (wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return max(first - second, timedelta())


def _split(text: str) -> tuple[date, str]:
    text = text.strip()
    if match := _US.match(text):
        month, day, year = (int(part) for part in match.groups())
    elif match := _ISO.match(text):
        year, month, day = (int(part) for part in match.groups())
    else:
        raise ValueError(f"{text!r} is not a date")
    rest = text[match.end() :]
    if rest and rest[0] not in " T":
        raise ValueError(f"{text!r} is not a date")
    return date(year, month, day), rest


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(f"{hour} {half} is not an hour")
    return hour % 12 + (12 if half.lower() == "pm" else 0)
