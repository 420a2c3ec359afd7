"""What a trial leaves: named arrays with their dimensions, or why it failed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from simdl.configuration import Configuration
from simdl.errors import InputError, suggest
from simdl.result import Result
from simdl.sweep.forms import Array, Numbers, numbers
from simdl.sweep.measures import settings_copy

COMPLETED, DIVERGED, FAILED, CANCELLED = "completed", "diverged", "failed", "cancelled"
STOPPED = "stopped_early"
METRICS = "metrics"  # in `record`: all final metrics
ALWAYS = ("diverged", "steps")
STOPPING = ("stopped_early", "best_step")  # besides, where there is a stop rule
_KINDS = "biufcU"  # what is stored: truth values, numbers, text


@dataclass(frozen=True)
class Stored:
    """Stands for values that lie in a store, which are read when they are looked at."""

    path: Path
    identity: str
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Outcome:
    """One trial, done.

    Attributes
    ----------
    status : "completed", "stopped_early", "diverged", "failed", or "cancelled" (then nothing is
        kept)
    message : why it failed, else empty
    seconds : wall time, of a training without compiling; provenance only
    variables : what was recorded or measured
    coordinates : labels along the variables' own dimensions, one-dimensional
    """

    seed: int
    status: str
    message: str = ""
    seconds: float = 0.0
    variables: Mapping[str, Array] = field(default_factory=dict)
    coordinates: Mapping[str, Array] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of what was recorded or measured."""
        if isinstance(self.variables, Numbers):
            return len(self.variables.bytes)
        arrays = [*self.variables.values(), *self.coordinates.values()]
        return sum(array.values.nbytes for array in arrays)


def train_cell(
    configuration: Configuration, record: Sequence[str], seeds: Sequence[int], control: np.ndarray
) -> list[Outcome]:
    """Train one configuration for several seeds, in one compiled call.

    Where the call raises, each seed is tried alone, so that a failure is the trial's own.
    """
    start = time.perf_counter()
    try:
        return [_outcome(r, record) for r in configuration.trained(seeds, control)]
    except (Exception, SystemExit) as error:
        if len(seeds) > 1:
            return [
                outcome
                for seed in seeds
                for outcome in train_cell(configuration, record, [seed], control)
            ]
        return [Outcome(seeds[0], FAILED, _said(error), time.perf_counter() - start)]


def measure_cell(
    function: Callable[..., Any],
    settings: Any,
    seeds: Sequence[int],
    control: np.ndarray,
    record: Sequence[str] = (METRICS,),
) -> list[Outcome]:
    """Measure one cell for several seeds; each call gets settings of its own."""
    outcomes = []
    for seed in seeds:
        if control[0] != 0:
            outcomes.append(Outcome(seed, CANCELLED))
            continue
        start = time.perf_counter()
        try:
            parts = _named(function(settings_copy(settings), seed), record)
        except (Exception, SystemExit) as error:
            outcomes.append(Outcome(seed, FAILED, _said(error), time.perf_counter() - start))
        else:
            outcomes.append(Outcome(seed, COMPLETED, "", time.perf_counter() - start, *parts))
    return outcomes


def _outcome(result: Result, record: Sequence[str]) -> Outcome:
    parts = () if result.status == CANCELLED else _kept(result, record)
    return Outcome(result.seed, result.status, "", result.seconds, *parts)


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"


def _kept(result: Result, record: Sequence[str]) -> tuple[Mapping[str, Array], dict[str, Array]]:
    """Return the recorded variables of a training, and the labels of their dimensions."""
    metrics = result.metrics
    variables: dict[str, Any] = dict(metrics) if METRICS in record else {}
    coordinates: dict[str, Array] = {}
    wanted = [name for name in record if name not in (METRICS, *ALWAYS, *STOPPING)]
    history = result.history if wanted else {}
    for name in wanted:
        if name in history:
            variables[name] = _labelled(name, history[name], coordinates)
        elif name in metrics:  # else a part of the data that this run has not
            variables[name] = metrics[name]
    variables["diverged"] = result.status == DIVERGED
    variables["steps"] = result.steps
    if result.training.stop is not None:
        variables["stopped_early"] = result.status == STOPPED
        if result.best is not None:
            variables["best_step"] = result.best["step"]
    if not wanted:
        return numbers(variables), coordinates
    made = {k: v if isinstance(v, Array) else _array(k, v) for k, v in variables.items()}
    return made, coordinates


def _named(measured: Any, record: Sequence[str]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return what of a measurement is kept as arrays, and the labels of their dimensions."""
    if not isinstance(measured, Mapping) or not measured:
        raise InputError(
            f"{type(measured).__name__}: must be a mapping of names to numbers, arrays"
        )
    unknown = [name for name in record if name not in (METRICS, *measured)]
    if unknown:
        raise InputError(
            f"record: {unknown[0]!r}: is not measured{suggest(unknown[0], map(str, measured))}"
        )
    coordinates: dict[str, Array] = {}
    variables = {}
    for name, value in measured.items():
        if not isinstance(name, str):
            raise InputError(f"{name!r}: the name of a measured quantity must be text")
        if name not in record and METRICS not in record:
            continue
        labelled = hasattr(value, "dims") and hasattr(value, "coords")
        variables[name] = _labelled(name, value, coordinates) if labelled else _array(name, value)
    return variables, coordinates


def _labelled(name: str, value: Any, coordinates: dict[str, Array]) -> Array:
    """Take a DataArray apart; its one-dimensional coordinates join `coordinates`."""
    for key, labels in value.coords.items():
        key = str(key)
        if not labels.dims:
            continue  # a scalar label says where a slice came from
        if len(labels.dims) > 1:
            raise InputError(f"{name}: coordinate {key!r}: must have one dimension")
        made = Array(_checked(key, labels.values), tuple(map(str, labels.dims)))
        known = coordinates.setdefault(key, made)
        if known.dims != made.dims or not np.array_equal(known.values, made.values):
            raise InputError(f"{name}: coordinate {key!r}: differs from another variable's")
    dims = tuple(map(str, value.dims))
    attrs = {str(k): v for k, v in value.attrs.items() if isinstance(v, str | int | float)}
    return Array(_checked(name, value.values), dims, attrs)


def _array(name: str, value: Any) -> Array:
    values = _checked(name, value)
    return Array(values, tuple(f"{name}_{axis}" for axis in range(values.ndim)))


def _checked(name: str, value: Any) -> np.ndarray:
    values = np.array(value, order="C")  # a copy: the function may go on using its own
    if values.dtype.kind == "O" and values.size and all(isinstance(v, str) for v in values.flat):
        values = values.astype(np.str_)
    if values.dtype.kind not in _KINDS:
        raise InputError(f"{name}: {type(value).__name__}: must be numbers, truth values or text")
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))
