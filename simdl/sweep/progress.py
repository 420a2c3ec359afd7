"""What a running sweep tells: how far it is, what is best so far, which trials failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simdl.sweep.forms import Array
from simdl.sweep.outcomes import Outcome

_LISTED = 20  # failures in a message
_PARTS = ("validation", "test", "train")  # choices are made by the first that is measured
_KINDS = {"accuracy": True, "loss": False}  # whether more is better


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
class Best:
    """The best cell so far: a metric's mean over the seeds that are done."""

    metric: str
    value: float
    cell: int


@dataclass(frozen=True)
class Progress:
    """How far a sweep is: trials in all, done (stored ones too), of these run now, and failed.

    Attributes
    ----------
    best : the best cell so far, None where there is no accuracy and no loss
    stopping : Ctrl-C was heard: what runs is finished, a second one stops at once
    """

    name: str
    total: int
    done: int
    trained: int
    failed: int
    best: Best | None = None
    stopping: bool = False


def judging_metric(names: Any) -> tuple[str, bool] | None:
    """Return the metric that cells are compared by and whether more is better.

    Accuracy before loss, and of each the validation part's before the test part's, training's last.
    """
    for kind, more in _KINDS.items():
        for part in _PARTS:
            if f"{part}_{kind}" in names:
                return f"{part}_{kind}", more
    return None


def _is_number(array: Array) -> bool:
    return array.values.dtype.kind == "f" and array.values.ndim == 0


class Standings:
    """Means of the metric that cells are compared by, over the seeds that are done.

    The metric is the first finished trial's; a diverged trial counts as the worst there is.
    """

    def __init__(self) -> None:
        self._metric: tuple[str, bool] | None = None
        self._sums: dict[int, tuple[float, int]] = {}
        self._best: int | None = None

    def add(self, cell: int, outcome: Outcome) -> None:
        """Enter one trial; one that has not the metric as a number is left out."""
        if self._metric is None:
            numbers = {k: a.values for k, a in outcome.variables.items() if _is_number(a)}
            self._metric = judging_metric([k for k, v in numbers.items() if not np.isnan(v)])
        if self._metric is None:
            return
        name, more = self._metric
        if name not in outcome.variables or not _is_number(outcome.variables[name]):
            return
        value = float(outcome.variables[name].values)
        if outcome.status == "diverged" or np.isnan(value):
            value = -np.inf if more else np.inf
        total, count = self._sums.get(cell, (0.0, 0))
        self._sums[cell] = total + value, count + 1
        if cell == self._best:  # it may have fallen behind any other
            self._best = (max if more else min)(self._sums, key=self._mean)
        elif self._best is None or (self._mean(cell) > self._mean(self._best)) == more:
            self._best = cell

    def _mean(self, cell: int) -> float:
        total, count = self._sums[cell]
        return total / count

    def best(self) -> Best | None:
        """Return the best cell so far, if there is one."""
        if self._metric is None or self._best is None:
            return None
        value = self._mean(self._best)
        return Best(self._metric[0], value, self._best) if np.isfinite(value) else None
