"""Many independent points on a landscape, moved by one of our optimizers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from simdl.updates import Optimizer


def descend(
    optimizer: Optimizer,
    gradient: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    steps: int,
) -> Iterator[np.ndarray]:
    """Yield the points before the first step and after each, in float64.

    Parameters
    ----------
    gradient : points, in the shape of `start`, to the gradient at each
    start : any shape: every optimizer works number by number
    """
    shape = np.shape(start)
    update, options, count = optimizer.rule()  # ten thousands of steps: the compiled rule alone
    w, chosen = np.array(start, float).ravel(), np.array(options, float)
    slots = np.zeros((count, w.size))
    yield w.reshape(shape)
    for t in range(1, steps + 1):
        slope = np.array(gradient(w.reshape(shape)), float).ravel()
        w = w.copy()  # what was yielded stays as it is
        update(w, slope, slots, chosen, optimizer.lr, t)
        yield w.reshape(shape)


def double_well(x: np.ndarray, tilt: float = 0.1) -> np.ndarray:
    """(x^2 - 1)^2 / 4 + tilt x: minima near -1, the global one, and near 1, the local one."""
    return (x**2 - 1) ** 2 / 4 + tilt * x


def double_well_slope(x: np.ndarray, tilt: float = 0.1) -> np.ndarray:
    """Derivative of `double_well`."""
    return x**3 - x + tilt


def barrier(tilt: float = 0.1) -> float:
    """Where `double_well` has its maximum: the middle root of its derivative (|tilt| < .384)."""
    return float(np.sort(np.roots([1.0, 0.0, -1.0, tilt]).real)[1])
