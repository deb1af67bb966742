"""How far a read has come, and what to ask next. Pure: a position and a window give a filter; rows give the next position.

A live read has two phases. *modified*: by (WHENMODIFIED, RECORDNO), always strictly beyond the last pair, so that neither equal seconds nor
rows moving under the read lose anything. *unstamped*: the records without WHENMODIFIED, by RECORDNO. Windows by date have one
phase, *dated*, by RECORDNO.

A stamp is taken when someone saves, and its row is seen when the save commits: rows appear behind a read. So the next live read begins
earlier than the last one ended. Its mark is the newest stamp read, but no later than the server's clock at the beginning of the read (a
stamp from the future must not carry the mark along), less ``lag``. From there it goes back ``overlap``, and once every ``look_back_every``
as far as ``look_back``: a sweep, for what appeared later than the overlap reaches. Repeats cost a query and change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Literal, get_args

import msgspec

from pipeline import ConfigError, Window
from stages.intacct.protocol.query import Compare, Filter, after, all_of, beyond
from stages.intacct.protocol.responses import Row
from stages.intacct.protocol.times import (
    earlier,
    first_wall,
    last_wall,
    read_wall,
    step_back,
    to_wall,
    write_date,
    write_wall,
)

Phase = Literal["modified", "unstamped", "dated"]
_MOMENTS = ("modified", "begun", "swept")
STAMP = "WHENMODIFIED"
KEY = "RECORDNO"


WESTERNMOST = timezone(timedelta(hours=-12))
"""Where clocks are furthest behind: no stamp of now is earlier than theirs."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What paging must know of an object: its date fields by ``Window.by``, and when a record was made (for unstamped ones).

    ``stamp`` and ``key`` are the pair it is ordered by; ``unstamped`` says whether rows without a stamp count. ``zone`` is that of the
    stamps, None when it is not known: then only a sweep finds what an hour repeated in autumn hides, and ``told``, the zone that the records
    tell, is what bounds the mark. Without that too the mark stays behind the clocks of all zones, and each read repeats half a day or more.
    """

    object: str
    dates: dict[str, str] = {}
    created: str = ""
    stamp: str = STAMP
    key: str = KEY
    unstamped: bool = True
    lag: timedelta = timedelta(minutes=1)
    overlap: timedelta = timedelta(minutes=10)
    look_back: timedelta = timedelta(days=1)
    look_back_every: timedelta = timedelta(hours=12)
    zone: tzinfo | None = UTC
    told: tzinfo | None = None


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """``modified`` is the highest stamp seen; ``record`` the last RECORDNO of this phase, None before the first page.

    ``begun`` is when this read began, ``swept`` when the last sweep did, both by the server's clock.
    """

    phase: Phase
    modified: datetime | None = None
    record: int | None = None
    done: bool = False
    begun: datetime | None = None
    swept: datetime | None = None

    def cursor(self) -> dict[str, str]:
        """As the ledger keeps it: texts only."""
        texts: dict[str, str] = {"phase": self.phase}
        for name in _MOMENTS:
            if (moment := getattr(self, name)) is not None:
                texts[name] = moment.isoformat()
        if self.record is not None:
            texts["record"] = str(self.record)
        return texts | ({"done": "1"} if self.done else {})


def position(cursor: dict[str, str] | None, window: Window, rules: Rules, now: datetime) -> Position:
    """Where to go on. The cursor of a finished read begins the next one, further back; any other goes on where it stopped.

    ``now`` is the server's time.
    """
    if not cursor:
        return Position(phase="modified" if window.by == "modified" else "dated", begun=now, swept=now)
    place = _read_position(cursor, rules)
    return _next_read(place, rules, now) if place.done and place.phase != "dated" else place


def _next_read(place: Position, rules: Rules, now: datetime) -> Position:
    sweeping = place.swept is None or not timedelta() <= now - place.swept < rules.look_back_every
    back = rules.look_back if sweeping else rules.overlap
    begin = None if place.modified is None else step_back(_mark(place.modified, place.begun, rules), back, rules.zone)
    return Position(phase="modified", modified=begin, begun=now, swept=now if sweeping else place.swept)


def _mark(newest: datetime, begun: datetime | None, rules: Rules) -> datetime:
    """How far a finished read is trusted, given the newest stamp it met. A stamp from the future carries it no further than its clock."""
    if begun is not None:
        newest = min(newest, to_wall(begun, rules.zone or rules.told or WESTERNMOST))
    return earlier(newest, rules.lag)


def _read_position(cursor: dict[str, str], rules: Rules) -> Position:
    try:
        moments = {name: datetime.fromisoformat(cursor[name]) for name in _MOMENTS if cursor.get(name)}
        record = int(cursor["record"]) if cursor.get("record") else None
        return Position(phase=_phase(cursor["phase"]), record=record, done=bool(cursor.get("done")), **moments)
    except (KeyError, ValueError):
        raise ConfigError(
            "the stored cursor cannot be read",
            where=f"the cursor of {rules.object}",
            why="it was written by another version, or by another source under the same stage name",
            mend="name the stage differently, or reset its cursor; what was sent before is not sent again",
            code="MLC-INTACCT-0502",
        ) from None


def _phase(text: str) -> Phase:
    phases: dict[str, Phase] = {phase: phase for phase in get_args(Phase)}
    return phases[text]


def page_filter(place: Position, window: Window, rules: Rules) -> tuple[Filter | None, tuple[str, ...]]:
    """The filter and the order of the page behind ``place``."""
    record = None if place.record is None else after(rules.key, str(place.record))
    if place.phase == "dated":
        return all_of([*_date_bounds(window, rules), record]), (rules.key,)
    if place.phase == "unstamped":
        made = _stamp_bounds(rules.created, window, rules) if rules.created else []
        return all_of([Compare("isnull", rules.stamp), *made, record]), (rules.key,)
    return all_of([_modified_from(place, rules), *_stamp_bounds(rules.stamp, window, rules)]), (rules.stamp, rules.key)


def _modified_from(place: Position, rules: Rules) -> Filter:
    if place.modified is None:
        return Compare("isnotnull", rules.stamp)
    if place.record is None:
        return Compare("greaterthanorequalto", rules.stamp, (write_wall(place.modified),))
    return beyond(rules.stamp, write_wall(place.modified), rules.key, str(place.record))


def _stamp_bounds(field: str, window: Window, rules: Rules) -> list[Filter]:
    assert rules.zone is not None or window.live, "a window by times needs to know whose they are"
    zone = rules.zone or UTC
    bounds: list[Filter] = []
    if window.since is not None:
        bounds.append(Compare("greaterthanorequalto", field, (write_wall(first_wall(window.since, zone)),)))
    if window.until is not None:
        bounds.append(Compare("lessthan", field, (write_wall(last_wall(window.until, zone)),)))
    return bounds


def window_filter(window: Window, rules: Rules) -> Filter | None:
    """All records of a window by date. Raises `ConfigError` when these have no such date."""
    return all_of(_date_bounds(window, rules))


def _date_bounds(window: Window, rules: Rules) -> list[Filter]:
    """A date counts as its midnight: neighbouring windows share no day and leave none out."""
    field = rules.dates.get(window.by)
    if field is None:
        raise ConfigError(
            f"{rules.object} cannot be read by {window.by}",
            where=f"the window of {rules.object}",
            why="these records have no such date",
            mend=f"use one of: {', '.join(['modified', *rules.dates])}",
            code="MLC-INTACCT-0503",
        )
    bounds: list[Filter] = []
    if window.since is not None:
        bounds.append(Compare("greaterthanorequalto", field, (write_date(_day(window.since)),)))
    if window.until is not None:
        bounds.append(Compare("lessthan", field, (write_date(_day(window.until)),)))
    return bounds or [Compare("isnotnull", field)]


def _day(moment: datetime) -> date:
    """The first date whose midnight is not before ``moment``."""
    moment = moment.astimezone(UTC)
    return moment.date() + timedelta(days=0 if moment.time() == time() else 1)


def advance(place: Position, rows: Sequence[Row], more: bool, rules: Rules) -> tuple[Position, bool]:
    """The position behind these rows, and whether there is anything more to read (in this phase or the next).

    Raises `ConfigError` when the rows are not in the order asked for, since going on would lose records, or never end.
    """
    last = _last(place, rows, rules)
    if more and last == place:
        raise _disorder(rules, "a page that should have moved on did not")
    if more:
        return last, True
    if place.phase == "modified" and rules.unstamped:
        return msgspec.structs.replace(last, phase="unstamped", record=None), True
    return msgspec.structs.replace(last, done=True), False


def _last(place: Position, rows: Sequence[Row], rules: Rules) -> Position:
    for row in rows:
        there = _place_of(row, place, rules)
        if not _in_order(place, there):
            raise _disorder(rules, f"record {there.record} came behind record {place.record}")
        place = there
    return place


def _place_of(row: Row, place: Position, rules: Rules) -> Position:
    number = row.get(rules.key) or ""
    if not (number.isascii() and number.isdigit()):
        raise _disorder(rules, f"a record has {number[:30]!r} as its {rules.key}")
    if place.phase != "modified":
        return msgspec.structs.replace(place, record=int(number))
    try:
        stamp = read_wall(row.get(rules.stamp) or "", rules.zone or UTC)
    except ValueError:
        shown = (row.get(rules.stamp) or "")[:30]
        raise _disorder(rules, f"record {number} has {shown!r} as its {rules.stamp}") from None
    return msgspec.structs.replace(place, modified=stamp, record=int(number))


def _in_order(before: Position, there: Position) -> bool:
    if before.phase != "modified":
        return before.record is None or (there.record or 0) >= before.record
    if before.modified is None or there.modified is None:
        return True
    return (there.modified, there.record or 0) >= (before.modified, before.record or 0)


def _disorder(rules: Rules, detail: str) -> ConfigError:
    return ConfigError(
        f"Intacct's {rules.object} records did not come in the order asked for",
        where=f"query of {rules.object}, ordered by {rules.stamp} and {rules.key}",
        why=f"{detail}; going on would lose records",
        mend="give the API user's profile the US date format and a 24-hour clock; if they have it already, report this",
        code="MLC-INTACCT-0501",
    )
