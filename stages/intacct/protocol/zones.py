"""Which zone the times of the API user's profile are in, as far as the records themselves tell. Pure.

The gateway writes times without a zone. Of a record that nobody has edited, the time of change is the time of creation; recorded
replies show the one on the profile's clock and the other (AUWHENCREATED) in UTC. So what lies between them is the zone's offset, for
the records that were never edited; for all others it is more. One record proves nothing: `_ENOUGH` must agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from pipeline import ConfigError
from stages.intacct.protocol.responses import Row
from stages.intacct.protocol.times import read_wall, to_wall

Pair = tuple[datetime, datetime]
"""When a record was made, in UTC, and when it was changed, on the profile's clock; both naive."""

ASKED = 200
"""How many of the newest records are looked at."""
_ENOUGH = 3
_STEP = timedelta(minutes=15)  # offsets of zones are multiples of it
_BEFORE, _AFTER = timedelta(seconds=5), timedelta(seconds=60)  # how far the two times of one save may lie apart
_WESTERNMOST, _EASTERNMOST = timedelta(hours=-12), timedelta(hours=14)
_HOUR = timedelta(hours=1)
_TOLERATED = timedelta(minutes=5)


def pairs(rows: Iterable[Row], created: str, stamp: str) -> list[Pair]:
    """The two times of each row that has both, as times."""
    found = []
    for row in rows:
        made, changed = row.get(created) or "", row.get(stamp) or ""
        if ":" in made and ":" in changed:  # some objects have a date there
            try:
                found.append((read_wall(made, UTC), read_wall(changed, UTC)))
            except ValueError:
                continue
    return found


def measured(pairs: Sequence[Pair]) -> timedelta | None:
    """The profile's offset from UTC; None when the records do not tell, or tell of two, an hour apart, as in a zone with summer time."""
    between = sorted(changed - made for made, changed in pairs)
    offset = _agreed(between)
    if offset is None or not _WESTERNMOST <= offset <= _EASTERNMOST:
        return None
    return None if _agreeing(between, offset + _HOUR) >= _ENOUGH else offset


def westernmost(pairs: Iterable[Pair]) -> tzinfo | None:
    """The zone of the least offset that enough records tell: in a zone with summer time its winter's. None when they tell none."""
    offset = _agreed(sorted(changed - made for made, changed in pairs))
    return timezone(offset) if offset is not None and _WESTERNMOST <= offset <= _EASTERNMOST else None


def _agreed(between: Sequence[timedelta]) -> timedelta | None:
    """What enough of the least of these lengths are, to a minute; they come sorted."""
    if not between:
        return None
    offset = _STEP * round((between[0] - _AFTER / 2) / _STEP)
    return offset if _agreeing(between, offset) >= _ENOUGH else None


def _agreeing(between: Sequence[timedelta], offset: timedelta) -> int:
    return sum(offset - _BEFORE <= each <= offset + _AFTER for each in between)


def contradicted(zone: tzinfo, pairs: Sequence[Pair]) -> timedelta | None:
    """How long after they were made records were changed, if the profile's zone were this one, and cannot have been; None when they can.

    Less than nothing: enough of them before they were made. More: all of them later, and enough of them by the same whole number of
    quarters of an hour, to a minute; when people edit records, they do not keep such time.
    """
    between = sorted(changed - to_wall(made.replace(tzinfo=UTC), zone) for made, changed in pairs)
    if len(between) >= _ENOUGH and between[_ENOUGH - 1] < -_TOLERATED:
        return between[0]
    late = _agreed(between)
    return late if late is not None and late > timedelta() else None


def window_zone(configured: tzinfo | None, pairs: Sequence[Pair], where: str) -> tzinfo:
    """The zone to read a window of times in. Raises `ConfigError` when it is not known, or cannot be the one that was configured."""
    if configured is not None:
        apart = contradicted(configured, pairs)
        if apart is not None:
            raise _contradiction(configured, apart, where)
        return configured
    offset = measured(pairs)
    if offset is None:
        raise _unknown(where)
    return timezone(offset)


def _contradiction(zone: tzinfo, apart: timedelta, where: str) -> ConfigError:
    if apart < timedelta():
        told = f"there its newest records were changed up to {spoken(apart)} before they were made"
    else:
        told = f"there {_ENOUGH} or more of its newest records were changed exactly {spoken(apart)} after they were made, and none sooner"
    return ConfigError(
        f"Intacct's times are not those of {zone}", where=where, why=f"{told}; a window by modification would leave records out",
        mend=_MEND, code="MLC-INTACCT-0505",
    )  # fmt: skip


def _unknown(where: str) -> ConfigError:
    return ConfigError(
        "it is not known in which zone Intacct shows us times", where=where,
        why="the connection sets no `timezone`, and the newest records do not tell; a window by modification would leave records out",
        mend=_MEND, code="MLC-INTACCT-0504",
    )  # fmt: skip


_MEND = (
    "set the connection's `timezone` (INTACCT_TIMEZONE) to the zone of the API user's profile, such as America/New_York"
)


def spoken(length: timedelta) -> str:
    """A length of time in words: ``7 h``, ``5 h 30 min``."""
    hours, minutes = divmod(round(abs(length) / timedelta(minutes=1)), 60)
    return " ".join(
        part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes or not hours else "") if part
    )
