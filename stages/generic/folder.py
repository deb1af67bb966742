"""`generic.folder`: each delivery becomes one file in a folder, whole or not at all, and exactly once.

The bytes are written under a temporary name and synced; after the commit point one rename makes the file appear.
`find` looks for the final name, so whoever collects the files should do so when the delivery is confirmed (the run
has ended): a file that was taken away between a crash and the next run cannot be told from one that never came.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec

from pipeline import (
    COMMIT_POINT,
    ConfigError,
    Context,
    DataError,
    Delivery,
    Destination,
    Diagnosis,
    Document,
    Evidence,
    Finding,
    Mark,
    PermissionDenied,
    RefusedError,
    StageError,
    StageSpec,
    Tell,
    TransientError,
    Undetermined,
)
from stages.generic.location import resolve

KINDS: dict[int, type[StageError]] = {
    errno.ENOENT: ConfigError,
    errno.ENOTDIR: ConfigError,
    errno.EEXIST: ConfigError,  # a file where a folder should be
    errno.ELOOP: ConfigError,
    errno.EACCES: PermissionDenied,
    errno.EPERM: PermissionDenied,
    errno.EROFS: PermissionDenied,
    errno.ENAMETOOLONG: DataError,
}
"""Which failure a refusal of the operating system is before the commit point; all others may pass (disk full, I/O
error).
"""


class FolderConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``path`` is the folder, below the flow's folder (of a shipped flow: the working folder) or absolute; it is made when it is not there.

    ``suffix`` is added to each name, e.g. ``.edi``. ``settle`` is how many seconds a file may take to be seen after
    it was written: 0 on a local disk, a little on a network share.
    """

    path: Annotated[str, msgspec.Meta(min_length=1)]
    suffix: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{0,32}$")] = ""
    settle: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0


class Folder:
    """The sink. A document's address becomes a folder below ``path``; all file work happens off the event loop."""

    def __init__(self, config: FolderConfig, context: Context) -> None:
        self.settle_seconds = config.settle
        self._config = config
        self._context = context

    def destination(self, document: Document) -> Destination:
        return Destination(lane=document.partner, address=document.address)

    async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
        """Write the file. A file of that name with other content is never replaced: raises `RefusedError`."""
        target = self._target(delivery)
        temporary = target.with_name(f".{target.name}.part")
        try:
            await self._context.offload(_prepare, temporary, delivery.payload)
        except OSError as error:
            raise _fault(_kind(error), error, target) from None
        await mark(COMMIT_POINT)
        try:
            evidence: Evidence = await self._context.offload(_reveal, temporary, target)
        except OSError as error:  # the rename may have happened: find decides
            raise _fault(TransientError, error, target) from None
        self._context.note(f"files of {self._context.stage} are in {self._root()}")
        return _ours(evidence, delivery)

    async def find(self, delivery: Delivery) -> list[Evidence]:
        """The file of that name, if it is there. A folder that is not there may be a share that is not mounted:
        undetermined.
        """
        target = self._target(delivery)
        try:
            if not await self._context.offload(self._root().is_dir):
                raise Undetermined(f"the folder {self._root()} is not there")
            return [await self._context.offload(_evidence, target)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise Undetermined(f"{target} cannot be read: {error.strerror}") from None

    def _root(self) -> Path:
        try:
            return resolve(_beginning(self._context), self._config.path)
        except ValueError as error:
            raise ConfigError(
                "the folder cannot be used",
                where=f"stage {self._context.stage}",
                why=str(error),
                mend="correct `path`",
                owner="EDI desk",
                code="MLC-GEN-0010",
            ) from None

    def _target(self, delivery: Delivery) -> Path:
        parts = [part for part in PurePosixPath(delivery.address).parts if part != "/"]
        name = delivery.name + self._config.suffix
        for part in (*parts, name):
            if not part or part.startswith(".") or "/" in part or "\\" in part or not part.isprintable():
                raise DataError(
                    "the delivery's address or name cannot be a file's",
                    where=f"stage {self._context.stage}, {delivery.address!r:.80} {name!r:.80}",
                    why="an address is folders between slashes, and no part begins with a dot or holds a backslash",
                    mend="change the address where the document is made",
                    owner="EDI desk",
                    code="MLC-GEN-0012",
                )
        return self._root().joinpath(*parts, name)


def _beginning(context: Context) -> Path:
    return context.output or context.folder


def _kind(error: OSError) -> type[StageError]:
    return KINDS.get(error.errno or 0, TransientError)


def _fault(kind: type[StageError], error: OSError, target: Path) -> StageError:
    return kind(
        "the file cannot be written",
        where=str(target),
        why=error.strerror or str(error),
        mend="see that the folder is there, writable and not full",
        code="MLC-GEN-0013",
    )


def _ours(evidence: Evidence, delivery: Delivery) -> Evidence:
    if (evidence.size, evidence.digest) == (len(delivery.payload), delivery.digest):
        return evidence
    raise RefusedError(
        "a file of that name with other content is in the folder",
        where=evidence.id,
        why=f"it has {evidence.size} bytes, the delivery {len(delivery.payload)}; it was left as it is",
        mend="move that file away, then replay the delivery",
        owner="EDI desk",
        code="MLC-GEN-0011",
    )


def _prepare(temporary: Path, payload: bytes) -> None:
    """The bytes under the temporary name, safely on the disk. What an earlier attempt left there is overwritten."""
    temporary.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("wb") as file:
        file.write(payload)
        file.flush()
        os.fsync(file.fileno())


def _reveal(temporary: Path, target: Path) -> Evidence:
    """The file under its name, and what is there then. What has that name already stays, and is what is reported."""
    if target.exists():
        temporary.unlink()
    else:
        temporary.rename(target)
        _sync(target.parent)
    return _evidence(target)


def _sync(folder: Path) -> None:
    """Make the folder's entries durable: without it a power cut can undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _evidence(path: Path) -> Evidence:
    content = path.read_bytes()
    return Evidence(str(path), path.name, len(content), hashlib.sha256(content).hexdigest())


def lint(config: FolderConfig, folder: Path, environment: Mapping[str, str]) -> list[Finding]:
    """What `check` can say without writing."""
    try:
        path = resolve(folder, config.path)
    except ValueError as error:
        return [_finding(folder, str(error), "name a folder below the flow's folder, or an absolute path")]
    if path.exists() and not path.is_dir():
        return [_finding(path, "this is a file, not a folder", "correct `path`")]
    return []


def _finding(place: Path, message: str, suggestion: str) -> Finding:
    return Finding(code="MLC-GEN-0010", file=str(place), message=message, suggestion=suggestion)


async def diagnose(config: FolderConfig, context: Context, destinations: Sequence[Destination], tell: Tell) -> None:
    """Whether this account may write there, found out without writing."""
    root = resolve(_beginning(context), config.path)
    nearest = next(place for place in (root, *root.parents) if place.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        refused = PermissionError(errno.EACCES, f"this account may not write to {nearest}")
        tell(Diagnosis.failed("folder", _fault(PermissionDenied, refused, root)))
        return
    tell(Diagnosis.ok("folder", str(root) if nearest == root else f"{root}; the first delivery makes it"))


STAGE = StageSpec(
    name="generic.folder",
    verb="sink",
    exactly_once=True,
    config=FolderConfig,
    build=Folder,
    lint=lint,
    diagnose=diagnose,
    doc="Writes each delivery as one file into a folder, whole or not at all, and exactly once.",
)
