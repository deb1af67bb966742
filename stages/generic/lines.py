"""`generic.lines`: a JSON-lines file as a source. Each line is one object, each object one record.

Fractions are read as `Decimal`, never as floats. The cursor names the last line read by number, offset and digest, so
that lines may be appended while flows run. When that line is not there any more the file was replaced, and reading
starts again at the top; the engine drops what it has seen. A line that cannot be a record stops the run and is named:
nothing in the file is skipped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

import msgspec

from pipeline import ConfigError, Context, Finding, Page, Record, StageSpec, TransientError, Window
from stages.generic.location import resolve

LONGEST_LINE_BYTES = 1024 * 1024
"""A longer line is no record but a file of another kind; without a bound it would be read into memory whole."""

MOST_DIGITS = 18
"""Before and after the decimal point of an amount: more is a mistake, and sums must stay exact."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

CANONICAL = msgspec.json.Encoder(order="deterministic", decimal_format="number")
"""The form of an object that its digest is taken of: fields in order of name, numbers as numbers."""

Field = Annotated[str, msgspec.Meta(min_length=1)]


class LinesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``path`` is below the flow's folder, or absolute. ``kind`` names the record in expressions (``bill.total``).

    The other settings name fields of the objects: ``key`` is the business key; ``amount`` and ``currency`` go
    together and are what the books tie to; ``label`` is what people call the record; ``time`` (an ISO date or time,
    UTC where it says nothing) is what ``--since`` and ``--until`` choose by. ``page_size`` is in records.
    """

    path: Field
    kind: Field = "record"
    key: Field = "id"
    amount: Field | None = None
    currency: Field | None = None
    label: Field | None = None
    time: Field | None = None
    page_size: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 500


class Line(NamedTuple):
    """One line of the file: its number from 1, the offset of its first byte, its bytes without the line end."""

    number: int
    offset: int
    content: bytes
    complete: bool  # ended by a line end

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def cursor(self) -> dict[str, str]:
        return {"line": str(self.number), "offset": str(self.offset), "digest": self.digest}


class Lines:
    """The source. The file is opened for each page and closed again; files are read off the event loop."""

    def __init__(self, config: LinesConfig, context: Context) -> None:
        self._config = config
        self._context = context
        self._decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page | None:
        """The next page in the order of the file, or None at its end.

        Raises `ConfigError` for a file that is not there or a line that cannot be a record, `TransientError` for a
        last line that is still being written.
        """
        if (window.since or window.until) and not self._config.time:
            raise self._fault(
                "a window of time was asked for",
                "the stage does not say which field is the record's time",
                "set `time`",
            )
        page: Page | None = await self._context.offload(self._read, window, cursor)
        return page

    def _read(self, window: Window, cursor: dict[str, str] | None) -> Page | None:
        path = self._path()
        try:
            with path.open("rb") as file:
                return self._page(file, window, cursor)
        except OSError as error:
            raise self._fault(
                f"{path} cannot be read", error.strerror or str(error), "put the file there or correct `path`"
            ) from None

    def _page(self, file: BinaryIO, window: Window, cursor: dict[str, str] | None) -> Page | None:
        records: list[Record] = []
        last: Line | None = None
        for line in _lines_after(file, cursor):
            if not line.content.strip():
                continue
            try:
                record = self._record(line)
                wanted = self._wanted(record, window, line)
            except (ConfigError, TransientError):
                if last is None:
                    raise
                return Page(
                    records, last.cursor, more=True
                )  # the next read raises it, with nothing unsettled before it
            last = line
            if wanted:
                records.append(record)
            if len(records) == self._config.page_size:
                return Page(records, line.cursor, more=True)
        return Page(records, last.cursor) if last else None

    def _record(self, line: Line) -> Record:
        if len(line.content) > LONGEST_LINE_BYTES:
            raise self._bad_line(line, f"it is longer than {LONGEST_LINE_BYTES} bytes")
        try:
            body = self._decode(line.content)
        except (ValueError, RecursionError) as error:  # malformed, not UTF-8, or nested without end
            if not line.complete:
                raise self._unfinished(line) from None
            raise self._bad_line(line, f"it is not a JSON object: {error}") from None
        amount = self._amount(body, line)
        return Record(
            key=self._text(body, self._config.key, line),
            kind=self._config.kind,
            body=body,
            object=self._config.kind,
            digest=hashlib.sha256(CANONICAL.encode(body)).hexdigest(),
            amount=amount,
            currency="" if amount is None else self._text(body, self._config.currency or "", line),
            label=self._text(body, self._config.label or self._config.key, line),
        )

    def _text(self, body: Mapping[str, Any], field: str, line: Line) -> str:
        """A field that must be there, as text: numbers become what the file shows."""
        value = body.get(field)
        if value is None or value == "" or isinstance(value, (bool, list, dict)):
            raise self._bad_line(line, f"its field {field!r} must be a text or a number, not {value!r:.40}")
        return str(value)

    def _amount(self, body: Mapping[str, Any], line: Line) -> Decimal | None:
        if self._config.amount is None:
            return None
        try:
            amount = Decimal(self._text(body, self._config.amount, line))
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount.adjusted() >= MOST_DIGITS or int(amount.as_tuple().exponent) < -MOST_DIGITS:
            raise self._bad_line(line, f"its field {self._config.amount!r} is not an amount")
        return amount

    def _wanted(self, record: Record, window: Window, line: Line) -> bool:
        if window.keys:
            return record.key in window.keys
        if window.since is None and window.until is None:
            return True
        try:
            moment = _moment(self._text(record.body, self._config.time or "", line))
        except ValueError:
            raise self._bad_line(line, f"its field {self._config.time!r} is not an ISO date or time") from None
        return (window.since is None or window.since <= moment) and (window.until is None or moment < window.until)

    def _path(self) -> Path:
        try:
            return resolve(self._context.folder, self._config.path)
        except ValueError as error:
            raise self._fault("the path cannot be used", str(error), "correct `path`") from None

    def _fault(self, what: str, why: str, mend: str) -> ConfigError:
        return ConfigError(
            what, where=f"stage {self._context.stage}", why=why, mend=mend, owner="EDI desk", code="MLC-GEN-0001"
        )

    def _bad_line(self, line: Line, why: str) -> ConfigError:
        return ConfigError(
            "a line of the file cannot be a record",
            where=f"{self._config.path}:{line.number}",
            why=why,
            mend="correct the line; the next run goes on from there",
            owner="EDI desk",
            code="MLC-GEN-0002",
        )

    def _unfinished(self, line: Line) -> TransientError:
        return TransientError(
            "the last line of the file is not finished",
            where=f"{self._config.path}:{line.number}",
            why="it has no line end and is not a whole JSON object, as while a file is being written",
            mend="wait for the writer, or complete the line",
            owner="EDI desk",
            code="MLC-GEN-0003",
        )


def lint(config: LinesConfig, folder: Path, environment: Mapping[str, str]) -> list[Finding]:
    """What `check` can say without reading records."""
    findings: list[Finding] = []
    if (config.amount is None) != (config.currency is None):
        findings.append(_finding(folder, "MLC-GEN-0004", "`amount` and `currency` go together", "set both, or neither"))
    try:
        path = resolve(folder, config.path)
    except ValueError as error:
        return [
            *findings,
            _finding(folder, "MLC-GEN-0001", str(error), "name a file below the flow's folder, or an absolute path"),
        ]
    if not path.is_file():
        findings.append(_finding(path, "MLC-GEN-0001", "there is no such file", "put it there, or correct `path`"))
    return findings


def _finding(place: Path, code: str, message: str, suggestion: str) -> Finding:
    return Finding(code=code, file=str(place), message=message, suggestion=suggestion)


def _lines_after(file: BinaryIO, cursor: dict[str, str] | None) -> Iterator[Line]:
    """The lines after the cursor's, or all of them when there is none or its line is not where it was."""
    if cursor is not None:
        lines = _lines(file, int(cursor["line"]), int(cursor["offset"]))
        found = next(lines, None)
        if found is not None and found.digest == cursor["digest"]:
            yield from lines
            return
    yield from _lines(file, 1, 0)


def _lines(file: BinaryIO, number: int, offset: int) -> Iterator[Line]:
    file.seek(offset)
    while read := file.readline(LONGEST_LINE_BYTES + 2):
        content = read.removeprefix(BYTE_ORDER_MARK) if offset == 0 else read
        yield Line(number, offset, content.rstrip(b"\r\n"), read.endswith(b"\n"))
        number, offset = number + 1, offset + len(read)


def _moment(text: str) -> datetime:
    """An ISO date (its first moment) or time; UTC where no zone is written."""
    if len(text) == len("2026-01-31"):
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


STAGE = StageSpec(
    name="generic.lines",
    verb="source",
    config=LinesConfig,
    build=Lines,
    lint=lint,
    doc="Reads a JSON-lines file: one object per line, one record per object, in the order of the file.",
)
