"""Measuring two things side by side: rounds alternate, the best of each side counts, so that a noisy machine hurts both alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import msgspec


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """``ratio`` = ours / floor, in seconds for the same work. ``bar`` is the most we allow; None where it is only reported.

    ``units`` of work per round tell a rate; 0 where there is none, as when it is bytes that are compared.
    """

    bench: str
    what: str
    floor: str
    ours_seconds: float
    floor_seconds: float
    units: int
    bar: float | None = None
    lower_is_better: bool = True

    @property
    def ratio(self) -> float:
        return self.ours_seconds / self.floor_seconds

    @property
    def holds(self) -> bool:
        return self.bar is None or self.ratio <= self.bar


def best_of(rounds: int, ours: Callable[[], float], floor: Callable[[], float]) -> tuple[float, float]:
    """The best seconds of each side over alternating rounds. Each callable returns the seconds it measured itself."""
    best_ours = best_floor = float("inf")
    for _ in range(rounds):
        gc.collect()
        best_floor = min(best_floor, floor())
        gc.collect()
        best_ours = min(best_ours, ours())
    return best_ours, best_floor


def cpu_seconds(function: Callable[[], object]) -> float:
    """How long this thread computes in one call: what other processes take meanwhile does not count."""
    began = time.thread_time()
    function()
    return time.thread_time() - began


def seconds(function: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
