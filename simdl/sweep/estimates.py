"""What a sweep will take: memory, from the sizes of its arrays; time, from a pilot."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simdl.errors import InputError
from simdl.instruments import Instruments
from simdl.sweep.measures import canonical
from simdl.sweep.outcomes import METRICS

if TYPE_CHECKING:
    from simdl.sweep.run import Sweep

CHUNK = 64e6  # bytes that the seeds of one chunk may take together, unless one takes more
_PROCESS = 400e6  # of Python with all that is imported and compiled
_KEPT = 4000  # bytes of a trial's result beside its histories
_PILOTS = 8  # cells that a pilot times; of more, evenly spread ones
_PATIENCE = 0.3  # seconds a pilot's trial may take
_LIMITS = (  # of a container
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)


@dataclass(frozen=True)
class Size:
    """Bytes of a chunk of one cell.

    Attributes
    ----------
    fixed : gradients and activations, whatever the number of seeds
    seed : data, parameters, the optimizer's state and what is measured, a seed
    history : of these, what is measured along the way
    """

    fixed: float = 0.0
    seed: float = 0.0
    history: float = 0.0

    @property
    def most(self) -> int:
        """Seeds of a chunk that memory allows."""
        return max(1, int(CHUNK / max(self.seed, 1.0)))


def size_of(training: Any, data: Any) -> Size:
    """Return what a chunk of this training takes, by the arrays that it makes."""
    from simdl.engine.program import EVALUATION_ROWS

    net = training.net
    item = net.dtype.itemsize if isinstance(net.dtype, np.dtype) else np.dtype(net.dtype).itemsize
    batch, an_epoch, steps = training.length(len(data.train[0]))
    program = net.program
    cells = sum(program.layout(rows).size for rows in (batch, EVALUATION_ROWS))
    samples = [x.size + t.size for x, t in filter(None, (data.train, data.validation, data.test))]
    history = Instruments(training, len(data.train[0])).bytes_a_trial
    for probe in training.probes:
        if probe.when == "parts":
            every = {"epoch": an_epoch, "end": steps}.get(probe.every, probe.every)
            history += steps / every * 6 * 8
    parameters = net.n_parameters * item
    return Size(
        fixed=2.0 * cells * item + parameters,
        # as read in float64 and as trained; parameters twice with a stop rule's best ones
        seed=sum(samples) * (8.0 + item)
        + parameters * (2 + training.optimizer.rule()[2])
        + history,
        history=history,
    )


def machine_memory(limits: Sequence[str] = _LIMITS) -> float:
    """Return the bytes of memory that this machine, or its container, has."""
    whole = math.inf
    with contextlib.suppress(AttributeError, ValueError, OSError):  # a system that does not tell
        whole = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for place in limits:
        with contextlib.suppress(OSError, ValueError):  # none there, or "max"
            whole = min(whole, float(Path(place).read_text(encoding="ascii")))
    return whole


def sizes(sweep: Sweep, cells: Iterable[int]) -> dict[int, Size]:
    """Return what a chunk of each cell takes; a measurement's is not known and counts nothing.

    A network's program compiles what it has not yet; it is made here, and not kept.
    """
    found: dict[int, Size] = {}
    parts: dict[str, Any] = {}
    for cell in cells if sweep.measure is None else ():
        configuration = sweep.configurations[cell]
        where = canonical(configuration.tables()["data"])
        if where not in parts:
            parts[where] = configuration.data(sweep.seeds[0])
        found[cell] = size_of(configuration.build(parts[where]), parts[where])
    return found


def memory(sweep: Sweep, found: Mapping[int, Size], jobs: int, processes: int = 0) -> float:
    """Return the bytes that a run takes at most; what it keeps counts twice, to be joined.

    Parameters
    ----------
    processes : of Python, beside this one
    """
    seeds = len(sweep.seeds)
    histories = any(name != METRICS for name in sweep.record)
    running = [s.fixed + s.seed * min(s.most, seeds) for s in found.values()]
    kept = sum(s.history * histories for s in found.values()) * seeds + _KEPT * len(sweep.trials)
    return _PROCESS * (1 + processes) + jobs * max(running, default=0.0) + 2 * kept


def refuse_too_large(needed: float, available: float, jobs: int) -> None:
    """Raise InputError, with the figures, where a sweep does not fit into memory."""
    if needed > available:
        raise InputError(
            f"memory: {giga(needed)} estimated for {jobs} jobs: must be at most {giga(available)},"
            " what this machine has: take fewer jobs, a smaller network, fewer seeds or less in"
            " record"
        )


def giga(count: float) -> str:
    """Say bytes in GB."""
    return f"{count / 1e9:,.2f} GB"


# --- time -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Forecast:
    """What a dry run tells.

    Attributes
    ----------
    trials, missing : of the sweep, and those that are not stored
    seconds : of wall time for the missing ones, without compiling; None where nothing was timed
    timed : cells that the pilot timed
    memory, available : bytes
    """

    trials: int
    missing: int
    seconds: float | None
    timed: int
    memory: float
    available: float


def forecast(sweep: Sweep, missing: Mapping[int, int], jobs: int) -> Forecast:
    """Time a few cells for a moment each, and reckon from that.

    Parameters
    ----------
    missing : trials to run, by cell
    """
    seconds, timed = None, 0
    needed = memory(sweep, sizes(sweep, missing), jobs)
    if needed <= machine_memory() and missing and sweep.measure is None:
        cells = sorted(missing)
        at = np.unique(np.linspace(0, len(cells) - 1, _PILOTS).round().astype(int))
        each = {cells[i]: _trial_seconds(sweep, cells[i]) for i in at}
        other = sum(each.values()) / len(each)
        work = sum(each.get(cell, other) * count for cell, count in missing.items())
        longest = max(each.values())  # a trial is not shared by jobs
        seconds, timed = max(work / jobs, longest), len(each)
    total = sum(missing.values())
    return Forecast(len(sweep.trials), total, seconds, timed, needed, machine_memory())


def _trial_seconds(sweep: Sweep, cell: int) -> float:
    """Return about how long one trial of a cell takes, from its first steps."""
    configuration, seed = sweep.configurations[cell], sweep.seeds[0]
    with _cancelled_after(0.0) as control:
        configuration.train([seed], control)  # compiles
    start = time.perf_counter()
    data = configuration.data(seed)
    training = configuration.build(data)
    prepared = time.perf_counter() - start
    steps = training.length(len(data.train[0]))[2]
    start = time.perf_counter()
    with _cancelled_after(_PATIENCE) as control:
        (result,) = configuration.train([seed], control)
    took = time.perf_counter() - start
    if result.status != "cancelled":
        return took
    return prepared + max(took - prepared, 0.0) * steps / max(result.steps, 1)


@contextlib.contextmanager
def _cancelled_after(seconds: float) -> Iterator[np.ndarray]:
    """Lend a control block that cancels after a while."""
    control = np.zeros(3, np.int64)
    timer = threading.Timer(seconds, control.__setitem__, (0, 1))
    timer.start()
    try:
        yield control
    finally:
        timer.cancel()
