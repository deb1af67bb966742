"""Progress of a run: a bar on a terminal, a plain line now and then elsewhere. Always on stderr."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.cli.output import err, on_terminal, say
from pipeline.clock import Clock

PLAIN_EVERY_SECONDS = 10.0


class RunProgress:
    """An observer of a run that shows how far it is. Use as a context manager; quiet shows nothing."""

    def __init__(self, name: str, clock: Clock, *, quiet: bool = False) -> None:
        self._name = name
        self._clock = clock
        self._quiet = quiet
        self._read = self._settled = self._delivered = 0
        self._last = clock.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> RunProgress:
        if not self._quiet and on_terminal():
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[sent]}"),
                TimeElapsedColumn(),
            )
            self._bar = Progress(*columns, console=err())
            self._bar.start()
            self._task = self._bar.add_task(self._name, total=None, sent="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: str, detail: Any) -> None:
        if event == "read":
            self._read += detail
        elif event == "settled":
            self._settled += detail
        elif event == "delivered":
            self._delivered += 1
        self._show()

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.update(
                self._task, total=self._read, completed=self._settled, sent=f"{self._delivered} deliveries"
            )
        elif not self._quiet and self._clock.monotonic() - self._last >= PLAIN_EVERY_SECONDS:
            self._last = self._clock.monotonic()
            say(f"{self._name}: {self._read} read, {self._settled} settled, {self._delivered} deliveries made")
