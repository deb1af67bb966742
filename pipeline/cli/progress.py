"""Progress of a run: bars on a terminal, a plain line now and then elsewhere. Always on stderr."""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.cli.output import counted, err, on_terminal, say
from pipeline.clock import Clock
from pipeline.engine.services import Pause

PLAIN_EVERY_SECONDS = 10.0


class Notes(set[str]):
    """What has been noted in this process: runs that follow each other do not say it again."""


class RunProgress:
    """An observer of a run that shows how far it is. Use as a context manager; quiet shows nothing. ``notes`` are those told before.

    Records are settled before their deliveries go out, and nobody knows beforehand how many these will be: hence two lines.
    """

    def __init__(self, name: str, clock: Clock, *, quiet: bool = False, notes: Notes | None = None) -> None:
        self._name = name
        self._clock = clock
        self._quiet = quiet
        self._read = self._settled = self._delivered = 0
        self._last = clock.monotonic()
        self._bars: Progress | None = None
        self._waits: dict[str, datetime] = {}  # what was told to be waited for, and until when
        self._notes = Notes() if notes is None else notes

    def __enter__(self) -> RunProgress:
        if not self._quiet and on_terminal():
            columns = (
                TextColumn("{task.description}"),
                BarColumn(bar_width=20),
                TextColumn("{task.fields[told]}"),
                TimeElapsedColumn(),
            )
            self._bars = Progress(*columns, console=err())
            self._bars.start()
            self._records = self._bars.add_task(self._name, total=None, told="")
            self._deliveries = self._bars.add_task("  delivering", total=None, told="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Leaves the terminal as it was: the cursor shown, at the start of a line. May be called twice."""
        if self._bars is not None:
            self._bars.update(self._deliveries, total=max(self._delivered, 1), completed=max(self._delivered, 1))
            self._bars.stop()

    def __call__(self, event: str, detail: Any) -> None:
        if event == "read":
            self._read += detail
        elif event == "settled":
            self._settled += detail
        elif event == "delivered":
            self._delivered += 1
        elif event == "note":
            self._note(detail)
        elif event == "waiting":
            self._waiting(detail)
        self._show()

    def _waiting(self, pause: Pause) -> None:
        """What takes long enough to be wondered at; a hundred lanes that wait for the same are told once."""
        now, told = self._clock.now(), self._waits.get(pause.why)
        if self._quiet or (told is not None and now < told):
            return
        if (pause.until - now).total_seconds() >= PLAIN_EVERY_SECONDS:
            self._waits[pause.why] = pause.until
            say(f"{self._name}: waiting until {pause.until:%H:%M:%S} UTC; {pause.why}")

    def _note(self, text: str) -> None:
        """Each text once, however many stages and runs have it to say."""
        if not self._quiet and text not in self._notes:
            self._notes.add(text)
            say(f"note  {text}")

    def _show(self) -> None:
        if self._bars is not None:
            settled = f"{self._settled:,} of {self._read:,} settled"
            self._bars.update(self._records, total=self._read, completed=self._settled, told=settled)
            self._bars.update(self._deliveries, told=f"{counted(self._delivered, 'delivery')} made")
        elif not self._quiet and self._clock.monotonic() - self._last >= PLAIN_EVERY_SECONDS:
            self._last = self._clock.monotonic()
            say(
                f"{self._name}: {self._read} read, {self._settled} settled, {counted(self._delivered, 'delivery')} made"
            )
