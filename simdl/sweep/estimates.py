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

from simdl.data import GENERATED
from simdl.data.parted import PartedData
from simdl.errors import InputError
from simdl.footprint import footprint
from simdl.instruments import Instruments
from simdl.sweep import pilots
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
    net = training.net
    item = np.dtype(net.dtype).itemsize
    _, an_epoch, steps = training.length(data.sizes[0])
    taken = footprint(training, data.sizes[0])
    own = taken["parameters"] + taken["optimizer"]
    # as read in float64 and as trained; a large file's are read once for all
    shared = isinstance(data, PartedData) and data.name not in GENERATED
    inputs = math.prod(data.input_shape) * (item if shared else 8 + item)
    targets = math.prod(net.output_shape) * (8 + item)
    history = Instruments(training, data.sizes[0]).bytes_a_trial
    for probe in training.probes:
        if probe.when == "parts":
            every = {"epoch": an_epoch, "end": steps}.get(probe.every, probe.every)
            history += steps / every * 6 * 8
    return Size(
        fixed=float(sum(taken.values()) - own),
        seed=float(sum(data.sizes) * (inputs + targets) + own) + history,
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
    """Return what a chunk of each cell takes; a measurement's is what is declared, or nothing.

    A network's program compiles what it has not yet; it is made here, and not kept.
    """
    found: dict[int, Size] = {}
    parts: dict[str, Any] = {}
    if sweep.measure is not None:
        return {cell: Size(fixed=sweep.memory or 0.0) for cell in cells}
    for cell in cells:
        configuration = sweep.configurations[cell]
        where = canonical(configuration.tables()["data"])
        if where not in parts:
            parts[where] = configuration.data(sweep.seeds[0])
        found[cell] = size_of(configuration.build(parts[where]), parts[where])
    return found


def memory(
    sweep: Sweep,
    found: Mapping[int, Size],
    jobs: int,
    stored: bool = False,
    processes: int = 0,
) -> float:
    """Return the bytes that a run takes at most; what it keeps counts twice, to be joined.

    Parameters
    ----------
    stored : histories stay in a store
    processes : of Python, beside this one; each holds what is read from files
    """
    seeds = len(sweep.seeds)
    histories = not stored and any(name != METRICS for name in sweep.record)
    running = [s.fixed + s.seed * min(s.most, seeds) for s in found.values()]
    kept = sum(s.history * histories for s in found.values()) * seeds + _KEPT * len(sweep.trials)
    each = _PROCESS + _files(sweep, found)
    return each * (1 + processes) + jobs * max(running, default=0.0) + 2 * kept


def _files(sweep: Sweep, cells: Iterable[int]) -> float:
    """Return the bytes of the data that is read from files, each once."""
    made = [sweep.configurations[cell] for cell in cells] if sweep.measure is None else []
    read = [one.source(0) for one in made if one.data_section.where not in GENERATED]
    return float(sum({id(s): s.x.nbytes + s.t.nbytes for s in read}.values()))


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
    tried : whether `memory` holds what trials of a measurement took in a pilot
    """

    trials: int
    missing: int
    seconds: float | None
    timed: int
    memory: float
    available: float
    tried: bool = False


def forecast(
    sweep: Sweep, missing: Mapping[int, int], jobs: int, stored: bool = False, processes: int = 0
) -> Forecast:
    """Time a few cells for a moment each, and reckon from that.

    Parameters
    ----------
    missing : trials to run, by cell
    stored : whether results go to a store
    processes : as of `memory`
    """
    seconds, each, tried = None, {}, False
    needed = memory(sweep, sizes(sweep, missing), jobs, stored, processes)
    if needed <= machine_memory() and missing:
        cells = sorted(missing)
        at = np.unique(np.linspace(0, len(cells) - 1, _PILOTS).round().astype(int)).tolist()
        if sweep.measure is None:
            each = {cells[i]: _trial_seconds(sweep, cells[i]) for i in at}
        else:  # the last one first: where an axis is a size, it mostly grows
            found = pilots.measure(sweep, [cells[i] for i in reversed(at)])
            each, tried = found.seconds, sweep.memory is None
            kept = 0 if stored else 2 * found.kept * len(sweep.trials)
            needed += jobs * found.memory * tried + kept
    if each:
        other = sum(each.values()) / len(each)
        work = sum(each.get(cell, other) * count for cell, count in missing.items())
        longest = max(each.values())  # a trial is not shared by jobs
        seconds = max(work / jobs, longest)
    total = sum(missing.values())
    return Forecast(len(sweep.trials), total, seconds, len(each), needed, machine_memory(), tried)


def _trial_seconds(sweep: Sweep, cell: int) -> float:
    """Return about how long one trial of a cell takes, from its first steps."""
    configuration, seed = sweep.configurations[cell], sweep.seeds[0]
    with _cancelled_after(0.0) as control:
        configuration.train([seed], control)  # compiles
    data = configuration.data(seed)
    steps = configuration.build(data).length(data.sizes[0])[2]
    del data  # or what is prepared for the next ones would be found
    start = time.perf_counter()
    configuration.prepared(seed)
    drawn = time.perf_counter() - start  # later cells may find it
    start = time.perf_counter()
    with _cancelled_after(0.0) as control:
        configuration.train([seed], control)
    prepared = time.perf_counter() - start
    start = time.perf_counter()
    with _cancelled_after(_PATIENCE) as control:
        (result,) = configuration.train([seed], control)
    took = time.perf_counter() - start
    if result.status != "cancelled":
        return drawn + took
    return drawn + prepared + max(took - prepared, 0.0) * steps / max(result.steps, 1)


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
