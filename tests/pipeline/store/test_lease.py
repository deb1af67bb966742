"""Leases: one run per flow, freed on every way out, with an epoch that grows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import LockHeld, StoreError
from pipeline.store import open_ledger


async def test_a_second_holder_is_refused_and_told_who_has_it(store: Any) -> None:
    async with store.open() as ledger, ledger.lease("flow bills", "me"):
        with pytest.raises(LockHeld) as refused:
            async with ledger.lease("flow bills", "you"):
                pass
    assert "process" in refused.value.where
    assert refused.value.exit_code == 6


async def test_another_flow_has_its_own_lease(store: Any) -> None:
    async with store.open() as ledger, ledger.lease("flow bills", "me"), ledger.lease("flow vendors", "me"):
        pass


async def test_two_open_ledgers_on_one_file_share_the_lease(store: Any) -> None:
    async with store.open() as one, store.open() as other:
        async with one.lease("flow bills", "me"):
            with pytest.raises(LockHeld):
                async with other.lease("flow bills", "you"):
                    pass
        async with other.lease("flow bills", "you"):
            pass


async def test_it_is_free_after_the_block_whichever_way_it_ends(store: Any) -> None:
    async with store.open() as ledger:
        with pytest.raises(ZeroDivisionError):
            async with ledger.lease("flow bills", "me"):
                raise ZeroDivisionError
        async with ledger.lease("flow bills", "you") as lease:
            assert lease.owner == "you"


async def test_each_taker_gets_a_higher_epoch(store: Any) -> None:
    epochs = []
    for _ in range(3):
        async with store.open() as ledger, ledger.lease("flow bills", "me") as lease:
            epochs.append(lease.epoch)
    assert epochs == [1, 2, 3]


async def test_a_process_that_dies_frees_it(inline_store: Any) -> None:
    """The lock is the system's: a child takes it and is gone without a word."""
    async with inline_store.open():
        pass
    lock = inline_store.path.with_name("ledger.db.flow_bills.lock")
    script = (
        "import fcntl, os, sys; d = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR, 0o600);"
        "fcntl.flock(d, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        async with inline_store.open() as ledger:
            with pytest.raises(LockHeld):
                async with ledger.lease("flow bills", "me"):
                    pass
            child.kill()
            child.wait()
            async with ledger.lease("flow bills", "me"):
                pass


@pytest.mark.parametrize("name", ["flow ../../etc/x", "flow ä/ö", "flow a b"])
async def test_a_strange_name_stays_beside_the_ledger(inline_store: Any, name: str) -> None:
    async with inline_store.open() as ledger, ledger.lease(name, "me"):
        locks = [path for path in inline_store.path.parent.iterdir() if path.name.startswith("ledger.db.flow_")]
    assert len(locks) == 1


@pytest.mark.parametrize("there", [True, False])
async def test_who_opens_the_ledger_by_a_link_meets_who_opened_the_file(
    inline_store: Any, tmp_path: Path, there: bool
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(inline_store.path)
    if there:
        async with inline_store.open():
            pass
    async with open_ledger(f"sqlite:///{link}", inline_store.clock, driver="inline") as other:
        async with inline_store.open() as ledger, ledger.lease("flow bills", "me"):
            assert other.path == ledger.path
            with pytest.raises(LockHeld):
                async with other.lease("flow bills", "you"):
                    pass
    assert list(tmp_path.glob("link.db*")) == [link]


async def test_a_name_that_leaves_no_room_for_the_files_beside_it_is_told(inline_store: Any, tmp_path: Path) -> None:
    async with open_ledger(f"sqlite:///{tmp_path}/{'n' * 240}", inline_store.clock, driver="inline") as ledger:
        with pytest.raises(StoreError) as told:
            async with ledger.lease("flow bills", "me"):
                pass
    assert told.value.code == "MLC-STO-0001"
    assert "shorter name" in told.value.mend
