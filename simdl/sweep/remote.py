"""What runs on a Dask worker: getting ready for a sweep, and its chunks."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import operator
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simdl import _sources
from simdl.configuration import Configuration
from simdl.engine.blas import single_thread
from simdl.sweep.joining import checked
from simdl.sweep.measures import canonical
from simdl.sweep.outcomes import CANCELLED, Outcome, measure_cell, train_cell
from simdl.sweep.shipping import Job, data_key, versions

__all__ = ["Unprepared", "forget", "prepare", "run", "stop", "versions"]

_KEPT = 8  # jobs that a worker remembers, of clients that went away too


class Unprepared(Exception):
    """This process does not know the job: it is a new one under an old address."""


class _Prepared:
    """A job on this worker."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job, self.folder = job, folder
        self.stopped = False
        self._controls: list[np.ndarray] = []
        self._made: dict[str, Configuration] = {}

    @contextlib.contextmanager
    def control(self) -> Iterator[np.ndarray]:
        """Lend a control block, which `stop` sets."""
        control = np.zeros(3, np.int64)
        self._controls.append(control)
        if self.stopped:
            control[0] = 1
        try:
            yield control
        finally:
            self._controls[:] = [other for other in self._controls if other is not control]

    def stop(self) -> None:
        self.stopped = True
        for control in list(self._controls):
            control[0] = 1

    def configuration(self, table: Any) -> Configuration:
        """Return what a cell's table describes; its data set is the client's."""
        key = canonical(table)
        if key not in self._made:
            made = Configuration.parse(table)
            if data_key(made) in self.job.data:
                made = made.reading(self.job.data[data_key(made)])
            self._made = {key: made}  # chunks of a cell mostly follow each other
        return self._made[key]

    def measure(self) -> Any:
        module, _, name = str(self.job.measure).partition(":")
        return operator.attrgetter(name)(importlib.import_module(module))


_jobs: dict[str, _Prepared] = {}
_lock = threading.RLock()  # what a name imports is one client's at a time
_active: list[Path] = []  # the folder whose modules are imported under their names


def prepare(job: Job, dask_worker: Any = None) -> list[str]:
    """Get ready for a job; return what is in its way.

    A module of the user's is imported from the client's source, whatever lies here under its name.
    """
    if job.own_processes:  # a terminal's Ctrl-C is for the client, which says what is to end
        with contextlib.suppress(ValueError):  # not in the main thread, where it would not come
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepared = _Prepared(job, _unpack(job, getattr(dask_worker, "local_directory", None)))
    problems = []
    with _lock:
        _activate(prepared)
        for name, digest in job.digests.items():
            try:
                importlib.import_module(name)
                same = _sources.digest(name) == digest
            except Exception as error:  # whatever a user's module raises
                problems.append(f"{name}: cannot be imported there: {error}: install what it needs")
                continue
            if not same:
                problems.append(f"{name}: is another version there: install the same")
    if not problems:
        for old in list(_jobs)[: -_KEPT + 1]:
            del _jobs[old]
        _jobs[job.key] = prepared
    return problems


def run(key: str, table: Any, seeds: Sequence[int]) -> list[Outcome]:
    """Run seeds of one cell; return what they left.

    Without seeds what a training of this cell needs is compiled, or loaded, for others to find it.

    Raises
    ------
    Unprepared
        If `prepare` was not called in this process.
    """
    prepared = _jobs.get(key)
    if prepared is None:
        raise Unprepared(key)
    job = prepared.job
    with prepared.control() as control, single_thread():
        if prepared.stopped:
            outcomes = [Outcome(seed, CANCELLED) for seed in seeds]
        elif job.measure is None:
            with _lock:
                _activate(prepared)
                configuration = prepared.configuration(table)
            if not seeds:
                control[0] = 1  # ends before its first step
            outcomes = train_cell(configuration, job.record, seeds or (0,), control)
        else:
            with _lock:
                _activate(prepared)
                function = prepared.measure()
            outcomes = measure_cell(function, table, seeds, control, job.record)
    taken = set(job.taken)
    return [checked(outcome, taken) for outcome in outcomes if outcome.seed in seeds]


def stop(key: str) -> None:
    """End the chunks of a job soon; it gets no others."""
    if key in _jobs:
        _jobs[key].stop()


def forget(key: str) -> None:
    """Free what is held for a job."""
    stop(key)
    _jobs.pop(key, None)


def _unpack(job: Job, base: str | None) -> Path:
    """Write the client's sources into a folder that bears their digest."""
    total = hashlib.sha256()
    for name, content in sorted(job.files.items()):
        total.update(f"{name}\0{len(content)}\0".encode() + content)
    above = Path(base or tempfile.gettempdir()) / f"simdl-{os.getpid()}"
    folder = above / total.hexdigest()[:16]
    for name, content in job.files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.write_bytes(content)
    return folder


def _activate(prepared: _Prepared) -> None:
    """Let the names of a job's own modules mean the client's sources."""
    if _active == [prepared.folder]:
        return
    for folder in _active:
        sys.path[:] = [place for place in sys.path if place != str(folder)]
        _drop(lambda path, folder=folder: path.is_relative_to(folder))
    names = {name.removesuffix(".py").removesuffix("/__init__") for name in prepared.job.files}
    for name in names:
        sys.modules.pop(name.replace("/", "."), None)
    if prepared.job.files:
        sys.path.insert(0, str(prepared.folder))
    importlib.invalidate_caches()
    _sources.digest.cache_clear()
    _active[:] = [prepared.folder]


def _drop(ours: Any) -> None:
    """Forget the modules whose file is `ours`."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and ours(Path(file)):
            del sys.modules[name]
