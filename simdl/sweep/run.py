"""A sweep: grid times seeds, run by an executor, kept in a store, returned as one dataset."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from simdl.engine.blas import single_thread
from simdl.errors import InputError, Problems
from simdl.sweep import executors, grid
from simdl.sweep.joining import join, refuse_clash
from simdl.sweep.measures import canonical, check_measure, plain
from simdl.sweep.outcomes import (
    CANCELLED,
    FAILED,
    METRICS,
    Outcome,
    measure_cell,
    train_cell,
)
from simdl.sweep.store import Store

if TYPE_CHECKING:
    import xarray

_LISTED = 20  # failures in a message


@dataclass(frozen=True)
class Failure:
    """A trial that raised: where it stands, and what it said."""

    coordinates: Mapping[str, Any]
    seed: int
    message: str


class FailedTrials(RuntimeError):
    """Trials raised; everything else is done (command line: exit 4).

    Attributes
    ----------
    failures : tuple of Failure
    runs : the dataset, without the values of those
    """

    def __init__(self, name: str, total: int, failures: Sequence[Failure], runs: Any) -> None:
        lines = [f"{name}: {len(failures)} of {total} trials failed:"]
        for failure in failures[:_LISTED]:
            where = "".join(f"{key} = {value}, " for key, value in failure.coordinates.items())
            lines.append(f"  {where}seed {failure.seed}: {failure.message}")
        if len(failures) > _LISTED:
            lines.append(f"  and {len(failures) - _LISTED} more")
        super().__init__("\n".join(lines))
        self.failures = tuple(failures)
        self.runs = runs


@dataclass(frozen=True)
class Progress:
    """How far a sweep is: trials in all, done (stored ones too), of these run now, and failed."""

    name: str
    total: int
    done: int
    trained: int
    failed: int


class Sweep:
    """Many trials: a base description, axes whose product is the grid, and seeds.

    Parameters
    ----------
    base : the table of a configuration file (without seeds and axes); or a measurement's settings
    axes : key -> values. A training's keys are dotted ("network.depth"), a measurement's plain.
        Keys that vary together are one: "network.width,network.depth": [[8, 2], [64, 10]]
    seeds : how many, from 0; or a list
    record : what is kept of a training, beside "diverged" and "steps" (with a stop rule
        "stopped_early" and "best_step", too): names of the history's
        variables (arrays with their dimensions) or, for what is measured at the end only, of
        metrics; "metrics" stands for all final metrics, which is the default
    measure : a function ``(settings, seed) -> {name: number, array or DataArray}`` at the top level
        of a module, called instead of a training
    name : what messages and the store call it

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
        self.record = problems.tried(_record, record, measure)
        table = problems.tried(plain, base, "" if measure is None else "base")
        if measure is not None:
            problems.tried(check_measure, measure)
        if not problems:
            self.cells = grid.expand(table, self.axes)
        if not problems and measure is None:
            checked = (self.cells, self.axes, self.record, self.seeds[0])
            self._configurations = problems.tried(grid.configurations, *checked)
        problems.report()

    @cached_property
    def trials(self) -> list[grid.Trial]:
        """All trials with their identities, cell by cell."""
        if self.measure is not None:
            return grid.measurement_trials(self.cells, self.seeds, self.measure)
        return grid.training_trials(self._configurations, self.seeds, self.record)

    def missing(self, store: str | os.PathLike[str] | None = None) -> int:
        """Return how many trials `run` would have to run; a store that is not there stays so."""
        identities = {trial.identity for trial in self.trials}
        if store is None or not os.path.exists(store):  # noqa: PTH110  may be text
            return len(identities)
        with Store(store) as opened:
            return len(identities) - len(opened.results(identities))

    def run(
        self,
        store: str | os.PathLike[str] | None = None,
        jobs: int = -1,
        executor: str = "threads",
        progress: Callable[[Progress], None] | None = None,
        control: np.ndarray | None = None,
    ) -> xarray.Dataset:
        """Run the trials that are not stored yet, and return all.

        Parameters
        ----------
        store : file that keeps results; None keeps them in memory only
        jobs : threads; -1 is one a core
        executor : "threads"
        progress : called with a `Progress` at the start and after each chunk
        control : (1 or more,) int64; another thread stops the sweep, as Ctrl-C does, by setting
            its first element

        Returns
        -------
        xarray.Dataset
            A dimension an axis, then seed, then the variables' own; attributes: name, trials,
            trained (how many ran now) and seconds (sum over trials; provenance).

        Raises
        ------
        InputError, StorageError
        FailedTrials
            After all else is done and stored; failed trials are tried again by the next run.
        KeyboardInterrupt
            On Ctrl-C; finished trials are stored.
        """
        jobs = executors.workers(jobs)
        executors.check_executor(executor)
        with contextlib.ExitStack() as stack:
            opened = stack.enter_context(Store(store)) if store is not None else None
            return self._run(opened, jobs, progress, control)

    def _run(
        self,
        store: Store | None,
        jobs: int,
        progress: Callable[[Progress], None] | None,
        control: np.ndarray | None,
    ) -> xarray.Dataset:
        by_place = {(trial.cell, trial.seed): trial.identity for trial in self.trials}
        distinct = dict.fromkeys(by_place.values())  # cells may describe the same training
        outcomes = store.results(distinct) if store else {}
        stored = len(outcomes)
        waiting: dict[int, list[int]] = {}
        planned: set[str] = set(outcomes)
        for (cell, seed), identity in by_place.items():
            if identity not in planned:
                planned.add(identity)
                waiting.setdefault(cell, []).append(seed)

        def report() -> None:
            if progress is not None:
                failed = sum(outcome.status == FAILED for outcome in outcomes.values())
                progress(
                    Progress(
                        self.name, len(distinct), len(outcomes), len(outcomes) - stored, failed
                    )
                )

        def finished(chunk: executors.Chunk, results: list[Outcome]) -> None:
            kept = {
                by_place[chunk.cell, result.seed]: result
                for result in results
                if result.status != CANCELLED
            }
            if store and kept:
                where = canonical(self.cells[chunk.cell].coordinates)
                store.add(self.name, [(key, where, result) for key, result in kept.items()])
            outcomes.update(kept)
            report()

        report()
        if waiting:
            schedule = executors.Schedule(waiting, jobs)
            with single_thread():
                executors.threads(schedule, self._chunk, finished, jobs, control)
        return self._dataset(by_place, outcomes, len(outcomes) - stored)

    def _chunk(self, chunk: executors.Chunk, control: np.ndarray) -> list[Outcome]:
        if self.measure is None:
            configuration = self._configurations[chunk.cell]
            results = train_cell(configuration, self.record, chunk.seeds, control)
        else:
            table = self.cells[chunk.cell].table
            results = measure_cell(self.measure, table, chunk.seeds, control)
        taken = {"seed"} | {key for axis in self.axes for key in (axis.name, *axis.keys)}
        return [_checked(result, taken) for result in results]

    def _dataset(
        self, by_place: Mapping[tuple[int, int], str], outcomes: Mapping[str, Outcome], trained: int
    ) -> xarray.Dataset:
        position = {seed: i for i, seed in enumerate(self.seeds)}
        good = {}
        failures = []
        for (cell, seed), identity in by_place.items():
            outcome = outcomes[identity]
            if outcome.status == FAILED:
                failures.append(Failure(self.cells[cell].coordinates, seed, outcome.message))
            else:
                good[cell, position[seed]] = outcome
        runs = join(self.axes, self.cells, self.seeds, good)
        runs.attrs = {
            "name": self.name,
            "trials": len(by_place),
            "trained": trained,
            "seconds": sum(outcome.seconds for outcome in outcomes.values()),
        }
        if failures:
            raise FailedTrials(self.name, len(by_place), failures, runs)
        return runs


def _record(record: Any, measure: Any) -> tuple[str, ...]:
    if record is None:
        return (METRICS,)
    if measure is not None:
        raise InputError("record: a measurement keeps what its function returns: leave record out")
    if isinstance(record, str) or not isinstance(record, Sequence):
        raise InputError(f"record: {record!r}: must be a list of names")
    return tuple(record)


def _checked(outcome: Outcome, taken: set[str]) -> Outcome:
    """Return the outcome, as a failure where its names cannot stand beside the axes'."""
    try:
        refuse_clash(outcome, taken)
    except InputError as error:
        return replace(outcome, status=FAILED, message=str(error), variables={}, coordinates={})
    return outcome
