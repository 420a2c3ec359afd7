"""Executors: who runs the chunks. Here, threads: compiled trials run without the GIL."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from simdl.errors import InputError, suggest
from simdl.sweep.outcomes import Outcome

TARGET = 1.0  # seconds a chunk should take
NAMES = ("threads",)
_PATIENCE = 0.05  # seconds between looks for cancellation


@dataclass(frozen=True)
class Chunk:
    """Consecutive seeds of one cell: one compiled call."""

    cell: int
    seeds: tuple[int, ...]


Run = Callable[[Chunk, np.ndarray], list[Outcome]]
Finished = Callable[[Chunk, list[Outcome]], None]
_Pending = Future[tuple[list[Outcome], float]]


class Schedule:
    """Which chunk comes next, and how large it is; what it decides changes no result.

    Cells not begun come first, then those with most work left, last those whose first chunk still
    runs. A first chunk is of one seed, or of as many as would be short even in the slowest cell.
    """

    def __init__(self, waiting: Mapping[int, Sequence[int]], jobs: int) -> None:
        self._waiting = {cell: list(seeds) for cell, seeds in waiting.items() if seeds}
        self._jobs = jobs
        self._new = dict.fromkeys(self._waiting)
        self._seconds: dict[int, float] = {}  # a trial, by cell

    def take(self) -> Chunk | None:
        """Return the next chunk, None when all are taken."""
        if not self._waiting:
            return None
        if self._new:
            cell = next(iter(self._new))
            del self._new[cell]
        else:
            cell = max(self._waiting, key=self._work)
        seeds = self._waiting[cell]
        share = len(seeds) if len(self._waiting) >= self._jobs else -(-len(seeds) // self._jobs)
        size = min(self.size(cell), share)
        self._waiting[cell] = seeds[size:]
        if not self._waiting[cell]:
            del self._waiting[cell]
        return Chunk(cell, tuple(seeds[:size]))

    def _work(self, cell: int) -> float:
        """Return the seconds of what waits, 0 where that is not known yet."""
        return self._seconds.get(cell, 0.0) * len(self._waiting[cell])

    def size(self, cell: int) -> int:
        """Return how many seeds of `cell` take about TARGET seconds."""
        if cell in self._seconds:
            return max(1, round(TARGET / max(self._seconds[cell], 1e-6)))
        slowest = max(self._seconds.values(), default=TARGET)
        return max(1, int(TARGET / 2 / max(slowest, 1e-6)))

    def measured(self, chunk: Chunk, seconds: float) -> None:
        """Learn how long a chunk took; the newest counts, since the first one also compiled."""
        self._seconds[chunk.cell] = seconds / len(chunk.seeds)


def workers(jobs: int) -> int:
    """Return the number of jobs; -1 is one a core that this process may use.

    Raises
    ------
    InputError
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or (jobs < 1 and jobs != -1):
        raise InputError(f"jobs: {jobs!r}: must be a whole number above 0, or -1 for every core")
    if jobs > 0:
        return jobs
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def check_executor(name: Any) -> None:
    """Raise InputError unless there is an executor of this name."""
    if name not in NAMES:
        raise InputError(f"executor: {name!r}: unknown{suggest(str(name), NAMES)}")


def threads(
    schedule: Schedule, run: Run, finished: Finished, jobs: int, stop: np.ndarray | None = None
) -> None:
    """Run all chunks on `jobs` threads.

    The first chunk runs alone: what all need is compiled then.

    Parameters
    ----------
    schedule : gives out the chunks
    run : runs one; it stops soon once the first element of its control block is set
    finished : gets what came out, in this thread
    stop : (1 or more,) int64; another thread stops all by setting its first element

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C or `stop`, after what was finished was handed on.
    """
    running: dict[_Pending, tuple[Chunk, np.ndarray]] = {}
    # futures.wait takes locks in Python, which an interrupt may leave held; a simple queue does not
    done: queue.SimpleQueue[_Pending] = queue.SimpleQueue()

    def start() -> bool:
        chunk = schedule.take()
        if chunk is None:
            return False
        control = np.zeros(3, np.int64)
        future = pool.submit(_timed, run, chunk, control)
        running[future] = chunk, control
        future.add_done_callback(done.put)
        return True

    def cancel() -> None:
        for _, control in running.values():
            control[0] = 1

    def collect(future: _Pending) -> None:
        finished(running[future][0], future.result()[0])
        del running[future]  # not before: an interrupt in between must not lose it

    pool = ThreadPoolExecutor(jobs, thread_name_prefix="simdl")
    try:
        start()
        while running:
            if stop is not None and stop[0] != 0:
                raise KeyboardInterrupt
            try:
                future = done.get(timeout=_PATIENCE)
            except queue.Empty:
                continue
            schedule.measured(running[future][0], future.result()[1])
            while len(running) <= jobs and start():  # threads get new work before this is stored
                pass
            collect(future)
    except KeyboardInterrupt:
        cancel()
        for future in list(running):
            collect(future)
        raise
    except BaseException:
        cancel()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _timed(run: Run, chunk: Chunk, control: np.ndarray) -> tuple[list[Outcome], float]:
    start = time.perf_counter()
    return run(chunk, control), time.perf_counter() - start
