"""From a finished training to its health: measure, compare with theory, judge."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simdl.data import Data
from simdl.diagnosis.expectation import expected
from simdl.diagnosis.faults import Case
from simdl.diagnosis.health import NAN, Gradient, Health, Row, Validation
from simdl.diagnosis.measuring import Look, Measured, Train, measure
from simdl.diagnosis.rules import judged
from simdl.parameters import Parameters


def examine(train: Train, data: Data, start: Parameters | None, result: Any) -> Health:
    """Return the health of a finished training; the result stays as it is.

    Parameters
    ----------
    train : what trains a chunk of seeds, for a few further steps on copies
    data : what it was trained on
    start : what it started from; None for the weights of its seed
    result : the training's `Result`
    """
    m = measure(result, train, data, start)
    theory = expected(result.training.net, m.mean_square, start is None)
    gradient = Gradient(_ratio(m.birth), _ratio(m.end), *theory)
    validation, fallen, losses = _losses(result)
    case = Case(result, m, gradient, losses, validation, fallen)
    return Health(_rows(result, m), gradient, validation, judged(case))


def _ratio(look: Look) -> float:
    """First over last layer's gradient; NaN where either is missing or the last one is 0."""
    values = list(look.gradient.values())
    if not values or values[-1] == 0 or not np.isfinite([values[0], values[-1]]).all():
        return NAN
    return values[0] / values[-1]


def _rows(result: Any, m: Measured) -> tuple[Row, ...]:
    columns = (
        m.birth.gradient, m.end.gradient, m.update, m.moved, m.end.saturation, m.end.dead
    )  # fmt: skip
    made = []
    for path, kind in result.training.net.program.leaves:
        values = [float(column.get(path, NAN)) for column in columns]
        values = [value if math.isfinite(value) else NAN for value in values]
        if any(path in column for column in (*columns, m.birth.saturation, m.birth.dead)):
            made.append(Row(path, kind, *values))
    return tuple(made)


def _losses(result: Any) -> tuple[Validation | None, tuple[float, float], np.ndarray]:
    """Return what the validation loss did, what it and the training loss fell, and the latter."""
    history, nothing = result.history, (NAN, NAN)
    losses = history["train_loss"].values if "train_loss" in history else np.zeros(0)
    if "validation_loss" not in history:
        return None, nothing, losses
    values = history["validation_loss"]
    if not len(values) or np.isnan(values.values).all():
        return None, nothing, losses
    i, unit = int(np.nanargmin(values.values)), str(values.dims[0])
    least, end = float(values.values[i]), result.metrics.get("validation_loss", NAN)
    found = Validation(unit, float(values[unit].values[i]), least, float(end))
    since = 1 - losses[-1] / losses[i] if losses[i] > 0 else 0.0
    return found, (float(values.values[0]) - least, float(since)), losses
