"""Executors: who runs the chunks, which chunk is next, what Ctrl-C does, what is handed on."""

from __future__ import annotations

import math
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from simdl.errors import InputError, suggest
from simdl.sweep.outcomes import FAILED, Outcome
from simdl.sweep.pools import Back, Chunk, Pool, Run, Threads, Unreachable

TARGET = 1.0  # seconds a chunk should take
LEAST = 1e-4  # seconds that a trial takes with all that is done for it outside the compiled loop
NAMES = ("threads", "dask")
HOLD = 0.5  # seconds that finished chunks may wait to be stored together
HELD = 8_000_000  # bytes that they may hold meanwhile
_ADDRESS = re.compile(r"(dask|tls)://([^/?#@\s]+:\d{1,5})/?")
_PATIENCE = 0.05  # seconds between looks for cancellation


Finished = Callable[[list[tuple[Chunk, list[Outcome]]]], bool]


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
        self._bytes: dict[int, float] = {}  # that a trial leaves, by cell

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
        """Return how many seeds of `cell` take about TARGET seconds and leave at most HELD."""
        largest = self._bytes.get(cell, max(self._bytes.values(), default=0.0))
        most = max(1, int(HELD / max(largest, 1.0)))
        if cell in self._seconds:
            return min(most, max(1, round(TARGET / max(self._seconds[cell], LEAST))))
        slowest = max(self._seconds.values(), default=TARGET)
        return min(most, max(1, int(TARGET / 2 / max(slowest, LEAST))))

    def measured(self, chunk: Chunk, seconds: float, nbytes: int = 0) -> None:
        """Learn what a chunk took and left; the newest counts, since the first one compiled."""
        self._seconds[chunk.cell] = seconds / len(chunk.seeds)
        self._bytes[chunk.cell] = nbytes / len(chunk.seeds)


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
    """Raise InputError unless there is an executor of this name, and what it needs is installed."""
    if name != "threads" and name not in NAMES and address(name) is None:
        right = "; on a cluster dask://HOST:PORT or tls://HOST:PORT"
        raise InputError(f"executor: {name!r}: unknown{suggest(str(name), NAMES)}{right}")
    if name != "threads" and find_spec("distributed") is None:
        raise InputError(f"executor: {name!r}: needs Dask: pip install 'simdl[dask]'")


def address(name: Any) -> str | None:
    """Return where Dask's scheduler is to be found, None unless an executor's name says it."""
    match = _ADDRESS.fullmatch(name) if isinstance(name, str) else None
    return f"{'tls' if match[1] == 'tls' else 'tcp'}://{match[2]}" if match else None


def threads(
    schedule: Schedule,
    run: Run,
    finished: Finished,
    jobs: int,
    stop: np.ndarray | None = None,
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Run all chunks on `jobs` threads: `run` runs one; for the rest see `conduct`.

    A chunk is to stop soon once the first element of its control block is set.
    """
    conduct(schedule, Threads(run, jobs), finished, stop, stopping)


def conduct(
    schedule: Schedule,
    pool: Pool,
    finished: Finished,
    stop: np.ndarray | None = None,
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Run all chunks in a pool, which is closed then.

    Parameters
    ----------
    schedule : gives out the chunks
    finished : gets the chunks that came back within HOLD and HELD, in this thread; False stops all
        others
    stop : (1 or more,) int64; another thread stops all by setting its first element
    stopping : called when Ctrl-C is first heard

    Raises
    ------
    Unreachable
        If no worker is left; what was finished by then is handed on.
    KeyboardInterrupt
        On Ctrl-C, once what runs is finished and handed on; on a second Ctrl-C or `stop`, at once,
        and what was finished by then is handed on.
    """
    with _Interrupts() as interrupts:
        crew, whole = _Crew(schedule, pool, finished), False
        try:
            crew.start()
            while pool.running:
                if interrupts.heard > 1 or (stop is not None and stop[0] != 0):
                    raise KeyboardInterrupt
                if interrupts.heard and not crew.closed:
                    crew.closed = True
                    stopping()
                crew.serve()
            whole = True
            if interrupts.heard:
                raise KeyboardInterrupt
        except (KeyboardInterrupt, Unreachable):
            crew.cancel()
            raise
        except BaseException:
            crew.cancel(collect=False)
            raise
        finally:
            pool.close(abandon=not whole)


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
    """A pool at work, and the chunks that came back from it."""

    def __init__(self, schedule: Schedule, pool: Pool, finished: Finished) -> None:
        self._schedule, self._pool, self._finished = schedule, pool, finished
        self.closed = False  # no new chunks
        self._back: list[Back] = []  # finished, not yet handed on
        self._held = 0  # bytes of these
        self._handed = -math.inf  # when that was last done

    def start(self) -> bool:
        """Start the next chunk, if there is one."""
        chunk = None if self.closed else self._schedule.take()
        if chunk is not None:
            self._pool.submit(chunk)
        return chunk is not None

    def serve(self) -> None:
        """Wait a moment for a chunk that comes back; start what is next, hand on what is back."""
        failed = False
        if self._pool.next(self._back, _PATIENCE):
            chunk, outcomes = self._back[-1]
            nbytes = sum(outcome.nbytes for outcome in outcomes)
            self._schedule.measured(chunk, sum(o.seconds for o in outcomes), nbytes)
            failed = any(outcome.status == FAILED for outcome in outcomes)
            self._held += nbytes
        # workers get new work before this is stored; without any, one chunk waits for them
        while (self._pool.room() or not self._pool.running) and self.start():
            pass
        # a transaction costs milliseconds on a disk, some chunks much less
        due = time.monotonic() - self._handed > HOLD or self._held > HELD
        if (due or failed or not self._pool.running) and not self._hand_on():
            self.cancel()

    def cancel(self, collect: bool = True) -> None:
        """Stop what runs; hand on what is finished all the same."""
        self.closed = True
        if collect:
            self._pool.stop(self._back)
            self._hand_on()

    def _hand_on(self) -> bool:
        if not self._back:
            return True
        going = self._finished(self._back)
        self._back, self._held, self._handed = [], 0, time.monotonic()
        return going
