"""A measurement, tried: how long it takes, how much memory, how much it leaves."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simdl.sweep.outcomes import FAILED, Outcome

if TYPE_CHECKING:
    from simdl.sweep.run import Sweep

PATIENCE = 2.0  # seconds after which no further cell is tried; one trial always ends


@dataclass(frozen=True)
class Tried:
    """What the pilot of a measurement found.

    Attributes
    ----------
    seconds : a trial, by cell
    memory : bytes that one call takes at most, as Python and NumPy allocate; what compiled code
        allocates by itself is not seen
    kept : bytes of arrays that a trial leaves, on average
    """

    seconds: dict[int, float]
    memory: float
    kept: float


def measure(sweep: Sweep, cells: Sequence[int]) -> Tried:
    """Measure the first seed of some cells; what fails tells nothing. Nothing is kept.

    The largest one in memory counts, so each is tried twice: traced, which is slow and compiles,
    and timed, unless the first took all the patience.
    """
    begun = time.perf_counter()
    seconds: dict[int, float] = {}
    memory = 0.0
    kept: list[int] = []
    for cell in cells:
        if kept and time.perf_counter() - begun > PATIENCE:
            break
        peak, outcome = _traced(sweep, cell)
        if time.perf_counter() - begun < PATIENCE:
            outcome = _once(sweep, cell)
        if outcome.status == FAILED:
            continue
        arrays = [*outcome.variables.values(), *outcome.coordinates.values()]
        memory = max(memory, peak)
        kept.append(sum(array.values.nbytes for array in arrays))
        seconds[cell] = outcome.seconds
    return Tried(seconds, memory, float(np.mean(kept)) if kept else 0.0)


def _once(sweep: Sweep, cell: int) -> Outcome:
    from simdl.sweep.pools import Chunk

    (outcome,) = sweep.run_chunk(Chunk(cell, sweep.seeds[:1]), np.zeros(3, np.int64))
    return outcome


def _traced(sweep: Sweep, cell: int) -> tuple[float, Outcome]:
    """Return the peak of what one trial allocates, and its outcome; others may be tracing."""
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start(1)
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        outcome = _once(sweep, cell)
        return float(tracemalloc.get_traced_memory()[1] - before), outcome
    finally:
        if ours:
            tracemalloc.stop()
