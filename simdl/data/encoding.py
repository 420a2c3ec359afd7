"""What a target column means: classes or numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdl.errors import InputError, suggest

TASKS = ("classification", "regression")
MISSING = ("mean", "drop")
MANY = 20  # in a table, more different whole numbers than these are a quantity, not classes


def check_task(task: Any) -> list[str]:
    """Return what is wrong with a task, if anything."""
    if task is None or task in TASKS:
        return []
    return [f"data.task: {task!r}: unknown task{suggest(str(task), TASKS)}"]


def check_missing(missing: Any) -> list[str]:
    """Return what is wrong with what is to become of missing values, if anything."""
    if missing is None or missing in MISSING:
        return []
    return [f"data.missing: {missing!r}: unknown{suggest(str(missing), MISSING)}"]


def encode(
    t: NDArray[Any], task: str | None, key: str
) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    """Return labels (N,) int64 and the classes' names, or targets (N, k) float64 and None.

    Parameters
    ----------
    t : ndarray (N,) or (N, k)
        Strings, bools, integers or floats. Without a `task`, floats are numbers to predict, all
        else classes, sorted.
    task : "classification", "regression" or None
    key : str
        What messages call `t`.
    """
    numeric = t.dtype.kind in "iuf"
    if task == "regression" and not numeric:
        raise InputError(f"{key}: holds {t.flat[0]!r}: task 'regression' needs numbers")
    if task == "regression" or (task is None and t.dtype.kind == "f"):
        if t.ndim not in (1, 2):
            raise InputError(f"{key}: shape {t.shape}: must be (N,) or (N, k)")
        if len(t) > 1 and (t == t[0]).all():
            raise InputError(f"{key}: is {t[0]} in every row: there is nothing to predict")
        return t.reshape(len(t), -1).astype(np.float64), None
    if t.ndim != 1:
        raise InputError(
            f"{key}: shape {t.shape}: classes must be (N,), one label a sample;"
            " for regression pass task='regression'"
        )
    if t.dtype.kind == "f" and not np.isfinite(t).all():
        row = int(np.flatnonzero(~np.isfinite(t))[0])
        raise InputError(f"{key}: {t[row]} in row {row}: must be finite to name a class")
    values, labels = np.unique(t, return_inverse=True)
    if len(values) < 2:
        raise InputError(
            f"{key}: holds one class only ({values[0]}): at least 2 are needed to tell apart"
        )
    if task is None and numeric and len(values) > max(MANY, len(t) / 2):
        raise InputError(
            f"{key}: {len(values)} different integers in {len(t)} rows: say whether they are"
            " numbers (task='regression') or classes (task='classification')"
        )
    return labels.astype(np.int64), tuple(str(value) for value in values)
