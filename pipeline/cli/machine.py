"""What `doctor` checks of this machine and of the ledger file: nothing of it needs a flow, and nothing is changed."""

from __future__ import annotations

import os
import platform
import re
import shutil
import stat
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pipeline
from pipeline.cli.output import when
from pipeline.engine.build import code_version
from pipeline.errors import ConnectorError
from pipeline.stage import Diagnosis
from pipeline.store import Examination

OLDEST_PYTHON = (3, 11)
Checks = Mapping[str, Callable[[], Diagnosis]]
"""Each check by the name of its line, so that one that breaks has a line too and the others go on."""
LITTLE_SPACE = 1_000_000_000
NO_SPACE = 100_000_000
CLOCKS_DIFFER = timedelta(minutes=5)
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)([^;]*)(;.*)?")
_BOUND = re.compile(r"(>=|<)\s*([0-9.]+)")
_DISTRIBUTION = "ml-connector"


def machine(now: datetime) -> Checks:
    """The program, Python, its libraries and the clock."""
    return {
        "ml-connector": lambda: Diagnosis.ok("ml-connector", code_version()),
        "Python": _python,
        "libraries": _libraries,
        "time zones": _time_zones,
        "clock": lambda: _clock(now),
    }


def _python() -> Diagnosis:
    found = platform.python_version()
    version = tuple(int(part) for part in platform.python_version_tuple()[:2])
    if version >= OLDEST_PYTHON:
        return Diagnosis.ok("Python", found)
    return Diagnosis.failed("Python", _problem(
        "Python is too old", why=f"this is {found}", mend="install Python 3.11 or newer, and ml-connector on it", number="0002",
    ))  # fmt: skip


def _libraries() -> Diagnosis:
    """Those this program requires, with their versions; wrong ones come from an installation that was changed by hand."""
    found, wrong = [], []
    try:
        required = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return Diagnosis.skipped("libraries", "ml-connector runs here without being installed")
    for requirement in required:
        parsed = _REQUIREMENT.match(requirement)
        if parsed is None or parsed[3]:  # of an extra, such as the tests
            continue
        version = _installed(parsed[1])
        found.append(f"{parsed[1]} {version or 'missing'}")
        if version is None or not _within(version, parsed[2]):
            wrong.append(f"{parsed[1]} is {version or 'missing'}, needed is {parsed[2].strip() or 'any'}")
    if not wrong:
        return Diagnosis.ok("libraries", ", ".join(found))
    return Diagnosis.failed("libraries", _problem(
        "Libraries are missing or of a wrong version", why="; ".join(wrong), mend="pip install --upgrade ml-connector", number="0002",
    ))  # fmt: skip


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _within(version: str, bounds: str) -> bool:
    have = _numbers(version)
    return all((have >= _numbers(text)) == (sign == ">=") for sign, text in _BOUND.findall(bounds))


def _numbers(version: str) -> tuple[int, ...]:
    """The release part, without the zeros at its end: 15 is 15.0."""
    release = re.match(r"[\d.]*", version)
    parts = [int(part) for part in re.findall(r"\d+", release[0] if release else "")]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def _time_zones() -> Diagnosis:
    try:
        ZoneInfo("America/New_York")
    except ZoneInfoNotFoundError:
        return Diagnosis.failed("time zones", _problem(
            "This machine has no time zone data", why="neither the system nor the package tzdata has America/New_York",
            mend="install the system's time zones (tzdata), or  pip install tzdata", number="0002",
        ))  # fmt: skip
    return Diagnosis.ok("time zones", "known here")


def _clock(now: datetime) -> Diagnosis:
    """Against the one time this machine surely has passed: that of its own installation."""
    installed = datetime.fromtimestamp(Path(pipeline.__file__).stat().st_mtime, UTC)
    if now >= installed - CLOCKS_DIFFER:
        return Diagnosis.ok("clock", when(now.isoformat()))
    return Diagnosis.failed("clock", _problem(
        "The clock of this machine is wrong", why=f"it says {when(now.isoformat())}, and ml-connector was installed {when(installed.isoformat())}",
        mend="set the clock, and keep it right with NTP: documents, sessions and certificates go by it", number="0003",
    ))  # fmt: skip


def ledger(path: Path, found: Examination, now: datetime) -> Checks:
    """The file: is it ours, whole, private, and is there room."""
    room: Checks = {"free space": lambda: _space(_nearest(path))}
    if not found.exists:
        return {"file": lambda: _folder(path), **room}
    return {
        "file": lambda: _file(path, found),
        "privacy": lambda: _privacy(path),
        "last entry": lambda: _last_entry(path, found, now),
        **room,
    }


def _folder(path: Path) -> Diagnosis:
    folder = _nearest(path)
    if os.access(folder, os.W_OK | os.X_OK):
        return Diagnosis.ok("file", "not there yet; the first run makes it")
    return Diagnosis.failed("file", _problem(
        "The ledger cannot be made", where=str(path), why=f"this account may not write to {folder}",
        mend="let MLC_STORE name a file that it may write", number="0006",
    ))  # fmt: skip


def _nearest(path: Path) -> Path:
    """The folder of the file, or the nearest one above it that exists."""
    return next(folder for folder in path.absolute().parents if folder.is_dir())


def _file(path: Path, found: Examination) -> Diagnosis:
    if not found.ours:
        return Diagnosis.failed("file", _problem(
            "This file is a database of something else", where=str(path), mend="name another file in MLC_STORE", number="0006",
        ))  # fmt: skip
    if found.damage:
        return Diagnosis.failed("file", _problem(
            "The ledger is damaged, or cannot be read", where=str(path), why=found.damage,
            mend="end all runs, keep a copy of the file and of those beside it, and restore it from a backup", number="0006",
        ))  # fmt: skip
    if found.schema > found.newest_schema:
        return Diagnosis.failed("file", _problem(
            "The ledger was written by a newer version of ml-connector", where=str(path),
            why=f"its schema is number {found.schema}, this program knows up to {found.newest_schema}",
            mend="upgrade ml-connector", number="0006",
        ))  # fmt: skip
    if not os.access(path, os.W_OK):
        return Diagnosis.failed("file", _problem(
            "The ledger cannot be written", where=str(path), why="this account may read it only",
            mend="run as the account that owns it, or give the file to this one", number="0006",
        ))  # fmt: skip
    ahead = "" if found.schema == found.newest_schema else f"; the next run brings it to {found.newest_schema}"
    return Diagnosis.ok(
        "file", f"whole, {_bytes(path.stat().st_size)}, schema {found.schema}{ahead}, SQLite {found.sqlite}"
    )


def _privacy(path: Path) -> Diagnosis:
    open_to_others = {
        each.name: oct(mode)[2:].zfill(4)
        for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm"))
        if each.exists() and (mode := stat.S_IMODE(each.stat().st_mode)) & 0o077
    }
    if not open_to_others:
        return Diagnosis.ok("privacy", "only its owner can read it")
    return Diagnosis.warning("privacy", _problem(
        "Others on this machine can read the ledger", where=str(path),
        why=", ".join(f"{name} has mode {mode}" for name, mode in open_to_others.items()) + "; it holds bills and what was sent",
        mend=f"chmod 600 {path}*", number="0004",
    ))  # fmt: skip


def _last_entry(path: Path, found: Examination, now: datetime) -> Diagnosis:
    if not found.last_entry:
        return Diagnosis.ok("last entry", "none yet")
    if datetime.fromisoformat(found.last_entry) <= now + CLOCKS_DIFFER:
        return Diagnosis.ok("last entry", when(found.last_entry))
    return Diagnosis.failed("last entry", _problem(
        "The ledger is ahead of this machine's clock", where=str(path),
        why=f"its last entry is of {when(found.last_entry)}, the clock says {when(now.isoformat())}",
        mend="set the clock right; entries keep their order, but times in reports, and what waits until a time, are wrong until then",
        number="0003",
    ))  # fmt: skip


def _space(folder: Path) -> Diagnosis:
    free = shutil.disk_usage(folder).free
    if free >= LITTLE_SPACE:
        return Diagnosis.ok("free space", _bytes(free))
    problem = _problem(
        "The disk of the ledger is nearly full", where=str(folder), why=f"{_bytes(free)} are free",
        mend="make room: a run stops when it can no longer write what it does", number="0005",
    )  # fmt: skip
    return Diagnosis.failed("free space", problem) if free < NO_SPACE else Diagnosis.warning("free space", problem)


def _bytes(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size} bytes"


def _problem(what: str, *, mend: str, number: str, where: str = "this machine", why: str = "") -> ConnectorError:
    return ConnectorError(what, where=where, why=why, mend=mend, code=f"MLC-CHK-{number}")
