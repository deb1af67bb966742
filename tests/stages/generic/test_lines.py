"""`generic.lines`: every object once, in order; the cursor survives appending and replacing; nothing is skipped in
silence.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import ConfigError, Context, Record, TransientError, Window
from stages.generic.lines import LONGEST_LINE_BYTES, Lines, LinesConfig, lint

FILE = "bills.jsonl"


def source(context: Context, **changes: Any) -> Lines:
    return Lines(LinesConfig(**{"path": FILE, **changes}), context)


def write(context: Context, text: str | bytes) -> Path:
    path = context.folder / FILE
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def numbered(count: int) -> str:
    return "".join(f'{{"id": "B-{number}"}}\n' for number in range(1, count + 1))


async def read_on(
    lines: Lines, cursor: dict[str, str] | None = None, window: Window | None = None
) -> tuple[list[Record], dict[str, str] | None]:
    """All that is left after the cursor, and where reading stopped."""
    records = list[Record]()
    while page := await lines.read(window or Window(), cursor):
        records += page.records
        cursor = page.cursor
        if not page.more:
            break
    return records, cursor


def keys(records: list[Record]) -> list[str]:
    return [one.key for one in records]


@given(
    count=st.integers(0, 12),
    page_size=st.integers(1, 13),
    line_end=st.sampled_from(["\n", "\r\n"]),
    closed=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
async def test_every_object_comes_once_in_order_whatever_the_page_size(
    context: Context, count: int, page_size: int, line_end: str, closed: bool
) -> None:
    text = line_end.join(f'{{"id": "B-{number}"}}' for number in range(count))
    write(context, text + (line_end if closed and text else ""))
    records, _ = await read_on(source(context, page_size=page_size))
    assert keys(records) == [f"B-{number}" for number in range(count)]


async def test_a_record_has_what_the_settings_name(context: Context) -> None:
    write(context, '{"record": 88121, "number": "INV-1", "total": 12.50, "money": "USD"}\n')
    [one], _ = await read_on(
        source(context, kind="bill", key="record", amount="total", currency="money", label="number")
    )
    assert (one.key, one.kind, one.label, one.amount, one.currency) == (
        "88121",
        "bill",
        "INV-1",
        Decimal("12.50"),
        "USD",
    )
    assert one.body["total"] == Decimal("12.50")


async def test_the_digest_tells_an_edit_and_not_the_order_of_fields(context: Context) -> None:
    write(context, '{"id": 1, "x": 2.5}\n{"x": 2.5, "id": 1}\n{"id": 1, "x": 2.6}\n')
    records, _ = await read_on(source(context))
    first, same, edited = (one.digest for one in records)
    assert first == same
    assert first != edited


async def test_appended_lines_are_read_from_the_cursor_on(context: Context) -> None:
    path = write(context, numbered(3))
    _, cursor = await read_on(source(context, page_size=2))
    with path.open("a") as file:
        file.write('{"id": "new"}\n')
    records, _ = await read_on(source(context), cursor)
    assert keys(records) == ["new"]


async def test_a_last_line_without_its_end_is_read_once(context: Context) -> None:
    path = write(context, numbered(1) + '{"id": "B-2"}')
    _, cursor = await read_on(source(context))
    with path.open("a") as file:
        file.write('\n{"id": "B-3"}\n')
    records, _ = await read_on(source(context), cursor)
    assert keys(records) == ["B-3"]


@pytest.mark.parametrize(
    "text",
    ['{"id": "other"}\n', numbered(9).replace("B-", "C-"), ""],
    ids=["a shorter file", "a file of the same shape", "an empty file"],
)
async def test_a_replaced_file_is_read_from_the_top(context: Context, text: str) -> None:
    write(context, numbered(9))
    _, cursor = await read_on(source(context))
    write(context, text)
    records, _ = await read_on(source(context), cursor)
    assert keys(records) == [json.loads(line)["id"] for line in text.splitlines()]


async def test_nothing_new_gives_no_page(context: Context) -> None:
    write(context, numbered(2))
    _, cursor = await read_on(source(context))
    assert await source(context).read(Window(), cursor) is None


async def test_blank_lines_and_a_byte_order_mark_are_no_records(context: Context) -> None:
    write(context, b"\xef\xbb\xbf" + b'{"id": 1}\n\n   \n{"id": 2}\n')
    records, _ = await read_on(source(context))
    assert keys(records) == ["1", "2"]


async def test_keys_give_exactly_these(context: Context) -> None:
    write(context, numbered(9))
    records, _ = await read_on(source(context, page_size=1), window=Window(keys=("B-7", "B-2", "B-99")))
    assert keys(records) == ["B-2", "B-7"]


async def test_a_window_of_time_includes_its_start_and_not_its_end(context: Context) -> None:
    days = ["2026-01-01", "2026-02-01", "2026-02-28T23:59:59+00:00", "2026-03-01"]
    write(context, "".join(f'{{"id": {number}, "day": "{day}"}}\n' for number, day in enumerate(days)))
    february = Window(since=datetime(2026, 2, 1, tzinfo=UTC), until=datetime(2026, 3, 1, tzinfo=UTC))
    records, _ = await read_on(source(context, time="day"), window=february)
    assert keys(records) == ["1", "2"]


async def test_a_window_of_time_without_a_time_field_is_refused(context: Context) -> None:
    write(context, numbered(1))
    with pytest.raises(ConfigError, match="time"):
        await source(context).read(Window(since=datetime(2026, 1, 1, tzinfo=UTC)), None)


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[1, 2]",
        b'{"id": "1"',
        b'{"id": "\xff"}',
        b'{"other": 1}',
        b'{"id": null}',
        b'{"id": true}',
        b'{"id": {}}',
        b'{"id": "1", "deep": ' + b"[" * 50_000 + b"}",
        b'{"id": "' + b"x" * LONGEST_LINE_BYTES + b'"}',
    ],
    ids=["no json", "array", "cut off", "not utf-8", "no key", "null key", "true key", "object key", "deep", "long"],
)
async def test_a_line_that_cannot_be_a_record_stops_the_run_and_is_named(context: Context, line: bytes) -> None:
    write(context, numbered(2).encode() + line + b"\n" + b'{"id": "after"}\n')
    first = await source(context).read(Window(), None)
    assert first is not None
    assert (keys(first.records), first.more) == (["B-1", "B-2"], True)
    with pytest.raises(ConfigError) as caught:
        await source(context).read(Window(), first.cursor)
    assert caught.value.where == f"{FILE}:3"


async def test_the_run_after_the_line_was_corrected_goes_on_there(context: Context) -> None:
    write(context, numbered(2) + "oops\n")
    page = await source(context).read(Window(), None)
    write(context, numbered(3))
    records, _ = await read_on(source(context), page.cursor if page else None)
    assert keys(records) == ["B-3"]


@pytest.mark.parametrize("amount", ['"12,50"', '"x"', "null", '"NaN"', '"Infinity"', "1e400", "1e-400", "true"])
async def test_what_is_no_amount_is_named(context: Context, amount: str) -> None:
    write(context, f'{{"id": 1, "total": {amount}, "money": "USD"}}\n')
    with pytest.raises(ConfigError) as caught:
        await source(context, amount="total", currency="money").read(Window(), None)
    assert (caught.value.where, caught.value.code) == (f"{FILE}:1", "MLC-GEN-0002")


async def test_an_amount_without_its_currency_is_named(context: Context) -> None:
    write(context, '{"id": 1, "total": 5}\n')
    with pytest.raises(ConfigError, match="money"):
        await source(context, amount="total", currency="money").read(Window(), None)


async def test_a_line_that_is_still_being_written_is_asked_for_again(context: Context) -> None:
    write(context, numbered(1) + '{"id": "B-')
    page = await source(context).read(Window(), None)
    assert page is not None
    with pytest.raises(TransientError):
        await source(context).read(Window(), page.cursor)
    write(context, numbered(2))
    records, _ = await read_on(source(context), page.cursor)
    assert keys(records) == ["B-2"]


async def test_a_missing_file_is_a_setting_to_correct(context: Context) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        await source(context).read(Window(), None)


async def test_a_relative_path_cannot_leave_the_flows_folder(context: Context) -> None:
    with pytest.raises(ConfigError, match="leaves"):
        await source(context, path="../secret.jsonl").read(Window(), None)


async def test_an_absolute_path_is_taken_as_it_is(context: Context, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("elsewhere") / "x.jsonl"
    path.write_text(numbered(1))
    records, _ = await read_on(source(context, path=str(path)))
    assert keys(records) == ["B-1"]


@pytest.mark.parametrize(
    ("setting", "value"), [("page_size", 0), ("page_size", 10_001), ("key", ""), ("path", ""), ("colour", "red")]
)
def test_settings_out_of_bounds_or_unknown_are_refused(setting: str, value: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"path": "x", setting: value}, LinesConfig)


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"path": "absent.jsonl"}, ["MLC-GEN-0001"]),
        ({"path": "../x"}, ["MLC-GEN-0001"]),
        ({"amount": "total"}, ["MLC-GEN-0004"]),
        ({"currency": "money", "path": "absent.jsonl"}, ["MLC-GEN-0004", "MLC-GEN-0001"]),
    ],
)
def test_check_reports_what_a_run_would_stumble_over(
    context: Context, changes: dict[str, Any], codes: list[str]
) -> None:
    write(context, numbered(1))
    assert [one.code for one in lint(LinesConfig(**{"path": FILE, **changes}), context.folder, {})] == codes
