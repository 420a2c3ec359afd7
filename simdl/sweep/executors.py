"""Executors: who runs the chunks. Here, threads: compiled trials run without the GIL."""

from __future__ import annotations

import contextlib
import math
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from simdl.errors import InputError, suggest
from simdl.sweep.outcomes import FAILED, Outcome

TARGET = 1.0  # seconds a chunk should take
NAMES = ("threads",)
HOLD = 0.5  # seconds that finished chunks may wait to be stored together
_PATIENCE = 0.05  # seconds between looks for cancellation


@dataclass(frozen=True)
class Chunk:
    """Consecutive seeds of one cell: one compiled call."""

    cell: int
    seeds: tuple[int, ...]


Run = Callable[[Chunk, np.ndarray], list[Outcome]]
Finished = Callable[[list[tuple[Chunk, list[Outcome]]]], bool]
_Pending = Future[tuple[list[Outcome], float]]


class Schedule:
    """Which chunk comes next, and how large it is; what it decides changes no result.

    Cells not begun come first, then those with most work left, last those whose first chunk still
    runs. A first chunk is of one seed, or of as many as would be short even in the slowest cell.

    Parameters
    ----------
    waiting : seeds to run, by cell
    most : for each cell how many seeds of a chunk memory allows; without it, any number
    """

    def __init__(
        self, waiting: Mapping[int, Sequence[int]], jobs: int, most: Mapping[int, int] | None = None
    ) -> None:
        self._most = most or {}
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
        size = min(self.size(cell), share, self._most.get(cell, share))
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
    schedule: Schedule,
    run: Run,
    finished: Finished,
    jobs: int,
    stop: np.ndarray | None = None,
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Run all chunks on `jobs` threads.

    The first chunk runs alone: what all need is compiled then.

    Parameters
    ----------
    schedule : gives out the chunks
    run : runs one; it stops soon once the first element of its control block is set
    finished : gets the chunks that came back within HOLD, in this thread; False stops all others
    stop : (1 or more,) int64; another thread stops all by setting its first element
    stopping : called when Ctrl-C is first heard

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, once what runs is finished and handed on; on a second Ctrl-C or `stop`, at once,
        and what was finished by then is handed on.
    """
    with _Interrupts() as interrupts:
        crew = _Crew(schedule, run, finished, jobs)
        try:
            crew.start()
            while crew.running:
                if interrupts.heard > 1 or (stop is not None and stop[0] != 0):
                    raise KeyboardInterrupt
                if interrupts.heard and not crew.closed:
                    crew.closed = True
                    stopping()
                crew.serve()
            if interrupts.heard:
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            crew.cancel()
            raise
        except BaseException:
            crew.cancel(collect=False)
            raise
        finally:
            crew.pool.shutdown(wait=True, cancel_futures=True)


class _Interrupts:
    """Count Ctrl-C instead of raising wherever Python is, which could lose a chunk; a third raises.

    Signals are heard in the main thread only; a handler of the user's own stays.
    """

    def __enter__(self) -> _Interrupts:
        self.heard = 0
        main = threading.current_thread() is threading.main_thread()
        self._before = signal.getsignal(signal.SIGINT) if main else None
        self._ours = self._before is signal.default_int_handler
        if self._ours:
            signal.signal(signal.SIGINT, self._hear)
        return self

    def _hear(self, number: int, frame: Any) -> None:
        self.heard += 1
        if self.heard > 2:
            signal.default_int_handler(number, frame)

    def __exit__(self, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, self._before)


class _Crew:
    """Threads at work, the chunks they run, and those that came back."""

    def __init__(self, schedule: Schedule, run: Run, finished: Finished, jobs: int) -> None:
        self._schedule, self._run, self._finished = schedule, run, finished
        self._jobs = jobs
        self.pool = ThreadPoolExecutor(jobs, thread_name_prefix="simdl")
        self.closed = False  # no new chunks
        self.running: dict[_Pending, tuple[Chunk, np.ndarray]] = {}
        # futures.wait would hold back an interrupt's handler; a queue with a timeout does not
        self._done: queue.SimpleQueue[_Pending] = queue.SimpleQueue()
        self._back: list[tuple[Chunk, list[Outcome]]] = []  # finished, not yet handed on
        self._handed = -math.inf  # when that was last done

    def start(self) -> bool:
        """Start the next chunk, if there is one."""
        chunk = None if self.closed else self._schedule.take()
        if chunk is None:
            return False
        control = np.zeros(3, np.int64)
        future = self.pool.submit(_timed, self._run, chunk, control)
        self.running[future] = chunk, control
        future.add_done_callback(self._done.put)
        return True

    def serve(self) -> None:
        """Wait a moment for a chunk that comes back; start what is next, hand on what is back."""
        failed = False
        with contextlib.suppress(queue.Empty):
            future = self._done.get(timeout=_PATIENCE)
            chunk, outcomes = self._take_back(future)
            self._schedule.measured(chunk, future.result()[1])
            failed = any(outcome.status == FAILED for outcome in outcomes)
            while len(self.running) <= self._jobs and self.start():
                pass  # threads get new work before this is stored
        # a transaction costs milliseconds on a disk, some chunks much less
        due = time.monotonic() - self._handed > HOLD
        if (due or failed or not self.running) and not self._hand_on():
            self.cancel()

    def cancel(self, collect: bool = True) -> None:
        """Stop what runs; hand on what is finished all the same."""
        self.closed = True
        for _, control in self.running.values():
            control[0] = 1
        if collect:
            for future in list(self.running):
                self._take_back(future)
            self._hand_on()

    def _take_back(self, future: _Pending) -> tuple[Chunk, list[Outcome]]:
        self._back.append((self.running[future][0], future.result()[0]))
        del self.running[future]
        return self._back[-1]

    def _hand_on(self) -> bool:
        if not self._back:
            return True
        going = self._finished(self._back)
        self._back, self._handed = [], time.monotonic()
        return going


def _timed(run: Run, chunk: Chunk, control: np.ndarray) -> tuple[list[Outcome], float]:
    start = time.perf_counter()
    return run(chunk, control), time.perf_counter() - start
