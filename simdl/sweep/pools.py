"""Pools: where chunks run. Here, threads: compiled trials run without the GIL.

Those on Dask's workers are in `simdl.sweep.cluster`.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simdl.errors import InputError
from simdl.sweep.outcomes import Outcome


@dataclass(frozen=True)
class Chunk:
    """Consecutive seeds of one cell: one compiled call."""

    cell: int
    seeds: tuple[int, ...]


Run = Callable[[Chunk, np.ndarray], list[Outcome]]
Back = tuple[Chunk, list[Outcome]]  # a chunk, and what its trials left
_Pending = Future[list[Outcome]]


class Unreachable(InputError):
    """The workers are gone: no fault of a trial, and what came back is kept."""


class Pool(Protocol):
    """Where chunks run; one thread calls all of this."""

    @property
    def running(self) -> int:
        """How many chunks are submitted and not back."""

    def room(self) -> bool:
        """Return whether another chunk had better be submitted now."""

    def submit(self, chunk: Chunk) -> None:
        """Run a chunk, as soon as there is room."""

    def next(self, back: list[Back], timeout: float) -> bool:
        """Add to `back` a chunk that came back; wait for it at most so many seconds."""

    def stop(self, back: list[Back]) -> None:
        """Stop all that runs; add to `back` what it left."""

    def close(self, abandon: bool = False) -> None:
        """End the workers; with `abandon`, what runs is of no more use."""


class Threads:
    """Threads of this process. What several need, Numba compiles once: the others wait for it."""

    def __init__(self, run: Run, jobs: int) -> None:
        self._run, self._jobs = run, jobs
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="simdl")
        self._running: dict[_Pending, tuple[Chunk, np.ndarray]] = {}
        # futures.wait would hold back an interrupt's handler; a queue with a timeout does not
        self._done: queue.SimpleQueue[_Pending] = queue.SimpleQueue()

    @property
    def running(self) -> int:
        return len(self._running)

    def room(self) -> bool:
        """One more than there are threads, so that none waits."""
        return len(self._running) <= self._jobs

    def submit(self, chunk: Chunk) -> None:
        control = np.zeros(3, np.int64)
        future = self._pool.submit(self._run, chunk, control)
        self._running[future] = chunk, control
        future.add_done_callback(self._done.put)

    def next(self, back: list[Back], timeout: float) -> bool:
        try:
            future = self._done.get(timeout=timeout)
        except queue.Empty:
            return False
        self._take_back(future, back)
        return True

    def stop(self, back: list[Back]) -> None:
        self._cancel()
        for future in list(self._running):
            self._take_back(future, back)

    def close(self, abandon: bool = False) -> None:
        if abandon:
            self._cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _cancel(self) -> None:
        for _, control in self._running.values():
            control[0] = 1

    def _take_back(self, future: _Pending, back: list[Back]) -> None:
        back.append((self._running[future][0], future.result()))
        del self._running[future]
