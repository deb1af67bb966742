"""`generic.folder`: a file appears whole, once, after the commit point; what is in the way is never overwritten."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline import (
    COMMIT_POINT,
    ConfigError,
    Context,
    DataError,
    Delivery,
    Diagnosis,
    Document,
    Finds,
    PermissionDenied,
    RefusedError,
    TransientError,
    Undetermined,
)
from stages.generic.folder import Folder, FolderConfig, diagnose, lint

PAYLOAD = b"ISA*00*~"


def sink(context: Context, **changes: Any) -> Folder:
    return Folder(FolderConfig(**{"path": "out", **changes}), context)


def delivery(name: str = "mlc-1", address: str = "/RIVERBEND/Inbound", payload: bytes = PAYLOAD) -> Delivery:
    digest = hashlib.sha256(payload).hexdigest()
    return Delivery(id=1, lane="RIVERBEND", address=address, name=name, payload=payload, digest=digest, numbers={})


async def no_mark(key: str, value: str = "") -> None:
    """A mark nobody looks at."""


def visible(folder: Path) -> list[str]:
    """The files a collector would see."""
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")
    )


async def test_a_delivery_becomes_one_file_at_its_address(context: Context) -> None:
    evidence = await sink(context, suffix=".edi").send(delivery(), no_mark)
    assert visible(context.folder / "out") == ["RIVERBEND/Inbound/mlc-1.edi"]
    assert Path(evidence.id).read_bytes() == PAYLOAD
    assert (evidence.name, evidence.size, evidence.digest) == ("mlc-1.edi", len(PAYLOAD), delivery().digest)


async def test_no_temporary_file_is_left(context: Context) -> None:
    await sink(context).send(delivery(), no_mark)
    assert [path.name for path in context.folder.rglob("*") if path.is_file()] == ["mlc-1"]


async def test_the_file_is_not_visible_before_the_commit_point(context: Context) -> None:
    seen = list[tuple[str, list[str]]]()

    async def mark(key: str, value: str = "") -> None:
        seen.append((key, visible(context.folder)))

    await sink(context).send(delivery(), mark)
    assert seen == [(COMMIT_POINT, [])]


async def test_a_crash_at_the_commit_point_leaves_nothing_and_the_next_attempt_succeeds(context: Context) -> None:
    async def die(key: str, value: str = "") -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await sink(context).send(delivery(), die)
    assert await sink(context).find(delivery()) == []
    await sink(context).send(delivery(), no_mark)
    assert visible(context.folder) == ["out/RIVERBEND/Inbound/mlc-1"]


async def test_find_returns_the_evidence_of_send(context: Context) -> None:
    assert isinstance(sink(context), Finds)
    evidence = await sink(context).send(delivery(), no_mark)
    assert await sink(context).find(delivery()) == [evidence]


async def test_find_is_empty_when_only_others_are_there(context: Context) -> None:
    await sink(context).send(delivery("other"), no_mark)
    assert await sink(context).find(delivery()) == []
    assert await sink(context).find(delivery("other", address="/ELSEWHERE")) == []


async def test_find_shows_that_the_content_is_not_ours(context: Context) -> None:
    await sink(context).send(delivery(), no_mark)
    [evidence] = await sink(context).find(delivery(payload=b"other"))
    assert evidence.digest != delivery(payload=b"other").digest


async def test_a_folder_that_is_not_there_leaves_it_undetermined(context: Context) -> None:
    with pytest.raises(Undetermined, match="not there"):
        await sink(context).find(delivery())


async def test_sending_the_same_again_changes_nothing(context: Context) -> None:
    first = await sink(context).send(delivery(), no_mark)
    assert await sink(context).send(delivery(), no_mark) == first
    assert [path.name for path in context.folder.rglob("*") if path.is_file()] == ["mlc-1"]


async def test_another_file_of_that_name_is_never_overwritten(context: Context) -> None:
    first = await sink(context).send(delivery(payload=b"first"), no_mark)
    with pytest.raises(RefusedError):
        await sink(context).send(delivery(payload=b"second"), no_mark)
    assert Path(first.id).read_bytes() == b"first"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("../x", ""),
        ("a/b", ""),
        (".hidden", ""),
        ("", ""),
        ("a\\b", ""),
        ("a\n", ""),
        ("a", "/../../etc"),
        ("a", "/P/.ssh"),
    ],
)
async def test_a_name_or_address_cannot_lead_out_of_the_folder(context: Context, name: str, address: str) -> None:
    with pytest.raises(DataError):
        await sink(context).send(delivery(name, address), no_mark)
    assert visible(context.folder) == []


async def test_the_folder_itself_cannot_leave_the_flows_folder(context: Context) -> None:
    with pytest.raises(ConfigError):
        await sink(context, path="../out").send(delivery(), no_mark)


async def test_a_file_where_the_folder_should_be_is_a_setting_to_correct(context: Context) -> None:
    (context.folder / "out").write_text("x")
    with pytest.raises(ConfigError):
        await sink(context).send(delivery(), no_mark)


async def test_a_name_the_disk_cannot_hold_concerns_this_delivery_only(context: Context) -> None:
    with pytest.raises(DataError):
        await sink(context).send(delivery("n" * 300), no_mark)


def failing(function: str, error: OSError) -> Callable[..., Awaitable[Any]]:
    """An offload whose file work fails in the function of that name, as a disk does."""

    async def offload(work: Callable[..., Any], *arguments: Any) -> Any:
        if work.__name__ == function:
            raise error
        return work(*arguments)

    return offload


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EACCES, PermissionDenied),
        (errno.EROFS, PermissionDenied),
        (errno.ENOSPC, TransientError),
        (errno.EIO, TransientError),
    ],
)
async def test_before_the_commit_point_a_failure_has_the_class_of_its_cause(
    context: Context, number: int, expected: type[Exception]
) -> None:
    context.offload = failing("_prepare", OSError(number, "told so"))
    marks = list[str]()

    async def mark(key: str, value: str = "") -> None:
        marks.append(key)

    with pytest.raises(expected) as caught:
        await sink(context).send(delivery(), mark)
    assert type(caught.value) is expected
    assert marks == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
async def test_after_the_commit_point_any_failure_is_a_doubt(context: Context, number: int) -> None:
    context.offload = failing("_reveal", OSError(number, "told so"))
    with pytest.raises(TransientError):
        await sink(context).send(delivery(), no_mark)


async def test_find_cannot_tell_when_the_file_cannot_be_read(context: Context) -> None:
    await sink(context).send(delivery(), no_mark)
    context.offload = failing("_evidence", OSError(errno.EIO, "told so"))
    with pytest.raises(Undetermined):
        await sink(context).find(delivery())


def test_a_document_goes_to_its_partners_lane(context: Context) -> None:
    destination = sink(context).destination(Document(set="810", partner="RIVERBEND", body=b"", address="/R"))
    assert (destination.lane, destination.address) == ("RIVERBEND", "/R")


@pytest.mark.parametrize(("setting", "value"), [("path", ""), ("suffix", "/x"), ("settle", -1), ("colour", "red")])
def test_settings_out_of_bounds_or_unknown_are_refused(setting: str, value: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"path": "x", setting: value}, FolderConfig)


@pytest.mark.parametrize(("path", "count"), [("new", 0), ("file", 1), ("../x", 1)])
def test_check_reports_a_folder_that_cannot_be_one(context: Context, path: str, count: int) -> None:
    (context.folder / "file").write_text("x")
    assert len(lint(FolderConfig(path=path), context.folder, {})) == count


async def diagnosis(context: Context) -> Diagnosis:
    lines: list[Diagnosis] = []
    await diagnose(FolderConfig(path="deep/out"), context, (), lines.append)
    (line,) = lines
    return line


async def test_a_folder_that_the_first_delivery_makes_is_well_and_is_not_made_by_looking(context: Context) -> None:
    line = await diagnosis(context)
    assert (line.state, "makes it" in line.found) == ("ok", True)
    assert list(context.folder.iterdir()) == []


async def test_a_folder_that_is_there_is_well(context: Context) -> None:
    (context.folder / "deep" / "out").mkdir(parents=True)
    assert (await diagnosis(context)).found == str(context.folder / "deep" / "out")


async def test_a_folder_that_may_not_be_written_is_told(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # the superuser may write everywhere
    line = await diagnosis(context)
    assert (line.state, line.problem and line.problem.code) == ("failed", "MLC-GEN-0013")


async def test_a_file_in_the_way_of_the_folder_is_told(context: Context) -> None:
    (context.folder / "deep").write_text("")
    assert (await diagnosis(context)).state == "failed"
