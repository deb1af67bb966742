"""The ledger's cost: outcome and audit row per record, cursor per page, durable; against a raw ``executemany`` of the same rows."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import anyio

from bench.measure import Ratio, best_of
from pipeline import Record, SystemClock
from pipeline.store import open_ledger
from pipeline.store.driver import PRAGMAS, migrate, prepare_file
from pipeline.store.queries import statements
from pipeline.store.rows import RANK, Fate, PageCommit

RECORDS = 20_000
PAGE = 500
BAR = 4.0


def pages(run: int) -> list[PageCommit]:
    """Pages whose records are excluded by a rule: one outcome and one audit row each."""
    made = []
    for number, start in enumerate(range(0, RECORDS, PAGE), 1):
        fates = [
            Fate(
                Record(key=str(n), kind="bill", body=None, company="HARBORVALE", object="APBILL", digest=f"{n:064x}", amount=Decimal(n) / 100, currency="USD", label=f"INV-{n}"),
                RANK["excluded"], "not on EDI",
            )
            for n in range(start, start + PAGE)
        ]  # fmt: skip
        made.append(
            PageCommit(
                run, "bills", "digest", "0", "bills", number, [("USD", PAGE, 0)], fates, ("", f'{{"n":"{start}"}}')
            )
        )
    return made


async def ledger(folder: str) -> float:
    async with open_ledger(f"sqlite:///{folder}/ours.db", SystemClock()) as opened:
        run = await opened.begin_run("bills", "bills.yaml", "digest", "0", "run", "{}")
        work = pages(run)
        began = time.perf_counter()
        for page in work:
            await opened.commit_page(page)
        return time.perf_counter() - began


def raw(folder: str) -> float:
    """The floor: the very rows the ledger wrote, read back from its file, into the same schema in transactions of the same size."""
    source = sqlite3.connect(f"{folder}/ours.db")
    records = source.execute(
        "select id, run, flow, company, object, key, label, digest, currency, amount, rank, reason, alias from records order by id"
    ).fetchall()
    audits = source.execute(
        "select id, at, run, kind, subject, detail from audit where kind = 'record' order by id"
    ).fetchall()
    source.close()
    path = Path(folder) / "raw.db"
    path.unlink(missing_ok=True)
    prepare_file(path)
    migrate(path)
    target = sqlite3.connect(path, isolation_level=None)
    for pragma in PRAGMAS:
        target.execute(pragma)
    target.execute("insert into runs values (1, 'bills', 'f', 'd', '0', 'run', '{}', 'now', null, 'running', null)")
    sql = statements()
    began = time.perf_counter()
    for start in range(0, RECORDS, PAGE):
        target.execute("begin immediate")
        target.executemany(sql["insert_record"], records[start : start + PAGE])
        target.executemany(sql["insert_audit"], audits[start : start + PAGE])
        target.execute("commit")
    elapsed = time.perf_counter() - began
    target.close()
    return elapsed


def run() -> list[Ratio]:
    with tempfile.TemporaryDirectory() as folder:

        def ours() -> float:
            for file in Path(folder).glob("ours.db*"):
                file.unlink()
            return anyio.run(ledger, folder)

        ours()
        best_ours, best_floor = best_of(3, ours, lambda: raw(folder))
    return [
        Ratio(
            bench="ledger", what="outcome and audit row per record, cursor per page, hash chain, durable",
            floor="raw executemany of the same rows in transactions of the same size",
            ours_seconds=best_ours, floor_seconds=best_floor, units=RECORDS, bar=BAR,
        )
    ]  # fmt: skip
