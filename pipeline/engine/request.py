"""What a run is asked to do."""

from __future__ import annotations

import msgspec

from pipeline.record import Window

DEFAULT_WAIT_SECONDS = 120.0


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: the window, how long deliveries may wait for the far side, and what kind of run the ledger shall name.

    ``deliver_only`` reads no source: what is stored and open is delivered, nothing else. ``rewrite`` reads from the beginning, and sends
    wanted states to their sinks although they are what was written last: somebody may have changed the far side since.
    """

    window: Window = Window()
    wait_seconds: float = DEFAULT_WAIT_SECONDS
    kind: str = "run"
    deliver_only: bool = False
    rewrite: bool = False
