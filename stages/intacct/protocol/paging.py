"""How far a read has come, and what to ask next. Pure: a position and a window give a filter; rows give the next position.

A live read has two phases. *modified*: by (WHENMODIFIED, RECORDNO), always strictly beyond the last pair, so that neither equal seconds nor
rows moving under the read lose anything. *unstamped*: the records without WHENMODIFIED, by RECORDNO. Windows by date have one
phase, *dated*, by RECORDNO. The next live read begins ``overlap`` before the last stamp seen; all stamps are the data's own, so
no clock is compared with another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

from pipeline import ConfigError, Window
from stages.intacct.protocol.query import Compare, Filter, after, all_of, beyond
from stages.intacct.protocol.responses import Row
from stages.intacct.protocol.times import read_wall, step_back, to_wall, write_date, write_wall

Phase = Literal["modified", "unstamped", "dated"]
STAMP = "WHENMODIFIED"
KEY = "RECORDNO"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What paging must know of an object: its date fields by ``Window.by``, and when a record was made (for unstamped ones)."""

    object: str
    dates: dict[str, str]
    created: str = ""
    overlap: timedelta = timedelta(minutes=10)
    zone: ZoneInfo = ZoneInfo("UTC")


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """``modified`` is the highest stamp seen; ``record`` the last RECORDNO of this phase, None before the first page."""

    phase: Phase
    modified: datetime | None = None
    record: int | None = None
    done: bool = False

    def cursor(self) -> dict[str, str]:
        """As the ledger keeps it: texts only."""
        texts: dict[str, str] = {"phase": self.phase}
        if self.modified is not None:
            texts["modified"] = self.modified.isoformat()
        if self.record is not None:
            texts["record"] = str(self.record)
        return texts | ({"done": "1"} if self.done else {})


def position(cursor: dict[str, str] | None, window: Window, rules: Rules) -> Position:
    """Where to go on. The cursor of a finished read begins the next one, with overlap; any other goes on where it stopped."""
    first: Phase = "modified" if window.by == "modified" else "dated"
    if not cursor:
        return Position(phase=first)
    try:
        modified = datetime.fromisoformat(cursor["modified"]) if cursor.get("modified") else None
        record = int(cursor["record"]) if cursor.get("record") else None
        phase = _phase(cursor["phase"])
    except (KeyError, ValueError):
        raise ConfigError(
            "the stored cursor cannot be read",
            where=f"the cursor of {rules.object}",
            why="it was written by another version, or by another source under the same stage name",
            mend="name the stage differently, or reset its cursor; what was sent before is not sent again",
            code="MLC-INTACCT-0502",
        ) from None
    if cursor.get("done") and phase != "dated":
        return Position(phase="modified", modified=modified and step_back(modified, rules.overlap, rules.zone))
    return Position(phase=phase, modified=modified, record=record)


def _phase(text: str) -> Phase:
    phases: dict[str, Phase] = {phase: phase for phase in get_args(Phase)}
    return phases[text]


def page_filter(place: Position, window: Window, rules: Rules) -> tuple[Filter | None, tuple[str, ...]]:
    """The filter and the order of the page behind ``place``."""
    record = None if place.record is None else after(KEY, str(place.record))
    if place.phase == "dated":
        return all_of([*_date_bounds(window, rules), record]), (KEY,)
    if place.phase == "unstamped":
        made = _stamp_bounds(rules.created, window, rules) if rules.created else []
        return all_of([Compare("isnull", STAMP), *made, record]), (KEY,)
    return all_of([_modified_from(place), *_stamp_bounds(STAMP, window, rules)]), (STAMP, KEY)


def _modified_from(place: Position) -> Filter:
    if place.modified is None:
        return Compare("isnotnull", STAMP)
    if place.record is None:
        return Compare("greaterthanorequalto", STAMP, (write_wall(place.modified),))
    return beyond(STAMP, write_wall(place.modified), KEY, str(place.record))


def _stamp_bounds(field: str, window: Window, rules: Rules) -> list[Filter]:
    bounds: list[Filter] = []
    if window.since is not None:
        bounds.append(Compare("greaterthanorequalto", field, (write_wall(to_wall(window.since, rules.zone)),)))
    if window.until is not None:
        bounds.append(Compare("lessthan", field, (write_wall(to_wall(window.until, rules.zone)),)))
    return bounds


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
    if place.phase == "modified":
        return Position(phase="unstamped", modified=last.modified), True
    return msgspec.structs.replace(last, done=True), False


def _last(place: Position, rows: Sequence[Row], rules: Rules) -> Position:
    for row in rows:
        there = _place_of(row, place, rules)
        if not _in_order(place, there):
            raise _disorder(rules, f"record {there.record} came behind record {place.record}")
        place = there
    return place


def _place_of(row: Row, place: Position, rules: Rules) -> Position:
    number = row.get(KEY) or ""
    if not (number.isascii() and number.isdigit()):
        raise _disorder(rules, f"a record has {number[:30]!r} as its {KEY}")
    if place.phase != "modified":
        return msgspec.structs.replace(place, record=int(number))
    try:
        stamp = read_wall(row.get(STAMP) or "", rules.zone)
    except ValueError:
        raise _disorder(rules, f"record {number} has {(row.get(STAMP) or '')[:30]!r} as its {STAMP}") from None
    return Position(phase=place.phase, modified=stamp, record=int(number))


def _in_order(before: Position, there: Position) -> bool:
    if before.phase != "modified":
        return before.record is None or (there.record or 0) >= before.record
    if before.modified is None or there.modified is None:
        return True
    return (there.modified, there.record or 0) >= (before.modified, before.record or 0)


def _disorder(rules: Rules, detail: str) -> ConfigError:
    return ConfigError(
        f"Intacct's {rules.object} records did not come in the order asked for",
        where=f"query of {rules.object}, ordered by {STAMP} and {KEY}",
        why=f"{detail}; going on would lose records",
        mend="give the API user's profile the US date format and a 24-hour clock; if they have it already, report this",
        code="MLC-INTACCT-0501",
    )
