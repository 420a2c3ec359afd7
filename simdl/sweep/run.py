"""A sweep: grid times seeds, run by an executor, kept in a store, returned as one dataset."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simdl.configuration import Configuration
from simdl.engine.blas import single_thread
from simdl.errors import InputError, Problems
from simdl.sweep import description, estimates, executors, grid, ledger
from simdl.sweep.joining import checked, join
from simdl.sweep.measures import check_measure, plain
from simdl.sweep.outcomes import FAILED, METRICS, Outcome, measure_cell, train_cell
from simdl.sweep.pools import Chunk, Pool, Threads
from simdl.sweep.progress import FailedTrials, Failure, Progress
from simdl.sweep.session import Session
from simdl.sweep.store import Store

if TYPE_CHECKING:
    import xarray


class Sweep:
    """Many trials: a base description, axes whose product is the grid, and seeds.

    Parameters
    ----------
    base : the table of a configuration file (without seeds and axes); or a measurement's settings
    axes : key -> values. A training's keys are dotted ("network.depth"), a measurement's plain.
        Keys that vary together are one: "network.width,network.depth": [[8, 2], [64, 10]]
    seeds : how many, from 0; or a list
    record : names of what is kept. Of a training, beside "diverged" and "steps" (with a stop rule
        "stopped_early" and "best_step", too): the history's variables (arrays with their
        dimensions) or, for what is measured at the end only, metrics; "metrics" stands for all
        final metrics, which is the default. Of a measurement by default all that it returns
    measure : a function ``(settings, seed) -> {name: number, array or DataArray}`` at the top level
        of a module, called instead of a training
    name : what messages and the store call it
    memory : bytes that one call of `measure` takes, for forecasts; without it a dry run tries one

    Raises
    ------
    InputError
        With the problems of all cells.
    """

    def __init__(
        self,
        base: Mapping[str, Any],
        axes: Mapping[str, Sequence[Any]] | None = None,
        seeds: int | Sequence[int] = 16,
        record: Sequence[str] | None = None,
        measure: Callable[[dict[str, Any], int], Mapping[str, Any]] | None = None,
        name: str = "sweep",
        memory: float | None = None,
    ) -> None:
        problems = Problems()
        self.name, self.measure = name, measure
        if not isinstance(base, Mapping):
            raise InputError(f"base: {base!r}: must be a table")
        if not isinstance(axes, Mapping | None):
            raise InputError(f"axes: {axes!r}: must be a table of keys and lists of values")
        self.axes, wrong = grid.read_axes(axes or {})
        problems += wrong
        self.seeds = problems.tried(grid.read_seeds, seeds)
        self.record = problems.tried(_record, record)
        self.memory = problems.tried(_memory, memory, measure)
        self.base: dict[str, Any] = problems.tried(plain, base, "" if measure is None else "base")
        if measure is not None:
            problems.tried(check_measure, measure)
        else:
            self.axes, wrong = grid.check_sections(self.axes)
            problems += wrong
        too_many = grid.check_size(self.axes, self.seeds or (0,))
        problems += too_many
        # what can be read of the rest is checked even so, for all problems to be told at once
        self.cells = [] if too_many or self.base is None else grid.expand(self.base, self.axes)
        self.configurations: list[Configuration] = []  # one a cell; none of a measurement
        if measure is None:
            checked = (self.cells, self.axes, self.record or (), (self.seeds or (0,))[0])
            self.configurations = problems.tried(grid.configurations, *checked)
        problems.report()

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Sweep:
        """Read a sweep from a file: a training's configuration with seeds, [axes] and record.

        Raises
        ------
        InputError, StorageError
            With every problem of the file.
        """
        problems = Problems()
        file = Path(path)
        table = description.read_toml(file)
        given, wrong = description.from_table(table, file.stem)
        problems += wrong
        made = problems.tried(lambda: cls(**given))
        problems.report()
        return made

    @cached_property
    def trials(self) -> list[grid.Trial]:
        """All trials with their identities, cell by cell."""
        if self.measure is not None:
            return grid.measurement_trials(self.cells, self.seeds, self.measure, self.record)
        return grid.training_trials(self.configurations, self.seeds, self.record)

    @cached_property
    def description(self) -> dict[str, Any]:
        """What the store keeps of this sweep, beside its trials."""
        return description.describe(self)

    def missing(
        self, store: str | os.PathLike[str] | None = None, shard: tuple[int, int] | None = None
    ) -> int:
        """Return how many trials `run` would have to run; raises what `run` raises of these.

        Parameters
        ----------
        store : path; one that is not there is not made. None: nothing is stored yet
        shard : (i, n), the i-th of n parts, from 1; None: all
        """
        identities = self._distinct(shard)
        if store is None or not Path(store).exists():
            return len(identities)
        with Store(store) as opened:
            return len(identities) - len(opened.done(identities))

    def changes(self, store: str | os.PathLike[str]) -> list[str]:
        """Say what differs from the newest sweep of this name in a store, a line a thing.

        Nothing where the store has no such sweep, or has this one.
        """
        if not Path(store).exists():
            return []
        with Store(store) as opened:
            known = [e for e in ledger.entries(opened) if e.name == self.name]
        if not known or self._key in {entry.key for entry in known}:
            return []
        return description.changes(known[-1].description, self.description)

    def forecast(
        self, store: str | os.PathLike[str] | None = None, jobs: int = -1,
        shard: tuple[int, int] | None = None, *, fresh: bool = False, executor: str = "threads",
    ) -> estimates.Forecast:  # fmt: skip
        """Return what `run` would take: trials, seconds by a short pilot, memory; keep nothing.

        Times are this machine's, also where a cluster is to run it, which is not asked.

        Parameters
        ----------
        store, shard, jobs, fresh, executor : as of `run`
        """
        wanted = set(self._distinct(shard))
        if store is not None and Path(store).exists() and not fresh:
            with Store(store) as opened:
                wanted -= opened.done(wanted)
        missing: dict[int, int] = {}
        for trial in self.trials:
            if trial.identity in wanted:
                wanted.remove(trial.identity)
                missing[trial.cell] = missing.get(trial.cell, 0) + 1
        here, stored = executors.workers(jobs), store is not None
        return estimates.forecast(self, missing, here, stored, _processes(executor, here, missing))

    @cached_property
    def _key(self) -> str:
        return ledger.key_of(self.name, self.description, self.trials)

    def _distinct(self, shard: tuple[int, int] | None = None) -> list[str]:
        """Identities in order, each once: cells may describe the same training."""
        distinct = list(dict.fromkeys(trial.identity for trial in self.trials))
        if shard is None:
            return distinct
        number, count = shard
        if not 1 <= number <= count:
            raise InputError(f"shard: {number}/{count}: must be I/N with I from 1 to N")
        return distinct[number - 1 :: count]

    def run(
        self,
        store: str | os.PathLike[str] | None = None,
        jobs: int = -1,
        executor: str = "threads",
        progress: Callable[[Progress], None] | None = None,
        control: np.ndarray | None = None,
        *,
        fresh: bool = False,
        keep_going: bool = True,
        shard: tuple[int, int] | None = None,
    ) -> xarray.Dataset:
        """Run the trials that are not stored yet, and return all.

        Parameters
        ----------
        store : file that keeps results; None keeps them in memory only
        jobs : chunks that run at once; -1 is one a core, on a cluster one a thread of its workers
        executor : "threads"; "dask" for processes on this machine; "dask://HOST:PORT" or
            "tls://HOST:PORT" for the workers of a Dask scheduler, with the certificates that Dask's
            own configuration names
        progress : called with a `Progress` at the start and after each chunk
        control : (1 or more,) int64; another thread stops the sweep, as a second Ctrl-C does, by
            setting its first element
        fresh : run this sweep's stored trials again, too
        keep_going : False stops at the first failed trial; what is finished by then is kept
        shard : (i, n) runs the i-th of n parts, counted from 1; the others' trials are in the
            dataset as far as they are stored

        Returns
        -------
        xarray.Dataset
            A dimension an axis, then seed, then the variables' own; attributes: name, trials,
            trained (how many ran now) and seconds (sum over trials; provenance). With a store,
            arrays are read from there when they are looked at; ``runs.load()`` reads them all.

        Raises
        ------
        InputError, StorageError
        FailedTrials
            After all else is done and stored; failed trials are tried again by the next run.
        KeyboardInterrupt
            On Ctrl-C, once the chunks that run are finished and stored; on a second one at once:
            finished chunks are stored.
        """
        executors.workers(jobs)
        executors.check_executor(executor)
        wanted = set(self._distinct(shard))
        with Store(store) if store is not None else contextlib.nullcontext() as opened:
            found = opened.results(self._distinct(), lazy=True) if opened else {}
            if fresh:
                found = {key: outcome for key, outcome in found.items() if key not in wanted}
            session = Session(self, opened, found, wanted, progress, keep_going)
            del found
            session.report()
            lent = self._pool(executor, jobs, session.waiting, opened is not None)
            with lent as (pool, schedule):
                if opened and fresh:
                    ledger.forget(opened, wanted)
                if opened and (session.waiting or not ledger.is_registered(opened, self._key)):
                    where = description.provenance() | {"executor": executor}
                    ledger.register(opened, self.name, self.description, self.trials, where)
                executors.conduct(schedule, pool, session.finished, control, session.stopping)
            outcomes = session.outcomes
            if opened:
                outcomes = outcomes | opened.results(self._distinct(), lazy=True)
        return self._dataset(outcomes, session.trained)

    @contextlib.contextmanager
    def _pool(
        self, executor: str, jobs: int, waiting: Mapping[int, Sequence[int]], stored: bool
    ) -> Iterator[tuple[Pool, executors.Schedule]]:
        """Lend what runs the trials, and the plan of their chunks.

        Raises
        ------
        InputError
            If they would not fit into memory; that of a cluster is not ours to judge.
        """
        sizes = estimates.sizes(self, waiting)
        most = {cell: size.most for cell, size in sizes.items()}
        here = executors.workers(jobs)
        if executors.address(executor) is None:
            count = {cell: len(seeds) for cell, seeds in waiting.items()}
            processes = _processes(executor, here, count)
            needed = estimates.memory(self, sizes, here, stored, processes)
            estimates.refuse_too_large(needed, estimates.machine_memory(), here)
        if executor == "threads" or not waiting:
            with single_thread() if waiting else contextlib.nullcontext():
                yield Threads(self.run_chunk, here), executors.Schedule(waiting, here, most)
            return
        from simdl.sweep.cluster import Cluster  # Dask is an extra

        with Cluster.opened(self, executor, waiting, jobs) as pool:
            yield pool, executors.Schedule(waiting, pool.threads, most)

    def run_chunk(self, chunk: Chunk, control: np.ndarray) -> list[Outcome]:
        """Run consecutive seeds of one cell; what raises is an outcome, too."""
        if self.measure is None:
            configuration = self.configurations[chunk.cell]
            results = train_cell(configuration, self.record, chunk.seeds, control)
        else:
            table = self.cells[chunk.cell].table
            results = measure_cell(self.measure, table, chunk.seeds, control, self.record)
        return [checked(result, self.taken) for result in results]

    @property
    def taken(self) -> set[str]:
        """Names that stand for seeds and axes, and for nothing that is recorded."""
        return {"seed"} | {key for axis in self.axes for key in (axis.name, *axis.keys)}

    def _dataset(self, outcomes: Mapping[str, Outcome], trained: int) -> xarray.Dataset:
        position = {seed: i for i, seed in enumerate(self.seeds)}
        good = {}
        failures = []
        for trial in self.trials:
            outcome = outcomes.get(trial.identity)
            if outcome is None:
                continue  # of another shard, or stopped before it
            if outcome.status == FAILED:
                where = self.cells[trial.cell].coordinates
                failures.append(Failure(where, trial.seed, outcome.message))
            else:
                good[trial.cell, position[trial.seed]] = outcome
        runs = join(self.axes, self.cells, self.seeds, good)
        runs.attrs = {
            "name": self.name,
            "trials": len(self.trials),
            "trained": trained,
            "seconds": sum(outcome.seconds for outcome in outcomes.values()),
        }
        if failures:
            raise FailedTrials(self.name, len(self.trials), failures, runs)
        return runs


def _processes(executor: str, jobs: int, missing: Mapping[int, int]) -> int:
    """Return how many worker processes are started on this machine for so many trials a cell."""
    return min(jobs, sum(missing.values())) if executor == "dask" else 0


def _record(record: Any) -> tuple[str, ...]:
    if record is None:
        return (METRICS,)
    listed = isinstance(record, Sequence) and not isinstance(record, str)
    if not listed or not all(isinstance(name, str) for name in record):
        raise InputError(f"record: {record!r}: must be a list of names")
    return tuple(record)


def _memory(memory: Any, measure: Any) -> float | None:
    if memory is None:
        return None
    if measure is None:
        raise InputError(f"memory: {memory!r}: a training's is reckoned: leave memory out")
    if isinstance(memory, bool) or not isinstance(memory, int | float) or not 0 <= memory < np.inf:
        raise InputError(f"memory: {memory!r}: must be bytes, a number of at least 0")
    return float(memory)
