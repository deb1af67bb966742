"""The file: who may read it, which schema it has, what is refused; both drivers keep one transaction whole."""

from __future__ import annotations

import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import StoreError, UsageError
from pipeline.store.driver import APPLICATION_ID, InlineDriver, ThreadedDriver, migrate, prepare_file
from pipeline.store.ledger import store_path
from pipeline.store.queries import migrations, statements
from pipeline.store.transaction import Change, Command


async def test_a_new_file_belongs_to_its_owner_alone(store: Any) -> None:
    async with store.open() as ledger:
        await store.run(ledger)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.path.parent.iterdir()}
    assert set(modes) >= {"ledger.db", "ledger.db-wal"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


async def test_the_file_is_marked_as_ours_with_its_schemas_number(store: Any) -> None:
    async with store.open():
        pass
    with store.raw() as raw:
        assert raw.execute("pragma application_id").fetchone() == (APPLICATION_ID,)
        assert raw.execute("pragma user_version").fetchone() == (migrations()[-1][0],)
        assert raw.execute("pragma journal_mode").fetchone() == ("wal",)


def test_migrations_are_numbered_without_gaps() -> None:
    assert [number for number, _, _ in migrations()] == list(range(1, len(migrations()) + 1))


async def test_opening_again_keeps_what_is_there(store: Any) -> None:
    async with store.open() as ledger:
        await store.run(ledger)
    async with store.open() as ledger:
        assert len(await ledger.reports.runs()) == 1


@pytest.mark.parametrize("prepare", ["newer", "foreign", "foreign with a number", "garbage"])
async def test_a_file_that_is_not_for_this_program_is_refused_and_left_alone(inline_store: Any, prepare: str) -> None:
    if prepare == "newer":
        async with inline_store.open():
            pass
        with inline_store.raw() as raw:
            raw.executescript("pragma user_version = 999")
    elif prepare == "garbage":
        inline_store.path.parent.mkdir()
        inline_store.path.write_bytes(b"this is no database" * 100)
    else:
        inline_store.path.parent.mkdir()
        with inline_store.raw() as raw:
            raw.executescript(f"create table theirs (x); pragma user_version = {int('number' in prepare)}")
    before = inline_store.path.read_bytes()
    code = {"newer": "MLC-STO-0002", "garbage": "MLC-STO-0001"}.get(prepare, "MLC-STO-0003")
    with pytest.raises(StoreError) as refused:
        async with inline_store.open():
            pass
    assert refused.value.code == code
    assert str(inline_store.path) in str(refused.value)
    assert inline_store.path.read_bytes() == before


@pytest.mark.parametrize("url", ["postgresql://host/db", "ledger.db", "sqlite:///", "sqlite://ledger.db", ""])
def test_an_address_of_another_kind_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError) as wrong:
        store_path(url)
    assert wrong.value.code == "MLC-STO-0004"


@pytest.mark.parametrize(("url", "path"), [("sqlite:///a/b.db", "a/b.db"), ("sqlite:////a/b.db", "/a/b.db")])
def test_three_slashes_are_relative_and_four_absolute(url: str, path: str) -> None:
    assert store_path(url) == Path(path)


# --- the named statements ----------------------------------------------------------------------------------------------


def test_every_statement_prepares_against_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    prepare_file(path)
    migrate(path)
    broken = []
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for name, text in statements().items():
            numbered = [int(number) for number in re.findall(r"\?(\d+)", text)]
            count = max(numbered) if numbered else text.count("?")
            try:
                raw.execute(f"explain {text}", [None] * count)
            except sqlite3.Error as error:
                broken.append(f"{name}: {error}")
    assert broken == []


def store_source() -> str:
    folder = Path(__file__).parents[3] / "pipeline" / "store"
    return "\n".join(path.read_text() for path in sorted(folder.glob("*.py")))


def test_every_statement_is_used() -> None:
    source = store_source()
    assert [name for name in statements() if f'"{name}"' not in source] == []


def test_every_name_that_is_used_exists() -> None:
    used = re.findall(r'(?:fetch\(\s*|sql\[|\[\(|\(|reads\s*=\s*\[\()"([a-z]+(?:_[a-z]+)+)",\s*[\[(]', store_source())
    assert len(set(used)) > 20
    assert [name for name in used if name not in statements()] == []


@pytest.mark.parametrize("name", ["insert_record", "insert_document", "insert_dead_letter", "insert_delivery"])
def test_an_insert_names_as_many_columns_as_values(name: str) -> None:
    columns, values = re.fullmatch(
        r"insert into \w+ \((.*?)\)\s*values \((.*)\)", statements()[name], re.DOTALL
    ).groups()  # type: ignore[union-attr]
    assert len(columns.split(",")) == len(values.split(","))


# --- conformance of the drivers -----------------------------------------------------------------------------------------


async def open_driver(store: Any) -> ThreadedDriver | InlineDriver:
    prepare_file(store.path)
    migrate(store.path)
    return await ThreadedDriver.open(store.path) if store.driver == "threaded" else InlineDriver(store.path)


def run_row(id_: int, flow: str = "bills") -> tuple[Any, ...]:
    return (id_, flow, "f", "d", "1", "run", "{}", "2026-01-01T00:00:00.000000Z")


def inserts(*rows: tuple[Any, ...], result: Any = None) -> Command:
    return Command([], lambda _, heads: Change([("insert_run", list(rows))], [], result))


async def test_what_is_committed_can_be_read_at_once(store: Any) -> None:
    driver = await open_driver(store)
    try:
        assert await driver.commit([inserts(run_row(1), result="a"), inserts(run_row(2), result="b")], "now") == [
            ("a", None), ("b", None),
        ]  # fmt: skip
        assert [row[0] for row in await driver.fetch("runs", ("", "", None, 10))] == [2, 1]
    finally:
        await driver.close()


async def test_a_command_that_raises_while_it_decides_fails_alone(store: Any) -> None:
    def decide(rows: Any, heads: Any) -> Change:
        raise ValueError("no")

    driver = await open_driver(store)
    try:
        outcomes = await driver.commit([inserts(run_row(1)), Command([], decide), inserts(run_row(2))], "now")
        assert [type(error) for _, error in outcomes] == [type(None), ValueError, type(None)]
        assert len(await driver.fetch("runs", ("", "", None, 10))) == 2
    finally:
        await driver.close()


async def test_a_failing_statement_undoes_the_whole_transaction(store: Any) -> None:
    driver = await open_driver(store)
    try:
        with pytest.raises(StoreError) as failed:
            await driver.commit([inserts(run_row(1)), inserts(run_row(1))], "now")
        assert "UNIQUE" in failed.value.why
        assert await driver.fetch("runs", ("", "", None, 10)) == []
        await driver.commit([inserts(run_row(1))], "now")
        assert len(await driver.fetch("runs", ("", "", None, 10))) == 1
    finally:
        await driver.close()


async def test_a_command_sees_what_those_before_it_in_the_transaction_wrote(store: Any) -> None:
    seen: list[Any] = []

    def look(rows: Any, heads: Any) -> Change:
        seen.extend(row[0] for row in rows[0])
        return Change()

    driver = await open_driver(store)
    try:
        await driver.commit([inserts(run_row(7)), Command([("runs", ("", "", None, 10))], look)], "now")
        assert seen == [7]
    finally:
        await driver.close()


async def test_reserved_ids_go_on_over_transactions_and_restarts(store: Any) -> None:
    def takes(_: Any, heads: Any) -> Change:
        id_ = heads.take("runs")
        return Change([("insert_run", [run_row(id_)])], [], id_)

    driver = await open_driver(store)
    first = await driver.commit([Command([], takes), Command([], takes)], "now")
    await driver.close()
    driver = await open_driver(store)
    second = await driver.commit([Command([], takes)], "now")
    await driver.close()
    assert [result for result, _ in first + second] == [1, 2, 3]


async def test_the_threaded_drivers_reader_cannot_write(inline_store: Any) -> None:
    prepare_file(inline_store.path)
    migrate(inline_store.path)
    driver = await ThreadedDriver.open(inline_store.path)
    try:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await driver._reader.execute("delete from runs")
    finally:
        await driver.close()
